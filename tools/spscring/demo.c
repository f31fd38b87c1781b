// SPDX-License-Identifier: GPL-2.0
/* spscring demo: a ring at work between two processes, in ten seconds. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <spscring.h>

#include "command.h"

#define CAPACITY	4096
#define SLOW_PAUSE	1000000		/* ns between messages of a producer that is slow */

static struct {
	bool memfd;
	double seconds;
} options = { .seconds = 10 };

/* What the consumer tells the producer, in memory that both have. */
enum pace { FAST, SLOW, END };

struct demo {
	int ring, fd;
	struct spscring_consumer consumer;
	enum pace *pace;
	pid_t producer;
	uint64_t expected;	/* the next message; each is its own number */
	uint64_t reported, reported_sleeps;
	int64_t reported_at;
};

static const struct argp_option argp_options[] = {
	{ "memfd", 'm', NULL, 0, "Make the ring without the module, even where that is loaded", 0 },
	{ "seconds", 's', "N", 0, "How long it takes (10)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	char *end;

	switch (key) {
	case 'm':
		options.memfd = true;
		return 0;
	case 's':
		options.seconds = strtod(arg, &end);
		if (end == arg || *end || !(options.seconds > 0) || options.seconds > 3600)
			argp_error(state, "--seconds takes a number, up to 3600");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Two processes and a ring: how fast it is, how its consumer sleeps, and how it "
	       "survives a "
		"producer that is killed.  Works with the module, or without it.",
};

static enum pace pace(const struct demo *d)
{
	return __atomic_load_n(d->pace, __ATOMIC_RELAXED);
}

static void set_pace(struct demo *d, enum pace pace)
{
	__atomic_store_n(d->pace, pace, __ATOMIC_RELAXED);
}

static void check(const char *what, uint32_t role, int err)
{
	if (err)
		die("%s: %s", what, spscring_strerror(role, err));
}

/* ------------------------------------------------------------ the producer */

static void push_number(struct spscring_producer *p, uint64_t n)
{
	int err;

	while ((err = spscring_push(p, &n)) == -EAGAIN)
		check("wait", SPSCRING_PRODUCER, spscring_wait_room(p, 1, -1));
	check("push", SPSCRING_PRODUCER, err);
}

static _Noreturn void produce(const struct demo *d)
{
	const struct timespec pause = { .tv_nsec = SLOW_PAUSE };
	struct spscring_producer p;
	struct spscring_info info;
	uint64_t n;
	int end;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	end = spscring_claim(d->ring, SPSCRING_PRODUCER, sizeof(n), 0);
	check("claim", SPSCRING_PRODUCER, end < 0 ? end : 0);
	close(d->fd);
	check("map", SPSCRING_PRODUCER, spscring_map_producer(end, &p, sizeof(n), 0, NULL));
	/* where a producer before has died, go on behind what it had published */
	check("info", SPSCRING_PRODUCER, spscring_get_info(end, &info));
	for (n = info.tail; pace(d) != END; n++) {
		push_number(&p, n);
		if (pace(d) == SLOW)
			nanosleep(&pause, NULL);
	}
	check("shutdown", SPSCRING_PRODUCER, spscring_shutdown_producer(&p));
	_exit(0);
}

/* Start a process, and wait until it has claimed the producer's end. */
static void start_producer(struct demo *d)
{
	const struct timespec pause = { .tv_nsec = SLOW_PAUSE };
	struct spscring_info info;
	uint32_t generation;

	check("info", SPSCRING_CONSUMER, spscring_get_info(d->ring, &info));
	generation = info.producer_generation;
	fflush(stdout);
	d->producer = fork();
	if (d->producer < 0)
		die("cannot start a process: %s", strerror(errno));
	if (!d->producer)
		produce(d);
	while (info.producer_generation == generation) {
		if (waitpid(d->producer, NULL, WNOHANG))
			die("the producer failed");
		nanosleep(&pause, NULL);
		check("info", SPSCRING_CONSUMER, spscring_get_info(d->ring, &info));
	}
}

/* ------------------------------------------------------------ the consumer */

static int make_ring(bool *memfd)
{
	struct spscring_create want = {
		.size = sizeof(want), .capacity = CAPACITY, .element_size = sizeof(uint64_t),
		.name = "demo",
	};
	int ring = -ENOENT;

	if (!options.memfd)
		ring = spscring_open(&want);
	*memfd = ring < 0;
	if (ring < 0)
		ring = spscring_open_memfd(&want);
	if (ring < 0)
		die("cannot make a ring: %s", strerror(-ring));
	return ring;
}

/* What the consumer counts itself in its control block. */
static uint64_t sleeps(const struct demo *d)
{
	return d->consumer.base.block->waits[1];
}

static int pop_number(struct demo *d)
{
	uint64_t n;
	int err = spscring_pop(&d->consumer, &n);

	if (!err && n != d->expected++)
		die("message %llu came in place of %llu", (unsigned long long)n,
		    (unsigned long long)d->expected - 1);
	return err;
}

/* Consume until @deadline.  Returns 0, or the error that ended the stream before. */
static int consume(struct demo *d, int64_t deadline)
{
	int err;

	do {
		while (!(err = pop_number(d))) {
			/* the clock is slower than many messages */
			if (!(d->expected & 0xfff) && now() >= deadline)
				return 0;
		}
		if (err != -EAGAIN)
			return err;
		err = spscring_wait_elements(&d->consumer, 1, deadline);
	} while (!err && now() < deadline);
	return err == -ETIMEDOUT ? 0 : err;
}

static void report(struct demo *d)
{
	int64_t at = now();
	double seconds = (double)(at - d->reported_at) / SECOND;
	char rate[SIZE_TEXT];

	printf("  %7s messages a second; the consumer slept %llu times\n",
	       count_text(rate, (double)(d->expected - d->reported) / seconds),
	       (unsigned long long)(sleeps(d) - d->reported_sleeps));
	flush_output();
	d->reported = d->expected;
	d->reported_sleeps = sleeps(d);
	d->reported_at = at;
}

/* Consume for a part of the time, and report once a second. */
static void consume_part(struct demo *d, double part)
{
	int64_t end = now() + (int64_t)(part * options.seconds * SECOND);
	int err = 0;

	d->reported_at = now();
	/* what a fast producer has left is not the slow one's */
	while (pace(d) == SLOW && !err)
		err = pop_number(d);
	if (err != -EAGAIN)
		check("the stream", SPSCRING_CONSUMER, err);
	d->reported = d->expected;
	d->reported_sleeps = sleeps(d);
	do {
		int64_t next = d->reported_at + SECOND;

		check("the stream", SPSCRING_CONSUMER, consume(d, next < end ? next : end));
		report(d);
	} while (now() < end);
}

static void kill_producer(struct demo *d)
{
	uint64_t before = d->expected;
	int64_t killed = now();
	int err;

	kill(d->producer, SIGKILL);
	do
		err = consume(d, now() + SECOND);
	while (!err);
	if (err != -EPIPE)
		check("the death of the producer", SPSCRING_CONSUMER, err);
	printf("  noticed after %.1f ms; it had left %llu more, all read\n",
	       (double)(now() - killed) / 1e6, (unsigned long long)(d->expected - before));
	waitpid(d->producer, NULL, 0);
}

static void end_stream(struct demo *d)
{
	int err, status;

	set_pace(d, END);
	do
		err = consume(d, now() + SECOND);
	while (!err);
	if (err != -ESHUTDOWN)
		check("the end of the stream", SPSCRING_CONSUMER, err);
	if (waitpid(d->producer, &status, 0) < 0 || status)
		die("the producer failed");
}

int demo_main(int argc, char **argv)
{
	struct demo d = { 0 };
	bool memfd;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	d.ring = make_ring(&memfd);
	d.pace = mmap(NULL, sizeof(*d.pace), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (d.pace == MAP_FAILED)
		die("out of memory");
	d.fd = spscring_claim(d.ring, SPSCRING_CONSUMER, sizeof(uint64_t), 0);
	check("claim", SPSCRING_CONSUMER, d.fd < 0 ? d.fd : 0);
	check("map", SPSCRING_CONSUMER,
	      spscring_map_consumer(d.fd, &d.consumer, sizeof(uint64_t), 0, NULL));
	printf("A ring of %d numbers from one process to another, %s.\n", CAPACITY,
	       memfd ? "without the module (memfd)" : "by the module (/dev/spscring)");

	puts("\nThe producer pushes as fast as it can:");
	start_producer(&d);
	consume_part(&d, 0.4);
	puts("\nOne message each millisecond: the consumer sleeps, and each push wakes it.");
	set_pace(&d, SLOW);
	consume_part(&d, 0.3);
	puts("\nThe producer is killed (SIGKILL) at full speed:");
	set_pace(&d, FAST);
	consume_part(&d, 0.1);
	kill_producer(&d);
	puts("\nAnother process claims the dead end, and goes on where the first one stopped:");
	start_producer(&d);
	consume_part(&d, 0.2);
	end_stream(&d);
	printf("\n%llu messages, each of them in its place.  The producer has ended the stream.\n",
	       (unsigned long long)d.expected);
	flush_output();
	return STATUS_OK;
}
