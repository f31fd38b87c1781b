/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The ends of rings: the device's, and those of the same headers on a memfd.  The file that
 * includes this one has the verbs, and defines RINGS_OF_RECORDS for records of variable size.
 */
#ifndef _SPSCRING_BENCH_RINGS_H
#define _SPSCRING_BENCH_RINGS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <spscring/record.h>

#include "bench.h"
#include "lib/spscring.h"

#ifdef RINGS_OF_RECORDS
#define RING(what)	spscring_record_##what
#define RING_WAIT_DATA	spscring_record_wait_bytes
#else
#define RING(what)	spscring_##what
#define RING_WAIT_DATA	spscring_wait_elements
#endif

struct producer {
	struct RING(producer) end;
};

struct consumer {
	struct RING(consumer) end;
	struct spscring_record peeked;
	int epoll;		/* an fd to sleep on, or 0 */
	int event;		/* an eventfd or a pipe to sleep on, or 0 */
};

static struct spscring_geometry geometry;	/* of the run's rings */

static void open_rings(struct run *run, struct spscring_create *want)
{
	static const uint32_t flags[] = {
		[POLLED] = SPSCRING_CREATE_BUSY_POLL, [FENCES] = SPSCRING_CREATE_FENCE,
	};
	const struct point *p = &run->cell->point;
	int err;

	*want = (struct spscring_create){
		.size = sizeof(*want), .capacity = run->cell->capacity,
		.element_size = p->bytes, .name = "bench",
		.flags = flags[run->cell->contender->sleep],
	};
	if (run->cell->contender->records) {
		want->flags |= SPSCRING_CREATE_RECORDS | p->when_full;
		want->element_size = 0;
		if (!(1U << p->test & BENCH_DIFFER))
			want->capacity *= spscring_record_size(SPSCRING_RECORD_ALIGN_MIN,
							       p->bytes);
	}
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

static inline void open_plain(struct run *run)
{
	struct spscring_create want;

	open_rings(run, &want);
	if (run->cell->contender->records)
		run_memory_twice(run, geometry.data_offset, geometry.data_bytes);
	else
		run_memory(run, geometry.memory);
}

/* Place the control blocks of successive rings at different offsets, as the kernel does. */
static void colour(const struct run *run, uint32_t queue)
{
	geometry.colour = (run->number + queue) % SPSCRING_COLOURS * SPSCRING_LINE;
}

/*
 * Set the event indices as the kernel does for a ring that nobody has slept on for a while, or
 * for FENCES with the fence bit.  Nobody sleeps on a memfd's ring, as no fd can wake anybody.
 */
static void nobody_sleeps(const struct run *run, char *memory)
{
	struct spscring_kernel_block *lines = (struct spscring_kernel_block *)
		spscring_kernel_block(&geometry, memory + geometry.info_offset);

	spscring_kernel_block_init(lines, run->cell->contender->sleep == FENCES ? 0 :
				   SPSCRING_CREATE_BUSY_POLL);
}

/*
 * The fence bit of a new ring is set until nobody has slept on the ring for a while.  Wait for
 * that, so that the benchmark does not measure those fences.
 */
static void await_quiet(const struct run *run, int fd, uint32_t role)
{
	struct spscring_info info;
	const struct spscring_sleep_counters *peer =
		role == SPSCRING_PRODUCER ? &info.consumer_sleep : &info.producer_sleep;
	int tries = 1000;

	if (run->cell->contender->sleep != SLEEPS || 1U << run->cell->point.test & BENCH_ASLEEP)
		return;
	do {
		usleep(1000);
		if (spscring_get_info(fd, &info))
			die("info");
	} while (!peer->clears && --tries);
}

/* The mapping keeps the end claimed.  The fd is needed only to wake the peer. */
static void done_with(const struct run *run, int fd)
{
	if (run->cell->contender->sleep == POLLED)
		close(fd);
}

static int claim_end(const struct run *run, uint32_t queue, uint32_t role)
{
	int fd = spscring_claim(run->ring_fd[queue], role, geometry.element_size, 0);

	if (fd < 0)
		die("claim: %s", strerror(-fd));
	return fd;
}

static int map_producer(int fd, struct producer *p)
{
#ifdef RINGS_OF_RECORDS
	return spscring_record_map_producer(fd, &p->end, 0, NULL);
#else
	return spscring_map_producer(fd, &p->end, geometry.element_size, 0, NULL);
#endif
}

static int map_consumer(int fd, struct consumer *c)
{
#ifdef RINGS_OF_RECORDS
	return spscring_record_map_consumer(fd, &c->end, 0, NULL);
#else
	return spscring_map_consumer(fd, &c->end, geometry.element_size, 0, NULL);
#endif
}

static void be_producer(struct run *run, uint32_t queue, struct producer *p)
{
	const struct spscring_geometry *g = &geometry;
	int fd, err;

	if (run->memory) {
		char *memory = run_queue(run, queue);

		colour(run, queue);
		err = RING(producer_init)(&p->end, g, memory + g->consumer_offset,
					  memory + g->info_offset,
					  memory + g->producer_offset,
					  memory + g->data_offset);
		if (err)
			die("producer: %s", strerror(-err));
		nobody_sleeps(run, memory);
		return;
	}
	fd = claim_end(run, queue, SPSCRING_PRODUCER);
	err = map_producer(fd, p);
	if (err)
		die("map: %s", strerror(-err));
	await_quiet(run, fd, SPSCRING_PRODUCER);
	done_with(run, fd);
}

/*
 * Make a consumer that sleeps.  Tests that measure the sleep do not spin before it; round trips
 * spin as the library does.
 */
static void be_sleeper(const struct run *run, int fd, struct consumer *c)
{
	struct epoll_event want = { .events = EPOLLIN | EPOLLET };
	int err;

	if (run->cell->point.test != BENCH_WAKE_RTT) {
		c->end.base.spin = 0;
		c->end.base.spin_max = 0;
	}
	c->epoll = 0;
	c->event = run->event[0];
	if (!run->cell->contender->epoll)
		return;
	err = spscring_notify(fd, run->cell->point.batch, 0, -1);
	if (err)
		die("notify: %s", strerror(-err));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &want))
		die("epoll: %s", strerror(errno));
}

static void be_consumer(struct run *run, uint32_t queue, struct consumer *c)
{
	const struct spscring_geometry *g = &geometry;
	int fd, err;

	if (run->memory) {
		char *memory = run_queue(run, queue);

		colour(run, queue);
		err = RING(consumer_init)(&c->end, g, memory + g->consumer_offset,
					  memory + g->info_offset, memory + g->data_offset);
		if (err)
			die("consumer: %s", strerror(-err));
		nobody_sleeps(run, memory);
		return;
	}
	fd = claim_end(run, queue, SPSCRING_CONSUMER);
	err = map_consumer(fd, c);
	if (err)
		die("map: %s", strerror(-err));
	if (1U << run->cell->point.test & BENCH_ASLEEP)
		be_sleeper(run, fd, c);
	await_quiet(run, fd, SPSCRING_CONSUMER);
	done_with(run, fd);
}

/* Close the ring fds: from here on the mappings keep this process's ends claimed. */
static void ready(struct run *run)
{
	for (uint32_t i = 0; run->ring_fd && i < run->queues; i++)
		close(run->ring_fd[i]);
}

/* How many were moved, 0 if the ring is full or empty; any other error ends the run. */
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

static __always_inline void wait_push(struct producer *p)
{
	(void)p;
	cpu_relax();
}

static __always_inline void wait_pop(struct consumer *c)
{
	RING(backoff)(&c->end);
}

static inline void sleep_pop(struct consumer *c, uint32_t n)
{
	struct epoll_event found;
	uint64_t events;
	int err;

	if (c->event) {
		if (read(c->event, &events, sizeof(events)) != sizeof(events))
			die("read: %s", strerror(errno));
		return;
	}
	if (c->epoll) {
		if (epoll_wait(c->epoll, &found, 1, -1) != 1)
			die("epoll_wait: %s", strerror(errno));
		return;
	}
	err = RING_WAIT_DATA(&c->end, n, -1);
	if (err)
		die("wait: %s", strerror(-err));
}

#endif
