// SPDX-License-Identifier: MIT
/* Waits: a short spin, then a sleep in the kernel.  And the arming of pollers. */
#include <errno.h>
#include <sys/ioctl.h>

#include "memfd.h"

static int wait_ioctl(int fd, uint32_t flags, uint64_t index, int64_t deadline)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = flags, .index = index, .deadline = deadline,
	};

	return ioctl(fd, SPSCRING_WAIT, &want) ? -errno : 0;
}

/* Wait for index @pos + @n; -EINVAL if @n is more than @capacity. */
static int sleep_for(int fd, uint32_t flags, uint64_t pos, uint64_t n, uint64_t capacity,
		     int64_t deadline)
{
	if (!n || n > capacity)
		return -EINVAL;
	return wait_ioctl(fd, flags, pos + n, deadline);
}

/* Sleep until @has says that @n are there, in a ring of the module or without it. */
static int sleep_for_data(const struct spscring_consumer_base *b, uint64_t n, int64_t deadline,
			  int (*has)(const void *end, __u64 n))
{
	struct memfd_wait wait = {
		.kernel = b->kernel, .producer = b->peer, .fd = (int)b->fd,
		.role = SPSCRING_CONSUMER, .flags = b->flags, .event = b->pos + n,
		.cursor = *b->cursor, .has = has, .end = b, .n = n,
	};

	if (!(b->features & SPSCRING_FEATURE_MEMFD))
		return sleep_for((int)b->fd, 0, b->pos, n, b->capacity, deadline);
	return n && n <= b->capacity ? spscring_memfd_sleep(&wait, deadline) : -EINVAL;
}

static int sleep_for_room(const struct spscring_producer_base *b, uint64_t n, int64_t deadline)
{
	struct memfd_wait wait = {
		.kernel = b->kernel, .fd = (int)b->fd, .role = SPSCRING_PRODUCER,
		.flags = b->flags, .event = b->pos + n - b->capacity,
		.has = spscring_end_has_room, .end = b, .n = n,
	};

	if (!(b->features & SPSCRING_FEATURE_MEMFD))
		return sleep_for((int)b->fd, 0, b->pos, n, b->capacity, deadline);
	return n && n <= b->capacity ? spscring_memfd_sleep(&wait, deadline) : -EINVAL;
}

static int has_elements(const void *c, __u64 n)
{
	return spscring_has_elements(c, n);
}

static int has_bytes(const void *c, __u64 bytes)
{
	return spscring_record_has_bytes(c, bytes);
}

int spscring_wait_elements(struct spscring_consumer *c, uint64_t n, int64_t deadline)
{
	const struct spscring_consumer_base *b = &c->base;
	int err;

	if (b->error)
		return b->error;
	if (n && spscring_spin_elements(c, n))
		err = 0;
	else
		err = sleep_for_data(b, n, deadline, has_elements);
	/*
	 * The producer stores tails in order.  The kernel may have read a later frame's tail
	 * from a lying producer; without this check the caller would wait again for ever.
	 */
	return err || spscring_has_elements(c, 1) ? err : -EPIPE;
}

int spscring_record_wait_bytes(struct spscring_record_consumer *c, uint64_t bytes,
			       int64_t deadline)
{
	const struct spscring_consumer_base *b = &c->base;
	int err;

	if (b->error)
		return b->error;
	if (bytes && spscring_record_spin_bytes(c, bytes))
		err = 0;
	else
		err = sleep_for_data(b, bytes, deadline, has_bytes);
	return err || spscring_record_first_is_there(c) ? err : -EPIPE;
}

static int wait_room(struct spscring_producer_base *p, uint64_t n, int64_t deadline)
{
	if (p->error)
		return p->error;
	if (n && spscring_base_spin_room(p, n))
		return 0;
	return sleep_for_room(p, n, deadline);
}

int spscring_wait_room(struct spscring_producer *p, uint64_t n, int64_t deadline)
{
	return wait_room(&p->base, n, deadline);
}

int spscring_record_wait_room(struct spscring_record_producer *p, uint64_t bytes, int64_t deadline)
{
	return wait_room(&p->base, bytes, deadline);
}

static int arm_data(const struct spscring_consumer_base *c, uint64_t n)
{
	if (c->error)
		return c->error;
	return c->features & SPSCRING_FEATURE_MEMFD ? -EOPNOTSUPP :
		sleep_for((int)c->fd, SPSCRING_WAIT_ARM, c->pos, n, c->capacity, -1);
}

int spscring_arm_elements(struct spscring_consumer *c, uint64_t n)
{
	return arm_data(&c->base, n);
}

int spscring_record_arm_bytes(struct spscring_record_consumer *c, uint64_t bytes)
{
	return arm_data(&c->base, bytes);
}

static int arm_room(const struct spscring_producer_base *p, uint64_t n)
{
	if (p->error)
		return p->error;
	return p->features & SPSCRING_FEATURE_MEMFD ? -EOPNOTSUPP :
		sleep_for((int)p->fd, SPSCRING_WAIT_ARM, p->pos, n, p->capacity, -1);
}

int spscring_arm_room(struct spscring_producer *p, uint64_t n)
{
	return arm_room(&p->base, n);
}

int spscring_record_arm_room(struct spscring_record_producer *p, uint64_t bytes)
{
	return arm_room(&p->base, bytes);
}
