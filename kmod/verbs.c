// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs of kernel code that are not inlines of the headers: wait, move a record from or to
 * an iov_iter, and shut down.
 */
#include <linux/export.h>
#include <linux/uio.h>

#include "ring.h"
#include "spscring_kapi.h"

/*
 * May a kernel end wait for @n?  Check before the spin, which must not succeed where the wait is
 * refused.
 */
static int wait_refused(const struct spscring *ring, u32 role, int over, u64 n)
{
	if (!ring)			/* DEFINE_SPSCRING() */
		return -EOPNOTSUPP;
	if (!n || n > ring->geometry.capacity)
		return -EINVAL;
	if (ring->geometry.flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	return over || !ring_shutting_down(ring, role) ? over : -ESHUTDOWN;
}

static int wait_room(struct spscring_producer_base *p, u64 n, s64 deadline)
{
	int err;

	might_sleep();
	err = wait_refused(p->ring, SPSCRING_PRODUCER, p->error, n);
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
 * It spins for some tens of microseconds first if that paid off in the last waits; set
 * @p->base.spin_max and @p->base.spin to 0 to switch that off.  A user who holds the other end
 * can make it wait for ever.  After the last holder shut down or died, it returns -ESHUTDOWN or
 * -EPIPE at once until the next claim: wait for @claimed of struct spscring_watch before
 * another try.
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: 0; -EINVAL @n is 0 or more than the capacity; -ERESTARTSYS a signal is pending; or as
 * described at struct spscring_wait.
 */
int spscring_wait_room(struct spscring_producer *p, u64 n, s64 deadline)
{
	return wait_room(&p->base, n, deadline);
}
EXPORT_SYMBOL_GPL(spscring_wait_room);

/**
 * spscring_record_wait_room() - sleep until there is room
 * @p: the producer
 * @bytes: how much, in bytes of the ring, see spscring_record_needs(); at most the capacity
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
 * spscring_wait_elements() - sleep until elements are there
 * @c: the consumer
 * @n: how many, at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: as spscring_wait_room(); also 0 if fewer than @n, but at least one, are there and no
 * more can come, see "Sleep" in <linux/spscring.h>.
 */
int spscring_wait_elements(struct spscring_consumer *c, u64 n, s64 deadline)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	might_sleep();
	err = wait_refused(b->ring, SPSCRING_CONSUMER, b->error, n);
	if (err)
		return err;
	if (!spscring_spin_elements(c, n))
		err = wait_sleep(b->ring, SPSCRING_CONSUMER, b->pos + n, deadline);
	/* honest tails grow in order; with only a later one the caller would retry for ever */
	if (!err && !spscring_has_elements(c, 1))
		return spscring_consumer_broken(c);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_wait_elements);

/**
 * spscring_record_wait_bytes() - sleep until records are there
 * @c: the consumer
 * @bytes: how many bytes of the ring, 1 for the next record; at most the capacity
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Context: process, may sleep; interruptible.
 *
 * Return: as spscring_wait_elements().
 */
int spscring_record_wait_bytes(struct spscring_record_consumer *c, u64 bytes, s64 deadline)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	might_sleep();
	err = wait_refused(b->ring, SPSCRING_CONSUMER, b->error, bytes);
	if (err)
		return err;
	if (!spscring_record_spin_bytes(c, bytes))
		err = wait_sleep(b->ring, SPSCRING_CONSUMER, b->pos + bytes, deadline);
	if (!err && !spscring_record_first_is_there(c))
		return spscring_record_consumer_broken(c);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_record_wait_bytes);

/**
 * spscring_record_push_iter() - push one record, gathered from an iov_iter
 * @p: the producer, with nothing reserved
 * @from: the record's bytes; on success advanced by @length
 * @length: in bytes; may be 0
 *
 * It copies straight into the ring.  Context: any; process, and it may sleep, if @from is user
 * memory.
 *
 * Return: 0, or a negative errno, see the top of <spscring/record.h>; -EFAULT not all of
 * @length could be read.  On an error @from is where it was, and nothing is published.
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

/* Called again if the producer overwrote the record during the copy: begin anew. */
static int scatter_record(void *arg, const void *rec, u32 length)
{
	struct scatter *s = arg;

	iov_iter_revert(s->to, s->copied);
	s->copied = copy_to_iter(rec, length, s->to);
	return s->copied == length ? 0 : -EFAULT;
}

/**
 * spscring_record_pop_iter() - pop one record, scattered to an iov_iter
 * @c: the consumer
 * @to: where to copy the record; on success advanced by its length
 *
 * It copies straight from the ring; nobody changes the copy, also if a user is the producer.
 * Context: any; process, and it may sleep, if @to is user memory.
 *
 * Return: the record's length in bytes; or a negative errno as spscring_record_pop(), such as
 * -EMSGSIZE the record is longer than @to or than the kernel moves at once, 2 GiB; -EFAULT @to
 * could not be written.  On an error @to is where it was, and the record stays in the ring.
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
	spscring_producer_fail(p, -ESHUTDOWN);
	ring_close_kernel_end(p->ring, SPSCRING_PRODUCER, SPSCRING_SHUT_DOWN);
}

/**
 * spscring_shutdown_producer() - shut the producer's end down
 * @p: the producer; each push and reserve returns -ESHUTDOWN from here on
 *
 * The consumer reads what is left, then finds the end of the stream.  A shutdown is final.  Do
 * not call it during a push.  Context: process, may sleep.
 */
void spscring_shutdown_producer(struct spscring_producer *p)
{
	shutdown_producer(&p->base);
}
EXPORT_SYMBOL_GPL(spscring_shutdown_producer);

/**
 * spscring_record_shutdown_producer() - as spscring_shutdown_producer(), records of variable size
 * @p: the producer
 */
void spscring_record_shutdown_producer(struct spscring_record_producer *p)
{
	shutdown_producer(&p->base);
}
EXPORT_SYMBOL_GPL(spscring_record_shutdown_producer);

/**
 * spscring_shutdown_consumer() - shut the consumer's end down
 * @c: the consumer; each pop and peek returns -ESHUTDOWN from here on
 *
 * A shutdown is final.  Do not call it during a pop.  Context: process, may sleep.
 */
void spscring_shutdown_consumer(struct spscring_consumer *c)
{
	spscring_consumer_fail(c, -ESHUTDOWN);
	ring_close_kernel_end(c->base.ring, SPSCRING_CONSUMER, SPSCRING_SHUT_DOWN);
}
EXPORT_SYMBOL_GPL(spscring_shutdown_consumer);

/**
 * spscring_record_shutdown_consumer() - as spscring_shutdown_consumer(), records of variable size
 * @c: the consumer
 */
void spscring_record_shutdown_consumer(struct spscring_record_consumer *c)
{
	spscring_record_consumer_fail(c, -ESHUTDOWN);
	ring_close_kernel_end(c->base.ring, SPSCRING_CONSUMER, SPSCRING_SHUT_DOWN);
}
EXPORT_SYMBOL_GPL(spscring_record_shutdown_consumer);
