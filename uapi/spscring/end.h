/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: the protocol, and what both shapes of ring share of an end.
 *
 * One source serves the kernel and user space: the headers of this folder have the hot paths
 * as inlines, the .c files beside them have the cold ones, in the module and in the library.
 *
 *	end.h		an end: its handle, its peer's status, kicks, errors
 *	backoff.h	how long a consumer waits between two polls
 *	element.h	elements of one size, in frames
 *	word.h		the word before a record of variable size
 *	overwrite.h	a ring in which the oldest records make room
 *	record.h	records of variable size
 *	layout.h	where a ring's pages and control blocks are; how a handle begins
 *	platform.h	the primitives, by one set of names
 *
 * Terms, used in this sense everywhere:
 *
 *	element		one item of a ring whose items have one fixed size
 *	record		one item of a ring of variable-size records
 *	frame, slot	a tail and the slots after it; the place of one element
 *	position	a count of elements, or of bytes of records, since the ring was made.
 *			It only grows, and does not wrap in practice
 *	head, tail	the consumer's position, and the producer's
 *	cursor		the position that an end stores in its control block
 *	control block	the words that one end, or the kernel, writes for the others to read
 *	published head	the consumer's cursor as it stores it for the producer, once in a
 *			publish batch
 *	cached limit, cached tail
 *			how far a handle may go without reading its peer's words again
 *	run		the slots up to the end of the frame, or to the cached limit
 *	event index	the peer's position at which an end is to be woken; the kernel stores it
 *	fence bit	set in an event index that must be compared after a full fence
 *	kick		the call by which an end has the kernel wake its peer
 *	wake		what the kernel does with a waiter, which then runs
 *	waiter		a task that sleeps on an end, or polls it by poll(2), epoll or eventfd
 *	arm		have the event index wake pollers or an eventfd, without sleeping
 *	last kicked	the event index for which this end kicked its peer last
 *	poll, refresh	read a peer's word; read it again into the cached copy.  The system call
 *			is written poll(2) or poll()
 *	spin		poll for a short time before sleeping
 *	back-off	cpu_relax() calls between two polls; it adapts to what arrives
 *	peer status	whether the peer may go on, has shut down, or has died
 *	claim, holder	take an end; the file or the kernel code that has it since
 *	publish		store what makes items visible to the consumer
 *	release		store what makes room visible to the producer
 *	lap		one pass of a position through all of the data
 *	recover		bring a dead end's words to where its next holder can go on
 *	broken		a ring in which an end found impossible words of its peer
 *	watermark	how many elements or bytes poll(2) waits for
 *	drop, overrun	a record given up for want of room; one overwritten before it was read
 *
 * The protocol, drawn for elements; record.h and overwrite.h draw what differs for records:
 *
 *	producer			consumer
 *	--------			--------
 *	full?  published head, cursor	poll   tail of this frame
 *	  LOAD.acq published   (F)	  LOAD.acq tail	       (B)
 *	  LOAD.acq cursor      (D)	take   elements
 *	put    elements			release
 *	publish				  STORE.rel cursor     (C)
 *	  STORE.rel tail       (A)	once a publish batch
 *	step   to the next frame	  STORE.rel published  (E)
 *	  STORE.rel cursor     (G)
 *	wake				wake
 *	  LOAD	 consumer_event		  LOAD	 producer_event
 *	  if it is reached:		  if it is reached:
 *	  FENCE		       (L)	  FENCE		       (N)
 *	  LOAD	 consumer_event		  LOAD	 producer_event
 *	no room
 *	  STORE	 full_at
 *	  if anybody waits: FENCE (L), LOAD consumer_event, kick
 *
 *	kernel
 *	------
 *	an end ends    STORE.rel state (I)   its peer finds out  LOAD.acq (J)
 *	a claim, INFO  LOAD.acq  producer's cursor (H), consumer's (D), tails (B)
 *	an end sleeps  STORE event index with the fence bit; FENCE; where the bit is new,
 *		       have the peer's CPUs FENCE; then poll once more: consumer (M),
 *		       producer (O)
 *
 * Pairs, and what each is for:
 *
 *	A-B	the elements are there before the tail that publishes them
 *	C-D	the consumer has read a slot before the producer learns that the slot is free
 *	E-F	the same by the published head, a hint that only ever lags the cursor
 *	G-H	the tails are there before the cursor: what a claim finds beyond the cursor is
 *		all that the producer has published since it stored the cursor
 *	I-J	all that an end published is there before its end is, so that "ended and
 *		empty" is final
 *	L-M	either the producer sees the consumer's event index, or the consumer sees the
 *		tail: no wake-up is lost; and the same of full_at
 *	N-O	the same of the consumer's cursor and the producer's event index
 *	V-M	an interrupt's fence on the producer's CPU, in place of L: either the poll
 *		after it sees the publish, or the producer loads an event index with the
 *		fence bit
 *	V-O	the same of a release, and N
 *	W-M	kernel code stores on which CPU it publishes, then loads the event index:
 *		either the sleeper knows which CPU to interrupt, or kernel code sees the
 *		event index that the sleeper has stored
 *	W-O	the same of a release
 *	M-O	not both ends sleep, one for room and one for more elements: either the
 *		kernel sees, for the consumer, that the producer sleeps, or the reverse
 *
 * A push stores the element and the tail, both to the line that it fills, and its position in the
 * handle, and nothing else.  The CPU's store queue then holds stores to several lines of the ring,
 * and the CPU fetches these lines from the consumer's cache all at once.  The position could be
 * read back from the tail, at the cost of a miss where the consumer has just read it.  The
 * producer's cursor changes once a frame, by these rules:
 *
 *	- between two calls, the cursor lies in the frame that the handle is in;
 *	- before the consumer's cursor is read, and at the end of a batch that entered another
 *	  frame, the cursor is stored exactly; so it lags by less than the capacity;
 *	- the cursor never goes back.
 *
 * The producer's exact position is then its cursor, or the tail of the cursor's frame where that
 * tail lies in the frame and beyond the cursor.  After a death within a batch, a claim walks on
 * from frame to frame.  The consumer's cursor is exact; the producer reads that line only when it
 * would otherwise report full.
 *
 * Nobody fences in a ring where nobody waits.  Only an event index that is reached, or that has
 * the fence bit, makes a publish or a release execute a full fence (L or N) and load the event
 * index again.  Before an end sleeps, the kernel sets the bit, then has the CPUs that may be
 * within a publish execute a fence, then polls a last time.  After some milliseconds in which no
 * end has armed an index, the kernel clears the bit.  A new ring has it.  A ring made with
 * SPSCRING_CREATE_BUSY_POLL never has the bit, one made with SPSCRING_CREATE_FENCE always.  That
 * the sleeper, which is rare, makes the publisher, which is frequent, fence is the idea of
 * membarrier(2).
 *
 * The peer is not trusted.  Geometry and the own position are private copies.  A peer's word is
 * read once and checked; one out of range breaks the ring for this end (-EPIPE).  Out of a word
 * comes only a count that is bounded by this frame or by the capacity, never an index.  So all
 * that a hostile peer can send is garbage, or nothing.
 *
 * The ring's creator is not trusted either.  A creator chooses shape, element size, capacity,
 * what a full ring does, and whether an end can sleep.  A claim and a handle therefore name the
 * element size and type tag that they expect (-EPROTOTYPE if the ring's differ), and take the
 * geometry from the kernel, which has checked it.  A creator can still starve an end: by a small
 * ring, one that drops, or one that only polls (a wait is -EOPNOTSUPP).  A creator holds the ring
 * fd, so it can claim an end that falls free, and be the peer.
 *
 * Sources: a tail for each frame, with an absolute position that makes a stale one harmless, where
 * D.  Vyukov's bounded queue has a sequence number for each slot.  The publish batch is
 * MCRingBuffer's (Lee, Bu, Chandranmenon, 2010), the names of the verbs are net/xdp/xsk_queue.h's,
 * the event index is virtio's.
 *
 * Every verb of this folder: one caller at a time on each handle.  It neither sleeps nor allocates,
 * and takes no lock but those of a kick.  Context: any, NMI too, except under a lock that waking a
 * task, starting a timer or sending a signal takes, see spscring_kick().
 *
 * Errors of push and reserve, as negative errno:
 *
 *	-EAGAIN		full
 *	-ESHUTDOWN	full, and the consumer has shut down; or this end has
 *	-EPIPE		full, and the consumer has died (another may yet claim its end); or the
 *			ring is broken, for good
 *
 * Errors of pop and peek, as negative errno:
 *
 *	-EAGAIN		empty
 *	-ESHUTDOWN	empty, and the producer has shut down; or this end has
 *	-EPIPE		empty, and the producer has died (another may yet claim its end); or the
 *			ring is broken, for good
 */
#ifndef _SPSCRING_END_H
#define _SPSCRING_END_H

#include <linux/spscring.h>
#include <spscring/platform.h>

SPSCRING_BEGIN_DECLS

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
 * The kernel's tracepoints, see kmod/trace.h.  Push and pop of one element or record test
 * theirs on the slow path only, so a disabled tracepoint costs the hot path nothing, even
 * without jump labels.  An enabled one sends each call down the slow path.
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

/* The default of spin_max, the most polls before a sleep: some tens of microseconds. */
#define SPSCRING_SPIN_MAX	2000

/*
 * Failed tries between two reads of the words that are expensive to read: the consumer's exact
 * cursor, and the state of an end.
 */
#define SPSCRING_REFRESH_EVERY	64

/*
 * The handles: an end's private memory, apart from the shared pages.  Rings of elements and
 * rings of records have handles of different types, so a call with the wrong handle does not
 * compile.  The base, first in each handle, is what both shapes of ring need.  The functions
 * of layout.h fill a handle in.  Of its fields a caller may set spin, spin_max and fd, no others.
 *
 * On the hot path one comparison detects all that is uncommon.  The call that fills a frame
 * leaves the step to the next frame to the call after it.
 */
#define SPSCRING_HANDLES	1	/* the number of their layout */

struct spscring_producer_base {
	/* used once a frame, or when the ring is full */
	const struct spscring_kernel_block *kernel;
	__u64 last_event;	/* this end's event index at the last read of the exact cursor */
	char *data;
	char *end;		/* of the data, as mapped the first time */
	__u64 capacity;		/* in elements, or in bytes of records */
	__u32 fails;		/* failed tries in a row, at one pos */
	__s32 error;		/* -EPIPE the ring is broken, -ESHUTDOWN this end was shut down */
	__u64 failed_at;	/* that pos */
	const __u64 *peer_published_head;
	const __u64 *peer_cursor;
	struct spscring_producer_block *block;
	__u32 spin;		/* polls before a sleep; adapts to what they find */
	__u32 spin_max;		/* upper bound of spin; 0: never spin */
	__u32 flags;		/* the ring's SPSCRING_CREATE_* */
	__u32 features;		/* the ring's SPSCRING_FEATURE_* */
	/* tools/hotpath runs kernel code on user handles, so both fields have one size */
#ifdef __KERNEL__
	struct spscring *ring;
#else
	__s64 fd;		/* the endpoint fd, for KICK and WAIT */
#endif
	__u64 cached_limit;	/* pos may grow to here without a refresh of the head */
	__u64 last_kicked;	/* the consumer's event index that this end kicked for last */
	__u64 *cursor;		/* this end's, in its control block */
	/* used by each call, in one cache line with what follows the base */
	__u64 pos;		/* of the next element or record */
	__u64 run_end;		/* pos may grow to here without the slow path */
	const __u64 *event;	/* the consumer's event index */
	__u32 stride;		/* bytes from slot to slot; the alignment of records */
	__u32 cpu;		/* in the kernel: the CPU that this end noted last */
};

struct spscring_consumer_base {
	/* used once a frame, or when the ring is empty */
	const struct spscring_kernel_block *kernel;
	struct spscring_consumer_block *block;
	const struct spscring_producer_block *peer;
	char *data;
	char *end;		/* of the data, as mapped the first time */
	__u64 capacity;		/* in elements, or in bytes of records; 0 once error is set */
	__u64 last_kicked;	/* the producer's event index that this end kicked for last */
	__u32 flags;		/* the ring's SPSCRING_CREATE_* */
	__u32 peer_is_user;	/* in the kernel: a user may write the data, so peek is refused */
#ifdef __KERNEL__
	struct spscring *ring;
#else
	__s64 fd;		/* the endpoint fd, for KICK and WAIT */
#endif
	__u32 publish_batch;	/* elements or bytes from one published head to the next */
	__s32 error;		/* -EPIPE the ring is broken, -ESHUTDOWN this end was shut down */
	__u32 spin;		/* polls before a sleep; adapts to what they find */
	__u32 spin_max;		/* upper bound of spin; 0: never spin */
	__u32 fails;		/* polls that found nothing, ever; wraps */
	__u32 backoff;		/* cpu_relax() calls between two polls */
	__u32 waited;		/* cpu_relax() calls of the last wait */
	__u32 waited_fails;	/* fails when that wait ended */
	__u64 waited_at;	/* pos when that wait ended */
	__u32 features;		/* the ring's SPSCRING_FEATURE_* */
	__u32 reserved;
	/* used by each call, in one cache line with what follows the base */
	__u64 pos;		/* of the next element or record */
	__u64 *cursor;		/* this end's, in its control block */
	__u64 publish_at;	/* publish the head once pos is here */
	const __u64 *event;	/* the producer's event index */
	__u32 stride;		/* bytes from slot to slot; the alignment of records */
	__u32 cpu;		/* in the kernel: the CPU that this end noted last */
};

/* Break the ring: the kernel says so to all; a user's handle only fails. */
#ifdef __KERNEL__
#define spscring_break(end, role)		spscring_broken((end)->ring, role)
#else
#define spscring_break(end, role)		((void)(end), (void)(role))

/* Calls of the library, for the handles of either end: what they need of one. */
void spscring_kick_end(const struct spscring_kernel_block *kernel, __s64 fd, __u32 features,
		       __u32 role, unsigned long flags) SPSCRING_COLD;
void spscring_look_at(const struct spscring_kernel_block *kernel, __s64 fd,
		      __u32 role) SPSCRING_COLD;
#endif

/* Tell the kernel, or a peer without one, that the event index of this end's peer is reached. */
static SPSCRING_INLINE void spscring_producer_kicks(struct spscring_producer_base *p, __u32 flags)
{
#ifdef __KERNEL__
	spscring_kick(p->ring, SPSCRING_CONSUMER, flags);
#else
	spscring_kick_end(p->kernel, p->fd, p->features, SPSCRING_CONSUMER, flags);
#endif
}

static SPSCRING_INLINE void spscring_consumer_kicks(struct spscring_consumer_base *c, __u32 flags)
{
#ifdef __KERNEL__
	spscring_kick(c->ring, SPSCRING_PRODUCER, flags);
#else
	spscring_kick_end(c->kernel, c->fd, c->features, SPSCRING_PRODUCER, flags);
#endif
}

/* In a ring without a kernel nobody says that the peer has died: find out, from time to time. */
static inline void spscring_producer_looks(const struct spscring_producer_base *p)
{
#ifndef __KERNEL__
	if (spscring_unlikely(p->features & SPSCRING_FEATURE_MEMFD))
		spscring_look_at(p->kernel, p->fd, SPSCRING_CONSUMER);
#else
	(void)p;
#endif
}

static inline void spscring_consumer_looks(const struct spscring_consumer_base *c)
{
#ifndef __KERNEL__
	if (spscring_unlikely(c->features & SPSCRING_FEATURE_MEMFD))
		spscring_look_at(c->kernel, c->fd, SPSCRING_PRODUCER);
#else
	(void)c;
#endif
}

/*
 * Run between a publish or release and the load of the peer's event index.  Kernel code notes
 * the CPU it is on if that has changed: a peer that is about to sleep interrupts the noted CPU.
 * The caller may be preempted anywhere in between, because a migration is itself a full fence.
 * On User Mode Linux a task needs a call to know its CPU, so the sleeper interrupts all CPUs.
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

/*
 * Has @pos reached the event index @event, or is the fence bit set?  The bit is the sign, and
 * makes the index less than any position.
 */
static SPSCRING_INLINE int spscring_event_reached(const __u64 *event, __u64 pos)
{
	return (__s64)pos >= (__s64)spscring_read_once(*event);
}

/*
 * The rule of a kick, the only one: kick the peer once @pos has reached its event index, unless
 * it was kicked for this very index already.
 */
static SPSCRING_INLINE int spscring_need_kick(__u64 event, __u64 pos, __u64 last_kicked)
{
	return event != last_kicked && (__s64)(pos - event) >= 0;
}

/*
 * The consumer's event index, read after a full fence: either this load sees what the consumer
 * waits for, or the consumer's last poll sees what was published.
 */
static SPSCRING_INLINE __u64 spscring_consumer_event(const struct spscring_producer_base *p)
{
	spscring_mb();	/* (L) pairs with (M) */
	return spscring_read_once(p->kernel->consumer_event) & ~SPSCRING_EVENT_FENCE;
}

/*
 * The peer status, from the word @peer of its state: the error of a ring that is empty or full.
 * -EAGAIN: the peer may go on.
 */
static inline int spscring_peer_status(const __u64 *peer)
{
	/* (J) pairs with (I): a poll after this load sees all that the peer published */
	switch (SPSCRING_END_STATE(spscring_load_acquire(peer))) {
	case SPSCRING_SHUT_DOWN:
		return -ESHUTDOWN;
	case SPSCRING_DEAD:
		return -EPIPE;
	default:
		return -EAGAIN;
	}
}

/* Has this end been shut down?  Another handle or process can do that, too. */
static inline int spscring_is_shut_down(const __u64 *own)
{
	return SPSCRING_END_STATE(spscring_read_once(*own)) == SPSCRING_SHUT_DOWN;
}

/**
 * spscring_producer_fail() - make every later push and reserve fail
 * @p: the producer's base
 * @why: the error that they return: -EPIPE or -ESHUTDOWN
 *
 * Return: @why.
 */
int spscring_producer_fail(struct spscring_producer_base *p, int why);

/* The consumer's words are impossible: break the ring for this end. */
int spscring_producer_broken(struct spscring_producer_base *p);

/*
 * Kick the consumer if @pos is at its event index or beyond, not only if this publish crossed
 * the index: the next publish finds an index that the kernel stores late.  An
 * index that was kicked for already still costs the fence: the kernel may be replacing it, and
 * either this load sees the new index or the consumer's last poll sees what was published.
 */
int spscring_wake_consumer(struct spscring_producer_base *p, __u64 pos);

/* Call this after each store of a tail or word: it kicks a consumer that waits for @pos. */
static SPSCRING_INLINE int spscring_after_publish(struct spscring_producer_base *p, __u64 pos)
{
	spscring_producer_note_cpu(p);
	if (spscring_unlikely(spscring_event_reached(p->event, pos)))
		return spscring_wake_consumer(p, pos);
	return 0;
}

/*
 * Refresh the cached limit, which leaves less room than @n elements or bytes.  The published
 * head is a hint and may lag, so before this reports full it reads the consumer's exact cursor:
 * at the first try, after each sleep, and at each SPSCRING_REFRESH_EVERY-th try.  Otherwise a
 * consumer that takes less than a publish batch, and then waits for the producer by other means,
 * would deadlock.  In a ring that drops, each try reads it: no record is lost for a stale hint.
 *
 * Return: 0, or a negative errno, see the top.
 */
int spscring_refresh_head(struct spscring_producer_base *p, __u64 n) SPSCRING_COLD;

static SPSCRING_INLINE void spscring_publish_cursor(struct spscring_producer_base *p, __u64 pos)
{
	/* (G) pairs with (H): every tail, then the cursor */
	spscring_store_release(p->cursor, pos);
}

#define SPSCRING_NOWAKE	1	/* no kick; a later publish kicks */
#define SPSCRING_WAKE	2	/* wake the consumer even below its watermark or index */

static SPSCRING_INLINE void spscring_wake_now(struct spscring_producer_base *p, __u32 flags)
{
	if (flags & SPSCRING_WAKE && !(p->flags & SPSCRING_CREATE_BUSY_POLL))
		spscring_producer_kicks(p, SPSCRING_KICK_NOW);
}

/* The part of a consumer's failure that both shapes share. */
static inline int spscring_consumer_base_fail(struct spscring_consumer_base *c, int why)
{
	c->error = why;
	/* no count is within a capacity of 0, so every refresh finds c->error */
	c->capacity = 0;
	return why;
}

/* Kick the producer if pos has reached its event index; as spscring_wake_consumer(). */
int spscring_wake_producer(struct spscring_consumer_base *c);

/*
 * Has the producer shut down or died?  Each empty poll asks, and not only the 64th: that may be
 * why the caller was woken.  In a BUSY_POLL ring nobody sleeps, so there the 64th is soon enough.
 */
static SPSCRING_INLINE int spscring_peer_ended(const struct spscring_consumer_base *c)
{
	return !(c->flags & SPSCRING_CREATE_BUSY_POLL) &&
		SPSCRING_END_STATE(spscring_read_once(c->kernel->producer)) > SPSCRING_HELD;
}

static SPSCRING_INLINE void spscring_release_cursor(struct spscring_consumer_base *c, __u64 pos)
{
	/* (C) pairs with (D): first read the elements or records, then store the cursor */
	spscring_store_release(c->cursor, pos);
}

/* After each store of the cursor: publish the head once a batch, kick a producer that waits. */
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

static SPSCRING_INLINE int spscring_base_has_room(const struct spscring_producer_base *p, __u64 n)
{
	/* (D) pairs with (C) */
	return n <= p->capacity &&
		(__s64)(spscring_load_acquire(p->peer_cursor) + p->capacity - p->pos - n) >= 0;
}

static inline int spscring_end_has_room(const void *p, __u64 n)
{
	return spscring_base_has_room((const struct spscring_producer_base *)p, n);
}

/*
 * Adapt the polls before a sleep.  @looks: the polls that this wait made.  Where they found
 * something, allow twice as many next time, but never fewer than before; otherwise half as
 * many, but at least a sixteenth of @max.
 */
static inline void spscring_spin_adapt(__u32 *spin, __u32 max, __u32 looks, int found)
{
	__u32 least = max / 16;

	if (found)
		*spin = 2 * looks > *spin ? (2 * looks < max ? 2 * looks : max) : *spin;
	else
		*spin = *spin / 2 > least ? *spin / 2 : least;
}

/*
 * Poll once, then spin for up to *@looks polls, until @has says that @end can go on.  @counters:
 * the end's count of waits that polling ended, and of waits that have to sleep.
 *
 * Return: whether it can.
 */
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

static inline int spscring_base_spin_room(struct spscring_producer_base *p, __u64 n)
{
	return spscring_spin(&p->spin, p->spin_max, p->block->waits,
			     spscring_end_has_room, p, n);
}

SPSCRING_END_DECLS

#endif /* _SPSCRING_END_H */
