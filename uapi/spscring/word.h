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

/* How many discarded records a call passes by. */
#define SPSCRING_DISCARDED_MAX	4096

#define SPSCRING_WORD		8	/* sizeof of it */

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

/* A producer of records of any size: see the handles of end.h. */
struct spscring_record_producer {
	struct spscring_producer_base base;
	char *word;		/* of base.pos */
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
	__u64 known_length;	/* lengths below this need no second look */
	char *word;		/* of pos */
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

/* The phase of the words of the lap that @pos is in. */
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

/**
 * spscring_record_consumer_fail() - make every later pop and peek fail
 * @c: the consumer
 * @why: the error that they return: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
int spscring_record_consumer_fail(struct spscring_record_consumer *c, int why);

/* The producer's words are impossible: break the ring for this end. */
int spscring_record_consumer_broken(struct spscring_record_consumer *c);

static SPSCRING_INLINE __u64 spscring_record_load(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	return spscring_load_acquire((const __u64 *)c->word);
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
		c->known_length = 0;	/* so that the next takes another look */
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
 * Records came after a wait, see spscring_adapt_backoff(): counted by what the smallest take of
 * the ring, and none for more than a line's, or a round trip would look like a stream.
 */
void spscring_record_adapt_backoff(struct spscring_record_consumer *c);

/* No word yet: empty, or ended. */
int spscring_record_empty_status(struct spscring_record_consumer *c) SPSCRING_COLD;

/*
 * After a wait: the first record is there by its own word, not only by what comes after
 * it.  In a ring that overwrites it is wherever the oldest is.
 */
int spscring_record_first_is_there(const struct spscring_record_consumer *c);

SPSCRING_END_DECLS

#endif /* _SPSCRING_WORD_H */
