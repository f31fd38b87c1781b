/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What a user would take instead of the ring.  A rival is one file in its own
 * language, which exports a struct rival; rivals.mk finds out which can be
 * built, rivals.c lists them.
 */
#ifndef _SPSCRING_RIVAL_H
#define _SPSCRING_RIVAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RIVAL_CAPACITY	4096
#define RIVAL_BATCH	64
#define RIVAL_MEMORY	(128 << 10)	/* bytes of a queue, shared, zero, page aligned */

/*
 * The records of a queue are the numbers from 0 on: send() and receive() move
 * those from @from up to @to, and wait as long as it takes.  The loop is the
 * rival's, so that its push and pop are inlined.
 */
struct rival {
	const char *name;
	uint32_t capacity;	/* in records; 0 if the kernel has it in bytes */
	uint32_t slow;		/* a system call a record: this many times fewer of them */
	void (*init)(void *memory);	/* in the parent of both ends */
	void (*exit)(void *memory);	/* or NULL */
	void (*send)(void *memory, uint64_t from, uint64_t to);
	void (*receive)(void *memory, uint64_t from, uint64_t to);
	/* by up to RIVAL_BATCH records at a time; NULL if it has no such calls */
	void (*send_n)(void *memory, uint64_t from, uint64_t to);
	void (*receive_n)(void *memory, uint64_t from, uint64_t to);
};

/* It gave @got in place of @expected, or failed with @error: end the process. */
void rival_wrong(uint64_t got, uint64_t expected);
void rival_failed(const char *what, int error);

extern const struct rival boost_rival, ck_rival, dpdk_rival, crossbeam_rival;
extern const struct rival pipe_rival, socket_rival, mq_rival;

static inline uint64_t rival_batch(uint64_t from, uint64_t to)
{
	return to - from < RIVAL_BATCH ? to - from : RIVAL_BATCH;
}

static inline void rival_fill(uint64_t *recs, uint64_t from, uint64_t n)
{
	for (uint64_t k = 0; k < n; k++)
		recs[k] = from + k;
}

static inline void rival_check(uint64_t got, uint64_t expected)
{
	if (__builtin_expect(got != expected, 0))
		rival_wrong(got, expected);
}

static inline void rival_check_n(const uint64_t *recs, uint64_t from, uint64_t n)
{
	uint64_t wrong = 0;

	for (uint64_t k = 0; k < n; k++)
		wrong |= recs[k] ^ (from + k);
	rival_check(wrong, 0);
}

/*
 * How long to wait between two tries.  The ring's consumer finds that out by
 * itself; of a rival, who uses it would have to, so each test sets its best.
 */
extern uint32_t rival_pauses;

static inline void rival_pause(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("pause" : : : "memory");
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" : : : "memory");
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

static inline void rival_relax(void)
{
	for (uint32_t i = 0; i < rival_pauses; i++)
		rival_pause();
}

#ifdef __cplusplus
}
#endif

#endif
