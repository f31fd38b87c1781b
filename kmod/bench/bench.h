/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark's own terms: a contender is a struct bench_ops; a run is one
 * test of one contender, once; each run has two sides, a thread on a CPU.
 */
#ifndef _SPSCRING_BENCH_H
#define _SPSCRING_BENCH_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/types.h>

#include "clock.h"
#include "hist.h"
#include "tests.h"

/* What lies on a line that matters has another place in the page each time. */
#define BENCH_COLOURS	16

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
	u64 at;			/* where it was when it last breathed */
	unsigned long since;	/* in jiffies: it has been there */
	u32 spins;
	int err;		/* of the loop */
} __aligned(BENCH_LINE);

struct bench_fences {
	u64 interrupts;
	u64 clears;
};

struct bench_ops {
	const char *name;
	const char *left_out;	/* why there is nothing else here */
	u32 capacity;		/* 0: what is asked for */
	/* one queue from one side to the other, or NULL for no memory, or an ERR_PTR */
	void *(*open)(const struct bench_run *run);
	/* once all are open: 0, or an error; may be NULL */
	int (*ready)(const struct bench_run *run);
	/* how often a run's rings had CPUs interrupted, and cleared their fences; may be NULL */
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
	u32 turn;		/* the how manieth run of this contender */
	int cpus[2];		/* of the sides */
	u64 first;		/* message; no contender but spscring has another than 0 */
	u64 count;
	bool means;		/* round trips: as many again, without a stamp each */
	u64 step;		/* from one due time to the next */
	u64 half_tick;		/* of the clock's steps, likewise */
	u64 t0;			/* when the producer began; 0: not yet */
	u32 opened;		/* queues */
	void **queue;		/* there, and back; or the many */
	atomic_t ready;
	atomic_t running;
	bool stop;
	struct completion done;
	struct file *event;	/* what WAKE's consumer sleeps on, or NULL: on the ring */
	struct eventfd_ctx *eventfd;	/* behind it, or NULL: it is a pipe */
	u64 asleep;		/* ticks for it to go to sleep in */
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

/* For scripts that look at the code of them. */
void bench_release_probe(u64 *word);
int bench_push_probe(struct spscring_producer *p, const u64 *v);
int bench_pop_probe(struct spscring_consumer *c, u64 *v);
int bench_record_push_probe(struct spscring_record_producer *p, const u64 *v);
int bench_record_pop_probe(struct spscring_record_consumer *c, u64 *v);

#endif
