/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Have one allocation, or one copy from or to user memory, of the calling task fail.
 *
 * The kernel fails the Nth of them in a task that has written N to /proc/thread-self/fail-nth
 * (CONFIG_FAULT_INJECTION; Documentation/fault-injection).
 */
#ifndef _SPSCRING_FAULTS_H
#define _SPSCRING_FAULTS_H

#include "selftest.h"

/* Return: an fd; or a negative errno, such as -ENOENT this kernel injects no faults. */
static inline int faults_open(void)
{
	return negative_errno(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
}

/*
 * Which allocations and copies count: those that may sleep, too, and those of at least 2^@order
 * pages.  It keeps the log silent as well.
 */
static inline int faults_select(int order)
{
	const struct { const char *name; int value; } settings[] = {
		{ "failslab/ignore-gfp-wait", 0 },
		{ "failslab/verbose", 0 },
		{ "fail_page_alloc/ignore-gfp-wait", 0 },
		{ "fail_page_alloc/ignore-gfp-highmem", 0 },
		{ "fail_page_alloc/min-order", order },
		{ "fail_page_alloc/verbose", 0 },
		{ "fail_usercopy/verbose", 0 },
	};
	char path[80], text[16];
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i].name);
		snprintf(text, sizeof(text), "%d", settings[i].value);
		err = write_text(path, text);
		if (err)
			return err;
	}
	return 0;
}

/* From here on the @nth one fails.  Return: 0, or a negative errno. */
static inline int fault_begin(int fail_nth, int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", nth);

	return pwrite(fail_nth, text, n, 0) == n ? 0 : -errno;
}

/* None fails any more.  Return: how many were missing to the one that fails; 0: it has failed. */
static inline int fault_end(int fail_nth)
{
	char text[16] = "";
	/* the read's own copy fails if the call has left the last fault to it */
	int left = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 1;

	/* so may the first write's */
	if (pwrite(fail_nth, "0", 1, 0) != 1)
		pwrite(fail_nth, "0", 1, 0);
	return left;
}

#endif
