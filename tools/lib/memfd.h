/* SPDX-License-Identifier: MIT */
/* Rings without the module, within the library.  See memfd.c and futex.c. */
#ifndef _SPSCRING_MEMFD_H
#define _SPSCRING_MEMFD_H

#include <spscring/view.h>

#include "spscring.h"

/* What the kernel keeps to itself of an end, an end of such a ring keeps in the info page. */
struct memfd_end {
	__u32 futex;		/* counts what a sleeper must look at: kicks, the peer's end */
	__u32 reserved;
	__u64 now_at;		/* cursor + 1 at which a kick with NOW came; 0: none */
	__u64 looked_at;	/* when the peer last looked whether this end lives, in ns */
	struct spscring_sleep_counters count;
	__u64 reserved_line[5];
};

/* After the control blocks of all colours. */
#define MEMFD_ENDS	(SPSCRING_KERNEL_BLOCK + SPSCRING_COLOURS * SPSCRING_LINE)
SPSCRING_ASSERT(sizeof(struct memfd_end) == SPSCRING_LINE);
SPSCRING_ASSERT(MEMFD_ENDS + 3 * SPSCRING_LINE <= 4096);

/* A ring as its fd shows it. */
struct memfd_ring {
	int fd;
	__u32 role;		/* that the fd is good for; 0: it is a ring fd */
	struct spscring_info_page page;
};

int spscring_memfd_ring_of(int fd, struct memfd_ring *r);
int spscring_memfd_map(const struct memfd_ring *r, __u32 role, struct spscring_mapping *map,
		       char **base);
int spscring_memfd_claim(int ring_fd, __u32 role, __u32 element_size, __u64 type_tag);
int spscring_memfd_shutdown(int fd, __u32 flags);
int spscring_memfd_info(int fd, struct spscring_info *info);

/* The locks, each on a byte of the file: who has a role's is that end. */
#define MEMFD_LOCK_CLAIM	0	/* one claim at a time; the roles' bytes follow */
#define MEMFD_LOCK_ORDER	3
int spscring_memfd_lock(int fd, int command, short type, __u32 byte);

void spscring_memfd_wake(const struct spscring_kernel_block *kernel, __u32 role);
void spscring_memfd_look(const struct spscring_kernel_block *kernel, int fd, __u32 role);

/* One wait of a handle. */
struct memfd_wait {
	const struct spscring_kernel_block *kernel;
	const struct spscring_producer_block *producer;	/* for a consumer, or NULL */
	int fd;
	__u32 role;
	__u32 flags;		/* of the ring */
	__u64 event;		/* the event index */
	__u64 cursor;		/* of the waiting consumer */
	int (*has)(const void *end, __u64 n);
	const void *end;
	__u64 n;
};

int spscring_memfd_sleep(const struct memfd_wait *w, int64_t deadline);

static inline __u32 memfd_peer(__u32 role)
{
	return role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
}

/* The word of an end's state.  The ends map the block writable, as there is no kernel. */
static inline __u64 *memfd_state(const struct spscring_kernel_block *kernel, __u32 role)
{
	return (__u64 *)(role == SPSCRING_PRODUCER ? &kernel->producer : &kernel->consumer);
}

/* The info page, which has the kernel's block within its first 4096 bytes. */
static inline struct spscring_info_page *memfd_page(const struct spscring_kernel_block *kernel)
{
	return (struct spscring_info_page *)((uintptr_t)kernel & ~(uintptr_t)4095);
}

static inline struct memfd_end *memfd_end(const struct spscring_kernel_block *kernel, __u32 role)
{
	return (struct memfd_end *)((char *)memfd_page(kernel) + MEMFD_ENDS) + role;
}

#endif
