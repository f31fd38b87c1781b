/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the suites of sleep: deadlines, and one call of each kind of poller.
 */
#ifndef _SPSCRING_SELFTEST_SLEEP_H
#define _SPSCRING_SELFTEST_SLEEP_H

#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "selftest.h"

#define NEVER	(-1LL)
#define LONG	30000	/* ms: only a lost wake-up takes as long as this */

static inline __s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline __s64 in_ms(unsigned int ms)
{
	return now_ns() + ms * 1000000LL;
}

/* A poller checks again at its timeout: turn a success at that time into a lost wake-up. */
static inline int in_time(int err, __s64 deadline)
{
	return now_ns() < deadline ? err : -ETIMEDOUT;
}

static inline int poll_one(int fd, short events, int ms)
{
	struct pollfd one = { .fd = fd, .events = events };
	int n = poll(&one, 1, ms);

	return n < 0 ? -errno : n ? one.revents : 0;
}

static inline int epoll_of(int fd, __u32 events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : epoll;
}

/* The next events of an epoll; 0 if none come in @ms. */
static inline int epoll_next(int epoll, int ms)
{
	struct epoll_event got;
	int n = epoll_wait(epoll, &got, 1, ms);

	return n > 0 ? (int)got.events : negative_errno(n);
}

/* As epoll_next(), but fail if only the check at the timeout found the events. */
static inline int epoll_in_time(int epoll)
{
	__s64 until = in_ms(LONG);

	return in_time(epoll_next(epoll, LONG), until);
}

static inline __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* The end does not spin before it sleeps, because the test is about sleep. */
static inline void no_spin(__u32 *spin, __u32 *spin_max)
{
	*spin = 0;
	*spin_max = 0;
}

/* Push without a check of the consumer's event index, hence without a kick. */
static inline int push_unseen(struct spscring_producer *p, __u64 v)
{
	void *slot;
	int err = spscring_reserve(p, &slot);

	if (err)
		return err;
	*(__u64 *)slot = v;
	spscring_commit_flags(p, 1, SPSCRING_NOWAKE);
	return 0;
}

static inline int nonblock(int fd)
{
	return negative_errno(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

#endif
