// SPDX-License-Identifier: GPL-2.0
/*
 * The events of spscring in tracefs: exactly those that are to come, with their
 * fields, and none while they are off.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "selftest.h"
#include "spscring_peer.h"

#define TRACEFS		"/sys/kernel/tracing"
#define ALL		"events/spscring/enable"
#define PUSHES		"events/spscring/spscring_push/enable"
#define POPS		"events/spscring/spscring_pop/enable"

FIXTURE(trace)
{
	char dir[64];		/* an instance: a buffer and switches of our own */
	char want[8192];
	char seen[8192];
	int ring, peer;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping p_map, c_map;
};

#define trace_t		FIXTURE_DATA(trace)

static int trace_open(trace_t *self, const char *file, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", self->dir, file);
	return negative_errno(open(path, flags | O_CLOEXEC));
}

static int trace_set(trace_t *self, const char *file, const char *value)
{
	int fd = trace_open(self, file, O_WRONLY), err;

	if (fd < 0)
		return fd;
	err = negative_errno(write(fd, value, strlen(value)));
	close(fd);
	return err < 0 ? err : 0;
}

FIXTURE_SETUP(trace)
{
	SKIP_WITHOUT_DEVICE();
	if (access(TRACEFS "/events", F_OK))
		mount("nodev", TRACEFS, "tracefs", 0, NULL);
	SKIP_WITHOUT(TRACEFS "/instances", "a kernel without CONFIG_TRACING?");
	SKIP_WITHOUT(SPSCRING_PEER_DEVICE, "is spscring_peer.ko loaded?");
	snprintf(self->dir, sizeof(self->dir), TRACEFS "/instances/spscring-%d", getpid());
	ASSERT_EQ(negative_errno(mkdir(self->dir, 0700)), 0);
	/* so that what happens on two CPUs is listed in its order */
	ASSERT_EQ(trace_set(self, "trace_clock", "mono"), 0);
	ASSERT_EQ(trace_set(self, ALL, "1"), 0);
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
	self->ring = -1;
}

FIXTURE_TEARDOWN(trace)
{
	close_fd(&self->peer);
	close_fd(&self->ring);
	EXPECT_EQ(negative_errno(rmdir(self->dir)), 0);
}

/* This ring's events so far, a line each, without prefix and id. */
static const char *seen(trace_t *self)
{
	int fd = trace_open(self, "trace", O_RDONLY), length = 0;
	char line[512], event[64], fields[256];
	unsigned long long id, ours = ring_id(self->ring);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	self->seen[0] = 0;
	if (!f)
		return "no trace";
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, ": spscring_");

		if (!at || sscanf(at, ": spscring_%63[^:]: id=%llu %255[^\n]", event, &id,
				  fields) != 3)
			continue;
		if (id == ours && length < (int)sizeof(self->seen) - 400)
			length += sprintf(self->seen + length, "%s %s\n", event, fields);
	}
	fclose(f);
	return self->seen;
}

static void want(trace_t *self, const char *format, ...)
{
	size_t length = strlen(self->want);
	va_list args;

	va_start(args, format);
	vsnprintf(self->want + length, sizeof(self->want) - length, format, args);
	va_end(args);
}

static void make_ring(struct __test_metadata *_metadata, trace_t *self, __u64 capacity)
{
	struct spscring_info info;

	self->ring = spscring_open(RING(.capacity = capacity, .record_size = 8,
					.name = "traced one"));
	ASSERT_GE(self->ring, 0);
	info = info_of(self->ring);
	want(self, "create capacity=%ju record_size=8 ", (uintmax_t)capacity);
	want(self, "frame_size=%u pages=%ju name=traced one\n", info.geometry.frame_size,
	     (uintmax_t)info.geometry.memory / sysconf(_SC_PAGESIZE));
}

static int claim(struct __test_metadata *_metadata, trace_t *self, __u32 role, int generation)
{
	int end = claim_end(self->ring, role, 0);

	ASSERT_EQ(role == SPSCRING_PRODUCER ?
		  map_producer(end, &self->p, &self->p_map) :
		  map_consumer(end, &self->c, &self->c_map), 0);
	want(self, "endpoint role=%s holder=user generation=%d\n",
	     role == SPSCRING_PRODUCER ? "producer" : "consumer", generation);
	return end;
}

static void dies(struct __test_metadata *_metadata, trace_t *self, int end, __u32 role)
{
	spscring_unmap(role == SPSCRING_PRODUCER ? &self->p_map : &self->c_map);
	close(end);
	ASSERT_TRUE(wait_state(self->ring, role, SPSCRING_DEAD));
}

static void start(struct __test_metadata *_metadata, trace_t *self, __u32 op, __u32 batch,
		  __u64 count)
{
	struct spscring_peer_start start = {
		.op = op, .flags = SPSCRING_PEER_SHUTDOWN, .ring_fd = self->ring,
		.cpu = -1, .batch = batch, .count = count,
	};

	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_START, &start), 0);
	want(self, "endpoint role=%s holder=kernel generation=1\n",
	     op == SPSCRING_PEER_SOURCE ? "producer" : "consumer");
}

/* The kernel's end is done, and shut down by itself: how did it end? */
static int finish(struct __test_metadata *_metadata, trace_t *self)
{
	struct spscring_peer_result result = {};

	ASSERT_EQ(do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result), 0);
	EXPECT_EQ(result.wrong, 0);
	return result.err;
}

/* ---------------------------------------------------------- a ring's life */

TEST_F(trace, life)
{
	struct spscring_shutdown down = { .size = sizeof(down) };
	int producer, consumer;
	__u64 v = 0;

	make_ring(_metadata, self, 64);
	producer = claim(_metadata, self, SPSCRING_PRODUCER, 1);
	consumer = claim(_metadata, self, SPSCRING_CONSUMER, 1);
	/* a user's records are not seen by the kernel */
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(spscring_push(&self->p, &v), 0);
	ASSERT_EQ(pop_answer(&self->c, &v), 0);
	dies(_metadata, self, producer, SPSCRING_PRODUCER);
	want(self, "death role=producer generation=1 head=1 tail=3\n");
	producer = claim(_metadata, self, SPSCRING_PRODUCER, 2);
	ASSERT_EQ(do_ioctl(producer, SPSCRING_SHUTDOWN, &down), 0);
	want(self, "shutdown role=producer\n");
	/* neither a second shutdown nor the end of what was shut down is an event */
	ASSERT_EQ(do_ioctl(producer, SPSCRING_SHUTDOWN, &down), 0);
	spscring_unmap(&self->p_map);
	close(producer);
	dies(_metadata, self, consumer, SPSCRING_CONSUMER);
	want(self, "death role=consumer generation=1 head=1 tail=3\n");
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, refused)
{
	make_ring(_metadata, self, 64);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, 0), -EBUSY);
	EXPECT_EQ(spscring_open(RING(.capacity = 0, .record_size = 8)), -EINVAL);
	EXPECT_STREQ(self->want, seen(self));
}

/* ----------------------------------------------------------------- broken */

TEST_F(trace, broken_by_user)
{
	struct spscring_shutdown down = {
		.size = sizeof(down), .flags = SPSCRING_SHUTDOWN_BROKEN,
	};
	int end;

	make_ring(_metadata, self, 64);
	end = claim(_metadata, self, SPSCRING_CONSUMER, 1);
	ASSERT_EQ(do_ioctl(end, SPSCRING_SHUTDOWN, &down), 0);
	want(self, "broken role=consumer\nshutdown role=consumer\n");
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, broken_by_kernel)
{
	make_ring(_metadata, self, 64);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	WRITE_ONCE(*self->p.at.tail, 1ULL << 40);
	start(_metadata, self, SPSCRING_PEER_SINK, 1, 0);
	EXPECT_EQ(finish(_metadata, self), -EPIPE);
	want(self, "broken role=consumer\nshutdown role=consumer\n");
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, broken_at_claim)
{
	int end;

	make_ring(_metadata, self, 64);
	end = claim(_metadata, self, SPSCRING_PRODUCER, 1);
	WRITE_ONCE(*self->p.base.cursor, 1ULL << 40);
	dies(_metadata, self, end, SPSCRING_PRODUCER);
	want(self, "death role=producer generation=1 head=0 tail=%llu\n", 1ULL << 40);
	EXPECT_EQ(claim_end(self->ring, SPSCRING_PRODUCER, 0), -EPIPE);
	want(self, "broken role=none\n");
	EXPECT_STREQ(self->want, seen(self));
}

/* ----------------------------------------------------------- push and pop */

static void want_records(trace_t *self, const char *what, int batch, int n)
{
	int first;

	for (first = 0; first < n; first += batch)
		want(self, "%s first=%d n=%d\n", what, first,
		     first + batch < n ? batch : n - first);
}

/* An event a call, and batches with how many they were. */
static void records(struct __test_metadata *_metadata, trace_t *self, int batch)
{
	make_ring(_metadata, self, 64);
	start(_metadata, self, SPSCRING_PEER_SOURCE, batch, 33);
	ASSERT_EQ(finish(_metadata, self), 0);
	want_records(self, "push", batch, 33);
	want(self, "shutdown role=producer\n");
	start(_metadata, self, SPSCRING_PEER_SINK, batch, 33);
	ASSERT_EQ(finish(_metadata, self), 0);
	want_records(self, "pop", batch, 33);
	want(self, "shutdown role=consumer\n");
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, records)
{
	records(_metadata, self, 1);
}

TEST_F(trace, records_in_batches)
{
	records(_metadata, self, 10);	/* of more than a frame */
}

/* True once all is seen, and nothing else. */
static bool wait_seen(trace_t *self)
{
	struct patience p = {};

	while (strcmp(self->want, seen(self)))
		if (strncmp(self->want, self->seen, strlen(self->seen)) ||
		    !patient(&p, strlen(self->seen)))
			return false;
	return true;
}

/* Once, however often it is tried; and a batch says what found room. */
static void fills_up(struct __test_metadata *_metadata, trace_t *self, int batch, int got)
{
	__u64 v;

	make_ring(_metadata, self, 20);
	claim(_metadata, self, SPSCRING_CONSUMER, 1);
	start(_metadata, self, SPSCRING_PEER_SOURCE, batch, 21);
	want_records(self, "push", got, 20);
	want(self, "full pos=20\n");
	ASSERT_TRUE(wait_seen(self))
		TH_LOG("%s", self->seen);
	sleep_ms(20);
	ASSERT_EQ(pop_answer(&self->c, &v), 0);
	ASSERT_EQ(finish(_metadata, self), 0);
	want(self, "push first=20 n=1\nshutdown role=producer\n");
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, full)
{
	fills_up(_metadata, self, 1, 1);
}

TEST_F(trace, full_in_batches)
{
	fills_up(_metadata, self, 21, 20);
}

/* -------------------------------------------------------------- on and off */

static bool wait_cursors(trace_t *self, __u64 head, __u64 tail)
{
	struct patience p = {};
	struct spscring_info info;

	do {
		info = info_of(self->ring);
		if (info.head == head && info.tail == tail)
			return true;
	} while (patient(&p, info.head + info.tail));
	return false;
}

/* While a kernel end is at it, and has nothing to do: noticed at once. */
static void pushes_switched(struct __test_metadata *_metadata, trace_t *self, int batch)
{
	__u64 v, i;

	ASSERT_EQ(trace_set(self, ALL, "0"), 0);
	make_ring(_metadata, self, 40);
	claim(_metadata, self, SPSCRING_CONSUMER, 1);
	start(_metadata, self, SPSCRING_PEER_SOURCE, batch, 120);
	ASSERT_TRUE(wait_cursors(self, 0, 40));
	self->want[0] = 0;
	EXPECT_STREQ(self->want, seen(self));

	ASSERT_EQ(trace_set(self, PUSHES, "1"), 0);
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(pop_answer(&self->c, &v), 0);
		/* there is room for one, so a batch is of one, too */
		ASSERT_TRUE(wait_cursors(self, i + 1, i + 41));
		want(self, "push first=%ju n=1\n", (uintmax_t)i + 40);
	}
	ASSERT_EQ(trace_set(self, PUSHES, "0"), 0);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(pop_answer(&self->c, &v), 0);
	ASSERT_EQ(finish(_metadata, self), 0);
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, pushes_switched)
{
	pushes_switched(_metadata, self, 1);
}

TEST_F(trace, pushes_switched_in_batches)
{
	pushes_switched(_metadata, self, 10);
}

static void pops_switched(struct __test_metadata *_metadata, trace_t *self, int batch)
{
	__u64 i;

	ASSERT_EQ(trace_set(self, ALL, "0"), 0);
	make_ring(_metadata, self, 40);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	start(_metadata, self, SPSCRING_PEER_SINK, batch, 120);
	self->want[0] = 0;
	for (i = 0; i < 120; i++) {
		if (i == 40)
			ASSERT_EQ(trace_set(self, POPS, "1"), 0);
		if (i == 80)
			ASSERT_EQ(trace_set(self, POPS, "0"), 0);
		ASSERT_EQ(spscring_push(&self->p, &i), 0);
		ASSERT_TRUE(wait_cursors(self, i + 1, i + 1));
		if (i >= 40 && i < 80)
			want(self, "pop first=%ju n=1\n", (uintmax_t)i);
	}
	ASSERT_EQ(finish(_metadata, self), 0);
	EXPECT_STREQ(self->want, seen(self));
}

TEST_F(trace, pops_switched)
{
	pops_switched(_metadata, self, 1);
}

TEST_F(trace, pops_switched_in_batches)
{
	pops_switched(_metadata, self, 10);
}

TEST_HARNESS_MAIN
