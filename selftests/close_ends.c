// SPDX-License-Identifier: GPL-2.0
/*
 * SPSCRING_CREATE_CLOSE_ENDS: a producer that closes, exits or is killed ends the stream.
 *
 * SPSCRING_KO_DIR	where spscring_driver.ko is
 */
#include "sleep.h"
#include "../kmod/tests/spscring_peer.h"

#define CAPACITY	1024	/* elements, or bytes of records */
#define MESSAGES	20

FIXTURE(close_ends)
{
	int ring, out;
	struct spscring_consumer c;
	struct spscring_record_consumer rc;
	struct spscring_mapping map;
};

FIXTURE_VARIANT(close_ends)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(close_ends, elements) {};
FIXTURE_VARIANT_ADD(close_ends, fence) { SPSCRING_CREATE_FENCE };
FIXTURE_VARIANT_ADD(close_ends, busy_poll) { SPSCRING_CREATE_BUSY_POLL };
FIXTURE_VARIANT_ADD(close_ends, records) { SPSCRING_CREATE_RECORDS };
FIXTURE_VARIANT_ADD(close_ends, drop) { SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(close_ends, overwrite) {
	SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE };

#define closes_t	FIXTURE_DATA(close_ends)
#define variant_t	FIXTURE_VARIANT(close_ends)

static bool of_records(const variant_t *variant)
{
	return variant->flags & SPSCRING_CREATE_RECORDS;
}

/* A ring, and its consumer in this process. */
static void consumer_up(struct __test_metadata *_metadata, closes_t *self,
			const variant_t *variant)
{
	self->ring = spscring_open(RING(.capacity = CAPACITY,
					.element_size = of_records(variant) ? 0 : 8,
					.flags = variant->flags | SPSCRING_CREATE_CLOSE_ENDS));
	ASSERT_GE(self->ring, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(0, of_records(variant) ? record_map_consumer(self->out, &self->rc, &self->map) :
					   map_consumer(self->out, &self->c, &self->map));
}

static void consumer_down(closes_t *self)
{
	spscring_unmap(&self->map);
	close_fd(&self->out);
	close_fd(&self->ring);
}

FIXTURE_SETUP(close_ends)
{
	SKIP_WITHOUT_DEVICE();
	consumer_up(_metadata, self, variant);
}

FIXTURE_TEARDOWN(close_ends)
{
	consumer_down(self);
}

/* What a child does as the producer: it maps its end, and pushes. */
struct child {
	const variant_t *variant;
	struct spscring_producer p;
	struct spscring_record_producer rp;
};

static int child_up(struct child *child, int end)
{
	return of_records(child->variant) ? record_map_producer(end, &child->rp, NULL) :
		map_producer(end, &child->p, NULL);
}

static int child_push(struct child *child, __u64 v)
{
	return of_records(child->variant) ? spscring_record_push(&child->rp, &v, sizeof(v)) :
		spscring_push(&child->p, &v);
}

/* The next message's number, or the final answer of a pop that finds none. */
static int next(closes_t *self, const variant_t *variant, __u64 *v)
{
	int tries, err = -EAGAIN;

	if (!of_records(variant))
		return pop_answer(&self->c, v);
	for (tries = 0; tries <= SPSCRING_REFRESH_EVERY && err == -EAGAIN; tries++) {
		err = spscring_record_pop(&self->rc, v, sizeof(*v));
		if (err == -EBUSY)	/* overtaken, and there is more */
			err = -EAGAIN;
	}
	return err == sizeof(*v) ? 0 : err;
}

enum leave { BY_EXIT, BY_KILL, BY_CLOSE, LEAVES };

/* A child claims the producer's end, pushes @n messages, by write() or mapped, and leaves. */
static int push_and_leave(const variant_t *variant, int ring, int n, bool writes, enum leave how)
{
	struct child child = { .variant = variant };
	pid_t pid = fork_child();
	__u64 v;
	int end;

	if (pid)
		return wait_child(pid) == (how == BY_KILL ? -SIGKILL : 0) ? 0 : -1;
	end = claim_end(ring, SPSCRING_PRODUCER, 0);
	if (end < 0 || (!writes && child_up(&child, end)))
		_exit(1);
	for (v = 0; v < (__u64)n; v++)
		if (writes ? write(end, &v, sizeof(v)) != sizeof(v) : child_push(&child, v))
			_exit(2);
	if (how == BY_KILL)
		kill(getpid(), SIGKILL);
	if (how == BY_CLOSE)
		close(end);
	_exit(0);
}

/* However the producer leaves: the consumer pops all, then finds the end of the stream. */
static void leaves(struct __test_metadata *_metadata, closes_t *self, const variant_t *variant,
		   enum leave how)
{
	__u64 v, want;

	ASSERT_EQ(0, push_and_leave(variant, self->ring, MESSAGES, false, how));
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_SHUT_DOWN));
	for (want = 0; want < MESSAGES; want++) {
		ASSERT_EQ(0, next(self, variant, &v));
		EXPECT_EQ(want, v);
	}
	EXPECT_EQ(-ESHUTDOWN, next(self, variant, &v));
	EXPECT_EQ(-ESHUTDOWN, next(self, variant, &v));
	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_PRODUCER, 0));
	EXPECT_EQ(1, info_of(self->ring).producer_generation);
	EXPECT_EQ(0, info_of(self->ring).broken);
}

TEST_F(close_ends, by_exit)
{
	leaves(_metadata, self, variant, BY_EXIT);
}

TEST_F(close_ends, by_kill)
{
	leaves(_metadata, self, variant, BY_KILL);
}

TEST_F(close_ends, by_close)
{
	leaves(_metadata, self, variant, BY_CLOSE);
}

/* read() returns all that a write() has brought, then 0. */
TEST_F(close_ends, read)
{
	__u64 v[MESSAGES + 1];
	long got, all = 0;

	ASSERT_EQ(0, push_and_leave(variant, self->ring, MESSAGES, true, BY_EXIT));
	while ((got = read(self->out, (char *)v + all, sizeof(v) - all)) > 0)
		all += got;
	EXPECT_EQ(0, got);
	EXPECT_EQ(8 * MESSAGES, all);
	EXPECT_EQ(MESSAGES - 1, v[MESSAGES - 1]);
	EXPECT_EQ(0, read(self->out, v, sizeof(v)));
}

/* A fork of the producer keeps the stream open until it has gone, too. */
TEST_F(close_ends, last_close)
{
	int end = claim_end(self->ring, SPSCRING_PRODUCER, 0), hold[2];
	pid_t pid;
	__u64 v;

	ASSERT_EQ(0, pipe(hold));
	pid = fork_child();
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &v, 1));
	}
	close(end);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-EAGAIN, next(self, variant, &v));
	close(hold[1]);
	EXPECT_EQ(0, wait_child(pid));
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_SHUT_DOWN));
	EXPECT_EQ(-ESHUTDOWN, next(self, variant, &v));
	close(hold[0]);
}

/* A child that waits with the producer's end until it is killed. */
static pid_t fork_holder(int ring)
{
	pid_t pid = fork_child();

	if (!pid) {
		claim_end(ring, SPSCRING_PRODUCER, 0);
		while (true)
			pause();
	}
	return wait_state(ring, SPSCRING_PRODUCER, SPSCRING_HELD) ? pid : -1;
}

/* The kill wakes the consumer, which sleeps; poll reports the end of a stream, and no death. */
TEST_F(close_ends, wakes)
{
	struct spscring_wait wait = {
		.size = sizeof(wait), .index = 1, .deadline = in_ms(10 * LONG),
	};
	const bool sleeps = !(variant->flags & SPSCRING_CREATE_BUSY_POLL);
	pid_t pid = fork_holder(self->ring), killer;

	ASSERT_GT(pid, 0);
	killer = fork_child();
	if (!killer) {
		sleep_ms(30);
		kill(pid, SIGKILL);
		_exit(0);
	}
	if (sleeps)
		EXPECT_EQ(-ESHUTDOWN, do_ioctl(self->out, SPSCRING_WAIT, &wait));
	EXPECT_EQ(0, wait_child(killer));
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_SHUT_DOWN));
	if (sleeps)
		EXPECT_EQ(POLLIN | POLLRDHUP, poll_one(self->out, POLLIN | POLLRDHUP, 0));
	/* of a ring fd: nobody holds the producer's end */
	EXPECT_EQ(POLLOUT, poll_one(self->ring, POLLIN | POLLOUT, 0));
}

/* A claim that waits for the producer's end learns that nobody can have it. */
TEST_F(close_ends, claim_waits)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .flags = SPSCRING_ENDPOINT_WAIT, .role = SPSCRING_PRODUCER,
		.element_size = of_records(variant) ? SPSCRING_VARIABLE_SIZE : 8,
	};
	pid_t holder = fork_holder(self->ring), claimer;

	ASSERT_GT(holder, 0);
	claimer = fork_child();
	if (!claimer)
		_exit(-do_ioctl(self->ring, SPSCRING_ENDPOINT, &want));
	sleep_ms(20);
	kill(holder, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child(holder));
	EXPECT_EQ(ESHUTDOWN, wait_child_patiently(claimer));
}

/* The consumer's end dies as ever, and can be claimed again. */
TEST_F(close_ends, consumer_dies)
{
	int ring = spscring_open(RING(.capacity = CAPACITY,
				      .element_size = of_records(variant) ? 0 : 8,
				      .flags = variant->flags | SPSCRING_CREATE_CLOSE_ENDS));
	int out = claim_end(ring, SPSCRING_CONSUMER, 0);

	ASSERT_GE(out, 0);
	close(out);
	EXPECT_EQ(SPSCRING_DEAD, state_of(ring, SPSCRING_CONSUMER));
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	EXPECT_GE(out, 0);
	close(out);
	close(ring);
}

#define ROUNDS		20

/* Push numbers without end, and write down after each push how many there are. */
static void push_until_killed(const variant_t *variant, int ring, __u64 *pushed)
{
	struct child child = { .variant = variant };
	int end = claim_end(ring, SPSCRING_PRODUCER, 0), err;
	__u64 v = 0;

	if (end < 0 || child_up(&child, end))
		_exit(1);
	while (true) {
		err = child_push(&child, v);
		if (!err)
			WRITE_ONCE(*pushed, ++v);
		else if (err == -EAGAIN || err == -ENOBUFS)
			sched_yield();
		else
			_exit(2);
	}
}

/*
 * The kill comes at any point of a push.  All that was pushed is popped; of a push in progress
 * the consumer gets all or nothing, and then the end of the stream.
 */
static void killed_once(struct __test_metadata *_metadata, const variant_t *variant, __u64 *pushed)
{
	const bool loses = variant->flags & (SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE);
	__u64 v, last = 0, popped = 0, enough = random_word() % 5000;
	closes_t self = {};
	pid_t pid;
	int err;

	consumer_up(_metadata, &self, variant);
	*pushed = 0;
	pid = fork_child();
	if (!pid)
		push_until_killed(variant, self.ring, pushed);
	for (;;) {
		err = next(&self, variant, &v);
		if (!err) {
			ASSERT_TRUE(loses ? v >= last : v == popped);
			last = v;
			popped++;
		} else if (err != -EAGAIN) {
			break;
		}
		if (pid && (popped >= enough || READ_ONCE(*pushed) > 2 * enough)) {
			kill(pid, SIGKILL);
			ASSERT_EQ(-SIGKILL, wait_child(pid));
			pid = 0;
		}
	}
	EXPECT_EQ(-ESHUTDOWN, err);
	if (pid) {
		kill(pid, SIGKILL);
		wait_child(pid);
	}
	EXPECT_EQ(0, info_of(self.ring).broken);
	if (!loses) {
		EXPECT_GE(popped, *pushed);
		EXPECT_LE(popped, *pushed + 1);
	}
	consumer_down(&self);
}

TEST_F(close_ends, killed_at_any_point)
{
	__u64 *pushed = shared_memory(sizeof(*pushed));
	int i;

	ASSERT_NE(MAP_FAILED, pushed);
	for (i = 0; i < ROUNDS; i++)
		killed_once(_metadata, variant, pushed);
	munmap(pushed, sizeof(*pushed));
}

/* Kernel code that lets go of the producer's end ends the stream, too. */
TEST_F(close_ends, kernel_producer)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_SOURCE, .ring_fd = self->ring, .cpu = -1, .batch = 1,
		.count = MESSAGES,
	};
	struct spscring_peer_result result;
	__u64 v, want;
	int peer;

	SKIP_WITHOUT_PEER();
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_START, &start));
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(MESSAGES, result.done);
	for (want = 0; want < MESSAGES; want++) {
		ASSERT_EQ(0, next(self, variant, &v));
		EXPECT_EQ(want, v);
	}
	EXPECT_EQ(-ESHUTDOWN, next(self, variant, &v));
	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_PRODUCER, 0));
	close(peer);
}

/* -------------------------------------------------------------- a driver */

#define NODE		"/dev/spscring-driver"
#define PARAMETERS	"/sys/module/spscring_driver/parameters/"

FIXTURE(driver) {};

FIXTURE_VARIANT(driver)
{
	bool again;
};

FIXTURE_VARIANT_ADD(driver, once) { false };
FIXTURE_VARIANT_ADD(driver, again) { true };

FIXTURE_SETUP(driver)
{
	char params[64];

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "role=%u again=%d flags=%u", SPSCRING_PRODUCER,
		 variant->again, SPSCRING_CREATE_CLOSE_ENDS);
	LOAD_OR_SKIP("spscring_driver", params);
}

FIXTURE_TEARDOWN(driver)
{
	unload("spscring_driver");
}

static bool one_has_left(const void *unused)
{
	(void)unused;
	return read_number(PARAMETERS "shut_down") + read_number(PARAMETERS "died") > 0;
}

/* The driver hears of a stream's end; with REOPEN the next user begins another one. */
TEST_F(driver, user_is_killed)
{
	pid_t pid = fork_child();
	__u64 v = 1;
	int fd;

	if (!pid) {
		fd = open(NODE, O_RDWR | O_CLOEXEC);
		if (write(fd, &v, sizeof(v)) != sizeof(v))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	EXPECT_TRUE(within_patience(one_has_left, NULL));
	EXPECT_EQ(1, read_number(PARAMETERS "shut_down"));
	EXPECT_EQ(0, read_number(PARAMETERS "died"));

	fd = negative_errno(open(NODE, O_RDWR | O_CLOEXEC));
	if (!variant->again) {
		EXPECT_EQ(-ESHUTDOWN, fd);
		return;
	}
	ASSERT_GE(fd, 0);
	EXPECT_EQ(SPSCRING_HELD, state_of(fd, SPSCRING_PRODUCER));
	EXPECT_EQ(8, write(fd, &v, sizeof(v)));
	close(fd);
}

TEST_HARNESS_MAIN
