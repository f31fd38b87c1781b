// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel logs one line for each ring that breaks, and limits the rate of these lines.
 */
#include "selftest.h"

/* How many new lines of the log say that the ring is broken. */
static int lines_of(int kmsg, unsigned long long id)
{
	char line[8192], which[64];
	int n = 0;
	ssize_t got;

	snprintf(which, sizeof(which), "ring %llu \"", id);
	while ((got = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (got <= 0)
			continue;
		line[got] = 0;
		n += strstr(line, "is broken") && strstr(line, which);
	}
	return n;
}

/* Break a new ring @times times by each of its ends.  Return: lines of the log that report it. */
static int break_ring(int kmsg, int times)
{
	int ring, in, out, n;

	lseek(kmsg, 0, SEEK_END);
	n = open_ends(RING(.capacity = 64, .element_size = 8, .name = "hostile"), &ring, &in, &out);
	if (n)
		return n;
	while (times--) {
		spscring_shutdown(in, SPSCRING_SHUTDOWN_BROKEN);
		spscring_shutdown(out, SPSCRING_SHUTDOWN_BROKEN);
	}
	n = lines_of(kmsg, ring_id(ring));
	close_ends(&ring, &in, &out);
	return n;
}

/* One line for each ring, however often it breaks, and few lines where many rings break. */
TEST(one_line_in_the_log)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), i, n;
	time_t begin;

	SKIP_WITHOUT_DEVICE();
	if (kmsg < 0)
		SKIP(return, "/dev/kmsg: %s", strerror(errno));
	sleep_ms(6000);		/* longer than the interval of the rate limit */
	EXPECT_EQ(1, break_ring(kmsg, 1));
	EXPECT_EQ(1, break_ring(kmsg, 5));
	begin = time(NULL);
	for (i = 0, n = 0; i < 100; i++)
		n += break_ring(kmsg, 1);
	/* the limit is 10 lines in 5 s; the first and the last interval may be partial */
	EXPECT_GE(n, 5);
	EXPECT_LE(n, 10 * ((time(NULL) - begin) / 5 + 2));
	close(kmsg);
}

TEST_HARNESS_MAIN
