// SPDX-License-Identifier: GPL-2.0
/*
 * No wake-up is lost.  Two ends hand over to each other many times, and each sleeps whenever it
 * can, in each way to sleep: between processes, with an end in the kernel, and while the test kills
 * one producer after another.  An end that sleeps for LONG has lost its wake-up; the tests "lost"
 * seed that bug and prove that the suite finds it.
 *
 * tools/test adds up the lines "hand-overs:".
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "sleeper.h"
#include "spscring_peer.h"

/* ------------------------------------------------------------ two processes */

FIXTURE(torture) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(torture) {
	enum how how;
	__u32 flags;
	__u32 capacity;
	bool signals;
	int restart;		/* SA_RESTART */
	bool quick;
};

FIXTURE_SETUP(torture)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = variant->capacity, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(torture)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

#define TORTURE(name)	FIXTURE_VARIANT_ADD(torture, name)

TORTURE(wait) { .how = BY_WAIT, .capacity = 1 };
TORTURE(wait_deep) { .how = BY_WAIT, .capacity = 20 };
TORTURE(poll) { .how = BY_POLL, .capacity = 3 };
TORTURE(epoll) { .how = BY_EPOLL, .capacity = 3 };
TORTURE(epoll_edge) { .how = BY_EPOLL_EDGE, .capacity = 3 };
TORTURE(eventfd) { .how = BY_EVENTFD, .capacity = 3 };
TORTURE(fence) { .how = BY_WAIT, .capacity = 1, .flags = SPSCRING_CREATE_FENCE };
TORTURE(fence_edge) { .how = BY_EPOLL_EDGE, .capacity = 3,
	.flags = SPSCRING_CREATE_FENCE };
/* deep enough that the consumer does not publish each head */
TORTURE(edge_deep) { .how = BY_EPOLL_EDGE, .capacity = 64 };
TORTURE(fence_edge_deep) { .how = BY_EPOLL_EDGE, .capacity = 64,
	.flags = SPSCRING_CREATE_FENCE };
TORTURE(quick) { .how = BY_WAIT, .capacity = 1, .quick = true };
TORTURE(quick_deep) { .how = BY_WAIT, .capacity = 20, .quick = true };
TORTURE(quick_poll) { .how = BY_POLL, .capacity = 3, .quick = true };
TORTURE(quick_edge) { .how = BY_EPOLL_EDGE, .capacity = 3, .quick = true };
TORTURE(quick_eventfd) { .how = BY_EVENTFD, .capacity = 3, .quick = true };
TORTURE(quick_signals) { .how = BY_WAIT, .capacity = 3, .quick = true, .signals = true };
TORTURE(signals) { .how = BY_WAIT, .capacity = 3, .signals = true };
TORTURE(signals_restart) { .how = BY_WAIT, .capacity = 3, .signals = true, .restart = SA_RESTART };
TORTURE(signals_edge) { .how = BY_EPOLL_EDGE, .capacity = 3, .signals = true };

/*
 * Print how many sleeps a wake-up ended: at most the times that the end's task gave up the CPU, and
 * at most the ring's wakes of it, or its kicks where the end sleeps by an eventfd.
 */
static void tell_hand_overs(int ring, enum how how, __u64 producer_slept, __u64 consumer_slept)
{
	struct spscring_sleep_counters p = info_of(ring).producer_sleep;
	struct spscring_sleep_counters c = info_of(ring).consumer_sleep;
	bool kicks = how == BY_EVENTFD;

	printf("# hand-overs: %llu\n", least(producer_slept, kicks ? p.kicks : p.wakes) +
	       least(consumer_slept, kicks ? c.kicks : c.wakes));
}

static void tell_sleeps(int ring)
{
	struct spscring_info info = info_of(ring);

	printf("# of both ends: sleeps %llu interrupts %llu clears %llu\n",
	       info.consumer_sleep.sleeps + info.producer_sleep.sleeps,
	       info.consumer_sleep.interrupts + info.producer_sleep.interrupts,
	       info.consumer_sleep.clears + info.producer_sleep.clears);
}

/* How often this process, or the children that it has waited for, gave up the CPU. */
static __u64 slept(int who)
{
	struct rusage use;

	return getrusage(who, &use) ? 0 : use.ru_nvcsw;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Send this process many signals a second. */
static int disturb(int restart)
{
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = restart };

	return sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &often, NULL);
}

static void leave_alone(void)
{
	struct itimerval never = {};

	setitimer(ITIMER_REAL, &never, NULL);
}

static int torture_produce(int ring, enum how how, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0);
	struct spscring_producer p;
	struct sleeper s;
	__u32 seed = 1;
	__u64 i;
	int err;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	sleeper_init(&s, how, fd, POLLOUT);
	for (i = 0; i < n; i++) {
		dawdle(&seed);
		while ((err = spscring_push(&p, &i)) == -EAGAIN) {
			err = producer_sleep_for_one(&s, &p);
			if (err && err != -EINTR)
				break;
		}
		if (err) {
			printf("# record %llu: producer: %s\n", i, strerror(-err));
			return 1;
		}
	}
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

/* All that is pushed is popped, in order, and then the end of the stream is seen. */
TEST_F_TIMEOUT(torture, hand_over, 1800)
{
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	__u64 n = hand_overs() / (variant->signals ? 10 : 1), i, v;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 2;
	int err = 0;
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		close(fd);
		if (variant->signals && disturb(variant->restart))
			_exit(4);
		_exit(torture_produce(self->ring, variant->how, n));
	}
	ASSERT_EQ(0, map_consumer(fd, &c, NULL));
	if (variant->signals)
		ASSERT_EQ(0, disturb(variant->restart));
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	for (i = 0; i < n && !err; i++) {
		dawdle(&seed);
		while ((err = spscring_pop(&c, &v)) == -EAGAIN) {
			err = consumer_sleep_for_one(&s, &c);
			if (err && err != -EINTR)
				break;
		}
		if (!err)
			ASSERT_EQ(i, v);
	}
	leave_alone();
	EXPECT_EQ(0, err)
		TH_LOG("record %llu", i);
	if (err)
		kill(pid, SIGKILL);
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_GT(info_of(self->ring).consumer_sleep.kicks, 0);
	tell_sleeps(self->ring);
	tell_hand_overs(self->ring, variant->how, slept(RUSAGE_CHILDREN), slept(RUSAGE_SELF));
	close(fd);
}

/* ------------------------------------------------------- a kernel end sleeps */

FIXTURE(kernel) {
	int ring, peer;
	struct quick quick;
};

FIXTURE_VARIANT(kernel) {
	__u32 op;
	enum how how;
	bool quick;
};

FIXTURE_VARIANT_ADD(kernel, consumes) { .op = SPSCRING_PEER_SINK, .how = BY_WAIT };
FIXTURE_VARIANT_ADD(kernel, consumes_edge) { .op = SPSCRING_PEER_SINK, .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(kernel, consumes_quick) { .op = SPSCRING_PEER_SINK, .quick = true };
FIXTURE_VARIANT_ADD(kernel, produces_quick) { .op = SPSCRING_PEER_SOURCE, .quick = true };
FIXTURE_VARIANT_ADD(kernel, quick_edge) { SPSCRING_PEER_SOURCE, BY_EPOLL_EDGE, .quick = true };
FIXTURE_VARIANT_ADD(kernel, produces) { .op = SPSCRING_PEER_SOURCE, .how = BY_WAIT };
FIXTURE_VARIANT_ADD(kernel, produces_edge) { .op = SPSCRING_PEER_SOURCE, .how = BY_EPOLL_EDGE };

FIXTURE_SETUP(kernel)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 3, .element_size = 8));
	ASSERT_GE(self->ring, 0);
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
}

FIXTURE_TEARDOWN(kernel)
{
	quick_end(&self->quick);
	close_fd(&self->peer);
	close_fd(&self->ring);
}

static int kernel_consume(int ring, enum how how, __u64 n)
{
	int fd = claim_end(ring, SPSCRING_CONSUMER, 0), err = 0;
	struct spscring_consumer c;
	struct sleeper s;
	__u32 seed = 3;
	__u64 i, v;

	if (fd < 0 || map_consumer(fd, &c, NULL))
		return -EIO;
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, how, fd, POLLIN);
	for (i = 0; i < n && !err; i++) {
		dawdle(&seed);
		while ((err = spscring_pop(&c, &v)) == -EAGAIN) {
			err = consumer_sleep_for_one(&s, &c);
			if (err)
				break;
		}
		if (!err && v != i)
			err = -EILSEQ;
	}
	close(fd);
	return err;
}

TEST_F_TIMEOUT(kernel, hand_over, 1800)
{
	struct spscring_peer_start start = {
		.op = variant->op,
		.flags = SPSCRING_PEER_SLEEP | SPSCRING_PEER_SHUTDOWN | SPSCRING_PEER_DAWDLE,
		.ring_fd = self->ring, .cpu = -1, .batch = 1,
		.count = 4 * hand_overs(),	/* a hand-over with a kernel end is the cheapest */
	};
	struct spscring_peer_result result = {};
	struct spscring_info info;

	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_START, &start));
	EXPECT_EQ(0, variant->op == SPSCRING_PEER_SINK ?
			     torture_produce(self->ring, variant->how, start.count) :
			     kernel_consume(self->ring, variant->how, start.count));
	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(0, result.err);
	EXPECT_EQ(start.count, result.done);
	EXPECT_EQ(0, result.wrong);
	EXPECT_EQ(0, result.lost);
	info = info_of(self->ring);
	EXPECT_GT(info.consumer_sleep.wakes + info.producer_sleep.wakes, 0);
	tell_sleeps(self->ring);
	if (variant->op == SPSCRING_PEER_SINK)
		tell_hand_overs(self->ring, variant->how, slept(RUSAGE_SELF),
				info.consumer_sleep.sleeps);
	else
		tell_hand_overs(self->ring, variant->how, info.producer_sleep.sleeps,
				slept(RUSAGE_SELF));
}

/* -------------------------------------- producers that are killed, one by one */

FIXTURE(killed) {
	int ring;
	struct quick quick;
};

FIXTURE_VARIANT(killed) {
	enum how how;
	__u32 flags;
	bool quick;
};

FIXTURE_VARIANT_ADD(killed, wait) { .how = BY_WAIT };
FIXTURE_VARIANT_ADD(killed, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(killed, quick) { .how = BY_WAIT, .quick = true };
FIXTURE_VARIANT_ADD(killed, fence) {
	.how = BY_WAIT,
	.flags = SPSCRING_CREATE_FENCE,
};

FIXTURE_SETUP(killed)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 20, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(killed)
{
	quick_end(&self->quick);
	close_fd(&self->ring);
}

/* Push on from where the last producer was, until this one is killed. */
static int produce_on(int ring, enum how how)
{
	int fd = claim_end(ring, SPSCRING_PRODUCER, 0), err;
	struct spscring_producer p;
	struct sleeper s;
	__u32 seed = 5;

	if (fd < 0 || map_producer(fd, &p, NULL))
		return 2;
	no_spin(&p.base.spin, &p.base.spin_max);
	sleeper_init(&s, how, fd, POLLOUT);
	do {
		__u64 v = p.base.pos;

		dawdle(&seed);
		err = spscring_push(&p, &v);
		if (err == -EAGAIN)
			err = producer_sleep_for_one(&s, &p);
	} while (!err);
	return 1;
}

static pid_t victim;

static void kill_victim(int signal)
{
	(void)signal;
	kill(victim, SIGKILL);
}

/* Start a producer that is killed after @us, while the consumer runs or sleeps. */
static int start_victim(int ring, enum how how, __u32 us)
{
	struct itimerval soon = { .it_value.tv_usec = us };

	victim = fork_child();
	if (!victim)
		_exit(produce_on(ring, how));
	/* until this producer has claimed, a pop still reports the last one's death */
	return wait_state(ring, SPSCRING_PRODUCER, SPSCRING_HELD) ?
		setitimer(ITIMER_REAL, &soon, NULL) : -1;
}

/* Each death wakes the consumer, and the successor goes on with the next element. */
TEST_F_TIMEOUT(killed, successor, 600)
{
	struct sigaction act = { .sa_handler = kill_victim, .sa_flags = SA_RESTART };
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, 0), i, err;
	const int rounds = some_hand_overs() / 100;
	struct spscring_consumer c;
	__u64 next = 0;
	struct sleeper s;
	__u32 seed = 6;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, map_consumer(fd, &c, NULL));
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, fd, POLLIN);
	for (i = 0; i < rounds; i++) {
		dawdle(&seed);
		ASSERT_EQ(0, start_victim(self->ring, variant->how, 1 + (seed >> 20)));
		do
			err = consume_next(&s, &c, &next);
		while (!err || err == -EINTR);
		ASSERT_EQ(-EPIPE, err);
		ASSERT_EQ(-SIGKILL, wait_child(victim));
	}
	EXPECT_GT(next, 0);
	EXPECT_EQ(0, info_of(self->ring).length);
	EXPECT_EQ(0, info_of(self->ring).broken);
	close(fd);
}

/* ------------------------------------------ the watchdog, by a seeded bug */

FIXTURE(lost) {
	int ring, in, out;
	struct spscring_producer p;
};

FIXTURE_VARIANT(lost) {
	enum how how;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(lost, wait) { .how = BY_WAIT };
FIXTURE_VARIANT_ADD(lost, poll) { .how = BY_POLL };
FIXTURE_VARIANT_ADD(lost, epoll) { .how = BY_EPOLL };
FIXTURE_VARIANT_ADD(lost, epoll_edge) { .how = BY_EPOLL_EDGE };
FIXTURE_VARIANT_ADD(lost, eventfd) { .how = BY_EVENTFD };
FIXTURE_VARIANT_ADD(lost, fence) { .how = BY_WAIT, .flags = SPSCRING_CREATE_FENCE };

FIXTURE_SETUP(lost)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 64, .element_size = 8, .flags = variant->flags),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, NULL));
	patience = 300;
}

FIXTURE_TEARDOWN(lost)
{
	close_ends(&self->ring, &self->in, &self->out);
}

/* The seeded bug: this producer does not read the consumer's event index, so it never kicks. */
static void *push_unseen_soon(void *arg)
{
	sleep_ms(50);
	push_unseen(arg, 0);
	return NULL;
}

/* A sleeper reports a lost wake-up, in each way to sleep. */
TEST_F(lost, told)
{
	struct spscring_consumer c;
	int err, tries = 10;
	pthread_t thread;
	struct sleeper s;
	__u64 v;

	ASSERT_EQ(0, map_consumer(self->out, &c, NULL));
	no_spin(&c.base.spin, &c.base.spin_max);
	sleeper_init(&s, variant->how, self->out, POLLIN);
	/* if the consumer found the element before it slept, try again */
	do {
		while (!spscring_pop(&c, &v))
			;
		ASSERT_EQ(0, pthread_create(&thread, NULL, push_unseen_soon, &self->p));
		err = consumer_sleep_for_one(&s, &c);
		pthread_join(thread, NULL);
	} while (!err && --tries);
	EXPECT_EQ(-ETIMEDOUT, err);
}

/* A kernel end that finds an element only at its timeout reports a lost wake-up. */
TEST(lost_kernel)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_SINK, .flags = SPSCRING_PEER_SLEEP,
		.cpu = -1, .batch = 1, .count = 1, .gap_ns = 300000000,
	};
	struct spscring_peer_result result = {};
	struct spscring_producer p;
	int tries = 10, peer, err;

	SKIP_WITHOUT_DEVICE();
	start.ring_fd = spscring_open(RING(.capacity = 64, .element_size = 8));
	ASSERT_GE(start.ring_fd, 0);
	ASSERT_EQ(0, map_producer(claim_end(start.ring_fd, SPSCRING_PRODUCER, 0), &p, NULL));
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	/* as above; the next kernel end claims the dead end */
	do {
		ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_START, &start));
		push_unseen_soon(&p);
		err = do_ioctl(peer, SPSCRING_PEER_WAIT, &result);
	} while (!err && !result.lost && --tries);
	EXPECT_EQ(0, err);
	EXPECT_EQ(1, result.lost);
	close(peer);
	close(start.ring_fd);
}

/* ------------------------------------------------------ two kernel ends sleep */

FIXTURE(kernels) {
	int ring, source, sink;
	struct quick quick;
};

FIXTURE_VARIANT(kernels) {
	bool quick;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(kernels, adaptive) { .quick = false };
FIXTURE_VARIANT_ADD(kernels, quick) { .quick = true };
FIXTURE_VARIANT_ADD(kernels, fence) { .flags = SPSCRING_CREATE_FENCE };

FIXTURE_SETUP(kernels)
{
	SKIP_WITHOUT_DEVICE();
	quick_begin(&self->quick, variant->quick);
	self->ring = spscring_open(RING(.capacity = 3, .element_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
	self->source = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->source, 0);
	self->sink = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->sink, 0);
}

FIXTURE_TEARDOWN(kernels)
{
	quick_end(&self->quick);
	close_fd(&self->source);
	close_fd(&self->sink);
	close_fd(&self->ring);
}

TEST_F_TIMEOUT(kernels, hand_over, 1800)
{
	struct spscring_peer_start start = {
		.flags = SPSCRING_PEER_SLEEP | SPSCRING_PEER_SHUTDOWN | SPSCRING_PEER_DAWDLE,
		.ring_fd = self->ring, .cpu = -1, .batch = 1, .count = 4 * hand_overs(),
	};
	struct spscring_peer_result in = {}, out = {};

	start.op = SPSCRING_PEER_SINK;
	ASSERT_EQ(0, do_ioctl(self->sink, SPSCRING_PEER_START, &start));
	start.op = SPSCRING_PEER_SOURCE;
	ASSERT_EQ(0, do_ioctl(self->source, SPSCRING_PEER_START, &start));
	ASSERT_EQ(0, do_ioctl(self->source, SPSCRING_PEER_WAIT, &in));
	ASSERT_EQ(0, do_ioctl(self->sink, SPSCRING_PEER_WAIT, &out));
	EXPECT_EQ(0, in.err);
	EXPECT_EQ(0, out.err);
	EXPECT_EQ(start.count, in.done);
	EXPECT_EQ(start.count, out.done);
	EXPECT_EQ(0, out.wrong);
	EXPECT_EQ(0, in.lost + out.lost);
	tell_sleeps(self->ring);
	tell_hand_overs(self->ring, BY_WAIT, in.slept, out.slept);
}

TEST_HARNESS_MAIN
