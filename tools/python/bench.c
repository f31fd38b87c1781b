// SPDX-License-Identifier: GPL-2.0
/*
 * The C half of tools/python/bench: batches of u64s between two processes.
 *
 *	bench COUNT BATCH CAPACITY DEVICE	prints how many seconds COUNT elements took
 */
#include <errno.h>
#include <spscring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t batch_size, count;

static long check(const char *what, long ret)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: %s\n", what, spscring_strerror(SPSCRING_PRODUCER, (int)ret));
	exit(1);
}

static uint64_t *new_batch(void)
{
	uint64_t *batch = calloc(batch_size, sizeof(*batch));

	check("batch", batch ? 0 : -ENOMEM);
	return batch;
}

static void produce(int end)
{
	uint64_t *batch = new_batch(), sent = 0;
	struct spscring_producer p;

	check("map", spscring_map_producer(end, &p, sizeof(*batch), 0, NULL));
	while (sent < count) {
		uint64_t want = count - sent < batch_size ? count - sent : batch_size;
		long n = spscring_push_n(&p, batch, want);

		if (n == -EAGAIN)
			n = check("wait", spscring_wait_room(&p, (p.base.capacity + 3) / 4, -1));
		sent += check("push", n);
	}
	check("shutdown", spscring_shutdown_producer(&p));
	free(batch);
}

static uint64_t consume(int end)
{
	uint64_t *batch = new_batch(), got = 0;
	struct spscring_consumer c;

	check("map", spscring_map_consumer(end, &c, sizeof(*batch), 0, NULL));
	for (;;) {
		long n = spscring_pop_n(&c, batch, batch_size);

		if (n == -EAGAIN)
			n = spscring_wait_elements(&c, 1, -1);
		if (n == -ESHUTDOWN)
			break;
		got += check("pop", n);
	}
	free(batch);
	return got;
}

int main(int argc, char **argv)
{
	struct spscring_create want = { .size = sizeof(want), .element_size = sizeof(uint64_t) };
	struct timespec from, to;
	int ring, in, out;

	if (argc != 5)
		return 2;
	count = strtoull(argv[1], NULL, 0);
	batch_size = strtoull(argv[2], NULL, 0);
	want.capacity = strtoull(argv[3], NULL, 0);
	ring = atoi(argv[4]) ? spscring_open(&want) : spscring_open_memfd(&want);
	check("ring", ring);
	in = (int)check("claim", spscring_claim(ring, SPSCRING_PRODUCER, sizeof(uint64_t), 0));
	out = (int)check("claim", spscring_claim(ring, SPSCRING_CONSUMER, sizeof(uint64_t), 0));
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (!fork()) {
		produce(in);
		return 0;
	}
	close(in);
	if (consume(out) != count)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.9f\n", (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
