// SPDX-License-Identifier: GPL-2.0
/*
 * A ring's life: creation, the claims, shutdowns and deaths of its ends, and its release.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/nodemask.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <spscring/record.h>

#include "list.h"
#include "ring.h"
#include "trace.h"

static atomic64_t ring_ids;

/* ------------------------------------------------------------------ life */

/* Find the memory node.  Return: 0, or SPSCRING_WHY_*. */
static u32 ring_node(const struct spscring_create *want, bool for_user, int *node)
{
	*node = NUMA_NO_NODE;
	if (!(want->flags & SPSCRING_CREATE_NUMA_NODE))
		return 0;
	*node = want->numa_node;
	if (*node < 0 || *node >= MAX_NUMNODES || !node_online(*node))
		return SPSCRING_WHY_NODE;
	return for_user && !memory_node_allowed(*node) ? SPSCRING_WHY_NODE_CPUSET : 0;
}

/* The module's default frame size applies only to rings of at least so many such frames. */
#define RING_FRAMES_LEAST	8

/*
 * Use the module's default frame size where it is larger than the layout's own choice (smaller
 * frames would waste more memory), and where the ring then has enough frames: both ends should
 * work in different frames, and an unfilled last frame should waste little.
 */
static int ring_lay_out(struct spscring_geometry *g, const struct spscring_create *want)
{
	struct spscring_create larger = *want;
	int err = spscring_geometry_init(g, want, PAGE_SIZE);

	larger.frame_size = READ_ONCE(ring_default_frame_size);
	if (err || want->frame_size || want->flags & SPSCRING_CREATE_RECORDS ||
	    larger.frame_size <= g->frame_size ||
	    g->capacity / RING_FRAMES_LEAST < (larger.frame_size - g->frame_first) / g->stride)
		return err;
	return spscring_geometry_init(g, &larger, PAGE_SIZE);
}

/* The ring is broken: wake the tasks that wait to claim an end, as no claim succeeds. */
static void ring_broken_work(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct spscring, broken_work)->ends);
}

static void ring_init(struct spscring *ring, const struct spscring_create *want, u64 id)
{
	kref_init(&ring->ref);
	mutex_init(&ring->lock);
	mutex_init(&ring->watch_lock);
	mutex_init(&ring->claiming);
	ring->producer.role = SPSCRING_PRODUCER;
	ring->consumer.role = SPSCRING_CONSUMER;
	ring->producer.ring = ring;
	ring->consumer.ring = ring;
	wait_init(&ring->producer);
	wait_init(&ring->consumer);
	init_waitqueue_head(&ring->ends);
	init_irq_work(&ring->broken_work, ring_broken_work);
	ring->id = id;
	ring->uid = ring->of_user ? current_uid() : INVALID_UID;
	memcpy(ring->name, want->name, sizeof(ring->name));
}

/* Fill the info page, which users map read-only. */
static void ring_fill_info(struct spscring *ring)
{
	struct spscring_info_page *info = ring->base + RING_PAGE_INFO * PAGE_SIZE;

	info->geometry = ring->geometry;
	memcpy(info->name, ring->name, sizeof(info->name));
	info->magic = SPSCRING_MAGIC;
}

/* Charge, allocate and lay out a ring's pages. */
static int ring_add_pages(struct spscring *ring, int node)
{
	int err;

	ring->geometry.colour = ring->id % SPSCRING_COLOURS * SPSCRING_LINE;
	ring->nr_pages = ring->geometry.memory >> PAGE_SHIFT;
	ring->nr_mapped = spscring_mapped_bytes(&ring->geometry) >> PAGE_SHIFT;
	if (ring->of_user) {
		err = memory_charge(ring);
		if (err)
			return err;
	}
	err = memory_alloc(ring, node);
	if (err) {
		memory_free(ring);
		return err;
	}
	memmap_lay_out(ring);
	ring_fill_info(ring);
	return 0;
}

/**
 * ring_create() - make a ring
 * @want: its shape and flags
 * @owner: who may use it; a user's ring is charged to the calling user and its memory cgroup
 * @why: which rule @want breaks, SPSCRING_WHY_*; 0 if it breaks none
 *
 * Return: the ring, with one reference; or an ERR_PTR, see struct
 * spscring_create.
 */
struct spscring *ring_create(const struct spscring_create *want, enum ring_owner owner, u32 *why)
{
	struct spscring_geometry geometry;
	struct spscring *ring;
	int node, err;
	u64 id;

	*why = spscring_create_why(want) ?: ring_node(want, owner == RING_OF_USER, &node);
	if (*why)
		return ERR_PTR(*why == SPSCRING_WHY_TOO_LARGE ? -E2BIG : -EINVAL);
	err = ring_lay_out(&geometry, want);
	if (err)
		return ERR_PTR(err);	/* GCOVR_EXCL_LINE: spscring_create_why() found no fault */
	id = atomic64_inc_return(&ring_ids);
	ring = memory_alloc_ring(&geometry, owner, node, id);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring_init(ring, want, id);
	ring->budget = fence_budget_get(ring->of_user);
	if (!ring->budget) {
		err = -ENOMEM;
		goto err_free;
	}
	/* a small private ring has its data already, in slab memory */
	if (!ring->data) {
		err = ring_add_pages(ring, node);
		if (err)
			goto err_budget;
	}
	spscring_kernel_block_init(ring->blocks.kernel, ring->geometry.flags);
	err = list_insert(ring);
	if (err)
		goto err_pages;	/* GCOVR_EXCL_LINE: where one allocation fails, it tries another */
	trace_spscring_create(ring);
	return ring;

err_pages:
	memory_free(ring);	/* GCOVR_EXCL_LINE */
err_budget:
	fence_budget_put(ring->budget);
err_free:
	memory_free_ring(ring);
	return ERR_PTR(err);
}

struct spscring *ring_get(struct spscring *ring)
{
	kref_get(&ring->ref);
	return ring;
}

static void ring_free(struct kref *ref)
{
	struct spscring *ring = container_of(ref, struct spscring, ref);

	list_remove(ring);
	/* takes an RCU grace period on machines where irq_work has no interrupt of its own */
	if (ring->broken_worked)
		irq_work_sync(&ring->broken_work);
	wait_exit(&ring->producer);
	wait_exit(&ring->consumer);
	fence_budget_put(ring->budget);
	memory_free(ring);
	memory_free_ring(ring);
}

void ring_put(struct spscring *ring)
{
	kref_put(&ring->ref, ring_free);
}

/* ------------------------------------------------------------------ ends */

struct ring_end *ring_end_of(struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER ? &ring->producer : &ring->consumer;
}

/* Set an end's state, and publish it to all who map the ring. */
static void ring_set_state(struct spscring *ring, u32 role, u32 state)
{
	struct spscring_kernel_block *kernel = ring->blocks.kernel;
	struct ring_end *end = ring_end_of(ring, role);
	u64 *word = role == SPSCRING_PRODUCER ? &kernel->producer : &kernel->consumer;

	lockdep_assert_held(&ring->lock);
	WRITE_ONCE(end->state, state);
	/* (I) pairs with (J): what the end published comes before its end */
	smp_store_release(word, (u64)end->generation << 32 | state);
	wake_up_all(&ring->ends);
}

/**
 * spscring_broken() - break a ring: an end found impossible words of its peer
 * @ring: the ring; NULL: one of DEFINE_SPSCRING(), where only the end's handle fails
 * @role: the end that found them; 0: a claim did
 *
 * The inlines of end.h call it.  The first call logs one rate-limited line; further
 * calls do nothing until the ring is reset.  Context: any.
 */
void spscring_broken(struct spscring *ring, int role)
{
	if (!ring || atomic_xchg(&ring->broken, 1))
		return;
	WRITE_ONCE(ring->blocks.kernel->broken, 1);
	trace_spscring_broken(ring, role);
	/* wake all waiters: neither end moves again */
	spscring_kick(ring, SPSCRING_CONSUMER, 0);
	spscring_kick(ring, SPSCRING_PRODUCER, 0);
	WRITE_ONCE(ring->broken_worked, true);
	irq_work_queue(&ring->broken_work);
	if (!role) {
		pr_warn_ratelimited("ring %llu \"%.*s\" is broken: its cursors and tails contradict each other\n",
				    ring->id, SPSCRING_NAME_MAX, ring->name);
		return;
	}
	pr_warn_ratelimited("ring %llu \"%.*s\" is broken: its %s found the %s's words impossible\n",
			    ring->id, SPSCRING_NAME_MAX, ring->name,
			    role == SPSCRING_PRODUCER ? "producer" : "consumer",
			    role == SPSCRING_PRODUCER ? "consumer" : "producer");
}
EXPORT_SYMBOL_GPL(spscring_broken);

/*
 * May an end that was shut down be claimed?  Only if a user shut it down and the driver has set
 * SPSCRING_WATCH_REOPEN; and only once that user has closed it.
 *
 * Return: 0; -ESHUTDOWN never; -EBUSY not before its user has closed it.
 */
int ring_shut_down(const struct ring_end *end)
{
	if (end->kernel || !end->again)
		return -ESHUTDOWN;
	return end->left ? 0 : -EBUSY;
}

/**
 * ring_set_reopen() - set whether an end can be claimed after its user has shut it down
 * @ring: the ring
 * @role: which end
 * @again: it can, once that user has closed it
 */
void ring_set_reopen(struct spscring *ring, u32 role, bool again)
{
	mutex_lock(&ring->lock);
	ring_end_of(ring, role)->again = again;
	mutex_unlock(&ring->lock);
}

/**
 * ring_check_type() - does a ring hold what the claimer of an end expects?
 * @ring: the ring
 * @element_size: expected size of an element in bytes, or SPSCRING_VARIABLE_SIZE
 * @type_tag: expected type tag
 *
 * Return: 0, or -EPROTOTYPE.
 */
int ring_check_type(const struct spscring *ring, u32 element_size, u64 type_tag)
{
	const struct spscring_geometry *g = &ring->geometry;

	/* SPSCRING_VARIABLE_SIZE is 0, as is the geometry's size of records of variable size */
	return g->element_size == element_size && g->type_tag == type_tag ? 0 : -EPROTOTYPE;
}

/*
 * May the end be claimed?  The answer holds after the unlock: only a claim, which ->claiming
 * keeps out, changes an end that nobody holds.
 */
static int ring_claimable(struct spscring *ring, u32 role, u32 *state)
{
	const struct ring_end *end = ring_end_of(ring, role);
	int err = 0;

	mutex_lock(&ring->lock);
	*state = end->state;
	if (*state == SPSCRING_HELD)
		err = -EBUSY;
	else if (*state == SPSCRING_SHUT_DOWN)
		err = ring_shut_down(end);
	mutex_unlock(&ring->lock);
	if (!err && atomic_read(&ring->broken))
		err = -EPIPE;
	return err;
}

/**
 * ring_claim() - claim an end
 * @ring: the ring
 * @role: which end
 * @kernel: for kernel code
 *
 * One claim of a ring runs at a time.  Its recovery can take seconds, for which only other
 * claims of the ring wait.
 *
 * Return: 0, or a negative errno, see struct spscring_endpoint.
 */
int ring_claim(struct spscring *ring, u32 role, bool kernel)
{
	struct ring_end *end = ring_end_of(ring, role);
	u32 state;
	int err;

	if (mutex_lock_killable(&ring->claiming))
		return -EINTR;
	err = ring_claimable(ring, role, &state);
	if (!err && state != SPSCRING_UNCLAIMED)
		err = ring_recover(ring, role);
	if (!err) {
		mutex_lock(&ring->lock);
		end->generation++;
		end->kernel = kernel;
		end->left = false;
		WRITE_ONCE(end->shutting_down, false);
		if (!kernel)
			list_held(end);
		ring_set_state(ring, role, SPSCRING_HELD);
		trace_spscring_endpoint(ring, role, end);
		mutex_unlock(&ring->lock);
		/* the quiet time begins, after which the new holder need not fence */
		wait_begin(ring_end_of(ring, ring_peer(role)));
	}
	mutex_unlock(&ring->claiming);
	return err;
}

static bool ring_end_is_held(struct spscring *ring, u32 role)
{
	return READ_ONCE(ring_end_of(ring, role)->state) == SPSCRING_HELD;
}

/**
 * ring_wait_end() - sleep until another ring_claim() is worth a try, after one said -EBUSY
 * @ring: the ring
 * @role: which end
 * @pause: how long the last wait for pinned pages was, in jiffies; 0 at first
 *
 * If the end is held, sleep until its holder lets go.  Otherwise pages are pinned, and no event
 * reports that they are free: sleep for a pause that doubles each time, from 10 ms to 1 s.
 *
 * Return: 0; -EPIPE the ring is broken; -ERESTARTSYS.
 */
int ring_wait_end(struct spscring *ring, u32 role, long *pause)
{
	long err;

	/* others may claim and leave the end between any two tries, so the sleeps may not block */
	if (signal_pending(current))
		return -ERESTARTSYS;
	if (ring_end_is_held(ring, role)) {
		err = wait_event_interruptible(ring->ends, !ring_end_is_held(ring, role) ||
					       atomic_read(&ring->broken));
		*pause = 0;
	} else {
		*pause = clamp(2 * *pause, (long)msecs_to_jiffies(10), (long)HZ);
		err = wait_event_interruptible_timeout(ring->ends,
						       ring_end_is_held(ring, role) ||
						       atomic_read(&ring->broken), *pause);
	}
	if (err < 0)
		return err;
	return atomic_read(&ring->broken) ? -EPIPE : 0;
}

/**
 * ring_ends_mask() - f_op->poll of a ring fd
 * @ring: the ring
 *
 * Return: EPOLLIN nobody holds the consumer's end; EPOLLOUT nobody holds the producer's end;
 * EPOLLERR the ring is broken.
 */
__poll_t ring_ends_mask(struct spscring *ring)
{
	__poll_t mask = atomic_read(&ring->broken) ? EPOLLERR : 0;

	if (!ring_end_is_held(ring, SPSCRING_CONSUMER))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!ring_end_is_held(ring, SPSCRING_PRODUCER))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/**
 * ring_held_by_kernel() - does kernel code hold an end?
 * @ring: the ring
 * @role: which end
 *
 * Return: whether it does; true holds until that code lets go of the end.
 */
bool ring_held_by_kernel(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);
	bool held;

	mutex_lock(&ring->lock);
	held = end->state == SPSCRING_HELD && end->kernel;
	mutex_unlock(&ring->lock);
	return held;
}

/**
 * ring_begin_shutdown() - begin the shutdown of an end
 * @ring: the ring
 * @role: which end, held by the caller
 *
 * The first step of a SHUTDOWN: the end's verbs are refused from here on, and those that sleep
 * are woken.  ring_close_end() publishes the shutdown to the peer, once the verbs that had
 * begun are done.
 */
void ring_begin_shutdown(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);

	if (READ_ONCE(end->shutting_down))
		return;
	WRITE_ONCE(end->shutting_down, true);
	wait_wake(end, false);
}

/* Does an end that its holder lets go of end the stream, as if it had been shut down? */
static bool ring_closes(const struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER && ring_has_flag(ring, SPSCRING_CREATE_CLOSE_ENDS);
}

/**
 * ring_close_end() - an end shuts down or dies: publish it to the peer
 * @ring: the ring
 * @role: which end
 * @state: SPSCRING_SHUT_DOWN or SPSCRING_DEAD
 *
 * An end that has shut down stays so when its holder lets go.  The same holds for one whose
 * shutdown has only begun (ring_begin_shutdown()).  With SPSCRING_CREATE_CLOSE_ENDS the producer's
 * end does not die, but shuts down.
 *
 * Return: the end's state from here on, until somebody claims it.
 */
u32 ring_close_end(struct spscring *ring, u32 role, u32 state)
{
	struct ring_end *end = ring_end_of(ring, role);
	u64 head, tail;
	bool held;
	u32 is;

	if (state == SPSCRING_SHUT_DOWN)
		ring_begin_shutdown(ring, role);
	mutex_lock(&ring->lock);
	held = end->state == SPSCRING_HELD;
	/* the holder lets go, maybe after a shutdown: forget what it armed before the next claim */
	if (state == SPSCRING_DEAD) {
		wait_forget(end);
		list_let_go(end);
		end->left = true;
	}
	if (end->shutting_down || ring_closes(ring, role))
		state = SPSCRING_SHUT_DOWN;
	if (held) {
		ring_set_state(ring, role, state);
		if (state == SPSCRING_SHUT_DOWN) {
			trace_spscring_shutdown(ring, role);
		} else {
			ring_cursors(ring, &head, &tail);
			trace_spscring_death(ring, role, end->generation, head, tail);
		}
	}
	is = end->state;
	mutex_unlock(&ring->lock);
	if (held)
		wait_wake(ring_end_of(ring, ring_peer(role)), false);
	return is;
}

/**
 * ring_close_kernel_end() - an end that kernel code holds shuts down or dies
 * @ring: the ring
 * @role: which end; nothing happens if kernel code does not hold it
 * @state: SPSCRING_SHUT_DOWN or SPSCRING_DEAD
 *
 * Context: process, may sleep.
 */
void ring_close_kernel_end(struct spscring *ring, u32 role, u32 state)
{
	if (ring_held_by_kernel(ring, role))
		ring_close_end(ring, role, state);
}
