// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of elements: a call moves as many whole elements as there are, or as there is
 * room for, blocking or not; and how the peer's death or a bad address affects a call.
 */
#include "rw.h"

TEST_F(rw, through)
{
	__u64 i;

	for (i = 0; i < 100; i += 5) {
		ASSERT_EQ(5 * SIZE, put(self->in, i, 5));
		ASSERT_EQ(2 * SIZE, get(self->out, i, 2));
		/* a read returns fewer elements than it asks for if fewer are there */
		ASSERT_EQ(3 * SIZE, get(self->out, i + 2, 9));
	}
}

/* read() gets the elements that a mapped end pushes, and a mapped end pops those of write(). */
TEST_F(rw, beside_mapping)
{
	struct rec r = rec_of(7), got;
	struct spscring_producer p;
	struct spscring_consumer c;

	ASSERT_EQ(0, map_producer(self->in, &p, NULL));
	ASSERT_EQ(0, spscring_push(&p, &r));
	EXPECT_EQ(SIZE, get(self->out, 7, 1));
	ASSERT_EQ(0, map_consumer(self->out, &c, NULL));
	ASSERT_EQ(SIZE, put(self->in, 8, 1));
	ASSERT_EQ(0, spscring_pop(&c, &got));
	EXPECT_TRUE(rec_is(&got, 8));
}

TEST_F(rw, nonblock)
{
	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, get(self->out, 0, 1));
	EXPECT_EQ(CAPACITY * SIZE, put(self->in, 0, CAPACITY + 1));
	EXPECT_EQ(-EAGAIN, put(self->in, CAPACITY, 1));
	EXPECT_EQ(CAPACITY * SIZE, get(self->out, 0, CAPACITY + 1));
	EXPECT_EQ(-EAGAIN, get(self->out, CAPACITY, 1));
}

TEST_F(rw, bad)
{
	void *bad = nowhere();
	struct rec r[2] = { rec_of(1) };

	EXPECT_EQ(-EBADF, negative_errno(read(self->in, r, SIZE)));
	EXPECT_EQ(-EBADF, negative_errno(write(self->out, r, SIZE)));
	EXPECT_EQ(-EINVAL, negative_errno(read(self->out, r, SIZE - 1)));
	EXPECT_EQ(-EINVAL, negative_errno(write(self->in, r, SIZE - 1)));
	EXPECT_EQ(0, write(self->in, r, 0));
	EXPECT_EQ(0, read(self->out, r, 0));
	EXPECT_EQ(-EFAULT, negative_errno(write(self->in, bad, SIZE)));
	EXPECT_EQ(-EINVAL, negative_errno(write(self->ring, r, SIZE)));
	/* no call has pushed anything, and a bad read loses nothing */
	ASSERT_EQ(SIZE, put(self->in, 5, 1));
	EXPECT_EQ(-EFAULT, negative_errno(read(self->out, bad, SIZE)));
	EXPECT_EQ(SIZE, get(self->out, 5, 1));
}

/* If the caller's memory ends within an element, the call moves the whole ones before it. */
TEST_F(rw, half_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rec *recs = (struct rec *)(at + page - 2 * SIZE - 8);

	ASSERT_NE(MAP_FAILED, at);
	recs[0] = rec_of(0);
	recs[1] = rec_of(1);
	ASSERT_EQ(0, mprotect(at + page, page, PROT_NONE));
	EXPECT_EQ(2 * SIZE, write(self->in, recs, 3 * SIZE));
	ASSERT_EQ(SIZE, put(self->in, 2, 1));
	EXPECT_EQ(2 * SIZE, read(self->out, recs, 3 * SIZE));
	EXPECT_TRUE(rec_is(&recs[1], 1));
	EXPECT_EQ(SIZE, get(self->out, 2, 1));
	munmap(at, 2 * page);
}

/* After a shutdown a reader gets the rest and then 0, as from a pipe; a writer gets ESHUTDOWN. */
TEST_F(rw, ends)
{
	ASSERT_EQ(2 * SIZE, put(self->in, 0, 2));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(2 * SIZE, get(self->out, 0, 9));
	EXPECT_EQ(0, get(self->out, 2, 1));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(-ESHUTDOWN, put(self->in, 2, 1));
}

/* After a death a reader gets the rest and then EPIPE, and a writer gets EPIPE. */
TEST_F(rw, death)
{
	ASSERT_EQ(2 * SIZE, put(self->in, 0, 2));
	close_fd(&self->in);
	EXPECT_EQ(2 * SIZE, get(self->out, 0, 9));
	EXPECT_EQ(-EPIPE, get(self->out, 2, 1));
	close_fd(&self->out);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(-EPIPE, put(self->in, 2, 1));
}

/* In a BUSY_POLL ring a call that would have to sleep returns an error. */
TEST(rw_cannot_sleep)
{
	int ring, in, out;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = CAPACITY, .element_size = SIZE,
				    .flags = SPSCRING_CREATE_BUSY_POLL),
			       &ring, &in, &out));
	EXPECT_EQ(-EOPNOTSUPP, get(out, 0, 1));
	EXPECT_EQ(CAPACITY * SIZE, put(in, 0, CAPACITY + 1));
	EXPECT_EQ(-EOPNOTSUPP, put(in, 0, 1));
	EXPECT_EQ(CAPACITY * SIZE, get(out, 0, CAPACITY));
	/* the end of the stream needs no sleep */
	ASSERT_EQ(0, spscring_shutdown(in, 0));
	EXPECT_EQ(0, get(out, CAPACITY, 1));
	close_ends(&ring, &in, &out);
}

/* Writer and reader sleep for each other, and move far more elements than the ring holds. */
TEST_F(rw, blocking)
{
	const int n = 50000;
	pid_t pid = fork_child();
	__u64 i = 0;
	long got;

	if (!pid) {
		close(self->out);
		for (i = 0; i < (__u64)n; i += 10)
			if (put(self->in, i, 10) != 10 * SIZE)
				_exit(1);
		_exit(spscring_shutdown(self->in, 0) ? 1 : 0);
	}
	close_fd(&self->in);
	while ((got = get(self->out, i, 7)) > 0)
		i += got / SIZE;
	EXPECT_EQ(0, got);
	EXPECT_EQ(n, i);
	EXPECT_EQ(0, wait_child(pid));
}

TEST_HARNESS_MAIN
