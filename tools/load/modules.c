// SPDX-License-Identifier: GPL-2.0
/*
 * The module is unloaded and loaded again and again, while processes open its device, make rings
 * and read its files at every moment of that.
 *
 * SPSCRING_KO_DIR	where spscring.ko is
 */
#include "load.h"

#define CYCLES		1000	/* of the full load */
#define OPENERS		2

static const char * const peers[] = { "spscring_record_peer", "spscring_peer" };

FIXTURE(modules)
{
	struct shared {
		__u64 rings;	/* made */
		__u64 misses;	/* opens that found no device */
		__s32 bad;	/* an errno that no open or CREATE should return */
	} *shared;
	pid_t opener[OPENERS];
	bool peer[ARRAY_SIZE(peers)];	/* loaded before the test */
};

/* Make a ring of two ends, and let all of it go. */
static int use_ring(int fd)
{
	int in, out, err = do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 64, .element_size = 8));

	if (err)
		return err;
	in = claim_end(fd, SPSCRING_PRODUCER, 0);
	out = claim_end(fd, SPSCRING_CONSUMER, 0);
	close_fd(&in);
	close_fd(&out);
	return 0;
}

/* Open, use and close what the module offers, until this process is killed. */
static void open_always(struct shared *shared)
{
	unsigned int round;
	int fd, err;

	for (round = getpid();; round++) {
		fd = device_open();
		/* now and then an open file without a ring is all that is in use */
		if (round % 8 == 4)
			sleep_ms(1);
		err = fd < 0 ? fd : use_ring(fd);
		close_fd(&fd);
		if (!err)
			__sync_fetch_and_add(&shared->rings, 1);
		else if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
			__sync_fetch_and_add(&shared->misses, 1);
		else
			WRITE_ONCE(shared->bad, -err);
		free(list_text());
		read_number(USED_BYTES);
		/* now and then leave nobody in the module, so that it can go */
		if (!(round % 8))
			sleep_ms(round / 8 % 3);
	}
}

/* A peer whose last user is still on its way out can be unloaded soon. */
static bool peer_gone(const void *name)
{
	return unload(name) != -EWOULDBLOCK;
}

FIXTURE_SETUP(modules)
{
	char path[80];
	size_t i;

	SKIP_WITHOUT_DEVICE();
	if (!getenv("SPSCRING_KO_DIR"))
		SKIP(return, NO_MODULE "spscring.ko");
	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", peers[i]);
		self->peer[i] = !access(path, F_OK);
		ASSERT_TRUE(within_patience(peer_gone, peers[i])) TH_LOG("%s is in use", peers[i]);
	}
	self->shared = shared_memory(sizeof(*self->shared));
	ASSERT_NE(MAP_FAILED, self->shared);
	for (i = 0; i < OPENERS; i++) {
		self->opener[i] = fork_child();
		if (!self->opener[i])
			open_always(self->shared);
	}
}

FIXTURE_TEARDOWN(modules)
{
	size_t i;

	for (i = 0; i < OPENERS; i++) {
		kill(self->opener[i], SIGKILL);
		wait_child(self->opener[i]);
	}
	/* also after a failed test */
	if (access("/sys/module/spscring", F_OK))
		EXPECT_EQ(0, insert("spscring", ""));
	for (i = ARRAY_SIZE(peers); i-- > 0;) {
		if (self->peer[i])
			EXPECT_EQ(0, insert(peers[i], ""));
	}
	EXPECT_TRUE(nothing_left());
	munmap(self->shared, sizeof(*self->shared));
}

/* Unload the module as soon as nobody is in it. */
static int goes(void)
{
	struct patience patience = {};
	int err;

	do
		err = unload("spscring");
	while (err == -EWOULDBLOCK && patient(&patience, 0));
	return err;
}

/* Wait until the openers have counted more of @what. */
static bool grows(const __u64 *what)
{
	const __u64 before = READ_ONCE(*what);
	struct patience patience = {};

	while (READ_ONCE(*what) == before)
		if (!patient(&patience, 0))
			return false;
	return true;
}

TEST_F_TIMEOUT(modules, come_and_go, 7200)
{
	const __u64 cycles = load_share(CYCLES);
	__u64 i;

	for (i = 0; i < cycles; i++) {
		ASSERT_TRUE(grows(&self->shared->rings));
		ASSERT_EQ(0, goes());
		/* an open fails, half of the times before the module is back */
		if (i % 2)
			ASSERT_TRUE(grows(&self->shared->misses));
		ASSERT_EQ(0, insert("spscring", ""));
		ASSERT_EQ(0, READ_ONCE(self->shared->bad));
	}
	ASSERT_TRUE(grows(&self->shared->rings));
	printf("# %llu loads, %llu rings meanwhile, %llu opens without the module\n", cycles,
	       self->shared->rings, self->shared->misses);
}

TEST_HARNESS_MAIN
