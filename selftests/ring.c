// SPDX-License-Identifier: GPL-2.0
/*
 * A ring moves elements in order, without loss, repetition or a wrong byte: in one process and
 * between two, for each size, alignment, frame size and way to move them.
 */
#include "mover.h"

static const __u32 sizes[] = {
	1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 31, 32, 33, 48, 56, 57, 64, 100, 128, 200, 256,
	512, 1000, 1024, 4096, 4097, 65535, 65536,
};

/* ----------------------------------------------------------- in one process */

struct pair {
	int ring, producer, consumer;
	struct spscring_geometry geometry;
};

/* One ring after the other. */
FIXTURE(ring)
{
	struct pair pair;
};

FIXTURE_SETUP(ring)
{
	SKIP_WITHOUT_DEVICE();
	self->pair = (struct pair){ -1, -1, -1, {} };
}

static void pair_free(struct pair *pair)
{
	close_ends(&pair->ring, &pair->producer, &pair->consumer);
}

FIXTURE_TEARDOWN(ring)
{
	pair_free(&self->pair);
}

static int pair_make(struct pair *pair, struct spscring_create *want)
{
	int err;

	pair_free(pair);
	err = open_ends(want, &pair->ring, &pair->producer, &pair->consumer);
	pair->geometry = info_of(pair->ring).geometry;
	return err;
}

/* Both ends, mapped, each with a way of its own. */
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

/* Push until the ring is full, which is at @capacity, and pop until it is empty. */
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

/* Push and pop @n elements in odd pieces, for some laps. */
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

/* Each way to push with each way to pop, in a new ring.  Return: 0, or the line that failed. */
static int all_ways(struct pair *pair, struct spscring_create *want)
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

TEST_F(ring, every_size)
{
	static const __u64 capacities[] = { 1, 2, 3, 7, 8, 13, 64, 1000 };
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(capacities); k++) {
			if (capacities[k] * sizes[i] > 1 << 20)
				continue;
			ASSERT_EQ(0, all_ways(&self->pair, RING(.capacity = capacities[k],
								.element_size = sizes[i])))
				TH_LOG("%u bytes, capacity %lu", sizes[i],
				       (unsigned long)capacities[k]);
		}
	}
}

/* Each reserved slot has the requested alignment. */
TEST_F(ring, every_alignment)
{
	static const __u32 some[] = { 1, 3, 8, 12, 57, 64, 100, 4097 };
	struct spscring_mapping map;
	struct spscring_producer p;
	void *slot = NULL;
	__u32 align;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		for (align = 1; align <= SPSCRING_ALIGN_MAX; align *= 2) {
			ASSERT_EQ(0,
				  all_ways(&self->pair, RING(.capacity = 50, .align = align,
							     .element_size = some[i])))
				TH_LOG("%u bytes, alignment %u", some[i], align);
			close_fd(&self->pair.producer);
			self->pair.producer = claim_end(self->pair.ring, SPSCRING_PRODUCER, 0);
			ASSERT_GE(self->pair.producer, 0);
			ASSERT_EQ(0, map_producer(self->pair.producer, &p, &map));
			for (n = 0; n < 50; n++) {
				ASSERT_EQ(0, spscring_reserve(&p, &slot));
				ASSERT_EQ(0, (uintptr_t)slot % align);
				spscring_commit(&p);
			}
			spscring_unmap(&map);
		}
	}
}

TEST_F(ring, every_frame_size)
{
	static const __u32 some[] = { 1, 8, 24, 56, 100, 1000 };
	__u32 frame;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		for (frame = SPSCRING_FRAME_MIN; frame <= SPSCRING_FRAME_MAX; frame *= 2) {
			if (frame < some[i] + 64 && some[i] > 56)
				continue;
			ASSERT_EQ(0, all_ways(&self->pair,
					      RING(.capacity = 1 + frame / some[i] % 977,
						   .element_size = some[i], .frame_size = frame)))
				TH_LOG("%u bytes, frame %u", some[i], frame);
		}
	}
}

/* Empty batches, batches larger than the ring, and batches of a compile-time constant size. */
TEST_F(ring, batches)
{
	__u64 in[300], out[300], seq = 0, n, i;
	struct movers m;

	ASSERT_EQ(0, pair_make(&self->pair, RING(.capacity = 100, .element_size = 8)));
	ASSERT_EQ(0, movers_init(&m, &self->pair));
	EXPECT_EQ(0, spscring_push_n(&m.in.p, in, 0));
	EXPECT_EQ(0, spscring_pop_n(&m.out.c, out, 0));
	for (i = 0; i < 300; i++)
		in[i] = i;
	EXPECT_EQ(100, spscring_push_n(&m.in.p, in, 300));
	EXPECT_EQ(-EAGAIN, spscring_push_n(&m.in.p, in, 300));
	EXPECT_EQ(100, spscring_pop_n(&m.out.c, out, 300));
	EXPECT_EQ(-EAGAIN, spscring_pop_n(&m.out.c, out, 300));
	EXPECT_EQ(0, memcmp(in, out, 100 * sizeof(*in)));
	for (n = 1; n <= 80; n++) {
		for (i = 0; i < n; i++)
			in[i] = seq + i;
		ASSERT_EQ((long)n, spscring_push_n_fixed(&m.in.p, in, n, 8));
		ASSERT_EQ((long)n, spscring_pop_n_fixed(&m.out.c, out, 300, 8));
		ASSERT_EQ(0, memcmp(in, out, n * sizeof(*in)));
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

/* @n elements from one process to another; returns 0, or how each of them failed. */
static int two_processes(enum way in, enum way out, struct spscring_create *want,
			 __u64 n)
{
	int ring, p, c, err = open_ends(want, &ring, &p, &c);
	pid_t producer, consumer;

	if (err)
		return err;
	consumer = fork_child();
	if (!consumer) {
		close(p);
		pin(true);
		_exit(consume(c, out, n));
	}
	close(c);
	producer = fork_child();
	if (!producer) {
		pin(false);
		_exit(produce(p, in, n));
	}
	close(p);
	close(ring);
	err = wait_child(producer);
	return err * 1000 + wait_child(consumer);
}

TEST_F(processes, u64)
{
	/* in a small ring each element needs a switch between the processes, which takes long */
	__u64 n = messages_of(8, variant->capacity < 64 ? 100000 : ~0ULL);

	EXPECT_EQ(0, two_processes(variant->in, variant->out,
				   RING(.capacity = variant->capacity, .element_size = 8), n));
}

TEST(processes_every_size)
{
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(0, two_processes(i % 3, (i + i / 3) % 3,
					   RING(.capacity = 100, .element_size = sizes[i]),
					   messages_of(sizes[i], 20000)))
			TH_LOG("%u bytes", sizes[i]);
}

TEST_HARNESS_MAIN
