// SPDX-License-Identifier: MIT
/*
 * A program of somebody who has installed the library: C11 and C++20, a ring of each shape in
 * memory of its own, so that it runs without the module.  Exits with 1 where a message is wrong.
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

struct ring {
	struct spscring_geometry g;
	struct spscring_blocks blocks;
	char *data;
};

/* The pages of a ring that is only polled, with the data mapped twice; @size 0: of records. */
static int ring_init(struct ring *r, __u64 capacity, __u32 size)
{
	const struct spscring_geometry *g = &r->g;
	struct spscring_create want;
	char *pages;
	int fd;

	memset(&want, 0, sizeof(want));
	want.size = sizeof(want);
	want.flags = SPSCRING_CREATE_BUSY_POLL | (size ? 0 : SPSCRING_CREATE_RECORDS);
	want.capacity = capacity;
	want.element_size = size;
	if (spscring_geometry_init(&r->g, &want, (__u32)sysconf(_SC_PAGESIZE)))
		return -1;
	fd = memfd_create("installed", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)g->memory))
		return -1;
	pages = (char *)mmap(NULL, g->memory + g->data_bytes, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED ||
	    mmap(pages, g->memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED ||
	    mmap(pages + g->memory, g->data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, (off_t)g->data_offset) == MAP_FAILED)
		return -1;
	close(fd);
	r->data = pages + g->data_offset;
	r->blocks = spscring_blocks(g, pages + g->consumer_offset, pages + g->info_offset,
				    pages + g->producer_offset);
	spscring_kernel_block_init(r->blocks.kernel, want.flags);
	return 0;
}

static int elements(void)
{
	const __u64 capacity = 100;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 pushed = 0, popped = 0, v;
	struct ring r;

	if (ring_init(&r, capacity, sizeof(v)) ||
	    spscring_producer_begin(&p, &r.g, &r.blocks, r.data) ||
	    spscring_consumer_begin(&c, &r.g, &r.blocks, r.data))
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
	struct ring r;
	long length;

	if (ring_init(&r, 4096, 0) ||
	    spscring_record_producer_begin(&p, &r.g, &r.blocks, r.data) ||
	    spscring_record_consumer_begin(&c, &r.g, &r.blocks, r.data))
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

/* The same errno means another thing to each end, and one without a meaning is strerror()'s. */
static int texts(void)
{
	const char *end = spscring_strerror(SPSCRING_CONSUMER, -ESHUTDOWN);

	return !strstr(end, "producer ended the stream") ||
		!strstr(spscring_strerror(SPSCRING_PRODUCER, -ESHUTDOWN), "consumer") ||
		strcmp(spscring_strerror(SPSCRING_PRODUCER, -ENOMEM), strerror(ENOMEM)) != 0;
}

int main(void)
{
	if (elements() || records()) {
		fprintf(stderr, "a message is wrong\n");
		return 1;
	}
	if (passing() || texts()) {
		fprintf(stderr, "an fd or a text is wrong\n");
		return 1;
	}
	printf("%d elements and as many records\n", MESSAGES);
	return 0;
}
