// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: how the oldest records make room.  See overwrite.h.
 */
#include <linux/export.h>
#include <spscring/record.h>

/* How far beyond the need the oldest position moves, in bytes; in small rings a sixteenth. */
#define SPSCRING_OLDEST_STEP	4096

int spscring_record_overwrite(struct spscring_record_producer *p, __u64 end)
{
	__u64 step = p->base.capacity / 16, oldest = p->oldest;
	const char *at = p->oldest_at;

	end += step < SPSCRING_OLDEST_STEP ? step : SPSCRING_OLDEST_STEP;
	while ((__s64)(oldest + p->base.capacity - end) < 0 && oldest != p->base.pos) {
		__u64 word = spscring_read_once(*(const __u64 *)at);
		__u64 size = spscring_record_size(p->base.stride, (__u32)word);

		if (spscring_unlikely(size > p->base.pos - oldest))
			return spscring_producer_broken(&p->base);
		size = spscring_nospec(size, p->base.pos - oldest + 1);
		oldest += size;
		at += size;
		if (at >= p->base.end)
			at -= p->base.end - p->base.data;
		if (!(word & SPSCRING_WORD_DISCARDED))
			p->oldest_sequence = spscring_sequence_of(word, p->oldest_sequence) + 1;
	}
	p->oldest = oldest;
	p->oldest_at = at;
	p->base.cached_limit = oldest + p->base.capacity;
	spscring_write_once(p->base.block->oldest_sequence, p->oldest_sequence);
	/* (T) pairs with (U): the records from there on, then the position */
	spscring_store_release(&p->base.block->oldest, oldest);
	/* (R) pairs with (S): then the bytes */
	spscring_wmb();
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_record_overwrite);
