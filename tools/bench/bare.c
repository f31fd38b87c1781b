// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * No ring: cache lines passed to and fro, the floor of a round trip.  One pair
 * of lines is no floor, since it matters which slice of the shared cache holds
 * it: "bare" is over many pairs, each on pages of its own; "walk" takes a fresh
 * line for each message.
 */
#include <stddef.h>
#include <unistd.h>

#include "bench.h"

#define LINES	64		/* pairs of them */
#define WALK	256
#define STRIDE	128

static void open_bare(struct run *run)
{
	run_memory(run, LINES * sysconf(_SC_PAGESIZE));
}

static void open_walk(struct run *run)
{
	run_memory(run, WALK * STRIDE);
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

/* Line @i of 0..LINES-1: a page each, not all at one offset of theirs. */
static uint64_t *bare_line(char *memory, uint32_t i)
{
	return (uint64_t *)(memory + i * sysconf(_SC_PAGESIZE) + i % 16 * 128);
}

static void bare_ping(struct run *run)
{
	uint64_t warmup = run->warmup / LINES, total = warmup + run->count / LINES;

	run_start(run);
	for (uint32_t k = 0; k < LINES; k++) {
		uint64_t *to = bare_line(run->memory[0], k), *fro = bare_line(run->memory[1], k);
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
		uint64_t *to = bare_line(run->memory[0], k), *fro = bare_line(run->memory[1], k);

		for (uint64_t i = 1; i <= total; i++) {
			hear(to, i, i - 1);
			say(fro, i);
		}
	}
}

static uint64_t *walk_line(char *memory, uint64_t i)
{
	return (uint64_t *)(memory + i % WALK * STRIDE);
}

/* What is on a line before message @i comes. */
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

		say(walk_line(run->memory[0], i), i);
		hear(walk_line(run->memory[1], i), i, walk_before(i));
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
		hear(walk_line(run->memory[0], i), i, walk_before(i));
		say(walk_line(run->memory[1], i), i);
	}
}

const struct cell bare_cells[] = {
	{ "u-u", "bare", "rtt", 1, 1, 20000, 300000, open_bare,
	  { { .user = bare_ping }, { .user = bare_echo } } },
	{ "u-u", "walk", "rtt", 1, WALK, 20000, 300000, open_walk,
	  { { .user = walk_ping }, { .user = walk_echo } } },
	{}
};
