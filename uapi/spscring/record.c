// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: the cold half of records: room, batches of reservations, anything but the next
 * word.  See record.h.
 */
#include <linux/export.h>
#include <spscring/record.h>

/* How far ahead the producer clears words and fetches lines, in bytes. */
#define SPSCRING_STEP		64	/* one store fetches so many: a cache line */
#define SPSCRING_CLEAR		1024	/* cleared at once, */
#define SPSCRING_CLEAR_SMALL	512	/* for records of at most this size */
#define SPSCRING_CLEAR_LARGE	2048	/* up to this size, the next record's lines are fetched */

void spscring_record_drop(struct spscring_record_producer *p, __u64 n)
{
	__u64 *drops = &p->base.block->drops;

	p->sequence += n;
	spscring_write_once(*drops, *drops + n);
	spscring_write_once(p->base.cursor[1], p->sequence);
}
EXPORT_SYMBOL_GPL(spscring_record_drop);

/*
 * Fetch lines for writing.  A line that the consumer has read must be fetched from the
 * consumer's cache before it is written.  With stores to other lines between, a CPU fetches one
 * line at a time; with one store to each of several lines in a row, it fetches them at once.
 * A prefetch for writing does not do that.  All @bytes are free; a word at every @step is zeroed.
 */
static void spscring_fetch_lines(char *at, __u64 bytes, __u32 step)
{
	__u64 i;

	for (i = 0; i + sizeof(__u64) <= bytes; i += step)
		spscring_write_once(*(__u64 *)(at + i), 0);
}

/*
 * Clear the word at @next; for small records also the words that may follow, as far as there is
 * room.  Beyond the room there is a word of the previous lap, which also means "not yet".  The
 * lines are fetched first, so that all are on their way while the first is cleared; for records of
 * up to SPSCRING_CLEAR_LARGE, fetching them is all that is done ahead.
 */
static void spscring_record_clear_ahead(struct spscring_record_producer *p, __u64 next, __u64 size)
{
	__u64 data = (__u64)(p->base.end - p->base.data);
	__u64 room = p->base.cached_limit + data - p->base.capacity - next;
	__u64 bytes = size <= SPSCRING_CLEAR_SMALL ? SPSCRING_CLEAR : SPSCRING_WORD;
	__u64 ahead = size <= SPSCRING_CLEAR_LARGE && size > bytes ? size : bytes;
	__u32 step = p->base.stride > SPSCRING_STEP ? p->base.stride : SPSCRING_STEP;
	char *at = p->word + (next - p->base.pos);

	if (bytes > room)
		bytes = room & -(__u64)SPSCRING_WORD;
	if (ahead > room)
		ahead = bytes;
	spscring_fetch_lines(at, ahead, step);
	/* with one word a step, all of them are 0 by now */
	if (p->base.stride < step && bytes > SPSCRING_WORD)
		memset(at, 0, bytes);
	p->cleared = next + bytes;
}

int spscring_record_make_room(struct spscring_record_producer *p, __u64 length, __u64 size)
{
	__u64 next, run_end, lap;
	int err;

	/* check the length first: the size of an enormous length wraps, and may be small */
	if (spscring_unlikely(length > p->base.capacity))
		return -EMSGSIZE;
	if (spscring_unlikely(size > p->base.capacity))
		return p->reserved ? -EAGAIN : -EMSGSIZE;
	if (p->word >= p->base.end) {
		p->word -= p->base.end - p->base.data;
		p->phase ^= SPSCRING_PHASE_LAP;
	}
	next = p->base.pos + size;
	if ((__s64)(next - p->base.cached_limit) > 0) {
		if (p->base.flags & SPSCRING_CREATE_OVERWRITE)
			err = p->base.error ? p->base.error : spscring_record_overwrite(p, next);
		else
			err = spscring_refresh_head(&p->base, size);
		if (spscring_unlikely(err)) {
			if (p->base.flags & SPSCRING_CREATE_DROP && !p->base.error)
				spscring_record_drop(p, 1);
			if (err == -EAGAIN && p->base.flags & SPSCRING_CREATE_DROP)
				err = -ENOBUFS;
			return err;
		}
	}
	if ((__s64)(next + SPSCRING_WORD - p->cleared) > 0)
		spscring_record_clear_ahead(p, next, size);
	/* the run ends before the lap does, and where the word after a record is not cleared */
	run_end = p->base.cached_limit;
	lap = p->base.pos + (__u64)(p->base.end - p->word) - 1;
	if ((__s64)(lap - run_end) < 0)
		run_end = lap;
	if ((__s64)(p->cleared - SPSCRING_WORD - run_end) < 0)
		run_end = p->cleared - SPSCRING_WORD;
	/* while the tracepoint is on, each push comes here */
	p->base.run_end = spscring_traced(push) ? p->base.pos : run_end;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_record_make_room);

int spscring_record_push_slow(struct spscring_record_producer *p, const void *rec, __u64 length)
{
	int err = spscring_record_put(p, rec, length, spscring_record_size(p->base.stride, length));

	return err ? err : spscring_record_after_publish(p);
}
EXPORT_SYMBOL_GPL(spscring_record_push_slow);

void spscring_record_trim(struct spscring_record_producer *p, char *end, __u64 bytes)
{
	if (end + bytes != p->word + p->reserved) {
		*(__u64 *)end = SPSCRING_WORD_DISCARDED | (bytes - SPSCRING_WORD);
		return;
	}
	p->reserved -= bytes;
	if (!p->reserved) {
		/* keep the word that the consumer polls; it was not written */
		end += SPSCRING_WORD;
		bytes -= SPSCRING_WORD;
	}
	if (bytes > SPSCRING_CLEAR) {
		bytes = SPSCRING_WORD;
		p->cleared = p->base.pos + (__u64)(end - p->word) + bytes;
		p->base.run_end = p->base.pos;
	}
	memset(end, 0, bytes);
}
EXPORT_SYMBOL_GPL(spscring_record_trim);

void spscring_record_commit_many(struct spscring_record_producer *p, __u32 flags)
{
	__u64 at = spscring_record_size(p->base.stride, (__u32)p->first);
	__u64 records = !(p->first & SPSCRING_WORD_DISCARDED);

	while (at < p->reserved) {
		__u64 *word = (__u64 *)(p->word + at);
		__u32 lap = (char *)word >= p->base.end ? SPSCRING_PHASE_LAP : 0;

		at += spscring_record_size(p->base.stride, (__u32)*word);
		spscring_write_once(*word, *word | spscring_word(p->sequence + records,
								 p->phase ^ lap));
		records += !(*word & SPSCRING_WORD_DISCARDED);
	}
	if (spscring_traced(push))
		spscring_trace_push(&p->base, (__u32)p->reserved);
	spscring_record_publish(p, p->first, p->reserved, records);
	p->reserved = 0;
	spscring_record_after_commit(p, flags);
}
EXPORT_SYMBOL_GPL(spscring_record_commit_many);

int spscring_record_consumer_fail(struct spscring_record_consumer *c, int why)
{
	c->known_length = 0;
	return spscring_consumer_base_fail(&c->base, why);
}
EXPORT_SYMBOL_GPL(spscring_record_consumer_fail);

int spscring_record_consumer_broken(struct spscring_record_consumer *c)
{
	spscring_break(&c->base, SPSCRING_CONSUMER);
	return spscring_record_consumer_fail(c, -EPIPE);
}
EXPORT_SYMBOL_GPL(spscring_record_consumer_broken);

void spscring_record_adapt_backoff(struct spscring_record_consumer *c)
{
	__u64 came = (c->base.pos - c->base.waited_at) / (2 * SPSCRING_WORD);
	__u64 most = (c->sequence - c->waited_sequence) * (SPSCRING_LINE / (2 * SPSCRING_WORD));

	c->waited_sequence = c->sequence;
	spscring_adapt_backoff(&c->base, came < most ? came : most);
}
EXPORT_SYMBOL_GPL(spscring_record_adapt_backoff);

int spscring_record_first_is_there(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	if (spscring_word_is_there(c, spscring_load_acquire((const __u64 *)c->word)))
		return 1;
	if (!(c->base.flags & SPSCRING_CREATE_OVERWRITE))
		return 0;
	/* (U) pairs with (T) */
	return (__s64)(spscring_load_acquire(&c->base.peer->oldest) - c->base.pos) > 0;
}
EXPORT_SYMBOL_GPL(spscring_record_first_is_there);

int spscring_record_empty_status(struct spscring_record_consumer *c)
{
	__u64 *failed = &c->base.block->failed;
	int status;

	if (spscring_likely(++c->base.fails % SPSCRING_REFRESH_EVERY) &&
	    !spscring_peer_ended(&c->base))
		return -EAGAIN;
	if (spscring_is_shut_down(&c->base.kernel->consumer))
		return spscring_record_consumer_fail(c, -ESHUTDOWN);
	spscring_write_once(*failed, *failed + SPSCRING_REFRESH_EVERY);
	spscring_consumer_looks(&c->base);
	status = spscring_peer_status(&c->base.kernel->producer);
	/* poll again: this sees all that the peer published before it ended */
	if (status != -EAGAIN && spscring_record_first_is_there(c))
		return -EAGAIN;
	return status;
}
EXPORT_SYMBOL_GPL(spscring_record_empty_status);

long spscring_record_refresh(struct spscring_record_consumer *c, __u64 word)
{
	__u64 from = c->base.pos, length, size;
	__u32 discarded = 0;

	if (spscring_unlikely(c->base.error))
		return c->base.error;
	for (;;) {
		if (!spscring_word_is_there(c, word)) {
			if (spscring_unlikely(!spscring_word_is_empty(word)))
				return spscring_record_consumer_broken(c);
			if (c->base.pos == from)
				return spscring_record_empty_status(c);
			spscring_record_after_release(c);
			return -EAGAIN;
		}
		length = word & SPSCRING_WORD_LENGTH;
		size = spscring_record_size(c->base.stride, (__u32)length);
		if (spscring_unlikely(c->base.pos - from + size > c->base.capacity))
			return spscring_record_consumer_broken(c);
		length = spscring_nospec(length, c->base.capacity);
		size = spscring_nospec(size, c->base.capacity + 1);
		if (!(word & SPSCRING_WORD_DISCARDED))
			break;
		spscring_record_skip(c, size);
		if (spscring_unlikely(++discarded == SPSCRING_DISCARDED_MAX)) {
			spscring_record_after_release(c);
			return -EBUSY;
		}
		word = spscring_record_load(c);
	}
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	spscring_record_count_gap(c, word);
	c->known_length = c->base.capacity - SPSCRING_WORD + 1;
	if (spscring_traced(pop))
		c->known_length = 0;	/* the next pop is traced, too */
	return (long)length;
}
EXPORT_SYMBOL_GPL(spscring_record_refresh);

long spscring_record_pop_slow(struct spscring_record_consumer *c, void *rec, size_t size)
{
	return spscring_record_pop_by(c, rec, size, spscring_record_memcpy);
}
EXPORT_SYMBOL_GPL(spscring_record_pop_slow);

long spscring_record_pop_finish(struct spscring_record_consumer *c, long length)
{
	if (c->base.fails != c->base.waited_fails)
		spscring_record_adapt_backoff(c);
	spscring_after_release(&c->base, c->base.pos);
	return length;
}
EXPORT_SYMBOL_GPL(spscring_record_pop_finish);

static int spscring_record_end_has_bytes(const void *c, __u64 bytes)
{
	return spscring_record_has_bytes((const struct spscring_record_consumer *)c, bytes);
}

int spscring_record_spin_bytes(struct spscring_record_consumer *c, __u64 bytes)
{
	return spscring_spin(&c->base.spin, c->base.spin_max, c->base.block->waits,
			     spscring_record_end_has_bytes, c, bytes);
}
EXPORT_SYMBOL_GPL(spscring_record_spin_bytes);
