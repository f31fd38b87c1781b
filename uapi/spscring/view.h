/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: a ring as one sees it who may read and write all of it: the kernel, and the ends of a
 * ring without a kernel.  Where the ends are, and how a dead end's words are recovered.
 *
 * Users write these words.  A value that a user wrote goes into sums and moduli only: no address
 * is computed from it unchecked.  Context: any, but for spscring_recover().
 */
#ifndef _SPSCRING_VIEW_H
#define _SPSCRING_VIEW_H

#include <spscring/layout.h>

SPSCRING_BEGIN_DECLS

/**
 * struct spscring_view - where all of a ring is
 * @geometry: the ring's shape
 * @blocks: the control blocks
 * @data: the data; in a ring of records mapped twice
 */
struct spscring_view {
	struct spscring_geometry geometry;
	struct spscring_blocks blocks;
	void *data;
};

/**
 * struct spscring_recover_ops - what a recovery calls on its way
 * @walk_on: after each frame or record of a walk; a result other than 0 ends the recovery, which
 *	returns it
 * @looked: before each walk, with the positions that it begins with
 */
struct spscring_recover_ops {
	int (*walk_on)(const struct spscring_view *v);
	void (*looked)(const struct spscring_view *v, __u64 head, __u64 tail);
};

static inline int spscring_view_has_flag(const struct spscring_view *v, __u32 flag)
{
	return !!(v->geometry.flags & flag);
}

/* The tail of the frame whose number, counted since the ring was made, is @frame. */
static inline __u64 *spscring_view_tail(const struct spscring_view *v, __u64 frame)
{
	return (__u64 *)((char *)v->data +
			 frame % v->geometry.frames * v->geometry.frame_size);
}

/* The word of the record at @pos. */
static inline __u64 *spscring_view_word(const struct spscring_view *v, __u64 pos)
{
	const struct spscring_geometry *g = &v->geometry;

	/* the data are mapped twice, back to back: the sum may lie in the second mapping */
	return (__u64 *)((char *)v->data + pos % g->data_bytes + g->stride - SPSCRING_WORD);
}

/* The consumer's position, as it wrote it. */
static inline __u64 spscring_view_head(const struct spscring_view *v)
{
	/* (D) pairs with (C) */
	return spscring_load_acquire(&v->blocks.consumer->cursor);
}

/**
 * spscring_view_frame_published() - how much is published of a frame
 * @v: the ring, of elements
 * @pos: a position
 *
 * A tail of a later lap means all of the frame.
 *
 * Return: the elements from @pos to the end of the frame that holds it.
 */
__u64 spscring_view_frame_published(const struct spscring_view *v, __u64 pos);

/**
 * spscring_view_producer() - the producer's position
 * @v: the ring
 *
 * In a ring of elements the cursor leads to the frame, and the frame's tail to the exact
 * position.  Within a batch the producer may have published further frames.
 *
 * Return: that position, which a user may have made up.
 */
__u64 spscring_view_producer(const struct spscring_view *v);

/**
 * spscring_view_oldest() - the oldest position that still belongs to the consumer
 * @v: the ring
 *
 * Return: a position from which on the producer may not overwrite.
 */
__u64 spscring_view_oldest(const struct spscring_view *v);

/**
 * spscring_view_seen() - how far an end can go
 * @v: the ring
 * @role: the end
 * @cursor: its position
 *
 * The result is at least the position that the peer had when it last kicked: the peer ignores an
 * index that it has kicked for, so no caller may arm one that is lower.
 *
 * Return: that position of the end.
 */
__u64 spscring_view_seen(const struct spscring_view *v, __u32 role, __u64 cursor);

/**
 * spscring_view_reached() - can an end go as far as an index?
 * @v: the ring
 * @role: the end
 * @index: one of its positions
 *
 * Return: whether it can.
 */
int spscring_view_reached(const struct spscring_view *v, __u32 role, __u64 index);

/**
 * spscring_view_info() - fill in what INFO reports of the positions, and of losses
 * @v: the ring
 * @info: geometry, head, tail, length, free and loss are set
 */
void spscring_view_info(const struct spscring_view *v, struct spscring_info *info);

/**
 * spscring_recover() - bring a dead end's words to where its next holder can go on
 * @v: the ring
 * @role: the dead end
 * @ops: what to call on the way
 *
 * The stores repeat what the walk found, and the cursor comes last.  A walk that was interrupted
 * before that can be done again from the same cursor, with the same result.  Nobody else may
 * recover an end of the ring meanwhile; the peer may go on.
 *
 * Return: 0; -EPIPE the words contradict each other; or what @ops->walk_on returned.
 */
int spscring_recover(const struct spscring_view *v, __u32 role,
		     const struct spscring_recover_ops *ops);

SPSCRING_END_DECLS

#endif /* _SPSCRING_VIEW_H */
