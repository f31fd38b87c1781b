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

/* A frame, as its producer needs it. */
struct spscring_frame {
	__u64 *tail;		/* at its start */
	unsigned long slots;	/* the slot of an index is at slots + index * stride, modulo 2^64 */
};

/* A producer of records of one size. */
struct spscring_producer {
	struct spscring_producer_base base;	/* first, so that it costs no address */
	struct spscring_frame frame;
	/* once a frame */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_last;	/* where the frame's slots end */
	__u32 frame_elements;
};

/* A consumer of records of one size. */
struct spscring_consumer {
	struct spscring_consumer_base base;	/* first, so that it costs no address */
	__u64 cached_tail;	/* elements are there up to here, in this frame */
	unsigned long slots;	/* the slot of an index is at slots + index * stride, modulo 2^64 */
	const __u64 *tail;	/* of the frame, at its start */
	__u64 frame_end;	/* index after the frame's last slot */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_elements;
};

/* The frame behind one, by laps. */
static SPSCRING_INLINE char *spscring_next_frame(char *frame, __u32 size, char *data,
						 const char *end)
{
	frame += size;
	return spscring_likely(frame != end) ? frame : data;
}

/* Where the slot of index 0 would be, were a frame that begins with index @first so long. */
static SPSCRING_INLINE unsigned long spscring_slots(const char *frame, __u32 frame_first,
						    __u64 first, __u32 stride)
{
	return (unsigned long)frame + frame_first - first * stride;
}

/* @frame begins with index @first. */
static SPSCRING_INLINE struct spscring_frame spscring_frame_of(const struct spscring_producer *p,
							       char *frame, __u64 first)
{
	struct spscring_frame at;

	at.tail = (__u64 *)frame;
	at.slots = spscring_slots(frame, p->frame_first, first, p->base.stride);
	return at;
}

/* The frame behind that of @at, which begins with index @first. */
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

/* Are all slots of a frame before @pos? */
static SPSCRING_INLINE int spscring_at_frame_end(const struct spscring_producer *p,
						 const struct spscring_frame *at, __u64 pos)
{
	return spscring_slot(p, at, pos) == (char *)at->tail + p->frame_last;
}

/* How many of its frame are not before @pos. */
static SPSCRING_INLINE __u64 spscring_slots_left(const struct spscring_producer *p, __u64 pos)
{
	const char *end = (const char *)p->frame.tail + p->frame_last;

	return (__u64)(end - spscring_slot(p, &p->frame, pos)) / p->base.stride;
}

/* pos is at stop: on to the next frame, or to more room. */
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
		/* (A): nothing yet, so that the frame's line is asked for before the record is */
		spscring_store_release(p->frame.tail, pos);
		frame_end = pos + p->frame_elements;
	} else {
		frame_end = pos + spscring_slots_left(p, pos);
	}
	p->base.run_end = (__s64)(p->base.cached_limit - frame_end) < 0 ? p->base.cached_limit : frame_end;
	return 0;
}

/* All before @pos are written; this frame's are to be published. */
static SPSCRING_INLINE void spscring_store_tail(struct spscring_producer *p, __u64 pos)
{
	p->base.pos = pos;
	/* (A) pairs with (B): the records, then the tail that says so */
	spscring_store_release(p->frame.tail, pos);
}

static SPSCRING_INLINE int spscring_publish(struct spscring_producer *p, __u64 pos)
{
	spscring_store_tail(p, pos);
	return spscring_after_publish(&p->base, pos);
}

/**
 * spscring_reserve_n() - slots to write in place
 * @p: the producer
 * @n: how many are wanted, at least 1
 * @slots: the first one; the next are a stride apart
 *
 * What it gives lies in one frame, so it may be less than is wanted and free.
 * A second call before the commit gives the same slots.
 *
 * Return: how many there are, 1 to @n; or a negative errno, see the top.
 */
static SPSCRING_INLINE long spscring_reserve_n(struct spscring_producer *p,
					       size_t n, void **slots)
{
	__u64 pos = p->base.pos;

	*slots = NULL;		/* for compilers that think it may stay unset */
	if (spscring_unlikely(pos == p->base.run_end)) {
		int err = spscring_next_run(p);

		if (err)
			return err;
	}
	*slots = spscring_slot(p, &p->frame, pos);
	return (long)(n < p->base.run_end - pos ? n : p->base.run_end - pos);
}

/**
 * spscring_commit_n() - publish the first slots reserved
 * @p: the producer
 * @n: how many, at most what spscring_reserve_n() gave
 */
static SPSCRING_INLINE void spscring_commit_n(struct spscring_producer *p, size_t n)
{
	if (spscring_unlikely(!n))
		return;
	if (spscring_traced(push))
		spscring_trace_push(&p->base, (__u32)n);
	spscring_publish(p, p->base.pos + n);
}

/**
 * spscring_commit_flags() - publish the first slots reserved, for those who know better
 * @p: the producer
 * @n: how many, at most what spscring_reserve_n() gave
 * @flags: 0, SPSCRING_NOWAKE or SPSCRING_WAKE
 *
 * NOWAKE spares the fence and the look: where more is to follow at once, whose
 * publish does both.  The terms are the BPF ring buffer's.
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
	if (spscring_traced(push))
		spscring_trace_push(&p->base, (__u32)n);
	spscring_store_tail(p, p->base.pos + n);
}

/**
 * spscring_reserve() - one slot to write in place
 * @p: the producer
 * @slot: where it is
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_reserve(struct spscring_producer *p, void **slot)
{
	long n = spscring_reserve_n(p, 1, slot);

	return n < 0 ? (int)n : 0;
}

/**
 * spscring_commit() - publish the slot reserved
 * @p: the producer
 */
static SPSCRING_INLINE void spscring_commit(struct spscring_producer *p)
{
	spscring_commit_n(p, 1);
}

/* The same for one push, which is traced here: then the next one comes by here, too. */
static SPSCRING_INLINE int spscring_push_next_run(struct spscring_producer *p)
{
	int err = spscring_next_run(p);

	if (!err && spscring_traced(push)) {
		spscring_trace_push(&p->base, 1);
		p->base.run_end = p->base.pos + 1;
	}
	return err;
}

/**
 * spscring_push_fixed() - push one record of a size known to the compiler
 * @p: the producer
 * @rec: the record
 * @size: the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_push_fixed(struct spscring_producer *p,
					       const void *rec, __u32 size)
{
	__u64 pos = p->base.pos;

	/* the record is no argument of the call: in a loop it need not be in memory */
	if (spscring_unlikely(pos == p->base.run_end)) {
		int err = spscring_push_next_run(p);

		if (err)
			return err;
	}
	__builtin_memcpy(spscring_slot(p, &p->frame, pos), rec, size);
	return spscring_publish(p, pos + 1);
}

/**
 * spscring_push() - push one record
 * @p: the producer
 * @rec: the record, of the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static inline int spscring_push(struct spscring_producer *p, const void *rec)
{
	return spscring_push_fixed(p, rec, p->element_size);
}

/* How many frames ahead a batch asks for lines. */
#define SPSCRING_PREFETCH_FRAMES	16

/*
 * A batch that enters a frame asks for the first line of a later one, so that its stores
 * find the line there.  The later frame must be free, or the line would be taken from the
 * consumer that reads it; and nothing behind the data is asked for.
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
 * n records of one frame.  A line full of small records of known size is
 * moved without a loop or a call: that is what a batch mostly consists of.
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

/* What one call moves at most of a batch of any length. */
static SPSCRING_INLINE __u32 spscring_batch(size_t n)
{
	return n < 0x80000000U ? (__u32)n : 0x80000000U;
}

/**
 * spscring_push_n_fixed() - push a batch of a record size known to the compiler
 * @p: the producer
 * @recs: the records, one behind the other
 * @n: how many
 * @size: the ring's record size
 *
 * Return: how many were pushed, fewer than @n where there was no more room; or
 * a negative errno where there was none at all, see the top.
 */
static SPSCRING_INLINE long spscring_push_n_fixed(struct spscring_producer *p,
						  const void *recs, size_t n, __u32 size)
{
	const char *from = (const char *)recs;
	/* private until the end: the handle's line is not to come between those of the ring */
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
			/* of a whole frame that is free no more need be known, nor told */
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
	if (at.slots != p->frame.slots)	/* a traced batch may be back in its frame, a lap later */
		spscring_publish_cursor(&p->base, pos);
	p->frame = at;
	p->base.pos = pos;
	p->base.run_end = stop;
	if (todo != all)
		spscring_after_publish(&p->base, pos);
	return all - todo;
}

/**
 * spscring_push_n() - push a batch
 * @p: the producer
 * @recs: the records, one behind the other
 * @n: how many
 *
 * Return: as spscring_push_n_fixed().
 */
static inline long spscring_push_n(struct spscring_producer *p, const void *recs, size_t n)
{
	return spscring_push_n_fixed(p, recs, n, p->element_size);
}

/**
 * spscring_consumer_fail() - a consumer's handle goes no further
 * @c: its base
 * @why: what every pop and peek says from here on: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
int spscring_consumer_fail(struct spscring_consumer *c, int why);

int spscring_consumer_broken(struct spscring_consumer *c) SPSCRING_COLD;

/* The tail shows nothing: empty, or ended, or impossible. */
int spscring_empty_status(struct spscring_consumer *c) SPSCRING_COLD;

/**
 * spscring_backoff() - wait between two tries to pop
 * @c: the consumer, after -EAGAIN
 *
 * A cpu_relax() where records come one by one, up to SPSCRING_BACKOFF_MAX of them
 * where they stream: a consumer that polls the frame that is being filled takes
 * its line away from the producer each time.
 */
static inline void spscring_backoff(const struct spscring_consumer *c)
{
	spscring_backoff_for(c->base.backoff);
}

/*
 * A large record takes longer to move, so fewer come in a wait, and each is as many
 * as it is 16 bytes long.  No more than 4: a round trip is not to look like a stream.
 */
static SPSCRING_INLINE __u32 spscring_backoff_weight(const struct spscring_consumer_base *c)
{
	return c->stride < 32 ? 1 : c->stride < 64 ? c->stride / 16 : 4;
}

/* pos is at seen: on to the next frame, and see what is there. */
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
		spscring_adapt_backoff(&c->base,
			      (c->base.pos - c->base.waited_at) * spscring_backoff_weight(&c->base));
	c->cached_tail = c->base.pos + n;
	/* A tail of this frame's next lap says that this lap is complete. */
	if ((__s64)(c->cached_tail - c->frame_end) > 0)
		c->cached_tail = c->frame_end;
	return 0;
}

/* The next record. */
static SPSCRING_INLINE const char *spscring_next_element(const struct spscring_consumer *c)
{
	return (const char *)(c->slots + c->base.pos * c->base.stride);
}

/* n records of this frame are read. */
static SPSCRING_INLINE void spscring_release_elements(struct spscring_consumer *c, __u32 n)
{
	__u64 pos = c->base.pos + n;

	c->base.pos = pos;
	spscring_release_cursor(&c->base, pos);
	spscring_after_release(&c->base, pos);
}

/**
 * spscring_peek_n() - records to read in place
 * @c: the consumer
 * @n: how many are wanted, at least 1
 * @recs: the first one; the next are a stride apart
 *
 * What it shows lies in one frame, so it may be less than is wanted and there.
 * The memory is the producer's: one that is not trusted may change it while it
 * is read.  In the kernel, on a ring whose producer is a user: -EPERM.
 *
 * Return: how many there are, 1 to @n; or a negative errno, see the top.
 */
static SPSCRING_INLINE long spscring_peek_n(struct spscring_consumer *c, size_t n,
					    const void **recs)
{
#ifdef __KERNEL__
	if (c->base.peer_is_user)
		return -EPERM;
#endif
	*recs = NULL;		/* for compilers that think it may stay unset */
	if (c->base.pos == c->cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
	}
	*recs = spscring_next_element(c);
	return (long)(n < c->cached_tail - c->base.pos ? n : c->cached_tail - c->base.pos);
}

/**
 * spscring_release_n() - give the first records peeked back
 * @c: the consumer
 * @n: how many, at most what spscring_peek_n() gave
 */
static SPSCRING_INLINE void spscring_release_n(struct spscring_consumer *c, size_t n)
{
	if (spscring_unlikely(!n))
		return;
	if (spscring_traced(pop))
		spscring_trace_pop(&c->base, (__u32)n);
	spscring_release_elements(c, (__u32)n);
}

/**
 * spscring_peek() - one record to read in place
 * @c: the consumer
 * @rec: where it is; see spscring_peek_n()
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_peek(struct spscring_consumer *c, const void **rec)
{
	long n = spscring_peek_n(c, 1, rec);

	return n < 0 ? (int)n : 0;
}

/**
 * spscring_release() - give the record peeked back
 * @c: the consumer
 */
static SPSCRING_INLINE void spscring_release(struct spscring_consumer *c)
{
	if (spscring_traced(pop))
		spscring_trace_pop(&c->base, 1);
	spscring_release_elements(c, 1);
}

/**
 * spscring_pop_fixed() - pop one record of a size known to the compiler
 * @c: the consumer
 * @rec: where to copy it
 * @size: the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static SPSCRING_INLINE int spscring_pop_fixed(struct spscring_consumer *c,
					      void *rec, __u32 size)
{
	if (c->base.pos == c->cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
		if (spscring_traced(pop)) {
			spscring_trace_pop(&c->base, 1);
			c->cached_tail = c->base.pos + 1;	/* so that the next comes by here */
		}
	}
	__builtin_memcpy(rec, spscring_next_element(c), size);
	spscring_release_elements(c, 1);
	return 0;
}

/**
 * spscring_pop() - pop one record
 * @c: the consumer
 * @rec: where to copy it, of the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static inline int spscring_pop(struct spscring_consumer *c, void *rec)
{
	return spscring_pop_fixed(c, rec, c->element_size);
}

/**
 * spscring_pop_n_fixed() - pop a batch of a record size known to the compiler
 * @c: the consumer
 * @recs: where to copy them, one behind the other
 * @n: how many
 * @size: the ring's record size
 *
 * Return: how many were popped, fewer than @n where there were no more; or a
 * negative errno where there was none at all, see the top.
 */
static SPSCRING_INLINE long spscring_pop_n_fixed(struct spscring_consumer *c,
						 void *recs, size_t n, __u32 size)
{
	__u32 all = spscring_batch(n), todo = all;
	char *to = (char *)recs;

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
		spscring_copy(to, size, spscring_next_element(c), c->base.stride, (__u32)some, size);
		c->base.pos += some;
		todo -= (__u32)some;
		to += some * size;
	}
	if (spscring_traced(pop))
		spscring_trace_pop_n(&c->base, all - todo);
	spscring_release_cursor(&c->base, c->base.pos);
	spscring_after_release(&c->base, c->base.pos);
	return all - todo;
}

/**
 * spscring_pop_n() - pop a batch
 * @c: the consumer
 * @recs: where to copy them, one behind the other
 * @n: how many
 *
 * Return: as spscring_pop_n_fixed().
 */
static inline long spscring_pop_n(struct spscring_consumer *c, void *recs, size_t n)
{
	return spscring_pop_n_fixed(c, recs, n, c->element_size);
}

/**
 * spscring_has_room() - whether slots are free, exactly
 * @p: the producer
 * @n: how many, at most the capacity; never, if more
 *
 * Reads the consumer's exact cursor: for a producer that waits, not for each push.
 *
 * Return: 1 if there is room now, or 0.
 */
static inline int spscring_has_room(const struct spscring_producer *p, __u64 n)
{
	return spscring_base_has_room(&p->base, n);
}

/**
 * spscring_has_elements() - whether records are there
 * @c: the consumer
 * @n: how many, at most the capacity; never, if more
 *
 * Reads the tail of the frame that holds the last of them.
 *
 * Return: 1 if they are there now, or 0.
 */
int spscring_has_elements(const struct spscring_consumer *c, __u64 n);

/**
 * spscring_spin_room() - look for a while whether slots are free, before a sleep
 * @p: the producer
 * @n: how many, as of spscring_has_room()
 *
 * Return: whether they are.
 */
static inline int spscring_spin_room(struct spscring_producer *p, __u64 n)
{
	return spscring_base_spin_room(&p->base, n);
}

/**
 * spscring_spin_elements() - look for a while whether records are there, before a sleep
 * @c: the consumer
 * @n: how many, as of spscring_has_elements()
 *
 * Return: whether they are.
 */
int spscring_spin_elements(struct spscring_consumer *c, __u64 n);

SPSCRING_END_DECLS

#endif /* _SPSCRING_ELEMENT_H */
