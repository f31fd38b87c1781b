// SPDX-License-Identifier: MIT
/* Read events of two rings.  A child sends each number. */
#include <errno.h>
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 1000

struct event {
	unsigned long long value;
};

struct stream {
	struct spscring_record_consumer c;
	int weight, in, out;
};

static unsigned long long sum, events;

static int check(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	exit(1);
}

static void handle(const struct stream *s, const struct event *event)
{
	sum += event->value * s->weight;
	events++;
}

static void produce(const struct stream *s)
{
	struct spscring_record_producer p[2];
	struct event event;

	check("map", spscring_record_map_producer(s[0].in, &p[0], 0, NULL));
	check("map", spscring_record_map_producer(s[1].in, &p[1], 0, NULL));
	for (event.value = 0; event.value < EVENTS; event.value++)
		check("push", spscring_record_push(&p[event.value % 2], &event, sizeof(event)));
	_exit(0);
}

int main(void)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = SPSCRING_CREATE_RECORDS, .capacity = 65536,
	};
	struct epoll_event ready = { .events = EPOLLIN };
	int rings = epoll_create1(EPOLL_CLOEXEC), ring, i;
	struct stream s[2] = { { .weight = 1 }, { .weight = 2 } }, *at;
	struct spscring_record rec;

	for (i = 0; i < 2; i++) {
		ring = check("open", spscring_open(&want));
		s[i].in = check("claim", spscring_claim(ring, SPSCRING_PRODUCER, 0, 0));
		s[i].out = check("claim", spscring_claim(ring, SPSCRING_CONSUMER, 0, 0));
		check("map", spscring_record_map_consumer(s[i].out, &s[i].c, 0, NULL));
		ready.data.ptr = &s[i];
		check("epoll", epoll_ctl(rings, EPOLL_CTL_ADD, s[i].out, &ready));
	}
	if (!check("fork", fork()))
		produce(s);
	while (events < EVENTS && epoll_wait(rings, &ready, 1, -1) == 1) {
		at = ready.data.ptr;
		while (!spscring_record_peek(&at->c, &rec)) {
			handle(at, rec.data);
			spscring_record_release(&at->c, &rec);
		}
	}
	printf("%llu events, sum %llu\n", events, sum);
	return 0;
}
