// SPDX-License-Identifier: GPL-2.0
/*
 * poll() and epoll, level-triggered and edge-triggered: what each reports of elements, of room, and
 * of an end that has shut down or died.
 */
#include <sys/resource.h>

#include "pair.h"

TEST_F(pair, poll)
{
	EXPECT_EQ(0, poll_one(self->out, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT | POLLRDHUP, 0));
	ASSERT_EQ(0, push_some(self, 64));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(0, poll_one(self->in, POLLOUT | POLLRDHUP, 0));
	ASSERT_EQ(0, pop_some(self, 1));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT | POLLRDHUP, 0));
	ASSERT_EQ(0, pop_some(self, 63));
	EXPECT_EQ(0, poll_one(self->out, POLLIN | POLLRDHUP, 0));
}

TEST_F(pair, poll_ends)
{
	ASSERT_EQ(0, push_some(self, 1));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_one(self->out, POLLIN | POLLRDHUP, 0));
	ASSERT_EQ(0, pop_some(self, 1));
	/* the end of the stream is something to read */
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_one(self->out, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_elements(&self->c, 1, NEVER));
	EXPECT_EQ(POLLOUT | POLLRDHUP | POLLHUP, poll_one(self->in, POLLOUT | POLLRDHUP, 0));
}

TEST_F(pair, poll_broken)
{
	ASSERT_EQ(0, spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(POLLERR, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(-EPIPE, spscring_wait_elements(&self->c, 1, NEVER));
}

/* A producer's shutdown is an edge, which epoll reports once. */
TEST_F(pair, epoll_end)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLRDHUP | EPOLLET);

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, epoll_next(epoll, LONG));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	close(epoll);
}

/* epoll reports a producer's death, and then the elements of its successor. */
TEST(wait_epoll_successor)
{
	int ring, in, out, epoll;
	struct spscring_producer p;
	__u64 v = 5;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 8, .element_size = 8), &ring, &in, &out));
	epoll = epoll_of(out, EPOLLIN | EPOLLET);
	ASSERT_EQ(0, epoll_next(epoll, 0));
	close(in);
	EXPECT_EQ(EPOLLHUP, epoll_next(epoll, LONG));
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(in, 0);
	ASSERT_EQ(0, map_producer(in, &p, NULL));
	ASSERT_EQ(0, spscring_push(&p, &v));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close_ends(&ring, &in, &out);
	close(epoll);
}

/* What is pushed between the last pop and epoll_wait() is an edge. */
TEST_F(pair, epoll_edge)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET), i;

	ASSERT_GE(epoll, 0);
	EXPECT_EQ(0, epoll_next(epoll, 0));
	for (i = 0; i < 200; i++) {
		int burst = i % 9 + 1;

		ASSERT_EQ(0, push_some(self, burst));
		ASSERT_EQ(EPOLLIN, epoll_next(epoll, LONG));
		ASSERT_EQ(0, pop_some(self, burst));
		ASSERT_EQ(-EAGAIN, pop_answer(&self->c, &burst));
	}
	/* epoll reports an edge once, also if nobody pops the element */
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, 0));
	EXPECT_EQ(0, epoll_next(epoll, 20));
	close(epoll);
}

/* Elements pushed before epoll watched the fd are one edge, not one for each frame. */
TEST_F(pair, epoll_edge_frames)
{
	int epoll;

	ASSERT_LT(info_of(self->ring).geometry.frame_elements, 10);
	ASSERT_EQ(0, push_some(self, 20));
	epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	ASSERT_EQ(0, pop_some(self, 21));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close(epoll);
}

/* The push after an edge finds the room, also where the published head lags. */
TEST_F(pair, epoll_out_edge)
{
	int epoll = epoll_of(self->in, EPOLLOUT | EPOLLET), i, n;
	__u64 v = 0;

	EXPECT_EQ(EPOLLOUT, epoll_next(epoll, 0));
	while (!spscring_push(&self->p, &v))
		v++;
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, epoll_next(epoll, 0));
		ASSERT_EQ(0, pop_some(self, i % 3 + 1));
		ASSERT_EQ(EPOLLOUT, epoll_next(epoll, LONG));
		for (n = 0; !spscring_push(&self->p, &v); n++)
			v++;
		ASSERT_EQ(i % 3 + 1, n);
	}
	close(epoll);
}

/* When an edge reports the producer's shutdown, the next pop returns it at once. */
TEST_F(pair, epoll_end_pop)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	__u64 v;

	EXPECT_EQ(0, epoll_next(epoll, 0));
	EXPECT_EQ(-EAGAIN, spscring_pop(&self->c, &v));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	EXPECT_EQ(-ESHUTDOWN, spscring_pop(&self->c, &v));
	close(epoll);
}

/* ----------------------------------------------------- one thread, many rings */

#define RINGS	1000

struct many {
	int in[RINGS], out[RINGS], left[RINGS];
	struct epoll_event got[RINGS];
};

static int many_open(struct many *m, int epoll)
{
	struct rlimit files = { 4 * RINGS, 4 * RINGS };
	int i, ring;

	if (setrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	for (i = 0; i < RINGS; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = i };

		ring = spscring_open(RING(.capacity = 8, .element_size = 8));
		m->in[i] = claim_end(ring, SPSCRING_PRODUCER, 0);
		m->out[i] = claim_end(ring, SPSCRING_CONSUMER, 0);
		close(ring);
		if (m->out[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, m->out[i], &event))
			return -EIO;
	}
	return 0;
}

/* One epoll_wait() reports each of a thousand rings that has an element, once. */
TEST(many_rings)
{
	static struct many m;
	int epoll = epoll_create1(EPOLL_CLOEXEC), round, i, n, busy;
	__u32 seed = 7;
	__u64 recs[8] = {};

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, many_open(&m, epoll));
	ASSERT_EQ(0, epoll_wait(epoll, m.got, RINGS, 0));
	for (round = 0; round < 20; round++) {
		busy = 0;
		for (i = 0; i < RINGS / 2; i++) {
			int *left;

			seed = seed * 1664525 + 1013904223;
			n = (seed >> 8) % RINGS;
			left = &m.left[n];
			if (*left == 8)
				continue;
			ASSERT_EQ(8, write(m.in[n], recs, 8));
			busy += !(*left)++;
		}
		ASSERT_EQ(busy, epoll_wait(epoll, m.got, RINGS, 0));
		for (i = 0; i < busy; i++) {
			n = m.got[i].data.u32;
			ASSERT_EQ(8 * m.left[n], read(m.out[n], recs, sizeof(recs)));
			m.left[n] = 0;
		}
		for (i = 0; i < RINGS; i++)
			ASSERT_EQ(0, m.left[i]);
		ASSERT_EQ(0, epoll_wait(epoll, m.got, RINGS, 0));
	}
}

TEST_HARNESS_MAIN
