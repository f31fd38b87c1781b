/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: the algorithm, once, for the kernel and for user space.
 *
 * Fixed-size records lie in frames.  A frame is a power of two of at least a
 * cache line: a u64 tail, then the records that fit.  Its tail is the absolute
 * index after the last record published in it (or, in a free frame, that of its
 * first record to come), so a tail of the lap before is
 * simply too small, the consumer polls the very line that brings the data, and
 * it never writes the data.
 *
 *	 frame 0		     frame 1
 *	+------+----+----+----+-+	+------+----+----+----+-+
 *	| tail | r0 | r1 | .. | |	| tail | r7 | r8 | .. | |   data
 *	+------+----+----+----+-+	+------+----+----+----+-+
 *
 *	producer			consumer
 *	--------			--------
 *	full?  told head, then cursor	look   tail of this frame
 *	  LOAD.acq told	       (F)	  LOAD.acq tail	       (B)
 *	  LOAD.acq cursor      (D)	take   records
 *	put    records			release
 *	publish				  STORE.rel cursor     (C)
 *	  STORE.rel tail       (A)	tell   now and then
 *	  STORE.rel cursor     (G)	  STORE.rel told       (E)
 *	  now and then, for frames ahead:
 *	  FENCE.w	       (K)
 *	  STORE     tails
 *	wake			wake
 *	  FENCE	 (L)		  FENCE	 (N)
 *	  LOAD	 consumer_wants	  LOAD	 producer_wants
 *
 *	kernel
 *	------
 *	an end ends    STORE.rel state (I)   its peer finds out  LOAD.acq (J)
 *	a claim, INFO  LOAD.acq  producer's cursor (H), consumer's (D), tails (B)
 *	an end sleeps  STORE wants, FENCE, then a last look: consumer (M), producer (O)
 *
 * Pairs, and what each is for:
 *
 *	A-B	the records are there before the tail that says so
 *	C-D	the consumer has read a slot before the producer learns that it
 *		may write it again
 *	E-F	the same by the told head, a hint: it only ever lags the cursor
 *	G-H	the tails are there before the cursor: what a claim finds beyond
 *		the cursor is all that a killed producer left half done
 *	K-B	the cursor is there before the tails of frames taken ahead, for
 *		a claim of the consumer beside a producer that lives
 *	I-J	all that an end published is there before its end is, so that
 *		"ended and empty" is final
 *	L-M	either the producer sees what the consumer wants, or the consumer
 *		sees the tail: no sleep is slept through
 *	N-O	the same of the consumer's cursor and what the producer wants
 *
 * Of frames ahead that are free, the producer now and then stores the tail that
 * says "nothing yet", to have their lines before it needs them.
 *
 * L and N are the only full fences, one a publish or release, and none in a ring
 * that is only polled; in an asymmetric one the sleeper has the peer's CPUs make
 * them, see struct spscring_wait.  The two cursors are private stores: each is on
 * a line that the peer reads only when it would otherwise report full.
 *
 * The peer is not trusted.  Geometry and the own cursor are private copies; a
 * peer's word is read once and checked; out of range it breaks the ring for
 * this end (-EPIPE), and it becomes a count bounded by this frame, never an
 * index.  So a hostile peer can send garbage or nothing, and that is all.
 *
 * Frames that carry their own tail, and the absolute index that makes a stale
 * one harmless: a wider form of the sequence number per slot of D. Vyukov's
 * bounded queue.  Batching what the consumer tells: MCRingBuffer (Lee, Bu,
 * Chandranmenon, 2010).  The verbs are net/xdp/xsk_queue.h's.
 *
 * Every function here: one caller at a time on each handle, any context (it
 * neither sleeps nor allocates nor takes a lock).  Errors, as negative errno:
 *
 *	-EAGAIN		full, or empty
 *	-ESHUTDOWN	full, or empty, and the peer has shut down
 *	-EPIPE		full, or empty, and the peer has died (another may yet
 *			claim its end); or the ring is broken, for good
 */
#ifndef _UAPI_LINUX_SPSCRING_RING_H
#define _UAPI_LINUX_SPSCRING_RING_H

#include <asm/barrier.h>
#include <linux/spscring.h>
#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint-defs.h>

struct spscring;
void spscring_broken(struct spscring *ring, int role);
void spscring_kick(struct spscring *ring, int role, __u32 flags);

/*
 * The kernel's tracepoints, see kmod/trace.h.  One record's push and pop look at
 * theirs where they step to the next frame, and once they are on that is each
 * time; so while they are off it costs those nothing, jump labels or not.
 */
DECLARE_TRACEPOINT(spscring_full);
DECLARE_TRACEPOINT(spscring_push);
DECLARE_TRACEPOINT(spscring_pop);
#define spscring_traced(what)	tracepoint_enabled(spscring_##what)
#define SPSCRING_NOINLINE	noinline __maybe_unused
#define SPSCRING_COLD		noinline __cold __maybe_unused
#define spscring_must_yield()	need_resched()
#else
#include <errno.h>
#include <sys/ioctl.h>
#define spscring_traced(what)	0
#define spscring_must_yield()	0
#endif

struct spscring_producer;
struct spscring_consumer;
void spscring_trace_full(const struct spscring_producer *p);
void spscring_trace_push(const struct spscring_producer *p, __u32 n);
long spscring_trace_push_n(struct spscring_producer *p, __u32 n);
void spscring_trace_pop(const struct spscring_consumer *c, __u32 n);
void spscring_trace_pop_n(const struct spscring_consumer *c, __u32 n);

/*
 * What the producer makes its own ahead of use, see spscring_touch(): so many bytes, of
 * whole frames, but no more than so many of one; by a store to each line.
 */
#define SPSCRING_TOUCH		1024
#define SPSCRING_TOUCH_FRAME	4096
#define SPSCRING_TOUCH_STEP	64

/* The longest that spscring_relax() waits, in cpu_relax(). */
#define SPSCRING_RELAX_MAX	256

/* What an end does after each publish or release for a peer that may sleep. */
#define SPSCRING_WAKE_NEVER	0	/* it is polled only */
#define SPSCRING_WAKE_FENCE	1
#define SPSCRING_WAKE_ASYMMETRIC 2	/* the sleeper fences for both */

/* Beside it, in a producer: frames ahead are to be touched. */
#define SPSCRING_AFTER_TOUCH	4

/* The most looks of an end that waits before it sleeps: some tens of microseconds. */
#define SPSCRING_SPIN_MAX	2000

/* Failed tries between two looks at what is dear: exact cursor, peer's state. */
#define SPSCRING_LOOK_EVERY	64

/*
 * The handles: an end's private memory, beside the shared pages.  Made by
 * spscring_producer_init() and spscring_consumer_init(); no field is the
 * user's.  One comparison, of pos with stop or seen, covers all that is not the
 * common case; stepping to the next frame is left to the next call.
 */
struct spscring_producer {
	__u64 pos;		/* index of the next record */
	__u64 stop;		/* pos grows to here: end of the frame, or of the room */
	char *at;		/* slot of pos, or its word */
	union {
		__u64 *tail;	/* of the frame, at its start */
		__u64 sequence;	/* of the next record */
	};
	__u64 *cursor;
	__u32 stride;		/* or alignment */
	__u32 after;		/* what a publish has to do: SPSCRING_WAKE_*, _AFTER_TOUCH */
	union {
		__u32 record_size;
		__u32 phase;	/* of the words of this lap */
	};
	__s32 touched;		/* frames ahead that are this CPU's already */
	const __u64 *wants;	/* where the consumer wants to be woken */
	__u64 kicked;		/* the last such index that it was kicked for */
	/* once a frame, or full */
	const __u64 *own_wants;	/* where this end wants to be woken */
	__u64 slept;		/* that, at the last try that looked */
	union {
		__u64 frame_end; /* index after the frame's last slot */
		__u64 cleared;	/* words ahead are 0 up to here */
	};
	__u64 limit;		/* pos may grow to here without asking the peer */
	char *data;
	char *end;
	__u64 capacity;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_records;
	__u32 fails;		/* tries since there was room */
	__u64 failed_at;	/* pos at the last of them */
	const __u64 *peer_told;
	const __u64 *peer_cursor;
	const __u64 *peer_state;
	struct spscring_producer_lines *lines;
	__u32 spin;		/* looks before it sleeps, adapting */
	__u32 spin_max;		/* the most of them; the caller's to set */
	/* of records of any size */
	__u64 reserved;		/* bytes from pos on, not yet committed */
	__u64 first;		/* word of the first of them, all but the sequence */
	__u64 oldest;		/* that is whole, of a ring that overwrites */
	__u64 oldest_sequence;
	const char *oldest_at;
	__u32 flags;		/* the ring's */
	__u32 broken;
#ifdef __KERNEL__
	struct spscring *ring;
#else
	int fd;			/* the endpoint, to KICK by and to WAIT on */
#endif
};

struct spscring_consumer {
	__u64 pos;		/* index of the next record */
	__u64 seen;		/* records are there up to here, in this frame; or: lengths
				 * below this need no second look
				 */
	char *at;		/* slot of pos, or its word */
	union {
		const __u64 *tail; /* of the frame, at its start */
		__u64 sequence;	/* of the next record */
	};
	__u64 *cursor;
	__u32 stride;		/* or alignment */
	union {
		__u32 record_size;
		__u32 phase;	/* of the words of this lap */
	};
	__u64 capacity;
	__u64 frame_end;	/* index after the frame's last slot */
	__u64 after_at;		/* from here on a release has more to do */
	__u64 tell_at;		/* from here on the head is to be told */
	const __u64 *wants;	/* where the producer wants to be woken */
	__u64 kicked;		/* the last such index that it was kicked for */
	__u32 wake;		/* SPSCRING_WAKE_* */
	/* once a frame, or empty */
	char *data;
	char *end;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_records;
	__u32 fails;		/* tries that found nothing */
	__u32 relax;		/* how long to wait between tries, in cpu_relax() */
	__u32 waited;		/* how long the last wait was, likewise */
	__u32 waited_fails;	/* fails when it was over */
	__u64 waited_at;	/* pos then */
	__u32 tell;
	__u32 spin;		/* looks before it sleeps, adapting */
	__u32 spin_max;		/* the most of them; the caller's to set */
	__u32 broken;
	const __u64 *peer_state;
	struct spscring_consumer_lines *lines;
	/* of records of any size */
	const struct spscring_producer_lines *peer;
	__u64 waited_sequence;	/* sequence when the last wait was over */
	__u32 flags;		/* the ring's */
#ifdef __KERNEL__
	struct spscring *ring;
	bool peer_is_user;	/* no peek: it may change what is looked at */
#else
	int fd;			/* the endpoint, to KICK by and to WAIT on */
#endif
};

/* Somebody waits for what is there now: only the kernel can wake it. */
#ifdef __KERNEL__
#define spscring_kick_peer(end, role, flags)	spscring_kick((end)->ring, role, flags)
#else
static SPSCRING_COLD void spscring_kick_fd(int fd, unsigned long flags)
{
	int before = errno;

	ioctl(fd, SPSCRING_KICK, flags);
	errno = before;
}

#define spscring_kick_peer(end, role, flags)	((void)(role), spscring_kick_fd((end)->fd, flags))
#endif

/* What follows of a peer's state once its records or its room are used up. */
static inline int spscring_ended(const __u64 *peer_state)
{
	/* (J) pairs with (I): what the peer did before is seen by the next look */
	switch (SPSCRING_END_STATE(smp_load_acquire(peer_state))) {
	case SPSCRING_SHUT_DOWN:
		return -ESHUTDOWN;
	case SPSCRING_DEAD:
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

/* The frame behind one, by laps. */
static __always_inline char *spscring_next_frame(char *frame, __u32 size, char *data,
						 const char *end)
{
	frame += size;
	return likely(frame != end) ? frame : data;
}

/* ------------------------------------------------------------- producer */

static inline int spscring_producer_broken(struct spscring_producer *p)
{
	/* so that every push comes by here */
	p->limit = p->pos;
	p->stop = p->pos;
	p->broken = 1;
#ifdef __KERNEL__
	spscring_broken(p->ring, SPSCRING_PRODUCER);
#endif
	return -EPIPE;
}

/* The most that was in use, by the head that the producer knows. */
static __always_inline void spscring_high_water(struct spscring_producer *p, __u64 head)
{
	__u64 *most = &p->lines->counters.more[SPSCRING_COUNT_HIGH_WATER];
	__u64 used = p->pos - head;

	if (used > *most && used <= p->capacity)
		WRITE_ONCE(*most, used);
}

/*
 * Fewer than the @n wanted slots are known to be free: ask again.  The told head
 * is a hint and may lag; the exact cursor is read before this reports full, the
 * first time, after each sleep and every SPSCRING_LOOK_EVERY tries, so that a
 * consumer that takes a few records and then waits for the producer by other
 * means gets them; in a ring that drops each time, as nothing is lost for a hint.
 */
static SPSCRING_COLD int spscring_refresh(struct spscring_producer *p, __u64 n)
{
	__u64 head, wants;
	__u32 every;
	int ended;

	if (unlikely(p->broken))
		return -EPIPE;

	/* (F) pairs with (E) */
	head = smp_load_acquire(p->peer_told);
	if (unlikely((__s64)(head - p->pos) > 0))
		return spscring_producer_broken(p);
	if ((__s64)(head + p->capacity - p->limit) > 0)
		p->limit = head + p->capacity;
	if (p->limit - p->pos >= n) {
		spscring_high_water(p, head);
		p->fails = 0;
		return 0;
	}

	/* it has slept or polled since, and was told of room by the exact cursor */
	wants = READ_ONCE(*p->own_wants);
	if (p->pos != p->failed_at)	/* records of less have found room since */
		p->fails = 0;
	p->failed_at = p->pos;
	every = p->flags & SPSCRING_CREATE_DROP ? 1 : SPSCRING_LOOK_EVERY;
	if (p->fails++ % every && wants == p->slept)
		return -EAGAIN;
	p->slept = wants;
	WRITE_ONCE(p->lines->counters.word, p->lines->counters.word +
		   (p->fails == 1 ? 1 : every));
	ended = spscring_ended(p->peer_state);
	/* (D) pairs with (C) */
	head = smp_load_acquire(p->peer_cursor);
	if (unlikely(p->pos - head > p->capacity))
		return spscring_producer_broken(p);
	/* it does not fall: pos may be beyond what a peer that lies tells now */
	if ((__s64)(head + p->capacity - p->limit) > 0)
		p->limit = head + p->capacity;
	spscring_high_water(p, head);
	if (p->limit - p->pos < n) {
		if (p->fails == 1 && spscring_traced(full))
			spscring_trace_full(p);
		return ended;
	}
	p->fails = 0;
	return 0;
}

/* pos is at stop: on to the next frame, if it is this one's end. */
static __always_inline void spscring_step(struct spscring_producer *p)
{
	if (likely(p->pos == p->frame_end)) {
		char *frame = spscring_next_frame((char *)p->tail, p->frame_size,
						  p->data, p->end);

		p->tail = (__u64 *)frame;
		p->at = frame + p->frame_first;
		p->frame_end += p->frame_records;
		if (--p->touched < 0)
			p->after |= SPSCRING_AFTER_TOUCH;
	}
}

static __always_inline void spscring_stop(struct spscring_producer *p)
{
	p->stop = (__s64)(p->limit - p->frame_end) < 0 ? p->limit : p->frame_end;
}

/* pos is at stop: on to the next frame, or to more room. */
static __always_inline int spscring_make_room(struct spscring_producer *p)
{
	spscring_step(p);
	if (unlikely(p->pos == p->limit)) {
		int err = spscring_refresh(p, 1);

		if (err)
			return err;
	}
	spscring_stop(p);
	return 0;
}

/*
 * A line that the consumer has read must be got back before it is written, and
 * with stores to other lines between (the handle's, the cursor) a CPU gets one at
 * a time.  So get some in a row, by a store each: a word at every @step of @bytes
 * that are free.  A prefetch for writing does not do that.
 */
static __always_inline void spscring_touch_lines(char *at, __u64 bytes, __u32 step)
{
	__u64 i;

	for (i = 0; i + sizeof(__u64) <= bytes; i += step)
		WRITE_ONCE(*(__u64 *)(at + i), 0);
}

/* The free frames ahead: a tail that says "nothing yet", then a word of each further line. */
static SPSCRING_NOINLINE int spscring_touch(struct spscring_producer *p)
{
	__u64 next = p->frame_end;	/* index of the next frame's first record */
	char *frame = (char *)p->tail;
	__u32 part = p->frame_size, bytes;

	if (part > SPSCRING_TOUCH_FRAME)
		part = SPSCRING_TOUCH_FRAME;
	p->after &= ~SPSCRING_AFTER_TOUCH;
	/* (K) pairs with (B): a claim that sees one of these sees the cursor */
	smp_wmb();
	p->touched = 0;
	for (bytes = 0; bytes < SPSCRING_TOUCH; bytes += part) {
		frame = spscring_next_frame(frame, p->frame_size, p->data, p->end);
		if ((__s64)(p->limit - next) < p->frame_records)
			break;
		WRITE_ONCE(*(__u64 *)frame, next);
		spscring_touch_lines(frame + SPSCRING_TOUCH_STEP, part - SPSCRING_TOUCH_STEP,
				     SPSCRING_TOUCH_STEP);
		next += p->frame_records;
		p->touched++;
	}
	return 0;
}

/* n records of this frame are written. */
static __always_inline void spscring_publish_frame(struct spscring_producer *p,
						   __u32 n, __u32 stride)
{
	__u64 pos = p->pos + n;

	p->pos = pos;
	p->at += n * stride;
	/* (A) pairs with (B): the records, then the tail that says so */
	smp_store_release(p->tail, pos);
}

static __always_inline void spscring_publish_cursor(struct spscring_producer *p)
{
	/* (G) pairs with (H): every tail, then the cursor */
	smp_store_release(p->cursor, p->pos);
}

static SPSCRING_COLD int spscring_kick_consumer(struct spscring_producer *p,
						__u64 want)
{
	p->kicked = want;
	spscring_kick_peer(p, SPSCRING_CONSUMER, 0);
	return 0;
}

/*
 * After the tail: does the consumer sleep, and is this what it waits for?  Not
 * "has this publish crossed its index": one that arrives late is honoured by the
 * next publish.
 */
static __always_inline int spscring_published(struct spscring_producer *p)
{
	__u32 after = p->after;
	__u64 want;

	if (!after)
		return 0;
	if (after & SPSCRING_WAKE_FENCE)
		smp_mb();	/* (L) pairs with (M) */
	else
		barrier();	/* (L) is the sleeper's to make */
	if (after & ~SPSCRING_AFTER_TOUCH) {
		want = READ_ONCE(*p->wants);
		if (unlikely(want != p->kicked && (__s64)(p->pos - want) >= 0))
			return spscring_kick_consumer(p, want);
	}
	return after & SPSCRING_AFTER_TOUCH ? spscring_touch(p) : 0;
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
static __always_inline long spscring_reserve_n(struct spscring_producer *p,
					       __u32 n, void **slots)
{
	*slots = p->at;		/* for compilers that think it may stay unset */
	if (unlikely(p->pos == p->stop)) {
		int err = spscring_make_room(p);

		if (err)
			return err;
		*slots = p->at;
	}
	return n < p->stop - p->pos ? n : (long)(p->stop - p->pos);
}

/**
 * spscring_commit_n() - publish the first slots reserved
 * @p: the producer
 * @n: how many, at most what spscring_reserve_n() gave
 */
static __always_inline void spscring_commit_n(struct spscring_producer *p, __u32 n)
{
	if (unlikely(!n))
		return;
	if (spscring_traced(push))
		spscring_trace_push(p, n);
	spscring_publish_frame(p, n, p->stride);
	spscring_publish_cursor(p);
	spscring_published(p);
}

#define SPSCRING_NOWAKE	1	/* let it sleep, until a later publish */
#define SPSCRING_WAKE	2	/* who polls is told below the watermark as well */

static __always_inline void spscring_wake_now(struct spscring_producer *p, __u32 flags)
{
	if (flags & SPSCRING_WAKE && p->after & ~SPSCRING_AFTER_TOUCH)
		spscring_kick_peer(p, SPSCRING_CONSUMER, SPSCRING_KICK_NOW);
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
static __always_inline void spscring_commit_flags(struct spscring_producer *p, __u32 n,
						  __u32 flags)
{
	if (!(flags & SPSCRING_NOWAKE)) {
		spscring_commit_n(p, n);
		spscring_wake_now(p, flags);
		return;
	}
	if (unlikely(!n))
		return;
	if (spscring_traced(push))
		spscring_trace_push(p, n);
	spscring_publish_frame(p, n, p->stride);
	spscring_publish_cursor(p);
}

/**
 * spscring_reserve() - one slot to write in place
 * @p: the producer
 * @slot: where it is
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_reserve(struct spscring_producer *p, void **slot)
{
	if (unlikely(p->pos == p->stop)) {
		int err = spscring_make_room(p);

		if (err)
			return err;
	}
	*slot = p->at;
	return 0;
}

/**
 * spscring_commit() - publish the slot reserved
 * @p: the producer
 */
static __always_inline void spscring_commit(struct spscring_producer *p)
{
	if (spscring_traced(push))
		spscring_trace_push(p, 1);
	spscring_publish_frame(p, 1, p->stride);
	spscring_publish_cursor(p);
	spscring_published(p);
}

static __always_inline int spscring_put_record(struct spscring_producer *p, const void *rec,
					       __u32 size)
{
	__builtin_memcpy(p->at, rec, size);
	spscring_publish_frame(p, 1, p->stride);
	spscring_publish_cursor(p);
	return spscring_published(p);
}

/* Asks for room, or traces: a call of its own, so that a push saves no registers. */
static SPSCRING_NOINLINE int spscring_push_cold(struct spscring_producer *p,
						const void *rec, __u32 size)
{
	int err = spscring_make_room(p);

	if (err)
		return err;
	if (spscring_traced(push)) {
		spscring_trace_push(p, 1);
		p->stop = p->pos + 1;	/* so that the next comes by here */
	}
	return spscring_put_record(p, rec, size);
}

/**
 * spscring_push_fixed() - push one record of a size known to the compiler
 * @p: the producer
 * @rec: the record
 * @size: the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_push_fixed(struct spscring_producer *p,
					       const void *rec, __u32 size)
{
	if (unlikely(p->pos == p->stop)) {
		spscring_step(p);
		if (unlikely(p->pos == p->limit) || spscring_traced(push))
			return spscring_push_cold(p, rec, size);
		spscring_stop(p);
	}
	return spscring_put_record(p, rec, size);
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
	return spscring_push_fixed(p, rec, p->record_size);
}

/*
 * n records of one frame.  A line full of small records of known size is
 * moved without a loop or a call: that is what a batch mostly consists of.
 */
static __always_inline void spscring_copy(char *to, __u32 to_stride, const char *from,
					  __u32 from_stride, __u32 n, __u32 size)
{
	if (__builtin_constant_p(size) && size == 8) {
		if (likely(n == 7 && to_stride == 8 && from_stride == 8)) {
			__builtin_memcpy(to, from, 56);
			return;
		}
	} else if (likely(to_stride == from_stride)) {
		__builtin_memcpy(to, from, (__u64)n * size);
		return;
	}
	for (; n; n--, to += to_stride, from += from_stride)
		__builtin_memcpy(to, from, size);
}

static __always_inline void spscring_put_back(struct spscring_producer *p, __u64 pos, __u64 stop,
					      __u64 end, char *at, char *tail)
{
	p->pos = pos;
	p->stop = stop;
	p->frame_end = end;
	p->at = at;
	p->tail = (__u64 *)tail;
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
static __always_inline long spscring_push_n_fixed(struct spscring_producer *p,
						  const void *recs, __u32 n, __u32 size)
{
	const char *from = (const char *)recs;
	/* private until the end, see spscring_touch() */
	__u64 pos = p->pos, stop = p->stop, end = p->frame_end;
	char *at = p->at, *tail = (char *)p->tail;
	__u32 todo = n, some;

	if (spscring_traced(push)) {
		long room = spscring_trace_push_n(p, n);

		if (room <= 0)
			return room;
		n = (__u32)room;
		todo = n;
	}
	while (todo) {
		if (pos == end && (__s64)(p->limit - pos) >= p->frame_records) {
			tail = spscring_next_frame(tail, p->frame_size, p->data, p->end);
			at = tail + p->frame_first;
			end += p->frame_records;
			stop = end;
		} else if (unlikely(pos == stop)) {
			int err;

			/* tails lead the cursor by a capacity at most, for a claim */
			spscring_put_back(p, pos, stop, end, at, tail);
			spscring_publish_cursor(p);
			err = spscring_make_room(p);
			if (unlikely(err)) {
				if (todo == n)
					return err;
				break;
			}
			stop = p->stop;
			end = p->frame_end;
			at = p->at;
			tail = (char *)p->tail;
		}
		some = todo < stop - pos ? todo : (__u32)(stop - pos);
		spscring_copy(at, p->stride, from, size, some, size);
		pos += some;
		at += some * p->stride;
		/* (A) pairs with (B) */
		smp_store_release((__u64 *)tail, pos);
		todo -= some;
		from += (__u64)some * size;
	}
	if (!todo)
		spscring_put_back(p, pos, stop, end, at, tail);
	p->touched = 0;		/* a batch stores in a row as it is */
	p->after &= ~SPSCRING_AFTER_TOUCH;
	spscring_publish_cursor(p);
	spscring_published(p);
	return n - todo;
}

/**
 * spscring_push_n() - push a batch
 * @p: the producer
 * @recs: the records, one behind the other
 * @n: how many
 *
 * Return: as spscring_push_n_fixed().
 */
static inline long spscring_push_n(struct spscring_producer *p, const void *recs, __u32 n)
{
	return spscring_push_n_fixed(p, recs, n, p->record_size);
}

/* ------------------------------------------------------------- consumer */

static SPSCRING_COLD int spscring_consumer_broken(struct spscring_consumer *c)
{
	c->broken = 1;
	/* so that every look comes by here */
	c->capacity = 0;
	if (c->flags & SPSCRING_CREATE_RECORDS)
		c->seen = 0;
#ifdef __KERNEL__
	spscring_broken(c->ring, SPSCRING_CONSUMER);
#endif
	return -EPIPE;
}

/* The tail shows nothing: empty, or ended, or impossible. */
static SPSCRING_COLD int spscring_ended_empty(struct spscring_consumer *c)
{
	int ended;

	WRITE_ONCE(c->lines->counters.word, c->lines->counters.word + SPSCRING_LOOK_EVERY);
	ended = spscring_ended(c->peer_state);
	if (ended == -EAGAIN)
		return ended;
	/* (B) again: what the peer published before it ended is seen by now */
	if ((__s64)(smp_load_acquire(c->tail) - c->pos) > 0)
		return -EAGAIN;
	return ended;
}

static SPSCRING_COLD int spscring_kick_producer(struct spscring_consumer *c,
						__u64 want)
{
	c->kicked = want;
	spscring_kick_peer(c, SPSCRING_PRODUCER, 0);
	return 0;
}

/* Who may have been woken by the producer's end is to learn of it at once. */
static __always_inline int spscring_told_of_end(const struct spscring_consumer *c)
{
	return c->wake != SPSCRING_WAKE_NEVER &&
		SPSCRING_END_STATE(READ_ONCE(*c->peer_state)) > SPSCRING_HELD;
}

static __always_inline void spscring_release_cursor(struct spscring_consumer *c)
{
	/* (C) pairs with (D): the records are read, then the cursor */
	smp_store_release(c->cursor, c->pos);
}

/* After the cursor: as spscring_published(). */
static __always_inline int spscring_released(struct spscring_consumer *c)
{
	__u64 want;

	if ((__s64)(c->pos - c->after_at) < 0)
		return 0;
	if ((__s64)(c->pos - c->tell_at) >= 0) {
		c->tell_at = c->pos + c->tell;
		/* (E) pairs with (F) */
		smp_store_release(&c->lines->told.word, c->pos);
	}
	if (c->wake == SPSCRING_WAKE_NEVER) {
		c->after_at = c->tell_at;
		return 0;
	}
	if (c->wake == SPSCRING_WAKE_FENCE)
		smp_mb();	/* (N) pairs with (O) */
	else
		barrier();	/* (N) is the sleeper's to make */
	want = READ_ONCE(*c->wants);
	if (unlikely(want != c->kicked && (__s64)(c->pos - want) >= 0))
		return spscring_kick_producer(c, want);
	return 0;
}

/*
 * Records came.  When the last wait was over, so many came with it and until the
 * next; many for how long it was, and fewer looks had found as many, at less cost
 * to the producer.  Few, and each look is worth it.
 */
static __always_inline void spscring_came(struct spscring_consumer *c, __u64 came)
{
	__u32 looks = c->fails - c->waited_fails;

	if (came >= 2 * c->waited) {
		if (c->relax < SPSCRING_RELAX_MAX)
			c->relax *= 2;
	} else if (came <= c->waited) {
		c->relax = (c->relax + 1) / 2;
	}
	c->waited = looks * c->relax;
	c->waited_at = c->pos;
	c->waited_fails = c->fails;
}

/**
 * spscring_relax() - wait between two tries to pop
 * @c: the consumer, after -EAGAIN
 *
 * A cpu_relax() where records come one by one, up to SPSCRING_RELAX_MAX of them
 * where they stream: a consumer that polls the frame that is being filled takes
 * its line away from the producer each time.
 */
static inline void spscring_relax(const struct spscring_consumer *c)
{
	__u32 i;

	for (i = 0; i < c->relax; i++)
		cpu_relax();
}

/*
 * A large record takes longer to move, so fewer come in a wait, and each is as many
 * as it is 16 bytes long.  No more than 4: a round trip is not to look like a stream.
 */
static __always_inline __u32 spscring_weight(const struct spscring_consumer *c)
{
	return c->stride < 32 ? 1 : c->stride < 64 ? c->stride / 16 : 4;
}

/* pos is at seen: on to the next frame, and see what is there. */
static __always_inline int spscring_look(struct spscring_consumer *c)
{
	__u64 n;

	if (unlikely(c->pos == c->frame_end)) {
		char *frame = spscring_next_frame((char *)c->tail, c->frame_size,
						  c->data, c->end);

		c->tail = (const __u64 *)frame;
		c->at = frame + c->frame_first;
		c->frame_end += c->frame_records;
	}

	/* (B) pairs with (A) */
	n = smp_load_acquire(c->tail) - c->pos;
	if (unlikely(n - 1 >= c->capacity)) {
		if (unlikely((__s64)n > 0 || c->broken))
			return spscring_consumer_broken(c);
		if (unlikely(!(++c->fails % SPSCRING_LOOK_EVERY) || spscring_told_of_end(c)))
			return spscring_ended_empty(c);
		return -EAGAIN;
	}
	if (c->fails != c->waited_fails)
		spscring_came(c, (c->pos - c->waited_at) * spscring_weight(c));
	c->seen = c->pos + n;
	/* A tail of this frame's next lap says that this lap is complete. */
	if ((__s64)(c->seen - c->frame_end) > 0)
		c->seen = c->frame_end;
	return 0;
}

static __always_inline void spscring_release_frame(struct spscring_consumer *c,
						   __u32 n, __u32 stride)
{
	c->pos += n;
	c->at += n * stride;
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
static __always_inline long spscring_peek_n(struct spscring_consumer *c, __u32 n,
					    const void **recs)
{
#ifdef __KERNEL__
	if (c->peer_is_user)
		return -EPERM;
#endif
	*recs = c->at;		/* for compilers that think it may stay unset */
	if (c->pos == c->seen) {
		int err = spscring_look(c);

		if (err)
			return err;
		*recs = c->at;
	}
	return n < c->seen - c->pos ? n : (long)(c->seen - c->pos);
}

/**
 * spscring_release_n() - give the first records peeked back
 * @c: the consumer
 * @n: how many, at most what spscring_peek_n() gave
 */
static __always_inline void spscring_release_n(struct spscring_consumer *c, __u32 n)
{
	if (unlikely(!n))
		return;
	if (spscring_traced(pop))
		spscring_trace_pop(c, n);
	spscring_release_frame(c, n, c->stride);
	spscring_release_cursor(c);
	spscring_released(c);
}

/**
 * spscring_peek() - one record to read in place
 * @c: the consumer
 * @rec: where it is; see spscring_peek_n()
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_peek(struct spscring_consumer *c, const void **rec)
{
	long n = spscring_peek_n(c, 1, rec);

	return n < 0 ? (int)n : 0;
}

/**
 * spscring_release() - give the record peeked back
 * @c: the consumer
 */
static __always_inline void spscring_release(struct spscring_consumer *c)
{
	if (spscring_traced(pop))
		spscring_trace_pop(c, 1);
	spscring_release_frame(c, 1, c->stride);
	spscring_release_cursor(c);
	spscring_released(c);
}

/**
 * spscring_pop_fixed() - pop one record of a size known to the compiler
 * @c: the consumer
 * @rec: where to copy it
 * @size: the ring's record size
 *
 * Return: 0, or a negative errno, see the top.
 */
static __always_inline int spscring_pop_fixed(struct spscring_consumer *c,
					      void *rec, __u32 size)
{
	if (c->pos == c->seen) {
		int err = spscring_look(c);

		if (err)
			return err;
		if (spscring_traced(pop)) {
			spscring_trace_pop(c, 1);
			c->seen = c->pos + 1;	/* so that the next comes by here */
		}
	}
	__builtin_memcpy(rec, c->at, size);
	spscring_release_frame(c, 1, c->stride);
	spscring_release_cursor(c);
	return spscring_released(c);
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
	return spscring_pop_fixed(c, rec, c->record_size);
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
static __always_inline long spscring_pop_n_fixed(struct spscring_consumer *c,
						 void *recs, __u32 n, __u32 size)
{
	char *to = (char *)recs;
	__u32 todo = n;

	while (todo) {
		__u64 some = c->seen - c->pos;

		if (!some) {
			int err = spscring_look(c);

			if (err) {
				if (todo == n)
					return err;
				break;
			}
			some = c->seen - c->pos;
		}
		if (some > todo)
			some = todo;
		spscring_copy(to, size, c->at, c->stride, (__u32)some, size);
		spscring_release_frame(c, (__u32)some, c->stride);
		todo -= (__u32)some;
		to += some * size;
	}
	if (spscring_traced(pop))
		spscring_trace_pop_n(c, n - todo);
	spscring_release_cursor(c);
	spscring_released(c);
	return n - todo;
}

/**
 * spscring_pop_n() - pop a batch
 * @c: the consumer
 * @recs: where to copy them, one behind the other
 * @n: how many
 *
 * Return: as spscring_pop_n_fixed().
 */
static inline long spscring_pop_n(struct spscring_consumer *c, void *recs, __u32 n)
{
	return spscring_pop_n_fixed(c, recs, n, c->record_size);
}

/* ---------------------------------------------------------------- looks */

/**
 * spscring_has_room() - whether slots are free, exactly
 * @p: the producer
 * @n: how many, at most the capacity
 *
 * Reads the consumer's exact cursor: for a producer that waits, not for each push.
 */
static inline int spscring_has_room(const struct spscring_producer *p, __u64 n)
{
	/* (D) pairs with (C) */
	return (__s64)(smp_load_acquire(p->peer_cursor) + p->capacity - p->pos - n) >= 0;
}

/**
 * spscring_has_records() - whether records are there
 * @c: the consumer
 * @n: how many, at most the capacity; bytes where they are of any size
 *
 * Reads the tail of the frame that holds the last of them, or the producer's cursor.
 */
static inline int spscring_has_records(const struct spscring_consumer *c, __u64 n)
{
	__u64 frames, last;
	const char *frame;

	if (c->flags & SPSCRING_CREATE_RECORDS)
		/* (H) pairs with (G) */
		return (__s64)(smp_load_acquire(&c->peer->cursor.word) - c->pos - n) >= 0;
	frames = (__u64)(c->end - c->data) / c->frame_size;
	last = c->pos + n;
	frame = c->data + (last - 1) / c->frame_records % frames * c->frame_size;
	/* (B) pairs with (A) */
	return (__s64)(smp_load_acquire((const __u64 *)frame) - last) >= 0;
}

/* Of records of any size: published, and in this lap. */
static __always_inline int spscring_word_is_there(const struct spscring_consumer *c, __u64 word)
{
	const __u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;

	return (__u32)((word & bits) >> 32) == c->phase;
}

/*
 * After a wait: the first record is there by its own tail or word, not only by what
 * comes after it.  One that overwrites has it anywhere.
 */
static inline int spscring_first_is_there(const struct spscring_consumer *c)
{
	if (!(c->flags & SPSCRING_CREATE_RECORDS))
		return spscring_has_records(c, 1);
	/* (Q) pairs with (P) */
	if (spscring_word_is_there(c, smp_load_acquire((const __u64 *)c->at)))
		return 1;
	if (!(c->flags & SPSCRING_CREATE_OVERWRITE))
		return 0;
	/* (U) pairs with (T) */
	return (__s64)(smp_load_acquire(&c->peer->oldest.word) - c->pos) > 0;
}

/* It came while we looked: look as long again next time; or less. */
static inline void spscring_spin_adapt(__u32 *spin, __u32 max, __u32 looks, int found)
{
	__u32 least = max / 16;

	if (found)
		*spin = 2 * looks > *spin ? (2 * looks < max ? 2 * looks : max) : *spin;
	else
		*spin = *spin / 2 > least ? *spin / 2 : least;
}

/* Look once, and for a while: whether it came.  @counters are the end's: found, and not. */
static __always_inline int spscring_spin(__u32 *looks, __u32 max, __u64 *counters,
					 int (*has)(const void *end, __u64 n), const void *end,
					 __u64 n)
{
	int found = has(end, n);
	__u32 i;

	for (i = 0; i < *looks && !found && !spscring_must_yield(); i++) {
		cpu_relax();
		found = has(end, n);
	}
	spscring_spin_adapt(looks, max, i, found);
	WRITE_ONCE(counters[!found], counters[!found] + 1);
	return found;
}

static inline int spscring_end_has_room(const void *p, __u64 n)
{
	return spscring_has_room((const struct spscring_producer *)p, n);
}

static inline int spscring_end_has_records(const void *c, __u64 n)
{
	return spscring_has_records((const struct spscring_consumer *)c, n);
}

/**
 * spscring_spin_room() - look for a while whether slots are free, before a sleep
 * @p: the producer
 * @n: how many, at most the capacity
 *
 * Return: whether they are.
 */
static inline int spscring_spin_room(struct spscring_producer *p, __u64 n)
{
	return spscring_spin(&p->spin, p->spin_max, p->lines->counters.more,
			     spscring_end_has_room, p, n);
}

/**
 * spscring_spin_records() - look for a while whether records are there, before a sleep
 * @c: the consumer
 * @n: how many, at most the capacity
 *
 * Return: whether they are.
 */
static inline int spscring_spin_records(struct spscring_consumer *c, __u64 n)
{
	return spscring_spin(&c->spin, c->spin_max, c->lines->counters.more,
			     spscring_end_has_records, c, n);
}

/* ----------------------------------------------------------- beginnings */

/**
 * spscring_lines() - the coloured lines of a page
 * @g: the geometry
 * @page: the consumer's or the producer's page
 *
 * Return: where the lines are.
 */
static inline void *spscring_lines(const struct spscring_geometry *g, void *page)
{
	return (char *)page + g->colour;
}

/**
 * spscring_kernel_lines() - the kernel's lines
 * @g: the geometry
 * @info: the info page
 *
 * Return: where the lines are.
 */
static inline const struct spscring_kernel_lines *
spscring_kernel_lines(const struct spscring_geometry *g, const void *info)
{
	return (const struct spscring_kernel_lines *)
		((const char *)info + SPSCRING_KERNEL_LINES + g->colour);
}

/* Of the words of a position's lap, see spscring_record.h. */
static inline __u32 spscring_phase(const struct spscring_geometry *g, __u64 pos)
{
	return (__u32)((SPSCRING_WORD_PUBLISHED |
			(pos / g->data_bytes % 2 ? SPSCRING_WORD_LAP : 0)) >> 32);
}

/* The number whose low bits a word has, the nearest to another. */
static inline __u64 spscring_sequence_of(__u64 word, __u64 near)
{
	return near + (__u64)((__s64)(((word >> SPSCRING_WORD_SEQUENCE) - near) <<
				      SPSCRING_WORD_SEQUENCE) >> SPSCRING_WORD_SEQUENCE);
}

/*
 * The number of the record at the cursor.  What was stored before the cursor may be
 * ahead of it by a call's records: these are then still there, with their numbers.
 */
static inline __u64 spscring_first_sequence(const struct spscring_consumer *c)
{
	/* (Q) pairs with (P) */
	__u64 word = smp_load_acquire((const __u64 *)c->at);
	__u64 sequence = READ_ONCE(c->cursor[1]);

	if (c->flags & SPSCRING_CREATE_OVERWRITE || !spscring_word_is_there(c, word))
		return sequence;
	return spscring_sequence_of(word, sequence);
}

/**
 * spscring_producer_init() - a producer's handle, at its own cursor
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page
 * @producer: the producer's page
 * @data: the data
 *
 * It wakes nobody until spscring_producer_wakes(); its fd is the caller's to set.
 */
static inline void spscring_producer_init(struct spscring_producer *p,
					  const struct spscring_geometry *g,
					  const void *consumer, const void *info,
					  void *producer, void *data)
{
	const struct spscring_consumer_lines *peer = (const struct spscring_consumer_lines *)
		((const char *)consumer + g->colour);
	char *frame;
	__u64 slot;

	memset(p, 0, sizeof(*p));
	p->lines = (struct spscring_producer_lines *)spscring_lines(g, producer);
	p->cursor = &p->lines->cursor.word;
	p->peer_told = &peer->told.word;
	p->peer_cursor = &peer->cursor.word;
	p->peer_state = &spscring_kernel_lines(g, info)->consumer.word;
	p->wants = &spscring_kernel_lines(g, info)->consumer_wants.word;
	p->own_wants = &spscring_kernel_lines(g, info)->producer_wants.word;
	p->pos = READ_ONCE(*p->cursor);
	p->limit = p->pos;
	p->stop = p->pos;
	p->capacity = g->capacity;
	p->stride = g->stride;
	p->flags = g->flags;
	if (g->flags & SPSCRING_CREATE_RECORDS) {
		/* so that it is the bytes behind the words that are aligned */
		p->data = (char *)data + g->stride - 8;
		p->end = p->data + g->data_bytes;
		p->at = p->data + p->pos % g->data_bytes;
		p->phase = spscring_phase(g, p->pos);
		p->cleared = p->pos;
		p->sequence = READ_ONCE(p->cursor[1]);
		p->oldest = READ_ONCE(p->lines->oldest.word);
		p->oldest_sequence = READ_ONCE(p->lines->oldest.more[0]);
		p->oldest_at = p->data + p->oldest % g->data_bytes;
		if (g->flags & SPSCRING_CREATE_OVERWRITE)
			p->limit = p->oldest + p->capacity;
		return;
	}
	p->record_size = g->record_size;
	p->frame_size = g->frame_size;
	p->frame_first = g->frame_first;
	p->frame_records = g->frame_records;
	p->data = (char *)data;
	p->end = p->data + g->frames * g->frame_size;
	frame = p->data + p->pos / g->frame_records % g->frames * g->frame_size;
	p->tail = (__u64 *)frame;
	slot = p->pos % g->frame_records;
	p->frame_end = p->pos - slot + g->frame_records;
	p->at = frame + g->frame_first + slot * g->stride;
}

/**
 * spscring_consumer_init() - a consumer's handle, at its own cursor
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page, with the producer's page where it is in the fd
 * @data: the data; only read, so they may be mapped read-only
 *
 * It wakes nobody until spscring_consumer_wakes(); its fd is the caller's to set.
 */
static inline void spscring_consumer_init(struct spscring_consumer *c,
					  const struct spscring_geometry *g,
					  void *consumer, const void *info,
					  const void *data)
{
	char *frame;
	__u64 slot;

	memset(c, 0, sizeof(*c));
	c->lines = (struct spscring_consumer_lines *)spscring_lines(g, consumer);
	c->cursor = &c->lines->cursor.word;
	c->peer_state = &spscring_kernel_lines(g, info)->producer.word;
	c->wants = &spscring_kernel_lines(g, info)->producer_wants.word;
	c->pos = READ_ONCE(*c->cursor);
	c->seen = c->pos;
	c->tell = g->tell;
	c->tell_at = c->pos + c->tell;
	c->after_at = c->tell_at;
	c->relax = 1;
	c->waited_at = c->pos;
	c->capacity = g->capacity;
	c->stride = g->stride;
	c->flags = g->flags;
	c->peer = (const struct spscring_producer_lines *)
		((const char *)info + g->producer_offset - g->info_offset + g->colour);
	if (g->flags & SPSCRING_CREATE_RECORDS) {
		c->seen = 0;
		c->data = (char *)data + g->stride - 8;
		c->end = c->data + g->data_bytes;
		c->at = c->data + c->pos % g->data_bytes;
		c->phase = spscring_phase(g, c->pos);
		c->sequence = spscring_first_sequence(c);
		c->waited_sequence = c->sequence;
		return;
	}
	c->record_size = g->record_size;
	c->frame_size = g->frame_size;
	c->frame_first = g->frame_first;
	c->frame_records = g->frame_records;
	c->data = (char *)data;
	c->end = c->data + g->frames * g->frame_size;
	frame = c->data + c->pos / g->frame_records % g->frames * g->frame_size;
	c->tail = (const __u64 *)frame;
	slot = c->pos % g->frame_records;
	c->frame_end = c->pos - slot + g->frame_records;
	c->at = frame + g->frame_first + slot * g->stride;
}

/**
 * spscring_producer_wakes() - what a publish does for a consumer that may sleep
 * @p: the producer, new
 * @how: SPSCRING_WAKE_*
 */
static inline void spscring_producer_wakes(struct spscring_producer *p, __u32 how)
{
	p->after = how;
}

/**
 * spscring_consumer_wakes() - what a release does for a producer that may sleep
 * @c: the consumer, new
 * @how: SPSCRING_WAKE_*
 */
static inline void spscring_consumer_wakes(struct spscring_consumer *c, __u32 how)
{
	c->wake = how;
	c->after_at = how == SPSCRING_WAKE_NEVER ? c->tell_at : 0;
}

/**
 * spscring_mapped_bytes() - what a ring's fds can map, from consumer_offset on
 * @g: the geometry
 *
 * Return: its memory, with the data twice where records are of any size.
 */
static inline __u64 spscring_mapped_bytes(const struct spscring_geometry *g)
{
	return g->memory + (g->flags & SPSCRING_CREATE_RECORDS ? g->data_bytes : 0);
}

/* What does not depend on what the records are; @data is their size, in bytes. */
static inline void spscring_geometry_pages(struct spscring_geometry *g,
					   const struct spscring_create *want,
					   __u64 data, __u32 page)
{
	memset(g, 0, sizeof(*g));
	g->capacity = want->capacity;
	g->data_bytes = (data + page - 1) & -(__u64)page;
	g->consumer_offset = 0;
	g->info_offset = page;
	g->producer_offset = 2ULL * page;
	g->data_offset = 3ULL * page;
	g->memory = g->data_offset + g->data_bytes;
	g->type_tag = want->type_tag;
	g->page_size = page;
	g->version = SPSCRING_VERSION;
	g->flags = want->flags;
}

/* Records of any size: the data are one run of bytes. */
static inline int spscring_geometry_records(struct spscring_geometry *g,
					    const struct spscring_create *want, __u32 page)
{
	__u32 align = want->record_align ? want->record_align : SPSCRING_RECORDS_ALIGN_MIN;

	if (want->record_size || want->frame_size || align & (align - 1) ||
	    align < SPSCRING_RECORDS_ALIGN_MIN || align > SPSCRING_RECORDS_ALIGN_MAX ||
	    want->capacity & (align - 1) || want->capacity < 2ULL * align)
		return -EINVAL;
	if (want->capacity > SPSCRING_DATA_MAX)
		return -E2BIG;
	spscring_geometry_pages(g, want, want->capacity, page);
	g->stride = align;
	g->tell = want->capacity / 8 & -(__u64)align;
	if (!g->tell)
		g->tell = align;
	g->oldest_reader = SPSCRING_OLDEST_RECORDS;
	return 0;
}

/**
 * spscring_geometry_init() - lay a ring out
 * @g: the result; the caller adds what the memory is: page size, colour, flags
 * @want: what CREATE was asked for
 * @page: the page size
 *
 * Return: 0; -EINVAL a bad value; -E2BIG more data than SPSCRING_DATA_MAX.
 */
static inline int spscring_geometry_init(struct spscring_geometry *g,
					 const struct spscring_create *want, __u32 page)
{
	__u32 size = want->record_size, align = want->record_align, frame = want->frame_size;
	__u32 stride, first, records;
	__u64 frames;

	if (want->flags & SPSCRING_CREATE_RECORDS)
		return spscring_geometry_records(g, want, page);
	if (!size || size > SPSCRING_RECORD_MAX || !want->capacity ||
	    align & (align - 1) || align > SPSCRING_ALIGN_MAX ||
	    frame & (frame - 1) || frame > SPSCRING_FRAME_MAX ||
	    (frame && frame < SPSCRING_FRAME_MIN))
		return -EINVAL;
	if (want->capacity > SPSCRING_DATA_MAX)
		return -E2BIG;

	if (!align) {
		align = size & -size;
		if (align > SPSCRING_ALIGN_MAX)
			align = SPSCRING_ALIGN_MAX;
	}
	stride = (size + align - 1) & -align;
	first = align < 8 ? 8 : align;
	if (frame) {
		if (frame < first + stride)
			return -EINVAL;
	} else {
		/* the smallest that holds one, holds all, or wastes at most 13 % */
		frame = SPSCRING_FRAME_MIN;
		while (frame < first + stride ||
		       ((records = (frame - first) / stride) < want->capacity &&
			100ULL * (frame - records * stride) > 13ULL * frame))
			frame *= 2;
	}
	records = (frame - first) / stride;

	frames = (want->capacity + records - 1) / records;
	if (frames > SPSCRING_DATA_MAX / frame)
		return -E2BIG;
	spscring_geometry_pages(g, want, frames * frame, page);
	g->frames = frames;
	g->record_size = size;
	g->stride = stride;
	g->frame_size = frame;
	g->frame_records = records;
	g->frame_first = first;
	g->tell = want->capacity < 8 ? 1 : want->capacity / 8;
	g->oldest_reader = SPSCRING_OLDEST_READER;
	return 0;
}

#endif /* _UAPI_LINUX_SPSCRING_RING_H */
