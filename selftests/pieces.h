/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of elements and a pipe, from which bytes come in pieces that are not whole elements.
 */
#ifndef _SPSCRING_SELFTEST_PIECES_H
#define _SPSCRING_SELFTEST_PIECES_H

#include "stream.h"

FIXTURE(pieces) {
	int ring, in, out, pipe[2];
};

FIXTURE_SETUP(pieces)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = CAPACITY, .element_size = SIZE), &self->ring,
			       &self->in, &self->out));
	ASSERT_EQ(0, pipe(self->pipe));
	nonblock(self->out);	/* a read of an empty ring returns */
}

FIXTURE_TEARDOWN(pieces)
{
	close_ends(&self->ring, &self->in, &self->out);
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
}

#endif
