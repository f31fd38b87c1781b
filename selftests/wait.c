// SPDX-License-Identifier: GPL-2.0
/*
 * WAIT: an end sleeps until there are elements, or room; until it or its peer shuts down, or the
 * peer dies; until its deadline; or until a signal.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "pair.h"

/* An end does not sleep for elements that are already there, and its peer does not kick. */
TEST_F(pair, ready)
{
	ASSERT_EQ(0, push_some(self, 3));
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 3, NEVER));
	EXPECT_EQ(0, spscring_wait_room(&self->p, 61, NEVER));
	EXPECT_EQ(0, consumer_sleep(self).sleeps);
	EXPECT_EQ(0, consumer_sleep(self).kicks);
}

TEST_F(pair, timeout)
{
	__s64 until = in_ms(20);

	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 1, until));
	EXPECT_GE(now_ns(), until);
	/* a deadline that has passed already */
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 1, 1));
	ASSERT_EQ(0, push_some(self, 64));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_room(&self->p, 1, in_ms(5)));
	/* after the timeouts no end waits, so no end kicks */
	ASSERT_EQ(0, pop_some(self, 64));
	EXPECT_EQ(0, info_of(self->ring).producer_sleep.kicks);
}

TEST_F(pair, bad)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 65, .deadline = 0 };

	EXPECT_EQ(-EINVAL, do_ioctl(self->out, SPSCRING_WAIT, &want));
	want.index = 64;
	EXPECT_EQ(-ETIMEDOUT, do_ioctl(self->out, SPSCRING_WAIT, &want));
	want.flags = SPSCRING_WAIT_ARM;
	EXPECT_EQ(-EINVAL, do_ioctl(self->out, SPSCRING_WAIT, &want));
	EXPECT_EQ(-EINVAL, do_ioctl(self->out, SPSCRING_KICK, (void *)2));
	want.flags = 2;
	EXPECT_EQ(-EINVAL, do_ioctl(self->out, SPSCRING_WAIT, &want));
	want.flags = 0;
	want.size = sizeof(want) - 1;
	EXPECT_EQ(-EINVAL, do_ioctl(self->out, SPSCRING_WAIT, &want));
	want.size = sizeof(want);
	EXPECT_EQ(-EPERM, do_ioctl(self->ring, SPSCRING_WAIT, &want));
	EXPECT_EQ(-EPERM, do_ioctl(self->ring, SPSCRING_KICK, NULL));
	EXPECT_EQ(-EFAULT, do_ioctl(self->out, SPSCRING_WAIT, NULL));
	EXPECT_EQ(-EINVAL, spscring_wait_elements(&self->c, 0, NEVER));
}

/* NOTIFY accepts an eventfd and refuses every other fd. */
TEST_F(pair, bad_notify)
{
	int event = eventfd(0, EFD_CLOEXEC), pipes[2];

	ASSERT_GE(event, 0);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 65, 0, -1));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, -2));
	EXPECT_EQ(-EBADF, spscring_notify(self->out, 1, 0, 1000));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, self->ring));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, self->in));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, self->out));
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, pipes[0]));
	EXPECT_EQ(-EPERM, spscring_notify(self->ring, 1, 0, event));
	EXPECT_EQ(0, spscring_notify(self->out, 1, 0, event));
	/* a refused NOTIFY changes nothing, and leaks no reference */
	EXPECT_EQ(-EINVAL, spscring_notify(self->out, 1, 0, pipes[1]));
	EXPECT_EQ(0, spscring_notify(self->out, 1, 0, -1));
	/* after its shutdown an end gets ESHUTDOWN before any other error */
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(-ESHUTDOWN, spscring_notify(self->out, 1, 0, event));
	EXPECT_EQ(-ESHUTDOWN, spscring_notify(self->out, 1, 0, pipes[0]));
	close(event);
	close(pipes[0]);
	close(pipes[1]);
}

/* A BUSY_POLL ring refuses each call that sleeps or arms. */
TEST(wait_busy_poll)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 1 };
	int ring, out;

	SKIP_WITHOUT_DEVICE();
	EXPECT_EQ(-EINVAL,
		  spscring_open(RING(.capacity = 64, .element_size = 8,
				     .flags = SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE)));
	ring = spscring_open(RING(.capacity = 64, .element_size = 8,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(out, 0);
	EXPECT_EQ(-EOPNOTSUPP, do_ioctl(out, SPSCRING_WAIT, &want));
	EXPECT_EQ(-EOPNOTSUPP, spscring_notify(out, 1, 0, -1));
	EXPECT_EQ(-EOPNOTSUPP, spscring_notify(out, 1, 0, ring));
	EXPECT_EQ(POLLERR, poll_one(out, POLLIN, 1000));
	close(out);
	close(ring);
}

static void on_alarm(int signal)
{
	(void)signal;
}

TEST_F(pair, signal)
{
	/* again and again: on a busy machine the first one may come before the wait */
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction act = { .sa_handler = on_alarm };

	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(-EINTR, spscring_wait_elements(&self->c, 1, NEVER));
	/* the kernel restarts the call with the same deadline */
	act.sa_flags = SA_RESTART;
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 1, in_ms(60)));
	often = (struct itimerval){};
	EXPECT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
}

/* INFO writes nothing after the shorter struct of a caller without sleep counters. */
TEST_F(pair, older_info)
{
	const size_t older = __builtin_offsetof(struct spscring_info, producer_sleep);
	unsigned char bytes[sizeof(struct spscring_info)];
	struct spscring_info *info = (struct spscring_info *)bytes;
	size_t i;

	memset(bytes, 0xaa, sizeof(bytes));
	info->size = older;
	info->flags = 0;
	ASSERT_EQ(0, do_ioctl(self->ring, SPSCRING_INFO, info));
	EXPECT_EQ(older, info->size);
	EXPECT_EQ(SPSCRING_HELD, info->producer_state);
	for (i = older; i < sizeof(bytes); i++)
		ASSERT_EQ(0xaa, bytes[i]);
}

struct waiter {
	pthread_t thread;
	struct spscring_consumer c;
	int err;
};

static void *wait_for_one(void *arg)
{
	__s64 until = in_ms(LONG);
	struct waiter *w = arg;

	w->err = in_time(spscring_wait_elements(&w->c, 1, until), until);
	return NULL;
}

/* Returns once @n more threads sleep at the consumer's end. */
static int start_waiters(pair_t *self, struct waiter *w, int n)
{
	__u64 sleeps = consumer_sleep(self).sleeps + n;
	int i;

	for (i = 0; i < n; i++) {
		w[i].c = self->c;
		if (pthread_create(&w[i].thread, NULL, wait_for_one, &w[i]))
			return -ENOMEM;
	}
	while (consumer_sleep(self).sleeps < sleeps)
		sleep_ms(1);
	return 0;
}

/* A thread that waits at an end is woken when another thread shuts that end down. */
TEST_F(pair, own_shutdown)
{
	struct waiter w;

	ASSERT_EQ(0, start_waiters(self, &w, 1));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	ASSERT_EQ(0, pthread_join(w.thread, NULL));
	EXPECT_EQ(-ESHUTDOWN, w.err);
}

/* WAIT refuses one thread more than SPSCRING_WAITERS_MAX; all the others are woken. */
TEST_F(pair, too_many)
{
	static struct waiter w[SPSCRING_WAITERS_MAX];
	int i;

	ASSERT_EQ(0, start_waiters(self, w, SPSCRING_WAITERS_MAX));
	EXPECT_EQ(-EBUSY, spscring_wait_elements(&self->c, 1, in_ms(LONG)));
	ASSERT_EQ(0, push_some(self, 1));
	for (i = 0; i < SPSCRING_WAITERS_MAX; i++) {
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
		EXPECT_EQ(0, w[i].err);
	}
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 2, in_ms(5)));
}

/* A child that is killed while it waits leaves no waiter behind, however many there were. */
TEST_F(pair, killed_waiter)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 1, .deadline = NEVER };
	__u64 before = consumer_sleep(self).sleeps;
	int i;

	for (i = 0; i <= SPSCRING_WAITERS_MAX; i++) {
		pid_t pid = fork_child();

		if (!pid) {
			do_ioctl(self->out, SPSCRING_WAIT, &want);
			_exit(1);
		}
		while (consumer_sleep(self).sleeps == before)
			sched_yield();
		before++;
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, wait_child(pid));
	}
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_CONSUMER));
	ASSERT_EQ(0, push_some(self, 1));
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 1, in_ms(LONG)));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 2, in_ms(5)));
}

/* An impossible tail of a later frame does not keep WAIT in its loop for ever. */
TEST_F(pair, lying_tail)
{
	struct spscring_geometry g = info_of(self->ring).geometry;
	char *last = self->p.base.data + 63 / g.frame_elements * g.frame_size;

	WRITE_ONCE(*(__u64 *)last, 64);
	EXPECT_EQ(-EPIPE, spscring_wait_elements(&self->c, 64, in_ms(LONG)));
}

TEST_HARNESS_MAIN
