// SPDX-License-Identifier: MIT
/*
 * Write the events of spscring_events.ko to a file, or print such a file.
 *
 *	record-events [-d] [-n EVENTS] FILE
 *	record-events -r FILE
 *
 * record-events records until it has EVENTS, or the module is unloaded, or it gets SIGINT or
 * SIGTERM.  With -d it records only the events that are in the rings already: the dump of a
 * flight recorder.  At the end it reports for each CPU how many events it recorded, and how
 * many are missing since the ring was made.  Events of an earlier recording count as missing.
 *
 * Events go from a ring to the file's buffer by a peek, without a copy in between.  A ring
 * that overwrites has no peek, so its events are popped into a buffer first.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spscring.h"
#include "spscring_events.h"

#define BATCH		64
#define WAKE_AFTER	10000000	/* in ns, see open_stream() */

/* The stream of one CPU's events. */
struct stream {
	const char *node;
	int end;
	uint32_t cpu;
	struct spscring_record_consumer consumer;
	__u64 next;		/* sequence number */
	__u64 events;
	__u64 bytes;
	__u64 missing;
};

static int file;
static uint64_t left = UINT64_MAX;	/* events still to record */

static void die(const char *what, int err)
{
	fprintf(stderr, "record-events: %s%s%s\n", what, err ? ": " : "",
		err ? strerror(-err) : "");
	exit(1);
}

/* ----------------------------------------------------------------- record */

static void write_all(struct iovec *v, int n)
{
	while (n) {
		ssize_t done = writev(file, v, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			die("write", -errno);
		}
		while (n && (size_t)done >= v->iov_len) {
			done -= v->iov_len;
			v++;
			n--;
		}
		if (n) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= done;
		}
	}
}

static void write_one(void *data, size_t size)
{
	struct iovec v = { data, size };

	write_all(&v, 1);
}

/* The stream continues with event @next; those skipped since s->next are missing. */
static void reached(struct stream *s, __u64 next)
{
	s->missing += next - s->next;
	s->next = next;
}

static void write_events(struct stream *s, const struct spscring_record *recs, long n)
{
	struct spscring_events_entry entries[BATCH];
	struct iovec v[2 * BATCH];
	long i;

	for (i = 0; i < n; i++) {
		entries[i] = (struct spscring_events_entry) {
			.sequence = recs[i].sequence, .cpu = s->cpu, .length = recs[i].length,
		};
		v[2 * i] = (struct iovec){ &entries[i], sizeof(entries[i]) };
		v[2 * i + 1] = (struct iovec){ recs[i].data, recs[i].length };
		reached(s, recs[i].sequence);
		s->next++;
		s->events++;
		s->bytes += recs[i].length;
	}
	write_all(v, 2 * n);
	left -= n;
}

static long pop_events(struct stream *s, struct spscring_record *recs, long n)
{
	static char copies[BATCH][SPSCRING_EVENT_MAX];
	long i;

	for (i = 0; i < n; i++) {
		recs[i].data = copies[i];
		recs[i].length = sizeof(copies[i]);
	}
	return spscring_record_pop_n(&s->consumer, recs, n);
}

/* Return: how many events came; -EAGAIN: none so far; -ESHUTDOWN: the stream has ended. */
static long record(struct stream *s)
{
	long most = left < BATCH ? (long)left : BATCH, n;
	struct spscring_record recs[BATCH];

	if (!most)
		return -EAGAIN;
	n = spscring_record_peek_n(&s->consumer, recs, most);
	if (n > 0) {
		write_events(s, recs, n);
		spscring_record_release_n(&s->consumer, recs, n);
	} else if (n == -EOPNOTSUPP) {
		n = pop_events(s, recs, most);
		if (n > 0)
			write_events(s, recs, n);
	}
	if (n < 0 && n != -EAGAIN && n != -ESHUTDOWN && n != -EBUSY)
		die(s->node, n);
	return n;
}

static void look_at(const struct stream *s, struct spscring_info *info)
{
	int err = spscring_get_info(s->end, info);

	if (err)
		die(s->node, err);
}

/*
 * Record the events that have happened by now, and no later ones, so that recording ends and
 * the counts agree even if events continue.
 */
static void finish(struct stream *s)
{
	struct spscring_events_entry entry = { .cpu = s->cpu, .length = SPSCRING_EVENTS_END };
	struct spscring_info info;
	__u64 until;
	long n = 0;

	look_at(s, &info);
	until = info.loss.sequence;
	while (left && s->next < until && (n >= 0 || n == -EBUSY))
		n = record(s);
	if (left && s->next < until)
		reached(s, until);
	entry.sequence = s->next;
	write_one(&entry, sizeof(entry));
	look_at(s, &info);
	fprintf(stderr, "cpu %u: %llu events, %llu bytes, %llu missing; "
		"dropped %llu, overrun %llu\n",
		s->cpu, s->events, s->bytes, s->missing, info.loss.drops, info.loss.overruns);
}

static void open_stream(struct stream *s, const char *node)
{
	struct spscring_info info;
	int err;

	s->node = node;
	s->cpu = strtoul(node + strlen("/dev/" SPSCRING_EVENTS_NODE), NULL, 10);
	s->end = open(node, O_RDWR | O_CLOEXEC);
	if (s->end < 0)
		die(node, -errno);
	err = spscring_get_info(s->end, &info) ?:
		spscring_record_map_consumer(s->end, &s->consumer, SPSCRING_EVENTS_TAG, NULL);
	if (err)
		die(node, err);
	/* wake when the ring is a quarter full, or WAKE_AFTER ns after the first event */
	err = spscring_notify(s->end, info.geometry.capacity / 4, WAKE_AFTER, -1);
	if (err)
		die(node, err);
}

/* Record all CPUs' streams until a signal, the limit or the end of all streams. */
static void record_until_told(struct stream *streams, size_t n)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t i, running = n;
	sigset_t signals;
	int told;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	told = signalfd(-1, &signals, SFD_CLOEXEC);
	if (epoll < 0 || told < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, told, &event))
		die("epoll", -errno);
	for (i = 0; i < n; i++) {
		event.data.ptr = &streams[i];
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, streams[i].end, &event))
			die(streams[i].node, -errno);
	}
	fprintf(stderr, "recording\n");
	while (running && left) {
		struct stream *s;

		if (epoll_wait(epoll, &event, 1, -1) != 1) {
			if (errno == EINTR)
				continue;
			die("epoll_wait", -errno);
		}
		s = event.data.ptr;
		if (!s)
			return;
		if (record(s) == -ESHUTDOWN) {
			epoll_ctl(epoll, EPOLL_CTL_DEL, s->end, NULL);
			running--;
		}
	}
}

static void record_all(const char *path, int dump)
{
	struct spscring_events_file head = {
		.magic = SPSCRING_EVENTS_MAGIC, .version = SPSCRING_EVENTS_VERSION,
	};
	struct stream *streams;
	glob_t nodes;
	size_t i;

	if (glob("/dev/" SPSCRING_EVENTS_NODE "[0-9]*", 0, NULL, &nodes))
		die("no /dev/" SPSCRING_EVENTS_NODE "*: is spscring_events.ko loaded?", 0);
	head.rings = nodes.gl_pathc;
	streams = calloc(head.rings, sizeof(*streams));
	if (!streams)
		die("streams", -ENOMEM);
	for (i = 0; i < head.rings; i++) {
		open_stream(&streams[i], nodes.gl_pathv[i]);
		if (head.cpus <= streams[i].cpu)
			head.cpus = streams[i].cpu + 1;
	}
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0)
		die(path, -errno);
	write_one(&head, sizeof(head));
	if (!dump)
		record_until_told(streams, head.rings);
	for (i = 0; i < head.rings; i++)
		finish(&streams[i]);
	if (close(file))
		die(path, -errno);
}

/* ------------------------------------------------------------------ print */

static FILE *in;

/* False at the end of the file. */
static int read_one(void *to, size_t size)
{
	size_t n = fread(to, 1, size, in);

	if (ferror(in))
		die("read", -errno);
	if (n && n < size)
		die("the file ends within an event", 0);
	return n == size;
}

/* Names and arguments come from any program: escape them, or they could control the terminal. */
static void print_text(const uint8_t *text, size_t n)
{
	for (; n--; text++) {
		if (isprint(*text) && *text != '\\')
			putchar(*text);
		else
			printf("\\x%02x", *text);
	}
}

static void print_args(const uint8_t *args, size_t n, size_t whole)
{
	while (n) {
		size_t length = strnlen((const char *)args, n);

		putchar(' ');
		print_text(args, length);
		length += length < n;
		args += length;
		n -= length;
		whole -= length;
	}
	if (whole)
		printf(" ... %zu bytes", whole);
}

static void print_status(int status)
{
	if (WIFSIGNALED(status))
		printf(" signal %d", WTERMSIG(status));
	else
		printf(" status %d", WEXITSTATUS(status));
}

static void print_event(const struct spscring_events_entry *entry,
			const struct spscring_event *event)
{
	size_t rest = entry->length - sizeof(*event);

	if (event->name > rest)
		die("a name is longer than its event", 0);
	rest -= event->name;
	if (rest > event->args)
		die("arguments are longer than they were", 0);
	printf("%u %llu %llu.%09llu %d/%d ", entry->cpu, entry->sequence,
	       event->time / 1000000000, event->time % 1000000000, event->tgid, event->pid);
	switch (event->type) {
	case SPSCRING_EVENT_EXEC:
		printf("exec ");
		print_text(event->data, event->name);
		print_args(event->data + event->name, rest, event->args);
		break;
	case SPSCRING_EVENT_EXIT:
		printf("exit ");
		print_text(event->data, event->name);
		print_status(event->status);
		break;
	default:
		die("an event of unknown type", 0);
	}
	putchar('\n');
}

static void print_file(const char *path)
{
	static union {
		struct spscring_event event;
		char bytes[SPSCRING_EVENT_MAX];
	} record;
	unsigned long long events = 0, missing = 0;
	struct spscring_events_entry entry;
	struct spscring_events_file head;
	uint32_t ended = 0;
	__u64 *next;

	in = fopen(path, "r");
	if (!in)
		die(path, -errno);
	if (!read_one(&head, sizeof(head)) || head.magic != SPSCRING_EVENTS_MAGIC)
		die("not a file of events", 0);
	if (head.version != SPSCRING_EVENTS_VERSION)
		die("a file of another version", 0);
	next = calloc(head.cpus, sizeof(*next));
	if (!next)
		die("streams", -ENOMEM);
	while (read_one(&entry, sizeof(entry))) {
		if (entry.cpu >= head.cpus || entry.sequence < next[entry.cpu])
			die("events are not in order", 0);
		missing += entry.sequence - next[entry.cpu];
		next[entry.cpu] = entry.sequence;
		if (entry.length == SPSCRING_EVENTS_END) {
			ended++;
			continue;
		}
		if (entry.length < sizeof(record.event) || entry.length > sizeof(record))
			die("an event of an impossible length", 0);
		if (!read_one(&record, entry.length))
			die("the file ends within an event", 0);
		print_event(&entry, &record.event);
		next[entry.cpu]++;
		events++;
	}
	if (ended != head.rings)
		die("the file ends before the recording did", 0);
	free(next);
	printf("%llu events, %llu missing\n", events, missing);
	if (fflush(stdout) || ferror(stdout))
		die("stdout", -errno);
}

static void bad_usage(void)
{
	fprintf(stderr, "usage: record-events [-d] [-n EVENTS] FILE\n"
			"       record-events -r FILE\n");
	exit(2);
}

int main(int argc, char **argv)
{
	int opt, dump = 0, print = 0;
	char *end;

	while ((opt = getopt(argc, argv, "dn:r")) != -1) {
		switch (opt) {
		case 'd':
			dump = 1;
			break;
		case 'n':
			errno = 0;
			left = strtoull(optarg, &end, 10);
			if (errno || !isdigit(*optarg) || *end || !left)
				bad_usage();
			break;
		case 'r':
			print = 1;
			break;
		default:
			bad_usage();
		}
	}
	if (optind + 1 != argc)
		bad_usage();
	if (print)
		print_file(argv[optind]);
	else
		record_all(argv[optind], dump);
	return 0;
}
