// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation and each copy from or to user memory, of each call, fails once: the call returns
 * an errno that its description lists, changes nothing, and succeeds when it is made again.
 *
 * A test makes its call with the first one failing, then the second one, and so on, until nothing
 * failed.  The machine's last checks find what was leaked (kmemleak), and
 * a warning in the log.
 *
 * SPSCRING_KO_DIR	where spscring_node.ko is, a driver
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "faults.h"
#include "spscring_node.h"
#include "spscring_peer.h"

#define NODE		"/dev/spscring-node"
#define TRIES_MAX	2000
#define ELEMENTS	4

/* What a call works on.  Before each try everything is made anew. */
struct env {
	int ring, in, out;
	int got;		/* an fd that the call returned */
	int other;		/* an fd that the call needs */
	int pipe[2];
	void *map;
	size_t size;
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 numbers[ELEMENTS];
};

FIXTURE(faults)
{
	int fail_nth;
};

FIXTURE_VARIANT(faults)
{
	int (*prepare)(struct env *e);
	long (*call)(struct env *e);
	/* checks what a call left that returned @ret */
	bool (*holds)(struct env *e, long ret);
	int least;		/* faults that the call meets at least */
	int errors[6];		/* documented, negative; 0 ends them */
};

/* --------------------------------------------------------------- before a call */

static int no_ring(struct env *e)
{
	e->ring = device_open();
	return e->ring < 0 ? e->ring : 0;
}

static int nothing(struct env *e)
{
	(void)e;
	return 0;
}

static int a_ring(struct env *e)
{
	e->ring = spscring_open(RING(.capacity = 64, .element_size = 8));
	return e->ring < 0 ? e->ring : 0;
}

static int ends_of(struct env *e, __u32 flags)
{
	struct spscring_create want = { .size = sizeof(want), .flags = flags };

	if (flags & SPSCRING_CREATE_RECORDS) {
		want.capacity = 4096;
	} else {
		want.capacity = 64;
		want.element_size = 8;
	}
	return open_ends(&want, &e->ring, &e->in, &e->out);
}

static int ends(struct env *e)
{
	return ends_of(e, 0);
}

static int records(struct env *e)
{
	return ends_of(e, SPSCRING_CREATE_RECORDS);
}

/* Both ends, and ELEMENTS numbers in the ring. */
static int filled(struct env *e)
{
	int err = ends(e);

	if (err)
		return err;
	return write(e->in, e->numbers, sizeof(e->numbers)) == sizeof(e->numbers) ? 0 : -errno;
}

static int record_filled(struct env *e)
{
	int err = records(e);

	if (err)
		return err;
	return write(e->in, e->numbers, sizeof(e->numbers)) == sizeof(e->numbers) ? 0 : -errno;
}

/* A producer that died in a ring which has numbers. */
static int a_death(struct env *e)
{
	int err = filled(e);

	if (err)
		return err;
	close_fd(&e->in);
	return wait_state(e->ring, SPSCRING_PRODUCER, SPSCRING_DEAD) ? 0 : -ETIME;
}

static int with_pipe(struct env *e)
{
	int err = filled(e);

	if (err)
		return err;
	return negative_errno(pipe2(e->pipe, O_CLOEXEC | O_NONBLOCK));
}

static int pipe_filled(struct env *e)
{
	int err = ends(e);

	if (err)
		return err;
	if (pipe2(e->pipe, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	return write(e->pipe[1], e->numbers, sizeof(e->numbers)) == sizeof(e->numbers) ? 0 : -errno;
}

static int with_eventfd(struct env *e)
{
	int err = ends(e);

	if (err)
		return err;
	e->other = eventfd(0, EFD_CLOEXEC);
	return e->other < 0 ? -errno : 0;
}

static int with_epoll(struct env *e)
{
	int err = ends(e);

	if (err)
		return err;
	e->other = epoll_create1(EPOLL_CLOEXEC);
	return e->other < 0 ? -errno : 0;
}

static int mapped(struct env *e)
{
	int err = ends(e);

	if (!err)
		err = map_producer(e->in, &e->p, &e->p_map);
	if (!err)
		err = map_consumer(e->out, &e->c, &e->c_map);
	return err;
}

static int with_fdinfo(struct env *e)
{
	char path[64];
	int err = ends(e);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e->in);
	e->other = open(path, O_RDONLY | O_CLOEXEC);
	return e->other < 0 ? -errno : 0;
}

/* A driver, whose node a user may open. */
static int a_driver(struct env *e)
{
	(void)e;
	return access(NODE, F_OK) ? load("spscring_node", "") : 0;
}

static int open_other(struct env *e, const char *path)
{
	e->other = open(path, O_RDWR | O_CLOEXEC);
	return e->other < 0 ? -errno : 0;
}

static int driver_opened(struct env *e)
{
	return a_driver(e) ?: open_other(e, NODE);
}

/* A producer in the kernel, whose start takes what it has begun back if a fault ends it. */
static int with_peer(struct env *e)
{
	return a_ring(e) ?: open_other(e, SPSCRING_PEER_DEVICE);
}

/* ------------------------------------------------------------------ the calls */

static long open_device(struct env *e)
{
	e->got = device_open();
	return e->got;
}

static long start_peer(struct env *e)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_POLLED, .ring_fd = e->ring, .count = 1, .batch = 1, .cpu = -1,
		.flags = SPSCRING_PEER_ARMED,
	};

	return do_ioctl(e->other, SPSCRING_PEER_START, &start);
}

static long create(struct env *e)
{
	return do_ioctl(e->ring, SPSCRING_CREATE, RING(.capacity = 64, .element_size = 8));
}

static long create_large(struct env *e)
{
	return do_ioctl(e->ring, SPSCRING_CREATE, RING(.capacity = 1 << 19, .element_size = 8));
}

static long create_records(struct env *e)
{
	return do_ioctl(e->ring, SPSCRING_CREATE,
			RING(.capacity = 1 << 16, .flags = SPSCRING_CREATE_RECORDS));
}

static long create_polled(struct env *e)
{
	return do_ioctl(e->ring, SPSCRING_CREATE, RING(.capacity = 64, .element_size = 8,
						       .flags = SPSCRING_CREATE_BUSY_POLL));
}

/* The first ring of a user, by the real uid: the rights stay those of root. */
static long create_as_somebody(struct env *e)
{
	static uid_t uid = 70000;
	long ret = negative_errno(syscall(SYS_setresuid, ++uid, -1, -1));

	if (ret)
		return ret;
	ret = create(e);
	while (syscall(SYS_setresuid, 0, -1, -1))
		;
	return ret;
}

static long open_node(struct env *e)
{
	e->got = negative_errno(open(NODE, O_RDWR | O_CLOEXEC));
	return e->got;
}

static long drive(struct env *e)
{
	return negative_errno(ioctl(e->other, NODE_AGAIN));
}

static long claim_producer(struct env *e)
{
	e->got = spscring_claim(e->ring, SPSCRING_PRODUCER, 8, 0);
	return e->got;
}

static long claim_consumer(struct env *e)
{
	e->got = spscring_claim(e->ring, SPSCRING_CONSUMER, 8, 0);
	return e->got;
}

static long map(struct env *e, int fd, int prot, __u64 from, __u64 to)
{
	void *at;

	e->size = to - from;
	at = mmap(NULL, e->size, prot, MAP_SHARED, fd, from);
	if (at == MAP_FAILED)
		return -errno;
	e->map = at;
	return 0;
}

/* INFO is not part of the call that is to fail. */
static struct spscring_geometry geometry;

static int ends_to_map(struct env *e)
{
	int err = ends(e);

	if (!err)
		geometry = info_of(e->ring).geometry;
	return err;
}

static int records_to_map(struct env *e)
{
	int err = records(e);

	if (!err)
		geometry = info_of(e->ring).geometry;
	return err;
}

static long map_own(struct env *e)
{
	return map(e, e->in, PROT_READ | PROT_WRITE, geometry.producer_offset,
		   geometry.consumer_offset + spscring_mapped_bytes(&geometry));
}

static long map_peers(struct env *e)
{
	return map(e, e->in, PROT_READ, geometry.consumer_offset, geometry.producer_offset);
}

static long map_ring(struct env *e)
{
	return map(e, e->ring, PROT_READ, geometry.consumer_offset,
		   geometry.consumer_offset + spscring_mapped_bytes(&geometry));
}

static long get_info(struct env *e)
{
	struct spscring_info info;

	return spscring_get_info(e->ring, &info);
}

static long notify(struct env *e)
{
	return spscring_notify(e->out, 2, 0, e->other);
}

static long arm(struct env *e)
{
	struct spscring_wait want = {
		.size = sizeof(want), .flags = SPSCRING_WAIT_ARM, .index = 1, .deadline = -1,
	};

	return do_ioctl(e->out, SPSCRING_WAIT, &want);
}

/* A deadline in the past: the call sleeps for no time. */
static long wait_late(struct env *e)
{
	struct spscring_wait want = { .size = sizeof(want), .index = 1 };
	int ret = do_ioctl(e->out, SPSCRING_WAIT, &want);

	return ret == -ETIMEDOUT ? 0 : ret;
}

static long kick(struct env *e)
{
	return negative_errno(ioctl(e->in, SPSCRING_KICK, SPSCRING_KICK_NOW));
}

static long shut_down(struct env *e)
{
	return spscring_shutdown(e->in, 0);
}

static long read_some(struct env *e)
{
	__u64 to[ELEMENTS];

	return negative_errno(read(e->out, to, sizeof(to)));
}

static long readv_some(struct env *e)
{
	__u64 to[ELEMENTS];
	struct iovec iov[2] = { { to, 12 }, { (char *)to + 12, 20 } };

	return negative_errno(readv(e->out, iov, 2));
}

static long write_some(struct env *e)
{
	return negative_errno(write(e->in, e->numbers, sizeof(e->numbers)));
}

static long writev_some(struct env *e)
{
	struct iovec iov[2] = { { e->numbers, 12 }, { (char *)e->numbers + 12, 20 } };

	return negative_errno(writev(e->in, iov, 2));
}

static long splice_out(struct env *e)
{
	return negative_errno(splice(e->out, NULL, e->pipe[1], NULL, 4096, SPLICE_F_NONBLOCK));
}

static long splice_in(struct env *e)
{
	return negative_errno(splice(e->pipe[0], NULL, e->in, NULL, 4096, SPLICE_F_NONBLOCK));
}

static long poll_it(struct env *e)
{
	struct pollfd fd = { .fd = e->out, .events = POLLIN };

	return negative_errno(poll(&fd, 1, 0));
}

static long epoll_add(struct env *e)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	return negative_errno(epoll_ctl(e->other, EPOLL_CTL_ADD, e->out, &event));
}

static long set_async(struct env *e)
{
	return negative_errno(fcntl(e->out, F_SETFL, O_ASYNC));
}

static long read_fdinfo(struct env *e)
{
	char text[4096];

	return negative_errno(pread(e->other, text, sizeof(text), 0));
}

/* ------------------------------------------------------------- after a call */

/* A write that failed has published nothing; what it has reported is there. */
static bool written(struct env *e, long ret)
{
	return info_of(e->ring).length == (ret > 0 ? (__u64)ret / 8 : 0);
}

/* A read that failed has released nothing. */
static bool taken(struct env *e, long ret)
{
	return info_of(e->ring).length == ELEMENTS - (ret > 0 ? (__u64)ret / 8 : 0);
}

static bool record_written(struct env *e, long ret)
{
	return (info_of(e->ring).length != 0) == (ret > 0);
}

static bool record_taken(struct env *e, long ret)
{
	return (info_of(e->ring).length == 0) == (ret > 0);
}

static bool unclaimed(struct env *e, long ret)
{
	return state_of(e->ring, SPSCRING_PRODUCER) ==
		(ret < 0 ? SPSCRING_UNCLAIMED : SPSCRING_HELD);
}

static bool still_dead(struct env *e, long ret)
{
	return state_of(e->ring, SPSCRING_PRODUCER) == (ret < 0 ? SPSCRING_DEAD : SPSCRING_HELD) &&
		info_of(e->ring).length == ELEMENTS;
}

static bool not_created(struct env *e, long ret)
{
	struct spscring_info info;

	return spscring_get_info(e->ring, &info) == (ret < 0 ? -EBADFD : 0);
}

static bool not_shut(struct env *e, long ret)
{
	return state_of(e->ring, SPSCRING_PRODUCER) ==
		(ret < 0 ? SPSCRING_HELD : SPSCRING_SHUT_DOWN);
}

/* The ring still moves an element, by read() and write(). */
static bool works(struct env *e, long ret)
{
	__u64 v = 0x1234, got = 0;

	(void)ret;
	return write(e->in, &v, sizeof(v)) == sizeof(v) &&
		read(e->out, &got, sizeof(got)) == sizeof(got) && got == v;
}

/* ---------------------------------------------------------------- the table */

FIXTURE_VARIANT_ADD(faults, open) {
	.prepare = nothing, .call = open_device, .least = 2,
	.errors = { -ENOMEM, -EFAULT, -ENFILE },
};

FIXTURE_VARIANT_ADD(faults, create) {
	.prepare = no_ring, .call = create, .holds = not_created, .least = 4,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, create_as_somebody) {
	.prepare = no_ring, .call = create_as_somebody, .holds = not_created, .least = 5,
	.errors = { -ENOMEM, -EFAULT, -EAGAIN },	/* EAGAIN: setresuid() */
};

FIXTURE_VARIANT_ADD(faults, driver) {
	.prepare = driver_opened, .call = drive, .least = 10,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, open_node) {
	.prepare = a_driver, .call = open_node, .least = 2,
	.errors = { -ENOMEM, -EFAULT, -ENFILE },
};

FIXTURE_VARIANT_ADD(faults, start_peer) {
	.prepare = with_peer, .call = start_peer, .least = 4,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, create_large) {
	.prepare = no_ring, .call = create_large, .holds = not_created, .least = 4,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, create_records) {
	.prepare = no_ring, .call = create_records, .holds = not_created, .least = 4,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, create_polled) {
	.prepare = no_ring, .call = create_polled, .holds = not_created, .least = 4,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, claim) {
	.prepare = a_ring, .call = claim_producer, .holds = unclaimed, .least = 2,
	.errors = { -ENOMEM, -EFAULT, -ENFILE },
};

FIXTURE_VARIANT_ADD(faults, claim_consumer) {
	.prepare = a_ring, .call = claim_consumer, .least = 2,
	.errors = { -ENOMEM, -EFAULT, -ENFILE },
};

FIXTURE_VARIANT_ADD(faults, claim_dead) {
	.prepare = a_death, .call = claim_producer, .holds = still_dead, .least = 2,
	.errors = { -ENOMEM, -EFAULT, -ENFILE },
};

FIXTURE_VARIANT_ADD(faults, map_own) {
	.prepare = ends_to_map, .call = map_own, .holds = works, .least = 2,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, map_records) {
	.prepare = records_to_map, .call = map_own, .least = 2,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, map_peers) {
	.prepare = ends_to_map, .call = map_peers, .holds = works, .least = 2,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, map_ring) {
	.prepare = ends_to_map, .call = map_ring, .holds = works, .least = 2,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, info) {
	.prepare = a_ring, .call = get_info, .least = 2,
	.errors = { -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, notify) {
	.prepare = with_eventfd, .call = notify, .holds = works, .least = 1,
	.errors = { -ENOMEM, -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, arm) {
	.prepare = ends, .call = arm, .holds = works, .least = 1,
	.errors = { -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, wait) {
	.prepare = ends, .call = wait_late, .holds = works, .least = 1,
	.errors = { -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, kick) {
	.prepare = mapped, .call = kick, .least = 0,
};

FIXTURE_VARIANT_ADD(faults, shutdown) {
	.prepare = ends, .call = shut_down, .holds = not_shut, .least = 1,
	.errors = { -EFAULT },
};

FIXTURE_VARIANT_ADD(faults, read) {
	.prepare = filled, .call = read_some, .holds = taken, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, readv) {
	.prepare = filled, .call = readv_some, .holds = taken, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, read_record) {
	.prepare = record_filled, .call = read_some, .holds = record_taken, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, write) {
	.prepare = ends, .call = write_some, .holds = written, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, writev) {
	.prepare = ends, .call = writev_some, .holds = written, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, write_record) {
	.prepare = records, .call = write_some, .holds = record_written, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, splice_out) {
	.prepare = with_pipe, .call = splice_out, .holds = taken, .least = 1,
	.errors = { -EFAULT, -ENOMEM, -EAGAIN },
};

FIXTURE_VARIANT_ADD(faults, splice_in) {
	.prepare = pipe_filled, .call = splice_in, .holds = written, .least = 0,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, poll) {
	.prepare = ends, .call = poll_it, .holds = works, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, epoll) {
	.prepare = with_epoll, .call = epoll_add, .holds = works, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, async) {
	.prepare = ends, .call = set_async, .holds = works, .least = 1,
	.errors = { -ENOMEM },
};

FIXTURE_VARIANT_ADD(faults, fdinfo) {
	.prepare = with_fdinfo, .call = read_fdinfo, .holds = works, .least = 1,
	.errors = { -EFAULT, -ENOMEM },
};

/* ------------------------------------------------------------------ the test */

FIXTURE_SETUP(faults)
{
	SKIP_WITHOUT_DEVICE();
	self->fail_nth = faults_open();
	if (self->fail_nth < 0)
		SKIP(return, "%s: this kernel injects no faults", strerror(-self->fail_nth));
	ASSERT_EQ(0, faults_select(0));
}

FIXTURE_TEARDOWN(faults)
{
	close_fd(&self->fail_nth);
	if (!access(NODE, F_OK))
		EXPECT_EQ(0, unload("spscring_node"));
}

static void forget(struct env *e)
{
	if (e->map)
		munmap(e->map, e->size);
	if (e->p_map.read_only)
		spscring_unmap(&e->p_map);
	if (e->c_map.read_only)
		spscring_unmap(&e->c_map);
	close_fd(&e->got);
	close_fd(&e->other);
	close_fd(&e->pipe[0]);
	close_fd(&e->pipe[1]);
	close_ends(&e->ring, &e->in, &e->out);
}

/* Make the call; its @nth allocation or copy fails.  *@met: there was an @nth. */
static long call_with_fault(int fail_nth, long (*call)(struct env *e), struct env *e, int nth,
			    bool *met)
{
	long ret = fault_begin(fail_nth, nth);

	if (ret)
		return -ECANCELED;
	ret = call(e);
	*met = !fault_end(fail_nth);
	return ret;
}

static bool documented(const int *errors, long ret)
{
	for (; *errors; errors++)
		if (ret == *errors)
			return true;
	return false;
}

#define faults_variant_t	FIXTURE_VARIANT(faults)

/* Make the call, with everything anew; its @nth fault.  Return: whether it met so many. */
static bool try_fault(struct __test_metadata *_metadata, const faults_variant_t *variant,
		      int fail_nth, int nth, int *failed)
{
	struct env e = { .numbers = { 1, 2, 3, 4 } };
	bool met = false;
	long ret;

	ASSERT_EQ(0, variant->prepare(&e));
	ret = call_with_fault(fail_nth, variant->call, &e, nth, &met);
	if (ret < 0) {
		++*failed;
		EXPECT_TRUE(met && documented(variant->errors, ret))
			TH_LOG("fault %d: %s", nth, strerror(-ret));
	}
	if (variant->holds) {
		EXPECT_TRUE(variant->holds(&e, ret))
			TH_LOG("fault %d: returned %ld", nth, ret);
	}
	if (ret < 0) {
		EXPECT_LE(0, variant->call(&e))
			TH_LOG("fault %d: the call fails again: %s", nth, strerror(errno));
	}
	forget(&e);
	return met;
}

/*
 * Now and then an allocator needs a page, so a call meets more faults in one try than in the
 * next, and a single round may pass over its last one.
 */
#define ROUNDS_LEAST	2
#define ROUNDS_MOST	6

TEST_F(faults, each)
{
	long long used = read_number(USED_BYTES);
	int round, nth, tries = 0, failed, most = 0;

	for (round = 0; round < ROUNDS_LEAST ||
	     (most < variant->least && round < ROUNDS_MOST); round++) {
		failed = 0;
		for (nth = 1; try_fault(_metadata, variant, self->fail_nth, nth, &failed); nth++)
			ASSERT_GT(TRIES_MAX, nth);
		tries += nth - 1;
		most = failed > most ? failed : most;
	}
	TH_LOG("%d faults; in a round %d of them made the call fail", tries, most);
	EXPECT_LE(variant->least, most);
	EXPECT_EQ(used, read_number(USED_BYTES));
}

TEST_HARNESS_MAIN
