// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep and wake by an event index.  For each end the kernel publishes the position at which
 * the end asks to be woken: the least index that any of its waiters waits for.  The peer
 * compares its own position with that index after each publish or release, and kicks once it
 * has reached the index.
 *
 * A waiter stores the event index, then fences, then checks the ring a last time.  The peer
 * publishes or releases, then fences, then loads the event index (end.h, L to O).
 * At least one of the two sees the other's store, and no wake-up is lost.  Once nobody has waited
 * for a while the peer leaves its fence out; the next waiter then interrupts the peer's CPUs
 * to have them fence, see fence.c.
 *
 * poll always arms an index, even if the end is ready: an edge-triggered epoll does not poll
 * again before it sleeps.  Where the end is ready, poll arms the first index that is not
 * reached.
 *
 * A full ring ends the consumer's wait for more than the ring holds, as no more can come.  A
 * producer that found no room says so in its control block (full_at), and kicks.  A producer
 * that sleeps until there is room does not kick: there each end, before it sleeps, stores its
 * index, fences, and checks whether the other one sleeps.
 */
#include <linux/hardirq.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <spscring/element.h>

#include "compat.h"
#include "ring.h"
#include "spscring_kapi.h"
#include "trace.h"
#include "wait.h"

/* Rounds of wait_reap() that check each waiter; the round after them wakes all. */
#define REAP_ROUNDS	4

/* An index as far behind its end's cursor as this is invalid. */
#define WAIT_BEHIND	(1LL << 62)

struct ring_waiter {
	struct list_head list;		/* empty when woken */
	struct task_struct *task;
	u64 index;
};

/* The lesser of two indices; 0 is no index. */
static u64 wait_least(u64 a, u64 b)
{
	if (!a || !b)
		return a | b;
	return (s64)(a - b) < 0 ? a : b;
}

/* Does the producer sleep until there is more room?  The caller need not hold its lock. */
static bool wait_for_room(struct spscring *ring)
{
	struct ring_sleep *s = ring->producer.sleep;
	u64 asked = READ_ONCE(s->arm_index);

	return READ_ONCE(s->waiting) ||
		(asked && !ring_reached(ring, SPSCRING_PRODUCER, asked)) ||
		(READ_ONCE(s->poll_early) &&
		 !ring_reached(ring, SPSCRING_PRODUCER, READ_ONCE(s->poll_index)));
}

/*
 * Does the consumer's wait end with what the ring holds, even if it waits for more?  No more
 * can come while the producer waits for room, or has found none since the consumer's cursor
 * last moved.  A kick with SPSCRING_KICK_NOW at this cursor ends the wait as well.
 */
static bool wait_enough(struct ring_end *end)
{
	struct spscring *ring = end->ring;
	u64 next;

	if (end->role != SPSCRING_CONSUMER)
		return false;
	next = ring_cursor(ring, SPSCRING_CONSUMER) + 1;
	/* a BUSY_POLL ring has no ->sleep: nobody kicks or sleeps there */
	return (ring_full_at(ring) == next ||
		(end->sleep && (READ_ONCE(end->sleep->now_at) == next || wait_for_room(ring)))) &&
		ring_reached(ring, SPSCRING_CONSUMER, next);
}

/* Can a waiter for @index go on?  The same rule holds for WAIT, ARM and poll. */
bool wait_reached(struct ring_end *end, u64 index)
{
	return ring_reached(end->ring, end->role, index) || wait_enough(end);
}

/* Is it useless to wait?  This end or its peer has shut down, the peer died, or the ring broke. */
bool wait_final(struct ring_end *end)
{
	return READ_ONCE(end->shutting_down) || ring_peer_ended(end->ring, end->role) != -EAGAIN;
}

bool wait_done(struct ring_end *end, u64 index)
{
	return wait_reached(end, index) || wait_final(end);
}

/*
 * Publish the end's event index: the least index of all its waiters, or SPSCRING_EVENT_NONE,
 * which no position reaches.
 */
void wait_publish_event(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	u64 *event = ring_event(end->ring, end->role);
	struct ring_waiter *w;
	u64 least;

	lockdep_assert_held(&s->queue.lock);
	least = wait_least(s->poll_index, s->arm_index);
	list_for_each_entry(w, &s->waiters, list)
		least = wait_least(least, w->index);
	/* the peer does not fence without the bit, and could miss the index */
	WARN_ON_ONCE(least && !s->fence.set);
	if (!least) {
		fence_idle(end);
		least = SPSCRING_EVENT_NONE;
	} else if (end->role == SPSCRING_PRODUCER) {
		/* the consumer compares the event index with its head */
		least -= end->ring->geometry.capacity;
	}
	least &= ~SPSCRING_EVENT_FENCE;
	WRITE_ONCE(*event, s->fence.set ? least | SPSCRING_EVENT_FENCE : least);
}

/* ------------------------------------------------------------------- wake */

/* Wake the waiters whose wait is over, or @all.  Return: whether pollers are among them. */
static bool wait_reap_once(struct ring_end *end, bool all)
{
	struct ring_sleep *s = end->sleep;
	struct ring_waiter *w, *next;
	u64 wakes = s->count.wakes;
	bool pollers = false, late;

	list_for_each_entry_safe(w, next, &s->waiters, list) {
		if (!all && !wait_done(end, w->index))
			continue;
		list_del_init(&w->list);
		WRITE_ONCE(s->waiting, s->waiting - 1);
		wake_up_process(w->task);
		s->count.wakes++;
	}
	late = all || (s->poll_early && wait_late(end));
	if (s->poll_index && (late || wait_pollers_done(end)) && wait_wake_pollers(end, late)) {
		pollers = true;
		s->count.wakes++;
	}
	if (s->arm_index && (all || wait_late(end) || wait_done(end, s->arm_index))) {
		WRITE_ONCE(s->arm_index, 0);
		pollers = true;
	}
	if (s->count.wakes != wakes)
		trace_spscring_wake(end->ring, end->role);
	wait_publish_event(end);
	return pollers;
}

static bool wait_any_done(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	struct ring_waiter *w;

	list_for_each_entry(w, &s->waiters, list)
		if (wait_done(end, w->index))
			return true;
	return wait_pollers_done(end) || (s->arm_index && wait_done(end, s->arm_index));
}

/*
 * The waiters that are left have a new event index, which the peer may have reached before
 * it was stored: fence, and check them again.  A peer that moves on meanwhile, or plays with
 * its words, causes a bounded number of rounds; the last one wakes everybody.
 */
static bool wait_reap(struct ring_end *end)
{
	bool pollers = false;
	int rounds = 0;

	lockdep_assert_held(&end->sleep->queue.lock);
	do {
		pollers |= wait_reap_once(end, rounds++ == REAP_ROUNDS);
		/* (M), (O) */
		smp_mb();
	} while (rounds <= REAP_ROUNDS && wait_any_done(end));
	return pollers;
}

/* Return: whether wait_signalled() has to send SIGIO once the lock is released. */
bool wait_wake_locked(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;

	if (!wait_reap(end))
		return false;
	/* no mask as the key: io_uring's multishot poll would trust it, and not arm again */
	wake_up_all_locked(&s->queue);
	if (s->eventfd)
		eventfd_signal(s->eventfd);
	return wait_arm_async(end);
}

static void wait_signal(struct ring_end *end, bool signal)
{
	if (signal)
		kill_fasync(&end->sleep->fasync, SIGIO,
			    end->role == SPSCRING_CONSUMER ? POLL_IN : POLL_OUT);
}

/* Wake an end's waiters if the wait of any is over.  Return: as wait_wake_locked(). */
static bool wait_recheck(struct ring_end *end)
{
	unsigned long flags;
	bool signal = false;

	spin_lock_irqsave(&end->sleep->queue.lock, flags);
	if (wait_any_done(end))
		signal = wait_wake_locked(end);
	spin_unlock_irqrestore(&end->sleep->queue.lock, flags);
	return signal;
}

/*
 * The producer is about to sleep until there is room; its index is stored, and it has fenced.
 * The consumer does the same before it sleeps.  Either the consumer sees the producer's
 * index, or this check sees the consumer's: they never sleep both.
 */
static void wait_recheck_consumer(struct spscring *ring)
{
	struct ring_end *end = &ring->consumer;
	struct ring_sleep *s = end->sleep;

	if (READ_ONCE(s->waiting) || READ_ONCE(s->arm_index) || READ_ONCE(s->poll_early))
		wait_signal(end, wait_recheck(end));
}

/* The part of a wake-up that takes other locks; call it after the end's lock is released. */
void wait_signalled(struct ring_end *end, bool signal)
{
	wait_signal(end, signal);
	if (end->role == SPSCRING_PRODUCER && wait_for_room(end->ring))
		wait_recheck_consumer(end->ring);
}

/*
 * End the waits for more than what is there: store the next index in @at (late_at or now_at).
 * If the end has taken all meanwhile, nothing is there that anybody could be woken for.
 */
void wait_no_longer(struct ring_end *end, u64 *at)
{
	u64 next = ring_cursor(end->ring, end->role) + 1;

	if (ring_reached(end->ring, end->role, next))
		WRITE_ONCE(*at, next);
}

/**
 * wait_wake() - wake those of an end's waiters whose wait is over
 * @end: the end
 * @now: what is there is enough for the end's pollers, and for the consumer's WAITs
 *
 * Context: any but NMI, and on PREEMPT_RT only a preemptible one; not under the locks
 * that waking a task, or sending it a signal, takes.
 */
void wait_wake(struct ring_end *end, bool now)
{
	struct ring_sleep *s = end->sleep;
	unsigned long flags;
	bool signal;

	if (!s)
		return;
	spin_lock_irqsave(&s->queue.lock, flags);
	s->count.kicks++;
	if (now)
		wait_no_longer(end, &s->now_at);
	signal = wait_wake_locked(end);
	spin_unlock_irqrestore(&s->queue.lock, flags);
	wait_signalled(end, signal);
}

/*
 * Interrupt the peer's CPUs, as fence_arm() asked for.  Then check all of the end's waiters:
 * another one that found the fence bit set meanwhile relies on these interrupts.
 */
void wait_fence(struct ring_end *end)
{
	fence_interrupt(end);
	wait_signalled(end, wait_recheck(end));
}

/* GCOVR_EXCL_START: no NMIs where coverage is measured; selftests/interrupts.c has them in QEMU */
static void wait_work(struct irq_work *work)
{
	struct ring_sleep *s = container_of(work, struct ring_sleep, work);

	wait_wake(s->end, xchg(&s->work_now, 0));
}	/* GCOVR_EXCL_STOP */

/**
 * spscring_kick() - an end's event index is reached
 * @ring: the ring
 * @role: the end that waits
 * @flags: 0, or SPSCRING_KICK_NOW
 *
 * The inlines of end.h call it.  Context: any, NMI too, but not under the locks
 * that waking a task, starting a timer, or sending a signal takes, nor in a tracing hook
 * of the code that holds them.
 */
void spscring_kick(struct spscring *ring, int role, u32 flags)
{
	struct ring_end *end = ring_end_of(ring, role);

	if (!end->sleep)
		return;
	if (!in_nmi() && !(IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())) {
		wait_wake(end, flags & SPSCRING_KICK_NOW);
		return;
	}	/* GCOVR_EXCL_START: as above */
	if (flags & SPSCRING_KICK_NOW)
		WRITE_ONCE(end->sleep->work_now, 1);
	WRITE_ONCE(end->sleep->worked, true);
	irq_work_queue(&end->sleep->work);
}	/* GCOVR_EXCL_STOP */
EXPORT_SYMBOL_GPL(spscring_kick);

/* ------------------------------------------------------------------ sleep */

/**
 * wait_ready() - can an end go on?
 * @ring: the ring
 * @role: the end
 * @index: the index that it waits for
 *
 * Return: 0 it can; -EAGAIN not yet; -ESHUTDOWN this end has shut down; or, if @index will
 * not be reached, as ring_peer_ended().
 */
int wait_ready(struct spscring *ring, u32 role, u64 index)
{
	int ended = ring_peer_ended(ring, role);

	if (ring_shutting_down(ring, role))
		return -ESHUTDOWN;
	/* after the peer's status: what the peer published before it ended counts */
	return wait_reached(ring_end_of(ring, role), index) ? 0 : ended;
}

/* May a wait for @index begin? */
static int wait_check(struct spscring *ring, u32 role, u64 index)
{
	s64 ahead = index - ring_cursor(ring, role);

	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	if (ahead > (s64)ring->geometry.capacity || ahead <= -WAIT_BEHIND)
		return -EINVAL;
	return ring_shutting_down(ring, role) ? -ESHUTDOWN : 0;
}

/*
 * Put a waiter on the list, and publish the event index.
 *
 * Do not publish an index that is already reached: the peer may have kicked for that value,
 * and ignores it from then on, together with every larger index that it hides.
 *
 * Return: 0, and @interrupt says whether the caller has to call wait_fence(); 1 the index is
 * reached; -EBUSY SPSCRING_WAITERS_MAX wait already, and each kick checks all of them.
 */
static int wait_add(struct ring_end *end, struct ring_waiter *w, bool *interrupt)
{
	struct ring_sleep *s = end->sleep;
	int ret = 0;

	spin_lock_irq(&s->queue.lock);
	if (wait_reached(end, w->index)) {
		ret = 1;
	} else if (s->waiting == SPSCRING_WAITERS_MAX) {
		ret = -EBUSY;
	} else {
		list_add(&w->list, &s->waiters);
		WRITE_ONCE(s->waiting, s->waiting + 1);
		s->count.sleeps++;
		*interrupt = fence_arm(end);
		wait_publish_event(end);
	}
	spin_unlock_irq(&s->queue.lock);
	return ret;
}

/*
 * Take a waiter off the list.  A peer that has not read the new event index yet kicks at the
 * old one: too early for the waiters that are left, but harmless.
 */
static void wait_remove(struct ring_end *end, struct ring_waiter *w)
{
	struct ring_sleep *s = end->sleep;

	spin_lock_irq(&s->queue.lock);
	if (!list_empty(&w->list)) {
		list_del_init(&w->list);
		WRITE_ONCE(s->waiting, s->waiting - 1);
		wait_publish_event(end);
	}
	spin_unlock_irq(&s->queue.lock);
}

/**
 * wait_sleep() - sleep until an end can go on
 * @ring: the ring
 * @role: the end
 * @index: the index that it waits for
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: 0, or a negative errno, see struct spscring_wait; -ERESTARTSYS.
 */
int wait_sleep(struct spscring *ring, u32 role, u64 index, s64 deadline)
{
	struct ring_end *end = ring_end_of(ring, role);
	struct ring_waiter w = {
		.list = LIST_HEAD_INIT(w.list), .task = current, .index = index,
	};
	ktime_t until = deadline, *timeout = deadline < 0 ? NULL : &until;
	int err;

	might_sleep();
	err = wait_check(ring, role, index);
	if (err)
		return err;
	err = wait_ready(ring, role, index);
	if (err != -EAGAIN)
		return err;
	for (;;) {
		bool interrupt = false;

		/* before wait_add(): a kick takes the waiter off the list, then wakes the task */
		set_current_state(TASK_INTERRUPTIBLE);
		if (list_empty_careful(&w.list)) {
			err = wait_add(end, &w, &interrupt);
			if (err) {
				err = min(err, 0);
				break;
			}
			trace_spscring_sleep(ring, role, index);
		}
		if (interrupt)
			wait_fence(end);
		else
			smp_mb();	/* (M), (O) */
		if (role == SPSCRING_PRODUCER)
			wait_recheck_consumer(ring);
		err = wait_ready(ring, role, index);
		if (err != -EAGAIN)
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		if (!schedule_hrtimeout_range_clock(timeout, current->timer_slack_ns,
						    HRTIMER_MODE_ABS, CLOCK_MONOTONIC)) {
			err = wait_ready(ring, role, index);
			if (err == -EAGAIN)
				err = -ETIMEDOUT;
			break;
		}
		err = wait_ready(ring, role, index);
		if (err != -EAGAIN)
			break;
	}
	__set_current_state(TASK_RUNNING);
	wait_remove(end, &w);
	return err;
}

/**
 * wait_arm() - SPSCRING_WAIT_ARM: publish an index for pollers and the eventfd, and return
 * @ring: the ring
 * @role: the end
 * @index: where to wake them
 *
 * Context: process.
 *
 * Return: 0, or a negative errno, see struct spscring_wait.
 */
int wait_arm(struct spscring *ring, u32 role, u64 index)
{
	struct ring_end *end = ring_end_of(ring, role);
	struct ring_sleep *s = end->sleep;
	bool interrupt, signal = false;
	int err;

	err = wait_check(ring, role, index);
	if (err)
		return err;
	spin_lock_irq(&s->queue.lock);
	/* the kick for the earlier index is on its way, and would clear the new one as well */
	if (s->arm_index && wait_done(end, s->arm_index))
		signal = wait_wake_locked(end);
	if (!s->arm_index || (s64)(index - s->arm_index) < 0)
		WRITE_ONCE(s->arm_index, index);
	/* even if the wait is over: where a full ring ended it, it may begin again any moment */
	interrupt = fence_arm(end);
	wait_publish_event(end);
	/* (M), (O) */
	smp_mb();
	if (wait_done(end, index))
		signal |= wait_wake_locked(end);
	spin_unlock_irq(&s->queue.lock);
	if (interrupt)
		wait_fence(end);
	wait_signalled(end, signal);
	return 0;
}

/**
 * wait_forget() - drop what an end's holder has armed or asked for by NOTIFY
 * @end: the end, which has shut down or died
 *
 * Context: process, may sleep.
 */
void wait_forget(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	struct eventfd_ctx *eventfd = NULL;

	if (!s)
		return;
	spin_lock_irq(&s->queue.lock);
	swap(s->eventfd, eventfd);
	wait_arm_at(s, 0, false);
	WRITE_ONCE(s->arm_index, 0);
	s->watermark = 0;
	WRITE_ONCE(s->write_bytes, 0);
	s->timeout = 0;
	s->late_at = 0;
	WRITE_ONCE(s->now_at, 0);
	wait_timer_stop(s);
	wait_publish_event(end);
	spin_unlock_irq(&s->queue.lock);
	hrtimer_cancel(&s->timer);
	if (eventfd)
		eventfd_ctx_put(eventfd);
}

/**
 * wait_init() - initialise what an end of a new ring sleeps by
 * @end: the end; its ring and role are set
 */
void wait_init(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;

	if (!s)
		return;
	s->end = end;
	init_waitqueue_head(&s->queue);
	INIT_LIST_HEAD(&s->waiters);
	init_irq_work(&s->work, wait_work);
	hrtimer_setup(&s->timer, wait_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	fence_begin(end);
}

/**
 * wait_exit() - free what an end sleeps by: the ring goes
 * @end: the end, which nobody waits for
 *
 * Context: process, may sleep.
 */
void wait_exit(struct ring_end *end)
{
	if (!end->sleep)
		return;
	/* takes an RCU grace period on machines where irq_work has no interrupt of its own */
	if (end->sleep->worked)
		irq_work_sync(&end->sleep->work);	/* GCOVR_EXCL_LINE: as above */
	wait_forget(end);
	fence_end(end);
}

/**
 * wait_begin() - an end's peer has a new holder
 * @end: the end
 *
 * Publish the event index again: where nobody waits, the quiet time begins after which the
 * peer need not fence.
 */
void wait_begin(struct ring_end *end)
{
	if (!end->sleep)
		return;
	spin_lock_irq(&end->sleep->queue.lock);
	wait_publish_event(end);
	spin_unlock_irq(&end->sleep->queue.lock);
}
