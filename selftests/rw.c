// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write(): whole records, blocking or not, and what the other end's
 * end, bad memory and a page fault that lasts do to them.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "selftest.h"

#define SIZE		24
#define CAPACITY	16

struct rec {
	__u64 word[SIZE / 8];
};

FIXTURE(rw) {
	int ring, in, out;
};

FIXTURE_SETUP(rw)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE));
	ASSERT_GE(self->ring, 0);
	self->in = spscring_claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	self->out = spscring_claim(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
}

FIXTURE_TEARDOWN(rw)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

static struct rec rec_of(__u64 i)
{
	return (struct rec){ { i, ~i, i * 3 } };
}

static bool rec_is(const struct rec *r, __u64 i)
{
	struct rec want = rec_of(i);

	return !memcmp(r, &want, sizeof(want));
}

static long put(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	int i;

	for (i = 0; i < n; i++)
		recs[i] = rec_of(first + i);
	return negative_errno(write(fd, recs, n * sizeof(*recs)));
}

/* How many came, all as they should be; or an error. */
static long get(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	long got = negative_errno(read(fd, recs, n * sizeof(*recs)));
	int i;

	for (i = 0; i < got / SIZE; i++)
		if (!rec_is(&recs[i], first + i))
			return -EILSEQ;
	return got;
}

static void nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST_F(rw, through)
{
	__u64 i;

	for (i = 0; i < 100; i += 5) {
		ASSERT_EQ(put(self->in, i, 5), 5 * SIZE);
		ASSERT_EQ(get(self->out, i, 2), 2 * SIZE);
		/* what is there, not what there is room for */
		ASSERT_EQ(get(self->out, i + 2, 9), 3 * SIZE);
	}
}

/* A mapped end and one that calls are the same ring. */
TEST_F(rw, beside_mapping)
{
	struct rec r = rec_of(7), got;
	struct spscring_producer p;
	struct spscring_consumer c;

	ASSERT_EQ(spscring_map_producer(self->in, &p, NULL), 0);
	ASSERT_EQ(spscring_push(&p, &r), 0);
	EXPECT_EQ(get(self->out, 7, 1), SIZE);
	ASSERT_EQ(spscring_map_consumer(self->out, &c, NULL), 0);
	ASSERT_EQ(put(self->in, 8, 1), SIZE);
	ASSERT_EQ(spscring_pop(&c, &got), 0);
	EXPECT_TRUE(rec_is(&got, 8));
}

TEST_F(rw, nonblock)
{
	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(get(self->out, 0, 1), -EAGAIN);
	EXPECT_EQ(put(self->in, 0, CAPACITY + 1), CAPACITY * SIZE);
	EXPECT_EQ(put(self->in, CAPACITY, 1), -EAGAIN);
	EXPECT_EQ(get(self->out, 0, CAPACITY + 1), CAPACITY * SIZE);
	EXPECT_EQ(get(self->out, CAPACITY, 1), -EAGAIN);
}

static void *nowhere = (void *)8;	/* loaded, or the compiler knows better */

TEST_F(rw, bad)
{
	void *bad = READ_ONCE(nowhere);
	struct rec r[2] = { rec_of(1) };

	EXPECT_EQ(negative_errno(read(self->in, r, SIZE)), -EBADF);
	EXPECT_EQ(negative_errno(write(self->out, r, SIZE)), -EBADF);
	EXPECT_EQ(negative_errno(read(self->out, r, SIZE - 1)), -EINVAL);
	EXPECT_EQ(negative_errno(write(self->in, r, SIZE - 1)), -EINVAL);
	EXPECT_EQ(negative_errno(write(self->in, r, SIZE + 1)), -EINVAL);
	EXPECT_EQ(write(self->in, r, 0), 0);
	EXPECT_EQ(read(self->out, r, 0), 0);
	EXPECT_EQ(negative_errno(write(self->in, bad, SIZE)), -EFAULT);
	EXPECT_EQ(negative_errno(write(self->ring, r, SIZE)), -EINVAL);
	/* nothing was pushed; and nothing is lost by a bad read */
	ASSERT_EQ(put(self->in, 5, 1), SIZE);
	EXPECT_EQ(negative_errno(read(self->out, bad, SIZE)), -EFAULT);
	EXPECT_EQ(get(self->out, 5, 1), SIZE);
}

/* Of memory that ends in the midst of a record, what is whole goes. */
TEST_F(rw, half_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rec *recs = (struct rec *)(at + page - 2 * SIZE - 8);

	ASSERT_NE(at, MAP_FAILED);
	recs[0] = rec_of(0);
	recs[1] = rec_of(1);
	ASSERT_EQ(mprotect(at + page, page, PROT_NONE), 0);
	EXPECT_EQ(write(self->in, recs, 3 * SIZE), 2 * SIZE);
	ASSERT_EQ(put(self->in, 2, 1), SIZE);
	EXPECT_EQ(read(self->out, recs, 3 * SIZE), 2 * SIZE);
	EXPECT_TRUE(rec_is(&recs[1], 1));
	EXPECT_EQ(get(self->out, 2, 1), SIZE);
	munmap(at, 2 * page);
}

TEST_F(rw, ends)
{
	ASSERT_EQ(put(self->in, 0, 2), 2 * SIZE);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(get(self->out, 0, 9), 2 * SIZE);
	EXPECT_EQ(get(self->out, 2, 1), 0);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(put(self->in, 2, 1), -ESHUTDOWN);
}

TEST_F(rw, death)
{
	ASSERT_EQ(put(self->in, 0, 2), 2 * SIZE);
	close_fd(&self->in);
	EXPECT_EQ(get(self->out, 0, 9), 2 * SIZE);
	EXPECT_EQ(get(self->out, 2, 1), -EPIPE);
	close_fd(&self->out);
	self->in = spscring_claim(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(put(self->in, 2, 1), -EPIPE);
}

TEST(rw_cannot_sleep)
{
	const __u32 flags[] = { SPSCRING_CREATE_BUSY_POLL, SPSCRING_CREATE_ASYMMETRIC };
	int i, ring, in, out;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < 2; i++) {
		ring = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE,
					  .flags = flags[i]));
		ASSERT_GE(ring, 0);
		in = spscring_claim(ring, SPSCRING_PRODUCER, 0);
		out = spscring_claim(ring, SPSCRING_CONSUMER, 0);
		EXPECT_EQ(get(out, 0, 1), -EOPNOTSUPP);
		EXPECT_EQ(put(in, 0, CAPACITY + 1), CAPACITY * SIZE);
		EXPECT_EQ(put(in, 0, 1), -EOPNOTSUPP);
		EXPECT_EQ(get(out, 0, CAPACITY), CAPACITY * SIZE);
		/* the end of the stream is nothing to sleep for */
		ASSERT_EQ(spscring_shutdown(in, 0), 0);
		EXPECT_EQ(get(out, CAPACITY, 1), 0);
		close(in);
		close(out);
		close(ring);
	}
}

/* More than there is room for, to a reader that comes later. */
TEST_F(rw, blocking)
{
	const int n = 50000;
	pid_t pid = fork_child();
	__u64 i = 0;
	long got;

	if (!pid) {
		close(self->out);
		for (i = 0; i < (__u64)n; i += 10)
			if (put(self->in, i, 10) != 10 * SIZE)
				_exit(1);
		_exit(spscring_shutdown(self->in, 0) ? 1 : 0);
	}
	close_fd(&self->in);
	while ((got = get(self->out, i, 7)) > 0)
		i += got / SIZE;
	EXPECT_EQ(got, 0);
	EXPECT_EQ(i, n);
	EXPECT_EQ(wait_child(pid), 0);
}

/* ----------------------------------------- a fault that lasts until it is let */

struct stopped {
	int fd;
	void *page;
	long got;
};

static void *read_into(void *arg)
{
	struct stopped *s = arg;

	s->got = negative_errno(read(s->fd, s->page, SIZE));
	return NULL;
}

static int fault_fd(void *page, long size)
{
	struct uffdio_register range = { .range = { (unsigned long)page, size },
					 .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return -errno;
	return fd;
}

/* A read that its own memory holds up blocks neither peer nor poll, INFO nor death. */
TEST_F(rw, userfault)
{
	long size = sysconf(_SC_PAGESIZE);
	struct stopped s = { .fd = self->out };
	struct uffdio_zeropage zero = {};
	struct uffd_msg msg;
	pthread_t thread;
	int fd;

	s.page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(s.page, MAP_FAILED);
	fd = fault_fd(s.page, size);
	ASSERT_GE(fd, 0)
		TH_LOG("userfaultfd: %s", strerror(-fd));
	ASSERT_EQ(put(self->in, 0, 1), SIZE);
	ASSERT_EQ(pthread_create(&thread, NULL, read_into, &s), 0);
	ASSERT_EQ(read(fd, &msg, sizeof(msg)), sizeof(msg));

	EXPECT_EQ(put(self->in, 1, 1), SIZE);
	EXPECT_EQ(poll(&(struct pollfd){ self->out, POLLIN, 0 }, 1, 0), 1);
	EXPECT_EQ(info_of(self->ring).length, 2);
	nonblock(self->out);
	EXPECT_EQ(get(self->out, 0, 1), -EAGAIN);
	close_fd(&self->in);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_DEAD);

	zero.range = (struct uffdio_range){ (unsigned long)s.page, size };
	ASSERT_EQ(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	EXPECT_EQ(s.got, SIZE);
	EXPECT_TRUE(rec_is(s.page, 0));
	EXPECT_EQ(get(self->out, 1, 1), SIZE);
	close(fd);
}

TEST_HARNESS_MAIN
