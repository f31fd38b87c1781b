// SPDX-License-Identifier: GPL-2.0
/* spscring send: from the standard input to a ring. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "framing.h"

static struct move options;

static const struct argp argp = {
	.options = move_options,
	.parser = move_parse,
	.args_doc = "PATH\n--listen PATH [OPTION...]",
	.doc = "Send the standard input through a ring, and end the stream at its end."
		"\vPATH is a socket at which spscring cat --listen waits, a node by which a driver "
		"exports "
		"the producer's end, or fd:N, an fd of an end that this process has inherited.  "
		"With --listen "
		"this command makes the ring, and spscring cat PATH connects to it.\n\n"
		"The command ends once the consumer has read all.  The exit status is 0 if it has, "
		"1 after an "
		"error, 3 if the consumer died or stopped before, and 4 if records were lost.",
	.children = move_children,
};

/* Before this end waits for the other one, there must be one. */
static int need_peer(void)
{
	while (options.connection.listener >= 0 && !stream_signal())
		connection_accept(&options.connection);
	return stream_signal() ? -EINTR : 0;
}

static int push(struct stream *s, const struct message *m)
{
	int err;

	for (;;) {
		err = stream_push(s, m->data, m->length);
		/* dropped, and counted in the ring */
		if (err == -ENOBUFS)
			return 0;
		if (err != -EAGAIN)
			return err;
		err = need_peer() ?: stream_wait(s, m->length, -1);
		if (err)
			return err;
	}
}

/*
 * Read more input, and hand the other end on meanwhile.  Returns -EINTR after a signal, and 0
 * otherwise: that the consumer has gone, the next push says.
 */
static int read_more(struct stream *s, struct input *in)
{
	struct pollfd ready[3] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = options.connection.listener, .events = POLLIN },
		/* the end of the other side; a ring on which nobody can wait reports errors only */
		{ .fd = s->polls ? -1 : s->fd, .events = POLLRDHUP },
	};

	if (ppoll(ready, 3, NULL, &stream_signals_within) < 0) {
		if (errno != EINTR)
			die("cannot wait for input: %s", strerror(errno));
		return stream_signal() ? -EINTR : 0;
	}
	if (ready[1].revents)
		connection_accept(&options.connection);
	if (ready[2].revents & (POLLHUP | POLLERR))
		return -EPIPE;
	if (ready[2].revents & POLLRDHUP)
		return -ESHUTDOWN;
	if (ready[0].revents)
		input_read(in, STDIN_FILENO);
	return 0;
}

static int send_all(struct stream *s, struct input *in)
{
	struct message m;
	int err = 0;

	while (!err && !in->over) {
		err = read_more(s, in);
		while (!err && input_next(in, &m))
			err = push(s, &m);
	}
	if (!err)
		err = need_peer();
	/* what was dropped is known; what the consumer misses is when it has read the rest */
	if (!err && !(s->geometry.flags & SPSCRING_CREATE_DROP))
		err = stream_drain(s);
	return err;
}

static int report(const struct stream *s, int err)
{
	uint64_t lost = stream_lost(s);

	if (options.verbose)
		warn("%llu messages, %llu bytes", (unsigned long long)s->messages,
		     (unsigned long long)s->bytes);
	if (lost)
		warn("%llu records were %s: the ring was full", (unsigned long long)lost,
		     s->geometry.flags & SPSCRING_CREATE_DROP ? "dropped" : "overwritten");
	if (err) {
		warn("%s", stream_error(s, err));
		return err == -EPIPE || err == -ESHUTDOWN ? STATUS_PEER_GONE : STATUS_ERROR;
	}
	return lost ? STATUS_LOST : STATUS_OK;
}

int send_main(int argc, char **argv)
{
	struct input in;
	struct stream s;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	stream_open(&s, SPSCRING_PRODUCER, connection_open(&options.connection, SPSCRING_PRODUCER));
	stream_catch_signals(&s);
	input_init(&in, framing_of(options.how, &s), &s);
	err = send_all(&s, &in);
	input_free(&in);
	stream_shutdown(&s);
	if (err == -EINTR && stream_signal()) {
		connection_forget(&options.connection);
		stream_die_of_signal();
	}
	return report(&s, err);
}
