// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of an endpoint, for programs that do not map: whole records,
 * as the inlines move them; of any size, one a call.  Each call takes the end up at
 * its cursor, so an end is used by calls or by a mapping, not by both at once.
 *
 * Only this end's own calls wait for one that user memory holds up.
 */
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uio.h>

#include "ring.h"
#include "spscring_kapi.h"

static bool rw_nonblock(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT || iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * A long call is one that others may come between.  After its first try: io_uring's may
 * have a signal pending that is none, and one that may not wait is asked again by poll.
 */
static int rw_breathe(bool nonblock)
{
	cond_resched();
	if (!signal_pending(current))
		return 0;
	return nonblock ? -EAGAIN : -ERESTARTSYS;
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
	/* nobody fences */
	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL) {
		int err = wait_ready(ring, role, index);

		return err == -EAGAIN ? -EOPNOTSUPP : err;
	}
	return wait_sleep(ring, role, index, -1);
}

/*
 * A handle of a call always fences: its process may map nothing, and so not be interrupted.
 * So it need not tell where it runs either.
 */
static const u64 rw_fence = SPSCRING_FENCE;

static void rw_producer_fences(struct spscring_producer_base *p)
{
	p->wants = &rw_fence;
	p->cpu = raw_smp_processor_id();
}

static void rw_consumer_fences(struct spscring_consumer_base *c)
{
	c->wants = &rw_fence;
	c->cpu = raw_smp_processor_id();
}

/*
 * A user that maps may have scribbled over its own page before it calls: records from an
 * odd position reach beyond the mapping, and so do more than the capacity.
 */
static int rw_broken(struct spscring *ring)
{
	spscring_broken(ring, 0);
	return -EPIPE;
}

static int rw_consumer(struct spscring *ring, struct spscring_record_consumer *c)
{
	if (ring_record_consumer_handle(ring, c))
		return rw_broken(ring);
	rw_consumer_fences(&c->base);
	return 0;
}

static int rw_producer(struct spscring *ring, struct spscring_record_producer *p)
{
	struct spscring_producer_base *b = &p->base;

	if (ring_record_producer_handle(ring, p))
		return rw_broken(ring);
	rw_producer_fences(b);
	if (b->flags & SPSCRING_CREATE_OVERWRITE && b->pos - p->oldest > b->capacity)
		return rw_broken(ring);
	return 0;
}

/* Before each record, so that none is moved once SHUTDOWN has been asked for. */
static int rw_over(struct spscring *ring, u32 role)
{
	return ring_is_over(ring, role) ? -ESHUTDOWN : 0;
}

/*
 * Room is no use without a reader.  Who overwrites or drops does not ask for one: there
 * what is lost is to have its number.
 */
static int rw_refused(struct spscring *ring)
{
	const u32 lossy = SPSCRING_CREATE_OVERWRITE | SPSCRING_CREATE_DROP;
	int ended = ring_peer_ended(ring, SPSCRING_PRODUCER);

	if (rw_over(ring, SPSCRING_PRODUCER))
		return -ESHUTDOWN;
	if (ring->geometry.flags & lossy && !atomic_read(&ring->broken))
		return 0;
	return ended == -EAGAIN ? 0 : ended;
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

static ssize_t rw_read_frames(struct spscring *ring, struct iov_iter *to, bool nonblock)
{
	size_t size = ring->geometry.record_size, done = 0;
	struct spscring_consumer c;
	int err;

	if (iov_iter_count(to) < size)
		return -EINVAL;
	err = ring_consumer_handle(ring, &c);
	rw_consumer_fences(&c.base);
	while (!err && iov_iter_count(to) >= size) {
		err = rw_over(ring, SPSCRING_CONSUMER) ?: rw_pop(&c, to, size);
		if (!err)
			done += size;
		else if (err == -EAGAIN && !done)
			err = rw_wait(ring, SPSCRING_CONSUMER, c.base.pos + 1, nonblock);
		err = err ?: rw_breathe(nonblock);
	}
	return done ?: err;
}

static ssize_t rw_read_record(struct spscring *ring, struct iov_iter *to, bool nonblock)
{
	struct spscring_record_consumer c;
	u64 waited = U64_MAX;
	long ret;

	do {
		ret = rw_over(ring, SPSCRING_CONSUMER) ?: rw_consumer(ring, &c) ?:
			spscring_record_pop_iter(&c, to);
		if (ret != -EAGAIN && (ret != -EBUSY || nonblock))
			return ret;
		/* words come before the cursor that tells of them */
		if (ret == -EAGAIN && c.base.pos == waited)
			return spscring_consumer_broken(&c.base);
		waited = ret == -EAGAIN ? c.base.pos : U64_MAX;
		ret = rw_wait(ring, SPSCRING_CONSUMER, c.base.pos + 1, nonblock) ?:
			rw_breathe(nonblock);
	} while (!ret);
	return ret;
}

/**
 * rw_read() - pop as many records as fit; of records of any size one
 * @ring: the ring, whose consumer the caller is
 * @lock: of the end's calls
 * @iocb: the call
 * @to: where to
 *
 * Waits for one record, unless O_NONBLOCK or IOCB_NOWAIT.  One of any size that has no
 * bytes gives 0, as does the end of the stream, which has POLLRDHUP and in INFO no
 * length.  Of a ring that overwrites it is the oldest that is left.
 *
 * Return: bytes, of whole records; 0 the producer has shut down and all is read;
 * -ESHUTDOWN this end has; -EAGAIN; -EINVAL no room for a record, -EMSGSIZE not for this
 * one of any size, which stays; -EPIPE the producer has died, or the ring is broken;
 * -EFAULT; -EOPNOTSUPP it would sleep on a ring that is BUSY_POLL; -EBUSY it
 * may not wait, there is more, and it has tried long enough; -ERESTARTSYS.
 */
ssize_t rw_read(struct spscring *ring, struct mutex *lock, struct kiocb *iocb, struct iov_iter *to)
{
	bool nonblock = rw_nonblock(iocb);
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	ret = rw_lock(lock, nonblock);
	if (ret)
		return ret;
	if (ring->geometry.flags & SPSCRING_CREATE_RECORDS)
		ret = rw_read_record(ring, to, nonblock);
	else
		ret = rw_read_frames(ring, to, nonblock);
	mutex_unlock(lock);
	return ret == -ESHUTDOWN && !ring_is_over(ring, SPSCRING_CONSUMER) ? 0 : ret;
}

static ssize_t rw_write_frames(struct spscring *ring, struct iov_iter *from, bool nonblock)
{
	size_t size = ring->geometry.record_size, done = 0;
	struct spscring_producer p;
	int err;

	/* it may have been longer, and cut on its way here by whoever knows of no records */
	if (iov_iter_count(from) && iov_iter_count(from) < size)
		return -EINVAL;
	err = ring_producer_handle(ring, &p);
	rw_producer_fences(&p.base);
	while (!err && iov_iter_count(from) >= size) {
		err = rw_refused(ring) ?: rw_push(&p, from, size);
		if (!err)
			done += size;
		if (err == -EAGAIN) {
			err = rw_wait(ring, SPSCRING_PRODUCER, p.base.pos + 1, nonblock);
			/* told of room by the exact cursor, which the next try is to read */
			p.base.fails = 0;
		}
		err = err ?: rw_breathe(nonblock);
	}
	return done ?: err;
}

/* In a ring that overwrites: so much at once makes room, between two looks for a kill. */
#define RW_OVERWRITE	(1ULL << 20)

/* A record of @size may lie over very many small ones: the first of them out of its way. */
static int rw_overwrite(struct spscring_record_producer *p, u64 size, bool nonblock)
{
	const struct spscring_producer_base *b = &p->base;
	u64 end = b->pos + size;
	int err = 0;

	if (!(b->flags & SPSCRING_CREATE_OVERWRITE) || size > b->capacity)
		return 0;
	while (!err && (s64)(b->limit + RW_OVERWRITE - end) < 0)
		err = spscring_record_overwrite(p, b->limit + RW_OVERWRITE) ?:
			rw_breathe(nonblock);
	return err;
}

static ssize_t rw_write_record(struct spscring *ring, struct iov_iter *from, bool nonblock)
{
	struct ring_end *end = ring_end_of(ring, SPSCRING_PRODUCER);
	size_t length = iov_iter_count(from);
	struct spscring_record_producer p;
	u64 size;
	int err;

	/* it may have been longer, and was cut on its way here */
	if (length >= MAX_RW_COUNT)
		return -EMSGSIZE;
	size = spscring_record_size(ring->geometry.stride, length);
	do {
		err = rw_refused(ring) ?: rw_producer(ring, &p) ?:
			rw_overwrite(&p, size, nonblock) ?:
			spscring_record_push_iter(&p, from, length);
		wait_need(end, err == -EAGAIN ? size : 0);
		if (!err)
			return length;
		if (err == -EAGAIN)
			err = rw_wait(ring, SPSCRING_PRODUCER, p.base.pos + size, nonblock);
		err = err ?: rw_breathe(nonblock);
	} while (!err);
	return err;
}

/**
 * rw_write() - push as many records as are whole; of any size one, of all bytes
 * @ring: the ring, whose producer the caller is
 * @lock: of the end's calls
 * @iocb: the call
 * @from: where from
 *
 * Waits for room for them all, unless O_NONBLOCK or IOCB_NOWAIT, and never in a ring that
 * drops or overwrites.  No bytes are an empty record where these are of any size; poll
 * says that there is room once there is for the one that had to wait.
 *
 * Return: bytes, of whole records: fewer than asked when something came between, or what
 * is left is not a whole one; -EINVAL not even one; -EMSGSIZE more than the ring can hold;
 * -ENOBUFS dropped; -ESHUTDOWN this end or the consumer has shut down; -EPIPE it has died, or the
 * ring is broken (there is no SIGPIPE); otherwise as rw_read().  One that drops has room
 * for some whose reader has ended, and one that overwrites for all.  A call that a
 * SHUTDOWN in another thread finds in progress moves the record that it is at, at most.
 */
ssize_t rw_write(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		 struct iov_iter *from)
{
	bool nonblock = rw_nonblock(iocb);
	ssize_t ret;

	ret = rw_lock(lock, nonblock);
	if (ret)
		return ret;
	if (ring->geometry.flags & SPSCRING_CREATE_RECORDS)
		ret = rw_write_record(ring, from, nonblock);
	else
		ret = rw_write_frames(ring, from, nonblock);
	mutex_unlock(lock);
	return ret;
}
