// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A pipe, with the room that the kernel gives it.  A write of a batch is less
 * than PIPE_BUF, so it is not split, and a read gives whole records.
 */
#include "fds.h"

static void init(void *memory)
{
	struct fds *q = memory;
	int fds[2];

	if (pipe(fds))
		rival_failed("pipe", errno);
	q->out = fds[0];
	q->in = fds[1];
}

static void put(const struct fds *q, const void *recs, size_t size)
{
	if (write(q->in, recs, size) != (ssize_t)size)
		rival_failed("write", errno);
}

static size_t get(const struct fds *q, void *recs, size_t size)
{
	ssize_t n = read(q->out, recs, size);

	if (n <= 0 || n % sizeof(uint64_t))
		rival_failed("read", n ? errno : EPIPE);
	return n;
}

static void send(void *memory, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		put(memory, &from, sizeof(from));
}

static void receive(void *memory, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		uint64_t v;

		get(memory, &v, sizeof(v));
		rival_check(v, from);
	}
}

static void send_n(void *memory, uint64_t from, uint64_t to)
{
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = rival_batch(from, to);

		rival_fill(recs, from, n);
		put(memory, recs, n * sizeof(*recs));
		from += n;
	}
}

static void receive_n(void *memory, uint64_t from, uint64_t to)
{
	uint64_t recs[RIVAL_BATCH];

	while (from < to) {
		uint64_t n = get(memory, recs, rival_batch(from, to) * sizeof(*recs));

		n /= sizeof(*recs);
		rival_check_n(recs, from, n);
		from += n;
	}
}

const struct rival pipe_rival = {
	.name = "pipe", .slow = RIVAL_SLOW, .init = init, .exit = fds_exit,
	.send = send, .receive = receive, .send_n = send_n, .receive_n = receive_n,
};
