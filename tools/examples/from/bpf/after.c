// SPDX-License-Identifier: MIT
/* Read events of two rings.  A child sends each number. */
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS 1000

struct event {
	unsigned long long value;
};

static unsigned long long sum, events;

static int check(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	exit(1);
}

static int handle(void *ctx, const void *data, size_t size)
{
	const struct event *event = data;

	(void)size;
	sum += event->value * *(int *)ctx;
	events++;
	return 0;
}

static void produce(const int *in)
{
	struct spscring_record_producer p[2];
	struct event event;

	check("map", spscring_record_map_producer(in[0], &p[0], 0, NULL));
	check("map", spscring_record_map_producer(in[1], &p[1], 0, NULL));
	for (event.value = 0; event.value < EVENTS; event.value++)
		check("push", spscring_record_push(&p[event.value % 2], &event, sizeof(event)));
	_exit(0);
}

int main(void)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = SPSCRING_CREATE_RECORDS, .capacity = 65536,
	};
	struct spscring_set *rings = spscring_set_new(0);
	int weight[] = { 1, 2 }, in[2], out, ring, i;

	for (i = 0; i < 2; i++) {
		ring = check("/dev/spscring (bpf-memfd needs no module)", spscring_open(&want));
		in[i] = check("claim", spscring_claim(ring, SPSCRING_PRODUCER, 0, 0));
		out = check("claim", spscring_claim(ring, SPSCRING_CONSUMER, 0, 0));
		check("add", spscring_set_add(rings, out, SPSCRING_VARIABLE_SIZE, 0, handle,
					      NULL, &weight[i]));
	}
	if (!check("fork", fork()))
		produce(in);
	while (events < EVENTS && spscring_set_poll(rings, -1) >= 0)
		;
	printf("%llu events, sum %llu\n", events, sum);
	spscring_set_free(rings);
	return 0;
}
