// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a ring in one process, a thread each, for ThreadSanitizer.  Each access of one
 * thread to what the other one wrote is ordered by an acquire that has seen a release, or atomic.
 *
 * ThreadSanitizer knows memory by its address, and each end maps the pages of a ring for itself.
 * So the linker has the library call __wrap_spscring_memfd_map(), which gives both ends one
 * mapping.  It does not see a race of two accesses to the same bytes by their two addresses in a
 * ring of records, whose data is mapped twice, nor a fence that is missing: litmus tests are for
 * those.  overwrite.supp, beside this file, names what it takes for races as it knows no fences.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "selftest.h"
#include "../tools/lib/memfd.h"

#define CAPACITY	256		/* elements */
#define BYTES		8192		/* of records */
#define BATCH		7
#define TAG		11
#define MESSAGES	50000

/* ------------------------------------------------------------- one mapping */

typeof(spscring_memfd_map) __real_spscring_memfd_map, __wrap_spscring_memfd_map;

static struct {
	ino_t file;
	char *base;
} mapped[4];		/* a test has two */

/* The mapping stays until the process ends, so a file's number stays its own. */
int __wrap_spscring_memfd_map(const struct memfd_ring *r, __u32 role, struct spscring_mapping *map,
			      char **base)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct stat file;
	int i = 0, err = 0;

	(void)role;
	if (fstat(r->fd, &file))
		return -errno;
	pthread_mutex_lock(&lock);
	while (mapped[i].base && mapped[i].file != file.st_ino)
		i++;
	if (!mapped[i].base)
		err = __real_spscring_memfd_map(r, 0, map, &mapped[i].base);
	mapped[i].file = file.st_ino;
	*map = (struct spscring_mapping){};
	*base = mapped[i].base;
	pthread_mutex_unlock(&lock);
	return err;
}

/* ---------------------------------------------------------------- messages */

struct element {
	__u64 number;
	__u64 same[4];
};

enum way { ONE, MANY, IN_PLACE, SET };

/* A ring, its ends, and what a thread has found wrong. */
struct ring {
	enum way way;
	__u32 flags;
	__u64 messages;
	int fd, in, out;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;
	struct spscring_record_consumer rc;
	int err;		/* of the producer's thread */
	__u64 next;
	__u64 wrong;
};

/* An element or record with a number: as many words as fill it. */
static size_t words_of(const struct ring *r, __u64 number)
{
	return r->flags & SPSCRING_CREATE_RECORDS ? 1 + number % 23 :
		sizeof(struct element) / sizeof(__u64);
}

static size_t fill(const struct ring *r, __u64 *to, __u64 number)
{
	size_t i, n = words_of(r, number);

	for (i = 0; i < n; i++)
		to[i] = number;
	return n * sizeof(*to);
}

/* Messages come in order, each with all of its words; those that are overwritten do not come. */
static void check(struct ring *r, const __u64 *got, size_t size)
{
	__u64 number = *got;
	size_t i, n = words_of(r, number);

	if (number != r->next && (!(r->flags & SPSCRING_CREATE_OVERWRITE) || number < r->next))
		r->wrong++;
	if (size != n * sizeof(*got))
		r->wrong++;
	for (i = 1; i < n && (i + 1) * sizeof(*got) <= size; i++)
		if (got[i] != number)
			r->wrong++;
	r->next = number + 1;
}

/* ---------------------------------------------------------------- elements */

static long push_elements(struct ring *r, __u64 number, __u64 left)
{
	struct element e[BATCH];
	void *slots;
	long n;
	int i;

	switch (r->way) {
	case MANY:
		for (i = 0; i < BATCH; i++)
			fill(r, &e[i].number, number + (__u64)i);
		return spscring_push_n(&r->p, e, left < BATCH ? left : BATCH);
	case IN_PLACE:
		n = spscring_reserve_n(&r->p, left < BATCH ? left : BATCH, &slots);
		for (i = 0; i < n; i++)
			fill(r, (__u64 *)((struct element *)slots + i), number + (__u64)i);
		if (n > 0)
			spscring_commit_n(&r->p, (size_t)n);
		return n;
	default:
		fill(r, &e->number, number);
		return spscring_push(&r->p, e) ?: 1;
	}
}

static long pop_elements(struct ring *r)
{
	const struct element *at = NULL;
	struct element e[BATCH];
	const void *slots;
	long i, n;

	switch (r->way) {
	case MANY:
		n = spscring_pop_n(&r->c, e, BATCH);
		at = e;
		break;
	case IN_PLACE:
		n = spscring_peek_n(&r->c, BATCH, &slots);
		at = n > 0 ? slots : NULL;
		break;
	default:
		n = spscring_pop(&r->c, e) ?: 1;
		at = e;
	}
	for (i = 0; i < n; i++)
		check(r, &at[i].number, sizeof(*at));
	if (r->way == IN_PLACE && n > 0)
		spscring_release_n(&r->c, (size_t)n);
	return n;
}

/* ----------------------------------------------------------------- records */

static long push_records(struct ring *r, __u64 number, __u64 left)
{
	__u64 words[BATCH][23];
	struct spscring_record recs[BATCH];
	void *place;
	int i, err;

	switch (r->way) {
	case MANY:
		for (i = 0; i < BATCH; i++) {
			recs[i].data = words[i];
			recs[i].length = (__u32)fill(r, words[i], number + (__u64)i);
		}
		return spscring_record_push_n(&r->rp, recs, left < BATCH ? left : BATCH);
	case IN_PLACE:
		err = spscring_record_reserve(&r->rp, sizeof(words[0]), &place);
		if (err)
			return err;
		spscring_record_commit(&r->rp, place, fill(r, place, number));
		return 1;
	default:
		return spscring_record_push(&r->rp, words[0], fill(r, words[0], number)) ?: 1;
	}
}

static long pop_records(struct ring *r)
{
	__u64 words[BATCH][23];
	struct spscring_record recs[BATCH];
	long i, n;

	switch (r->way) {
	case MANY:
		for (i = 0; i < BATCH; i++)
			recs[i] = (struct spscring_record){ .data = words[i],
							    .length = sizeof(words[i]) };
		n = spscring_record_pop_n(&r->rc, recs, BATCH);
		break;
	case IN_PLACE:
		n = spscring_record_peek_n(&r->rc, recs, BATCH);
		break;
	default:
		recs->data = words[0];
		n = spscring_record_pop(&r->rc, words[0], sizeof(words[0]));
		recs->length = n < 0 ? 0 : (__u32)n;
		n = n < 0 ? n : 1;
	}
	for (i = 0; i < n; i++)
		check(r, recs[i].data, recs[i].length);
	if (r->way == IN_PLACE && n > 0)
		spscring_record_release_n(&r->rc, recs, (size_t)n);
	return n;
}

/* ----------------------------------------------------------------- threads */

static int map_in(struct ring *r)
{
	return r->flags & SPSCRING_CREATE_RECORDS ?
		spscring_record_map_producer(r->in, &r->rp, TAG, NULL) :
		spscring_map_producer(r->in, &r->p, sizeof(struct element), TAG, NULL);
}

static int map_out(struct ring *r)
{
	return r->flags & SPSCRING_CREATE_RECORDS ?
		spscring_record_map_consumer(r->out, &r->rc, TAG, NULL) :
		spscring_map_consumer(r->out, &r->c, sizeof(struct element), TAG, NULL);
}

static int open_ring(struct ring *r)
{
	__u32 size = r->flags & SPSCRING_CREATE_RECORDS ? 0 : sizeof(struct element);

	r->fd = spscring_open_memfd(RING(.capacity = size ? CAPACITY : BYTES, .element_size = size,
					 .flags = r->flags, .type_tag = TAG));
	if (r->fd < 0)
		return r->fd;
	r->in = spscring_claim(r->fd, SPSCRING_PRODUCER, size, TAG);
	r->out = spscring_claim(r->fd, SPSCRING_CONSUMER, size, TAG);
	return r->in < 0 ? r->in : r->out < 0 ? r->out : 0;
}

static int wait_room(struct ring *r)
{
	return r->flags & SPSCRING_CREATE_RECORDS ?
		spscring_record_wait_room(&r->rp, BYTES / 4, -1) :
		spscring_wait_room(&r->p, CAPACITY / 4, -1);
}

static int wait_messages(struct ring *r)
{
	return r->flags & SPSCRING_CREATE_RECORDS ?
		spscring_record_wait_bytes(&r->rc, 1, -1) : spscring_wait_elements(&r->c, 1, -1);
}

static void *produce(void *arg)
{
	struct ring *r = arg;
	bool records = r->flags & SPSCRING_CREATE_RECORDS;
	__u64 number = 0;
	long n = map_in(r);

	while (!n && number < r->messages) {
		__u64 left = r->messages - number;

		n = records ? push_records(r, number, left) : push_elements(r, number, left);
		if (n > 0) {
			number += (__u64)n;
			n = 0;
		} else if (n == -EAGAIN) {
			n = wait_room(r);
		}
	}
	r->err = (int)n ?: spscring_shutdown(r->in, 0);
	return NULL;
}

/* Return: why no more came. */
static long consume(struct ring *r)
{
	bool records = r->flags & SPSCRING_CREATE_RECORDS;
	long n = map_out(r);

	while (n >= 0) {
		n = records ? pop_records(r) : pop_elements(r);
		if (n == -EAGAIN)
			n = wait_messages(r);
		else if (n == -EBUSY)
			n = 0;
	}
	return n;
}

static int on_message(void *ctx, const void *data, size_t size)
{
	check(ctx, data, size);
	return 0;
}

FIXTURE(threads)
{
	struct ring r;
};

FIXTURE_VARIANT(threads)
{
	enum way way;
	__u32 flags;
};

#define RECORDS		SPSCRING_CREATE_RECORDS
#define OVERWRITE	(SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE)

FIXTURE_VARIANT_ADD(threads, elements) { ONE, 0 };
FIXTURE_VARIANT_ADD(threads, elements_in_batches) { MANY, 0 };
FIXTURE_VARIANT_ADD(threads, elements_in_place) { IN_PLACE, 0 };
FIXTURE_VARIANT_ADD(threads, records) { ONE, RECORDS };
FIXTURE_VARIANT_ADD(threads, records_in_batches) { MANY, RECORDS };
FIXTURE_VARIANT_ADD(threads, records_in_place) { IN_PLACE, RECORDS };
FIXTURE_VARIANT_ADD(threads, overwritten) { ONE, OVERWRITE };

FIXTURE_SETUP(threads)
{
	self->r = (struct ring){ .way = variant->way, .flags = variant->flags,
				 .messages = MESSAGES };
	ASSERT_EQ(0, open_ring(&self->r));
}

FIXTURE_TEARDOWN(threads)
{
	close_ends(&self->r.fd, &self->r.in, &self->r.out);
}

TEST_F(threads, move_messages)
{
	struct ring *r = &self->r;
	pthread_t producer;

	ASSERT_EQ(0, pthread_create(&producer, NULL, produce, r));
	EXPECT_EQ(-ESHUTDOWN, consume(r));
	ASSERT_EQ(0, pthread_join(producer, NULL));
	EXPECT_EQ(0, r->err);
	EXPECT_EQ(0, r->wrong);
	/* of a ring that overwrites, too, the last message comes */
	EXPECT_EQ(r->messages, r->next);
}

/* One thread consumes what two others push. */
TEST(set)
{
	struct ring r[2] = { { .messages = MESSAGES },
			     { .messages = MESSAGES, .flags = SPSCRING_CREATE_RECORDS } };
	struct spscring_set *set = spscring_set_new(10);
	pthread_t producer[2];
	int i;

	ASSERT_NE(NULL, set);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, open_ring(&r[i]));
		ASSERT_EQ(0, spscring_set_add(set, r[i].out, i ? 0 : sizeof(struct element), TAG,
					      on_message, NULL, &r[i]));
		ASSERT_EQ(0, pthread_create(&producer[i], NULL, produce, &r[i]));
	}
	while (r[0].next < r[0].messages || r[1].next < r[1].messages)
		ASSERT_GE(spscring_set_poll(set, 100), 0);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(producer[i], NULL));
		EXPECT_EQ(0, r[i].err);
		EXPECT_EQ(0, r[i].wrong);
		close_ends(&r[i].fd, &r[i].in, &r[i].out);
	}
	spscring_set_free(set);
}

static char socket_path[64];

static void *connect_and_produce(void *arg)
{
	struct ring *r = arg;

	r->in = spscring_connect(socket_path);
	return r->in < 0 ? NULL : produce(r);
}

/* A thread gets its end from another one by a socket. */
TEST(serve)
{
	struct ring r = { .messages = MESSAGES };
	int server, connection, in;
	pthread_t producer;

	snprintf(socket_path, sizeof(socket_path), "/tmp/spscring-threads.%d", getpid());
	ASSERT_EQ(0, open_ring(&r));
	in = r.in;
	server = spscring_serve(socket_path, 0600);
	ASSERT_GE(server, 0);
	ASSERT_EQ(0, pthread_create(&producer, NULL, connect_and_produce, &r));
	connection = spscring_accept(server, NULL);
	unlink(socket_path);
	ASSERT_GE(connection, 0);
	ASSERT_EQ(0, spscring_send_fd(connection, in));
	EXPECT_EQ(-ESHUTDOWN, consume(&r));
	ASSERT_EQ(0, pthread_join(producer, NULL));
	EXPECT_EQ(0, r.err);
	EXPECT_EQ(0, r.wrong);
	EXPECT_EQ(r.messages, r.next);
	close(in);
	close(server);
	close(connection);
	close_ends(&r.fd, &r.in, &r.out);
}

TEST_HARNESS_MAIN
