/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: where a ring's pages and control blocks are, and how a handle begins.
 *
 * No function here is hot.  Context: any.
 */
#ifndef _SPSCRING_LAYOUT_H
#define _SPSCRING_LAYOUT_H

#include <spscring/element.h>
#include <spscring/record.h>

SPSCRING_BEGIN_DECLS

/**
 * struct spscring_blocks - the addresses of a ring's control blocks
 * @consumer: the consumer's
 * @producer: the producer's
 * @kernel: the kernel's
 */
struct spscring_blocks {
	struct spscring_consumer_block *consumer;
	struct spscring_producer_block *producer;
	struct spscring_kernel_block *kernel;
};

/**
 * spscring_blocks() - the control blocks of mapped pages
 * @g: the geometry
 * @consumer: the consumer's page
 * @info: the info page
 * @producer: the producer's page
 *
 * A block in a page that is mapped read-only can only be read.
 *
 * Return: their addresses.
 */
static inline struct spscring_blocks spscring_blocks(const struct spscring_geometry *g,
						     const void *consumer, const void *info,
						     const void *producer)
{
	struct spscring_blocks b;

	b.consumer = (struct spscring_consumer_block *)((char *)consumer + g->colour);
	b.producer = (struct spscring_producer_block *)((char *)producer + g->colour);
	b.kernel = (struct spscring_kernel_block *)((char *)info + SPSCRING_KERNEL_BLOCK +
						    g->colour);
	return b;
}

/**
 * spscring_kernel_block() - the kernel's control block
 * @g: the geometry
 * @info: the info page
 *
 * Return: its address.
 */
static inline const struct spscring_kernel_block *
spscring_kernel_block(const struct spscring_geometry *g, const void *info)
{
	return spscring_blocks(g, info, info, info).kernel;
}

/* The blocks as a consumer maps them: the producer's page follows the info page, as in the fd. */
static inline struct spscring_blocks
spscring_consumer_blocks(const struct spscring_geometry *g, const void *consumer, const void *info)
{
	return spscring_blocks(g, consumer, info,
			       (const char *)info + g->producer_offset - g->info_offset);
}

/**
 * spscring_kernel_block_init() - initialise the kernel's block of a new ring: nobody sleeps yet
 * @block: the block, zeroed
 * @flags: the ring's
 *
 * For the kernel, and for programs that keep a ring in memory of their own.
 */
void spscring_kernel_block_init(struct spscring_kernel_block *block, __u32 flags);

/**
 * spscring_producer_begin() - initialise a producer's handle, at the producer's position
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data
 *
 * The caller sets the handle's fd.
 *
 * Return: 0, or -EPROTOTYPE the ring is one of records of variable size.
 */
int spscring_producer_begin(struct spscring_producer *p, const struct spscring_geometry *g,
			    const struct spscring_blocks *blocks, void *data);

/**
 * spscring_producer_init() - the same, with the pages that an fd maps
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page
 * @producer: the producer's page
 * @data: the data
 *
 * Return: as spscring_producer_begin().
 */
static inline int spscring_producer_init(struct spscring_producer *p,
					 const struct spscring_geometry *g,
					 const void *consumer, const void *info,
					 void *producer, void *data)
{
	struct spscring_blocks blocks = spscring_blocks(g, consumer, info, producer);

	return spscring_producer_begin(p, g, &blocks, data);
}

/**
 * spscring_consumer_begin() - initialise a consumer's handle, at the consumer's position
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data; may be mapped read-only
 *
 * The caller sets the handle's fd.
 *
 * Return: 0, or -EPROTOTYPE the ring is one of records of variable size.
 */
int spscring_consumer_begin(struct spscring_consumer *c, const struct spscring_geometry *g,
			    const struct spscring_blocks *blocks, const void *data);

/**
 * spscring_consumer_init() - the same, with the pages that an fd maps
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page, with the producer's page where it is in the fd
 * @data: the data; may be mapped read-only
 *
 * Return: as spscring_consumer_begin().
 */
static inline int spscring_consumer_init(struct spscring_consumer *c,
					 const struct spscring_geometry *g,
					 void *consumer, const void *info,
					 const void *data)
{
	struct spscring_blocks blocks = spscring_consumer_blocks(g, consumer, info);

	return spscring_consumer_begin(c, g, &blocks, data);
}

/**
 * spscring_record_producer_begin() - initialise a producer's handle, at the producer's position
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data, mapped twice
 *
 * The caller sets the handle's fd.
 *
 * Return: 0; -EPROTOTYPE the ring is one of elements; -EPIPE the cursor is one that no holder can
 * have left.
 */
int spscring_record_producer_begin(struct spscring_record_producer *p,
				   const struct spscring_geometry *g,
				   const struct spscring_blocks *blocks, void *data);

/**
 * spscring_record_producer_init() - the same, with the pages that an fd maps
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page
 * @producer: the producer's page
 * @data: the data, mapped twice
 *
 * Return: as spscring_record_producer_begin().
 */
static inline int spscring_record_producer_init(struct spscring_record_producer *p,
						const struct spscring_geometry *g,
						const void *consumer, const void *info,
						void *producer, void *data)
{
	struct spscring_blocks blocks = spscring_blocks(g, consumer, info, producer);

	return spscring_record_producer_begin(p, g, &blocks, data);
}

/**
 * spscring_record_consumer_begin() - initialise a consumer's handle, at the consumer's position
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data, mapped twice; may be mapped read-only
 *
 * The caller sets the handle's fd.
 *
 * Return: as spscring_record_producer_begin().
 */
int spscring_record_consumer_begin(struct spscring_record_consumer *c,
				   const struct spscring_geometry *g,
				   const struct spscring_blocks *blocks, const void *data);

/**
 * spscring_record_consumer_init() - the same, with the pages that an fd maps
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page, with the producer's page where it is in the fd
 * @data: the data, mapped twice; may be mapped read-only
 *
 * Return: as spscring_record_producer_begin().
 */
static inline int spscring_record_consumer_init(struct spscring_record_consumer *c,
						const struct spscring_geometry *g,
						void *consumer, const void *info,
						const void *data)
{
	struct spscring_blocks blocks = spscring_consumer_blocks(g, consumer, info);

	return spscring_record_consumer_begin(c, g, &blocks, data);
}

/**
 * spscring_mapped_bytes() - what a ring's fds can map, from consumer_offset on
 * @g: the geometry
 *
 * Return: the ring's memory in bytes, with the data twice in a ring of records.
 */
static inline __u64 spscring_mapped_bytes(const struct spscring_geometry *g)
{
	return g->memory + (g->flags & SPSCRING_CREATE_RECORDS ? g->data_bytes : 0);
}

/**
 * spscring_geometry_init() - lay a ring out
 * @g: the result; the caller adds colour and features, and may shift the offsets
 * @want: the arguments of CREATE
 * @page: the page size, in bytes
 *
 * Return: 0; -EINVAL a bad value; -E2BIG more data than SPSCRING_DATA_MAX.
 */
int spscring_geometry_init(struct spscring_geometry *g, const struct spscring_create *want,
			   __u32 page);

/**
 * spscring_create_why() - which rule of struct spscring_create does a request break?
 * @want: the arguments of CREATE
 *
 * It knows all rules but those on memory nodes, which only the kernel can check.
 *
 * Return: 0 none; otherwise SPSCRING_WHY_*, for which CREATE returns E2BIG if it is
 * SPSCRING_WHY_TOO_LARGE, and EINVAL otherwise.
 */
__u32 spscring_create_why(const struct spscring_create *want);

SPSCRING_END_DECLS

#endif /* _SPSCRING_LAYOUT_H */
