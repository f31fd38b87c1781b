// SPDX-License-Identifier: GPL-2.0
/*
 * Where the ends of a ring are, by what they and the kernel have written.  What a user wrote
 * goes into sums and moduli only: nothing is addressed by it unchecked.
 */
#include <linux/atomic.h>
#include <linux/spscring_record.h>

#include "ring.h"

bool ring_has(const struct spscring *ring, u32 flag)
{
	return ring->geometry.flags & flag;
}

u64 *ring_tail(struct spscring *ring, u64 frame)
{
	return ring->data +
		frame % ring->geometry.frames * ring->geometry.frame_size;
}

u64 *ring_word(struct spscring *ring, u64 pos)
{
	const struct spscring_geometry *g = &ring->geometry;

	/* twice the data are mapped */
	return ring->data + pos % g->data_bytes + g->stride - SPSCRING_WORD;
}

/* ------------------------------------------------------------- for sleep */

/*
 * A position is the end's own: the consumer's is a tail to come, the producer's one that a
 * head to come makes room for.
 */

/* Where the kernel tells the end's peer to wake it: a tail, or a head. */
u64 *ring_wants(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *kernel = ring->blocks.kernel;

	return role == SPSCRING_PRODUCER ? &kernel->producer_event :
		&kernel->consumer_event;
}

/*
 * What of a frame is published beyond @pos, which lies in it: a tail of the next lap says
 * that all of it is.
 */
u64 ring_frame_published(struct spscring *ring, u64 pos)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 frame = pos / g->frame_records;
	u64 end = (frame + 1) * g->frame_records - pos;
	/* (B) pairs with (A) */
	s64 n = smp_load_acquire(ring_tail(ring, frame)) - pos;

	return n > 0 ? min_t(u64, n, end) : 0;
}

/*
 * How far the producer has come, by its cursor, a user's word: with records of one size the
 * cursor tells the frame, and that frame's tail the rest.  Within a batch it is further.
 */
u64 ring_producer_position(struct spscring *ring)
{
	/* (H) pairs with (G) */
	u64 pos = smp_load_acquire(&ring->blocks.producer->cursor);

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return pos;
	return pos + ring_frame_published(ring, pos);
}

/* The end's own position, by what a user wrote: it goes into sums and moduli only. */
u64 ring_cursor(struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER ? ring_producer_position(ring) :
		READ_ONCE(ring->blocks.consumer->cursor);
}

/* Where the producer says that it found no room: a head + 1, or 0; a user's word. */
u64 ring_full_at(struct spscring *ring)
{
	return READ_ONCE(ring->blocks.producer->full_at);
}

/*
 * How far the end can go from @cursor, and no less than its peer had come when it
 * last kicked: an index behind that may be one that it has kicked for already.
 */
u64 ring_seen(struct spscring *ring, u32 role, u64 cursor)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 tail, seen;

	/* who overwrites always finds room */
	if (role == SPSCRING_PRODUCER && ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		return ring_cursor(ring, role) + g->capacity;
	if (role == SPSCRING_PRODUCER)
		/* (D) pairs with (C) */
		return smp_load_acquire(&ring->blocks.consumer->cursor) + g->capacity;
	seen = ring_producer_position(ring);
	/* within a batch the tails are ahead of it */
	tail = ring_has(ring, SPSCRING_CREATE_RECORDS) ? cursor :
		cursor + ring_frame_published(ring, cursor);
	return (s64)(seen - tail) < 0 ? tail : seen;
}

/* Can the end go as far as @index? */
bool ring_reached(struct spscring *ring, u32 role, u64 index)
{
	u64 frame;

	if (role == SPSCRING_PRODUCER)
		return (s64)(ring_seen(ring, role, 0) - index) >= 0;
	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		/* (H) pairs with (G): no word tells how many follow it */
		return (s64)(smp_load_acquire(&ring->blocks.producer->cursor) -
			     index) >= 0;
	frame = (index - 1) / ring->geometry.frame_records;
	/* (B) pairs with (A): of the frame that holds the last of them */
	return (s64)(smp_load_acquire(ring_tail(ring, frame)) - index) >= 0;
}

/* -EAGAIN while the end's peer may go on; else as spscring_ended(), for good. */
int ring_peer_ended(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *kernel = ring->blocks.kernel;

	if (atomic_read(&ring->broken))
		return -EPIPE;
	return spscring_ended(role == SPSCRING_PRODUCER ? &kernel->consumer : &kernel->producer);
}

/* ------------------------------------------------------------- for people */

/* Where what a producer may not write any more begins. */
u64 ring_oldest(struct spscring *ring)
{
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		/* (U) pairs with (T) */
		return smp_load_acquire(&ring->blocks.producer->oldest);
	/* (D) pairs with (C) */
	return smp_load_acquire(&ring->blocks.consumer->cursor);
}

/* As the ends wrote them, one after the other while the ring runs. */
void ring_cursors(struct spscring *ring, u64 *head, u64 *tail)
{
	/* (D) pairs with (C) */
	*head = smp_load_acquire(&ring->blocks.consumer->cursor);
	*tail = ring_producer_position(ring);
}

/* What an end says of its own tries: how many failed, and how many waits polling ended. */
void ring_tries(struct spscring *ring, u32 role, u64 *failed, u64 *polled)
{
	bool produces = role == SPSCRING_PRODUCER;
	struct spscring_producer_block *p = ring->blocks.producer;
	struct spscring_consumer_block *c = ring->blocks.consumer;

	*failed = READ_ONCE(*(produces ? &p->failed : &c->failed));
	*polled = READ_ONCE(*(produces ? &p->waits[0] : &c->waits[0]));
}

/**
 * ring_info() - look at a ring
 * @ring: the ring
 * @info: the result; size is the caller's
 */
void ring_info(struct spscring *ring, struct spscring_info *info)
{
	const struct spscring_producer_block *p = ring->blocks.producer;
	u64 length, oldest;

	info->geometry = ring->geometry;
	memcpy(info->name, ring->name, sizeof(info->name));
	ring_cursors(ring, &info->head, &info->tail);
	length = info->tail - info->head;
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE)) {
		oldest = ring_oldest(ring);
		length = min_t(s64, length, info->tail - oldest);
	}
	if ((s64)length < 0)
		length = 0;
	info->length = min(length, ring->geometry.capacity);
	info->free = ring->geometry.capacity - info->length;
	mutex_lock(&ring->lock);
	info->producer_state = ring->producer.state;
	info->producer_generation = ring->producer.generation;
	info->consumer_state = ring->consumer.state;
	info->consumer_generation = ring->consumer.generation;
	mutex_unlock(&ring->lock);
	wait_count(&ring->producer, &info->producer_sleep);
	wait_count(&ring->consumer, &info->consumer_sleep);
	info->broken = atomic_read(&ring->broken);
	info->loss.drops = READ_ONCE(p->drops);
	info->loss.overruns = READ_ONCE(ring->blocks.consumer->overruns);
	info->loss.high_water = READ_ONCE(p->high_water);
	info->loss.sequence = READ_ONCE(p->sequence);
}

/*
 * The length of the next record of any size, without taking it: on from the consumer's
 * cursor, a user's word, past what is discarded, to no more of it than a pop passes by.
 */
static u64 ring_next_length(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	bool overwrites = ring_has(ring, SPSCRING_CREATE_OVERWRITE);
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
		/* (S) pairs with (R): it was no record's any more */
		smp_rmb();
		if (overwrites &&
		    (s64)(READ_ONCE(ring->blocks.producer->oldest) - pos) > 0)
			continue;
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
 * All that can be read; where records are of any size, the next one.  What a user wrote
 * there can make it wrong, but nothing is addressed by it unchecked.  Context: any.
 *
 * Return: bytes; 0 there is nothing, or an empty record.
 */
u64 ring_next_bytes(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return ring_next_length(ring);
	/* (D) pairs with (C) */
	head = smp_load_acquire(&ring->blocks.consumer->cursor);
	return min(ring_seen(ring, SPSCRING_CONSUMER, head) - head, g->capacity) * g->record_size;
}
