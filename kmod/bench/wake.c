// SPDX-License-Identifier: GPL-2.0
/*
 * Wake-ups between the kernel and a process: the kernel's end; tools/bench/wakes.c has the
 * process's.  The producer wakes the consumer by the ring, or by an eventfd or a pipe beside
 * the ring, as a driver would.  The consumer announces by a second ring that it is about to
 * sleep; the producer then gives it time to fall asleep.
 */
#include <linux/fs.h>

#include "compat.h"
#include "ring.h"
#include "rings.h"
#include "stamp.h"

static int wake_signal(struct bench_run *run)
{
	const u64 one = 1;
	ssize_t n;

	if (run->eventfd) {
		eventfd_signal(run->eventfd);
		return 0;
	}
	n = kernel_write(run->event, &one, sizeof(one), NULL);
	return n == sizeof(one) ? 0 : n < 0 ? n : -EPIPE;
}

/* Read an eventfd's count, or u64s from a pipe, each of which announces one record. */
static int wake_await(struct bench_run *run, struct queue *q)
{
	u64 events;
	ssize_t n;

	if (!run->event)
		return spscring_wait_elements(&q->consumer, 1, -1);
	n = kernel_read(run->event, &events, sizeof(events), NULL);
	return n == sizeof(events) ? 0 : n < 0 ? n : -EPIPE;
}

static int wake_sleep(struct bench_side *s, u64 i)
{
	int err = bench_breathe(s, i);

	if (!err)
		err = wake_await(s->run, s->run->queue[0]);
	/* a signal stops the run: bench_breathe() finds out */
	return err == -EINTR || err == -ERESTARTSYS ? bench_breathe(s, i) : err;
}

static int wake_pop(struct bench_side *s, u64 i, u64 *v)
{
	int err;

	while ((err = ring_pop(s->run->queue[0], v)) == -EAGAIN) {
		err = wake_sleep(s, i);
		if (err)
			break;
	}
	return err;
}

static int bench_produce_wake(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u64 i = run->first, end = i + run->count, v, began;
	int err;

	s->start = bench_clock();
	for (; i < end; i++) {
		err = bench_pop(s, run->queue[1], &v, i, ring_pop, ring_relax);
		if (err)
			return err;
		if (v != i)
			return bench_wrong(s, i, v);
		began = bench_clock();
		while (bench_clock() - began < run->asleep)
			cpu_relax();
		v = stamp_make(bench_clock(), i);
		err = bench_push(s, run->queue[0], &v, ring_push);
		if (!err && run->event)
			err = wake_signal(run);
		if (!err)
			err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static int bench_consume_wake(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u64 i = run->first, end = i + run->count, v, age;
	int err;

	s->start = bench_clock();
	for (; i < end; i++) {
		err = bench_push(s, run->queue[1], &i, ring_push);
		if (!err)
			err = wake_pop(s, i, &v);
		if (err)
			return err;
		age = stamp_age(v, bench_clock());
		if (STAMP_NUMBER(v) != STAMP_NUMBER(i) || age > STAMP_AGE_MAX)
			return bench_wrong(s, i, v);
		hist_add(s->hist, age);
	}
	s->end = bench_clock();
	return 0;
}

BENCH_LOOP(wake_produce, bench_produce_wake)
BENCH_LOOP(wake_consume, bench_consume_wake)

const struct bench_ops bench_wake = {
	.name	= "spscring",
	.loops	= { [BENCH_WAKE] = { wake_produce, wake_consume } },
};
