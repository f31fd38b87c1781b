/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the programs that load the machine: how much of it they do, what must be left after
 * it, and a stream of records that goes on meanwhile.
 *
 * SPSCRING_LOAD	per cent of the full load, 5 if not given
 */
#ifndef _SPSCRING_LOAD_H
#define _SPSCRING_LOAD_H

#include <stdio.h>
#include <sys/stat.h>

#include "list.h"
#include "record.h"

#define CGROUPS		"/sys/fs/cgroup"

/* The share of @full that this run does; at least 1. */
static inline __u64 load_share(__u64 full)
{
	const char *given = getenv("SPSCRING_LOAD");
	__u64 n = full * (given && *given ? strtoull(given, NULL, 0) : 5) / 100;

	return n ?: 1;
}

/* No ring is in the list below its first line, which has the names of the columns. */
static inline bool no_ring(const void *unused)
{
	const char *rings;
	bool none;
	char *text;

	(void)unused;
	if (read_number(USED_BYTES))
		return false;
	text = list_text();
	rings = text ? strchr(text, '\n') : NULL;
	none = rings && !rings[1];
	free(text);
	return none;
}

/* Wait until all rings and all their memory are gone: the last pages go a while after a close. */
static inline bool nothing_left(void)
{
	return within_patience(no_ring, NULL);
}

/* ------------------------------------------------------------ a stream */

/* Two ends that move records through a ring, each in a process of its own or in the kernel. */
struct stream {
	int ring;
	pid_t producer, consumer;
	__u64 n;
	struct spscring_record_run *runs;	/* in shared memory: producer, consumer */
};

struct stream_kind {
	enum how in, out;
	__u32 mode;
};

static inline bool stream_init(struct stream *s)
{
	*s = (struct stream){ .ring = -1, .runs = shared_memory(2 * sizeof(*s->runs)) };
	return s->runs != MAP_FAILED;
}

static inline bool stream_begin(struct stream *s, const struct stream_kind *kind, __u64 n)
{
	s->n = n;
	s->ring = spscring_open(RING(.capacity = 4096, .flags = kind->mode, .name = "load"));
	s->runs[0] = (struct spscring_record_run){
		.role = SPSCRING_PRODUCER, .ring_fd = s->ring, .count = n,
		.mover = { .ways = RECORD_PRODUCER_WAYS, .most = 1000 },
	};
	s->runs[1] = (struct spscring_record_run){
		.role = SPSCRING_CONSUMER, .ring_fd = s->ring, .count = ~0ULL,
		.mover = { .most = 1000, .ways = kind->out >= BY_KERNEL ? RECORD_COPY_WAYS :
			   RECORD_CONSUMER_WAYS },
	};
	if (s->ring < 0)
		return false;
	s->consumer = run_child(&s->runs[1], kind->out);
	s->producer = run_child(&s->runs[0], kind->in);
	return s->consumer > 0 && s->producer > 0;
}

/* The stream is over: both processes have ended. */
static inline bool stream_is_over(const struct stream *s)
{
	return child_is_over(&s->producer) && child_is_over(&s->consumer);
}

/*
 * Wait for the end of the stream.  Return: 0 if each record was moved once, unchanged, or is
 * counted as overwritten; or the line of the check that failed.
 */
static inline int stream_end(struct stream *s, const struct stream_kind *kind)
{
	const struct record_mover *put = &s->runs[0].mover, *take = &s->runs[1].mover;
	struct spscring_info info = info_of(s->ring);
	struct patience patience = {};
	int producer, consumer;

	while (!stream_is_over(s) && patient(&patience, info.head + info.tail))
		info = info_of(s->ring);
	if (!stream_is_over(s)) {
		kill(s->producer, SIGKILL);
		kill(s->consumer, SIGKILL);
	}
	producer = wait_child(s->producer);
	consumer = wait_child(s->consumer);
	info = info_of(s->ring);
	close_fd(&s->ring);
	if (producer || consumer)
		return __LINE__;
	if (s->runs[0].err || s->runs[1].err != -ESHUTDOWN)
		return __LINE__;
	if (s->runs[0].timeouts || s->runs[1].timeouts)
		return __LINE__;
	if (info.broken || info.length || put->wrong || take->wrong || put->moved != s->n)
		return __LINE__;
	if (take->moved + take->missed != s->n)
		return __LINE__;
	return kind->mode != OVERWRITES && take->missed ? __LINE__ : 0;
}

/* -------------------------------------------------------------- cgroups */

/* A cgroup, by its folder. */
struct cgroup {
	char dir[96];
};

static inline int cgroup_write(const struct cgroup *c, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", c->dir, file);
	return write_text(path, text);
}

static inline long long cgroup_read(const struct cgroup *c, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", c->dir, file);
	return read_number(path);
}

/* Return: the number after the word @key in a file of the cgroup, or -1. */
static inline long long cgroup_event(const struct cgroup *c, const char *file, const char *key)
{
	long long value = -1, v;
	char path[128], word[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", c->dir, file);
	f = fopen(path, "r");
	while (f && fscanf(f, "%63s %lld", word, &v) == 2) {
		if (!strcmp(word, key))
			value = v;
	}
	if (f)
		fclose(f);
	return value;
}

static inline int cgroup_make(struct cgroup *c, int nth)
{
	snprintf(c->dir, sizeof(c->dir), CGROUPS "/spscring-load-%d-%d", getpid(), nth);
	return mkdir(c->dir, 0700) ? -errno : 0;
}

static inline int cgroup_enter(const struct cgroup *c, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", pid);
	return cgroup_write(c, "cgroup.procs", text);
}

/* A process leaves its cgroup a moment after it has been waited for. */
static inline bool cgroup_is_removed(const void *cgroup)
{
	const struct cgroup *c = cgroup;

	return !c->dir[0] || !rmdir(c->dir) || errno == ENOENT;
}

static inline bool cgroup_remove(const struct cgroup *c)
{
	return within_patience(cgroup_is_removed, c);
}

#endif
