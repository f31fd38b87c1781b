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
	union {
		struct spscring_producer producer;
		struct spscring_record_producer record_producer;
	} __aligned(BENCH_LINE);
	union {
		struct spscring_consumer consumer;
		struct spscring_record_consumer record_consumer;
	} __aligned(BENCH_LINE);
};

/* ring.c */
void *rings_open(const struct spscring_create *want);
void rings_close(void *queue);
size_t rings_memory(const struct bench_run *run, void *queue);

#endif
