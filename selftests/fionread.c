// SPDX-License-Identifier: GPL-2.0
/*
 * FIONREAD: how many bytes the next read gets.  The result stays within bounds whatever a hostile
 * end writes into the words from which the kernel computes it.
 */
#include "pieces.h"

/* In a ring of elements: all bytes in the ring, and never more than the ring holds. */
TEST_F(pieces, readable)
{
	char bytes[3 * SIZE];
	struct spscring_consumer c;
	int i;

	EXPECT_EQ(0, readable(self->in));
	for (i = 1; i <= CAPACITY; i++) {
		ASSERT_EQ(SIZE, put(self->in, 0, SIZE));
		EXPECT_EQ(i * SIZE, readable(self->out));
		EXPECT_EQ(i * SIZE, readable(self->in));
	}
	EXPECT_EQ(-EINVAL, get(self->out, 0, 5));
	EXPECT_EQ(CAPACITY * SIZE, readable(self->out));
	EXPECT_EQ(sizeof(bytes), read(self->out, bytes, sizeof(bytes)));
	EXPECT_EQ((CAPACITY - 3) * SIZE, readable(self->out));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ((CAPACITY - 3) * SIZE, readable(self->out));
	EXPECT_EQ(-EFAULT, negative_errno(ioctl(self->out, FIONREAD, 8)));
	/* whatever the consumer writes into its cursor */
	ASSERT_EQ(0, map_consumer(self->out, &c, NULL));
	for (i = 0; i < 64; i++) {
		WRITE_ONCE(*c.base.cursor, random_word() >> i);
		EXPECT_GE(readable(self->in), 0);
		EXPECT_LE(readable(self->in), CAPACITY * SIZE);
	}
}

/* Elements can be read once their frame's tail is stored, before the producer's cursor is. */
TEST_F(pieces, readable_behind_cursor)
{
	struct spscring_producer p;
	__u64 was;

	ASSERT_EQ(SIZE, put(self->in, 0, SIZE));
	ASSERT_EQ(0, map_producer(self->in, &p, NULL));
	was = *p.base.cursor;
	ASSERT_EQ(2 * SIZE, put(self->in, SIZE, 2 * SIZE));
	WRITE_ONCE(*p.base.cursor, was);
	EXPECT_EQ(3 * SIZE, readable(self->out));
	EXPECT_EQ(3 * SIZE, get(self->out, 0, ROOM));
	EXPECT_EQ(0, readable(self->out));
}

/* A ring of records of variable size. */
FIXTURE(next) {
	int ring, in, out;
};

FIXTURE_VARIANT(next) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(next, fails) {};
FIXTURE_VARIANT_ADD(next, drops) { SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(next, overwrites) { SPSCRING_CREATE_OVERWRITE };

FIXTURE_SETUP(next)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 1 << 17,
				    .flags = variant->flags | SPSCRING_CREATE_RECORDS),
			       &self->ring, &self->in, &self->out));
	nonblock(self->in);
	nonblock(self->out);
}

FIXTURE_TEARDOWN(next)
{
	close_ends(&self->ring, &self->in, &self->out);
}

/* The length of the next record, which is what a read gets, as for a datagram socket. */
TEST_F(next, length)
{
	const size_t sizes[] = { 1, 8, 9, 0, 5000, 100, ROOM };
	size_t i, n = 0;

	EXPECT_EQ(0, readable(self->out));
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(sizes[i % ARRAY_SIZE(sizes)],
			  put(self->in, 0, sizes[i % ARRAY_SIZE(sizes)]));
		if (i % 2)
			continue;
		EXPECT_EQ(sizes[n % ARRAY_SIZE(sizes)], readable(self->out));
		EXPECT_EQ(sizes[n % ARRAY_SIZE(sizes)], readable(self->in));
		ASSERT_EQ(sizes[n % ARRAY_SIZE(sizes)], get(self->out, 0, ROOM));
		n++;
		while (i - n > 8 && get(self->out, 0, ROOM) >= 0)
			n++;
	}
	EXPECT_EQ(0, info_of(self->ring).loss.overruns + info_of(self->ring).loss.drops);
}

/* In a ring that loses records when full: the length of the oldest record still there. */
TEST_F(next, lost)
{
	unsigned char bytes[ROOM];
	int i, next;

	for (i = 0; i < 1000; i++) {
		put(self->in, 0, 1000 + i);
		if (i % 97)
			continue;
		next = readable(self->out);
		EXPECT_GE(next, 1000);
		EXPECT_EQ(next, read(self->out, bytes, ROOM));
	}
	EXPECT_EQ(variant->flags == SPSCRING_CREATE_OVERWRITE,
		  info_of(self->ring).loss.overruns > 0);
	EXPECT_EQ(variant->flags == SPSCRING_CREATE_DROP, info_of(self->ring).loss.drops > 0);
}

/* FIONREAD skips discarded records, at most SPSCRING_DISCARDED_MAX in one call. */
TEST_F(next, discarded)
{
	struct spscring_record_producer p;
	void *rec[SPSCRING_DISCARDED_MAX + 1], *last;
	int i, n;

	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	for (n = 1; n <= SPSCRING_DISCARDED_MAX + 1; n += SPSCRING_DISCARDED_MAX - 1) {
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, spscring_record_reserve(&p, 8, &rec[i]));
		ASSERT_EQ(0, spscring_record_reserve(&p, 77, &last));
		for (i = 0; i < n; i++)
			spscring_record_discard(&p, rec[i]);
		fill(last, 0, 77);
		spscring_record_commit_all(&p);
		EXPECT_EQ(n < SPSCRING_DISCARDED_MAX ? 77 : 0, readable(self->out))
			TH_LOG("behind %d", n);
		while ((i = get(self->out, 0, ROOM)) == -EBUSY)
			;
		EXPECT_EQ(77, i);
		EXPECT_EQ(0, readable(self->out));
	}
}

/* No word that a user can write leads FIONREAD out of the ring, or breaks it. */
TEST_F(next, hostile)
{
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	int i;

	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	ASSERT_EQ(0, record_map_consumer(self->out, &c, NULL));
	ASSERT_EQ(100, put(self->in, 0, 100));
	for (i = 0; i < 64; i++) {
		WRITE_ONCE(*c.base.cursor, random_word() >> i);
		WRITE_ONCE(p.base.block->oldest, random_word() >> i);
		EXPECT_GE(readable(self->out), 0);
	}
	WRITE_ONCE(p.base.block->oldest, 0);
	WRITE_ONCE(*c.base.cursor, 0);
	EXPECT_EQ(100, readable(self->out));
	/* every word in these bytes now looks like a record's */
	memset(p.base.data, 1, 64);
	for (i = 0; i < 16; i++) {
		WRITE_ONCE(*c.base.cursor, i);
		EXPECT_EQ(i % 8 ? 0 : 0x01010101, readable(self->out));
	}
	WRITE_ONCE(*c.base.cursor, 0);
	/* a record longer than INT_MAX, and than the ring */
	WRITE_ONCE(*(__u64 *)p.base.data, SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LENGTH);
	EXPECT_EQ(INT_MAX, readable(self->out));
	/* a discarded record that is so long that it leads back to itself */
	WRITE_ONCE(*(__u64 *)p.base.data, SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_DISCARDED |
		   ((2 << 17) - 8));
	EXPECT_EQ(0, readable(self->out));
	EXPECT_EQ(0, info_of(self->ring).broken);
}

TEST_HARNESS_MAIN
