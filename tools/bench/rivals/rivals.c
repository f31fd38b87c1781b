// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The rivals' cells, and the two ends of each.  Those that rivals.mk could not
 * build are null here.
 */
#include <assert.h>
#include <string.h>

#include "../bench.h"
#include "rival.h"

static_assert(RIVAL_CAPACITY == BENCH_CAPACITY, "all have the same room");

#pragma weak boost_rival
#pragma weak ck_rival
#pragma weak dpdk_rival
#pragma weak crossbeam_rival

static const struct {
	const struct rival *rival;
	const char *file, *package;
} rivals[] = {
	{ &boost_rival, "boost", "libboost-dev or g++" },
	{ &ck_rival, "ck", "libck-dev" },
	{ &dpdk_rival, "dpdk", "libdpdk-dev" },
	{ &crossbeam_rival, "crossbeam", "librust-crossbeam-queue-dev or rustc" },
	{ &pipe_rival, "pipe", NULL },
	{ &socket_rival, "socket", NULL },
	{ &mq_rival, "mq", NULL },
};

#define RIVALS_N	(sizeof(rivals) / sizeof(*rivals))
#define TESTS		3

static struct cell cells[TESTS * RIVALS_N + 1];	/* all rivals' of a test, then the next's */
static struct {
	const struct rival *rival;
	uint32_t pauses;
} behind[TESTS * RIVALS_N];	/* the cell of that index */

uint32_t rival_pauses;

void rival_wrong(uint64_t got, uint64_t expected)
{
	die("wrong value: %llu instead of %llu", (unsigned long long)got,
	    (unsigned long long)expected);
}

void rival_failed(const char *what, int error)
{
	die("%s: %s", what, strerror(error));
}

static const struct rival *rival_of(const struct run *run)
{
	return behind[run->cell - cells].rival;
}

static void close_rival(struct run *run)
{
	for (int i = 0; i < 2; i++)
		rival_of(run)->exit(run->memory[i]);
}

static void open_rival(struct run *run)
{
	const struct rival *rival = rival_of(run);

	rival_pauses = behind[run->cell - cells].pauses;
	run_memory(run, RIVAL_MEMORY);
	for (int i = 0; i < 2; i++)
		rival->init(run->memory[i]);
	if (rival->exit)
		run->close = close_rival;
}

static void ping(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, began = 0;
	const struct rival *rival = rival_of(run);
	char *to = run->memory[0], *fro = run->memory[1];

	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t begin = ticks();

		rival->send(to, i, i + 1);
		rival->receive(fro, i, i + 1);
		if (i >= warmup)
			hist_add(&run->shared->hist, ticks() - begin);
		else
			began = begin;
	}
	run->shared->ticks = ticks() - began;
}

static void echo(struct run *run)
{
	uint64_t total = run->warmup + run->count;
	const struct rival *rival = rival_of(run);

	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		rival->receive(run->memory[0], i, i + 1);
		rival->send(run->memory[1], i, i + 1);
	}
}

static void produce(struct run *run)
{
	const struct rival *rival = rival_of(run);
	uint64_t total = run->warmup + run->count;

	run_start(run);
	(run->cell->batch > 1 ? rival->send_n : rival->send)(run->memory[0], 0, total);
}

static void consume(struct run *run)
{
	const struct rival *rival = rival_of(run);
	uint64_t warmup = run->warmup, began;
	void (*receive)(void *memory, uint64_t from, uint64_t to) =
		run->cell->batch > 1 ? rival->receive_n : rival->receive;

	run_start(run);
	receive(run->memory[0], 0, warmup);
	began = ticks();
	receive(run->memory[0], warmup, warmup + run->count);
	run->shared->ticks = ticks() - began;
}

/*
 * As many records as the ring's own cells have, unless it is slow.  The pauses
 * are those that suited the rivals best of the ones that were tried: between 0
 * and 4096 item by item, 0, 1 and 64 otherwise.
 */
static const struct {
	struct cell cell;
	uint32_t pauses;
} tests[TESTS] = {
	{ { "u-u", NULL, "rtt", 1, 0, 20000, 300000, open_rival,
	    { { .user = ping }, { .user = echo } } }, 1 },
	{ { "u-u", NULL, "throughput", 1, 0, 200000, 5000000, open_rival,
	    { { .user = produce }, { .user = consume } } }, 512 },
	{ { "u-u", NULL, "batch", RIVAL_BATCH, 0, 200000, 10000000, open_rival,
	    { { .user = produce }, { .user = consume } } }, 64 },
};

const struct cell *rival_cells(void)
{
	size_t n = 0;

	for (size_t test = 0; test < TESTS; test++) {
		for (size_t i = 0; i < RIVALS_N; i++) {
			const struct rival *rival = rivals[i].rival;

			if (!rival || (tests[test].cell.batch > 1 && !rival->send_n))
				continue;
			cells[n] = tests[test].cell;
			cells[n].impl = rival->name;
			cells[n].capacity = rival->capacity;
			cells[n].warmup /= rival->slow;
			cells[n].count /= rival->slow;
			behind[n].rival = rival;
			behind[n++].pauses = tests[test].pauses;
		}
	}
	return cells;
}

void rivals_say_missing(void)
{
	for (size_t i = 0; i < RIVALS_N; i++)
		if (!rivals[i].rival)
			fprintf(stderr, "spscring-bench: without %s: no %s when it was built\n",
				rivals[i].file, rivals[i].package);
}
