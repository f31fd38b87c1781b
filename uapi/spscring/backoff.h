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

/* The longest that spscring_backoff() waits, in cpu_relax(). */
#define SPSCRING_BACKOFF_MAX	256

/*
 * Records came.  When the last wait was over, so many came with it and until the
 * next; many for how long it was, and fewer looks had found as many, at less cost
 * to the producer.  Few, and each look is worth it.
 */
static SPSCRING_INLINE void spscring_adapt_backoff(struct spscring_consumer_base *c, __u64 came)
{
	__u32 looks = c->fails - c->waited_fails;

	if (came >= 2 * c->waited) {
		if (c->backoff < SPSCRING_BACKOFF_MAX)
			c->backoff *= 2;
	} else if (came <= c->waited) {
		c->backoff = (c->backoff + 1) / 2;
	}
	c->waited = looks * c->backoff;
	c->waited_at = c->pos;
	c->waited_fails = c->fails;
}

static SPSCRING_INLINE void spscring_backoff_for(__u32 relax)
{
	__u32 i;

	for (i = 0; i < relax; i++)
		spscring_cpu_relax();
}

SPSCRING_END_DECLS

#endif /* _SPSCRING_BACKOFF_H */
