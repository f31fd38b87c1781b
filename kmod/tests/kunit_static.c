// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: rings that the compiler lays out.
 */
#include <linux/uio.h>

#include "fixture.h"
#include "trace.h"

struct odd {
	u8 bytes[13];
};

struct line {
	u64 words[8];
} __aligned(64);

struct page_and_more {
	u8 bytes[5000];
};

static DEFINE_SPSCRING(numbers, u64, 256);
static DEFINE_SPSCRING(one_byte, u8, 1);
static DEFINE_SPSCRING(odds, struct odd, 100);
static DEFINE_SPSCRING(lines, struct line, 17);
static DEFINE_SPSCRING(larges, struct page_and_more, 3);

/* A ring of either kind: what the compiler has made of it. */
struct made {
	const char *name;
	struct spscring_producer *p;
	struct spscring_consumer *c;
	struct spscring_blocks blocks;
	void *data;
	size_t data_bytes;
	u64 capacity;
	u32 size;
};

#define MADE(ring, type, n) {						\
	.name = #ring, .p = &(ring).producer, .c = &(ring).consumer,	\
	.blocks = { &(ring).consumer_block, &(ring).producer_block,	\
		    &(ring).kernel_block },				\
	.data = (ring).data, .data_bytes = sizeof((ring).data),		\
	.capacity = (n), .size = sizeof(type),				\
}

static const struct made rings[] = {
	MADE(numbers, u64, 256), MADE(one_byte, u8, 1), MADE(odds, struct odd, 100),
	MADE(lines, struct line, 17), MADE(larges, struct page_and_more, 3),
};

static int lay_out(struct spscring_geometry *g, u32 size, u64 capacity)
{
	return spscring_geometry_init(g, &(struct spscring_create) {
		.capacity = capacity, .element_size = size, .flags = SPSCRING_CREATE_BUSY_POLL,
	}, PAGE_SIZE);
}

/* The compiler's handles are those that are made at run time, to the last byte. */
static void static_handles(struct kunit *test)
{
	struct spscring_kernel_block kernel = {};
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		const struct made *m = &rings[i];
		struct spscring_geometry g;

		KUNIT_ASSERT_EQ(test, lay_out(&g, m->size, m->capacity), 0);
		KUNIT_EXPECT_EQ(test, g.frames * g.frame_size, m->data_bytes);
		KUNIT_ASSERT_EQ(test, spscring_producer_begin(&f->p, &g, &m->blocks, m->data), 0);
		KUNIT_ASSERT_EQ(test, spscring_consumer_begin(&f->c, &g, &m->blocks, m->data), 0);
		KUNIT_EXPECT_MEMEQ_MSG(test, m->p, &f->p, sizeof(f->p), "%s", m->name);
		KUNIT_EXPECT_MEMEQ_MSG(test, m->c, &f->c, sizeof(f->c), "%s", m->name);
		spscring_kernel_block_init(&kernel, SPSCRING_CREATE_BUSY_POLL);
		KUNIT_EXPECT_EQ(test, m->blocks.kernel->consumer_event, kernel.consumer_event);
		KUNIT_EXPECT_EQ(test, m->blocks.kernel->producer_event, kernel.producer_event);
	}
}

/* The macros compute what spscring_geometry_init() does, for any size and capacity. */
static void static_geometry(struct kunit *test)
{
	static const u32 capacities[] = { 1, 2, 7, 8, 63, 1000, 4096, 1 << 20 };
	u32 size, wrong = 0, i;
	struct spscring_geometry g;

	for (size = 1; size <= SPSCRING_ELEMENT_MAX; size += size < 2100 ? 1 : 1021) {
		for (i = 0; i < ARRAY_SIZE(capacities); i++) {
			unsigned long n = capacities[i], bytes = size;
			unsigned long frame = __SPSCRING_FRAME(bytes, n);

			if (lay_out(&g, size, n))
				continue;	/* more data than a ring can have */
			wrong += frame != g.frame_size ||
				 __SPSCRING_FIRST(bytes) != g.frame_first ||
				 __SPSCRING_SLOTS(bytes, frame) != g.frame_elements ||
				 __SPSCRING_FRAMES(bytes, n) != g.frames || bytes != g.stride;
		}
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, lay_out(&g, SPSCRING_ELEMENT_MAX, 2), 0);
}

/* Move elements through one ring for some laps, full to empty. */
static void move_all(struct kunit *test, const struct made *m)
{
	u8 *in = kunit_kzalloc(test, m->size, GFP_KERNEL);
	u8 *out = kunit_kzalloc(test, m->size, GFP_KERNEL);
	u64 pushed = 0, popped = 0;
	const void *peeked;
	int lap;

	KUNIT_ASSERT_TRUE(test, in && out);
	KUNIT_EXPECT_EQ(test, spscring_pop(m->c, out), -EAGAIN);
	for (lap = 0; lap < 5; lap++) {
		for (;; pushed++) {
			fill(in, m->size, pushed);
			if (spscring_push(m->p, in))
				break;
			KUNIT_EXPECT_EQ(test, spscring_consumer_length(m->c), pushed + 1 - popped);
		}
		KUNIT_EXPECT_EQ(test, pushed - popped, m->capacity);
		KUNIT_EXPECT_EQ(test, spscring_peek(m->c, &peeked), 0);
		/* not down to the last, so that the laps begin at different slots */
		for (; popped + (lap < 4) < pushed; popped++) {
			KUNIT_ASSERT_EQ(test, spscring_pop(m->c, out), 0);
			KUNIT_ASSERT_TRUE(test, is_filled(out, m->size, popped));
		}
		KUNIT_EXPECT_EQ(test, spscring_consumer_length(m->c), pushed - popped);
	}
}

static void static_moves(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rings); i++)
		move_all(test, &rings[i]);
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&numbers.producer, 1, 0), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&numbers.consumer, 1, 0), -EOPNOTSUPP);
	spscring_commit_flags(&numbers.producer, 0, SPSCRING_WAKE);
}

static void count_event(void *events, const struct spscring *ring, u64 first, u32 n)
{
	/* of other rings there may be some */
	*(int *)events += !ring;
}

/* While the tracepoints are on, such a ring works, and makes no event. */
static void static_untraced(struct kunit *test)
{
	static DEFINE_SPSCRING(untraced, u64, 20);
	u64 v[10] = {};
	int events = 0, i;

	KUNIT_ASSERT_EQ(test, register_trace_spscring_push(count_event, &events), 0);
	KUNIT_EXPECT_EQ(test, register_trace_spscring_pop(count_event, &events), 0);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, spscring_push(&untraced.producer, v), 0);
		KUNIT_EXPECT_EQ(test, spscring_push_n(&untraced.producer, v, 10), 10);
		KUNIT_EXPECT_EQ(test, spscring_pop(&untraced.consumer, v), 0);
		KUNIT_EXPECT_EQ(test, spscring_pop_n(&untraced.consumer, v, 10), 10);
	}
	unregister_trace_spscring_push(count_event, &events);
	unregister_trace_spscring_pop(count_event, &events);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, events, 0);
}

/* Impossible words end it for the handle that finds them, as in any ring. */
static void static_broken(struct kunit *test)
{
	static DEFINE_SPSCRING(small, u64, 4);
	u64 v = 0;
	int i;

	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_EQ(test, spscring_push(&small.producer, &v), 0);
	small.consumer_block.cursor = 5;
	KUNIT_EXPECT_EQ(test, spscring_push(&small.producer, &v), -EPIPE);
	KUNIT_EXPECT_EQ(test, spscring_push(&small.producer, &v), -EPIPE);
}

static struct kunit_case static_cases[] = {
	KUNIT_CASE(static_handles),
	KUNIT_CASE(static_geometry),
	KUNIT_CASE(static_moves),
	KUNIT_CASE(static_untraced),
	KUNIT_CASE(static_broken),
	{}
};

static struct kunit_suite static_suite = {
	.name = "spscring_static",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = static_cases,
};

kunit_test_suite(static_suite);
