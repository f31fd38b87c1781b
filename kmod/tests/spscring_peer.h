/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/spscring_peer: a kernel end of a ring that a user made, to test against.
 * One operation at a time for each open file:
 *
 *	peer = open("/dev/spscring_peer", O_RDWR)
 *	ioctl(peer, SPSCRING_PEER_START, &start)	claims, then runs a kthread
 *	...						the user's own end runs
 *	ioctl(peer, SPSCRING_PEER_WAIT, &result)	joins it
 *
 * The operation ends when it has moved @count elements, when a push or pop fails for good
 * (the result has the errno), by STOP, or by the last close of the file.  The end that it
 * claimed is dead then, or shut down if SPSCRING_PEER_SHUTDOWN was given.
 */
#ifndef _SPSCRING_PEER_H
#define _SPSCRING_PEER_H

#include <linux/ioctl.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#define SPSCRING_PEER_DEVICE	"/dev/spscring_peer"

#define SPSCRING_PEER_IOC	0xEF
#define SPSCRING_PEER_START	_IOW(SPSCRING_PEER_IOC, 0x40, struct spscring_peer_start)
#define SPSCRING_PEER_WAIT	_IOR(SPSCRING_PEER_IOC, 0x41, struct spscring_peer_result)
#define SPSCRING_PEER_STOP	_IO(SPSCRING_PEER_IOC, 0x42)

/* Operations. */
#define SPSCRING_PEER_SOURCE	1	/* push into the ring */
#define SPSCRING_PEER_SINK	2	/* pop from the ring, and check the elements */
#define SPSCRING_PEER_PACED	3	/* push into the ring, a batch every gap_ns */
#define SPSCRING_PEER_POLLED	4	/* push into the ring within each poll of its consumer */

#define SPSCRING_PEER_SHUTDOWN	(1U << 0)	/* shut the end down instead of dying */
#define SPSCRING_PEER_SLEEP	(1U << 1)	/* sleep instead of trying again */
#define SPSCRING_PEER_ARMED	(1U << 2)	/* POLLED: push once the poll has chosen its index,
						 * before it publishes that as the event index
						 */
#define SPSCRING_PEER_DAWDLE	(1U << 3)	/* SOURCE, SINK: pause at random between batches */

#define SPSCRING_PEER_BATCH_MAX	4096

/**
 * struct spscring_peer_start - SPSCRING_PEER_START: claim, and begin.
 * @op:		SPSCRING_PEER_SOURCE to SPSCRING_PEER_POLLED.
 * @flags:	SPSCRING_PEER_SHUTDOWN to SPSCRING_PEER_DAWDLE.
 * @ring_fd:	a ring fd.
 * @cpu:	where the thread runs, or -1: anywhere.
 * @batch:	elements per call, 1 to SPSCRING_PEER_BATCH_MAX; 1 for POLLED.
 * @reserved:	0.
 * @count:	elements to move, or 0: no limit.  POLLED pushes at most so many, and no more than
 *		there is room for at the start, lasts until STOP, and refuses 0.
 * @first:	sequence number of the first element.
 * @gap_ns:	with PACED: the time from one batch to the next; with SLEEP otherwise: the
 *		longest sleep, 0 for 30 s; else 0.
 *
 * A ring of records of variable size allows only SOURCE, with a batch of 1 and without
 * SLEEP; each record is the 8 bytes of its sequence number.
 *
 * Returns 0.  Errors: EBUSY one is running, or its result has not been fetched;
 * EINVAL a bad value, an offline CPU, or a ring that it cannot use; ENOMEM; EFAULT;
 * EINTR; and those of spscring_from_fd() and of the claims: EBADF, EPERM, EBADFD, EBUSY,
 * ESHUTDOWN, EPIPE.
 */
struct spscring_peer_start {
	__u32 op;
	__u32 flags;
	__s32 ring_fd;
	__s32 cpu;
	__u32 batch;
	__u32 reserved;
	__u64 count;
	__u64 first;
	__u64 gap_ns;
};

/**
 * struct spscring_peer_result - SPSCRING_PEER_WAIT: how it went.
 * @err:	0; -ECANCELED after STOP; or what push, pop or the sleep
 *		returned: -EPIPE, -ESHUTDOWN, -EOPNOTSUPP.
 * @lost:	with SLEEP: lost wake-ups, that is sleeps that succeeded only when their
 *		time was up.
 * @done:	elements pushed or popped.
 * @wrong:	elements popped with other bytes than expected.
 * @checksum:	sum of spscring_peer_word() over all elements popped.
 * @slept:	the thread's voluntary context switches.
 *
 * Returns 0 once the operation has ended.  Errors: EBADFD none was started;
 * EINTR; EFAULT (the result is lost).
 */
struct spscring_peer_result {
	__s32 err;
	__u32 lost;
	__u64 done;
	__u64 wrong;
	__u64 checksum;
	__u64 slept;
};

_Static_assert(sizeof(struct spscring_peer_start) == 48, "struct spscring_peer_start");
_Static_assert(sizeof(struct spscring_peer_result) == 40, "struct spscring_peer_result");

/* Word @i of the element that carries @seq; word 0 is @seq itself. */
static __always_inline __u64 spscring_peer_pattern(__u64 seq, __u32 i)
{
	return seq + i * 0x9e3779b97f4a7c15ULL;
}

/**
 * spscring_peer_word() - the sequence number in an element
 * @rec: the element
 * @size: its size, in bytes
 *
 * Return: the first 8 bytes, or all bytes of a smaller element.
 */
static __always_inline __u64 spscring_peer_word(const void *rec, __u32 size)
{
	const __u8 *byte = (const __u8 *)rec;
	__u64 word = 0;

	if (size >= sizeof(word)) {
		memcpy(&word, rec, sizeof(word));
		return word;
	}
	while (size--)
		word = word << 8 | byte[size];
	return word;
}

/**
 * spscring_peer_fill() - write the bytes of an element
 * @rec: the element
 * @size: its size, in bytes; a last word that does not fit is cut to its low bytes
 * @seq: its sequence number
 */
static __always_inline void spscring_peer_fill(void *rec, __u32 size, __u64 seq)
{
	__u8 *to = (__u8 *)rec;
	__u32 i, words = size / sizeof(seq);
	__u64 word;

	for (i = 0; i < words; i++, to += sizeof(word)) {
		word = spscring_peer_pattern(seq, i);
		memcpy(to, &word, sizeof(word));
	}
	word = spscring_peer_pattern(seq, words);
	for (i = words * sizeof(word); i < size; i++, word >>= 8)
		*to++ = (__u8)word;
}

/**
 * spscring_peer_wrong() - compare an element with what spscring_peer_fill() writes
 * @rec: the element
 * @size: its size, in bytes
 * @seq: its sequence number
 *
 * Return: 1 if they differ, 0 if not.
 */
static __always_inline __u64 spscring_peer_wrong(const void *rec, __u32 size, __u64 seq)
{
	const __u8 *from = (const __u8 *)rec;
	__u32 i, words = size / sizeof(seq);
	__u64 word;

	for (i = 0; i < words; i++, from += sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		if (word != spscring_peer_pattern(seq, i))
			return 1;
	}
	word = spscring_peer_pattern(seq, words);
	for (i = words * sizeof(word); i < size; i++, word >>= 8)
		if (*from++ != (__u8)word)
			return 1;
	return 0;
}

#endif
