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
struct spscring *spscring_from_fd(int fd);
void spscring_put(struct spscring *ring, u32 roles);
void spscring_destroy(struct spscring *ring);

int spscring_claim_producer(struct spscring *ring, struct spscring_producer *p, u32 record_size,
			    u64 type_tag);
int spscring_claim_consumer(struct spscring *ring, struct spscring_consumer *c, u32 record_size,
			    u64 type_tag);
int spscring_wait_room(struct spscring_producer *p, u64 n, s64 deadline);
int spscring_wait_records(struct spscring_consumer *c, u64 n, s64 deadline);
void spscring_shutdown_producer(struct spscring_producer *p);
void spscring_shutdown_consumer(struct spscring_consumer *c);

int spscring_record_claim_producer(struct spscring *ring, struct spscring_record_producer *p,
				   u64 type_tag);
int spscring_record_claim_consumer(struct spscring *ring, struct spscring_record_consumer *c,
				   u64 type_tag);
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
