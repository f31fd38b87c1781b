// SPDX-License-Identifier: GPL-2.0
/*
 * A program of a user's, for the test of the packages: make a ring on the device, send a number
 * through it.  Prints "sent", or "no device" where the module is not loaded.
 */
#include <errno.h>
#include <inttypes.h>
#include <spscring.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 64, .element_size = sizeof(uint64_t),
	};
	struct spscring_producer p;
	struct spscring_consumer c;
	uint64_t number = 42, got = 0;
	int ring = spscring_open(&want);

	if (ring == -ENOENT) {
		puts("no device");
		return 0;
	}
	if (ring < 0) {
		fprintf(stderr, "spscring_open: %s\n", strerror(-ring));
		return 1;
	}
	if (spscring_map_producer(spscring_claim(ring, SPSCRING_PRODUCER, sizeof(number), 0),
				  &p, sizeof(number), 0, NULL) ||
	    spscring_map_consumer(spscring_claim(ring, SPSCRING_CONSUMER, sizeof(number), 0),
				  &c, sizeof(number), 0, NULL))
		return 2;
	if (spscring_push(&p, &number) || spscring_pop(&c, &got) || got != number)
		return 3;
	puts("sent");
	return 0;
}
