// SPDX-License-Identifier: GPL-2.0
/*
 * A handle refuses calls after its end's shutdown, lengths that a record's word cannot hold, and a
 * cursor that is not aligned; and it is of no use to a child of the process that made it.
 */
#include <limits.h>

#include "selftest.h"

/* A ring of each shape, and handles of all four ends. */
FIXTURE(over)
{
	int ring, in, out, record_ring, record_in, record_out;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
};

FIXTURE_VARIANT(over)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(over, sleeps)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(over, polls)
{
	.flags = SPSCRING_CREATE_BUSY_POLL,
};

FIXTURE_SETUP(over)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 64, .element_size = 8, .flags = variant->flags),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, NULL));
	ASSERT_EQ(0, map_consumer(self->out, &self->c, NULL));
	ASSERT_EQ(0, open_ends(RING(.capacity = 4096,
				    .flags = SPSCRING_CREATE_RECORDS | variant->flags),
			       &self->record_ring, &self->record_in, &self->record_out));
	ASSERT_EQ(0, record_map_producer(self->record_in, &self->rp, NULL));
	ASSERT_EQ(0, record_map_consumer(self->record_out, &self->rc, NULL));
}

FIXTURE_TEARDOWN(over)
{
	close_ends(&self->ring, &self->in, &self->out);
	close_ends(&self->record_ring, &self->record_in, &self->record_out);
}

/* After its shutdown a producer pushes nothing, although its frame has room. */
TEST_F(over, producer)
{
	__u64 v = 1, batch[3] = { 2, 3, 4 };
	void *slot;

	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_shutdown_producer(&self->p));
	EXPECT_EQ(-ESHUTDOWN, spscring_push(&self->p, &v));
	EXPECT_EQ(-ESHUTDOWN, spscring_push_n(&self->p, batch, 3));
	EXPECT_EQ(-ESHUTDOWN, spscring_reserve(&self->p, &slot));
	EXPECT_EQ(-ESHUTDOWN, spscring_reserve_n(&self->p, 3, &slot));
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_room(&self->p, 1, -1));
	EXPECT_EQ(-ESHUTDOWN, spscring_arm_room(&self->p, 1));
	EXPECT_EQ(0, pop_answer(&self->c, &v));
	EXPECT_EQ(-ESHUTDOWN, pop_answer(&self->c, &v));
	EXPECT_EQ(1, info_of(self->ring).tail);
	/* a second shutdown changes nothing */
	EXPECT_EQ(0, spscring_shutdown_producer(&self->p));
	EXPECT_EQ(-ESHUTDOWN, spscring_push(&self->p, &v));
}

/* After its shutdown a consumer pops nothing, although there is something. */
TEST_F(over, consumer)
{
	__u64 v[8] = {};
	const void *rec;
	int i;

	/* the handle has cached that these are there */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, spscring_push(&self->p, v));
	ASSERT_EQ(0, spscring_pop(&self->c, v));
	ASSERT_EQ(0, spscring_shutdown_consumer(&self->c));
	EXPECT_EQ(-ESHUTDOWN, spscring_pop(&self->c, v));
	EXPECT_EQ(-ESHUTDOWN, spscring_pop_n(&self->c, v, 8));
	EXPECT_EQ(-ESHUTDOWN, spscring_peek(&self->c, &rec));
	EXPECT_EQ(-ESHUTDOWN, spscring_peek_n(&self->c, 8, &rec));
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_elements(&self->c, 1, -1));
	EXPECT_EQ(-ESHUTDOWN, spscring_arm_elements(&self->c, 1));
	EXPECT_EQ(1, info_of(self->ring).head);
	EXPECT_EQ(0, info_of(self->ring).broken);
}

/* The same for records of variable size. */
TEST_F(over, record_producer)
{
	struct spscring_record rec = { .data = (void *)"abc", .length = 3 };
	char to[8];
	void *at;

	ASSERT_EQ(0, spscring_record_push(&self->rp, "abc", 3));
	ASSERT_EQ(0, spscring_record_shutdown_producer(&self->rp));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_push(&self->rp, "abc", 3));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_push_n(&self->rp, &rec, 1));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_reserve(&self->rp, 3, &at));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_wait_room(&self->rp, 16, -1));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_arm_room(&self->rp, 16));
	EXPECT_EQ(3, spscring_record_pop(&self->rc, to, sizeof(to)));
	EXPECT_EQ(1, info_of(self->record_ring).loss.sequence);
}

TEST_F(over, record_consumer)
{
	struct spscring_record rec;
	char to[8];

	ASSERT_EQ(0, spscring_record_push(&self->rp, "abc", 3));
	ASSERT_EQ(0, spscring_record_push(&self->rp, "def", 3));
	ASSERT_EQ(3, spscring_record_pop(&self->rc, to, sizeof(to)));
	ASSERT_EQ(0, spscring_record_shutdown_consumer(&self->rc));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_pop(&self->rc, to, sizeof(to)));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_peek(&self->rc, &rec));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_wait_bytes(&self->rc, 1, -1));
	EXPECT_EQ(-ESHUTDOWN, spscring_record_arm_bytes(&self->rc, 1));
	EXPECT_EQ(0, info_of(self->record_ring).broken);
}

/* After a shutdown by the fd, the handle learns of it when it finds no room, or nothing. */
TEST_F(over, by_the_fd)
{
	__u64 v = 0;
	char to[8];
	int err = 0, i;

	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	for (i = 0; i < 1000 && (!err || err == -EAGAIN); i++)
		err = spscring_push(&self->p, &v);
	EXPECT_EQ(-ESHUTDOWN, err);
	ASSERT_EQ(0, spscring_shutdown(self->record_out, 0));
	for (i = 0, err = -EAGAIN; i < 1000 && err == -EAGAIN; i++)
		err = (int)spscring_record_pop(&self->rc, to, sizeof(to));
	EXPECT_EQ(-ESHUTDOWN, err);
}

/* A length with more bits than a word has for it is refused, not truncated. */
TEST_F(over, long_records)
{
	static const __u64 lengths[] = {
		4097, UINT_MAX, (1ULL << 32), (1ULL << 32) + 5, (1ULL << 33) + 8, 1ULL << 63,
		(1ULL << 63) + 5, ~0ULL - 5000, ~0ULL - 15, ~0ULL - 8, ~0ULL - 7, ~0ULL,
	};
	struct spscring_record rec = { .data = (void *)"12345" };
	char to[16];
	void *at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_EQ(-EMSGSIZE, spscring_record_push(&self->rp, "12345", lengths[i]))
			TH_LOG("%llx", (unsigned long long)lengths[i]);
		rec.length = lengths[i];
		EXPECT_EQ(-EMSGSIZE, spscring_record_push_n(&self->rp, &rec, 1));
		EXPECT_EQ(-EMSGSIZE, spscring_record_reserve(&self->rp, lengths[i], &at));
	}
	EXPECT_EQ(0, info_of(self->record_ring).loss.sequence);
	/* only a record's length has a limit: the buffer of a pop may be of any size */
	ASSERT_EQ(0, spscring_record_push(&self->rp, "12345", 5));
	EXPECT_EQ(5, spscring_record_pop(&self->rc, to, (1ULL << 32) + 4));
	ASSERT_EQ(0, spscring_record_push(&self->rp, "12345", 5));
	EXPECT_EQ(5, spscring_record_pop(&self->rc, to, ~0UL));
}

/* Of a batch larger than the ring, the first records fit and are pushed. */
TEST_F(over, long_batches)
{
	__u64 *many = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const void *recs;
	void *slots;

	ASSERT_NE(MAP_FAILED, many);
	EXPECT_EQ(64, spscring_push_n(&self->p, many, 1UL << 32));
	EXPECT_EQ(7, spscring_peek_n(&self->c, 1UL << 32, &recs));
	EXPECT_EQ(64, spscring_pop_n(&self->c, many, 1UL << 32));
	EXPECT_GE(spscring_reserve_n(&self->p, 1UL << 32, &slots), 1);
	munmap(many, 8192);
}

/*
 * A cursor that is no multiple of the alignment is refused before a word is read there: some CPUs
 * fault at that, and here each CPU would, as there is no memory.
 */
TEST(odd_cursor)
{
	const struct spscring_create want = {
		.capacity = 4096, .flags = SPSCRING_CREATE_RECORDS,
	};
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	struct spscring_geometry g;
	char *pages, *nothing;
	__u64 *cursor;
	int i;

	ASSERT_EQ(0, spscring_geometry_init(&g, &want, sysconf(_SC_PAGESIZE)));
	pages = mmap(NULL, g.data_offset, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	nothing = mmap(NULL, 2 * g.data_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_NE(MAP_FAILED, nothing);
	for (i = 1; i < 8; i++) {
		cursor = (__u64 *)(pages + g.consumer_offset + g.colour);
		*cursor = i;
		EXPECT_EQ(-EPIPE, spscring_record_consumer_init(&c, &g, pages + g.consumer_offset,
								pages + g.info_offset, nothing));
		*cursor = 0;
		cursor = (__u64 *)(pages + g.producer_offset + g.colour);
		*cursor = i;
		EXPECT_EQ(-EPIPE,
			  spscring_record_producer_init(&p, &g, pages + g.consumer_offset,
							pages + g.info_offset,
							pages + g.producer_offset, nothing));
		*cursor = 0;
	}
	munmap(pages, g.data_offset);
	munmap(nothing, 2 * g.data_bytes);
}

/* A child inherits no mapping, so it cannot push at the end that its parent holds. */
TEST_F(over, child)
{
	__u64 v = 0;
	pid_t pid = fork_child();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(spscring_push(&self->p, &v) ? 1 : 0);
	}
	EXPECT_EQ(-SIGSEGV, wait_child(pid));
	EXPECT_EQ(0, info_of(self->ring).tail);
	EXPECT_EQ(0, spscring_push(&self->p, &v));
}

TEST_HARNESS_MAIN
