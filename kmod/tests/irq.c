// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that a hard hrtimer, a tasklet, irq_work and, on machines that can send them, NMIs
 * push into.  A user opens each ring's device node and pops.  When a ring is full, the source
 * tries the same value at the next tick.  So a user who keeps reading gets 0, 1, 2, ... up to
 * the number of elements, and then the end of the stream.
 */
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/nmi.h>
#endif

#include "compat.h"
#include "spscring_kapi.h"

#define RING_CAPACITY	1024
#define BURST		64	/* elements a tick: a fast consumer drains them and sleeps */

static unsigned long records = 100000;
module_param(records, ulong, 0444);
MODULE_PARM_DESC(records, "Elements that each ring gets before its producer shuts down");

static unsigned int period_us = 200;
module_param(period_us, uint, 0444);
MODULE_PARM_DESC(period_us, "Time between two ticks of the timer");

struct source {
	const char *name;
	struct spscring *ring;
	struct spscring_producer producer;
	u64 value;
	struct irq_work last;	/* queues @end, which an NMI cannot do */
	struct work_struct end;	/* shuts the producer down, which may sleep */
};

enum { HRTIMER, TASKLET, IRQWORK, NMI, SOURCES };

static struct source sources[SOURCES] = {
	[HRTIMER] = { .name = "spscring-hrtimer" },
	[TASKLET] = { .name = "spscring-tasklet" },
	[IRQWORK] = { .name = "spscring-irqwork" },
	[NMI] = { .name = "spscring-nmi" },
};

static struct hrtimer timer;
static struct tasklet_struct tasklet;
static struct irq_work irq_work;

static void source_end(struct work_struct *work)
{
	struct source *s = container_of(work, struct source, end);

	spscring_shutdown_producer(&s->producer);
}

static void source_last(struct irq_work *work)
{
	schedule_work(&container_of(work, struct source, last)->end);
}

static void source_push(struct source *s)
{
	int room = BURST;

	if (s->value == records)
		return;
	WARN_ON_ONCE(spscring_length(s->ring) > RING_CAPACITY);
	while (room-- && s->value < records) {
		if (spscring_push_fixed(&s->producer, &s->value, sizeof(s->value)))
			return;
		s->value++;
	}
	if (s->value == records)
		irq_work_queue(&s->last);
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

#ifdef CONFIG_X86_LOCAL_APIC
/* The CPU that an NMI is on its way to, or -1.  One at a time: the ring has one producer. */
static atomic_t nmi_cpu = ATOMIC_INIT(-1);

static int nmi_push(unsigned int type, struct pt_regs *regs)
{
	if (atomic_read(&nmi_cpu) != smp_processor_id())
		return NMI_DONE;
	WARN_ON_ONCE(!in_nmi());
	source_push(&sources[NMI]);
	atomic_set_release(&nmi_cpu, -1);
	return NMI_HANDLED;
}

static void nmi_send(void)
{
	int cpu = smp_processor_id();

	if (atomic_cmpxchg(&nmi_cpu, -1, cpu) == -1)
		apic->send_IPI(cpu, NMI_VECTOR);
}

static int nmi_start(void)
{
	return register_nmi_handler(NMI_LOCAL, nmi_push, 0, "spscring_irq");
}

static void nmi_stop(void)
{
	while (atomic_read(&nmi_cpu) != -1)
		cpu_relax();
	unregister_nmi_handler(NMI_LOCAL, "spscring_irq");
}
#else
static void nmi_send(void) { }
static int nmi_start(void) { return 0; }
static void nmi_stop(void) { }
#endif

static enum hrtimer_restart timer_push(struct hrtimer *unused)
{
	WARN_ON_ONCE(!in_hardirq());
	source_push(&sources[HRTIMER]);
	tasklet_schedule(&tasklet);
	irq_work_queue(&irq_work);
	nmi_send();
	hrtimer_forward_now(&timer, ns_to_ktime((u64)period_us * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static int source_init(struct source *s)
{
	struct spscring_create want = {
		.capacity = RING_CAPACITY, .element_size = sizeof(s->value),
	};
	int err;

	if (s == &sources[NMI] && !IS_ENABLED(CONFIG_X86_LOCAL_APIC))
		return 0;
	init_irq_work(&s->last, source_last);
	INIT_WORK(&s->end, source_end);
	s->ring = spscring_create(&want);
	if (IS_ERR(s->ring)) {
		err = PTR_ERR(s->ring);
		s->ring = NULL;
		return err;
	}
	err = spscring_claim_producer(s->ring, &s->producer, sizeof(s->value), 0);
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
		irq_work_sync(&s->last);
		cancel_work_sync(&s->end);
		spscring_destroy(s->ring);
	}
}

static int __init irq_test_init(void)
{
	struct source *s;
	int err;

	if (!records || !period_us)
		return -EINVAL;
	for (s = sources; s < sources + SOURCES; s++) {
		err = source_init(s);
		if (err)
			goto err_destroy;
	}
	err = nmi_start();
	if (err)
		goto err_destroy;
	tasklet_setup(&tasklet, tasklet_push);
	irq_work = IRQ_WORK_INIT_HARD(irq_work_push);
	hrtimer_setup(&timer, timer_push, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hrtimer_start(&timer, ns_to_ktime((u64)period_us * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
	return 0;

err_destroy:
	sources_destroy();
	return err;
}
module_init(irq_test_init);

static void __exit irq_test_exit(void)
{
	hrtimer_cancel(&timer);
	nmi_stop();
	irq_work_sync(&irq_work);
	tasklet_kill(&tasklet);
	sources_destroy();
}
module_exit(irq_test_exit);

MODULE_DESCRIPTION("spscring: pushes from a hard hrtimer, a tasklet, irq_work and NMIs");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
