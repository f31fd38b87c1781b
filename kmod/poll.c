// SPDX-License-Identifier: GPL-2.0
/*
 * Waiters outside of WAIT: poll, epoll, an eventfd and SIGIO, with a watermark and its timeout.
 * They arm an index, and are woken, by the rule of wait.c.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <spscring/element.h>

#include "compat.h"
#include "ring.h"
#include "trace.h"
#include "wait.h"

/* The index at which poll says ready: the watermark, or the room for a write that found none. */
static u64 wait_watermark(struct ring_end *end, u64 cursor)
{
	return cursor + max3((u64)end->sleep->watermark, end->sleep->write_bytes, 1ULL);
}

/*
 * Is poll ready below the watermark: did the timeout expire, or a kick with NOW come, at this
 * cursor?  The state lasts until the end's cursor moves.  poll itself must not clear it: a
 * nested epoll polls twice before anybody acts on the answer.
 */
bool wait_late(const struct ring_end *end)
{
	u64 next = ring_cursor(end->ring, end->role) + 1;

	return end->sleep->late_at == next || end->sleep->now_at == next;
}

/*
 * Is the pollers' wait over?  A poll that was ready has reported what was there.  For it a full
 * ring or a kick with NOW does not count, only a further publish or release, or that an end
 * shuts down or dies.
 */
bool wait_pollers_done(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;

	if (!s->poll_index)
		return false;
	return s->poll_early ? wait_done(end, s->poll_index) :
		ring_reached(end->ring, end->role, s->poll_index) || wait_final(end);
}

/* Set the pollers' index, 0 for none; @less: the poll that arms it was not ready. */
void wait_arm_at(struct ring_sleep *s, u64 index, bool less)
{
	WRITE_ONCE(s->poll_index, index);
	WRITE_ONCE(s->poll_early, less);
}

static bool wait_has_timeout(const struct ring_sleep *s)
{
	return s->timeout && s->watermark > 1;
}

/* Start the timeout for the first element or record at @cursor, unless it runs already. */
static void wait_timer_start(struct ring_sleep *s, u64 cursor)
{
	lockdep_assert_held(&s->queue.lock);
	if (s->timer_at == cursor + 1)
		return;
	s->timer_at = cursor + 1;
	hrtimer_start(&s->timer, s->timeout, HRTIMER_MODE_REL_SOFT);
}

/* A timer that has expired already waits for the lock, and then finds timer_at 0. */
void wait_timer_stop(struct ring_sleep *s)
{
	lockdep_assert_held(&s->queue.lock);
	s->timer_at = 0;
	hrtimer_try_to_cancel(&s->timer);
}

/*
 * Arm the index that wakes the pollers; @ready: the poll found the end ready.  A timeout runs
 * from the first element or record on.  With one, an empty end therefore arms the first
 * index, and only then the watermark.
 */
static void wait_arm_poll(struct ring_end *end, u64 cursor, bool ready)
{
	struct ring_sleep *s = end->sleep;
	u64 seen = ring_seen(end->ring, end->role, cursor);

	lockdep_assert_held(&s->queue.lock);
	if (ready) {
		/*
		 * Keep an index that another poll armed and that is reached by now: its kick is
		 * still to come.  And keep ->poll_early, as the other poll, which was not ready,
		 * also waits for its wake-up.
		 */
		if (!s->poll_index || (s64)(seen - s->poll_index) < 0)
			wait_arm_at(s, seen + 1, s->poll_early);
	} else if (wait_has_timeout(s) && (s64)(seen - cursor) <= 0) {
		wait_arm_at(s, cursor + 1, true);
	} else {
		wait_arm_at(s, wait_watermark(end, cursor), true);
		if (wait_has_timeout(s))
			wait_timer_start(s, cursor);
	}
}

/*
 * The pollers' index is reached.  Return: true to wake them; false if it was the first element
 * or record of a watermark with a timeout, and the rest is armed.
 */
bool wait_wake_pollers(struct ring_end *end, bool now)
{
	struct ring_sleep *s = end->sleep;
	u64 cursor = ring_cursor(end->ring, end->role);

	wait_arm_at(s, 0, false);
	if (!now && wait_has_timeout(s) &&
	    !wait_done(end, wait_watermark(end, cursor))) {
		wait_arm_poll(end, cursor, false);
		return false;
	}
	return true;
}

static __poll_t wait_mask(struct ring_end *end, bool ready)
{
	__poll_t ends = 0;

	switch (ring_peer_ended(end->ring, end->role)) {
	case -ESHUTDOWN:
		ends = EPOLLRDHUP;
		break;
	case -EPIPE:
		ends = atomic_read(&end->ring->broken) ? EPOLLERR : EPOLLHUP;
		break;
	}
	if (READ_ONCE(end->shutting_down)) {
		ends |= EPOLLHUP | EPOLLRDHUP;
		ready = true;
	}
	/* ready also means that the next call returns at once, with end of file or an error */
	if (end->role == SPSCRING_CONSUMER)
		return ends | (ready || ends & EPOLLRDHUP ? EPOLLIN | EPOLLRDNORM : 0);
	return ends | (ready || ends ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Arm an index, then check whether the end is ready, as @mark is reached. */
static bool wait_arm_and_look(struct ring_end *end, u64 cursor, u64 mark, bool ready)
{
	wait_arm_poll(end, cursor, ready);
	trace_spscring_arm(end->ring, end->role, end->sleep->poll_index, ready);
	wait_publish_event(end);
	/* (M), (O) */
	smp_mb();
	return wait_reached(end, mark);
}

/* Arm the end, and return its poll mask.  After an empty mask a wake-up is certain to come. */
static __poll_t wait_look(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	u64 cursor = ring_cursor(end->ring, end->role), mark;
	bool ready;

	lockdep_assert_held(&s->queue.lock);
	/* below the watermark, once the peer has ended: no more will come */
	mark = wait_late(end) || wait_final(end) ? cursor + 1 : wait_watermark(end, cursor);
	ready = wait_reached(end, mark);
	trace_spscring_poll(end->ring, end->role, mark, ready);
	ready = wait_arm_and_look(end, cursor, mark, ready);
	/* the first index is reached: start the timeout, and arm the watermark */
	if (!ready && ring_reached(end->ring, end->role, s->poll_index))
		ready = wait_arm_and_look(end, cursor, mark, false);
	if (ready)
		wait_timer_stop(s);
	return wait_mask(end, ready);
}

/*
 * O_ASYNC.  The owner does not poll before the next signal, so the kernel arms the end as a
 * poll would, before it sends the signal.  If the end is ready, the kernel arms the first index
 * that is not reached, and fences.  What the peer publishes without a kick is then there when
 * the owner gets the signal and reads or writes until EAGAIN.  If the end is not ready, the
 * signal comes later.  Return: whether to send it.
 */
bool wait_arm_async(struct ring_end *end)
{
	return READ_ONCE(end->sleep->fasync) && wait_look(end);
}

enum hrtimer_restart wait_timer(struct hrtimer *timer)
{
	struct ring_sleep *s = container_of(timer, struct ring_sleep, timer);
	struct ring_end *end = s->end;
	bool signal = false;
	unsigned long flags;
	u64 cursor;

	spin_lock_irqsave(&s->queue.lock, flags);
	/* the timer was stopped or restarted while this handler waited for the lock */
	if (!s->timer_at || hrtimer_is_queued(timer))
		goto unlock;	/* GCOVR_EXCL_LINE: a race of microseconds */
	cursor = ring_cursor(end->ring, end->role);
	if (s->timer_at == cursor + 1)
		wait_no_longer(end, &s->late_at);
	s->timer_at = 0;
	/* the record that was timed is taken: arm for a later one, whose timeout may have begun */
	if (s->poll_early && !wait_late(end))
		wait_arm_poll(end, cursor, false);
	signal = wait_wake_locked(end);
unlock:
	spin_unlock_irqrestore(&s->queue.lock, flags);
	wait_signalled(end, signal);
	return HRTIMER_NORESTART;
}

/* Arm the end, and return its poll mask.  With @polls, count a poll that found nothing. */
static __poll_t wait_arm_and_poll(struct ring_end *end, bool polls)
{
	struct ring_sleep *s = end->sleep;
	bool interrupt;
	__poll_t mask;

	do {
		spin_lock_irq(&s->queue.lock);
		interrupt = fence_arm(end);
		mask = wait_look(end);
		if (polls && !mask && !interrupt)
			s->count.polls++;
		spin_unlock_irq(&s->queue.lock);
		if (interrupt)
			wait_fence(end);
	} while (interrupt && !mask);
	wait_signalled(end, false);
	return mask;
}

/**
 * wait_poll() - f_op->poll of an endpoint
 * @ring: the ring
 * @role: the end
 * @file: the file
 * @table: the poll table of whoever polls
 *
 * Return: EPOLLIN or EPOLLOUT with its NORM, at the watermark or when a call would return end of
 * file or an error at once; EPOLLRDHUP the peer has shut down; EPOLLHUP the peer has died;
 * EPOLLRDHUP and EPOLLHUP this end has shut down; EPOLLERR the ring is broken, or is a
 * BUSY_POLL ring.
 */
__poll_t wait_poll(struct spscring *ring, u32 role, struct file *file, poll_table *table)
{
	struct ring_end *end = ring_end_of(ring, role);

	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return EPOLLERR;
	poll_wait(file, &end->sleep->queue, table);

	return wait_arm_and_poll(end, true);
}

/**
 * wait_fasync() - f_op->fasync of an endpoint: switch SIGIO for the file's owner on or off
 * @ring: the ring
 * @role: the end
 * @fd: the file's fd
 * @file: the file
 * @on: 0 to switch it off
 *
 * Context: process, may sleep.
 *
 * Return: as fasync_helper(); -EOPNOTSUPP a BUSY_POLL ring.
 */
int wait_fasync(struct spscring *ring, u32 role, int fd, struct file *file, int on)
{
	struct ring_end *end = ring_end_of(ring, role);
	int ret;

	if (!end->sleep)
		return on ? -EOPNOTSUPP : 0;
	ret = fasync_helper(fd, file, on, &end->sleep->fasync);
	if (ret < 0 || !on)
		return ret;
	/* no signal for what is there already: a pipe sends none either */
	wait_arm_and_poll(end, false);
	return ret;
}

/**
 * wait_notify() - SPSCRING_NOTIFY: set the pollers' watermark, timeout and eventfd
 * @ring: the ring
 * @role: the end
 * @want: see struct spscring_notify
 *
 * Context: process.
 *
 * Return: 0, or a negative errno.
 */
int wait_notify(struct spscring *ring, u32 role, const struct spscring_notify *want)
{
	struct ring_end *end = ring_end_of(ring, role);
	struct ring_sleep *s = end->sleep;
	struct eventfd_ctx *eventfd = NULL;
	bool signal = false;

	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	if (want->flags || want->watermark > ring->geometry.capacity || want->eventfd < -1)
		return -EINVAL;
	if (ring_shutting_down(ring, role))
		return -ESHUTDOWN;
	if (want->eventfd >= 0) {
		eventfd = eventfd_ctx_fdget(want->eventfd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	spin_lock_irq(&s->queue.lock);
	swap(s->eventfd, eventfd);
	s->watermark = want->watermark;
	s->timeout = ns_to_ktime(min_t(u64, want->timeout, KTIME_MAX));
	s->late_at = 0;
	WRITE_ONCE(s->now_at, 0);
	wait_timer_stop(s);
	if (s->poll_index) {
		/* have the pollers poll again, by the new watermark */
		wake_up_all_locked(&s->queue);
		signal = wait_arm_async(end);
	}
	spin_unlock_irq(&s->queue.lock);
	wait_signalled(end, signal);
	if (eventfd)
		eventfd_ctx_put(eventfd);
	return 0;
}

/**
 * wait_for_bytes() - a write found no room: have poll wait for as much
 * @end: the producer's end
 * @bytes: poll is not ready with less room; 0: with any room
 *
 * Otherwise a writer that polls would find poll ready and its write refused, in a busy loop.
 */
void wait_for_bytes(struct ring_end *end, u64 bytes)
{
	struct ring_sleep *s = end->sleep;

	if (!s || READ_ONCE(s->write_bytes) == bytes)
		return;
	spin_lock_irq(&s->queue.lock);
	WRITE_ONCE(s->write_bytes, bytes);
	spin_unlock_irq(&s->queue.lock);
}
