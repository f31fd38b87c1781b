// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of an endpoint, for programs that do not map the ring.  A call moves whole
 * elements, or one record of variable size, by the same inlines as other users.  Each call makes
 * a new handle at the end's cursor: use an end by calls or by a mapping, not by both at once.
 *
 * A page fault in user memory can hold a call up.  Only other calls of the same end wait for it.
 */
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uio.h>

#include "list.h"
#include "ring.h"
#include "spscring_kapi.h"

static bool rw_nonblock(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT || iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * Let a long call be preempted and interrupted.  Check for signals only after a first try: an
 * io_uring task may seem to have a signal pending that is none.  A call that may not wait gets
 * -EAGAIN, and poll brings it back.
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

/* Wait for @index unless @nonblock.  Return: 0 try again; or a negative errno. */
static int rw_wait(struct spscring *ring, u32 role, u64 index, bool nonblock)
{
	if (nonblock)
		return wait_ready(ring, role, index);
	/* no sleep in such a ring: its peers never fence */
	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL) {
		int err = wait_ready(ring, role, index);

		return err == -EAGAIN ? -EOPNOTSUPP : err;
	}
	return wait_sleep(ring, role, index, -1);
}

/*
 * A call's handle always fences: it reads an event index that is nothing but the fence bit.  Its
 * process may have mapped nothing, and fence_interrupt() would not find its CPU.  For the
 * same reason the handle need not note its CPU.
 */
static const u64 rw_fence = SPSCRING_EVENT_FENCE;

static void rw_producer_fences(struct spscring_producer_base *p)
{
	p->event = &rw_fence;
	p->cpu = raw_smp_processor_id();
}

static void rw_consumer_fences(struct spscring_consumer_base *c)
{
	c->event = &rw_fence;
	c->cpu = raw_smp_processor_id();
}

/*
 * A user who maps the end may have written impossible words into its own page before the call.
 * Break the ring then: records at a misaligned position, or more of them than the capacity, would
 * reach beyond the mapping.
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

/* Check before each element or record: none moves once the end's shutdown has begun. */
static int rw_shutting_down(struct spscring *ring, u32 role)
{
	return ring_shutting_down(ring, role) ? -ESHUTDOWN : 0;
}

/*
 * Is a write refused although there may be room?  Without a consumer room is useless.  A ring
 * that overwrites or drops takes the write even then: lost records get their sequence numbers.
 */
static int rw_refused(struct spscring *ring)
{
	const u32 lossy = SPSCRING_CREATE_OVERWRITE | SPSCRING_CREATE_DROP;
	int ended = ring_peer_ended(ring, SPSCRING_PRODUCER);

	if (rw_shutting_down(ring, SPSCRING_PRODUCER))
		return -ESHUTDOWN;
	if (ring->geometry.flags & lossy && !atomic_read(&ring->broken))
		return 0;
	return ended == -EAGAIN ? 0 : ended;
}

/* One element: between any two a shutdown has to be seen. */
static int rw_pop(struct spscring_consumer *c, struct iov_iter *to)
{
	return min(spscring_pop_iter(c, to, 1), 0L);
}

static int rw_push(struct spscring_producer *p, struct iov_iter *from)
{
	return min(spscring_push_iter(p, from, 1), 0L);
}

static ssize_t rw_read_frames(struct spscring *ring, struct iov_iter *to, bool nonblock)
{
	size_t size = ring->geometry.element_size, done = 0;
	struct spscring_consumer c;
	int err;

	if (iov_iter_count(to) < size)
		return -EINVAL;
	err = ring_consumer_handle(ring, &c);
	rw_consumer_fences(&c.base);
	while (!err && iov_iter_count(to) >= size) {
		err = rw_shutting_down(ring, SPSCRING_CONSUMER) ?: rw_pop(&c, to);
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
		ret = rw_shutting_down(ring, SPSCRING_CONSUMER) ?: rw_consumer(ring, &c) ?:
			spscring_record_pop_iter(&c, to);
		if (ret != -EAGAIN && (ret != -EBUSY || nonblock))
			return ret;
		/* the wait saw the cursor beyond a word that is still not there: a lie */
		if (ret == -EAGAIN && c.base.pos == waited)
			return spscring_record_consumer_broken(&c);
		waited = ret == -EAGAIN ? c.base.pos : U64_MAX;
		ret = rw_wait(ring, SPSCRING_CONSUMER, c.base.pos + 1, nonblock) ?:
			rw_breathe(nonblock);
	} while (!ret);
	return ret;
}

/**
 * rw_read() - pop as many elements as fit, or one record of variable size
 * @ring: the ring, whose consumer the caller is
 * @lock: serialises the end's calls
 * @iocb: the call
 * @to: where to copy to
 *
 * Waits until there is one to pop, unless O_NONBLOCK or IOCB_NOWAIT.  An empty record of
 * variable size returns 0, as does the end of the stream; only at the latter poll reports
 * POLLRDHUP while INFO reports no length.  In a ring that overwrites it pops the oldest record
 * that is left.
 *
 * Return: bytes, of whole elements or of the record; 0 the producer has shut down and all is
 * read; -ESHUTDOWN this end has shut down; -EAGAIN; -EINVAL @to has no room for one element;
 * -EMSGSIZE @to has no room for the record, which stays; -EPIPE the producer has died, or the
 * ring is broken; -EFAULT; -EOPNOTSUPP it would sleep on a BUSY_POLL ring; -EBUSY it may not
 * wait, there is more, but it has tried as often as it may; -ERESTARTSYS.
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
	list_held(&ring->consumer);
	if (ring->geometry.flags & SPSCRING_CREATE_RECORDS)
		ret = rw_read_record(ring, to, nonblock);
	else
		ret = rw_read_frames(ring, to, nonblock);
	mutex_unlock(lock);
	return ret == -ESHUTDOWN && !ring_shutting_down(ring, SPSCRING_CONSUMER) ? 0 : ret;
}

static ssize_t rw_write_frames(struct spscring *ring, struct iov_iter *from, bool nonblock)
{
	size_t size = ring->geometry.element_size, done = 0;
	struct spscring_producer p;
	int err;

	/* a caller that knows of no elements, such as splice, may have cut one in two */
	if (iov_iter_count(from) && iov_iter_count(from) < size)
		return -EINVAL;
	err = ring_producer_handle(ring, &p);
	rw_producer_fences(&p.base);
	while (!err && iov_iter_count(from) >= size) {
		err = rw_refused(ring) ?: rw_push(&p, from);
		if (!err)
			done += size;
		if (err == -EAGAIN) {
			err = rw_wait(ring, SPSCRING_PRODUCER, p.base.pos + 1, nonblock);
			/* the wait saw room by the exact cursor: the next try reads it at once */
			p.base.fails = 0;
		}
		err = err ?: rw_breathe(nonblock);
	}
	return done ?: err;
}

/* In a ring that overwrites: bytes of old records given up between two checks for a signal. */
#define RW_OVERWRITE	(1ULL << 20)

/*
 * A long record may overwrite very many short ones.  Give up old records here, in steps that a
 * signal can interrupt, until at most RW_OVERWRITE bytes are left to give up; the push does that.
 */
static int rw_overwrite(struct spscring_record_producer *p, u64 size, bool nonblock)
{
	const struct spscring_producer_base *b = &p->base;
	u64 end = b->pos + size;
	int err = 0;

	if (!(b->flags & SPSCRING_CREATE_OVERWRITE) || size > b->capacity)
		return 0;
	while (!err && (s64)(b->cached_limit + RW_OVERWRITE - end) < 0)
		err = spscring_record_overwrite(p, b->cached_limit + RW_OVERWRITE) ?:
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

	/* the kernel cuts a longer write to this length before it comes here */
	if (length >= MAX_RW_COUNT)
		return -EMSGSIZE;
	size = spscring_record_size(ring->geometry.stride, length);
	do {
		err = rw_refused(ring) ?: rw_producer(ring, &p) ?:
			rw_overwrite(&p, size, nonblock) ?:
			spscring_record_push_iter(&p, from, length);
		wait_for_bytes(end, err == -EAGAIN ? size : 0);
		if (!err)
			return length;
		if (err == -EAGAIN)
			err = rw_wait(ring, SPSCRING_PRODUCER, p.base.pos + size, nonblock);
		err = err ?: rw_breathe(nonblock);
	} while (!err);
	return err;
}

/**
 * rw_write() - push all whole elements of a buffer, or all of it as one record
 * @ring: the ring, whose producer the caller is
 * @lock: serialises the end's calls
 * @iocb: the call
 * @from: where to copy from
 *
 * Waits for room for all of it, unless O_NONBLOCK or IOCB_NOWAIT; it never waits in a ring that
 * drops or overwrites.  In a ring of records of variable size no bytes are an empty record.
 * After -EAGAIN for such a record poll reports room only once there is enough for that record.
 *
 * Return: bytes, of whole elements or of the record; fewer than asked if an error or a signal
 * came after the first element, or the rest is no whole element; -EINVAL less than one element;
 * -EMSGSIZE more than the ring can hold; -ENOBUFS dropped; -ESHUTDOWN this end or the consumer
 * has shut down; -EPIPE the consumer has died, or the ring is broken (there is no SIGPIPE);
 * otherwise as rw_read().  After the consumer's end a ring that drops takes what it has room
 * for, and one that overwrites takes all.  If another thread calls SHUTDOWN, a call in progress
 * moves at most the element or record that it is copying.
 */
ssize_t rw_write(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		 struct iov_iter *from)
{
	bool nonblock = rw_nonblock(iocb);
	ssize_t ret;

	ret = rw_lock(lock, nonblock);
	if (ret)
		return ret;
	list_held(&ring->producer);
	if (ring->geometry.flags & SPSCRING_CREATE_RECORDS)
		ret = rw_write_record(ring, from, nonblock);
	else
		ret = rw_write_frames(ring, from, nonblock);
	mutex_unlock(lock);
	return ret;
}
