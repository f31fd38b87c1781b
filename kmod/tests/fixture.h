/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites share: a ring with its ends, the bytes of an element, and ways to move
 * elements.
 */
#ifndef _SPSCRING_FIXTURE_H
#define _SPSCRING_FIXTURE_H

#include <kunit/test.h>
#include <linux/file.h>
#include <spscring/layout.h>

#include "spscring_kapi.h"

/* test->priv of most suites. */
struct fixture {
	struct spscring *ring;
	struct spscring_info info;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;	/* in rings of records of variable size */
	struct spscring_record_consumer rc;
	u8 *in, *out;		/* elements, kvmalloc'ed */
};

int fixture_init(struct kunit *test);
void fixture_exit(struct kunit *test);

/* Destroy the fixture's ring and make another one, whose ends are unclaimed. */
struct spscring *make_ring(struct kunit *test, u64 capacity, u32 size);
/* The same, and claim both ends for the kernel. */
struct fixture *make_pair(struct kunit *test, u64 capacity, u32 size);
/* A ring of records of variable size, and buffers @in and @out as large as its capacity. */
void make_records(struct kunit *test, u64 capacity, u32 flags);
/* The same, and claim both ends for the kernel. */
struct fixture *make_both_records(struct kunit *test, u64 capacity, u32 flags);

int claim_producer(struct fixture *f, struct spscring_producer *p);
int claim_consumer(struct fixture *f, struct spscring_consumer *c);

/*
 * Make the handle that a user would make of its mapping.  An exported file has claimed that end.
 * The handle of the other end says where the pages are.
 */
void user_producer(struct fixture *f);
void user_consumer(struct fixture *f);
void user_record_producer(struct fixture *f);

/* Export an end as a file, and make its user's handle; NULL if the export failed. */
struct file *export_user(struct kunit *test, u32 role);
/* A ring whose end @user belongs to a user until the file is put; the kernel holds the other. */
struct file *make_user_pair(struct kunit *test, u64 capacity, u32 size, u32 user);

/* The same for records of variable size; the user is the producer. */
struct file *make_user_records(struct kunit *test, u64 capacity, u32 flags);

/* Where the ring's pages begin; @data is the data pointer of a handle. */
void *ring_base(struct fixture *f, void *data);

/* Close a file at once: a kernel thread's last fput() is deferred to a work item. */
void put_now(struct file *file);

/* The bytes of an element, each computed from the element's index and its own offset. */
void fill(u8 *rec, u32 size, u64 index);
bool is_filled(const u8 *rec, u32 size, u64 index);

/* Push or pop @n u64, which count up from @from. */
void push_u64(struct kunit *test, u64 from, u64 n);
void pop_u64(struct kunit *test, u64 from, u64 n);

/* An end's first answer other than -EAGAIN, within as many tries as it takes to poll the peer. */
int push_verdict(struct fixture *f);
int pop_verdict(struct fixture *f);

/*
 * A way to move up to @n elements, the first with the bytes of @index.  Both functions return
 * how many they moved, or a negative errno; @wrong counts elements with other bytes.
 */
struct way {
	const char *name;
	long (*put)(struct fixture *f, u64 index, u32 n);
	long (*take)(struct fixture *f, u64 index, u32 n, u32 *wrong);
};

enum { ONE_BY_ONE, IN_BATCHES, IN_PLACE, WAYS };

extern const struct way ways[WAYS];

/* Push exactly the capacity, then pop it: one more push or pop fails with -EAGAIN. */
void fill_and_drain(struct kunit *test, const struct way *way, u64 index);

#endif
