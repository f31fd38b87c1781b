// SPDX-License-Identifier: GPL-2.0
/*
 * Records go through: in order, none lost, none twice, every byte right.  In one
 * process, between two, between a process and the kernel both ways, from
 * interrupts, and from a driver that goes.
 *
 * SPSCRING_MESSAGES	how many in the long runs, 10000000 if not given
 * SPSCRING_KO_DIR	where spscring_irq.ko and spscring_stream.ko are
 */
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#include "selftest.h"
#include "spscring_peer.h"

/* As many as are to be sent of a size: of those above a word fewer, for the bytes' sake. */
static __u64 messages_of(__u32 size, __u64 most)
{
	__u64 n = size > 8 ? messages() * 8 / size : messages();

	if (n < 100)
		n = 100;
	return n < most ? n : most;
}

/* A try that failed: with one CPU the other end needs it. */
static void pause_after(__u32 *fails)
{
	cpu_relax();
	if (!(++*fails % 4096))
		sched_yield();
}

/* --------------------------------------------------- moving records: 3 ways */

enum way { ONE_BY_ONE, IN_BATCHES, IN_PLACE };

/* One end of a test: its handle, and a buffer of as many as go at once. */
struct mover {
	enum way way;
	__u32 size, stride, most;
	char *buf;
	struct spscring_mapping map;
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
	};
};

/* Pieces from one record to @most, that no frame and no capacity divides. */
static __u32 piece(const struct mover *m, __u64 seq)
{
	return seq * 7 % 97 % m->most + 1;
}

/* 1 to @n records that begin with @seq, or a negative errno. */
static long put(struct mover *m, __u64 seq, __u32 n)
{
	void *slots = NULL;
	long i, some = n;

	if (m->way == ONE_BY_ONE) {
		spscring_peer_fill(m->buf, m->size, seq);
		return spscring_push(&m->p, m->buf) ?: 1;
	}
	if (m->way == IN_BATCHES) {
		for (i = 0; i < some; i++)
			spscring_peer_fill(m->buf + i * m->size, m->size, seq + i);
		return spscring_push_n(&m->p, m->buf, n);
	}
	some = spscring_reserve_n(&m->p, n, &slots);
	if (some < 0)
		return some;
	for (i = 0; i < some; i++)
		spscring_peer_fill((char *)slots + i * m->stride, m->size, seq + i);
	spscring_commit_n(&m->p, some);
	return some;
}

/* Likewise; @wrong grows by those that are not what they are to be. */
static long take(struct mover *m, __u64 seq, __u32 n, __u64 *wrong)
{
	const void *recs = m->buf;
	__u32 stride = m->size;
	long i, some;

	if (m->way == ONE_BY_ONE) {
		some = spscring_pop(&m->c, m->buf) ?: 1;
	} else if (m->way == IN_BATCHES) {
		some = spscring_pop_n(&m->c, m->buf, n);
	} else {
		some = spscring_peek_n(&m->c, n, &recs);
		stride = m->stride;
	}
	for (i = 0; i < some; i++)
		*wrong += spscring_peer_wrong((const char *)recs + i * stride, m->size, seq + i);
	if (m->way == IN_PLACE && some > 0)
		spscring_release_n(&m->c, some);
	return some;
}

static int mover_init(struct mover *m, int end, __u32 role, enum way way)
{
	struct spscring_info info = info_of(end);
	int err;

	m->way = way;
	m->size = info.geometry.record_size;
	m->stride = info.geometry.stride;
	m->most = m->size > 4096 ? 13 : 97;
	m->buf = malloc((size_t)m->most * m->size);
	if (!m->buf)
		return -ENOMEM;
	err = role == SPSCRING_PRODUCER ? map_producer(end, &m->p, &m->map) :
		map_consumer(end, &m->c, &m->map);
	if (err)
		free(m->buf);
	return err;
}

/* The end may be let go of: nothing of it stays mapped. */
static void mover_free(struct mover *m)
{
	spscring_unmap(&m->map);
	free(m->buf);
}

/* How an end of a long run went. */
enum { WELL, NO_START, WRONG_RECORD, WRONG_END };

/* @n records, then the end of the stream. */
static int produce(int end, enum way way, __u64 n)
{
	__u32 fails = 0, some;
	long got = 0;
	struct mover m;
	__u64 seq = 0;

	if (mover_init(&m, end, SPSCRING_PRODUCER, way))
		return NO_START;
	while (seq < n && (got >= 0 || got == -EAGAIN)) {
		some = piece(&m, seq);
		got = put(&m, seq, some < n - seq ? some : n - seq);
		if (got > 0)
			seq += got;
		else
			pause_after(&fails);
	}
	mover_free(&m);
	return seq == n && !spscring_shutdown(end, 0) ? WELL : WRONG_END;
}

/* All there is, which is to be @n records. */
static int consume(int end, enum way way, __u64 n)
{
	__u64 seq = 0, wrong = 0;
	__u32 fails = 0;
	struct mover m;
	long got = 0;

	if (mover_init(&m, end, SPSCRING_CONSUMER, way))
		return NO_START;
	while (!wrong && (got >= 0 || got == -EAGAIN)) {
		got = take(&m, seq, piece(&m, seq + 3), &wrong);
		if (got > 0)
			seq += got;
		else
			pause_after(&fails);
	}
	mover_free(&m);
	if (wrong)
		return WRONG_RECORD;
	return got == -ESHUTDOWN && seq == n ? WELL : WRONG_END;
}

/* ----------------------------------------------------------- in one process */

struct pair {
	int ring, producer, consumer;
	struct spscring_geometry geometry;
};

FIXTURE(pair)
{
	struct pair pair;
};

FIXTURE_SETUP(pair)
{
	SKIP_WITHOUT_DEVICE();
	self->pair = (struct pair){ -1, -1, -1, {} };
}

static void pair_free(struct pair *pair)
{
	close_fd(&pair->producer);
	close_fd(&pair->consumer);
	close_fd(&pair->ring);
}

FIXTURE_TEARDOWN(pair)
{
	pair_free(&self->pair);
}

static int pair_make(struct pair *pair, const struct spscring_create *want)
{
	pair_free(pair);
	pair->ring = spscring_open(want);
	if (pair->ring < 0)
		return pair->ring;
	pair->producer = claim_end(pair->ring, SPSCRING_PRODUCER, 0);
	pair->consumer = claim_end(pair->ring, SPSCRING_CONSUMER, 0);
	pair->geometry = info_of(pair->ring).geometry;
	return pair->producer < 0 || pair->consumer < 0 ? -EBUSY : 0;
}

/* Both handles of a pair, for one way each. */
struct movers {
	struct mover in, out;
	__u64 seq;
};

static int movers_init(struct movers *m, const struct pair *pair)
{
	m->seq = 0;
	return mover_init(&m->in, pair->producer, SPSCRING_PRODUCER, ONE_BY_ONE) ?:
		mover_init(&m->out, pair->consumer, SPSCRING_CONSUMER, ONE_BY_ONE);
}

static void movers_free(struct movers *m)
{
	mover_free(&m->in);
	mover_free(&m->out);
}

/* To the brim and not one more, to the bottom and not one more. */
static bool fill_and_drain(struct movers *m, __u64 capacity)
{
	__u64 in = m->seq, out = m->seq, wrong = 0;
	long got;

	while ((got = put(&m->in, in, m->in.most)) > 0)
		in += got;
	if (got != -EAGAIN || in != m->seq + capacity)
		return false;
	while ((got = take(&m->out, out, m->out.most, &wrong)) > 0)
		out += got;
	m->seq = in;
	return got == -EAGAIN && out == in && !wrong;
}

/* Laps of odd pieces. */
static bool odd_pieces(struct movers *m, __u64 capacity, __u64 n)
{
	__u64 in = m->seq, out = m->seq, end = m->seq + n, wrong = 0;
	long got;

	while (out < end) {
		got = put(&m->in, in, piece(&m->in, in));
		if (got > 0)
			in += got;
		else if (got != -EAGAIN)
			return false;
		got = take(&m->out, out, piece(&m->out, out + in), &wrong);
		if (got > 0)
			out += got;
		else if (got != -EAGAIN)
			return false;
		if (out > in || in - out > capacity)
			return false;
	}
	while ((got = take(&m->out, out, 1, &wrong)) > 0)
		out += got;
	m->seq = in;
	return got == -EAGAIN && out == in && !wrong;
}

/* All that one ring is to do; 0 or the line that failed. */
static int all_ways(struct pair *pair, const struct spscring_create *want)
{
	int way, other, bad = 0;
	struct movers m;

	if (pair_make(pair, want))
		return __LINE__;
	if (pair->geometry.capacity != want->capacity)
		return __LINE__;
	if (movers_init(&m, pair))
		return __LINE__;
	for (way = ONE_BY_ONE; way <= IN_PLACE && !bad; way++) {
		m.in.way = way;
		for (other = ONE_BY_ONE; other <= IN_PLACE && !bad; other++) {
			m.out.way = other;
			if (!fill_and_drain(&m, want->capacity))
				bad = __LINE__;
			else if (!odd_pieces(&m, want->capacity, 3 * want->capacity + 5))
				bad = __LINE__;
			else if (!fill_and_drain(&m, want->capacity))
				bad = __LINE__;
		}
	}
	movers_free(&m);
	return bad;
}

static const __u32 sizes[] = {
	1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 31, 32, 33, 48, 56, 57, 64, 100, 128, 200, 256,
	512, 1000, 1024, 4096, 4097, 65535, 65536,
};

TEST_F(pair, every_size)
{
	static const __u64 capacities[] = { 1, 2, 3, 7, 8, 13, 64, 1000 };
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(capacities); k++) {
			if (capacities[k] * sizes[i] > 1 << 20)
				continue;
			ASSERT_EQ(all_ways(&self->pair, RING(.capacity = capacities[k],
							     .record_size = sizes[i])), 0)
				TH_LOG("%u bytes, capacity %lu", sizes[i],
				       (unsigned long)capacities[k]);
		}
	}
}

TEST_F(pair, every_alignment)
{
	static const __u32 some[] = { 1, 3, 8, 12, 57, 64, 100, 4097 };
	struct spscring_mapping map;
	struct spscring_producer p;
	void *slot = NULL;
	__u32 align;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		for (align = 1; align <= SPSCRING_ALIGN_MAX; align *= 2) {
			ASSERT_EQ(all_ways(&self->pair, RING(.capacity = 50, .record_size = some[i],
							     .record_align = align)), 0)
				TH_LOG("%u bytes, alignment %u", some[i], align);
			close_fd(&self->pair.producer);
			self->pair.producer = claim_end(self->pair.ring, SPSCRING_PRODUCER, 0);
			ASSERT_GE(self->pair.producer, 0);
			ASSERT_EQ(map_producer(self->pair.producer, &p, &map), 0);
			for (n = 0; n < 50; n++) {
				ASSERT_EQ(spscring_reserve(&p, &slot), 0);
				ASSERT_EQ((uintptr_t)slot % align, 0);
				spscring_commit(&p);
			}
			spscring_unmap(&map);
		}
	}
}

TEST_F(pair, every_frame_size)
{
	static const __u32 some[] = { 1, 8, 24, 56, 100, 1000 };
	__u32 frame;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		for (frame = SPSCRING_FRAME_MIN; frame <= SPSCRING_FRAME_MAX; frame *= 2) {
			if (frame < some[i] + 64 && some[i] > 56)
				continue;
			ASSERT_EQ(all_ways(&self->pair, RING(.capacity = 1 + frame / some[i] % 977,
							     .record_size = some[i],
							     .frame_size = frame)), 0)
				TH_LOG("%u bytes, frame %u", some[i], frame);
		}
	}
}

/* A batch larger than the ring, and the ones that the header counts out. */
TEST_F(pair, batches)
{
	__u64 in[300], out[300], seq = 0, n, i;
	struct movers m;

	ASSERT_EQ(pair_make(&self->pair, RING(.capacity = 100, .record_size = 8)), 0);
	ASSERT_EQ(movers_init(&m, &self->pair), 0);
	EXPECT_EQ(spscring_push_n(&m.in.p, in, 0), 0);
	EXPECT_EQ(spscring_pop_n(&m.out.c, out, 0), 0);
	for (i = 0; i < 300; i++)
		in[i] = i;
	EXPECT_EQ(spscring_push_n(&m.in.p, in, 300), 100);
	EXPECT_EQ(spscring_push_n(&m.in.p, in, 300), -EAGAIN);
	EXPECT_EQ(spscring_pop_n(&m.out.c, out, 300), 100);
	EXPECT_EQ(spscring_pop_n(&m.out.c, out, 300), -EAGAIN);
	EXPECT_EQ(memcmp(in, out, 100 * sizeof(*in)), 0);
	for (n = 1; n <= 80; n++) {
		for (i = 0; i < n; i++)
			in[i] = seq + i;
		ASSERT_EQ(spscring_push_n_fixed(&m.in.p, in, n, 8), (long)n);
		ASSERT_EQ(spscring_pop_n_fixed(&m.out.c, out, 300, 8), (long)n);
		ASSERT_EQ(memcmp(in, out, n * sizeof(*in)), 0);
		seq += n;
	}
	movers_free(&m);
}

/* ------------------------------------------------------------ two processes */

FIXTURE(processes)
{
	int ring, producer, consumer;
};

FIXTURE_VARIANT(processes)
{
	enum way in, out;
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(processes, one_by_one) { ONE_BY_ONE, ONE_BY_ONE, 4096 };
FIXTURE_VARIANT_ADD(processes, in_batches) { IN_BATCHES, IN_BATCHES, 4096 };
FIXTURE_VARIANT_ADD(processes, in_place) { IN_PLACE, IN_PLACE, 4096 };
FIXTURE_VARIANT_ADD(processes, batch_to_one) { IN_BATCHES, ONE_BY_ONE, 1000 };
FIXTURE_VARIANT_ADD(processes, one_to_place) { ONE_BY_ONE, IN_PLACE, 7 };
FIXTURE_VARIANT_ADD(processes, capacity_1) { IN_BATCHES, IN_BATCHES, 1 };

FIXTURE_SETUP(processes)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
}

FIXTURE_TEARDOWN(processes)
{
	close_fd(&self->ring);
}

static int two_processes(enum way in, enum way out, const struct spscring_create *want,
			 __u64 n)
{
	int ring = spscring_open(want), p, c, err;
	pid_t child;

	if (ring < 0)
		return ring;
	p = claim_end(ring, SPSCRING_PRODUCER, 0);
	c = claim_end(ring, SPSCRING_CONSUMER, 0);
	child = fork_child();
	if (!child) {
		close(p);
		pin(true);
		_exit(consume(c, out, n));
	}
	close(c);
	err = fork_child();
	if (!err) {
		pin(false);
		_exit(produce(p, in, n));
	}
	close(p);
	close(ring);
	err = wait_child(err);
	return err * 1000 + wait_child(child);
}

TEST_F(processes, u64)
{
	/* each record of a ring of few is a turn from one process to the other */
	__u64 n = messages_of(8, variant->capacity < 64 ? 100000 : ~0ULL);

	EXPECT_EQ(two_processes(variant->in, variant->out,
				RING(.capacity = variant->capacity, .record_size = 8), n), 0);
}

TEST(processes_every_size)
{
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(two_processes(i % 3, (i + i / 3) % 3,
					RING(.capacity = 100, .record_size = sizes[i]),
					messages_of(sizes[i], 20000)), 0)
			TH_LOG("%u bytes", sizes[i]);
}

/* ------------------------------------------------- a process and the kernel */

FIXTURE(kernel)
{
	int ring, peer;
};

FIXTURE_VARIANT(kernel)
{
	__u32 size, batch;
	__u64 capacity;
	enum way way;
};

FIXTURE_VARIANT_ADD(kernel, u64) { 8, 1, 4096, ONE_BY_ONE };
FIXTURE_VARIANT_ADD(kernel, u64_batches) { 8, 64, 4096, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, u64_in_place) { 8, 13, 1000, IN_PLACE };
FIXTURE_VARIANT_ADD(kernel, one_byte) { 1, 5, 777, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, odd_bytes) { 57, 7, 100, IN_BATCHES };
FIXTURE_VARIANT_ADD(kernel, line) { 64, 1, 256, IN_PLACE };
FIXTURE_VARIANT_ADD(kernel, page) { 4096, 3, 64, ONE_BY_ONE };
FIXTURE_VARIANT_ADD(kernel, largest) { 65536, 2, 10, IN_BATCHES };

FIXTURE_SETUP(kernel)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	if (self->peer < 0)
		SKIP(return, "%s: %s; is spscring_peer.ko loaded?", SPSCRING_PEER_DEVICE,
		     strerror(errno));
	self->ring = spscring_open(RING(.capacity = variant->capacity,
					.record_size = variant->size));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(kernel)
{
	close_fd(&self->peer);
	close_fd(&self->ring);
}

/* What all records of a run add up to. */
static __u64 checksum(__u32 size, __u64 n)
{
	__u64 mask = size < 8 ? (1ULL << size * 8) - 1 : ~0ULL, sum = 0, seq;

	for (seq = 0; seq < n; seq++)
		sum += seq & mask;
	return sum;
}

static int peer_start(int peer, __u32 op, int ring, __u32 batch, __u64 count)
{
	struct spscring_peer_start start = {
		.op = op, .flags = SPSCRING_PEER_SHUTDOWN, .ring_fd = ring,
		.cpu = -1, .batch = batch, .count = count,
	};

	return do_ioctl(peer, SPSCRING_PEER_START, &start);
}

TEST_F(kernel, to_user)
{
	__u64 n = messages_of(variant->size, ~0ULL);
	struct spscring_peer_result result = {};
	int end = claim_end(self->ring, SPSCRING_CONSUMER, 0);

	ASSERT_GE(end, 0);
	ASSERT_EQ(peer_start(self->peer, SPSCRING_PEER_SOURCE, self->ring, variant->batch, n), 0);
	EXPECT_EQ(consume(end, variant->way, n), WELL);
	close(end);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, 0);
	EXPECT_EQ(result.done, n);
}

TEST_F(kernel, from_user)
{
	__u64 n = messages_of(variant->size, ~0ULL);
	struct spscring_peer_result result = {};
	int end = claim_end(self->ring, SPSCRING_PRODUCER, 0);

	ASSERT_GE(end, 0);
	/* without end: the end of the stream ends it */
	ASSERT_EQ(peer_start(self->peer, SPSCRING_PEER_SINK, self->ring, variant->batch, 0), 0);
	EXPECT_EQ(produce(end, variant->way, n), WELL);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, -ESHUTDOWN);
	EXPECT_EQ(result.done, n);
	EXPECT_EQ(result.wrong, 0);
	EXPECT_EQ(result.checksum, checksum(variant->size, n));
	close(end);
}

FIXTURE(asleep)
{
	int peer;
	struct spscring_peer_start start;
};

FIXTURE_SETUP(asleep)
{
	SKIP_WITHOUT_DEVICE();
	self->start = (struct spscring_peer_start){
		.op = SPSCRING_PEER_SINK, .flags = SPSCRING_PEER_SLEEP, .ring_fd = -1, .cpu = -1,
		.batch = 1,
	};
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	if (self->peer < 0)
		SKIP(return, "%s: %s; is spscring_peer.ko loaded?", SPSCRING_PEER_DEVICE,
		     strerror(errno));
	self->start.ring_fd = spscring_open(RING(.capacity = 64, .record_size = 8));
	ASSERT_GE(self->start.ring_fd, 0);
}

FIXTURE_TEARDOWN(asleep)
{
	close_fd(&self->peer);
	close_fd(&self->start.ring_fd);
}

static int start_asleep(struct _test_data_asleep *self)
{
	__u64 sleeps = info_of(self->start.ring_fd).consumer_sleep.sleeps;
	int err = do_ioctl(self->peer, SPSCRING_PEER_START, &self->start);

	while (!err && info_of(self->start.ring_fd).consumer_sleep.sleeps == sleeps)
		sleep_ms(1);
	return err;
}

/* A kernel end that sleeps for good is stopped, or goes with its file, in no time. */
TEST_F(asleep, stopped)
{
	struct spscring_peer_result result = {};

	ASSERT_EQ(start_asleep(self), 0);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_STOP, NULL), 0);
	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.err, -ECANCELED);
	EXPECT_EQ(result.done, 0);
	EXPECT_EQ(result.lost, 0);
	EXPECT_GE(result.slept, 1);

	ASSERT_EQ(start_asleep(self), 0);
	close_fd(&self->peer);
	EXPECT_EQ(state_of(self->start.ring_fd, SPSCRING_CONSUMER), SPSCRING_DEAD);
}

/* Also one whose thread has not run yet. */
TEST_F(asleep, stopped_at_once)
{
	struct spscring_peer_result result = {};
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_START, &self->start), 0);
		ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_STOP, NULL), 0);
		ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
		ASSERT_EQ(result.err, -ECANCELED);
	}
}

/* ---------------------------------------------------------- other modules */

static bool loaded(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

FIXTURE(interrupts) {
	int end;
};

FIXTURE_VARIANT(interrupts) {
	const char *node;
};

FIXTURE_VARIANT_ADD(interrupts, hrtimer) { "/dev/spscring-hrtimer" };
FIXTURE_VARIANT_ADD(interrupts, tasklet) { "/dev/spscring-tasklet" };
FIXTURE_VARIANT_ADD(interrupts, irq_work) { "/dev/spscring-irqwork" };
FIXTURE_VARIANT_ADD(interrupts, nmi) { "/dev/spscring-nmi" };

#define INTERRUPTS	20000

FIXTURE_SETUP(interrupts)
{
	char params[64];
	int err;

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "records=%u", INTERRUPTS);
	err = load("spscring_irq", params);
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_irq.ko");
	ASSERT_EQ(err, 0);
	self->end = negative_errno(open(variant->node, O_RDWR | O_CLOEXEC));
	if (self->end == -ENOENT && strstr(variant->node, "nmi")) {
		unload("spscring_irq");		/* a skip tears nothing down */
		SKIP(return, "no local APIC to send NMIs");
	}
	ASSERT_GE(self->end, 0);
}

FIXTURE_TEARDOWN(interrupts)
{
	close_fd(&self->end);
	unload("spscring_irq");
}

/* 0, 1, 2, ... to the end of the stream; no push leaves its reader asleep. */
TEST_F(interrupts, asleep)
{
	struct spscring_consumer c;
	__u64 next = 0, v;
	int err;

	ASSERT_EQ(map_consumer(self->end, &c, NULL), 0);
	do {
		err = spscring_pop(&c, &v);
		if (!err)
			ASSERT_EQ(v, next++);
		if (err == -EAGAIN)
			err = poll(&(struct pollfd){ self->end, POLLIN, 0 }, 1, 30000) == 1 ?
				0 : -ETIMEDOUT;
	} while (!err);
	EXPECT_EQ(err, -ESHUTDOWN);
	EXPECT_EQ(next, INTERRUPTS);
	EXPECT_GT(info_of(self->end).consumer_sleep.wakes, 0);
}

/* Unloaded while its timers run and full rings wait for a user. */
TEST(interrupts_unloaded)
{
	int err, i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < 5; i++) {
		err = load("spscring_irq", "period_us=50");
		if (no_module(err))
			SKIP(return, NO_MODULE "spscring_irq.ko");
		ASSERT_EQ(err, 0);
		sleep_ms(i * 7);
		EXPECT_EQ(unload("spscring_irq"), 0);
	}
	EXPECT_NE(access("/dev/spscring-hrtimer", F_OK), 0);
}

#define STREAM	"/dev/spscring-stream"

/* A user of the node. */
struct reader {
	int end;
	struct spscring_consumer c;
	struct spscring_mapping map;
	__u64 next;
};

static int reader_open(struct reader *r)
{
	r->end = open(STREAM, O_RDWR | O_CLOEXEC);
	return r->end < 0 ? -errno : map_consumer(r->end, &r->c, &r->map);
}

static void reader_close(struct reader *r)
{
	close_fd(&r->end);
	spscring_unmap(&r->map);
}

FIXTURE(driver)
{
	struct reader r;
};

FIXTURE_SETUP(driver)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	err = load("spscring_stream", "");
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_stream.ko");
	ASSERT_EQ(err, 0);
	self->r.next = 0;
	ASSERT_EQ(reader_open(&self->r), 0);
}

FIXTURE_TEARDOWN(driver)
{
	close_fd(&self->r.end);
	unload("spscring_stream");
}

/* Pop @n records; 0, or what the ring said instead. */
static int read_on(struct reader *r, __u64 n)
{
	__u32 fails = 0;
	__u64 v;
	int err;

	while (n) {
		err = spscring_pop(&r->c, &v);
		if (err == -EAGAIN) {
			pause_after(&fails);
			continue;
		}
		if (err)
			return err;
		if (v != r->next++)
			return -EILSEQ;
		n--;
	}
	return 0;
}

/* Nothing of the user's pins the driver; nothing of the driver's is needed. */
TEST_F(driver, unloaded_while_a_user_reads)
{
	struct reader *r = &self->r;
	const __u64 capacity = info_of(r->end).geometry.capacity;
	__u64 before;

	ASSERT_EQ(read_on(r, 100000), 0);
	ASSERT_EQ(unload("spscring_stream"), 0);
	EXPECT_FALSE(loaded("spscring_stream"));
	EXPECT_NE(access(STREAM, F_OK), 0);
	EXPECT_EQ(state_of(r->end, SPSCRING_PRODUCER), SPSCRING_DEAD);

	/* the rest of what was published, then the driver's death */
	before = r->next;
	EXPECT_EQ(info_of(r->end).length, info_of(r->end).tail - before);
	EXPECT_EQ(read_on(r, ~0ULL), -EPIPE);
	EXPECT_EQ(r->next, info_of(r->end).tail);
	EXPECT_LE(r->next - before, capacity);
	EXPECT_EQ(info_of(r->end).broken, 0);

	/* the mapping outlives the driver, and the fd */
	close_fd(&r->end);
	EXPECT_EQ(READ_ONCE(r->c.base.lines->cursor.word), r->next);
	EXPECT_EQ(pop_answer(&r->c, &before), -EPIPE);
	spscring_unmap(&r->map);
}

/* The driver may come back beside what is left of its last ring. */
TEST_F(driver, loaded_again_while_the_old_one_is_mapped)
{
	struct reader old = self->r;

	ASSERT_EQ(read_on(&old, 1), 0);
	ASSERT_EQ(unload("spscring_stream"), 0);
	ASSERT_EQ(load("spscring_stream", ""), 0);
	ASSERT_EQ(reader_open(&self->r), 0);
	EXPECT_EQ(read_on(&self->r, 10000), 0);
	EXPECT_EQ(read_on(&old, ~0ULL), -EPIPE);
	EXPECT_GT(old.next, 0);
	reader_close(&old);
	EXPECT_EQ(read_on(&self->r, 10000), 0);
}

/* One user at a time; the next one goes on where the last one was. */
TEST_F(driver, opened_again)
{
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(read_on(&self->r, 1234), 0);
		EXPECT_EQ(negative_errno(open(STREAM, O_RDWR)), -EBUSY);
		reader_close(&self->r);
		ASSERT_EQ(reader_open(&self->r), 0);
	}
}

TEST_HARNESS_MAIN
