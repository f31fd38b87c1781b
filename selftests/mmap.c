// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: which fd can map which section with which rights, and how long a mapping lasts.
 */
#include <linux/userfaultfd.h>

#include "mmap.h"

/* Each fd maps each span with the rights in the table, only MAP_SHARED and never executable. */
TEST_F(mmap, rights)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_WRITE, WRITE, PROT_EXEC, EXEC, WRITE | PROT_EXEC,
	};
	const struct span *s;
	int who, flags, want;
	size_t i;
	long at;

	for (s = spans; s < spans + ARRAY_SIZE(spans); s++) {
		if (s->first >= LAST && self->end == self->g.memory)
			continue;
		for (i = 0; i < ARRAY_SIZE(prots) * FDS * 2; i++) {
			int prot = prots[i / FDS / 2];

			who = i % FDS;
			flags = i / FDS % 2 ? MAP_PRIVATE : MAP_SHARED;
			want = 0;
			if (prot & PROT_EXEC || (prot & PROT_WRITE && !s->writable[who]))
				want = -EACCES;
			if (flags == MAP_PRIVATE)
				want = -EINVAL;
			at = map(self, who, s, prot, flags);
			/* the kernel's own answer where the file is on a noexec mount */
			if (prot & PROT_EXEC && at == -EPERM)
				continue;
			EXPECT_EQ(want, at < 0 && at > -4096 ? at : 0)
				TH_LOG("%s: fd %d, prot %d, flags %d", s->name, who, prot, flags);
			if (at < 0 && at > -4096)
				continue;
			EXPECT_EQ(prot ? 0 : SIGSEGV, touch((char *)at, false));
			EXPECT_EQ(0, munmap((void *)at, span_size(self, s)));
		}
	}
}

/* mmap() refuses each range that is not within the ring's pages. */
TEST_F(mmap, places)
{
	const __u64 end = self->end, page = self->page;
	const struct { int err; __u64 from, size; } places[] = {
		{ 0, end - page, page },
		{ ENXIO, end, page },
		{ ENXIO, end - page, 2 * page },
		{ ENXIO, 0, end + page },
		{ ENXIO, end + page, page },
		{ ENXIO, 1ULL << 40, page },
		{ ENXIO, 1ULL << 62, page },
		{ EINVAL, 1, page },
		{ EINVAL, page / 2, page },
		{ EINVAL, 0, 0 },
	};
	size_t i;
	int who;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (who = 0; who < FDS; who++) {
			void *at = mmap(NULL, places[i].size, READ, MAP_SHARED, self->fd[who],
					places[i].from);

			EXPECT_EQ(places[i].err, at == MAP_FAILED ? errno : 0)
				TH_LOG("place %zu, fd %d", i, who);
			if (at != MAP_FAILED)
				munmap(at, places[i].size);
		}
	}
	/* an offset that wraps when the size is added */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * page, READ, MAP_SHARED, self->fd[RING_FD], -page));
}

/* A store by the producer appears in the mappings of all three fds. */
TEST_F(mmap, one_memory)
{
	char *mine = map_section(self, PRODUCER_FD, self->g.data_offset + self->page, WRITE);
	char *theirs = map_section(self, CONSUMER_FD, self->g.data_offset + self->page, READ);
	char *all = mmap(NULL, self->end, READ, MAP_SHARED, self->fd[RING_FD], 0);

	ASSERT_NE(MAP_FAILED, mine);
	ASSERT_NE(MAP_FAILED, theirs);
	ASSERT_NE(MAP_FAILED, all);
	memcpy(mine, "seen by all", 12);
	EXPECT_STREQ("seen by all", theirs);
	EXPECT_STREQ("seen by all", all + self->g.data_offset + self->page);
}

/* A new ring has nothing of what its memory held before, here of earlier rings. */
TEST_F(mmap, zeroed)
{
	struct spscring_create want = variant->want;
	const size_t size = self->g.data_bytes;
	int ring, in, out, round;
	size_t i;

	want.size = sizeof(want);
	want.capacity *= sysconf(_SC_PAGESIZE) / 4096;
	for (round = 0; round < 20; round++) {
		unsigned char *at;

		ASSERT_EQ(0, open_ends(&want, &ring, &in, &out));
		at = mmap(NULL, size, WRITE, MAP_SHARED, in, self->g.data_offset);
		ASSERT_NE(MAP_FAILED, at);
		for (i = 0; i < size; i++) {
			ASSERT_EQ(0, at[i])
				TH_LOG("byte %zu of ring %d", i, round);
		}
		memset(at, 0xa5, size);
		munmap(at, size);
		close_ends(&ring, &in, &out);
	}
}

/* A page that madvise() has dropped comes back with its contents. */
TEST_F(mmap, madv_dontneed)
{
	const size_t size = self->g.data_bytes;
	char *at = mmap(NULL, size, WRITE, MAP_SHARED, self->fd[PRODUCER_FD], self->g.data_offset);
	char *peer = mmap(NULL, size, READ, MAP_SHARED, self->fd[CONSUMER_FD],
			  self->g.data_offset);
	size_t i;

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_NE(MAP_FAILED, peer);
	for (i = 0; i < size; i++)
		at[i] = i * 7;
	EXPECT_EQ(0, madvise(at, size, MADV_DONTNEED));
	EXPECT_EQ(0, madvise(peer, size, MADV_DONTNEED));
	for (i = 0; i < size; i++) {
		ASSERT_EQ((char)(i * 7), at[i]);
		ASSERT_EQ((char)(i * 7), peer[i]);
	}
	EXPECT_EQ(0, madvise(at, size, MADV_DONTNEED));
	for (i = 0; i < size; i += 100)
		at[i] = 1;
	for (i = 0; i < size; i++)
		ASSERT_EQ(i % 100 ? (char)(i * 7) : 1, peer[i]);
	EXPECT_NE(0, madvise(at, size, MADV_REMOVE));
	EXPECT_NE(0, madvise(at, size, MADV_FREE));
	EXPECT_EQ(1, *peer);
}

/* The ring still works when every fd is closed and only mappings remain. */
TEST_F(mmap, after_close)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v, w = 0;
	char *all;
	int i;

	if (variant->want.flags & SPSCRING_CREATE_RECORDS)
		return;
	all = mmap(NULL, self->g.memory, READ, MAP_SHARED, self->fd[RING_FD], 0);
	ASSERT_NE(MAP_FAILED, all);
	ASSERT_EQ(0, map_producer(self->fd[PRODUCER_FD], &p, NULL));
	ASSERT_EQ(0, map_consumer(self->fd[CONSUMER_FD], &c, NULL));
	for (i = 0; i < FDS; i++)
		close_fd(&self->fd[i]);
	for (v = 0; v < 10000; v++) {
		ASSERT_EQ(0, spscring_push(&p, &v));
		ASSERT_EQ(0, spscring_pop(&c, &w));
		ASSERT_EQ(v, w);
	}
	EXPECT_EQ(SPSCRING_MAGIC, *(__u64 *)(all + self->g.info_offset));
	/* pages are filled again, although no fd is left */
	EXPECT_EQ(0, madvise(all, self->g.memory, MADV_DONTNEED));
	EXPECT_EQ(SPSCRING_MAGIC, *(__u64 *)(all + self->g.info_offset));
}

/* A child inherits the fds and none of the mappings. */
TEST_F(mmap, not_in_a_child)
{
	char *rw = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	char *ro = map_section(self, PRODUCER_FD, self->g.info_offset, READ);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, rw);
	ASSERT_NE(MAP_FAILED, ro);
	pid = fork_child();
	if (!pid)
		_exit(touch(rw, false) == SIGSEGV && touch(ro, false) == SIGSEGV);
	EXPECT_EQ(1, wait_child(pid));
	EXPECT_EQ(0, touch(rw, true));
}

/* A process may ask for its child to inherit a mapping, which then keeps the end alive. */
TEST_F(mmap, madv_dofork)
{
	char *rw = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	int ring = self->fd[RING_FD], hold[2];
	pid_t pid;

	ASSERT_NE(MAP_FAILED, rw);
	if (madvise(rw, self->page, MADV_DOFORK))
		return;
	ASSERT_EQ(0, pipe(hold));
	pid = fork_child();
	if (!pid) {
		close(hold[1]);
		close(self->fd[PRODUCER_FD]);
		if (touch(rw, true))
			_exit(1);
		_exit(read(hold[0], rw, 1));
	}
	munmap(rw, self->page);
	close_fd(&self->fd[PRODUCER_FD]);
	sleep_ms(20);
	EXPECT_EQ(SPSCRING_HELD, state_of(ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-EBUSY, claim_end(ring, SPSCRING_PRODUCER, 0));
	close(hold[1]);
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_TRUE(wait_state(ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

/* The flags of the mapping at @at, as /proc/self/smaps has them. */
static bool vm_flags(void *at, char *flags, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	unsigned long from, to;
	char line[512];

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)at >= from && (unsigned long)at < to;
		found = inside && !strncmp(line, "VmFlags:", 8);
	}
	if (f)
		fclose(f);
	if (found)
		snprintf(flags, size, "%s", line + 8);
	return found;
}

/* A mapping is not dumped, cannot grow, is not inherited, and cannot get more rights. */
TEST_F(mmap, vm_flags)
{
	static const char * const always[] = { " dd ", " de ", " dc ", " sh ", " ms ", " mr " };
	char flags[512];
	void *ro, *rw;
	size_t i;

	ro = map_section(self, PRODUCER_FD, self->g.consumer_offset, READ);
	rw = map_section(self, PRODUCER_FD, self->g.data_offset, READ);
	ASSERT_NE(MAP_FAILED, ro);
	ASSERT_NE(MAP_FAILED, rw);
	if (!vm_flags(ro, flags, sizeof(flags)))
		SKIP(return, "no VmFlags in /proc/self/smaps");
	for (i = 0; i < ARRAY_SIZE(always); i++) {
		EXPECT_NE(NULL, strstr(flags, always[i]))
			TH_LOG("no%sin%s", always[i], flags);
	}
	EXPECT_EQ(NULL, strstr(flags, " mw "));
	EXPECT_EQ(NULL, strstr(flags, " me "));

	ASSERT_TRUE(vm_flags(rw, flags, sizeof(flags)));
	for (i = 0; i < ARRAY_SIZE(always); i++)
		EXPECT_NE(NULL, strstr(flags, always[i]));
	EXPECT_NE(NULL, strstr(flags, " mw "));
	EXPECT_EQ(NULL, strstr(flags, " me "));
}

/* ---------------------------------------------------------------- userfaultfd */

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

/* A userfaultfd that can write-protect mappings of any kind; or a negative errno. */
static int any_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };
	int fd = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC)), err;

	if (fd < 0)
		return fd;
	err = do_ioctl(fd, UFFDIO_API, &api);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int protect_by(int uffd, char *at, size_t size)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)at, size }, .mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int err = do_ioctl(uffd, UFFDIO_REGISTER, &reg);

	return err ? err : do_ioctl(uffd, UFFDIO_WRITEPROTECT, &protect);
}

#define REFUSED		77

/* A page that is dropped while write-protected leaves an entry of userfaultfd in the page table. */
static int use_protected(mmap_t *self)
{
	char *at = map_section(self, PRODUCER_FD, self->g.data_offset, WRITE);
	int uffd = any_userfaultfd(), fds[2], err;

	if (at == MAP_FAILED || pipe(fds) || write(fds[1], "byte", 4) != 4)
		return 1;
	*at = 0;
	if (uffd < 0 || protect_by(uffd, at, self->page))
		return REFUSED;
	if (madvise(at, self->page, MADV_DONTNEED))
		return 2;
	err = negative_errno(read(fds[0], at, 1));
	if (err != 1 && err != -EFAULT)
		return 3;
	err = negative_errno(write(fds[1], at, 1));
	if (err != 1 && err != -EFAULT)
		return 4;
	err = touch(at, true);
	return err && err != SIGBUS ? 5 : 0;
}

/*
 * userfaultfd has left an entry in the page table.  An access to that page, by the kernel or by the
 * process, must return, with an error or without, and not fault for ever.
 */
TEST_F(mmap, foreign_entries)
{
	pid_t pid = fork_child();
	int end;

	if (!pid)
		_exit(use_protected(self));
	end = wait_child_patiently(pid);
	if (end == REFUSED)
		SKIP(return, "userfaultfd takes no mapping of the module's");
	EXPECT_EQ(0, end);
}

TEST_HARNESS_MAIN
