// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI stays as it is: numbers, sizes, the layout of the pages, the rules by which structs grow.
 */
#include <stddef.h>

#include "selftest.h"

/* The place of every field, written down a second time. */
#define AT(type, field, offset) { #type "." #field, offsetof(struct type, field), offset }

static const struct { const char *name; size_t is, was; } places[] = {
	AT(spscring_create, size, 0),
	AT(spscring_create, flags, 4),
	AT(spscring_create, capacity, 8),
	AT(spscring_create, element_size, 16),
	AT(spscring_create, align, 20),
	AT(spscring_create, frame_size, 24),
	AT(spscring_create, numa_node, 28),
	AT(spscring_create, type_tag, 32),
	AT(spscring_create, name, 40),
	AT(spscring_create, why, 72),
	AT(spscring_create, reserved, 76),
	AT(spscring_endpoint, size, 0),
	AT(spscring_endpoint, flags, 4),
	AT(spscring_endpoint, role, 8),
	AT(spscring_endpoint, element_size, 12),
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
	AT(spscring_geometry, element_size, 72),
	AT(spscring_geometry, stride, 76),
	AT(spscring_geometry, frame_size, 80),
	AT(spscring_geometry, frame_elements, 84),
	AT(spscring_geometry, frame_first, 88),
	AT(spscring_geometry, publish_batch, 92),
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
	AT(spscring_info, id, 416),
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
	AT(spscring_notify, watermark, 8),
	AT(spscring_notify, eventfd, 12),
	AT(spscring_notify, timeout, 16),
	AT(spscring_consumer_block, cursor, 0),
	AT(spscring_consumer_block, sequence, 8),
	AT(spscring_consumer_block, failed, 16),
	AT(spscring_consumer_block, waits, 24),
	AT(spscring_consumer_block, overruns, 40),
	AT(spscring_consumer_block, published_head, 128),
	AT(spscring_producer_block, cursor, 0),
	AT(spscring_producer_block, sequence, 8),
	AT(spscring_producer_block, failed, 16),
	AT(spscring_producer_block, waits, 24),
	AT(spscring_producer_block, drops, 40),
	AT(spscring_producer_block, high_water, 48),
	AT(spscring_producer_block, full_at, 56),
	AT(spscring_producer_block, oldest, 128),
	AT(spscring_producer_block, oldest_sequence, 136),
	AT(spscring_kernel_block, consumer_event, 0),
	AT(spscring_kernel_block, producer_event, 8),
	AT(spscring_kernel_block, consumer, 16),
	AT(spscring_kernel_block, producer, 24),
	AT(spscring_kernel_block, broken, 32),
	AT(spscring_info_page, magic, 0),
	AT(spscring_info_page, geometry, 8),
	AT(spscring_info_page, name, 136),
};

TEST(numbers)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		EXPECT_EQ(places[i].was, places[i].is)
			TH_LOG("%s", places[i].name);
	}

	EXPECT_EQ(80, sizeof(struct spscring_create));
	EXPECT_EQ(24, sizeof(struct spscring_endpoint));
	EXPECT_EQ(8, sizeof(struct spscring_shutdown));
	EXPECT_EQ(128, sizeof(struct spscring_geometry));
	EXPECT_EQ(424, sizeof(struct spscring_info));
	EXPECT_EQ(64, sizeof(struct spscring_loss));
	EXPECT_EQ(24, sizeof(struct spscring_record));
	EXPECT_EQ(24, sizeof(struct spscring_wait));
	EXPECT_EQ(24, sizeof(struct spscring_notify));
	EXPECT_EQ(168, sizeof(struct spscring_info_page));

	EXPECT_EQ(0xef00, SPSCRING_CREATE);
	EXPECT_EQ(0xef01, SPSCRING_ENDPOINT);
	EXPECT_EQ(0xef02, SPSCRING_SHUTDOWN);
	EXPECT_EQ(0xef03, SPSCRING_INFO);
	EXPECT_EQ(0xef04, SPSCRING_WAIT);
	EXPECT_EQ(0xef05, SPSCRING_KICK);
	EXPECT_EQ(0xef06, SPSCRING_NOTIFY);
	EXPECT_EQ(2, SPSCRING_CREATE_BUSY_POLL);
	EXPECT_EQ(4, SPSCRING_CREATE_FENCE);
	EXPECT_EQ(8, SPSCRING_CREATE_RECORDS);
	EXPECT_EQ(16, SPSCRING_CREATE_DROP);
	EXPECT_EQ(32, SPSCRING_CREATE_OVERWRITE);
	EXPECT_EQ(64, SPSCRING_CREATE_CLOSE_ENDS);
	EXPECT_EQ(0xffffffff, SPSCRING_WORD_LENGTH);
	EXPECT_EQ(1ULL << 32, SPSCRING_WORD_PUBLISHED);
	EXPECT_EQ(1ULL << 33, SPSCRING_WORD_DISCARDED);
	EXPECT_EQ(1ULL << 34, SPSCRING_WORD_LAP);
	EXPECT_EQ(35, SPSCRING_WORD_SEQUENCE);
	EXPECT_EQ(1, SPSCRING_WAIT_ARM);
	EXPECT_EQ(0x7fffffffffffffff, SPSCRING_EVENT_NONE);
	EXPECT_EQ(0x676e697263737073ULL, SPSCRING_MAGIC);
	EXPECT_EQ(1024, SPSCRING_KERNEL_BLOCK);
	EXPECT_EQ(128, SPSCRING_LINE);
	EXPECT_EQ(16, SPSCRING_COLOURS);
	EXPECT_EQ(1, SPSCRING_PRODUCER);
	EXPECT_EQ(2, SPSCRING_CONSUMER);
	EXPECT_EQ(0, SPSCRING_UNCLAIMED);
	EXPECT_EQ(1, SPSCRING_HELD);
	EXPECT_EQ(2, SPSCRING_SHUT_DOWN);
	EXPECT_EQ(3, SPSCRING_DEAD);
}

/* ------------------------------------------------------------- the pages */

#define TAG	0x1122334455667788ULL

FIXTURE(pages)
{
	int ring, producer, consumer;
	struct spscring_info info;
	const char *all;		/* all pages, as the ring fd maps them */
};

FIXTURE_SETUP(pages)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 100, .element_size = 8,
					.type_tag = TAG, .name = "abi"));
	ASSERT_GE(self->ring, 0);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	self->consumer = claim_end(self->ring, SPSCRING_CONSUMER, TAG);
	ASSERT_GE(self->consumer, 0);
	ASSERT_EQ(0, spscring_get_info(self->ring, &self->info));
	self->all = mmap(NULL, self->info.geometry.memory, PROT_READ, MAP_SHARED, self->ring, 0);
	ASSERT_NE(MAP_FAILED, self->all);
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

	EXPECT_EQ(SPSCRING_MAGIC, page->magic);
	EXPECT_EQ(0, memcmp(&page->geometry, g, sizeof(*g)));
	EXPECT_EQ(0, memcmp(page->name, self->info.name, sizeof(page->name)));
	EXPECT_STREQ("abi", (const char *)page->name);
	EXPECT_EQ(4, g->version);
	EXPECT_EQ(4, g->oldest_reader);
	EXPECT_EQ(0, g->features);
	EXPECT_EQ(0, g->flags);
	EXPECT_EQ(0, g->reserved);
	EXPECT_EQ(TAG, g->type_tag);
	EXPECT_EQ(100, g->capacity);
	EXPECT_EQ(8, g->element_size);
	EXPECT_EQ(sysconf(_SC_PAGESIZE), g->page_size);
	EXPECT_EQ(0, g->consumer_offset);
	EXPECT_EQ(g->page_size, g->info_offset);
	EXPECT_EQ(2 * g->page_size, g->producer_offset);
	EXPECT_EQ(3 * g->page_size, g->data_offset);
	EXPECT_EQ(g->data_offset + g->data_bytes, g->memory);
	EXPECT_EQ(0, g->data_bytes % g->page_size);
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

#define WORD(type, field)	offsetof(struct type, field)

TEST_F(pages, fresh_is_zero)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const size_t lines = SPSCRING_KERNEL_BLOCK + g->colour;
	const size_t states[] = {
		lines + WORD(spscring_kernel_block, consumer_event),
		lines + WORD(spscring_kernel_block, producer_event),
		lines + WORD(spscring_kernel_block, consumer),
		lines + WORD(spscring_kernel_block, producer),
	};

	EXPECT_EQ(-1, not_zero(self->all + g->consumer_offset, 0, g->page_size, NULL, 0));
	EXPECT_EQ(-1, not_zero(self->all + g->producer_offset, 0, g->page_size, NULL, 0));
	EXPECT_EQ(-1, not_zero(self->all + g->data_offset, 0, g->data_bytes, NULL, 0));
	EXPECT_EQ(-1, not_zero(self->all + g->info_offset, sizeof(struct spscring_info_page),
			       g->page_size, states, 4));
}

/* After laps of traffic, full and empty, only the words that the layout names have changed. */
TEST_F(pages, reserved_stays_zero)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const struct spscring_kernel_block *kernel =
		spscring_kernel_block(g, self->all + g->info_offset);
	const size_t lines = SPSCRING_KERNEL_BLOCK + g->colour;
	const size_t consumer[] = {
		g->colour + WORD(spscring_consumer_block, cursor),
		g->colour + WORD(spscring_consumer_block, published_head),
		g->colour + WORD(spscring_consumer_block, failed),
	};
	const size_t producer[] = {
		g->colour + WORD(spscring_producer_block, cursor),
		g->colour + WORD(spscring_producer_block, failed),
		g->colour + WORD(spscring_producer_block, high_water),
		g->colour + WORD(spscring_producer_block, full_at),
	};
	const size_t states[] = {
		lines + WORD(spscring_kernel_block, consumer_event),
		lines + WORD(spscring_kernel_block, producer_event),
		lines + WORD(spscring_kernel_block, consumer),
		lines + WORD(spscring_kernel_block, producer),
	};
	const struct spscring_consumer_block *c_lines;
	const struct spscring_producer_block *p_lines;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v;
	int i;

	ASSERT_EQ(0, map_producer(self->producer, &p, NULL));
	ASSERT_EQ(0, map_consumer(self->consumer, &c, NULL));
	for (i = 0; i < 5; i++) {
		for (v = 0; v < 100; v++) {
			ASSERT_EQ(0, spscring_push(&p, &(__u64){ ~v }))
				TH_LOG("record %d", (int)v);
		}
		ASSERT_EQ(-EAGAIN, push_answer(&p, &v));
		while (!spscring_pop(&c, &v))
			;
		ASSERT_EQ(-EAGAIN, pop_answer(&c, &v));
	}
	EXPECT_EQ(-1, not_zero(self->all + g->consumer_offset, 0, g->page_size, consumer,
			       ARRAY_SIZE(consumer)));
	EXPECT_EQ(-1, not_zero(self->all + g->producer_offset, 0, g->page_size, producer,
			       ARRAY_SIZE(producer)));
	EXPECT_EQ(-1, not_zero(self->all + g->info_offset, sizeof(struct spscring_info_page),
			       g->page_size, states, 4));

	c_lines = (const void *)(self->all + g->consumer_offset + g->colour);
	p_lines = (const void *)(self->all + g->producer_offset + g->colour);
	EXPECT_EQ(500, p_lines->cursor);
	EXPECT_EQ(500, c_lines->cursor);
	EXPECT_GT(c_lines->published_head, 500 - g->capacity);
	EXPECT_LE(c_lines->published_head, 500);
	EXPECT_GT(p_lines->failed, 0);
	EXPECT_GT(c_lines->failed, 0);
	EXPECT_EQ(1ULL << 32 | SPSCRING_HELD, kernel->producer);
	EXPECT_EQ(1ULL << 32 | SPSCRING_HELD, kernel->consumer);
}

/* The same in a ring of records of variable size. */
TEST(records_reserved_stays_zero)
{
	static const __u32 modes[] = {
		SPSCRING_CREATE_RECORDS, SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP,
		SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE,
	};
	size_t consumer[] = {
		WORD(spscring_consumer_block, cursor), WORD(spscring_consumer_block, sequence),
		WORD(spscring_consumer_block, published_head),
		WORD(spscring_consumer_block, failed), WORD(spscring_consumer_block, overruns),
	};
	size_t producer[] = {
		WORD(spscring_producer_block, cursor), WORD(spscring_producer_block, sequence),
		WORD(spscring_producer_block, oldest),
		WORD(spscring_producer_block, oldest_sequence),
		WORD(spscring_producer_block, failed), WORD(spscring_producer_block, drops),
		WORD(spscring_producer_block, high_water),
		WORD(spscring_producer_block, full_at),
	};
	struct spscring_geometry g;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	size_t mode, i;
	char *all, to[100];
	size_t last = 0;
	int ring, k;

	SKIP_WITHOUT_DEVICE();
	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		ring = spscring_open(RING(.capacity = 1000, .flags = modes[mode]));
		ASSERT_GE(ring, 0);
		g = info_of(ring).geometry;
		all = mmap(NULL, g.memory, PROT_READ, MAP_SHARED, ring, 0);
		ASSERT_NE(MAP_FAILED, all);
		ASSERT_EQ(0, record_map_producer(claim_end(ring, SPSCRING_PRODUCER, 0), &p, NULL));
		ASSERT_EQ(0, record_map_consumer(claim_end(ring, SPSCRING_CONSUMER, 0), &c, NULL));
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
		EXPECT_EQ(-1, not_zero(all + g.consumer_offset, 0, g.page_size, consumer, k));
		k = ARRAY_SIZE(producer);
		EXPECT_EQ(-1, not_zero(all + g.producer_offset, 0, g.page_size, producer, k));
		munmap(all, g.memory);
		close(ring);
	}
}

/* The kernel stores state, generation and broken where the inlines read them. */
TEST_F(pages, kernel_lines)
{
	const struct spscring_geometry *g = &self->info.geometry;
	const struct spscring_kernel_block *kernel =
		spscring_kernel_block(g, self->all + g->info_offset);

	EXPECT_EQ(1ULL << 32 | SPSCRING_HELD, READ_ONCE(kernel->consumer));
	EXPECT_EQ(0, spscring_shutdown(self->consumer, 0));
	EXPECT_EQ(1ULL << 32 | SPSCRING_SHUT_DOWN, READ_ONCE(kernel->consumer));

	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(1ULL << 32 | SPSCRING_DEAD, READ_ONCE(kernel->producer));
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, TAG);
	ASSERT_GE(self->producer, 0);
	EXPECT_EQ(2ULL << 32 | SPSCRING_HELD, READ_ONCE(kernel->producer));

	EXPECT_EQ(0, READ_ONCE(kernel->broken));
	EXPECT_EQ(0, spscring_shutdown(self->producer, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(1, READ_ONCE(kernel->broken));
	EXPECT_EQ(1, info_of(self->ring).broken);
	/* the kernel clears SPSCRING_EVENT_FENCE a while after the first claims */
	EXPECT_EQ(SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE,
		  READ_ONCE(kernel->consumer_event) | SPSCRING_EVENT_FENCE);
	EXPECT_EQ(SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE,
		  READ_ONCE(kernel->producer_event) | SPSCRING_EVENT_FENCE);
}

TEST(colours)
{
	__u32 colour[SPSCRING_COLOURS], seen = 0;
	int i, ring;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < SPSCRING_COLOURS; i++) {
		ring = spscring_open(RING(.capacity = 1, .element_size = 1));
		ASSERT_GE(ring, 0);
		colour[i] = info_of(ring).geometry.colour;
		EXPECT_EQ(0, colour[i] % SPSCRING_LINE);
		ASSERT_LT(colour[i], SPSCRING_COLOURS * SPSCRING_LINE);
		if (i)
			EXPECT_NE(colour[i - 1], colour[i]);
		seen |= 1U << colour[i] / SPSCRING_LINE;
		close(ring);
	}
	/* another process may create rings meanwhile and use up some of the colours */
	EXPECT_GE(__builtin_popcount(seen), SPSCRING_COLOURS / 2);
}

/* -------------------------------------------------- structs that can grow */

#define grow_t	FIXTURE_VARIANT(grow)

FIXTURE(grow) {};

FIXTURE_VARIANT(grow)
{
	unsigned long cmd;
	__u32 size;
	__u32 first;		/* its size in the first version, if it has grown */
	bool ring, end;		/* the fd that the ioctl takes; neither: an fd without a ring */
	__u32 flags;		/* those that exist */
	union {
		struct spscring_create create;
		struct spscring_endpoint endpoint;
		struct spscring_notify notify;
	} good;
};

FIXTURE_VARIANT_ADD(grow, create)
{
	.cmd = SPSCRING_CREATE, .size = sizeof(struct spscring_create), .first = 72,
	.flags = SPSCRING_CREATE_NUMA_NODE | SPSCRING_CREATE_BUSY_POLL |
		 SPSCRING_CREATE_FENCE | SPSCRING_CREATE_CLOSE_ENDS,
	.good.create = { .capacity = 1, .element_size = 1 },
};

FIXTURE_VARIANT_ADD(grow, endpoint)
{
	.cmd = SPSCRING_ENDPOINT, .size = sizeof(struct spscring_endpoint), .ring = true,
	.flags = SPSCRING_ENDPOINT_WAIT,
	.good.endpoint = { .role = SPSCRING_CONSUMER, .element_size = 1 },
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

/* Each call has a ring of its own, so that a success does not prevent the next one. */
static int fresh_call(const grow_t *variant, void *arg)
{
	int fd = device_open(), end = -1, ret;

	if (fd < 0)
		return fd;
	if (variant->ring || variant->end)
		do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .element_size = 1));
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

	EXPECT_EQ(0, call_with(variant, known, 0, 0));
	EXPECT_EQ(0, call_with(variant, first, 0, 0));
	EXPECT_EQ(-EINVAL, call_with(variant, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call_with(variant, 4, 0, 0));
	EXPECT_EQ(-EINVAL, call_with(variant, first - 1, 0, 0));
	EXPECT_EQ(0, call_with(variant, known + 1, 0, 0));
	EXPECT_EQ(0, call_with(variant, known + 64, 0, 0));
	EXPECT_EQ(-E2BIG, call_with(variant, known + 1, 0, known));
	EXPECT_EQ(-E2BIG, call_with(variant, known + 64, 0, known + 63));
	/* the kernel ignores bytes after the size that the caller names */
	EXPECT_EQ(0, call_with(variant, known + 63, 0, known + 63));
}

TEST_F(grow, flags)
{
	__u32 bit;

	for (bit = 1; bit; bit <<= 1) {
		if (bit & variant->flags)
			continue;
		EXPECT_EQ(-EINVAL, call_with(variant, variant->size, bit, 0))
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
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, munmap(two + page, page));
	EXPECT_EQ(-EFAULT, fresh_call(variant, NULL));
	EXPECT_EQ(-EFAULT, fresh_call(variant, (void *)~0UL));
	EXPECT_EQ(-EFAULT, fresh_call(variant, (void *)(1UL << 63)));
	EXPECT_EQ(-EFAULT, fresh_call(variant, two + page));

	/* a struct that ends where the memory ends, and one that is a field longer */
	memcpy(at, &variant->good, sizeof(variant->good) < variant->size ?
	       sizeof(variant->good) : variant->size);
	memcpy(at, &variant->size, sizeof(variant->size));
	EXPECT_EQ(0, fresh_call(variant, at));
	memset(at + 4, 0, 4);
	memcpy(at, &longer, sizeof(longer));
	EXPECT_EQ(-EFAULT, fresh_call(variant, at));
	munmap(two, page);
}

TEST_F(grow, info_is_told_the_size)
{
	struct { struct spscring_info info; char more[64]; } arg = { .info.size = sizeof(arg) };

	if (variant->cmd != SPSCRING_INFO)
		return;
	EXPECT_EQ(0, fresh_call(variant, &arg));
	EXPECT_EQ(sizeof(struct spscring_info), arg.info.size);
	EXPECT_EQ(1, arg.info.geometry.capacity);
	EXPECT_EQ(0, arg.info.reserved);
}

/* ------------------------------------------------ which call is for which fd */

FIXTURE(fds)
{
	int empty, ring, producer, consumer;
};

FIXTURE_SETUP(fds)
{
	SKIP_WITHOUT_DEVICE();
	self->empty = device_open();
	ASSERT_GE(self->empty, 0);
	self->ring = spscring_open(RING(.capacity = 10, .element_size = 3, .name = "fds"));
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
			EXPECT_EQ(-ENOTTY, do_ioctl(fds[i], cmds[k], NULL))
				TH_LOG("fd %zu, ioctl %#lx", i, cmds[k]);
		}
}

TEST_F(fds, info)
{
	const int fds[] = { self->ring, self->producer, self->consumer };
	struct spscring_info info;
	struct spscring_producer p;
	size_t i;

	EXPECT_EQ(-EBADFD, spscring_get_info(self->empty, &info));
	ASSERT_EQ(0, map_producer(self->producer, &p, NULL));
	ASSERT_EQ(0, spscring_push(&p, "abc"));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_EQ(0, spscring_get_info(fds[i], &info));
		EXPECT_EQ(sizeof(info), info.size);
		EXPECT_EQ(0, info.flags);
		EXPECT_EQ(10, info.geometry.capacity);
		EXPECT_EQ(3, info.geometry.element_size);
		EXPECT_STREQ("fds", (const char *)info.name);
		EXPECT_EQ(0, info.head);
		EXPECT_EQ(1, info.tail);
		EXPECT_EQ(1, info.length);
		EXPECT_EQ(9, info.free);
		EXPECT_EQ(SPSCRING_HELD, info.producer_state);
		EXPECT_EQ(1, info.producer_generation);
		EXPECT_EQ(SPSCRING_HELD, info.consumer_state);
		EXPECT_EQ(1, info.consumer_generation);
		EXPECT_EQ(0, info.broken);
		EXPECT_EQ(0, info.reserved);
	}
}

TEST_F(fds, fdinfo)
{
	const int fds[] = { self->ring, self->producer, self->consumer };
	const char * const roles[] = { "none", "producer", "consumer" };
	char path[64], text[4096], role[64];
	size_t i, n;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fds[i]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = 0;
		snprintf(role, sizeof(role), "\nspscring-role:\t%s\n", roles[i]);
		EXPECT_NE(NULL, strstr(text, role));
		EXPECT_NE(NULL, strstr(text, "\nspscring-id:\t"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-name:\tfds\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-kind:\telements\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-element-size:\t3\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-capacity:\t10\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-length:\t0\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-producer:\theld\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-producer-generation:\t1\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-consumer:\theld\n"));
		EXPECT_NE(NULL, strstr(text, "\nspscring-broken:\t0\n"));
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
	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		for (cmd = SPSCRING_CREATE; cmd <= SPSCRING_INFO + 1; cmd++)
			EXPECT_EQ(-EOPNOTSUPP, ioctl_32(fds[i], cmd, info));
}
#endif

TEST_HARNESS_MAIN
