// SPDX-License-Identifier: GPL-2.0
/*
 * A read or write that stalls in a page fault of the caller's buffer, which a userfaultfd prolongs.
 * Meanwhile the peer, poll, INFO and the peer's death do not wait for it.
 */
#include "held_call.h"
#include "rw.h"
#include "rw_record.h"

/* A stalled read delays no other call. */
TEST_F(rw, userfault)
{
	struct held_call s = { .fd = self->out, .size = SIZE };

	ASSERT_EQ(SIZE, put(self->in, 0, 1));
	ASSERT_EQ(0, hold(&s, read_into));

	EXPECT_EQ(SIZE, put(self->in, 1, 1));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(2, info_of(self->ring).length);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, get(self->out, 0, 1));
	close_fd(&self->in);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));

	EXPECT_EQ(SIZE, let_go(&s));
	EXPECT_TRUE(rec_is(s.page, 0));
	EXPECT_EQ(SIZE, get(self->out, 1, 1));
}

/* The same for a record; if it is overwritten meanwhile, the read returns the oldest left. */
TEST_F(record, userfault_read)
{
	struct held_call s = { .fd = self->out, .size = 1000 };
	__u64 i, n = self->overwrites ? 100 : 4;
	long got;

	ASSERT_EQ(1000, put_record(self->in, 0, 1000));
	ASSERT_EQ(0, hold(&s, read_into));

	for (i = 1; i < n; i++)
		EXPECT_EQ(1000, put_record(self->in, i, 1000));
	EXPECT_EQ(POLLIN, polled(self->out));
	EXPECT_GT(info_of(self->ring).length, 1000);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, get_record(self->out, 0, ROOM));
	close_fd(&self->in);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));

	EXPECT_EQ(1000, let_go(&s));
	memcpy(&i, s.page, sizeof(i));
	EXPECT_TRUE(is_filled(s.page, i, 1000));
	EXPECT_EQ(i, info_of(self->ring).loss.overruns);
	EXPECT_EQ(self->overwrites, i > 90);
	while ((got = get_record(self->out, ++i, ROOM)) == 1000)
		;
	EXPECT_EQ(-EPIPE, got);
	EXPECT_EQ(n, i);
}

/* A write that stalls while it fills a reserved record delays no other call. */
TEST_F(record, userfault_write)
{
	struct held_call s = { .fd = self->in, .size = 1000 };
	unsigned char rec[ROOM], zeros[1000] = {};

	ASSERT_EQ(10, put_record(self->in, 0, 10));
	ASSERT_EQ(0, hold(&s, write_from));

	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, put_record(self->in, 1, 10));
	EXPECT_EQ(variant->align ?: 24, info_of(self->ring).length);
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(-EAGAIN, get_record(self->out, 1, ROOM));
	EXPECT_EQ(0, polled(self->out));
	close_fd(&self->out);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_CONSUMER));
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);

	EXPECT_EQ(1000, let_go(&s));
	EXPECT_EQ(1000, read(self->out, rec, sizeof(rec)));
	EXPECT_EQ(0, memcmp(rec, zeros, 1000));
}

/* A write that is killed there leaves no record. */
TEST_F(record, killed_write)
{
	struct held_call s = { .fd = self->in, .size = 1000 };
	pid_t pid;

	ASSERT_EQ(10, put_record(self->in, 0, 10));
	nonblock(self->in);
	pid = fork_child();
	if (!pid)
		_exit(hold(&s, write_from) ? 1 : pause());
	/* once the child's write holds the end, other writes fail before they check the length */
	while (put_record(self->in, 0, self->most + 1) == -EMSGSIZE)
		sleep_ms(1);
	close_fd(&self->in);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(100, put_record(self->in, 1, 100));
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(100, get_record(self->out, 1, ROOM));
	EXPECT_EQ(0, info_of(self->ring).length);
}

TEST_HARNESS_MAIN
