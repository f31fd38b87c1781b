/* SPDX-License-Identifier: GPL-2.0 */
/* What doctor looks at. */
#ifndef _SPSCRING_CHECKS_H
#define _SPSCRING_CHECKS_H

#include "command.h"

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_PROBLEM };

/* What was found; @advice says what to do, or is NULL.  Both are to be freed. */
struct finding {
	enum level level;
	char *found;
	char *advice;
};

struct check {
	const char *name;
	struct finding (*look)(void);
};

extern const struct check checks[];
extern const size_t checks_n;

#endif
