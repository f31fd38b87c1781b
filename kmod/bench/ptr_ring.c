// SPDX-License-Identifier: GPL-2.0
/*
 * The ptr_ring of tun and virtio, by its functions without locks for one producer and one
 * consumer.  It carries pointers, and NULL marks an empty slot, so a u64 is sent as its
 * value + 1.  It has no function that produces a batch.
 */
#include <linux/mm.h>
#include <linux/ptr_ring.h>
#include <linux/slab.h>

#include "loops.h"

static __always_inline int ptr_push(void *queue, const u64 *v)
{
	return likely(!__ptr_ring_produce(queue, (void *)(unsigned long)(*v + 1))) ? 0 : -EAGAIN;
}

static __always_inline int ptr_pop(void *queue, u64 *v)
{
	void *ptr = __ptr_ring_consume(queue);

	if (!ptr)
		return -EAGAIN;
	*v = (unsigned long)ptr - 1;
	return 0;
}

static __always_inline long ptr_push_n(void *queue, const u64 *v, u32 n)
{
	long i;

	for (i = 0; i < n; i++)
		if (unlikely(ptr_push(queue, &v[i])))
			break;
	return i ?: -EAGAIN;
}

static __always_inline long ptr_pop_n(void *queue, u64 *v, u32 n)
{
	long i, some = __ptr_ring_consume_batched(queue, (void **)v, n);

	for (i = 0; i < some; i++)
		v[i]--;
	return some ?: -EAGAIN;
}

BENCH_LOOP(ptr_ping, bench_ping, ptr_push, ptr_pop, bench_relax)
BENCH_LOOP(ptr_echo, bench_echo, ptr_push, ptr_pop, bench_relax)
BENCH_LOOP(ptr_produce, bench_produce, ptr_push)
BENCH_LOOP(ptr_consume, bench_consume, ptr_pop, bench_relax)
BENCH_LOOP(ptr_produce_n, bench_produce_n, ptr_push_n)
BENCH_LOOP(ptr_consume_n, bench_consume_n, ptr_pop_n, bench_relax)
BENCH_LOOP(ptr_produce_paced, bench_produce_paced, ptr_push)
BENCH_LOOP(ptr_consume_paced, bench_consume_paced, ptr_pop, bench_relax)

static void *ptr_open(const struct bench_run *run)
{
	struct ptr_ring *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err;

	if (!r)
		return NULL;
	err = ptr_ring_init(r, run->shape.capacity, GFP_KERNEL);
	if (err) {
		kfree(r);
		return ERR_PTR(err);
	}
	return r;
}

static void ptr_close(void *queue)
{
	/* no destructor: the values left in it are no pointers */
	ptr_ring_cleanup(queue, NULL);
	kfree(queue);
}

static size_t ptr_memory(const struct bench_run *run, void *queue)
{
	return sizeof(struct ptr_ring) + run->shape.capacity * sizeof(void *);
}

const struct bench_ops bench_ptr_ring = {
	.name	= "ptr_ring",
	.open	= ptr_open,
	.close	= ptr_close,
	.memory	= ptr_memory,
	.loops	= {
		[BENCH_RTT]		= { ptr_ping, ptr_echo },
		[BENCH_THROUGHPUT]	= { ptr_produce, ptr_consume },
		[BENCH_BATCH]		= { ptr_produce_n, ptr_consume_n },
		[BENCH_PACED]		= { ptr_produce_paced, ptr_consume_paced },
	},
};
