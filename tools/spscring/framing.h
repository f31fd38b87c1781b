/* SPDX-License-Identifier: GPL-2.0 */
/* How messages are told apart in a stream of bytes. */
#ifndef _SPSCRING_FRAMING_H
#define _SPSCRING_FRAMING_H

#include <argp.h>

#include "stream.h"

enum framing {
	FRAMING_DEFAULT,	/* lines for records, raw for elements */
	FRAMING_RAW,		/* not at all */
	FRAMING_LINES,		/* a newline after each */
	FRAMING_LENGTH,		/* before each its length, 32 bits, little endian */
};

/* The text of --framing, for argp's help. */
extern const char framing_help[];

enum framing framing_parse(const char *arg, struct argp_state *state);
enum framing framing_of(enum framing asked, const struct stream *s);

/* Bytes that have been read, and not yet become messages. */
struct input {
	enum framing how;
	char *data;
	size_t begin, end, room;
	size_t longest;		/* message, in bytes */
	size_t fixed;		/* the size of each message, or 0 */
	bool over;		/* no more will be read */
};

/* Of a message: where it is, and its length in bytes. */
struct message {
	const char *data;
	size_t length;
};

void input_init(struct input *in, enum framing how, const struct stream *s);

void input_free(struct input *in);

/* Read once from @fd.  Dies of an error but EINTR and EAGAIN. */
void input_read(struct input *in, int fd);

/* The next message; false: more must be read first, or there is none.  Dies of a wrong length. */
bool input_next(struct input *in, struct message *m);

struct output {
	enum framing how;
	char *data;
	size_t n, room;
};

void output_init(struct output *out, enum framing how);
void output_free(struct output *out);

/*
 * The place for a message of up to @size bytes, and its framing; output_add() adds what was put
 * there.
 */
char *output_place(struct output *out, size_t size);
void output_add(struct output *out, size_t length);

/* Write all.  Returns 0, or a negative errno: -EINTR a signal has come, and the rest is kept. */
int output_flush(struct output *out, int fd);

#define OUTPUT_ENOUGH	(256 << 10)	/* bytes that are worth a write() */

#endif
