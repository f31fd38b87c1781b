// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A pair of AF_UNIX sockets that keep records apart, with the room that the
 * kernel gives them; batches by sendmmsg() and recvmmsg().
 */
#include <sys/socket.h>

#include "fds.h"

static void init(void *memory)
{
	struct fds *q = memory;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		rival_failed("socketpair", errno);
	q->in = fds[0];
	q->out = fds[1];
}

static void send_one(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;

	for (; from < to; from++)
		if (send(q->in, &from, sizeof(from), 0) != sizeof(from))
			rival_failed("send", errno);
}

static void receive_one(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;

	for (; from < to; from++) {
		uint64_t v;

		if (recv(q->out, &v, sizeof(v), 0) != sizeof(v))
			rival_failed("recv", errno);
		rival_check(v, from);
	}
}

/* A message a record. */
struct batch {
	uint64_t recs[RIVAL_BATCH];
	struct iovec vecs[RIVAL_BATCH];
	struct mmsghdr msgs[RIVAL_BATCH];
};

static void batch_init(struct batch *b)
{
	for (int k = 0; k < RIVAL_BATCH; k++) {
		b->vecs[k] = (struct iovec){ &b->recs[k], sizeof(b->recs[k]) };
		b->msgs[k] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &b->vecs[k], .msg_iovlen = 1 },
		};
	}
}

static void send_n(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;
	struct batch b;

	batch_init(&b);
	while (from < to) {
		int n = rival_batch(from, to);

		rival_fill(b.recs, from, n);
		for (int got, done = 0; done < n; done += got) {
			got = sendmmsg(q->in, b.msgs + done, n - done, 0);
			if (got <= 0)
				rival_failed("sendmmsg", errno);
		}
		from += n;
	}
}

static void receive_n(void *memory, uint64_t from, uint64_t to)
{
	const struct fds *q = memory;
	struct batch b;

	batch_init(&b);
	while (from < to) {
		/* waits for the first, takes what is there */
		int n = recvmmsg(q->out, b.msgs, rival_batch(from, to), MSG_WAITFORONE, NULL);

		if (n <= 0)
			rival_failed("recvmmsg", errno);
		rival_check_n(b.recs, from, n);
		from += n;
	}
}

const struct rival socket_rival = {
	.name = "socketpair", .slow = RIVAL_SLOW, .init = init, .exit = fds_exit,
	.send = send_one, .receive = receive_one, .send_n = send_n, .receive_n = receive_n,
};
