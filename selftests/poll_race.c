// SPDX-License-Identifier: GPL-2.0
/*
 * An element arrives after poll has read the ring and before it has armed the end, or right after
 * the arming, and its kick comes late.  /dev/spscring_peer pushes from probes on the tracepoints of
 * these two places.
 */
#include "sleep.h"
#include "spscring_peer.h"

FIXTURE(polled) {
	int ring, peer, fd;
	struct spscring_consumer c;
};

FIXTURE_SETUP(polled)
{
	const char *vm = getenv("SPSCRING_VM");

	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_PEER();
	if (vm && !strcmp(vm, "qemu"))
		SKIP(return, "a probe's key, switched under emulation, has hung the kernel");
	self->ring = spscring_open(RING(.capacity = 64, .element_size = 8));
	ASSERT_GE(self->ring, 0);
	self->fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, map_consumer(self->fd, &self->c, NULL));
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(polled)
{
	close_fd(&self->peer);
	close_fd(&self->fd);
	close_fd(&self->ring);
}

#define polled_t	FIXTURE_DATA(polled)

/* The peer pushes one element in each of the next @n polls, and kicks when that poll is over. */
static int push_in_polls(polled_t *self, int n, __u32 flags)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_POLLED, .flags = flags, .ring_fd = self->ring,
		.cpu = -1, .batch = 1, .count = n,
	};

	return do_ioctl(self->peer, SPSCRING_PEER_START, &start);
}

static int pop_all(polled_t *self)
{
	int n = 0;
	__u64 v;

	while (!spscring_pop(&self->c, &v))
		n++;
	return n;
}

/* poll() checks again at its timeout: an element that only this check finds had no wake-up. */
static int poll_in_time(int fd)
{
	__s64 until = in_ms(LONG);

	return in_time(poll_one(fd, POLLIN, LONG), until);
}

/* A poll checks again after it has armed the end, finds the element, and does not sleep. */
TEST_F(polled, none)
{
	ASSERT_EQ(0, push_in_polls(self, 1, 0));
	EXPECT_EQ(POLLIN, poll_in_time(self->fd));
	EXPECT_EQ(1, pop_all(self));
}

/* The same where the element comes right after the arming. */
TEST_F(polled, none_armed)
{
	ASSERT_EQ(0, push_in_polls(self, 1, SPSCRING_PEER_ARMED));
	EXPECT_EQ(POLLIN, poll_in_time(self->fd));
	EXPECT_EQ(1, pop_all(self));
}

/* A watermark's timeout begins also if the first element comes there. */
TEST_F(polled, first)
{
	ASSERT_EQ(0, spscring_notify(self->fd, 10, 20000000, -1));
	ASSERT_EQ(0, push_in_polls(self, 1, SPSCRING_PEER_ARMED));
	EXPECT_EQ(POLLIN, poll_in_time(self->fd));
}

/* The consumer's cursor may lie meanwhile: who saw that there would kick from within the poll. */
TEST_F(polled, lie)
{
	int i;

	ASSERT_EQ(0, push_in_polls(self, 100, 0));
	WRITE_ONCE(self->c.base.block->published_head, 1000);
	for (i = 0; i < 100; i++)
		poll_one(self->fd, POLLIN, 0);
	EXPECT_EQ(64, pop_all(self));
}

/* epoll, which watches the same end, gets an edge of an element that came in a poll ... */
TEST_F(polled, edge)
{
	int epoll = epoll_of(self->fd, EPOLLIN | EPOLLET);

	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_in_polls(self, 4, 0));
	EXPECT_EQ(POLLIN, poll_one(self->fd, POLLIN, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	EXPECT_EQ(2, pop_all(self));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	EXPECT_EQ(POLLIN, poll_one(self->fd, POLLIN, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	EXPECT_EQ(2, pop_all(self));
	close(epoll);
}

/* ... also where that poll had found others: it must not move the event index of epoll. */
TEST_F(polled, edge_beside)
{
	int epoll = epoll_of(self->fd, EPOLLIN | EPOLLET);

	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_in_polls(self, 3, 0));
	EXPECT_EQ(POLLIN, poll_one(self->fd, POLLIN, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	EXPECT_EQ(POLLIN, poll_one(self->fd, POLLIN, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	EXPECT_EQ(3, pop_all(self));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	close(epoll);
}

TEST_HARNESS_MAIN
