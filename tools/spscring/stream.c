// SPDX-License-Identifier: GPL-2.0
/* One end of a ring of either kind, as a stream of messages. */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

#define POLL_PAUSE	100000	/* ns between polls of a ring on which nobody can sleep */

/* What the signals' handler needs. */
static atomic_int got_signal, asleep;
static int shut_down_fd = -1;
static struct sigaction default_action = { .sa_handler = SIG_DFL };
static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
sigset_t stream_signals_within;

static _Noreturn void die_of_open(const struct stream *s, int err)
{
	const char *role = s->role == SPSCRING_PRODUCER ? "producer" : "consumer";

	switch (err) {
	case -EPERM:
	case -EACCES:
		die("this is not the %s's end of a ring, or it was opened without the right to "
		    "read and write it",
		    role);
	case -ENOTTY:
	case -ENODEV:
	case -EINVAL:
		die("this is no end of a ring: give a driver's device node, a socket of spscring, "
		    "or fd:N");
	case -EBADFD:
		die("this makes rings, but is none: --listen PATH makes a ring and offers its "
		    "other end");
	default:
		die("cannot map the %s's end: %s", role, spscring_strerror(s->role, err));
	}
}

static int map(struct stream *s)
{
	uint64_t tag = s->geometry.type_tag;

	if (s->role == SPSCRING_PRODUCER && s->records)
		return spscring_record_map_producer(s->fd, &s->record_producer, tag, NULL);
	if (s->role == SPSCRING_PRODUCER)
		return spscring_map_producer(s->fd, &s->producer, s->geometry.element_size, tag,
					     NULL);
	if (s->records)
		return spscring_record_map_consumer(s->fd, &s->record_consumer, tag, NULL);
	return spscring_map_consumer(s->fd, &s->consumer, s->geometry.element_size, tag, NULL);
}

void stream_open(struct stream *s, uint32_t role, int fd)
{
	struct spscring_info info;
	int err = spscring_get_info(fd, &info);

	*s = (struct stream){ .role = role, .fd = fd };
	if (!err) {
		s->geometry = info.geometry;
		s->records = info.geometry.flags & SPSCRING_CREATE_RECORDS;
		s->polls = info.geometry.flags & SPSCRING_CREATE_BUSY_POLL;
		err = map(s);
	}
	if (err)
		die_of_open(s, err);
	s->lost_before = info.loss.drops + info.loss.overruns;
	if (s->role == SPSCRING_CONSUMER && s->records)
		s->first = spscring_record_sequence(&s->record_consumer) + 1;
}

uint64_t stream_longest(const struct stream *s)
{
	return s->records ? s->geometry.capacity - sizeof(uint64_t) : s->geometry.element_size;
}

long stream_pop(struct stream *s, void *to, size_t size)
{
	long length;

	if (s->records) {
		length = spscring_record_pop(&s->record_consumer, to, size);
	} else if (size < s->geometry.element_size) {
		length = -EMSGSIZE;
	} else {
		length = spscring_pop(&s->consumer, to);
		if (!length)
			length = s->geometry.element_size;
	}
	if (length >= 0) {
		s->messages++;
		s->bytes += (uint64_t)length;
	}
	return length;
}

int stream_push(struct stream *s, const void *from, size_t length)
{
	int err;

	if (s->records)
		err = spscring_record_push(&s->record_producer, from, length);
	else
		err = spscring_push(&s->producer, from);
	if (!err) {
		s->messages++;
		s->bytes += length;
	}
	return err;
}

static int is_ready(struct stream *s, uint64_t n)
{
	if (s->role == SPSCRING_PRODUCER && s->records)
		return spscring_record_has_room(&s->record_producer, n);
	if (s->role == SPSCRING_PRODUCER)
		return spscring_has_room(&s->producer, n);
	if (s->records)
		return spscring_record_has_bytes(&s->record_consumer, n);
	return spscring_has_elements(&s->consumer, n);
}

/* Why a wait that only polls need not go on: the peer's end. */
static int peer_status(const struct stream *s)
{
	struct spscring_info info;
	uint32_t state;

	if (spscring_get_info(s->fd, &info))
		return -EPIPE;
	state = s->role == SPSCRING_PRODUCER ? info.consumer_state : info.producer_state;
	if (info.broken || state == SPSCRING_DEAD)
		return -EPIPE;
	return state == SPSCRING_SHUT_DOWN ? -ESHUTDOWN : 0;
}

static int poll_for(struct stream *s, uint64_t n, int64_t deadline)
{
	const struct timespec pause = { .tv_nsec = POLL_PAUSE };

	for (;;) {
		int err = peer_status(s);

		if (is_ready(s, n))
			return 0;
		if (err)
			return err;
		if (got_signal)
			return -EINTR;
		if (deadline >= 0 && now() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
}

static int wait_for(struct stream *s, uint64_t n, int64_t deadline)
{
	/* a wait for room ends at once where records are overwritten: there it is always */
	if (s->polls || (s->role == SPSCRING_PRODUCER &&
			 s->geometry.flags & SPSCRING_CREATE_OVERWRITE))
		return poll_for(s, n, deadline);
	if (s->role == SPSCRING_PRODUCER && s->records)
		return spscring_record_wait_room(&s->record_producer, n, deadline);
	if (s->role == SPSCRING_PRODUCER)
		return spscring_wait_room(&s->producer, n, deadline);
	if (s->records)
		return spscring_record_wait_bytes(&s->record_consumer, n, deadline);
	return spscring_wait_elements(&s->consumer, n, deadline);
}

/* Wait with signals let in: the handler shuts the end down, which ends the wait. */
static int wait_with_signals(struct stream *s, uint64_t n, int64_t deadline)
{
	bool masked = s->role == SPSCRING_PRODUCER && shut_down_fd >= 0;
	sigset_t old;
	int err;

	asleep = 1;
	if (masked)
		sigprocmask(SIG_SETMASK, &stream_signals_within, &old);
	err = got_signal ? -EINTR : wait_for(s, n, deadline);
	if (masked)
		sigprocmask(SIG_SETMASK, &old, NULL);
	asleep = 0;
	return got_signal ? -EINTR : err;
}

int stream_wait(struct stream *s, size_t length, int64_t deadline)
{
	uint64_t n = 1;

	if (s->role == SPSCRING_PRODUCER && s->records)
		n = spscring_record_needs(&s->record_producer, length);
	return wait_with_signals(s, n, deadline);
}

int stream_drain(struct stream *s)
{
	return wait_with_signals(s, s->geometry.capacity, -1);
}

void stream_shutdown(struct stream *s)
{
	spscring_shutdown(s->fd, 0);
}

uint64_t stream_lost(const struct stream *s)
{
	struct spscring_info info;

	if (!s->records || spscring_get_info(s->fd, &info))
		return 0;
	if (s->role == SPSCRING_PRODUCER)
		return info.loss.drops + info.loss.overruns - s->lost_before;
	return info.loss.sequence - s->first - s->messages;
}

/* ioctl() is safe in a handler: it is one system call. */
static void on_signal(int signal)
{
	int saved = errno;

	got_signal = signal;
	if (asleep)
		spscring_shutdown(shut_down_fd, 0);
	errno = saved;
}

void stream_catch_signals(struct stream *s)
{
	/* a second signal of the same kind ends the program at once */
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
	sigset_t caught;
	size_t i;

	shut_down_fd = s->fd;
	sigemptyset(&caught);
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* nohup's SIG_IGN stays */
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&caught, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	if (s->role == SPSCRING_PRODUCER)
		sigprocmask(SIG_BLOCK, &caught, &stream_signals_within);
	/* a reader or writer of ours that goes away is an error of write() */
	signal(SIGPIPE, SIG_IGN);
}

int stream_signal(void)
{
	return got_signal;
}

_Noreturn void stream_die_of_signal(void)
{
	sigset_t all;

	fflush(stdout);
	sigaction(got_signal, &default_action, NULL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(got_signal);
	_exit(STATUS_ERROR);
}

const char *stream_error(const struct stream *s, int err)
{
	bool produces = s->role == SPSCRING_PRODUCER;
	struct spscring_info info;
	uint32_t peer;

	if ((err != -EPIPE && err != -ESHUTDOWN) || spscring_get_info(s->fd, &info))
		return spscring_strerror(s->role, err);
	if (err == -EPIPE && info.broken)
		return "the ring is broken: the other end has written impossible words";
	if (err == -EPIPE)
		return produces ? "the consumer has died" : "the producer has died";
	/* this end may have shut down since, too */
	peer = produces ? info.consumer_state : info.producer_state;
	if (peer != SPSCRING_SHUT_DOWN)
		return "this end was shut down";
	return produces ? "the consumer takes no more" : "the producer ended the stream";
}
