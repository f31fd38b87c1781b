// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers' rings as device nodes: what a user may do to the users after him, what the
 * driver hears of it, and that no open of a node holds up anybody else.
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

/* -1 if it cannot be read. */
static long long param(const char *name)
{
	long long value = -1;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%lld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

static int set_hold(bool hold)
{
	int fd = open(PARAMETERS "hold", O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = negative_errno(write(fd, hold ? "1" : "0", 1));
	close(fd);
	return ret;
}

/* Something that must come: half a minute of a busy machine is nothing. */
static bool within_patience(bool (*there)(const void *), const void *arg)
{
	int i;

	for (i = 0; i < 30000; i++) {
		if (there(arg))
			return true;
		sleep_ms(2);
	}
	return false;
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

static bool child_is_over(const void *pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, *(const pid_t *)pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
		info.si_pid;
}

/* As wait_child(), but 254 of one that hangs. */
static int wait_child_patiently(pid_t pid)
{
	return within_patience(child_is_over, &pid) ? wait_child(pid) : 254;
}

static int open_errno(const char *path, int flags)
{
	int fd = negative_errno(open(path, flags | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* A child that opens, and tells its errno by its status. */
static pid_t fork_open(const char *path, int flags)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(-open_errno(path, flags));
	return pid;
}

/* A user of the node, of either end. */
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

/* The driver's next answer: anything but "not yet", however busy the machine is. */
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

/* @n records, and of a consumer the values that follow each other: 0, or what came instead. */
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
	int err;

	SKIP_WITHOUT_DEVICE();
	err = load("spscring_driver", "");
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_driver.ko");
	ASSERT_EQ(err, 0);
}

FIXTURE_TEARDOWN(nodes)
{
	set_hold(false);
	unload("spscring_driver");
}

/* misc_open() holds the lock of all misc devices, whose open exports here. */
TEST_F(nodes, exported_in_an_open)
{
	pid_t opener, others;
	int i, fd;

	opener = fork_open(LATE, O_RDONLY);
	ASSERT_EQ(wait_child_patiently(opener), 0);
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
	EXPECT_EQ(wait_child_patiently(opener), 0);
	EXPECT_EQ(wait_child_patiently(others), 0);
	EXPECT_EQ(open_errno(LATE_NODE, O_RDWR), -ENOENT);
}

/* One who claims for as long as it takes is alone in waiting for that. */
TEST_F(nodes, claimed_under_no_lock)
{
	pid_t claimer, second;

	ASSERT_EQ(set_hold(true), 1);
	claimer = fork_open(NODE, O_RDWR);
	ASSERT_TRUE(wait_param("claimed", 1));
	EXPECT_EQ(wait_child_patiently(fork_open(DEVICE, O_RDWR)), 0);
	EXPECT_EQ(wait_child_patiently(fork_open(LATE, O_RDONLY)), 0);
	/* who wants the same end waits as well, until he is killed */
	second = fork_open(NODE, O_RDWR);
	kill(second, SIGKILL);
	EXPECT_EQ(wait_child_patiently(second), -SIGKILL);
	EXPECT_EQ(param("claimed"), 1);
	EXPECT_EQ(param("died"), 0);

	ASSERT_EQ(set_hold(false), 1);
	EXPECT_EQ(wait_child_patiently(claimer), 0);
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

/* Of several who want one name at once, one has it. */
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
		ASSERT_EQ(pthread_create(&threads[i], NULL, run[i], NULL), 0);
	EXPECT_TRUE(within_patience(race_is_run, NULL));
	WRITE_ONCE(race.stop, true);
	for (i = 0; i < ARRAY_SIZE(run); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(race.wrong, 0);
	EXPECT_EQ(open_errno(LATE_NODE, O_RDWR), -ENOENT);
	/* the name is free again */
	EXPECT_EQ(open_errno(LATE, O_RDONLY), 0);
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
	int err;

	SKIP_WITHOUT_DEVICE();
	snprintf(params, sizeof(params), "role=%u again=%d mends=%d", variant->role,
		 variant->again, variant->mends);
	err = load("spscring_driver", params);
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_driver.ko");
	ASSERT_EQ(err, 0);
	self->u.role = variant->role;
	ASSERT_EQ(user_open(&self->u), 0);
}

FIXTURE_TEARDOWN(users)
{
	close_fd(&self->u.end);
	unload("spscring_driver");
}

/* Each comes and goes, by a close or a death, and the next goes on where he was. */
TEST_F(users, heard_of)
{
	struct user *u = &self->u;
	pid_t pid;
	int i;

	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(param("claimed"), i);
		EXPECT_EQ(param("died"), i - 1);
		ASSERT_EQ(user_stream(u, 1000), 0);
		/* a mapping is as good as an fd */
		close_fd(&u->end);
		EXPECT_EQ(open_errno(NODE, O_RDWR), -EBUSY);
		EXPECT_EQ(param("died"), i - 1);
		spscring_unmap(&u->map);
		EXPECT_TRUE(wait_param("died", i));
		ASSERT_EQ(user_open(u), 0);
	}
	user_close(u);
	pid = fork_child();
	if (!pid) {
		if (user_open(u))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(wait_child(pid), -SIGKILL);
	EXPECT_TRUE(wait_param("died", 5));
	EXPECT_EQ(param("claimed"), 5);
	EXPECT_EQ(param("shut_down"), 0);
	EXPECT_EQ(param("broken"), 0);
}

/* One user's SHUTDOWN: the last word of all, or of his own. */
TEST_F(users, shut_down)
{
	struct user *u = &self->u;
	int i;

	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(user_stream(u, 1000), 0);
		ASSERT_EQ(spscring_shutdown(u->end, 0), 0);
		EXPECT_EQ(state_of(u->end, u->role), SPSCRING_SHUT_DOWN);
		/* while he has it open it is nobody else's */
		EXPECT_EQ(open_errno(NODE, O_RDWR), variant->again ? -EBUSY : -ESHUTDOWN);
		EXPECT_EQ(param("shut_down"), i - 1);
		user_close(u);
		EXPECT_TRUE(wait_param("shut_down", i));
		if (!variant->again) {
			EXPECT_EQ(open_errno(NODE, O_RDWR), -ESHUTDOWN);
			break;
		}
		ASSERT_EQ(user_open(u), 0);
		EXPECT_EQ(state_of(u->end, u->role), SPSCRING_HELD);
	}
	EXPECT_EQ(param("died"), 0);
	EXPECT_EQ(param("broken"), 0);
}

/* Words that cannot be, of every kind that is looked at. */
static void lie(struct user *u)
{
	const struct spscring_geometry g = info_of(u->end).geometry;
	__u64 i;

	if (u->role == SPSCRING_CONSUMER) {
		WRITE_ONCE(u->c.base.lines->told.word, u->c.base.pos + 10 * g.capacity);
		WRITE_ONCE(u->c.base.lines->cursor.word, u->c.base.pos + 10 * g.capacity);
		return;
	}
	WRITE_ONCE(u->p.base.lines->cursor.word, u->p.base.pos + 10 * g.capacity);
	for (i = 0; i < g.frames; i++)
		WRITE_ONCE(*(__u64 *)(u->p.base.data + i * g.frame_size),
			   u->p.base.pos + 10 * g.capacity);
}

static bool is_broken(const void *end)
{
	return info_of(*(const int *)end).broken;
}

/* One user's lie: it ends the ring, or the driver sees to it. */
TEST_F(users, broken)
{
	struct user *u = &self->u;
	long long moved;
	__u64 v;
	int i;

	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(user_stream(u, 1000), 0);
		lie(u);
		/* found by the driver's end, or by the next claim */
		if (i == 2)
			EXPECT_TRUE(within_patience(is_broken, &u->end));
		user_close(u);
		EXPECT_TRUE(wait_param("died", i));
		if (!variant->mends) {
			EXPECT_EQ(open_errno(NODE, O_RDWR), -EPIPE);
			EXPECT_EQ(param("broken"), 1);
			break;
		}
		ASSERT_EQ(user_open(u), 0);
		EXPECT_EQ(info_of(u->end).broken, 0);
		EXPECT_EQ(param("resets"), i);
		if (u->role == SPSCRING_PRODUCER)
			continue;
		/* what was not read is lost */
		ASSERT_EQ(user_move(u, &v), 0);
		EXPECT_GE(v, u->next);
		u->next = v + 1;
	}
	EXPECT_EQ(param("shut_down"), 0);
	if (!variant->mends)
		return;
	moved = param("moved");
	EXPECT_EQ(user_stream(u, 1000), 0);
	EXPECT_TRUE(wait_param("moved", moved + 500));
}

/* His library found the peer's words impossible, says so, and shuts down. */
TEST_F(users, says_broken)
{
	struct user *u = &self->u;

	ASSERT_EQ(user_stream(u, 1000), 0);
	ASSERT_EQ(spscring_shutdown(u->end, SPSCRING_SHUTDOWN_BROKEN), 0);
	EXPECT_EQ(info_of(u->end).broken, 1);
	user_close(u);
	EXPECT_TRUE(wait_param("shut_down", 1));
	EXPECT_EQ(open_errno(NODE, O_RDWR), variant->again ? 0 : -ESHUTDOWN);
	EXPECT_EQ(param("resets"), variant->mends);
}

/* Who is still there when the driver goes is not heard of any more. */
TEST_F(users, driver_unloaded)
{
	struct user *u = &self->u;

	ASSERT_EQ(user_stream(u, 1000), 0);
	ASSERT_EQ(unload("spscring_driver"), 0);
	EXPECT_EQ(open_errno(NODE, O_RDWR), -ENOENT);
	EXPECT_EQ(state_of(u->end, u->role), SPSCRING_HELD);
	user_close(u);
}

/* -------------------------------------------------------------- the example */

#define EVENTS		"/dev/spscring-events0"

static int events_open(struct spscring_record_consumer *c, struct spscring_mapping *map, int *end)
{
	*end = negative_errno(open(EVENTS, O_RDWR | O_CLOEXEC));
	return *end < 0 ? *end : spscring_record_map_consumer(*end, c, SPSCRING_EVENTS_TAG, map);
}

/* A process ends, and that is an event. */
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

	err = load("tools/examples/events/spscring_events", params);
	if (no_module(err))
		SKIP(return, NO_MODULE "tools/examples/events/spscring_events.ko");
	ASSERT_EQ(err, 0);
	for (i = 0; i < 4; i++) {
		err = events_open(&c, &map, &end);
		EXPECT_EQ(err, 0)
			TH_LOG("open %d, %s", i, params);
		if (err)
			break;
		EXPECT_TRUE(within_patience(event_comes, &c));
		if (!(i % 2))
			WRITE_ONCE(c.base.lines->cursor.word, c.base.pos + (1 << 30));
		else
			EXPECT_EQ(spscring_shutdown(end, 0), 0);
		close_fd(&end);
		spscring_unmap(&map);
	}
	EXPECT_EQ(unload("spscring_events"), 0);
}

/* Written as drivers are to be: what one user does, the next does not feel. */
TEST(example)
{
	SKIP_WITHOUT_DEVICE();
	pin(false);
	events_survive(_metadata, "overwrite=0");
	events_survive(_metadata, "overwrite=1");
}

TEST_HARNESS_MAIN
