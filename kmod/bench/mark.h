/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A record's first four bytes and its last four are the low bits of its number, so that a
 * torn record is found.  Kernel ends and processes share this.
 */
#ifndef _SPSCRING_BENCH_MARK_H
#define _SPSCRING_BENCH_MARK_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/string.h>
#else
#include <string.h>
#include <asm/barrier.h>
#endif

static __always_inline void mark_write(void *record, __u32 bytes, __u32 number)
{
	memcpy(record, &number, sizeof(number));
	memcpy((char *)record + bytes - sizeof(number), &number, sizeof(number));
}

/* @number if both the first and the last bytes have it; otherwise what one of them has. */
static __always_inline __u32 mark_read(const void *record, __u32 bytes, __u32 number)
{
	__u32 first, last;

	memcpy(&first, record, sizeof(first));
	memcpy(&last, (const char *)record + bytes - sizeof(last), sizeof(last));
	return first == number ? last : first;
}

#endif
