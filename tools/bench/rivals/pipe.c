// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A pipe, with the kernel's default capacity.  A batch is smaller than PIPE_BUF, so the kernel
 * does not split its write, and a read returns whole u64s.
 *
 * A record of variable length is written after its length.  The reader reads as many records as
 * there are at once, which is faster than packets (O_DIRECT), of which a read returns one.
 */
#include <string.h>

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

static inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
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

static inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	for (uint32_t done = 0; done < bytes;)
		done += get(c, (char *)rec + done, bytes - done);
	return 1;
}

static inline int try_push(struct producer *p, uint64_t v)
{
	return try_push_sized(p, &v, sizeof(v));
}

static inline int try_pop(struct consumer *c, uint64_t *v)
{
	return try_pop_sized(c, v, sizeof(*v));
}

static inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	return try_push_sized(p, recs, n * sizeof(*recs)) * n;
}

static inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	uint32_t bytes = get(c, recs, n * sizeof(*recs));

	if (bytes % sizeof(*recs))
		rival_failed("read", EBADMSG);
	return bytes / sizeof(*recs);
}

/* Make one read: another one would wait if the pipe is empty. */
static inline uint32_t try_drain(struct consumer *c, uint64_t *v, uint32_t n)
{
	return try_pop_n(c, v, n);
}

struct message {
	uint32_t length;
	char record[LENGTHS_MAX];
};

static inline int try_send(struct producer *p, const void *rec, uint32_t bytes)
{
	struct message message = { .length = bytes };

	memcpy(message.record, rec, bytes);
	return try_push_sized(p, &message, sizeof(message.length) + bytes);
}

/* Bytes that were read from the process's only queue, and not taken yet. */
static char messages[65536];
static uint32_t messages_at, messages_end;

/* Read until @bytes bytes are at messages_at. */
static inline void await(struct consumer *c, uint32_t bytes)
{
	if (messages_end - messages_at >= bytes)
		return;
	memmove(messages, messages + messages_at, messages_end - messages_at);
	messages_end -= messages_at;
	messages_at = 0;
	while (messages_end < bytes)
		messages_end += get(c, messages + messages_end, sizeof(messages) - messages_end);
}

static inline uint32_t try_take(struct consumer *c, void *rec, uint32_t size)
{
	uint32_t length;

	await(c, sizeof(length));
	memcpy(&length, messages + messages_at, sizeof(length));
	if (length > size)
		rival_failed("read", EMSGSIZE);
	await(c, sizeof(length) + length);
	memcpy(rec, messages + messages_at + sizeof(length), length);
	messages_at += sizeof(length) + length;
	return length;
}

/* Nothing to do: read() sleeps. */
static inline void sleep_pop(struct consumer *c, uint32_t n)
{
	(void)c;
	(void)n;
}

#define LOOPS_SIZED
#define LOOPS_MIXED
#define LOOPS_BATCH
#define LOOPS_DRAIN
#define LOOPS_ASLEEP
#include "../loops.h"

const struct rival pipe_rival = {
	.contender = {
		.pair = "u-u", .impl = "pipe", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_SIZED |
			 1U << BENCH_BATCH | 1U << BENCH_PACED | BENCH_ASLEEP |
			 1U << BENCH_MIXED | 1U << BENCH_MIXED_RTT,
		.capacity = -1, .slow = RIVAL_SLOW,
	},
	.size = fds_size, .init = init, .exit = fds_exit,
};
