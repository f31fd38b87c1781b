/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A u64 with the time of its push, from a clock that both ends read, and the low bits of its
 * number.  Kernel ends and processes share this.
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

/* The stamp's age at @now, modulo the bits of the clock that a stamp keeps. */
static inline __u64 stamp_age(__u64 stamp, __u64 now)
{
	return ((now << STAMP_BITS) - (stamp - STAMP_NUMBER(stamp))) >> STAMP_BITS;
}

#endif
