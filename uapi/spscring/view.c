// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: the positions of a ring's ends, read from their control blocks, the tails and the
 * words.  See view.h.
 */
#include <spscring/view.h>

__u64 spscring_view_frame_published(const struct spscring_view *v, __u64 pos)
{
	const struct spscring_geometry *g = &v->geometry;
	__u64 frame = pos / g->frame_elements;
	__u64 end = (frame + 1) * g->frame_elements - pos;
	/* (B) pairs with (A) */
	__s64 n = (__s64)(spscring_load_acquire(spscring_view_tail(v, frame)) - pos);

	if (n <= 0)
		return 0;
	return (__u64)n < end ? (__u64)n : end;
}

__u64 spscring_view_producer(const struct spscring_view *v)
{
	/* (H) pairs with (G) */
	__u64 pos = spscring_load_acquire(&v->blocks.producer->cursor);

	if (spscring_view_has_flag(v, SPSCRING_CREATE_RECORDS))
		return pos;
	return pos + spscring_view_frame_published(v, pos);
}

__u64 spscring_view_oldest(const struct spscring_view *v)
{
	if (spscring_view_has_flag(v, SPSCRING_CREATE_OVERWRITE))
		/* (U) pairs with (T) */
		return spscring_load_acquire(&v->blocks.producer->oldest);
	return spscring_view_head(v);
}

__u64 spscring_view_seen(const struct spscring_view *v, __u32 role, __u64 cursor)
{
	__u64 tail, seen;

	/* a producer that overwrites always finds room */
	if (role == SPSCRING_PRODUCER && spscring_view_has_flag(v, SPSCRING_CREATE_OVERWRITE))
		return spscring_view_producer(v) + v->geometry.capacity;
	if (role == SPSCRING_PRODUCER)
		return spscring_view_head(v) + v->geometry.capacity;
	seen = spscring_view_producer(v);
	/* within a batch the tails are ahead of the producer's cursor */
	tail = spscring_view_has_flag(v, SPSCRING_CREATE_RECORDS) ? cursor :
		cursor + spscring_view_frame_published(v, cursor);
	return (__s64)(seen - tail) < 0 ? tail : seen;
}

int spscring_view_reached(const struct spscring_view *v, __u32 role, __u64 index)
{
	__u64 frame;

	if (role == SPSCRING_PRODUCER)
		return (__s64)(spscring_view_seen(v, role, 0) - index) >= 0;
	if (spscring_view_has_flag(v, SPSCRING_CREATE_RECORDS))
		/* (H) pairs with (G): only the cursor says how many bytes are published */
		return (__s64)(spscring_load_acquire(&v->blocks.producer->cursor) - index) >= 0;
	frame = (index - 1) / v->geometry.frame_elements;
	/* (B) pairs with (A): the tail of the frame that holds the last element before @index */
	return (__s64)(spscring_load_acquire(spscring_view_tail(v, frame)) - index) >= 0;
}

void spscring_view_info(const struct spscring_view *v, struct spscring_info *info)
{
	const struct spscring_producer_block *p = v->blocks.producer;
	const struct spscring_consumer_block *c = v->blocks.consumer;
	__u64 length, oldest;

	info->geometry = v->geometry;
	info->head = spscring_view_head(v);
	info->tail = spscring_view_producer(v);
	length = info->tail - info->head;
	if (spscring_view_has_flag(v, SPSCRING_CREATE_OVERWRITE)) {
		oldest = spscring_view_oldest(v);
		if ((__s64)(info->tail - oldest) < (__s64)length)
			length = info->tail - oldest;
	}
	if ((__s64)length < 0)
		length = 0;
	info->length = length < v->geometry.capacity ? length : v->geometry.capacity;
	info->free = v->geometry.capacity - info->length;
	info->loss.drops = spscring_read_once(p->drops);
	info->loss.overruns = spscring_read_once(c->overruns);
	info->loss.high_water = spscring_read_once(p->high_water);
	info->loss.sequence = spscring_read_once(p->sequence);
}
