// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * No ring, only cache lines passed to and fro: the lower bound of a round trip.  The slice of
 * the shared cache that holds a line affects its speed, so "bare" uses many pairs of lines,
 * each on its own pages.  "walk" takes a fresh line for each message.  The lower bound of many
 * rings is as many lines.
 */
#include <unistd.h>

#include "bench.h"

#define LINES	64		/* pairs of them */
#define WALK	256
#define PUBLISHED_HEAD		3072		/* of the first page, past all lines */

static void open_bare(struct run *run)
{
	run_memory(run, (run->cell->point.rings ? 1 : LINES) * sysconf(_SC_PAGESIZE));
}

static void open_walk(struct run *run)
{
	run_memory(run, WALK * BENCH_LINE);
}

static __always_inline void say(uint64_t *line, uint64_t v)
{
	/* pairs with hear() */
	smp_store_release(line, v);
}

static __always_inline void hear(const uint64_t *line, uint64_t v, uint64_t before)
{
	uint64_t got;

	/* pairs with say() */
	while ((got = smp_load_acquire(line)) != v) {
		if (unlikely(got != before))
			die("wrong value: %llu instead of %llu", (unsigned long long)got,
			    (unsigned long long)v);
		cpu_relax();
	}
}

/* Line @i of 0..LINES-1: each in its own page, at varying offsets. */
static uint64_t *bare_line(const struct run *run, uint32_t queue, uint32_t i)
{
	char *page = run_queue(run, queue) + i * sysconf(_SC_PAGESIZE);

	return (uint64_t *)(page + i % 16 * BENCH_LINE);
}

static void bare_ping(struct run *run)
{
	uint64_t warmup = run->warmup / LINES, total = warmup + run->count / LINES;

	run_start(run);
	for (uint32_t k = 0; k < LINES; k++) {
		uint64_t *to = bare_line(run, 0, k), *fro = bare_line(run, 1, k);
		uint64_t began = 0;

		for (uint64_t i = 1; i <= total; i++) {
			uint64_t begin = ticks();

			say(to, i);
			hear(fro, i, i - 1);
			if (i > warmup)
				hist_add(&run->shared->hist, ticks() - begin);
			else
				began = begin;
		}
		run->shared->ticks += ticks() - began;
	}
}

static void bare_echo(struct run *run)
{
	uint64_t total = run->warmup / LINES + run->count / LINES;

	run_start(run);
	for (uint32_t k = 0; k < LINES; k++) {
		uint64_t *to = bare_line(run, 0, k), *fro = bare_line(run, 1, k);

		for (uint64_t i = 1; i <= total; i++) {
			hear(to, i, i - 1);
			say(fro, i);
		}
	}
}

static uint64_t *walk_line(char *memory, uint64_t i)
{
	return (uint64_t *)(memory + i % WALK * BENCH_LINE);
}

/* The word that message i - WALK has left on the line of message @i. */
static uint64_t walk_before(uint64_t i)
{
	return i > WALK ? i - WALK : 0;
}

static void walk_ping(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, began = 0;

	run_start(run);
	for (uint64_t i = 1; i <= total; i++) {
		uint64_t begin = ticks();

		say(walk_line(run_queue(run, 0), i), i);
		hear(walk_line(run_queue(run, 1), i), i, walk_before(i));
		if (i > warmup)
			hist_add(&run->shared->hist, ticks() - begin);
		else
			began = begin;
	}
	run->shared->ticks = ticks() - began;
}

static void walk_echo(struct run *run)
{
	uint64_t total = run->warmup + run->count;

	run_start(run);
	for (uint64_t i = 1; i <= total; i++) {
		hear(walk_line(run_queue(run, 0), i), i, walk_before(i));
		say(walk_line(run_queue(run, 1), i), i);
	}
}

/* Each queue's line is in its own page. */
static uint64_t *many_line(const struct run *run, uint64_t i)
{
	return (uint64_t *)(run_queue(run, i) + i % 16 * BENCH_LINE);
}

static void many_say(struct run *run)
{
	uint64_t total = run->warmup + run->count, n = run->queues, limit = n;
	const uint64_t *published = (const uint64_t *)(run->memory + PUBLISHED_HEAD);

	run_start(run);
	for (uint64_t i = 0, k = 0; i < total; i++) {
		/* pairs with many_hear() */
		while (unlikely(i == limit && (limit = smp_load_acquire(published) + n) == i))
			cpu_relax();
		say(many_line(run, k), i + 1);
		if (++k == n)
			k = 0;
	}
}

static void many_hear(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, n = run->queues, began = 0;
	uint64_t *published = (uint64_t *)(run->memory + PUBLISHED_HEAD);
	const uint64_t publish_batch = n < 8 ? 1 : n / 8;

	run_start(run);
	for (uint64_t i = 0, k = 0; i < total; i++) {
		if (i == warmup)
			began = ticks();
		hear(many_line(run, k), i + 1, i < n ? 0 : i + 1 - n);
		if ((i + 1) % publish_batch == 0)
			/* pairs with many_say() */
			smp_store_release(published, i + 1);
		if (++k == n)
			k = 0;
	}
	run->shared->ticks = ticks() - began;
}

static const struct loops bare_loops = { {
	[BENCH_RTT] = { bare_ping, bare_echo },
	[BENCH_MANY] = { many_say, many_hear },
} };

static const struct loops walk_loops = { { [BENCH_RTT] = { walk_ping, walk_echo } } };

const struct contender bare_contenders[] = {
	{ .pair = "u-u", .impl = "bare", .loops = &bare_loops, .capacity = 1, .open = open_bare,
	  .tests = 1U << BENCH_RTT | 1U << BENCH_MANY },
	{ .pair = "u-u", .impl = "walk", .loops = &walk_loops, .capacity = WALK, .open = open_walk,
	  .tests = 1U << BENCH_RTT },
	{}
};
