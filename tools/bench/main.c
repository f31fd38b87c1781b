// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * spscring-bench: the benchmark of user to user, kernel to user and user to kernel.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench/end.h"
#include "lib/spscring.h"

/* A run that takes longer than both together hangs, even on the slowest machine. */
#define RUN_SECONDS	600
#define RUN_MESSAGES	10000	/* messages for which one more second is allowed */
#define MORE_FILES	4096
#define RATE_US		50000	/* time for the first estimate of the clock's rate */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static struct {
	struct choice choice;
	const char *vehicle;
	const char *output;
	int cpu[2];
	uint32_t runs;
} options = { .choice = { .part = 1 }, .vehicle = "native", .cpu = { 0, 1 }, .runs = 5 };

void die(const char *format, ...)
{
	va_list args;

	fputs("spscring-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

/* ------------------------------------------------------------------- a run */

/* Whole pages for each queue, in one mapping. */
void run_memory(struct run *run, size_t queue_size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	run->queue_size = (queue_size + page - 1) & -page;
	if (run->cell->point.huge)
		run->memory = huge_memory(run->queues * run->queue_size);
	else
		run->memory = bench_memory(run->queues * run->queue_size);
}

void run_memory_twice(struct run *run, size_t head, size_t data)
{
	run->queue_size = head + 2 * data;
	run->memory = bench_memory_twice(run->queues, head, data);
}

static uint64_t run_slept;	/* times_slept() at the run's start */

/* The kernel's count of voluntary context switches, whatever the process slept on. */
static uint64_t times_slept(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

void run_start(struct run *run)
{
	uint32_t *ready = &run->shared->ready;

	__atomic_add_fetch(ready, 1, __ATOMIC_RELEASE);
	/* pairs with the addition of the other */
	while (smp_load_acquire(ready) != run->parties)
		cpu_relax();
	bench_calls = 0;
	run_slept = times_slept();
}

/* Add this process's system calls and wake-ups since the start. */
static void run_count_calls(struct run *run)
{
	uint64_t calls = bench_calls, wakes = times_slept() - run_slept;

	__atomic_add_fetch(&run->shared->calls, calls, __ATOMIC_RELAXED);
	__atomic_add_fetch(&run->shared->wakes, wakes, __ATOMIC_RELAXED);
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d: %s", cpu, strerror(errno));
}

static pid_t run_process(struct run *run, int end)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	alarm(RUN_SECONDS + (run->warmup + run->count) / RUN_MESSAGES);
	bind_to(options.cpu[end]);
	/* avoid a page fault at each first access; older kernels do not support this */
	if (run->memory)
		madvise(run->memory, run->queues * run->queue_size, MADV_POPULATE_WRITE);
	run->cell->contender->loops->end[run->cell->point.test][end](run);
	run_count_calls(run);
	_exit(0);
}

static int run_kernel(const struct run *run, int side)
{
	const struct point *point = &run->cell->point;
	const struct bench_end end = {
		.test = point->test,
		.side = side,
		.cpu = options.cpu[side],
		.batch = point->batch,
		.list = point->list,
		.ring_fd = { run->ring_fd[0], run->queues > 1 ? run->ring_fd[1] : -1 },
		.event_fd = run->cell->contender->event ? run->event[!side] : -1,
		.warmup = run->warmup,
		.count = run->count,
		.asleep = run->load >> PACED_BITS,
	};
	int fd = open(BENCH_END, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(BENCH_END ": %s", strerror(errno));
	if (write(fd, &end, sizeof(end)) != sizeof(end))
		die("begin a kernel end: %s", strerror(errno));
	return fd;
}

static void run_kernel_wait(const struct run *run, int fd)
{
	static struct bench_end_figures figures;
	struct shared *shared = run->shared;

	if (read(fd, &figures, sizeof(figures)) != sizeof(figures))
		die("kernel end: %s", strerror(errno));
	if (figures.hist.count)
		shared->hist = figures.hist;
	/* a process that consumes or calls has measured the time itself */
	if (!shared->ticks)
		shared->ticks = figures.ticks;
	shared->wakes += figures.slept;
	close(fd);
}

static void run_wait(const pid_t *pids)
{
	int left = (pids[0] > 0) + (pids[1] > 0);

	while (left--) {
		int status;

		if (wait(&status) < 0)
			die("wait: %s", strerror(errno));
		if (status) {
			/* the other process would wait for ever; it dies with this one */
			if (WIFSIGNALED(status))
				die("killed by %s", strsignal(WTERMSIG(status)));
			die("no figure");
		}
	}
}

static void run_close(struct run *run)
{
	if (run->close)
		run->close(run);
	for (uint32_t i = 0; run->ring_fd && i < run->queues; i++)
		close(run->ring_fd[i]);
	free(run->ring_fd);
	for (int i = 0; i < 2 && run->event[0]; i++)
		close(run->event[i]);
	if (run->memory && !run->cell->point.huge)
		munmap(run->memory, run->queues * run->queue_size);
}

/* A multiple of 64: whole batches, and equal use of bare's pairs of lines. */
static uint64_t part_of(uint64_t messages)
{
	uint64_t part = messages / options.choice.part / 64 * 64;

	if (options.choice.part == 1)
		return messages;
	return part ? part : 64;
}

/* With a kernel end, the consumer announces its sleep by a ring: they share no memory. */
static int told_by_ring(const struct cell *cell)
{
	const int *kernel = cell->contender->kernel;

	return cell->point.test == BENCH_WAKE && (kernel[0] || kernel[1]);
}

static uint32_t queues_of(const struct cell *cell)
{
	if (cell->point.rings)
		return cell->point.rings;
	return round_trip(cell->point.test) || told_by_ring(cell) ? 2 : 1;
}

/* Only the device's rings interrupt CPUs and count; rings on a memfd have no ring_fd. */
static void run_count_fences(const struct run *run, struct cell_result *result)
{
	struct spscring_info info;

	result->fences |= !!run->ring_fd;
	for (uint32_t i = 0; run->ring_fd && i < run->queues; i++) {
		if (spscring_get_info(run->ring_fd[i], &info))
			die("info");
		result->interrupts += info.producer_sleep.interrupts +
			info.consumer_sleep.interrupts;
		result->clears += info.producer_sleep.clears + info.consumer_sleep.clears;
	}
}

static void run_cell(struct cell_result *result, struct shared *shared, uint32_t number,
		     const struct timer *timer)
{
	const struct cell *cell = result->cell;
	struct run run = {
		.cell = cell, .shared = shared, .number = number,
		.warmup = part_of(cell->point.warmup), .count = part_of(cell->point.count),
		.load = cell->point.load_ns / timer->ns * (1 << PACED_BITS),
		.queues = queues_of(cell),
	};
	pid_t pids[2] = { 0, 0 };
	int kernel_fd = -1;

	memset(shared, 0, sizeof(*shared));
	cell->contender->open(&run);
	for (int end = 0; end < 2; end++) {
		if (cell->contender->kernel[end])
			kernel_fd = run_kernel(&run, end);
		else
			run.parties++;
	}
	for (int end = 0; end < 2; end++)
		if (!cell->contender->kernel[end])
			pids[end] = run_process(&run, end);
	run_wait(pids);
	if (kernel_fd >= 0)
		run_kernel_wait(&run, kernel_fd);
	run_count_fences(&run, result);
	run_close(&run);

	if (shared->hist.count) {
		shared->hist.step = timer->step;
		result->p50[number] = hist_percentile(&shared->hist, 500);
		result->p99[number] = hist_percentile(&shared->hist, 990);
		result->p999[number] = hist_percentile(&shared->hist, 999);
		hist_merge(&result->hist, &shared->hist);
	}
	result->per_op[number] = (double)shared->ticks / run.count;
	result->messages += run.count;
	result->memory = run.queue_size;
	result->lost += shared->lost;
	result->calls += shared->calls;
	result->wakes += shared->wakes;
	result->hand_overs += (run.warmup + run.count) * (1 + round_trip(cell->point.test));
	result->runs++;
}

/* -------------------------------------------------------------------- main */

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static void timer_look(struct timer *timer)
{
	uint64_t last = ticks(), begin;
	const int times = 10000;

	for (int i = 0; i < times; i++) {
		uint64_t now = ticks();

		timer->step = gcd(timer->step, now - last);
		last = now;
	}
	begin = ticks();
	for (int i = 0; i < times; i++)
		last = ticks();
	timer->cost = (double)(last - begin) / times;
}

/* Compute the clock's rate from the ticks and the time since the start. */
static void timer_rate(struct timer *timer, uint64_t began, uint64_t began_ns)
{
	timer->ns = (double)(now_ns() - began_ns) / (ticks() - began);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	char *end;

	switch (key) {
	case 'p':
		options.choice.pair = arg;
		break;
	case 'i':
		options.choice.impl = arg;
		break;
	case 't':
		options.choice.test = arg;
		break;
	case 'v':
		options.vehicle = arg;
		break;
	case 'o':
		options.output = arg;
		break;
	case 'n':
		options.choice.no_device = 1;
		break;
	case 'R':
		options.choice.rivals = 1;
		break;
	case 'f':
		options.choice.full = 1;
		break;
	case 'P':
		options.choice.part = strtoul(arg, &end, 10);
		if (end == arg || *end || !options.choice.part)
			argp_error(state, "--part=N");
		break;
	case 'c':
		options.cpu[0] = strtoul(arg, &end, 10);
		if (end == arg || *end != ',')
			argp_error(state, "--cpus=A,B");
		arg = end + 1;
		options.cpu[1] = strtoul(arg, &end, 10);
		if (end == arg || *end || options.cpu[0] == options.cpu[1])
			argp_error(state, "--cpus=A,B");
		break;
	case 'r':
		options.runs = strtoul(arg, &end, 10);
		if (end == arg || *end || !options.runs || options.runs > BENCH_RUNS_MAX)
			argp_error(state, "--runs takes 1 to %d", BENCH_RUNS_MAX);
		break;
	case ARGP_KEY_ARG:
		argp_usage(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option argp_options[] = {
	{ "pair", 'p', "PAIR,...", 0, "only these pairs of ends: u-u, k-u, u-k", 0 },
	{ "impl", 'i', "IMPL,...", 0,
	  "only these contenders: bare, walk, copy, spscring, spscring-plain or a rival", 0 },
	{ "test", 't', "TEST,...", 0,
	  "only tests of rtt, throughput, batch, footprint, paced, residency, many, wake, records",
	  0 },
	{ "full", 'f', NULL, 0, "all tests, sizes and batches", 0 },
	{ "no-device", 'n', NULL, 0, "only contenders that need no kernel module", 0 },
	{ "rivals", 'R', NULL, 0, "also the queues that a user could choose instead", 0 },
	{ "cpus", 'c', "A,B", 0, "CPUs of the two ends (0,1)", 0 },
	{ "runs", 'r', "N", 0, "runs of each cell, alternating (5)", 0 },
	{ "part", 'P', "N", 0, "divide the messages and the largest memory by N, to try (1)", 0 },
	{ "vehicle", 'v', "NAME", 0, "name of this machine in the results (native)", 0 },
	{ "output", 'o', "FILE", 0, "write the JSON to FILE (standard output)", 0 },
	{}
};

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Latency and throughput of spscring with at least one end in user space, as JSON.",
};

/* MANY needs an open file for each ring. */
static void more_files(void)
{
	struct rlimit limit = { MORE_FILES, MORE_FILES };

	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return;
	/* not privileged: raise the limit as far as is allowed */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static struct cell_result *choose(size_t *n)
{
	struct cell_result *results;
	struct cell *cells;

	*n = cells_choose(&options.choice, &cells);
	if (!*n)
		die("no such benchmark");
	results = calloc(*n, sizeof(*results));
	if (!results)
		die("no memory");
	for (size_t i = 0; i < *n; i++)
		results[i].cell = &cells[i];
	return results;
}

int main(int argc, char **argv)
{
	struct cell_result *results;
	struct timer timer = {};
	struct shared *shared;
	uint64_t began, began_ns;
	FILE *out = stdout;
	size_t n;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	results = choose(&n);
	if (options.choice.rivals)
		rivals_say_missing();
	if (options.output) {
		out = fopen(options.output, "w");
		if (!out)
			die("%s: %s", options.output, strerror(errno));
	}

	more_files();
	shared = bench_memory(sizeof(*shared));
	began_ns = now_ns();
	began = ticks();
	timer_look(&timer);
	usleep(RATE_US);
	timer_rate(&timer, began, began_ns);
	for (uint32_t run = 0; run < options.runs; run++)
		for (size_t i = 0; i < n; i++)
			run_cell(&results[i], shared, run, &timer);
	timer_rate(&timer, began, began_ns);

	json_write(out, results, n, options.vehicle, &timer);
	if (fclose(out))
		die("%s: %s", options.output ? options.output : "stdout", strerror(errno));
	free(results);
	return 0;
}
