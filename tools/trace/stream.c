// SPDX-License-Identifier: GPL-2.0
/*
 * A stream to trace, between a kernel producer and a kernel consumer.
 *
 *	spscring-stream [RECORDS [GAP_NS [CAPACITY [HOLD_MS]]]]
 *
 * The producer pushes an element every GAP_NS ns.  With HOLD_MS the consumer begins so many ms
 * after the ring is full, or after the last push.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "spscring.h"
#include "spscring_peer.h"

static void die(const char *what, int err)
{
	fprintf(stderr, "spscring-stream: %s: %s\n", what, strerror(-err));
	exit(1);
}

static unsigned long number(int argc, char **argv, int i, unsigned long otherwise)
{
	unsigned long n;
	char *end;

	if (i >= argc)
		return otherwise;
	errno = 0;
	n = strtoul(argv[i], &end, 10);
	if (errno || end == argv[i] || *end || n > 1000000000)
		die(argv[i], -EINVAL);
	return n;
}

static int start(const struct spscring_peer_start *want)
{
	int peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);

	if (peer < 0)
		die(SPSCRING_PEER_DEVICE, -errno);
	if (ioctl(peer, SPSCRING_PEER_START, want))
		die("start", -errno);
	return peer;
}

static void finish(int peer, const char *what, __u64 count)
{
	struct spscring_peer_result result = {};

	if (ioctl(peer, SPSCRING_PEER_WAIT, &result))
		die(what, -errno);
	if (result.err)
		die(what, result.err);
	if (result.done != count || result.wrong)
		die(what, -EIO);
}

static void hold_back(int ring, __u64 tail, unsigned int ms)
{
	struct spscring_info info;

	do {
		int err = spscring_get_info(ring, &info);

		if (err)
			die("info", err);
		sched_yield();
	} while (info.tail != tail);
	usleep(1000 * ms);
}

int main(int argc, char **argv)
{
	unsigned long count = number(argc, argv, 1, 50000), gap = number(argc, argv, 2, 20000);
	unsigned long capacity = number(argc, argv, 3, 4096), hold = number(argc, argv, 4, 0);
	struct spscring_create ring = {
		.size = sizeof(ring), .capacity = capacity, .element_size = 8, .name = "stream",
	};
	struct spscring_peer_start want = {
		.op = SPSCRING_PEER_PACED, .flags = SPSCRING_PEER_SHUTDOWN,
		.batch = 1, .count = count, .gap_ns = gap,
	};
	int producer, consumer;

	if (!count || argc > 5)
		die("bad arguments", -EINVAL);
	want.ring_fd = spscring_open(&ring);
	if (want.ring_fd < 0)
		die("ring", want.ring_fd);
	producer = start(&want);
	if (hold)
		hold_back(want.ring_fd, count < capacity ? count : capacity, hold);
	want.op = SPSCRING_PEER_SINK;
	want.gap_ns = 0;
	want.cpu = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	consumer = start(&want);
	finish(producer, "producer", count);
	finish(consumer, "consumer", count);
	return 0;
}
