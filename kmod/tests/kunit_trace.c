// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the tracepoints of push and pop, received by probes of this suite.
 */
#include "fixture.h"
#include "trace.h"

/* The number of events since the last expect_traced(), and the last event. */
struct traced {
	const struct spscring *ring;
	const struct spscring_producer *p;	/* for pushes; NULL for pops */
	const u64 *cursor;	/* for pops: the consumer's */
	int events;
	u64 first;
	u32 n;
	u64 at;			/* the end's position during the event */
};

static void traced_records(void *data, const struct spscring *ring, u64 first, u32 n)
{
	struct traced *seen = data;

	if (ring != seen->ring)
		return;
	seen->events++;
	seen->first = first;
	seen->n = n;
	/* a producer's cursor lags; its exact position is in its handle */
	seen->at = seen->p ? seen->p->base.pos : READ_ONCE(*seen->cursor);
}

/* There was exactly one event, and it came before the end moved. */
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

/* A traced batch as long as the ring goes a whole lap, back to the frame that it began in. */
static void traced_laps(struct kunit *test)
{
	static const u64 capacities[] = { 7, 14, 20, 21 };
	static struct traced push;	/* no ring: the probe only turns the tracepoint on */
	u64 recs[21] = {}, n;
	struct fixture *f;
	int i;

	KUNIT_ASSERT_EQ(test, register_trace_spscring_push(traced_records, &push), 0);
	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		f = make_pair(test, capacities[i], 8);
		for (n = 1; n <= capacities[i]; n++) {
			/* go on to a frame's end */
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

/* Each call that pushes or pops makes one event; a call that moves nothing makes none. */
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

static struct kunit_case trace_cases[] = {
	KUNIT_CASE(traced),
	KUNIT_CASE(traced_laps),
	{}
};

static struct kunit_suite trace_suite = {
	.name = "spscring_trace",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);
