// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is short: makers of rings at the limits of their cgroups, and a hog that has the kernel
 * reclaim all that it can.  A CREATE fails with ENOMEM or makes a whole ring; streams go on; what
 * is charged is given back.
 */
#include <sys/sysinfo.h>

#include "load.h"

#define MIB		(1ULL << 20)
#define CREATES		10000	/* of the full load, of all makers */
#define SQUEEZES	40	/* of the full load: times that the hog takes all it can */
#define RECORDS		5000	/* of a stream; another one begins when it is over */

/* A ring of about @bytes of data. */
static int try_ring(__u64 bytes)
{
	return spscring_open(RING(.capacity = bytes / 64, .element_size = 56));
}

/* ------------------------------------------------- at the limit of a cgroup */

#define MAKERS		2
#define LIMIT		(32 * MIB)
#define MARGIN		MIB	/* what the kernel takes itself is not known to the byte */

FIXTURE(limit)
{
	struct cgroup c[MAKERS];
	struct stream s;
};

FIXTURE_SETUP(limit)
{
	int i;

	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	SKIP_WITHOUT(CGROUPS "/cgroup.procs", "no cgroup2");
	if (write_text(CGROUPS "/cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller");
	ASSERT_TRUE(stream_init(&self->s));
	for (i = 0; i < MAKERS; i++) {
		ASSERT_EQ(0, cgroup_make(&self->c[i], i));
		ASSERT_EQ(0, cgroup_write(&self->c[i], "memory.max", "32M"));
	}
}

FIXTURE_TEARDOWN(limit)
{
	int i;

	for (i = 0; i < MAKERS; i++)
		EXPECT_TRUE(cgroup_remove(&self->c[i]));
	EXPECT_TRUE(nothing_left());
}

/* How much more may be charged; less than 0 where the kernel has not uncharged yet. */
static long long room(const struct cgroup *c)
{
	return (long long)LIMIT - cgroup_read(c, "memory.current");
}

/*
 * Make rings until they fill the cgroup, then close some, again and again.  A ring that is
 * clearly too large must fail, and one that clearly fits must not: after a failure all of its
 * memory is back.
 */
static int make_rings(const struct cgroup *c, __u64 n)
{
	int ring[16], i, fd;
	__u64 made;

	memset(ring, -1, sizeof(ring));
	for (made = 0; made < n; made++) {
		long long free = room(c), bytes;

		i = random_word() % ARRAY_SIZE(ring);
		if (ring[i] >= 0 || free < (long long)(4 * MARGIN)) {
			for (i = 0; i < (int)ARRAY_SIZE(ring); i++)
				if (random_word() % 2 || free < (long long)(4 * MARGIN))
					close_fd(&ring[i]);
			continue;
		}
		if (random_word() % 4) {
			bytes = random_word() % (free - 3 * MARGIN) / 2 + 4096;
			fd = try_ring(bytes);
			if (fd < 0)
				return -fd;
			ring[i] = fd;
		} else {
			fd = try_ring(free + MARGIN + random_word() % LIMIT);
			if (fd != -ENOMEM)
				return fd < 0 ? -fd : ENODATA;
		}
	}
	for (i = 0; i < (int)ARRAY_SIZE(ring); i++)
		close_fd(&ring[i]);
	return 0;
}

struct charged {
	const struct cgroup *c;
	long long most;
};

static bool is_uncharged(const void *arg)
{
	const struct charged *want = arg;

	return cgroup_read(want->c, "memory.current") <= want->most;
}

TEST_F_TIMEOUT(limit, makers, 7200)
{
	const struct stream_kind kind = { BY_WAIT, BY_WAIT, WAITS };
	const __u64 n = load_share(CREATES) / MAKERS + 1;
	pid_t maker[MAKERS];
	int i;

	ASSERT_TRUE(stream_begin(&self->s, &kind, RECORDS));
	for (i = 0; i < MAKERS; i++) {
		maker[i] = fork_child();
		if (!maker[i])
			_exit(cgroup_enter(&self->c[i], 0) ? 1 : make_rings(&self->c[i], n));
	}
	for (i = 0; i < MAKERS; i++)
		EXPECT_EQ(0, wait_child(maker[i]));
	EXPECT_EQ(0, stream_end(&self->s, &kind));
	EXPECT_TRUE(nothing_left());
	for (i = 0; i < MAKERS; i++) {
		struct charged little = { &self->c[i], MARGIN };

		EXPECT_TRUE(within_patience(is_uncharged, &little));
		EXPECT_EQ(0, cgroup_event(&self->c[i], "memory.events", "oom_kill"));
		EXPECT_GT(cgroup_event(&self->c[i], "memory.events", "max"), 0);
	}
	printf("# %llu calls by each of %d makers\n", n, MAKERS);
}

/* ------------------------------------------------------------------ a hog */

FIXTURE(hog)
{
	struct stream s;
	__u64 *made;	/* in shared memory: rings */
};

FIXTURE_SETUP(hog)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	ASSERT_TRUE(stream_init(&self->s));
	self->made = shared_memory(sizeof(*self->made));
	ASSERT_NE(MAP_FAILED, self->made);
}

FIXTURE_TEARDOWN(hog)
{
	munmap(self->made, sizeof(*self->made));
	EXPECT_TRUE(nothing_left());
}

/* What /proc/meminfo calls @key, in bytes. */
static __u64 machine_has(const char *key)
{
	char word[64];
	__u64 kib = 0, v;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fscanf(f, "%63[^:]: %llu%*[^\n]\n", word, &v) == 2) {
		if (!strcmp(word, key))
			kib = v;
	}
	if (f)
		fclose(f);
	return kib << 10;
}

/* Fill the page cache, so that there is something to reclaim. */
static void read_files(void)
{
	static char buf[1 << 16];
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/spscring.ko", getenv("SPSCRING_KO_DIR") ?: ".");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	close_fd(&fd);
}

/* Take memory until the machine has only @spare left; then let go. */
static void squeeze(__u64 spare)
{
	const __u64 piece = 4 * MIB;
	static char *taken[4096];
	size_t n, i;

	for (n = 0; n < ARRAY_SIZE(taken) && machine_has("MemAvailable") > spare; n++) {
		taken[n] = mmap(NULL, piece, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (taken[n] == MAP_FAILED)
			break;
	}
	read_files();
	sleep_ms(5);
	for (i = 0; i < n; i++)
		munmap(taken[i], piece);
}

/* Make rings of up to 2 MiB, and close them, until this process is killed. */
static void make_always(__u64 *made)
{
	for (;;) {
		int fd = try_ring(4096 + random_word() % (2 * MIB));

		if (fd < 0 && fd != -ENOMEM)
			_exit(-fd);
		if (fd >= 0)
			__sync_fetch_and_add(made, 1);
		close_fd(&fd);
	}
}

TEST_F_TIMEOUT(hog, squeezes, 7200)
{
	const struct stream_kind kind = { BY_WAIT, BY_WAIT, OVERWRITES };
	const __u64 n = load_share(SQUEEZES), spare = 64 * MIB;
	pid_t maker = fork_child();
	__u64 i, streams = 0;

	if (!maker)
		make_always(self->made);
	for (i = 0; i < n; i++) {
		if (self->s.ring < 0) {
			ASSERT_TRUE(stream_begin(&self->s, &kind, RECORDS));
			streams++;
		}
		squeeze(spare);
		if (stream_is_over(&self->s))
			ASSERT_EQ(0, stream_end(&self->s, &kind));
	}
	if (self->s.ring >= 0)
		EXPECT_EQ(0, stream_end(&self->s, &kind));
	kill(maker, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child(maker));
	EXPECT_GT(*self->made, 0);
	EXPECT_TRUE(nothing_left());
	printf("# %llu squeezes, %llu rings, %llu streams\n", n, *self->made, streams);
}

TEST_HARNESS_MAIN
