/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Move records of variable size through every function of the API, and check them.  The
 * selftests, KUnit and /dev/spscring_record_peer use this.  The device is a kernel end of a
 * ring that a user made:
 *
 *	peer = open("/dev/spscring_record_peer", O_RDWR)
 *	ioctl(peer, SPSCRING_RECORD_RUN, &run)		claims an end, moves records, returns
 *
 * A record's length and bytes are functions of its sequence number.  So each record is
 * checked by itself, and a torn or misplaced one is found.
 */
#ifndef _SPSCRING_RECORD_PEER_H
#define _SPSCRING_RECORD_PEER_H

#include <asm/barrier.h>
#include <linux/ioctl.h>
#include <spscring/record.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#define SPSCRING_RECORD_DEVICE	"/dev/spscring_record_peer"
#define SPSCRING_RECORD_RUN	_IOWR(0xEF, 0x48, struct spscring_record_run)

/* Ways to move records; each call picks one of those allowed.  Producer: */
#define RECORD_PUSH		(1U << 0)
#define RECORD_PUSH_N		(1U << 1)
#define RECORD_RESERVE		(1U << 2)	/* reserve one, commit less than reserved */
#define RECORD_MANY		(1U << 3)	/* reserve some, discard one or two, commit all */
/* Consumer: */
#define RECORD_POP		(1U << 4)
#define RECORD_POP_N		(1U << 5)
#define RECORD_PEEK		(1U << 6)
#define RECORD_PEEK_N		(1U << 7)	/* peek at some, release only a part of them */

#define RECORD_PRODUCER_WAYS	(RECORD_PUSH | RECORD_PUSH_N | RECORD_RESERVE | RECORD_MANY)
#define RECORD_COPY_WAYS	(RECORD_POP | RECORD_POP_N)
#define RECORD_CONSUMER_WAYS	(RECORD_COPY_WAYS | RECORD_PEEK | RECORD_PEEK_N)

#define RECORD_BATCH		8		/* the most records of one call */

/**
 * struct record_mover - what one end moves, and what it found.
 * @ways:	RECORD_*.
 * @most:	the longest record, in bytes.
 * @seq:	sequence number of the next record.
 * @moved:	records pushed or popped.
 * @missed:	producer: records dropped; consumer: gaps in the sequence numbers.
 * @wrong:	records with a wrong length, wrong bytes, a wrong order or alignment.
 * @buf:	RECORD_BATCH places of @most bytes, see record_buf_size().
 */
struct record_mover {
	__u32 ways;
	__u32 most;
	__u64 seq;
	__u64 moved;
	__u64 missed;
	__u64 wrong;
	char *buf;
};

#define SPSCRING_RECORD_SLEEP	(1U << 0)	/* sleep instead of trying again */
#define SPSCRING_RECORD_DIE	(1U << 1)	/* die instead of shutting the end down */

/**
 * struct spscring_record_run - SPSCRING_RECORD_RUN: claim an end, and move records.
 * @role:	SPSCRING_PRODUCER or SPSCRING_CONSUMER.
 * @flags:	SPSCRING_RECORD_*.
 * @ring_fd:	a ring fd.
 * @err:	out: 0 if the end reached @count; else the errno of push, pop or a sleep, or
 *		-EAGAIN after @tries.
 * @tries:	give up after so many failures in a row; 0: never.
 * @timeouts:	out: sleeps of 30 s without a wake-up.
 * @count:	stop when the sequence number of the next record is this.
 * @mover:	in: ways and most, buf is NULL; out: the counts.
 *
 * Returns 0.  Errors: those of the claim; EINVAL a bad value; ENOMEM; EFAULT.
 */
struct spscring_record_run {
	__u32 role;
	__u32 flags;
	__s32 ring_fd;
	__s32 err;
	__u32 tries;
	__u32 timeouts;
	__u64 count;
	struct record_mover mover;
};

static inline __u64 record_hash(__u64 x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

/* Most records have up to 100 bytes; one in 16 is empty, one in 16 has @most bytes. */
static inline __u32 record_length(__u64 seq, __u32 most)
{
	__u64 h = record_hash(seq);
	__u32 some = most < 100 ? most : 100;

	switch (h >> 60) {
	case 0:
		return 0;
	case 1:
		return most;
	case 2:
	case 3:
		return (__u32)(h % (most + 1ULL));
	default:
		return (__u32)(h % (some + 1ULL));
	}
}

/*
 * Word @i of a record's bytes.  It looks like a published record's length word, of either
 * lap.  So a consumer that takes the remains of an old record for a word pops nonsense,
 * which the checks find.
 */
static __always_inline __u64 record_pattern(__u64 seq, __u32 i)
{
	__u64 sequence = seq * 0x9e3779b1 + i * 0x85ebca6b;

	return sequence << SPSCRING_WORD_SEQUENCE | ((seq ^ i) & 1 ? SPSCRING_WORD_LAP : 0) |
		SPSCRING_WORD_PUBLISHED | (i & 31);
}

static __always_inline void record_fill(void *rec, __u32 length, __u64 seq)
{
	__u32 i, words = length / 8;
	char *to = (char *)rec;
	__u64 word;

	for (i = 0; i < words; i++, to += 8) {
		word = record_pattern(seq, i);
		memcpy(to, &word, 8);
	}
	word = record_pattern(seq, words);
	memcpy(to, (char *)&word + 8 - length % 8, length % 8);
}

static __always_inline int record_is_wrong(const void *rec, __u32 length, __u64 seq, __u32 most)
{
	const char *from = (const char *)rec;
	__u32 i, words = length / 8;
	__u64 word;

	if (length != record_length(seq, most))
		return 1;
	for (i = 0; i < words; i++, from += 8) {
		word = record_pattern(seq, i);
		if (memcmp(from, &word, 8))
			return 1;
	}
	word = record_pattern(seq, words);
	return !!memcmp(from, (char *)&word + 8 - length % 8, length % 8);
}

/* Bytes of the buffer for each record of a batch. */
static inline __u64 record_place(const struct record_mover *m)
{
	return (m->most + 15ULL) & ~7ULL;
}

static inline __u64 record_buf_size(const struct record_mover *m)
{
	return RECORD_BATCH * record_place(m);
}

/* Bytes that the next record takes of the ring. */
static inline __u64 record_need(const struct record_mover *m,
				const struct spscring_record_producer *p)
{
	return spscring_record_size(p->base.stride, record_length(m->seq, m->most));
}

/* Pick one of the ways, by the sequence number and @salt; 0 if none is allowed. */
static inline __u32 record_way(const struct record_mover *m, __u64 salt, __u32 ways)
{
	__u32 i = record_hash(m->seq * 2 + salt) % 8;

	ways &= m->ways;
	while (ways && !(ways & 1U << i))
		i = (i + 1) % 8;
	return ways ? 1U << i : 0;
}

/* ------------------------------------------------------------- producer */

/* Count a record whose bytes are not aligned as the ring's geometry says. */
static inline void record_check_place(struct record_mover *m, const void *rec, __u32 stride)
{
	m->wrong += (__u64)(unsigned long)rec % stride != 0;
}

static inline long record_put_batch(struct record_mover *m, struct spscring_record_producer *p,
				    __u32 n)
{
	struct spscring_record recs[RECORD_BATCH];
	__u32 i;
	long some;

	for (i = 0; i < n; i++) {
		recs[i].length = record_length(m->seq + i, m->most);
		recs[i].data = m->buf + i * record_place(m);
		record_fill(recs[i].data, recs[i].length, m->seq + i);
	}
	some = spscring_record_push_n(p, recs, n);
	if (some > 0 && some < n && p->base.flags & SPSCRING_CREATE_DROP) {
		m->missed++;
		m->seq++;
	}
	return some;
}

/* Reserve a record that the caller discards; NULL if there is no room for it. */
static inline void *record_reserve_junk(struct record_mover *m, struct spscring_record_producer *p)
{
	__u32 length = record_length(m->seq * 3 + p->reserved, m->most);
	void *rec;

	if (spscring_record_reserve(p, length, &rec))
		return NULL;
	record_check_place(m, rec, p->base.stride);
	record_fill(rec, length, m->seq);
	return rec;
}

/* Reserve more than the record needs, and commit its real length. */
static inline long record_put_shrunk(struct record_mover *m, struct spscring_record_producer *p)
{
	__u32 length = record_length(m->seq, m->most), extra = m->seq % 16;
	void *rec;
	int err;

	/* a ring that drops would drop the record for want of the extra bytes */
	if (length + extra > m->most || p->base.flags & SPSCRING_CREATE_DROP)
		extra = 0;
	err = spscring_record_reserve(p, length + extra, &rec);
	if (err)
		return err;
	record_check_place(m, rec, p->base.stride);
	record_fill(rec, length, m->seq);
	spscring_record_commit(p, rec, length);
	return 1;
}

/* Reserve several, shrink some of them, discard one in between, and commit all at once. */
static inline long record_put_many(struct record_mover *m, struct spscring_record_producer *p,
				   __u32 n)
{
	__u64 h = record_hash(m->seq + 99);
	void *junk = NULL, *rec;
	__u32 i, length, extra;
	int err = 0;

	for (i = 0; i < n; i++, h = h >> 5 | h << 59) {
		if (h & 1 && !junk)
			junk = record_reserve_junk(m, p);
		length = record_length(m->seq + i, m->most);
		extra = h & 2 && length + (h & 28) <= m->most ? h & 28 : 0;
		err = spscring_record_reserve(p, length + extra, &rec);
		if (err)
			break;
		record_check_place(m, rec, p->base.stride);
		record_fill(rec, length, m->seq + i);
		if (h & 4 && junk) {
			spscring_record_discard(p, junk);
			junk = NULL;
		}
		if (extra)
			spscring_record_shrink(p, rec, length);
	}
	if (junk)
		spscring_record_discard(p, junk);
	spscring_record_commit_all(p);
	/* in a small ring the first may not fit beside the junk, but fits alone */
	return i ? (long)i : err == -EAGAIN ? record_put_shrunk(m, p) : err;
}

/*
 * Push the next records, at most @n: how many, or a negative errno.  0 if the ring dropped
 * the first one, which @missed counts.
 */
static inline long record_put(struct record_mover *m, struct spscring_record_producer *p, __u64 n)
{
	/* RECORD_MANY fills records before it knows whether one before them was dropped */
	__u32 ways = p->base.flags & SPSCRING_CREATE_DROP ? ~RECORD_MANY : ~0U;
	long some;

	n = n < m->seq % RECORD_BATCH + 1 ? n : m->seq % RECORD_BATCH + 1;
	switch (record_way(m, 0, ways & RECORD_PRODUCER_WAYS)) {
	case RECORD_PUSH_N:
		some = record_put_batch(m, p, (__u32)n);
		break;
	case RECORD_MANY:
		some = record_put_many(m, p, (__u32)n);
		break;
	case RECORD_RESERVE:
		some = record_put_shrunk(m, p);
		break;
	default:
		record_fill(m->buf, record_length(m->seq, m->most), m->seq);
		some = spscring_record_push(p, m->buf, record_length(m->seq, m->most)) ?: 1;
	}
	if (some > 0) {
		m->moved += some;
		m->seq += some;
	} else if (some == -ENOBUFS) {
		m->missed++;
		m->seq++;
		some = 0;
	}
	return some;
}

/* ------------------------------------------------------------- consumer */

static __always_inline void record_check(struct record_mover *m, const void *rec, __u32 length,
					 __u64 seq)
{
	m->wrong += seq < m->seq || record_is_wrong(rec, length, seq, m->most);
	m->missed += seq - m->seq;
	m->moved++;
	m->seq = seq + 1;
}

static inline long record_take_batch(struct record_mover *m, struct spscring_record_consumer *c,
				     __u32 n)
{
	struct spscring_record recs[RECORD_BATCH];
	long some, i;

	for (i = 0; i < n; i++) {
		recs[i].data = m->buf + i * record_place(m);
		recs[i].length = m->most;
	}
	some = spscring_record_pop_n(c, recs, n);
	for (i = 0; i < some; i++)
		record_check(m, recs[i].data, recs[i].length, recs[i].sequence);
	return some;
}

static inline long record_take_in_place(struct record_mover *m, struct spscring_record_consumer *c,
					__u32 n, __u32 release)
{
	struct spscring_record recs[RECORD_BATCH] = {};
	long some, i;

	some = n == 1 ? spscring_record_peek(c, recs) ?: 1 : spscring_record_peek_n(c, recs, n);
	if (some <= 0)
		return some;
	if (release > some)
		release = (__u32)some;
	for (i = 0; i < release; i++) {
		record_check_place(m, recs[i].data, c->base.stride);
		record_check(m, recs[i].data, recs[i].length, recs[i].sequence);
	}
	if (n == 1)
		spscring_record_release(c, recs);
	else
		spscring_record_release_n(c, recs, release);
	return release;
}

/* Pop into a buffer one byte too small first: -EMSGSIZE, and the record stays. */
static inline long record_take_one(struct record_mover *m, struct spscring_record_consumer *c)
{
	const __u32 gaps = SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE;
	__u32 size = c->base.flags & gaps ? m->most : record_length(m->seq, m->most);
	long length;

	if (size) {
		length = spscring_record_pop(c, m->buf, size - 1);
		if (length >= 0)
			goto out;
		if (length != -EMSGSIZE)
			return length;
	}
	length = spscring_record_pop(c, m->buf, size);
	/* a wrong length: pop it anyway, and record_check() counts it */
	if (length == -EMSGSIZE)
		length = spscring_record_pop(c, m->buf, m->most);
	if (length < 0)
		return length;
out:
	record_check(m, m->buf, (__u32)length, spscring_record_sequence(c));
	return 1;
}

/* Pop and check at most @n records: how many, or a negative errno. */
static inline long record_take(struct record_mover *m, struct spscring_record_consumer *c, __u32 n)
{
	__u32 ways = c->base.flags & SPSCRING_CREATE_OVERWRITE ? RECORD_COPY_WAYS : ~0U;

	n = n < RECORD_BATCH ? n : RECORD_BATCH;
	switch (record_way(m, 1, ways & RECORD_CONSUMER_WAYS)) {
	case RECORD_POP_N:
		return record_take_batch(m, c, n);
	case RECORD_PEEK:
		return record_take_in_place(m, c, 1, 1);
	case RECORD_PEEK_N:
		return record_take_in_place(m, c, n, m->seq % RECORD_BATCH + 1);
	default:
		return record_take_one(m, c);
	}
}

/* -------------------------------------------- both ends, one after the other */

/*
 * Try often enough that the producer refreshes the consumer's exact cursor, so that -EAGAIN
 * means that the ring has no room.
 */
static inline long record_put_answer(struct record_mover *m, struct spscring_record_producer *p,
				     __u64 n)
{
	long some = -EAGAIN;
	int i;

	for (i = 0; i <= SPSCRING_REFRESH_EVERY && some == -EAGAIN; i++)
		some = record_put(m, p, n);
	return some;
}

/*
 * Push and pop @n records by turns, a varying number each turn; @in and @out have the same
 * @most.  Return 0, or the line of the check that failed.  A ring that does not overwrite
 * has room to the last byte: a push fails only if the record does not fit.
 */
static inline int record_lockstep(struct record_mover *in, struct spscring_record_producer *p,
				  struct record_mover *out, struct spscring_record_consumer *c,
				  __u64 n)
{
	const __u64 end = in->seq + n, moved = in->moved - out->moved;
	const __u32 ways = in->ways;
	__u32 turn = 0, i;
	long some = 0;

	while (in->seq != end || p->base.pos != c->base.pos) {
		__u64 h = record_hash(in->seq + turn++);

		for (i = 0; i < h % 16 && in->seq != end; i++) {
			__u64 need = record_need(in, p);
			__u64 room = p->base.capacity - (p->base.pos - c->base.pos);

			some = record_put_answer(in, p, end - in->seq);
			if (p->base.flags & SPSCRING_CREATE_OVERWRITE) {
				if (some <= 0)
					return __LINE__;
				continue;
			}
			if (some == -EAGAIN && need <= room) {
				/* only what was reserved beside the record did not fit */
				in->ways = RECORD_PUSH;
				some = record_put_answer(in, p, 1);
				in->ways = ways;
			}
			if (p->base.pos - c->base.pos > p->base.capacity)
				return __LINE__;
			if (some < 0 && some != -EAGAIN)
				return __LINE__;
			if (some <= 0 && need <= room)
				return __LINE__;
			if (some > 0 && need > room)
				return __LINE__;
			if (some <= 0)
				break;
		}
		for (i = 0; i < h / 16 % 16; i++) {
			some = record_take(out, c, h / 256 % RECORD_BATCH + 1);
			if (some == -EAGAIN && p->base.pos != c->base.pos)
				return __LINE__;
			if (some <= 0 && some != -EAGAIN)
				return __LINE__;
			if (some <= 0)
				break;
		}
		if (in->wrong || out->wrong)
			return __LINE__;
	}
	if (!(p->base.flags & SPSCRING_CREATE_OVERWRITE) && in->moved - out->moved != moved)
		return __LINE__;
	return 0;
}

#endif
