/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The timed loops of all contenders.  A contender includes this file after its verbs, the
 * functions below, which are inlined.  So its loops make only the calls that its verbs make.
 * The consumer checks every value that it pops.
 *
 *	struct producer, struct consumer	a process's private handles
 *	be_producer(run, queue, p), be_consumer(run, queue, c)	make a handle
 *	ready(run)				release all that is not needed beside the handles
 *	try_push(p, v), try_pop(c, &v)		move a u64; true if that succeeded
 *	wait_push(p), wait_pop(c)		back off between two tries
 *	LOOPS_BATCH:
 *	try_push_n(p, recs, n), try_pop_n(c, recs, n)	move u64s; how many
 *	LOOPS_SIZED:
 *	try_push_sized(p, rec, bytes), try_pop_sized(c, rec, bytes)	move an element of
 *						any size; true if that succeeded
 *	LOOPS_RANGE:				for verbs in another language, because
 *						each verb would be a call from here
 *	push_range(p, from, to), pop_range(c, from, to)	move these numbers; the second
 *						checks them
 *	LOOPS_DRAIN:				otherwise try_pop() until it fails
 *	try_drain(c, v, n)			pop up to n u64s
 *	LOOPS_ASLEEP:
 *	sleep_pop(c, n)				sleep until there are n u64s; may wake earlier
 *	LOOPS_TOLD:				otherwise by shared memory
 *	be_told(run, end)			make the handles for the next two
 *	tell(run, i), await_told(run, i)	announce that the consumer is about to sleep
 *	LOOPS_MIXED:
 *	try_send(p, rec, bytes)			push a record; true if that succeeded
 *	try_take(c, rec, size)			pop a record: its length, or 0
 *	LOOPS_BY_MIXED:				u64s and elements also move by these two
 *	LOOPS_IN_PLACE:
 *	try_reserve(p, bytes)			the place to write a record, or NULL
 *	try_peek(c, &rec)			the next record's place; its length, or 0
 *	commit(p, rec, bytes), release(c)
 *	LOOPS_FLOOD:
 *	push_or_lose(p, rec, bytes)		push without waiting; false if it was lost
 *
 * The file defines a struct loops, "loops".
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#ifdef LOOPS_BY_MIXED
static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return try_send(p, &v, sizeof(v));
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return !!try_take(c, v, sizeof(*v));
}

static __always_inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
{
	return try_send(p, rec, bytes);
}

static __always_inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	return !!try_take(c, rec, bytes);
}
#endif

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

/* Push message @i; pop message @i and check it. */
typedef void (*put_fn)(struct producer *p, const struct point *point, uint64_t i);
typedef void (*get_fn)(struct consumer *c, const struct point *point, uint64_t i);

static __always_inline void ping_by(struct run *run, put_fn put, get_fn get)
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

		put(&p, &run->cell->point, i);
		get(&c, &run->cell->point, i);
		if (i >= warmup)
			hist_add(&run->shared->hist, ticks() - begin);
		else
			began = begin;
	}
	run->shared->ticks = ticks() - began;
}

static __always_inline void echo_by(struct run *run, uint64_t (*take)(struct consumer *c))
{
	uint64_t total = run->warmup + run->count;
	struct producer p;
	struct consumer c;

	be_consumer(run, 0, &c);
	be_producer(run, 1, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t v = take(&c);

		check(v, i);
		push(&p, v);
	}
}

static __always_inline void put_number(struct producer *p, const struct point *point, uint64_t i)
{
	(void)point;
	push(p, i);
}

static __always_inline void get_number(struct consumer *c, const struct point *point, uint64_t i)
{
	(void)point;
	check(pop(c), i);
}

static void ping(struct run *run)
{
	ping_by(run, put_number, get_number);
}

static void echo(struct run *run)
{
	echo_by(run, pop);
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

/* Move the messages @from to @to, and check each; @n is the size of one, or of a batch. */
typedef void (*pop_span_fn)(struct consumer *c, uint64_t from, uint64_t to, uint32_t n);

static __always_inline void consume_by(struct run *run, pop_span_fn pop_span, uint32_t n)
{
	struct consumer c;
	uint64_t began;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	pop_span(&c, 0, run->warmup, n);
	began = ticks();
	pop_span(&c, run->warmup, run->warmup + run->count, n);
	run->shared->ticks = ticks() - began;
}

static __always_inline void pop_numbers(struct consumer *c, uint64_t from, uint64_t to, uint32_t n)
{
	(void)n;
	pop_range(c, from, to);
}

static void consume(struct run *run)
{
	consume_by(run, pop_numbers, 1);
}

#ifdef LOOPS_SIZED
/* As in the kernel's benchmark, the first and the last word of a record are its number. */
static _Alignas(4096) uint64_t record[65536 / sizeof(uint64_t)];

static void produce_sized(struct run *run)
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
		while (unlikely(!try_push_sized(&p, record, bytes)))
			wait_push(&p);
	}
}

static void pop_sized(struct consumer *c, uint64_t i, uint64_t end, uint32_t bytes)
{
	uint32_t last = bytes / sizeof(*record) - 1;

	for (; i < end; i++) {
		while (unlikely(!try_pop_sized(c, record, bytes)))
			wait_pop(c);
		check(record[0], i);
		check(record[last], i);
	}
}

static void consume_sized(struct run *run)
{
	consume_by(run, pop_sized, run->cell->point.bytes);
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
	consume_by(run, pop_batches, run->cell->point.batch);
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
 * Open loop: a message carries its due time, in ticks << PACED_BITS since the first one's.  The
 * producer sends every message, however late, so that delays of the producer count in the
 * latencies.
 */
static void produce_paced(struct run *run)
{
	uint64_t end = (run->warmup + run->count) * run->load, due = 0, began;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	began = ticks();
	/* pairs with consume_paced() */
	smp_store_release(&run->shared->began, began);
	while (due < end) {
		uint64_t now = (ticks() - began) << PACED_BITS;

		for (; due <= now && due < end; due += run->load)
			push(&p, due);
	}
}

/* Read the clock once for each poll that found messages. */
static void consume_paced(struct run *run)
{
	uint64_t load = run->load, warm = run->warmup * load;
	uint64_t left = run->warmup + run->count, due = 0, now = 0, began, first = 0;
	uint64_t found[PACED_LOOK];
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	/* pairs with produce_paced() */
	while (!(began = smp_load_acquire(&run->shared->began)))
		cpu_relax();
	while (left) {
		/* do not poll after the last message: the producer may have died */
		uint32_t n = try_drain(&c, found, left < PACED_LOOK ? left : PACED_LOOK);

		if (!n) {
			wait_pop(&c);
			continue;
		}
		left -= n;
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

static __always_inline void produce_stamps_when(struct run *run,
						void (*when)(struct run *run, uint64_t i))
{
	uint64_t total = run->warmup + run->count;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		when(run, i);
		while (!try_push(&p, stamp_make(ticks(), i)))
			wait_push(&p);
	}
}

static __always_inline void consume_stamps_by(struct run *run,
					      uint64_t (*take)(struct run *run, struct consumer *c,
							       uint64_t i))
{
	uint64_t warmup = run->warmup, total = warmup + run->count, now = 0, first = 0;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t v = take(run, &c, i), age;

		now = ticks();
		age = stamp_age(v, now);
		check(STAMP_NUMBER(v), STAMP_NUMBER(i));
		if (unlikely(age > STAMP_AGE_MAX))
			die("the clocks of the two CPUs differ");
		if (i >= warmup)
			hist_add(&run->shared->hist, age);
		else
			first = now;
	}
	run->shared->ticks = now - first;
}

static __always_inline void at_once(struct run *run, uint64_t i)
{
	(void)run;
	(void)i;
}

static __always_inline uint64_t pop_any(struct run *run, struct consumer *c, uint64_t i)
{
	(void)run;
	(void)i;
	return pop(c);
}

static void produce_stamps(struct run *run)
{
	produce_stamps_when(run, at_once);
}

static void consume_stamps(struct run *run)
{
	consume_stamps_by(run, pop_any);
}

/* ----------------------------------------------------------------- many */

static void produce_many(struct run *run)
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

static void consume_many(struct run *run)
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

#include "loops_asleep.h"
#include "loops_records.h"

/* The ends of each test, in the order of enum bench_test. */
static const struct loops loops = { {
	{ ping, echo },
	{ produce, consume },
#ifdef LOOPS_SIZED
	{ produce_sized, consume_sized },
#else
	{ NULL, NULL },
#endif
#ifdef LOOPS_BATCH
	{ produce_n, consume_n },
#else
	{ NULL, NULL },
#endif
	{ produce, consume },
	{ produce_paced, consume_paced },
	{ produce_stamps, consume_stamps },
	{ produce_many, consume_many },
#ifdef LOOPS_ASLEEP
	{ produce_wake, consume_wake },
	{ ping_wake, echo_wake },
	{ produce_paced, consume_watermark },
#else
	{ NULL, NULL },
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_MIXED
	{ produce_mixed, consume_mixed },
	{ ping_mixed, echo_mixed },
#else
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_IN_PLACE
	{ produce_whole, consume_whole },
	{ ping_whole, echo_whole },
#else
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_FLOOD
	{ produce_flood, consume_flood },
#else
	{ NULL, NULL },
#endif
} };
