/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A duel: the victim is the producer or the consumer, in a user's process or in the kernel.  Its
 * hostile peer writes a lie, which is an impossible or wrong value, into one shared word.
 */
#ifndef _SPSCRING_SELFTEST_DUEL_H
#define _SPSCRING_SELFTEST_DUEL_H

#include "selftest.h"
#include "spscring_peer.h"

#define CAPACITY	64
#define FRAME		7	/* elements a frame */
#define LAPS		5

/* ------------------------------------------------------- values, verdicts */

/* The values of a lie: all but the first two are relative to the victim's position. */
enum value {
	ZERO, MINUS_ONE, PLUS_1, MINUS_1, PLUS_CAPACITY, MINUS_CAPACITY,
	PLUS_CAPACITY_1, MINUS_CAPACITY_1, RANDOM_AHEAD, RANDOM_BEHIND, VALUES
};

/*
 * What the victim does about a lie.
 *
 * WAIT	returns -EAGAIN, as before the lie, and continues once the word is right again
 * TAKE	believes the lie: an honest peer may write the same, and it harms only the liar
 * CAUGHT	believes the lie at first, then finds it: -EPIPE
 * BREAK	finds the lie at once: -EPIPE
 * OPEN	does the same as for WAIT or as for BREAK
 */
enum verdict { WAIT, TAKE, CAUGHT, BREAK, OPEN };

#define WORD(name, ...)	{ #name, name, { __VA_ARGS__ } }

/* A shared word, and what the victim does about each value of it. */
struct word {
	const char *name;
	int which;
	enum verdict verdict[VALUES];
};

/* What a consumer can write. */
enum { C_CURSOR, C_TOLD, C_COUNTERS };

/* What a producer can write; the tail is that of the frame where the consumer is, or another's. */
enum { P_CURSOR, P_COUNTERS, P_OLDEST, TAIL, TAIL_NEXT, TAIL_BEFORE, TAIL_AFTER };

static inline __u64 value_at(enum value value, __u64 pos)
{
	const __u64 far = CAPACITY + 2 + random_word() % ((1ULL << 63) - CAPACITY - 2);

	switch (value) {
	case ZERO:		return 0;
	case MINUS_ONE:		return ~0ULL;
	case PLUS_1:		return pos + 1;
	case MINUS_1:		return pos - 1;
	case PLUS_CAPACITY:	return pos + CAPACITY;
	case MINUS_CAPACITY:	return pos - CAPACITY;
	case PLUS_CAPACITY_1:	return pos + CAPACITY + 1;
	case MINUS_CAPACITY_1:	return pos - CAPACITY - 1;
	case RANDOM_AHEAD:	return pos + far;
	default:		return pos - far;
	}
}

/* ------------------------------------------------------------------ a duel */

struct victim {
	__u32 role;
	bool kernel;
	int call;		/* how a user pushes or pops */
};

/* One ring, one hostile user, one victim. */
struct duel {
	int ring, peer;			/* peer: the kernel's, or -1 */
	int producer, consumer;		/* the users' ends */
	struct spscring_mapping producer_map, consumer_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_geometry g;
	__u64 pushed, popped;		/* by honest ends */
	int call;			/* of the victim */
};

enum { CALL_ONE, CALL_BATCH, CALL_IN_PLACE, CALL_BATCH_IN_PLACE, CALLS };

static inline bool duel_make(struct duel *d)
{
	memset(d, 0, sizeof(*d));
	d->peer = -1;
	d->producer = -1;
	d->consumer = -1;
	d->ring = spscring_open(RING(.capacity = CAPACITY, .element_size = 8, .name = "hostile"));
	d->g = info_of(d->ring).geometry;
	return d->ring >= 0;
}

static inline bool claim_producer(struct duel *d)
{
	d->producer = claim_end(d->ring, SPSCRING_PRODUCER, 0);
	return d->producer >= 0 &&
		!map_producer(d->producer, &d->p, &d->producer_map);
}

static inline bool claim_consumer(struct duel *d)
{
	d->consumer = claim_end(d->ring, SPSCRING_CONSUMER, 0);
	return d->consumer >= 0 &&
		!map_consumer(d->consumer, &d->c, &d->consumer_map);
}

/* Start an end in the kernel, which retries until its file says STOP. */
static inline bool claim_kernel(struct duel *d, __u32 op)
{
	struct spscring_peer_start start = {
		.op = op, .ring_fd = d->ring, .cpu = -1,
		.batch = d->call == CALL_BATCH ? 5 : 1,
	};

	d->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	return d->peer >= 0 && !do_ioctl(d->peer, SPSCRING_PEER_START, &start);
}

static inline void release_producer(struct duel *d)
{
	if (d->producer_map.writable)
		spscring_unmap(&d->producer_map);
	d->producer_map.writable = NULL;
	close_fd(&d->producer);
}

static inline void release_consumer(struct duel *d)
{
	if (d->consumer_map.writable)
		spscring_unmap(&d->consumer_map);
	d->consumer_map.writable = NULL;
	close_fd(&d->consumer);
}

static inline void duel_free(struct duel *d)
{
	close_fd(&d->peer);
	release_producer(d);
	release_consumer(d);
	close_fd(&d->ring);
}

/* Push by the call that the victim uses.  Return: how many, or a negative errno. */
static inline long push_by(struct duel *d, __u64 seq)
{
	__u64 batch[3] = { seq, seq + 1, seq + 2 };
	void *slot = NULL;
	long n;

	switch (d->call) {
	case CALL_ONE:
		return spscring_push(&d->p, &seq) ?: 1;
	case CALL_BATCH:
		return spscring_push_n(&d->p, batch, 3);
	case CALL_IN_PLACE:
		n = spscring_reserve(&d->p, &slot) ?: 1;
		break;
	default:
		n = spscring_reserve_n(&d->p, 3, &slot);
	}
	if (n < 0)
		return n;
	memcpy(slot, batch, n * sizeof(*batch));
	spscring_commit_n(&d->p, n);
	return n;
}

static inline long pop_by(struct duel *d, __u64 *seq)
{
	const void *recs = NULL;
	__u64 batch[3];
	long n;

	switch (d->call) {
	case CALL_ONE:
		return spscring_pop(&d->c, seq) ?: 1;
	case CALL_BATCH:
		n = spscring_pop_n(&d->c, batch, 3);
		if (n > 0)
			*seq = batch[0];
		return n;
	case CALL_IN_PLACE:
		n = spscring_peek(&d->c, &recs) ?: 1;
		break;
	default:
		n = spscring_peek_n(&d->c, 3, &recs);
	}
	if (n < 0)
		return n;
	memcpy(seq, recs, sizeof(*seq));
	spscring_release_n(&d->c, n);
	return n;
}

/* An honest user pushes @n, before and after an attack, and waits for a peer in the kernel. */
static inline bool user_pushes(struct duel *d, __u64 n)
{
	struct patience patience = {};
	int err;

	while (n) {
		err = push_answer(&d->p, &d->pushed);
		if (!err) {
			d->pushed++;
			n--;
		} else if (err != -EAGAIN || d->peer < 0 || !patient(&patience, n)) {
			return false;
		}
	}
	return true;
}

static inline bool user_pops(struct duel *d, __u64 n)
{
	struct patience patience = {};
	int err;
	__u64 v;

	while (n) {
		err = pop_answer(&d->c, &v);
		if (!err) {
			if (v != d->popped++)
				return false;
			n--;
		} else if (err != -EAGAIN || d->peer < 0 || !patient(&patience, n)) {
			return false;
		}
	}
	return true;
}

/* The control block of the end that is not this process's, as its peer has it mapped. */
static inline const struct spscring_producer_block *peer_producer(struct duel *d)
{
	return (const void *)
		(d->c.base.data - d->g.data_offset + d->g.producer_offset + d->g.colour);
}

static inline const struct spscring_consumer_block *peer_consumer(struct duel *d)
{
	return (const void *)d->p.base.peer_cursor;	/* its first word */
}

/* Wait until the kernel has popped all that was pushed ... */
static inline bool kernel_pops(struct duel *d)
{
	const __u64 *head = &peer_consumer(d)->cursor;
	struct patience patience = {};

	while (READ_ONCE(*head) < d->pushed)
		if (!patient(&patience, READ_ONCE(*head)))
			return false;
	return true;
}

/* ... or has filled the ring. */
static inline bool kernel_fills(struct duel *d)
{
	const __u64 *tail = &peer_producer(d)->cursor;
	struct patience patience = {};

	/* the cursor may lag by a frame; in a full ring it is exact */
	while ((__s64)(READ_ONCE(*tail) - d->popped) < CAPACITY)
		if (!patient(&patience, READ_ONCE(*tail)))
			return false;
	return true;
}

/* @n elements of honest traffic, in an empty ring or in a full one. */
static inline bool honest(struct duel *d, const struct victim *victim, __u64 n)
{
	if (victim->kernel && victim->role == SPSCRING_PRODUCER)
		return user_pops(d, n);
	if (victim->kernel)
		return user_pushes(d, n) && kernel_pops(d);
	while (n--) {
		if (d->pushed - d->popped == CAPACITY && !user_pops(d, 1))
			return false;
		if (!user_pushes(d, 1) ||
		    (victim->role == SPSCRING_CONSUMER && !user_pops(d, 1)))
			return false;
	}
	return true;
}

static inline bool claim_victim(struct duel *d, const struct victim *victim)
{
	if (victim->role == SPSCRING_PRODUCER)
		return victim->kernel ? claim_kernel(d, SPSCRING_PEER_SOURCE) : claim_producer(d);
	return victim->kernel ? claim_kernel(d, SPSCRING_PEER_SINK) : claim_consumer(d);
}

/* After some laps of honest traffic a producer has a full ring, and a consumer an empty one. */
static inline bool duel_begin(struct duel *d, const struct victim *victim)
{
	const bool kernel = victim->kernel;

	if (!duel_make(d))
		return false;
	d->call = victim->call;
	if (victim->role == SPSCRING_PRODUCER) {
		if (!claim_consumer(d) || !claim_victim(d, victim))
			return false;
		return honest(d, victim, (kernel ? LAPS : LAPS + 1) * CAPACITY) &&
			(!kernel || kernel_fills(d));
	}
	return claim_producer(d) && claim_victim(d, victim) &&
		honest(d, victim, LAPS * CAPACITY + 3);
}

/* The tail of the frame of @pos, or of the frame @frames behind it. */
static inline __u64 *tail_at(struct duel *d, __u64 pos, int frames)
{
	__u64 frame = pos / d->g.frame_elements + d->g.frames + frames;

	return (__u64 *)(d->p.base.data + frame % d->g.frames * d->g.frame_size);
}

static inline __u64 *word_at(struct duel *d, __u32 victim, int which, __u64 pos)
{
	if (victim == SPSCRING_PRODUCER) {
		switch (which) {
		case C_CURSOR:	return &d->c.base.block->cursor;
		case C_TOLD:	return &d->c.base.block->published_head;
		default:	return &d->c.base.block->failed;
		}
	}
	switch (which) {
	case P_CURSOR:		return &d->p.base.block->cursor;
	case P_COUNTERS:	return &d->p.base.block->failed;
	case P_OLDEST:		return &d->p.base.block->oldest;
	case TAIL_BEFORE:	return tail_at(d, pos, -1);
	case TAIL_AFTER:	return tail_at(d, pos, 2);
	default:		return tail_at(d, pos, 0);
	}
}

#endif
