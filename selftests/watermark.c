// SPDX-License-Identifier: GPL-2.0
/*
 * Watermarks: a full ring counts as having reached any watermark, a timeout belongs to the record
 * with which it began, and a count beyond the capacity is refused.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "sleep.h"
#include "spscring_peer.h"

#define HOUR	3600000000000ULL	/* ns */

/* ------------------------------------- a watermark that a full ring cannot reach */

FIXTURE(full) {
	int ring, in, out, epoll;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
};

FIXTURE_VARIANT(full) {
	__u32 flags, capacity, length, mark;
};

#define FULL(name, ...)	FIXTURE_VARIANT_ADD(full, name) { __VA_ARGS__ }

/* capacity, length of a record, watermark */
FULL(all_of_it, 0, 4096, 1000, 4096);
FULL(most, 0, 4096, 1500, 3500);
FULL(two_records, 0, 4096, 2000, 4040);
FULL(one_record, 0, 8192, 5000, 6000);
FULL(drops, SPSCRING_CREATE_DROP, 4096, 1000, 4096);
FULL(drops_one_record, SPSCRING_CREATE_DROP, 8192, 5000, 6000);

FIXTURE_SETUP(full)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = variant->capacity,
				    .flags = SPSCRING_CREATE_RECORDS | variant->flags),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, record_map_producer(self->in, &self->p, NULL));
	ASSERT_EQ(0, record_map_consumer(self->out, &self->c, NULL));
	self->c.base.spin = 0;
	self->c.base.spin_max = 0;
	self->p.base.spin = 0;
	self->p.base.spin_max = 0;
	ASSERT_EQ(0, spscring_notify(self->out, variant->mark, 0, -1));
	self->epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	ASSERT_GE(self->epoll, 0);
}

FIXTURE_TEARDOWN(full)
{
	close_fd(&self->epoll);
	close_ends(&self->ring, &self->in, &self->out);
}

static const char record[8192];

/* Push until there is no room.  Return: how many, or any other negative errno. */
static int push_all(struct spscring_record_producer *p, __u32 length)
{
	int n, err;

	for (n = 0; !(err = spscring_record_push(p, record, length)); n++)
		;
	return err == -EAGAIN || err == -ENOBUFS ? n : err;
}

/* Push while there is room for one more, without a push that fails.  Return: how many. */
static int push_what_fits(struct spscring_record_producer *p, __u32 length)
{
	int n, err;

	for (n = 0; spscring_record_has_room(p, spscring_record_needs(p, length)); n++) {
		err = spscring_record_push(p, record, length);
		if (err)
			return err;
	}
	return n;
}

static int pop_one(struct spscring_record_consumer *c, __u32 length)
{
	char rec[8192];
	long got = spscring_record_pop(c, rec, sizeof(rec));

	return got < 0 ? got : got == length ? 0 : -EILSEQ;
}

static int pop_all(struct spscring_record_consumer *c, __u32 length)
{
	int n, err;

	for (n = 0; !(err = pop_one(c, length)); n++)
		;
	return n ? n : err;
}

#define EXPECT_BELOW_MARK()	EXPECT_LT(info_of(self->ring).length, variant->mark)

/* Each push that finds no room wakes a poller below its watermark. */
TEST_F(full, told)
{
	int i;

	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	for (i = 0; i < 20; i++) {
		ASSERT_GT(push_all(&self->p, variant->length), 0);
		EXPECT_BELOW_MARK();
		ASSERT_EQ(EPOLLIN, epoll_in_time(self->epoll));
		/* level-triggered poll stays ready until a record is popped */
		EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
		ASSERT_GT(pop_all(&self->c, variant->length), 0);
		EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
		EXPECT_EQ(0, epoll_next(self->epoll, 0));
	}
}

/* Once a record is popped the ring is not full, and the watermark counts again. */
TEST_F(full, past)
{
	ASSERT_GT(push_all(&self->p, variant->length), 0);
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, pop_one(&self->c, variant->length));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(1, push_all(&self->p, variant->length));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
}

TEST_F(full, eventfd)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(0, spscring_notify(self->out, 1, 0, event));
	ASSERT_EQ(0, spscring_record_arm_bytes(&self->c, variant->mark));
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	EXPECT_EQ(-EAGAIN, negative_errno(read(event, &times, sizeof(times))));
	ASSERT_EQ(0, push_all(&self->p, variant->length));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	/* ARM signals at once where the ring is full already */
	ASSERT_EQ(0, spscring_record_arm_bytes(&self->c, variant->mark));
	EXPECT_EQ(sizeof(times), read(event, &times, sizeof(times)));
	close(event);
}

/* The same by write(). */
TEST_F(full, write)
{
	ssize_t n;

	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	ASSERT_EQ(0, nonblock(self->in));
	while ((n = negative_errno(write(self->in, record, variant->length))) > 0)
		;
	EXPECT_EQ(variant->flags ? -ENOBUFS : -EAGAIN, n);
	EXPECT_BELOW_MARK();
	EXPECT_EQ(EPOLLIN, epoll_in_time(self->epoll));
}

/* A thread that waits at an end of a ring of either shape. */
struct thread {
	pthread_t id;
	struct spscring_record_producer *rp;
	struct spscring_record_consumer *rc;
	struct spscring_producer *p;
	struct spscring_consumer *c;
	int fd, err;
	__u64 n;
};

static void *wait_for_records(void *arg)
{
	__s64 until = in_ms(LONG);
	struct thread *t = arg;
	int err = t->rc ? spscring_record_wait_bytes(t->rc, t->n, until) :
		spscring_wait_elements(t->c, t->n, until);

	t->err = in_time(err, until);
	return NULL;
}

static void *wait_for_room(void *arg)
{
	__s64 until = in_ms(LONG);
	struct thread *t = arg;
	int err = t->rp ? spscring_record_wait_room(t->rp, t->n, until) :
		spscring_wait_room(t->p, t->n, until);

	t->err = in_time(err, until);
	return NULL;
}

static void *write_one(void *arg)
{
	struct thread *t = arg;

	t->err = negative_errno(write(t->fd, record, t->n));
	return NULL;
}

static __u64 sleeps(int ring, __u32 role)
{
	struct spscring_info info = info_of(ring);

	return role == SPSCRING_PRODUCER ? info.producer_sleep.sleeps : info.consumer_sleep.sleeps;
}

/* Start the thread, and return once it sleeps at the end. */
static int start(struct thread *t, int ring, __u32 role, void *(*wait)(void *))
{
	__u64 before = sleeps(ring, role);
	int err = pthread_create(&t->id, NULL, wait, t);

	while (!err && sleeps(ring, role) == before)
		sleep_ms(1);
	return -err;
}

/* A WAIT for more than fits ends when the ring is full. */
TEST_F(full, wait)
{
	struct thread t = { .rc = &self->c, .n = variant->mark };

	ASSERT_EQ(0, start(&t, self->ring, SPSCRING_CONSUMER, wait_for_records));
	ASSERT_GT(push_all(&self->p, variant->length), 0);
	ASSERT_EQ(0, pthread_join(t.id, NULL));
	EXPECT_EQ(0, t.err);
	EXPECT_BELOW_MARK();
	EXPECT_EQ(0, spscring_record_wait_bytes(&self->c, variant->mark, NEVER));
	/* a WAIT on an empty ring does not end */
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	EXPECT_EQ(-ETIMEDOUT, spscring_record_wait_bytes(&self->c, variant->mark, 1));
}

/* A producer sleeps for room without a push that failed, before or after the consumer sleeps. */
TEST_F(full, asleep)
{
	struct thread in = { .rp = &self->p }, out = { .rc = &self->c, .n = variant->mark };

	in.n = spscring_record_needs(&self->p, variant->length);
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	ASSERT_EQ(0, epoll_next(self->epoll, 0));
	ASSERT_EQ(0, start(&out, self->ring, SPSCRING_CONSUMER, wait_for_records));
	ASSERT_EQ(0, start(&in, self->ring, SPSCRING_PRODUCER, wait_for_room));
	ASSERT_EQ(0, pthread_join(out.id, NULL));
	EXPECT_EQ(0, out.err);
	EXPECT_EQ(EPOLLIN, epoll_in_time(self->epoll));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(0, spscring_record_wait_bytes(&self->c, variant->mark, NEVER));
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	ASSERT_EQ(0, pthread_join(in.id, NULL));
	EXPECT_EQ(0, in.err);
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
}

/* The same where the producer polls for room. */
TEST_F(full, polled)
{
	__u64 need = spscring_record_needs(&self->p, variant->length);

	ASSERT_EQ(0, spscring_notify(self->in, need, 0, -1));
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	EXPECT_EQ(0, epoll_next(self->epoll, 0));
	EXPECT_EQ(0, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(EPOLLIN, epoll_in_time(self->epoll));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT, 0));
	/* the producer has room, so it does not sleep */
	ASSERT_EQ(0, spscring_record_push(&self->p, record, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
}

/* The same where the producer sleeps in write(). */
TEST_F(full, write_sleeps)
{
	struct thread t = { .fd = self->in, .n = variant->length };

	if (variant->flags)
		return;	/* a write to such a ring never sleeps */
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	ASSERT_EQ(0, epoll_next(self->epoll, 0));
	ASSERT_EQ(0, start(&t, self->ring, SPSCRING_PRODUCER, write_one));
	EXPECT_EQ(EPOLLIN, epoll_in_time(self->epoll));
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	ASSERT_EQ(0, pthread_join(t.id, NULL));
	EXPECT_EQ(variant->length, t.err);
}

/* The consumer is woken for a record pushed with NOWAKE once the next push finds the ring full. */
TEST(full_nowake)
{
	struct spscring_producer p;
	int ring, in, out, epoll;
	void *slot;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 4, .element_size = 8));
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(0, map_producer(in, &p, NULL));
	epoll = epoll_of(out, EPOLLIN | EPOLLET);
	EXPECT_EQ(0, epoll_next(epoll, 0));
	while (!spscring_reserve(&p, &slot))
		spscring_commit_flags(&p, 1, SPSCRING_NOWAKE);
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	close(epoll);
	close(in);
	close(out);
	close(ring);
}

/* A ring that overwrites is never full, so it reaches the watermark itself. */
TEST(full_overwrites)
{
	struct spscring_record_producer p;
	int ring, in, out, i;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 4096, .flags = SPSCRING_CREATE_RECORDS |
							     SPSCRING_CREATE_OVERWRITE));
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(0, record_map_producer(in, &p, NULL));
	ASSERT_EQ(0, spscring_notify(out, 4096, 0, -1));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i * 1008 < 4096 ? 0 : POLLIN, poll_one(out, POLLIN, 0));
		ASSERT_EQ(0, spscring_record_push(&p, record, 1000));
	}
	EXPECT_EQ(POLLIN, poll_one(out, POLLIN, 0));
	close(in);
	close(out);
	close(ring);
}

/* The same by a producer in the kernel. */
TEST(full_kernel)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_SOURCE, .flags = SPSCRING_PEER_SHUTDOWN,
		.cpu = -1, .batch = 1, .count = 100 * 256,
	};
	struct spscring_peer_result result = {};
	struct spscring_record_consumer c;
	int peer, out, epoll, n = 0, some;

	SKIP_WITHOUT_DEVICE();
	start.ring_fd = spscring_open(RING(.capacity = 256 * 16 + 8,
					   .flags = SPSCRING_CREATE_RECORDS));
	ASSERT_GE(start.ring_fd, 0);
	out = claim_end(start.ring_fd, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(0, record_map_consumer(out, &c, NULL));
	ASSERT_EQ(0, spscring_notify(out, 256 * 16 + 8, 0, -1));
	epoll = epoll_of(out, EPOLLIN | EPOLLET);
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_START, &start));
	do {
		ASSERT_GT(epoll_in_time(epoll), 0);
		some = pop_all(&c, 8);
		if (some > 0)
			n += some;
	} while (n != 100 * 256 && (some > 0 || some == -EAGAIN));
	EXPECT_EQ(100 * 256, n);
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(0, result.err);
	close(peer);
	close(epoll);
	close(out);
	close(start.ring_fd);
}

/* --------------------------- two watermarks, that together exceed the ring */

FIXTURE(marks) {
	int ring, in, out;
	struct spscring_producer p;
	struct spscring_consumer c;
};

FIXTURE_SETUP(marks)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 16, .element_size = 8),
			       &self->ring, &self->in, &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, NULL));
	ASSERT_EQ(0, map_consumer(self->out, &self->c, NULL));
	self->c.base.spin = 0;
	self->c.base.spin_max = 0;
	self->p.base.spin = 0;
	self->p.base.spin_max = 0;
	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	ASSERT_EQ(0, spscring_notify(self->in, 10, 0, -1));
}

FIXTURE_TEARDOWN(marks)
{
	close_ends(&self->ring, &self->in, &self->out);
}

static int push_u64s(struct spscring_producer *p, int n)
{
	__u64 v = 0;
	int err = 0;

	while (n-- && !err)
		err = push_answer(p, &v);
	return err;
}

static int pop_u64s(struct spscring_consumer *c, int n)
{
	__u64 v;
	int err = 0;

	while (n-- && !err)
		err = pop_answer(c, &v);
	return err;
}

/* The consumer sleeps first and the producer wakes it: by poll, by ARM and by WAIT. */
TEST_F(marks, consumer_first)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	struct thread t = { .p = &self->p, .n = 10 };

	ASSERT_EQ(0, push_u64s(&self->p, 8));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	EXPECT_EQ(0, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));

	ASSERT_EQ(0, pop_u64s(&self->c, 8));
	ASSERT_EQ(0, push_u64s(&self->p, 8));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, spscring_arm_room(&self->p, 10));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));

	ASSERT_EQ(0, pop_u64s(&self->c, 8));
	ASSERT_EQ(0, push_u64s(&self->p, 8));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, start(&t, self->ring, SPSCRING_PRODUCER, wait_for_room));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	ASSERT_EQ(0, pop_u64s(&self->c, 8));
	ASSERT_EQ(0, pthread_join(t.id, NULL));
	EXPECT_EQ(0, t.err);
	EXPECT_EQ(0, epoll_next(epoll, 0));
	close(epoll);
}

/* The producer sleeps first; and where it has room already, it does not sleep. */
TEST_F(marks, producer_first)
{
	ASSERT_EQ(0, push_u64s(&self->p, 3));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, push_u64s(&self->p, 5));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(0, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 10, NEVER));
	/* a pop makes room, although the producer has not run since */
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 10, 1));
}

/* A producer's timeout begins with the first slot that is free. */
TEST_F(marks, timed_producer)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(0, spscring_notify(self->in, 10, HOUR, -1));
	ASSERT_EQ(0, push_u64s(&self->p, 16));
	EXPECT_EQ(0, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	ASSERT_EQ(0, pop_u64s(&self->c, 8));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
	close(epoll);
}

static int produce_bursts(int fd, int bursts)
{
	struct spscring_producer p;
	__u64 v = 0;
	int epoll, i;

	if (map_producer(fd, &p, NULL) || spscring_notify(fd, 10, 0, -1))
		return 2;
	epoll = epoll_of(fd, EPOLLOUT);
	while (bursts--) {
		if (epoll_in_time(epoll) <= 0)
			return 1;
		for (i = 1 + random_word() % 10; i; i--, v++)
			if (spscring_push(&p, &v))
				return 3;
	}
	return spscring_shutdown(fd, 0) ? 1 : 0;
}

/* Two ends hand over to each other, many times. */
TEST_F_TIMEOUT(marks, hand_over, 1800)
{
	const int bursts = messages() < 1000000 ? 2000 : 20000;
	int epoll = epoll_of(self->out, EPOLLIN), err;
	__u64 v, next = 0;
	pid_t pid = fork_child();

	if (!pid)
		_exit(produce_bursts(self->in, bursts));
	do {
		ASSERT_GT(epoll_in_time(epoll), 0)
			TH_LOG("record %llu", next);
		while (!(err = spscring_pop(&self->c, &v)))
			ASSERT_EQ(next++, v);
	} while (err == -EAGAIN);
	EXPECT_EQ(-ESHUTDOWN, err);
	EXPECT_EQ(0, wait_child(pid));
	close(epoll);
}

/* --------------------------------------------------------- KICK with NOW */

/* A kick with NOW also ends a WAIT, with the elements that are there. */
TEST_F(marks, now)
{
	struct thread t = { .c = &self->c, .n = 10 };

	ASSERT_EQ(0, start(&t, self->ring, SPSCRING_CONSUMER, wait_for_records));
	ASSERT_EQ(0, push_u64s(&self->p, 3));
	ASSERT_EQ(0, do_ioctl(self->in, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW));
	ASSERT_EQ(0, pthread_join(t.id, NULL));
	EXPECT_EQ(0, t.err);
	EXPECT_EQ(3, info_of(self->ring).length);
}

/* A kick with NOW of an empty ring wakes nothing; the next element waits for the watermark. */
TEST_F(marks, now_of_nothing)
{
	ASSERT_EQ(0, do_ioctl(self->in, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 10, 1));
}

/* A kick with NOW does not wake a producer that needs more room. */
TEST_F(marks, now_of_room)
{
	struct thread t = { .p = &self->p, .n = 10 };

	ASSERT_EQ(0, push_u64s(&self->p, 16));
	ASSERT_EQ(0, start(&t, self->ring, SPSCRING_PRODUCER, wait_for_room));
	ASSERT_EQ(0, pop_u64s(&self->c, 3));
	ASSERT_EQ(0, do_ioctl(self->out, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_room(&self->p, 10, 1));
	ASSERT_EQ(0, pop_u64s(&self->c, 7));
	ASSERT_EQ(0, pthread_join(t.id, NULL));
	EXPECT_EQ(0, t.err);
}

/* ----------------------------------- a timeout is that of the record it began with */

#define SOON	200000000LL	/* ns */

/*
 * Wait for a timeout that is longer and begins later than all of a test's, on the same CPU: when
 * it has expired, they have expired too.
 */
static int until_expired(void)
{
	int ring = spscring_open(RING(.capacity = 16, .element_size = 8)), in, out, err;
	struct spscring_producer p;

	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	err = map_producer(in, &p, NULL) ?: spscring_notify(out, 10, 2 * SOON, -1) ?:
		push_u64s(&p, 1);
	if (!err && poll_one(out, POLLIN, LONG) != POLLIN)
		err = -ETIMEDOUT;
	close(in);
	close(out);
	close(ring);
	return err;
}

/* NOTIFY cancels the timeout of the watermark that it replaces ... */
TEST_F(marks, replaced)
{
	pin(false);
	ASSERT_EQ(0, spscring_notify(self->out, 10, SOON, -1));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, spscring_notify(self->out, 10, 0, -1));
	ASSERT_EQ(0, until_expired());
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
}

/* ... also where that was longer. */
TEST_F(marks, replaced_longer)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(0, spscring_notify(self->out, 10, HOUR, -1));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, spscring_notify(self->out, 10, 1000000, -1));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	close(epoll);
}

/* The timeout of a popped element does not report a later one, which has its own timeout. */
TEST_F(marks, taken)
{
	__s64 since;

	ASSERT_EQ(0, spscring_notify(self->out, 10, SOON, -1));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	sleep_ms(SOON / 2000000);
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	since = now_ns();
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, LONG));
	EXPECT_GE(now_ns() - since, SOON);
}

/* Nor does a timeout that expired while the ring was empty. */
TEST_F(marks, taken_before)
{
	__s64 since;

	pin(false);
	ASSERT_EQ(0, spscring_notify(self->out, 10, SOON, -1));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(0, poll_one(self->out, POLLIN, 0));
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	ASSERT_EQ(0, until_expired());
	since = now_ns();
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, LONG));
	EXPECT_GE(now_ns() - since, SOON);
}

/* A poller that still sleeps is woken for a later element, pushed before the first timeout ... */
TEST_F(marks, taken_asleep)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	__s64 since;

	ASSERT_EQ(0, spscring_notify(self->out, 10, SOON, -1));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	since = now_ns();
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	EXPECT_GE(now_ns() - since, SOON);
	close(epoll);
}

/* ... or after it. */
TEST_F(marks, taken_asleep_before)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	__s64 since;

	pin(false);
	ASSERT_EQ(0, spscring_notify(self->out, 10, SOON, -1));
	EXPECT_EQ(0, epoll_next(epoll, 0));
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	ASSERT_EQ(0, pop_u64s(&self->c, 1));
	ASSERT_EQ(0, until_expired());
	since = now_ns();
	ASSERT_EQ(0, push_u64s(&self->p, 1));
	EXPECT_EQ(EPOLLIN, epoll_in_time(epoll));
	EXPECT_GE(now_ns() - since, SOON);
	close(epoll);
}

/* ------------------------------------------------ counts that no ring holds */

/* The library refuses counts beyond the capacity, and changes nothing. */
TEST_F(marks, counts)
{
	const __u64 counts[] = { 17, 1ULL << 32, (1ULL << 32) + 5, 1ULL << 62, 1ULL << 63,
				 (1ULL << 63) + 17, ~0ULL };
	size_t i;

	ASSERT_EQ(0, push_u64s(&self->p, 5));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, spscring_wait_elements(&self->c, counts[i], 1));
		EXPECT_EQ(-EINVAL, spscring_wait_room(&self->p, counts[i], 1));
		EXPECT_EQ(-EINVAL, spscring_arm_elements(&self->c, counts[i]));
		EXPECT_EQ(-EINVAL, spscring_arm_room(&self->p, counts[i]));
		EXPECT_EQ(-EINVAL, spscring_notify(self->out, counts[i], 0, -1));
		EXPECT_EQ(-EINVAL, spscring_notify(self->in, counts[i], 0, -1));
		EXPECT_EQ(0, spscring_has_elements(&self->c, counts[i]));
		EXPECT_EQ(0, spscring_has_room(&self->p, counts[i]));
		EXPECT_EQ(0, spscring_spin_elements(&self->c, counts[i]));
		EXPECT_EQ(0, spscring_spin_room(&self->p, counts[i]));
	}
	EXPECT_EQ(-EINVAL, spscring_wait_elements(&self->c, 0, 1));
	EXPECT_EQ(-EINVAL, spscring_wait_room(&self->p, 0, 1));
	EXPECT_EQ(-EINVAL, spscring_arm_elements(&self->c, 0));
	EXPECT_EQ(-EINVAL, spscring_arm_room(&self->p, 0));
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 5, NEVER));
	EXPECT_EQ(0, spscring_wait_room(&self->p, 11, NEVER));
	EXPECT_EQ(0, info_of(self->ring).broken);
	/* a broken ring returns EPIPE for any count */
	ASSERT_EQ(-EPIPE, spscring_consumer_broken(&self->c));
	EXPECT_EQ(-EPIPE, spscring_wait_elements(&self->c, 1, NEVER));
	EXPECT_EQ(-EPIPE, spscring_arm_elements(&self->c, 1));
}

static int wait_at(int fd, __u32 flags, __u64 index)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = flags, .index = index,
		.deadline = flags & SPSCRING_WAIT_ARM ? NEVER : 1,
	};

	return do_ioctl(fd, SPSCRING_WAIT, &want);
}

/* WAIT refuses an index that is too far from the cursor, either way. */
TEST_F(marks, indices)
{
	const __u32 arm = SPSCRING_WAIT_ARM;
	int i;

	ASSERT_EQ(0, push_u64s(&self->p, 5));
	ASSERT_EQ(0, pop_u64s(&self->c, 5));
	for (i = 0; i < 2; i++) {
		int fd = i ? self->in : self->out;

		EXPECT_EQ(-EINVAL, wait_at(fd, 0, 5 + 17));
		EXPECT_EQ(-EINVAL, wait_at(fd, arm, 5 + 17));
		EXPECT_EQ(-EINVAL, wait_at(fd, 0, 5 + (1ULL << 62)));
		EXPECT_EQ(-EINVAL, wait_at(fd, 0, 5 + (1ULL << 63)));
		EXPECT_EQ(-EINVAL, wait_at(fd, arm, 5 + (1ULL << 63)));
		EXPECT_EQ(-EINVAL, wait_at(fd, 0, 5 - (1ULL << 62)));
		EXPECT_EQ(-EINVAL, wait_at(fd, arm, 5 - (1ULL << 62)));
		/* an index behind the cursor is reached already */
		EXPECT_EQ(0, wait_at(fd, 0, 5 - (1ULL << 62) + 1));
		EXPECT_EQ(0, wait_at(fd, 0, 5));
		EXPECT_EQ(0, wait_at(fd, 0, 0));
	}
	EXPECT_EQ(-ETIMEDOUT, wait_at(self->out, 0, 5 + 16));
	EXPECT_EQ(0, wait_at(self->in, 0, 5 + 16));
	EXPECT_EQ(0, info_of(self->ring).broken);
}

TEST_HARNESS_MAIN
