/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark's own terms: a contender is a struct bench_ops; a run is one
 * test of one contender, once; each run has two sides, a thread on a CPU.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/timekeeping.h>
#include <linux/timex.h>
#include <linux/types.h>

#include "hist.h"
#include "lengths.h"

/* Two lines: the adjacent-line prefetcher pairs them. */
#define BENCH_LINE	128

/* What lies on a line that matters has another place in the page each time. */
#define BENCH_COLOURS	16

/* Due times are in ticks of the clock << so many bits. */
#define BENCH_FRACTION	16

enum bench_test {
	BENCH_RTT,		/* a u64 there and back, one at a time */
	BENCH_THROUGHPUT,	/* u64s, one a call */
	BENCH_SIZED,		/* larger records, one a call */
	BENCH_BATCH,		/* u64s, many a call */
	BENCH_FOOTPRINT,	/* u64s, one a call, by capacity */
	BENCH_PACED,		/* u64s that fall due at a given pace */
	BENCH_RESIDENCY,	/* how long u64s wait in a ring that is full */
	BENCH_MANY,		/* u64s, one a call, over many queues in turn */
	BENCH_MIXED,		/* records that differ in length, one a call */
	BENCH_MIXED_RTT,	/* the same, there and back */
	BENCH_TESTS
};

/* What tells one result of a test and a contender from another. */
struct bench_shape {
	enum bench_test test;
	u32 bytes;		/* the mean, where they differ */
	u32 capacity;		/* in bytes, where they differ */
	u32 batch;
	u32 load_ns;		/* paced: from one message to the next; else 0 */
	u32 rings;		/* many: queues; else 0 */
	u32 list;		/* LENGTHS_* + 1, where they differ; else 0 */
};

struct bench_run;
struct spscring_consumer;
struct spscring_producer;
struct spscring_record_consumer;
struct spscring_record_producer;

struct bench_side {
	struct bench_run *run;
	void (*loop)(struct bench_side *s);
	u64 *records;		/* room for a record, or a batch of them */
	struct hist *hist;	/* of the side that takes latencies */
	u64 start;
	u64 end;
	u64 elapsed;		/* in round trips without a stamp each */
	u64 at;			/* where it was when it last breathed */
	unsigned long since;	/* in jiffies: it has been there */
	u32 spins;
	int err;		/* of the loop */
} __aligned(BENCH_LINE);

struct bench_ops {
	const char *name;
	const char *left_out;	/* why there is nothing else here */
	u32 capacity;		/* 0: what is asked for */
	/* one queue from one side to the other, or NULL for no memory, or an ERR_PTR */
	void *(*open)(const struct bench_run *run);
	void (*close)(void *queue);
	/* bytes of one queue, all pages that it holds; may be NULL */
	size_t (*memory)(const struct bench_run *run, void *queue);
	/* caller and echo, or producer and consumer; NULL: no such test */
	void (*loops[BENCH_TESTS][2])(struct bench_side *s);
};

struct bench_run {
	const struct bench_ops *ops;
	struct bench_shape shape;
	u32 turn;		/* the how manieth run of this contender */
	int cpus[2];		/* of the sides */
	u64 count;
	u64 step;		/* from one due time to the next */
	u64 half_tick;		/* of the clock's steps, likewise */
	u64 t0;			/* when the producer began; 0: not yet */
	u32 opened;		/* queues */
	void **queue;		/* there, and back; or the many */
	atomic_t ready;
	atomic_t running;
	bool stop;
	struct completion done;
	struct bench_side side[2];
};

extern const struct bench_ops bench_bare, bench_walk, bench_copy, bench_copy_rep, bench_kfifo,
	bench_ptr_ring, bench_list, bench_mutex_kfifo, bench_trace_rb, bench_ring,
	bench_ring_sleep, bench_ring_fence, bench_records, bench_bpf;

int bench_breathe(struct bench_side *s, u64 at);
int bench_wrong(struct bench_side *s, u64 want, u64 got);

/* For scripts that look at the code of them. */
void bench_release_probe(u64 *word);
int bench_push_probe(struct spscring_producer *p, const u64 *v);
int bench_pop_probe(struct spscring_consumer *c, u64 *v);
int bench_record_push_probe(struct spscring_record_producer *p, const u64 *v);
int bench_record_pop_probe(struct spscring_record_consumer *c, u64 *v);

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
