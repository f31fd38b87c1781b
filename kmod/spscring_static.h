/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring that the compiler lays out, for two ends that are kernel code and poll.
 */
#ifndef _SPSCRING_STATIC_H
#define _SPSCRING_STATIC_H

#include <linux/build_bug.h>
#include <linux/compiler_attributes.h>
#include <linux/math.h>
#include <linux/spscring.h>
#include <spscring/element.h>

/*
 * What spscring_geometry_init() computes for elements of @size bytes, with neither an alignment nor
 * a frame size given: the offset of a frame's first slot, how many slots the frame has, whether it
 * is large enough, and the smallest frame that is.  Then an element is as long as its slot.
 */
#define __SPSCRING_LOW(size)	((size) & -(size))
#define __SPSCRING_FIRST(size)							\
	(__SPSCRING_LOW(size) < 8 ? 8 :						\
	 __SPSCRING_LOW(size) > SPSCRING_ALIGN_MAX ? SPSCRING_ALIGN_MAX : __SPSCRING_LOW(size))
#define __SPSCRING_SLOTS(size, frame)						\
	(((frame) - __SPSCRING_FIRST(size)) / (size))
#define __SPSCRING_FITS(size, n, frame)						\
	((frame) >= __SPSCRING_FIRST(size) + (size) &&				\
	 (__SPSCRING_SLOTS(size, frame) >= (n) ||				\
	  100 * ((frame) - __SPSCRING_SLOTS(size, frame) * (size)) <= 13 * (frame)))
#define __SPSCRING_FRAME(size, n)						\
	(__SPSCRING_FITS(size, n, 1UL << 6) ? 1UL << 6 :			\
	 __SPSCRING_FITS(size, n, 1UL << 7) ? 1UL << 7 :			\
	 __SPSCRING_FITS(size, n, 1UL << 8) ? 1UL << 8 :			\
	 __SPSCRING_FITS(size, n, 1UL << 9) ? 1UL << 9 :			\
	 __SPSCRING_FITS(size, n, 1UL << 10) ? 1UL << 10 :			\
	 __SPSCRING_FITS(size, n, 1UL << 11) ? 1UL << 11 :			\
	 __SPSCRING_FITS(size, n, 1UL << 12) ? 1UL << 12 :			\
	 __SPSCRING_FITS(size, n, 1UL << 13) ? 1UL << 13 :			\
	 __SPSCRING_FITS(size, n, 1UL << 14) ? 1UL << 14 :			\
	 __SPSCRING_FITS(size, n, 1UL << 15) ? 1UL << 15 :			\
	 __SPSCRING_FITS(size, n, 1UL << 16) ? 1UL << 16 :			\
	 __SPSCRING_FITS(size, n, 1UL << 17) ? 1UL << 17 :			\
	 __SPSCRING_FITS(size, n, 1UL << 18) ? 1UL << 18 :			\
	 __SPSCRING_FITS(size, n, 1UL << 19) ? 1UL << 19 : 1UL << 20)
#define __SPSCRING_FRAMES(size, n)						\
	DIV_ROUND_UP(n, __SPSCRING_SLOTS(size, __SPSCRING_FRAME(size, n)))

/* The state of an end that kernel code has claimed once. */
#define __SPSCRING_HELD		(1ULL << 32 | SPSCRING_HELD)

/* What both handles of the ring @r have in common. */
#define __SPSCRING_BASE(r, type, n)						\
		.kernel = &(r).kernel_block,					\
		.data = (char *)(r).data,					\
		.end = (char *)(r).data + sizeof((r).data),			\
		.capacity = (n),						\
		.flags = SPSCRING_CREATE_BUSY_POLL,				\
		.stride = sizeof(type),						\
		.cpu = -1

/* Of both handles, in the frame that both begin in. */
#define __SPSCRING_SHAPE(r, type)						\
		.element_size = sizeof(type),					\
		.frame_size = sizeof((r).data[0]),				\
		.frame_first = __SPSCRING_FIRST(sizeof(type)),			\
		.frame_elements = __SPSCRING_SLOTS(sizeof(type), sizeof((r).data[0]))

#define __SPSCRING_SLOT_0(r, type)						\
	((unsigned long)(r).data + __SPSCRING_FIRST(sizeof(type)))

/**
 * DEFINE_SPSCRING() - define a ring of elements, with its memory
 * @name: the variable's name; its members @producer and @consumer are the handles of the ends
 * @type: the type of an element, 1 to SPSCRING_ELEMENT_MAX bytes
 * @n: how many elements it holds, exactly; a constant, at least 1
 *
 * As DEFINE_KFIFO(), at file scope and with "static" before it, or not:
 *
 *	static DEFINE_SPSCRING(samples, struct sample, 256);
 *	...
 *	err = spscring_push(&samples.producer, &sample);	(in an interrupt, say)
 *	err = spscring_pop(&samples.consumer, &sample);		(elsewhere)
 *
 * Both ends are kernel code, are claimed from the start, and stay so.  All inlines of
 * <spscring/element.h> work, and peek() does; so do spscring_push_iter(), spscring_pop_iter() and
 * spscring_consumer_length().  No memory is allocated, and nothing can fail before the first push.
 * Context: any.
 *
 * What it lacks, as there is no struct spscring: neither end can sleep (spscring_wait_*() is
 * -EOPNOTSUPP), be shut down, reset, exported or watched; it is not traced; and no list shows it.
 * The inlines' wish to wake the peer is void.  The memory is a part of the module's file, so
 * spscring_create_private() is better for a large ring.
 */
#define DEFINE_SPSCRING(name, type, n)						\
struct {									\
	static_assert(sizeof(type) >= 1 && sizeof(type) <= SPSCRING_ELEMENT_MAX);\
	static_assert(__alignof__(type) <= SPSCRING_ALIGN_MAX);			\
	static_assert((n) >= 1 && (n) <= SPSCRING_DATA_MAX);			\
	struct spscring_producer producer __aligned(SPSCRING_LINE);		\
	struct spscring_consumer consumer __aligned(SPSCRING_LINE);		\
	struct spscring_consumer_block consumer_block __aligned(SPSCRING_LINE);	\
	struct spscring_producer_block producer_block __aligned(SPSCRING_LINE);	\
	struct spscring_kernel_block kernel_block __aligned(SPSCRING_LINE);	\
	u8 data[__SPSCRING_FRAMES(sizeof(type), n)]				\
	       [__SPSCRING_FRAME(sizeof(type), n)] __aligned(SPSCRING_LINE);	\
} name = {									\
	.producer = {								\
		.base = {							\
			__SPSCRING_BASE(name, type, n),				\
			.peer_published_head = &name.consumer_block.published_head,\
			.peer_cursor = &name.consumer_block.cursor,		\
			.block = &name.producer_block,				\
			.cursor = &name.producer_block.cursor,			\
			.event = &name.kernel_block.consumer_event,		\
		},								\
		.frame = {							\
			.tail = (u64 *)name.data,				\
			.slots = __SPSCRING_SLOT_0(name, type),			\
		},								\
		__SPSCRING_SHAPE(name, type),					\
		.frame_last = __SPSCRING_FIRST(sizeof(type)) + sizeof(type) *	\
			__SPSCRING_SLOTS(sizeof(type), sizeof(name.data[0])),	\
	},									\
	.consumer = {								\
		.base = {							\
			__SPSCRING_BASE(name, type, n),				\
			.block = &name.consumer_block,				\
			.peer = &name.producer_block,				\
			.publish_batch = (n) < 8 ? 1 : (n) / 8,			\
			.publish_at = (n) < 8 ? 1 : (n) / 8,			\
			.backoff = 1,						\
			.cursor = &name.consumer_block.cursor,			\
			.event = &name.kernel_block.producer_event,		\
		},								\
		.slots = __SPSCRING_SLOT_0(name, type),				\
		.tail = (const u64 *)name.data,					\
		.frame_end = __SPSCRING_SLOTS(sizeof(type), sizeof(name.data[0])),\
		__SPSCRING_SHAPE(name, type),					\
	},									\
	.kernel_block = {							\
		.consumer_event = SPSCRING_EVENT_NONE,				\
		.producer_event = SPSCRING_EVENT_NONE,				\
		.consumer = __SPSCRING_HELD,					\
		.producer = __SPSCRING_HELD,					\
	},									\
}

#endif
