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
 *	sleep_pop(c, n)				until there are n, or fewer, if
 *						LOOPS_ASLEEP is
 *	be_told(run, end)			the handles for these,
 *	tell(run, i), await_told(run, i)	the consumer is about to sleep, if LOOPS_TOLD
 *						is; otherwise by memory of both
 *	try_send(p, rec, bytes)			a record of any length: did it?, and
 *	try_take(c, rec, size)			how long it was, or 0, if
 *						LOOPS_MIXED is; u64s and records of
 *						one size by these, if LOOPS_BY_MIXED is
 *	try_reserve(p, bytes)			where to write it, or NULL, and
 *	try_peek(c, &rec)			where it is, how long, or 0, if
 *	commit(p, rec, bytes), release(c)	LOOPS_IN_PLACE is
 *	push_or_lose(p, rec, bytes)		did it? at once, if LOOPS_FLOOD is
 *
 * They become a struct loops, "loops".
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

static __always_inline int try_push_record(struct producer *p, const void *rec, uint32_t bytes)
{
	return try_send(p, rec, bytes);
}

static __always_inline int try_pop_record(struct consumer *c, void *rec, uint32_t bytes)
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

static __always_inline void ping_by(struct run *run, uint64_t (*take)(struct consumer *c))
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
		check(take(&c), i);
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

static void ping(struct run *run)
{
	ping_by(run, pop);
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
	uint64_t load = run->load, warm = run->warmup * load;
	uint64_t left = run->warmup + run->count, due = 0, found[64], now = 0, began, first = 0;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	/* pairs with paced_produce() */
	while (!(began = smp_load_acquire(&run->shared->began)))
		cpu_relax();
	while (left) {
		/* no try beyond the last, when the producer may have gone */
		uint32_t n = try_drain(&c, found, left < 64 ? left : 64);

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

static __always_inline void stamp_produce_when(struct run *run,
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

static __always_inline void stamp_consume_by(struct run *run,
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

static void stamp_produce(struct run *run)
{
	stamp_produce_when(run, at_once);
}

static void stamp_consume(struct run *run)
{
	stamp_consume_by(run, pop_any);
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

/* --------------------------------------------------------------- asleep */

#ifdef LOOPS_ASLEEP
static __always_inline uint64_t pop_asleep(struct consumer *c)
{
	uint64_t v;

	while (!try_pop(c, &v))
		sleep_pop(c, 1);
	return v;
}

static void wake_ping(struct run *run)
{
	ping_by(run, pop_asleep);
}

static void wake_echo(struct run *run)
{
	echo_by(run, pop_asleep);
}

#ifndef LOOPS_TOLD
static __always_inline void be_told(struct run *run, int end)
{
	(void)run;
	(void)end;
}

static __always_inline void tell(struct run *run, uint64_t i)
{
	/* pairs with await_told() */
	smp_store_release(&run->shared->looked, i + 1);
}

static __always_inline void await_told(struct run *run, uint64_t i)
{
	/* pairs with tell() */
	while (smp_load_acquire(&run->shared->looked) <= i)
		cpu_relax();
}
#endif

/* The consumer is about to sleep, and then has had the time to. */
static __always_inline void when_asleep(struct run *run, uint64_t i)
{
	uint64_t load = run->load >> PACED_BITS, began;

	await_told(run, i);
	began = ticks();
	while (ticks() - began < load)
		cpu_relax();
}

static __always_inline uint64_t pop_looked(struct run *run, struct consumer *c, uint64_t i)
{
	tell(run, i);
	return pop_asleep(c);
}

static void wake_produce(struct run *run)
{
	be_told(run, 0);
	stamp_produce_when(run, when_asleep);
}

static void wake_consume(struct run *run)
{
	be_told(run, 1);
	stamp_consume_by(run, pop_looked);
}

/* Sleeps for a batch, takes all that there is; fed by paced_produce(). */
static void watermark_consume(struct run *run)
{
	uint64_t left = run->warmup + run->count, due = 0, found[64], began = 0;
	uint32_t batch = run->cell->point.batch;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	while (left) {
		uint32_t n = try_drain(&c, found, left < 64 ? left : 64);

		if (!n) {
			sleep_pop(&c, left < batch ? left : batch);
			continue;
		}
		left -= n;
		for (uint32_t k = 0; k < n; k++, due += run->load)
			check(found[k], due);
		if (!began && left <= run->count)
			began = ticks();
	}
	run->shared->ticks = ticks() - began;
}
#endif

/* ------------------------------------------------- records of any length */

#ifdef LOOPS_MIXED
static _Alignas(4096) char mixed[4096];

static __always_inline uint32_t length_of(const struct point *p, uint64_t i)
{
	return p->list ? bench_length(p->list - 1, i) : p->bytes;
}

/* The low bits of a record's number are its first four bytes, and its last. */
static __always_inline void mark(char *rec, uint32_t bytes, uint32_t i)
{
	memcpy(rec, &i, sizeof(i));
	memcpy(rec + bytes - sizeof(i), &i, sizeof(i));
}

static __always_inline void check_mark(const char *rec, uint32_t bytes, uint32_t i)
{
	uint32_t first, last;

	memcpy(&first, rec, sizeof(first));
	memcpy(&last, rec + bytes - sizeof(last), sizeof(last));
	check(first, i);
	check(last, i);
}

static __always_inline void send(struct producer *p, const char *rec, uint32_t bytes)
{
	while (unlikely(!try_send(p, rec, bytes)))
		wait_push(p);
}

/* The next one, into mixed[], which is to be as long as that. */
static __always_inline void take(struct consumer *c, uint32_t bytes)
{
	uint32_t length;

	while (unlikely(!(length = try_take(c, mixed, sizeof(mixed)))))
		wait_pop(c);
	check(length, bytes);
}

/* The loops of them, by what puts the next record and what gets it. */
typedef void (*put_fn)(struct producer *p, const struct point *point, uint64_t i);
typedef void (*get_fn)(struct consumer *c, const struct point *point, uint64_t i);

static __always_inline void produce_by(struct run *run, put_fn put)
{
	uint64_t total = run->warmup + run->count;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++)
		put(&p, &run->cell->point, i);
}

static __always_inline void consume_by(struct run *run, get_fn get)
{
	uint64_t total = run->warmup + run->count, began = 0;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		if (unlikely(i == run->warmup))
			began = ticks();
		get(&c, &run->cell->point, i);
	}
	run->shared->ticks = ticks() - began;
}

static __always_inline void there_and_back_by(struct run *run, put_fn put, get_fn get)
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

static __always_inline void back_by(struct run *run, get_fn get, put_fn put)
{
	uint64_t total = run->warmup + run->count;
	struct producer p;
	struct consumer c;

	be_consumer(run, 0, &c);
	be_producer(run, 1, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		get(&c, &run->cell->point, i);
		put(&p, &run->cell->point, i);
	}
}

/* What was taken last. */
static __always_inline void put_back(struct producer *p, const struct point *point, uint64_t i)
{
	send(p, mixed, length_of(point, i));
}

static __always_inline void put_marked(struct producer *p, const struct point *point, uint64_t i)
{
	mark(mixed, length_of(point, i), i);
	put_back(p, point, i);
}

static __always_inline void get_marked(struct consumer *c, const struct point *point, uint64_t i)
{
	take(c, length_of(point, i));
	check_mark(mixed, length_of(point, i), i);
}

static void mixed_produce(struct run *run)
{
	produce_by(run, put_marked);
}

static void mixed_consume(struct run *run)
{
	consume_by(run, get_marked);
}

static void mixed_ping(struct run *run)
{
	there_and_back_by(run, put_marked, get_marked);
}

static void mixed_echo(struct run *run)
{
	back_by(run, get_marked, put_back);
}
#endif

#ifdef LOOPS_IN_PLACE
/* All of it is written, and read: what it takes to move it comes on top. */
static __always_inline void fill(char *rec, uint32_t bytes, uint32_t i)
{
	memset(rec, (uint8_t)i, bytes);
	mark(rec, bytes, i);
}

static __always_inline void check_filled(const char *rec, uint32_t bytes, uint32_t i)
{
	const char *first = rec + sizeof(i);

	check_mark(rec, bytes, i);
	if (bytes <= 2 * sizeof(i))
		return;
	/* each byte between them as the one before, as fast as they can be read */
	check((uint8_t)*first, (uint8_t)i);
	check(memcmp(first, first + 1, bytes - 2 * sizeof(i) - 1), 0);
}

static __always_inline void put_whole(struct producer *p, const struct point *point, uint64_t i)
{
	uint32_t bytes = length_of(point, i);
	char *rec = mixed;

	if (point->in_place)
		while (unlikely(!(rec = (char *)try_reserve(p, bytes))))
			wait_push(p);
	fill(rec, bytes, i);
	if (point->in_place)
		commit(p, rec, bytes);
	else
		send(p, rec, bytes);
}

static __always_inline void get_whole(struct consumer *c, const struct point *point, uint64_t i)
{
	uint32_t bytes = length_of(point, i), length;
	const char *rec;

	if (!point->in_place) {
		take(c, bytes);
		check_filled(mixed, bytes, i);
		return;
	}
	while (unlikely(!(length = try_peek(c, &rec))))
		wait_pop(c);
	check(length, bytes);
	check_filled(rec, bytes, i);
	release(c);
}

static void whole_produce(struct run *run)
{
	produce_by(run, put_whole);
}

static void whole_consume(struct run *run)
{
	consume_by(run, get_whole);
}

static void whole_ping(struct run *run)
{
	there_and_back_by(run, put_whole, get_whole);
}

static void whole_echo(struct run *run)
{
	back_by(run, get_whole, put_whole);
}
#endif

#ifdef LOOPS_FLOOD
#define SLOW_TICKS	5000	/* between two records of a slow consumer */

/* How long a push is that waits for nobody. */
static void flood_produce(struct run *run)
{
	const struct point *point = &run->cell->point;
	uint64_t total = run->warmup + run->count, began = 0, lost = 0;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint32_t bytes = length_of(point, i);

		if (unlikely(i == run->warmup))
			began = ticks();
		mark(mixed, bytes, i);
		lost += !push_or_lose(&p, mixed, bytes);
	}
	run->shared->ticks = ticks() - began;
	run->shared->lost = lost;
	/* pairs with flood_consume() */
	smp_store_release(&run->shared->over, 1);
	/* its end does not die under a consumer that still looks; likewise */
	while (smp_load_acquire(&run->shared->over) != 2)
		cpu_relax();
}

static void flood_consume(struct run *run)
{
	const struct point *point = &run->cell->point;
	uint64_t next = 0, over = 0, begin;
	uint32_t length, i;
	struct consumer c;

	if (point->taker != TAKER_NONE)
		be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	while (point->taker != TAKER_NONE) {
		length = try_take(&c, mixed, sizeof(mixed));
		if (!length) {
			if (over)
				break;
			/* pairs with flood_produce(); what it pushed is seen by the next look */
			over = smp_load_acquire(&run->shared->over);
			wait_pop(&c);
			continue;
		}
		memcpy(&i, mixed, sizeof(i));
		if (unlikely(i < next))
			die("record %u again, after %llu", i, (unsigned long long)next - 1);
		next = i + 1ULL;
		check(length, length_of(point, i));
		check_mark(mixed, length, i);
		begin = ticks();
		while (point->taker == TAKER_SLOW && ticks() - begin < SLOW_TICKS)
			cpu_relax();
	}
	/* pairs with flood_produce() */
	while (smp_load_acquire(&run->shared->over) != 1)
		cpu_relax();
	/* likewise */
	smp_store_release(&run->shared->over, 2);
}
#endif

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
#ifdef LOOPS_ASLEEP
	{ wake_produce, wake_consume },
	{ wake_ping, wake_echo },
	{ paced_produce, watermark_consume },
#else
	{ NULL, NULL },
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_MIXED
	{ mixed_produce, mixed_consume },
	{ mixed_ping, mixed_echo },
#else
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_IN_PLACE
	{ whole_produce, whole_consume },
	{ whole_ping, whole_echo },
#else
	{ NULL, NULL },
	{ NULL, NULL },
#endif
#ifdef LOOPS_FLOOD
	{ flood_produce, flood_consume },
#else
	{ NULL, NULL },
#endif
} };
