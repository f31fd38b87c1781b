// SPDX-License-Identifier: GPL-2.0
/*
 * spscring's rings of records of variable size.
 */
#include <spscring/record.h>

#include "rings.h"

#define BATCH_MAX	64		/* descriptors on the stack */

static __always_inline int records_send(void *queue, const void *record, u32 bytes)
{
	struct queue *q = queue;

	return spscring_record_push(&q->record_producer, record, bytes);
}

static __always_inline long records_take(void *queue, void *record, u32 size)
{
	struct queue *q = queue;

	return spscring_record_pop(&q->record_consumer, record, size);
}

static __always_inline void records_relax(void *queue)
{
	struct queue *q = queue;

	spscring_record_backoff(&q->record_consumer);
}

static __always_inline int records_push(void *queue, const u64 *v)
{
	return records_send(queue, v, sizeof(*v));
}

static __always_inline int records_pop(void *queue, u64 *v)
{
	long length = records_take(queue, v, sizeof(*v));

	return length < 0 ? length : 0;
}

static __always_inline long records_push_n(void *queue, const u64 *v, u32 n)
{
	struct spscring_record records[BATCH_MAX];
	struct queue *q = queue;
	u32 i;

	n = min_t(u32, n, BATCH_MAX);
	for (i = 0; i < n; i++)
		records[i] = (struct spscring_record){
			.data = (void *)&v[i], .length = sizeof(*v),
		};
	return spscring_record_push_n(&q->record_producer, records, n);
}

static __always_inline long records_pop_n(void *queue, u64 *v, u32 n)
{
	struct spscring_record records[BATCH_MAX];
	struct queue *q = queue;
	u32 i;

	n = min_t(u32, n, BATCH_MAX);
	for (i = 0; i < n; i++)
		records[i] = (struct spscring_record){ .data = &v[i], .length = sizeof(*v) };
	return spscring_record_pop_n(&q->record_consumer, records, n);
}

/* Hide the size from the compiler, as a ring's own element size is hidden from it. */
struct sized {
	struct queue *q;
	u32 bytes;
};

static __always_inline int records_push_sized(void *queue, const u64 *record)
{
	struct sized *s = queue;

	return spscring_record_push(&s->q->record_producer, record, s->bytes);
}

static __always_inline int records_pop_sized(void *queue, u64 *record)
{
	struct sized *s = queue;
	long length = spscring_record_pop(&s->q->record_consumer, record, s->bytes);

	return length < 0 ? length : 0;
}

static __always_inline void records_relax_sized(void *queue)
{
	struct sized *s = queue;

	records_relax(s->q);
}

static struct sized records_sized(const struct bench_side *s)
{
	return (struct sized) { .q = s->run->queue[0], .bytes = s->run->shape.bytes };
}

static void records_produce_sized(struct bench_side *s)
{
	struct sized sized = records_sized(s);

	s->err = bench_produce_on(s, &sized, s->records, sized.bytes, records_push_sized);
}

static void records_consume_sized(struct bench_side *s)
{
	struct sized sized = records_sized(s);

	s->err = bench_consume_on(s, &sized, s->records, sized.bytes, records_pop_sized,
				  records_relax_sized);
}

BENCH_LOOP(records_ping, bench_ping, records_push, records_pop, records_relax)
BENCH_LOOP(records_echo, bench_echo, records_push, records_pop, records_relax)
BENCH_LOOP(records_produce, bench_produce, records_push)
BENCH_LOOP(records_consume, bench_consume, records_pop, records_relax)
BENCH_LOOP(records_produce_n, bench_produce_n, records_push_n)
BENCH_LOOP(records_consume_n, bench_consume_n, records_pop_n, records_relax)
BENCH_LOOP(records_produce_mixed, bench_produce_mixed, records_send)
BENCH_LOOP(records_consume_mixed, bench_consume_mixed, records_take, records_relax)
BENCH_LOOP(records_ping_mixed, bench_ping_mixed, records_send, records_take, records_relax)
BENCH_LOOP(records_echo_mixed, bench_echo_mixed, records_send, records_take, records_relax)

static void *records_open(const struct bench_run *run)
{
	const struct bench_shape *shape = &run->shape;
	struct spscring_create want = {
		.size = sizeof(want),
		.flags = SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_RECORDS,
		.capacity = shape->capacity,
		.name = "bench",
	};

	if (!shape->list)
		want.capacity *= spscring_record_size(SPSCRING_RECORD_ALIGN_MIN, shape->bytes);
	return rings_open(&want);
}

const struct bench_ops bench_records = {
	.name	= "spscring-records",
	.open	= records_open,
	.ready	= rings_ready,
	.fences	= rings_fences,
	.close	= rings_close,
	.memory	= rings_memory,
	.loops	= {
		[BENCH_RTT]		= { records_ping, records_echo },
		[BENCH_THROUGHPUT]	= { records_produce, records_consume },
		[BENCH_SIZED]		= { records_produce_sized, records_consume_sized },
		[BENCH_BATCH]		= { records_produce_n, records_consume_n },
		[BENCH_MIXED]		= { records_produce_mixed, records_consume_mixed },
		[BENCH_MIXED_RTT]	= { records_ping_mixed, records_echo_mixed },
	},
};
