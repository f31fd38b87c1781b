/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's names of barriers and atomics for the tests and benchmarks in user space, which
 * share code with those in the kernel.  Programs that use a ring do not need this header.
 */
#ifndef _SPSCRING_TOOLS_BARRIER_H
#define _SPSCRING_TOOLS_BARRIER_H

#include <spscring/platform.h>

#define READ_ONCE(x)			spscring_read_once(x)
#define WRITE_ONCE(x, v)		spscring_write_once(x, v)
#define smp_load_acquire(p)		spscring_load_acquire(p)
#define smp_store_release(p, v)		spscring_store_release(p, v)
#define smp_mb()			spscring_mb()
#define smp_wmb()			spscring_wmb()
#define smp_rmb()			spscring_rmb()
#define barrier()			spscring_barrier()
#define cpu_relax()			spscring_cpu_relax()
#ifndef likely
#define likely(x)			spscring_likely(x)
#define unlikely(x)			spscring_unlikely(x)
#endif
#ifndef __always_inline
#define __always_inline			SPSCRING_INLINE
#endif

#endif
