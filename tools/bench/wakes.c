// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Wake-ups between the kernel and a process: by the ring, or by an eventfd or a pipe beside a
 * ring that cannot wake, as a driver would use them.  By a second ring, on which nobody sleeps,
 * the consumer announces that it is about to sleep.
 */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "rings.h"

static int event;	/* an eventfd or a pipe to write after a push, or 0 */

static inline int try_push(struct producer *p, uint64_t v)
{
	const uint64_t one = 1;

	if (!did(spscring_push_fixed(&p->end, &v, sizeof(v))))
		return 0;
	if (event && write(event, &one, sizeof(one)) != sizeof(one))
		die("write: %s", strerror(errno));
	return 1;
}

static inline int try_pop(struct consumer *c, uint64_t *v)
{
	return did(spscring_pop_fixed(&c->end, v, sizeof(*v)));
}

static struct producer teller;
static struct consumer told;

static void be_told(struct run *run, int end)
{
	event = run->event[1];
	if (end)
		be_producer(run, 1, &teller);
	else
		be_consumer(run, 1, &told);
}

static inline void tell(struct run *run, uint64_t i)
{
	(void)run;
	if (!did(spscring_push_fixed(&teller.end, &i, sizeof(i))))
		die("the ring that announces sleeps is full");
}

static inline void await_told(struct run *run, uint64_t i)
{
	uint64_t v;

	(void)run;
	while (!try_pop(&told, &v))
		wait_pop(&told);
	check(v, i);
}

#define LOOPS_ASLEEP
#define LOOPS_TOLD
#include "loops.h"

static void open_event(struct run *run)
{
	open_device(run);
	switch (run->cell->contender->event) {
	case EVENT_NONE:
		break;
	case EVENT_EVENTFD:
		run->event[0] = eventfd(0, EFD_CLOEXEC);
		run->event[1] = fcntl(run->event[0], F_DUPFD_CLOEXEC, 0);
		break;
	case EVENT_PIPE:
		if (pipe2(run->event, O_CLOEXEC))
			run->event[1] = -1;
		break;
	}
	if (run->event[1] < 0)
		die("cannot make an eventfd or a pipe: %s", strerror(errno));
}

#define WAKE	.loops = &loops, .open = open_event, .device = 1, .tests = 1U << BENCH_WAKE
#define TO_USER(name)	.pair = "k-u", .impl = name, WAKE, .kernel = { 1, 0 }
#define TO_KERNEL(name)	.pair = "u-k", .impl = name, WAKE, .kernel = { 0, 1 }

const struct contender wake_contenders[] = {
	{ TO_USER("spscring-sleep"), .sleep = SLEEPS },
	{ TO_USER("spscring-sleep-epoll"), .sleep = SLEEPS, .epoll = 1 },
	{ TO_USER("eventfd"), .event = EVENT_EVENTFD },
	{ TO_USER("pipe"), .event = EVENT_PIPE },
	{ TO_KERNEL("spscring-sleep"), .sleep = SLEEPS },
	{ TO_KERNEL("eventfd"), .event = EVENT_EVENTFD },
	{ TO_KERNEL("pipe"), .event = EVENT_PIPE },
	{}
};
