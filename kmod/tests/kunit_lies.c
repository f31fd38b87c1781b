// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: a peer writes a false value into a shared word.  An end finds the ring broken if the
 * value is impossible, and ignores or believes it otherwise.
 */
#include "fixture.h"
#include "kunit_record_modes.h"

enum end { PRODUCER, CONSUMER };

/* One false value.  The victim is the producer of a full ring, or the consumer of an empty one. */
struct lie {
	const char *name;
	enum end victim;
	enum { CURSOR, HEAD, TAIL } word;
	s64 offset;		/* from the victim's position */
	int verdict;
};

static const struct lie lies[] = {
	{ "published head = pos + 1", PRODUCER, HEAD, 1, -EPIPE },
	{ "published head = pos + capacity", PRODUCER, HEAD, 64, -EPIPE },
	{ "published head = pos: room for all", PRODUCER, HEAD, 0, 0 },
	{ "published head = pos - capacity: full", PRODUCER, HEAD, -64, -EAGAIN },
	{ "published head = pos - capacity - 1: stale", PRODUCER, HEAD, -65, -EAGAIN },
	{ "published head = -1: stale", PRODUCER, HEAD, -129, -EAGAIN },
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
	{ "cursor = pos + 1000: not read", CONSUMER, CURSOR, 1000, -EAGAIN },
};

static void lie_desc(const struct lie *lie, char *desc)
{
	strscpy(desc, lie->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lie, lies, lie_desc);

static u64 *lie_word(struct fixture *f, const struct lie *lie)
{
	if (lie->word == TAIL)
		return f->p.frame.tail;
	if (lie->victim == CONSUMER)
		return &f->p.base.block->cursor;
	return lie->word == HEAD ? &f->c.base.block->published_head : &f->c.base.block->cursor;
}

static void peer_lies(struct kunit *test)
{
	const struct lie *lie = test->param_value;
	struct fixture *f = make_pair(test, 64, 8);
	bool broken = lie->verdict == -EPIPE;
	struct spscring_producer p;
	u64 pos, v;

	/* push two laps, so that the frames have stale tails of the lap before */
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

	/* the ring is broken for good, although the word is right again */
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

static void expect_broken(struct kunit *test)
{
	struct fixture *f = test->priv;

	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 1);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 100), -EPIPE);
	KUNIT_EXPECT_EQ(test, spscring_record_wait_bytes(&f->rc, 1, 1), -EPIPE);
}

/* The cursor says that there is a record, its word says no: a wait would return for nothing. */
static void cursor_without_word(struct kunit *test)
{
	struct file *file = make_user_records(test, 8000, *(const u32 *)test->param_value);
	struct fixture *f = test->priv;

	WRITE_ONCE(*f->rp.base.cursor, 64);
	KUNIT_EXPECT_EQ(test, spscring_record_wait_bytes(&f->rc, 1, 1), -EPIPE);
	expect_broken(test);
	put_now(file);
}

/* The next word is neither 0 nor of a record in any lap. */
static void word_without_record(struct kunit *test)
{
	struct file *file = make_user_records(test, 8000, *(const u32 *)test->param_value);
	struct fixture *f = test->priv;

	WRITE_ONCE(*(u64 *)f->rp.word, 8);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 100), -EPIPE);
	expect_broken(test);
	put_now(file);
}

static struct kunit_case lies_cases[] = {
	KUNIT_CASE_PARAM(peer_lies, lie_gen_params),
	KUNIT_CASE_PARAM(cursor_without_word, record_mode_gen_params),
	KUNIT_CASE_PARAM(word_without_record, record_mode_gen_params),
	KUNIT_CASE(claim_of_broken),
	{}
};

static struct kunit_suite lies_suite = {
	.name = "spscring_lies",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = lies_cases,
};

kunit_test_suite(lies_suite);
