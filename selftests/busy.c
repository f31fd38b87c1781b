// SPDX-License-Identifier: GPL-2.0
/*
 * While neither end sleeps, neither end makes a system call.  A seccomp filter kills a process that
 * makes one.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "pair.h"
#include "sleeper.h"

/* Once an end that slept is awake, its peer stops kicking it. */
TEST_F(pair, busy)
{
	__u64 n = some_hand_overs() * 10, i;

	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 1, in_ms(1)));
	for (i = 0; i < n; i += 50) {
		ASSERT_EQ(0, push_some(self, 50));
		ASSERT_EQ(0, pop_some(self, 50));
	}
	/* the only kick is at the first element, for which poll armed the end */
	EXPECT_EQ(1, consumer_sleep(self).kicks);
	EXPECT_EQ(0, info_of(self->ring).producer_sleep.kicks);
}

#define BUSY_CAPACITY	4096
#define BUSY_BATCH	64

FIXTURE(busy) {
	int ring;
};

FIXTURE_VARIANT(busy) {
	__u32 flags;
	__u32 batch;
};

FIXTURE_VARIANT_ADD(busy, one_by_one) { .batch = 1 };
FIXTURE_VARIANT_ADD(busy, in_batches) { .batch = BUSY_BATCH };
FIXTURE_VARIANT_ADD(busy, fence) { .batch = 1, .flags = SPSCRING_CREATE_FENCE };
FIXTURE_VARIANT_ADD(busy, fence_in_batches) {
	.batch = BUSY_BATCH,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(busy)
{
	SKIP_WITHOUT_DEVICE();
	/* a kernel with seccomp filters returns EFAULT for the NULL filter */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) && errno == EINVAL)
		SKIP(return, "no seccomp filters to count system calls by");
	self->ring = spscring_open(RING(.capacity = BUSY_CAPACITY, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(busy)
{
	close_fd(&self->ring);
}

/* From here on each system call kills this process, except the one by which it exits. */
static int forbid_calls(void)
{
	struct sock_filter only_exit[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, __builtin_offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { 4, only_exit };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static int push_busy(struct spscring_producer *p, __u64 *next, __u64 end, __u32 batch)
{
	__u64 recs[BUSY_BATCH];

	while (*next != end) {
		__u32 n = least(batch, end - *next), i;
		long some;

		for (i = 0; i < n; i++)
			recs[i] = *next + i;
		some = batch == 1 ? spscring_push(p, recs) ?: 1 : spscring_push_n(p, recs, n);
		if (some > 0)
			*next += some;
		else if (some != -EAGAIN)
			return some;
	}
	return 0;
}

static int pop_busy(struct spscring_consumer *c, __u64 *next, __u64 end, __u32 batch)
{
	__u64 recs[BUSY_BATCH];

	while (*next != end) {
		long some = batch == 1 ? spscring_pop(c, recs) ?: 1 :
			spscring_pop_n(c, recs, least(batch, end - *next)), i;

		if (some < 0 && some != -EAGAIN)
			return some;
		if (some < 0)
			spscring_backoff(c);
		for (i = 0; i < some; i++)
			if (recs[i] != (*next)++)
				return -EILSEQ;
	}
	return 0;
}

/*
 * Each end sleeps, and wakes the other, before the filter forbids calls.  Twice the capacity later
 * the other end has passed the event index of that sleep.
 */
static int busy_produce(int ring, __u32 batch, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0);
	struct spscring_producer p;
	__u64 next = 0;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	while (!info_of(ring).consumer_sleep.sleeps)
		sched_yield();
	if (push_busy(&p, &next, BUSY_CAPACITY, 1) ||
	    spscring_wait_room(&p, 1, in_ms(LONG)) ||
	    push_busy(&p, &next, 3 * BUSY_CAPACITY, batch) || forbid_calls())
		return 1;
	return push_busy(&p, &next, next + n, batch) ? 1 : 0;
}

static int busy_consume(int ring, __u32 batch, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_CONSUMER, 0);
	struct spscring_consumer c;
	__u64 next = 0;

	if (fd < 0 || map_consumer(fd, &c, NULL))
		return 2;
	no_spin(&c.base.spin, &c.base.spin_max);
	if (spscring_wait_elements(&c, 1, in_ms(LONG)))
		return 1;
	while (!info_of(ring).producer_sleep.sleeps)
		sched_yield();
	if (pop_busy(&c, &next, 3 * BUSY_CAPACITY, batch) || forbid_calls())
		return 1;
	return pop_busy(&c, &next, next + n, batch) ? 1 : 0;
}

TEST_F(busy, no_calls)
{
	__u64 n = least(messages(), 10000000);
	pid_t producer, consumer;

	producer = fork_child();
	if (!producer)
		_exit(busy_produce(self->ring, variant->batch, n));
	consumer = fork_child();
	if (!consumer)
		_exit(busy_consume(self->ring, variant->batch, n));
	EXPECT_EQ(0, wait_child(producer));
	EXPECT_EQ(0, wait_child(consumer));
	EXPECT_EQ(1, info_of(self->ring).consumer_sleep.sleeps);
	EXPECT_EQ(1, info_of(self->ring).producer_sleep.sleeps);
}

/* Prove that the filter works: a KICK, which is an ioctl as WAIT is, kills the process. */
TEST_F(busy, counted)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	struct spscring_consumer c;
	pid_t pid;

	ASSERT_EQ(0, map_consumer(fd, &c, NULL));
	pid = fork_child();
	if (!pid)
		_exit(forbid_calls() ? 1 : do_ioctl(fd, SPSCRING_KICK, NULL));
	EXPECT_EQ(-SIGSYS, wait_child(pid));
	close(fd);
}

TEST_HARNESS_MAIN
