// SPDX-License-Identifier: GPL-2.0
/*
 * The module itself is loaded: with parameters that it refuses; and while memory is short, when
 * each allocation fails once.  A load that fails leaves nothing, and the next one succeeds.
 *
 * SPSCRING_KO_DIR	where spscring.ko is
 */
#include "faults.h"

#define PARAMETERS	"/sys/module/spscring/parameters/"
#define OWN		100	/* allocations by the module itself, about */

/* The module, after those that use it. */
static const char * const modules[] = { "spscring_record_peer", "spscring_peer", "spscring" };

FIXTURE(loading)
{
	bool loaded[ARRAY_SIZE(modules)];
	char params[160];		/* of spscring, before the test */
};

static void save_params(char *text, size_t size)
{
	static const char * const names[] = {
		"max_bytes", "quiet_us", "max_interrupts", "default_frame_size",
	};
	char path[80];
	unsigned int i;
	int at = 0;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", names[i]);
		at += snprintf(text + at, size - at, "%s=%lld ", names[i], read_number(path));
	}
}

/* Pages of a ring that is gone hold the module until they are free. */
static bool unloaded(const void *name)
{
	return unload(name) != -EAGAIN;
}

static bool is_loaded(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

#define loading_t	FIXTURE_DATA(loading)

/* Load what was loaded before the test.  Return: 0, or a negative errno. */
static int load_again(loading_t *self)
{
	const char *params = self->params;
	int i, err = 0;

	for (i = ARRAY_SIZE(modules) - 1; i >= 0; i--, params = "")
		if (self->loaded[i] && !is_loaded(modules[i]))
			err = load(modules[i], params) ?: err;
	return err;
}

FIXTURE_SETUP(loading)
{
	unsigned int i;

	SKIP_WITHOUT_DEVICE();
	if (!getenv("SPSCRING_KO_DIR"))
		SKIP(return, NO_MODULE "spscring.ko");
	save_params(self->params, sizeof(self->params));
	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		self->loaded[i] = is_loaded(modules[i]);
		if (!self->loaded[i] || within_patience(unloaded, modules[i]))
			continue;
		EXPECT_EQ(0, load_again(self));
		SKIP(return, "%s is in use", modules[i]);
	}
	ASSERT_FALSE(is_loaded("spscring"));
}

FIXTURE_TEARDOWN(loading)
{
	EXPECT_EQ(0, load_again(self));
}

TEST_F(loading, refused_parameters)
{
	static const struct { const char *params; int err; } bad[] = {
		{ "used_bytes=0", -EPERM }, { "default_frame_size=x", -EINVAL },
		{ "default_frame_size=96", -EINVAL }, { "default_frame_size=32", -EINVAL },
		{ "default_frame_size=2097152", -EINVAL }, { "quiet_us=-1", -EINVAL },
		{ "max_interrupts=4294967296", -ERANGE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].err, load("spscring", bad[i].params)) TH_LOG("%s", bad[i].params);
		EXPECT_NE(0, access(DEVICE, F_OK));
	}
	EXPECT_EQ(0, load("spscring", "default_frame_size=0x1000 quiet_us=20"));
	EXPECT_EQ(4096, read_number(PARAMETERS "default_frame_size"));
	EXPECT_EQ(20, read_number(PARAMETERS "quiet_us"));
	EXPECT_EQ(0, unload("spscring"));
}

/* The open and the copies of a load may fail as well. */
static bool documented(int err)
{
	return err == -ENOMEM || err == -EFAULT || err == -ENFILE;
}

/* How many allocations a load makes; without those of single pages, most of which are for code. */
static int count_allocations(int fail_nth)
{
	int err = faults_select(1) ?: fault_begin(fail_nth, INT_MAX) ?: load("spscring", ""), n;

	n = INT_MAX - fault_end(fail_nth);
	return err ?: unload("spscring") ?: n;
}

TEST_F(loading, short_of_memory)
{
	int fail_nth = faults_open(), all, nth, err, failed = 0;

	if (fail_nth < 0)
		SKIP(return, "%s: this kernel injects no faults", strerror(-fail_nth));
	all = count_allocations(fail_nth);
	ASSERT_LT(OWN, all);
	/* the module's own are the last ones */
	for (nth = all; nth > all - OWN; nth--) {
		ASSERT_EQ(0, fault_begin(fail_nth, nth));
		err = load("spscring", "");
		fault_end(fail_nth);
		if (err) {
			failed++;
			EXPECT_TRUE(documented(err)) TH_LOG("fault %d: %s", nth, strerror(-err));
			EXPECT_NE(0, access(DEVICE, F_OK));
			EXPECT_EQ(0, load("spscring", ""));
		}
		EXPECT_EQ(0, access(DEVICE, F_OK)) TH_LOG("fault %d", nth);
		EXPECT_EQ(0, unload("spscring"));
	}
	TH_LOG("%d faults of %d, %d of them made the load fail", OWN, all, failed);
	EXPECT_LE(5, failed);
	close(fail_nth);
}

TEST_HARNESS_MAIN
