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
#define SPSCRING_STEP		64	/* a store to each so many bytes: a cache line's */
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
 * @sequence:	its sequence number, where it was peeked or popped.
 */
struct spscring_record {
	void *data;
	__u64 length;
	__u64 sequence;
};

/* A producer of records of any size: see the handles of spscring_ring.h. */
struct spscring_record_producer {
	struct spscring_producer_base base;
	char *at;		/* the word of base.pos */
	__u64 sequence;		/* of the next record */
	__u32 phase;		/* of the words of this lap */
	__u64 cleared;		/* words ahead are 0 up to here */
	__u64 reserved;		/* bytes from pos on, not yet committed */
	__u64 first;		/* word of the first of them, all but the sequence */
	__u64 oldest;		/* that is whole, of a ring that overwrites */
	__u64 oldest_sequence;
	const char *oldest_at;
};

/* A consumer of records of any size. */
struct spscring_record_consumer {
	struct spscring_consumer_base base;
	char *at;		/* the word of pos */
	__u64 sequence;		/* of the next record */
	__u32 phase;		/* of the words of this lap */
	__u64 waited_sequence;	/* sequence when the last wait was over */
};

/**
 * spscring_record_size() - what a record takes of the ring
 * @align: the ring's alignment
 * @length: of the record
 *
 * Return: bytes, a multiple of @align.
 */
static SPSCRING_INLINE __u64 spscring_record_size(__u32 align, __u64 length)
{
	return (length + SPSCRING_WORD + align - 1) & -(__u64)align;
}

/* Of the words of a position's lap. */
static inline __u32 spscring_phase(const struct spscring_geometry *g, __u64 pos)
{
	return (__u32)((SPSCRING_WORD_PUBLISHED |
			(pos / g->data_bytes % 2 ? SPSCRING_WORD_LAP : 0)) >> 32);
}

/* The number whose low bits a word has, the nearest to another. */
static inline __u64 spscring_sequence_of(__u64 word, __u64 near)
{
	return near + (__u64)((__s64)(((word >> SPSCRING_WORD_SEQUENCE) - near) <<
				      SPSCRING_WORD_SEQUENCE) >> SPSCRING_WORD_SEQUENCE);
}

/* All of a word but the length, of a record that is there. */
static SPSCRING_INLINE __u64 spscring_word(__u64 sequence, __u32 phase)
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
static SPSCRING_COLD void spscring_record_drop(struct spscring_record_producer *p, __u64 n)
{
	__u64 *drops = &p->base.block->drops;

	p->sequence += n;
	spscring_write_once(*drops, *drops + n);
	spscring_write_once(p->base.cursor[1], p->sequence);
}

/**
 * spscring_record_needs() - room to wait for
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
 * The oldest out of the way of all before @end, and some more, so that it is not
 * told each time; never beyond pos.
 */
static SPSCRING_INLINE int spscring_record_overwrite(struct spscring_record_producer *p, __u64 end)
{
	__u64 step = p->base.capacity / 16, oldest = p->oldest;
	const char *at = p->oldest_at;

	end += step < SPSCRING_OLDEST_STEP ? step : SPSCRING_OLDEST_STEP;
	while ((__s64)(oldest + p->base.capacity - end) < 0 && oldest != p->base.pos) {
		__u64 word = spscring_read_once(*(const __u64 *)at);
		__u64 size = spscring_record_size(p->base.stride, (__u32)word);

		if (spscring_unlikely(size > p->base.pos - oldest))
			return spscring_producer_broken(&p->base);
		size = spscring_nospec(size, p->base.pos - oldest + 1);
		oldest += size;
		at += size;
		if (at >= p->base.end)
			at -= p->base.end - p->base.data;
		if (!(word & SPSCRING_WORD_DISCARDED))
			p->oldest_sequence = spscring_sequence_of(word, p->oldest_sequence) + 1;
	}
	p->oldest = oldest;
	p->oldest_at = at;
	p->base.cached_limit = oldest + p->base.capacity;
	spscring_write_once(p->base.block->oldest_sequence, p->oldest_sequence);
	/* (T) pairs with (U): what is published from here on is */
	spscring_store_release(&p->base.block->oldest, oldest);
	/* (R) pairs with (S): then the bytes */
	spscring_wmb();
	return 0;
}

/*
 * A line that the consumer has read must be got back before it is written, and with stores to
 * other lines between a CPU gets one at a time.  So get some in a row, by a store each: a
 * word at every @step of @bytes that are free.  A prefetch for writing does not do that.
 */
static SPSCRING_INLINE void spscring_prefault_lines(char *at, __u64 bytes, __u32 step)
{
	__u64 i;

	for (i = 0; i + sizeof(__u64) <= bytes; i += step)
		spscring_write_once(*(__u64 *)(at + i), 0);
}

/*
 * The word at @next, and of small records those ahead as far as there is room.
 * Where the ring ends there is one of the lap before, which is as good.  A store to
 * each line first, so that they are all on their way before one has come; of larger
 * records it is all that is done ahead.
 */
static SPSCRING_INLINE void spscring_record_clear_ahead(struct spscring_record_producer *p, __u64 next,
						  __u64 size)
{
	__u64 room = p->base.cached_limit + (__u64)(p->base.end - p->base.data) - p->base.capacity - next;
	__u64 bytes = size <= SPSCRING_CLEAR_SMALL ? SPSCRING_CLEAR : SPSCRING_WORD;
	__u64 ahead = size <= SPSCRING_CLEAR_LARGE && size > bytes ? size : bytes;
	__u32 step = p->base.stride > SPSCRING_STEP ? p->base.stride : SPSCRING_STEP;
	char *at = p->at + (next - p->base.pos);

	if (bytes > room)
		bytes = room & -(__u64)SPSCRING_WORD;
	if (ahead > room)
		ahead = bytes;
	spscring_prefault_lines(at, ahead, step);
	/* one word is clear by then */
	if (p->base.stride < step && bytes > SPSCRING_WORD)
		memset(at, 0, bytes);
	p->cleared = next + bytes;
}

/* @size more bytes, the next word among those cleared: all that is not the common case. */
static SPSCRING_NOINLINE int spscring_record_make_room(struct spscring_record_producer *p,
						  __u64 length, __u64 size)
{
	__u64 next, stop, lap;
	int err;

	/* first, as the size of a length beyond all sense may be small */
	if (spscring_unlikely(length > p->base.capacity))
		return -EMSGSIZE;
	if (spscring_unlikely(size > p->base.capacity))
		return p->reserved ? -EAGAIN : -EMSGSIZE;
	if (p->at >= p->base.end) {
		p->at -= p->base.end - p->base.data;
		p->phase ^= SPSCRING_PHASE_LAP;
	}
	next = p->base.pos + size;
	if ((__s64)(next - p->base.cached_limit) > 0) {
		if (p->base.flags & SPSCRING_CREATE_OVERWRITE)
			err = p->base.error ? p->base.error : spscring_record_overwrite(p, next);
		else
			err = spscring_refresh_head(&p->base, size);
		if (spscring_unlikely(err)) {
			if (p->base.flags & SPSCRING_CREATE_DROP && !p->base.error)
				spscring_record_drop(p, 1);
			if (err == -EAGAIN && p->base.flags & SPSCRING_CREATE_DROP)
				err = -ENOBUFS;
			return err;
		}
	}
	if ((__s64)(next + SPSCRING_WORD - p->cleared) > 0)
		spscring_record_clear_ahead(p, next, size);
	/* before the lap's end, and where the word behind is clear */
	stop = p->base.cached_limit;
	lap = p->base.pos + (__u64)(p->base.end - p->at) - 1;
	if ((__s64)(lap - stop) < 0)
		stop = lap;
	if ((__s64)(p->cleared - SPSCRING_WORD - stop) < 0)
		stop = p->cleared - SPSCRING_WORD;
	p->base.run_end = stop;
	return 0;
}

/* The next @size bytes are records, complete but for the word of the first. */
static SPSCRING_INLINE void spscring_record_publish(struct spscring_record_producer *p, __u64 first,
						    __u64 size, __u64 records)
{
	__u64 *at = (__u64 *)p->at, sequence = p->sequence;

	p->base.pos += size;
	p->at = (char *)at + size;
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
	__builtin_memcpy(p->at + SPSCRING_WORD, rec, length);
	spscring_record_publish(p, length, size, 1);
}

/* One record, not yet told. */
static SPSCRING_INLINE int spscring_record_put(struct spscring_record_producer *p, const void *rec,
					       __u64 length, __u64 size)
{
	int err = spscring_record_make_room(p, length, size);

	if (err)
		return err;
	if (spscring_traced(push)) {
		spscring_trace_push(&p->base, (__u32)size);
		p->base.run_end = p->base.pos;	/* so that the next comes by here */
	}
	spscring_record_write(p, rec, length, size);
	return 0;
}

/* A call of its own, so that a push saves no registers. */
static SPSCRING_NOINLINE int spscring_record_push_slow(struct spscring_record_producer *p,
						       const void *rec, __u64 length)
{
	int err = spscring_record_put(p, rec, length, spscring_record_size(p->base.stride, length));

	return err ? err : spscring_record_after_publish(p);
}

/* @size is what a record of @length takes, if such a record can be. */
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
 * Return: how many were pushed, fewer than @n where there was no more room; or a
 * negative errno where the first could not be, see the top.  In a ring that drops
 * only the first that found no room is lost by this call.
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
		/* words lead the cursor by a capacity at most, for a claim */
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

/* A record's word that is reserved behind the first. */
static SPSCRING_INLINE __u64 *spscring_record_word(void *rec)
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
	*rec = p->at + from + SPSCRING_WORD;
	if (spscring_likely(!from))
		p->first = length;	/* the consumer looks at that word */
	else
		*spscring_record_word(*rec) = length;
	p->reserved = from + size;
	return 0;
}

static SPSCRING_INLINE __u64 *spscring_record_reserved(struct spscring_record_producer *p,
						       void *rec)
{
	__u64 *word = spscring_record_word(rec);

	return (char *)word == p->at ? &p->first : word;
}

/*
 * The last record ends earlier: what it may have left beyond is no word.  Another one
 * leaves a gap, which is one that is discarded.
 */
static SPSCRING_NOINLINE void spscring_record_trim(struct spscring_record_producer *p, char *end,
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
		p->cleared = p->base.pos + (__u64)(end - p->at) + bytes;
		p->base.run_end = p->base.pos;
	}
	memset(end, 0, bytes);
}

/**
 * spscring_record_shrink() - a reserved record is shorter
 * @p: the producer
 * @rec: the record
 * @length: in bytes, at most what it was
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
 * spscring_record_discard() - give a reserved record up
 * @p: the producer
 * @rec: the record
 *
 * If others were reserved behind it, its room stays in use until the consumer has
 * passed it by, which does not see it.  It has no sequence number.
 */
static inline void spscring_record_discard(struct spscring_record_producer *p, void *rec)
{
	__u64 *word = spscring_record_reserved(p, rec);
	__u64 size = spscring_record_size(p->base.stride, (__u32)*word);

	if ((char *)rec - SPSCRING_WORD + size == p->at + p->reserved)
		spscring_record_trim(p, (char *)rec - SPSCRING_WORD, size);
	else
		*word |= SPSCRING_WORD_DISCARDED;
}

static SPSCRING_INLINE void spscring_record_after_commit(struct spscring_record_producer *p, __u32 flags)
{
	if (flags & SPSCRING_NOWAKE) {
		spscring_record_publish_cursor(p);
		return;
	}
	spscring_record_after_publish(p);
	spscring_wake_now(&p->base, flags);
}

/* All but the first get their words first, so that they appear together. */
static SPSCRING_NOINLINE void spscring_record_commit_many(struct spscring_record_producer *p,
							  __u32 flags)
{
	__u64 at = spscring_record_size(p->base.stride, (__u32)p->first);
	__u64 records = !(p->first & SPSCRING_WORD_DISCARDED);

	while (at < p->reserved) {
		__u64 *word = (__u64 *)(p->at + at);
		__u32 lap = (char *)word >= p->base.end ? SPSCRING_PHASE_LAP : 0;

		at += spscring_record_size(p->base.stride, (__u32)*word);
		spscring_write_once(*word, *word | spscring_word(p->sequence + records,
								 p->phase ^ lap));
		records += !(*word & SPSCRING_WORD_DISCARDED);
	}
	if (spscring_traced(push))
		spscring_trace_push(&p->base, (__u32)p->reserved);
	spscring_record_publish(p, p->first, p->reserved, records);
	p->reserved = 0;
	spscring_record_after_commit(p, flags);
}

/**
 * spscring_record_commit_flags() - publish all that is reserved, for those who know better
 * @p: the producer
 * @flags: 0, SPSCRING_NOWAKE or SPSCRING_WAKE, see spscring_commit_flags()
 *
 * The consumer sees all of them or none.
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
 * The consumer sees all of them or none.
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

/* ------------------------------------------------------------- consumer */

static SPSCRING_INLINE __u64 spscring_record_load(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	return spscring_load_acquire((const __u64 *)c->at);
}

/* It has nothing else to say than "not yet". */
static SPSCRING_INLINE int spscring_word_is_empty(__u64 word)
{
	return !word || word & SPSCRING_WORD_PUBLISHED;
}

/* Published, and in this lap. */
static SPSCRING_INLINE int spscring_word_is_there(const struct spscring_record_consumer *c,
						  __u64 word)
{
	const __u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;

	return (__u32)((word & bits) >> 32) == c->phase;
}

/* Past the data's end: where that is in the next lap. */
static SPSCRING_INLINE char *spscring_record_wrap(struct spscring_record_consumer *c, char *at)
{
	c->phase ^= SPSCRING_PHASE_LAP;
	if (spscring_traced(pop))
		c->base.cached_tail = 0;	/* so that the next takes another look */
	return at - (c->base.end - c->base.data);
}

static SPSCRING_INLINE void spscring_record_skip(struct spscring_record_consumer *c, __u64 size)
{
	c->base.pos += size;
	c->at += size;
	if (spscring_unlikely(c->at >= c->base.end))
		c->at = spscring_record_wrap(c, c->at);
}

static SPSCRING_INLINE void spscring_record_after_release(struct spscring_record_consumer *c)
{
	spscring_write_once(c->base.cursor[1], c->sequence);
	spscring_release_cursor(&c->base, c->base.pos);
	spscring_after_release(&c->base, c->base.pos);
}

/*
 * Records came after a wait, see spscring_adapt_backoff(): counted by what the smallest take of
 * the ring, and none for more than a line's, or a round trip would look like a stream.
 */
static SPSCRING_NOINLINE void spscring_record_adapt_backoff(struct spscring_record_consumer *c)
{
	__u64 came = (c->base.pos - c->base.waited_at) / (2 * SPSCRING_WORD);
	__u64 most = (c->sequence - c->waited_sequence) * (SPSCRING_LINE / (2 * SPSCRING_WORD));

	c->waited_sequence = c->sequence;
	spscring_adapt_backoff(&c->base, came < most ? came : most);
}

/*
 * After a wait: the first record is there by its own word, not only by what comes after
 * it.  In a ring that overwrites it is wherever the oldest is.
 */
static inline int spscring_record_first_is_there(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	if (spscring_word_is_there(c, spscring_load_acquire((const __u64 *)c->at)))
		return 1;
	if (!(c->base.flags & SPSCRING_CREATE_OVERWRITE))
		return 0;
	/* (U) pairs with (T) */
	return (__s64)(spscring_load_acquire(&c->base.peer->oldest) - c->base.pos) > 0;
}

/* No word yet: empty, or ended. */
static SPSCRING_COLD int spscring_record_empty_status(struct spscring_record_consumer *c)
{
	__u64 *failed = &c->base.block->failed;
	int ended;

	if (spscring_likely(++c->base.fails % SPSCRING_REFRESH_EVERY) &&
	    !spscring_peer_ended(&c->base))
		return -EAGAIN;
	if (spscring_is_shut_down(&c->base.kernel->consumer))
		return spscring_consumer_over(&c->base, -ESHUTDOWN);
	spscring_write_once(*failed, *failed + SPSCRING_REFRESH_EVERY);
	ended = spscring_peer_status(&c->base.kernel->producer);
	/* again: what the peer published before it ended is seen by now */
	if (ended != -EAGAIN && spscring_record_first_is_there(c))
		return -EAGAIN;
	return ended;
}

/* Takes the number that the word has the low bits of, behind what is missing before it. */
static SPSCRING_INLINE void spscring_record_count_gap(struct spscring_record_consumer *c, __u64 word)
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
static SPSCRING_NOINLINE long spscring_record_refresh(struct spscring_record_consumer *c, __u64 word)
{
	__u64 from = c->base.pos, length, size;
	__u32 discarded = 0;

	if (spscring_unlikely(c->base.error))
		return c->base.error;
	for (;;) {
		if (!spscring_word_is_there(c, word)) {
			if (spscring_unlikely(!spscring_word_is_empty(word)))
				return spscring_consumer_broken(&c->base);
			if (c->base.pos == from)
				return spscring_record_empty_status(c);
			spscring_record_after_release(c);
			return -EAGAIN;
		}
		length = word & SPSCRING_WORD_LENGTH;
		size = spscring_record_size(c->base.stride, (__u32)length);
		if (spscring_unlikely(c->base.pos - from + size > c->base.capacity))
			return spscring_consumer_broken(&c->base);
		length = spscring_nospec(length, c->base.capacity);
		size = spscring_nospec(size, c->base.capacity + 1);
		if (!(word & SPSCRING_WORD_DISCARDED))
			break;
		spscring_record_skip(c, size);
		if (spscring_unlikely(++discarded == SPSCRING_DISCARDED_MAX)) {
			spscring_record_after_release(c);
			return -EBUSY;
		}
		word = spscring_record_load(c);
	}
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	spscring_record_count_gap(c, word);
	c->base.cached_tail = c->base.capacity - SPSCRING_WORD + 1;
	if (spscring_traced(pop)) {
		spscring_trace_pop(&c->base, (__u32)size);
		c->base.cached_tail = 0;
	}
	return (long)length;
}

/* The length of the next record, which is at c->at; or a negative errno. */
static SPSCRING_INLINE long spscring_record_next_length(struct spscring_record_consumer *c)
{
	__u64 word = spscring_record_load(c);
	/* the one that is expected leaves its length */
	__u64 length = word ^ spscring_word(c->sequence, c->phase);

	if (spscring_unlikely(length >= c->base.cached_tail))
		return spscring_record_refresh(c, word);
	length = spscring_nospec(length, c->base.cached_tail);
	if (spscring_unlikely(c->base.fails != c->base.waited_fails))
		spscring_record_adapt_backoff(c);
	return (long)length;
}

static SPSCRING_INLINE void spscring_record_advance(struct spscring_record_consumer *c, __u32 length)
{
	spscring_record_skip(c, spscring_record_size(c->base.stride, length));
	c->sequence++;
}

/* ------------------------------------------------- one that is overwritten */

/* Where the producer says that the oldest record is; its number is near that. */
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
		return spscring_consumer_broken(&c->base);
	c->base.pos = oldest;
	c->at = c->base.data + oldest % data;
	c->phase = SPSCRING_PHASE_PUBLISHED |
		   (oldest / data % 2 ? SPSCRING_PHASE_LAP : 0);
	/* a wait counts from here */
	spscring_release_cursor(&c->base, c->base.pos);
	return 0;
}

/* After what was read from pos on: is it what was published there? */
static SPSCRING_INLINE int spscring_record_intact(const struct spscring_record_consumer *c)
{
	/* (S) pairs with (R) */
	spscring_rmb();
	return (__s64)(spscring_read_once(c->base.peer->oldest) - c->base.pos) <= 0;
}

/* The word of the oldest record from pos on, or an error; @sequence is near its number. */
static SPSCRING_INLINE int spscring_record_oldest_word(struct spscring_record_consumer *c, __u64 *word,
						  __u64 *sequence)
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
		return spscring_consumer_broken(&c->base);
	return spscring_record_empty_status(c);
}

/* That record was copied; whole, it counts. */
static SPSCRING_INLINE int spscring_record_accept(struct spscring_record_consumer *c, __u64 word,
						 __u64 sequence)
{
	__u64 *overruns = &c->base.block->overruns, missing;

	if (spscring_unlikely(!spscring_record_intact(c)))
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
		spscring_write_once(*overruns, *overruns + missing);
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	if (spscring_traced(pop))
		spscring_trace_pop(&c->base, (__u32)spscring_record_size(c->base.stride,
									 (__u32)word));
	return 0;
}

static inline int spscring_record_memcpy(void *to, const void *rec, __u32 length)
{
	__builtin_memcpy(to, rec, length);
	return 0;
}

/* Copies one record, not yet released. */
static SPSCRING_NOINLINE long spscring_record_copy_overwritten(struct spscring_record_consumer *c, void *to,
						   size_t size,
						   int (*copy)(void *to, const void *rec,
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
			err = copy(to, c->at + SPSCRING_WORD, length);
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

/* ------------------------------------------------------ for both of them */

/* Pops one record, not yet released. */
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
		err = copy(to, c->at + SPSCRING_WORD, (__u32)length);
		if (err)
			return err;
	}
	spscring_record_advance(c, (__u32)length);
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

/* A call of its own, so that a pop saves no registers. */
static SPSCRING_NOINLINE long spscring_record_pop_slow(struct spscring_record_consumer *c,
						       void *rec,
						       size_t size)
{
	return spscring_record_pop_by(c, rec, size, spscring_record_memcpy);
}

/* What a pop seldom has to do, or at the cost of a fence; a call of its own likewise. */
static SPSCRING_NOINLINE long spscring_record_pop_finish(struct spscring_record_consumer *c,
						     long length)
{
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	spscring_after_release(&c->base, c->base.pos);
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
static SPSCRING_INLINE long spscring_record_pop(struct spscring_record_consumer *c, void *rec,
						size_t size)
{
	/* private until the end, as @rec may point anywhere */
	__u64 pos = c->base.pos, sequence = c->sequence, *cursor = c->base.cursor;
	char *at = c->at;
	/* in a ring that overwrites none is below seen */
	__u64 length = spscring_record_load(c) ^ spscring_word(sequence, c->phase), taken;

	if (spscring_unlikely(length >= c->base.cached_tail || length > size))
		return spscring_record_pop_slow(c, rec, size);
	if (__builtin_constant_p(size) && size <= SPSCRING_LINE) {
		/* a place that is known is copied to without a call if it is full */
		if (spscring_unlikely(length != size))
			return spscring_record_pop_slow(c, rec, size);
		length = size;	/* and no word of the peer's steers what follows */
		__builtin_memcpy(rec, at + SPSCRING_WORD, size);
	} else {
		length = spscring_nospec(length, c->base.cached_tail);
		__builtin_memcpy(rec, at + SPSCRING_WORD, length);
	}
	taken = spscring_record_size(c->base.stride, (__u32)length);
	pos += taken;
	at += taken;
	if (spscring_unlikely(at >= c->base.end))
		at = spscring_record_wrap(c, at);
	c->base.pos = pos;
	c->at = at;
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
 * The first pushed is 0, and each that was pushed, dropped or overwritten counts.
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
 * @recs: where to copy each, and how much there is room for; then what came
 * @n: how many
 *
 * Return: how many were popped, fewer than @n where there were no more; or a
 * negative errno where there was none at all, as spscring_record_pop().
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
		 * One by one: of a vector of both a compiler keeps the length in a vector
		 * register, on its way to the address of the next word.
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
		/* the next one if it is plainly there, within the room that was given */
		length = (long)(spscring_record_load(&at) ^
				spscring_word(at.sequence, at.phase));
		if ((__u64)length >= c->base.cached_tail ||
		    at.base.pos - c->base.pos + spscring_record_size(c->base.stride,
								     (__u32)length) >
		    c->base.capacity)
			break;
	}
	return (long)i;
}

/**
 * spscring_record_release_n() - give records peeked back
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
	bytes = (char *)recs->data - SPSCRING_WORD - c->at;
	if (bytes < 0)		/* of the next lap */
		bytes += c->base.end - c->base.data;
	spscring_record_skip(c, (__u64)bytes + spscring_record_size(c->base.stride, recs->length));
	c->sequence = recs->sequence + 1;
	spscring_record_after_release(c);
}

/**
 * spscring_record_peek() - one record to read in place
 * @c: the consumer
 * @rec: where it is; see spscring_record_peek_n()
 *
 * Return: 0, or a negative errno.
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
 * spscring_record_release() - give the record peeked back
 * @c: the consumer
 * @rec: from spscring_record_peek()
 */
static SPSCRING_INLINE void spscring_record_release(struct spscring_record_consumer *c,
						    const struct spscring_record *rec)
{
	spscring_record_advance(c, rec->length);
	spscring_record_after_release(c);
}

/* ---------------------------------------------------------------- looks */

/**
 * spscring_record_backoff() - wait between two tries to pop, see spscring_backoff()
 * @c: the consumer, after -EAGAIN
 */
static inline void spscring_record_backoff(const struct spscring_record_consumer *c)
{
	spscring_backoff_for(c->base.backoff);
}

/**
 * spscring_record_has_room() - whether there is room, exactly
 * @p: the producer
 * @bytes: of the ring, see spscring_record_needs(); never, if more than the capacity
 *
 * Reads the consumer's exact cursor: for a producer that waits, not for each push.
 *
 * Return: 1 if there is room now, or 0.
 */
static inline int spscring_record_has_room(const struct spscring_record_producer *p, __u64 bytes)
{
	return spscring_base_has_room(&p->base, bytes);
}

/**
 * spscring_record_has_bytes() - whether records are there
 * @c: the consumer
 * @bytes: of the ring, 1 for the next; never, if more than the capacity
 *
 * Reads the producer's cursor.
 *
 * Return: 1 if they are there now, or 0.
 */
static inline int spscring_record_has_bytes(const struct spscring_record_consumer *c, __u64 bytes)
{
	/* (H) pairs with (G) */
	__u64 tail = spscring_load_acquire(&c->base.peer->cursor);

	return bytes <= c->base.capacity && (__s64)(tail - c->base.pos - bytes) >= 0;
}

static inline int spscring_record_end_has_bytes(const void *c, __u64 bytes)
{
	return spscring_record_has_bytes((const struct spscring_record_consumer *)c, bytes);
}

/**
 * spscring_record_spin_room() - look for a while whether there is room, before a sleep
 * @p: the producer
 * @bytes: of the ring, at most the capacity
 *
 * Return: whether there is.
 */
static inline int spscring_record_spin_room(struct spscring_record_producer *p, __u64 bytes)
{
	return spscring_base_spin_room(&p->base, bytes);
}

/**
 * spscring_record_spin_bytes() - look for a while whether records are there, before a sleep
 * @c: the consumer
 * @bytes: of the ring, at most the capacity
 *
 * Return: whether they are.
 */
static inline int spscring_record_spin_bytes(struct spscring_record_consumer *c, __u64 bytes)
{
	return spscring_spin(&c->base.spin, c->base.spin_max, c->base.block->waits,
			     spscring_record_end_has_bytes, c, bytes);
}

/* ----------------------------------------------------------- beginnings */

/* A word lies at each position: one that is no multiple of the alignment is none. */
static inline int spscring_record_check(const struct spscring_geometry *g, __u64 pos)
{
	if (!(g->flags & SPSCRING_CREATE_RECORDS))
		return -EPROTOTYPE;
	return pos & (g->stride - 1) ? -EPIPE : 0;
}

/**
 * spscring_record_producer_begin() - a producer's handle, at its own cursor
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data, mapped twice
 *
 * Its fd is the caller's to set.
 *
 * Return: 0; -EPROTOTYPE a ring of records of one size; -EPIPE a cursor that none of its
 * holders can have left.
 */
static inline int spscring_record_producer_begin(struct spscring_record_producer *p,
						 const struct spscring_geometry *g,
						 const struct spscring_blocks *blocks,
						 void *data)
{
	struct spscring_producer_base *b = &p->base;
	int err;

	memset(p, 0, sizeof(*p));
	spscring_producer_base_init(b, g, blocks);
	p->oldest = spscring_read_once(b->block->oldest);
	err = spscring_record_check(g, b->pos | p->oldest);
	if (err)
		return err;
	/* so that it is the bytes behind the words that are aligned */
	b->data = (char *)data + g->stride - SPSCRING_WORD;
	b->end = b->data + g->data_bytes;
	p->at = b->data + b->pos % g->data_bytes;
	p->phase = spscring_phase(g, b->pos);
	p->cleared = b->pos;
	p->sequence = spscring_read_once(b->cursor[1]);
	p->oldest_sequence = spscring_read_once(b->block->oldest_sequence);
	p->oldest_at = b->data + p->oldest % g->data_bytes;
	if (g->flags & SPSCRING_CREATE_OVERWRITE)
		b->cached_limit = p->oldest + b->capacity;
	return 0;
}

/*
 * The number of the record at the cursor.  What was stored before the cursor may be
 * ahead of it by a call's records: these are then still there, with their numbers.
 */
static inline __u64 spscring_record_first_sequence(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	__u64 word = spscring_load_acquire((const __u64 *)c->at);
	__u64 sequence = spscring_read_once(c->base.cursor[1]);

	if (c->base.flags & SPSCRING_CREATE_OVERWRITE || !spscring_word_is_there(c, word))
		return sequence;
	return spscring_sequence_of(word, sequence);
}

/**
 * spscring_record_producer_init() - the same, of the pages that an fd maps
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page
 * @producer: the producer's page
 * @data: the data, mapped twice
 *
 * Return: as spscring_record_producer_begin().
 */
static inline int spscring_record_producer_init(struct spscring_record_producer *p,
						const struct spscring_geometry *g,
						const void *consumer, const void *info,
						void *producer, void *data)
{
	struct spscring_blocks blocks = spscring_blocks(g, consumer, info, producer);

	return spscring_record_producer_begin(p, g, &blocks, data);
}

/**
 * spscring_record_consumer_begin() - a consumer's handle, at its own cursor
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data, mapped twice; only read, so they may be mapped read-only
 *
 * Its fd is the caller's to set.
 *
 * Return: as spscring_record_producer_begin().
 */
static inline int spscring_record_consumer_begin(struct spscring_record_consumer *c,
						 const struct spscring_geometry *g,
						 const struct spscring_blocks *blocks,
						 const void *data)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	memset(c, 0, sizeof(*c));
	spscring_consumer_base_init(b, g, blocks);
	err = spscring_record_check(g, b->pos);
	if (err)
		return err;
	b->cached_tail = 0;
	b->data = (char *)data + g->stride - SPSCRING_WORD;
	b->end = b->data + g->data_bytes;
	c->at = b->data + b->pos % g->data_bytes;
	c->phase = spscring_phase(g, b->pos);
	c->sequence = spscring_record_first_sequence(c);
	c->waited_sequence = c->sequence;
	return 0;
}

/**
 * spscring_record_consumer_init() - the same, of the pages that an fd maps
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page, with the producer's page where it is in the fd
 * @data: the data, mapped twice; only read, so they may be mapped read-only
 *
 * Return: as spscring_record_producer_begin().
 */
static inline int spscring_record_consumer_init(struct spscring_record_consumer *c,
						const struct spscring_geometry *g,
						void *consumer, const void *info,
						const void *data)
{
	struct spscring_blocks blocks = spscring_consumer_blocks(g, consumer, info);

	return spscring_record_consumer_begin(c, g, &blocks, data);
}

#endif /* _UAPI_LINUX_SPSCRING_RECORD_H */
