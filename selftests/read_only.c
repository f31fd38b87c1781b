// SPDX-License-Identifier: GPL-2.0
/*
 * No system call lets an end write through its read-only mapping, and none makes a mapping
 * executable.
 */
#include <sys/personality.h>
#include <sys/uio.h>

#include "mmap.h"

/* A read-only mapping of each section by each fd. */
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
	EXPECT_EQ(0, touch(self->at, false));
	EXPECT_EQ(SIGSEGV, touch(self->at, true));
	EXPECT_EQ(SIGSEGV, touch(self->at + self->m.page - 1, true));
}

/* mprotect() adds no right. */
TEST_F(read_only, mprotect)
{
	static const int more[] = { PROT_WRITE, WRITE, PROT_EXEC, EXEC, WRITE | PROT_EXEC };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		EXPECT_EQ(-EACCES, negative_errno(mprotect(self->at, self->m.page, more[i])))
			TH_LOG("prot %d", more[i]);
	}
	EXPECT_EQ(0, mprotect(self->at, self->m.page, PROT_NONE));
	EXPECT_EQ(-EACCES, negative_errno(mprotect(self->at, self->m.page, WRITE)));
	EXPECT_EQ(0, mprotect(self->at, self->m.page, READ));
	EXPECT_EQ(SIGSEGV, touch(self->at, true));
}

/* A mapping that is moved or doubled has the rights that it had. */
TEST_F(read_only, mremap)
{
	const size_t page = self->m.page;
	char *to = mmap(NULL, 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *twin;

	ASSERT_NE(MAP_FAILED, to);
	EXPECT_EQ(MAP_FAILED, mremap(self->at, page, 2 * page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->at, page, 2 * page, 0));

	/* some kernels make a second mapping of one whose length is said to be 0 */
	twin = mremap(self->at, 0, page, MREMAP_MAYMOVE);
	if (twin != MAP_FAILED) {
		EXPECT_EQ(-EACCES, negative_errno(mprotect(twin, page, WRITE)));
		EXPECT_EQ(SIGSEGV, touch(twin, true));
		munmap(twin, page);
	} else {
		EXPECT_TRUE(errno == EFAULT || errno == EINVAL);
	}
#ifdef MREMAP_DONTUNMAP
	EXPECT_EQ(MAP_FAILED, mremap(self->at, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
#endif
	ASSERT_EQ(to, mremap(self->at, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	self->at = to;
	EXPECT_EQ(self->before, *to);
	EXPECT_EQ(-EACCES, negative_errno(mprotect(to, page, WRITE)));
	EXPECT_EQ(SIGSEGV, touch(to, true));
}

/* /proc/self/mem, which writes where a mapping has no right to, is refused. */
TEST_F(read_only, proc_mem)
{
	const char byte = ~self->before;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char seen;

	if (fd < 0)
		SKIP(return, "/proc/self/mem: %s", strerror(errno));
	EXPECT_EQ(-EIO, negative_errno(pwrite(fd, &byte, 1, (long)self->at)));
	EXPECT_EQ(1, pread(fd, &seen, 1, (long)self->at));
	EXPECT_EQ(self->before, seen);
	EXPECT_EQ(self->before, *self->at);
	close(fd);
}

/* process_vm_writev() is refused as well. */
TEST_F(read_only, process_vm_writev)
{
	char byte = ~self->before, other;
	struct iovec from = { &byte, 1 }, to = { &other, 1 };

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != 1)
		SKIP(return, "process_vm_writev: %s", strerror(errno));
	to.iov_base = self->at;
	EXPECT_EQ(-EFAULT, negative_errno(process_vm_writev(getpid(), &from, 1, &to, 1, 0)));
	EXPECT_EQ(self->before, *self->at);
}

/* A system call cannot use the mapping as its output buffer. */
TEST_F(read_only, as_a_buffer)
{
	int pair[2];

	ASSERT_EQ(0, pipe(pair));
	ASSERT_EQ(3, write(pair[1], "xyz", 3));
	EXPECT_EQ(-EFAULT, negative_errno(read(pair[0], self->at, 3)));
	EXPECT_EQ(self->before, *self->at);
}

/* madvise() neither frees its pages nor has them dumped, and drops them without a loss. */
TEST_F(read_only, madvise)
{
	EXPECT_NE(0, madvise(self->at, self->m.page, MADV_REMOVE));
	EXPECT_NE(0, madvise(self->at, self->m.page, MADV_DODUMP));
	EXPECT_EQ(0, madvise(self->at, self->m.page, MADV_DONTNEED));
	EXPECT_EQ(self->before, *self->at);
	EXPECT_EQ(0, madvise(self->at, self->m.page, MADV_DONTNEED));
	EXPECT_EQ(SIGSEGV, touch(self->at, true));
	EXPECT_EQ(0, touch(self->at, false));
}

/* A writable mapping can lose the right to write and get it back, but is never executable. */
TEST_F(mmap, writable_is_not_executable)
{
	char *at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, touch(at, true));
	EXPECT_EQ(-EACCES, negative_errno(mprotect(at, self->page, EXEC)));
	EXPECT_EQ(-EACCES, negative_errno(mprotect(at, self->page, WRITE | PROT_EXEC)));
	EXPECT_EQ(0, mprotect(at, self->page, READ));
	EXPECT_EQ(SIGSEGV, touch(at, true));
	EXPECT_EQ(0, mprotect(at, self->page, WRITE));
	EXPECT_EQ(0, touch(at, true));
}

/* The personality READ_IMPLIES_EXEC adds PROT_EXEC to a mapping: mmap() refuses that. */
TEST_F(mmap, read_implies_exec)
{
	void *at;

	if (personality(READ_IMPLIES_EXEC) < 0)
		SKIP(return, "personality: %s", strerror(errno));
	at = map_section(self, RING_FD, 0, READ);
	if (at != MAP_FAILED)
		errno = mprotect(at, self->page, EXEC) ? errno : 0;
	EXPECT_EQ(EACCES, errno);
}

/* remap_file_pages() cannot move a writable mapping to pages that are not. */
TEST_F(mmap, remap_file_pages)
{
	const size_t page = self->page;
	const unsigned long not_mine[] = { 0, 1 };
	char *at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not_mine); i++) {
		at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
		ASSERT_NE(MAP_FAILED, at);
		EXPECT_EQ(-EACCES, negative_errno(syscall(SYS_remap_file_pages, at, page, 0,
							  not_mine[i], 0)));
	}
	at = map_section(self, CONSUMER_FD, 0, WRITE);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(-EACCES, negative_errno(syscall(SYS_remap_file_pages, at, page, 0, 3, 0)));
	/* a read-only mapping may be moved, and stays read-only */
	at = map_section(self, CONSUMER_FD, self->g.info_offset, READ);
	ASSERT_NE(MAP_FAILED, at);
	if (!syscall(SYS_remap_file_pages, at, page, 0, 0, 0)) {
		EXPECT_EQ(SIGSEGV, touch(at, true));
		EXPECT_EQ(0, mprotect(at, page, WRITE));
	}
}

/* A ring fd opened O_RDONLY gives no writable mapping. */
TEST_F(mmap, opened_read_only)
{
	struct spscring_geometry g;
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC), end;
	char *at;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .element_size = 1)));
	g = info_of(fd).geometry;
	at = mmap(NULL, g.memory, READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, touch(at + g.data_offset, false));
	EXPECT_EQ(-EACCES, negative_errno(mprotect(at, self->page, WRITE)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, g.memory, READ, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page, WRITE, MAP_SHARED, fd, g.data_offset));
	EXPECT_EQ(EACCES, errno);

	/* such an fd can still claim ends */
	end = claim_end(fd, SPSCRING_CONSUMER, 0);
	EXPECT_GE(end, 0);
	close(end);
	close(fd);
}

TEST_HARNESS_MAIN
