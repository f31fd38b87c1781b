// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI does not move: numbers, sizes, the page map, how the structs grow.
 */
#include <stddef.h>

#include "selftest.h"

/* Every field's place, written down a second time. */
#define AT(type, field, offset) { #type "." #field, offsetof(struct type, field), offset }

static const struct { const char *name; size_t is, was; } places[] = {
	AT(spscring_create, size, 0),
	AT(spscring_create, flags, 4),
	AT(spscring_create, capacity, 8),
	AT(spscring_create, record_size, 16),
	AT(spscring_create, record_align, 20),
	AT(spscring_create, frame_size, 24),
	AT(spscring_create, numa_node, 28),
	AT(spscring_create, type_tag, 32),
	AT(spscring_create, name, 40),
	AT(spscring_endpoint, size, 0),
	AT(spscring_endpoint, flags, 4),
	AT(spscring_endpoint, role, 8),
	AT(spscring_endpoint, record_size, 12),
	AT(spscring_endpoint, type_tag, 16),
	AT(spscring_shutdown, size, 0),
	AT(spscring_shutdown, flags, 4),
	AT(spscring_geometry, capacity, 0),
	AT(spscring_geometry, frames, 8),
	AT(spscring_geometry, data_bytes, 16),
	AT(spscring_geometry, memory, 24),
	AT(spscring_geometry, consumer_offset, 32),
	AT(spscring_geometry, info_offset, 40),
	AT(spscring_geometry, producer_offset, 48),
	AT(spscring_geometry, data_offset, 56),
	AT(spscring_geometry, type_tag, 64),
	AT(spscring_geometry, record_size, 72),
	AT(spscring_geometry, stride, 76),
	AT(spscring_geometry, frame_size, 80),
	AT(spscring_geometry, frame_records, 84),
	AT(spscring_geometry, frame_first, 88),
	AT(spscring_geometry, tell, 92),
	AT(spscring_geometry, page_size, 96),
	AT(spscring_geometry, colour, 100),
	AT(spscring_geometry, version, 104),
	AT(spscring_geometry, oldest_reader, 108),
	AT(spscring_geometry, features, 112),
	AT(spscring_geometry, flags, 116),
	AT(spscring_geometry, reserved, 120),
	AT(spscring_info, size, 0),
	AT(spscring_info, flags, 4),
	AT(spscring_info, geometry, 8),
	AT(spscring_info, name, 136),
	AT(spscring_info, head, 168),
	AT(spscring_info, tail, 176),
	AT(spscring_info, length, 184),
	AT(spscring_info, free, 192),
	AT(spscring_info, producer_state, 200),
	AT(spscring_info, producer_generation, 204),
	AT(spscring_info, consumer_state, 208),
	AT(spscring_info, consumer_generation, 212),
	AT(spscring_info, broken, 216),
	AT(spscring_info, reserved, 220),
	AT(spscring_info, producer_sleep, 224),
	AT(spscring_info, consumer_sleep, 288),
	AT(spscring_info, loss, 352),
	AT(spscring_loss, drops, 0),
	AT(spscring_loss, overruns, 8),
	AT(spscring_loss, high_water, 16),
	AT(spscring_loss, sequence, 24),
	AT(spscring_loss, reserved, 32),
	AT(spscring_record, data, 0),
	AT(spscring_record, length, 8),
	AT(spscring_record, sequence, 16),
	AT(spscring_sleep_counters, sleeps, 0),
	AT(spscring_sleep_counters, polls, 8),
	AT(spscring_sleep_counters, kicks, 16),
	AT(spscring_sleep_counters, wakes, 24),
	AT(spscring_sleep_counters, interrupts, 32),
	AT(spscring_sleep_counters, clears, 40),
	AT(spscring_sleep_counters, refused, 48),
	AT(spscring_sleep_counters, reserved, 56),
	AT(spscring_wait, flags, 4),
	AT(spscring_wait, index, 8),
	AT(spscring_wait, deadline, 16),
	AT(spscring_notify, flags, 4),
	AT(spscring_notify, records, 8),
	AT(spscring_notify, eventfd, 12),
	AT(spscring_notify, timeout, 16),
	AT(spscring_consumer_lines, cursor, 0),
	AT(spscring_consumer_lines, told, 128),
	AT(spscring_consumer_lines, counters, 256),
	AT(spscring_producer_lines, cursor, 0),
	AT(spscring_producer_lines, counters, 128),
	AT(spscring_producer_lines, oldest, 256),
	AT(spscring_kernel_lines, consumer_wants, 0),
	AT(spscring_kernel_lines, producer_wants, 128),
	AT(spscring_kernel_lines, consumer, 256),
	AT(spscring_kernel_lines, producer, 384),
	AT(spscring_kernel_lines, broken, 512),
	AT(spscring_info_page, magic, 0),
	AT(spscring_info_page, geometry, 8),
	AT(spscring_info_page, name, 136),
};

TEST(numbers)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		EXPECT_EQ(places[i].is, places[i].was)
			TH_LOG("%s", places[i].name);
	}

	EXPECT_EQ(sizeof(struct spscring_create), 72);
	EXPECT_EQ(sizeof(struct spscring_endpoint), 24);
	EXPECT_EQ(sizeof(struct spscring_shutdown), 8);
	EXPECT_EQ(sizeof(struct spscring_geometry), 128);
	EXPECT_EQ(sizeof(struct spscring_info), 416);
	EXPECT_EQ(sizeof(struct spscring_loss), 64);
	EXPECT_EQ(sizeof(struct spscring_record), 24);
	EXPECT_EQ(sizeof(struct spscring_wait), 24);
	EXPECT_EQ(sizeof(struct spscring_notify), 24);
	EXPECT_EQ(sizeof(struct spscring_info_page), 168);

	EXPECT_EQ(SPSCRING_CREATE, 0xef00);
	EXPECT_EQ(SPSCRING_ENDPOINT, 0xef01);
	EXPECT_EQ(SPSCRING_SHUTDOWN, 0xef02);
	EXPECT_EQ(SPSCRING_INFO, 0xef03);
	EXPECT_EQ(SPSCRING_WAIT, 0xef04);
	EXPECT_EQ(SPSCRING_KICK, 0xef05);
	EXPECT_EQ(SPSCRING_NOTIFY, 0xef06);
	EXPECT_EQ(SPSCRING_CREATE_BUSY_POLL, 2);
	EXPECT_EQ(SPSCRING_CREATE_FENCE, 4);
	EXPECT_EQ(SPSCRING_CREATE_RECORDS, 8);
	EXPECT_EQ(SPSCRING_CREATE_DROP, 16);
	EXPECT_EQ(SPSCRING_CREATE_OVERWRITE, 32);
	EXPECT_EQ(SPSCRING_WORD_LENGTH, 0xffffffff);
	EXPECT_EQ(SPSCRING_WORD_PUBLISHED, 1ULL << 32);
	EXPECT_EQ(SPSCRING_WORD_DISCARDED, 1ULL << 33);
	EXPECT_EQ(SPSCRING_WORD_LAP, 1ULL << 34);
	EXPECT_EQ(SPSCRING_WORD_SEQUENCE, 35);
	EXPECT_EQ(SPSCRING_COUNT_OVERRUNS, 2);
	EXPECT_EQ(SPSCRING_COUNT_DROPS, 2);
	EXPECT_EQ(SPSCRING_COUNT_HIGH_WATER, 3);
	EXPECT_EQ(SPSCRING_WAIT_ARM, 1);
	EXPECT_EQ(SPSCRING_NOBODY, 0x7fffffffffffffff);
	EXPECT_EQ(SPSCRING_MAGIC, 0x676e697263737073ULL);
	EXPECT_EQ(SPSCRING_KERNEL_LINES, 1024);
	EXPECT_EQ(SPSCRING_LINE, 128);
	EXPECT_EQ(SPSCRING_COLOURS, 16);
	EXPECT_EQ(SPSCRING_PRODUCER, 1);
	EXPECT_EQ(SPSCRING_CONSUMER, 2);
	EXPECT_EQ(SPSCRING_UNCLAIMED, 0);
	EXPECT_EQ(SPSCRING_HELD, 1);
	EXPECT_EQ(SPSCRING_SHUT_DOWN, 2);
	EXPECT_EQ(SPSCRING_DEAD, 3);
}

/* ------------------------------------------------------------- the pages */

#define TAG	0x1122334455667788ULL

FIXTURE(pages)
{
	int ring, producer, consumer;
	struct spscring_info info;
	const char *all;		/* the ring fd's mapping of everything */
};

FIXTURE_SETUP(pages)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 100, .record_size = 8,
					.type_tag = TAG, .name = "abi"));
	ASSERT_GE(self->ring, 0);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, TAG);
	ASSERT_GE(self->consumer, 0);
	ASSERT_EQ(spscring_get_info(self->ring, &self->info), 0);
	self->all = mmap(NULL, self->info.geometry.memory, PROT_READ, MAP_SHARED, self->ring, 0);
	ASSERT_NE(self->all, MAP_FAILED);
}

FIXTURE_TEARDOWN(pages)
{
	munmap((void *)self->all, self->info.geometry.memory);
	close_fd(&self->producer);
	close_fd(&self->consumer);
	close_fd(&self->ring);
}

TEST_F(pages, info_page)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const struct spscring_info_page *page = (const void *)(self->all + g->info_offset);

	EXPECT_EQ(page->magic, SPSCRING_MAGIC);
	EXPECT_EQ(memcmp(&page->geometry, g, sizeof(*g)), 0);
	EXPECT_EQ(memcmp(page->name, self->info.name, sizeof(page->name)), 0);
	EXPECT_STREQ((const char *)page->name, "abi");
	EXPECT_EQ(g->version, 3);
	EXPECT_EQ(g->oldest_reader, 3);
	EXPECT_EQ(g->features, 0);
	EXPECT_EQ(g->flags, 0);
	EXPECT_EQ(g->reserved, 0);
	EXPECT_EQ(g->type_tag, TAG);
	EXPECT_EQ(g->capacity, 100);
	EXPECT_EQ(g->record_size, 8);
	EXPECT_EQ(g->page_size, sysconf(_SC_PAGESIZE));
	EXPECT_EQ(g->consumer_offset, 0);
	EXPECT_EQ(g->info_offset, g->page_size);
	EXPECT_EQ(g->producer_offset, 2 * g->page_size);
	EXPECT_EQ(g->data_offset, 3 * g->page_size);
	EXPECT_EQ(g->memory, g->data_offset + g->data_bytes);
	EXPECT_EQ(g->data_bytes % g->page_size, 0);
	EXPECT_GE(g->data_bytes, g->frames * g->frame_size);
}

/* The first byte of [@from, @size) that is not zero, but for the words at @except. */
static long not_zero(const char *page, size_t from, size_t size, const size_t *except, int n)
{
	size_t i;
	int k;

	for (i = from; i < size; i += 8) {
		for (k = 0; k < n; k++)
			if (except[k] == i)
				break;
		if (k == n && READ_ONCE(*(const __u64 *)(page + i)))
			return i;
	}
	return -1;
}

#define WORD(type, field)	offsetof(struct type, field.word)
#define COUNTER(type, i)	(offsetof(struct type, counters.more) + (i) * 8)

TEST_F(pages, fresh_is_zero)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const size_t lines = SPSCRING_KERNEL_LINES + g->colour;
	const size_t states[] = {
		lines + WORD(spscring_kernel_lines, consumer_wants),
		lines + WORD(spscring_kernel_lines, producer_wants),
		lines + WORD(spscring_kernel_lines, consumer),
		lines + WORD(spscring_kernel_lines, producer),
	};

	EXPECT_EQ(not_zero(self->all + g->consumer_offset, 0, g->page_size, NULL, 0), -1);
	EXPECT_EQ(not_zero(self->all + g->producer_offset, 0, g->page_size, NULL, 0), -1);
	EXPECT_EQ(not_zero(self->all + g->data_offset, 0, g->data_bytes, NULL, 0), -1);
	EXPECT_EQ(not_zero(self->all + g->info_offset, sizeof(struct spscring_info_page),
			   g->page_size, states, 4), -1);
}

/* Laps of traffic, full and empty: each word that moves has its place. */
TEST_F(pages, reserved_stays_zero)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const struct spscring_kernel_lines *kernel =
		spscring_kernel_lines(g, self->all + g->info_offset);
	const size_t lines = SPSCRING_KERNEL_LINES + g->colour;
	const size_t consumer[] = {
		g->colour + WORD(spscring_consumer_lines, cursor),
		g->colour + WORD(spscring_consumer_lines, told),
		g->colour + WORD(spscring_consumer_lines, counters),
	};
	const size_t producer[] = {
		g->colour + WORD(spscring_producer_lines, cursor),
		g->colour + WORD(spscring_producer_lines, counters),
		g->colour + COUNTER(spscring_producer_lines, SPSCRING_COUNT_HIGH_WATER),
		g->colour + COUNTER(spscring_producer_lines, SPSCRING_COUNT_FULL_AT),
	};
	const size_t states[] = {
		lines + WORD(spscring_kernel_lines, consumer_wants),
		lines + WORD(spscring_kernel_lines, producer_wants),
		lines + WORD(spscring_kernel_lines, consumer),
		lines + WORD(spscring_kernel_lines, producer),
	};
	const struct spscring_consumer_lines *c_lines;
	const struct spscring_producer_lines *p_lines;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v;
	int i;

	ASSERT_EQ(map_producer(self->producer, &p, NULL), 0);
	ASSERT_EQ(map_consumer(self->consumer, &c, NULL), 0);
	for (i = 0; i < 5; i++) {
		for (v = 0; v < 100; v++) {
			ASSERT_EQ(spscring_push(&p, &(__u64){ ~v }), 0)
				TH_LOG("record %d", (int)v);
		}
		ASSERT_EQ(push_answer(&p, &v), -EAGAIN);
		while (!spscring_pop(&c, &v))
			;
		ASSERT_EQ(pop_answer(&c, &v), -EAGAIN);
	}
	EXPECT_EQ(not_zero(self->all + g->consumer_offset, 0, g->page_size, consumer,
			   ARRAY_SIZE(consumer)), -1);
	EXPECT_EQ(not_zero(self->all + g->producer_offset, 0, g->page_size, producer,
			   ARRAY_SIZE(producer)), -1);
	EXPECT_EQ(not_zero(self->all + g->info_offset, sizeof(struct spscring_info_page),
			   g->page_size, states, 4), -1);

	c_lines = (const void *)(self->all + g->consumer_offset + g->colour);
	p_lines = (const void *)(self->all + g->producer_offset + g->colour);
	EXPECT_EQ(p_lines->cursor.word, 500);
	EXPECT_EQ(c_lines->cursor.word, 500);
	EXPECT_GT(c_lines->told.word, 500 - g->capacity);
	EXPECT_LE(c_lines->told.word, 500);
	EXPECT_GT(p_lines->counters.word, 0);
	EXPECT_GT(c_lines->counters.word, 0);
	EXPECT_EQ(kernel->producer.word, 1ULL << 32 | SPSCRING_HELD);
	EXPECT_EQ(kernel->consumer.word, 1ULL << 32 | SPSCRING_HELD);
}

/* Likewise where records are of any size. */
TEST(records_reserved_stays_zero)
{
	static const __u32 modes[] = {
		SPSCRING_CREATE_RECORDS, SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP,
		SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE,
	};
	size_t consumer[] = {
		WORD(spscring_consumer_lines, cursor), WORD(spscring_consumer_lines, cursor) + 8,
		WORD(spscring_consumer_lines, told), WORD(spscring_consumer_lines, counters),
		COUNTER(spscring_consumer_lines, SPSCRING_COUNT_OVERRUNS),
	};
	size_t producer[] = {
		WORD(spscring_producer_lines, cursor), WORD(spscring_producer_lines, cursor) + 8,
		WORD(spscring_producer_lines, oldest), WORD(spscring_producer_lines, oldest) + 8,
		WORD(spscring_producer_lines, counters),
		COUNTER(spscring_producer_lines, SPSCRING_COUNT_DROPS),
		COUNTER(spscring_producer_lines, SPSCRING_COUNT_HIGH_WATER),
		COUNTER(spscring_producer_lines, SPSCRING_COUNT_FULL_AT),
	};
	struct spscring_geometry g;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	size_t mode, i;
	char *all, to[100];
	int ring, last = 0, k;

	SKIP_WITHOUT_DEVICE();
	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		ring = spscring_open(RING(.capacity = 1000, .flags = modes[mode]));
		ASSERT_GE(ring, 0);
		g = info_of(ring).geometry;
		all = mmap(NULL, g.memory, PROT_READ, MAP_SHARED, ring, 0);
		ASSERT_NE(all, MAP_FAILED);
		ASSERT_EQ(record_map_producer(claim_end(ring, SPSCRING_PRODUCER, 0), &p, NULL), 0);
		ASSERT_EQ(record_map_consumer(claim_end(ring, SPSCRING_CONSUMER, 0), &c, NULL), 0);
		for (i = 0; i < 500; i++) {
			spscring_record_push(&p, &p, 100);
			if (i % 20 > 15)
				while (spscring_record_pop(&c, to, 100) >= 0)
					;
		}
		for (i = 0; i < ARRAY_SIZE(consumer); i++)
			consumer[i] += g.colour - last;
		for (i = 0; i < ARRAY_SIZE(producer); i++)
			producer[i] += g.colour - last;
		last = g.colour;
		k = ARRAY_SIZE(consumer);
		EXPECT_EQ(not_zero(all + g.consumer_offset, 0, g.page_size, consumer, k), -1);
		k = ARRAY_SIZE(producer);
		EXPECT_EQ(not_zero(all + g.producer_offset, 0, g.page_size, producer, k), -1);
		munmap(all, g.memory);
		close(ring);
	}
}

/* State and generation where the inlines look for them, broken where it is. */
TEST_F(pages, kernel_lines)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const struct spscring_kernel_lines *kernel =
		spscring_kernel_lines(g, self->all + g->info_offset);

	EXPECT_EQ(READ_ONCE(kernel->consumer.word), 1ULL << 32 | SPSCRING_HELD);
	EXPECT_EQ(spscring_shutdown(self->consumer, 0), 0);
	EXPECT_EQ(READ_ONCE(kernel->consumer.word), 1ULL << 32 | SPSCRING_SHUT_DOWN);

	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(READ_ONCE(kernel->producer.word), 1ULL << 32 | SPSCRING_DEAD);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	EXPECT_EQ(READ_ONCE(kernel->producer.word), 2ULL << 32 | SPSCRING_HELD);

	EXPECT_EQ(READ_ONCE(kernel->broken.word), 0);
	EXPECT_EQ(spscring_shutdown(self->producer, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(READ_ONCE(kernel->broken.word), 1);
	EXPECT_EQ(info_of(self->ring).broken, 1);
	/* a while after the first claims it is without SPSCRING_FENCE */
	EXPECT_EQ(READ_ONCE(kernel->consumer_wants.word) | SPSCRING_FENCE,
		  SPSCRING_NOBODY | SPSCRING_FENCE);
	EXPECT_EQ(READ_ONCE(kernel->producer_wants.word) | SPSCRING_FENCE,
		  SPSCRING_NOBODY | SPSCRING_FENCE);
}

TEST(colours)
{
	__u32 colour[SPSCRING_COLOURS], seen = 0;
	int i, ring;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < SPSCRING_COLOURS; i++) {
		ring = spscring_open(RING(.capacity = 1, .record_size = 1));
		ASSERT_GE(ring, 0);
		colour[i] = info_of(ring).geometry.colour;
		EXPECT_EQ(colour[i] % SPSCRING_LINE, 0);
		ASSERT_LT(colour[i], SPSCRING_COLOURS * SPSCRING_LINE);
		if (i)
			EXPECT_NE(colour[i], colour[i - 1]);
		seen |= 1U << colour[i] / SPSCRING_LINE;
		close(ring);
	}
	/* somebody else may make rings meanwhile */
	EXPECT_GE(__builtin_popcount(seen), SPSCRING_COLOURS / 2);
}

/* -------------------------------------------------- structs that can grow */

#define grow_t	FIXTURE_VARIANT(grow)

FIXTURE(grow) {};

FIXTURE_VARIANT(grow)
{
	unsigned long cmd;
	__u32 size;
	__u32 first;		/* of the first version, where it has grown since */
	bool ring, end;		/* what the ioctl is called on; neither: an empty fd */
	__u32 flags;		/* what is known */
	union {
		struct spscring_create create;
		struct spscring_endpoint endpoint;
		struct spscring_notify notify;
	} good;
};

FIXTURE_VARIANT_ADD(grow, create)
{
	.cmd = SPSCRING_CREATE, .size = sizeof(struct spscring_create),
	.flags = SPSCRING_CREATE_NUMA_NODE | SPSCRING_CREATE_BUSY_POLL |
		 SPSCRING_CREATE_FENCE,
	.good.create = { .capacity = 1, .record_size = 1 },
};

FIXTURE_VARIANT_ADD(grow, endpoint)
{
	.cmd = SPSCRING_ENDPOINT, .size = sizeof(struct spscring_endpoint), .ring = true,
	.flags = SPSCRING_ENDPOINT_WAIT,
	.good.endpoint = { .role = SPSCRING_CONSUMER, .record_size = 1 },
};

FIXTURE_VARIANT_ADD(grow, shutdown)
{
	.cmd = SPSCRING_SHUTDOWN, .size = sizeof(struct spscring_shutdown), .end = true,
	.flags = SPSCRING_SHUTDOWN_BROKEN,
};

FIXTURE_VARIANT_ADD(grow, info)
{
	.cmd = SPSCRING_INFO, .size = sizeof(struct spscring_info), .ring = true,
	.first = 224,
};

FIXTURE_VARIANT_ADD(grow, wait)
{
	.cmd = SPSCRING_WAIT, .size = sizeof(struct spscring_wait), .end = true,
	.flags = SPSCRING_WAIT_ARM,
};

FIXTURE_VARIANT_ADD(grow, notify)
{
	.cmd = SPSCRING_NOTIFY, .size = sizeof(struct spscring_notify), .end = true,
	.good.notify = { .eventfd = -1 },
};

FIXTURE_SETUP(grow)
{
	SKIP_WITHOUT_DEVICE();
}

FIXTURE_TEARDOWN(grow)
{
}

/* The ioctl on an object of its own, so that one success is not in the next's way. */
static int fresh_call(const grow_t *variant, void *arg)
{
	int fd = device_open(), end = -1, ret;

	if (fd < 0)
		return fd;
	if (variant->ring || variant->end)
		do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .record_size = 1));
	if (variant->end)
		end = claim_end(fd, SPSCRING_PRODUCER, 0);
	ret = do_ioctl(variant->end ? end : fd, variant->cmd, arg);
	if (variant->cmd == SPSCRING_ENDPOINT && ret >= 0) {
		close(ret);
		ret = 0;
	}
	close_fd(&end);
	close(fd);
	return ret;
}

static int call_with(const grow_t *variant, __u32 size, __u32 flags,
		     __u32 dirty_at)
{
	char buf[8192] = {};

	memcpy(buf, &variant->good, sizeof(variant->good));
	memcpy(buf, &size, sizeof(size));
	memcpy(buf + 4, &flags, sizeof(flags));
	if (dirty_at)
		buf[dirty_at] = 1;
	return fresh_call(variant, buf);
}

TEST_F(grow, size)
{
	const __u32 known = variant->size, first = variant->first ?: known;

	EXPECT_EQ(call_with(variant, known, 0, 0), 0);
	EXPECT_EQ(call_with(variant, first, 0, 0), 0);
	EXPECT_EQ(call_with(variant, 0, 0, 0), -EINVAL);
	EXPECT_EQ(call_with(variant, 4, 0, 0), -EINVAL);
	EXPECT_EQ(call_with(variant, first - 1, 0, 0), -EINVAL);
	EXPECT_EQ(call_with(variant, known + 1, 0, 0), 0);
	EXPECT_EQ(call_with(variant, known + 64, 0, 0), 0);
	EXPECT_EQ(call_with(variant, known + 1, 0, known), -E2BIG);
	EXPECT_EQ(call_with(variant, known + 64, 0, known + 63), -E2BIG);
	/* what lies behind the size is not looked at */
	EXPECT_EQ(call_with(variant, known + 63, 0, known + 63), 0);
}

TEST_F(grow, flags)
{
	__u32 bit;

	for (bit = 1; bit; bit <<= 1) {
		if (bit & variant->flags)
			continue;
		EXPECT_EQ(call_with(variant, variant->size, bit, 0), -EINVAL)
			TH_LOG("flag %#x", bit);
	}
}

TEST_F(grow, address)
{
	const long page = sysconf(_SC_PAGESIZE);
	__u32 longer = variant->size + 8;
	char *two, *at;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = two + page - variant->size;
	ASSERT_NE(two, MAP_FAILED);
	ASSERT_EQ(munmap(two + page, page), 0);
	EXPECT_EQ(fresh_call(variant, NULL), -EFAULT);
	EXPECT_EQ(fresh_call(variant, (void *)~0UL), -EFAULT);
	EXPECT_EQ(fresh_call(variant, (void *)(1UL << 63)), -EFAULT);
	EXPECT_EQ(fresh_call(variant, two + page), -EFAULT);

	/* up to the last byte that is there, and one field further */
	memcpy(at, &variant->good, sizeof(variant->good) < variant->size ?
	       sizeof(variant->good) : variant->size);
	memcpy(at, &variant->size, sizeof(variant->size));
	EXPECT_EQ(fresh_call(variant, at), 0);
	memset(at + 4, 0, 4);
	memcpy(at, &longer, sizeof(longer));
	EXPECT_EQ(fresh_call(variant, at), -EFAULT);
	munmap(two, page);
}

TEST_F(grow, info_is_told_the_size)
{
	struct { struct spscring_info info; char more[64]; } arg = { .info.size = sizeof(arg) };

	if (variant->cmd != SPSCRING_INFO)
		return;
	EXPECT_EQ(fresh_call(variant, &arg), 0);
	EXPECT_EQ(arg.info.size, sizeof(struct spscring_info));
	EXPECT_EQ(arg.info.geometry.capacity, 1);
	EXPECT_EQ(arg.info.reserved, 0);
}

/* ----------------------------------------------------------- which fd what */

FIXTURE(fds)
{
	int empty, ring, producer, consumer;
};

FIXTURE_SETUP(fds)
{
	SKIP_WITHOUT_DEVICE();
	self->empty = device_open();
	ASSERT_GE(self->empty, 0);
	self->ring = spscring_open(RING(.capacity = 10, .record_size = 3, .name = "fds"));
	ASSERT_GE(self->ring, 0);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->producer, 0);
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->consumer, 0);
}

FIXTURE_TEARDOWN(fds)
{
	close_fd(&self->empty);
	close_fd(&self->producer);
	close_fd(&self->consumer);
	close_fd(&self->ring);
}

TEST_F(fds, unknown_ioctl)
{
	const int fds[] = { self->empty, self->ring, self->producer, self->consumer };
	const unsigned long cmds[] = {
		_IO(SPSCRING_IOC, 7), _IO(SPSCRING_IOC, 255), _IO(0xEE, 0), 0,
		_IOW(SPSCRING_IOC, 0, struct spscring_create),
		_IOWR(SPSCRING_IOC, 3, struct spscring_info),
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		for (k = 0; k < ARRAY_SIZE(cmds); k++) {
			EXPECT_EQ(do_ioctl(fds[i], cmds[k], NULL), -ENOTTY)
				TH_LOG("fd %zu, ioctl %#lx", i, cmds[k]);
		}
}

TEST_F(fds, info)
{
	const int fds[] = { self->ring, self->producer, self->consumer };
	struct spscring_info info;
	struct spscring_producer p;
	size_t i;

	EXPECT_EQ(spscring_get_info(self->empty, &info), -EBADFD);
	ASSERT_EQ(map_producer(self->producer, &p, NULL), 0);
	ASSERT_EQ(spscring_push(&p, "abc"), 0);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_EQ(spscring_get_info(fds[i], &info), 0);
		EXPECT_EQ(info.size, sizeof(info));
		EXPECT_EQ(info.flags, 0);
		EXPECT_EQ(info.geometry.capacity, 10);
		EXPECT_EQ(info.geometry.record_size, 3);
		EXPECT_STREQ((const char *)info.name, "fds");
		EXPECT_EQ(info.head, 0);
		EXPECT_EQ(info.tail, 1);
		EXPECT_EQ(info.length, 1);
		EXPECT_EQ(info.free, 9);
		EXPECT_EQ(info.producer_state, SPSCRING_HELD);
		EXPECT_EQ(info.producer_generation, 1);
		EXPECT_EQ(info.consumer_state, SPSCRING_HELD);
		EXPECT_EQ(info.consumer_generation, 1);
		EXPECT_EQ(info.broken, 0);
		EXPECT_EQ(info.reserved, 0);
	}
}

TEST_F(fds, fdinfo)
{
	const int fds[] = { self->ring, self->producer, self->consumer };
	const char * const roles[] = { "none", "producer", "consumer" };
	char path[64], text[2048], role[64];
	size_t i, n;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fds[i]);
		f = fopen(path, "r");
		ASSERT_NE(f, NULL);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = 0;
		snprintf(role, sizeof(role), "\nspscring-role:\t%s\n", roles[i]);
		EXPECT_NE(strstr(text, role), NULL);
		EXPECT_NE(strstr(text, "\nspscring-id:\t"), NULL);
		EXPECT_NE(strstr(text, "\nspscring-name:\tfds\n"), NULL);
		EXPECT_NE(strstr(text, "\nrecord-size:\t3\n"), NULL);
		EXPECT_NE(strstr(text, "\ncapacity:\t10\n"), NULL);
		EXPECT_NE(strstr(text, "\nlength:\t0\n"), NULL);
		EXPECT_NE(strstr(text, "\nproducer:\theld 1\n"), NULL);
		EXPECT_NE(strstr(text, "\nconsumer:\theld 1\n"), NULL);
		EXPECT_NE(strstr(text, "\nbroken:\t0\n"), NULL);
	}
}

#ifdef __x86_64__
#define I386_IOCTL	54

static int ioctl_32(int fd, unsigned int cmd, void *low)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (I386_IOCTL), "b" (fd), "c" (cmd), "d" (low)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static bool user_mode_linux(void)
{
	char line[256];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "User Mode Linux");
	if (f)
		fclose(f);
	return found;
}

TEST_F(fds, compat)
{
	const int fds[] = { self->empty, self->ring, self->producer, self->consumer };
	struct spscring_info *info;
	unsigned int cmd;
	size_t i;
	pid_t pid;
	int end;

	if (user_mode_linux())
		SKIP(return, "User Mode Linux has no 32-bit system calls");
	pid = fork_child();
	if (!pid) {
		ioctl_32(-1, 0, NULL);
		_exit(0);
	}
	end = wait_child(pid);
	if (end)
		SKIP(return, "no 32-bit system calls here (a child ended by %d)", end);

	info = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(info, MAP_FAILED);
	info->size = sizeof(*info);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		for (cmd = SPSCRING_CREATE; cmd <= SPSCRING_INFO + 1; cmd++)
			EXPECT_EQ(ioctl_32(fds[i], cmd, info), -EOPNOTSUPP);
}
#endif

TEST_HARNESS_MAIN
