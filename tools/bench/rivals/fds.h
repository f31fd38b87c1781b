/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Common code of pipe, socketpair and message queue: the queue's memory holds the descriptors,
 * and system calls wait.
 */
#ifndef _SPSCRING_RIVAL_FDS_H
#define _SPSCRING_RIVAL_FDS_H

#include <errno.h>
#include <unistd.h>

#include "rival.h"

#define RIVAL_SLOW	20

struct fds {
	int in, out;	/* the fd to send to, and the fd to receive from */
};

static inline size_t fds_size(const struct cell *cell)
{
	(void)cell;
	return sizeof(struct fds);
}

static inline void fds_exit(void *memory)
{
	struct fds *q = memory;

	close(q->in);
	close(q->out);
}

static inline int fds_in(const struct producer *p)
{
	const struct fds *q = p->queue;

	return q->in;
}

static inline int fds_out(const struct consumer *c)
{
	const struct fds *q = c->queue;

	return q->out;
}

#endif
