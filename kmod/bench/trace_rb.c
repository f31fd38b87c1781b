// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's trace ring buffer, set to refuse when it is full.  It does more:
 * any context may write, each event has a time, and each CPU a buffer of its
 * own, of which one is used here.  So it takes longer, and more memory.
 */
#include <linux/err.h>
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
};

static __always_inline int trace_push(void *queue, const u64 *v)
{
	struct queue *q = queue;

	return likely(!ring_buffer_write(q->buffer, sizeof(*v), (void *)v)) ? 0 : -EAGAIN;
}

static __always_inline int trace_pop(void *queue, u64 *v)
{
	struct queue *q = queue;
	struct ring_buffer_event *event = ring_buffer_consume(q->buffer, q->cpu, NULL, NULL);

	if (!event)
		return -EAGAIN;
	/* four bytes are all the alignment it has */
	memcpy(v, ring_buffer_event_data(event), sizeof(*v));
	return 0;
}

BENCH_LOOP(trace_call, bench_call, trace_push, trace_pop, bench_relax)
BENCH_LOOP(trace_echo, bench_echo, trace_push, trace_pop, bench_relax)
BENCH_LOOP(trace_fill, bench_fill, trace_push)
BENCH_LOOP(trace_drain, bench_drain, trace_pop, bench_relax)

static void *trace_open(const struct bench_run *run)
{
	struct queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

	if (!q)
		return NULL;
	/* the first queue is written by the first side */
	q->cpu = run->cpus[run->opened];
	/* one page more, as the reader has one to itself */
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
		[BENCH_RTT]		= { trace_call, trace_echo },
		[BENCH_THROUGHPUT]	= { trace_fill, trace_drain },
	},
};
#else
const struct bench_ops bench_trace_rb = {
	.name		= "trace-rb",
	.left_out	= "CONFIG_RING_BUFFER is off",
};
#endif
