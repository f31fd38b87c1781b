/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spscring for kernel code.  A driver makes a ring, or gets the one behind a user's ring fd, and
 * claims an end.  Then it moves elements by the inlines of <spscring/element.h>, or records of
 * variable size by those of <spscring/record.h>.  Any context may call the inlines, except under
 * a lock that a wake-up takes (see spscring_kick()); the functions here may sleep.  A push that
 * finds the consumer asleep wakes it.  A claim names the size of an element and the type tag that
 * the caller expects, as a ring may be a user's; if the ring's differ, the claim fails with
 * -EPROTOTYPE.
 *
 *	ring = spscring_create(&want);
 *	spscring_claim_producer(ring, &p, sizeof(element), TAG);
 *	spscring_export_device(ring, SPSCRING_CONSUMER, "mydata", 0660);
 *	...
 *	spscring_push(&p, &element);			(one caller at a time)
 *	...
 *	spscring_destroy(ring);
 *
 * A ring that no user ever reaches takes less memory and fewer cache lines if it is made by
 * spscring_create_private().
 *
 * A driver need not trust a user who holds the other end.  The user can send any bytes, refuse
 * to read or write, end the stream, or break the ring, after which the driver's calls return
 * -EPIPE; nothing else.  The driver chooses by spscring_watch() what that means for the users
 * who come after.  Every call here can fail; its description lists the errors.
 */
#ifndef _SPSCRING_KAPI_H
#define _SPSCRING_KAPI_H

#include <linux/spscring.h>
#include <spscring/element.h>
#include <spscring/record.h>
#include <linux/types.h>

#include "spscring_static.h"

struct file;
struct iov_iter;
struct kiocb;
struct pipe_inode_info;
struct poll_table_struct;
struct seq_file;
struct sg_table;
struct vm_area_struct;

struct spscring *spscring_create(const struct spscring_create *want);
struct spscring *spscring_create_private(const struct spscring_create *want);
struct spscring *spscring_from_fd(int fd);
void spscring_put(struct spscring *ring, u32 roles);
void spscring_destroy(struct spscring *ring);

#define SPSCRING_WATCH_REOPEN	(1U << 0)	/* others may claim the end after a shutdown */

/**
 * struct spscring_watch - callbacks for the users of an end.
 * @flags:	SPSCRING_WATCH_*; other bits are refused.
 * @claimed:	a user has claimed the end.  The user cannot use it yet, as the call that
 *		claims has not returned.
 * @mapped:	the user is about to map pages of the end for the first time since @claimed; any
 *		page counts.  After a 0 it does not run again until another user claims the end.
 *		A negative errno refuses: mmap() returns it, and the next mmap() asks again.  A
 *		mapping that was not refused may still fail for want of memory.  A user of
 *		read() and write() never maps.  The last mapping is gone before @ended.
 * @ended:	the user has let go of the end, and has no fd and no mapping of it any more.
 *		@how is SPSCRING_SHUT_DOWN, or SPSCRING_DEAD without a shutdown.  A user may
 *		still hold pages by other means (a pipe after vmsplice()), and could read or
 *		write them: until these are free, the next claim and a reset fail with -EBUSY.
 * @broken:	a user's claim is about to fail with EPIPE, since the ring is broken: by the
 *		words that the last user left, or because an end found it out before.  If this
 *		callback makes the ring work again by spscring_reset_*(), the claim succeeds.
 * @data:	argument of the callbacks.
 *
 * A user may shut an end down, die, or write impossible words.  Unless the driver prevents it,
 * that concerns all users after this one:
 *
 *	shutdown	Final for the end.  With SPSCRING_WATCH_REOPEN both ends find SHUT_DOWN
 *			only until the user has closed; a claim fails with EBUSY before that.
 *			Then another user can claim the end, and continues at its position,
 *			as after a death.
 *	a death		Another user can claim the end, and continues at its position.
 *	a lie		The ring is broken for good.  The driver learns it from its own push or
 *			pop (-EPIPE), from spscring_get_info(), or by @broken.  Once the user
 *			has closed (@ended), spscring_reset_*() makes the ring work again;
 *			@ended and @broken may call it.
 *
 * Any callback may be NULL.  The callbacks of a ring run one at a time, in the order of what
 * they report, and in process context, in whatever task claims, maps or closes: it may be
 * exiting, have a signal pending, or be a kernel thread.  No lock is held that pushes, pops,
 * spscring_reset_*(), _shutdown_*(), _claim_*(), _get_info() or _export_device() take, but for
 * what is said of @mapped below.  A callback may sleep, but the user's call waits for it, and so
 * does each other call that claims or closes an end of the ring.  A callback must not wait for
 * such a call, nor make one: spscring_export_file(), _fd() and spscring_end_open() return
 * -EDEADLK there.  If the driver itself calls one of these three, @claimed runs before the call
 * returns.  If the callbacks of one ring destroy or unwatch a second ring, the callbacks of the
 * second must not do so to the first.
 *
 * @mapped runs with the lock of the user's address space (mmap_lock) held.  Where it is set, no
 * callback of the ring may access user memory, nor wait for what does, as
 * spscring_export_device() can.
 *
 * A callback that resets uses the driver's handle.  The driver must not use that handle at the
 * same time: no push or pop, and no shutdown before spscring_unwatch().
 */
struct spscring_watch {
	u32 flags;
	void (*claimed)(void *data);
	int (*mapped)(void *data);
	void (*ended)(void *data, u32 how);
	void (*broken)(void *data);
	void *data;
};

int spscring_watch(struct spscring *ring, u32 role, const struct spscring_watch *watch);
void spscring_unwatch(struct spscring *ring, u32 role);

int spscring_claim_producer(struct spscring *ring, struct spscring_producer *p, u32 element_size,
			    u64 type_tag);
int spscring_claim_consumer(struct spscring *ring, struct spscring_consumer *c, u32 element_size,
			    u64 type_tag);
int spscring_reset_producer(struct spscring_producer *p);
int spscring_reset_consumer(struct spscring_consumer *c);
int spscring_wait_room(struct spscring_producer *p, u64 n, s64 deadline);
int spscring_wait_elements(struct spscring_consumer *c, u64 n, s64 deadline);
long spscring_push_iter(struct spscring_producer *p, struct iov_iter *from, size_t n);
long spscring_pop_iter(struct spscring_consumer *c, struct iov_iter *to, size_t n);
void spscring_shutdown_producer(struct spscring_producer *p);
void spscring_shutdown_consumer(struct spscring_consumer *c);

int spscring_record_claim_producer(struct spscring *ring, struct spscring_record_producer *p,
				   u64 type_tag);
int spscring_record_claim_consumer(struct spscring *ring, struct spscring_record_consumer *c,
				   u64 type_tag);
int spscring_record_reset_producer(struct spscring_record_producer *p);
int spscring_record_reset_consumer(struct spscring_record_consumer *c);
int spscring_record_wait_room(struct spscring_record_producer *p, u64 bytes, s64 deadline);
int spscring_record_wait_bytes(struct spscring_record_consumer *c, u64 bytes, s64 deadline);
int spscring_record_push_iter(struct spscring_record_producer *p, struct iov_iter *from,
			      size_t length);
long spscring_record_pop_iter(struct spscring_record_consumer *c, struct iov_iter *to);
void spscring_record_shutdown_producer(struct spscring_record_producer *p);
void spscring_record_shutdown_consumer(struct spscring_record_consumer *c);

u64 spscring_length(struct spscring *ring);
u64 spscring_consumer_length(const struct spscring_consumer *c);
void spscring_get_info(struct spscring *ring, struct spscring_info *info);

struct file *spscring_export_file(struct spscring *ring, u32 role);
int spscring_export_fd(struct spscring *ring, u32 role);
int spscring_export_device(struct spscring *ring, u32 role, const char *name, umode_t mode);

/*
 * An end in a node of the driver's own.  f_op->open binds the file to an end; the other operations
 * pass the end to the functions here, which do all that a node of spscring_export_device() does:
 *
 *	static long my_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
 *	{
 *		struct my_file *my = file->private_data;
 *
 *		if (cmd == MY_START)
 *			return my_start(my);
 *		return spscring_end_ioctl(my->end, cmd, arg);
 *	}
 */
struct spscring_end;

struct spscring_end *spscring_end_open(struct spscring *ring, u32 role, struct file *file);
void spscring_end_close(struct spscring_end *end);
ssize_t spscring_end_read_iter(struct spscring_end *end, struct kiocb *iocb, struct iov_iter *to);
ssize_t spscring_end_write_iter(struct spscring_end *end, struct kiocb *iocb,
				struct iov_iter *from);
__poll_t spscring_end_poll(struct spscring_end *end, struct file *file,
			   struct poll_table_struct *table);
long spscring_end_ioctl(struct spscring_end *end, unsigned int cmd, unsigned long arg);
int spscring_end_fasync(struct spscring_end *end, int fd, struct file *file, int on);
int spscring_end_mmap(struct spscring_end *end, struct vm_area_struct *vma);
u64 spscring_end_bytes(const struct spscring_end *end);
void spscring_end_show_fdinfo(struct seq_file *m, struct spscring_end *end);

int spscring_end_fsync(struct file *file, loff_t start, loff_t end, int datasync);
int spscring_end_fadvise(struct file *file, loff_t offset, loff_t len, int advice);
ssize_t spscring_end_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags);

/*
 * The members of struct file_operations that an end has, and that need no end: a part of its
 * initialiser.  The file that uses it includes <linux/fs.h> and <linux/mm.h>.
 */
#define SPSCRING_END_FILE_OPERATIONS				\
	.splice_read	= spscring_end_splice_read,		\
	.splice_write	= iter_file_splice_write,		\
	.get_unmapped_area = thp_get_unmapped_area,		\
	.fsync		= spscring_end_fsync,			\
	.fadvise	= spscring_end_fadvise

int spscring_data_sg_table(struct spscring *ring, struct sg_table *sgt);

#endif
