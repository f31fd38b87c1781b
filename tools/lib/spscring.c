// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memfd.h"

int spscring_open(struct spscring_create *want)
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

int spscring_claim(int ring_fd, uint32_t role, uint32_t element_size, uint64_t type_tag)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .role = role, .element_size = element_size,
		.type_tag = type_tag,
	};
	int fd = ioctl(ring_fd, SPSCRING_ENDPOINT, &want);

	if (fd >= 0)
		return fd;
	if (errno != ENOTTY)
		return -errno;
	return spscring_memfd_claim(ring_fd, role, element_size, type_tag);
}

int spscring_get_info_as(int fd, struct spscring_info *info, size_t size)
{
	struct spscring_info whole = { .size = sizeof(whole) };
	int err;

	if (size < offsetof(struct spscring_info, producer_sleep))
		return -EINVAL;
	memset(info, 0, size);
	info->size = (__u32)size;
	if (!ioctl(fd, SPSCRING_INFO, info))
		return 0;
	if (errno != ENOTTY)
		return -errno;
	err = spscring_memfd_info(fd, &whole);
	if (err)
		return err;
	if (size < sizeof(whole))
		whole.size = (__u32)size;
	memcpy(info, &whole, whole.size);
	return 0;
}

int (spscring_get_info)(int fd, struct spscring_info *info)
{
	return spscring_get_info(fd, info);
}

int spscring_shutdown(int endpoint_fd, uint32_t flags)
{
	struct spscring_shutdown down = { .size = sizeof(down), .flags = flags };

	if (!ioctl(endpoint_fd, SPSCRING_SHUTDOWN, &down))
		return 0;
	return errno == ENOTTY ? spscring_memfd_shutdown(endpoint_fd, flags) : -errno;
}

int spscring_shutdown_producer(struct spscring_producer *p)
{
	spscring_producer_fail(&p->base, -ESHUTDOWN);
	return spscring_shutdown((int)p->base.fd, 0);
}

int spscring_record_shutdown_producer(struct spscring_record_producer *p)
{
	spscring_producer_fail(&p->base, -ESHUTDOWN);
	return spscring_shutdown((int)p->base.fd, 0);
}

int spscring_shutdown_consumer(struct spscring_consumer *c)
{
	spscring_consumer_fail(c, -ESHUTDOWN);
	return spscring_shutdown((int)c->base.fd, 0);
}

int spscring_record_shutdown_consumer(struct spscring_record_consumer *c)
{
	spscring_record_consumer_fail(c, -ESHUTDOWN);
	return spscring_shutdown((int)c->base.fd, 0);
}

/* Get the ring's geometry, if its element size and type tag are the expected ones. */
static int geometry_of(int endpoint_fd, struct spscring_geometry *g, uint32_t element_size,
		       uint64_t type_tag)
{
	struct spscring_info info;
	int err = spscring_get_info(endpoint_fd, &info);

	if (err)
		return err;
	*g = info.geometry;
	if (g->oldest_reader > SPSCRING_VERSION)
		return -EPROTONOSUPPORT;
	return g->element_size != element_size || g->type_tag != type_tag ? -EPROTOTYPE : 0;
}

/* MAP_POPULATE data of huge pages: otherwise each first access would take a page fault. */
static void *map_part(int fd, const struct spscring_geometry *g, int prot, uint64_t from,
		      size_t size)
{
	int populate = g->features & SPSCRING_FEATURE_HUGE ? MAP_POPULATE : 0;
	void *at = mmap(NULL, size, prot, MAP_SHARED | populate, fd, from);

	return at == MAP_FAILED ? NULL : at;
}

/* An end maps its pages in two parts, each a range of offsets in the fd. */
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

static uint32_t spin_max(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPSCRING_SPIN_MAX : 0;
}

/* Where the sections of the ring are in an end's two mappings. */
struct end_pages {
	struct spscring_geometry g;
	struct spscring_mapping map;
	char *consumer, *info, *producer, *data;
};

static int map_memfd(int fd, uint32_t role, struct end_pages *e)
{
	struct memfd_ring r;
	char *base;
	int err = spscring_memfd_ring_of(fd, &r);

	if (err)
		return err;
	if (r.role != role)
		return -EACCES;
	err = spscring_memfd_map(&r, role, &e->map, &base);
	if (err)
		return err;
	e->consumer = base + e->g.consumer_offset;
	e->info = base + e->g.info_offset;
	e->producer = base + e->g.producer_offset;
	e->data = base + e->g.data_offset;
	return 0;
}

static int map_pages(int fd, uint32_t role, uint32_t element_size, uint64_t type_tag,
		     struct end_pages *e)
{
	struct spscring_geometry *g = &e->g;
	char *peer, *own;
	uint64_t end;
	int err;

	err = geometry_of(fd, g, element_size, type_tag);
	if (err)
		return err;
	if (g->features & SPSCRING_FEATURE_MEMFD)
		return map_memfd(fd, role, e);
	end = g->consumer_offset + spscring_mapped_bytes(g);
	if (role == SPSCRING_PRODUCER)
		err = map_end(&e->map, fd, g, g->consumer_offset, g->producer_offset,
			      g->producer_offset, end);
	else
		err = map_end(&e->map, fd, g, g->info_offset, end,
			      g->consumer_offset, g->info_offset);
	if (err)
		return err;
	peer = e->map.read_only;
	own = e->map.writable;
	e->consumer = role == SPSCRING_PRODUCER ? peer : own;
	e->info = role == SPSCRING_PRODUCER ? peer + (g->info_offset - g->consumer_offset) : peer;
	e->producer = role == SPSCRING_PRODUCER ? own :
		peer + (g->producer_offset - g->info_offset);
	e->data = e->producer + (g->data_offset - g->producer_offset);
	return 0;
}

/* Complete a new handle's base; with an error @err, unmap the pages and return @err. */
static int begin_producer(struct spscring_producer_base *p, int fd, const struct end_pages *e,
			  int err, struct spscring_mapping *map)
{
	if (err) {
		spscring_unmap(&e->map);
		return err;
	}
	p->fd = fd;
	p->spin_max = spin_max();
	p->spin = p->spin_max;
	if (map)
		*map = e->map;
	return 0;
}

static int begin_consumer(struct spscring_consumer_base *c, int fd, const struct end_pages *e,
			  int err, struct spscring_mapping *map)
{
	if (err) {
		spscring_unmap(&e->map);
		return err;
	}
	c->fd = fd;
	c->spin_max = spin_max();
	c->spin = c->spin_max;
	if (map)
		*map = e->map;
	return 0;
}

int spscring_map_producer_as(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			     uint64_t type_tag, struct spscring_mapping *map, uint64_t handle)
{
	struct end_pages e;
	int err;

	if (handle != SPSCRING_HANDLE(*p))
		return -EPROTONOSUPPORT;
	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = map_pages(endpoint_fd, SPSCRING_PRODUCER, element_size, type_tag, &e);
	if (err)
		return err;
	err = spscring_producer_init(p, &e.g, e.consumer, e.info, e.producer, e.data);
	return begin_producer(&p->base, endpoint_fd, &e, err, map);
}

int spscring_map_consumer_as(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			     uint64_t type_tag, struct spscring_mapping *map, uint64_t handle)
{
	struct end_pages e;
	int err;

	if (handle != SPSCRING_HANDLE(*c))
		return -EPROTONOSUPPORT;
	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = map_pages(endpoint_fd, SPSCRING_CONSUMER, element_size, type_tag, &e);
	if (err)
		return err;
	err = spscring_consumer_init(c, &e.g, e.consumer, e.info, e.data);
	return begin_consumer(&c->base, endpoint_fd, &e, err, map);
}

int spscring_record_map_producer_as(int endpoint_fd, struct spscring_record_producer *p,
				    uint64_t type_tag, struct spscring_mapping *map,
				    uint64_t handle)
{
	struct end_pages e;
	int err;

	if (handle != SPSCRING_HANDLE(*p))
		return -EPROTONOSUPPORT;
	err = map_pages(endpoint_fd, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE, type_tag, &e);
	if (err)
		return err;
	err = spscring_record_producer_init(p, &e.g, e.consumer, e.info, e.producer, e.data);
	return begin_producer(&p->base, endpoint_fd, &e, err, map);
}

int spscring_record_map_consumer_as(int endpoint_fd, struct spscring_record_consumer *c,
				    uint64_t type_tag, struct spscring_mapping *map,
				    uint64_t handle)
{
	struct end_pages e;
	int err;

	if (handle != SPSCRING_HANDLE(*c))
		return -EPROTONOSUPPORT;
	err = map_pages(endpoint_fd, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE, type_tag, &e);
	if (err)
		return err;
	err = spscring_record_consumer_init(c, &e.g, e.consumer, e.info, e.data);
	return begin_consumer(&c->base, endpoint_fd, &e, err, map);
}

/* The functions, for languages that have no macros; the parentheses keep the macros away. */
int (spscring_map_producer)(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			    uint64_t type_tag, struct spscring_mapping *map)
{
	return spscring_map_producer(endpoint_fd, p, element_size, type_tag, map);
}

int (spscring_map_consumer)(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			    uint64_t type_tag, struct spscring_mapping *map)
{
	return spscring_map_consumer(endpoint_fd, c, element_size, type_tag, map);
}

int (spscring_record_map_producer)(int endpoint_fd, struct spscring_record_producer *p,
				   uint64_t type_tag, struct spscring_mapping *map)
{
	return spscring_record_map_producer(endpoint_fd, p, type_tag, map);
}

int (spscring_record_map_consumer)(int endpoint_fd, struct spscring_record_consumer *c,
				   uint64_t type_tag, struct spscring_mapping *map)
{
	return spscring_record_map_consumer(endpoint_fd, c, type_tag, map);
}

void spscring_unmap(const struct spscring_mapping *map)
{
	munmap(map->read_only, map->read_only_size);
	munmap(map->writable, map->writable_size);
}

/* ------------------------------------------------------- gather, scatter */

/* The length in bytes; a sum that overflows becomes more than any record can have. */
static uint64_t iov_bytes(const struct iovec *iov, int n)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < n && bytes <= UINT32_MAX; i++)
		bytes += iov[i].iov_len <= UINT32_MAX ? iov[i].iov_len : UINT64_C(1) << 32;
	return bytes;
}

int spscring_record_pushv(struct spscring_record_producer *p, const struct iovec *iov, int n)
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

/* The caller's buffers have room for the whole record. */
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

long spscring_record_popv(struct spscring_record_consumer *c, const struct iovec *iov, int n)
{
	uint64_t size = iov_bytes(iov, n);

	return spscring_record_pop_by(c, (void *)iov, size < UINT32_MAX ? size : UINT32_MAX,
				      scatter);
}

/* ------------------------------------------------------------------ notify */

int spscring_notify(int endpoint_fd, uint64_t watermark, uint64_t timeout, int eventfd)
{
	struct spscring_notify want = {
		.size = sizeof(want), .watermark = watermark,
		.eventfd = eventfd, .timeout = timeout,
	};
	struct memfd_ring memfd;

	if (watermark > UINT32_MAX)
		return -EINVAL;
	if (!ioctl(endpoint_fd, SPSCRING_NOTIFY, &want))
		return 0;
	if (errno != ENOTTY)
		return -errno;
	return spscring_memfd_ring_of(endpoint_fd, &memfd) ? -ENOTTY : -EOPNOTSUPP;
}

