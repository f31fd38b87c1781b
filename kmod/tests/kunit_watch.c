// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the watch callbacks by which a driver learns of the users of its ring.
 */
#include <linux/fs.h>

#include "fixture.h"

/* The callbacks that a watch received. */
struct watched {
	struct spscring *ring;
	u32 role;
	int claimed, ended, broken;	/* calls of each */
	u32 how;			/* of the last ended */
	bool order;			/* claimed and ended alternate */
	int reset, nested;		/* errnos of a reset, and of an export, in a callback */
	int nested_watch;		/* errno of a watch of the other end in a callback */
	struct spscring_producer *p;	/* broken resets it, unless NULL */
};

static void watched_claimed(void *data)
{
	struct watched *w = data;

	w->order &= w->claimed == w->ended;
	w->claimed++;
	w->nested = PTR_ERR_OR_ZERO(spscring_export_file(w->ring, w->role));
	w->nested_watch = spscring_watch(w->ring, SPSCRING_PRODUCER, &(struct spscring_watch) {});
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
		w->reset = spscring_reset_producer(w->p);
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
	/* neither of these is the end that is watched */
	spscring_unwatch(w.ring, SPSCRING_PRODUCER);
	spscring_unwatch(w.ring, 3);
	KUNIT_EXPECT_EQ(test, watch(&w, 0), -EBUSY);
	spscring_unwatch(w.ring, SPSCRING_CONSUMER);
	KUNIT_EXPECT_EQ(test, watch(&w, 0), 0);
}

/* A watch gets claimed and ended in turn, and nothing after spscring_unwatch(). */
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
		KUNIT_EXPECT_EQ(test, w.nested_watch, -EDEADLK);
		KUNIT_EXPECT_EQ(test, spscring_export_fd(w.ring, w.role), -EBUSY);
		KUNIT_EXPECT_EQ(test, w.ended, i);
		put_now(file);
		KUNIT_EXPECT_EQ(test, w.ended, i + 1);
		KUNIT_EXPECT_EQ(test, w.how, SPSCRING_DEAD);
	}
	KUNIT_EXPECT_TRUE(test, w.order);
	KUNIT_EXPECT_EQ(test, w.broken, 0);

	/* users of the other end make no callback */
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

/* A claim of a broken ring succeeds if the broken callback resets the ring, and fails otherwise. */
static void watch_resets(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct watched w = { .ring = ring, .role = SPSCRING_CONSUMER, .reset = 1 };
	struct fixture *f = test->priv;
	struct file *file;

	KUNIT_ASSERT_EQ(test, spscring_claim_producer(ring, &f->p, 8, 0), 0);
	KUNIT_ASSERT_EQ(test, watch(&w, 0), 0);
	file = export_user(test, w.role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	/* an impossible cursor that nobody has read when the user lets go */
	f->c.base.block->cursor = 5;
	put_now(file);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_export_file(ring, w.role)), -EPIPE);
	KUNIT_EXPECT_EQ(test, w.broken, 1);
	w.p = &f->p;
	file = export_user(test, w.role);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_EXPECT_EQ(test, w.broken, 2);
	KUNIT_EXPECT_EQ(test, w.reset, 0);
	KUNIT_EXPECT_EQ(test, w.claimed, 2);
	push_u64(test, 0, 8);
	pop_u64(test, 0, 8);
	put_now(file);
}

static struct kunit_case watch_cases[] = {
	KUNIT_CASE(watch_refused),
	KUNIT_CASE(watch_order),
	KUNIT_CASE(watch_resets),
	{}
};

static struct kunit_suite watch_suite = {
	.name = "spscring_watch",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = watch_cases,
};

kunit_test_suite(watch_suite);
