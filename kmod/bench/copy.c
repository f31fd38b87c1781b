// SPDX-License-Identifier: GPL-2.0
/*
 * The copy limit: a ring of cache lines whose protocol is one flag for every 64 u64s, or for
 * each larger record.  A flag counts what has been published, so it is never reset.  The
 * consumer publishes its head once for an eighth of the capacity.
 *
 * 64 u64s are 8 whole lines.  One word on its own line is the flag of all blocks, so 9 lines
 * travel for a block.  That was faster than a separate flag line beside each block; a
 * consumer that pauses between two polls was faster, too.  The consumer does not see a block
 * until it is full, so batches smaller than 64 show what the calls cost.
 *
 * copy moves lines word by word, which is fastest where the CPUs share a cache.  copy-rep's
 * producer writes them by the compiler's copy of 512 bytes (rep movs on x86), which is
 * fastest elsewhere.  The copy limit is the better of the two.
 */
#include <linux/align.h>
#include <linux/cache.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#define COPY_LINE	64
#define COPY_WORDS	64
#define COPY_WAIT	64

struct copy {
	u64 flag __aligned(BENCH_LINE);
	u64 head __aligned(BENCH_LINE);
	char data[] __aligned(BENCH_LINE);
};

/* A side's private state. */
struct copy_end {
	struct copy *copy;
	char *at;
	char *data_end;
	u64 pos;
	u64 known;		/* producer: cached head; consumer: next head to publish */
	u64 seen;		/* consumer: the last flag that it read */
	u32 bytes;		/* of a record */
	u32 most;		/* most records in flight that leave room for a block */
	u32 publish_batch;
};

/* Batches need a capacity of several blocks. */
static u32 copy_capacity(const struct bench_shape *shape)
{
	if (shape->test == BENCH_BATCH)
		return max_t(u32, ALIGN(shape->capacity, COPY_WORDS), 4 * COPY_WORDS);
	return shape->capacity;
}

/* Bytes from one record to the next; a larger one has a line for its flag before it. */
static u32 copy_stride(const struct bench_shape *shape)
{
	if (shape->test == BENCH_BATCH)
		return sizeof(u64);
	return COPY_LINE + ALIGN(shape->bytes, COPY_LINE);
}

static size_t copy_bytes(const struct bench_shape *shape)
{
	return (size_t)copy_capacity(shape) * copy_stride(shape);
}

static struct copy_end copy_end(const struct bench_run *run)
{
	bool batch = run->shape.test == BENCH_BATCH;
	u32 capacity = copy_capacity(&run->shape);
	struct copy *copy = run->queue[0];

	return (struct copy_end) {
		.copy		= copy,
		.at		= copy->data,
		.data_end	= copy->data + copy_bytes(&run->shape),
		.bytes		= run->shape.bytes,
		.most		= capacity - (batch ? COPY_WORDS : 1),
		.publish_batch		= capacity / 8,
	};
}

static __always_inline void copy_step(struct copy_end *end, u32 records, u32 bytes)
{
	end->pos += records;
	end->at += bytes;
	if (unlikely(end->at == end->data_end))
		end->at = end->copy->data;
}

static __always_inline bool copy_full(struct copy_end *end)
{
	if (likely(end->pos - end->known <= end->most))
		return false;
	/* pairs with copy_publish_head() */
	end->known = smp_load_acquire(&end->copy->head);
	return end->pos - end->known > end->most;
}

static __always_inline void copy_publish_head(struct copy_end *end)
{
	if (likely(end->pos < end->known))
		return;
	end->known = end->pos + end->publish_batch;
	/* pairs with copy_full() */
	smp_store_release(&end->copy->head, end->pos);
}

/* ----------------------------------------------------------- large records */

static __always_inline int copy_push(void *queue, const u64 *record)
{
	struct copy_end *end = queue;
	u64 *flag = (u64 *)end->at;

	if (unlikely(copy_full(end)))
		return -EAGAIN;
	__builtin_memcpy(end->at + COPY_LINE, record, end->bytes);
	copy_step(end, 1, COPY_LINE + ALIGN(end->bytes, COPY_LINE));
	/* pairs with copy_pop() */
	smp_store_release(flag, end->pos);
	return 0;
}

static __always_inline int copy_pop(void *queue, u64 *record)
{
	struct copy_end *end = queue;

	/* pairs with copy_push(); a flag of the lap before is smaller */
	if (smp_load_acquire((u64 *)end->at) <= end->pos)
		return -EAGAIN;
	__builtin_memcpy(record, end->at + COPY_LINE, end->bytes);
	copy_step(end, 1, COPY_LINE + ALIGN(end->bytes, COPY_LINE));
	copy_publish_head(end);
	return 0;
}

static void copy_produce_sized(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_produce_on(s, &end, s->records, end.bytes, copy_push);
}

static void copy_consume_sized(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_consume_on(s, &end, s->records, end.bytes, copy_pop, bench_relax);
}

/* ----------------------------------------------------------------- batches */

static __always_inline void copy_words(void *to, const void *from, u32 n, bool whole)
{
	u32 i;

	if (unlikely(n != COPY_WORDS))
		__builtin_memcpy(to, from, n * sizeof(u64));
	else if (whole)
		__builtin_memcpy(to, from, COPY_WORDS * sizeof(u64));
	else
		for (i = 0; i < COPY_WORDS * sizeof(u64); i += COPY_LINE)
			__builtin_memcpy(to + i, from + i, COPY_LINE);
}

static __always_inline void copy_flag(struct copy_end *end)
{
	/* pairs with copy_pop_n() */
	smp_store_release(&end->copy->flag, end->pos);
}

static __always_inline long copy_push_some(struct copy_end *end, const u64 *v, u32 n, bool whole)
{
	u32 used = end->pos % COPY_WORDS;

	if (unlikely(!used && copy_full(end)))
		return -EAGAIN;
	n = min_t(u32, n, COPY_WORDS - used);
	copy_words(end->at, v, n, whole);
	copy_step(end, n, n * sizeof(u64));
	if (likely(used + n == COPY_WORDS))
		copy_flag(end);
	return n;
}

static __always_inline long copy_push_n(void *queue, const u64 *v, u32 n)
{
	return copy_push_some(queue, v, n, false);
}

static __always_inline long copy_push_rep(void *queue, const u64 *v, u32 n)
{
	return copy_push_some(queue, v, n, true);
}

static __always_inline long copy_pop_n(void *queue, u64 *v, u32 n)
{
	struct copy_end *end = queue;

	if (end->pos == end->seen) {
		/* pairs with copy_flag() */
		end->seen = smp_load_acquire(&end->copy->flag);
		if (end->pos == end->seen)
			return -EAGAIN;
	}
	n = min_t(u64, end->seen - end->pos, min_t(u32, n, COPY_WORDS - end->pos % COPY_WORDS));
	copy_words(v, end->at, n, false);
	copy_step(end, n, n * sizeof(u64));
	copy_publish_head(end);
	return n;
}

static __always_inline void copy_wait(void *queue)
{
	int i;

	for (i = 0; i < COPY_WAIT; i++)
		cpu_relax();
}

static __always_inline int copy_produce_by(struct bench_side *s, bench_push_n_fn push_n)
{
	struct copy_end end = copy_end(s->run);
	int err = bench_produce_n_on(s, &end, push_n);

	/* the last 64 may not be full */
	copy_flag(&end);
	return err;
}

BENCH_LOOP(copy_produce_n, copy_produce_by, copy_push_n)
BENCH_LOOP(copy_produce_rep, copy_produce_by, copy_push_rep)

static void copy_consume_n(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_consume_n_on(s, &end, copy_pop_n, copy_wait);
}

static void *copy_open(const struct bench_run *run)
{
	/* whole pages, so that the data are aligned to cache lines */
	return kvzalloc(PAGE_ALIGN(sizeof(struct copy) + copy_bytes(&run->shape)), GFP_KERNEL);
}

static void copy_close(void *queue)
{
	kvfree(queue);
}

const struct bench_ops bench_copy = {
	.name	= "copy",
	.open	= copy_open,
	.close	= copy_close,
	.loops	= {
		[BENCH_SIZED]	= { copy_produce_sized, copy_consume_sized },
		[BENCH_BATCH]	= { copy_produce_n, copy_consume_n },
	},
};

const struct bench_ops bench_copy_rep = {
	.name	= "copy-rep",
	.open	= copy_open,
	.close	= copy_close,
	.loops	= { [BENCH_BATCH] = { copy_produce_rep, copy_consume_n } },
};
