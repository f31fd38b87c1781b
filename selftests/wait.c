// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep and wake: WAIT, poll, epoll and eventfd, each until records or room are
 * there, the peer ends, the time is up or a signal comes.  That no wake-up is
 * lost is tested by many hand-overs, on which both ends sleep.
 *
 * SPSCRING_MESSAGES	how many hand-overs are a hundred times; 10000000 if not given
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>

#include "selftest.h"
#include "spscring_peer.h"

#define NEVER	(-1LL)

static __s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static __s64 in_ms(unsigned int ms)
{
	return now_ns() + ms * 1000000LL;
}

static __u64 hand_overs(void)
{
	const char *given = getenv("SPSCRING_MESSAGES");
	__u64 n = given && *given ? strtoull(given, NULL, 0) / 100 : 100000;

	return n < 1000 ? 1000 : n;
}

/* ---------------------------------------------------- a ring in one process */

FIXTURE(wait) {
	int ring, producer_fd, consumer_fd;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 next_in, next_out;
};

FIXTURE_VARIANT(wait) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(wait, fence) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(wait, asymmetric) {
	.flags = SPSCRING_CREATE_ASYMMETRIC,
};

FIXTURE_SETUP(wait)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
	self->producer_fd = spscring_claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->producer_fd, 0);
	self->consumer_fd = spscring_claim(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->consumer_fd, 0);
	ASSERT_EQ(spscring_map_producer(self->producer_fd, &self->p, NULL), 0);
	ASSERT_EQ(spscring_map_consumer(self->consumer_fd, &self->c, NULL), 0);
	/* what is tested is sleep */
	self->p.spin_max = self->p.spin = 0;
	self->c.spin_max = self->c.spin = 0;
}

FIXTURE_TEARDOWN(wait)
{
	close_fd(&self->producer_fd);
	close_fd(&self->consumer_fd);
	close_fd(&self->ring);
}

static int push_some(FIXTURE_DATA(wait) *self, int n)
{
	while (n--) {
		int err = push_answer(&self->p, &self->next_in);

		if (err)
			return err;
		self->next_in++;
	}
	return 0;
}

static int pop_some(FIXTURE_DATA(wait) *self, int n)
{
	while (n--) {
		__u64 v;
		int err = pop_answer(&self->c, &v);

		if (err)
			return err;
		if (v != self->next_out++)
			return -EILSEQ;
	}
	return 0;
}

static struct spscring_sleep_counters consumer_sleep(FIXTURE_DATA(wait) *self)
{
	return info_of(self->ring).consumer_sleep;
}

/* What is there already is not slept for, and nobody is kicked. */
TEST_F(wait, ready)
{
	ASSERT_EQ(push_some(self, 3), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 3, NEVER), 0);
	EXPECT_EQ(spscring_wait_room(&self->p, 61, NEVER), 0);
	EXPECT_EQ(consumer_sleep(self).sleeps, 0);
	EXPECT_EQ(consumer_sleep(self).kicks, 0);
}

TEST_F(wait, timeout)
{
	__s64 until = in_ms(20);

	EXPECT_EQ(spscring_wait_records(&self->c, 1, until), -ETIMEDOUT);
	EXPECT_GE(now_ns(), until);
	/* one that is over already */
	EXPECT_EQ(spscring_wait_records(&self->c, 1, 1), -ETIMEDOUT);
	ASSERT_EQ(push_some(self, 64), 0);
	EXPECT_EQ(spscring_wait_room(&self->p, 1, in_ms(5)), -ETIMEDOUT);
	/* nobody waits any more, so nobody is kicked, but for what was armed */
	ASSERT_EQ(pop_some(self, 64), 0);
	EXPECT_EQ(info_of(self->ring).producer_sleep.kicks, variant->flags ? 1 : 0);
}

TEST_F(wait, bad)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 65, .deadline = 0 };

	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	want.index = 64;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want),
		  variant->flags ? -EAGAIN : -ETIMEDOUT);
	want.flags = SPSCRING_WAIT_ARM;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_KICK, (void *)1), -EINVAL);
	want.flags = 2;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	want.flags = 0;
	want.size = sizeof(want) - 1;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	want.size = sizeof(want);
	EXPECT_EQ(do_ioctl(self->ring, SPSCRING_WAIT, &want), -EPERM);
	EXPECT_EQ(do_ioctl(self->ring, SPSCRING_KICK, NULL), -EPERM);
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, NULL), -EFAULT);
	EXPECT_EQ(spscring_wait_records(&self->c, 0, NEVER), -EINVAL);
	EXPECT_EQ(spscring_notify(self->consumer_fd, 65, 0, -1), -EINVAL);
	EXPECT_EQ(spscring_notify(self->consumer_fd, 1, 0, 1000), -EBADF);
	EXPECT_EQ(spscring_notify(self->consumer_fd, 1, 0, self->ring), -EINVAL);
}

TEST(wait_busy_poll)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 1 };
	struct pollfd one = { .events = POLLIN };
	int ring;

	SKIP_WITHOUT_DEVICE();
	EXPECT_EQ(spscring_open(RING(.capacity = 64, .record_size = 8,
				     .flags = SPSCRING_CREATE_BUSY_POLL |
					      SPSCRING_CREATE_ASYMMETRIC)), -EINVAL);
	ring = spscring_open(RING(.capacity = 64, .record_size = 8,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	one.fd = spscring_claim(ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(one.fd, 0);
	EXPECT_EQ(do_ioctl(one.fd, SPSCRING_WAIT, &want), -EOPNOTSUPP);
	EXPECT_EQ(spscring_notify(one.fd, 1, 0, -1), -EOPNOTSUPP);
	EXPECT_EQ(poll(&one, 1, 1000), 1);
	EXPECT_EQ(one.revents, POLLERR);
	close(one.fd);
	close(ring);
}

static void on_alarm(int signal)
{
	(void)signal;
}

TEST_F(wait, signal)
{
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct sigaction act = { .sa_handler = on_alarm };

	ASSERT_EQ(sigaction(SIGALRM, &act, NULL), 0);
	ASSERT_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, in_ms(10000)), -EINTR);
	/* restarted, until the same deadline */
	act.sa_flags = SA_RESTART;
	ASSERT_EQ(sigaction(SIGALRM, &act, NULL), 0);
	ASSERT_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, in_ms(60)), -ETIMEDOUT);
}

/* ----------------------------------------------------------------- pollers */

static int poll_one(int fd, short events, int ms)
{
	struct pollfd one = { .fd = fd, .events = events };
	int n = poll(&one, 1, ms);

	return n < 0 ? -errno : n ? one.revents : 0;
}

TEST_F(wait, poll)
{
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN | POLLRDHUP, 0), 0);
	EXPECT_EQ(poll_one(self->producer_fd, POLLOUT | POLLRDHUP, 0), POLLOUT);
	ASSERT_EQ(push_some(self, 64), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN | POLLRDHUP, 0), POLLIN);
	EXPECT_EQ(poll_one(self->producer_fd, POLLOUT | POLLRDHUP, 0), 0);
	ASSERT_EQ(pop_some(self, 1), 0);
	EXPECT_EQ(poll_one(self->producer_fd, POLLOUT | POLLRDHUP, 0), POLLOUT);
	ASSERT_EQ(pop_some(self, 63), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN | POLLRDHUP, 0), 0);
}

TEST_F(wait, poll_ends)
{
	ASSERT_EQ(push_some(self, 1), 0);
	ASSERT_EQ(spscring_shutdown(self->producer_fd, 0), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN | POLLRDHUP, 0), POLLIN | POLLRDHUP);
	ASSERT_EQ(pop_some(self, 1), 0);
	/* end of file is worth a read */
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN | POLLRDHUP, 0), POLLIN | POLLRDHUP);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, NEVER), -ESHUTDOWN);
	EXPECT_EQ(poll_one(self->producer_fd, POLLOUT | POLLRDHUP, 0), POLLOUT);
}

TEST_F(wait, poll_broken)
{
	ASSERT_EQ(spscring_shutdown(self->producer_fd, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), POLLERR);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, NEVER), -EPIPE);
}

/* An end is an edge, told once. */
TEST_F(wait, epoll_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, self->consumer_fd, &event), 0);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
	ASSERT_EQ(spscring_shutdown(self->producer_fd, 0), 0);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
	EXPECT_EQ(got.events, EPOLLIN | EPOLLRDHUP);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
	close(epoll);
}

/* A dead producer's successor is heard as well. */
TEST(wait_epoll_successor)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC), ring, in, out;
	struct spscring_producer p;
	__u64 v = 5;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 8, .record_size = 8));
	ASSERT_GE(ring, 0);
	in = spscring_claim(ring, SPSCRING_PRODUCER, 0);
	out = spscring_claim(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, out, &event), 0);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
	close(in);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
	EXPECT_EQ(got.events, EPOLLHUP);
	in = spscring_claim(ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(in, 0);
	ASSERT_EQ(spscring_map_producer(in, &p, NULL), 0);
	ASSERT_EQ(spscring_push(&p, &v), 0);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
	EXPECT_EQ(got.events, EPOLLIN);
	close(in);
	close(out);
	close(ring);
	close(epoll);
}

/* Edge-triggered: a publish between the drain and epoll_wait() is an edge. */
TEST_F(wait, epoll_edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, self->consumer_fd, &event), 0);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
	for (i = 0; i < 200; i++) {
		int burst = i % 9 + 1;

		ASSERT_EQ(push_some(self, burst), 0);
		ASSERT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
		ASSERT_EQ(got.events, EPOLLIN);
		ASSERT_EQ(pop_some(self, burst), 0);
		ASSERT_EQ(pop_answer(&self->c, &burst), -EAGAIN);
	}
	/* an edge is told once: drained or not */
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 0), 1);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 20), 0);
	close(epoll);
}

TEST_F(wait, watermark)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 0, -1), 0);
	ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, self->consumer_fd, &event), 0);
	ASSERT_EQ(push_some(self, 9), 0);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 20), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
	close(epoll);
}

/* A first record is told when the rest has not come in time. */
TEST_F(wait, watermark_timeout)
{
	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 30000000, -1), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 60), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 5000), POLLIN);
	ASSERT_EQ(pop_some(self, 1), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 60), 0);
	EXPECT_EQ(consumer_sleep(self).wakes, 1);
}

TEST_F(wait, eventfd)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_GE(event, 0);
	ASSERT_EQ(spscring_notify(self->consumer_fd, 1, 0, event), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	/* it was not armed */
	EXPECT_EQ(negative_errno(read(event, &times, sizeof(times))), -EAGAIN);
	ASSERT_EQ(pop_some(self, 1), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 2), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(negative_errno(read(event, &times, sizeof(times))), -EAGAIN);
	ASSERT_EQ(push_some(self, 5), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	EXPECT_EQ(times, 1);
	/* armed late, and told at once */
	ASSERT_EQ(spscring_arm_records(&self->c, 3), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	ASSERT_EQ(spscring_notify(self->consumer_fd, 1, 0, -1), 0);
	close(event);
}

/* ------------------------------------------------------------ two processes */

enum how { BY_WAIT, BY_POLL, BY_EPOLL, BY_EPOLL_EDGE, BY_EVENTFD };

/* Sleeps until the end can go on by one, in one of the ways. */
struct sleeper {
	enum how how;
	int fd, epoll, event;
	short events;
};

static void sleeper_init(struct sleeper *s, enum how how, int fd, short events)
{
	struct epoll_event event = { .events = events };

	*s = (struct sleeper){ .how = how, .fd = fd, .events = events };
	if (how == BY_EPOLL || how == BY_EPOLL_EDGE) {
		if (how == BY_EPOLL_EDGE)
			event.events |= EPOLLET;
		s->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
			_exit(3);
	} else if (how == BY_EVENTFD) {
		s->event = eventfd(0, EFD_CLOEXEC);
		if (spscring_notify(fd, 1, 0, s->event))
			_exit(3);
	}
}

/* 0, or that there was no wake-up in half a minute, or that the peer is gone. */
static int sleeper_sleep(struct sleeper *s)
{
	struct epoll_event got;
	__u64 times;
	int n;

	if (s->how == BY_EVENTFD) {
		n = poll_one(s->event, POLLIN, 30000);
		if (n == POLLIN && read(s->event, &times, sizeof(times)) != sizeof(times))
			return -EIO;
	} else if (s->how == BY_POLL) {
		n = poll_one(s->fd, s->events, 30000);
	} else {
		n = epoll_wait(s->epoll, &got, 1, 30000);
	}
	return n > 0 ? 0 : n ? -EIO : -ETIMEDOUT;
}

static int consumer_sleep_for_one(struct sleeper *s, struct spscring_consumer *c)
{
	int err;

	if (s->how == BY_WAIT)
		return spscring_wait_records(c, 1, in_ms(30000));
	if (s->how == BY_EVENTFD || c->asymmetric) {
		err = spscring_arm_records(c, 1);
		/* an eventfd is told either way, a poller looks once more */
		if (err || (s->how != BY_EVENTFD && spscring_has_records(c, 1)))
			return err;
	}
	return sleeper_sleep(s);
}

static int producer_sleep_for_one(struct sleeper *s, struct spscring_producer *p)
{
	int err;

	if (s->how == BY_WAIT)
		return spscring_wait_room(p, 1, in_ms(30000));
	if (s->how == BY_EVENTFD || p->asymmetric) {
		err = spscring_arm_room(p, 1);
		if (err || (s->how != BY_EVENTFD && spscring_has_room(p, 1)))
			return err;
	}
	return sleeper_sleep(s);
}

FIXTURE(torture) {
	int ring;
};

FIXTURE_VARIANT(torture) {
	enum how how;
	__u32 flags;
	__u32 capacity;
};

#define TORTURE(name, ...) FIXTURE_VARIANT_ADD(torture, name) { __VA_ARGS__ }
TORTURE(wait, .how = BY_WAIT, .capacity = 1);
TORTURE(wait_deep, .how = BY_WAIT, .capacity = 20);
TORTURE(poll, .how = BY_POLL, .capacity = 3);
TORTURE(epoll, .how = BY_EPOLL, .capacity = 3);
TORTURE(epoll_edge, .how = BY_EPOLL_EDGE, .capacity = 3);
TORTURE(eventfd, .how = BY_EVENTFD, .capacity = 3);
TORTURE(asymmetric, .how = BY_WAIT, .capacity = 1, .flags = SPSCRING_CREATE_ASYMMETRIC);
TORTURE(asymmetric_edge, .how = BY_EPOLL_EDGE, .capacity = 3, .flags = SPSCRING_CREATE_ASYMMETRIC);

FIXTURE_SETUP(torture)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = variant->capacity, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(torture)
{
	close_fd(&self->ring);
}

/* Now and then a pause, so that either end falls asleep at any point. */
static void dawdle(__u32 *seed)
{
	__u32 i, n;

	*seed = *seed * 1664525 + 1013904223;
	n = *seed >> 24;
	if (n < 64)
		return;
	for (i = 0; i < n * 8; i++)
		cpu_relax();
}

static int torture_produce(int ring, enum how how, __u64 n)
{
	int fd = spscring_claim(ring, SPSCRING_PRODUCER, 0);
	struct spscring_producer p;
	struct sleeper s;
	__u32 seed = 1;
	__u64 i;
	int err;

	if (fd < 0 || spscring_map_producer(fd, &p, NULL))
		return 2;
	p.spin_max = p.spin = 0;
	sleeper_init(&s, how, fd, POLLOUT);
	for (i = 0; i < n; i++) {
		dawdle(&seed);
		while ((err = spscring_push(&p, &i)) == -EAGAIN) {
			err = producer_sleep_for_one(&s, &p);
			if (err)
				break;
		}
		if (err) {
			printf("# record %llu: producer: %s\n", i, strerror(-err));
			return 1;
		}
	}
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

/* Whatever is published is taken, and the end told, without a record lost. */
TEST_F_TIMEOUT(torture, hand_over, 600)
{
	int fd = spscring_claim(self->ring, SPSCRING_CONSUMER, 0);
	__u64 n = hand_overs(), i, v;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 2;
	int err = 0;
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		close(fd);
		_exit(torture_produce(self->ring, variant->how, n));
	}
	ASSERT_EQ(spscring_map_consumer(fd, &c, NULL), 0);
	c.spin_max = c.spin = 0;
	sleeper_init(&s, variant->how, fd, POLLIN);
	for (i = 0; i < n && !err; i++) {
		dawdle(&seed);
		while ((err = spscring_pop(&c, &v)) == -EAGAIN) {
			err = consumer_sleep_for_one(&s, &c);
			if (err)
				break;
		}
		if (!err)
			ASSERT_EQ(v, i);
	}
	EXPECT_EQ(err, 0)
		TH_LOG("record %llu", i);
	if (err)
		kill(pid, SIGKILL);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_GT(info_of(self->ring).consumer_sleep.kicks, 0);
	close(fd);
}

/* ------------------------------------------------------- a kernel end sleeps */

FIXTURE(kernel) {
	int ring, peer;
};

FIXTURE_VARIANT(kernel) {
	__u32 op;
	enum how how;
};

FIXTURE_VARIANT_ADD(kernel, consumes) {
	.op = SPSCRING_PEER_SINK,
	.how = BY_WAIT,
};

FIXTURE_VARIANT_ADD(kernel, produces) {
	.op = SPSCRING_PEER_SOURCE,
	.how = BY_EPOLL_EDGE,
};

FIXTURE_SETUP(kernel)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 3, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(kernel)
{
	close_fd(&self->peer);
	close_fd(&self->ring);
}

static int kernel_consume(int ring, enum how how, __u64 n)
{
	int fd = spscring_claim(ring, SPSCRING_CONSUMER, 0), err = 0;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 3;
	__u64 i, v;

	if (fd < 0 || spscring_map_consumer(fd, &c, NULL))
		return -EIO;
	c.spin_max = c.spin = 0;
	sleeper_init(&s, how, fd, POLLIN);
	for (i = 0; i < n && !err; i++) {
		dawdle(&seed);
		while ((err = spscring_pop(&c, &v)) == -EAGAIN) {
			err = consumer_sleep_for_one(&s, &c);
			if (err)
				break;
		}
		if (!err && v != i)
			err = -EILSEQ;
	}
	close(fd);
	return err;
}

TEST_F_TIMEOUT(kernel, hand_over, 600)
{
	struct spscring_peer_start start = {
		.op = variant->op, .flags = SPSCRING_PEER_SLEEP | SPSCRING_PEER_SHUTDOWN,
		.ring_fd = self->ring, .back_fd = -1, .cpu = -1, .batch = 1, .count = hand_overs(),
	};
	struct spscring_peer_result result = {};

	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_START, &start), 0);
	EXPECT_EQ(variant->op == SPSCRING_PEER_SINK ?
		  torture_produce(self->ring, variant->how, start.count) :
		  kernel_consume(self->ring, variant->how, start.count), 0);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, 0);
	EXPECT_EQ(result.done, start.count);
	EXPECT_EQ(result.wrong, 0);
	EXPECT_EQ(result.timeouts, 0);
	EXPECT_GT(info_of(self->ring).consumer_sleep.wakes +
		  info_of(self->ring).producer_sleep.wakes, 0);
}

TEST_HARNESS_MAIN
