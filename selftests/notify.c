// SPDX-License-Identifier: GPL-2.0
/*
 * NOTIFY: the watermark of an end, its timeout, and the eventfd of an armed end.  A notification by
 * one of them does not suppress that of another.
 */
#include <sys/eventfd.h>

#include "pair.h"

/* ARM for more, at the same end, does not raise the event index that epoll waits for. */
TEST_F(pair, arm_beside_poll)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 20));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close(epoll);
}

/* Neither poll nor ARM for more raises the event index that was armed before. */
TEST_F(pair, poll_beside_arm)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(0, spscring_notify(self->out, 20, 0, event));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 5));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 30));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, push_some(self, 4));
	EXPECT_EQ(-EAGAIN, negative_errno(read(event, &times, sizeof(times))));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	close(event);
}

/* epoll reports nothing below the watermark. */
TEST_F(pair, watermark)
{
	int epoll;

	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	ASSERT_GE(epoll, 0);
	ASSERT_EQ(0, push_some(self, 9));
	EXPECT_EQ(0, epoll_next(epoll, 20));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close(epoll);
}

/* poll is ready below the watermark once the oldest element is older than the timeout. */
TEST_F(pair, watermark_timeout)
{
	ASSERT_EQ(0, spscring_notify(self->out, 10, 30000000, -1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 60));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, LONG));
	ASSERT_EQ(0, pop_some(self, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 60));
	EXPECT_EQ(1, consumer_sleep(self).wakes);
}

/* After the timeout every poller is ready, until the elements are popped. */
TEST_F(pair, watermark_late)
{
	int inner = epoll_of(self->out, EPOLLIN), outer = epoll_of(inner, EPOLLIN);

	ASSERT_EQ(0, spscring_notify(self->out, 10, 20000000, -1));
	EXPECT_EQ(0, epoll_next(outer, 0));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(EPOLLIN, epoll_next(outer, LONG));
	EXPECT_EQ(EPOLLIN, epoll_next(inner, 0));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, pop_some(self, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(0, epoll_next(outer, 0));
	close(inner);
	close(outer);
}

/* A poller that sleeps for the old watermark is woken at the new one. */
TEST_F(pair, watermark_changed)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_some(self, 3));
	EXPECT_EQ(0, epoll_next(epoll, 20));
	ASSERT_EQ(0, spscring_notify(self->out, 10, 20000000, -1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	ASSERT_EQ(0, pop_some(self, 2));
	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	EXPECT_EQ(0, epoll_next(epoll, 20));
	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, -1));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close(epoll);
}

/* A kick wakes below the watermark only if it has SPSCRING_KICK_NOW. */
TEST_F(pair, kick_now)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_some(self, 3));
	ASSERT_EQ(0, do_ioctl(self->in, SPSCRING_KICK, NULL));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, do_ioctl(self->in, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW));
	EXPECT_EQ(EPOLLIN, epoll_next(epoll, LONG));
	close(epoll);
}

/* An end that is armed signals its eventfd, once, when there is as much as it was armed for. */
TEST_F(pair, eventfd)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_GE(event, 0);
	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, event));
	ASSERT_EQ(0, push_some(self, 1));
	/* nothing is signalled where the end was not armed */
	EXPECT_EQ(-EAGAIN, negative_errno(read(event, &times, sizeof(times))));
	ASSERT_EQ(0, pop_some(self, 1));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 2));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(-EAGAIN, negative_errno(read(event, &times, sizeof(times))));
	ASSERT_EQ(0, push_some(self, 5));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	EXPECT_EQ(1, times);
	/* ARM signals at once if the elements are already there */
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 3));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, -1));
	close(event);
}

/* Push without the kick, which the caller makes late. */
static int push_kick_late(struct spscring_producer *p, __u64 *next)
{
	int err = push_unseen(p, (*next)++);
	__u64 event;

	if (err)
		return err;
	event = spscring_consumer_event(&p->base);
	if (!spscring_need_kick(event, p->base.pos, p->base.last_kicked))
		return -ENOENT;
	p->base.last_kicked = event;
	return 0;
}

/* A late kick does not disarm an end that was armed again after the push. */
TEST_F(pair, late_kick)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, event));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 1));
	ASSERT_EQ(0, push_kick_late(&self->p, &self->next_in));
	ASSERT_EQ(0, pop_some(self, 1));
	ASSERT_EQ(0, spscring_arm_elements(&self->c, 1));
	ASSERT_EQ(0, do_ioctl(self->in, SPSCRING_KICK, NULL));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	EXPECT_EQ(-EAGAIN, negative_errno(read(event, &times, sizeof(times))));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	close(event);
}

TEST_HARNESS_MAIN
