/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: the word before each record of variable size, and the handles of such rings.  The
 * layout is drawn in record.h.
 *
 * A word holds the record's length, whether it is published or discarded, the parity of its lap,
 * and the low bits of its sequence number.  Dropped records are numbered, too, so a gap in the
 * numbers tells how many were dropped.
 */
#ifndef _SPSCRING_WORD_H
#define _SPSCRING_WORD_H

#include <spscring/backoff.h>
#include <spscring/end.h>

SPSCRING_BEGIN_DECLS

/* How many discarded records one call passes before it returns -EBUSY. */
#define SPSCRING_DISCARDED_MAX	4096

#define SPSCRING_WORD		8	/* bytes of a word */

/* The phase of a lap: the published bit and the lap's, as in a word's upper half. */
#define SPSCRING_PHASE_PUBLISHED	((__u32)(SPSCRING_WORD_PUBLISHED >> 32))
#define SPSCRING_PHASE_LAP		((__u32)(SPSCRING_WORD_LAP >> 32))

/**
 * struct spscring_record - a record, or the place for one, in calls that take several.
 * @data:	its bytes; for a pop, the place to copy them to.
 * @length:	in bytes; for a pop, of the place, then of the record.
 * @sequence:	its sequence number; a peek and a pop set it.
 */
struct spscring_record {
	void *data;
	__u64 length;
	__u64 sequence;
};

/* A producer of records: see the handles of end.h. */
struct spscring_record_producer {
	struct spscring_producer_base base;
	char *word;		/* the word at base.pos */
	__u64 sequence;		/* of the next record */
	__u32 phase;		/* of the words of this lap */
	__u64 cleared;		/* words are 0 from pos up to this position */
	__u64 reserved;		/* bytes reserved from pos on and not yet committed */
	__u64 first;		/* the first reserved record's length and discarded bit */
	__u64 oldest;		/* in a ring that overwrites, where the oldest whole record is */
	__u64 oldest_sequence;	/* its sequence number */
	const char *oldest_at;	/* its word */
};

/* A consumer of records. */
struct spscring_record_consumer {
	struct spscring_consumer_base base;
	__u64 known_length;	/* a length below this needs no further check; 0: each does */
	char *word;		/* the word at base.pos */
	__u64 sequence;		/* of the next record */
	__u32 phase;		/* of the words of this lap */
	__u64 waited_sequence;	/* sequence when the previous wait ended */
};

/* As of the handles of element.h. */
SPSCRING_ASSERT(sizeof(struct spscring_record_producer) == 232);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_record_producer, word) == 160);
SPSCRING_ASSERT(sizeof(struct spscring_record_consumer) == 200);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_record_consumer, known_length) == 160);

/**
 * spscring_record_size() - how much of the ring a record uses, with its word
 * @align: the ring's alignment, in bytes
 * @length: of the record, in bytes
 *
 * Return: bytes, a multiple of @align.
 */
static SPSCRING_INLINE __u64 spscring_record_size(__u32 align, __u64 length)
{
	return (length + SPSCRING_WORD + align - 1) & -(__u64)align;
}

/* The phase of the words of the lap that @pos is in. */
static inline __u32 spscring_phase(const struct spscring_geometry *g, __u64 pos)
{
	return (__u32)((SPSCRING_WORD_PUBLISHED |
			(pos / g->data_bytes % 2 ? SPSCRING_WORD_LAP : 0)) >> 32);
}

/* The sequence number nearest to @near whose low bits are those of @word. */
static inline __u64 spscring_sequence_of(__u64 word, __u64 near)
{
	return near + (__u64)((__s64)(((word >> SPSCRING_WORD_SEQUENCE) - near) <<
				      SPSCRING_WORD_SEQUENCE) >> SPSCRING_WORD_SEQUENCE);
}

/* The word of a published record, without its length. */
static SPSCRING_INLINE __u64 spscring_word(__u64 sequence, __u32 phase)
{
	return (sequence << (SPSCRING_WORD_SEQUENCE - 32) | phase) << 32;
}

/**
 * spscring_record_consumer_fail() - make every later pop and peek fail
 * @c: the consumer
 * @why: the error that they return: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
int spscring_record_consumer_fail(struct spscring_record_consumer *c, int why);

/* The producer's words are impossible: break the ring for this end. */
int spscring_record_consumer_broken(struct spscring_record_consumer *c) SPSCRING_COLD;

static SPSCRING_INLINE __u64 spscring_record_load(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	return spscring_load_acquire((const __u64 *)c->word);
}

/*
 * For a word that spscring_word_is_there() refused: does it mean "not yet", being 0, or published
 * in another lap?  Any other word is impossible.
 */
static SPSCRING_INLINE int spscring_word_is_empty(__u64 word)
{
	return !word || word & SPSCRING_WORD_PUBLISHED;
}

/* Is this the word of a record that is published in this lap? */
static SPSCRING_INLINE int spscring_word_is_there(const struct spscring_record_consumer *c,
						  __u64 word)
{
	const __u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;

	return (__u32)((word & bits) >> 32) == c->phase;
}

/* @at is at the end of the data or past it: step to the next lap. */
static SPSCRING_INLINE char *spscring_record_wrap(struct spscring_record_consumer *c, char *at)
{
	c->phase ^= SPSCRING_PHASE_LAP;
	if (spscring_traced(pop))
		c->known_length = 0;	/* the next pop leaves the hot path and is traced */
	return at - (c->base.end - c->base.data);
}

static SPSCRING_INLINE void spscring_record_skip(struct spscring_record_consumer *c, __u64 size)
{
	c->base.pos += size;
	c->word += size;
	if (spscring_unlikely(c->word >= c->base.end))
		c->word = spscring_record_wrap(c, c->word);
}

/*
 * Adapt the back-off when a wait ends, see spscring_adapt_backoff().  Records are counted in
 * units of 16 bytes.  One record counts for at most SPSCRING_LINE bytes, or a round trip of large
 * records would be taken for a stream.
 */
void spscring_record_adapt_backoff(struct spscring_record_consumer *c);

/*
 * The error to return where the next word is not published.  This reads the states of both ends
 * at each SPSCRING_REFRESH_EVERY-th failure, and at each one after the producer has ended.
 */
int spscring_record_empty_status(struct spscring_record_consumer *c) SPSCRING_COLD;

/*
 * Is the next record published by its own word, or, in a ring that overwrites, has the oldest
 * position passed this end's?  A wait relies on the producer's cursor, which can be a lie.
 */
int spscring_record_first_is_there(const struct spscring_record_consumer *c);

SPSCRING_END_DECLS

#endif /* _SPSCRING_WORD_H */
