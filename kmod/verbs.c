// SPDX-License-Identifier: GPL-2.0
/*
 * What kernel code does with an end beside the inlines of the headers: it waits, moves records
 * to and from an iov_iter, and shuts down.
 */
#include <linux/export.h>
#include <linux/uio.h>

#include "ring.h"
#include "spscring_kapi.h"

/* May an end of kernel code sleep for @n?  Before a look, which is to find only what counts. */
static int wait_refused(const struct spscring *ring, u32 role, int over, u64 n)
{
	if (!n || n > ring->geometry.capacity)
		return -EINVAL;
	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	return over || !ring_is_over(ring, role) ? over : -ESHUTDOWN;
}

static int wait_room(struct spscring_producer_base *p, u64 n, s64 deadline)
{
	int err;

	might_sleep();
	err = wait_refused(p->ring, SPSCRING_PRODUCER, p->over, n);
	if (err || spscring_base_spin_room(p, n))
		return err;
	return wait_sleep(p->ring, SPSCRING_PRODUCER, p->pos + n, deadline);
}

/**
 * spscring_wait_room() - sleep until slots are free
 * @p: the producer
 * @n: how many, at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Looks for some tens of microseconds first where it was worth it the last times;
 * @p->base.spin_max and @p->base.spin 0: not at all.  A user who holds the other end can
 * have it wait for ever.  While nobody holds that it comes back at once, with what became
 * of the last holder (-ESHUTDOWN, -EPIPE): who tries again waits for the next one first,
 * see @claimed of struct spscring_watch.
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: 0; -EINVAL @n is 0 or more than the capacity; or as struct
 * spscring_wait tells; and -ERESTARTSYS a signal is pending.
 */
int spscring_wait_room(struct spscring_producer *p, u64 n, s64 deadline)
{
	return wait_room(&p->base, n, deadline);
}
EXPORT_SYMBOL_GPL(spscring_wait_room);

/**
 * spscring_record_wait_room() - sleep until there is room
 * @p: the producer
 * @bytes: of the ring, see spscring_record_needs(); at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: as spscring_wait_room().
 *
 * Return: as spscring_wait_room().
 */
int spscring_record_wait_room(struct spscring_record_producer *p, u64 bytes, s64 deadline)
{
	return wait_room(&p->base, bytes, deadline);
}
EXPORT_SYMBOL_GPL(spscring_record_wait_room);

/**
 * spscring_wait_records() - sleep until records are there
 * @c: the consumer
 * @n: how many, at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: as spscring_wait_room(); 0 with fewer than @n there, but not none, where
 * struct spscring_notify says that what is there is enough.
 */
int spscring_wait_records(struct spscring_consumer *c, u64 n, s64 deadline)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	might_sleep();
	err = wait_refused(b->ring, SPSCRING_CONSUMER, b->over, n);
	if (err)
		return err;
	if (!spscring_spin_records(c, n))
		err = wait_sleep(b->ring, SPSCRING_CONSUMER, b->pos + n, deadline);
	/* tails come in order; a later one alone would have the caller try for ever */
	if (!err && !spscring_has_records(c, 1))
		return spscring_consumer_broken(b);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_wait_records);

/**
 * spscring_record_wait_records() - sleep until records are there
 * @c: the consumer
 * @bytes: of the ring, 1 for the next; at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: as spscring_wait_records().
 */
int spscring_record_wait_records(struct spscring_record_consumer *c, u64 bytes, s64 deadline)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	might_sleep();
	err = wait_refused(b->ring, SPSCRING_CONSUMER, b->over, bytes);
	if (err)
		return err;
	if (!spscring_record_spin_records(c, bytes))
		err = wait_sleep(b->ring, SPSCRING_CONSUMER, b->pos + bytes, deadline);
	if (!err && !spscring_record_first_is_there(c))
		return spscring_consumer_broken(b);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_record_wait_records);

/**
 * spscring_record_push_iter() - push one record, gathered
 * @p: the producer, with nothing reserved
 * @from: where its bytes are; on success advanced by @length
 * @length: in bytes; may be 0
 *
 * Copied straight into its place in the ring.  Context: as a push, any; process, and
 * it may sleep, where @from is of user memory.
 *
 * Return: 0, or a negative errno, see the top of <linux/spscring_record.h>, and
 * -EFAULT @from could not be read so far.  Then @from is where it was, and nothing
 * is published.
 */
int spscring_record_push_iter(struct spscring_record_producer *p, struct iov_iter *from,
			      size_t length)
{
	void *rec;
	int err;

	if (length > MAX_RW_COUNT)
		return -EMSGSIZE;
	err = spscring_record_reserve(p, length, &rec);
	if (err)
		return err;
	if (!copy_from_iter_full(rec, length, from)) {
		spscring_record_discard(p, rec);
		return -EFAULT;
	}
	spscring_record_commit_all(p);
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_record_push_iter);

struct scatter {
	struct iov_iter *to;
	size_t copied;
};

/* Once more where what was copied before was torn. */
static int scatter_record(void *arg, const void *rec, u32 length)
{
	struct scatter *s = arg;

	iov_iter_revert(s->to, s->copied);
	s->copied = copy_to_iter(rec, length, s->to);
	return s->copied == length ? 0 : -EFAULT;
}

/**
 * spscring_record_pop_iter() - pop one record, scattered
 * @c: the consumer
 * @to: where to copy it; on success advanced by its length
 *
 * A copy that nobody changes, of a user's ring too, straight from its place in the ring.
 * Context: as a pop, any; process, and it may sleep, where @to is of user memory.
 *
 * Return: its length in bytes; or a negative errno, as spscring_record_pop(), and
 * -EFAULT @to could not be written.  Then @to is where it was, and the record stays:
 * -EMSGSIZE it is longer than @to, or than the kernel moves at once, 2 GiB.
 */
long spscring_record_pop_iter(struct spscring_record_consumer *c, struct iov_iter *to)
{
	size_t size = min_t(size_t, iov_iter_count(to), MAX_RW_COUNT);
	struct scatter s = { .to = to };
	long length = spscring_record_pop_by(c, &s, size, scatter_record);

	if (length < 0)
		iov_iter_revert(to, s.copied);
	return length;
}
EXPORT_SYMBOL_GPL(spscring_record_pop_iter);

static void shutdown_producer(struct spscring_producer_base *p)
{
	spscring_producer_over(p, -ESHUTDOWN);
	ring_end_kernel(p->ring, SPSCRING_PRODUCER, SPSCRING_SHUT_DOWN);
}

static void shutdown_consumer(struct spscring_consumer_base *c)
{
	spscring_consumer_over(c, -ESHUTDOWN);
	ring_end_kernel(c->ring, SPSCRING_CONSUMER, SPSCRING_SHUT_DOWN);
}

/**
 * spscring_shutdown_producer() - end the producer's end cleanly
 * @p: the producer; each push and reserve says -ESHUTDOWN from here on
 *
 * The consumer drains, then finds the end of the stream.  Final.  Not beside a push.
 * Context: process, may sleep.
 */
void spscring_shutdown_producer(struct spscring_producer *p)
{
	shutdown_producer(&p->base);
}
EXPORT_SYMBOL_GPL(spscring_shutdown_producer);

/**
 * spscring_record_shutdown_producer() - the same of records of any size
 * @p: the producer
 */
void spscring_record_shutdown_producer(struct spscring_record_producer *p)
{
	shutdown_producer(&p->base);
}
EXPORT_SYMBOL_GPL(spscring_record_shutdown_producer);

/**
 * spscring_shutdown_consumer() - end the consumer's end cleanly
 * @c: the consumer; each pop and peek says -ESHUTDOWN from here on
 *
 * Final.  Not beside a pop.  Context: process, may sleep.
 */
void spscring_shutdown_consumer(struct spscring_consumer *c)
{
	shutdown_consumer(&c->base);
}
EXPORT_SYMBOL_GPL(spscring_shutdown_consumer);

/**
 * spscring_record_shutdown_consumer() - the same of records of any size
 * @c: the consumer
 */
void spscring_record_shutdown_consumer(struct spscring_record_consumer *c)
{
	shutdown_consumer(&c->base);
}
EXPORT_SYMBOL_GPL(spscring_record_shutdown_consumer);
