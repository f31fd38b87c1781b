// SPDX-License-Identifier: MIT
/*
 * A program of somebody who has installed the library: C11 and C++20, a ring of each shape.
 *
 *	installed		rings without the module
 *	installed device	rings of /dev/spscring
 *
 * Exits with 1 where a message is wrong.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <spscring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 10000

static int (*open_ring)(struct spscring_create *want) = spscring_open_memfd;

/* The ends of a new ring; @size 0: of records. */
static int open_ends(__u64 capacity, __u32 size, int *in, int *out)
{
	struct spscring_create want;
	int ring;

	memset(&want, 0, sizeof(want));
	want.size = sizeof(want);
	want.flags = size ? 0 : SPSCRING_CREATE_RECORDS;
	want.capacity = capacity;
	want.element_size = size;
	ring = open_ring(&want);
	if (ring < 0) {
		fprintf(stderr, "open: %s\n", spscring_strerror(SPSCRING_PRODUCER, ring));
		return -1;
	}
	*in = spscring_claim(ring, SPSCRING_PRODUCER, size, 0);
	*out = spscring_claim(ring, SPSCRING_CONSUMER, size, 0);
	return *in < 0 || *out < 0 ? -1 : 0;
}

static int elements(void)
{
	const __u64 capacity = 100;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 pushed = 0, popped = 0, v;
	int in, out;

	if (open_ends(capacity, sizeof(v), &in, &out) ||
	    spscring_map_producer(in, &p, sizeof(v), 0, NULL) ||
	    spscring_map_consumer(out, &c, sizeof(v), 0, NULL))
		return 1;
	while (popped < MESSAGES) {
		while (!spscring_push(&p, &pushed))
			pushed++;
		while (!spscring_pop(&c, &v))
			if (v != popped++)
				return 1;
	}
	return spscring_has_elements(&c, 1) || !spscring_has_room(&p, capacity);
}

static int records(void)
{
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	__u32 pushed = 0, popped = 0;
	char out[300], in[300];
	int end_in, end_out;
	long length;

	if (open_ends(4096, SPSCRING_VARIABLE_SIZE, &end_in, &end_out) ||
	    spscring_record_map_producer(end_in, &p, 0, NULL) ||
	    spscring_record_map_consumer(end_out, &c, 0, NULL))
		return 1;
	while (popped < MESSAGES) {
		memset(out, (int)(pushed & 0xff), sizeof(out));
		while (!spscring_record_push(&p, out, pushed % sizeof(out))) {
			pushed++;
			memset(out, (int)(pushed & 0xff), sizeof(out));
		}
		while ((length = spscring_record_pop(&c, in, sizeof(in))) >= 0) {
			memset(out, (int)(popped & 0xff), sizeof(out));
			if ((size_t)length != popped % sizeof(out) ||
			    memcmp(in, out, (size_t)length))
				return 1;
			popped++;
		}
	}
	return spscring_record_sequence(&c) != popped - 1;
}

/* An fd goes over a socket; a message without one, and the end of the stream, are told apart. */
static int passing(void)
{
	int sockets[2], fd, sent = memfd_create("passed", MFD_CLOEXEC);
	char byte = 0;
	int on = 1;

	if (sent < 0 || write(sent, "ring", 4) != 4 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return 1;
	if (spscring_send_fd(sockets[0], sent))
		return 1;
	fd = spscring_recv_fd(sockets[1]);
	if (fd < 0 || fd == sent || pread(fd, &byte, 1, 3) != 1 || byte != 'g' ||
	    fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 1;
	/* the sender's credentials come with it where the receiver asks for them */
	if (setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    spscring_send_fd(sockets[0], sent))
		return 1;
	fd = spscring_recv_fd(sockets[1]);
	if (fd < 0 || pread(fd, &byte, 1, 0) != 1 || byte != 'r')
		return 1;
	if (write(sockets[0], "x", 1) != 1 || spscring_recv_fd(sockets[1]) != -EBADMSG)
		return 1;
	if (spscring_send_fd(sockets[0], -1) != -EBADF)
		return 1;
	close(sockets[0]);
	if (spscring_recv_fd(sockets[1]) != -ENODATA)
		return 1;
	return spscring_send_fd(sockets[1], sent) != -EPIPE;
}

/* A broken rule is named with its field, and no number is without a text. */
static int rules(void)
{
	struct spscring_create want;
	__u32 why;

	memset(&want, 0, sizeof(want));
	want.size = sizeof(want);
	want.element_size = 8;
	if (open_ring(&want) != -EINVAL || want.why != SPSCRING_WHY_CAPACITY ||
	    strncmp(spscring_why(want.why), "capacity: ", 10) != 0)
		return 1;
	/* a forgotten size is no rule, and leaves why alone */
	want.size = 0;
	want.why = 0;
	if (open_ring(&want) != -EINVAL || want.why || !strstr(spscring_why(0), "is size sizeof"))
		return 1;
	for (why = 1; why <= SPSCRING_WHY_TOO_LARGE; why++)
		if (!strchr(spscring_why(why), ':'))
			return 1;
	return !!strchr(spscring_why(SPSCRING_WHY_TOO_LARGE + 1), ':');
}

/* The same errno means another thing to each end, and one without a meaning is strerror()'s. */
static int texts(void)
{
	const char *end = spscring_strerror(SPSCRING_CONSUMER, -ESHUTDOWN);

	/* of a call for no end */
	if (!strstr(spscring_strerror(0, -ENOENT), "/dev/spscring") ||
	    !strstr(spscring_strerror(0, -EACCES), "/dev/spscring") ||
	    strstr(spscring_strerror(SPSCRING_PRODUCER, -EACCES), "/dev/spscring"))
		return 1;
	return !strstr(end, "producer ended the stream") ||
		!strstr(spscring_strerror(SPSCRING_PRODUCER, -ESHUTDOWN), "consumer") ||
		strcmp(spscring_strerror(SPSCRING_PRODUCER, -ENOMEM), strerror(ENOMEM)) != 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "device"))
		open_ring = spscring_open;
	if (elements() || records()) {
		fprintf(stderr, "a message is wrong\n");
		return 1;
	}
	if (passing() || rules() || texts()) {
		fprintf(stderr, "an fd, a rule or a text is wrong\n");
		return 1;
	}
	printf("%d elements and as many records\n", MESSAGES);
	return 0;
}
