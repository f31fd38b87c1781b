// SPDX-License-Identifier: GPL-2.0
/*
 * spscring_bench: the ring beside kfifo and beside bare cache lines, between
 * two kernel threads on two CPUs.  In debugfs, spscring_bench/:
 *
 *	run	write a line of key=value, any of them left out: runs the tests
 *		and returns when they are done.
 *		  cpus=A,B		two online CPUs (the first two)
 *		  tests=rtt,throughput,batch	(all)
 *		  iterations=N		round trips in a run (200000)
 *		  items=N		u64s in a run of the other tests (4000000)
 *		  runs=N		of each, after one to warm up (5)
 *		  capacity=N		records (4096); kfifo rounds it up
 *		  batch=N		u64s in a batch (64)
 *		  bytes=N,...		sizes for throughput (8,64,256,1024,4096);
 *					of more than 32: less items, less capacity
 *	results	read: of the last line that ran to its end, as JSON.  Each is the
 *		median of the runs, but max; spread is (largest - least) / median,
 *		of p50 or else of ns_per_op.  A round trip's percentiles are of
 *		trips with a stamp each, clock_cost_ns taken off; its ns_per_op
 *		is the mean of as many without.
 *
 * Errors of run: EINVAL a key or value that is not understood or out of range;
 * ERANGE a number that fits no integer; E2BIG a line of more than 511 bytes;
 * ENODEV a CPU that is not online, or only one is; EBUSY another runs; EINTR
 * killed; ENOMEM; EIO a wrong value was popped (the log says which); ETIMEDOUT
 * a run took more than half a minute.  Of results: ENODATA.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/gcd.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/barrier.h>

#include "bench.h"

#define RUNS_MAX	32
#define SIZES_MAX	8
#define RESULTS_MAX	(4 + 2 * SIZES_MAX + 2)
#define CDF_POINTS	200
#define LINE_MAX	512
#define RUN_SECONDS	30

/* Larger records: as many bytes in flight, and to move, as L2 and patience allow. */
#define SIZED_DATA	SZ_256K
#define SIZED_ITEM	32

struct config {
	int cpus[2];
	unsigned long tests;	/* BIT(enum bench_test) */
	u64 iterations;
	u64 items;
	u32 runs;
	u32 capacity;
	u32 batch;
	u32 sizes;
	u32 bytes[SIZES_MAX];
};

/* Times in hundredths of a nanosecond. */
struct result {
	const struct bench_ops *ops;
	enum bench_test test;
	u32 bytes;
	u32 capacity;
	u32 batch;
	u64 p50[RUNS_MAX], p99[RUNS_MAX], p999[RUNS_MAX], per_op[RUNS_MAX];
	u64 best;		/* the least of per_op */
	u64 spread;		/* thousandths */
	u64 max;
	u32 points;
	struct {
		u64 value;
		u32 fraction;	/* millionths */
	} cdf[CDF_POINTS];
	struct hist *hist;	/* of all runs; NULL when none is taken */
};

struct report {
	struct config config;
	u32 results;
	struct result result[RESULTS_MAX];
};

/* What the clock is; @rate is hundredths of a nanosecond a tick, << 32. */
static struct {
	u64 rate;
	u64 step;
	u64 cost;
} clock;

static const char * const test_names[BENCH_TESTS] = {
	[BENCH_RTT]		= "rtt",
	[BENCH_THROUGHPUT]	= "throughput",
	[BENCH_SIZED]		= "throughput",
	[BENCH_BATCH]		= "batch",
};

static const struct bench_ops * const contenders[] = {
	&bench_bare, &bench_walk, &bench_kfifo, &bench_ring,
};

static DEFINE_MUTEX(lock);	/* of the report, and one run at a time */
static struct report *report;
static struct dentry *dir;

/* ---------------------------------------------------------------- clock */

static u64 hundredths(u64 ticks)
{
	return mul_u64_u64_shr(ticks, clock.rate, 32);
}

/* What lies between two stamps, less one stamp. */
static u64 latency(u64 ticks)
{
	u64 all = hundredths(ticks);

	return all > clock.cost ? all - clock.cost : 0;
}

/* The two clocks at one moment: the closest pair of a few. */
static void clock_pair(u64 *ticks, u64 *ns)
{
	u64 before, now, after, closest = U64_MAX;
	int i;

	for (i = 0; i < 16; i++) {
		before = bench_clock();
		now = ktime_get_ns();
		after = bench_clock();
		if (after - before >= closest)
			continue;
		closest = after - before;
		*ticks = before + closest / 2;
		*ns = now;
	}
}

/* The rate, against ktime; what it advances by; and what a reading costs. */
static int clock_calibrate(void)
{
	u64 ticks[2], ns[2], last, now, cost = U64_MAX, step = 0;
	int i, k;

	clock_pair(&ticks[0], &ns[0]);
	schedule_timeout_uninterruptible(msecs_to_jiffies(50));
	clock_pair(&ticks[1], &ns[1]);
	if (ticks[1] <= ticks[0] || ns[1] <= ns[0])
		return -EIO;
	clock.rate = div64_u64((ns[1] - ns[0]) * 100 << 16, ticks[1] - ticks[0]) << 16;

	for (i = 0; i < 16; i++) {
		u64 start = bench_clock();

		for (k = 0, last = start; k < 256; k++, last = now) {
			now = bench_clock();
			step = gcd(step, now - last);
		}
		cost = min(cost, last - start);
	}
	clock.step = step;
	clock.cost = hundredths(cost) / 256;
	return 0;
}

/* ------------------------------------------------------------ one run */

/* For tools/bench/check-barriers: what an acquire and a release are made of. */
void bench_release_probe(u64 *word)
{
	/* pairs with nothing */
	smp_store_release(word, smp_load_acquire(word) + 1);
}

/**
 * bench_breathe() - let others run, and see whether to go on
 * @s: the side
 *
 * Return: 0; -ECANCELED the other side failed, or the user lost patience;
 * -ETIMEDOUT this run takes too long.
 */
int bench_breathe(struct bench_side *s)
{
	cond_resched();
	if (READ_ONCE(s->run->stop))
		return -ECANCELED;
	if (time_after(jiffies, s->deadline)) {
		pr_err("spscring_bench: %s, %s: more than %u s\n", s->run->ops->name,
		       test_names[s->run->test], RUN_SECONDS);
		return -ETIMEDOUT;
	}
	return 0;
}

/**
 * bench_wrong() - a wrong value was popped
 * @s: the side
 * @want: what should have come
 * @got: what came
 *
 * Return: -EIO.
 */
int bench_wrong(struct bench_side *s, u64 want, u64 got)
{
	pr_err("spscring_bench: %s, %s: %llu popped instead of %llu\n", s->run->ops->name,
	       test_names[s->run->test], got, want);
	return -EIO;
}

static int meet(struct bench_side *s)
{
	int err;

	atomic_inc(&s->run->ready);
	while (atomic_read(&s->run->ready) < 2) {
		cpu_relax();
		if (++s->spins % 65536)
			continue;
		err = bench_breathe(s);
		if (err)
			return err;
	}
	return 0;
}

static int side_thread(void *arg)
{
	struct bench_side *s = arg;
	struct bench_run *run = s->run;

	s->deadline = jiffies + RUN_SECONDS * HZ;
	s->err = meet(s);
	if (!s->err)
		s->err = s->loop(s);
	if (s->err)
		WRITE_ONCE(run->stop, true);
	if (atomic_dec_and_test(&run->running))
		complete(&run->done);
	return 0;
}

static struct task_struct *side_start(struct bench_side *s, int cpu)
{
	struct task_struct *task;

	task = kthread_create_on_node(side_thread, s, cpu_to_node(cpu), "spscring_bench/%d", cpu);
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	return get_task_struct(task);
}

/* Waits until the thread is out of this module's text. */
static void side_stop(struct task_struct *task)
{
	kthread_stop(task);
	put_task_struct(task);
}

static int run_threads(struct bench_run *run, const int *cpus)
{
	struct task_struct *task[2];
	int killed;

	task[0] = side_start(&run->side[0], cpus[0]);
	if (IS_ERR(task[0]))
		return PTR_ERR(task[0]);
	task[1] = side_start(&run->side[1], cpus[1]);
	if (IS_ERR(task[1])) {
		side_stop(task[0]);
		return PTR_ERR(task[1]);
	}
	wake_up_process(task[0]);
	wake_up_process(task[1]);
	killed = wait_for_completion_killable(&run->done);
	if (killed) {
		WRITE_ONCE(run->stop, true);
		wait_for_completion(&run->done);
	}
	side_stop(task[0]);
	side_stop(task[1]);
	if (killed)
		return -EINTR;
	/* one side's ECANCELED follows from the other's error */
	if (run->side[0].err && run->side[0].err != -ECANCELED)
		return run->side[0].err;
	return run->side[1].err;
}

static void run_close(struct bench_run *run)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (!IS_ERR_OR_NULL(run->queue[i]))
			run->ops->close(run->queue[i]);
		kvfree(run->side[i].records);
	}
	kvfree(run->side[0].hist);
	kfree(run);
}

static struct bench_run *run_open(const struct config *c, const struct result *r, u32 turn)
{
	/* of a power of two: aligned as the sides ask */
	struct bench_run *run = kzalloc(roundup_pow_of_two(sizeof(*run)), GFP_KERNEL);
	u32 queues = r->test == BENCH_RTT ? 2 : 1;
	u32 i, records;

	if (!run)
		return ERR_PTR(-ENOMEM);
	run->ops = r->ops;
	run->test = r->test;
	run->turn = turn;
	run->bytes = r->bytes;
	run->capacity = r->capacity;
	run->batch = r->batch;
	run->count = c->items;
	if (r->test == BENCH_RTT)
		run->count = round_down(c->iterations, 64);	/* bare's pairs */
	else if (r->bytes > SIZED_ITEM)
		run->count = max(c->items * SIZED_ITEM / r->bytes, 1ULL);
	atomic_set(&run->running, 2);
	init_completion(&run->done);

	records = PAGE_ALIGN(max_t(u32, r->bytes, r->batch * sizeof(u64)));
	for (i = 0; i < 2; i++) {
		run->side[i].run = run;
		run->side[i].loop = r->ops->loops[r->test][i];
		run->side[i].records = kvzalloc(records, GFP_KERNEL);
		if (!run->side[i].records)
			goto err_nomem;
	}
	if (r->test == BENCH_RTT) {
		run->side[0].hist = kvzalloc(sizeof(*run->side[0].hist), GFP_KERNEL);
		if (!run->side[0].hist)
			goto err_nomem;
		run->side[0].hist->step = clock.step;
	}
	for (i = 0; i < queues; i++) {
		run->queue[i] = r->ops->open(run);
		if (!run->queue[i])
			goto err_nomem;
		if (IS_ERR(run->queue[i])) {
			struct bench_run *err = run->queue[i];

			run_close(run);
			return err;
		}
	}
	return run;

err_nomem:
	run_close(run);
	return ERR_PTR(-ENOMEM);
}

/* From when the first side began until the last one ended. */
static u64 run_elapsed(const struct bench_run *run)
{
	const struct bench_side *s = run->side;

	if (run->test == BENCH_RTT)
		return s[0].elapsed;
	return max(s[0].end, s[1].end) - min(s[0].start, s[1].start);
}

/* @turn 0 is to warm up. */
static int result_add_run(const struct config *c, struct result *r, u32 turn)
{
	struct bench_run *run = run_open(c, r, turn);
	const struct hist *h;
	int err;

	if (IS_ERR(run))
		return PTR_ERR(run);
	err = run_threads(run, c->cpus);
	if (err || !turn)
		goto out;
	r->per_op[turn - 1] = div64_u64(hundredths(run_elapsed(run)), run->count);
	h = run->side[0].hist;
	if (h) {
		r->p50[turn - 1] = latency(hist_percentile(h, 500));
		r->p99[turn - 1] = latency(hist_percentile(h, 990));
		r->p999[turn - 1] = latency(hist_percentile(h, 999));
		r->max = max(r->max, latency(h->max));
		hist_merge(r->hist, h);
	}
out:
	run_close(run);
	return err;
}

/* -------------------------------------------------------------- results */

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Leaves the median in the first element; returns (max - min) / median. */
static u64 median(u64 *values, u32 n, u64 *least)
{
	u64 range;

	sort(values, n, sizeof(*values), cmp_u64, NULL);
	*least = values[0];
	range = values[n - 1] - values[0];
	values[0] = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	return values[0] ? div64_u64(range * 1000, values[0]) : 0;
}

/* Points evenly in rank, then ever closer to the slowest. */
static void result_cdf(struct result *r)
{
	const struct hist *h = r->hist;
	u32 i, fraction, step = 10000;
	u64 value;

	for (i = 0, fraction = 0; i < CDF_POINTS && fraction < 999999; i++) {
		/* 99 points, then 9 a decade */
		if (1000000 - fraction <= step)
			step /= 10;
		fraction += step;
		value = latency(hist_rank(h, div64_u64(h->count * fraction + 999999, 1000000)));
		r->cdf[r->points].value = value;
		r->cdf[r->points++].fraction = fraction;
	}
}

static void result_finish(struct result *r, u32 runs)
{
	u64 least;

	r->spread = median(r->per_op, runs, &r->best);
	if (!r->hist)
		return;
	r->spread = median(r->p50, runs, &least);
	median(r->p99, runs, &least);
	median(r->p999, runs, &least);
	result_cdf(r);
	kvfree(r->hist);
	r->hist = NULL;
}

static void report_free(struct report *rep)
{
	u32 i;

	if (!rep)
		return;
	for (i = 0; i < rep->results; i++)
		kvfree(rep->result[i].hist);
	kvfree(rep);
}

static int report_add_result(struct report *rep, const struct bench_ops *ops,
			     enum bench_test test, u32 bytes)
{
	struct result *r = &rep->result[rep->results++];
	const struct config *c = &rep->config;

	r->ops = ops;
	r->test = test;
	r->bytes = bytes;
	r->batch = test == BENCH_BATCH ? c->batch : 1;
	r->capacity = ops->capacity ?: c->capacity;
	if (test == BENCH_SIZED)
		r->capacity = clamp_t(u32, SIZED_DATA / bytes, 2, c->capacity);
	if (test == BENCH_RTT) {
		r->hist = kvzalloc(sizeof(*r->hist), GFP_KERNEL);
		if (!r->hist)
			return -ENOMEM;
	}
	return 0;
}

/* One test of every contender that has it, alternating run by run. */
static int report_add_test(struct report *rep, enum bench_test test, u32 bytes)
{
	u32 i, turn, first = rep->results;
	int err;

	for (i = 0; i < ARRAY_SIZE(contenders); i++) {
		if (!contenders[i]->loops[test][0])
			continue;
		err = report_add_result(rep, contenders[i], test, bytes);
		if (err)
			return err;
	}
	for (turn = 0; turn <= rep->config.runs; turn++) {
		for (i = first; i < rep->results; i++) {
			err = result_add_run(&rep->config, &rep->result[i], turn);
			if (err)
				return err;
		}
	}
	for (i = first; i < rep->results; i++)
		result_finish(&rep->result[i], rep->config.runs);
	return 0;
}

static int report_add_tests(struct report *rep)
{
	const struct config *c = &rep->config;
	int err = 0;
	u32 i;

	if (c->tests & BIT(BENCH_RTT))
		err = report_add_test(rep, BENCH_RTT, sizeof(u64));
	for (i = 0; !err && i < c->sizes && c->tests & BIT(BENCH_THROUGHPUT); i++)
		err = report_add_test(rep, c->bytes[i] == sizeof(u64) ? BENCH_THROUGHPUT :
				      BENCH_SIZED, c->bytes[i]);
	if (!err && c->tests & BIT(BENCH_BATCH))
		err = report_add_test(rep, BENCH_BATCH, sizeof(u64));
	return err;
}

/* ----------------------------------------------------------------- JSON */

static void show_fixed(struct seq_file *m, const char *before, u64 hundredths)
{
	seq_printf(m, "%s%llu.%02llu", before, hundredths / 100, hundredths % 100);
}

static void show_machine(struct seq_file *m, const struct report *rep)
{
	const struct config *c = &rep->config;
	u32 i;

	seq_puts(m, "{\"machine\": {\"clock\": \"" BENCH_CLOCK "\"");
	show_fixed(m, ", \"clock_cost_ns\": ", clock.cost);
	show_fixed(m, ", \"clock_step_ns\": ", hundredths(clock.step));
	for (i = 0; i < rep->results; i++)
		if (rep->result[i].ops == &bench_bare)
			show_fixed(m, ", \"bare_ns\": ", rep->result[i].p50[0]);
	seq_printf(m, ", \"cpus\": [%d, %d], \"iterations\": %llu, \"items\": %llu},\n",
		   c->cpus[0], c->cpus[1], c->iterations, c->items);
}

static void show_latency(struct seq_file *m, const struct result *r)
{
	u32 i;

	show_fixed(m, ", \"ns\": {\"p50\": ", r->p50[0]);
	show_fixed(m, ", \"p99\": ", r->p99[0]);
	show_fixed(m, ", \"p999\": ", r->p999[0]);
	show_fixed(m, ", \"max\": ", r->max);
	seq_puts(m, "}, \"cdf\": [");
	for (i = 0; i < r->points; i++) {
		show_fixed(m, i ? ", [" : "[", r->cdf[i].value);
		seq_printf(m, ", %u.%06u]", r->cdf[i].fraction / 1000000,
			   r->cdf[i].fraction % 1000000);
	}
	seq_puts(m, "]");
}

static void show_result(struct seq_file *m, const struct result *r, u32 runs)
{
	seq_printf(m, "{\"pair\": \"k-k\", \"impl\": \"%s\", \"test\": \"%s\", \"bytes\": %u",
		   r->ops->name, test_names[r->test], r->bytes);
	seq_printf(m, ", \"capacity\": %u, \"batch\": %u, \"runs\": %u", r->capacity, r->batch,
		   runs);
	show_fixed(m, ", \"ns_per_op\": ", r->per_op[0]);
	show_fixed(m, ", \"best\": ", r->best);
	seq_printf(m, ", \"spread\": %llu.%03llu", r->spread / 1000, r->spread % 1000);
	if (r->test == BENCH_RTT)
		show_latency(m, r);
	seq_puts(m, "}");
}

static int results_show(struct seq_file *m, void *v)
{
	u32 i;

	if (mutex_lock_interruptible(&lock))
		return -EINTR;
	if (!report) {
		mutex_unlock(&lock);
		return -ENODATA;
	}
	show_machine(m, report);
	seq_puts(m, " \"results\": [");
	for (i = 0; i < report->results; i++) {
		seq_puts(m, i ? ",\n  " : "\n  ");
		show_result(m, &report->result[i], report->config.runs);
	}
	seq_puts(m, "\n ]}\n");
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(results);

/* ---------------------------------------------------------------- input */

static int parse_tests(struct config *c, char *names)
{
	char *name;
	int test;

	c->tests = 0;
	while ((name = strsep(&names, ","))) {
		test = match_string(test_names, BENCH_TESTS, name);
		if (test < 0)
			return -EINVAL;
		c->tests |= BIT(test);
	}
	return 0;
}

static int parse_sizes(struct config *c, char *list)
{
	char *word;
	int err;

	c->sizes = 0;
	while ((word = strsep(&list, ","))) {
		if (c->sizes == SIZES_MAX)
			return -EINVAL;
		err = kstrtou32(word, 0, &c->bytes[c->sizes]);
		if (err)
			return err;
		if (!c->bytes[c->sizes] || c->bytes[c->sizes] % 8 || c->bytes[c->sizes] > 4096)
			return -EINVAL;
		c->sizes++;
	}
	return 0;
}

static int parse_cpus(struct config *c, char *list)
{
	char *word;
	int err, i;

	for (i = 0; i < 2; i++) {
		word = strsep(&list, ",");
		if (!word)
			return -EINVAL;
		err = kstrtoint(word, 0, &c->cpus[i]);
		if (err)
			return err;
	}
	return list || c->cpus[0] == c->cpus[1] ? -EINVAL : 0;
}

static int parse_number(char *word, u64 min, u64 max, u64 *value)
{
	int err = kstrtou64(word, 0, value);

	if (err)
		return err;
	return *value < min || *value > max ? -EINVAL : 0;
}

static int parse_pair(struct config *c, const char *key, char *value)
{
	u64 number;
	int err;

	if (!strcmp(key, "cpus"))
		return parse_cpus(c, value);
	if (!strcmp(key, "tests"))
		return parse_tests(c, value);
	if (!strcmp(key, "bytes"))
		return parse_sizes(c, value);
	if (!strcmp(key, "iterations"))
		return parse_number(value, 64, 100000000, &c->iterations);
	if (!strcmp(key, "items"))
		return parse_number(value, 1, 10000000000ULL, &c->items);
	if (!strcmp(key, "runs")) {
		err = parse_number(value, 1, RUNS_MAX, &number);
		c->runs = number;
		return err;
	}
	if (!strcmp(key, "capacity")) {
		err = parse_number(value, 2, 1 << 20, &number);
		c->capacity = number;
		return err;
	}
	if (!strcmp(key, "batch")) {
		err = parse_number(value, 1, 1 << 16, &number);
		c->batch = number;
		return err;
	}
	return -EINVAL;
}

static int parse_line(struct config *c, char *line)
{
	char *pair, *key;
	int err;

	while ((pair = strsep(&line, " \t\n"))) {
		if (!*pair)
			continue;
		key = strsep(&pair, "=");
		if (!pair)
			return -EINVAL;
		err = parse_pair(c, key, pair);
		if (err)
			return err;
	}
	return 0;
}

static void config_defaults(struct config *c)
{
	static const u32 sizes[] = { 8, 64, 256, 1024, 4096 };

	c->cpus[0] = cpumask_first(cpu_online_mask);
	c->cpus[1] = cpumask_next(c->cpus[0], cpu_online_mask);
	c->tests = BIT(BENCH_RTT) | BIT(BENCH_THROUGHPUT) | BIT(BENCH_BATCH);
	c->iterations = 200000;
	c->items = 4000000;
	c->runs = 5;
	c->capacity = 4096;
	c->batch = 64;
	c->sizes = ARRAY_SIZE(sizes);
	memcpy(c->bytes, sizes, sizeof(sizes));
}

static bool cpu_usable(int cpu)
{
	return cpu >= 0 && cpu < nr_cpu_ids && cpu_online(cpu);
}

/* The CPUs stay online while this runs; under the lock. */
static int run_line(struct report *rep, char *line)
{
	struct config *c = &rep->config;
	int err;

	config_defaults(c);
	err = parse_line(c, line);
	if (err)
		return err;
	if (!cpu_usable(c->cpus[0]) || !cpu_usable(c->cpus[1]))
		return -ENODEV;
	err = clock_calibrate();
	if (err)
		return err;
	return report_add_tests(rep);
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
	rep = kvzalloc(sizeof(*rep), GFP_KERNEL);
	if (!rep)
		goto out_line;
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
	dir = debugfs_create_dir("spscring_bench", NULL);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("results", 0400, dir, NULL, &results_fops);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	report_free(report);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("spscring beside kfifo and bare cache lines");
MODULE_LICENSE("GPL");
