// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer pops a few elements from a full ring and then waits for the producer's answer on
 * another channel.  Its published head may lag, so the producer has to find the room by the
 * consumer's exact cursor, within SPSCRING_REFRESH_EVERY tries.
 */
#include "selftest.h"

#define ROUNDS	20
#define TAKEN	10

static long push_one(struct spscring_producer *p, __u64 first, __u32 n)
{
	(void)n;
	return spscring_push(p, &first) ?: 1;
}

static long push_batch(struct spscring_producer *p, __u64 first, __u32 n)
{
	__u64 batch[TAKEN];
	__u32 i;

	for (i = 0; i < n; i++)
		batch[i] = first + i;
	return spscring_push_n(p, batch, n);
}

static long push_reserved(struct spscring_producer *p, __u64 first, __u32 n)
{
	void *slot;
	long ret = spscring_reserve(p, &slot);

	(void)n;
	if (ret)
		return ret;
	*(__u64 *)slot = first;
	spscring_commit(p);
	return 1;
}

static long push_reserved_batch(struct spscring_producer *p, __u64 first, __u32 n)
{
	void *slots = NULL;	/* gcc does not know that errors are negative */
	long i, some = spscring_reserve_n(p, n, &slots);

	if (some < 0)
		return some;
	for (i = 0; i < some; i++)
		((__u64 *)slots)[i] = first + i;
	spscring_commit_n(p, some);
	return some;
}

FIXTURE(lockstep)
{
	int ring, producer, consumer;
	int ask[2], answer[2];
	struct spscring_producer p;
	pid_t child;
};

FIXTURE_VARIANT(lockstep)
{
	__u64 capacity;
	long (*push)(struct spscring_producer *p, __u64 first, __u32 n);
};

FIXTURE_VARIANT_ADD(lockstep, push_1) { 1, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_1) { 1, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_1) { 1, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_1) { 1, push_reserved_batch };
FIXTURE_VARIANT_ADD(lockstep, push_2) { 2, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_2) { 2, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_2) { 2, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_2) { 2, push_reserved_batch };
FIXTURE_VARIANT_ADD(lockstep, push_7) { 7, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_7) { 7, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_7) { 7, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_7) { 7, push_reserved_batch };
FIXTURE_VARIANT_ADD(lockstep, push_8) { 8, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_8) { 8, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_8) { 8, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_8) { 8, push_reserved_batch };
FIXTURE_VARIANT_ADD(lockstep, push_64) { 64, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_64) { 64, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_64) { 64, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_64) { 64, push_reserved_batch };
FIXTURE_VARIANT_ADD(lockstep, push_4096) { 4096, push_one };
FIXTURE_VARIANT_ADD(lockstep, push_n_4096) { 4096, push_batch };
FIXTURE_VARIANT_ADD(lockstep, reserve_4096) { 4096, push_reserved };
FIXTURE_VARIANT_ADD(lockstep, reserve_n_4096) { 4096, push_reserved_batch };

/* The consumer pops the number of elements that the pipe names, answers, and waits again. */
static int consumer(int end, int ask, int answer)
{
	struct spscring_consumer c;
	__u64 v, next = 0;
	__u32 n;

	if (map_consumer(end, &c, NULL))
		return 2;
	while (read(ask, &n, sizeof(n)) == sizeof(n) && n) {
		while (n--)
			if (pop_answer(&c, &v) || v != next++)
				return 1;
		if (write(answer, &n, sizeof(n)) != sizeof(n))
			return 2;
	}
	return 0;
}

FIXTURE_SETUP(lockstep)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = variant->capacity, .element_size = 8), &self->ring,
			       &self->producer, &self->consumer));
	ASSERT_EQ(0, map_producer(self->producer, &self->p, NULL));
	ASSERT_EQ(0, pipe(self->ask));
	ASSERT_EQ(0, pipe(self->answer));
	self->child = fork_child();
	ASSERT_GE(self->child, 0);
	if (!self->child) {
		close(self->ask[1]);
		_exit(consumer(self->consumer, self->ask[0], self->answer[1]));
	}
	close_fd(&self->consumer);
	close_fd(&self->answer[1]);
}

FIXTURE_TEARDOWN(lockstep)
{
	close_fd(&self->ask[1]);
	close_fd(&self->ask[0]);
	close_fd(&self->answer[0]);
	close_fd(&self->producer);
	close_fd(&self->ring);
}

TEST_F(lockstep, answered)
{
	__u32 taken = variant->capacity < TAKEN ? variant->capacity : TAKEN, reply;
	__u64 next = 0, end;
	int round, tries, i;
	long got;

	while (variant->push(&self->p, next, 1) == 1)
		next++;
	ASSERT_EQ(variant->capacity, next);
	for (round = 0; round < ROUNDS; round++) {
		/* begin at any of the tries between two reads of the cursor */
		for (i = 0; i < round * 7 % SPSCRING_REFRESH_EVERY; i++)
			ASSERT_EQ(-EAGAIN, variant->push(&self->p, next, taken));
		ASSERT_EQ((ssize_t)sizeof(taken), write(self->ask[1], &taken, sizeof(taken)));
		ASSERT_EQ((ssize_t)sizeof(reply), read(self->answer[0], &reply, sizeof(reply)));

		/* the producer must find the popped slots within that many tries */
		for (end = next + taken, tries = 1; next != end; tries++) {
			got = variant->push(&self->p, next, end - next);
			ASSERT_TRUE(got == -EAGAIN || got > 0);
			if (got < 0) {
				ASSERT_LT(tries, SPSCRING_REFRESH_EVERY);
				continue;
			}
			next += got;
			tries = 0;
		}
		ASSERT_EQ(-EAGAIN, variant->push(&self->p, next, 1));
	}
	reply = 0;
	ASSERT_EQ((ssize_t)sizeof(reply), write(self->ask[1], &reply, sizeof(reply)));
	EXPECT_EQ(0, wait_child(self->child));
}

TEST_HARNESS_MAIN
