// SPDX-License-Identifier: GPL-2.0
/*
 * A claim after a death, in rings of records of variable size.  The producer dies before each
 * single store of a call; each published record is there once, and the sequence numbers continue.
 * Then the test kills producers and consumers at random points.
 */
#include <spscring/platform.h>

#include "kselftest_harness.h"

/*
 * Each store of the inlines below makes one more state that a kill could leave.  The test saves the
 * ring after each store, word by word where one call stores many.
 */
static void after_store(void);

#undef spscring_write_once
#define spscring_write_once(x, v) do {					\
	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED);			\
	after_store();							\
} while (0)

#undef spscring_store_release
/* the real store, then a snapshot */
#define spscring_store_release(p, v) do {				\
	__atomic_store_n(p, v, __ATOMIC_RELEASE);			\
	after_store();							\
} while (0)

static void copy_by_words(void *to, const void *from, size_t n)
{
	size_t i, some;

	for (i = 0; i < n; i += some) {
		some = n - i < 8 ? n - i : 8;
		__builtin_memcpy((char *)to + i, (const char *)from + i, some);
		after_store();
	}
}

static void set_by_words(void *to, int c, size_t n)
{
	size_t i, some;

	for (i = 0; i < n; i += some) {
		some = n - i < 8 ? n - i : 8;
		__builtin_memset((char *)to + i, c, some);
		after_store();
	}
}

#define memcpy(to, from, n)	copy_by_words(to, from, n)
#define memset(to, c, n)	set_by_words(to, c, n)

#include "record.h"

/* The cold half stores as well; these take the place of the library's. */
#include "../uapi/spscring/end.c"
#include "../uapi/spscring/overwrite.c"
#include "../uapi/spscring/record.c"

#define CAPACITY	512
#define MOST		48
#define SNAPSHOTS	512

/* ----------------------------------------- killed between any two stores */

/* All words that the ends have written. */
struct snapshot {
	struct spscring_consumer_block consumer;
	struct spscring_producer_block producer;
	char data[];		/* a page */
};

static size_t snapshot_size(void)
{
	return sizeof(struct snapshot) + sysconf(_SC_PAGESIZE);
}

static struct snapshot *snapshot_of(struct snapshot *first, int i)
{
	return (void *)((char *)first + i * snapshot_size());
}

FIXTURE(stepped)
{
	struct snapshot *snapshots;
	int n;
	__u64 seen[SNAPSHOTS];	/* the positions that claims found, each value once */
};

FIXTURE_VARIANT(stepped)
{
	__u32 mode, way;
	bool full;
};

#define STEPPED(name)	FIXTURE_VARIANT_ADD(stepped, name)

STEPPED(push) { WAITS, RECORD_PUSH, false };
STEPPED(push_n) { WAITS, RECORD_PUSH_N, false };
STEPPED(push_n_full) { WAITS, RECORD_PUSH_N, true };
STEPPED(reserve) { WAITS, RECORD_RESERVE, false };
STEPPED(many) { WAITS, RECORD_MANY, false };
STEPPED(drop) { DROPS, RECORD_PUSH, true };
STEPPED(drop_n) { DROPS, RECORD_PUSH_N, true };
STEPPED(overwrite) { OVERWRITES, RECORD_PUSH, true };
STEPPED(overwrite_n) { OVERWRITES, RECORD_PUSH_N, true };
STEPPED(overwrite_many) { OVERWRITES, RECORD_MANY, true };

FIXTURE_SETUP(stepped)
{
	SKIP_WITHOUT_DEVICE();
	self->snapshots = malloc(SNAPSHOTS * snapshot_size());
	ASSERT_NE(self->snapshots, NULL);
}

FIXTURE_TEARDOWN(stepped)
{
	free(self->snapshots);
}

static struct record_mover mover(__u32 ways)
{
	struct record_mover m = { .ways = ways, .most = MOST };

	m.buf = malloc(record_buf_size(&m));
	return m;
}

static struct {
	struct snapshot *to;		/* NULL: save no snapshot */
	int n;
	const struct record_end *in, *out;
} looks;

static void after_store(void)
{
	struct snapshot *to;

	if (!looks.to || looks.n == SNAPSHOTS)
		return;
	to = snapshot_of(looks.to, looks.n);
	to->consumer = *looks.out->c.base.block;
	to->producer = *looks.in->p.base.block;
	__builtin_memcpy(to->data, looks.in->p.base.data, sysconf(_SC_PAGESIZE));
	looks.n += !looks.n || __builtin_memcmp(to, snapshot_of(looks.to, looks.n - 1),
						snapshot_size());
}

/*
 * Push @before records and pop some; then save every state of the ring during one call.
 * Return: the number of states, or a negative number.
 */
static int step_through(struct snapshot *to, struct spscring_create *want, __u64 before,
			__u32 way, bool full)
{
	struct record_mover put = mover(RECORD_PUSH), take = mover(RECORD_POP);
	struct record_end in, out;
	int ring = spscring_open(want);

	if (ring < 0 || end_claim(&in, ring, SPSCRING_PRODUCER) ||
	    end_claim(&out, ring, SPSCRING_CONSUMER))
		return -1;
	while (put.seq < before)
		if (record_put(&put, &in.p, 1) == -EAGAIN)
			record_take(&take, &out.c, 1);
	while (!full && in.p.base.pos - out.c.base.pos > CAPACITY / 4)
		record_take(&take, &out.c, 1);
	put.ways = way;

	looks.in = &in;
	looks.out = &out;
	looks.n = 0;
	looks.to = to;
	after_store();
	record_put(&put, &in.p, RECORD_BATCH);
	looks.to = NULL;

	end_free(&in);
	end_free(&out);
	close(ring);
	free(put.buf);
	free(take.buf);
	return looks.n < SNAPSHOTS ? looks.n : -1;
}

/* Have both ends of a ring die and leave the state of the snapshot. */
static bool restore(int ring, const struct snapshot *from)
{
	struct record_end in, out;

	if (end_claim(&in, ring, SPSCRING_PRODUCER) ||
	    end_claim(&out, ring, SPSCRING_CONSUMER))
		return false;
	*in.p.base.block = from->producer;
	*out.c.base.block = from->consumer;
	__builtin_memcpy(in.p.base.data, from->data, sysconf(_SC_PAGESIZE));
	end_free(&in);
	end_free(&out);
	return wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD) &&
		wait_state(ring, SPSCRING_CONSUMER, SPSCRING_DEAD);
}

/* Claim both ends, check what they find, and move some laps.  Return: 0, or the failed line. */
static int succeed(int ring, bool consumer_first, struct record_mover *put,
		   struct record_mover *take, __u64 *found)
{
	struct record_end in = { .fd = -1 }, out = { .fd = -1 };
	__u64 first;
	int bad = 0;

	if (consumer_first ? end_claim(&out, ring, SPSCRING_CONSUMER) :
	    end_claim(&in, ring, SPSCRING_PRODUCER))
		return __LINE__;
	if (!consumer_first && end_claim(&out, ring, SPSCRING_CONSUMER))
		return __LINE__;
	first = out.c.sequence;
	take->seq = first;
	while (record_take(take, &out.c, RECORD_BATCH) > 0)
		;
	*found = take->seq;
	if (consumer_first && end_claim(&in, ring, SPSCRING_PRODUCER))
		return __LINE__;
	put->seq = in.p.sequence;
	/* a ring that overwrites may be empty: the next record shows how many were missed */
	if (in.p.base.flags == OVERWRITES && *found == first)
		*found = put->seq;
	/* every number without a record belongs to a dropped one */
	if (put->seq < *found || (!(in.p.base.flags & SPSCRING_CREATE_DROP) && put->seq != *found))
		bad = __LINE__;
	else if (in.p.base.pos != out.c.base.pos)
		bad = __LINE__;
	else
		bad = record_lockstep(put, &in.p, take, &out.c, 300);
	if (!bad && (take->wrong || (in.p.base.flags == WAITS && take->missed)))
		bad = __LINE__;
	if (!bad && take->seq != put->seq && !(in.p.base.flags & SPSCRING_CREATE_DROP))
		bad = __LINE__;
	end_free(&in);
	end_free(&out);
	return bad;
}

/* The number of records in the ring's first lap. */
static __u64 lap_records(void)
{
	const __u64 bytes = sysconf(_SC_PAGESIZE);
	__u64 pos = 0, n;

	for (n = 0; pos < bytes; n++)
		pos += spscring_record_size(SPSCRING_RECORD_ALIGN_MIN, record_length(n, MOST));
	return n;
}

TEST_F(stepped, stores)
{
	struct spscring_create *want = RING(.capacity = CAPACITY, .flags = variant->mode);
	struct record_mover put = mover(RECORD_PUSH), take = mover(RECORD_COPY_WAYS);
	/* a batch that fills the ring; and some places where a record crosses the data's end */
	const __u64 lap = lap_records(), places[] = { 3, 15, lap - 17, lap - 13, lap - 9, lap - 5 };
	__u64 found = 0, last = 0, first = 0;
	int i, order, bad, ring = spscring_open(want), steps, states = 0;
	size_t place;

	ASSERT_GE(ring, 0);
	ASSERT_EQ(info_of(ring).geometry.data_bytes, sysconf(_SC_PAGESIZE));
	for (place = 0; place < ARRAY_SIZE(places); place++) {
		self->n = step_through(self->snapshots, want, places[place], variant->way,
				       variant->full);
		ASSERT_GE(self->n, 2);
		states += self->n;
		steps = 0;
		for (i = 0; i < self->n; i++) {
			for (order = 0; order < 2; order++) {
				put.missed = 0;
				take.missed = 0;
				ASSERT_TRUE(restore(ring, snapshot_of(self->snapshots, i)));
				bad = succeed(ring, order, &put, &take, &found);
				ASSERT_EQ(bad, 0)
					TH_LOG("%llu before, state %d of %d, order %d: %llu found",
					       places[place], i, self->n, order, found);
				/* both orders of claims agree; no store takes a record away */
				ASSERT_TRUE(order ? found == last : !i || found >= last);
				last = found;
			}
			if (!i)
				first = found;
			if (!steps || found != self->seen[steps - 1])
				self->seen[steps++] = found;
		}
		ASSERT_TRUE(last > first || (variant->full && variant->mode != OVERWRITES));
		/* a commit publishes all reserved records in one step */
		if (variant->way == RECORD_MANY)
			ASSERT_LE(steps, 2);
	}
	free(put.buf);
	free(take.buf);
	close(ring);
	ksft_print_msg("%d states\n", states);
}

/* --------------------------------------------------------- killed at random */

#define ROUNDS	60

FIXTURE(killed)
{
	int ring;
	struct record_end end;
	struct record_mover m;
	struct killed {
		struct spscring_record_run run;
		__u64 wrong;
		__u8 log[1 << 22];	/* by sequence number: how often it came */
	} *shared;
};

/* What is tested in. */
struct in {
	__u32 mode;
	__u64 capacity;
};

static void killed_free(struct _test_data_killed *self)
{
	end_free(&self->end);
	close_fd(&self->ring);
	free(self->m.buf);
	self->m.buf = NULL;
}

static bool killed_make(struct _test_data_killed *self, const struct in *in, __u32 ways)
{
	killed_free(self);
	self->ring = spscring_open(RING(.capacity = in->capacity, .flags = in->mode));
	self->shared->run = (struct spscring_record_run){
		.role = SPSCRING_PRODUCER, .ring_fd = self->ring, .count = ~0ULL,
		.mover = { .most = MOST, .ways = RECORD_PRODUCER_WAYS },
	};
	self->m = mover(ways);
	return self->ring >= 0 && self->m.buf;
}

FIXTURE_SETUP(killed)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
	self->end.fd = -1;
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_NE(self->shared, MAP_FAILED);
}

FIXTURE_TEARDOWN(killed)
{
	killed_free(self);
	munmap(self->shared, sizeof(*self->shared));
}

static void kill_producers(struct __test_metadata *_metadata, struct _test_data_killed *self,
			   const struct in *in)
{
	struct record_mover *m = &self->m;
	struct spscring_info info;
	long got = 0;
	__s64 until;
	int round;
	pid_t pid;

	ASSERT_TRUE(killed_make(self, in, RECORD_CONSUMER_WAYS));
	ASSERT_EQ(end_claim(&self->end, self->ring, SPSCRING_CONSUMER), 0);
	for (round = 0; round < ROUNDS; round++) {
		pid = run_child(&self->shared->run, BY_TRYING);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_HELD));
		until = now_ns() + rand() % 3000 * 1000LL;
		while (now_ns() < until)
			if (round % 4)
				record_take(m, &self->end.c, RECORD_BATCH);
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
		while (round % 2 && (got = record_take(m, &self->end.c, RECORD_BATCH)) != -EPIPE)
			ASSERT_TRUE(got > 0 || got == -EAGAIN);
		ASSERT_EQ(m->wrong, 0);
	}
	got = 0;
	while (got >= 0 || got == -EAGAIN)
		got = record_take(m, &self->end.c, RECORD_BATCH);
	EXPECT_EQ(got, -EPIPE);
	EXPECT_EQ(m->wrong, 0);
	/* one more claim recovers what the last producer left */
	ASSERT_GE(claim_end(self->ring, SPSCRING_PRODUCER, 0), 0);
	info = info_of(self->ring);
	EXPECT_EQ(info.broken, 0);
	EXPECT_EQ(info.length, 0);
	EXPECT_EQ(info.producer_generation, ROUNDS + 1);
	if (in->mode != DROPS)
		EXPECT_EQ(m->seq, info.loss.sequence);
	if (in->mode == WAITS)
		EXPECT_EQ(m->missed, 0);
	if (in->mode == OVERWRITES)
		EXPECT_EQ(info.loss.overruns, m->missed);
	ksft_print_msg("%llu records, %llu missed\n", m->moved, m->missed);
}

TEST_F(killed, producers)
{
	static const struct in rings[] = {
		{ WAITS, 512 }, { WAITS, 8192 }, { DROPS, 512 }, { OVERWRITES, 512 },
		{ OVERWRITES, 8192 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rings); i++)
		kill_producers(_metadata, self, &rings[i]);
}

/* In a child: note each record that was peeked, then release it. */
static void note_until_killed(int ring, struct killed *shared)
{
	struct record_mover m = mover(RECORD_CONSUMER_WAYS);
	struct spscring_record recs[RECORD_BATCH];
	struct record_end end;
	long n, i;

	if (end_claim(&end, ring, SPSCRING_CONSUMER))
		_exit(1);
	for (;;) {
		n = spscring_record_peek_n(&end.c, recs, RECORD_BATCH);
		for (i = 0; i < n; i++) {
			shared->wrong += record_is_wrong(recs[i].data, recs[i].length,
							 recs[i].sequence, m.most);
			shared->log[recs[i].sequence % sizeof(shared->log)]++;
		}
		if (n > 0)
			spscring_record_release_n(&end.c, recs, n);
	}
}

/* Consumers get each record at least once, those of a killed call perhaps twice, and no other. */
static void kill_consumers(struct __test_metadata *_metadata, struct _test_data_killed *self,
			   const struct in *in)
{
	struct killed *shared = self->shared;
	__u64 seq, before, twice = 0;
	struct spscring_info info;
	int round;
	pid_t pid;
	__s64 until;

	ASSERT_TRUE(killed_make(self, in, RECORD_PRODUCER_WAYS));
	/* clear the counts of the previous ring */
	shared->wrong = 0;
	ASSERT_EQ(madvise(shared, sizeof(*shared), MADV_REMOVE), 0);
	ASSERT_EQ(end_claim(&self->end, self->ring, SPSCRING_PRODUCER), 0);
	for (round = 0; round < ROUNDS; round++) {
		pid = fork_child();
		if (!pid)
			note_until_killed(self->ring, shared);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_HELD));
		until = now_ns() + rand() % 3000 * 1000LL;
		while (now_ns() < until && self->m.seq < sizeof(shared->log) - 100)
			record_put(&self->m, &self->end.p, RECORD_BATCH);
		kill(pid, SIGKILL);
		ASSERT_EQ(wait_child(pid), -SIGKILL);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
		info = info_of(self->ring);
		ASSERT_EQ(info.broken, 0);
	}
	/* pop the remaining records */
	ASSERT_EQ(spscring_shutdown(self->end.fd, 0), 0);
	before = self->m.seq;
	end_free(&self->end);
	self->m.ways = RECORD_POP;
	ASSERT_EQ(end_claim(&self->end, self->ring, SPSCRING_CONSUMER), 0);
	self->m.seq = self->end.c.sequence;
	self->m.missed = 0;
	for (seq = self->m.seq; record_take(&self->m, &self->end.c, 1) > 0; seq++)
		shared->log[seq]++;
	EXPECT_EQ(self->m.missed, 0);
	EXPECT_EQ(self->m.seq, before);
	EXPECT_EQ(self->m.wrong + shared->wrong, 0);
	for (seq = 0; seq < before; seq++) {
		ASSERT_GE(shared->log[seq], 1)
			TH_LOG("record %llu of %llu", seq, before);
		twice += shared->log[seq] > 1;
	}
	EXPECT_LE(twice, ROUNDS * RECORD_BATCH);
	ksft_print_msg("%llu records, %llu twice\n", before, twice);
}

TEST_F(killed, consumers)
{
	kill_consumers(_metadata, self, &(struct in){ WAITS, 512 });
	kill_consumers(_metadata, self, &(struct in){ WAITS, 8192 });
}

/* A live producer overwrites whole laps while a claim of the consumer's end runs. */
TEST_F(killed, claims_beside)
{
	struct record_mover *m = &self->m;
	int round;
	long got;
	pid_t pid;

	ASSERT_TRUE(killed_make(self, &(struct in){ OVERWRITES, 512 }, RECORD_COPY_WAYS));
	pid = run_child(&self->shared->run, BY_TRYING);

	for (round = 0; round < 300; round++) {
		ASSERT_EQ(end_claim(&self->end, self->ring, SPSCRING_CONSUMER), 0)
			TH_LOG("round %d", round);
		if (m->seq < self->end.c.sequence)
			m->seq = self->end.c.sequence;
		got = record_take(m, &self->end.c, round % RECORD_BATCH + 1);
		ASSERT_TRUE(got > 0 || got == -EAGAIN || got == -EBUSY);
		end_free(&self->end);
		ASSERT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
	}
	kill(pid, SIGKILL);
	ASSERT_EQ(wait_child(pid), -SIGKILL);
	EXPECT_EQ(m->wrong, 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_HARNESS_MAIN
