/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites share: a ring with its ends, the bytes of an element, and ways to move
 * elements.
 */
#ifndef _SPSCRING_FIXTURE_H
#define _SPSCRING_FIXTURE_H

#include <kunit/test.h>
#include <linux/file.h>

#include "spscring_kapi.h"

/* What most cases need, as test->priv. */
struct fixture {
	struct spscring *ring;
	struct spscring_info info;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;	/* where records are of any size */
	struct spscring_record_consumer rc;
	u8 *in, *out;		/* elements, kvmalloc'ed */
};

int fixture_init(struct kunit *test);
void fixture_exit(struct kunit *test);

/* A ring, after the fixture's last one is destroyed; its ends are claimed by nobody. */
struct spscring *make_ring(struct kunit *test, u64 capacity, u32 size);
/* A ring whose two ends are the kernel's. */
struct fixture *make_pair(struct kunit *test, u64 capacity, u32 size);
/* A ring of records of any size, with buffers of its capacity. */
void make_records(struct kunit *test, u64 capacity, u32 flags);

int claim_producer(struct fixture *f, struct spscring_producer *p);
int claim_consumer(struct fixture *f, struct spscring_consumer *c);

/*
 * The handle that a user would make of its mapping: the claim is an exported file's.  The pages
 * are found by a handle of the other end.
 */
void user_producer(struct fixture *f);
void user_consumer(struct fixture *f);
void user_record_producer(struct fixture *f);

/* Export an end to a user, who has the handle from then on; NULL if that failed. */
struct file *export_user(struct kunit *test, u32 role);
/* A ring whose end @user is a user's, until the file is put; the other one is the kernel's. */
struct file *make_user_pair(struct kunit *test, u64 capacity, u32 size, u32 user);

/* Where the ring's pages begin, by the data of a handle. */
void *ring_base(struct fixture *f, void *data);

/* Close a file now: the last reference of a kernel thread is dropped by a work item. */
void put_now(struct file *file);

/* The bytes of an element, each a function of its index and its place. */
void fill(u8 *rec, u32 size, u64 index);
bool is_filled(const u8 *rec, u32 size, u64 index);

/* Push or pop @n u64, which count up from @from. */
void push_u64(struct kunit *test, u64 from, u64 n);
void pop_u64(struct kunit *test, u64 from, u64 n);

/* What an end says in as many tries as it takes to look at its peer's status. */
int push_verdict(struct fixture *f);
int pop_verdict(struct fixture *f);

/* A way to move up to @n elements from @index on: how many, or a negative errno. */
struct way {
	const char *name;
	long (*put)(struct fixture *f, u64 index, u32 n);
	long (*take)(struct fixture *f, u64 index, u32 n, u32 *wrong);
};

enum { ONE_BY_ONE, IN_BATCHES, IN_PLACE, WAYS };

extern const struct way ways[WAYS];

/* Push until the ring is full and pop until it is empty: not one more goes, either way. */
void fill_and_drain(struct kunit *test, const struct way *way, u64 index);

#endif
