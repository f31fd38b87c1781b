/* SPDX-License-Identifier: GPL-2.0 */
/* What a ring's counters say about how it is used. */
#ifndef _SPSCRING_ADVICE_H
#define _SPSCRING_ADVICE_H

#include "rings.h"

#define ADVICE_MAX	12

/* Fill @advice with texts, each to be freed.  Returns how many. */
size_t ring_advice(const struct ring *ring, char *advice[ADVICE_MAX]);

#endif
