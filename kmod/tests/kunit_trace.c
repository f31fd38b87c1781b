// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the tracepoints of push and pop, received by probes of this suite.
 */
#include <linux/uio.h>

#include "fixture.h"
#include "kunit_record_modes.h"
#include "trace.h"

/* The number of events since the last expect_traced(), and the last event. */
struct traced {
	const struct spscring *ring;
	const u64 *position;	/* in the producer's handle, as its cursor lags; or the cursor */
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
	seen->at = READ_ONCE(*seen->position);
}

/* There were @events, the last one of @n from @first on. */
static void expect_events(struct kunit *test, struct traced *seen, int events, u64 first, u32 n)
{
	KUNIT_EXPECT_EQ(test, seen->events, events);
	KUNIT_EXPECT_EQ(test, seen->first, first);
	KUNIT_EXPECT_EQ(test, seen->n, n);
	seen->events = 0;
}

/* There was exactly one event, and it came before the end moved. */
static void expect_traced(struct kunit *test, struct traced *seen, u64 first, u32 n)
{
	expect_events(test, seen, 1, first, n);
	KUNIT_EXPECT_EQ(test, seen->at, first);
}

/* An iterator over @bytes at @at, to push from or to pop to. */
static struct iov_iter iter_of(struct kvec *part, bool from, void *at, size_t bytes)
{
	struct iov_iter iter;

	*part = (struct kvec){ at, bytes };
	iov_iter_kvec(&iter, from ? ITER_SOURCE : ITER_DEST, part, 1, bytes);
	return iter;
}

static void traced_pushes(struct kunit *test, struct fixture *f, struct traced *seen)
{
	u64 recs[10] = {};
	struct iov_iter iter;
	struct kvec part;
	void *slot;

	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, recs), 0);
	expect_traced(test, seen, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, 10), 10);
	expect_traced(test, seen, 1, 10);
	KUNIT_EXPECT_EQ(test, spscring_reserve(&f->p, &slot), 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_commit(&f->p);
	expect_traced(test, seen, 11, 1);
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, recs), 0);
	expect_traced(test, seen, 12, 1);
	KUNIT_EXPECT_EQ(test, spscring_reserve_n(&f->p, 2, &slot), 1);	/* to the frame's end */
	spscring_commit_n(&f->p, 1);
	expect_traced(test, seen, 13, 1);
	KUNIT_EXPECT_EQ(test, spscring_reserve_n(&f->p, 3, &slot), 3);
	spscring_commit_n(&f->p, 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_commit_n(&f->p, 2);
	expect_traced(test, seen, 14, 2);
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, recs), 0);
	expect_traced(test, seen, 16, 1);
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, 2), 2);
	expect_traced(test, seen, 17, 2);
	KUNIT_EXPECT_EQ(test, spscring_push(&f->p, recs), 0);
	expect_traced(test, seen, 19, 1);
	KUNIT_EXPECT_EQ(test, spscring_reserve(&f->p, &slot), 0);
	spscring_commit_flags(&f->p, 1, SPSCRING_NOWAKE);
	expect_traced(test, seen, 20, 1);
	iter = iter_of(&part, true, recs, 3 * sizeof(*recs));
	KUNIT_EXPECT_EQ(test, spscring_push_iter(&f->p, &iter, 3), 3);
	expect_traced(test, seen, 21, 3);
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, recs, 0), 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
}

static void traced_pops(struct kunit *test, struct fixture *f, struct traced *seen)
{
	struct iov_iter iter;
	struct kvec part;
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
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), 0);
	expect_traced(test, seen, 12, 1);
	KUNIT_EXPECT_EQ(test, spscring_peek_n(&f->c, 3, &rec), 1);	/* to the frame's end */
	spscring_release_n(&f->c, 1);
	expect_traced(test, seen, 13, 1);
	KUNIT_EXPECT_EQ(test, spscring_peek_n(&f->c, 3, &rec), 3);
	spscring_release_n(&f->c, 0);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_release_n(&f->c, 2);
	expect_traced(test, seen, 14, 2);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), 0);
	expect_traced(test, seen, 16, 1);
	KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, recs, 2), 2);
	expect_traced(test, seen, 17, 2);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), 0);
	expect_traced(test, seen, 19, 1);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, recs), 0);
	expect_traced(test, seen, 20, 1);
	iter = iter_of(&part, false, recs, 3 * sizeof(*recs));
	KUNIT_EXPECT_EQ(test, spscring_pop_iter(&f->c, &iter, 3), 3);
	expect_traced(test, seen, 21, 3);
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
	struct traced push = { .ring = f->ring, .position = &f->p.base.pos };
	struct traced pop = { .ring = f->ring, .position = f->c.base.cursor };

	KUNIT_EXPECT_EQ(test, register_trace_spscring_push(traced_records, &push), 0);
	KUNIT_EXPECT_EQ(test, register_trace_spscring_pop(traced_records, &pop), 0);
	traced_pushes(test, f, &push);
	traced_pops(test, f, &pop);
	unregister_trace_spscring_pop(traced_records, &pop);
	unregister_trace_spscring_push(traced_records, &push);
	tracepoint_synchronize_unregister();
}

/* Push records of 100 bytes in every way.  With its word each uses 112 of the ring. */
static void traced_record_pushes(struct kunit *test, struct fixture *f, struct traced *seen)
{
	struct spscring_record recs[2] = {
		{ .data = f->in, .length = 100 }, { .data = f->in, .length = 100 },
	};
	u64 at = f->rp.base.pos;
	struct iov_iter iter;
	struct kvec part;
	void *rec[3];
	int i;

	KUNIT_EXPECT_EQ(test, spscring_record_push(&f->rp, f->in, 100), 0);
	expect_traced(test, seen, at, 112);
	KUNIT_EXPECT_EQ(test, spscring_record_push_n(&f->rp, recs, 2), 2);
	expect_events(test, seen, 2, at + 224, 112);
	KUNIT_EXPECT_EQ(test, seen->at, at + 224);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, spscring_record_reserve(&f->rp, 100, &rec[i]), 0);
	spscring_record_discard(&f->rp, rec[2]);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	spscring_record_commit_all(&f->rp);
	expect_traced(test, seen, at + 336, 224);
	iter = iter_of(&part, true, f->in, 100);
	KUNIT_EXPECT_EQ(test, spscring_record_push_iter(&f->rp, &iter, 100), 0);
	expect_traced(test, seen, at + 560, 112);
	KUNIT_EXPECT_EQ(test, spscring_record_push(&f->rp, f->in, 5000), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
}

/* Pop or release the six.  What moves nothing, as a peek does, is no event. */
static void traced_record_pops(struct kunit *test, struct fixture *f, struct traced *seen)
{
	bool copies = f->rc.base.flags & SPSCRING_CREATE_OVERWRITE;
	struct spscring_record recs[2] = {
		{ .data = f->out, .length = 100 }, { .data = f->out + 100, .length = 100 },
	};
	u64 at = f->rc.base.pos;
	struct spscring_record rec;
	struct iov_iter iter;
	struct kvec part;
	int n;

	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 99), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 100), 100);
	expect_traced(test, seen, at, 112);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_n(&f->rc, recs, 2), 2);
	expect_events(test, seen, 2, at + 224, 112);
	if (copies) {
		KUNIT_EXPECT_EQ(test, spscring_record_pop_n(&f->rc, recs, 2), 2);
		expect_events(test, seen, 2, at + 448, 112);
	} else {
		KUNIT_ASSERT_EQ(test, spscring_record_peek(&f->rc, &rec), 0);
		KUNIT_ASSERT_EQ(test, spscring_record_peek(&f->rc, &rec), 0);
		KUNIT_EXPECT_EQ(test, seen->events, 0);
		spscring_record_release(&f->rc, &rec);
		expect_traced(test, seen, at + 336, 112);
		n = spscring_record_peek_n(&f->rc, recs, 2);
		KUNIT_ASSERT_EQ(test, n, 1);
		KUNIT_EXPECT_EQ(test, seen->events, 0);
		spscring_record_release_n(&f->rc, recs, n);
		expect_traced(test, seen, at + 448, 112);
	}
	iter = iter_of(&part, false, f->out, 100);
	KUNIT_EXPECT_EQ(test, spscring_record_pop_iter(&f->rc, &iter), 100);
	expect_traced(test, seen, at + 560, 112);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 100), -EAGAIN);
	KUNIT_EXPECT_EQ(test, seen->events, 0);
}

/* As traced(), in a ring of records of variable size, and over the ends of laps. */
static void traced_variable(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct traced push, pop;
	int i;

	make_both_records(test, PAGE_SIZE, *(const u32 *)test->param_value);
	push = (struct traced){ .ring = f->ring, .position = &f->rp.base.pos };
	pop = (struct traced){ .ring = f->ring, .position = f->rc.base.cursor };
	KUNIT_EXPECT_EQ(test, register_trace_spscring_push(traced_records, &push), 0);
	KUNIT_EXPECT_EQ(test, register_trace_spscring_pop(traced_records, &pop), 0);
	for (i = 0; i < 20; i++) {
		traced_record_pushes(test, f, &push);
		traced_record_pops(test, f, &pop);
	}
	unregister_trace_spscring_pop(traced_records, &pop);
	unregister_trace_spscring_push(traced_records, &push);
	tracepoint_synchronize_unregister();
}

static struct kunit_case trace_cases[] = {
	KUNIT_CASE(traced),
	KUNIT_CASE(traced_laps),
	KUNIT_CASE_PARAM(traced_variable, record_mode_gen_params),
	{}
};

static struct kunit_suite trace_suite = {
	.name = "spscring_trace",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);
