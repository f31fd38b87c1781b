// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Concurrency Kit's ck_ring, of pointers, which carry the u64.  It holds a
 * record less than it has slots, and has no batches.
 */
#include <assert.h>
#include <ck_ring.h>

#include "rival.h"

struct queue {
	struct ck_ring ring;
	ck_ring_buffer_t slots[RIVAL_CAPACITY];
};

static_assert(sizeof(struct queue) <= RIVAL_MEMORY, "a queue fits");

static void init(void *memory)
{
	struct queue *q = memory;

	ck_ring_init(&q->ring, RIVAL_CAPACITY);
}

static void send(void *memory, uint64_t from, uint64_t to)
{
	struct queue *q = memory;

	for (; from < to; from++)
		while (!ck_ring_enqueue_spsc(&q->ring, q->slots, (void *)(uintptr_t)from))
			rival_relax();
}

static void receive(void *memory, uint64_t from, uint64_t to)
{
	struct queue *q = memory;

	for (; from < to; from++) {
		void *v;

		while (!ck_ring_dequeue_spsc(&q->ring, q->slots, &v))
			rival_relax();
		rival_check((uintptr_t)v, from);
	}
}

const struct rival ck_rival = {
	.name = "ck_ring", .capacity = RIVAL_CAPACITY - 1, .slow = 1,
	.init = init, .send = send, .receive = receive,
};
