/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A u64 that says when it was pushed, by a clock of ticks that both ends read, and
 * its number's low bits: for the kernel's ends and the processes'.
 */
#ifndef _SPSCRING_BENCH_STAMP_H
#define _SPSCRING_BENCH_STAMP_H

#include <linux/types.h>

#define STAMP_BITS	16
#define STAMP_NUMBER(v)	((v) & ((1ULL << STAMP_BITS) - 1))
#define STAMP_AGE_MAX	(1ULL << (63 - STAMP_BITS))	/* more: the clocks of the ends differ */

static inline __u64 stamp_make(__u64 ticks, __u64 number)
{
	return ticks << STAMP_BITS | STAMP_NUMBER(number);
}

/* How long ago that was, @now: the clock's high bits are lost to both. */
static inline __u64 stamp_age(__u64 stamp, __u64 now)
{
	return ((now << STAMP_BITS) - (stamp - STAMP_NUMBER(stamp))) >> STAMP_BITS;
}

#endif
