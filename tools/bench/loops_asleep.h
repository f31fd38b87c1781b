/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The loops of a consumer that sleeps.  A part of loops.h, which describes the verbs.
 */
#ifdef LOOPS_ASLEEP
static __always_inline uint64_t pop_asleep(struct consumer *c)
{
	uint64_t v;

	while (!try_pop(c, &v))
		sleep_pop(c, 1);
	return v;
}

static __always_inline void get_asleep(struct consumer *c, const struct point *point, uint64_t i)
{
	(void)point;
	check(pop_asleep(c), i);
}

static void ping_wake(struct run *run)
{
	ping_by(run, put_number, get_asleep);
}

static void echo_wake(struct run *run)
{
	echo_by(run, pop_asleep);
}

#ifndef LOOPS_TOLD
static __always_inline void be_told(struct run *run, int end)
{
	(void)run;
	(void)end;
}

static __always_inline void tell(struct run *run, uint64_t i)
{
	/* pairs with await_told() */
	smp_store_release(&run->shared->looked, i + 1);
}

static __always_inline void await_told(struct run *run, uint64_t i)
{
	/* pairs with tell() */
	while (smp_load_acquire(&run->shared->looked) <= i)
		cpu_relax();
}
#endif

/* Wait until the consumer is about to sleep, and then as long as it takes to fall asleep. */
static __always_inline void when_asleep(struct run *run, uint64_t i)
{
	uint64_t load = run->load >> PACED_BITS, began;

	await_told(run, i);
	began = ticks();
	while (ticks() - began < load)
		cpu_relax();
}

static __always_inline uint64_t pop_looked(struct run *run, struct consumer *c, uint64_t i)
{
	tell(run, i);
	return pop_asleep(c);
}

static void produce_wake(struct run *run)
{
	be_told(run, 0);
	produce_stamps_when(run, when_asleep);
}

static void consume_wake(struct run *run)
{
	be_told(run, 1);
	consume_stamps_by(run, pop_looked);
}

/* Sleep until there is a batch, then pop all; produce_paced() is the producer. */
static void consume_watermark(struct run *run)
{
	uint64_t left = run->warmup + run->count, due = 0, found[PACED_LOOK], began = 0;
	uint32_t batch = run->cell->point.batch;
	struct consumer c;

	be_consumer(run, 0, &c);
	ready(run);
	run_start(run);
	while (left) {
		uint32_t n = try_drain(&c, found, left < PACED_LOOK ? left : PACED_LOOK);

		if (!n) {
			sleep_pop(&c, left < batch ? left : batch);
			continue;
		}
		left -= n;
		for (uint32_t k = 0; k < n; k++, due += run->load)
			check(found[k], due);
		if (!began && left <= run->count)
			began = ticks();
	}
	run->shared->ticks = ticks() - began;
}
#endif
