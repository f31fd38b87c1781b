// SPDX-License-Identifier: GPL-2.0
/*
 * A supervisor keeps a ring's fd.  Two workers, processes that it forks, claim the ends and move
 * messages.  The test kills one worker or both at random points, ten thousand times in all: while
 * they start, sleep in a claim, recover the end, are in a push or pop, or sleep for the peer.  The
 * supervisor learns of a death by poll() on the ring fd, and starts the next worker; some of them
 * are started before the death and sleep in the claim.
 *
 * What must hold, whatever the points are:
 *
 *	- a message whose push has returned is there: the next producer begins after it;
 *	- messages arrive whole and in order, each from the producer that held the end at its index;
 *	- a message whose pop or release has returned is not delivered again;
 *	- a message that was peeked at, and not released, is delivered again;
 *	- a message is missing only if a pop was killed that was about to return it, or if it was
 *	  dropped or overrun, and then it was counted;
 *	- each claim raises the generation by one, and no worker moves after the claim of another;
 *	- positions only grow, and nothing is broken;
 *	- in the end no more memory is in use, and no more fds are open, than in the beginning.
 *
 * SPSCRING_MESSAGES	a thousand times the number of kills; 10000000 if not given
 * SPSCRING_SEED	of the random numbers, as an earlier run has printed it.  The runs are then
 *			alike, but the kills do not come at the same instructions
 */
#include "worker.h"

/* -------------------------------------------------------------- supervisor */

/* One end: who holds it, and who is to hold it next. */
struct place {
	pid_t pid, successor;		/* or 0 */
	int life, next_life;
	__u32 generation;		/* of the last claim that is known */
	__u32 perhaps;			/* workers since then that were killed as they claimed */
	__u64 in_calls;			/* workers that were killed in a push or pop */
};

FIXTURE(supervised)
{
	int ring;
	struct shared *shared;
	struct place places[2];
	struct spscring_info seen;
	__u64 kills, of_both, phases[PHASES];
};

FIXTURE_VARIANT(supervised)
{
	__u64 capacity;
	__u32 flags;
	bool memfd;		/* made without the module */
};

#define SUPERVISED(name, ...)	FIXTURE_VARIANT_ADD(supervised, name) { __VA_ARGS__ }
#define RINGS		5	/* of the module */
#define RECORDS		SPSCRING_CREATE_RECORDS

SUPERVISED(elements, 20);
SUPERVISED(many_elements, 4096);
SUPERVISED(records, 1024, RECORDS);
SUPERVISED(dropped, 1024, RECORDS | SPSCRING_CREATE_DROP);
SUPERVISED(overwritten, 1024, RECORDS | SPSCRING_CREATE_OVERWRITE);
SUPERVISED(elements_of_a_memfd, 20, 0, true);
SUPERVISED(records_of_a_memfd, 1024, RECORDS, true);
SUPERVISED(dropped_of_a_memfd, 1024, RECORDS | SPSCRING_CREATE_DROP, true);
SUPERVISED(overwritten_of_a_memfd, 1024, RECORDS | SPSCRING_CREATE_OVERWRITE, true);

#define supervised_t	FIXTURE_DATA(supervised)
#define ring_variant_t	FIXTURE_VARIANT(supervised)

FIXTURE_SETUP(supervised)
{
	struct spscring_create *want = RING(.capacity = variant->capacity, .flags = variant->flags,
					    .element_size = variant->flags & RECORDS ? 0 : 40);
	const char *seed = getenv("SPSCRING_SEED");

	if (!variant->memfd)
		SKIP_WITHOUT_DEVICE();
	dice = seed && *seed ? strtoull(seed, NULL, 0) : (__u64)now_ns();
	dice += !dice;
	ksft_print_msg("SPSCRING_SEED=%llu\n", dice);
	self->ring = variant->memfd ? spscring_open_memfd(want) : spscring_open(want);
	ASSERT_GE(self->ring, 0);
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_NE(MAP_FAILED, self->shared);
}

FIXTURE_TEARDOWN(supervised)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (self->places[i].pid)
			kill(self->places[i].pid, SIGKILL);
		if (self->places[i].successor)
			kill(self->places[i].successor, SIGKILL);
	}
	munmap(self->shared, sizeof(*self->shared));
	close_fd(&self->ring);
}

static struct account *account_of(supervised_t *self)
{
	return &self->shared->accounts[READ_ONCE(self->shared->account)];
}

static pid_t fork_worker(supervised_t *self, const ring_variant_t *variant, int i, int life)
{
	struct worker w = {
		.shared = self->shared, .life = &self->shared->lives[life],
		.role = i ? SPSCRING_CONSUMER : SPSCRING_PRODUCER, .flags = variant->flags,
		.records = variant->flags & RECORDS, .memfd = variant->memfd,
	};
	__u64 its_dice = below(-1U) + 1;
	pid_t pid;

	memset(w.life, 0, sizeof(*w.life));
	pid = fork_child();
	if (pid)
		return pid;
	dice = its_dice;
	worker_begins(&w, self->ring);
	if (i)
		pop_until_killed(&w);
	else
		push_until_killed(&w);
	return 0;
}

/* Start a worker where there is none; @early: one that has to wait for the end of another. */
static void start(struct __test_metadata *_metadata, supervised_t *self,
		  const ring_variant_t *variant, int i, bool early)
{
	struct place *at = &self->places[i];

	if (!at->pid) {
		at->pid = at->successor;
		at->life = at->next_life;
		at->successor = 0;
	}
	if (!at->pid) {
		at->life = 2 * i;
		at->pid = fork_worker(self, variant, i, at->life);
		ASSERT_GT(at->pid, 0);
	}
	/* the successor could be faster than a worker that has not claimed yet */
	if (early && !at->successor && READ_ONCE(self->shared->lives[at->life].generation)) {
		at->next_life = at->life ^ 1;
		at->successor = fork_worker(self, variant, i, at->next_life);
		ASSERT_GT(at->successor, 0);
	}
}

static void report(const supervised_t *self, int life)
{
	const struct life *l = &self->shared->lives[life];

	printf("# worker of life %d, generation %u, by %s, %s: line %u: %llu, %llu\n", life,
	       l->generation, l->by_calls ? "calls" : "mapping", phase_names[l->phase],
	       l->bad_line, l->bad[0], l->bad[1]);
}

/* Where the ends are, how far consumers came, and where the last producers began. */
static void report_ring(const supervised_t *self)
{
	const struct account *a = &self->shared->accounts[self->shared->account];
	const struct spscring_info info = info_of(self->ring);
	const __u32 last = info.producer_generation;
	__u32 i;

	printf("# head %llu, tail %llu, sequence %llu; pushed to %llu, tried to %llu\n",
	       info.head, info.tail, info.loss.sequence, self->shared->reported,
	       self->shared->trying);
	printf("# consumers: high %llu, low %llu, limit %llu\n", a->high, a->low, a->limit);
	for (i = last < 4 ? 1 : last - 3; i <= last && i < GENERATIONS; i++)
		printf("# producer of generation %u: its first message + 1 is %llu\n", i,
		       self->shared->base[i]);
}

/* Wait for a worker that was killed.  Only a kill ends one that found nothing wrong. */
static const struct life *bury(struct __test_metadata *_metadata, supervised_t *self, pid_t pid,
			       int life)
{
	const struct life *l = &self->shared->lives[life];

	ASSERT_EQ(-SIGKILL, wait_child(pid)) {
		report(self, life);
		report_ring(self);
	}
	self->phases[l->phase]++;
	self->kills++;
	return l;
}

/* The holder of an end was killed: each claim has raised the generation by one. */
static void bury_holder(struct __test_metadata *_metadata, supervised_t *self, int i)
{
	struct place *at = &self->places[i];
	const struct life *l = bury(_metadata, self, at->pid, at->life);

	at->pid = 0;
	at->in_calls += l->phase == MOVES;
	if (!l->generation) {
		at->perhaps += l->phase == CLAIMS;
		return;
	}
	ASSERT_GT(l->generation, at->generation);
	ASSERT_LE(l->generation, at->generation + 1 + at->perhaps);
	at->generation = l->generation;
	at->perhaps = 0;
}

/* Nothing is broken, and nothing goes back. */
static void look(struct __test_metadata *_metadata, supervised_t *self)
{
	const struct spscring_info *was = &self->seen, is = info_of(self->ring);

	ASSERT_EQ(0, is.broken);
	ASSERT_GE(is.head, was->head);
	ASSERT_GE(is.tail, was->tail);
	ASSERT_LE(is.length, is.geometry.capacity);
	ASSERT_EQ(is.geometry.capacity, is.length + is.free);
	ASSERT_GE(is.loss.drops, was->loss.drops);
	ASSERT_GE(is.loss.overruns, was->loss.overruns);
	ASSERT_GE(is.loss.sequence, was->loss.sequence);
	self->seen = is;
}

/* Wait for a phase between @from and @to, in vain if the worker passes it too fast. */
static void await_phase(const struct life *life, enum phase from, enum phase to)
{
	int looks = 0;

	while ((READ_ONCE(life->phase) < from || READ_ONCE(life->phase) > to) &&
	       ++looks < 100000) {
		cpu_relax();
		if (!(looks % 1024))
			sched_yield();
	}
}

/* Spend the time until the next kill: soon, or in a phase of a worker, or later. */
static void await_the_instant(supervised_t *self, int victim)
{
	const struct life *life = &self->shared->lives[self->places[victim].life];
	enum phase aim = below(2) ? MOVES : CLAIMS + below(PHASES - CLAIMS);
	unsigned int when = below(8);

	if (when > 3)
		await_phase(life, HOLDS, SLEEPS);
	else if (when)
		await_phase(life, aim, aim);
	spend(when > 3 ? 18 : when ? 5 : 12);
}

/* Kill the successor, if there is one.  It sleeps in the claim, as the end is held. */
static void dismiss(struct __test_metadata *_metadata, supervised_t *self, struct place *at)
{
	if (!at->successor)
		return;
	kill(at->successor, SIGKILL);
	bury(_metadata, self, at->successor, at->next_life);
	at->successor = 0;
}

/* Wait until nobody holds an end, as a supervisor learns it. */
static bool learns_of_death(supervised_t *self, const ring_variant_t *variant, int i)
{
	const short free = i ? POLLIN : POLLOUT;
	struct patience p = {};

	if (!variant->memfd) {
		while (!(poll_one(self->ring, free, 2) & free))
			if (!patient(&p, 0))
				return false;
		return true;
	}
	while (state_of(self->ring, i ? SPSCRING_CONSUMER : SPSCRING_PRODUCER) == SPSCRING_HELD)
		if (!patient(&p, 0))
			return false;
	return true;
}

/* Kill one worker, or both. */
static void kill_some(struct __test_metadata *_metadata, supervised_t *self,
		      const ring_variant_t *variant)
{
	int victims = 1 + below(3), i;

	await_the_instant(self, victims & 1 ? 0 : 1);
	self->of_both += victims == 3;
	for (i = 0; i < 2; i++) {
		struct place *at = &self->places[i];

		if (!below(4))
			dismiss(_metadata, self, at);
		if (victims & 1 << i)
			kill(at->pid, SIGKILL);
	}
	for (i = 0; i < 2; i++) {
		if (!(victims & 1 << i))
			continue;
		/* a successor claims the end at once */
		if (!self->places[i].successor)
			ASSERT_TRUE(learns_of_death(self, variant, i));
		bury_holder(_metadata, self, i);
	}
}

static bool a_worker_failed(supervised_t *self)
{
	int i, failed = 0;

	for (i = 0; i < LIVES; i++) {
		if (READ_ONCE(self->shared->lives[i].bad_line)) {
			report(self, i);
			failed++;
		}
	}
	if (failed)
		report_ring(self);
	return failed;
}

static __u64 pushed(supervised_t *self)
{
	return READ_ONCE(self->shared->reported);
}

static __u64 popped(supervised_t *self)
{
	return READ_ONCE(account_of(self)->high);
}

/* The consumer has found nothing, and is not on its way to what has come since. */
static __u64 consumer_is_done(supervised_t *self)
{
	return READ_ONCE(self->shared->lives[self->places[1].life].idle) &&
	       !info_of(self->ring).length;
}

/* Wait until @what is no more @was.  Return: false if a worker has failed, or nothing happens. */
static bool goes_on(supervised_t *self, __u64 (*what)(supervised_t *self), __u64 was)
{
	struct patience p = {};

	while (what(self) == was)
		if (a_worker_failed(self) || !patient(&p, popped(self)))
			return false;
	return true;
}

/* Without kills both ends move, also those that fell asleep before their peer died. */
static void both_move(struct __test_metadata *_metadata, supervised_t *self)
{
	__u64 out = popped(self);

	ASSERT_TRUE(goes_on(self, pushed, pushed(self)));
	ASSERT_TRUE(goes_on(self, popped, out));
}

/* The producer dies, the consumer takes what is there: everything is accounted for. */
static void settle_up(struct __test_metadata *_metadata, supervised_t *self,
		      const ring_variant_t *variant)
{
	const struct account *a;
	struct spscring_info info;
	__u64 total, counted, twice, missing;
	int end;

	both_move(_metadata, self);
	kill(self->places[0].pid, SIGKILL);
	bury_holder(_metadata, self, 0);
	ASSERT_TRUE(goes_on(self, consumer_is_done, 0));
	kill(self->places[1].pid, SIGKILL);
	bury_holder(_metadata, self, 1);
	/* one more claim recovers what the last producer left */
	end = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(end, 0);
	look(_metadata, self);
	close(end);
	info = self->seen;
	EXPECT_EQ(0, info.length);
	EXPECT_EQ(self->places[0].generation + 1, info.producer_generation);
	EXPECT_EQ(self->places[1].generation, info.consumer_generation);

	a = account_of(self);
	total = variant->flags & RECORDS ? info.loss.sequence : info.tail;
	counted = info.loss.drops + info.loss.overruns;
	if (variant->flags & SPSCRING_CREATE_DROP) {
		twice = self->places[0].in_calls;
	} else {
		twice = a->recounted;
		EXPECT_EQ(total, a->high);
	}
	missing = a->missed + total - a->high;
	EXPECT_GE(counted + a->slack, missing);
	EXPECT_LE(counted, missing + twice);
	ksft_print_msg("%llu messages, %llu delivered again, %llu missing, %llu counted as lost\n",
		       total, a->again, missing, counted);
}

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool nothing_is_used(const void *before)
{
	return read_number(USED_BYTES) == *(long long *)before;
}

static __u64 kills_wanted(void)
{
	__u64 n = messages() / 1000 / RINGS;

	return n < 20 ? 20 : n > GENERATIONS / 2 ? GENERATIONS / 2 : n;
}

TEST_F_TIMEOUT(supervised, killed, 3600)
{
	const __u64 wanted = variant->memfd ? kills_wanted() / 10 + 20 : kills_wanted();
	const int fds = open_fds();
	long long used;
	int i, round;

	used = read_number(USED_BYTES);
	if (!variant->memfd)
		ASSERT_GT(used, 0);
	for (round = 0; self->kills + 2 < wanted; round++) {
		for (i = 0; i < 2; i++)
			start(_metadata, self, variant, i, !below(4));
		if (round % 16 == 15)
			both_move(_metadata, self);
		kill_some(_metadata, self, variant);
		look(_metadata, self);
	}
	for (i = 0; i < 2; i++) {
		start(_metadata, self, variant, i, false);
		dismiss(_metadata, self, &self->places[i]);
	}
	settle_up(_metadata, self, variant);
	ksft_print_msg("%llu kills, %llu times of both\n", self->kills, self->of_both);
	for (i = 0; i < PHASES; i++)
		ksft_print_msg("%llu killed %s\n", self->phases[i], phase_names[i]);
	EXPECT_EQ(fds, open_fds());
	EXPECT_TRUE(within_patience(nothing_is_used, &used));
}

TEST_HARNESS_MAIN
