/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: records of any size, for the kernel and for user space.  What is
 * common with records of one size (cursors, room, sleep, the peer's end, errors)
 * is in spscring_ring.h.
 *
 * A record is a word, then its bytes, whole in memory: the data are mapped twice,
 * back to back.  Positions count bytes and only grow; each is a multiple of the
 * ring's alignment, and it is the bytes that are aligned.
 *
 *	 word	bytes	       word   bytes  word
 *	+------+------------+-+------+------+-+------+--------
 *	| 4711 | a record   |.| 4712 | next |.| 0    | free ..		data
 *	+------+------------+-+------+------+-+------+--------
 *
 *	producer			consumer
 *	--------			--------
 *	room   as in spscring_ring.h	look   word
 *	  (D), (F)			  LOAD.acq word	       (Q)
 *	put    bytes			take   bytes
 *	  STORE	    next word, 0	release
 *	publish				  STORE.rel cursor     (C)
 *	  STORE.rel word       (P)
 *	  STORE	    sequence
 *	  STORE.rel cursor     (G)
 *
 *	one that overwrites
 *	-------------------
 *	oldest				look
 *	  STORE	    its number		  LOAD.acq oldest      (U)
 *	  STORE.rel oldest     (T)	  LOAD	   its number
 *	  FENCE.w	       (R)	  LOAD.acq word	       (Q)
 *	put, publish			take   bytes
 *					  FENCE.r	       (S)
 *					  LOAD	   oldest
 *
 * Pairs, and what each is for:
 *
 *	P-Q	the bytes are there before the word that says so; and so is the 0,
 *		or the word of the lap before, where the next word will be
 *	T-U	what lies behind the oldest that is told was published
 *	R-S	who has read a byte of what overwrites finds the oldest beyond it
 *
 * The word: length, published, discarded, lap, and the low bits of the sequence
 * number, which counts dropped records too, so that a gap tells how many these
 * were.  A record that fills the ring to the last byte leaves no word to clear:
 * there is one of the lap before.  Words ahead are cleared some at a time, in a
 * row, which also gets their lines back, see spscring_touch().
 *
 * The consumer reads a word once, and checks that length before it is used; it
 * never writes the data.  No record is longer than the capacity, so a peer that lies
 * has it read its own mapping, no more.
 *
 * A ring that overwrites: the producer reads nothing that the consumer writes.  It
 * moves the oldest out of the way of what it will write, tells it, and writes.  The
 * consumer copies, and looks at the oldest again: if that has moved beyond what it
 * has copied, it goes on there.  So there is no peek.
 *
 * Length words in the ring and the data mapped twice are the BPF ring buffer's
 * (kernel/bpf/ringbuf.c), as is the overwriting by a told oldest; the validation
 * after the copy is a seqlock's.
 *
 * Errors beside those of spscring_ring.h:
 *
 *	-EMSGSIZE	longer than the ring can ever hold; or than the place to pop to
 *	-ENOBUFS	no room, in a ring that drops: the record is lost and counted, as it
 *			is there with -ESHUTDOWN and -EPIPE unless the ring is broken
 *	-EBUSY		there is more, and this call has tried long enough: it was overtaken
 *			SPSCRING_OVERTAKEN_MAX times, or has passed SPSCRING_DISCARDED_MAX by
 */
#ifndef _UAPI_LINUX_SPSCRING_RECORD_H
#define _UAPI_LINUX_SPSCRING_RECORD_H

#include <linux/spscring_ring.h>

#define SPSCRING_WORD		8	/* sizeof of it */

/*
 * Words cleared ahead, and the largest record that is worth it; the largest of which the
 * next one's lines are the producer's before it comes; in bytes.
 */
#define SPSCRING_CLEAR		1024
#define SPSCRING_CLEAR_SMALL	512
#define SPSCRING_CLEAR_LARGE	2048

/* How far the oldest moves at least, unless that is a sixteenth of the ring. */
#define SPSCRING_OLDEST_STEP	4096

/* How often a consumer that is overtaken tries again. */
#define SPSCRING_OVERTAKEN_MAX	16

/* How many discarded records a call passes by. */
#define SPSCRING_DISCARDED_MAX	4096

/* The upper half of a word, but for the sequence. */
#define SPSCRING_PHASE_PUBLISHED	((__u32)(SPSCRING_WORD_PUBLISHED >> 32))
#define SPSCRING_PHASE_LAP		((__u32)(SPSCRING_WORD_LAP >> 32))

/**
 * struct spscring_record - one record of many.
 * @data:	where it is; to pop: where to.
 * @length:	in bytes; to pop: of the place, and then of the record.
 * @reserved:	0.
 * @sequence:	its sequence number, where it was peeked or popped.
 */
struct spscring_record {
	void *data;
	__u32 length;
	__u32 reserved;
	__u64 sequence;
};

/**
 * spscring_record_size() - what a record takes of the ring
 * @align: the ring's alignment
 * @length: of the record
 *
 * Return: bytes, a multiple of @align.
 */
static __always_inline __u64 spscring_record_size(__u32 align, __u32 length)
{
	return ((__u64)length + SPSCRING_WORD + align - 1) & -(__u64)align;
}

/* All of a word but the length, of a record that is there. */
static __always_inline __u64 spscring_word(__u64 sequence, __u32 phase)
{
	return (sequence << (SPSCRING_WORD_SEQUENCE - 32) | phase) << 32;
}

/* ------------------------------------------------------------- producer */

/**
 * spscring_record_drop() - give records up that found no room
 * @p: the producer
 * @n: how many
 *
 * They are counted, and the consumer learns it from the next sequence number: of
 * up to 2^29 - 1 in a row, INFO of any.  A ring that was made to drop does it by
 * itself.
 */
static SPSCRING_COLD void spscring_record_drop(struct spscring_producer *p, __u64 n)
{
	__u64 *drops = &p->lines->counters.more[SPSCRING_COUNT_DROPS];

	p->sequence += n;
	WRITE_ONCE(*drops, *drops + n);
	WRITE_ONCE(p->cursor[1], p->sequence);
}

/**
 * spscring_record_needs() - room to wait for
 * @p: the producer
 * @length: of a record, in bytes
 *
 * Return: bytes of the ring, for spscring_wait_room() and spscring_has_room().
 */
static inline __u64 spscring_record_needs(const struct spscring_producer *p, __u32 length)
{
	return spscring_record_size(p->stride, length);
}

/*
 * The oldest out of the way of all before @end, and some more, so that it is not
 * told each time; never beyond pos.
 */
static __always_inline int spscring_record_overwrite(struct spscring_producer *p, __u64 end)
{
	__u64 step = p->capacity / 16, oldest = p->oldest;
	const char *at = p->oldest_at;

	end += step < SPSCRING_OLDEST_STEP ? step : SPSCRING_OLDEST_STEP;
	while ((__s64)(oldest + p->capacity - end) < 0 && oldest != p->pos) {
		__u64 word = READ_ONCE(*(const __u64 *)at);
		__u64 size = spscring_record_size(p->stride, (__u32)word);

		if (unlikely(size > p->pos - oldest))
			return spscring_producer_broken(p);
		oldest += size;
		at += size;
		if (at >= p->end)
			at -= p->end - p->data;
		if (!(word & SPSCRING_WORD_DISCARDED))
			p->oldest_sequence = spscring_sequence_of(word, p->oldest_sequence) + 1;
	}
	p->oldest = oldest;
	p->oldest_at = at;
	p->limit = oldest + p->capacity;
	WRITE_ONCE(p->lines->oldest.more[0], p->oldest_sequence);
	/* (T) pairs with (U): what is published from here on is */
	smp_store_release(&p->lines->oldest.word, oldest);
	/* (R) pairs with (S): then the bytes */
	smp_wmb();
	return 0;
}

/*
 * The word at @next, and of small records those ahead as far as there is room.
 * Where the ring ends there is one of the lap before, which is as good.  A store to
 * each line first, so that they are all on their way before one has come; of larger
 * records it is all that is done ahead.
 */
static __always_inline void spscring_record_clear(struct spscring_producer *p, __u64 next,
						  __u64 size)
{
	__u64 room = p->limit + (__u64)(p->end - p->data) - p->capacity - next;
	__u64 bytes = size <= SPSCRING_CLEAR_SMALL ? SPSCRING_CLEAR : SPSCRING_WORD;
	__u64 ahead = size <= SPSCRING_CLEAR_LARGE && size > bytes ? size : bytes;
	__u32 step = p->stride > SPSCRING_TOUCH_STEP ? p->stride : SPSCRING_TOUCH_STEP;
	char *at = p->at + (next - p->pos);

	if (bytes > room)
		bytes = room & -(__u64)SPSCRING_WORD;
	if (ahead > room)
		ahead = bytes;
	spscring_touch_lines(at, ahead, step);
	if (p->stride < step)
		memset(at, 0, bytes);
	p->cleared = next + bytes;
}

/* @size more bytes, the next word among those cleared: all that is not the common case. */
static SPSCRING_NOINLINE int spscring_record_room(struct spscring_producer *p, __u64 size)
{
	__u64 next, stop, lap;
	int err;

	if (unlikely(size > p->capacity))
		return p->reserved ? -EAGAIN : -EMSGSIZE;
	if (p->at >= p->end) {
		p->at -= p->end - p->data;
		p->phase ^= SPSCRING_PHASE_LAP;
	}
	next = p->pos + size;
	if ((__s64)(next - p->limit) > 0) {
		if (p->flags & SPSCRING_CREATE_OVERWRITE)
			err = p->broken ? -EPIPE : spscring_record_overwrite(p, next);
		else
			err = spscring_refresh(p, size);
		if (unlikely(err)) {
			if (p->flags & SPSCRING_CREATE_DROP && !p->broken)
				spscring_record_drop(p, 1);
			return err == -EAGAIN && p->flags & SPSCRING_CREATE_DROP ? -ENOBUFS : err;
		}
	}
	if ((__s64)(next + SPSCRING_WORD - p->cleared) > 0)
		spscring_record_clear(p, next, size);
	/* before the lap's end, and where the word behind is clear */
	stop = p->limit;
	lap = p->pos + (__u64)(p->end - p->at) - 1;
	if ((__s64)(lap - stop) < 0)
		stop = lap;
	if ((__s64)(p->cleared - SPSCRING_WORD - stop) < 0)
		stop = p->cleared - SPSCRING_WORD;
	p->stop = stop;
	return 0;
}

/* The next @size bytes are records, complete but for the word of the first. */
static __always_inline void spscring_record_publish(struct spscring_producer *p, __u64 first,
						    __u64 size, __u64 records)
{
	__u64 *at = (__u64 *)p->at, sequence = p->sequence;

	p->pos += size;
	p->at = (char *)at + size;
	p->sequence = sequence + records;
	/* (P) pairs with (Q) */
	smp_store_release(at, spscring_word(sequence, p->phase) | first);
}

static __always_inline void spscring_record_cursor(struct spscring_producer *p)
{
	__u64 *cursor = p->cursor;

	WRITE_ONCE(cursor[1], p->sequence);
	/* (G) pairs with (H) */
	smp_store_release(cursor, p->pos);
}

static __always_inline int spscring_record_published(struct spscring_producer *p)
{
	spscring_record_cursor(p);
	return spscring_published(p);
}

static __always_inline void spscring_record_write(struct spscring_producer *p, const void *rec,
						  __u32 length, __u64 size)
{
	__builtin_memcpy(p->at + SPSCRING_WORD, rec, length);
	spscring_record_publish(p, length, size, 1);
}

/* One record, not yet told. */
static __always_inline int spscring_record_put(struct spscring_producer *p, const void *rec,
					       __u32 length, __u64 size)
{
	int err = spscring_record_room(p, size);

	if (err)
		return err;
	if (spscring_traced(push)) {
		spscring_trace_push(p, (__u32)size);
		p->stop = p->pos;	/* so that the next comes by here */
	}
	spscring_record_write(p, rec, length, size);
	return 0;
}

/* A call of its own, so that a push saves no registers. */
static SPSCRING_NOINLINE int spscring_record_push_slow(struct spscring_producer *p,
						       const void *rec, __u32 length)
{
	int err = spscring_record_put(p, rec, length, spscring_record_size(p->stride, length));

	return err ? err : spscring_record_published(p);
}

static __always_inline int spscring_record_fits(const struct spscring_producer *p, __u64 size)
{
	return (__s64)(p->pos + size - p->stop) <= 0;
}

/**
 * spscring_record_push() - push one record
 * @p: the producer, with nothing reserved
 * @rec: the record
 * @length: in bytes; may be 0
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_record_push(struct spscring_producer *p, const void *rec,
						__u32 length)
{
	__u64 size = spscring_record_size(p->stride, length);

	if (unlikely(!spscring_record_fits(p, size)))
		return spscring_record_push_slow(p, rec, length);
	spscring_record_write(p, rec, length, size);
	return spscring_record_published(p);
}

/**
 * spscring_record_push_n() - push a batch
 * @p: the producer, with nothing reserved
 * @recs: the records
 * @n: how many
 *
 * Return: how many were pushed, fewer than @n where there was no more room; or a
 * negative errno where the first could not be, see the top.  In a ring that drops
 * only the first that found no room is lost by this call.
 */
static inline long spscring_record_push_n(struct spscring_producer *p,
					  const struct spscring_record *recs, __u32 n)
{
	__u32 i;
	int err = 0;

	for (i = 0; i < n; i++) {
		__u32 length = recs[i].length;
		__u64 size = spscring_record_size(p->stride, length);

		if (likely(spscring_record_fits(p, size))) {
			spscring_record_write(p, recs[i].data, length, size);
			continue;
		}
		/* words lead the cursor by a capacity at most, for a claim */
		spscring_record_cursor(p);
		err = spscring_record_put(p, recs[i].data, length, size);
		if (err)
			break;
	}
	if (!i)
		return err;
	spscring_record_published(p);
	return i;
}

/* A record's word that is reserved behind the first. */
static __always_inline __u64 *spscring_record_word(void *rec)
{
	return (__u64 *)((char *)rec - SPSCRING_WORD);
}

/**
 * spscring_record_reserve() - room for one record, to write in place
 * @p: the producer
 * @length: the most that it will have, in bytes
 * @rec: where it is
 *
 * Behind those that are reserved already; they are all published together.  What finds
 * no room in a ring that drops is numbered before these; where they take the whole
 * capacity together, it is -EAGAIN there, too.
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_record_reserve(struct spscring_producer *p, __u32 length,
						   void **rec)
{
	__u64 size = spscring_record_size(p->stride, length), from = p->reserved;

	if (unlikely(!spscring_record_fits(p, from + size))) {
		int err = spscring_record_room(p, from + size);

		*rec = NULL;	/* for compilers that think it may stay unset */
		if (err)
			return err;
	}
	*rec = p->at + from + SPSCRING_WORD;
	if (likely(!from))
		p->first = length;	/* the consumer looks at that word */
	else
		*spscring_record_word(*rec) = length;
	p->reserved = from + size;
	return 0;
}

static __always_inline __u64 *spscring_record_reserved(struct spscring_producer *p, void *rec)
{
	__u64 *word = spscring_record_word(rec);

	return (char *)word == p->at ? &p->first : word;
}

/*
 * The last record ends earlier: what it may have left beyond is no word.  Another one
 * leaves a gap, which is one that is discarded.
 */
static SPSCRING_NOINLINE void spscring_record_trim(struct spscring_producer *p, char *end,
						   __u64 bytes)
{
	if (end + bytes != p->at + p->reserved) {
		*(__u64 *)end = SPSCRING_WORD_DISCARDED | (bytes - SPSCRING_WORD);
		return;
	}
	p->reserved -= bytes;
	if (!p->reserved) {
		/* but for the word that the consumer looks at, and that was not written */
		end += SPSCRING_WORD;
		bytes -= SPSCRING_WORD;
	}
	if (bytes > SPSCRING_CLEAR) {
		bytes = SPSCRING_WORD;
		p->cleared = p->pos + (__u64)(end - p->at) + bytes;
		p->stop = p->pos;
	}
	memset(end, 0, bytes);
}

/**
 * spscring_record_shrink() - a reserved record is shorter
 * @p: the producer
 * @rec: the record
 * @length: in bytes, at most what it was
 */
static inline void spscring_record_shrink(struct spscring_producer *p, void *rec, __u32 length)
{
	__u64 *word = spscring_record_reserved(p, rec);
	__u64 was = spscring_record_size(p->stride, (__u32)*word);
	__u64 is = spscring_record_size(p->stride, length);

	*word = (*word & ~SPSCRING_WORD_LENGTH) | length;
	if (is != was)
		spscring_record_trim(p, (char *)rec - SPSCRING_WORD + is, was - is);
}

/**
 * spscring_record_discard() - give a reserved record up
 * @p: the producer
 * @rec: the record
 *
 * If others were reserved behind it, its room stays in use until the consumer has
 * passed it by, which does not see it.  It has no sequence number.
 */
static inline void spscring_record_discard(struct spscring_producer *p, void *rec)
{
	__u64 *word = spscring_record_reserved(p, rec);
	__u64 size = spscring_record_size(p->stride, (__u32)*word);

	if ((char *)rec - SPSCRING_WORD + size == p->at + p->reserved)
		spscring_record_trim(p, (char *)rec - SPSCRING_WORD, size);
	else
		*word |= SPSCRING_WORD_DISCARDED;
}

static __always_inline void spscring_record_told(struct spscring_producer *p, __u32 flags)
{
	spscring_record_cursor(p);
	if (flags & SPSCRING_NOWAKE)
		return;
	spscring_published(p);
	spscring_wake_now(p, flags);
}

/* All but the first get their words first, so that they appear together. */
static SPSCRING_NOINLINE void spscring_record_commit_many(struct spscring_producer *p,
							  __u32 flags)
{
	__u64 at = spscring_record_size(p->stride, (__u32)p->first);
	__u64 records = !(p->first & SPSCRING_WORD_DISCARDED);

	while (at < p->reserved) {
		__u64 *word = (__u64 *)(p->at + at);
		__u32 lap = (char *)word >= p->end ? SPSCRING_PHASE_LAP : 0;

		at += spscring_record_size(p->stride, (__u32)*word);
		WRITE_ONCE(*word, *word | spscring_word(p->sequence + records, p->phase ^ lap));
		records += !(*word & SPSCRING_WORD_DISCARDED);
	}
	if (spscring_traced(push))
		spscring_trace_push(p, (__u32)p->reserved);
	spscring_record_publish(p, p->first, p->reserved, records);
	p->reserved = 0;
	spscring_record_told(p, flags);
}

/**
 * spscring_record_commit_flags() - publish all that is reserved, for those who know better
 * @p: the producer
 * @flags: 0, SPSCRING_NOWAKE or SPSCRING_WAKE, see spscring_commit_flags()
 *
 * The consumer sees all of them or none.
 */
static __always_inline void spscring_record_commit_flags(struct spscring_producer *p, __u32 flags)
{
	__u64 size = p->reserved;

	if (unlikely(!size))
		return;
	if (unlikely(size != spscring_record_size(p->stride, (__u32)p->first) ||
		     p->first & SPSCRING_WORD_DISCARDED || spscring_traced(push))) {
		spscring_record_commit_many(p, flags);
		return;
	}
	p->reserved = 0;
	spscring_record_publish(p, p->first, size, 1);
	spscring_record_told(p, flags);
}

/**
 * spscring_record_commit_all() - publish all that is reserved
 * @p: the producer
 *
 * The consumer sees all of them or none.
 */
static __always_inline void spscring_record_commit_all(struct spscring_producer *p)
{
	spscring_record_commit_flags(p, 0);
}

/**
 * spscring_record_commit() - publish a record, and all others that are reserved
 * @p: the producer
 * @rec: the record, from spscring_record_reserve()
 * @length: in bytes, at most what was reserved
 */
static __always_inline void spscring_record_commit(struct spscring_producer *p, void *rec,
						   __u32 length)
{
	if (length != (__u32)*spscring_record_reserved(p, rec))
		spscring_record_shrink(p, rec, length);
	spscring_record_commit_all(p);
}

/* ------------------------------------------------------------- consumer */

static __always_inline __u64 spscring_record_load(const struct spscring_consumer *c)
{
	/* (Q) pairs with (P) */
	return smp_load_acquire((const __u64 *)c->at);
}

/* It has nothing else to say than "not yet". */
static __always_inline int spscring_record_is_empty(__u64 word)
{
	return !word || word & SPSCRING_WORD_PUBLISHED;
}

/* Past the data's end: where that is in the next lap. */
static __always_inline char *spscring_record_lap(struct spscring_consumer *c, char *at)
{
	c->phase ^= SPSCRING_PHASE_LAP;
	if (spscring_traced(pop))
		c->seen = 0;	/* so that the next takes another look */
	return at - (c->end - c->data);
}

static __always_inline void spscring_record_skip(struct spscring_consumer *c, __u64 size)
{
	c->pos += size;
	c->at += size;
	if (unlikely(c->at >= c->end))
		c->at = spscring_record_lap(c, c->at);
}

static __always_inline void spscring_record_released(struct spscring_consumer *c)
{
	WRITE_ONCE(c->cursor[1], c->sequence);
	spscring_release_cursor(c);
	spscring_released(c);
}

/*
 * Records came after a wait, see spscring_came(): counted by what the smallest take of
 * the ring, and none for more than a line's, or a round trip would look like a stream.
 */
static SPSCRING_NOINLINE void spscring_record_came(struct spscring_consumer *c)
{
	__u64 came = (c->pos - c->waited_at) / (2 * SPSCRING_WORD);
	__u64 most = (c->sequence - c->waited_sequence) * (SPSCRING_LINE / (2 * SPSCRING_WORD));

	c->waited_sequence = c->sequence;
	spscring_came(c, came < most ? came : most);
}

/* No word yet: empty, or ended. */
static SPSCRING_COLD int spscring_record_none(struct spscring_consumer *c)
{
	int ended;

	if (likely(++c->fails % SPSCRING_LOOK_EVERY) && !spscring_told_of_end(c))
		return -EAGAIN;
	WRITE_ONCE(c->lines->counters.word, c->lines->counters.word + SPSCRING_LOOK_EVERY);
	ended = spscring_ended(c->peer_state);
	/* again: what the peer published before it ended is seen by now */
	if (ended != -EAGAIN && spscring_first_is_there(c))
		return -EAGAIN;
	return ended;
}

/* Takes the number that the word has the low bits of, behind what is missing before it. */
static __always_inline void spscring_record_gap(struct spscring_consumer *c, __u64 word)
{
	c->sequence += ((word >> SPSCRING_WORD_SEQUENCE) - c->sequence) &
		       SPSCRING_WORD_SEQUENCE_MASK;
}

/*
 * Another look at a word that is not just the next record's: none, discarded, one
 * behind a gap, or impossible.  What is discarded is released on the way; a peer
 * that is honest cannot publish more than the room it was given.
 *
 * Return: the length, with pos at the record, or a negative errno.
 */
static SPSCRING_NOINLINE long spscring_record_look(struct spscring_consumer *c, __u64 word)
{
	__u64 from = c->pos, length, size;
	__u32 discarded = 0;

	if (unlikely(c->broken))
		return -EPIPE;
	for (;;) {
		if (!spscring_word_is_there(c, word)) {
			if (unlikely(!spscring_record_is_empty(word)))
				return spscring_consumer_broken(c);
			if (c->pos == from)
				return spscring_record_none(c);
			spscring_record_released(c);
			return -EAGAIN;
		}
		length = word & SPSCRING_WORD_LENGTH;
		size = spscring_record_size(c->stride, (__u32)length);
		if (unlikely(c->pos - from + size > c->capacity))
			return spscring_consumer_broken(c);
		if (!(word & SPSCRING_WORD_DISCARDED))
			break;
		spscring_record_skip(c, size);
		if (unlikely(++discarded == SPSCRING_DISCARDED_MAX)) {
			spscring_record_released(c);
			return -EBUSY;
		}
		word = spscring_record_load(c);
	}
	if (c->fails != c->waited_fails)
		spscring_record_came(c);
	spscring_record_gap(c, word);
	c->seen = c->capacity - SPSCRING_WORD + 1;
	if (spscring_traced(pop)) {
		spscring_trace_pop(c, (__u32)size);
		c->seen = 0;
	}
	return (long)length;
}

/* The length of the next record, which is at c->at; or a negative errno. */
static __always_inline long spscring_record_next(struct spscring_consumer *c)
{
	__u64 word = spscring_record_load(c);
	/* the one that is expected leaves its length */
	__u64 length = word ^ spscring_word(c->sequence, c->phase);

	if (unlikely(length >= c->seen))
		return spscring_record_look(c, word);
	if (unlikely(c->fails != c->waited_fails))
		spscring_record_came(c);
	return (long)length;
}

static __always_inline void spscring_record_take(struct spscring_consumer *c, __u32 length)
{
	spscring_record_skip(c, spscring_record_size(c->stride, length));
	c->sequence++;
}

/* ------------------------------------------------- one that is overwritten */

/* Where the producer says that the oldest record is; its number is near that. */
static __always_inline int spscring_record_resync(struct spscring_consumer *c, __u64 *sequence)
{
	/* (U) pairs with (T) */
	__u64 oldest = smp_load_acquire(&c->peer->oldest.word);
	__u64 data = (__u64)(c->end - c->data);

	*sequence = READ_ONCE(c->peer->oldest.more[0]);
	if ((__s64)(oldest - c->pos) <= 0)
		return 0;
	if (unlikely((__s64)oldest < 0 || oldest & (c->stride - 1)))
		return spscring_consumer_broken(c);
	c->pos = oldest;
	c->at = c->data + oldest % data;
	c->phase = SPSCRING_PHASE_PUBLISHED |
		   (oldest / data % 2 ? SPSCRING_PHASE_LAP : 0);
	/* a wait counts from here */
	spscring_release_cursor(c);
	return 0;
}

/* After what was read from pos on: is it what was published there? */
static __always_inline int spscring_record_whole(const struct spscring_consumer *c)
{
	/* (S) pairs with (R) */
	smp_rmb();
	return (__s64)(READ_ONCE(c->peer->oldest.word) - c->pos) <= 0;
}

/* The word of the oldest record from pos on, or an error; @sequence is near its number. */
static __always_inline int spscring_record_oldest(struct spscring_consumer *c, __u64 *word,
						  __u64 *sequence)
{
	int err = spscring_record_resync(c, sequence);

	if (unlikely(err))
		return err;
	*word = spscring_record_load(c);
	if (spscring_word_is_there(c, *word) &&
	    spscring_record_size(c->stride, (__u32)*word) <= c->capacity)
		return 0;
	if (!spscring_record_whole(c))
		return -EBUSY;
	if (unlikely(spscring_word_is_there(c, *word) || !spscring_record_is_empty(*word)))
		return spscring_consumer_broken(c);
	return spscring_record_none(c);
}

/* That record was copied; whole, it counts. */
static __always_inline int spscring_record_taken(struct spscring_consumer *c, __u64 word,
						 __u64 sequence)
{
	__u64 *overruns = &c->lines->counters.more[SPSCRING_COUNT_OVERRUNS], missing;

	if (unlikely(!spscring_record_whole(c)))
		return -EBUSY;
	if (word & SPSCRING_WORD_DISCARDED)
		return 0;
	/* the number is near the later of the two: not overtaken, or overtaken */
	if ((__s64)(sequence - c->sequence) < 0)
		sequence = c->sequence;
	missing = spscring_sequence_of(word, sequence) - c->sequence;
	c->sequence += missing;
	/* after a death in the midst of a pop it may be the same record again */
	if ((__s64)missing > 0)
		WRITE_ONCE(*overruns, *overruns + missing);
	if (c->fails != c->waited_fails)
		spscring_record_came(c);
	if (spscring_traced(pop))
		spscring_trace_pop(c, (__u32)spscring_record_size(c->stride, (__u32)word));
	return 0;
}

static inline int spscring_record_memcpy(void *to, const void *rec, __u32 length)
{
	__builtin_memcpy(to, rec, length);
	return 0;
}

/* Copies one record, not yet released. */
static SPSCRING_NOINLINE long spscring_record_copy(struct spscring_consumer *c, void *to,
						   __u32 size,
						   int (*copy)(void *to, const void *rec,
							       __u32 length))
{
	__u32 length, discarded = 0;
	__u64 word, sequence;
	int err, tries;

	if (unlikely(c->broken))
		return -EPIPE;
	for (tries = 0; tries < SPSCRING_OVERTAKEN_MAX; tries++) {
		err = spscring_record_oldest(c, &word, &sequence);
		if (err == -EBUSY)
			continue;
		if (err)
			return err;
		length = (__u32)word;
		if (!(word & SPSCRING_WORD_DISCARDED)) {
			if (unlikely(length > size)) {
				if (spscring_record_whole(c))
					return -EMSGSIZE;
				continue;
			}
			err = copy(to, c->at + SPSCRING_WORD, length);
			if (err)
				return err;
		}
		if (spscring_record_taken(c, word, sequence))
			continue;
		if (!(word & SPSCRING_WORD_DISCARDED))
			return length;
		spscring_record_skip(c, spscring_record_size(c->stride, length));
		spscring_release_cursor(c);
		if (++discarded == SPSCRING_DISCARDED_MAX)
			break;
		tries--;
	}
	return -EBUSY;
}

/* ------------------------------------------------------ for both of them */

/* Pops one record, not yet released. */
static __always_inline long spscring_record_get(struct spscring_consumer *c, void *to,
						__u32 size,
						int (*copy)(void *to, const void *rec,
							    __u32 length))
{
	long length;
	int err;

	if (c->flags & SPSCRING_CREATE_OVERWRITE) {
		length = spscring_record_copy(c, to, size, copy);
		if (length < 0)
			return length;
	} else {
		length = spscring_record_next(c);
		if (length < 0)
			return length;
		if (length > size)
			return -EMSGSIZE;
		err = copy(to, c->at + SPSCRING_WORD, (__u32)length);
		if (err)
			return err;
	}
	spscring_record_take(c, (__u32)length);
	return length;
}

/**
 * spscring_record_pop_by() - pop one record by a copy of the caller's own
 * @c: the consumer
 * @to: where to, for @copy
 * @size: of the place, in bytes
 * @copy: copies a record there; an error of its ends the pop, and the record stays.  Of
 *	a ring that overwrites it is called again when what it has copied was torn.
 *
 * Return: as spscring_record_pop(), or what @copy returned.
 */
static __always_inline long spscring_record_pop_by(struct spscring_consumer *c, void *to,
						   __u32 size,
						   int (*copy)(void *to, const void *rec,
							       __u32 length))
{
	long length = spscring_record_get(c, to, size, copy);

	if (length >= 0)
		spscring_record_released(c);
	return length;
}

/* A call of its own, so that a pop saves no registers. */
static SPSCRING_NOINLINE long spscring_record_pop_slow(struct spscring_consumer *c, void *rec,
						       __u32 size)
{
	return spscring_record_pop_by(c, rec, size, spscring_record_memcpy);
}

/* What a pop seldom has to do, or at the cost of a fence; a call of its own likewise. */
static SPSCRING_NOINLINE long spscring_record_popped(struct spscring_consumer *c, long length)
{
	if (c->fails != c->waited_fails)
		spscring_record_came(c);
	spscring_released(c);
	return length;
}

/**
 * spscring_record_pop() - pop one record
 * @c: the consumer
 * @rec: where to copy it
 * @size: of the place, in bytes
 *
 * A copy that nobody changes.  Of a ring that overwrites it may be later than the
 * next one: spscring_record_sequence() tells.
 *
 * Return: its length; or a negative errno, see the top: -EMSGSIZE it is longer than
 * @size, and stays; -EBUSY there is more.
 */
static __always_inline long spscring_record_pop(struct spscring_consumer *c, void *rec, __u32 size)
{
	/* private until the end, as @rec may point anywhere */
	__u64 pos = c->pos, sequence = c->sequence, *cursor = c->cursor;
	char *at = c->at;
	/* in a ring that overwrites none is below seen */
	__u64 length = spscring_record_load(c) ^ spscring_word(sequence, c->phase), taken;

	if (unlikely(length >= c->seen || length > size))
		return spscring_record_pop_slow(c, rec, size);
	if (__builtin_constant_p(size) && size <= SPSCRING_LINE) {
		/* a place that is known is copied to without a call if it is full */
		if (unlikely(length != size))
			return spscring_record_pop_slow(c, rec, size);
		__builtin_memcpy(rec, at + SPSCRING_WORD, size);
	} else {
		__builtin_memcpy(rec, at + SPSCRING_WORD, length);
	}
	taken = spscring_record_size(c->stride, (__u32)length);
	pos += taken;
	at += taken;
	if (unlikely(at >= c->end))
		at = spscring_record_lap(c, at);
	c->pos = pos;
	c->at = at;
	c->sequence = ++sequence;
	WRITE_ONCE(cursor[1], sequence);
	/* (C) pairs with (D) */
	smp_store_release(cursor, pos);
	if (unlikely((__s64)(pos - c->after_at) >= 0 || c->fails != c->waited_fails))
		return spscring_record_popped(c, (long)length);
	return (long)length;
}

/**
 * spscring_record_sequence() - the sequence number of the record popped last
 * @c: the consumer
 *
 * The first pushed is 0, and each that was pushed, dropped or overwritten counts.
 *
 * Return: the number.
 */
static inline __u64 spscring_record_sequence(const struct spscring_consumer *c)
{
	return c->sequence - 1;
}

/**
 * spscring_record_pop_n() - pop a batch
 * @c: the consumer
 * @recs: where to copy each, and how much there is room for; then what came
 * @n: how many
 *
 * Return: how many were popped, fewer than @n where there were no more; or a
 * negative errno where there was none at all, as spscring_record_pop().
 */
static inline long spscring_record_pop_n(struct spscring_consumer *c,
					 struct spscring_record *recs, __u32 n)
{
	long length = 0;
	__u32 i;

	for (i = 0; i < n; i++) {
		length = spscring_record_get(c, recs[i].data, recs[i].length,
					     spscring_record_memcpy);
		if (unlikely(length < 0))
			break;
		recs[i].length = (__u32)length;
		recs[i].sequence = c->sequence - 1;
	}
	if (!i)
		return length;
	spscring_record_released(c);
	return i;
}

/* The length of the next record, if it may be read in place. */
static __always_inline long spscring_record_first(struct spscring_consumer *c)
{
	if (c->flags & SPSCRING_CREATE_OVERWRITE)
		return -EOPNOTSUPP;
#ifdef __KERNEL__
	if (c->peer_is_user)
		return -EPERM;
#endif
	return spscring_record_next(c);
}

static __always_inline void spscring_record_show(const struct spscring_consumer *c,
						 struct spscring_record *rec, long length)
{
	rec->data = c->at + SPSCRING_WORD;
	rec->length = (__u32)length;
	rec->sequence = c->sequence;
}

/**
 * spscring_record_peek_n() - records to read in place
 * @c: the consumer
 * @recs: where they are
 * @n: how many, at least 1
 *
 * From the first that is not released.  The memory is the producer's: one that is
 * not trusted may change it while it is read.
 *
 * Return: how many there are, 1 to @n; or a negative errno, see the top, and
 * -EOPNOTSUPP a ring that overwrites; in the kernel, -EPERM a ring whose producer
 * is a user.
 */
static inline long spscring_record_peek_n(struct spscring_consumer *c,
					  struct spscring_record *recs, __u32 n)
{
	struct spscring_consumer at;
	long length;
	__u32 i;

	length = spscring_record_first(c);
	if (length < 0)
		return length;
	at = *c;
	for (i = 0; ; ) {
		spscring_record_show(&at, &recs[i], length);
		spscring_record_take(&at, (__u32)length);
		if (++i == n)
			break;
		/* the next one if it is plainly there, within the room that was given */
		length = (long)(spscring_record_load(&at) ^
				spscring_word(at.sequence, at.phase));
		if ((__u64)length >= c->seen ||
		    at.pos - c->pos + spscring_record_size(c->stride, (__u32)length) >
		    c->capacity)
			break;
	}
	return i;
}

/**
 * spscring_record_release_n() - give records peeked back
 * @c: the consumer
 * @recs: from spscring_record_peek_n()
 * @n: how many of them, from the first on
 */
static inline void spscring_record_release_n(struct spscring_consumer *c,
					     const struct spscring_record *recs, __u32 n)
{
	__s64 bytes;

	if (unlikely(!n))
		return;
	recs += n - 1;
	bytes = (char *)recs->data - SPSCRING_WORD - c->at;
	if (bytes < 0)		/* of the next lap */
		bytes += c->end - c->data;
	spscring_record_skip(c, (__u64)bytes + spscring_record_size(c->stride, recs->length));
	c->sequence = recs->sequence + 1;
	spscring_record_released(c);
}

/**
 * spscring_record_peek() - one record to read in place
 * @c: the consumer
 * @rec: where it is; see spscring_record_peek_n()
 *
 * Return: 0, or a negative errno.
 */
static __always_inline int spscring_record_peek(struct spscring_consumer *c,
						struct spscring_record *rec)
{
	long length;

	/* for compilers that think it may stay unset */
	*rec = (struct spscring_record){};
	length = spscring_record_first(c);
	if (unlikely(length < 0))
		return (int)length;
	spscring_record_show(c, rec, length);
	return 0;
}

/**
 * spscring_record_release() - give the record peeked back
 * @c: the consumer
 * @rec: from spscring_record_peek()
 */
static __always_inline void spscring_record_release(struct spscring_consumer *c,
						    const struct spscring_record *rec)
{
	spscring_record_take(c, rec->length);
	spscring_record_released(c);
}

#endif /* _UAPI_LINUX_SPSCRING_RECORD_H */
