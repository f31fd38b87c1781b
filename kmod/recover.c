// SPDX-License-Identifier: GPL-2.0
/*
 * What a death leaves is made fit for the next holder, and a driver's ring is emptied.
 */
#include <linux/sched.h>
#include <linux/spscring_record.h>

#include "ring.h"
#include "trace.h"

/* A walk over a large ring takes seconds: it is left once the caller is killed. */
static int ring_walk_on(const struct spscring *ring)
{
	cond_resched();
	return ring_killed(ring) ? -EINTR : 0;
}

/*
 * The tails are stored before the cursor, so a producer that was killed in
 * between has published more than its cursor says: @pos goes on from there while
 * the tails lie beyond, to at most @bound.  Return: 0, or -EINTR.
 */
static int ring_published(struct spscring *ring, u64 *pos, u64 bound)
{
	const struct spscring_geometry *g = &ring->geometry;
	int err = 0;

	while (!err && *pos != bound) {
		u64 frame = *pos / g->frame_records;
		u64 end = min((frame + 1) * g->frame_records - *pos, bound - *pos);
		/* (B) pairs with (A) */
		u64 n = smp_load_acquire(ring_tail(ring, frame)) - *pos;

		if ((s64)n <= 0 || n > g->capacity)
			break;
		*pos += min(n, end);
		if (n < end)
			break;
		err = ring_walk_on(ring);
	}
	return err;
}

/*
 * The same of records of any size, whose words are stored before the cursor.  With
 * @sequence the number of the next record, as stored between the two, follows.
 */
static int ring_published_records(struct spscring *ring, u64 *pos, u64 bound, u64 *sequence)
{
	const struct spscring_geometry *g = &ring->geometry;
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	int err = 0;

	while (!err && *pos != bound) {
		/* (Q) pairs with (P) */
		u64 word = smp_load_acquire(ring_word(ring, *pos));
		u64 size = spscring_record_size(g->stride, (u32)word);

		if ((word & bits) >> 32 != spscring_phase(g, *pos) || size > bound - *pos)
			break;
		*pos += size;
		/* what was dropped behind them has numbers as well */
		if (sequence && !(word & SPSCRING_WORD_DISCARDED) &&
		    (s64)(spscring_sequence_of(word, *sequence) - *sequence) >= 0)
			*sequence = spscring_sequence_of(word, *sequence) + 1;
		err = ring_walk_on(ring);
	}
	return err;
}

/* Of a claim, at the ends' cursors. */
#define RING_LOOKS	2

/*
 * Where the ends are, by their cursors and the tails: 0, or -EPIPE if these lie, or -EINTR.
 * A producer that lives may go on by a lap between the two loads, of its cursor and of a
 * tail, so that the walk ends at once, short of a consumer which has popped within a batch.
 * Before that lap it has stored its cursor exactly, and so beyond all that the consumer,
 * which is dead, has popped.  Hence a second look, which finds that cursor.
 */
static int ring_positions(struct spscring *ring, u64 *head, u64 *tail, u64 *sequence)
{
	bool records = ring_has(ring, SPSCRING_CREATE_RECORDS);
	u64 capacity = ring->geometry.capacity;
	int looks, err;

	*head = ring_oldest(ring);
	for (looks = 0; looks < RING_LOOKS; looks++) {
		*tail = ring_producer_position(ring);
		trace_spscring_recover(ring, *head, *tail);
		/* no honest cursor comes near the wrap, where frames do not follow */
		if ((s64)*head < 0 || (s64)*tail < 0)
			break;
		if (records && (*head | *tail) & (ring->geometry.stride - 1))
			break;
		/* within a batch the consumer may be ahead of the cursor */
		if (*tail - *head + capacity > 2 * capacity)
			break;
		err = records ?
			ring_published_records(ring, tail, *head + capacity, sequence) :
			ring_published(ring, tail, *head + capacity);
		if (err)
			return err;
		if ((s64)(*tail - *head) >= 0)
			return 0;
	}
	return -EPIPE;
}

/*
 * A dead producer's cursor and words are made to say the same: the next one is that
 * of no record.  The numbers were stored before the cursor and before the oldest.
 */
static int ring_mend_records(struct spscring *ring)
{
	struct spscring_producer_block *block = ring->blocks.producer;
	u64 sequence = READ_ONCE(block->sequence);
	u64 head, tail, *word, behind;
	int err;

	err = ring_positions(ring, &head, &tail, &sequence);
	if (err)
		return err;
	/* a ring that is full to the last byte has none: that is the oldest's */
	if (tail - head != ring->geometry.data_bytes)
		WRITE_ONCE(*ring_word(ring, tail), 0);
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE)) {
		word = ring_word(ring, head);
		behind = head == tail ? 0 : (sequence - (*word >> SPSCRING_WORD_SEQUENCE)) &
			 SPSCRING_WORD_SEQUENCE_MASK;
		WRITE_ONCE(block->oldest_sequence, sequence - behind);
	}
	WRITE_ONCE(block->sequence, sequence);
	/* (G) */
	smp_store_release(&block->cursor, tail);
	return 0;
}

/* A dead producer's cursor and tails are made to say the same. */
static int ring_mend_producer(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head, tail, last, first, frame;
	int err;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return ring_mend_records(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/*
	 * Every frame's tail as it must be: complete but for the last frame,
	 * and nothing from a lap to come.
	 */
	last = tail / g->frame_records;
	first = last < g->frames ? 0 : last - g->frames + 1;
	for (frame = first; frame < first + g->frames; frame++) {
		u64 want = 0;

		if (frame < last)
			want = (frame + 1) * g->frame_records;
		else if (frame == last && tail != last * g->frame_records)
			want = tail;
		else if (frame >= g->frames)
			want = (frame - g->frames + 1) * g->frame_records;
		if (READ_ONCE(*ring_tail(ring, frame)) != want)
			/* (A): the records are older still */
			smp_store_release(ring_tail(ring, frame), want);
		err = ring_walk_on(ring);
		if (err)
			return err;
	}
	/* (G) */
	smp_store_release(&ring->blocks.producer->cursor, tail);
	return 0;
}

/*
 * Nobody waits for the consumer of a ring that overwrites, so it may be anywhere behind:
 * its next look finds the oldest.  Its producer may go on by laps meanwhile: a second look,
 * as in ring_positions().
 */
static int ring_mend_late(struct spscring *ring)
{
	/* (D) pairs with (C) */
	u64 head = smp_load_acquire(&ring->blocks.consumer->cursor), tail;
	int looks, err;

	if ((s64)head < 0 || head & (ring->geometry.stride - 1))
		return -EPIPE;
	for (looks = 0; looks < RING_LOOKS; looks++) {
		/* (H) pairs with (G) */
		tail = smp_load_acquire(&ring->blocks.producer->cursor);
		if ((s64)tail < 0 || tail & (ring->geometry.stride - 1))
			break;
		/* the consumer may be ahead of the cursor */
		err = ring_published_records(ring, &tail, tail + ring->geometry.capacity, NULL);
		if (err)
			return err;
		if (head <= tail)
			return 0;
	}
	return -EPIPE;
}

/* A dead consumer's cursor stands; what it told is made to agree. */
static int ring_mend_consumer(struct spscring *ring)
{
	u64 head, tail;
	int err;

	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		return ring_mend_late(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/* (E) */
	smp_store_release(&ring->blocks.consumer->published_head, head);
	return 0;
}

/*
 * A dead end's words are made fit for the next holder: 0, or -EBUSY, -EPIPE, -EINTR.
 * What it stores is what its walk found, the cursor last: left before that, it has
 * stored nothing that a second walk, from the same cursor, would not find again.
 */
int ring_recover(struct spscring *ring, u32 role)
{
	int err;

	lockdep_assert_held(&ring->claiming);
	err = memmap_pinned(ring, role);
	if (err)
		return err;
	err = role == SPSCRING_PRODUCER ? ring_mend_producer(ring) : ring_mend_consumer(ring);
	/* whose words lie cannot be told */
	if (err == -EPIPE)
		spscring_broken(ring, 0);
	return err;
}

/* ----------------------------------------------------------------- reset */

/* Records of any size from @head to @tail, as their words have it; 0 if @head is at none. */
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

/* How many the producer has published that the consumer's cursor says it has not read. */
static u64 ring_count_unread(struct spscring *ring, u64 tail)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head = READ_ONCE(ring->blocks.consumer->cursor);

	if (tail - head > g->capacity)
		return 0;
	if (!ring_has(ring, SPSCRING_CREATE_RECORDS))
		return tail - head;
	return head & (g->stride - 1) ? 0 : ring_count_records(ring, head, tail);
}

/*
 * What is lost has its numbers all the same: the consumer's next is what it was, if that
 * can be, so that the next record tells how many are missing.
 */
static void ring_reset_consumer(struct spscring *ring, u64 pos, u64 sequence)
{
	u64 *drops = &ring->blocks.producer->drops;
	u64 *next = &ring->blocks.consumer->sequence;
	u64 lost;

	/* one that overwrites has its consumer count */
	lost = ring_has(ring, SPSCRING_CREATE_OVERWRITE) ? 0 : ring_count_unread(ring, pos);
	WRITE_ONCE(*drops, *drops + lost);
	if (ring_has(ring, SPSCRING_CREATE_RECORDS) &&
	    sequence - READ_ONCE(*next) > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence - lost);
}

/* The producer's next number is what it says, if that can be. */
static void ring_reset_producer(struct spscring *ring, u64 sequence)
{
	u64 *next = &ring->blocks.producer->sequence;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS) &&
	    READ_ONCE(*next) - sequence > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence);
}

/*
 * Where an empty ring begins: at the end's own position.  A producer that lies can have
 * taken its consumer near the wrap, if records are of any size: then the place without
 * its laps.
 */
static u64 ring_reset_position(struct spscring *ring, u64 pos)
{
	if (ring_has(ring, SPSCRING_CREATE_RECORDS) && pos > S64_MAX / 2)
		return pos % ring->geometry.data_bytes;
	return pos;
}

/* An empty ring's words; what is there yet, as a death would have left it, is mended. */
static int ring_empty(struct spscring *ring, u64 pos)
{
	struct spscring_producer_block *producer = ring->blocks.producer;
	struct spscring_consumer_block *consumer = ring->blocks.consumer;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		WRITE_ONCE(*ring_word(ring, pos), 0);
	else
		WRITE_ONCE(*ring_tail(ring, pos / ring->geometry.frame_records), pos);
	WRITE_ONCE(consumer->cursor, pos);
	WRITE_ONCE(consumer->published_head, pos);
	WRITE_ONCE(producer->oldest, pos);
	WRITE_ONCE(producer->cursor, pos);
	return ring_mend_producer(ring);
}

/* The other end is nobody's, and stays so while no claim is under way. */
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
 * ring_reset() - make a ring empty and whole
 * @ring: the ring
 * @role: the end that does it, held by kernel code; the other one is held by nobody
 * @pos: its position
 * @sequence: where records are of any size, the number of its next
 *
 * Its handle is to be made anew.
 *
 * Return: 0, or a negative errno, see spscring_reset_producer().
 */
int ring_reset(struct spscring *ring, u32 role, u64 pos, u64 sequence)
{
	int err;

	if (ring->of_user)
		return -EPERM;
	mutex_lock(&ring->claiming);
	/* the driver's, whoever is the caller */
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
