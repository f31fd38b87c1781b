/* SPDX-License-Identifier: GPL-2.0 */
/* How cat and send get their end: make a ring and offer its other end, or take an end. */
#ifndef _SPSCRING_CONNECT_H
#define _SPSCRING_CONNECT_H

#include <argp.h>
#include <spscring.h>

#include "command.h"
#include "framing.h"

struct connection {
	/* what the options say */
	const char *path;		/* where an end is: a socket, a device node, fd:N */
	bool listen;			/* make a ring, and offer its other end at @path */
	bool memfd;
	uint64_t element_size, capacity;
	struct spscring_create want;
	/* what comes of them */
	int listener;			/* a socket that nobody has connected to yet, or -1 */
	int peer;			/* the fd of the other end, for whoever connects */
};

/* What cat and send are asked for; the input of move_parse(). */
struct move {
	struct connection connection;
	enum framing how;
	bool verbose;
};

extern const struct argp_option move_options[];
extern const struct argp_child move_children[];
error_t move_parse(int key, char *arg, struct argp_state *state);

/* The fd of the end @role.  Dies with advice. */
int connection_open(struct connection *c, uint32_t role);

/* Hand the other end to the process that connects: wait for it, unless one has connected. */
void connection_accept(struct connection *c);

/* Leave no socket behind; for an end by a signal, after which exit() is not called. */
void connection_forget(struct connection *c);

#endif
