// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Rings of records of variable size.
 */
#define RINGS_OF_RECORDS
#include "rings.h"

static __always_inline int try_send(struct producer *p, const void *rec, uint32_t bytes)
{
	return did(spscring_record_push(&p->end, rec, bytes));
}

static __always_inline uint32_t try_take(struct consumer *c, void *rec, uint32_t size)
{
	long length = spscring_record_pop(&c->end, rec, size);

	/* -EBUSY: the producer overtook this end; try again, as after -EAGAIN */
	return unlikely(length == -EBUSY) ? 0 : done(length);
}

static __always_inline void *try_reserve(struct producer *p, uint32_t bytes)
{
	void *rec;

	return did(spscring_record_reserve(&p->end, bytes, &rec)) ? rec : NULL;
}

static __always_inline void commit(struct producer *p, void *rec, uint32_t bytes)
{
	spscring_record_commit(&p->end, rec, bytes);
}

static __always_inline uint32_t try_peek(struct consumer *c, const char **rec)
{
	if (!did(spscring_record_peek(&c->end, &c->peeked)))
		return 0;
	*rec = c->peeked.data;
	return c->peeked.length;
}

static __always_inline void release(struct consumer *c)
{
	spscring_record_release(&c->end, &c->peeked);
}

/* Push to a ring that drops or overwrites; false if the record was dropped. */
static __always_inline int push_or_lose(struct producer *p, const void *rec, uint32_t bytes)
{
	int err = spscring_record_push(&p->end, rec, bytes);

	return err == -ENOBUFS ? 0 : did(err);
}

static __always_inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	struct spscring_record records[BENCH_BATCH_MAX];

	for (uint32_t i = 0; i < n; i++)
		records[i] = (struct spscring_record){
			.data = (void *)&recs[i], .length = sizeof(*recs),
		};
	return done(spscring_record_push_n(&p->end, records, n));
}

static __always_inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	struct spscring_record records[BENCH_BATCH_MAX];

	for (uint32_t i = 0; i < n; i++)
		records[i] = (struct spscring_record){
			.data = &recs[i], .length = sizeof(*recs),
		};
	return done(spscring_record_pop_n(&c->end, records, n));
}

#define LOOPS_SIZED
#define LOOPS_BATCH
#define LOOPS_MIXED
#define LOOPS_BY_MIXED
#define LOOPS_IN_PLACE
#define LOOPS_FLOOD
#include "loops.h"

#define MOVES	(1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_SIZED | \
		 1U << BENCH_BATCH | 1U << BENCH_MIXED | 1U << BENCH_MIXED_RTT)

/* The tests that a kernel end supports, too. */
#define KERNEL	(1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_MIXED | \
		 1U << BENCH_MIXED_RTT)

const struct contender record_contenders[] = {
	{ .pair = "u-u", .impl = "spscring-records", .loops = &loops, .open = open_device,
	  .device = 1, .records = 1, .tests = MOVES | BENCH_DIFFER },
	{ .pair = "k-u", .impl = "spscring-records", .loops = &loops, .open = open_device,
	  .device = 1, .records = 1, .tests = KERNEL, .kernel = { 1, 0 } },
	{ .pair = "u-k", .impl = "spscring-records", .loops = &loops, .open = open_device,
	  .device = 1, .records = 1, .tests = KERNEL, .kernel = { 0, 1 } },
	{ .pair = "u-u", .impl = "spscring-plain-records", .loops = &loops, .open = open_plain,
	  .records = 1, .tests = MOVES | BENCH_DIFFER },
	{}
};
