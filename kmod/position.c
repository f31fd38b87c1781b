// SPDX-License-Identifier: GPL-2.0
/*
 * The positions of a ring's ends, read from their control blocks, the tails and the words.
 * What an end without a kernel needs of this, too, is in <spscring/view.h>.  Users write these.  A
 * value that a user wrote goes into sums and moduli only: no address is computed from it unchecked.
 */
#include <linux/atomic.h>
#include <spscring/view.h>

#include "ring.h"

bool ring_has_flag(const struct spscring *ring, u32 flag)
{
	return ring->geometry.flags & flag;
}

u64 *ring_tail(struct spscring *ring, u64 frame)
{
	return spscring_view_tail(&ring->view, frame);
}

u64 *ring_word(struct spscring *ring, u64 pos)
{
	return spscring_view_word(&ring->view, pos);
}

/* ------------------------------------------------------------- for sleep */

/*
 * The index that an end waits for is one of its own positions.  It is reached for the consumer
 * when the tail comes to it, and for the producer when the head plus the capacity does.
 */

/* The end's event index in the kernel's control block: a tail for the consumer's, else a head. */
u64 *ring_event(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *kernel = ring->blocks.kernel;

	return role == SPSCRING_PRODUCER ? &kernel->producer_event :
		&kernel->consumer_event;
}

/* The producer's position, by its cursor, a word that a user may write. */
u64 ring_producer_position(struct spscring *ring)
{
	return spscring_view_producer(&ring->view);
}

/* An end's own position, as its holder wrote it. */
u64 ring_cursor(struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER ? ring_producer_position(ring) :
		READ_ONCE(ring->blocks.consumer->cursor);
}

/* The head + 1 at which the producer last found no room, or 0; a word that a user may write. */
u64 ring_full_at(struct spscring *ring)
{
	return READ_ONCE(ring->blocks.producer->full_at);
}

/* How far the end can go from @cursor. */
u64 ring_seen(struct spscring *ring, u32 role, u64 cursor)
{
	return spscring_view_seen(&ring->view, role, cursor);
}

/* Can the end go as far as @index? */
bool ring_reached(struct spscring *ring, u32 role, u64 index)
{
	return spscring_view_reached(&ring->view, role, index);
}

/*
 * The status of the end's peer: -EAGAIN it can go on; -EPIPE the ring is broken; otherwise as
 * spscring_peer_status().
 */
int ring_peer_ended(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *kernel = ring->blocks.kernel;

	if (atomic_read(&ring->broken))
		return -EPIPE;
	return spscring_peer_status(role == SPSCRING_PRODUCER ? &kernel->consumer :
				    &kernel->producer);
}

/* ------------------------------------------------------------- for people */

/* The oldest position that still belongs to the consumer: the producer may not overwrite it. */
u64 ring_oldest(struct spscring *ring)
{
	return spscring_view_oldest(&ring->view);
}

/* Both positions as the ends wrote them; the ring may run on between the two loads. */
void ring_cursors(struct spscring *ring, u64 *head, u64 *tail)
{
	*head = spscring_view_head(&ring->view);
	*tail = ring_producer_position(ring);
}

/* Counters that an end keeps itself: its tries that failed, and its waits that spinning ended. */
void ring_poll_counts(struct spscring *ring, u32 role, u64 *failed, u64 *polled)
{
	bool produces = role == SPSCRING_PRODUCER;
	struct spscring_producer_block *p = ring->blocks.producer;
	struct spscring_consumer_block *c = ring->blocks.consumer;

	*failed = READ_ONCE(*(produces ? &p->failed : &c->failed));
	*polled = READ_ONCE(*(produces ? &p->waits[0] : &c->waits[0]));
}

/* How an end has slept; a ring that only polls has no counters. */
static void ring_sleep_counters(struct ring_end *end, struct spscring_sleep_counters *count)
{
	struct ring_sleep *s = end->sleep;

	if (!s) {
		memset(count, 0, sizeof(*count));
		return;
	}
	spin_lock_irq(&s->queue.lock);
	*count = s->count;
	spin_unlock_irq(&s->queue.lock);
}

/**
 * ring_info() - fill in what INFO reports of a ring
 * @ring: the ring
 * @info: the result; size is the caller's
 *
 * It waits for no claim and for no user.  Context: process, spinlocks may be held.
 */
void ring_info(struct spscring *ring, struct spscring_info *info)
{
	u64 word;

	spscring_view_info(&ring->view, info);
	memcpy(info->name, ring->name, sizeof(info->name));
	/* state and generation change together: read the word that has both */
	word = READ_ONCE(ring->blocks.kernel->producer);
	info->producer_state = SPSCRING_END_STATE(word);
	info->producer_generation = SPSCRING_END_GENERATION(word);
	word = READ_ONCE(ring->blocks.kernel->consumer);
	info->consumer_state = SPSCRING_END_STATE(word);
	info->consumer_generation = SPSCRING_END_GENERATION(word);
	ring_sleep_counters(&ring->producer, &info->producer_sleep);
	ring_sleep_counters(&ring->consumer, &info->consumer_sleep);
	info->broken = atomic_read(&ring->broken);
	info->id = ring->id;
}

/*
 * The length of the next record of variable size, which stays in the ring; 0 if there is none.
 * The walk begins at the consumer's cursor, a word that a user may write, and passes by at most
 * as many discarded records as a pop does.
 */
static u64 ring_next_length(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	bool overwrites = ring_has_flag(ring, SPSCRING_CREATE_OVERWRITE);
	/* (D) pairs with (C) */
	u64 pos = smp_load_acquire(&ring->blocks.consumer->cursor), word;
	int looks;

	for (looks = 0; looks < SPSCRING_DISCARDED_MAX; looks++) {
		if (overwrites)
			pos = max_t(s64, pos, ring_oldest(ring));
		if (pos & (g->stride - 1))
			break;
		/* (Q) pairs with (P) */
		word = smp_load_acquire(ring_word(ring, pos));
		/* (S) pairs with (R): if the oldest moved beyond pos, the word was overwritten */
		smp_rmb();
		if (overwrites &&
		    (s64)(READ_ONCE(ring->blocks.producer->oldest) - pos) > 0)
			continue;	/* GCOVR_EXCL_LINE: a race of nanoseconds */
		if ((word & bits) >> 32 != spscring_phase(g, pos))
			break;
		if (!(word & SPSCRING_WORD_DISCARDED))
			return word & SPSCRING_WORD_LENGTH;
		pos += spscring_record_size(g->stride, (u32)word);
	}
	return 0;
}

/**
 * ring_next_bytes() - how much a read would find
 * @ring: the ring
 *
 * In a ring of elements it counts all that are there; of records of variable size only the next
 * one.  A lying user can make the result wrong, but no more than that.  Context: any.
 *
 * Return: bytes; 0 there is nothing, or an empty record.
 */
u64 ring_next_bytes(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head;

	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS))
		return ring_next_length(ring);
	/* (D) pairs with (C) */
	head = smp_load_acquire(&ring->blocks.consumer->cursor);
	return min(ring_seen(ring, SPSCRING_CONSUMER, head) - head, g->capacity) * g->element_size;
}
