// SPDX-License-Identifier: GPL-2.0
/*
 * A claim recovers an end after a death.  These tests write single words that a dead end could have
 * left, half done or impossible; killed.c really kills an end, and death.c after each store.
 */
#include "endpoint.h"

/*
 * A ring of 10 frames, of 7 elements each, after some elements have gone through it.  From there on
 * the producer stores its cursor in private memory, as if it died just before that store.
 */
FIXTURE(mend)
{
	endpoint_t e;
	__u64 at;		/* the cursor in the shared page */
	__u64 unseen;		/* where the producer stores it instead */
	struct spscring_geometry g;
};

FIXTURE_VARIANT(mend)
{
	int before;		/* how many elements have gone through */
};

FIXTURE_VARIANT_ADD(mend, fresh) {};
FIXTURE_VARIANT_ADD(mend, within_a_frame) { .before = 4 };
FIXTURE_VARIANT_ADD(mend, over_the_end) { .before = 56 };
FIXTURE_VARIANT_ADD(mend, second_lap) { .before = 73 };
FIXTURE_VARIANT_ADD(mend, many_laps) { .before = 999 };

FIXTURE_SETUP(mend)
{
	endpoint_t *e = &self->e;
	int i;

	SKIP_WITHOUT_DEVICE();
	endpoint_setup(_metadata, e, NULL);
	self->g = info_of(e->ring).geometry;
	ASSERT_EQ(7, self->g.frame_elements);
	ASSERT_EQ(10, self->g.frames);
	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	for (i = 0; i < variant->before; i++) {
		push_from(_metadata, e, i, 1);
		pop_from(_metadata, e, i, 1);
	}
	self->at = variant->before;
	WRITE_ONCE(*e->p.base.cursor, self->at);
	self->unseen = self->at;
	e->p.base.cursor = &self->unseen;
}

FIXTURE_TEARDOWN(mend)
{
	endpoint_teardown(_metadata, &self->e, NULL);
}

#define mend_t		FIXTURE_DATA(mend)

static __u64 *tail_of(mend_t *self, __u64 frame)
{
	return (__u64 *)(self->e.p.base.data + frame % self->g.frames * self->g.frame_size);
}

/*
 * The producer dies and the next one claims: the ring holds what is between @head and @tail,
 * and works for two laps.
 */
static void mended(struct __test_metadata *_metadata, mend_t *self,
		   __u64 head, __u64 tail)
{
	endpoint_t *e = &self->e;

	producer_dies(_metadata, e);
	producer_up(_metadata, e);
	EXPECT_EQ(tail, info_of(e->ring).tail);
	EXPECT_EQ(tail, e->p.base.pos);
	EXPECT_EQ(0, info_of(e->ring).broken);
	pop_from(_metadata, e, head, tail - head);
	EXPECT_EQ(-EAGAIN, pop_end(e));
	for (head = tail; head < tail + 2 * CAPACITY; head++) {
		push_from(_metadata, e, head, 1);
		pop_from(_metadata, e, head, 1);
		ASSERT_EQ(-EAGAIN, pop_end(e));
	}
}

/* A batch of any length was published by the frames' tails, but not by the cursor. */
TEST_F(mend, cursor_is_behind)
{
	int n;

	for (n = 0; n < 20; n++) {
		__u64 at = self->e.p.base.pos;

		push_from(_metadata, &self->e, at, n);
		mended(_metadata, self, at, at + n);
		self->unseen = self->e.p.base.pos;
		self->e.p.base.cursor = &self->unseen;
	}
}

/* The consumer has popped elements that are beyond the producer's cursor. */
TEST_F(mend, consumer_is_ahead)
{
	__u64 at = self->at;

	push_from(_metadata, &self->e, at, 30);
	pop_from(_metadata, &self->e, at, 17);
	EXPECT_GT(info_of(self->e.ring).head, info_of(self->e.ring).tail);
	EXPECT_EQ(0, info_of(self->e.ring).length);
	EXPECT_EQ(CAPACITY, info_of(self->e.ring).free);
	mended(_metadata, self, at + 17, at + 30);
}

/* The ring was filled, which the cursor does not say. */
TEST_F(mend, full)
{
	push_from(_metadata, &self->e, self->at, CAPACITY);
	mended(_metadata, self, self->at, self->at + CAPACITY);
}

/* A frame without a tail before one with a tail: elements after the gap are not published. */
TEST_F(mend, gap)
{
	__u64 at = self->at, frame = at / 7;
	__u64 *gap = tail_of(self, frame + 1);
	__u64 old = *gap;

	push_from(_metadata, &self->e, at, 21);
	WRITE_ONCE(*gap, old);
	mended(_metadata, self, at, (frame + 1) * 7);
}

/* Tails of frames that no consumer has reached hold garbage. */
TEST_F(mend, impossible_tails)
{
	static const __u64 words[] = { ~0ULL, 1ULL << 63, 1ULL << 40, 12345678 };
	__u64 at = self->at, frame = at / 7, tail;
	size_t i;

	push_from(_metadata, &self->e, at, 3);
	tail = at + 3;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		WRITE_ONCE(*tail_of(self, frame + 2 + i), words[i]);
	mended(_metadata, self, at, tail);
}

/* The claim ignores a tail by which the ring holds more than its capacity. */
TEST_F(mend, beyond_the_capacity)
{
	__u64 at = self->at, end = at + CAPACITY;

	push_from(_metadata, &self->e, at, CAPACITY);
	WRITE_ONCE(self->e.p.base.block->cursor, at + 30);
	WRITE_ONCE(*tail_of(self, end / 7), end / 7 * 7 + 7);
	mended(_metadata, self, at, end);
}

/* The consumer dies as well, twice; the next one begins at its cursor. */
TEST_F(mend, both_ends)
{
	endpoint_t *e = &self->e;
	__u64 at = self->at;

	push_from(_metadata, e, at, 20);
	pop_from(_metadata, e, at, 9);
	consumer_dies(_metadata, e);
	consumer_up(_metadata, e);
	pop_from(_metadata, e, at + 9, 2);
	consumer_dies(_metadata, e);
	producer_dies(_metadata, e);
	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	EXPECT_EQ(at + 11, info_of(e->ring).head);
	EXPECT_EQ(at + 20, info_of(e->ring).tail);
	pop_from(_metadata, e, at + 11, 9);
	EXPECT_EQ(-EAGAIN, pop_end(e));
}

/* A claim sets the published head of a dead consumer to its cursor. */
TEST_F(mend, told)
{
	endpoint_t *e = &self->e;
	__u64 at = self->at, v = 0;
	int n;

	e->p.base.cursor = &e->p.base.block->cursor;
	push_from(_metadata, e, at, 10);
	pop_from(_metadata, e, at, 1);
	WRITE_ONCE(e->c.base.block->published_head, at + CAPACITY);
	consumer_dies(_metadata, e);
	consumer_up(_metadata, e);
	EXPECT_EQ(at + 1, READ_ONCE(*e->p.base.peer_published_head));
	for (n = 0; !push_answer(&e->p, &v); n++)
		;
	EXPECT_EQ(CAPACITY - 10 + 1, n);
}

/* The dead end's cursor is impossible: the claim breaks the ring, and no claim succeeds. */
static void impossible(struct __test_metadata *_metadata, mend_t *self,
		       __u32 role)
{
	int ring = self->e.ring;

	ASSERT_TRUE(wait_state(ring, role, SPSCRING_DEAD));
	EXPECT_EQ(-EPIPE, claim_end(ring, role, TAG));
	EXPECT_EQ(1, info_of(ring).broken);
	EXPECT_EQ(SPSCRING_DEAD, state_of(ring, role));
	EXPECT_EQ(1, info_of(ring).producer_generation);
	EXPECT_EQ(1, info_of(ring).consumer_generation);
	EXPECT_LE(info_of(ring).length, CAPACITY);
	EXPECT_EQ(CAPACITY, info_of(ring).length + info_of(ring).free);
	EXPECT_EQ(-EPIPE, claim_end(ring, role, TAG));
}

TEST_F(mend, cursor_too_far)
{
	WRITE_ONCE(self->e.p.base.block->cursor, self->at + CAPACITY + 1);
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, cursor_in_the_stars)
{
	WRITE_ONCE(self->e.p.base.block->cursor, self->at + (1ULL << 63));
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, cursor_before_the_consumers)
{
	__u64 frame;

	/* in a fresh ring a cursor before 0 is possible, because all tails are 0 */
	if (!self->at)
		return;
	for (frame = 0; frame < self->g.frames; frame++)
		WRITE_ONCE(*tail_of(self, frame), 0);
	WRITE_ONCE(self->e.p.base.block->cursor, self->at - 1);
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, consumer_cursor_too_far)
{
	WRITE_ONCE(*self->e.c.base.cursor, self->at + 1);
	consumer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_CONSUMER);
}

TEST_F(mend, consumer_cursor_too_far_back)
{
	push_from(_metadata, &self->e, self->at, CAPACITY);
	WRITE_ONCE(self->e.p.base.block->cursor, self->unseen);
	WRITE_ONCE(*self->e.c.base.cursor, self->at - 1);
	consumer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_CONSUMER);
}

TEST_HARNESS_MAIN
