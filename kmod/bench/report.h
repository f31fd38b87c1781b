/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration and the results, which main.c, input.c, run.c and json.c share.
 * Contenders do not use them.
 */
#ifndef _SPSCRING_BENCH_REPORT_H
#define _SPSCRING_BENCH_REPORT_H

#include <linux/list.h>
#include <linux/types.h>

#include "bench.h"

#define RUNS_MAX	32
#define LIST_MAX	16
#define CDF_POINTS	200

struct file_operations;
struct seq_file;
struct task_struct;

struct number_list {
	u32 n;
	u32 values[LIST_MAX];
};

struct config {
	int cpus[2];
	unsigned long tests;	/* BIT(enum bench_test) */
	unsigned long impls;	/* BIT of bench_contenders[] */
	u64 iterations;
	u64 items;
	u32 runs;
	u32 capacity;
	struct number_list batches;
	struct number_list sizes;
	struct number_list capacities;
	struct number_list loads;
	struct number_list rings;
};

/* A figure of each run, and their median; times in hundredths of a nanosecond. */
struct figures {
	u64 of_run[RUNS_MAX];
	u64 median;
	u64 least;
	u64 spread;		/* thousandths */
};

struct result {
	struct list_head list;
	const struct bench_ops *ops;
	struct bench_shape shape;
	size_t memory;		/* bytes of one queue; 0: not known */
	struct bench_fences fences;	/* over all runs but the warm-up */
	struct figures per_op, p50, p99, p999;
	u64 max;
	u32 points;		/* 0: the test measures no latencies */
	struct {
		u64 value;
		u32 fraction;	/* millionths */
	} cdf[CDF_POINTS];
	struct hist *hist;	/* over all runs; freed when they are done */
};

struct report {
	struct config config;
	struct list_head results;
};

/* The clock's properties. */
struct bench_ticks {
	u64 rate;		/* hundredths of a nanosecond per tick, << 32 */
	u64 step;		/* ticks by which the clock advances at a time */
	u64 cost;		/* hundredths of a nanosecond per reading */
};

extern struct bench_ticks bench_ticks;
extern const struct bench_ops * const bench_contenders[];
extern const u32 bench_contenders_n;

/* input.c */
void bench_config_defaults(struct config *c);
int bench_parse_line(struct config *c, char *line);

/* run.c */
int bench_calibrate(void);
u64 bench_hundredths(u64 ticks);
u64 bench_latency(const struct bench_shape *shape, u64 ticks);
bool bench_takes_latency(enum bench_test test);
int bench_run_once(const struct config *c, struct result *r, u32 turn);

struct task_struct *bench_start(int (*thread)(void *arg), void *arg, int cpu);
void bench_stop(struct task_struct *task);

/* end.c */
extern const struct file_operations bench_end_fops;

/* json.c */
void bench_show_report(struct seq_file *m, const struct report *rep);

#endif
