// SPDX-License-Identifier: GPL-2.0
/* Ends that the library maps: push, pop, wait; and lies in the words that an end may write. */
#include <errno.h>
#include <string.h>

#include "program.h"
#include "spscring.h"

struct end {
	enum kind kind;
	struct spscring_mapping map;
	struct spscring_geometry g;
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
		struct spscring_record_producer rp;
		struct spscring_record_consumer rc;
	};
};

static struct end ends[ENDS];
static char buffer[1 << 17];

static struct end *end_of(uint8_t a)
{
	return &ends[a % ENDS];
}

static void unmap_end(struct end *e)
{
	if (e->kind != NO_END)
		spscring_unmap(&e->map);
	e->kind = NO_END;
}

void handles_clean(void)
{
	int i;

	for (i = 0; i < ENDS; i++)
		unmap_end(&ends[i]);
}

long call_unmap_end(const struct step *s)
{
	unmap_end(end_of(s->a));
	return 0;
}

static long map_as(struct end *e, int fd, enum kind kind)
{
	const struct spscring_geometry *g = &e->g;

	switch (kind) {
	case PRODUCER:
		return spscring_map_producer(fd, &e->p, g->element_size, g->type_tag, &e->map);
	case CONSUMER:
		return spscring_map_consumer(fd, &e->c, g->element_size, g->type_tag, &e->map);
	case RECORD_PRODUCER:
		return spscring_record_map_producer(fd, &e->rp, g->type_tag, &e->map);
	default:
		return spscring_record_map_consumer(fd, &e->rc, g->type_tag, &e->map);
	}
}

/* Map the end in fd slot @b to end slot @a; @c & 1: as the consumer's. */
long call_map_end(const struct step *s)
{
	struct end *e = end_of(s->a);
	struct spscring_info info;
	enum kind kind;
	long err;

	unmap_end(e);
	err = spscring_get_info(slot_fd(s->b), &info);
	if (err)
		return err;
	e->g = info.geometry;
	kind = (e->g.flags & SPSCRING_CREATE_RECORDS ? RECORD_PRODUCER : PRODUCER) + (s->c & 1);
	err = map_as(e, slot_fd(s->b), kind);
	if (err)
		return err;
	e->kind = kind;
	/* a wait shall reach the kernel */
	if (s->c & 1)
		e->c.base.spin_max = 0;
	else
		e->p.base.spin_max = 0;
	return 0;
}

/* ------------------------------------------------------------------- calls */

static uint32_t batch_of(const struct end *e, uint32_t v)
{
	uint32_t n = v & 63, most = sizeof(buffer) / e->g.element_size;

	return n < most ? n : most;
}

static long move_producer(struct end *e, const struct step *s)
{
	void *slot;
	long n;

	switch (s->b % 5) {
	case 0:
		return spscring_push(&e->p, buffer);
	case 1:
		return spscring_push_n(&e->p, buffer, batch_of(e, s->v));
	case 2:
		n = spscring_reserve_n(&e->p, 1 + (s->v & 63), &slot);
		if (n > 0)
			spscring_commit_flags(&e->p, n, s->c & 3);
		return n;
	case 3:
		return spscring_wait_room(&e->p, s->v & 127, s->c & 1 ? 0 : -1);
	default:
		return spscring_arm_room(&e->p, s->v & 127);
	}
}

static long move_consumer(struct end *e, const struct step *s)
{
	const void *slot;
	long n;

	switch (s->b % 5) {
	case 0:
		return spscring_pop(&e->c, buffer);
	case 1:
		return spscring_pop_n(&e->c, buffer, batch_of(e, s->v));
	case 2:
		n = spscring_peek_n(&e->c, 1 + (s->v & 63), &slot);
		if (n > 0)
			spscring_release_n(&e->c, n);
		return n;
	case 3:
		return spscring_wait_elements(&e->c, s->v & 127, s->c & 1 ? 0 : -1);
	default:
		return spscring_arm_elements(&e->c, s->v & 127);
	}
}

static long move_record_producer(struct end *e, const struct step *s)
{
	switch (s->b % 4) {
	case 0:
		return spscring_record_push(&e->rp, buffer, length_of(s->v));
	case 1:
		spscring_record_drop(&e->rp, s->v & 15);
		return 0;
	case 2:
		return spscring_record_wait_room(&e->rp, s->v & 4095, s->c & 1 ? 0 : -1);
	default:
		return spscring_record_arm_room(&e->rp, s->v & 4095);
	}
}

static long move_record_consumer(struct end *e, const struct step *s)
{
	switch (s->b % 3) {
	case 0:
		return spscring_record_pop(&e->rc, buffer, length_of(s->v));
	case 1:
		return spscring_record_wait_bytes(&e->rc, s->v & 4095, s->c & 1 ? 0 : -1);
	default:
		return spscring_record_arm_bytes(&e->rc, s->v & 4095);
	}
}

/* Move data, or wait, by the handle in end slot @a. */
long call_move(const struct step *s)
{
	struct end *e = end_of(s->a);
	long ret;

	interrupts(true);
	switch (e->kind) {
	case PRODUCER:
		ret = move_producer(e, s);
		break;
	case CONSUMER:
		ret = move_consumer(e, s);
		break;
	case RECORD_PRODUCER:
		ret = move_record_producer(e, s);
		break;
	case RECORD_CONSUMER:
		ret = move_record_consumer(e, s);
		break;
	default:
		ret = -ENOENT;
	}
	interrupts(false);
	return ret;
}

/* -------------------------------------------------------------------- lies */

/* A word of the data that steers the peer: the tail or record word where the end is, or any. */
static uint64_t *data_word(struct end *e, const struct step *s)
{
	if (s->b & 1)
		return (uint64_t *)(e->p.base.data + s->v % e->g.data_bytes / 8 * 8);
	if (e->kind == RECORD_PRODUCER)
		return (uint64_t *)e->rp.word;
	return (uint64_t *)(e->p.base.data + e->p.base.pos / e->g.frame_elements % e->g.frames *
			    e->g.frame_size);
}

/*
 * Store a word that end @a may write.  @b: which; @c: 0 any value, 1 a little more or less than it
 * has, 2 another bit.
 */
long call_lie(const struct step *s)
{
	struct end *e = end_of(s->a);
	const unsigned int words = sizeof(struct spscring_producer_block) / 8;
	bool producer = e->kind == PRODUCER || e->kind == RECORD_PRODUCER;
	uint64_t *word, value;

	if (e->kind == NO_END)
		return -ENOENT;
	if (producer && s->b & 128)
		word = data_word(e, s);
	else
		word = (uint64_t *)(producer ? (void *)e->p.base.block :
				    (void *)e->c.base.block) + s->b % words;
	value = __atomic_load_n(word, __ATOMIC_RELAXED);
	switch (s->c % 3) {
	case 0:
		value = word_of(s->v);
		break;
	case 1:
		value += (int16_t)s->v;
		break;
	default:
		value ^= UINT64_C(1) << (s->v & 63);
	}
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	return 0;
}
