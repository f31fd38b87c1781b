/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What pipe, socketpair and message queue have in common: the queue's memory
 * holds its descriptors.
 */
#ifndef _SPSCRING_RIVAL_FDS_H
#define _SPSCRING_RIVAL_FDS_H

#include <errno.h>
#include <unistd.h>

#include "rival.h"

#define RIVAL_SLOW	20

struct fds {
	int in, out;	/* to send to, to receive from */
};

static inline void fds_exit(void *memory)
{
	struct fds *q = memory;

	close(q->in);
	close(q->out);
}

#endif
