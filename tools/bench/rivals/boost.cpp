// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Boost's lockfree::spsc_queue.  With a capacity known at compile time the queue is one object
 * without pointers, which can lie in shared memory.
 */
#include <new>
#include <boost/lockfree/spsc_queue.hpp>

#include "rival.h"

using queue = boost::lockfree::spsc_queue<uint64_t, boost::lockfree::capacity<BENCH_CAPACITY>>;

static size_t size(const struct cell *)
{
	return sizeof(queue);
}

static void init(void *memory, const struct cell *)
{
	new (memory) queue;
}

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return static_cast<queue *>(p->queue)->push(v);
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return static_cast<queue *>(c->queue)->pop(*v);
}

static __always_inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	return static_cast<queue *>(p->queue)->push(recs, n);
}

static __always_inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	return static_cast<queue *>(c->queue)->pop(recs, n);
}

#define LOOPS_BATCH
#include "../loops.h"

const struct rival boost_rival = {
	{ "u-u", "boost-spsc_queue", &loops,
	  1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_BATCH | 1U << BENCH_PACED |
	  1U << BENCH_RESIDENCY,
	  rival_open, 0, 0, 0, 0, 1, {} },
	size, init, nullptr,
};
