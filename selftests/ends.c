// SPDX-License-Identifier: GPL-2.0
/*
 * Who waits for an end: poll() of the ring fd, and a claim that sleeps until its turn.
 */
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "selftest.h"

#define WATCHDOG	60000	/* ms; for what must happen */

FIXTURE(ends) {
	int ring, in, out;
};

FIXTURE_SETUP(ends)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->in = -1;
	self->out = -1;
}

FIXTURE_TEARDOWN(ends)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

static __u64 clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* What there is; once the watchdog has come it counts no more, as nobody was woken. */
static int polled(int fd, short events, int ms)
{
	struct pollfd p = { fd, events, 0 };
	__u64 until = clock_ms() + ms;
	int n = poll(&p, 1, ms);

	if (n < 0)
		return -errno;
	return ms && clock_ms() >= until ? -ETIMEDOUT : p.revents;
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
		.record_size = info_of(ring).geometry.record_size,
	};

	return do_ioctl(ring, SPSCRING_ENDPOINT, &want);
}

/* ---------------------------------------------------------------- the ring's poll */

TEST_F(ends, levels)
{
	int empty = device_open();

	EXPECT_EQ(now(empty), POLLERR);
	close(empty);
	EXPECT_EQ(now(self->ring), POLLIN | POLLOUT);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(now(self->ring), POLLIN);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(now(self->ring), 0);
	/* records are none of its business */
	ASSERT_EQ(write(self->in, &(__u64){ 1 }, 8), 8);
	EXPECT_EQ(now(self->ring), 0);
	close_fd(&self->in);
	EXPECT_EQ(now(self->ring), POLLOUT);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(now(self->ring), 0);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(now(self->ring), POLLIN);
	ASSERT_EQ(spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(now(self->ring), POLLIN | POLLOUT | POLLERR);
}

/* What poll() comes back for, done by a child while it waits, or a little before. */
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

/* The consumer's own words make no sense, which its read finds: no end changes hands. */
static int break_it(int fd)
{
	struct spscring_geometry g = info_of(fd).geometry;
	char *at = mmap(NULL, g.page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			g.consumer_offset);
	struct spscring_consumer_lines *lines = (void *)(at + g.colour);

	if (at == MAP_FAILED)
		return 1;
	WRITE_ONCE(lines->cursor.word, 4);
	return read(fd, &g, sizeof(g)) != -1 || errno != EPIPE;
}

/* Of records of any size, whose cursors are looked at. */
static int breakable(struct _test_data_ends *self)
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
	EXPECT_EQ(poll_while(self->ring, self->out, POLLIN, shut_down), POLLIN);
	EXPECT_EQ(poll_while(self->ring, self->in, POLLOUT, shut_down), POLLOUT);
}

TEST_F(ends, told_of_broken)
{
	ASSERT_EQ(breakable(self), 0);
	EXPECT_EQ(poll_while(self->ring, self->out, 0, break_it), POLLERR);
}

/* A worker that claims and is killed: its supervisor hears of both. */
TEST_F(ends, supervised)
{
	int i, up[2];
	pid_t pid;

	ASSERT_EQ(pipe(up), 0);
	for (i = 0; i < 20; i++) {
		__u32 role = i % 2 ? SPSCRING_PRODUCER : SPSCRING_CONSUMER;
		short bit = i % 2 ? POLLOUT : POLLIN;

		pid = fork_child();
		if (!pid)
			_exit(claim(self->ring, role, 0) < 0 || write(up[1], "u", 1) != 1 ?
			      1 : pause());
		ASSERT_TRUE(got_byte(up[0]));
		EXPECT_EQ(now(self->ring), bit ^ (POLLIN | POLLOUT));
		kill(pid, SIGKILL);
		EXPECT_EQ(polled(self->ring, bit, WATCHDOG), bit);
		EXPECT_EQ(wait_child(pid), -SIGKILL);
		EXPECT_EQ(info_of(self->ring).broken, 0);
	}
	close(up[0]);
	close(up[1]);
}

static int epoll_of(int fd, __u32 events)
{
	struct epoll_event want = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &want) ? -errno : ep;
}

static int epolled(int ep, int ms)
{
	struct epoll_event event = {};
	int n = epoll_wait(ep, &event, 1, ms);

	return n < 0 ? -errno : (int)event.events;
}

TEST_F(ends, epoll_level)
{
	int ep = epoll_of(self->ring, EPOLLIN | EPOLLOUT);

	ASSERT_GE(ep, 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN | EPOLLOUT);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN | EPOLLOUT);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(epolled(ep, 0), 0);
	close_fd(&self->in);
	EXPECT_EQ(epolled(ep, 0), EPOLLOUT);
	EXPECT_EQ(epolled(ep, 0), EPOLLOUT);
	close(ep);
}

/* An event for each change, and none without. */
TEST_F(ends, epoll_edge)
{
	int ep = epoll_of(self->ring, EPOLLIN | EPOLLOUT | EPOLLET), i;

	ASSERT_GE(ep, 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN | EPOLLOUT);
	EXPECT_EQ(epolled(ep, 0), 0);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(epolled(ep, 0), 0);
	for (i = 0; i < 10; i++) {
		close_fd(&self->in);
		EXPECT_EQ(epolled(ep, 0), EPOLLOUT);
		EXPECT_EQ(epolled(ep, 0), 0);
		self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
		EXPECT_EQ(epolled(ep, 0), 0);
	}
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN);
	EXPECT_EQ(epolled(ep, 0), 0);
	ASSERT_EQ(spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(epolled(ep, WATCHDOG) & EPOLLERR, EPOLLERR);
	close(ep);
}

/* Added before there is a ring, and told of all that becomes of it. */
TEST_F(ends, epoll_before_create)
{
	int empty = device_open(), ep = epoll_of(empty, EPOLLIN | EPOLLOUT | EPOLLET);

	ASSERT_GE(ep, 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLERR);
	EXPECT_EQ(epolled(ep, 0), 0);
	ASSERT_EQ(do_ioctl(empty, SPSCRING_CREATE, RING(.capacity = 4, .record_size = 4)), 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN | EPOLLOUT);
	self->in = claim(empty, SPSCRING_PRODUCER, 0);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN);
	close_fd(&self->in);
	EXPECT_EQ(epolled(ep, 0), EPOLLIN | EPOLLOUT);
	/* gone with its last fd, while its end and its poller stay */
	self->in = claim(empty, SPSCRING_PRODUCER, 0);
	close(empty);
	EXPECT_EQ(epolled(ep, 0), 0);
	close_fd(&self->in);
	EXPECT_EQ(epolled(ep, 0), 0);
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

/* The ring fd is closed while others poll it: they hear of its ends all the same. */
TEST_F(ends, closed_while_polled)
{
	struct poller pollers[8];
	int i;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim(self->ring, SPSCRING_CONSUMER, 0);
	for (i = 0; i < 8; i++) {
		pollers[i].fd = self->ring;
		ASSERT_EQ(pthread_create(&pollers[i].thread, NULL, poll_for_both, &pollers[i]), 0);
	}
	sleep_ms(20);
	close_fd(&self->ring);
	close_fd(&self->in);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(pthread_join(pollers[i].thread, NULL), 0);
		/* who came late found no fd */
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
	bool *may;		/* it may have succeeded */
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

/* A thread that sleeps in its claim: it has nothing else to sleep for. */
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

/* Not before it is let go of, and then at once; one of several. */
TEST_F(ends, claim_waits)
{
	struct claimer c[4];
	int i, k, got = 0;
	bool may = false;

	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, 2), -EINVAL);
	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, ~0U), -EINVAL);
	/* what is free is not waited for */
	self->in = claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, 0), -EBUSY);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(start_claimer(&c[i], self->ring, SPSCRING_PRODUCER, &may), 0);
	/* nor for the other end's sake */
	self->out = claim(self->ring, SPSCRING_CONSUMER, SPSCRING_ENDPOINT_WAIT);
	ASSERT_GE(self->out, 0);
	WRITE_ONCE(may, true);
	close_fd(&self->in);
	for (i = 0; i < 4; i++) {
		/* one after the other, each lets the next one in */
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
	EXPECT_EQ(info_of(self->ring).producer_generation, 5);
}

TEST_F(ends, claim_of_what_is_shut_down)
{
	struct claimer c;
	bool may = false;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_EQ(start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may), 0);
	WRITE_ONCE(may, true);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(claimed(&c), -ESHUTDOWN);
	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT), -ESHUTDOWN);
}

TEST_F(ends, claim_of_what_is_broken)
{
	struct claimer c;
	bool may = false;

	ASSERT_EQ(breakable(self), 0);
	ASSERT_EQ(start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may), 0);
	WRITE_ONCE(may, true);
	ASSERT_EQ(break_it(self->out), 0);
	EXPECT_EQ(claimed(&c), -EPIPE);
	close_fd(&self->in);
	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, SPSCRING_ENDPOINT_WAIT), -EPIPE);
}

/* A handler that restarts calls leaves it asleep, another one does not. */
TEST_F(ends, claim_and_signals)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct claimer c;
	bool may = false;

	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	act.sa_flags = 0;
	ASSERT_EQ(sigaction(SIGUSR2, &act, NULL), 0);
	ASSERT_EQ(start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may), 0);
	ASSERT_EQ(pthread_kill(c.thread, SIGUSR1), 0);
	while (READ_ONCE(handled) != SIGUSR1 || !asleep(c.tid))
		sleep_ms(1);
	WRITE_ONCE(may, true);
	ASSERT_EQ(pthread_kill(c.thread, SIGUSR2), 0);
	EXPECT_EQ(claimed(&c), -EINTR);
	EXPECT_EQ(info_of(self->ring).producer_generation, 1);
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
	EXPECT_EQ(wait_child(pid), -SIGKILL);
	close_fd(&self->in);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	EXPECT_GE(self->in, 0);
}

/* A page that its dead holder could write is in a pipe until that is read. */
TEST_F(ends, claim_waits_for_pages)
{
	struct claimer c;
	bool may = false;
	char text[5];
	int ends[2];
	pid_t pid;

	ASSERT_EQ(pipe(ends), 0);
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
	ASSERT_EQ(wait_child(pid), 0);
	EXPECT_EQ(claim(self->ring, SPSCRING_PRODUCER, 0), -EBUSY);
	ASSERT_EQ(start_claimer(&c, self->ring, SPSCRING_PRODUCER, &may), 0);
	/* it asks now and then */
	sleep_ms(100);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_DEAD);
	WRITE_ONCE(may, true);
	ASSERT_EQ(read(ends[0], text, 5), 5);
	self->in = claimed(&c);
	EXPECT_GE(self->in, 0);
	close(ends[0]);
	close(ends[1]);
}

/* Something of each kind in flight on its end when it is killed. */
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

TEST_F(ends, claim_after_io_uring)
{
	int i, up[2], busy = 0;
	struct io_uring loop;
	pid_t pid;

	i = io_uring_queue_init(8, &loop, 0);
	if (i)
		SKIP(return, "io_uring: %s", strerror(-i));
	io_uring_queue_exit(&loop);
	ASSERT_EQ(pipe(up), 0);
	self->in = claim(self->ring, SPSCRING_PRODUCER, 0);
	for (i = 0; i < 20; i++) {
		pid = fork_child();
		if (!pid)
			_exit(with_requests(self->ring, up[1]));
		ASSERT_TRUE(got_byte(up[0]));
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
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
