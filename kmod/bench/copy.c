// SPDX-License-Identifier: GPL-2.0
/*
 * The copy limit: lines that go from one CPU to the other, with no more
 * protocol than a flag on a line of its own before each record, or before each
 * 64 u64s.  A flag is the number of records up to there, so a stale one is
 * smaller; the consumer tells how many it has taken an eighth of the capacity
 * at a time.
 *
 * 64 u64s are 8 whole lines: their copy is aligned and of a length that the
 * compiler knows, and a line is taken from the other CPU once.  A batch that
 * does not end with the slot is not seen before the rest has come, which no
 * queue could do: a smaller batch here says what it costs by itself.
 */
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#define COPY_LINE	64
#define COPY_WORDS	64

struct copy {
	u64 told __aligned(BENCH_LINE);
	char slots[] __aligned(BENCH_LINE);
};

/* Private to a side. */
struct copy_end {
	struct copy *copy;
	char *slot;		/* its flag, then what it holds */
	char *slots_end;
	u64 pos;
	u64 known;		/* producer: the last told seen; consumer: when to tell */
	u64 seen;		/* consumer: the slot's flag */
	u32 slot_size;
	u32 bytes;		/* a record's */
	u32 capacity;
};

static u32 copy_slot_size(const struct bench_shape *shape)
{
	u32 bytes = shape->test == BENCH_BATCH ? COPY_WORDS * sizeof(u64) : shape->bytes;

	return COPY_LINE + ALIGN(bytes, COPY_LINE);
}

/* In records: whole slots, and at least so many that telling an eighth will do. */
static u32 copy_capacity(const struct bench_shape *shape)
{
	if (shape->test == BENCH_BATCH)
		return max_t(u32, ALIGN(shape->capacity, COPY_WORDS), 4 * COPY_WORDS);
	return shape->capacity;
}

static u32 copy_slots(const struct bench_shape *shape)
{
	return copy_capacity(shape) / (shape->test == BENCH_BATCH ? COPY_WORDS : 1);
}

static struct copy_end copy_end(const struct bench_run *run)
{
	const struct bench_shape *shape = &run->shape;
	struct copy *copy = run->queue[0];
	u32 size = copy_slot_size(shape);

	return (struct copy_end) {
		.copy		= copy,
		.slot		= copy->slots,
		.slots_end	= copy->slots + (size_t)copy_slots(shape) * size,
		.slot_size	= size,
		.bytes		= shape->bytes,
		.capacity	= copy_capacity(shape),
	};
}

static __always_inline void copy_next(struct copy_end *end)
{
	end->slot += end->slot_size;
	if (unlikely(end->slot == end->slots_end))
		end->slot = end->copy->slots;
}

static __always_inline bool copy_full(struct copy_end *end)
{
	if (likely(end->pos - end->known < end->capacity))
		return false;
	/* pairs with copy_tell() */
	end->known = smp_load_acquire(&end->copy->told);
	return end->pos - end->known == end->capacity;
}

static __always_inline void copy_flag(struct copy_end *end)
{
	/* pairs with copy_empty() */
	smp_store_release((u64 *)end->slot, end->pos);
	copy_next(end);
}

static __always_inline bool copy_empty(struct copy_end *end)
{
	if (end->pos != end->seen)
		return false;
	/* pairs with copy_flag() */
	end->seen = smp_load_acquire((u64 *)end->slot);
	if (end->seen > end->pos)
		return false;
	end->seen = end->pos;
	return true;
}

static __always_inline void copy_tell(struct copy_end *end)
{
	copy_next(end);
	if (likely(end->pos < end->known))
		return;
	end->known = end->pos + end->capacity / 8;
	/* pairs with copy_full() */
	smp_store_release(&end->copy->told, end->pos);
}

static __always_inline int copy_push_record(void *queue, const u64 *record)
{
	struct copy_end *end = queue;

	if (unlikely(copy_full(end)))
		return -EAGAIN;
	__builtin_memcpy(end->slot + COPY_LINE, record, end->bytes);
	end->pos++;
	copy_flag(end);
	return 0;
}

static __always_inline int copy_pop_record(void *queue, u64 *record)
{
	struct copy_end *end = queue;

	if (copy_empty(end))
		return -EAGAIN;
	__builtin_memcpy(record, end->slot + COPY_LINE, end->bytes);
	end->pos++;
	copy_tell(end);
	return 0;
}

/* Up to the slot's end; a whole one is a copy of known length. */
static __always_inline u32 copy_words(void *to, const void *from, u32 n)
{
	if (likely(n == COPY_WORDS))
		__builtin_memcpy(to, from, COPY_WORDS * sizeof(u64));
	else
		__builtin_memcpy(to, from, n * sizeof(u64));
	return n;
}

static __always_inline long copy_push_n(void *queue, const u64 *v, u32 n)
{
	struct copy_end *end = queue;
	u64 *to = (u64 *)(end->slot + COPY_LINE);
	u32 used = end->pos % COPY_WORDS;

	if (unlikely(!used && copy_full(end)))
		return -EAGAIN;
	n = copy_words(to + used, v, min_t(u32, n, COPY_WORDS - used));
	end->pos += n;
	if (used + n == COPY_WORDS)
		copy_flag(end);
	return n;
}

static __always_inline long copy_pop_n(void *queue, u64 *v, u32 n)
{
	struct copy_end *end = queue;
	u64 *from = (u64 *)(end->slot + COPY_LINE);
	u32 used = end->pos % COPY_WORDS;

	if (copy_empty(end))
		return -EAGAIN;
	n = copy_words(v, from + used, min_t(u64, n, end->seen - end->pos));
	end->pos += n;
	if (used + n == COPY_WORDS)
		copy_tell(end);
	return n;
}

static void copy_fill_sized(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_fill_on(s, &end, s->records, end.bytes, copy_push_record);
}

static void copy_drain_sized(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_drain_on(s, &end, s->records, end.bytes, copy_pop_record, bench_relax);
}

static void copy_fill_n(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_fill_n_on(s, &end, copy_push_n);
	/* the last slot may not be full */
	if (end.pos % COPY_WORDS)
		copy_flag(&end);
}

static void copy_drain_n(struct bench_side *s)
{
	struct copy_end end = copy_end(s->run);

	s->err = bench_drain_n_on(s, &end, copy_pop_n, bench_relax);
}

static void *copy_open(const struct bench_run *run)
{
	size_t slots = (size_t)copy_slots(&run->shape) * copy_slot_size(&run->shape);

	/* by the page, so that slots are on lines of their own */
	return kvzalloc(PAGE_ALIGN(sizeof(struct copy) + slots), GFP_KERNEL);
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
		[BENCH_SIZED]	= { copy_fill_sized, copy_drain_sized },
		[BENCH_BATCH]	= { copy_fill_n, copy_drain_n },
	},
};
