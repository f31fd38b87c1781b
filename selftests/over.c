// SPDX-License-Identifier: GPL-2.0
/*
 * An end that its own holder has shut down: every verb of it says so, who waits in one
 * is woken, and no record comes after the end of the stream.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

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
	self->ring = spscring_open(variant->flags ?
				   RING(.capacity = 64 * 16, .flags = variant->flags) :
				   RING(.capacity = 64, .record_size = LENGTH));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
}

FIXTURE_TEARDOWN(over)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
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

/* What every end that is over says. */
static int calls_are_over(int fd)
{
	return wait_call(fd, 0, 1) == -ESHUTDOWN && wait_call(fd, 0, 0) == -ESHUTDOWN &&
		wait_call(fd, SPSCRING_WAIT_ARM, 1) == -ESHUTDOWN &&
		spscring_notify(fd, 1, 0, -1) == -ESHUTDOWN;
}

/* A producer: what it had written is read, then the end of the stream, and that is all. */
TEST_F(over, producer)
{
	struct iovec two[] = { { (void *)&rec, 4 }, { (char *)&rec + 4, 4 } };
	int pipes[2];

	ASSERT_EQ(pipe(pipes), 0);
	ASSERT_EQ(put(pipes[1]), LENGTH);
	ASSERT_EQ(put(self->in), LENGTH);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(put(self->in), -ESHUTDOWN);
	EXPECT_EQ(negative_errno(writev(self->in, two, 2)), -ESHUTDOWN);
	EXPECT_EQ(negative_errno(splice(pipes[0], NULL, self->in, NULL, LENGTH, 0)), -ESHUTDOWN);
	EXPECT_TRUE(calls_are_over(self->in));
	EXPECT_EQ(poll_one(self->in, all, 0), POLLOUT | POLLHUP | POLLRDHUP);
	EXPECT_EQ(get(self->out), LENGTH);
	EXPECT_EQ(get(self->out), 0);
	EXPECT_EQ(put(self->in), -ESHUTDOWN);
	EXPECT_EQ(get(self->out), 0);
	EXPECT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_SHUT_DOWN);
	close(pipes[0]);
	close(pipes[1]);
}

/* A consumer: 0 stays what the producer's end is. */
TEST_F(over, consumer)
{
	char to[LENGTH];
	struct iovec two[] = { { to, 4 }, { to + 4, 4 } };
	int pipes[2];

	ASSERT_EQ(pipe(pipes), 0);
	ASSERT_EQ(put(self->in), LENGTH);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(get(self->out), -ESHUTDOWN);
	EXPECT_EQ(negative_errno(readv(self->out, two, 2)), -ESHUTDOWN);
	EXPECT_EQ(negative_errno(splice(self->out, NULL, pipes[1], NULL, LENGTH, 0)), -ESHUTDOWN);
	EXPECT_TRUE(calls_are_over(self->out));
	EXPECT_EQ(poll_one(self->out, all, 0), POLLIN | POLLHUP | POLLRDHUP);
	/* the producer's end besides changes nothing */
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(get(self->out), -ESHUTDOWN);
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

/* Of a ring that is full, or empty: the thread sleeps by the time this returns. */
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

	ASSERT_EQ(start(&t[0], self->ring, sleep_in_epoll), 0);
	ASSERT_EQ(start(&t[1], self->ring, sleep_in_poll), 0);
	ASSERT_EQ(start(&t[2], self->ring, sleep_in_call), 0);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(pthread_join(t[i].id, NULL), 0);
	EXPECT_EQ(t[0].got, EPOLLIN | EPOLLHUP);
	EXPECT_EQ(t[1].got, POLLIN | POLLHUP);
	EXPECT_EQ(t[2].got, -ESHUTDOWN);
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
		return;	/* it does not wait for room */
	ASSERT_EQ(fill(self->in), 0);
	ASSERT_EQ(start(&t[0], self->ring, sleep_in_epoll), 0);
	ASSERT_EQ(start(&t[1], self->ring, sleep_in_poll), 0);
	ASSERT_EQ(start(&t[2], self->ring, sleep_in_call), 0);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(pthread_join(t[i].id, NULL), 0);
	EXPECT_EQ(t[0].got, EPOLLOUT | EPOLLHUP);
	EXPECT_EQ(t[1].got, POLLOUT | POLLHUP);
	EXPECT_EQ(t[2].got, -ESHUTDOWN);
}

/* ----------------------------------- no record comes after the end of the stream */

/* One, or as frames many at once, until it is refused. */
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

/* Whatever write() has said that it wrote is read, and then nothing more. */
TEST_F(over, last_is_last)
{
	const int rounds = 40;
	int i;

	for (i = 0; i < rounds; i++) {
		int ring = spscring_open(variant->flags ?
					 RING(.capacity = 64 * 16, .flags = variant->flags) :
					 RING(.capacity = 64, .record_size = LENGTH));
		struct thread t = { .records = variant->flags ? 1 : i % 2 ? 1 : MANY };
		int out = claim_end(ring, SPSCRING_CONSUMER, 0);
		__u64 n;

		t.fd = claim_end(ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(t.fd, 0);
		ASSERT_EQ(pthread_create(&t.id, NULL, write_until_over, &t), 0);
		while (READ_ONCE(t.calls) < (__u64)i % 20)
			get(out);
		ASSERT_EQ(spscring_shutdown(t.fd, 0), 0);
		n = read_to_end(out);
		ASSERT_NE(n, ~0ULL);
		ASSERT_EQ(pthread_join(t.id, NULL), 0);
		EXPECT_EQ(t.got, -ESHUTDOWN);
		ASSERT_EQ(get(out), 0);
		ASSERT_EQ(info_of(ring).tail, info_of(ring).head);
		close(t.fd);
		close(out);
		close(ring);
	}
}

/* --------------------------- a write() whose own memory holds it up meanwhile */

struct held {
	struct thread write, down;
	void *page;
	int fault;
};

static void *write_page(void *arg)
{
	struct held *h = arg;

	h->write.got = negative_errno(write(h->write.fd, h->page, LENGTH));
	return NULL;
}

static void *shut_down(void *arg)
{
	struct held *h = arg;
	struct spscring_shutdown down = { .size = sizeof(down) };

	h->down.got = do_ioctl(h->down.fd, SPSCRING_SHUTDOWN, &down);
	return NULL;
}

/* 0: the write() is in the midst of its record. */
static int hold(struct held *h, int fd)
{
	long size = sysconf(_SC_PAGESIZE);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;

	h->write.fd = fd;
	h->down.fd = fd;
	h->page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	h->fault = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC));
	if (h->fault < 0)
		return h->fault;
	range.range.start = (unsigned long)h->page;
	range.range.len = size;
	if (ioctl(h->fault, UFFDIO_API, &api) || ioctl(h->fault, UFFDIO_REGISTER, &range))
		return -errno;
	if (pthread_create(&h->write.id, NULL, write_page, h))
		return -ENOMEM;
	return read(h->fault, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

static int let_go(struct held *h)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)h->page, sysconf(_SC_PAGESIZE) },
	};

	if (ioctl(h->fault, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	pthread_join(h->write.id, NULL);
	close(h->fault);
	return 0;
}

/* Its record is finished, and is the last: the end is told behind it. */
TEST_F(over, held_write)
{
	struct held h = {};

	ASSERT_EQ(hold(&h, self->in), 0);
	ASSERT_EQ(pthread_create(&h.down.id, NULL, shut_down, &h), 0);
	/* over for all others at once */
	while (poll_one(self->in, POLLOUT | POLLRDHUP, 0) != (POLLOUT | POLLHUP | POLLRDHUP))
		sleep_ms(1);
	EXPECT_TRUE(calls_are_over(self->in));
	/* but the peer does not know yet */
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	ASSERT_EQ(nonblock(self->out), 0);
	EXPECT_EQ(get(self->out), -EAGAIN);
	ASSERT_EQ(let_go(&h), 0);
	ASSERT_EQ(pthread_join(h.down.id, NULL), 0);
	EXPECT_EQ(h.write.got, LENGTH);
	EXPECT_EQ(h.down.got, 0);
	EXPECT_EQ(get(self->out), LENGTH);
	EXPECT_EQ(get(self->out), 0);
	EXPECT_EQ(get(self->out), 0);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A SHUTDOWN that waits for it can be interrupted; the close that follows is the end. */
TEST_F(over, interrupted)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct held h = {};

	ASSERT_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	ASSERT_EQ(hold(&h, self->in), 0);
	ASSERT_EQ(pthread_create(&h.down.id, NULL, shut_down, &h), 0);
	/* until it is in the call, and after */
	while (pthread_kill(h.down.id, 0) == 0 && !READ_ONCE(h.down.got)) {
		if (poll_one(self->in, POLLHUP, 0) & POLLHUP)
			pthread_kill(h.down.id, SIGUSR1);
		sleep_ms(1);
	}
	ASSERT_EQ(pthread_join(h.down.id, NULL), 0);
	EXPECT_EQ(h.down.got, -EINTR);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	EXPECT_EQ(wait_call(self->in, 0, 1), -ESHUTDOWN);
	ASSERT_EQ(let_go(&h), 0);
	EXPECT_EQ(h.write.got, LENGTH);
	EXPECT_EQ(get(self->out), LENGTH);
	close_fd(&self->in);
	EXPECT_EQ(get(self->out), 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_SHUT_DOWN);
}

TEST_HARNESS_MAIN
