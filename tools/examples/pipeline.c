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
#include <sys/un.h>
#include <unistd.h>

#include "spscring.h"

#define CAPACITY	65536
#define TAG		0x73656e696cULL		/* "lines" */
#define BATCH		64

static void die(const char *what, int err)
{
	fprintf(stderr, "pipeline: %s%s%s\n", what, err ? ": " : "", err ? strerror(-err) : "");
	exit(1);
}

/* An end cannot go on: EPIPE is that there is no peer, or that its words are impossible. */
static void die_of_peer(int end, const char *peer, int err)
{
	struct spscring_info info;

	if (err == -EPIPE && !spscring_get_info(end, &info) &&
	    (info.producer_state == SPSCRING_DEAD || info.consumer_state == SPSCRING_DEAD))
		fprintf(stderr, "pipeline: the %s died\n", peer);
	else
		fprintf(stderr, "pipeline: the ring, by the %s: %s\n", peer, strerror(-err));
	exit(1);
}

/* ----------------------------------------------------------- passing an fd */

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		die(path, -ENAMETOOLONG);
	memcpy(address.sun_path, path, strlen(path));
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
	fprintf(stderr, "pipeline: waiting at %s\n", path);
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

static int make_ring(struct spscring_record_consumer *c, int *producer)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = SPSCRING_CREATE_RECORDS,
		.capacity = CAPACITY, .type_tag = TAG, .name = "pipeline",
	};
	int ring = spscring_open(&want), consumer, err;

	if (ring < 0)
		die("/dev/spscring", ring);
	consumer = spscring_claim(ring, SPSCRING_CONSUMER, SPSCRING_ANY_SIZE, TAG);
	if (consumer < 0)
		die("consumer", consumer);
	*producer = spscring_claim(ring, SPSCRING_PRODUCER, SPSCRING_ANY_SIZE, TAG);
	if (*producer < 0)
		die("producer", *producer);
	err = spscring_record_map_consumer(consumer, c, TAG, NULL);
	if (err)
		die("map", err);
	/* with it goes the right to claim: nobody follows a sender that died */
	close(ring);
	return consumer;
}

/*
 * Straight from the ring to the output's buffer.  A sender may change a line while it is
 * looked at, so what needs one that does not change pops a copy.
 */
static void write_lines(const struct spscring_record *lines, long n)
{
	long i;

	for (i = 0; i < n; i++)
		if (fwrite(lines[i].data, 1, lines[i].length, stdout) != lines[i].length)
			die("output", -errno);
}

static void flush(void)
{
	if (fflush(stdout))
		die("output", -errno);
}

static void receive(const char *path)
{
	struct spscring_record lines[BATCH];
	struct spscring_record_consumer c;
	int producer, consumer = make_ring(&c, &producer), socket = accept_one(path);
	long n;

	send_fd(socket, producer);
	/* the sender has the only one, so that its death is seen */
	close(producer);
	close(socket);
	do {
		n = spscring_record_peek_n(&c, lines, BATCH);
		if (n > 0) {
			write_lines(lines, n);
			spscring_record_release_n(&c, lines, n);
		} else if (n == -EAGAIN) {
			flush();
			n = spscring_record_wait_records(&c, 1, -1);
		}
	} while (n >= 0);
	flush();
	if (n != -ESHUTDOWN)
		die_of_peer(consumer, "sender", n);
}

/* -------------------------------------------------------------------- send */

static int send_line(struct spscring_record_producer *p, const char *line, size_t length)
{
	int err;

	for (;;) {
		err = spscring_record_push(p, line, length);
		if (err != -EAGAIN)
			return err;
		err = spscring_record_wait_room(p, spscring_record_needs(p, length), -1);
		if (err)
			return err;
	}
}

static void send_lines(const char *path)
{
	int socket = connect_to(path), end = receive_fd(socket), err;
	struct spscring_record_producer p;
	struct spscring_info info;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	close(socket);
	/* the fd that came may be any */
	err = spscring_record_map_producer(end, &p, TAG, NULL) ?: spscring_get_info(end, &info);
	if (err)
		die("no ring for lines", err);
	while ((length = getline(&line, &room, stdin)) > 0) {
		err = send_line(&p, line, length);
		if (err == -EMSGSIZE)
			die("a line", err);
		if (err)
			die_of_peer(end, "receiver", err);
	}
	if (ferror(stdin))
		die("input", -errno);
	/* all of them are taken once the whole ring is free */
	err = spscring_record_wait_room(&p, info.geometry.capacity, -1) ?:
		spscring_record_shutdown_producer(&p);
	if (err)
		die_of_peer(end, "receiver", err);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "receive")) {
		receive(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "send")) {
		send_lines(argv[2]);
	} else {
		fprintf(stderr, "usage: pipeline receive|send SOCKET\n");
		return 2;
	}
	return 0;
}
