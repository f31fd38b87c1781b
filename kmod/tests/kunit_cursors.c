// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the values of cursors, published heads and counters after each call.
 */
#include "fixture.h"

/* The consumer's cursor is always exact; its published head lags, by @tell at most. */
static void published_head_lags(struct kunit *test)
{
	struct fixture *f = make_pair(test, 4096, 8);
	u64 i, head, v = 0, tell = f->info.geometry.publish_batch;

	KUNIT_ASSERT_EQ(test, tell, 512);
	push_u64(test, 0, 4096);
	for (i = 1; i <= 4096; i++) {
		pop_u64(test, i - 1, 1);
		head = READ_ONCE(f->c.base.block->published_head);
		KUNIT_ASSERT_EQ(test, READ_ONCE(f->c.base.block->cursor), i);
		KUNIT_ASSERT_LE(test, head, i);
		KUNIT_ASSERT_LE(test, i - head, tell);
	}

	/* pop ten of a full ring without publishing the head: the next push finds the room */
	push_u64(test, 4096, 4096);
	pop_u64(test, 4096, 10);
	KUNIT_EXPECT_LE(test, READ_ONCE(*f->p.base.peer_published_head), 4096);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), 0);

	/* after a push has failed, a later one refreshes the exact cursor and finds the room */
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), -EAGAIN);
	pop_u64(test, 4106, 10);
	for (i = 1; spscring_push(&f->p, &v) == -EAGAIN; i++)
		KUNIT_ASSERT_LT(test, i, SPSCRING_REFRESH_EVERY);
}

/* After every call INFO finds the exact tail: the cursor, or the tail of the cursor's frame. */
static void cursor_order(struct kunit *test)
{
	struct fixture *f = make_pair(test, 21, 8);
	u64 batch[21], popped, pushed, n = 0;
	struct spscring_info info;
	int i;

	for (i = 0; i < ARRAY_SIZE(batch); i++)
		batch[i] = i;
	for (i = 0; i < 50; i++) {
		u64 some = i % 21 + 1;

		for (pushed = 0; pushed < some; ) {
			long got = spscring_push_n(&f->p, batch + pushed, some - pushed);

			KUNIT_ASSERT_GT(test, got, 0);
			pushed += got;
			KUNIT_EXPECT_LE(test, READ_ONCE(f->p.base.block->cursor), n + pushed);
			KUNIT_EXPECT_GE(test, READ_ONCE(f->p.base.block->cursor),
					f->p.base.pos + spscring_slots_left(&f->p, f->p.base.pos) -
					f->p.frame_elements);
			spscring_get_info(f->ring, &info);
			KUNIT_EXPECT_EQ(test, info.tail, n + pushed);
		}
		n += some;
		spscring_get_info(f->ring, &info);
		KUNIT_EXPECT_EQ(test, info.tail, n);
		KUNIT_EXPECT_EQ(test, info.length, some);
		KUNIT_EXPECT_EQ(test, info.free, 21 - some);
		for (popped = 0; popped < some; popped++)
			pop_u64(test, popped, 1);
		spscring_get_info(f->ring, &info);
		KUNIT_EXPECT_EQ(test, info.head, n);
		KUNIT_EXPECT_EQ(test, info.length, 0);
		KUNIT_EXPECT_EQ(test, info.free, 21);
	}
}

/* Hostile cursors just below 2^64: 13 of 14 slots are full, so only one push succeeds. */
static void near_the_wrap(struct kunit *test)
{
	struct fixture *f = make_pair(test, 14, 8);
	u64 head = 0 - 15ULL, i;

	f->c.base.block->cursor = head;
	f->c.base.block->published_head = head;
	f->p.base.block->cursor = head + 13;
	*(u64 *)(f->p.base.data + (head + 13) / 7 % 2 * SPSCRING_FRAME_MIN) = head + 13;
	user_producer(f);
	for (i = 0; i < 100 && !spscring_push(&f->p, &i); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 1);
}

/* An end counts its failed tries in its own control block. */
static void counters(struct kunit *test)
{
	struct fixture *f = make_pair(test, 1, 8);
	u64 v = 0;
	int i;

	for (i = 0; i < 3 * SPSCRING_REFRESH_EVERY; i++)
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, f->c.base.block->failed, 3 * SPSCRING_REFRESH_EVERY);
	push_u64(test, 0, 1);
	for (i = 0; i < 2 * SPSCRING_REFRESH_EVERY + 1; i++)
		KUNIT_ASSERT_EQ(test, spscring_push(&f->p, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, f->p.base.block->failed, 2 * SPSCRING_REFRESH_EVERY + 1);
}

/* The reserved words of the control blocks stay 0. */
static void reserved_words(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->p.base.data);
	const struct spscring_kernel_block *k = spscring_kernel_block(g, base + g->info_offset);
	struct spscring_consumer_block *c = f->c.base.block;
	struct spscring_producer_block *p = f->p.base.block;

	push_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EAGAIN);
	pop_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -EAGAIN);
	KUNIT_EXPECT_EQ(test, p->high_water, 64);
	KUNIT_EXPECT_EQ(test, p->full_at, 1);
	KUNIT_EXPECT_NULL(test, memchr_inv(c->reserved, 0, sizeof(c->reserved)));
	KUNIT_EXPECT_NULL(test, memchr_inv(c->reserved_head, 0, sizeof(c->reserved_head)));
	KUNIT_EXPECT_NULL(test, memchr_inv(p->reserved, 0, sizeof(p->reserved)));
	KUNIT_EXPECT_NULL(test, memchr_inv(p->reserved_oldest, 0, sizeof(p->reserved_oldest)));
	KUNIT_EXPECT_NULL(test, memchr_inv(k->reserved, 0, sizeof(k->reserved)));
	KUNIT_EXPECT_EQ(test, p->oldest, 0);
	KUNIT_EXPECT_EQ(test, k->consumer_event | SPSCRING_EVENT_FENCE,
			SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE);
	KUNIT_EXPECT_EQ(test, k->producer_event | SPSCRING_EVENT_FENCE,
			SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE);
	KUNIT_EXPECT_EQ(test, k->broken, 0);
	KUNIT_EXPECT_EQ(test, SPSCRING_END_STATE(k->producer), SPSCRING_HELD);
	KUNIT_EXPECT_EQ(test, SPSCRING_END_GENERATION(k->producer), 1);
}

static struct kunit_case cursors_cases[] = {
	KUNIT_CASE(published_head_lags),
	KUNIT_CASE(cursor_order),
	KUNIT_CASE(near_the_wrap),
	KUNIT_CASE(counters),
	KUNIT_CASE(reserved_words),
	{}
};

static struct kunit_suite cursors_suite = {
	.name = "spscring_cursors",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = cursors_cases,
};

kunit_test_suite(cursors_suite);
