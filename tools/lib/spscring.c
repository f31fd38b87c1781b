// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

int spscring_claim(int ring_fd, uint32_t role, uint32_t element_size, uint64_t type_tag)
{
	struct spscring_endpoint want = {
		.size = sizeof(want), .role = role, .element_size = element_size,
		.type_tag = type_tag,
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

int spscring_map_producer(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map)
{
	struct end_pages e;
	int err;

	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = map_pages(endpoint_fd, SPSCRING_PRODUCER, element_size, type_tag, &e);
	if (err)
		return err;
	err = spscring_producer_init(p, &e.g, e.consumer, e.info, e.producer, e.data);
	return begin_producer(&p->base, endpoint_fd, &e, err, map);
}

int spscring_map_consumer(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map)
{
	struct end_pages e;
	int err;

	if (element_size == SPSCRING_VARIABLE_SIZE)
		return -EINVAL;
	err = map_pages(endpoint_fd, SPSCRING_CONSUMER, element_size, type_tag, &e);
	if (err)
		return err;
	err = spscring_consumer_init(c, &e.g, e.consumer, e.info, e.data);
	return begin_consumer(&c->base, endpoint_fd, &e, err, map);
}

int spscring_record_map_producer(int endpoint_fd, struct spscring_record_producer *p,
				 uint64_t type_tag, struct spscring_mapping *map)
{
	struct end_pages e;
	int err;

	err = map_pages(endpoint_fd, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE, type_tag, &e);
	if (err)
		return err;
	err = spscring_record_producer_init(p, &e.g, e.consumer, e.info, e.producer, e.data);
	return begin_producer(&p->base, endpoint_fd, &e, err, map);
}

int spscring_record_map_consumer(int endpoint_fd, struct spscring_record_consumer *c,
				 uint64_t type_tag, struct spscring_mapping *map)
{
	struct end_pages e;
	int err;

	err = map_pages(endpoint_fd, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE, type_tag, &e);
	if (err)
		return err;
	err = spscring_record_consumer_init(c, &e.g, e.consumer, e.info, e.data);
	return begin_consumer(&c->base, endpoint_fd, &e, err, map);
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

/* ------------------------------------------------------------------ sleep */

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

int spscring_wait_elements(struct spscring_consumer *c, uint64_t n, int64_t deadline)
{
	const struct spscring_consumer_base *b = &c->base;
	int err;

	if (b->error)
		return b->error;
	if (n && spscring_spin_elements(c, n))
		err = 0;
	else
		err = sleep_for(b->fd, 0, b->pos, n, b->capacity, deadline);
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
		err = sleep_for(b->fd, 0, b->pos, bytes, b->capacity, deadline);
	return err || spscring_record_first_is_there(c) ? err : -EPIPE;
}

static int wait_room(struct spscring_producer_base *p, uint64_t n, int64_t deadline)
{
	if (p->error)
		return p->error;
	if (n && spscring_base_spin_room(p, n))
		return 0;
	return sleep_for(p->fd, 0, p->pos, n, p->capacity, deadline);
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
	return c->error ? c->error :
		sleep_for(c->fd, SPSCRING_WAIT_ARM, c->pos, n, c->capacity, -1);
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
	return p->error ? p->error :
		sleep_for(p->fd, SPSCRING_WAIT_ARM, p->pos, n, p->capacity, -1);
}

int spscring_arm_room(struct spscring_producer *p, uint64_t n)
{
	return arm_room(&p->base, n);
}

int spscring_record_arm_room(struct spscring_record_producer *p, uint64_t bytes)
{
	return arm_room(&p->base, bytes);
}

int spscring_notify(int endpoint_fd, uint64_t watermark, uint64_t timeout, int eventfd)
{
	struct spscring_notify want = {
		.size = sizeof(want), .watermark = watermark,
		.eventfd = eventfd, .timeout = timeout,
	};

	if (watermark > UINT32_MAX)
		return -EINVAL;
	return ioctl(endpoint_fd, SPSCRING_NOTIFY, &want) ? -errno : 0;
}

const char *spscring_strerror(uint32_t role, int err)
{
	int produces = role == SPSCRING_PRODUCER;

	switch (err) {
	case -EAGAIN:
		return produces ? "the ring is full" : "the ring is empty";
	case -ESHUTDOWN:
		return produces ? "the consumer takes no more, or this end was shut down" :
			"the producer ended the stream, or this end was shut down";
	case -EPIPE:
		return produces ? "the consumer has died, or the ring is broken" :
			"the producer has died, or the ring is broken";
	case -EMSGSIZE:
		return produces ? "the record is longer than the ring can hold" :
			"the record is longer than the place for it";
	case -ENOBUFS:
		return "the ring is full, and the record is dropped";
	case -EPROTOTYPE:
		return "the ring has another element size or type tag";
	case -EBADFD:
		return "the ring has not been created yet";
	default:
		return strerror(-err);
	}
}
