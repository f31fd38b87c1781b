// SPDX-License-Identifier: MIT
/* A set of consumers' ends, with callbacks, on one epoll. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "spscring.h"

#define BUDGET		256
#define EVENTS		64	/* of one epoll_wait(); it turns to the others the next time */
#define SLICE		1	/* ms between two looks at rings that epoll cannot poll */
#define PLACE		256	/* bytes, at first, for a record that cannot be read in place */

struct member {
	union {
		struct spscring_consumer c;
		struct spscring_record_consumer rc;
	};
	struct member *next;
	struct spscring_mapping map;
	int fd;
	int ended;		/* end was called */
	int removed;		/* by a callback: freed once all callbacks have returned */
	int memfd;		/* epoll cannot poll it */
	uint32_t element_size;
	spscring_set_fn fn;
	spscring_set_end_fn end;
	void *ctx;
	void *place;		/* for records that may be overwritten while they are read */
	size_t place_size;
};

struct spscring_set {
	int epoll;
	int busy;		/* callbacks run */
	size_t budget;
	size_t memfds;
	unsigned int ends;	/* how many have ended, ever */
	struct member *members;
};

struct spscring_set *spscring_set_new(size_t budget)
{
	struct spscring_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->budget = budget ? budget : BUDGET;
	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (set->epoll < 0) {
		free(set);
		return NULL;
	}
	return set;
}

static struct member *find(const struct spscring_set *set, int fd)
{
	struct member *m;

	for (m = set->members; m && (m->removed || m->fd != fd);)
		m = m->next;
	return m;
}

static int map(struct member *m, uint64_t type_tag)
{
	return m->element_size == SPSCRING_VARIABLE_SIZE ?
		spscring_record_map_consumer(m->fd, &m->rc, type_tag, &m->map) :
		spscring_map_consumer(m->fd, &m->c, m->element_size, type_tag, &m->map);
}

static int watch(struct spscring_set *set, struct member *m)
{
	const struct spscring_consumer_base *b = &m->c.base;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = m };

	if (b->flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	m->memfd = !!(b->features & SPSCRING_FEATURE_MEMFD);
	if (m->memfd) {
		set->memfds++;
		return 0;
	}
	return epoll_ctl(set->epoll, EPOLL_CTL_ADD, m->fd, &event) ? -errno : 0;
}

int spscring_set_add(struct spscring_set *set, int endpoint_fd, uint32_t element_size,
		     uint64_t type_tag, spscring_set_fn fn, spscring_set_end_fn end, void *ctx)
{
	struct member *m;
	int err;

	if (find(set, endpoint_fd))
		return -EEXIST;
	m = aligned_alloc(SPSCRING_LINE, (sizeof(*m) + SPSCRING_LINE - 1) / SPSCRING_LINE *
			  SPSCRING_LINE);
	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	m->fd = endpoint_fd;
	m->element_size = element_size;
	m->fn = fn;
	m->end = end;
	m->ctx = ctx;
	err = map(m, type_tag);
	if (err) {
		free(m);
		return err;
	}
	err = watch(set, m);
	if (err) {
		spscring_unmap(&m->map);
		free(m);
		return err;
	}
	m->next = set->members;
	set->members = m;
	return 0;
}

/* The set does not look at the end any more. */
static void unwatch(struct spscring_set *set, const struct member *m)
{
	if (m->ended)
		return;
	if (m->memfd)
		set->memfds--;
	else
		epoll_ctl(set->epoll, EPOLL_CTL_DEL, m->fd, NULL);
}

/* Free the removed, unless a callback runs, whose message may be in one of their rings. */
static void reap(struct spscring_set *set)
{
	struct member **at = &set->members, *m;

	while (!set->busy && (m = *at)) {
		if (!m->removed) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		spscring_unmap(&m->map);
		free(m->place);
		free(m);
	}
}

int spscring_set_remove(struct spscring_set *set, int endpoint_fd)
{
	struct member *m = find(set, endpoint_fd);

	if (!m)
		return -ENOENT;
	unwatch(set, m);
	m->removed = 1;
	reap(set);
	return 0;
}

/* ----------------------------------------------------------------- consume */

/* Each of these returns how many messages were consumed, or an error; @stop: what fn returned. */

static long consume_elements(struct member *m, size_t budget, int *stop)
{
	const char *data;
	long i, n = spscring_peek_n(&m->c, budget, (const void **)&data);

	for (i = 0; i < n && *stop >= 0 && !m->removed; i++)
		*stop = m->fn(m->ctx, data + i * m->c.base.stride, m->element_size);
	if (i)
		spscring_release_n(&m->c, (size_t)i);
	return n < 0 ? n : i;
}

static long consume_record(struct member *m, int *stop)
{
	struct spscring_record record;
	int err = spscring_record_peek(&m->rc, &record);

	if (err)
		return err;
	*stop = m->fn(m->ctx, record.data, record.length);
	spscring_record_release(&m->rc, &record);
	return 1;
}

/* A record that may be overwritten meanwhile is copied. */
static long consume_copy(struct member *m, int *stop)
{
	long length;

	while ((length = spscring_record_pop(&m->rc, m->place, m->place_size)) == -EMSGSIZE) {
		size_t size = m->place_size ? 2 * m->place_size : PLACE;
		void *place = realloc(m->place, size);

		if (!place)
			return -ENOMEM;
		m->place = place;
		m->place_size = size;
	}
	if (length == -EBUSY)		/* overwritten as often as it was read */
		return -EAGAIN;
	if (length < 0)
		return length;
	*stop = m->fn(m->ctx, m->place, (size_t)length);
	return 1;
}

static long consume_some(struct member *m, size_t budget, int *stop)
{
	if (m->element_size != SPSCRING_VARIABLE_SIZE)
		return consume_elements(m, budget, stop);
	if (m->rc.base.flags & SPSCRING_CREATE_OVERWRITE)
		return consume_copy(m, stop);
	return consume_record(m, stop);
}

/* Consume up to the budget of one end.  Return: how many, or what a callback returned. */
static long consume(struct spscring_set *set, struct member *m)
{
	size_t total = 0;
	int stop = 0;
	long n = 0;

	while (total < set->budget && stop >= 0 && !m->removed && !m->ended) {
		n = consume_some(m, set->budget - total, &stop);
		if (n < 0)
			break;
		total += (size_t)n;
	}
	if (n < 0 && n != -EAGAIN && n != -EBUSY) {
		unwatch(set, m);
		m->ended = 1;
		set->ends++;
		if (m->end)
			m->end(m->ctx, (int)n);
	}
	return stop < 0 ? stop : (long)total;
}

/* Add what consume() returned to the sum of a call. */
static long sum(long total, long n)
{
	return n < 0 ? n : total + n;
}

/* Consume from all ends, or only from those that epoll cannot poll. */
static long consume_all(struct spscring_set *set, int memfds_only)
{
	struct member *m;
	long total = 0;

	set->busy++;
	for (m = set->members; m && total >= 0; m = m->next)
		if (!m->removed && !m->ended && (m->memfd || !memfds_only))
			total = sum(total, consume(set, m));
	set->busy--;
	reap(set);
	return total;
}

long spscring_set_consume(struct spscring_set *set)
{
	return consume_all(set, 0);
}

static long consume_ready(struct spscring_set *set, const struct epoll_event *events, int n)
{
	long total = 0;
	int i;

	set->busy++;
	for (i = 0; i < n && total >= 0; i++)
		total = sum(total, consume(set, events[i].data.ptr));
	set->busy--;
	reap(set);
	return total;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

long spscring_set_poll(struct spscring_set *set, int timeout)
{
	struct epoll_event events[EVENTS];
	int64_t until = timeout < 0 ? INT64_MAX : now_ms() + timeout;
	unsigned int ends = set->ends;
	long total;
	int n;

	for (;;) {
		int wait = timeout;

		total = set->memfds ? consume_all(set, 1) : 0;
		if (total < 0)
			return total;
		if (total || set->ends != ends)
			wait = 0;
		else if (set->memfds && (timeout < 0 || timeout > SLICE))
			wait = SLICE;
		n = epoll_wait(set->epoll, events, EVENTS, wait);
		if (n < 0)
			return total ? total : -errno;
		total = sum(total, consume_ready(set, events, n));
		if (n || total || set->ends != ends || !set->memfds || now_ms() >= until)
			return total;
	}
}

int spscring_set_fd(const struct spscring_set *set)
{
	return set->epoll;
}

void spscring_set_free(struct spscring_set *set)
{
	struct member *m;

	if (!set)
		return;
	for (m = set->members; m; m = m->next) {
		unwatch(set, m);
		m->removed = 1;
	}
	reap(set);
	close(set->epoll);
	free(set);
}
