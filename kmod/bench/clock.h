/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The finest clock that kernel threads and processes can both read without a system call.
 * One end stamps a message with it, and the other computes the message's age.
 */
#ifndef _SPSCRING_BENCH_CLOCK_H
#define _SPSCRING_BENCH_CLOCK_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/ktime.h>
#else
#include <time.h>
#endif

/* The lfence orders the reading after earlier loads, so that the message has arrived by then. */
static __always_inline __u64 bench_clock(void)
{
#ifdef __x86_64__
	__u32 low, high;

	__asm__ __volatile__("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (__u64)high << 32 | low;
#elif defined(__KERNEL__)
	return ktime_get_ns();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
#endif
}

#ifdef __x86_64__
#define BENCH_CLOCK	"tsc"
#else
#define BENCH_CLOCK	"ktime"
#endif

#endif
