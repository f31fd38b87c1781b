/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's fuzzer runs: a program of steps of 8 bytes.  Each step is one call, on fds,
 * mappings and handles that earlier steps have left in a few slots.  Any bytes are a program.
 * The library's fuzzer has steps of that size, too, and the same mutations (mutate.c).
 */
#ifndef _SPSCRING_FUZZ_PROGRAM_H
#define _SPSCRING_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct step - one call.
 * @code:	which, modulo the number of calls.
 * @a:		the slot that it works on, modulo the number of slots.
 * @b:		a variant of the call.
 * @c:		flags, or what to make wrong.
 * @v:		a length, an offset, a value.
 */
struct step {
	uint8_t code;
	uint8_t a;
	uint8_t b;
	uint8_t c;
	uint32_t v;
};

#define STEPS	128	/* the most of a program */

/* Codes that are no calls: the next steps are a child's; the next one is another thread's. */
#define FORK	0xff
#define BESIDE	0xfe

/* The kernel's side of a run, in calls.c: no call blocks for ever. */
struct call {
	const char *name;
	long (*run)(const struct step *s);
};

extern const struct call calls[];
extern const unsigned int n_calls;

/* Run a call: its result, a negative errno, or FAULT if it was a SIGSEGV or SIGBUS. */
#define FAULT	(-1000)
long run_step(const struct step *s);

/* Before the first run; and after each, when nothing that it has made may be left. */
void calls_init(void);
void calls_clean(void);

/* In slots.c: what is in the slots, and what a value of a step means. */
#define FDS	16
#define MAPS	4
#define ENDS	4

/* Each mapping has a place of its own, far from all others, so a hole in it stays a hole. */
#define MAP_PLACE	(UINT64_C(1) << 40)
#define MAP_ROOM	(UINT64_C(1) << 26)

enum kind { NO_END, PRODUCER, CONSUMER, RECORD_PRODUCER, RECORD_CONSUMER };

int slot_fd(uint8_t a);
void slot_set_fd(uint8_t a, int fd);
char *slot_map(uint8_t a);
uint64_t *slot_map_size(uint8_t a);
uint64_t word_of(uint32_t v);
uint32_t length_of(uint32_t v);
void slots_clean(void);

/* Let a timer's signal interrupt the calling thread again and again, or no more. */
void interrupts(bool on);
/* In a child, which has neither its parent's timer nor its threads. */
void interrupts_forget(void);

/* Make a ring, in calls.c. */
long call_create(const struct step *s);

/* Calls on handles of the library, in handles.c. */
long call_map_end(const struct step *s);
long call_unmap_end(const struct step *s);
long call_move(const struct step *s);
long call_lie(const struct step *s);
void handles_clean(void);

/* Calls on mappings, in memory.c. */
long call_mmap(const struct step *s);
long call_memory(const struct step *s);
long call_poke(const struct step *s);
long call_pin(const struct step *s);
void memory_clean(void);

/* Calls that move data by fds, in streams.c. */
long call_read(const struct step *s);
long call_write(const struct step *s);
long call_splice(const struct step *s);
long call_poll(const struct step *s);
long call_epoll(const struct step *s);
long call_pass(const struct step *s);
long call_uring(const struct step *s);
void streams_clean(void);

#endif
