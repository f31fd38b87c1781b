// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's trace ring buffer, set to refuse events when it is full.  It does more than a
 * queue: any context may write, each event has a time stamp, and each CPU has its own buffer,
 * of which this contender uses one.  So it takes more time and memory.
 *
 * The buffer's reader checks how full a page is, and then whether it is the last page.  If
 * the writer fills and leaves the page between the two checks, the reader drops the rest of
 * the page (observed in a virtual machine whose CPU was preempted there).  A trace can lose
 * events, a queue cannot.  So the reader here reads only when a counter beside the buffer
 * says that there is an event.
 */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#ifdef CONFIG_RING_BUFFER
#include <linux/ring_buffer.h>

/* A u64 and the event's header. */
#define EVENT_BYTES	12

struct queue {
	struct trace_buffer *buffer;
	int cpu;		/* the producer's */
	size_t bytes;		/* of each CPU */

	u64 written __aligned(BENCH_LINE);
	u64 read __aligned(BENCH_LINE);
};

static __always_inline int trace_push(void *queue, const u64 *v)
{
	struct queue *q = queue;

	if (unlikely(ring_buffer_write(q->buffer, sizeof(*v), (void *)v)))
		return -EAGAIN;
	/* pairs with trace_pop() */
	smp_store_release(&q->written, q->written + 1);
	return 0;
}

static __always_inline int trace_pop(void *queue, u64 *v)
{
	struct queue *q = queue;
	struct ring_buffer_event *event;

	/* pairs with trace_push() */
	if (smp_load_acquire(&q->written) == q->read)
		return -EAGAIN;
	event = ring_buffer_consume(q->buffer, q->cpu, NULL, NULL);
	if (unlikely(!event))
		return -EIO;
	q->read++;
	/* the buffer aligns events to four bytes only */
	memcpy(v, ring_buffer_event_data(event), sizeof(*v));
	return 0;
}

BENCH_LOOP(trace_ping, bench_ping, trace_push, trace_pop, bench_relax)
BENCH_LOOP(trace_echo, bench_echo, trace_push, trace_pop, bench_relax)
BENCH_LOOP(trace_produce, bench_produce, trace_push)
BENCH_LOOP(trace_consume, bench_consume, trace_pop, bench_relax)

static void *trace_open(const struct bench_run *run)
{
	/* a power-of-two size, so that kmalloc() aligns its cache lines */
	struct queue *q = kzalloc(roundup_pow_of_two(sizeof(*q)), GFP_KERNEL);

	if (!q)
		return NULL;
	/* side 0 writes the first queue */
	q->cpu = run->cpus[run->opened];
	/* one page more, because the reader owns one */
	q->bytes = PAGE_ALIGN((size_t)run->shape.capacity * EVENT_BYTES) + PAGE_SIZE;
	q->buffer = ring_buffer_alloc(q->bytes, 0);
	if (!q->buffer) {
		kfree(q);
		return NULL;
	}
	return q;
}

static void trace_close(void *queue)
{
	struct queue *q = queue;

	ring_buffer_free(q->buffer);
	kfree(q);
}

static size_t trace_memory(const struct bench_run *run, void *queue)
{
	struct queue *q = queue;

	return q->bytes * num_online_cpus();
}

const struct bench_ops bench_trace_rb = {
	.name	= "trace-rb",
	.open	= trace_open,
	.close	= trace_close,
	.memory	= trace_memory,
	.loops	= {
		[BENCH_RTT]		= { trace_ping, trace_echo },
		[BENCH_THROUGHPUT]	= { trace_produce, trace_consume },
	},
};
#else
const struct bench_ops bench_trace_rb = {
	.name		= "trace-rb",
	.left_out	= "CONFIG_RING_BUFFER is off",
};
#endif
