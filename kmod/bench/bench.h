/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark's terms: a contender is a queue to measure, a struct bench_ops.  A run is one
 * execution of one test of one contender.  A run has two sides, each a thread on its own CPU.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/types.h>

#include "clock.h"
#include "hist.h"
#include "tests.h"

/* Runs place shared lines at different offsets in a page, so none measures one lucky place. */
#define BENCH_COLOURS	16

/* The parameters that distinguish the results of one test and contender. */
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
struct eventfd_ctx;
struct file;
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
	u64 elapsed;		/* in the last round trips */
	u64 at;			/* the message at the last bench_breathe() */
	unsigned long since;	/* in jiffies: when @at last changed */
	u32 spins;
	int err;		/* of the loop */
} __aligned(BENCH_LINE);

struct bench_fences {
	u64 interrupts;
	u64 clears;
};

struct bench_ops {
	const char *name;
	const char *left_out;	/* why this contender cannot run; then the rest is unset */
	u32 capacity;		/* its fixed capacity; 0: the requested one */
	/* make a queue from one side to the other; NULL for no memory, or an ERR_PTR */
	void *(*open)(const struct bench_run *run);
	/* called when all queues are open; 0 or an errno; may be NULL */
	int (*ready)(const struct bench_run *run);
	/* how often a run's rings interrupted CPUs and cleared their fence bits; may be NULL */
	struct bench_fences (*fences)(const struct bench_run *run);
	void (*close)(void *queue);
	/* bytes of one queue, all pages that it holds; may be NULL */
	size_t (*memory)(const struct bench_run *run, void *queue);
	/* caller and echo, or producer and consumer; NULL: no such test */
	void (*loops[BENCH_TESTS][2])(struct bench_side *s);
};

struct bench_run {
	const struct bench_ops *ops;
	struct bench_shape shape;
	u32 turn;		/* number of this run; 0 is the warm-up */
	int cpus[2];		/* of the sides */
	u64 first;		/* number of the first message; not 0 only for spscring */
	u64 count;
	bool means;		/* rtt: repeat the trips without stamps, for the mean */
	u64 step;		/* from one due time to the next */
	u64 half_tick;		/* half of the clock's step, in the same unit */
	u64 t0;			/* when the producer began; 0: it has not begun */
	u32 opened;		/* queues */
	void **queue;		/* to side 1, and back; or those of "many" */
	atomic_t ready;
	atomic_t running;
	bool stop;
	struct completion done;
	struct file *event;	/* WAKE's consumer sleeps on it; NULL: on the ring */
	struct eventfd_ctx *eventfd;	/* of @event; NULL if that is a pipe */
	u64 asleep;		/* ticks that WAKE's consumer gets to fall asleep */
	struct bench_side side[2];
};

extern const struct bench_ops bench_bare, bench_walk, bench_copy, bench_copy_rep, bench_kfifo,
	bench_ptr_ring, bench_list, bench_mutex_kfifo, bench_trace_rb, bench_ring,
	bench_ring_sleep, bench_ring_fence, bench_records, bench_bpf, bench_wake;

/* ring.c */
int rings_init(void);
void rings_exit(void);

int bench_breathe(struct bench_side *s, u64 at);
int bench_wrong(struct bench_side *s, u64 want, u64 got);

/* Not static: scripts disassemble these functions by name. */
void bench_release_probe(u64 *word);
int bench_push_probe(struct spscring_producer *p, const u64 *v);
int bench_pop_probe(struct spscring_consumer *c, u64 *v);
int bench_record_push_probe(struct spscring_record_producer *p, const u64 *v);
int bench_record_pop_probe(struct spscring_record_consumer *c, u64 *v);

#endif
