// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Concurrency Kit's ck_ring, of pointers, which carry the u64.  It has a power of two of slots,
 * holds one element less, and has no batches.
 */
#include <ck_ring.h>

#include "rival.h"

struct queue {
	struct ck_ring ring;
	ck_ring_buffer_t slots[];
};

static size_t size(const struct cell *cell)
{
	return sizeof(struct queue) + (cell->capacity + 1ULL) * sizeof(ck_ring_buffer_t);
}

static void init(void *memory, const struct cell *cell)
{
	struct queue *q = memory;

	ck_ring_init(&q->ring, cell->capacity + 1);
}

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	struct queue *q = p->queue;

	return ck_ring_enqueue_spsc(&q->ring, q->slots, (void *)(uintptr_t)v);
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	struct queue *q = c->queue;
	void *record;

	if (!ck_ring_dequeue_spsc(&q->ring, q->slots, &record))
		return 0;
	*v = (uintptr_t)record;
	return 1;
}

#include "../loops.h"

const struct rival ck_rival = {
	.contender = {
		.pair = "u-u", .impl = "ck_ring", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_FOOTPRINT |
			 1U << BENCH_PACED,
		.words = 8, .spare = 1,
	},
	.size = size, .init = init,
};
