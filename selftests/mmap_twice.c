// SPDX-License-Identifier: GPL-2.0
/*
 * A ring of records of variable size has its data mapped twice in a row, which keeps a record that
 * crosses the end of the data in one piece.
 */
#include "mmap.h"

/* The producer's and the consumer's mapping, as the library makes them: the data twice in a row. */
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
	ASSERT_NE(MAP_FAILED, at);
	self->mine = at + self->m.g.data_offset - self->m.g.producer_offset;
	at = mmap(NULL, self->m.g.memory - self->m.g.info_offset + self->size, READ,
		  MAP_SHARED, self->m.fd[CONSUMER_FD], self->m.g.info_offset);
	ASSERT_NE(MAP_FAILED, at);
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

/* A store in one half appears in the other, in the producer's and in the consumer's mapping. */
TEST_F(twice, either_half)
{
	size_t i;

	for (i = 0; i < self->size; i++)
		self->mine[i] = i * 7;
	EXPECT_TRUE(same_halves(self->mine, self->size));
	EXPECT_TRUE(same_halves(self->theirs, self->size));
	EXPECT_EQ(0, memcmp(self->mine, self->theirs, self->size));
	for (i = 0; i < self->size; i++)
		self->mine[self->size + i] = i * 11;
	EXPECT_TRUE(same_halves(self->mine, self->size));
	EXPECT_TRUE(same_halves(self->theirs, self->size));
	for (i = 0; i < self->size; i++)
		ASSERT_EQ((char)(i * 11), self->theirs[i]);
}

/* The consumer gets a record that crosses the end of the data in one piece. */
TEST_F(twice, over_the_end)
{
	static const char record[] = "a record that is not split";
	const size_t at = self->size - 10;

	memcpy(self->mine + at, record, sizeof(record));
	EXPECT_EQ(0, memcmp(self->theirs + at, record, sizeof(record)));
	EXPECT_EQ(0, memcmp(self->theirs, record + 10, sizeof(record) - 10));
}

/* Pages that are dropped in one half come back, and the other half stays as it is. */
TEST_F(twice, madv_dontneed)
{
	char * const half[] = { self->mine, self->mine + self->size };
	size_t i;
	int n;

	for (n = 0; n < 2; n++) {
		for (i = 0; i < self->size; i++)
			half[n][i] = i * 7 + n;
		ASSERT_EQ(0, madvise(half[n], self->size, MADV_DONTNEED));
		EXPECT_TRUE(same_halves(self->mine, self->size));
		ASSERT_EQ(0, madvise(half[n], self->size, MADV_DONTNEED));
		half[!n][1] = 'x';
		EXPECT_EQ('x', half[n][1]);
		half[n][2] = 'y';
		EXPECT_EQ('y', self->theirs[2]);
	}
}

/* Rights are those of each half: both can be lessened alone, neither can be widened. */
TEST_F(twice, mprotect)
{
	char *again = self->mine + self->size;

	EXPECT_EQ(0, mprotect(again, self->size, READ));
	EXPECT_EQ(SIGSEGV, touch(again, true));
	EXPECT_EQ(0, touch(self->mine, true));
	EXPECT_EQ(-EACCES, negative_errno(mprotect(again, self->size, EXEC)));
	EXPECT_EQ(0, mprotect(again, self->size, WRITE));
	EXPECT_EQ(0, touch(again, true));
	again = (char *)self->theirs + self->size;
	EXPECT_EQ(-EACCES, negative_errno(mprotect(again, self->size, WRITE)));
	EXPECT_EQ(SIGSEGV, touch(again, true));
}

/* The geometry counts the data once; the fd can be mapped as far as the data go again. */
TEST_F(twice, counted_once)
{
	const __u64 end = self->m.end;

	EXPECT_EQ(self->m.g.data_offset + self->size, self->m.g.memory);
	EXPECT_EQ(self->m.g.memory + self->size, end);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->m.page, READ, MAP_SHARED, self->m.fd[RING_FD], end));
	EXPECT_EQ(ENXIO, errno);
}

TEST_HARNESS_MAIN
