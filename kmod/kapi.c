// SPDX-License-Identifier: GPL-2.0
/*
 * Rings for kernel code, see spscring_kapi.h.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#include "ring.h"
#include "spscring_kapi.h"

/**
 * spscring_create() - make a ring
 * @want: its shape and flags; @want->size is ignored
 *
 * The memory is charged to nobody.  A driver that makes a ring for each user who asks has to
 * bound their number and size itself.  Context: process, may sleep.
 *
 * Return: the ring, to be given to spscring_destroy(); or an ERR_PTR: -EINVAL a bad value,
 * -E2BIG, -ENOMEM, -EINTR, as described at struct spscring_create.
 */
struct spscring *spscring_create(const struct spscring_create *want)
{
	u32 why;

	return ring_create(want, RING_OF_DRIVER, &why);
}
EXPORT_SYMBOL_GPL(spscring_create);

/**
 * spscring_create_private() - make a ring whose ends only kernel code can hold
 * @want: its shape and flags; @want->size is ignored
 *
 * As spscring_create(), but no user ever reaches the ring.  It cannot be exported or watched
 * (-EPERM), its data pages cannot be used for DMA (-EOPNOTSUPP), and peek() works whichever end
 * is claimed first.  A small ring of elements needs no pages: beside its data it takes about
 * 1 KiB of slab memory, and another 1 KiB if its ends can sleep.  Many such rings take far
 * fewer cache lines and page table entries.  Context: process, may sleep.
 *
 * Return: as spscring_create().
 */
struct spscring *spscring_create_private(const struct spscring_create *want)
{
	u32 why;

	return ring_create(want, RING_PRIVATE, &why);
}
EXPORT_SYMBOL_GPL(spscring_create_private);

/**
 * spscring_from_fd() - get a reference to a ring that a user made
 * @fd: a ring fd of the calling process
 *
 * The ring stays the user's, who can claim each end that kernel code does not hold.  The user
 * has chosen its element size, its capacity, what happens when it is full, and what memory it
 * costs; therefore the claim checks what the caller expects.  On a BUSY_POLL ring every wait
 * fails with -EOPNOTSUPP.  Context: process.
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
 * @ring: the ring; the caller must not use it afterwards
 * @roles: the ends that the caller has claimed: SPSCRING_PRODUCER,
 *	SPSCRING_CONSUMER, both or'ed, or 0
 *
 * For a ring of spscring_from_fd().  The caller has stopped its own pushes and pops.  Its ends
 * die unless they were shut down.  Context: process, may sleep.
 */
void spscring_put(struct spscring *ring, u32 roles)
{
	if (roles & SPSCRING_PRODUCER)
		ring_close_kernel_end(ring, SPSCRING_PRODUCER, SPSCRING_DEAD);
	if (roles & SPSCRING_CONSUMER)
		ring_close_kernel_end(ring, SPSCRING_CONSUMER, SPSCRING_DEAD);
	ring_put(ring);
}
EXPORT_SYMBOL_GPL(spscring_put);

/**
 * spscring_destroy() - let go of a ring, and remove its device nodes
 * @ring: the ring; the caller must not use it afterwards; an ERR_PTR or NULL is ignored
 *
 * For a ring of spscring_create().  It lets go of both ends as spscring_put() does, removes the
 * ring's device nodes, and unwatches both ends: no callback runs once it returns.  Files and
 * mappings of users stay valid; they do not refer to the driver, which may be unloaded.  The
 * driver has ended its own use of the ring before: pushes and pops, in interrupts and timers
 * too, waits and exports.
 *
 * Context: process, may sleep; also a misc device's open and ioctl.  As spscring_unwatch() it
 * waits for the ring's callbacks: do not call it from one, nor with a lock held that one takes.
 */
void spscring_destroy(struct spscring *ring)
{
	if (IS_ERR_OR_NULL(ring))
		return;
	export_remove(ring);
	spscring_unwatch(ring, SPSCRING_PRODUCER);
	spscring_unwatch(ring, SPSCRING_CONSUMER);
	spscring_put(ring, SPSCRING_PRODUCER | SPSCRING_CONSUMER);
}
EXPORT_SYMBOL_GPL(spscring_destroy);

static int claim(struct spscring *ring, u32 role, u32 element_size, u64 type_tag)
{
	return ring_check_type(ring, element_size, type_tag) ?: ring_claim(ring, role, true);
}

/* Finish a claim; @err: no handle could be made, as the end's words are impossible. */
static int claimed(struct spscring *ring, u32 role, int err)
{
	if (err) {
		spscring_broken(ring, 0);
		ring_close_end(ring, role, SPSCRING_DEAD);
	}
	return err;
}

/**
 * spscring_claim_producer() - claim the producer's end
 * @ring: the ring
 * @p: the handle, for the inlines of <spscring/element.h>; not to be copied
 * @element_size: expected size of an element in bytes: as many are read by each push
 * @type_tag: expected type tag
 *
 * It recovers a dead end first.  That takes seconds for a large ring; a kill of the calling
 * process ends it.
 *
 * The consumer can read every byte of an element that is pushed, padding of a struct included:
 * clear it.  Bytes that are reserved and not written keep what the ring had there before.
 * Context: process, may sleep; a callback of spscring_watch() too.
 *
 * Return: 0; -EPROTOTYPE the ring has another element size or type tag; -EINVAL @element_size
 * is SPSCRING_VARIABLE_SIZE; -EBUSY the end is held, or the pages of its dead holder are pinned;
 * -EINTR killed, and the end is as it was; -ESHUTDOWN the end was shut down; -EPIPE the ring
 * is broken.
 */
int spscring_claim_producer(struct spscring *ring, struct spscring_producer *p, u32 element_size,
			    u64 type_tag)
{
	int err;

	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = claim(ring, SPSCRING_PRODUCER, element_size, type_tag);
	return err ?: claimed(ring, SPSCRING_PRODUCER, ring_producer_handle(ring, p));
}
EXPORT_SYMBOL_GPL(spscring_claim_producer);

/* Can a user be the producer?  Then a peek is refused: the user could change what it returned. */
static bool peer_is_user(struct spscring *ring)
{
	return !ring->private &&
		(ring->of_user || !ring_held_by_kernel(ring, SPSCRING_PRODUCER));
}

/**
 * spscring_claim_consumer() - claim the consumer's end
 * @ring: the ring
 * @c: the handle, for the inlines of <spscring/element.h>; not to be copied
 * @element_size: expected size of an element in bytes: as many are written by each pop
 * @type_tag: expected type tag
 *
 * A user can push any bytes.  Check the copy that a pop makes before using it; nobody changes
 * that copy.  In the kernel, peek() works only where no user can be the producer: on a private
 * ring, and on one of spscring_create() whose producer's end kernel code held before the claim.
 * Context: process, may sleep; a callback of spscring_watch() too.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_claim_consumer(struct spscring *ring, struct spscring_consumer *c, u32 element_size,
			    u64 type_tag)
{
	int err;

	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = claim(ring, SPSCRING_CONSUMER, element_size, type_tag) ?:
		claimed(ring, SPSCRING_CONSUMER, ring_consumer_handle(ring, c));
	if (!err)
		c->base.peer_is_user = peer_is_user(ring);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_claim_consumer);

/**
 * spscring_record_claim_producer() - claim the producer's end, for records of variable size
 * @ring: the ring
 * @p: the handle, for the inlines of <spscring/record.h>; not to be copied
 * @type_tag: expected type tag
 *
 * Context: process, may sleep.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_record_claim_producer(struct spscring *ring, struct spscring_record_producer *p,
				   u64 type_tag)
{
	return claim(ring, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE, type_tag) ?:
		claimed(ring, SPSCRING_PRODUCER, ring_record_producer_handle(ring, p));
}
EXPORT_SYMBOL_GPL(spscring_record_claim_producer);

/**
 * spscring_record_claim_consumer() - claim the consumer's end, for records of variable size
 * @ring: the ring
 * @c: the handle, for the inlines of <spscring/record.h>; not to be copied
 * @type_tag: expected type tag
 *
 * peek() works as described at spscring_claim_consumer().  Context: process, may sleep.
 *
 * Return: as spscring_claim_producer().
 */
int spscring_record_claim_consumer(struct spscring *ring, struct spscring_record_consumer *c,
				   u64 type_tag)
{
	int err;

	err = claim(ring, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE, type_tag) ?:
		claimed(ring, SPSCRING_CONSUMER, ring_record_consumer_handle(ring, c));
	if (!err)
		c->base.peer_is_user = peer_is_user(ring);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_record_claim_consumer);

/* Keep what the caller, or its claim, had set in the handle that is made anew. */
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
 * spscring_reset_producer() - empty a ring, and make it work again if it is broken
 * @p: the producer's handle, with nothing reserved
 *
 * For a ring of spscring_create() whose consumer's end nobody holds, as its user has closed
 * it, see spscring_watch().  Elements that were not read are lost.  They are counted as
 * dropped; if the ring overwrites, the next consumer counts them as overrun.  If the last
 * user's cursor is impossible, they are not counted.
 *
 * Afterwards the ring is empty and not broken, and the handle works, also after -EPIPE.  The
 * next user who claims the other end gets what is pushed from here on.
 *
 * Context: process, may sleep; a callback of spscring_watch() too.  No push or wait by @p at
 * the same time.  It walks the ring; unlike a claim, a kill of the caller does not stop it.
 *
 * Return: 0; -EBUSY the other end is held, or somebody has pinned pages that its last user
 * could access; -ESHUTDOWN an end was shut down for good; -EPERM a ring of spscring_from_fd().
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
 * spscring_record_reset_producer() - as spscring_reset_producer(), for records of variable size
 * @p: the producer's handle, with nothing reserved
 *
 * Lost records keep their sequence numbers: the next record's number shows the consumer how
 * many are missing.
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
 * spscring_reset_consumer() - empty a ring, and make it work again if it is broken
 * @c: the consumer's handle, with nothing peeked
 *
 * As spscring_reset_producer(), for a ring whose producer's end nobody holds.  Elements that
 * the last user has pushed and the driver has not popped are lost; the next user begins with an
 * empty ring.
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
 * spscring_record_reset_consumer() - as spscring_reset_consumer(), for records of variable size
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
 * spscring_length() - how much is in a ring
 * @ring: the ring
 *
 * It counts the elements, or the bytes of records, that are published and not released; in a ring
 * that overwrites, those that are not overwritten.  It reads the consumer's position first, then
 * the producer's, so what moves meanwhile makes it larger, but never smaller:
 *
 *	- to the consumer, so much is there to be popped;
 *	- to the producer, the room is at least the capacity less this;
 *	- to others, it is at least what was there at either of these two reads, and more by at
 *	  most what was released, or overwritten, in between.
 *
 * A batch of elements that is being pushed may count in part until the call that pushes it
 * returns.  A user can make the count of its ring wrong, but not larger than the capacity.
 *
 * Context: any, NMI too; it takes no lock, and the ends may push and pop at the same time.
 *
 * Return: the number of elements; bytes, in a ring of records of variable size.
 */
u64 spscring_length(struct spscring *ring)
{
	/* (D) pairs with (C) */
	u64 head = smp_load_acquire(&ring->blocks.consumer->cursor);

	if (ring_has_flag(ring, SPSCRING_CREATE_OVERWRITE))
		head = max_t(s64, head, ring_oldest(ring));
	return clamp_t(s64, ring_seen(ring, SPSCRING_CONSUMER, head) - head, 0,
		       ring->geometry.capacity);
}
EXPORT_SYMBOL_GPL(spscring_length);

/* How many elements are published from @pos to the end of its frame. */
static u64 frame_published(const struct spscring_consumer *c, u64 pos)
{
	u64 frames = (c->base.end - c->base.data) / c->frame_size, frame = pos / c->frame_elements;
	const u64 *tail = (const u64 *)(c->base.data + frame % frames * c->frame_size);
	/* (B) pairs with (A) */
	s64 n = smp_load_acquire(tail) - pos;

	return n > 0 ? min_t(u64, n, (frame + 1) * c->frame_elements - pos) : 0;
}

/**
 * spscring_consumer_length() - how much is in a ring of elements, by the consumer's handle
 * @c: the consumer
 *
 * As spscring_length(), for a ring of DEFINE_SPSCRING(), too.  Context: any, NMI too; another
 * context may push, and pop by this very handle, at the same time.
 *
 * Return: the number of elements.
 */
u64 spscring_consumer_length(const struct spscring_consumer *c)
{
	/* (D) pairs with (C), (H) pairs with (G) */
	u64 head = smp_load_acquire(c->base.cursor), tail = smp_load_acquire(&c->base.peer->cursor);

	tail = max_t(s64, tail + frame_published(c, tail), head + frame_published(c, head));
	return clamp_t(s64, tail - head, 0, c->base.capacity);
}
EXPORT_SYMBOL_GPL(spscring_consumer_length);

/**
 * spscring_get_info() - read a ring's geometry, positions and counters
 * @ring: the ring
 * @info: the result
 *
 * A user's end writes its position (@head or @tail, from which @length and @free follow) and
 * the loss counters: show these values, but do not rely on them.  Context: process, may sleep;
 * a callback of spscring_watch() too.
 */
void spscring_get_info(struct spscring *ring, struct spscring_info *info)
{
	memset(info, 0, sizeof(*info));
	ring_info(ring, info);
	info->size = sizeof(*info);
}
EXPORT_SYMBOL_GPL(spscring_get_info);

/**
 * spscring_export_file() - claim an end for a user, as a file
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * The holder of the file holds the end.  The end dies at the last fput(), which comes after
 * the last mapping is gone.  If the end is watched, @claimed (struct spscring_watch) runs
 * before this function returns: do not hold a lock that @claimed takes.  Context: process, may
 * sleep; not a callback of the ring.
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
 * spscring_export_fd() - claim an end for the calling process, as a close-on-exec fd
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Make it the last step of an ioctl: the fd cannot be taken back from the user afterwards.
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
 * spscring_data_sg_table() - list the data pages, for DMA
 * @ring: the ring
 * @sgt: the result, to be freed by sg_free_table() before spscring_destroy() or _put()
 *
 * A device may write elements into slots that reserve_n() returned, or read from slots that
 * peek_n() returned.  The driver calls commit_n() or release_n(), which store tails and
 * cursors, once the DMA is complete.  The offset of a slot in the table is its address minus
 * that of the data.  All DMA has to end before the driver resets the ring or lets go of it.
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
