// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A POSIX message queue with the largest capacity that a user may have by default.  It has no
 * batches.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>

#include "fds.h"

#define CAPACITY	10

static void init(void *memory, const struct cell *cell)
{
	struct mq_attr attr = { .mq_maxmsg = CAPACITY, .mq_msgsize = sizeof(uint64_t) };
	struct fds *q = memory;
	char name[32];

	(void)cell;
	snprintf(name, sizeof(name), "/spscring-bench-%d", getpid());
	q->in = mq_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600, &attr);
	if (q->in < 0)
		rival_failed("mq_open", errno);
	q->out = mq_open(name, O_RDONLY);
	mq_unlink(name);
	if (q->out < 0)
		rival_failed("mq_open", errno);
}

static inline int try_push(struct producer *p, uint64_t v)
{
	if (mq_send(fds_in(p), (const char *)&v, sizeof(v), 0))
		rival_failed("mq_send", errno);
	return 1;
}

static inline int try_pop(struct consumer *c, uint64_t *v)
{
	if (mq_receive(fds_out(c), (char *)v, sizeof(*v), NULL) != sizeof(*v))
		rival_failed("mq_receive", errno);
	return 1;
}

#include "../loops.h"

const struct rival mq_rival = {
	.contender = {
		.pair = "u-u", .impl = "mqueue", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT,
		.capacity = CAPACITY, .slow = RIVAL_SLOW,
	},
	.size = fds_size, .init = init, .exit = fds_exit,
};
