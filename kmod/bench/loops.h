/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The timed loops of all contenders.  The loops are always_inline templates, and take the
 * contender's inline functions as arguments.  So a contender's loop makes only the calls that
 * its own functions make.  The consumer checks every value that it pops.
 *
 * push and pop move one element: 0, or -EAGAIN for full or empty, or another errno.
 * push_n and pop_n move up to n u64s: how many, or the same errors.  relax is the
 * contender's back-off of the consumer between two polls that found nothing.
 * send and take move a record of variable length; take returns the length.
 *
 * Templates named _on take their queues as arguments; the others use the run's.
 */
#ifndef _SPSCRING_BENCH_LOOPS_H
#define _SPSCRING_BENCH_LOOPS_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/string.h>

#include "bench.h"
#include "mark.h"
#include "stamp.h"

typedef int (*bench_push_fn)(void *queue, const u64 *record);
typedef int (*bench_pop_fn)(void *queue, u64 *record);
typedef long (*bench_push_n_fn)(void *queue, const u64 *records, u32 n);
typedef long (*bench_pop_n_fn)(void *queue, u64 *records, u32 n);
typedef int (*bench_send_fn)(void *queue, const void *record, u32 bytes);
typedef long (*bench_take_fn)(void *queue, void *record, u32 size);
typedef void (*bench_relax_fn)(void *queue);

/* Items, or failed tries, between two calls of bench_breathe(). */
#define BENCH_CHUNK	65536

/* A contender's loop: an instance of a template. */
#define BENCH_LOOP(name, template, ...)		\
static void name(struct bench_side *s)			\
{							\
	s->err = template(s, ##__VA_ARGS__);		\
}

static __always_inline void bench_relax(void *queue)
{
	cpu_relax();
}

/*
 * Wait a few ns for the peer; every BENCH_CHUNK calls let others run and check for the run's
 * end.  @at is the number of the message waited for: a new number means progress.
 */
static __always_inline int bench_wait(struct bench_side *s, void *queue, u64 at,
				      bench_relax_fn relax)
{
	relax(queue);
	if (likely(++s->spins % BENCH_CHUNK))
		return 0;
	return bench_breathe(s, at);
}

static __always_inline int bench_push(struct bench_side *s, void *queue, const u64 *record,
				      bench_push_fn push)
{
	int err;

	while (unlikely((err = push(queue, record)) == -EAGAIN)) {
		err = bench_wait(s, queue, *record, bench_relax);
		if (unlikely(err))
			break;
	}
	return err;
}

/* Pop message @i. */
static __always_inline int bench_pop(struct bench_side *s, void *queue, u64 *record, u64 i,
				     bench_pop_fn pop, bench_relax_fn relax)
{
	int err;

	while (unlikely((err = pop(queue, record)) == -EAGAIN)) {
		err = bench_wait(s, queue, i, relax);
		if (unlikely(err))
			break;
	}
	return err;
}

/* ---------------------------------------------------------- round trips */

static __always_inline int bench_trip(struct bench_side *s, void *out, void *in, u64 i,
				      bench_push_fn push, bench_pop_fn pop,
				      bench_relax_fn relax)
{
	u64 v;
	int err;

	err = bench_push(s, out, &i, push);
	if (unlikely(err))
		return err;
	err = bench_pop(s, in, &v, i, pop, relax);
	if (unlikely(err))
		return err;
	return likely(v == i) ? 0 : bench_wrong(s, i, v);
}

static __always_inline int bench_trips(struct bench_side *s, void *out, void *in, u64 i, u64 end,
				       bench_push_fn push, bench_pop_fn pop,
				       bench_relax_fn relax, bool stamped)
{
	u64 stop, stamp = 0;
	int err;

	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			if (stamped)
				stamp = bench_clock();
			err = bench_trip(s, out, in, i, push, pop, relax);
			if (unlikely(err))
				return err;
			if (stamped)
				hist_add(s->hist, bench_clock() - stamp);
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	return 0;
}

/* @count round trips with a stamp each; then, if the run has means, as many without. */
static __always_inline int bench_ping_on(struct bench_side *s, void *out, void *in, u64 count,
					 bench_push_fn push, bench_pop_fn pop,
					 bench_relax_fn relax)
{
	u64 start = bench_clock(), i = s->run->first, end = i + count;
	int err = bench_trips(s, out, in, i, end, push, pop, relax, true);

	if (!err && s->run->means) {
		start = bench_clock();
		err = bench_trips(s, out, in, end, end + count, push, pop, relax, false);
	}
	s->elapsed += bench_clock() - start;
	return err;
}

/* The number after the last message to echo, for @count round trips. */
static __always_inline u64 bench_echo_end(struct bench_side *s, u64 count)
{
	return s->run->first + (s->run->means ? 2 * count : count);
}

static __always_inline int bench_echo_on(struct bench_side *s, void *in, void *out, u64 count,
					 bench_push_fn push, bench_pop_fn pop,
					 bench_relax_fn relax)
{
	u64 i, v, end = bench_echo_end(s, count);
	int err;

	for (i = s->run->first; i < end; i++) {
		err = bench_pop(s, in, &v, i, pop, relax);
		if (unlikely(err))
			return err;
		if (unlikely(v != i))
			return bench_wrong(s, i, v);
		err = bench_push(s, out, &v, push);
		if (unlikely(err))
			return err;
	}
	return 0;
}

static __always_inline int bench_ping(struct bench_side *s, bench_push_fn push, bench_pop_fn pop,
				      bench_relax_fn relax)
{
	return bench_ping_on(s, s->run->queue[0], s->run->queue[1], s->run->count, push, pop,
			     relax);
}

static __always_inline int bench_echo(struct bench_side *s, bench_push_fn push, bench_pop_fn pop,
				      bench_relax_fn relax)
{
	return bench_echo_on(s, s->run->queue[0], s->run->queue[1], s->run->count, push, pop,
			     relax);
}

/* ----------------------------------------------------------- throughput */

/* The first word and the last word of a record are its number. */
static __always_inline int bench_produce_on(struct bench_side *s, void *queue, u64 *record,
					    u32 bytes, bench_push_fn push)
{
	u64 i = s->run->first, stop, end = i + s->run->count;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			record[0] = i;
			record[bytes / 8 - 1] = i;
			err = bench_push(s, queue, record, push);
			if (unlikely(err))
				return err;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_consume_on(struct bench_side *s, void *queue, u64 *record,
					    u32 bytes, bench_pop_fn pop, bench_relax_fn relax)
{
	u64 i = s->run->first, stop, end = i + s->run->count;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			err = bench_pop(s, queue, record, i, pop, relax);
			if (unlikely(err))
				return err;
			if (unlikely(record[0] != i))
				return bench_wrong(s, i, record[0]);
			if (unlikely(record[bytes / 8 - 1] != i))
				return bench_wrong(s, i, record[bytes / 8 - 1]);
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_produce(struct bench_side *s, bench_push_fn push)
{
	u64 v;

	return bench_produce_on(s, s->run->queue[0], &v, sizeof(v), push);
}

static __always_inline int bench_consume(struct bench_side *s, bench_pop_fn pop,
					 bench_relax_fn relax)
{
	u64 v;

	return bench_consume_on(s, s->run->queue[0], &v, sizeof(v), pop, relax);
}

static __always_inline int bench_produce_sized(struct bench_side *s, bench_push_fn push)
{
	return bench_produce_on(s, s->run->queue[0], s->records, s->run->shape.bytes, push);
}

static __always_inline int bench_consume_sized(struct bench_side *s, bench_pop_fn pop,
					       bench_relax_fn relax)
{
	return bench_consume_on(s, s->run->queue[0], s->records, s->run->shape.bytes, pop, relax);
}

/* -------------------------------------------------------------- batches */

static __always_inline int bench_push_n(struct bench_side *s, void *queue, const u64 *records,
					u32 n, bench_push_n_fn push_n)
{
	long some;
	int err;

	while (n) {
		some = push_n(queue, records, n);
		if (likely(some > 0)) {
			records += some;
			n -= some;
			continue;
		}
		err = some == -EAGAIN ? bench_wait(s, queue, *records, bench_relax) : some;
		if (unlikely(err))
			return err;
	}
	return 0;
}

static __always_inline int bench_produce_n_on(struct bench_side *s, void *queue,
					      bench_push_n_fn push_n)
{
	u64 i = s->run->first, stop, end = i + s->run->count, *records = s->records;
	u32 k, n, batch = s->run->shape.batch;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i += n) {
			n = min_t(u64, batch, end - i);
			for (k = 0; k < n; k++)
				records[k] = i + k;
			err = bench_push_n(s, queue, records, n, push_n);
			if (unlikely(err))
				return err;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_consume_n_on(struct bench_side *s, void *queue,
					      bench_pop_n_fn pop_n, bench_relax_fn relax)
{
	u64 i = s->run->first, stop, end = i + s->run->count, *records = s->records;
	u32 k, batch = s->run->shape.batch;
	long some;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop;) {
			some = pop_n(queue, records, min_t(u64, batch, end - i));
			if (unlikely(some <= 0)) {
				err = some == -EAGAIN ? bench_wait(s, queue, i, relax) : some;
				if (unlikely(err))
					return err;
				continue;
			}
			for (k = 0; k < some; k++)
				if (unlikely(records[k] != i + k))
					return bench_wrong(s, i + k, records[k]);
			i += some;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_produce_n(struct bench_side *s, bench_push_n_fn push_n)
{
	return bench_produce_n_on(s, s->run->queue[0], push_n);
}

static __always_inline int bench_consume_n(struct bench_side *s, bench_pop_n_fn pop_n,
					   bench_relax_fn relax)
{
	return bench_consume_n_on(s, s->run->queue[0], pop_n, relax);
}

/* ---------------------------------------------------------------- paced */

/* Publish when the producer began; the times in records count from then. */
static __always_inline u64 bench_begin(struct bench_side *s)
{
	s->start = bench_clock();
	/* pairs with bench_began() */
	smp_store_release(&s->run->t0, s->start);
	return s->start;
}

static __always_inline int bench_began(struct bench_side *s, u64 *t0)
{
	int err;

	/* pairs with bench_begin() */
	while (!(*t0 = smp_load_acquire(&s->run->t0))) {
		err = bench_wait(s, NULL, 0, bench_relax);
		if (err)
			return err;
	}
	s->start = *t0;
	return 0;
}

/*
 * Open loop: message i is due at i steps, and carries that time.  The producer pushes it then,
 * or later if it is held up, and the delay counts as latency.
 */
static __always_inline int bench_produce_paced(struct bench_side *s, bench_push_fn push)
{
	u64 i = 0, due = 0, end = s->run->count, step = s->run->step;
	void *queue = s->run->queue[0];
	u64 now, stop, t0 = bench_begin(s);
	int err;

	while (i < end) {
		now = (bench_clock() - t0) << PACED_BITS;
		for (stop = min(i + BENCH_CHUNK, end); due <= now && i < stop; i++, due += step) {
			err = bench_push(s, queue, &due, push);
			if (unlikely(err))
				return err;
		}
		if (likely(++s->spins % BENCH_CHUNK && i < stop))
			continue;
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

/* Do not count the first eighth, in which the sides start and the caches warm up. */
static __always_inline int bench_consume_paced(struct bench_side *s, bench_pop_fn pop,
					       bench_relax_fn relax)
{
	u64 i = 0, due = 0, end = s->run->count, step = s->run->step, late = s->run->half_tick;
	void *queue = s->run->queue[0];
	u64 from, stop, v, now, t0;
	int err = bench_began(s, &t0);

	if (err)
		return err;
	while (i < end) {
		from = i;
		for (stop = min(i + PACED_LOOK, end); i < stop; i++, due += step) {
			err = pop(queue, &v);
			if (err)
				break;
			if (unlikely(v != due))
				return bench_wrong(s, due, v);
		}
		if (i == from) {
			err = err == -EAGAIN ? bench_wait(s, queue, i, relax) : err;
			if (unlikely(err))
				return err;
			continue;
		}
		now = ((bench_clock() - t0) << PACED_BITS) + late;
		for (v = due - (i - from) * step; from < i; from++, v += step)
			if (likely(from >= end / 8))
				hist_add(s->hist, now > v ? (now - v) >> PACED_BITS : 0);
		if (likely(++s->spins % BENCH_CHUNK))
			continue;
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

/* ------------------------------------------------------------ residency */

static __always_inline int bench_produce_stamps(struct bench_side *s, bench_push_fn push)
{
	void *queue = s->run->queue[0];
	u64 i, v, end = s->run->count;
	int err;

	bench_begin(s);
	for (i = 0; i < end;) {
		/* stamp each try anew: only the time in the ring counts */
		v = stamp_make(bench_clock(), i);
		err = push(queue, &v);
		if (likely(!err)) {
			i++;
			if (likely(i % BENCH_CHUNK))
				continue;
			err = bench_breathe(s, i);
		} else if (err == -EAGAIN) {
			err = bench_wait(s, queue, i, bench_relax);
		}
		if (unlikely(err))
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_consume_stamps(struct bench_side *s, bench_pop_fn pop,
						bench_relax_fn relax)
{
	void *queue = s->run->queue[0];
	u64 i, v, t0, end = s->run->count;
	int err = bench_began(s, &t0);

	if (err)
		return err;
	for (i = 0; i < end; i++) {
		err = bench_pop(s, queue, &v, i, pop, relax);
		if (unlikely(err))
			return err;
		if (unlikely(STAMP_NUMBER(v) != STAMP_NUMBER(i)))
			return bench_wrong(s, STAMP_NUMBER(i), STAMP_NUMBER(v));
		hist_add(s->hist, stamp_age(v, bench_clock()));
		if (unlikely(!(i % BENCH_CHUNK))) {
			err = bench_breathe(s, i);
			if (err)
				return err;
		}
	}
	s->end = bench_clock();
	return 0;
}

/* ----------------------------------------------------------- many queues */

static __always_inline int bench_produce_many(struct bench_side *s, bench_push_fn push)
{
	u64 i = 0, stop, end = s->run->count;
	u32 k = 0, rings = s->run->shape.rings;
	void **queue = s->run->queue;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			err = bench_push(s, queue[k], &i, push);
			if (unlikely(err))
				return err;
			if (++k == rings)
				k = 0;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_consume_many(struct bench_side *s, bench_pop_fn pop,
					      bench_relax_fn relax)
{
	u64 i = 0, v, stop, end = s->run->count;
	u32 k = 0, rings = s->run->shape.rings;
	void **queue = s->run->queue;
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			err = bench_pop(s, queue[k], &v, i, pop, relax);
			if (unlikely(err))
				return err;
			if (unlikely(v != i))
				return bench_wrong(s, i, v);
			if (++k == rings)
				k = 0;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

/* -------------------------------------------- records that differ in length */

static __always_inline int bench_check_mark(struct bench_side *s, const void *record, u32 bytes,
					    u32 i)
{
	u32 found = mark_read(record, bytes, i);

	return likely(found == i) ? 0 : bench_wrong(s, i, found);
}

static __always_inline int bench_send(struct bench_side *s, void *queue, u64 i, bench_send_fn send)
{
	u32 bytes = bench_length(s->run->shape.list - 1, i);
	int err;

	mark_write(s->records, bytes, i);
	while (unlikely((err = send(queue, s->records, bytes)) == -EAGAIN)) {
		err = bench_wait(s, queue, i, bench_relax);
		if (unlikely(err))
			break;
	}
	return err;
}

/* Take record @i: its length, or a negative errno. */
static __always_inline int bench_take(struct bench_side *s, void *queue, u64 i,
				      bench_take_fn take, bench_relax_fn relax)
{
	u32 bytes = bench_length(s->run->shape.list - 1, i);
	long length;
	int err;

	while (unlikely((length = take(queue, s->records, LENGTHS_MAX)) == -EAGAIN)) {
		err = bench_wait(s, queue, i, relax);
		if (unlikely(err))
			return err;
	}
	if (unlikely(length != bytes))
		return length < 0 ? length : bench_wrong(s, bytes, length);
	return bench_check_mark(s, s->records, bytes, i);
}

static __always_inline int bench_produce_mixed(struct bench_side *s, bench_send_fn send)
{
	u64 i = s->run->first, stop, end = i + s->run->count;
	void *queue = s->run->queue[0];
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			err = bench_send(s, queue, i, send);
			if (unlikely(err))
				return err;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_consume_mixed(struct bench_side *s, bench_take_fn take,
					       bench_relax_fn relax)
{
	u64 i = s->run->first, stop, end = i + s->run->count;
	void *queue = s->run->queue[0];
	int err;

	s->start = bench_clock();
	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			err = bench_take(s, queue, i, take, relax);
			if (unlikely(err))
				return err;
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	s->end = bench_clock();
	return 0;
}

static __always_inline int bench_trips_mixed(struct bench_side *s, u64 i, u64 end,
					     bench_send_fn send, bench_take_fn take,
					     bench_relax_fn relax, bool stamped)
{
	void *out = s->run->queue[0], *in = s->run->queue[1];
	u64 stop, stamp = 0;
	int err;

	while (i < end) {
		for (stop = min(i + BENCH_CHUNK, end); i < stop; i++) {
			if (stamped)
				stamp = bench_clock();
			err = bench_send(s, out, i, send);
			if (!err)
				err = bench_take(s, in, i, take, relax);
			if (unlikely(err))
				return err;
			if (stamped)
				hist_add(s->hist, bench_clock() - stamp);
		}
		err = bench_breathe(s, i);
		if (err)
			return err;
	}
	return 0;
}

/* As bench_ping_on(). */
static __always_inline int bench_ping_mixed(struct bench_side *s, bench_send_fn send,
					    bench_take_fn take, bench_relax_fn relax)
{
	u64 start = bench_clock(), count = s->run->count, i = s->run->first, end = i + count;
	int err = bench_trips_mixed(s, i, end, send, take, relax, true);

	if (!err && s->run->means) {
		start = bench_clock();
		err = bench_trips_mixed(s, end, end + count, send, take, relax, false);
	}
	s->elapsed += bench_clock() - start;
	return err;
}

static __always_inline int bench_echo_mixed(struct bench_side *s, bench_send_fn send,
					    bench_take_fn take, bench_relax_fn relax)
{
	void *in = s->run->queue[0], *out = s->run->queue[1];
	u64 i, end = bench_echo_end(s, s->run->count);
	int err;

	for (i = s->run->first; i < end; i++) {
		err = bench_take(s, in, i, take, relax);
		if (!err)
			err = bench_send(s, out, i, send);
		if (unlikely(err))
			return err;
	}
	return 0;
}

#endif
