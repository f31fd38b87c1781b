// SPDX-License-Identifier: GPL-2.0
/* The events of spscring in tracefs: exactly the expected ones, with their fields. */
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
	char dir[64];		/* of a trace instance, with its own buffer and switches */
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
	ASSERT_EQ(0, negative_errno(mkdir(self->dir, 0700)));
	/* a clock by which the events of two CPUs are in order */
	ASSERT_EQ(0, trace_set(self, "trace_clock", "mono"));
	ASSERT_EQ(0, trace_set(self, ALL, "1"));
	self->peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->peer, 0);
	self->ring = -1;
}

FIXTURE_TEARDOWN(trace)
{
	close_fd(&self->peer);
	close_fd(&self->ring);
	EXPECT_EQ(0, negative_errno(rmdir(self->dir)));
}

/* The events of this ring, a line each, without prefix and id. */
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

	self->ring = spscring_open(RING(.capacity = capacity, .element_size = 8,
					.name = "traced one"));
	ASSERT_GE(self->ring, 0);
	info = info_of(self->ring);
	want(self, "create capacity=%ju element_size=8 ", (uintmax_t)capacity);
	want(self, "frame_size=%u pages=%ju name=traced one\n", info.geometry.frame_size,
	     (uintmax_t)info.geometry.memory / sysconf(_SC_PAGESIZE));
}

static int claim(struct __test_metadata *_metadata, trace_t *self, __u32 role, int generation)
{
	int end = claim_end(self->ring, role, 0);

	ASSERT_EQ(0, role == SPSCRING_PRODUCER ? map_producer(end, &self->p, &self->p_map) :
						 map_consumer(end, &self->c, &self->c_map));
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

	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_START, &start));
	want(self, "endpoint role=%s holder=kernel generation=1\n",
	     op == SPSCRING_PEER_SOURCE ? "producer" : "consumer");
}

/* Wait until the kernel's end is done, and has shut down: its result. */
static int finish(struct __test_metadata *_metadata, trace_t *self)
{
	struct spscring_peer_result result = {};

	ASSERT_EQ(0, do_ioctl(self->peer, SPSCRING_PEER_WAIT, &result));
	EXPECT_EQ(0, result.wrong);
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
	/* a user's push causes no event, because it does not enter the kernel */
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, pop_answer(&self->c, &v));
	dies(_metadata, self, producer, SPSCRING_PRODUCER);
	want(self, "death role=producer generation=1 head=1 tail=3\n");
	/* the claim recovers the dead end's words before it returns */
	want(self, "recover head=1 tail=3\n");
	producer = claim(_metadata, self, SPSCRING_PRODUCER, 2);
	ASSERT_EQ(0, do_ioctl(producer, SPSCRING_SHUTDOWN, &down));
	want(self, "shutdown role=producer\n");
	/* a second shutdown and the close after a shutdown cause no event */
	ASSERT_EQ(0, do_ioctl(producer, SPSCRING_SHUTDOWN, &down));
	spscring_unmap(&self->p_map);
	close(producer);
	dies(_metadata, self, consumer, SPSCRING_CONSUMER);
	want(self, "death role=consumer generation=1 head=1 tail=3\n");
	EXPECT_STREQ(seen(self), self->want);
}

TEST_F(trace, refused)
{
	make_ring(_metadata, self, 64);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	EXPECT_EQ(-EBUSY, claim_end(self->ring, SPSCRING_PRODUCER, 0));
	EXPECT_EQ(-EINVAL, spscring_open(RING(.capacity = 0, .element_size = 8)));
	EXPECT_STREQ(seen(self), self->want);
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
	ASSERT_EQ(0, do_ioctl(end, SPSCRING_SHUTDOWN, &down));
	want(self, "broken role=consumer\nshutdown role=consumer\n");
	EXPECT_STREQ(seen(self), self->want);
}

TEST_F(trace, broken_by_kernel)
{
	make_ring(_metadata, self, 64);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	WRITE_ONCE(*self->p.frame.tail, 1ULL << 40);
	start(_metadata, self, SPSCRING_PEER_SINK, 1, 0);
	EXPECT_EQ(-EPIPE, finish(_metadata, self));
	want(self, "broken role=consumer\nshutdown role=consumer\n");
	EXPECT_STREQ(seen(self), self->want);
}

TEST_F(trace, broken_at_claim)
{
	int end;

	make_ring(_metadata, self, 64);
	end = claim(_metadata, self, SPSCRING_PRODUCER, 1);
	WRITE_ONCE(*self->p.base.cursor, 1ULL << 40);
	dies(_metadata, self, end, SPSCRING_PRODUCER);
	want(self, "death role=producer generation=1 head=0 tail=%llu\n", 1ULL << 40);
	EXPECT_EQ(-EPIPE, claim_end(self->ring, SPSCRING_PRODUCER, 0));
	want(self, "recover head=0 tail=%llu\n", 1ULL << 40);
	want(self, "broken role=none\n");
	EXPECT_STREQ(seen(self), self->want);
}

/* ----------------------------------------------------------- push and pop */

static void want_records(trace_t *self, const char *what, int batch, int n)
{
	int first;

	for (first = 0; first < n; first += batch)
		want(self, "%s first=%d n=%d\n", what, first,
		     first + batch < n ? batch : n - first);
}

/* Each call of the kernel's end is one event with the number of elements that it moved. */
static void records(struct __test_metadata *_metadata, trace_t *self, int batch)
{
	make_ring(_metadata, self, 64);
	start(_metadata, self, SPSCRING_PEER_SOURCE, batch, 33);
	ASSERT_EQ(0, finish(_metadata, self));
	want_records(self, "push", batch, 33);
	want(self, "shutdown role=producer\n");
	start(_metadata, self, SPSCRING_PEER_SINK, batch, 33);
	ASSERT_EQ(0, finish(_metadata, self));
	want_records(self, "pop", batch, 33);
	want(self, "shutdown role=consumer\n");
	EXPECT_STREQ(seen(self), self->want);
}

TEST_F(trace, records)
{
	records(_metadata, self, 1);
}

TEST_F(trace, records_in_batches)
{
	records(_metadata, self, 10);	/* more than a frame holds */
}

/* Wait until the events are exactly the expected ones.  Return: false if they are not. */
static bool wait_seen(trace_t *self)
{
	struct patience p = {};

	while (strcmp(self->want, seen(self)))
		if (strncmp(self->want, self->seen, strlen(self->seen)) ||
		    !patient(&p, strlen(self->seen)))
			return false;
	return true;
}

/* A full ring causes one event for any number of tries; a batch's event has the number pushed. */
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
	ASSERT_EQ(0, pop_answer(&self->c, &v));
	ASSERT_EQ(0, finish(_metadata, self));
	want(self, "push first=20 n=1\nshutdown role=producer\n");
	EXPECT_STREQ(seen(self), self->want);
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

/* A running end notices at once that an event is enabled or disabled. */
static void pushes_switched(struct __test_metadata *_metadata, trace_t *self, int batch)
{
	__u64 v, i;

	ASSERT_EQ(0, trace_set(self, ALL, "0"));
	make_ring(_metadata, self, 40);
	claim(_metadata, self, SPSCRING_CONSUMER, 1);
	start(_metadata, self, SPSCRING_PEER_SOURCE, batch, 120);
	ASSERT_TRUE(wait_cursors(self, 0, 40));
	self->want[0] = 0;
	EXPECT_STREQ(seen(self), self->want);

	ASSERT_EQ(0, trace_set(self, PUSHES, "1"));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, pop_answer(&self->c, &v));
		/* there is room for one element, so a batch has one */
		ASSERT_TRUE(wait_cursors(self, i + 1, i + 41));
		want(self, "push first=%ju n=1\n", (uintmax_t)i + 40);
	}
	ASSERT_EQ(0, trace_set(self, PUSHES, "0"));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, pop_answer(&self->c, &v));
	ASSERT_EQ(0, finish(_metadata, self));
	EXPECT_STREQ(seen(self), self->want);
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

	ASSERT_EQ(0, trace_set(self, ALL, "0"));
	make_ring(_metadata, self, 40);
	claim(_metadata, self, SPSCRING_PRODUCER, 1);
	start(_metadata, self, SPSCRING_PEER_SINK, batch, 120);
	self->want[0] = 0;
	for (i = 0; i < 120; i++) {
		if (i == 40)
			ASSERT_EQ(0, trace_set(self, POPS, "1"));
		if (i == 80)
			ASSERT_EQ(0, trace_set(self, POPS, "0"));
		ASSERT_EQ(0, spscring_push(&self->p, &i));
		ASSERT_TRUE(wait_cursors(self, i + 1, i + 1));
		if (i >= 40 && i < 80)
			want(self, "pop first=%ju n=1\n", (uintmax_t)i);
	}
	ASSERT_EQ(0, finish(_metadata, self));
	EXPECT_STREQ(seen(self), self->want);
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
