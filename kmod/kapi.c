// SPDX-License-Identifier: GPL-2.0
/*
 * Rings for kernel code, see spscring_kapi.h.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#include "ring.h"
#include "spscring_kapi.h"

/**
 * spscring_create() - make a ring
 * @want: what it is to be; @want->size is not looked at
 *
 * Its memory is the driver's: charged to nobody.  A driver that makes one for each user
 * who asks bounds their number and size itself.  Context: process, may sleep.
 *
 * Return: the ring, to be given to spscring_destroy(); or an ERR_PTR: -EINVAL a
 * bad value, -E2BIG, -ENOMEM, -EINTR, as struct spscring_create tells.
 */
struct spscring *spscring_create(const struct spscring_create *want)
{
	return ring_create(want, RING_OF_DRIVER);
}
EXPORT_SYMBOL_GPL(spscring_create);

/**
 * spscring_create_private() - make a ring whose two ends are kernel code, for good
 * @want: what it is to be; @want->size is not looked at
 *
 * As spscring_create(), but no user ever reaches it: it cannot be exported or watched
 * (-EPERM), nor are its data pages for DMA (-EOPNOTSUPP), and peek() works whoever claims
 * first.  So a small one, of elements, needs no pages: it is about 1 KiB of slab memory
 * beside its data, and another where its ends can sleep.  Where there are many, that is
 * many cache lines and table entries less.  Context: process, may sleep.
 *
 * Return: as spscring_create().
 */
struct spscring *spscring_create_private(const struct spscring_create *want)
{
	return ring_create(want, RING_PRIVATE);
}
EXPORT_SYMBOL_GPL(spscring_create_private);

/**
 * spscring_from_fd() - take part in a ring that a user made
 * @fd: a ring fd of the calling process
 *
 * The ring stays the user's, who can claim each end that kernel code has not, and who
 * has chosen all that it is: its record size, its capacity, what it does when it is full,
 * and what memory it costs.  So the claim says what the caller takes its records for.
 * Of one that is BUSY_POLL no wait works (-EOPNOTSUPP).
 * Context: process.
 *
 * Return: the ring, to be given to spscring_put(); or an ERR_PTR: -EBADF no
 * such fd, -EPERM not a ring fd, -EBADFD CREATE has not been called.
 */
struct spscring *spscring_from_fd(int fd)
{
	struct file *file = fget(fd);
	struct spscring *ring;

	if (!file)
		return ERR_PTR(-EBADF);
	ring = ring_from_file(file);
	fput(file);
	return ring;
}
EXPORT_SYMBOL_GPL(spscring_from_fd);

/**
 * spscring_put() - let go of a ring
 * @ring: the ring; not to be used any more
 * @roles: what the caller has claimed of it: SPSCRING_PRODUCER,
 *	SPSCRING_CONSUMER, both or'ed, or 0
 *
 * For a ring of spscring_from_fd().  The caller has stopped its own pushes and
 * pops.  Its ends are dead from here on if they were not shut down.  Context:
 * process, may sleep.
 */
void spscring_put(struct spscring *ring, u32 roles)
{
	if (roles & SPSCRING_PRODUCER)
		ring_end_kernel(ring, SPSCRING_PRODUCER, SPSCRING_DEAD);
	if (roles & SPSCRING_CONSUMER)
		ring_end_kernel(ring, SPSCRING_CONSUMER, SPSCRING_DEAD);
	ring_put(ring);
}
EXPORT_SYMBOL_GPL(spscring_put);

/**
 * spscring_destroy() - let go of a ring and all that it was exported by
 * @ring: the ring; not to be used any more
 *
 * For a ring of spscring_create(); as spscring_put() of both ends, and the
 * device nodes are gone, as is what spscring_watch() set up: no callback runs
 * once it returns.  Files and mappings of users stay valid and hold nothing of
 * the driver's, which may be unloaded.  All else that the driver does with the
 * ring has ended before: pushes and pops, from interrupts and timers too, waits
 * and exports.
 *
 * Context: process, may sleep; from anywhere, a misc device's open and ioctl
 * too, but as spscring_unwatch() not from a callback of the ring, nor with a
 * lock held that one takes: it waits for these.
 */
void spscring_destroy(struct spscring *ring)
{
	export_remove(ring);
	spscring_unwatch(ring, SPSCRING_PRODUCER);
	spscring_unwatch(ring, SPSCRING_CONSUMER);
	spscring_put(ring, SPSCRING_PRODUCER | SPSCRING_CONSUMER);
}
EXPORT_SYMBOL_GPL(spscring_destroy);

static u32 spin_max(void)
{
	return num_online_cpus() > 1 ? SPSCRING_SPIN_MAX : 0;
}

static void producer_begins(struct spscring *ring, struct spscring_producer_base *p)
{
	p->ring = ring;
	p->spin_max = spin_max();
	p->spin = p->spin_max;
}

static void consumer_begins(struct spscring *ring, struct spscring_consumer_base *c)
{
	c->ring = ring;
	c->spin_max = spin_max();
	c->spin = c->spin_max;
}

/*
 * Handles of the kernel's own mapping, at the ends' cursors.  They fail as the inits of
 * the headers do, for a user's word or the other shape of a ring.
 */
int ring_producer_handle(struct spscring *ring, struct spscring_producer *p)
{
	int err = spscring_producer_begin(p, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		producer_begins(ring, &p->base);
	return err;
}

int ring_record_producer_handle(struct spscring *ring, struct spscring_record_producer *p)
{
	int err = spscring_record_producer_begin(p, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		producer_begins(ring, &p->base);
	return err;
}

int ring_consumer_handle(struct spscring *ring, struct spscring_consumer *c)
{
	int err = spscring_consumer_begin(c, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		consumer_begins(ring, &c->base);
	return err;
}

int ring_record_consumer_handle(struct spscring *ring, struct spscring_record_consumer *c)
{
	int err = spscring_record_consumer_begin(c, &ring->geometry, &ring->blocks, ring->data);

	if (!err)
		consumer_begins(ring, &c->base);
	return err;
}

static int claim(struct spscring *ring, u32 role, u32 record_size, u64 type_tag)
{
	return ring_expect(ring, record_size, type_tag) ?: ring_claim(ring, role, true);
}

/* An end is claimed; @err: but it has no handle, as its words are impossible. */
static int claimed(struct spscring *ring, u32 role, int err)
{
	if (err) {
		spscring_broken(ring, 0);
		ring_end(ring, role, SPSCRING_DEAD);
	}
	return err;
}

/**
 * spscring_claim_producer() - be the producer
 * @ring: the ring
 * @p: the handle, for the inlines of <linux/spscring_ring.h>; not to be copied
 * @record_size: what the caller takes the records for, in bytes: what each push reads
 * @type_tag: likewise
 *
 * What a dead holder left is mended first: of a large ring that takes seconds, ended by
 * a kill of the calling process.
 *
 * Every byte of a record that is pushed is the consumer's to read, padding of a struct
 * too: clear it.  What was reserved and not written is what the ring had there before.
 * Context: process, may sleep; a callback of spscring_watch() too.
 *
 * Return: 0; -EPROTOTYPE the ring's records are others; -EINVAL @record_size is
 * SPSCRING_ANY_SIZE; -EBUSY the end is held, or its
 * dead holder's pages are pinned; -EINTR killed, and the end is as it was; -ESHUTDOWN it
 * was shut down; -EPIPE the ring is broken.
 */
int spscring_claim_producer(struct spscring *ring, struct spscring_producer *p, u32 record_size,
			    u64 type_tag)
{
	int err;

	if (record_size == SPSCRING_ANY_SIZE)
		return -EINVAL;
	err = claim(ring, SPSCRING_PRODUCER, record_size, type_tag);
	return err ?: claimed(ring, SPSCRING_PRODUCER, ring_producer_handle(ring, p));
}
EXPORT_SYMBOL_GPL(spscring_claim_producer);

/* Can no user be the producer?  Then what is peeked at stays what it is. */
static bool peer_is_user(struct spscring *ring)
{
	return !ring->private &&
		(ring->of_user || !ring_held_by_kernel(ring, SPSCRING_PRODUCER));
}

/**
 * spscring_claim_consumer() - be the consumer
 * @ring: the ring
 * @c: the handle, for the inlines of <linux/spscring_ring.h>; not to be copied
 * @record_size: what the caller takes the records for, in bytes: what each pop writes
 * @type_tag: likewise
 *
 * What a user has pushed is any bytes: a pop's copy is looked at before it is used, and
 * nobody changes it any more.  In-kernel peek() works only where no user can be the
 * producer: on a ring of spscring_create() whose producer kernel code claimed before.
 * Context: process, may sleep; a callback of spscring_watch() too.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_claim_consumer(struct spscring *ring, struct spscring_consumer *c, u32 record_size,
			    u64 type_tag)
{
	int err;

	if (record_size == SPSCRING_ANY_SIZE)
		return -EINVAL;
	err = claim(ring, SPSCRING_CONSUMER, record_size, type_tag) ?:
		claimed(ring, SPSCRING_CONSUMER, ring_consumer_handle(ring, c));
	if (!err)
		c->base.peer_is_user = peer_is_user(ring);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_claim_consumer);

/**
 * spscring_record_claim_producer() - be the producer of records of any size
 * @ring: the ring
 * @p: the handle, for the inlines of <linux/spscring_record.h>; not to be copied
 * @type_tag: what the caller takes the records for
 *
 * Context: process, may sleep.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_record_claim_producer(struct spscring *ring, struct spscring_record_producer *p,
				   u64 type_tag)
{
	return claim(ring, SPSCRING_PRODUCER, SPSCRING_ANY_SIZE, type_tag) ?:
		claimed(ring, SPSCRING_PRODUCER, ring_record_producer_handle(ring, p));
}
EXPORT_SYMBOL_GPL(spscring_record_claim_producer);

/**
 * spscring_record_claim_consumer() - be the consumer of records of any size
 * @ring: the ring
 * @c: the handle, for the inlines of <linux/spscring_record.h>; not to be copied
 * @type_tag: what the caller takes the records for
 *
 * As spscring_claim_consumer() for peek().  Context: process, may sleep.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_record_claim_consumer(struct spscring *ring, struct spscring_record_consumer *c,
				   u64 type_tag)
{
	int err;

	err = claim(ring, SPSCRING_CONSUMER, SPSCRING_ANY_SIZE, type_tag) ?:
		claimed(ring, SPSCRING_CONSUMER, ring_record_consumer_handle(ring, c));
	if (!err)
		c->base.peer_is_user = peer_is_user(ring);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_record_claim_consumer);

/* A handle made anew is what the caller had made of it. */
static int producer_again(struct spscring_producer_base *p,
			  const struct spscring_producer_base *was)
{
	p->spin_max = was->spin_max;
	p->spin = was->spin_max;
	return 0;
}

static int consumer_again(struct spscring_consumer_base *c,
			  const struct spscring_consumer_base *was)
{
	c->spin_max = was->spin_max;
	c->spin = was->spin_max;
	c->peer_is_user = was->peer_is_user;
	return 0;
}

/**
 * spscring_reset_producer() - empty a ring, and mend what its users have broken
 * @p: the producer's handle, with nothing reserved
 *
 * For a ring of spscring_create() whose consumer's end nobody holds: once its user has
 * closed, see spscring_watch().  What was not read is lost, and is counted as dropped, or
 * as overrun by who reads next where the ring overwrites; where the user's cursor cannot
 * be, nobody knows how many these are.  All words are made to say that the ring is empty,
 * it is broken no more, and the handle works again, also after EPIPE: the next user who
 * claims the end gets what is pushed from here on.
 *
 * Context: process, may sleep; a callback of spscring_watch() too.  No push or wait by @p
 * at the same time, and no slot or record that is reserved.  It walks the ring, and is not
 * cut short by a kill of whoever calls it, as a claim is.
 *
 * Return: 0; -EBUSY the other end is held, or pages that its last user could write are
 * pinned by someone; -ESHUTDOWN an end was shut down for good; -EPERM a ring of
 * spscring_from_fd().
 */
int spscring_reset_producer(struct spscring_producer *p)
{
	const struct spscring_producer_base was = p->base;
	int err;

	might_sleep();
	err = ring_reset(was.ring, SPSCRING_PRODUCER, was.pos, 0) ?:
		ring_producer_handle(was.ring, p);
	return err ?: producer_again(&p->base, &was);
}
EXPORT_SYMBOL_GPL(spscring_reset_producer);

/**
 * spscring_record_reset_producer() - the same of records of any size
 * @p: the producer's handle, with nothing reserved
 *
 * What is lost has had its numbers: the next record's tells the reader how many are
 * missing.
 *
 * Context: as spscring_reset_producer().
 *
 * Return: as spscring_reset_producer().
 */
int spscring_record_reset_producer(struct spscring_record_producer *p)
{
	const struct spscring_producer_base was = p->base;
	int err;

	might_sleep();
	err = ring_reset(was.ring, SPSCRING_PRODUCER, was.pos, p->sequence) ?:
		ring_record_producer_handle(was.ring, p);
	return err ?: producer_again(&p->base, &was);
}
EXPORT_SYMBOL_GPL(spscring_record_reset_producer);

/**
 * spscring_reset_consumer() - empty a ring, and mend what its users have broken
 * @c: the consumer's handle, with nothing peeked
 *
 * As spscring_reset_producer(), of the other end: what the last user has pushed and the
 * driver has not popped is lost, and the next one begins with an empty ring.
 *
 * Context: as spscring_reset_producer().
 *
 * Return: as spscring_reset_producer().
 */
int spscring_reset_consumer(struct spscring_consumer *c)
{
	const struct spscring_consumer_base was = c->base;
	int err;

	might_sleep();
	err = ring_reset(was.ring, SPSCRING_CONSUMER, was.pos, 0) ?:
		ring_consumer_handle(was.ring, c);
	return err ?: consumer_again(&c->base, &was);
}
EXPORT_SYMBOL_GPL(spscring_reset_consumer);

/**
 * spscring_record_reset_consumer() - the same of records of any size
 * @c: the consumer's handle, with nothing peeked
 *
 * Context: as spscring_reset_producer().
 *
 * Return: as spscring_reset_producer().
 */
int spscring_record_reset_consumer(struct spscring_record_consumer *c)
{
	const struct spscring_consumer_base was = c->base;
	int err;

	might_sleep();
	err = ring_reset(was.ring, SPSCRING_CONSUMER, was.pos, c->sequence) ?:
		ring_record_consumer_handle(was.ring, c);
	return err ?: consumer_again(&c->base, &was);
}
EXPORT_SYMBOL_GPL(spscring_record_reset_consumer);

/**
 * spscring_get_info() - look at a ring
 * @ring: the ring
 * @info: the result
 *
 * What a user's end has written (@head or @tail, and so @length and @free, and @loss) is
 * what he wrote: to be shown, not to be counted on.  Context: process, may sleep; a
 * callback of spscring_watch() too.
 */
void spscring_get_info(struct spscring *ring, struct spscring_info *info)
{
	memset(info, 0, sizeof(*info));
	ring_info(ring, info);
	info->size = sizeof(*info);
}
EXPORT_SYMBOL_GPL(spscring_get_info);

/**
 * spscring_export_file() - an end as a file, for a user
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Claims the end for whoever gets the file; the last fput(), once no mapping is left
 * either, lets it die.  Of a ring of spscring_create() see spscring_watch(): @claimed is
 * called before it returns, so no lock is held that this takes.  Context: process, may
 * sleep; not a callback of the ring's.
 *
 * Return: the file, or an ERR_PTR: as spscring_claim_producer(), -ENOMEM, -ENFILE,
 * -EINVAL a bad role, -EDEADLK called by a callback.
 */
struct file *spscring_export_file(struct spscring *ring, u32 role)
{
	return endpoint_file(ring, role);
}
EXPORT_SYMBOL_GPL(spscring_export_file);

/**
 * spscring_export_fd() - an end as a close-on-exec fd of the calling process
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * For the last step of an ioctl: once it returns, the fd is the user's.
 * Context: as spscring_export_file().
 *
 * Return: the fd, or a negative errno: as spscring_export_file(), -EMFILE.
 */
int spscring_export_fd(struct spscring *ring, u32 role)
{
	return endpoint_fd(ring, role);
}
EXPORT_SYMBOL_GPL(spscring_export_fd);

/**
 * spscring_data_sg_table() - the data pages, for DMA
 * @ring: the ring
 * @sgt: the result, to be freed by sg_free_table() before spscring_destroy() or _put()
 *
 * A device may write records into slots that reserve_n() gave, or read those
 * that peek_n() gave; tails and cursors are the driver's, stored by commit_n()
 * and release_n() once the DMA is complete.  A slot's place in the table is its
 * address less that of the data.  No DMA goes on when the ring is reset or let go of.
 * Context: process, may sleep.
 *
 * Return: 0; -ENOMEM; -EOPNOTSUPP a private ring.
 */
int spscring_data_sg_table(struct spscring *ring, struct sg_table *sgt)
{
	if (ring->private)
		return -EOPNOTSUPP;
	return sg_alloc_table_from_pages(sgt, ring->pages + RING_PAGE_DATA,
					 ring->nr_pages - RING_PAGE_DATA, 0,
					 ring->geometry.data_bytes, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(spscring_data_sg_table);
