// SPDX-License-Identifier: GPL-2.0
/*
 * Large rings: chunks of memory and how they are mapped.  Whatever the kernel does
 * with a chunk, each page is where it is to be, and none is lost or kept.
 */
#include <stdio.h>
#include <sys/sysinfo.h>

#include "selftest.h"

#define MIB	(1ULL << 20)
#define GIB	(1ULL << 30)
#define READ	PROT_READ
#define WRITE	(PROT_READ | PROT_WRITE)

/* --------------------------------------------------------------- geometry */

/* To the byte, and nothing that is cut to 32 bits on the way. */
TEST(largest_frames)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;

	/* a frame of 2^19 holds 7 such records */
	ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 8192 * 7, .record_size = 65536),
					 page), 0);
	EXPECT_EQ(g.frame_size, 1U << 19);
	EXPECT_EQ(g.frames, 8192);
	EXPECT_EQ(g.data_bytes, 4 * GIB);
	EXPECT_EQ(g.memory, 4 * GIB + 3 * page);
	EXPECT_EQ(spscring_mapped_bytes(&g), g.memory);
	EXPECT_EQ(spscring_geometry_init(&g, RING(.capacity = 8192 * 7 + 1,
						  .record_size = 65536), page), -E2BIG);
	ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 4 * GIB / 64 * 56,
						  .record_size = 1, .frame_size = 64), page), 0);
	EXPECT_EQ(g.frames, 4 * GIB / 64);
	EXPECT_EQ(g.data_bytes, 4 * GIB);
	EXPECT_EQ(g.tell, 4 * GIB / 64 * 7);
}

TEST(largest_records)
{
	const long page = sysconf(_SC_PAGESIZE);
	const __u32 records = SPSCRING_CREATE_RECORDS;
	struct spscring_geometry g;
	__u32 align;

	for (align = SPSCRING_RECORDS_ALIGN_MIN; align <= SPSCRING_RECORDS_ALIGN_MAX; align *= 2) {
		ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 4 * GIB, .flags = records,
							  .record_align = align), page), 0);
		EXPECT_EQ(g.capacity, 4 * GIB);
		EXPECT_EQ(g.data_bytes, 4 * GIB);
		EXPECT_EQ(g.memory, 4 * GIB + 3 * page);
		EXPECT_EQ(spscring_mapped_bytes(&g), 8 * GIB + 3 * page);
		EXPECT_EQ(g.tell, GIB / 2);
		EXPECT_EQ(spscring_geometry_init(&g, RING(.capacity = 4 * GIB + align,
							  .flags = records,
							  .record_align = align), page), -E2BIG);
		ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 4 * GIB - align,
							  .flags = records,
							  .record_align = align), page), 0);
		EXPECT_EQ(g.data_bytes, align < page ? 4 * GIB : 4 * GIB - align);
	}
}

/* ------------------------------------------------------------------ memory */

FIXTURE(large)
{
	int ring, producer, consumer;
	struct spscring_geometry g;
	size_t page, half, size;	/* half: the data; size: all that is mapped of them */
};

FIXTURE_VARIANT(large)
{
	struct spscring_create want;
};

/* The smallest has one chunk at most, and others have something left over. */
FIXTURE_VARIANT_ADD(large, frames_2) { { .capacity = 2 * MIB / 64, .record_size = 56 } };
FIXTURE_VARIANT_ADD(large, frames_9) { { .capacity = 9 * MIB / 64, .record_size = 56 } };
FIXTURE_VARIANT_ADD(large, records_2) {
	{ .capacity = 2 * MIB, .flags = SPSCRING_CREATE_RECORDS } };
FIXTURE_VARIANT_ADD(large, records_9) {
	{ .capacity = 9 * MIB, .flags = SPSCRING_CREATE_RECORDS } };

FIXTURE_SETUP(large)
{
	struct spscring_create want = variant->want;

	SKIP_WITHOUT_DEVICE();
	want.size = sizeof(want);
	self->ring = spscring_open(&want);
	ASSERT_GE(self->ring, 0);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->producer, 0);
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->consumer, 0);
	self->g = info_of(self->ring).geometry;
	self->page = self->g.page_size;
	self->half = self->g.data_bytes;
	self->size = want.flags & SPSCRING_CREATE_RECORDS ? 2 * self->half : self->half;
}

FIXTURE_TEARDOWN(large)
{
	close_fd(&self->ring);
	close_fd(&self->producer);
	close_fd(&self->consumer);
}

#define large_t	FIXTURE_DATA(large)

/* An end's mapping as the library makes it; the data's address, or NULL. */
static char *map_data(large_t *self, int fd, int flags)
{
	const bool writer = fd == self->producer;
	const __u64 from = writer ? self->g.producer_offset : self->g.info_offset;
	const size_t before = self->g.data_offset - from;
	char *at = mmap(NULL, before + self->size, writer ? WRITE : READ, MAP_SHARED | flags,
			fd, from);

	return at == MAP_FAILED ? NULL : at + before;
}

/* In no tail and no record's word, so that a claim finds what it looks for. */
static __u64 *stamp_of(large_t *self, const char *data, size_t n)
{
	return (__u64 *)(data + n * self->page + 8);
}

static void stamp(large_t *self, char *data, __u64 seed)
{
	size_t n;

	for (n = 0; n < self->half / self->page; n++)
		*stamp_of(self, data, n) = seed + n;
}

/* The first page of [from, to), in pages, that is not what it was; or -1. */
static long not_stamped(large_t *self, const char *data, __u64 seed, size_t from, size_t to)
{
	size_t n;

	for (n = from; n < to; n++) {
		if (*stamp_of(self, data, n) != seed + n % (self->half / self->page))
			return n;
	}
	return -1;
}

static long not_all_stamped(large_t *self, const char *data, __u64 seed)
{
	return not_stamped(self, data, seed, 0, self->size / self->page);
}

static unsigned long huge_page(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	unsigned long size = 0;

	if (f && fscanf(f, "%lu", &size) != 1)
		size = 0;
	if (f)
		fclose(f);
	return size;
}

/* Of all mappings in [at, at + size), in bytes; smaps says kB. */
static size_t smaps_bytes(const char *at, size_t size, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to, kb;
	char line[512], name[64];
	bool inside = false;
	size_t sum = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from < (unsigned long)at + size && to > (unsigned long)at;
		else if (inside && sscanf(line, "%63[^:]: %lu kB", name, &kb) == 2 &&
			 !strcmp(name, key))
			sum += kb * 1024;
	}
	if (f)
		fclose(f);
	return sum;
}

/* What is to be mapped by PMD entries, where the kernel chose the address. */
static size_t huge_bytes(large_t *self)
{
	const unsigned long huge = huge_page();

	if (!(self->g.features & SPSCRING_FEATURE_HUGE))
		return 0;
	return self->half / huge * huge * (self->size / self->half);
}

/* --------------------------------------------------------------- mappings */

TEST_F(large, offsets)
{
	const struct spscring_geometry *g = &self->g;

	EXPECT_EQ(g->memory, self->half + 3 * self->page);
	EXPECT_EQ(g->info_offset, g->consumer_offset + self->page);
	EXPECT_EQ(g->producer_offset, g->consumer_offset + 2 * self->page);
	EXPECT_EQ(g->data_offset, g->consumer_offset + 3 * self->page);
	if (g->features & SPSCRING_FEATURE_HUGE) {
		ASSERT_NE(huge_page(), 0);
		EXPECT_EQ(g->data_offset % huge_page(), 0);
		EXPECT_GE(g->data_bytes, huge_page());
		EXPECT_EQ(mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
			       g->consumer_offset - self->page), MAP_FAILED);
		EXPECT_EQ(errno, ENXIO);
		EXPECT_EQ(mmap(NULL, self->page, READ, MAP_SHARED, self->ring, 0), MAP_FAILED);
		EXPECT_EQ(errno, ENXIO);
	} else {
		EXPECT_EQ(g->consumer_offset, 0);
	}
	EXPECT_EQ(mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
		       g->data_offset + self->size), MAP_FAILED);
	EXPECT_EQ(errno, ENXIO);
	EXPECT_EQ(mmap(NULL, g->memory + self->size, READ, MAP_SHARED, self->ring,
		       g->consumer_offset), MAP_FAILED);
	EXPECT_EQ(errno, ENXIO);
}

/* Each page once, in its place, at both ends; what is dropped comes back. */
TEST_F(large, each_page)
{
	char *mine = map_data(self, self->producer, 0);
	char *theirs = map_data(self, self->consumer, 0);
	size_t n;

	ASSERT_NE(mine, NULL);
	ASSERT_NE(theirs, NULL);
	stamp(self, mine, 1000);
	EXPECT_EQ(not_all_stamped(self, mine, 1000), -1);
	EXPECT_EQ(not_all_stamped(self, theirs, 1000), -1);
	ASSERT_EQ(madvise(mine, self->size, MADV_DONTNEED), 0);
	ASSERT_EQ(madvise(theirs, self->size, MADV_DONTNEED), 0);
	EXPECT_EQ(not_all_stamped(self, theirs, 1000), -1);
	stamp(self, mine + self->size - self->half, 2000);
	EXPECT_EQ(not_all_stamped(self, theirs, 2000), -1);
	EXPECT_EQ(not_all_stamped(self, mine, 2000), -1);
	/* a page here and there, by any fd */
	for (n = 0; n < self->size / self->page; n += 177) {
		char *at = mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
				self->g.data_offset + n * self->page);

		ASSERT_NE(at, MAP_FAILED);
		ASSERT_EQ(*stamp_of(self, at, 0), 2000 + n % (self->half / self->page));
		munmap(at, self->page);
	}
}

/* What the library maps, and the pages before the data as well. */
TEST_F(large, by_the_library)
{
	const bool records = self->g.flags & SPSCRING_CREATE_RECORDS;
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
	const struct spscring_info_page *info;

	ASSERT_EQ(records ? record_map_producer(self->producer, &rp, &p_map) :
		  map_producer(self->producer, &p, &p_map), 0);
	ASSERT_EQ(records ? record_map_consumer(self->consumer, &rc, &c_map) :
		  map_consumer(self->consumer, &c, &c_map), 0);
	EXPECT_EQ(p_map.writable_size, self->page + self->size);
	EXPECT_EQ(c_map.read_only_size, 2 * self->page + self->size);
	info = c_map.read_only;
	EXPECT_EQ(info->magic, SPSCRING_MAGIC);
	EXPECT_EQ(memcmp(&info->geometry, &self->g, sizeof(self->g)), 0);
	/* all of it at once */
	EXPECT_EQ(smaps_bytes(p_map.writable, p_map.writable_size, "Rss"), p_map.writable_size);
	EXPECT_EQ(smaps_bytes(c_map.read_only, c_map.read_only_size, "Rss"), c_map.read_only_size);
	EXPECT_EQ(smaps_bytes(p_map.writable, p_map.writable_size, "FilePmdMapped"),
		  huge_bytes(self));
	ksft_print_msg("%zu of %zu KiB of data by PMD entries\n", huge_bytes(self) / 1024,
		       self->size / 1024);
	spscring_unmap(&p_map);
	spscring_unmap(&c_map);
}

/* As it is touched, at once with MAP_POPULATE, and no more than that. */
TEST_F(large, populate)
{
	const int flags[] = { 0, MAP_POPULATE };
	char *mine;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		mine = map_data(self, self->producer, flags[i]);
		ASSERT_NE(mine, NULL);
		if (!flags[i] && self->g.features & SPSCRING_FEATURE_HUGE)
			EXPECT_EQ(smaps_bytes(mine, self->size, "Rss"), 0);
		if (!flags[i])
			stamp(self, mine + self->size - self->half, 1);
		if (!flags[i])
			stamp(self, mine, 1);
		/* the producer's page is in the mapping, too */
		EXPECT_GE(smaps_bytes(mine, self->size, "Rss"), self->size);
		EXPECT_LE(smaps_bytes(mine, self->size, "Rss"), self->size + self->page);
		EXPECT_EQ(smaps_bytes(mine, self->size, "FilePmdMapped"), huge_bytes(self));
		EXPECT_EQ(smaps_bytes(mine, self->size, "AnonHugePages"), 0);
		EXPECT_EQ(smaps_bytes(mine, self->size, "Locked"), 0);
		EXPECT_EQ(not_all_stamped(self, mine, 1), -1);
		munmap(mine - self->page, self->size + self->page);
	}
}

/* An address that does not agree with the offset: page by page, the right ones. */
TEST_F(large, any_address)
{
	static const unsigned int pages[] = { 1, 3, 511 };
	char *mine = map_data(self, self->producer, 0), *room, *at;
	const size_t most = 1024 * self->page;
	size_t i;

	ASSERT_NE(mine, NULL);
	stamp(self, mine, 1);
	room = mmap(NULL, self->size + 2 * most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(room, MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		at = (char *)(((unsigned long)room + most) & -(512 * self->page));
		at += pages[i] * self->page;
		ASSERT_EQ(mmap(at, self->size, READ, MAP_SHARED | MAP_FIXED, self->consumer,
			       self->g.data_offset), at);
		EXPECT_EQ(not_all_stamped(self, at, 1), -1)
			TH_LOG("%u pages beside", pages[i]);
		if (huge_page() == 512 * self->page)
			EXPECT_EQ(smaps_bytes(at, self->size, "FilePmdMapped"), 0);
		ASSERT_EQ(madvise(at, self->size, MADV_DONTNEED), 0);
		EXPECT_EQ(not_all_stamped(self, at, 1), -1);
	}
	/* all pages, the control pages before the data */
	at = (char *)(((unsigned long)room + most) & -(512 * self->page));
	ASSERT_EQ(mmap(at, 3 * self->page + self->size, READ, MAP_SHARED | MAP_FIXED, self->ring,
		       self->g.consumer_offset), at);
	EXPECT_EQ(*(__u64 *)(at + self->page), SPSCRING_MAGIC);
	EXPECT_EQ(not_all_stamped(self, at + 3 * self->page, 1), -1);
	ASSERT_EQ(madvise(at, 3 * self->page + self->size, MADV_DONTNEED), 0);
	EXPECT_EQ(not_all_stamped(self, at + 3 * self->page, 1), -1);
	EXPECT_EQ(*(__u64 *)(at + self->page), SPSCRING_MAGIC);
}

/* Parts are unmapped, protected, moved: what is left is what it was. */
static const char *take_apart(large_t *self, char *mine)
{
	const size_t page = self->page, some = 37 * page;
	const size_t all = self->size / page, middle = self->half / 2 / page;
	char *to;

	if (mprotect(mine + self->half / 2, some, READ) ||
	    touch(mine + self->half / 2, true) != SIGSEGV ||
	    touch(mine + self->half / 2 + some, true))
		return "mprotect of some";
	if (mprotect(mine, self->size, READ) || touch(mine, true) != SIGSEGV ||
	    mprotect(mine, self->size, WRITE) || touch(mine, true) ||
	    touch(mine + self->half / 2, true))
		return "mprotect of all";
	if (not_all_stamped(self, mine, 1) != -1)
		return "after mprotect";
	if (madvise(mine + page, some, MADV_DONTNEED) || not_all_stamped(self, mine, 1) != -1)
		return "MADV_DONTNEED of some";
	if (munmap(mine + middle * page, page) ||
	    touch(mine + middle * page, false) != SIGSEGV ||
	    not_stamped(self, mine, 1, 0, middle) != -1 ||
	    not_stamped(self, mine, 1, middle + 1, all) != -1)
		return "munmap of one";
	/* to where it does not agree with its offset, and back by its own length */
	to = mmap(NULL, self->half / 2 + 1024 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		  -1, 0);
	if (to == MAP_FAILED)
		return "mmap";
	to = (char *)(((unsigned long)to + 512 * page) & -(512 * page)) + page;
	if (mremap(mine, middle * page, middle * page, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to ||
	    touch(mine, false) != SIGSEGV || not_stamped(self, to, 1, 0, middle) != -1 ||
	    madvise(to, middle * page, MADV_DONTNEED) ||
	    not_stamped(self, to, 1, 0, middle) != -1)
		return "mremap";
	munmap(to, middle * page);
	return NULL;
}

TEST_F(large, taken_apart)
{
	char *mine = map_data(self, self->producer, 0);
	const char *what;

	ASSERT_NE(mine, NULL);
	stamp(self, mine, 1);
	what = take_apart(self, mine);
	EXPECT_EQ(what, NULL)
		TH_LOG("%s", what);
}

/* Advice is not to be taken where it would take pages away. */
TEST_F(large, madvise)
{
	static const int advice[] = {
#ifdef MADV_COLD
		MADV_COLD, MADV_PAGEOUT,
#endif
#ifdef MADV_POPULATE_READ
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
#endif
#ifdef MADV_COLLAPSE
		MADV_COLLAPSE,
#endif
		MADV_NOHUGEPAGE, MADV_DONTNEED, MADV_HUGEPAGE, MADV_DONTNEED, MADV_FREE,
		MADV_MERGEABLE, MADV_REMOVE, MADV_WILLNEED, MADV_RANDOM, MADV_SEQUENTIAL,
	};
	char *mine = map_data(self, self->producer, MAP_POPULATE);
	size_t i;

	ASSERT_NE(mine, NULL);
	stamp(self, mine, 1);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		madvise(mine + self->page, 3 * self->page, advice[i]);
		ASSERT_EQ(not_all_stamped(self, mine, 1), -1)
			TH_LOG("advice %d, some pages", advice[i]);
		madvise(mine, self->size, advice[i]);
		ASSERT_EQ(not_all_stamped(self, mine, 1), -1)
			TH_LOG("advice %d, all pages", advice[i]);
	}
	EXPECT_EQ(mlock(mine, self->size), 0);
	EXPECT_EQ(not_all_stamped(self, mine, 1), -1);
	EXPECT_EQ(munlock(mine, self->size), 0);
}

#define ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

static int set_enabled(const char *word)
{
	int fd = open(ENABLED, O_WRONLY | O_CLOEXEC), ret;

	ret = fd < 0 ? -errno : negative_errno(write(fd, word, strlen(word)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/* The word in brackets. */
static const char *enabled(char *line, size_t size)
{
	FILE *f = fopen(ENABLED, "r");
	char *word = NULL;

	if (f && fgets(line, size, f)) {
		word = strchr(line, '[');
		strtok(line, "]");
	}
	if (f)
		fclose(f);
	return word ? word + 1 : NULL;
}

/* Whatever the system's policy is for memory of its own: the same pages, and all. */
TEST_F(large, policies)
{
	static const char * const policies[] = { "never", "madvise", "always" };
	char line[128], *mine;
	const char *before = enabled(line, sizeof(line));
	size_t i;

	if (!before || set_enabled(before))
		return;		/* there are no huge pages, or it is not ours to say */
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		EXPECT_EQ(set_enabled(policies[i]), 0);
		mine = map_data(self, self->producer, i % 2 ? MAP_POPULATE : 0);
		if (mine) {
			stamp(self, mine, i);
			EXPECT_EQ(not_all_stamped(self, mine, i), -1)
				TH_LOG("%s", policies[i]);
			if (i)
				EXPECT_EQ(smaps_bytes(mine, self->size, "FilePmdMapped"),
					  huge_bytes(self))
					TH_LOG("%s", policies[i]);
			munmap(mine - self->page, self->size + self->page);
		}
	}
	EXPECT_EQ(set_enabled(before), 0);
}

/* A child that asks for the mapping has it. */
TEST_F(large, madv_dofork)
{
	char *mine = map_data(self, self->producer, 0);
	pid_t pid;

	ASSERT_NE(mine, NULL);
	stamp(self, mine, 1);
	if (madvise(mine, self->size, MADV_DOFORK))
		return;
	pid = fork_child();
	if (!pid) {
		if (not_all_stamped(self, mine, 1) != -1)
			_exit(1);
		stamp(self, mine, 2);
		_exit(0);
	}
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(not_all_stamped(self, mine, 2), -1);
}

/* As large as a small machine can have: 256 MiB, mapped twice by both ends and the kernel. */
TEST(of_256_mib)
{
	large_t l = { .half = 256 * MIB, .size = 512 * MIB };
	struct sysinfo machine;
	char *mine, *theirs;
	const size_t step = 251;
	size_t n;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(sysinfo(&machine), 0);
	if (machine.freeram * machine.mem_unit < 384 * MIB)
		return;
	l.ring = spscring_open(RING(.capacity = 256 * MIB, .flags = SPSCRING_CREATE_RECORDS));
	ASSERT_GE(l.ring, 0);
	l.producer = claim_end(l.ring, SPSCRING_PRODUCER, 0);
	l.consumer = claim_end(l.ring, SPSCRING_CONSUMER, 0);
	l.g = info_of(l.ring).geometry;
	l.page = l.g.page_size;
	EXPECT_EQ(l.g.memory, l.half + 3 * l.page);
	mine = map_data(&l, l.producer, 0);
	theirs = map_data(&l, l.consumer, 0);
	ASSERT_NE(mine, NULL);
	ASSERT_NE(theirs, NULL);
	/* in each chunk, and the last page */
	for (n = 0; n < l.half / l.page; n += step)
		*stamp_of(&l, mine, n) = n;
	*stamp_of(&l, mine, l.half / l.page - 1) = ~0ULL;
	for (n = 0; n < l.half / l.page; n += step) {
		ASSERT_EQ(*stamp_of(&l, theirs, n), n);
		ASSERT_EQ(*stamp_of(&l, theirs + l.half, n), n);
		ASSERT_EQ(*stamp_of(&l, mine + l.half, n), n);
	}
	EXPECT_EQ(*stamp_of(&l, theirs, l.size / l.page - 1), ~0ULL);
	close(l.ring);
	close(l.producer);
	close(l.consumer);
}

/* ------------------------------------------------------------------- pins */

static bool producer_dies(large_t *self)
{
	close_fd(&self->producer);
	return wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD);
}

/* One page anywhere in a chunk, by whichever half, is held: so is the end. */
TEST_F(large, pinned)
{
	const size_t pages = self->half / self->page;
	const size_t places[] = { 0, 1, 77, pages / 2 - 1, pages - 1 };
	char byte, *mine, *theirs = map_data(self, self->consumer, MAP_POPULATE);
	int ends[2];
	size_t i;

	ASSERT_NE(theirs, NULL);
	ASSERT_EQ(pipe(ends), 0);
	for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		size_t n = places[i / 2] + (i % 2 ? (self->size - self->half) / self->page : 0);
		struct iovec iov = { .iov_len = 1 };

		mine = map_data(self, self->producer, 0);
		ASSERT_NE(mine, NULL);
		iov.iov_base = mine + n * self->page + 9;
		ASSERT_EQ(vmsplice(ends[1], &iov, 1, 0), 1);
		munmap(mine - self->page, self->page + self->size);
		ASSERT_TRUE(producer_dies(self));
		EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, 0), -EBUSY)
			TH_LOG("page %zu", n);
		ASSERT_EQ(read(ends[0], &byte, 1), 1);
		self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(self->producer, 0)
			TH_LOG("page %zu", n);
	}
}

/* Mappings of all kinds, whole and in parts, are none, and leave none behind. */
TEST_F(large, mappings_are_no_pins)
{
	const size_t page = self->page;
	char *room, *at;
	int round, other;

	for (round = 0; round < 5; round++) {
		char *mine = map_data(self, self->producer, round % 2 ? MAP_POPULATE : 0);

		ASSERT_NE(mine, NULL);
		stamp(self, mine, 1);
		for (other = 0; other < 3; other++) {
			ASSERT_NE(at = map_data(self, self->consumer, MAP_POPULATE), NULL);
			EXPECT_EQ(not_all_stamped(self, at, 1), -1);
			/* apart: these stay until the test ends */
			EXPECT_EQ(munmap(at + self->half / 2, page), 0);
			EXPECT_EQ(mprotect(at, 5 * page, PROT_NONE), 0);
		}
		room = mmap(NULL, self->size + 1024 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(room, MAP_FAILED);
		at = (char *)(((unsigned long)room + 512 * page) & -(512 * page)) + page;
		ASSERT_EQ(mmap(at, self->size, READ, MAP_SHARED | MAP_FIXED, self->ring,
			       self->g.data_offset), at);
		EXPECT_EQ(not_all_stamped(self, at, 1), -1);
		EXPECT_EQ(take_apart(self, mine), NULL);
		/* what is left of the producer's own goes with it */
		munmap(mine - page, page + self->size);
		ASSERT_TRUE(producer_dies(self));
		self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(self->producer, 0)
			TH_LOG("round %d", round);
	}
}

/* Others map and unmap meanwhile: a claim waits for them, and is not refused. */
TEST_F(large, claims_among_mappings)
{
	pid_t pid = fork_child();
	int round;

	if (!pid) {
		close(self->producer);
		for (;;) {
			char *at = map_data(self, self->consumer, MAP_POPULATE);

			if (!at)
				_exit(1);
			munmap(at - 2 * self->page, 2 * self->page + self->size);
		}
	}
	for (round = 0; round < 20; round++) {
		struct patience p = {};

		ASSERT_TRUE(producer_dies(self));
		do
			self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		while (self->producer == -EBUSY && patient(&p, 0));
		ASSERT_GE(self->producer, 0);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_child(pid), -SIGKILL);
}

TEST_HARNESS_MAIN
