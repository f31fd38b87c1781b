/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the library's fuzzer share. */
#ifndef _SPSCRING_FUZZ_LIBRARY_H
#define _SPSCRING_FUZZ_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "memfd.h"
#include "spscring.h"

#define BATCH	8

enum kind { PRODUCER, CONSUMER, RECORD_PRODUCER, RECORD_CONSUMER };

/* One call of the honest end, or one lie. */
struct step {
	uint8_t code;
	uint8_t b;
	uint8_t c;
	uint8_t how;
	uint32_t v;
};

/* The ring of a program, and its honest end. */
struct ring {
	struct spscring_geometry g;
	char *all;		/* all of it, writable, for the peer and for claims */
	char *honest;		/* the same pages as the honest end may see them */
	enum kind kind;
	struct spscring_view view;
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
		struct spscring_record_producer rp;
		struct spscring_record_consumer rc;
	};
};

extern struct ring ring;

/* Report a find, unless @is. */
static inline void must(bool is, const char *what)
{
	if (is)
		return;
	fprintf(stderr, "fuzz: FIND: %s\n", what);
	abort();
}

/* One call of the honest end. */
void honest_call(const struct step *s);
void honest_shutdown(void);

#endif
