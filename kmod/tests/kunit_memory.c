// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the data of a ring as memory: its scatterlist, and the second mapping.
 */
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "fixture.h"
#include "ring.h"

/* The scatterlist is the ring's data, all of it and in order. */
static void sg_table(struct kunit *test)
{
	struct fixture *f = make_pair(test, 1000, 100);
	const struct spscring_geometry *g = &f->info.geometry;
	struct scatterlist *sg;
	struct sg_table sgt;
	u8 rec[100], dma[100];
	u64 bytes = 0, i;
	void *slot;
	int n;

	KUNIT_ASSERT_EQ(test, spscring_data_sg_table(f->ring, &sgt), 0);
	for_each_sgtable_sg(&sgt, sg, n)
		bytes += sg->length;
	KUNIT_EXPECT_EQ(test, bytes, g->data_bytes);
	for (i = 0; i < g->capacity; i++) {
		if (spscring_reserve(&f->p, &slot))
			break;
		fill(slot, sizeof(rec), i);
		sg_pcopy_to_buffer(sgt.sgl, sgt.orig_nents, dma, sizeof(dma),
				   (char *)slot - f->p.base.data);
		if (!is_filled(dma, sizeof(dma), i))
			break;
		/* write through the scatterlist, as a device does, and pop those bytes */
		fill(dma, sizeof(dma), ~i);
		sg_pcopy_from_buffer(sgt.sgl, sgt.orig_nents, dma, sizeof(dma),
				     (char *)slot - f->p.base.data);
		spscring_commit(&f->p);
		if (spscring_pop(&f->c, rec) || !is_filled(rec, sizeof(rec), ~i))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, g->capacity);
	sg_free_table(&sgt);
}

/* In a ring of records of variable size the kernel maps the data twice, back to back. */
static void data_twice(struct kunit *test)
{
	struct spscring_create want = { .capacity = 28000, .flags = SPSCRING_CREATE_RECORDS };
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;
	u8 *data;
	u64 i;

	f->ring = spscring_create(&want);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->ring));
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->ring->nr_pages, g->memory >> PAGE_SHIFT);
	data = f->ring->data;
	for (i = 0; i < g->data_bytes; i++)
		data[i] = i * 7;
	KUNIT_EXPECT_EQ(test, memcmp(data, data + g->data_bytes, g->data_bytes), 0);
	for (i = 0; i < g->data_bytes; i++)
		data[g->data_bytes + i] = i * 11;
	KUNIT_EXPECT_EQ(test, memcmp(data, data + g->data_bytes, g->data_bytes), 0);
	/* an fd maps the same pages */
	for (i = 0; i < 2 * g->data_bytes; i += PAGE_SIZE) {
		struct page *page = f->ring->pages[RING_PAGE_DATA + i / PAGE_SIZE];

		KUNIT_EXPECT_EQ(test, memcmp(page_address(page), data + i, PAGE_SIZE), 0);
	}
}

static struct kunit_case memory_cases[] = {
	KUNIT_CASE(sg_table),
	KUNIT_CASE(data_twice),
	{}
};

static struct kunit_suite memory_suite = {
	.name = "spscring_memory",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = memory_cases,
};

kunit_test_suite(memory_suite);
