// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The list of rivals.  A rival that rivals.mk could not build has a null address (weak symbol).
 */
#include <string.h>

#include "rival.h"

#pragma weak boost_rival
#pragma weak ck_rival
#pragma weak dpdk_rival
#pragma weak crossbeam_rival

static const struct {
	const struct rival *rival;
	const char *file, *package;
} rivals[] = {
	{ &boost_rival, "boost", "libboost-dev or g++" },
	{ &ck_rival, "ck", "libck-dev" },
	{ &dpdk_rival, "dpdk", "libdpdk-dev" },
	{ &crossbeam_rival, "crossbeam", "librust-crossbeam-queue-dev or rustc" },
	{ &bpf_rival, "bpf", NULL },
	{ &pipe_rival, "pipe", NULL },
	{ &socket_rival, "socket", NULL },
	{ &mq_rival, "mq", NULL },
	{ &eventfd_rival, "eventfd", NULL },
	{ &eventfd_epoll_rival, "eventfd", NULL },
};

#define RIVALS_N	(sizeof(rivals) / sizeof(*rivals))

/*
 * The back-offs that suited the rivals best.  Between 0 and 4096 were tried for elements one by
 * one, and 0, 1, 4 and 64 for the other tests; for PACED with a low load.
 */
static const uint32_t pauses[BENCH_TESTS] = {
	[BENCH_RTT] = 1,
	[BENCH_THROUGHPUT] = 512,
	[BENCH_SIZED] = 64,
	[BENCH_BATCH] = 64,
	[BENCH_FOOTPRINT] = 512,
	[BENCH_PACED] = 1,
	[BENCH_RESIDENCY] = 1,
	[BENCH_MIXED] = 64,
	[BENCH_MIXED_RTT] = 1,
	[BENCH_IN_PLACE] = 64,
	[BENCH_IN_PLACE_RTT] = 1,
};

uint32_t rival_pauses;

void rival_failed(const char *what, int error)
{
	die("%s: %s", what, strerror(error));
}

void rival_wrong(uint64_t got, uint64_t expected)
{
	die("wrong value: %llu instead of %llu", (unsigned long long)got,
	    (unsigned long long)expected);
}

static const struct rival *rival_of(const struct run *run)
{
	return (const struct rival *)run->cell->contender;
}

static void rival_close(struct run *run)
{
	for (uint32_t i = 0; i < run->queues; i++)
		rival_of(run)->exit(run_queue(run, i));
}

void rival_open(struct run *run)
{
	const struct rival *rival = rival_of(run);

	rival_pauses = pauses[run->cell->point.test];
	if (rival->twice)
		run_memory_twice(run, rival->size(run->cell), rival->twice(run->cell));
	else
		run_memory(run, rival->size(run->cell));
	for (uint32_t i = 0; rival->init && i < run->queues; i++)
		rival->init(run_queue(run, i), run->cell);
	if (rival->exit)
		run->close = rival_close;
}

const struct contender * const *rival_contenders(void)
{
	static const struct contender *built[RIVALS_N + 1];
	size_t n = 0;

	for (size_t i = 0; i < RIVALS_N; i++)
		if (rivals[i].rival)
			built[n++] = &rivals[i].rival->contender;
	return built;
}

void rivals_say_missing(void)
{
	for (size_t i = 0; i < RIVALS_N; i++)
		if (!rivals[i].rival)
			fprintf(stderr, "spscring-bench: without %s: no %s when it was built\n",
				rivals[i].file, rivals[i].package);
}
