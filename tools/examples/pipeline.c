// SPDX-License-Identifier: MIT
/*
 * Send lines of text from one program to another.
 *
 *	pipeline receive SOCKET		writes the lines to its standard output
 *	pipeline send SOCKET		sends the lines of its standard input
 *
 * The receiver makes a ring, and hands the fd of the producer's end to the first sender that
 * connects to SOCKET.  The socket's permissions decide who may connect.  From then on the
 * two programs share the ring with nobody else.  They move whole lines of any length without
 * a system call while lines flow, and each end sleeps when it has nothing to do.
 *
 * The sender shuts its end down when it is done.  If the sender dies instead, the receiver
 * writes out the lines in the ring, reports the death and fails.  If the receiver dies, the
 * sender fails, too.
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

/* An end cannot go on.  -EPIPE: the peer has died, or has broken the ring. */
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

/* Accept the first connection to @path, and remove the socket. */
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

static void send_fd(int socket, int fd)
{
	int err = spscring_send_fd(socket, fd);

	if (err)
		die("the sender", err);
}

static int receive_fd(int socket)
{
	int fd = spscring_recv_fd(socket);

	if (fd == -EBADMSG || fd == -ENODATA)
		die("the receiver sent no ring", 0);
	if (fd < 0)
		die("the receiver", fd);
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
	consumer = spscring_claim(ring, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE, TAG);
	if (consumer < 0)
		die("consumer", consumer);
	*producer = spscring_claim(ring, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE, TAG);
	if (*producer < 0)
		die("producer", *producer);
	err = spscring_record_map_consumer(consumer, c, TAG, NULL);
	if (err)
		die("map", err);
	/* close the ring fd, so that nobody can claim the end of a sender that died */
	close(ring);
	return consumer;
}

/*
 * Copy lines from the ring to the output's buffer without a copy in between.  A malicious
 * sender may change a line meanwhile; a program that parses lines must pop a copy instead.
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
	/* leave the sender the only fd of its end, so that its death frees the end */
	close(producer);
	close(socket);
	do {
		n = spscring_record_peek_n(&c, lines, BATCH);
		if (n > 0) {
			write_lines(lines, n);
			spscring_record_release_n(&c, lines, n);
		} else if (n == -EAGAIN) {
			flush();
			n = spscring_record_wait_bytes(&c, 1, -1);
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
	/* the fd received may be anything: opening it checks that it is the right kind of end */
	err = spscring_record_map_producer(end, &p, TAG, NULL) ?: spscring_get_info(end, &info);
	if (err)
		die("the fd is not the producer's end of a ring of lines", err);
	while ((length = getline(&line, &room, stdin)) > 0) {
		err = send_line(&p, line, length);
		if (err == -EMSGSIZE)
			die("a line is too long for the ring", err);
		if (err)
			die_of_peer(end, "receiver", err);
	}
	if (ferror(stdin))
		die("input", -errno);
	/* the receiver has popped all lines once the whole ring is free */
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
