// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * DPDK's rte_ring for one producer and one consumer, on our memory, without DPDK's environment
 * layer.  It has a power of two of slots, and holds one element less, or as many as requested.
 */
#include <rte_ring.h>

#include "rival.h"

static size_t size(const struct cell *cell)
{
	ssize_t size = rte_ring_get_memsize_elem(cell->point.bytes,
						 rte_align32pow2(cell->capacity + 1));

	if (size < 0)
		rival_failed("rte_ring_get_memsize_elem", -size);
	return size;
}

static void init(void *memory, const struct cell *cell)
{
	int err = rte_ring_init(memory, "spscring", cell->capacity,
				RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	if (err)
		rival_failed("rte_ring_init", -err);
}

static __always_inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
{
	return !rte_ring_sp_enqueue_elem(p->queue, (void *)(uintptr_t)rec, bytes);
}

static __always_inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	return !rte_ring_sc_dequeue_elem(c->queue, rec, bytes);
}

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return try_push_sized(p, &v, sizeof(v));
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return try_pop_sized(c, v, sizeof(*v));
}

static __always_inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	return rte_ring_sp_enqueue_burst_elem(p->queue, recs, sizeof(*recs), n, NULL);
}

static __always_inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	return rte_ring_sc_dequeue_burst_elem(c->queue, recs, sizeof(*recs), n, NULL);
}

#define LOOPS_SIZED
#define LOOPS_BATCH
#include "../loops.h"

const struct rival dpdk_rival = {
	.contender = {
		.pair = "u-u", .impl = "rte_ring", .loops = &loops, .open = rival_open,
		.tests = BENCH_AWAKE & ~(1U << BENCH_MANY),
		.words = 8, .spare = 1,
	},
	.size = size, .init = init,
};
