// SPDX-License-Identifier: GPL-2.0
/*
 * Elements from and to an iov_iter, for kernel code and for read() and write() of a user's end.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/uio.h>

#include "ring.h"
#include "spscring_kapi.h"

/* The elements of a run that one copy can move: without gaps all, otherwise one. */
static size_t iter_together(u32 stride, u32 size, size_t n)
{
	return stride == size ? n : 1;
}

/* Of the bytes that were copied give a part of an element back.  Return: the whole elements. */
static size_t iter_whole(struct iov_iter *iter, size_t copied, u32 size)
{
	iov_iter_revert(iter, copied % size);
	return copied / size;
}

/* Push up to @n elements that lie in one frame.  Return: how many, or a negative errno. */
static long iter_push_run(struct spscring_producer *p, struct iov_iter *from, size_t n)
{
	u32 size = p->element_size;
	long room, whole;
	void *slots;

	room = spscring_reserve_n(p, iter_together(p->base.stride, size, n), &slots);
	if (room < 0)
		return room;
	whole = iter_whole(from, copy_from_iter(slots, room * size, from), size);
	spscring_commit_n(p, whole);
	return whole ?: -EFAULT;
}

/**
 * spscring_push_iter() - push elements, gathered from an iov_iter
 * @p: the producer, with nothing reserved
 * @from: the elements, without gaps between; advanced by those that were pushed
 * @n: how many at most; the whole elements that @from has are the limit, too
 *
 * It copies straight into the ring, and publishes as it goes.  Of an element that cannot be read
 * to its end nothing is published, and @from stays at its first byte.  Context: any; process, and
 * it may sleep, if @from is user memory.
 *
 * Return: the number of elements pushed, fewer than asked for if the ring became full or the next
 * element could not be read; or a negative errno if none was: as described at the top of
 * <spscring/end.h>; -EINVAL @from has less than one element; -EFAULT.
 */
long spscring_push_iter(struct spscring_producer *p, struct iov_iter *from, size_t n)
{
	size_t there = iov_iter_count(from) / p->element_size, done = 0;
	long some;

	if (n && !there)
		return -EINVAL;
	for (n = min(n, there); done < n; done += some) {
		some = iter_push_run(p, from, n - done);
		if (some < 0)
			return done ?: some;
	}
	return done;
}
EXPORT_SYMBOL_GPL(spscring_push_iter);

/*
 * Pop up to @n elements that lie in one frame.  A peek would refuse what a user can still change;
 * a copy is taken once, and only the copy is looked at.
 */
static long iter_pop_run(struct spscring_consumer *c, struct iov_iter *to, size_t n)
{
	u32 size = c->element_size;
	size_t some;
	long whole;

	if (c->base.pos == c->cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
	}
	some = min_t(u64, iter_together(c->base.stride, size, n), c->cached_tail - c->base.pos);
	whole = iter_whole(to, copy_to_iter(spscring_next_element(c), some * size, to), size);
	spscring_release_n(c, whole);
	return whole ?: -EFAULT;
}

/**
 * spscring_pop_iter() - pop elements, scattered to an iov_iter
 * @c: the consumer, with nothing peeked
 * @to: where to copy the elements, without gaps between; advanced by those that were popped
 * @n: how many at most; the whole elements that @to has room for are the limit, too
 *
 * It copies straight from the ring; nobody changes the copy, also if a user is the producer.  An
 * element that cannot be written to its end stays in the ring, and @to stays at its first byte,
 * though bytes from there on may have been written.  Context: any; process, and it may sleep, if
 * @to is user memory.
 *
 * Return: the number of elements popped, fewer than asked for if the ring became empty or the
 * next element could not be written; or a negative errno if none was: as described at the top of
 * <spscring/end.h>; -EINVAL @to has no room for one element; -EFAULT.
 */
long spscring_pop_iter(struct spscring_consumer *c, struct iov_iter *to, size_t n)
{
	size_t room = iov_iter_count(to) / c->element_size, done = 0;
	long some;

	if (n && !room)
		return -EINVAL;
	for (n = min(n, room); done < n; done += some) {
		some = iter_pop_run(c, to, n - done);
		if (some < 0)
			return done ?: some;
	}
	return done;
}
EXPORT_SYMBOL_GPL(spscring_pop_iter);
