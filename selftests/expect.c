// SPDX-License-Identifier: GPL-2.0
/*
 * A ring's creator chooses its shape.  A process that claims an end, or makes a handle of one,
 * names the element size and the type tag that it expects; if the ring's differ, the call fails.
 */
#include <limits.h>

#include "record.h"

#define TAG	0x1234567890abcdefULL

/* Rings of both shapes, of two sizes and several tags. */
static const struct spscring_create rings[] = {
	{ .capacity = 16, .element_size = 8, .type_tag = TAG },
	{ .capacity = 16, .element_size = 512, .type_tag = TAG },
	{ .capacity = 16, .element_size = 8, .type_tag = TAG + 1 },
	{ .capacity = 4096, .flags = SPSCRING_CREATE_RECORDS, .type_tag = TAG },
	{ .capacity = 4096, .flags = SPSCRING_CREATE_RECORDS, .type_tag = 0 },
	{ .capacity = 4096, .flags = DROPS, .type_tag = TAG },
	{ .capacity = 4096, .flags = OVERWRITES, .type_tag = TAG },
};

static int make(const struct spscring_create *from)
{
	struct spscring_create want = *from;

	want.size = sizeof(want);
	return spscring_open(&want);
}

static bool fits(const struct spscring_create *ring, __u32 size, __u64 tag)
{
	return ring->element_size == size && ring->type_tag == tag;
}

/* Claim with every size and tag that a holder of one role could expect. */
static void expect_all(struct __test_metadata *_metadata, const struct spscring_create *want,
		       __u32 role)
{
	static const __u32 sizes[] = { SPSCRING_VARIABLE_SIZE, 1, 7, 8, 9, 512, UINT_MAX };
	static const __u64 tags[] = { 0, TAG, TAG + 1, ~0ULL };
	size_t k, t;
	int ring, end;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (t = 0; t < ARRAY_SIZE(tags); t++) {
			ring = make(want);
			ASSERT_GE(ring, 0);
			end = spscring_claim(ring, role, sizes[k], tags[t]);
			EXPECT_EQ(fits(want, sizes[k], tags[t]) ? 0 : -EPROTOTYPE,
				  end < 0 ? end : 0);
			close(ring);
			close_fd(&end);
		}
	}
}

TEST(claim)
{
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		expect_all(_metadata, &rings[i], SPSCRING_PRODUCER);
		expect_all(_metadata, &rings[i], SPSCRING_CONSUMER);
	}
}

/* The library checks as well when it maps an end that came by a socket or a driver's node. */
TEST(map)
{
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
	struct spscring_mapping map;
	struct spscring_producer p;
	struct spscring_consumer c;
	int ring, in, out, err;
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		ring = make(&rings[i]);
		ASSERT_GE(ring, 0);
		in = claim_end(ring, SPSCRING_PRODUCER, rings[i].type_tag);
		out = claim_end(ring, SPSCRING_CONSUMER, rings[i].type_tag);
		ASSERT_GE(in, 0);
		ASSERT_GE(out, 0);
		err = fits(&rings[i], 8, TAG) ? 0 : -EPROTOTYPE;
		EXPECT_EQ(err, spscring_map_producer(in, &p, 8, TAG, &map));
		if (!err)
			spscring_unmap(&map);
		EXPECT_EQ(err, spscring_map_consumer(out, &c, 8, TAG, &map));
		if (!err)
			spscring_unmap(&map);
		err = fits(&rings[i], SPSCRING_VARIABLE_SIZE, TAG) ? 0 : -EPROTOTYPE;
		EXPECT_EQ(err, spscring_record_map_producer(in, &rp, TAG, &map));
		if (!err)
			spscring_unmap(&map);
		EXPECT_EQ(err, spscring_record_map_consumer(out, &rc, TAG, &map));
		if (!err)
			spscring_unmap(&map);
		/* no element has that size */
		EXPECT_EQ(-EINVAL, spscring_map_producer(in, &p, SPSCRING_VARIABLE_SIZE,
							 rings[i].type_tag, &map));
		EXPECT_EQ(-EINVAL, spscring_map_consumer(out, &c, SPSCRING_VARIABLE_SIZE,
							 rings[i].type_tag, &map));
		close(in);
		close(out);
		close(ring);
	}
}

/* A handle that is refused leaves no mapping, which would keep the end alive. */
TEST(map_refused)
{
	struct spscring_producer p;
	int ring, in;

	SKIP_WITHOUT_DEVICE();
	ring = make(&rings[1]);
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(in, 0);
	EXPECT_EQ(-EPROTOTYPE, spscring_map_producer(in, &p, 8, TAG, NULL));
	close(in);
	EXPECT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	close(ring);
}

/* Kernel code that gets a ring's fd is refused if it expects another size or tag. */
TEST(kernel)
{
	struct spscring_record_run run = {
		.count = 1, .tries = 1,
		.mover = { .ways = RECORD_PUSH, .most = 8 },
	};
	int ring, peer;
	size_t i;

	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	peer = open(SPSCRING_RECORD_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		ring = make(&rings[i]);
		ASSERT_GE(ring, 0);
		run.ring_fd = ring;
		run.role = SPSCRING_PRODUCER;
		run.mover.ways = RECORD_PUSH;
		EXPECT_EQ(fits(&rings[i], SPSCRING_VARIABLE_SIZE, 0) ? 0 : -EPROTOTYPE,
			  do_ioctl(peer, SPSCRING_RECORD_RUN, &run));
		run.role = SPSCRING_CONSUMER;
		run.mover.ways = RECORD_POP;
		EXPECT_EQ(fits(&rings[i], SPSCRING_VARIABLE_SIZE, 0) ? 0 : -EPROTOTYPE,
			  do_ioctl(peer, SPSCRING_RECORD_RUN, &run));
		if (!fits(&rings[i], SPSCRING_VARIABLE_SIZE, 0)) {
			EXPECT_EQ(0, info_of(ring).producer_generation);
			EXPECT_EQ(0, info_of(ring).consumer_generation);
		}
		close(ring);
	}
	close(peer);
}

TEST_HARNESS_MAIN
