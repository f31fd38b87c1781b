// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's kfifo: kfifo_put() and kfifo_get() of a fifo of u64, kfifo_in()
 * and kfifo_out() of it for batches, and of a fifo of bytes for other sizes.
 * Its capacity is a power of two, so it may be larger than the requested one.
 */
#include <linux/build_bug.h>
#include <linux/kfifo.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

struct fifo {
	union {
		DECLARE_KFIFO_PTR(words, u64);
		struct kfifo bytes;
	};
	void *memory;
	size_t bytes_held;
	void *home;		/* the allocation that this struct lies in */
	u32 record;		/* bytes */
};

static_assert(sizeof(struct fifo) <= BENCH_LINE);

static __always_inline int fifo_push(void *queue, const u64 *v)
{
	struct fifo *f = queue;

	return likely(kfifo_put(&f->words, *v)) ? 0 : -EAGAIN;
}

static __always_inline int fifo_pop(void *queue, u64 *v)
{
	struct fifo *f = queue;

	return likely(kfifo_get(&f->words, v)) ? 0 : -EAGAIN;
}

static __always_inline long fifo_push_n(void *queue, const u64 *v, u32 n)
{
	struct fifo *f = queue;
	long some = kfifo_in(&f->words, v, n);

	return likely(some) ? some : -EAGAIN;
}

static __always_inline long fifo_pop_n(void *queue, u64 *v, u32 n)
{
	struct fifo *f = queue;
	long some = kfifo_out(&f->words, v, n);

	return likely(some) ? some : -EAGAIN;
}

/* Push only if the whole record fits: kfifo_in() would store a part of it. */
static __always_inline int fifo_push_record(void *queue, const u64 *record)
{
	struct fifo *f = queue;

	if (unlikely(kfifo_avail(&f->bytes) < f->record))
		return -EAGAIN;
	kfifo_in(&f->bytes, (const u8 *)record, f->record);
	return 0;
}

static __always_inline int fifo_pop_record(void *queue, u64 *record)
{
	struct fifo *f = queue;

	if (unlikely(kfifo_len(&f->bytes) < f->record))
		return -EAGAIN;
	return likely(kfifo_out(&f->bytes, (u8 *)record, f->record) == f->record) ? 0 : -EIO;
}

BENCH_LOOP(fifo_ping, bench_ping, fifo_push, fifo_pop, bench_relax)
BENCH_LOOP(fifo_echo, bench_echo, fifo_push, fifo_pop, bench_relax)
BENCH_LOOP(fifo_produce, bench_produce, fifo_push)
BENCH_LOOP(fifo_consume, bench_consume, fifo_pop, bench_relax)
BENCH_LOOP(fifo_produce_sized, bench_produce_sized, fifo_push_record)
BENCH_LOOP(fifo_consume_sized, bench_consume_sized, fifo_pop_record, bench_relax)
BENCH_LOOP(fifo_produce_n, bench_produce_n, fifo_push_n)
BENCH_LOOP(fifo_consume_n, bench_consume_n, fifo_pop_n, bench_relax)
BENCH_LOOP(fifo_produce_paced, bench_produce_paced, fifo_push)
BENCH_LOOP(fifo_consume_paced, bench_consume_paced, fifo_pop, bench_relax)
BENCH_LOOP(fifo_produce_stamps, bench_produce_stamps, fifo_push)
BENCH_LOOP(fifo_consume_stamps, bench_consume_stamps, fifo_pop, bench_relax)
BENCH_LOOP(fifo_produce_many, bench_produce_many, fifo_push)
BENCH_LOOP(fifo_consume_many, bench_consume_many, fifo_pop, bench_relax)

static void fifo_close(void *queue)
{
	struct fifo *f = queue;

	kvfree(f->memory);
	kfree(f->home);
}

/* Both indices share a line, whose place affects the speed: each run uses another offset. */
static struct fifo *fifo_alloc(const struct bench_run *run)
{
	size_t offset = 0, size = BENCH_LINE;
	struct fifo *f;
	void *home;

	if (run->shape.test != BENCH_MANY) {
		offset = run->turn % BENCH_COLOURS * BENCH_LINE;
		size = BENCH_COLOURS * BENCH_LINE;
	}
	home = kzalloc(size, GFP_KERNEL);
	if (!home)
		return NULL;
	f = home + offset;
	f->home = home;
	return f;
}

static void *fifo_open(const struct bench_run *run)
{
	const struct bench_shape *shape = &run->shape;
	u64 bytes = roundup_pow_of_two((u64)shape->capacity * shape->bytes);
	struct fifo *f = fifo_alloc(run);
	int err;

	if (!f)
		return NULL;
	f->record = shape->bytes;
	f->bytes_held = bytes;
	f->memory = kvzalloc(bytes, GFP_KERNEL);
	if (!f->memory) {
		fifo_close(f);
		return NULL;
	}
	if (shape->test == BENCH_SIZED)
		err = kfifo_init(&f->bytes, f->memory, bytes);
	else
		err = kfifo_init(&f->words, f->memory, bytes);
	if (err) {
		fifo_close(f);
		return ERR_PTR(err);
	}
	return f;
}

static size_t fifo_memory(const struct bench_run *run, void *queue)
{
	struct fifo *f = queue;

	return f->bytes_held + BENCH_LINE;
}

const struct bench_ops bench_kfifo = {
	.name	= "kfifo",
	.open	= fifo_open,
	.close	= fifo_close,
	.memory	= fifo_memory,
	.loops	= {
		[BENCH_RTT]		= { fifo_ping, fifo_echo },
		[BENCH_THROUGHPUT]	= { fifo_produce, fifo_consume },
		[BENCH_SIZED]		= { fifo_produce_sized, fifo_consume_sized },
		[BENCH_BATCH]		= { fifo_produce_n, fifo_consume_n },
		[BENCH_FOOTPRINT]	= { fifo_produce, fifo_consume },
		[BENCH_PACED]		= { fifo_produce_paced, fifo_consume_paced },
		[BENCH_RESIDENCY]	= { fifo_produce_stamps, fifo_consume_stamps },
		[BENCH_MANY]		= { fifo_produce_many, fifo_consume_many },
	},
};
