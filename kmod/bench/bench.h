/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark's own terms: a contender is a struct bench_ops; a run is one
 * test of one contender, once; each run has two sides, a thread on a CPU.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/timekeeping.h>
#include <linux/timex.h>
#include <linux/types.h>

#include "hist.h"

/* Two lines: the adjacent-line prefetcher pairs them. */
#define BENCH_LINE	128

enum bench_test {
	BENCH_RTT,		/* a u64 there and back, one at a time */
	BENCH_THROUGHPUT,	/* u64s, one a call */
	BENCH_SIZED,		/* larger records, one a call */
	BENCH_BATCH,		/* u64s, many a call */
	BENCH_TESTS
};

struct bench_run;

struct bench_side {
	struct bench_run *run;
	int (*loop)(struct bench_side *s);
	u64 *records;		/* room for a record, or a batch of them */
	struct hist *hist;	/* of round trips */
	u64 start;
	u64 end;
	u64 elapsed;		/* in round trips without a stamp each */
	unsigned long deadline;	/* in jiffies */
	u32 spins;
	int err;
} __aligned(BENCH_LINE);

struct bench_ops {
	const char *name;
	u32 capacity;		/* 0: what is asked for */
	/* one queue from one side to the other, or NULL for no memory, or an ERR_PTR */
	void *(*open)(const struct bench_run *run);
	void (*close)(void *queue);
	/* caller and echo, or producer and consumer; NULL: no such test */
	int (*loops[BENCH_TESTS][2])(struct bench_side *s);
};

struct bench_run {
	const struct bench_ops *ops;
	enum bench_test test;
	u32 turn;		/* the how manieth run of this contender */
	u32 bytes;
	u32 capacity;
	u32 batch;
	u64 count;
	void *queue[2];		/* there, and back */
	atomic_t ready;
	atomic_t running;
	bool stop;
	struct completion done;
	struct bench_side side[2];
};

extern const struct bench_ops bench_bare, bench_walk, bench_kfifo, bench_ring;

int bench_breathe(struct bench_side *s);
int bench_wrong(struct bench_side *s, u64 want, u64 got);
void bench_release_probe(u64 *word);

struct spscring_producer;
struct spscring_consumer;
int bench_push_probe(struct spscring_producer *p, const u64 *v);
int bench_pop_probe(struct spscring_consumer *c, u64 *v);

/*
 * The finest clock there is.  UML on x86-64 has no get_cycles(), but the
 * processor's counter is there.  The lfence keeps the read behind the loads
 * before it: the message has arrived.
 */
#if defined(CONFIG_X86_64)
#define BENCH_CLOCK	"tsc"
static __always_inline u64 bench_clock(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) :: "memory");
	return (u64)high << 32 | low;
}
#elif defined(get_cycles)
#define BENCH_CLOCK	"get_cycles"
static __always_inline u64 bench_clock(void)
{
	return get_cycles();
}
#else
#define BENCH_CLOCK	"ktime"
static __always_inline u64 bench_clock(void)
{
	return ktime_get_ns();
}
#endif

#endif
