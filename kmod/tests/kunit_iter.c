// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: elements from and to an iov_iter; how much is in a ring.
 */
#include <linux/irqflags.h>
#include <linux/uio.h>

#include "fixture.h"

/* An iterator over @size bytes at @at, in three parts, one of them empty. */
static void three_parts(struct iov_iter *iter, struct kvec *parts, bool from, u8 *at, size_t size)
{
	parts[0] = (struct kvec){ at, size / 3 };
	parts[1] = (struct kvec){ at, 0 };
	parts[2] = (struct kvec){ at + size / 3, size - size / 3 };
	iov_iter_kvec(iter, from ? ITER_SOURCE : ITER_DEST, parts, 3, size);
}

/* Through a ring of @n elements of @size bytes, aligned to @align, in batches of all lengths. */
static void iter_laps(struct kunit *test, u32 size, u32 align, u32 n)
{
	struct fixture *f = test->priv;
	struct kvec parts[3], places[3];
	struct iov_iter from, to;
	u32 more = size > 1, batch, i;	/* a byte that is of no whole element */
	u64 first = 0;

	make_ring(test, n, size);	/* destroys the last one */
	spscring_destroy(f->ring);
	f->ring = spscring_create(&(struct spscring_create) {
		.capacity = n, .element_size = size, .align = align,
	});
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	spscring_get_info(f->ring, &f->info);
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	for (batch = 1; batch <= n; batch++, first += batch - 1) {
		for (i = 0; i < batch; i++)
			fill(f->in + i * size, size, first + i);
		three_parts(&from, parts, true, f->in, batch * size + more);
		three_parts(&to, places, false, f->out, n * size + more);
		KUNIT_ASSERT_EQ(test, spscring_push_iter(&f->p, &from, SIZE_MAX), batch);
		KUNIT_EXPECT_EQ(test, iov_iter_count(&from), more);
		KUNIT_EXPECT_EQ(test, spscring_length(f->ring), batch);
		KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &to, batch - 1), batch - 1);
		KUNIT_ASSERT_EQ(test, spscring_pop_iter(&f->c, &to, SIZE_MAX), 1);
		KUNIT_EXPECT_EQ(test, iov_iter_count(&to), (n - batch) * size + more);
		for (i = 0; i < batch; i++)
			KUNIT_ASSERT_TRUE(test, is_filled(f->out + i * size, size, first + i));
	}
}

static void iter_elements(struct kunit *test)
{
	static const struct { u32 size, align, n; } shapes[] = {
		{ 8, 0, 100 }, { 1, 0, 64 }, { 24, 0, 50 }, { 24, 32, 50 }, { 5, 8, 33 },
		{ 5000, 0, 5 }, { 64, 0, 1 },
	};
	struct fixture *f = test->priv;
	int i;

	f->in = kvmalloc(100000, GFP_KERNEL);
	f->out = kvmalloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->in && f->out);
	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		iter_laps(test, shapes[i].size, shapes[i].align, shapes[i].n);
}

/* What cannot be moved stays where it is, in the ring and in the iterator. */
static void iter_errors(struct kunit *test)
{
	struct fixture *f = make_pair(test, 4, 8);
	struct kvec parts[3];
	struct iov_iter iter;
	u64 v[6] = { 0, 1, 2, 3, 4, 5 };

	three_parts(&iter, parts, true, (u8 *)v, sizeof(v));
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 0), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), sizeof(v));
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 6), 4);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 16);
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 16);
	iov_iter_truncate(&iter, 7);
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 0), 0);

	three_parts(&iter, parts, false, (u8 *)v, 7);
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &iter, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &iter, 0), 0);
	pop_u64(test, 0, 4);
	three_parts(&iter, parts, false, (u8 *)v, 8);
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &iter, 1), -EAGAIN);
	spscring_shutdown_producer(&f->p);
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &iter, 1), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 8);
}

/* Where the producer is a user, the kernel pops a copy, and refuses to peek. */
static void iter_of_user(struct kunit *test)
{
	struct file *file = make_user_pair(test, 8, 8, SPSCRING_PRODUCER);
	struct fixture *f = test->priv;
	const void *peeked;
	struct kvec parts[3];
	struct iov_iter to;
	u64 v[2] = {};

	push_u64(test, 5, 2);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &peeked), -EPERM);
	three_parts(&to, parts, false, (u8 *)v, sizeof(v));
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &to, SIZE_MAX), 2);
	KUNIT_EXPECT_EQ(test, v[0], 5);
	KUNIT_EXPECT_EQ(test, v[1], 6);
	put_now(file);
}

/* All three counts are the number of elements that are there, wherever in a frame. */
static void expect_length(struct kunit *test, u64 n)
{
	struct fixture *f = test->priv;
	unsigned long flags;
	u64 length;

	local_irq_save(flags);
	length = spscring_length(f->ring);
	local_irq_restore(flags);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, length, n);
	KUNIT_EXPECT_EQ(test, f->info.length, n);
	if (!(f->info.geometry.flags & SPSCRING_CREATE_RECORDS))
		KUNIT_EXPECT_EQ(test, spscring_consumer_length(&f->c), n);
}

static void length_elements(struct kunit *test)
{
	struct fixture *f = make_pair(test, 50, 8);
	const u64 v = 0;
	u64 in = 0, out = 0;
	int lap, n;

	for (lap = 0; lap < 20; lap++) {
		for (n = 0; n < 11 + lap; n++) {
			expect_length(test, in - out);
			KUNIT_ASSERT_EQ(test, spscring_push(&f->p, &v), 0);
			in++;
		}
		for (n = 0; n < 10 + lap; n++) {
			expect_length(test, in - out);
			KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &(u64){ 0 }), 0);
			out++;
		}
	}
	while (!spscring_push(&f->p, &v))
		;
	expect_length(test, 50);
}

static void length_records(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	make_both_records(test, 1024, 0);
	for (i = 1; i <= 4; i++) {
		KUNIT_ASSERT_EQ(test, spscring_record_push(&f->rp, f->in, 100), 0);
		expect_length(test, i * spscring_record_needs(&f->rp, 100));
	}
	KUNIT_ASSERT_EQ(test, spscring_record_pop(&f->rc, f->out, 1024), 100);
	expect_length(test, 3 * spscring_record_needs(&f->rp, 100));
}

/* Of records that were overwritten nothing counts. */
static void length_overwritten(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	make_records(test, 1024, SPSCRING_CREATE_OVERWRITE);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 0), 0);
	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, spscring_record_push(&f->rp, f->in, 100), 0);
	/* a push may overwrite more than it needs */
	expect_length(test, f->rp.base.pos - f->rp.oldest);
	KUNIT_EXPECT_GT(test, f->info.length, 512);
}

/* A user writes an impossible cursor: the length stays one that a ring can have. */
static void length_of_liar(struct kunit *test)
{
	struct file *file = make_user_pair(test, 8, 8, SPSCRING_CONSUMER);
	struct fixture *f = test->priv;

	push_u64(test, 0, 3);
	f->c.base.block->cursor = 5000;
	KUNIT_EXPECT_EQ(test, spscring_length(f->ring), 0);
	f->c.base.block->cursor = -5000ULL;
	KUNIT_EXPECT_LE(test, spscring_length(f->ring), 8);
	put_now(file);
}

static struct kunit_case iter_cases[] = {
	KUNIT_CASE(iter_elements),
	KUNIT_CASE(iter_errors),
	KUNIT_CASE(iter_of_user),
	KUNIT_CASE(length_elements),
	KUNIT_CASE(length_records),
	KUNIT_CASE(length_overwritten),
	KUNIT_CASE(length_of_liar),
	{}
};

static struct kunit_suite iter_suite = {
	.name = "spscring_iter",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = iter_cases,
};

kunit_test_suite(iter_suite);
