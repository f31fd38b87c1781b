// SPDX-License-Identifier: GPL-2.0
/*
 * Lists under a spinlock, as drivers use them: preallocated nodes move from the free list to
 * the full list and back.  A batch holds the lock once.  An end takes the lock only if the
 * list that it needs is not empty.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "loops.h"

struct node {
	struct list_head list;
	u64 value;
};

struct queue {
	spinlock_t lock;	/* protects both lists */
	struct list_head full;
	struct list_head free;
	struct node nodes[];
};

static __always_inline long list_push_n(void *queue, const u64 *v, u32 n)
{
	struct queue *q = queue;
	struct node *node;
	long i;

	if (list_empty(&q->free))
		return -EAGAIN;
	spin_lock(&q->lock);
	for (i = 0; i < n && !list_empty(&q->free); i++) {
		node = list_first_entry(&q->free, struct node, list);
		node->value = v[i];
		list_move_tail(&node->list, &q->full);
	}
	spin_unlock(&q->lock);
	return i ?: -EAGAIN;
}

static __always_inline long list_pop_n(void *queue, u64 *v, u32 n)
{
	struct queue *q = queue;
	struct node *node;
	long i;

	if (list_empty(&q->full))
		return -EAGAIN;
	spin_lock(&q->lock);
	for (i = 0; i < n && !list_empty(&q->full); i++) {
		node = list_first_entry(&q->full, struct node, list);
		v[i] = node->value;
		list_move(&node->list, &q->free);
	}
	spin_unlock(&q->lock);
	return i ?: -EAGAIN;
}

static __always_inline int list_push(void *queue, const u64 *v)
{
	return list_push_n(queue, v, 1) == 1 ? 0 : -EAGAIN;
}

static __always_inline int list_pop(void *queue, u64 *v)
{
	return list_pop_n(queue, v, 1) == 1 ? 0 : -EAGAIN;
}

BENCH_LOOP(list_ping, bench_ping, list_push, list_pop, bench_relax)
BENCH_LOOP(list_echo, bench_echo, list_push, list_pop, bench_relax)
BENCH_LOOP(list_produce, bench_produce, list_push)
BENCH_LOOP(list_consume, bench_consume, list_pop, bench_relax)
BENCH_LOOP(list_produce_n, bench_produce_n, list_push_n)
BENCH_LOOP(list_consume_n, bench_consume_n, list_pop_n, bench_relax)

static void *list_open(const struct bench_run *run)
{
	u32 i, capacity = run->shape.capacity;
	struct queue *q = kvzalloc(struct_size(q, nodes, capacity), GFP_KERNEL);

	if (!q)
		return NULL;
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->full);
	INIT_LIST_HEAD(&q->free);
	for (i = 0; i < capacity; i++)
		list_add_tail(&q->nodes[i].list, &q->free);
	return q;
}

static void list_close(void *queue)
{
	kvfree(queue);
}

static size_t list_memory(const struct bench_run *run, void *queue)
{
	return struct_size((struct queue *)queue, nodes, run->shape.capacity);
}

const struct bench_ops bench_list = {
	.name	= "list",
	.open	= list_open,
	.close	= list_close,
	.memory	= list_memory,
	.loops	= {
		[BENCH_RTT]		= { list_ping, list_echo },
		[BENCH_THROUGHPUT]	= { list_produce, list_consume },
		[BENCH_BATCH]		= { list_produce_n, list_consume_n },
	},
};
