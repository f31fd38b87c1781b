// SPDX-License-Identifier: MIT
/*
 * Lines from one program to another.
 *
 *	pipeline receive SOCKET		writes the lines to its standard output
 *	pipeline send SOCKET		sends those of its standard input
 *
 * The receiver makes a ring and hands the producer's end, an fd, to the one sender who
 * connects to SOCKET; who may do that is a matter of the socket's permissions.  From
 * there on the ring is theirs alone: whole lines of any length, no system call while
 * they flow, and each end sleeps when it has nothing to do.
 *
 * The sender says when it is done.  If it dies instead, the receiver writes out what
 * there is, says so and fails; if the receiver dies, so does the sender.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "spscring.h"

#define CAPACITY	(1 << 16)
#define TAG		0x73656e696cULL		/* "lines" */
#define BATCH		64

static const char *name = "pipeline";

static void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s%s%s\n", name, what, err ? ": " : "", err ? strerror(-err) : "");
	exit(1);
}

/* What an end has found that can go on no more. */
static void die_of_peer(int end, const char *peer, int err)
{
	struct spscring_info info;
	char what[64];

	if (err != -EPIPE || spscring_get_info(end, &info))
		die("the ring", err);
	/* impossible words, or nobody is there any more */
	snprintf(what, sizeof(what), "the %s %s", peer,
		 info.producer_state == SPSCRING_DEAD || info.consumer_state == SPSCRING_DEAD ?
		 "died" : "broke the ring");
	die(what, 0);
}

/* ----------------------------------------------------------- passing an fd */

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		die(path, -ENAMETOOLONG);
	strcpy(address.sun_path, path);
	return address;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (void *)&address, sizeof(address)))
		die(path, -errno);
	return fd;
}

/* The first who connects to @path; then it is gone. */
static int accept_one(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	if (listening < 0 || bind(listening, (void *)&address, sizeof(address)) ||
	    listen(listening, 1))
		die(path, -errno);
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		die("accept", -errno);
	close(listening);
	unlink(path);
	return fd;
}

/* A message of a byte, which is nothing, and an fd. */
struct fd_message {
	struct msghdr head;
	struct iovec iov;
	char byte;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
};

static void fd_message_init(struct fd_message *m)
{
	*m = (struct fd_message){
		.iov = { &m->byte, 1 },
		.head = {
			.msg_iov = &m->iov, .msg_iovlen = 1,
			.msg_control = &m->control, .msg_controllen = sizeof(m->control),
		},
	};
}

static void send_fd(int socket, int fd)
{
	struct fd_message m;

	fd_message_init(&m);
	m.control.head = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(fd)),
	};
	memcpy(CMSG_DATA(&m.control.head), &fd, sizeof(fd));
	if (sendmsg(socket, &m.head, MSG_NOSIGNAL) != 1)
		die("the sender", -errno);
}

static int receive_fd(int socket)
{
	struct fd_message m;
	struct cmsghdr *c;
	int fd;

	fd_message_init(&m);
	if (recvmsg(socket, &m.head, MSG_CMSG_CLOEXEC) < 0)
		die("the receiver", -errno);
	c = CMSG_FIRSTHDR(&m.head);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(fd)))
		die("the receiver sent no ring", 0);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* ----------------------------------------------------------------- receive */

static void write_all(const struct iovec *v, int n)
{
	for (; n--; v++)
		if (fwrite_unlocked(v->iov_base, 1, v->iov_len, stdout) != v->iov_len)
			die("stdout", -errno);
}

static void receive(const char *path)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = SPSCRING_CREATE_RECORDS,
		.capacity = CAPACITY, .type_tag = TAG, .name = "pipeline",
	};
	int ring = spscring_open(&want), consumer, producer, socket, err;
	unsigned long long lines = 0, bytes = 0;
	struct spscring_record recs[BATCH];
	struct spscring_consumer c;
	long n, i;

	if (ring < 0)
		die("/dev/spscring", ring);
	consumer = spscring_claim(ring, SPSCRING_CONSUMER, TAG);
	producer = spscring_claim(ring, SPSCRING_PRODUCER, TAG);
	if (consumer < 0 || producer < 0)
		die("claim", consumer < 0 ? consumer : producer);
	err = spscring_map_consumer(consumer, &c, NULL);
	if (err)
		die("map", err);
	socket = accept_one(path);
	send_fd(socket, producer);
	/* the sender's alone, so that its death is seen, and nobody can follow it */
	close(producer);
	close(ring);
	close(socket);

	for (;;) {
		n = spscring_record_peek_n(&c, recs, BATCH);
		if (n == -EAGAIN) {
			/* XXX */
			n = spscring_wait_records(&c, 1, -1);
			continue;
		}
	}
}
