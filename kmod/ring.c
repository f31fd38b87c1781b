// SPDX-License-Identifier: GPL-2.0
/*
 * A ring's life: its ends, and what becomes of them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/ctype.h>
#include <linux/export.h>
#include <linux/nodemask.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/spscring_record.h>

#include "ring.h"
#include "trace.h"

static atomic64_t ring_ids;

/* ------------------------------------------------------------------ life */

static int ring_check(const struct spscring_create *want, bool for_user, int *node)
{
	const u32 wakes = SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE;
	const u32 fulls = SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE;
	size_t i = 0;

	if (want->flags & ~(SPSCRING_CREATE_NUMA_NODE | SPSCRING_CREATE_RECORDS | wakes | fulls) ||
	    (want->flags & wakes) == wakes || (want->flags & fulls) == fulls ||
	    (want->flags & fulls && !(want->flags & SPSCRING_CREATE_RECORDS)))
		return -EINVAL;
	*node = NUMA_NO_NODE;
	if (want->flags & SPSCRING_CREATE_NUMA_NODE) {
		*node = want->numa_node;
		if (*node < 0 || *node >= MAX_NUMNODES || !node_online(*node))
			return -EINVAL;
		if (for_user && !memory_node_allowed(*node))
			return -EINVAL;
	} else if (want->numa_node) {
		return -EINVAL;
	}
	/* a name ends up in logs: printable, and nothing hidden behind its end */
	while (i < SPSCRING_NAME_MAX && isascii(want->name[i]) && isprint(want->name[i]))
		i++;
	return memchr_inv(want->name + i, 0, SPSCRING_NAME_MAX - i) ? -EINVAL : 0;
}

/* A ring of fewer frames than these keeps to the layout's own choice of their size. */
#define RING_FRAMES_LEAST	8

/*
 * The module's default frame size is taken where it is larger than the layout's own choice,
 * which wastes more if it is made smaller, and where the ring then has frames enough: the
 * two ends are to work in different frames, and an unfilled last one is to waste little.
 */
static int ring_lay_out(struct spscring_geometry *g, const struct spscring_create *want)
{
	struct spscring_create larger = *want;
	int err = spscring_geometry_init(g, want, PAGE_SIZE);

	larger.frame_size = READ_ONCE(ring_default_frame_size);
	if (err || want->frame_size || want->flags & SPSCRING_CREATE_RECORDS ||
	    larger.frame_size <= g->frame_size ||
	    g->capacity / RING_FRAMES_LEAST < (larger.frame_size - g->frame_first) / g->stride)
		return err;
	return spscring_geometry_init(g, &larger, PAGE_SIZE);
}

/* Who waits for an end is not to wait for one of a ring that is broken. */
static void ring_broken_work(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct spscring, broken_work)->ends);
}

static void ring_init(struct spscring *ring, const struct spscring_create *want, u64 id)
{
	kref_init(&ring->ref);
	mutex_init(&ring->lock);
	mutex_init(&ring->watch_lock);
	mutex_init(&ring->claiming);
	ring->producer.role = SPSCRING_PRODUCER;
	ring->consumer.role = SPSCRING_CONSUMER;
	ring->producer.ring = ring;
	ring->consumer.ring = ring;
	wait_init(&ring->producer);
	wait_init(&ring->consumer);
	init_waitqueue_head(&ring->ends);
	init_irq_work(&ring->broken_work, ring_broken_work);
	ring->id = id;
	memcpy(ring->name, want->name, sizeof(ring->name));
}

/* What users find in the pages. */
static void ring_fill_info(struct spscring *ring)
{
	struct spscring_info_page *info = ring->base + RING_PAGE_INFO * PAGE_SIZE;

	info->geometry = ring->geometry;
	memcpy(info->name, ring->name, sizeof(info->name));
	info->magic = SPSCRING_MAGIC;
}

/* The pages of a ring, and who pays for them. */
static int ring_add_pages(struct spscring *ring, int node)
{
	int err;

	ring->geometry.colour = ring->id % SPSCRING_COLOURS * SPSCRING_LINE;
	ring->nr_pages = ring->geometry.memory >> PAGE_SHIFT;
	ring->nr_mapped = spscring_mapped_bytes(&ring->geometry) >> PAGE_SHIFT;
	if (ring->of_user) {
		err = memory_charge(ring);
		if (err)
			return err;
	}
	err = memory_alloc(ring, node);
	if (err) {
		memory_free(ring);
		return err;
	}
	memmap_lay_out(ring);
	ring_fill_info(ring);
	return 0;
}

/**
 * ring_create() - make a ring
 * @want: what it is to be
 * @owner: who is to use it; a user's is charged to the calling user and its memory cgroup
 *
 * Return: the ring, with one reference; or an ERR_PTR, see struct
 * spscring_create.
 */
struct spscring *ring_create(const struct spscring_create *want, enum ring_owner owner)
{
	struct spscring_geometry geometry;
	struct spscring *ring;
	int node, err;
	u64 id;

	err = ring_check(want, owner == RING_OF_USER, &node) ?:
		ring_lay_out(&geometry, want);
	if (err)
		return ERR_PTR(err);
	id = atomic64_inc_return(&ring_ids);
	ring = memory_alloc_ring(&geometry, owner, node, id);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring_init(ring, want, id);
	ring->budget = fence_budget_get(ring->of_user);
	if (!ring->budget) {
		err = -ENOMEM;
		goto err_free;
	}
	/* a small private one has no pages */
	if (!ring->data) {
		err = ring_add_pages(ring, node);
		if (err)
			goto err_budget;
	}
	spscring_kernel_block_init(ring->blocks.kernel, ring->geometry.flags);
	trace_spscring_create(ring);
	return ring;

err_budget:
	fence_budget_put(ring->budget);
err_free:
	memory_free_ring(ring);
	return ERR_PTR(err);
}

struct spscring *ring_get(struct spscring *ring)
{
	kref_get(&ring->ref);
	return ring;
}

static void ring_free(struct kref *ref)
{
	struct spscring *ring = container_of(ref, struct spscring, ref);

	/* where it has no interrupt of its own this takes a grace period */
	if (ring->broken_worked)
		irq_work_sync(&ring->broken_work);
	wait_exit(&ring->producer);
	wait_exit(&ring->consumer);
	fence_budget_put(ring->budget);
	memory_free(ring);
	memory_free_ring(ring);
}

void ring_put(struct spscring *ring)
{
	kref_put(&ring->ref, ring_free);
}

/* ------------------------------------------------------------------ ends */

struct ring_end *ring_end_of(struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER ? &ring->producer : &ring->consumer;
}

/* An end's state, to the kernel and to all who map the ring. */
static void ring_set_state(struct spscring *ring, u32 role, u32 state)
{
	struct spscring_kernel_block *lines = ring->blocks.kernel;
	struct ring_end *end = ring_end_of(ring, role);
	u64 *word = role == SPSCRING_PRODUCER ? &lines->producer : &lines->consumer;

	lockdep_assert_held(&ring->lock);
	WRITE_ONCE(end->state, state);
	/* (I) pairs with (J): what the end did, then that it ended */
	smp_store_release(word, (u64)end->generation << 32 | state);
	wake_up_all(&ring->ends);
}

/**
 * spscring_broken() - say that the peer of an end wrote what cannot be
 * @ring: the ring
 * @role: the end that found it, or 0: a claim did
 *
 * Called by the inlines of spscring_ring.h.  Said once for each ring, until it is reset,
 * in a rate-limited line of the log.  Context: any.
 */
void spscring_broken(struct spscring *ring, int role)
{
	if (atomic_xchg(&ring->broken, 1))
		return;
	WRITE_ONCE(ring->blocks.kernel->broken, 1);
	trace_spscring_broken(ring, role);
	/* nobody is to wait for ever */
	spscring_kick(ring, SPSCRING_CONSUMER, 0);
	spscring_kick(ring, SPSCRING_PRODUCER, 0);
	WRITE_ONCE(ring->broken_worked, true);
	irq_work_queue(&ring->broken_work);
	if (!role) {
		pr_warn_ratelimited("ring %llu \"%.*s\" is broken: its cursors and tails contradict each other\n",
				    ring->id, SPSCRING_NAME_MAX, ring->name);
		return;
	}
	pr_warn_ratelimited("ring %llu \"%.*s\" is broken: its %s found the %s's words impossible\n",
			    ring->id, SPSCRING_NAME_MAX, ring->name,
			    role == SPSCRING_PRODUCER ? "producer" : "consumer",
			    role == SPSCRING_PRODUCER ? "consumer" : "producer");
}
EXPORT_SYMBOL_GPL(spscring_broken);

static bool ring_has(const struct spscring *ring, u32 flag)
{
	return ring->geometry.flags & flag;
}

static u64 *ring_tail(struct spscring *ring, u64 frame)
{
	return ring->data +
		frame % ring->geometry.frames * ring->geometry.frame_size;
}

/*
 * What follows is for sleep.  A position is the end's own: the consumer's is a
 * tail to come, the producer's one that a head to come makes room for.
 */

/* Where the kernel tells the end's peer to wake it: a tail, or a head. */
u64 *ring_wants(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *lines = ring->blocks.kernel;

	return role == SPSCRING_PRODUCER ? &lines->producer_event :
		&lines->consumer_event;
}

/*
 * What of a frame is published beyond @pos, which lies in it: a tail of the next lap says
 * that all of it is.
 */
static u64 ring_frame_published(struct spscring *ring, u64 pos)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 frame = pos / g->frame_records;
	u64 end = (frame + 1) * g->frame_records - pos;
	/* (B) pairs with (A) */
	s64 n = smp_load_acquire(ring_tail(ring, frame)) - pos;

	return n > 0 ? min_t(u64, n, end) : 0;
}

/*
 * How far the producer has come, by its cursor, a user's word: with records of one size the
 * cursor tells the frame, and that frame's tail the rest.  Within a batch it is further.
 */
static u64 ring_producer_position(struct spscring *ring)
{
	/* (H) pairs with (G) */
	u64 pos = smp_load_acquire(&ring->blocks.producer->cursor);

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return pos;
	return pos + ring_frame_published(ring, pos);
}

/* The end's own position, by what a user wrote: it goes into sums and moduli only. */
u64 ring_cursor(struct spscring *ring, u32 role)
{
	return role == SPSCRING_PRODUCER ? ring_producer_position(ring) :
		READ_ONCE(ring->blocks.consumer->cursor);
}

/* What an end says of its own tries: how many failed, and how many waits polling ended. */
void ring_tries(struct spscring *ring, u32 role, u64 *failed, u64 *polled)
{
	bool produces = role == SPSCRING_PRODUCER;
	struct spscring_producer_block *p = ring->blocks.producer;
	struct spscring_consumer_block *c = ring->blocks.consumer;

	*failed = READ_ONCE(*(produces ? &p->failed : &c->failed));
	*polled = READ_ONCE(*(produces ? &p->waits[0] : &c->waits[0]));
}

/* Where the producer says that it found no room: a head + 1, or 0; a user's word. */
u64 ring_full_at(struct spscring *ring)
{
	return READ_ONCE(ring->blocks.producer->full_at);
}

/*
 * How far the end can go from @cursor, and no less than its peer had come when it
 * last kicked: an index behind that may be one that it has kicked for already.
 */
u64 ring_seen(struct spscring *ring, u32 role, u64 cursor)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 tail, seen;

	/* who overwrites always finds room */
	if (role == SPSCRING_PRODUCER && ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		return ring_cursor(ring, role) + g->capacity;
	if (role == SPSCRING_PRODUCER)
		/* (D) pairs with (C) */
		return smp_load_acquire(&ring->blocks.consumer->cursor) + g->capacity;
	seen = ring_producer_position(ring);
	/* within a batch the tails are ahead of it */
	tail = ring_has(ring, SPSCRING_CREATE_RECORDS) ? cursor :
		cursor + ring_frame_published(ring, cursor);
	return (s64)(seen - tail) < 0 ? tail : seen;
}

/* Can the end go as far as @index? */
bool ring_reached(struct spscring *ring, u32 role, u64 index)
{
	u64 frame;

	if (role == SPSCRING_PRODUCER)
		return (s64)(ring_seen(ring, role, 0) - index) >= 0;
	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		/* (H) pairs with (G): no word tells how many follow it */
		return (s64)(smp_load_acquire(&ring->blocks.producer->cursor) -
			     index) >= 0;
	frame = (index - 1) / ring->geometry.frame_records;
	/* (B) pairs with (A): of the frame that holds the last of them */
	return (s64)(smp_load_acquire(ring_tail(ring, frame)) - index) >= 0;
}

/* -EAGAIN while the end's peer may go on; else as spscring_ended(), for good. */
int ring_peer_ended(struct spscring *ring, u32 role)
{
	struct spscring_kernel_block *lines = ring->blocks.kernel;

	if (atomic_read(&ring->broken))
		return -EPIPE;
	return spscring_ended(role == SPSCRING_PRODUCER ? &lines->consumer : &lines->producer);
}

/* A walk over a large ring takes seconds: it is left once the caller is killed. */
static int ring_walk_on(const struct spscring *ring)
{
	cond_resched();
	return ring_killed(ring) ? -EINTR : 0;
}

/*
 * The tails are stored before the cursor, so a producer that was killed in
 * between has published more than its cursor says: @pos goes on from there while
 * the tails lie beyond, to at most @bound.  Return: 0, or -EINTR.
 */
static int ring_published(struct spscring *ring, u64 *pos, u64 bound)
{
	const struct spscring_geometry *g = &ring->geometry;
	int err = 0;

	while (!err && *pos != bound) {
		u64 frame = *pos / g->frame_records;
		u64 end = min((frame + 1) * g->frame_records - *pos, bound - *pos);
		/* (B) pairs with (A) */
		u64 n = smp_load_acquire(ring_tail(ring, frame)) - *pos;

		if ((s64)n <= 0 || n > g->capacity)
			break;
		*pos += min(n, end);
		if (n < end)
			break;
		err = ring_walk_on(ring);
	}
	return err;
}

static u64 *ring_word(struct spscring *ring, u64 pos)
{
	const struct spscring_geometry *g = &ring->geometry;

	/* twice the data are mapped */
	return ring->data + pos % g->data_bytes + g->stride - SPSCRING_WORD;
}

/*
 * The same of records of any size, whose words are stored before the cursor.  With
 * @sequence the number of the next record, as stored between the two, follows.
 */
static int ring_published_records(struct spscring *ring, u64 *pos, u64 bound, u64 *sequence)
{
	const struct spscring_geometry *g = &ring->geometry;
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	int err = 0;

	while (!err && *pos != bound) {
		/* (Q) pairs with (P) */
		u64 word = smp_load_acquire(ring_word(ring, *pos));
		u64 size = spscring_record_size(g->stride, (u32)word);

		if ((word & bits) >> 32 != spscring_phase(g, *pos) || size > bound - *pos)
			break;
		*pos += size;
		/* what was dropped behind them has numbers as well */
		if (sequence && !(word & SPSCRING_WORD_DISCARDED) &&
		    (s64)(spscring_sequence_of(word, *sequence) - *sequence) >= 0)
			*sequence = spscring_sequence_of(word, *sequence) + 1;
		err = ring_walk_on(ring);
	}
	return err;
}

/* Where what a producer may not write any more begins. */
static u64 ring_oldest(struct spscring *ring)
{
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		/* (U) pairs with (T) */
		return smp_load_acquire(&ring->blocks.producer->oldest);
	/* (D) pairs with (C) */
	return smp_load_acquire(&ring->blocks.consumer->cursor);
}

/* Of a claim, at the ends' cursors. */
#define RING_LOOKS	2

/*
 * Where the ends are, by their cursors and the tails: 0, or -EPIPE if these lie, or -EINTR.
 * A producer that lives may go on by a lap between the two loads, of its cursor and of a
 * tail, so that the walk ends at once, short of a consumer which has popped within a batch.
 * Before that lap it has stored its cursor exactly, and so beyond all that the consumer,
 * which is dead, has popped.  Hence a second look, which finds that cursor.
 */
static int ring_positions(struct spscring *ring, u64 *head, u64 *tail, u64 *sequence)
{
	bool records = ring_has(ring, SPSCRING_CREATE_RECORDS);
	u64 capacity = ring->geometry.capacity;
	int looks, err;

	*head = ring_oldest(ring);
	for (looks = 0; looks < RING_LOOKS; looks++) {
		*tail = ring_producer_position(ring);
		trace_spscring_recover(ring, *head, *tail);
		/* no honest cursor comes near the wrap, where frames do not follow */
		if ((s64)*head < 0 || (s64)*tail < 0)
			break;
		if (records && (*head | *tail) & (ring->geometry.stride - 1))
			break;
		/* within a batch the consumer may be ahead of the cursor */
		if (*tail - *head + capacity > 2 * capacity)
			break;
		err = records ?
			ring_published_records(ring, tail, *head + capacity, sequence) :
			ring_published(ring, tail, *head + capacity);
		if (err)
			return err;
		if ((s64)(*tail - *head) >= 0)
			return 0;
	}
	return -EPIPE;
}

/*
 * A dead producer's cursor and words are made to say the same: the next one is that
 * of no record.  The numbers were stored before the cursor and before the oldest.
 */
static int ring_mend_records(struct spscring *ring)
{
	struct spscring_producer_block *lines = ring->blocks.producer;
	u64 sequence = READ_ONCE(lines->sequence);
	u64 head, tail, *word, behind;
	int err;

	err = ring_positions(ring, &head, &tail, &sequence);
	if (err)
		return err;
	/* a ring that is full to the last byte has none: that is the oldest's */
	if (tail - head != ring->geometry.data_bytes)
		WRITE_ONCE(*ring_word(ring, tail), 0);
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE)) {
		word = ring_word(ring, head);
		behind = head == tail ? 0 : (sequence - (*word >> SPSCRING_WORD_SEQUENCE)) &
			 SPSCRING_WORD_SEQUENCE_MASK;
		WRITE_ONCE(lines->oldest_sequence, sequence - behind);
	}
	WRITE_ONCE(lines->sequence, sequence);
	/* (G) */
	smp_store_release(&lines->cursor, tail);
	return 0;
}

/* A dead producer's cursor and tails are made to say the same. */
static int ring_mend_producer(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head, tail, last, first, frame;
	int err;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return ring_mend_records(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/*
	 * Every frame's tail as it must be: complete but for the last frame,
	 * and nothing from a lap to come.
	 */
	last = tail / g->frame_records;
	first = last < g->frames ? 0 : last - g->frames + 1;
	for (frame = first; frame < first + g->frames; frame++) {
		u64 want = 0;

		if (frame < last)
			want = (frame + 1) * g->frame_records;
		else if (frame == last && tail != last * g->frame_records)
			want = tail;
		else if (frame >= g->frames)
			want = (frame - g->frames + 1) * g->frame_records;
		if (READ_ONCE(*ring_tail(ring, frame)) != want)
			/* (A): the records are older still */
			smp_store_release(ring_tail(ring, frame), want);
		err = ring_walk_on(ring);
		if (err)
			return err;
	}
	/* (G) */
	smp_store_release(&ring->blocks.producer->cursor, tail);
	return 0;
}

/*
 * Nobody waits for the consumer of a ring that overwrites, so it may be anywhere behind:
 * its next look finds the oldest.  Its producer may go on by laps meanwhile: a second look,
 * as in ring_positions().
 */
static int ring_mend_late(struct spscring *ring)
{
	/* (D) pairs with (C) */
	u64 head = smp_load_acquire(&ring->blocks.consumer->cursor), tail;
	int looks, err;

	if ((s64)head < 0 || head & (ring->geometry.stride - 1))
		return -EPIPE;
	for (looks = 0; looks < RING_LOOKS; looks++) {
		/* (H) pairs with (G) */
		tail = smp_load_acquire(&ring->blocks.producer->cursor);
		if ((s64)tail < 0 || tail & (ring->geometry.stride - 1))
			break;
		/* the consumer may be ahead of the cursor */
		err = ring_published_records(ring, &tail, tail + ring->geometry.capacity, NULL);
		if (err)
			return err;
		if (head <= tail)
			return 0;
	}
	return -EPIPE;
}

/* A dead consumer's cursor stands; what it told is made to agree. */
static int ring_mend_consumer(struct spscring *ring)
{
	u64 head, tail;
	int err;

	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE))
		return ring_mend_late(ring);
	err = ring_positions(ring, &head, &tail, NULL);
	if (err)
		return err;
	/* (E) */
	smp_store_release(&ring->blocks.consumer->published_head, head);
	return 0;
}

/*
 * May an end be claimed that was shut down?  Not where kernel code did that, nor for good
 * unless the driver wants users to follow each other; nor while its holder has it open.
 */
static int ring_shut_down(const struct ring_end *end)
{
	if (end->kernel || !end->again)
		return -ESHUTDOWN;
	return end->left ? 0 : -EBUSY;
}

/**
 * ring_set_again() - may an end be claimed after its user has shut it down and closed?
 * @ring: the ring
 * @role: which end
 * @again: it may
 */
void ring_set_again(struct spscring *ring, u32 role, bool again)
{
	mutex_lock(&ring->lock);
	ring_end_of(ring, role)->again = again;
	mutex_unlock(&ring->lock);
}

/**
 * ring_expect() - are a ring's records what whoever takes an end takes them for?
 * @ring: the ring
 * @record_size: in bytes, or SPSCRING_ANY_SIZE
 * @type_tag: what they are
 *
 * Return: 0, or -EPROTOTYPE.
 */
int ring_expect(const struct spscring *ring, u32 record_size, u64 type_tag)
{
	const struct spscring_geometry *g = &ring->geometry;

	/* of records of any size it is 0 */
	return g->record_size == record_size && g->type_tag == type_tag ? 0 : -EPROTOTYPE;
}

/*
 * A dead end's words are made fit for the next holder: 0, or -EBUSY, -EPIPE, -EINTR.
 * What it stores is what its walk found, the cursor last: left before that, it has
 * stored nothing that a second walk, from the same cursor, would not find again.
 */
static int ring_recover(struct spscring *ring, u32 role)
{
	int err;

	lockdep_assert_held(&ring->claiming);
	err = memmap_pinned(ring, role);
	if (err)
		return err;
	err = role == SPSCRING_PRODUCER ? ring_mend_producer(ring) : ring_mend_consumer(ring);
	/* whose words lie cannot be told */
	if (err == -EPIPE)
		spscring_broken(ring, 0);
	return err;
}

/* May it be claimed?  An end that nobody holds stays as it is but for a claim. */
static int ring_claimable(struct spscring *ring, u32 role, u32 *state)
{
	const struct ring_end *end = ring_end_of(ring, role);
	int err = 0;

	mutex_lock(&ring->lock);
	*state = end->state;
	if (*state == SPSCRING_HELD)
		err = -EBUSY;
	else if (*state == SPSCRING_SHUT_DOWN)
		err = ring_shut_down(end);
	mutex_unlock(&ring->lock);
	if (!err && atomic_read(&ring->broken))
		err = -EPIPE;
	return err;
}

/**
 * ring_claim() - take an end
 * @ring: the ring
 * @role: which end
 * @kernel: for kernel code
 *
 * One claim of a ring at a time; what its recovery takes no one else waits for.
 *
 * Return: 0, or a negative errno, see struct spscring_endpoint.
 */
int ring_claim(struct spscring *ring, u32 role, bool kernel)
{
	struct ring_end *end = ring_end_of(ring, role);
	u32 state;
	int err;

	if (mutex_lock_killable(&ring->claiming))
		return -EINTR;
	err = ring_claimable(ring, role, &state);
	if (!err && state != SPSCRING_UNCLAIMED)
		err = ring_recover(ring, role);
	if (!err) {
		mutex_lock(&ring->lock);
		end->generation++;
		end->kernel = kernel;
		end->left = false;
		WRITE_ONCE(end->over, false);
		ring_set_state(ring, role, SPSCRING_HELD);
		trace_spscring_endpoint(ring, role, end);
		mutex_unlock(&ring->lock);
		/* its publishes, or releases, are to do without a fence some time */
		wait_begin(ring_end_of(ring, ring_peer(role)));
	}
	mutex_unlock(&ring->claiming);
	return err;
}

static bool ring_end_is_held(struct spscring *ring, u32 role)
{
	return READ_ONCE(ring_end_of(ring, role)->state) == SPSCRING_HELD;
}

/**
 * ring_wait_end() - after ring_claim() said EBUSY: sleep until it is worth another try
 * @ring: the ring
 * @role: which end
 * @pause: how long the last wait for pinned pages was, in jiffies; 0 at first
 *
 * Until an end that is held changes hands.  Nothing tells of pages that are pinned: those
 * are asked for again, less and less often.
 *
 * Return: 0; -EPIPE the ring is broken; -ERESTARTSYS.
 */
int ring_wait_end(struct spscring *ring, u32 role, long *pause)
{
	long err;

	/* others may take and leave the end between any two looks at it */
	if (signal_pending(current))
		return -ERESTARTSYS;
	if (ring_end_is_held(ring, role)) {
		err = wait_event_interruptible(ring->ends, !ring_end_is_held(ring, role) ||
					       atomic_read(&ring->broken));
		*pause = 0;
	} else {
		*pause = clamp(2 * *pause, (long)msecs_to_jiffies(10), (long)HZ);
		err = wait_event_interruptible_timeout(ring->ends,
						       ring_end_is_held(ring, role) ||
						       atomic_read(&ring->broken), *pause);
	}
	if (err < 0)
		return err;
	return atomic_read(&ring->broken) ? -EPIPE : 0;
}

/**
 * ring_ends_mask() - f_op->poll of a ring fd
 * @ring: the ring
 *
 * Return: EPOLLIN nobody holds the consumer's end, EPOLLOUT nobody the producer's;
 * EPOLLERR the ring is broken.
 */
__poll_t ring_ends_mask(struct spscring *ring)
{
	__poll_t mask = atomic_read(&ring->broken) ? EPOLLERR : 0;

	if (!ring_end_is_held(ring, SPSCRING_CONSUMER))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!ring_end_is_held(ring, SPSCRING_PRODUCER))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/**
 * ring_held_by_kernel() - is an end in the hands of kernel code?
 * @ring: the ring
 * @role: which end
 *
 * Return: whether it is; stays so until that code lets go of it.
 */
bool ring_held_by_kernel(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);
	bool held;

	mutex_lock(&ring->lock);
	held = end->state == SPSCRING_HELD && end->kernel;
	mutex_unlock(&ring->lock);
	return held;
}

/* As the ends wrote them, one after the other while the ring runs. */
static void ring_cursors(struct spscring *ring, u64 *head, u64 *tail)
{
	/* (D) pairs with (C) */
	*head = smp_load_acquire(&ring->blocks.consumer->cursor);
	*tail = ring_producer_position(ring);
}

/**
 * ring_over() - an end's holder wants no more of it
 * @ring: the ring
 * @role: which end, held by the caller
 *
 * The first step of a SHUTDOWN: its verbs are refused from here on, and who sleeps in
 * one is woken.  The peer is told by ring_end(), once those that had begun are done.
 */
void ring_over(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);

	if (READ_ONCE(end->over))
		return;
	WRITE_ONCE(end->over, true);
	wait_wake(end, false);
}

/**
 * ring_end() - an end is over
 * @ring: the ring
 * @role: which end
 * @state: SPSCRING_SHUT_DOWN or SPSCRING_DEAD
 *
 * What was shut down stays shut down, and who was about to say so has said it.
 *
 * Return: what it is from here on, until somebody claims it.
 */
u32 ring_end(struct spscring *ring, u32 role, u32 state)
{
	struct ring_end *end = ring_end_of(ring, role);
	u64 head, tail;
	bool held;
	u32 is;

	if (state == SPSCRING_SHUT_DOWN)
		ring_over(ring, role);
	mutex_lock(&ring->lock);
	held = end->state == SPSCRING_HELD;
	/* before another can claim it; after SHUTDOWN as well */
	if (state == SPSCRING_DEAD) {
		wait_forget(end);
		end->left = true;
	}
	if (end->over)
		state = SPSCRING_SHUT_DOWN;
	if (held) {
		ring_set_state(ring, role, state);
		if (state == SPSCRING_SHUT_DOWN) {
			trace_spscring_shutdown(ring, role);
		} else {
			ring_cursors(ring, &head, &tail);
			trace_spscring_death(ring, role, end->generation, head, tail);
		}
	}
	is = end->state;
	mutex_unlock(&ring->lock);
	if (held)
		wait_wake(ring_end_of(ring, ring_peer(role)), false);
	return is;
}

/* ----------------------------------------------------------------- reset */

/* Records of any size from @head to @tail, as their words have it; 0 if @head is at none. */
static u64 ring_count_records(struct spscring *ring, u64 head, u64 tail)
{
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	const struct spscring_geometry *g = &ring->geometry;
	u64 n = 0;

	while (head != tail) {
		u64 word = READ_ONCE(*ring_word(ring, head));
		u64 size = spscring_record_size(g->stride, (u32)word);

		if ((word & bits) >> 32 != spscring_phase(g, head) || size > tail - head)
			return 0;
		n += !(word & SPSCRING_WORD_DISCARDED);
		head += size;
		cond_resched();
	}
	return n;
}

/* How many the producer has published that the consumer's cursor says it has not read. */
static u64 ring_count_unread(struct spscring *ring, u64 tail)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head = READ_ONCE(ring->blocks.consumer->cursor);

	if (tail - head > g->capacity)
		return 0;
	if (!ring_has(ring, SPSCRING_CREATE_RECORDS))
		return tail - head;
	return head & (g->stride - 1) ? 0 : ring_count_records(ring, head, tail);
}

/*
 * What is lost has its numbers all the same: the consumer's next is what it was, if that
 * can be, so that the next record tells how many are missing.
 */
static void ring_reset_consumer(struct spscring *ring, u64 pos, u64 sequence)
{
	u64 *drops = &ring->blocks.producer->drops;
	u64 *next = &ring->blocks.consumer->sequence;
	u64 lost;

	/* one that overwrites has its consumer count */
	lost = ring_has(ring, SPSCRING_CREATE_OVERWRITE) ? 0 : ring_count_unread(ring, pos);
	WRITE_ONCE(*drops, *drops + lost);
	if (ring_has(ring, SPSCRING_CREATE_RECORDS) &&
	    sequence - READ_ONCE(*next) > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence - lost);
}

/* The producer's next number is what it says, if that can be. */
static void ring_reset_producer(struct spscring *ring, u64 sequence)
{
	u64 *next = &ring->blocks.producer->sequence;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS) &&
	    READ_ONCE(*next) - sequence > SPSCRING_WORD_SEQUENCE_MASK)
		WRITE_ONCE(*next, sequence);
}

/*
 * Where an empty ring begins: at the end's own position.  A producer that lies can have
 * taken its consumer near the wrap, if records are of any size: then the place without
 * its laps.
 */
static u64 ring_reset_position(struct spscring *ring, u64 pos)
{
	if (ring_has(ring, SPSCRING_CREATE_RECORDS) && pos > S64_MAX / 2)
		return pos % ring->geometry.data_bytes;
	return pos;
}

/* An empty ring's words; what is there yet, as a death would have left it, is mended. */
static int ring_empty(struct spscring *ring, u64 pos)
{
	struct spscring_producer_block *producer = ring->blocks.producer;
	struct spscring_consumer_block *consumer = ring->blocks.consumer;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		WRITE_ONCE(*ring_word(ring, pos), 0);
	else
		WRITE_ONCE(*ring_tail(ring, pos / ring->geometry.frame_records), pos);
	WRITE_ONCE(consumer->cursor, pos);
	WRITE_ONCE(consumer->published_head, pos);
	WRITE_ONCE(producer->oldest, pos);
	WRITE_ONCE(producer->cursor, pos);
	return ring_mend_producer(ring);
}

/* The other end is nobody's, and stays so while no claim is under way. */
static int ring_resettable(struct spscring *ring, u32 role)
{
	struct ring_end *end = ring_end_of(ring, role);
	struct ring_end *peer = ring_end_of(ring, ring_peer(role));
	int err = 0;

	lockdep_assert_held(&ring->claiming);
	mutex_lock(&ring->lock);
	if (end->state != SPSCRING_HELD || !end->kernel)
		err = -ESHUTDOWN;
	else if (peer->state == SPSCRING_HELD)
		err = -EBUSY;
	else if (peer->state == SPSCRING_SHUT_DOWN)
		err = ring_shut_down(peer);
	mutex_unlock(&ring->lock);
	return err;
}

/**
 * ring_reset() - make a ring empty and whole
 * @ring: the ring
 * @role: the end that does it, held by kernel code; the other one is held by nobody
 * @pos: its position
 * @sequence: where records are of any size, the number of its next
 *
 * Its handle is to be made anew.
 *
 * Return: 0, or a negative errno, see spscring_reset_producer().
 */
int ring_reset(struct spscring *ring, u32 role, u64 pos, u64 sequence)
{
	int err;

	if (ring->of_user)
		return -EPERM;
	mutex_lock(&ring->claiming);
	/* the driver's, whoever is the caller */
	ring->resetting = true;
	err = ring_resettable(ring, role) ?: memmap_pinned(ring, ring_peer(role));
	if (!err) {
		if (role == SPSCRING_PRODUCER)
			ring_reset_consumer(ring, pos, sequence);
		else
			ring_reset_producer(ring, sequence);
		err = ring_empty(ring, ring_reset_position(ring, pos));
	}
	if (!err) {
		WRITE_ONCE(ring->blocks.kernel->broken, 0);
		atomic_set(&ring->broken, 0);
	}
	ring->resetting = false;
	mutex_unlock(&ring->claiming);
	return err;
}

/**
 * ring_info() - look at a ring
 * @ring: the ring
 * @info: the result; size is the caller's
 */
void ring_info(struct spscring *ring, struct spscring_info *info)
{
	const struct spscring_producer_block *p = ring->blocks.producer;
	u64 length, oldest;

	info->geometry = ring->geometry;
	memcpy(info->name, ring->name, sizeof(info->name));
	ring_cursors(ring, &info->head, &info->tail);
	length = info->tail - info->head;
	if (ring_has(ring, SPSCRING_CREATE_OVERWRITE)) {
		oldest = ring_oldest(ring);
		length = min_t(s64, length, info->tail - oldest);
	}
	if ((s64)length < 0)
		length = 0;
	info->length = min(length, ring->geometry.capacity);
	info->free = ring->geometry.capacity - info->length;
	mutex_lock(&ring->lock);
	info->producer_state = ring->producer.state;
	info->producer_generation = ring->producer.generation;
	info->consumer_state = ring->consumer.state;
	info->consumer_generation = ring->consumer.generation;
	mutex_unlock(&ring->lock);
	wait_count(&ring->producer, &info->producer_sleep);
	wait_count(&ring->consumer, &info->consumer_sleep);
	info->broken = atomic_read(&ring->broken);
	info->loss.drops = READ_ONCE(p->drops);
	info->loss.overruns = READ_ONCE(ring->blocks.consumer->overruns);
	info->loss.high_water = READ_ONCE(p->high_water);
	info->loss.sequence = READ_ONCE(p->sequence);
}

/*
 * The length of the next record of any size, without taking it: on from the consumer's
 * cursor, a user's word, past what is discarded, to no more of it than a pop passes by.
 */
static u64 ring_next_length(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	const u64 bits = SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LAP;
	bool overwrites = ring_has(ring, SPSCRING_CREATE_OVERWRITE);
	/* (D) pairs with (C) */
	u64 pos = smp_load_acquire(&ring->blocks.consumer->cursor), word;
	int looks;

	for (looks = 0; looks < SPSCRING_DISCARDED_MAX; looks++) {
		if (overwrites)
			pos = max_t(s64, pos, ring_oldest(ring));
		if (pos & (g->stride - 1))
			break;
		/* (Q) pairs with (P) */
		word = smp_load_acquire(ring_word(ring, pos));
		/* (S) pairs with (R): it was no record's any more */
		smp_rmb();
		if (overwrites &&
		    (s64)(READ_ONCE(ring->blocks.producer->oldest) - pos) > 0)
			continue;
		if ((word & bits) >> 32 != spscring_phase(g, pos))
			break;
		if (!(word & SPSCRING_WORD_DISCARDED))
			return word & SPSCRING_WORD_LENGTH;
		pos += spscring_record_size(g->stride, (u32)word);
	}
	return 0;
}

/**
 * ring_next_bytes() - how much a read would find
 * @ring: the ring
 *
 * All that can be read; where records are of any size, the next one.  What a user wrote
 * there can make it wrong, but nothing is addressed by it unchecked.  Context: any.
 *
 * Return: bytes; 0 there is nothing, or an empty record.
 */
u64 ring_next_bytes(struct spscring *ring)
{
	const struct spscring_geometry *g = &ring->geometry;
	u64 head;

	if (ring_has(ring, SPSCRING_CREATE_RECORDS))
		return ring_next_length(ring);
	/* (D) pairs with (C) */
	head = smp_load_acquire(&ring->blocks.consumer->cursor);
	return min(ring_seen(ring, SPSCRING_CONSUMER, head) - head, g->capacity) * g->record_size;
}
