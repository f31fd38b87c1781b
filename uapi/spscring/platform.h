/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: the primitives that the algorithm uses, by one set of names: the kernel's own in
 * the kernel, the compiler's in user space.  Every name that these headers give to a program
 * begins with spscring_ or SPSCRING_.
 *
 * The orderings are those of Documentation/memory-barriers.txt.  In user space the compiler
 * emits the cheapest instruction of each architecture.
 */
#ifndef _SPSCRING_PLATFORM_H
#define _SPSCRING_PLATFORM_H

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>

#define spscring_read_once(x)		READ_ONCE(x)
#define spscring_write_once(x, v)	WRITE_ONCE(x, v)
#define spscring_load_acquire(p)	smp_load_acquire(p)
#define spscring_store_release(p, v)	smp_store_release(p, v)
#define spscring_mb()			smp_mb()
#define spscring_wmb()			smp_wmb()
#define spscring_rmb()			smp_rmb()
#define spscring_barrier()		barrier()
#define spscring_cpu_relax()		cpu_relax()
#define spscring_must_yield()		need_resched()
#define spscring_likely(x)		likely(x)
#define spscring_unlikely(x)		unlikely(x)
#define SPSCRING_INLINE			__always_inline
#define SPSCRING_NOINLINE		noinline __maybe_unused
#define SPSCRING_COLD			__cold

/*
 * A count that a peer chose and that was found to be below @bound: 0 where the CPU
 * only guesses that it is (Spectre v1).
 */
#define spscring_nospec(count, bound)	array_index_nospec(count, bound)
#else
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#define spscring_read_once(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define spscring_write_once(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define spscring_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define spscring_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define spscring_wmb()			__atomic_thread_fence(__ATOMIC_RELEASE)
#define spscring_rmb()			__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define spscring_barrier()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
#ifdef __x86_64__
/* as the kernel's: an mfence, which some compilers make of it, takes twice as long */
#define spscring_mb()	__asm__ __volatile__("lock; addl $0,-4(%%rsp)" : : : "memory", "cc")
#else
#define spscring_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define spscring_must_yield()		0
#define spscring_likely(x)		__builtin_expect(!!(x), 1)
#define spscring_unlikely(x)		__builtin_expect(!!(x), 0)
#define SPSCRING_INLINE			inline __attribute__((__always_inline__))
#define SPSCRING_NOINLINE		__attribute__((__noinline__, __unused__))
#define SPSCRING_COLD			__attribute__((__cold__))

/* A process guards itself against Spectre v1 by its compiler's flags, if at all. */
#define spscring_nospec(count, bound)	((void)(bound), (count))

static SPSCRING_INLINE void spscring_cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}
#endif

/*
 * Ask for a line that will be written.  The compiler, told of x86-64 and no more, would ask
 * for it to be read.  Any x86-64 CPU takes this instruction, an old one to do nothing.
 */
#ifdef __x86_64__
#define spscring_prefetchw(p)	\
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)(p)))
#else
#define spscring_prefetchw(p)		__builtin_prefetch(p, 1)
#endif

/* Around what the headers declare and a library or the module defines. */
#ifdef __cplusplus
#define SPSCRING_BEGIN_DECLS	extern "C" {
#define SPSCRING_END_DECLS	}
#else
#define SPSCRING_BEGIN_DECLS
#define SPSCRING_END_DECLS
#endif

#endif /* _SPSCRING_PLATFORM_H */
