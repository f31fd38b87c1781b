/* SPDX-License-Identifier: GPL-2.0 */
/* spscring top: what its screen and its batch mode share. */
#ifndef _SPSCRING_TOP_H
#define _SPSCRING_TOP_H

#include "rings.h"

/* A ring, and what it did a second since the sample before. */
struct row {
	const struct ring *ring;
	bool measured;		/* it was in the sample before */
	double messages, bytes, sleeps, wakes, losses;
};

struct top {
	struct rings before, now;
	double at, seconds;	/* when it was read; since the sample before */
	struct row *rows;
	size_t room;
	char key;		/* sort by this column */
	bool reverse;
};

/* A column by which rows can be sorted. */
struct top_key {
	char key;
	const char *name;	/* for --sort */
	const char *head;
	int width;		/* on the screen */
};

extern const struct top_key top_keys[];
extern const size_t top_keys_n;

/* Read the rings, and work out and sort the rows: as many as there are rings. */
void top_sample(struct top *top);
void top_sort(struct top *top);

/* "12.3k", or "-" of a ring that was not there before.  Returns @out. */
char *rate_text(char out[SIZE_TEXT], const struct row *row, double rate);

/* Show rows until the user quits: @count samples, or any number if 0, @seconds apart. */
void screen_run(struct top *top, double seconds, unsigned long count);

#endif
