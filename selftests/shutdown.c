// SPDX-License-Identifier: GPL-2.0
/*
 * An end shuts down, or dies when the last fd and mapping of it go; and the errno that its peer
 * gets.
 */
#include "endpoint.h"

/* SHUTDOWN with a flag that does not exist, or of a ring fd, is refused. */
TEST_F(endpoint, bad_shutdown)
{
	struct spscring_shutdown down = { .size = sizeof(down) };

	producer_up(_metadata, self);
	EXPECT_EQ(-EINVAL, spscring_shutdown(self->producer, 2));
	EXPECT_EQ(-EINVAL, spscring_shutdown(self->producer, 1U << 31));
	EXPECT_EQ(-EPERM, do_ioctl(self->ring, SPSCRING_SHUTDOWN, &down));
	EXPECT_EQ(SPSCRING_HELD, state_of(self->ring, SPSCRING_PRODUCER));
}

/* The consumer pops the rest, then gets ESHUTDOWN; the producer's end cannot be claimed again. */
TEST_F(endpoint, producer_shuts_down)
{
	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 10);
	EXPECT_EQ(0, spscring_shutdown(self->producer, 0));
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_PRODUCER));
	pop_from(_metadata, self, 0, 10);
	EXPECT_EQ(-ESHUTDOWN, pop_end(self));
	EXPECT_EQ(-ESHUTDOWN, pop_end(self));

	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	EXPECT_EQ(0, spscring_shutdown(self->producer, 0));
	EXPECT_EQ(1, info_of(self->ring).producer_generation);

	/* a later close of its fd changes nothing */
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	EXPECT_EQ(-ESHUTDOWN, pop_end(self));
	EXPECT_EQ(0, info_of(self->ring).broken);
}

/* The producer gets ESHUTDOWN; the consumer's end cannot be claimed again. */
TEST_F(endpoint, consumer_shuts_down)
{
	__u64 v = 0;
	int n, err;

	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 10);
	pop_from(_metadata, self, 0, 5);
	EXPECT_EQ(0, spscring_shutdown(self->consumer, 0));
	/* the producer finds out once the ring is full */
	for (n = 0; !(err = push_answer(&self->p, &v)); n++)
		;
	EXPECT_EQ(-ESHUTDOWN, err);
	EXPECT_EQ(CAPACITY - 5, n);
	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_CONSUMER, TAG));
	EXPECT_EQ(0, spscring_shutdown(self->consumer, 0));
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_CONSUMER));
}

/* An end reports a hostile peer to the kernel: neither end can be claimed again. */
TEST_F(endpoint, shuts_down_broken)
{
	producer_up(_metadata, self);
	EXPECT_EQ(0, spscring_shutdown(self->producer, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(1, info_of(self->ring).broken);
	EXPECT_EQ(-EPIPE, claim_end(self->ring, SPSCRING_CONSUMER, TAG));
	EXPECT_EQ(-ESHUTDOWN, claim_end(self->ring, SPSCRING_PRODUCER, TAG));
	EXPECT_EQ(SPSCRING_UNCLAIMED, state_of(self->ring, SPSCRING_CONSUMER));
}

#define death_t		FIXTURE_VARIANT(death)

/* An end dies by close, exit or kill; with @mapped the mapping, not the fd, goes last. */
FIXTURE(death)
{
	endpoint_t e;
};

FIXTURE_VARIANT(death)
{
	bool exit, kill, mapped;
};

FIXTURE_VARIANT_ADD(death, by_close) {};
FIXTURE_VARIANT_ADD(death, by_unmap) { .mapped = true };
FIXTURE_VARIANT_ADD(death, by_exit) { .exit = true };
FIXTURE_VARIANT_ADD(death, by_exit_mapped) { .exit = true, .mapped = true };
FIXTURE_VARIANT_ADD(death, by_kill) { .kill = true };
FIXTURE_VARIANT_ADD(death, by_kill_mapped) { .kill = true, .mapped = true };

FIXTURE_SETUP(death)
{
	endpoint_setup(_metadata, &self->e, NULL);
}

FIXTURE_TEARDOWN(death)
{
	endpoint_teardown(_metadata, &self->e, NULL);
}

/* Claim an end, in this process or another, and have it die in the way of the variant. */
static void claim_and_die(struct __test_metadata *_metadata, const death_t *variant,
			  endpoint_t *e, __u32 role)
{
	struct spscring_mapping map;
	pid_t pid = 0;
	int fd;

	if (variant->exit || variant->kill) {
		pid = fork_child();
		if (pid) {
			EXPECT_TRUE(wait_state(e->ring, role, variant->exit ? SPSCRING_DEAD :
					       SPSCRING_HELD));
			if (variant->kill)
				kill(pid, SIGKILL);
			EXPECT_EQ(variant->kill ? -SIGKILL : 0, wait_child(pid));
			return;
		}
	}
	fd = claim_end(e->ring, role, TAG);
	EXPECT_GE(fd, 0);
	if (variant->mapped)
		EXPECT_EQ(0, role == SPSCRING_PRODUCER ? map_producer(fd, &e->p, &map) :
							 map_consumer(fd, &e->c, &map));
	if (variant->exit)
		_exit(0);
	while (variant->kill)
		pause();
	close(fd);
	if (variant->mapped) {
		EXPECT_EQ(SPSCRING_HELD, state_of(e->ring, role));
		spscring_unmap(&map);
	}
}

/* The consumer pops the elements of a dead producer; the next producer continues after them. */
TEST_F(death, producer)
{
	endpoint_t *e = &self->e;

	consumer_up(_metadata, e);
	producer_up(_metadata, e);
	push_from(_metadata, e, 0, 5);
	producer_dies(_metadata, e);

	claim_and_die(_metadata, variant, e, SPSCRING_PRODUCER);
	ASSERT_TRUE(wait_state(e->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	EXPECT_EQ(2, info_of(e->ring).producer_generation);
	pop_from(_metadata, e, 0, 5);
	EXPECT_EQ(-EPIPE, pop_end(e));

	producer_up(_metadata, e);
	EXPECT_EQ(-EAGAIN, pop_end(e));
	push_from(_metadata, e, 5, 5);
	pop_from(_metadata, e, 5, 5);
	EXPECT_EQ(0, info_of(e->ring).broken);
}

/* The producer learns of a consumer's death once the ring is full; the next one goes on there. */
TEST_F(death, consumer)
{
	endpoint_t *e = &self->e;
	__u64 v = 99;

	producer_up(_metadata, e);
	consumer_up(_metadata, e);
	push_from(_metadata, e, 0, CAPACITY);
	pop_from(_metadata, e, 0, 3);
	consumer_dies(_metadata, e);

	claim_and_die(_metadata, variant, e, SPSCRING_CONSUMER);
	ASSERT_TRUE(wait_state(e->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
	push_from(_metadata, e, CAPACITY, 3);
	EXPECT_EQ(-EPIPE, push_answer(&e->p, &v));

	consumer_up(_metadata, e);
	EXPECT_EQ(-EAGAIN, push_answer(&e->p, &v));
	pop_from(_metadata, e, 3, CAPACITY);
	EXPECT_EQ(-EAGAIN, pop_end(e));
	push_from(_metadata, e, 0, 1);
	pop_from(_metadata, e, 0, 1);
}

/* Without a ring fd no process can claim an end, but the peer still learns of a death. */
TEST_F(endpoint, death_without_a_ring_fd)
{
	producer_up(_metadata, self);
	consumer_up(_metadata, self);
	push_from(_metadata, self, 0, 1);
	close_fd(&self->ring);
	spscring_unmap(&self->p_map);
	close_fd(&self->producer);
	ASSERT_TRUE(wait_state(self->consumer, SPSCRING_PRODUCER, SPSCRING_DEAD));
	pop_from(_metadata, self, 0, 1);
	EXPECT_EQ(-EPIPE, pop_end(self));
	EXPECT_EQ(-EPERM, claim_end(self->consumer, SPSCRING_PRODUCER, TAG));
}

TEST_HARNESS_MAIN
