// SPDX-License-Identifier: GPL-2.0
/*
 * A set of consumers' ends with callbacks, on rings of the module and on rings without it.
 * tools/lib/native runs the latter on the host.
 */
#include <poll.h>
#include <sys/wait.h>

#include "selftest.h"

#define RINGS	5
#define TAG	6

/* What the callbacks of one end have seen. */
struct seen {
	struct spscring_set *set;
	int fd;
	__u64 next;		/* the number that the next message should have */
	__u64 wrong;
	int ended;		/* how often the end was reported */
	int why;
	int stop;		/* what the callback returns, at the message stop_at */
	__u64 stop_at;
	bool leaves;		/* it removes its own end at stop_at */
};

FIXTURE(set)
{
	struct spscring_set *set;
	int ring[RINGS], in[RINGS], out[RINGS];
	struct spscring_producer p[RINGS];
	struct spscring_record_producer rp[RINGS];
	struct spscring_mapping map[RINGS];
	struct seen seen[RINGS];
	__u64 pushed[RINGS];
};

FIXTURE_VARIANT(set)
{
	bool memfd;
	__u32 flags;
};

#define RECORDS		SPSCRING_CREATE_RECORDS

FIXTURE_VARIANT_ADD(set, memfd_elements) { true, 0 };
FIXTURE_VARIANT_ADD(set, memfd_records) { true, RECORDS };
FIXTURE_VARIANT_ADD(set, memfd_overwritten) { true, RECORDS | SPSCRING_CREATE_OVERWRITE };
FIXTURE_VARIANT_ADD(set, elements) { false, 0 };
FIXTURE_VARIANT_ADD(set, records) { false, RECORDS };
FIXTURE_VARIANT_ADD(set, overwritten) { false, RECORDS | SPSCRING_CREATE_OVERWRITE };

#define set_t		FIXTURE_DATA(set)
#define set_variant_t	FIXTURE_VARIANT(set)

/* The n-th record is its number, then so many bytes more. */
static size_t more_bytes(__u64 n)
{
	return n % 400;
}

static int on_message(void *ctx, const void *data, size_t size)
{
	struct seen *s = ctx;
	__u64 number;

	memcpy(&number, data, sizeof(number));
	if (number != s->next || (size != 8 && size != 8 + more_bytes(number)))
		s->wrong++;
	if (s->next++ != s->stop_at)
		return 0;
	if (s->leaves && spscring_set_remove(s->set, s->fd))
		s->wrong++;
	return s->stop;
}

static void on_end(void *ctx, int why)
{
	struct seen *s = ctx;

	s->ended++;
	s->why = why;
}

static int add(set_t *self, const set_variant_t *variant, int i)
{
	return spscring_set_add(self->set, self->out[i], variant->flags ? 0 : 8, TAG, on_message,
				on_end, &self->seen[i]);
}

/* Map the producer's end. */
static int map(set_t *self, const set_variant_t *variant, int i)
{
	return variant->flags ?
		spscring_record_map_producer(self->in[i], &self->rp[i], TAG, &self->map[i]) :
		spscring_map_producer(self->in[i], &self->p[i], 8, TAG, &self->map[i]);
}

FIXTURE_SETUP(set)
{
	int i;

	if (!variant->memfd)
		SKIP_WITHOUT_DEVICE();
	self->set = spscring_set_new(10);
	ASSERT_NE(NULL, self->set);
	for (i = 0; i < RINGS; i++) {
		struct spscring_create *want = RING(.capacity = 8192, .flags = variant->flags,
						    .element_size = variant->flags ? 0 : 8,
						    .type_tag = TAG);
		__u32 size = want->element_size;

		self->ring[i] = variant->memfd ? spscring_open_memfd(want) : spscring_open(want);
		ASSERT_GE(self->ring[i], 0);
		self->in[i] = spscring_claim(self->ring[i], SPSCRING_PRODUCER, size, TAG);
		self->out[i] = spscring_claim(self->ring[i], SPSCRING_CONSUMER, size, TAG);
		ASSERT_GE(self->in[i], 0);
		ASSERT_EQ(0, map(self, variant, i));
		self->seen[i].set = self->set;
		self->seen[i].fd = self->out[i];
		self->seen[i].stop_at = ~0ULL;
		ASSERT_EQ(0, add(self, variant, i));
	}
}

FIXTURE_TEARDOWN(set)
{
	int i;

	spscring_set_free(self->set);
	for (i = 0; i < RINGS; i++)
		close_ends(&self->ring[i], &self->in[i], &self->out[i]);
}

static int push(set_t *self, const set_variant_t *variant, int i, int n)
{
	char record[8 + 400] = {};
	int err = 0;

	while (!err && n--) {
		__u64 number = self->pushed[i]++;

		memcpy(record, &number, sizeof(number));
		err = variant->flags ?
			spscring_record_push(&self->rp[i], record, 8 + more_bytes(number)) :
			spscring_push(&self->p[i], &number);
	}
	return err;
}

static __u64 wrong(const set_t *self)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < RINGS; i++)
		sum += self->seen[i].wrong;
	return sum;
}

TEST_F(set, consumes_what_is_there)
{
	int i;

	EXPECT_EQ(0, spscring_set_consume(self->set));
	EXPECT_EQ(0, spscring_set_poll(self->set, 0));
	for (i = 0; i < RINGS; i++)
		ASSERT_EQ(0, push(self, variant, i, i));
	EXPECT_EQ(0 + 1 + 2 + 3 + 4, spscring_set_poll(self->set, -1));
	for (i = 0; i < RINGS; i++)
		ASSERT_EQ(0, push(self, variant, i, 1));
	EXPECT_EQ(RINGS, spscring_set_consume(self->set));
	for (i = 0; i < RINGS; i++)
		EXPECT_EQ(i + 1, self->seen[i].next);
	EXPECT_EQ(0, wrong(self));
	EXPECT_EQ(0, spscring_set_poll(self->set, 3));
}

/* One end that always has more does not keep the others waiting. */
TEST_F(set, is_fair)
{
	ASSERT_EQ(0, push(self, variant, 0, 35));
	ASSERT_EQ(0, push(self, variant, 4, 1));
	EXPECT_EQ(10 + 1, spscring_set_poll(self->set, -1));
	EXPECT_EQ(10, self->seen[0].next);
	EXPECT_EQ(1, self->seen[4].next);
	ASSERT_EQ(0, push(self, variant, 4, 1));
	/* what a budget left is there for the next call, without another push */
	EXPECT_EQ(10 + 1, spscring_set_poll(self->set, -1));
	EXPECT_EQ(10, spscring_set_poll(self->set, -1));
	EXPECT_EQ(5, spscring_set_poll(self->set, -1));
	EXPECT_EQ(0, wrong(self));
}

TEST_F(set, stops_where_a_callback_says)
{
	self->seen[1].stop = -77;
	self->seen[1].stop_at = 3;
	ASSERT_EQ(0, push(self, variant, 1, 6));
	EXPECT_EQ(-77, spscring_set_poll(self->set, -1));
	/* that message is consumed, the next one is not */
	EXPECT_EQ(4, self->seen[1].next);
	EXPECT_EQ(2, spscring_set_poll(self->set, -1));
	EXPECT_EQ(0, wrong(self));
}

TEST_F(set, lets_ends_leave_and_join)
{
	EXPECT_EQ(-EEXIST, add(self, variant, 2));
	self->seen[2].leaves = true;
	self->seen[2].stop_at = 1;
	ASSERT_EQ(0, push(self, variant, 2, 5));
	EXPECT_EQ(2, spscring_set_poll(self->set, -1));
	EXPECT_EQ(0, spscring_set_poll(self->set, 0));
	EXPECT_EQ(-ENOENT, spscring_set_remove(self->set, self->out[2]));
	/* what it has not consumed is still there */
	ASSERT_EQ(0, add(self, variant, 2));
	EXPECT_EQ(3, spscring_set_consume(self->set));
	EXPECT_EQ(5, self->seen[2].next);
	EXPECT_EQ(0, wrong(self));
	EXPECT_EQ(-EPROTOTYPE, spscring_set_remove(self->set, self->out[3]) ?:
		  spscring_set_add(self->set, self->out[3], 4, TAG, on_message, NULL, NULL));
}

TEST_F(set, reports_the_end_once)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, push(self, variant, i, 2));
	ASSERT_EQ(0, spscring_shutdown(self->in[0], 0));
	spscring_unmap(&self->map[1]);
	close_fd(&self->in[1]);
	for (i = 0; i < 1000 && self->seen[0].ended + self->seen[1].ended < 2; i++)
		ASSERT_GE(spscring_set_poll(self->set, 100), 0);
	EXPECT_EQ(0, spscring_set_poll(self->set, 20));
	EXPECT_EQ(1, self->seen[0].ended);
	EXPECT_EQ(1, self->seen[1].ended);
	EXPECT_EQ(-ESHUTDOWN, self->seen[0].why);
	EXPECT_EQ(-EPIPE, self->seen[1].why);
	EXPECT_EQ(2, self->seen[0].next);
	EXPECT_EQ(2, self->seen[1].next);
	EXPECT_EQ(0, self->seen[2].ended);
	EXPECT_EQ(0, wrong(self));
	/* the others go on, and a successor's messages are read once the end was added again */
	ASSERT_EQ(0, push(self, variant, 2, 1));
	EXPECT_EQ(1, spscring_set_poll(self->set, -1));
	self->in[1] = spscring_claim(self->ring[1], SPSCRING_PRODUCER, variant->flags ? 0 : 8, TAG);
	ASSERT_GE(self->in[1], 0);
	ASSERT_EQ(0, map(self, variant, 1));
	ASSERT_EQ(0, push(self, variant, 1, 1));
	ASSERT_EQ(0, spscring_set_remove(self->set, self->out[1]));
	ASSERT_EQ(0, add(self, variant, 1));
	EXPECT_EQ(1, spscring_set_poll(self->set, -1));
	EXPECT_EQ(0, wrong(self));
}

/* Without a timeout, too, a call returns when an end was all that came: it may be the last one. */
TEST_F(set, returns_after_an_end)
{
	int i;

	EXPECT_EQ(0, spscring_set_poll(self->set, 0));
	for (i = 0; i < RINGS; i++) {
		ASSERT_EQ(0, spscring_shutdown(self->in[i], 0));
		EXPECT_EQ(0, spscring_set_poll(self->set, -1));
		EXPECT_EQ(1, self->seen[i].ended);
	}
}

/* It sleeps until a message comes from another process. */
TEST_F(set, wakes)
{
	struct pollfd loop = { .fd = spscring_set_fd(self->set), .events = POLLIN };
	pid_t child = fork_child();

	if (!child) {
		sleep_ms(20);
		if (map(self, variant, 3))
			_exit(1);
		_exit(push(self, variant, 3, 1) != 0);
	}
	if (!variant->memfd)
		EXPECT_EQ(1, poll(&loop, 1, -1));
	EXPECT_EQ(1, spscring_set_poll(self->set, -1));
	EXPECT_EQ(1, self->seen[3].next);
	EXPECT_EQ(0, wait_child(child));
}

TEST(busy_poll_rings_are_refused)
{
	struct spscring_set *set = spscring_set_new(0);
	int ring = spscring_open_memfd(RING(.capacity = 8, .element_size = 8,
					    .flags = SPSCRING_CREATE_BUSY_POLL));
	int out = spscring_claim(ring, SPSCRING_CONSUMER, 8, 0);

	ASSERT_GE(out, 0);
	EXPECT_EQ(-EOPNOTSUPP, spscring_set_add(set, out, 8, 0, on_message, on_end, NULL));
	EXPECT_EQ(-ENOENT, spscring_set_remove(set, out));
	EXPECT_EQ(-ENOTTY, spscring_set_add(set, 0, 8, 0, on_message, on_end, NULL));
	spscring_set_free(set);
	spscring_set_free(NULL);
	close(out);
	close(ring);
}

TEST_HARNESS_MAIN
