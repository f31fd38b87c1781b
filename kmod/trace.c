// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, and the functions that the inlines of end.h call while a
 * tracepoint is on.  The inlines test the tracepoint's key themselves, in the module that they
 * are compiled into.  A ring of DEFINE_SPSCRING() has no number to be told apart by, and is not
 * traced.  Context of all functions: any.
 */
#include <linux/export.h>
#include <spscring/element.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_recover);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_full);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_push);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_pop);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_poll);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_arm);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_sleep);
EXPORT_TRACEPOINT_SYMBOL_GPL(spscring_wake);

/**
 * spscring_trace_full() - trace that a push found no room
 * @p: the producer's base
 */
void spscring_trace_full(const struct spscring_producer_base *p)
{
	if (p->ring)
		trace_spscring_full(p->ring, p->pos);
}
EXPORT_SYMBOL_GPL(spscring_trace_full);

/**
 * spscring_trace_push() - trace the next @n elements, before they are published
 * @p: the producer
 * @n: how many
 */
void spscring_trace_push(const struct spscring_producer_base *p, u32 n)
{
	if (p->ring)
		trace_spscring_push(p->ring, p->pos, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_push);

/**
 * spscring_trace_push_n() - trace a batch, which may not find room for all, before it is published
 * @p: the producer
 * @n: how many the caller wants to push
 *
 * The event has to come before the first element, and to be true.  Therefore the batch is cut
 * to the room that the consumer's exact cursor leaves.
 *
 * Return: how many to push, at least 1 unless @n is 0; or a negative errno.
 */
long spscring_trace_push_n(struct spscring_producer *p, u32 n)
{
	struct spscring_producer_base *b = &p->base;
	u64 head;

	if (!n)
		return 0;
	if (b->pos == b->cached_limit) {
		int err;

		/* store the cursor first: it must never lag by more than a capacity */
		spscring_publish_cursor(b, b->pos);
		err = spscring_refresh_head(b, 1);
		if (err)
			return err;
	}
	/* (D) pairs with (C) */
	head = smp_load_acquire(b->peer_cursor);
	if (b->pos - head <= b->capacity && (s64)(head + b->capacity - b->cached_limit) > 0) {
		spscring_publish_cursor(b, b->pos);
		b->cached_limit = head + b->capacity;
	}
	n = min_t(u64, n, b->cached_limit - b->pos);
	spscring_trace_push(b, n);
	return n;
}
EXPORT_SYMBOL_GPL(spscring_trace_push_n);

/**
 * spscring_trace_pop() - trace the next @n elements, which are there to be popped
 * @c: the consumer
 * @n: how many
 */
void spscring_trace_pop(const struct spscring_consumer_base *c, u32 n)
{
	if (c->ring)
		trace_spscring_pop(c->ring, c->pos, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_pop);

/**
 * spscring_trace_pop_n() - trace the last @n elements, which a batch has popped
 * @c: the consumer
 * @n: how many; with 0 nothing is traced
 */
void spscring_trace_pop_n(const struct spscring_consumer_base *c, u32 n)
{
	if (n && c->ring)
		trace_spscring_pop(c->ring, c->pos - n, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_pop_n);
