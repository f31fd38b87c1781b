/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of elements, which the tests read and write by system calls.
 */
#ifndef _SPSCRING_SELFTEST_RW_H
#define _SPSCRING_SELFTEST_RW_H

#include "sleep.h"

#define SIZE		24	/* of an element */
#define CAPACITY	16

/* An element: three copies of its number. */
struct rec {
	__u64 word[SIZE / 8];
};

FIXTURE(rw) {
	int ring, in, out;
};

FIXTURE_SETUP(rw)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = CAPACITY, .element_size = SIZE), &self->ring,
			       &self->in, &self->out));
}

FIXTURE_TEARDOWN(rw)
{
	close_ends(&self->ring, &self->in, &self->out);
}

static inline struct rec rec_of(__u64 i)
{
	return (struct rec){ { i, ~i, i * 3 } };
}

static inline bool rec_is(const struct rec *r, __u64 i)
{
	struct rec want = rec_of(i);

	return !memcmp(r, &want, sizeof(want));
}

/* Write the elements from @first on. */
static inline long put(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	int i;

	for (i = 0; i < n; i++)
		recs[i] = rec_of(first + i);
	return negative_errno(write(fd, recs, n * sizeof(*recs)));
}

/* Read up to @n elements and check that they count up from @first.  Return: bytes, or an error. */
static inline long get(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	long got = negative_errno(read(fd, recs, n * sizeof(*recs)));
	int i;

	for (i = 0; i < got / SIZE; i++)
		if (!rec_is(&recs[i], first + i))
			return -EILSEQ;
	return got;
}

#endif
