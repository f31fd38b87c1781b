// SPDX-License-Identifier: MIT
/* A child sends readings to its parent by a ring. */
#include <errno.h>
#include <inttypes.h>
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define READINGS 100000

struct reading {
	uint32_t sensor;
	int32_t value;
};

static int check(const char *what, uint32_t role, int ret)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: %s\n", what, spscring_strerror(role, ret));
	exit(1);
}

static void produce(int end)
{
	struct spscring_producer p;
	struct reading r;
	int i, err;

	check("map", SPSCRING_PRODUCER, spscring_map_producer(end, &p, sizeof(r), 0, NULL));
	for (i = 0; i < READINGS; i++) {
		r = (struct reading){ .sensor = i % 7, .value = i % 1000 - 500 };
		while ((err = spscring_push(&p, &r)) == -EAGAIN)
			check("wait", SPSCRING_PRODUCER, spscring_wait_room(&p, 1, -1));
		check("push", SPSCRING_PRODUCER, err);
	}
	/* a pipe ends when its writer does; the end of a ring is said, and a death is not one */
	check("shutdown", SPSCRING_PRODUCER, spscring_shutdown_producer(&p));
}

int main(void)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 8192, .element_size = sizeof(struct reading),
	};
	int ring = check("/dev/spscring (pipe-memfd needs no module)", 0, spscring_open(&want));
	int in = check("claim", 0, spscring_claim(ring, SPSCRING_PRODUCER, want.element_size, 0));
	int out = check("claim", 0, spscring_claim(ring, SPSCRING_CONSUMER, want.element_size, 0));
	pid_t child = check("fork", 0, fork());
	struct spscring_consumer c;
	int64_t sum[7] = {};
	struct reading r;
	int err, i;

	if (!child) {
		close(out);
		produce(in);
		return 0;
	}
	close(in);		/* or the child's death would not be noticed */
	check("map", SPSCRING_CONSUMER, spscring_map_consumer(out, &c, sizeof(r), 0, NULL));
	do {
		while (!(err = spscring_pop(&c, &r)))
			sum[r.sensor] += r.value;
		if (err == -EAGAIN)
			err = spscring_wait_elements(&c, 1, -1);
	} while (!err);
	if (err != -ESHUTDOWN)
		check("pop", SPSCRING_CONSUMER, err);
	for (i = 0; i < 7; i++)
		printf("%d %" PRId64 "\n", i, sum[i]);
	return waitpid(child, NULL, 0) < 0;
}
