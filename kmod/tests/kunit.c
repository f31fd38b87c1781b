// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the algorithm of spscring_ring.h on rings of the in-kernel API, and
 * that API.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "spscring_kapi.h"
#include "trace.h"

/* In ns: no wake-up is as late as this, but a lost one. */
#define PATIENCE	(60 * NSEC_PER_SEC)

/* What most cases need: a ring, both its ends, room for records. */
struct fixture {
	struct spscring *ring;
	struct spscring_info info;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;	/* where records are of any size */
	struct spscring_record_consumer rc;
	u8 *in, *out;		/* kvmalloc'ed */
};

static struct spscring *make_ring(struct kunit *test, u64 capacity, u32 size)
{
	struct spscring_create want = {
		.capacity = capacity, .record_size = size, .name = "kunit",
	};
	struct fixture *f = test->priv;

	if (f->ring)
		spscring_destroy(f->ring);
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

static int claim_producer(struct fixture *f, struct spscring_producer *p)
{
	return spscring_claim_producer(f->ring, p, f->info.geometry.record_size, 0);
}

static int claim_consumer(struct fixture *f, struct spscring_consumer *c)
{
	return spscring_claim_consumer(f->ring, c, f->info.geometry.record_size, 0);
}

/* A ring whose two ends are the test's. */
static struct fixture *make_pair(struct kunit *test, u64 capacity, u32 size)
{
	struct fixture *f = test->priv;

	make_ring(test, capacity, size);
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	return f;
}

/* The pages' start, as the first thing that a consumer maps. */
static void *ring_base(struct fixture *f, void *data)
{
	return data - f->info.geometry.data_offset;
}

/*
 * The handle that a user makes of an exported file's mapping: the claim is the
 * file's.  The pages are found by a handle of the other end.
 */
static void user_producer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->c.base.data);

	spscring_producer_init(&f->p, g, base + g->consumer_offset, base + g->info_offset,
			       base + g->producer_offset, base + g->data_offset);
	f->p.base.ring = f->ring;
}

static void user_record_producer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	/* the consumer's data begin at a word, not at a page */
	void *base = ring_base(f, f->rc.base.data - (g->stride - SPSCRING_WORD));

	spscring_record_producer_init(&f->rp, g, base + g->consumer_offset,
				      base + g->info_offset, base + g->producer_offset,
				      base + g->data_offset);
	f->rp.base.ring = f->ring;
}

static void user_consumer(struct fixture *f)
{
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->p.base.data);

	spscring_consumer_init(&f->c, g, base + g->consumer_offset, base + g->info_offset,
			       base + g->data_offset);
	f->c.base.ring = f->ring;
}

/* The last reference of a kernel thread is dropped by a work item. */
static void put_now(struct file *file)
{
	fput(file);
	flush_delayed_fput();
}

static int ring_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct fixture), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void ring_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	if (f->ring)
		spscring_destroy(f->ring);
	kvfree(f->in);
	kvfree(f->out);
}

/* A record's bytes, each a function of its index and its place. */
static void fill(u8 *rec, u32 size, u64 index)
{
	u64 mixed = (index + 1) * 0x9e3779b97f4a7c15ULL;
	u32 i;

	for (i = 0; i < size; i++)
		rec[i] = (mixed >> i % 8 * 8) + i / 8;
}

static bool is_filled(const u8 *rec, u32 size, u64 index)
{
	u64 mixed = (index + 1) * 0x9e3779b97f4a7c15ULL;
	u32 i;

	for (i = 0; i < size; i++)
		if (rec[i] != (u8)((mixed >> i % 8 * 8) + i / 8))
			return false;
	return true;
}

/* A u64 ring's values count up. */
static void push_u64(struct kunit *test, u64 from, u64 n)
{
	struct fixture *f = test->priv;

	for (; n--; from++)
		KUNIT_ASSERT_EQ(test, spscring_push(&f->p, &from), 0);
}

static void pop_u64(struct kunit *test, u64 from, u64 n)
{
	struct fixture *f = test->priv;
	u64 v;

	for (; n--; from++) {
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
		KUNIT_ASSERT_EQ(test, v, from);
	}
}

/* What an end says of a peer that is gone, within the tries it has for that. */
static int push_verdict(struct fixture *f)
{
	u64 v = 0;
	int i, err = 0;

	for (i = 0; i <= SPSCRING_LOOK_EVERY; i++) {
		err = spscring_push(&f->p, &v);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

static int pop_verdict(struct fixture *f)
{
	u64 v;
	int i, err = 0;

	for (i = 0; i <= SPSCRING_LOOK_EVERY; i++) {
		err = spscring_pop(&f->c, &v);
		if (err != -EAGAIN)
			break;
	}
	return err;
}

/* ---------------------------------------------------------------- geometry */

struct bad_case {
	const char *name;
	struct spscring_create want;
	int err;
};

static const struct bad_case bad_geometries[] = {
	{ "record size 0", { .capacity = 1 }, -EINVAL },
	{ "record size 65537", { .capacity = 1, .record_size = 65537 }, -EINVAL },
	{ "record size 2^32-1", { .capacity = 1, .record_size = U32_MAX }, -EINVAL },
	{ "capacity 0", { .record_size = 8 }, -EINVAL },
	{ "alignment 3", { .capacity = 1, .record_size = 8, .record_align = 3 }, -EINVAL },
	{ "alignment 128", { .capacity = 1, .record_size = 8, .record_align = 128 }, -EINVAL },
	{ "frame 96", { .capacity = 1, .record_size = 8, .frame_size = 96 }, -EINVAL },
	{ "frame 32", { .capacity = 1, .record_size = 8, .frame_size = 32 }, -EINVAL },
	{ "frame 2^21", { .capacity = 1, .record_size = 8, .frame_size = 1 << 21 }, -EINVAL },
	{ "frame without room for one", { .capacity = 1, .record_size = 57, .frame_size = 64 },
	  -EINVAL },
	{ "capacity 2^32+1", { .capacity = SPSCRING_DATA_MAX + 1, .record_size = 1 }, -E2BIG },
	{ "capacity 2^64-1", { .capacity = U64_MAX, .record_size = 8 }, -E2BIG },
	{ "data of a frame too many",
	  { .capacity = (SPSCRING_DATA_MAX / 64) * 7 + 1, .record_size = 8, .frame_size = 64 },
	  -E2BIG },
	{ "data too large", { .capacity = 1 << 16, .record_size = 65536 }, -E2BIG },
};

static const struct bad_case bad_creates[] = {
	{ "a flag that is not there", { .capacity = 1, .record_size = 8, .flags = 64 }, -EINVAL },
	{ "a node without its flag", { .capacity = 1, .record_size = 8, .numa_node = 1 }, -EINVAL },
	{ "a node below 0", { .capacity = 1, .record_size = 8, .numa_node = -1,
			      .flags = SPSCRING_CREATE_NUMA_NODE }, -EINVAL },
	{ "a node that is not there", { .capacity = 1, .record_size = 8, .numa_node = 1 << 20,
					.flags = SPSCRING_CREATE_NUMA_NODE }, -EINVAL },
	{ "a name with a newline", { .capacity = 1, .record_size = 8, .name = "a\nb" }, -EINVAL },
	{ "a name with Latin-1", { .capacity = 1, .record_size = 8, .name = "\xe9" }, -EINVAL },
	{ "a name after its end", { .capacity = 1, .record_size = 8, .name = "a\0b" }, -EINVAL },
};

static void bad_desc(const struct bad_case *bad, char *desc)
{
	strscpy(desc, bad->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bad_geometry, bad_geometries, bad_desc);
KUNIT_ARRAY_PARAM(bad_create, bad_creates, bad_desc);

static void geometry_refused(struct kunit *test)
{
	const struct bad_case *bad = test->param_value;
	struct spscring_geometry g;
	struct spscring *ring;

	KUNIT_EXPECT_EQ(test, spscring_geometry_init(&g, &bad->want, PAGE_SIZE), bad->err);
	ring = spscring_create(&bad->want);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(ring), bad->err);
	if (!IS_ERR(ring))
		spscring_destroy(ring);
}

static void create_refused(struct kunit *test)
{
	const struct bad_case *bad = test->param_value;
	struct spscring *ring = spscring_create(&bad->want);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(ring), bad->err);
	if (!IS_ERR(ring))
		spscring_destroy(ring);
}

static const u32 sizes[] = {
	1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 31, 32, 33, 48, 56, 57, 64, 100, 128, 200, 256,
	512, 1000, 1024, 4096, 4097, 65535, 65536,
};

static void size_desc(const u32 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", *size);
}

KUNIT_ARRAY_PARAM(size, sizes, size_desc);

static void check_geometry(struct kunit *test, const struct spscring_create *want)
{
	struct spscring_geometry g;
	u32 align = want->record_align;

	KUNIT_ASSERT_EQ(test, spscring_geometry_init(&g, want, PAGE_SIZE), 0);
	if (!align)
		align = min_t(u32, 1U << __ffs(want->record_size), SPSCRING_ALIGN_MAX);

	KUNIT_EXPECT_EQ(test, g.capacity, want->capacity);
	KUNIT_EXPECT_EQ(test, g.record_size, want->record_size);
	KUNIT_EXPECT_EQ(test, g.type_tag, want->type_tag);
	KUNIT_EXPECT_EQ(test, g.frame_size & (g.frame_size - 1), 0);
	KUNIT_EXPECT_GE(test, g.frame_size, SPSCRING_FRAME_MIN);
	KUNIT_EXPECT_LE(test, g.frame_size, SPSCRING_FRAME_MAX);
	/* the tail before the records, the records within, aligned */
	KUNIT_EXPECT_GE(test, g.frame_first, sizeof(u64));
	KUNIT_EXPECT_GE(test, g.stride, g.record_size);
	KUNIT_EXPECT_EQ(test, g.frame_first % align, 0);
	KUNIT_EXPECT_EQ(test, g.stride % align, 0);
	KUNIT_EXPECT_GE(test, g.frame_records, 1);
	KUNIT_EXPECT_LE(test, g.frame_first + (u64)g.frame_records * g.stride, g.frame_size);
	/* room for all, and no frame more */
	KUNIT_EXPECT_GE(test, g.frames * g.frame_records, g.capacity);
	KUNIT_EXPECT_LT(test, (g.frames - 1) * g.frame_records, g.capacity);
	if (!want->frame_size && g.frame_records < g.capacity)
		KUNIT_EXPECT_LE(test, 100ULL * (g.frame_size - g.frame_records * g.stride),
				13ULL * g.frame_size);
	/* the sections, and no page more */
	KUNIT_EXPECT_EQ(test, g.data_offset, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, g.data_bytes, PAGE_ALIGN(g.frames * g.frame_size));
	KUNIT_EXPECT_EQ(test, g.memory, g.data_offset + g.data_bytes);
	KUNIT_EXPECT_GE(test, g.tell, 1);
	KUNIT_EXPECT_LE(test, g.tell, max_t(u64, 1, g.capacity / 8));
}

static void geometry_exact(struct kunit *test)
{
	static const u64 capacities[] = { 1, 2, 7, 8, 13, 64, 1000, 4096, 16000 };
	u32 size = *(const u32 *)test->param_value, align, frame;
	int i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		struct spscring_create want = {
			.capacity = capacities[i], .record_size = size, .type_tag = ~0ULL,
		};

		check_geometry(test, &want);
		for (align = 1; align <= SPSCRING_ALIGN_MAX; align *= 2) {
			want.record_align = align;
			check_geometry(test, &want);
		}
		for (frame = SPSCRING_FRAME_MIN; frame <= SPSCRING_FRAME_MAX; frame *= 2) {
			want.frame_size = frame;
			if (frame < SPSCRING_ALIGN_MAX + ALIGN(size, SPSCRING_ALIGN_MAX) ||
			    capacities[i] * frame > SPSCRING_DATA_MAX)
				continue;
			check_geometry(test, &want);
		}
	}
}

static void geometry_largest(struct kunit *test)
{
	struct spscring_create want = {
		.capacity = (SPSCRING_DATA_MAX / 64) * 7, .record_size = 8, .frame_size = 64,
	};
	struct spscring_geometry g;

	KUNIT_ASSERT_EQ(test, spscring_geometry_init(&g, &want, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, g.data_bytes, SPSCRING_DATA_MAX);
	KUNIT_EXPECT_EQ(test, g.capacity, want.capacity);
}

/* --------------------------------------------------- moving records: 3 ways */

static long put_one(struct fixture *f, u64 index, u32 n)
{
	u32 size = f->info.geometry.record_size;
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
	u32 size = f->info.geometry.record_size, done = 0, i;

	for (i = 0; i < n; i++)
		fill(f->in + i * size, size, index + i);
	/* a batch ends where the room ends that was known: ask once more */
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
			fill(slots + i * g->stride, g->record_size, index + done + i);
		spscring_commit_n(&f->p, some);
		done += some;
	}
	return n;
}

static long take_one(struct fixture *f, u64 index, u32 n, u32 *wrong)
{
	u32 size = f->info.geometry.record_size;
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
	u32 size = f->info.geometry.record_size;
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
			*wrong += !is_filled(recs + i * g->stride, g->record_size,
					     index + done + i);
		spscring_release_n(&f->c, some);
		done += some;
	}
	return n;
}

static const struct way {
	const char *name;
	long (*put)(struct fixture *f, u64 index, u32 n);
	long (*take)(struct fixture *f, u64 index, u32 n, u32 *wrong);
} ways[] = {
	{ "one by one", put_one, take_one },
	{ "in batches", put_batch, take_batch },
	{ "in place", put_in_place, take_in_place },
};

/* Up to the brim, one more refused; down to nothing, one more refused. */
static void fill_and_drain(struct kunit *test, const struct way *way, u64 index)
{
	struct fixture *f = test->priv;
	u32 capacity = f->info.geometry.capacity, wrong = 0;

	KUNIT_EXPECT_EQ(test, way->put(f, index, capacity + 1), capacity);
	KUNIT_EXPECT_EQ(test, way->put(f, index, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, way->take(f, index, capacity + 1, &wrong), capacity);
	KUNIT_EXPECT_EQ(test, way->take(f, index, 1, &wrong), -EAGAIN);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Odd pieces, so that every place in a frame begins and ends one. */
static void odd_pieces(struct kunit *test, const struct way *put, const struct way *take,
		       u64 *index)
{
	struct fixture *f = test->priv;
	u64 capacity = f->info.geometry.capacity, in = *index, out = *index;
	u64 last = in + 3 * capacity + 2 * f->info.geometry.frame_records;
	u32 step, wrong = 0;
	long n;

	for (step = 1; out < last; step++) {
		n = put->put(f, in, min_t(u64, step * 5 % 7 + 1, capacity));
		in += max(n, 0L);
		n = take->take(f, out, min_t(u64, step * 3 % 11 + 1, capacity), &wrong);
		KUNIT_ASSERT_NE(test, n, -EPIPE);
		out += max(n, 0L);
		KUNIT_ASSERT_LE(test, out, in);
		KUNIT_ASSERT_LE(test, in - out, capacity);
	}
	while ((n = take->take(f, out, 1, &wrong)) > 0)
		out += n;
	KUNIT_EXPECT_EQ(test, out, in);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	*index = in;
}

static void records_of_size(struct kunit *test)
{
	static const u32 capacities[] = { 1, 2, 13, 64 };
	u32 size = *(const u32 *)test->param_value;
	struct fixture *f = test->priv;
	int i, put, take;

	f->in = kvmalloc_array(65, size, GFP_KERNEL);
	f->out = kvmalloc_array(65, size, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->in && f->out);
	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		u64 index = 0;

		/* a few of the large ones have as many laps and take less time */
		if (size > PAGE_SIZE && capacities[i] > 13)
			continue;
		make_pair(test, capacities[i], size);
		for (put = 0; put < ARRAY_SIZE(ways); put++) {
			fill_and_drain(test, &ways[put], index);
			index += capacities[i];
			for (take = 0; take < ARRAY_SIZE(ways); take++)
				odd_pieces(test, &ways[put], &ways[take], &index);
		}
	}
}

/* A batch of a size known to the compiler has a path of its own for a line of u64. */
static void batch_fixed(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u64 in[64], out[64], pushed = 0, popped = 0;
	u32 n, i;

	for (n = 1; n < 64; n++) {
		for (i = 0; i < n; i++)
			in[i] = pushed + i;
		KUNIT_ASSERT_EQ(test, spscring_push_n_fixed(&f->p, in, n, 8), n);
		pushed += n;
		KUNIT_ASSERT_EQ(test, spscring_pop_n_fixed(&f->c, out, 64, 8), n);
		for (i = 0; i < n; i++)
			KUNIT_ASSERT_EQ(test, out[i], popped + i);
		popped += n;
	}
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, in, 0), 0);
	KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, out, 0), 0);
	KUNIT_EXPECT_EQ(test, f->p.base.pos, pushed);
	KUNIT_EXPECT_EQ(test, f->c.base.pos, pushed);
}

static void reserve_commit(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u32 frame = f->info.geometry.frame_records;
	void *slot, *again;
	u64 v;

	/* no more than the frame has, and the same ones until the commit */
	KUNIT_ASSERT_EQ(test, spscring_reserve_n(&f->p, 64, &slot), frame);
	KUNIT_ASSERT_EQ(test, spscring_reserve_n(&f->p, 3, &again), 3);
	KUNIT_EXPECT_PTR_EQ(test, slot, again);
	KUNIT_ASSERT_EQ(test, spscring_reserve(&f->p, &again), 0);
	KUNIT_EXPECT_PTR_EQ(test, slot, again);
	/* nothing is seen before the commit, nor by one of nothing */
	((u64 *)slot)[0] = 0;
	((u64 *)slot)[1] = 1;
	spscring_commit_n(&f->p, 0);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	/* a part of what was reserved may be committed */
	spscring_commit_n(&f->p, 2);
	pop_u64(test, 0, 2);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_reserve_n(&f->p, 64, &slot), frame - 2);
}

static void peek_release(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u32 frame = f->info.geometry.frame_records;
	const void *rec, *again;
	u64 v = 64;

	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EAGAIN);
	push_u64(test, 0, 64);
	KUNIT_ASSERT_EQ(test, spscring_peek_n(&f->c, 64, &rec), frame);
	KUNIT_ASSERT_EQ(test, spscring_peek_n(&f->c, 2, &again), 2);
	KUNIT_EXPECT_PTR_EQ(test, rec, again);
	KUNIT_EXPECT_EQ(test, ((const u64 *)rec)[1], 1);
	/* room comes by the release, not by the peek, nor by one of nothing */
	spscring_release_n(&f->c, 0);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EAGAIN);
	spscring_release_n(&f->c, 2);
	KUNIT_EXPECT_EQ(test, push_verdict(f), 0);
	KUNIT_ASSERT_EQ(test, spscring_peek(&f->c, &rec), 0);
	KUNIT_EXPECT_EQ(test, *(const u64 *)rec, 2);
	spscring_release(&f->c);
	KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
	KUNIT_EXPECT_EQ(test, v, 3);
}

/* ----------------------------------------------------------------- cursors */

/* The exact cursor never lags; the told head does, by @tell at most. */
static void told_and_exact(struct kunit *test)
{
	struct fixture *f = make_pair(test, 4096, 8);
	u64 i, told, v = 0, tell = f->info.geometry.tell;

	KUNIT_ASSERT_EQ(test, tell, 512);
	push_u64(test, 0, 4096);
	for (i = 1; i <= 4096; i++) {
		pop_u64(test, i - 1, 1);
		told = READ_ONCE(f->c.base.lines->told.word);
		KUNIT_ASSERT_EQ(test, READ_ONCE(f->c.base.lines->cursor.word), i);
		KUNIT_ASSERT_LE(test, told, i);
		KUNIT_ASSERT_LE(test, i - told, tell);
	}

	/* ten taken from a full ring and not told: there at the first try */
	push_u64(test, 4096, 4096);
	pop_u64(test, 4096, 10);
	KUNIT_EXPECT_LE(test, READ_ONCE(*f->p.base.peer_told), 4096);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), 0);

	/* seen full once: there within the tries between two looks */
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), -EAGAIN);
	pop_u64(test, 4106, 10);
	for (i = 1; spscring_push(&f->p, &v) == -EAGAIN; i++)
		KUNIT_ASSERT_LT(test, i, SPSCRING_LOOK_EVERY);
}

/* The cursor, or its frame's tail, says what was published, at the end of every call. */
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
			KUNIT_EXPECT_LE(test, READ_ONCE(f->p.base.lines->cursor.word), n + pushed);
			KUNIT_EXPECT_GE(test, READ_ONCE(f->p.base.lines->cursor.word),
					f->p.base.pos + spscring_slots_left(&f->p, f->p.base.pos) -
					f->p.frame_records);
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

/* A cursor about to wrap, as a hostile holder may leave it: full is full. */
static void near_the_wrap(struct kunit *test)
{
	struct fixture *f = make_pair(test, 14, 8);
	u64 head = 0 - 15ULL, i;

	f->c.base.lines->cursor.word = head;
	f->c.base.lines->told.word = head;
	f->p.base.lines->cursor.word = head + 13;
	*(u64 *)(f->p.base.data + (head + 13) / 7 % 2 * SPSCRING_FRAME_MIN) = head + 13;
	user_producer(f);
	for (i = 0; i < 100 && !spscring_push(&f->p, &i); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 1);
}

/* Failed tries are counted, in the page of the end that made them. */
static void counters(struct kunit *test)
{
	struct fixture *f = make_pair(test, 1, 8);
	u64 v = 0;
	int i;

	for (i = 0; i < 3 * SPSCRING_LOOK_EVERY; i++)
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, f->c.base.lines->counters.word, 3 * SPSCRING_LOOK_EVERY);
	push_u64(test, 0, 1);
	for (i = 0; i < 2 * SPSCRING_LOOK_EVERY + 1; i++)
		KUNIT_ASSERT_EQ(test, spscring_push(&f->p, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, f->p.base.lines->counters.word, 2 * SPSCRING_LOOK_EVERY + 1);
}

/* Words of later versions, and what is behind every word on its line, stay 0. */
static void reserved_lines(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = ring_base(f, f->p.base.data);
	const struct spscring_kernel_lines *k = spscring_kernel_lines(g, base + g->info_offset);
	struct spscring_consumer_lines *c = f->c.base.lines;
	struct spscring_producer_lines *p = f->p.base.lines;
	const struct spscring_line *lines[] = {
		&c->cursor, &c->told, &c->counters, &p->cursor, &p->counters, &p->oldest,
		&k->consumer_wants, &k->producer_wants, &k->consumer, &k->producer, &k->broken,
	};
	int i;

	push_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EAGAIN);
	pop_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -EAGAIN);
	KUNIT_EXPECT_EQ(test, p->counters.more[SPSCRING_COUNT_HIGH_WATER], 64);
	p->counters.more[SPSCRING_COUNT_HIGH_WATER] = 0;
	KUNIT_EXPECT_EQ(test, p->counters.more[SPSCRING_COUNT_FULL_AT], 1);
	p->counters.more[SPSCRING_COUNT_FULL_AT] = 0;
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(lines[i]->more, 0, sizeof(lines[i]->more)));
	KUNIT_EXPECT_EQ(test, p->oldest.word, 0);
	KUNIT_EXPECT_EQ(test, k->consumer_wants.word | SPSCRING_FENCE,
			SPSCRING_NOBODY | SPSCRING_FENCE);
	KUNIT_EXPECT_EQ(test, k->producer_wants.word | SPSCRING_FENCE,
			SPSCRING_NOBODY | SPSCRING_FENCE);
	KUNIT_EXPECT_EQ(test, k->broken.word, 0);
	KUNIT_EXPECT_EQ(test, SPSCRING_END_STATE(k->producer.word), SPSCRING_HELD);
	KUNIT_EXPECT_EQ(test, SPSCRING_END_GENERATION(k->producer.word), 1);
}

/* ---------------------------------------------------------------- two ends */

#define STRESS_RECORDS	1000000

struct stress {
	struct fixture *f;
	struct completion done;
	u64 wrong;
	int err;
};

/* Pieces of 1 to 16: whole frames, parts of them, single ones. */
static int stress_producer(void *data)
{
	struct stress *s = data;
	u64 i, n, batch[16], next = 0;
	long got;

	while (next < STRESS_RECORDS) {
		n = min_t(u64, next % 16 + 1, STRESS_RECORDS - next);
		for (i = 0; i < n; i++)
			batch[i] = next + i;
		got = n == 1 ? spscring_push(&s->f->p, batch) ?: 1 :
			spscring_push_n(&s->f->p, batch, n);
		if (got > 0) {
			next += got;
		} else if (got != -EAGAIN) {
			s->err = got;
			break;
		}
		cond_resched();
	}
	complete(&s->done);
	return 0;
}

static int stress_consumer(void *data)
{
	struct stress *s = data;
	u64 i, batch[16], next = 0;
	long got;

	while (next < STRESS_RECORDS) {
		got = next % 3 ? spscring_pop_n(&s->f->c, batch, next % 13 + 1) :
			spscring_pop(&s->f->c, batch) ?: 1;
		if (got < 0 && got != -EAGAIN) {
			s->err = got;
			break;
		}
		for (i = 0; (long)i < got; i++)
			s->wrong += batch[i] != next++;
		cond_resched();
	}
	complete(&s->done);
	return 0;
}

static struct task_struct *stress_run(int (*fn)(void *data), struct stress *s, unsigned int cpu)
{
	struct task_struct *task;

	init_completion(&s->done);
	task = kthread_create(fn, s, "spscring-kunit");
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void stress(struct kunit *test)
{
	struct stress p = { .f = make_pair(test, 100, 8) }, c = { .f = p.f };
	unsigned int first = cpumask_first(cpu_online_mask);
	struct task_struct *producer, *consumer;
	u64 v;

	producer = stress_run(stress_producer, &p, first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(producer));
	consumer = stress_run(stress_consumer, &c, cpumask_any_but(cpu_online_mask, first) %
			      nr_cpu_ids);
	if (!IS_ERR(consumer)) {
		wait_for_completion(&c.done);
		kthread_stop(consumer);
		put_task_struct(consumer);
	}
	/* without its consumer it would wait for ever */
	spscring_shutdown_consumer(&p.f->c);
	wait_for_completion(&p.done);
	kthread_stop(producer);
	put_task_struct(producer);

	KUNIT_EXPECT_FALSE(test, IS_ERR(consumer));
	KUNIT_EXPECT_EQ(test, p.err, 0);
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, c.wrong, 0);
	/* nothing is left, and who has ended its end would not see it */
	KUNIT_EXPECT_EQ(test, spscring_pop(&p.f->c, &v), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, p.f->p.base.pos, STRESS_RECORDS);
	spscring_get_info(p.f->ring, &p.f->info);
	KUNIT_EXPECT_EQ(test, p.f->info.length, 0);
}

/* ------------------------------------------------------------ broken rings */

enum end { PRODUCER, CONSUMER };

/* What the peer writes, from a full (producer) or an empty ring (consumer). */
struct lie {
	const char *name;
	enum end victim;
	enum { CURSOR, TOLD, TAIL } word;
	s64 offset;		/* from the victim's position */
	int verdict;
};

static const struct lie lies[] = {
	{ "told = pos + 1", PRODUCER, TOLD, 1, -EPIPE },
	{ "told = pos + capacity", PRODUCER, TOLD, 64, -EPIPE },
	{ "told = pos: room for all", PRODUCER, TOLD, 0, 0 },
	{ "told = pos - capacity: full", PRODUCER, TOLD, -64, -EAGAIN },
	{ "told = pos - capacity - 1: stale", PRODUCER, TOLD, -65, -EAGAIN },
	{ "told = -1: stale", PRODUCER, TOLD, -129, -EAGAIN },
	{ "cursor = pos + 1", PRODUCER, CURSOR, 1, -EPIPE },
	{ "cursor = pos - capacity - 1", PRODUCER, CURSOR, -65, -EPIPE },
	{ "cursor = -1", PRODUCER, CURSOR, -129, -EPIPE },
	{ "cursor = pos - capacity: full", PRODUCER, CURSOR, -64, -EAGAIN },
	{ "cursor = pos: room for all", PRODUCER, CURSOR, 0, 0 },
	{ "tail = pos + capacity + 1", CONSUMER, TAIL, 65, -EPIPE },
	{ "tail = pos + 2^63 - 1", CONSUMER, TAIL, S64_MAX, -EPIPE },
	{ "tail = pos + 2^63: stale", CONSUMER, TAIL, S64_MIN, -EAGAIN },
	{ "tail = pos: empty", CONSUMER, TAIL, 0, -EAGAIN },
	{ "tail = pos - 1: stale", CONSUMER, TAIL, -1, -EAGAIN },
	{ "tail = -1: stale", CONSUMER, TAIL, -129, -EAGAIN },
	{ "tail = pos + 1", CONSUMER, TAIL, 1, 0 },
	{ "tail = pos + capacity", CONSUMER, TAIL, 64, 0 },
	{ "cursor = pos + 1000: nobody looks", CONSUMER, CURSOR, 1000, -EAGAIN },
};

static void lie_desc(const struct lie *lie, char *desc)
{
	strscpy(desc, lie->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lie, lies, lie_desc);

static u64 *lie_word(struct fixture *f, const struct lie *lie)
{
	if (lie->word == TAIL)
		return f->p.at.tail;
	if (lie->victim == CONSUMER)
		return &f->p.base.lines->cursor.word;
	return lie->word == TOLD ? &f->c.base.lines->told.word : &f->c.base.lines->cursor.word;
}

static void peer_lies(struct kunit *test)
{
	const struct lie *lie = test->param_value;
	struct fixture *f = make_pair(test, 64, 8);
	bool broken = lie->verdict == -EPIPE;
	struct spscring_producer p;
	u64 pos, v;

	/* two laps, so that stale words are of a lap before */
	push_u64(test, 0, 64);
	pop_u64(test, 0, 64);
	push_u64(test, 64, 64);
	pos = f->p.base.pos;
	if (lie->victim == CONSUMER)
		pop_u64(test, 64, 64);

	WRITE_ONCE(*lie_word(f, lie), pos + lie->offset);
	KUNIT_EXPECT_EQ(test, lie->victim == PRODUCER ? push_verdict(f) : pop_verdict(f),
			lie->verdict);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, broken);
	if (!broken)
		return;

	/* for good, and for all: no room, no records, no claim, though the word is mended */
	WRITE_ONCE(*lie_word(f, lie), lie->victim == PRODUCER ? pos - 1 : pos + 1);
	if (lie->victim == PRODUCER) {
		KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), -EPIPE);
		KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, &v, 1), -EPIPE);
	} else {
		KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EPIPE);
		KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, &v, 1), -EPIPE);
	}
	KUNIT_EXPECT_EQ(test, claim_producer(f, &p), -EBUSY);
}

static void claim_of_broken(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 64, 8);
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	spscring_broken(ring, SPSCRING_PRODUCER);
	KUNIT_EXPECT_EQ(test, claim_consumer(f, &f->c), -EPIPE);
}

/* --------------------------------------------- ends, and what comes after */

static void claimed_once(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_info info;

	KUNIT_EXPECT_EQ(test, claim_producer(f, &p), -EBUSY);
	KUNIT_EXPECT_EQ(test, claim_consumer(f, &c), -EBUSY);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_export_file(f->ring, SPSCRING_PRODUCER)),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, spscring_export_fd(f->ring, SPSCRING_CONSUMER), -EBUSY);
	spscring_get_info(f->ring, &info);
	KUNIT_EXPECT_EQ(test, info.producer_state, SPSCRING_HELD);
	KUNIT_EXPECT_EQ(test, info.producer_generation, 1);
	KUNIT_EXPECT_EQ(test, info.consumer_state, SPSCRING_HELD);
	KUNIT_EXPECT_EQ(test, info.consumer_generation, 1);
	KUNIT_EXPECT_EQ(test, info.size, sizeof(info));
}

/* Whoever takes an end says what the records are to him, and gets no others. */
static void claim_expects(struct kunit *test)
{
	static const struct { u64 capacity; u32 size, flags; u64 tag; } rings[] = {
		{ 16, 8, 0, 7 }, { 16, 512, 0, 7 }, { 16, 8, 0, 8 },
		{ 4096, 0, SPSCRING_CREATE_RECORDS, 7 }, { 4096, 0, SPSCRING_CREATE_RECORDS, 8 },
	};
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		struct spscring_create want = {
			.capacity = rings[i].capacity, .record_size = rings[i].size,
			.flags = rings[i].flags, .type_tag = rings[i].tag,
		};
		bool ours = rings[i].tag == 7;
		int one = rings[i].size == 8 && ours ? 0 : -EPROTOTYPE;
		int any = !rings[i].size && ours ? 0 : -EPROTOTYPE;

		f->ring = spscring_create(&want);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
		KUNIT_EXPECT_EQ(test, spscring_claim_producer(f->ring, &f->p, 8, 7), one);
		KUNIT_EXPECT_EQ(test, spscring_claim_consumer(f->ring, &f->c, 8, 7), one);
		KUNIT_EXPECT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 7), any);
		KUNIT_EXPECT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 7), any);
		/* not by a size that no record has, either */
		KUNIT_EXPECT_EQ(test, spscring_claim_producer(f->ring, &f->p, 0, rings[i].tag),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, spscring_claim_consumer(f->ring, &f->c, 0, rings[i].tag),
				-EINVAL);
		spscring_destroy(f->ring);
		f->ring = NULL;
	}
}

static void producer_shut_down(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);
	struct spscring_producer p;
	u64 v = 3;

	push_u64(test, 0, 3);
	spscring_shutdown_producer(&f->p);
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, &v), -ESHUTDOWN);
	pop_u64(test, 0, 3);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, claim_producer(f, &p), -ESHUTDOWN);
}

static void consumer_shut_down(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);
	struct spscring_consumer c;
	u64 v;

	spscring_shutdown_consumer(&f->c);
	push_u64(test, 0, 8);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, claim_consumer(f, &c), -ESHUTDOWN);
}

/* The driver goes, the user who holds the other end drains, then learns it. */
static void producer_destroyed(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct fixture *f = test->priv;
	struct file *file;

	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	file = spscring_export_file(ring, SPSCRING_CONSUMER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_consumer(f);
	push_u64(test, 0, 5);
	spscring_destroy(ring);
	f->ring = NULL;
	pop_u64(test, 0, 5);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -EPIPE);
	put_now(file);
}

static void consumer_destroyed(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct fixture *f = test->priv;
	struct file *file;

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	file = spscring_export_file(ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_producer(f);
	spscring_destroy(ring);
	f->ring = NULL;
	push_u64(test, 0, 8);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EPIPE);
	put_now(file);
}

/* A user may write while the kernel looks: copies only. */
static void peek_of_user(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct fixture *f = test->priv;
	const void *rec;
	struct file *file = spscring_export_file(ring, SPSCRING_PRODUCER);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	user_producer(f);
	push_u64(test, 0, 2);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EPERM);
	KUNIT_EXPECT_EQ(test, spscring_peek_n(&f->c, 2, &rec), -EPERM);
	pop_u64(test, 0, 2);
	put_now(file);
	/* the kernel took the end over; the handle is of the time before */
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	push_u64(test, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EPERM);
}

/* Nobody is the producer yet, so it may become a user. */
static void peek_of_nobody(struct kunit *test)
{
	struct fixture *f = test->priv;
	const void *rec;

	make_ring(test, 8, 8);
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EPERM);
}

/*
 * A producer killed between two stores: it had published @whole, then stored
 * the tails of @torn more, and not its cursor.  The consumer took @taken.
 */
struct tear {
	const char *name;
	u64 capacity, before, whole, torn, taken;
};

static const struct tear tears[] = {
	{ "nothing", 64, 0, 0, 0, 0 },
	{ "data only", 64, 5, 3, 0, 0 },
	{ "one", 64, 0, 0, 1, 0 },
	{ "one, the ring's only one", 1, 10, 0, 1, 0 },
	{ "within a frame", 64, 3, 1, 2, 0 },
	{ "to a frame's end", 64, 0, 3, 4, 0 },
	{ "over a frame's end", 64, 100, 3, 9, 0 },
	{ "several frames", 64, 100, 0, 40, 0 },
	{ "all", 64, 1000, 0, 64, 0 },
	{ "the last ones", 64, 1000, 60, 4, 0 },
	{ "some taken already", 64, 1000, 10, 30, 25 },
	{ "all taken already", 64, 1000, 10, 30, 40 },
	{ "a frame of more than all", 3, 50, 1, 2, 1 },
};

static void tear_desc(const struct tear *tear, char *desc)
{
	strscpy(desc, tear->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tear, tears, tear_desc);

/* As spscring_push_n() does it, but for its last store: frames are entered without a cursor. */
static void push_torn(struct fixture *f, u64 value)
{
	struct spscring_producer *p = &f->p;
	void *slot;

	if (p->base.pos == p->base.stop && p->base.limit - p->base.pos >= p->frame_records &&
	    spscring_at_frame_end(p, &p->at, p->base.pos)) {
		p->at = spscring_place_ahead(p, &p->at, p->base.pos);
		p->base.stop = p->base.pos + p->frame_records;
	}
	if (spscring_reserve(p, &slot))
		return;
	*(u64 *)slot = value;
	spscring_store_tail(p, p->base.pos + 1);
}

static void producer_mended(struct kunit *test)
{
	const struct tear *t = test->param_value;
	struct spscring *ring = make_ring(test, t->capacity, 8);
	u64 i, all = t->whole + t->torn, v = 0;
	struct fixture *f = test->priv;
	struct file *file;
	void *slot;

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	file = spscring_export_file(ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_producer(f);
	for (i = 0; i < t->before; i++) {
		push_u64(test, i, 1);
		pop_u64(test, i, 1);
	}
	push_u64(test, i, t->whole);
	for (i = 0; i < t->torn; i++)
		push_torn(f, t->before + t->whole + i);
	if (!spscring_reserve(&f->p, &slot))
		*(u64 *)slot = ~0ULL;
	pop_u64(test, t->before, t->taken);
	put_now(file);

	/* all that could be seen is there, once; a new one goes on behind it */
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	spscring_get_info(ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.tail, t->before + all);
	KUNIT_EXPECT_EQ(test, f->info.length, all - t->taken);
	KUNIT_EXPECT_EQ(test, f->info.producer_generation, 2);
	pop_u64(test, t->before + t->taken, all - t->taken);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	for (i = 0; i < 3 * t->capacity; i++) {
		push_u64(test, i, 1);
		pop_u64(test, i, 1);
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	}
}

/* Tails that no order of stores leaves behind are put right, not believed. */
static void wild_tails_mended(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 64, 8);
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;
	struct file *file;
	u64 i, v;

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	file = spscring_export_file(ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_producer(f);
	push_u64(test, 0, 10);
	/* the frame of 14 to 20 says all of them, that of 7 to 13 does not */
	for (i = 2; i < g->frames; i++)
		*(u64 *)(f->p.base.data + i * g->frame_size) = 10 + i * 1000;
	put_now(file);

	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	KUNIT_EXPECT_EQ(test, f->p.base.pos, 10);
	pop_u64(test, 0, 10);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -EAGAIN);
	for (i = 10; i < 500; i++) {
		push_u64(test, i, 1);
		pop_u64(test, i, 1);
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	}
}

/* A cursor that cannot be breaks the ring; nothing is walked. */
static void wild_cursor_refused(struct kunit *test)
{
	static const struct { u64 tail, head; } wild[] = {
		{ 10 + 65, 10 }, { 1ULL << 63, 10 }, { -66ULL, 10 }, { -2ULL, -15ULL },
	};
	struct fixture *f = test->priv;
	struct file *file;
	int i;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		make_ring(test, 64, 8);
		KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
		file = spscring_export_file(f->ring, SPSCRING_PRODUCER);
		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
		user_producer(f);
		push_u64(test, 0, 10);
		pop_u64(test, 0, 10);
		f->p.base.lines->cursor.word = wild[i].tail;
		f->c.base.lines->cursor.word = wild[i].head;
		put_now(file);
		KUNIT_EXPECT_EQ(test, claim_producer(f, &f->p), -EPIPE);
		spscring_get_info(f->ring, &f->info);
		KUNIT_EXPECT_EQ(test, f->info.broken, 1);
	}
}

/* What a dead consumer had not released is there for the next one. */
static void consumer_mended(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 64, 8);
	struct fixture *f = test->priv;
	const void *rec;
	struct file *file;

	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	file = spscring_export_file(ring, SPSCRING_CONSUMER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_consumer(f);
	push_u64(test, 0, 64);
	pop_u64(test, 0, 13);
	KUNIT_ASSERT_EQ(test, spscring_peek(&f->c, &rec), 0);
	KUNIT_EXPECT_NE(test, f->c.base.lines->told.word, 13);
	put_now(file);
	KUNIT_EXPECT_EQ(test, push_verdict(f), 0);

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	KUNIT_EXPECT_EQ(test, f->c.base.lines->told.word, 13);
	pop_u64(test, 13, 51);
}

/*
 * The look for pins sees each chunk while nobody maps it: not while another holds its
 * lock.  A reference that is nobody's mapping is a pin.
 */
static void mapped_or_pinned(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 4096, 8);
	struct page *page = ring->pages[RING_PAGE_DATA];
	struct fixture *f = test->priv;
	struct file *file;

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	file = spscring_export_file(ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_producer(f);
	push_u64(test, 0, 10);
	put_now(file);

	folio_lock(page_folio(page));
	KUNIT_EXPECT_EQ(test, claim_producer(f, &f->p), -EBUSY);
	folio_unlock(page_folio(page));
	get_page(page);
	KUNIT_EXPECT_EQ(test, claim_producer(f, &f->p), -EBUSY);
	put_page(page);
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	pop_u64(test, 0, 10);
}

/* ------------------------------------------------------------------ sleep */

/* A tail that lies about a later frame does not have its waiter go round for ever. */
static void wait_lying_tail(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 64, 8);
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;
	struct file *file;

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	file = spscring_export_file(ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_producer(f);
	*(u64 *)(f->p.base.data + 63 / g->frame_records * g->frame_size) = 64;
	KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 64, -1), -EPIPE);
	spscring_get_info(ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 1);
	put_now(file);
}

/* How long an end looks follows what came of it; its waits are counted either way. */
static void wait_spin_adapts(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	const u64 *looked = f->c.base.lines->counters.more;
	int i;

	KUNIT_EXPECT_EQ(test, f->c.base.spin_max, num_online_cpus() > 1 ? SPSCRING_SPIN_MAX : 0);
	KUNIT_EXPECT_EQ(test, f->p.base.spin_max, f->c.base.spin_max);
	f->c.base.spin_max = 160;
	f->c.base.spin = 160;
	KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 80);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 10);
	push_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 64, -1), 0);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 10);
	KUNIT_EXPECT_EQ(test, looked[0], 1);
	KUNIT_EXPECT_EQ(test, looked[1], 6);
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->p.base.lines->counters.more[1], 1);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.consumer_sleep.sleeps, 6);
}

struct interrupt {
	struct irq_work work;
	struct spscring_producer *p;
};

static void push_in_interrupt(struct irq_work *work)
{
	u64 v = 0;

	spscring_push(container_of(work, struct interrupt, work)->p, &v);
}

/* How many no ring holds is refused, and does no harm. */
static void wait_counts(struct kunit *test)
{
	static const u64 counts[] = { 0, 65, 1ULL << 62, 1ULL << 63, (1ULL << 63) + 65, ~0ULL };
	struct fixture *f = make_pair(test, 64, 8);
	int i;

	push_u64(test, 0, 1);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, counts[i], 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, counts[i], 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, spscring_has_room(&f->p, counts[i]), !counts[i]);
		KUNIT_EXPECT_EQ(test, spscring_has_records(&f->c, counts[i]), !counts[i]);
	}
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 63, -1), 0);
	pop_u64(test, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 64, -1), 0);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
	spscring_shutdown_consumer(&f->c);
	KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 1, -1), -ESHUTDOWN);
}

/* What comes while an end looks is not slept for. */
static void wait_spins(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct interrupt soon = { .p = &f->p };
	int tries;
	u64 v;

	init_irq_work(&soon.work, push_in_interrupt);
	/* in vain where another task is to run */
	for (tries = 0; tries < 64 && !f->c.base.lines->counters.more[0]; tries++) {
		f->c.base.spin_max = U32_MAX;
		f->c.base.spin = U32_MAX;
		irq_work_queue(&soon.work);
		KUNIT_ASSERT_EQ(test, spscring_wait_records(&f->c, 1, -1), 0);
		irq_work_sync(&soon.work);
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
	}
	KUNIT_EXPECT_EQ(test, f->c.base.lines->counters.more[0], 1);
}

/*
 * Races of sleep that take a delay at one place: a probe on a tracepoint there does
 * what a peer could do meanwhile.
 */
struct race {
	struct spscring *ring;
	struct spscring_producer *p;
	u64 *state;		/* the producer's end */
	int met;
};

/* Woken without cause, a WAIT that is not yet asleep: the producer dies, and has a successor. */
static void die_and_come_again(void *data, const struct spscring *ring, u32 role, u64 index)
{
	struct race *race = data;
	u64 held = READ_ONCE(*race->state), v = 0;

	if (ring != race->ring)
		return;
	if (race->met++) {
		spscring_push(race->p, &v);
		return;
	}
	WRITE_ONCE(*race->state, SPSCRING_DEAD);
	spscring_kick(race->ring, role, 0);
	WRITE_ONCE(*race->state, held);
}

/* It waits on, and can be woken. */
static void wait_woken_early(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct race race = {
		.ring = f->ring, .p = &f->p,
		.state = (u64 *)&f->c.base.kernel->producer.word,
	};

	f->c.base.spin = 0;
	KUNIT_ASSERT_EQ(test, register_trace_spscring_sleep(die_and_come_again, &race), 0);
	KUNIT_EXPECT_EQ(test, spscring_wait_records(&f->c, 1, ktime_get_ns() + PATIENCE), 0);
	unregister_trace_spscring_sleep(die_and_come_again, &race);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, race.met, 2);
}

/* The peer is kicking, and passes over the index that it has noted. */
static void push_unseen(void *data, const struct spscring *ring, u32 role)
{
	struct race *race = data;
	void *slot;

	if (ring != race->ring || role != SPSCRING_CONSUMER || race->met++ ||
	    spscring_reserve(race->p, &slot))
		return;
	spscring_commit_flags(race->p, 1, SPSCRING_NOWAKE);
}

struct sleeper {
	struct spscring_consumer c;
	struct spscring_record_consumer rc;	/* where records are of any size */
	bool any_size;
	u64 n;
	int err;
	struct completion woken;
};

static int sleep_for(void *data)
{
	struct sleeper *s = data;
	s64 until = ktime_get_ns() + PATIENCE;

	s->err = s->any_size ? spscring_record_wait_records(&s->rc, s->n, until) :
		spscring_wait_records(&s->c, s->n, until);
	if (!s->err && (s64)ktime_get_ns() >= until)
		s->err = -ETIMEDOUT;	/* by its last look */
	kthread_complete_and_exit(&s->woken, 0);
}

static void sleeper_start(struct kunit *test, struct sleeper *s, u64 n)
{
	struct fixture *f = test->priv;

	s->c = f->c;
	s->c.base.spin = 0;
	s->rc = f->rc;
	s->rc.base.spin = 0;
	s->any_size = f->info.geometry.flags & SPSCRING_CREATE_RECORDS;
	s->n = n;
	init_completion(&s->woken);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(sleep_for, s, "spscring_sleeper")));
}

static void until_asleep(struct fixture *f, u64 sleeps)
{
	do {
		cond_resched();
		spscring_get_info(f->ring, &f->info);
	} while (f->info.consumer_sleep.sleeps < sleeps);
}

/* False where the first was not asleep yet, and found its record by itself. */
static bool two_woken(struct kunit *test, struct race *race, struct sleeper *s)
{
	struct fixture *f = test->priv;
	u64 sleeps, v;
	bool woken;

	race->met = 0;
	spscring_get_info(f->ring, &f->info);
	sleeps = f->info.consumer_sleep.sleeps + 2;
	sleeper_start(test, &s[0], 1);
	sleeper_start(test, &s[1], 2);
	until_asleep(f, sleeps);
	push_u64(test, 0, 1);
	woken = race->met;
	if (!woken)
		push_u64(test, 0, 1);
	wait_for_completion(&s[0].woken);
	wait_for_completion(&s[1].woken);
	KUNIT_EXPECT_EQ(test, s[0].err, 0);
	KUNIT_EXPECT_EQ(test, s[1].err, 0);
	while (!spscring_pop(&f->c, &v))
		;
	return woken;
}

/* The second of two, whose record came while the first was woken, is woken with it. */
static void wait_woken_together(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct race race = { .ring = f->ring, .p = &f->p };
	struct sleeper *s = kunit_kcalloc(test, 2, sizeof(*s), GFP_KERNEL);
	int tries = 1000;

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_EQ(test, register_trace_spscring_wake(push_unseen, &race), 0);
	while (!two_woken(test, &race, s) && --tries)
		;
	unregister_trace_spscring_wake(push_unseen, &race);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_GT(test, tries, 0);
}

/* ----------------------------------------------------- the in-kernel API */

static void export_fd(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct spscring_info info;
	int fd = spscring_export_fd(ring, SPSCRING_CONSUMER);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, spscring_export_fd(ring, SPSCRING_CONSUMER), -EBUSY);
	/* an endpoint's fd claims nothing */
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(fd)), -EPERM);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	spscring_get_info(ring, &info);
	KUNIT_EXPECT_EQ(test, info.consumer_state, SPSCRING_DEAD);
	fd = spscring_export_fd(ring, SPSCRING_CONSUMER);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(fd)), -EBADF);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(-1)), -EBADF);
}

static int open_errno(const char *name, int flags)
{
	struct file *file = filp_open(name, flags, 0);

	if (IS_ERR(file))
		return PTR_ERR(file);
	put_now(file);
	return 0;
}

static void export_device(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);

	KUNIT_EXPECT_EQ(test, PTR_ERR(spscring_export_file(ring, 3)), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, 0, "spscring-kunit", 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, 3, "spscring-kunit", 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_PRODUCER,
						     "spscring-kunit-p", 0600), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_WRONLY), -EACCES);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit-p", O_RDONLY), -EACCES);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDONLY), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit-p", O_WRONLY), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDWR), 0);
	/* both names are free again with the ring */
	ring = make_ring(test, 8, 8);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), -EEXIST);
}

/* What is no name for a node, and what another has: refused, and not in the log either. */
static void export_names(struct kunit *test)
{
	static const struct {
		const char *name;
		int err;
	} names[] = {
		{ "", -EINVAL }, { ".", -EINVAL }, { "..", -EINVAL }, { "a/b", -EINVAL },
		{ "/a", -EINVAL }, { "a!b", -EINVAL }, { "a b", -EINVAL }, { "a\nb", -EINVAL },
		{ "\xe9", -EINVAL }, { "null", -EEXIST }, { "spscring", -EEXIST },
	};
	struct spscring *ring = make_ring(test, 8, 8);
	char *longest = kunit_kzalloc(test, NAME_MAX + 2, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, longest);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_EQ_MSG(test, spscring_export_device(ring, SPSCRING_CONSUMER,
								 names[i].name, 0600),
				    names[i].err, "name \"%s\"", names[i].name);
	memset(longest, 'x', NAME_MAX + 1);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER, longest, 0600),
			-EINVAL);
	longest[NAME_MAX] = 0;
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER, longest, 0600), 0);
	/* names that kobjects would take for a format */
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-%s%n", 0600), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-%s%n", O_RDWR), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", S_IFBLK | 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDWR), -ENOENT);
}

static umode_t node_mode(struct kunit *test, const char *name)
{
	struct file *file = filp_open(name, O_PATH, 0);
	umode_t mode = 0;

	KUNIT_EXPECT_FALSE(test, IS_ERR(file));
	if (IS_ERR(file))
		return 0;
	mode = file_inode(file)->i_mode;
	put_now(file);
	return mode;
}

static void export_mode(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);

	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0624), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit-0", 0), 0);
	KUNIT_EXPECT_EQ(test, node_mode(test, "/dev/spscring-kunit"), S_IFCHR | 0624);
	KUNIT_EXPECT_EQ(test, node_mode(test, "/dev/spscring-kunit-0"), S_IFCHR | 0600);
}

/* An inode of a node that is gone, opened again by who has it open. */
static void export_gone(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct file *file, *again;

	KUNIT_ASSERT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	file = filp_open("/dev/spscring-kunit", O_RDWR, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	/* destroys the first */
	make_ring(test, 8, 8);
	again = dentry_open(&file->f_path, O_RDWR, current_cred());
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(again), -ENODEV);
	put_now(file);
}

/* ------------------------------------------------------------------ reset */

struct reset_shape {
	u32 role;		/* the user's */
	u64 capacity;
	u32 size;
};

static const struct reset_shape reset_shapes[] = {
	{ SPSCRING_CONSUMER, 1, 8 }, { SPSCRING_CONSUMER, 7, 8 },
	{ SPSCRING_CONSUMER, 13, 8 }, { SPSCRING_CONSUMER, 64, 8 },
	{ SPSCRING_CONSUMER, 100, 24 }, { SPSCRING_CONSUMER, 3, 5000 },
	{ SPSCRING_PRODUCER, 1, 8 }, { SPSCRING_PRODUCER, 7, 8 },
	{ SPSCRING_PRODUCER, 13, 8 }, { SPSCRING_PRODUCER, 64, 8 },
	{ SPSCRING_PRODUCER, 100, 24 }, { SPSCRING_PRODUCER, 3, 5000 },
};

static void reset_desc(const struct reset_shape *shape, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %llu x %u",
		 shape->role == SPSCRING_PRODUCER ? "user's producer" : "user's consumer",
		 shape->capacity, shape->size);
}

KUNIT_ARRAY_PARAM(reset_shape, reset_shapes, reset_desc);

/* What a user leaves behind; all but the first two break the ring. */
enum damage { NONE, CURSOR_AHEAD, CURSOR_WILD, HINT_WILD, SAID_SO, DAMAGES };

static void damage(struct fixture *f, u32 role, enum damage what)
{
	const struct spscring_geometry *g = &f->info.geometry;
	u64 wild = what == CURSOR_AHEAD ? 3 * g->capacity : 0x5555555555555555ULL, i;

	if (what == SAID_SO) {
		spscring_broken(f->ring, role);
	} else if (role == SPSCRING_CONSUMER) {
		if (what == HINT_WILD)
			f->c.base.lines->told.word = f->p.base.pos + 3 * g->capacity;
		else if (what != NONE)
			f->c.base.lines->cursor.word = f->p.base.pos + wild;
	} else if (what == HINT_WILD) {
		/* nobody looks but a claim */
		f->p.base.lines->cursor.word = f->c.base.pos + 3 * g->capacity;
	} else if (what != NONE) {
		f->p.base.lines->cursor.word = f->c.base.pos + wild;
		for (i = 0; i < g->frames; i++)
			*(u64 *)(f->p.base.data + i * g->frame_size) = f->c.base.pos + wild;
	}
}

/* The driver hears of it by its own end, or he who comes next does. */
static void damage_found(struct kunit *test, u32 role, enum damage what)
{
	struct fixture *f = test->priv;
	struct file *file;
	u32 wrong = 0;
	long n = 0;
	int i;

	if (what == NONE || what == SAID_SO || (role == SPSCRING_PRODUCER && what == HINT_WILD)) {
		file = spscring_export_file(f->ring, role);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(file), what == NONE ? 0 : -EPIPE);
		if (!IS_ERR(file))
			put_now(file);
		return;
	}
	for (i = 0; i <= SPSCRING_LOOK_EVERY + f->info.geometry.capacity && n >= -EAGAIN; i++) {
		n = role == SPSCRING_CONSUMER ? put_one(f, 0, 1) : take_one(f, 0, 1, &wrong);
		if (n == -EPIPE)
			break;
	}
	KUNIT_EXPECT_EQ(test, n, -EPIPE);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_export_file(f->ring, role)), -EPIPE);
}

static int reset_kernel_end(struct fixture *f, u32 user)
{
	return user == SPSCRING_CONSUMER ? spscring_reset_producer(&f->p) :
		spscring_reset_consumer(&f->c);
}

/* The next user, at the cursor. */
static struct file *reset_user(struct kunit *test, u32 role)
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

static u64 frame_tail(struct fixture *f, u32 user, u32 frame)
{
	char *data = user == SPSCRING_CONSUMER ? f->p.base.data : f->c.base.data;

	return *(u64 *)(data + frame * f->info.geometry.frame_size);
}

/* From every place in a frame, at every level, whatever was done. */
static void reset_round(struct kunit *test, u32 role, u32 round)
{
	struct fixture *f = test->priv;
	u64 capacity = f->info.geometry.capacity, drops;
	u64 in = round * 5 % (capacity + 1), out = round * 3 % (in + 1);
	enum damage what = round % DAMAGES;
	struct file *file = reset_user(test, role);
	u32 wrong = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_EQ(test, put_one(f, 0, in), in);
	KUNIT_ASSERT_EQ(test, out ? take_one(f, 0, out, &wrong) : 0, out);
	KUNIT_EXPECT_EQ(test, reset_kernel_end(f, role), -EBUSY);
	damage(f, role, what);
	put_now(file);
	damage_found(test, role, what);

	drops = f->p.base.lines->counters.more[SPSCRING_COUNT_DROPS];
	KUNIT_ASSERT_EQ(test, reset_kernel_end(f, role), 0);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
	KUNIT_EXPECT_EQ(test, f->info.length, 0);
	KUNIT_EXPECT_EQ(test, f->info.head, f->info.tail);
	if (what == NONE && role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, f->info.loss.drops - drops, in - out);
	for (i = 0; i < f->info.geometry.frames; i++)
		KUNIT_EXPECT_LE(test, (s64)(frame_tail(f, role, i) - f->info.tail), 0);

	/* a driver need not wait for the next user */
	if (role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, put_one(f, 0, capacity + 1), capacity);
	file = reset_user(test, role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	if (role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, take_one(f, 0, capacity, &wrong), capacity);
	KUNIT_EXPECT_EQ(test, take_one(f, 0, 1, &wrong), -EAGAIN);
	fill_and_drain(test, &ways[0], 0);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	put_now(file);
}

static void reset_frames(struct kunit *test)
{
	const struct reset_shape *shape = test->param_value;
	struct spscring *ring = make_ring(test, shape->capacity, shape->size);
	struct fixture *f = test->priv;
	u32 round;

	f->in = kvmalloc(shape->size, GFP_KERNEL);
	f->out = kvmalloc(shape->size, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->in && f->out);
	KUNIT_ASSERT_EQ(test, shape->role == SPSCRING_CONSUMER ?
			spscring_claim_producer(ring, &f->p, shape->size, 0) :
			spscring_claim_consumer(ring, &f->c, shape->size, 0), 0);
	for (round = 0; round < 12 * DAMAGES; round++)
		reset_round(test, shape->role, round);
}

/* What a reset is not for. */
static void reset_refused(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);

	/* both ends are the kernel's */
	KUNIT_EXPECT_EQ(test, spscring_reset_producer(&f->p), -EBUSY);
	KUNIT_EXPECT_EQ(test, spscring_reset_consumer(&f->c), -EBUSY);
	spscring_shutdown_consumer(&f->c);
	KUNIT_EXPECT_EQ(test, spscring_reset_producer(&f->p), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, spscring_reset_consumer(&f->c), -ESHUTDOWN);
}

/* A user who is killed closes, and it is in his process that the driver resets. */
static void reset_of_the_killed(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 1000, 8);
	struct fixture *f = test->priv;
	struct file *file;
	int claim, reset;

	KUNIT_ASSERT_EQ(test, spscring_claim_producer(ring, &f->p, 8, 0), 0);
	file = reset_user(test, SPSCRING_CONSUMER);
	KUNIT_ASSERT_NOT_NULL(test, file);
	put_now(file);
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	reset = spscring_reset_producer(&f->p);
	claim = spscring_claim_consumer(ring, &f->c, 8, 0);
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, reset, 0);
	/* he himself gets nothing any more */
	KUNIT_EXPECT_EQ(test, claim, -EINTR);
}

/* ----------------------------------------------------------------- watches */

struct watched {
	struct spscring *ring;
	u32 role;
	int claimed, ended, broken;	/* how often */
	u32 how;
	bool order;			/* claimed, ended, claimed, ... */
	int (*mend)(struct watched *w);
	int mended, nested;
	struct spscring_producer *p;
};

static void watched_claimed(void *data)
{
	struct watched *w = data;

	w->order &= w->claimed == w->ended;
	w->claimed++;
	w->nested = PTR_ERR_OR_ZERO(spscring_export_file(w->ring, w->role));
}

static void watched_ended(void *data, u32 how)
{
	struct watched *w = data;

	w->ended++;
	w->order &= w->claimed == w->ended;
	w->how = how;
}

static void watched_broken(void *data)
{
	struct watched *w = data;

	w->broken++;
	if (w->p)
		w->mended = spscring_reset_producer(w->p);
}

static int watch(struct watched *w, u32 flags)
{
	return spscring_watch(w->ring, w->role, &(struct spscring_watch) {
		.flags = flags, .claimed = watched_claimed, .ended = watched_ended,
		.broken = watched_broken, .data = w,
	});
}

static void watch_refused(struct kunit *test)
{
	struct watched w = { .ring = make_ring(test, 8, 8), .role = SPSCRING_CONSUMER };

	KUNIT_EXPECT_EQ(test, watch(&w, 1U << 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, watch(&w, 1U << 31), -EINVAL);
	w.role = 3;
	KUNIT_EXPECT_EQ(test, watch(&w, 0), -EINVAL);
	w.role = SPSCRING_CONSUMER;
	KUNIT_EXPECT_EQ(test, watch(&w, 0), 0);
	KUNIT_EXPECT_EQ(test, watch(&w, 0), -EBUSY);
	spscring_unwatch(w.ring, SPSCRING_PRODUCER);
	KUNIT_EXPECT_EQ(test, watch(&w, 0), -EBUSY);
	spscring_unwatch(w.ring, SPSCRING_CONSUMER);
	KUNIT_EXPECT_EQ(test, watch(&w, 0), 0);
}

/* Claims, deaths and what is in between come in their order, and to nobody who is gone. */
static void watch_order(struct kunit *test)
{
	struct watched w = { .ring = make_ring(test, 8, 8), .role = SPSCRING_CONSUMER,
			     .order = true };
	struct file *file;
	int i;

	KUNIT_ASSERT_EQ(test, watch(&w, 0), 0);
	for (i = 0; i < 3; i++) {
		file = spscring_export_file(w.ring, w.role);
		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
		KUNIT_EXPECT_EQ(test, w.claimed, i + 1);
		KUNIT_EXPECT_EQ(test, w.nested, -EDEADLK);
		KUNIT_EXPECT_EQ(test, spscring_export_fd(w.ring, w.role), -EBUSY);
		KUNIT_EXPECT_EQ(test, w.ended, i);
		put_now(file);
		KUNIT_EXPECT_EQ(test, w.ended, i + 1);
		KUNIT_EXPECT_EQ(test, w.how, SPSCRING_DEAD);
	}
	KUNIT_EXPECT_TRUE(test, w.order);
	KUNIT_EXPECT_EQ(test, w.broken, 0);

	/* the other end's users are not these */
	file = spscring_export_file(w.ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	put_now(file);
	KUNIT_EXPECT_EQ(test, w.claimed, 3);

	file = spscring_export_file(w.ring, w.role);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	spscring_unwatch(w.ring, w.role);
	put_now(file);
	KUNIT_EXPECT_EQ(test, w.claimed, 4);
	KUNIT_EXPECT_EQ(test, w.ended, 3);
}

/* Who comes to a broken ring gets in if the driver mends it for him, and else does not. */
static void watch_mends(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct watched w = { .ring = ring, .role = SPSCRING_CONSUMER, .mended = 1 };
	struct fixture *f = test->priv;
	struct file *file;

	KUNIT_ASSERT_EQ(test, spscring_claim_producer(ring, &f->p, 8, 0), 0);
	KUNIT_ASSERT_EQ(test, watch(&w, 0), 0);
	file = reset_user(test, w.role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	/* nobody has looked when he goes */
	f->c.base.lines->cursor.word = 5;
	put_now(file);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_export_file(ring, w.role)), -EPIPE);
	KUNIT_EXPECT_EQ(test, w.broken, 1);
	w.p = &f->p;
	file = reset_user(test, w.role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_EXPECT_EQ(test, w.broken, 2);
	KUNIT_EXPECT_EQ(test, w.mended, 0);
	KUNIT_EXPECT_EQ(test, w.claimed, 2);
	push_u64(test, 0, 8);
	pop_u64(test, 0, 8);
	put_now(file);
}

/* The table is the data, all of it, in order. */
static void sg_table(struct kunit *test)
{
	struct fixture *f = make_pair(test, 1000, 100);
	const struct spscring_geometry *g = &f->info.geometry;
	struct scatterlist *sg;
	struct sg_table sgt;
	u8 rec[100], dma[100];
	u64 bytes = 0, i;
	void *slot;
	int n;

	KUNIT_ASSERT_EQ(test, spscring_data_sg_table(f->ring, &sgt), 0);
	for_each_sgtable_sg(&sgt, sg, n)
		bytes += sg->length;
	KUNIT_EXPECT_EQ(test, bytes, g->data_bytes);
	for (i = 0; i < g->capacity; i++) {
		if (spscring_reserve(&f->p, &slot))
			break;
		fill(slot, sizeof(rec), i);
		sg_pcopy_to_buffer(sgt.sgl, sgt.orig_nents, dma, sizeof(dma),
				   (char *)slot - f->p.base.data);
		if (!is_filled(dma, sizeof(dma), i))
			break;
		/* and the other way: what a device writes is what is popped */
		fill(dma, sizeof(dma), ~i);
		sg_pcopy_from_buffer(sgt.sgl, sgt.orig_nents, dma, sizeof(dma),
				     (char *)slot - f->p.base.data);
		spscring_commit(&f->p);
		if (spscring_pop(&f->c, rec) || !is_filled(rec, sizeof(rec), ~i))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, g->capacity);
	sg_free_table(&sgt);
}

/* ------------------------------------------------ records by an iov_iter */

static void make_records(struct kunit *test, u64 capacity, u32 flags)
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

static const u32 record_modes[] = { 0, SPSCRING_CREATE_DROP, SPSCRING_CREATE_OVERWRITE };

static void mode_desc(const u32 *mode, char *desc)
{
	strscpy(desc, *mode & SPSCRING_CREATE_DROP ? "drops" :
		*mode & SPSCRING_CREATE_OVERWRITE ? "overwrites" : "fails",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(record_mode, record_modes, mode_desc);

/* @size bytes at @at, in three parts, one of them empty. */
static void three_parts(struct iov_iter *iter, struct kvec *parts, bool from, u8 *at, size_t size)
{
	parts[0] = (struct kvec){ at, size / 3 };
	parts[1] = (struct kvec){ at, 0 };
	parts[2] = (struct kvec){ at + size / 3, size - size / 3 };
	iov_iter_kvec(iter, from ? ITER_SOURCE : ITER_DEST, parts, 3, size);
}

/* A kernel consumer waits for more than fits beside the next record, of a kernel producer. */
static void wait_full(struct kunit *test)
{
	struct sleeper *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 mode = *(const u32 *)test->param_value;
	struct fixture *f = test->priv;
	const u64 need = 8000;
	static u8 rec[1000];
	int err;

	KUNIT_ASSERT_NOT_NULL(test, s);
	if (mode & SPSCRING_CREATE_OVERWRITE)
		return;	/* it finds room always */
	make_records(test, need, mode);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 0), 0);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 0), 0);
	sleeper_start(test, s, need);
	until_asleep(f, 1);
	do
		err = spscring_record_push(&f->rp, rec, sizeof(rec));
	while (!err);
	KUNIT_EXPECT_EQ(test, err, mode & SPSCRING_CREATE_DROP ? -ENOBUFS : -EAGAIN);
	wait_for_completion(&s->woken);
	KUNIT_EXPECT_EQ(test, s->err, 0);
	KUNIT_EXPECT_FALSE(test, spscring_record_has_records(&f->rc, need));
	/* the same, of one that is full before */
	KUNIT_EXPECT_EQ(test, spscring_record_wait_records(&f->rc, need, -1), 0);
}

static void record_iter(struct kunit *test)
{
	static const u32 sizes[] = { 0, 1, 8, 100, 1000, 4096, 7992 };
	struct fixture *f = test->priv;
	struct iov_iter from, to;
	struct kvec parts[3], places[3];
	int i;

	make_records(test, 8000, *(const u32 *)test->param_value);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 0), 0);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 0), 0);
	for (i = 0; i < 10 * ARRAY_SIZE(sizes); i++) {
		u32 size = sizes[i % ARRAY_SIZE(sizes)];

		fill(f->in, size, i);
		three_parts(&from, parts, true, f->in, size);
		three_parts(&to, places, false, f->out, 8000);
		KUNIT_ASSERT_EQ(test, spscring_record_push_iter(&f->rp, &from, size), 0);
		KUNIT_EXPECT_EQ(test, iov_iter_count(&from), 0);
		if (size) {
			/* too little room: both stay as they are */
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
	/* fewer bytes than were told: none of them goes */
	three_parts(&from, parts, true, f->in, 99);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, 100), -EFAULT);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&from), 99);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &from, 99), 0);
	three_parts(&to, places, false, f->out, 99);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &to), 99);
}

/* A user's record may be copied, and not be looked at in place. */
static void record_of_user(struct kunit *test)
{
	bool overwrites = *(const u32 *)test->param_value & SPSCRING_CREATE_OVERWRITE;
	struct fixture *f = test->priv;
	struct spscring_record rec;
	struct iov_iter to;
	struct kvec parts[3];
	struct file *file;

	make_records(test, 8000, *(const u32 *)test->param_value);
	file = spscring_export_file(f->ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 0), 0);
	user_record_producer(f);
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

/* Where records are of any size the kernel has the data twice, and the same. */
static void data_twice(struct kunit *test)
{
	struct spscring_create want = { .capacity = 28000, .flags = SPSCRING_CREATE_RECORDS };
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;
	u8 *data;
	u64 i;

	f->ring = spscring_create(&want);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->ring->nr_pages, g->memory >> PAGE_SHIFT);
	data = ring_page(f->ring, RING_PAGE_DATA);
	for (i = 0; i < g->data_bytes; i++)
		data[i] = i * 7;
	KUNIT_EXPECT_EQ(test, memcmp(data, data + g->data_bytes, g->data_bytes), 0);
	for (i = 0; i < g->data_bytes; i++)
		data[g->data_bytes + i] = i * 11;
	KUNIT_EXPECT_EQ(test, memcmp(data, data + g->data_bytes, g->data_bytes), 0);
	/* and in the pages that an fd maps */
	for (i = 0; i < 2 * g->data_bytes; i += PAGE_SIZE) {
		struct page *page = f->ring->pages[RING_PAGE_DATA + i / PAGE_SIZE];

		KUNIT_EXPECT_EQ(test, memcmp(page_address(page), data + i, PAGE_SIZE), 0);
	}
}

/* ------------------------------------------------------------------ trace */

struct traced {
	const struct spscring *ring;
	const struct spscring_producer *p;	/* or */
	const u64 *cursor;	/* of the end */
	int events;
	u64 first;
	u32 n;
	u64 at;			/* where the end was when its event came */
};

static void traced_records(void *data, const struct spscring *ring, u64 first, u32 n)
{
	struct traced *seen = data;

	if (ring != seen->ring)
		return;
	seen->events++;
	seen->first = first;
	seen->n = n;
	/* a producer's is the handle's, which goes with the tail */
	seen->at = seen->p ? seen->p->base.pos : READ_ONCE(*seen->cursor);
}

/* One event, and before the peer could know of its records. */
static void expect_traced(struct kunit *test, struct traced *seen, u64 first, u32 n)
{
	KUNIT_EXPECT_EQ(test, seen->events, 1);
	KUNIT_EXPECT_EQ(test, seen->first, first);
	KUNIT_EXPECT_EQ(test, seen->n, n);
	KUNIT_EXPECT_EQ(test, seen->at, first);
	seen->events = 0;
}

static void traced_pushes(struct kunit *test, struct fixture *f, struct traced *seen)
{
	u64 recs[10] = {};
	void *slot;

	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, recs), 0);
	expect_traced(test, seen, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, 10), 10);
	expect_traced(test, seen, 1, 10);
	KUNIT_EXPECT_EQ(test, spscring_reserve(&f->p, &slot), 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_commit(&f->p);
	expect_traced(test, seen, 11, 1);
	KUNIT_EXPECT_EQ(test, spscring_reserve_n(&f->p, 2, &slot), 2);
	spscring_commit_n(&f->p, 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_commit_n(&f->p, 2);
	expect_traced(test, seen, 12, 2);
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, 0), 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
}

static void traced_pops(struct kunit *test, struct fixture *f, struct traced *seen)
{
	const void *rec;
	u64 recs[10];

	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), 0);
	expect_traced(test, seen, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, recs, 10), 10);
	expect_traced(test, seen, 1, 10);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_release(&f->c);
	expect_traced(test, seen, 11, 1);
	KUNIT_EXPECT_EQ(test, spscring_peek_n(&f->c, 2, &rec), 2);
	spscring_release_n(&f->c, 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_release_n(&f->c, 2);
	expect_traced(test, seen, 12, 2);
	KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, recs, 0), 0);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), -EAGAIN);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
}

/* A traced batch knows of all room as it begins: it goes a whole lap, back to its frame. */
static void traced_laps(struct kunit *test)
{
	static const u64 capacities[] = { 7, 14, 20, 21 };
	static struct traced push;	/* of no ring: the events are on, that is all */
	u64 recs[21] = {}, n;
	struct fixture *f;
	int i;

	KUNIT_ASSERT_EQ(test, register_trace_spscring_push(traced_records, &push), 0);
	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		f = make_pair(test, capacities[i], 8);
		for (n = 1; n <= capacities[i]; n++) {
			/* to a frame's end */
			while (f->p.base.pos % 7 || !f->p.base.pos) {
				push_u64(test, 0, 1);
				pop_u64(test, 0, 1);
			}
			KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, n), n);
			spscring_get_info(f->ring, &f->info);
			KUNIT_EXPECT_EQ_MSG(test, f->info.tail, f->p.base.pos, "%llu of %llu", n,
					    capacities[i]);
			KUNIT_EXPECT_EQ(test, f->info.length, n);
			KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, recs, n), n);
		}
	}
	unregister_trace_spscring_push(traced_records, &push);
	tracepoint_synchronize_unregister();
}

/* Every verb, by probes of our own on the tracepoints. */
static void traced(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct traced push = { .ring = f->ring, .p = &f->p };
	struct traced pop = { .ring = f->ring, .cursor = f->c.base.cursor };

	KUNIT_EXPECT_EQ(test, register_trace_spscring_push(traced_records, &push), 0);
	KUNIT_EXPECT_EQ(test, register_trace_spscring_pop(traced_records, &pop), 0);
	traced_pushes(test, f, &push);
	traced_pops(test, f, &pop);
	unregister_trace_spscring_pop(traced_records, &pop);
	unregister_trace_spscring_push(traced_records, &push);
	tracepoint_synchronize_unregister();
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE_PARAM(geometry_refused, bad_geometry_gen_params),
	KUNIT_CASE_PARAM(geometry_exact, size_gen_params),
	KUNIT_CASE(geometry_largest),
	KUNIT_CASE_PARAM(records_of_size, size_gen_params),
	KUNIT_CASE(batch_fixed),
	KUNIT_CASE(reserve_commit),
	KUNIT_CASE(peek_release),
	KUNIT_CASE(told_and_exact),
	KUNIT_CASE(cursor_order),
	KUNIT_CASE(near_the_wrap),
	KUNIT_CASE(counters),
	KUNIT_CASE(reserved_lines),
	KUNIT_CASE(stress),
	KUNIT_CASE_PARAM(peer_lies, lie_gen_params),
	KUNIT_CASE(claim_of_broken),
	KUNIT_CASE(traced),
	KUNIT_CASE(traced_laps),
	{}
};

static struct kunit_case kapi_test_cases[] = {
	KUNIT_CASE_PARAM(create_refused, bad_create_gen_params),
	KUNIT_CASE(claimed_once),
	KUNIT_CASE(claim_expects),
	KUNIT_CASE(producer_shut_down),
	KUNIT_CASE(consumer_shut_down),
	KUNIT_CASE(producer_destroyed),
	KUNIT_CASE(consumer_destroyed),
	KUNIT_CASE(peek_of_user),
	KUNIT_CASE(peek_of_nobody),
	KUNIT_CASE_PARAM(producer_mended, tear_gen_params),
	KUNIT_CASE(wild_tails_mended),
	KUNIT_CASE(wild_cursor_refused),
	KUNIT_CASE(consumer_mended),
	KUNIT_CASE(mapped_or_pinned),
	KUNIT_CASE(wait_lying_tail),
	KUNIT_CASE(wait_spin_adapts),
	KUNIT_CASE(wait_counts),
	KUNIT_CASE(wait_spins),
	KUNIT_CASE_PARAM(wait_full, record_mode_gen_params),
	KUNIT_CASE(wait_woken_early),
	KUNIT_CASE(wait_woken_together),
	KUNIT_CASE(export_fd),
	KUNIT_CASE(export_device),
	KUNIT_CASE(export_names),
	KUNIT_CASE(export_mode),
	KUNIT_CASE(export_gone),
	KUNIT_CASE_PARAM(reset_frames, reset_shape_gen_params),
	KUNIT_CASE(reset_refused),
	KUNIT_CASE(reset_of_the_killed),
	KUNIT_CASE(watch_refused),
	KUNIT_CASE(watch_order),
	KUNIT_CASE(watch_mends),
	KUNIT_CASE(sg_table),
	KUNIT_CASE(data_twice),
	KUNIT_CASE_PARAM(record_iter, record_mode_gen_params),
	KUNIT_CASE_PARAM(record_of_user, record_mode_gen_params),
	{}
};

static struct kunit_suite ring_test_suite = {
	.name = "spscring_ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_test_cases,
};

static struct kunit_suite kapi_test_suite = {
	.name = "spscring_kapi",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = kapi_test_cases,
};

kunit_test_suites(&ring_test_suite, &kapi_test_suite);

MODULE_DESCRIPTION("spscring: KUnit for the algorithm and the in-kernel API");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
