/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A kernel end for the user-space benchmark.  A kernel thread runs the loops of the kernel's
 * own contenders on rings that a process made.
 *
 *	fd = open(BENCH_END, O_RDWR)
 *	write(fd, &end, sizeof(end))		claims the end, and starts the thread
 *	...					the process's own end runs
 *	read(fd, &figures, sizeof(figures))	returns when the thread is done
 *
 * Each open file has one end.  The last close of the file stops the thread.  Once the thread
 * is done, or has failed, the ends that it claimed are dead.
 *
 * Errors of write(): EINVAL a wrong size, a bad value, a test that kernel ends do not have,
 * or an event_fd that is neither an eventfd nor a pipe; ENODEV an offline CPU; EBUSY the file
 * has started an end before; ENOMEM; EFAULT; and those of spscring_from_fd() and of the
 * claims, such as EPROTOTYPE for a ring of another element size.  After an error the file can
 * be written to again.
 *
 * Errors of read(): EINVAL a wrong size; ENODATA no end was started; EINTR; EFAULT; EIO the
 * thread popped a wrong value, which the log names; ETIMEDOUT the thread made no progress for
 * two minutes; and those of push, pop and wait.
 */
#ifndef _SPSCRING_BENCH_END_H
#define _SPSCRING_BENCH_END_H

#include <linux/types.h>

#include "hist.h"

#define BENCH_END	"/sys/kernel/debug/spscring_bench/end"

/**
 * struct bench_end - which end to be, and what to do.
 * @test:	BENCH_RTT, _THROUGHPUT, _BATCH, _WAKE, _MIXED or _MIXED_RTT.
 * @side:	0: call, or produce; 1: echo, or consume.
 * @cpu:	CPU of the thread.
 * @batch:	with BENCH_BATCH: u64s per call; otherwise 1.
 * @list:	with BENCH_MIXED and _MIXED_RTT: LENGTHS_* + 1; otherwise 0.
 * @ring_fd:	the ring to side 1, and the ring back.  The second carries a round trip's
 *		echo; in BENCH_WAKE the consumer announces by it that it is about to sleep;
 *		otherwise it is -1.
 * @event_fd:	with BENCH_WAKE and a ring that cannot wake: the eventfd, or the end of a
 *		pipe, that the consumer sleeps on; -1: it sleeps on the ring.
 * @warmup:	messages before the measured ones.
 * @count:	messages to measure, at least one.
 * @asleep:	with BENCH_WAKE: ticks that the consumer gets to fall asleep, at most 32 bits.
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
 * struct bench_end_figures - the measurements.
 * @ticks:	time that count messages took, in ticks of bench_clock().
 * @slept:	the thread's voluntary context switches.
 * @hist:	latencies in ticks, on the side that measures them; otherwise empty.
 */
struct bench_end_figures {
	__u64 ticks;
	__u64 slept;
	struct hist hist;
};

#endif
