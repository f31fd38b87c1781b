// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's kfifo: kfifo_put() and kfifo_get() of a fifo of u64, kfifo_in()
 * and kfifo_out() of it for batches, and of a fifo of bytes for other sizes.
 * It holds a power of two, so it may be larger than what was asked for.
 */
#include <linux/kfifo.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loops.h"

#define FIFO_COLOURS	(PAGE_SIZE / BENCH_LINE)

struct fifo {
	union {
		DECLARE_KFIFO_PTR(words, u64);
		struct kfifo bytes;
	};
	void *memory;
	void *page;
	u32 record;		/* bytes */
};

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

/* A record is put whole, so that it is there whole. */
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

static int fifo_call(struct bench_side *s)
{
	return bench_call(s, s->run->queue[0], s->run->queue[1], s->run->count,
			  fifo_push, fifo_pop, bench_relax);
}

static int fifo_echo(struct bench_side *s)
{
	return bench_echo(s, s->run->queue[0], s->run->queue[1], s->run->count,
			  fifo_push, fifo_pop, bench_relax);
}

static int fifo_fill(struct bench_side *s)
{
	u64 v;

	return bench_fill(s, s->run->queue[0], &v, sizeof(v), fifo_push);
}

static int fifo_drain(struct bench_side *s)
{
	u64 v;

	return bench_drain(s, s->run->queue[0], &v, sizeof(v), fifo_pop, bench_relax);
}

static int fifo_fill_sized(struct bench_side *s)
{
	return bench_fill(s, s->run->queue[0], s->records, s->run->bytes, fifo_push_record);
}

static int fifo_drain_sized(struct bench_side *s)
{
	return bench_drain(s, s->run->queue[0], s->records, s->run->bytes, fifo_pop_record,
			   bench_relax);
}

static int fifo_fill_n(struct bench_side *s)
{
	return bench_fill_n(s, s->run->queue[0], fifo_push_n);
}

static int fifo_drain_n(struct bench_side *s)
{
	return bench_drain_n(s, s->run->queue[0], fifo_pop_n, bench_relax);
}

static void fifo_close(void *queue)
{
	struct fifo *f = queue;

	kvfree(f->memory);
	kfree(f->page);
}

static void *fifo_open(const struct bench_run *run)
{
	u64 bytes = roundup_pow_of_two((u64)run->capacity * run->bytes);
	void *page = kzalloc(PAGE_SIZE, GFP_KERNEL);
	struct fifo *f;
	int err;

	if (!page)
		return NULL;
	/* both indices are on one line: where it lies matters, so each run has another */
	f = page + run->turn % FIFO_COLOURS * BENCH_LINE;
	f->page = page;
	f->record = run->bytes;
	f->memory = kvzalloc(bytes, GFP_KERNEL);
	if (!f->memory) {
		fifo_close(f);
		return NULL;
	}
	if (run->test == BENCH_SIZED)
		err = kfifo_init(&f->bytes, f->memory, bytes);
	else
		err = kfifo_init(&f->words, f->memory, bytes);
	if (err) {
		fifo_close(f);
		return ERR_PTR(err);
	}
	return f;
}

const struct bench_ops bench_kfifo = {
	.name	= "kfifo",
	.open	= fifo_open,
	.close	= fifo_close,
	.loops	= {
		[BENCH_RTT]		= { fifo_call, fifo_echo },
		[BENCH_THROUGHPUT]	= { fifo_fill, fifo_drain },
		[BENCH_SIZED]		= { fifo_fill_sized, fifo_drain_sized },
		[BENCH_BATCH]		= { fifo_fill_n, fifo_drain_n },
	},
};
