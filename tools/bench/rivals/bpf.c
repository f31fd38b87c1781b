// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The BPF ring buffer's protocol, on memory that two processes share.  The producer follows
 * kernel/bpf/ringbuf.c, the consumer libbpf's ring_buffer__poll().  Records are copied in and
 * out, as bpf_ringbuf_output() and a callback that keeps them do, or written and read in place.
 * The producer takes its lock, for which nobody competes, and wakes nobody (BPF_RB_NO_WAKEUP).
 */
#include <errno.h>
#include <string.h>

#include "rival.h"

#ifdef __x86_64__
#define PAGE		4096
#else
#define PAGE		65536	/* whole pages on any machine */
#endif
#define BUSY		(1U << 31)
#define DISCARD		(1U << 30)
#define HEADER		sizeof(struct header)

struct header {
	uint32_t length;
	uint32_t page;		/* bytes from the struct to this header, as in the kernel */
};

struct bpf {
	uint64_t mask;

	_Alignas(64) uint32_t lock;
	_Alignas(PAGE) uint64_t consumer_pos;
	_Alignas(PAGE) uint64_t producer_pos;
	uint64_t pending_pos;

	_Alignas(PAGE) char data[];
};

static size_t bpf_size(const struct cell *cell)
{
	(void)cell;
	return sizeof(struct bpf);
}

static __always_inline uint32_t whole(uint32_t length)
{
	return ((length & ~DISCARD) + HEADER + 7) & -8U;
}

/* The capacity in bytes: a power of two of whole pages, at least the requested one. */
static size_t bpf_data(const struct cell *cell)
{
	size_t asked = cell->capacity, data = PAGE;

	if (!(1U << cell->point.test & BENCH_DIFFER))
		asked *= whole(cell->point.bytes);
	while (data < asked)
		data *= 2;
	return data;
}

static void bpf_init(void *memory, const struct cell *cell)
{
	struct bpf *q = memory;

	q->mask = bpf_data(cell) - 1;
}

static __always_inline struct header *header_at(struct bpf *q, uint64_t pos)
{
	return (struct header *)(q->data + (pos & q->mask));
}

static __always_inline void lock(struct bpf *q)
{
	uint32_t free = 0;

	while (!__atomic_compare_exchange_n(&q->lock, &free, 1, 0, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		free = 0;
		cpu_relax();
	}
}

static __always_inline void unlock(struct bpf *q)
{
	/* pairs with lock() */
	smp_store_release(&q->lock, 0);
}

static __always_inline void *try_reserve(struct producer *p, uint32_t bytes)
{
	struct bpf *q = p->queue;
	uint64_t consumer_pos, pos, new_pos, pending;
	struct header *header;

	/* pairs with release() */
	consumer_pos = smp_load_acquire(&q->consumer_pos);
	lock(q);
	pending = q->pending_pos;
	pos = q->producer_pos;
	new_pos = pos + whole(bytes);
	while (pos - pending > 0) {
		uint32_t length;

		header = header_at(q, pending);
		length = READ_ONCE(header->length);
		if (length & BUSY)
			break;
		pending += whole(length);
	}
	q->pending_pos = pending;
	if (new_pos - pending > q->mask || new_pos - consumer_pos > q->mask) {
		unlock(q);
		return NULL;
	}
	header = header_at(q, pos);
	header->length = bytes | BUSY;
	header->page = ((char *)header - (char *)q) / PAGE;
	/* pairs with find() */
	smp_store_release(&q->producer_pos, new_pos);
	unlock(q);
	return header + 1;
}

static __always_inline void commit(struct producer *p, void *rec, uint32_t bytes)
{
	struct header *header = (struct header *)rec - 1;
	struct bpf *q = p->queue;

	(void)bytes;
	/* pairs with find() */
	__atomic_exchange_n(&header->length, header->length ^ BUSY, __ATOMIC_SEQ_CST);
	/* the protocol reads this to decide whether to wake the consumer: keep its cost */
	(void)smp_load_acquire(&q->consumer_pos);
}

static uint64_t found;	/* the consumer's private copy of the producer's position */

static __always_inline struct header *find(struct consumer *c)
{
	struct bpf *q = c->queue;
	struct header *header;

	if (q->consumer_pos == found) {
		/* pairs with try_reserve() */
		found = smp_load_acquire(&q->producer_pos);
		if (q->consumer_pos == found)
			return NULL;
	}
	header = header_at(q, q->consumer_pos);
	/* pairs with commit() */
	if (smp_load_acquire(&header->length) & BUSY)
		return NULL;
	return header;
}

static __always_inline void release_header(struct consumer *c, const struct header *header)
{
	struct bpf *q = c->queue;

	/* pairs with try_reserve() */
	smp_store_release(&q->consumer_pos, q->consumer_pos + whole(header->length));
}

static __always_inline uint32_t try_peek(struct consumer *c, const char **rec)
{
	const struct header *header = find(c);

	if (!header)
		return 0;
	*rec = (const char *)(header + 1);
	return header->length;
}

static __always_inline void release(struct consumer *c)
{
	struct bpf *q = c->queue;

	release_header(c, header_at(q, q->consumer_pos));
}

static __always_inline int try_send(struct producer *p, const void *rec, uint32_t bytes)
{
	void *to = try_reserve(p, bytes);

	if (!to)
		return 0;
	memcpy(to, rec, bytes);
	commit(p, to, bytes);
	return 1;
}

static __always_inline uint32_t try_take(struct consumer *c, void *rec, uint32_t size)
{
	const struct header *header = find(c);
	uint32_t length;

	if (!header)
		return 0;
	length = header->length;
	if (length > size)
		rival_failed("take", EMSGSIZE);
	memcpy(rec, header + 1, length);
	release_header(c, header);
	return length;
}

#define LOOPS_SIZED
#define LOOPS_MIXED
#define LOOPS_BY_MIXED
#define LOOPS_IN_PLACE
#include "../loops.h"

const struct rival bpf_rival = {
	.contender = {
		.pair = "u-u", .impl = "bpf", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_SIZED |
			 1U << BENCH_MIXED | 1U << BENCH_MIXED_RTT | 1U << BENCH_IN_PLACE |
			 1U << BENCH_IN_PLACE_RTT,
	},
	.size = bpf_size, .twice = bpf_data, .init = bpf_init,
};
