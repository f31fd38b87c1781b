// SPDX-License-Identifier: GPL-2.0
/*
 * Rings without the module: messages between processes whose ends sleep, deaths and claims,
 * errors.  It needs no device, so tools/lib/native runs it on the host as well.
 *
 * SPSCRING_MESSAGES	how many in the long runs
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "selftest.h"

/* The ends of a ring without the module, of elements of 8 bytes or of records. */
static int memfd_ends(struct spscring_create *want, int *ring, int *in, int *out)
{
	*ring = spscring_open_memfd(want);
	if (*ring < 0)
		return *ring;
	*in = spscring_claim(*ring, SPSCRING_PRODUCER, want->element_size, want->type_tag);
	if (*in < 0)
		return *in;
	*out = spscring_claim(*ring, SPSCRING_CONSUMER, want->element_size, want->type_tag);
	return *out < 0 ? *out : 0;
}

/* ---------------------------------------------------------------- streams */

/* Sleeps last until a kick: a lost wake-up hangs the test, where a timeout would hide it. */
static bool sleeps_are_endless;

/* In the place of the C library's, for the library's calls as well. */
long syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long a[6];
	va_list list;
	int i;

	if (!next)
		next = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_futex && a[1] == FUTEX_WAIT_BITSET && sleeps_are_endless) {
		a[3] = 0;
		/* let the kick come between the last poll and the sleep, too */
		if (!(random_word() % 64))
			usleep(50);
	}
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

FIXTURE(stream)
{
	int ring, in, out;
	__u64 *lost;		/* in shared memory: what the producer's ring dropped */
};

FIXTURE_VARIANT(stream)
{
	__u32 flags;
	__u64 capacity;
	__u64 n;		/* what each wait asks for, in elements or bytes */
	bool sleeps;		/* spin_max is 0: every wait sleeps */
};

#define STREAM(name, ...)	FIXTURE_VARIANT_ADD(stream, name) { __VA_ARGS__ }
#define RECORDS		SPSCRING_CREATE_RECORDS

STREAM(sleeps, 0, 64, 1, true);
STREAM(sleeps_for_many, 0, 100, 30, true);
STREAM(sleeps_in_one_slot, 0, 1, 1, true);
STREAM(spins, 0, 4096, 1, false);
STREAM(records, RECORDS, 4096, 24, true);
STREAM(records_for_many, RECORDS, 4096, 2000, true);
STREAM(records_drop, RECORDS | SPSCRING_CREATE_DROP, 512, 24, true);
STREAM(records_overwrite, RECORDS | SPSCRING_CREATE_OVERWRITE, 512, 24, true);

#define stream_t	FIXTURE_DATA(stream)
#define stream_variant_t FIXTURE_VARIANT(stream)

FIXTURE_SETUP(stream)
{
	struct spscring_create *want = RING(.capacity = variant->capacity, .flags = variant->flags,
					    .element_size = variant->flags & RECORDS ? 0 : 8,
					    .type_tag = 7, .name = "stream");

	ASSERT_EQ(0, memfd_ends(want, &self->ring, &self->in, &self->out));
	self->lost = shared_memory(sizeof(*self->lost));
	ASSERT_NE(MAP_FAILED, self->lost);
}

FIXTURE_TEARDOWN(stream)
{
	munmap(self->lost, sizeof(*self->lost));
	close_ends(&self->ring, &self->in, &self->out);
}

/* How many to move.  In a ring of one slot each message puts an end to sleep. */
static __u64 to_move(const stream_variant_t *variant)
{
	return variant->capacity > 1 ? messages() / 10 : messages() / 100;
}

/* Every wait that finds nothing sleeps. */
static void never_spin(__u32 *spin, __u32 *spin_max)
{
	*spin = 0;
	*spin_max = 0;
}

static int stream_elements(const stream_variant_t *variant, int end)
{
	struct spscring_producer p;
	__u64 v, last = to_move(variant);
	int err = spscring_map_producer(end, &p, 8, 7, NULL);

	if (variant->sleeps)
		never_spin(&p.base.spin, &p.base.spin_max);
	for (v = 0; !err && v < last; v++)
		while (!err && (err = spscring_push(&p, &v)) == -EAGAIN)
			err = spscring_wait_room(&p, variant->n, -1);
	return err ? err : spscring_shutdown_producer(&p);
}

/* Records of 0 to 31 words; each word has the record's number. */
#define WORDS	32

static int stream_records(const stream_variant_t *variant, int end, __u64 *lost)
{
	struct spscring_record_producer p;
	__u64 words[WORDS], v, last = to_move(variant);
	int err = spscring_record_map_producer(end, &p, 7, NULL), i;

	if (variant->sleeps)
		never_spin(&p.base.spin, &p.base.spin_max);
	for (v = 0; !err && v < last; v++) {
		size_t bytes = v % WORDS * 8;

		for (i = 0; i < WORDS; i++)
			words[i] = v;
		while (!err && (err = spscring_record_push(&p, words, bytes)) == -EAGAIN)
			err = spscring_record_wait_room(&p, spscring_record_needs(&p, bytes), -1);
		*lost += err == -ENOBUFS;
		if (err == -ENOBUFS)
			err = 0;
	}
	return err ? err : spscring_record_shutdown_producer(&p);
}

/* A wait for many says so at the end of the stream; the pops find the rest, then say the same. */
static int less_is_left(int err)
{
	return err == -ESHUTDOWN ? 0 : err;
}

/* Return: the number of elements, or a negative errno; every value is the one after the last. */
static long long drain_elements(const stream_variant_t *variant, int end)
{
	struct spscring_consumer c;
	__u64 v, next = 0;
	int err = spscring_map_consumer(end, &c, 8, 7, NULL);

	if (variant->sleeps)
		never_spin(&c.base.spin, &c.base.spin_max);
	while (!err) {
		err = spscring_pop(&c, &v);
		if (!err && v != next++)
			return -EBADMSG;
		if (err == -EAGAIN)
			err = less_is_left(spscring_wait_elements(&c, variant->n, -1));
	}
	return err == -ESHUTDOWN ? (long long)next : err;
}

static long long drain_records(const stream_variant_t *variant, int end)
{
	bool loses = variant->flags & (SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE);
	struct spscring_record_consumer c;
	__u64 words[WORDS], n = 0, next = 0;
	int err = spscring_record_map_consumer(end, &c, 7, NULL), i;

	if (variant->sleeps)
		never_spin(&c.base.spin, &c.base.spin_max);
	while (!err) {
		long got = spscring_record_pop(&c, words, sizeof(words));

		if (got == -EBUSY)	/* overwritten as often as it was read */
			continue;
		if (got == -EAGAIN) {
			err = less_is_left(spscring_record_wait_bytes(&c, variant->n, -1));
			continue;
		}
		if (got < 0) {
			err = (int)got;
			break;
		}
		if (!loses && spscring_record_sequence(&c) != next)
			return -EBADMSG;
		next = spscring_record_sequence(&c);
		if ((__u64)got != next % WORDS * 8)
			return -EBADMSG;
		for (i = 0; i < got / 8; i++)
			if (words[i] != next)
				return -EBADMSG;
		next++;
		n++;
	}
	return err == -ESHUTDOWN ? (long long)n : err;
}

TEST_F_TIMEOUT(stream, moves_all, 600)
{
	bool records = variant->flags & RECORDS;
	struct spscring_info info;
	long long n;
	pid_t child;

	sleeps_are_endless = true;
	child = fork_child();
	if (!child) {
		close_fd(&self->out);
		_exit(records ? stream_records(variant, self->in, self->lost) :
		      stream_elements(variant, self->in));
	}
	ASSERT_GT(child, 0);
	close_fd(&self->in);
	n = records ? drain_records(variant, self->out) : drain_elements(variant, self->out);
	EXPECT_EQ(0, wait_child(child));
	info = info_of(self->ring);
	EXPECT_EQ(to_move(variant), n + *self->lost + info.loss.overruns);
	EXPECT_EQ(*self->lost, info.loss.drops);
	EXPECT_EQ(0, info.length);
	EXPECT_EQ(0, info.broken);
	TH_LOG("%llu of %llu, sleeps %llu and %llu", n, to_move(variant),
	       info.producer_sleep.sleeps, info.consumer_sleep.sleeps);
	/* where the producer waits for nobody, it may be done before the consumer looks */
	if (!variant->sleeps || variant->flags & ~RECORDS)
		return;
	/* one end may be the slower one all the time */
	EXPECT_GT(info.consumer_sleep.sleeps + info.producer_sleep.sleeps, 0);
}

/* ---------------------------------------------------------------- the ends */

FIXTURE(ends)
{
	int ring, in, out;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping p_map, c_map;
};

FIXTURE_SETUP(ends)
{
	ASSERT_EQ(0, memfd_ends(RING(.capacity = 8, .element_size = 8), &self->ring, &self->in,
				&self->out));
	ASSERT_EQ(0, spscring_map_producer(self->in, &self->p, 8, 0, &self->p_map));
	ASSERT_EQ(0, spscring_map_consumer(self->out, &self->c, 8, 0, &self->c_map));
}

FIXTURE_TEARDOWN(ends)
{
	close_ends(&self->ring, &self->in, &self->out);
}

#define ends_t	FIXTURE_DATA(ends)

static int leave(int *end, const struct spscring_mapping *map)
{
	spscring_unmap(map);
	close_fd(end);
	return 0;
}

TEST_F(ends, are_held_once)
{
	struct spscring_info info = info_of(self->ring);
	int other;

	EXPECT_EQ(SPSCRING_HELD, info.producer_state);
	EXPECT_EQ(SPSCRING_HELD, info.consumer_state);
	EXPECT_EQ(1, info.producer_generation);
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_CONSUMER, 8, 0));
	/* the mapping alone keeps the end */
	close_fd(&self->in);
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	spscring_unmap(&self->p_map);
	EXPECT_EQ(SPSCRING_DEAD, state_of(self->ring, SPSCRING_PRODUCER));
	other = spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0);
	ASSERT_GE(other, 0);
	EXPECT_EQ(2, info_of(other).producer_generation);
	/* asked by the fd of the very end: it lives */
	EXPECT_EQ(SPSCRING_HELD, state_of(other, SPSCRING_PRODUCER));
	close(other);
}

TEST_F(ends, are_claimed_by_one_of_many)
{
	int i, got = 0, gate[2];
	pid_t children[8];

	leave(&self->in, &self->p_map);
	ASSERT_EQ(0, pipe(gate));
	for (i = 0; i < 8; i++) {
		children[i] = fork_child();
		if (!children[i]) {
			char byte;
			int end;

			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			end = spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0);
			if (end >= 0)
				sleep(1000);	/* killed below */
			_exit(end == -EBUSY ? 1 : 2);
		}
	}
	close(gate[1]);
	close(gate[0]);
	/* all but one come back */
	for (i = 0; i < 7; i++) {
		int status;
		pid_t pid = wait(&status);

		EXPECT_GT(pid, 0);
		EXPECT_EQ(1, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		for (got = 0; got < 8; got++)
			if (children[got] == pid)
				children[got] = 0;
	}
	EXPECT_EQ(2, info_of(self->ring).producer_generation);
	for (i = 0; i < 8; i++)
		if (children[i]) {
			kill(children[i], SIGKILL);
			EXPECT_EQ(-SIGKILL, wait_child(children[i]));
		}
	EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
}

TEST_F(ends, shut_down_for_good)
{
	__u64 v = 5;

	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_shutdown_producer(&self->p));
	EXPECT_EQ(-ESHUTDOWN, spscring_push(&self->p, &v));
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_room(&self->p, 1, -1));
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 1, -1));
	EXPECT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_EQ(5, v);
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_elements(&self->c, 1, -1));
	EXPECT_EQ(-ESHUTDOWN, pop_answer(&self->c, &v));
	EXPECT_EQ(-ESHUTDOWN, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	leave(&self->in, &self->p_map);
	EXPECT_EQ(SPSCRING_SHUT_DOWN, state_of(self->ring, SPSCRING_PRODUCER));
	EXPECT_EQ(-ESHUTDOWN, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(-ESHUTDOWN, pop_answer(&self->c, &v));
}

TEST_F(ends, break_for_good)
{
	__u64 v = 0;

	WRITE_ONCE(*(__u64 *)self->c.base.cursor, 100);	/* beyond the producer */
	while (!(v = push_answer(&self->p, &v)))
		;
	EXPECT_EQ(-EPIPE, (int)v);
	ASSERT_EQ(0, spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN));
	EXPECT_EQ(1, info_of(self->ring).broken);
	leave(&self->out, &self->c_map);
	EXPECT_EQ(-EPIPE, spscring_claim(self->ring, SPSCRING_CONSUMER, 8, 0));
}

TEST_F(ends, time_out)
{
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 1, 0));
	EXPECT_EQ(0, spscring_wait_room(&self->p, 8, 0));
	EXPECT_EQ(-EINVAL, spscring_wait_room(&self->p, 9, 0));
	EXPECT_EQ(-EINVAL, spscring_wait_elements(&self->c, 0, 0));
}

static __s64 in_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * 1000LL + t.tv_nsec / 1000000 + ms) * 1000000LL;
}

/* A kick with NOW ends the wait for more than is there, but not if nothing is. */
TEST_F(ends, are_kicked_for_what_is_there)
{
	__u64 v = 7;

	spscring_commit_flags(&self->p, 0, SPSCRING_WAKE);
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 4, in_ms(1)));
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 4, in_ms(30)));
	spscring_commit_flags(&self->p, 0, SPSCRING_WAKE);
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 4, in_ms(30)));
	/* until one is taken */
	ASSERT_EQ(0, spscring_push(&self->p, &v));
	ASSERT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&self->c, 4, in_ms(30)));
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(ends, are_interrupted)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 };

	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, spscring_wait_elements(&self->c, 1, -1));
	memset(&soon, 0, sizeof(soon));
	setitimer(ITIMER_REAL, &soon, NULL);
}

/* The producer waits for more room than there is; what the consumer waits for cannot come. */
TEST_F(ends, never_sleep_both)
{
	pid_t child;
	__u64 v;

	sleeps_are_endless = true;
	child = fork_child();
	if (!child) {
		int err = spscring_map_producer(self->in, &self->p, 8, 0, NULL);

		never_spin(&self->p.base.spin, &self->p.base.spin_max);
		/* the consumer sleeps first, and does not see by itself what the producer does */
		while (!info_of(self->ring).consumer_sleep.sleeps)
			sched_yield();
		sleep_ms(20);
		for (v = 0; !err && v < 6; v++)
			err = spscring_push(&self->p, &v);
		_exit(err ? 1 : -spscring_wait_room(&self->p, 4, -1));
	}
	never_spin(&self->c.base.spin, &self->c.base.spin_max);
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 8, -1));
	sleeps_are_endless = false;
	EXPECT_EQ(1, spscring_has_elements(&self->c, 6));
	EXPECT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_EQ(0, wait_child(child));
}

/* Killed between its stores of the tails and that of its cursor, as far back as that can lag. */
TEST_F(ends, are_recovered_by_a_claim)
{
	__u64 v;

	for (v = 0; v < 8; v++)
		ASSERT_EQ(0, spscring_push(&self->p, &v));
	WRITE_ONCE(*self->p.base.cursor, 0);
	leave(&self->in, &self->p_map);
	self->in = spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(8, info_of(self->ring).tail);
	ASSERT_EQ(0, spscring_map_producer(self->in, &self->p, 8, 0, NULL));
	EXPECT_EQ(-EAGAIN, spscring_push(&self->p, &v));
	for (v = 0; v < 8; v++) {
		__u64 got = ~0ULL;

		EXPECT_EQ(0, spscring_pop(&self->c, &got));
		EXPECT_EQ(v, got);
	}
	EXPECT_EQ(-EAGAIN, spscring_pop(&self->c, &v));
	/* the consumer, between its cursor and the published head */
	WRITE_ONCE(self->c.base.block->published_head, 1);
	leave(&self->out, &self->c_map);
	self->out = spscring_claim(self->ring, SPSCRING_CONSUMER, 8, 0);
	ASSERT_GE(self->out, 0);
	ASSERT_EQ(0, spscring_map_consumer(self->out, &self->c, 8, 0, NULL));
	EXPECT_EQ(8, self->c.base.block->published_head);
}

/* The words of a dead end contradict each other: its claim breaks the ring. */
TEST_F(ends, are_not_recovered_from_lies)
{
	WRITE_ONCE(*self->p.base.cursor, 1000);
	leave(&self->in, &self->p_map);
	EXPECT_EQ(-EPIPE, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	EXPECT_EQ(1, info_of(self->ring).broken);
	EXPECT_EQ(-EPIPE, spscring_wait_elements(&self->c, 1, -1));
}

TEST_F(ends, are_refused_what_they_lack)
{
	struct spscring_producer p;

	EXPECT_EQ(-EOPNOTSUPP, spscring_notify(self->in, 1, 0, -1));
	EXPECT_EQ(-EOPNOTSUPP, spscring_arm_room(&self->p, 1));
	EXPECT_EQ(-EOPNOTSUPP, spscring_arm_elements(&self->c, 1));
	EXPECT_EQ(-EPERM, spscring_claim(self->in, SPSCRING_CONSUMER, 8, 0));
	EXPECT_EQ(-EINVAL, spscring_claim(self->ring, 3, 8, 0));
	EXPECT_EQ(-EPERM, spscring_shutdown(self->ring, 0));
	EXPECT_EQ(-EINVAL, spscring_shutdown(self->in, 2));
	EXPECT_EQ(-EPROTOTYPE, spscring_claim(self->ring, SPSCRING_CONSUMER, 4, 0));
	EXPECT_EQ(-EPROTOTYPE, spscring_claim(self->ring, SPSCRING_CONSUMER, 8, 1));
	EXPECT_EQ(-EPROTOTYPE, spscring_map_producer(self->in, &p, 4, 0, NULL));
	EXPECT_EQ(-EACCES, spscring_map_producer(self->out, &p, 8, 0, NULL));
	EXPECT_EQ(-EACCES, spscring_map_producer(self->ring, &p, 8, 0, NULL));
	/* a stray write changes nothing, and a read finds nothing */
	EXPECT_EQ(-1, write(self->in, "stray", 5));
	EXPECT_EQ(0, read(self->out, &p, sizeof(p)));
	EXPECT_EQ(-1, ftruncate(self->ring, 0));
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
}

TEST_F(ends, are_of_one_user)
{
	if (geteuid())
		SKIP(return, "only root can become another user");
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EPERM, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	EXPECT_EQ(-EPERM, spscring_map_producer(self->in, &self->p, 8, 0, NULL));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
}

/* A file that only looks like a ring is none. */
TEST_F(ends, have_a_geometry_that_is_checked)
{
	const off_t at = sysconf(_SC_PAGESIZE) + offsetof(struct spscring_info_page, geometry);
	struct spscring_geometry g, lie;
	unsigned int i;

	ASSERT_EQ(sizeof(g), pread(self->ring, &g, sizeof(g), at));
	for (i = 0; i < sizeof(g) / 4; i++) {
		__u32 *word = (__u32 *)&lie + i;

		lie = g;
		*word ^= 0x10;
		if (word == (__u32 *)&lie.type_tag || word == (__u32 *)&lie.version ||
		    word == (__u32 *)&lie.oldest_reader)
			continue;
		ASSERT_EQ(sizeof(lie), pwrite(self->ring, &lie, sizeof(lie), at));
		EXPECT_NE(0, spscring_map_producer(self->in, &self->p, 8, 0, NULL))
			TH_LOG("word %u", i);
	}
	lie = g;
	lie.oldest_reader = SPSCRING_VERSION + 1;
	ASSERT_EQ(sizeof(lie), pwrite(self->ring, &lie, sizeof(lie), at));
	EXPECT_EQ(-EPROTONOSUPPORT, spscring_map_producer(self->in, &self->p, 8, 0, NULL));
	ASSERT_EQ(sizeof(g), pwrite(self->ring, &g, sizeof(g), at));
	EXPECT_EQ(0, spscring_map_producer(self->in, &self->p, 8, 0, NULL));
}

/* As of a ring of the module, a forked child has the fds and no mapping. */
TEST_F(ends, are_not_mapped_in_a_child)
{
	pid_t child = fork_child();

	if (!child)
		_exit(touch((char *)self->p.base.block, false));
	EXPECT_EQ(SIGSEGV, wait_child(child));
}

TEST_F(ends, go_over_a_socket)
{
	int sockets[2], got;
	pid_t child;
	__u64 v = 9;

	spscring_unmap(&self->p_map);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = fork_child();
	if (!child) {
		close_ends(&self->ring, &self->in, &self->out);
		got = spscring_recv_fd(sockets[1]);
		if (spscring_map_producer(got, &self->p, 8, 0, NULL) ||
		    spscring_push(&self->p, &v))
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(0, spscring_send_fd(sockets[0], self->in));
	close_fd(&self->in);
	EXPECT_EQ(0, spscring_wait_elements(&self->c, 1, -1));
	EXPECT_EQ(0, spscring_pop(&self->c, &v));
	EXPECT_EQ(-EBUSY, spscring_claim(self->ring, SPSCRING_PRODUCER, 8, 0));
	kill(child, SIGKILL);
	/* the wait notices by itself */
	EXPECT_EQ(-EPIPE, spscring_wait_elements(&self->c, 1, -1));
	EXPECT_EQ(-SIGKILL, wait_child(child));
}

/* -------------------------------------------------------------- creation */

TEST(creation)
{
	struct spscring_create want = { .size = sizeof(want), .element_size = 8 };
	struct { struct spscring_create want; __u64 more; } longer = {
		.want = { .size = sizeof(longer), .capacity = 1, .element_size = 1 },
	};
	struct spscring_info info;
	struct stat file;
	int fd;

	EXPECT_EQ(-EINVAL, spscring_open_memfd(&want));
	EXPECT_EQ(SPSCRING_WHY_CAPACITY, want.why);
	want.capacity = 1ULL << 62;
	EXPECT_EQ(-E2BIG, spscring_open_memfd(&want));
	EXPECT_EQ(SPSCRING_WHY_TOO_LARGE, want.why);
	want.capacity = 7;
	want.flags = SPSCRING_CREATE_NUMA_NODE;
	EXPECT_EQ(-EOPNOTSUPP, spscring_open_memfd(&want));
	want.flags = 0;
	memcpy(want.name, "named", sizeof("named"));
	fd = spscring_open_memfd(&want);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, want.why);
	ASSERT_EQ(0, spscring_get_info(fd, &info));
	EXPECT_EQ(7, info.geometry.capacity);
	EXPECT_EQ(7, info.free);
	EXPECT_EQ(SPSCRING_CREATE_FENCE, info.geometry.flags);
	EXPECT_EQ(SPSCRING_FEATURE_MEMFD, info.geometry.features);
	EXPECT_STREQ("named", (char *)info.name);
	EXPECT_EQ(SPSCRING_UNCLAIMED, info.producer_state);
	ASSERT_EQ(0, fstat(fd, &file));
	EXPECT_EQ(info.geometry.memory, file.st_size);
	EXPECT_EQ(file.st_ino, info.id);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	want.size = 8;
	EXPECT_EQ(-EINVAL, spscring_open_memfd(&want));
	fd = spscring_open_memfd(&longer.want);
	ASSERT_GE(fd, 0);
	close(fd);
	longer.more = 1;
	EXPECT_EQ(-E2BIG, spscring_open_memfd(&longer.want));
	EXPECT_EQ(-ENOTTY, spscring_claim(0, SPSCRING_PRODUCER, 8, 0));
}

TEST(busy_poll)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_mapping map;
	int ring, in, out;
	__u64 v = 1;

	ASSERT_EQ(0, memfd_ends(RING(.capacity = 8, .element_size = 8,
				     .flags = SPSCRING_CREATE_BUSY_POLL), &ring, &in, &out));
	ASSERT_EQ(0, spscring_map_producer(in, &p, 8, 0, &map));
	ASSERT_EQ(0, spscring_map_consumer(out, &c, 8, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, spscring_wait_elements(&c, 1, -1));
	EXPECT_EQ(0, spscring_push(&p, &v));
	EXPECT_EQ(0, p.base.kernel->consumer_event >> 63);
	leave(&in, &map);
	/* a consumer that only polls finds out that its peer has died */
	EXPECT_EQ(0, spscring_pop(&c, &v));
	do
		v = (__u64)spscring_pop(&c, &v);
	while ((int)v == -EAGAIN);
	EXPECT_EQ(-EPIPE, (int)v);
	close_ends(&ring, &in, &out);
}

TEST(close_ends_the_stream)
{
	struct spscring_consumer c;
	int ring, in, out;
	pid_t child;
	__u64 v;

	ASSERT_EQ(0, memfd_ends(RING(.capacity = 8, .element_size = 8,
				     .flags = SPSCRING_CREATE_CLOSE_ENDS), &ring, &in, &out));
	ASSERT_EQ(0, spscring_map_consumer(out, &c, 8, 0, NULL));
	child = fork_child();
	if (!child) {
		struct spscring_producer p;

		v = 3;
		if (spscring_map_producer(in, &p, 8, 0, NULL) || spscring_push(&p, &v))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close_fd(&in);
	EXPECT_EQ(-SIGKILL, wait_child(child));
	EXPECT_EQ(0, spscring_wait_elements(&c, 1, -1));
	EXPECT_EQ(0, spscring_pop(&c, &v));
	EXPECT_EQ(-ESHUTDOWN, spscring_wait_elements(&c, 1, -1));
	EXPECT_EQ(-ESHUTDOWN, spscring_claim(ring, SPSCRING_PRODUCER, 8, 0));
	close_ends(&ring, &in, &out);
}

TEST_HARNESS_MAIN
