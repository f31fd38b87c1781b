// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: an end has one holder, who names the ring's element size and type tag; ends shut down
 * and are destroyed; and the kernel does not peek at elements that a user can write.
 */
#include "fixture.h"

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

/* A claim names the element size and type tag that its caller expects; both must be the ring's. */
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
			.capacity = rings[i].capacity, .element_size = rings[i].size,
			.flags = rings[i].flags, .type_tag = rings[i].tag,
		};
		bool ours = rings[i].tag == 7;
		int fixed = rings[i].size == 8 && ours ? 0 : -EPROTOTYPE;
		int variable = !rings[i].size && ours ? 0 : -EPROTOTYPE;

		f->ring = spscring_create(&want);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
		KUNIT_EXPECT_EQ(test, spscring_claim_producer(f->ring, &f->p, 8, 7), fixed);
		KUNIT_EXPECT_EQ(test, spscring_claim_consumer(f->ring, &f->c, 8, 7), fixed);
		KUNIT_EXPECT_EQ(test, spscring_record_claim_producer(f->ring, &f->rp, 7),
				variable);
		KUNIT_EXPECT_EQ(test, spscring_record_claim_consumer(f->ring, &f->rc, 7),
				variable);
		/* no element has a size of 0, not even in a ring of SPSCRING_VARIABLE_SIZE */
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

/* Another handle shuts an end down: this one finds out where it has to wait. */
static void shut_down_elsewhere(struct kunit *test)
{
	struct fixture *f = make_pair(test, 8, 8);
	struct spscring_producer p = f->p;
	struct spscring_consumer c;

	push_u64(test, 0, 8);
	spscring_shutdown_producer(&p);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -ESHUTDOWN);
	make_pair(test, 8, 8);
	c = f->c;
	spscring_shutdown_consumer(&c);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -ESHUTDOWN);
}

/* As shut_down_elsewhere(), in a ring of records of variable size. */
static void records_shut_down_elsewhere(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct spscring_record_consumer c;
	long err = -EAGAIN;
	int i;

	make_both_records(test, 64, 0);
	c = f->rc;
	spscring_record_shutdown_consumer(&c);
	for (i = 0; i < SPSCRING_REFRESH_EVERY && err == -EAGAIN; i++)
		err = spscring_record_pop(&f->rc, f->out, 64);
	KUNIT_EXPECT_EQ(test, err, -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, spscring_record_pop(&f->rc, f->out, 64), -ESHUTDOWN);
}

/* A driver destroys its ring: the user's pops get what is left, then -EPIPE. */
static void producer_destroyed(struct kunit *test)
{
	struct file *file = make_user_pair(test, 8, 8, SPSCRING_CONSUMER);
	struct fixture *f = test->priv;

	push_u64(test, 0, 5);
	spscring_destroy(f->ring);
	f->ring = NULL;
	pop_u64(test, 0, 5);
	KUNIT_EXPECT_EQ(test, pop_verdict(f), -EPIPE);
	put_now(file);
}

/* A driver destroys its ring: the user's pushes get -EPIPE once the ring is full. */
static void consumer_destroyed(struct kunit *test)
{
	struct file *file = make_user_pair(test, 8, 8, SPSCRING_PRODUCER);
	struct fixture *f = test->priv;

	spscring_destroy(f->ring);
	f->ring = NULL;
	push_u64(test, 0, 8);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EPIPE);
	put_now(file);
}

/* A peek is refused where the producer is a user, who may write the element meanwhile. */
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
	/* the kernel holds the end, but the consumer's handle was made while a user did */
	KUNIT_ASSERT_EQ(test, claim_producer(f, &f->p), 0);
	push_u64(test, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EPERM);
}

/* A peek is refused where the producer's end is unclaimed: a user may claim it. */
static void peek_of_nobody(struct kunit *test)
{
	struct fixture *f = test->priv;
	const void *rec;

	make_ring(test, 8, 8);
	KUNIT_ASSERT_EQ(test, claim_consumer(f, &f->c), 0);
	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EPERM);
}

static struct kunit_case ends_cases[] = {
	KUNIT_CASE(claimed_once),
	KUNIT_CASE(claim_expects),
	KUNIT_CASE(producer_shut_down),
	KUNIT_CASE(consumer_shut_down),
	KUNIT_CASE(shut_down_elsewhere),
	KUNIT_CASE(records_shut_down_elsewhere),
	KUNIT_CASE(producer_destroyed),
	KUNIT_CASE(consumer_destroyed),
	KUNIT_CASE(peek_of_user),
	KUNIT_CASE(peek_of_nobody),
	{}
};

static struct kunit_suite ends_suite = {
	.name = "spscring_ends",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = ends_cases,
};

kunit_test_suite(ends_suite);
