// SPDX-License-Identifier: GPL-2.0
/*
 * Three rings, fed from a hard hrtimer, from a tasklet and from irq_work, each
 * with a node for the user who pops it.  A full ring is tried again with the
 * same value at the next tick, so a user who stays gets 0, 1, 2, ... to the
 * number of records, and then the end of the stream.
 */
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include "spscring_kapi.h"

#define RING_CAPACITY	1024

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static void hrtimer_setup(struct hrtimer *timer,
			  enum hrtimer_restart (*function)(struct hrtimer *),
			  clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

static unsigned long records = 100000;
module_param(records, ulong, 0444);
MODULE_PARM_DESC(records, "How many records each ring gets before it is shut down");

static unsigned int period_us = 200;
module_param(period_us, uint, 0444);
MODULE_PARM_DESC(period_us, "Time between two ticks of the timer");

struct source {
	const char *name;
	struct spscring *ring;
	struct spscring_producer producer;
	u64 value;
	struct work_struct end;	/* the end of the stream may sleep */
};

enum { HRTIMER, TASKLET, IRQWORK, SOURCES };

static struct source sources[SOURCES] = {
	[HRTIMER] = { .name = "spscring-hrtimer" },
	[TASKLET] = { .name = "spscring-tasklet" },
	[IRQWORK] = { .name = "spscring-irqwork" },
};

static struct hrtimer timer;
static struct tasklet_struct tasklet;
static struct irq_work irq_work;

static void source_end(struct work_struct *work)
{
	struct source *s = container_of(work, struct source, end);

	spscring_shutdown(s->ring, SPSCRING_PRODUCER);
}

/* At most a ringful: a quick consumer must not keep an interrupt for ever. */
static void source_push(struct source *s)
{
	int room = RING_CAPACITY;

	if (s->value == records)
		return;
	while (room-- && s->value < records) {
		if (spscring_push_fixed(&s->producer, &s->value, sizeof(s->value)))
			return;
		s->value++;
	}
	if (s->value == records)
		schedule_work(&s->end);
}

static void tasklet_push(struct tasklet_struct *unused)
{
	WARN_ON_ONCE(!in_serving_softirq());
	source_push(&sources[TASKLET]);
}

static void irq_work_push(struct irq_work *unused)
{
	WARN_ON_ONCE(!in_hardirq());
	source_push(&sources[IRQWORK]);
}

static enum hrtimer_restart timer_push(struct hrtimer *unused)
{
	WARN_ON_ONCE(!in_hardirq());
	source_push(&sources[HRTIMER]);
	tasklet_schedule(&tasklet);
	irq_work_queue(&irq_work);
	hrtimer_forward_now(&timer, ns_to_ktime((u64)period_us * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static int source_init(struct source *s)
{
	struct spscring_create want = {
		.capacity = RING_CAPACITY, .record_size = sizeof(s->value),
	};
	int err;

	INIT_WORK(&s->end, source_end);
	s->ring = spscring_create(&want);
	if (IS_ERR(s->ring)) {
		err = PTR_ERR(s->ring);
		s->ring = NULL;
		return err;
	}
	err = spscring_claim_producer(s->ring, &s->producer);
	if (err)
		return err;
	return spscring_export_device(s->ring, SPSCRING_CONSUMER, s->name, 0600);
}

static void sources_destroy(void)
{
	struct source *s;

	for (s = sources; s < sources + SOURCES; s++) {
		if (!s->ring)
			continue;
		cancel_work_sync(&s->end);
		spscring_destroy(s->ring);
	}
}

static int __init irq_test_init(void)
{
	struct source *s;

	if (!records || !period_us)
		return -EINVAL;
	for (s = sources; s < sources + SOURCES; s++) {
		int err = source_init(s);

		if (err) {
			sources_destroy();
			return err;
		}
	}
	tasklet_setup(&tasklet, tasklet_push);
	irq_work = IRQ_WORK_INIT_HARD(irq_work_push);
	hrtimer_setup(&timer, timer_push, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hrtimer_start(&timer, ns_to_ktime((u64)period_us * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
	return 0;
}
module_init(irq_test_init);

static void __exit irq_test_exit(void)
{
	hrtimer_cancel(&timer);
	irq_work_sync(&irq_work);
	tasklet_kill(&tasklet);
	sources_destroy();
}
module_exit(irq_test_exit);

MODULE_DESCRIPTION("spscring: pushes from a hard hrtimer, a tasklet and irq_work");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
