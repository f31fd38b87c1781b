// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Rings: of the device, and the same header on a memfd; u64 records.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "tests/spscring_peer.h"

#define BATCH	64

static const struct spscring_create want = {
	.size = sizeof(want), .capacity = BENCH_CAPACITY, .record_size = sizeof(uint64_t),
	.name = "bench",
};

static void open_device(struct run *run)
{
	for (int i = 0; i < 2; i++) {
		run->ring_fd[i] = spscring_open(&want);
		if (run->ring_fd[i] < 0)
			die("/dev/spscring: %s", strerror(-run->ring_fd[i]));
	}
}

static void open_plain(struct run *run)
{
	struct spscring_geometry *g = &run->geometry;
	int err = spscring_geometry_init(g, &want, sysconf(_SC_PAGESIZE));

	if (err)
		die("geometry: %s", strerror(-err));
	/* as the kernel does it, from ring to ring */
	g->colour = run->number % SPSCRING_COLOURS * SPSCRING_LINE;
	run_memory(run, g->memory);
}

static void be_producer(struct run *run, int ring, struct spscring_producer *p)
{
	const struct spscring_geometry *g = &run->geometry;
	char *memory = run->memory[ring];
	int fd;

	if (memory) {
		spscring_producer_init(p, g, memory + g->consumer_offset, memory + g->info_offset,
				       memory + g->producer_offset, memory + g->data_offset);
		return;
	}
	fd = spscring_claim(run->ring_fd[ring], SPSCRING_PRODUCER, 0);
	if (fd >= 0)
		fd = spscring_map_producer(fd, p, NULL);
	if (fd < 0)
		die("producer: %s", strerror(-fd));
}

static void be_consumer(struct run *run, int ring, struct spscring_consumer *c)
{
	const struct spscring_geometry *g = &run->geometry;
	char *memory = run->memory[ring];
	int fd;

	if (memory) {
		spscring_consumer_init(c, g, memory + g->consumer_offset, memory + g->info_offset,
				       memory + g->data_offset);
		return;
	}
	fd = spscring_claim(run->ring_fd[ring], SPSCRING_CONSUMER, 0);
	if (fd >= 0)
		fd = spscring_map_consumer(fd, c, NULL);
	if (fd < 0)
		die("consumer: %s", strerror(-fd));
}

/* From here on this process has nothing but its endpoints. */
static void start(struct run *run)
{
	for (int i = 0; i < 2; i++)
		if (run->ring_fd[i] >= 0)
			close(run->ring_fd[i]);
	run_start(run);
}

/* Between two tries; a consumer knows how long. */
static __always_inline void again(long err, const struct spscring_consumer *c)
{
	if (unlikely(err != -EAGAIN))
		die("push or pop: %s", strerror(-err));
	if (c)
		spscring_relax(c);
	else
		cpu_relax();
}

static __always_inline void push(struct spscring_producer *p, uint64_t v)
{
	int err;

	while ((err = spscring_push_fixed(p, &v, sizeof(v))))
		again(err, NULL);
}

static __always_inline uint64_t pop(struct spscring_consumer *c)
{
	uint64_t v;
	int err;

	while ((err = spscring_pop_fixed(c, &v, sizeof(v))))
		again(err, c);
	return v;
}

static __always_inline void check(uint64_t got, uint64_t expected)
{
	if (unlikely(got != expected))
		die("wrong value: %llu instead of %llu", (unsigned long long)got,
		    (unsigned long long)expected);
}

static void ping(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, began = 0;
	struct spscring_producer p;
	struct spscring_consumer c;

	be_producer(run, 0, &p);
	be_consumer(run, 1, &c);
	start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t begin = ticks();

		push(&p, i);
		check(pop(&c), i);
		if (i >= warmup)
			hist_add(&run->shared->hist, ticks() - begin);
		else
			began = begin;
	}
	run->shared->ticks = ticks() - began;
}

static void echo(struct run *run)
{
	uint64_t total = run->warmup + run->count;
	struct spscring_consumer c;
	struct spscring_producer p;

	be_consumer(run, 0, &c);
	be_producer(run, 1, &p);
	start(run);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t v = pop(&c);

		check(v, i);
		push(&p, v);
	}
}

static void produce(struct run *run)
{
	uint64_t total = run->warmup + run->count;
	struct spscring_producer p;

	be_producer(run, 0, &p);
	start(run);
	for (uint64_t i = 0; i < total; i++)
		push(&p, i);
}

static void consume(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, i, began;
	struct spscring_consumer c;

	be_consumer(run, 0, &c);
	start(run);
	for (i = 0; i < warmup; i++)
		check(pop(&c), i);
	began = ticks();
	for (; i < total; i++)
		check(pop(&c), i);
	run->shared->ticks = ticks() - began;
}

static void produce_n(struct run *run)
{
	uint64_t total = run->warmup + run->count, recs[BATCH];
	struct spscring_producer p;

	be_producer(run, 0, &p);
	start(run);
	for (uint64_t i = 0; i < total; i += BATCH) {
		for (int k = 0; k < BATCH; k++)
			recs[k] = i + k;
		for (long n, done = 0; done < BATCH; done += n) {
			while ((n = spscring_push_n_fixed(&p, recs + done, BATCH - done,
							  sizeof(*recs))) < 0)
				again(n, NULL);
		}
	}
}

static uint64_t consume_to(struct spscring_consumer *c, uint64_t i, uint64_t end)
{
	uint64_t recs[BATCH];

	while (i < end) {
		long n = spscring_pop_n_fixed(c, recs, BATCH, sizeof(*recs));
		uint64_t wrong = 0;

		if (unlikely(n < 0)) {
			again(n, c);
			continue;
		}
		for (long k = 0; k < n; k++)
			wrong |= recs[k] ^ (i + k);
		check(wrong, 0);
		i += n;
	}
	return i;
}

static void consume_n(struct run *run)
{
	uint64_t warmup = run->warmup, total = warmup + run->count, i, began;
	struct spscring_consumer c;

	be_consumer(run, 0, &c);
	start(run);
	i = consume_to(&c, 0, warmup);
	began = ticks();
	consume_to(&c, i, total);
	/* a batch may have gone past the end of the warm-up */
	run->shared->ticks = (ticks() - began) * (double)run->count / (total - i);
}

#define RTT		"rtt", 1, BENCH_CAPACITY, 20000, 300000
#define THROUGHPUT	"throughput", 1, BENCH_CAPACITY, 200000, 5000000
#define BATCHES		"batch", BATCH, BENCH_CAPACITY, 200000, 10000000
#define USER(f)		{ .user = (f) }
#define KERNEL(op)	{ .kernel = SPSCRING_PEER_ ## op }

/* In the order in which they run: what is compared is close in time. */
const struct cell ring_cells[] = {
	{ "u-u", "spscring", RTT, open_device, { USER(ping), USER(echo) } },
	{ "k-u", "spscring", RTT, open_device, { KERNEL(PING), USER(echo) } },
	{ "u-k", "spscring", RTT, open_device, { USER(ping), KERNEL(ECHO) } },
	{ "u-u", "spscring-plain", RTT, open_plain, { USER(ping), USER(echo) } },
	{ "u-u", "spscring", THROUGHPUT, open_device, { USER(produce), USER(consume) } },
	{ "k-u", "spscring", THROUGHPUT, open_device, { KERNEL(SOURCE), USER(consume) } },
	{ "u-k", "spscring", THROUGHPUT, open_device, { USER(produce), KERNEL(SINK) } },
	{ "u-u", "spscring-plain", THROUGHPUT, open_plain, { USER(produce), USER(consume) } },
	{ "u-u", "spscring", BATCHES, open_device, { USER(produce_n), USER(consume_n) } },
	{ "k-u", "spscring", BATCHES, open_device, { KERNEL(SOURCE), USER(consume_n) } },
	{ "u-k", "spscring", BATCHES, open_device, { USER(produce_n), KERNEL(SINK) } },
	{ "u-u", "spscring-plain", BATCHES, open_plain, { USER(produce_n), USER(consume_n) } },
	{}
};
