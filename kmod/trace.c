// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, and what the inlines of spscring_ring.h call once theirs are
 * on.  They test the tracepoint's key themselves, in whatever module they are
 * in.  Context of all here: any.
 */
#include <linux/export.h>
#include <linux/spscring_ring.h>

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
 * spscring_trace_full() - say that there is no room
 * @p: the producer's base
 */
void spscring_trace_full(const struct spscring_producer_base *p)
{
	trace_spscring_full(p->ring, p->pos);
}
EXPORT_SYMBOL_GPL(spscring_trace_full);

/**
 * spscring_trace_push() - say that the next @n records are to be published
 * @p: the producer
 * @n: how many
 */
void spscring_trace_push(const struct spscring_producer_base *p, u32 n)
{
	trace_spscring_push(p->ring, p->pos, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_push);

/**
 * spscring_trace_push_n() - the same for a batch that may not all find room
 * @p: the producer
 * @n: how many are wanted
 *
 * The event is to be there before any record and yet to be true, so the batch is
 * cut to the room there is by now, by the exact cursor.
 *
 * Return: how many to push, at least 1 unless @n is 0; or a negative errno.
 */
long spscring_trace_push_n(struct spscring_producer *p, u32 n)
{
	struct spscring_producer_base *b = &p->base;
	u64 head;

	if (!n)
		return 0;
	if (b->pos == b->limit) {
		int err;

		/* whatever room it finds, the cursor is to be no more than a capacity behind */
		spscring_publish_cursor(b, b->pos);
		err = spscring_refresh(b, 1);
		if (err)
			return err;
	}
	/* (D) pairs with (C) */
	head = smp_load_acquire(b->peer_cursor);
	if (b->pos - head <= b->capacity && (s64)(head + b->capacity - b->limit) > 0) {
		spscring_publish_cursor(b, b->pos);
		b->limit = head + b->capacity;
	}
	n = min_t(u64, n, b->limit - b->pos);
	spscring_trace_push(b, n);
	return n;
}
EXPORT_SYMBOL_GPL(spscring_trace_push_n);

/**
 * spscring_trace_pop() - say that the next @n records are taken
 * @c: the consumer
 * @n: how many
 */
void spscring_trace_pop(const struct spscring_consumer_base *c, u32 n)
{
	trace_spscring_pop(c->ring, c->pos, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_pop);

/**
 * spscring_trace_pop_n() - say that the last @n records were taken
 * @c: the consumer
 * @n: how many, or 0: of a batch of none
 */
void spscring_trace_pop_n(const struct spscring_consumer_base *c, u32 n)
{
	if (n)
		trace_spscring_pop(c->ring, c->pos - n, n);
}
EXPORT_SYMBOL_GPL(spscring_trace_pop_n);
