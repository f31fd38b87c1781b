// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's own node as an end of a ring, beside a node by which the driver exports the end: both
 * do the same, and the driver is told when a user opens, maps and closes either.  And a driver's
 * read and write that move elements from and to user memory.
 *
 * SPSCRING_KO_DIR	where spscring_node.ko is
 */
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/uio.h>

#include "selftest.h"
#include "spscring_node.h"

#define OWN		"/dev/spscring-node"
#define EXPORTED	"/dev/spscring-node-exported"
#define LOOP		"/dev/spscring-node-loop"

#define PARAMETERS	"/sys/module/spscring_node/parameters/"

static long long param(const char *name)
{
	char path[128], text[8] = "";
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		return -1;
	close(fd);
	return *text == 'Y' || *text == 'N' ? *text == 'Y' : atoll(text);
}

static int set_param(const char *name, long long value)
{
	char path[128], text[24];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%lld", value);
	return write_text(path, text);
}

/* Whether all users have gone: the driver is told after close() has returned. */
static bool all_gone(const void *unused)
{
	(void)unused;
	return param("ended") == param("claimed");
}

FIXTURE(node)
{
	int end;
};

FIXTURE_VARIANT(node)
{
	const char *path;
	__u32 role;
};

FIXTURE_VARIANT_ADD(node, own_consumer) { OWN, SPSCRING_CONSUMER };
FIXTURE_VARIANT_ADD(node, own_producer) { OWN, SPSCRING_PRODUCER };
FIXTURE_VARIANT_ADD(node, exported_consumer) { EXPORTED, SPSCRING_CONSUMER };
FIXTURE_VARIANT_ADD(node, exported_producer) { EXPORTED, SPSCRING_PRODUCER };

FIXTURE_SETUP(node)
{
	char params[32];

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "role=%u", variant->role);
	LOAD_OR_SKIP("spscring_node", params);
	self->end = open(variant->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->end, 0);
}

FIXTURE_TEARDOWN(node)
{
	close_fd(&self->end);
	/* the callbacks of a module in use keep it: it cannot go while the file is being closed */
	within_patience(all_gone, NULL);
	EXPECT_EQ(0, unload("spscring_node"));
}

/* Have the driver move @n elements at its end. */
static int move(const char *path, int fd, int n)
{
	if (!strcmp(path, EXPORTED))
		return set_param("exported", n);
	return negative_errno(ioctl(fd, NODE_MOVE, n)) == n ? 0 : -errno;
}

/* Move @n u64, which count up from @first, by read() or write(). */
static long user_move(int fd, __u32 role, __u64 first, int n)
{
	__u64 v[NODE_CAPACITY + 1];
	long got, i;

	for (i = 0; i < n; i++)
		v[i] = first + i;
	if (role == SPSCRING_PRODUCER)
		return negative_errno(write(fd, v, n * sizeof(*v)));
	got = negative_errno(read(fd, v, n * sizeof(*v)));
	for (i = 0; i < got / 8; i++)
		if (v[i] != first + i)
			return -EILSEQ;
	return got;
}

/* Let @n elements pass: the driver first, or the user. */
static int pass(const char *path, int fd, __u32 role, __u64 first, int n)
{
	int err = role == SPSCRING_CONSUMER ? move(path, fd, n) : 0;
	long got = err ?: user_move(fd, role, first, n);

	if (got != n * 8)
		return got < 0 ? got : -EIO;
	return role == SPSCRING_PRODUCER ? move(path, fd, n) : 0;
}

static int open_errno(const char *path, int flags)
{
	int fd = negative_errno(open(path, flags | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

TEST_F(node, opened)
{
	const bool consumer = variant->role == SPSCRING_CONSUMER;

	EXPECT_EQ(1, param("claimed"));
	EXPECT_EQ(-EBUSY, open_errno(variant->path, O_RDWR));
	close_fd(&self->end);
	ASSERT_TRUE(within_patience(all_gone, NULL));
	EXPECT_EQ(1, param("ended"));
	EXPECT_EQ(-EACCES, open_errno(variant->path, consumer ? O_WRONLY : O_RDONLY));
	EXPECT_EQ(-EINVAL, open_errno(variant->path, O_RDWR | O_DIRECT));
	EXPECT_EQ(0, open_errno(variant->path, consumer ? O_RDONLY : O_WRONLY));
	ASSERT_TRUE(within_patience(all_gone, NULL));
	EXPECT_EQ(2, param("ended"));
}

/* The driver's own commands first, then those of an end, and no other. */
TEST_F(node, ioctls)
{
	const bool own = !strcmp(variant->path, OWN);
	int bytes = -1;

	EXPECT_EQ(own ? 1 : -ENOTTY, do_ioctl(self->end, NODE_OPENED, NULL));
	EXPECT_EQ(NODE_CAPACITY, info_of(self->end).geometry.capacity);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->end, variant->role));
	ASSERT_EQ(0, pass(variant->path, self->end, variant->role, 0, NODE_CAPACITY));
	EXPECT_EQ(0, do_ioctl(self->end, FIONREAD, &bytes));
	EXPECT_EQ(0, bytes);
	EXPECT_EQ(-EPERM, do_ioctl(self->end, SPSCRING_CREATE, NULL));
	EXPECT_EQ(-EPERM, do_ioctl(self->end, SPSCRING_ENDPOINT, NULL));
	EXPECT_EQ(0, do_ioctl(self->end, SPSCRING_KICK, NULL));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->end, _IO(SPSCRING_IOC, 200), NULL));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->end, _IO(0xEE, 200), NULL));
	EXPECT_NE(0, ring_id(self->end));
	EXPECT_EQ(0, spscring_shutdown(self->end, 0));
	EXPECT_EQ(-ESHUTDOWN, user_move(self->end, variant->role, 0, 1));
}

/* It is a stream, as a pipe is. */
TEST_F(node, is_a_stream)
{
	char byte;

	EXPECT_EQ(-ESPIPE, negative_errno(lseek(self->end, 0, SEEK_CUR)));
	EXPECT_EQ(-ESPIPE, negative_errno(pread(self->end, &byte, 1, 0)));
	EXPECT_EQ(-ESPIPE, negative_errno(pwrite(self->end, &byte, 1, 0)));
	EXPECT_EQ(ESPIPE, posix_fadvise(self->end, 0, 0, POSIX_FADV_NORMAL));
	EXPECT_EQ(-EINVAL, negative_errno(fsync(self->end)));
	EXPECT_EQ(-EINVAL, negative_errno(fcntl(self->end, F_SETFL, O_DIRECT)));
	EXPECT_EQ(-EBADF, negative_errno(variant->role == SPSCRING_CONSUMER ?
					 write(self->end, &byte, 1) : read(self->end, &byte, 1)));
}

/* poll, epoll, O_NONBLOCK and RWF_NOWAIT. */
TEST_F(node, polled)
{
	const bool consumer = variant->role == SPSCRING_CONSUMER;
	struct pollfd p = { .fd = self->end, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	__u64 v = 0;
	struct iovec one = { &v, sizeof(v) };

	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->end, &event));
	/* until a user can move nothing */
	if (!consumer)
		ASSERT_EQ(8 * NODE_CAPACITY, user_move(self->end, variant->role, 0, NODE_CAPACITY));
	while (epoll_wait(ep, &event, 1, 0) > 0)
		;
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(-EAGAIN, negative_errno(consumer ? preadv2(self->end, &one, 1, -1, RWF_NOWAIT) :
						     pwritev2(self->end, &one, 1, -1, RWF_NOWAIT)));
	ASSERT_EQ(0, fcntl(self->end, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, user_move(self->end, variant->role, 0, 1));

	ASSERT_EQ(0, move(variant->path, self->end, 1));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(consumer ? POLLIN : POLLOUT, p.revents);
	EXPECT_EQ(8, user_move(self->end, variant->role, consumer ? 0 : NODE_CAPACITY, 1));
	EXPECT_EQ(0, poll(&p, 1, 0));
	close(ep);
}

static bool sleeps(const void *end)
{
	const struct spscring_info info = info_of(*(const int *)end);

	return info.consumer_sleep.sleeps || info.producer_sleep.sleeps;
}

/* A user who sleeps in read() or write() is woken by what the driver moves. */
TEST_F(node, woken)
{
	const bool consumer = variant->role == SPSCRING_CONSUMER;
	pid_t pid;

	if (!consumer)
		ASSERT_EQ(8 * NODE_CAPACITY, user_move(self->end, variant->role, 0, NODE_CAPACITY));
	pid = fork_child();
	if (!pid)
		_exit(user_move(self->end, variant->role, consumer ? 0 : NODE_CAPACITY, 1) != 8);
	EXPECT_TRUE(within_patience(sleeps, &self->end));
	ASSERT_EQ(0, move(variant->path, self->end, 1));
	EXPECT_EQ(0, wait_child_patiently(pid));
}

static int signals;

static void count_signal(int signal)
{
	(void)signal;
	WRITE_ONCE(signals, signals + 1);
}

static bool signalled(const void *unused)
{
	(void)unused;
	return READ_ONCE(signals);
}

TEST_F(node, sigio)
{
	struct sigaction act = { .sa_handler = count_signal };

	ASSERT_EQ(0, sigaction(SIGIO, &act, NULL));
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(8 * NODE_CAPACITY, user_move(self->end, variant->role, 0, NODE_CAPACITY));
	ASSERT_EQ(0, fcntl(self->end, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(self->end, F_SETFL, O_ASYNC | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, user_move(self->end, variant->role, 0, 1));
	EXPECT_EQ(0, READ_ONCE(signals));
	ASSERT_EQ(0, move(variant->path, self->end, 1));
	EXPECT_TRUE(within_patience(signalled, NULL));
}

TEST_F(node, spliced)
{
	__u64 v[3] = { 0, 1, 2 }, got[3] = {};
	int pipe_fd[2];

	ASSERT_EQ(0, pipe2(pipe_fd, O_NONBLOCK));
	if (variant->role == SPSCRING_CONSUMER) {
		ASSERT_EQ(0, move(variant->path, self->end, 3));
		EXPECT_EQ(sizeof(v), splice(self->end, NULL, pipe_fd[1], NULL, 4096, 0));
		EXPECT_EQ(sizeof(v), read(pipe_fd[0], got, sizeof(got)));
		EXPECT_EQ(0, memcmp(v, got, sizeof(v)));
	} else {
		ASSERT_EQ(sizeof(v), write(pipe_fd[1], v, sizeof(v)));
		EXPECT_EQ(sizeof(v), splice(pipe_fd[0], NULL, self->end, NULL, 4096, 0));
		EXPECT_EQ(0, move(variant->path, self->end, 3));
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

struct user {
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping map;
};

static int user_map(int end, __u32 role, struct user *u)
{
	return role == SPSCRING_PRODUCER ? spscring_map_producer(end, &u->p, 8, 0, &u->map) :
		spscring_map_consumer(end, &u->c, 8, 0, &u->map);
}

/* The driver is told of the first mapping, before it is there, and of the end after the last. */
TEST_F(node, mapped)
{
	struct user u;
	__u64 v = 7;
	int i;

	ASSERT_EQ(0, pass(variant->path, self->end, variant->role, 0, 1));
	EXPECT_EQ(0, param("mapped"));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, user_map(self->end, variant->role, &u));
		EXPECT_EQ(i, param("mapped"));
		EXPECT_EQ(1, param("running"));
		if (variant->role == SPSCRING_CONSUMER) {
			ASSERT_EQ(0, move(variant->path, self->end, 1));
			EXPECT_EQ(0, pop_answer(&u.c, &v));
			EXPECT_EQ(i, v);
		} else {
			v = i;
			EXPECT_EQ(0, push_answer(&u.p, &v));
			ASSERT_EQ(0, move(variant->path, self->end, 1));
		}
		/* another mapping is not news */
		spscring_unmap(&u.map);
		ASSERT_EQ(0, user_map(self->end, variant->role, &u));
		EXPECT_EQ(i, param("mapped"));
		/* the mapping outlives the fd, and the hardware runs on for it */
		close_fd(&self->end);
		EXPECT_EQ(1, param("running"));
		EXPECT_EQ(-EBUSY, open_errno(variant->path, O_RDWR));
		spscring_unmap(&u.map);
		ASSERT_TRUE(within_patience(all_gone, NULL));
		EXPECT_EQ(0, param("running"));
		self->end = open(variant->path, O_RDWR | O_CLOEXEC);
		ASSERT_GE(self->end, 0);
	}
}

/* The driver refuses: mmap() fails with its errno; it is asked again each time. */
TEST_F(node, refused)
{
	struct user u;

	ASSERT_EQ(0, set_param("refuse", ENOSPC));
	EXPECT_EQ(-ENOSPC, user_map(self->end, variant->role, &u));
	EXPECT_EQ(-ENOSPC, user_map(self->end, variant->role, &u));
	EXPECT_EQ(2, param("mapped"));
	EXPECT_EQ(0, param("running"));
	/* what would be refused anyway does not come to the driver */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, self->end,
				   info_of(self->end).geometry.info_offset));
	EXPECT_EQ(2, param("mapped"));
	EXPECT_EQ(0, pass(variant->path, self->end, variant->role, 0, 1));
	ASSERT_EQ(0, set_param("refuse", 0));
	ASSERT_EQ(0, user_map(self->end, variant->role, &u));
	EXPECT_EQ(3, param("mapped"));
	spscring_unmap(&u.map);
}

/* A killed user has closed, for the driver. */
TEST_F(node, killed)
{
	pid_t pid;

	close_fd(&self->end);
	ASSERT_TRUE(within_patience(all_gone, NULL));
	pid = fork_child();
	if (!pid) {
		struct user u;
		int end = open(variant->path, O_RDWR | O_CLOEXEC);

		if (end < 0 || user_map(end, variant->role, &u))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, wait_child_patiently(pid));
	EXPECT_TRUE(within_patience(all_gone, NULL));
	EXPECT_EQ(1, param("mapped"));
	EXPECT_EQ(2, param("ended"));
	EXPECT_EQ(0, param("running"));
}

/* The driver's offsets begin where the ring's end, and its module stays while a file is open. */
TEST_F(node, drivers_own)
{
	const struct spscring_geometry g = info_of(self->end).geometry;

	if (strcmp(variant->path, OWN))
		return;
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->end,
				   g.consumer_offset + g.memory));
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(0, param("mapped"));
	EXPECT_EQ(-EAGAIN, unload("spscring_node"));
	/* its inode is its own, so a lock is as good as on any device */
	EXPECT_EQ(0, flock(self->end, LOCK_EX | LOCK_NB));
}

/* ------------------------------------------------- elements in user memory */

struct rec {
	__u64 word[NODE_LOOP_SIZE / 8];
};

FIXTURE(loop)
{
	int fd;
	struct rec *page;	/* two elements and a half are before memory that faults */
	void *memory;
};

FIXTURE_VARIANT(loop)
{
	const char *params;
};

FIXTURE_VARIANT_ADD(loop, together) { "" };
FIXTURE_VARIANT_ADD(loop, apart) { "loop_align=32" };
FIXTURE_VARIANT_ADD(loop, compiled) { "loop_static=1" };

FIXTURE_SETUP(loop)
{
	long page = sysconf(_SC_PAGESIZE);

	SKIP_WITHOUT_DEVICE();
	LOAD_OR_SKIP("spscring_node", variant->params);
	self->fd = open(LOOP, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, mprotect(self->memory + page, page, PROT_NONE));
	self->page = self->memory + page - NODE_LOOP_SIZE * 5 / 2;
}

FIXTURE_TEARDOWN(loop)
{
	munmap(self->memory, 2 * sysconf(_SC_PAGESIZE));
	close_fd(&self->fd);
	unload("spscring_node");
}

static struct rec rec_of(__u64 i)
{
	return (struct rec){ { i, ~i, i * 3 } };
}

static long loop_write(int fd, __u64 first, int n)
{
	struct rec recs[NODE_CAPACITY + 1];
	int i;

	for (i = 0; i < n; i++)
		recs[i] = rec_of(first + i);
	return negative_errno(write(fd, recs, n * sizeof(*recs)));
}

/* Read up to @n elements, check that they count up.  Return: how many, or a negative errno. */
static long loop_read(int fd, __u64 first, int n)
{
	struct rec recs[NODE_CAPACITY + 1], want;
	long got = negative_errno(read(fd, recs, n * sizeof(*recs)));
	int i;

	for (i = 0; i < got / NODE_LOOP_SIZE; i++) {
		want = rec_of(first + i);
		if (memcmp(&recs[i], &want, sizeof(want)))
			return -EILSEQ;
	}
	return got < 0 ? got : got / NODE_LOOP_SIZE;
}

TEST_F(loop, whole_elements)
{
	char bytes[2 * NODE_LOOP_SIZE] = {};

	EXPECT_EQ(-EINVAL, negative_errno(write(self->fd, bytes, NODE_LOOP_SIZE - 1)));
	EXPECT_EQ(-EINVAL, negative_errno(read(self->fd, bytes, NODE_LOOP_SIZE - 1)));
	EXPECT_EQ(-EAGAIN, loop_read(self->fd, 0, 1));
	/* the rest, no whole element, is left */
	EXPECT_EQ(NODE_LOOP_SIZE, write(self->fd, bytes, 2 * NODE_LOOP_SIZE - 1));
	EXPECT_EQ(NODE_LOOP_SIZE, read(self->fd, bytes, 2 * NODE_LOOP_SIZE - 1));
	EXPECT_EQ(-EAGAIN, loop_read(self->fd, 0, 1));
}

/* For some laps: more than fits, then more than is there. */
TEST_F(loop, full_and_empty)
{
	__u64 first = 0;
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_EQ(10 * NODE_LOOP_SIZE, loop_write(self->fd, first, 10));
		EXPECT_EQ((NODE_CAPACITY - 10) * NODE_LOOP_SIZE,
			  loop_write(self->fd, first + 10, NODE_CAPACITY));
		EXPECT_EQ(-EAGAIN, loop_write(self->fd, 0, 1));
		EXPECT_EQ(7, loop_read(self->fd, first, 7));
		EXPECT_EQ(NODE_CAPACITY - 7, loop_read(self->fd, first + 7, NODE_CAPACITY));
		EXPECT_EQ(-EAGAIN, loop_read(self->fd, 0, 1));
		first += NODE_CAPACITY;
	}
}

/* A write that faults in its third element has pushed two; of the third nothing is there. */
TEST_F(loop, write_fault)
{
	self->page[0] = rec_of(0);
	self->page[1] = rec_of(1);
	EXPECT_EQ(2 * NODE_LOOP_SIZE, write(self->fd, self->page, 4 * NODE_LOOP_SIZE));
	EXPECT_EQ(-EFAULT, negative_errno(write(self->fd, self->page + 2, 2 * NODE_LOOP_SIZE)));
	EXPECT_EQ(5 * NODE_LOOP_SIZE, loop_write(self->fd, 2, 5));
	EXPECT_EQ(7, loop_read(self->fd, 0, NODE_CAPACITY));
}

/* A read that faults in its third element has popped two; the third is still there. */
TEST_F(loop, read_fault)
{
	struct rec want[2] = { rec_of(0), rec_of(1) };

	ASSERT_EQ(7 * NODE_LOOP_SIZE, loop_write(self->fd, 0, 7));
	EXPECT_EQ(2 * NODE_LOOP_SIZE, read(self->fd, self->page, 4 * NODE_LOOP_SIZE));
	EXPECT_EQ(0, memcmp(want, self->page, sizeof(want)));
	EXPECT_EQ(-EFAULT, negative_errno(read(self->fd, self->page + 2, 2 * NODE_LOOP_SIZE)));
	EXPECT_EQ(5, loop_read(self->fd, 2, NODE_CAPACITY));
}

TEST_HARNESS_MAIN
