// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: a claim recovers an end after its holder's death.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "fixture.h"
#include "ring.h"
#include "trace.h"

/*
 * A producer that was killed between two stores: after @before elements that were popped, it
 * published @whole elements, and then stored the tails of @torn more, but not its cursor.  The
 * consumer popped @taken of @whole + @torn.
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
	{ "a frame larger than the capacity", 3, 50, 1, 2, 1 },
};

static void tear_desc(const struct tear *tear, char *desc)
{
	strscpy(desc, tear->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tear, tears, tear_desc);

/* Push as spscring_push_n() does, but without its last store, that of the cursor. */
static void push_torn(struct fixture *f, u64 value)
{
	struct spscring_producer *p = &f->p;
	void *slot;

	if (p->base.pos == p->base.run_end &&
	    p->base.cached_limit - p->base.pos >= p->frame_elements &&
	    spscring_at_frame_end(p, &p->frame, p->base.pos)) {
		p->frame = spscring_frame_after(p, &p->frame, p->base.pos);
		p->base.run_end = p->base.pos + p->frame_elements;
	}
	if (spscring_reserve(p, &slot))
		return;
	*(u64 *)slot = value;
	spscring_store_tail(p, p->base.pos + 1);
}

static void producer_recovered(struct kunit *test)
{
	const struct tear *t = test->param_value;
	struct file *file = make_user_pair(test, t->capacity, 8, SPSCRING_PRODUCER);
	u64 i, all = t->whole + t->torn, v = 0;
	struct fixture *f = test->priv;
	void *slot;

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

	/* every element whose tail was stored is there once; the next producer goes on there */
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	spscring_get_info(f->ring, &f->info);
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

/* A claim ignores tails that no producer following the protocol can leave, and repairs them. */
static void wild_tails_repaired(struct kunit *test)
{
	struct file *file = make_user_pair(test, 64, 8, SPSCRING_PRODUCER);
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;
	u64 i, v;

	push_u64(test, 0, 10);
	/* spoil all frames after that of elements 7 to 13, which holds the last element */
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

/* An impossible cursor breaks the ring. */
static void wild_cursor_refused(struct kunit *test)
{
	static const struct { u64 tail, head; } wild[] = {
		{ 10 + 65, 10 }, { 1ULL << 63, 10 }, { -66ULL, 10 }, { -2ULL, -15ULL },
	};
	struct fixture *f = test->priv;
	struct file *file;
	int i;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		file = make_user_pair(test, 64, 8, SPSCRING_PRODUCER);
		push_u64(test, 0, 10);
		pop_u64(test, 0, 10);
		f->p.base.block->cursor = wild[i].tail;
		f->c.base.block->cursor = wild[i].head;
		put_now(file);
		KUNIT_EXPECT_EQ(test, claim_producer(f, &f->p), -EPIPE);
		spscring_get_info(f->ring, &f->info);
		KUNIT_EXPECT_EQ(test, f->info.broken, 1);
	}
}

/* The next consumer gets the elements that a dead one had not released. */
static void consumer_recovered(struct kunit *test)
{
	struct file *file = make_user_pair(test, 64, 8, SPSCRING_CONSUMER);
	struct fixture *f = test->priv;
	const void *rec;

	push_u64(test, 0, 64);
	pop_u64(test, 0, 13);
	KUNIT_ASSERT_EQ(test, spscring_peek(&f->c, &rec), 0);
	KUNIT_EXPECT_NE(test, f->c.base.block->published_head, 13);
	put_now(file);
	KUNIT_EXPECT_EQ(test, push_verdict(f), 0);

	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	KUNIT_EXPECT_EQ(test, f->c.base.block->published_head, 13);
	pop_u64(test, 13, 51);
}

/* A live producer pushes while a claim of the consumer's end reads the producer's position. */
struct passing {
	struct fixture *f;
	u32 looks;		/* how often the claim has read the cursor */
	u32 first;		/* elements pushed after the claim's first read */
};

/* More elements than the ring has room for. */
#define PASSING_MOST	100

/* The claim has loaded the producer's cursor, but none of the tails yet. */
static void pass_by(void *data, const struct spscring *ring, u64 head, u64 tail)
{
	struct passing *pass = data;
	u64 v = 0;
	u32 n;

	if (ring != pass->f->ring)
		return;
	n = pass->looks++ ? PASSING_MOST : pass->first;
	while (n-- && !spscring_push(&pass->f->p, &v))
		;
}

/* A producer publishes 20 elements of a batch; a consumer pops 15 of them, and dies. */
static void pass_begin(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 64, 8);
	struct fixture *f = test->priv;
	struct file *file;
	int i;

	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	file = spscring_export_file(ring, SPSCRING_CONSUMER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	user_consumer(f);
	for (i = 0; i < 20; i++)
		push_torn(f, i);
	pop_u64(test, 0, 15);
	put_now(file);
}

/*
 * The producer pushes any number of elements during the claim's first read of its position, and
 * fills the ring during the second: the claim finds a valid position by then.
 */
static void consumer_recovered_meanwhile(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct passing pass = { .f = f };
	u32 twice = 0;
	int err;

	for (pass.first = 0; pass.first < PASSING_MOST; pass.first += 7) {
		pass_begin(test);
		pass.looks = 0;
		KUNIT_ASSERT_EQ(test, register_trace_spscring_recover(pass_by, &pass), 0);
		err = claim_consumer(f, &f->c);
		unregister_trace_spscring_recover(pass_by, &pass);
		tracepoint_synchronize_unregister();
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "%u pushed in the first read, %u reads",
				    pass.first, pass.looks);
		twice += pass.looks == 2;
	}
	/* some claims needed a second read, or this has tested nothing */
	KUNIT_EXPECT_GT(test, twice, 0);
}

/*
 * A claim checks each chunk of the data for pins under the folio lock.  It is refused while the
 * lock is held elsewhere, and while the chunk has a reference that belongs to no mapping.
 */
static void mapped_or_pinned(struct kunit *test)
{
	struct file *file = make_user_pair(test, 4096, 8, SPSCRING_PRODUCER);
	struct fixture *f = test->priv;
	struct page *page = f->ring->pages[RING_PAGE_DATA];

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

static struct kunit_case recover_cases[] = {
	KUNIT_CASE_PARAM(producer_recovered, tear_gen_params),
	KUNIT_CASE(wild_tails_repaired),
	KUNIT_CASE(wild_cursor_refused),
	KUNIT_CASE(consumer_recovered),
	KUNIT_CASE(consumer_recovered_meanwhile),
	KUNIT_CASE(mapped_or_pinned),
	{}
};

static struct kunit_suite recover_suite = {
	.name = "spscring_recover",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = recover_cases,
};

kunit_test_suite(recover_suite);
