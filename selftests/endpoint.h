/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of CAPACITY elements and both its ends.  A test can claim an end, map it, and have it die.
 */
#ifndef _SPSCRING_SELFTEST_ENDPOINT_H
#define _SPSCRING_SELFTEST_ENDPOINT_H

#include "selftest.h"

#define TAG		0xfeedULL
#define CAPACITY	64

FIXTURE(endpoint)
{
	int ring, producer, consumer;
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
};

FIXTURE_SETUP(endpoint)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = CAPACITY, .element_size = 8, .type_tag = TAG));
	ASSERT_GE(self->ring, 0);
	self->producer = -1;
	self->consumer = -1;
}

FIXTURE_TEARDOWN(endpoint)
{
	close_ends(&self->ring, &self->producer, &self->consumer);
}

#define endpoint_t	FIXTURE_DATA(endpoint)

static inline void producer_up(struct __test_metadata *_metadata, endpoint_t *self)
{
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	ASSERT_EQ(0, map_producer(self->producer, &self->p, &self->p_map));
}

static inline void consumer_up(struct __test_metadata *_metadata, endpoint_t *self)
{
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, TAG);
	ASSERT_GE(self->consumer, 0);
	ASSERT_EQ(0, map_consumer(self->consumer, &self->c, &self->c_map));
}

/* An end dies when its last fd and mapping go without a SHUTDOWN. */
static inline void producer_dies(struct __test_metadata *_metadata, endpoint_t *self)
{
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

static inline void consumer_dies(struct __test_metadata *_metadata, endpoint_t *self)
{
	spscring_unmap(&self->c_map);
	close_fd(&self->consumer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
}

/* Push @n numbers from @first on. */
static inline void push_from(struct __test_metadata *_metadata, endpoint_t *self, __u64 first,
			     int n)
{
	for (; n; n--, first++) {
		ASSERT_EQ(0, spscring_push(&self->p, &first))
			TH_LOG("element %ju", (uintmax_t)first);
	}
}

/* Pop @n numbers and check that they count up from @first. */
static inline void pop_from(struct __test_metadata *_metadata, endpoint_t *self, __u64 first,
			    int n)
{
	__u64 v;

	for (; n; n--, first++) {
		ASSERT_EQ(0, pop_answer(&self->c, &v))
			TH_LOG("element %ju", (uintmax_t)first);
		ASSERT_EQ(first, v);
	}
}

/* The errno of a pop from an empty ring. */
static inline int pop_end(endpoint_t *self)
{
	__u64 v;

	return pop_answer(&self->c, &v);
}

#endif
