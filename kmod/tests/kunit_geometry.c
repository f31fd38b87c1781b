// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the geometry of a ring, and requests that CREATE refuses.
 */
#include <linux/mm.h>

#include "fixture.h"
#include "kunit_sizes.h"

/* A request that CREATE refuses, and its errno. */
struct bad_case {
	const char *name;
	struct spscring_create want;
	int err;
};

static const struct bad_case bad_geometries[] = {
	{ "record size 0", { .capacity = 1 }, -EINVAL },
	{ "record size 65537", { .capacity = 1, .element_size = 65537 }, -EINVAL },
	{ "record size 2^32-1", { .capacity = 1, .element_size = U32_MAX }, -EINVAL },
	{ "capacity 0", { .element_size = 8 }, -EINVAL },
	{ "alignment 3", { .capacity = 1, .element_size = 8, .align = 3 }, -EINVAL },
	{ "alignment 128", { .capacity = 1, .element_size = 8, .align = 128 }, -EINVAL },
	{ "frame 96", { .capacity = 1, .element_size = 8, .frame_size = 96 }, -EINVAL },
	{ "frame 32", { .capacity = 1, .element_size = 8, .frame_size = 32 }, -EINVAL },
	{ "frame 2^21", { .capacity = 1, .element_size = 8, .frame_size = 1 << 21 }, -EINVAL },
	{ "frame without room for one", { .capacity = 1, .element_size = 57, .frame_size = 64 },
	  -EINVAL },
	{ "capacity 2^32+1", { .capacity = SPSCRING_DATA_MAX + 1, .element_size = 1 }, -E2BIG },
	{ "capacity 2^64-1", { .capacity = U64_MAX, .element_size = 8 }, -E2BIG },
	{ "data one frame too large",
	  { .capacity = (SPSCRING_DATA_MAX / 64) * 7 + 1, .element_size = 8, .frame_size = 64 },
	  -E2BIG },
	{ "data too large", { .capacity = 1 << 16, .element_size = 65536 }, -E2BIG },
};

static const struct bad_case bad_creates[] = {
	{ "an unknown flag", { .capacity = 1, .element_size = 8, .flags = 128 }, -EINVAL },
	{ "a node without its flag", { .capacity = 1, .element_size = 8,
				       .numa_node = 1 }, -EINVAL },
	{ "a node below 0", { .capacity = 1, .element_size = 8, .numa_node = -1,
			      .flags = SPSCRING_CREATE_NUMA_NODE }, -EINVAL },
	{ "a node that does not exist",
	  { .capacity = 1, .element_size = 8, .numa_node = 1 << 20,
	    .flags = SPSCRING_CREATE_NUMA_NODE }, -EINVAL },
	{ "a name with a newline", { .capacity = 1, .element_size = 8, .name = "a\nb" }, -EINVAL },
	{ "a name with Latin-1", { .capacity = 1, .element_size = 8, .name = "\xe9" }, -EINVAL },
	{ "a name with text after its end",
	  { .capacity = 1, .element_size = 8, .name = "a\0b" }, -EINVAL },
};

static void bad_desc(const struct bad_case *bad, char *desc)
{
	strscpy(desc, bad->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bad_geometry, bad_geometries, bad_desc);
KUNIT_ARRAY_PARAM(bad_create, bad_creates, bad_desc);

static void geometry_refused(struct kunit *test)
{
	const struct bad_case *bad = test->param_value;
	struct spscring_geometry g;
	struct spscring *ring;

	KUNIT_EXPECT_EQ(test, spscring_geometry_init(&g, &bad->want, PAGE_SIZE), bad->err);
	ring = spscring_create(&bad->want);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(ring), bad->err);
	if (!IS_ERR(ring))
		spscring_destroy(ring);
}

static void create_refused(struct kunit *test)
{
	const struct bad_case *bad = test->param_value;
	struct spscring *ring = spscring_create(&bad->want);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(ring), bad->err);
	if (!IS_ERR(ring))
		spscring_destroy(ring);
}

static void check_geometry(struct kunit *test, const struct spscring_create *want)
{
	struct spscring_geometry g;
	u32 align = want->align;

	KUNIT_ASSERT_EQ(test, spscring_geometry_init(&g, want, PAGE_SIZE), 0);
	if (!align)
		align = min_t(u32, 1U << __ffs(want->element_size), SPSCRING_ALIGN_MAX);

	KUNIT_EXPECT_EQ(test, g.capacity, want->capacity);
	KUNIT_EXPECT_EQ(test, g.element_size, want->element_size);
	KUNIT_EXPECT_EQ(test, g.type_tag, want->type_tag);
	KUNIT_EXPECT_EQ(test, g.frame_size & (g.frame_size - 1), 0);
	KUNIT_EXPECT_GE(test, g.frame_size, SPSCRING_FRAME_MIN);
	KUNIT_EXPECT_LE(test, g.frame_size, SPSCRING_FRAME_MAX);
	/* a frame has its tail first, then aligned slots, all within the frame */
	KUNIT_EXPECT_GE(test, g.frame_first, sizeof(u64));
	KUNIT_EXPECT_GE(test, g.stride, g.element_size);
	KUNIT_EXPECT_EQ(test, g.frame_first % align, 0);
	KUNIT_EXPECT_EQ(test, g.stride % align, 0);
	KUNIT_EXPECT_GE(test, g.frame_elements, 1);
	KUNIT_EXPECT_LE(test, g.frame_first + (u64)g.frame_elements * g.stride, g.frame_size);
	/* as many frames as the capacity needs, and not one more */
	KUNIT_EXPECT_GE(test, g.frames * g.frame_elements, g.capacity);
	KUNIT_EXPECT_LT(test, (g.frames - 1) * g.frame_elements, g.capacity);
	if (!want->frame_size && g.frame_elements < g.capacity)
		KUNIT_EXPECT_LE(test, 100ULL * (g.frame_size - g.frame_elements * g.stride),
				13ULL * g.frame_size);
	/* the sections follow each other without a gap */
	KUNIT_EXPECT_EQ(test, g.data_offset, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, g.data_bytes, PAGE_ALIGN(g.frames * g.frame_size));
	KUNIT_EXPECT_EQ(test, g.memory, g.data_offset + g.data_bytes);
	KUNIT_EXPECT_GE(test, g.publish_batch, 1);
	KUNIT_EXPECT_LE(test, g.publish_batch, max_t(u64, 1, g.capacity / 8));
}

static void geometry_exact(struct kunit *test)
{
	static const u64 capacities[] = { 1, 2, 7, 8, 13, 64, 1000, 4096, 16000 };
	u32 size = *(const u32 *)test->param_value, align, frame;
	int i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		struct spscring_create want = {
			.capacity = capacities[i], .element_size = size, .type_tag = ~0ULL,
		};

		check_geometry(test, &want);
		for (align = 1; align <= SPSCRING_ALIGN_MAX; align *= 2) {
			want.align = align;
			check_geometry(test, &want);
		}
		for (frame = SPSCRING_FRAME_MIN; frame <= SPSCRING_FRAME_MAX; frame *= 2) {
			want.frame_size = frame;
			if (frame < SPSCRING_ALIGN_MAX + ALIGN(size, SPSCRING_ALIGN_MAX) ||
			    capacities[i] * frame > SPSCRING_DATA_MAX)
				continue;
			check_geometry(test, &want);
		}
	}
}

static void geometry_largest(struct kunit *test)
{
	struct spscring_create want = {
		.capacity = (SPSCRING_DATA_MAX / 64) * 7, .element_size = 8, .frame_size = 64,
	};
	struct spscring_geometry g;

	KUNIT_ASSERT_EQ(test, spscring_geometry_init(&g, &want, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, g.data_bytes, SPSCRING_DATA_MAX);
	KUNIT_EXPECT_EQ(test, g.capacity, want.capacity);
}

static struct kunit_case geometry_cases[] = {
	KUNIT_CASE_PARAM(geometry_refused, bad_geometry_gen_params),
	KUNIT_CASE_PARAM(create_refused, bad_create_gen_params),
	KUNIT_CASE_PARAM(geometry_exact, size_gen_params),
	KUNIT_CASE(geometry_largest),
	{}
};

static struct kunit_suite geometry_suite = {
	.name = "spscring_geometry",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = geometry_cases,
};

kunit_test_suite(geometry_suite);
