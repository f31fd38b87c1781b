/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workers that hold an end of a ring, move messages in every way, and may be killed at any
 * instruction.  What they write to memory that they share with their supervisor tells it, and
 * their successors, what had returned before the kill and what had only begun.
 */
#ifndef _SPSCRING_SELFTEST_WORKER_H
#define _SPSCRING_SELFTEST_WORKER_H

#include "sleep.h"

#define WORDS_MAX	8
#define BATCH		64
#define GENERATIONS	(1 << 17)
#define LIVES		4	/* workers at one time: two, and a successor of each */

enum phase { STARTS, CLAIMS, HOLDS, MOVES, SLEEPS, PHASES };

static const char *const phase_names[] = {
	"before a claim", "in a claim", "between calls", "in a call", "asleep",
};

/* What one worker writes for the supervisor. */
struct life {
	__u32 phase;
	__u32 generation;
	__u32 idle;		/* its peer is dead, and there is nothing to do */
	__u32 by_calls;		/* of its struct worker */
	__u32 bad_line;		/* where it found something wrong, and the values there */
	__u64 bad[2];
};

/* How far consumers have come. */
struct account {
	__u64 high;		/* all messages before this were delivered, or are missing */
	__u64 low, limit;	/* the next consumer's first message is between these */
	__u64 missed;		/* messages that no consumer was given */
	__u64 again;		/* delivered again */
	__u64 slack;		/* of those missed, so many at most were in a pop that was killed */
	__u64 recounted;	/* so many overruns at most were counted twice */
	__u64 tries;		/* first calls of a worker since a message was delivered */
};

struct shared {
	struct life lives[LIVES];
	__u64 reported;		/* all messages before this were pushed by calls that returned */
	__u64 trying;		/* no message from here on was ever passed to a call */
	__u64 newest[2];	/* generations that claimed last: producer, consumer */
	/* a kill between two stores leaves the old account or the new one, whole */
	__u32 account;
	struct account accounts[2];
	__u64 base[GENERATIONS];	/* by generation: 1 + the first message of that producer */
};

/* Store after all that comes before in the program, and before all that comes after. */
#define note(x, v) do {							\
	__atomic_signal_fence(__ATOMIC_SEQ_CST);			\
	__atomic_store_n(&(x), (v), __ATOMIC_RELEASE);			\
	__atomic_signal_fence(__ATOMIC_SEQ_CST);			\
} while (0)

static __u64 dice;

static inline __u64 below(__u64 n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (dice * 0x9e3779b97f4a7c15ULL >> 32) % n;
}

/* Some time between nothing and @most rounds, short times as often as long ones. */
static inline void spend(unsigned int most)
{
	__u64 n = below(1ULL << below(most));

	while (n--)
		cpu_relax();
}

/* Small batches as often as large ones. */
static inline unsigned int some_of_a_batch(void)
{
	return 1 + below(1 << below(7));
}

/* ---------------------------------------------------------------- messages */

/* The words are cheap to make and to check: most of the time is to pass in calls. */
static inline __u64 word_of(__u64 index, __u64 generation)
{
	return index * 0x9e3779b97f4a7c15ULL ^ generation << 40;
}

static inline unsigned int words_of(bool records, __u64 index)
{
	return records ? 2 + (word_of(index, 0) >> 32) % (WORDS_MAX - 1) : 5;
}

static inline void message_fill(__u64 *words, unsigned int n, __u64 index, __u64 generation)
{
	const __u64 word = word_of(index, generation);
	unsigned int i;

	words[0] = index;
	words[1] = generation;
	for (i = 2; i < n; i++)
		words[i] = word + i;
}

static inline bool message_is_whole(const __u64 *words, unsigned int n)
{
	const __u64 word = word_of(words[0], words[1]);
	unsigned int i;

	for (i = 2; i < n; i++)
		if (words[i] != word + i)
			return false;
	return true;
}

/* ----------------------------------------------------------------- workers */

enum manner { ONE, SOME, IN_PLACE, WAYS };

struct worker {
	struct shared *shared;
	struct life *life;
	__u32 role, flags;
	int fd;
	bool records;
	bool memfd;			/* a ring without the module */
	bool by_calls;			/* read() or write() instead of the inlines */
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
		struct spscring_record_producer rp;
		struct spscring_record_consumer rc;
	};
	__u64 generation;
	__u64 next;			/* producer: the index of the next message */
	bool exact;			/* consumer: it has had a message, the next one follows */
	struct account account, found;	/* as it is; as the predecessor left it */
	__u64 buf[BATCH * WORDS_MAX];
	struct spscring_record recs[BATCH];
};

static inline void bad_at(struct worker *w, int line, __u64 a, __u64 b)
{
	w->life->bad[0] = a;
	w->life->bad[1] = b;
	note(w->life->bad_line, line);
	_exit(1);
}

#define must(w, what, a, b) do {					\
	if (!(what))							\
		bad_at(w, __LINE__, a, b);				\
} while (0)

static inline __u64 *newest(struct worker *w)
{
	return &w->shared->newest[w->role == SPSCRING_CONSUMER];
}

/* After a call: while this worker lives, no other holds its end. */
static inline void still_holds(struct worker *w)
{
	must(w, READ_ONCE(*newest(w)) == w->generation, *newest(w), w->generation);
}

static inline void phase(struct worker *w, enum phase phase)
{
	note(w->life->phase, phase);
}

/* Claim the end as soon as nobody holds it. */
static inline int claim_in_time(const struct worker *w, int ring)
{
	struct spscring_endpoint claim = {
		.size = sizeof(claim), .flags = SPSCRING_ENDPOINT_WAIT, .role = w->role,
		.element_size = w->records ? 0 : 40,
	};
	int fd;

	if (!w->memfd)
		return do_ioctl(ring, SPSCRING_ENDPOINT, &claim);
	while ((fd = spscring_claim(ring, w->role, claim.element_size, 0)) == -EBUSY)
		sched_yield();
	return fd;
}

static inline void worker_begins(struct worker *w, int ring)
{
	struct spscring_info info;
	int err;

	phase(w, CLAIMS);
	w->fd = claim_in_time(w, ring);
	must(w, w->fd >= 0, w->fd, 0);
	info = info_of(w->fd);
	w->generation = w->role == SPSCRING_PRODUCER ? info.producer_generation :
		info.consumer_generation;
	note(w->life->generation, w->generation);
	must(w, w->generation > *newest(w), *newest(w), w->generation);
	note(*newest(w), w->generation);
	phase(w, HOLDS);
	if (w->role == SPSCRING_PRODUCER)
		err = w->records ? record_map_producer(w->fd, &w->rp, NULL) :
			map_producer(w->fd, &w->p, NULL);
	else
		err = w->records ? record_map_consumer(w->fd, &w->rc, NULL) :
			map_consumer(w->fd, &w->c, NULL);
	must(w, !err, err, 0);
	w->by_calls = !w->memfd && !below(4);
	note(w->life->by_calls, w->by_calls);
}

/* Sleep until there is a message, or room, in one of the ways to sleep. */
static inline int worker_sleeps(struct worker *w)
{
	const bool producer = w->role == SPSCRING_PRODUCER;
	__u64 need = producer && w->records ? 8 * (WORDS_MAX + 1) : 1;
	int err;

	phase(w, SLEEPS);
	/* by calls the handle stays where the end was mapped: it does not know what to wait for */
	if (!w->memfd && (w->by_calls || below(2))) {
		err = spscring_notify(w->fd, need, 0, -1);
		if (!err)
			err = poll_one(w->fd, producer ? POLLOUT : POLLIN, -1);
		/* a dead consumer lets the producer try again, a dead producer leaves nothing */
		must(w, err < 0 || err & (producer ? POLLOUT : POLLIN | POLLHUP), err, 0);
		return err < 0 ? err : 0;
	}
	if (producer)
		return w->records ? spscring_record_wait_room(&w->rp, need, -1) :
			spscring_wait_room(&w->p, need, -1);
	return w->records ? spscring_record_wait_bytes(&w->rc, need, -1) :
		spscring_wait_elements(&w->c, need, -1);
}

/* After a call that moved nothing; @err says why. */
static inline void worker_pauses(struct worker *w, long err)
{
	phase(w, HOLDS);
	if (err == -EAGAIN || (err == -ENOBUFS && below(2))) {
		err = worker_sleeps(w);
		phase(w, HOLDS);
	}
	if (err == -EPIPE) {
		/* the supervisor is about to start another peer, unless the ring is broken */
		note(w->life->idle, 1);
		sched_yield();
	}
	/* EBUSY: overtaken by the producer too often */
	must(w, !err || err == -EPIPE || err == -ENOBUFS || err == -EBUSY, err, 0);
}

/* ---------------------------------------------------------------- producer */

/* Fill @n messages for one call.  Return: their bytes. */
static inline size_t prepare(struct worker *w, unsigned int n)
{
	__u64 *at = w->buf;
	unsigned int i, words;

	for (i = 0; i < n; i++, at += words) {
		words = words_of(w->records, w->next + i);
		message_fill(at, words, w->next + i, w->generation);
		w->recs[i] = (struct spscring_record){ .data = at, .length = 8 * words };
	}
	return 8 * (at - w->buf);
}

/* Push up to @n of the messages that are prepared, @size bytes in all. */
static inline long push_by_calls(struct worker *w, size_t size)
{
	long some = write(w->fd, w->buf, size);

	if (some < 0)
		return -errno;
	return w->records ? 1 : some / 40;
}

static inline long push_elements(struct worker *w, enum manner way, unsigned int n)
{
	void *slots;
	long some, i;

	switch (way) {
	case ONE:
		return spscring_push(&w->p, w->buf) ?: 1;
	case SOME:
		return spscring_push_n(&w->p, w->buf, n);
	default:
		some = spscring_reserve_n(&w->p, n, &slots);
		for (i = 0; i < some; i++)
			memcpy((char *)slots + i * w->p.base.stride, w->recs[i].data, 40);
		if (some > 0)
			spscring_commit_n(&w->p, some);
		return some;
	}
}

static inline long push_records(struct worker *w, enum manner way, unsigned int n)
{
	size_t length = w->recs[0].length;
	void *to;
	int err;

	switch (way) {
	case ONE:
		return spscring_record_push(&w->rp, w->buf, length) ?: 1;
	case SOME:
		return spscring_record_push_n(&w->rp, w->recs, n);
	default:
		err = spscring_record_reserve(&w->rp, length, &to);
		if (err)
			return err;
		memcpy(to, w->buf, length);
		spscring_record_commit(&w->rp, to, length);
		return 1;
	}
}

static inline void push_until_killed(struct worker *w)
{
	struct shared *shared = w->shared;
	long some;

	w->next = w->records ? w->rp.sequence : w->p.base.pos;
	must(w, w->next >= shared->reported && w->next <= shared->trying, w->next,
	     shared->reported);
	note(shared->base[w->generation], w->next + 1);
	for (;;) {
		const enum manner way = below(WAYS);
		unsigned int n = way == ONE || (w->records && (w->by_calls || way == IN_PLACE)) ?
			1 : some_of_a_batch();
		size_t size = prepare(w, n);

		note(shared->trying, w->next + n);
		phase(w, MOVES);
		if (w->by_calls)
			some = push_by_calls(w, size);
		else
			some = w->records ? push_records(w, way, n) : push_elements(w, way, n);
		phase(w, HOLDS);
		still_holds(w);
		if (some > 0)
			w->next += some;
		/* which counts dropped records, too */
		if (w->records && !w->by_calls)
			w->next = w->rp.sequence;
		else if (some == -ENOBUFS || (some == -EPIPE && w->flags & SPSCRING_CREATE_DROP))
			w->next++;
		note(shared->reported, w->next);
		if (some > 0)
			note(w->life->idle, 0);
		else
			worker_pauses(w, some);
		if (w->flags & SPSCRING_CREATE_OVERWRITE)
			spend(10);
	}
}

/* ---------------------------------------------------------------- consumer */

static inline void settle(struct worker *w)
{
	struct shared *shared = w->shared;
	__u32 next = !shared->account;

	shared->accounts[next] = w->account;
	note(shared->account, next);
}

static inline bool is_lossy(const struct worker *w)
{
	return w->flags & (SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE);
}

/* The first message of this consumer.  What was its predecessor in the midst of? */
static inline void take_first(struct worker *w, __u64 index)
{
	struct account *a = &w->account;

	must(w, index >= a->low, index, a->low);
	must(w, is_lossy(w) || index <= w->found.limit, index, w->found.limit);
	a->slack += w->found.limit - w->found.high;
	/* a call that was killed may have counted what this call has counted, each such call */
	if (w->next < index)
		a->recounted += a->tries * (index - w->next);
	a->tries = 0;
	w->exact = true;
}

/* Was the message pushed by the producer that held the end at its index? */
static inline bool is_of_its_producer(const struct shared *shared, __u64 index, __u64 generation)
{
	const __u64 *base = &shared->base[generation];

	if (!generation || generation >= GENERATIONS - 1 || !READ_ONCE(base[0]))
		return false;
	return index + 1 >= base[0] && (!READ_ONCE(base[1]) || index + 1 < base[1]);
}

/* Check one message, and count those that are missing before it. */
static inline void take(struct worker *w, const __u64 *words, size_t length)
{
	struct account *a = &w->account;
	const __u64 index = words[0];

	must(w, length == 8 * words_of(w->records, index), index, length);
	must(w, message_is_whole(words, length / 8), index, words[1]);
	must(w, is_of_its_producer(w->shared, index, words[1]), index, words[1]);
	if (!w->exact)
		take_first(w, index);
	else
		must(w, is_lossy(w) ? index >= w->next : index == w->next, index, w->next);
	if (index > a->high)
		a->missed += index - a->high;
	if (index < a->high)
		a->again++;
	else
		a->high = index + 1;
	w->next = index + 1;
}

/* Before a call that may deliver @n messages, which it releases unless they are looked at. */
static inline void expect(struct worker *w, enum manner way, unsigned int n)
{
	struct account *a = &w->account;

	if (w->exact) {
		/* not high: what a predecessor peeked at and did not release is delivered again */
		a->low = w->next;
		a->limit = a->high;
	} else {
		a->limit = w->found.limit;
		a->tries = w->found.tries + 1;
	}
	if (way != IN_PLACE)
		a->limit += n;
	settle(w);
}

static inline long pop_elements(struct worker *w, enum manner way, unsigned int n)
{
	const void *from = w->buf;
	__u32 stride = 40;
	long some, i;

	if (w->by_calls) {
		some = read(w->fd, w->buf, n * 40);
		some = some < 0 ? -errno : some / 40;
	} else if (way == ONE) {
		some = spscring_pop(&w->c, w->buf) ?: 1;
	} else if (way == SOME) {
		some = spscring_pop_n(&w->c, w->buf, n);
	} else {
		some = spscring_peek_n(&w->c, n, &from);
		stride = w->c.base.stride;
	}
	for (i = 0; i < some; i++)
		w->recs[i] = (struct spscring_record){
			.data = (char *)from + i * stride, .length = 40,
		};
	return some;
}

static inline long pop_records(struct worker *w, enum manner way, unsigned int n)
{
	unsigned int i;
	long length;

	for (i = 0; i < n; i++)
		w->recs[i] = (struct spscring_record){
			.data = w->buf + i * WORDS_MAX, .length = 8 * WORDS_MAX,
		};
	if (!w->by_calls && way == SOME)
		return spscring_record_pop_n(&w->rc, w->recs, n);
	if (!w->by_calls && way == IN_PLACE)
		return spscring_record_peek_n(&w->rc, w->recs, n);
	if (w->by_calls)
		length = negative_errno(read(w->fd, w->buf, w->recs[0].length));
	else
		length = spscring_record_pop(&w->rc, w->buf, w->recs[0].length);
	if (length < 0)
		return length;
	w->recs[0].length = length;
	w->recs[0].sequence = w->by_calls ? w->buf[0] : spscring_record_sequence(&w->rc);
	return 1;
}

static inline void pop_until_killed(struct worker *w)
{
	struct shared *shared = w->shared;
	long some, i;

	w->found = shared->accounts[shared->account];
	w->account = w->found;
	w->next = w->records ? w->rc.sequence : w->c.base.pos;
	for (;;) {
		/* what may be overwritten cannot be looked at */
		const enum manner way = w->by_calls ? SOME :
			below(w->flags & SPSCRING_CREATE_OVERWRITE ? IN_PLACE : WAYS);
		unsigned int n = way == ONE || (w->records && w->by_calls) ? 1 : some_of_a_batch();

		expect(w, way, n);
		phase(w, MOVES);
		some = w->records ? pop_records(w, way, n) : pop_elements(w, way, n);
		for (i = 0; i < some; i++) {
			const __u64 *words = w->recs[i].data;

			must(w, !w->records || words[0] == w->recs[i].sequence, words[0],
			     w->recs[i].sequence);
			take(w, words, w->recs[i].length);
		}
		if (some > 0) {
			w->account.limit = w->account.high;
			settle(w);
			/* what was delivered and not released is delivered again */
			if (way == IN_PLACE)
				spend(8);
		}
		if (some > 0 && way == IN_PLACE && w->records)
			spscring_record_release_n(&w->rc, w->recs, some);
		else if (some > 0 && way == IN_PLACE)
			spscring_release_n(&w->c, some);
		phase(w, HOLDS);
		still_holds(w);
		if (some > 0)
			note(w->life->idle, 0);
		else
			worker_pauses(w, some);
	}
}

#endif
