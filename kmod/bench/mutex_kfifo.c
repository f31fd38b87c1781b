// SPDX-License-Identifier: GPL-2.0
/*
 * A kfifo under a mutex, with any number of producers and consumers.  Unlike all other
 * contenders its push and pop may sleep.  They take the mutex only if the fifo is not full or
 * empty.  Its capacity is a power of two.
 */
#include <linux/kfifo.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "loops.h"

struct queue {
	struct mutex lock;	/* protects the fifo */
	DECLARE_KFIFO_PTR(words, u64);
	size_t bytes;
	u64 memory[] __aligned(BENCH_LINE);
};

static __always_inline long mutex_push_n(void *queue, const u64 *v, u32 n)
{
	struct queue *q = queue;
	long some;

	if (kfifo_is_full(&q->words))
		return -EAGAIN;
	mutex_lock(&q->lock);
	some = kfifo_in(&q->words, v, n);
	mutex_unlock(&q->lock);
	return some ?: -EAGAIN;
}

static __always_inline long mutex_pop_n(void *queue, u64 *v, u32 n)
{
	struct queue *q = queue;
	long some;

	if (kfifo_is_empty(&q->words))
		return -EAGAIN;
	mutex_lock(&q->lock);
	some = kfifo_out(&q->words, v, n);
	mutex_unlock(&q->lock);
	return some ?: -EAGAIN;
}

static __always_inline int mutex_push(void *queue, const u64 *v)
{
	struct queue *q = queue;
	int put;

	if (kfifo_is_full(&q->words))
		return -EAGAIN;
	mutex_lock(&q->lock);
	put = kfifo_put(&q->words, *v);
	mutex_unlock(&q->lock);
	return put ? 0 : -EAGAIN;
}

static __always_inline int mutex_pop(void *queue, u64 *v)
{
	struct queue *q = queue;
	int got;

	if (kfifo_is_empty(&q->words))
		return -EAGAIN;
	mutex_lock(&q->lock);
	got = kfifo_get(&q->words, v);
	mutex_unlock(&q->lock);
	return got ? 0 : -EAGAIN;
}

BENCH_LOOP(mutex_ping, bench_ping, mutex_push, mutex_pop, bench_relax)
BENCH_LOOP(mutex_echo, bench_echo, mutex_push, mutex_pop, bench_relax)
BENCH_LOOP(mutex_produce, bench_produce, mutex_push)
BENCH_LOOP(mutex_consume, bench_consume, mutex_pop, bench_relax)
BENCH_LOOP(mutex_produce_n, bench_produce_n, mutex_push_n)
BENCH_LOOP(mutex_consume_n, bench_consume_n, mutex_pop_n, bench_relax)

static void mutex_close(void *queue)
{
	struct queue *q = queue;

	mutex_destroy(&q->lock);
	kvfree(q);
}

static void *mutex_open(const struct bench_run *run)
{
	size_t words = roundup_pow_of_two(run->shape.capacity);
	struct queue *q = kvzalloc(struct_size(q, memory, words), GFP_KERNEL);
	int err;

	if (!q)
		return NULL;
	mutex_init(&q->lock);
	q->bytes = struct_size(q, memory, words);
	err = kfifo_init(&q->words, q->memory, words * sizeof(u64));
	if (err) {
		mutex_close(q);
		return ERR_PTR(err);
	}
	return q;
}

static size_t mutex_memory(const struct bench_run *run, void *queue)
{
	struct queue *q = queue;

	return q->bytes;
}

const struct bench_ops bench_mutex_kfifo = {
	.name	= "mutex-kfifo",
	.open	= mutex_open,
	.close	= mutex_close,
	.memory	= mutex_memory,
	.loops	= {
		[BENCH_RTT]		= { mutex_ping, mutex_echo },
		[BENCH_THROUGHPUT]	= { mutex_produce, mutex_consume },
		[BENCH_BATCH]		= { mutex_produce_n, mutex_consume_n },
	},
};
