// SPDX-License-Identifier: GPL-2.0
/* How cat and send get their end: make a ring and offer its other end, or take an end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect.h"
#include "stream.h"

#define BYTES_DEFAULT		(1 << 20)	/* capacity of a ring of records */
#define ELEMENTS_DEFAULT	4096

enum { KEY_MEMFD = 0x200, KEY_DROP, KEY_OVERWRITE, KEY_TAG, KEY_ELEMENT };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "To make the ring:", 10 },
	{ "listen", 'l', "PATH", 0, "Make a ring, and hand its other end to the first process that "
	  "connects to the socket PATH", 0 },
	{ "memfd", KEY_MEMFD, NULL, 0, "Make it without the module", 0 },
	{ "capacity", 'c', "N", 0,
	  "How much it holds: bytes of records (1M), or elements (4096)", 0 },
	{ "element-size", KEY_ELEMENT, "BYTES", 0,
	  "Make a ring of elements of this size, not of records", 0 },
	{ "name", 'n', "NAME", 0, "Its name, for list", 0 },
	{ "type-tag", KEY_TAG, "N", 0, "Its type tag (0)", 0 },
	{ "drop", KEY_DROP, NULL, 0, "A full ring drops new records", 0 },
	{ "overwrite", KEY_OVERWRITE, NULL, 0, "A full ring overwrites the oldest records", 0 },
	{ 0 }
};

static uint64_t parse_number(const char *arg, const char *option, struct argp_state *state)
{
	uint64_t n = 0;

	if (!parse_size(arg, &n))
		argp_error(state, "%s takes a number, such as 4096, 64K or 1M, not \"%s\"", option,
			   arg);
	return n;
}

static void check(struct connection *c, struct argp_state *state)
{
	bool shaped = c->memfd || c->capacity || c->element_size || c->want.flags ||
		c->want.name[0] || c->want.type_tag;

	if (!c->path)
		argp_error(state, "name a socket, a device node or fd:N, or make a ring with "
				  "--listen");
	if (!c->listen && shaped)
		argp_error(state, "only --listen makes a ring: what PATH leads to has its shape "
				  "already");
	if (c->want.flags && c->element_size)
		argp_error(state, "--drop and --overwrite are for records, not for elements");
	if (c->want.flags == (SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE))
		argp_error(state, "--drop and --overwrite exclude each other");
	if (c->element_size > SPSCRING_ELEMENT_MAX)
		argp_error(state, "an element has at most %d bytes", SPSCRING_ELEMENT_MAX);
}

static void set_path(struct connection *c, char *path, struct argp_state *state)
{
	if (c->path)
		argp_error(state, "one PATH only");
	c->path = path;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct connection *c = state->input;

	switch (key) {
	case 'l':
		c->listen = true;
		set_path(c, arg, state);
		break;
	case ARGP_KEY_ARG:
		set_path(c, arg, state);
		break;
	case KEY_MEMFD:
		c->memfd = true;
		break;
	case 'c':
		c->capacity = parse_number(arg, "--capacity", state);
		if (!c->capacity)
			argp_error(state, "a ring's capacity is at least 1");
		break;
	case KEY_ELEMENT:
		c->element_size = parse_number(arg, "--element-size", state);
		if (!c->element_size)
			argp_error(state, "an element has at least 1 byte");
		break;
	case KEY_TAG:
		c->want.type_tag = parse_number(arg, "--type-tag", state);
		break;
	case KEY_DROP:
		c->want.flags |= SPSCRING_CREATE_DROP;
		break;
	case KEY_OVERWRITE:
		c->want.flags |= SPSCRING_CREATE_OVERWRITE;
		break;
	case 'n':
		if (strlen(arg) > sizeof(c->want.name))
			argp_error(state, "a name has at most %d characters",
				   SPSCRING_NAME_MAX);
		memcpy(c->want.name, arg, strlen(arg));
		break;
	case ARGP_KEY_END:
		check(c, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp connection_argp = { .options = options, .parser = parse };

const struct argp_option move_options[] = {
	{ "framing", 'f', "HOW", 0, framing_help, 0 },
	{ "verbose", 'v', NULL, 0, "Report at the end how much went through", 0 },
	{ 0 }
};

const struct argp_child move_children[] = { { &connection_argp, 0, NULL, 0 }, { 0 } };

error_t move_parse(int key, char *arg, struct argp_state *state)
{
	struct move *move = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &move->connection;
		return 0;
	case 'f':
		move->how = framing_parse(arg, state);
		return 0;
	case 'v':
		move->verbose = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---------------------------------------------------------------- the ring */

static _Noreturn void die_of_create(const struct connection *c, int err)
{
	switch (err) {
	case -ENOENT:
		die("there is no /dev/spscring: spscring doctor says what to do, or make the ring "
		    "without the module (--memfd)");
	case -EACCES:
		die("no permission for /dev/spscring: spscring doctor says what to do, or make the "
		    "ring without it (--memfd)");
	case -EDQUOT:
		die("the ring's memory is beyond this user's limit of locked memory: raise it "
		    "(ulimit -l), or take a smaller --capacity");
	case -ENOSPC:
		die("the ring's memory is beyond the module's max_bytes: raise "
		    "/sys/module/spscring/parameters/max_bytes, or take a smaller --capacity");
	case -E2BIG:
		die("a ring has at most 4 GiB of data: take a smaller --capacity");
	case -EINVAL:
		if (c->want.why)
			die("cannot make such a ring: %s", spscring_why(c->want.why));
		__attribute__((fallthrough));
	default:
		die("cannot make the ring: %s", strerror(-err));
	}
}

static int make_ring(struct connection *c)
{
	uint64_t align = SPSCRING_RECORD_ALIGN_MIN;
	struct spscring_create *want = &c->want;
	int ring;

	want->size = sizeof(*want);
	want->element_size = (uint32_t)c->element_size;
	want->capacity = c->capacity ?: c->element_size ? ELEMENTS_DEFAULT : BYTES_DEFAULT;
	if (!c->element_size) {
		want->flags |= SPSCRING_CREATE_RECORDS;
		/* any number of bytes will do for a person */
		want->capacity = (want->capacity + align - 1) / align * align;
		if (want->capacity < 2 * align)
			want->capacity = 2 * align;
	}
	ring = c->memfd ? spscring_open_memfd(want) : spscring_open(want);
	if (ring < 0)
		die_of_create(c, ring);
	return ring;
}

static int claim_end(int ring, uint32_t role)
{
	struct spscring_info info;
	int err = spscring_get_info(ring, &info), end;

	end = err ?: spscring_claim(ring, role, info.geometry.element_size, info.geometry.type_tag);
	if (end < 0)
		die("cannot claim the %s's end: %s",
		    role == SPSCRING_PRODUCER ? "producer" : "consumer",
		    end == -EBUSY ? "another process holds it" : spscring_strerror(role, end));
	return end;
}

/* -------------------------------------------------------------- the socket */

static const char *socket_path;

/* Also after die(): a socket that is left would be in the next one's way. */
static void remove_socket(void)
{
	if (socket_path)
		unlink(socket_path);
	socket_path = NULL;
}

static int listen_at(const char *path)
{
	/* who may connect gets an end of the ring: this user alone */
	int fd = spscring_serve(path, 0600);

	if (fd == -EADDRINUSE)
		die("%s: exists already, and is not ours to replace: choose another path, or "
		    "remove it", path);
	if (fd == -ENAMETOOLONG)
		die("%s: too long for a socket's path: at most 100 characters", path);
	if (fd < 0)
		die("%s: %s", path, strerror(-fd));
	socket_path = path;
	atexit(remove_socket);
	return fd;
}

void connection_accept(struct connection *c)
{
	struct pollfd ready = { .fd = c->listener, .events = POLLIN };
	int fd, err;

	if (ppoll(&ready, 1, NULL, &stream_signals_within) < 0) {
		if (errno == EINTR)
			return;
		die("%s: %s", c->path, strerror(errno));
	}
	fd = spscring_accept(c->listener, NULL);
	if (fd < 0)
		die("%s: %s", c->path, strerror(-fd));
	err = spscring_send_fd(fd, c->peer);
	/* it has gone again: another one may come */
	if (err == -EPIPE || err == -ECONNRESET) {
		close(fd);
		return;
	}
	if (err)
		die("cannot hand the other end on: %s", strerror(-err));
	/* from here on the other process alone holds it: its death will be noticed */
	close(c->peer);
	close(fd);
	close(c->listener);
	c->peer = -1;
	c->listener = -1;
	remove_socket();
}

void connection_forget(struct connection *c)
{
	if (c->listener >= 0)
		remove_socket();
}

/* ------------------------------------------------------------------ an end */

static int receive_end(const char *path)
{
	int end = spscring_connect(path);

	switch (end) {
	case -ECONNREFUSED:
		die("%s: nobody listens there any more: start the other side first, with --listen",
		    path);
	case -EACCES:
		die("%s: no permission to connect: the side that listens is another user's", path);
	case -ENODATA:
	case -ECONNRESET:
		die("%s: the other side has no end to give: another process was first", path);
	}
	if (end < 0)
		die("%s: no end came: %s", path, strerror(-end));
	return end;
}

/* fd:N is an end, or a ring whose end is still free. */
static int inherited_end(const char *number, uint32_t role)
{
	struct spscring_info info;
	char *end;
	long fd = strtol(number, &end, 10);
	int claimed, err;

	if (end == number || *end || fd < 0 || fd > 1 << 30 || fcntl((int)fd, F_GETFD) < 0)
		die("fd:%s: no such fd is open here", number);
	err = spscring_get_info((int)fd, &info);
	if (err)
		return (int)fd;
	claimed = spscring_claim((int)fd, role, info.geometry.element_size, info.geometry.type_tag);
	/* EPERM: it is no ring fd */
	if (claimed == -EPERM)
		return (int)fd;
	if (claimed < 0)
		die("fd:%s: cannot claim the end: %s", number,
		    claimed == -EBUSY ? "another process holds it" :
		    spscring_strerror(role, claimed));
	return claimed;
}

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		die("%s: there is no such file: start the side that makes the ring first, with "
		    "--listen %s; or another process has connected already",
		    path, path);
	case EACCES:
		die("%s: no permission to read and write it: chmod it, or use sudo", path);
	case EBUSY:
		die("%s: another process holds this end: spscring list shows which", path);
	default:
		die("%s: %s", path, strerror(errno));
	}
}

int connection_open(struct connection *c, uint32_t role)
{
	uint32_t other = role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
	struct stat at;
	int ring, end;

	c->listener = -1;
	c->peer = -1;
	if (!c->listen) {
		if (!strncmp(c->path, "fd:", 3))
			return inherited_end(c->path + 3, role);
		if (!stat(c->path, &at) && S_ISSOCK(at.st_mode))
			return receive_end(c->path);
		return open_node(c->path);
	}
	ring = make_ring(c);
	end = claim_end(ring, role);
	c->peer = claim_end(ring, other);
	/* nobody shall claim an end again that has died: the stream would have a gap */
	close(ring);
	c->listener = listen_at(c->path);
	return end;
}
