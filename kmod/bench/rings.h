/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of spscring and its two ends, with elements or with records of variable size.
 */
#ifndef _SPSCRING_BENCH_RINGS_H
#define _SPSCRING_BENCH_RINGS_H

#include "loops.h"
#include "spscring_kapi.h"

/* Each side has its own handle.  The size is a power of two, so that kmalloc() aligns it. */
struct queue {
	struct spscring *ring;
	bool variable_size;		/* the ring has records of variable size */
	union {
		struct spscring_producer producer;
		struct spscring_record_producer record_producer;
	} __aligned(BENCH_LINE);
	union {
		struct spscring_consumer consumer;
		struct spscring_record_consumer record_consumer;
	} __aligned(BENCH_LINE);
};

static __always_inline int ring_push(void *queue, const u64 *v)
{
	struct queue *q = queue;

	return spscring_push_fixed(&q->producer, v, sizeof(*v));
}

static __always_inline int ring_pop(void *queue, u64 *v)
{
	struct queue *q = queue;

	return spscring_pop_fixed(&q->consumer, v, sizeof(*v));
}

static __always_inline void ring_relax(void *queue)
{
	struct queue *q = queue;

	spscring_backoff(&q->consumer);
}

/* ring.c */
void *rings_open(const struct spscring_create *want);
int rings_ready(const struct bench_run *run);
struct bench_fences rings_fences(const struct bench_run *run);
void rings_close(void *queue);
struct queue *rings_take(int fd, u32 role);
void rings_put(struct queue *q, u32 role);
size_t rings_memory(const struct bench_run *run, void *queue);

#endif
