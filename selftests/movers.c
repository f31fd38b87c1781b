// SPDX-License-Identifier: GPL-2.0
/*
 * sendfile(), splice(), writev() and io_uring: all bytes that a call reports as moved arrive in
 * order; bytes that do not fit, or are no whole record, stay with the caller.
 */
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "pieces.h"
#include "uring.h"

/* ----------------------------------------------------- all that is taken arrives */

FIXTURE(mover) {
	int ring, in, out, pipe[2], socket[2];
	size_t size, total;
};

FIXTURE_VARIANT(mover) {
	__u32 element_size;	/* 0: records of variable size */
	size_t size;		/* of each write */
};

FIXTURE_VARIANT_ADD(mover, frames) { 64, 64 * 40 };
FIXTURE_VARIANT_ADD(mover, records) { 0, 1000 };
FIXTURE_VARIANT_ADD(mover, long_records) { 0, 4000 };

FIXTURE_SETUP(mover)
{
	int small = 4096;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(variant->element_size ?
				       RING(.capacity = 8192,
					    .element_size = variant->element_size) :
				       RING(.capacity = 1 << 19, .flags = SPSCRING_CREATE_RECORDS),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->socket));
	ASSERT_EQ(0, setsockopt(self->socket[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	for (self->total = 0; self->total < 64 * variant->size; self->total += variant->size)
		ASSERT_EQ(variant->size, put(self->in, self->total, variant->size));
}

FIXTURE_TEARDOWN(mover)
{
	close_ends(&self->ring, &self->in, &self->out);
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
	close_fd(&self->socket[0]);
	close_fd(&self->socket[1]);
}

/* sendfile() from a ring to a socket is refused, as from a pipe, before it moves a byte. */
TEST_F(mover, sendfile)
{
	int file = memfd_create("stream", MFD_CLOEXEC);
	__u64 length = info_of(self->ring).length;
	loff_t offset = 0;
	long n;

	nonblock(self->out);
	nonblock(self->socket[0]);
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(self->socket[0], self->out, NULL, 1 << 20)));
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(file, self->out, NULL, 1 << 20)));
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(self->in, self->out, NULL, 1 << 20)));
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(self->socket[0], self->pipe[0], NULL, 1)));
	EXPECT_EQ(length, info_of(self->ring).length);
	/* into a pipe it is a splice() */
	EXPECT_EQ(-ESPIPE, negative_errno(sendfile(self->pipe[1], self->out, &offset, 1 << 20)));
	n = negative_errno(sendfile(self->pipe[1], self->out, NULL, 1 << 20));
	EXPECT_GT(n, 0);
	EXPECT_EQ(n > ROOM ? ROOM : n, get(self->pipe[0], 0, n > ROOM ? ROOM : n));
	close(file);
}

/* splice() by a pipe into a socket that is mostly full: all bytes arrive in order. */
TEST_F(mover, splice)
{
	const unsigned int flags = SPLICE_F_NONBLOCK;
	size_t sent = 0, came = 0;
	bool full = false;
	long n;

	nonblock(self->out);
	nonblock(self->socket[0]);
	while (came < self->total) {
		n = negative_errno(splice(self->out, NULL, self->pipe[1], NULL, 1 << 16, flags));
		ASSERT_TRUE(n > 0 || n == -EAGAIN || n == -EMSGSIZE);
		do {
			n = negative_errno(splice(self->pipe[0], NULL, self->socket[0], NULL,
						  1 << 16, flags));
			sent += n > 0 ? n : 0;
		} while (n > 0);
		ASSERT_EQ(-EAGAIN, n);
		full |= readable(self->pipe[0]) > 0;
		/* read less than was sent, to keep the socket full */
		n = get(self->socket[1], came, 700);
		ASSERT_GT(n, 0);
		came += n;
	}
	EXPECT_TRUE(full);
	EXPECT_EQ(self->total, sent);
	EXPECT_EQ(self->total, came);
	EXPECT_EQ(0, readable(self->out));
}

/* ------------------------------------------------------- pieces that do not fit */

/* The whole elements are written, and the rest stays with the caller. */
TEST_F(pieces, write)
{
	unsigned char bytes[4 * SIZE];
	struct iovec v[] = { { bytes, 5 }, { bytes + 5, SIZE }, { bytes + 5 + SIZE, SIZE } };

	EXPECT_EQ(3 * SIZE, put(self->in, 0, 3 * SIZE + SIZE / 2));
	EXPECT_EQ(-EINVAL, put(self->in, 0, SIZE - 1));
	EXPECT_EQ(0, put(self->in, 0, 0));
	EXPECT_EQ(3 * SIZE, get(self->out, 0, ROOM));
	fill(bytes, 7, sizeof(bytes));
	EXPECT_EQ(2 * SIZE, negative_errno(writev(self->in, v, 3)));
	EXPECT_EQ(2 * SIZE, get(self->out, 7, ROOM));
}

/* The kernel cuts a write of 2 GiB to a length that is no multiple of an element. */
TEST_F(pieces, two_gigabytes)
{
	const size_t size = 1UL << 31;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(MAP_FAILED, big);
	fill((unsigned char *)big, 0, ROOM);
	nonblock(self->in);
	EXPECT_EQ(CAPACITY * SIZE, negative_errno(write(self->in, big, size)));
	EXPECT_EQ(CAPACITY * SIZE, get(self->out, 0, ROOM));
	EXPECT_EQ(CAPACITY * SIZE, negative_errno(write(self->in, big, size / SIZE * SIZE)));
	munmap(big, size);
}

/* From odd pieces in a pipe splice() moves the whole elements, and leaves the rest in the pipe. */
TEST_F(pieces, splice)
{
	size_t at = 0, in = 0, out = 0, n, i;
	long ret;

	for (i = 0; i < 100; i++) {
		n = 1 + i * 37 % 53;
		ASSERT_EQ(n, put(self->pipe[1], at, n));
		at += n;
		ret = negative_errno(splice(self->pipe[0], NULL, self->in, NULL, ROOM,
					    SPLICE_F_NONBLOCK));
		ASSERT_EQ(at - in < SIZE ? -EINVAL : (long)((at - in) / SIZE * SIZE), ret);
		in += ret > 0 ? ret : 0;
		ASSERT_EQ(at - in, readable(self->pipe[0]));
		if (in == out)
			continue;
		ASSERT_EQ(in - out, readable(self->out));
		ASSERT_EQ(in - out, get(self->out, out, ROOM));
		out = in;
	}
	EXPECT_GT(out, 1000);
}

/* sendfile() from a file leaves the file's position after the last whole element. */
TEST_F(pieces, sendfile)
{
	int file = memfd_create("stream", MFD_CLOEXEC);
	const size_t size = 10 * SIZE + 7;
	loff_t from = SIZE;

	ASSERT_EQ(size, put(file, 0, size));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	EXPECT_EQ(2 * SIZE, negative_errno(sendfile(self->in, file, NULL, 2 * SIZE + 1)));
	EXPECT_EQ(2 * SIZE, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(8 * SIZE, negative_errno(sendfile(self->in, file, NULL, ROOM)));
	EXPECT_EQ(10 * SIZE, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(self->in, file, NULL, ROOM)));
	EXPECT_EQ(10 * SIZE, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(10 * SIZE, get(self->out, 0, ROOM));
	EXPECT_EQ(SIZE, negative_errno(sendfile(self->in, file, &from, SIZE + 1)));
	EXPECT_EQ(2 * SIZE, from);
	EXPECT_EQ(SIZE, get(self->out, SIZE, ROOM));
	close(file);
}

/* The kernel sends a long file in pieces, and the ring is full from time to time. */
TEST_F(pieces, sendfile_long)
{
	const size_t size = 300000 / SIZE * SIZE;
	int file = memfd_create("stream", MFD_CLOEXEC);
	size_t at, sent = 0;
	pid_t pid;
	long n;

	for (at = 0; at < size + 5; at += n) {
		n = put(file, at, size + 5 - at < ROOM ? size + 5 - at : ROOM);
		ASSERT_GT(n, 0);
	}
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(0, fcntl(self->out, F_SETFL, O_RDWR));
	pid = fork_child();
	if (!pid) {
		close(self->in);
		for (at = 0; (n = get(self->out, at, 7 * SIZE)) > 0; at += n)
			;
		_exit(n || at != size);
	}
	while ((n = negative_errno(sendfile(self->in, file, NULL, 1 << 20))) > 0)
		sent += n;
	EXPECT_EQ(-EINVAL, n);
	EXPECT_EQ(size, sent);
	EXPECT_EQ(size, lseek(file, 0, SEEK_CUR));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(0, wait_child(pid));
	close(file);
}

/* Submit one request and return its result. */
static long asked(struct io_uring *loop)
{
	io_uring_submit(loop);
	return completion(loop, LONG, NULL);
}

/* A write, a read and an fsync by io_uring do what the system calls do. */
TEST_F(pieces, io_uring)
{
	unsigned char bytes[ROOM], back[ROOM];
	struct io_uring loop;
	int err = io_uring_queue_init(4, &loop, 0);

	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	fill(bytes, 0, ROOM);
	io_uring_prep_write(io_uring_get_sqe(&loop), self->in, bytes, 3 * SIZE + 5, -1);
	EXPECT_EQ(3 * SIZE, asked(&loop));
	io_uring_prep_write(io_uring_get_sqe(&loop), self->in, bytes, SIZE - 1, -1);
	EXPECT_EQ(-EINVAL, asked(&loop));
	/* io_uring ignores the offset of a stream */
	io_uring_prep_read(io_uring_get_sqe(&loop), self->out, back, ROOM, 0);
	EXPECT_EQ(3 * SIZE, asked(&loop));
	EXPECT_TRUE(is_filled(back, 0, 3 * SIZE));
	io_uring_prep_fsync(io_uring_get_sqe(&loop), self->in, 0);
	EXPECT_EQ(-EINVAL, asked(&loop));
	io_uring_queue_exit(&loop);
}

TEST_HARNESS_MAIN
