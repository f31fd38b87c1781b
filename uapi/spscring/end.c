// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: the cold half of an end: no room, kicks, failures.  See end.h.
 */
#include <linux/export.h>
#include <spscring/end.h>

int spscring_producer_fail(struct spscring_producer_base *p, int why)
{
	/* so that each push comes by here */
	p->cached_limit = p->pos;
	p->run_end = p->pos;
	p->error = why;
	return why;
}
EXPORT_SYMBOL_GPL(spscring_producer_fail);

int spscring_producer_broken(struct spscring_producer_base *p)
{
	spscring_break(p, SPSCRING_PRODUCER);
	return spscring_producer_fail(p, -EPIPE);
}
EXPORT_SYMBOL_GPL(spscring_producer_broken);

/* Raise the high-water mark; @head is the consumer's position as far as the producer knows it. */
static void spscring_high_water(struct spscring_producer_base *p, __u64 head)
{
	__u64 *most = &p->block->high_water;
	__u64 used = p->pos - head;

	if (used > *most && used <= p->capacity)
		spscring_write_once(*most, used);
}

static void spscring_kick_consumer(struct spscring_producer_base *p, __u64 event)
{
	p->last_kicked = event;
	spscring_producer_kicks(p, 0);
}

int spscring_wake_consumer(struct spscring_producer_base *p, __u64 pos)
{
	__u64 event = spscring_consumer_event(p);

	if (spscring_need_kick(event, pos, p->last_kicked))
		spscring_kick_consumer(p, event);
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_wake_consumer);

/*
 * The ring is full by the exact @head.  A consumer that waits for more than is there would wait
 * for ever: wake it.  The producer stores full_at once for each head; the kernel reads it.
 */
static void spscring_publish_full(struct spscring_producer_base *p, __u64 head)
{
	__u64 *full_at = &p->block->full_at, event;

	if (*full_at == head + 1)
		return;
	spscring_write_once(*full_at, head + 1);
	spscring_producer_note_cpu(p);
	/* nothing to do where the consumer waits for nothing: every event index is beyond this */
	if (!spscring_event_reached(p->event, SPSCRING_EVENT_NONE - 1))
		return;
	event = spscring_consumer_event(p);	/* full_at is stored before this load */
	if (event == SPSCRING_EVENT_NONE)
		return;
	if ((__s64)(event - p->pos) > 0)
		spscring_producer_kicks(p, SPSCRING_KICK_NOW);
	else if (spscring_need_kick(event, p->pos, p->last_kicked))
		spscring_kick_consumer(p, event);	/* published with SPSCRING_NOWAKE */
}

int spscring_refresh_head(struct spscring_producer_base *p, __u64 n)
{
	__u64 head, event;
	__u32 every;
	int status;

	if (spscring_unlikely(p->error))
		return p->error;

	/* (F) pairs with (E) */
	head = spscring_load_acquire(p->peer_published_head);
	if (spscring_unlikely((__s64)(head - p->pos) > 0))
		return spscring_producer_broken(p);
	if ((__s64)(head + p->capacity - p->cached_limit) > 0)
		p->cached_limit = head + p->capacity;
	if (p->cached_limit - p->pos >= n) {
		spscring_high_water(p, head);
		p->fails = 0;
		return 0;
	}

	/* where the event index changed, this end has slept or polled: read the exact cursor */
	event = spscring_read_once(p->kernel->producer_event);
	if (p->pos != p->failed_at)	/* smaller records have found room since */
		p->fails = 0;
	p->failed_at = p->pos;
	every = p->flags & SPSCRING_CREATE_DROP ? 1 : SPSCRING_REFRESH_EVERY;
	if (p->fails++ % every && event == p->last_event)
		return -EAGAIN;
	p->last_event = event;
	spscring_write_once(p->block->failed, p->block->failed +
		   (p->fails == 1 ? 1 : every));
	if (spscring_unlikely(spscring_is_shut_down(&p->kernel->producer)))
		return spscring_producer_fail(p, -ESHUTDOWN);
	spscring_producer_looks(p);
	status = spscring_peer_status(&p->kernel->consumer);
	/* (D) pairs with (C) */
	head = spscring_load_acquire(p->peer_cursor);
	if (spscring_unlikely(p->pos - head > p->capacity))
		return spscring_producer_broken(p);
	/* the limit never falls: a lying peer may store a head below the one it stored before */
	if ((__s64)(head + p->capacity - p->cached_limit) > 0)
		p->cached_limit = head + p->capacity;
	spscring_high_water(p, head);
	if (p->cached_limit - p->pos < n) {
		if (p->fails == 1 && spscring_traced(full))
			spscring_trace_full(p);
		spscring_publish_full(p, head);
		return status;
	}
	p->fails = 0;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_refresh_head);

int spscring_wake_producer(struct spscring_consumer_base *c)
{
	__u64 event;

	spscring_mb();	/* (N) pairs with (O) */
	event = spscring_read_once(c->kernel->producer_event) & ~SPSCRING_EVENT_FENCE;
	if (spscring_need_kick(event, c->pos, c->last_kicked)) {
		c->last_kicked = event;
		spscring_consumer_kicks(c, 0);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_wake_producer);
