// SPDX-License-Identifier: GPL-2.0
/*
 * The freezer of cgroup v2 stops an end in mid-stream, or in a wait, and lets it go on: nothing is
 * lost, and no call returns early.
 */
#include "load.h"

#define FREEZES		2000	/* of the full load, in each stream */
#define RECORDS		20000	/* of a stream; another one begins when it is over */

static int cgroup_freeze(const struct cgroup *c)
{
	struct patience patience = {};
	int err = cgroup_write(c, "cgroup.freeze", "1");

	while (!err && cgroup_event(c, "cgroup.events", "frozen") != 1)
		if (!patient(&patience, 0))
			err = -ETIMEDOUT;
	return err;
}

static int cgroup_thaw(const struct cgroup *c)
{
	return cgroup_write(c, "cgroup.freeze", "0");
}

/* ------------------------------------------------------------ in mid-stream */

FIXTURE(frozen)
{
	struct stream s;
	struct cgroup in, out;
};

FIXTURE_VARIANT(frozen)
{
	struct stream_kind kind;
	bool producer, consumer;	/* which of them is frozen */
};

#define FROZEN(name, ...)	FIXTURE_VARIANT_ADD(frozen, name) { __VA_ARGS__ }

FROZEN(producer, { BY_WAIT, BY_WAIT, WAITS }, true, false);
FROZEN(consumer, { BY_WAIT, BY_WAIT, WAITS }, false, true);
FROZEN(both, { BY_WAIT, BY_WAIT, WAITS }, true, true);
FROZEN(both_polling, { BY_POLL, BY_POLL, WAITS }, true, true);
FROZEN(both_spinning, { BY_TRYING, BY_TRYING, WAITS }, true, true);
FROZEN(both_overwriting, { BY_TRYING, BY_WAIT, OVERWRITES }, true, true);
FROZEN(producer_for_kernel, { BY_WAIT, BY_KERNEL, WAITS }, true, false);
FROZEN(consumer_of_kernel, { BY_KERNEL, BY_WAIT, WAITS }, false, true);

FIXTURE_SETUP(frozen)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	SKIP_WITHOUT(CGROUPS "/cgroup.procs", "no cgroup2");
	ASSERT_TRUE(stream_init(&self->s));
	ASSERT_EQ(0, cgroup_make(&self->in, 0));
	ASSERT_EQ(0, cgroup_make(&self->out, 1));
}

FIXTURE_TEARDOWN(frozen)
{
	cgroup_thaw(&self->in);
	cgroup_thaw(&self->out);
	EXPECT_TRUE(cgroup_remove(&self->in) && cgroup_remove(&self->out));
	EXPECT_TRUE(nothing_left());
}

/* Freeze one end; its position, which only it moves, stays.  Count the freezes of mid-stream. */
static int freeze_end(struct stream *s, __u32 role, const struct cgroup *c, __u64 *freezes)
{
	const pid_t pid = role == SPSCRING_PRODUCER ? s->producer : s->consumer;
	struct spscring_info before, after;
	int err = cgroup_freeze(c);

	if (err)
		return err;
	before = info_of(s->ring);
	sched_yield();
	after = info_of(s->ring);
	if (role == SPSCRING_PRODUCER ? before.tail != after.tail : before.head != after.head)
		return -EILSEQ;
	*freezes += !child_is_over(&pid) && before.tail;
	return 0;
}

TEST_F_TIMEOUT(frozen, in_mid_stream, 7200)
{
	const __u64 want = load_share(FREEZES);
	__u64 freezes = 0, streams;
	struct stream *s = &self->s;

	for (streams = 0; freezes < want; streams++) {
		ASSERT_TRUE(stream_begin(s, &variant->kind, RECORDS));
		ASSERT_EQ(0, cgroup_enter(&self->in, s->producer));
		ASSERT_EQ(0, cgroup_enter(&self->out, s->consumer));
		while (freezes < want && !stream_is_over(s)) {
			__u64 r = random_word();

			if (variant->producer && (r & 1 || !variant->consumer))
				ASSERT_EQ(0, freeze_end(s, SPSCRING_PRODUCER, &self->in,
							&freezes));
			if (variant->consumer && (r & 2 || !variant->producer))
				ASSERT_EQ(0, freeze_end(s, SPSCRING_CONSUMER, &self->out,
							&freezes));
			/* the other end empties or fills the ring, and sleeps */
			if (r & 4)
				sleep_ms(r >> 8 & 3);
			ASSERT_EQ(0, cgroup_thaw(&self->in));
			ASSERT_EQ(0, cgroup_thaw(&self->out));
			if (r & 8)
				sched_yield();
		}
		ASSERT_EQ(0, stream_end(s, &variant->kind))
			TH_LOG("producer %d, %llu; consumer %d, %llu", s->runs[0].err,
			       s->runs[0].mover.moved, s->runs[1].err, s->runs[1].mover.moved);
	}
	printf("# %llu freezes in %llu streams\n", freezes, streams);
}

/* ----------------------------------------------------------------- in a wait */

FIXTURE(asleep)
{
	int ring, in, out;
	struct spscring_producer p;
	struct spscring_mapping map;
	struct cgroup c;
};

FIXTURE_VARIANT(asleep)
{
	bool (*wait)(int end);	/* whether a call that waits for ever found one element */
};

static bool by_wait(int end)
{
	struct spscring_consumer c;

	if (map_consumer(end, &c, NULL))
		return false;
	no_spin(&c.base.spin, &c.base.spin_max);
	return !spscring_wait_elements(&c, 1, NEVER);
}

static bool by_wait_until(int end)
{
	struct spscring_consumer c;

	if (map_consumer(end, &c, NULL))
		return false;
	no_spin(&c.base.spin, &c.base.spin_max);
	return !spscring_wait_elements(&c, 1, in_ms(1000000000));
}

static bool by_poll(int end)
{
	return poll_one(end, POLLIN, -1) == POLLIN;
}

static bool by_read(int end)
{
	__u64 v;

	return read(end, &v, sizeof(v)) == sizeof(v);
}

FIXTURE_VARIANT_ADD(asleep, wait) { by_wait };
FIXTURE_VARIANT_ADD(asleep, wait_until) { by_wait_until };
FIXTURE_VARIANT_ADD(asleep, poll) { by_poll };
FIXTURE_VARIANT_ADD(asleep, read) { by_read };

FIXTURE_SETUP(asleep)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT(CGROUPS "/cgroup.procs", "no cgroup2");
	ASSERT_EQ(0, cgroup_make(&self->c, 0));
	ASSERT_EQ(0, open_ends(RING(.capacity = 64, .element_size = 8), &self->ring, &self->in,
			       &self->out));
	ASSERT_EQ(0, map_producer(self->in, &self->p, &self->map));
}

FIXTURE_TEARDOWN(asleep)
{
	spscring_unmap(&self->map);
	close_ends(&self->ring, &self->in, &self->out);
	cgroup_thaw(&self->c);
	EXPECT_TRUE(cgroup_remove(&self->c));
	EXPECT_TRUE(nothing_left());
}

/* How often the consumer has gone to sleep, by whatever call. */
static __u64 sleeps(int ring)
{
	const struct spscring_sleep_counters c = info_of(ring).consumer_sleep;

	return c.sleeps + c.polls;
}

static bool sleeps_again(int ring, __u64 before)
{
	struct patience patience = {};

	while (sleeps(ring) == before)
		if (!patient(&patience, 0))
			return false;
	return true;
}

/*
 * An element that comes after the waiter was frozen some times, or while it is frozen, ends the
 * wait; the freezer alone does not.
 */
TEST_F_TIMEOUT(asleep, wakes_for_an_element_alone, 7200)
{
	const __u64 rounds = load_share(FREEZES) / 4 + 1;
	__u64 i, before;
	int freezes;
	pid_t pid;

	for (i = 0; i < rounds; i++) {
		before = sleeps(self->ring);
		pid = fork_child();
		if (!pid)
			_exit(!variant->wait(self->out));
		ASSERT_EQ(0, cgroup_enter(&self->c, pid));
		ASSERT_TRUE(sleeps_again(self->ring, before));
		for (freezes = 0; freezes < 4; freezes++) {
			ASSERT_EQ(0, cgroup_freeze(&self->c));
			before = sleeps(self->ring);
			if (freezes < 3 || i % 2)
				ASSERT_EQ(0, cgroup_thaw(&self->c));
			/* a call that waits begins again once it is thawed */
			if (freezes < 3)
				ASSERT_TRUE(sleeps_again(self->ring, before));
			ASSERT_FALSE(child_is_over(&pid));
		}
		ASSERT_EQ(0, spscring_push(&self->p, &i));
		ASSERT_EQ(0, cgroup_thaw(&self->c));
		ASSERT_EQ(0, wait_child_patiently(pid));
		if (variant->wait != by_read) {
			__u64 v;

			ASSERT_EQ(sizeof(v), read(self->out, &v, sizeof(v)));
			ASSERT_EQ(i, v);
		}
	}
	printf("# %llu waits, %llu freezes\n", rounds, 4 * rounds);
}

TEST_HARNESS_MAIN
