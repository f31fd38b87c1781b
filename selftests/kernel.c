// SPDX-License-Identifier: GPL-2.0
/*
 * Elements move between a process and a kernel end, in both directions; and STOP ends a kernel end
 * that sleeps.
 */
#include "mover.h"

FIXTURE(kernel)
{
	int ring, peer;
};

FIXTURE_VARIANT(kernel)
{
	__u32 size, batch;
	__u64 capacity;
	enum way way;
};

FIXTURE_VARIANT_ADD(kernel, u64) { 8, 1, 4096, ONE_BY_ONE };
FIXTURE_VARIANT_ADD(kernel, u64_batches) { 8, 64, 4096, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, u64_in_place) { 8, 13, 1000, IN_PLACE };
FIXTURE_VARIANT_ADD(kernel, one_byte) { 1, 5, 777, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, odd_bytes) { 57, 7, 100, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, line) { 64, 1, 256, IN_PLACE };
FIXTURE_VARIANT_ADD(kernel, page) { 4096, 3, 64, ONE_BY_ONE };
FIXTURE_VARIANT_ADD(kernel, largest) { 65536, 2, 10, IN_BATCHES };

FIXTURE_SETUP(kernel)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_PEER();
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
	self->ring = spscring_open(RING(.capacity = variant->capacity,
					.element_size = variant->size));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(kernel)
{
	close_fd(&self->peer);
	close_fd(&self->ring);
}

/* The sum of all elements of a run, each a number cut to its size. */
static __u64 checksum(__u32 size, __u64 n)
{
	__u64 mask = size < 8 ? (1ULL << size * 8) - 1 : ~0ULL, sum = 0, seq;

	for (seq = 0; seq < n; seq++)
		sum += seq & mask;
	return sum;
}

static int peer_start(int peer, __u32 op, int ring, __u32 batch, __u64 count)
{
	struct spscring_peer_start start = {
		.op = op, .flags = SPSCRING_PEER_SHUTDOWN, .ring_fd = ring,
		.cpu = -1, .batch = batch, .count = count,
	};

	return do_ioctl(peer, SPSCRING_PEER_START, &start);
}

/* The kernel pushes, and shuts its end down after the last element. */
TEST_F(kernel, to_user)
{
	__u64 n = messages_of(variant->size, ~0ULL);
	struct spscring_peer_result result = {};
	int end = claim_end(self->ring, SPSCRING_CONSUMER, 0);

	ASSERT_GE(end, 0);
	ASSERT_EQ(0, peer_start(self->peer, SPSCRING_PEER_SOURCE, self->ring, variant->batch, n));
	EXPECT_EQ(WELL, consume(end, variant->way, n));
	close(end);
	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(0, result.err);
	EXPECT_EQ(n, result.done);
}

/* The kernel pops until the end of the stream, and adds up what it got. */
TEST_F(kernel, from_user)
{
	__u64 n = messages_of(variant->size, ~0ULL);
	struct spscring_peer_result result = {};
	int end = claim_end(self->ring, SPSCRING_PRODUCER, 0);

	ASSERT_GE(end, 0);
	/* a count of 0 means: pop until the end of the stream */
	ASSERT_EQ(0, peer_start(self->peer, SPSCRING_PEER_SINK, self->ring, variant->batch, 0));
	EXPECT_EQ(WELL, produce(end, variant->way, n));
	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(-ESHUTDOWN, result.err);
	EXPECT_EQ(n, result.done);
	EXPECT_EQ(0, result.wrong);
	EXPECT_EQ(checksum(variant->size, n), result.checksum);
	close(end);
}

/* A consumer in the kernel that sleeps, because nobody pushes. */
FIXTURE(asleep)
{
	int peer;
	struct spscring_peer_start start;
};

FIXTURE_SETUP(asleep)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_PEER();
	self->start = (struct spscring_peer_start){
		.op = SPSCRING_PEER_SINK, .flags = SPSCRING_PEER_SLEEP, .ring_fd = -1, .cpu = -1,
		.batch = 1,
	};
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
	self->start.ring_fd = spscring_open(RING(.capacity = 64, .element_size = 8));
	ASSERT_GE(self->start.ring_fd, 0);
}

FIXTURE_TEARDOWN(asleep)
{
	close_fd(&self->peer);
	close_fd(&self->start.ring_fd);
}

#define asleep_t	FIXTURE_DATA(asleep)

static int start_asleep(asleep_t *self)
{
	__u64 sleeps = info_of(self->start.ring_fd).consumer_sleep.sleeps;
	int err = do_ioctl(self->peer, SPSCRING_PEER_START, &self->start);

	while (!err && info_of(self->start.ring_fd).consumer_sleep.sleeps == sleeps)
		sleep_ms(1);
	return err;
}

/* A kernel end that sleeps is stopped by STOP, and by the close of its file. */
TEST_F(asleep, stopped)
{
	struct spscring_peer_result result = {};

	ASSERT_EQ(0, start_asleep(self));
	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_STOP, NULL));
	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(-ECANCELED, result.err);
	EXPECT_EQ(0, result.done);
	EXPECT_EQ(0, result.lost);
	EXPECT_GE(result.slept, 1);

	ASSERT_EQ(0, start_asleep(self));
	close_fd(&self->peer);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->start.ring_fd, SPSCRING_CONSUMER));
}

/* STOP also stops a thread that has not run yet. */
TEST_F(asleep, stopped_at_once)
{
	struct spscring_peer_result result = {};
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_START, &self->start));
		ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_STOP, NULL));
		ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
		ASSERT_EQ(-ECANCELED, result.err);
	}
}

TEST_HARNESS_MAIN
