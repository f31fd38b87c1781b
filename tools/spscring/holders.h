/* SPDX-License-Identifier: GPL-2.0 */
/* Which processes have fds of a ring open. */
#ifndef _SPSCRING_HOLDERS_H
#define _SPSCRING_HOLDERS_H

#include "command.h"

struct holder {
	int64_t pid;
	int fd;
	char role[16];		/* producer, consumer; none: the ring fd */
};

struct holders {
	struct holder *holder;
	size_t n, room;
	size_t unread;		/* processes whose fds this user may not see */
};

/* Search all processes for fds of the ring @id. */
void holders_read(struct holders *holders, uint64_t id);
void holders_free(struct holders *holders);

/* The name of a process, or "?".  To be freed. */
char *process_name(int64_t pid);

#endif
