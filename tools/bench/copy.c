// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The copy limit: records, or blocks of u64s, each after a flag, and no other protocol.  The
 * consumer publishes its head once for an eighth of the capacity.
 */
#include <string.h>

#include "bench.h"

#define BLOCK		64		/* u64s to a flag, or a batch if that is less */
#define FLAG		64		/* bytes: a line of its own */
#define RELAX		64		/* between two tries to pop, as suited it best */
#define DATA		4096		/* offset of the data, after the published head's page */

/* A side's private state; positions count slots. */
struct side {
	uint64_t pos;
	uint64_t limit;		/* producer: cached limit; consumer: next head to publish */
	char *at;
	char *data, *end;
	uint64_t *published;
	uint64_t capacity, publish_batch;
	uint32_t bytes;		/* of a record, or of a block */
	uint32_t stride;
};

struct producer {
	struct side s;
};

struct consumer {
	struct side s;
};

static void side_shape(const struct run *run, struct side *s)
{
	const struct point *p = &run->cell->point;
	uint32_t block = p->batch < BLOCK ? p->batch : BLOCK;

	memset(s, 0, sizeof(*s));
	s->bytes = p->bytes * block;
	s->stride = FLAG + s->bytes;
	s->capacity = run->cell->capacity / block;
	s->publish_batch = (s->capacity + 7) / 8;
}

static void side_init(const struct run *run, struct side *s)
{
	side_shape(run, s);
	s->published = (uint64_t *)run->memory;
	s->data = run->memory + DATA;
	s->at = s->data;
	s->end = s->data + s->capacity * s->stride;
}

static void open_copy(struct run *run)
{
	struct side s;

	side_shape(run, &s);
	run_memory(run, DATA + s.capacity * s.stride);
}

static void be_producer(struct run *run, uint32_t queue, struct producer *p)
{
	(void)queue;
	side_init(run, &p->s);
	p->s.limit = p->s.capacity;
}

static void be_consumer(struct run *run, uint32_t queue, struct consumer *c)
{
	(void)queue;
	side_init(run, &c->s);
	c->s.limit = c->s.publish_batch;
}

static __always_inline void side_step(struct side *s)
{
	s->pos++;
	s->at += s->stride;
	if (unlikely(s->at == s->end))
		s->at = s->data;
}

static __always_inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
{
	struct side *s = &p->s;

	if (unlikely(s->pos == s->limit)) {
		/* pairs with try_pop_sized() */
		s->limit = smp_load_acquire(s->published) + s->capacity;
		if (s->pos == s->limit)
			return 0;
	}
	memcpy(s->at + FLAG, rec, bytes);
	/* pairs with try_pop_sized(); a flag of the lap before is smaller */
	smp_store_release((uint64_t *)s->at, s->pos + 1);
	side_step(s);
	return 1;
}

static __always_inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	struct side *s = &c->s;

	/* pairs with try_push_sized() */
	if (smp_load_acquire((uint64_t *)s->at) != s->pos + 1)
		return 0;
	memcpy(rec, s->at + FLAG, bytes);
	side_step(s);
	if (unlikely(s->pos == s->limit)) {
		/* pairs with try_push_sized() */
		smp_store_release(s->published, s->pos);
		s->limit += s->publish_batch;
	}
	return 1;
}

/* Push whole blocks only: batches and message counts are multiples of a block. */
static __always_inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	uint32_t block = p->s.bytes / sizeof(*recs), done = 0;

	while (done < n && try_push_sized(p, recs + done, p->s.bytes))
		done += block;
	return done;
}

static __always_inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	uint32_t block = c->s.bytes / sizeof(*recs), done = 0;

	while (done < n && try_pop_sized(c, recs + done, c->s.bytes))
		done += block;
	return done;
}

static __always_inline int try_push(struct producer *p, uint64_t v)
{
	return try_push_sized(p, &v, sizeof(v));
}

static __always_inline int try_pop(struct consumer *c, uint64_t *v)
{
	return try_pop_sized(c, v, sizeof(*v));
}

static __always_inline void wait_push(struct producer *p)
{
	(void)p;
	cpu_relax();
}

static __always_inline void wait_pop(struct consumer *c)
{
	(void)c;
	for (int i = 0; i < RELAX; i++)
		cpu_relax();
}

static void ready(struct run *run)
{
	(void)run;
}

#define LOOPS_SIZED
#define LOOPS_BATCH
#include "loops.h"

const struct contender copy_contender = {
	.pair = "u-u", .impl = "copy", .loops = &loops, .open = open_copy,
	.tests = 1U << BENCH_SIZED | 1U << BENCH_BATCH,
};
