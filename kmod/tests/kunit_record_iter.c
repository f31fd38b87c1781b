// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: records of variable size, pushed from and popped into an iov_iter.
 */
#include <linux/uio.h>

#include "fixture.h"
#include "kunit_record_modes.h"

/* An iterator over @size bytes at @at, in three parts, one of them empty. */
static void three_parts(struct iov_iter *iter, struct kvec *parts, bool from, u8 *at, size_t size)
{
	parts[0] = (struct kvec){ at, size / 3 };
	parts[1] = (struct kvec){ at, 0 };
	parts[2] = (struct kvec){ at + size / 3, size - size / 3 };
	iov_iter_kvec(iter, from ? ITER_SOURCE : ITER_DEST, parts, 3, size);
}

/* Push records of several lengths from an iterator, and pop them into another. */
static void record_iter(struct kunit *test)
{
	static const u32 sizes[] = { 0, 1, 8, 100, 1000, 4096, 7992 };
	struct fixture *f = test->priv;
	struct iov_iter from, to;
	struct kvec parts[3], places[3];
	int i;

	make_both_records(test, 8000, *(const u32 *)test->param_value);
	for (i = 0; i < 10 * ARRAY_SIZE(sizes); i++) {
		u32 size = sizes[i % ARRAY_SIZE(sizes)];

		fill(f->in, size, i);
		three_parts(&from, parts, true, f->in, size);
		three_parts(&to, places, false, f->out, 8000);
		KUNIT_ASSERT_EQ(test, spscring_record_push_iter(&f->rp, &from, size), 0);
		KUNIT_EXPECT_EQ(test, iov_iter_count(&from), 0);
		if (size) {
			/* a pop into too few bytes changes neither the ring nor the iterator */
			iov_iter_truncate(&to, size - 1);
			KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), -EMSGSIZE);
			KUNIT_EXPECT_EQ(test, iov_iter_count(&to), size - 1);
			iov_iter_reexpand(&to, 8000);
		}
		KUNIT_ASSERT_EQ(test, spscring_record_pop_iter(&f->rc, &to), size);
		KUNIT_EXPECT_EQ(test, iov_iter_count(&to), 8000 - size);
		KUNIT_EXPECT_TRUE(test, is_filled(f->out, size, i));
		KUNIT_EXPECT_EQ(test, spscring_record_sequence(&f->rc), i);
	}
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, 7993), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, U32_MAX), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, (1UL << 32) + 5),
			-EMSGSIZE);
	/* the iterator has fewer bytes than the record's length: the push takes none of them */
	three_parts(&from, parts, true, f->in, 99);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, 100), -EFAULT);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&from), 99);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, 99), 0);
	three_parts(&to, places, false, f->out, 99);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), 99);
}

/* Where the producer is a user, the kernel pops a copy of a record and refuses to peek. */
static void record_of_user(struct kunit *test)
{
	bool overwrites = *(const u32 *)test->param_value & SPSCRING_CREATE_OVERWRITE;
	struct fixture *f = test->priv;
	struct spscring_record rec;
	struct iov_iter to;
	struct kvec parts[3];
	struct file *file;

	file = make_user_records(test, 8000, *(const u32 *)test->param_value);
	fill(f->in, 100, 5);
	KUNIT_ASSERT_EQ(test, spscring_record_push(&f->rp, f->in, 100), 0);
	KUNIT_EXPECT_EQ(test, spscring_record_peek(&f->rc, &rec),
			overwrites ? -EOPNOTSUPP : -EPERM);
	KUNIT_EXPECT_EQ(test, spscring_record_peek_n(&f->rc, &rec, 1),
			overwrites ? -EOPNOTSUPP : -EPERM);
	three_parts(&to, parts, false, f->out, 100);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), 100);
	KUNIT_EXPECT_TRUE(test, is_filled(f->out, 100, 5));
	put_now(file);
}

static struct kunit_case record_iter_cases[] = {
	KUNIT_CASE_PARAM(record_iter, record_mode_gen_params),
	KUNIT_CASE_PARAM(record_of_user, record_mode_gen_params),
	{}
};

static struct kunit_suite record_iter_suite = {
	.name = "spscring_record_iter",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = record_iter_cases,
};

kunit_test_suite(record_iter_suite);
