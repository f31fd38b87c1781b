// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A pipe, with the room that the kernel gives it.  A write of a batch is less
 * than PIPE_BUF, so it is not split, and a read gives whole u64s.
 */
#include "fds.h"

static void init(void *memory, const struct cell *cell)
{
	struct fds *q = memory;
	int fds[2];

	(void)cell;
	if (pipe(fds))
		rival_failed("pipe", errno);
	q->out = fds[0];
	q->in = fds[1];
}

static inline int try_push_record(struct producer *p, const void *rec, uint32_t bytes)
{
	if (write(fds_in(p), rec, bytes) != bytes)
		rival_failed("write", errno);
	return 1;
}

static inline uint32_t get(struct consumer *c, void *to, uint32_t bytes)
{
	ssize_t n = read(fds_out(c), to, bytes);

	if (n <= 0)
		rival_failed("read", n ? errno : EPIPE);
	return n;
}

static inline int try_pop_record(struct consumer *c, void *rec, uint32_t bytes)
{
	for (uint32_t done = 0; done < bytes;)
		done += get(c, (char *)rec + done, bytes - done);
	return 1;
}

static inline int try_push(struct producer *p, uint64_t v)
{
	return try_push_record(p, &v, sizeof(v));
}

static inline int try_pop(struct consumer *c, uint64_t *v)
{
	return try_pop_record(c, v, sizeof(*v));
}

static inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	return try_push_record(p, recs, n * sizeof(*recs)) * n;
}

static inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	uint32_t bytes = get(c, recs, n * sizeof(*recs));

	if (bytes % sizeof(*recs))
		rival_failed("read", EBADMSG);
	return bytes / sizeof(*recs);
}

/* One read instead of many, as it would wait when there is no more. */
static inline uint32_t try_drain(struct consumer *c, uint64_t *v, uint32_t n)
{
	return try_pop_n(c, v, n);
}

#define LOOPS_RECORDS
#define LOOPS_BATCH
#define LOOPS_DRAIN
#include "../loops.h"

const struct rival pipe_rival = {
	.contender = {
		.pair = "u-u", .impl = "pipe", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_RECORDS |
			 1U << BENCH_BATCH | 1U << BENCH_PACED,
		.capacity = -1, .slow = RIVAL_SLOW,
	},
	.size = fds_size, .init = init, .exit = fds_exit,
};
