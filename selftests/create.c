// SPDX-License-Identifier: GPL-2.0
/*
 * CREATE: the errno of every bad parameter, and the ring that good parameters give.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "selftest.h"

FIXTURE(create)
{
	int fd;
};

FIXTURE_SETUP(create)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = device_open();
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(create)
{
	close_fd(&self->fd);
}

#define CREATE(...)	do_ioctl(self->fd, SPSCRING_CREATE, RING(__VA_ARGS__))

#define RECORDS		SPSCRING_CREATE_RECORDS

#define WHY(rule)	SPSCRING_WHY_##rule

static const struct bad {
	int err;
	__u32 why;
	struct spscring_create want;
} bad[] = {
	{ -EINVAL, WHY(CAPACITY), { .capacity = 0, .element_size = 8 } },
	{ -EINVAL, WHY(ELEMENT_SIZE), { .capacity = 1, .element_size = 0 } },
	{ -EINVAL, WHY(ELEMENT_SIZE), { .capacity = 1, .element_size = SPSCRING_ELEMENT_MAX + 1 } },
	{ -EINVAL, WHY(ELEMENT_SIZE), { .capacity = 1, .element_size = 1U << 31 } },
	{ -EINVAL, WHY(ELEMENT_SIZE), { .capacity = 1, .element_size = ~0U } },
	{ -EINVAL, WHY(ALIGN), { .capacity = 1, .element_size = 8, .align = 3 } },
	{ -EINVAL, WHY(ALIGN), { .capacity = 1, .element_size = 8, .align = 65 } },
	{ -EINVAL, WHY(ALIGN), { .capacity = 1, .element_size = 8, .align = 128 } },
	{ -EINVAL, WHY(ALIGN), { .capacity = 1, .element_size = 8, .align = 1U << 31 } },
	{ -EINVAL, WHY(ALIGN), { .capacity = 1, .element_size = 8, .align = ~0U } },
	{ -EINVAL, WHY(FRAME_SIZE), { .capacity = 1, .element_size = 8, .frame_size = 1 } },
	{ -EINVAL, WHY(FRAME_SIZE), { .capacity = 1, .element_size = 8, .frame_size = 32 } },
	{ -EINVAL, WHY(FRAME_SIZE), { .capacity = 1, .element_size = 8, .frame_size = 96 } },
	{ -EINVAL, WHY(FRAME_SIZE), { .capacity = 1, .element_size = 8,
		.frame_size = 2 * SPSCRING_FRAME_MAX } },
	{ -EINVAL, WHY(FRAME_SIZE), { .capacity = 1, .element_size = 8, .frame_size = 1U << 31 } },
	/* no room for the tail and one record */
	{ -EINVAL, WHY(FRAME_ROOM), { .capacity = 1, .element_size = 57, .frame_size = 64 } },
	{ -EINVAL, WHY(FRAME_ROOM), { .capacity = 1, .element_size = 64, .frame_size = 64 } },
	{ -EINVAL, WHY(FRAME_ROOM), { .capacity = 1, .element_size = 8, .align = 64,
		.frame_size = 64 } },
	{ -EINVAL, WHY(FRAME_ROOM), { .capacity = 1, .element_size = 65536, .frame_size = 65536 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = ~0ULL, .element_size = 1 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = 1ULL << 63, .element_size = 1 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX + 1, .element_size = 1 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX, .element_size = 1 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX / 8, .element_size = 8 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX / 65536,
		.element_size = 65536 } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX / 64 * 7 + 1,
		.element_size = 8 } },
	{ -EINVAL, WHY(WAKES), { .capacity = 1, .element_size = 8, .flags = 6 } },
	{ -EINVAL, WHY(RECORDS_SIZE), { .capacity = 1, .element_size = 8, .flags = 8 } },
	{ -EINVAL, WHY(FLAGS), { .capacity = 1, .element_size = 8, .flags = 1U << 31 } },
	{ -EINVAL, WHY(NODE_UNASKED), { .capacity = 1, .element_size = 8, .numa_node = 1 } },
	{ -EINVAL, WHY(NODE_UNASKED), { .capacity = 1, .element_size = 8, .numa_node = -1 } },
	{ -EINVAL, WHY(NODE), { .capacity = 1, .element_size = 8,
		     .flags = SPSCRING_CREATE_NUMA_NODE, .numa_node = -1 } },
	{ -EINVAL, WHY(NODE), { .capacity = 1, .element_size = 8,
		     .flags = SPSCRING_CREATE_NUMA_NODE, .numa_node = -(1 << 30) } },
	{ -EINVAL, WHY(NODE), { .capacity = 1, .element_size = 8,
		     .flags = SPSCRING_CREATE_NUMA_NODE, .numa_node = 1 << 30 } },
	/* records of variable size */
	{ -EINVAL, WHY(RECORDS_CAPACITY), { .capacity = 0, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_CAPACITY), { .capacity = 8, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_MULTIPLE), { .capacity = 20, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_MULTIPLE), { .capacity = 4095, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_SIZE), { .capacity = 4096, .element_size = 8, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_FRAME), { .capacity = 4096, .frame_size = 64, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_ALIGN), { .capacity = 4096, .align = 1, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_ALIGN), { .capacity = 4096, .align = 4, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_ALIGN), { .capacity = 4096, .align = 24, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_ALIGN), { .capacity = 1 << 20, .align = 8192, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_ALIGN), { .capacity = 4096, .align = 1U << 31, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_CAPACITY), { .capacity = 64, .align = 64, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_MULTIPLE), { .capacity = 160, .align = 64, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_CAPACITY), { .capacity = 4096, .align = 4096, .flags = RECORDS } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = SPSCRING_DATA_MAX + 8, .flags = RECORDS } },
	{ -E2BIG, WHY(TOO_LARGE), { .capacity = 1ULL << 63, .flags = RECORDS } },
	{ -EINVAL, WHY(RECORDS_MULTIPLE), { .capacity = ~0ULL, .flags = RECORDS } },
	{ -EINVAL, WHY(LOSSES), { .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_DROP |
		     SPSCRING_CREATE_OVERWRITE } },
	{ -EINVAL, WHY(NEEDS_RECORDS), { .capacity = 1, .element_size = 8,
		.flags = SPSCRING_CREATE_DROP } },
	{ -EINVAL, WHY(NEEDS_RECORDS), { .capacity = 1, .element_size = 8,
		.flags = SPSCRING_CREATE_OVERWRITE } },
	{ -EINVAL, WHY(NEEDS_RECORDS), { .capacity = 4096, .flags = SPSCRING_CREATE_DROP } },
	{ -EINVAL, WHY(WAKES), { .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_BUSY_POLL |
		     SPSCRING_CREATE_FENCE } },
	{ -EINVAL, WHY(FLAGS), { .capacity = 4096, .flags = RECORDS | 128 } },
	{ -EINVAL, WHY(RESERVED), { .capacity = 1, .element_size = 8, .reserved = 1 } },
	/* names: printable ASCII, and only zeros after the first zero */
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = "a\nb" } },
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = "\x1b[1m" } },
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = "\x7f" } },
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = "gr\xc3\xbcn" } },
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = "a\0b" } },
	{ -EINVAL, WHY(NAME), { .capacity = 1, .element_size = 8, .name = { [31] = 'x' } } },
};

TEST_F(create, bad)
{
	struct spscring_create want;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		want = bad[i].want;
		want.size = sizeof(want);
		want.why = ~0U;		/* ignored */
		EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, &want), bad[i].err)
			TH_LOG("line %zu of the table", i);
		EXPECT_EQ(want.why, bad[i].why)
			TH_LOG("line %zu of the table", i);
	}
	/* the failed calls have not changed the fd */
	EXPECT_EQ(CREATE(.capacity = 1, .element_size = 1), 0);
}

/* Each rule is broken by some line, and the library finds all but those on nodes by itself. */
TEST(why)
{
	__u64 seen = 1ULL << SPSCRING_WHY_NODE_CPUSET;	/* see cpuset.numa_node */
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		seen |= 1ULL << bad[i].why;
		EXPECT_EQ(spscring_create_why(&bad[i].want),
			  bad[i].why == SPSCRING_WHY_NODE ? 0 : bad[i].why)
			TH_LOG("line %zu of the table", i);
	}
	EXPECT_EQ(seen, (2ULL << SPSCRING_WHY_TOO_LARGE) - 2);
}

/* The kernel stores why where the size includes it, and there alone. */
TEST_F(create, why_is_stored)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_create *want, bad_name = {
		.size = sizeof(bad_name), .capacity = 1, .element_size = 1, .name = "\n",
		.why = 77,
	};

	bad_name.size = offsetof(struct spscring_create, why);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, &bad_name), -EINVAL);
	EXPECT_EQ(bad_name.why, 77);
	bad_name.size = offsetof(struct spscring_create, why) + 3;
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, &bad_name), -EINVAL);
	EXPECT_EQ(bad_name.why, 77);
	bad_name.size = offsetof(struct spscring_create, reserved);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, &bad_name), -EINVAL);
	EXPECT_EQ(bad_name.why, SPSCRING_WHY_NAME);

	/* in read-only memory the errno stays, and a ring is made as elsewhere */
	want = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(want, MAP_FAILED);
	*want = *RING(.capacity = 1, .element_size = 1, .align = 3);
	ASSERT_EQ(mprotect(want, page, PROT_READ), 0);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, want), -EINVAL);
	ASSERT_EQ(mprotect(want, page, PROT_READ | PROT_WRITE), 0);
	want->align = 0;
	ASSERT_EQ(mprotect(want, page, PROT_READ), 0);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, want), 0);
	ASSERT_EQ(mprotect(want, page, PROT_READ | PROT_WRITE), 0);

	/* an error that is no bad value, and a success, clear what was there */
	want->why = SPSCRING_WHY_NAME;
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, want), -EEXIST);
	EXPECT_EQ(want->why, 0);
	close_fd(&self->fd);
	self->fd = device_open();
	want->why = SPSCRING_WHY_NAME;
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_CREATE, want), 0);
	EXPECT_EQ(want->why, 0);
	munmap(want, page);
}

/* INFO, and the info page with it, describe a ring of records of variable size. */
TEST_F(create, records)
{
	static const struct { __u64 capacity; __u32 align, flags; } good[] = {
		{ 16, 0, RECORDS }, { 16, 8, RECORDS }, { 24, 8, RECORDS | SPSCRING_CREATE_DROP },
		{ 1000, 0, RECORDS | SPSCRING_CREATE_OVERWRITE }, { 128, 64, RECORDS },
		{ 4096, 0, RECORDS | SPSCRING_CREATE_BUSY_POLL }, { 8192, 4096, RECORDS },
		{ 12296, 0, RECORDS | SPSCRING_CREATE_FENCE }, { 1 << 20, 512, RECORDS },
	};
	const __u64 page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;
	struct spscring_info info;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		fd = spscring_open(RING(.capacity = good[i].capacity, .flags = good[i].flags,
					.align = good[i].align));
		ASSERT_GE(fd, 0)
			TH_LOG("line %zu of the table", i);
		info = info_of(fd);
		g = info.geometry;
		EXPECT_EQ(g.capacity, good[i].capacity);
		EXPECT_EQ(g.data_bytes, (good[i].capacity + page - 1) / page * page);
		EXPECT_EQ(g.memory, g.data_bytes + 3 * page);
		EXPECT_EQ(g.stride, good[i].align ? good[i].align : 8);
		EXPECT_EQ(g.flags, good[i].flags);
		EXPECT_EQ(g.element_size | g.frames | g.frame_size | g.frame_elements |
			  g.frame_first, 0);
		EXPECT_EQ(g.publish_batch % g.stride, 0);
		EXPECT_GT(g.publish_batch, 0);
		EXPECT_LE(g.publish_batch, g.capacity / 8 > g.stride ? g.capacity / 8 : g.stride);
		EXPECT_EQ(g.version, SPSCRING_VERSION);
		EXPECT_EQ(g.oldest_reader, SPSCRING_OLDEST_READER);
		EXPECT_EQ(info.length, 0);
		EXPECT_EQ(info.free, good[i].capacity);
		EXPECT_EQ(info.loss.drops | info.loss.overruns | info.loss.high_water |
			  info.loss.sequence, 0);
		close(fd);
	}
}

TEST_F(create, good_names)
{
	static const char * const names[] = {
		"", "a", "two words", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}",
		"exactly thirty-two bytes of name",
	};
	struct spscring_create want;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		want = *RING(.capacity = 1, .element_size = 1);
		memcpy(want.name, names[i], strnlen(names[i], sizeof(want.name)));
		fd = spscring_open(&want);
		EXPECT_GE(fd, 0)
			TH_LOG("name '%s'", names[i]);
		EXPECT_EQ(memcmp(info_of(fd).name, want.name, sizeof(want.name)), 0);
		close(fd);
	}
}

TEST_F(create, numa_node)
{
	EXPECT_EQ(CREATE(.capacity = 1, .element_size = 1,
			 .flags = SPSCRING_CREATE_NUMA_NODE, .numa_node = 0), 0);
	EXPECT_EQ(info_of(self->fd).geometry.flags, SPSCRING_CREATE_NUMA_NODE);
}

/* ------------------------------------------------------------------- cpuset */

#define CGROUPS	"/sys/fs/cgroup"

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = negative_errno(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/* A cgroup that may use the memory of one node, on a machine with two. */
FIXTURE(cpuset)
{
	char dir[64];
};

FIXTURE_SETUP(cpuset)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	if (access("/sys/devices/system/node/node1/meminfo", R_OK))
		SKIP(return, "one memory node");
	err = write_file(CGROUPS, "cgroup.subtree_control", "+cpuset");
	if (err)
		SKIP(return, "no cpuset controller: %s", strerror(-err));
	snprintf(self->dir, sizeof(self->dir), CGROUPS "/spscring-%d", getpid());
	ASSERT_EQ(mkdir(self->dir, 0700), 0);
}

FIXTURE_TEARDOWN(cpuset)
{
	int tries;

	for (tries = 0; tries < 3000 && rmdir(self->dir) && errno == EBUSY; tries++)
		sleep_ms(10);
}

/* Fork a child that may use the memory of @node only. */
static pid_t fork_on(const char *dir, const char *node)
{
	pid_t pid = fork_child();

	if (!pid && (write_file(dir, "cpuset.mems", node) || write_file(dir, "cgroup.procs", "0")))
		_exit(200);
	return pid;
}

static int create_on(int node)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = 1000, .element_size = 8,
		.flags = SPSCRING_CREATE_NUMA_NODE, .numa_node = node,
	};
	int fd = device_open(), err;

	err = do_ioctl(fd, SPSCRING_CREATE, &want);
	close(fd);
	return want.why == SPSCRING_WHY_NODE_CPUSET ? -EXDEV : err;
}

/* CREATE refuses a node that exists but is not in the caller's cpuset. */
TEST_F(cpuset, numa_node)
{
	pid_t pid;

	EXPECT_EQ(create_on(1), 0);
	pid = fork_on(self->dir, "0");
	if (!pid) {
		if (create_on(0))
			_exit(1);
		_exit(create_on(1) == -EXDEV ? 0 : 2);
	}
	EXPECT_EQ(wait_child(pid), 0);
}

/* CREATE fails where the cpuset's node has too little memory, and takes none of another node. */
TEST_F(cpuset, more_than_a_node_has)
{
	char line[128];
	long long kb = 0;
	pid_t pid;
	FILE *f;

	f = fopen("/sys/devices/system/node/node1/meminfo", "r");
	ASSERT_NE(f, NULL);
	while (fgets(line, sizeof(line), f) && sscanf(line, "Node 1 MemTotal: %lld kB", &kb) != 1)
		;
	fclose(f);
	ASSERT_GT(kb, 0);
	/* the ring is larger than the node, and would fit in the other one */
	pid = fork_on(self->dir, "1");
	if (!pid) {
		int fd = device_open();

		_exit(-do_ioctl(fd, SPSCRING_CREATE,
				RING(.capacity = (kb + kb / 2) * 1024 / 4096 * 4096,
				     .flags = SPSCRING_CREATE_RECORDS)));
	}
	EXPECT_EQ(wait_child(pid), ENOMEM);
}

TEST_F(create, once)
{
	EXPECT_EQ(CREATE(.capacity = 5, .element_size = 1), 0);
	EXPECT_EQ(CREATE(.capacity = 6, .element_size = 1), -EEXIST);
	EXPECT_EQ(info_of(self->fd).geometry.capacity, 5);
}

/* Two processes call CREATE on one fd: one makes the ring, the other gets EEXIST. */
TEST_F(create, race)
{
	const __u64 capacity[2] = { 400000, 500000 };	/* large, so that the calls overlap */
	int *go = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int round, fd, mine, theirs;
	pid_t pid;

	ASSERT_NE(go, MAP_FAILED);
	for (round = 0; round < 30; round++) {
		fd = device_open();
		ASSERT_GE(fd, 0);
		*go = 0;
		pid = fork_child();
		if (!pid) {
			while (!READ_ONCE(*go))
				;
			_exit(-do_ioctl(fd, SPSCRING_CREATE,
					RING(.capacity = capacity[1], .element_size = 8)));
		}
		WRITE_ONCE(*go, 1);
		mine = do_ioctl(fd, SPSCRING_CREATE,
				RING(.capacity = capacity[0], .element_size = 8));
		theirs = -wait_child(pid);
		ASSERT_TRUE((!mine && theirs == -EEXIST) || (mine == -EEXIST && !theirs))
			TH_LOG("round %d: %d and %d", round, mine, theirs);
		EXPECT_EQ(info_of(fd).geometry.capacity, capacity[!!mine]);
		close(fd);
	}
}

TEST_F(create, which_fd)
{
	struct spscring_endpoint end = {
		.size = sizeof(end), .role = SPSCRING_PRODUCER, .element_size = 1,
	};
	struct spscring_shutdown down = { .size = sizeof(down) };
	struct spscring_info info;
	int fd;

	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_ENDPOINT, &end), -EBADFD);
	EXPECT_EQ(spscring_get_info(self->fd, &info), -EBADFD);
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0), MAP_FAILED);
	EXPECT_EQ(errno, EBADFD);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_SHUTDOWN, &down), -EPERM);

	ASSERT_EQ(CREATE(.capacity = 1, .element_size = 1), 0);
	EXPECT_EQ(do_ioctl(self->fd, SPSCRING_SHUTDOWN, &down), -EPERM);
	fd = do_ioctl(self->fd, SPSCRING_ENDPOINT, &end);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .element_size = 1)), -EPERM);
	EXPECT_EQ(do_ioctl(fd, SPSCRING_ENDPOINT, &end), -EPERM);
	close(fd);
}

/* ------------------------------------------------------------- capacities */

#define capacity_t	FIXTURE_VARIANT(capacity)

FIXTURE(capacity) {};

FIXTURE_VARIANT(capacity)
{
	__u32 element_size, align, frame_size;
};

FIXTURE_VARIANT_ADD(capacity, 1) { .element_size = 1 };
FIXTURE_VARIANT_ADD(capacity, 3) { .element_size = 3 };
FIXTURE_VARIANT_ADD(capacity, 8) { .element_size = 8 };
FIXTURE_VARIANT_ADD(capacity, 8_frame_4096) { .element_size = 8, .frame_size = 4096 };
FIXTURE_VARIANT_ADD(capacity, 8_align_64) { .element_size = 8, .align = 64 };
FIXTURE_VARIANT_ADD(capacity, 24) { .element_size = 24 };
FIXTURE_VARIANT_ADD(capacity, 64) { .element_size = 64 };
FIXTURE_VARIANT_ADD(capacity, 100_align_1) { .element_size = 100, .align = 1 };
FIXTURE_VARIANT_ADD(capacity, 1000) { .element_size = 1000 };
FIXTURE_VARIANT_ADD(capacity, 4096) { .element_size = 4096 };
FIXTURE_VARIANT_ADD(capacity, 65535) { .element_size = 65535 };
FIXTURE_VARIANT_ADD(capacity, 65536) { .element_size = 65536 };

FIXTURE_SETUP(capacity)
{
	SKIP_WITHOUT_DEVICE();
}

FIXTURE_TEARDOWN(capacity)
{
}

/* The ring is full after exactly @capacity elements, in every lap; and its fd maps as a whole. */
static void exactly(struct __test_metadata *_metadata, const capacity_t *variant,
		    __u64 capacity)
{
	static char record[SPSCRING_ELEMENT_MAX];
	struct spscring_mapping pm, cm;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_info info;
	int ring, pfd, cfd, lap;
	__u64 n;
	char *all;

	ring = spscring_open(RING(.capacity = capacity, .element_size = variant->element_size,
				  .align = variant->align,
				  .frame_size = variant->frame_size));
	ASSERT_GE(ring, 0)
		TH_LOG("capacity %ju", (uintmax_t)capacity);
	pfd = claim_end(ring, SPSCRING_PRODUCER, 0);
	cfd = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(map_producer(pfd, &p, &pm), 0);
	ASSERT_EQ(map_consumer(cfd, &c, &cm), 0);

	for (lap = 0; lap < 3; lap++) {
		for (n = info_of(ring).length; !spscring_push(&p, record); n++)
			;
		EXPECT_EQ(n, capacity)
			TH_LOG("lap %d", lap);
		EXPECT_EQ(push_answer(&p, record), -EAGAIN);
		info = info_of(ring);
		EXPECT_EQ(info.length, capacity);
		EXPECT_EQ(info.free, 0);
		for (n = 0; n < capacity / 2 + 1; n++)
			EXPECT_EQ(spscring_pop(&c, record), 0);
	}

	info = info_of(ring);
	EXPECT_EQ(info.geometry.capacity, capacity);
	EXPECT_EQ(info.length, capacity - capacity / 2 - 1);
	EXPECT_EQ(info.length + info.free, capacity);
	EXPECT_GE(info.geometry.frames * info.geometry.frame_elements, capacity);
	EXPECT_LT((info.geometry.frames - 1) * info.geometry.frame_elements, capacity);

	/* the pages do not begin at 0 where the data are huge pages */
	all = mmap(NULL, info.geometry.memory, PROT_READ, MAP_SHARED, ring,
		   info.geometry.consumer_offset);
	ASSERT_NE(all, MAP_FAILED);
	EXPECT_EQ(touch(all + info.geometry.memory - 1, false), 0);
	munmap(all, info.geometry.memory);
	EXPECT_EQ(mmap(NULL, info.geometry.memory + 1, PROT_READ, MAP_SHARED, ring,
		       info.geometry.consumer_offset), MAP_FAILED);
	EXPECT_EQ(errno, ENXIO);

	spscring_unmap(&pm);
	spscring_unmap(&cm);
	close(pfd);
	close(cfd);
	close(ring);
}

TEST_F(capacity, exact)
{
	static const __u64 capacities[] = { 1, 2, 3, 7, 8, 9, 13, 64, 100 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++)
		exactly(_metadata, variant, capacities[i]);
	if (variant->element_size <= 64)
		exactly(_metadata, variant, 4097);
}

/* --------------------------------------------------------------- geometry */

/* A default frame is the smallest of which tail and remainder take at most 13 %. */
TEST(waste)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;
	__u32 size;

	for (size = 1; size <= SPSCRING_ELEMENT_MAX; size++) {
		ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 4096, .element_size = size),
						 page), 0)
			TH_LOG("record size %u", size);
		ASSERT_EQ(g.stride, size);
		ASSERT_LE(100ULL * (g.frame_size - (__u64)g.frame_elements * size),
			  13ULL * g.frame_size)
			TH_LOG("record size %u, frame %u", size, g.frame_size);
		ASSERT_LE(g.frame_size, SPSCRING_FRAME_MAX);
	}
}

/* Elements lie inside their frame, after its tail, on their alignment. */
TEST(records_lie_well)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;
	__u32 size, align, natural, least;

	for (size = 1; size <= SPSCRING_ELEMENT_MAX; size += size < 300 ? 1 : 97) {
		natural = size & -size;
		if (natural > SPSCRING_ALIGN_MAX)
			natural = SPSCRING_ALIGN_MAX;
		for (align = 0; align <= SPSCRING_ALIGN_MAX; align = align ? 2 * align : 1) {
			least = align ? align : natural;
			ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 1000,
								  .element_size = size,
								  .align = align), page), 0);
			ASSERT_EQ(g.frame_size & (g.frame_size - 1), 0);
			ASSERT_GE(g.frame_size, SPSCRING_FRAME_MIN);
			ASSERT_GE(g.frame_first, 8);
			ASSERT_EQ(g.frame_first % least, 0);
			ASSERT_EQ(g.stride % least, 0);
			ASSERT_GE(g.stride, size);
			ASSERT_LT(g.stride, size + least);
			ASSERT_LE(g.frame_first + (__u64)g.frame_elements * g.stride,
				  g.frame_size);
			ASSERT_GE(g.frames * g.frame_elements, 1000);
			ASSERT_EQ(g.data_bytes % page, 0);
			ASSERT_EQ(g.memory, g.data_bytes + 3 * page);
		}
	}
}

TEST(a_small_ring_has_a_small_frame)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct spscring_geometry g;

	ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 1, .element_size = 1000), page), 0);
	EXPECT_EQ(g.frame_size, 1024);
	ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 1, .element_size = 65536), page), 0);
	EXPECT_EQ(g.frame_size, 131072);
	ASSERT_EQ(spscring_geometry_init(&g, RING(.capacity = 4096, .element_size = 8), page), 0);
	EXPECT_EQ(g.frame_size, 64);
	EXPECT_EQ(g.frame_elements, 7);
}

/* SPSCRING_DATA_MAX limits the data section including tails and padding, to the byte. */
TEST(largest)
{
	const long page = sysconf(_SC_PAGESIZE);
	const __u64 most = SPSCRING_DATA_MAX / 64 * 7;
	struct spscring_geometry g;

	EXPECT_EQ(spscring_geometry_init(&g, RING(.capacity = most, .element_size = 8), page), 0);
	EXPECT_EQ(g.data_bytes, SPSCRING_DATA_MAX);
	EXPECT_EQ(spscring_geometry_init(&g, RING(.capacity = most + 1, .element_size = 8), page),
		  -E2BIG);
}

/* ----------------------------------------- the module's default frame size */

FIXTURE(frame)
{
	struct parameter size;
};

FIXTURE_SETUP(frame)
{
	SKIP_WITHOUT_DEVICE();
	if (!parameter_keep(&self->size, "default_frame_size"))
		SKIP(return, "cannot write the module's parameters");
}

FIXTURE_TEARDOWN(frame)
{
	EXPECT_EQ(parameter_restore(&self->size), 0);
}

/* Make a ring and move its capacity of u64s through it.  Return: its frame size, or an errno. */
static long frame_size_of(struct spscring_create *want)
{
	struct spscring_geometry g;
	struct spscring_producer p;
	struct spscring_consumer c;
	int ring, in, out, err;
	__u64 i, value;

	err = open_ends(want, &ring, &in, &out);
	if (err)
		return err;
	g = info_of(ring).geometry;
	if (want->element_size == sizeof(value)) {
		err = map_producer(in, &p, NULL);
		if (!err)
			err = map_consumer(out, &c, NULL);
		for (i = 0; i < want->capacity && !err; i++)
			err = spscring_push(&p, &i);
		if (!err && spscring_push(&p, &i) != -EAGAIN)
			err = -EBADE;
		for (i = 0; i < want->capacity && !err; i++)
			err = spscring_pop(&c, &value) || value != i ? -EBADE : 0;
	}
	close(in);
	close(out);
	close(ring);
	return err ? err : (long)g.frame_size;
}

TEST_F(frame, by_default)
{
	/* the least capacities that fill 8 frames of 4096 bytes, and 8 of 512 */
	const __u64 many = 8 * (4096 / 8 - 1), some = 8 * (512 / 8 - 1);

	ASSERT_EQ(parameter_set(&self->size, 0), 0);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .element_size = 8)), 64);
	ASSERT_EQ(parameter_set(&self->size, 4096), 0);
	EXPECT_EQ(read_number("/sys/module/spscring/parameters/default_frame_size"), 4096);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .element_size = 8)), 4096);
	EXPECT_EQ(frame_size_of(RING(.capacity = many - 1, .element_size = 8)), 64);
	ASSERT_EQ(parameter_set(&self->size, 512), 0);
	EXPECT_EQ(frame_size_of(RING(.capacity = some, .element_size = 8)), 512);
	EXPECT_EQ(frame_size_of(RING(.capacity = some - 1, .element_size = 8)), 64);
	EXPECT_EQ(frame_size_of(RING(.capacity = 1, .element_size = 8)), 64);
}

/* The default does not apply where CREATE names a frame size, nor to a ring without frames. */
TEST_F(frame, not_by_default)
{
	const __u64 many = 1 << 16;

	ASSERT_EQ(parameter_set(&self->size, 512), 0);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .element_size = 8, .frame_size = 64)), 64);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .element_size = 8, .frame_size = 1024)),
		  1024);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .flags = RECORDS)), 0);
	/* 512 bytes hold no such element; or two, and leave a fifth of the frame unused */
	EXPECT_EQ(frame_size_of(RING(.capacity = 100, .element_size = 1000)), 1024);
	EXPECT_EQ(frame_size_of(RING(.capacity = 1000, .element_size = 200)), 1024);
	ASSERT_EQ(parameter_set(&self->size, SPSCRING_FRAME_MAX), 0);
	EXPECT_EQ(frame_size_of(RING(.capacity = many, .element_size = 8)), 64);
}

TEST_F(frame, refused)
{
	static const long long sizes[] = {
		-1, 1, 8, SPSCRING_FRAME_MIN / 2, 96, 4095, 4097, 2 * SPSCRING_FRAME_MAX, 1U << 31,
	};
	size_t i;

	ASSERT_EQ(parameter_set(&self->size, 128), 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(parameter_set(&self->size, sizes[i]), -EINVAL)
			TH_LOG("%lld", sizes[i]);
	}
	EXPECT_EQ(read_number("/sys/module/spscring/parameters/default_frame_size"), 128);
	EXPECT_EQ(parameter_set(&self->size, SPSCRING_FRAME_MIN), 0);
	EXPECT_EQ(parameter_set(&self->size, SPSCRING_FRAME_MAX), 0);
}

TEST_HARNESS_MAIN
