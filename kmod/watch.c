// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver hears of the users of its ring's ends, see spscring_kapi.h.
 *
 * Users' claims and last closes of a driver's ring come one at a time, each with its
 * callback, so that a driver hears of them in their order, and of none after it has
 * stopped to watch.
 */
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "ring.h"
#include "spscring_kapi.h"

#define WATCH_FLAGS	SPSCRING_WATCH_AGAIN

/* NULL: nobody watches. */
static const struct spscring_watch *watch_of(struct spscring *ring, u32 role)
{
	lockdep_assert_held(&ring->watch_lock);
	return ring_end_of(ring, role)->watch;
}

/* A callback's own calls are to be told from those of others: they would wait for it. */
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

/* Whether the driver was asked to do something about it. */
static bool watch_broken(struct spscring *ring, const struct spscring_watch *w)
{
	if (!w || !w->broken)
		return false;
	watch_begin(ring);
	w->broken(w->data);
	watch_done(ring);
	return true;
}

/**
 * watch_claim() - take an end for a user
 * @ring: the ring
 * @role: which end
 *
 * Return: as ring_claim(); -EINTR killed while another claim or a callback is in
 * progress; -EDEADLK called by a callback.
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
	if (mutex_lock_killable(&ring->watch_lock))
		return -EINTR;
	w = watch_of(ring, role);
	err = ring_claim(ring, role, false);
	if (err == -EPIPE && watch_broken(ring, w))
		err = ring_claim(ring, role, false);
	if (!err && w && w->claimed) {
		watch_begin(ring);
		w->claimed(w->data);
		watch_done(ring);
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
		ring_end(ring, role, SPSCRING_DEAD);
		return;
	}
	mutex_lock(&ring->watch_lock);
	w = watch_of(ring, role);
	how = ring_end(ring, role, SPSCRING_DEAD);
	if (w && w->ended) {
		watch_begin(ring);
		w->ended(w->data, how);
		watch_done(ring);
	}
	mutex_unlock(&ring->watch_lock);
}

/* Returns what was there before. */
static const struct spscring_watch *watch_set(struct spscring *ring, u32 role,
					      const struct spscring_watch *watch)
{
	const struct spscring_watch *before = watch_of(ring, role);

	ring_end_of(ring, role)->watch = watch;
	ring_set_again(ring, role, watch && watch->flags & SPSCRING_WATCH_AGAIN);
	return before;
}

/**
 * spscring_watch() - hear of the users of an end
 * @ring: the ring, of spscring_create()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER, the end that users claim
 * @watch: what to do, copied
 *
 * Holds for all users from here on, by spscring_export_device(), _file() and _fd(), and
 * for the last close of one who has the end already; until spscring_unwatch() or
 * spscring_destroy().  Kernel code that claims the end is not watched.
 *
 * Context: process, may sleep; not from a callback of the same ring, and with no lock
 * held that one takes.
 *
 * Return: 0; -EINVAL a bad role or flag; -EPERM a ring of spscring_from_fd(), whose ends
 * are its user's to give; -EBUSY the end is watched; -EDEADLK called by a callback; -ENOMEM.
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
	mutex_lock(&ring->watch_lock);
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
 * spscring_unwatch() - hear no more of the users of an end
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER; not watched: nothing happens
 *
 * Once it returns no callback runs, and none comes.  SPSCRING_WATCH_AGAIN holds no more:
 * an end that its user has shut down stays so.  spscring_destroy() does it by itself.
 *
 * Context: process, may sleep: it waits for a callback and a claim in progress, so it is
 * not for a callback of the same ring, nor to be called with a lock held that one takes.
 */
void spscring_unwatch(struct spscring *ring, u32 role)
{
	const struct spscring_watch *watch;

	if (!ring_role_valid(role) || WARN_ON_ONCE(watch_nested(ring)))
		return;
	mutex_lock(&ring->watch_lock);
	watch = watch_set(ring, role, NULL);
	mutex_unlock(&ring->watch_lock);
	kfree(watch);
}
EXPORT_SYMBOL_GPL(spscring_unwatch);
