// SPDX-License-Identifier: GPL-2.0
/*
 * Who waits outside of WAIT: poll, epoll, an eventfd, SIGIO, by a watermark and its timeout.
 * The rule by which they are told, and woken, is that of wait.c.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/spscring_ring.h>

#include "compat.h"
#include "ring.h"
#include "trace.h"
#include "wait.h"

static u64 wait_watermark(struct ring_end *end, u64 cursor)
{
	return cursor + max3((u64)end->sleep->records, end->sleep->need, 1ULL);
}

/*
 * Whatever the watermark.  Until it takes something: poll is not to eat it, as it may be
 * asked twice (nested epoll).
 */
bool wait_late(const struct ring_end *end)
{
	u64 next = ring_cursor(end->ring, end->role) + 1;

	return end->sleep->late_at == next || end->sleep->now_at == next;
}

/* Are those who sleep until armed to be told?  Who was ready knows of what is there. */
bool wait_pollers_over(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;

	if (!s->armed)
		return false;
	return s->less ? wait_over(end, s->armed) :
		ring_reached(end->ring, end->role, s->armed) || wait_final(end);
}

void wait_arm_at(struct ring_sleep *s, u64 index, bool less)
{
	WRITE_ONCE(s->armed, index);
	WRITE_ONCE(s->less, less);
}

static bool wait_has_timeout(const struct ring_sleep *s)
{
	return s->timeout && s->records > 1;
}

/* The time of the first record at @cursor begins, unless it runs. */
static void wait_timer_start(struct ring_sleep *s, u64 cursor)
{
	lockdep_assert_held(&s->queue.lock);
	if (s->timer_at == cursor + 1)
		return;
	s->timer_at = cursor + 1;
	hrtimer_start(&s->timer, s->timeout, HRTIMER_MODE_REL_SOFT);
}

/* One that has expired already finds out when it gets the lock. */
void wait_timer_stop(struct ring_sleep *s)
{
	lockdep_assert_held(&s->queue.lock);
	s->timer_at = 0;
	hrtimer_try_to_cancel(&s->timer);
}

/*
 * Where to wake the pollers, who find the end @ready or not.  With a timeout, it
 * begins with the first record, so that is waited for first.
 */
static void wait_arm_poll(struct ring_end *end, u64 cursor, bool ready)
{
	struct ring_sleep *s = end->sleep;
	u64 seen = ring_seen(end->ring, end->role, cursor);

	lockdep_assert_held(&s->queue.lock);
	if (ready) {
		/*
		 * another poller's that was reached just now stays: its kick is owed; and
		 * so is that of one who found less
		 */
		if (!s->armed || (s64)(seen - s->armed) < 0)
			wait_arm_at(s, seen + 1, s->less);
	} else if (wait_has_timeout(s) && (s64)(seen - cursor) <= 0) {
		wait_arm_at(s, cursor + 1, true);
	} else {
		wait_arm_at(s, wait_watermark(end, cursor), true);
		if (wait_has_timeout(s))
			wait_timer_start(s, cursor);
	}
}

/* The pollers' index is reached: wake them, or wait for the rest. */
bool wait_fire(struct ring_end *end, bool now)
{
	struct ring_sleep *s = end->sleep;
	u64 cursor = ring_cursor(end->ring, end->role);

	wait_arm_at(s, 0, false);
	if (!now && wait_has_timeout(s) &&
	    !wait_over(end, wait_watermark(end, cursor))) {
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
	if (READ_ONCE(end->over)) {
		ends |= EPOLLHUP | EPOLLRDHUP;
		ready = true;
	}
	/* an answer, if only that there is none: the end of the file, a refusal */
	if (end->role == SPSCRING_CONSUMER)
		return ends | (ready || ends & EPOLLRDHUP ? EPOLLIN | EPOLLRDNORM : 0);
	return ends | (ready || ends ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Arms, and looks: whether the end is ready by its pollers' watermark. */
static bool wait_arm_and_look(struct ring_end *end, u64 cursor, u64 mark, bool ready)
{
	wait_arm_poll(end, cursor, ready);
	trace_spscring_arm(end->ring, end->role, end->sleep->armed, ready);
	wait_tell(end);
	/* (M), (O) */
	smp_mb();
	return wait_reached(end, mark);
}

/* What poll says of the end; if that is nothing, there will be a wake-up. */
static __poll_t wait_look(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	u64 cursor = ring_cursor(end->ring, end->role), mark;
	bool ready;

	lockdep_assert_held(&s->queue.lock);
	/* once the peer has ended nothing more will come: what is there is worth a look */
	mark = wait_late(end) || wait_final(end) ? cursor + 1 : wait_watermark(end, cursor);
	ready = wait_reached(end, mark);
	trace_spscring_poll(end->ring, end->role, mark, ready);
	ready = wait_arm_and_look(end, cursor, mark, ready);
	/* a first record came meanwhile: its time begins */
	if (!ready && ring_reached(end->ring, end->role, s->armed))
		ready = wait_arm_and_look(end, cursor, mark, false);
	if (ready)
		wait_timer_stop(s);
	return wait_mask(end, ready);
}

/*
 * O_ASYNC.  Nobody asks again before the next signal, so the end is armed as a poll
 * would arm it before the signal is sent.  Where the end is ready that is right behind
 * what is seen, and told, and fenced for: what the peer does not kick for is there by
 * then, for who gets the signal and goes on until EAGAIN.  Where it is not, that was a
 * look, and the signal is to come.  True if there is something to tell.
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
	/* while it waited for the lock it was stopped, or started anew */
	if (!s->timer_at || hrtimer_is_queued(timer))
		goto unlock;
	cursor = ring_cursor(end->ring, end->role);
	if (s->timer_at == cursor + 1)
		wait_no_longer(end, &s->late_at);
	s->timer_at = 0;
	/* its record was taken: who sleeps does so for another, whose time may have begun */
	if (s->less && !wait_late(end))
		wait_arm_poll(end, cursor, false);
	signal = wait_wake_locked(end);
unlock:
	spin_unlock_irqrestore(&s->queue.lock, flags);
	wait_told(end, signal);
	return HRTIMER_NORESTART;
}

/* Arms the end as poll does, and says what poll says; one that says nothing counts if it @polls. */
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
	wait_told(end, false);
	return mask;
}

/**
 * wait_poll() - f_op->poll of an endpoint
 * @ring: the ring
 * @role: the end
 * @file: the file
 * @table: who asks
 *
 * Return: EPOLLIN or EPOLLOUT with its NORM, at the watermark or when a call would
 * be refused; EPOLLRDHUP the peer has shut down; EPOLLHUP it has died; both of them this
 * end is over; EPOLLERR the ring is broken, or BUSY_POLL.
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
 * wait_fasync() - f_op->fasync of an endpoint: SIGIO for its file's owner, or no more
 * @ring: the ring
 * @role: the end
 * @fd: of the file
 * @file: the file
 * @on: whether
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
	/* what is there is not told, as a pipe does not */
	wait_arm_and_poll(end, false);
	return ret;
}

/**
 * wait_notify() - how pollers are told
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
	if (want->flags || want->records > ring->geometry.capacity || want->eventfd < -1)
		return -EINVAL;
	if (ring_is_over(ring, role))
		return -ESHUTDOWN;
	if (want->eventfd >= 0) {
		eventfd = eventfd_ctx_fdget(want->eventfd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	spin_lock_irq(&s->queue.lock);
	swap(s->eventfd, eventfd);
	s->records = want->records;
	s->timeout = ns_to_ktime(min_t(u64, want->timeout, KTIME_MAX));
	s->late_at = 0;
	WRITE_ONCE(s->now_at, 0);
	wait_timer_stop(s);
	if (s->armed) {
		/* poll anew, by the new watermark */
		wake_up_all_locked(&s->queue);
		signal = wait_arm_async(end);
	}
	spin_unlock_irq(&s->queue.lock);
	wait_told(end, signal);
	if (eventfd)
		eventfd_ctx_put(eventfd);
	return 0;
}

/**
 * wait_need() - what a write found no room for
 * @end: the producer's
 * @bytes: pollers are not told of less; 0: of any
 *
 * Or who polls and writes again would find no rest.
 */
void wait_need(struct ring_end *end, u64 bytes)
{
	struct ring_sleep *s = end->sleep;

	if (!s || READ_ONCE(s->need) == bytes)
		return;
	spin_lock_irq(&s->queue.lock);
	WRITE_ONCE(s->need, bytes);
	spin_unlock_irq(&s->queue.lock);
}
