/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The loops of records of variable length.  A part of loops.h, which describes the verbs.
 */
#ifdef LOOPS_MIXED
static _Alignas(4096) char mixed[4096];

static __always_inline uint32_t length_of(const struct point *p, uint64_t i)
{
	return p->list ? bench_length(p->list - 1, i) : p->bytes;
}

static __always_inline void check_mark(const char *rec, uint32_t bytes, uint32_t i)
{
	check(mark_read(rec, bytes, i), i);
}

static __always_inline void send(struct producer *p, const char *rec, uint32_t bytes)
{
	while (unlikely(!try_send(p, rec, bytes)))
		wait_push(p);
}

/* Take the next record into mixed[], and check that it has @bytes bytes. */
static __always_inline void take(struct consumer *c, uint32_t bytes)
{
	uint32_t length;

	while (unlikely(!(length = try_take(c, mixed, sizeof(mixed)))))
		wait_pop(c);
	check(length, bytes);
}

static __always_inline void produce_records_by(struct run *run, put_fn put)
{
	uint64_t total = run->warmup + run->count;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++)
		put(&p, &run->cell->point, i);
}

static __always_inline void consume_records_by(struct run *run, get_fn get)
{
	uint64_t total = run->warmup + run->count, began = 0;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		if (unlikely(i == run->warmup))
			began = ticks();
		get(&c, &run->cell->point, i);
	}
	run->shared->ticks = ticks() - began;
}

static __always_inline void echo_records_by(struct run *run, get_fn get, put_fn put)
{
	uint64_t total = run->warmup + run->count;
	struct producer p;
	struct consumer c;

	be_consumer(run, 0, &c);
	be_producer(run, 1, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		get(&c, &run->cell->point, i);
		put(&p, &run->cell->point, i);
	}
}

/* Send the record that was taken last. */
static __always_inline void put_back(struct producer *p, const struct point *point, uint64_t i)
{
	send(p, mixed, length_of(point, i));
}

static __always_inline void put_marked(struct producer *p, const struct point *point, uint64_t i)
{
	mark_write(mixed, length_of(point, i), i);
	put_back(p, point, i);
}

static __always_inline void get_marked(struct consumer *c, const struct point *point, uint64_t i)
{
	take(c, length_of(point, i));
	check_mark(mixed, length_of(point, i), i);
}

static void produce_mixed(struct run *run)
{
	produce_records_by(run, put_marked);
}

static void consume_mixed(struct run *run)
{
	consume_records_by(run, get_marked);
}

static void ping_mixed(struct run *run)
{
	ping_by(run, put_marked, get_marked);
}

static void echo_mixed(struct run *run)
{
	echo_records_by(run, get_marked, put_back);
}
#endif

#ifdef LOOPS_IN_PLACE
/* Both tests write and read every byte of a record, so their difference is the copies. */
static __always_inline void fill(char *rec, uint32_t bytes, uint32_t i)
{
	memset(rec, (uint8_t)i, bytes);
	mark_write(rec, bytes, i);
}

static __always_inline void check_filled(const char *rec, uint32_t bytes, uint32_t i)
{
	const char *first = rec + sizeof(i);

	check_mark(rec, bytes, i);
	if (bytes <= 2 * sizeof(i))
		return;
	/* comparing the bytes with themselves, shifted by one, reads them at full speed */
	check((uint8_t)*first, (uint8_t)i);
	check(memcmp(first, first + 1, bytes - 2 * sizeof(i) - 1), 0);
}

static __always_inline void put_whole(struct producer *p, const struct point *point, uint64_t i)
{
	uint32_t bytes = length_of(point, i);
	char *rec = mixed;

	if (point->in_place)
		while (unlikely(!(rec = (char *)try_reserve(p, bytes))))
			wait_push(p);
	fill(rec, bytes, i);
	if (point->in_place)
		commit(p, rec, bytes);
	else
		send(p, rec, bytes);
}

static __always_inline void get_whole(struct consumer *c, const struct point *point, uint64_t i)
{
	uint32_t bytes = length_of(point, i), length;
	const char *rec;

	if (!point->in_place) {
		take(c, bytes);
		check_filled(mixed, bytes, i);
		return;
	}
	while (unlikely(!(length = try_peek(c, &rec))))
		wait_pop(c);
	check(length, bytes);
	check_filled(rec, bytes, i);
	release(c);
}

static void produce_whole(struct run *run)
{
	produce_records_by(run, put_whole);
}

static void consume_whole(struct run *run)
{
	consume_records_by(run, get_whole);
}

static void ping_whole(struct run *run)
{
	ping_by(run, put_whole, get_whole);
}

static void echo_whole(struct run *run)
{
	echo_records_by(run, get_whole, put_whole);
}
#endif

#ifdef LOOPS_FLOOD
#define SLOW_TICKS	5000	/* between two records of a slow consumer */

/* Measure a push that never waits: the ring drops or overwrites records. */
static void produce_flood(struct run *run)
{
	const struct point *point = &run->cell->point;
	uint64_t total = run->warmup + run->count, began = 0, lost = 0;
	struct producer p;

	be_producer(run, 0, &p);
	ready(run);
	run_start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint32_t bytes = length_of(point, i);

		if (unlikely(i == run->warmup))
			began = ticks();
		mark_write(mixed, bytes, i);
		lost += !push_or_lose(&p, mixed, bytes);
	}
	run->shared->ticks = ticks() - began;
	run->shared->lost = lost;
	/* pairs with consume_flood() */
	smp_store_release(&run->shared->over, 1);
	/* keep the end until the consumer has finished; pairs with consume_flood() */
	while (smp_load_acquire(&run->shared->over) != 2)
		cpu_relax();
}

static void consume_flood(struct run *run)
{
	const struct point *point = &run->cell->point;
	uint64_t next = 0, over = 0, begin;
	uint32_t length, i;
	struct consumer c;

	if (point->taker != TAKER_NONE)
		be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	while (point->taker != TAKER_NONE) {
		length = try_take(&c, mixed, sizeof(mixed));
		if (!length) {
			if (over)
				break;
			/* pairs with produce_flood(); the next poll finds all that it pushed */
			over = smp_load_acquire(&run->shared->over);
			wait_pop(&c);
			continue;
		}
		memcpy(&i, mixed, sizeof(i));
		if (unlikely(i < next))
			die("record %u came after record %llu", i, (unsigned long long)next - 1);
		next = i + 1ULL;
		check(length, length_of(point, i));
		check_mark(mixed, length, i);
		begin = ticks();
		while (point->taker == TAKER_SLOW && ticks() - begin < SLOW_TICKS)
			cpu_relax();
	}
	/* pairs with produce_flood() */
	while (smp_load_acquire(&run->shared->over) != 1)
		cpu_relax();
	/* pairs with produce_flood() */
	smp_store_release(&run->shared->over, 2);
}
#endif
