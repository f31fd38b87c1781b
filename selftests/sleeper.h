/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An end that sleeps until it can move one element, in each way to sleep, and reports a missing
 * wake-up.  For the suites in which two ends hand over to each other many times.
 *
 * SPSCRING_MESSAGES	a thousand times the number of hand-overs; 10000000 if not given
 */
#ifndef _SPSCRING_SELFTEST_SLEEPER_H
#define _SPSCRING_SELFTEST_SLEEPER_H

#include <sys/eventfd.h>

#include "sleep.h"

static inline __u64 hand_overs(void)
{
	__u64 n = messages() / 1000;

	return n < 1000 ? 1000 : n;
}

/* The number of hand-overs for tests that find nothing more in longer runs. */
static inline __u64 some_hand_overs(void)
{
	return least(hand_overs(), 100000);
}

/*
 * With @quick the kernel clears the fence bit as soon as no task waits, and nearly each sleep has
 * to interrupt the peer's CPU to set it again.  Otherwise the module's parameters stay unchanged.
 */
struct quick {
	struct parameter quiet, most;
};

static inline void quick_begin(struct quick *q, bool quick)
{
	memset(q, 0, sizeof(*q));
	if (!quick || !parameter_keep(&q->quiet, "quiet_us") ||
	    !parameter_keep(&q->most, "max_interrupts"))
		return;
	parameter_set(&q->quiet, 10);
	parameter_set(&q->most, INT_MAX);
}

static inline void quick_end(const struct quick *q)
{
	parameter_restore(&q->quiet);
	parameter_restore(&q->most);
}

enum how { BY_WAIT, BY_POLL, BY_EPOLL, BY_EPOLL_EDGE, BY_EVENTFD };

/* In ms: a sleeper reports a lost wake-up after this time. */
static unsigned int patience = LONG;

/* An end, and its way to sleep until it can move one element. */
struct sleeper {
	enum how how;
	int fd, epoll, event;
	short events;
};

static inline void sleeper_init(struct sleeper *s, enum how by, int fd, short events)
{
	*s = (struct sleeper){ .how = by, .fd = fd, .events = events };
	if (by == BY_EPOLL || by == BY_EPOLL_EDGE) {
		s->epoll = epoll_of(fd, events | (by == BY_EPOLL_EDGE ? EPOLLET : 0));
		if (s->epoll < 0)
			_exit(3);
	} else if (by == BY_EVENTFD) {
		s->event = eventfd(0, EFD_CLOEXEC);
		if (spscring_notify(fd, 1, 0, s->event))
			_exit(3);
	}
}

/* Returns 0, -ETIMEDOUT if there was no wake-up in time, or -EINTR. */
static inline int sleeper_sleep(struct sleeper *s)
{
	__s64 until = in_ms(patience);
	__u64 times;
	int n;

	if (s->how == BY_EVENTFD) {
		n = poll_one(s->event, POLLIN, patience);
		if (n == POLLIN && read(s->event, &times, sizeof(times)) != sizeof(times))
			return -EIO;
	} else if (s->how == BY_POLL) {
		n = poll_one(s->fd, s->events, patience);
	} else {
		n = epoll_next(s->epoll, patience);
	}
	return in_time(n < 0 ? n : 0, until);
}

static inline int consumer_sleep_for_one(struct sleeper *s, struct spscring_consumer *c)
{
	__s64 until = in_ms(patience);
	int err;

	if (s->how == BY_WAIT)
		return in_time(spscring_wait_elements(c, 1, until), until);
	err = s->how == BY_EVENTFD ? spscring_arm_elements(c, 1) : 0;
	return err ?: sleeper_sleep(s);
}

/* Pop the element @next, or sleep until it is there. */
static inline int consume_next(struct sleeper *s, struct spscring_consumer *c, __u64 *next)
{
	__u64 v;
	int err = spscring_pop(c, &v);

	if (err == -EAGAIN)
		return consumer_sleep_for_one(s, c);
	return err ?: v == (*next)++ ? 0 : -EILSEQ;
}

static inline int producer_sleep_for_one(struct sleeper *s, struct spscring_producer *p)
{
	__s64 until = in_ms(patience);
	int err;

	if (s->how == BY_WAIT)
		return in_time(spscring_wait_room(p, 1, until), until);
	err = s->how == BY_EVENTFD ? spscring_arm_room(p, 1) : 0;
	return err ?: sleeper_sleep(s);
}

/* Pause at random: the peer then falls asleep at any point of this end's calls. */
static inline void dawdle(__u32 *seed)
{
	__u32 i, n;

	*seed = *seed * 1664525 + 1013904223;
	n = *seed >> 24;
	if (n < 64)
		return;
	for (i = 0; i < n * 8; i++)
		cpu_relax();
}

#endif
