// SPDX-License-Identifier: MIT
/*
 * Rings without the module, on a memfd.
 *
 * The file has the sections of a ring of the module, in the same order and with the same words.
 * The ends, which trust each other, do what the kernel does there: a claim recovers a dead end by
 * the same rules (<spscring/view.h>), and both ends write the kernel's block.
 *
 * An endpoint fd is the file opened anew, so it has an open file description of its own.  The
 * description has a lock (F_OFD_SETLK) on the byte of its role, which the kernel drops once the
 * last fd and the last mapping of the description are gone.  Its file offset says which role it is
 * good for.  The offsets are beyond the end of the file, where read() finds nothing and write() is
 * refused by the seal, so neither moves the offset.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U		/* Linux 6.3 */
#endif

#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define OFFSET_ROLE	(INT64_C(1) << 40)	/* the file offset of a ring fd; a role's follow */

/* ------------------------------------------------------------------- pages */

/* Map from @from up to @to, in the order in which all fds of rings map their sections. */
static int map_part(const struct memfd_ring *r, char *base, uint64_t from, uint64_t to, int prot)
{
	const struct spscring_geometry *g = &r->page.geometry;
	uint64_t end = to < g->memory ? to : g->memory;

	if (mmap(base + from, end - from, prot, MAP_SHARED | MAP_FIXED, r->fd, (off_t)from) ==
	    MAP_FAILED)
		return -errno;
	/* the data of a ring of records, a second time */
	if (to > g->memory && mmap(base + g->memory, to - g->memory, prot, MAP_SHARED | MAP_FIXED,
				   r->fd, (off_t)g->data_offset) == MAP_FAILED)
		return -errno;
	return 0;
}

/**
 * spscring_memfd_map() - map a ring
 * @r: the ring
 * @role: whose mapping it is, or 0 to have all of it writable
 * @map: the mapping
 * @base: set to where the consumer's page is; the other sections follow
 *
 * A forked child has no copy of the mapping, as of a ring of the module.
 *
 * Return: 0, or a negative errno.
 */
int spscring_memfd_map(const struct memfd_ring *r, __u32 role, struct spscring_mapping *map,
		       char **base)
{
	const struct spscring_geometry *g = &r->page.geometry;
	uint64_t size = spscring_mapped_bytes(g);
	uint64_t ro_from = 0, ro_to = 0, rw_from = 0, rw_to = size;
	int err;

	if (role == SPSCRING_PRODUCER) {
		ro_to = g->info_offset;
		rw_from = ro_to;
	} else if (role == SPSCRING_CONSUMER) {
		rw_to = g->producer_offset;
		ro_from = rw_to;
		ro_to = size;
	}
	*base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (*base == MAP_FAILED)
		return -errno;
	err = map_part(r, *base, rw_from, rw_to, PROT_READ | PROT_WRITE);
	if (!err && ro_to)
		err = map_part(r, *base, ro_from, ro_to, PROT_READ);
	if (!err && madvise(*base, size, MADV_DONTFORK))
		err = -errno;
	if (err)
		munmap(*base, size);
	map->read_only = *base + ro_from;
	map->read_only_size = ro_to - ro_from;
	map->writable = *base + rw_from;
	map->writable_size = rw_to - rw_from;
	return err;
}

static struct spscring_view view_of(const struct memfd_ring *r, char *base)
{
	const struct spscring_geometry *g = &r->page.geometry;
	struct spscring_view v = { .geometry = *g };

	v.blocks = spscring_blocks(g, base + g->consumer_offset, base + g->info_offset,
				   base + g->producer_offset);
	v.data = base + g->data_offset;
	return v;
}

/* ---------------------------------------------------------------- identity */

/* Is this a geometry that spscring_open_memfd() makes? */
static int geometry_is_valid(const struct spscring_geometry *g)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = g->flags, .capacity = g->capacity,
		.element_size = g->element_size, .frame_size = g->frame_size,
		.type_tag = g->type_tag,
	};
	struct spscring_geometry again;

	if (g->features != SPSCRING_FEATURE_MEMFD || g->colour % SPSCRING_LINE ||
	    g->colour / SPSCRING_LINE >= SPSCRING_COLOURS)
		return 0;
	/* the alignment is not in there, but few values are possible */
	for (want.align = 1; want.align <= SPSCRING_RECORD_ALIGN_MAX; want.align *= 2) {
		if (spscring_create_why(&want) ||
		    spscring_geometry_init(&again, &want, (__u32)sysconf(_SC_PAGESIZE)))
			continue;
		again.features = g->features;
		again.colour = g->colour;
		again.version = g->version;
		again.oldest_reader = g->oldest_reader;
		if (!memcmp(&again, g, sizeof(again)))
			return 1;
	}
	return 0;
}

/**
 * spscring_memfd_ring_of() - find out whether an fd is of a ring without the module
 * @fd: any fd
 * @r: the result
 *
 * Return: 0; -ENOTTY it is not; -EPERM it is another user's, whom this program must not trust;
 * -EPROTONOSUPPORT it is one of a later layout.
 */
int spscring_memfd_ring_of(int fd, struct memfd_ring *r)
{
	const struct spscring_geometry *g = &r->page.geometry;
	long page = sysconf(_SC_PAGESIZE);
	int seals = fcntl(fd, F_GET_SEALS);
	int64_t role = lseek(fd, 0, SEEK_CUR) - OFFSET_ROLE;
	struct stat file;

	r->fd = fd;
	r->role = (__u32)role;
	if (seals < 0 || (seals & SEALS) != SEALS || role < 0 || role > SPSCRING_CONSUMER ||
	    fstat(fd, &file) || pread(fd, &r->page, sizeof(r->page), page) != sizeof(r->page) ||
	    r->page.magic != SPSCRING_MAGIC)
		return -ENOTTY;
	if (file.st_uid != geteuid())
		return -EPERM;
	if (g->oldest_reader > SPSCRING_VERSION)
		return -EPROTONOSUPPORT;
	return (uint64_t)file.st_size == g->memory && geometry_is_valid(g) ? 0 : -ENOTTY;
}

/* -------------------------------------------------------------------- make */

/* Copy the caller's struct, of whatever size, as the kernel does. */
static int copy_want(struct spscring_create *to, const struct spscring_create *from)
{
	const size_t oldest = offsetof(struct spscring_create, why);
	const char *bytes = (const char *)from;
	size_t i;

	if (from->size < oldest)
		return -EINVAL;
	for (i = sizeof(*to); i < from->size; i++)
		if (bytes[i])
			return -E2BIG;
	memset(to, 0, sizeof(*to));
	memcpy(to, from, from->size < sizeof(*to) ? from->size : sizeof(*to));
	return 0;
}

static int make_file(const char *name, const struct spscring_geometry *g)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)g->memory) || fcntl(fd, F_ADD_SEALS, SEALS) ||
	    lseek(fd, OFFSET_ROLE, SEEK_SET) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Where the control blocks are in their pages differs from ring to ring, for the caches' sake. */
static __u32 colour_of(int fd)
{
	struct stat file;

	return fstat(fd, &file) ? 0 : (__u32)(file.st_ino % SPSCRING_COLOURS) * SPSCRING_LINE;
}

static int fill_in(struct memfd_ring *r)
{
	struct spscring_mapping map;
	struct spscring_view v;
	char *base;
	int err;

	r->page.geometry.colour = colour_of(r->fd);
	r->page.geometry.features = SPSCRING_FEATURE_MEMFD;
	err = spscring_memfd_map(r, 0, &map, &base);
	if (err)
		return err;
	v = view_of(r, base);
	spscring_kernel_block_init(v.blocks.kernel, v.geometry.flags);
	memcpy(base + v.geometry.info_offset, &r->page, sizeof(r->page));
	spscring_unmap(&map);
	return 0;
}

int spscring_open_memfd(struct spscring_create *want)
{
	struct memfd_ring r = { .page.magic = SPSCRING_MAGIC };
	char name[SPSCRING_NAME_MAX + sizeof("spscring:")];
	struct spscring_create copy;
	int err;
	__u32 why;

	err = copy_want(&copy, want);
	if (err)
		return err;
	why = spscring_create_why(&copy);
	if (want->size >= offsetof(struct spscring_create, why) + sizeof(want->why))
		want->why = why;
	if (why)
		return why == SPSCRING_WHY_TOO_LARGE ? -E2BIG : -EINVAL;
	if (copy.flags & SPSCRING_CREATE_NUMA_NODE)
		return -EOPNOTSUPP;
	if (!(copy.flags & SPSCRING_CREATE_BUSY_POLL))
		copy.flags |= SPSCRING_CREATE_FENCE;
	err = spscring_geometry_init(&r.page.geometry, &copy, (__u32)sysconf(_SC_PAGESIZE));
	if (err)
		return err;
	memcpy(r.page.name, copy.name, sizeof(r.page.name));
	snprintf(name, sizeof(name), "spscring:%.*s", SPSCRING_NAME_MAX, (const char *)copy.name);
	r.fd = make_file(name, &r.page.geometry);
	if (r.fd < 0)
		return r.fd;
	err = fill_in(&r);
	if (err) {
		close(r.fd);
		return err;
	}
	return r.fd;
}

/* ------------------------------------------------------------------ claims */

static int walk_on(const struct spscring_view *v)
{
	(void)v;
	return 0;
}

static void looked(const struct spscring_view *v, __u64 head, __u64 tail)
{
	(void)v;
	(void)head;
	(void)tail;
}

/* The end is nobody's but the caller's: recover it, and hold it. */
static int take_end(const struct spscring_view *v, __u32 role)
{
	static const struct spscring_recover_ops ops = { .walk_on = walk_on, .looked = looked };
	struct spscring_kernel_block *kernel = v->blocks.kernel;
	__u64 *state = memfd_state(kernel, role), was = spscring_load_acquire(state);
	__u64 *event = role == SPSCRING_PRODUCER ? &kernel->producer_event :
		&kernel->consumer_event;
	int err = 0;

	if (SPSCRING_END_STATE(was) == SPSCRING_SHUT_DOWN)
		return -ESHUTDOWN;
	if (spscring_read_once(kernel->broken))
		return -EPIPE;
	if (SPSCRING_END_STATE(was) == SPSCRING_DEAD)
		err = spscring_recover(v, role, &ops);
	if (err) {
		spscring_write_once(kernel->broken, 1);
		spscring_memfd_wake(kernel, memfd_peer(role));
		return err;
	}
	/* what the dead holder slept for is over */
	if (!(v->geometry.flags & SPSCRING_CREATE_BUSY_POLL))
		spscring_write_once(*event, SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE);
	spscring_write_once(memfd_end(kernel, role)->now_at, 0);
	spscring_store_release(state, ((was >> 32) + 1) << 32 | SPSCRING_HELD);
	return 0;
}

/* Open the ring's file anew, as an end. */
static int open_end(int ring_fd, __u32 role)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ring_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (lseek(fd, OFFSET_ROLE + role, SEEK_SET) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int lock_and_take(int fd, __u32 role, const struct spscring_view *v)
{
	__u32 state;
	int err;

	if (spscring_memfd_lock(fd, F_OFD_SETLKW, F_WRLCK, MEMFD_LOCK_CLAIM))
		return -errno;
	if (!spscring_memfd_lock(fd, F_OFD_SETLK, F_WRLCK, role)) {
		/* a holder that has gone left its end as held; this fd's own lock does not count */
		spscring_memfd_look(v->blocks.kernel, fd, role);
		err = take_end(v, role);
	} else {
		err = -errno;
		state = SPSCRING_END_STATE(spscring_load_acquire(memfd_state(v->blocks.kernel,
									     role)));
		if (err == -EAGAIN || err == -EACCES)
			err = state == SPSCRING_SHUT_DOWN ? -ESHUTDOWN : -EBUSY;
	}
	spscring_memfd_lock(fd, F_OFD_SETLK, F_UNLCK, MEMFD_LOCK_CLAIM);
	return err;
}

int spscring_memfd_claim(int ring_fd, __u32 role, __u32 element_size, __u64 type_tag)
{
	struct spscring_mapping map;
	struct spscring_view v;
	struct memfd_ring r;
	char *base;
	int err;

	err = spscring_memfd_ring_of(ring_fd, &r);
	if (err)
		return err;
	if (r.role)
		return -EPERM;
	if (role != SPSCRING_PRODUCER && role != SPSCRING_CONSUMER)
		return -EINVAL;
	if (r.page.geometry.element_size != element_size || r.page.geometry.type_tag != type_tag)
		return -EPROTOTYPE;
	err = spscring_memfd_map(&r, 0, &map, &base);
	if (err)
		return err;
	v = view_of(&r, base);
	err = open_end(ring_fd, role);
	if (err >= 0) {
		int fd = err;

		err = lock_and_take(fd, role, &v);
		if (err)
			close(fd);
		else
			err = fd;
	}
	spscring_unmap(&map);
	return err;
}

/* ------------------------------------------------------------ the other calls */

int spscring_memfd_shutdown(int fd, __u32 flags)
{
	struct spscring_mapping map;
	struct spscring_view v;
	struct memfd_ring r;
	__u64 *state, was;
	char *base;
	int err;

	err = spscring_memfd_ring_of(fd, &r);
	if (err)
		return err;
	if (!r.role)
		return -EPERM;
	if (flags & ~SPSCRING_SHUTDOWN_BROKEN)
		return -EINVAL;
	err = spscring_memfd_map(&r, 0, &map, &base);
	if (err)
		return err;
	v = view_of(&r, base);
	if (flags & SPSCRING_SHUTDOWN_BROKEN)
		spscring_write_once(v.blocks.kernel->broken, 1);
	state = memfd_state(v.blocks.kernel, r.role);
	was = spscring_read_once(*state);
	if (SPSCRING_END_STATE(was) == SPSCRING_HELD)
		/* (I) pairs with (J) */
		spscring_store_release(state, was - SPSCRING_HELD + SPSCRING_SHUT_DOWN);
	spscring_memfd_wake(v.blocks.kernel, r.role);
	spscring_memfd_wake(v.blocks.kernel, memfd_peer(r.role));
	spscring_unmap(&map);
	return 0;
}

int spscring_memfd_info(int fd, struct spscring_info *info)
{
	const struct spscring_kernel_block *kernel;
	struct spscring_mapping map;
	struct spscring_view v;
	struct memfd_ring r;
	struct stat file;
	char *base;
	int err;

	err = spscring_memfd_ring_of(fd, &r);
	if (!err)
		err = spscring_memfd_map(&r, 0, &map, &base);
	if (err)
		return err;
	v = view_of(&r, base);
	kernel = v.blocks.kernel;
	if (r.role != SPSCRING_PRODUCER)
		spscring_memfd_look(kernel, fd, SPSCRING_PRODUCER);
	if (r.role != SPSCRING_CONSUMER)
		spscring_memfd_look(kernel, fd, SPSCRING_CONSUMER);
	spscring_view_info(&v, info);
	memcpy(info->name, r.page.name, sizeof(info->name));
	info->producer_state = SPSCRING_END_STATE(spscring_load_acquire(&kernel->producer));
	info->producer_generation = SPSCRING_END_GENERATION(kernel->producer);
	info->consumer_state = SPSCRING_END_STATE(spscring_load_acquire(&kernel->consumer));
	info->consumer_generation = SPSCRING_END_GENERATION(kernel->consumer);
	info->broken = (__u32)spscring_read_once(kernel->broken);
	info->producer_sleep = memfd_end(kernel, SPSCRING_PRODUCER)->count;
	info->consumer_sleep = memfd_end(kernel, SPSCRING_CONSUMER)->count;
	info->id = fstat(fd, &file) ? 0 : file.st_ino;
	spscring_unmap(&map);
	return 0;
}
