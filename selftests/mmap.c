// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: who may map what, and that no other way leads around it.
 */
#include <linux/userfaultfd.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "selftest.h"

#define READ	PROT_READ
#define WRITE	(PROT_READ | PROT_WRITE)
#define EXEC	(PROT_READ | PROT_EXEC)

enum who { RING_FD, PRODUCER_FD, CONSUMER_FD, FDS };

FIXTURE(mmap)
{
	int fd[FDS];
	size_t page;
	__u64 end;		/* how far an fd can be mapped */
	struct spscring_geometry g;
};

/* Of two kinds: one has its data mapped twice. */
FIXTURE_VARIANT(mmap)
{
	struct spscring_create want;
};

#define OF_FRAMES	{ { .capacity = 3000, .record_size = 8 } }
#define OF_RECORDS	{ { .capacity = 28000, .flags = SPSCRING_CREATE_RECORDS } }

FIXTURE_VARIANT_ADD(mmap, frames) OF_FRAMES;
FIXTURE_VARIANT_ADD(mmap, records) OF_RECORDS;

FIXTURE_SETUP(mmap)
{
	struct spscring_create want = variant->want;

	SKIP_WITHOUT_DEVICE();
	want.size = sizeof(want);
	/* as many pages, of whatever size */
	want.capacity *= sysconf(_SC_PAGESIZE) / 4096;
	self->fd[RING_FD] = spscring_open(&want);
	ASSERT_GE(self->fd[RING_FD], 0);
	self->fd[PRODUCER_FD] = claim_end(self->fd[RING_FD], SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->fd[PRODUCER_FD], 0);
	self->fd[CONSUMER_FD] = claim_end(self->fd[RING_FD], SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->fd[CONSUMER_FD], 0);
	self->g = info_of(self->fd[RING_FD]).geometry;
	self->page = self->g.page_size;
	self->end = self->g.memory;
	if (want.flags & SPSCRING_CREATE_RECORDS)
		self->end += self->g.data_bytes;
	ASSERT_GE(self->g.data_bytes, 2 * self->page);
}

FIXTURE_TEARDOWN(mmap)
{
	int i;

	for (i = 0; i < FDS; i++)
		close_fd(&self->fd[i]);
}

#define mmap_t	FIXTURE_DATA(mmap)

/* For the fixtures that begin with one. */
static const FIXTURE_VARIANT(mmap) of_frames = OF_FRAMES, of_records = OF_RECORDS;

/* The sections, and spans of them, in pages; n 0: to the end. */
#define AGAIN		1000	/* as first: of the data's second half */
#define LAST		(AGAIN - 1)
#define LAST_AGAIN	2000

static const struct span {
	const char *name;
	int first, n;
	bool writable[FDS];
} spans[] = {
	{ "consumer", 0, 1, { [CONSUMER_FD] = true } },
	{ "info", 1, 1, {} },
	{ "producer", 2, 1, { [PRODUCER_FD] = true } },
	{ "data", 3, 0, { [PRODUCER_FD] = true } },
	{ "first of data", 3, 1, { [PRODUCER_FD] = true } },
	{ "rest of data", 4, 0, { [PRODUCER_FD] = true } },
	{ "producer + data", 2, 0, { [PRODUCER_FD] = true } },
	{ "producer + first of data", 2, 2, { [PRODUCER_FD] = true } },
	{ "consumer + info", 0, 2, {} },
	{ "info + producer", 1, 2, {} },
	{ "info + producer + data", 1, 0, {} },
	{ "everything", 0, 0, {} },
	{ "first of data again", AGAIN, 1, { [PRODUCER_FD] = true } },
	{ "data again", AGAIN, 0, { [PRODUCER_FD] = true } },
	{ "last of data, first again", LAST, 2, { [PRODUCER_FD] = true } },
};

static __u64 span_from(mmap_t *self, const struct span *s)
{
	if (s->first == LAST_AGAIN)
		return self->end - self->page;
	if (s->first < LAST)
		return s->first * self->page;
	return self->g.memory + (s->first - AGAIN) * self->page;
}

static size_t span_size(mmap_t *self, const struct span *s)
{
	return s->n ? s->n * self->page : self->end - span_from(self, s);
}

/* Returns an address, or a negative errno. */
static long map(mmap_t *self, enum who who, const struct span *s, int prot, int flags)
{
	void *at = mmap(NULL, span_size(self, s), prot, flags, self->fd[who],
			span_from(self, s));

	return at == MAP_FAILED ? -errno : (long)at;
}

static char *map_section(mmap_t *self, enum who who, size_t offset, int prot)
{
	return mmap(NULL, self->page, prot, MAP_SHARED, self->fd[who], offset);
}

TEST_F(mmap, rights)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_WRITE, WRITE, PROT_EXEC, EXEC, WRITE | PROT_EXEC,
	};
	const struct span *s;
	int who, flags, want;
	size_t i;
	long at;

	for (s = spans; s < spans + ARRAY_SIZE(spans); s++) {
		if (s->first >= LAST && self->end == self->g.memory)
			continue;
		for (i = 0; i < ARRAY_SIZE(prots) * FDS * 2; i++) {
			int prot = prots[i / FDS / 2];

			who = i % FDS;
			flags = i / FDS % 2 ? MAP_PRIVATE : MAP_SHARED;
			want = 0;
			if (prot & PROT_EXEC || (prot & PROT_WRITE && !s->writable[who]))
				want = -EACCES;
			if (flags == MAP_PRIVATE)
				want = -EINVAL;
			at = map(self, who, s, prot, flags);
			/* the kernel's own answer where the file is on a noexec mount */
			if (prot & PROT_EXEC && at == -EPERM)
				continue;
			EXPECT_EQ(at < 0 && at > -4096 ? at : 0, want)
				TH_LOG("%s: fd %d, prot %d, flags %d", s->name, who, prot, flags);
			if (at < 0 && at > -4096)
				continue;
			EXPECT_EQ(touch((char *)at, false), prot ? 0 : SIGSEGV);
			EXPECT_EQ(munmap((void *)at, span_size(self, s)), 0);
		}
	}
}

TEST_F(mmap, places)
{
	const __u64 end = self->end, page = self->page;
	const struct { int err; __u64 from, size; } places[] = {
		{ 0, end - page, page },
		{ ENXIO, end, page },
		{ ENXIO, end - page, 2 * page },
		{ ENXIO, 0, end + page },
		{ ENXIO, end + page, page },
		{ ENXIO, 1ULL << 40, page },
		{ ENXIO, 1ULL << 62, page },
		{ EINVAL, 1, page },
		{ EINVAL, page / 2, page },
		{ EINVAL, 0, 0 },
	};
	size_t i;
	int who;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (who = 0; who < FDS; who++) {
			void *at = mmap(NULL, places[i].size, READ, MAP_SHARED, self->fd[who],
					places[i].from);

			EXPECT_EQ(at == MAP_FAILED ? errno : 0, places[i].err)
				TH_LOG("place %zu, fd %d", i, who);
			if (at != MAP_FAILED)
				munmap(at, places[i].size);
		}
	}
	/* an offset that wraps when the size is added */
	EXPECT_EQ(mmap(NULL, 2 * page, READ, MAP_SHARED, self->fd[RING_FD], -page), MAP_FAILED);
}

/* Each fd sees the same pages, and only the writer's writes arrive. */
TEST_F(mmap, one_memory)
{
	char *mine = map_section(self, PRODUCER_FD, self->g.data_offset + self->page, WRITE);
	char *theirs = map_section(self, CONSUMER_FD, self->g.data_offset + self->page, READ);
	char *all = mmap(NULL, self->end, READ, MAP_SHARED, self->fd[RING_FD], 0);

	ASSERT_NE(mine, MAP_FAILED);
	ASSERT_NE(theirs, MAP_FAILED);
	ASSERT_NE(all, MAP_FAILED);
	memcpy(mine, "seen by all", 12);
	EXPECT_STREQ(theirs, "seen by all");
	EXPECT_STREQ(all + self->g.data_offset + self->page, "seen by all");
}

/* ------------------------------------------- data that are mapped twice */

/*
 * The writer's and the reader's mapping as they are to be made: the data and the
 * data again, in one piece.
 */
FIXTURE(twice)
{
	mmap_t m;
	char *mine;
	const char *theirs;
	size_t size;		/* of one half */
};

FIXTURE_SETUP(twice)
{
	char *at;

	SKIP_WITHOUT_DEVICE();
	mmap_setup(_metadata, &self->m, &of_records);
	self->size = self->m.g.data_bytes;
	at = mmap(NULL, self->m.g.memory - self->m.g.producer_offset + self->size, WRITE,
		  MAP_SHARED, self->m.fd[PRODUCER_FD], self->m.g.producer_offset);
	ASSERT_NE(at, MAP_FAILED);
	self->mine = at + self->m.g.data_offset - self->m.g.producer_offset;
	at = mmap(NULL, self->m.g.memory - self->m.g.info_offset + self->size, READ,
		  MAP_SHARED, self->m.fd[CONSUMER_FD], self->m.g.info_offset);
	ASSERT_NE(at, MAP_FAILED);
	self->theirs = at + self->m.g.data_offset - self->m.g.info_offset;
}

FIXTURE_TEARDOWN(twice)
{
	mmap_teardown(_metadata, &self->m, NULL);
}

static bool same_halves(const char *at, size_t size)
{
	return !memcmp(at, at + size, size);
}

TEST_F(twice, either_half)
{
	size_t i;

	for (i = 0; i < self->size; i++)
		self->mine[i] = i * 7;
	EXPECT_TRUE(same_halves(self->mine, self->size));
	EXPECT_TRUE(same_halves(self->theirs, self->size));
	EXPECT_EQ(memcmp(self->mine, self->theirs, self->size), 0);
	for (i = 0; i < self->size; i++)
		self->mine[self->size + i] = i * 11;
	EXPECT_TRUE(same_halves(self->mine, self->size));
	EXPECT_TRUE(same_halves(self->theirs, self->size));
	for (i = 0; i < self->size; i++)
		ASSERT_EQ(self->theirs[i], (char)(i * 11));
}

/* What this is for: a record over the end is in one piece, and not where it is twice. */
TEST_F(twice, over_the_end)
{
	static const char record[] = "a record that is not split";
	const size_t at = self->size - 10;

	memcpy(self->mine + at, record, sizeof(record));
	EXPECT_EQ(memcmp(self->theirs + at, record, sizeof(record)), 0);
	EXPECT_EQ(memcmp(self->theirs, record + 10, sizeof(record) - 10), 0);
}

/* Dropped in one half, it comes back, and the other half is as it was. */
TEST_F(twice, madv_dontneed)
{
	char * const half[] = { self->mine, self->mine + self->size };
	size_t i;
	int n;

	for (n = 0; n < 2; n++) {
		for (i = 0; i < self->size; i++)
			half[n][i] = i * 7 + n;
		ASSERT_EQ(madvise(half[n], self->size, MADV_DONTNEED), 0);
		EXPECT_TRUE(same_halves(self->mine, self->size));
		ASSERT_EQ(madvise(half[n], self->size, MADV_DONTNEED), 0);
		half[!n][1] = 'x';
		EXPECT_EQ(half[n][1], 'x');
		half[n][2] = 'y';
		EXPECT_EQ(self->theirs[2], 'y');
	}
}

TEST_F(twice, mprotect)
{
	char *again = self->mine + self->size;

	EXPECT_EQ(mprotect(again, self->size, READ), 0);
	EXPECT_EQ(touch(again, true), SIGSEGV);
	EXPECT_EQ(touch(self->mine, true), 0);
	EXPECT_EQ(negative_errno(mprotect(again, self->size, EXEC)), -EACCES);
	EXPECT_EQ(mprotect(again, self->size, WRITE), 0);
	EXPECT_EQ(touch(again, true), 0);
	again = (char *)self->theirs + self->size;
	EXPECT_EQ(negative_errno(mprotect(again, self->size, WRITE)), -EACCES);
	EXPECT_EQ(touch(again, true), SIGSEGV);
}

/* The fd has its data once more and no further, and memory counts them once. */
TEST_F(twice, counted_once)
{
	const __u64 end = self->m.end;

	EXPECT_EQ(self->m.g.memory, self->m.g.data_offset + self->size);
	EXPECT_EQ(end, self->m.g.memory + self->size);
	EXPECT_EQ(mmap(NULL, self->m.page, READ, MAP_SHARED, self->m.fd[RING_FD], end),
		  MAP_FAILED);
	EXPECT_EQ(errno, ENXIO);
}

/* ------------------------------------------- what may not be written, is not */

/* One read-only mapping of each kind, with every way to write it. */
FIXTURE(read_only)
{
	mmap_t m;
	char *at;
	char before;
};

FIXTURE_VARIANT(read_only)
{
	enum who who;
	int span;
};

FIXTURE_VARIANT_ADD(read_only, producers_consumer_page) { PRODUCER_FD, 0 };
FIXTURE_VARIANT_ADD(read_only, producers_info) { PRODUCER_FD, 1 };
FIXTURE_VARIANT_ADD(read_only, consumers_info) { CONSUMER_FD, 1 };
FIXTURE_VARIANT_ADD(read_only, consumers_producer_page) { CONSUMER_FD, 2 };
FIXTURE_VARIANT_ADD(read_only, consumers_data) { CONSUMER_FD, 4 };
FIXTURE_VARIANT_ADD(read_only, rings_consumer_page) { RING_FD, 0 };
FIXTURE_VARIANT_ADD(read_only, rings_info) { RING_FD, 1 };
FIXTURE_VARIANT_ADD(read_only, rings_producer_page) { RING_FD, 2 };
FIXTURE_VARIANT_ADD(read_only, rings_data) { RING_FD, 4 };
FIXTURE_VARIANT_ADD(read_only, consumers_data_again) { CONSUMER_FD, 12 };
FIXTURE_VARIANT_ADD(read_only, rings_data_again) { RING_FD, 12 };

FIXTURE_SETUP(read_only)
{
	long at;

	SKIP_WITHOUT_DEVICE();
	mmap_setup(_metadata, &self->m,
		   spans[variant->span].first == AGAIN ? &of_records : &of_frames);
	ASSERT_FALSE(spans[variant->span].writable[variant->who]);
	at = map(&self->m, variant->who, &spans[variant->span], READ, MAP_SHARED);
	ASSERT_FALSE(at < 0 && at > -4096);
	self->at = (char *)at;
	self->before = *self->at;
}

FIXTURE_TEARDOWN(read_only)
{
	munmap(self->at, self->m.page);
	mmap_teardown(_metadata, &self->m, NULL);
}

TEST_F(read_only, faults)
{
	EXPECT_EQ(touch(self->at, false), 0);
	EXPECT_EQ(touch(self->at, true), SIGSEGV);
	EXPECT_EQ(touch(self->at + self->m.page - 1, true), SIGSEGV);
}

TEST_F(read_only, mprotect)
{
	static const int more[] = { PROT_WRITE, WRITE, PROT_EXEC, EXEC, WRITE | PROT_EXEC };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		EXPECT_EQ(negative_errno(mprotect(self->at, self->m.page, more[i])), -EACCES)
			TH_LOG("prot %d", more[i]);
	}
	EXPECT_EQ(mprotect(self->at, self->m.page, PROT_NONE), 0);
	EXPECT_EQ(negative_errno(mprotect(self->at, self->m.page, WRITE)), -EACCES);
	EXPECT_EQ(mprotect(self->at, self->m.page, READ), 0);
	EXPECT_EQ(touch(self->at, true), SIGSEGV);
}

/* Moved or doubled, it has the rights that it had. */
TEST_F(read_only, mremap)
{
	const size_t page = self->m.page;
	char *to = mmap(NULL, 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *twin;

	ASSERT_NE(to, MAP_FAILED);
	EXPECT_EQ(mremap(self->at, page, 2 * page, MREMAP_MAYMOVE), MAP_FAILED);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(mremap(self->at, page, 2 * page, 0), MAP_FAILED);

	/* of length 0: a second mapping of the same, where the kernel gives one */
	twin = mremap(self->at, 0, page, MREMAP_MAYMOVE);
	if (twin != MAP_FAILED) {
		EXPECT_EQ(negative_errno(mprotect(twin, page, WRITE)), -EACCES);
		EXPECT_EQ(touch(twin, true), SIGSEGV);
		munmap(twin, page);
	} else {
		EXPECT_TRUE(errno == EFAULT || errno == EINVAL);
	}
#ifdef MREMAP_DONTUNMAP
	EXPECT_EQ(mremap(self->at, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), MAP_FAILED);
#endif
	ASSERT_EQ(mremap(self->at, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	self->at = to;
	EXPECT_EQ(*to, self->before);
	EXPECT_EQ(negative_errno(mprotect(to, page, WRITE)), -EACCES);
	EXPECT_EQ(touch(to, true), SIGSEGV);
}

/* The ways that look over the mapping's own rights. */
TEST_F(read_only, proc_mem)
{
	const char byte = ~self->before;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char seen;

	if (fd < 0)
		SKIP(return, "/proc/self/mem: %s", strerror(errno));
	EXPECT_EQ(negative_errno(pwrite(fd, &byte, 1, (long)self->at)), -EIO);
	EXPECT_EQ(pread(fd, &seen, 1, (long)self->at), 1);
	EXPECT_EQ(seen, self->before);
	EXPECT_EQ(*self->at, self->before);
	close(fd);
}

TEST_F(read_only, process_vm_writev)
{
	char byte = ~self->before, other;
	struct iovec from = { &byte, 1 }, to = { &other, 1 };

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != 1)
		SKIP(return, "process_vm_writev: %s", strerror(errno));
	to.iov_base = self->at;
	EXPECT_EQ(negative_errno(process_vm_writev(getpid(), &from, 1, &to, 1, 0)), -EFAULT);
	EXPECT_EQ(*self->at, self->before);
}

TEST_F(read_only, as_a_buffer)
{
	int pair[2];

	ASSERT_EQ(pipe(pair), 0);
	ASSERT_EQ(write(pair[1], "xyz", 3), 3);
	EXPECT_EQ(negative_errno(read(pair[0], self->at, 3)), -EFAULT);
	EXPECT_EQ(*self->at, self->before);
}

TEST_F(read_only, madvise)
{
	EXPECT_NE(madvise(self->at, self->m.page, MADV_REMOVE), 0);
	EXPECT_NE(madvise(self->at, self->m.page, MADV_DODUMP), 0);
	EXPECT_EQ(madvise(self->at, self->m.page, MADV_DONTNEED), 0);
	EXPECT_EQ(*self->at, self->before);
	EXPECT_EQ(madvise(self->at, self->m.page, MADV_DONTNEED), 0);
	EXPECT_EQ(touch(self->at, true), SIGSEGV);
	EXPECT_EQ(touch(self->at, false), 0);
}

/* ------------------------------------------------- what may be, and for how long */

TEST_F(mmap, writable_is_not_executable)
{
	char *at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);

	ASSERT_NE(at, MAP_FAILED);
	EXPECT_EQ(touch(at, true), 0);
	EXPECT_EQ(negative_errno(mprotect(at, self->page, EXEC)), -EACCES);
	EXPECT_EQ(negative_errno(mprotect(at, self->page, WRITE | PROT_EXEC)), -EACCES);
	EXPECT_EQ(mprotect(at, self->page, READ), 0);
	EXPECT_EQ(touch(at, true), SIGSEGV);
	EXPECT_EQ(mprotect(at, self->page, WRITE), 0);
	EXPECT_EQ(touch(at, true), 0);
}

/* An old program maps executable what it reads: refused, unless on a noexec mount. */
TEST_F(mmap, read_implies_exec)
{
	void *at;

	if (personality(READ_IMPLIES_EXEC) < 0)
		SKIP(return, "personality: %s", strerror(errno));
	at = map_section(self, RING_FD, 0, READ);
	if (at != MAP_FAILED)
		errno = mprotect(at, self->page, EXEC) ? errno : 0;
	EXPECT_EQ(errno, EACCES);
}

/* A writable mapping cannot be slid over to pages that are not. */
TEST_F(mmap, remap_file_pages)
{
	const size_t page = self->page;
	const unsigned long not_mine[] = { 0, 1 };
	char *at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not_mine); i++) {
		at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
		ASSERT_NE(at, MAP_FAILED);
		EXPECT_EQ(negative_errno(syscall(SYS_remap_file_pages, at, page, 0,
						 not_mine[i], 0)), -EACCES);
	}
	at = map_section(self, CONSUMER_FD, 0, WRITE);
	ASSERT_NE(at, MAP_FAILED);
	EXPECT_EQ(negative_errno(syscall(SYS_remap_file_pages, at, page, 0, 3, 0)), -EACCES);
	/* a read-only one stays so, wherever it goes */
	at = map_section(self, CONSUMER_FD, self->g.info_offset, READ);
	ASSERT_NE(at, MAP_FAILED);
	if (!syscall(SYS_remap_file_pages, at, page, 0, 0, 0)) {
		EXPECT_EQ(touch(at, true), SIGSEGV);
		EXPECT_EQ(mprotect(at, page, WRITE), 0);
	}
}

/* Dropped pages come back as they were. */
TEST_F(mmap, madv_dontneed)
{
	const size_t size = self->g.data_bytes;
	char *at = mmap(NULL, size, WRITE, MAP_SHARED, self->fd[PRODUCER_FD], self->g.data_offset);
	char *peer = mmap(NULL, size, READ, MAP_SHARED, self->fd[CONSUMER_FD],
			  self->g.data_offset);
	size_t i;

	ASSERT_NE(at, MAP_FAILED);
	ASSERT_NE(peer, MAP_FAILED);
	for (i = 0; i < size; i++)
		at[i] = i * 7;
	EXPECT_EQ(madvise(at, size, MADV_DONTNEED), 0);
	EXPECT_EQ(madvise(peer, size, MADV_DONTNEED), 0);
	for (i = 0; i < size; i++) {
		ASSERT_EQ(at[i], (char)(i * 7));
		ASSERT_EQ(peer[i], (char)(i * 7));
	}
	EXPECT_EQ(madvise(at, size, MADV_DONTNEED), 0);
	for (i = 0; i < size; i += 100)
		at[i] = 1;
	for (i = 0; i < size; i++)
		ASSERT_EQ(peer[i], i % 100 ? (char)(i * 7) : 1);
	EXPECT_NE(madvise(at, size, MADV_REMOVE), 0);
	EXPECT_NE(madvise(at, size, MADV_FREE), 0);
	EXPECT_EQ(*peer, 1);
}

/* With every fd closed the ring goes on. */
TEST_F(mmap, after_close)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v, w = 0;
	char *all;
	int i;

	if (variant->want.flags & SPSCRING_CREATE_RECORDS)
		return;
	all = mmap(NULL, self->g.memory, READ, MAP_SHARED, self->fd[RING_FD], 0);
	ASSERT_NE(all, MAP_FAILED);
	ASSERT_EQ(map_producer(self->fd[PRODUCER_FD], &p, NULL), 0);
	ASSERT_EQ(map_consumer(self->fd[CONSUMER_FD], &c, NULL), 0);
	for (i = 0; i < FDS; i++)
		close_fd(&self->fd[i]);
	for (v = 0; v < 10000; v++) {
		ASSERT_EQ(spscring_push(&p, &v), 0);
		ASSERT_EQ(spscring_pop(&c, &w), 0);
		ASSERT_EQ(v, w);
	}
	EXPECT_EQ(*(__u64 *)(all + self->g.info_offset), SPSCRING_MAGIC);
	/* refilled from a ring that no fd names any more */
	EXPECT_EQ(madvise(all, self->g.memory, MADV_DONTNEED), 0);
	EXPECT_EQ(*(__u64 *)(all + self->g.info_offset), SPSCRING_MAGIC);
}

/* A fork has the fds and none of the mappings. */
TEST_F(mmap, not_in_a_child)
{
	char *rw = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	char *ro = map_section(self, PRODUCER_FD, self->g.info_offset, READ);
	pid_t pid;

	ASSERT_NE(rw, MAP_FAILED);
	ASSERT_NE(ro, MAP_FAILED);
	pid = fork_child();
	if (!pid)
		_exit(touch(rw, false) == SIGSEGV && touch(ro, false) == SIGSEGV);
	EXPECT_EQ(wait_child(pid), 1);
	EXPECT_EQ(touch(rw, true), 0);
}

/*
 * The kernel lets a process ask for it all the same: then the child's mapping
 * holds the end, as any mapping does.
 */
TEST_F(mmap, madv_dofork)
{
	char *rw = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	int ring = self->fd[RING_FD], hold[2];
	pid_t pid;

	ASSERT_NE(rw, MAP_FAILED);
	if (madvise(rw, self->page, MADV_DOFORK))
		return;
	ASSERT_EQ(pipe(hold), 0);
	pid = fork_child();
	if (!pid) {
		close(hold[1]);
		close(self->fd[PRODUCER_FD]);
		if (touch(rw, true))
			_exit(1);
		_exit(read(hold[0], rw, 1));
	}
	munmap(rw, self->page);
	close_fd(&self->fd[PRODUCER_FD]);
	sleep_ms(20);
	EXPECT_EQ(state_of(ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	EXPECT_EQ(claim_end(ring, SPSCRING_PRODUCER, 0), -EBUSY);
	close(hold[1]);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* The flags of the mapping at @at, as smaps has them. */
static bool vm_flags(void *at, char *flags, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	unsigned long from, to;
	char line[512];

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)at >= from && (unsigned long)at < to;
		found = inside && !strncmp(line, "VmFlags:", 8);
	}
	if (f)
		fclose(f);
	if (found)
		snprintf(flags, size, "%s", line + 8);
	return found;
}

/* No dump, no growing, no child; and what it may become. */
TEST_F(mmap, vm_flags)
{
	static const char * const always[] = { " dd ", " de ", " dc ", " sh ", " ms ", " mr " };
	char flags[512];
	void *ro, *rw;
	size_t i;

	ro = map_section(self, PRODUCER_FD, self->g.consumer_offset, READ);
	rw = map_section(self, PRODUCER_FD, self->g.data_offset, READ);
	ASSERT_NE(ro, MAP_FAILED);
	ASSERT_NE(rw, MAP_FAILED);
	if (!vm_flags(ro, flags, sizeof(flags)))
		SKIP(return, "no VmFlags in /proc/self/smaps");
	for (i = 0; i < ARRAY_SIZE(always); i++) {
		EXPECT_NE(strstr(flags, always[i]), NULL)
			TH_LOG("no%sin%s", always[i], flags);
	}
	EXPECT_EQ(strstr(flags, " mw "), NULL);
	EXPECT_EQ(strstr(flags, " me "), NULL);

	ASSERT_TRUE(vm_flags(rw, flags, sizeof(flags)));
	for (i = 0; i < ARRAY_SIZE(always); i++)
		EXPECT_NE(strstr(flags, always[i]), NULL);
	EXPECT_NE(strstr(flags, " mw "), NULL);
	EXPECT_EQ(strstr(flags, " me "), NULL);
}

/* -------------------------------------------------------------- pinned pages */

FIXTURE(pin)
{
	mmap_t m;
	int pipe[2];
};

FIXTURE_VARIANT(pin)
{
	enum who who;
	__u32 role;
	int page;
};

FIXTURE_VARIANT_ADD(pin, first_of_data) { PRODUCER_FD, SPSCRING_PRODUCER, 3 };
FIXTURE_VARIANT_ADD(pin, last_of_data) { PRODUCER_FD, SPSCRING_PRODUCER, LAST };
FIXTURE_VARIANT_ADD(pin, first_of_data_again) { PRODUCER_FD, SPSCRING_PRODUCER, AGAIN };
FIXTURE_VARIANT_ADD(pin, last_of_data_again) { PRODUCER_FD, SPSCRING_PRODUCER, LAST_AGAIN };
FIXTURE_VARIANT_ADD(pin, producer_page) { PRODUCER_FD, SPSCRING_PRODUCER, 2 };
FIXTURE_VARIANT_ADD(pin, consumer_page) { CONSUMER_FD, SPSCRING_CONSUMER, 0 };

FIXTURE_SETUP(pin)
{
	SKIP_WITHOUT_DEVICE();
	mmap_setup(_metadata, &self->m, variant->page >= AGAIN ? &of_records : &of_frames);
	ASSERT_EQ(pipe(self->pipe), 0);
}

FIXTURE_TEARDOWN(pin)
{
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
	mmap_teardown(_metadata, &self->m, NULL);
}

/* A pipe's hold on a page outlives the end; until it is gone nobody is the next. */
TEST_F(pin, vmsplice)
{
	const size_t page = self->m.page;
	int ring = self->m.fd[RING_FD], end;
	size_t offset = span_from(&self->m, &(struct span){ .first = variant->page });
	struct iovec iov = { .iov_len = 8 };
	char byte[8];
	void *at;

	ASSERT_LT(offset, self->m.end);
	at = map_section(&self->m, variant->who, offset, WRITE);
	ASSERT_NE(at, MAP_FAILED);
	memcpy(at, "vmsplice", 8);
	iov.iov_base = at;
	ASSERT_EQ(vmsplice(self->pipe[1], &iov, 1, 0), 8);
	munmap(at, page);
	close_fd(&self->m.fd[variant->who]);
	ASSERT_TRUE(wait_state(ring, variant->role, SPSCRING_DEAD));

	EXPECT_EQ(claim_end(ring, variant->role, 0), -EBUSY);
	EXPECT_EQ(state_of(ring, variant->role), SPSCRING_DEAD);
	EXPECT_EQ(claim_end(ring, variant->role, 0), -EBUSY);
	ASSERT_EQ(read(self->pipe[0], byte, 8), 8);
	EXPECT_EQ(memcmp(byte, "vmsplice", 8), 0);
	if (variant->page == 0 || variant->page == 2)
		return;		/* it wrote over a cursor: that is another test's */
	end = claim_end(ring, variant->role, 0);
	EXPECT_GE(end, 0);
	close(end);
}

/* The mappings of others are no pins: a claim among many of them succeeds. */
TEST_F(mmap, mappings_are_no_pins)
{
	int ring = self->fd[RING_FD], i, end;

	for (i = 0; i < 20; i++) {
		ASSERT_NE(mmap(NULL, self->end, READ, MAP_SHARED, ring, 0), MAP_FAILED);
		ASSERT_NE(map_section(self, CONSUMER_FD, self->g.data_offset, READ), MAP_FAILED);
	}
	close_fd(&self->fd[PRODUCER_FD]);
	ASSERT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	end = claim_end(ring, SPSCRING_PRODUCER, 0);
	EXPECT_GE(end, 0);
	close(end);
}

/* ---------------------------------------------------------------- userfaultfd */

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

/* A userfaultfd that takes mappings of any kind; or a negative errno. */
static int any_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };
	int fd = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC)), err;

	if (fd < 0)
		return fd;
	err = do_ioctl(fd, UFFDIO_API, &api);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int protect_by(int uffd, char *at, size_t size)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)at, size }, .mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int err = do_ioctl(uffd, UFFDIO_REGISTER, &reg);

	return err ? err : do_ioctl(uffd, UFFDIO_WRITEPROTECT, &protect);
}

/* Of a child that has a minute to end: how, or 255 and it may be there for ever. */
static int end_of_child(pid_t pid)
{
	int tries, status;

	for (tries = 0; tries < 6000; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		sleep_ms(10);
	}
	kill(pid, SIGKILL);
	return 255;
}

#define REFUSED		77

/* What is dropped while it is protected leaves userfaultfd's own entry behind. */
static int use_protected(mmap_t *self)
{
	char *at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	int uffd = any_userfaultfd(), fds[2], err;

	if (at == MAP_FAILED || pipe(fds) || write(fds[1], "byte", 4) != 4)
		return 1;
	*at = 0;
	if (uffd < 0 || protect_by(uffd, at, self->page))
		return REFUSED;
	if (madvise(at, self->page, MADV_DONTNEED))
		return 2;
	err = negative_errno(read(fds[0], at, 1));
	if (err != 1 && err != -EFAULT)
		return 3;
	err = negative_errno(write(fds[1], at, 1));
	if (err != 1 && err != -EFAULT)
		return 4;
	err = touch(at, true);
	return err && err != SIGBUS ? 5 : 0;
}

/*
 * The kernel's access to a page whose entry in the page table is none that the module
 * knows ends, with or without an error; and so does the process's own.
 */
TEST_F(mmap, foreign_entries)
{
	pid_t pid = fork_child();
	int end;

	if (!pid)
		_exit(use_protected(self));
	end = end_of_child(pid);
	if (end == REFUSED)
		SKIP(return, "userfaultfd takes no mapping of the module's");
	EXPECT_EQ(end, 0);
}

/* --------------------------------------------------------- a read-only open */

/* Shared to the eye, private to the kernel's VM_SHARED: never writable. */
TEST_F(mmap, opened_read_only)
{
	struct spscring_geometry g;
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC), end;
	char *at;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .record_size = 1)), 0);
	g = info_of(fd).geometry;
	at = mmap(NULL, g.memory, READ, MAP_SHARED, fd, 0);
	ASSERT_NE(at, MAP_FAILED);
	EXPECT_EQ(touch(at + g.data_offset, false), 0);
	EXPECT_EQ(negative_errno(mprotect(at, self->page, WRITE)), -EACCES);
	EXPECT_EQ(mmap(NULL, g.memory, READ, MAP_PRIVATE, fd, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mmap(NULL, self->page, WRITE, MAP_SHARED, fd, g.data_offset), MAP_FAILED);
	EXPECT_EQ(errno, EACCES);

	/* reopened through /proc it is another ring fd, and empty */
	end = claim_end(fd, SPSCRING_CONSUMER, 0);
	EXPECT_GE(end, 0);
	close(end);
	close(fd);
}

TEST_HARNESS_MAIN
