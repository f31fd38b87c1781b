/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings of records of variable size, which the tests read and write by system calls.  When full, a
 * ring fails, drops or overwrites.
 */
#ifndef _SPSCRING_SELFTEST_RW_RECORD_H
#define _SPSCRING_SELFTEST_RW_RECORD_H

#include "sleep.h"

#define ROOM		8192	/* for any record of these rings */

/* One ring for each answer to a write that finds no room. */
FIXTURE(record) {
	int ring, in, out;
	size_t most;		/* the longest record */
	bool drops, overwrites;
};

FIXTURE_VARIANT(record) {
	__u32 flags, align;
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(record, fails) { .capacity = 5000 };
FIXTURE_VARIANT_ADD(record, aligned) { .capacity = 8192, .align = 256 };
FIXTURE_VARIANT_ADD(record, drops) { .capacity = 5000, .flags = SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(record, overwrites) { .capacity = 8192, .flags = SPSCRING_CREATE_OVERWRITE };

#define RECORD_RING(bytes, to, mode)					\
	RING(.capacity = (bytes), .align = (to),		\
	     .flags = (mode) | SPSCRING_CREATE_RECORDS)

FIXTURE_SETUP(record)
{
	SKIP_WITHOUT_DEVICE();
	self->most = variant->capacity - SPSCRING_WORD;
	self->drops = variant->flags & SPSCRING_CREATE_DROP;
	self->overwrites = variant->flags & SPSCRING_CREATE_OVERWRITE;
	ASSERT_EQ(open_ends(RECORD_RING(variant->capacity, variant->align, variant->flags),
			    &self->ring, &self->in, &self->out), 0);
}

FIXTURE_TEARDOWN(record)
{
	close_ends(&self->ring, &self->in, &self->out);
}

/* A record's bytes, which follow from its number @i; from 8 bytes on the first are that number. */
static inline void fill(unsigned char *at, __u64 i, size_t size)
{
	size_t j;

	for (j = 0; j < size; j++)
		at[j] = i * 31 + j * 7 + 1;
	if (size >= sizeof(i))
		memcpy(at, &i, sizeof(i));
}

static inline bool is_filled(const unsigned char *at, __u64 i, size_t size)
{
	unsigned char want[ROOM];

	fill(want, i, size);
	return !memcmp(at, want, size);
}

static inline long put_record(int fd, __u64 i, size_t size)
{
	unsigned char rec[2 * ROOM];

	fill(rec, i, size);
	return negative_errno(write(fd, rec, size));
}

/* Read a record and check that it is number @i.  Return: its length, or an error. */
static inline long get_record(int fd, __u64 i, size_t room)
{
	unsigned char rec[ROOM + 1] = {};
	long size = negative_errno(read(fd, rec, room));

	if (size >= 0 && (!is_filled(rec, i, size) || rec[size]))
		return -EILSEQ;
	return size;
}

/* All events that poll reports for an fd at once. */
static inline long polled(int fd)
{
	return poll_one(fd, POLLIN | POLLOUT | POLLRDHUP, 0);
}

#endif
