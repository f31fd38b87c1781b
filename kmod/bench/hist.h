/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A log-linear histogram, for the kernel's and the processes' benchmarks:
 * exact below 256, then 128 buckets for each power of two, so within 0.8 %.
 * The layout is that of HdrHistogram (G. Tene), which the kernel does not have.
 */
#ifndef _SPSCRING_BENCH_HIST_H
#define _SPSCRING_BENCH_HIST_H

#include <linux/types.h>

#define HIST_SUB_BITS	7
#define HIST_BUCKETS	((40 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)	/* to 2^40 */

/*
 * A clock may advance by more than one tick at a time (on Zen by 10 ns).  @step is that
 * number of ticks, over which percentiles are interpolated; 0 has the effect of 1.
 */
struct hist {
	__u64 count;
	__u64 max;
	__u64 step;
	__u32 buckets[HIST_BUCKETS];
};

static inline __u32 hist_index(__u64 v)
{
	__u32 shift;

	if (v < 2ULL << HIST_SUB_BITS)
		return (__u32)v;
	shift = 63 - __builtin_clzll(v) - HIST_SUB_BITS;
	if (shift >= 40 - HIST_SUB_BITS)
		return HIST_BUCKETS - 1;
	return (shift << HIST_SUB_BITS) + (__u32)(v >> shift);
}

/* The middle of a bucket's values. */
static inline __u64 hist_value(__u32 index)
{
	__u32 shift;

	if (index < 2U << HIST_SUB_BITS)
		return index;
	shift = (index >> HIST_SUB_BITS) - 1;
	return ((__u64)(index - (shift << HIST_SUB_BITS)) << shift) + ((1ULL << shift) / 2);
}

static inline void hist_add(struct hist *h, __u64 v)
{
	h->count++;
	if (v > h->max)
		h->max = v;
	h->buckets[hist_index(v)]++;
}

static inline void hist_merge(struct hist *to, const struct hist *from)
{
	__u32 i;

	to->count += from->count;
	if (from->max > to->max)
		to->max = from->max;
	to->step = from->step;
	for (i = 0; i < HIST_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

/* The value that @rank of all do not exceed; ranks count from 1. */
static inline __u64 hist_rank(const struct hist *h, __u64 rank)
{
	__u64 seen = 0, from, value;
	__u32 i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		if (seen + h->buckets[i] < rank || !h->buckets[i]) {
			seen += h->buckets[i];
			continue;
		}
		/* the true values lie within half a step of the bucket's */
		value = hist_value(i);
		from = value > h->step / 2 ? value - h->step / 2 : 0;
		value = from + h->step * (rank - seen) / h->buckets[i];
		return value < h->max ? value : h->max;
	}
	return h->max;
}

/* The value that @per_mille thousandths of all do not exceed. */
static inline __u64 hist_percentile(const struct hist *h, __u32 per_mille)
{
	return hist_rank(h, (h->count * per_mille + 999) / 1000);
}

#endif
