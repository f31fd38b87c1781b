// SPDX-License-Identifier: GPL-2.0
/*
 * The clock, and one run: its queues, its two threads and its measurements.
 */
#include <linux/gcd.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include <asm/barrier.h>

#include "report.h"

/* A side that makes no progress for this long hangs, even on the slowest machine. */
#define STILL_SECONDS	120

/* Elements above this many bytes: move fewer, so that a run does not take too long. */
#define SIZED_ITEM	32

/* Paced: send for a tenth of a second, but at least so many messages. */
#define PACED_NS	100000000
#define PACED_COUNT	1000

/* Residency: the message count of the published figures that it is compared with. */
#define RESIDENCY_COUNT	1000000

struct bench_ticks bench_ticks;

/* ---------------------------------------------------------------- clock */

u64 bench_hundredths(u64 ticks)
{
	return mul_u64_u64_shr(ticks, bench_ticks.rate, 32);
}

/* The time between two stamps, less the cost of a stamp; PACED's due time is no stamp. */
u64 bench_latency(const struct bench_shape *shape, u64 ticks)
{
	u64 all = bench_hundredths(ticks);

	if (shape->test == BENCH_PACED)
		return all;
	return all > bench_ticks.cost ? all - bench_ticks.cost : 0;
}

/* Read both clocks at nearly one moment: the closest of 16 tries. */
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

/* Measure the clock's rate against ktime, its step, and the cost of a reading. */
int bench_calibrate(void)
{
	u64 ticks[2], ns[2], last, now, cost = U64_MAX, step = 0;
	int i, k;

	clock_pair(&ticks[0], &ns[0]);
	schedule_timeout_uninterruptible(msecs_to_jiffies(50));
	clock_pair(&ticks[1], &ns[1]);
	if (ticks[1] <= ticks[0] || ns[1] <= ns[0])
		return -EIO;
	bench_ticks.rate = div64_u64((ns[1] - ns[0]) * 100 << 16, ticks[1] - ticks[0]) << 16;

	for (i = 0; i < 16; i++) {
		u64 start = bench_clock();

		for (k = 0, last = start; k < 256; k++, last = now) {
			now = bench_clock();
			step = gcd(step, now - last);
		}
		cost = min(cost, last - start);
	}
	bench_ticks.step = step;
	bench_ticks.cost = bench_hundredths(cost) / 256;
	return 0;
}

/* ------------------------------------------------------------ one run */

/* tools/bench/check-barriers disassembles this acquire and release. */
void bench_release_probe(u64 *word)
{
	/* pairs with nothing */
	smp_store_release(word, smp_load_acquire(word) + 1);
}

/**
 * bench_breathe() - let others run, and check whether to go on
 * @s: the side
 * @at: a number that changes whenever the side has made progress
 *
 * Return: 0; -ECANCELED the other side failed, or the user interrupted the run;
 * -ETIMEDOUT this side has made no progress for STILL_SECONDS.
 */
int bench_breathe(struct bench_side *s, u64 at)
{
	cond_resched();
	if (READ_ONCE(s->run->stop))
		return -ECANCELED;
	if (s->at != at) {
		s->at = at;
		s->since = jiffies;
	} else if (time_after(jiffies, s->since + STILL_SECONDS * HZ)) {
		pr_err("spscring_bench: %s, %s: a side has stood still for %u s\n",
		       s->run->ops->name, test_name(s->run->shape.test), STILL_SECONDS);
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
	       test_name(s->run->shape.test), got, want);
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
		err = bench_breathe(s, 0);
		if (err)
			return err;
	}
	return 0;
}

static int side_thread(void *arg)
{
	struct bench_side *s = arg;
	struct bench_run *run = s->run;

	s->since = jiffies;
	s->err = meet(s);
	if (!s->err)
		s->loop(s);
	if (s->err)
		WRITE_ONCE(run->stop, true);
	if (atomic_dec_and_test(&run->running))
		complete(&run->done);
	return 0;
}

/**
 * bench_start() - make a thread on a CPU; wake_up_process() starts it
 * @thread: the thread's function
 * @arg: its argument
 * @cpu: the CPU
 *
 * Return: the thread, or an ERR_PTR.
 */
struct task_struct *bench_start(int (*thread)(void *arg), void *arg, int cpu)
{
	struct task_struct *task;

	task = kthread_create_on_node(thread, arg, cpu_to_node(cpu), "spscring_bench/%d", cpu);
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	return get_task_struct(task);
}

/**
 * bench_stop() - wait until a thread has left this module's text
 * @task: from bench_start(); the thread has ended, or is about to end by itself
 */
void bench_stop(struct task_struct *task)
{
	kthread_stop(task);
	put_task_struct(task);
}

static int run_threads(struct bench_run *run)
{
	struct task_struct *task[2];
	int killed;

	task[0] = bench_start(side_thread, &run->side[0], run->cpus[0]);
	if (IS_ERR(task[0]))
		return PTR_ERR(task[0]);
	task[1] = bench_start(side_thread, &run->side[1], run->cpus[1]);
	if (IS_ERR(task[1])) {
		bench_stop(task[0]);
		return PTR_ERR(task[1]);
	}
	wake_up_process(task[0]);
	wake_up_process(task[1]);
	killed = wait_for_completion_killable(&run->done);
	if (killed) {
		WRITE_ONCE(run->stop, true);
		wait_for_completion(&run->done);
	}
	bench_stop(task[0]);
	bench_stop(task[1]);
	if (killed)
		return -EINTR;
	/* a side's -ECANCELED is a consequence of the other's error: report that */
	if (run->side[0].err && run->side[0].err != -ECANCELED)
		return run->side[0].err;
	return run->side[1].err;
}

static void run_close(struct bench_run *run)
{
	int i;

	while (run->opened)
		run->ops->close(run->queue[--run->opened]);
	kvfree(run->queue);
	for (i = 0; i < 2; i++) {
		kvfree(run->side[i].records);
		kvfree(run->side[i].hist);
	}
	kfree(run);
}

static u64 run_count(const struct config *c, const struct bench_shape *shape)
{
	switch (shape->test) {
	case BENCH_RTT:
	case BENCH_MIXED_RTT:
		return round_down(c->iterations, 64);	/* a multiple of bare's pairs of lines */
	case BENCH_MIXED:
		return max(c->items / 2, 1ULL);
	case BENCH_SIZED:
		return max(div_u64(c->items * SIZED_ITEM, shape->bytes), 1ULL);
	case BENCH_FOOTPRINT:
		/* use all of the ring's memory more than once */
		return max(c->items, 2ULL * shape->capacity);
	case BENCH_PACED:
		return min(c->items, max_t(u64, PACED_NS / shape->load_ns, PACED_COUNT));
	case BENCH_RESIDENCY:
		return min_t(u64, c->items, RESIDENCY_COUNT);
	default:
		return c->items;
	}
}

static u32 run_queues(const struct bench_shape *shape)
{
	if (shape->test == BENCH_MANY)
		return shape->rings;
	return round_trip(shape->test) ? 2 : 1;
}

static int run_open_sides(struct bench_run *run)
{
	const struct bench_shape *shape = &run->shape;
	u32 records = PAGE_ALIGN(max_t(u32, shape->bytes, shape->batch * sizeof(u64)));
	struct hist *hist;
	int i;

	for (i = 0; i < 2; i++) {
		run->side[i].run = run;
		run->side[i].loop = run->ops->loops[shape->test][i];
		run->side[i].records = kvzalloc(records, GFP_KERNEL);
		if (!run->side[i].records)
			return -ENOMEM;
	}
	if (!bench_takes_latency(shape->test))
		return 0;
	hist = kvzalloc(sizeof(*hist), GFP_KERNEL);
	if (!hist)
		return -ENOMEM;
	/* a due time may be between two steps of the clock */
	hist->step = shape->test == BENCH_PACED ? 0 : bench_ticks.step;
	run->side[!round_trip(shape->test)].hist = hist;
	return 0;
}

static int run_open_queues(struct bench_run *run)
{
	u32 n = run_queues(&run->shape);
	void *queue;

	run->queue = kvcalloc(n, sizeof(*run->queue), GFP_KERNEL);
	if (!run->queue)
		return -ENOMEM;
	while (run->opened < n) {
		queue = run->ops->open(run);
		if (IS_ERR(queue))
			return PTR_ERR(queue);
		if (!queue)
			return -ENOMEM;
		run->queue[run->opened++] = queue;
		cond_resched();
	}
	return run->ops->ready ? run->ops->ready(run) : 0;
}

static struct bench_run *run_open(const struct config *c, const struct result *r, u32 turn)
{
	/* a power-of-two size, so that kmalloc() aligns the sides */
	struct bench_run *run = kzalloc(roundup_pow_of_two(sizeof(*run)), GFP_KERNEL);
	int err;

	if (!run)
		return ERR_PTR(-ENOMEM);
	run->ops = r->ops;
	run->shape = r->shape;
	run->turn = turn;
	run->cpus[0] = c->cpus[0];
	run->cpus[1] = c->cpus[1];
	run->count = run_count(c, &r->shape);
	run->means = true;
	run->step = div64_u64((u64)r->shape.load_ns * 100 << 32,
			      bench_ticks.rate >> PACED_BITS);
	run->half_tick = bench_ticks.step << PACED_BITS >> 1;
	atomic_set(&run->running, 2);
	init_completion(&run->done);
	err = run_open_sides(run);
	if (!err)
		err = run_open_queues(run);
	if (err) {
		run_close(run);
		return ERR_PTR(err);
	}
	return run;
}

/* The time from the start of the first side to the end of the last. */
static u64 run_elapsed(const struct bench_run *run)
{
	const struct bench_side *s = run->side;

	if (round_trip(run->shape.test))
		return s[0].elapsed;
	return max(s[0].end, s[1].end) - min(s[0].start, s[1].start);
}

/**
 * bench_takes_latency() - whether a test measures a distribution of latencies
 * @test: the test
 *
 * Return: true, or false for a test that has only ns_per_op.
 */
bool bench_takes_latency(enum bench_test test)
{
	return round_trip(test) || test == BENCH_PACED || test == BENCH_RESIDENCY;
}

static void result_add_hist(struct result *r, const struct hist *h, u32 run)
{
	r->p50.of_run[run] = bench_latency(&r->shape, hist_percentile(h, 500));
	r->p99.of_run[run] = bench_latency(&r->shape, hist_percentile(h, 990));
	r->p999.of_run[run] = bench_latency(&r->shape, hist_percentile(h, 999));
	r->max = max(r->max, bench_latency(&r->shape, h->max));
	hist_merge(r->hist, h);
}

/**
 * bench_run_once() - do one run, and add it to its result
 * @c: the configuration
 * @r: the result
 * @turn: the number of the run; 0 is the warm-up
 *
 * Return: 0, or a negative errno: see the top of main.c.
 */
int bench_run_once(const struct config *c, struct result *r, u32 turn)
{
	struct bench_run *run = run_open(c, r, turn);
	struct bench_fences before = {}, after = {};
	int err;

	if (IS_ERR(run))
		return PTR_ERR(run);
	if (r->ops->fences)
		before = r->ops->fences(run);
	err = run_threads(run);
	if (err || !turn)
		goto out;
	if (r->ops->fences)
		after = r->ops->fences(run);
	r->fences.interrupts += after.interrupts - before.interrupts;
	r->fences.clears += after.clears - before.clears;
	r->per_op.of_run[turn - 1] = div64_u64(bench_hundredths(run_elapsed(run)), run->count);
	if (r->ops->memory)
		r->memory = r->ops->memory(run, run->queue[0]);
	if (r->hist)
		result_add_hist(r, run->side[!round_trip(r->shape.test)].hist, turn - 1);
out:
	run_close(run);
	return err;
}
