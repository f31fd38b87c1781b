// SPDX-License-Identifier: GPL-2.0
/*
 * A claim after a producer's death.  The test single-steps a producer through its calls; each
 * state of the ring's memory in between is one that a kill could have left.  A claim must recover
 * from each state: the ring holds every published element once and in order, and nothing else, and
 * then works.  Neither INFO nor a handle made between two calls may report an unpublished element.
 */
#include <sys/ptrace.h>

#include "selftest.h"

#define CAPACITY_MAX	20
#define FRAME_RECORDS	8	/* the most elements a frame */
#define FRAME_MAX	128
#define RECORD_MAX	FRAME_MAX
#define DATA_MAX	(CAPACITY_MAX * FRAME_MAX)
#define STATES		1024
#define BATCH_MAX	(2 * CAPACITY_MAX)

/* All words that the ends have written, at one moment. */
struct state {
	struct spscring_consumer_block consumer;
	struct spscring_producer_block producer;
	char data[DATA_MAX];
};

enum way { PUSH, PUSH_N, RESERVE, NOWAKE, WAYS };

static const char *const way_names[] = { "push", "push_n", "reserve", "nowake" };

/* The call that the child makes next. */
struct call {
	enum way way;
	__u64 n;
	__u64 done;
	bool is_done;
	int err;
	char recs[BATCH_MAX * RECORD_MAX];
};

struct end {
	int fd;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping map;
};

FIXTURE(death)
{
	struct call *call;		/* shared with the child */
	struct state *states, now;
	int n;
	bool rest[STATES];		/* whether no batch is under way in that state */
	struct spscring_create want;
	struct spscring_geometry g;
	int ring, spare;		/* the child's ring; the one that takes each state */
	struct end out;
	pid_t child;
	__u64 pushed, popped, told;	/* told: the tail that INFO has reported */
	unsigned int died;
};

#define death_t		FIXTURE_DATA(death)

FIXTURE_SETUP(death)
{
	SKIP_WITHOUT_DEVICE();
	self->call = mmap(NULL, sizeof(*self->call), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->call);
	self->states = malloc(STATES * sizeof(*self->states));
	ASSERT_NE(NULL, self->states);
	self->ring = -1;
	self->spare = -1;
	self->out.fd = -1;
}

static int end_up(struct end *e, int ring, __u32 role)
{
	int err;

	e->fd = claim_end(ring, role, 0);
	if (e->fd < 0)
		return e->fd;
	err = role == SPSCRING_PRODUCER ? map_producer(e->fd, &e->p, &e->map) :
		map_consumer(e->fd, &e->c, &e->map);
	if (err)
		close_fd(&e->fd);
	return err;
}

static void end_down(struct end *e)
{
	if (e->fd >= 0)
		spscring_unmap(&e->map);
	close_fd(&e->fd);
}

static void child_down(death_t *self)
{
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	self->child = 0;
}

static void rings_down(death_t *self)
{
	child_down(self);
	end_down(&self->out);
	close_fd(&self->ring);
	close_fd(&self->spare);
}

FIXTURE_TEARDOWN(death)
{
	rings_down(self);
	free(self->states);
	munmap(self->call, sizeof(*self->call));
}

static __u64 below(__u64 n)
{
	return (random_word() >> 32) % n;
}

/* The bytes of an element follow from its number. */
static void fill(char *rec, __u32 size, __u64 index)
{
	__u32 i;

	for (i = 0; i < size; i++)
		rec[i] = (char)(i < 7 ? index >> 8 * i : index + i);
}

static bool is_record(const char *rec, __u32 size, __u64 index)
{
	char want[RECORD_MAX];

	fill(want, size, index);
	return !memcmp(rec, want, size);
}

/* ------------------------------------------------------------- the producer */

static __u64 child_reserves(struct spscring_producer *p, const char *from, __u64 n, bool wake)
{
	const __u32 size = p->element_size;
	__u64 done = 0;
	void *slots;
	long some, i;

	while (done < n) {
		some = spscring_reserve_n(p, n - done, &slots);
		if (some < 0)
			break;
		for (i = 0; i < some; i++)
			memcpy((char *)slots + i * p->base.stride, from + (done + i) * size, size);
		if (wake)
			spscring_commit_n(p, some);
		else
			spscring_commit_flags(p, some, SPSCRING_NOWAKE);
		done += some;
	}
	return done;
}

static __u64 child_moves(struct spscring_producer *p, enum way way, const char *recs, __u64 n)
{
	__u64 i;
	long some;

	switch (way) {
	case PUSH:
		for (i = 0; i < n && !spscring_push(p, recs + i * p->element_size); i++)
			;
		return i;
	case PUSH_N:
		some = spscring_push_n(p, recs, n);
		return some < 0 ? 0 : some;
	default:
		return child_reserves(p, recs, n, way == RESERVE);
	}
}

/* The child stops before each call, and makes the call that the parent has stored in @call. */
static void child_run(death_t *self)
{
	struct call *call = self->call;
	struct end in;

	call->err = end_up(&in, self->ring, SPSCRING_PRODUCER);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		call->err = -errno;
	for (;;) {
		raise(SIGSTOP);
		call->done = child_moves(&in.p, call->way, call->recs, call->n);
		__atomic_store_n(&call->is_done, true, __ATOMIC_RELEASE);
	}
}

static bool stopped_by(death_t *self, int signal)
{
	int status;

	return waitpid(self->child, &status, 0) == self->child && WIFSTOPPED(status) &&
		WSTOPSIG(status) == signal;
}

/* ---------------------------------------------------------------- stepping */

/* The published position: the greatest tail, which is the one stored last. */
static __u64 published(const struct spscring_geometry *g, const char *data)
{
	__u64 frame, most = 0, tail;

	for (frame = 0; frame < g->frames; frame++) {
		tail = *(const __u64 *)(data + frame * g->frame_size);
		most = tail > most ? tail : most;
	}
	return most;
}

/* Save the ring's state.  Return: true if it has changed. */
static bool look(death_t *self, bool first)
{
	struct state *now = &self->now;
	size_t i = self->n;

	now->consumer = *self->out.c.base.block;
	now->producer = *self->out.c.base.peer;
	memcpy(now->data, self->out.c.base.data, self->g.frames * self->g.frame_size);
	if (!first && !memcmp(now, &self->states[i - 1], sizeof(*now)))
		return false;
	if (i < STATES)
		self->states[i] = *now;
	self->n++;
	return true;
}

/* Pop up to @n.  Return: how many, or minus the line that failed. */
static long pop_some(death_t *self, __u64 n)
{
	char rec[RECORD_MAX];
	__u64 i;

	for (i = 0; i < n && !spscring_pop(&self->out.c, rec); i++)
		if (!is_record(rec, self->g.element_size, self->popped++))
			return -__LINE__;
	return i;
}

/* INFO reports all that is published; of a batch under way it may report only the first frame. */
static int info_is_right(death_t *self, bool rest)
{
	struct spscring_info info = info_of(self->ring);
	__u64 tail = published(&self->g, self->now.data);

	if (info.broken || info.tail < self->told || info.tail > tail)
		return -__LINE__;
	if (rest && info.tail != tail)
		return -__LINE__;
	self->told = info.tail;
	return 0;
}

/* Let the child make its call without steps. */
static bool run_call(death_t *self)
{
	return !ptrace(PTRACE_CONT, self->child, NULL, NULL) && stopped_by(self, SIGSTOP);
}

static void next_call(death_t *self, enum way way, __u64 n)
{
	const __u32 size = self->g.element_size;
	struct call *call = self->call;
	__u64 i;

	call->way = way;
	call->n = n;
	call->is_done = false;
	for (i = 0; i < n; i++)
		fill(call->recs + i * size, size, self->pushed + i);
}

/* Step through a call and save each state, while a consumer pops.  Return: 0, or minus a line. */
static int step_call(death_t *self, enum way way, __u64 n)
{
	bool more = true, rest = way != PUSH_N;
	int bad;

	next_call(self, way, n);
	self->n = 0;
	look(self, true);
	self->rest[0] = true;
	while (more) {
		if (ptrace(PTRACE_SINGLESTEP, self->child, NULL, NULL) ||
		    !stopped_by(self, SIGTRAP))
			return -__LINE__;
		more = !__atomic_load_n(&self->call->is_done, __ATOMIC_ACQUIRE);
		if (!look(self, false))
			continue;
		if (self->n >= STATES - 1)
			return -__LINE__;
		self->rest[self->n - 1] = rest;
		bad = info_is_right(self, rest);
		if (!bad && !below(8) && pop_some(self, below(self->g.capacity + 1)) < 0)
			bad = -__LINE__;
		if (bad)
			return bad;
		if (look(self, false))
			self->rest[self->n - 1] = rest;
	}
	self->pushed += self->call->done;
	self->rest[self->n - 1] = true;
	return run_call(self) ? info_is_right(self, true) : -__LINE__;
}

/* ------------------------------------------------------------- a next life */

/* A handle that another process makes between two calls of @in begins at @tail. */
static int hand_over(death_t *self, const struct end *in, __u64 tail)
{
	struct end next = { .fd = in->fd };
	int bad = 0;

	if (map_producer(next.fd, &next.p, &next.map))
		return -__LINE__;
	if (next.p.base.pos != tail || info_of(self->spare).tail != tail)
		bad = -__LINE__;
	spscring_unmap(&next.map);
	return bad;
}

/* Have the ends of the spare ring die and leave state @s. */
static int restore(death_t *self, const struct state *s, bool rest)
{
	const size_t bytes = self->g.frames * self->g.frame_size;
	struct end in, out;
	int bad = 0;

	if (end_up(&in, self->spare, SPSCRING_PRODUCER) ||
	    end_up(&out, self->spare, SPSCRING_CONSUMER))
		return -__LINE__;
	*in.p.base.block = s->producer;
	*out.c.base.block = s->consumer;
	memcpy(in.p.base.data, s->data, bytes);
	if (rest)
		bad = hand_over(self, &in, published(&self->g, s->data));
	/* undo the stores of that new handle */
	memcpy(in.p.base.data, s->data, bytes);
	end_down(&in);
	end_down(&out);
	if (!bad && !(wait_state(self->spare, SPSCRING_PRODUCER, SPSCRING_DEAD) &&
		      wait_state(self->spare, SPSCRING_CONSUMER, SPSCRING_DEAD)))
		bad = -__LINE__;
	return bad;
}

/* Pop all from @head to @tail; the next pop must return @end. */
static int take_all(struct end *out, __u64 head, __u64 tail, int end)
{
	char rec[RECORD_MAX];

	for (; head != tail; head++) {
		if (spscring_pop(&out->c, rec))
			return -__LINE__;
		if (!is_record(rec, out->c.element_size, head))
			return -__LINE__;
	}
	return pop_answer(&out->c, rec) == end ? 0 : -__LINE__;
}

/* Push one by write(), then make a new handle: write() moves the end past the old handle. */
static int write_one(struct end *in, const char *rec)
{
	if (write(in->fd, rec, in->p.element_size) != in->p.element_size)
		return -__LINE__;
	spscring_unmap(&in->map);
	return map_producer(in->fd, &in->p, &in->map) ? -__LINE__ : 0;
}

/* Check that the ring works from @tail on: move two laps, then fill it. */
static int go_on(death_t *self, struct end *in, struct end *out, __u64 tail)
{
	const __u32 size = self->g.element_size;
	const __u64 stop = tail + 2 * self->g.frames * self->g.frame_elements;
	char recs[CAPACITY_MAX * RECORD_MAX];
	__u64 n, i;
	int bad = 0;

	for (; !bad && tail < stop; tail += n) {
		n = 1 + below(self->g.capacity);
		for (i = 0; i < n; i++)
			fill(recs + i * size, size, tail + i);
		if (n == 1 && !below(4))
			bad = write_one(in, recs);
		else if (child_moves(&in->p, below(WAYS), recs, n) != n)
			bad = -__LINE__;
		else if (info_of(self->spare).tail != tail + n)
			bad = -__LINE__;
		bad = bad ?: take_all(out, tail, tail + n, -EAGAIN);
	}
	for (i = 0; !bad && i < self->g.capacity; i++) {
		fill(recs, size, tail + i);
		if (spscring_push(&in->p, recs))
			bad = -__LINE__;
	}
	if (!bad && push_answer(&in->p, recs) != -EAGAIN)
		bad = -__LINE__;
	return bad ?: take_all(out, tail, tail + i, -EAGAIN);
}

/* Claim after state @s and check the elements and the ring.  Return: 0, or minus a line. */
static int succeed(death_t *self, const struct state *s, bool consumer_first)
{
	const __u64 head = s->consumer.cursor, tail = published(&self->g, s->data);
	struct end in = { .fd = -1 }, out = { .fd = -1 };
	int bad = 0;

	if (consumer_first) {
		if (end_up(&out, self->spare, SPSCRING_CONSUMER))
			return -__LINE__;
		bad = take_all(&out, head, tail, -EPIPE);
	}
	if (!bad && end_up(&in, self->spare, SPSCRING_PRODUCER))
		bad = -__LINE__;
	if (!bad && in.p.base.pos != tail)
		bad = -__LINE__;
	if (!bad && (info_of(self->spare).tail != tail || info_of(self->spare).broken))
		bad = -__LINE__;
	if (!bad && !consumer_first) {
		if (end_up(&out, self->spare, SPSCRING_CONSUMER))
			bad = -__LINE__;
		else
			bad = take_all(&out, head, tail, -EAGAIN);
	}
	bad = bad ?: go_on(self, &in, &out, tail);
	end_down(&in);
	end_down(&out);
	return bad;
}

/* -------------------------------------------------------------- the shapes */

/* Make both rings, of @records elements a frame. */
static void rings_up(struct __test_metadata *_metadata, death_t *self, __u64 capacity,
		     __u32 records)
{
	const __u32 frame = below(2) ? FRAME_MAX : SPSCRING_FRAME_MIN;

	self->want = (struct spscring_create){
		.size = sizeof(self->want), .capacity = capacity, .align = 1,
		.frame_size = frame, .element_size = (frame - 8) / records,
	};
	self->ring = spscring_open(&self->want);
	ASSERT_GE(self->ring, 0);
	self->spare = spscring_open(&self->want);
	ASSERT_GE(self->spare, 0);
	self->g = info_of(self->ring).geometry;
	ASSERT_EQ(records, self->g.frame_elements);
	ASSERT_LE(self->g.frames * self->g.frame_size, DATA_MAX);
	ASSERT_EQ(0, end_up(&self->out, self->ring, SPSCRING_CONSUMER));
	self->pushed = 0;
	self->popped = 0;
	self->told = 0;
	memset(&self->now, 0, sizeof(self->now));
	self->child = fork_child();
	if (!self->child)
		child_run(self);
	ASSERT_GT(self->child, 0);
	ASSERT_TRUE(stopped_by(self, SIGSTOP));
	ASSERT_EQ(0, self->call->err);
}

/* Go on to another place in the ring, without steps. */
static void move_on(struct __test_metadata *_metadata, death_t *self)
{
	__u64 n = below(3 * self->g.capacity * self->g.frame_elements), left = n;

	while (left) {
		n = 1 + below(self->g.capacity);
		n = n < left ? n : left;
		next_call(self, below(WAYS), n);
		ASSERT_TRUE(run_call(self));
		self->pushed += self->call->done;
		left -= n;
		ASSERT_GE(pop_some(self, below(self->g.capacity + 1)), 0);
	}
	/* half of the time, pop all: the producer's cached head is then stale */
	if (below(2))
		ASSERT_GE(pop_some(self, self->g.capacity), 0);
}

/* True if two states differ in the bytes of elements only. */
static bool same_words(const struct spscring_geometry *g, const struct state *a,
		       const struct state *b)
{
	__u64 frame;

	for (frame = 0; frame < g->frames; frame++)
		if (memcmp(a->data + frame * g->frame_size, b->data + frame * g->frame_size, 8))
			return false;
	return !memcmp(&a->consumer, &b->consumer, sizeof(a->consumer)) &&
		!memcmp(&a->producer, &b->producer, sizeof(a->producer));
}

static void die_everywhere(struct __test_metadata *_metadata, death_t *self, enum way way)
{
	__u64 n = 1 + below(way == PUSH ? self->g.frame_elements + 2 : BATCH_MAX - 1);
	int i, bad;

	move_on(_metadata, self);
	bad = step_call(self, way, n);
	ASSERT_EQ(0, bad)
		TH_LOG("%s of %llu, capacity %llu, %u a frame, at %llu: state %d, line %d",
		       way_names[way], n, self->g.capacity, self->g.frame_elements, self->pushed,
		       self->n, -bad);
	for (i = 0; i < self->n; i++) {
		if (i && same_words(&self->g, &self->states[i], &self->states[i - 1]) && below(4))
			continue;
		self->died++;
		bad = restore(self, &self->states[i], self->rest[i]) ?:
			succeed(self, &self->states[i], below(2));
		ASSERT_EQ(0, bad)
			TH_LOG("%s of %llu, capacity %llu, %u a frame, to %llu: %d of %d, line %d",
			       way_names[way], n, self->g.capacity, self->g.frame_elements,
			       self->pushed, i, self->n, -bad);
	}
}

TEST_F(death, stores)
{
	__u64 shape, shapes = messages() / 350000;
	int call;

	/* parent and child take turns, so one CPU is enough */
	pin(false);
	/* at least one shape for each number of elements a frame */
	shapes = shapes < FRAME_RECORDS ? FRAME_RECORDS : shapes < 28 ? shapes : 28;
	for (shape = 0; shape < shapes; shape++) {
		rings_up(_metadata, self, 1 + below(CAPACITY_MAX), 1 + shape % FRAME_RECORDS);
		for (call = 0; call < 2 * WAYS; call++)
			die_everywhere(_metadata, self, call % WAYS);
		rings_down(self);
	}
	ksft_print_msg("%u deaths in %llu shapes\n", self->died, shapes);
}

TEST_HARNESS_MAIN
