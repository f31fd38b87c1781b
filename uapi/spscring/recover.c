// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: recovery: bring the words of a dead end to a state from which its next holder
 * continues.  See view.h.
 */
#include <spscring/view.h>

/* How often a claim reads the producer's cursor, see positions(). */
#define SPSCRING_LOOKS	2

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/*
 * A producer stores the tails before its cursor.  If it was killed in between, it has
 * published more than its cursor says.  Move @pos on from the cursor, frame by frame, as far
 * as the tails say, but at most to @bound.  Return: 0, or what walk_on() says.
 */
static int published(const struct spscring_view *v, __u64 *pos, __u64 bound,
		     const struct spscring_recover_ops *ops)
{
	const struct spscring_geometry *g = &v->geometry;
	int err = 0;

	while (!err && *pos != bound) {
		__u64 frame = *pos / g->frame_elements;
		__u64 end = least((frame + 1) * g->frame_elements - *pos, bound - *pos);
		/* (B) pairs with (A) */
		__u64 n = spscring_load_acquire(spscring_view_tail(v, frame)) - *pos;

		if ((__s64)n <= 0 || n > g->capacity)
			break;
		*pos += least(n, end);
		if (n < end)
			break;
		err = ops->walk_on(v);
	}
	return err;
}

/*
 * As published(), for records of variable size: their words are stored before the
 * cursor.  @sequence, if given, is the producer's stored number of the next record; advance it
 * past the records found, as the producer stores it after the word.
 */
static int published_records(const struct spscring_view *v, __u64 *pos, __u64 bound,
			     __u64 *sequence, const struct spscring_recover_ops *ops)
{
	const struct spscring_geometry *g = &v->geometry;
	const __u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	int err = 0;

	while (!err && *pos != bound) {
		/* (Q) pairs with (P) */
		__u64 word = spscring_load_acquire(spscring_view_word(v, *pos));
		__u64 size = spscring_record_size(g->stride, (__u32)word);

		if ((word & bits) >> 32 != spscring_phase(g, *pos) || size > bound - *pos)
			break;
		*pos += size;
		/* never back: records dropped after these have taken larger numbers */
		if (sequence && !(word & SPSCRING_WORD_DISCARDED) &&
		    (__s64)(spscring_sequence_of(word, *sequence) - *sequence) >= 0)
			*sequence = spscring_sequence_of(word, *sequence) + 1;
		err = ops->walk_on(v);
	}
	return err;
}

/*
 * Find the ends' positions by their cursors and the tails.  Return: 0, -EPIPE the words are
 * impossible, or what walk_on() says.
 *
 * If the consumer is dead, the producer may live and publish meanwhile.  Between the loads of
 * its cursor and of a tail it can advance by a lap.  The walk then ends at once, at a position
 * before that of the consumer, which may have popped elements of a batch.  Before such a lap
 * the producer stores its cursor exactly, and by then it is beyond all that the dead consumer
 * popped.  A second read of the cursor finds that value.
 */
static int positions(const struct spscring_view *v, __u64 *head, __u64 *tail, __u64 *sequence,
		     const struct spscring_recover_ops *ops)
{
	int records = spscring_view_has_flag(v, SPSCRING_CREATE_RECORDS);
	__u64 capacity = v->geometry.capacity;
	int looks, err;

	*head = spscring_view_oldest(v);
	for (looks = 0; looks < SPSCRING_LOOKS; looks++) {
		*tail = spscring_view_producer(v);
		ops->looked(v, *head, *tail);
		/* no honest cursor comes near 2^64, where frame numbers would not be consecutive */
		if ((__s64)*head < 0 || (__s64)*tail < 0)
			break;
		if (records && (*head | *tail) & (v->geometry.stride - 1))
			break;
		/* within a batch the consumer may be ahead of the cursor */
		if (*tail - *head + capacity > 2 * capacity)
			break;
		err = records ? published_records(v, tail, *head + capacity, sequence, ops) :
			published(v, tail, *head + capacity, ops);
		if (err)
			return err;
		if ((__s64)(*tail - *head) >= 0)
			return 0;
	}
	return -EPIPE;
}

/*
 * Bring a dead producer's cursor and words into agreement: the cursor after the last published
 * record, and no record at the cursor.  The producer stored the sequence numbers before the
 * cursor and before the oldest position.
 */
static int recover_records(const struct spscring_view *v, const struct spscring_recover_ops *ops)
{
	struct spscring_producer_block *block = v->blocks.producer;
	__u64 sequence = spscring_read_once(block->sequence);
	__u64 head, tail, *word, behind;
	int err;

	err = positions(v, &head, &tail, &sequence, ops);
	if (err)
		return err;
	/* in a ring that is full to the last byte the word at tail is that of the oldest record */
	if (tail - head != v->geometry.data_bytes) {
		word = spscring_view_word(v, tail);
		spscring_write_once(*word, 0);
	}
	if (spscring_view_has_flag(v, SPSCRING_CREATE_OVERWRITE)) {
		word = spscring_view_word(v, head);
		behind = head == tail ? 0 : (sequence - (*word >> SPSCRING_WORD_SEQUENCE)) &
			 SPSCRING_WORD_SEQUENCE_MASK;
		spscring_write_once(block->oldest_sequence, sequence - behind);
	}
	spscring_write_once(block->sequence, sequence);
	/* (G) */
	spscring_store_release(&block->cursor, tail);
	return 0;
}

/* Bring a dead producer's cursor and tails into agreement. */
static int recover_producer(const struct spscring_view *v, const struct spscring_recover_ops *ops)
{
	const struct spscring_geometry *g = &v->geometry;
	__u64 head, tail, last, first, frame;
	int err;

	if (spscring_view_has_flag(v, SPSCRING_CREATE_RECORDS))
		return recover_records(v, ops);
	err = positions(v, &head, &tail, NULL, ops);
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
		__u64 *at = spscring_view_tail(v, frame), want = 0;

		if (frame < last)
			want = (frame + 1) * g->frame_elements;
		else if (frame == last && tail != last * g->frame_elements)
			want = tail;
		else if (frame >= g->frames)
			want = (frame - g->frames + 1) * g->frame_elements;
		if (spscring_read_once(*at) != want)
			/* (A): the elements were stored before */
			spscring_store_release(at, want);
		err = ops->walk_on(v);
		if (err)
			return err;
	}
	/* (G) */
	spscring_store_release(&v->blocks.producer->cursor, tail);
	return 0;
}

/*
 * Recover the consumer of a ring that overwrites.  The producer does not wait for it, so its
 * cursor may be any distance behind: the next pop continues at the oldest record.  A living
 * producer may advance by laps meanwhile, hence a second read as in positions().
 */
static int recover_late(const struct spscring_view *v, const struct spscring_recover_ops *ops)
{
	__u64 head = spscring_view_head(v), tail;
	int looks, err;

	if ((__s64)head < 0 || head & (v->geometry.stride - 1))
		return -EPIPE;
	for (looks = 0; looks < SPSCRING_LOOKS; looks++) {
		/* (H) pairs with (G) */
		tail = spscring_load_acquire(&v->blocks.producer->cursor);
		if ((__s64)tail < 0 || tail & (v->geometry.stride - 1))
			break;
		/* the consumer may have popped records beyond the producer's cursor */
		err = published_records(v, &tail, tail + v->geometry.capacity, NULL, ops);
		if (err)
			return err;	/* GCOVR_EXCL_LINE: killed in the walk over a batch */
		if (head <= tail)
			return 0;
	}
	return -EPIPE;
}

/* A dead consumer's cursor is exact: make the published head agree with it. */
static int recover_consumer(const struct spscring_view *v, const struct spscring_recover_ops *ops)
{
	__u64 head, tail;
	int err;

	if (spscring_view_has_flag(v, SPSCRING_CREATE_OVERWRITE))
		return recover_late(v, ops);
	err = positions(v, &head, &tail, NULL, ops);
	if (err)
		return err;
	/* (E) */
	spscring_store_release(&v->blocks.consumer->published_head, head);
	return 0;
}

int spscring_recover(const struct spscring_view *v, __u32 role,
		     const struct spscring_recover_ops *ops)
{
	return role == SPSCRING_PRODUCER ? recover_producer(v, ops) : recover_consumer(v, ops);
}
