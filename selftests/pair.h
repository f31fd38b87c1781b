/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring in one process, which has claimed and mapped both its ends.  Neither end spins before it
 * sleeps, because these tests are about sleep.
 */
#ifndef _SPSCRING_SELFTEST_PAIR_H
#define _SPSCRING_SELFTEST_PAIR_H

#include "sleep.h"

FIXTURE(pair) {
	int ring, in, out;	/* in: where the producer pushes */
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 next_in, next_out;
};

FIXTURE_VARIANT(pair) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(pair, adaptive) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(pair, fence) {
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(pair)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 64, .element_size = 8, .flags = variant->flags),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, NULL));
	ASSERT_EQ(0, map_consumer(self->out, &self->c, NULL));
	no_spin(&self->p.base.spin, &self->p.base.spin_max);
	no_spin(&self->c.base.spin, &self->c.base.spin_max);
}

FIXTURE_TEARDOWN(pair)
{
	close_ends(&self->ring, &self->in, &self->out);
}

#define pair_t	FIXTURE_DATA(pair)

/* Push the next @n numbers. */
static inline int push_some(pair_t *self, int n)
{
	while (n--) {
		int err = push_answer(&self->p, &self->next_in);

		if (err)
			return err;
		self->next_in++;
	}
	return 0;
}

/* Pop the next @n numbers and check that they count up. */
static inline int pop_some(pair_t *self, int n)
{
	while (n--) {
		__u64 v;
		int err = pop_answer(&self->c, &v);

		if (err)
			return err;
		if (v != self->next_out++)
			return -EILSEQ;
	}
	return 0;
}

static inline struct spscring_sleep_counters consumer_sleep(pair_t *self)
{
	return info_of(self->ring).consumer_sleep;
}

#endif
