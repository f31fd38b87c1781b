// SPDX-License-Identifier: GPL-2.0
/*
 * After an end has shut down or died the kernel wakes each poller of its peer, and drops the
 * eventfd and the watermark that the end had set.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include "sleep.h"

FIXTURE(end) {
	int ring, in, out;
};

FIXTURE_VARIANT(end) {
	bool dies;
};

FIXTURE_VARIANT_ADD(end, shut_down) {
	.dies = false,
};

FIXTURE_VARIANT_ADD(end, dead) {
	.dies = true,
};

FIXTURE_SETUP(end)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RING(.capacity = 8, .element_size = 8), &self->ring, &self->in,
			       &self->out));
}

FIXTURE_TEARDOWN(end)
{
	close_ends(&self->ring, &self->in, &self->out);
}

struct ender {
	pthread_t thread;
	int *fd;
	bool dies;
};

static void *end_soon(void *arg)
{
	struct ender *e = arg;

	sleep_ms(30);
	if (e->dies)
		close_fd(e->fd);
	else
		spscring_shutdown(*e->fd, 0);
	return NULL;
}

/* Fill the ring; a second call finds no room. */
static int fill(int in)
{
	__u64 full[8] = {};

	return negative_errno(write(in, full, sizeof(full)));
}

/* poll wakes a producer that waits for room when its consumer is gone ... */
TEST_F(end, poll_out)
{
	struct ender e = { .fd = &self->out, .dies = variant->dies };

	ASSERT_EQ(64, fill(self->in));
	ASSERT_EQ(0, pthread_create(&e.thread, NULL, end_soon, &e));
	EXPECT_EQ(POLLOUT | (variant->dies ? POLLHUP : 0), poll_one(self->in, POLLOUT, LONG));
	EXPECT_EQ(variant->dies ? -EPIPE : -ESHUTDOWN, fill(self->in));
	pthread_join(e.thread, NULL);
}

/* ... and so does select. */
TEST_F(end, select_out)
{
	struct ender e = { .fd = &self->out, .dies = variant->dies };
	struct timeval time = { .tv_sec = LONG / 1000 };
	fd_set out;

	ASSERT_EQ(64, fill(self->in));
	ASSERT_EQ(0, pthread_create(&e.thread, NULL, end_soon, &e));
	FD_ZERO(&out);
	FD_SET(self->in, &out);
	EXPECT_EQ(1, select(self->in + 1, NULL, &out, NULL, &time));
	pthread_join(e.thread, NULL);
}

/* The number of an eventfd, which is the least that was free when it was made; or -1. */
static int eventfd_id(int fd)
{
	char path[64], line[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %d", &id) == 1)
			break;
	if (f)
		fclose(f);
	return id;
}

/* True if a new eventfd can have that number: the old one is freed. */
static bool eventfd_is_gone(int id)
{
	int fds[256], n = 0, next = -1;

	while (n < 256 && next < id) {
		fds[n] = eventfd(0, EFD_CLOEXEC);
		next = eventfd_id(fds[n++]);
	}
	while (n)
		close(fds[--n]);
	return next == id;
}

/* An end that has shut down or died does not hold its eventfd. */
TEST_F(end, forgets)
{
	int event = eventfd(0, EFD_CLOEXEC), id = eventfd_id(event);

	ASSERT_GE(id, 0);
	ASSERT_EQ(0, spscring_notify(self->out, 5, 1000000, event));
	close(event);
	EXPECT_FALSE(eventfd_is_gone(id));
	if (!variant->dies)
		ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	close_fd(&self->out);
	EXPECT_TRUE(eventfd_is_gone(id));
	if (!variant->dies)
		return;
	/* the next holder does not inherit the watermark either */
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_EQ(8, write(self->in, &(__u64){ 1 }, 8));
	EXPECT_EQ(POLLIN, poll_one(self->out, POLLIN, 0));
}

TEST_HARNESS_MAIN
