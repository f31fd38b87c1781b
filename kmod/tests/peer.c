// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/spscring_peer, see spscring_peer.h.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/spscring_record.h>

#include "bench/hist.h"
#include "bench/lengths.h"
#include "bench/stamp.h"
#include "spscring_kapi.h"
#include "spscring_peer.h"
#include "trace.h"

/* Failed tries, and records, between two looks at whether to go on. */
#define PEER_TRIES	256
#define PEER_RECORDS	4096

#define PEER_LISTS	(SPSCRING_PEER_KLOG | SPSCRING_PEER_PCAP)

/* In ns: no wake-up is as late as this, but a lost one. */
#define PEER_PATIENCE	(30 * NSEC_PER_SEC)

struct peer {
	struct mutex lock;	/* start and join */
	struct task_struct *thread;
	struct completion finished;
	bool stop;

	/* the thread's, while it runs */
	struct spscring_peer_start want;
	struct spscring *ring;
	struct spscring *back;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;	/* where records are of any size */
	struct spscring_record_consumer rc;
	bool any_size;
	u32 roles[2];		/* claimed of ring and of back */
	u32 size;		/* of a record; the most, where they are of any size */
	u32 list;		/* LENGTHS_* + 1, or 0 */
	u32 tries;
	u64 due;		/* the next batch of PACED */
	u64 polled;		/* what POLLED has pushed; the polls' */
	bool watches;		/* polls */
	struct irq_work kick;
	struct file *event;	/* EVENT's; and the eventfd behind it, or NULL */
	struct eventfd_ctx *eventfd;
	void *recs;
	struct hist *hist;
	int (*run)(struct peer *peer, u64 n);
	struct spscring_peer_result result;
};

/*
 * The benchmark's clock: UML on x86-64 has no get_cycles(), but the processor's
 * counter is there; the lfence keeps it behind the loads before it.
 */
static __always_inline u64 peer_ticks(void)
{
#ifdef CONFIG_X86_64
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) :: "memory");
	return (u64)high << 32 | low;
#else
	return ktime_get_ns();
#endif
}

static int peer_pause(struct peer *peer)
{
	if (READ_ONCE(peer->stop))
		return -ECANCELED;
	cond_resched();
	return 0;
}

/* An eventfd's count, or u64s of a pipe, of which each is one record. */
static int peer_await_event(struct peer *peer)
{
	u64 events;
	ssize_t n = kernel_read(peer->event, &events, sizeof(events), NULL);

	if (n == sizeof(events))
		return 0;
	return n < 0 ? n : -EPIPE;
}

static int peer_send_event(struct peer *peer)
{
	const u64 one = 1;
	ssize_t n;

	if (peer->eventfd) {
		ring_signal(peer->eventfd);
		return 0;
	}
	n = kernel_write(peer->event, &one, sizeof(one), NULL);
	if (n == sizeof(one))
		return 0;
	return n < 0 ? n : -EPIPE;
}

/*
 * Who finds what it waited for only when its time is up, by the last look, has not
 * been woken for it; when there is nothing the peer is late.
 */
static noinline int peer_sleep(struct peer *peer, bool popping)
{
	bool paced = peer->want.op == SPSCRING_PEER_PACED;
	s64 deadline = ktime_get_ns() +
		(peer->want.gap_ns && !paced ? peer->want.gap_ns : PEER_PATIENCE);
	int err;

	if (popping && peer->event)
		err = peer_await_event(peer);
	else if (popping)
		err = spscring_wait_records(&peer->c, 1, deadline);
	else
		err = spscring_wait_room(&peer->p, 1, deadline);
	if (!err && (s64)ktime_get_ns() >= deadline)
		peer->result.lost++;
	/* STOP interrupts it */
	if (err == -ETIMEDOUT || err == -ERESTARTSYS || err == -EINTR)
		err = 0;
	return err ?: peer_pause(peer);
}

/* A push or pop failed: 0 to try again. */
static __always_inline int peer_again(struct peer *peer, int err, bool popping)
{
	if (err != -EAGAIN)
		return err;
	if (peer->want.flags & SPSCRING_PEER_SLEEP)
		return peer_sleep(peer, popping);
	if (popping)
		spscring_back_off(peer->any_size ? peer->rc.base.relax : peer->c.base.relax);
	else
		cpu_relax();
	if (likely(++peer->tries % PEER_TRIES))
		return 0;
	return peer_pause(peer);
}

/*
 * What one call of an operation has done, and its buffer: all inlined, so that
 * in the cases that are measured it lives in registers.
 */
struct peer_tally {
	u64 first;		/* sequence number when it began */
	u64 done;
	u64 wrong;
	u64 checksum;
	void *recs;
};

/* All of @n records; those that got through are counted whatever happens. */
static __always_inline int peer_push(struct peer *peer, struct peer_tally *t, u32 n, u32 size,
				     bool one)
{
	const void *recs = t->recs;

	while (n) {
		long some;
		int err;

		if (one)
			some = spscring_push_fixed(&peer->p, recs, size) ?: 1;
		else
			some = spscring_push_n_fixed(&peer->p, recs, n, size);
		if (likely(some > 0)) {
			t->done += some;
			recs += some * size;
			n -= some;
			continue;
		}
		err = peer_again(peer, some, false);
		if (err)
			return err;
	}
	return 0;
}

/* 1 to @n records, or a negative errno. */
static __always_inline long peer_pop(struct peer *peer, struct peer_tally *t, u32 n, u32 size,
				     bool one)
{
	for (;;) {
		long some;
		int err;

		if (one)
			some = spscring_pop_fixed(&peer->c, t->recs, size) ?: 1;
		else
			some = spscring_pop_n_fixed(&peer->c, t->recs, n, size);
		if (likely(some > 0))
			return some;
		err = peer_again(peer, some, true);
		if (err)
			return err;
	}
}

/* Is what was popped what belongs at @seq?  The buffer has room for @batch records. */
static __always_inline void peer_check(struct peer_tally *t, u32 n, u32 batch, u32 size, u64 seq)
{
	const void *rec = t->recs;

	for (n = min(n, batch); n; n--, seq++, rec += size) {
		t->wrong += spscring_peer_wrong(rec, size, seq);
		t->checksum += spscring_peer_word(rec, size);
	}
}

/* ------------------------------------------------------------ operations */

static __always_inline int peer_source(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				       u32 batch)
{
	while (t->done != n) {
		u32 some = min_t(u64, batch, n - t->done), i;
		int err;

		for (i = 0; i < some; i++)
			spscring_peer_fill(t->recs + (u64)i * size, size, t->first + t->done + i);
		err = peer_push(peer, t, some, size, batch == 1);
		if (err)
			return err;
	}
	return 0;
}

static int peer_await(struct peer *peer, u64 due)
{
	while (ktime_get_ns() < due) {
		cpu_relax();
		if (unlikely(!(++peer->tries % PEER_TRIES))) {
			int err = peer_pause(peer);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Late or not, what is due is pushed. */
static __always_inline int peer_paced(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				      u32 batch)
{
	if (!peer->due)
		peer->due = ktime_get_ns();
	while (t->done != n) {
		int err = peer_await(peer, peer->due);

		if (!err)
			err = peer_source(peer, t, min(t->done + batch, n), size, batch);
		if (err)
			return err;
		peer->due += peer->want.gap_ns;
	}
	return 0;
}

static __always_inline int peer_sink(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				     u32 batch)
{
	while (t->done != n) {
		long some = peer_pop(peer, t, min_t(u64, batch, n - t->done), size, batch == 1);

		if (some < 0)
			return some;
		peer_check(t, some, batch, size, t->first + t->done);
		t->done += some;
	}
	return 0;
}

static __always_inline int peer_echo(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				     u32 batch)
{
	while (t->done != n) {
		long some = peer_pop(peer, t, min_t(u64, batch, n - t->done), size, batch == 1);
		int err;

		if (some < 0)
			return some;
		peer_check(t, some, batch, size, t->first + t->done);
		err = peer_push(peer, t, some, size, batch == 1);
		if (err)
			return err;
	}
	return 0;
}

static void peer_kick(struct irq_work *work)
{
	struct peer *peer = container_of(work, struct peer, kick);

	spscring_kick(peer->ring, SPSCRING_CONSUMER, 0);
}

/*
 * A poll of the consumer is between its look and what it tells: it holds the end's
 * lock, so a kick that is due comes once it has let go of it.
 */
static void peer_in_poll(void *data, const struct spscring *ring, u32 role, u64 index, bool ready)
{
	struct peer *peer = data;
	struct spscring_producer *p = &peer->p;
	void *slot;
	u64 want;

	if (ring != peer->ring || role != SPSCRING_CONSUMER ||
	    peer->polled == peer->want.count || spscring_reserve(p, &slot))
		return;
	spscring_peer_fill(slot, peer->size, peer->want.first + peer->polled);
	spscring_commit_flags(p, 1, SPSCRING_NOWAKE);
	peer->polled++;
	/* as spscring_wake_consumer() */
	want = spscring_consumer_wants(&p->base);
	if (want == p->base.kicked || (s64)(p->base.pos - want) < 0)
		return;
	p->base.kicked = want;
	irq_work_queue(&peer->kick);
}

static int peer_watch(struct peer *peer)
{
	int err = peer->want.flags & SPSCRING_PEER_ARMED ?
		register_trace_spscring_arm(peer_in_poll, peer) :
		register_trace_spscring_poll(peer_in_poll, peer);

	peer->watches = !err;
	return err;
}

static void peer_watch_no_more(struct peer *peer)
{
	if (!peer->watches)
		return;
	if (peer->want.flags & SPSCRING_PEER_ARMED)
		unregister_trace_spscring_arm(peer_in_poll, peer);
	else
		unregister_trace_spscring_poll(peer_in_poll, peer);
	tracepoint_synchronize_unregister();
	irq_work_sync(&peer->kick);
	peer->watches = false;
}

/* The polls push; this lasts until STOP. */
static int peer_polled_run(struct peer *peer, u64 n)
{
	int err;

	do
		schedule_timeout_interruptible(1);
	while (!(err = peer_pause(peer)));
	peer_watch_no_more(peer);
	peer->result.done = peer->polled;
	return err;
}

static __always_inline int peer_ping(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				     u32 batch)
{
	bool timed = peer->result.done >= peer->want.warmup;

	while (t->done != n) {
		u64 seq = t->first + t->done, begin;
		long some;
		int err;

		spscring_peer_fill(t->recs, size, seq);
		begin = peer_ticks();
		err = peer_push(peer, t, 1, size, true);
		if (err)
			return err;
		some = peer_pop(peer, t, 1, size, true);
		if (some < 0) {
			t->done--;	/* it has not come back */
			return some;
		}
		peer_check(t, 1, 1, size, seq);
		if (timed)
			hist_add(peer->hist, peer_ticks() - begin);
	}
	return 0;
}

/* Each time that the consumer has said that it is about to sleep, and has had the time to. */
static int peer_waker_run(struct peer *peer, u64 n)
{
	struct spscring_peer_result *result = &peer->result;
	struct peer_tally told = {}, t = {};
	u64 end = result->done + n, seq, stamp;
	long some;
	int err;

	told.recs = &seq;
	t.recs = &stamp;
	for (; result->done != end; result->done++) {
		some = peer_pop(peer, &told, 1, sizeof(seq), true);
		if (some < 0)
			return some;
		result->wrong += seq != peer->want.first + result->done;
		err = peer_await(peer, ktime_get_ns() + peer->want.gap_ns);
		if (err)
			return err;
		stamp = stamp_make(peer_ticks(), seq);
		err = peer_push(peer, &t, 1, sizeof(stamp), true);
		if (!err && peer->event)
			err = peer_send_event(peer);
		if (err)
			return err;
	}
	return 0;
}

static int peer_sleeper_run(struct peer *peer, u64 n)
{
	struct spscring_peer_result *result = &peer->result;
	bool timed = result->done >= peer->want.warmup;
	struct peer_tally told = {}, t = {};
	u64 end = result->done + n, seq, stamp, age;
	long some;
	int err;

	told.recs = &seq;
	t.recs = &stamp;
	for (; result->done != end; result->done++) {
		seq = peer->want.first + result->done;
		err = peer_push(peer, &told, 1, sizeof(seq), true);
		if (err)
			return err;
		some = peer_pop(peer, &t, 1, sizeof(stamp), true);
		if (some < 0)
			return some;
		age = stamp_age(stamp, peer_ticks());
		result->wrong += STAMP_NUMBER(stamp) != STAMP_NUMBER(seq) || age > STAMP_AGE_MAX;
		if (timed)
			hist_add(peer->hist, age);
	}
	return 0;
}

/* ------------------------------------------------ of records of any size */

/* A record's bytes as the benchmark's own ends have them. */
static __always_inline void peer_mark(void *rec, u32 length, u64 seq, bool listed)
{
	u32 part = listed ? sizeof(u32) : sizeof(u64);

	memcpy(rec, &seq, part);
	memcpy(rec + length - part, &seq, part);
}

static __always_inline bool peer_is_marked(const void *rec, u32 length, u64 seq, bool listed)
{
	u32 part = listed ? sizeof(u32) : sizeof(u64);

	return !memcmp(rec, &seq, part) && !memcmp(rec + length - part, &seq, part);
}

static __always_inline u32 peer_length(const struct peer *peer, u64 seq)
{
	return peer->list ? bench_length(peer->list - 1, seq) : sizeof(u64);
}

static __always_inline int peer_push_one(struct peer *peer, u64 seq)
{
	u32 length = peer_length(peer, seq);
	int err;

	peer_mark(peer->recs, length, seq, peer->list);
	while ((err = spscring_record_push(&peer->rp, peer->recs, length))) {
		err = peer_again(peer, err, false);
		if (err)
			break;
	}
	return err;
}

static __always_inline int peer_pop_one(struct peer *peer, u64 seq)
{
	u32 length = peer_length(peer, seq);
	long got;
	int err;

	while ((got = spscring_record_pop(&peer->rc, peer->recs, peer->size)) < 0) {
		err = peer_again(peer, got, true);
		if (err)
			return err;
	}
	if (got != length || !peer_is_marked(peer->recs, length, seq, peer->list))
		peer->result.wrong++;
	return 0;
}

static __always_inline int peer_records(struct peer *peer, u64 n, u32 op)
{
	struct spscring_peer_result *result = &peer->result;
	bool timed = op == SPSCRING_PEER_PING && result->done >= peer->want.warmup;
	u64 seq, begin = 0, end = result->done + n;
	int err = 0;

	for (; result->done != end; result->done++) {
		seq = peer->want.first + result->done;
		if (timed)
			begin = peer_ticks();
		if (op == SPSCRING_PEER_SINK || op == SPSCRING_PEER_ECHO)
			err = peer_pop_one(peer, seq);
		if (op != SPSCRING_PEER_SINK && !err)
			err = peer_push_one(peer, seq);
		if (op == SPSCRING_PEER_PING && !err)
			err = peer_pop_one(peer, seq);
		if (err)
			return err;
		if (timed)
			hist_add(peer->hist, peer_ticks() - begin);
	}
	return 0;
}

static int peer_records_source(struct peer *peer, u64 n)
{
	return peer_records(peer, n, SPSCRING_PEER_SOURCE);
}

static int peer_records_sink(struct peer *peer, u64 n)
{
	return peer_records(peer, n, SPSCRING_PEER_SINK);
}

static int peer_records_echo(struct peer *peer, u64 n)
{
	return peer_records(peer, n, SPSCRING_PEER_ECHO);
}

static int peer_records_ping(struct peer *peer, u64 n)
{
	return peer_records(peer, n, SPSCRING_PEER_PING);
}

/* ------------------------------------------------------- of either kind */

typedef int (*peer_run_fn)(struct peer *peer, struct peer_tally *t, u64 n, u32 size, u32 batch);

/* The cases that are measured are known to the compiler. */
static __always_inline int peer_run(struct peer *peer, u64 n, peer_run_fn op)
{
	struct spscring_peer_result *result = &peer->result;
	struct peer_tally t = { .first = peer->want.first + result->done, .recs = peer->recs };
	u32 batch = peer->want.batch;
	u64 rec;
	int err;

	if (peer->size != sizeof(u64)) {
		err = op(peer, &t, n, peer->size, batch);
	} else if (batch == 1) {
		t.recs = &rec;
		err = op(peer, &t, n, sizeof(u64), 1);
	} else {
		err = op(peer, &t, n, sizeof(u64), batch);
	}
	result->done += t.done;
	result->wrong += t.wrong;
	result->checksum += t.checksum;
	return err;
}

static int peer_source_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_source);
}

static int peer_sink_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_sink);
}

static int peer_echo_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_echo);
}

static int peer_ping_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_ping);
}

static int peer_paced_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_paced);
}

static const struct peer_op {
	int (*run)(struct peer *peer, u64 n);
	int (*records)(struct peer *peer, u64 n);	/* of any size */
	u32 ring;		/* roles */
	u32 back;
} peer_ops[] = {
	[SPSCRING_PEER_SOURCE] = { peer_source_run, peer_records_source, SPSCRING_PRODUCER, 0 },
	[SPSCRING_PEER_SINK] = { peer_sink_run, peer_records_sink, SPSCRING_CONSUMER, 0 },
	[SPSCRING_PEER_ECHO] = { peer_echo_run, peer_records_echo, SPSCRING_CONSUMER,
				 SPSCRING_PRODUCER },
	[SPSCRING_PEER_PING] = { peer_ping_run, peer_records_ping, SPSCRING_PRODUCER,
				 SPSCRING_CONSUMER },
	[SPSCRING_PEER_PACED] = { peer_paced_run, NULL, SPSCRING_PRODUCER, 0 },
	[SPSCRING_PEER_POLLED] = { peer_polled_run, NULL, SPSCRING_PRODUCER, 0 },
	[SPSCRING_PEER_WAKER] = { peer_waker_run, NULL, SPSCRING_PRODUCER, SPSCRING_CONSUMER },
	[SPSCRING_PEER_SLEEPER] = { peer_sleeper_run, NULL, SPSCRING_CONSUMER,
				    SPSCRING_PRODUCER },
};

static void peer_shutdown(struct peer *peer, u32 role)
{
	if (role == SPSCRING_PRODUCER && peer->any_size)
		spscring_record_shutdown_producer(&peer->rp);
	else if (role == SPSCRING_PRODUCER)
		spscring_shutdown_producer(&peer->p);
	else if (peer->any_size)
		spscring_record_shutdown_consumer(&peer->rc);
	else
		spscring_shutdown_consumer(&peer->c);
}

static void peer_put(struct peer *peer)
{
	struct spscring *rings[] = { peer->ring, peer->back };
	int i;

	peer_watch_no_more(peer);
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		if (!rings[i])
			continue;
		if (peer->want.flags & SPSCRING_PEER_SHUTDOWN)
			peer_shutdown(peer, peer->roles[i]);
		spscring_put(rings[i], peer->roles[i]);
	}
	peer->ring = NULL;
	peer->back = NULL;
}

static int peer_thread(void *data)
{
	struct peer *peer = data;
	struct spscring_peer_result *result = &peer->result;
	u64 total = peer->want.warmup + peer->want.count;
	u64 ticks = peer_ticks(), ns = ktime_get_ns();

	/* STOP's; one that came before it was ignored */
	allow_signal(SIGINT);
	result->err = peer_pause(peer);
	if (!peer->want.count)
		total = U64_MAX;
	while (!result->err && result->done != total) {
		u64 todo = total - result->done;

		if (result->done < peer->want.warmup)
			todo = peer->want.warmup - result->done;
		result->err = peer->run(peer, min_t(u64, todo, PEER_RECORDS)) ?:
			peer_pause(peer);
		if (result->done == peer->want.warmup) {
			ns = ktime_get_ns();
			ticks = peer_ticks();
		}
	}
	result->ticks = peer_ticks() - ticks;
	result->ns = ktime_get_ns() - ns;
	result->slept = current->nvcsw;
	peer_put(peer);
	complete_all(&peer->finished);
	return 0;
}

/* ------------------------------------------------------ start, wait, stop */

static bool peer_wakes(u32 op)
{
	return op == SPSCRING_PEER_WAKER || op == SPSCRING_PEER_SLEEPER;
}

static int peer_check_want(const struct spscring_peer_start *want)
{
	if (want->op < SPSCRING_PEER_SOURCE || want->op > SPSCRING_PEER_SLEEPER ||
	    want->flags & ~(SPSCRING_PEER_SHUTDOWN | SPSCRING_PEER_SLEEP | SPSCRING_PEER_ARMED |
			    SPSCRING_PEER_EVENT | PEER_LISTS) || want->reserved ||
	    !want->batch || want->batch > SPSCRING_PEER_BATCH_MAX ||
	    want->warmup + want->count < want->count)
		return -EINVAL;
	if ((want->op == SPSCRING_PEER_PING || peer_wakes(want->op)) && want->batch != 1)
		return -EINVAL;
	if (want->flags & SPSCRING_PEER_EVENT ? !peer_wakes(want->op) : want->event_fd)
		return -EINVAL;
	if (want->op == SPSCRING_PEER_POLLED && (want->batch != 1 || !want->count))
		return -EINVAL;
	if (want->gap_ns && want->op != SPSCRING_PEER_PACED && want->op != SPSCRING_PEER_WAKER &&
	    !(want->flags & SPSCRING_PEER_SLEEP))
		return -EINVAL;
	if (!peer_ops[want->op].back && want->back_fd != -1)
		return -EINVAL;
	if (want->cpu != -1 &&
	    (want->cpu < 0 || want->cpu >= nr_cpu_ids || !cpu_online(want->cpu)))
		return -EINVAL;
	return 0;
}

/* What is tested is sleep: an end looks once before it. */
static void peer_sleeps(struct peer *peer, u32 role)
{
	if (role == SPSCRING_PRODUCER) {
		peer->p.base.spin = 0;
		peer->p.base.spin_max = 0;
	} else {
		peer->c.base.spin = 0;
		peer->c.base.spin_max = 0;
	}
}

/* Any ring will do, as it is asked first what it is. */
static int peer_claim(struct peer *peer, struct spscring *ring, u32 role,
		      const struct spscring_geometry *g)
{
	peer->any_size = g->record_size == SPSCRING_ANY_SIZE;
	if (role == SPSCRING_PRODUCER)
		return peer->any_size ?
			spscring_record_claim_producer(ring, &peer->rp, g->type_tag) :
			spscring_claim_producer(ring, &peer->p, g->record_size, g->type_tag);
	return peer->any_size ?
		spscring_record_claim_consumer(ring, &peer->rc, g->type_tag) :
		spscring_claim_consumer(ring, &peer->c, g->record_size, g->type_tag);
}

/* Take one ring, and its end. */
static int peer_take(struct peer *peer, int fd, u32 role, struct spscring **ring, u32 *roles,
		     u32 *size)
{
	struct spscring *taken = spscring_from_fd(fd);
	struct spscring_info info;
	int err;

	if (IS_ERR(taken))
		return PTR_ERR(taken);
	spscring_get_info(taken, &info);
	*size = info.geometry.record_size;
	err = peer_claim(peer, taken, role, &info.geometry);
	if (err) {
		spscring_put(taken, 0);
		return err;
	}
	if (peer->want.flags & SPSCRING_PEER_SLEEP)
		peer_sleeps(peer, role);
	*ring = taken;
	*roles = role;
	return 0;
}

static int peer_take_all(struct peer *peer)
{
	const struct peer_op *op = &peer_ops[peer->want.op];
	u32 size;
	int err;

	err = peer_take(peer, peer->want.ring_fd, op->ring, &peer->ring, &peer->roles[0],
			&peer->size);
	if (err || !op->back)
		return err;
	err = peer_take(peer, peer->want.back_fd, op->back, &peer->back, &peer->roles[1], &size);
	if (!err && size != peer->size)
		err = -EINVAL;
	return err;
}

/* An eventfd is signalled as a driver does it; what is none has to be a pipe. */
static int peer_take_event(struct peer *peer)
{
	bool reads = peer->want.op == SPSCRING_PEER_SLEEPER;
	struct eventfd_ctx *eventfd;

	if (!(peer->want.flags & SPSCRING_PEER_EVENT))
		return 0;
	peer->event = fget(peer->want.event_fd);
	if (!peer->event)
		return -EBADF;
	if (!(peer->event->f_mode & (reads ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	eventfd = eventfd_ctx_fileget(peer->event);
	if (!IS_ERR(eventfd))
		peer->eventfd = eventfd;
	else if (!S_ISFIFO(file_inode(peer->event)->i_mode))
		return -EINVAL;
	return 0;
}

static void peer_put_event(struct peer *peer)
{
	if (peer->eventfd)
		eventfd_ctx_put(peer->eventfd);
	if (peer->event)
		fput(peer->event);
	peer->eventfd = NULL;
	peer->event = NULL;
}

/* A ring of records of any size has no record size. */
static int peer_choose(struct peer *peer)
{
	const struct peer_op *op = &peer_ops[peer->want.op];
	u32 lists = peer->want.flags & PEER_LISTS;

	peer->list = 0;
	peer->run = op->run;
	if (peer_wakes(peer->want.op) && peer->size != sizeof(u64))
		return -EINVAL;	/* stamps */
	if (peer->size)
		return lists ? -EINVAL : 0;
	if (!op->records || peer->want.batch != 1 || lists == PEER_LISTS ||
	    peer->want.flags & SPSCRING_PEER_SLEEP)
		return -EINVAL;
	if (lists)
		peer->list = 1 + (lists == SPSCRING_PEER_KLOG ? LENGTHS_KLOG : LENGTHS_PCAP);
	peer->size = lists ? LENGTHS_MAX : sizeof(u64);
	peer->run = op->records;
	return 0;
}

static int peer_alloc(struct peer *peer)
{
	peer->recs = kvmalloc_array(peer->want.batch, peer->size, GFP_KERNEL_ACCOUNT);
	if (!peer->recs)
		return -ENOMEM;
	if (peer->want.op != SPSCRING_PEER_PING && peer->want.op != SPSCRING_PEER_SLEEPER)
		return 0;
	peer->hist = kvzalloc(sizeof(*peer->hist), GFP_KERNEL_ACCOUNT);
	return peer->hist ? 0 : -ENOMEM;
}

static void peer_free(struct peer *peer)
{
	peer_put(peer);
	peer_put_event(peer);
	kvfree(peer->recs);
	kvfree(peer->hist);
	peer->recs = NULL;
	peer->hist = NULL;
}

static int peer_start(struct peer *peer)
{
	struct task_struct *thread;
	int err;

	err = peer_check_want(&peer->want);
	if (err)
		return err;
	memset(&peer->result, 0, sizeof(peer->result));
	peer->tries = 0;
	peer->due = 0;
	peer->polled = 0;
	peer->stop = false;
	reinit_completion(&peer->finished);

	err = peer_take_all(peer);
	if (!err)
		err = peer_choose(peer);
	if (!err)
		err = peer_take_event(peer);
	if (!err)
		err = peer_alloc(peer);
	if (!err && peer->want.op == SPSCRING_PEER_POLLED)
		err = peer_watch(peer);
	if (err)
		goto err_free;
	thread = kthread_create(peer_thread, peer, "spscring_peer");
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto err_free;
	}
	if (peer->want.cpu != -1)
		kthread_bind(thread, peer->want.cpu);
	/* kept for kthread_stop(), which it may be gone before */
	peer->thread = get_task_struct(thread);
	wake_up_process(thread);
	return 0;

err_free:
	peer->want.flags = 0;	/* what was claimed in vain can be claimed again */
	peer_free(peer);
	return err;
}

/* Soon: it looks every PEER_TRIES tries and PEER_RECORDS records, and when it wakes. */
static void peer_stop(struct peer *peer)
{
	WRITE_ONCE(peer->stop, true);
	if (peer->thread)
		send_sig(SIGINT, peer->thread, 1);
}

/* It has finished: wait until it is out of this module's code, too. */
static void peer_join(struct peer *peer)
{
	kthread_stop(peer->thread);
	put_task_struct(peer->thread);
	peer->thread = NULL;
}

static long peer_ioctl_start(struct peer *peer, const void __user *arg)
{
	struct spscring_peer_start want;
	int err;

	if (copy_from_user(&want, arg, sizeof(want)))
		return -EFAULT;
	mutex_lock(&peer->lock);
	if (peer->thread) {
		err = -EBUSY;
	} else {
		peer->want = want;
		err = peer_start(peer);
	}
	mutex_unlock(&peer->lock);
	return err;
}

static long peer_ioctl_wait(struct peer *peer, void __user *arg)
{
	struct spscring_peer_result result;
	struct hist *hist;
	u64 hist_user;
	int err = 0;

	if (copy_from_user(&result, arg, sizeof(result)))
		return -EFAULT;
	if (result.lost)
		return -EINVAL;
	hist_user = result.hist;

	mutex_lock(&peer->lock);
	while (peer->thread && !completion_done(&peer->finished)) {
		mutex_unlock(&peer->lock);
		err = wait_for_completion_interruptible(&peer->finished);
		if (err)
			return err;
		mutex_lock(&peer->lock);
	}
	if (!peer->thread) {
		mutex_unlock(&peer->lock);
		return -EBADFD;
	}
	peer_join(peer);
	result = peer->result;
	result.hist = hist_user;
	hist = peer->hist;
	peer->hist = NULL;
	peer_free(peer);
	mutex_unlock(&peer->lock);

	if (copy_to_user(arg, &result, sizeof(result)) ||
	    (hist && hist_user && copy_to_user(u64_to_user_ptr(hist_user), hist, sizeof(*hist))))
		err = -EFAULT;
	kvfree(hist);
	return err;
}

static long peer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct peer *peer = file->private_data;

	switch (cmd) {
	case SPSCRING_PEER_START:
		return peer_ioctl_start(peer, (const void __user *)arg);
	case SPSCRING_PEER_WAIT:
		return peer_ioctl_wait(peer, (void __user *)arg);
	case SPSCRING_PEER_STOP:
		mutex_lock(&peer->lock);
		peer_stop(peer);
		mutex_unlock(&peer->lock);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int peer_open(struct inode *inode, struct file *file)
{
	struct peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);

	if (!peer)
		return -ENOMEM;
	mutex_init(&peer->lock);
	init_completion(&peer->finished);
	init_irq_work(&peer->kick, peer_kick);
	file->private_data = peer;
	return 0;
}

static int peer_release(struct inode *inode, struct file *file)
{
	struct peer *peer = file->private_data;

	if (peer->thread) {
		peer_stop(peer);
		wait_for_completion(&peer->finished);
		peer_join(peer);
	}
	peer_free(peer);
	kfree(peer);
	return 0;
}

static const struct file_operations peer_fops = {
	.owner		= THIS_MODULE,
	.open		= peer_open,
	.release	= peer_release,
	.unlocked_ioctl	= peer_ioctl,
};

static struct miscdevice peer_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring_peer",
	.fops	= &peer_fops,
	.mode	= 0600,
};
module_misc_device(peer_misc);

MODULE_DESCRIPTION("A kernel end of a user's spscring, to test and measure against");
MODULE_LICENSE("GPL");
