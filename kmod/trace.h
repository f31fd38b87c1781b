/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in tracefs events/spscring.  At an end that a user maps, the kernel traces
 * ioctls, polls and deaths only: push, pop and full are traced where kernel code moves, for
 * itself or in a user's read() or write().
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM spscring

#if !defined(_SPSCRING_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SPSCRING_TRACE_H

#include <linux/tracepoint.h>

#include "ring.h"

#define show_spscring_role(role)	\
	__print_symbolic(role, { 0, "none" }, { SPSCRING_PRODUCER, "producer" }, \
			 { SPSCRING_CONSUMER, "consumer" })

TRACE_EVENT(spscring_create,
	    TP_PROTO(const struct spscring *ring),
	    TP_ARGS(ring),
	    TP_STRUCT__entry(__field(u64, id)
			     __array(char, name, SPSCRING_NAME_MAX + 1)
			     __field(u64, capacity)
			     __field(u32, element_size)
			     __field(u32, frame_size)
			     __field(u64, pages)),
	    TP_fast_assign(__entry->id = ring->id;
			   memcpy(__entry->name, ring->name, SPSCRING_NAME_MAX);
			   __entry->name[SPSCRING_NAME_MAX] = 0;
			   __entry->capacity = ring->geometry.capacity;
			   __entry->element_size = ring->geometry.element_size;
			   __entry->frame_size = ring->geometry.frame_size;
			   __entry->pages = ring->nr_pages;),
	    /* the name last: it may have blanks, and trace-cmd cannot read quotes here */
	    TP_printk("id=%llu capacity=%llu element_size=%u frame_size=%u pages=%llu name=%s",
		      __entry->id, __entry->capacity, __entry->element_size,
		      __entry->frame_size, __entry->pages, __entry->name)
);

TRACE_EVENT(spscring_endpoint,
	    TP_PROTO(const struct spscring *ring, u32 role, const struct ring_end *end),
	    TP_ARGS(ring, role, end),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u32, role)
			     __field(bool, kernel)
			     __field(u32, generation)),
	    TP_fast_assign(__entry->id = ring->id;
			   __entry->role = role;
			   __entry->kernel = end->kernel;
			   __entry->generation = end->generation;),
	    TP_printk("id=%llu role=%s holder=%s generation=%u", __entry->id,
		      show_spscring_role(__entry->role), __entry->kernel ? "kernel" : "user",
		      __entry->generation)
);

/* In the event "broken", role "none" says that a claim found the ring broken. */
DECLARE_EVENT_CLASS(spscring_role,
		    TP_PROTO(const struct spscring *ring, u32 role),
		    TP_ARGS(ring, role),
		    TP_STRUCT__entry(__field(u64, id)
				     __field(u32, role)),
		    TP_fast_assign(__entry->id = ring->id;
				   __entry->role = role;),
		    TP_printk("id=%llu role=%s", __entry->id, show_spscring_role(__entry->role))
);

DEFINE_EVENT(spscring_role, spscring_broken,
	     TP_PROTO(const struct spscring *ring, u32 role),
	     TP_ARGS(ring, role)
);

DEFINE_EVENT(spscring_role, spscring_shutdown,
	     TP_PROTO(const struct spscring *ring, u32 role),
	     TP_ARGS(ring, role)
);

/* Head and tail as the ends wrote them.  The arguments are not named so: perf uses "head". */
TRACE_EVENT(spscring_death,
	    TP_PROTO(const struct spscring *ring, u32 role, u32 generation, u64 popped, u64 pushed),
	    TP_ARGS(ring, role, generation, popped, pushed),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u32, role)
			     __field(u32, generation)
			     __field(u64, head)
			     __field(u64, tail)),
	    TP_fast_assign(__entry->id = ring->id;
			   __entry->role = role;
			   __entry->generation = generation;
			   __entry->head = popped;
			   __entry->tail = pushed;),
	    TP_printk("id=%llu role=%s generation=%u head=%llu tail=%llu", __entry->id,
		      show_spscring_role(__entry->role), __entry->generation, __entry->head,
		      __entry->tail)
);

/* A claim has read the cursors; next it walks from the producer's over what is published. */
TRACE_EVENT(spscring_recover,
	    TP_PROTO(const struct spscring *ring, u64 popped, u64 pushed),
	    TP_ARGS(ring, popped, pushed),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, head)
			     __field(u64, tail)),
	    TP_fast_assign(__entry->id = ring->id;
			   __entry->head = popped;
			   __entry->tail = pushed;),
	    TP_printk("id=%llu head=%llu tail=%llu", __entry->id, __entry->head, __entry->tail)
);

/* A push found no room; traced once until there is room again. */
TRACE_EVENT(spscring_full,
	    TP_PROTO(const struct spscring *ring, u64 pos),
	    TP_ARGS(ring, pos),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, pos)),
	    TP_fast_assign(__entry->id = ring->id;
			   __entry->pos = pos;),
	    TP_printk("id=%llu pos=%llu", __entry->id, __entry->pos)
);

/*
 * The elements of a call, or the bytes that its records use in the ring: a push is traced before
 * the peer can see them, a pop or release before the peer can see that they are gone.  A batch
 * of records may be an event for each.  The push and pop of one notice a tracepoint that was
 * switched on only where they leave the hot path: at the next frame or lap at the latest, or when
 * the ring is full or empty.
 */
DECLARE_EVENT_CLASS(spscring_records,
		    TP_PROTO(const struct spscring *ring, u64 first, u32 n),
		    TP_ARGS(ring, first, n),
		    TP_STRUCT__entry(__field(u64, id)
				     __field(u64, first)
				     __field(u32, n)),
		    TP_fast_assign(__entry->id = ring->id;
				   __entry->first = first;
				   __entry->n = n;),
		    TP_printk("id=%llu first=%llu n=%u", __entry->id, __entry->first, __entry->n)
);

DEFINE_EVENT(spscring_records, spscring_push,
	     TP_PROTO(const struct spscring *ring, u64 first, u32 n),
	     TP_ARGS(ring, first, n)
);

DEFINE_EVENT(spscring_records, spscring_pop,
	     TP_PROTO(const struct spscring *ring, u64 first, u32 n),
	     TP_ARGS(ring, first, n)
);

/*
 * "poll": a poll has checked whether its watermark, at index, is reached.  "arm": the poll has
 * set the index that wakes the pollers, and is about to publish the event index.
 */
DECLARE_EVENT_CLASS(spscring_check,
		    TP_PROTO(const struct spscring *ring, u32 role, u64 index, bool ready),
		    TP_ARGS(ring, role, index, ready),
		    TP_STRUCT__entry(__field(u64, id)
				     __field(u32, role)
				     __field(bool, ready)
				     __field(u64, index)),
		    TP_fast_assign(__entry->id = ring->id;
				   __entry->role = role;
				   __entry->ready = ready;
				   __entry->index = index;),
		    TP_printk("id=%llu role=%s index=%llu ready=%d", __entry->id,
			      show_spscring_role(__entry->role), __entry->index, __entry->ready)
);

DEFINE_EVENT(spscring_check, spscring_poll,
	     TP_PROTO(const struct spscring *ring, u32 role, u64 index, bool ready),
	     TP_ARGS(ring, role, index, ready)
);

DEFINE_EVENT(spscring_check, spscring_arm,
	     TP_PROTO(const struct spscring *ring, u32 role, u64 index, bool ready),
	     TP_ARGS(ring, role, index, ready)
);

/* A WAIT for index is on the list, and is about to check a last time. */
TRACE_EVENT(spscring_sleep,
	    TP_PROTO(const struct spscring *ring, u32 role, u64 index),
	    TP_ARGS(ring, role, index),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u32, role)
			     __field(u64, index)),
	    TP_fast_assign(__entry->id = ring->id;
			   __entry->role = role;
			   __entry->index = index;),
	    TP_printk("id=%llu role=%s index=%llu", __entry->id,
		      show_spscring_role(__entry->role), __entry->index)
);

/* Some waiters are woken; the event index of those left is published next. */
DEFINE_EVENT(spscring_role, spscring_wake,
	     TP_PROTO(const struct spscring *ring, u32 role),
	     TP_ARGS(ring, role)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
