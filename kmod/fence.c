// SPDX-License-Identifier: GPL-2.0
/*
 * Who is about to sleep has its peer's CPUs make a full fence, so that the peer need not
 * make one at each publish or release.
 *
 * Of each direction there is a word that the kernel writes, an index and SPSCRING_FENCE.
 * While that bit is set the peer fences before it believes the index.  So who sleeps sets
 * it, and then interrupts the CPUs on which the peer may be between its store and its load
 * of the word.  That takes place only where the bit was clear: what was set stays set until
 * nobody has slept for a while (quiet_us), and a ring that is seldom slept on is
 * fast again.  A ring begins with the bit set, so a short one interrupts nobody.
 *
 * Who finds the bit set interrupts nobody, although another's interrupts may be in flight: he
 * who has set it looks for all who wait once they have come.  Two rules more:
 *
 *	- while anybody is told by the word, the bit stays.  So whoever tells the word
 *	  another index, from a kick or a timer, need interrupt nobody: either the peer
 *	  fences already, or somebody's interrupts are on their way.
 *	- the word is written first, then comes a full fence, then it is read whom to interrupt.
 *
 * Interrupts are other people's time.  They follow clearings only, so it is these that are
 * counted against a user's budget, or that of all drivers together: beyond it the bit stays.
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
#include <linux/spscring_ring.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "ring.h"

/* How long nobody has begun to sleep until the bit is cleared, in µs. */
unsigned int fence_quiet_us = 10000;

/* How long until that is tried again that the budget has refused, in µs. */
#define FENCE_RETRY	(100 * USEC_PER_MSEC)

/* To fire without end is no use to anybody. */
#define FENCE_QUIET_MIN	10

static u64 fence_quiet(void)
{
	return max_t(u64, READ_ONCE(fence_quiet_us), FENCE_QUIET_MIN);
}

/* Is a process found on no other CPUs than these?  Where not, all are interrupted. */
#define FENCE_MM_CPUMASK (IS_ENABLED(CONFIG_X86) && !IS_ENABLED(CONFIG_UML))

/* ---------------------------------------------------------------- budget */

unsigned int fence_max_interrupts = 1000;

/* Of a user's rings, or of all drivers'. */
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
	/* what is refused is counted by the ring, and not worth a line of the log */
	ratelimit_set_flags(&budget->rate, RATELIMIT_MSG_ON_RELEASE);
}

/* Those that had no ring for as long as a budget lasts; or all that have none. */
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
 * fence_budget_get() - whose budget a new ring's interrupts count against
 * @for_user: the calling user's, or that of all drivers
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
 * @budget: what it had
 *
 * It outlives the user's last ring: or rings that come and go would have a new one each.
 * Context: process, may sleep.
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

/* ----------------------------------------------------------- who publishes */

/**
 * fence_map() - a process maps what an end writes
 * @end: the end
 * @mm: the process's memory
 *
 * Before it can store there.  Context: may hold the mmap lock; does not sleep.
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
 * fence_unmap() - one mapping less
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
		/* of many it is not known whose they are, nor need it be */
		w->more--;
	else if (!--w->mms[i].mappings)
		w->mms[i].mm = NULL;
	spin_unlock(&w->lock);
}

/**
 * spscring_here() - kernel code publishes or releases on another CPU than before
 * @ring: the ring
 * @role: its end
 * @cpu: of its handle
 *
 * Called by the inlines of spscring_ring.h, after their store and before they load what the
 * peer wants.  Context: any, but no callback of a CPU that is going down: it can be
 * interrupted no more.
 */
void spscring_here(struct spscring *ring, int role, u32 *cpu)
{
	struct ring_end *end = ring_end_of(ring, role);

	*cpu = raw_smp_processor_id();
	if (!end->sleep)
		return;
	WRITE_ONCE(end->sleep->writers.cpu, *cpu);
	/* (W) pairs with (M), (O): who sleeps does it the other way round */
	smp_mb();
}
EXPORT_SYMBOL_GPL(spscring_here);

/* The CPUs on which an end's holder, whoever it is, may be running. */
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
	/* User Mode Linux does not tell where kernel code is, see spscring_ring.h */
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

/* Is it ever cleared? */
static bool fence_is_adaptive(const struct spscring *ring)
{
	return !(ring->geometry.flags & (SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE));
}

/**
 * fence_arm() - somebody is to be told by the word, or is about to look whether to sleep
 * @end: who sleeps; locked, and its word is told before it is unlocked
 *
 * Return: whether fence_interrupt() is to follow, once it is unlocked.
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
 * @end: who sleeps, for whom fence_arm() said so
 *
 * Then the caller looks for all who wait, or another who has found the bit set might sleep
 * for ever.  Context: process, interrupts on, no spinlock; a CPU that does not answer at
 * once, as its hypervisor has stopped it, is waited for.
 */
void fence_interrupt(struct ring_end *end)
{
	struct ring_end *peer = ring_end_of(end->ring, ring_peer(end->role));
	cpumask_var_t cpus;

	/* (M), (O): the word, then whom to interrupt; an unlock alone does not see to it */
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
	smp_mb();	/* (M), (O): here as well; then the last look */
}

/**
 * fence_idle() - nobody is told by the word any more
 * @end: of whom; locked
 *
 * The time until the bit is cleared begins, unless it runs.
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

/* Is anybody told by an end's word? */
static bool fence_is_used(const struct ring_sleep *s)
{
	return s->armed || s->asked || s->waiting;
}

/* In µs, until it is to be tried again; 0: the bit is cleared, or it is not the time to. */
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
		/* not at all: the next sleep tries again */
		return READ_ONCE(fence_max_interrupts) ? FENCE_RETRY : 0;
	}
	f->set = false;
	end->sleep->count.clears++;
	WRITE_ONCE(*ring_wants(end->ring, end->role), SPSCRING_NOBODY);
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
 * fence_begin() - an end of a new ring
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
 * fence_end() - the ring goes
 * @end: the end, which nobody waits for
 *
 * Context: process, may sleep.
 */
void fence_end(struct ring_end *end)
{
	hrtimer_cancel(&end->sleep->fence.timer);
}

/**
 * fence_exit() - behind the last ring
 */
void fence_exit(void)
{
	fence_budgets_prune(true);
}

/**
 * fence_init() - before the first ring
 */
void fence_init(void)
{
	fence_budget_init(&fence_drivers);
}
