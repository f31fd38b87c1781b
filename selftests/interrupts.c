// SPDX-License-Identifier: GPL-2.0
/*
 * A driver pushes from interrupts: a timer, a tasklet, irq_work, an NMI.
 *
 * SPSCRING_KO_DIR	where spscring_irq.ko is
 */
#include "sleep.h"

#define INTERRUPTS	20000

FIXTURE(interrupts) {
	int end;
};

FIXTURE_VARIANT(interrupts) {
	const char *node;
};

FIXTURE_VARIANT_ADD(interrupts, hrtimer) { "/dev/spscring-hrtimer" };
FIXTURE_VARIANT_ADD(interrupts, tasklet) { "/dev/spscring-tasklet" };
FIXTURE_VARIANT_ADD(interrupts, irq_work) { "/dev/spscring-irqwork" };
FIXTURE_VARIANT_ADD(interrupts, nmi) { "/dev/spscring-nmi" };

FIXTURE_SETUP(interrupts)
{
	char params[64];

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "records=%u", INTERRUPTS);
	LOAD_OR_SKIP("spscring_irq", params);
	self->end = negative_errno(open(variant->node, O_RDWR | O_CLOEXEC));
	if (self->end == -ENOENT && strstr(variant->node, "nmi")) {
		unload("spscring_irq");		/* after a skip the harness runs no teardown */
		SKIP(return, "no local APIC to send NMIs");
	}
	ASSERT_GE(self->end, 0);
}

FIXTURE_TEARDOWN(interrupts)
{
	close_fd(&self->end);
	unload("spscring_irq");
}

/* Each push wakes the reader, which gets 0, 1, 2, ... until the end of the stream. */
TEST_F(interrupts, asleep)
{
	struct spscring_consumer c;
	__u64 next = 0, v;
	int err;

	ASSERT_EQ(0, map_consumer(self->end, &c, NULL));
	do {
		err = spscring_pop(&c, &v);
		if (!err)
			ASSERT_EQ(next++, v);
		if (err == -EAGAIN)
			err = poll_one(self->end, POLLIN, LONG) == POLLIN ? 0 : -ETIMEDOUT;
	} while (!err);
	EXPECT_EQ(-ESHUTDOWN, err);
	EXPECT_EQ(INTERRUPTS, next);
	EXPECT_GT(info_of(self->end).consumer_sleep.wakes, 0);
}

/* The driver is unloaded while its timers run and its rings are full. */
TEST(interrupts_unloaded)
{
	int i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < 5; i++) {
		LOAD_OR_SKIP("spscring_irq", "period_us=50");
		sleep_ms(i * 7);
		EXPECT_EQ(0, unload("spscring_irq"));
	}
	EXPECT_NE(0, access("/dev/spscring-hrtimer", F_OK));
}

TEST_HARNESS_MAIN
