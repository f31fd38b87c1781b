// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: records of variable size between two ends of kernel code.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "fixture.h"
#include "spscring_record_peer.h"

struct record_fixture {
	struct spscring *ring;
	struct spscring_info info;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	struct record_mover put, take;
};

struct record_shape {
	u32 mode;		/* SPSCRING_CREATE_*, with _RECORDS added */
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

static struct record_fixture *make_record_ring(struct kunit *test, const struct record_shape *shape)
{
	struct spscring_create want = {
		.capacity = shape->capacity, .align = shape->align,
		.flags = SPSCRING_CREATE_RECORDS | shape->mode, .name = "kunit",
	};
	struct record_fixture *f = test->priv;
	struct spscring *ring = spscring_create(&want);

	KUNIT_ASSERT_FALSE(test, IS_ERR(ring));
	f->ring = ring;
	mover_init(test, &f->put, RECORD_PRODUCER_WAYS, shape->most);
	mover_init(test, &f->take, RECORD_CONSUMER_WAYS, shape->most);
	spscring_get_info(ring, &f->info);
	return f;
}

static struct record_fixture *make_record_pair(struct kunit *test, const struct record_shape *shape)
{
	struct record_fixture *f = make_record_ring(test, shape);

	KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->p, 0), 0);
	KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->c, 0), 0);
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

/* Every function of the API, including peeks: both ends are the kernel's. */
static void every_way(struct kunit *test)
{
	struct record_fixture *f = make_record_pair(test, test->param_value);

	KUNIT_EXPECT_EQ(test, record_lockstep(&f->put, &f->p, &f->take, &f->c, WAY_RECORDS), 0);
	KUNIT_EXPECT_EQ(test, f->put.moved + f->put.missed, WAY_RECORDS);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.loss.sequence, WAY_RECORDS);
	KUNIT_EXPECT_EQ(test, f->info.loss.drops, f->put.missed);
	KUNIT_EXPECT_EQ(test, f->info.loss.overruns,
			f->info.geometry.flags & SPSCRING_CREATE_OVERWRITE ? f->take.missed : 0);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
}

/* A ring that overwrites has no peek: the producer may overwrite the record at any time. */
static void peek(struct kunit *test)
{
	const struct record_shape overwrites = { SPSCRING_CREATE_OVERWRITE, 8, 1000, 10 };
	struct record_fixture *f = make_record_pair(test, &overwrites);
	struct spscring_record rec;

	KUNIT_EXPECT_EQ(test, spscring_record_push(&f->p, "a", 1), 0);
	KUNIT_EXPECT_EQ(test, spscring_record_peek(&f->c, &rec), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, spscring_record_peek_n(&f->c, &rec, 1), -EOPNOTSUPP);
}

/* A peek is refused where the producer is a user, who may write the record meanwhile. */
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

/* Records that cross the end of the data are contiguous, as the data are mapped twice. */
static void over_the_end(struct kunit *test)
{
	const struct record_shape shape = { 0, 8, PAGE_SIZE, PAGE_SIZE - 8 };
	struct record_fixture *f = make_record_pair(test, &shape);
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

/* Records are shrunk that are not the last reserved: the bytes behind them are passed by. */
static void shrunk(struct kunit *test)
{
	static const u32 reserved[] = { 1000, 900, 800 }, kept[] = { 10, 0, 40 };
	const struct record_shape shape = { 0, 8, PAGE_SIZE, 1000 };
	struct record_fixture *f = make_record_pair(test, &shape);
	struct spscring_record rec;
	void *at[3];
	u32 i, n;

	for (i = 0; i < 20; i++) {
		for (n = 0; n < 3; n++) {
			KUNIT_ASSERT_EQ(test, spscring_record_reserve(&f->p, reserved[n], &at[n]),
					0);
			record_fill(at[n], kept[n], 3 * i + n);
		}
		for (n = 0; n < 3; n++)
			spscring_record_shrink(&f->p, at[n], kept[n]);
		spscring_record_commit_all(&f->p);
		for (n = 0; n < 3; n++) {
			KUNIT_ASSERT_EQ(test, spscring_record_peek(&f->c, &rec), 0);
			KUNIT_EXPECT_EQ(test, rec.length, kept[n]);
			record_fill(f->put.buf, kept[n], 3 * i + n);
			KUNIT_EXPECT_EQ(test, memcmp(rec.data, f->put.buf, kept[n]), 0);
			KUNIT_EXPECT_EQ(test, rec.sequence, 3 * i + n);
			spscring_record_release(&f->c, &rec);
		}
		KUNIT_EXPECT_EQ(test, spscring_record_peek(&f->c, &rec), -EAGAIN);
		KUNIT_EXPECT_EQ(test, f->c.base.pos, f->p.base.pos);
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

/* Two threads move records at once; each sleeps while the ring is full or empty for it. */
static void two_threads(struct kunit *test)
{
	struct record_fixture *f = make_record_pair(test, test->param_value);
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
			err = spscring_record_wait_bytes(&f->c, 1, -1);
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

/* ------------------------------------------------------------------ reset */

/* The words that a user leaves behind; all but NONE break the ring. */
enum damage { NONE, CURSOR_AHEAD, CURSOR_ODD, OLDEST_LATE, SAID_SO, DAMAGES };

/* Where the ring's pages begin, computed from the handle of the kernel's end. */
static void *reset_base(struct record_fixture *f, u32 user)
{
	const struct spscring_geometry *g = &f->info.geometry;

	if (user == SPSCRING_CONSUMER)
		return (void *)f->p.base.block - g->colour - g->producer_offset;
	return (void *)f->c.base.block - g->colour - g->consumer_offset;
}

static struct file *reset_user(struct kunit *test, u32 role)
{
	struct record_fixture *f = test->priv;
	struct file *file = spscring_export_file(f->ring, role);
	const struct spscring_geometry *g = &f->info.geometry;
	void *base = reset_base(f, role), *consumer = base + g->consumer_offset;
	void *info = base + g->info_offset, *data = base + g->data_offset;

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(file), 0);
	if (IS_ERR(file))
		return NULL;
	if (role == SPSCRING_CONSUMER) {
		KUNIT_EXPECT_EQ(test, spscring_record_consumer_init(&f->c, g, consumer, info,
								    data), 0);
		f->c.base.ring = f->ring;
	} else {
		KUNIT_EXPECT_EQ(test, spscring_record_producer_init(&f->p, g, consumer, info,
								    base + g->producer_offset,
								    data), 0);
		f->p.base.ring = f->ring;
	}
	f->put.seq = f->p.sequence;
	f->take.seq = f->c.sequence;
	return file;
}

static void damage(struct record_fixture *f, u32 role, enum damage what)
{
	const struct spscring_geometry *g = &f->info.geometry;
	u64 pos = role == SPSCRING_CONSUMER ? f->p.base.pos : f->c.base.pos, i;
	u64 *cursor = role == SPSCRING_CONSUMER ? &f->c.base.block->cursor :
		&f->p.base.block->cursor;

	switch (what) {
	case CURSOR_AHEAD:
		cursor[0] = pos + 3 * g->data_bytes;
		cursor[1] = S64_MAX;
		break;
	case CURSOR_ODD:
		cursor[0] = pos | 1;
		break;
	case OLDEST_LATE:
		cursor[0] = 1ULL << 63;
		f->p.base.block->oldest = S64_MAX & ~(g->stride - 1ULL);
		break;
	case SAID_SO:
		spscring_broken(f->ring, role);
		break;
	default:
		break;
	}
	if (what == NONE || role == SPSCRING_CONSUMER)
		return;
	/* fill the data with words of either lap; the next word's length breaks the ring */
	for (i = 0; i < g->data_bytes / 8; i++)
		((u64 *)(f->c.base.data + 8 - g->stride))[i] = record_pattern(what, i);
	*(u64 *)f->c.word = (u64)f->c.phase << 32 | U32_MAX;
}

static int reset_kernel_end(struct record_fixture *f, u32 user)
{
	return user == SPSCRING_CONSUMER ? spscring_record_reset_producer(&f->p) :
		spscring_record_reset_consumer(&f->c);
}

/* After a reset the ring is empty and moves records; the first has a sequence gap before it. */
static void reset_works(struct kunit *test)
{
	struct record_fixture *f = test->priv;
	u64 byte = 0x1234;

	KUNIT_EXPECT_EQ(test, record_take(&f->take, &f->c, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_record_push(&f->p, &byte, 1), 0);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->c, &byte, sizeof(byte)), 1);
	KUNIT_EXPECT_EQ(test, byte, 0x1234);
	KUNIT_EXPECT_EQ(test, spscring_record_sequence(&f->c), f->put.seq);
	f->put.seq++;
	f->take.seq = f->put.seq;
	f->put.moved = 0;
	f->take.moved = 0;
	f->take.wrong = 0;
	KUNIT_EXPECT_EQ(test, record_lockstep(&f->put, &f->p, &f->take, &f->c, 50), 0);
}

/*
 * Reset with any number of records unread, after any damage.  The ring works afterwards, and the
 * consumer finds the lost records as a gap in the sequence numbers.
 */
static void reset_round(struct kunit *test, u32 role, u32 round)
{
	struct record_fixture *f = test->priv;
	struct file *file = reset_user(test, role);
	enum damage what = round % DAMAGES;
	u64 drops, missed, unread;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, file);
	for (i = 0; i < round % 8; i++)
		record_put(&f->put, &f->p, RECORD_BATCH);
	for (i = 0; i < round % 5 && f->take.seq != f->put.seq; i++)
		record_take(&f->take, &f->c, RECORD_BATCH);
	KUNIT_EXPECT_EQ(test, reset_kernel_end(f, role), -EBUSY);
	unread = f->put.moved - f->take.moved;
	damage(f, role, what);
	put_now(file);
	if (what != NONE && role == SPSCRING_PRODUCER)
		record_take(&f->take, &f->c, 1);
	if (what != NONE)
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_export_file(f->ring, role)), -EPIPE);

	drops = f->p.base.block->drops;
	KUNIT_ASSERT_EQ(test, reset_kernel_end(f, role), 0);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
	KUNIT_EXPECT_EQ(test, f->info.length, 0);
	KUNIT_EXPECT_EQ(test, f->info.head, f->info.tail);
	drops = f->info.loss.drops - drops;

	missed = f->put.seq - f->take.seq;
	file = reset_user(test, role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	if (what == NONE) {
		KUNIT_EXPECT_EQ(test, f->put.seq - f->take.seq, missed);
		if (role == SPSCRING_CONSUMER && !(f->p.base.flags & SPSCRING_CREATE_OVERWRITE))
			KUNIT_EXPECT_EQ(test, drops, unread);
	}
	KUNIT_EXPECT_LE(test, f->put.seq - f->take.seq, SPSCRING_WORD_SEQUENCE_MASK);
	if (what == CURSOR_AHEAD)
		KUNIT_EXPECT_EQ(test, f->put.seq, f->take.seq);
	reset_works(test);
	put_now(file);
}

static void reset_records(struct kunit *test, u32 role)
{
	struct record_fixture *f = make_record_ring(test, test->param_value);
	u32 round;

	if (role == SPSCRING_CONSUMER)
		KUNIT_ASSERT_EQ(test, spscring_record_claim_producer(f->ring, &f->p, 0), 0);
	else
		KUNIT_ASSERT_EQ(test, spscring_record_claim_consumer(f->ring, &f->c, 0), 0);
	/* peeks are refused where a user may write the records */
	f->take.ways = RECORD_COPY_WAYS;
	for (round = 0; round < 12 * DAMAGES; round++)
		reset_round(test, role, round);
}

static void reset_producer(struct kunit *test)
{
	reset_records(test, SPSCRING_CONSUMER);
}

static void reset_consumer(struct kunit *test)
{
	reset_records(test, SPSCRING_PRODUCER);
}

static struct kunit_case record_test_cases[] = {
	KUNIT_CASE_PARAM(every_way, shape_gen_params),
	KUNIT_CASE(peek),
	KUNIT_CASE(peek_of_user),
	KUNIT_CASE(over_the_end),
	KUNIT_CASE(shrunk),
	KUNIT_CASE_PARAM(two_threads, shape_gen_params),
	KUNIT_CASE_PARAM(reset_producer, shape_gen_params),
	KUNIT_CASE_PARAM(reset_consumer, shape_gen_params),
	{}
};

static struct kunit_suite record_test_suite = {
	.name = "spscring_record",
	.init = record_init,
	.exit = record_exit,
	.test_cases = record_test_cases,
};

kunit_test_suite(record_test_suite);
