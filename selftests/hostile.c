// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile peer sets every shared word that it can write to every kind of value: one at a time by
 * the tables below, then all of them at full speed.  The victim never moves an element too many,
 * and finds each lie that it can find.
 *
 * SPSCRING_HOSTILE_WORDS	lies that each storm writes at least, before its victims stop
 */
#include "duel.h"

/*
 * A producer at pos, whose ring is full.  The published head must not be ahead of pos, and is
 * ignored where it says no more than before; the cursor must be in pos - capacity .. pos.
 */
static const struct word producer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(C_TOLD,      WAIT,  WAIT,  BREAK, CAUGHT, BREAK, WAIT,  BREAK, WAIT,  BREAK, WAIT),
	WORD(C_CURSOR,    BREAK, BREAK, BREAK, TAKE,  BREAK, WAIT,  BREAK, BREAK, BREAK, BREAK),
	WORD(C_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

/*
 * A consumer at pos, whose ring is empty.  The tail of its frame must not be beyond
 * pos + capacity, and is stale up to pos; the consumer reads no other word.
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

/* --------------------------------------------------------- what a victim says */

struct outcome {
	__u64 moved;
	int err;
};

/* After this many failed tries the victim has read every word at least twice. */
#define ENOUGH	(3 * SPSCRING_REFRESH_EVERY)

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

/* The errno with which the kernel's end stopped. */
static int kernel_result(struct duel *d, struct spscring_peer_result *result)
{
	memset(result, 0, sizeof(*result));
	return do_ioctl(d->peer, SPSCRING_PEER_WAIT, result) ?: result->err;
}

/*
 * The kernel's end retries until STOP.  Its answer to a lie is known once it is dead, or has
 * counted ENOUGH failed tries since it last moved.
 */
static struct outcome kernel_outcome(struct duel *d, __u32 role, __u64 pos,
				     struct spscring_peer_result *result)
{
	const bool producer = role == SPSCRING_PRODUCER;
	const __u64 *counter = producer ? &peer_producer(d)->failed :
		&peer_consumer(d)->failed;
	__u64 since = READ_ONCE(*counter), at = pos, count, now;
	struct outcome out = { .err = -ETIMEDOUT };
	struct patience patience = {};
	struct spscring_info info;

	do {
		/* the count first: the end counted these tries before it could move */
		count = smp_load_acquire(counter);
		info = info_of(d->ring);

		if ((producer ? info.producer_state : info.consumer_state) == SPSCRING_DEAD) {
			out.err = kernel_result(d, result);
			out.moved = result->done - pos;
			return out;
		}
		/* the victim's own cursor */
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

/* The expected errno and number of elements; a lie that the victim believes gives it @room. */
static struct outcome expected(enum verdict verdict, __u64 room)
{
	switch (verdict) {
	case WAIT:	return (struct outcome){ 0, -EAGAIN };
	case TAKE:	return (struct outcome){ room, -EAGAIN };
	case CAUGHT:	return (struct outcome){ room, -EPIPE };
	default:	return (struct outcome){ 0, -EPIPE };
	}
}

/* ------------------------------------------------------- one lie at a time */

FIXTURE(hostile)
{
	struct duel d, other;	/* other: a ring that the attack must not affect */
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
	if (variant->victim.kernel)
		SKIP_WITHOUT_PEER();
	self->d.ring = -1;
	ASSERT_TRUE(duel_make(&self->other));
	ASSERT_TRUE(claim_producer(&self->other) && claim_consumer(&self->other));
}

FIXTURE_TEARDOWN(hostile)
{
	duel_free(&self->other);
}

/* INFO reports lengths that are within bounds, whatever the cursors say. */
static bool info_in_bounds(int fd)
{
	struct spscring_info info = info_of(fd);

	return info.length <= CAPACITY && info.free == CAPACITY - info.length &&
		info.geometry.capacity == CAPACITY;
}

/* Check that the other ring, which nobody attacks, works. */
static bool unaffected(struct duel *other)
{
	return user_pushes(other, CAPACITY) && user_pops(other, CAPACITY) &&
		!info_of(other->ring).broken;
}

/* The ring is broken for good: INFO says so, and claims of both ends are refused. */
static bool is_broken(struct duel *d, const struct victim *victim)
{
	const bool producer = victim->role == SPSCRING_PRODUCER;
	const __u32 attacker = producer ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;

	/* a victim that is a user tells the kernel */
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

/* Before a lie about the next frame: move to the last slot but one of this frame. */
static bool step_up(struct duel *d, const struct victim *victim)
{
	return honest(d, victim, (2 * FRAME - 1 - d->pushed % FRAME) % FRAME);
}

/* After the lie: one honest element moves the victim to the end of the frame. */
static bool step_over(struct duel *d, const struct victim *victim)
{
	return user_pushes(d, 1) && (victim->kernel ? kernel_pops(d) : user_pops(d, 1));
}

/* Attack by one value of one word, a cell of the table. */
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
		ASSERT_EQ(FRAME, d->g.frame_elements);
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
	EXPECT_EQ(want.err, out.err);
	EXPECT_EQ(want.moved, out.moved);
	EXPECT_TRUE(info_in_bounds(d->ring));
	EXPECT_TRUE(unaffected(other));
	if (want.err == -EPIPE) {
		EXPECT_EQ(-EPIPE, victim->kernel ? -EPIPE : user_outcome(d, victim->role).err);
		EXPECT_TRUE(is_broken(d, victim));
	} else {
		EXPECT_EQ(0, info_of(d->ring).broken);
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

	/* the victim never reads the table's last word, so its lies leave the ring intact */
	ASSERT_GE(d->ring, 0);
	EXPECT_EQ(0, info_of(d->ring).broken);
	if (victim->kernel) {
		EXPECT_EQ(0, do_ioctl(d->peer, SPSCRING_PEER_STOP, NULL));
		EXPECT_EQ(-ECANCELED, kernel_result(d, &result));
		EXPECT_EQ(0, result.wrong);
	}
	duel_free(d);
}

/* ----------------------------------------------- all lies, at full speed */

/* A lie of any size, most of them near to @pos. */
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

/* Write lies to all that this end can write, and count them, until this process is killed. */
static void scribble(struct duel *d, __u32 role, __u64 *written)
{
	__u64 *from, lies;
	const __u64 *pos;
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
		pos = &peer_producer(d)->cursor;
	}
	for (lies = 0;; lies++) {
		/* half of the lies go to words that the victim reads */
		size_t i = random_word() % (2 * n);
		__u64 *at = from + i % n;

		if (i >= n)
			at = role == SPSCRING_PRODUCER ? tail_at(d, READ_ONCE(*pos), i % 3) :
				i % 2 ? &d->c.base.block->published_head :
				&d->c.base.block->cursor;
		WRITE_ONCE(*at, any_value(READ_ONCE(*pos)));
		WRITE_ONCE(*written, lies);
	}
}

/* Push or pop, as a victim that is a user, until the ring is found broken. */
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

TEST_F_TIMEOUT(hostile, storm, 7200)
{
	__u64 *written = shared_memory(sizeof(*written)), words = 0;
	const struct victim *victim = &variant->victim;
	const __u32 attacker = victim->role == SPSCRING_PRODUCER ?
		SPSCRING_CONSUMER : SPSCRING_PRODUCER;
	struct spscring_peer_result result;
	struct duel *d = &self->d;
	int round;
	pid_t pid;

	for (round = 0; round < 10 || words < lies_wanted(); round++) {
		*written = 0;
		ASSERT_TRUE(duel_make(d));
		d->call = victim->call;
		ASSERT_TRUE(claim_victim(d, victim));
		pid = fork_child();
		if (!pid)
			scribble(d, attacker, written);
		EXPECT_EQ(-EPIPE,
			  victim->kernel ? kernel_result(d, &result) : endure(d, victim->role));
		words += READ_ONCE(*written);
		EXPECT_TRUE(unaffected(&self->other));
		/* the attacker still runs and holds its end */
		EXPECT_EQ(-EBUSY, claim_end(d->ring, attacker, 0));
		EXPECT_TRUE(info_in_bounds(d->ring));
		EXPECT_EQ(victim->kernel, info_of(d->ring).broken);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, wait_child(pid));
		EXPECT_TRUE(is_broken(d, victim));
		duel_free(d);
	}
	printf("# %llu hostile words in %d rounds\n", words, round);
	munmap(written, sizeof(*written));
}

TEST_HARNESS_MAIN
