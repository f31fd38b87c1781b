// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static void *map_part(int fd, int prot, uint64_t from, size_t size)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED, fd, from);

	return at == MAP_FAILED ? NULL : at;
}

/* Both parts of an end's pages; the one that begins at @from is @size long. */
static int map_end(struct spscring_mapping *map, int fd, uint64_t ro_from, size_t ro_size,
		   uint64_t rw_from, size_t rw_size)
{
	map->read_only_size = ro_size;
	map->writable_size = rw_size;
	map->read_only = map_part(fd, PROT_READ, ro_from, ro_size);
	if (!map->read_only)
		return -errno;
	map->writable = map_part(fd, PROT_READ | PROT_WRITE, rw_from, rw_size);
	if (!map->writable) {
		int err = -errno;

		munmap(map->read_only, ro_size);
		return err;
	}
	return 0;
}

int spscring_map_producer(int endpoint_fd, struct spscring_producer *p,
			  struct spscring_mapping *map)
{
	struct spscring_mapping unasked;
	struct spscring_geometry g;
	int err;

	if (!map)
		map = &unasked;
	err = geometry_of(endpoint_fd, &g);
	if (err)
		return err;
	err = map_end(map, endpoint_fd, g.consumer_offset, g.producer_offset,
		      g.producer_offset, g.memory - g.producer_offset);
	if (err)
		return err;
	spscring_producer_init(p, &g, map->read_only,
			       (char *)map->read_only + g.info_offset - g.consumer_offset,
			       map->writable,
			       (char *)map->writable + g.data_offset - g.producer_offset);
	return 0;
}

int spscring_map_consumer(int endpoint_fd, struct spscring_consumer *c,
			  struct spscring_mapping *map)
{
	struct spscring_mapping unasked;
	struct spscring_geometry g;
	int err;

	if (!map)
		map = &unasked;
	err = geometry_of(endpoint_fd, &g);
	if (err)
		return err;
	err = map_end(map, endpoint_fd, g.info_offset, g.memory - g.info_offset,
		      g.consumer_offset, g.info_offset - g.consumer_offset);
	if (err)
		return err;
	spscring_consumer_init(c, &g, map->writable, map->read_only,
			       (char *)map->read_only + g.data_offset - g.info_offset);
	return 0;
}

void spscring_unmap(const struct spscring_mapping *map)
{
	munmap(map->read_only, map->read_only_size);
	munmap(map->writable, map->writable_size);
}
