// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Rings: of the device, and the same header on a memfd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "lib/spscring.h"
#include "tests/spscring_peer.h"

struct producer {
	struct spscring_producer end;
};

struct consumer {
	struct spscring_consumer end;
};

static struct spscring_geometry geometry;	/* of the run's rings */

static void open_rings(struct run *run, struct spscring_create *want)
{
	static const uint32_t flags[] = {
		[SPSCRING_WAKE_NEVER] = SPSCRING_CREATE_BUSY_POLL,
		[SPSCRING_WAKE_ASYMMETRIC] = SPSCRING_CREATE_ASYMMETRIC,
	};
	int err;

	*want = (struct spscring_create){
		.size = sizeof(*want), .capacity = run->cell->capacity,
		.record_size = run->cell->point.bytes, .name = "bench",
		.flags = flags[run->cell->contender->wake],
	};
	err = spscring_geometry_init(&geometry, want, sysconf(_SC_PAGESIZE));
	if (err)
		die("geometry: %s", strerror(-err));
	run->queue_size = geometry.memory;
}

static void open_device(struct run *run)
{
	struct spscring_create want;

	open_rings(run, &want);
	run->ring_fd = calloc(run->queues, sizeof(*run->ring_fd));
	if (!run->ring_fd)
		die("no memory");
	for (uint32_t i = 0; i < run->queues; i++) {
		run->ring_fd[i] = spscring_open(&want);
		if (run->ring_fd[i] < 0)
			die("/dev/spscring: %s", strerror(-run->ring_fd[i]));
	}
}

static void open_plain(struct run *run)
{
	struct spscring_create want;

	open_rings(run, &want);
	run_memory(run, geometry.memory);
}

/* As the kernel does it, from ring to ring. */
static void colour(const struct run *run, uint32_t queue)
{
	geometry.colour = (run->number + queue) % SPSCRING_COLOURS * SPSCRING_LINE;
}

/* The mapping keeps the end; the fd is for waking its peer. */
static void done_with(const struct run *run, int fd)
{
	if (run->cell->contender->wake == SPSCRING_WAKE_NEVER)
		close(fd);
}

static void be_producer(struct run *run, uint32_t queue, struct producer *p)
{
	const struct spscring_geometry *g = &geometry;
	int fd, err;

	if (run->memory) {
		char *memory = run_queue(run, queue);

		colour(run, queue);
		spscring_producer_init(&p->end, g, memory + g->consumer_offset,
				       memory + g->info_offset, memory + g->producer_offset,
				       memory + g->data_offset);
		/* nobody sleeps: it is what a ring pays so that one may */
		spscring_producer_wakes(&p->end, run->cell->contender->wake);
		return;
	}
	fd = spscring_claim(run->ring_fd[queue], SPSCRING_PRODUCER, 0);
	if (fd < 0)
		die("claim: %s", strerror(-fd));
	err = spscring_map_producer(fd, &p->end, NULL);
	if (err)
		die("map: %s", strerror(-err));
	done_with(run, fd);
}

static void be_consumer(struct run *run, uint32_t queue, struct consumer *c)
{
	const struct spscring_geometry *g = &geometry;
	int fd, err;

	if (run->memory) {
		char *memory = run_queue(run, queue);

		colour(run, queue);
		spscring_consumer_init(&c->end, g, memory + g->consumer_offset,
				       memory + g->info_offset, memory + g->data_offset);
		spscring_consumer_wakes(&c->end, run->cell->contender->wake);
		return;
	}
	fd = spscring_claim(run->ring_fd[queue], SPSCRING_CONSUMER, 0);
	if (fd < 0)
		die("claim: %s", strerror(-fd));
	err = spscring_map_consumer(fd, &c->end, NULL);
	if (err)
		die("map: %s", strerror(-err));
	done_with(run, fd);
}

/* From here on this process has nothing but its mappings, which keep its ends. */
static void ready(struct run *run)
{
	for (uint32_t i = 0; run->ring_fd && i < run->queues; i++)
		close(run->ring_fd[i]);
}

/* How many went; any other error is no full and no empty. */
static __always_inline long done(long n)
{
	if (likely(n >= 0))
		return n;
	if (unlikely(n != -EAGAIN))
		die("push or pop: %s", strerror(-n));
	return 0;
}

static __always_inline int did(int err)
{
	if (likely(!err))
		return 1;
	done(err);
	return 0;
}

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

static __always_inline int try_push_record(struct producer *p, const void *rec, uint32_t bytes)
{
	return did(spscring_push_fixed(&p->end, rec, bytes));
}

static __always_inline int try_pop_record(struct consumer *c, void *rec, uint32_t bytes)
{
	return did(spscring_pop_fixed(&c->end, rec, bytes));
}

static __always_inline void wait_push(struct producer *p)
{
	(void)p;
	cpu_relax();
}

static __always_inline void wait_pop(struct consumer *c)
{
	spscring_relax(&c->end);
}

#define LOOPS_RECORDS
#define LOOPS_BATCH
#include "loops.h"

#define ALL	((1U << BENCH_TESTS) - 1)
#define BASIC	(1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_BATCH)

#define DEVICE	.loops = &loops, .open = open_device, .device = 1
#define PLAIN	.pair = "u-u", .loops = &loops, .open = open_plain

const struct contender ring_contenders[] = {
	{ .pair = "u-u", .impl = "spscring", DEVICE, .tests = ALL, .words = 7, .most_rings = 1000 },
	{ .pair = "k-u", .impl = "spscring", DEVICE, .tests = BASIC,
	  .kernel = { SPSCRING_PEER_SOURCE } },
	{ .pair = "u-k", .impl = "spscring", DEVICE, .tests = BASIC,
	  .kernel = { 0, SPSCRING_PEER_SINK } },
	{ .pair = "u-u", .impl = "spscring-sleep", DEVICE, .tests = BASIC,
	  .wake = SPSCRING_WAKE_FENCE },
	{ .pair = "u-u", .impl = "spscring-asym", DEVICE, .tests = BASIC,
	  .wake = SPSCRING_WAKE_ASYMMETRIC },
	{ .impl = "spscring-plain", PLAIN, .tests = ALL, .words = 7 },
	{ .impl = "spscring-plain-sleep", PLAIN, .tests = BASIC | 1U << BENCH_PACED,
	  .wake = SPSCRING_WAKE_FENCE },
	{ .impl = "spscring-plain-asym", PLAIN, .tests = BASIC, .wake = SPSCRING_WAKE_ASYMMETRIC },
	{}
};
