// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * crossbeam's ArrayQueue.  crossbeam.rs has its verbs, and the loops of the throughput test,
 * because a call for each element would cost a fifth of the throughput.
 */
#include "rival.h"

static size_t size(const struct cell *cell)
{
	return crossbeam_size(cell->capacity);
}

static void init(void *memory, const struct cell *cell)
{
	crossbeam_init(memory, cell->capacity);
}

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return crossbeam_push(p->queue, v);
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return crossbeam_pop(c->queue, v);
}

static inline void push_range(struct producer *p, uint64_t from, uint64_t to)
{
	crossbeam_push_range(p->queue, from, to);
}

static inline void pop_range(struct consumer *c, uint64_t from, uint64_t to)
{
	crossbeam_pop_range(c->queue, from, to);
}

#define LOOPS_RANGE
#include "../loops.h"

const struct rival crossbeam_rival = {
	.contender = {
		.pair = "u-u", .impl = "ArrayQueue", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_FOOTPRINT |
			 1U << BENCH_PACED | 1U << BENCH_RESIDENCY,
		.words = 4,
	},
	.size = size, .init = init,
};
