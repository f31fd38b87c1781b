// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: ends of kernel code sleep and are woken.  Probes on tracepoints act as the peer at the
 * exact place where a race needs it.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>

#include "fixture.h"
#include "kunit_record_modes.h"
#include "ring.h"
#include "trace.h"

/* In ns: a sleep that lasts this long has lost its wake-up. */
#define PATIENCE	(60 * NSEC_PER_SEC)

/* An impossible tail in a later frame does not keep a waiter in its loop for ever. */
static void wait_lying_tail(struct kunit *test)
{
	struct file *file = make_user_pair(test, 64, 8, SPSCRING_PRODUCER);
	struct fixture *f = test->priv;
	const struct spscring_geometry *g = &f->info.geometry;

	*(u64 *)(f->p.base.data + 63 / g->frame_elements * g->frame_size) = 64;
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 64, -1), -EPIPE);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 1);
	put_now(file);
}

/*
 * An end halves its spin when polling was in vain.  waits[0] counts waits that needed no sleep,
 * waits[1] those that slept.
 */
static void wait_spin_adapts(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	const u64 *looked = f->c.base.block->waits;
	int i;

	KUNIT_EXPECT_EQ(test, f->c.base.spin_max, num_online_cpus() > 1 ? SPSCRING_SPIN_MAX : 0);
	KUNIT_EXPECT_EQ(test, f->p.base.spin_max, f->c.base.spin_max);
	f->c.base.spin_max = 160;
	f->c.base.spin = 160;
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 80);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 10);
	push_u64(test, 0, 64);
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 64, -1), 0);
	KUNIT_EXPECT_EQ(test, f->c.base.spin, 10);
	KUNIT_EXPECT_EQ(test, looked[0], 1);
	KUNIT_EXPECT_EQ(test, looked[1], 6);
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 1, 1), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, f->p.base.block->waits[1], 1);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.consumer_sleep.sleeps, 6);
}

/* A ring keeps the CPU on which an end published last, so that the peer's waiter interrupts it. */
static void wait_notes_cpu(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct spscring *polled = spscring_create(&(struct spscring_create) {
		.capacity = 64, .element_size = 8, .flags = SPSCRING_CREATE_BUSY_POLL,
	});
	struct spscring *rings[] = { f->ring, polled, NULL };
	int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(polled));
	KUNIT_EXPECT_EQ(test, f->ring->producer.sleep->writers.cpu, -1);
	migrate_disable();
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		u32 cpu = -1;

		/* rings[2]: one of DEFINE_SPSCRING(), which only the handle notes it of */
		spscring_note_cpu(rings[i], SPSCRING_PRODUCER, &cpu);
		KUNIT_EXPECT_EQ(test, cpu, smp_processor_id());
	}
	KUNIT_EXPECT_EQ(test, f->ring->producer.sleep->writers.cpu, smp_processor_id());
	migrate_enable();
	KUNIT_EXPECT_EQ(test, f->ring->consumer.sleep->writers.cpu, -1);
	spscring_destroy(polled);
}

struct interrupt {
	struct irq_work work;
	struct spscring_producer *p;
};

static void push_in_interrupt(struct irq_work *work)
{
	u64 v = 0;

	spscring_push(container_of(work, struct interrupt, work)->p, &v);
}

/* A wait for more than the ring holds is refused, and does no harm. */
static void wait_counts(struct kunit *test)
{
	static const u64 counts[] = { 0, 65, 1ULL << 62, 1ULL << 63, (1ULL << 63) + 65, ~0ULL };
	struct fixture *f = make_pair(test, 64, 8);
	int i;

	push_u64(test, 0, 1);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, counts[i], 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, counts[i], 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, spscring_has_room(&f->p, counts[i]), !counts[i]);
		KUNIT_EXPECT_EQ(test, spscring_has_elements(&f->c, counts[i]), !counts[i]);
	}
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 63, -1), 0);
	pop_u64(test, 0, 1);
	KUNIT_EXPECT_EQ(test, spscring_wait_room(&f->p, 64, -1), 0);
	spscring_get_info(f->ring, &f->info);
	KUNIT_EXPECT_EQ(test, f->info.broken, 0);
	spscring_shutdown_consumer(&f->c);
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 1, -1), -ESHUTDOWN);
}

/* An end that finds an element while it spins does not sleep. */
static void wait_spins(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct interrupt soon = { .p = &f->p };
	int tries;
	u64 v;

	init_irq_work(&soon.work, push_in_interrupt);
	/* an end stops spinning when another task wants the CPU, so try several times */
	for (tries = 0; tries < 64 && !f->c.base.block->waits[0]; tries++) {
		f->c.base.spin_max = U32_MAX;
		f->c.base.spin = U32_MAX;
		irq_work_queue(&soon.work);
		KUNIT_ASSERT_EQ(test, spscring_wait_elements(&f->c, 1, -1), 0);
		irq_work_sync(&soon.work);
		KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
	}
	KUNIT_EXPECT_EQ(test, f->c.base.block->waits[0], 1);
}

/* A race: a probe on a tracepoint does what a peer could do at that moment. */
struct race {
	struct spscring *ring;
	struct spscring_producer *p;
	u64 *state;		/* of the producer's end */
	int met;		/* how often the probe has run */
};

/*
 * The first sleep: the producer dies, which wakes the waiter before it is asleep, and another
 * producer claims the end at once.  The second sleep: that producer pushes.
 */
static void die_and_come_again(void *data, const struct spscring *ring, u32 role, u64 index)
{
	struct race *race = data;
	u64 held = READ_ONCE(*race->state), v = 0;

	if (ring != race->ring)
		return;
	if (race->met++) {
		spscring_push(race->p, &v);
		return;
	}
	WRITE_ONCE(*race->state, SPSCRING_DEAD);
	spscring_kick(race->ring, role, 0);
	WRITE_ONCE(*race->state, held);
}

/* The waiter finds a live producer, sleeps again, and is woken by the push. */
static void wait_woken_early(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct race race = {
		.ring = f->ring, .p = &f->p,
		.state = (u64 *)&f->c.base.kernel->producer,
	};

	f->c.base.spin = 0;
	KUNIT_ASSERT_EQ(test, register_trace_spscring_sleep(die_and_come_again, &race), 0);
	KUNIT_EXPECT_EQ(test, spscring_wait_elements(&f->c, 1, ktime_get_ns() + PATIENCE), 0);
	unregister_trace_spscring_sleep(die_and_come_again, &race);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, race.met, 2);
}

/* The producer pushes while the kernel wakes the consumer, without checking the event index. */
static void push_unseen(void *data, const struct spscring *ring, u32 role)
{
	struct race *race = data;
	void *slot;

	if (ring != race->ring || role != SPSCRING_CONSUMER || race->met++ ||
	    spscring_reserve(race->p, &slot))
		return;
	spscring_commit_flags(race->p, 1, SPSCRING_NOWAKE);
}

/* A thread that waits for @n elements, or bytes of records. */
struct sleeper {
	struct spscring_consumer c;
	struct spscring_record_consumer rc;	/* for records of variable size */
	bool variable_size;
	u64 n;
	int err;
	struct completion woken;
};

static int sleep_for(void *data)
{
	struct sleeper *s = data;
	s64 until = ktime_get_ns() + PATIENCE;

	s->err = s->variable_size ? spscring_record_wait_bytes(&s->rc, s->n, until) :
		spscring_wait_elements(&s->c, s->n, until);
	if (!s->err && (s64)ktime_get_ns() >= until)
		s->err = -ETIMEDOUT;	/* found by the last poll: the wake-up was lost */
	kthread_complete_and_exit(&s->woken, 0);
}

static void sleeper_start(struct kunit *test, struct sleeper *s, u64 n)
{
	struct fixture *f = test->priv;

	s->c = f->c;
	s->c.base.spin = 0;
	s->rc = f->rc;
	s->rc.base.spin = 0;
	s->variable_size = f->info.geometry.flags & SPSCRING_CREATE_RECORDS;
	s->n = n;
	init_completion(&s->woken);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(sleep_for, s, "spscring_sleeper")));
}

static void until_asleep(struct fixture *f, u64 sleeps)
{
	do {
		cond_resched();
		spscring_get_info(f->ring, &f->info);
	} while (f->info.consumer_sleep.sleeps < sleeps);
}

/* Two threads wait.  False if the first found its element before it slept: nobody was woken. */
static bool two_woken(struct kunit *test, struct race *race, struct sleeper *s)
{
	struct fixture *f = test->priv;
	u64 sleeps, v;
	bool woken;

	race->met = 0;
	spscring_get_info(f->ring, &f->info);
	sleeps = f->info.consumer_sleep.sleeps + 2;
	sleeper_start(test, &s[0], 1);
	sleeper_start(test, &s[1], 2);
	until_asleep(f, sleeps);
	push_u64(test, 0, 1);
	woken = race->met;
	if (!woken)
		push_u64(test, 0, 1);
	wait_for_completion(&s[0].woken);
	wait_for_completion(&s[1].woken);
	KUNIT_EXPECT_EQ(test, s[0].err, 0);
	KUNIT_EXPECT_EQ(test, s[1].err, 0);
	while (!spscring_pop(&f->c, &v))
		;
	return woken;
}

/* The second waiter's element comes while the kernel wakes the first: both are woken. */
static void wait_woken_together(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	struct race race = { .ring = f->ring, .p = &f->p };
	struct sleeper *s = kunit_kcalloc(test, 2, sizeof(*s), GFP_KERNEL);
	int tries = 1000;

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_EQ(test, register_trace_spscring_wake(push_unseen, &race), 0);
	while (!two_woken(test, &race, s) && --tries)
		;
	unregister_trace_spscring_wake(push_unseen, &race);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_GT(test, tries, 0);
}

/* A consumer waits for more bytes than fit: the producer's failed push wakes it. */
static void wait_full(struct kunit *test)
{
	struct sleeper *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 mode = *(const u32 *)test->param_value;
	struct fixture *f = test->priv;
	const u64 need = 8000;
	static u8 rec[1000];
	int err;

	KUNIT_ASSERT_NOT_NULL(test, s);
	if (mode & SPSCRING_CREATE_OVERWRITE)
		return;	/* such a ring is never full */
	make_both_records(test, need, mode);
	sleeper_start(test, s, need);
	until_asleep(f, 1);
	do
		err = spscring_record_push(&f->rp, rec, sizeof(rec));
	while (!err);
	KUNIT_EXPECT_EQ(test, err, mode & SPSCRING_CREATE_DROP ? -ENOBUFS : -EAGAIN);
	wait_for_completion(&s->woken);
	KUNIT_EXPECT_EQ(test, s->err, 0);
	KUNIT_EXPECT_FALSE(test, spscring_record_has_bytes(&f->rc, need));
	/* a wait returns at once while the ring is full */
	KUNIT_EXPECT_EQ(test, spscring_record_wait_bytes(&f->rc, need, -1), 0);
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(wait_notes_cpu),
	KUNIT_CASE(wait_lying_tail),
	KUNIT_CASE(wait_spin_adapts),
	KUNIT_CASE(wait_counts),
	KUNIT_CASE(wait_spins),
	KUNIT_CASE_PARAM(wait_full, record_mode_gen_params),
	KUNIT_CASE(wait_woken_early),
	KUNIT_CASE(wait_woken_together),
	{}
};

static struct kunit_suite wait_suite = {
	.name = "spscring_wait",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
