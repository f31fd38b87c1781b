// SPDX-License-Identifier: GPL-2.0
/*
 * The honest end of the library's fuzzer: every call of the library and every inline, with its
 * results checked, and with buffers whose ends AddressSanitizer knows.
 */
#include <string.h>
#include <sys/uio.h>

#include "library.h"

static char *place(size_t size)
{
	char *at = malloc(size ?: 1);

	must(at, "no memory");
	memset(at, 0x5a, size);
	return at;
}

static void touch(const void *at, size_t size)
{
	const char *byte = at;

	while (size--)
		__atomic_load_n(byte++, __ATOMIC_RELAXED);
}

/* Slots lie in the data, all of them. */
static void check_slots(const char *data, const char *slots, long n)
{
	long i;

	for (i = 0; i < n; i++, slots += ring.g.stride)
		must(slots >= data && slots + ring.g.element_size <= data + ring.g.data_bytes,
		     "a slot outside of the data");
}

static void by_producer(const struct step *s)
{
	size_t n = s->v % (ring.g.capacity + 2);
	struct spscring_producer *p = &ring.p;
	char *from;
	void *slots;
	long got;

	switch (s->b % 6) {
	case 0:
		from = place(ring.g.element_size);
		spscring_push(p, from);
		free(from);
		break;
	case 1:
		from = place(n * ring.g.element_size);
		must(spscring_push_n(p, from, n) <= (long)n, "more pushed than given");
		free(from);
		break;
	case 2:
		got = spscring_reserve_n(p, n + 1, &slots);
		if (got < 0)
			break;
		must(got > 0 && got <= (long)n + 1 && slots, "more slots than wanted");
		check_slots(p->base.data, slots, got);
		memset(slots, 1, (got - 1) * ring.g.stride + ring.g.element_size);
		spscring_commit_flags(p, s->c % (got + 1), s->how & 3);
		break;
	case 3:
		spscring_has_room(p, n);
		spscring_spin_room(p, n);
		break;
	case 4:
		spscring_wait_room(p, n, 0);
		break;
	default:
		spscring_arm_room(p, n);
	}
}

static void by_consumer(const struct step *s)
{
	size_t n = s->v % (ring.g.capacity + 2);
	struct spscring_consumer *c = &ring.c;
	const void *slots;
	char *to;
	long got;

	switch (s->b % 6) {
	case 0:
		to = place(ring.g.element_size);
		spscring_pop(c, to);
		free(to);
		break;
	case 1:
		to = place(n * ring.g.element_size);
		must(spscring_pop_n(c, to, n) <= (long)n, "more popped than there is room for");
		free(to);
		break;
	case 2:
		got = spscring_peek_n(c, n + 1, &slots);
		if (got < 0)
			break;
		must(got > 0 && got <= (long)n + 1, "more slots than wanted");
		check_slots(c->base.data, slots, got);
		touch(slots, (got - 1) * ring.g.stride + ring.g.element_size);
		spscring_release_n(c, s->c % (got + 1));
		break;
	case 3:
		spscring_has_elements(c, n);
		spscring_spin_elements(c, n);
		break;
	case 4:
		spscring_wait_elements(c, n, 0);
		break;
	default:
		spscring_arm_elements(c, n);
		spscring_backoff(c);
	}
}

static uint64_t length_of(const struct step *s)
{
	static const uint64_t usual[] = { 0, 1, 7, 8, 100, 4096, 1ULL << 32, -1ULL };

	return s->c & 1 ? usual[s->v & 7] : s->v % (ring.g.capacity + 64);
}

static void reserve_some(struct spscring_record_producer *p, const struct step *s)
{
	unsigned int n = 1 + s->c % 4, i;
	uint64_t length;
	void *rec;

	for (i = 0; i < n; i++) {
		length = length_of(s) >> 2 * i;
		if (spscring_record_reserve(p, length, &rec))
			break;
		must((char *)rec + length <= p->base.data + 2 * ring.g.data_bytes,
		     "a record outside of the data");
		memset(rec, 2, length);
		if (s->how >> i & 1)
			spscring_record_shrink(p, rec, length / 2);
		if (s->how >> 4 >> i & 1)
			spscring_record_discard(p, rec);
	}
	spscring_record_commit_flags(p, s->b >> 4 & 3);
}

static void by_record_producer(const struct step *s)
{
	struct spscring_record_producer *p = &ring.rp;
	uint64_t length = length_of(s);
	struct spscring_record recs[BATCH];
	struct iovec iov[2];
	char *from;
	int i;

	switch (s->b % 7) {
	case 0:
		from = place(length > ring.g.capacity ? 0 : length);
		spscring_record_push(p, from, length);
		free(from);
		break;
	case 1:
		from = place(ring.g.capacity + 64);
		for (i = 0; i < BATCH; i++)
			recs[i] = (struct spscring_record){ from, s->v >> 3 * i & 127, 0 };
		if (ring.g.capacity >= 128)
			spscring_record_push_n(p, recs, s->c % BATCH);
		free(from);
		break;
	case 2:
		reserve_some(p, s);
		break;
	case 3:
		spscring_record_drop(p, s->v & 15);
		break;
	case 4:
		from = place(64);
		iov[0] = (struct iovec){ from, s->v & 31 };
		iov[1] = (struct iovec){ from + 32, s->v >> 8 & 31 };
		spscring_record_pushv(p, iov, 2);
		free(from);
		break;
	case 5:
		spscring_record_has_room(p, length);
		spscring_record_spin_room(p, length);
		spscring_record_wait_room(p, length, 0);
		break;
	default:
		spscring_record_arm_room(p, length);
	}
}

static void peek_some(struct spscring_record_consumer *c, const struct step *s)
{
	struct spscring_record recs[BATCH];
	long n, i;

	n = spscring_record_peek_n(c, recs, 1 + s->c % BATCH);
	for (i = 0; i < n; i++) {
		must((char *)recs[i].data >= c->base.data &&
		     (char *)recs[i].data + recs[i].length <=
		     c->base.data + 2 * ring.g.data_bytes, "a record outside of the data");
		touch(recs[i].data, recs[i].length);
	}
	if (n > 0)
		spscring_record_release_n(c, recs, s->how % (n + 1));
}

static void by_record_consumer(const struct step *s)
{
	struct spscring_record_consumer *c = &ring.rc;
	struct spscring_record recs[BATCH];
	size_t size = s->v % (ring.g.capacity + 64);
	struct iovec iov[2];
	int i, n = s->c % BATCH;
	char *to = place(size);
	long got;

	switch (s->b % 6) {
	case 0:
		got = spscring_record_pop(c, to, size);
		must(got <= (long)size, "a record longer than its place");
		break;
	case 1:
		for (i = 0; i < n; i++)
			recs[i] = (struct spscring_record){ to + i * (size / BATCH),
							    size / BATCH, 0 };
		got = spscring_record_pop_n(c, recs, n);
		for (i = 0; i < got; i++)
			must(recs[i].length <= size / BATCH, "a record longer than its place");
		break;
	case 2:
		peek_some(c, s);
		break;
	case 3:
		iov[0] = (struct iovec){ to, size / 3 };
		iov[1] = (struct iovec){ to + size / 3, size - size / 3 };
		spscring_record_popv(c, iov, 2);
		break;
	case 4:
		spscring_record_has_bytes(c, size);
		spscring_record_spin_bytes(c, size);
		spscring_record_wait_bytes(c, size, 0);
		break;
	default:
		spscring_record_arm_bytes(c, size);
		spscring_record_backoff(c);
	}
	free(to);
}

void honest_shutdown(void)
{
	switch (ring.kind) {
	case PRODUCER:
		spscring_shutdown_producer(&ring.p);
		break;
	case CONSUMER:
		spscring_shutdown_consumer(&ring.c);
		break;
	case RECORD_PRODUCER:
		spscring_record_shutdown_producer(&ring.rp);
		break;
	default:
		spscring_record_shutdown_consumer(&ring.rc);
	}
}

void honest_call(const struct step *s)
{
	switch (ring.kind) {
	case PRODUCER:
		by_producer(s);
		break;
	case CONSUMER:
		by_consumer(s);
		break;
	case RECORD_PRODUCER:
		by_record_producer(s);
		break;
	default:
		by_record_consumer(s);
	}
}
