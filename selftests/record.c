// SPDX-License-Identifier: GPL-2.0
/*
 * Records of any size: between each two kinds of ends, in every way of moving them,
 * in rings that wait, that drop and that overwrite.  Each is whole, in its place,
 * in order, and each that is missing is counted.
 *
 * SPSCRING_MESSAGES	how many in the long runs are of, 10000000 if not given
 */
#include "record.h"

/* ----------------------------------------------------------- in one process */

FIXTURE(record)
{
	int ring;
	struct record_end in, out;
	struct spscring_producer *p;
	struct spscring_consumer *c;
	struct record_mover put, take;
};

FIXTURE_SETUP(record)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
	self->in.fd = -1;
	self->out.fd = -1;
	self->p = &self->in.p;
	self->c = &self->out.c;
}

static void pair_free(struct _test_data_record *self)
{
	end_free(&self->in);
	end_free(&self->out);
	close_fd(&self->ring);
	free(self->put.buf);
	free(self->take.buf);
	self->put.buf = NULL;
	self->take.buf = NULL;
}

FIXTURE_TEARDOWN(record)
{
	pair_free(self);
}

static int pair_make(struct _test_data_record *self, const struct spscring_create *want)
{
	pair_free(self);
	self->ring = spscring_open(want);
	if (self->ring < 0)
		return self->ring;
	self->put = (struct record_mover){
		.ways = RECORD_PRODUCER_WAYS, .most = want->capacity - SPSCRING_WORD,
	};
	self->take = self->put;
	self->take.ways = RECORD_CONSUMER_WAYS;
	self->put.buf = malloc(record_buf_size(&self->put));
	self->take.buf = malloc(record_buf_size(&self->take));
	return end_claim(&self->in, self->ring, SPSCRING_PRODUCER) ?:
		end_claim(&self->out, self->ring, SPSCRING_CONSUMER);
}

/* Push, or pop, until there is an answer. */
static int push(struct spscring_producer *p, __u32 length)
{
	static const char bytes[8192];
	int i, err = -EAGAIN;

	for (i = 0; i <= SPSCRING_LOOK_EVERY && err == -EAGAIN; i++)
		err = spscring_record_push(p, bytes, length);
	return err;
}

static long pop(struct spscring_consumer *c, __u32 size)
{
	static char bytes[8192];
	long err = -EAGAIN;
	int i;

	for (i = 0; i <= SPSCRING_LOOK_EVERY && err == -EAGAIN; i++)
		err = spscring_record_pop(c, bytes, size);
	return err;
}

/* One word and many, powers of two and not, of whole pages and not. */
static const struct shape {
	__u32 align;
	__u64 capacity;
	__u32 most;		/* 0: all that fits */
} shapes[] = {
	{ 8, 16, 0 }, { 8, 24, 0 }, { 8, 1000, 0 }, { 8, 4096, 0 }, { 8, 12296, 0 }, { 8, 1 << 18, 5000 },
	{ 16, 32, 0 }, { 32, 96, 0 }, { 64, 64 * 37, 0 }, { 128, 4096, 0 }, { 256, 768, 0 }, { 512, 5 * 512, 0 },
	{ 1024, 4096, 0 }, { 2048, 2 * 2048, 0 }, { 4096, 2 * 4096, 0 }, { 4096, 5 * 4096, 9000 },
};

static const __u32 modes[] = { WAITS, DROPS, OVERWRITES };

/* Every way to move, at random, in every shape, laps of it; room to the last byte. */
TEST_F(record, every_shape)
{
	const struct shape *s;
	struct spscring_info info;
	size_t mode;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		for (s = shapes; s < shapes + ARRAY_SIZE(shapes); s++) {
			ASSERT_EQ(pair_make(self, RING(.capacity = s->capacity,
						       .record_align = s->align,
						       .flags = modes[mode])), 0);
			if (s->most) {
				self->put.most = s->most;
				self->take.most = s->most;
			}
			ASSERT_EQ(record_lockstep(&self->put, self->p, &self->take, self->c,
						  20000), 0)
				TH_LOG("mode %zu, alignment %u, capacity %llu: record %llu and %llu",
				       mode, s->align, s->capacity, self->put.seq,
				       self->take.seq);
			info = info_of(self->ring);
			EXPECT_EQ(info.loss.sequence, 20000);
			EXPECT_EQ(info.loss.drops, self->put.missed);
			EXPECT_EQ(self->put.moved + self->put.missed, 20000);
			if (modes[mode] == OVERWRITES) {
				EXPECT_EQ(info.loss.overruns, self->take.missed);
				EXPECT_EQ(self->take.moved + self->take.missed, 20000);
				EXPECT_GT(self->take.missed, 0);
			} else {
				EXPECT_EQ(self->take.moved, self->put.moved);
				EXPECT_LE(info.loss.high_water, s->capacity);
				EXPECT_GT(info.loss.high_water, s->capacity / 2);
			}
			EXPECT_EQ(!!self->put.missed, modes[mode] == DROPS);
			EXPECT_EQ(info.broken, 0);
			EXPECT_EQ(info.length, 0);
		}
	}
}

TEST_HARNESS_MAIN
