// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A pair of AF_UNIX sockets that preserve the boundaries of records, with the kernel's default
 * capacity.  Batches use sendmmsg() and recvmmsg().
 */
#include <sys/socket.h>

#include "fds.h"

static void init(void *memory, const struct cell *cell)
{
	struct fds *q = memory;
	int fds[2];

	(void)cell;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		rival_failed("socketpair", errno);
	q->in = fds[0];
	q->out = fds[1];
}

static inline int try_push_sized(struct producer *p, const void *rec, uint32_t bytes)
{
	ssize_t n = send(fds_in(p), rec, bytes, 0);

	if (n != bytes)
		rival_failed("send", n < 0 ? errno : EMSGSIZE);
	return 1;
}

static inline int try_pop_sized(struct consumer *c, void *rec, uint32_t bytes)
{
	ssize_t n = recv(fds_out(c), rec, bytes, 0);

	if (n != bytes)
		rival_failed("recv", n < 0 ? errno : EMSGSIZE);
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

/* Send each record as a message. */
struct batch {
	struct iovec vecs[BENCH_BATCH_MAX];
	struct mmsghdr msgs[BENCH_BATCH_MAX];
};

static inline void batch_init(struct batch *b, const uint64_t *recs, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		b->vecs[k] = (struct iovec){ (void *)&recs[k], sizeof(recs[k]) };
		b->msgs[k] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &b->vecs[k], .msg_iovlen = 1 },
		};
	}
}

static inline uint32_t try_push_n(struct producer *p, const uint64_t *recs, uint32_t n)
{
	struct batch b;
	int some;

	batch_init(&b, recs, n);
	some = sendmmsg(fds_in(p), b.msgs, n, 0);
	if (some <= 0)
		rival_failed("sendmmsg", errno);
	return some;
}

/* Wait for the first message, and take those that are there. */
static inline uint32_t try_pop_n(struct consumer *c, uint64_t *recs, uint32_t n)
{
	struct batch b;
	int some;

	batch_init(&b, recs, n);
	some = recvmmsg(fds_out(c), b.msgs, n, MSG_WAITFORONE, NULL);
	if (some <= 0)
		rival_failed("recvmmsg", errno);
	return some;
}

#define LOOPS_SIZED
#define LOOPS_BATCH
#include "../loops.h"

const struct rival socket_rival = {
	.contender = {
		.pair = "u-u", .impl = "socketpair", .loops = &loops, .open = rival_open,
		.tests = 1U << BENCH_RTT | 1U << BENCH_THROUGHPUT | 1U << BENCH_SIZED |
			 1U << BENCH_BATCH,
		.capacity = -1, .slow = RIVAL_SLOW,
	},
	.size = fds_size, .init = init, .exit = fds_exit,
};
