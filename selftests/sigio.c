// SPDX-License-Identifier: GPL-2.0
/*
 * O_ASYNC: the owner of an endpoint fd is sent a signal when there is something to read, or room,
 * as with a pipe.  A process that sleeps in sigtimedwait() is woken by nothing else.
 */
#include <pthread.h>

#include "sleep.h"
#include "spscring_peer.h"

#define SIGNAL	(SIGRTMIN + 1)

/* Blocked signals stay pending until sigtimedwait() takes them. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	sigaddset(&set, SIGIO);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

FIXTURE(sigio) {
	int ring, in, out;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping p_map, c_map;
};

FIXTURE_SETUP(sigio)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, block_signals());
	ASSERT_EQ(0, open_ends(RING(.capacity = 4, .element_size = 8), &self->ring, &self->in,
			       &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, &self->p_map));
	ASSERT_EQ(0, map_consumer(self->out, &self->c, &self->c_map));
}

FIXTURE_TEARDOWN(sigio)
{
	close_ends(&self->ring, &self->in, &self->out);
}

static int set_async(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	return negative_errno(fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC));
}

static int own(int fd)
{
	if (fcntl(fd, F_SETOWN, getpid()) || fcntl(fd, F_SETSIG, SIGNAL))
		return -errno;
	return set_async(fd, true);
}

/* Take the next signal, within @ms; or -EAGAIN. */
static int next_signal(int ms, int *fd, int *code)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	siginfo_t info = {};
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	sigaddset(&set, SIGIO);		/* sent instead when too many are queued */
	do
		signal = sigtimedwait(&set, &info, &time);
	while (signal < 0 && errno == EINTR);
	if (signal < 0)
		return -errno;
	if (fd)
		*fd = info.si_fd;
	if (code)
		*code = info.si_code;
	return signal;
}

static bool none(void)
{
	return next_signal(0, NULL, NULL) == -EAGAIN;
}

static bool told(int fd, int code)
{
	int got_fd, got_code;

	return next_signal(LONG, &got_fd, &got_code) == SIGNAL && got_fd == fd && got_code == code;
}

/* Each element causes one signal ... */
TEST_F(sigio, records)
{
	__u64 i, v;

	ASSERT_EQ(0, own(self->out));
	EXPECT_TRUE(none());
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, spscring_push(&self->p, &i));
		ASSERT_TRUE(told(self->out, POLL_IN));
		ASSERT_EQ(0, spscring_pop(&self->c, &v));
		ASSERT_TRUE(none());
	}
	/* ... also an element that comes after unread ones */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, spscring_push(&self->p, &i));
		ASSERT_TRUE(told(self->out, POLL_IN));
	}
	EXPECT_TRUE(none());
}

TEST_F(sigio, room)
{
	__u64 i, v = 0;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, own(self->in));
	EXPECT_TRUE(none());
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(-EAGAIN, spscring_push(&self->p, &v));
		ASSERT_EQ(0, spscring_pop(&self->c, &v));
		ASSERT_TRUE(told(self->in, POLL_OUT));
		ASSERT_EQ(0, spscring_push(&self->p, &v));
		ASSERT_TRUE(none());
	}
}

/* The signal is SIGIO if no other was asked for; there is none once O_ASYNC is off. */
TEST_F(sigio, off)
{
	__u64 v = 0;

	ASSERT_EQ(0, fcntl(self->out, F_SETOWN, getpid()));
	ASSERT_EQ(0, set_async(self->out, true));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	EXPECT_EQ(SIGIO, next_signal(LONG, NULL, NULL));
	ASSERT_EQ(0, set_async(self->out, false));
	ASSERT_EQ(0, spscring_pop(&self->c, &v));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_pop(&self->c, &v));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	EXPECT_TRUE(none());
	/* O_ASYNC sends no signal for elements already there, only for later ones */
	ASSERT_EQ(0, set_async(self->out, true));
	EXPECT_TRUE(none());
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	EXPECT_EQ(SIGIO, next_signal(LONG, NULL, NULL));
	spscring_unmap(&self->c_map);
	close_fd(&self->out);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_CONSUMER));
	EXPECT_TRUE(none());
}

/* Signals follow the watermark and its timeout, and a new watermark applies at once. */
TEST_F(sigio, watermark)
{
	__u64 v = 0;
	int i;

	ASSERT_EQ(0, spscring_notify(self->out, 3, 0, -1));
	ASSERT_EQ(0, own(self->out));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, spscring_push(&self->p, &v));
		ASSERT_EQ(0, spscring_push(&self->p, &v));
		ASSERT_TRUE(none());
		ASSERT_EQ(0, spscring_push(&self->p, &v));
		ASSERT_TRUE(told(self->out, POLL_IN));
		while (!spscring_pop(&self->c, &v))
			;
	}
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_TRUE(none());
	ASSERT_EQ(0, spscring_notify(self->out, 3, 1000000, -1));
	ASSERT_TRUE(told(self->out, POLL_IN));
	ASSERT_EQ(0, spscring_notify(self->out, 3, 0, -1));
	ASSERT_TRUE(none());
	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, -1));
	EXPECT_TRUE(told(self->out, POLL_IN));
}

/* The watermarks of both ends together exceed the ring, and only signals wake the ends. */
TEST_F(sigio, watermarks)
{
	__u64 v = 0;

	ASSERT_EQ(0, spscring_notify(self->out, 3, 0, -1));
	ASSERT_EQ(0, spscring_notify(self->in, 3, 0, -1));
	ASSERT_EQ(0, own(self->out));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	EXPECT_TRUE(none());
	ASSERT_EQ(0, own(self->in));
	EXPECT_TRUE(told(self->out, POLL_IN));
	ASSERT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_TRUE(told(self->in, POLL_OUT));
}

TEST_F(sigio, ends)
{
	ASSERT_EQ(0, own(self->out));
	spscring_unmap(&self->p_map);
	close_fd(&self->in);
	EXPECT_TRUE(told(self->out, POLL_IN));
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_TRUE(told(self->out, POLL_IN));
	EXPECT_TRUE(none());
	/* as another thread of this process would shut it down */
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_TRUE(told(self->out, POLL_IN));
}

TEST_F(sigio, peer_shut_down)
{
	ASSERT_EQ(0, own(self->in));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_TRUE(told(self->in, POLL_OUT));
}

TEST_F(sigio, broken)
{
	ASSERT_EQ(0, own(self->out));
	ASSERT_EQ(0, own(self->in));
	ASSERT_EQ(0, spscring_shutdown(self->out, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(SIGNAL, next_signal(LONG, NULL, NULL));
	EXPECT_EQ(SIGNAL, next_signal(LONG, NULL, NULL));
}

TEST(sigio_busy_poll)
{
	int ring, out;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 64, .element_size = 8,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(out, 0);
	EXPECT_EQ(-EOPNOTSUPP, set_async(out, true));
	EXPECT_EQ(0, set_async(out, false));
	close(out);
	close(ring);
}

/* --------------------------- no wake-up is lost where ends sleep for signals */

/* Sleep until there is another signal: 0, or a negative errno. */
static int sleep_for_signal(__u64 *signals)
{
	int signal = next_signal(LONG, NULL, NULL);

	if (signal < 0)
		return signal == -EAGAIN ? -ETIMEDOUT : signal;
	++*signals;
	return 0;
}

static int produce_by_signals(int fd, __u64 n, __u64 *signals)
{
	struct spscring_producer p;
	__u64 i = 0;
	int err = map_producer(fd, &p, NULL) ?: own(fd);

	while (!err && i < n) {
		err = spscring_push(&p, &i);
		if (!err)
			i++;
		else if (err == -EAGAIN)
			err = sleep_for_signal(signals);
	}
	return err;
}

static int consume_by_signals(int fd, __u64 n, __u64 *signals)
{
	struct spscring_consumer c;
	__u64 i = 0, v;
	int err = map_consumer(fd, &c, NULL) ?: own(fd);

	while (!err && i < n) {
		err = spscring_pop(&c, &v);
		if (!err && v != i++)
			err = -EILSEQ;
		else if (err == -EAGAIN)
			err = sleep_for_signal(signals);
	}
	return err;
}

static __u64 hand_overs(void)
{
	return messages() < 1000000 ? 2000 : 20000;
}

FIXTURE(signalled) {
	int ring;
};

FIXTURE_VARIANT(signalled) {
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(signalled, one) { .capacity = 1 };
FIXTURE_VARIANT_ADD(signalled, some) { .capacity = 3 };

FIXTURE_SETUP(signalled)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, block_signals());
	self->ring = spscring_open(RING(.capacity = variant->capacity, .element_size = 8));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(signalled)
{
	close_fd(&self->ring);
}

/* Two processes hand over, with no more signals than there are elements. */
TEST_F_TIMEOUT(signalled, hand_over, 1800)
{
	int out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	__u64 n = hand_overs(), signals = 0;
	pid_t pid = fork_child();

	if (!pid) {
		int in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		int err = produce_by_signals(in, n, &signals);

		if (err)
			printf("# producer: %s\n", strerror(-err));
		_exit(err ? 1 : signals > n ? 2 : 0);
	}
	EXPECT_EQ(0, consume_by_signals(out, n, &signals));
	EXPECT_EQ(0, wait_child(pid));
	/* none, if this end never has to wait; one more for the peer's death */
	EXPECT_LE(signals, n + 1);
	close(out);
}

/* The peer is an end in the kernel that sleeps, in either direction. */
TEST_F_TIMEOUT(signalled, kernel, 1800)
{
	struct spscring_peer_start start = {
		.flags = SPSCRING_PEER_SLEEP | SPSCRING_PEER_SHUTDOWN, .ring_fd = self->ring,
		.cpu = -1, .batch = 1, .count = hand_overs(),
	};
	bool sink = variant->capacity == 1;
	struct spscring_peer_result result = {};
	int peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC), fd;
	__u64 signals = 0;

	ASSERT_GE(peer, 0);
	start.op = sink ? SPSCRING_PEER_SINK : SPSCRING_PEER_SOURCE;
	fd = claim_end(self->ring, sink ? SPSCRING_PRODUCER : SPSCRING_CONSUMER, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_START, &start));
	EXPECT_EQ(0, sink ? produce_by_signals(fd, start.count, &signals) :
			    consume_by_signals(fd, start.count, &signals));
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(0, result.err);
	EXPECT_EQ(start.count, result.done);
	EXPECT_EQ(0, result.wrong);
	EXPECT_EQ(0, result.lost);
	/* none, if this end never has to wait */
	EXPECT_LE(signals, start.count + 1);
	close(peer);
	close(fd);
}

TEST_HARNESS_MAIN
