// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "spscring.h"

int spscring_open(const struct spscring_create *want)
{
	int fd = open("/dev/spscring", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SPSCRING_CREATE, want)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int spscring_claim(int ring_fd, uint32_t role, uint64_t type_tag)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .role = role, .type_tag = type_tag,
	};
	int fd = ioctl(ring_fd, SPSCRING_ENDPOINT, &want);

	return fd < 0 ? -errno : fd;
}

int spscring_get_info(int fd, struct spscring_info *info)
{
	*info = (struct spscring_info){ .size = sizeof(*info) };
	return ioctl(fd, SPSCRING_INFO, info) ? -errno : 0;
}

int spscring_shutdown(int endpoint_fd, uint32_t flags)
{
	struct spscring_shutdown down = { .size = sizeof(down), .flags = flags };

	return ioctl(endpoint_fd, SPSCRING_SHUTDOWN, &down) ? -errno : 0;
}

/* What an end's mapping is made from. */
static int geometry_of(int endpoint_fd, struct spscring_geometry *g)
{
	struct spscring_info info;
	int err = spscring_get_info(endpoint_fd, &info);

	if (err)
		return err;
	*g = info.geometry;
	return g->oldest_reader > SPSCRING_VERSION ? -EPROTONOSUPPORT : 0;
}

/* Chunks would be mapped as they are touched: better at once. */
static void *map_part(int fd, const struct spscring_geometry *g, int prot, uint64_t from,
		      size_t size)
{
	int populate = g->features & SPSCRING_FEATURE_HUGE ? MAP_POPULATE : 0;
	void *at = mmap(NULL, size, prot, MAP_SHARED | populate, fd, from);

	return at == MAP_FAILED ? NULL : at;
}

/* Both parts of an end's pages, each from one offset to another. */
static int map_end(struct spscring_mapping *map, int fd, const struct spscring_geometry *g,
		   uint64_t ro_from, uint64_t ro_to, uint64_t rw_from, uint64_t rw_to)
{
	map->read_only_size = ro_to - ro_from;
	map->writable_size = rw_to - rw_from;
	map->read_only = map_part(fd, g, PROT_READ, ro_from, map->read_only_size);
	if (!map->read_only)
		return -errno;
	map->writable = map_part(fd, g, PROT_READ | PROT_WRITE, rw_from, map->writable_size);
	if (!map->writable) {
		int err = -errno;

		munmap(map->read_only, map->read_only_size);
		return err;
	}
	return 0;
}

static int membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

/* What this process does for a peer that sleeps. */
static uint32_t wake_of(const struct spscring_geometry *g)
{
	if (g->flags & SPSCRING_CREATE_BUSY_POLL)
		return SPSCRING_WAKE_NEVER;
	if (g->flags & SPSCRING_CREATE_ASYMMETRIC &&
	    !membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
		return SPSCRING_WAKE_ASYMMETRIC;
	return SPSCRING_WAKE_FENCE;
}

static uint32_t spin_max(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPSCRING_SPIN_MAX : 0;
}

int spscring_map_producer(int endpoint_fd, struct spscring_producer *p,
			  struct spscring_mapping *map)
{
	struct spscring_mapping unasked;
	struct spscring_geometry g;
	uint64_t end;
	int err;

	if (!map)
		map = &unasked;
	err = geometry_of(endpoint_fd, &g);
	if (err)
		return err;
	end = g.consumer_offset + spscring_mapped_bytes(&g);
	err = map_end(map, endpoint_fd, &g, g.consumer_offset, g.producer_offset,
		      g.producer_offset, end);
	if (err)
		return err;
	spscring_producer_init(p, &g, map->read_only,
			       (char *)map->read_only + g.info_offset - g.consumer_offset,
			       map->writable,
			       (char *)map->writable + g.data_offset - g.producer_offset);
	p->fd = endpoint_fd;
	spscring_producer_wakes(p, wake_of(&g));
	p->spin_max = spin_max();
	p->spin = p->spin_max;
	return 0;
}

int spscring_map_consumer(int endpoint_fd, struct spscring_consumer *c,
			  struct spscring_mapping *map)
{
	struct spscring_mapping unasked;
	struct spscring_geometry g;
	uint64_t end;
	int err;

	if (!map)
		map = &unasked;
	err = geometry_of(endpoint_fd, &g);
	if (err)
		return err;
	end = g.consumer_offset + spscring_mapped_bytes(&g);
	err = map_end(map, endpoint_fd, &g, g.info_offset, end,
		      g.consumer_offset, g.info_offset);
	if (err)
		return err;
	spscring_consumer_init(c, &g, map->writable, map->read_only,
			       (char *)map->read_only + g.data_offset - g.info_offset);
	c->fd = endpoint_fd;
	spscring_consumer_wakes(c, wake_of(&g));
	c->spin_max = spin_max();
	c->spin = c->spin_max;
	return 0;
}

void spscring_unmap(const struct spscring_mapping *map)
{
	munmap(map->read_only, map->read_only_size);
	munmap(map->writable, map->writable_size);
}

/* ------------------------------------------------------- gather, scatter */

/* In bytes, or more than any record has. */
static uint64_t iov_bytes(const struct iovec *iov, int n)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < n && bytes <= UINT32_MAX; i++)
		bytes += iov[i].iov_len <= UINT32_MAX ? iov[i].iov_len : UINT64_C(1) << 32;
	return bytes;
}

int spscring_record_pushv(struct spscring_producer *p, const struct iovec *iov, int n)
{
	uint64_t length = iov_bytes(iov, n);
	void *rec;
	char *to;
	int i, err;

	if (length > UINT32_MAX)
		return -EMSGSIZE;
	err = spscring_record_reserve(p, length, &rec);
	if (err)
		return err;
	for (i = 0, to = rec; i < n; to += iov[i++].iov_len)
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
	spscring_record_commit_all(p);
	return 0;
}

/* There is room for all of it. */
static int scatter(void *to, const void *rec, __u32 length)
{
	const struct iovec *iov = to;
	const char *from = rec;

	for (; length; iov++) {
		__u32 some = iov->iov_len < length ? iov->iov_len : length;

		memcpy(iov->iov_base, from, some);
		from += some;
		length -= some;
	}
	return 0;
}

long spscring_record_popv(struct spscring_consumer *c, const struct iovec *iov, int n)
{
	uint64_t size = iov_bytes(iov, n);

	return spscring_record_pop_by(c, (void *)iov, size < UINT32_MAX ? size : UINT32_MAX,
				      scatter);
}

/* ------------------------------------------------------------------ sleep */

static int wait_ioctl(int fd, uint32_t flags, uint64_t index, int64_t deadline)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = flags, .index = index, .deadline = deadline,
	};

	return ioctl(fd, SPSCRING_WAIT, &want) ? -errno : 0;
}

/*
 * Where the index is told, but an asymmetric ring's peer has not fenced, have its
 * CPUs do so in its place, and the kernel look for what was there before.
 */
static int sleep_on(int fd, uint32_t flags, uint64_t index, int64_t deadline)
{
	int err;

	while ((err = wait_ioctl(fd, flags, index, deadline)) == -EAGAIN)
		if (membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED))
			return -errno;
	return err;
}

int spscring_wait_records(struct spscring_consumer *c, uint64_t n, int64_t deadline)
{
	int err;

	if (!n)
		return -EINVAL;
	err = spscring_spin_records(c, n) ? 0 : sleep_on(c->fd, 0, c->pos + n, deadline);
	/* tails come in order; a later one alone would have the caller try for ever */
	return err || spscring_first_is_there(c) ? err : -EPIPE;
}

int spscring_wait_room(struct spscring_producer *p, uint64_t n, int64_t deadline)
{
	if (!n)
		return -EINVAL;
	return spscring_spin_room(p, n) ? 0 : sleep_on(p->fd, 0, p->pos + n, deadline);
}

int spscring_arm_records(struct spscring_consumer *c, uint64_t n)
{
	return n ? sleep_on(c->fd, SPSCRING_WAIT_ARM, c->pos + n, -1) : -EINVAL;
}

int spscring_arm_room(struct spscring_producer *p, uint64_t n)
{
	return n ? sleep_on(p->fd, SPSCRING_WAIT_ARM, p->pos + n, -1) : -EINVAL;
}

int spscring_notify(int endpoint_fd, uint32_t records, uint64_t timeout, int eventfd)
{
	struct spscring_notify want = {
		.size = sizeof(want), .records = records, .eventfd = eventfd, .timeout = timeout,
	};

	return ioctl(endpoint_fd, SPSCRING_NOTIFY, &want) ? -errno : 0;
}
