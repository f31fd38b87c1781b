// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile peer: every shared word that it can write, set to every kind of
 * value, while the victim runs, who is a user or the kernel, the producer or
 * the consumer.  What the victim finds is told by a table for each word.
 */
#include "selftest.h"
#include "spscring_peer.h"

#define CAPACITY	64
#define FRAME		7	/* records in one */
#define LAPS		5

/* ------------------------------------------------------- values, verdicts */

/* All from the victim's position, but for the first two. */
enum value {
	ZERO, MINUS_ONE, PLUS_1, MINUS_1, PLUS_CAPACITY, MINUS_CAPACITY,
	PLUS_CAPACITY_1, MINUS_CAPACITY_1, RANDOM_AHEAD, RANDOM_BEHIND, VALUES
};

/*
 * WAIT	-EAGAIN as before, and all goes on once the word is right again
 * TAKE	believed: what an honest peer may write; only the liar has the damage
 * CAUGHT	believed first, then found out: -EPIPE
 * BREAK	-EPIPE at once
 * OPEN	WAIT or BREAK
 */
enum verdict { WAIT, TAKE, CAUGHT, BREAK, OPEN };

#define WORD(name, ...)	{ #name, name, { __VA_ARGS__ } }

struct word {
	const char *name;
	int which;
	enum verdict verdict[VALUES];
};

/* What a consumer can write. */
enum { C_CURSOR, C_TOLD, C_COUNTERS };

/* What a producer can write; tails of the frame where the consumer is, and others. */
enum { P_CURSOR, P_COUNTERS, P_OLDEST, TAIL, TAIL_NEXT, TAIL_BEFORE, TAIL_AFTER };

/*
 * A producer at pos, full.  Told is a hint and must not be ahead of pos, and
 * what is not news is passed over; the cursor must be in pos - capacity .. pos.
 */
static const struct word producer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(C_TOLD,      WAIT,  WAIT,  BREAK, CAUGHT, BREAK, WAIT,  BREAK, WAIT,  BREAK, WAIT),
	WORD(C_CURSOR,    BREAK, BREAK, BREAK, TAKE,  BREAK, WAIT,  BREAK, BREAK, BREAK, BREAK),
	WORD(C_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

/*
 * A consumer at pos, empty.  The tail of its frame is stale up to pos and must
 * not be beyond pos + capacity; it looks at no other word.
 */
static const struct word consumer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(TAIL,        WAIT,  WAIT,  TAKE,  WAIT,  TAKE,  WAIT,  BREAK, WAIT,  BREAK, WAIT),
	WORD(TAIL_NEXT,   WAIT,  WAIT,  TAKE,  WAIT,  TAKE,  WAIT,  BREAK, WAIT,  BREAK, WAIT),
	WORD(TAIL_BEFORE, WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(TAIL_AFTER,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_CURSOR,    WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_OLDEST,    WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

/*
 * A claim after the hostile end's death.  The consumer's cursor must be in
 * tail - capacity .. tail, and what it told is set by it.
 */
static const struct word dead_consumer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(C_CURSOR,    BREAK, BREAK, BREAK, TAKE,  BREAK, TAKE,  BREAK, BREAK, BREAK, BREAK),
	WORD(C_TOLD,      WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(C_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

/*
 * The producer's cursor must be in head - capacity .. head + capacity, and lies
 * up to head are mended by the tails, unless a free frame's says "nothing yet" by
 * then; a tail is believed from the cursor on, as far as its frame goes.
 */
static const struct word dead_producer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(P_CURSOR,    BREAK, BREAK, TAKE,  OPEN,  TAKE,  OPEN,  BREAK, OPEN,  BREAK, BREAK),
	/* the position, which is not to be behind what the consumer has taken */
	WORD(TAIL,        BREAK, BREAK, TAKE,  BREAK, TAKE,  BREAK, TAKE,  BREAK, TAKE,  BREAK),
	WORD(TAIL_NEXT,   WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(TAIL_BEFORE, WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(TAIL_AFTER,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_OLDEST,    WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

static __u64 value_at(enum value value, __u64 pos)
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
	__u64 pushed, popped;	/* by honest means */
	int call;			/* of the victim */
};

enum { CALL_ONE, CALL_BATCH, CALL_IN_PLACE, CALL_BATCH_IN_PLACE, CALLS };

static bool duel_make(struct duel *d)
{
	memset(d, 0, sizeof(*d));
	d->peer = -1;
	d->producer = -1;
	d->consumer = -1;
	d->ring = spscring_open(RING(.capacity = CAPACITY, .record_size = 8, .name = "hostile"));
	d->g = info_of(d->ring).geometry;
	return d->ring >= 0;
}

static bool claim_producer(struct duel *d)
{
	d->producer = claim_end(d->ring, SPSCRING_PRODUCER, 0);
	return d->producer >= 0 &&
		!map_producer(d->producer, &d->p, &d->producer_map);
}

static bool claim_consumer(struct duel *d)
{
	d->consumer = claim_end(d->ring, SPSCRING_CONSUMER, 0);
	return d->consumer >= 0 &&
		!map_consumer(d->consumer, &d->c, &d->consumer_map);
}

/* The kernel's end begins; it retries for ever what it is told to retry. */
static bool claim_kernel(struct duel *d, __u32 op)
{
	struct spscring_peer_start start = {
		.op = op, .ring_fd = d->ring, .cpu = -1,
		.batch = d->call == CALL_BATCH ? 5 : 1,
	};

	d->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	return d->peer >= 0 && !do_ioctl(d->peer, SPSCRING_PEER_START, &start);
}

static void release_producer(struct duel *d)
{
	if (d->producer_map.writable)
		spscring_unmap(&d->producer_map);
	d->producer_map.writable = NULL;
	close_fd(&d->producer);
}

static void release_consumer(struct duel *d)
{
	if (d->consumer_map.writable)
		spscring_unmap(&d->consumer_map);
	d->consumer_map.writable = NULL;
	close_fd(&d->consumer);
}

static void duel_free(struct duel *d)
{
	close_fd(&d->peer);
	release_producer(d);
	release_consumer(d);
	close_fd(&d->ring);
}

static long push_by(struct duel *d, __u64 seq)
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

static long pop_by(struct duel *d, __u64 *seq)
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

/* Honest ends, before and after an attack; a peer in the kernel needs a while. */
static bool user_pushes(struct duel *d, __u64 n)
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

static bool user_pops(struct duel *d, __u64 n)
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

/* --------------------------------------------------------- what a victim says */

struct outcome {
	__u64 moved;
	int err;
};

/* Tries enough that every word was looked at, and once more after that. */
#define ENOUGH	(3 * SPSCRING_LOOK_EVERY)

static struct outcome user_outcome(struct duel *d, __u32 role)
{
	struct outcome out = {};
	int tries = 0;
	__u64 v;

	while (tries < ENOUGH) {
		long n = role == SPSCRING_PRODUCER ? push_by(d, 0) : pop_by(d, &v);

		if (n > 0) {
			out.moved += n;
			tries = 0;
			continue;
		}
		out.err = n;
		if (n != -EAGAIN)
			break;
		tries++;
	}
	return out;
}

/* The lines of the end that is not mapped here, as its peer sees them. */
static const struct spscring_producer_lines *peer_producer(struct duel *d)
{
	return (const void *)
		(d->c.base.data - d->g.data_offset + d->g.producer_offset + d->g.colour);
}

static const struct spscring_consumer_lines *peer_consumer(struct duel *d)
{
	return (const void *)d->p.base.peer_cursor;	/* its first word */
}

/* A dead kernel end's result is why it ended. */
static int kernel_result(struct duel *d, struct spscring_peer_result *result)
{
	memset(result, 0, sizeof(*result));
	return do_ioctl(d->peer, SPSCRING_PEER_WAIT, result) ?: result->err;
}

/*
 * The kernel's end never stops trying: seen from outside it has made its mind
 * up when it is dead, or has counted enough failed tries since it last moved.
 */
static struct outcome kernel_outcome(struct duel *d, __u32 role, __u64 pos,
				     struct spscring_peer_result *result)
{
	const bool producer = role == SPSCRING_PRODUCER;
	const __u64 *counter = producer ? &peer_producer(d)->counters.word :
		&peer_consumer(d)->counters.word;
	__u64 since = READ_ONCE(*counter), at = pos, count, now;
	struct outcome out = { .err = -ETIMEDOUT };
	struct patience patience = {};
	struct spscring_info info;

	do {
		/* in this order: it has not moved for as long as that counts */
		count = smp_load_acquire(counter);
		info = info_of(d->ring);

		if ((producer ? info.producer_state : info.consumer_state) == SPSCRING_DEAD) {
			out.err = kernel_result(d, result);
			out.moved = result->done - pos;
			return out;
		}
		/* that cursor is the victim's own */
		now = producer ? info.tail : info.head;
		if (at != now) {
			at = now;
			since = READ_ONCE(*counter);
		} else if ((__s64)(count - since) >= ENOUGH) {
			out.moved = at - pos;
			out.err = -EAGAIN;
			return out;
		}
	} while (patient(&patience, at + count));
	return out;
}

/* What a verdict means: @room is how far a lie that is believed reaches. */
static struct outcome expected(enum verdict verdict, __u64 room)
{
	switch (verdict) {
	case WAIT:	return (struct outcome){ 0, -EAGAIN };
	case TAKE:	return (struct outcome){ room, -EAGAIN };
	case CAUGHT:	return (struct outcome){ room, -EPIPE };
	default:	return (struct outcome){ 0, -EPIPE };
	}
}

/* ------------------------------------------------------------ the fixtures */

FIXTURE(hostile)
{
	struct duel d, other;	/* other: a ring that has nothing to do with it */
};

FIXTURE_VARIANT(hostile)
{
	struct victim victim;
};

FIXTURE_VARIANT_ADD(hostile, user_producer) {
	{ SPSCRING_PRODUCER, false, CALL_ONE }
};

FIXTURE_VARIANT_ADD(hostile, user_producer_batch) {
	{ SPSCRING_PRODUCER, false, CALL_BATCH }
};

FIXTURE_VARIANT_ADD(hostile, user_producer_in_place) {
	{ SPSCRING_PRODUCER, false, CALL_IN_PLACE }
};

FIXTURE_VARIANT_ADD(hostile, user_producer_batch_in_place) {
	{ SPSCRING_PRODUCER, false, CALL_BATCH_IN_PLACE }
};

FIXTURE_VARIANT_ADD(hostile, user_consumer) {
	{ SPSCRING_CONSUMER, false, CALL_ONE }
};

FIXTURE_VARIANT_ADD(hostile, user_consumer_batch) {
	{ SPSCRING_CONSUMER, false, CALL_BATCH }
};

FIXTURE_VARIANT_ADD(hostile, user_consumer_in_place) {
	{ SPSCRING_CONSUMER, false, CALL_IN_PLACE }
};

FIXTURE_VARIANT_ADD(hostile, user_consumer_batch_in_place) {
	{ SPSCRING_CONSUMER, false, CALL_BATCH_IN_PLACE }
};

FIXTURE_VARIANT_ADD(hostile, kernel_source) {
	{ SPSCRING_PRODUCER, true, CALL_ONE }
};

FIXTURE_VARIANT_ADD(hostile, kernel_source_batch) {
	{ SPSCRING_PRODUCER, true, CALL_BATCH }
};

FIXTURE_VARIANT_ADD(hostile, kernel_sink) {
	{ SPSCRING_CONSUMER, true, CALL_ONE }
};

FIXTURE_VARIANT_ADD(hostile, kernel_sink_batch) {
	{ SPSCRING_CONSUMER, true, CALL_BATCH }
};

FIXTURE_SETUP(hostile)
{
	SKIP_WITHOUT_DEVICE();
	if (variant->victim.kernel && access(SPSCRING_PEER_DEVICE, R_OK | W_OK))
		SKIP(return, "%s: %s; is spscring_peer.ko loaded?", SPSCRING_PEER_DEVICE,
		     strerror(errno));
	self->d.ring = -1;
	ASSERT_TRUE(duel_make(&self->other));
	ASSERT_TRUE(claim_producer(&self->other) && claim_consumer(&self->other));
}

FIXTURE_TEARDOWN(hostile)
{
	duel_free(&self->other);
}

/* Until the kernel has popped all that was pushed, or filled the ring. */
static bool kernel_pops(struct duel *d)
{
	const __u64 *head = &peer_consumer(d)->cursor.word;
	struct patience patience = {};

	while (READ_ONCE(*head) < d->pushed)
		if (!patient(&patience, READ_ONCE(*head)))
			return false;
	return true;
}

static bool kernel_fills(struct duel *d)
{
	const __u64 *tail = &peer_producer(d)->cursor.word;
	struct patience patience = {};

	/* may lag behind what was popped, by a frame; exact once the ring is full */
	while ((__s64)(READ_ONCE(*tail) - d->popped) < CAPACITY)
		if (!patient(&patience, READ_ONCE(*tail)))
			return false;
	return true;
}

/* @n records of honest traffic, from an empty ring or from a full one. */
static bool honest(struct duel *d, const struct victim *victim, __u64 n)
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

static bool claim_victim(struct duel *d, const struct victim *victim)
{
	if (victim->role == SPSCRING_PRODUCER)
		return victim->kernel ? claim_kernel(d, SPSCRING_PEER_SOURCE) : claim_producer(d);
	return victim->kernel ? claim_kernel(d, SPSCRING_PEER_SINK) : claim_consumer(d);
}

/* Some laps of honest traffic, then: a full ring and a producer, or an empty one. */
static bool duel_begin(struct duel *d, const struct victim *victim)
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

/* The frame of @pos, and frames beside it. */
static __u64 *tail_at(struct duel *d, __u64 pos, int frames)
{
	__u64 frame = pos / d->g.frame_records + d->g.frames + frames;

	return (__u64 *)(d->p.base.data + frame % d->g.frames * d->g.frame_size);
}

static __u64 *word_at(struct duel *d, __u32 victim, int which, __u64 pos)
{
	if (victim == SPSCRING_PRODUCER) {
		switch (which) {
		case C_CURSOR:	return &d->c.base.lines->cursor.word;
		case C_TOLD:	return &d->c.base.lines->told.word;
		default:	return &d->c.base.lines->counters.word;
		}
	}
	switch (which) {
	case P_CURSOR:		return &d->p.base.lines->cursor.word;
	case P_COUNTERS:	return &d->p.base.lines->counters.word;
	case P_OLDEST:		return &d->p.base.lines->oldest.word;
	case TAIL_BEFORE:	return tail_at(d, pos, -1);
	case TAIL_AFTER:	return tail_at(d, pos, 2);
	default:		return tail_at(d, pos, 0);
	}
}

/* INFO shows a cursor as it is, and what follows from it in bounds. */
static bool info_in_bounds(int fd)
{
	struct spscring_info info = info_of(fd);

	return info.length <= CAPACITY && info.free == CAPACITY - info.length &&
		info.geometry.capacity == CAPACITY;
}

/* Another ring, meanwhile and afterwards. */
static bool unaffected(struct duel *other)
{
	return user_pushes(other, CAPACITY) && user_pops(other, CAPACITY) &&
		!info_of(other->ring).broken;
}

/* Broken is broken for all, and for good: INFO says so, both claims are refused. */
static bool is_broken(struct duel *d, const struct victim *victim)
{
	const bool producer = victim->role == SPSCRING_PRODUCER;
	const __u32 attacker = producer ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;

	/* a user's victim tells the kernel */
	if (!victim->kernel &&
	    spscring_shutdown(producer ? d->producer : d->consumer, SPSCRING_SHUTDOWN_BROKEN))
		return false;
	if (!info_of(d->ring).broken)
		return false;
	release_producer(d);
	release_consumer(d);
	return wait_state(d->ring, attacker, SPSCRING_DEAD) &&
		claim_end(d->ring, attacker, 0) == -EPIPE &&
		claim_end(d->ring, victim->role, 0) ==
		(victim->kernel ? -EPIPE : -ESHUTDOWN);
}

/* The frame's last slot but one is the next for a lie about the next frame. */
static bool step_up(struct duel *d, const struct victim *victim)
{
	return honest(d, victim, (2 * FRAME - 1 - d->pushed % FRAME) % FRAME);
}

/* Then an honest record leads the victim there. */
static bool step_over(struct duel *d, const struct victim *victim)
{
	return user_pushes(d, 1) && (victim->kernel ? kernel_pops(d) : user_pops(d, 1));
}

/* A cell of the table: one value of one word. */
static void attack(struct __test_metadata *_metadata, struct duel *d, struct duel *other,
		   const struct victim *victim, const struct word *word,
		   enum value value)
{
	const bool producer = victim->role == SPSCRING_PRODUCER;
	const bool next = !producer && word->which == TAIL_NEXT;
	struct spscring_peer_result result;
	__u64 pos, lie, right, room;
	struct outcome out, want;
	__u64 *at;

	if (d->ring < 0) {
		ASSERT_TRUE(duel_begin(d, victim));
		ASSERT_EQ(d->g.frame_records, FRAME);
	}
	if (next)
		ASSERT_TRUE(step_up(d, victim));
	pos = producer ? d->popped + CAPACITY : d->pushed + next;
	at = word_at(d, victim->role, word->which, pos);
	lie = value_at(value, pos);
	right = READ_ONCE(*at);
	room = producer ? lie + CAPACITY - pos : lie - pos;
	if (!producer && room > FRAME - pos % FRAME)
		room = FRAME - pos % FRAME;
	want = expected(word->verdict[value], room);

	WRITE_ONCE(*at, lie);
	if (next)
		ASSERT_TRUE(step_over(d, victim));
	out = victim->kernel ? kernel_outcome(d, victim->role, pos, &result) :
		user_outcome(d, victim->role);
	EXPECT_EQ(out.err, want.err);
	EXPECT_EQ(out.moved, want.moved);
	EXPECT_TRUE(info_in_bounds(d->ring));
	EXPECT_TRUE(unaffected(other));
	if (want.err == -EPIPE) {
		EXPECT_EQ(victim->kernel ? -EPIPE : user_outcome(d, victim->role).err, -EPIPE);
		EXPECT_TRUE(is_broken(d, victim));
	} else {
		EXPECT_EQ(info_of(d->ring).broken, 0);
	}
	if (word->verdict[value] == WAIT) {
		WRITE_ONCE(*at, right);
		EXPECT_TRUE(honest(d, victim, 3 * CAPACITY + 2));
		EXPECT_TRUE(!producer || !victim->kernel || kernel_fills(d));
	} else {
		duel_free(d);
	}
}

TEST_F(hostile, every_word)
{
	const struct victim *victim = &variant->victim;
	const struct word *words = victim->role == SPSCRING_PRODUCER ?
		producer_words : consumer_words;
	size_t n = victim->role == SPSCRING_PRODUCER ?
		ARRAY_SIZE(producer_words) : ARRAY_SIZE(consumer_words), i;
	struct spscring_peer_result result;
	struct duel *d = &self->d;
	int value, repeat;

	for (i = 0; i < n; i++) {
		for (value = 0; value < VALUES; value++) {
			for (repeat = 0; repeat < (value < RANDOM_AHEAD ? 1 : 4); repeat++)
				attack(_metadata, d, &self->other, victim, &words[i],
				       value);
			if (_metadata->exit_code == KSFT_FAIL) {
				TH_LOG("%s, value %d", words[i].name, value);
				return;
			}
		}
	}

	/* the last word was one that nobody looks at: all that lived through it is right */
	ASSERT_GE(d->ring, 0);
	EXPECT_EQ(info_of(d->ring).broken, 0);
	if (victim->kernel) {
		EXPECT_EQ(do_ioctl(d->peer, SPSCRING_PEER_STOP, NULL), 0);
		EXPECT_EQ(kernel_result(d, &result), -ECANCELED);
		EXPECT_EQ(result.wrong, 0);
	}
	duel_free(d);
}

/* ------------------------------------------------------------------ a storm */

/* Lies of every size around where the ring is. */
static __u64 any_value(__u64 pos)
{
	__u64 r = random_word();

	switch (r % 8) {
	case 0:		return pos + (r >> 8) % (2 * CAPACITY);
	case 1:		return pos - (r >> 8) % (2 * CAPACITY);
	case 2:		return r;
	default:	return value_at((r >> 8) % VALUES, pos);
	}
}

/* Writes all that it may write, everywhere, until it is killed. */
static void scribble(struct duel *d, __u32 role)
{
	const __u64 *pos;
	__u64 *from;
	size_t n;

	if (role == SPSCRING_PRODUCER ? !claim_producer(d) : !claim_consumer(d))
		_exit(1);
	if (role == SPSCRING_PRODUCER) {
		from = d->producer_map.writable;
		n = d->producer_map.writable_size / 8;
		pos = d->p.base.peer_cursor;
	} else {
		from = d->consumer_map.writable;
		n = d->consumer_map.writable_size / 8;
		pos = &peer_producer(d)->cursor.word;
	}
	for (;;) {
		/* half of them where it hurts */
		size_t i = random_word() % (2 * n);
		__u64 *at = from + i % n;

		if (i >= n)
			at = role == SPSCRING_PRODUCER ? tail_at(d, READ_ONCE(*pos), i % 3) :
				&d->c.base.lines->cursor.word + i % 2 * (SPSCRING_LINE / 8);
		WRITE_ONCE(*at, any_value(READ_ONCE(*pos)));
	}
}

/* A user's victim until it finds the ring broken. */
static int endure(struct duel *d, __u32 role)
{
	__u64 tries, v;
	long n;

	for (tries = 0; tries < 1ULL << 32; tries++) {
		d->call = tries % CALLS;
		n = role == SPSCRING_PRODUCER ? push_by(d, tries) : pop_by(d, &v);
		if (n > 3 || (n <= 0 && n != -EAGAIN))
			return n;
	}
	return -ETIMEDOUT;
}

TEST_F(hostile, storm)
{
	const struct victim *victim = &variant->victim;
	const __u32 attacker = victim->role == SPSCRING_PRODUCER ?
		SPSCRING_CONSUMER : SPSCRING_PRODUCER;
	struct spscring_peer_result result;
	struct duel *d = &self->d;
	int round;
	pid_t pid;

	for (round = 0; round < 10; round++) {
		ASSERT_TRUE(duel_make(d));
		d->call = victim->call;
		ASSERT_TRUE(claim_victim(d, victim));
		pid = fork_child();
		if (!pid)
			scribble(d, attacker);
		EXPECT_EQ(victim->kernel ? kernel_result(d, &result) :
			  endure(d, victim->role), -EPIPE);
		EXPECT_TRUE(unaffected(&self->other));
		/* and it goes on */
		EXPECT_EQ(claim_end(d->ring, attacker, 0), -EBUSY);
		EXPECT_TRUE(info_in_bounds(d->ring));
		EXPECT_EQ(info_of(d->ring).broken, victim->kernel);
		kill(pid, SIGKILL);
		EXPECT_EQ(wait_child(pid), -SIGKILL);
		EXPECT_TRUE(is_broken(d, victim));
		duel_free(d);
	}
}

/* ------------------------------------------- a claim after the liar's death */

FIXTURE(claim)
{
	struct duel d;
};

FIXTURE_SETUP(claim)
{
	SKIP_WITHOUT_DEVICE();
}

FIXTURE_TEARDOWN(claim)
{
	duel_free(&self->d);
}

static const struct victim user_producer = { .role = SPSCRING_PRODUCER };
static const struct victim user_consumer = { .role = SPSCRING_CONSUMER };

TEST_F(claim, of_a_dead_consumer)
{
	const __u64 pos = (LAPS + 1) * CAPACITY;
	struct duel *d = &self->d;
	struct spscring_info info;
	const struct word *word;
	__u64 lie, head;
	int value;

	for (word = dead_consumer_words;
	     word < dead_consumer_words + ARRAY_SIZE(dead_consumer_words); word++) {
		for (value = 0; value < VALUES; value++) {
			ASSERT_TRUE(duel_begin(d, &user_producer));
			lie = value_at(value, pos);
			WRITE_ONCE(*word_at(d, SPSCRING_PRODUCER, word->which, pos), lie);
			release_consumer(d);
			ASSERT_TRUE(wait_state(d->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));

			head = word->verdict[value] == WAIT ? pos - CAPACITY : lie;
			EXPECT_EQ(claim_consumer(d), word->verdict[value] != BREAK)
				TH_LOG("%s, value %d", word->name, value);
			info = info_of(d->ring);
			EXPECT_EQ(info.broken, word->verdict[value] == BREAK);
			if (!info.broken) {
				EXPECT_EQ(info.head, head);
				EXPECT_EQ(info.length, pos - head);
				EXPECT_EQ(d->c.base.lines->told.word, head);
				d->popped = head;
				EXPECT_TRUE(user_pops(d, pos - head));
			} else {
				EXPECT_EQ(d->consumer, -EPIPE);
			}
			duel_free(d);
		}
	}
}

TEST_F(claim, of_a_dead_producer)
{
	struct duel *d = &self->d;
	struct spscring_info info;
	const struct word *word;
	enum verdict verdict;
	__u64 pos, lie, tail, v;
	int value;

	for (word = dead_producer_words;
	     word < dead_producer_words + ARRAY_SIZE(dead_producer_words); word++) {
		for (value = 0; value < VALUES; value++) {
			ASSERT_TRUE(duel_begin(d, &user_consumer));
			pos = d->pushed;
			lie = value_at(value, pos);
			if (word->which == TAIL_NEXT)
				WRITE_ONCE(*tail_at(d, pos, 1), lie);
			else
				WRITE_ONCE(*word_at(d, SPSCRING_CONSUMER, word->which, pos), lie);
			release_producer(d);
			ASSERT_TRUE(wait_state(d->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));

			verdict = word->verdict[value];
			tail = verdict == TAKE ? lie : pos;
			/* a tail says no more than that its frame is full */
			if (word->which == TAIL && tail > pos + FRAME - pos % FRAME)
				tail = pos + FRAME - pos % FRAME;
			EXPECT_TRUE(claim_producer(d) == (verdict != BREAK) || verdict == OPEN)
				TH_LOG("%s, value %d", word->name, value);
			info = info_of(d->ring);
			EXPECT_EQ(info.broken, d->producer < 0);
			if (!info.broken) {
				EXPECT_EQ(info.tail, tail)
					TH_LOG("%s, value %d", word->name, value);
				EXPECT_EQ(info.length, tail - pos);
				/* what the liar claimed, whatever is there, and no more */
				for (; pos < tail; pos++)
					ASSERT_EQ(spscring_pop(&d->c, &v), 0);
				EXPECT_EQ(pop_answer(&d->c, &v), -EAGAIN);
				d->pushed = tail;
				d->popped = tail;
				EXPECT_TRUE(honest(d, &user_consumer, 3 * CAPACITY));
			} else {
				EXPECT_EQ(d->producer, -EPIPE);
			}
			duel_free(d);
		}
	}
}

/* --------------------------------------------------------------- the log */

/* Lines that say that a ring is broken. */
static int lines_of(int kmsg, unsigned long long id)
{
	char line[8192], which[64];
	int n = 0;
	ssize_t got;

	snprintf(which, sizeof(which), "ring %llu \"", id);
	while ((got = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (got <= 0)
			continue;
		line[got] = 0;
		n += strstr(line, "is broken") && strstr(line, which);
	}
	return n;
}

/* Broken by its user @times times: one line. */
static int break_ring(int kmsg, int times)
{
	struct duel d;
	int n = -1;

	lseek(kmsg, 0, SEEK_END);
	if (duel_make(&d) && claim_producer(&d) && claim_consumer(&d)) {
		while (times--) {
			spscring_shutdown(d.producer, SPSCRING_SHUTDOWN_BROKEN);
			spscring_shutdown(d.consumer, SPSCRING_SHUTDOWN_BROKEN);
		}
		n = lines_of(kmsg, ring_id(d.ring));
	}
	duel_free(&d);
	return n;
}

/* Said once for each ring, and by many rings not too often. */
TEST(one_line_in_the_log)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), i, n;
	time_t begin;

	SKIP_WITHOUT_DEVICE();
	if (kmsg < 0)
		SKIP(return, "/dev/kmsg: %s", strerror(errno));
	sleep_ms(6000);		/* the rate's interval, after other tests' lines */
	EXPECT_EQ(break_ring(kmsg, 1), 1);
	EXPECT_EQ(break_ring(kmsg, 5), 1);
	begin = time(NULL);
	for (i = 0, n = 0; i < 100; i++)
		n += break_ring(kmsg, 1);
	/* 10 in 5 seconds, of intervals that began before or end later */
	EXPECT_GE(n, 5);
	EXPECT_LE(n, 10 * ((time(NULL) - begin) / 5 + 2));
	close(kmsg);
}

TEST_HARNESS_MAIN
