// SPDX-License-Identifier: GPL-2.0
/*
 * A read or write that its own memory holds up: a userfaultfd lets the page fault last.
 * Meanwhile neither the peer nor poll, INFO or a death waits for it.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>

#include "rw.h"
#include "rw_record.h"

/* A call, in a thread of its own, whose page faults until let_go(). */
struct stopped {
	int fd, fault;
	void *page;
	long size, got;
	pthread_t thread;
};

static void *read_into(void *arg)
{
	struct stopped *s = arg;

	s->got = negative_errno(read(s->fd, s->page, s->size));
	return NULL;
}

static void *write_from(void *arg)
{
	struct stopped *s = arg;

	s->got = negative_errno(write(s->fd, s->page, s->size));
	return NULL;
}

/* A userfaultfd for the faults of @page. */
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

/* Start a thread, and return once its call has come to the page: 0, or a negative errno. */
static int stop_in(struct stopped *s, void *(*call)(void *))
{
	long page = sysconf(_SC_PAGESIZE);
	struct uffd_msg msg;
	int err;

	s->page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->page == MAP_FAILED)
		return -errno;
	s->fault = fault_fd(s->page, page);
	if (s->fault < 0)
		return s->fault;
	err = pthread_create(&s->thread, NULL, call, s);
	if (err)
		return -err;
	return read(s->fault, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

/* Give the page, of zeros, to the call, and return what that returned. */
static long let_go(struct stopped *s)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)s->page, sysconf(_SC_PAGESIZE) },
	};

	if (ioctl(s->fault, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	pthread_join(s->thread, NULL);
	close(s->fault);
	return s->got;
}

/* A read that is held up holds up nobody else. */
TEST_F(rw, userfault)
{
	struct stopped s = { .fd = self->out, .size = SIZE };

	ASSERT_EQ(SIZE, put(self->in, 0, 1));
	ASSERT_EQ(0, stop_in(&s, read_into));

	EXPECT_EQ(SIZE, put(self->in, 1, 1));
	EXPECT_EQ(1, poll(&(struct pollfd){ self->out, POLLIN, 0 }, 1, 0));
	EXPECT_EQ(2, info_of(self->ring).length);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, get(self->out, 0, 1));
	close_fd(&self->in);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));

	EXPECT_EQ(SIZE, let_go(&s));
	EXPECT_TRUE(rec_is(s.page, 0));
	EXPECT_EQ(SIZE, get(self->out, 1, 1));
}

/* The same of a record; one that is overwritten meanwhile is replaced by the oldest left. */
TEST_F(record, userfault_read)
{
	struct stopped s = { .fd = self->out, .size = 1000 };
	__u64 i, n = self->overwrites ? 100 : 4;
	long got;

	ASSERT_EQ(1000, put_record(self->in, 0, 1000));
	ASSERT_EQ(0, stop_in(&s, read_into));

	for (i = 1; i < n; i++)
		EXPECT_EQ(1000, put_record(self->in, i, 1000));
	EXPECT_EQ(POLLIN, polled(self->out));
	EXPECT_GT(info_of(self->ring).length, 1000);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, get_record(self->out, 0, ROOM));
	close_fd(&self->in);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));

	EXPECT_EQ(1000, let_go(&s));
	memcpy(&i, s.page, sizeof(i));
	EXPECT_TRUE(is_filled(s.page, i, 1000));
	EXPECT_EQ(i, info_of(self->ring).loss.overruns);
	EXPECT_EQ(self->overwrites, i > 90);
	while ((got = get_record(self->out, ++i, ROOM)) == 1000)
		;
	EXPECT_EQ(-EPIPE, got);
	EXPECT_EQ(n, i);
}

/* A write that is held up within the record that it has reserved holds up nobody else. */
TEST_F(record, userfault_write)
{
	struct stopped s = { .fd = self->in, .size = 1000 };
	unsigned char rec[ROOM], zeros[1000] = {};

	ASSERT_EQ(10, put_record(self->in, 0, 10));
	ASSERT_EQ(0, stop_in(&s, write_from));

	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, put_record(self->in, 1, 10));
	EXPECT_EQ(variant->align ?: 24, info_of(self->ring).length);
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(-EAGAIN, get_record(self->out, 1, ROOM));
	EXPECT_EQ(0, polled(self->out));
	close_fd(&self->out);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_CONSUMER));
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);

	EXPECT_EQ(1000, let_go(&s));
	EXPECT_EQ(1000, read(self->out, rec, sizeof(rec)));
	EXPECT_EQ(0, memcmp(rec, zeros, 1000));
}

/* Of a write that is killed there, nothing is left. */
TEST_F(record, killed_write)
{
	struct stopped s = { .fd = self->in, .size = 1000 };
	pid_t pid;

	ASSERT_EQ(10, put_record(self->in, 0, 10));
	nonblock(self->in);
	pid = fork_child();
	if (!pid)
		_exit(stop_in(&s, write_from) ? 1 : pause());
	/* once it is there, no other call gets at the end */
	while (put_record(self->in, 0, self->most + 1) == -EMSGSIZE)
		sleep_ms(1);
	close_fd(&self->in);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(100, put_record(self->in, 1, 100));
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(100, get_record(self->out, 1, ROOM));
	EXPECT_EQ(0, info_of(self->ring).length);
}

TEST_HARNESS_MAIN
