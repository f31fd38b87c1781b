// SPDX-License-Identifier: GPL-2.0
/*
 * How much is waited for: counts that no ring can hold are refused, a watermark that
 * a full ring cannot reach is reached by that, and its time is a first record's own.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "sleep.h"
#include "spscring_peer.h"

#define HOUR	3600000000000ULL	/* ns */

/* ------------------------------------- more than fits beside the next record */

FIXTURE(full) {
	int ring, in, out, epoll;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
};

FIXTURE_VARIANT(full) {
	__u32 flags, capacity, length, mark;
};

#define FULL(name, ...)	FIXTURE_VARIANT_ADD(full, name) { __VA_ARGS__ }

/* capacity, of a record, watermark */
FULL(all_of_it, 0, 4096, 1000, 4096);
FULL(most, 0, 4096, 1500, 3500);
FULL(two_records, 0, 4096, 2000, 4040);
FULL(one_record, 0, 8192, 5000, 6000);
FULL(drops, SPSCRING_CREATE_DROP, 4096, 1000, 4096);
FULL(drops_one_record, SPSCRING_CREATE_DROP, 8192, 5000, 6000);

FIXTURE_SETUP(full)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(open_ends(RING(.capacity = variant->capacity,
				 .flags = SPSCRING_CREATE_RECORDS | variant->flags),
			    &self->ring, &self->in, &self->out), 0);
	ASSERT_EQ(record_map_producer(self->in, &self->p, NULL), 0);
	ASSERT_EQ(record_map_consumer(self->out, &self->c, NULL), 0);
	self->c.base.spin = 0;
	self->c.base.spin_max = 0;
	self->p.base.spin = 0;
	self->p.base.spin_max = 0;
	ASSERT_EQ(spscring_notify(self->out, variant->mark, 0, -1), 0);
	self->epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	ASSERT_GE(self->epoll, 0);
}

FIXTURE_TEARDOWN(full)
{
	close_fd(&self->epoll);
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

static const char record[8192];

/* How many, until a push finds no room; or a negative errno, of another kind. */
static int push_all(struct spscring_record_producer *p, __u32 length)
{
	int n, err;

	for (n = 0; !(err = spscring_record_push(p, record, length)); n++)
		;
	return err == -EAGAIN || err == -ENOBUFS ? n : err;
}

/* How many, while there is room for another. */
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

/* Who sleeps is told when a push finds no room, or drops; and again for the next time. */
TEST_F(full, told)
{
	int i;

	EXPECT_EQ(epoll_next(self->epoll, 0), 0);
	for (i = 0; i < 20; i++) {
		ASSERT_GT(push_all(&self->p, variant->length), 0);
		EXPECT_BELOW_MARK();
		ASSERT_EQ(epoll_in_time(self->epoll), EPOLLIN);
		/* level, too, until something is taken */
		EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
		ASSERT_GT(pop_all(&self->c, variant->length), 0);
		EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
		EXPECT_EQ(epoll_next(self->epoll, 0), 0);
	}
}

/* That it was full is soon past: one record less, and the watermark holds. */
TEST_F(full, past)
{
	ASSERT_GT(push_all(&self->p, variant->length), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
	ASSERT_EQ(pop_one(&self->c, variant->length), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	ASSERT_EQ(push_all(&self->p, variant->length), 1);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
}

TEST_F(full, eventfd)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 times;

	ASSERT_EQ(spscring_notify(self->out, 1, 0, event), 0);
	ASSERT_EQ(spscring_record_arm_records(&self->c, variant->mark), 0);
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	EXPECT_EQ(negative_errno(read(event, &times, sizeof(times))), -EAGAIN);
	ASSERT_EQ(push_all(&self->p, variant->length), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	/* and at once where it is full already */
	ASSERT_EQ(spscring_record_arm_records(&self->c, variant->mark), 0);
	EXPECT_EQ(read(event, &times, sizeof(times)), sizeof(times));
	close(event);
}

/* By write(), which tells the same. */
TEST_F(full, write)
{
	ssize_t n;

	EXPECT_EQ(epoll_next(self->epoll, 0), 0);
	ASSERT_EQ(nonblock(self->in), 0);
	while ((n = negative_errno(write(self->in, record, variant->length))) > 0)
		;
	EXPECT_EQ(n, variant->flags ? -ENOBUFS : -EAGAIN);
	EXPECT_BELOW_MARK();
	EXPECT_EQ(epoll_in_time(self->epoll), EPOLLIN);
}

/* Of one kind of ring, or of the other. */
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
	int err = t->rc ? spscring_record_wait_records(t->rc, t->n, until) :
		spscring_wait_records(t->c, t->n, until);

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

/* Until it sleeps on the end. */
static int start(struct thread *t, int ring, __u32 role, void *(*wait)(void *))
{
	__u64 before = sleeps(ring, role);
	int err = pthread_create(&t->id, NULL, wait, t);

	while (!err && sleeps(ring, role) == before)
		sleep_ms(1);
	return -err;
}

/* A WAIT for more is done with less. */
TEST_F(full, wait)
{
	struct thread t = { .rc = &self->c, .n = variant->mark };

	ASSERT_EQ(start(&t, self->ring, SPSCRING_CONSUMER, wait_for_records), 0);
	ASSERT_GT(push_all(&self->p, variant->length), 0);
	ASSERT_EQ(pthread_join(t.id, NULL), 0);
	EXPECT_EQ(t.err, 0);
	EXPECT_BELOW_MARK();
	EXPECT_EQ(spscring_record_wait_records(&self->c, variant->mark, NEVER), 0);
	/* none is none */
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	EXPECT_EQ(spscring_record_wait_records(&self->c, variant->mark, 1), -ETIMEDOUT);
}

/* A producer that has not tried, but sleeps until there is room: whoever sleeps first. */
TEST_F(full, asleep)
{
	struct thread in = { .rp = &self->p }, out = { .rc = &self->c, .n = variant->mark };

	in.n = spscring_record_needs(&self->p, variant->length);
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	ASSERT_EQ(epoll_next(self->epoll, 0), 0);
	ASSERT_EQ(start(&out, self->ring, SPSCRING_CONSUMER, wait_for_records), 0);
	ASSERT_EQ(start(&in, self->ring, SPSCRING_PRODUCER, wait_for_room), 0);
	ASSERT_EQ(pthread_join(out.id, NULL), 0);
	EXPECT_EQ(out.err, 0);
	EXPECT_EQ(epoll_in_time(self->epoll), EPOLLIN);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
	EXPECT_EQ(spscring_record_wait_records(&self->c, variant->mark, NEVER), 0);
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	ASSERT_EQ(pthread_join(in.id, NULL), 0);
	EXPECT_EQ(in.err, 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
}

/* One that polls for room. */
TEST_F(full, polled)
{
	__u64 need = spscring_record_needs(&self->p, variant->length);

	ASSERT_EQ(spscring_notify(self->in, need, 0, -1), 0);
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	EXPECT_EQ(epoll_next(self->epoll, 0), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), 0);
	EXPECT_EQ(epoll_in_time(self->epoll), EPOLLIN);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), POLLOUT);
	/* it was ready: no sleep */
	ASSERT_EQ(spscring_record_push(&self->p, record, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
}

/* A write() that blocks. */
TEST_F(full, write_sleeps)
{
	struct thread t = { .fd = self->in, .n = variant->length };

	if (variant->flags)
		return;	/* it never does */
	ASSERT_GT(push_what_fits(&self->p, variant->length), 0);
	ASSERT_EQ(epoll_next(self->epoll, 0), 0);
	ASSERT_EQ(start(&t, self->ring, SPSCRING_PRODUCER, write_one), 0);
	EXPECT_EQ(epoll_in_time(self->epoll), EPOLLIN);
	ASSERT_GT(pop_all(&self->c, variant->length), 0);
	ASSERT_EQ(pthread_join(t.id, NULL), 0);
	EXPECT_EQ(t.err, variant->length);
}

/* What was published without a wake-up is told of when no later record can come. */
TEST(full_nowake)
{
	struct spscring_producer p;
	int ring, in, out, epoll;
	void *slot;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = 4, .record_size = 8));
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(map_producer(in, &p, NULL), 0);
	epoll = epoll_of(out, EPOLLIN | EPOLLET);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	while (!spscring_reserve(&p, &slot))
		spscring_commit_flags(&p, 1, SPSCRING_NOWAKE);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	close(epoll);
	close(in);
	close(out);
	close(ring);
}

/* Who overwrites finds room always, and comes to the watermark. */
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
	ASSERT_EQ(record_map_producer(in, &p, NULL), 0);
	ASSERT_EQ(spscring_notify(out, 4096, 0, -1), 0);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(poll_one(out, POLLIN, 0), i * 1008 < 4096 ? 0 : POLLIN);
		ASSERT_EQ(spscring_record_push(&p, record, 1000), 0);
	}
	EXPECT_EQ(poll_one(out, POLLIN, 0), POLLIN);
	close(in);
	close(out);
	close(ring);
}

/* A kernel producer, whose records leave less than the watermark needs. */
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
	ASSERT_EQ(record_map_consumer(out, &c, NULL), 0);
	ASSERT_EQ(spscring_notify(out, 256 * 16 + 8, 0, -1), 0);
	epoll = epoll_of(out, EPOLLIN | EPOLLET);
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(do_ioctl(peer, SPSCRING_PEER_START, &start), 0);
	do {
		ASSERT_GT(epoll_in_time(epoll), 0);
		some = pop_all(&c, 8);
		if (some > 0)
			n += some;
	} while (n != 100 * 256 && (some > 0 || some == -EAGAIN));
	EXPECT_EQ(n, 100 * 256);
	ASSERT_EQ(do_ioctl(peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, 0);
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
	self->ring = spscring_open(RING(.capacity = 16, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
	ASSERT_EQ(map_producer(self->in, &self->p, NULL), 0);
	ASSERT_EQ(map_consumer(self->out, &self->c, NULL), 0);
	self->c.base.spin = 0;
	self->c.base.spin_max = 0;
	self->p.base.spin = 0;
	self->p.base.spin_max = 0;
	ASSERT_EQ(spscring_notify(self->out, 10, 0, -1), 0);
	ASSERT_EQ(spscring_notify(self->in, 10, 0, -1), 0);
}

FIXTURE_TEARDOWN(marks)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
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

/* The consumer sleeps first, then the producer: by poll, by ARM, by WAIT. */
TEST_F(marks, consumer_first)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	struct thread t = { .p = &self->p, .n = 10 };

	ASSERT_EQ(push_u64s(&self->p, 8), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);

	ASSERT_EQ(pop_u64s(&self->c, 8), 0);
	ASSERT_EQ(push_u64s(&self->p, 8), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(spscring_arm_room(&self->p, 10), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);

	ASSERT_EQ(pop_u64s(&self->c, 8), 0);
	ASSERT_EQ(push_u64s(&self->p, 8), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(start(&t, self->ring, SPSCRING_PRODUCER, wait_for_room), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	ASSERT_EQ(pop_u64s(&self->c, 8), 0);
	ASSERT_EQ(pthread_join(t.id, NULL), 0);
	EXPECT_EQ(t.err, 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	close(epoll);
}

/* The producer first; and one that was ready, which is no sleep. */
TEST_F(marks, producer_first)
{
	ASSERT_EQ(push_u64s(&self->p, 3), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), POLLOUT);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	ASSERT_EQ(push_u64s(&self->p, 5), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
	EXPECT_EQ(spscring_wait_records(&self->c, 10, NEVER), 0);
	/* until it has room, whether it has found out or not */
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 10, 1), -ETIMEDOUT);
}

/* The room comes in two steps, where the first slot begins the producer's time. */
TEST_F(marks, timed_producer)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(spscring_notify(self->in, 10, HOUR, -1), 0);
	ASSERT_EQ(push_u64s(&self->p, 16), 0);
	EXPECT_EQ(poll_one(self->in, POLLOUT, 0), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	ASSERT_EQ(pop_u64s(&self->c, 8), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), POLLIN);
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

/* Both ends sleep and wake, again and again. */
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
			ASSERT_EQ(v, next++);
	} while (err == -EAGAIN);
	EXPECT_EQ(err, -ESHUTDOWN);
	EXPECT_EQ(wait_child(pid), 0);
	close(epoll);
}

/* --------------------------------------------------------- KICK with NOW */

/* What is there is enough for a WAIT as well. */
TEST_F(marks, now)
{
	struct thread t = { .c = &self->c, .n = 10 };

	ASSERT_EQ(start(&t, self->ring, SPSCRING_CONSUMER, wait_for_records), 0);
	ASSERT_EQ(push_u64s(&self->p, 3), 0);
	ASSERT_EQ(do_ioctl(self->in, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW), 0);
	ASSERT_EQ(pthread_join(t.id, NULL), 0);
	EXPECT_EQ(t.err, 0);
	EXPECT_EQ(info_of(self->ring).length, 3);
}

/* Of nothing it tells nothing: the next record is to wait for its watermark. */
TEST_F(marks, now_of_nothing)
{
	ASSERT_EQ(do_ioctl(self->in, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	EXPECT_EQ(spscring_wait_records(&self->c, 10, 1), -ETIMEDOUT);
}

/* A producer that waits for room needs it all. */
TEST_F(marks, now_of_room)
{
	struct thread t = { .p = &self->p, .n = 10 };

	ASSERT_EQ(push_u64s(&self->p, 16), 0);
	ASSERT_EQ(start(&t, self->ring, SPSCRING_PRODUCER, wait_for_room), 0);
	ASSERT_EQ(pop_u64s(&self->c, 3), 0);
	ASSERT_EQ(do_ioctl(self->out, SPSCRING_KICK, (void *)SPSCRING_KICK_NOW), 0);
	EXPECT_EQ(spscring_wait_room(&self->p, 10, 1), -ETIMEDOUT);
	ASSERT_EQ(pop_u64s(&self->c, 7), 0);
	ASSERT_EQ(pthread_join(t.id, NULL), 0);
	EXPECT_EQ(t.err, 0);
}

/* ------------------------------------------ a watermark's time: its own record's */

#define SOON	200000000LL	/* ns */

/*
 * One that began behind all of its timers, on the same CPU, and that is longer: once it
 * has expired they have.
 */
static int until_expired(void)
{
	int ring = spscring_open(RING(.capacity = 16, .record_size = 8)), in, out, err;
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

/* NOTIFY ends the time of the one that it replaces ... */
TEST_F(marks, replaced)
{
	pin(false);
	ASSERT_EQ(spscring_notify(self->out, 10, SOON, -1), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	ASSERT_EQ(spscring_notify(self->out, 10, 0, -1), 0);
	ASSERT_EQ(until_expired(), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
}

/* ... however long that was. */
TEST_F(marks, replaced_longer)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);

	ASSERT_EQ(spscring_notify(self->out, 10, HOUR, -1), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(spscring_notify(self->out, 10, 1000000, -1), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	close(epoll);
}

/* A record's time does not tell of a later one, which has its own: no sooner than that. */
TEST_F(marks, taken)
{
	__s64 since;

	ASSERT_EQ(spscring_notify(self->out, 10, SOON, -1), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	sleep_ms(SOON / 2000000);
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	since = now_ns();
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, LONG), POLLIN);
	EXPECT_GE(now_ns() - since, SOON);
}

/* Nor does one that is over when nothing is there. */
TEST_F(marks, taken_before)
{
	__s64 since;

	pin(false);
	ASSERT_EQ(spscring_notify(self->out, 10, SOON, -1), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, 0), 0);
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	ASSERT_EQ(until_expired(), 0);
	since = now_ns();
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(poll_one(self->out, POLLIN, LONG), POLLIN);
	EXPECT_GE(now_ns() - since, SOON);
}

/* Who still sleeps is told of the later one, if nobody polls in between: it came before ... */
TEST_F(marks, taken_asleep)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	__s64 since;

	ASSERT_EQ(spscring_notify(self->out, 10, SOON, -1), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	since = now_ns();
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	EXPECT_GE(now_ns() - since, SOON);
	close(epoll);
}

/* ... or after the time of the first was over. */
TEST_F(marks, taken_asleep_before)
{
	int epoll = epoll_of(self->out, EPOLLIN | EPOLLET);
	__s64 since;

	pin(false);
	ASSERT_EQ(spscring_notify(self->out, 10, SOON, -1), 0);
	EXPECT_EQ(epoll_next(epoll, 0), 0);
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	ASSERT_EQ(pop_u64s(&self->c, 1), 0);
	ASSERT_EQ(until_expired(), 0);
	since = now_ns();
	ASSERT_EQ(push_u64s(&self->p, 1), 0);
	EXPECT_EQ(epoll_in_time(epoll), EPOLLIN);
	EXPECT_GE(now_ns() - since, SOON);
	close(epoll);
}

/* ------------------------------------------------ counts that no ring holds */

/* The library's, in which nothing comes of them. */
TEST_F(marks, counts)
{
	const __u64 counts[] = { 17, 1ULL << 32, (1ULL << 32) + 5, 1ULL << 62, 1ULL << 63,
				 (1ULL << 63) + 17, ~0ULL };
	size_t i;

	ASSERT_EQ(push_u64s(&self->p, 5), 0);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(spscring_wait_records(&self->c, counts[i], 1), -EINVAL);
		EXPECT_EQ(spscring_wait_room(&self->p, counts[i], 1), -EINVAL);
		EXPECT_EQ(spscring_arm_records(&self->c, counts[i]), -EINVAL);
		EXPECT_EQ(spscring_arm_room(&self->p, counts[i]), -EINVAL);
		EXPECT_EQ(spscring_notify(self->out, counts[i], 0, -1), -EINVAL);
		EXPECT_EQ(spscring_notify(self->in, counts[i], 0, -1), -EINVAL);
		EXPECT_EQ(spscring_has_records(&self->c, counts[i]), 0);
		EXPECT_EQ(spscring_has_room(&self->p, counts[i]), 0);
		EXPECT_EQ(spscring_spin_records(&self->c, counts[i]), 0);
		EXPECT_EQ(spscring_spin_room(&self->p, counts[i]), 0);
	}
	EXPECT_EQ(spscring_wait_records(&self->c, 0, 1), -EINVAL);
	EXPECT_EQ(spscring_wait_room(&self->p, 0, 1), -EINVAL);
	EXPECT_EQ(spscring_arm_records(&self->c, 0), -EINVAL);
	EXPECT_EQ(spscring_arm_room(&self->p, 0), -EINVAL);
	EXPECT_EQ(spscring_wait_records(&self->c, 5, NEVER), 0);
	EXPECT_EQ(spscring_wait_room(&self->p, 11, NEVER), 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
	/* who is broken is told that, and no count's fault */
	ASSERT_EQ(spscring_consumer_broken(&self->c.base), -EPIPE);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, NEVER), -EPIPE);
	EXPECT_EQ(spscring_arm_records(&self->c, 1), -EPIPE);
}

static int wait_at(int fd, __u32 flags, __u64 index)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = flags, .index = index,
		.deadline = flags & SPSCRING_WAIT_ARM ? NEVER : 1,
	};

	return do_ioctl(fd, SPSCRING_WAIT, &want);
}

/* The ioctl's index, both ways from the cursor. */
TEST_F(marks, indices)
{
	const __u32 arm = SPSCRING_WAIT_ARM;
	int i;

	ASSERT_EQ(push_u64s(&self->p, 5), 0);
	ASSERT_EQ(pop_u64s(&self->c, 5), 0);
	for (i = 0; i < 2; i++) {
		int fd = i ? self->in : self->out;

		EXPECT_EQ(wait_at(fd, 0, 5 + 17), -EINVAL);
		EXPECT_EQ(wait_at(fd, arm, 5 + 17), -EINVAL);
		EXPECT_EQ(wait_at(fd, 0, 5 + (1ULL << 62)), -EINVAL);
		EXPECT_EQ(wait_at(fd, 0, 5 + (1ULL << 63)), -EINVAL);
		EXPECT_EQ(wait_at(fd, arm, 5 + (1ULL << 63)), -EINVAL);
		EXPECT_EQ(wait_at(fd, 0, 5 - (1ULL << 62)), -EINVAL);
		EXPECT_EQ(wait_at(fd, arm, 5 - (1ULL << 62)), -EINVAL);
		/* what lies behind is there */
		EXPECT_EQ(wait_at(fd, 0, 5 - (1ULL << 62) + 1), 0);
		EXPECT_EQ(wait_at(fd, 0, 5), 0);
		EXPECT_EQ(wait_at(fd, 0, 0), 0);
	}
	EXPECT_EQ(wait_at(self->out, 0, 5 + 16), -ETIMEDOUT);
	EXPECT_EQ(wait_at(self->in, 0, 5 + 16), 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_HARNESS_MAIN
