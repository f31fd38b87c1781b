/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's list of all rings, read by its column names. */
#ifndef _SPSCRING_RINGS_H
#define _SPSCRING_RINGS_H

#include <spscring.h>

#include "command.h"

#define RINGS_PATH	"/sys/kernel/debug/spscring/rings"
#define WORD_TEXT	16

/* In place of a pid or a uid, which are never negative. */
#define NO_ID		(-1LL)
#define KERNEL_ID	(-2LL)

/* How an end is held, and how it has slept, see struct spscring_sleep_counters. */
struct ring_end {
	char state[WORD_TEXT];		/* unclaimed, held, shut-down, dead */
	int64_t pid;			/* or NO_ID, KERNEL_ID */
	uint64_t generation;
	uint64_t spins, sleeps, polls, kicks, wakes, interrupts, clears, refused;
};

/* A line of the list; the words are the kernel's.  Sizes as in struct spscring_info. */
struct ring {
	uint64_t id;
	char name[SPSCRING_NAME_MAX + 1];
	char kind[WORD_TEXT];		/* elements, records */
	char mode[WORD_TEXT];		/* wait, drop, overwrite */
	char sleep[WORD_TEXT];		/* adaptive, fence, busy-poll */
	char owner[WORD_TEXT];		/* user, driver, private */
	int64_t uid;			/* or NO_ID */
	uint64_t element_size, capacity, memory, length, free, head, tail;
	struct ring_end producer, consumer;
	uint64_t broken, drops, overruns, high_water, sequence, full, empty;
};

struct rings {
	struct ring *ring;
	size_t n, room;
};

/* Read all rings, in the order of ids.  Dies with advice if the list cannot be read. */
void rings_read(struct rings *rings);
void rings_free(struct rings *rings);

/*
 * The ring that @what names: an id, or else a name.  Dies if there is none, or several of the name.
 */
const struct ring *rings_find(const struct rings *rings, const char *what);

bool ring_has_records(const struct ring *ring);

/* How many messages were pushed, and how many bytes of room they took. */
uint64_t ring_messages(const struct ring *ring);
uint64_t ring_bytes(const struct ring *ring);

/* What part of the capacity is in use, 0 to 1. */
double ring_fill(const struct ring *ring);

/* Who holds an end: its pid, "kernel", or the end's state.  To be freed. */
char *holder_text(const struct ring_end *end);

/* A ring as an object with the columns' names. */
struct json_object *ring_json(const struct ring *ring);

#endif
