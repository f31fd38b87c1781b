// SPDX-License-Identifier: GPL-2.0
/*
 * No queue, only cache lines: the lower bound of a round trip.  bare bounces one pair of
 * lines.  A round trip depends on where in the shared cache the pair lies, so bare repeats
 * it on many pairs.  walk takes a fresh line for every message.  In the test "many", bare
 * has a line for each queue, each in its own page.
 */
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#define BARE_PAIRS	64
#define BARE_STRIDE	(PAGE_SIZE + BENCH_LINE)
#define WALK_LINES	256

/* A side's private state: its line, and the last word that it read there. */
struct bare_end {
	u64 *line;
	u64 seen;
};

/* A word is the message's number + 1; zero means that no message has come. */
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

static void bare_ping(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u32 pair;

	for (pair = 0; pair < BARE_PAIRS && !s->err; pair++) {
		struct bare_end out = { run->queue[0] + pair * BARE_STRIDE };
		struct bare_end in = { run->queue[1] + pair * BARE_STRIDE };

		s->err = bench_ping_on(s, &out, &in, run->count / BARE_PAIRS, bare_push, bare_pop,
				       bench_relax);
	}
}

static void bare_echo(struct bench_side *s)
{
	struct bench_run *run = s->run;
	u32 pair;

	for (pair = 0; pair < BARE_PAIRS && !s->err; pair++) {
		struct bare_end in = { run->queue[0] + pair * BARE_STRIDE };
		struct bare_end out = { run->queue[1] + pair * BARE_STRIDE };

		s->err = bench_echo_on(s, &in, &out, run->count / BARE_PAIRS, bare_push, bare_pop,
				       bench_relax);
	}
}

/* One end's state for all lines: message i goes to line i % rings. */
struct bare_lines {
	void **line;
	u64 *head;		/* the consumer's published head, in messages */
	u64 pos;
	u64 known;		/* producer: cached head; consumer: next position to publish */
	u32 at;
	u32 rings;
};

static __always_inline void bare_step(struct bare_lines *end)
{
	end->pos++;
	if (++end->at == end->rings)
		end->at = 0;
}

static __always_inline int bare_push_many(void *queue, const u64 *v)
{
	struct bare_lines *end = queue;

	if (unlikely(end->pos - end->known == end->rings)) {
		/* pairs with bare_pop_many() */
		end->known = smp_load_acquire(end->head);
		if (end->pos - end->known == end->rings)
			return -EAGAIN;
	}
	/* pairs with bare_pop_many() */
	smp_store_release((u64 *)end->line[end->at], *v + 1);
	bare_step(end);
	return 0;
}

static __always_inline int bare_pop_many(void *queue, u64 *v)
{
	struct bare_lines *end = queue;
	/* pairs with bare_push_many() */
	u64 word = smp_load_acquire((u64 *)end->line[end->at]);

	/* what the lap before left there is smaller */
	if (word <= end->pos)
		return -EAGAIN;
	*v = word - 1;
	bare_step(end);
	if (unlikely(end->pos >= end->known)) {
		end->known = end->pos + max(end->rings / 8, 1U);
		/* pairs with bare_push_many() */
		smp_store_release(end->head, end->pos);
	}
	return 0;
}

static struct bare_lines bare_lines(const struct bench_run *run)
{
	return (struct bare_lines) {
		.line	= run->queue,
		/* the last line of the first line's page */
		.head	= PTR_ALIGN(run->queue[0] + 1, PAGE_SIZE) - BENCH_LINE,
		.rings	= run->shape.rings,
	};
}

static void bare_produce_many(struct bench_side *s)
{
	struct bare_lines lines = bare_lines(s->run);
	u64 v;

	s->err = bench_produce_on(s, &lines, &v, sizeof(v), bare_push_many);
}

static void bare_consume_many(struct bench_side *s)
{
	struct bare_lines lines = bare_lines(s->run);
	u64 v;

	s->err = bench_consume_on(s, &lines, &v, sizeof(v), bare_pop_many, bench_relax);
}

static void *bare_open(const struct bench_run *run)
{
	void *page;

	if (run->shape.test == BENCH_RTT)
		return kvzalloc(BARE_PAIRS * BARE_STRIDE, GFP_KERNEL);
	page = kvzalloc(PAGE_SIZE, GFP_KERNEL);
	return page ? page + run->opened % BENCH_COLOURS * BENCH_LINE : NULL;
}

static void bare_close(void *queue)
{
	kvfree(PTR_ALIGN_DOWN(queue, PAGE_SIZE));
}

static size_t bare_memory(const struct bench_run *run, void *queue)
{
	return run->shape.test == BENCH_RTT ? BARE_PAIRS * BARE_STRIDE : PAGE_SIZE;
}

const struct bench_ops bench_bare = {
	.name		= "bare",
	.capacity	= 1,
	.open		= bare_open,
	.close		= bare_close,
	.memory		= bare_memory,
	.loops		= {
		[BENCH_RTT]	= { bare_ping, bare_echo },
		[BENCH_MANY]	= { bare_produce_many, bare_consume_many },
	},
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

static void walk_ping(struct bench_side *s)
{
	struct walk_end out = { s->run->queue[0] }, in = { s->run->queue[1] };

	s->err = bench_ping_on(s, &out, &in, s->run->count, walk_push, walk_pop, bench_relax);
}

static void walk_echo(struct bench_side *s)
{
	struct walk_end in = { s->run->queue[0] }, out = { s->run->queue[1] };

	s->err = bench_echo_on(s, &in, &out, s->run->count, walk_push, walk_pop, bench_relax);
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
	.loops		= { [BENCH_RTT] = { walk_ping, walk_echo } },
};
