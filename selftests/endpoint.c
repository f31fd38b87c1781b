// SPDX-License-Identifier: GPL-2.0
/*
 * Any process with the ring's fd can claim a free end, and one claim at a time succeeds.  The end
 * lives as long as its fd or a mapping of it exists, across fork, exec and a socket.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "endpoint.h"

/* The shortest program that sends one element, as in the manual. */
TEST_F(endpoint, simple_case)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 4096, .element_size = 8,
	};
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v = 42, w = 0;
	int ring = spscring_open(&want);
	int p_end = claim_end(ring, SPSCRING_PRODUCER, 0);
	int c_end = claim_end(ring, SPSCRING_CONSUMER, 0);

	EXPECT_EQ(0, map_producer(p_end, &p, NULL));
	EXPECT_EQ(0, map_consumer(c_end, &c, NULL));
	EXPECT_EQ(0, spscring_push(&p, &v));
	EXPECT_EQ(0, spscring_pop(&c, &w));
	EXPECT_EQ(v, w);
}

/* ------------------------------------------------------------------ claim */

/* A claim with a role, a flag, a size or a tag that is wrong is refused, and nothing is claimed. */
TEST_F(endpoint, bad)
{
	static const struct { int err; struct spscring_endpoint want; } bad[] = {
		{ -EINVAL, { .role = 0, .element_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = 3, .element_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = ~0U, .element_size = 8, .type_tag = TAG } },
		{ -EINVAL, { .role = SPSCRING_PRODUCER, .element_size = 8, .type_tag = TAG,
			     .flags = 2 } },
		{ -EINVAL, { .role = SPSCRING_PRODUCER, .element_size = 8, .type_tag = TAG,
			     .flags = 1U << 31 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .element_size = 9, .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .element_size = 8 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_CONSUMER, .element_size = ~0U,
				 .type_tag = TAG } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .element_size = 8,
				 .type_tag = TAG + 1 } },
		{ -EPROTOTYPE, { .role = SPSCRING_PRODUCER, .element_size = 8,
				 .type_tag = TAG | 1ULL << 63 } },
		{ -EPROTOTYPE, { .role = SPSCRING_CONSUMER, .element_size = 8, .type_tag = ~TAG } },
	};
	struct spscring_endpoint want;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		want = bad[i].want;
		want.size = sizeof(want);
		EXPECT_EQ(bad[i].err, do_ioctl(self->ring, SPSCRING_ENDPOINT, &want))
			TH_LOG("line %zu of the table", i);
	}
	EXPECT_EQ(0, info_of(self->ring).producer_generation);
	EXPECT_EQ(0, info_of(self->ring).consumer_generation);
	EXPECT_EQ(SPSCRING_UNCLAIMED, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(SPSCRING_UNCLAIMED, state_of(self->ring, SPSCRING_CONSUMER));
}

/* ENDPOINT on an endpoint fd is refused, also for an end that is free. */
TEST_F(endpoint, claims_by_the_ring_only)
{
	producer_up(_metadata, self);
	EXPECT_EQ(-EPERM, claim_end(self->producer, SPSCRING_CONSUMER, TAG));
	EXPECT_EQ(SPSCRING_UNCLAIMED, state_of(self->ring, SPSCRING_CONSUMER));
}

/* While an end is held, nobody can claim it; once it is dead, the next holder can. */
TEST_F(endpoint, held_once)
{
	pid_t pid;

	producer_up(_metadata, self);
	EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	consumer_up(_metadata, self);
	EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_CONSUMER, TAG));
	/* another process is refused as well */
	pid = fork_child();
	if (!pid)
		_exit(-claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	EXPECT_EQ(EBUSY, wait_child(pid));
	EXPECT_EQ(1, info_of(self->ring).producer_generation);

	producer_dies(_metadata, self);
	producer_up(_metadata, self);
	EXPECT_EQ(2, info_of(self->ring).producer_generation);
	EXPECT_EQ(1, info_of(self->ring).consumer_generation);
}

/* Of several processes that claim an end at the same time, only one holds it at a time. */
TEST_F(endpoint, held_once_of_many)
{
	struct { int go, holders, claims; } *shared = shared_memory(sizeof(*shared));
	int i, n, end;
	pid_t pid[3];

	ASSERT_NE(MAP_FAILED, shared);
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
			/* give another process the time to claim */
			sched_yield();
			__atomic_sub_fetch(&shared->holders, 1, __ATOMIC_SEQ_CST);
			close(end);
		}
		_exit(0);
	}
	WRITE_ONCE(shared->go, 1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, wait_child(pid[i]));
	EXPECT_GT(shared->claims, 0);
	EXPECT_EQ((unsigned int)shared->claims, info_of(self->ring).producer_generation);
}

/* A claim that fails for want of an fd leaves the end as it was. */
TEST_F(endpoint, no_fd_left)
{
	struct rlimit old, none;
	int fd = dup(self->ring);

	ASSERT_GE(fd, 0);
	close(fd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = fd;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(SPSCRING_UNCLAIMED, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(0, info_of(self->ring).producer_generation);
	producer_up(_metadata, self);
}

/* ----------------------------------------------------------- handing it on */

/* A child that claims the producer's end and becomes another program, with the fd if @keep. */
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

/* Wait until the child runs that program. */
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

/* An endpoint fd is closed by exec ... */
TEST_F(endpoint, close_on_exec)
{
	pid_t pid;
	int fd = claim_end(self->ring, SPSCRING_CONSUMER, TAG);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);

	pid = exec_with(self, false);
	EXPECT_TRUE(wait_exec(pid));
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_child(pid));
}

/* ... unless the program asks for it, and then the end lives on. */
TEST_F(endpoint, kept_over_exec)
{
	pid_t pid = exec_with(self, true);

	EXPECT_TRUE(wait_exec(pid));
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* A child that has the fd keeps the end alive, and can map it and push. */
TEST_F(endpoint, kept_by_a_child)
{
	struct patience p = {};
	int hold[2];
	char byte;
	pid_t pid;

	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	push_from(_metadata, self, 0, 3);
	ASSERT_EQ(0, pipe(hold));
	pid = fork_child();
	if (!pid) {
		__u64 v = 3;

		close(hold[1]);
		close(self->consumer);
		if (read(hold[0], &byte, 1) != 1)
			_exit(1);
		/* a child inherits the fd, but not the mapping */
		if (map_producer(self->producer, &self->p, NULL) ||
		    spscring_push(&self->p, &v))
			_exit(2);
		_exit(read(hold[0], &byte, 1));
	}
	close(hold[0]);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_PRODUCER, TAG));

	EXPECT_EQ(1, write(hold[1], "", 1));
	while (info_of(self->ring).tail < 4 && patient(&p, 0))
		;
	pop_from(_metadata, self, 0, 4);
	EXPECT_EQ(-EAGAIN, pop_end(self));
	close(hold[1]);
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(-EPIPE, pop_end(self));
}

/* An end whose fd is in flight in a socket is alive, and works once the fd is received. */
TEST_F(endpoint, sent_by_a_socket)
{
	int pair[2];

	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	push_from(_metadata, self, 0, 2);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, spscring_send_fd(pair[0], self->producer));
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));

	self->producer = spscring_recv_fd(pair[1]);
	ASSERT_GE(self->producer, 0);
	ASSERT_EQ(0, map_producer(self->producer, &self->p, &self->p_map));
	push_from(_metadata, self, 2, 2);
	pop_from(_metadata, self, 0, 4);

	/* the kernel closes an fd that is in flight in a closed socket */
	ASSERT_EQ(0, spscring_send_fd(pair[0], self->producer));
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	close(pair[0]);
	close(pair[1]);
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* A process that has received the ring fd claims by it as the maker of the ring does. */
TEST_F(endpoint, claimed_by_another)
{
	int pair[2];
	pid_t pid;

	consumer_up(_metadata, self);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	pid = fork_child();
	if (!pid) {
		__u64 v = 7;
		int end;

		close(self->ring);
		end = claim_end(spscring_recv_fd(pair[1]), SPSCRING_PRODUCER, TAG);
		if (end < 0 || map_producer(end, &self->p, NULL) ||
		    spscring_push(&self->p, &v))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(0, spscring_send_fd(pair[0], self->ring));
	EXPECT_EQ(0, wait_child(pid));
	pop_from(_metadata, self, 7, 1);
	EXPECT_EQ(-EPIPE, pop_end(self));
}

/* Each of an end's two mappings keeps it alive. */
TEST_F(endpoint, kept_by_a_mapping)
{
	consumer_up(_metadata, self);
	producer_up(_metadata, self);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	push_from(_metadata, self, 0, 2);
	pop_from(_metadata, self, 0, 2);

	ASSERT_EQ(0, munmap(self->p_map.read_only, self->p_map.read_only_size));
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_PRODUCER, TAG));

	/* unmap all but one of its pages, then the last one */
	ASSERT_EQ(0, munmap(self->p_map.writable, sysconf(_SC_PAGESIZE)));
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
	ASSERT_EQ(0, munmap(self->p_map.writable, self->p_map.writable_size));
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

TEST_HARNESS_MAIN
