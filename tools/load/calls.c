// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile calls: some processes of a user without rights make every call on the same ring fds and
 * endpoints, with garbage in every argument.  Each returns success or an errno that programs know,
 * and afterwards the module works and has nothing left.
 */
#include <grp.h>
#include <linux/falloc.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "load.h"

#define CALLS		10000000ULL	/* of the full load */
#define CALLERS		3
#define RINGS		6
#define SOMEBODY	54322		/* a user id without other processes */
#define MEMLOCK		(16ULL << 20)
#define GARBAGE		8192

/* What all callers count, in shared memory. */
struct counts {
	__u64 made, went_well;
	__s32 unknown;		/* an errno that no program knows */
};

/* One process: what it calls on, and with. */
struct caller {
	__u64 salt;
	int fd[3 * RINGS];	/* a ring, and what was claimed of it, each */
	char *map;
	size_t map_size;
	char *garbage;		/* GARBAGE bytes, then a hole; all callers write it at once */
	struct counts *counts;
};

static __u64 draw(struct caller *c)
{
	return record_hash(random_word() + c->salt);
}

/* A number of any size; most of them small or next to a power of two. */
static __u64 number(struct caller *c)
{
	const __u64 r = draw(c);

	switch (r % 8) {
	case 0:
		return r;
	case 1:
		return -(r >> 56);
	case 2:
	case 3:
		return (1ULL << (r >> 58)) + (r >> 8 & 3) - 1;
	case 4:
		return 0;
	default:
		return r >> 8 & 255;
	}
}

/* Garbage, or what is mapped, or no memory; or garbage that soon ends in a hole. */
static void *address(struct caller *c)
{
	switch (draw(c) % 16) {
	case 0:
		return NULL;
	case 1:
		return (void *)draw(c);
	case 2:
		return c->garbage + GARBAGE - draw(c) % 64;
	case 3:
		return c->map;
	default:
		return c->garbage + draw(c) % 64 * 8;
	}
}

static int *any(struct caller *c)
{
	return &c->fd[draw(c) % ARRAY_SIZE(c->fd)];
}

static void fill(struct caller *c)
{
	__u64 *word = (__u64 *)c->garbage;
	size_t i;

	for (i = 0; i < GARBAGE / sizeof(*word); i += 1 + draw(c) % 4)
		word[i] = number(c);
}

/* ----------------------------------------------------------------- calls */

/* A request that could be one: its size is right, its flags and numbers are garbage. */
static long request(struct caller *c)
{
	static const __u32 sizes[] = {
		sizeof(struct spscring_create), sizeof(struct spscring_endpoint),
		sizeof(struct spscring_shutdown), sizeof(struct spscring_info),
		sizeof(struct spscring_wait), 0, sizeof(struct spscring_notify),
	};
	const __u32 nr = draw(c) % ARRAY_SIZE(sizes);
	char *at = c->garbage + draw(c) % 64 * 8;

	/* zeros most of the time, as unknown bits are refused before anything else happens */
	if (draw(c) % 4) {
		memset(at, 0, 256);
		((__u64 *)at)[1 + draw(c) % 7] = number(c);
	}
	((__u32 *)at)[0] = draw(c) % 8 ? sizes[nr] : number(c);
	((__u32 *)at)[1] = draw(c) % 2 ? draw(c) % 4 : number(c);
	if (nr == _IOC_NR(SPSCRING_CREATE)) {
		struct spscring_create *create = (void *)at;

		create->capacity = draw(c) % 4 ? 8ULL << draw(c) % 12 : number(c);
		create->element_size = draw(c) % 4 ? draw(c) % 64 : number(c);
	}
	return ioctl(*any(c), _IO(SPSCRING_IOC, nr), at);
}

/* A request that could be none. */
static long garbled(struct caller *c)
{
	fill(c);
	return ioctl(*any(c), draw(c) % 2 ? _IO(SPSCRING_IOC, draw(c) % 16) : draw(c),
		     address(c));
}

/* The claim of an end, whose fd takes the place of an older one. */
static long claim(struct caller *c)
{
	int *ring = &c->fd[draw(c) % RINGS * 3], fd;

	fd = claim_end(*ring, draw(c) % 2 ? SPSCRING_PRODUCER : SPSCRING_CONSUMER, 0);
	if (fd >= 0) {
		int *place = &ring[1 + draw(c) % 2];

		close_fd(place);
		*place = fd;
	}
	errno = fd < 0 ? -fd : 0;
	return fd;
}

static long map(struct caller *c)
{
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_WRITE, PROT_EXEC, 0 };
	/* only files are mapped, where there is nothing else */
	const int not = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | MAP_HUGETLB;
	int flags = draw(c) % 4 ? MAP_SHARED : (int)draw(c) & ~not;
	int prot = draw(c) % 8 ? prots[draw(c) % ARRAY_SIZE(prots)] : (int)draw(c) & 7;
	size_t size = draw(c) % 8 ? (draw(c) % 16 + 1) * 4096 : number(c);
	void *at;

	at = mmap(NULL, size, prot, flags, *any(c),
		  draw(c) % 4 ? draw(c) % 32 * 4096 : number(c));
	if (at == MAP_FAILED)
		return -1;
	if (c->map)
		munmap(c->map, c->map_size);
	c->map = at;
	c->map_size = size;
	return 0;
}

/* What is mapped is protected, moved, advised or written to. */
static long remap(struct caller *c)
{
	const size_t page = 4096;
	size_t size;
	void *at;

	if (!c->map)
		return 0;
	switch (draw(c) % 6) {
	case 0:
		return mprotect(c->map, page, draw(c) & 7);
	case 1:
		return madvise(c->map, page, draw(c) % 26);
	case 2:
		return msync(c->map, page, draw(c) & 7);
	case 3:
		size = draw(c) % 16 * page + page;
		at = mremap(c->map, c->map_size, size, MREMAP_MAYMOVE);
		if (at == MAP_FAILED)
			return -1;
		munmap(at, size);
		break;
	case 4:
		if (!touch(c->map + draw(c) % page, draw(c) % 2))
			return 0;
		errno = EFAULT;
		return -1;
	default:
		munmap(c->map, c->map_size);
	}
	c->map = NULL;
	return 0;
}

static long transfer(struct caller *c)
{
	struct iovec iov[4] = {
		{ address(c), draw(c) % 5000 }, { address(c), draw(c) % 100 },
		{ address(c), number(c) }, { NULL, 0 },
	};

	switch (draw(c) % 6) {
	case 0:
		return read(*any(c), address(c), draw(c) % 8 ? draw(c) % 5000 : number(c));
	case 1:
		return write(*any(c), address(c), draw(c) % 8 ? draw(c) % 5000 : number(c));
	case 2:
		return readv(*any(c), iov, draw(c) % 5);
	case 3:
		return writev(*any(c), iov, draw(c) % 5);
	case 4:
		return pread(*any(c), address(c), draw(c) % 5000, number(c));
	default:
		return splice(*any(c), NULL, *any(c), NULL, draw(c) % 5000, draw(c) & 15);
	}
}

static long file_call(struct caller *c)
{
	struct pollfd fds[2] = { { *any(c), draw(c), 0 }, { *any(c), draw(c), 0 } };
	char stat[256];

	switch (draw(c) % 8) {
	case 0:
		return poll(fds, 2, draw(c) % 2);
	case 1:
		return fcntl(*any(c), F_SETFL, draw(c) & (O_NONBLOCK | O_APPEND | O_ASYNC));
	case 2:
		return ftruncate(*any(c), number(c));
	case 3:
		return lseek(*any(c), number(c), draw(c) % 6);
	case 4:
		return fallocate(*any(c), draw(c) & 127, number(c), number(c));
	case 5:
		return fsync(*any(c));
	case 6:
		return fcntl(*any(c), F_GETFL);
	default:
		return syscall(SYS_newfstatat, *any(c), "", stat, AT_EMPTY_PATH);
	}
}

/* A ring fd, or an end, goes; a ring fd is opened again by the file that keeps the device open. */
static long let_go(struct caller *c)
{
	int *fd = any(c), path_fd;
	char path[40];

	if ((fd - c->fd) % 3) {
		close_fd(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	path_fd = open(path, O_RDWR | O_CLOEXEC);
	if (path_fd < 0)
		return -1;
	close_fd(fd);
	*fd = path_fd;
	return 0;
}

static long one_call(struct caller *c)
{
	static long (* const calls[])(struct caller *c) = {
		request, request, request, request, garbled, claim, claim, map, map, remap, remap,
		transfer, transfer, file_call, file_call, let_go,
	};

	return calls[draw(c) % ARRAY_SIZE(calls)](c);
}

/* ---------------------------------------------------------------- callers */

static void no_action(int signal)
{
	(void)signal;
}

/* A signal every few ms ends each call that waits. */
static int expect_signals(void)
{
	const struct sigaction act = { .sa_handler = no_action };
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } };

	return sigaction(SIGALRM, &act, NULL) || sigaction(SIGIO, &act, NULL) ||
		setitimer(ITIMER_REAL, &often, NULL);
}

static int become_somebody(void)
{
	return setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ MEMLOCK, MEMLOCK }) ||
		setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY) ||
		prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* An errno from which a program learns something: not one that the kernel keeps to itself. */
static bool is_known(int err)
{
	return err > 0 && err < 512;
}

static void call_always(struct caller *c, __u64 n)
{
	long ret;

	if (become_somebody() || expect_signals())
		_exit(1);
	while (__sync_add_and_fetch(&c->counts->made, 1) <= n) {
		errno = 0;
		ret = one_call(c);
		if (ret >= 0)
			__sync_fetch_and_add(&c->counts->went_well, 1);
		else if (!is_known(errno))
			WRITE_ONCE(c->counts->unknown, errno);
	}
	_exit(0);
}

FIXTURE(calls)
{
	struct counts *counts;
	struct caller caller;
};

FIXTURE_SETUP(calls)
{
	int i;

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(return, "only root can become another user");
	self->counts = shared_memory(sizeof(*self->counts));
	ASSERT_NE(MAP_FAILED, self->counts);
	/* who owns it may open it again */
	ASSERT_EQ(0, chown(DEVICE, SOMEBODY, SOMEBODY));
	self->caller.counts = self->counts;
	self->caller.garbage = shared_memory(2 * GARBAGE);
	ASSERT_NE(MAP_FAILED, self->caller.garbage);
	ASSERT_EQ(0, mprotect(self->caller.garbage + GARBAGE, GARBAGE, PROT_NONE));
	for (i = 0; i < 3 * RINGS; i++)
		self->caller.fd[i] = -1;
	for (i = 0; i < RINGS; i++) {
		self->caller.fd[3 * i] = device_open();
		ASSERT_GE(self->caller.fd[3 * i], 0);
	}
}

static void close_all(struct caller *c)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c->fd); i++)
		close_fd(&c->fd[i]);
}

FIXTURE_TEARDOWN(calls)
{
	close_all(&self->caller);
	EXPECT_EQ(0, chown(DEVICE, 0, 0));
	EXPECT_TRUE(nothing_left());
	munmap(self->counts, sizeof(*self->counts));
}

TEST_F_TIMEOUT(calls, of_any_kind, 7200)
{
	const struct stream_kind kind = { BY_WAIT, BY_WAIT, WAITS };
	const __u64 n = load_share(CALLS);
	pid_t caller[CALLERS];
	struct stream s;
	int i;

	for (i = 0; i < CALLERS; i++) {
		caller[i] = fork_child();
		self->caller.salt = i * 0x9e3779b97f4a7c15ULL;
		if (!caller[i])
			call_always(&self->caller, n);
	}
	for (i = 0; i < CALLERS; i++)
		EXPECT_EQ(0, wait_child(caller[i]));
	EXPECT_EQ(0, self->counts->unknown);
	/* not all of them is refused at once */
	EXPECT_GT(self->counts->went_well, n / 20);
	close_all(&self->caller);
	EXPECT_TRUE(nothing_left());
	ASSERT_TRUE(stream_init(&s));
	ASSERT_TRUE(stream_begin(&s, &kind, 1000));
	EXPECT_EQ(0, stream_end(&s, &kind));
	printf("# %llu calls, %llu of them without an error\n", n, self->counts->went_well);
}

TEST_HARNESS_MAIN
