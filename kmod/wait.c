// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep and wake, by an event index: an end that waits has the kernel tell its
 * peer a position, the least that any of its waiters wants; the peer looks there
 * after each publish or release, and kicks when it has come so far.
 *
 * Who waits tells first, then fences, then looks a last time; who publishes does
 * it the other way round (spscring_ring.h, L to O).  So whatever becomes true of
 * the ring is seen by one of the two.  Who publishes does without the fence while
 * nobody waits: then who begins to has it made for him first, see fence.c.
 *
 * poll always arms, ready or not: an edge-triggered epoll does not ask again
 * before it sleeps.  Where the end is ready, it arms right behind what is seen.
 *
 * A ring that is full, for who pushes, ends the consumer's wait for more than is
 * there: the producer tells by a word of its own that it has found no room, and
 * kicks; or it sleeps, which either end sees of the other, by the same rule: tell,
 * fence, look.
 */
#include <linux/hardirq.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spscring_ring.h>

#include "compat.h"
#include "ring.h"
#include "spscring_kapi.h"
#include "trace.h"
#include "wait.h"

#define REAP_ROUNDS	4

/* An index as far behind its end's cursor as this is none. */
#define WAIT_BEHIND	(1LL << 62)

struct ring_waiter {
	struct list_head list;		/* empty when woken */
	struct task_struct *task;
	u64 index;
};

/* Of two indices, of which 0 is none. */
static u64 wait_least(u64 a, u64 b)
{
	if (!a || !b)
		return a | b;
	return (s64)(a - b) < 0 ? a : b;
}

/* Does the producer sleep until there is more room?  Its lock may be another's. */
static bool wait_for_room(struct spscring *ring)
{
	struct ring_sleep *s = ring->producer.sleep;
	u64 asked = READ_ONCE(s->asked);

	return READ_ONCE(s->waiting) ||
		(asked && !ring_reached(ring, SPSCRING_PRODUCER, asked)) ||
		(READ_ONCE(s->less) &&
		 !ring_reached(ring, SPSCRING_PRODUCER, READ_ONCE(s->armed)));
}

/*
 * Is what is there enough for the consumer, however much it waits for?  No more comes
 * while the producer waits for room, or has found none since the cursor moved; or the
 * producer wants it told now.
 */
static bool wait_enough(struct ring_end *end)
{
	struct spscring *ring = end->ring;
	u64 next;

	if (end->role != SPSCRING_CONSUMER)
		return false;
	next = ring_cursor(ring, SPSCRING_CONSUMER) + 1;
	/* nobody kicks, or sleeps, on a ring that is only polled */
	return (ring_full_at(ring) == next ||
		(end->sleep && (READ_ONCE(end->sleep->now_at) == next || wait_for_room(ring)))) &&
		ring_reached(ring, SPSCRING_CONSUMER, next);
}

/* Can who waits for @index go on?  Of WAIT, ARM and poll alike. */
bool wait_reached(struct ring_end *end, u64 index)
{
	return ring_reached(end->ring, end->role, index) || wait_enough(end);
}

/* Nothing is to be waited for: this end is over, or its peer has ended. */
bool wait_final(struct ring_end *end)
{
	return READ_ONCE(end->over) || ring_peer_ended(end->ring, end->role) != -EAGAIN;
}

bool wait_over(struct ring_end *end, u64 index)
{
	return wait_reached(end, index) || wait_final(end);
}

/* The peer is told the least index, or one that is never reached. */
void wait_tell(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	u64 *wants = ring_wants(end->ring, end->role);
	struct ring_waiter *w;
	u64 least;

	lockdep_assert_held(&s->queue.lock);
	least = wait_least(s->armed, s->asked);
	list_for_each_entry(w, &s->waiters, list)
		least = wait_least(least, w->index);
	/* an index that nobody fences for might be missed */
	WARN_ON_ONCE(least && !s->fence.set);
	if (!least) {
		fence_idle(end);
		least = SPSCRING_NOBODY;
	} else if (end->role == SPSCRING_PRODUCER) {
		least -= end->ring->geometry.capacity;
	}
	WRITE_ONCE(*wants, (least & ~SPSCRING_FENCE) | (s->fence.set ? SPSCRING_FENCE : 0));
}

/* ------------------------------------------------------------------- wake */

/* All who need not wait any longer, or just @all, are woken; true if pollers are among them. */
static bool wait_reap_once(struct ring_end *end, bool all)
{
	struct ring_sleep *s = end->sleep;
	struct ring_waiter *w, *next;
	u64 wakes = s->count.wakes;
	bool pollers = false, late;

	list_for_each_entry_safe(w, next, &s->waiters, list) {
		if (!all && !wait_over(end, w->index))
			continue;
		list_del_init(&w->list);
		WRITE_ONCE(s->waiting, s->waiting - 1);
		wake_up_process(w->task);
		s->count.wakes++;
	}
	late = all || (s->less && wait_late(end));
	if (s->armed && (late || wait_pollers_over(end)) && wait_fire(end, late)) {
		pollers = true;
		s->count.wakes++;
	}
	if (s->asked && (all || wait_late(end) || wait_over(end, s->asked))) {
		WRITE_ONCE(s->asked, 0);
		pollers = true;
	}
	if (s->count.wakes != wakes)
		trace_spscring_wake(end->ring, end->role);
	wait_tell(end);
	return pollers;
}

static bool wait_anyone_over(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;
	struct ring_waiter *w;

	list_for_each_entry(w, &s->waiters, list)
		if (wait_over(end, w->index))
			return true;
	return wait_pollers_over(end) || (s->asked && wait_over(end, s->asked));
}

/*
 * Those that are left wait by a new index, so it takes another look.  A peer that
 * moves on meanwhile, or plays with its words, gets no more than a few.
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
	} while (rounds <= REAP_ROUNDS && wait_anyone_over(end));
	return pollers;
}

/* True if wait_told() is to send the signal. */
bool wait_wake_locked(struct ring_end *end)
{
	struct ring_sleep *s = end->sleep;

	if (!wait_reap(end))
		return false;
	/* without a mask, or io_uring's multishot poll would believe it, and not arm again */
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

/* Without a kick: who of an end need not sleep any longer?  As wait_wake_locked(). */
static bool wait_look_for_all(struct ring_end *end)
{
	unsigned long flags;
	bool signal = false;

	spin_lock_irqsave(&end->sleep->queue.lock, flags);
	if (wait_anyone_over(end))
		signal = wait_wake_locked(end);
	spin_unlock_irqrestore(&end->sleep->queue.lock, flags);
	return signal;
}

/*
 * The producer sleeps until there is more room, has told so and fenced: either the
 * consumer, which does the same, sees it, or it is seen here.
 */
static void wait_tell_consumer(struct spscring *ring)
{
	struct ring_end *end = &ring->consumer;
	struct ring_sleep *s = end->sleep;

	if (READ_ONCE(s->waiting) || READ_ONCE(s->asked) || READ_ONCE(s->less))
		wait_signal(end, wait_look_for_all(end));
}

/* Behind the lock, whoever was woken: what takes other locks. */
void wait_told(struct ring_end *end, bool signal)
{
	wait_signal(end, signal);
	if (end->role == SPSCRING_PRODUCER && wait_for_room(end->ring))
		wait_tell_consumer(end->ring);
}

/* What is there has waited long enough; if that has been taken, there is no such thing. */
void wait_no_longer(struct ring_end *end, u64 *at)
{
	u64 next = ring_cursor(end->ring, end->role) + 1;

	if (ring_reached(end->ring, end->role, next))
		WRITE_ONCE(*at, next);
}

/**
 * wait_wake() - look who of an end need not sleep any longer
 * @end: the end
 * @now: what is there is enough for its pollers, and for the consumer's WAITs
 *
 * Context: any but NMI, and on PREEMPT_RT any that can be preempted; not under
 * what waking a task takes, or sending it a signal.
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
	wait_told(end, signal);
}

/* fence_arm() said so: the last look is for all who have told an index meanwhile. */
void wait_fence(struct ring_end *end)
{
	fence_interrupt(end);
	wait_told(end, wait_look_for_all(end));
}

static void wait_work(struct irq_work *work)
{
	struct ring_sleep *s = container_of(work, struct ring_sleep, work);

	wait_wake(s->end, xchg(&s->work_now, 0));
}

/**
 * spscring_kick() - an end's index is reached
 * @ring: the ring
 * @role: the end that waits
 * @flags: 0, or SPSCRING_KICK_NOW
 *
 * Called by the inlines of spscring_ring.h.  Context: any, NMI too, but not under
 * the locks that waking a task, starting a timer, or sending a signal, takes, nor from
 * a tracer's hook in that.
 */
void spscring_kick(struct spscring *ring, int role, u32 flags)
{
	struct ring_end *end = ring_end_of(ring, role);

	if (!end->sleep)
		return;
	if (!in_nmi() && !(IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())) {
		wait_wake(end, flags & SPSCRING_KICK_NOW);
		return;
	}
	if (flags & SPSCRING_KICK_NOW)
		WRITE_ONCE(end->sleep->work_now, 1);
	WRITE_ONCE(end->sleep->worked, true);
	irq_work_queue(&end->sleep->work);
}
EXPORT_SYMBOL_GPL(spscring_kick);

/* ------------------------------------------------------------------ sleep */

/**
 * wait_ready() - can an end go on?
 * @ring: the ring
 * @role: the end
 * @index: as far as this
 *
 * Return: 0; -EAGAIN not yet; or as ring_peer_ended(), never; -ESHUTDOWN this end is
 * over.
 */
int wait_ready(struct spscring *ring, u32 role, u64 index)
{
	int ended = ring_peer_ended(ring, role);

	if (ring_is_over(ring, role))
		return -ESHUTDOWN;
	/* what the peer did before it ended counts */
	return wait_reached(ring_end_of(ring, role), index) ? 0 : ended;
}

static int wait_check(struct spscring *ring, u32 role, u64 index)
{
	s64 ahead = index - ring_cursor(ring, role);

	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	if (ahead > (s64)ring->geometry.capacity || ahead <= -WAIT_BEHIND)
		return -EINVAL;
	return ring_is_over(ring, role) ? -ESHUTDOWN : 0;
}

/*
 * 0, and then @interrupt asks for wait_fence(); 1 it is reached: an index that the peer may
 * have kicked for is not told, or it would keep quiet of larger ones; -EBUSY too many wait,
 * all of which each kick looks at.
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
		wait_tell(end);
	}
	spin_unlock_irq(&s->queue.lock);
	return ret;
}

/* Who has not seen the new index kicks at this one, too early for those that are left. */
static void wait_remove(struct ring_end *end, struct ring_waiter *w)
{
	struct ring_sleep *s = end->sleep;

	spin_lock_irq(&s->queue.lock);
	if (!list_empty(&w->list)) {
		list_del_init(&w->list);
		WRITE_ONCE(s->waiting, s->waiting - 1);
		wait_tell(end);
	}
	spin_unlock_irq(&s->queue.lock);
}

/**
 * wait_sleep() - sleep until an end can go on
 * @ring: the ring
 * @role: the end
 * @index: as far as this
 * @deadline: CLOCK_MONOTONIC in ns; negative: none
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

		/* before the list: who takes it off wakes it, too */
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
			wait_tell_consumer(ring);
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
 * wait_arm() - tell an index, for pollers and the eventfd, and return
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
	/* its kick is on its way, and would take this one off with it */
	if (s->asked && wait_over(end, s->asked))
		signal = wait_wake_locked(end);
	if (!s->asked || (s64)(index - s->asked) < 0)
		WRITE_ONCE(s->asked, index);
	/* always: what is over now, as a full ring is enough, may not be a moment later */
	interrupt = fence_arm(end);
	wait_tell(end);
	/* (M), (O) */
	smp_mb();
	if (wait_over(end, index))
		signal |= wait_wake_locked(end);
	spin_unlock_irq(&s->queue.lock);
	if (interrupt)
		wait_fence(end);
	wait_told(end, signal);
	return 0;
}

/**
 * wait_forget() - an end is over: nobody is to be told any more
 * @end: the end
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
	WRITE_ONCE(s->asked, 0);
	s->records = 0;
	WRITE_ONCE(s->need, 0);
	s->timeout = 0;
	s->late_at = 0;
	WRITE_ONCE(s->now_at, 0);
	wait_timer_stop(s);
	wait_tell(end);
	spin_unlock_irq(&s->queue.lock);
	hrtimer_cancel(&s->timer);
	if (eventfd)
		eventfd_ctx_put(eventfd);
}

/**
 * wait_count() - how an end has slept
 * @end: the end
 * @count: the result
 */
void wait_count(struct ring_end *end, struct spscring_sleep_counters *count)
{
	struct ring_sleep *s = end->sleep;

	if (!s) {
		memset(count, 0, sizeof(*count));
		return;
	}
	spin_lock_irq(&s->queue.lock);
	*count = s->count;
	spin_unlock_irq(&s->queue.lock);
}

/**
 * wait_init() - an end of a new ring
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
 * wait_exit() - the ring goes
 * @end: the end, which nobody waits for
 *
 * Context: process, may sleep.
 */
void wait_exit(struct ring_end *end)
{
	if (!end->sleep)
		return;
	/* where it has no interrupt of its own this takes a grace period */
	if (end->sleep->worked)
		irq_work_sync(&end->sleep->work);
	wait_forget(end);
	fence_end(end);
}

/**
 * wait_begin() - an end's peer has a holder
 * @end: the end
 */
void wait_begin(struct ring_end *end)
{
	if (!end->sleep)
		return;
	spin_lock_irq(&end->sleep->queue.lock);
	wait_tell(end);
	spin_unlock_irq(&end->sleep->queue.lock);
}
