// SPDX-License-Identifier: GPL-2.0
/*
 * A page that a pipe pins outlives the end by which it was mapped; the end cannot be claimed until
 * the pin is gone.
 */
#include <sys/uio.h>

#include "mmap.h"

FIXTURE(pin)
{
	mmap_t m;
	int pipe[2];
};

FIXTURE_VARIANT(pin)
{
	enum who who;
	__u32 role;
	int page;
};

FIXTURE_VARIANT_ADD(pin, first_of_data) { PRODUCER_FD, SPSCRING_PRODUCER, 3 };
FIXTURE_VARIANT_ADD(pin, last_of_data) { PRODUCER_FD, SPSCRING_PRODUCER, LAST };
FIXTURE_VARIANT_ADD(pin, first_of_data_again) { PRODUCER_FD, SPSCRING_PRODUCER, AGAIN };
FIXTURE_VARIANT_ADD(pin, last_of_data_again) { PRODUCER_FD, SPSCRING_PRODUCER, LAST_AGAIN };
FIXTURE_VARIANT_ADD(pin, producer_page) { PRODUCER_FD, SPSCRING_PRODUCER, 2 };
FIXTURE_VARIANT_ADD(pin, consumer_page) { CONSUMER_FD, SPSCRING_CONSUMER, 0 };

FIXTURE_SETUP(pin)
{
	SKIP_WITHOUT_DEVICE();
	mmap_setup(_metadata, &self->m, variant->page >= AGAIN ? &of_records : &of_frames);
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(pin)
{
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
	mmap_teardown(_metadata, &self->m, NULL);
}

/* A pipe still holds a page after the end's death: claims are refused until the pipe is read. */
TEST_F(pin, vmsplice)
{
	const size_t page = self->m.page;
	int ring = self->m.fd[RING_FD], end;
	size_t offset = span_from(&self->m, &(struct span){ .first = variant->page });
	struct iovec iov = { .iov_len = 8 };
	char byte[8];
	void *at;

	ASSERT_LT(offset, self->m.end);
	at = map_section(&self->m, variant->who, offset, WRITE);
	ASSERT_NE(MAP_FAILED, at);
	memcpy(at, "vmsplice", 8);
	iov.iov_base = at;
	ASSERT_EQ(8, vmsplice(self->pipe[1], &iov, 1, 0));
	munmap(at, page);
	close_fd(&self->m.fd[variant->who]);
	ASSERT_TRUE(wait_state(ring, variant->role, SPSCRING_DEAD));

	EXPECT_EQ(-EBUSY, claim_end(ring, variant->role, 0));
	EXPECT_EQ(SPSCRING_DEAD, state_of(ring, variant->role));
	EXPECT_EQ(-EBUSY, claim_end(ring, variant->role, 0));
	ASSERT_EQ(8, read(self->pipe[0], byte, 8));
	EXPECT_EQ(0, memcmp(byte, "vmsplice", 8));
	if (variant->page == 0 || variant->page == 2)
		return;		/* the test wrote over a cursor, so the claim may fail */
	end = claim_end(ring, variant->role, 0);
	EXPECT_GE(end, 0);
	close(end);
}

/* Mappings by other fds are no pins: a claim succeeds, however many there are. */
TEST_F(mmap, mappings_are_no_pins)
{
	int ring = self->fd[RING_FD], i, end;

	for (i = 0; i < 20; i++) {
		ASSERT_NE(MAP_FAILED, mmap(NULL, self->end, READ, MAP_SHARED, ring, 0));
		ASSERT_NE(MAP_FAILED, map_section(self, CONSUMER_FD, self->g.data_offset, READ));
	}
	close_fd(&self->fd[PRODUCER_FD]);
	ASSERT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	end = claim_end(ring, SPSCRING_PRODUCER, 0);
	EXPECT_GE(end, 0);
	close(end);
}

TEST_HARNESS_MAIN
