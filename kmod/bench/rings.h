/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of spscring and its two ends, whatever its records are.
 */
#ifndef _SPSCRING_BENCH_RINGS_H
#define _SPSCRING_BENCH_RINGS_H

#include "loops.h"
#include "spscring_kapi.h"

/* Each side's handle is its own; of a power of two, to be aligned as they ask. */
struct queue {
	struct spscring *ring;
	struct spscring_producer producer __aligned(BENCH_LINE);
	struct spscring_consumer consumer __aligned(BENCH_LINE);
};

/* ring.c */
void *rings_open(const struct spscring_create *want);
void rings_close(void *queue);
size_t rings_memory(const struct bench_run *run, void *queue);

static __always_inline void ring_relax(void *queue)
{
	struct queue *q = queue;

	spscring_relax(&q->consumer);
}

#endif
