/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the suites of records of variable size: an end, a user's or the kernel's, that runs in
 * a process of its own.
 */
#ifndef _SPSCRING_SELFTEST_RECORD_H
#define _SPSCRING_SELFTEST_RECORD_H

#include "sleep.h"
#include "spscring_record_peer.h"

/* The modes of a full ring of records of variable size. */
#define WAITS		SPSCRING_CREATE_RECORDS
#define DROPS		(SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP)
#define OVERWRITES	(SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE)

#define SKIP_WITHOUT_RECORD_PEER() \
	SKIP_WITHOUT(SPSCRING_RECORD_DEVICE, "is spscring_record_peer.ko loaded?")

/* ----------------------------------------------------------- a user's end */

enum how { BY_TRYING, BY_WAIT, BY_POLL, BY_EDGE, BY_KERNEL, BY_KERNEL_WAIT };

struct record_end {
	int fd, epoll;
	union {
		struct spscring_record_producer p;
		struct spscring_record_consumer c;
	};
	struct spscring_mapping map;
};

static inline int end_claim(struct record_end *end, int ring, __u32 role)
{
	int err;

	end->fd = claim_end(ring, role, 0);
	if (end->fd < 0)
		return end->fd;
	err = role == SPSCRING_PRODUCER ? record_map_producer(end->fd, &end->p, &end->map) :
		record_map_consumer(end->fd, &end->c, &end->map);
	if (err)
		close_fd(&end->fd);
	return err;
}

static inline void end_free(struct record_end *end)
{
	if (end->fd >= 0)
		spscring_unmap(&end->map);
	close_fd(&end->fd);
}

static inline int end_watch(struct record_end *end, __u32 role)
{
	struct epoll_event event = {
		.events = EPOLLET | (role == SPSCRING_PRODUCER ? EPOLLOUT : EPOLLIN),
	};

	end->epoll = epoll_create1(EPOLL_CLOEXEC);
	return negative_errno(epoll_ctl(end->epoll, EPOLL_CTL_ADD, end->fd, &event));
}

/* Sleep until there is a record, or room for @bytes. */
static inline int end_sleep(struct record_end *end, __u32 role, enum how how, __u64 bytes)
{
	const bool producer = role == SPSCRING_PRODUCER;
	struct epoll_event event;
	int n;

	if (how == BY_WAIT) {
		__s64 until = now_ns() + LONG * 1000000LL;

		n = producer ? spscring_record_wait_room(&end->p, bytes, until) :
			spscring_record_wait_bytes(&end->c, bytes, until);
		/* poll checks again at its timeout: a record found only then had no wake-up */
		return now_ns() < until ? n : -ETIMEDOUT;
	}
	n = producer ? spscring_notify(end->fd, bytes, 0, -1) : 0;
	if (n)
		return n;
	if (how == BY_EDGE)
		n = negative_errno(epoll_wait(end->epoll, &event, 1, LONG));
	else
		n = negative_errno(poll(&(struct pollfd){ end->fd, producer ? POLLOUT : POLLIN, 0 },
					1, LONG));
	return n > 0 ? 0 : n ?: -ETIMEDOUT;
}

static inline int end_move(struct record_end *end, struct spscring_record_run *run, enum how how)
{
	const bool producer = run->role == SPSCRING_PRODUCER;
	struct record_mover *m = &run->mover;
	__u32 tries = 0;
	long some = 0;

	while (m->seq < run->count) {
		some = producer ? record_put(m, &end->p, run->count - m->seq) :
			record_take(m, &end->c, RECORD_BATCH);
		if (some >= 0) {
			tries = 0;
			continue;
		}
		if (some != -EAGAIN && some != -EBUSY)
			return some;
		tries++;
		if (run->tries && tries >= run->tries)
			return some;
		if (how == BY_TRYING || some == -EBUSY) {
			cpu_relax();
			if (!(tries % 4096))
				sched_yield();
			continue;
		}
		some = end_sleep(end, run->role, how, producer ? record_need(m, &end->p) : 1);
		if (some)
			return some;
	}
	return 0;
}

/* As SPSCRING_RECORD_RUN. */
static inline int end_run(struct spscring_record_run *run, enum how how)
{
	struct record_mover *m = &run->mover;
	struct record_end end;
	int err = end_claim(&end, run->ring_fd, run->role);

	if (err)
		return err;
	m->buf = malloc(record_buf_size(m));
	m->seq = run->role == SPSCRING_PRODUCER ? end.p.sequence : end.c.sequence;
	if (how == BY_EDGE)
		err = end_watch(&end, run->role);
	/* do not spin, because the test is about sleep */
	if (run->role == SPSCRING_PRODUCER) {
		end.p.base.spin = 0;
		end.p.base.spin_max = 0;
	} else {
		end.c.base.spin = 0;
		end.c.base.spin_max = 0;
	}
	if (!err)
		run->err = end_move(&end, run, how);
	free(m->buf);
	if (!err && !(run->flags & SPSCRING_RECORD_DIE))
		err = spscring_shutdown(end.fd, 0);
	end_free(&end);
	return err;
}

/* -------------------------------------------------- an end of either kind */

static inline int run_now(struct spscring_record_run *run, enum how how)
{
	int peer, err;

	if (how < BY_KERNEL)
		return end_run(run, how);
	if (how == BY_KERNEL_WAIT)
		run->flags |= SPSCRING_RECORD_SLEEP;
	peer = open(SPSCRING_RECORD_DEVICE, O_RDWR | O_CLOEXEC);
	if (peer < 0)
		return -errno;
	err = do_ioctl(peer, SPSCRING_RECORD_RUN, run);
	close(peer);
	return err;
}

/* Run an end in a child; @run is in memory shared with it. */
static inline pid_t run_child(struct spscring_record_run *run, enum how how)
{
	pid_t pid = fork_child();

	if (!pid) {
		pin(run->role == SPSCRING_CONSUMER);
		_exit(run_now(run, how) ? 1 : 0);
	}
	return pid;
}

#endif
