// SPDX-License-Identifier: GPL-2.0
/*
 * A ring in an io_uring event loop: its multishot poll, its reads and writes.
 */
#include <liburing.h>
#include <poll.h>

#include "selftest.h"

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
	self->ring = spscring_open(RING(.capacity = 8, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(map_producer(self->in, &self->p, NULL), 0);
	ASSERT_EQ(map_consumer(self->out, &self->c, NULL), 0);
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->loop);
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

static int push_one(struct _test_data_uring *self, __u64 v)
{
	return push_answer(&self->p, &v);
}

#define LONG	60000	/* ms: nothing is as late as this but what does not come */

/* The next completion's result; -ETIME when there is none in time. */
static int completion(struct io_uring *loop, unsigned int ms, bool *more)
{
	struct __kernel_timespec time = { ms / 1000, ms % 1000 * 1000000LL };
	struct io_uring_cqe *cqe;
	int err = io_uring_wait_cqe_timeout(loop, &cqe, &time);

	if (err)
		return err;
	err = cqe->res;
	if (more)
		*more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(loop, cqe);
	return err;
}

/* Edge after edge by one submission, each followed by a drain to EAGAIN. */
TEST_F(uring, multishot_poll)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 i, v, next = 0;
	bool more;

	io_uring_prep_poll_multishot(sqe, self->out, POLLIN | POLLRDHUP);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(push_one(self, i), 0);
		if (i % 3 == 2)
			continue;	/* two at once now and then */
		/* as many as there were edges, at least one */
		do {
			ASSERT_EQ(completion(&self->loop, LONG, &more) & POLLIN, POLLIN);
			ASSERT_TRUE(more);
		} while (io_uring_cq_ready(&self->loop));
		while (!pop_answer(&self->c, &v))
			ASSERT_EQ(v, next++);
	}
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(completion(&self->loop, LONG, &more) & POLLRDHUP, POLLRDHUP);
	EXPECT_EQ(next, 100);
}

/* A read that finds nothing waits by poll, and no worker thread sleeps for it. */
TEST_F(uring, read)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 v = 0;

	io_uring_prep_read(sqe, self->out, &v, sizeof(v), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, 20, NULL), -ETIME);
	EXPECT_EQ(info_of(self->ring).consumer_sleep.sleeps, 0);
	ASSERT_EQ(push_one(self, 42), 0);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), sizeof(v));
	EXPECT_EQ(v, 42);
}

TEST_F(uring, write)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	__u64 v, full[8] = {}, one = 9;

	ASSERT_EQ(write(self->in, full, sizeof(full)), sizeof(full));
	io_uring_prep_write(sqe, self->in, &one, sizeof(one), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, 20, NULL), -ETIME);
	ASSERT_EQ(pop_answer(&self->c, &v), 0);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), sizeof(one));
	EXPECT_EQ(info_of(self->ring).length, 8);
}

/* SHUTDOWN of the own end completes what waits on it, and refuses what comes. */
TEST_F(uring, over)
{
	__u64 v = 0, full[8] = {};

	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, &v, sizeof(v), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), -ESHUTDOWN);
	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, &v, sizeof(v), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), -ESHUTDOWN);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	io_uring_prep_write(io_uring_get_sqe(&self->loop), self->in, full, sizeof(full), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), -ESHUTDOWN);
}

/*
 * The first of two writes wakes a read that waits: that looks like a signal to the
 * second.  How many of the three have moved 8 bytes.
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
	EXPECT_EQ(write_behind_wake(&self->loop, self->in, self->out), 3);
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
	self->ring = spscring_open(RING(.capacity = 4096,
					.flags = variant->flags | SPSCRING_CREATE_RECORDS));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
}

FIXTURE_TEARDOWN(uring_record)
{
	io_uring_queue_exit(&self->loop);
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

/* One record each, of its own length, by poll; no worker sleeps. */
TEST_F(uring_record, read)
{
	static const struct iovec in[] = { { "a rec", 5 }, { "ord", 3 } };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->loop);
	char rec[100];

	io_uring_prep_read(sqe, self->out, rec, sizeof(rec), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, 20, NULL), -ETIME);
	EXPECT_EQ(info_of(self->ring).consumer_sleep.sleeps, 0);
	io_uring_prep_writev(io_uring_get_sqe(&self->loop), self->in, in, 2, -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), 8);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), 8);
	EXPECT_EQ(memcmp(rec, "a record", 8), 0);
	/* too little room: it stays */
	ASSERT_EQ(write(self->in, "another", 7), 7);
	io_uring_prep_read(io_uring_get_sqe(&self->loop), self->out, rec, 6, -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), -EMSGSIZE);
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), 7);
}

TEST_F(uring_record, write_behind_wake)
{
	EXPECT_EQ(write_behind_wake(&self->loop, self->in, self->out), 3);
}

/* When it is full: waits by poll, until there is room for all of it; or does not. */
TEST_F(uring_record, write)
{
	char rec[4088] = {}, more[1000] = {};

	ASSERT_EQ(write(self->in, rec, 2000), 2000);
	ASSERT_EQ(write(self->in, rec, 2000), 2000);
	io_uring_prep_write(io_uring_get_sqe(&self->loop), self->in, more, sizeof(more), -1);
	ASSERT_EQ(io_uring_submit(&self->loop), 1);
	if (variant->flags) {
		EXPECT_EQ(completion(&self->loop, LONG, NULL),
			  variant->flags & SPSCRING_CREATE_DROP ? -ENOBUFS : (int)sizeof(more));
		return;
	}
	EXPECT_EQ(completion(&self->loop, 20, NULL), -ETIME);
	EXPECT_EQ(info_of(self->ring).producer_sleep.sleeps, 0);
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), 2000);
	EXPECT_EQ(completion(&self->loop, LONG, NULL), sizeof(more));
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), 2000);
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), sizeof(more));
}

TEST_HARNESS_MAIN
