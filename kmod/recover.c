// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery, by <spscring/view.h>, of a dead end, for its next holder.
 * Reset: a driver empties its own ring.
 */
#include <linux/sched.h>
#include <spscring/view.h>

#include "ring.h"
#include "trace.h"

static struct spscring *ring_of_view(const struct spscring_view *v)
{
	return container_of(v, struct spscring, view);
}

/* A walk over a large ring takes seconds: stop it if the caller is killed. */
static int ring_walk_on(const struct spscring_view *v)
{
	cond_resched();
	return ring_killed(ring_of_view(v)) ? -EINTR : 0;
}

static void ring_looked(const struct spscring_view *v, u64 head, u64 tail)
{
	trace_spscring_recover(ring_of_view(v), head, tail);
}

static const struct spscring_recover_ops ring_recover_ops = {
	.walk_on = ring_walk_on,
	.looked = ring_looked,
};

/*
 * Recover a dead end.  Return: 0; -EBUSY somebody has pinned pages that its dead holder could
 * write; -EPIPE the ring is broken; -EINTR killed.
 */
int ring_recover(struct spscring *ring, u32 role)
{
	int err;

	lockdep_assert_held(&ring->claiming);
	err = memmap_pinned(ring, role);
	if (err)
		return err;
	err = spscring_recover(&ring->view, role, &ring_recover_ops);
	/* role 0: the words contradict each other, and either end may have written the bad one */
	if (err == -EPIPE)
		spscring_broken(ring, 0);
	return err;
}

/* ----------------------------------------------------------------- reset */

/*
 * Count the records of variable size from @head to @tail by their words, discarded ones left
 * out.  Return: the count; 0 if the words do not lead from @head to @tail.
 */
static u64 ring_count_records(struct spscring *ring, u64 head, u64 tail)
{
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	const struct spscring_geometry *g = &ring->geometry;
	u64 n = 0;

	while (head != tail) {
		u64 word = READ_ONCE(*ring_word(ring, head));
		u64 size = spscring_record_size(g->stride, (u32)word);

		if ((word & bits) >> 32 != spscring_phase(g, head) || size > tail - head)
			return 0;
		n += !(word & SPSCRING_WORD_DISCARDED);
		head += size;
		cond_resched();
	}
	return n;
}

/* Elements or records before @tail that the consumer, by its cursor, has not read. */
static u64 ring_count_unread(struct spscring *ring, u64 tail)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head = READ_ONCE(ring->blocks.consumer->cursor);

	if (tail - head > g->capacity)
		return 0;
	if (!ring_has_flag(ring, SPSCRING_CREATE_RECORDS))
		return tail - head;
	return head & (g->stride - 1) ? 0 : ring_count_records(ring, head, tail);
}

/*
 * A driver's producer resets: count what was not read as dropped.  Lost records keep their
 * sequence numbers.  The consumer's next number stays what it was, if that is possible at all:
 * the gap before the next record then shows how many are missing.
 */
static void ring_reset_consumer(struct spscring *ring, u64 pos, u64 sequence)
{
	u64 *drops = &ring->blocks.producer->drops;
	u64 *next = &ring->blocks.consumer->sequence;
	u64 lost;

	/* in a ring that overwrites the consumer counts these as overrun */
	lost = ring_has_flag(ring, SPSCRING_CREATE_OVERWRITE) ? 0 : ring_count_unread(ring, pos);
	WRITE_ONCE(*drops, *drops + lost);
	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS) &&
	    sequence - READ_ONCE(*next) > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence - lost);
}

/* A driver's consumer resets: keep the producer's next number, if that is possible at all. */
static void ring_reset_producer(struct spscring *ring, u64 sequence)
{
	u64 *next = &ring->blocks.producer->sequence;

	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS) &&
	    READ_ONCE(*next) - sequence > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence);
}

/*
 * The position at which an empty ring begins: that of the end that resets.  A lying producer
 * of records of variable size can lead its consumer near 2^63, where no cursor is valid; the
 * ring then begins at the same place of the data in lap 0.
 */
static u64 ring_reset_position(struct spscring *ring, u64 pos)
{
	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS) && pos > S64_MAX / 2)
		return pos % ring->geometry.data_bytes;
	return pos;
}

/* Store an empty ring's words, then recover the other words as after a producer's death. */
static int ring_empty(struct spscring *ring, u64 pos)
{
	struct spscring_producer_block *producer = ring->blocks.producer;
	struct spscring_consumer_block *consumer = ring->blocks.consumer;

	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS))
		WRITE_ONCE(*ring_word(ring, pos), 0);
	else
		WRITE_ONCE(*ring_tail(ring, pos / ring->geometry.frame_elements), pos);
	WRITE_ONCE(consumer->cursor, pos);
	WRITE_ONCE(consumer->published_head, pos);
	WRITE_ONCE(producer->oldest, pos);
	WRITE_ONCE(producer->cursor, pos);
	return spscring_recover(&ring->view, SPSCRING_PRODUCER, &ring_recover_ops);
}

/*
 * May the end reset?  Kernel code has to hold it, and nobody the other end, which stays so
 * while the caller holds ->claiming.
 */
static int ring_resettable(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);
	struct ring_end *peer = ring_end_of(ring, ring_peer(role));
	int err = 0;

	lockdep_assert_held(&ring->claiming);
	mutex_lock(&ring->lock);
	if (end->state != SPSCRING_HELD || !end->kernel)
		err = -ESHUTDOWN;
	else if (peer->state == SPSCRING_HELD)
		err = -EBUSY;
	else if (peer->state == SPSCRING_SHUT_DOWN)
		err = ring_shut_down(peer);
	mutex_unlock(&ring->lock);
	return err;
}

/**
 * ring_reset() - empty a ring, and make it work again if it is broken
 * @ring: the ring
 * @role: the end that resets, held by kernel code; nobody holds the other one
 * @pos: the position of that end
 * @sequence: the number of its next record, where records are of variable size
 *
 * The caller makes the end's handle anew afterwards.
 *
 * Return: 0, or a negative errno, see spscring_reset_producer().
 */
int ring_reset(struct spscring *ring, u32 role, u64 pos, u64 sequence)
{
	int err;

	if (ring->of_user)
		return -EPERM;
	mutex_lock(&ring->claiming);
	/* the driver's reset does not end with the task that happens to call, see ring_killed() */
	ring->resetting = true;
	err = ring_resettable(ring, role) ?: memmap_pinned(ring, ring_peer(role));
	if (!err) {
		if (role == SPSCRING_PRODUCER)
			ring_reset_consumer(ring, pos, sequence);
		else
			ring_reset_producer(ring, sequence);
		err = ring_empty(ring, ring_reset_position(ring, pos));
	}
	if (!err) {
		WRITE_ONCE(ring->blocks.kernel->broken, 0);
		atomic_set(&ring->broken, 0);
	}
	ring->resetting = false;
	mutex_unlock(&ring->claiming);
	return err;
}
