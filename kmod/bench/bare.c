// SPDX-License-Identifier: GPL-2.0
/*
 * No queue at all, only cache lines: the floor for a round trip.  bare bounces
 * one pair of lines, and as a round trip depends on where in the shared cache
 * the pair lies, it does so on many pairs; walk takes a fresh line for every
 * message.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#define BARE_PAIRS	64
#define BARE_STRIDE	(PAGE_SIZE + BENCH_LINE)
#define WALK_LINES	256

/* Private to a side: the line, and the last word seen on it. */
struct bare_end {
	u64 *line;
	u64 seen;
};

/* A word is the message's number + 1, so that zero is nothing yet. */
static __always_inline int bare_push(void *queue, const u64 *v)
{
	struct bare_end *end = queue;

	/* pairs with bare_pop() */
	smp_store_release(end->line, *v + 1);
	return 0;
}

static __always_inline int bare_pop(void *queue, u64 *v)
{
	struct bare_end *end = queue;
	/* pairs with bare_push() */
	u64 word = smp_load_acquire(end->line);

	if (word == end->seen)
		return -EAGAIN;
	end->seen = word;
	*v = word - 1;
	return 0;
}

static int bare_call(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u32 pair;

	for (pair = 0; pair < BARE_PAIRS; pair++) {
		struct bare_end out = { run->queue[0] + pair * BARE_STRIDE };
		struct bare_end in = { run->queue[1] + pair * BARE_STRIDE };
		int err = bench_call(s, &out, &in, run->count / BARE_PAIRS, bare_push, bare_pop,
				     bench_relax);

		if (err)
			return err;
	}
	return 0;
}

static int bare_echo(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u32 pair;

	for (pair = 0; pair < BARE_PAIRS; pair++) {
		struct bare_end in = { run->queue[0] + pair * BARE_STRIDE };
		struct bare_end out = { run->queue[1] + pair * BARE_STRIDE };
		int err = bench_echo(s, &in, &out, run->count / BARE_PAIRS, bare_push, bare_pop,
				     bench_relax);

		if (err)
			return err;
	}
	return 0;
}

static void *bare_open(const struct bench_run *run)
{
	return kvzalloc(BARE_PAIRS * BARE_STRIDE, GFP_KERNEL);
}

static void bare_close(void *queue)
{
	kvfree(queue);
}

const struct bench_ops bench_bare = {
	.name		= "bare",
	.capacity	= 1,
	.open		= bare_open,
	.close		= bare_close,
	.loops		= { [BENCH_RTT] = { bare_call, bare_echo } },
};

struct walk_end {
	void *lines;
	u64 pos;
};

static __always_inline u64 *walk_line(const struct walk_end *end)
{
	return end->lines + end->pos % WALK_LINES * BENCH_LINE;
}

static __always_inline int walk_push(void *queue, const u64 *v)
{
	struct walk_end *end = queue;

	/* pairs with walk_pop() */
	smp_store_release(walk_line(end), *v + 1);
	end->pos++;
	return 0;
}

static __always_inline int walk_pop(void *queue, u64 *v)
{
	struct walk_end *end = queue;
	/* pairs with walk_push() */
	u64 word = smp_load_acquire(walk_line(end));

	/* what the lap before left there is smaller */
	if (word <= end->pos)
		return -EAGAIN;
	end->pos++;
	*v = word - 1;
	return 0;
}

static int walk_call(struct bench_side *s)
{
	struct walk_end out = { s->run->queue[0] }, in = { s->run->queue[1] };

	return bench_call(s, &out, &in, s->run->count, walk_push, walk_pop,
				     bench_relax);
}

static int walk_echo(struct bench_side *s)
{
	struct walk_end in = { s->run->queue[0] }, out = { s->run->queue[1] };

	return bench_echo(s, &in, &out, s->run->count, walk_push, walk_pop,
				     bench_relax);
}

static void *walk_open(const struct bench_run *run)
{
	return kvzalloc(WALK_LINES * BENCH_LINE, GFP_KERNEL);
}

const struct bench_ops bench_walk = {
	.name		= "walk",
	.capacity	= WALK_LINES,
	.open		= walk_open,
	.close		= bare_close,
	.loops		= { [BENCH_RTT] = { walk_call, walk_echo } },
};
