// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Memory that the two processes of a run share.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define HUGE_PAGE	(2UL << 20)	/* or a multiple of it */
#define HUGE_SPARE	HUGE_PAGE	/* a queue's own lines, beside its data */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static void *huge;		/* reused by all runs, because making huge pages takes long */
static size_t huge_size;

static int memory_fd(size_t size, unsigned int flags)
{
	int fd = memfd_create("spscring-bench", MFD_CLOEXEC | flags);

	if (fd >= 0 && ftruncate(fd, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

void *bench_memory(size_t size)
{
	int fd = memory_fd(size, 0);
	void *at;

	if (fd < 0)
		die("memfd: %s", strerror(errno));
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (at == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	close(fd);
	return at;
}

/* For each queue a head, and then its data mapped twice, back to back. */
void *bench_memory_twice(uint32_t queues, size_t head, size_t data)
{
	size_t file = head + data, room = file + data;
	int fd = memory_fd(queues * file, 0);
	char *all, *at;

	if (fd < 0)
		die("memfd: %s", strerror(errno));
	all = mmap(NULL, queues * room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	for (uint32_t i = 0; i < queues; i++) {
		at = all + i * room;
		if (mmap(at, file, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
			 fd, i * file) == MAP_FAILED ||
		    mmap(at + file, data, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, i * file + head) == MAP_FAILED)
			die("mmap: %s", strerror(errno));
	}
	close(fd);
	return all;
}

/* Use huge pages that the administrator has reserved. */
static void *huge_reserved(size_t size)
{
	int fd = memory_fd(size, MFD_HUGETLB);
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

/* Collapse small pages to huge ones, which works whatever the system's settings are. */
static void *huge_collapsed(size_t size)
{
	char *room = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memory_fd(size, 0);
	void *at = MAP_FAILED;

	if (fd >= 0 && room != MAP_FAILED)
		at = mmap((void *)(((uintptr_t)room + HUGE_PAGE - 1) & -HUGE_PAGE), size,
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_HUGEPAGE);
	memset(at, 0, size);
	if (madvise(at, size, MADV_COLLAPSE)) {
		munmap(room, size + HUGE_PAGE);
		return NULL;
	}
	return at;
}

/* How many bytes of data there can be on huge pages, at most @wanted. */
size_t huge_memory_most(size_t wanted)
{
	for (; wanted >= HUGE_PAGE; wanted /= 2) {
		huge_size = (wanted + HUGE_SPARE + HUGE_PAGE - 1) & -HUGE_PAGE;
		huge = huge_reserved(huge_size);
		if (!huge)
			huge = huge_collapsed(huge_size);
		if (huge)
			return wanted;
		if (errno == EINVAL)	/* the kernel has no MADV_COLLAPSE: no size will do */
			break;
	}
	fprintf(stderr, "spscring-bench: no huge pages: none reserved, and MADV_COLLAPSE: %s\n",
		strerror(errno));
	return 0;
}

void *huge_memory(size_t size)
{
	if (size > huge_size)
		die("%zu bytes on huge pages, of %zu", size, huge_size);
	memset(huge, 0, size);
	return huge;
}
