// SPDX-License-Identifier: GPL-2.0
/*
 * The test kills ends at random points while they push or pop, and while their claim recovers a
 * dead end.
 */
#include <stdio.h>
#include <sys/sysinfo.h>

#include "sleep.h"

/* ------------------------------------------------------- killed while it claims */

#define WALK_BYTES	(128ULL << 20)

/* A ring so large that a claim which walks over all its frames takes long enough to kill it. */
FIXTURE(walk)
{
	int ring;
	__u64 records;
	bool any_size;
	bool *claims;		/* in shared memory: the child is about to claim */
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
		.size = sizeof(frames), .capacity = WALK_BYTES / 64 * 7, .element_size = 8,
	}, records = {
		.size = sizeof(records), .capacity = WALK_BYTES, .flags = SPSCRING_CREATE_RECORDS,
	};
	struct sysinfo machine;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, sysinfo(&machine));
	ASSERT_GT(machine.freeram * machine.mem_unit, 2 * WALK_BYTES);
	self->any_size = variant->flags;
	self->ring = spscring_open(self->any_size ? &records : &frames);
	ASSERT_GE(self->ring, 0);
	self->claims = shared_memory(sizeof(bool));
	ASSERT_NE(MAP_FAILED, self->claims);
	ASSERT_EQ(0, walk_up(self, SPSCRING_PRODUCER));
	ASSERT_EQ(0, walk_up(self, SPSCRING_CONSUMER));
	while (!(self->any_size ? spscring_record_push(&self->rp, &self->records, 8) :
		 spscring_push(&self->p, &self->records)))
		self->records++;
}

FIXTURE_TEARDOWN(walk)
{
	munmap(self->claims, sizeof(bool));
	close_fd(&self->ring);
}

/* The longest walk: every frame is published, and the producer's cursor is at the start. */
static void rewind_cursor(walk_t *self)
{
	struct spscring_producer_block *block = self->any_size ? self->rp.base.block :
		self->p.base.block;

	WRITE_ONCE(block->sequence, 0);
	WRITE_ONCE(block->cursor, 0);
}

/* How long a process has run, in ns. */
static __u64 has_run(pid_t pid)
{
	struct timespec t = {};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Fork a child and wait for CPU time that only its claim can have used: the claim is under way. */
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

/* The next claim finds all elements, as if the claim that was killed had never begun. */
static void claims_again(struct __test_metadata *_metadata, walk_t *self, __u32 role)
{
	__u64 i, v;

	ASSERT_EQ(0, walk_up(self, role));
	EXPECT_EQ(0, info_of(self->ring).broken);
	for (i = 0; i < self->records; i++) {
		ASSERT_EQ(self->any_size ? 8 : 0, self->any_size ?
							  spscring_record_pop(&self->rc, &v, 8) :
							  spscring_pop(&self->c, &v))
			TH_LOG("element %ju", (uintmax_t)i);
		ASSERT_EQ(i, v);
	}
}

/* True if the end is dead, and was not claimed since @before. */
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
 * INFO does not wait for a claim that takes long; a kill ends the claim, and the end is as dead as
 * before.  A claim that is over too early shows neither, so there are some tries.
 */
TEST_F(walk, killed)
{
	const __u32 role = variant->role;
	bool answered = false, cut = false;
	struct spscring_info before;
	int tries;
	pid_t pid;

	for (tries = 0; tries < 20 && !(answered && cut); tries++) {
		ASSERT_EQ(0, tries ? walk_up(self, role) : 0);
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
		ASSERT_EQ(0, info_of(self->ring).broken);
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
		__u64 base[ROUNDS + 2];	/* by generation: the cursor when it claimed, + 1 */
	} *shared;
	__u64 *log;		/* in shared memory: the elements that consumers popped, by index */
};

FIXTURE_VARIANT(killed)
{
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(killed, small) { .capacity = 10 };
FIXTURE_VARIANT_ADD(killed, middle) { .capacity = 100 };
FIXTURE_VARIANT_ADD(killed, large) { .capacity = 4096 };

FIXTURE_SETUP(killed)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = variant->capacity, .element_size = 8));
	ASSERT_GE(self->ring, 0);
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_NE(MAP_FAILED, self->shared);
	self->log = shared_memory(LOG_RECORDS * sizeof(*self->log));
	ASSERT_NE(MAP_FAILED, self->log);
}

FIXTURE_TEARDOWN(killed)
{
	munmap(self->shared, sizeof(*self->shared));
	munmap(self->log, LOG_RECORDS * sizeof(*self->log));
	close_fd(&self->ring);
}

/* An element names its index and the generation of the producer that pushed it. */
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

/* Pop all: in order, and each names the generation that held the end at its index. */
static __u64 take(struct __test_metadata *_metadata, struct spscring_consumer *c,
		  const __u64 *base, __u64 round, __u64 next)
{
	__u64 batch[2 * BATCH], g;
	long n, i;

	n = spscring_pop_n(c, batch, ARRAY_SIZE(batch));
	for (i = 0; i < n; i++, next++) {
		g = RECORD_GENERATION(batch[i]);
		ASSERT_EQ(next, RECORD_INDEX(batch[i]));
		ASSERT_TRUE(g && g <= round && next + 1 >= base[g] &&
			    (g == round || next + 1 < base[g + 1]))
			TH_LOG("round %ju: element %ju is of producer %ju", (uintmax_t)round,
			       (uintmax_t)next, (uintmax_t)g);
	}
	return next;
}

/* Elements that a killed producer published stay; the next producer continues after them. */
TEST_F(killed, producers)
{
	const struct spscring_producer_block *its;
	struct spscring_info before;
	struct spscring_consumer c;
	__u64 next = 0;
	__s64 end;
	int round, n, status, mended = 0;
	pid_t pid;

	ASSERT_EQ(0, map_consumer(claim_end(self->ring, SPSCRING_CONSUMER, 0), &c, NULL));
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
			ASSERT_EQ(0, waitpid(pid, &status, WNOHANG))
				TH_LOG("round %d: the producer ended by %#x", round, status);
			sched_yield();
		}
		ASSERT_GE(self->shared->base[round] - 1, before.tail);
		ASSERT_GE(self->shared->base[round] - 1, next)
			TH_LOG("round %d: records taken are pushed again", round);
		mended += self->shared->base[round] - 1 != before.tail;

		for (end = now_ns() + rand() % 4000 * 1000; now_ns() < end;) {
			/* some rounds leave the ring full */
			for (n = 0; round % 4 && n < 1000; n++) {
				next = take(_metadata, &c, self->shared->base, round, next);
				/* a cursor further behind would make recovery impossible */
				ASSERT_LE((__s64)(next - READ_ONCE(its->cursor)),
					  (__s64)variant->capacity);
			}
		}
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, wait_child(pid));
		if (round % 2)
			next = take(_metadata, &c, self->shared->base, round, next);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	}
	ksft_print_msg("%ju records, %d of %d producers killed within a batch\n",
		       (uintmax_t)next, mended, ROUNDS);
	EXPECT_EQ(0, info_of(self->ring).broken);
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
 * A killed consumer has popped each element before its cursor completely.  The next consumer pops
 * again those that its last call had copied but not released.
 */
TEST_F(killed, consumers)
{
	__u64 head = 0, i, again;
	__s64 end;
	struct spscring_producer p;
	int round, n, twice = 0;
	pid_t pid;

	ASSERT_EQ(0, map_producer(claim_end(self->ring, SPSCRING_PRODUCER, 0), &p, NULL));
	srand(variant->capacity);
	for (round = 1; round <= ROUNDS && head < LOG_RECORDS / 2; round++) {
		pid = fork_child();
		if (!pid)
			pop_until_killed(self->ring, self->log, round);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_HELD));
		for (end = now_ns() + rand() % 4000 * 1000; now_ns() < end;) {
			for (n = 0; n < 100; n++)
				spscring_push(&p, &(__u64){ p.base.pos + 1 });
		}
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, wait_child(pid));
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));

		for (i = head, head = info_of(self->ring).head; i < head; i++) {
			ASSERT_EQ(i + 1, self->log[i])
				TH_LOG("round %d: released before it was copied", round);
		}
		for (again = 0; self->log[head + again]; again++) {
			ASSERT_EQ(head + again + 1, self->log[head + again]);
			self->log[head + again] = 0;
		}
		ASSERT_LE(again, BATCH);
		twice += again > 0;
	}
	ksft_print_msg("%ju records, %d of %d consumers killed within a call\n",
		       (uintmax_t)head, twice, round - 1);
	EXPECT_EQ(0, info_of(self->ring).broken);
}

TEST_HARNESS_MAIN
