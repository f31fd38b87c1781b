// SPDX-License-Identifier: GPL-2.0
/*
 * A process waits for an end to come free: by poll() of the ring fd, or in a claim that sleeps.
 */
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "sleep.h"

#define WATCHDOG	60000	/* ms, for what must happen */

FIXTURE(ends) {
	int ring, in, out;
};

FIXTURE_SETUP(ends)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 64, .element_size = 8));
	ASSERT_GE(self->ring, 0);
	self->in = -1;
	self->out = -1;
}

FIXTURE_TEARDOWN(ends)
{
	close_ends(&self->ring, &self->in, &self->out);
}

/* As poll_one(), but fails if only the check at the timeout of @ms found it, and not a wake-up. */
static int polled(int fd, short events, int ms)
{
	__s64 until = in_ms(ms);
	int got = poll_one(fd, events, ms);

	return ms ? in_time(got, until) : got;
}

static int now(int fd)
{
	return polled(fd, POLLIN | POLLOUT | POLLRDHUP, 0);
}

static bool got_byte(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static int claim(int ring, __u32 role, __u32 flags)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .role = role, .flags = flags,
		.element_size = info_of(ring).geometry.element_size,
	};

	return do_ioctl(ring, SPSCRING_ENDPOINT, &want);
}

/* ---------------------------------------------------------------- the ring's poll */

TEST_F(ends, levels)
{
	int empty = device_open();

	EXPECT_EQ(POLLERR, now(empty));
	close(empty);
	EXPECT_EQ(POLLIN | POLLOUT, now(self->ring));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(POLLIN, now(self->ring));
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(0, now(self->ring));
	/* poll of the ring fd does not report elements */
	ASSERT_EQ(8, write(self->in, &(__u64){ 1 }, 8));
	EXPECT_EQ(0, now(self->ring));
	close_fd(&self->in);
	EXPECT_EQ(POLLOUT, now(self->ring));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(0, now(self->ring));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(POLLIN, now(self->ring));
	ASSERT_EQ(0, spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(POLLIN | POLLOUT | POLLERR, now(self->ring));
}

/* What poll() returns while a child does something, or has just done it. */
static int poll_while(int ring, int fd, short events, int (*act)(int fd))
{
	pid_t pid = fork_child();
	int ret;

	if (!pid) {
		sleep_ms(20);
		_exit(act(fd));
	}
	ret = polled(ring, events, WATCHDOG);
	return wait_child(pid) ? -EIO : ret;
}

static int shut_down(int fd)
{
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

/* Break the ring: the consumer writes an impossible cursor, then calls read(), which checks it. */
static int break_it(int fd)
{
	struct spscring_geometry g = info_of(fd).geometry;
	char *at = mmap(NULL, g.page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			g.consumer_offset);
	struct spscring_consumer_block *lines = (void *)(at + g.colour);

	if (at == MAP_FAILED)
		return 1;
	WRITE_ONCE(lines->cursor, 4);
	return read(fd, &g, sizeof(g)) != -1 || errno != EPIPE;
}

#define ends_t	FIXTURE_DATA(ends)

/* Replace the ring by one of records of variable size, in which read() checks the cursor. */
static int breakable(ends_t *self)
{
	close_fd(&self->ring);
	self->ring = spscring_open(RING(.capacity = 4096, .flags = SPSCRING_CREATE_RECORDS));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	return self->out < 0 ? self->out : 0;
}

TEST_F(ends, told_of_shutdown)
{
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(POLLIN, poll_while(self->ring, self->out, POLLIN, shut_down));
	EXPECT_EQ(POLLOUT, poll_while(self->ring, self->in, POLLOUT, shut_down));
}

TEST_F(ends, told_of_broken)
{
	ASSERT_EQ(0, breakable(self));
	EXPECT_EQ(POLLERR, poll_while(self->ring, self->out, 0, break_it));
}

/* poll wakes a supervisor when a worker claims, and when the worker is killed. */
TEST_F(ends, supervised)
{
	int i, up[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	for (i = 0; i < 20; i++) {
		__u32 role = i % 2 ? SPSCRING_PRODUCER : SPSCRING_CONSUMER;
		short bit = i % 2 ? POLLOUT : POLLIN;

		pid = fork_child();
		if (!pid)
			_exit(claim(self->ring, role, 0) < 0 || write(up[1], "u", 1) != 1 ?
			      1 : pause());
		ASSERT_TRUE(got_byte(up[0]));
		EXPECT_EQ(bit ^ (POLLIN | POLLOUT), now(self->ring));
		kill(pid, SIGKILL);
		EXPECT_EQ(bit, polled(self->ring, bit, WATCHDOG));
		EXPECT_EQ(-SIGKILL, wait_child(pid));
		EXPECT_EQ(0, info_of(self->ring).broken);
	}
	close(up[0]);
	close(up[1]);
}

TEST_F(ends, epoll_level)
{
	int ep = epoll_of(self->ring, EPOLLIN | EPOLLOUT);

	ASSERT_GE(ep, 0);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_next(ep, 0));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_next(ep, 0));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(0, epoll_next(ep, 0));
	close_fd(&self->in);
	EXPECT_EQ(EPOLLOUT, epoll_next(ep, 0));
	EXPECT_EQ(EPOLLOUT, epoll_next(ep, 0));
	close(ep);
}

/* Edge-triggered epoll reports each change of an end's state, and nothing else. */
TEST_F(ends, epoll_edge)
{
	int ep = epoll_of(self->ring, EPOLLIN | EPOLLOUT | EPOLLET), i;

	ASSERT_GE(ep, 0);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_next(ep, 0));
	EXPECT_EQ(0, epoll_next(ep, 0));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 0));
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(0, epoll_next(ep, 0));
	for (i = 0; i < 10; i++) {
		close_fd(&self->in);
		EXPECT_EQ(EPOLLOUT, epoll_next(ep, 0));
		EXPECT_EQ(0, epoll_next(ep, 0));
		self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
		EXPECT_EQ(0, epoll_next(ep, 0));
	}
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 0));
	EXPECT_EQ(0, epoll_next(ep, 0));
	ASSERT_EQ(0, spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(EPOLLERR, epoll_next(ep, WATCHDOG) & EPOLLERR);
	close(ep);
}

/* epoll that watches an fd without a ring reports the ring once CREATE has made it. */
TEST_F(ends, epoll_before_create)
{
	int empty = device_open(), ep = epoll_of(empty, EPOLLIN | EPOLLOUT | EPOLLET);

	ASSERT_GE(ep, 0);
	EXPECT_EQ(EPOLLERR, epoll_next(ep, 0));
	EXPECT_EQ(0, epoll_next(ep, 0));
	ASSERT_EQ(0, do_ioctl(empty, SPSCRING_CREATE, RING(.capacity = 4, .element_size = 4)));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_next(ep, 0));
	self->in = claim(empty, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(EPOLLIN, epoll_next(ep, 0));
	close_fd(&self->in);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_next(ep, 0));
	/* close the last reference of the ring fd while an end and the epoll still exist */
	self->in = claim(empty, SPSCRING_PRODUCER, 0);
	close(empty);
	EXPECT_EQ(0, epoll_next(ep, 0));
	close_fd(&self->in);
	EXPECT_EQ(0, epoll_next(ep, 0));
	close(ep);
}

struct poller {
	int fd, got;
	pthread_t thread;
};

static void *poll_for_both(void *arg)
{
	struct poller *p = arg;

	p->got = polled(p->fd, POLLIN | POLLOUT, WATCHDOG);
	return NULL;
}

/* Threads that poll the ring fd are still woken after another thread has closed it. */
TEST_F(ends, closed_while_polled)
{
	struct poller pollers[8];
	int i;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	for (i = 0; i < 8; i++) {
		pollers[i].fd = self->ring;
		ASSERT_EQ(0, pthread_create(&pollers[i].thread, NULL, poll_for_both, &pollers[i]));
	}
	sleep_ms(20);
	close_fd(&self->ring);
	close_fd(&self->in);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, pthread_join(pollers[i].thread, NULL));
		/* a thread whose poll() began after the close gets POLLNVAL */
		EXPECT_TRUE(pollers[i].got == POLLOUT || pollers[i].got == POLLNVAL);
	}
}

/* ------------------------------------------------------------- a claim that waits */

static int handled;

static void handler(int signal)
{
	WRITE_ONCE(handled, signal);
}

struct claimer {
	int ring, got;
	__u32 role;
	bool *may;		/* true once the claim may succeed */
	bool was_let;
	pid_t tid;
	pthread_t thread;
};

static void *claim_waiting(void *arg)
{
	struct claimer *c = arg;

	WRITE_ONCE(c->tid, gettid());
	c->got = claim(c->ring, c->role, SPSCRING_ENDPOINT_WAIT);
	c->was_let = READ_ONCE(*c->may);
	return NULL;
}

static bool asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state == 'S';
}

/* Start a thread and return once it sleeps, which it does only in its claim. */
static int start_claimer(struct claimer *c, int ring, __u32 role, bool *may)
{
	int tries;

	*c = (struct claimer){ .ring = ring, .role = role, .may = may };
	if (pthread_create(&c->thread, NULL, claim_waiting, c))
		return -EAGAIN;
	for (tries = 0; tries < 30000; tries++) {
		if (READ_ONCE(c->tid) && asleep(c->tid))
			return 0;
		sleep_ms(1);
	}
	return -ETIMEDOUT;
}

static int claimed(struct claimer *c)
{
	pthread_join(c->thread, NULL);
	return c->was_let ? c->got : -ECANCELED;
}

/* Of several claims that wait, one at a time succeeds, and none before the end is free. */
TEST_F(ends, claim_waits)
{
	struct claimer c[4];
	int i, k, got = 0;
	bool may = false;

	EXPECT_EQ(-EINVAL, claim(self->ring, SPSCRING_PRODUCER, 2));
	EXPECT_EQ(-EINVAL, claim(self->ring, SPSCRING_PRODUCER, ~0U));
	/* a claim of a free end does not wait */
	self->in = claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(-EBUSY, claim(self->ring, SPSCRING_PRODUCER, 0));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, start_claimer(&c[i], self->ring, SPSCRING_PRODUCER, &may));
	/* a claim of the other end, which is free as well, does not wait either */
	self->out = claim(self->ring, SPSCRING_CONSUMER, SPSCRING_ENDPOINT_WAIT);
	ASSERT_GE(self->out, 0);
	WRITE_ONCE(may, true);
	close_fd(&self->in);
	for (i = 0; i < 4; i++) {
		/* the thread that holds the end lets go, and one more claim succeeds */
		for (k = 0; k < 4; k++)
			if (c[k].thread && READ_ONCE(c[k].got))
				break;
		if (k == 4) {
			sleep_ms(1);
			i--;
			continue;
		}
		got = claimed(&c[k]);
		c[k].thread = 0;
		EXPECT_GE(got, 0);
		close(got);
	}
	EXPECT_EQ(5, info_of(self->ring).producer_generation);
}

TEST_F(ends, claim_of_what_is_shut_down)
{
	struct claimer c;
	bool may = false;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_EQ(0, start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may));
	WRITE_ONCE(may, true);
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(-ESHUTDOWN, claimed(&c));
	EXPECT_EQ(-ESHUTDOWN, claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT));
}

TEST_F(ends, claim_of_what_is_broken)
{
	struct claimer c;
	bool may = false;

	ASSERT_EQ(0, breakable(self));
	ASSERT_EQ(0, start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may));
	WRITE_ONCE(may, true);
	ASSERT_EQ(0, break_it(self->out));
	EXPECT_EQ(-EPIPE, claimed(&c));
	close_fd(&self->in);
	EXPECT_EQ(-EPIPE, claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT));
}

/* A signal ends a claim that waits, unless its handler restarts calls. */
TEST_F(ends, claim_and_signals)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct claimer c;
	bool may = false;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	act.sa_flags = 0;
	ASSERT_EQ(0, sigaction(SIGUSR2, &act, NULL));
	ASSERT_EQ(0, start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may));
	ASSERT_EQ(0, pthread_kill(c.thread, SIGUSR1));
	while (READ_ONCE(handled) != SIGUSR1 || !asleep(c.tid))
		sleep_ms(1);
	WRITE_ONCE(may, true);
	ASSERT_EQ(0, pthread_kill(c.thread, SIGUSR2));
	EXPECT_EQ(-EINTR, claimed(&c));
	EXPECT_EQ(1, info_of(self->ring).producer_generation);
}

TEST_F(ends, claim_is_killed)
{
	pid_t pid;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	pid = fork_child();
	if (!pid)
		_exit(claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT) ? 1 : 2);
	sleep_ms(20);
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	close_fd(&self->in);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_GE(self->in, 0);
}

/* A claim waits while a pipe holds a page that the dead holder could write. */
TEST_F(ends, claim_waits_for_pages)
{
	struct claimer c;
	bool may = false;
	char text[5];
	int ends[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ends));
	pid = fork_child();
	if (!pid) {
		struct spscring_mapping map;
		struct spscring_producer p;
		struct iovec iov = { .iov_len = 5 };
		int in = claim(self->ring, SPSCRING_PRODUCER, 0);

		if (in < 0 || map_producer(in, &p, &map))
			_exit(1);
		iov.iov_base = (char *)map.writable + map.writable_size - 5;
		_exit(vmsplice(ends[1], &iov, 1, 0) != 5);
	}
	ASSERT_EQ(0, wait_child(pid));
	EXPECT_EQ(-EBUSY, claim(self->ring, SPSCRING_PRODUCER, 0));
	ASSERT_EQ(0, start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may));
	/* the claim checks for pins only from time to time: give it time for several checks */
	sleep_ms(100);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));
	WRITE_ONCE(may, true);
	ASSERT_EQ(5, read(ends[0], text, 5));
	self->in = claimed(&c);
	EXPECT_GE(self->in, 0);
	close(ends[0]);
	close(ends[1]);
}

/* Fork a child that has io_uring requests of each kind in flight at its end until it is killed. */
static int with_requests(int ring, int up)
{
	int end = claim(ring, SPSCRING_CONSUMER, 0), file = memfd_create("ends", MFD_CLOEXEC);
	struct spscring_mapping map;
	struct spscring_consumer c;
	struct io_uring loop;
	struct iovec own;
	__u64 v;

	if (end < 0 || file < 0 || map_consumer(end, &c, &map))
		return 1;
	if (io_uring_queue_init(8, &loop, 0))
		return 1;
	own = (struct iovec){ map.writable, map.writable_size };
	io_uring_register_files(&loop, &end, 1);
	io_uring_register_buffers(&loop, &own, 1);
	io_uring_prep_read(io_uring_get_sqe(&loop), end, &v, sizeof(v), -1);
	io_uring_prep_poll_add(io_uring_get_sqe(&loop), end, POLLIN);
	io_uring_prep_read(io_uring_get_sqe(&loop), end, &v, sizeof(v), -1);
	if (io_uring_submit(&loop) != 3 || write(up, "u", 1) != 1)
		return 1;
	return pause();
}

/* A claim that waits gets the end once the kernel has ended all those requests. */
TEST_F(ends, claim_after_io_uring)
{
	int i, up[2], busy = 0;
	struct io_uring loop;
	pid_t pid;

	i = io_uring_queue_init(8, &loop, 0);
	if (i)
		SKIP(return, "io_uring: %s", strerror(-i));
	io_uring_queue_exit(&loop);
	ASSERT_EQ(0, pipe(up));
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	for (i = 0; i < 20; i++) {
		pid = fork_child();
		if (!pid)
			_exit(with_requests(self->ring, up[1]));
		ASSERT_TRUE(got_byte(up[0]));
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, wait_child(pid));
		self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
		busy += self->out == -EBUSY;
		close_fd(&self->out);
		self->out = claim(self->ring, SPSCRING_CONSUMER, SPSCRING_ENDPOINT_WAIT);
		ASSERT_GE(self->out, 0);
		close_fd(&self->out);
	}
	TH_LOG("a claim that does not wait: EBUSY %d times of %d", busy, i);
	close(up[0]);
	close(up[1]);
}

TEST_HARNESS_MAIN
