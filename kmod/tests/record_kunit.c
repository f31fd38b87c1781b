// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: records of any size between two ends of kernel code, on rings of the
 * in-kernel API.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "spscring_kapi.h"
#include "spscring_record_peer.h"

struct record_fixture {
	struct spscring *ring;
	struct spscring_info info;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	struct record_mover put, take;
};

struct record_shape {
	u32 mode;		/* beside RECORDS */
	u32 align;
	u64 capacity;
	u32 most;
};

#define WAY_RECORDS	3000

static void mover_init(struct kunit *test, struct record_mover *m, u32 ways, u32 most)
{
	*m = (struct record_mover){ .ways = ways, .most = most };
	m->buf = kvmalloc(record_buf_size(m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->buf);
}

static struct record_fixture *make_records(struct kunit *test, const struct record_shape *shape)
{
	struct spscring_create want = {
		.capacity = shape->capacity, .record_align = shape->align,
		.flags = SPSCRING_CREATE_RECORDS | shape->mode, .name = "kunit",
	};
	struct record_fixture *f = test->priv;
	struct spscring *ring = spscring_create(&want);

	KUNIT_ASSERT_FALSE(test, IS_ERR(ring));
	f->ring = ring;
	mover_init(test, &f->put, RECORD_PRODUCER_WAYS, shape->most);
	mover_init(test, &f->take, RECORD_CONSUMER_WAYS, shape->most);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(ring, &f->p, 0), 0);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(ring, &f->c, 0), 0);
	spscring_get_info(ring, &f->info);
	return f;
}

static int record_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct record_fixture), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void record_exit(struct kunit *test)
{
	struct record_fixture *f = test->priv;

	if (!f)
		return;
	if (f->ring)
		spscring_destroy(f->ring);
	kvfree(f->put.buf);
	kvfree(f->take.buf);
}

static const struct record_shape shapes[] = {
	{ 0, 8, 16, 8 }, { 0, 8, 1000, 992 }, { 0, 8, 12296, 12288 }, { 0, 64, 64 * 37, 900 },
	{ 0, 512, 2560, 2552 }, { 0, 4096, 3 * 4096, 9000 },
	{ SPSCRING_CREATE_DROP, 8, 1000, 992 }, { SPSCRING_CREATE_DROP, 256, 4096, 4000 },
	{ SPSCRING_CREATE_OVERWRITE, 8, 1000, 992 }, { SPSCRING_CREATE_OVERWRITE, 8, 16, 8 },
	{ SPSCRING_CREATE_OVERWRITE, 128, 4096, 1000 },
};

static void shape_desc(const struct record_shape *shape, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %llu by %u",
		 shape->mode & SPSCRING_CREATE_DROP ? "drops" :
		 shape->mode & SPSCRING_CREATE_OVERWRITE ? "overwrites" : "waits",
		 shape->capacity, shape->align);
}

KUNIT_ARRAY_PARAM(shape, shapes, shape_desc);

/* In place at both ends, too: no user can write there. */
static void every_way(struct kunit *test)
{
	struct record_fixture *f = make_records(test, test->param_value);

	KUNIT_EXPECT_EQ(test, record_lockstep(&f->put, &f->p, &f->take, &f->c, WAY_RECORDS), 0);
	KUNIT_EXPECT_EQ(test, f->put.moved + f->put.missed, WAY_RECORDS);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.loss.sequence, WAY_RECORDS);
	KUNIT_EXPECT_EQ(test, f->info.loss.drops, f->put.missed);
	KUNIT_EXPECT_EQ(test, f->info.loss.overruns,
			f->info.geometry.flags & SPSCRING_CREATE_OVERWRITE ? f->take.missed : 0);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
}

/* Beside a user that could change what is looked at there is no peek. */
static void peek(struct kunit *test)
{
	const struct record_shape overwrites = { SPSCRING_CREATE_OVERWRITE, 8, 1000, 10 };
	struct record_fixture *f = make_records(test, &overwrites);
	struct spscring_record rec;

	KUNIT_EXPECT_EQ(test, spscring_record_push(&f->p, "a", 1), 0);
	KUNIT_EXPECT_EQ(test, spscring_record_peek(&f->c, &rec), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, spscring_record_peek_n(&f->c, &rec, 1), -EOPNOTSUPP);
}

static void peek_of_user(struct kunit *test)
{
	struct spscring_create want = { .capacity = 1000, .flags = SPSCRING_CREATE_RECORDS };
	struct record_fixture *f = test->priv;
	struct spscring_record rec;
	struct file *file;
	char byte;

	f->ring = spscring_create(&want);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	file = spscring_export_file(f->ring, SPSCRING_PRODUCER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->c, 0), 0);
	KUNIT_EXPECT_EQ(test, spscring_record_peek(&f->c, &rec), -EPERM);
	KUNIT_EXPECT_EQ(test, spscring_record_peek_n(&f->c, &rec, 1), -EPERM);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->c, &byte, 1), -EAGAIN);
	fput(file);
}

/* The data's mapping is twice as long, and the second half is the first. */
static void over_the_end(struct kunit *test)
{
	const struct record_shape shape = { 0, 8, PAGE_SIZE, PAGE_SIZE - 8 };
	struct record_fixture *f = make_records(test, &shape);
	const u32 length = PAGE_SIZE / 2 + 100;
	struct spscring_record rec;
	u32 i;

	for (i = 0; i < 20; i++) {
		record_fill(f->put.buf, length, i);
		KUNIT_ASSERT_EQ(test, spscring_record_push(&f->p, f->put.buf, length), 0);
		KUNIT_ASSERT_EQ(test, spscring_record_peek(&f->c, &rec), 0);
		KUNIT_EXPECT_EQ(test, rec.length, length);
		KUNIT_EXPECT_EQ(test, rec.sequence, i);
		KUNIT_EXPECT_EQ(test, memcmp(rec.data, f->put.buf, length), 0);
		spscring_record_release(&f->c, &rec);
	}
}

#define STREAM_RECORDS	500

struct record_stream {
	struct record_fixture *f;
	struct completion done;
};

static int stream_thread(void *data)
{
	struct record_stream *s = data;
	struct record_fixture *f = s->f;

	while (f->put.seq < STREAM_RECORDS) {
		if (record_put(&f->put, &f->p, STREAM_RECORDS - f->put.seq) >= 0)
			continue;
		spscring_record_wait_room(&f->p, record_need(&f->put, &f->p), -1);
	}
	spscring_record_shutdown_producer(&f->p);
	complete(&s->done);
	return 0;
}

/* Two threads, the one that has nothing to do asleep. */
static void two_threads(struct kunit *test)
{
	struct record_fixture *f = make_records(test, test->param_value);
	struct record_stream s = { .f = f };
	struct task_struct *thread;
	int err = 0;

	init_completion(&s.done);
	thread = kthread_run(stream_thread, &s, "spscring_record");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	while (!err || err == -EBUSY) {
		long some = record_take(&f->take, &f->c, RECORD_BATCH);

		err = some < 0 ? some : 0;
		if (err == -EAGAIN)
			err = spscring_record_wait_records(&f->c, 1, -1);
	}
	wait_for_completion(&s.done);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, err, -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, f->take.wrong + f->put.wrong, 0);
	KUNIT_EXPECT_EQ(test, f->put.moved + f->put.missed, STREAM_RECORDS);
	if (f->info.geometry.flags & SPSCRING_CREATE_OVERWRITE) {
		KUNIT_EXPECT_EQ(test, f->take.moved + f->take.missed, STREAM_RECORDS);
		KUNIT_EXPECT_EQ(test, f->info.loss.overruns, f->take.missed);
	} else {
		KUNIT_EXPECT_EQ(test, f->take.moved, f->put.moved);
		KUNIT_EXPECT_EQ(test, f->info.loss.drops, f->put.missed);
	}
}

static struct kunit_case record_test_cases[] = {
	KUNIT_CASE_PARAM(every_way, shape_gen_params),
	KUNIT_CASE(peek),
	KUNIT_CASE(peek_of_user),
	KUNIT_CASE(over_the_end),
	KUNIT_CASE_PARAM(two_threads, shape_gen_params),
	{}
};

static struct kunit_suite record_test_suite = {
	.name = "spscring_record",
	.init = record_init,
	.exit = record_exit,
	.test_cases = record_test_cases,
};

kunit_test_suite(record_test_suite);
