// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: private rings, whose ends only kernel code can claim: their layout in memory, that
 * they work as other rings do, and that no end can be exported to a user.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "fixture.h"
#include "ring.h"

/* A private ring, its two ends claimed, the consumer's first. */
static struct fixture *make_private(struct kunit *test, const struct spscring_create *want)
{
	struct fixture *f = test->priv;

	if (f->ring)
		spscring_destroy(f->ring);
	f->ring = spscring_create_private(want);
	if (IS_ERR(f->ring)) {
		KUNIT_FAIL(test, "%ld", PTR_ERR(f->ring));
		f->ring = NULL;
	}
	KUNIT_ASSERT_NOT_NULL(test, f->ring);
	spscring_get_info(f->ring, &f->info);
	if (want->flags & SPSCRING_CREATE_RECORDS) {
		KUNIT_ASSERT_EQ(test, 0, spscring_record_claim_consumer(f->ring, &f->rc, 0));
		KUNIT_ASSERT_EQ(test, 0, spscring_record_claim_producer(f->ring, &f->rp, 0));
	} else {
		KUNIT_ASSERT_EQ(test, 0, claim_consumer(f, &f->c));
		KUNIT_ASSERT_EQ(test, 0, claim_producer(f, &f->p));
	}
	return f;
}

static bool is_in(const void *at, size_t bytes, const struct spscring *ring)
{
	return at >= ring->home && at + bytes <= ring->home + ring->geometry.memory;
}

static void expect_one_piece(struct kunit *test, const struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	const struct spscring_blocks *b = &ring->blocks;

	KUNIT_ASSERT_NULL(test, ring->pages);
	KUNIT_EXPECT_EQ(test, ksize(ring->home), g->memory);
	KUNIT_EXPECT_TRUE(test, is_in(ring, sizeof(*ring), ring));
	KUNIT_EXPECT_TRUE(test, is_in(b->consumer, sizeof(*b->consumer), ring));
	KUNIT_EXPECT_TRUE(test, is_in(b->producer, sizeof(*b->producer), ring));
	KUNIT_EXPECT_TRUE(test, is_in(b->kernel, sizeof(*b->kernel), ring));
	KUNIT_EXPECT_TRUE(test, is_in(ring->data, g->frames * g->frame_size, ring));
	KUNIT_EXPECT_TRUE(test, (void *)b->consumer >= (void *)(ring + 1));
	KUNIT_EXPECT_TRUE(test, (void *)b->kernel >= (void *)(b->consumer + 1));
	KUNIT_EXPECT_TRUE(test, (void *)b->producer >= (void *)(b->kernel + 1));
	KUNIT_EXPECT_TRUE(test, ring->data >= (void *)(b->producer + 1));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)ring->data, SPSCRING_FRAME_MIN));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)b->kernel, SPSCRING_FRAME_MIN));
}

/* A small ring, its control blocks and its data share one allocation without overlapping. */
static void small_lies_in_one_piece(struct kunit *test)
{
	static const u32 sizes[] = { 1, 8, 24, 100, 1024 };
	struct spscring_create want = {};
	const struct spscring *ring;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		want.element_size = sizes[i];
		want.flags = i % 2 ? SPSCRING_CREATE_BUSY_POLL : 0;
		for (want.capacity = 1; want.capacity * sizes[i] < 8192; want.capacity *= 3) {
			ring = make_private(test, &want)->ring;
			expect_one_piece(test, ring);
		}
	}
}

/*
 * Small rings begin at every cache line that the spare room of their allocation allows, so that
 * the words of many rings do not compete for the same cache sets.
 */
static void small_ones_are_coloured(struct kunit *test)
{
	static const struct spscring_create want = {
		.capacity = 64, .element_size = 8, .flags = SPSCRING_CREATE_BUSY_POLL,
	};
	const struct spscring *ring;
	size_t used, places = 0;
	u64 seen = 0;
	int i;

	for (i = 0; i < 64; i++) {
		ring = make_private(test, &want)->ring;
		used = ring->data + ring->geometry.data_bytes - (void *)ring;
		places = (ring->geometry.memory - used) / SPSCRING_FRAME_MIN + 1;
		seen |= 1ULL << ((void *)ring - ring->home) / SPSCRING_FRAME_MIN % 64;
	}
	KUNIT_EXPECT_EQ(test, min_t(size_t, places, 64), (size_t)hweight64(seen));
}

/* A ring that is too large for slab memory, or has records of variable size, uses pages. */
static void others_have_pages(struct kunit *test)
{
	static const struct spscring_create wants[] = {
		{ .capacity = 8192, .element_size = 8 },
		{ .capacity = 4096, .flags = SPSCRING_CREATE_RECORDS },
	};
	struct fixture *f;
	u64 v = 1;
	int i;

	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		f = make_private(test, &wants[i]);
		KUNIT_EXPECT_NOT_NULL(test, f->ring->pages);
	}
	KUNIT_EXPECT_EQ(test, 0, spscring_record_push(&f->rp, &v, sizeof(v)));
	KUNIT_EXPECT_EQ(test, sizeof(v), spscring_record_pop(&f->rc, &v, sizeof(v)));
}

static void moves_elements(struct kunit *test)
{
	static const u32 sizes[] = { 8, 24, 100 };
	struct fixture *f;
	int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct spscring_create want = { .capacity = 20, .element_size = sizes[i] };

		f = make_private(test, &want);
		kvfree(f->in);
		kvfree(f->out);
		f->in = kvzalloc(21 * sizes[i], GFP_KERNEL);
		f->out = kvzalloc(21 * sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_TRUE(test, f->in && f->out);
		for (k = 0; k < WAYS * 3; k++)
			fill_and_drain(test, &ways[k % WAYS], k * 20);
	}
}

/*
 * A consumer may peek even if it was claimed before the producer: no user can become the
 * producer and change the element.
 */
static void peeks(struct kunit *test)
{
	static const struct spscring_create want = { .capacity = 8, .element_size = 8 };
	struct fixture *f = make_private(test, &want);
	const void *rec;

	push_u64(test, 0, 2);
	KUNIT_EXPECT_EQ(test, 0, spscring_peek(&f->c, &rec));
	pop_u64(test, 0, 2);
}

static void refuses_users(struct kunit *test)
{
	static const struct spscring_watch watch = {};
	static const struct spscring_create want = { .capacity = 8, .element_size = 8 };
	struct spscring *ring = make_private(test, &want)->ring;
	struct sg_table sgt;

	spscring_shutdown_producer(&((struct fixture *)test->priv)->p);
	KUNIT_EXPECT_EQ(test, -EPERM, PTR_ERR(spscring_export_file(ring, SPSCRING_PRODUCER)));
	KUNIT_EXPECT_EQ(test, -EPERM, PTR_ERR(spscring_export_file(ring, SPSCRING_CONSUMER)));
	KUNIT_EXPECT_EQ(test, -EPERM, spscring_export_fd(ring, SPSCRING_PRODUCER));
	KUNIT_EXPECT_EQ(test, -EPERM, spscring_export_device(ring, SPSCRING_CONSUMER,
							     "spscring-private", 0600));
	KUNIT_EXPECT_EQ(test, -EPERM, spscring_watch(ring, SPSCRING_CONSUMER, &watch));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, spscring_data_sg_table(ring, &sgt));
}

static int push_one(void *data)
{
	struct fixture *f = data;
	u64 v = 7;

	return spscring_push(&f->p, &v);
}

/* A consumer that sleeps is woken by another thread's push. */
static void sleeps(struct kunit *test)
{
	static const struct spscring_create want = { .capacity = 8, .element_size = 8 };
	struct fixture *f = make_private(test, &want);
	struct task_struct *thread;
	u64 v = 0;

	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, spscring_wait_elements(&f->c, 1, 1));
	thread = kthread_run(push_one, f, "spscring-private");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	KUNIT_EXPECT_EQ(test, 0, spscring_wait_elements(&f->c, 1, -1));
	KUNIT_EXPECT_EQ(test, 0, spscring_pop(&f->c, &v));
	KUNIT_EXPECT_EQ(test, 7, v);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_GE(test, f->info.consumer_sleep.sleeps, 1);
}

/* A BUSY_POLL ring has no state to sleep with: waits return -EOPNOTSUPP, kicks do nothing. */
static void polled_only(struct kunit *test)
{
	static const struct spscring_create want = {
		.capacity = 8, .element_size = 8, .flags = SPSCRING_CREATE_BUSY_POLL,
	};
	struct fixture *f = make_private(test, &want);

	KUNIT_EXPECT_NULL(test, f->ring->producer.sleep);
	KUNIT_EXPECT_NULL(test, f->ring->consumer.sleep);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, spscring_wait_elements(&f->c, 1, -1));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, spscring_wait_room(&f->p, 1, -1));
	spscring_kick(f->ring, SPSCRING_CONSUMER, SPSCRING_KICK_NOW);
	push_u64(test, 0, 8);
	KUNIT_EXPECT_EQ(test, -EAGAIN, push_verdict(f));
	pop_u64(test, 0, 8);
	spscring_broken(f->ring, SPSCRING_CONSUMER);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, 1, f->info.broken);
	KUNIT_EXPECT_EQ(test, 0, f->info.consumer_sleep.kicks);
	spscring_shutdown_producer(&f->p);
}

/* A reset empties a small private ring that is broken, and makes it usable again. */
static void is_reset(struct kunit *test)
{
	static const struct spscring_create want = { .capacity = 8, .element_size = 8 };
	struct fixture *f = test->priv;

	f->ring = spscring_create_private(&want);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	spscring_get_info(f->ring, &f->info);
	KUNIT_ASSERT_EQ(test, 0, claim_producer(f, &f->p));
	push_u64(test, 0, 5);
	spscring_broken(f->ring, SPSCRING_PRODUCER);
	KUNIT_EXPECT_EQ(test, 0, spscring_reset_producer(&f->p));
	KUNIT_ASSERT_EQ(test, 0, claim_consumer(f, &f->c));
	push_u64(test, 0, 8);
	pop_u64(test, 0, 8);
}

static struct kunit_case private_cases[] = {
	KUNIT_CASE(small_lies_in_one_piece),
	KUNIT_CASE(small_ones_are_coloured),
	KUNIT_CASE(others_have_pages),
	KUNIT_CASE(moves_elements),
	KUNIT_CASE(peeks),
	KUNIT_CASE(refuses_users),
	KUNIT_CASE(sleeps),
	KUNIT_CASE(polled_only),
	KUNIT_CASE(is_reset),
	{}
};

static struct kunit_suite private_suite = {
	.name = "spscring_private",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = private_cases,
};

kunit_test_suite(private_suite);
