// SPDX-License-Identifier: GPL-2.0
/*
 * A claim after the death of a hostile end, which has left every kind of value in every word that
 * it could write.  The claim recovers the end, or breaks the ring.
 */
#include "duel.h"

/*
 * A dead consumer's cursor must be in tail - capacity .. tail, and the claim sets the published
 * head by it.
 */
static const struct word dead_consumer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(C_CURSOR,    BREAK, BREAK, BREAK, TAKE,  BREAK, TAKE,  BREAK, BREAK, BREAK, BREAK),
	WORD(C_TOLD,      WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(C_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

/*
 * A dead producer's cursor must be in head - capacity .. head + capacity.  Where it lies at or
 * before head, the tails say what was published, unless the tail of a free frame says "nothing
 * yet".  A tail is believed from the cursor on, as far as its frame goes.
 */
static const struct word dead_producer_words[] = {
	/*                0      -1     +1     -1     +C     -C     +C+1   -C-1   ahead  behind */
	WORD(P_CURSOR,    BREAK, BREAK, TAKE,  OPEN,  TAKE,  OPEN,  BREAK, OPEN,  BREAK, BREAK),
	/* the position, which must not be behind what the consumer has popped */
	WORD(TAIL,        BREAK, BREAK, TAKE,  BREAK, TAKE,  BREAK, TAKE,  BREAK, TAKE,  BREAK),
	WORD(TAIL_NEXT,   WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(TAIL_BEFORE, WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(TAIL_AFTER,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_COUNTERS,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
	WORD(P_OLDEST,    WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT,  WAIT),
};

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
			EXPECT_EQ(word->verdict[value] != BREAK, claim_consumer(d))
				TH_LOG("%s, value %d", word->name, value);
			info = info_of(d->ring);
			EXPECT_EQ(word->verdict[value] == BREAK, info.broken);
			if (!info.broken) {
				EXPECT_EQ(head, info.head);
				EXPECT_EQ(pos - head, info.length);
				EXPECT_EQ(head, d->c.base.block->published_head);
				d->popped = head;
				EXPECT_TRUE(user_pops(d, pos - head));
			} else {
				EXPECT_EQ(-EPIPE, d->consumer);
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
			/* a tail beyond its frame's end is impossible */
			if (word->which == TAIL && tail > pos + FRAME - pos % FRAME)
				tail = pos + FRAME - pos % FRAME;
			EXPECT_TRUE(claim_producer(d) == (verdict != BREAK) || verdict == OPEN)
				TH_LOG("%s, value %d", word->name, value);
			info = info_of(d->ring);
			EXPECT_EQ(d->producer < 0, info.broken);
			if (!info.broken) {
				EXPECT_EQ(tail, info.tail)
					TH_LOG("%s, value %d", word->name, value);
				EXPECT_EQ(tail - pos, info.length);
				/* as many elements as the liar claimed, and no more */
				for (; pos < tail; pos++)
					ASSERT_EQ(0, spscring_pop(&d->c, &v));
				EXPECT_EQ(-EAGAIN, pop_answer(&d->c, &v));
				d->pushed = tail;
				d->popped = tail;
				EXPECT_TRUE(honest(d, &user_consumer, 3 * CAPACITY));
			} else {
				EXPECT_EQ(-EPIPE, d->producer);
			}
			duel_free(d);
		}
	}
}

TEST_HARNESS_MAIN
