// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's callbacks for the users of its ring's ends, see spscring_kapi.h.
 *
 * watch_lock is held across a user's claim or last close of a driver's ring and the callback
 * for it.  The callbacks therefore run in the order of what they report, and none runs after
 * spscring_unwatch() has returned.
 */
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "ring.h"
#include "spscring_kapi.h"

#define WATCH_FLAGS	SPSCRING_WATCH_REOPEN

/*
 * For lockdep, where the kernel has it: rings with a @mapped, which take watch_lock within
 * mmap_lock, are of another class than rings without, whose callbacks may access user memory, and
 * so take mmap_lock within watch_lock.
 */
static unsigned int __maybe_unused watch_class(const struct spscring *ring)
{
	return READ_ONCE(ring->watch_maps) ? SINGLE_DEPTH_NESTING : 0;
}

static void lock_watch(struct spscring *ring)
{
	mutex_lock_nested(&ring->watch_lock, watch_class(ring));
}

static int lock_watch_killable(struct spscring *ring)
{
	return mutex_lock_killable_nested(&ring->watch_lock, watch_class(ring));
}

/* NULL: nobody watches. */
static const struct spscring_watch *watch_of(struct spscring *ring, u32 role)
{
	lockdep_assert_held(&ring->watch_lock);
	return ring_end_of(ring, role)->watch;
}

/*
 * Note the task that runs a callback: a claim by the callback itself would wait for watch_lock
 * for ever, and is refused (watch_nested()).
 */
static void watch_begin(struct spscring *ring)
{
	WRITE_ONCE(ring->watch_caller, current);
}

static void watch_done(struct spscring *ring)
{
	WRITE_ONCE(ring->watch_caller, NULL);
}

static bool watch_nested(const struct spscring *ring)
{
	return READ_ONCE(ring->watch_caller) == current;
}

/* Call @broken.  Return: whether there is one, which may have reset the ring. */
static bool watch_broken(struct spscring *ring, const struct spscring_watch *w)
{
	if (!w || !w->broken)
		return false;
	watch_begin(ring);
	w->broken(w->data);
	watch_done(ring);
	return true;
}

/* Is the next mmap() of the end one that the driver is told of? */
static void watch_maps(struct spscring *ring, u32 role, bool maps)
{
	const struct spscring_watch *w = watch_of(ring, role);

	WRITE_ONCE(ring_end_of(ring, role)->maps, maps && w && w->mapped);
}

/**
 * watch_claim() - claim an end for a user
 * @ring: the ring
 * @role: which end
 *
 * Return: as ring_claim(); -EPERM a private ring; -EINTR killed while another claim or a
 * callback is in progress; -EDEADLK called by a callback.
 */
int watch_claim(struct spscring *ring, u32 role)
{
	const struct spscring_watch *w;
	int err;

	if (ring->private)
		return -EPERM;
	if (ring->of_user)
		return ring_claim(ring, role, false);
	if (watch_nested(ring))
		return -EDEADLK;
	if (lock_watch_killable(ring))
		return -EINTR;
	w = watch_of(ring, role);
	err = ring_claim(ring, role, false);
	if (err == -EPIPE && watch_broken(ring, w))
		err = ring_claim(ring, role, false);
	if (!err)
		watch_maps(ring, role, true);
	if (!err && w && w->claimed) {
		watch_begin(ring);
		w->claimed(w->data);
		watch_done(ring);
	}
	mutex_unlock(&ring->watch_lock);
	return err;
}

/**
 * watch_map() - a user maps pages of an end
 * @ring: the ring
 * @role: which end; 0: a ring fd
 *
 * Context: process, with mmap_lock held.  It takes watch_lock only if there is a callback to run:
 * the callbacks of other rings may access user memory.
 *
 * Return: 0; -EINTR killed while another claim or a callback is in progress; or as the callback.
 */
int watch_map(struct spscring *ring, u32 role)
{
	int err = 0;

	if (!role || !READ_ONCE(ring_end_of(ring, role)->maps))
		return 0;
	if (lock_watch_killable(ring))
		return -EINTR;
	/* another thread's mmap() may have been first */
	if (ring_end_of(ring, role)->maps) {
		const struct spscring_watch *w = watch_of(ring, role);

		watch_begin(ring);
		err = w->mapped(w->data);
		watch_done(ring);
		if (!err)
			watch_maps(ring, role, false);
	}
	mutex_unlock(&ring->watch_lock);
	return err;
}

/**
 * watch_end() - a user has let go of an end
 * @ring: the ring
 * @role: which end
 */
void watch_end(struct spscring *ring, u32 role)
{
	const struct spscring_watch *w;
	u32 how;

	if (ring->of_user) {
		ring_close_end(ring, role, SPSCRING_DEAD);
		return;
	}
	lock_watch(ring);
	w = watch_of(ring, role);
	how = ring_close_end(ring, role, SPSCRING_DEAD);
	if (w && w->ended) {
		watch_begin(ring);
		w->ended(w->data, how);
		watch_done(ring);
	}
	mutex_unlock(&ring->watch_lock);
}

/* Set or clear (NULL) an end's callbacks.  Return: those set before, or NULL. */
static const struct spscring_watch *watch_set(struct spscring *ring, u32 role,
					      const struct spscring_watch *watch)
{
	const struct spscring_watch *before = watch_of(ring, role);

	ring_end_of(ring, role)->watch = watch;
	watch_maps(ring, role, false);
	ring_set_reopen(ring, role, watch && watch->flags & SPSCRING_WATCH_REOPEN);
	return before;
}

/**
 * spscring_watch() - set callbacks for the users of an end
 * @ring: the ring, of spscring_create()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER, the end that users claim
 * @watch: the callbacks; copied
 *
 * The callbacks run for all users who claim the end from here on, by spscring_export_device(),
 * _file(), _fd() and spscring_end_open(), and for the last close of a user who holds the end
 * already, but not for that user's mmap().  They last
 * until spscring_unwatch() or spscring_destroy().  No callback runs for kernel code.
 *
 * Context: process, may sleep; not from a callback of the same ring, and with no lock held that
 * one takes.
 *
 * Return: 0; -EINVAL a bad role or flag; -EPERM a ring of spscring_from_fd(), whose user decides
 * on its ends, or of spscring_create_private(); -EBUSY the end is watched already; -EDEADLK
 * called by a callback; -ENOMEM.
 */
int spscring_watch(struct spscring *ring, u32 role, const struct spscring_watch *watch)
{
	const struct spscring_watch *copy;
	int err = -EBUSY;

	if (!ring_role_valid(role) || watch->flags & ~WATCH_FLAGS)
		return -EINVAL;
	if (ring->of_user || ring->private)
		return -EPERM;
	if (watch_nested(ring))
		return -EDEADLK;
	copy = kmemdup(watch, sizeof(*watch), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	if (watch->mapped)
		WRITE_ONCE(ring->watch_maps, true);
	lock_watch(ring);
	if (!watch_of(ring, role)) {
		watch_set(ring, role, copy);
		err = 0;
	}
	mutex_unlock(&ring->watch_lock);
	if (err)
		kfree(copy);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_watch);

/**
 * spscring_unwatch() - remove the callbacks for the users of an end
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER; if it is not watched, nothing happens
 *
 * Once it returns, no callback runs.  SPSCRING_WATCH_REOPEN ends as well: an end that its user
 * has shut down stays so.  spscring_destroy() unwatches both ends by itself.
 *
 * Context: process, may sleep.  It waits for a callback and a claim in progress: do not call it
 * from a callback of the same ring, nor with a lock held that one takes.
 */
void spscring_unwatch(struct spscring *ring, u32 role)
{
	const struct spscring_watch *watch;

	if (!ring_role_valid(role) || WARN_ON_ONCE(watch_nested(ring)))
		return;
	lock_watch(ring);
	watch = watch_set(ring, role, NULL);
	mutex_unlock(&ring->watch_lock);
	kfree(watch);
}
EXPORT_SYMBOL_GPL(spscring_unwatch);
