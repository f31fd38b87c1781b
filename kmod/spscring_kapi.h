/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spscring for kernel code.  A driver makes a ring, or takes the one behind a
 * user's ring fd, claims an end, and moves records by the inlines of
 * <linux/spscring_ring.h>, or of <linux/spscring_record.h> where they are of any
 * size, which any context may call; the functions here may sleep.  A push that finds
 * the consumer asleep wakes it.  Who claims an end says what it takes the records for,
 * as a ring may be a user's: -EPROTOTYPE if they are others.
 *
 *	ring = spscring_create(&want);
 *	spscring_claim_producer(ring, &p, sizeof(record), TAG);
 *	spscring_export_device(ring, SPSCRING_CONSUMER, "mydata", 0660);
 *	...
 *	spscring_push(&p, &record);			(any context, one at a time)
 *	...
 *	spscring_destroy(ring);
 *
 * Of a ring that no user is ever to reach, spscring_create_private() takes less memory and
 * fewer cache lines.
 *
 * Whoever holds the other end is not trusted: he can send any bytes, refuse to read or
 * write, end the stream, or break the ring, which the driver's own calls then tell
 * (EPIPE), and no more than that.  What that does to the users after him is the driver's
 * choice: spscring_watch().  Every call here can fail, and says how.
 */
#ifndef _SPSCRING_KAPI_H
#define _SPSCRING_KAPI_H

#include <linux/spscring.h>
#include <linux/spscring_record.h>
#include <linux/types.h>

struct file;
struct iov_iter;
struct sg_table;

struct spscring *spscring_create(const struct spscring_create *want);
struct spscring *spscring_create_private(const struct spscring_create *want);
struct spscring *spscring_from_fd(int fd);
void spscring_put(struct spscring *ring, u32 roles);
void spscring_destroy(struct spscring *ring);

#define SPSCRING_WATCH_AGAIN	(1U << 0)	/* who shuts the end down does it for himself */

/**
 * struct spscring_watch - what becomes of an end that users claim.
 * @flags:	SPSCRING_WATCH_*; other bits are refused.
 * @claimed:	a user has taken the end, and can do nothing yet: the call that took it has
 *		not returned.
 * @ended:	he has let go of it: he has no fd and no mapping any more.  @how is
 *		SPSCRING_SHUT_DOWN, or SPSCRING_DEAD without a shutdown.  What he holds of
 *		the pages by other means (a pipe that he vmsplice()d to) he could write or
 *		read on: until he lets go of that the next claim, and a reset, are EBUSY.
 * @broken:	a user claims the end and is to be refused with EPIPE, since the ring is
 *		broken: by what the last user left in it, or because an end found that out
 *		before.  If spscring_reset_*() mends it here he is not refused.
 * @data:	for them.
 *
 * Whoever opens an end may shut it down, kill himself, or write words that cannot be,
 * and does so to all users after him unless the driver sees to it:
 *
 *	shutdown	Final, for the end.  With SPSCRING_WATCH_AGAIN the driver's end
 *			and the user's see SHUT_DOWN until he has closed; then another
 *			can claim the end and goes on where he was, as after a death.
 *			EBUSY to whoever claims it earlier.
 *	a death		Another can claim the end, and goes on where he was.
 *	a lie		The ring is broken, for good.  The driver learns it from its own
 *			push or pop (EPIPE), from spscring_get_info(), from @broken.  Once
 *			the user has closed (@ended) spscring_reset_*() makes the ring
 *			work again; it may be called by @ended and by @broken.
 *
 * Any callback may be NULL.  They are called in process context, with no lock held that
 * pushes, pops, spscring_reset_*(), _shutdown_*(), _claim_*(), _get_info(), and
 * _export_device() take, one at a time for a ring, in the order in which things happened,
 * by whatever task claims or closes: one that is exiting, or has a signal pending, or a
 * kernel thread.  They may sleep, but the user's call waits for them, as do others that
 * claim or close an end of the ring.  They must not wait for such a call, nor make one of
 * their own: spscring_export_file() and _fd() say -EDEADLK.  A driver's own call of these
 * two calls @claimed before it returns.  Where the callbacks of one ring destroy or unwatch
 * another, those of the other must not do so to the first.
 *
 * A callback that resets uses the driver's handle, so nothing else of the driver's may at
 * that time: no push or pop, and no shutdown before spscring_unwatch().
 */
struct spscring_watch {
	u32 flags;
	void (*claimed)(void *data);
	void (*ended)(void *data, u32 how);
	void (*broken)(void *data);
	void *data;
};

int spscring_watch(struct spscring *ring, u32 role, const struct spscring_watch *watch);
void spscring_unwatch(struct spscring *ring, u32 role);

int spscring_claim_producer(struct spscring *ring, struct spscring_producer *p, u32 record_size,
			    u64 type_tag);
int spscring_claim_consumer(struct spscring *ring, struct spscring_consumer *c, u32 record_size,
			    u64 type_tag);
int spscring_reset_producer(struct spscring_producer *p);
int spscring_reset_consumer(struct spscring_consumer *c);
int spscring_wait_room(struct spscring_producer *p, u64 n, s64 deadline);
int spscring_wait_records(struct spscring_consumer *c, u64 n, s64 deadline);
void spscring_shutdown_producer(struct spscring_producer *p);
void spscring_shutdown_consumer(struct spscring_consumer *c);

int spscring_record_claim_producer(struct spscring *ring, struct spscring_record_producer *p,
				   u64 type_tag);
int spscring_record_claim_consumer(struct spscring *ring, struct spscring_record_consumer *c,
				   u64 type_tag);
int spscring_record_reset_producer(struct spscring_record_producer *p);
int spscring_record_reset_consumer(struct spscring_record_consumer *c);
int spscring_record_wait_room(struct spscring_record_producer *p, u64 bytes, s64 deadline);
int spscring_record_wait_records(struct spscring_record_consumer *c, u64 bytes, s64 deadline);
int spscring_record_push_iter(struct spscring_record_producer *p, struct iov_iter *from,
			      size_t length);
long spscring_record_pop_iter(struct spscring_record_consumer *c, struct iov_iter *to);
void spscring_record_shutdown_producer(struct spscring_record_producer *p);
void spscring_record_shutdown_consumer(struct spscring_record_consumer *c);

void spscring_get_info(struct spscring *ring, struct spscring_info *info);

struct file *spscring_export_file(struct spscring *ring, u32 role);
int spscring_export_fd(struct spscring *ring, u32 role);
int spscring_export_device(struct spscring *ring, u32 role, const char *name, umode_t mode);

int spscring_data_sg_table(struct spscring *ring, struct sg_table *sgt);

#endif
