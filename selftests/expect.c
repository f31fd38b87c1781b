// SPDX-License-Identifier: GPL-2.0
/*
 * A ring is what its creator has made of it: who takes an end, or makes a handle, says
 * what he takes the records for, and gets no other.  And an end that is over is over for
 * the handle that ended it; a length is what was asked for, to the last bit; a cursor that
 * is none addresses nothing.
 */
#include <limits.h>

#include "record.h"

#define TAG	0x1234567890abcdefULL

/* Rings of two shapes that others made, and what is said of each. */
static const struct spscring_create rings[] = {
	{ .capacity = 16, .record_size = 8, .type_tag = TAG },
	{ .capacity = 16, .record_size = 512, .type_tag = TAG },
	{ .capacity = 16, .record_size = 8, .type_tag = TAG + 1 },
	{ .capacity = 4096, .flags = SPSCRING_CREATE_RECORDS, .type_tag = TAG },
	{ .capacity = 4096, .flags = SPSCRING_CREATE_RECORDS, .type_tag = 0 },
	{ .capacity = 4096, .flags = DROPS, .type_tag = TAG },
	{ .capacity = 4096, .flags = OVERWRITES, .type_tag = TAG },
};

static int make(const struct spscring_create *from)
{
	struct spscring_create want = *from;

	want.size = sizeof(want);
	return spscring_open(&want);
}

static bool fits(const struct spscring_create *ring, __u32 size, __u64 tag)
{
	return ring->record_size == size && ring->type_tag == tag;
}

/* All that may be expected of a ring, by one role. */
static void expect_all(struct __test_metadata *_metadata, const struct spscring_create *want,
		       __u32 role)
{
	static const __u32 sizes[] = { SPSCRING_ANY_SIZE, 1, 7, 8, 9, 512, UINT_MAX };
	static const __u64 tags[] = { 0, TAG, TAG + 1, ~0ULL };
	size_t k, t;
	int ring, end;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (t = 0; t < ARRAY_SIZE(tags); t++) {
			ring = make(want);
			ASSERT_GE(ring, 0);
			end = spscring_claim(ring, role, sizes[k], tags[t]);
			EXPECT_EQ(end < 0 ? end : 0,
				  fits(want, sizes[k], tags[t]) ? 0 : -EPROTOTYPE);
			close(ring);
			close_fd(&end);
		}
	}
}

TEST(claim)
{
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		expect_all(_metadata, &rings[i], SPSCRING_PRODUCER);
		expect_all(_metadata, &rings[i], SPSCRING_CONSUMER);
	}
}

/* An end that came from elsewhere, as by a UNIX socket or a driver's node. */
TEST(map)
{
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
	struct spscring_mapping map;
	struct spscring_producer p;
	struct spscring_consumer c;
	int ring, in, out, err;
	size_t i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		ring = make(&rings[i]);
		ASSERT_GE(ring, 0);
		in = claim_end(ring, SPSCRING_PRODUCER, rings[i].type_tag);
		out = claim_end(ring, SPSCRING_CONSUMER, rings[i].type_tag);
		ASSERT_GE(in, 0);
		ASSERT_GE(out, 0);
		err = fits(&rings[i], 8, TAG) ? 0 : -EPROTOTYPE;
		EXPECT_EQ(spscring_map_producer(in, &p, 8, TAG, &map), err);
		if (!err)
			spscring_unmap(&map);
		EXPECT_EQ(spscring_map_consumer(out, &c, 8, TAG, &map), err);
		if (!err)
			spscring_unmap(&map);
		err = fits(&rings[i], SPSCRING_ANY_SIZE, TAG) ? 0 : -EPROTOTYPE;
		EXPECT_EQ(spscring_record_map_producer(in, &rp, TAG, &map), err);
		if (!err)
			spscring_unmap(&map);
		EXPECT_EQ(spscring_record_map_consumer(out, &rc, TAG, &map), err);
		if (!err)
			spscring_unmap(&map);
		/* no record has that size */
		EXPECT_EQ(spscring_map_producer(in, &p, SPSCRING_ANY_SIZE, rings[i].type_tag,
						&map), -EINVAL);
		EXPECT_EQ(spscring_map_consumer(out, &c, SPSCRING_ANY_SIZE, rings[i].type_tag,
						&map), -EINVAL);
		close(in);
		close(out);
		close(ring);
	}
}

/* What is refused leaves no mapping, as each keeps the end. */
TEST(map_refused)
{
	struct spscring_producer p;
	int ring, in;

	SKIP_WITHOUT_DEVICE();
	ring = make(&rings[1]);
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(in, 0);
	EXPECT_EQ(spscring_map_producer(in, &p, 8, TAG, NULL), -EPROTOTYPE);
	close(in);
	EXPECT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	close(ring);
}

/* A driver that was given the fd of a ring of the other shape. */
TEST(kernel)
{
	struct spscring_record_run run = {
		.count = 1, .tries = 1,
		.mover = { .ways = RECORD_PUSH, .most = 8 },
	};
	int ring, peer;
	size_t i;

	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	peer = open(SPSCRING_RECORD_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		ring = make(&rings[i]);
		ASSERT_GE(ring, 0);
		run.ring_fd = ring;
		run.role = SPSCRING_PRODUCER;
		run.mover.ways = RECORD_PUSH;
		EXPECT_EQ(do_ioctl(peer, SPSCRING_RECORD_RUN, &run),
			  fits(&rings[i], SPSCRING_ANY_SIZE, 0) ? 0 : -EPROTOTYPE);
		run.role = SPSCRING_CONSUMER;
		run.mover.ways = RECORD_POP;
		EXPECT_EQ(do_ioctl(peer, SPSCRING_RECORD_RUN, &run),
			  fits(&rings[i], SPSCRING_ANY_SIZE, 0) ? 0 : -EPROTOTYPE);
		if (!fits(&rings[i], SPSCRING_ANY_SIZE, 0)) {
			EXPECT_EQ(info_of(ring).producer_generation, 0);
			EXPECT_EQ(info_of(ring).consumer_generation, 0);
		}
		close(ring);
	}
	close(peer);
}

/* --------------------------------------------------- an end that is over */

FIXTURE(over)
{
	int ring, in, out, record_ring, record_in, record_out;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
};

FIXTURE_VARIANT(over)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(over, sleeps)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(over, polls)
{
	.flags = SPSCRING_CREATE_BUSY_POLL,
};

FIXTURE_SETUP(over)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 64, .record_size = 8,
					.flags = variant->flags));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(map_producer(self->in, &self->p, NULL), 0);
	ASSERT_EQ(map_consumer(self->out, &self->c, NULL), 0);
	self->record_ring = spscring_open(RING(.capacity = 4096,
					       .flags = SPSCRING_CREATE_RECORDS | variant->flags));
	ASSERT_GE(self->record_ring, 0);
	self->record_in = claim_end(self->record_ring, SPSCRING_PRODUCER, 0);
	self->record_out = claim_end(self->record_ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(record_map_producer(self->record_in, &self->rp, NULL), 0);
	ASSERT_EQ(record_map_consumer(self->record_out, &self->rc, NULL), 0);
}

FIXTURE_TEARDOWN(over)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
	close_fd(&self->record_in);
	close_fd(&self->record_out);
	close_fd(&self->record_ring);
}

/* Nothing is behind the end of the stream, though there was room within the frame. */
TEST_F(over, producer)
{
	__u64 v = 1, batch[3] = { 2, 3, 4 };
	void *slot;

	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(spscring_shutdown_producer(&self->p), 0);
	EXPECT_EQ(spscring_push(&self->p, &v), -ESHUTDOWN);
	EXPECT_EQ(spscring_push_n(&self->p, batch, 3), -ESHUTDOWN);
	EXPECT_EQ(spscring_reserve(&self->p, &slot), -ESHUTDOWN);
	EXPECT_EQ(spscring_reserve_n(&self->p, 3, &slot), -ESHUTDOWN);
	EXPECT_EQ(spscring_wait_room(&self->p, 1, -1), -ESHUTDOWN);
	EXPECT_EQ(spscring_arm_room(&self->p, 1), -ESHUTDOWN);
	EXPECT_EQ(pop_answer(&self->c, &v), 0);
	EXPECT_EQ(pop_answer(&self->c, &v), -ESHUTDOWN);
	EXPECT_EQ(info_of(self->ring).tail, 1);
	/* final */
	EXPECT_EQ(spscring_shutdown_producer(&self->p), 0);
	EXPECT_EQ(spscring_push(&self->p, &v), -ESHUTDOWN);
}

TEST_F(over, consumer)
{
	__u64 v[8] = {};
	const void *rec;
	int i;

	/* some that were seen before, too */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(spscring_push(&self->p, v), 0);
	ASSERT_EQ(spscring_pop(&self->c, v), 0);
	ASSERT_EQ(spscring_shutdown_consumer(&self->c), 0);
	EXPECT_EQ(spscring_pop(&self->c, v), -ESHUTDOWN);
	EXPECT_EQ(spscring_pop_n(&self->c, v, 8), -ESHUTDOWN);
	EXPECT_EQ(spscring_peek(&self->c, &rec), -ESHUTDOWN);
	EXPECT_EQ(spscring_peek_n(&self->c, 8, &rec), -ESHUTDOWN);
	EXPECT_EQ(spscring_wait_records(&self->c, 1, -1), -ESHUTDOWN);
	EXPECT_EQ(spscring_arm_records(&self->c, 1), -ESHUTDOWN);
	EXPECT_EQ(info_of(self->ring).head, 1);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_F(over, record_producer)
{
	struct spscring_record rec = { .data = (void *)"abc", .length = 3 };
	char to[8];
	void *at;

	ASSERT_EQ(spscring_record_push(&self->rp, "abc", 3), 0);
	ASSERT_EQ(spscring_record_shutdown_producer(&self->rp), 0);
	EXPECT_EQ(spscring_record_push(&self->rp, "abc", 3), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_push_n(&self->rp, &rec, 1), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_reserve(&self->rp, 3, &at), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_wait_room(&self->rp, 16, -1), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_arm_room(&self->rp, 16), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_pop(&self->rc, to, sizeof(to)), 3);
	EXPECT_EQ(info_of(self->record_ring).loss.sequence, 1);
}

TEST_F(over, record_consumer)
{
	struct spscring_record rec;
	char to[8];

	ASSERT_EQ(spscring_record_push(&self->rp, "abc", 3), 0);
	ASSERT_EQ(spscring_record_push(&self->rp, "def", 3), 0);
	ASSERT_EQ(spscring_record_pop(&self->rc, to, sizeof(to)), 3);
	ASSERT_EQ(spscring_record_shutdown_consumer(&self->rc), 0);
	EXPECT_EQ(spscring_record_pop(&self->rc, to, sizeof(to)), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_peek(&self->rc, &rec), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_wait_records(&self->rc, 1, -1), -ESHUTDOWN);
	EXPECT_EQ(spscring_record_arm_records(&self->rc, 1), -ESHUTDOWN);
	EXPECT_EQ(info_of(self->record_ring).broken, 0);
}

/* By another's call: once it finds no room, or nothing. */
TEST_F(over, by_the_fd)
{
	__u64 v = 0;
	char to[8];
	int err = 0, i;

	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	for (i = 0; i < 1000 && (!err || err == -EAGAIN); i++)
		err = spscring_push(&self->p, &v);
	EXPECT_EQ(err, -ESHUTDOWN);
	ASSERT_EQ(spscring_shutdown(self->record_out, 0), 0);
	for (i = 0, err = -EAGAIN; i < 1000 && err == -EAGAIN; i++)
		err = (int)spscring_record_pop(&self->rc, to, sizeof(to));
	EXPECT_EQ(err, -ESHUTDOWN);
}

/* ---------------------------------------------------------------- lengths */

/* Of more bits than a word of the ring has for it: none is cut to what is left of them. */
TEST_F(over, long_records)
{
	static const __u64 lengths[] = {
		4097, UINT_MAX, (1ULL << 32), (1ULL << 32) + 5, (1ULL << 33) + 8, 1ULL << 63,
		(1ULL << 63) + 5, ~0ULL - 5000, ~0ULL - 15, ~0ULL - 8, ~0ULL - 7, ~0ULL,
	};
	struct spscring_record rec = { .data = (void *)"12345" };
	char to[16];
	void *at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_EQ(spscring_record_push(&self->rp, "12345", lengths[i]), -EMSGSIZE)
			TH_LOG("%llx", (unsigned long long)lengths[i]);
		rec.length = lengths[i];
		EXPECT_EQ(spscring_record_push_n(&self->rp, &rec, 1), -EMSGSIZE);
		EXPECT_EQ(spscring_record_reserve(&self->rp, lengths[i], &at), -EMSGSIZE);
	}
	EXPECT_EQ(info_of(self->record_ring).loss.sequence, 0);
	/* the place may be as large as it likes */
	ASSERT_EQ(spscring_record_push(&self->rp, "12345", 5), 0);
	EXPECT_EQ(spscring_record_pop(&self->rc, to, (1ULL << 32) + 4), 5);
	ASSERT_EQ(spscring_record_push(&self->rp, "12345", 5), 0);
	EXPECT_EQ(spscring_record_pop(&self->rc, to, ~0UL), 5);
}

/* A batch as long as it likes, too: some of it goes, never none. */
TEST_F(over, long_batches)
{
	__u64 *many = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const void *recs;
	void *slots;

	ASSERT_NE(many, MAP_FAILED);
	EXPECT_EQ(spscring_push_n(&self->p, many, 1UL << 32), 64);
	EXPECT_EQ(spscring_peek_n(&self->c, 1UL << 32, &recs), 7);
	EXPECT_EQ(spscring_pop_n(&self->c, many, 1UL << 32), 64);
	EXPECT_GE(spscring_reserve_n(&self->p, 1UL << 32, &slots), 1);
	munmap(many, 8192);
}

/* ---------------------------------------------------------------- cursors */

/*
 * A cursor that is no multiple of the alignment is refused before a word is addressed by
 * it, which some CPUs fault at: here there is nothing to address at all.
 */
TEST(odd_cursor)
{
	const struct spscring_create want = {
		.capacity = 4096, .flags = SPSCRING_CREATE_RECORDS,
	};
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	struct spscring_geometry g;
	char *pages, *nothing;
	__u64 *cursor;
	int i;

	ASSERT_EQ(spscring_geometry_init(&g, &want, sysconf(_SC_PAGESIZE)), 0);
	pages = mmap(NULL, g.data_offset, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	nothing = mmap(NULL, 2 * g.data_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(pages, MAP_FAILED);
	ASSERT_NE(nothing, MAP_FAILED);
	for (i = 1; i < 8; i++) {
		cursor = spscring_lines(&g, pages + g.consumer_offset);
		*cursor = i;
		EXPECT_EQ(spscring_record_consumer_init(&c, &g, pages + g.consumer_offset,
							pages + g.info_offset, nothing), -EPIPE);
		*cursor = 0;
		cursor = spscring_lines(&g, pages + g.producer_offset);
		*cursor = i;
		EXPECT_EQ(spscring_record_producer_init(&p, &g, pages + g.consumer_offset,
							pages + g.info_offset,
							pages + g.producer_offset, nothing),
			  -EPIPE);
		*cursor = 0;
	}
	munmap(pages, g.data_offset);
	munmap(nothing, 2 * g.data_bytes);
}

/* A forked child has none of the mappings, and so cannot push beside its parent. */
TEST_F(over, child)
{
	__u64 v = 0;
	pid_t pid = fork_child();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(spscring_push(&self->p, &v) ? 1 : 0);
	}
	EXPECT_EQ(wait_child(pid), -SIGSEGV);
	EXPECT_EQ(info_of(self->ring).tail, 0);
	EXPECT_EQ(spscring_push(&self->p, &v), 0);
}

TEST_HARNESS_MAIN
