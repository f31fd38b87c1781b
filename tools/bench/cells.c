// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Make the cells: the points of each test, each for every contender that supports the test.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/spscring.h>

#include "bench.h"

#define HUGE_LEAST	(4ULL << 20)	/* bytes of data that are worth huge pages */
#define PACED_NS	30000000	/* that messages are offered for */
#define ASLEEP_NS	200000		/* for a consumer to go to sleep, in a slow machine, too */
#define TRICKLE_NS	50000
#define DIFFER_DATA	65536	/* bytes: as many as a pipe has room for */

/* Larger elements: limit the bytes in flight to what L2 holds, and the bytes to move. */
#define RECORDS_DATA	(256 << 10)
#define RECORDS_ITEM	32

static const uint32_t sizes[] = { 64, 256, 1024, 4096, 16384, 65536 };
static const uint32_t batches[] = { 8, 64, 256 };
static const uint32_t rings_n[] = { 1, 10, 100, 1000, 10000 };
static const uint32_t loads_ns[] = {
	10000, 1000, 300, 100, 50, 30, 20, 15, 10, 8, 6, 5, 4,
};

#define N_OF(array)	(sizeof(array) / sizeof(*(array)))

static size_t chosen_n;
static struct cell *chosen;	/* all cells of the run */

/* The names by which --test selects tests. */
static const char *asked_name(enum bench_test test)
{
	if (1U << test & BENCH_ASLEEP)
		return test_name(BENCH_WAKE);
	return test_name(1U << test & BENCH_DIFFER ? BENCH_MIXED : test);
}

static int in_list(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (!strncmp(list, name, length) && (!list[length] || list[length] == ','))
			return 1;
	return 0;
}

static int wanted(const char *list, const char *name)
{
	return !list || in_list(list, name);
}

/* Refuse unknown names, which would select nothing without a message. */
static void check_tests(const char *list)
{
	size_t length;
	int test;

	for (; list; list = list[length] ? list + length + 1 : NULL) {
		length = strcspn(list, ",");
		for (test = 0; test < BENCH_TESTS; test++)
			if (strlen(asked_name(test)) == length &&
			    !strncmp(list, asked_name(test), length))
				break;
		if (test == BENCH_TESTS)
			die("no such test: %.*s", (int)length, list);
	}
}

/* Without --full, a test that is not in the table of `make run` runs only if it is named. */
static int point_wanted(const struct point *p, const struct choice *choice)
{
	if (!wanted(choice->test, asked_name(p->test)))
		return 0;
	return choice->full || p->basic || (choice->test && p->test > BENCH_BATCH);
}

static uint32_t capacity_of(const struct contender *c, const struct point *p)
{
	if (p->data)
		return p->data / 64 * c->words - c->spare;
	if (c->capacity)
		return c->capacity < 0 ? 0 : c->capacity;
	/* RESIDENCY needs exactly the same number in flight for each contender */
	return p->test == BENCH_RESIDENCY ? p->capacity : p->capacity - c->spare;
}

static void add_cell(const struct contender *c, const struct point *p)
{
	struct cell *cell;

	chosen = realloc(chosen, (chosen_n + 1) * sizeof(*chosen));
	if (!chosen)
		die("no memory");
	cell = &chosen[chosen_n++];
	cell->contender = c;
	cell->point = *p;
	cell->capacity = capacity_of(c, p);
	if (c->slow > 1 && !(1U << p->test & BENCH_ASLEEP) &&
	    cell->point.count > p->most / c->slow) {
		cell->point.warmup = p->warmup / c->slow;
		cell->point.count = p->most / c->slow;
	}
}

static void add_contender(const struct contender *c, const struct point *p,
			  const struct choice *choice)
{
	if (!(c->tests & 1U << p->test) || !wanted(choice->pair, c->pair) ||
	    !wanted(choice->impl, c->impl) || (c->most_rings && p->rings > c->most_rings) ||
	    (choice->no_device && c->device))
		return;
	add_cell(c, p);
}

static void add(struct point p, const struct choice *choice)
{
	const struct contender *c, * const *rival;

	if (!point_wanted(&p, choice))
		return;
	if (!p.bytes)
		p.bytes = sizeof(uint64_t);
	if (!p.batch)
		p.batch = 1;
	if (!p.capacity)
		p.capacity = BENCH_CAPACITY;
	if (!p.most)
		p.most = p.count;
	for (c = bare_contenders; c->impl; c++)
		add_contender(c, &p, choice);
	if (choice->full || choice->impl)
		add_contender(&copy_contender, &p, choice);
	for (c = ring_contenders; c->impl; c++)
		add_contender(c, &p, choice);
	for (c = record_contenders; (choice->full || choice->impl || choice->test) && c->impl; c++)
		add_contender(c, &p, choice);
	for (c = wake_contenders; c->impl; c++)
		add_contender(c, &p, choice);
	if (!choice->rivals)
		return;
	for (rival = rival_contenders(); *rival; rival++)
		add_contender(*rival, &p, choice);
}

static void add_records(uint32_t bytes, const struct choice *choice)
{
	uint32_t capacity = RECORDS_DATA / bytes;
	struct point p = {
		.test = BENCH_SIZED, .bytes = bytes,
		.capacity = capacity > BENCH_CAPACITY ? BENCH_CAPACITY : capacity,
		.warmup = 200000ULL * RECORDS_ITEM / bytes,
		.count = 5000000ULL * RECORDS_ITEM / bytes, .most = 5000000,
	};

	add(p, choice);
}

static void add_batch(uint32_t batch, const struct choice *choice)
{
	struct point p = {
		.test = BENCH_BATCH, .basic = batch == 64, .batch = batch,
		.warmup = 200000, .count = 10000000,
	};

	add(p, choice);
}

static void add_footprint(const struct choice *choice)
{
	uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4 * 3;
	uint64_t largest = (1ULL << 30) / choice->part, huge = 0;
	struct point p = {
		.test = BENCH_FOOTPRINT, .warmup = 200000, .count = 20000000,
	};

	if (!point_wanted(&p, choice))
		return;
	if (largest > most)
		largest = most;
	if (largest >= HUGE_LEAST)
		huge = huge_memory_most(largest);
	for (p.data = 4096; p.data <= largest; p.data *= 4) {
		p.huge = 0;
		add(p, choice);
		p.huge = 1;
		if (p.data >= HUGE_LEAST && p.data <= huge)
			add(p, choice);
	}
}

static void add_paced(uint32_t load_ns, const struct choice *choice)
{
	struct point p = {
		.test = BENCH_PACED, .load_ns = load_ns, .most = 2000000,
		.count = PACED_NS / load_ns,
	};

	if (p.count > p.most)
		p.count = p.most;
	p.warmup = p.count / 10;
	add(p, choice);
}

static void add_many(uint32_t rings, const struct choice *choice)
{
	struct point p = {
		.test = BENCH_MANY, .rings = rings, .capacity = MANY_CAPACITY,
		.warmup = 200000, .count = 2000000,
	};

	add(p, choice);
}

/* The points of one list of lengths: one record per call, floods and round trips. */
static void add_differ(uint32_t list, const struct choice *choice)
{
	static const uint32_t when_full[] = { SPSCRING_CREATE_DROP, SPSCRING_CREATE_OVERWRITE };
	struct point p = {
		.list = list + 1, .bytes = bench_lengths_sum(list) / LENGTHS_N,
		.capacity = DIFFER_DATA, .warmup = 100000, .count = 2000000, .most = 2000000,
	};

	p.test = BENCH_MIXED;
	add(p, choice);
	p.test = BENCH_FLOOD;
	for (p.taker = TAKER_FAST; p.taker <= TAKER_NONE; p.taker++)
		for (uint32_t i = 0; list == LENGTHS_KLOG && i < N_OF(when_full); i++) {
			p.when_full = when_full[i];
			add(p, choice);
		}
	p.when_full = 0;
	p.test = BENCH_MIXED_RTT;
	p.warmup = 20000;
	p.count = 200000;
	p.most = 400000;
	add(p, choice);
}

/* Records written and read in place, and the same with a copy at each end. */
static void add_in_place(uint32_t bytes, uint32_t list, const struct choice *choice)
{
	struct point p = {
		.list = list, .bytes = bytes, .capacity = DIFFER_DATA,
		.warmup = 10000, .count = 100000,
	};

	for (p.test = BENCH_IN_PLACE; p.test <= BENCH_IN_PLACE_RTT; p.test++)
		for (p.in_place = 0; p.in_place < 2; p.in_place++)
			add(p, choice);
}

static const struct point rtt = {
	.test = BENCH_RTT, .basic = 1, .warmup = 20000, .count = 300000,
};

static const struct point throughput = {
	.test = BENCH_THROUGHPUT, .basic = 1, .warmup = 200000, .count = 5000000,
};

static const struct point residency = {
	.test = BENCH_RESIDENCY, .warmup = 20000, .count = 1000000,
};

static const struct point wake = {
	.test = BENCH_WAKE, .load_ns = ASLEEP_NS, .warmup = 64, .count = 2000,
};

static const struct point wake_rtt = {
	.test = BENCH_WAKE_RTT, .warmup = 64, .count = 2000,
};

static const struct point watermark = {
	.test = BENCH_WATERMARK, .load_ns = TRICKLE_NS, .batch = 64, .warmup = 64, .count = 6400,
};

size_t cells_choose(const struct choice *choice, struct cell **cells)
{
	size_t i;

	check_tests(choice->test);
	add(rtt, choice);
	add(throughput, choice);
	for (i = 0; i < N_OF(sizes); i++)
		add_records(sizes[i], choice);
	for (i = 0; i < N_OF(batches); i++)
		add_batch(batches[i], choice);
	add_footprint(choice);
	for (i = 0; i < N_OF(loads_ns); i++)
		add_paced(loads_ns[i], choice);
	add(residency, choice);
	for (i = 0; i < N_OF(rings_n); i++)
		add_many(rings_n[i], choice);
	add(wake, choice);
	add(wake_rtt, choice);
	add(watermark, choice);
	for (i = 0; i < LENGTHS_LISTS; i++)
		add_differ(i, choice);
	add_in_place(bench_lengths_sum(LENGTHS_KLOG) / LENGTHS_N, LENGTHS_KLOG + 1, choice);
	add_in_place(1024, 0, choice);
	add_in_place(4096, 0, choice);
	*cells = chosen;
	return chosen_n;
}
