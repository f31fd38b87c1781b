// SPDX-License-Identifier: GPL-2.0
/*
 * O_ASYNC: the owner of an end's file is sent a signal where it has something to read,
 * or room, as of a pipe.  Who sleeps in sigtimedwait() is woken by nothing else.
 */
#include <pthread.h>

#include "sleep.h"
#include "spscring_peer.h"

#define SIGNAL	(SIGRTMIN + 1)

/* They wait to be taken by sigtimedwait(). */
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
	ASSERT_EQ(block_signals(), 0);
	ASSERT_EQ(open_ends(RING(.capacity = 4, .record_size = 8),
			    &self->ring, &self->in, &self->out), 0);
	ASSERT_EQ(map_producer(self->in, &self->p, &self->p_map), 0);
	ASSERT_EQ(map_consumer(self->out, &self->c, &self->c_map), 0);
}

FIXTURE_TEARDOWN(sigio)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
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

/* The next signal's fd and band, within @ms; or -EAGAIN. */
static int next_signal(int ms, int *fd, int *code)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	siginfo_t info = {};
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	sigaddset(&set, SIGIO);		/* what there is when too many are queued */
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

/* Each record is told once, where it finds the ring drained. */
TEST_F(sigio, records)
{
	__u64 i, v;

	ASSERT_EQ(own(self->out), 0);
	EXPECT_TRUE(none());
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(spscring_push(&self->p, &i), 0);
		ASSERT_TRUE(told(self->out, POLL_IN));
		ASSERT_EQ(spscring_pop(&self->c, &v), 0);
		ASSERT_TRUE(none());
	}
	/* and where it does not */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(spscring_push(&self->p, &i), 0);
		ASSERT_TRUE(told(self->out, POLL_IN));
	}
	EXPECT_TRUE(none());
}

TEST_F(sigio, room)
{
	__u64 i, v = 0;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(own(self->in), 0);
	EXPECT_TRUE(none());
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(spscring_push(&self->p, &v), -EAGAIN);
		ASSERT_EQ(spscring_pop(&self->c, &v), 0);
		ASSERT_TRUE(told(self->in, POLL_OUT));
		ASSERT_EQ(spscring_push(&self->p, &v), 0);
		ASSERT_TRUE(none());
	}
}

/* SIGIO where no other signal was asked for, and nothing once it is off. */
TEST_F(sigio, off)
{
	__u64 v = 0;

	ASSERT_EQ(fcntl(self->out, F_SETOWN, getpid()), 0);
	ASSERT_EQ(set_async(self->out, true), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	EXPECT_EQ(next_signal(LONG, NULL, NULL), SIGIO);
	ASSERT_EQ(set_async(self->out, false), 0);
	ASSERT_EQ(spscring_pop(&self->c, &v), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(spscring_pop(&self->c, &v), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	EXPECT_TRUE(none());
	/* what is there when it is switched on is not told, what comes is */
	ASSERT_EQ(set_async(self->out, true), 0);
	EXPECT_TRUE(none());
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	EXPECT_EQ(next_signal(LONG, NULL, NULL), SIGIO);
	spscring_unmap(&self->c_map);
	close_fd(&self->out);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_DEAD);
	EXPECT_TRUE(none());
}

/* The watermark is theirs, too, and its time; and a new one is gone by at once. */
TEST_F(sigio, watermark)
{
	__u64 v = 0;
	int i;

	ASSERT_EQ(spscring_notify(self->out, 3, 0, -1), 0);
	ASSERT_EQ(own(self->out), 0);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(spscring_push(&self->p, &v), 0);
		ASSERT_EQ(spscring_push(&self->p, &v), 0);
		ASSERT_TRUE(none());
		ASSERT_EQ(spscring_push(&self->p, &v), 0);
		ASSERT_TRUE(told(self->out, POLL_IN));
		while (!spscring_pop(&self->c, &v))
			;
	}
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_TRUE(none());
	ASSERT_EQ(spscring_notify(self->out, 3, 1000000, -1), 0);
	ASSERT_TRUE(told(self->out, POLL_IN));
	ASSERT_EQ(spscring_notify(self->out, 3, 0, -1), 0);
	ASSERT_TRUE(none());
	ASSERT_EQ(spscring_notify(self->out, 1, 0, -1), 0);
	EXPECT_TRUE(told(self->out, POLL_IN));
}

/* Two watermarks that exceed the ring, of signals alone. */
TEST_F(sigio, watermarks)
{
	__u64 v = 0;

	ASSERT_EQ(spscring_notify(self->out, 3, 0, -1), 0);
	ASSERT_EQ(spscring_notify(self->in, 3, 0, -1), 0);
	ASSERT_EQ(own(self->out), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	EXPECT_TRUE(none());
	ASSERT_EQ(own(self->in), 0);
	EXPECT_TRUE(told(self->out, POLL_IN));
	ASSERT_EQ(spscring_pop(&self->c, &v), 0);
	EXPECT_TRUE(told(self->in, POLL_OUT));
}

TEST_F(sigio, ends)
{
	ASSERT_EQ(own(self->out), 0);
	spscring_unmap(&self->p_map);
	close_fd(&self->in);
	EXPECT_TRUE(told(self->out, POLL_IN));
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_TRUE(told(self->out, POLL_IN));
	EXPECT_TRUE(none());
	/* by another thread, say */
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_TRUE(told(self->out, POLL_IN));
}

TEST_F(sigio, peer_shut_down)
{
	ASSERT_EQ(own(self->in), 0);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_TRUE(told(self->in, POLL_OUT));
}

TEST_F(sigio, broken)
{
	ASSERT_EQ(own(self->out), 0);
	ASSERT_EQ(own(self->in), 0);
	ASSERT_EQ(spscring_shutdown(self->out, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(next_signal(LONG, NULL, NULL), SIGNAL);
	EXPECT_EQ(next_signal(LONG, NULL, NULL), SIGNAL);
}

TEST(sigio_busy_poll)
{
	int ring, out;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 64, .record_size = 8,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(out, 0);
	EXPECT_EQ(set_async(out, true), -EOPNOTSUPP);
	EXPECT_EQ(set_async(out, false), 0);
	close(out);
	close(ring);
}

/* ------------------------------- no wake-up is lost where either end sleeps so */

/* 0 once there is another. */
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
	ASSERT_EQ(block_signals(), 0);
	self->ring = spscring_open(RING(.capacity = variant->capacity, .record_size = 8));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(signalled)
{
	close_fd(&self->ring);
}

/* Of two processes; no more signals than there were records. */
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
		_exit(err ? 1 : signals == 0 || signals > n ? 2 : 0);
	}
	EXPECT_EQ(consume_by_signals(out, n, &signals), 0);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_GT(signals, 0);
	EXPECT_LE(signals, n + 1);	/* and the peer's death */
	close(out);
}

/* The kernel's end sleeps and wakes, in either direction. */
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
	ASSERT_EQ(do_ioctl(peer, SPSCRING_PEER_START, &start), 0);
	EXPECT_EQ(sink ? produce_by_signals(fd, start.count, &signals) :
		  consume_by_signals(fd, start.count, &signals), 0);
	ASSERT_EQ(do_ioctl(peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, 0);
	EXPECT_EQ(result.done, start.count);
	EXPECT_EQ(result.wrong, 0);
	EXPECT_EQ(result.lost, 0);
	EXPECT_GT(signals, 0);
	EXPECT_LE(signals, start.count + 1);
	close(peer);
	close(fd);
}

TEST_HARNESS_MAIN
