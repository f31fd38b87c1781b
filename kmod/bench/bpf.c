// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF ring buffer's protocol, written again because the kernel exports none of it to
 * modules.  The producer follows kernel/bpf/ringbuf.c, the consumer libbpf's
 * ring_buffer__poll().  Records are copied in and out, as bpf_ringbuf_output() and a
 * callback that keeps them do.  The producer wakes nobody (BPF_RB_NO_WAKEUP).  Its lock
 * leaves interrupts on, because UML takes far longer to switch them than other machines.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "loops.h"

#define BPF_BUSY	BIT(31)
#define BPF_DISCARD	BIT(30)

struct bpf_header {
	u32 length;
	u32 page;		/* bytes from the struct to this header, as in the kernel */
};

struct bpf {
	u64 mask;
	struct page **pages;
	u32 pages_n;

	raw_spinlock_t lock __aligned(BENCH_LINE);
	unsigned long found __aligned(BENCH_LINE);	/* the consumer's copy of producer_pos */
	unsigned long consumer_pos __aligned(PAGE_SIZE);
	unsigned long producer_pos __aligned(PAGE_SIZE);
	unsigned long pending_pos;
	char data[] __aligned(PAGE_SIZE);
};

static __always_inline u32 bpf_size(u32 length)
{
	return round_up((length & ~BPF_DISCARD) + sizeof(struct bpf_header), 8);
}

static __always_inline struct bpf_header *bpf_at(struct bpf *q, unsigned long pos)
{
	return (void *)q->data + (pos & q->mask);
}

static __always_inline void *bpf_reserve(struct bpf *q, u32 bytes)
{
	unsigned long consumer_pos, pos, new_pos, pending;
	struct bpf_header *header;

	/* pairs with bpf_take() */
	consumer_pos = smp_load_acquire(&q->consumer_pos);
	raw_spin_lock(&q->lock);
	pending = q->pending_pos;
	pos = q->producer_pos;
	new_pos = pos + bpf_size(bytes);
	while (pos - pending > 0) {
		u32 length = READ_ONCE(bpf_at(q, pending)->length);

		if (length & BPF_BUSY)
			break;
		pending += bpf_size(length);
	}
	q->pending_pos = pending;
	if (new_pos - pending > q->mask || new_pos - consumer_pos > q->mask) {
		raw_spin_unlock(&q->lock);
		return NULL;
	}
	header = bpf_at(q, pos);
	header->length = bytes | BPF_BUSY;
	header->page = ((void *)header - (void *)q) >> PAGE_SHIFT;
	/* pairs with bpf_take() */
	smp_store_release(&q->producer_pos, new_pos);
	raw_spin_unlock(&q->lock);
	return header + 1;
}

static __always_inline void bpf_commit(struct bpf *q, void *record)
{
	struct bpf_header *header = record - sizeof(*header);

	/* pairs with bpf_take() */
	xchg(&header->length, header->length ^ BPF_BUSY);
	/* the protocol reads this to decide whether to wake the consumer: keep its cost */
	(void)smp_load_acquire(&q->consumer_pos);
}

static __always_inline int bpf_send(void *queue, const void *record, u32 bytes)
{
	struct bpf *q = queue;
	void *to = bpf_reserve(q, bytes);

	if (!to)
		return -EAGAIN;
	memcpy(to, record, bytes);
	bpf_commit(q, to);
	return 0;
}

static __always_inline long bpf_take(void *queue, void *record, u32 size)
{
	struct bpf *q = queue;
	unsigned long pos = q->consumer_pos;
	struct bpf_header *header;
	u32 length;

	if (pos == q->found) {
		/* pairs with bpf_reserve() */
		q->found = smp_load_acquire(&q->producer_pos);
		if (pos == q->found)
			return -EAGAIN;
	}
	header = bpf_at(q, pos);
	/* pairs with bpf_commit() */
	length = smp_load_acquire(&header->length);
	if (length & BPF_BUSY)
		return -EAGAIN;
	if (length > size)
		return -EMSGSIZE;
	memcpy(record, header + 1, length);
	/* pairs with bpf_reserve() */
	smp_store_release(&q->consumer_pos, pos + bpf_size(length));
	return length;
}

static __always_inline int bpf_push(void *queue, const u64 *v)
{
	return bpf_send(queue, v, sizeof(*v));
}

static __always_inline int bpf_pop(void *queue, u64 *v)
{
	long length = bpf_take(queue, v, sizeof(*v));

	return length < 0 ? length : 0;
}

BENCH_LOOP(bpf_ping, bench_ping, bpf_push, bpf_pop, bench_relax)
BENCH_LOOP(bpf_echo, bench_echo, bpf_push, bpf_pop, bench_relax)
BENCH_LOOP(bpf_produce, bench_produce, bpf_push)
BENCH_LOOP(bpf_consume, bench_consume, bpf_pop, bench_relax)
BENCH_LOOP(bpf_produce_mixed, bench_produce_mixed, bpf_send)
BENCH_LOOP(bpf_consume_mixed, bench_consume_mixed, bpf_take, bench_relax)
BENCH_LOOP(bpf_ping_mixed, bench_ping_mixed, bpf_send, bpf_take, bench_relax)
BENCH_LOOP(bpf_echo_mixed, bench_echo_mixed, bpf_send, bpf_take, bench_relax)

static void bpf_free_pages(struct page **pages, u32 n)
{
	while (n)
		__free_page(pages[--n]);
	kvfree(pages);
}

/* The capacity in bytes: a power of two of whole pages, at least the requested one. */
static size_t bpf_data(const struct bench_shape *shape)
{
	size_t asked = shape->capacity;

	if (!shape->list)
		asked *= bpf_size(shape->bytes);
	return max(roundup_pow_of_two(asked), PAGE_SIZE);
}

static void *bpf_open(const struct bench_run *run)
{
	u32 data = bpf_data(&run->shape) >> PAGE_SHIFT;
	u32 head = offsetof(struct bpf, data) >> PAGE_SHIFT, n;
	struct page **pages = kvcalloc(head + 2 * data, sizeof(*pages), GFP_KERNEL);
	struct bpf *q;

	if (!pages)
		return NULL;
	for (n = 0; n < head + data; n++) {
		pages[n] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages[n])
			goto err_pages;
		if (n >= head)
			pages[n + data] = pages[n];
	}
	q = vmap(pages, head + 2 * data, VM_MAP, PAGE_KERNEL);
	if (!q)
		goto err_pages;
	raw_spin_lock_init(&q->lock);
	q->mask = ((u64)data << PAGE_SHIFT) - 1;
	q->pages = pages;
	q->pages_n = n;
	return q;

err_pages:
	bpf_free_pages(pages, n);
	return NULL;
}

static void bpf_close(void *queue)
{
	struct bpf *q = queue;
	struct page **pages = q->pages;
	u32 n = q->pages_n;

	vunmap(q);
	bpf_free_pages(pages, n);
}

static size_t bpf_memory(const struct bench_run *run, void *queue)
{
	struct bpf *q = queue;

	return (size_t)q->pages_n << PAGE_SHIFT;
}

const struct bench_ops bench_bpf = {
	.name	= "bpf",
	.open	= bpf_open,
	.close	= bpf_close,
	.memory	= bpf_memory,
	.loops	= {
		[BENCH_RTT]		= { bpf_ping, bpf_echo },
		[BENCH_THROUGHPUT]	= { bpf_produce, bpf_consume },
		[BENCH_MIXED]		= { bpf_produce_mixed, bpf_consume_mixed },
		[BENCH_MIXED_RTT]	= { bpf_ping_mixed, bpf_echo_mixed },
	},
};
