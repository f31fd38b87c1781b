/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An io_uring's completions.
 */
#ifndef _SPSCRING_SELFTEST_URING_H
#define _SPSCRING_SELFTEST_URING_H

#include <liburing.h>

#include "sleep.h"

/* The next completion's result; -ETIME when there is none in time. */
static inline int completion(struct io_uring *loop, unsigned int ms, bool *more)
{
	struct __kernel_timespec time = { ms / 1000, ms % 1000 * 1000000LL };
	struct io_uring_cqe *cqe;
	int err = io_uring_wait_cqe_timeout(loop, &cqe, &time);

	if (err)
		return err;
	err = cqe->res;
	if (more)
		*more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(loop, cqe);
	return err;
}

#endif
