// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Rings of elements.
 */
#include "rings.h"

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return did(spscring_push_fixed(&p->end, &v, sizeof(v)));
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return did(spscring_pop_fixed(&c->end, v, sizeof(*v)));
}

static __always_inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	return done(spscring_push_n_fixed(&p->end, recs, n, sizeof(*recs)));
}

static __always_inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	return done(spscring_pop_n_fixed(&c->end, recs, n, sizeof(*recs)));
}

static __always_inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
{
	return did(spscring_push_fixed(&p->end, rec, bytes));
}

static __always_inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	return did(spscring_pop_fixed(&c->end, rec, bytes));
}

#define LOOPS_SIZED
#define LOOPS_BATCH
#define LOOPS_ASLEEP
#include "loops.h"

#define BASIC	(1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_BATCH)

#define DEVICE	.loops = &loops, .open = open_device, .device = 1
#define PLAIN	.pair = "u-u", .loops = &loops, .open = open_plain

const struct contender ring_contenders[] = {
	{ .pair = "u-u", .impl = "spscring", DEVICE, .tests = BENCH_AWAKE,
	  .words = 7, .most_rings = 1000 },
	{ .pair = "k-u", .impl = "spscring", DEVICE, .tests = BASIC,
	  .kernel = { 1, 0 } },
	{ .pair = "u-k", .impl = "spscring", DEVICE, .tests = BASIC,
	  .kernel = { 0, 1 } },
	{ .pair = "k-u", .impl = "spscring-sleep", DEVICE, .tests = BASIC,
	  .kernel = { 1, 0 }, .sleep = SLEEPS },
	{ .pair = "u-k", .impl = "spscring-sleep", DEVICE, .tests = BASIC,
	  .kernel = { 0, 1 }, .sleep = SLEEPS },
	{ .pair = "u-u", .impl = "spscring-sleep", DEVICE, .tests = BASIC | BENCH_ASLEEP,
	  .sleep = SLEEPS },
	{ .pair = "u-u", .impl = "spscring-sleep-epoll", DEVICE, .tests = BENCH_ASLEEP,
	  .sleep = SLEEPS, .epoll = 1 },
	{ .pair = "u-u", .impl = "spscring-fence", DEVICE, .tests = BASIC | BENCH_ASLEEP,
	  .sleep = FENCES },
	{ .impl = "spscring-plain", PLAIN, .tests = BENCH_AWAKE, .words = 7 },
	{ .impl = "spscring-plain-sleep", PLAIN, .tests = BASIC | 1U << BENCH_PACED,
	  .sleep = SLEEPS },
	{ .impl = "spscring-plain-fence", PLAIN, .tests = BASIC | 1U << BENCH_PACED,
	  .sleep = FENCES },
	{}
};
