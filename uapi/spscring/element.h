/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: elements of one size, in frames.  The protocol and the terms are in end.h.
 *
 * A frame is a power of two of bytes, at least a cache line: a u64 tail, then the slots that
 * fit.  The tail is the position after the last element published in the frame; in a free frame
 * it is that of the frame's first element to come.  So a tail of the previous lap is simply too
 * small, the consumer polls the very line that brings the elements, and it never writes the data.
 *
 *	 frame 0		     frame 1
 *	+------+----+----+----+-+	+------+----+----+----+-+
 *	| tail | e0 | e1 | .. | |	| tail | e7 | e8 | .. | |   data
 *	+------+----+----+----+-+	+------+----+----+----+-+
 *
 * One comparison on the hot path covers all that is uncommon; a handle steps to the next frame
 * in the call after the one that filled it.
 */
#ifndef _SPSCRING_ELEMENT_H
#define _SPSCRING_ELEMENT_H

#include <spscring/backoff.h>
#include <spscring/end.h>

SPSCRING_BEGIN_DECLS

/* A frame, as the producer needs it. */
struct spscring_frame {
	__u64 *tail;		/* the frame's first word */
	unsigned long slots;	/* position pos has its slot at slots + pos * stride, modulo 2^64 */
};

/* The handle of a producer of elements. */
struct spscring_producer {
	struct spscring_producer_base base;	/* first: its address needs no addition */
	struct spscring_frame frame;		/* the one that pos is in, or has just filled */
	/* used once a frame */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;	/* offset of the first slot in a frame */
	__u32 frame_last;	/* offset of the end of the last slot */
	__u32 frame_elements;
};

/* The handle of a consumer of elements. */
struct spscring_consumer {
	struct spscring_consumer_base base;	/* first: its address needs no addition */
	__u64 cached_tail;	/* this frame's tail as last read, at most frame_end */
	unsigned long slots;	/* position pos has its slot at slots + pos * stride, modulo 2^64 */
	const __u64 *tail;	/* the frame's first word */
	__u64 frame_end;	/* the position after the frame's last slot */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_elements;
};

/* The handles are an ABI between these inlines and what the library or the module has of them. */
SPSCRING_ASSERT(sizeof(struct spscring_producer) == 200);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_producer, frame) == 160);
SPSCRING_ASSERT(sizeof(struct spscring_consumer) == 208);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_consumer, cached_tail) == 160);

/* The frame after @frame; the first one after the last. */
static SPSCRING_INLINE char *spscring_next_frame(char *frame, __u32 size, char *data,
						 const char *end)
{
	frame += size;
	return spscring_likely(frame != end) ? frame : data;
}

/*
 * The address from which slots are counted: that of position 0's slot, if the frame, whose first
 * slot is position @first's, reached back so far.
 */
static SPSCRING_INLINE unsigned long spscring_slots(const char *frame, __u32 frame_first,
						    __u64 first, __u32 stride)
{
	return (unsigned long)frame + frame_first - first * stride;
}

/* The frame at @frame, whose first slot is position @first's. */
static SPSCRING_INLINE struct spscring_frame spscring_frame_of(const struct spscring_producer *p,
							       char *frame, __u64 first)
{
	struct spscring_frame at;

	at.tail = (__u64 *)frame;
	at.slots = spscring_slots(frame, p->frame_first, first, p->base.stride);
	return at;
}

/* The frame after @at; its first slot is position @first's. */
static SPSCRING_INLINE struct spscring_frame spscring_frame_after(const struct spscring_producer *p,
								  const struct spscring_frame *at,
								  __u64 first)
{
	char *frame = spscring_next_frame((char *)at->tail, p->frame_size, p->base.data,
					  p->base.end);

	return spscring_frame_of(p, frame, first);
}

static SPSCRING_INLINE char *spscring_slot(const struct spscring_producer *p,
					   const struct spscring_frame *at, __u64 pos)
{
	return (char *)(at->slots + pos * p->base.stride);
}

/* Is @pos the position after the last slot of the frame @at? */
static SPSCRING_INLINE int spscring_at_frame_end(const struct spscring_producer *p,
						 const struct spscring_frame *at, __u64 pos)
{
	return spscring_slot(p, at, pos) == (char *)at->tail + p->frame_last;
}

/* The number of slots from that of @pos to the end of the producer's frame. */
static SPSCRING_INLINE __u64 spscring_slots_left(const struct spscring_producer *p, __u64 pos)
{
	const char *end = (const char *)p->frame.tail + p->frame_last;

	return (__u64)(end - spscring_slot(p, &p->frame, pos)) / p->base.stride;
}

/* The run is used up: go on in the next frame, or refresh the head, or both. */
static SPSCRING_NOINLINE int spscring_next_run(struct spscring_producer *p)
{
	__u64 pos = p->base.pos, frame_end;

	spscring_publish_cursor(&p->base, pos);
	if (pos == p->base.cached_limit) {
		int err = spscring_refresh_head(&p->base, 1);

		if (err)
			return err;
	}
	if (spscring_at_frame_end(p, &p->frame, pos)) {
		p->frame = spscring_frame_after(p, &p->frame, pos);
		/* (A): publishes nothing, but fetches the line before the element needs it */
		spscring_store_release(p->frame.tail, pos);
		frame_end = pos + p->frame_elements;
	} else {
		frame_end = pos + spscring_slots_left(p, pos);
	}
	p->base.run_end = (__s64)(p->base.cached_limit - frame_end) < 0 ?
			  p->base.cached_limit : frame_end;
	return 0;
}

/* Publish the elements of this frame that are before @pos, without a kick. */
static SPSCRING_INLINE void spscring_store_tail(struct spscring_producer *p, __u64 pos)
{
	p->base.pos = pos;
	/* (A) pairs with (B): first the elements, then the tail that publishes them */
	spscring_store_release(p->frame.tail, pos);
}

static SPSCRING_INLINE int spscring_publish(struct spscring_producer *p, __u64 pos)
{
	spscring_store_tail(p, pos);
	return spscring_after_publish(&p->base, pos);
}

/*
 * Trace the next @n elements.  While the tracepoint is on the run ends with them, so that the next
 * push is traced, too.
 */
static SPSCRING_INLINE void spscring_trace_run(struct spscring_producer *p, __u64 n)
{
	if (spscring_traced(push)) {
		spscring_trace_push(&p->base, (__u32)n);
		p->base.run_end = p->base.pos + n;
	}
}

/**
 * spscring_reserve_n() - reserve slots, to write elements in place
 * @p: the producer
 * @n: how many slots the caller wants, at least 1
 * @slots: set to the first slot; each next one is a stride further
 *
 * The slots lie in one frame, so there may be fewer than @n even if more are free.  A second
 * call before the commit reserves the same slots again.
 *
 * Return: the number of slots, 1 to @n; or a negative errno, see end.h.
 */
static SPSCRING_INLINE long spscring_reserve_n(struct spscring_producer *p,
					       size_t n, void **slots)
{
	__u64 pos = p->base.pos;

	*slots = NULL;		/* some compilers warn that it may stay unset */
	if (spscring_unlikely(pos == p->base.run_end)) {
		int err = spscring_next_run(p);

		if (err)
			return err;
	}
	*slots = spscring_slot(p, &p->frame, pos);
	return (long)(n < p->base.run_end - pos ? n : p->base.run_end - pos);
}

/**
 * spscring_commit_n() - publish the first of the reserved slots
 * @p: the producer
 * @n: how many, at most what spscring_reserve_n() returned
 */
static SPSCRING_INLINE void spscring_commit_n(struct spscring_producer *p, size_t n)
{
	if (spscring_unlikely(!n))
		return;
	spscring_trace_run(p, n);
	spscring_publish(p, p->base.pos + n);
}

/**
 * spscring_commit_flags() - publish the first of the reserved slots, and choose when to kick
 * @p: the producer
 * @n: how many, at most what spscring_reserve_n() returned
 * @flags: 0, SPSCRING_NOWAKE or SPSCRING_WAKE
 *
 * SPSCRING_NOWAKE leaves out the fence and the check of the event index.  A publish without the
 * flag has to follow, or a sleeping consumer sleeps on.  SPSCRING_WAKE wakes the consumer even
 * if its watermark or index is not reached.  The names are the BPF ring buffer's.
 */
static SPSCRING_INLINE void spscring_commit_flags(struct spscring_producer *p, size_t n,
						  __u32 flags)
{
	if (!(flags & SPSCRING_NOWAKE)) {
		spscring_commit_n(p, n);
		spscring_wake_now(&p->base, flags);
		return;
	}
	if (spscring_unlikely(!n))
		return;
	spscring_trace_run(p, n);
	spscring_store_tail(p, p->base.pos + n);
}

/**
 * spscring_reserve() - reserve one slot, to write an element in place
 * @p: the producer
 * @slot: set to the slot
 *
 * Return: 0, or a negative errno, see end.h.
 */
static SPSCRING_INLINE int spscring_reserve(struct spscring_producer *p, void **slot)
{
	long n = spscring_reserve_n(p, 1, slot);

	return n < 0 ? (int)n : 0;
}

/**
 * spscring_commit() - publish the reserved slot
 * @p: the producer
 */
static SPSCRING_INLINE void spscring_commit(struct spscring_producer *p)
{
	spscring_commit_n(p, 1);
}

/* spscring_next_run() for a push of one element, which is traced here only. */
static SPSCRING_INLINE int spscring_push_next_run(struct spscring_producer *p)
{
	int err = spscring_next_run(p);

	if (!err)
		spscring_trace_run(p, 1);
	return err;
}

/**
 * spscring_push_fixed() - push one element, of a size that the compiler knows
 * @p: the producer
 * @element: the element
 * @size: the ring's element size
 *
 * Return: 0, or a negative errno, see end.h.
 */
static SPSCRING_INLINE int spscring_push_fixed(struct spscring_producer *p,
					       const void *element, __u32 size)
{
	__u64 pos = p->base.pos;

	/* the call does not take @element, so in a loop the element can stay in registers */
	if (spscring_unlikely(pos == p->base.run_end)) {
		int err = spscring_push_next_run(p);

		if (err)
			return err;
	}
	__builtin_memcpy(spscring_slot(p, &p->frame, pos), element, size);
	return spscring_publish(p, pos + 1);
}

/**
 * spscring_push() - push one element
 * @p: the producer
 * @element: the element, of the ring's element size
 *
 * Return: 0, or a negative errno, see end.h.
 */
static inline int spscring_push(struct spscring_producer *p, const void *element)
{
	return spscring_push_fixed(p, element, p->element_size);
}

/* How many frames ahead a batch prefetches. */
#define SPSCRING_PREFETCH_FRAMES	16

/*
 * When a batch enters the frame @at, prefetch the first line of a later frame for writing, so
 * that its stores do not wait for the line.  The later frame must be free, or the prefetch takes
 * the line from the consumer that reads it.  It must also lie within the data, before the lap.
 */
static SPSCRING_INLINE void spscring_prefetch_ahead(const struct spscring_producer *p,
						    const struct spscring_frame *at, __u64 pos)
{
	unsigned long bytes = SPSCRING_PREFETCH_FRAMES * (unsigned long)p->frame_size;
	__u64 elements = (SPSCRING_PREFETCH_FRAMES + 1) * (__u64)p->frame_elements;

	if (bytes < (unsigned long)(p->base.end - (const char *)at->tail) &&
	    p->base.cached_limit - pos >= elements)
		spscring_prefetchw((const char *)at->tail + bytes);
}

/*
 * Copy @n elements from or to one frame.  Seven elements of 8 bytes fill a frame of one cache
 * line.  A batch of such elements copies mostly whole frames, so these take no loop and no call.
 */
static SPSCRING_INLINE void spscring_copy(char *to, __u32 to_stride, const char *from,
					  __u32 from_stride, __u32 n, __u32 size)
{
	if (__builtin_constant_p(size) && size == 8) {
		if (spscring_likely(n == 7 && to_stride == 8 && from_stride == 8)) {
			__builtin_memcpy(to, from, 56);
			return;
		}
	} else if (spscring_likely(to_stride == from_stride)) {
		__builtin_memcpy(to, from, (__u64)n * size);
		return;
	}
	for (; n; n--, to += to_stride, from += from_stride)
		__builtin_memcpy(to, from, size);
}

/* The part of a batch of @n elements that one call moves: its counts are 32 bits wide. */
static SPSCRING_INLINE __u32 spscring_batch(size_t n)
{
	return n < 0x80000000U ? (__u32)n : 0x80000000U;
}

/**
 * spscring_push_n_fixed() - push a batch, of an element size that the compiler knows
 * @p: the producer
 * @elements: the elements, an array without gaps
 * @n: how many
 * @size: the ring's element size
 *
 * Return: the number of elements pushed, fewer than @n if the ring became full; or a negative
 * errno if none was, see end.h.
 */
static SPSCRING_INLINE long spscring_push_n_fixed(struct spscring_producer *p,
						  const void *elements, size_t n, __u32 size)
{
	const char *from = (const char *)elements;
	/* a local copy: a store to the handle would come between the stores to the ring's lines */
	struct spscring_frame at = p->frame;
	__u32 all = spscring_batch(n), todo = all, some;
	__u64 pos = p->base.pos, stop = p->base.run_end;

	if (spscring_traced(push)) {
		long room = spscring_trace_push_n(p, all);

		if (room <= 0)
			return room;
		all = (__u32)room;
		todo = all;
	}
	for (; todo; todo -= some, from += (__u64)some * size) {
		if (pos == stop && p->base.cached_limit - pos >= p->frame_elements &&
		    spscring_at_frame_end(p, &at, pos)) {
			/* a whole frame is free: neither refresh the head nor store the cursor */
			at = spscring_frame_after(p, &at, pos);
			spscring_prefetch_ahead(p, &at, pos);
			stop = pos + p->frame_elements;
		} else if (spscring_unlikely(pos == stop)) {
			int err;

			p->frame = at;
			p->base.pos = pos;
			err = spscring_next_run(p);
			if (err && todo == all)
				return err;
			if (err)
				break;
			at = p->frame;
			stop = p->base.run_end;
		}
		some = todo < stop - pos ? todo : (__u32)(stop - pos);
		spscring_copy(spscring_slot(p, &at, pos), p->base.stride, from, size, some, size);
		pos += some;
		/* (A) pairs with (B) */
		spscring_store_release(at.tail, pos);
	}
	/* not the frame's address: a traced batch may be in the same frame again, a lap later */
	if (at.slots != p->frame.slots)
		spscring_publish_cursor(&p->base, pos);
	p->frame = at;
	p->base.pos = pos;
	p->base.run_end = spscring_traced(push) ? pos : stop;	/* as spscring_trace_run() does */
	if (todo != all)
		spscring_after_publish(&p->base, pos);
	return all - todo;
}

/**
 * spscring_push_n() - push a batch
 * @p: the producer
 * @elements: the elements, an array without gaps
 * @n: how many
 *
 * Return: as spscring_push_n_fixed().
 */
static inline long spscring_push_n(struct spscring_producer *p, const void *elements, size_t n)
{
	return spscring_push_n_fixed(p, elements, n, p->element_size);
}

/**
 * spscring_consumer_fail() - make every later pop and peek fail
 * @c: the consumer
 * @why: the error that they return: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
int spscring_consumer_fail(struct spscring_consumer *c, int why);

/* The producer's words are impossible: break the ring for this end. */
int spscring_consumer_broken(struct spscring_consumer *c) SPSCRING_COLD;

/*
 * The tail publishes nothing: the error to return.  -EAGAIN: the ring is empty, or the producer
 * published just before it ended; -ESHUTDOWN, -EPIPE: empty, and an end has ended.
 */
int spscring_empty_status(struct spscring_consumer *c) SPSCRING_COLD;

/**
 * spscring_backoff() - wait between two tries to pop
 * @c: the consumer, after -EAGAIN
 *
 * One cpu_relax() where elements arrive one by one, up to SPSCRING_BACKOFF_MAX where they
 * stream: each poll of the frame that is being filled takes its line from the producer.
 */
static inline void spscring_backoff(const struct spscring_consumer *c)
{
	spscring_backoff_for(c->base.backoff);
}

/*
 * How much one element counts for the back-off.  A larger element takes longer to move, so fewer
 * arrive during a wait.  Therefore each counts one for each 16 bytes of its stride, but at least
 * 1, and at most 4: with more, the single element of a round trip would pass for a stream.
 */
static SPSCRING_INLINE __u32 spscring_backoff_weight(const struct spscring_consumer_base *c)
{
	return c->stride < 32 ? 1 : c->stride < 64 ? c->stride / 16 : 4;
}

/* pos is at the cached tail: step to the next frame at a frame's end, and refresh the tail. */
static SPSCRING_INLINE int spscring_refresh_tail(struct spscring_consumer *c)
{
	__u64 n;

	if (spscring_unlikely(c->base.pos == c->frame_end)) {
		char *frame = spscring_next_frame((char *)c->tail, c->frame_size,
						  c->base.data, c->base.end);

		c->tail = (const __u64 *)frame;
		c->slots = spscring_slots(frame, c->frame_first, c->base.pos, c->base.stride);
		c->frame_end += c->frame_elements;
	}

	/* (B) pairs with (A) */
	n = spscring_load_acquire(c->tail) - c->base.pos;
	if (spscring_unlikely(n - 1 >= c->base.capacity)) {
		if (spscring_unlikely(c->base.error))
			return c->base.error;
		if (spscring_unlikely((__s64)n > 0))
			return spscring_consumer_broken(c);
		if (spscring_unlikely(!(++c->base.fails % SPSCRING_REFRESH_EVERY) ||
				      spscring_peer_ended(&c->base)))
			return spscring_empty_status(c);
		return -EAGAIN;
	}
	if (c->base.fails != c->base.waited_fails)
		spscring_adapt_backoff(&c->base, (c->base.pos - c->base.waited_at) *
						 spscring_backoff_weight(&c->base));
	c->cached_tail = c->base.pos + n;
	/* in a full ring the tail may be of the frame's next lap: then this lap is complete */
	if ((__s64)(c->cached_tail - c->frame_end) > 0)
		c->cached_tail = c->frame_end;
	return 0;
}

/* The slot of the next element. */
static SPSCRING_INLINE const char *spscring_next_element(const struct spscring_consumer *c)
{
	return (const char *)(c->slots + c->base.pos * c->base.stride);
}

/*
 * Trace the next @n elements.  While the tracepoint is on none is known to be there beyond them,
 * so that the next pop is traced, too.
 */
static SPSCRING_INLINE void spscring_trace_known(struct spscring_consumer *c, __u64 n)
{
	if (spscring_traced(pop)) {
		spscring_trace_pop(&c->base, (__u32)n);
		c->cached_tail = c->base.pos + n;
	}
}

/* The caller has read the next @n elements, all of this frame: release them. */
static SPSCRING_INLINE void spscring_release_elements(struct spscring_consumer *c, __u32 n)
{
	__u64 pos = c->base.pos + n;

	c->base.pos = pos;
	spscring_release_cursor(&c->base, pos);
	spscring_after_release(&c->base, pos);
}

/**
 * spscring_peek_n() - find the next elements, to read in place
 * @c: the consumer
 * @n: how many elements the caller wants, at least 1
 * @elements: set to the first one; each next one is a stride further
 *
 * The elements lie in one frame, so there may be fewer than @n even if more are published.  A
 * producer can write the memory at any time, so one that is not trusted may change an element
 * while the caller reads it.  Kernel code therefore gets -EPERM if a user is the producer.
 *
 * Return: the number of elements, 1 to @n; or a negative errno, see end.h.
 */
static SPSCRING_INLINE long spscring_peek_n(struct spscring_consumer *c, size_t n,
					    const void **elements)
{
#ifdef __KERNEL__
	if (c->base.peer_is_user)
		return -EPERM;
#endif
	*elements = NULL;		/* some compilers warn that it may stay unset */
	if (c->base.pos == c->cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
	}
	*elements = spscring_next_element(c);
	return (long)(n < c->cached_tail - c->base.pos ? n : c->cached_tail - c->base.pos);
}

/**
 * spscring_release_n() - release the first of the peeked elements
 * @c: the consumer
 * @n: how many, at most what spscring_peek_n() returned
 */
static SPSCRING_INLINE void spscring_release_n(struct spscring_consumer *c, size_t n)
{
	if (spscring_unlikely(!n))
		return;
	spscring_trace_known(c, n);
	spscring_release_elements(c, (__u32)n);
}

/**
 * spscring_peek() - find the next element, to read in place
 * @c: the consumer
 * @element: set to the element; see spscring_peek_n()
 *
 * Return: 0, or a negative errno, see end.h.
 */
static SPSCRING_INLINE int spscring_peek(struct spscring_consumer *c, const void **element)
{
	long n = spscring_peek_n(c, 1, element);

	return n < 0 ? (int)n : 0;
}

/**
 * spscring_release() - release the peeked element
 * @c: the consumer
 */
static SPSCRING_INLINE void spscring_release(struct spscring_consumer *c)
{
	spscring_trace_known(c, 1);
	spscring_release_elements(c, 1);
}

/**
 * spscring_pop_fixed() - pop one element, of a size that the compiler knows
 * @c: the consumer
 * @element: where to copy it
 * @size: the ring's element size
 *
 * Return: 0, or a negative errno, see end.h.
 */
static SPSCRING_INLINE int spscring_pop_fixed(struct spscring_consumer *c,
					      void *element, __u32 size)
{
	if (c->base.pos == c->cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
		spscring_trace_known(c, 1);
	}
	__builtin_memcpy(element, spscring_next_element(c), size);
	spscring_release_elements(c, 1);
	return 0;
}

/**
 * spscring_pop() - pop one element
 * @c: the consumer
 * @element: where to copy it, of the ring's element size
 *
 * Return: 0, or a negative errno, see end.h.
 */
static inline int spscring_pop(struct spscring_consumer *c, void *element)
{
	return spscring_pop_fixed(c, element, c->element_size);
}

/**
 * spscring_pop_n_fixed() - pop a batch, of an element size that the compiler knows
 * @c: the consumer
 * @elements: where to copy the elements, an array without gaps
 * @n: how many
 * @size: the ring's element size
 *
 * Return: the number of elements popped, fewer than @n if the ring became empty; or a negative
 * errno if none was, see end.h.
 */
static SPSCRING_INLINE long spscring_pop_n_fixed(struct spscring_consumer *c,
						 void *elements, size_t n, __u32 size)
{
	__u32 all = spscring_batch(n), todo = all;
	char *to = (char *)elements;

	while (todo) {
		__u64 some = c->cached_tail - c->base.pos;

		if (!some) {
			int err = spscring_refresh_tail(c);

			if (err) {
				if (todo == all)
					return err;
				break;
			}
			some = c->cached_tail - c->base.pos;
		}
		if (some > todo)
			some = todo;
		spscring_copy(to, size, spscring_next_element(c), c->base.stride,
			      (__u32)some, size);
		c->base.pos += some;
		todo -= (__u32)some;
		to += some * size;
	}
	if (spscring_traced(pop)) {
		spscring_trace_pop_n(&c->base, all - todo);
		c->cached_tail = c->base.pos;	/* as spscring_trace_known() does */
	}
	spscring_release_cursor(&c->base, c->base.pos);
	spscring_after_release(&c->base, c->base.pos);
	return all - todo;
}

/**
 * spscring_pop_n() - pop a batch
 * @c: the consumer
 * @elements: where to copy the elements, an array without gaps
 * @n: how many
 *
 * Return: as spscring_pop_n_fixed().
 */
static inline long spscring_pop_n(struct spscring_consumer *c, void *elements, size_t n)
{
	return spscring_pop_n_fixed(c, elements, n, c->element_size);
}

/**
 * spscring_has_room() - are at least @n slots free?
 * @p: the producer
 * @n: how many; more than the capacity are never free
 *
 * This reads the consumer's exact cursor, whose line the consumer often writes.  It is meant for
 * a producer that waits, not for each push.
 *
 * Return: 1 if there is room, or 0.
 */
static inline int spscring_has_room(const struct spscring_producer *p, __u64 n)
{
	return spscring_base_has_room(&p->base, n);
}

/**
 * spscring_has_elements() - are at least @n elements published and not yet popped?
 * @c: the consumer
 * @n: how many, at least 1; more than the capacity never are
 *
 * This reads the tail of the frame that holds the last of them.
 *
 * Return: 1 if they are, or 0.
 */
int spscring_has_elements(const struct spscring_consumer *c, __u64 n);

/**
 * spscring_spin_room() - spin until slots are free, for a short time before a sleep
 * @p: the producer
 * @n: how many, as of spscring_has_room()
 *
 * Return: 1 if they are free, or 0.
 */
static inline int spscring_spin_room(struct spscring_producer *p, __u64 n)
{
	return spscring_base_spin_room(&p->base, n);
}

/**
 * spscring_spin_elements() - spin until elements are published, for a short time before a sleep
 * @c: the consumer
 * @n: how many, as of spscring_has_elements()
 *
 * Return: 1 if they are published, or 0.
 */
int spscring_spin_elements(struct spscring_consumer *c, __u64 n);

SPSCRING_END_DECLS

#endif /* _SPSCRING_ELEMENT_H */
