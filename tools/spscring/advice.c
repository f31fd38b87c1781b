// SPDX-License-Identifier: GPL-2.0
/* What a ring's counters say about how it is used, and what would help. */
#include <string.h>

#include "advice.h"

#define OFTEN		100	/* once in so many messages is often */
#define FEW_MESSAGES	1000	/* too few to judge by */

static bool is(const struct ring_end *end, const char *state)
{
	return !strcmp(end->state, state);
}

static size_t advise_on_ends(const struct ring *ring, char **advice)
{
	size_t n = 0;

	if (ring->broken)
		advice[n++] = text("The ring is broken: an end found words that its peer cannot "
				   "have written "
				   "in order.  Look for a bug in the peer, and make a new ring; a "
				   "driver can "
				   "reset its own.");
	if (is(&ring->producer, "dead"))
		advice[n++] = text("The producer died.  The consumer reads what was published, "
				   "then gets EPIPE, "
				   "unless the holder of the ring fd claims the producer's end "
				   "again.");
	if (is(&ring->consumer, "dead"))
		advice[n++] = text("The consumer died.  The holder of the ring fd can claim its "
				   "end again: what "
				   "was not released is read again.");
	if (is(&ring->producer, "held") && is(&ring->consumer, "unclaimed"))
		advice[n++] = text("Nobody has claimed the consumer's end yet: what is sent stays "
				   "in the ring.");
	if (is(&ring->producer, "shut-down") && ring->length && !is(&ring->consumer, "held"))
		advice[n++] = text("The stream has ended, but nobody reads what is left in the "
				   "ring.");
	return n;
}

static size_t advise_on_room(const struct ring *ring, char **advice)
{
	uint64_t messages = ring_messages(ring);
	size_t n = 0;

	if (ring->drops)
		advice[n++] = text("%llu records were dropped, %.2g %% of all: the consumer is too "
				   "slow for bursts "
				   "of this size.  A larger capacity helps with bursts; else speed "
				   "the consumer "
				   "up, or let the producer wait.",
				   (unsigned long long)ring->drops,
				   100.0 * (double)ring->drops / (double)(messages ?: 1));
	if (ring->overruns)
		advice[n++] = text("%llu records were overwritten before they were read, %.2g %% "
				   "of all.  That is "
				   "what a flight recorder does; if each record counts, make the "
				   "ring without "
				   "OVERWRITE.",
				   (unsigned long long)ring->overruns,
				   100.0 * (double)ring->overruns / (double)(messages ?: 1));
	if (messages >= FEW_MESSAGES && ring->full > messages / OFTEN)
		advice[n++] = text("The producer found the ring full %llu times: the consumer is "
				   "the slower end.  "
				   "A larger capacity helps only if it is slow now and then.",
				   (unsigned long long)ring->full);
	return n;
}

static size_t advise_on_sleep(const struct ring *ring, char **advice)
{
	uint64_t refused = ring->producer.refused + ring->consumer.refused;
	uint64_t sleeps = ring->consumer.sleeps, messages = ring_messages(ring);
	size_t n = 0;

	if (refused)
		advice[n++] = text("The fences stayed on %llu times, as max_interrupts allows no "
				   "more interrupts.  "
				   "Raise /sys/module/spscring/parameters/max_interrupts, or make "
				   "the ring with "
				   "FENCE so that it needs none.",
				   (unsigned long long)refused);
	if (messages >= FEW_MESSAGES && sleeps > messages / 4)
		advice[n++] = text("The consumer sleeps once in %.1f messages.  If latency matters "
				   "less than CPU "
				   "time, let it wait for several at a time (a watermark).",
				   (double)messages / (double)sleeps);
	return n;
}

size_t ring_advice(const struct ring *ring, char *advice[ADVICE_MAX])
{
	size_t n = advise_on_ends(ring, advice);

	n += advise_on_room(ring, advice + n);
	n += advise_on_sleep(ring, advice + n);
	return n;
}
