/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: a ring of records in which the oldest make room, whether they were read or not.
 *
 * The producer reads nothing that the consumer writes.  It moves the oldest position out of the
 * way of what it will write, publishes that position, and then writes.  The consumer copies a
 * record, then reads the oldest position again: if that has passed the record, the copy may be
 * torn, and the consumer goes on at the oldest.  So there is no peek.
 *
 *	producer			consumer
 *	--------			--------
 *	oldest				poll
 *	  STORE	    its sequence	  LOAD.acq oldest      (U)
 *	  STORE.rel oldest     (T)	  LOAD	   its sequence
 *	  FENCE.w	       (R)	  LOAD.acq word	       (Q)
 *	put, publish			take   bytes
 *					  FENCE.r	       (S)
 *					  LOAD	   oldest
 *
 * Pairs, and what each is for:
 *
 *	T-U	the records from the oldest position on were published before that position
 *	R-S	a consumer that has read a byte of what overwrites finds the oldest position
 *		beyond it
 *
 * To overwrite by a published oldest position is the BPF ring buffer's; to validate after the
 * copy is a seqlock's.
 */
#ifndef _SPSCRING_OVERWRITE_H
#define _SPSCRING_OVERWRITE_H

#include <spscring/word.h>

SPSCRING_BEGIN_DECLS

/* How many tries one call makes while the producer overtakes it. */
#define SPSCRING_OVERTAKEN_MAX	16

/*
 * Move the oldest position on, so that all before @end may be written.  It moves some further,
 * so that not each push has to publish it, but never beyond pos.  Return: 0, or -EPIPE.
 */
int spscring_record_overwrite(struct spscring_record_producer *p, __u64 end);

/*
 * Go on at the producer's oldest position if that is beyond this end's own.  @sequence is set to
 * a number that is near that of the oldest record.  Return: 0, or -EPIPE.
 */
static SPSCRING_INLINE int spscring_record_resync(struct spscring_record_consumer *c,
						  __u64 *sequence)
{
	/* (U) pairs with (T) */
	__u64 oldest = spscring_load_acquire(&c->base.peer->oldest);
	__u64 data = (__u64)(c->base.end - c->base.data);

	*sequence = spscring_read_once(c->base.peer->oldest_sequence);
	if ((__s64)(oldest - c->base.pos) <= 0)
		return 0;
	if (spscring_unlikely((__s64)oldest < 0 || oldest & (c->base.stride - 1)))
		return spscring_record_consumer_broken(c);
	c->base.pos = oldest;
	c->word = c->base.data + oldest % data;
	c->phase = SPSCRING_PHASE_PUBLISHED |
		   (oldest / data % 2 ? SPSCRING_PHASE_LAP : 0);
	/* the kernel counts the index of a wait from the cursor */
	spscring_release_cursor(&c->base, c->base.pos);
	return 0;
}

/* Is what was read from pos on what was published there, not torn? */
static SPSCRING_INLINE int spscring_record_intact(const struct spscring_record_consumer *c)
{
	/* (S) pairs with (R) */
	spscring_rmb();
	return (__s64)(spscring_read_once(c->base.peer->oldest) - c->base.pos) <= 0;
}

/*
 * Load the word of the oldest record from pos on; @sequence as of spscring_record_resync().
 * Return: 0; -EBUSY overtaken; or another error.
 */
static SPSCRING_INLINE int spscring_record_oldest_word(struct spscring_record_consumer *c,
						       __u64 *word, __u64 *sequence)
{
	int err = spscring_record_resync(c, sequence);

	if (spscring_unlikely(err))
		return err;
	*word = spscring_record_load(c);
	if (spscring_word_is_there(c, *word) &&
	    spscring_record_size(c->base.stride, (__u32)*word) <= c->base.capacity)
		return 0;
	if (!spscring_record_intact(c))
		return -EBUSY;
	if (spscring_unlikely(spscring_word_is_there(c, *word) || !spscring_word_is_empty(*word)))
		return spscring_record_consumer_broken(c);
	return spscring_record_empty_status(c);
}

/*
 * A record was copied: accept it unless it is torn (-EBUSY), and count the records that were
 * overrun before it.
 */
static SPSCRING_INLINE int spscring_record_accept(struct spscring_record_consumer *c, __u64 word,
						  __u64 sequence)
{
	__u64 *overruns = &c->base.block->overruns, missing;

	if (spscring_unlikely(!spscring_record_intact(c)))
		return -EBUSY;
	if (word & SPSCRING_WORD_DISCARDED)
		return 0;
	/* its number is near the later of the two, whether this end was overtaken or not */
	if ((__s64)(sequence - c->sequence) < 0)
		sequence = c->sequence;
	missing = spscring_sequence_of(word, sequence) - c->sequence;
	c->sequence += missing;
	/* negative after a death within a pop: the same record is popped again */
	if ((__s64)missing > 0)
		spscring_write_once(*overruns, *overruns + missing);
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	return 0;
}

/*
 * Copy the oldest record, again if the copy was torn; the caller steps past it and releases it.
 * Return: its length, or a negative errno.
 */
static SPSCRING_NOINLINE long spscring_record_copy_overwritten(struct spscring_record_consumer *c,
							       void *to, size_t size,
							       int (*copy)(void *to,
									   const void *rec,
									   __u32 length))
{
	__u32 length, discarded = 0;
	__u64 word, sequence;
	int err, tries;

	if (spscring_unlikely(c->base.error))
		return c->base.error;
	for (tries = 0; tries < SPSCRING_OVERTAKEN_MAX; tries++) {
		err = spscring_record_oldest_word(c, &word, &sequence);
		if (err == -EBUSY)
			continue;
		if (err)
			return err;
		length = (__u32)spscring_nospec(word & SPSCRING_WORD_LENGTH, c->base.capacity);
		if (!(word & SPSCRING_WORD_DISCARDED)) {
			if (spscring_unlikely(length > size)) {
				if (spscring_record_intact(c))
					return -EMSGSIZE;
				continue;
			}
			err = copy(to, c->word + SPSCRING_WORD, length);
			if (err)
				return err;
		}
		if (spscring_record_accept(c, word, sequence))
			continue;
		if (!(word & SPSCRING_WORD_DISCARDED))
			return length;
		spscring_record_skip(c, spscring_record_size(c->base.stride, length));
		spscring_release_cursor(&c->base, c->base.pos);
		if (++discarded == SPSCRING_DISCARDED_MAX)
			break;
		tries--;
	}
	return -EBUSY;
}

SPSCRING_END_DECLS

#endif /* _SPSCRING_OVERWRITE_H */
