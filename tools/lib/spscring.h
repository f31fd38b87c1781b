/* SPDX-License-Identifier: MIT */
/*
 * libspscring: make, claim and map rings of /dev/spscring.  The records then
 * move by the inlines of <spscring/element.h>.
 *
 *	struct spscring_create want = {
 *		.size = sizeof(want), .capacity = 4096, .element_size = 8,
 *	};
 *	struct spscring_producer p;
 *	uint64_t v = 1;
 *	int ring = spscring_open(&want);
 *	int end = spscring_claim(ring, SPSCRING_PRODUCER, sizeof(v), 0);
 *
 *	if (!spscring_map_producer(end, &p, sizeof(v), 0, NULL))
 *		spscring_push(&p, &v);
 *
 * Records of any size (SPSCRING_CREATE_RECORDS, <spscring/record.h>) have handles of their
 * own and a spscring_record_*() of each verb; what is waited for there counts bytes of the
 * ring: spscring_record_size() tells what one takes.
 *
 * One handle an end.  A handle is not copied, and is used by one thread at a time; a second
 * one that is made from the same fd while the first is in use, or calls of read() and
 * write() beside it, lose or double records.  A forked child inherits the fd but none of the
 * mappings: a handle that was made before the fork faults there (SIGSEGV).  The child may
 * map anew if the parent uses the end no more.
 *
 * Errors are negative errno values, those of the ioctls and of mmap().
 */
#ifndef _SPSCRING_H
#define _SPSCRING_H

#include <stddef.h>
#include <stdint.h>
#include <linux/spscring.h>
#include <spscring/element.h>
#include <spscring/layout.h>
#include <spscring/record.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

/* What an end has mapped: its peer's pages and its own.  Sizes in bytes. */
struct spscring_mapping {
	void *read_only;
	size_t read_only_size;
	void *writable;
	size_t writable_size;
};

/**
 * spscring_open() - open /dev/spscring and make a ring
 * @want: what it is to be, see struct spscring_create
 *
 * Return: a close-on-exec ring fd, or a negative errno.
 */
int spscring_open(const struct spscring_create *want);

/**
 * spscring_claim() - claim one end of a ring
 * @ring_fd: from spscring_open()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 * @element_size: what the caller takes the records for: of this size, in bytes, or
 *	SPSCRING_VARIABLE_SIZE
 * @type_tag: likewise
 *
 * Return: a close-on-exec endpoint fd, or a negative errno: -EPROTOTYPE the ring's records
 * are others; see struct spscring_endpoint.
 */
int spscring_claim(int ring_fd, uint32_t role, uint32_t element_size, uint64_t type_tag);

/**
 * spscring_get_info() - look at a ring
 * @fd: a ring fd or an endpoint fd
 * @info: the result
 *
 * Return: 0, or a negative errno.
 */
int spscring_get_info(int fd, struct spscring_info *info);

/**
 * spscring_shutdown() - end an end cleanly, of a program that does not map
 * @endpoint_fd: the end
 * @flags: 0, or SPSCRING_SHUTDOWN_BROKEN
 *
 * With a handle: spscring_shutdown_producer() and the like.  A handle that another thread's
 * call shuts down learns of it once it finds no room, or no record, and not before.
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown(int endpoint_fd, uint32_t flags);

/**
 * spscring_shutdown_producer() - end the producer's end cleanly
 * @p: the producer; each push and reserve says -ESHUTDOWN from here on
 *
 * The consumer drains, then finds the end of the stream.  Final.
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown_producer(struct spscring_producer *p);
int spscring_record_shutdown_producer(struct spscring_record_producer *p);

/**
 * spscring_shutdown_consumer() - end the consumer's end cleanly
 * @c: the consumer; each pop and peek says -ESHUTDOWN from here on
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown_consumer(struct spscring_consumer *c);
int spscring_record_shutdown_consumer(struct spscring_record_consumer *c);

/**
 * spscring_map_producer() - map the producer's end and make its handle
 * @endpoint_fd: from spscring_claim(), or a driver's device node, opened for reading and
 *	writing; of a BUSY_POLL ring it may be closed afterwards, the mapping keeps the end;
 *	otherwise it is for waking the peer
 * @p: the handle
 * @element_size: what the caller takes the records for, in bytes
 * @type_tag: likewise
 * @map: for spscring_unmap(), or NULL if it stays for good
 *
 * The geometry is the kernel's (INFO), not what the shared pages say.
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring's records are others.
 */
int spscring_map_producer(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_map_consumer() - map the consumer's end and make its handle
 * @endpoint_fd: as for spscring_map_producer()
 * @c: the handle
 * @element_size: what the caller takes the records for, in bytes
 * @type_tag: likewise
 * @map: for spscring_unmap(), or NULL if it stays for good
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring's records are others.
 */
int spscring_map_consumer(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_record_map_producer() - the same of records of any size
 * @endpoint_fd: as for spscring_map_producer()
 * @p: the handle
 * @type_tag: what the caller takes the records for
 * @map: for spscring_unmap(), or NULL if it stays for good
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring's records are others; -EPIPE its
 * cursor is one that no holder can have left.
 */
int spscring_record_map_producer(int endpoint_fd, struct spscring_record_producer *p,
				 uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_record_map_consumer() - the same for a consumer
 * @endpoint_fd: as for spscring_map_producer()
 * @c: the handle
 * @type_tag: what the caller takes the records for
 * @map: for spscring_unmap(), or NULL if it stays for good
 *
 * Return: as spscring_record_map_producer().
 */
int spscring_record_map_consumer(int endpoint_fd, struct spscring_record_consumer *c,
				 uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_unmap() - undo a mapping; the handle is not to be used any more
 * @map: from spscring_map_producer() or spscring_map_consumer()
 */
void spscring_unmap(const struct spscring_mapping *map);

/**
 * spscring_record_pushv() - push one record, gathered from several places
 * @p: the producer, with nothing reserved
 * @iov: the places, as for writev()
 * @n: how many
 *
 * Return: as spscring_record_push().
 */
int spscring_record_pushv(struct spscring_record_producer *p, const struct iovec *iov, int n);

/**
 * spscring_record_popv() - pop one record, scattered over several places
 * @c: the consumer
 * @iov: the places, as for readv(); each is filled before the next
 * @n: how many
 *
 * Return: as spscring_record_pop().
 */
long spscring_record_popv(struct spscring_record_consumer *c, const struct iovec *iov, int n);

/**
 * spscring_wait_elements() - wait until records are there
 * @c: the consumer
 * @n: how many, at most the capacity; bytes of the ring where records are of any size
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Looks for a while, then sleeps.  How long it looks follows what came of it, up to
 * @c->base.spin_max, which is 0 where there is one CPU and may be set.
 *
 * Return: 0, also with fewer than @n there, but not none, where these are enough (see
 * "Sleep" in <linux/spscring.h>); or a negative errno, see struct spscring_wait: -EINVAL
 * @n is 0, or more than the capacity.
 */
int spscring_wait_elements(struct spscring_consumer *c, uint64_t n, int64_t deadline);
int spscring_record_wait_bytes(struct spscring_record_consumer *c, uint64_t bytes,
				 int64_t deadline);

/**
 * spscring_wait_room() - wait until slots are free
 * @p: the producer
 * @n: how many, at most the capacity; bytes of the ring where records are of any size
 * @deadline: as for spscring_wait_elements()
 *
 * Return: as spscring_wait_elements().
 */
int spscring_wait_room(struct spscring_producer *p, uint64_t n, int64_t deadline);
int spscring_record_wait_room(struct spscring_record_producer *p, uint64_t bytes,
			      int64_t deadline);

/**
 * spscring_arm_elements() - have the end's eventfd, and its pollers, told of records
 * @c: the consumer
 * @n: as for spscring_wait_elements()
 *
 * For an eventfd, see struct spscring_notify: poll arms the end by itself.
 *
 * Return: as spscring_wait_elements().
 */
int spscring_arm_elements(struct spscring_consumer *c, uint64_t n);
int spscring_record_arm_bytes(struct spscring_record_consumer *c, uint64_t bytes);

/**
 * spscring_arm_room() - the same for a producer
 * @p: the producer
 * @n: as for spscring_wait_room()
 *
 * Return: as spscring_wait_elements().
 */
int spscring_arm_room(struct spscring_producer *p, uint64_t n);
int spscring_record_arm_room(struct spscring_record_producer *p, uint64_t bytes);

/**
 * spscring_notify() - how poll and an eventfd tell of an end
 * @endpoint_fd: the end
 * @watermark: poll's watermark, at most the capacity, and less than 2^32
 * @timeout: in ns, see struct spscring_notify
 * @eventfd: an eventfd, or -1
 *
 * Return: 0, or a negative errno.
 */
int spscring_notify(int endpoint_fd, uint64_t watermark, uint64_t timeout, int eventfd);

#ifdef __cplusplus
}
#endif

#endif
