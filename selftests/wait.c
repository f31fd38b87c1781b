// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep and wake: WAIT, poll, epoll and eventfd, each until records or room are
 * there, the peer ends, the time is up or a signal comes.  That no wake-up is
 * lost is tested by many hand-overs, on which both ends sleep.
 *
 * SPSCRING_MESSAGES	how many hand-overs are a thousand times; 10000000 if not given
 */
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "sleep.h"
#include "spscring_peer.h"

/* After so long, in ms, whoever sleeps says that it has not been woken. */
static unsigned int patience = LONG;

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __u64 hand_overs(void)
{
	const char *given = getenv("SPSCRING_MESSAGES");
	__u64 n = given && *given ? strtoull(given, NULL, 0) / 1000 : 10000;

	return n < 1000 ? 1000 : n;
}

/* The same where more of them find no more. */
static __u64 some_hand_overs(void)
{
	return least(hand_overs(), 100000);
}

/*
 * The fence is cleared as soon as nobody waits, so that it has to come back by interrupts
 * each time; or, not @quick, as the module was loaded.
 */
struct quick {
	struct parameter quiet, most;
};

static void quick_begin(struct quick *q, bool quick)
{
	memset(q, 0, sizeof(*q));
	if (!quick || !parameter_keep(&q->quiet, "quiet_us") ||
	    !parameter_keep(&q->most, "max_interrupts"))
		return;
	parameter_set(&q->quiet, 10);
	parameter_set(&q->most, INT_MAX);
}

static void quick_end(const struct quick *q)
{
	parameter_restore(&q->quiet);
	parameter_restore(&q->most);
}

/* What is tested is sleep. */
static void no_spin(__u32 *spin, __u32 *spin_max)
{
	*spin = 0;
	*spin_max = 0;
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

FIXTURE_VARIANT_ADD(wait, adaptive) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(wait, fence) {
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(wait)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(open_ends(RING(.capacity = 64, .record_size = 8, .flags = variant->flags),
			    &self->ring, &self->producer_fd, &self->consumer_fd), 0);
	ASSERT_EQ(map_producer(self->producer_fd, &self->p, NULL), 0);
	ASSERT_EQ(map_consumer(self->consumer_fd, &self->c, NULL), 0);
	no_spin(&self->p.base.spin, &self->p.base.spin_max);
	no_spin(&self->c.base.spin, &self->c.base.spin_max);
}

FIXTURE_TEARDOWN(wait)
{
	close_fd(&self->producer_fd);
	close_fd(&self->consumer_fd);
	close_fd(&self->ring);
}

static int push_some(struct _test_data_wait *self, int n)
{
	while (n--) {
		int err = push_answer(&self->p, &self->next_in);

		if (err)
			return err;
		self->next_in++;
	}
	return 0;
}

static int pop_some(struct _test_data_wait *self, int n)
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

static struct spscring_sleep_counters consumer_sleep(struct _test_data_wait *self)
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
	/* nobody waits any more, so nobody is kicked */
	ASSERT_EQ(pop_some(self, 64), 0);
	EXPECT_EQ(info_of(self->ring).producer_sleep.kicks, 0);
}

TEST_F(wait, bad)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 65, .deadline = 0 };

	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	want.index = 64;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -ETIMEDOUT);
	want.flags = SPSCRING_WAIT_ARM;
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want), -EINVAL);
	EXPECT_EQ(do_ioctl(self->consumer_fd, SPSCRING_KICK, (void *)2), -EINVAL);
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
					      SPSCRING_CREATE_FENCE)), -EINVAL);
	ring = spscring_open(RING(.capacity = 64, .record_size = 8,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	one.fd = claim_end(ring, SPSCRING_CONSUMER, 0);
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

/* An older caller's INFO writes nothing behind its struct. */
TEST_F(wait, older_info)
{
	const size_t older = __builtin_offsetof(struct spscring_info, producer_sleep);
	unsigned char bytes[sizeof(struct spscring_info)];
	struct spscring_info *info = (struct spscring_info *)bytes;
	size_t i;

	memset(bytes, 0xaa, sizeof(bytes));
	info->size = older;
	info->flags = 0;
	ASSERT_EQ(do_ioctl(self->ring, SPSCRING_INFO, info), 0);
	EXPECT_EQ(info->size, older);
	EXPECT_EQ(info->producer_state, SPSCRING_HELD);
	for (i = older; i < sizeof(bytes); i++)
		ASSERT_EQ(bytes[i], 0xaa);
}

struct waiter {
	pthread_t thread;
	struct spscring_consumer c;
	int err;
};

static void *wait_for_one(void *arg)
{
	__s64 until = in_ms(LONG);
	struct waiter *w = arg;

	w->err = in_time(spscring_wait_records(&w->c, 1, until), until);
	return NULL;
}

/* Until @n more threads sleep on the consumer's end. */
static int start_waiters(struct _test_data_wait *self, struct waiter *w, int n)
{
	__u64 sleeps = consumer_sleep(self).sleeps + n;
	int i;

	for (i = 0; i < n; i++) {
		w[i].c = self->c;
		if (pthread_create(&w[i].thread, NULL, wait_for_one, &w[i]))
			return -ENOMEM;
	}
	while (consumer_sleep(self).sleeps < sleeps)
		sleep_ms(1);
	return 0;
}

/* Whoever waits on an end that is shut down is not left there. */
TEST_F(wait, own_shutdown)
{
	struct waiter w;

	ASSERT_EQ(start_waiters(self, &w, 1), 0);
	ASSERT_EQ(spscring_shutdown(self->consumer_fd, 0), 0);
	ASSERT_EQ(pthread_join(w.thread, NULL), 0);
	EXPECT_EQ(w.err, -ESHUTDOWN);
}

/* One more than may wait is refused; the others all wake. */
TEST_F(wait, too_many)
{
	static struct waiter w[SPSCRING_WAITERS_MAX];
	int i;

	ASSERT_EQ(start_waiters(self, w, SPSCRING_WAITERS_MAX), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, in_ms(LONG)), -EBUSY);
	ASSERT_EQ(push_some(self, 1), 0);
	for (i = 0; i < SPSCRING_WAITERS_MAX; i++) {
		ASSERT_EQ(pthread_join(w[i].thread, NULL), 0);
		EXPECT_EQ(w[i].err, 0);
	}
	EXPECT_EQ(spscring_wait_records(&self->c, 2, in_ms(5)), -ETIMEDOUT);
}

/* A child that is killed while it waits, and all of its fds, leave no trace. */
TEST_F(wait, killed_waiter)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 1, .deadline = NEVER };
	__u64 before = consumer_sleep(self).sleeps;
	int i;

	for (i = 0; i <= SPSCRING_WAITERS_MAX; i++) {
		pid_t pid = fork_child();

		if (!pid) {
			while (do_ioctl(self->consumer_fd, SPSCRING_WAIT, &want) == -EAGAIN)
				;
			_exit(1);
		}
		while (consumer_sleep(self).sleeps == before)
			sched_yield();
		before++;
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
	}
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_HELD);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, in_ms(LONG)), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 2, in_ms(5)), -ETIMEDOUT);
}

/* A tail that lies about a later frame does not have its waiter go round for ever. */
TEST_F(wait, lying_tail)
{
	struct spscring_geometry g = info_of(self->ring).geometry;
	char *last = self->p.base.data + 63 / g.frame_records * g.frame_size;

	WRITE_ONCE(*(__u64 *)last, 64);
	EXPECT_EQ(spscring_wait_records(&self->c, 64, in_ms(LONG)), -EPIPE);
}

/* ----------------------------------------------------------------- pollers */

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
	EXPECT_EQ(poll_one(self->producer_fd, POLLOUT | POLLRDHUP, 0),
		  POLLOUT | POLLRDHUP | POLLHUP);
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
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, out, &event), 0);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 0), 0);
	close(in);
	ASSERT_EQ(epoll_wait(epoll, &got, 1, 5000), 1);
	EXPECT_EQ(got.events, EPOLLHUP);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(in, 0);
	ASSERT_EQ(map_producer(in, &p, NULL), 0);
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

/* Records of several frames that are there before are no edges still to come. */
TEST_F(wait, epoll_edge_frames)
{
	int epoll;

	ASSERT_LT(info_of(self->ring).geometry.frame_records, 10);
	ASSERT_EQ(push_some(self, 20), 0);
	epoll = epoll_of(self->consumer_fd, EPOLLIN | EPOLLET);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	ASSERT_EQ(pop_some(self, 21), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	close(epoll);
}

/* The room that an edge tells of is there for the next push, told head or not. */
TEST_F(wait, epoll_out_edge)
{
	int epoll = epoll_of(self->producer_fd, EPOLLOUT | EPOLLET), i, n;
	__u64 v = 0;

	EXPECT_EQ(epoll_next(epoll, 0), EPOLLOUT);
	while (!spscring_push(&self->p, &v))
		v++;
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(epoll_next(epoll, 0), 0);
		ASSERT_EQ(pop_some(self, i % 3 + 1), 0);
		ASSERT_EQ(epoll_next(epoll, LONG), EPOLLOUT);
		for (n = 0; !spscring_push(&self->p, &v); n++)
			v++;
		ASSERT_EQ(n, i % 3 + 1);
	}
	close(epoll);
}

/* Where an edge tells of the end, the next pop does. */
TEST_F(wait, epoll_end_pop)
{
	int epoll = epoll_of(self->consumer_fd, EPOLLIN | EPOLLET);
	__u64 v;

	EXPECT_EQ(epoll_next(epoll, 0), 0);
	EXPECT_EQ(spscring_pop(&self->c, &v), -EAGAIN);
	ASSERT_EQ(spscring_shutdown(self->producer_fd, 0), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	EXPECT_EQ(spscring_pop(&self->c, &v), -ESHUTDOWN);
	close(epoll);
}

/* Another's larger ARM takes no poller's index away. */
TEST_F(wait, arm_beside_poll)
{
	int epoll = epoll_of(self->consumer_fd, EPOLLIN | EPOLLET);

	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 20), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	close(epoll);
}

/* Nor does a poll, or a larger ARM, one that was armed. */
TEST_F(wait, poll_beside_arm)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(spscring_notify(self->consumer_fd, 20, 0, event), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 5), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 30), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), 0);
	ASSERT_EQ(push_some(self, 4), 0);
	EXPECT_EQ(negative_errno(read(event, &times, sizeof(times))), -EAGAIN);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	close(event);
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

/* What is late is so for all who ask, and until it is taken. */
TEST_F(wait, watermark_late)
{
	int inner = epoll_of(self->consumer_fd, EPOLLIN), outer = epoll_of(inner, EPOLLIN);

	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 20000000, -1), 0);
	EXPECT_EQ(epoll_next(outer, 0), 0);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(epoll_next(outer, LONG), EPOLLIN);
	EXPECT_EQ(epoll_next(inner, 0), EPOLLIN);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), POLLIN);
	ASSERT_EQ(pop_some(self, 1), 0);
	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), 0);
	EXPECT_EQ(epoll_next(outer, 0), 0);
	close(inner);
	close(outer);
}

/* Those who sleep by an old watermark go by the new one. */
TEST_F(wait, watermark_changed)
{
	int epoll = epoll_of(self->consumer_fd, EPOLLIN | EPOLLET);

	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 0, -1), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_some(self, 3), 0);
	EXPECT_EQ(epoll_next(epoll, 20), 0);
	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 20000000, -1), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	ASSERT_EQ(pop_some(self, 2), 0);
	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 0, -1), 0);
	EXPECT_EQ(epoll_next(epoll, 20), 0);
	ASSERT_EQ(spscring_notify(self->consumer_fd, 1, 0, -1), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	close(epoll);
}

/* A kick with NOW does not wait for the watermark; a bare one does. */
TEST_F(wait, kick_now)
{
	int epoll = epoll_of(self->consumer_fd, EPOLLIN | EPOLLET);

	ASSERT_EQ(spscring_notify(self->consumer_fd, 10, 0, -1), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_some(self, 3), 0);
	ASSERT_EQ(do_ioctl(self->producer_fd, SPSCRING_KICK, NULL), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(do_ioctl(self->producer_fd, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW), 0);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	close(epoll);
}

/* Once nobody waits, a busy stream makes no system call. */
TEST_F(wait, busy)
{
	__u64 n = some_hand_overs() * 10, i;

	EXPECT_EQ(poll_one(self->consumer_fd, POLLIN, 0), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, in_ms(1)), -ETIMEDOUT);
	for (i = 0; i < n; i += 50) {
		ASSERT_EQ(push_some(self, 50), 0);
		ASSERT_EQ(pop_some(self, 50), 0);
	}
	/* the poll's, told at the first record */
	EXPECT_EQ(consumer_sleep(self).kicks, 1);
	EXPECT_EQ(info_of(self->ring).producer_sleep.kicks, 0);
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

/* It does not look whether anybody sleeps. */
static int push_unseen(struct spscring_producer *p, __u64 v)
{
	void *slot;
	int err = spscring_reserve(p, &slot);

	if (err)
		return err;
	*(__u64 *)slot = v;
	spscring_commit_flags(p, 1, SPSCRING_NOWAKE);
	return 0;
}

/* What a producer does whose kick is still to come when it is there. */
static int push_kick_late(struct spscring_producer *p, __u64 *next)
{
	int err = push_unseen(p, (*next)++);
	__u64 want;

	if (err)
		return err;
	want = spscring_consumer_wants(&p->base);
	if (want == p->base.kicked || (__s64)(p->base.pos - want) < 0)
		return -ENOENT;
	p->base.kicked = want;
	return 0;
}

/* A kick that comes late takes nothing off that was armed since. */
TEST_F(wait, late_kick)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(spscring_notify(self->consumer_fd, 1, 0, event), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 1), 0);
	ASSERT_EQ(push_kick_late(&self->p, &self->next_in), 0);
	ASSERT_EQ(pop_some(self, 1), 0);
	ASSERT_EQ(spscring_arm_records(&self->c, 1), 0);
	ASSERT_EQ(do_ioctl(self->producer_fd, SPSCRING_KICK, NULL), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	EXPECT_EQ(negative_errno(read(event, &times, sizeof(times))), -EAGAIN);
	ASSERT_EQ(push_some(self, 1), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	close(event);
}

/* ------------------------------------------------- an end's end, by its calls */

FIXTURE(end) {
	int ring, in, out;
};

FIXTURE_VARIANT(end) {
	bool dies;
};

FIXTURE_VARIANT_ADD(end, shut_down) {
	.dies = false,
};

FIXTURE_VARIANT_ADD(end, dead) {
	.dies = true,
};

FIXTURE_SETUP(end)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(open_ends(RING(.capacity = 8, .record_size = 8),
			    &self->ring, &self->in, &self->out), 0);
}

FIXTURE_TEARDOWN(end)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

struct ender {
	pthread_t thread;
	int *fd;
	bool dies;
};

static void *end_soon(void *arg)
{
	struct ender *e = arg;

	sleep_ms(30);
	if (e->dies)
		close_fd(e->fd);
	else
		spscring_shutdown(*e->fd, 0);
	return NULL;
}

static int fill(int in)
{
	__u64 full[8] = {};

	return negative_errno(write(in, full, sizeof(full)));
}

/* Who waits for room that will not come is told, by poll ... */
TEST_F(end, poll_out)
{
	struct ender e = { .fd = &self->out, .dies = variant->dies };

	ASSERT_EQ(fill(self->in), 64);
	ASSERT_EQ(pthread_create(&e.thread, NULL, end_soon, &e), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, LONG), POLLOUT | (variant->dies ? POLLHUP : 0));
	EXPECT_EQ(fill(self->in), variant->dies ? -EPIPE : -ESHUTDOWN);
	pthread_join(e.thread, NULL);
}

/* ... and by select. */
TEST_F(end, select_out)
{
	struct ender e = { .fd = &self->out, .dies = variant->dies };
	struct timeval time = { .tv_sec = LONG / 1000 };
	fd_set out;

	ASSERT_EQ(fill(self->in), 64);
	ASSERT_EQ(pthread_create(&e.thread, NULL, end_soon, &e), 0);
	FD_ZERO(&out);
	FD_SET(self->in, &out);
	EXPECT_EQ(select(self->in + 1, NULL, &out, NULL, &time), 1);
	pthread_join(e.thread, NULL);
}

/* The kernel gives an eventfd the least number that is free. */
static int eventfd_id(int fd)
{
	char path[64], line[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %d", &id) == 1)
			break;
	if (f)
		fclose(f);
	return id;
}

static bool eventfd_is_gone(int id)
{
	int fds[256], n = 0, next = -1;

	while (n < 256 && next < id) {
		fds[n] = eventfd(0, EFD_CLOEXEC);
		next = eventfd_id(fds[n++]);
	}
	while (n)
		close(fds[--n]);
	return next == id;
}

/* An end that is over keeps no eventfd. */
TEST_F(end, forgets)
{
	int event = eventfd(0, EFD_CLOEXEC), id = eventfd_id(event);

	ASSERT_GE(id, 0);
	ASSERT_EQ(spscring_notify(self->out, 5, 1000000, event), 0);
	close(event);
	EXPECT_FALSE(eventfd_is_gone(id));
	if (!variant->dies)
		ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	close_fd(&self->out);
	EXPECT_TRUE(eventfd_is_gone(id));
	if (!variant->dies)
		return;
	/* nor, for its successor, a watermark */
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(write(self->in, &(__u64){ 1 }, 8), 8);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
}

/* ------------------------------------------------------------ two processes */

enum how { BY_WAIT, BY_POLL, BY_EPOLL, BY_EPOLL_EDGE, BY_EVENTFD };

/* Sleeps until the end can go on by one, in one of the ways. */
struct sleeper {
	enum how how;
	int fd, epoll, event;
	short events;
};

static void sleeper_init(struct sleeper *s, enum how by, int fd, short events)
{
	struct epoll_event event = { .events = events };

	*s = (struct sleeper){ .how = by, .fd = fd, .events = events };
	if (by == BY_EPOLL || by == BY_EPOLL_EDGE) {
		if (by == BY_EPOLL_EDGE)
			event.events |= EPOLLET;
		s->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
			_exit(3);
	} else if (by == BY_EVENTFD) {
		s->event = eventfd(0, EFD_CLOEXEC);
		if (spscring_notify(fd, 1, 0, s->event))
			_exit(3);
	}
}

static int negative(int n)
{
	return n < 0 ? n : 0;
}

/* 0, or that there was no wake-up in time, or -EINTR. */
static int sleeper_sleep(struct sleeper *s)
{
	__s64 until = in_ms(patience);
	struct epoll_event got;
	__u64 times;
	int n;

	if (s->how == BY_EVENTFD) {
		n = poll_one(s->event, POLLIN, patience);
		if (n == POLLIN && read(s->event, &times, sizeof(times)) != sizeof(times))
			return -EIO;
	} else if (s->how == BY_POLL) {
		n = poll_one(s->fd, s->events, patience);
	} else {
		n = negative_errno(epoll_wait(s->epoll, &got, 1, patience));
	}
	return in_time(negative(n), until);
}

static int consumer_sleep_for_one(struct sleeper *s, struct spscring_consumer *c)
{
	__s64 until = in_ms(patience);
	int err;

	if (s->how == BY_WAIT)
		return in_time(spscring_wait_records(c, 1, until), until);
	err = s->how == BY_EVENTFD ? spscring_arm_records(c, 1) : 0;
	return err ?: sleeper_sleep(s);
}

/* The next record, or a sleep for it. */
static int consume_next(struct sleeper *s, struct spscring_consumer *c, __u64 *next)
{
	__u64 v;
	int err = spscring_pop(c, &v);

	if (err == -EAGAIN)
		return consumer_sleep_for_one(s, c);
	return err ?: v == (*next)++ ? 0 : -EILSEQ;
}

static int producer_sleep_for_one(struct sleeper *s, struct spscring_producer *p)
{
	__s64 until = in_ms(patience);
	int err;

	if (s->how == BY_WAIT)
		return in_time(spscring_wait_room(p, 1, until), until);
	err = s->how == BY_EVENTFD ? spscring_arm_room(p, 1) : 0;
	return err ?: sleeper_sleep(s);
}

FIXTURE(torture) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(torture) {
	enum how how;
	__u32 flags;
	__u32 capacity;
	bool signals;
	int restart;		/* SA_RESTART */
	bool quick;
};

#define TORTURE(name)	FIXTURE_VARIANT_ADD(torture, name)

TORTURE(wait) { .how = BY_WAIT, .capacity = 1 };
TORTURE(wait_deep) { .how = BY_WAIT, .capacity = 20 };
TORTURE(poll) { .how = BY_POLL, .capacity = 3 };
TORTURE(epoll) { .how = BY_EPOLL, .capacity = 3 };
TORTURE(epoll_edge) { .how = BY_EPOLL_EDGE, .capacity = 3 };
TORTURE(eventfd) { .how = BY_EVENTFD, .capacity = 3 };
TORTURE(fence) { .how = BY_WAIT, .capacity = 1, .flags = SPSCRING_CREATE_FENCE };
TORTURE(fence_edge) { .how = BY_EPOLL_EDGE, .capacity = 3,
	.flags = SPSCRING_CREATE_FENCE };
/* deep enough that not every head is told */
TORTURE(edge_deep) { .how = BY_EPOLL_EDGE, .capacity = 64 };
TORTURE(fence_edge_deep) { .how = BY_EPOLL_EDGE, .capacity = 64,
	.flags = SPSCRING_CREATE_FENCE };
TORTURE(quick) { .how = BY_WAIT, .capacity = 1, .quick = true };
TORTURE(quick_deep) { .how = BY_WAIT, .capacity = 20, .quick = true };
TORTURE(quick_poll) { .how = BY_POLL, .capacity = 3, .quick = true };
TORTURE(quick_edge) { .how = BY_EPOLL_EDGE, .capacity = 3, .quick = true };
TORTURE(quick_eventfd) { .how = BY_EVENTFD, .capacity = 3, .quick = true };
TORTURE(quick_signals) { .how = BY_WAIT, .capacity = 3, .quick = true, .signals = true };
TORTURE(signals) { .how = BY_WAIT, .capacity = 3, .signals = true };
TORTURE(signals_restart) { .how = BY_WAIT, .capacity = 3, .signals = true, .restart = SA_RESTART };
TORTURE(signals_edge) { .how = BY_EPOLL_EDGE, .capacity = 3, .signals = true };

FIXTURE_SETUP(torture)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = variant->capacity, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(torture)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

/*
 * How often an end slept in earnest and was woken from it: no more than its task
 * has slept, nor than the ring has woken, be it by an eventfd's kick.  tools/test
 * adds these up.
 */
static void tell_hand_overs(int ring, enum how how, __u64 producer_slept, __u64 consumer_slept)
{
	struct spscring_sleep_counters p = info_of(ring).producer_sleep;
	struct spscring_sleep_counters c = info_of(ring).consumer_sleep;
	bool kicks = how == BY_EVENTFD;

	printf("# hand-overs: %llu\n", least(producer_slept, kicks ? p.kicks : p.wakes) +
	       least(consumer_slept, kicks ? c.kicks : c.wakes));
}

static void tell_interrupts(int ring)
{
	struct spscring_info info = info_of(ring);

	printf("# interrupts: consumer %llu in %llu sleeps, producer %llu in %llu\n",
	       info.consumer_sleep.interrupts, info.consumer_sleep.sleeps,
	       info.producer_sleep.interrupts, info.producer_sleep.sleeps);
}

/* Of this process, or of its children that it has waited for. */
static __u64 slept(int who)
{
	struct rusage use;

	return getrusage(who, &use) ? 0 : use.ru_nvcsw;
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

/* Many a second, to this process alone. */
static int disturb(int restart)
{
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = restart };

	return sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &often, NULL);
}

static void leave_alone(void)
{
	struct itimerval never = {};

	setitimer(ITIMER_REAL, &never, NULL);
}

static int torture_produce(int ring, enum how how, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0);
	struct spscring_producer p;
	struct sleeper s;
	__u32 seed = 1;
	__u64 i;
	int err;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	sleeper_init(&s, how, fd, POLLOUT);
	for (i = 0; i < n; i++) {
		dawdle(&seed);
		while ((err = spscring_push(&p, &i)) == -EAGAIN) {
			err = producer_sleep_for_one(&s, &p);
			if (err && err != -EINTR)
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
TEST_F_TIMEOUT(torture, hand_over, 1800)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	__u64 n = hand_overs() / (variant->signals ? 10 : 1), i, v;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 2;
	int err = 0;
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		close(fd);
		if (variant->signals && disturb(variant->restart))
			_exit(4);
		_exit(torture_produce(self->ring, variant->how, n));
	}
	ASSERT_EQ(map_consumer(fd, &c, NULL), 0);
	if (variant->signals)
		ASSERT_EQ(disturb(variant->restart), 0);
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	for (i = 0; i < n && !err; i++) {
		dawdle(&seed);
		while ((err = spscring_pop(&c, &v)) == -EAGAIN) {
			err = consumer_sleep_for_one(&s, &c);
			if (err && err != -EINTR)
				break;
		}
		if (!err)
			ASSERT_EQ(v, i);
	}
	leave_alone();
	EXPECT_EQ(err, 0)
		TH_LOG("record %llu", i);
	if (err)
		kill(pid, SIGKILL);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_GT(info_of(self->ring).consumer_sleep.kicks, 0);
	tell_interrupts(self->ring);
	tell_hand_overs(self->ring, variant->how, slept(RUSAGE_CHILDREN), slept(RUSAGE_SELF));
	close(fd);
}

/* --------------------------------------- a busy ring makes no system call */

#define BUSY_CAPACITY	4096
#define BUSY_BATCH	64

FIXTURE(busy) {
	int ring;
};

FIXTURE_VARIANT(busy) {
	__u32 flags;
	__u32 batch;
};

FIXTURE_VARIANT_ADD(busy, one_by_one) { .batch = 1 };
FIXTURE_VARIANT_ADD(busy, in_batches) { .batch = BUSY_BATCH };
FIXTURE_VARIANT_ADD(busy, fence) { .batch = 1, .flags = SPSCRING_CREATE_FENCE };
FIXTURE_VARIANT_ADD(busy, fence_in_batches) {
	.batch = BUSY_BATCH,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(busy)
{
	SKIP_WITHOUT_DEVICE();
	/* EFAULT of a kernel that has it */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) && errno == EINVAL)
		SKIP(return, "no seccomp filters to count system calls by");
	self->ring = spscring_open(RING(.capacity = BUSY_CAPACITY, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(busy)
{
	close_fd(&self->ring);
}

/* Whatever this process asks of the kernel from now on, but to end it, kills it. */
static int forbid_calls(void)
{
	struct sock_filter only_exit[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, __builtin_offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { 4, only_exit };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static int push_busy(struct spscring_producer *p, __u64 *next, __u64 end, __u32 batch)
{
	__u64 recs[BUSY_BATCH];

	while (*next != end) {
		__u32 n = least(batch, end - *next), i;
		long some;

		for (i = 0; i < n; i++)
			recs[i] = *next + i;
		some = batch == 1 ? spscring_push(p, recs) ?: 1 : spscring_push_n(p, recs, n);
		if (some > 0)
			*next += some;
		else if (some != -EAGAIN)
			return some;
	}
	return 0;
}

static int pop_busy(struct spscring_consumer *c, __u64 *next, __u64 end, __u32 batch)
{
	__u64 recs[BUSY_BATCH];

	while (*next != end) {
		long some = batch == 1 ? spscring_pop(c, recs) ?: 1 :
			spscring_pop_n(c, recs, least(batch, end - *next)), i;

		if (some < 0 && some != -EAGAIN)
			return some;
		if (some < 0)
			spscring_relax(c);
		for (i = 0; i < some; i++)
			if (recs[i] != (*next)++)
				return -EILSEQ;
	}
	return 0;
}

/*
 * Each end sleeps, and wakes the other, before the calls are forbidden.  Two rings
 * full later its peer has passed all that it had told.
 */
static int busy_produce(int ring, __u32 batch, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0);
	struct spscring_producer p;
	__u64 next = 0;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	while (!info_of(ring).consumer_sleep.sleeps)
		sched_yield();
	if (push_busy(&p, &next, BUSY_CAPACITY, 1) ||
	    spscring_wait_room(&p, 1, in_ms(LONG)) ||
	    push_busy(&p, &next, 3 * BUSY_CAPACITY, batch) || forbid_calls())
		return 1;
	return push_busy(&p, &next, next + n, batch) ? 1 : 0;
}

static int busy_consume(int ring, __u32 batch, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_CONSUMER, 0);
	struct spscring_consumer c;
	__u64 next = 0;

	if (fd < 0 || map_consumer(fd, &c, NULL))
		return 2;
	no_spin(&c.base.spin, &c.base.spin_max);
	if (spscring_wait_records(&c, 1, in_ms(LONG)))
		return 1;
	while (!info_of(ring).producer_sleep.sleeps)
		sched_yield();
	if (pop_busy(&c, &next, 3 * BUSY_CAPACITY, batch) || forbid_calls())
		return 1;
	return pop_busy(&c, &next, next + n, batch) ? 1 : 0;
}

TEST_F(busy, no_calls)
{
	__u64 n = least(messages(), 10000000);
	pid_t producer, consumer;

	producer = fork_child();
	if (!producer)
		_exit(busy_produce(self->ring, variant->batch, n));
	consumer = fork_child();
	if (!consumer)
		_exit(busy_consume(self->ring, variant->batch, n));
	EXPECT_EQ(wait_child(producer), 0);
	EXPECT_EQ(wait_child(consumer), 0);
	EXPECT_EQ(info_of(self->ring).consumer_sleep.sleeps, 1);
	EXPECT_EQ(info_of(self->ring).producer_sleep.sleeps, 1);
}

/* ... and one would be seen: a KICK, an ioctl as WAIT is. */
TEST_F(busy, counted)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	struct spscring_consumer c;
	pid_t pid;

	ASSERT_EQ(map_consumer(fd, &c, NULL), 0);
	pid = fork_child();
	if (!pid)
		_exit(forbid_calls() ? 1 : do_ioctl(fd, SPSCRING_KICK, NULL));
	EXPECT_EQ(wait_child(pid), -SIGSYS);
	close(fd);
}

/* ------------------------------------------ the watchdog, by a seeded bug */

FIXTURE(lost) {
	int ring, in, out;
	struct spscring_producer p;
};

FIXTURE_VARIANT(lost) {
	enum how how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(lost, wait) { .how = BY_WAIT };
FIXTURE_VARIANT_ADD(lost, poll) { .how = BY_POLL };
FIXTURE_VARIANT_ADD(lost, epoll) { .how = BY_EPOLL };
FIXTURE_VARIANT_ADD(lost, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(lost, eventfd) { .how = BY_EVENTFD };
FIXTURE_VARIANT_ADD(lost, fence) { .how = BY_WAIT, .flags = SPSCRING_CREATE_FENCE };

FIXTURE_SETUP(lost)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(map_producer(self->in, &self->p, NULL), 0);
	patience = 300;
}

FIXTURE_TEARDOWN(lost)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

/* The bug: it does not look whether anybody sleeps. */
static void *push_unseen_soon(void *arg)
{
	sleep_ms(50);
	push_unseen(arg, 0);
	return NULL;
}

/* A wake-up that is lost is told as such, however the end sleeps. */
TEST_F(lost, told)
{
	struct spscring_consumer c;
	int err, tries = 10;
	pthread_t thread;
	struct sleeper s;
	__u64 v;

	ASSERT_EQ(map_consumer(self->out, &c, NULL), 0);
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, self->out, POLLIN);
	/* where it was not asleep yet the record was found */
	do {
		while (!spscring_pop(&c, &v))
			;
		ASSERT_EQ(pthread_create(&thread, NULL, push_unseen_soon, &self->p), 0);
		err = consumer_sleep_for_one(&s, &c);
		pthread_join(thread, NULL);
	} while (!err && --tries);
	EXPECT_EQ(err, -ETIMEDOUT);
}

/* Nor does a kernel end that has found it in the end say that it was woken. */
TEST(lost_kernel)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_SINK, .flags = SPSCRING_PEER_SLEEP,
		.cpu = -1, .batch = 1, .count = 1, .gap_ns = 300000000,
	};
	struct spscring_peer_result result = {};
	struct spscring_producer p;
	int tries = 10, peer, err;

	SKIP_WITHOUT_DEVICE();
	start.ring_fd = spscring_open(RING(.capacity = 64, .record_size = 8));
	ASSERT_GE(start.ring_fd, 0);
	ASSERT_EQ(map_producer(claim_end(start.ring_fd, SPSCRING_PRODUCER, 0), &p, NULL), 0);
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	/* where it was not asleep yet the record was found; the next takes the dead end over */
	do {
		ASSERT_EQ(do_ioctl(peer, SPSCRING_PEER_START, &start), 0);
		push_unseen_soon(&p);
		err = do_ioctl(peer, SPSCRING_PEER_WAIT, &result);
	} while (!err && !result.lost && --tries);
	EXPECT_EQ(err, 0);
	EXPECT_EQ(result.lost, 1);
	close(peer);
	close(start.ring_fd);
}

/* ------------------------------------------- a watermark strands no record */

FIXTURE(tail) {
	int ring;
};

FIXTURE_VARIANT(tail) {
	enum how how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(tail, poll) { .how = BY_POLL };
FIXTURE_VARIANT_ADD(tail, epoll) { .how = BY_EPOLL };
FIXTURE_VARIANT_ADD(tail, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(tail, fence_edge) {
	.how = BY_EPOLL_EDGE,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(tail)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 16, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(tail)
{
	close_fd(&self->ring);
}

/* Awake: a producer that sleeps for room has the consumer told of less than it waits for. */
static int until_all_taken(const struct spscring_producer *p)
{
	__s64 until = in_ms(LONG);

	while (!spscring_has_room(p, p->base.capacity)) {
		if (now_ns() > until)
			return -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

/* Bursts on either side of the watermark, each once all of the last is taken. */
static int burst_produce(int ring, __u64 bursts)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0), n, err;
	struct spscring_producer p;
	__u32 seed = 4;
	__u64 v = 0;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	while (bursts--) {
		for (n = (seed >> 16) % 9; n >= 0; n--) {
			if (spscring_push(&p, &v))
				return 1;
			v++;
			dawdle(&seed);
		}
		err = until_all_taken(&p);
		if (err) {
			printf("# record %llu: producer: %s\n", v, strerror(-err));
			return 1;
		}
	}
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

TEST_F_TIMEOUT(tail, taken, 600)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0), err;
	struct spscring_consumer c;
	__u64 next = 0;
	struct sleeper s;
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		close(fd);
		_exit(burst_produce(self->ring, some_hand_overs() / 20));
	}
	ASSERT_EQ(map_consumer(fd, &c, NULL), 0);
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	ASSERT_EQ(spscring_notify(fd, 5, 300000, -1), 0);
	do
		err = consume_next(&s, &c, &next);
	while (!err);
	EXPECT_EQ(err, -ESHUTDOWN)
		TH_LOG("record %llu", next);
	if (err != -ESHUTDOWN)
		kill(pid, SIGKILL);
	EXPECT_EQ(wait_child(pid), 0);
	close(fd);
}

/* --------------------------------------------------- two waiters on one end */

/* As libspscring does, for an index of its own. */
static int wait_index(int fd, __u64 index)
{
	struct spscring_wait want = { .size = sizeof(want), .index = index };
	int err;

	want.deadline = in_ms(LONG);
	while ((err = do_ioctl(fd, SPSCRING_WAIT, &want)) == -EAGAIN)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0))
			return -errno;
	return in_time(err, want.deadline);
}

struct stride {
	pthread_t thread;
	int fd, err;
};

/* Waits for every twelfth record, where the one beside it waits for each. */
static void *wait_in_strides(void *arg)
{
	struct stride *s = arg;
	__u64 index = 12;

	do {
		s->err = wait_index(s->fd, index);
		if (!s->err)
			index += 12;
		else if (s->err == -EINVAL)
			sched_yield();	/* too far ahead of the one that pops */
	} while (!s->err || s->err == -EINVAL);
	return NULL;
}

FIXTURE(two) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(two) {
	__u32 flags;
	bool quick;
};

FIXTURE_VARIANT_ADD(two, adaptive) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(two, quick) {
	.quick = true,
};

FIXTURE_VARIANT_ADD(two, fence) {
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(two)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(two)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

/* One that waits for less, again and again, leaves nobody behind, nor is left. */
TEST_F_TIMEOUT(two, indices, 600)
{
	struct stride s = { .fd = claim_end(self->ring, SPSCRING_CONSUMER, 0) };
	struct spscring_consumer c;
	__u64 next = 0, v;
	pid_t pid;
	int err;

	ASSERT_GE(s.fd, 0);
	pid = fork_child();
	if (!pid)
		_exit(burst_produce(self->ring, some_hand_overs() / 10));
	ASSERT_EQ(map_consumer(s.fd, &c, NULL), 0);
	ASSERT_EQ(pthread_create(&s.thread, NULL, wait_in_strides, &s), 0);
	do {
		err = spscring_pop(&c, &v);
		if (err == -EAGAIN)
			err = wait_index(s.fd, next + 1);
		else if (!err)
			ASSERT_EQ(v, next++);
	} while (!err);
	EXPECT_EQ(err, -ESHUTDOWN)
		TH_LOG("record %llu", next);
	if (err != -ESHUTDOWN)
		kill(pid, SIGKILL);
	EXPECT_EQ(pthread_join(s.thread, NULL), 0);
	EXPECT_EQ(s.err, -ESHUTDOWN);
	EXPECT_EQ(wait_child(pid), 0);
	close(s.fd);
}

/* ------------------------------------------- producers that die, one by one */

FIXTURE(killed) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(killed) {
	enum how how;
	__u32 flags;
	bool quick;
};

FIXTURE_VARIANT_ADD(killed, wait) { .how = BY_WAIT };
FIXTURE_VARIANT_ADD(killed, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(killed, quick) { .how = BY_WAIT, .quick = true };
FIXTURE_VARIANT_ADD(killed, fence) {
	.how = BY_WAIT,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(killed)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 20, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(killed)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

/* From where the last one was, until it is killed. */
static int produce_on(int ring, enum how how)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0), err;
	struct spscring_producer p;
	struct sleeper s;
	__u32 seed = 5;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	sleeper_init(&s, how, fd, POLLOUT);
	do {
		__u64 v = p.base.pos;

		dawdle(&seed);
		err = spscring_push(&p, &v);
		if (err == -EAGAIN)
			err = producer_sleep_for_one(&s, &p);
	} while (!err);
	return 1;
}

static pid_t victim;

static void kill_victim(int signal)
{
	(void)signal;
	kill(victim, SIGKILL);
}

/* Killed some time soon, while the consumer runs or sleeps. */
static int start_victim(int ring, enum how how, __u32 us)
{
	struct itimerval soon = { .it_value.tv_usec = us };

	victim = fork_child();
	if (!victim)
		_exit(produce_on(ring, how));
	/* the last one's death is told until this one has claimed */
	return wait_state(ring, SPSCRING_PRODUCER, SPSCRING_HELD) ?
		setitimer(ITIMER_REAL, &soon, NULL) : -1;
}

/* Each death wakes, and its successor goes on with the next record. */
TEST_F_TIMEOUT(killed, successor, 600)
{
	struct sigaction act = { .sa_handler = kill_victim, .sa_flags = SA_RESTART };
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0), i, err;
	const int rounds = some_hand_overs() / 100;
	struct spscring_consumer c;
	__u64 next = 0;
	struct sleeper s;
	__u32 seed = 6;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(sigaction(SIGALRM, &act, NULL), 0);
	ASSERT_EQ(map_consumer(fd, &c, NULL), 0);
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	for (i = 0; i < rounds; i++) {
		dawdle(&seed);
		ASSERT_EQ(start_victim(self->ring, variant->how, 1 + (seed >> 20)), 0);
		do
			err = consume_next(&s, &c, &next);
		while (!err || err == -EINTR);
		ASSERT_EQ(err, -EPIPE);
		ASSERT_EQ(wait_child(victim), -SIGKILL);
	}
	EXPECT_GT(next, 0);
	EXPECT_EQ(info_of(self->ring).length, 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
	close(fd);
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

		ring = spscring_open(RING(.capacity = 8, .record_size = 8));
		m->in[i] = claim_end(ring, SPSCRING_PRODUCER, 0);
		m->out[i] = claim_end(ring, SPSCRING_CONSUMER, 0);
		close(ring);
		if (m->out[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, m->out[i], &event))
			return -EIO;
	}
	return 0;
}

/* Of many rings those that have records are told, each once, all by one call. */
TEST(many_rings)
{
	static struct many m;
	int epoll = epoll_create1(EPOLL_CLOEXEC), round, i, n, busy;
	__u32 seed = 7;
	__u64 recs[8] = {};

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(many_open(&m, epoll), 0);
	ASSERT_EQ(epoll_wait(epoll, m.got, RINGS, 0), 0);
	for (round = 0; round < 20; round++) {
		busy = 0;
		for (i = 0; i < RINGS / 2; i++) {
			int *left;

			seed = seed * 1664525 + 1013904223;
			n = (seed >> 8) % RINGS;
			left = &m.left[n];
			if (*left == 8)
				continue;
			ASSERT_EQ(write(m.in[n], recs, 8), 8);
			busy += !(*left)++;
		}
		ASSERT_EQ(epoll_wait(epoll, m.got, RINGS, 0), busy);
		for (i = 0; i < busy; i++) {
			n = m.got[i].data.u32;
			ASSERT_EQ(read(m.out[n], recs, sizeof(recs)), 8 * m.left[n]);
			m.left[n] = 0;
		}
		for (i = 0; i < RINGS; i++)
			ASSERT_EQ(m.left[i], 0);
		ASSERT_EQ(epoll_wait(epoll, m.got, RINGS, 0), 0);
	}
}

/* ------------------------- a record comes between a poll's look and its arming */

FIXTURE(polled) {
	int ring, peer, fd;
	struct spscring_consumer c;
};

FIXTURE_SETUP(polled)
{
	const char *vm = getenv("SPSCRING_VM");

	SKIP_WITHOUT_DEVICE();
	if (vm && !strcmp(vm, "qemu"))
		SKIP(return, "a probe's key, switched under emulation, has hung the kernel");
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(map_consumer(self->fd, &self->c, NULL), 0);
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(polled)
{
	close_fd(&self->peer);
	close_fd(&self->fd);
	close_fd(&self->ring);
}

/* One in each of the next @n polls, by a peer whose kick comes behind the poll. */
static int push_in_polls(struct _test_data_polled *self, int n, __u32 flags)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_POLLED, .flags = flags, .ring_fd = self->ring,
		.cpu = -1, .batch = 1, .count = n,
	};

	return do_ioctl(self->peer, SPSCRING_PEER_START, &start);
}

static int pop_all(struct _test_data_polled *self)
{
	int n = 0;
	__u64 v;

	while (!spscring_pop(&self->c, &v))
		n++;
	return n;
}

/* By a wake-up, or at once: poll() looks once more when its time is up. */
static int poll_in_time(int fd)
{
	__s64 until = in_ms(LONG);

	return in_time(poll_one(fd, POLLIN, LONG), until);
}

/* Who found nothing looks once more: it is not slept through. */
TEST_F(polled, none)
{
	ASSERT_EQ(push_in_polls(self, 1, 0), 0);
	EXPECT_EQ(poll_in_time(self->fd), POLLIN);
	EXPECT_EQ(pop_all(self), 1);
}

TEST_F(polled, none_armed)
{
	ASSERT_EQ(push_in_polls(self, 1, SPSCRING_PEER_ARMED), 0);
	EXPECT_EQ(poll_in_time(self->fd), POLLIN);
	EXPECT_EQ(pop_all(self), 1);
}

/* A watermark's time begins with a first record that came in there. */
TEST_F(polled, first)
{
	ASSERT_EQ(spscring_notify(self->fd, 10, 20000000, -1), 0);
	ASSERT_EQ(push_in_polls(self, 1, SPSCRING_PEER_ARMED), 0);
	EXPECT_EQ(poll_in_time(self->fd), POLLIN);
}

/* It is an edge for who sleeps on the same end ... */
TEST_F(polled, edge)
{
	int epoll = epoll_of(self->fd, EPOLLIN | EPOLLET);

	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_in_polls(self, 4, 0), 0);
	EXPECT_EQ(poll_one(self->fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	EXPECT_EQ(pop_all(self), 2);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	EXPECT_EQ(poll_one(self->fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	EXPECT_EQ(pop_all(self), 2);
	close(epoll);
}

/* ... and where the poll had found others, whose index is not to be overwritten. */
TEST_F(polled, edge_beside)
{
	int epoll = epoll_of(self->fd, EPOLLIN | EPOLLET);

	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_in_polls(self, 3, 0), 0);
	EXPECT_EQ(poll_one(self->fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	EXPECT_EQ(poll_one(self->fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(epoll_next(epoll, LONG), EPOLLIN);
	EXPECT_EQ(pop_all(self), 3);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	close(epoll);
}

/* ------------------------------------------------------- a kernel end sleeps */

FIXTURE(kernel) {
	int ring, peer;
	struct quick quick;
};

FIXTURE_VARIANT(kernel) {
	__u32 op;
	enum how how;
	bool quick;
};

FIXTURE_VARIANT_ADD(kernel, consumes) { .op = SPSCRING_PEER_SINK, .how = BY_WAIT };
FIXTURE_VARIANT_ADD(kernel, consumes_edge) { .op = SPSCRING_PEER_SINK, .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(kernel, consumes_quick) { .op = SPSCRING_PEER_SINK, .quick = true };
FIXTURE_VARIANT_ADD(kernel, produces_quick) { .op = SPSCRING_PEER_SOURCE, .quick = true };
FIXTURE_VARIANT_ADD(kernel, quick_edge) { SPSCRING_PEER_SOURCE, BY_EPOLL_EDGE, .quick = true };
FIXTURE_VARIANT_ADD(kernel, produces) { .op = SPSCRING_PEER_SOURCE, .how = BY_WAIT };
FIXTURE_VARIANT_ADD(kernel, produces_edge) { .op = SPSCRING_PEER_SOURCE, .how = BY_EPOLL_EDGE };

FIXTURE_SETUP(kernel)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 3, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(kernel)
{
	quick_end(&self->quick);
	close_fd(&self->peer);
	close_fd(&self->ring);
}

static int kernel_consume(int ring, enum how how, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_CONSUMER, 0), err = 0;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 3;
	__u64 i, v;

	if (fd < 0 || map_consumer(fd, &c, NULL))
		return -EIO;
	no_spin(&c.base.spin, &c.base.spin_max);
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

TEST_F_TIMEOUT(kernel, hand_over, 1800)
{
	struct spscring_peer_start start = {
		.op = variant->op, .flags = SPSCRING_PEER_SLEEP | SPSCRING_PEER_SHUTDOWN,
		.ring_fd = self->ring, .cpu = -1, .batch = 1,
		.count = 4 * hand_overs(),	/* where one is cheapest */
	};
	struct spscring_peer_result result = {};
	struct spscring_info info;

	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_START, &start), 0);
	EXPECT_EQ(variant->op == SPSCRING_PEER_SINK ?
		  torture_produce(self->ring, variant->how, start.count) :
		  kernel_consume(self->ring, variant->how, start.count), 0);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, 0);
	EXPECT_EQ(result.done, start.count);
	EXPECT_EQ(result.wrong, 0);
	EXPECT_EQ(result.lost, 0);
	info = info_of(self->ring);
	EXPECT_GT(info.consumer_sleep.wakes + info.producer_sleep.wakes, 0);
	tell_interrupts(self->ring);
	if (variant->op == SPSCRING_PEER_SINK)
		tell_hand_overs(self->ring, variant->how, slept(RUSAGE_SELF),
				info.consumer_sleep.sleeps);
	else
		tell_hand_overs(self->ring, variant->how, info.producer_sleep.sleeps,
				slept(RUSAGE_SELF));
}

TEST_HARNESS_MAIN
