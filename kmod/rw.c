// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of an endpoint, for programs that do not map: whole records,
 * as the inlines move them.  Each call takes the end up at its cursor, so an end
 * is used by calls or by a mapping, not by both at once.
 *
 * Only this end's own calls wait for one that user memory holds up.
 */
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "ring.h"
#include "spscring_kapi.h"

static bool rw_nonblock(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT || iocb->ki_filp->f_flags & O_NONBLOCK;
}

/* A long call is one that others may come between. */
static int rw_breathe(void)
{
	cond_resched();
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

static int rw_lock(struct mutex *lock, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(lock) ? -ERESTARTSYS : 0;
}

/* 0: try again; or why not, in the order in which it can be told. */
static int rw_wait(struct spscring *ring, u32 role, u64 index, bool nonblock)
{
	if (nonblock)
		return wait_ready(ring, role, index);
	/* nobody fences, or no membarrier reaches the peer for us */
	if (ring->geometry.flags & (SPSCRING_CREATE_ASYMMETRIC | SPSCRING_CREATE_BUSY_POLL)) {
		int err = wait_ready(ring, role, index);

		return err == -EAGAIN ? -EOPNOTSUPP : err;
	}
	return wait_sleep(ring, role, index, -1);
}

static int rw_pop(struct spscring_consumer *c, struct iov_iter *to, size_t size)
{
	const void *rec;
	size_t copied;
	int err;

	err = spscring_peek(c, &rec);
	if (err)
		return err;
	copied = copy_to_iter(rec, size, to);
	if (copied != size) {
		iov_iter_revert(to, copied);
		return -EFAULT;
	}
	spscring_release(c);
	return 0;
}

static int rw_push(struct spscring_producer *p, struct iov_iter *from, size_t size)
{
	size_t copied;
	void *slot;
	int err;

	err = spscring_reserve(p, &slot);
	if (err)
		return err;
	copied = copy_from_iter(slot, size, from);
	if (copied != size) {
		iov_iter_revert(from, copied);
		return -EFAULT;
	}
	spscring_commit(p);
	return 0;
}

/**
 * rw_read() - pop as many records as fit
 * @ring: the ring, whose consumer the caller is
 * @lock: of the end's calls
 * @iocb: the call
 * @to: where to
 *
 * Waits for one record, unless O_NONBLOCK or IOCB_NOWAIT.
 *
 * Return: bytes, of whole records; 0 the producer has shut down and all is read;
 * -EAGAIN; -EINVAL no room for a record; -EPIPE the producer has died, or the
 * ring is broken; -EFAULT; -EOPNOTSUPP it would sleep on a ring that is BUSY_POLL or
 * ASYMMETRIC; -ERESTARTSYS.
 */
ssize_t rw_read(struct spscring *ring, struct mutex *lock, struct kiocb *iocb, struct iov_iter *to)
{
	size_t size = ring->geometry.record_size, done = 0;
	bool nonblock = rw_nonblock(iocb);
	struct spscring_consumer c;
	int err;

	if (!iov_iter_count(to))
		return 0;
	if (iov_iter_count(to) < size)
		return -EINVAL;
	err = rw_lock(lock, nonblock);
	if (err)
		return err;
	ring_consumer_handle(ring, &c);
	while (iov_iter_count(to) >= size) {
		err = rw_breathe() ?: rw_pop(&c, to, size);
		if (!err)
			done += size;
		else if (err == -EAGAIN && !done)
			err = rw_wait(ring, SPSCRING_CONSUMER, c.pos + 1, nonblock);
		if (err)
			break;
	}
	mutex_unlock(lock);
	if (done)
		return done;
	return err == -ESHUTDOWN ? 0 : err;
}

/**
 * rw_write() - push records
 * @ring: the ring, whose producer the caller is
 * @lock: of the end's calls
 * @iocb: the call
 * @from: where from
 *
 * Waits for room for them all, unless O_NONBLOCK or IOCB_NOWAIT.
 *
 * Return: bytes, of whole records, fewer than asked when something came between;
 * -EINVAL not a multiple of the record size; -ESHUTDOWN the consumer has shut
 * down; -EPIPE it has died, or the ring is broken (there is no SIGPIPE); otherwise
 * as rw_read().
 */
ssize_t rw_write(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		 struct iov_iter *from)
{
	size_t size = ring->geometry.record_size, done = 0;
	bool nonblock = rw_nonblock(iocb);
	struct spscring_producer p;
	int err;

	if (iov_iter_count(from) % size)
		return -EINVAL;
	err = rw_lock(lock, nonblock);
	if (err)
		return err;
	ring_producer_handle(ring, &p);
	while (iov_iter_count(from)) {
		/* room is no use without a reader */
		err = ring_peer_ended(ring, SPSCRING_PRODUCER);
		if (err != -EAGAIN)
			break;
		err = rw_breathe() ?: rw_push(&p, from, size);
		if (!err)
			done += size;
		else if (err == -EAGAIN)
			err = rw_wait(ring, SPSCRING_PRODUCER, p.pos + 1, nonblock);
		if (err)
			break;
	}
	mutex_unlock(lock);
	return done ?: err;
}
