/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SPSCRING_RING_INTERNAL_H
#define _SPSCRING_RING_INTERNAL_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spscring.h>
#include <linux/version.h>

struct cred;
struct file;
struct vm_area_struct;

/* Sections of the ring's pages, in the order in which an fd maps them. */
enum ring_page {
	RING_PAGE_CONSUMER,
	RING_PAGE_INFO,
	RING_PAGE_PRODUCER,
	RING_PAGE_DATA,		/* the first of many */
};

struct ring_end {
	u32 state;		/* SPSCRING_UNCLAIMED to SPSCRING_DEAD */
	u32 generation;
	bool kernel;		/* held by kernel code */
};

/* A ring.  It lives as long as a file or a driver refers to it. */
struct spscring {
	struct kref ref;
	struct mutex lock;	/* ends; held across no user memory access */
	struct spscring_geometry geometry;
	u8 name[SPSCRING_NAME_MAX];
	u64 id;
	atomic_t broken;
	struct ring_end producer;
	struct ring_end consumer;

	/* the pages, and the kernel's mapping of them all */
	struct page **pages;
	unsigned long nr_pages;
	void *base;

	/* who pays; NULL for a driver's ring and for CAP_IPC_LOCK */
	const struct cred *payer;
	bool counted;		/* against max_bytes */

	bool of_user;		/* made by CREATE, so users may claim its ends */
};

extern unsigned long ring_max_bytes;

static inline bool ring_role_valid(u32 role)
{
	return role == SPSCRING_PRODUCER || role == SPSCRING_CONSUMER;
}

static inline void *ring_page(const struct spscring *ring, enum ring_page page)
{
	return ring->base + page * PAGE_SIZE;
}

struct spscring *ring_create(const struct spscring_create *want, bool for_user);
struct spscring *ring_get(struct spscring *ring);
void ring_put(struct spscring *ring);

int ring_claim(struct spscring *ring, u32 role, bool kernel);
bool ring_held_by_kernel(struct spscring *ring, u32 role);
void ring_end(struct spscring *ring, u32 role, u32 state);
void ring_info(struct spscring *ring, struct spscring_info *info);

/* memmap.c: who may map what */
bool memmap_writable(u32 role, unsigned long first, unsigned long n);
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma);
int memmap_pinned(struct spscring *ring, u32 role);

/* chardev.c: one end of one ring, held by a file */
struct file *endpoint_file(struct spscring *ring, u32 role);
int endpoint_fd(struct spscring *ring, u32 role);
int endpoint_open(struct file *file, struct spscring *ring, u32 role);
struct spscring *ring_from_file(struct file *file);
int chardev_init(void);
void chardev_exit(void);

#endif
