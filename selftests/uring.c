// SPDX-License-Identifier: GPL-2.0
/*
 * A ring in an io_uring event loop: multishot poll, reads and writes.
 */
#include <poll.h>

#include "uring.h"

FIXTURE(uring) {
	int ring, in, out;
	struct io_uring loop;
	struct spscring_producer p;
	struct spscring_consumer c;
};

FIXTURE_SETUP(uring)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	err = io_uring_queue_init(8, &self->loop, 0);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	ASSERT_EQ(0, open_ends(RING(.capacity = 8, .element_size = 8),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, NULL));
	ASSERT_EQ(0, map_consumer(self->out, &self->c, NULL));
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->loop);
	close_ends(&self->ring, &self->in, &self->out);
}

#define uring_t	FIXTURE_DATA(uring)

static int push_one(uring_t *self, __u64 v)
{
	return push_answer(&self->p, &v);
}

/* One multishot poll completes for each edge, after each of which the test pops all. */
TEST_F(uring, multishot_poll)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 i, v, next = 0;
	bool more;

	io_uring_prep_poll_multishot(sqe, self->out, POLLIN | POLLRDHUP);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, push_one(self, i));
		if (i % 3 == 2)
			continue;	/* two edges sometimes make one completion */
		/* one completion for each edge, or for two */
		do {
			ASSERT_EQ(POLLIN, completion(&self->loop, LONG, &more) & POLLIN);
			ASSERT_TRUE(more);
		} while (io_uring_cq_ready(&self->loop));
		while (!pop_answer(&self->c, &v))
			ASSERT_EQ(next++, v);
	}
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(POLLRDHUP, completion(&self->loop, LONG, &more) & POLLRDHUP);
	EXPECT_EQ(100, next);
}

/* A read that finds nothing waits by poll, without a worker thread that sleeps. */
TEST_F(uring, read)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 v = 0;

	io_uring_prep_read(sqe, self->out, &v, sizeof(v), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-ETIME, completion(&self->loop, 20, NULL));
	EXPECT_EQ(0, info_of(self->ring).consumer_sleep.sleeps);
	ASSERT_EQ(0, push_one(self, 42));
	EXPECT_EQ(sizeof(v), completion(&self->loop, LONG, NULL));
	EXPECT_EQ(42, v);
}

TEST_F(uring, write)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 v, full[8] = {}, one = 9;

	ASSERT_EQ(sizeof(full), write(self->in, full, sizeof(full)));
	io_uring_prep_write(sqe, self->in, &one, sizeof(one), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-ETIME, completion(&self->loop, 20, NULL));
	ASSERT_EQ(0, pop_answer(&self->c, &v));
	EXPECT_EQ(sizeof(one), completion(&self->loop, LONG, NULL));
	EXPECT_EQ(8, info_of(self->ring).length);
}

/* SHUTDOWN completes the requests that wait at that end, and later ones are refused. */
TEST_F(uring, over)
{
	__u64 v = 0, full[8] = {};

	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, &v, sizeof(v), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(-ESHUTDOWN, completion(&self->loop, LONG, NULL));
	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, &v, sizeof(v), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-ESHUTDOWN, completion(&self->loop, LONG, NULL));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	io_uring_prep_write(io_uring_get_sqe(&self->loop), self->in, full, sizeof(full), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-ESHUTDOWN, completion(&self->loop, LONG, NULL));
}

/*
 * The first of two writes completes a waiting read, which looks like a pending signal to the second
 * write.  Return: how many of the three requests moved 8 bytes.
 */
static int write_behind_wake(struct io_uring *loop, int in, int out)
{
	__u64 v[3] = { 1, 2, 0 };
	int i, moved = 0;

	io_uring_prep_read(io_uring_get_sqe(loop), out, &v[2], 8, -1);
	io_uring_submit(loop);
	for (i = 0; i < 2; i++)
		io_uring_prep_write(io_uring_get_sqe(loop), in, &v[i], 8, -1);
	io_uring_submit(loop);
	for (i = 0; i < 3; i++)
		moved += completion(loop, LONG, NULL) == 8;
	return moved;
}

TEST_F(uring, write_behind_wake)
{
	EXPECT_EQ(3, write_behind_wake(&self->loop, self->in, self->out));
}

FIXTURE(uring_record) {
	int ring, in, out;
	struct io_uring loop;
};

FIXTURE_VARIANT(uring_record) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(uring_record, fails) {};
FIXTURE_VARIANT_ADD(uring_record, drops) { SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(uring_record, overwrites) { SPSCRING_CREATE_OVERWRITE };

FIXTURE_SETUP(uring_record)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	err = io_uring_queue_init(8, &self->loop, 0);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	ASSERT_EQ(0, open_ends(RING(.capacity = 4096,
				    .flags = variant->flags | SPSCRING_CREATE_RECORDS),
			       &self->ring, &self->in, &self->out));
}

FIXTURE_TEARDOWN(uring_record)
{
	io_uring_queue_exit(&self->loop);
	close_ends(&self->ring, &self->in, &self->out);
}

/* Each read gets one record, and waits by poll. */
TEST_F(uring_record, read)
{
	static const struct iovec in[] = { { "a rec", 5 }, { "ord", 3 } };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	char rec[100];

	io_uring_prep_read(sqe, self->out, rec, sizeof(rec), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-ETIME, completion(&self->loop, 20, NULL));
	EXPECT_EQ(0, info_of(self->ring).consumer_sleep.sleeps);
	io_uring_prep_writev(io_uring_get_sqe(&self->loop), self->in, in, 2, -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(8, completion(&self->loop, LONG, NULL));
	EXPECT_EQ(8, completion(&self->loop, LONG, NULL));
	EXPECT_EQ(0, memcmp(rec, "a record", 8));
	/* a record longer than the read's buffer stays in the ring */
	ASSERT_EQ(7, write(self->in, "another", 7));
	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, rec, 6, -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	EXPECT_EQ(-EMSGSIZE, completion(&self->loop, LONG, NULL));
	EXPECT_EQ(7, read(self->out, rec, sizeof(rec)));
}

TEST_F(uring_record, write_behind_wake)
{
	EXPECT_EQ(3, write_behind_wake(&self->loop, self->in, self->out));
}

/* A write to a full ring waits by poll for room for the whole record, unless the ring loses. */
TEST_F(uring_record, write)
{
	char rec[4088] = {}, more[1000] = {};

	ASSERT_EQ(2000, write(self->in, rec, 2000));
	ASSERT_EQ(2000, write(self->in, rec, 2000));
	io_uring_prep_write(io_uring_get_sqe(&self->loop), self->in, more, sizeof(more), -1);
	ASSERT_EQ(1, io_uring_submit(&self->loop));
	if (variant->flags) {
		EXPECT_EQ(variant->flags & SPSCRING_CREATE_DROP ? -ENOBUFS : (int)sizeof(more),
			  completion(&self->loop, LONG, NULL));
		return;
	}
	EXPECT_EQ(-ETIME, completion(&self->loop, 20, NULL));
	EXPECT_EQ(0, info_of(self->ring).producer_sleep.sleeps);
	EXPECT_EQ(2000, read(self->out, rec, sizeof(rec)));
	EXPECT_EQ(sizeof(more), completion(&self->loop, LONG, NULL));
	EXPECT_EQ(2000, read(self->out, rec, sizeof(rec)));
	EXPECT_EQ(sizeof(more), read(self->out, rec, sizeof(rec)));
}

TEST_HARNESS_MAIN
