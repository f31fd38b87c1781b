/* SPDX-License-Identifier: GPL-2.0 */
/* One end of a ring of either kind, as a stream of messages. */
#ifndef _SPSCRING_STREAM_H
#define _SPSCRING_STREAM_H

#include <signal.h>
#include <spscring.h>

#include "command.h"

struct stream {
	uint32_t role;
	int fd;
	bool records, polls;		/* polls: a BUSY_POLL ring, on which nobody can sleep */
	struct spscring_geometry geometry;
	uint64_t first;			/* sequence number of the first record to be popped */
	uint64_t lost_before;		/* records that the ring had lost before a producer came */
	uint64_t messages, bytes;	/* that have gone through here */
	union {
		struct spscring_producer producer;
		struct spscring_consumer consumer;
		struct spscring_record_producer record_producer;
		struct spscring_record_consumer record_consumer;
	};
};

/* Make a stream of an endpoint fd.  Dies with advice where it is none. */
void stream_open(struct stream *s, uint32_t role, int fd);

/* The longest message that the ring can ever hold, in bytes. */
uint64_t stream_longest(const struct stream *s);

/* Pop one message.  Returns its length, or a negative errno: see spscring_record_pop(). */
long stream_pop(struct stream *s, void *to, size_t size);

/* Push one message; one element has the element size.  Returns 0, or a negative errno. */
int stream_push(struct stream *s, const void *from, size_t length);

/*
 * Sleep until there is a message, or room for one of @length bytes, or until @deadline, as of
 * spscring_wait_elements().  Returns 0, or a negative errno: -EINTR once a signal has come, see
 * stream_catch_signals().
 */
int stream_wait(struct stream *s, size_t length, int64_t deadline);

/* Wait until the consumer has released everything.  Returns as stream_wait(). */
int stream_drain(struct stream *s);

/* End the stream. */
void stream_shutdown(struct stream *s);

/*
 * How many records were lost, of those that came after stream_open().  Those that are overwritten
 * count once the consumer has come to where they were: for a producer, after stream_drain().
 */
uint64_t stream_lost(const struct stream *s);

/*
 * Let SIGINT, SIGTERM and SIGHUP end the stream in order.  They are noticed in stream_wait(),
 * and in calls that take stream_signals_within, the signal mask outside of which a producer
 * runs: no message is half sent.
 */
void stream_catch_signals(struct stream *s);
extern sigset_t stream_signals_within;

/* The signal that has come, or 0. */
int stream_signal(void);

/* Die of the signal that has come. */
_Noreturn void stream_die_of_signal(void);

/* What to print of an error that a verb has returned: the peer died, the ring is broken... */
const char *stream_error(const struct stream *s, int err);

#endif
