// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU goes and comes back beside streams whose ends ran on it: nothing is lost, and nobody
 * sleeps for ever.
 */
#include "load.h"

#define SWITCHES	1000	/* of the full load, in each stream: off and on */
#define RECORDS		20000	/* of a stream; another one begins when it is over */
#define CPU		"/sys/devices/system/cpu/cpu1/online"

FIXTURE(hotplug)
{
	struct stream s;
	struct parameter quiet;
};

FIXTURE_VARIANT(hotplug)
{
	struct stream_kind kind;
};

#define HOTPLUG(name, ...)	FIXTURE_VARIANT_ADD(hotplug, name) { { __VA_ARGS__ } }

HOTPLUG(users, BY_WAIT, BY_WAIT, WAITS);
HOTPLUG(users_overwriting, BY_TRYING, BY_POLL, OVERWRITES);
HOTPLUG(from_kernel, BY_KERNEL_WAIT, BY_WAIT, WAITS);
HOTPLUG(to_kernel, BY_WAIT, BY_KERNEL_WAIT, WAITS);

FIXTURE_SETUP(hotplug)
{
	SKIP_WITHOUT(CPU, "a CPU that cannot be switched off");
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	ASSERT_TRUE(stream_init(&self->s));
	/* the fence bit is cleared at once: most sleeps interrupt the CPUs of the peer */
	ASSERT_TRUE(parameter_keep(&self->quiet, "quiet_us"));
	ASSERT_EQ(0, parameter_set(&self->quiet, 10));
}

FIXTURE_TEARDOWN(hotplug)
{
	if (read_number(CPU) != 1)
		EXPECT_EQ(0, write_text(CPU, "1"));
	EXPECT_EQ(0, parameter_restore(&self->quiet));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(hotplug, off_and_on, 7200)
{
	const __u64 n = load_share(SWITCHES);
	struct stream *s = &self->s;
	__u64 i, streams = 0;

	for (i = 0; i < n; i++) {
		if (s->ring < 0) {
			ASSERT_TRUE(stream_begin(s, &variant->kind, RECORDS));
			streams++;
		}
		ASSERT_EQ(0, write_text(CPU, "0"));
		ASSERT_EQ(0, read_number(CPU));
		sleep_ms(random_word() % 20);
		ASSERT_EQ(0, write_text(CPU, "1"));
		sleep_ms(random_word() % 20);
		if (stream_is_over(s))
			ASSERT_EQ(0, stream_end(s, &variant->kind));
	}
	if (s->ring >= 0)
		EXPECT_EQ(0, stream_end(s, &variant->kind));
	printf("# %llu times off and on, %llu streams\n", n, streams);
}

TEST_HARNESS_MAIN
