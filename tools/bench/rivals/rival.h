/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What a user would take instead of the ring.  A rival is one file: its verbs,
 * the loops, and a struct rival; rivals.mk finds out which can be built,
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
	size_t (*size)(const struct cell *cell);	/* of a queue */
	void (*init)(void *memory, const struct cell *cell);	/* in the parent of both ends */
	void (*exit)(void *memory);	/* or NULL */
	size_t (*twice)(const struct cell *cell);	/* of data mapped twice; or NULL */
};

extern const struct rival boost_rival, ck_rival, dpdk_rival, crossbeam_rival;
extern const struct rival bpf_rival, pipe_rival, socket_rival, mq_rival;
extern const struct rival eventfd_rival, eventfd_epoll_rival;

/* What is in crossbeam.rs, and what that takes. */
size_t crossbeam_size(size_t capacity);
void crossbeam_init(void *memory, size_t capacity);
bool crossbeam_push(void *memory, uint64_t v);
bool crossbeam_pop(void *memory, uint64_t *v);
void crossbeam_push_range(void *memory, uint64_t from, uint64_t to);
void crossbeam_pop_range(void *memory, uint64_t from, uint64_t to);
_Noreturn void rival_wrong(uint64_t got, uint64_t expected);

/* Makes the queues. */
void rival_open(struct run *run);
/* It failed with @error: end the process. */
_Noreturn void rival_failed(const char *what, int error);

/*
 * How long to wait between two tries.  The ring's consumer finds that out by
 * itself; of a rival, who uses it would have to, so each test sets its best.
 */
extern uint32_t rival_pauses;

/* Of the verbs, what all have in common. */
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
