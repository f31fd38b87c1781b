// SPDX-License-Identifier: GPL-2.0
/*
 * The module cannot be unloaded while an fd, a mapping or a pinned page of it exists, and can be
 * afterwards.  The fixture unloads the tests' own modules first, and loads them again.
 *
 * SPSCRING_KO_DIR	where spscring.ko is
 */
#include <dirent.h>
#include <sys/syscall.h>

#include "selftest.h"

static const char * const peers[] = { "spscring_record_peer", "spscring_peer" };

FIXTURE(pinned)
{
	int ring, producer;
	bool peer[ARRAY_SIZE(peers)];	/* loaded before the test */
};

/* A module other than the peers that uses spscring, or NULL; @peer: which of the peers do. */
static const char *other_holder(bool *peer)
{
	static char other[256];
	DIR *dir = opendir("/sys/module/spscring/holders");
	struct dirent *d;
	size_t i;

	other[0] = 0;
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		for (i = 0; i < ARRAY_SIZE(peers) && strcmp(d->d_name, peers[i]); i++)
			;
		if (i < ARRAY_SIZE(peers))
			peer[i] = true;
		else
			snprintf(other, sizeof(other), "%s", d->d_name);
	}
	if (dir)
		closedir(dir);
	return other;
}

/* Open the device, whose node appears a moment after the module is loaded. */
static int device_opens(void)
{
	struct patience p = {};
	int fd;

	do
		fd = device_open();
	while (fd < 0 && patient(&p, 0));
	return fd;
}

FIXTURE_SETUP(pinned)
{
	const char *other;
	size_t i;

	SKIP_WITHOUT_DEVICE();
	if (!getenv("SPSCRING_KO_DIR"))
		SKIP(return, "SPSCRING_KO_DIR does not name the folder of spscring.ko");
	/* EEXIST: the module is loaded, and its file is there to load it again */
	if (insert("spscring", "") != -EEXIST)
		SKIP(return, "cannot load spscring.ko of SPSCRING_KO_DIR");
	if (access("/sys/module/spscring/refcnt", R_OK))
		SKIP(return, "spscring is no module, or none that can be unloaded");
	other = other_holder(self->peer);
	if (*other)
		SKIP(return, "%s is loaded, and uses spscring", other);
	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		if (self->peer[i])
			ASSERT_EQ(0, unload(peers[i]));
	}
	self->ring = spscring_open(RING(.capacity = 1000, .element_size = 8));
	ASSERT_GE(self->ring, 0);
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->producer, 0);
}

/* Load the module again, also after a failed test. */
FIXTURE_TEARDOWN(pinned)
{
	size_t i;
	int fd;

	close_fd(&self->ring);
	close_fd(&self->producer);
	if (access("/sys/module/spscring", F_OK))
		EXPECT_EQ(0, insert("spscring", ""));
	for (i = ARRAY_SIZE(peers); i-- > 0;) {
		if (self->peer[i])
			EXPECT_EQ(0, insert(peers[i], ""));
	}
	fd = device_opens();
	EXPECT_GE(fd, 0);
	close_fd(&fd);
}

/* With O_NONBLOCK the kernel says EWOULDBLOCK where a module is in use. */
static bool stays(void)
{
	sleep_ms(20);
	return unload("spscring") == -EWOULDBLOCK && !access("/sys/module/spscring", F_OK);
}

/* The kernel lets go of the last file a moment after its close returns. */
static bool goes(void)
{
	struct patience p = {};
	int err;

	do
		err = unload("spscring");
	while (err == -EWOULDBLOCK && patient(&p, 0));
	return !err && access(DEVICE, F_OK);
}

TEST_F(pinned, by_a_ring_fd)
{
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	close_fd(&self->ring);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_an_empty_fd)
{
	int fd = device_open();

	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	close(fd);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_an_endpoint)
{
	close_fd(&self->ring);
	EXPECT_TRUE(stays());
	close_fd(&self->producer);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_a_mapping_of_an_end)
{
	struct spscring_mapping map;
	struct spscring_producer p;

	ASSERT_EQ(0, map_producer(self->producer, &p, &map));
	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	EXPECT_EQ(0, spscring_push(&p, &(__u64){ 1 }));
	/* a fault enters the module */
	EXPECT_EQ(0, madvise(map.writable, map.writable_size, MADV_DONTNEED));
	EXPECT_EQ(0, spscring_push(&p, &(__u64){ 2 }));
	spscring_unmap(&map);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_a_mapping_of_the_ring)
{
	void *at = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, self->ring, 0);

	ASSERT_NE(MAP_FAILED, at);
	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	munmap(at, sysconf(_SC_PAGESIZE));
	EXPECT_TRUE(goes());
}

/* A mapping of nothing but the second half of data that are mapped twice. */
TEST_F(pinned, by_the_data_again)
{
	struct spscring_geometry g;
	char *at;

	close_fd(&self->ring);
	close_fd(&self->producer);
	self->ring = spscring_open(RING(.capacity = 4096, .flags = SPSCRING_CREATE_RECORDS));
	ASSERT_GE(self->ring, 0);
	g = info_of(self->ring).geometry;
	at = mmap(NULL, g.data_bytes, PROT_READ, MAP_SHARED, self->ring, g.memory);
	ASSERT_NE(MAP_FAILED, at);
	close_fd(&self->ring);
	EXPECT_TRUE(stays());
	/* a fault enters the module */
	EXPECT_EQ(0, madvise(at, g.data_bytes, MADV_DONTNEED));
	EXPECT_EQ(0, touch(at, false));
	munmap(at, g.data_bytes);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_an_fd_in_flight)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, spscring_send_fd(pair[0], self->producer));
	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	close(pair[0]);
	EXPECT_TRUE(stays());
	close(pair[1]);
	EXPECT_TRUE(goes());
}

TEST_F(pinned, by_another_process)
{
	pid_t pid = fork_child();

	if (!pid)
		for (;;)
			pause();
	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	EXPECT_TRUE(goes());
}

/* A page that a pipe holds is charged, so the module stays until it has freed it. */
TEST_F(pinned, by_a_page_in_a_pipe)
{
	struct spscring_mapping map;
	struct spscring_producer p;
	struct iovec iov = { .iov_len = 5 };
	int ends[2];
	char text[5];

	ASSERT_EQ(0, map_producer(self->producer, &p, &map));
	ASSERT_EQ(0, pipe(ends));
	iov.iov_base = memcpy((char *)map.writable + map.writable_size - 5, "still", 5);
	ASSERT_EQ(5, vmsplice(ends[1], &iov, 1, 0));
	spscring_unmap(&map);
	close_fd(&self->ring);
	close_fd(&self->producer);
	EXPECT_TRUE(stays());
	ASSERT_EQ(5, read(ends[0], text, 5));
	EXPECT_EQ(0, memcmp(text, "still", 5));
	EXPECT_TRUE(goes());
}

/* After it was unloaded and loaded again, the module works as before. */
TEST_F(pinned, back_again)
{
	struct spscring_producer p;

	close_fd(&self->ring);
	close_fd(&self->producer);
	ASSERT_TRUE(goes());
	ASSERT_EQ(0, insert("spscring", ""));
	self->ring = device_opens();
	ASSERT_GE(self->ring, 0);
	ASSERT_EQ(0, do_ioctl(self->ring, SPSCRING_CREATE, RING(.capacity = 1, .element_size = 1)));
	self->producer = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->producer, 0);
	ASSERT_EQ(0, map_producer(self->producer, &p, NULL));
	EXPECT_EQ(0, spscring_push(&p, "x"));
}

TEST_HARNESS_MAIN
