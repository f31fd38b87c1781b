/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The user-space benchmark: a cell is one figure of the table, a run is one
 * measurement of it, by two processes or by a process and a kernel thread.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "bench/hist.h"
#include "lib/spscring.h"

#define BENCH_CAPACITY	4096
#define BENCH_RUNS_MAX	64

struct run;

/* One of the two ends of a cell. */
struct end {
	void (*user)(struct run *run);	/* in a process of its own, or */
	uint32_t kernel;		/* SPSCRING_PEER_* */
};

struct cell {
	const char *pair;
	const char *impl;
	const char *test;
	uint32_t batch;
	uint32_t capacity;
	uint64_t warmup;	/* messages */
	uint64_t count;
	void (*open)(struct run *run);
	struct end end[2];	/* who calls or produces; who echoes or consumes */
};

extern const struct cell ring_cells[], bare_cells[];
/* Of what a user would take instead; and what of it is missing, on stderr. */
const struct cell *rival_cells(void);
void rivals_say_missing(void);

/* What the processes of a run share. */
struct shared {
	_Alignas(128) uint32_t ready;
	_Alignas(128) uint64_t ticks;	/* of count messages */
	struct hist hist;	/* round trips in ticks */
};

struct run {
	const struct cell *cell;
	struct shared *shared;
	uint32_t number;
	uint64_t warmup;	/* messages, of the cell's */
	uint64_t count;
	uint32_t parties;	/* processes that meet at the start */
	int ring_fd[2];		/* to and fro; -1 if not used */
	char *memory[2];	/* of a ring on a memfd, or of bare lines */
	size_t memory_size;	/* of each */
	struct spscring_geometry geometry;
	void (*close)(struct run *run);	/* of what open() leaves, or NULL */
};

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * As the kernel's benchmark reads the time: cycles where that takes no system
 * call, otherwise nanoseconds.  The lfence keeps it behind the loads before it.
 */
static __always_inline uint64_t ticks(void)
{
#ifdef __x86_64__
	uint32_t low, high;

	__asm__ __volatile__("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
#else
	return now_ns();
#endif
}

/* What is known about it. */
struct timer {
	double ns;	/* a tick */
	double cost;	/* of a reading, in ticks; each round trip has it once */
	uint64_t step;	/* it advances by so many ticks */
};

/* Also what counts as failure inside a run: no figure comes of it. */
_Noreturn void die(const char *format, ...);

/* Ready to go: returns when all are. */
void run_start(struct run *run);
/* Memory of both processes; that of a run is unmapped at its end. */
void *bench_memory(size_t size);
void run_memory(struct run *run, size_t size);

struct cell_result {
	const struct cell *cell;
	uint32_t runs;
	uint64_t messages;	/* of all runs */
	double p50[BENCH_RUNS_MAX], p99[BENCH_RUNS_MAX], p999[BENCH_RUNS_MAX];
	double per_op[BENCH_RUNS_MAX];	/* ticks */
	struct hist hist;	/* of all runs */
};

void json_write(FILE *out, const struct cell_result *results, size_t n, const char *vehicle,
		const struct timer *timer);

#endif
