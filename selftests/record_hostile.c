// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile peers of rings of records of variable size write impossible words, lengths, cursors and
 * sequence numbers.  The victim is an honest user, the kernel, or a claim after a death.  A table
 * for each word has the expected answers; then the liar writes all words at full speed.
 *
 * SPSCRING_HOSTILE_WORDS	lies that each storm writes at least, before its victims stop
 */
#include <limits.h>

#include "record.h"

#define CAPACITY	1000		/* less than a page: the ring never uses the rest */
#define LONGEST		(CAPACITY - SPSCRING_WORD)
#define PUB		SPSCRING_WORD_PUBLISHED
#define DISCARDED	SPSCRING_WORD_DISCARDED
#define LAP		SPSCRING_WORD_LAP

/* ------------------------------------------------------------------ a duel */

struct duel {
	int ring;
	struct record_end in, out;
	struct spscring_geometry g;
	struct record_mover put, take;
};

static void duel_free(struct duel *d)
{
	end_free(&d->in);
	end_free(&d->out);
	close_fd(&d->ring);
	free(d->put.buf);
	free(d->take.buf);
	d->put.buf = NULL;
	d->take.buf = NULL;
}

static struct record_mover mover(__u32 ways, __u32 most)
{
	struct record_mover m = { .ways = ways, .most = most };

	m.buf = malloc(record_buf_size(&m));
	return m;
}

static bool duel_make(struct duel *d, __u32 mode, __u32 most)
{
	*d = (struct duel){ .in.fd = -1, .out.fd = -1 };
	d->ring = spscring_open(RING(.capacity = CAPACITY, .flags = mode, .name = "hostile"));
	d->g = info_of(d->ring).geometry;
	d->put = mover(RECORD_PUSH, most);
	d->take = mover(RECORD_POP, most);
	return d->ring >= 0 && d->put.buf && d->take.buf;
}

/* The ring is broken for all: INFO reports it, and claims of both ends are refused. */
static bool is_broken(struct duel *d, __u32 victim, bool kernel)
{
	struct record_end *end = victim == SPSCRING_PRODUCER ? &d->in : &d->out;

	if (!kernel && spscring_shutdown(end->fd, SPSCRING_SHUTDOWN_BROKEN))
		return false;
	if (!info_of(d->ring).broken)
		return false;
	end_free(&d->in);
	end_free(&d->out);
	return wait_state(d->ring, victim ^ 3, SPSCRING_DEAD) &&
		claim_end(d->ring, victim ^ 3, 0) == -EPIPE;
}

static bool info_in_bounds(int fd)
{
	struct spscring_info info = info_of(fd);

	return info.length <= CAPACITY && info.free == CAPACITY - info.length &&
		info.geometry.capacity == CAPACITY;
}

/* ------------------------------------------------------------- the victims */

struct outcome {
	int err;
	__u64 moved;
};

/* Enough tries to include each check that an end makes only once in SPSCRING_REFRESH_EVERY. */
#define ENOUGH	(3 * SPSCRING_REFRESH_EVERY)

/* Run a user's or the kernel's end until it has nothing more to do. */
static struct outcome outcome(struct duel *d, __u32 role, __u32 way, bool kernel)
{
	struct spscring_record_run run = {
		.role = role, .ring_fd = d->ring, .tries = ENOUGH, .count = ~0ULL,
		.flags = SPSCRING_RECORD_DIE, .mover = { .ways = way, .most = LONGEST },
	};
	struct outcome out = { 0, 0 };

	if (role == SPSCRING_PRODUCER)
		run.mover.most = 0;
	if (kernel) {
		out.err = run_now(&run, BY_KERNEL) ?: run.err;
	} else {
		run.mover.buf = malloc(record_buf_size(&run.mover));
		run.mover.seq = role == SPSCRING_PRODUCER ? d->in.p.sequence : d->out.c.sequence;
		out.err = end_move(role == SPSCRING_PRODUCER ? &d->in : &d->out, &run, BY_TRYING);
		free(run.mover.buf);
	}
	out.moved = run.mover.moved;
	return out;
}

FIXTURE(hostile)
{
	struct duel d;
};

FIXTURE_VARIANT(hostile)
{
	__u32 consume, produce;		/* ways */
	bool kernel;
};

FIXTURE_VARIANT_ADD(hostile, user) { RECORD_POP, RECORD_PUSH, false };
FIXTURE_VARIANT_ADD(hostile, user_batch) { RECORD_POP_N, RECORD_PUSH_N, false };
FIXTURE_VARIANT_ADD(hostile, user_in_place) { RECORD_PEEK, RECORD_RESERVE, false };
FIXTURE_VARIANT_ADD(hostile, user_batch_in_place) { RECORD_PEEK_N, RECORD_MANY, false };
FIXTURE_VARIANT_ADD(hostile, kernel) { RECORD_POP, RECORD_PUSH, true };
FIXTURE_VARIANT_ADD(hostile, kernel_batch) { RECORD_POP_N, RECORD_MANY, true };

FIXTURE_SETUP(hostile)
{
	SKIP_WITHOUT_DEVICE();
	if (variant->kernel)
		SKIP_WITHOUT_RECORD_PEER();
	self->d.ring = -1;
	self->d.in.fd = -1;
	self->d.out.fd = -1;
}

FIXTURE_TEARDOWN(hostile)
{
	duel_free(&self->d);
}

/*
 * Move honest records until both ends are at the same position, in an even or an odd lap.  A victim
 * in the kernel has not started yet.
 */
static bool duel_begin(struct duel *d, __u32 mode, __u32 role, bool kernel, __u64 records,
		       __u32 most)
{
	if (!duel_make(d, mode, most) || end_claim(&d->in, d->ring, SPSCRING_PRODUCER) ||
	    end_claim(&d->out, d->ring, SPSCRING_CONSUMER))
		return false;
	while (d->put.seq < records)
		if (record_put(&d->put, &d->in.p, 1) != 1 ||
		    record_take(&d->take, &d->out.c, 1) != 1)
			return false;
	if (!kernel)
		return true;
	end_free(role == SPSCRING_PRODUCER ? &d->in : &d->out);
	return wait_state(d->ring, role, SPSCRING_DEAD);
}

/* ----------------------------------------- words, before an honest consumer */

/*
 * WAIT	-EAGAIN, and the victim continues once the word is right
 * TAKE	the victim pops one record of the length that the word gives
 * BREAK	-EPIPE, and the ring is broken
 */
enum verdict { WAIT, TAKE, BREAK };

#define NEXT	(1ULL << 63)	/* stands for the next sequence number */
#define OTHER	(1ULL << 62)	/* for a number far ahead */
#define BEFORE	(1ULL << 61)	/* for the number before the next */
#define WHICH	(NEXT | OTHER | BEFORE)

/* LAP means the other lap's bit: the word of a record of the lap before. */
static const struct word {
	__u64 word;
	enum verdict verdict;
} words[] = {
	{ 0, WAIT },
	{ NEXT | PUB, TAKE },
	{ NEXT | PUB | 100, TAKE },
	{ NEXT | PUB | LONGEST, TAKE },
	{ NEXT | PUB | (LONGEST + 1), BREAK },
	{ NEXT | PUB | CAPACITY, BREAK },
	{ NEXT | PUB | 4096, BREAK },
	{ NEXT | PUB | 0x7fffffff, BREAK },
	{ NEXT | PUB | 0x80000000, BREAK },
	{ NEXT | PUB | 0xfffffff0, BREAK },
	{ NEXT | PUB | 0xffffffff, BREAK },
	{ OTHER | PUB | 10, TAKE },
	{ BEFORE | PUB | 10, TAKE },
	{ NEXT | PUB | LAP | 10, WAIT },
	{ NEXT | PUB | LAP | DISCARDED | 0xffffffff, WAIT },
	{ NEXT | PUB | DISCARDED, WAIT },
	{ NEXT | PUB | DISCARDED | LONGEST, WAIT },
	{ NEXT | PUB | DISCARDED | (LONGEST + 1), BREAK },
	{ NEXT | PUB | DISCARDED | 0xffffffff, BREAK },
	{ NEXT, BREAK },
	{ NEXT | 10, BREAK },
	{ 10, BREAK },
	{ DISCARDED, BREAK },
	{ NEXT | DISCARDED | 10, BREAK },
	{ LAP, BREAK },
};

static __u64 word_of(const struct word *w, const struct spscring_record_producer *p)
{
	__u64 sequence = p->sequence, word = w->word & ~WHICH;

	if (w->word & OTHER)
		sequence += 12345;
	if (w->word & BEFORE)
		sequence--;
	if (w->word & WHICH)
		word |= sequence << SPSCRING_WORD_SEQUENCE;
	if (word & PUB && p->word != p->base.end)
		word ^= (__u64)p->phase << 32 & LAP;
	return word;
}

TEST_F(hostile, words)
{
	static const __u32 modes[] = { WAITS, OVERWRITES };
	struct duel *d = &self->d;
	struct outcome out;
	struct spscring_info info;
	size_t i, k;

	for (i = 0; i < 2 * ARRAY_SIZE(modes) * ARRAY_SIZE(words); i++) {
		const __u32 mode = modes[i / 2 % 2];

		k = i / 2 / ARRAY_SIZE(modes);
		/* an odd lap and an even one */
		ASSERT_TRUE(duel_begin(d, mode, SPSCRING_CONSUMER, variant->kernel,
				       i % 2 ? 600 : 5, 0));
		WRITE_ONCE(*(__u64 *)d->in.p.word, word_of(&words[k], &d->in.p));
		out = outcome(d, SPSCRING_CONSUMER, variant->consume, variant->kernel);
		EXPECT_EQ(out.moved, words[k].verdict == TAKE);
		EXPECT_EQ(out.err, words[k].verdict == BREAK ? -EPIPE : -EAGAIN);
		EXPECT_TRUE(info_in_bounds(d->ring));
		info = info_of(d->ring);
		EXPECT_EQ(info.head - info.tail, words[k].verdict == TAKE ?
			  spscring_record_size(8, (__u32)words[k].word) :
			  words[k].word & DISCARDED && words[k].verdict == WAIT &&
			  !(words[k].word & LAP) ?
			  spscring_record_size(8, (__u32)words[k].word) : 0);
		EXPECT_EQ(info.broken, variant->kernel && words[k].verdict == BREAK);
		if (words[k].verdict == BREAK)
			EXPECT_TRUE(is_broken(d, SPSCRING_CONSUMER, variant->kernel));
		if (!words[k].word) {
			/* the ring still works */
			ASSERT_EQ(record_put(&d->put, &d->in.p, 1), 1);
			EXPECT_EQ(outcome(d, SPSCRING_CONSUMER, variant->consume,
					  variant->kernel).moved, 1);
		}
		if (_metadata->exit_code == KSFT_FAIL) {
			TH_LOG("mode %#x, word %zu, %zu", mode, k, i % 2);
			return;
		}
		duel_free(d);
	}
}

/* A call skips only a limited number of endless discarded records, and the next call as many. */
TEST_F(hostile, endless_discards)
{
	static const __u32 modes[] = { WAITS, OVERWRITES };
	struct duel *d = &self->d;
	struct outcome out;
	size_t mode;
	char *at;
	__u64 i;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		ASSERT_TRUE(duel_begin(d, modes[mode], SPSCRING_CONSUMER, variant->kernel, 5, 100));
		at = d->in.p.base.data;
		for (i = 0; i < d->g.data_bytes; i += 8)
			WRITE_ONCE(*(__u64 *)(at + i), PUB | DISCARDED);
		out = outcome(d, SPSCRING_CONSUMER, variant->consume, variant->kernel);
		EXPECT_EQ(out.moved, 0);
		/* the discarded words end with the lap */
		EXPECT_TRUE(out.err == -EAGAIN || out.err == -EPIPE);
		EXPECT_TRUE(info_in_bounds(d->ring));
		duel_free(d);
	}
}

/* ------------------------------ where the oldest is, before an honest consumer */

/* Relative to the producer's cursor, unless absolute. */
static const struct lie {
	__s64 add;
	bool absolute;
	int laps;
	int err;		/* 1: -EAGAIN or -EPIPE, depending on the bytes there */
} oldests[] = {
	{ 0, true, 0, -EAGAIN },
	{ -8, false, 0, -EAGAIN },
	{ 0, false, 0, -EAGAIN },
	{ 1, false, 0, -EPIPE },
	{ 4, false, 0, -EPIPE },
	{ 12345, true, 0, -EPIPE },
	{ 8, false, 0, 1 },
	{ 0, false, 1, 1 },
	{ 1LL << 62, false, 0, 1 },
	{ (1LL << 62) + 4, true, 0, -EPIPE },
	{ -1, true, 0, -EAGAIN },
	{ LLONG_MIN, true, 0, -EPIPE },
};

TEST_F(hostile, oldest)
{
	struct duel *d = &self->d;
	const struct lie *lie;
	struct outcome out;
	__u64 oldest;

	for (lie = oldests; lie < oldests + ARRAY_SIZE(oldests); lie++) {
		ASSERT_TRUE(duel_begin(d, OVERWRITES, SPSCRING_CONSUMER, variant->kernel, 50, 100));
		oldest = (lie->absolute ? 0 : d->in.p.base.pos) + lie->add +
			lie->laps * d->g.data_bytes;
		WRITE_ONCE(d->in.p.base.block->oldest, oldest);
		out = outcome(d, SPSCRING_CONSUMER, variant->consume, variant->kernel);
		EXPECT_EQ(out.moved, 0)
			TH_LOG("%lld", (long long)lie->add);
		EXPECT_TRUE(lie->err == 1 ? out.err == -EAGAIN || out.err == -EPIPE :
			    out.err == lie->err)
			TH_LOG("%lld: %d", (long long)lie->add, out.err);
		EXPECT_TRUE(info_in_bounds(d->ring));
		if (out.err == -EPIPE)
			EXPECT_TRUE(is_broken(d, SPSCRING_CONSUMER, variant->kernel));
		duel_free(d);
	}
}

/* ----------------------------------------- cursors, before an honest producer */

/*
 * Relative to the producer's cursor in a full ring.  The producer believes @bytes of room, then
 * gets -EAGAIN or -EPIPE.
 */
static const struct {
	bool told;
	__s64 add;
	__u64 bytes;
	int err;
} heads[] = {
	{ true, -CAPACITY, 0, -EAGAIN },
	{ true, 1, 0, -EPIPE },
	{ true, 8, 0, -EPIPE },
	{ true, 1LL << 62, 0, -EPIPE },
	{ true, -2 * CAPACITY, 0, -EAGAIN },
	{ true, -(1LL << 62), 0, -EAGAIN },
	{ true, 0, CAPACITY, -EPIPE },
	{ true, -500, 496, -EPIPE },
	{ true, 8 - CAPACITY, 8, -EPIPE },
	{ true, 4 - CAPACITY, 0, -EAGAIN },
	{ true, 12 - CAPACITY, 8, -EPIPE },
	{ false, 0, CAPACITY, -EAGAIN },
	{ false, 8 - CAPACITY, 8, -EAGAIN },
	{ false, 3 - CAPACITY, 0, -EAGAIN },
	{ false, 13 - CAPACITY, 8, -EAGAIN },
	{ false, 1, 0, -EPIPE },
	{ false, 8, 0, -EPIPE },
	{ false, -8 - CAPACITY, 0, -EPIPE },
	{ false, 1LL << 62, 0, -EPIPE },
	{ false, -(1LL << 62), 0, -EPIPE },
};

/* Fill the ring to the last byte, as honest ends would. */
static bool fill(struct duel *d)
{
	while (CAPACITY - (d->in.p.base.pos - d->out.c.base.pos) >= 8) {
		if (spscring_record_push(&d->in.p, d->put.buf, 0))
			return false;
	}
	return true;
}

TEST_F(hostile, heads)
{
	struct duel *d = &self->d;
	struct outcome out;
	__u64 head, tail;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		ASSERT_TRUE(duel_begin(d, WAITS, SPSCRING_PRODUCER, false, i % 2 ? 150 : 5, 100));
		ASSERT_TRUE(fill(d));
		tail = d->in.p.base.pos;
		head = tail + heads[i].add;
		if (variant->kernel) {
			end_free(&d->in);
			ASSERT_TRUE(wait_state(d->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
			/* a claim believes a possible cursor, and breaks the ring at any other */
			if (!heads[i].told)
				continue;
		}
		WRITE_ONCE(*(heads[i].told ? &d->out.c.base.block->published_head :
			     &d->out.c.base.block->cursor), head);
		out = outcome(d, SPSCRING_PRODUCER, variant->produce, variant->kernel);
		EXPECT_EQ(info_of(d->ring).tail - tail, heads[i].bytes);
		EXPECT_EQ(out.err, heads[i].err);
		EXPECT_TRUE(info_in_bounds(d->ring));
		if (out.err == -EPIPE)
			EXPECT_TRUE(is_broken(d, SPSCRING_PRODUCER, variant->kernel));
		if (_metadata->exit_code == KSFT_FAIL) {
			TH_LOG("%s %lld, %llu moved", heads[i].told ? "told" : "cursor",
			       (long long)heads[i].add, out.moved);
			return;
		}
		duel_free(d);
	}
}

/* A producer that overwrites reads neither head, so no lie affects it. */
TEST_F(hostile, heads_of_who_overwrites)
{
	struct spscring_record_run run;
	struct duel *d = &self->d;
	__u64 head;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		ASSERT_TRUE(duel_begin(d, OVERWRITES, SPSCRING_PRODUCER, true, 50, 100));
		head = info_of(d->ring).tail + heads[i].add;
		WRITE_ONCE(d->out.c.base.block->published_head, head);
		WRITE_ONCE(d->out.c.base.block->cursor, head);
		run = (struct spscring_record_run){
			.role = SPSCRING_PRODUCER, .ring_fd = d->ring, .count = 1000,
			.mover = { .ways = variant->produce, .most = LONGEST },
		};
		ASSERT_EQ(run_now(&run, variant->kernel ? BY_KERNEL : BY_TRYING), 0);
		EXPECT_EQ(run.err, 0);
		EXPECT_EQ(run.mover.seq, 1000);
		EXPECT_EQ(info_of(d->ring).broken, 0);
		duel_free(d);
	}
}

/* ------------------------------------------------------------------ a storm */

#define LIES	200		/* between two looks at the clock and the victim */

/* A word that a consumer near @pos believes, or almost does. */
static __u64 likely_word(__u64 pos, const struct spscring_geometry *g)
{
	const __u32 lengths[] = { 0, 8, 100, LONGEST, LONGEST + 1, 0xffffffff };
	__u64 r = random_word(), word = PUB | lengths[r % 64 ? r / 64 % 4 : r / 64 % 6];

	if (pos / g->data_bytes % 2)
		word |= LAP;
	if (!(r >> 20 & 15))
		word |= DISCARDED;
	if (!(r >> 24 & 31))
		return r >> 30 & 1 ? 0 : r;
	return word | r >> 32 << SPSCRING_WORD_SEQUENCE;
}

/*
 * A producer writes lies into all words that it can write for @ms, or until the victim has stopped;
 * then dies.
 */
static void scribble(struct duel *d, bool wild, int ms, __u64 *written)
{
	const __s64 until = now_ns() + ms * 1000000LL;
	const __u64 *head;
	struct spscring_producer_block *lines;
	int i;

	if (end_claim(&d->in, d->ring, SPSCRING_PRODUCER))
		_exit(1);
	head = d->in.p.base.peer_cursor;
	lines = d->in.p.base.block;
	while (now_ns() < until && state_of(d->ring, SPSCRING_CONSUMER) != SPSCRING_DEAD) {
		for (i = 0; i < LIES; i++) {
			__u64 pos = READ_ONCE(*head), r = random_word();

			/* the word that the consumer reads now or next, or the same one again */
			if (r % 4)
				pos += r / 4 % 16 * 8;
			WRITE_ONCE(*(__u64 *)(d->in.p.base.data + pos % d->g.data_bytes),
				   likely_word(pos, &d->g));
			if (!(r >> 40 & 15))
				WRITE_ONCE(lines->cursor, pos + (r >> 44) % 2000 * 8);
			if (!(r >> 50 & 63))
				WRITE_ONCE(lines->oldest, pos + (r >> 32) % 200 * 8);
			if (wild && !(r >> 20 & 255))
				WRITE_ONCE(((__u64 *)lines)[(r >> 30) % (sizeof(*lines) / 8)], r);
		}
		*written += LIES;
	}
	_exit(0);
}

/* A consumer writes lies into all words that it can write, as long. */
static void scribble_heads(struct duel *d, int ms, __u64 *written)
{
	const __s64 until = now_ns() + ms * 1000000LL;
	const __u64 *tail;
	int i;

	if (end_claim(&d->out, d->ring, SPSCRING_CONSUMER))
		_exit(1);
	tail = &d->out.c.base.peer->cursor;
	while (now_ns() < until && state_of(d->ring, SPSCRING_PRODUCER) != SPSCRING_DEAD) {
		for (i = 0; i < LIES; i++) {
			__u64 r = random_word(), at = READ_ONCE(*tail) - r % CAPACITY;

			if (!(r >> 40 & 0xfff))
				at = r;
			WRITE_ONCE(*(r >> 60 & 1 ? &d->out.c.base.block->cursor :
				     &d->out.c.base.block->published_head), at);
		}
		*written += LIES;
	}
	_exit(0);
}

/*
 * The victim has stopped, or the test stops it after this many laps: the liar may leave words of
 * both laps that a consumer can follow round the ring for ever, one call after another.
 */
#define LAPS	8

static int victim_ends(struct duel *d, pid_t victim, bool *goes_on)
{
	struct spscring_info info = info_of(d->ring);
	struct patience patience = {};
	__u64 head = info.head;
	int status;

	*goes_on = false;
	do {
		if (waitpid(victim, &status, WNOHANG) == victim)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		info = info_of(d->ring);
		*goes_on = info.head - head > LAPS * d->g.data_bytes;
	} while (!*goes_on && patient(&patience, info.head + info.tail));
	kill(victim, SIGKILL);
	return wait_child(victim) == -SIGKILL && *goes_on ? 0 : 255;
}

TEST_F_TIMEOUT(hostile, storm, 7200)
{
	static const __u32 modes[] = { WAITS, DROPS, OVERWRITES };
	struct spscring_record_run *run = shared_memory(sizeof(*run));
	__u64 *written = shared_memory(sizeof(*written));
	struct duel *d = &self->d;
	pid_t victim, attacker;
	__u64 moved = 0;
	bool goes_on;
	int round;

	for (round = 0; round < 36 || *written < lies_wanted(); round++) {
		const bool produces = round / 3 % 3 == 2;

		ASSERT_TRUE(duel_make(d, modes[round % 3], 0));
		*run = (struct spscring_record_run){
			.role = produces ? SPSCRING_PRODUCER : SPSCRING_CONSUMER,
			.ring_fd = d->ring, .count = produces ? 100000 : ~0ULL,
			.flags = SPSCRING_RECORD_DIE,
			.mover = { .most = LONGEST, .ways = produces ? variant->produce :
				   variant->consume },
		};
		victim = run_child(run, variant->kernel ? BY_KERNEL : BY_TRYING);
		attacker = fork_child();
		if (!attacker) {
			pin(produces);
			if (produces)
				scribble_heads(d, 30, written);
			scribble(d, round & 1, 30, written);
		}
		EXPECT_EQ(wait_child(attacker), 0);
		ASSERT_EQ(victim_ends(d, victim, &goes_on), 0);
		moved += run->mover.moved;
		/* the victim found a lie, still popped at the liar's end, or pushed all */
		EXPECT_TRUE(run->err == -EPIPE || (goes_on && !produces) || (produces && !run->err))
			TH_LOG("round %d: %d", round, run->err);
		if (produces && modes[round % 3] == OVERWRITES)
			EXPECT_EQ(run->err, 0);
		EXPECT_TRUE(info_in_bounds(d->ring));
		duel_free(d);
	}
	ksft_print_msg("%llu records, %llu hostile words in %d rounds\n", moved, *written, round);
	munmap(run, sizeof(*run));
	munmap(written, sizeof(*written));
}

/* ------------------------------------------- claims after the liar's death */

/* Write a likely or a random value into some of the words that a dead end leaves. */
static void lie(struct duel *d)
{
	__u64 *words[] = {
		&d->in.p.base.block->cursor, &d->in.p.base.block->sequence,
		&d->in.p.base.block->oldest, &d->in.p.base.block->oldest_sequence,
		&d->out.c.base.block->cursor, &d->out.c.base.block->sequence,
		&d->out.c.base.block->published_head, (__u64 *)d->in.p.base.data,
	};
	__u64 r = random_word(), *word = words[r % ARRAY_SIZE(words)];
	int i;

	if (word == (__u64 *)d->in.p.base.data) {
		for (i = 0; i < 20; i++)
			word[random_word() % (d->g.data_bytes / 8)] =
				likely_word(d->in.p.base.pos, &d->g);
		return;
	}
	switch (r >> 8 & 3) {
	case 0:
		*word += (r >> 16) % 2048 * 8;
		break;
	case 1:
		*word -= (r >> 16) % 256 * 8;
		break;
	case 2:
		*word += (r >> 16) % 16;
		break;
	default:
		*word = r >> 10 & 1 ? r : ~0ULL;
	}
}

/* After a claim the ring works or is broken; no call hangs, crashes or reads out of bounds. */
TEST_F(hostile, claims)
{
	static const __u32 modes[] = { WAITS, DROPS, OVERWRITES };
	enum how how = variant->kernel ? BY_KERNEL : BY_TRYING;
	struct duel *d = &self->d;
	int round, i, err, broken = 0;

	for (round = 0; round < 300; round++) {
		ASSERT_TRUE(duel_begin(d, modes[round % 3], 0, false, round % 150, 100));
		for (i = 0; i < round % 10; i++)
			spscring_record_push(&d->in.p, d->put.buf, i * 10);
		for (i = 0; i <= round / 3 % 3; i++)
			lie(d);
		end_free(&d->in);
		end_free(&d->out);
		ASSERT_TRUE(wait_state(d->ring, SPSCRING_PRODUCER, SPSCRING_DEAD) &&
			    wait_state(d->ring, SPSCRING_CONSUMER, SPSCRING_DEAD));
		for (i = 0; i < 4; i++) {
			struct spscring_record_run run = {
				.role = (round + i) % 2 ? SPSCRING_PRODUCER : SPSCRING_CONSUMER,
				.ring_fd = d->ring, .count = ~0ULL, .tries = ENOUGH,
				.flags = SPSCRING_RECORD_DIE,
				.mover = { .most = LONGEST },
			};
			__u64 from;

			run.mover.ways = run.role == SPSCRING_PRODUCER ? variant->produce :
				variant->consume;
			from = info_of(d->ring).loss.sequence;
			if (run.role == SPSCRING_PRODUCER)
				run.count = from + 100;
			err = run_now(&run, how);
			ASSERT_TRUE(!err || err == -EPIPE);
			if (!err) {
				ASSERT_TRUE(!run.err || run.err == -EAGAIN || run.err == -EPIPE ||
					    run.err == -EBUSY)
					TH_LOG("round %d, %d: %d", round, i, run.err);
			}
			ASSERT_TRUE(info_in_bounds(d->ring));
			ASSERT_TRUE(wait_state(d->ring, run.role, SPSCRING_DEAD));
		}
		broken += info_of(d->ring).broken;
		duel_free(d);
	}
	EXPECT_GT(broken, 0);
	EXPECT_LT(broken, 300);
}

TEST_HARNESS_MAIN
