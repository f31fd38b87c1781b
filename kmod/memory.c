// SPDX-License-Identifier: GPL-2.0
/*
 * A ring's memory: who pays for it, for how long, and where it comes from.
 *
 * The pages are charged, not the ring: a pipe after vmsplice(), or I/O in flight, may hold some
 * pages when the ring is gone.  Those pages ("remains") stay charged; a work checks them again
 * and again until they are free.  The rest of a ring (struct spscring, the array of its pages)
 * is charged to the memory cgroup alone.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cpuset.h>
#include <linux/cred.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "ring.h"

/* The largest chunk of memory: no mapping can use more than one PMD entry maps. */
#define MEMORY_CHUNK_ORDER	min_t(unsigned int, RING_HUGE_ORDER, MAX_PAGE_ORDER)

/* The time between two checks of the remains; it doubles while nothing changes. */
#define MEMORY_LOOK_MIN		msecs_to_jiffies(10)
#define MEMORY_LOOK_MAX		msecs_to_jiffies(1000)

/* Bytes of all users' rings, and of the remains of those that are gone. */
static atomic_long_t memory_bytes;

/*
 * Who pays for a user's ring.  The account lives until the last of the pages is free.  Once the
 * ring is gone, the account is on memory_remains and holds a reference to the module.
 */
struct memory_account {
	struct list_head all;		/* entry of memory_remains */
	struct list_head chunks;	/* the remains, linked by page->lru */
	const struct cred *payer;	/* NULL: CAP_IPC_LOCK exempts from RLIMIT_MEMLOCK */
};

static LIST_HEAD(memory_remains);
static DEFINE_SPINLOCK(memory_remains_lock);	/* guards the list */
static DEFINE_MUTEX(memory_sweeping);	/* one sweep at a time; it empties the list meanwhile */

/* ---------------------------------------------------------------- charge */

/*
 * Charge locked memory to the user, as io_uring does.  Hold the credentials, which hold the user:
 * some kernels do not export free_uid().
 */
static int memory_charge_user(struct memory_account *account, const struct spscring *ring,
			      bool say)
{
	unsigned long pages = ring->nr_pages;
	const struct cred *cred;
	long limit, now, then;

	if (capable(CAP_IPC_LOCK))
		return 0;

	cred = get_current_cred();
	limit = min_t(unsigned long, rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT, LONG_MAX);
	now = atomic_long_read(&cred->user->locked_vm);
	do {
		then = now + pages;
		if (then > limit) {
			if (say)
				pr_info_ratelimited("ring %llu \"%.*s\" of %llu bytes refused: user %u has locked %llu, and RLIMIT_MEMLOCK is %lu\n",
						    ring->id, SPSCRING_NAME_MAX, ring->name,
						    (u64)pages << PAGE_SHIFT,
						    from_kuid(&init_user_ns, cred->uid),
						    (u64)now << PAGE_SHIFT, rlimit(RLIMIT_MEMLOCK));
			put_cred(cred);
			return -EDQUOT;
		}
	} while (!atomic_long_try_cmpxchg(&cred->user->locked_vm, &now, then));
	account->payer = cred;
	return 0;
}

static int memory_try_charge(struct memory_account *account, const struct spscring *ring,
			     bool say)
{
	unsigned long max = READ_ONCE(ring_max_bytes);
	long bytes = atomic_long_read(&memory_bytes);
	u64 more = (u64)ring->nr_pages << PAGE_SHIFT;
	int err;

	do {
		if (max && bytes + more > max) {
			if (say)
				pr_info_ratelimited("ring %llu \"%.*s\" of %llu bytes refused: users' rings have %ld, and max_bytes is %lu\n",
						    ring->id, SPSCRING_NAME_MAX, ring->name, more,
						    bytes, max);
			return -ENOSPC;
		}
	} while (!atomic_long_try_cmpxchg(&memory_bytes, &bytes, bytes + more));
	err = memory_charge_user(account, ring, say);
	if (err)
		atomic_long_sub(more, &memory_bytes);
	return err;
}

static void memory_uncharge(struct memory_account *account, unsigned long pages)
{
	if (account->payer)
		atomic_long_sub(pages, &account->payer->user->locked_vm);
	atomic_long_sub(pages << PAGE_SHIFT, &memory_bytes);
}

static void memory_account_free(struct memory_account *account)
{
	if (account->payer)
		put_cred(account->payer);
	kfree(account);
}

/* --------------------------------------------------------------- remains */

/*
 * Free and uncharge the chunks that nobody else holds.  No mapping of them is left, so only the
 * owner of a reference can hand it on: a chunk whose only reference is the ring's gets no
 * other one, but for a moment.  Return: whether no chunk is left.
 */
static bool memory_free_unheld(struct memory_account *account)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &account->chunks, lru) {
		unsigned long n = compound_nr(page);

		cond_resched();
		if (page_ref_count(page) > 1)
			continue;
		list_del(&page->lru);
		put_page(page);
		memory_uncharge(account, n);
	}
	return list_empty(&account->chunks);
}

/* Free what can be freed of the remains.  Return: whether any remains are left. */
static bool memory_sweep(void)
{
	struct memory_account *account, *next;
	LIST_HEAD(taken);
	bool remain;

	lockdep_assert_held(&memory_sweeping);
	spin_lock(&memory_remains_lock);
	list_splice_init(&memory_remains, &taken);
	spin_unlock(&memory_remains_lock);
	list_for_each_entry_safe(account, next, &taken, all) {
		if (fatal_signal_pending(current))
			break;
		if (!memory_free_unheld(account))
			continue;
		list_del(&account->all);
		memory_account_free(account);
		/* the code stays: memory_exit() waits for the work, and a file pins the module */
		module_put(THIS_MODULE);
	}
	spin_lock(&memory_remains_lock);
	list_splice(&taken, &memory_remains);
	remain = !list_empty(&memory_remains);
	spin_unlock(&memory_remains_lock);
	return remain;
}

static void memory_look_again(struct work_struct *work)
{
	static unsigned long delay;
	long before = atomic_long_read(&memory_bytes);
	bool remain;

	mutex_lock(&memory_sweeping);
	remain = memory_sweep();
	mutex_unlock(&memory_sweeping);
	delay = atomic_long_read(&memory_bytes) != before ? MEMORY_LOOK_MIN :
		clamp(2 * delay, MEMORY_LOOK_MIN, MEMORY_LOOK_MAX);
	if (remain)
		queue_delayed_work(system_dfl_wq, to_delayed_work(work), delay);
}

static DECLARE_DELAYED_WORK(memory_work, memory_look_again);

static void memory_remain(struct memory_account *account)
{
	/* safe: the caller holds a reference to the module */
	__module_get(THIS_MODULE);
	spin_lock(&memory_remains_lock);
	list_add_tail(&account->all, &memory_remains);
	spin_unlock(&memory_remains_lock);
	queue_delayed_work(system_dfl_wq, &memory_work, MEMORY_LOOK_MIN);
}

/**
 * memory_exit() - stop the work: the module goes
 *
 * No remains are left, as each account of them would hold the module.
 */
void memory_exit(void)
{
	cancel_delayed_work_sync(&memory_work);
}

/**
 * memory_used() - how much counts against max_bytes
 *
 * Return: bytes of all users' rings, and of the remains of those that are gone.
 */
unsigned long memory_used(void)
{
	return atomic_long_read(&memory_bytes);
}

/**
 * memory_charge() - charge a ring to the calling user and to max_bytes
 * @ring: the ring, which has no pages yet
 *
 * Before it refuses, it frees what can be freed of the remains of earlier rings, and tries
 * again: pages that nobody holds any more must not count.  Context: may sleep.
 *
 * Return: 0; -EDQUOT beyond RLIMIT_MEMLOCK; -ENOSPC beyond max_bytes; -ENOMEM; -EINTR killed.
 */
int memory_charge(struct spscring *ring)
{
	struct memory_account *account = kzalloc(sizeof(*account), GFP_KERNEL_ACCOUNT);
	int err;

	if (!account)
		return -ENOMEM;
	INIT_LIST_HEAD(&account->chunks);
	err = memory_try_charge(account, ring, false);
	if (err) {
		err = mutex_lock_killable(&memory_sweeping);
		if (!err) {
			memory_sweep();
			mutex_unlock(&memory_sweeping);
			err = memory_try_charge(account, ring, true);
		}
	}
	if (err) {
		kfree(account);
		return err;
	}
	ring->account = account;
	return 0;
}

/* ------------------------------------------------------------------ slab */

/* A small private ring, in one piece of slab memory: no user maps it. */
struct memory_small {
	struct spscring ring;
	struct spscring_consumer_block consumer __aligned(SPSCRING_FRAME_MIN);
	struct spscring_kernel_block kernel;
	struct spscring_producer_block producer;
	u8 data[] __aligned(SPSCRING_FRAME_MIN);
};

/* no slot needs more alignment than data[] has */
static_assert(SPSCRING_ALIGN_MAX <= SPSCRING_FRAME_MIN);

#define MEMORY_SMALL_MAX	(PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)

/* The size of a ring as struct memory_small, in bytes; 0: it does not fit. */
static size_t memory_small_size(const struct spscring_geometry *g)
{
	u64 size = sizeof(struct memory_small) + g->frames * g->frame_size;

	return g->flags & SPSCRING_CREATE_RECORDS || size > MEMORY_SMALL_MAX ? 0 : size;
}

static void memory_set_small(struct spscring *ring)
{
	struct memory_small *small = container_of(ring, struct memory_small, ring);
	struct spscring_geometry *g = &ring->geometry;

	ring->blocks.consumer = &small->consumer;
	ring->blocks.producer = &small->producer;
	ring->blocks.kernel = &small->kernel;
	ring->data = small->data;
	/* offsets in an fd, which a private ring never has */
	g->data_bytes = g->frames * g->frame_size;
	g->info_offset = 0;
	g->producer_offset = 0;
	g->data_offset = 0;
}

/**
 * memory_alloc_ring() - allocate struct spscring; for a small private ring the data as well
 * @g: the ring's geometry
 * @owner: who may use it
 * @node: the NUMA node, or NUMA_NO_NODE
 * @id: its number
 *
 * Slab memory comes in powers of two.  The unused rest is divided between before and after the
 * ring, differently for each id.  Otherwise the same words of many rings would compete for the
 * same few cache sets.  Context: may sleep.
 *
 * Return: the ring, all 0 but for its geometry, owner, ->sleep, ->home and, if small, its
 * blocks and data; NULL no memory.
 */
struct spscring *memory_alloc_ring(const struct spscring_geometry *g, enum ring_owner owner,
				   int node, u64 id)
{
	gfp_t gfp = owner == RING_OF_USER ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
	size_t small = owner == RING_PRIVATE ? memory_small_size(g) : 0;
	size_t size = small ? roundup_pow_of_two(small) : sizeof(struct spscring);
	struct ring_sleep *sleeps;
	struct spscring *ring;
	size_t before = 0;
	void *home;

	if (small)
		before = id % ((size - small) / SPSCRING_FRAME_MIN + 1) * SPSCRING_FRAME_MIN;
	home = kzalloc_node(size, gfp, node);
	if (!home)
		return NULL;
	ring = home + before;
	ring->home = home;
	ring->geometry = *g;
	ring->of_user = owner == RING_OF_USER;
	ring->private = owner == RING_PRIVATE;
	if (!(g->flags & SPSCRING_CREATE_BUSY_POLL)) {
		sleeps = kcalloc_node(2, sizeof(*sleeps), gfp, node);
		if (!sleeps) {
			kfree(home);
			return NULL;
		}
		ring->producer.sleep = &sleeps[0];
		ring->consumer.sleep = &sleeps[1];
	}
	if (small) {
		memory_set_small(ring);
		ring->geometry.memory = size;
	}
	return ring;
}

/**
 * memory_free_ring() - free what memory_alloc_ring() allocated
 * @ring: the ring, without pages
 */
void memory_free_ring(struct spscring *ring)
{
	kfree(ring->producer.sleep);	/* and the consumer's */
	kfree(ring->home);
}

/* ----------------------------------------------------------------- pages */

/*
 * Allocate a chunk of at most 2^@order pages: the largest that the node has at once.  Only for
 * a single page try hard, and on other nodes too.  RETRY_MAYFAIL: a memory cgroup at its
 * limit returns ENOMEM, and does not start its OOM killer.
 */
static struct page *memory_alloc_chunk(int node, gfp_t gfp, unsigned int order)
{
	struct page *page;

	for (; order; order--) {
		page = alloc_pages_node(node, gfp | __GFP_NORETRY | __GFP_THISNODE | __GFP_COMP,
					order);
		if (page)
			return page;
	}
	return alloc_pages_node(node, gfp | __GFP_RETRY_MAYFAIL, 0);
}

/**
 * memory_node_allowed() - may the calling process use memory of a node?
 * @node: the node, online
 *
 * Return: whether the process's cpuset contains the node.
 */
bool memory_node_allowed(int node)
{
	bool allowed;

	/* the writers' lock: the seqcount for readers is not exported to modules */
	task_lock(current);
	allowed = node_isset(node, cpuset_current_mems_allowed);
	task_unlock(current);
	return allowed;
}

/**
 * memory_alloc() - allocate a ring's pages, and map them for the kernel
 * @ring: the ring; on failure the caller frees the pages so far by memory_free()
 * @node: the NUMA node, or NUMA_NO_NODE
 *
 * Allocates chunk by chunk: a kill can interrupt the allocation of a large ring.
 *
 * Return: 0; -ENOMEM; -EINTR killed.
 */
int memory_alloc(struct spscring *ring, int node)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	unsigned int most = MEMORY_CHUNK_ORDER, order;
	unsigned long i, n, k;

	/* vmap() would refuse it, but only after all pages are allocated */
	if (ring->nr_mapped > totalram_pages())
		return -ENOMEM;
	/* HARDWALL: never a page of a node outside of the cpuset, even if memory is short */
	if (ring->of_user)
		gfp |= __GFP_ACCOUNT | __GFP_HARDWALL;
	ring->pages = kvcalloc(ring->nr_mapped, sizeof(*ring->pages), gfp | __GFP_RETRY_MAYFAIL);
	if (!ring->pages)
		return -ENOMEM;
	for (i = 0; i < ring->nr_pages; i += n) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		/* each control page is a chunk of its own: the ends' rights to them differ */
		order = i < RING_PAGE_DATA ? 0 : min_t(unsigned int, most,
						       ilog2(ring->nr_pages - i));
		page = memory_alloc_chunk(node, gfp | __GFP_ZERO, order);
		if (!page)
			return -ENOMEM;
		n = compound_nr(page);
		/* do not try again for a size that has failed */
		if (n < 1UL << order)
			most = ilog2(n);
		for (k = 0; k < n; k++)
			ring->pages[i + k] = page + k;
		cond_resched();
	}
	memcpy(ring->pages + ring->nr_pages, ring->pages + RING_PAGE_DATA,
	       (ring->nr_mapped - ring->nr_pages) * sizeof(*ring->pages));
	ring->base = vmap(ring->pages, ring->nr_mapped, VM_MAP, PAGE_KERNEL);
	if (!ring->base)
		return -ENOMEM;
	ring->data = ring->base + RING_PAGE_DATA * PAGE_SIZE;
	ring->blocks = spscring_blocks(&ring->geometry,
				       ring->base + RING_PAGE_CONSUMER * PAGE_SIZE,
				       ring->base + RING_PAGE_INFO * PAGE_SIZE,
				       ring->base + RING_PAGE_PRODUCER * PAGE_SIZE);
	return 0;
}

/**
 * memory_free() - free and uncharge a ring's pages
 * @ring: the ring; no mapping of it is left
 *
 * Pages that somebody else still holds stay charged, see the top.  A driver's pages are charged
 * to nobody: the last holder of each frees it.  Context: may sleep.
 */
void memory_free(struct spscring *ring)
{
	struct memory_account *account = ring->account;
	unsigned long i = 0, n;

	if (ring->base)
		vunmap(ring->base);
	for (; ring->pages && i < ring->nr_pages && ring->pages[i]; i += n) {
		struct page *page = ring->pages[i];

		n = compound_nr(page);
		/* page->lru is free for use here: the page was never on an LRU list */
		if (account)
			list_add(&page->lru, &account->chunks);
		else
			put_page(page);
		cond_resched();
	}
	kvfree(ring->pages);
	if (!account)
		return;
	memory_uncharge(account, ring->nr_pages - i);
	if (memory_free_unheld(account))
		memory_account_free(account);
	else
		memory_remain(account);
}
