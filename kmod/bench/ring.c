// SPDX-License-Identifier: GPL-2.0
/*
 * spscring, by its in-kernel API: the inlines for a constant element size with u64s, and the
 * general functions with other sizes.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "ring.h"
#include "rings.h"

/*
 * Adjacent queues of a power of two each would place their hot words in the same few cache sets.
 */
static struct kmem_cache *queues;

int rings_init(void)
{
	queues = KMEM_CACHE(queue, 0);
	return queues ? 0 : -ENOMEM;
}

void rings_exit(void)
{
	kmem_cache_destroy(queues);
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

BENCH_LOOP(ring_ping, bench_ping, ring_push, ring_pop, ring_relax)
BENCH_LOOP(ring_echo, bench_echo, ring_push, ring_pop, ring_relax)
BENCH_LOOP(ring_produce, bench_produce, ring_push)
BENCH_LOOP(ring_consume, bench_consume, ring_pop, ring_relax)
BENCH_LOOP(ring_produce_sized, bench_produce_sized, ring_push_record)
BENCH_LOOP(ring_consume_sized, bench_consume_sized, ring_pop_record, ring_relax)
BENCH_LOOP(ring_produce_n, bench_produce_n, ring_push_n)
BENCH_LOOP(ring_consume_n, bench_consume_n, ring_pop_n, ring_relax)
BENCH_LOOP(ring_produce_paced, bench_produce_paced, ring_push)
BENCH_LOOP(ring_consume_paced, bench_consume_paced, ring_pop, ring_relax)
BENCH_LOOP(ring_produce_stamps, bench_produce_stamps, ring_push)
BENCH_LOOP(ring_consume_stamps, bench_consume_stamps, ring_pop, ring_relax)
BENCH_LOOP(ring_produce_many, bench_produce_many, ring_push)
BENCH_LOOP(ring_consume_many, bench_consume_many, ring_pop, ring_relax)

/* Not static: tools/hotpath counts the instructions of these functions. */
noinline int bench_push_probe(struct spscring_producer *p, const u64 *v)
{
	return spscring_push_fixed(p, v, sizeof(*v));
}

noinline int bench_pop_probe(struct spscring_consumer *c, u64 *v)
{
	return spscring_pop_fixed(c, v, sizeof(*v));
}

noinline int bench_record_push_probe(struct spscring_record_producer *p, const u64 *v)
{
	return spscring_record_push(p, v, sizeof(*v));
}

noinline int bench_record_pop_probe(struct spscring_record_consumer *c, u64 *v)
{
	return (int)spscring_record_pop(c, v, sizeof(*v));
}

static int rings_claim(struct queue *q, u32 role, u32 element_size)
{
	bool produces = role == SPSCRING_PRODUCER;

	if (element_size == SPSCRING_VARIABLE_SIZE)
		return produces ?
			spscring_record_claim_producer(q->ring, &q->record_producer, 0) :
			spscring_record_claim_consumer(q->ring, &q->record_consumer, 0);
	return produces ? spscring_claim_producer(q->ring, &q->producer, element_size, 0) :
		spscring_claim_consumer(q->ring, &q->consumer, element_size, 0);
}

/*
 * The fence bit of a new ring is set until nobody has slept on the ring for a while.  Wait for
 * that, so that the benchmark does not measure the fences of @role's publishes or releases.
 */
static int await_quiet(struct queue *q, u32 role)
{
	struct spscring_info info;
	u64 clears;
	int tries = 1000;

	do {
		spscring_get_info(q->ring, &info);
		if (info.geometry.flags & (SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE))
			return 0;
		clears = role == SPSCRING_PRODUCER ? info.consumer_sleep.clears :
			info.producer_sleep.clears;
		if (!clears && msleep_interruptible(1))
			return -EINTR;
	} while (!clears && --tries);
	return 0;
}

/**
 * rings_open() - make a ring and claim both its ends
 * @want: the ring
 *
 * Return: the struct queue, NULL for no memory, or an ERR_PTR.
 */
void *rings_open(const struct spscring_create *want)
{
	bool records = want->flags & SPSCRING_CREATE_RECORDS;
	u32 size = records ? SPSCRING_VARIABLE_SIZE : want->element_size;
	struct queue *q = kmem_cache_zalloc(queues, GFP_KERNEL);
	int err;

	if (!q)
		return NULL;
	q->ring = spscring_create_private(want);
	if (IS_ERR(q->ring)) {
		err = PTR_ERR(q->ring);
		goto err_free;
	}
	err = rings_claim(q, SPSCRING_PRODUCER, size) ?:
		rings_claim(q, SPSCRING_CONSUMER, size);
	if (err)
		goto err_ring;
	return q;

err_ring:
	spscring_destroy(q->ring);
err_free:
	kmem_cache_free(queues, q);
	return ERR_PTR(err);
}

int rings_ready(const struct bench_run *run)
{
	int err = 0;
	u32 i;

	for (i = 0; i < run->opened && !err; i++)
		err = await_quiet(run->queue[i], SPSCRING_PRODUCER) ?:
			await_quiet(run->queue[i], SPSCRING_CONSUMER);
	return err;
}

struct bench_fences rings_fences(const struct bench_run *run)
{
	struct bench_fences sum = {};
	struct spscring_info info;
	struct queue *q;
	u32 i;

	for (i = 0; i < run->opened; i++) {
		q = run->queue[i];
		spscring_get_info(q->ring, &info);
		sum.interrupts += info.producer_sleep.interrupts + info.consumer_sleep.interrupts;
		sum.clears += info.producer_sleep.clears + info.consumer_sleep.clears;
	}
	return sum;
}

void rings_close(void *queue)
{
	struct queue *q = queue;

	spscring_destroy(q->ring);
	kmem_cache_free(queues, q);
}

/**
 * rings_take() - claim one end of a ring that a process made
 * @fd: the ring
 * @role: the end
 *
 * Return: the struct queue, for u64s or for records of variable size as the ring has them; or
 * an ERR_PTR.
 */
struct queue *rings_take(int fd, u32 role)
{
	struct queue *q = kmem_cache_zalloc(queues, GFP_KERNEL);
	struct spscring_info info;
	int err;

	if (!q)
		return ERR_PTR(-ENOMEM);
	q->ring = spscring_from_fd(fd);
	if (IS_ERR(q->ring)) {
		err = PTR_ERR(q->ring);
		goto err_free;
	}
	spscring_get_info(q->ring, &info);
	q->variable_size = info.geometry.element_size == SPSCRING_VARIABLE_SIZE;
	err = rings_claim(q, role, q->variable_size ? SPSCRING_VARIABLE_SIZE : sizeof(u64));
	if (err)
		goto err_ring;
	err = await_quiet(q, role);
	if (err)
		goto err_end;
	return q;

err_end:
	spscring_put(q->ring, role);
	goto err_free;
err_ring:
	spscring_put(q->ring, 0);
err_free:
	kmem_cache_free(queues, q);
	return ERR_PTR(err);
}

/* Let go of the end, which is dead then. */
void rings_put(struct queue *q, u32 role)
{
	spscring_put(q->ring, role);
	kmem_cache_free(queues, q);
}

/* The memory of the ring, with the state that the module and both ends keep for it. */
size_t rings_memory(const struct bench_run *run, void *queue)
{
	const struct spscring *ring = ((struct queue *)queue)->ring;
	size_t memory = ring->geometry.memory + sizeof(struct queue);

	/* one allocation has the state of both ends */
	if (ring->producer.sleep)
		memory += ksize(ring->producer.sleep);
	/* a small private ring has no pages, and geometry.memory is all of it */
	if (ring->pages)
		memory += ksize(ring->home) + ring->nr_mapped * sizeof(*ring->pages);
	return memory;
}

static void *ring_open(const struct bench_run *run)
{
	struct spscring_create want = {
		.size = sizeof(want),
		.flags = run->ops == &bench_ring ? SPSCRING_CREATE_BUSY_POLL :
			 run->ops == &bench_ring_fence ? SPSCRING_CREATE_FENCE : 0,
		.capacity = run->shape.capacity,
		.element_size = run->shape.bytes,
		.name = "bench",
	};

	return rings_open(&want);
}

#define RING_OPS							\
	.open	= ring_open,						\
	.ready	= rings_ready,						\
	.fences	= rings_fences,						\
	.close	= rings_close,						\
	.memory	= rings_memory,						\
	.loops	= {							\
		[BENCH_RTT]		= { ring_ping, ring_echo },	\
		[BENCH_THROUGHPUT]	= { ring_produce, ring_consume },	\
		[BENCH_SIZED]		= { ring_produce_sized, ring_consume_sized }, \
		[BENCH_BATCH]		= { ring_produce_n, ring_consume_n }, \
		[BENCH_FOOTPRINT]	= { ring_produce, ring_consume },	\
		[BENCH_PACED]		= { ring_produce_paced, ring_consume_paced }, \
		[BENCH_RESIDENCY]	= { ring_produce_stamps, ring_consume_stamps }, \
		[BENCH_MANY]		= { ring_produce_many, ring_consume_many }, \
	}

/* The same loops, which only poll: on BUSY_POLL rings, rings that could sleep, FENCE rings. */
const struct bench_ops bench_ring = { .name = "spscring", RING_OPS };
const struct bench_ops bench_ring_sleep = { .name = "spscring-sleep", RING_OPS };
const struct bench_ops bench_ring_fence = { .name = "spscring-fence", RING_OPS };
