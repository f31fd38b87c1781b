// SPDX-License-Identifier: GPL-2.0
/*
 * The three limits on a ring's memory: the memory cgroup, the user's RLIMIT_MEMLOCK and the
 * module's max_bytes.  Each refuses with its own errno, and is uncharged exactly once.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>

#include "selftest.h"

#define MIB		(1ULL << 20)

/* A ring of about @bytes of data. */
#define RING_OF(bytes)	RING(.capacity = (bytes) / 64, .element_size = 56)

/* A ring of that size, which lives until its fd is closed. */
static int try_ring(int fd, __u64 bytes)
{
	return do_ioctl(fd, SPSCRING_CREATE, RING_OF(bytes));
}

/* Make a ring as soon as the pages of others are freed, which takes a while. */
static int try_until_free(int fd, __u64 bytes)
{
	int tries, err = -EBUSY;

	for (tries = 0; tries < 6000; tries++) {
		err = try_ring(fd, bytes);
		if (err != -EDQUOT && err != -ENOSPC)
			break;
		sleep_ms(10);
	}
	return err;
}

/* vmsplice() a byte of page @nth into a pipe, which pins that page's whole chunk. */
static bool pin_page(int ring, int pipe, int nth)
{
	const struct spscring_geometry g = info_of(ring).geometry;
	struct iovec iov = { .iov_len = 1 };
	long got;

	iov.iov_base = mmap(NULL, g.page_size, PROT_READ, MAP_SHARED, ring,
			    g.consumer_offset + (__u64)nth * g.page_size);
	if (iov.iov_base == MAP_FAILED)
		return false;
	got = vmsplice(pipe, &iov, 1, SPLICE_F_NONBLOCK);
	munmap(iov.iov_base, g.page_size);
	return got == 1;
}

#define CONTROL_PAGE	0	/* a chunk of one page */
#define DATA_PAGE	3

/* ---------------------------------------------------------- memory cgroup */

#define CGROUPS	"/sys/fs/cgroup"

FIXTURE(memcg)
{
	char dir[64];
};

static void in(const char *dir, const char *file, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", dir, file);
}

static int cgroup_write(const char *dir, const char *file, const char *text)
{
	char path[128];

	in(dir, file, path, sizeof(path));
	return write_text(path, text);
}

static long long cgroup_current(const char *dir)
{
	char path[128];

	in(dir, "memory.current", path, sizeof(path));
	return read_number(path);
}

static long long cgroup_event(const char *dir, const char *name)
{
	char path[128], line[128], key[64];
	long long value = -1, v;
	FILE *f;

	in(dir, "memory.events", path, sizeof(path));
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld", key, &v) == 2 && !strcmp(key, name))
			value = v;
	}
	if (f)
		fclose(f);
	return value;
}

FIXTURE_SETUP(memcg)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT(CGROUPS "/cgroup.procs", "no cgroup2");
	err = write_text(CGROUPS "/cgroup.subtree_control", "+memory");
	if (err)
		SKIP(return, "no memory controller: %s", strerror(-err));
	snprintf(self->dir, sizeof(self->dir), CGROUPS "/spscring-%d", getpid());
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	ASSERT_EQ(0, cgroup_write(self->dir, "memory.max", "16M"));
}

FIXTURE_TEARDOWN(memcg)
{
	struct patience p = {};

	while (rmdir(self->dir) && errno == EBUSY && patient(&p, 0))
		;
}

/* A ring that fits is charged and later uncharged; a larger one fails without an OOM kill. */
static int spend(const char *dir)
{
	const long long slack = 2 * MIB;
	long long before, with;
	int fd, round;

	if (cgroup_write(dir, "cgroup.procs", "0"))
		return 1;
	before = cgroup_current(dir);
	for (round = 0; round < 10; round++) {
		fd = device_open();
		if (try_ring(fd, 64 * MIB) != -ENOMEM)
			return 2;
		if (try_ring(fd, 8 * MIB))
			return 3;
		with = cgroup_current(dir);
		if (with < before + (long long)(8 * MIB) - slack)
			return 4;
		close(fd);
		if (cgroup_current(dir) > before + slack)
			return 5;
	}
	return 0;
}

TEST_F(memcg, no_memory)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(spend(self->dir));
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_EQ(0, cgroup_event(self->dir, "oom_kill"));
	EXPECT_GT(cgroup_event(self->dir, "max"), 0);
	EXPECT_LT(cgroup_current(self->dir), (long long)(2 * MIB));
}

/* The creator's cgroup stays charged for as long as any process has the ring. */
TEST_F(memcg, the_maker_pays)
{
	int fd = device_open();
	pid_t pid = fork_child();

	if (!pid) {
		if (cgroup_write(self->dir, "cgroup.procs", "0"))
			_exit(1);
		_exit(-try_ring(fd, 8 * MIB));
	}
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_GT(cgroup_current(self->dir), (long long)(7 * MIB));
	close(fd);
	EXPECT_LT(cgroup_current(self->dir), (long long)(2 * MIB));
}

/* --------------------------------------------------------- locked memory */

/* A user id without other processes, whose locked memory is 0. */
#define SOMEBODY	54321

FIXTURE(memlock)
{
	int fd[4];
	__u64 one;		/* bytes that one ring is charged */
};

FIXTURE_SETUP(memlock)
{
	size_t i;

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(return, "only root can become another user");
	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		self->fd[i] = device_open();
		ASSERT_GE(self->fd[i], 0);
	}
	ASSERT_EQ(0, try_ring(self->fd[3], MIB));
	self->one = info_of(self->fd[3]).geometry.memory;
	close_fd(&self->fd[3]);
	self->fd[3] = device_open();
}

FIXTURE_TEARDOWN(memlock)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++)
		close_fd(&self->fd[i]);
}

static int limit_memlock(__u64 bytes)
{
	return setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ bytes, bytes });
}

/* Fork a child as that user, without capabilities and with RLIMIT_MEMLOCK at @bytes. */
static pid_t fork_somebody(__u64 bytes)
{
	pid_t pid = fork_child();

	if (!pid && (limit_memlock(bytes) || setgid(SOMEBODY) || setuid(SOMEBODY)))
		_exit(200);
	return pid;
}

TEST_F(memlock, exact)
{
	pid_t pid = fork_somebody(self->one);

	if (!pid) {
		if (try_ring(self->fd[0], MIB + 1 * 65536) != -EDQUOT)
			_exit(1);
		if (try_ring(self->fd[0], MIB))
			_exit(2);
		/* the limit leaves no page for another ring */
		if (try_ring(self->fd[1], 64) != -EDQUOT)
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(0, wait_child(pid));

	/* with a limit one byte lower the second ring must fail; the first one is still charged */
	close_fd(&self->fd[0]);
	pid = fork_somebody(self->one - 1);
	if (!pid)
		_exit(-try_ring(self->fd[1], MIB));
	EXPECT_EQ(EDQUOT, wait_child(pid));
	pid = fork_somebody(0);
	if (!pid)
		_exit(-try_ring(self->fd[1], 64));
	EXPECT_EQ(EDQUOT, wait_child(pid));
}

/* Data that are mapped twice in a row are charged once. */
TEST_F(memlock, records_once)
{
	struct spscring_create *want = RING(.capacity = MIB, .flags = SPSCRING_CREATE_RECORDS);
	struct spscring_geometry g;
	pid_t pid;

	ASSERT_EQ(0, do_ioctl(self->fd[0], SPSCRING_CREATE, want));
	g = info_of(self->fd[0]).geometry;
	EXPECT_EQ(MIB + g.data_offset, g.memory);
	close_fd(&self->fd[0]);
	self->fd[0] = device_open();
	pid = fork_somebody(g.memory - 1);
	if (!pid)
		_exit(-do_ioctl(self->fd[0], SPSCRING_CREATE, want));
	EXPECT_EQ(EDQUOT, wait_child(pid));
	pid = fork_somebody(g.memory);
	if (!pid)
		_exit(-do_ioctl(self->fd[0], SPSCRING_CREATE, want));
	EXPECT_EQ(0, wait_child(pid));
}

/* A ring larger than the machine is refused at once, and its charge is given back. */
TEST_F(memlock, larger_than_the_machine)
{
	struct spscring_create *want = RING(.capacity = SPSCRING_DATA_MAX,
					    .flags = SPSCRING_CREATE_RECORDS);
	struct sysinfo machine;
	int round;
	pid_t pid;

	ASSERT_EQ(0, sysinfo(&machine));
	if (machine.totalram * machine.mem_unit > 2 * SPSCRING_DATA_MAX)
		return;
	/* the limit allows for one ring, not for two */
	pid = fork_somebody(SPSCRING_DATA_MAX + MIB);
	if (!pid) {
		for (round = 0; round < 10; round++) {
			if (do_ioctl(self->fd[0], SPSCRING_CREATE, want) != -ENOMEM)
				_exit(1);
		}
		_exit(-try_ring(self->fd[0], MIB / 2));
	}
	EXPECT_EQ(0, wait_child(pid));
	pid = fork_somebody(SPSCRING_DATA_MAX - MIB);
	if (!pid)
		_exit(-do_ioctl(self->fd[1], SPSCRING_CREATE, want));
	EXPECT_EQ(EDQUOT, wait_child(pid));
}

/* Whether the kernel logs a refusal with the ring's id and its limit, at a limited rate. */
static bool logged(int kmsg, const char *what)
{
	char line[8192], *at;
	bool found = false;
	ssize_t got;

	while ((got = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (got <= 0)
			continue;
		line[got] = 0;
		at = strstr(line, ";spscring: ring ");
		found |= at && strtoull(at + 16, NULL, 10) && strstr(at, what);
	}
	return found;
}

TEST_F(memlock, said_in_the_log)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char what[128];
	pid_t pid;

	if (kmsg < 0)
		SKIP(return, "/dev/kmsg: %s", strerror(errno));
	sleep_ms(6000);		/* longer than the interval of the rate limit */
	lseek(kmsg, 0, SEEK_END);
	pid = fork_somebody(8192);
	if (!pid)
		_exit(-try_ring(self->fd[0], MIB));
	EXPECT_EQ(EDQUOT, wait_child(pid));
	snprintf(what, sizeof(what),
		 " \"\" of %llu bytes refused: user %u has locked 0, and RLIMIT_MEMLOCK is 8192",
		 self->one, SOMEBODY);
	EXPECT_TRUE(logged(kmsg, what));
	close(kmsg);
}

/* A charge is given back once: one ring fits each time, and two never do. */
TEST_F(memlock, given_back_once)
{
	int round;
	pid_t pid;

	for (round = 0; round < 50; round++) {
		pid = fork_somebody(self->one);
		if (!pid) {
			if (try_ring(self->fd[0], MIB))
				_exit(1);
			if (try_ring(self->fd[1], MIB) != -EDQUOT)
				_exit(2);
			_exit(0);
		}
		ASSERT_EQ(0, wait_child(pid))
			TH_LOG("round %d", round);
		/* root makes the last close, after the charged user's processes have ended */
		close(self->fd[0]);
		self->fd[0] = device_open();
		ASSERT_GE(self->fd[0], 0);
	}
}

/* The user who created a ring stays charged for as long as any process has it. */
TEST_F(memlock, the_maker_pays)
{
	const long page = sysconf(_SC_PAGESIZE);
	int end;
	void *at;
	pid_t pid = fork_somebody(self->one);

	if (!pid)
		_exit(-try_ring(self->fd[0], MIB));
	ASSERT_EQ(0, wait_child(pid));
	end = claim_end(self->fd[0], SPSCRING_CONSUMER, 0);
	ASSERT_GE(end, 0);
	at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, end, 0);
	ASSERT_NE(MAP_FAILED, at);
	close_fd(&self->fd[0]);
	close(end);

	pid = fork_somebody(self->one);
	if (!pid)
		_exit(-try_ring(self->fd[1], MIB));
	EXPECT_EQ(EDQUOT, wait_child(pid));
	munmap(at, page);
	pid = fork_somebody(self->one);
	if (!pid)
		_exit(-try_ring(self->fd[1], MIB));
	EXPECT_EQ(0, wait_child(pid));
}

/* A child that is that user, and has the only copy of @n fds, so that its close is the last. */
static pid_t fork_owner(int *fd, size_t n, __u64 bytes)
{
	int go[2];
	size_t i;
	pid_t pid;

	if (pipe(go))
		return -1;
	pid = fork_somebody(bytes);
	if (!pid) {
		char byte;

		close(go[1]);
		if (read(go[0], &byte, 1))
			_exit(201);
		close(go[0]);
		return 0;
	}
	for (i = 0; i < n; i++)
		close_fd(&fd[i]);
	close(go[0]);
	close(go[1]);
	return pid;
}

/* After a ring is freed only the chunks that pipes still hold stay charged. */
TEST_F(memlock, pinned_pages_are_charged)
{
	pid_t pid = fork_owner(self->fd, ARRAY_SIZE(self->fd), self->one);
	int held[2], *fd = self->fd;

	if (!pid) {
		if (pipe(held) || try_ring(fd[0], MIB) || !pin_page(fd[0], held[1], CONTROL_PAGE))
			_exit(1);
		close(fd[0]);
		if (try_ring(fd[1], MIB) != -EDQUOT)
			_exit(2);
		/* the pipe holds one page, so this ring must be one page smaller than the limit */
		if (try_until_free(fd[1], MIB - getpagesize()))
			_exit(3);
		close(fd[1]);
		if (try_ring(fd[2], MIB) != -EDQUOT)
			_exit(4);
		close(held[1]);
		close(held[0]);
		_exit(-try_until_free(fd[2], MIB));
	}
	EXPECT_EQ(0, wait_child(pid));
}

/* The limit bounds all pages that pipes hold, of any number of rings. */
TEST_F(memlock, pinned_pages_add_up)
{
	int held[2], fd[20], rings, err = 0;
	pid_t pid;

	for (rings = 0; rings < (int)ARRAY_SIZE(fd); rings++) {
		fd[rings] = device_open();
		ASSERT_GE(fd[rings], 0);
	}
	pid = fork_owner(fd, ARRAY_SIZE(fd), self->one + 10 * getpagesize());
	if (!pid) {
		if (pipe(held))
			_exit(201);
		for (rings = 0; rings < (int)ARRAY_SIZE(fd); rings++) {
			err = try_ring(fd[rings], MIB);
			if (err)
				break;
			if (!pin_page(fd[rings], held[1], CONTROL_PAGE))
				_exit(202);
			close(fd[rings]);
		}
		_exit(err == -EDQUOT ? rings : 203);
	}
	EXPECT_EQ(11, wait_child(pid));
}

/* A pipe that holds a byte of the data holds that whole chunk, and no other. */
TEST_F(memlock, pinned_chunks_are_charged)
{
	pid_t pid = fork_owner(self->fd, ARRAY_SIZE(self->fd), self->one);
	int held[2], *fd = self->fd;

	if (!pid) {
		if (pipe(held) || try_ring(fd[0], MIB) || !pin_page(fd[0], held[1], DATA_PAGE))
			_exit(1);
		close(fd[0]);
		if (try_ring(fd[1], MIB) != -EDQUOT)
			_exit(2);
		close(held[0]);
		close(held[1]);
		_exit(-try_until_free(fd[1], MIB));
	}
	EXPECT_EQ(0, wait_child(pid));
}

/* A CREATE that fails after the charge gives it back. */
TEST_F(memlock, a_failure_costs_nothing)
{
	int round;
	pid_t pid = fork_somebody(self->one);

	if (!pid) {
		if (try_ring(self->fd[0], MIB))
			_exit(1);
		/* the fd has a ring already, so this CREATE fails after it has charged */
		for (round = 0; round < 20; round++) {
			if (try_ring(self->fd[0], 64) != -EEXIST)
				_exit(2);
		}
		_exit(0);
	}
	EXPECT_EQ(0, wait_child(pid));
}

/* A process that is killed while its pages are allocated gives all of them back. */
TEST_F(memlock, killed_while_it_allocates)
{
	const __u64 large = 64 * MIB;
	__u64 limit;
	int round, end, cut = 0;
	pid_t pid;

	ASSERT_EQ(0, try_ring(self->fd[3], large));
	limit = info_of(self->fd[3]).geometry.memory;
	close_fd(&self->fd[3]);
	for (round = 0; round < 20; round++) {
		pid = fork_somebody(limit);
		if (!pid)
			_exit(-try_ring(self->fd[0], large));
		sleep_ms(round % 10);
		kill(pid, SIGKILL);
		end = wait_child(pid);
		ASSERT_TRUE(end == -SIGKILL || end == 0)
			TH_LOG("round %d: the child ended by %d", round, end);
		cut += end == -SIGKILL;
		close(self->fd[0]);
		self->fd[0] = device_open();
	}
	ksft_print_msg("%d of %d killed before CREATE returned\n", cut, round);
	pid = fork_somebody(limit);
	if (!pid)
		_exit(-try_ring(self->fd[0], large));
	EXPECT_EQ(0, wait_child(pid));
}

static int drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_IPC_LOCK / 32].effective &= ~(1U << CAP_IPC_LOCK % 32);
	return negative_errno(syscall(SYS_capset, &header, data));
}

/* CAP_IPC_LOCK is exempt from the limit; root without it is not. */
TEST_F(memlock, cap_ipc_lock)
{
	ASSERT_EQ(0, limit_memlock(0));
	EXPECT_EQ(0, try_ring(self->fd[0], MIB));
	ASSERT_EQ(0, drop_ipc_lock());
	EXPECT_EQ(-EDQUOT, try_ring(self->fd[1], MIB));
}

/* -------------------------- the module's max_bytes, where nobody else has rings */

FIXTURE(max_bytes)
{
	int fd[2];
	struct parameter most;
	__u64 one;
};

FIXTURE_SETUP(max_bytes)
{
	SKIP_WITHOUT_DEVICE();
	if (!parameter_keep(&self->most, "max_bytes"))
		SKIP(return, "cannot write max_bytes");
	self->fd[0] = device_open();
	ASSERT_GE(self->fd[0], 0);
	self->fd[1] = device_open();
	ASSERT_GE(self->fd[1], 0);
	ASSERT_EQ(0, parameter_set(&self->most, 0));
	ASSERT_EQ(0, try_ring(self->fd[0], MIB));
	self->one = info_of(self->fd[0]).geometry.memory;
}

FIXTURE_TEARDOWN(max_bytes)
{
	EXPECT_EQ(0, parameter_restore(&self->most));
	close_fd(&self->fd[0]);
	close_fd(&self->fd[1]);
}

TEST_F(max_bytes, exact)
{
	/* a new limit is for later rings, and counts those that are there */
	ASSERT_EQ(0, parameter_set(&self->most, 2 * self->one - 1));
	EXPECT_EQ(-ENOSPC, try_ring(self->fd[1], MIB));
	ASSERT_EQ(0, parameter_set(&self->most, 1));
	EXPECT_EQ(-ENOSPC, try_ring(self->fd[1], 64));
	EXPECT_EQ(self->one, info_of(self->fd[0]).geometry.memory);
	ASSERT_EQ(0, parameter_set(&self->most, 2 * self->one));
	EXPECT_EQ(0, try_ring(self->fd[1], MIB));
}

/* The limit holds for the largest ring, whose bytes need more than 32 bits. */
TEST_F(max_bytes, of_4_gib)
{
	struct spscring_create *want = RING(.capacity = SPSCRING_DATA_MAX,
					    .flags = SPSCRING_CREATE_RECORDS);
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	sleep_ms(6000);
	ASSERT_EQ(0, parameter_set(&self->most, SPSCRING_DATA_MAX + self->one));
	lseek(kmsg, 0, SEEK_END);
	EXPECT_EQ(-ENOSPC, do_ioctl(self->fd[1], SPSCRING_CREATE, want));
	if (kmsg >= 0)
		EXPECT_TRUE(logged(kmsg, "and max_bytes is 429"));
	close(kmsg);
}

TEST_F(max_bytes, given_back_once)
{
	int round;

	ASSERT_EQ(0, parameter_set(&self->most, 2 * self->one));
	for (round = 0; round < 50; round++) {
		int third = device_open();

		ASSERT_EQ(0, try_ring(self->fd[1], MIB));
		ASSERT_EQ(-ENOSPC, try_ring(third, 64));
		ASSERT_EQ(-EEXIST, try_ring(self->fd[1], MIB));
		close(third);
		close(self->fd[1]);
		self->fd[1] = device_open();
		ASSERT_GE(self->fd[1], 0);
	}
}

/* What a pipe holds of a ring that is gone counts, too. */
TEST_F(max_bytes, pinned_pages_count)
{
	int held[2];

	ASSERT_EQ(0, pipe(held));
	ASSERT_EQ(0, parameter_set(&self->most, 2 * self->one));
	ASSERT_EQ(0, try_ring(self->fd[1], MIB));
	ASSERT_TRUE(pin_page(self->fd[1], held[1], CONTROL_PAGE));
	close(self->fd[1]);
	self->fd[1] = device_open();
	EXPECT_EQ(-ENOSPC, try_ring(self->fd[1], MIB));
	close(held[0]);
	close(held[1]);
	EXPECT_EQ(0, try_until_free(self->fd[1], MIB));
}

/* Root and CAP_IPC_LOCK are not exempt; what RLIMIT_MEMLOCK refuses is not counted here. */
TEST_F(max_bytes, refused_elsewhere)
{
	int round;

	ASSERT_EQ(0, parameter_set(&self->most, 2 * self->one));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }));
	ASSERT_EQ(0, drop_ipc_lock());
	for (round = 0; round < 10; round++)
		EXPECT_EQ(-EDQUOT, try_ring(self->fd[1], MIB));
}

TEST_HARNESS_MAIN
