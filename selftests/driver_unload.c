// SPDX-License-Identifier: GPL-2.0
/*
 * A driver is unloaded while a user reads its ring, and loaded again.
 *
 * SPSCRING_KO_DIR	where spscring_stream.ko is
 */
#include "mover.h"

#define STREAM	"/dev/spscring-stream"

/* A user who has the node open. */
struct reader {
	int end;
	struct spscring_consumer c;
	struct spscring_mapping map;
	__u64 next;
};

static int reader_open(struct reader *r)
{
	r->end = open(STREAM, O_RDWR | O_CLOEXEC);
	return r->end < 0 ? -errno : map_consumer(r->end, &r->c, &r->map);
}

static void reader_close(struct reader *r)
{
	close_fd(&r->end);
	spscring_unmap(&r->map);
}

static bool loaded(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

FIXTURE(driver)
{
	struct reader r;
};

FIXTURE_SETUP(driver)
{
	SKIP_WITHOUT_DEVICE();
	LOAD_OR_SKIP("spscring_stream", "");
	self->r.next = 0;
	ASSERT_EQ(0, reader_open(&self->r));
}

FIXTURE_TEARDOWN(driver)
{
	close_fd(&self->r.end);
	unload("spscring_stream");
}

/* Pop the next @n elements.  Return: 0, or the pop's errno. */
static int read_on(struct reader *r, __u64 n)
{
	__u32 fails = 0;
	__u64 v;
	int err;

	while (n) {
		err = spscring_pop(&r->c, &v);
		if (err == -EAGAIN) {
			pause_after(&fails);
			continue;
		}
		if (err)
			return err;
		if (v != r->next++)
			return -EILSEQ;
		n--;
	}
	return 0;
}

/* A user does not pin the driver's module, and works on after the unload. */
TEST_F(driver, unloaded_while_a_user_reads)
{
	struct reader *r = &self->r;
	const __u64 capacity = info_of(r->end).geometry.capacity;
	__u64 before;

	ASSERT_EQ(0, read_on(r, 100000));
	ASSERT_EQ(0, unload("spscring_stream"));
	EXPECT_FALSE(loaded("spscring_stream"));
	EXPECT_NE(0, access(STREAM, F_OK));
	EXPECT_EQ(SPSCRING_DEAD, state_of(r->end, SPSCRING_PRODUCER));

	/* the user pops the remaining elements, then gets the error for a dead producer */
	before = r->next;
	EXPECT_EQ(info_of(r->end).tail - before, info_of(r->end).length);
	EXPECT_EQ(-EPIPE, read_on(r, ~0ULL));
	EXPECT_EQ(info_of(r->end).tail, r->next);
	EXPECT_LE(r->next - before, capacity);
	EXPECT_EQ(0, info_of(r->end).broken);

	/* the mapping outlives the driver and the fd */
	close_fd(&r->end);
	EXPECT_EQ(r->next, READ_ONCE(r->c.base.block->cursor));
	EXPECT_EQ(-EPIPE, pop_answer(&r->c, &before));
	spscring_unmap(&r->map);
}

/* Reload the driver while its last ring is still mapped: the two rings stay separate. */
TEST_F(driver, loaded_again_while_the_old_one_is_mapped)
{
	struct reader old = self->r;

	ASSERT_EQ(0, read_on(&old, 1));
	ASSERT_EQ(0, unload("spscring_stream"));
	ASSERT_EQ(0, load("spscring_stream", ""));
	ASSERT_EQ(0, reader_open(&self->r));
	EXPECT_EQ(0, read_on(&self->r, 10000));
	EXPECT_EQ(-EPIPE, read_on(&old, ~0ULL));
	EXPECT_GT(old.next, 0);
	reader_close(&old);
	EXPECT_EQ(0, read_on(&self->r, 10000));
}

/* The node has one user at a time, and the next one continues where the last one stopped. */
TEST_F(driver, opened_again)
{
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, read_on(&self->r, 1234));
		EXPECT_EQ(-EBUSY, negative_errno(open(STREAM, O_RDWR)));
		reader_close(&self->r);
		ASSERT_EQ(0, reader_open(&self->r));
	}
}

TEST_HARNESS_MAIN
