/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The user-space benchmark: a cell is one figure of the table, what is measured
 * of one contender; a run is one measurement of it, by two processes or by a
 * process and a kernel thread.
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

/* All that need no end that can sleep. */
#define BENCH_AWAKE	((1U << BENCH_WAKE) - 1)
#define BENCH_ASLEEP	(1U << BENCH_WAKE | 1U << BENCH_WAKE_RTT | 1U << BENCH_WATERMARK)
#define BENCH_DIFFER	(1U << BENCH_MIXED | 1U << BENCH_MIXED_RTT | 1U << BENCH_IN_PLACE | \
			 1U << BENCH_IN_PLACE_RTT | 1U << BENCH_FLOOD)

/* Who takes what FLOOD's producer pushes without waiting. */
enum bench_taker { TAKER_FAST, TAKER_SLOW, TAKER_NONE };

/* What is measured, of each contender that has it. */
struct point {
	enum bench_test test;
	uint32_t basic;		/* without --full as well */
	uint32_t bytes;		/* of a record; the mean, where they differ */
	uint32_t list;		/* LENGTHS_* + 1, where they differ; or 0 */
	uint32_t in_place;	/* no copy */
	uint32_t when_full;	/* SPSCRING_CREATE_DROP or _OVERWRITE; or 0 */
	enum bench_taker taker;
	uint32_t batch;
	uint32_t capacity;	/* records; bytes, where they differ */
	uint64_t data;		/* bytes, in place of the capacity; or 0 */
	uint32_t huge;		/* on huge pages */
	uint32_t load_ns;	/* between two messages offered; or 0: as many as it takes */
	uint32_t rings;		/* one after the other; or 0 */
	uint64_t warmup;	/* messages */
	uint64_t count;
	uint64_t most;		/* of which a contender that is slow has a part */
};

/* The two ends of each test: who calls or produces, who echoes or consumes. */
struct loops {
	void (*end[BENCH_TESTS][2])(struct run *run);
};

/* May a ring's ends sleep; and is there a fence in each publish and release so that they may? */
enum bench_sleep { POLLED, SLEEPS, FENCES };

enum bench_event { EVENT_NONE, EVENT_EVENTFD, EVENT_PIPE };

struct contender {
	const char *pair;
	const char *impl;
	const struct loops *loops;	/* of the ends that are processes */
	uint32_t tests;			/* a bit for each that it is in */
	void (*open)(struct run *run);
	int32_t capacity;	/* its own; 0 what is asked for, -1 the kernel has it in bytes */
	uint32_t words;		/* u64s in 64 bytes of its data */
	uint32_t spare;		/* records that it holds less than asked for */
	uint32_t most_rings;	/* at once; or 0 */
	uint32_t slow;		/* a system call a record: a part of the messages */
	enum bench_sleep sleep;	/* of a ring */
	int records;		/* of any size, of a ring */
	int epoll;		/* its consumer sleeps by that */
	enum bench_event event;	/* or by that, beside a ring that cannot wake */
	int device;		/* it needs the module */
	int kernel[2];		/* has the kernel the end? */
};

struct cell {
	const struct contender *contender;
	struct point point;
	uint32_t capacity;
};

extern const struct contender bare_contenders[], copy_contender, ring_contenders[],
	record_contenders[], wake_contenders[];
/* What a user would take instead, ends with NULL; and what of it is missing, on stderr. */
const struct contender * const *rival_contenders(void);
void rivals_say_missing(void);

/* Lists of names with commas between; NULL: all. */
struct choice {
	const char *pair;
	const char *impl;
	const char *test;
	int full;
	int no_device;
	int rivals;
	uint32_t part;		/* an N-th of messages and memory */
};

/* The cells, in the order in which they run: what is compared is close in time. */
size_t cells_choose(const struct choice *choice, struct cell **cells);

/* What the processes of a run share. */
struct shared {
	_Alignas(BENCH_LINE) uint32_t ready;
	_Alignas(BENCH_LINE) uint64_t began;	/* by PACED's producer's clock, for its records */
	_Alignas(BENCH_LINE) uint64_t ticks;	/* of count messages */
	_Alignas(BENCH_LINE) uint64_t looked;	/* how often WAKE's consumer has */
	_Alignas(BENCH_LINE) uint64_t over;	/* FLOOD's producer is done */
	_Alignas(BENCH_LINE) uint64_t calls;	/* system calls since the start, of all processes */
	uint64_t wakes;		/* likewise, from sleep; a kernel end's, too */
	uint64_t lost;		/* records that FLOOD's found no room for */
	struct hist hist;	/* of latencies, in ticks */
};

struct run {
	const struct cell *cell;
	struct shared *shared;
	uint32_t number;
	uint64_t warmup;	/* messages, of the cell's */
	uint64_t count;
	uint32_t parties;	/* processes that meet at the start */
	uint64_t load;		/* ticks between two messages offered, << PACED_BITS */
	uint32_t queues;	/* to and fro, or as many as there are rings, or one */
	int *ring_fd;		/* of each queue; or NULL */
	int event[2];		/* to read, to write; or 0 */
	char *memory;		/* of all of them; or NULL */
	size_t queue_size;	/* of each */
	void (*close)(struct run *run);	/* of what open() leaves, or NULL */
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

/* What is known about it. */
struct timer {
	double ns;	/* a tick */
	double cost;	/* of a reading, in ticks; each round trip has it once */
	uint64_t step;	/* it advances by so many ticks */
};

/* Also what counts as failure inside a run: no figure comes of it. */
_Noreturn void die(const char *format, ...);

static __always_inline void check(uint64_t got, uint64_t expected)
{
	if (unlikely(got != expected))
		die("wrong value: %llu instead of %llu", (unsigned long long)got,
		    (unsigned long long)expected);
}

/* Ready to go: returns when all are. */
void run_start(struct run *run);
/* Memory of both processes, zero; that of a run is unmapped at its end. */
void run_memory(struct run *run, size_t queue_size);
/* The same of a head and data, which are there twice, back to back; both whole pages. */
void run_memory_twice(struct run *run, size_t head, size_t data);

static inline char *run_queue(const struct run *run, uint32_t queue)
{
	return run->memory + queue * run->queue_size;
}

/* calls.c: system calls that this process has made to move or to await records. */
extern uint64_t bench_calls;

/* memory.c: of the processes to come; huge pages for all runs, once, or NULL and why. */
void *bench_memory(size_t size);
void *bench_memory_twice(uint32_t queues, size_t head, size_t data);
void *huge_memory(size_t size);
size_t huge_memory_most(size_t wanted);

struct cell_result {
	const struct cell *cell;
	uint32_t runs;
	uint64_t messages;	/* of all runs */
	uint64_t memory;	/* of a queue */
	uint64_t calls, wakes;	/* of all runs */
	int fences;		/* there are rings that count their fences: */
	uint64_t interrupts, clears;	/* of all runs, since the rings were made */
	uint64_t lost;		/* of all runs */
	uint64_t hand_overs;	/* from end to end: these took them, or slept for them */
	double p50[BENCH_RUNS_MAX], p99[BENCH_RUNS_MAX], p999[BENCH_RUNS_MAX];
	double per_op[BENCH_RUNS_MAX];	/* ticks */
	struct hist hist;	/* of all runs */
};

void json_write(FILE *out, const struct cell_result *results, size_t n, const char *vehicle,
		const struct timer *timer);

#ifdef __cplusplus
}
#endif

#endif
