/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by all suites.  A helper returns the call's result, or a negative errno, which lets a test
 * assert both by one comparison.
 */
#ifndef _SPSCRING_SELFTEST_H
#define _SPSCRING_SELFTEST_H

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <asm/barrier.h>
#include "spscring.h"
#include "kselftest_harness.h"

/* An emulated machine, without KVM, is a hundred times slower. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define DEVICE	"/dev/spscring"
#define USED_BYTES	"/sys/module/spscring/parameters/used_bytes"

/* In FIXTURE_SETUP or TEST, first. */
#define SKIP_WITHOUT(path, why) do {					\
	const char *path_ = (path);					\
									\
	if (access(path_, R_OK | W_OK))					\
		SKIP(return, "%s: %s; " why, path_, strerror(errno));	\
} while (0)

#define SKIP_WITHOUT_DEVICE()	SKIP_WITHOUT(DEVICE, "is spscring.ko loaded?")
#define SKIP_WITHOUT_PEER()	SKIP_WITHOUT(SPSCRING_PEER_DEVICE, "is spscring_peer.ko loaded?")

/* RING(.capacity = 64, .element_size = 8): what spscring_open() wants. */
#define RING(...) (&(struct spscring_create){				\
	.size = sizeof(struct spscring_create), __VA_ARGS__ })

static inline int negative_errno(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = negative_errno(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/* Return: the number in the file, or -1 if there is no such file or no number in it. */
static inline long long read_number(const char *path)
{
	long long value = -1;
	FILE *f = fopen(path, "r");

	if (f && fscanf(f, "%lld", &value) != 1)
		value = -1;
	if (f)
		fclose(f);
	return value;
}

/* One of the module's parameters, and its value before the test. */
struct parameter {
	const char *name;
	long long before;
};

static inline int parameter_set(const struct parameter *p, long long value)
{
	char path[80], text[24];

	snprintf(path, sizeof(path), "/sys/module/spscring/parameters/%s", p->name);
	snprintf(text, sizeof(text), "%lld", value);
	return write_text(path, text);
}

/* Save a parameter's value.  Return: true if the parameter can be written. */
static inline bool parameter_keep(struct parameter *p, const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/module/spscring/parameters/%s", name);
	p->name = access(path, W_OK) ? NULL : name;
	p->before = read_number(path);
	return p->name && p->before >= 0;
}

/* Restore the value if parameter_keep() has saved it. */
static inline int parameter_restore(const struct parameter *p)
{
	return p->name ? parameter_set(p, p->before) : 0;
}

static inline int device_open(void)
{
	return negative_errno(open(DEVICE, O_RDWR | O_CLOEXEC));
}

static inline int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	return negative_errno(ioctl(fd, cmd, arg));
}

static inline struct spscring_info info_of(int fd)
{
	struct spscring_info info;

	/* on failure the caller sees an impossible version */
	if (spscring_get_info(fd, &info))
		memset(&info, 0, sizeof(info));
	return info;
}

/*
 * Claim with the element size that INFO reports.  expect.c and endpoint.c test claims that expect
 * another ring.
 */
static inline int claim_end(int ring_fd, __u32 role, __u64 type_tag)
{
	return spscring_claim(ring_fd, role, info_of(ring_fd).geometry.element_size, type_tag);
}

/* A ring, and both its ends. */
static inline int open_ends(struct spscring_create *want, int *ring, int *in, int *out)
{
	*ring = spscring_open(want);
	if (*ring < 0)
		return *ring;
	*in = claim_end(*ring, SPSCRING_PRODUCER, want->type_tag);
	if (*in < 0)
		return *in;
	*out = claim_end(*ring, SPSCRING_CONSUMER, want->type_tag);
	return *out < 0 ? *out : 0;
}

static inline void close_fd(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = -1;
}

static inline void close_ends(int *ring, int *in, int *out)
{
	close_fd(in);
	close_fd(out);
	close_fd(ring);
}

static inline int map_producer(int fd, struct spscring_producer *p, struct spscring_mapping *map)
{
	struct spscring_geometry g = info_of(fd).geometry;

	return spscring_map_producer(fd, p, g.element_size, g.type_tag, map);
}

static inline int map_consumer(int fd, struct spscring_consumer *c, struct spscring_mapping *map)
{
	struct spscring_geometry g = info_of(fd).geometry;

	return spscring_map_consumer(fd, c, g.element_size, g.type_tag, map);
}

static inline int record_map_producer(int fd, struct spscring_record_producer *p,
				      struct spscring_mapping *map)
{
	return spscring_record_map_producer(fd, p, info_of(fd).geometry.type_tag, map);
}

static inline int record_map_consumer(int fd, struct spscring_record_consumer *c,
				      struct spscring_mapping *map)
{
	return spscring_record_map_consumer(fd, c, info_of(fd).geometry.type_tag, map);
}

/* The id by which the log, the events and the list name a ring; 0 if it cannot be read. */
static inline unsigned long long ring_id(int fd)
{
	return info_of(fd).id;
}

static inline __u32 state_of(int fd, __u32 role)
{
	struct spscring_info info = info_of(fd);

	return role == SPSCRING_PRODUCER ? info.producer_state : info.consumer_state;
}

/* An address without memory; the compiler does not know that it is one. */
static inline void *nowhere(void)
{
	static void *at = (void *)8;

	return READ_ONCE(at);
}

/* Memory that children share with this process, of zeros. */
static inline void *shared_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static inline void sleep_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* Patience ends when a value has not changed for more than a minute, on a slow machine as well. */
struct patience {
	__u64 seen;
	unsigned int looks;	/* polls since the value changed */
};

/* Call once a poll of a value that should change.  Return: false once patience has ended. */
static inline bool patient(struct patience *p, __u64 now)
{
	if (p->seen != now) {
		p->seen = now;
		p->looks = 0;
	}
	if (p->looks < 1000)
		sched_yield();
	else
		sleep_ms(2);
	return ++p->looks < 31000;
}

/* Poll until @there is true.  Return: false if patience ends first. */
static inline bool within_patience(bool (*there)(const void *), const void *arg)
{
	struct patience p = {};

	do {
		if (there(arg))
			return true;
	} while (patient(&p, 0));
	return false;
}

/* Pop until the answer is final: a pop reads the peer's state only once in several tries. */
static inline int pop_answer(struct spscring_consumer *c, void *rec)
{
	int tries, err = -EAGAIN;

	for (tries = 0; tries <= SPSCRING_REFRESH_EVERY && err == -EAGAIN; tries++)
		err = spscring_pop(c, rec);
	return err;
}

static inline int push_answer(struct spscring_producer *p, const void *rec)
{
	int tries, err = -EAGAIN;

	for (tries = 0; tries <= SPSCRING_REFRESH_EVERY && err == -EAGAIN; tries++)
		err = spscring_push(p, rec);
	return err;
}

/* Wait for the state of an end, which dies some time after its holder.  Return: true if it came. */
static inline bool wait_state(int fd, __u32 role, __u32 state)
{
	struct patience p = {};

	do {
		if (state_of(fd, role) == state)
			return true;
	} while (patient(&p, 0));
	return false;
}

/* The length of a long run: SPSCRING_MESSAGES. */
static inline __u64 messages(void)
{
	const char *given = getenv("SPSCRING_MESSAGES");

	return given && *given ? strtoull(given, NULL, 0) : 10000000;
}

/* How many words a storm of lies writes at least: SPSCRING_HOSTILE_WORDS. */
static inline __u64 lies_wanted(void)
{
	const char *given = getenv("SPSCRING_HOSTILE_WORDS");

	return given && *given ? strtoull(given, NULL, 0) : 0;
}

static inline int pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return negative_errno(sched_setaffinity(0, sizeof(set), &set));
}

/* The first or the last CPU that this process may use. */
static inline void pin(bool last)
{
	int cpu, one = -1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && (last || one < 0))
			one = cpu;
	pin_to(one);
}

/* The tests' own modules, from SPSCRING_KO_DIR. */
static inline int unload(const char *name)
{
	return negative_errno(syscall(SYS_delete_module, name, O_NONBLOCK));
}

/* -ENOENT without the module or its folder; -EEXIST if it is loaded. */
static inline int insert(const char *name, const char *params)
{
	const char *dir = getenv("SPSCRING_KO_DIR");
	char path[PATH_MAX];
	int fd, err;

	if (!dir)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = negative_errno(syscall(SYS_finit_module, fd, params, 0));
	close(fd);
	return err;
}

/* insert(), also where a killed test has left the module loaded. */
static inline int load(const char *name, const char *params)
{
	int err = insert(name, params);

	return err == -EEXIST && !unload(name) ? insert(name, params) : err;
}

/* Whether the error of load() means that the test should be skipped. */
static inline bool no_module(int err)
{
	return err == -ENOENT || err == -EPERM;
}

#define NO_MODULE	"SPSCRING_KO_DIR is to name the folder of "

/* In FIXTURE_SETUP or TEST. */
#define LOAD_OR_SKIP(name, params) do {					\
	const char *name_ = (name);					\
	int err_ = load(name_, params);					\
									\
	if (no_module(err_))						\
		SKIP(return, NO_MODULE "%s.ko", name_);			\
	ASSERT_EQ(0, err_);						\
} while (0)

/* Fork a child that the kernel kills with its test; it must end by _exit(). */
static inline pid_t fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Wait for a child.  Return: its exit status, or minus the signal that killed it. */
static inline int wait_child(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline bool child_is_over(const void *pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, *(const pid_t *)pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
		info.si_pid;
}

/* As wait_child(), but return 254 for a child that hangs, even if a kill does not end it. */
static inline int wait_child_patiently(pid_t pid)
{
	if (within_patience(child_is_over, &pid))
		return wait_child(pid);
	kill(pid, SIGKILL);
	return 254;
}

/*
 * Whether a read, or write, of a byte faults.  The test runs in this process, because a forked
 * child does not inherit a ring's mapping.
 */
static sigjmp_buf touch_back;

static inline void touch_fault(int signal)
{
	siglongjmp(touch_back, signal);
}

/* Returns 0, or the signal: SIGSEGV or SIGBUS. */
static inline int touch(char *at, bool write)
{
	struct sigaction act = { .sa_handler = touch_fault }, segv, bus;
	int signal;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	signal = sigsetjmp(touch_back, 1);
	if (!signal) {
		char c = READ_ONCE(*at);

		if (write)
			WRITE_ONCE(*at, c);
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return signal;
}

/* A pseudo-random word; the sequence is the same in each run. */
static inline __u64 random_word(void)
{
	static __u64 state = 0x853c49e6748fea9bULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

#endif
