// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's ring as a device node: how one user affects the next, what the driver's callbacks
 * report, and that the open of one node delays no other.
 *
 * SPSCRING_KO_DIR	where spscring_driver.ko and tools/examples/events/spscring_events.ko are
 */
#include <pthread.h>
#include <stdio.h>

#include "selftest.h"
#include "../tools/examples/events/spscring_events.h"

#define NODE	"/dev/spscring-driver"
#define LATE	"/dev/spscring-driver-late"	/* open: there is a */
#define LATE_NODE "/dev/spscring-driver-node"

#define PARAMETERS "/sys/module/spscring_driver/parameters/"

static long long param(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return read_number(path);
}

static int set_hold(bool hold)
{
	return write_text(PARAMETERS "hold", hold ? "1" : "0");
}

struct expected {
	const char *name;
	long long least;
};

static bool param_is(const void *arg)
{
	const struct expected *e = arg;

	return param(e->name) >= e->least;
}

static bool wait_param(const char *name, long long least)
{
	return within_patience(param_is, &(struct expected){ name, least });
}

static int open_errno(const char *path, int flags)
{
	int fd = negative_errno(open(path, flags | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* A child that opens @path, and exits with the errno. */
static pid_t fork_open(const char *path, int flags)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(-open_errno(path, flags));
	return pid;
}

/* A user who has the node open, at either end. */
struct user {
	int end;
	__u32 role;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping map;
	__u64 next;
};

static int user_open(struct user *u)
{
	u->end = negative_errno(open(NODE, O_RDWR | O_CLOEXEC));
	if (u->end < 0)
		return u->end;
	return u->role == SPSCRING_PRODUCER ?
		spscring_map_producer(u->end, &u->p, sizeof(u->next), 0, &u->map) :
		spscring_map_consumer(u->end, &u->c, sizeof(u->next), 0, &u->map);
}

static void user_close(struct user *u)
{
	close_fd(&u->end);
	spscring_unmap(&u->map);
}

/* Move one element, and wait for as long as the driver takes to move its own. */
static int user_move(struct user *u, __u64 *v)
{
	int err = -EAGAIN, tries;

	for (tries = 0; err == -EAGAIN && tries < 30000000; tries++) {
		err = u->role == SPSCRING_PRODUCER ? spscring_push(&u->p, &u->next) :
			spscring_pop(&u->c, v);
		if (err == -EAGAIN && tries % 1000 == 999)
			sleep_ms(1);
	}
	return err;
}

/* Move @n elements, which count up.  Return: 0, or the error that came instead. */
static int user_stream(struct user *u, int n)
{
	__u64 v = 0;
	int err;

	for (; n; n--, u->next++) {
		err = user_move(u, &v);
		if (err)
			return err;
		if (u->role == SPSCRING_CONSUMER && v != u->next)
			return -EILSEQ;
	}
	return 0;
}

/* -------------------------------------------- opens that hold nobody up */

FIXTURE(nodes) {
};

FIXTURE_SETUP(nodes)
{
	SKIP_WITHOUT_DEVICE();
	LOAD_OR_SKIP("spscring_driver", "");
}

FIXTURE_TEARDOWN(nodes)
{
	set_hold(false);
	unload("spscring_driver");
}

/* An open of this driver's node exports another, while misc_open() holds the lock of all nodes. */
TEST_F(nodes, exported_in_an_open)
{
	pid_t opener, others;
	int i, fd;

	opener = fork_open(LATE, O_RDONLY);
	ASSERT_EQ(0, wait_child_patiently(opener));
	opener = fork_child();
	if (!opener) {
		for (i = 0; i < 200; i++) {
			fd = open(LATE, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || open_errno(LATE_NODE, O_RDWR))
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	others = fork_child();
	if (!others) {
		for (i = 0; i < 200; i++)
			if (open_errno(DEVICE, O_RDWR))
				_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, wait_child_patiently(opener));
	EXPECT_EQ(0, wait_child_patiently(others));
	EXPECT_EQ(-ENOENT, open_errno(LATE_NODE, O_RDWR));
}

/* An open whose claim takes long delays the open of no other node. */
TEST_F(nodes, claimed_under_no_lock)
{
	pid_t claimer, second;

	ASSERT_EQ(0, set_hold(true));
	claimer = fork_open(NODE, O_RDWR);
	ASSERT_TRUE(wait_param("claimed", 1));
	EXPECT_EQ(0, wait_child_patiently(fork_open(DEVICE, O_RDWR)));
	EXPECT_EQ(0, wait_child_patiently(fork_open(LATE, O_RDONLY)));
	/* a second open of the same node waits, and a signal can kill it */
	second = fork_open(NODE, O_RDWR);
	kill(second, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_child_patiently(second));
	EXPECT_EQ(1, param("claimed"));
	EXPECT_EQ(0, param("died"));

	ASSERT_EQ(0, set_hold(false));
	EXPECT_EQ(0, wait_child_patiently(claimer));
	EXPECT_TRUE(wait_param("died", 1));
}

#define RACE_OPENS	30
#define RACE_EXPORTS	300

static struct {
	int opened, exported;
	int wrong;
	bool stop;
} race;

static void *race_opener(void *unused)
{
	while (!READ_ONCE(race.stop)) {
		int err = open_errno(LATE_NODE, O_RDWR);

		if (!err)
			WRITE_ONCE(race.opened, race.opened + 1);
		else if (err != -ENOENT && err != -ENODEV && err != -ENXIO && err != -EBUSY)
			WRITE_ONCE(race.wrong, err);
		sched_yield();
	}
	return unused;
}

/* Of several simultaneous exports by one name, one succeeds. */
static void *race_exporter(void *unused)
{
	while (!READ_ONCE(race.stop)) {
		int fd = open(LATE, O_WRONLY | O_CLOEXEC);
		int ret = negative_errno(write(fd, "x", 1));

		if (ret == 1)
			__atomic_add_fetch(&race.exported, 1, __ATOMIC_RELAXED);
		else if (ret != -EEXIST)
			WRITE_ONCE(race.wrong, ret);
		close(fd);
		sched_yield();
	}
	return unused;
}

static bool race_is_run(const void *unused)
{
	(void)unused;
	return READ_ONCE(race.wrong) || (READ_ONCE(race.opened) >= RACE_OPENS &&
					 READ_ONCE(race.exported) >= RACE_EXPORTS);
}

TEST_F(nodes, opened_while_they_come_and_go)
{
	void *(*run[])(void *) = { race_opener, race_opener, race_exporter, race_exporter };
	pthread_t threads[ARRAY_SIZE(run)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(run); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run[i], NULL));
	EXPECT_TRUE(within_patience(race_is_run, NULL));
	WRITE_ONCE(race.stop, true);
	for (i = 0; i < ARRAY_SIZE(run); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, race.wrong);
	EXPECT_EQ(-ENOENT, open_errno(LATE_NODE, O_RDWR));
	/* the name is free again */
	EXPECT_EQ(0, open_errno(LATE, O_RDONLY));
}

/* ------------------------------------------------- users after each other */

FIXTURE(users)
{
	struct user u;
};

FIXTURE_VARIANT(users)
{
	__u32 role;
	bool again, mends;
};

FIXTURE_VARIANT_ADD(users, consumer) { SPSCRING_CONSUMER, false, false };
FIXTURE_VARIANT_ADD(users, consumer_again) { SPSCRING_CONSUMER, true, true };
FIXTURE_VARIANT_ADD(users, producer) { SPSCRING_PRODUCER, false, false };
FIXTURE_VARIANT_ADD(users, producer_again) { SPSCRING_PRODUCER, true, true };

FIXTURE_SETUP(users)
{
	char params[64];

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "role=%u again=%d mends=%d", variant->role,
		 variant->again, variant->mends);
	LOAD_OR_SKIP("spscring_driver", params);
	self->u.role = variant->role;
	ASSERT_EQ(0, user_open(&self->u));
}

FIXTURE_TEARDOWN(users)
{
	close_fd(&self->u.end);
	unload("spscring_driver");
}

/* The driver hears of each user who opens or leaves; the next user continues at his position. */
TEST_F(users, heard_of)
{
	struct user *u = &self->u;
	pid_t pid;
	int i;

	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(i, param("claimed"));
		EXPECT_EQ(i - 1, param("died"));
		ASSERT_EQ(0, user_stream(u, 1000));
		/* the user holds the end for as long as his mapping exists */
		close_fd(&u->end);
		EXPECT_EQ(-EBUSY, open_errno(NODE, O_RDWR));
		EXPECT_EQ(i - 1, param("died"));
		spscring_unmap(&u->map);
		EXPECT_TRUE(wait_param("died", i));
		ASSERT_EQ(0, user_open(u));
	}
	user_close(u);
	pid = fork_child();
	if (!pid) {
		if (user_open(u))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, wait_child(pid));
	EXPECT_TRUE(wait_param("died", 5));
	EXPECT_EQ(5, param("claimed"));
	EXPECT_EQ(0, param("shut_down"));
	EXPECT_EQ(0, param("broken"));
}

/* A user shuts down: the ring is then at its end, or, by the driver's flag, free for the next. */
TEST_F(users, shut_down)
{
	struct user *u = &self->u;
	int i;

	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, user_stream(u, 1000));
		ASSERT_EQ(0, spscring_shutdown(u->end, 0));
		EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(u->end, u->role));
		/* no other user can open the node while he has it open */
		EXPECT_EQ(variant->again ? -EBUSY : -ESHUTDOWN, open_errno(NODE, O_RDWR));
		EXPECT_EQ(i - 1, param("shut_down"));
		user_close(u);
		EXPECT_TRUE(wait_param("shut_down", i));
		if (!variant->again) {
			EXPECT_EQ(-ESHUTDOWN, open_errno(NODE, O_RDWR));
			break;
		}
		ASSERT_EQ(0, user_open(u));
		EXPECT_EQ(SPSCRING_HELD, state_of(u->end, u->role));
	}
	EXPECT_EQ(0, param("died"));
	EXPECT_EQ(0, param("broken"));
}

/* Write an impossible value into each kind of word that the driver reads. */
static void lie(struct user *u)
{
	const struct spscring_geometry g = info_of(u->end).geometry;
	__u64 i;

	if (u->role == SPSCRING_CONSUMER) {
		WRITE_ONCE(u->c.base.block->published_head, u->c.base.pos + 10 * g.capacity);
		WRITE_ONCE(u->c.base.block->cursor, u->c.base.pos + 10 * g.capacity);
		return;
	}
	WRITE_ONCE(u->p.base.block->cursor, u->p.base.pos + 10 * g.capacity);
	for (i = 0; i < g.frames; i++)
		WRITE_ONCE(*(__u64 *)(u->p.base.data + i * g.frame_size),
			   u->p.base.pos + 10 * g.capacity);
}

static bool is_broken(const void *end)
{
	return info_of(*(const int *)end).broken;
}

/* A user lies: the ring stays broken, or the driver resets it for the next user. */
TEST_F(users, broken)
{
	struct user *u = &self->u;
	long long moved;
	__u64 v;
	int i;

	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, user_stream(u, 1000));
		lie(u);
		/* the driver's end finds the lie, or the next claim does */
		if (i == 2)
			EXPECT_TRUE(within_patience(is_broken, &u->end));
		user_close(u);
		EXPECT_TRUE(wait_param("died", i));
		if (!variant->mends) {
			EXPECT_EQ(-EPIPE, open_errno(NODE, O_RDWR));
			EXPECT_EQ(1, param("broken"));
			break;
		}
		ASSERT_EQ(0, user_open(u));
		EXPECT_EQ(0, info_of(u->end).broken);
		EXPECT_EQ(i, param("resets"));
		if (u->role == SPSCRING_PRODUCER)
			continue;
		/* the reset has discarded all elements that nobody popped */
		ASSERT_EQ(0, user_move(u, &v));
		EXPECT_GE(v, u->next);
		u->next = v + 1;
	}
	EXPECT_EQ(0, param("shut_down"));
	if (!variant->mends)
		return;
	moved = param("moved");
	EXPECT_EQ(0, user_stream(u, 1000));
	EXPECT_TRUE(wait_param("moved", moved + 500));
}

/* A user who finds the driver's words impossible shuts down with BROKEN. */
TEST_F(users, says_broken)
{
	struct user *u = &self->u;

	ASSERT_EQ(0, user_stream(u, 1000));
	ASSERT_EQ(0, spscring_shutdown(u->end, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(1, info_of(u->end).broken);
	user_close(u);
	EXPECT_TRUE(wait_param("shut_down", 1));
	EXPECT_EQ(variant->again ? 0 : -ESHUTDOWN, open_errno(NODE, O_RDWR));
	EXPECT_EQ(variant->mends, param("resets"));
}

/* After a driver is unloaded, the user that is still there causes no callback. */
TEST_F(users, driver_unloaded)
{
	struct user *u = &self->u;

	ASSERT_EQ(0, user_stream(u, 1000));
	ASSERT_EQ(0, unload("spscring_driver"));
	EXPECT_EQ(-ENOENT, open_errno(NODE, O_RDWR));
	EXPECT_EQ(SPSCRING_HELD, state_of(u->end, u->role));
	user_close(u);
}

/* -------------------------------------------------------------- the example */

#define EVENTS		"/dev/spscring-events0"

static int events_open(struct spscring_record_consumer *c, struct spscring_mapping *map, int *end)
{
	*end = negative_errno(open(EVENTS, O_RDWR | O_CLOEXEC));
	return *end < 0 ? *end : spscring_record_map_consumer(*end, c, SPSCRING_EVENTS_TAG, map);
}

/* The example's events are processes that end. */
static bool event_comes(const void *consumer)
{
	struct spscring_record_consumer *c = (struct spscring_record_consumer *)consumer;
	char event[SPSCRING_EVENT_MAX];

	wait_child(fork_child() ?: (_exit(0), 0));
	return spscring_record_pop(c, event, sizeof(event)) > 0;
}

static void events_survive(struct __test_metadata *_metadata, const char *params)
{
	struct spscring_record_consumer c;
	struct spscring_mapping map;
	int err, i, end;

	LOAD_OR_SKIP("tools/examples/events/spscring_events", params);
	for (i = 0; i < 4; i++) {
		err = events_open(&c, &map, &end);
		EXPECT_EQ(0, err)
			TH_LOG("open %d, %s", i, params);
		if (err)
			break;
		EXPECT_TRUE(within_patience(event_comes, &c));
		if (!(i % 2))
			WRITE_ONCE(c.base.block->cursor, c.base.pos + (1 << 30));
		else
			EXPECT_EQ(0, spscring_shutdown(end, 0));
		close_fd(&end);
		spscring_unmap(&map);
	}
	EXPECT_EQ(0, unload("spscring_events"));
}

/* The example driver: whatever one user does, the next one has a ring that works. */
TEST(example)
{
	SKIP_WITHOUT_DEVICE();
	pin(false);
	events_survive(_metadata, "overwrite=0");
	events_survive(_metadata, "overwrite=1");
}

TEST_HARNESS_MAIN
