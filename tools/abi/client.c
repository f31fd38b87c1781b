// SPDX-License-Identifier: MIT
/*
 * A program that uses all that the device and the shared pages offer, and prints what it finds:
 * the same lines on each module that serves it.
 *
 * It needs no C library (the kernel's nolibc is enough), so that a build of it is small enough to
 * be kept: tools/abi/v4/client-x86_64 is one, with the calls, the structs and the push and pop of
 * layout 4 compiled in.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../uapi/spscring/end.c"
#include "../../uapi/spscring/element.c"
#include "../../uapi/spscring/record.c"
#include "../../uapi/spscring/overwrite.c"
#include "../../uapi/spscring/layout.c"

#define TAG	0x696261ULL
#define MANY	20000U

static void die(const char *what)
{
	printf("%s: errno %d\n", what, errno);
	exit(1);
}

static int check(const char *what, int ret)
{
	if (ret < 0)
		die(what);
	return ret;
}

/* What the library has beside the algorithm; rings without the module are not this program's. */
void spscring_kick_end(const struct spscring_kernel_block *kernel, __s64 fd, __u32 features,
		       __u32 role, unsigned long flags)
{
	(void)kernel, (void)features, (void)role;
	check("KICK", ioctl((int)fd, SPSCRING_KICK, flags));
}

void spscring_look_at(const struct spscring_kernel_block *kernel, __s64 fd, __u32 role)
{
	(void)kernel, (void)fd, (void)role;
}

static int open_ring(__u32 flags, __u64 capacity, __u32 element_size)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = flags, .capacity = capacity,
		.element_size = element_size, .type_tag = TAG, .name = "client",
	};
	int ring = check("/dev/spscring", open("/dev/spscring", O_RDWR | O_CLOEXEC));

	check("CREATE", ioctl(ring, SPSCRING_CREATE, &want));
	return ring;
}

static int claim(int ring, __u32 role, __u32 element_size)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .role = role, .element_size = element_size,
		.type_tag = TAG, .flags = SPSCRING_ENDPOINT_WAIT,
	};

	return check("ENDPOINT", ioctl(ring, SPSCRING_ENDPOINT, &want));
}

static struct spscring_info info_of(int fd)
{
	struct spscring_info info = { .size = sizeof(info) };

	check("INFO", ioctl(fd, SPSCRING_INFO, &info));
	return info;
}

static char *map(int fd, int prot, __u64 from, __u64 to)
{
	char *at = mmap(NULL, to - from, prot, MAP_SHARED, fd, (off_t)from);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

struct pages {
	struct spscring_geometry g;
	char *consumer, *info, *producer, *data;
};

static struct pages map_end(int fd, __u32 role)
{
	struct pages at = { .g = info_of(fd).geometry };
	const struct spscring_geometry *g = &at.g;
	__u64 end = g->consumer_offset + spscring_mapped_bytes(g);

	if (g->oldest_reader > SPSCRING_VERSION)
		die("a ring that this program cannot read");
	if (role == SPSCRING_PRODUCER) {
		at.consumer = map(fd, PROT_READ, g->consumer_offset, g->producer_offset);
		at.info = at.consumer + (g->info_offset - g->consumer_offset);
		at.producer = map(fd, PROT_READ | PROT_WRITE, g->producer_offset, end);
	} else {
		at.consumer = map(fd, PROT_READ | PROT_WRITE, g->consumer_offset, g->info_offset);
		at.info = map(fd, PROT_READ, g->info_offset, end);
		at.producer = at.info + (g->producer_offset - g->info_offset);
	}
	at.data = at.producer + (g->data_offset - g->producer_offset);
	return at;
}

static void map_producer(int fd, struct spscring_producer *p)
{
	struct pages at = map_end(fd, SPSCRING_PRODUCER);

	check("producer", spscring_producer_init(p, &at.g, at.consumer, at.info, at.producer,
						 at.data));
	p->base.fd = fd;
}

static void map_consumer(int fd, struct spscring_consumer *c)
{
	struct pages at = map_end(fd, SPSCRING_CONSUMER);

	check("consumer", spscring_consumer_init(c, &at.g, at.consumer, at.info, at.data));
	c->base.fd = fd;
}

static int wait_for(int fd, __u64 index)
{
	struct spscring_wait want = { .size = sizeof(want), .index = index, .deadline = -1 };

	return ioctl(fd, SPSCRING_WAIT, &want) ? -errno : 0;
}

static void shut_down(int fd)
{
	struct spscring_shutdown want = { .size = sizeof(want) };

	check("SHUTDOWN", ioctl(fd, SPSCRING_SHUTDOWN, &want));
}

static int status_of(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return status;
}

static void produce(int end)
{
	struct spscring_producer p;
	__u64 i;
	int err;

	map_producer(end, &p);
	for (i = 1; i <= MANY; i++) {
		while ((err = spscring_push(&p, &i)) == -EAGAIN)
			check("WAIT", wait_for(end, p.base.pos - p.base.capacity + 1));
		check("push", err);
	}
}

/* Pop until there is an error; add what was popped to @sum. */
static int consume(int end, struct spscring_consumer *c, __u64 *sum)
{
	__u64 value;
	int err;

	for (;;) {
		err = spscring_pop(c, &value);
		if (!err)
			*sum += value;
		else if (err == -EAGAIN)
			err = wait_for(end, c->base.pos + 1);
		if (err)
			return err;
	}
}

/* Elements from a child that shuts its end down, then from one that is killed. */
static void move_elements(__u32 flags)
{
	int ring = open_ring(flags, 64, 8), out = claim(ring, SPSCRING_CONSUMER, 8), round;
	struct spscring_consumer c;
	struct spscring_info info;
	__u64 sum = 0;

	map_consumer(out, &c);
	for (round = 0; round < 2; round++) {
		pid_t pid = fork();

		if (!pid) {
			int in = claim(ring, SPSCRING_PRODUCER, 8);

			close(out);
			produce(in);
			if (round)
				shut_down(in);
			else
				kill(getpid(), SIGKILL);
			exit(0);
		}
		while (info_of(ring).producer_generation <= (__u32)round)
			usleep(1000);
		printf("elements, flags %u: ended by %d", flags, consume(out, &c, &sum));
		printf(", sum %lu, child %d\n", (unsigned long)sum, status_of(pid));
	}
	info = info_of(out);
	printf("head %lu, tail %lu, length %lu, free %lu, states %u and %u, claims %u and %u\n",
	       (unsigned long)info.head, (unsigned long)info.tail, (unsigned long)info.length,
	       (unsigned long)info.free, info.producer_state, info.consumer_state,
	       info.producer_generation, info.consumer_generation);
	close(out);
	close(ring);
}

/* Records of many lengths: all are popped, or what is lost is counted. */
static void move_records(__u32 flags)
{
	int ring = open_ring(flags | SPSCRING_CREATE_RECORDS, 4096, SPSCRING_VARIABLE_SIZE);
	int in = claim(ring, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE);
	int out = claim(ring, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE);
	struct pages at_in = map_end(in, SPSCRING_PRODUCER);
	struct pages at_out = map_end(out, SPSCRING_CONSUMER);
	unsigned long pushed = 0, refused = 0, popped = 0, bytes = 0, bad = 0;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	unsigned char rec[256], got[256];
	struct spscring_info info;
	unsigned int i;
	long n;

	check("producer", spscring_record_producer_init(&p, &at_in.g, at_in.consumer, at_in.info,
							at_in.producer, at_in.data));
	check("consumer", spscring_record_consumer_init(&c, &at_out.g, at_out.consumer,
							at_out.info, at_out.data));
	p.base.fd = in;
	c.base.fd = out;
	for (i = 0; i < MANY; i++) {
		memset(rec, (int)(i % 251), sizeof(rec));
		if (spscring_record_push(&p, rec, i * 7 % 256))
			refused++;
		else
			pushed++;
		if (i % 64)
			continue;
		while ((n = spscring_record_pop(&c, got, sizeof(got))) >= 0) {
			__u64 number = spscring_record_sequence(&c);

			/* without a flag, one that is refused leaves its number to the next */
			if (flags && ((__u64)n != number * 7 % 256 ||
				      (n && got[n - 1] != number % 251)))
				bad++;
			popped++;
			bytes += (unsigned long)n;
		}
	}
	info = info_of(out);
	/* how many are overwritten at a time is the program's choice, but each is accounted for */
	if (flags & SPSCRING_CREATE_OVERWRITE) {
		popped += (unsigned long)(info.loss.overruns + info.loss.sequence - c.sequence);
		bytes = 0;
	}
	printf("records, flags %u: pushed %lu, refused %lu, popped or overwritten %lu, bad %lu\n",
	       flags, pushed, refused, popped, bad);
	printf("bytes %lu, drops %lu, sequence %lu\n", bytes, (unsigned long)info.loss.drops,
	       (unsigned long)info.loss.sequence);
	close(in);
	close(out);
	close(ring);
}

static int ready(int fd, short events)
{
	struct pollfd at = { .fd = fd, .events = events };

	check("poll", poll(&at, 1, 0));
	return at.revents;
}

/* The fds by themselves: poll, a watermark, read and write, the errors. */
static void fds(void)
{
	int ring = open_ring(0, 8, 8), in = claim(ring, SPSCRING_PRODUCER, 8);
	struct spscring_notify notify = { .size = sizeof(notify), .watermark = 3, .eventfd = -1 };
	struct spscring_create again = { .size = sizeof(again) };
	__u64 values[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	int out;

	printf("ring, without a consumer: %#x\n", ready(ring, POLLIN | POLLOUT));
	out = claim(ring, SPSCRING_CONSUMER, 8);
	check("NOTIFY", ioctl(out, SPSCRING_NOTIFY, &notify));
	printf("empty: %#x", ready(out, POLLIN));
	printf(", written %ld", (long)write(in, values, 16));
	printf(", below the watermark: %#x", ready(out, POLLIN));
	printf(", written %ld", (long)write(in, values, 8));
	printf(", there: %#x\n", ready(out, POLLIN));
	printf("read %ld", (long)read(out, values, 12));
	printf(", %ld", (long)read(out, values, sizeof(values)));
	shut_down(in);
	printf(", at the end %ld, %#x\n", (long)read(out, values, 8), ready(out, POLLIN));
	ioctl(ring, SPSCRING_CREATE, &again);
	printf("CREATE again: %d", errno);
	ioctl(in, SPSCRING_ENDPOINT, &again);
	printf(", ENDPOINT of an end: %d", errno);
	printf(", WAIT after SHUTDOWN: %d\n", wait_for(in, 1));
}

int main(void)
{
	move_elements(0);
	move_elements(SPSCRING_CREATE_FENCE);
	move_records(0);
	move_records(SPSCRING_CREATE_DROP);
	move_records(SPSCRING_CREATE_OVERWRITE);
	fds();
	return 0;
}
