// SPDX-License-Identifier: GPL-2.0
/*
 * A user's program, for the test of the packages: it sends a number through a ring and prints
 * "sent".  The ring needs no module, as a chroot has none.
 */
#include <inttypes.h>
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>

static int check(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: error %d\n", what, -ret);
	exit(1);
}

int main(void)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 64, .element_size = sizeof(uint64_t),
	};
	int ring = check("open", spscring_open_memfd(&want));
	int in = check("claim", spscring_claim(ring, SPSCRING_PRODUCER, sizeof(uint64_t), 0));
	int out = check("claim", spscring_claim(ring, SPSCRING_CONSUMER, sizeof(uint64_t), 0));
	struct spscring_producer p;
	struct spscring_consumer c;
	uint64_t number = 42, got = 0;

	check("map", spscring_map_producer(in, &p, sizeof(number), 0, NULL));
	check("map", spscring_map_consumer(out, &c, sizeof(got), 0, NULL));
	check("push", spscring_push(&p, &number));
	check("pop", spscring_pop(&c, &got));
	if (got != number)
		return 1;
	puts("sent");
	return 0;
}
