// SPDX-License-Identifier: GPL-2.0
/*
 * The producer pushes a burst once the consumer has popped all of the last one.  A watermark must
 * not strand an element, and of two threads that wait on one end neither may miss its wake.
 */
#include <pthread.h>

#include "sleeper.h"

/* Poll, because a producer in WAIT would make the kernel wake the consumer below its watermark. */
static int until_all_taken(const struct spscring_producer *p)
{
	__s64 until = in_ms(LONG);

	while (!spscring_has_room(p, p->base.capacity)) {
		if (now_ns() > until)
			return -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

/* Push bursts of 1 to 9 elements, each burst once the consumer has popped all of the last. */
static int burst_produce(int ring, __u64 bursts)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0), n, err;
	struct spscring_producer p;
	__u32 seed = 4;
	__u64 v = 0;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	while (bursts--) {
		for (n = (seed >> 16) % 9; n >= 0; n--) {
			if (spscring_push(&p, &v))
				return 1;
			v++;
			dawdle(&seed);
		}
		err = until_all_taken(&p);
		if (err) {
			printf("# record %llu: producer: %s\n", v, strerror(-err));
			return 1;
		}
	}
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

/* ------------------------------------------ a watermark strands no element */

FIXTURE(tail) {
	int ring;
};

FIXTURE_VARIANT(tail) {
	enum how how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(tail, poll) { .how = BY_POLL };
FIXTURE_VARIANT_ADD(tail, epoll) { .how = BY_EPOLL };
FIXTURE_VARIANT_ADD(tail, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(tail, fence_edge) {
	.how = BY_EPOLL_EDGE,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(tail)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 16, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(tail)
{
	close_fd(&self->ring);
}

/* The consumer gets a burst below the watermark when the watermark's timeout has expired. */
TEST_F_TIMEOUT(tail, taken, 600)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0), err;
	struct spscring_consumer c;
	__u64 next = 0;
	struct sleeper s;
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		close(fd);
		_exit(burst_produce(self->ring, some_hand_overs() / 20));
	}
	ASSERT_EQ(0, map_consumer(fd, &c, NULL));
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	ASSERT_EQ(0, spscring_notify(fd, 5, 300000, -1));
	do
		err = consume_next(&s, &c, &next);
	while (!err);
	EXPECT_EQ(-ESHUTDOWN, err)
		TH_LOG("record %llu", next);
	if (err != -ESHUTDOWN)
		kill(pid, SIGKILL);
	EXPECT_EQ(0, wait_child(pid));
	close(fd);
}

/* --------------------------------------------------- two waiters on one end */

/* Wait for any index: the library offers only waits relative to the handle's position. */
static int wait_index(int fd, __u64 index)
{
	struct spscring_wait want = { .size = sizeof(want), .index = index };

	want.deadline = in_ms(LONG);
	return in_time(do_ioctl(fd, SPSCRING_WAIT, &want), want.deadline);
}

struct stride {
	pthread_t thread;
	int fd, err;
};

/* Waits for every twelfth element, while the main thread waits for each. */
static void *wait_in_strides(void *arg)
{
	struct stride *s = arg;
	__u64 index = 12;

	do {
		s->err = wait_index(s->fd, index);
		if (!s->err)
			index += 12;
		else if (s->err == -EINVAL)
			sched_yield();	/* too far ahead: the main thread has to pop first */
	} while (!s->err || s->err == -EINVAL);
	return NULL;
}

FIXTURE(two) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(two) {
	__u32 flags;
	bool quick;
};

FIXTURE_VARIANT_ADD(two, adaptive) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(two, quick) {
	.quick = true,
};

FIXTURE_VARIANT_ADD(two, fence) {
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(two)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 64, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(two)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

/* A thread that waits for fewer elements, again and again, takes no wake-up from the other one. */
TEST_F_TIMEOUT(two, indices, 600)
{
	struct stride s = { .fd = claim_end(self->ring, SPSCRING_CONSUMER, 0) };
	struct spscring_consumer c;
	__u64 next = 0, v;
	pid_t pid;
	int err;

	ASSERT_GE(s.fd, 0);
	pid = fork_child();
	if (!pid)
		_exit(burst_produce(self->ring, some_hand_overs() / 10));
	ASSERT_EQ(0, map_consumer(s.fd, &c, NULL));
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, wait_in_strides, &s));
	do {
		err = spscring_pop(&c, &v);
		if (err == -EAGAIN)
			err = wait_index(s.fd, next + 1);
		else if (!err)
			ASSERT_EQ(next++, v);
	} while (!err);
	EXPECT_EQ(-ESHUTDOWN, err)
		TH_LOG("record %llu", next);
	if (err != -ESHUTDOWN)
		kill(pid, SIGKILL);
	EXPECT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(-ESHUTDOWN, s.err);
	EXPECT_EQ(0, wait_child(pid));
	close(s.fd);
}

TEST_HARNESS_MAIN
