// SPDX-License-Identifier: MIT
/*
 * The structs of layout 4, as old callers pass them: of the first size of each, where a module that
 * reads or writes more is found out.  The header beside this file
 * is a copy from the release, and the kernel's own is not used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spscring.h"
#include "kselftest_harness.h"

/* What the programs of then have compiled in. */
#define CREATE_SIZE	72
#define ENDPOINT_SIZE	24
#define SHUTDOWN_SIZE	8
#define WAIT_SIZE	24
#define NOTIFY_SIZE	24
#define INFO_FIRST_SIZE	224	/* without counters of sleep and loss */
#define INFO_SIZE	416

#define TAG		0x1122334455667788ULL

#define old_t FIXTURE_DATA(old)
#define where_t FIXTURE_VARIANT(old)

FIXTURE(old)
{
	char *edge;		/* the memory ends here */
	long page;
	int ring, producer, consumer;
};

FIXTURE_VARIANT(old)
{
	long gap;		/* from the end of a struct to the edge, in bytes */
};

/* What reads too much fails, */
FIXTURE_VARIANT_ADD(old, edge)
{
	.gap = 0,
};

/* and what writes too much shows. */
FIXTURE_VARIANT_ADD(old, middle)
{
	.gap = 256,
};

static long answer(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* Put a struct before the edge: nobody may touch a byte around it. */
static void *place(old_t *self, const where_t *where, const void *what, size_t size)
{
	memset(self->edge - self->page, 0xa5, (size_t)self->page);
	return memcpy(self->edge - where->gap - size, what, size);
}

/* Has only the struct changed? */
static int only(const old_t *self, const where_t *where, size_t size)
{
	const unsigned char *at = (const unsigned char *)self->edge - self->page;
	const size_t end = (size_t)(self->page - where->gap);
	size_t i;

	for (i = 0; i < (size_t)self->page; i++)
		if (at[i] != 0xa5 && (i < end - size || i >= end))
			return 0;
	return 1;
}

static long call(old_t *self, const where_t *where, int fd, unsigned long cmd, const void *what,
		 size_t size)
{
	long ret = answer(ioctl(fd, cmd, place(self, where, what, size)));

	return only(self, where, size) ? ret : -EOVERFLOW;
}

static struct spscring_create create_of(__u32 flags, __u64 capacity, __u32 element_size)
{
	return (struct spscring_create) {
		.size = CREATE_SIZE, .flags = flags, .capacity = capacity,
		.element_size = element_size, .type_tag = TAG, .name = "old",
	};
}

static long create(old_t *self, const where_t *where, __u32 flags, __u64 capacity,
		   __u32 element_size)
{
	struct spscring_create want = create_of(flags, capacity, element_size);
	int fd = open("/dev/spscring", O_RDWR | O_CLOEXEC);
	long ret = call(self, where, fd, SPSCRING_CREATE, &want, CREATE_SIZE);

	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static long claim(old_t *self, const where_t *where, __u32 role, __u32 element_size,
		  __u64 tag)
{
	struct spscring_endpoint want = {
		.size = ENDPOINT_SIZE, .role = role, .element_size = element_size, .type_tag = tag,
	};

	return call(self, where, self->ring, SPSCRING_ENDPOINT, &want, ENDPOINT_SIZE);
}

FIXTURE_SETUP(old)
{
	if (access("/dev/spscring", R_OK | W_OK))
		SKIP(return, "/dev/spscring: %s; is spscring.ko loaded?", strerror(errno));
	self->page = sysconf(_SC_PAGESIZE);
	self->edge = mmap(NULL, (size_t)self->page * 2, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->edge);
	self->edge += self->page;
	ASSERT_EQ(0, munmap(self->edge, (size_t)self->page));
	self->ring = (int)create(self, variant, 0, 100, 16);
	ASSERT_GE(self->ring, 0);
	self->producer = (int)claim(self, variant, SPSCRING_PRODUCER, 16, TAG);
	ASSERT_GE(self->producer, 0);
	self->consumer = (int)claim(self, variant, SPSCRING_CONSUMER, 16, TAG);
	ASSERT_GE(self->consumer, 0);
}

FIXTURE_TEARDOWN(old)
{
	munmap(self->edge - self->page, (size_t)self->page);
	close(self->producer);
	close(self->consumer);
	close(self->ring);
}

TEST_F(old, sizes_are_those_of_then)
{
	EXPECT_EQ(CREATE_SIZE, sizeof(struct spscring_create));
	EXPECT_EQ(ENDPOINT_SIZE, sizeof(struct spscring_endpoint));
	EXPECT_EQ(SHUTDOWN_SIZE, sizeof(struct spscring_shutdown));
	EXPECT_EQ(WAIT_SIZE, sizeof(struct spscring_wait));
	EXPECT_EQ(NOTIFY_SIZE, sizeof(struct spscring_notify));
	EXPECT_EQ(INFO_SIZE, sizeof(struct spscring_info));
	EXPECT_EQ(INFO_FIRST_SIZE, offsetof(struct spscring_info, producer_sleep));
}

TEST_F(old, create)
{
	static const struct { __u32 flags; __u64 capacity; __u32 element_size; } rings[] = {
		{ 0, 1, 1 },
		{ SPSCRING_CREATE_NUMA_NODE, 10, 8 },
		{ SPSCRING_CREATE_BUSY_POLL, 4096, 8 },
		{ SPSCRING_CREATE_FENCE, 4096, SPSCRING_ELEMENT_MAX },
		{ SPSCRING_CREATE_RECORDS, 65536, SPSCRING_VARIABLE_SIZE },
		{ SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP, 4096, SPSCRING_VARIABLE_SIZE },
		{ SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE, 4096,
		  SPSCRING_VARIABLE_SIZE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		long fd = create(self, variant, rings[i].flags, rings[i].capacity,
				 rings[i].element_size);

		EXPECT_GE(fd, 0)
			TH_LOG("ring %zu: %ld", i, fd);
		close((int)fd);
	}
}

/* The kernel reports nothing behind the struct of a caller that has no room for it. */
TEST_F(old, create_refused)
{
	EXPECT_EQ(-EINVAL, create(self, variant, 0, 0, 8));
	EXPECT_EQ(-EINVAL, create(self, variant, 0, 1, SPSCRING_ELEMENT_MAX + 1));
	EXPECT_EQ(-EINVAL, create(self, variant, 1U << 31, 1, 1));
	EXPECT_EQ(-EINVAL, create(self, variant, SPSCRING_CREATE_DROP, 64, 8));
	EXPECT_EQ(-EINVAL, create(self, variant,
				  SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE, 1, 1));
	EXPECT_EQ(-E2BIG, create(self, variant, 0, SPSCRING_DATA_MAX, 8));
}

TEST_F(old, claim_refused)
{
	EXPECT_EQ(-EBUSY, claim(self, variant, SPSCRING_PRODUCER, 16, TAG));
	EXPECT_EQ(-EPROTOTYPE, claim(self, variant, SPSCRING_PRODUCER, 8, TAG));
	EXPECT_EQ(-EPROTOTYPE, claim(self, variant, SPSCRING_PRODUCER, 16, TAG + 1));
	EXPECT_EQ(-EINVAL, claim(self, variant, 3, 16, TAG));
}

TEST_F(old, info)
{
	static const __u32 sizes[] = { INFO_FIRST_SIZE, INFO_SIZE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct spscring_info info = { .size = sizes[i] };
		const struct spscring_geometry *g = &info.geometry;

		ASSERT_EQ(0, call(self, variant, self->ring, SPSCRING_INFO, &info, sizes[i]));
		memset(&info, 0, sizeof(info));
		memcpy(&info, self->edge - variant->gap - sizes[i], sizes[i]);
		EXPECT_EQ(sizes[i], info.size);
		EXPECT_EQ(0, info.flags);
		EXPECT_EQ(100, g->capacity);
		EXPECT_EQ(16, g->element_size);
		EXPECT_EQ(TAG, g->type_tag);
		EXPECT_EQ(0, g->flags);
		/* a program of layout 4 can read it */
		EXPECT_GE(g->version, SPSCRING_VERSION);
		EXPECT_LE(g->oldest_reader, SPSCRING_VERSION);
		EXPECT_EQ(0, strcmp("old", (char *)info.name));
		EXPECT_EQ(0, info.head);
		EXPECT_EQ(0, info.tail);
		EXPECT_EQ(100, info.free);
		EXPECT_EQ(SPSCRING_HELD, info.producer_state);
		EXPECT_EQ(1, info.producer_generation);
		EXPECT_EQ(SPSCRING_HELD, info.consumer_state);
		EXPECT_EQ(1, info.consumer_generation);
		EXPECT_EQ(0, info.broken);
		EXPECT_EQ(0, info.reserved);
	}
}

TEST_F(old, wait_notify_kick_shutdown)
{
	struct spscring_notify notify = { .size = NOTIFY_SIZE, .watermark = 2 };
	struct spscring_wait wait = { .size = WAIT_SIZE, .index = 1, .deadline = 0 };
	struct spscring_shutdown down = { .size = SHUTDOWN_SIZE };

	EXPECT_EQ(-ETIMEDOUT, call(self, variant, self->consumer, SPSCRING_WAIT, &wait, WAIT_SIZE));
	wait.index = 100;
	EXPECT_EQ(0, call(self, variant, self->producer, SPSCRING_WAIT, &wait, WAIT_SIZE));
	wait.flags = SPSCRING_WAIT_ARM;
	wait.deadline = -1;
	EXPECT_EQ(0, call(self, variant, self->consumer, SPSCRING_WAIT, &wait, WAIT_SIZE));
	notify.eventfd = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(notify.eventfd, 0);
	EXPECT_EQ(0, call(self, variant, self->consumer, SPSCRING_NOTIFY, &notify, NOTIFY_SIZE));
	EXPECT_EQ(0, answer(ioctl(self->producer, SPSCRING_KICK, 0)));
	EXPECT_EQ(0, answer(ioctl(self->producer, SPSCRING_KICK, SPSCRING_KICK_NOW)));
	EXPECT_EQ(0, call(self, variant, self->producer, SPSCRING_SHUTDOWN, &down, SHUTDOWN_SIZE));
	wait.flags = 0;
	EXPECT_EQ(-ESHUTDOWN, call(self, variant, self->consumer, SPSCRING_WAIT, &wait, WAIT_SIZE));
	close(notify.eventfd);
}

TEST_HARNESS_MAIN
