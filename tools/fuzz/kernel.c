// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the module: libFuzzer makes programs (program.h), the kernel's KCOV says which of the
 * module's code each one reaches, and the kernel's log and what is left behind say whether it was
 * right.  It runs as root in a machine with KASAN and lockdep, by tools/fuzz/guest.
 *
 *	FUZZ_BAD	regular expression of log lines that are a find
 *	FUZZ_RUNNING	file for the program that runs, which is there after a panic
 *	FUZZ_VERBOSE	print each step and its result
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

#define ALONE	12	/* the first call of the table that only one thread may run */
#define CHILDREN 8

static bool verbose;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	abort();
}

/* ---------------------------------------------------------------- coverage */

#define TRACE	(1 << 18)	/* words of KCOV's trace: one step's */
#define EDGES	(1 << 16)
#define TEXTS	3

/* libFuzzer clears these before a run, and keeps the input if a new one is set after it. */
#pragma clang section bss = "__libfuzzer_extra_counters"
uint8_t edges[EDGES];
#pragma clang section bss = ""

static const char *const modules[TEXTS] = { "spscring", "spscring_record_peer", "spscring_peer" };
static struct {
	unsigned long from, to;
} texts[TEXTS];

static unsigned long *trace;
static uint8_t *reached;	/* of spscring.ko: whether each byte of its text has run */
static unsigned long places;

static void find_texts(void)
{
	char name[64], line[512];
	unsigned long size, at;
	FILE *f = fopen("/proc/modules", "r");
	int i;

	if (!f)
		die("/proc/modules");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lu %*s %*s %*s %lx", name, &size, &at) != 3)
			continue;
		for (i = 0; i < TEXTS; i++)
			if (!strcmp(name, modules[i])) {
				texts[i].from = at;
				texts[i].to = at + size;
			}
	}
	fclose(f);
	if (!texts[0].from)
		die("spscring.ko is not loaded, or its address is hidden");
	reached = calloc(1, texts[0].to - texts[0].from);
	if (!reached)
		die("memory");
}

static void coverage_init(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, TRACE))
		die("/sys/kernel/debug/kcov");
	trace = mmap(NULL, TRACE * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (trace == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV_ENABLE");
	find_texts();
}

static void coverage_begin(void)
{
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

/* Which edges between the modules' places the last step has taken. */
static void coverage_end(uint8_t code)
{
	unsigned long n = __atomic_load_n(&trace[0], __ATOMIC_RELAXED), i, pc, last = code;
	int m;

	for (i = 1; i <= n; i++) {
		pc = trace[i];
		for (m = 0; m < TEXTS; m++)
			if (pc >= texts[m].from && pc < texts[m].to)
				break;
		if (m == TEXTS)
			continue;
		pc -= texts[m].from;
		if (!m && !reached[pc]) {
			reached[pc] = 1;
			places++;
		}
		pc = (pc + m * 0x100001) * 0x9e3779b1UL;
		edges[(pc ^ last >> 1) % EDGES] = 1;
		last = pc;
	}
}

/* ------------------------------------------------------------------ verdict */

static int log_fd, used_fd;
static regex_t bad;
static long long used_before;

static long long used_bytes(void)
{
	char text[24] = "";

	if (pread(used_fd, text, sizeof(text) - 1, 0) <= 0)
		die("used_bytes");
	return atoll(text);
}

/* Read what the kernel has said since the last call: a bad line, or NULL. */
static const char *bad_line(void)
{
	static char line[1024];
	ssize_t n;

	for (;;) {
		n = read(log_fd, line, sizeof(line) - 1);
		/* its oldest lines have gone meanwhile */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return NULL;
		line[n] = '\0';
		if (!regexec(&bad, line, 0, NULL, 0))
			return strchr(line, ';') ?: line;
	}
}

/* A fuzzer that would notice nothing is worse than none: have it notice what is no fault. */
static void verdict_prove(void)
{
	static const char line[] = "spscring-fuzz: BUG: there is none, this is a test\n";
	const struct step ring = { .a = 0, .b = 8 };
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, sizeof(line) - 1) < 0 || !bad_line())
		die("a bad line in the kernel's log goes unnoticed");
	close(fd);
	if (call_create(&ring) || used_bytes() == used_before)
		die("the pages of a ring go unnoticed");
	calls_clean();
}

static void verdict_init(void)
{
	const char *expression = getenv("FUZZ_BAD");

	if (!expression || regcomp(&bad, expression, REG_EXTENDED | REG_NOSUB))
		die("FUZZ_BAD");
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
		die("/dev/kmsg");
	used_fd = open("/sys/module/spscring/parameters/used_bytes", O_RDONLY | O_CLOEXEC);
	used_before = used_bytes();
	verdict_prove();
}

static bool log_is_bad(void)
{
	const char *line = bad_line();

	if (line)
		fprintf(stderr, "fuzz: FIND, the kernel says: %s", line);
	return line;
}

/* What is freed late, as io_uring's files are, is given this long. */
#define PATIENCE	6000	/* times 10 ms */

static bool pages_are_left(void)
{
	int i;

	for (i = 0; i < PATIENCE; i++) {
		if (used_bytes() == used_before)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	fprintf(stderr, "fuzz: FIND, used_bytes was %lld and is %lld\n", used_before, used_bytes());
	return true;
}

/* ----------------------------------------------------- two threads, children */

static pthread_t beside;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const struct step *task;

static void *beside_loop(void *unused)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!task)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		run_step(task);
		pthread_mutex_lock(&lock);
		task = NULL;
		pthread_cond_broadcast(&changed);
	}
	return unused;
}

/* Have another thread run a step, at the same time as what follows. */
static void run_beside(const struct step *s)
{
	if (s->code % n_calls >= ALONE)
		return;
	pthread_mutex_lock(&lock);
	task = s;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void join(void)
{
	pthread_mutex_lock(&lock);
	while (task)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static pid_t children[CHILDREN];
static int n_children;

static void run_child(const struct step *s, size_t n)
{
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	interrupts_forget();
	for (i = 0; i < n; i++)
		if (s[i].code < BESIDE)
			run_step(&s[i]);
	kill(getpid(), SIGKILL);
}

/* A child runs the next steps, @n at most, and is killed; how many it was. */
static size_t run_fork(const struct step *s, size_t left)
{
	size_t n = 1 + s->b % 8;
	pid_t pid;

	if (n > left)
		n = left;
	if (n_children == CHILDREN)
		return n;
	join();		/* a child that has half of another thread's locks would hang */
	pid = fork();
	if (!pid)
		run_child(s + 1, n);
	if (pid < 0)
		return n;
	if (s->c & 1)
		waitpid(pid, NULL, 0);
	else
		children[n_children++] = pid;
	return n;
}

static void end_children(void)
{
	int i;

	for (i = 0; i < n_children; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	n_children = 0;
}

/* ------------------------------------------------------------------ programs */

static void run_program(const struct step *s, size_t n)
{
	size_t i;
	long ret;

	for (i = 0; i < n; i++) {
		coverage_begin();
		if (s[i].code == FORK) {
			i += run_fork(&s[i], n - i - 1);
		} else if (s[i].code == BESIDE && i + 1 < n) {
			join();
			run_beside(&s[++i]);
		} else {
			ret = run_step(&s[i]);
			if (verbose)
				fprintf(stderr, "%zu: %s a=%u b=%u c=%u v=%#x: %ld\n", i,
					calls[s[i].code % n_calls].name, s[i].a, s[i].b, s[i].c,
					s[i].v, ret);
		}
		coverage_end(s[i].code);
	}
	coverage_begin();
	join();
	end_children();
	calls_clean();
	coverage_end(0);
}

/* Written, through to the host, before it runs: the machine may not come back. */
static void note_running(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(getenv("FUZZ_RUNNING") ?: "/dev/null",
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (pwrite(fd, data, size, 0) != (ssize_t)size)
		die("FUZZ_RUNNING");
	if (getenv("FUZZ_RUNNING") && ftruncate(fd, size))
		die("FUZZ_RUNNING");
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

static void say_progress(bool last)
{
	static unsigned long runs;
	static time_t said;
	time_t now = time(NULL);

	runs += !last;
	if (!said)
		said = now;
	if (!last && now - said < 15)
		return;
	said = now;
	fprintf(stderr, "%s %lu programs, %lu places of the module reached\n",
		last ? "fuzz: kernel:" : "== kernel:", runs, places);
}

static void say_end(void)
{
	say_progress(true);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	verbose = getenv("FUZZ_VERBOSE");
	calls_init();
	verdict_init();
	if (pthread_create(&beside, NULL, beside_loop, NULL))
		die("pthread_create");
	coverage_init();
	atexit(say_end);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step steps[STEPS];
	size_t n = size / sizeof(*steps);

	if (n > STEPS)
		n = STEPS;
	memcpy(steps, data, n * sizeof(*steps));
	note_running(data, size);
	run_program(steps, n);
	say_progress(false);
	if (pages_are_left() || log_is_bad())
		abort();
	return 0;
}
