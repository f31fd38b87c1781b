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
 *	step   to the next frame	  STORE.rel told       (E)
 *	  STORE.rel cursor     (G)
 *	wake				wake
 *	  LOAD	 consumer_event		  LOAD	 producer_event
 *	  if it says so:		  if it says so:
 *	  FENCE		       (L)	  FENCE		       (N)
 *	  LOAD	 consumer_event		  LOAD	 producer_event
 *	no room
 *	  STORE	 full_at
 *	  wake, as above
 *
 *	kernel
 *	------
 *	an end ends    STORE.rel state (I)   its peer finds out  LOAD.acq (J)
 *	a claim, INFO  LOAD.acq  producer's cursor (H), consumer's (D), tails (B)
 *	an end sleeps  STORE wants, and that it is to be believed only behind a fence;
 *		       FENCE; if that is new, have the peer's CPUs make a FENCE each;
 *		       then a last look: consumer (M), producer (O)
 *
 * Pairs, and what each is for:
 *
 *	A-B	the records are there before the tail that says so
 *	C-D	the consumer has read a slot before the producer learns that it
 *		may write it again
 *	E-F	the same by the told head, a hint: it only ever lags the cursor
 *	G-H	the tails are there before the cursor: what a claim finds beyond
 *		the cursor is all that a producer has published since it stored it
 *	I-J	all that an end published is there before its end is, so that
 *		"ended and empty" is final
 *	L-M	either the producer sees what the consumer wants, or the consumer
 *		sees the tail: no sleep is slept through; and the same of full_at
 *	N-O	the same of the consumer's cursor and what the producer wants
 *	V-M	an interrupt's fence on the publisher's CPU, in place of L: either the publish is
 *		seen by the look behind it, or it loads a word that says to fence
 *	V-O	the same of a release, and N
 *	W-M	kernel code tells on which CPU it publishes, then loads the word: either the
 *		sleeper knows whom to interrupt, or the word that it has stored is loaded
 *	W-O	the same of a release
 *	M-O	not both ends sleep, one for room and one for more records: either
 *		the kernel sees, for the consumer, that the producer does, or for
 *		the producer that the consumer does
 *
 * A push stores the record and the tail, both to the line that it fills, and its position in
 * the handle, nothing else: the CPU's store queue then reaches several lines of the ring
 * ahead, and gets them from the consumer's cache all at once.  (The position is the tail as
 * well, but to read it back costs a miss where the consumer has just read it.)  The cursor
 * changes once a frame, and lags by these rules:
 *
 *	- between two calls it is in the frame that the handle is in;
 *	- before the consumer's cursor is read, and at the end of a batch that has stepped,
 *	  it is stored exactly; so it is never more than a capacity behind;
 *	- it never goes back.
 *
 * The exact position is then the cursor, or the tail of the cursor's frame if that is in
 * the frame and beyond.  After a death within a batch a claim walks on from frame to frame.
 * The consumer's cursor is exact; the producer reads that line only when it would otherwise
 * report full.
 *
 * Nobody fences until somebody sleeps.  A wants word is an index, and SPSCRING_EVENT_FENCE if
 * somebody may be about to sleep: only then a publish or a release makes a full fence, L or
 * N, and looks again.  The kernel sets SPSCRING_EVENT_FENCE, and then has the CPUs that may be in
 * the midst of a publish make a fence in its place, before who sleeps looks a last time.
 * After some milliseconds without a sleeper it is cleared.  A ring that is made to be
 * polled only never has it, one that is made with SPSCRING_CREATE_FENCE always.  Having the
 * rare side fence for the frequent one is membarrier(2)'s idea.
 *
 * The peer is not trusted.  Geometry and the own cursor are private copies; a
 * peer's word is read once and checked; out of range it breaks the ring for
 * this end (-EPIPE), and it becomes a count bounded by this frame, never an
 * index.  So a hostile peer can send garbage or nothing, and that is all.
 *
 * Nor is the ring's creator.  He chooses the shape, the record size, the capacity, what
 * a full ring does, and whether anybody can sleep: so a claim, and a handle, say what
 * record size and type tag they expect (-EPROTOTYPE if the ring's are others), and the
 * geometry comes from the kernel, which has checked it.  What is left to him is to
 * starve: a small ring, one that drops, or one that is only polled (-EOPNOTSUPP of a wait).
 * He holds the ring fd, so he can claim an end that falls free, and be the peer.
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

#include <linux/spscring.h>
#include <linux/spscring_platform.h>

struct spscring_producer;
struct spscring_producer_base;
struct spscring_consumer_base;

#ifdef __KERNEL__
#include <linux/tracepoint-defs.h>

struct spscring;
void spscring_broken(struct spscring *ring, int role);
void spscring_kick(struct spscring *ring, int role, __u32 flags);
void spscring_note_cpu(struct spscring *ring, int role, __u32 *cpu);

/*
 * The kernel's tracepoints, see kmod/trace.h.  One record's push and pop look at
 * theirs where they step to the next frame, and once they are on that is each
 * time; so while they are off it costs those nothing, jump labels or not.
 */
DECLARE_TRACEPOINT(spscring_full);
DECLARE_TRACEPOINT(spscring_push);
DECLARE_TRACEPOINT(spscring_pop);
#define spscring_traced(what)	tracepoint_enabled(spscring_##what)
#else
#define spscring_traced(what)	0
#endif

void spscring_trace_full(const struct spscring_producer_base *p);
void spscring_trace_push(const struct spscring_producer_base *p, __u32 n);
long spscring_trace_push_n(struct spscring_producer *p, __u32 n);
void spscring_trace_pop(const struct spscring_consumer_base *c, __u32 n);
void spscring_trace_pop_n(const struct spscring_consumer_base *c, __u32 n);

/* The longest that spscring_backoff() waits, in cpu_relax(). */
#define SPSCRING_BACKOFF_MAX	256

/* The most looks of an end that waits before it sleeps: some tens of microseconds. */
#define SPSCRING_SPIN_MAX	2000

/* Failed tries between two looks at what is dear: exact cursor, peer's state. */
#define SPSCRING_REFRESH_EVERY	64

/*
 * The handles: an end's private memory, beside the shared pages.  Records of one size
 * and records of any size have handles of different types, so that the verbs of one do
 * not compile for the other; what both need of an end is their base.  Made by the
 * spscring_*_init() functions; no field is the user's but spin and spin_max.
 *
 * One comparison covers all that is not the common case; stepping to the next frame is
 * left to the next call.
 */
struct spscring_producer_base {
	/* once a frame, or full */
	const struct spscring_kernel_block *kernel;
	__u64 last_event;		/* where this end wanted to be woken at the last try that looked */
	char *data;
	char *end;
	__u64 capacity;
	__u32 fails;		/* tries since there was room */
	__s32 error;		/* -EPIPE the ring is broken, -ESHUTDOWN this end was shut down */
	__u64 failed_at;	/* pos at the last of them */
	const __u64 *peer_published_head;
	const __u64 *peer_cursor;
	struct spscring_producer_block *block;
	__u32 spin;		/* looks before it sleeps, adapting */
	__u32 spin_max;		/* the most of them; the caller's to set */
	__u32 flags;		/* the ring's */
	__u32 reserved;
	/* of one size on both sides, as tools/hotpath steps through the kernel's */
#ifdef __KERNEL__
	struct spscring *ring;
#else
	__s64 fd;		/* the endpoint, to KICK by and to WAIT on */
#endif
	__u64 cached_limit;		/* pos may grow to here without asking the peer */
	__u64 last_kicked;		/* the last index of the consumer's that it was kicked for */
	__u64 *cursor;
	/* each time: together with what follows the base */
	__u64 pos;		/* index of the next record */
	__u64 run_end;		/* pos grows to here: end of the frame, or of the room */
	const __u64 *event;	/* where the consumer wants to be woken */
	__u32 stride;		/* or alignment */
	__u32 cpu;		/* in the kernel: where this end stored last */
};

/* A frame, as its producer needs it. */
struct spscring_frame {
	__u64 *tail;		/* at its start */
	unsigned long slots;	/* the slot of an index is at slots + index * stride, modulo 2^64 */
};

/* A producer of records of one size. */
struct spscring_producer {
	struct spscring_producer_base base;	/* first, so that it costs no address */
	struct spscring_frame at;
	/* once a frame */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_last;	/* where the frame's slots end */
	__u32 frame_elements;
};

struct spscring_consumer_base {
	/* once a frame, or empty */
	const struct spscring_kernel_block *kernel;
	struct spscring_consumer_block *block;
	const struct spscring_producer_block *peer;
	char *data;
	char *end;
	__u64 capacity;
	__u64 last_kicked;		/* the last index of the producer's that it was kicked for */
	__u32 flags;		/* the ring's */
	__u32 peer_is_user;	/* in the kernel: no peek, it may change what is looked at */
#ifdef __KERNEL__
	struct spscring *ring;
#else
	__s64 fd;		/* the endpoint, to KICK by and to WAIT on */
#endif
	__u32 publish_batch;
	__s32 error;		/* -EPIPE the ring is broken, -ESHUTDOWN this end was shut down */
	__u32 spin;		/* looks before it sleeps, adapting */
	__u32 spin_max;		/* the most of them; the caller's to set */
	__u32 fails;		/* tries that found nothing */
	__u32 backoff;		/* how long to wait between tries, in cpu_relax() */
	__u32 waited;		/* how long the last wait was, likewise */
	__u32 waited_fails;	/* fails when it was over */
	__u64 waited_at;	/* pos then */
	__u64 reserved;
	/* each time: together with what follows the base, in one cache line */
	__u64 pos;		/* index of the next record */
	__u64 cached_tail;		/* records are there up to here, in this frame; or: lengths
				 * below this need no second look
				 */
	__u64 *cursor;
	__u64 publish_at;		/* from here on the head is to be told */
	const __u64 *event;	/* where the producer wants to be woken */
	__u32 stride;		/* or alignment */
	__u32 cpu;		/* in the kernel: where this end stored last */
};

/* A consumer of records of one size. */
struct spscring_consumer {
	struct spscring_consumer_base base;	/* first, so that it costs no address */
	unsigned long slots;	/* the slot of an index is at slots + index * stride, modulo 2^64 */
	const __u64 *tail;	/* of the frame, at its start */
	__u64 frame_end;	/* index after the frame's last slot */
	__u32 element_size;
	__u32 frame_size;
	__u32 frame_first;
	__u32 frame_elements;
};

/* Somebody waits for what is there now: only the kernel can wake it. */
#ifdef __KERNEL__
#define spscring_kick_peer(end, role, flags)	spscring_kick((end)->ring, role, flags)
#else
static SPSCRING_COLD void spscring_kick_fd(__s64 fd, unsigned long flags)
{
	int before = errno;

	ioctl((int)fd, SPSCRING_KICK, flags);
	errno = before;
}

#define spscring_kick_peer(end, role, flags)	((void)(role), spscring_kick_fd((end)->fd, flags))
#endif

/*
 * Between a publish or release and the look at what the peer wants.  Kernel code tells which
 * CPU it is on, where that has changed, so that who is about to sleep knows whom to
 * interrupt.  In this order it may be preempted anywhere: to change the CPU is a full fence.
 * User Mode Linux has all CPUs interrupted: there it takes a call to know one's own.
 */
static SPSCRING_INLINE void spscring_producer_note_cpu(struct spscring_producer_base *p)
{
	spscring_barrier();
#if defined(__KERNEL__) && !defined(CONFIG_UML)
	if (spscring_unlikely(p->cpu != raw_smp_processor_id()))
		spscring_note_cpu(p->ring, SPSCRING_PRODUCER, &p->cpu);
#else
	(void)p;
#endif
}

static SPSCRING_INLINE void spscring_consumer_note_cpu(struct spscring_consumer_base *c)
{
	spscring_barrier();
#if defined(__KERNEL__) && !defined(CONFIG_UML)
	if (spscring_unlikely(c->cpu != raw_smp_processor_id()))
		spscring_note_cpu(c->ring, SPSCRING_CONSUMER, &c->cpu);
#else
	(void)c;
#endif
}

/* Is an index reached, or to be believed only behind a fence?  No index is negative. */
static SPSCRING_INLINE int spscring_event_reached(const __u64 *wants, __u64 pos)
{
	return (__s64)pos >= (__s64)spscring_read_once(*wants);
}

/* What follows of a peer's state once its records or its room are used up. */
static inline int spscring_peer_status(const __u64 *peer)
{
	/* (J) pairs with (I): what the peer did before is seen by the next look */
	switch (SPSCRING_END_STATE(spscring_load_acquire(peer))) {
	case SPSCRING_SHUT_DOWN:
		return -ESHUTDOWN;
	case SPSCRING_DEAD:
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

/* Has this end been shut down, by whomever? */
static inline int spscring_is_shut_down(const __u64 *own)
{
	return SPSCRING_END_STATE(spscring_read_once(*own)) == SPSCRING_SHUT_DOWN;
}

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

/* ------------------------------------------------------------- producer */

/**
 * spscring_producer_fail() - a producer's handle goes no further
 * @p: its base
 * @why: what every push and reserve says from here on: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
static inline int spscring_producer_fail(struct spscring_producer_base *p, int why)
{
	/* so that each push comes by here */
	p->cached_limit = p->pos;
	p->run_end = p->pos;
	p->error = why;
	return why;
}

/* The peer's words are impossible. */
static inline int spscring_producer_broken(struct spscring_producer_base *p)
{
#ifdef __KERNEL__
	spscring_broken(p->ring, SPSCRING_PRODUCER);
#endif
	return spscring_producer_fail(p, -EPIPE);
}

/* The most that was in use, by the head that the producer knows. */
static SPSCRING_INLINE void spscring_high_water(struct spscring_producer_base *p, __u64 head)
{
	__u64 *most = &p->block->high_water;
	__u64 used = p->pos - head;

	if (used > *most && used <= p->capacity)
		spscring_write_once(*most, used);
}

static SPSCRING_COLD int spscring_kick_consumer(struct spscring_producer_base *p, __u64 want)
{
	p->last_kicked = want;
	spscring_kick_peer(p, SPSCRING_CONSUMER, 0);
	return 0;
}

/* What the consumer wants, behind a fence: whatever it waits for, one of both looks last. */
static SPSCRING_INLINE __u64 spscring_consumer_event(const struct spscring_producer_base *p)
{
	spscring_mb();	/* (L) pairs with (M) */
	return spscring_read_once(p->kernel->consumer_event) & ~SPSCRING_EVENT_FENCE;
}

/*
 * Not "has this publish crossed its index": one that arrives late is honoured by the next
 * publish.  An index that it was kicked for already is no news, but that it is still told
 * means a kick on its way, and so the fence: what it does then is seen here or there.
 */
static SPSCRING_NOINLINE int spscring_wake_consumer(struct spscring_producer_base *p, __u64 pos)
{
	__u64 want = spscring_consumer_event(p);

	if (want == p->last_kicked || (__s64)(pos - want) < 0)
		return 0;
	return spscring_kick_consumer(p, want);
}

/* After the tail, or the word: does the consumer sleep until here? */
static SPSCRING_INLINE int spscring_after_publish(struct spscring_producer_base *p, __u64 pos)
{
	spscring_producer_note_cpu(p);
	if (spscring_unlikely(spscring_event_reached(p->event, pos)))
		return spscring_wake_consumer(p, pos);
	return 0;
}

/*
 * No room by the exact @head: a consumer that is there waits no longer for more than
 * there is, as no more comes.  Said once for each head, of which the kernel knows then.
 */
static SPSCRING_COLD void spscring_publish_full(struct spscring_producer_base *p, __u64 head)
{
	__u64 *full_at = &p->block->full_at, want;

	if (*full_at == head + 1)
		return;
	spscring_write_once(*full_at, head + 1);
	spscring_producer_note_cpu(p);
	/* it waits for nothing, however much comes */
	if (!spscring_event_reached(p->event, SPSCRING_EVENT_NONE - 1))
		return;
	want = spscring_consumer_event(p);	/* full_at, then what it wants */
	if (want == SPSCRING_EVENT_NONE)
		return;
	if ((__s64)(want - p->pos) > 0)
		spscring_kick_peer(p, SPSCRING_CONSUMER, SPSCRING_KICK_NOW);
	else if (want != p->last_kicked)	/* published with NOWAKE, and no later one comes */
		spscring_kick_consumer(p, want);
}

/*
 * Fewer than the @n wanted slots are known to be free: ask again.  The told head
 * is a hint and may lag; the exact cursor is read before this reports full, the
 * first time, after each sleep and every SPSCRING_REFRESH_EVERY tries, so that a
 * consumer that takes a few records and then waits for the producer by other
 * means gets them; in a ring that drops each time, as nothing is lost for a hint.
 */
static SPSCRING_COLD int spscring_refresh_head(struct spscring_producer_base *p, __u64 n)
{
	__u64 head, wants;
	__u32 every;
	int ended;

	if (spscring_unlikely(p->error))
		return p->error;

	/* (F) pairs with (E) */
	head = spscring_load_acquire(p->peer_published_head);
	if (spscring_unlikely((__s64)(head - p->pos) > 0))
		return spscring_producer_broken(p);
	if ((__s64)(head + p->capacity - p->cached_limit) > 0)
		p->cached_limit = head + p->capacity;
	if (p->cached_limit - p->pos >= n) {
		spscring_high_water(p, head);
		p->fails = 0;
		return 0;
	}

	/* it has slept or polled since, and was told of room by the exact cursor */
	wants = spscring_read_once(p->kernel->producer_event);
	if (p->pos != p->failed_at)	/* records of less have found room since */
		p->fails = 0;
	p->failed_at = p->pos;
	every = p->flags & SPSCRING_CREATE_DROP ? 1 : SPSCRING_REFRESH_EVERY;
	if (p->fails++ % every && wants == p->last_event)
		return -EAGAIN;
	p->last_event = wants;
	spscring_write_once(p->block->failed, p->block->failed +
		   (p->fails == 1 ? 1 : every));
	if (spscring_unlikely(spscring_is_shut_down(&p->kernel->producer)))
		return spscring_producer_fail(p, -ESHUTDOWN);
	ended = spscring_peer_status(&p->kernel->consumer);
	/* (D) pairs with (C) */
	head = spscring_load_acquire(p->peer_cursor);
	if (spscring_unlikely(p->pos - head > p->capacity))
		return spscring_producer_broken(p);
	/* it does not fall: pos may be beyond what a peer that lies tells now */
	if ((__s64)(head + p->capacity - p->cached_limit) > 0)
		p->cached_limit = head + p->capacity;
	spscring_high_water(p, head);
	if (p->cached_limit - p->pos < n) {
		if (p->fails == 1 && spscring_traced(full))
			spscring_trace_full(p);
		spscring_publish_full(p, head);
		return ended;
	}
	p->fails = 0;
	return 0;
}

static SPSCRING_INLINE void spscring_publish_cursor(struct spscring_producer_base *p, __u64 pos)
{
	/* (G) pairs with (H): every tail, then the cursor */
	spscring_store_release(p->cursor, pos);
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
	const char *end = (const char *)p->at.tail + p->frame_last;

	return (__u64)(end - spscring_slot(p, &p->at, pos)) / p->base.stride;
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
	if (spscring_at_frame_end(p, &p->at, pos)) {
		p->at = spscring_frame_after(p, &p->at, pos);
		/* (A): nothing yet, so that the frame's line is asked for before the record is */
		spscring_store_release(p->at.tail, pos);
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
	spscring_store_release(p->at.tail, pos);
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
	*slots = spscring_slot(p, &p->at, pos);
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

#define SPSCRING_NOWAKE	1	/* let it sleep, until a later publish */
#define SPSCRING_WAKE	2	/* who polls is told below the watermark as well */

static SPSCRING_INLINE void spscring_wake_now(struct spscring_producer_base *p, __u32 flags)
{
	if (flags & SPSCRING_WAKE && !(p->flags & SPSCRING_CREATE_BUSY_POLL))
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
	__builtin_memcpy(spscring_slot(p, &p->at, pos), rec, size);
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
	struct spscring_frame at = p->at;
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

			p->at = at;
			p->base.pos = pos;
			err = spscring_next_run(p);
			if (err && todo == all)
				return err;
			if (err)
				break;
			at = p->at;
			stop = p->base.run_end;
		}
		some = todo < stop - pos ? todo : (__u32)(stop - pos);
		spscring_copy(spscring_slot(p, &at, pos), p->base.stride, from, size, some, size);
		pos += some;
		/* (A) pairs with (B) */
		spscring_store_release(at.tail, pos);
	}
	if (at.slots != p->at.slots)	/* a traced batch may be back in its frame, a lap later */
		spscring_publish_cursor(&p->base, pos);
	p->at = at;
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

/* ------------------------------------------------------------- consumer */

/**
 * spscring_consumer_over() - a consumer's handle goes no further
 * @c: its base
 * @why: what every pop and peek says from here on: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
static inline int spscring_consumer_over(struct spscring_consumer_base *c, int why)
{
	c->error = why;
	/* so that every look comes by here */
	c->capacity = 0;
	c->cached_tail = c->flags & SPSCRING_CREATE_RECORDS ? 0 : c->pos;
	return why;
}

static SPSCRING_COLD int spscring_consumer_broken(struct spscring_consumer_base *c)
{
#ifdef __KERNEL__
	spscring_broken(c->ring, SPSCRING_CONSUMER);
#endif
	return spscring_consumer_over(c, -EPIPE);
}

/* The tail shows nothing: empty, or ended, or impossible. */
static SPSCRING_COLD int spscring_empty_status(struct spscring_consumer *c)
{
	__u64 *failed = &c->base.block->failed;
	int ended;

	if (spscring_is_shut_down(&c->base.kernel->consumer))
		return spscring_consumer_over(&c->base, -ESHUTDOWN);
	spscring_write_once(*failed, *failed + SPSCRING_REFRESH_EVERY);
	ended = spscring_peer_status(&c->base.kernel->producer);
	if (ended == -EAGAIN)
		return ended;
	/* (B) again: what the peer published before it ended is seen by now */
	if ((__s64)(spscring_load_acquire(c->tail) - c->base.pos) > 0)
		return -EAGAIN;
	return ended;
}

/* As spscring_wake_consumer(). */
static SPSCRING_NOINLINE int spscring_wake_producer(struct spscring_consumer_base *c)
{
	__u64 want;

	spscring_mb();	/* (N) pairs with (O) */
	want = spscring_read_once(c->kernel->producer_event) & ~SPSCRING_EVENT_FENCE;
	if (want == c->last_kicked || (__s64)(c->pos - want) < 0)
		return 0;
	c->last_kicked = want;
	spscring_kick_peer(c, SPSCRING_PRODUCER, 0);
	return 0;
}

/* Who may have been woken by the producer's end is to learn of it at once. */
static SPSCRING_INLINE int spscring_peer_ended(const struct spscring_consumer_base *c)
{
	return !(c->flags & SPSCRING_CREATE_BUSY_POLL) &&
		SPSCRING_END_STATE(spscring_read_once(c->kernel->producer)) > SPSCRING_HELD;
}

static SPSCRING_INLINE void spscring_release_cursor(struct spscring_consumer_base *c, __u64 pos)
{
	/* (C) pairs with (D): the records are read, then the cursor */
	spscring_store_release(c->cursor, pos);
}

/* After the cursor: the head is told, now and then; and as spscring_after_publish(). */
static SPSCRING_INLINE int spscring_after_release(struct spscring_consumer_base *c, __u64 pos)
{
	if (spscring_unlikely((__s64)(pos - c->publish_at) >= 0)) {
		c->publish_at = pos + c->publish_batch;
		/* (E) pairs with (F) */
		spscring_store_release(&c->block->published_head, pos);
	}
	spscring_consumer_note_cpu(c);
	if (spscring_unlikely(spscring_event_reached(c->event, pos)))
		return spscring_wake_producer(c);
	return 0;
}

/*
 * Records came.  When the last wait was over, so many came with it and until the
 * next; many for how long it was, and fewer looks had found as many, at less cost
 * to the producer.  Few, and each look is worth it.
 */
static SPSCRING_INLINE void spscring_adapt_backoff(struct spscring_consumer_base *c, __u64 came)
{
	__u32 looks = c->fails - c->waited_fails;

	if (came >= 2 * c->waited) {
		if (c->backoff < SPSCRING_BACKOFF_MAX)
			c->backoff *= 2;
	} else if (came <= c->waited) {
		c->backoff = (c->backoff + 1) / 2;
	}
	c->waited = looks * c->backoff;
	c->waited_at = c->pos;
	c->waited_fails = c->fails;
}

static SPSCRING_INLINE void spscring_backoff_for(__u32 relax)
{
	__u32 i;

	for (i = 0; i < relax; i++)
		spscring_cpu_relax();
}

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
			return spscring_consumer_broken(&c->base);
		if (spscring_unlikely(!(++c->base.fails % SPSCRING_REFRESH_EVERY) ||
				      spscring_peer_ended(&c->base)))
			return spscring_empty_status(c);
		return -EAGAIN;
	}
	if (c->base.fails != c->base.waited_fails)
		spscring_adapt_backoff(&c->base,
			      (c->base.pos - c->base.waited_at) * spscring_backoff_weight(&c->base));
	c->base.cached_tail = c->base.pos + n;
	/* A tail of this frame's next lap says that this lap is complete. */
	if ((__s64)(c->base.cached_tail - c->frame_end) > 0)
		c->base.cached_tail = c->frame_end;
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
	if (c->base.pos == c->base.cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
	}
	*recs = spscring_next_element(c);
	return (long)(n < c->base.cached_tail - c->base.pos ? n : c->base.cached_tail - c->base.pos);
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
	if (c->base.pos == c->base.cached_tail) {
		int err = spscring_refresh_tail(c);

		if (err)
			return err;
		if (spscring_traced(pop)) {
			spscring_trace_pop(&c->base, 1);
			c->base.cached_tail = c->base.pos + 1;	/* so that the next comes by here */
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
		__u64 some = c->base.cached_tail - c->base.pos;

		if (!some) {
			int err = spscring_refresh_tail(c);

			if (err) {
				if (todo == all)
					return err;
				break;
			}
			some = c->base.cached_tail - c->base.pos;
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

/* ---------------------------------------------------------------- looks */

static SPSCRING_INLINE int spscring_base_has_room(const struct spscring_producer_base *p, __u64 n)
{
	/* (D) pairs with (C) */
	return n <= p->capacity &&
		(__s64)(spscring_load_acquire(p->peer_cursor) + p->capacity - p->pos - n) >= 0;
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
static inline int spscring_has_elements(const struct spscring_consumer *c, __u64 n)
{
	__u64 frames = (__u64)(c->base.end - c->base.data) / c->frame_size;
	__u64 last = c->base.pos + n;
	const char *frame = c->base.data + (last - 1) / c->frame_elements % frames * c->frame_size;

	/* (B) pairs with (A) */
	return n <= c->base.capacity &&
		(__s64)(spscring_load_acquire((const __u64 *)frame) - last) >= 0;
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
static SPSCRING_INLINE int spscring_spin(__u32 *looks, __u32 max, __u64 *counters,
					 int (*has)(const void *end, __u64 n), const void *end,
					 __u64 n)
{
	int found = has(end, n);
	__u32 i;

	for (i = 0; i < *looks && !found && !spscring_must_yield(); i++) {
		spscring_cpu_relax();
		found = has(end, n);
	}
	spscring_spin_adapt(looks, max, i, found);
	spscring_write_once(counters[!found], counters[!found] + 1);
	return found;
}

static inline int spscring_end_has_room(const void *p, __u64 n)
{
	return spscring_base_has_room((const struct spscring_producer_base *)p, n);
}

static inline int spscring_end_has_elements(const void *c, __u64 n)
{
	return spscring_has_elements((const struct spscring_consumer *)c, n);
}

static inline int spscring_base_spin_room(struct spscring_producer_base *p, __u64 n)
{
	return spscring_spin(&p->spin, p->spin_max, p->block->waits,
			     spscring_end_has_room, p, n);
}

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
static inline int spscring_spin_elements(struct spscring_consumer *c, __u64 n)
{
	return spscring_spin(&c->base.spin, c->base.spin_max, c->base.block->waits,
			     spscring_end_has_elements, c, n);
}

/* ----------------------------------------------------------- beginnings */

/**
 * struct spscring_blocks - where a ring's control blocks are, in the caller's memory
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
 * Who maps a page read-only only reads its block.
 *
 * Return: where they are.
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
 * Return: where it is.
 */
static inline const struct spscring_kernel_block *
spscring_kernel_block(const struct spscring_geometry *g, const void *info)
{
	return spscring_blocks(g, info, info, info).kernel;
}

/**
 * spscring_kernel_block_init() - the kernel's block of a new ring: nobody sleeps yet
 * @block: the block, zeroed
 * @flags: the ring's
 *
 * For the kernel, and for what keeps a ring in memory of its own.
 */
static inline void spscring_kernel_block_init(struct spscring_kernel_block *block, __u32 flags)
{
	__u64 event = SPSCRING_EVENT_NONE;

	if (!(flags & SPSCRING_CREATE_BUSY_POLL))
		event |= SPSCRING_EVENT_FENCE;
	block->consumer_event = event;
	block->producer_event = event;
}

static inline void spscring_producer_base_init(struct spscring_producer_base *p,
					       const struct spscring_geometry *g,
					       const struct spscring_blocks *blocks)
{
	p->block = blocks->producer;
	p->cursor = &p->block->cursor;
	p->peer_published_head = &blocks->consumer->published_head;
	p->peer_cursor = &blocks->consumer->cursor;
	p->kernel = blocks->kernel;
	p->event = &p->kernel->consumer_event;
	p->pos = spscring_read_once(*p->cursor);
	p->cached_limit = p->pos;
	p->run_end = p->pos;
	p->capacity = g->capacity;
	p->cpu = -1;
	p->stride = g->stride;
	p->flags = g->flags;
}

/**
 * spscring_producer_begin() - a producer's handle, at its own cursor
 * @p: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data
 *
 * Its fd is the caller's to set.
 *
 * Return: 0, or -EPROTOTYPE a ring of records of any size.
 */
static inline int spscring_producer_begin(struct spscring_producer *p,
					  const struct spscring_geometry *g,
					  const struct spscring_blocks *blocks, void *data)
{
	__u64 frame, first, tail;

	if (g->flags & SPSCRING_CREATE_RECORDS)
		return -EPROTOTYPE;
	memset(p, 0, sizeof(*p));
	spscring_producer_base_init(&p->base, g, blocks);
	p->element_size = g->element_size;
	p->frame_size = g->frame_size;
	p->frame_first = g->frame_first;
	p->frame_elements = g->frame_elements;
	p->frame_last = g->frame_first + g->frame_elements * g->stride;
	p->base.data = (char *)data;
	p->base.end = p->base.data + g->frames * g->frame_size;
	frame = p->base.pos / g->frame_elements;
	first = frame * g->frame_elements;
	p->at = spscring_frame_of(p, p->base.data + frame % g->frames * g->frame_size, first);
	tail = spscring_read_once(*p->at.tail);
	/* the cursor lags within its frame */
	if (tail - first <= g->frame_elements && tail - first > p->base.pos - first)
		p->base.pos = tail;
	p->base.cached_limit = p->base.pos;
	p->base.run_end = p->base.pos;
	return 0;
}

/**
 * spscring_producer_init() - the same, of the pages that an fd maps
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

static inline void spscring_consumer_base_init(struct spscring_consumer_base *c,
					       const struct spscring_geometry *g,
					       const struct spscring_blocks *blocks)
{
	c->block = blocks->consumer;
	c->cursor = &c->block->cursor;
	c->peer = blocks->producer;
	c->kernel = blocks->kernel;
	c->event = &c->kernel->producer_event;
	c->pos = spscring_read_once(*c->cursor);
	c->cached_tail = c->pos;
	c->publish_batch = g->publish_batch;
	c->publish_at = c->pos + c->publish_batch;
	c->cpu = -1;
	c->backoff = 1;
	c->waited_at = c->pos;
	c->capacity = g->capacity;
	c->stride = g->stride;
	c->flags = g->flags;
}

/**
 * spscring_consumer_begin() - a consumer's handle, at its own cursor
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @blocks: the control blocks
 * @data: the data; only read, so they may be mapped read-only
 *
 * Its fd is the caller's to set.
 *
 * Return: 0, or -EPROTOTYPE a ring of records of any size.
 */
static inline int spscring_consumer_begin(struct spscring_consumer *c,
					  const struct spscring_geometry *g,
					  const struct spscring_blocks *blocks, const void *data)
{
	char *frame;
	__u64 slot;

	if (g->flags & SPSCRING_CREATE_RECORDS)
		return -EPROTOTYPE;
	memset(c, 0, sizeof(*c));
	spscring_consumer_base_init(&c->base, g, blocks);
	c->element_size = g->element_size;
	c->frame_size = g->frame_size;
	c->frame_first = g->frame_first;
	c->frame_elements = g->frame_elements;
	c->base.data = (char *)data;
	c->base.end = c->base.data + g->frames * g->frame_size;
	frame = c->base.data + c->base.pos / g->frame_elements % g->frames * g->frame_size;
	c->tail = (const __u64 *)frame;
	slot = c->base.pos % g->frame_elements;
	c->frame_end = c->base.pos - slot + g->frame_elements;
	c->slots = spscring_slots(frame, g->frame_first, c->base.pos - slot, g->stride);
	return 0;
}

/* A consumer's blocks: the producer's page is where it is in the fd. */
static inline struct spscring_blocks
spscring_consumer_blocks(const struct spscring_geometry *g, const void *consumer, const void *info)
{
	return spscring_blocks(g, consumer, info,
			       (const char *)info + g->producer_offset - g->info_offset);
}

/**
 * spscring_consumer_init() - the same, of the pages that an fd maps
 * @c: the handle
 * @g: the geometry, from INFO or from the kernel, never from a peer
 * @consumer: the consumer's page
 * @info: the info page, with the producer's page where it is in the fd
 * @data: the data; only read, so they may be mapped read-only
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
	g->oldest_reader = SPSCRING_OLDEST_READER;
	g->flags = want->flags;
}

/* Records of any size: the data are one run of bytes. */
static inline int spscring_geometry_records(struct spscring_geometry *g,
					    const struct spscring_create *want, __u32 page)
{
	__u32 align = want->align ? want->align : SPSCRING_RECORD_ALIGN_MIN;

	if (want->element_size || want->frame_size || align & (align - 1) ||
	    align < SPSCRING_RECORD_ALIGN_MIN || align > SPSCRING_RECORD_ALIGN_MAX ||
	    want->capacity & (align - 1) || want->capacity < 2ULL * align)
		return -EINVAL;
	if (want->capacity > SPSCRING_DATA_MAX)
		return -E2BIG;
	spscring_geometry_pages(g, want, want->capacity, page);
	g->stride = align;
	g->publish_batch = want->capacity / 8 & -(__u64)align;
	if (!g->publish_batch)
		g->publish_batch = align;
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
	__u32 size = want->element_size, align = want->align, frame = want->frame_size;
	__u32 stride, first, records;
	__u64 frames;

	if (want->flags & SPSCRING_CREATE_RECORDS)
		return spscring_geometry_records(g, want, page);
	if (!size || size > SPSCRING_ELEMENT_MAX || !want->capacity ||
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
	g->element_size = size;
	g->stride = stride;
	g->frame_size = frame;
	g->frame_elements = records;
	g->frame_first = first;
	g->publish_batch = want->capacity < 8 ? 1 : want->capacity / 8;
	return 0;
}

#endif /* _UAPI_LINUX_SPSCRING_RING_H */
