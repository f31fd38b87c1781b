// SPDX-License-Identifier: GPL-2.0
/*
 * In a ring where nobody has waited for a while, a publish or a release makes no full fence.
 * The next waiter has its peer's CPUs make that fence instead, before it sleeps.
 *
 * For each end the kernel writes an event index, which carries the fence bit
 * (SPSCRING_EVENT_FENCE).  While the bit is set, the peer makes a full fence before it compares
 * the index.  A waiter that finds the bit clear sets it, and interrupts the CPUs on which the
 * peer may be between its store and its load of the index.  The bit stays set until no sleep has
 * begun for a quiet time (quiet_us), then the kernel clears it: a ring on which nobody sleeps
 * gets fast again.  A new ring has the bit set, so a short-lived ring interrupts nobody.
 *
 * A waiter that finds the bit set interrupts nobody, although the interrupts of the waiter
 * that set the bit may still be in flight.  That one checks all waiters once its interrupts
 * are done.  Two more rules:
 *
 *	- while the event index is in use, the bit stays set.  A kick or a timer that publishes
 *	  another index need not interrupt anybody: either the peer fences already, or the
 *	  interrupts of the waiter that set the bit are on their way.
 *	- first store the event index, then fence, then read which CPUs to interrupt.
 *
 * An interrupt takes time from whatever runs on the CPU.  Each round of interrupts follows a
 * clearing of the bit, so clearings are counted against a budget: the user's, or one of all
 * drivers together.  Beyond the budget the bit stays set.
 *
 * The idea of moving the fence to the rare side is membarrier(2)'s.
 */
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm_types.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <spscring/element.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "ring.h"

/* The quiet time: the kernel clears the bit once no sleep has begun for so long, in µs. */
unsigned int fence_quiet_us = 10000;

/* When to try again after the budget has refused to clear the bit, in µs. */
#define FENCE_RETRY	(100 * USEC_PER_MSEC)

/* The shortest quiet time, in µs: with 0 the timer would fire all the time. */
#define FENCE_QUIET_MIN	10

static u64 fence_quiet(void)
{
	return max_t(u64, READ_ONCE(fence_quiet_us), FENCE_QUIET_MIN);
}

/*
 * Does mm_cpumask() hold every CPU on which a process may be running?  Where it does not, all
 * online CPUs are interrupted.
 */
#define FENCE_MM_CPUMASK (IS_ENABLED(CONFIG_X86) && !IS_ENABLED(CONFIG_UML))

/* ---------------------------------------------------------------- budget */

unsigned int fence_max_interrupts = 1000;

/* How often a second the bit may be cleared in a user's rings, or in all drivers' rings. */
struct fence_budget {
	struct list_head list;
	kuid_t user;
	unsigned int rings;
	unsigned long left_at;		/* when the last ring went, in jiffies */
	struct ratelimit_state rate;
};

static LIST_HEAD(fence_budgets);
static DEFINE_MUTEX(fence_budgets_lock);
static struct fence_budget fence_drivers;

static void fence_budget_init(struct fence_budget *budget)
{
	ratelimit_state_init(&budget->rate, HZ, 0);
	/* log no refusal: each ring counts its own, see INFO */
	ratelimit_set_flags(&budget->rate, RATELIMIT_MSG_ON_RELEASE);
}

/*
 * Free the budgets that have had no ring for the second that a budget covers; with @all, every
 * budget that has no ring.
 */
static void fence_budgets_prune(bool all)
{
	struct fence_budget *budget, *next;

	list_for_each_entry_safe(budget, next, &fence_budgets, list) {
		if (budget->rings || (!all && time_before(jiffies, budget->left_at + HZ)))
			continue;
		list_del(&budget->list);
		kfree(budget);
	}
}

/**
 * fence_budget_get() - find the budget that a new ring's interrupts count against
 * @for_user: the calling user's; otherwise that of all drivers
 *
 * Context: process, may sleep.
 *
 * Return: the budget, to be given to fence_budget_put(); NULL no memory.
 */
struct fence_budget *fence_budget_get(bool for_user)
{
	struct fence_budget *budget;

	if (!for_user)
		return &fence_drivers;
	mutex_lock(&fence_budgets_lock);
	fence_budgets_prune(false);
	list_for_each_entry(budget, &fence_budgets, list)
		if (uid_eq(budget->user, current_uid()))
			goto found;
	budget = kzalloc(sizeof(*budget), GFP_KERNEL_ACCOUNT);
	if (!budget)
		goto unlock;
	fence_budget_init(budget);
	budget->user = current_uid();
	list_add(&budget->list, &fence_budgets);
found:
	budget->rings++;
unlock:
	mutex_unlock(&fence_budgets_lock);
	return budget;
}

/**
 * fence_budget_put() - a ring is gone
 * @budget: the ring's budget
 *
 * A budget outlives the user's last ring by a second.  Otherwise a user could have a fresh
 * budget by making a new ring.  Context: process, may sleep.
 */
void fence_budget_put(struct fence_budget *budget)
{
	if (!budget || budget == &fence_drivers)
		return;
	mutex_lock(&fence_budgets_lock);
	budget->rings--;
	budget->left_at = jiffies;
	mutex_unlock(&fence_budgets_lock);
}

static bool fence_may_clear(struct fence_budget *budget)
{
	WRITE_ONCE(budget->rate.burst,
		   min_t(unsigned int, READ_ONCE(fence_max_interrupts), INT_MAX));
	return __ratelimit(&budget->rate);
}

/* ----------------------------------------------- the CPUs of whoever publishes */

/**
 * fence_map() - a process maps what an end writes
 * @end: the end
 * @mm: the process's memory
 *
 * Called before the process can store there.  Context: may hold the mmap lock; does not sleep.
 */
void fence_map(struct ring_end *end, struct mm_struct *mm)
{
	struct ring_writers *w = &end->sleep->writers;
	int i, free = -1;

	if (!end->sleep)
		return;
	spin_lock(&w->lock);
	for (i = 0; i < RING_WRITERS; i++) {
		if (w->mms[i].mm == mm)
			break;
		if (!w->mms[i].mm)
			free = i;
	}
	if (i == RING_WRITERS && free >= 0) {
		i = free;
		w->mms[i].mm = mm;
	}
	if (i < RING_WRITERS)
		w->mms[i].mappings++;
	else
		w->more++;
	spin_unlock(&w->lock);
}

/**
 * fence_unmap() - a mapping of what an end writes is gone
 * @end: the end
 * @mm: the process's memory
 *
 * Context: as fence_map().
 */
void fence_unmap(struct ring_end *end, struct mm_struct *mm)
{
	struct ring_writers *w = &end->sleep->writers;
	int i = 0;

	if (!end->sleep)
		return;
	spin_lock(&w->lock);
	while (i < RING_WRITERS && w->mms[i].mm != mm)
		i++;
	if (i == RING_WRITERS)
		/* mappings beyond the table are only counted: they have all CPUs interrupted */
		w->more--;
	else if (!--w->mms[i].mappings)
		w->mms[i].mm = NULL;
	spin_unlock(&w->lock);
}

/**
 * spscring_note_cpu() - kernel code publishes or releases on another CPU than before
 * @ring: the ring; NULL: one of DEFINE_SPSCRING()
 * @role: the end that publishes or releases
 * @cpu: where the end's handle keeps its CPU; updated
 *
 * The inlines of end.h call it after their store and before they load the peer's
 * event index.  Context: any but a callback of a CPU that is going down, as that CPU takes no
 * more interrupts.
 */
void spscring_note_cpu(struct spscring *ring, int role, u32 *cpu)
{
	struct ring_end *end;

	*cpu = raw_smp_processor_id();
	if (!ring)
		return;
	end = ring_end_of(ring, role);
	if (!end->sleep)
		return;
	WRITE_ONCE(end->sleep->writers.cpu, *cpu);
	/* (W) pairs with (M), (O): a waiter stores the event index, then loads this CPU */
	smp_mb();
}
EXPORT_SYMBOL_GPL(spscring_note_cpu);

/* The CPUs on which an end's holder may be running, in user space or in the kernel. */
static void fence_targets(struct ring_end *end, struct cpumask *cpus)
{
	struct ring_writers *w = &end->sleep->writers;
	int i, cpu;

	cpumask_clear(cpus);
	spin_lock(&w->lock);
	for (i = 0; i < RING_WRITERS; i++) {
		if (w->mms[i].mm && FENCE_MM_CPUMASK)
			cpumask_or(cpus, cpus, mm_cpumask(w->mms[i].mm));
		else if (w->mms[i].mm)
			cpumask_copy(cpus, cpu_online_mask);
	}
	/* on User Mode Linux kernel code does not call spscring_note_cpu(), see end.h */
	if (w->more || IS_ENABLED(CONFIG_UML))
		cpumask_copy(cpus, cpu_online_mask);
	spin_unlock(&w->lock);
	cpu = READ_ONCE(w->cpu);
	if (cpu >= 0)
		cpumask_set_cpu(cpu, cpus);
}

static void fence_interrupted(void *unused)
{
	smp_mb();	/* (V) pairs with (M), (O): in place of (L), or (N) */
}

/* ---------------------------------------------------------------- the bit */

/* May the fence bit be cleared at all? */
static bool fence_is_adaptive(const struct spscring *ring)
{
	return !(ring->geometry.flags & (SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE));
}

/**
 * fence_arm() - set the fence bit: the end's event index is about to be used
 * @end: the end that sleeps or polls; locked, and the caller publishes its event index
 *	before it unlocks
 *
 * Return: whether the caller has to call fence_interrupt() after it unlocks.
 */
bool fence_arm(struct ring_end *end)
{
	struct ring_fence *f = &end->sleep->fence;

	lockdep_assert_held(&end->sleep->queue.lock);
	f->armed_at = ktime_get();
	if (f->set)
		return false;
	f->set = true;
	end->sleep->count.interrupts++;
	return true;
}

/**
 * fence_interrupt() - have the peer's CPUs make a full fence
 * @end: the end that sleeps, for which fence_arm() returned true
 *
 * Afterwards the caller checks all of the end's waiters: one that found the bit set meanwhile
 * could otherwise sleep for ever.  Context: process, interrupts on, no spinlock.  It waits
 * for every CPU, also for one that its hypervisor has stopped.
 */
void fence_interrupt(struct ring_end *end)
{
	struct ring_end *peer = ring_end_of(end->ring, ring_peer(end->role));
	cpumask_var_t cpus;

	/* (M), (O): the event index, then whom to interrupt: an unlock does not order the two */
	smp_mb();
	if (alloc_cpumask_var(&cpus, GFP_ATOMIC | __GFP_NOWARN)) {
		fence_targets(peer, cpus);
		preempt_disable();
		smp_call_function_many(cpus, fence_interrupted, NULL, true);
		preempt_enable();
		free_cpumask_var(cpus);
	} else {
		smp_call_function(fence_interrupted, NULL, true);
	}
	smp_mb();	/* (M), (O): here as well, before the caller's last check */
}

/**
 * fence_idle() - nobody uses an end's event index
 * @end: the end; locked
 *
 * Starts the quiet time after which the bit is cleared, unless its timer runs already.
 */
void fence_idle(struct ring_end *end)
{
	struct ring_fence *f = &end->sleep->fence;

	lockdep_assert_held(&end->sleep->queue.lock);
	if (!f->set || f->timing || !fence_is_adaptive(end->ring))
		return;
	f->timing = true;
	hrtimer_start(&f->timer, ns_to_ktime(fence_quiet() * NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
}

/* Does anybody wait by an end's event index? */
static bool fence_is_used(const struct ring_sleep *s)
{
	return s->poll_index || s->arm_index || s->waiting;
}

/*
 * Clear the fence bit if the quiet time is over and the budget allows.  Return: when to try
 * again, in µs; 0: not at all, as the bit is clear, or stays set until the next sleep.
 */
static u64 fence_try_clear(struct ring_end *end)
{
	ktime_t quiet = ktime_add_us(end->sleep->fence.armed_at, fence_quiet());
	s64 left = ktime_us_delta(quiet, ktime_get());
	struct ring_fence *f = &end->sleep->fence;

	lockdep_assert_held(&end->sleep->queue.lock);
	if (!f->set || fence_is_used(end->sleep))
		return 0;
	if (left > 0)
		return max_t(u64, left, FENCE_QUIET_MIN);
	if (!fence_may_clear(end->ring->budget)) {
		end->sleep->count.refused++;
		/* with a budget of 0 no retry helps; the quiet time after the next sleep tries */
		return READ_ONCE(fence_max_interrupts) ? FENCE_RETRY : 0;
	}
	f->set = false;
	end->sleep->count.clears++;
	WRITE_ONCE(*ring_event(end->ring, end->role), SPSCRING_EVENT_NONE);
	return 0;
}

static enum hrtimer_restart fence_timer(struct hrtimer *timer)
{
	struct ring_end *end = container_of(timer, struct ring_sleep, fence.timer)->end;
	unsigned long flags;
	u64 again;

	spin_lock_irqsave(&end->sleep->queue.lock, flags);
	again = fence_try_clear(end);
	end->sleep->fence.timing = again;
	if (again)
		hrtimer_forward_now(timer, ns_to_ktime(again * NSEC_PER_USEC));
	spin_unlock_irqrestore(&end->sleep->queue.lock, flags);
	return again ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

/**
 * fence_begin() - set up the fence bit of an end of a new ring
 * @end: the end, of a ring whose geometry is known
 */
void fence_begin(struct ring_end *end)
{
	struct ring_fence *f = &end->sleep->fence;

	spin_lock_init(&end->sleep->writers.lock);
	end->sleep->writers.cpu = -1;
	f->set = true;
	f->armed_at = ktime_get();
	hrtimer_setup(&f->timer, fence_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
}

/**
 * fence_end() - stop an end's timer: the ring goes
 * @end: the end, which nobody waits for
 *
 * Context: process, may sleep.
 */
void fence_end(struct ring_end *end)
{
	hrtimer_cancel(&end->sleep->fence.timer);
}

/**
 * fence_exit() - free all budgets, after the last ring
 */
void fence_exit(void)
{
	fence_budgets_prune(true);
}

/**
 * fence_init() - set up the drivers' budget, before the first ring
 */
void fence_init(void)
{
	fence_budget_init(&fence_drivers);
}
