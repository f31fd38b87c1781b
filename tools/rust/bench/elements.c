// SPDX-License-Identifier: MIT
/*
 * One side of the comparison that bench/run makes: as elements.rs, in C.
 *	elements TEST MESSAGES
 * prints the ns that a message took.
 */
#include <errno.h>
#include <pthread.h>
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAPACITY	4096
#define BATCH		64

static void check(const char *what, int ok)
{
	if (ok)
		return;
	fprintf(stderr, "elements: %s\n", what);
	exit(1);
}

static int make(uint32_t flags, uint64_t capacity, uint32_t size)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = flags | SPSCRING_CREATE_BUSY_POLL,
		.capacity = capacity, .element_size = size,
	};
	int ring = getenv("SPSCRING_BENCH_DEVICE") ? spscring_open(&want) :
						     spscring_open_memfd(&want);

	check("open", ring >= 0);
	return ring;
}

static void split(struct spscring_producer *p, struct spscring_consumer *c)
{
	int ring = make(0, CAPACITY, 8);

	check("map", !spscring_map_producer(spscring_claim(ring, SPSCRING_PRODUCER, 8, 0), p, 8, 0,
					    NULL));
	check("map", !spscring_map_consumer(spscring_claim(ring, SPSCRING_CONSUMER, 8, 0), c, 8, 0,
					    NULL));
}

static void single(uint64_t all)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	uint64_t n, i, v;

	split(&p, &c);
	for (n = 0; n < all; n += CAPACITY / 2) {
		for (i = 0; i < CAPACITY / 2; i++) {
			v = n + i;
			check("push", !spscring_push_fixed(&p, &v, 8));
		}
		for (i = 0; i < CAPACITY / 2; i++) {
			check("pop", !spscring_pop_fixed(&c, &v, 8));
			check("value", v == n + i);
		}
	}
}

static void single_record(uint64_t all)
{
	int ring = make(SPSCRING_CREATE_RECORDS, CAPACITY * 16, 0);
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	uint64_t n, i, v;

	check("map", !spscring_record_map_producer(spscring_claim(ring, SPSCRING_PRODUCER, 0, 0),
						   &p, 0, NULL));
	check("map", !spscring_record_map_consumer(spscring_claim(ring, SPSCRING_CONSUMER, 0, 0),
						   &c, 0, NULL));
	for (n = 0; n < all; n += CAPACITY / 2) {
		for (i = 0; i < CAPACITY / 2; i++) {
			v = n + i;
			check("push", !spscring_record_push(&p, &v, sizeof(v)));
		}
		for (i = 0; i < CAPACITY / 2; i++) {
			check("pop", spscring_record_pop(&c, &v, sizeof(v)) == sizeof(v));
			check("value", v == n + i);
		}
	}
}

static void fill(uint64_t *to, uint64_t first)
{
	uint64_t i;

	for (i = 0; i < BATCH; i++)
		to[i] = first + i;
}

static void verify(const uint64_t *from, long n, uint64_t first)
{
	long i;

	for (i = 0; i < n; i++)
		check("value", from[i] == first + (uint64_t)i);
}

static void single_batch(uint64_t all)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	uint64_t n, i, from[BATCH], to[BATCH];

	split(&p, &c);
	for (n = 0; n < all; n += CAPACITY / 2) {
		for (i = 0; i < CAPACITY / 2; i += BATCH) {
			fill(from, n + i);
			check("push", spscring_push_n_fixed(&p, from, BATCH, 8) == BATCH);
		}
		for (i = 0; i < CAPACITY / 2; i += BATCH) {
			check("pop", spscring_pop_n_fixed(&c, to, BATCH, 8) == BATCH);
			verify(to, BATCH, n + i);
		}
	}
}

/* What the producer's thread does. */
struct task {
	struct spscring_producer p;
	uint64_t all;
};

static void *push_all(void *arg)
{
	struct task *t = arg;
	struct spscring_producer *p = &t->p;
	uint64_t n, all = t->all;
	int err;

	for (n = 0; n < all; n++) {
		while ((err = spscring_push_fixed(p, &n, 8)) == -EAGAIN)
			spscring_cpu_relax();
		check("push", !err);
	}
	return NULL;
}

static void *push_batches(void *arg)
{
	struct task *t = arg;
	uint64_t n, from[BATCH];
	long done, some;

	for (n = 0; n < t->all; n += BATCH) {
		fill(from, n);
		for (done = 0; done < BATCH; done += some > 0 ? some : 0) {
			some = spscring_push_n_fixed(&t->p, from + done, BATCH - done, 8);
			check("push", some > 0 || some == -EAGAIN);
			if (some < 0)
				spscring_cpu_relax();
		}
	}
	return NULL;
}

static void pair(uint64_t all)
{
	struct task t = { .all = all };
	struct spscring_consumer c;
	pthread_t thread;
	uint64_t n, v;
	int err;

	split(&t.p, &c);
	check("thread", !pthread_create(&thread, NULL, push_all, &t));
	for (n = 0; n < all; n++) {
		while ((err = spscring_pop_fixed(&c, &v, 8)) == -EAGAIN)
			spscring_backoff(&c);
		check("pop", !err);
		check("value", v == n);
	}
	pthread_join(thread, NULL);
}

static void pair_batch(uint64_t all)
{
	struct task t = { .all = all };
	struct spscring_consumer c;
	uint64_t n, to[BATCH];
	pthread_t thread;
	long some;

	split(&t.p, &c);
	check("thread", !pthread_create(&thread, NULL, push_batches, &t));
	for (n = 0; n < all; ) {
		some = spscring_pop_n_fixed(&c, to, BATCH, 8);
		if (some == -EAGAIN) {
			spscring_backoff(&c);
			continue;
		}
		check("pop", some > 0);
		verify(to, some, n);
		n += (uint64_t)some;
	}
	pthread_join(thread, NULL);
}

static const struct {
	const char *name;
	void (*run)(uint64_t all);
} tests[] = {
	{ "single", single }, { "single-batch", single_batch },
	{ "single-record", single_record }, { "pair", pair }, { "pair-batch", pair_batch },
};

/*
 * In ns: of the CPU, so that other programs on it count as little as may be; of two threads, of
 * the wall's clock.
 */
static double now(const char *test)
{
	struct timespec time;

	clock_gettime(strncmp(test, "single", 6) ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID,
		      &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t all = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	double start;
	size_t i;

	for (i = 0; all && i < sizeof(tests) / sizeof(*tests); i++) {
		if (strcmp(tests[i].name, argv[1]))
			continue;
		start = now(argv[1]);
		tests[i].run(all);
		printf("%.3f\n", (now(argv[1]) - start) / (double)all);
		return 0;
	}
	return 2;
}
