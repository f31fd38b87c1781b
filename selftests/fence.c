// SPDX-License-Identifier: GPL-2.0
/*
 * A publisher makes a full fence only while the event index has the fence bit.  These tests check
 * when the kernel sets and clears the bit, which CPUs it interrupts, and the limit on interrupts.
 * The suite "handover" clears the bit as often as possible and tests that no wake-up is lost.
 */
#include "sleep.h"

#define NOBODY		SPSCRING_EVENT_NONE
#define WITH_FENCE	(SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE)

FIXTURE(fence) {
	int ring, in, out, epoll;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct parameter quiet, most;
};

#define fence_t		FIXTURE_DATA(fence)

FIXTURE_VARIANT(fence) {
	__u32 role;		/* the end that sleeps */
};

FIXTURE_VARIANT_ADD(fence, consumer) { .role = SPSCRING_CONSUMER };
FIXTURE_VARIANT_ADD(fence, producer) { .role = SPSCRING_PRODUCER };

static void make_ends(struct __test_metadata *_metadata, fence_t *self, __u32 flags)
{
	ASSERT_EQ(open_ends(RING(.capacity = 4, .element_size = 8, .flags = flags),
			    &self->ring, &self->in, &self->out), 0);
	ASSERT_EQ(map_producer(self->in, &self->p, NULL), 0);
	ASSERT_EQ(map_consumer(self->out, &self->c, NULL), 0);
}

FIXTURE_SETUP(fence)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
	self->in = -1;
	self->out = -1;
	self->epoll = -1;
	if (!parameter_keep(&self->quiet, "quiet_us") ||
	    !parameter_keep(&self->most, "max_interrupts"))
		SKIP(return, "cannot write the module's parameters");
}

FIXTURE_TEARDOWN(fence)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
	close_fd(&self->epoll);
	EXPECT_EQ(parameter_restore(&self->quiet), 0);
	EXPECT_EQ(parameter_restore(&self->most), 0);
}

/* The event index of @role, which its peer compares. */
static __u64 word_of(fence_t *self, __u32 role)
{
	return READ_ONCE(*(role == SPSCRING_CONSUMER ? self->p.base.event : self->c.base.event));
}

static struct spscring_sleep_counters count_of(fence_t *self, __u32 role)
{
	struct spscring_info info = info_of(self->ring);

	return role == SPSCRING_CONSUMER ? info.consumer_sleep : info.producer_sleep;
}

static int wait_for(fence_t *self, __u32 role, __u64 index, __s64 deadline)
{
	struct spscring_wait want = {
		.size = sizeof(want), .index = index, .deadline = deadline,
	};

	return do_ioctl(role == SPSCRING_CONSUMER ? self->out : self->in, SPSCRING_WAIT, &want);
}

/* WAIT with a deadline in the past, at an end that has no element, or no room, to return with. */
static int doze(fence_t *self, __u32 role)
{
	return wait_for(self, role, role == SPSCRING_CONSUMER ? 1 : 5, 1);
}

static int fill(fence_t *self)
{
	__u64 v;

	for (v = 0; v < 4; v++)
		if (spscring_push(&self->p, &v))
			return -EIO;
	return 0;
}

static __u64 await_count(fence_t *self, __u32 role, size_t counter, __u64 often)
{
	__s64 until = in_ms(LONG);
	__u64 n;

	for (;;) {
		struct spscring_sleep_counters count = count_of(self, role);

		memcpy(&n, (char *)&count + counter, sizeof(n));
		if (n >= often || now_ns() >= until)
			return n;
		usleep(1000);
	}
}

/* Return the counter of @role once it is at least @often, or after LONG on a busy machine. */
#define await_clears(self, role, often)		\
	await_count(self, role, offsetof(struct spscring_sleep_counters, clears), often)
#define await_refused(self, role, often)	\
	await_count(self, role, offsetof(struct spscring_sleep_counters, refused), often)

/* A ring begins with the fence bit set; the kernel clears it later, and the next sleep sets it. */
TEST_F(fence, comes_and_goes)
{
	struct spscring_sleep_counters count;
	__u64 i;

	/* a long quiet time keeps the bit set while the test reads it */
	ASSERT_EQ(parameter_set(&self->quiet, 1000000000), 0);
	make_ends(_metadata, self, 0);
	EXPECT_EQ(word_of(self, variant->role), WITH_FENCE);
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(fill(self), 0);
	EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
	EXPECT_EQ(word_of(self, variant->role), WITH_FENCE);
	EXPECT_EQ(count_of(self, variant->role).interrupts, 0);
	EXPECT_EQ(count_of(self, variant->role).clears, 0);
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);

	ASSERT_EQ(parameter_set(&self->quiet, 1000), 0);
	make_ends(_metadata, self, 0);
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(fill(self), 0);
	for (i = 1; i <= 5; i++) {
		ASSERT_GE(await_clears(self, variant->role, i), i);
		EXPECT_EQ(word_of(self, variant->role), NOBODY);
		/* one interrupt for each time that the kernel cleared the bit */
		EXPECT_EQ(count_of(self, variant->role).interrupts, i - 1);
		EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
		EXPECT_EQ(count_of(self, variant->role).interrupts, i);
	}
	/* each further sleep either finds the bit set, or follows a clear */
	for (i = 0; i < 100; i++)
		EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
	count = count_of(self, variant->role);
	EXPECT_LE(count.interrupts, count.clears);
	EXPECT_GE(count.interrupts + 1, count.clears);
	EXPECT_EQ(count.refused, 0);
}

/* Give the end an element, or room, to wake it; then restore the empty or full ring. */
static int hand_over(fence_t *self, __u32 role)
{
	__u64 v = 0;
	int err;

	if (role == SPSCRING_CONSUMER)
		return spscring_push(&self->p, &v) ?: spscring_pop(&self->c, &v);
	err = spscring_pop(&self->c, &v);
	while (!err && (err = spscring_push(&self->p, &v)) == -EAGAIN)
		err = 0;
	return err;
}

enum way { BY_POLL, BY_EDGE, BY_ARM, BY_SIGNAL, WAYS };

/* Have the kernel publish an event index for the end, without a thread that sleeps. */
static int tell(fence_t *self, __u32 role, enum way way)
{
	const int fd = role == SPSCRING_CONSUMER ? self->out : self->in;
	const short events = role == SPSCRING_CONSUMER ? POLLIN : POLLOUT;

	switch (way) {
	case BY_POLL:
		return poll_one(fd, events, 0);
	case BY_EDGE:
		self->epoll = epoll_of(fd, events | EPOLLET);
		return self->epoll < 0 ? self->epoll : 0;
	case BY_ARM:
		return role == SPSCRING_CONSUMER ? spscring_arm_elements(&self->c, 1) :
			spscring_arm_room(&self->p, 1);
	default:
		return negative_errno(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
	}
}

/* Each way to arm an end sets the fence bit, and keeps it set for as long as the end is armed. */
TEST_F(fence, every_way)
{
	enum way way;
	__u64 n = 0;

	ASSERT_EQ(parameter_set(&self->quiet, 1000), 0);
	make_ends(_metadata, self, 0);
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(fill(self), 0);
	for (way = BY_POLL; way < WAYS; way++) {
		ASSERT_GE(await_clears(self, variant->role, n + 1), n + 1);
		EXPECT_EQ(word_of(self, variant->role), NOBODY);
		ASSERT_EQ(tell(self, variant->role, way), 0);
		n++;
		EXPECT_EQ(count_of(self, variant->role).interrupts, n);
		EXPECT_NE(word_of(self, variant->role) & SPSCRING_EVENT_FENCE, 0);
		EXPECT_LT(word_of(self, variant->role) & ~SPSCRING_EVENT_FENCE, NOBODY);
		usleep(20000);
		EXPECT_EQ(count_of(self, variant->role).clears, n)
			TH_LOG("way %d", way);
		ASSERT_EQ(hand_over(self, variant->role), 0);
		if (way == BY_EDGE)
			close_fd(&self->epoll);
	}
	/* O_ASYNC arms the end again after each signal, which keeps the bit set */
	usleep(20000);
	EXPECT_EQ(count_of(self, variant->role).clears, n);
}

/* A ring made with FENCE always has the fence bit, and one made with BUSY_POLL never. */
TEST_F(fence, as_made)
{
	int i;

	ASSERT_EQ(parameter_set(&self->quiet, 10), 0);
	make_ends(_metadata, self, SPSCRING_CREATE_FENCE);
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(fill(self), 0);
	for (i = 0; i < 50; i++) {
		EXPECT_EQ(word_of(self, variant->role), WITH_FENCE);
		EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
		usleep(1000);
	}
	EXPECT_EQ(count_of(self, variant->role).interrupts, 0);
	EXPECT_EQ(count_of(self, variant->role).clears, 0);
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);

	make_ends(_metadata, self, SPSCRING_CREATE_BUSY_POLL);
	EXPECT_EQ(doze(self, variant->role), -EOPNOTSUPP);
	EXPECT_EQ(word_of(self, variant->role), NOBODY);
}

/* Once max_interrupts is used up the kernel leaves the bit set; 0 allows no clear at all. */
TEST_F(fence, budget)
{
	ASSERT_EQ(parameter_set(&self->quiet, 100), 0);
	ASSERT_EQ(parameter_set(&self->most, 0), 0);
	make_ends(_metadata, self, 0);
	if (variant->role == SPSCRING_PRODUCER)
		ASSERT_EQ(fill(self), 0);
	EXPECT_EQ(await_refused(self, variant->role, 1), 1);
	EXPECT_EQ(count_of(self, variant->role).clears, 0);
	EXPECT_EQ(word_of(self, variant->role), WITH_FENCE);
	EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
	EXPECT_EQ(await_refused(self, variant->role, 2), 2);
	EXPECT_EQ(count_of(self, variant->role).interrupts, 0);

	ASSERT_EQ(parameter_set(&self->most, 1000000), 0);
	EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
	EXPECT_GE(await_clears(self, variant->role, 1), 1);
	EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
	EXPECT_EQ(count_of(self, variant->role).interrupts, 1);
}

/* After the quiet time, a ring on which no end sleeps makes no system call and no fence. */
TEST_F(fence, stream)
{
	__u64 i, v;

	ASSERT_EQ(parameter_set(&self->quiet, 1000), 0);
	make_ends(_metadata, self, 0);
	ASSERT_GE(await_clears(self, variant->role, 1), 1);
	for (i = 0; i < 100000; i++) {
		ASSERT_EQ(spscring_push(&self->p, &i), 0);
		ASSERT_EQ(spscring_pop(&self->c, &v), 0);
		ASSERT_EQ(v, i);
	}
	EXPECT_EQ(word_of(self, variant->role), NOBODY);
	EXPECT_EQ(count_of(self, variant->role).kicks, 0);
	EXPECT_EQ(count_of(self, variant->role).interrupts, 0);
	EXPECT_EQ(count_of(self, variant->role).clears, 1);
}

/* -------------------------------------------------------------- whose CPUs */

/* CPU 1's count of function call interrupts in /proc/interrupts, or -1 if it has none. */
static long long calls_of_cpu_1(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	long long calls = -1;
	char line[1024];

	if (!f)
		return -1;
	/* x86 calls the line CAL, arm64 IPI1 */
	while (calls < 0 && fgets(line, sizeof(line), f))
		if (strstr(line, "Function call interrupts"))
			sscanf(line, " %*[^:]: %*d %lld", &calls);
	fclose(f);
	return calls;
}

/* Fork a process that maps the peer's end on CPU 1 and runs until it is killed. */
static pid_t peer_on_cpu_1(fence_t *self, __u32 role)
{
	int up[2], ready = 0;
	pid_t pid;

	if (pipe(up))
		return -1;
	pid = fork_child();
	if (pid) {
		close(up[1]);
		if (read(up[0], &ready, sizeof(ready)) != sizeof(ready))
			pid = -1;
		close(up[0]);
		return pid;
	}
	if (pin_to(1) || (role == SPSCRING_PRODUCER ? map_producer(self->in, &self->p, NULL) :
		       map_consumer(self->out, &self->c, NULL)))
		_exit(1);
	ready = 1;
	if (write(up[1], &ready, sizeof(ready)) != sizeof(ready))
		_exit(1);
	for (;;)
		cpu_relax();
}

/* The kernel interrupts the CPU on which the process that maps the peer's end runs. */
TEST_F(fence, reaches_its_peer)
{
	long long calls;
	__u64 i, v;
	pid_t pid;

	if (calls_of_cpu_1() < 0 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "no count of CPU 1's function call interrupts");
	ASSERT_EQ(pin_to(0), 0);
	ASSERT_EQ(parameter_set(&self->quiet, 1000), 0);
	ASSERT_EQ(open_ends(RING(.capacity = 4, .element_size = 8),
			    &self->ring, &self->in, &self->out), 0);
	for (v = 0; variant->role == SPSCRING_PRODUCER && v < 4; v++)
		ASSERT_EQ(write(self->in, &v, sizeof(v)), (ssize_t)sizeof(v));
	pid = peer_on_cpu_1(self, variant->role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER :
			    SPSCRING_PRODUCER);
	ASSERT_GE(pid, 0);
	for (i = 1; i <= 5; i++) {
		ASSERT_GE(await_clears(self, variant->role, i), i);
		calls = calls_of_cpu_1();
		EXPECT_EQ(doze(self, variant->role), -ETIMEDOUT);
		EXPECT_EQ(count_of(self, variant->role).interrupts, i);
		EXPECT_GT(calls_of_cpu_1(), calls);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_child(pid), -SIGKILL);
}

#define MANY	6	/* more processes than RING_WRITERS of kmod/ring.h */

static int map_end(fence_t *self, __u32 role)
{
	return role == SPSCRING_PRODUCER ? map_producer(self->in, &self->p, NULL) :
		map_consumer(self->out, &self->c, NULL);
}

/* In a child: map the end, then move one element when told to.  Return: an exit status. */
static int move_when_told(fence_t *self, __u32 role, int ready, int go)
{
	__u64 v = 0;

	if (map_end(self, role) || write(ready, "", 1) != 1 || read(go, &v, 1) != 1)
		return 1;
	/* the other children have moved elements meanwhile */
	if (map_end(self, role))
		return 2;
	return (role == SPSCRING_PRODUCER ? push_answer(&self->p, &v) :
		pop_answer(&self->c, &v)) ? 3 : 0;
}

/* Read the element, or write into the room, that a child has made. */
static int use(fence_t *self, __u32 role)
{
	__u64 v = 0;

	return (role == SPSCRING_CONSUMER ? read(self->out, &v, sizeof(v)) :
		write(self->in, &v, sizeof(v))) == sizeof(v) ? 0 : -errno;
}

/*
 * More processes map an end than the ring knows by name.  A waiter still interrupts them, once
 * they have ceased to fence, and each of them wakes it.
 */
TEST_F(fence, many_processes)
{
	const __u32 role = variant->role, first = role == SPSCRING_CONSUMER ? 1 : 5;
	int ready[2], go[2], i;
	pid_t pids[MANY];
	__u64 v;
	char c;

	ASSERT_EQ(parameter_set(&self->quiet, 1000), 0);
	ASSERT_EQ(open_ends(RING(.capacity = 4, .element_size = 8),
			    &self->ring, &self->in, &self->out), 0);
	for (v = 0; role == SPSCRING_PRODUCER && v < 4; v++)
		ASSERT_EQ(write(self->in, &v, sizeof(v)), (ssize_t)sizeof(v));
	ASSERT_EQ(pipe(ready), 0);
	ASSERT_EQ(pipe(go), 0);
	for (i = 0; i < MANY; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			_exit(move_when_told(self, role == SPSCRING_CONSUMER ? SPSCRING_PRODUCER :
					     SPSCRING_CONSUMER, ready[1], go[0]));
		ASSERT_EQ(read(ready[0], &c, 1), 1);
	}
	for (i = 0; i < MANY; i++) {
		/* the bit is clear once it has been cleared more often than set */
		v = count_of(self, role).interrupts + 1;
		ASSERT_GE(await_clears(self, role, v), v);
		EXPECT_EQ(wait_for(self, role, first + i, 1), -ETIMEDOUT);
		EXPECT_EQ(count_of(self, role).interrupts, v);
		ASSERT_EQ(write(go[1], "", 1), 1);
		EXPECT_EQ(wait_for(self, role, first + i, -1), 0);
		EXPECT_EQ(use(self, role), 0);
	}
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(wait_child(pids[i]), 0);
}

TEST_HARNESS_MAIN
