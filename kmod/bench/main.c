// SPDX-License-Identifier: GPL-2.0
/*
 * Compare the ring with the queues that kernel code would use instead, and with bare cache
 * lines, between two kernel threads on two CPUs.  Files in debugfs, spscring_bench/:
 *
 *	run	write a line of key=value, each optional: runs the tests, and
 *		returns when they are done.
 *		  cpus=A,B		two online CPUs (the first two)
 *		  tests=NAME,...	see below (rtt,throughput,batch)
 *		  impl=NAME,...		contenders (bare,walk,kfifo,spscring,spscring-sleep);
 *					and ptr_ring, list, mutex-kfifo, trace-rb, bpf,
 *					spscring-records; copy and copy-rep, the copy
 *					limit.  Each runs the tests that it supports.
 *		  iterations=N		round trips in a run (200000)
 *		  items=N		messages in a run of other tests (4000000)
 *		  runs=N		runs of each test, after a warm-up run (5)
 *		  capacity=N		elements (4096); kfifo rounds it up
 *		  batch=N,...		u64s in a batch (64)
 *		  bytes=N,...		element sizes for throughput
 *					(8,64,256,1024,4096); sizes above 32 bytes
 *					reduce items and capacity
 *		  capacities=N,...	for footprint (512 to 33554432, each 4 times
 *					the one before)
 *		  load=NS,...		for paced (thirteen, from 10000 to 4)
 *		  rings=N,...		for many (1,10,100,1000,10000)
 *	results	read: the results of the last line that was completed, as JSON.
 *		Each figure except max is the median of the runs.  spread is
 *		(largest - smallest) / median, of p50 if there is one, else of
 *		ns_per_op.  memory is the size of one queue, in bytes.  interrupts
 *		and clears count over all runs how often the rings interrupted CPUs,
 *		and how often they cleared a fence bit after a quiet time.
 *	end	a kernel end for the user-space benchmark: see end.h.
 *
 * The tests move u64s unless they say otherwise:
 *
 *	rtt		round trips.  Percentiles come from trips with a stamp each,
 *			less clock_cost_ns; ns_per_op is the mean of as many trips
 *			without stamps.
 *	throughput	one element per call, of each size in bytes
 *	batch		many per call
 *	footprint	one per call, through rings of each of capacities; at least
 *			twice the capacity in items
 *	paced		a message is due every load ns, for a tenth of a second, with
 *			at least 1000 and at most items messages.  Latency counts from
 *			the due time.  ns_per_op above load means saturation.
 *	residency	a million messages, or items if that is less, through a full
 *			ring of exactly capacity (a power of two).  Latency is the
 *			time in the ring: about capacity * ns_per_op.
 *	many		one message to each of rings of 64 elements, in turn
 *	records		one record per call, with lengths from two lists: lines of a
 *			kernel log, and packets; half of items, through 64 KiB
 *	records-rtt	round trips of these records
 *
 * Errors of run: EINVAL an unknown key, a bad value, or a list of more than 16; ERANGE
 * a number that fits no integer; E2BIG a line of more than 511 bytes; ENODEV an offline
 * CPU, or only one CPU online; EBUSY another run is active; EINTR killed; ENOMEM; EIO a
 * wrong value was popped (the log names it); ETIMEDOUT a side made no progress for two
 * minutes.  Errors of results: ENODATA.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "report.h"

#define LINE_MAX	512

/* Larger elements: limit the bytes in flight to what L2 holds. */
#define SIZED_DATA	SZ_256K

/* The capacity of a pipe, with which the user-space benchmark compares. */
#define MIXED_DATA	SZ_64K

static const struct bench_ops no_relay = {
	.name		= "relay",
	.left_out	= "only a file's reader takes records out, no call in the kernel",
};

static const struct bench_ops no_bpf = {
	.name		= "bpf-ringbuf",
	.left_out	= "nothing of it is exported to modules; bpf is its protocol",
};

const struct bench_ops * const bench_contenders[] = {
	&bench_bare, &bench_walk, &bench_copy, &bench_copy_rep, &bench_kfifo, &bench_ptr_ring,
	&bench_list, &bench_mutex_kfifo, &bench_trace_rb, &no_relay, &no_bpf, &bench_bpf,
	&bench_ring, &bench_ring_sleep, &bench_ring_fence, &bench_records,
};

const u32 bench_contenders_n = ARRAY_SIZE(bench_contenders);

static DEFINE_MUTEX(lock);	/* protects the report, and serialises runs */
static struct report *report;
static struct dentry *dir;

/* -------------------------------------------------------------- results */

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void figures_finish(struct figures *f, u32 runs)
{
	u64 sorted[RUNS_MAX];

	memcpy(sorted, f->of_run, sizeof(sorted));
	sort(sorted, runs, sizeof(*sorted), cmp_u64, NULL);
	f->least = sorted[0];
	f->median = (sorted[(runs - 1) / 2] + sorted[runs / 2]) / 2;
	if (f->median)
		f->spread = div64_u64((sorted[runs - 1] - sorted[0]) * 1000, f->median);
}

/* Points of the distribution: evenly spaced ranks, then ever closer to the slowest. */
static void result_cdf(struct result *r)
{
	const struct hist *h = r->hist;
	u32 i, fraction, step = 10000;
	u64 value;

	for (i = 0, fraction = 0; i < CDF_POINTS && fraction < 999999; i++) {
		/* 99 points, then 9 for each decade of the remaining share */
		if (1000000 - fraction <= step)
			step /= 10;
		fraction += step;
		value = hist_rank(h, div64_u64(h->count * fraction + 999999, 1000000));
		r->cdf[r->points].value = bench_latency(&r->shape, value);
		r->cdf[r->points++].fraction = fraction;
	}
}

static void result_finish(struct result *r, u32 runs)
{
	figures_finish(&r->per_op, runs);
	if (!r->hist)
		return;
	figures_finish(&r->p50, runs);
	figures_finish(&r->p99, runs);
	figures_finish(&r->p999, runs);
	result_cdf(r);
	kvfree(r->hist);
	r->hist = NULL;
}

static void report_free(struct report *rep)
{
	struct result *r, *next;

	if (!rep)
		return;
	list_for_each_entry_safe(r, next, &rep->results, list) {
		kvfree(r->hist);
		kvfree(r);
	}
	kfree(rep);
}

static struct result *report_add_result(struct report *rep, const struct bench_ops *ops,
					const struct bench_shape *shape)
{
	struct result *r = kvzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	list_add_tail(&r->list, &rep->results);
	r->ops = ops;
	r->shape = *shape;
	r->shape.capacity = ops->capacity ?: shape->capacity;
	if (bench_takes_latency(shape->test)) {
		r->hist = kvzalloc(sizeof(*r->hist), GFP_KERNEL);
		if (!r->hist)
			return NULL;
	}
	return r;
}

/* Run one test of every chosen contender that supports it, alternating run by run. */
static int report_add_shape(struct report *rep, const struct bench_shape *shape)
{
	struct list_head *before = rep->results.prev;
	const struct config *c = &rep->config;
	struct result *r;
	u32 i, turn;
	int err;

	for (i = 0; i < bench_contenders_n; i++) {
		if (!(c->impls & BIT(i)) || !bench_contenders[i]->loops[shape->test][0])
			continue;
		if (!report_add_result(rep, bench_contenders[i], shape))
			return -ENOMEM;
	}
	for (turn = 0; turn <= c->runs; turn++) {
		r = list_entry(before, struct result, list);
		list_for_each_entry_continue(r, &rep->results, list) {
			err = bench_run_once(c, r, turn);
			if (err)
				return err;
		}
	}
	r = list_entry(before, struct result, list);
	list_for_each_entry_continue(r, &rep->results, list)
		result_finish(r, c->runs);
	return 0;
}

/* The list of values that a test is repeated for; NULL: the test is done once. */
static const struct number_list *test_numbers(const struct config *c, enum bench_test test)
{
	static const struct number_list lists = {
		LENGTHS_LISTS, { LENGTHS_KLOG + 1, LENGTHS_PCAP + 1 },
	};

	switch (test) {
	case BENCH_THROUGHPUT:
		return &c->sizes;
	case BENCH_BATCH:
		return &c->batches;
	case BENCH_FOOTPRINT:
		return &c->capacities;
	case BENCH_PACED:
		return &c->loads;
	case BENCH_MANY:
		return &c->rings;
	case BENCH_MIXED:
	case BENCH_MIXED_RTT:
		return &lists;
	default:
		return NULL;
	}
}

static struct bench_shape test_shape(const struct config *c, enum bench_test test, u32 number)
{
	struct bench_shape shape = {
		.test = test, .bytes = sizeof(u64), .capacity = c->capacity, .batch = 1,
	};

	switch (test) {
	case BENCH_THROUGHPUT:
		if (number == sizeof(u64))
			break;
		shape.test = BENCH_SIZED;
		shape.bytes = number;
		shape.capacity = clamp_t(u32, SIZED_DATA / number, 2, c->capacity);
		break;
	case BENCH_BATCH:
		shape.batch = number;
		break;
	case BENCH_FOOTPRINT:
		shape.capacity = number;
		break;
	case BENCH_PACED:
		shape.load_ns = number;
		break;
	case BENCH_MANY:
		shape.capacity = MANY_CAPACITY;
		shape.rings = number;
		break;
	case BENCH_MIXED:
	case BENCH_MIXED_RTT:
		shape.bytes = (u32)bench_lengths_sum(number - 1) / LENGTHS_N;
		shape.capacity = MIXED_DATA;
		shape.list = number;
		break;
	default:
		break;
	}
	return shape;
}

static int report_add_test(struct report *rep, enum bench_test test)
{
	const struct number_list *numbers = test_numbers(&rep->config, test);
	u32 i, n = numbers ? numbers->n : 1;
	struct bench_shape shape;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		shape = test_shape(&rep->config, test, numbers ? numbers->values[i] : 0);
		err = report_add_shape(rep, &shape);
	}
	return err;
}

/* ---------------------------------------------------------------- files */

static int results_show(struct seq_file *m, void *v)
{
	int err = 0;

	if (mutex_lock_interruptible(&lock))
		return -EINTR;
	if (report)
		bench_show_report(m, report);
	else
		err = -ENODATA;
	mutex_unlock(&lock);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(results);

static bool cpu_usable(int cpu)
{
	return cpu >= 0 && cpu < nr_cpu_ids && cpu_online(cpu);
}

/* Called under the lock; the CPUs stay online until it returns. */
static int run_line(struct report *rep, char *line)
{
	struct config *c = &rep->config;
	enum bench_test test;
	int err;

	bench_config_defaults(c);
	err = bench_parse_line(c, line);
	if (err)
		return err;
	/* contenders that need a power of two would round another capacity up */
	if (c->tests & BIT(BENCH_RESIDENCY) && !is_power_of_2(c->capacity))
		return -EINVAL;
	if (!cpu_usable(c->cpus[0]) || !cpu_usable(c->cpus[1]))
		return -ENODEV;
	err = bench_calibrate();
	for (test = 0; test < BENCH_TESTS && !err; test++)
		if (c->tests & BIT(test))
			err = report_add_test(rep, test);
	return err;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct report *rep;
	ssize_t err;
	char *line;

	if (count >= LINE_MAX)
		return -E2BIG;
	line = memdup_user_nul(buf, count);
	if (IS_ERR(line))
		return PTR_ERR(line);
	err = -ENOMEM;
	rep = kzalloc(sizeof(*rep), GFP_KERNEL);
	if (!rep)
		goto out_line;
	INIT_LIST_HEAD(&rep->results);
	err = -EBUSY;
	if (!mutex_trylock(&lock))
		goto out_report;
	cpus_read_lock();
	err = run_line(rep, line);
	cpus_read_unlock();
	if (!err)
		swap(rep, report);
	mutex_unlock(&lock);
out_report:
	report_free(rep);
out_line:
	kfree(line);
	return err ?: count;
}

static const struct file_operations run_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= run_write,
};

static int __init bench_init(void)
{
	int err = rings_init();

	if (err)
		return err;
	dir = debugfs_create_dir("spscring_bench", NULL);
	if (IS_ERR(dir)) {
		rings_exit();
		return PTR_ERR(dir);
	}
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("results", 0400, dir, NULL, &results_fops);
	debugfs_create_file("end", 0600, dir, NULL, &bench_end_fops);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	report_free(report);
	rings_exit();
}
module_exit(bench_exit);

MODULE_DESCRIPTION("spscring beside other queues and bare cache lines");
MODULE_LICENSE("GPL");
