// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What programmers build by hand for a consumer that sleeps: Lamport's ring in shared memory, and
 * an eventfd that the producer writes after each element.  When the consumer finds the ring
 * empty, it reads the eventfd, or waits for its edges with epoll.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rival.h"

struct queue {
	_Alignas(BENCH_LINE) uint64_t tail;
	_Alignas(BENCH_LINE) uint64_t head;
	_Alignas(BENCH_LINE) int event;
	int epoll;		/* the epoll fd to sleep on, or 0 */
	uint64_t recs[BENCH_CAPACITY];
};

static size_t size(const struct cell *cell)
{
	(void)cell;
	return sizeof(struct queue);
}

static void init(void *memory, const struct cell *cell)
{
	struct epoll_event want = { .events = EPOLLIN | EPOLLET };
	struct queue *q = memory;

	q->event = eventfd(0, EFD_CLOEXEC);
	if (q->event < 0)
		rival_failed("eventfd", errno);
	if (!cell->contender->epoll)
		return;
	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll < 0 || epoll_ctl(q->epoll, EPOLL_CTL_ADD, q->event, &want))
		rival_failed("epoll", errno);
}

static void end(void *memory)
{
	struct queue *q = memory;

	close(q->event);
	if (q->epoll)
		close(q->epoll);
}

static inline int try_push(struct producer *p, uint64_t v)
{
	const uint64_t one = 1;
	struct queue *q = p->queue;
	uint64_t tail = q->tail;

	/* pairs with the release in try_pop() */
	if (tail - smp_load_acquire(&q->head) == BENCH_CAPACITY)
		return 0;
	q->recs[tail % BENCH_CAPACITY] = v;
	/* pairs with the acquire in try_pop() */
	smp_store_release(&q->tail, tail + 1);
	if (write(q->event, &one, sizeof(one)) != sizeof(one))
		rival_failed("write", errno);
	return 1;
}

static inline int try_pop(struct consumer *c, uint64_t *v)
{
	struct queue *q = c->queue;
	uint64_t head = q->head;

	/* pairs with the release in try_push() */
	if (smp_load_acquire(&q->tail) == head)
		return 0;
	*v = q->recs[head % BENCH_CAPACITY];
	/* pairs with the acquire in try_push() */
	smp_store_release(&q->head, head + 1);
	return 1;
}

static inline void sleep_pop(struct consumer *c, uint32_t n)
{
	const struct queue *q = c->queue;
	struct epoll_event found;
	uint64_t events;

	(void)n;		/* an eventfd has no watermark: wake at the first element */
	if (q->epoll) {
		if (epoll_wait(q->epoll, &found, 1, -1) != 1)
			rival_failed("epoll_wait", errno);
	} else if (read(q->event, &events, sizeof(events)) != sizeof(events)) {
		rival_failed("read", errno);
	}
}

#define LOOPS_ASLEEP
#include "../loops.h"

#define EVENTFD	\
	.pair = "u-u", .loops = &loops, .open = rival_open, .tests = BENCH_ASLEEP, \
	.capacity = BENCH_CAPACITY

const struct rival eventfd_rival = {
	.contender = { .impl = "eventfd", EVENTFD },
	.size = size, .init = init, .exit = end,
};

const struct rival eventfd_epoll_rival = {
	.contender = { .impl = "eventfd-epoll", EVENTFD, .epoll = 1 },
	.size = size, .init = init, .exit = end,
};
