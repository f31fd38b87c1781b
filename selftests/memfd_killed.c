// SPDX-License-Identifier: GPL-2.0
/*
 * Rings without the module whose ends are killed at random points.  The next holder continues:
 * nothing that was published is lost or doubled.  It needs no device.
 */
#include <sys/wait.h>

#include "selftest.h"

#define TAG	3

FIXTURE(killed)
{
	int ring;
};

FIXTURE_VARIANT(killed)
{
	__u32 flags;
	__u64 capacity;
	__u32 role;		/* who is killed */
};

#define KILLED(name, ...)	FIXTURE_VARIANT_ADD(killed, name) { __VA_ARGS__ }
#define RECORDS		SPSCRING_CREATE_RECORDS

KILLED(producer, 0, 50, SPSCRING_PRODUCER);
KILLED(consumer, 0, 50, SPSCRING_CONSUMER);
KILLED(producer_of_records, RECORDS, 512, SPSCRING_PRODUCER);
KILLED(consumer_of_records, RECORDS, 512, SPSCRING_CONSUMER);
KILLED(producer_that_overwrites, RECORDS | SPSCRING_CREATE_OVERWRITE, 512, SPSCRING_PRODUCER);
KILLED(consumer_of_overwritten, RECORDS | SPSCRING_CREATE_OVERWRITE, 512, SPSCRING_CONSUMER);

#define killed_t		FIXTURE_DATA(killed)
#define killed_variant_t	FIXTURE_VARIANT(killed)

FIXTURE_SETUP(killed)
{
	self->ring = spscring_open_memfd(RING(.capacity = variant->capacity,
					      .flags = variant->flags, .type_tag = TAG,
					      .element_size = variant->flags & RECORDS ? 0 : 8));
	ASSERT_GE(self->ring, 0);
}

FIXTURE_TEARDOWN(killed)
{
	close_fd(&self->ring);
}

/* The other end has died, and its next holder is on its way. */
static int next_one(int err)
{
	if (err != -EPIPE)
		return err;
	usleep(100);
	return 0;
}

/* Claim the end and run for ever; the child is killed.  Each message is its own number. */
static int run_producer(const killed_variant_t *variant, int ring)
{
	bool records = variant->flags & RECORDS;
	int end = spscring_claim(ring, SPSCRING_PRODUCER, records ? 0 : 8, TAG), err;
	struct spscring_record_producer rp;
	struct spscring_producer p;
	__u64 v;

	if (end < 0)
		return 1;
	err = records ? spscring_record_map_producer(end, &rp, TAG, NULL) :
		spscring_map_producer(end, &p, 8, TAG, NULL);
	v = records ? rp.sequence : p.base.pos;
	while (!err) {
		err = records ? spscring_record_push(&rp, &v, 8) : spscring_push(&p, &v);
		if (!err)
			v++;
		if (err == -EAGAIN)
			err = records ? spscring_record_wait_room(&rp, 16, -1) :
				spscring_wait_room(&p, 1, -1);
		err = next_one(err);
	}
	return 2;
}

/* Pop for ever; each message has the number that its position demands. */
static int run_consumer(const killed_variant_t *variant, int ring)
{
	bool records = variant->flags & RECORDS;
	int end = spscring_claim(ring, SPSCRING_CONSUMER, records ? 0 : 8, TAG), err;
	struct spscring_record_consumer rc;
	struct spscring_consumer c;
	__u64 v, wanted;

	if (end < 0)
		return 1;
	err = records ? spscring_record_map_consumer(end, &rc, TAG, NULL) :
		spscring_map_consumer(end, &c, 8, TAG, NULL);
	while (!err) {
		if (records) {
			err = (int)spscring_record_pop(&rc, &v, 8);
			wanted = spscring_record_sequence(&rc);
			if (err >= 0)
				err = err == 8 ? 0 : -EBADMSG;
			/* overwritten as often as it was read, so there is nothing to go on with */
			if (err == -EBUSY)
				err = -EAGAIN;
		} else {
			wanted = c.base.pos;
			err = spscring_pop(&c, &v);
		}
		if (!err && v != wanted)
			return 3;
		if (err == -EAGAIN)
			err = records ? spscring_record_wait_bytes(&rc, 1, -1) :
				spscring_wait_elements(&c, 1, -1);
		err = next_one(err);
	}
	printf("# pop: %s\n", strerror(-err));
	return 4;
}

TEST_F_TIMEOUT(killed, goes_on, 300)
{
	__u32 peer = variant->role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
	__u32 dead = variant->role;
	struct patience p = {};
	struct spscring_info info;
	int round, status;
	pid_t other, child;
	__u64 before = 0;

	other = fork_child();
	if (!other)
		_exit(peer == SPSCRING_PRODUCER ? run_producer(variant, self->ring) :
		      run_consumer(variant, self->ring));
	for (round = 0; round < 50; round++) {
		child = fork_child();
		if (!child)
			_exit(dead == SPSCRING_PRODUCER ? run_producer(variant, self->ring) :
			      run_consumer(variant, self->ring));
		/* it has moved something, then dies at some point */
		do
			info = info_of(self->ring);
		while ((dead == SPSCRING_PRODUCER ? info.tail : info.head) <= before &&
		       patient(&p, info.tail));
		usleep(random_word() % 3000);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status))
			TH_LOG("round %d: exit %d", round, WEXITSTATUS(status));
		ASSERT_TRUE(wait_state(self->ring, dead, SPSCRING_DEAD));
		info = info_of(self->ring);
		before = dead == SPSCRING_PRODUCER ? info.tail : info.head;
		ASSERT_EQ(0, info.broken);
		/* the other one lives and found nothing wrong */
		ASSERT_EQ(0, waitpid(other, &status, WNOHANG))
			TH_LOG("round %d: the peer's exit %d", round, WEXITSTATUS(status));
	}
	EXPECT_EQ(50, dead == SPSCRING_PRODUCER ? info.producer_generation :
		  info.consumer_generation);
	kill(other, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child(other));
}

TEST_HARNESS_MAIN
