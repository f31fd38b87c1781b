/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring whose fds can be mapped: its sections, and which fd may write each of them.
 */
#ifndef _SPSCRING_SELFTEST_MMAP_H
#define _SPSCRING_SELFTEST_MMAP_H

#include "selftest.h"

#define READ	PROT_READ
#define WRITE	(PROT_READ | PROT_WRITE)
#define EXEC	(PROT_READ | PROT_EXEC)

enum who { RING_FD, PRODUCER_FD, CONSUMER_FD, FDS };

FIXTURE(mmap)
{
	int fd[FDS];
	size_t page;
	__u64 end;		/* how much of an fd can be mapped */
	struct spscring_geometry g;
};

/* A ring of each shape: a ring of records of variable size has its data mapped twice. */
FIXTURE_VARIANT(mmap)
{
	struct spscring_create want;
};

#define OF_FRAMES	{ { .capacity = 3000, .element_size = 8 } }
#define OF_RECORDS	{ { .capacity = 28000, .flags = SPSCRING_CREATE_RECORDS } }

FIXTURE_VARIANT_ADD(mmap, frames) OF_FRAMES;
FIXTURE_VARIANT_ADD(mmap, records) OF_RECORDS;

FIXTURE_SETUP(mmap)
{
	struct spscring_create want = variant->want;

	SKIP_WITHOUT_DEVICE();
	want.size = sizeof(want);
	/* the same number of pages on every page size */
	want.capacity *= sysconf(_SC_PAGESIZE) / 4096;
	ASSERT_EQ(0, open_ends(&want, &self->fd[RING_FD], &self->fd[PRODUCER_FD],
			       &self->fd[CONSUMER_FD]));
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

/* For fixtures which contain this one. */
static const FIXTURE_VARIANT(mmap) of_frames = OF_FRAMES, of_records = OF_RECORDS;

/* Where a span of pages begins; n is how many there are, or 0 for all to the end. */
#define AGAIN		1000	/* as first: where the data begin again */
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

static inline __u64 span_from(mmap_t *self, const struct span *s)
{
	if (s->first == LAST_AGAIN)
		return self->end - self->page;
	if (s->first < LAST)
		return s->first * self->page;
	return self->g.memory + (s->first - AGAIN) * self->page;
}

static inline size_t span_size(mmap_t *self, const struct span *s)
{
	return s->n ? s->n * self->page : self->end - span_from(self, s);
}

/* Returns an address, or a negative errno. */
static inline long map(mmap_t *self, enum who who, const struct span *s, int prot, int flags)
{
	void *at = mmap(NULL, span_size(self, s), prot, flags, self->fd[who],
			span_from(self, s));

	return at == MAP_FAILED ? -errno : (long)at;
}

static inline char *map_section(mmap_t *self, enum who who, size_t offset, int prot)
{
	return mmap(NULL, self->page, prot, MAP_SHARED, self->fd[who], offset);
}

#endif
