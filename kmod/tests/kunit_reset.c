// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: a driver resets its ring after a user has let go, whatever words the user left behind.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "fixture.h"

static const struct way *const way = &ways[ONE_BY_ONE];

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

/* The words that a user leaves behind; all but NONE break the ring, sooner or later. */
enum damage { NONE, CURSOR_AHEAD, CURSOR_WILD, HINT_WILD, SAID_SO, DAMAGES };

static void damage(struct fixture *f, u32 role, enum damage what)
{
	const struct spscring_geometry *g = &f->info.geometry;
	u64 wild = what == CURSOR_AHEAD ? 3 * g->capacity : 0x5555555555555555ULL, i;

	if (what == SAID_SO) {
		spscring_broken(f->ring, role);
	} else if (role == SPSCRING_CONSUMER) {
		if (what == HINT_WILD)
			f->c.base.block->published_head = f->p.base.pos + 3 * g->capacity;
		else if (what != NONE)
			f->c.base.block->cursor = f->p.base.pos + wild;
	} else if (what == HINT_WILD) {
		/* the consumer reads tails; only a claim reads a producer's cursor */
		f->p.base.block->cursor = f->c.base.pos + 3 * g->capacity;
	} else if (what != NONE) {
		f->p.base.block->cursor = f->c.base.pos + wild;
		for (i = 0; i < g->frames; i++)
			*(u64 *)(f->p.base.data + i * g->frame_size) = f->c.base.pos + wild;
	}
}

/* Either the driver's own end finds the damage, or the next user's claim does. */
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
	for (i = 0; i <= SPSCRING_REFRESH_EVERY + f->info.geometry.capacity && n >= -EAGAIN; i++) {
		n = role == SPSCRING_CONSUMER ? way->put(f, 0, 1) : way->take(f, 0, 1, &wrong);
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

static u64 frame_tail(struct fixture *f, u32 user, u32 frame)
{
	char *data = user == SPSCRING_CONSUMER ? f->p.base.data : f->c.base.data;

	return *(u64 *)(data + frame * f->info.geometry.frame_size);
}

/* Reset at any position in a frame, with any number of elements unread, after any damage. */
static void reset_round(struct kunit *test, u32 role, u32 round)
{
	struct fixture *f = test->priv;
	u64 capacity = f->info.geometry.capacity, drops;
	u64 in = round * 5 % (capacity + 1), out = round * 3 % (in + 1);
	enum damage what = round % DAMAGES;
	struct file *file = export_user(test, role);
	u32 wrong = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_EQ(test, way->put(f, 0, in), in);
	KUNIT_ASSERT_EQ(test, out ? way->take(f, 0, out, &wrong) : 0, out);
	KUNIT_EXPECT_EQ(test, reset_kernel_end(f, role), -EBUSY);
	damage(f, role, what);
	put_now(file);
	damage_found(test, role, what);

	drops = f->p.base.block->drops;
	KUNIT_ASSERT_EQ(test, reset_kernel_end(f, role), 0);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
	KUNIT_EXPECT_EQ(test, f->info.length, 0);
	KUNIT_EXPECT_EQ(test, f->info.head, f->info.tail);
	if (what == NONE && role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, f->info.loss.drops - drops, in - out);
	for (i = 0; i < f->info.geometry.frames; i++)
		KUNIT_EXPECT_LE(test, (s64)(frame_tail(f, role, i) - f->info.tail), 0);

	/* the driver can push before the next user claims the consumer's end */
	if (role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, way->put(f, 0, capacity + 1), capacity);
	file = export_user(test, role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	if (role == SPSCRING_CONSUMER)
		KUNIT_EXPECT_EQ(test, way->take(f, 0, capacity, &wrong), capacity);
	KUNIT_EXPECT_EQ(test, way->take(f, 0, 1, &wrong), -EAGAIN);
	fill_and_drain(test, way, 0);
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

/* A reset is refused while both ends are held, and after either has shut down. */
static void reset_refused(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);

	KUNIT_EXPECT_EQ(test, spscring_reset_producer(&f->p), -EBUSY);
	KUNIT_EXPECT_EQ(test, spscring_reset_consumer(&f->c), -EBUSY);
	spscring_shutdown_consumer(&f->c);
	KUNIT_EXPECT_EQ(test, spscring_reset_producer(&f->p), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, spscring_reset_consumer(&f->c), -ESHUTDOWN);
}

/* A killed user closes the file itself, so a driver may reset in a task with SIGKILL pending. */
static void reset_of_the_killed(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 1000, 8);
	struct fixture *f = test->priv;
	struct file *file;
	int claim, reset;

	KUNIT_ASSERT_EQ(test, spscring_claim_producer(ring, &f->p, 8, 0), 0);
	file = export_user(test, SPSCRING_CONSUMER);
	KUNIT_ASSERT_NOT_NULL(test, file);
	put_now(file);
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	reset = spscring_reset_producer(&f->p);
	claim = spscring_claim_consumer(ring, &f->c, 8, 0);
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, reset, 0);
	/* a claim in that task is refused */
	KUNIT_EXPECT_EQ(test, claim, -EINTR);
}

static struct kunit_case reset_cases[] = {
	KUNIT_CASE_PARAM(reset_frames, reset_shape_gen_params),
	KUNIT_CASE(reset_refused),
	KUNIT_CASE(reset_of_the_killed),
	{}
};

static struct kunit_suite reset_suite = {
	.name = "spscring_reset",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = reset_cases,
};

kunit_test_suite(reset_suite);
