/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: records of variable size.  The protocol and the terms are in end.h.
 *
 * A record is a word (see word.h), then its bytes, contiguous in memory: the data are mapped
 * twice, one behind the other.  Positions count bytes; each is a multiple of the ring's alignment,
 * and it is the bytes that are aligned.
 *
 *	 word	bytes	       word   bytes  word
 *	+------+------------+-+------+------+-+------+--------
 *	| 4711 | a record   |.| 4712 | next |.| 0    | free ..		data
 *	+------+------------+-+------+------+-+------+--------
 *
 *	producer			consumer
 *	--------			--------
 *	room   as in end.h		poll   word
 *	  (D), (F)			  LOAD.acq word	       (Q)
 *	put    bytes			take   bytes
 *	  STORE	    next word, 0	release
 *	publish				  STORE.rel cursor     (C)
 *	  STORE.rel word       (P)
 *	  STORE	    sequence
 *	  STORE.rel cursor     (G)
 *
 * Pairs beside those of end.h:
 *
 *	P-Q	the bytes are there before the word that publishes them; and so is the 0, or
 *		the word of the previous lap, where the next word will be
 *
 * A record that fills the ring to the last byte leaves no next word to clear: a word of the
 * previous lap is there.  The producer clears some words ahead in a row, which also fetches their
 * lines, see record.c.
 *
 * The consumer reads a word once, and checks its length before using it.  It accepts none beyond
 * the capacity, so with a lying producer it still reads only its own mapping of the data.  It
 * never writes the data.
 *
 * Words with lengths in the ring, and data that are mapped twice, are the BPF ring buffer's
 * (kernel/bpf/ringbuf.c).
 *
 * Errors of push and reserve beside those of end.h:
 *
 *	-EMSGSIZE	the record is longer than the ring can ever hold
 *	-ENOBUFS	no room, in a ring that drops: the record is lost and counted.  There it
 *			is also lost and counted where the peer's end makes the error -ESHUTDOWN
 *			or -EPIPE, but not once the ring is broken or this end is shut down
 *
 * Errors of pop and peek beside those of end.h:
 *
 *	-EMSGSIZE	pop: the record is longer than the place to pop to
 *	-EBUSY		there is more, but this call has tried long enough: it was overtaken
 *			SPSCRING_OVERTAKEN_MAX times, or passed SPSCRING_DISCARDED_MAX discarded
 *			records
 */
#ifndef _SPSCRING_RECORD_H
#define _SPSCRING_RECORD_H

#include <spscring/overwrite.h>
#include <spscring/word.h>

SPSCRING_BEGIN_DECLS

/**
 * spscring_record_drop() - give up records that found no room
 * @p: the producer
 * @n: how many
 *
 * The producer counts them as dropped, and gives them sequence numbers.  So the consumer sees a
 * gap before the next record, for up to 2^29 - 1 dropped in a row; INFO has the count of all.  In
 * a ring with SPSCRING_CREATE_DROP a push does this by itself.
 */
void spscring_record_drop(struct spscring_record_producer *p, __u64 n) SPSCRING_COLD;

/**
 * spscring_record_needs() - how much room to wait for before a push
 * @p: the producer
 * @length: of a record, in bytes
 *
 * Return: bytes of the ring, for spscring_record_wait_room() and _has_room().
 */
static inline __u64 spscring_record_needs(const struct spscring_record_producer *p, __u64 length)
{
	return spscring_record_size(p->base.stride, length);
}

/*
 * Make @size bytes from pos on writable, where spscring_record_fits() says no: step to the next
 * lap, refresh the cached limit or overwrite, and clear words ahead.  @length is that of the last
 * record in them, which is checked first.
 */
int spscring_record_make_room(struct spscring_record_producer *p, __u64 length, __u64 size);

/*
 * Publish @records records in the next @size bytes.  All is written but the word of the first:
 * storing that word publishes all of them.  @first: the first one's length and discarded bit.
 */
static SPSCRING_INLINE void spscring_record_publish(struct spscring_record_producer *p, __u64 first,
						    __u64 size, __u64 records)
{
	__u64 *at = (__u64 *)p->word, sequence = p->sequence;

	p->base.pos += size;
	p->word = (char *)at + size;
	p->sequence = sequence + records;
	/* (P) pairs with (Q) */
	spscring_store_release(at, spscring_word(sequence, p->phase) | first);
}

static SPSCRING_INLINE void spscring_record_publish_cursor(struct spscring_record_producer *p)
{
	__u64 *cursor = p->base.cursor;

	spscring_write_once(cursor[1], p->sequence);
	/* (G) pairs with (H) */
	spscring_store_release(cursor, p->base.pos);
}

static SPSCRING_INLINE int spscring_record_after_publish(struct spscring_record_producer *p)
{
	spscring_record_publish_cursor(p);
	return spscring_after_publish(&p->base, p->base.pos);
}

static SPSCRING_INLINE void spscring_record_write(struct spscring_record_producer *p,
						  const void *rec,
						  __u64 length, __u64 size)
{
	__builtin_memcpy(p->word + SPSCRING_WORD, rec, length);
	spscring_record_publish(p, length, size, 1);
}

/* Push one record off the hot path; the caller publishes the cursor. */
static SPSCRING_INLINE int spscring_record_put(struct spscring_record_producer *p, const void *rec,
					       __u64 length, __u64 size)
{
	int err = spscring_record_make_room(p, length, size);

	if (err)
		return err;
	if (spscring_traced(push))
		spscring_trace_push(&p->base, (__u32)size);
	spscring_record_write(p, rec, length, size);
	return 0;
}

/* Out of line, so that the hot path of a push saves no registers. */
int spscring_record_push_slow(struct spscring_record_producer *p, const void *rec, __u64 length);

/* Is there room for a record of @length, which uses @size, without leaving the hot path? */
static SPSCRING_INLINE int spscring_record_fits(const struct spscring_record_producer *p,
						__u64 length, __u64 size)
{
	return length <= SPSCRING_WORD_LENGTH &&
		(__s64)(p->base.pos + size - p->base.run_end) <= 0;
}

/**
 * spscring_record_push() - push one record
 * @p: the producer, with nothing reserved
 * @rec: the record
 * @length: in bytes; may be 0
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_record_push(struct spscring_record_producer *p, const void *rec,
						__u64 length)
{
	__u64 size = spscring_record_size(p->base.stride, length);

	if (spscring_unlikely(!spscring_record_fits(p, length, size)))
		return spscring_record_push_slow(p, rec, length);
	spscring_record_write(p, rec, length, size);
	return spscring_record_after_publish(p);
}

/**
 * spscring_record_push_n() - push a batch
 * @p: the producer, with nothing reserved
 * @recs: the records
 * @n: how many
 *
 * Return: how many were pushed, fewer than @n if the next one could not be pushed; or a negative
 * errno if not even the first could be, see the top.  In a ring that drops, this call loses only
 * the first record that finds no room.
 */
static inline long spscring_record_push_n(struct spscring_record_producer *p,
					  const struct spscring_record *recs, size_t n)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n; i++) {
		__u64 length = recs[i].length;
		__u64 size = spscring_record_size(p->base.stride, length);

		if (spscring_likely(spscring_record_fits(p, length, size))) {
			spscring_record_write(p, recs[i].data, length, size);
			continue;
		}
		/* a claim relies on words leading the cursor by at most the capacity */
		spscring_record_publish_cursor(p);
		err = spscring_record_put(p, recs[i].data, length, size);
		if (err)
			break;
	}
	if (!i)
		return err;
	spscring_record_after_publish(p);
	return (long)i;
}

/* The word of a reserved record, unless it is the first. */
static SPSCRING_INLINE __u64 *spscring_record_word(void *rec)
{
	return (__u64 *)((char *)rec - SPSCRING_WORD);
}

/**
 * spscring_record_reserve() - reserve room for one record, to write it in place
 * @p: the producer
 * @length: the most that the record will have, in bytes
 * @rec: set to where the record begins
 *
 * The room follows that of the records reserved before; a commit publishes all of them together.
 * A record that with the reserved ones exceeds the capacity gets -EAGAIN in any ring, and is not
 * counted as dropped.  In a ring that drops, one that finds no room is numbered before the
 * reserved ones.
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_record_reserve(struct spscring_record_producer *p, __u64 length,
						   void **rec)
{
	__u64 size = spscring_record_size(p->base.stride, length), from = p->reserved;

	if (spscring_unlikely(!spscring_record_fits(p, length, from + size))) {
		int err = spscring_record_make_room(p, length, from + size);

		*rec = NULL;	/* for compilers that think it may stay unset */
		if (err)
			return err;
	}
	*rec = p->word + from + SPSCRING_WORD;
	if (spscring_likely(!from))
		p->first = length;	/* kept here: the consumer polls the word itself */
	else
		*spscring_record_word(*rec) = length;
	p->reserved = from + size;
	return 0;
}

static SPSCRING_INLINE __u64 *spscring_record_reserved(struct spscring_record_producer *p,
						       void *rec)
{
	__u64 *word = spscring_record_word(rec);

	return (char *)word == p->word ? &p->first : word;
}

/*
 * Give back the last @bytes of a reserved record, from @end on.  After the last reservation,
 * shrink p->reserved and clear the words there, or only the first, as stale data could pass for a
 * word.  Otherwise the bytes become a discarded record.
 */
void spscring_record_trim(struct spscring_record_producer *p, char *end, __u64 bytes);

/**
 * spscring_record_shrink() - make a reserved record shorter
 * @p: the producer
 * @rec: the record, from spscring_record_reserve()
 * @length: its length in bytes, at most what was reserved
 */
static inline void spscring_record_shrink(struct spscring_record_producer *p, void *rec,
					  __u64 length)
{
	__u64 *word = spscring_record_reserved(p, rec);
	__u64 was = spscring_record_size(p->base.stride, (__u32)*word);
	__u64 is = spscring_record_size(p->base.stride, length);

	*word = (*word & ~SPSCRING_WORD_LENGTH) | length;
	if (is != was)
		spscring_record_trim(p, (char *)rec - SPSCRING_WORD + is, was - is);
}

/**
 * spscring_record_discard() - give up a reserved record
 * @p: the producer
 * @rec: the record, from spscring_record_reserve()
 *
 * The consumer does not see the record, and it has no sequence number.  If others were reserved
 * after it, its room stays in use until the consumer has passed it.
 */
static inline void spscring_record_discard(struct spscring_record_producer *p, void *rec)
{
	__u64 *word = spscring_record_reserved(p, rec);
	__u64 size = spscring_record_size(p->base.stride, (__u32)*word);

	if ((char *)rec - SPSCRING_WORD + size == p->word + p->reserved)
		spscring_record_trim(p, (char *)rec - SPSCRING_WORD, size);
	else
		*word |= SPSCRING_WORD_DISCARDED;
}

static SPSCRING_INLINE void spscring_record_after_commit(struct spscring_record_producer *p,
							 __u32 flags)
{
	if (flags & SPSCRING_NOWAKE) {
		spscring_record_publish_cursor(p);
		return;
	}
	spscring_record_after_publish(p);
	spscring_wake_now(&p->base, flags);
}

/* The general case: store the words of all but the first, then the first, which publishes all. */
void spscring_record_commit_many(struct spscring_record_producer *p, __u32 flags);

/**
 * spscring_record_commit_flags() - publish all that is reserved, and choose when to kick
 * @p: the producer
 * @flags: 0, SPSCRING_NOWAKE or SPSCRING_WAKE, see spscring_commit_flags()
 *
 * The consumer sees all of the records or none.
 */
static SPSCRING_INLINE void spscring_record_commit_flags(struct spscring_record_producer *p,
							 __u32 flags)
{
	__u64 size = p->reserved;

	if (spscring_unlikely(!size))
		return;
	if (spscring_unlikely(size != spscring_record_size(p->base.stride, (__u32)p->first) ||
			      p->first & SPSCRING_WORD_DISCARDED || spscring_traced(push))) {
		spscring_record_commit_many(p, flags);
		return;
	}
	p->reserved = 0;
	spscring_record_publish(p, p->first, size, 1);
	spscring_record_after_commit(p, flags);
}

/**
 * spscring_record_commit_all() - publish all that is reserved
 * @p: the producer
 *
 * The consumer sees all of the records or none.
 */
static SPSCRING_INLINE void spscring_record_commit_all(struct spscring_record_producer *p)
{
	spscring_record_commit_flags(p, 0);
}

/**
 * spscring_record_commit() - publish a record, and all others that are reserved
 * @p: the producer
 * @rec: the record, from spscring_record_reserve()
 * @length: in bytes, at most what was reserved
 */
static SPSCRING_INLINE void spscring_record_commit(struct spscring_record_producer *p, void *rec,
						   __u64 length)
{
	if (length != (__u32)*spscring_record_reserved(p, rec))
		spscring_record_shrink(p, rec, length);
	spscring_record_commit_all(p);
}

static SPSCRING_INLINE void spscring_record_after_release(struct spscring_record_consumer *c)
{
	spscring_write_once(c->base.cursor[1], c->sequence);
	spscring_release_cursor(&c->base, c->base.pos);
	spscring_after_release(&c->base, c->base.pos);
}

/* Advance the sequence number to the one in @word, past the records that were dropped before. */
static SPSCRING_INLINE void spscring_record_count_gap(struct spscring_record_consumer *c,
						      __u64 word)
{
	c->sequence += ((word >> SPSCRING_WORD_SEQUENCE) - c->sequence) &
		       SPSCRING_WORD_SEQUENCE_MASK;
}

/*
 * Check a word that is not simply the next record's: there is none, the record is discarded, it
 * follows a gap, or the word is impossible.  Discarded records are passed.  An honest producer
 * cannot publish more than a capacity from the cursor on; more breaks the ring.
 *
 * Return: the next record's length, with pos at that record; or a negative errno.
 */
long spscring_record_refresh(struct spscring_record_consumer *c, __u64 word);

/* The length of the next record, which is at c->word; or a negative errno. */
static SPSCRING_INLINE long spscring_record_next_length(struct spscring_record_consumer *c)
{
	__u64 word = spscring_record_load(c);
	/* of the expected word nothing but the length is left */
	__u64 length = word ^ spscring_word(c->sequence, c->phase);

	if (spscring_unlikely(length >= c->known_length))
		return spscring_record_refresh(c, word);
	length = spscring_nospec(length, c->known_length);
	if (spscring_unlikely(c->base.fails != c->base.waited_fails))
		spscring_record_adapt_backoff(c);
	return (long)length;
}

static SPSCRING_INLINE void spscring_record_advance(struct spscring_record_consumer *c,
						    __u32 length)
{
	spscring_record_skip(c, spscring_record_size(c->base.stride, length));
	c->sequence++;
}

/* Step past the next @bytes in a pop or release, which is traced, as a peek is not. */
static SPSCRING_INLINE void spscring_record_take(struct spscring_record_consumer *c, __u64 bytes)
{
	if (spscring_traced(pop))
		spscring_trace_pop(&c->base, (__u32)bytes);
	spscring_record_skip(c, bytes);
}

static inline int spscring_record_memcpy(void *to, const void *rec, __u32 length)
{
	__builtin_memcpy(to, rec, length);
	return 0;
}

/* Copy the next record out and step past it; the caller releases it. */
static SPSCRING_INLINE long spscring_record_copy_out(struct spscring_record_consumer *c, void *to,
						     size_t size,
						     int (*copy)(void *to, const void *rec,
								 __u32 length))
{
	long length;
	int err;

	if (c->base.flags & SPSCRING_CREATE_OVERWRITE) {
		length = spscring_record_copy_overwritten(c, to, size, copy);
		if (length < 0)
			return length;
	} else {
		length = spscring_record_next_length(c);
		if (length < 0)
			return length;
		if ((__u64)length > size)
			return -EMSGSIZE;
		err = copy(to, c->word + SPSCRING_WORD, (__u32)length);
		if (err)
			return err;
	}
	spscring_record_take(c, spscring_record_size(c->base.stride, (__u32)length));
	c->sequence++;
	return length;
}

/**
 * spscring_record_pop_by() - pop one record with the caller's own copy function
 * @c: the consumer
 * @to: the place to copy to, passed to @copy
 * @size: of that place, in bytes
 * @copy: copies a record there; if it returns an error, the pop ends and the record stays.  In
 *	a ring that overwrites it is called again if the copy was torn.
 *
 * Return: as spscring_record_pop(), or what @copy returned.
 */
static SPSCRING_INLINE long spscring_record_pop_by(struct spscring_record_consumer *c, void *to,
						   size_t size,
						   int (*copy)(void *to, const void *rec,
							       __u32 length))
{
	long length = spscring_record_copy_out(c, to, size, copy);

	if (length >= 0)
		spscring_record_after_release(c);
	return length;
}

/* Out of line, so that the hot path of a pop saves no registers. */
long spscring_record_pop_slow(struct spscring_record_consumer *c, void *rec, size_t size);

/* Out of line: publish the head, adapt the back-off, check the event index after a fence. */
long spscring_record_pop_finish(struct spscring_record_consumer *c, long length);

/**
 * spscring_record_pop() - pop one record
 * @c: the consumer
 * @rec: where to copy it
 * @size: of the place, in bytes
 *
 * The result is a copy that nobody changes.  In a ring that overwrites, the record may be a later
 * one than the next: spscring_record_sequence() returns its number.
 *
 * Return: its length; or a negative errno, see the top: -EMSGSIZE the record is longer than
 * @size, and stays; -EBUSY there is more.
 */
static SPSCRING_INLINE long spscring_record_pop(struct spscring_record_consumer *c, void *rec,
						size_t size)
{
	/* local copies, as the compiler must assume that @rec may point to the handle */
	__u64 pos = c->base.pos, sequence = c->sequence, *cursor = c->base.cursor;
	char *at = c->word;
	/* in a ring that overwrites, known_length is 0 */
	__u64 length = spscring_record_load(c) ^ spscring_word(sequence, c->phase), taken;

	if (spscring_unlikely(length >= c->known_length || length > size))
		return spscring_record_pop_slow(c, rec, size);
	if (__builtin_constant_p(size) && size <= SPSCRING_LINE) {
		/* a record that fills a place of constant size is copied without a call */
		if (spscring_unlikely(length != size))
			return spscring_record_pop_slow(c, rec, size);
		length = size;	/* the peer's word does not steer what follows */
		__builtin_memcpy(rec, at + SPSCRING_WORD, size);
	} else {
		length = spscring_nospec(length, c->known_length);
		__builtin_memcpy(rec, at + SPSCRING_WORD, length);
	}
	taken = spscring_record_size(c->base.stride, (__u32)length);
	pos += taken;
	at += taken;
	if (spscring_unlikely(at >= c->base.end))
		at = spscring_record_wrap(c, at);
	c->base.pos = pos;
	c->word = at;
	c->sequence = ++sequence;
	spscring_write_once(cursor[1], sequence);
	/* (C) pairs with (D) */
	spscring_store_release(cursor, pos);
	spscring_consumer_note_cpu(&c->base);
	if (spscring_unlikely((__s64)(pos - c->base.publish_at) >= 0 ||
			      c->base.fails != c->base.waited_fails ||
			      spscring_event_reached(c->base.event, pos)))
		return spscring_record_pop_finish(c, (long)length);
	return (long)length;
}

/**
 * spscring_record_sequence() - the sequence number of the record popped last
 * @c: the consumer
 *
 * The first record has number 0; each that is pushed or dropped counts.
 *
 * Return: the number.
 */
static inline __u64 spscring_record_sequence(const struct spscring_record_consumer *c)
{
	return c->sequence - 1;
}

/**
 * spscring_record_pop_n() - pop a batch
 * @c: the consumer
 * @recs: the place for each, and its size; then the length and number of each
 * @n: how many
 *
 * Return: how many were popped, fewer than @n if there are no more; or a negative errno if there
 * was none at all, as spscring_record_pop().
 */
static inline long spscring_record_pop_n(struct spscring_record_consumer *c,
					 struct spscring_record *recs, size_t n)
{
	long length = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		length = spscring_record_copy_out(c, recs[i].data, recs[i].length,
						  spscring_record_memcpy);
		if (spscring_unlikely(length < 0))
			break;
		/*
		 * Two stores: a compiler that merges them keeps the length in a vector register,
		 * which delays the address of the next word.
		 */
		spscring_write_once(recs[i].length, (__u32)length);
		spscring_write_once(recs[i].sequence, c->sequence - 1);
	}
	if (!i)
		return length;
	spscring_record_after_release(c);
	return (long)i;
}

/* The length of the next record, if it may be read in place. */
static SPSCRING_INLINE long spscring_record_peek_length(struct spscring_record_consumer *c)
{
	if (c->base.flags & SPSCRING_CREATE_OVERWRITE)
		return -EOPNOTSUPP;
#ifdef __KERNEL__
	if (c->base.peer_is_user)
		return -EPERM;
#endif
	return spscring_record_next_length(c);
}

static SPSCRING_INLINE void spscring_record_describe(const struct spscring_record_consumer *c,
						     struct spscring_record *rec, long length)
{
	rec->data = c->word + SPSCRING_WORD;
	rec->length = (__u32)length;
	rec->sequence = c->sequence;
}

/**
 * spscring_record_peek_n() - find records to read in place
 * @c: the consumer
 * @recs: set to where they are
 * @n: how many, at least 1
 *
 * They begin with the first that is not released, and may be fewer than are there: they end before
 * a gap and before a discarded record.  The memory is the producer's: a producer that
 * is not trusted may change it while it is read.
 *
 * Return: how many there are, 1 to @n; or a negative errno, see the top, and
 * -EOPNOTSUPP a ring that overwrites; in the kernel, -EPERM a ring whose producer
 * is a user.
 */
static inline long spscring_record_peek_n(struct spscring_record_consumer *c,
					  struct spscring_record *recs, size_t n)
{
	struct spscring_record_consumer at;
	long length;
	size_t i;

	length = spscring_record_peek_length(c);
	if (length < 0)
		return length;
	at = *c;
	for (i = 0; ; ) {
		spscring_record_describe(&at, &recs[i], length);
		spscring_record_advance(&at, (__u32)length);
		if (++i >= n)
			break;
		/* only if the word is exactly the expected one; a gap is left to the next call */
		length = (long)(spscring_record_load(&at) ^
				spscring_word(at.sequence, at.phase));
		if ((__u64)length >= c->known_length ||
		    at.base.pos - c->base.pos + spscring_record_size(c->base.stride,
								     (__u32)length) >
		    c->base.capacity)
			break;
	}
	return (long)i;
}

/**
 * spscring_record_release_n() - release the first of the records peeked
 * @c: the consumer
 * @recs: from spscring_record_peek_n()
 * @n: how many of them, from the first on
 */
static inline void spscring_record_release_n(struct spscring_record_consumer *c,
					     const struct spscring_record *recs, size_t n)
{
	__s64 bytes;

	if (spscring_unlikely(!n))
		return;
	recs += n - 1;
	bytes = (char *)recs->data - SPSCRING_WORD - c->word;
	if (bytes < 0)		/* of the next lap */
		bytes += c->base.end - c->base.data;
	spscring_record_take(c, (__u64)bytes + spscring_record_size(c->base.stride, recs->length));
	c->sequence = recs->sequence + 1;
	spscring_record_after_release(c);
}

/**
 * spscring_record_peek() - find the next record, to read in place
 * @c: the consumer
 * @rec: set to where it is; see spscring_record_peek_n()
 *
 * Return: 0, or a negative errno, as spscring_record_peek_n().
 */
static SPSCRING_INLINE int spscring_record_peek(struct spscring_record_consumer *c,
						struct spscring_record *rec)
{
	long length;

	/* for compilers that think it may stay unset */
	memset(rec, 0, sizeof(*rec));
	length = spscring_record_peek_length(c);
	if (spscring_unlikely(length < 0))
		return (int)length;
	spscring_record_describe(c, rec, length);
	return 0;
}

/**
 * spscring_record_release() - release the record peeked
 * @c: the consumer
 * @rec: from spscring_record_peek()
 */
static SPSCRING_INLINE void spscring_record_release(struct spscring_record_consumer *c,
						    const struct spscring_record *rec)
{
	spscring_record_take(c, spscring_record_size(c->base.stride, (__u32)rec->length));
	c->sequence++;
	spscring_record_after_release(c);
}

/**
 * spscring_record_backoff() - wait between two tries to pop, see spscring_backoff()
 * @c: the consumer, after -EAGAIN
 */
static inline void spscring_record_backoff(const struct spscring_record_consumer *c)
{
	spscring_backoff_for(c->base.backoff);
}

/**
 * spscring_record_has_room() - are at least @bytes free?
 * @p: the producer
 * @bytes: of the ring, see spscring_record_needs(); more than the capacity are never free
 *
 * This reads the consumer's exact cursor, whose line the consumer often writes.  It is meant for
 * a producer that waits, not for each push.
 *
 * Return: 1 if there is room, or 0.
 */
static inline int spscring_record_has_room(const struct spscring_record_producer *p, __u64 bytes)
{
	return spscring_base_has_room(&p->base, bytes);
}

/**
 * spscring_record_has_bytes() - are at least @bytes of records published and not yet popped?
 * @c: the consumer
 * @bytes: of the ring, 1 for the next record; more than the capacity never are
 *
 * This reads the producer's cursor.
 *
 * Return: 1 if they are, or 0.
 */
static inline int spscring_record_has_bytes(const struct spscring_record_consumer *c, __u64 bytes)
{
	/* (H) pairs with (G) */
	__u64 tail = spscring_load_acquire(&c->base.peer->cursor);

	return bytes <= c->base.capacity && (__s64)(tail - c->base.pos - bytes) >= 0;
}

/**
 * spscring_record_spin_room() - spin until there is room, for a short time before a sleep
 * @p: the producer
 * @bytes: of the ring, at most the capacity
 *
 * Return: 1 if there is, or 0.
 */
static inline int spscring_record_spin_room(struct spscring_record_producer *p, __u64 bytes)
{
	return spscring_base_spin_room(&p->base, bytes);
}

/**
 * spscring_record_spin_bytes() - spin until records are published, for a short time before a sleep
 * @c: the consumer
 * @bytes: of the ring, at most the capacity
 *
 * Return: 1 if they are, or 0.
 */
int spscring_record_spin_bytes(struct spscring_record_consumer *c, __u64 bytes);

SPSCRING_END_DECLS

#endif /* _SPSCRING_RECORD_H */
