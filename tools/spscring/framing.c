// SPDX-License-Identifier: GPL-2.0
/* How messages are told apart in a stream of bytes. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing.h"

#define READ_SIZE	(256 << 10)
#define BLOCK_MAX	(64 << 10)	/* of raw bytes in one record */
#define LENGTH_SIZE	sizeof(uint32_t)

const char framing_help[] =
	"How messages are told apart: raw (not at all), lines (a newline after each), length "
	"(32 bits, little endian, before each); lines for records, raw for elements";

enum framing framing_parse(const char *arg, struct argp_state *state)
{
	if (!strcmp(arg, "raw"))
		return FRAMING_RAW;
	if (!strcmp(arg, "lines"))
		return FRAMING_LINES;
	if (!strcmp(arg, "length"))
		return FRAMING_LENGTH;
	argp_error(state, "--framing is raw, lines or length, not \"%s\"", arg);
	return FRAMING_DEFAULT;
}

enum framing framing_of(enum framing asked, const struct stream *s)
{
	if (asked != FRAMING_DEFAULT)
		return asked;
	return s->records ? FRAMING_LINES : FRAMING_RAW;
}

/* ------------------------------------------------------------------- input */

void input_init(struct input *in, enum framing how, const struct stream *s)
{
	*in = (struct input){
		.how = how,
		.longest = stream_longest(s),
		.fixed = s->records ? 0 : s->geometry.element_size,
	};
}

void input_free(struct input *in)
{
	free(in->data);
}

void input_read(struct input *in, int fd)
{
	ssize_t got;

	if (in->begin) {
		memmove(in->data, in->data + in->begin, in->end - in->begin);
		in->end -= in->begin;
		in->begin = 0;
	}
	if (in->room - in->end < READ_SIZE) {
		in->room = 2 * in->room + READ_SIZE;
		in->data = need_memory(realloc(in->data, in->room));
	}
	got = read(fd, in->data + in->end, READ_SIZE);
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		die("cannot read the input: %s", strerror(errno));
	if (got > 0)
		in->end += (size_t)got;
	in->over = !got;
}

static void check_length(const struct input *in, size_t length)
{
	if (in->fixed && length != in->fixed)
		die("a message of %zu bytes, but each element has %zu: a ring of records (without "
		    "--element-size) takes any length",
		    length, in->fixed);
	if (length > in->longest)
		die("a message of more than %zu bytes is too long for the ring: take a larger "
		    "--capacity",
		    in->longest);
}

static bool next_line(struct input *in, struct message *m, size_t there)
{
	const char *newline = memchr(m->data, '\n', there);
	size_t taken;

	if (!newline && !in->over) {
		/* or a line without an end would take all memory */
		if (there > in->longest)
			check_length(in, there);
		return false;
	}
	if (!newline && !there)
		return false;
	m->length = newline ? (size_t)(newline - m->data) : there;
	taken = m->length + !!newline;
	check_length(in, m->length);
	in->begin += taken;
	return true;
}

static bool next_raw(struct input *in, struct message *m, size_t there)
{
	size_t most = in->longest < BLOCK_MAX ? in->longest : BLOCK_MAX;

	if (!there)
		return false;
	if (in->fixed && there < in->fixed) {
		if (in->over)
			die("the input ends within an element: %zu of %zu bytes", there, in->fixed);
		return false;
	}
	m->length = in->fixed ?: there < most ? there : most;
	in->begin += m->length;
	return true;
}

static bool next_by_length(struct input *in, struct message *m, size_t there)
{
	uint32_t length;

	if (there >= LENGTH_SIZE) {
		memcpy(&length, m->data, LENGTH_SIZE);
		length = le32toh(length);
		check_length(in, length);
		if (there - LENGTH_SIZE >= length) {
			m->data += LENGTH_SIZE;
			m->length = length;
			in->begin += LENGTH_SIZE + length;
			return true;
		}
	}
	if (in->over && there)
		die("the input ends within a message");
	return false;
}

bool input_next(struct input *in, struct message *m)
{
	size_t there = in->end - in->begin;

	m->data = in->data + in->begin;
	switch (in->how) {
	case FRAMING_LINES:
		return next_line(in, m, there);
	case FRAMING_LENGTH:
		return next_by_length(in, m, there);
	default:
		return next_raw(in, m, there);
	}
}

/* ------------------------------------------------------------------ output */

void output_init(struct output *out, enum framing how)
{
	*out = (struct output){ .how = how };
}

void output_free(struct output *out)
{
	free(out->data);
}

char *output_place(struct output *out, size_t size)
{
	/* before it a length, or after it a newline */
	size_t want = out->n + LENGTH_SIZE + size;

	if (out->room < want) {
		out->room = want + OUTPUT_ENOUGH;
		out->data = need_memory(realloc(out->data, out->room));
	}
	return out->data + out->n + (out->how == FRAMING_LENGTH ? LENGTH_SIZE : 0);
}

void output_add(struct output *out, size_t length)
{
	uint32_t word = htole32((uint32_t)length);

	if (out->how == FRAMING_LENGTH) {
		memcpy(out->data + out->n, &word, LENGTH_SIZE);
		out->n += LENGTH_SIZE;
	}
	out->n += length;
	if (out->how == FRAMING_LINES)
		out->data[out->n++] = '\n';
}

int output_flush(struct output *out, int fd)
{
	size_t written = 0;
	int err = 0;

	while (written < out->n) {
		ssize_t n = write(fd, out->data + written, out->n - written);

		if (n < 0) {
			err = -errno;
			break;
		}
		written += (size_t)n;
	}
	memmove(out->data, out->data + written, out->n - written);
	out->n -= written;
	return err;
}
