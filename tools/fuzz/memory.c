// SPDX-License-Identifier: GPL-2.0
/* Mappings of any part of a ring by any fd, and what programs do with mappings. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "program.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

#define PAGE	4096ULL
#define PAGES	(MAP_ROOM / PAGE)

static int to_pipe[2] = { -1, -1 };

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* Part @v of a mapping: its low half says where it begins, its high half how long it is. */
static size_t part_of(const struct step *s, char **at)
{
	uint64_t pages = *slot_map_size(s->a) / PAGE;
	uint64_t from = pages ? (s->v & 0xffff) % pages : 0;
	uint64_t n = s->v >> 16 & 0xff;

	*at = slot_map(s->a) + from * PAGE;
	return (!n || n > pages - from ? pages - from : n) * PAGE;
}

/* Map fd slot @b to map slot @a.  @c: protection and flags; @v: from page, and pages. */
long call_mmap(const struct step *s)
{
	static const int shared[] = { MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_PRIVATE,
				      MAP_SHARED | MAP_LOCKED };
	uint64_t from = (s->v & 0xffff) * PAGE, size = (1 + (s->v >> 16) % 1024) * PAGE;
	void *at;

	munmap(slot_map(s->a), MAP_ROOM);
	*slot_map_size(s->a) = size;
	at = mmap(slot_map(s->a), size, s->c & 7, shared[s->c >> 3 & 3] | MAP_FIXED,
		  slot_fd(s->b), from);
	return at == MAP_FAILED ? -errno : 0;
}

static long advise(const struct step *s, char *at, size_t size)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK, MADV_REMOVE, MADV_FREE, MADV_WILLNEED,
		MADV_MERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTDUMP, MADV_WIPEONFORK,
		MADV_SEQUENTIAL,
	};

	return result(madvise(at, size, advice[s->c % (sizeof(advice) / sizeof(*advice))]));
}

/* Grow, shrink, or move it, to the place of the next slot or within its own. */
static long remap(const struct step *s, char *at, size_t size)
{
	char *to = slot_map(s->a + 1);
	uint64_t more = size + (s->c >> 2 & 15) * PAGE;
	void *got;

	switch (s->c & 3) {
	case 0:
		got = mremap(at, size, more, 0);
		break;
	case 1:
		got = mremap(at, more, size, 0);
		break;
	default:
		*slot_map_size(s->a + 1) = more;
		got = mremap(at, s->c & 1 ? 0 : size, more, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
	return got == MAP_FAILED ? -errno : 0;
}

/* Call @b on a part of map slot @a. */
long call_memory(const struct step *s)
{
	unsigned char in_core[PAGES];
	struct iovec here, there;
	char byte = s->c, *at;
	size_t size = part_of(s, &at);

	if (!size)
		return -ENOENT;
	switch (s->b % 10) {
	case 0:
		return result(munmap(at, size));
	case 1:
		return result(mprotect(at, size, s->c & 7));
	case 2:
		return remap(s, at, size);
	case 3:
	case 4:
		return advise(s, at, size);
	case 5:
		return result(mlock(at, size)) ?: s->c & 1 ? result(munlock(at, size)) : 0;
	case 6:
		return result(msync(at, size, s->c & 7));
	case 7:
		return result(mincore(at, size, in_core));
	case 8:
		return result(remap_file_pages(at, size, 0, s->c, 0));
	default:
		here = (struct iovec){ &byte, 1 };
		there = (struct iovec){ at + s->c, 1 };
		return result(s->c & 1 ? process_vm_writev(getpid(), &here, 1, &there, 1, 0) :
			      process_vm_readv(getpid(), &here, 1, &there, 1, 0));
	}
}

/* Store a word anywhere in map slot @a, or load one, or have the kernel store one. */
long call_poke(const struct step *s)
{
	uint64_t size = *slot_map_size(s->a), *word;

	if (!size)
		return -ENOENT;
	word = (uint64_t *)(slot_map(s->a) + (s->v >> 8) * 8ULL % size);
	switch (s->b % 4) {
	case 0:
		__atomic_store_n(word, word_of(s->v & 0xff), __ATOMIC_RELAXED);
		return 0;
	case 1:
		__atomic_fetch_add(word, (int8_t)s->c, __ATOMIC_RELAXED);
		return 0;
	case 2:
		return __atomic_load_n(word, __ATOMIC_RELAXED) & 1;
	default:
		return result(readlink("/proc/self/exe", (char *)word, 8));
	}
}

/* Hold pages of map slot @a by a pipe; or let go of what it holds. */
long call_pin(const struct step *s)
{
	char *at;
	struct iovec iov = { .iov_len = part_of(s, &at) };

	if (s->b & 1)
		memory_clean();
	if (s->b & 2)
		return 0;
	if (to_pipe[0] < 0 && pipe2(to_pipe, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	iov.iov_base = at;
	return result(vmsplice(to_pipe[1], &iov, 1, s->c & SPLICE_F_GIFT));
}

void memory_clean(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (to_pipe[i] >= 0)
			close(to_pipe[i]);
		to_pipe[i] = -1;
	}
}
