// SPDX-License-Identifier: GPL-2.0
/* Read, write, splice, poll, passing of fds, io_uring: of any fd, an end or not. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "program.h"
#include "spscring.h"

static char buffer[1 << 16];
static int ends_of_pipe[2] = { -1, -1 }, sockets[2] = { -1, -1 }, epoll = -1, file = -1;
static struct io_uring uring;
static bool has_uring;

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* Where to read to and write from: a buffer, a mapping of a ring, or nowhere. */
static char *place_of(const struct step *s)
{
	switch (s->c & 7) {
	case 0:
		return (char *)8;
	case 1:
	case 2:
		return slot_map(s->c >> 3);
	default:
		return buffer;
	}
}

static void pieces(struct iovec *iov, const struct step *s)
{
	char *at = place_of(s);
	uint32_t n = length_of(s->v), first = s->v >> 16 & 0xff;

	if (first > n)
		first = n;
	iov[0] = (struct iovec){ at, first };
	iov[1] = (struct iovec){ at + first, n - first };
}

static long read_by(const struct step *s)
{
	int fd = slot_fd(s->a);
	struct iovec iov[2];

	pieces(iov, s);
	switch (s->b % 5) {
	case 0:
		return result(read(fd, place_of(s), length_of(s->v)));
	case 1:
		return result(readv(fd, iov, 2));
	case 2:
		return result(preadv2(fd, iov, 2, -1, RWF_NOWAIT));
	case 3:
		return result(pread(fd, place_of(s), length_of(s->v), s->v));
	default:
		return result(preadv2(fd, iov, 2, -1, s->b >> 3));
	}
}

static long write_by(const struct step *s)
{
	int fd = slot_fd(s->a);
	struct iovec iov[2];

	pieces(iov, s);
	switch (s->b % 5) {
	case 0:
		return result(write(fd, place_of(s), length_of(s->v)));
	case 1:
		return result(writev(fd, iov, 2));
	case 2:
		return result(pwritev2(fd, iov, 2, -1, RWF_NOWAIT));
	case 3:
		return result(pwrite(fd, place_of(s), length_of(s->v), s->v));
	default:
		return result(pwritev2(fd, iov, 2, -1, s->b >> 3));
	}
}

long call_read(const struct step *s)
{
	long ret;

	interrupts(true);
	ret = read_by(s);
	interrupts(false);
	return ret;
}

long call_write(const struct step *s)
{
	long ret;

	interrupts(true);
	ret = write_by(s);
	interrupts(false);
	return ret;
}

/* A pipe, and a file of some pages, to move to and from. */
static bool has_pipe(void)
{
	if (ends_of_pipe[0] < 0 && pipe2(ends_of_pipe, O_NONBLOCK | O_CLOEXEC))
		return false;
	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		if (file >= 0 && ftruncate(file, sizeof(buffer)))
			return false;
	}
	return file >= 0;
}

static long splice_by(const struct step *s)
{
	const unsigned int flags = s->c & (SPLICE_F_NONBLOCK | SPLICE_F_MOVE | SPLICE_F_MORE);
	int fd = slot_fd(s->a), *p = ends_of_pipe;
	uint32_t n = length_of(s->v);
	off_t from = s->v >> 16;

	switch (s->b % 8) {
	case 0:
		return result(splice(fd, NULL, p[1], NULL, n, flags));
	case 1:
		return result(splice(p[0], NULL, fd, NULL, n, flags));
	case 2:
		return result(sendfile(fd, file, &from, n));
	case 3:
		return result(sendfile(p[1], fd, NULL, n));
	case 4:
		return result(write(p[1], buffer, n));
	case 5:
		return result(read(p[0], buffer, n));
	case 6:
		return result(splice(fd, NULL, slot_fd(s->c), NULL, n, flags));
	default:
		return result(copy_file_range(file, NULL, fd, NULL, n, 0));
	}
}

long call_splice(const struct step *s)
{
	long ret;

	if (!has_pipe())
		return -errno;
	interrupts(true);
	ret = splice_by(s);
	interrupts(false);
	return ret;
}

/* Poll two fds, or select one, for up to some milliseconds. */
long call_poll(const struct step *s)
{
	struct pollfd polled[] = { { slot_fd(s->a), (short)s->v, 0 },
				   { slot_fd(s->b), (short)(s->v >> 16), 0 } };
	struct timeval t = { .tv_usec = s->c % 4 * 500 };
	fd_set set[3];
	int i, fd = slot_fd(s->a);
	long ret;

	if (!(s->c & 4) || fd < 0 || fd >= FD_SETSIZE)
		return result(poll(polled, 2, s->c % 4));
	for (i = 0; i < 3; i++) {
		FD_ZERO(&set[i]);
		FD_SET(fd, &set[i]);
	}
	ret = select(fd + 1, &set[0], &set[1], &set[2], &t);
	return result(ret);
}

/* Add, change, remove fd slot @a; or wait. */
long call_epoll(const struct step *s)
{
	struct epoll_event event = { .events = s->v & 1 ? EPOLLIN | EPOLLOUT | EPOLLET : s->v };

	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->b % 4)
		return result(epoll_ctl(epoll, s->b % 4, slot_fd(s->a), &event));
	return result(epoll_wait(epoll, &event, 1, s->c % 4));
}

/* Send fd slot @a through a socket, or receive one to fd slot @a: some stay in flight. */
long call_pass(const struct step *s)
{
	int fd;

	if (sockets[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
					 0, sockets))
		return -errno;
	if (!(s->b & 1))
		return spscring_send_fd(sockets[0], slot_fd(s->a));
	fd = spscring_recv_fd(sockets[1]);
	if (fd >= 0)
		slot_set_fd(s->a, fd);
	return fd;
}

/* Submit one read, write or poll of fd slot @a, and do not wait; or register a mapping. */
long call_uring(const struct step *s)
{
	struct iovec iov = { slot_map(s->c), *slot_map_size(s->c) };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;

	if (!has_uring && io_uring_queue_init(4, &uring, 0))
		return -ENOMEM;
	has_uring = true;
	switch (s->b % 8) {
	case 0:
		io_uring_queue_exit(&uring);
		has_uring = false;
		return 0;
	case 1:
		return io_uring_register_buffers(&uring, &iov, 1);
	case 2:
		return io_uring_unregister_buffers(&uring);
	case 3:
		if (io_uring_peek_cqe(&uring, &cqe))
			return -EAGAIN;
		io_uring_cqe_seen(&uring, cqe);
		return 0;
	}
	sqe = io_uring_get_sqe(&uring);
	if (!sqe)
		return -EBUSY;
	if (s->b % 8 < 6)
		io_uring_prep_read(sqe, slot_fd(s->a), place_of(s), length_of(s->v), -1);
	else if (s->b % 8 == 6)
		io_uring_prep_write(sqe, slot_fd(s->a), place_of(s), length_of(s->v), -1);
	else
		io_uring_prep_poll_add(sqe, slot_fd(s->a), s->v & 0xffff);
	return io_uring_submit(&uring);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void streams_clean(void)
{
	if (has_uring)
		io_uring_queue_exit(&uring);
	has_uring = false;
	close_one(&ends_of_pipe[0]);
	close_one(&ends_of_pipe[1]);
	close_one(&sockets[0]);
	close_one(&sockets[1]);
	close_one(&epoll);
	close_one(&file);
}
