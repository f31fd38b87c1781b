/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The tests of the user-space benchmark; the kernel's benchmark has a part of them.
 */
#ifndef _SPSCRING_BENCH_TESTS_H
#define _SPSCRING_BENCH_TESTS_H

#include "lengths.h"

/* Two cache lines: the adjacent-line prefetcher fetches lines in pairs. */
#define BENCH_LINE	128

/* PACED's times are in ticks << so many bits, because a tick is longer than some paces. */
#define PACED_BITS	16
/* PACED: the most messages that one poll pops and one clock reading times. */
#define PACED_LOOK	64

/* The capacity of each of MANY's queues. */
#define MANY_CAPACITY	64

/* In the order in which they run. */
enum bench_test {
	BENCH_RTT,		/* round trips of a u64, one at a time */
	BENCH_THROUGHPUT,	/* u64s, one per call */
	BENCH_SIZED,		/* larger elements, one per call */
	BENCH_BATCH,		/* u64s, many per call */
	BENCH_FOOTPRINT,	/* u64s, one per call, by capacity */
	BENCH_PACED,		/* u64s that are due at a given pace */
	BENCH_RESIDENCY,	/* how long u64s stay in a full ring */
	BENCH_MANY,		/* u64s, one per call, through many queues in turn */
	/* tests with a consumer that sleeps */
	BENCH_WAKE,		/* time from a push until the consumer has the u64 */
	BENCH_WAKE_RTT,		/* round trips */
	BENCH_WATERMARK,	/* the consumer sleeps until there are many */
	/* tests with records of variable length */
	BENCH_MIXED,		/* one per call */
	BENCH_MIXED_RTT,	/* round trips of them */
	BENCH_IN_PLACE,		/* write and read every byte, with or without a copy */
	BENCH_IN_PLACE_RTT,	/* round trips of them */
	BENCH_FLOOD,		/* push without waiting for room or for the consumer */
	BENCH_TESTS
};

static inline const char *test_name(enum bench_test test)
{
	static const char * const names[BENCH_TESTS] = {
		[BENCH_RTT]		= "rtt",
		[BENCH_THROUGHPUT]	= "throughput",
		[BENCH_SIZED]		= "throughput",
		[BENCH_BATCH]		= "batch",
		[BENCH_FOOTPRINT]	= "footprint",
		[BENCH_PACED]		= "paced",
		[BENCH_RESIDENCY]	= "residency",
		[BENCH_MANY]		= "many",
		[BENCH_WAKE]		= "wake",
		[BENCH_WAKE_RTT]	= "wake-rtt",
		[BENCH_WATERMARK]	= "watermark",
		[BENCH_MIXED]		= "records",
		[BENCH_MIXED_RTT]	= "records-rtt",
		[BENCH_IN_PLACE]	= "in-place",
		[BENCH_IN_PLACE_RTT]	= "in-place-rtt",
		[BENCH_FLOOD]		= "flood",
	};

	return names[test];
}

/* Round-trip tests, in which each message goes from one end to the other and back. */
static inline int round_trip(enum bench_test test)
{
	return test == BENCH_RTT || test == BENCH_WAKE_RTT || test == BENCH_MIXED_RTT ||
		test == BENCH_IN_PLACE_RTT;
}

/* The name of a list of lengths, LENGTHS_*. */
static inline const char *list_name(unsigned int list)
{
	static const char * const names[LENGTHS_LISTS] = {
		[LENGTHS_KLOG] = "klog", [LENGTHS_PCAP] = "pcap",
	};

	return names[list];
}

#endif
