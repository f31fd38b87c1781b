/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The user-space benchmark.  A point is a test with its parameters; a cell is one figure of the
 * table, a point of one contender.  A run is one measurement of a cell, by two processes or by
 * a process and a kernel thread.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <asm/barrier.h>

#include "bench/clock.h"
#include "bench/hist.h"
#include "bench/mark.h"
#include "bench/stamp.h"
#include "bench/tests.h"

#define BENCH_CAPACITY	4096
#define BENCH_BATCH_MAX	256
#define BENCH_RUNS_MAX	64

#ifdef __cplusplus
#define _Alignas	alignas
#define _Noreturn		/* it need not know */
extern "C" {
#endif

struct run;

/* The tests that need no end that can sleep. */
#define BENCH_AWAKE	((1U << BENCH_WAKE) - 1)
#define BENCH_ASLEEP	(1U << BENCH_WAKE | 1U << BENCH_WAKE_RTT | 1U << BENCH_WATERMARK)
#define BENCH_DIFFER	(1U << BENCH_MIXED | 1U << BENCH_MIXED_RTT | 1U << BENCH_IN_PLACE | \
			 1U << BENCH_IN_PLACE_RTT | 1U << BENCH_FLOOD)

/* FLOOD's consumer: fast, slow, or none; the producer never waits for it. */
enum bench_taker { TAKER_FAST, TAKER_SLOW, TAKER_NONE };

/* A test with its parameters; every contender that supports the test runs it. */
struct point {
	enum bench_test test;
	uint32_t basic;		/* also measured without --full */
	uint32_t bytes;		/* size of a record; the mean for variable lengths */
	uint32_t list;		/* for variable lengths: LENGTHS_* + 1; or 0 */
	uint32_t in_place;	/* reserve and peek, without a copy */
	uint32_t when_full;	/* SPSCRING_CREATE_DROP or _OVERWRITE; or 0 */
	enum bench_taker taker;
	uint32_t batch;
	uint32_t capacity;	/* elements; bytes for variable lengths */
	uint64_t data;		/* bytes of data, instead of @capacity; or 0 */
	uint32_t huge;		/* the data are on huge pages */
	uint32_t load_ns;	/* time between two messages offered; 0: no pauses */
	uint32_t rings;		/* MANY: rings used in turn; or 0 */
	uint64_t warmup;	/* messages before the measured ones */
	uint64_t count;
	uint64_t most;		/* divided by slow: the limit for a slow contender */
};

/* The two ends of each test: the caller or producer, then the echo or consumer. */
struct loops {
	void (*end[BENCH_TESTS][2])(struct run *run);
};

/*
 * A ring's ends only poll (BUSY_POLL); or they can sleep; or they can sleep and fence in each
 * publish and release (FENCE).
 */
enum bench_sleep { POLLED, SLEEPS, FENCES };

enum bench_event { EVENT_NONE, EVENT_EVENTFD, EVENT_PIPE };

struct contender {
	const char *pair;
	const char *impl;
	const struct loops *loops;	/* of the ends that are processes */
	uint32_t tests;			/* a bit for each test that it runs */
	void (*open)(struct run *run);
	int32_t capacity;	/* a fixed one; 0: as requested, -1: bytes that the kernel sets */
	uint32_t words;		/* u64s in 64 bytes of its data */
	uint32_t spare;		/* slots that it cannot fill */
	uint32_t most_rings;	/* most queues at once; or 0: no limit */
	uint32_t slow;		/* makes a system call per record: divides the messages */
	enum bench_sleep sleep;	/* for rings */
	int records;		/* its ring has records of variable size */
	int epoll;		/* its consumer sleeps in epoll_wait() */
	enum bench_event event;	/* its consumer sleeps on this, beside a ring that cannot wake */
	int device;		/* it needs the module */
	int kernel[2];		/* whether the kernel holds the end */
};

struct cell {
	const struct contender *contender;
	struct point point;
	uint32_t capacity;
};

extern const struct contender bare_contenders[], copy_contender, ring_contenders[],
	record_contenders[], wake_contenders[];
/* Queues that a user could choose instead; NULL-terminated.  The second prints those missing. */
const struct contender * const *rival_contenders(void);
void rivals_say_missing(void);

/* Comma-separated names; NULL: all. */
struct choice {
	const char *pair;
	const char *impl;
	const char *test;
	int full;
	int no_device;
	int rivals;
	uint32_t part;		/* divides the messages and the largest memory */
};

/* The cells in the order of their runs: cells that are compared run close in time. */
size_t cells_choose(const struct choice *choice, struct cell **cells);

/* The memory that the processes of a run share. */
struct shared {
	_Alignas(BENCH_LINE) uint32_t ready;
	_Alignas(BENCH_LINE) uint64_t began;	/* when PACED's producer began, in ticks */
	_Alignas(BENCH_LINE) uint64_t ticks;	/* time of count messages */
	_Alignas(BENCH_LINE) uint64_t looked;	/* sleeps that WAKE's consumer has announced */
	_Alignas(BENCH_LINE) uint64_t over;	/* FLOOD: 1 producer done, 2 consumer done, too */
	_Alignas(BENCH_LINE) uint64_t calls;	/* system calls of all processes since the start */
	uint64_t wakes;		/* wake-ups from sleep since the start, also of a kernel end */
	uint64_t lost;		/* records that FLOOD's producer found no room for */
	struct hist hist;	/* latencies, in ticks */
};

struct run {
	const struct cell *cell;
	struct shared *shared;
	uint32_t number;
	uint64_t warmup;	/* messages: the cell's, or a part of them */
	uint64_t count;
	uint32_t parties;	/* processes that wait for each other at the start */
	uint64_t load;		/* ticks between two messages offered, << PACED_BITS */
	uint32_t queues;	/* one; two for round trips; or as many as MANY has */
	int *ring_fd;		/* of each queue; or NULL */
	int event[2];		/* fds to read and to write; or 0 */
	char *memory;		/* of all queues; or NULL */
	size_t queue_size;	/* memory of each queue */
	void (*close)(struct run *run);	/* releases what open() made; or NULL */
};

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static __always_inline uint64_t ticks(void)
{
	return bench_clock();
}

/* The properties of the clock. */
struct timer {
	double ns;	/* nanoseconds per tick */
	double cost;	/* ticks per reading; each round trip includes it once */
	uint64_t step;	/* ticks by which it advances at a time */
};

/* Print an error and exit.  Inside a run this fails the run, so that it gives no figure. */
_Noreturn void die(const char *format, ...);

static __always_inline void check(uint64_t got, uint64_t expected)
{
	if (unlikely(got != expected))
		die("wrong value: %llu instead of %llu", (unsigned long long)got,
		    (unsigned long long)expected);
}

/* Wait until all processes of the run have called this. */
void run_start(struct run *run);
/* Allocate zeroed memory that both processes share, until the end of the run. */
void run_memory(struct run *run, size_t queue_size);
/* The same for a head, and data that are mapped twice, back to back; both whole pages. */
void run_memory_twice(struct run *run, size_t head, size_t data);

static inline char *run_queue(const struct run *run, uint32_t queue)
{
	return run->memory + queue * run->queue_size;
}

/* calls.c: system calls by which this process has moved records or waited for them. */
extern uint64_t bench_calls;

/*
 * memory.c: memory shared with processes forked later.  huge_memory() returns the same huge
 * pages for every run.
 */
void *bench_memory(size_t size);
void *bench_memory_twice(uint32_t queues, size_t head, size_t data);
void *huge_memory(size_t size);
size_t huge_memory_most(size_t wanted);

struct cell_result {
	const struct cell *cell;
	uint32_t runs;
	uint64_t messages;	/* over all runs */
	uint64_t memory;	/* of a queue, in bytes */
	uint64_t calls, wakes;	/* over all runs */
	int fences;		/* the rings are the device's, which count these: */
	uint64_t interrupts, clears;	/* over all runs, since the rings were made */
	uint64_t lost;		/* over all runs */
	uint64_t hand_overs;	/* moves from end to end, which calls and wakes are divided by */
	double p50[BENCH_RUNS_MAX], p99[BENCH_RUNS_MAX], p999[BENCH_RUNS_MAX];
	double per_op[BENCH_RUNS_MAX];	/* ticks */
	struct hist hist;	/* over all runs */
};

void json_write(FILE *out, const struct cell_result *results, size_t n, const char *vehicle,
		const struct timer *timer);

#ifdef __cplusplus
}
#endif

#endif
