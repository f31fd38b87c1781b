// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: a ring's geometry, and the first state of blocks and handles.  See layout.h.
 */
#include <linux/export.h>
#include <spscring/layout.h>

void spscring_kernel_block_init(struct spscring_kernel_block *block, __u32 flags)
{
	__u64 event = SPSCRING_EVENT_NONE;

	if (!(flags & SPSCRING_CREATE_BUSY_POLL))
		event |= SPSCRING_EVENT_FENCE;
	block->consumer_event = event;
	block->producer_event = event;
}
EXPORT_SYMBOL_GPL(spscring_kernel_block_init);

static void spscring_producer_base_init(struct spscring_producer_base *p,
					const struct spscring_geometry *g,
					const struct spscring_blocks *blocks)
{
	p->block = blocks->producer;
	p->cursor = &p->block->cursor;
	p->peer_published_head = &blocks->consumer->published_head;
	p->peer_cursor = &blocks->consumer->cursor;
	p->kernel = blocks->kernel;
	p->event = &p->kernel->consumer_event;
	p->pos = spscring_read_once(*p->cursor);
	p->cached_limit = p->pos;
	p->run_end = p->pos;
	p->capacity = g->capacity;
	p->cpu = -1;
	p->stride = g->stride;
	p->flags = g->flags;
	p->features = g->features;
}

int spscring_producer_begin(struct spscring_producer *p, const struct spscring_geometry *g,
			    const struct spscring_blocks *blocks, void *data)
{
	__u64 frame, first, tail;

	if (g->flags & SPSCRING_CREATE_RECORDS)
		return -EPROTOTYPE;
	memset(p, 0, sizeof(*p));
	spscring_producer_base_init(&p->base, g, blocks);
	p->element_size = g->element_size;
	p->frame_size = g->frame_size;
	p->frame_first = g->frame_first;
	p->frame_elements = g->frame_elements;
	p->frame_last = g->frame_first + g->frame_elements * g->stride;
	p->base.data = (char *)data;
	p->base.end = p->base.data + g->frames * g->frame_size;
	frame = p->base.pos / g->frame_elements;
	first = frame * g->frame_elements;
	p->frame = spscring_frame_of(p, p->base.data + frame % g->frames * g->frame_size, first);
	tail = spscring_read_once(*p->frame.tail);
	/* the cursor may lag the tail of its frame */
	if (tail - first <= g->frame_elements && tail - first > p->base.pos - first)
		p->base.pos = tail;
	p->base.cached_limit = p->base.pos;
	p->base.run_end = p->base.pos;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_producer_begin);

static void spscring_consumer_base_init(struct spscring_consumer_base *c,
					const struct spscring_geometry *g,
					const struct spscring_blocks *blocks)
{
	c->block = blocks->consumer;
	c->cursor = &c->block->cursor;
	c->peer = blocks->producer;
	c->kernel = blocks->kernel;
	c->event = &c->kernel->producer_event;
	c->pos = spscring_read_once(*c->cursor);
	c->publish_batch = g->publish_batch;
	c->publish_at = c->pos + c->publish_batch;
	c->cpu = -1;
	c->backoff = 1;
	c->waited_at = c->pos;
	c->capacity = g->capacity;
	c->stride = g->stride;
	c->flags = g->flags;
	c->features = g->features;
}

int spscring_consumer_begin(struct spscring_consumer *c, const struct spscring_geometry *g,
			    const struct spscring_blocks *blocks, const void *data)
{
	char *frame;
	__u64 slot;

	if (g->flags & SPSCRING_CREATE_RECORDS)
		return -EPROTOTYPE;
	memset(c, 0, sizeof(*c));
	spscring_consumer_base_init(&c->base, g, blocks);
	c->cached_tail = c->base.pos;
	c->element_size = g->element_size;
	c->frame_size = g->frame_size;
	c->frame_first = g->frame_first;
	c->frame_elements = g->frame_elements;
	c->base.data = (char *)data;
	c->base.end = c->base.data + g->frames * g->frame_size;
	frame = c->base.data + c->base.pos / g->frame_elements % g->frames * g->frame_size;
	c->tail = (const __u64 *)frame;
	slot = c->base.pos % g->frame_elements;
	c->frame_end = c->base.pos - slot + g->frame_elements;
	c->slots = spscring_slots(frame, g->frame_first, c->base.pos - slot, g->stride);
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_consumer_begin);

/* Is this a ring of records, and can @pos be the position of a word? */
static int spscring_record_check(const struct spscring_geometry *g, __u64 pos)
{
	if (!(g->flags & SPSCRING_CREATE_RECORDS))
		return -EPROTOTYPE;
	return pos & (g->stride - 1) ? -EPIPE : 0;
}

int spscring_record_producer_begin(struct spscring_record_producer *p,
				   const struct spscring_geometry *g,
				   const struct spscring_blocks *blocks, void *data)
{
	struct spscring_producer_base *b = &p->base;
	int err;

	memset(p, 0, sizeof(*p));
	spscring_producer_base_init(b, g, blocks);
	p->oldest = spscring_read_once(b->block->oldest);
	err = spscring_record_check(g, b->pos | p->oldest);
	if (err)
		return err;
	/* words are placed so that the bytes after them are aligned */
	b->data = (char *)data + g->stride - SPSCRING_WORD;
	b->end = b->data + g->data_bytes;
	p->word = b->data + b->pos % g->data_bytes;
	p->phase = spscring_phase(g, b->pos);
	p->cleared = b->pos;
	p->sequence = spscring_read_once(b->cursor[1]);
	p->oldest_sequence = spscring_read_once(b->block->oldest_sequence);
	p->oldest_at = b->data + p->oldest % g->data_bytes;
	if (g->flags & SPSCRING_CREATE_OVERWRITE)
		b->cached_limit = p->oldest + b->capacity;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_record_producer_begin);

/*
 * The sequence number of the record at the cursor.  A consumer that died within a call has stored
 * its number before its cursor, so that number may be ahead by the records of one call.  These
 * records are then still there, and the word of the first has the right number.
 */
static __u64 spscring_record_first_sequence(const struct spscring_record_consumer *c)
{
	/* (Q) pairs with (P) */
	__u64 word = spscring_load_acquire((const __u64 *)c->word);
	__u64 sequence = spscring_read_once(c->base.cursor[1]);

	if (c->base.flags & SPSCRING_CREATE_OVERWRITE || !spscring_word_is_there(c, word))
		return sequence;
	return spscring_sequence_of(word, sequence);
}

int spscring_record_consumer_begin(struct spscring_record_consumer *c,
				   const struct spscring_geometry *g,
				   const struct spscring_blocks *blocks, const void *data)
{
	struct spscring_consumer_base *b = &c->base;
	int err;

	memset(c, 0, sizeof(*c));
	spscring_consumer_base_init(b, g, blocks);
	err = spscring_record_check(g, b->pos);
	if (err)
		return err;
	b->data = (char *)data + g->stride - SPSCRING_WORD;
	b->end = b->data + g->data_bytes;
	c->word = b->data + b->pos % g->data_bytes;
	c->phase = spscring_phase(g, b->pos);
	c->sequence = spscring_record_first_sequence(c);
	c->waited_sequence = c->sequence;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_record_consumer_begin);

/* What both shapes have in common; @data is the size of the data in bytes. */
static void spscring_geometry_pages(struct spscring_geometry *g,
				    const struct spscring_create *want, __u64 data, __u32 page)
{
	memset(g, 0, sizeof(*g));
	g->capacity = want->capacity;
	g->data_bytes = (data + page - 1) & -(__u64)page;
	g->consumer_offset = 0;
	g->info_offset = page;
	g->producer_offset = 2ULL * page;
	g->data_offset = 3ULL * page;
	g->memory = g->data_offset + g->data_bytes;
	g->type_tag = want->type_tag;
	g->page_size = page;
	g->version = SPSCRING_VERSION;
	g->oldest_reader = SPSCRING_OLDEST_READER;
	g->flags = want->flags;
}

/* Which rule do the flags break, or the reserved field? */
static __u32 spscring_why_flags(const struct spscring_create *want)
{
	const __u32 wakes = SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_FENCE;
	const __u32 losses = SPSCRING_CREATE_DROP | SPSCRING_CREATE_OVERWRITE;
	const __u32 others = SPSCRING_CREATE_NUMA_NODE | SPSCRING_CREATE_RECORDS |
		SPSCRING_CREATE_CLOSE_ENDS;

	if (want->flags & ~(wakes | losses | others))
		return SPSCRING_WHY_FLAGS;
	if (want->reserved)
		return SPSCRING_WHY_RESERVED;
	if ((want->flags & wakes) == wakes)
		return SPSCRING_WHY_WAKES;
	if ((want->flags & losses) == losses)
		return SPSCRING_WHY_LOSSES;
	if (want->flags & losses && !(want->flags & SPSCRING_CREATE_RECORDS))
		return SPSCRING_WHY_NEEDS_RECORDS;
	if (want->numa_node && !(want->flags & SPSCRING_CREATE_NUMA_NODE))
		return SPSCRING_WHY_NODE_UNASKED;
	return 0;
}

/* Logs print the name: only printable ASCII, and nothing hidden after its end. */
static __u32 spscring_why_name(const __u8 *name)
{
	int i = 0;

	while (i < SPSCRING_NAME_MAX && name[i] >= ' ' && name[i] <= '~')
		i++;
	while (i < SPSCRING_NAME_MAX && !name[i])
		i++;
	return i < SPSCRING_NAME_MAX ? SPSCRING_WHY_NAME : 0;
}

static __u32 spscring_record_align(const struct spscring_create *want)
{
	return want->align ? want->align : SPSCRING_RECORD_ALIGN_MIN;
}

static __u32 spscring_why_records(const struct spscring_create *want)
{
	__u32 align = spscring_record_align(want);

	if (want->element_size)
		return SPSCRING_WHY_RECORDS_SIZE;
	if (want->frame_size)
		return SPSCRING_WHY_RECORDS_FRAME;
	if (align & (align - 1) || align < SPSCRING_RECORD_ALIGN_MIN ||
	    align > SPSCRING_RECORD_ALIGN_MAX)
		return SPSCRING_WHY_RECORDS_ALIGN;
	if (want->capacity & (align - 1))
		return SPSCRING_WHY_RECORDS_MULTIPLE;
	if (want->capacity < 2ULL * align)
		return SPSCRING_WHY_RECORDS_CAPACITY;
	return want->capacity > SPSCRING_DATA_MAX ? SPSCRING_WHY_TOO_LARGE : 0;
}

static __u32 spscring_why_elements(const struct spscring_create *want)
{
	__u32 size = want->element_size, align = want->align, frame = want->frame_size;

	if (!size || size > SPSCRING_ELEMENT_MAX)
		return SPSCRING_WHY_ELEMENT_SIZE;
	if (!want->capacity)
		return SPSCRING_WHY_CAPACITY;
	if (align & (align - 1) || align > SPSCRING_ALIGN_MAX)
		return SPSCRING_WHY_ALIGN;
	if (frame & (frame - 1) || frame > SPSCRING_FRAME_MAX ||
	    (frame && frame < SPSCRING_FRAME_MIN))
		return SPSCRING_WHY_FRAME_SIZE;
	return want->capacity > SPSCRING_DATA_MAX ? SPSCRING_WHY_TOO_LARGE : 0;
}

/* A ring of records: the data are one run of bytes. */
static __u32 spscring_lay_out_records(struct spscring_geometry *g,
				      const struct spscring_create *want, __u32 page)
{
	__u32 align = spscring_record_align(want);
	__u32 why = spscring_why_records(want);

	if (why)
		return why;
	spscring_geometry_pages(g, want, want->capacity, page);
	g->stride = align;
	g->publish_batch = want->capacity / 8 & -(__u64)align;
	if (!g->publish_batch)
		g->publish_batch = align;
	return 0;
}

/* A ring of elements: the data are frames. */
static __u32 spscring_lay_out_elements(struct spscring_geometry *g,
				       const struct spscring_create *want, __u32 page)
{
	__u32 size = want->element_size, align = want->align, frame = want->frame_size;
	__u32 why = spscring_why_elements(want);
	__u32 stride, first, elements;
	__u64 frames;

	if (why)
		return why;
	if (!align) {
		align = size & -size;
		if (align > SPSCRING_ALIGN_MAX)
			align = SPSCRING_ALIGN_MAX;
	}
	stride = (size + align - 1) & -align;
	first = align < 8 ? 8 : align;
	if (frame) {
		if (frame < first + stride)
			return SPSCRING_WHY_FRAME_ROOM;
	} else {
		/* the smallest that holds an element, and holds all or wastes at most 13 % */
		frame = SPSCRING_FRAME_MIN;
		while (frame < first + stride ||
		       ((elements = (frame - first) / stride) < want->capacity &&
			100ULL * (frame - elements * stride) > 13ULL * frame))
			frame *= 2;
	}
	elements = (frame - first) / stride;

	frames = (want->capacity + elements - 1) / elements;
	if (frames > SPSCRING_DATA_MAX / frame)
		return SPSCRING_WHY_TOO_LARGE;
	spscring_geometry_pages(g, want, frames * frame, page);
	g->frames = frames;
	g->element_size = size;
	g->stride = stride;
	g->frame_size = frame;
	g->frame_elements = elements;
	g->frame_first = first;
	g->publish_batch = want->capacity < 8 ? 1 : want->capacity / 8;
	return 0;
}

static __u32 spscring_lay_out(struct spscring_geometry *g, const struct spscring_create *want,
			      __u32 page)
{
	return want->flags & SPSCRING_CREATE_RECORDS ? spscring_lay_out_records(g, want, page) :
		spscring_lay_out_elements(g, want, page);
}

int spscring_geometry_init(struct spscring_geometry *g, const struct spscring_create *want,
			   __u32 page)
{
	__u32 why = spscring_lay_out(g, want, page);

	if (why)
		return why == SPSCRING_WHY_TOO_LARGE ? -E2BIG : -EINVAL;
	return 0;
}
EXPORT_SYMBOL_GPL(spscring_geometry_init);

__u32 spscring_create_why(const struct spscring_create *want)
{
	struct spscring_geometry g;
	__u32 why = spscring_why_flags(want);

	if (!why)
		why = spscring_why_name(want->name);
	/* no rule depends on the size of a page */
	return why ? why : spscring_lay_out(&g, want, 4096);
}
EXPORT_SYMBOL_GPL(spscring_create_why);
