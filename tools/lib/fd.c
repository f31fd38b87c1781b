// SPDX-License-Identifier: MIT
/* Hand an end, or a ring, to another process over a UNIX socket. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

/* The most fds of a message that are received, and closed but for the one that is wanted. */
#define FDS_MAX	16

/* A message with fds, and the byte of data that it must have; or two bytes, see fd.h. */
struct fd_message {
	struct msghdr head;
	struct iovec iov;
	unsigned char bytes[2];
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
};

static void fd_message_init(struct fd_message *m, size_t control)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = m->bytes;
	m->iov.iov_len = sizeof(m->bytes);
	m->head.msg_iov = &m->iov;
	m->head.msg_iovlen = 1;
	m->head.msg_control = &m->control;
	m->head.msg_controllen = control;
}

int spscring_send_fd(int socket, int fd)
{
	struct fd_message m;
	ssize_t sent;

	fd_message_init(&m, CMSG_SPACE(sizeof(fd)));
	m.iov.iov_len = 1;
	m.control.head.cmsg_level = SOL_SOCKET;
	m.control.head.cmsg_type = SCM_RIGHTS;
	m.control.head.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&m.control.head), &fd, sizeof(fd));
	do
		sent = sendmsg(socket, &m.head, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int spscring_recv_fd(int socket)
{
	int fds[FDS_MAX], n = 0, i;
	struct fd_message m;
	struct cmsghdr *c;
	ssize_t got;

	fd_message_init(&m, sizeof(m.control));
	do
		got = recvmsg(socket, &m.head, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (!got)
		return -ENODATA;
	/* a socket may have credentials, too, in a header of their own */
	for (c = CMSG_FIRSTHDR(&m.head); c; c = CMSG_NXTHDR(&m.head, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + n, CMSG_DATA(c), bytes);
		n += (int)(bytes / sizeof(int));
	}
	if (n == 1 && !(m.head.msg_flags & MSG_CTRUNC))
		return fds[0];
	for (i = 0; i < n; i++)
		close(fds[i]);
	if (!n && got == 2 && m.bytes[0] == FD_REFUSED && m.bytes[1])
		return -m.bytes[1];
	return -EBADMSG;
}
