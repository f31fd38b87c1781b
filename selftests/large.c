// SPDX-License-Identifier: GPL-2.0
/*
 * Large rings, whose memory consists of chunks of many pages.  After any sequence of map, unmap,
 * move and pin each page is in its place, and none is lost or leaked.
 */
#include <stdio.h>
#include <sys/sysinfo.h>

#include "selftest.h"

#define MIB	(1ULL << 20)
#define GIB	(1ULL << 30)
#define READ	PROT_READ
#define WRITE	(PROT_READ | PROT_WRITE)

/* --------------------------------------------------------------- geometry */

/* The largest geometry is right to the byte: nothing is cut to 32 bits. */
TEST(largest_frames)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;

	/* a frame of 2^19 bytes holds 7 such elements */
	ASSERT_EQ(0, spscring_geometry_init(&g, RING(.capacity = 8192 * 7, .element_size = 65536),
					    page));
	EXPECT_EQ(1U << 19, g.frame_size);
	EXPECT_EQ(8192, g.frames);
	EXPECT_EQ(4 * GIB, g.data_bytes);
	EXPECT_EQ(4 * GIB + 3 * page, g.memory);
	EXPECT_EQ(g.memory, spscring_mapped_bytes(&g));
	EXPECT_EQ(-E2BIG,
		  spscring_geometry_init(&g, RING(.capacity = 8192 * 7 + 1, .element_size = 65536),
					 page));
	ASSERT_EQ(0, spscring_geometry_init(&g,
					    RING(.capacity = 4 * GIB / 64 * 56, .element_size = 1,
						 .frame_size = 64),
					    page));
	EXPECT_EQ(4 * GIB / 64, g.frames);
	EXPECT_EQ(4 * GIB, g.data_bytes);
	EXPECT_EQ(4 * GIB / 64 * 7, g.publish_batch);
}

TEST(largest_records)
{
	const long page = sysconf(_SC_PAGESIZE);
	const __u32 records = SPSCRING_CREATE_RECORDS;
	struct spscring_geometry g;
	__u32 align;

	for (align = SPSCRING_RECORD_ALIGN_MIN; align <= SPSCRING_RECORD_ALIGN_MAX; align *= 2) {
		ASSERT_EQ(0, spscring_geometry_init(&g,
						    RING(.capacity = 4 * GIB, .flags = records,
							 .align = align),
						    page));
		EXPECT_EQ(4 * GIB, g.capacity);
		EXPECT_EQ(4 * GIB, g.data_bytes);
		EXPECT_EQ(4 * GIB + 3 * page, g.memory);
		EXPECT_EQ(8 * GIB + 3 * page, spscring_mapped_bytes(&g));
		EXPECT_EQ(GIB / 2, g.publish_batch);
		EXPECT_EQ(-E2BIG,
			  spscring_geometry_init(&g,
						 RING(.capacity = 4 * GIB + align, .flags = records,
						      .align = align),
						 page));
		ASSERT_EQ(0, spscring_geometry_init(&g,
						    RING(.capacity = 4 * GIB - align,
							 .flags = records, .align = align),
						    page));
		EXPECT_EQ(align < page ? 4 * GIB : 4 * GIB - align, g.data_bytes);
	}
}

/* ------------------------------------------------------------------ memory */

FIXTURE(large)
{
	int ring, producer, consumer;
	struct spscring_geometry g;
	size_t page, half, size;	/* half: of the data; size: of all that is mapped of them */
};

FIXTURE_VARIANT(large)
{
	struct spscring_create want;
};

/* One ring has no more than a chunk, and some end within one. */
FIXTURE_VARIANT_ADD(large, frames_2) { { .capacity = 2 * MIB / 64, .element_size = 56 } };
FIXTURE_VARIANT_ADD(large, frames_9) { { .capacity = 9 * MIB / 64, .element_size = 56 } };
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

/* Map an end as the library does: the address of its data, or NULL. */
static char *map_data(large_t *self, int fd, int flags)
{
	const bool writer = fd == self->producer;
	const __u64 from = writer ? self->g.producer_offset : self->g.info_offset;
	const size_t before = self->g.data_offset - from;
	char *at = mmap(NULL, before + self->size, writer ? WRITE : READ, MAP_SHARED | flags,
			fd, from);

	return at == MAP_FAILED ? NULL : at + before;
}

/* The place of a stamp in page @n: not on a tail or a record's word, which a claim reads. */
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

/* The first page in [from, to) that does not hold what it held; or -1. */
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

/* A field of smaps, in bytes, of all mappings in [at, at + size). */
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

/* How many bytes PMD entries should map, at an address that the kernel chose. */
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

	EXPECT_EQ(self->half + 3 * self->page, g->memory);
	EXPECT_EQ(g->consumer_offset + self->page, g->info_offset);
	EXPECT_EQ(g->consumer_offset + 2 * self->page, g->producer_offset);
	EXPECT_EQ(g->consumer_offset + 3 * self->page, g->data_offset);
	if (g->features & SPSCRING_FEATURE_HUGE) {
		ASSERT_NE(0, huge_page());
		EXPECT_EQ(0, g->data_offset % huge_page());
		EXPECT_GE(g->data_bytes, huge_page());
		EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
					   g->consumer_offset - self->page));
		EXPECT_EQ(ENXIO, errno);
		EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page, READ, MAP_SHARED, self->ring, 0));
		EXPECT_EQ(ENXIO, errno);
	} else {
		EXPECT_EQ(0, g->consumer_offset);
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
				   g->data_offset + self->size));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, g->memory + self->size, READ, MAP_SHARED, self->ring,
				   g->consumer_offset));
	EXPECT_EQ(ENXIO, errno);
}

/* Both ends have each page once and in its place, and a page that is dropped comes back. */
TEST_F(large, each_page)
{
	char *mine = map_data(self, self->producer, 0);
	char *theirs = map_data(self, self->consumer, 0);
	size_t n;

	ASSERT_NE(NULL, mine);
	ASSERT_NE(NULL, theirs);
	stamp(self, mine, 1000);
	EXPECT_EQ(-1, not_all_stamped(self, mine, 1000));
	EXPECT_EQ(-1, not_all_stamped(self, theirs, 1000));
	ASSERT_EQ(0, madvise(mine, self->size, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(theirs, self->size, MADV_DONTNEED));
	EXPECT_EQ(-1, not_all_stamped(self, theirs, 1000));
	stamp(self, mine + self->size - self->half, 2000);
	EXPECT_EQ(-1, not_all_stamped(self, theirs, 2000));
	EXPECT_EQ(-1, not_all_stamped(self, mine, 2000));
	/* some pages alone, by each fd */
	for (n = 0; n < self->size / self->page; n += 177) {
		char *at = mmap(NULL, self->page, READ, MAP_SHARED, self->ring,
				self->g.data_offset + n * self->page);

		ASSERT_NE(MAP_FAILED, at);
		ASSERT_EQ(2000 + n % (self->half / self->page), *stamp_of(self, at, 0));
		munmap(at, self->page);
	}
}

/* The library's own mapping, which includes the pages before the data. */
TEST_F(large, by_the_library)
{
	const bool records = self->g.flags & SPSCRING_CREATE_RECORDS;
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
	const struct spscring_info_page *info;

	ASSERT_EQ(0, records ? record_map_producer(self->producer, &rp, &p_map) :
			       map_producer(self->producer, &p, &p_map));
	ASSERT_EQ(0, records ? record_map_consumer(self->consumer, &rc, &c_map) :
			       map_consumer(self->consumer, &c, &c_map));
	EXPECT_EQ(self->page + self->size, p_map.writable_size);
	EXPECT_EQ(2 * self->page + self->size, c_map.read_only_size);
	info = c_map.read_only;
	EXPECT_EQ(SPSCRING_MAGIC, info->magic);
	EXPECT_EQ(0, memcmp(&info->geometry, &self->g, sizeof(self->g)));
	/* the library has populated the whole mapping */
	EXPECT_EQ(p_map.writable_size, smaps_bytes(p_map.writable, p_map.writable_size, "Rss"));
	EXPECT_EQ(c_map.read_only_size, smaps_bytes(c_map.read_only, c_map.read_only_size, "Rss"));
	EXPECT_EQ(huge_bytes(self),
		  smaps_bytes(p_map.writable, p_map.writable_size, "FilePmdMapped"));
	ksft_print_msg("%zu of %zu KiB of data by PMD entries\n", huge_bytes(self) / 1024,
		       self->size / 1024);
	spscring_unmap(&p_map);
	spscring_unmap(&c_map);
}

/* The kernel maps a page at the first access, or all of them at once with MAP_POPULATE. */
TEST_F(large, populate)
{
	const int flags[] = { 0, MAP_POPULATE };
	char *mine;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		mine = map_data(self, self->producer, flags[i]);
		ASSERT_NE(NULL, mine);
		if (!flags[i] && self->g.features & SPSCRING_FEATURE_HUGE)
			EXPECT_EQ(0, smaps_bytes(mine, self->size, "Rss"));
		if (!flags[i])
			stamp(self, mine + self->size - self->half, 1);
		if (!flags[i])
			stamp(self, mine, 1);
		/* the mapping has the producer's page, too */
		EXPECT_GE(smaps_bytes(mine, self->size, "Rss"), self->size);
		EXPECT_LE(smaps_bytes(mine, self->size, "Rss"), self->size + self->page);
		EXPECT_EQ(huge_bytes(self), smaps_bytes(mine, self->size, "FilePmdMapped"));
		EXPECT_EQ(0, smaps_bytes(mine, self->size, "AnonHugePages"));
		EXPECT_EQ(0, smaps_bytes(mine, self->size, "Locked"));
		EXPECT_EQ(-1, not_all_stamped(self, mine, 1));
		munmap(mine - self->page, self->size + self->page);
	}
}

/* At an address not aligned as the offset is, the kernel maps the right pages one by one. */
TEST_F(large, any_address)
{
	static const unsigned int pages[] = { 1, 3, 511 };
	char *mine = map_data(self, self->producer, 0), *room, *at;
	const size_t most = 1024 * self->page;
	size_t i;

	ASSERT_NE(NULL, mine);
	stamp(self, mine, 1);
	room = mmap(NULL, self->size + 2 * most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		at = (char *)(((unsigned long)room + most) & -(512 * self->page));
		at += pages[i] * self->page;
		ASSERT_EQ(at, mmap(at, self->size, READ, MAP_SHARED | MAP_FIXED, self->consumer,
				   self->g.data_offset));
		EXPECT_EQ(-1, not_all_stamped(self, at, 1))
			TH_LOG("%u pages beside", pages[i]);
		if (huge_page() == 512 * self->page)
			EXPECT_EQ(0, smaps_bytes(at, self->size, "FilePmdMapped"));
		ASSERT_EQ(0, madvise(at, self->size, MADV_DONTNEED));
		EXPECT_EQ(-1, not_all_stamped(self, at, 1));
	}
	/* all pages, of which the control pages come first */
	at = (char *)(((unsigned long)room + most) & -(512 * self->page));
	ASSERT_EQ(at, mmap(at, 3 * self->page + self->size, READ, MAP_SHARED | MAP_FIXED,
			   self->ring, self->g.consumer_offset));
	EXPECT_EQ(SPSCRING_MAGIC, *(__u64 *)(at + self->page));
	EXPECT_EQ(-1, not_all_stamped(self, at + 3 * self->page, 1));
	ASSERT_EQ(0, madvise(at, 3 * self->page + self->size, MADV_DONTNEED));
	EXPECT_EQ(-1, not_all_stamped(self, at + 3 * self->page, 1));
	EXPECT_EQ(SPSCRING_MAGIC, *(__u64 *)(at + self->page));
}

/* After parts were unmapped, protected and moved, the rest is what it was. */
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
	/* to an address that does not fit the offset, and back */
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

	ASSERT_NE(NULL, mine);
	stamp(self, mine, 1);
	what = take_apart(self, mine);
	EXPECT_EQ(NULL, what)
		TH_LOG("%s", what);
}

/* No advice takes pages away. */
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

	ASSERT_NE(NULL, mine);
	stamp(self, mine, 1);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		madvise(mine + self->page, 3 * self->page, advice[i]);
		ASSERT_EQ(-1, not_all_stamped(self, mine, 1))
			TH_LOG("advice %d, some pages", advice[i]);
		madvise(mine, self->size, advice[i]);
		ASSERT_EQ(-1, not_all_stamped(self, mine, 1))
			TH_LOG("advice %d, all pages", advice[i]);
	}
	EXPECT_EQ(0, mlock(mine, self->size));
	EXPECT_EQ(-1, not_all_stamped(self, mine, 1));
	EXPECT_EQ(0, munlock(mine, self->size));
}

#define ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

static int set_enabled(const char *word)
{
	int fd = open(ENABLED, O_WRONLY | O_CLOEXEC), ret;

	ret = fd < 0 ? -errno : negative_errno(write(fd, word, strlen(word)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/* The word in brackets, which is the setting that is on. */
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

/* Every policy for huge pages leaves all pages in their places. */
TEST_F(large, policies)
{
	static const char * const policies[] = { "never", "madvise", "always" };
	char line[128], *mine;
	const char *before = enabled(line, sizeof(line));
	size_t i;

	if (!before || set_enabled(before))
		return;		/* there are no huge pages, or this may not set the policy */
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		EXPECT_EQ(0, set_enabled(policies[i]));
		mine = map_data(self, self->producer, i % 2 ? MAP_POPULATE : 0);
		if (mine) {
			stamp(self, mine, i);
			EXPECT_EQ(-1, not_all_stamped(self, mine, i))
				TH_LOG("%s", policies[i]);
			if (i)
				EXPECT_EQ(huge_bytes(self),
					  smaps_bytes(mine, self->size, "FilePmdMapped"))
					TH_LOG("%s", policies[i]);
			munmap(mine - self->page, self->size + self->page);
		}
	}
	EXPECT_EQ(0, set_enabled(before));
}

/* After MADV_DOFORK a child inherits the mapping with all its pages. */
TEST_F(large, madv_dofork)
{
	char *mine = map_data(self, self->producer, 0);
	pid_t pid;

	ASSERT_NE(NULL, mine);
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
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_EQ(-1, not_all_stamped(self, mine, 2));
}

/* 256 MiB, which a small machine still has, mapped twice by both ends and by the kernel. */
TEST(of_256_mib)
{
	large_t l = { .half = 256 * MIB, .size = 512 * MIB };
	struct sysinfo machine;
	char *mine, *theirs;
	const size_t step = 251;
	size_t n;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, sysinfo(&machine));
	if (machine.freeram * machine.mem_unit < 384 * MIB)
		return;
	l.ring = spscring_open(RING(.capacity = 256 * MIB, .flags = SPSCRING_CREATE_RECORDS));
	ASSERT_GE(l.ring, 0);
	l.producer = claim_end(l.ring, SPSCRING_PRODUCER, 0);
	l.consumer = claim_end(l.ring, SPSCRING_CONSUMER, 0);
	l.g = info_of(l.ring).geometry;
	l.page = l.g.page_size;
	EXPECT_EQ(l.half + 3 * l.page, l.g.memory);
	mine = map_data(&l, l.producer, 0);
	theirs = map_data(&l, l.consumer, 0);
	ASSERT_NE(NULL, mine);
	ASSERT_NE(NULL, theirs);
	/* one page of each chunk, and the last one */
	for (n = 0; n < l.half / l.page; n += step)
		*stamp_of(&l, mine, n) = n;
	*stamp_of(&l, mine, l.half / l.page - 1) = ~0ULL;
	for (n = 0; n < l.half / l.page; n += step) {
		ASSERT_EQ(n, *stamp_of(&l, theirs, n));
		ASSERT_EQ(n, *stamp_of(&l, theirs + l.half, n));
		ASSERT_EQ(n, *stamp_of(&l, mine + l.half, n));
	}
	EXPECT_EQ(~0ULL, *stamp_of(&l, theirs, l.size / l.page - 1));
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

/* While a pipe holds any page of a chunk, by either half, the end cannot be claimed. */
TEST_F(large, pinned)
{
	const size_t pages = self->half / self->page;
	const size_t places[] = { 0, 1, 77, pages / 2 - 1, pages - 1 };
	char byte, *mine, *theirs = map_data(self, self->consumer, MAP_POPULATE);
	int ends[2];
	size_t i;

	ASSERT_NE(NULL, theirs);
	ASSERT_EQ(0, pipe(ends));
	for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		size_t n = places[i / 2] + (i % 2 ? (self->size - self->half) / self->page : 0);
		struct iovec iov = { .iov_len = 1 };

		mine = map_data(self, self->producer, 0);
		ASSERT_NE(NULL, mine);
		iov.iov_base = mine + n * self->page + 9;
		ASSERT_EQ(1, vmsplice(ends[1], &iov, 1, 0));
		munmap(mine - self->page, self->page + self->size);
		ASSERT_TRUE(producer_dies(self));
		EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_PRODUCER, 0))
			TH_LOG("page %zu", n);
		ASSERT_EQ(1, read(ends[0], &byte, 1));
		self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(self->producer, 0)
			TH_LOG("page %zu", n);
	}
}

/* Mappings are no pins, whole or in parts, and leave none behind. */
TEST_F(large, mappings_are_no_pins)
{
	const size_t page = self->page;
	char *room, *at;
	int round, other;

	for (round = 0; round < 5; round++) {
		char *mine = map_data(self, self->producer, round % 2 ? MAP_POPULATE : 0);

		ASSERT_NE(NULL, mine);
		stamp(self, mine, 1);
		for (other = 0; other < 3; other++) {
			ASSERT_NE(NULL, at = map_data(self, self->consumer, MAP_POPULATE));
			EXPECT_EQ(-1, not_all_stamped(self, at, 1));
			/* separate mappings, which stay until the test ends */
			EXPECT_EQ(0, munmap(at + self->half / 2, page));
			EXPECT_EQ(0, mprotect(at, 5 * page, PROT_NONE));
		}
		room = mmap(NULL, self->size + 1024 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, room);
		at = (char *)(((unsigned long)room + 512 * page) & -(512 * page)) + page;
		ASSERT_EQ(at, mmap(at, self->size, READ, MAP_SHARED | MAP_FIXED, self->ring,
				   self->g.data_offset));
		EXPECT_EQ(-1, not_all_stamped(self, at, 1));
		EXPECT_EQ(NULL, take_apart(self, mine));
		/* unmap the rest of the producer's mapping as well */
		munmap(mine - page, page + self->size);
		ASSERT_TRUE(producer_dies(self));
		self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
		ASSERT_GE(self->producer, 0)
			TH_LOG("round %d", round);
	}
}

/* A claim succeeds while other processes map and unmap. */
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
	EXPECT_EQ(-SIGKILL, wait_child(pid));
}

TEST_HARNESS_MAIN
