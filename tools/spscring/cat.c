// SPDX-License-Identifier: GPL-2.0
/* spscring cat: from a ring to the standard output. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "framing.h"

#define PLACE_MIN	4096	/* bytes for a record, before a longer one has come */

static struct move options;

static const struct argp argp = {
	.options = move_options,
	.parser = move_parse,
	.args_doc = "PATH\n--listen PATH [OPTION...]",
	.doc = "Write what comes through a ring to the standard output, until the producer ends "
	       "the stream."
		"\vPATH is a socket at which spscring send --listen waits, a node by which a "
		"driver exports "
		"the consumer's end, or fd:N, an fd of an end that this process has inherited.  "
		"With --listen "
		"this command makes the ring, and spscring send PATH connects to it.\n\n"
		"The exit status is 0 if all came, 1 after an error, 3 if the producer died, and 4 "
		"if records "
		"were lost.",
	.children = move_children,
};

static int flush(struct output *out)
{
	int err = out->n ? output_flush(out, STDOUT_FILENO) : 0;

	/* the reader of our output may go away, as head(1) does */
	if (err && err != -EINTR && err != -EPIPE)
		die("cannot write the output: %s", strerror(-err));
	return err == -EPIPE ? err : 0;
}

/* Pop until the ring is empty or the output has enough.  Returns the last error, or 0. */
static int pop_all(struct stream *s, struct output *out)
{
	static size_t size = PLACE_MIN;
	long length;

	if (!s->records)
		size = s->geometry.element_size;
	do {
		length = stream_pop(s, output_place(out, size), size);
		if (length >= 0)
			output_add(out, (size_t)length);
		else if (length == -EMSGSIZE && size < s->geometry.capacity)
			size *= 2;
		else if (length != -EBUSY)
			return (int)length;
	} while (out->n < OUTPUT_ENOUGH && !stream_signal());
	return 0;
}

/* Returns how the stream ended: an error of a verb; -EINTR a signal; 1 nobody reads our output. */
static int stream_all(struct stream *s, struct output *out)
{
	int err;

	do {
		err = pop_all(s, out);
		if (flush(out))
			return 1;
		if (stream_signal())
			return -EINTR;
		if (err == -EAGAIN)
			err = stream_wait(s, 1, -1);
	} while (!err);
	return err;
}

static int report(const struct stream *s, int err)
{
	uint64_t lost = err == -ESHUTDOWN || err == -EPIPE ? stream_lost(s) : 0;

	if (options.verbose)
		warn("%llu messages, %llu bytes", (unsigned long long)s->messages,
		     (unsigned long long)s->bytes);
	if (lost)
		warn("%llu records were lost: the ring was full", (unsigned long long)lost);
	if (err != -ESHUTDOWN) {
		warn("%s", stream_error(s, err));
		return err == -EPIPE ? STATUS_PEER_GONE : STATUS_ERROR;
	}
	return lost ? STATUS_LOST : STATUS_OK;
}

int cat_main(int argc, char **argv)
{
	struct output out;
	struct stream s;
	int err = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	stream_open(&s, SPSCRING_CONSUMER, connection_open(&options.connection, SPSCRING_CONSUMER));
	stream_catch_signals(&s);
	output_init(&out, framing_of(options.how, &s));
	while (options.connection.listener >= 0 && !stream_signal())
		connection_accept(&options.connection);
	if (stream_signal())
		err = -EINTR;
	else
		err = stream_all(&s, &out);
	if (err == -EINTR || err == 1) {
		stream_shutdown(&s);
		if (err == -EINTR) {
			flush(&out);
			connection_forget(&options.connection);
			stream_die_of_signal();
		}
	}
	output_free(&out);
	return err == 1 ? STATUS_OK : report(&s, err);
}
