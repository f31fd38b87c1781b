// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * DPDK's rte_ring, one producer and one consumer, on memory of ours: without
 * its environment layer.  It holds a record less than it has slots.
 */
#include <rte_ring.h>

#include "rival.h"

static void init(void *memory)
{
	ssize_t size = rte_ring_get_memsize(RIVAL_CAPACITY);
	int err;

	if (size < 0 || size > RIVAL_MEMORY)
		rival_failed("rte_ring_get_memsize", E2BIG);
	err = rte_ring_init(memory, "spscring", RIVAL_CAPACITY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (err)
		rival_failed("rte_ring_init", -err);
}

static void send(void *memory, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		while (rte_ring_sp_enqueue_elem(memory, &from, sizeof(from)))
			rival_relax();
}

static void receive(void *memory, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		uint64_t v;

		while (rte_ring_sc_dequeue_elem(memory, &v, sizeof(v)))
			rival_relax();
		rival_check(v, from);
	}
}

static void send_n(void *memory, uint64_t from, uint64_t to)
{
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = rival_batch(from, to), done = 0;

		rival_fill(recs, from, n);
		while ((done += rte_ring_sp_enqueue_burst_elem(memory, recs + done, sizeof(*recs),
							       n - done, NULL)) < n)
			rival_relax();
		from += n;
	}
}

static void receive_n(void *memory, uint64_t from, uint64_t to)
{
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = rte_ring_sc_dequeue_burst_elem(memory, recs, sizeof(*recs),
							    rival_batch(from, to), NULL);

		if (!n)
			rival_relax();
		rival_check_n(recs, from, n);
		from += n;
	}
}

const struct rival dpdk_rival = {
	.name = "rte_ring", .capacity = RIVAL_CAPACITY - 1, .slow = 1,
	.init = init, .send = send, .receive = receive, .send_n = send_n, .receive_n = receive_n,
};
