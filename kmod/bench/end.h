/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A kernel end for the benchmark of user space: on rings that a process made, the loops
 * of the kernel's own contenders, on a thread of its own.
 *
 *	fd = open(BENCH_END, O_RDWR)
 *	write(fd, &end, sizeof(end))		claims, and begins
 *	...					the process's own end runs
 *	read(fd, &figures, sizeof(figures))	returns when it is done
 *
 * One end for each open file.  The last close stops it; once it is done, or has failed,
 * what it claimed is dead.
 *
 * Errors of write(): EINVAL another size, a bad value, a test that it has not, an
 * event_fd that is none; ENODEV a CPU that is not online; EBUSY it was written to before;
 * ENOMEM; EFAULT; those of spscring_from_fd() and of the claims, EPROTOTYPE for a ring of
 * other records among them.  A file that could not begin can be written to again.
 *
 * Errors of read(): EINVAL another size; ENODATA nothing was begun; EINTR; EFAULT; EIO a
 * wrong value was popped, the log says which; ETIMEDOUT it stood still for minutes; and
 * what push, pop or a wait returned.
 */
#ifndef _SPSCRING_BENCH_END_H
#define _SPSCRING_BENCH_END_H

#include <linux/types.h>

#include "hist.h"

#define BENCH_END	"/sys/kernel/debug/spscring_bench/end"

/**
 * struct bench_end - an end, and what it does.
 * @test:	BENCH_RTT, _THROUGHPUT, _BATCH, _WAKE, _MIXED or _MIXED_RTT.
 * @side:	0: it calls, or produces; 1: it echoes, or consumes.
 * @cpu:	where its thread runs.
 * @batch:	u64s a call of BENCH_BATCH; otherwise 1.
 * @list:	LENGTHS_* + 1 of BENCH_MIXED and _MIXED_RTT; otherwise 0.
 * @ring_fd:	the ring to side 1, and the one back: of a round trip; of BENCH_WAKE, where
 *		the consumer tells by it that it is about to sleep; otherwise -1.
 * @event_fd:	of BENCH_WAKE: what the consumer sleeps on, an eventfd or an end of a
 *		pipe, beside a ring that cannot wake; -1: on the ring.
 * @warmup:	messages before those which count.
 * @count:	those which do, at least one.
 * @asleep:	of BENCH_WAKE: ticks for the consumer to go to sleep in, of 32 bits.
 */
struct bench_end {
	__u32 test;
	__u32 side;
	__s32 cpu;
	__u32 batch;
	__u32 list;
	__s32 ring_fd[2];
	__s32 event_fd;
	__u64 warmup;
	__u64 count;
	__u64 asleep;
};

/**
 * struct bench_end_figures - what came of it.
 * @ticks:	bench_clock()'s, of count messages.
 * @slept:	how often its thread has let go of its CPU to wait.
 * @hist:	latencies in ticks, of the side that takes them; otherwise none.
 */
struct bench_end_figures {
	__u64 ticks;
	__u64 slept;
	struct hist hist;
};

#endif
