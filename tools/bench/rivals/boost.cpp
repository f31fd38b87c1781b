// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Boost's lockfree::spsc_queue; with the capacity known to the compiler it is
 * one object, which can live in shared memory.
 */
#include <new>
#include <boost/lockfree/spsc_queue.hpp>

#include "rival.h"

using queue = boost::lockfree::spsc_queue<uint64_t, boost::lockfree::capacity<RIVAL_CAPACITY>>;

static_assert(sizeof(queue) <= RIVAL_MEMORY, "a queue fits");

static void init(void *memory)
{
	new (memory) queue;
}

static void send(void *memory, uint64_t from, uint64_t to)
{
	auto &q = *static_cast<queue *>(memory);

	for (; from < to; from++)
		while (!q.push(from))
			rival_relax();
}

static void receive(void *memory, uint64_t from, uint64_t to)
{
	auto &q = *static_cast<queue *>(memory);

	for (; from < to; from++) {
		uint64_t v;

		while (!q.pop(v))
			rival_relax();
		rival_check(v, from);
	}
}

static void send_n(void *memory, uint64_t from, uint64_t to)
{
	auto &q = *static_cast<queue *>(memory);
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = rival_batch(from, to), done = 0;

		rival_fill(recs, from, n);
		while ((done += q.push(recs + done, n - done)) < n)
			rival_relax();
		from += n;
	}
}

static void receive_n(void *memory, uint64_t from, uint64_t to)
{
	auto &q = *static_cast<queue *>(memory);
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = q.pop(recs, rival_batch(from, to));

		if (!n)
			rival_relax();
		rival_check_n(recs, from, n);
		from += n;
	}
}

const struct rival boost_rival = {
	"boost-spsc_queue", RIVAL_CAPACITY, 1, init, nullptr, send, receive, send_n, receive_n,
};
