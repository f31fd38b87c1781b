/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The rivals: queues that a user could choose instead of the ring.  Each rival is one file with
 * its verbs, the loops and a struct rival.  rivals.mk finds out which rivals can be built, and
 * rivals.c lists them.
 */
#ifndef _SPSCRING_RIVAL_H
#define _SPSCRING_RIVAL_H

#include <stdbool.h>

#include "../bench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rival {
	struct contender contender;
	size_t (*size)(const struct cell *cell);	/* bytes of a queue */
	/* called before the processes of both ends are forked */
	void (*init)(void *memory, const struct cell *cell);
	void (*exit)(void *memory);	/* or NULL */
	size_t (*twice)(const struct cell *cell);	/* bytes of data mapped twice; or NULL */
};

extern const struct rival boost_rival, ck_rival, dpdk_rival, crossbeam_rival;
extern const struct rival bpf_rival, pipe_rival, socket_rival, mq_rival;
extern const struct rival eventfd_rival, eventfd_epoll_rival;

/* The functions of crossbeam.rs, and rival_wrong(), which that calls. */
size_t crossbeam_size(size_t capacity);
void crossbeam_init(void *memory, size_t capacity);
bool crossbeam_push(void *memory, uint64_t v);
bool crossbeam_pop(void *memory, uint64_t *v);
void crossbeam_push_range(void *memory, uint64_t from, uint64_t to);
void crossbeam_pop_range(void *memory, uint64_t from, uint64_t to);
_Noreturn void rival_wrong(uint64_t got, uint64_t expected);

/* Make the queues of a run. */
void rival_open(struct run *run);
/* Report that a rival's call failed with the errno @error, and end the process. */
_Noreturn void rival_failed(const char *what, int error);

/*
 * The back-off between two tries, in cpu_relax() calls.  The ring's consumer adapts its back-off.
 * A rival's user would have to choose one, so each test uses the best.
 */
extern uint32_t rival_pauses;

/* The handles and verbs that all rivals share. */
struct producer {
	void *queue;
};

struct consumer {
	void *queue;
};

static inline void be_producer(struct run *run, uint32_t queue, struct producer *p)
{
	p->queue = run_queue(run, queue);
}

static inline void be_consumer(struct run *run, uint32_t queue, struct consumer *c)
{
	c->queue = run_queue(run, queue);
}

static inline void ready(struct run *run)
{
	(void)run;
}

static __always_inline void rival_relax(void)
{
	for (uint32_t i = 0; i < rival_pauses; i++)
		cpu_relax();
}

static __always_inline void wait_push(struct producer *p)
{
	(void)p;
	rival_relax();
}

static __always_inline void wait_pop(struct consumer *c)
{
	(void)c;
	rival_relax();
}

#ifdef __cplusplus
}
#endif

#endif
