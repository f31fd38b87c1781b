// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery: bring the words of a dead end to a state from which its next holder continues.
 * Reset: a driver empties its own ring.
 */
#include <linux/sched.h>
#include <spscring/record.h>

#include "ring.h"
#include "trace.h"

/* A walk over a large ring takes seconds: stop it if the caller is killed. */
static int ring_walk_on(const struct spscring *ring)
{
	cond_resched();
	return ring_killed(ring) ? -EINTR : 0;
}

/*
 * A producer stores the tails before its cursor.  If it was killed in between, it has
 * published more than its cursor says.  Move @pos on from the cursor, frame by frame, as far
 * as the tails say, but at most to @bound.  Return: 0, or -EINTR.
 */
static int ring_published(struct spscring *ring, u64 *pos, u64 bound)
{
	const struct spscring_geometry *g = &ring->geometry;
	int err = 0;

	while (!err && *pos != bound) {
		u64 frame = *pos / g->frame_elements;
		u64 end = min((frame + 1) * g->frame_elements - *pos, bound - *pos);
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
 * As ring_published(), for records of variable size: their words are stored before the
 * cursor.  @sequence, if given, is the producer's stored number of the next record; advance it
 * past the records found, as the producer stores it after the word.
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
		/* never back: records dropped after these have taken larger numbers */
		if (sequence && !(word & SPSCRING_WORD_DISCARDED) &&
		    (s64)(spscring_sequence_of(word, *sequence) - *sequence) >= 0)
			*sequence = spscring_sequence_of(word, *sequence) + 1;
		err = ring_walk_on(ring);
	}
	return err;
}

/* How often a claim reads the producer's cursor, see ring_positions(). */
#define RING_LOOKS	2

/*
 * Find the ends' positions by their cursors and the tails.  Return: 0, -EPIPE the words are
 * impossible, or -EINTR.
 *
 * If the consumer is dead, the producer may live and publish meanwhile.  Between the loads of
 * its cursor and of a tail it can advance by a lap.  The walk then ends at once, at a position
 * before that of the consumer, which may have popped elements of a batch.  Before such a lap
 * the producer stores its cursor exactly, and by then it is beyond all that the dead consumer
 * popped.  A second read of the cursor finds that value.
 */
static int ring_positions(struct spscring *ring, u64 *head, u64 *tail, u64 *sequence)
{
	bool records = ring_has_flag(ring, SPSCRING_CREATE_RECORDS);
	u64 capacity = ring->geometry.capacity;
	int looks, err;

	*head = ring_oldest(ring);
	for (looks = 0; looks < RING_LOOKS; looks++) {
		*tail = ring_producer_position(ring);
		trace_spscring_recover(ring, *head, *tail);
		/* no honest cursor comes near 2^64, where frame numbers would not be consecutive */
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
 * Bring a dead producer's cursor and words into agreement: the cursor after the last published
 * record, and no record at the cursor.  The producer stored the sequence numbers before the
 * cursor and before the oldest position.
 */
static int ring_recover_records(struct spscring *ring)
{
	struct spscring_producer_block *block = ring->blocks.producer;
	u64 sequence = READ_ONCE(block->sequence);
	u64 head, tail, *word, behind;
	int err;

	err = ring_positions(ring, &head, &tail, &sequence);
	if (err)
		return err;
	/* in a ring that is full to the last byte the word at tail is that of the oldest record */
	if (tail - head != ring->geometry.data_bytes)
		WRITE_ONCE(*ring_word(ring, tail), 0);
	if (ring_has_flag(ring, SPSCRING_CREATE_OVERWRITE)) {
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

/* Bring a dead producer's cursor and tails into agreement. */
static int ring_recover_producer(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head, tail, last, first, frame;
	int err;

	if (ring_has_flag(ring, SPSCRING_CREATE_RECORDS))
		return ring_recover_records(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/*
	 * Store what each frame's tail has to be.  A frame before the last one is complete, the
	 * last one ends at tail, and the others keep the tail of the lap before: no tail may be
	 * from a lap to come.
	 */
	last = tail / g->frame_elements;
	first = last < g->frames ? 0 : last - g->frames + 1;
	for (frame = first; frame < first + g->frames; frame++) {
		u64 want = 0;

		if (frame < last)
			want = (frame + 1) * g->frame_elements;
		else if (frame == last && tail != last * g->frame_elements)
			want = tail;
		else if (frame >= g->frames)
			want = (frame - g->frames + 1) * g->frame_elements;
		if (READ_ONCE(*ring_tail(ring, frame)) != want)
			/* (A): the elements were stored before */
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
 * Recover the consumer of a ring that overwrites.  The producer does not wait for it, so its
 * cursor may be any distance behind: the next pop continues at the oldest record.  A living
 * producer may advance by laps meanwhile, hence a second read as in ring_positions().
 */
static int ring_recover_late(struct spscring *ring)
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
		/* the consumer may have popped records beyond the producer's cursor */
		err = ring_published_records(ring, &tail, tail + ring->geometry.capacity, NULL);
		if (err)
			return err;
		if (head <= tail)
			return 0;
	}
	return -EPIPE;
}

/* A dead consumer's cursor is exact: make the published head agree with it. */
static int ring_recover_consumer(struct spscring *ring)
{
	u64 head, tail;
	int err;

	if (ring_has_flag(ring, SPSCRING_CREATE_OVERWRITE))
		return ring_recover_late(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/* (E) */
	smp_store_release(&ring->blocks.consumer->published_head, head);
	return 0;
}

/*
 * Recover a dead end.  Return: 0; -EBUSY somebody has pinned pages that its dead holder could
 * write; -EPIPE the ring is broken; -EINTR killed.
 *
 * The stores repeat what the walk found, and the cursor comes last.  A walk that was
 * interrupted before that can be done again from the same cursor, with the same result.
 */
int ring_recover(struct spscring *ring, u32 role)
{
	int err;

	lockdep_assert_held(&ring->claiming);
	err = memmap_pinned(ring, role);
	if (err)
		return err;
	err = role == SPSCRING_PRODUCER ? ring_recover_producer(ring) : ring_recover_consumer(ring);
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
	return ring_recover_producer(ring);
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
