// SPDX-License-Identifier: GPL-2.0
/*
 * spscring, by its in-kernel API: the inlines of a record size known to the
 * compiler for u64, the general ones for other sizes.
 */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "loops.h"
#include "spscring_kapi.h"

/* Each side's handle is its own. */
struct queue {
	struct spscring *ring;
	struct spscring_producer producer __aligned(BENCH_LINE);
	struct spscring_consumer consumer __aligned(BENCH_LINE);
};

static __always_inline int ring_push(void *queue, const u64 *v)
{
	struct queue *q = queue;

	return spscring_push_fixed(&q->producer, v, sizeof(*v));
}

static __always_inline int ring_pop(void *queue, u64 *v)
{
	struct queue *q = queue;

	return spscring_pop_fixed(&q->consumer, v, sizeof(*v));
}

/* Calls that tools/hotpath counts the instructions of. */
noinline int bench_push_probe(struct spscring_producer *p, const u64 *v)
{
	return spscring_push_fixed(p, v, sizeof(*v));
}

noinline int bench_pop_probe(struct spscring_consumer *c, u64 *v)
{
	return spscring_pop_fixed(c, v, sizeof(*v));
}

static __always_inline long ring_push_n(void *queue, const u64 *v, u32 n)
{
	struct queue *q = queue;

	return spscring_push_n_fixed(&q->producer, v, n, sizeof(*v));
}

static __always_inline long ring_pop_n(void *queue, u64 *v, u32 n)
{
	struct queue *q = queue;

	return spscring_pop_n_fixed(&q->consumer, v, n, sizeof(*v));
}

static __always_inline int ring_push_record(void *queue, const u64 *record)
{
	struct queue *q = queue;

	return spscring_push(&q->producer, record);
}

static __always_inline int ring_pop_record(void *queue, u64 *record)
{
	struct queue *q = queue;

	return spscring_pop(&q->consumer, record);
}

static __always_inline void ring_relax(void *queue)
{
	struct queue *q = queue;

	spscring_relax(&q->consumer);
}

static int ring_call(struct bench_side *s)
{
	return bench_call(s, s->run->queue[0], s->run->queue[1], s->run->count,
			  ring_push, ring_pop, ring_relax);
}

static int ring_echo(struct bench_side *s)
{
	return bench_echo(s, s->run->queue[0], s->run->queue[1], s->run->count,
			  ring_push, ring_pop, ring_relax);
}

static int ring_fill(struct bench_side *s)
{
	u64 v;

	return bench_fill(s, s->run->queue[0], &v, sizeof(v), ring_push);
}

static int ring_drain(struct bench_side *s)
{
	u64 v;

	return bench_drain(s, s->run->queue[0], &v, sizeof(v), ring_pop, ring_relax);
}

static int ring_fill_sized(struct bench_side *s)
{
	return bench_fill(s, s->run->queue[0], s->records, s->run->bytes, ring_push_record);
}

static int ring_drain_sized(struct bench_side *s)
{
	return bench_drain(s, s->run->queue[0], s->records, s->run->bytes, ring_pop_record,
			   ring_relax);
}

static int ring_fill_n(struct bench_side *s)
{
	return bench_fill_n(s, s->run->queue[0], ring_push_n);
}

static int ring_drain_n(struct bench_side *s)
{
	return bench_drain_n(s, s->run->queue[0], ring_pop_n, ring_relax);
}

static void *ring_open(const struct bench_run *run)
{
	struct spscring_create want = {
		.size = sizeof(want),
		.capacity = run->capacity,
		.record_size = run->bytes,
		.name = "bench",
	};
	/* of a power of two: aligned as the handles ask */
	struct queue *q = kzalloc(roundup_pow_of_two(sizeof(*q)), GFP_KERNEL);
	int err;

	if (!q)
		return NULL;
	q->ring = spscring_create(&want);
	if (IS_ERR(q->ring)) {
		err = PTR_ERR(q->ring);
		goto err_free;
	}
	err = spscring_claim_producer(q->ring, &q->producer);
	if (err)
		goto err_ring;
	err = spscring_claim_consumer(q->ring, &q->consumer);
	if (err)
		goto err_ring;
	return q;

err_ring:
	spscring_destroy(q->ring);
err_free:
	kfree(q);
	return ERR_PTR(err);
}

static void ring_close(void *queue)
{
	struct queue *q = queue;

	spscring_destroy(q->ring);
	kfree(q);
}

const struct bench_ops bench_ring = {
	.name	= "spscring",
	.open	= ring_open,
	.close	= ring_close,
	.loops	= {
		[BENCH_RTT]		= { ring_call, ring_echo },
		[BENCH_THROUGHPUT]	= { ring_fill, ring_drain },
		[BENCH_SIZED]		= { ring_fill_sized, ring_drain_sized },
		[BENCH_BATCH]		= { ring_fill_n, ring_drain_n },
	},
};
