// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's handles of a ring's ends: for kernel code that claims one, and for read() and
 * write() of a user's.
 */
#include <linux/cpumask.h>
#include <spscring/layout.h>

#include "ring.h"

static u32 spin_max(void)
{
	return num_online_cpus() > 1 ? SPSCRING_SPIN_MAX : 0;
}

static void producer_begins(struct spscring *ring, struct spscring_producer_base *p)
{
	p->ring = ring;
	p->spin_max = spin_max();
	p->spin = p->spin_max;
}

static void consumer_begins(struct spscring *ring, struct spscring_consumer_base *c)
{
	c->ring = ring;
	c->spin_max = spin_max();
	c->spin = c->spin_max;
}

/*
 * Make a handle of the kernel's own mapping, at the end's cursor.  It fails as
 * spscring_producer_begin() and its siblings do: on an impossible word that a user wrote, or if
 * the ring is of the other shape.
 */
int ring_producer_handle(struct spscring *ring, struct spscring_producer *p)
{
	int err = spscring_producer_begin(p, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		producer_begins(ring, &p->base);
	return err;
}

int ring_record_producer_handle(struct spscring *ring, struct spscring_record_producer *p)
{
	int err = spscring_record_producer_begin(p, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		producer_begins(ring, &p->base);
	return err;
}

int ring_consumer_handle(struct spscring *ring, struct spscring_consumer *c)
{
	int err = spscring_consumer_begin(c, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		consumer_begins(ring, &c->base);
	return err;
}

int ring_record_consumer_handle(struct spscring *ring, struct spscring_record_consumer *c)
{
	int err = spscring_record_consumer_begin(c, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		consumer_begins(ring, &c->base);
	return err;
}
