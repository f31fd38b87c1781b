/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An end that moves elements in one of three ways; each element contains its own number.
 *
 * SPSCRING_MESSAGES	how many in the long runs, 10000000 if not given
 */
#ifndef _SPSCRING_SELFTEST_MOVER_H
#define _SPSCRING_SELFTEST_MOVER_H

#include "selftest.h"
#include "spscring_peer.h"

/* The number of elements to send: fewer for sizes above 8 bytes, for runs of equal length. */
static inline __u64 messages_of(__u32 size, __u64 most)
{
	__u64 n = size > 8 ? messages() * 8 / size : messages();

	if (n < 100)
		n = 100;
	return n < most ? n : most;
}

/* After a failed try: yield from time to time, or with one CPU the other end cannot run. */
static inline void pause_after(__u32 *fails)
{
	cpu_relax();
	if (!(++*fails % 4096))
		sched_yield();
}

enum way { ONE_BY_ONE, IN_BATCHES, IN_PLACE };

/* An end, with a buffer for as many elements as it moves at once. */
struct mover {
	enum way way;
	__u32 size, stride, most;
	char *buf;
	struct spscring_mapping map;
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
	};
};

/* A piece of 1 to @most elements: odd lengths, of which no frame or capacity is a multiple. */
static inline __u32 piece(const struct mover *m, __u64 seq)
{
	return seq * 7 % 97 % m->most + 1;
}

/* Push up to @n elements from @seq on.  Return: how many, or a negative errno. */
static inline long put(struct mover *m, __u64 seq, __u32 n)
{
	void *slots = NULL;
	long i, some = n;

	if (m->way == ONE_BY_ONE) {
		spscring_peer_fill(m->buf, m->size, seq);
		return spscring_push(&m->p, m->buf) ?: 1;
	}
	if (m->way == IN_BATCHES) {
		for (i = 0; i < some; i++)
			spscring_peer_fill(m->buf + i * m->size, m->size, seq + i);
		return spscring_push_n(&m->p, m->buf, n);
	}
	some = spscring_reserve_n(&m->p, n, &slots);
	if (some < 0)
		return some;
	for (i = 0; i < some; i++)
		spscring_peer_fill((char *)slots + i * m->stride, m->size, seq + i);
	spscring_commit_n(&m->p, some);
	return some;
}

/* Pop up to @n elements, which should count up from @seq; add the wrong ones to @wrong. */
static inline long take(struct mover *m, __u64 seq, __u32 n, __u64 *wrong)
{
	const void *recs = m->buf;
	__u32 stride = m->size;
	long i, some;

	if (m->way == ONE_BY_ONE) {
		some = spscring_pop(&m->c, m->buf) ?: 1;
	} else if (m->way == IN_BATCHES) {
		some = spscring_pop_n(&m->c, m->buf, n);
	} else {
		some = spscring_peek_n(&m->c, n, &recs);
		stride = m->stride;
	}
	for (i = 0; i < some; i++)
		*wrong += spscring_peer_wrong((const char *)recs + i * stride, m->size, seq + i);
	if (m->way == IN_PLACE && some > 0)
		spscring_release_n(&m->c, some);
	return some;
}

static inline int mover_init(struct mover *m, int end, __u32 role, enum way way)
{
	struct spscring_info info = info_of(end);
	int err;

	m->way = way;
	m->size = info.geometry.element_size;
	m->stride = info.geometry.stride;
	m->most = m->size > 4096 ? 13 : 97;
	m->buf = malloc((size_t)m->most * m->size);
	if (!m->buf)
		return -ENOMEM;
	err = role == SPSCRING_PRODUCER ? map_producer(end, &m->p, &m->map) :
		map_consumer(end, &m->c, &m->map);
	if (err)
		free(m->buf);
	return err;
}

/* Unmap as well, because a mapping keeps the end alive. */
static inline void mover_free(struct mover *m)
{
	spscring_unmap(&m->map);
	free(m->buf);
}

/* How an end of a long run went. */
enum { WELL, NO_START, WRONG_RECORD, WRONG_END };

/* Push @n elements, then shut the end down. */
static inline int produce(int end, enum way way, __u64 n)
{
	__u32 fails = 0, some;
	long got = 0;
	struct mover m;
	__u64 seq = 0;

	if (mover_init(&m, end, SPSCRING_PRODUCER, way))
		return NO_START;
	while (seq < n && (got >= 0 || got == -EAGAIN)) {
		some = piece(&m, seq);
		got = put(&m, seq, some < n - seq ? some : n - seq);
		if (got > 0)
			seq += got;
		else
			pause_after(&fails);
	}
	mover_free(&m);
	return seq == n && !spscring_shutdown(end, 0) ? WELL : WRONG_END;
}

/* Pop until the end of the stream, which must come after @n elements. */
static inline int consume(int end, enum way way, __u64 n)
{
	__u64 seq = 0, wrong = 0;
	__u32 fails = 0;
	struct mover m;
	long got = 0;

	if (mover_init(&m, end, SPSCRING_CONSUMER, way))
		return NO_START;
	while (!wrong && (got >= 0 || got == -EAGAIN)) {
		got = take(&m, seq, piece(&m, seq + 3), &wrong);
		if (got > 0)
			seq += got;
		else
			pause_after(&fails);
	}
	mover_free(&m);
	if (wrong)
		return WRONG_RECORD;
	return got == -ESHUTDOWN && seq == n ? WELL : WRONG_END;
}

#endif
