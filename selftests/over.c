// SPDX-License-Identifier: GPL-2.0
/*
 * An end that its own holder has shut down: every call on it returns ESHUTDOWN, the kernel wakes a
 * thread that sleeps in one, and no record follows the end of the stream.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "held_call.h"
#include "sleep.h"

#define LENGTH	8
#define MANY	1000

FIXTURE(over) {
	int ring, in, out;
};

FIXTURE_VARIANT(over) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(over, frames) { .flags = 0 };
FIXTURE_VARIANT_ADD(over, any_size) { .flags = SPSCRING_CREATE_RECORDS };
FIXTURE_VARIANT_ADD(over, drops) { .flags = SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(over, overwrites) {
	.flags = SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE,
};

FIXTURE_SETUP(over)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(variant->flags ?
			       RING(.capacity = 64 * 16, .flags = variant->flags) :
			       RING(.capacity = 64, .element_size = LENGTH),
			       &self->ring, &self->in, &self->out));
}

FIXTURE_TEARDOWN(over)
{
	close_ends(&self->ring, &self->in, &self->out);
}

static const __u64 rec = 7;

static long put(int fd)
{
	return negative_errno(write(fd, &rec, LENGTH));
}

static long get(int fd)
{
	char to[LENGTH];

	return negative_errno(read(fd, to, LENGTH));
}

static int wait_call(int fd, __u32 flags, __u64 index)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = flags, .index = index, .deadline = NEVER,
	};

	return do_ioctl(fd, SPSCRING_WAIT, &want);
}

static const short all = POLLIN | POLLOUT | POLLRDHUP;

/* Calls that every end refuses after its shutdown. */
static int calls_are_over(int fd)
{
	return wait_call(fd, 0, 1) == -ESHUTDOWN && wait_call(fd, 0, 0) == -ESHUTDOWN &&
		wait_call(fd, SPSCRING_WAIT_ARM, 1) == -ESHUTDOWN &&
		spscring_notify(fd, 1, 0, -1) == -ESHUTDOWN;
}

/* The consumer reads all that the producer wrote, then the end of the stream, as from a pipe. */
TEST_F(over, producer)
{
	struct iovec two[] = { { (void *)&rec, 4 }, { (char *)&rec + 4, 4 } };
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(LENGTH, put(pipes[1]));
	ASSERT_EQ(LENGTH, put(self->in));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(-ESHUTDOWN, put(self->in));
	EXPECT_EQ(-ESHUTDOWN, negative_errno(writev(self->in, two, 2)));
	EXPECT_EQ(-ESHUTDOWN, negative_errno(splice(pipes[0], NULL, self->in, NULL, LENGTH, 0)));
	EXPECT_TRUE(calls_are_over(self->in));
	EXPECT_EQ(POLLOUT | POLLHUP | POLLRDHUP, poll_one(self->in, all, 0));
	EXPECT_EQ(LENGTH, get(self->out));
	EXPECT_EQ(0, get(self->out));
	EXPECT_EQ(-ESHUTDOWN, put(self->in));
	EXPECT_EQ(0, get(self->out));
	EXPECT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_PRODUCER));
	close(pipes[0]);
	close(pipes[1]);
}

/* A consumer reads 0 after its own shutdown, whatever the producer does. */
TEST_F(over, consumer)
{
	char to[LENGTH];
	struct iovec two[] = { { to, 4 }, { to + 4, 4 } };
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(LENGTH, put(self->in));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(-ESHUTDOWN, get(self->out));
	EXPECT_EQ(-ESHUTDOWN, negative_errno(readv(self->out, two, 2)));
	EXPECT_EQ(-ESHUTDOWN, negative_errno(splice(self->out, NULL, pipes[1], NULL, LENGTH, 0)));
	EXPECT_TRUE(calls_are_over(self->out));
	EXPECT_EQ(POLLIN | POLLHUP | POLLRDHUP, poll_one(self->out, all, 0));
	/* a shutdown of the producer as well changes nothing */
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(-ESHUTDOWN, get(self->out));
	close(pipes[0]);
	close(pipes[1]);
}

/* ---------------------------------------------- told by another thread's call */

struct thread {
	pthread_t id;
	int fd;
	__u32 role;
	long got;
	__u64 calls, records;	/* records of each */
};

static void *sleep_in_epoll(void *arg)
{
	struct thread *t = arg;
	int epoll = epoll_of(t->fd, t->role == SPSCRING_PRODUCER ? EPOLLOUT : EPOLLIN);

	t->got = epoll_in_time(epoll);
	close(epoll);
	return NULL;
}

static void *sleep_in_poll(void *arg)
{
	struct thread *t = arg;
	__s64 until = in_ms(LONG);

	t->got = in_time(poll_one(t->fd, t->role == SPSCRING_PRODUCER ? POLLOUT : POLLIN, LONG),
			 until);
	return NULL;
}

static void *sleep_in_call(void *arg)
{
	struct thread *t = arg;

	t->got = t->role == SPSCRING_PRODUCER ? put(t->fd) : get(t->fd);
	return NULL;
}

static __u64 waits(int ring, __u32 role)
{
	struct spscring_info info = info_of(ring);
	struct spscring_sleep_counters *s = role == SPSCRING_PRODUCER ? &info.producer_sleep :
		&info.consumer_sleep;

	return s->sleeps + s->polls;
}

/* Start a thread at a ring that is full, or empty, and return once it sleeps. */
static int start(struct thread *t, int ring, void *(*sleeps)(void *))
{
	__u64 before = waits(ring, t->role);
	int err = pthread_create(&t->id, NULL, sleeps, t);

	while (!err && waits(ring, t->role) == before)
		sleep_ms(1);
	return -err;
}

static int fill(int fd)
{
	int i;

	for (i = 0; i < 64; i++)
		if (put(fd) != LENGTH)
			return -EIO;
	return 0;
}

TEST_F(over, woken_consumer)
{
	struct thread t[] = {
		{ .fd = self->out, .role = SPSCRING_CONSUMER },
		{ .fd = self->out, .role = SPSCRING_CONSUMER },
		{ .fd = self->out, .role = SPSCRING_CONSUMER },
	};
	int i;

	ASSERT_EQ(0, start(&t[0], self->ring, sleep_in_epoll));
	ASSERT_EQ(0, start(&t[1], self->ring, sleep_in_poll));
	ASSERT_EQ(0, start(&t[2], self->ring, sleep_in_call));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(t[i].id, NULL));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, t[0].got);
	EXPECT_EQ(POLLIN | POLLHUP, t[1].got);
	EXPECT_EQ(-ESHUTDOWN, t[2].got);
}

TEST_F(over, woken_producer)
{
	struct thread t[] = {
		{ .fd = self->in, .role = SPSCRING_PRODUCER },
		{ .fd = self->in, .role = SPSCRING_PRODUCER },
		{ .fd = self->in, .role = SPSCRING_PRODUCER },
	};
	int i;

	if (variant->flags & ~SPSCRING_CREATE_RECORDS)
		return;	/* a ring that drops or overwrites never waits for room */
	ASSERT_EQ(0, fill(self->in));
	ASSERT_EQ(0, start(&t[0], self->ring, sleep_in_epoll));
	ASSERT_EQ(0, start(&t[1], self->ring, sleep_in_poll));
	ASSERT_EQ(0, start(&t[2], self->ring, sleep_in_call));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(t[i].id, NULL));
	EXPECT_EQ(EPOLLOUT | EPOLLHUP, t[0].got);
	EXPECT_EQ(POLLOUT | POLLHUP, t[1].got);
	EXPECT_EQ(-ESHUTDOWN, t[2].got);
}

/* ----------------------------------- no record comes after the end of the stream */

/* Write until a write is refused: one record, or many elements, a call. */
static void *write_until_over(void *arg)
{
	static const __u64 recs[MANY];
	struct thread *t = arg;

	for (;;) {
		WRITE_ONCE(t->calls, t->calls + 1);
		t->got = negative_errno(write(t->fd, recs, t->records * LENGTH));
		if (t->got == -ENOBUFS)
			continue;
		if (t->got < 0)
			return NULL;
	}
}

static __u64 read_to_end(int fd)
{
	__u64 n = 0;
	long got;

	while ((got = get(fd)) == LENGTH)
		n++;
	return got ? ~0ULL : n;
}

/* The reader gets exactly the records that write() reported as written. */
TEST_F(over, last_is_last)
{
	const int rounds = 40;
	int i;

	for (i = 0; i < rounds; i++) {
		int ring = spscring_open(variant->flags ?
					 RING(.capacity = 64 * 16, .flags = variant->flags) :
					 RING(.capacity = 64, .element_size = LENGTH));
		struct thread t = { .records = variant->flags ? 1 : i % 2 ? 1 : MANY };
		int out = claim_end(ring, SPSCRING_CONSUMER, 0);
		__u64 n;

		t.fd = claim_end(ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(t.fd, 0);
		ASSERT_EQ(0, pthread_create(&t.id, NULL, write_until_over, &t));
		while (READ_ONCE(t.calls) < (__u64)i % 20)
			get(out);
		ASSERT_EQ(0, spscring_shutdown(t.fd, 0));
		n = read_to_end(out);
		ASSERT_NE(~0ULL, n);
		ASSERT_EQ(0, pthread_join(t.id, NULL));
		EXPECT_EQ(-ESHUTDOWN, t.got);
		ASSERT_EQ(0, get(out));
		ASSERT_EQ(info_of(ring).head, info_of(ring).tail);
		close(t.fd);
		close(out);
		close(ring);
	}
}

/* --------------------------- a write() whose own memory holds it up meanwhile */

struct held {
	struct held_call write;
	struct thread down;
};

static void *shut_down(void *arg)
{
	struct held *h = arg;
	struct spscring_shutdown down = { .size = sizeof(down) };

	h->down.got = do_ioctl(h->down.fd, SPSCRING_SHUTDOWN, &down);
	return NULL;
}

/* SHUTDOWN waits for a record that is being written: it is the last one. */
TEST_F(over, held_write)
{
	struct held h = {
		.write = { .fd = self->in, .size = LENGTH }, .down.fd = self->in,
	};

	ASSERT_EQ(0, hold(&h.write, write_from));
	ASSERT_EQ(0, pthread_create(&h.down.id, NULL, shut_down, &h));
	/* all other calls on the end are refused at once */
	while (poll_one(self->in, POLLOUT | POLLRDHUP, 0) != (POLLOUT | POLLHUP | POLLRDHUP))
		sleep_ms(1);
	EXPECT_TRUE(calls_are_over(self->in));
	/* but its state, which the peer reads, is not yet SHUT_DOWN */
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	ASSERT_EQ(0, nonblock(self->out));
	EXPECT_EQ(-EAGAIN, get(self->out));
	EXPECT_EQ(LENGTH, let_go(&h.write));
	ASSERT_EQ(0, pthread_join(h.down.id, NULL));
	EXPECT_EQ(0, h.down.got);
	EXPECT_EQ(LENGTH, get(self->out));
	EXPECT_EQ(0, get(self->out));
	EXPECT_EQ(0, get(self->out));
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A signal interrupts a SHUTDOWN that waits for a write(); the last close then ends the stream. */
TEST_F(over, interrupted)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct held h = {
		.write = { .fd = self->in, .size = LENGTH }, .down.fd = self->in,
	};

	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	ASSERT_EQ(0, hold(&h.write, write_from));
	ASSERT_EQ(0, pthread_create(&h.down.id, NULL, shut_down, &h));
	/* more than one signal, because the first may come before the call */
	while (pthread_kill(h.down.id, 0) == 0 && !READ_ONCE(h.down.got)) {
		if (poll_one(self->in, POLLHUP, 0) & POLLHUP)
			pthread_kill(h.down.id, SIGUSR1);
		sleep_ms(1);
	}
	ASSERT_EQ(0, pthread_join(h.down.id, NULL));
	EXPECT_EQ(-EINTR, h.down.got);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-ESHUTDOWN, wait_call(self->in, 0, 1));
	EXPECT_EQ(LENGTH, let_go(&h.write));
	EXPECT_EQ(LENGTH, get(self->out));
	close_fd(&self->in);
	EXPECT_EQ(0, get(self->out));
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_PRODUCER));
}

TEST_HARNESS_MAIN
