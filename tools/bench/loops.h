/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The timed loops, once for all contenders: each includes this after its verbs,
 * inlines all, so that its loops have no call in them but those that the verbs
 * make.  Every value is checked where it is popped.
 *
 *	struct producer, struct consumer	handles, a process's own
 *	be_producer(run, queue, p), be_consumer(run, queue, c)
 *	ready(run)				nothing but the handles is needed now
 *	try_push(p, v), try_pop(c, &v)		a u64: did it?
 *	wait_push(p), wait_pop(c)		between two tries
 *	try_push_n(p, recs, n), try_pop_n(c, recs, n)	u64s: how many, if
 *						LOOPS_BATCH is defined
 *	try_push_record(p, rec, bytes), try_pop_record(c, rec, bytes)	did it?, if
 *						LOOPS_RECORDS is
 *	push_range(p, from, to), pop_range(c, from, to)	those numbers, the latter
 *						checked, if LOOPS_RANGE is: in another
 *						language, whose verbs are calls from here
 *	try_drain(c, v, n)			u64s, if LOOPS_DRAIN is; otherwise
 *						by try_pop() until there is none
 *
 * They become a struct loops, "loops".
 */
#include <stdlib.h>

#include "bench.h"

static __always_inline void push(struct producer *p, uint64_t v)
{
	while (unlikely(!try_push(p, v)))
		wait_push(p);
}

static __always_inline uint64_t pop(struct consumer *c)
{
	uint64_t v;

	while (unlikely(!try_pop(c, &v)))
		wait_pop(c);
	return v;
}

/* ---------------------------------------------------------- round trips */

static void ping(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, began = 0;
	struct producer p;
	struct consumer c;

	be_producer(run, 0, &p);
	be_consumer(run, 1, &c);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t begin = ticks();

		push(&p, i);
		check(pop(&c), i);
		if (i >= warmup)
			hist_add(&run->shared->hist, ticks() - begin);
		else
			began = begin;
	}
	run->shared->ticks = ticks() - began;
}

static void echo(struct run *run)
{
	uint64_t total = run->warmup + run->count;
	struct producer p;
	struct consumer c;

	be_consumer(run, 0, &c);
	be_producer(run, 1, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t v = pop(&c);

		check(v, i);
		push(&p, v);
	}
}

/* ----------------------------------------------------------- throughput */

#ifndef LOOPS_RANGE
static __always_inline void push_range(struct producer *p, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		push(p, from);
}

static __always_inline void pop_range(struct consumer *c, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		check(pop(c), from);
}
#endif

static void produce(struct run *run)
{
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	push_range(&p, 0, run->warmup + run->count);
}

static void consume(struct run *run)
{
	struct consumer c;
	uint64_t began;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	pop_range(&c, 0, run->warmup);
	began = ticks();
	pop_range(&c, run->warmup, run->warmup + run->count);
	run->shared->ticks = ticks() - began;
}

#ifdef LOOPS_RECORDS
/* A record's number is its first word, and its last, as in the kernel's benchmark. */
static _Alignas(4096) uint64_t record[65536 / sizeof(uint64_t)];

static void produce_records(struct run *run)
{
	uint32_t bytes = run->cell->point.bytes, last = bytes / sizeof(*record) - 1;
	uint64_t total = run->warmup + run->count;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		record[0] = i;
		record[last] = i;
		while (unlikely(!try_push_record(&p, record, bytes)))
			wait_push(&p);
	}
}

static void pop_records(struct consumer *c, uint64_t i, uint64_t end, uint32_t bytes)
{
	uint32_t last = bytes / sizeof(*record) - 1;

	for (; i < end; i++) {
		while (unlikely(!try_pop_record(c, record, bytes)))
			wait_pop(c);
		check(record[0], i);
		check(record[last], i);
	}
}

static void consume_records(struct run *run)
{
	uint32_t bytes = run->cell->point.bytes;
	struct consumer c;
	uint64_t began;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	pop_records(&c, 0, run->warmup, bytes);
	began = ticks();
	pop_records(&c, run->warmup, run->warmup + run->count, bytes);
	run->shared->ticks = ticks() - began;
}
#endif

/* -------------------------------------------------------------- batches */

#ifdef LOOPS_BATCH
static void produce_n(struct run *run)
{
	uint64_t total = run->warmup + run->count, recs[BENCH_BATCH_MAX];
	uint32_t batch = run->cell->point.batch, n;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i += n) {
		n = total - i < batch ? total - i : batch;
		for (uint32_t k = 0; k < n; k++)
			recs[k] = i + k;
		for (uint32_t some, done = 0; done < n; done += some) {
			some = try_push_n(&p, recs + done, n - done);
			if (unlikely(!some))
				wait_push(&p);
		}
	}
}

static void pop_batches(struct consumer *c, uint64_t i, uint64_t end, uint32_t batch)
{
	uint64_t recs[BENCH_BATCH_MAX];

	while (i < end) {
		uint32_t n = try_pop_n(c, recs, end - i < batch ? end - i : batch);
		uint64_t wrong = 0;

		if (unlikely(!n)) {
			wait_pop(c);
			continue;
		}
		for (uint32_t k = 0; k < n; k++)
			wrong |= recs[k] ^ (i + k);
		check(wrong, 0);
		i += n;
	}
}

static void consume_n(struct run *run)
{
	uint32_t batch = run->cell->point.batch;
	struct consumer c;
	uint64_t began;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	pop_batches(&c, 0, run->warmup, batch);
	began = ticks();
	pop_batches(&c, run->warmup, run->warmup + run->count, batch);
	run->shared->ticks = ticks() - began;
}
#endif

/* ---------------------------------------------------------------- paced */

#ifndef LOOPS_DRAIN
static __always_inline uint32_t try_drain(struct consumer *c, uint64_t *v, uint32_t n)
{
	uint32_t k = 0;

	while (k < n && try_pop(c, &v[k]))
		k++;
	return k;
}
#endif

/*
 * Open loop: a record is when it is due, in ticks << PACED_BITS since the first
 * was.  All that is due is sent, however late, so nothing is left out of the
 * figures while the producer is held up.
 */
static void paced_produce(struct run *run)
{
	uint64_t end = (run->warmup + run->count) * run->load, due = 0, began;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	began = ticks();
	/* pairs with paced_consume() */
	smp_store_release(&run->shared->began, began);
	while (due < end) {
		uint64_t now = (ticks() - began) << PACED_BITS;

		for (; due <= now && due < end; due += run->load)
			push(&p, due);
	}
}

/* One reading of the clock for each look that found any. */
static void paced_consume(struct run *run)
{
	uint64_t load = run->load, warm = run->warmup * load, end = warm + run->count * load;
	uint64_t due = 0, found[64], now = 0, began, first = 0;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	/* pairs with paced_produce() */
	while (!(began = smp_load_acquire(&run->shared->began)))
		cpu_relax();
	while (due < end) {
		uint32_t n = try_drain(&c, found, 64);

		if (!n) {
			wait_pop(&c);
			continue;
		}
		now = (ticks() - began) << PACED_BITS;
		if (unlikely(now < found[n - 1]))
			die("the clocks of the two CPUs differ");
		if (due <= warm)
			first = now;
		for (uint32_t k = 0; k < n; k++, due += load) {
			check(found[k], due);
			if (due >= warm)
				hist_add(&run->shared->hist, (now - due) >> PACED_BITS);
		}
	}
	run->shared->ticks = (now - first) >> PACED_BITS;
}

/* ------------------------------------------------------------ residency */

/* A record is when it went in, since the producer began, and its number's low bits. */
#define STAMP_BITS	16

static void stamp_produce(struct run *run)
{
	uint64_t total = run->warmup + run->count, began;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	began = ticks();
	/* pairs with stamp_consume() */
	smp_store_release(&run->shared->began, began);
	for (uint64_t i = 0; i < total; i++) {
		while (!try_push(&p, (ticks() - began) << STAMP_BITS | (uint16_t)i))
			wait_push(&p);
	}
}

static void stamp_consume(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, now = 0, first = 0, began;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	/* pairs with stamp_produce() */
	while (!(began = smp_load_acquire(&run->shared->began)))
		cpu_relax();
	for (uint64_t i = 0; i < total; i++) {
		uint64_t v = pop(&c);

		now = ticks() - began;
		check((uint16_t)v, (uint16_t)i);
		if (unlikely(now < v >> STAMP_BITS))
			die("the clocks of the two CPUs differ");
		if (i >= warmup)
			hist_add(&run->shared->hist, now - (v >> STAMP_BITS));
		else
			first = now;
	}
	run->shared->ticks = now - first;
}

/* ----------------------------------------------------------------- many */

static void many_produce(struct run *run)
{
	struct producer *p = (struct producer *)calloc(run->queues, sizeof(*p));
	uint64_t total = run->warmup + run->count;

	if (!p)
		die("no memory");
	for (uint32_t k = 0; k < run->queues; k++)
		be_producer(run, k, &p[k]);
	ready(run);
	run_start(run);
	for (uint64_t i = 0, k = 0; i < total; i++) {
		push(&p[k], i);
		if (++k == run->queues)
			k = 0;
	}
}

static void many_consume(struct run *run)
{
	struct consumer *c = (struct consumer *)calloc(run->queues, sizeof(*c));
	uint64_t warmup = run->warmup, total = warmup + run->count, began = 0;

	if (!c)
		die("no memory");
	for (uint32_t k = 0; k < run->queues; k++)
		be_consumer(run, k, &c[k]);
	ready(run);
	run_start(run);
	for (uint64_t i = 0, k = 0; i < total; i++) {
		if (i == warmup)
			began = ticks();
		check(pop(&c[k]), i);
		if (++k == run->queues)
			k = 0;
	}
	run->shared->ticks = ticks() - began;
}

/* In the order of enum bench_test. */
static const struct loops loops = { {
	{ ping, echo },
	{ produce, consume },
#ifdef LOOPS_RECORDS
	{ produce_records, consume_records },
#else
	{ NULL, NULL },
#endif
#ifdef LOOPS_BATCH
	{ produce_n, consume_n },
#else
	{ NULL, NULL },
#endif
	{ produce, consume },
	{ paced_produce, paced_consume },
	{ stamp_produce, stamp_consume },
	{ many_produce, many_consume },
} };
