// SPDX-License-Identifier: GPL-2.0
/*
 * Records of variable size, between each two kinds of ends, in every way to move them, in rings
 * that wait, drop or overwrite.  Each record arrives whole and in order, and the ring counts each
 * missing one.
 *
 * SPSCRING_MESSAGES	records in the long runs, 10000000 if not given
 */
#include "record.h"

/* ----------------------------------------------------------- in one process */

FIXTURE(record)
{
	int ring;
	struct record_end in, out;
	struct spscring_record_producer *p;
	struct spscring_record_consumer *c;
	struct record_mover put, take;
};

FIXTURE_SETUP(record)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = -1;
	self->in.fd = -1;
	self->out.fd = -1;
	self->p = &self->in.p;
	self->c = &self->out.c;
}

static void pair_free(struct _test_data_record *self)
{
	end_free(&self->in);
	end_free(&self->out);
	close_fd(&self->ring);
	free(self->put.buf);
	free(self->take.buf);
	self->put.buf = NULL;
	self->take.buf = NULL;
}

FIXTURE_TEARDOWN(record)
{
	pair_free(self);
}

static int pair_make(struct _test_data_record *self, struct spscring_create *want)
{
	pair_free(self);
	self->ring = spscring_open(want);
	if (self->ring < 0)
		return self->ring;
	self->put = (struct record_mover){
		.ways = RECORD_PRODUCER_WAYS, .most = want->capacity - SPSCRING_WORD,
	};
	self->take = self->put;
	self->take.ways = RECORD_CONSUMER_WAYS;
	self->put.buf = malloc(record_buf_size(&self->put));
	self->take.buf = malloc(record_buf_size(&self->take));
	return end_claim(&self->in, self->ring, SPSCRING_PRODUCER) ?:
		end_claim(&self->out, self->ring, SPSCRING_CONSUMER);
}

/* Push, or pop, until the ring gives a final answer. */
static int push(struct spscring_record_producer *p, __u32 length)
{
	static const char bytes[8192];
	int i, err = -EAGAIN;

	for (i = 0; i <= SPSCRING_REFRESH_EVERY && err == -EAGAIN; i++)
		err = spscring_record_push(p, bytes, length);
	return err;
}

static long pop(struct spscring_record_consumer *c, __u32 size)
{
	static char bytes[8192];
	long err = -EAGAIN;
	int i;

	for (i = 0; i <= SPSCRING_REFRESH_EVERY && err == -EAGAIN; i++)
		err = spscring_record_pop(c, bytes, size);
	return err;
}

/* Capacities of one word and of many, powers of two and not, of whole pages and not. */
static const struct shape {
	__u32 align;
	__u64 capacity;
	__u32 most;		/* 0: all that fits */
} shapes[] = {
	{ 8, 16, 0 }, { 8, 24, 0 }, { 8, 1000, 0 }, { 8, 4096, 0 }, { 8, 12296, 0 },
	{ 8, 1 << 18, 5000 }, { 16, 32, 0 }, { 32, 96, 0 }, { 64, 64 * 37, 0 },
	{ 128, 4096, 0 }, { 256, 768, 0 }, { 512, 5 * 512, 0 }, { 1024, 4096, 0 },
	{ 2048, 2 * 2048, 0 }, { 4096, 2 * 4096, 0 }, { 4096, 5 * 4096, 9000 },
};

static const __u32 modes[] = { WAITS, DROPS, OVERWRITES };

/* In every shape, move records in random ways for some laps, and fill the ring to the last byte. */
TEST_F(record, every_shape)
{
	const __u64 n = 4000;
	const struct shape *s;
	struct spscring_info info;
	size_t mode;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		for (s = shapes; s < shapes + ARRAY_SIZE(shapes); s++) {
			ASSERT_EQ(pair_make(self, RING(.capacity = s->capacity,
						       .align = s->align,
						       .flags = modes[mode])), 0);
			if (s->most) {
				self->put.most = s->most;
				self->take.most = s->most;
			}
			ASSERT_EQ(record_lockstep(&self->put, self->p, &self->take, self->c,
						  n), 0)
				TH_LOG("mode %zu, alignment %u of %llu: record %llu and %llu",
				       mode, s->align, s->capacity, self->put.seq,
				       self->take.seq);
			info = info_of(self->ring);
			EXPECT_EQ(info.loss.sequence, n);
			EXPECT_EQ(info.loss.drops, self->put.missed);
			EXPECT_EQ(self->put.moved + self->put.missed, n);
			if (modes[mode] == OVERWRITES) {
				EXPECT_EQ(info.loss.overruns, self->take.missed);
				EXPECT_EQ(self->take.moved + self->take.missed, n);
				EXPECT_GT(self->take.missed, 0);
			} else {
				EXPECT_EQ(self->take.moved, self->put.moved);
				EXPECT_LE(info.loss.high_water, s->capacity);
				EXPECT_GT(info.loss.high_water, s->capacity / 2);
			}
			EXPECT_EQ(!!self->put.missed, modes[mode] == DROPS);
			EXPECT_EQ(info.broken, 0);
			EXPECT_EQ(info.length, 0);
		}
	}
}

/* ------------------------------------------------------------ case by case */

TEST_F(record, lengths)
{
	const __u32 longest = 1000 - SPSCRING_WORD;

	ASSERT_EQ(pair_make(self, RING(.capacity = 1000, .flags = WAITS)), 0);
	EXPECT_EQ(push(self->p, longest + 1), -EMSGSIZE);
	EXPECT_EQ(push(self->p, ~0U), -EMSGSIZE);
	EXPECT_EQ(push(self->p, 1U << 31), -EMSGSIZE);
	EXPECT_EQ(info_of(self->ring).loss.sequence, 0);
	EXPECT_EQ(push(self->p, longest), 0);
	EXPECT_EQ(push(self->p, 0), -EAGAIN);
	EXPECT_EQ(info_of(self->ring).free, 0);
	EXPECT_EQ(pop(self->c, longest - 1), -EMSGSIZE);
	EXPECT_EQ(pop(self->c, longest), longest);
	EXPECT_EQ(pop(self->c, longest), -EAGAIN);
	/* an empty record counts as a record, and takes a word */
	EXPECT_EQ(push(self->p, 0), 0);
	EXPECT_EQ(info_of(self->ring).length, 8);
	EXPECT_EQ(push(self->p, longest), -EAGAIN);
	EXPECT_EQ(push(self->p, longest - 8), 0);
	EXPECT_EQ(push(self->p, 0), -EAGAIN);
	EXPECT_EQ(pop(self->c, 0), 0);
	EXPECT_EQ(spscring_record_sequence(self->c), 1);
	EXPECT_EQ(pop(self->c, longest), longest - 8);
	EXPECT_EQ(pop(self->c, longest), -EAGAIN);
}

/* A commit publishes all reserved records at once; the consumer never sees a discarded one. */
TEST_F(record, reserved)
{
	struct spscring_record recs[8];
	void *rec[4];
	int i;

	ASSERT_EQ(pair_make(self, RING(.capacity = 1000, .flags = WAITS)), 0);
	spscring_record_commit_all(self->p);
	EXPECT_EQ(spscring_record_peek_n(self->c, recs, 8), -EAGAIN);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(spscring_record_reserve(self->p, 100, &rec[i]), 0);
		memset(rec[i], 'a' + i, 100);
	}
	EXPECT_EQ(spscring_record_peek_n(self->c, recs, 8), -EAGAIN);
	EXPECT_EQ(info_of(self->ring).length, 0);
	spscring_record_discard(self->p, rec[0]);
	spscring_record_shrink(self->p, rec[1], 17);
	spscring_record_discard(self->p, rec[2]);
	EXPECT_EQ(spscring_record_peek_n(self->c, recs, 8), -EAGAIN);
	spscring_record_commit(self->p, rec[3], 0);
	/* a peeked batch ends at a discarded record */
	ASSERT_EQ(spscring_record_peek_n(self->c, recs, 8), 1);
	EXPECT_EQ(recs[0].length, 17);
	EXPECT_EQ(recs[0].sequence, 0);
	EXPECT_EQ(memcmp(recs[0].data, "bbbbbbbbbbbbbbbbb", 17), 0);
	spscring_record_release_n(self->c, recs, 1);
	ASSERT_EQ(spscring_record_peek_n(self->c, recs, 8), 1);
	EXPECT_EQ(recs[0].length, 0);
	EXPECT_EQ(recs[0].sequence, 1);
	spscring_record_release_n(self->c, recs, 1);
	EXPECT_EQ(info_of(self->ring).loss.sequence, 2);

	/* if all are discarded the consumer finds nothing, and frees their room */
	for (i = 0; i < 4; i++)
		ASSERT_EQ(spscring_record_reserve(self->p, 100, &rec[i]), 0);
	for (i = 0; i < 4; i++)
		spscring_record_discard(self->p, rec[i]);
	spscring_record_commit_all(self->p);
	EXPECT_EQ(pop(self->c, 100), -EAGAIN);
	EXPECT_EQ(info_of(self->ring).length, 0);
	EXPECT_EQ(info_of(self->ring).loss.sequence, 2);

	/* reserve until there is no room; a failed reserve leaves the others as they were */
	for (i = 0; !spscring_record_reserve(self->p, 100, &rec[0]); i++)
		;
	EXPECT_EQ(i, 1000 / 112);
	EXPECT_EQ(spscring_record_reserve(self->p, 1000, &rec[0]), -EAGAIN);
	spscring_record_commit_all(self->p);
	EXPECT_EQ(spscring_record_peek_n(self->c, recs, 8), 8);
}

TEST_F(record, batches)
{
	struct spscring_record in[5], out[5];
	char to[5][100];
	int i;

	ASSERT_EQ(pair_make(self, RING(.capacity = 320, .flags = WAITS)), 0);
	for (i = 0; i < 5; i++)
		in[i] = (struct spscring_record){ .data = "0123456789abcdef", .length = 3 * i };
	in[3].length = 321;
	EXPECT_EQ(spscring_record_push_n(self->p, in, 0), 0);
	EXPECT_EQ(spscring_record_push_n(self->p, in + 3, 2), -EMSGSIZE);
	EXPECT_EQ(spscring_record_push_n(self->p, in, 5), 3);
	for (i = 0; i < 5; i++)
		out[i] = (struct spscring_record){ .data = to[i], .length = i == 1 ? 2 : 100 };
	/* the second record is longer than its buffer, and stays in the ring */
	EXPECT_EQ(spscring_record_pop_n(self->c, out, 0), 0);
	EXPECT_EQ(spscring_record_pop_n(self->c, out, 5), 1);
	EXPECT_EQ(out[0].length, 0);
	EXPECT_EQ(out[0].sequence, 0);
	EXPECT_EQ(spscring_record_pop_n(self->c, out + 1, 1), -EMSGSIZE);
	EXPECT_EQ(out[1].length, 2);
	out[1].length = 3;
	EXPECT_EQ(spscring_record_pop_n(self->c, out + 1, 4), 2);
	EXPECT_EQ(out[2].length, 6);
	EXPECT_EQ(out[2].sequence, 2);
	EXPECT_EQ(memcmp(to[2], "012345", 6), 0);
	EXPECT_EQ(spscring_record_pop_n(self->c, out, 5), -EAGAIN);

	/* peek a batch, and release a part of it */
	in[3].length = 9;
	EXPECT_EQ(spscring_record_push_n(self->p, in, 5), 5);
	EXPECT_EQ(spscring_record_peek_n(self->c, out, 5), 5);
	spscring_record_release_n(self->c, out, 0);
	EXPECT_EQ(spscring_record_peek_n(self->c, out, 3), 3);
	spscring_record_release_n(self->c, out, 2);
	EXPECT_EQ(spscring_record_peek_n(self->c, out, 5), 3);
	EXPECT_EQ(out[0].sequence, 5);
	EXPECT_EQ(out[0].length, 6);
	spscring_record_release_n(self->c, out, 3);
	EXPECT_EQ(info_of(self->ring).length, 0);
}

static __u64 fdinfo_of(int fd, const char *key)
{
	unsigned long long value = ~0ULL;
	char path[64], line[128];
	size_t n = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, n) && line[n] == ':')
			value = strtoull(line + n + 1, NULL, 0);
	if (f)
		fclose(f);
	return value;
}

/* The consumer sees a gap of exactly as many sequence numbers as records were dropped. */
TEST_F(record, drops)
{
	__u64 lost, next = 10, i, n;
	struct spscring_info info;
	__u32 mode;

	for (mode = 0; mode < 2; mode++, next = 10) {
		ASSERT_EQ(pair_make(self, RING(.capacity = 160, .flags = modes[mode])), 0);
		for (i = 0; i < 10; i++)
			ASSERT_EQ(push(self->p, 8), 0);
		for (lost = 0, n = 1; n < 1 << 20; n = n * 5 + 1) {
			for (i = 0; mode && i < n; i++)
				ASSERT_EQ(spscring_record_push(self->p, "", 1), -ENOBUFS);
			ASSERT_EQ(push(self->p, 200), -EMSGSIZE);
			if (!mode) {
				ASSERT_EQ(push(self->p, 1), -EAGAIN);
				spscring_record_drop(self->p, n);
			}
			lost += n;
			ASSERT_EQ(pop(self->c, 8), 8);
			next += n;
			ASSERT_EQ(push(self->p, 8), 0);
			next++;
			info = info_of(self->ring);
			EXPECT_EQ(info.loss.drops, lost);
			EXPECT_EQ(info.loss.sequence, next);
			EXPECT_EQ(info.loss.overruns, 0);
			EXPECT_EQ(info.loss.high_water, 160);
			EXPECT_EQ(fdinfo_of(self->ring, "spscring-drops"), lost);
			EXPECT_EQ(fdinfo_of(self->ring, "spscring-sequence"), next);
			EXPECT_EQ(fdinfo_of(self->ring, "spscring-high-water"), 160);
			for (i = 0; i < 10; i++)
				ASSERT_EQ(pop(self->c, 8), 8);
			EXPECT_EQ(spscring_record_sequence(self->c), next - 1);
			for (i = 0; i < 10; i++)
				ASSERT_EQ(push(self->p, 8), 0);
			next += 10;
		}
	}
}

/* The oldest records are overwritten, and their count is exact. */
TEST_F(record, overwrites)
{
	struct spscring_record rec = {};
	__u64 n, i, next = 0, missed = 0;
	struct spscring_info info;
	char v[64];

	ASSERT_EQ(pair_make(self, RING(.capacity = 4096, .flags = OVERWRITES)), 0);
	EXPECT_EQ(spscring_record_peek(self->c, &rec), -EOPNOTSUPP);
	EXPECT_EQ(spscring_record_peek_n(self->c, &rec, 1), -EOPNOTSUPP);
	EXPECT_EQ(pop(self->c, 8), -EAGAIN);
	for (n = 1; n < 100000; n = n * 3 + 1) {
		for (i = 0; i < n; i++)
			ASSERT_EQ(spscring_record_push(self->p, &(__u64){ next++ }, 8), 0);
		EXPECT_EQ(pop(self->c, 7), -EMSGSIZE);
		for (i = 0; pop(self->c, 8) == 8; i++)
			;
		EXPECT_EQ(spscring_record_sequence(self->c), next - 1);
		/* the producer gives up a sixteenth of the ring ahead of its need */
		EXPECT_GE(i, n < 4096 / 16 * 15 / 16 ? n : 4096 / 16 * 15 / 16);
		EXPECT_LE(i, n < 256 ? n : 256);
		missed += n - i;
		info = info_of(self->ring);
		EXPECT_EQ(info.loss.overruns, missed);
		EXPECT_EQ(info.loss.sequence, next);
		EXPECT_EQ(fdinfo_of(self->ring, "spscring-overruns"), missed);
	}
	/* push records that are overwritten before the consumer pops them */
	for (i = 0; i < 10; i++)
		ASSERT_EQ(spscring_record_push(self->p, &(__u64){ next++ }, 8), 0);
	EXPECT_EQ(spscring_record_pop(self->c, v, 8), 8);
	EXPECT_EQ(spscring_record_sequence(self->c), next - 10);
	EXPECT_LE(info_of(self->ring).length, 4096);
	EXPECT_EQ(info_of(self->ring).length, 9 * 16);
}

/* The producer overwrites a record while the consumer copies it, a set number of times. */
static struct {
	struct spscring_record_producer *p;
	__u32 words;
	__u64 next;		/* what is pushed: records of many times their number */
	int times, torn;
} overtaker;

static void push_number(__u64 n)
{
	__u64 words[overtaker.words], i;

	for (i = 0; i < overtaker.words; i++)
		words[i] = n;
	spscring_record_push(overtaker.p, words, sizeof(words));
}

static int copy_overtaken(void *to, const void *rec, __u32 length)
{
	__u32 half = length / 2 & ~7U;
	int i;

	memcpy(to, rec, half);
	if (overtaker.times > 0) {
		overtaker.times--;
		for (i = 0; i < 35; i++)
			push_number(overtaker.next++);
	}
	memcpy((char *)to + half, (const char *)rec + half, length - half);
	overtaker.torn += memcmp(to, (char *)to + half, length - half) != 0;
	return 0;
}

/* A pop never returns a torn record: it returns the next whole one, or EBUSY. */
TEST_F(record, overtaken)
{
	/* the ring is a whole page, so an overwritten record always differs in its bytes */
	const __u64 page = sysconf(_SC_PAGESIZE);
	__u64 words[page / 256], came, missed;
	const __u32 fit = page / spscring_record_size(SPSCRING_RECORD_ALIGN_MIN, sizeof(words));
	__u32 times, i;
	long got;

	for (times = 0; times <= SPSCRING_OVERTAKEN_MAX; times++) {
		ASSERT_EQ(pair_make(self, RING(.capacity = page, .flags = OVERWRITES)), 0);
		overtaker.p = self->p;
		overtaker.words = ARRAY_SIZE(words);
		overtaker.torn = 0;
		for (overtaker.next = 0; overtaker.next < 60; overtaker.next++)
			push_number(overtaker.next);
		overtaker.times = times;
		got = spscring_record_pop_by(self->c, words, sizeof(words), copy_overtaken);
		/* the test itself: each attempt has torn a copy */
		EXPECT_EQ(overtaker.torn, times);
		if (times == SPSCRING_OVERTAKEN_MAX) {
			EXPECT_EQ(got, -EBUSY);
			got = spscring_record_pop(self->c, words, sizeof(words));
		}
		ASSERT_EQ(got, sizeof(words));
		for (i = 0; i < ARRAY_SIZE(words); i++)
			ASSERT_EQ(words[i], spscring_record_sequence(self->c));
		came = words[0];
		missed = info_of(self->ring).loss.overruns;
		EXPECT_EQ(missed, came);
		EXPECT_GE(came, 35 * times + 60 - fit);
	}
}

/* A consumer that begins late counts every overwritten record as missed. */
TEST_F(record, comes_late)
{
	__u64 n, i;

	for (n = 1; n < 5000; n += 1 + n / 3) {
		pair_free(self);
		self->ring = spscring_open(RING(.capacity = 1024, .flags = OVERWRITES));
		ASSERT_EQ(end_claim(&self->in, self->ring, SPSCRING_PRODUCER), 0);
		for (i = 0; i < n; i++)
			ASSERT_EQ(push(self->p, i % 32), 0);
		ASSERT_EQ(end_claim(&self->out, self->ring, SPSCRING_CONSUMER), 0);
		for (i = 0; pop(self->c, 31) >= 0; i++)
			;
		EXPECT_EQ(spscring_record_sequence(self->c), n - 1);
		ASSERT_EQ(info_of(self->ring).loss.overruns + i, n)
			TH_LOG("%llu pushed, %llu popped", n, i);
	}
}

/* The consumer pops all that was published, then learns of the shutdown or the death. */
TEST_F(record, ends)
{
	static const struct { bool dies; int err; } how[] = { { 0, -ESHUTDOWN }, { 1, -EPIPE } };
	size_t i, mode;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		for (i = 0; i < ARRAY_SIZE(how); i++) {
			ASSERT_EQ(pair_make(self, RING(.capacity = 200, .flags = modes[mode])), 0);
			ASSERT_EQ(push(self->p, 0), 0);
			ASSERT_EQ(push(self->p, 50), 0);
			if (!how[i].dies)
				ASSERT_EQ(spscring_shutdown(self->in.fd, 0), 0);
			end_free(&self->in);
			EXPECT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, how[i].dies ?
					       SPSCRING_DEAD : SPSCRING_SHUT_DOWN));
			EXPECT_EQ(pop(self->c, 100), 0);
			EXPECT_EQ(pop(self->c, 100), 50);
			EXPECT_EQ(pop(self->c, 100), how[i].err);
			EXPECT_EQ(pop(self->c, 100), how[i].err);

			/* the producer of a full ring learns of its consumer's death */
			ASSERT_EQ(pair_make(self, RING(.capacity = 200, .flags = modes[mode])), 0);
			ASSERT_EQ(push(self->p, 192), 0);
			if (!how[i].dies)
				ASSERT_EQ(spscring_shutdown(self->out.fd, 0), 0);
			end_free(&self->out);
			EXPECT_TRUE(wait_state(self->ring, SPSCRING_CONSUMER, how[i].dies ?
					       SPSCRING_DEAD : SPSCRING_SHUT_DOWN));
			EXPECT_EQ(push(self->p, 0), modes[mode] == OVERWRITES ? 0 : how[i].err);
			EXPECT_EQ(info_of(self->ring).loss.drops, modes[mode] == DROPS);
		}
	}
}

/* A consumer that begins while the producer publishes starts at the right sequence number. */
TEST_F(record, begins_beside)
{
	struct spscring_record_run *run = shared_memory(sizeof(*run));
	char to[16];
	__u64 next = 0;
	pid_t pid;
	long got;

	self->ring = spscring_open(RING(.capacity = 256, .flags = WAITS));
	ASSERT_GE(self->ring, 0);
	*run = (struct spscring_record_run){
		.role = SPSCRING_PRODUCER, .ring_fd = self->ring, .count = messages() / 500,
		.mover = { .ways = RECORD_PUSH, .most = 16 },
	};
	ASSERT_EQ(end_claim(&self->out, self->ring, SPSCRING_CONSUMER), 0);
	pid = run_child(run, BY_TRYING);
	do {
		spscring_unmap(&self->out.map);
		ASSERT_EQ(record_map_consumer(self->out.fd, self->c, &self->out.map), 0);
		while ((got = spscring_record_pop(self->c, to, 16)) >= 0)
			ASSERT_EQ(spscring_record_sequence(self->c), next++);
		got = pop(self->c, 16);
		if (got >= 0)
			ASSERT_EQ(spscring_record_sequence(self->c), next++);
	} while (got >= 0 || got == -EAGAIN);
	EXPECT_EQ(got, -ESHUTDOWN);
	EXPECT_EQ(next, run->count);
	EXPECT_EQ(wait_child(pid), 0);
}

/* ---------------------------------------------------------- sleep, in bytes */

TEST_F(record, watermark)
{
	struct epoll_event event;
	int i;

	ASSERT_EQ(pair_make(self, RING(.capacity = 1024, .flags = WAITS)), 0);
	ASSERT_EQ(end_watch(&self->out, SPSCRING_CONSUMER), 0);
	EXPECT_EQ(spscring_notify(self->out.fd, 1025, 0, -1), -EINVAL);
	ASSERT_EQ(spscring_notify(self->out.fd, 100, 0, -1), 0);
	/* 4 records of 24 bytes are below the watermark, 5 are above */
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(push(self->p, 16), 0);
		EXPECT_EQ(poll_one(self->out.fd, POLLIN, 0), 0);
		EXPECT_EQ(epoll_wait(self->out.epoll, &event, 1, 0), 0);
	}
	ASSERT_EQ(push(self->p, 16), 0);
	EXPECT_EQ(poll_one(self->out.fd, POLLIN, 0), POLLIN);
	EXPECT_EQ(epoll_wait(self->out.epoll, &event, 1, 0), 1);
	EXPECT_EQ(epoll_wait(self->out.epoll, &event, 1, 0), 0);
	ASSERT_EQ(push(self->p, 0), 0);
	EXPECT_EQ(epoll_wait(self->out.epoll, &event, 1, 0), 1);

	/* 128 bytes are used, so 896 are free */
	ASSERT_EQ(spscring_notify(self->in.fd, 905, 0, -1), 0);
	EXPECT_EQ(poll_one(self->in.fd, POLLOUT, 0), 0);
	ASSERT_EQ(pop(self->c, 16), 16);
	EXPECT_EQ(poll_one(self->in.fd, POLLOUT, 0), POLLOUT);
	ASSERT_EQ(push(self->p, 904), 0);
	EXPECT_EQ(poll_one(self->in.fd, POLLOUT, 0), 0);
	close(self->out.epoll);
}

TEST_F(record, waits)
{
	ASSERT_EQ(pair_make(self, RING(.capacity = 1024, .flags = WAITS)), 0);
	EXPECT_EQ(spscring_record_wait_room(self->p, 1024, 0), 0);
	EXPECT_EQ(spscring_record_wait_room(self->p, 1025, 0), -EINVAL);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 1, 0), -ETIMEDOUT);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 1025, 0), -EINVAL);
	ASSERT_EQ(push(self->p, 492), 0);	/* 504 bytes */
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 504, 0), 0);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 505, 0), -ETIMEDOUT);
	EXPECT_EQ(spscring_record_wait_room(self->p, 520, 0), 0);
	EXPECT_EQ(spscring_record_wait_room(self->p, 521, 0), -ETIMEDOUT);
	ASSERT_EQ(spscring_shutdown(self->in.fd, 0), 0);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 504, -1), 0);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 505, -1), -ESHUTDOWN);
	EXPECT_EQ(pop(self->c, 492), 492);
	EXPECT_EQ(spscring_record_wait_bytes(self->c, 1, -1), -ESHUTDOWN);
}

/* ------------------------------------------------------------ two processes */

FIXTURE(stream)
{
	struct spscring_record_run *runs;	/* producer, consumer */
};

FIXTURE_VARIANT(stream)
{
	enum how in, out;
	__u64 share;		/* SPSCRING_MESSAGES divided by this is a ring's part */
};

#define STREAM(name)	FIXTURE_VARIANT_ADD(stream, name)

STREAM(user_user) { BY_TRYING, BY_TRYING, 2500 };
STREAM(kernel_user) { BY_KERNEL, BY_TRYING, 2500 };
STREAM(user_kernel) { BY_TRYING, BY_KERNEL, 2500 };
STREAM(kernel_kernel) { BY_KERNEL, BY_KERNEL, 2500 };
STREAM(user_user_wait) { BY_WAIT, BY_WAIT, 10000 };
STREAM(user_user_poll) { BY_POLL, BY_POLL, 10000 };
STREAM(user_user_edge) { BY_EDGE, BY_EDGE, 10000 };
STREAM(kernel_user_wait) { BY_KERNEL_WAIT, BY_WAIT, 10000 };
STREAM(kernel_user_edge) { BY_KERNEL_WAIT, BY_EDGE, 10000 };
STREAM(user_kernel_wait) { BY_WAIT, BY_KERNEL_WAIT, 10000 };
STREAM(user_kernel_edge) { BY_EDGE, BY_KERNEL_WAIT, 10000 };

FIXTURE_SETUP(stream)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	self->runs = shared_memory(2 * sizeof(*self->runs));
	ASSERT_NE(self->runs, MAP_FAILED);
}

FIXTURE_TEARDOWN(stream)
{
	munmap(self->runs, 2 * sizeof(*self->runs));
}

/* Move @n records through one ring.  Return: 0, or the line of the failed check. */
static int stream(struct spscring_record_run *runs, struct spscring_create *want,
		  __u32 most, enum how in, enum how out, __u64 n)
{
	const struct record_mover *put = &runs[0].mover, *take = &runs[1].mover;
	struct spscring_info info;
	pid_t producer, consumer;
	int ring = spscring_open(want), bad = 0;

	if (ring < 0)
		return __LINE__;
	runs[0] = (struct spscring_record_run){
		.role = SPSCRING_PRODUCER, .ring_fd = ring, .count = n,
		.mover = { .ways = RECORD_PRODUCER_WAYS, .most = most },
	};
	runs[1] = (struct spscring_record_run){
		.role = SPSCRING_CONSUMER, .ring_fd = ring, .count = ~0ULL,
		.mover = { .most = most, .ways = out >= BY_KERNEL ? RECORD_COPY_WAYS :
			   RECORD_CONSUMER_WAYS },
	};
	consumer = run_child(&runs[1], out);
	producer = run_child(&runs[0], in);
	if (wait_child(producer))
		bad = __LINE__;
	if (wait_child(consumer))
		bad = __LINE__;
	info = info_of(ring);
	close(ring);
	if (bad)
		return bad;
	if (runs[0].err || put->seq != n || put->wrong || put->moved + put->missed != n)
		return __LINE__;
	if (runs[1].err != -ESHUTDOWN || take->wrong || runs[0].timeouts || runs[1].timeouts)
		return __LINE__;
	if (info.broken || info.length || info.loss.sequence != n)
		return __LINE__;
	if (want->flags == WAITS && (take->missed || take->moved != n))
		return __LINE__;
	if (want->flags == DROPS && (take->moved != put->moved || info.loss.drops != put->missed))
		return __LINE__;
	if (want->flags == OVERWRITES &&
	    (take->moved + take->missed != n || info.loss.overruns != take->missed))
		return __LINE__;
	return 0;
}

TEST_F_TIMEOUT(stream, every_shape, 600)
{
	const bool sleeps = variant->in > BY_TRYING && variant->in != BY_KERNEL;
	const struct spscring_record_run *put = &self->runs[0], *take = &self->runs[1];
	__u64 n = messages() / variant->share;
	const struct shape *s;
	size_t mode;
	int bad;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		for (s = shapes; s < shapes + ARRAY_SIZE(shapes); s++) {
			/* record.every_shape has all shapes; here a part of them is enough */
			if ((s - shapes) % (sleeps ? 4 : 2) || (sleeps && mode == 1))
				continue;
			bad = stream(self->runs, RING(.capacity = s->capacity,
						      .align = s->align,
						      .flags = modes[mode]),
				     s->most ? s->most : s->capacity - SPSCRING_WORD,
				     variant->in, variant->out,
				     s->capacity > 10000 ? n / 10 : n);
			ASSERT_EQ(bad, 0)
				TH_LOG("mode %zu, shape %zu: %d, %llu + %llu; %d, %llu + %llu",
				       mode, s - shapes, put->err, put->mover.moved,
				       put->mover.missed, take->err, take->mover.moved,
				       take->mover.missed);
		}
	}
}

/* -------------------------------------------------- many, and a slow consumer */

FIXTURE(overrun)
{
	struct spscring_record_run *run;
	struct record_mover take;
	struct record_end out;
	int ring;
};

FIXTURE_VARIANT(overrun)
{
	enum how producer;
	__u32 pause;		/* after each record, in cpu_relax() */
	__u32 capacity, most;
};

FIXTURE_VARIANT_ADD(overrun, slow) { BY_TRYING, 300, 4096, 64 };
FIXTURE_VARIANT_ADD(overrun, slow_kernel) { BY_KERNEL, 300, 4096, 64 };
FIXTURE_VARIANT_ADD(overrun, slow_large) { BY_TRYING, 3000, 1 << 20, 512 };
FIXTURE_VARIANT_ADD(overrun, fast) { BY_TRYING, 0, 4096, 64 };
FIXTURE_VARIANT_ADD(overrun, absent) { BY_TRYING, ~0U, 4096, 64 };

FIXTURE_SETUP(overrun)
{
	SKIP_WITHOUT_DEVICE();
	SKIP_WITHOUT_RECORD_PEER();
	self->run = shared_memory(sizeof(*self->run));
	ASSERT_NE(self->run, MAP_FAILED);
	self->take = (struct record_mover){ .ways = RECORD_COPY_WAYS, .most = variant->most };
	self->take.buf = malloc(record_buf_size(&self->take));
	self->ring = spscring_open(RING(.capacity = variant->capacity, .flags = OVERWRITES));
	ASSERT_EQ(end_claim(&self->out, self->ring, SPSCRING_CONSUMER), 0);
}

FIXTURE_TEARDOWN(overrun)
{
	end_free(&self->out);
	close_fd(&self->ring);
	free(self->take.buf);
	munmap(self->run, sizeof(*self->run));
}

/* The producer never waits; popped and missed records add up to all that were pushed. */
TEST_F_TIMEOUT(overrun, counted, 600)
{
	const __u64 n = messages() / 5;
	struct record_mover *m = &self->take;
	struct spscring_info info;
	long got = 0;
	pid_t pid;
	__u32 i;

	*self->run = (struct spscring_record_run){
		.role = SPSCRING_PRODUCER, .ring_fd = self->ring, .count = n,
		.mover = { .ways = RECORD_PRODUCER_WAYS, .most = variant->most },
	};
	pin(true);
	pid = run_child(self->run, variant->producer);
	if (variant->pause == ~0U)
		EXPECT_EQ(wait_child(pid), 0);
	while (got >= 0 || got == -EAGAIN || got == -EBUSY) {
		got = record_take(m, &self->out.c, RECORD_BATCH);
		for (i = 0; variant->pause != ~0U && i < variant->pause; i++)
			cpu_relax();
	}
	EXPECT_EQ(got, -ESHUTDOWN);
	if (variant->pause != ~0U)
		EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(self->run->err, 0);
	EXPECT_EQ(m->wrong, 0);
	EXPECT_EQ(m->moved + m->missed, n);
	EXPECT_EQ(m->seq, n);
	info = info_of(self->ring);
	EXPECT_EQ(info.loss.sequence, n);
	EXPECT_EQ(info.loss.overruns, m->missed);
	EXPECT_EQ(info.broken, 0);
	/* the producer never slept */
	EXPECT_EQ(info.producer_sleep.sleeps, 0);
	ksft_print_msg("%llu popped, %llu missed\n", m->moved, m->missed);
}

TEST_HARNESS_MAIN
