/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: how long a consumer waits between two polls.
 *
 * A poll of the frame that is being filled takes its line from the producer.  Where elements
 * arrive one by one each poll is worth that; where they stream, fewer polls find as many.
 */
#ifndef _SPSCRING_BACKOFF_H
#define _SPSCRING_BACKOFF_H

#include <spscring/end.h>

SPSCRING_BEGIN_DECLS

/* The longest back-off, in cpu_relax() calls. */
#define SPSCRING_BACKOFF_MAX	256

/*
 * Adapt the back-off when a wait ends.  @came: what was consumed since the previous wait ended,
 * in units of 16 bytes; c->waited: that wait's length in cpu_relax() calls.  Two units or more for
 * each cpu_relax(): double the back-off, so that fewer polls take the line from the producer.  One
 * or fewer: halve it, as each poll may find the next element.
 */
static SPSCRING_INLINE void spscring_adapt_backoff(struct spscring_consumer_base *c, __u64 came)
{
	__u32 polls = c->fails - c->waited_fails;

	if (came >= 2 * c->waited) {
		if (c->backoff < SPSCRING_BACKOFF_MAX)
			c->backoff *= 2;
	} else if (came <= c->waited) {
		c->backoff = (c->backoff + 1) / 2;
	}
	c->waited = polls * c->backoff;
	c->waited_at = c->pos;
	c->waited_fails = c->fails;
}

/* Wait for @calls of cpu_relax(). */
static SPSCRING_INLINE void spscring_backoff_for(__u32 calls)
{
	__u32 i;

	for (i = 0; i < calls; i++)
		spscring_cpu_relax();
}

SPSCRING_END_DECLS

#endif /* _SPSCRING_BACKOFF_H */
