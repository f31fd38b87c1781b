// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A POSIX message queue of as many messages as a user may have by default.  It
 * has no batches.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>

#include "fds.h"

#define CAPACITY	10

static void init(void *memory)
{
	struct mq_attr attr = { .mq_maxmsg = CAPACITY, .mq_msgsize = sizeof(uint64_t) };
	struct fds *q = memory;
	char name[32];

	snprintf(name, sizeof(name), "/spscring-bench-%d", getpid());
	q->in = mq_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600, &attr);
	if (q->in < 0)
		rival_failed("mq_open", errno);
	q->out = mq_open(name, O_RDONLY);
	mq_unlink(name);
	if (q->out < 0)
		rival_failed("mq_open", errno);
}

static void send(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;

	for (; from < to; from++)
		if (mq_send(q->in, (const char *)&from, sizeof(from), 0))
			rival_failed("mq_send", errno);
}

static void receive(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;

	for (; from < to; from++) {
		uint64_t v;

		if (mq_receive(q->out, (char *)&v, sizeof(v), NULL) != sizeof(v))
			rival_failed("mq_receive", errno);
		rival_check(v, from);
	}
}

const struct rival mq_rival = {
	.name = "mqueue", .capacity = CAPACITY, .slow = RIVAL_SLOW,
	.init = init, .exit = fds_exit, .send = send, .receive = receive,
};
