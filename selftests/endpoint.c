// SPDX-License-Identifier: GPL-2.0
/*
 * Ends: held once, handed on, shut down, dead, claimed again.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "selftest.h"

#define TAG		0xfeedULL
#define CAPACITY	64

FIXTURE(endpoint)
{
	int ring, producer, consumer;
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
};

FIXTURE_SETUP(endpoint)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = CAPACITY, .record_size = 8, .type_tag = TAG));
	ASSERT_GE(self->ring, 0);
	self->producer = -1;
	self->consumer = -1;
}

FIXTURE_TEARDOWN(endpoint)
{
	close_fd(&self->producer);
	close_fd(&self->consumer);
	close_fd(&self->ring);
}

#define endpoint_t	FIXTURE_DATA(endpoint)

static void producer_up(struct __test_metadata *_metadata, endpoint_t *self)
{
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	ASSERT_EQ(map_producer(self->producer, &self->p, &self->p_map), 0);
}

static void consumer_up(struct __test_metadata *_metadata, endpoint_t *self)
{
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, TAG);
	ASSERT_GE(self->consumer, 0);
	ASSERT_EQ(map_consumer(self->consumer, &self->c, &self->c_map), 0);
}

/* Without SHUTDOWN: it dies. */
static void producer_dies(struct __test_metadata *_metadata, endpoint_t *self)
{
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

static void consumer_dies(struct __test_metadata *_metadata, endpoint_t *self)
{
	spscring_unmap(&self->c_map);
	close_fd(&self->consumer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
}

static void push_from(struct __test_metadata *_metadata, endpoint_t *self, __u64 first, int n)
{
	for (; n; n--, first++) {
		ASSERT_EQ(spscring_push(&self->p, &first), 0)
			TH_LOG("record %ju", (uintmax_t)first);
	}
}

static void pop_from(struct __test_metadata *_metadata, endpoint_t *self, __u64 first, int n)
{
	__u64 v;

	for (; n; n--, first++) {
		ASSERT_EQ(pop_answer(&self->c, &v), 0)
			TH_LOG("record %ju", (uintmax_t)first);
		ASSERT_EQ(v, first);
	}
}

static int pop_end(endpoint_t *self)
{
	__u64 v;

	return pop_answer(&self->c, &v);
}

/* The whole of it, as the manual has it. */
TEST_F(endpoint, simple_case)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 4096, .record_size = 8,
	};
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v = 42, w = 0;
	int ring = spscring_open(&want);
	int p_end = claim_end(ring, SPSCRING_PRODUCER, 0);
	int c_end = claim_end(ring, SPSCRING_CONSUMER, 0);

	EXPECT_EQ(map_producer(p_end, &p, NULL), 0);
	EXPECT_EQ(map_consumer(c_end, &c, NULL), 0);
	EXPECT_EQ(spscring_push(&p, &v), 0);
	EXPECT_EQ(spscring_pop(&c, &w), 0);
	EXPECT_EQ(v, w);
}

/* ------------------------------------------------------------------ claim */

TEST_F(endpoint, bad)
{
	static const struct { int err; struct spscring_endpoint want; } bad[] = {
		{ -EINVAL, { .role = 0, .record_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = 3, .record_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = ~0U, .record_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = SPSCRING_PRODUCER, .record_size = 8, .type_tag = TAG,
			     .flags = 2 } },
		{ -EINVAL, { .role = SPSCRING_PRODUCER, .record_size = 8, .type_tag = TAG,
			     .flags = 1U << 31 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .record_size = 9, .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .record_size = 8 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_CONSUMER, .record_size = ~0U, .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .record_size = 8,
				 .type_tag = TAG + 1 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .record_size = 8,
				 .type_tag = TAG | 1ULL << 63 } },
		{ -EPROTOTYPE, { .role = SPSCRING_CONSUMER, .record_size = 8, .type_tag = ~TAG } },
	};
	struct spscring_endpoint want;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		want = bad[i].want;
		want.size = sizeof(want);
		EXPECT_EQ(do_ioctl(self->ring, SPSCRING_ENDPOINT, &want), bad[i].err)
			TH_LOG("line %zu of the table", i);
	}
	EXPECT_EQ(info_of(self->ring).producer_generation, 0);
	EXPECT_EQ(info_of(self->ring).consumer_generation, 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_UNCLAIMED);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_UNCLAIMED);
}

TEST_F(endpoint, bad_shutdown)
{
	struct spscring_shutdown down = { .size = sizeof(down) };

	producer_up(_metadata, self);
	EXPECT_EQ(spscring_shutdown(self->producer, 2), -EINVAL);
	EXPECT_EQ(spscring_shutdown(self->producer, 1U << 31), -EINVAL);
	EXPECT_EQ(do_ioctl(self->ring, SPSCRING_SHUTDOWN, &down), -EPERM);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
}

/* An endpoint fd claims nothing, not even what is free. */
TEST_F(endpoint, claims_by_the_ring_only)
{
	producer_up(_metadata, self);
	EXPECT_EQ(claim_end(self->producer, SPSCRING_CONSUMER, TAG), -EPERM);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_UNCLAIMED);
}

TEST_F(endpoint, held_once)
{
	producer_up(_metadata, self);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -EBUSY);
	consumer_up(_metadata, self);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_CONSUMER, TAG), -EBUSY);
	/* whoever asks */
	EXPECT_EQ(wait_child(fork_child() ?:
			     (_exit(-claim_end(self->ring, SPSCRING_PRODUCER, TAG)), 0)),
		  EBUSY);
	EXPECT_EQ(info_of(self->ring).producer_generation, 1);

	producer_dies(_metadata, self);
	producer_up(_metadata, self);
	EXPECT_EQ(info_of(self->ring).producer_generation, 2);
	EXPECT_EQ(info_of(self->ring).consumer_generation, 1);
}

/* Of those who claim at once, one gets it. */
TEST_F(endpoint, held_once_of_many)
{
	struct { int go, holders, claims; } *shared;
	int i, n, end;
	pid_t pid[3];

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(shared, MAP_FAILED);
	for (i = 0; i < 3; i++) {
		pid[i] = fork_child();
		if (pid[i])
			continue;
		while (!READ_ONCE(shared->go))
			sched_yield();
		for (n = 0; n < 1000; n++) {
			end = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
			if (end == -EBUSY)
				continue;
			if (end < 0)
				_exit(-end);
			if (__atomic_add_fetch(&shared->holders, 1, __ATOMIC_SEQ_CST) != 1)
				_exit(200);
			shared->claims++;
			/* held for long enough that another may come */
			sched_yield();
			__atomic_sub_fetch(&shared->holders, 1, __ATOMIC_SEQ_CST);
			close(end);
		}
		_exit(0);
	}
	WRITE_ONCE(shared->go, 1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(wait_child(pid[i]), 0);
	EXPECT_GT(shared->claims, 0);
	EXPECT_EQ(info_of(self->ring).producer_generation, (unsigned int)shared->claims);
}

/* No fd to give: the end is as it was. */
TEST_F(endpoint, no_fd_left)
{
	struct rlimit old, none;
	int fd = dup(self->ring);

	ASSERT_GE(fd, 0);
	close(fd);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = fd;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -EMFILE);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_UNCLAIMED);
	EXPECT_EQ(info_of(self->ring).producer_generation, 0);
	producer_up(_metadata, self);
}

/* ----------------------------------------------------------- handing it on */

/* A program that sleeps, with the end or without it. */
static pid_t exec_with(endpoint_t *self, bool keep)
{
	pid_t pid = fork_child();

	if (!pid) {
		int fd = claim_end(self->ring, SPSCRING_PRODUCER, TAG);

		if (fd < 0)
			_exit(100);
		if (keep)
			fcntl(fd, F_SETFD, 0);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(101);
	}
	return pid;
}

static bool wait_exec(pid_t pid)
{
	char path[64], name[16];
	struct patience p = {};

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	do {
		FILE *f = fopen(path, "r");
		bool there = f && fgets(name, sizeof(name), f) && !strcmp(name, "sleep\n");

		if (f)
			fclose(f);
		if (there)
			return true;
	} while (patient(&p, 0));
	return false;
}

TEST_F(endpoint, close_on_exec)
{
	pid_t pid;
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, TAG);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);

	pid = exec_with(self, false);
	EXPECT_TRUE(wait_exec(pid));
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(kill(pid, SIGKILL), 0);
	EXPECT_EQ(wait_child(pid), -SIGKILL);
}

TEST_F(endpoint, kept_over_exec)
{
	pid_t pid = exec_with(self, true);

	EXPECT_TRUE(wait_exec(pid));
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	EXPECT_EQ(kill(pid, SIGKILL), 0);
	EXPECT_EQ(wait_child(pid), -SIGKILL);
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* A child that keeps the fd keeps the end alive, and is the end. */
TEST_F(endpoint, kept_by_a_child)
{
	struct patience p = {};
	int hold[2];
	char byte;
	pid_t pid;

	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	push_from(_metadata, self, 0, 3);
	ASSERT_EQ(pipe(hold), 0);
	pid = fork_child();
	if (!pid) {
		__u64 v = 3;

		close(hold[1]);
		close(self->consumer);
		if (read(hold[0], &byte, 1) != 1)
			_exit(1);
		/* the mapping did not come along, the fd did */
		if (map_producer(self->producer, &self->p, NULL) ||
		    spscring_push(&self->p, &v))
			_exit(2);
		_exit(read(hold[0], &byte, 1));
	}
	close(hold[0]);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -EBUSY);

	EXPECT_EQ(write(hold[1], "", 1), 1);
	while (info_of(self->ring).tail < 4 && patient(&p, 0))
		;
	pop_from(_metadata, self, 0, 4);
	EXPECT_EQ(pop_end(self), -EAGAIN);
	close(hold[1]);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(pop_end(self), -EPIPE);
}

/* In flight in a socket it is alive; received it works. */
TEST_F(endpoint, sent_by_a_socket)
{
	int pair[2];

	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	push_from(_metadata, self, 0, 2);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ASSERT_EQ(send_fd(pair[0], self->producer), 1);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);

	self->producer = recv_fd(pair[1]);
	ASSERT_GE(self->producer, 0);
	ASSERT_EQ(map_producer(self->producer, &self->p, &self->p_map), 0);
	push_from(_metadata, self, 2, 2);
	pop_from(_metadata, self, 0, 4);

	/* lost with the socket */
	ASSERT_EQ(send_fd(pair[0], self->producer), 1);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	close(pair[0]);
	close(pair[1]);
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* The ring fd, received by another process, is as good as the maker's. */
TEST_F(endpoint, claimed_by_another)
{
	int pair[2];
	pid_t pid;

	consumer_up(_metadata, self);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork_child();
	if (!pid) {
		__u64 v = 7;
		int end;

		close(self->ring);
		end = claim_end(recv_fd(pair[1]), SPSCRING_PRODUCER, TAG);
		if (end < 0 || map_producer(end, &self->p, NULL) ||
		    spscring_push(&self->p, &v))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(send_fd(pair[0], self->ring), 1);
	EXPECT_EQ(wait_child(pid), 0);
	pop_from(_metadata, self, 7, 1);
	EXPECT_EQ(pop_end(self), -EPIPE);
}

/* Either mapping keeps the end alive. */
TEST_F(endpoint, kept_by_a_mapping)
{
	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	push_from(_metadata, self, 0, 2);
	pop_from(_metadata, self, 0, 2);

	ASSERT_EQ(munmap(self->p_map.read_only, self->p_map.read_only_size), 0);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -EBUSY);

	/* all of it but a page */
	ASSERT_EQ(munmap(self->p_map.writable, sysconf(_SC_PAGESIZE)), 0);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_HELD);
	ASSERT_EQ(munmap(self->p_map.writable, self->p_map.writable_size), 0);
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* ---------------------------------------------------------------- the end */

TEST_F(endpoint, producer_shuts_down)
{
	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 10);
	EXPECT_EQ(spscring_shutdown(self->producer, 0), 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_SHUT_DOWN);
	/* drained, then over */
	pop_from(_metadata, self, 0, 10);
	EXPECT_EQ(pop_end(self), -ESHUTDOWN);
	EXPECT_EQ(pop_end(self), -ESHUTDOWN);

	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -ESHUTDOWN);
	EXPECT_EQ(spscring_shutdown(self->producer, 0), 0);
	EXPECT_EQ(info_of(self->ring).producer_generation, 1);

	/* its death afterwards changes nothing */
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_SHUT_DOWN);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -ESHUTDOWN);
	EXPECT_EQ(pop_end(self), -ESHUTDOWN);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_F(endpoint, consumer_shuts_down)
{
	__u64 v = 0;
	int n, err;

	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 10);
	pop_from(_metadata, self, 0, 5);
	EXPECT_EQ(spscring_shutdown(self->consumer, 0), 0);
	/* it finds out once it is full */
	for (n = 0; !(err = push_answer(&self->p, &v)); n++)
		;
	EXPECT_EQ(err, -ESHUTDOWN);
	EXPECT_EQ(n, CAPACITY - 5);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_CONSUMER, TAG), -ESHUTDOWN);
	EXPECT_EQ(spscring_shutdown(self->consumer, 0), 0);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_SHUT_DOWN);
}

TEST_F(endpoint, shuts_down_broken)
{
	producer_up(_metadata, self);
	EXPECT_EQ(spscring_shutdown(self->producer, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(info_of(self->ring).broken, 1);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_CONSUMER, TAG), -EPIPE);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, TAG), -ESHUTDOWN);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_UNCLAIMED);
}

#define death_t		FIXTURE_VARIANT(death)

FIXTURE(death)
{
	endpoint_t e;
};

FIXTURE_VARIANT(death)
{
	bool exit, kill, mapped;
};

FIXTURE_VARIANT_ADD(death, by_close) {};
FIXTURE_VARIANT_ADD(death, by_unmap) { .mapped = true };
FIXTURE_VARIANT_ADD(death, by_exit) { .exit = true };
FIXTURE_VARIANT_ADD(death, by_exit_mapped) { .exit = true, .mapped = true };
FIXTURE_VARIANT_ADD(death, by_kill) { .kill = true };
FIXTURE_VARIANT_ADD(death, by_kill_mapped) { .kill = true, .mapped = true };

FIXTURE_SETUP(death)
{
	endpoint_setup(_metadata, &self->e, NULL);
}

FIXTURE_TEARDOWN(death)
{
	endpoint_teardown(_metadata, &self->e, NULL);
}

/* Claim an end in this process or another, and lose it in the variant's way. */
static void claim_and_die(struct __test_metadata *_metadata, const death_t *variant,
			  endpoint_t *e, __u32 role)
{
	struct spscring_mapping map;
	pid_t pid = 0;
	int fd;

	if (variant->exit || variant->kill) {
		pid = fork_child();
		if (pid) {
			EXPECT_TRUE(wait_state(e->ring, role, variant->exit ? SPSCRING_DEAD :
					       SPSCRING_HELD));
			if (variant->kill)
				kill(pid, SIGKILL);
			EXPECT_EQ(wait_child(pid), variant->kill ? -SIGKILL : 0);
			return;
		}
	}
	fd = claim_end(e->ring, role, TAG);
	EXPECT_GE(fd, 0);
	if (variant->mapped)
		EXPECT_EQ(role == SPSCRING_PRODUCER ? map_producer(fd, &e->p, &map) :
			  map_consumer(fd, &e->c, &map), 0);
	if (variant->exit)
		_exit(0);
	while (variant->kill)
		pause();
	close(fd);
	if (variant->mapped) {
		EXPECT_EQ(state_of(e->ring, role), SPSCRING_HELD);
		spscring_unmap(&map);
	}
}

TEST_F(death, producer)
{
	endpoint_t *e = &self->e;

	consumer_up(_metadata, e);
	producer_up(_metadata, e);
	push_from(_metadata, e, 0, 5);
	producer_dies(_metadata, e);

	claim_and_die(_metadata, variant, e, SPSCRING_PRODUCER);
	ASSERT_TRUE(wait_state(e->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(info_of(e->ring).producer_generation, 2);
	pop_from(_metadata, e, 0, 5);
	EXPECT_EQ(pop_end(e), -EPIPE);

	/* another takes its place */
	producer_up(_metadata, e);
	EXPECT_EQ(pop_end(e), -EAGAIN);
	push_from(_metadata, e, 5, 5);
	pop_from(_metadata, e, 5, 5);
	EXPECT_EQ(info_of(e->ring).broken, 0);
}

TEST_F(death, consumer)
{
	endpoint_t *e = &self->e;
	__u64 v = 99;

	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	push_from(_metadata, e, 0, CAPACITY);
	pop_from(_metadata, e, 0, 3);
	consumer_dies(_metadata, e);

	claim_and_die(_metadata, variant, e, SPSCRING_CONSUMER);
	ASSERT_TRUE(wait_state(e->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
	push_from(_metadata, e, CAPACITY, 3);
	EXPECT_EQ(push_answer(&e->p, &v), -EPIPE);

	consumer_up(_metadata, e);
	EXPECT_EQ(push_answer(&e->p, &v), -EAGAIN);
	pop_from(_metadata, e, 3, CAPACITY);
	EXPECT_EQ(pop_end(e), -EAGAIN);
	push_from(_metadata, e, 0, 1);
	pop_from(_metadata, e, 0, 1);
}

/* With the ring fd gone, so is who could claim; the ends know. */
TEST_F(endpoint, death_without_a_ring_fd)
{
	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 1);
	close_fd(&self->ring);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->consumer, SPSCRING_PRODUCER, SPSCRING_DEAD));
	pop_from(_metadata, self, 0, 1);
	EXPECT_EQ(pop_end(self), -EPIPE);
	EXPECT_EQ(claim_end(self->consumer, SPSCRING_PRODUCER, TAG), -EPERM);
}

/* --------------------------------------------------- mending, step by step */

/*
 * A ring of 7 records a frame, 10 frames; the producer's cursor stands at
 * @laps times its capacity.
 */
FIXTURE(mend)
{
	endpoint_t e;
	__u64 at;		/* the cursor before what is left half done */
	__u64 unseen;		/* where the half-dead producer's cursor goes */
	struct spscring_geometry g;
};

FIXTURE_VARIANT(mend)
{
	int before;		/* records through the ring before */
};

FIXTURE_VARIANT_ADD(mend, fresh) {};
FIXTURE_VARIANT_ADD(mend, within_a_frame) { .before = 4 };
FIXTURE_VARIANT_ADD(mend, over_the_end) { .before = 56 };
FIXTURE_VARIANT_ADD(mend, second_lap) { .before = 73 };
FIXTURE_VARIANT_ADD(mend, many_laps) { .before = 999 };

FIXTURE_SETUP(mend)
{
	endpoint_t *e = &self->e;
	int i;

	SKIP_WITHOUT_DEVICE();
	endpoint_setup(_metadata, e, NULL);
	self->g = info_of(e->ring).geometry;
	ASSERT_EQ(self->g.frame_records, 7);
	ASSERT_EQ(self->g.frames, 10);
	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	for (i = 0; i < variant->before; i++) {
		push_from(_metadata, e, i, 1);
		pop_from(_metadata, e, i, 1);
	}
	self->at = variant->before;
	WRITE_ONCE(*e->p.base.cursor, self->at);
	/* from here on its cursor is not published */
	self->unseen = self->at;
	e->p.base.cursor = &self->unseen;
}

FIXTURE_TEARDOWN(mend)
{
	endpoint_teardown(_metadata, &self->e, NULL);
}

#define mend_t		FIXTURE_DATA(mend)

static __u64 *tail_of(mend_t *self, __u64 frame)
{
	return (__u64 *)(self->e.p.base.data + frame % self->g.frames * self->g.frame_size);
}

/* Cursor and tails tell the same story, and the ring works for two laps. */
static void mended(struct __test_metadata *_metadata, mend_t *self,
		   __u64 head, __u64 tail)
{
	endpoint_t *e = &self->e;

	producer_dies(_metadata, e);
	producer_up(_metadata, e);
	EXPECT_EQ(info_of(e->ring).tail, tail);
	EXPECT_EQ(e->p.base.pos, tail);
	EXPECT_EQ(info_of(e->ring).broken, 0);
	pop_from(_metadata, e, head, tail - head);
	EXPECT_EQ(pop_end(e), -EAGAIN);
	for (head = tail; head < tail + 2 * CAPACITY; head++) {
		push_from(_metadata, e, head, 1);
		pop_from(_metadata, e, head, 1);
		ASSERT_EQ(pop_end(e), -EAGAIN);
	}
}

/* Every length of a batch that was complete but for the cursor. */
TEST_F(mend, cursor_is_behind)
{
	int n;

	for (n = 0; n < 20; n++) {
		__u64 at = self->e.p.base.pos;

		push_from(_metadata, &self->e, at, n);
		mended(_metadata, self, at, at + n);
		self->unseen = self->e.p.base.pos;
		self->e.p.base.cursor = &self->unseen;
	}
}

/* The consumer has taken records that the cursor never spoke of. */
TEST_F(mend, consumer_is_ahead)
{
	__u64 at = self->at;

	push_from(_metadata, &self->e, at, 30);
	pop_from(_metadata, &self->e, at, 17);
	EXPECT_GT(info_of(self->e.ring).head, info_of(self->e.ring).tail);
	EXPECT_EQ(info_of(self->e.ring).length, 0);
	EXPECT_EQ(info_of(self->e.ring).free, CAPACITY);
	mended(_metadata, self, at + 17, at + 30);
}

TEST_F(mend, full)
{
	push_from(_metadata, &self->e, self->at, CAPACITY);
	mended(_metadata, self, self->at, self->at + CAPACITY);
}

/* A tail beyond a frame that has none: what cannot be reached is not published. */
TEST_F(mend, gap)
{
	__u64 at = self->at, frame = at / 7;
	__u64 *gap = tail_of(self, frame + 1);
	__u64 old = *gap;

	push_from(_metadata, &self->e, at, 21);
	WRITE_ONCE(*gap, old);
	/* the rest of its frame, then nothing */
	mended(_metadata, self, at, (frame + 1) * 7);
}

/* Garbage in tails that no consumer has reached. */
TEST_F(mend, impossible_tails)
{
	static const __u64 words[] = { ~0ULL, 1ULL << 63, 1ULL << 40, 12345678 };
	__u64 at = self->at, frame = at / 7, tail;
	size_t i;

	push_from(_metadata, &self->e, at, 3);
	tail = at + 3;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		WRITE_ONCE(*tail_of(self, frame + 2 + i), words[i]);
	mended(_metadata, self, at, tail);
}

/* More than the ring holds cannot have been published. */
TEST_F(mend, beyond_the_capacity)
{
	__u64 at = self->at, end = at + CAPACITY;

	push_from(_metadata, &self->e, at, CAPACITY);
	WRITE_ONCE(self->e.p.base.lines->cursor.word, at + 30);
	WRITE_ONCE(*tail_of(self, end / 7), end / 7 * 7 + 7);
	mended(_metadata, self, at, end);
}

/* The consumer dies meanwhile; the next one begins where it stood. */
TEST_F(mend, both_ends)
{
	endpoint_t *e = &self->e;
	__u64 at = self->at;

	push_from(_metadata, e, at, 20);
	pop_from(_metadata, e, at, 9);
	consumer_dies(_metadata, e);
	consumer_up(_metadata, e);
	pop_from(_metadata, e, at + 9, 2);
	consumer_dies(_metadata, e);
	producer_dies(_metadata, e);
	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	EXPECT_EQ(info_of(e->ring).head, at + 11);
	EXPECT_EQ(info_of(e->ring).tail, at + 20);
	pop_from(_metadata, e, at + 11, 9);
	EXPECT_EQ(pop_end(e), -EAGAIN);
}

/* What a dead consumer told is made to agree with its cursor. */
TEST_F(mend, told)
{
	endpoint_t *e = &self->e;
	__u64 at = self->at, v = 0;
	int n;

	e->p.base.cursor = &e->p.base.lines->cursor.word;
	push_from(_metadata, e, at, 10);
	pop_from(_metadata, e, at, 1);
	WRITE_ONCE(e->c.base.lines->told.word, at + CAPACITY);
	consumer_dies(_metadata, e);
	consumer_up(_metadata, e);
	EXPECT_EQ(READ_ONCE(*e->p.base.peer_told), at + 1);
	for (n = 0; !push_answer(&e->p, &v); n++)
		;
	EXPECT_EQ(n, CAPACITY - 10 + 1);
}

/* A dead producer's impossible cursor breaks the ring at the claim. */
static void impossible(struct __test_metadata *_metadata, mend_t *self,
		       __u32 role)
{
	int ring = self->e.ring;

	ASSERT_TRUE(wait_state(ring, role, SPSCRING_DEAD));
	EXPECT_EQ(claim_end(ring, role, TAG), -EPIPE);
	EXPECT_EQ(info_of(ring).broken, 1);
	EXPECT_EQ(state_of(ring, role), SPSCRING_DEAD);
	EXPECT_EQ(info_of(ring).producer_generation, 1);
	EXPECT_EQ(info_of(ring).consumer_generation, 1);
	EXPECT_LE(info_of(ring).length, CAPACITY);
	EXPECT_EQ(info_of(ring).length + info_of(ring).free, CAPACITY);
	EXPECT_EQ(claim_end(ring, role, TAG), -EPIPE);
}

TEST_F(mend, cursor_too_far)
{
	WRITE_ONCE(self->e.p.base.lines->cursor.word, self->at + CAPACITY + 1);
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, cursor_in_the_stars)
{
	WRITE_ONCE(self->e.p.base.lines->cursor.word, self->at + (1ULL << 63));
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, cursor_before_the_consumers)
{
	__u64 frame;

	/* before 0 a tail of 0 explains it: as good as fresh */
	if (!self->at)
		return;
	/* otherwise no tail does */
	for (frame = 0; frame < self->g.frames; frame++)
		WRITE_ONCE(*tail_of(self, frame), 0);
	WRITE_ONCE(self->e.p.base.lines->cursor.word, self->at - 1);
	producer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_PRODUCER);
}

TEST_F(mend, consumer_cursor_too_far)
{
	WRITE_ONCE(*self->e.c.base.cursor, self->at + 1);
	consumer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_CONSUMER);
}

TEST_F(mend, consumer_cursor_too_far_back)
{
	push_from(_metadata, &self->e, self->at, CAPACITY);
	WRITE_ONCE(self->e.p.base.lines->cursor.word, self->unseen);
	WRITE_ONCE(*self->e.c.base.cursor, self->at - 1);
	consumer_dies(_metadata, &self->e);
	impossible(_metadata, self, SPSCRING_CONSUMER);
}

/* ------------------------------------------------------- killed while it claims */

#define WALK_BYTES	(128ULL << 20)

/* A ring so large that its mending takes a while. */
FIXTURE(walk)
{
	int ring;
	__u64 records;
	bool any_size;
	bool *claims;		/* the child is about to */
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
};

FIXTURE_VARIANT(walk)
{
	__u32 role;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(walk, producer) { SPSCRING_PRODUCER, 0 };
FIXTURE_VARIANT_ADD(walk, consumer) { SPSCRING_CONSUMER, 0 };
FIXTURE_VARIANT_ADD(walk, producer_of_records) {
	SPSCRING_PRODUCER, SPSCRING_CREATE_RECORDS };
FIXTURE_VARIANT_ADD(walk, consumer_of_records) {
	SPSCRING_CONSUMER, SPSCRING_CREATE_RECORDS };

#define walk_t		FIXTURE_DATA(walk)

static int walk_up(walk_t *self, __u32 role)
{
	int end = claim_end(self->ring, role, 0), err;

	if (end < 0)
		return end;
	if (role == SPSCRING_PRODUCER)
		err = self->any_size ? record_map_producer(end, &self->rp, &self->p_map) :
			map_producer(end, &self->p, &self->p_map);
	else
		err = self->any_size ? record_map_consumer(end, &self->rc, &self->c_map) :
			map_consumer(end, &self->c, &self->c_map);
	close(end);
	return err;
}

static bool walk_dies(walk_t *self, __u32 role)
{
	spscring_unmap(role == SPSCRING_PRODUCER ? &self->p_map : &self->c_map);
	return wait_state(self->ring, role, SPSCRING_DEAD);
}

FIXTURE_SETUP(walk)
{
	struct spscring_create frames = {
		.size = sizeof(frames), .capacity = WALK_BYTES / 64 * 7, .record_size = 8,
	}, records = {
		.size = sizeof(records), .capacity = WALK_BYTES, .flags = SPSCRING_CREATE_RECORDS,
	};
	struct sysinfo machine;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(sysinfo(&machine), 0);
	ASSERT_GT(machine.freeram * machine.mem_unit, 2 * WALK_BYTES);
	self->any_size = variant->flags;
	self->ring = spscring_open(self->any_size ? &records : &frames);
	ASSERT_GE(self->ring, 0);
	self->claims = mmap(NULL, sizeof(bool), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(self->claims, MAP_FAILED);
	ASSERT_EQ(walk_up(self, SPSCRING_PRODUCER), 0);
	ASSERT_EQ(walk_up(self, SPSCRING_CONSUMER), 0);
	while (!(self->any_size ? spscring_record_push(&self->rp, &self->records, 8) :
		 spscring_push(&self->p, &self->records)))
		self->records++;
}

FIXTURE_TEARDOWN(walk)
{
	munmap(self->claims, sizeof(bool));
	close_fd(&self->ring);
}

/* All is published, and the producer's cursor says nothing is: a walk as long as it gets. */
static void rewind_cursor(walk_t *self)
{
	struct spscring_line *cursor = self->any_size ? &self->rp.base.lines->cursor :
		&self->p.base.lines->cursor;

	WRITE_ONCE(cursor->more[0], 0);
	WRITE_ONCE(cursor->word, 0);
}

/* What a process has run, in ns. */
static __u64 has_run(pid_t pid)
{
	struct timespec t = {};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* A child that claims, once it is well into it: no other work takes it so long. */
static pid_t fork_claimer(walk_t *self, __u32 role)
{
	siginfo_t info = {};
	__u64 before = 0;
	pid_t pid;

	*self->claims = false;
	pid = fork_child();
	if (!pid) {
		if (nice(19) < 0)
			_exit(1);
		WRITE_ONCE(*self->claims, true);
		_exit(claim_end(self->ring, role, 0) < 0);
	}
	while (pid > 0 && waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       !info.si_pid &&
	       (!before || has_run(pid) < before + 3000000)) {
		if (!before && READ_ONCE(*self->claims))
			before = has_run(pid);
		sched_yield();
	}
	return pid;
}

/* As before the claim that was cut short, and the next one finds all of it. */
static void claims_again(struct __test_metadata *_metadata, walk_t *self, __u32 role)
{
	__u64 i, v;

	ASSERT_EQ(walk_up(self, role), 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
	for (i = 0; i < self->records; i++) {
		ASSERT_EQ(self->any_size ? spscring_record_pop(&self->rc, &v, 8) :
			  spscring_pop(&self->c, &v), self->any_size ? 8 : 0)
			TH_LOG("record %ju", (uintmax_t)i);
		ASSERT_EQ(v, i);
	}
}

/* Dead, and not claimed since. */
static bool still_dead(walk_t *self, const struct spscring_info *before, __u32 role)
{
	const struct spscring_info now = info_of(self->ring);

	if (role == SPSCRING_PRODUCER)
		return now.producer_state == SPSCRING_DEAD &&
			now.producer_generation == before->producer_generation;
	return now.consumer_state == SPSCRING_DEAD &&
		now.consumer_generation == before->consumer_generation;
}

/*
 * INFO of a ring waits for no claim of its ends; a kill ends the claim, and the end is
 * dead as before.  A claim that was over too early shows neither, so some tries.
 */
TEST_F(walk, killed)
{
	const __u32 role = variant->role;
	bool answered = false, cut = false;
	struct spscring_info before;
	int tries;
	pid_t pid;

	for (tries = 0; tries < 20 && !(answered && cut); tries++) {
		ASSERT_EQ(tries ? walk_up(self, role) : 0, 0);
		rewind_cursor(self);
		ASSERT_TRUE(walk_dies(self, role));
		before = info_of(self->ring);
		pid = fork_claimer(self, role);
		ASSERT_GT(pid, 0);
		answered |= still_dead(self, &before, role);
		kill(pid, SIGKILL);
		if (wait_child(pid) == -SIGKILL)
			cut |= still_dead(self, &before, role);
		ASSERT_TRUE(wait_state(self->ring, role, SPSCRING_DEAD));
		ASSERT_EQ(info_of(self->ring).broken, 0);
	}
	EXPECT_TRUE(answered);
	EXPECT_TRUE(cut);
	claims_again(_metadata, self, role);
}

/* ------------------------------------------------------ killed at any point */

#define ROUNDS		100
#define BATCH		300
#define LOG_RECORDS	(1 << 22)

FIXTURE(killed)
{
	int ring;
	struct shared {
		__u64 base[ROUNDS + 2];	/* cursor at a generation's claim, + 1 */
	} *shared;
	__u64 *log;		/* by index: what a consumer copied out */
};

FIXTURE_VARIANT(killed)
{
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(killed, small) { .capacity = 10 };
FIXTURE_VARIANT_ADD(killed, middle) { .capacity = 100 };
FIXTURE_VARIANT_ADD(killed, large) { .capacity = 4096 };

static void *shared_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

FIXTURE_SETUP(killed)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = variant->capacity, .record_size = 8));
	ASSERT_GE(self->ring, 0);
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_NE(self->shared, MAP_FAILED);
	self->log = shared_memory(LOG_RECORDS * sizeof(*self->log));
	ASSERT_NE(self->log, MAP_FAILED);
}

FIXTURE_TEARDOWN(killed)
{
	munmap(self->shared, sizeof(*self->shared));
	munmap(self->log, LOG_RECORDS * sizeof(*self->log));
	close_fd(&self->ring);
}

static __u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

/* A record names its index and which producer pushed it. */
#define RECORD(generation, index)	((__u64)(generation) << 48 | (index))
#define RECORD_INDEX(r)			((r) & ((1ULL << 48) - 1))
#define RECORD_GENERATION(r)		((r) >> 48)

static void push_until_killed(int ring, struct shared *shared, unsigned int seed)
{
	__u64 batch[BATCH], generation;
	struct spscring_producer p;
	int i, n, end = claim_end(ring, SPSCRING_PRODUCER, 0);

	if (end < 0)
		_exit(-end);
	if (map_producer(end, &p, NULL))
		_exit(255);
	generation = info_of(end).producer_generation;
	WRITE_ONCE(shared->base[generation], p.base.pos + 1);
	for (;;) {
		n = 1 + rand_r(&seed) % BATCH;
		for (i = 0; i < n; i++)
			batch[i] = RECORD(generation, p.base.pos + i);
		spscring_push_n(&p, batch, n);
	}
}

/* Take what is there: in order, each pushed by who held the end at its index. */
static __u64 take(struct __test_metadata *_metadata, struct spscring_consumer *c,
		  const __u64 *base, __u64 round, __u64 next)
{
	__u64 batch[2 * BATCH], g;
	long n, i;

	n = spscring_pop_n(c, batch, ARRAY_SIZE(batch));
	for (i = 0; i < n; i++, next++) {
		g = RECORD_GENERATION(batch[i]);
		ASSERT_EQ(RECORD_INDEX(batch[i]), next);
		ASSERT_TRUE(g && g <= round && next + 1 >= base[g] &&
			    (g == round || next + 1 < base[g + 1]))
			TH_LOG("round %ju: record %ju is of producer %ju", (uintmax_t)round,
			       (uintmax_t)next, (uintmax_t)g);
	}
	return next;
}

/*
 * What one producer had published before it was killed stays, in order, once;
 * the next goes on from there.
 */
TEST_F(killed, producers)
{
	const struct spscring_producer_lines *its;
	struct spscring_info before;
	struct spscring_consumer c;
	__u64 next = 0, end;
	int round, n, status, mended = 0;
	pid_t pid;

	ASSERT_EQ(map_consumer(claim_end(self->ring, SPSCRING_CONSUMER, 0), &c, NULL), 0);
	before = info_of(self->ring);
	its = (const void *)(c.base.data - before.geometry.data_offset +
			      before.geometry.producer_offset + before.geometry.colour);
	srand(variant->capacity);
	for (round = 1; round <= ROUNDS; round++) {
		before = info_of(self->ring);
		pid = fork_child();
		if (!pid)
			push_until_killed(self->ring, self->shared, round);
		while (!READ_ONCE(self->shared->base[round])) {
			ASSERT_EQ(waitpid(pid, &status, WNOHANG), 0)
				TH_LOG("round %d: the producer ended by %#x", round, status);
			sched_yield();
		}
		ASSERT_GE(self->shared->base[round] - 1, before.tail);
		ASSERT_GE(self->shared->base[round] - 1, next)
			TH_LOG("round %d: records taken are pushed again", round);
		mended += self->shared->base[round] - 1 != before.tail;

		for (end = now_us() + rand() % 4000; now_us() < end;) {
			/* some rounds leave the ring full */
			for (n = 0; round % 4 && n < 1000; n++) {
				next = take(_metadata, &c, self->shared->base, round, next);
				/* or a claim could not tell what was published */
				ASSERT_LE((__s64)(next - READ_ONCE(its->cursor.word)),
					  (__s64)variant->capacity);
			}
		}
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
		if (round % 2)
			next = take(_metadata, &c, self->shared->base, round, next);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	}
	ksft_print_msg("%ju records, %d of %d producers killed within a batch\n",
		       (uintmax_t)next, mended, ROUNDS);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

static void pop_until_killed(int ring, __u64 *log, unsigned int seed)
{
	struct spscring_consumer c;
	int end = claim_end(ring, SPSCRING_CONSUMER, 0);

	if (end < 0 || map_consumer(end, &c, NULL))
		_exit(1);
	while (c.base.pos + BATCH < LOG_RECORDS)
		spscring_pop_n(&c, log + c.base.pos, 1 + rand_r(&seed) % BATCH);
	pause();
}

/*
 * Everything before the cursor was copied out whole; at most one call's records
 * were copied out and not released, and come again.
 */
TEST_F(killed, consumers)
{
	__u64 head = 0, end, i, again;
	struct spscring_producer p;
	int round, n, twice = 0;
	pid_t pid;

	ASSERT_EQ(map_producer(claim_end(self->ring, SPSCRING_PRODUCER, 0), &p, NULL), 0);
	srand(variant->capacity);
	for (round = 1; round <= ROUNDS && head < LOG_RECORDS / 2; round++) {
		pid = fork_child();
		if (!pid)
			pop_until_killed(self->ring, self->log, round);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_HELD));
		for (end = now_us() + rand() % 4000; now_us() < end;) {
			for (n = 0; n < 100; n++)
				spscring_push(&p, &(__u64){ p.base.pos + 1 });
		}
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));

		for (i = head, head = info_of(self->ring).head; i < head; i++) {
			ASSERT_EQ(self->log[i], i + 1)
				TH_LOG("round %d: released before it was copied", round);
		}
		for (again = 0; self->log[head + again]; again++) {
			ASSERT_EQ(self->log[head + again], head + again + 1);
			self->log[head + again] = 0;
		}
		ASSERT_LE(again, BATCH);
		twice += again > 0;
	}
	ksft_print_msg("%ju records, %d of %d consumers killed within a call\n",
		       (uintmax_t)head, twice, round - 1);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_HARNESS_MAIN
