/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The tests: of the kernel's benchmark, which has a part of them, and of that of user space.
 */
#ifndef _SPSCRING_BENCH_TESTS_H
#define _SPSCRING_BENCH_TESTS_H

#include "lengths.h"

/* Two lines: the adjacent-line prefetcher pairs them. */
#define BENCH_LINE	128

/* PACED's times are in ticks << so many bits: a tick is longer than some paces. */
#define PACED_BITS	16
/* Its messages that one look takes, and one reading of the clock stamps. */
#define PACED_LOOK	64

/* Of each of MANY's queues. */
#define MANY_CAPACITY	64

/* In the order in which they run. */
enum bench_test {
	BENCH_RTT,		/* a u64 there and back, one at a time */
	BENCH_THROUGHPUT,	/* u64s, one a call */
	BENCH_SIZED,		/* larger records, one a call */
	BENCH_BATCH,		/* u64s, many a call */
	BENCH_FOOTPRINT,	/* u64s, one a call, by capacity */
	BENCH_PACED,		/* u64s that fall due at a given pace */
	BENCH_RESIDENCY,	/* how long u64s wait in a ring that is full */
	BENCH_MANY,		/* u64s, one a call, over many queues in turn */
	/* the consumer sleeps */
	BENCH_WAKE,		/* from a push until it has the u64 */
	BENCH_WAKE_RTT,		/* there and back */
	BENCH_WATERMARK,	/* until there are many */
	/* records that differ in length */
	BENCH_MIXED,		/* one a call */
	BENCH_MIXED_RTT,	/* the same, there and back */
	BENCH_IN_PLACE,		/* all of each written and read, with and without copies */
	BENCH_IN_PLACE_RTT,	/* the same, there and back */
	BENCH_FLOOD,		/* pushed without waiting for anybody */
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

/* Their ends meet twice in a message: to and fro. */
static inline int round_trip(enum bench_test test)
{
	return test == BENCH_RTT || test == BENCH_WAKE_RTT || test == BENCH_MIXED_RTT ||
		test == BENCH_IN_PLACE_RTT;
}

/* Of a list of lengths, LENGTHS_*. */
static inline const char *list_name(unsigned int list)
{
	static const char * const names[LENGTHS_LISTS] = {
		[LENGTHS_KLOG] = "klog", [LENGTHS_PCAP] = "pcap",
	};

	return names[list];
}

#endif
