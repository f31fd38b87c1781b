// SPDX-License-Identifier: GPL-2.0
/*
 * What the KUnit suites share.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "fixture.h"

static void destroy_ring(struct fixture *f)
{
	if (f->ring)
		spscring_destroy(f->ring);
	f->ring = NULL;
}

int fixture_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct fixture), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	destroy_ring(f);
	kvfree(f->in);
	kvfree(f->out);
}

struct spscring *make_ring(struct kunit *test, u64 capacity, u32 size)
{
	struct spscring_create want = {
		.capacity = capacity, .element_size = size, .name = "kunit",
	};
	struct fixture *f = test->priv;

	destroy_ring(f);
	f->ring = spscring_create(&want);
	if (IS_ERR(f->ring)) {
		long err = PTR_ERR(f->ring);

		f->ring = NULL;
		KUNIT_FAIL(test, "a ring of %llu x %u: %ld", capacity, size, err);
		KUNIT_ASSERT_NOT_NULL(test, f->ring);
	}
	spscring_get_info(f->ring, &f->info);
	return f->ring;
}

int claim_producer(struct fixture *f, struct spscring_producer *p)
{
	return spscring_claim_producer(f->ring, p, f->info.geometry.element_size, 0);
}

int claim_consumer(struct fixture *f, struct spscring_consumer *c)
{
	return spscring_claim_consumer(f->ring, c, f->info.geometry.element_size, 0);
}

struct fixture *make_pair(struct kunit *test, u64 capacity, u32 size)
{
	struct fixture *f = test->priv;

	make_ring(test, capacity, size);
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	return f;
}

void make_records(struct kunit *test, u64 capacity, u32 flags)
{
	struct spscring_create want = {
		.capacity = capacity, .flags = flags | SPSCRING_CREATE_RECORDS,
	};
	struct fixture *f = test->priv;

	f->ring = spscring_create(&want);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	spscring_get_info(f->ring, &f->info);
	f->in = kvmalloc(capacity, GFP_KERNEL);
	f->out = kvmalloc(capacity, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->in && f->out);
}

struct fixture *make_both_records(struct kunit *test, u64 capacity, u32 flags)
{
	struct fixture *f = test->priv;

	make_records(test, capacity, flags);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 0), 0);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 0), 0);
	return f;
}

void *ring_base(struct fixture *f, void *data)
{
	return data - f->info.geometry.data_offset;
}

void user_producer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->c.base.data);

	spscring_producer_init(&f->p, g, base + g->consumer_offset, base + g->info_offset,
			       base + g->producer_offset, base + g->data_offset);
	f->p.base.ring = f->ring;
}

void user_consumer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->p.base.data);

	spscring_consumer_init(&f->c, g, base + g->consumer_offset, base + g->info_offset,
			       base + g->data_offset);
	f->c.base.ring = f->ring;
}

void user_record_producer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	/* a record consumer's data pointer is at the first word, not at the page's start */
	void *base = ring_base(f, f->rc.base.data - (g->stride - SPSCRING_WORD));

	spscring_record_producer_init(&f->rp, g, base + g->consumer_offset,
				      base + g->info_offset, base + g->producer_offset,
				      base + g->data_offset);
	f->rp.base.ring = f->ring;
}

struct file *export_user(struct kunit *test, u32 role)
{
	struct fixture *f = test->priv;
	struct file *file = spscring_export_file(f->ring, role);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(file), 0);
	if (IS_ERR(file))
		return NULL;
	if (role == SPSCRING_CONSUMER)
		user_consumer(f);
	else
		user_producer(f);
	return file;
}

struct file *make_user_pair(struct kunit *test, u64 capacity, u32 size, u32 user)
{
	struct fixture *f = test->priv;
	struct file *file;

	make_ring(test, capacity, size);
	KUNIT_ASSERT_EQ(test, user == SPSCRING_PRODUCER ? claim_consumer(f, &f->c) :
			claim_producer(f, &f->p), 0);
	file = export_user(test, user);
	KUNIT_ASSERT_NOT_NULL(test, file);
	return file;
}

struct file *make_user_records(struct kunit *test, u64 capacity, u32 flags)
{
	struct fixture *f = test->priv;
	struct file *file;

	make_records(test, capacity, flags);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 0), 0);
	file = spscring_export_file(f->ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_record_producer(f);
	return file;
}

void put_now(struct file *file)
{
	fput(file);
	flush_delayed_fput();
}

void fill(u8 *rec, u32 size, u64 index)
{
	u64 mixed = (index + 1) * 0x9e3779b97f4a7c15ULL;
	u32 i;

	for (i = 0; i < size; i++)
		rec[i] = (mixed >> i % 8 * 8) + i / 8;
}

bool is_filled(const u8 *rec, u32 size, u64 index)
{
	u64 mixed = (index + 1) * 0x9e3779b97f4a7c15ULL;
	u32 i;

	for (i = 0; i < size; i++)
		if (rec[i] != (u8)((mixed >> i % 8 * 8) + i / 8))
			return false;
	return true;
}

void push_u64(struct kunit *test, u64 from, u64 n)
{
	struct fixture *f = test->priv;

	for (; n--; from++)
		KUNIT_ASSERT_EQ(test, spscring_push(&f->p, &from), 0);
}

void pop_u64(struct kunit *test, u64 from, u64 n)
{
	struct fixture *f = test->priv;
	u64 v;

	for (; n--; from++) {
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
		KUNIT_ASSERT_EQ(test, v, from);
	}
}

int push_verdict(struct fixture *f)
{
	u64 v = 0;
	int i, err = 0;

	for (i = 0; i <= SPSCRING_REFRESH_EVERY; i++) {
		err = spscring_push(&f->p, &v);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

int pop_verdict(struct fixture *f)
{
	u64 v;
	int i, err = 0;

	for (i = 0; i <= SPSCRING_REFRESH_EVERY; i++) {
		err = spscring_pop(&f->c, &v);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

static long put_one(struct fixture *f, u64 index, u32 n)
{
	u32 size = f->info.geometry.element_size;
	int i, err;

	for (i = 0; i < n; i++) {
		fill(f->in, size, index + i);
		err = spscring_push(&f->p, f->in);
		if (err)
			return i ?: err;
	}
	return n;
}

static long put_batch(struct fixture *f, u64 index, u32 n)
{
	u32 size = f->info.geometry.element_size, done = 0, i;

	for (i = 0; i < n; i++)
		fill(f->in + i * size, size, index + i);
	/* a batch ends at the cached limit; the next call refreshes it */
	while (done < n) {
		long some = spscring_push_n(&f->p, f->in + done * size, n - done);

		if (some < 0)
			return done ?: some;
		done += some;
	}
	return n;
}

static long put_in_place(struct fixture *f, u64 index, u32 n)
{
	const struct spscring_geometry *g = &f->info.geometry;
	u32 done = 0, i;

	while (done < n) {
		void *slots;
		long some = spscring_reserve_n(&f->p, n - done, &slots);

		if (some < 0)
			return done ?: some;
		for (i = 0; i < some; i++)
			fill(slots + i * g->stride, g->element_size, index + done + i);
		spscring_commit_n(&f->p, some);
		done += some;
	}
	return n;
}

static long take_one(struct fixture *f, u64 index, u32 n, u32 *wrong)
{
	u32 size = f->info.geometry.element_size;
	int i, err;

	for (i = 0; i < n; i++) {
		err = spscring_pop(&f->c, f->out);
		if (err)
			return i ?: err;
		*wrong += !is_filled(f->out, size, index + i);
	}
	return n;
}

static long take_batch(struct fixture *f, u64 index, u32 n, u32 *wrong)
{
	u32 size = f->info.geometry.element_size;
	long i, got = spscring_pop_n(&f->c, f->out, n);

	for (i = 0; i < got; i++)
		*wrong += !is_filled(f->out + i * size, size, index + i);
	return got;
}

static long take_in_place(struct fixture *f, u64 index, u32 n, u32 *wrong)
{
	const struct spscring_geometry *g = &f->info.geometry;
	u32 done = 0, i;

	while (done < n) {
		const void *recs;
		long some = spscring_peek_n(&f->c, n - done, &recs);

		if (some < 0)
			return done ?: some;
		for (i = 0; i < some; i++)
			*wrong += !is_filled(recs + i * g->stride, g->element_size,
					     index + done + i);
		spscring_release_n(&f->c, some);
		done += some;
	}
	return n;
}

const struct way ways[WAYS] = {
	[ONE_BY_ONE] = { "one by one", put_one, take_one },
	[IN_BATCHES] = { "in batches", put_batch, take_batch },
	[IN_PLACE] = { "in place", put_in_place, take_in_place },
};

void fill_and_drain(struct kunit *test, const struct way *way, u64 index)
{
	struct fixture *f = test->priv;
	u32 capacity = f->info.geometry.capacity, wrong = 0;

	KUNIT_EXPECT_EQ(test, way->put(f, index, capacity + 1), capacity);
	KUNIT_EXPECT_EQ(test, way->put(f, index, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, way->take(f, index, capacity + 1, &wrong), capacity);
	KUNIT_EXPECT_EQ(test, way->take(f, index, 1, &wrong), -EAGAIN);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

MODULE_DESCRIPTION("spscring: KUnit for the algorithm and the in-kernel API");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
