// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that streams events of variable size to a process: each start of a program with
 * its arguments, and each exit.  record-events writes the events to a file.
 *
 * Events happen on several CPUs at once, but a ring has one producer.  So each CPU has its
 * own ring, and needs no lock: code that runs with preemption off is the only writer of its
 * CPU's ring.  That is enough here, because both tracepoints run in process context only.  A
 * probe that interrupts run, too, needs local_irq_save().  A probe that runs under a run
 * queue's lock, such as that of sched_switch, must not commit: a commit may wake the
 * consumer, which takes that lock.
 *
 * The probe writes an event in place: reserve(), fill in, commit().  The driver never waits
 * for the consumer.  If there is no room, the ring drops the event with its sequence number,
 * so that the consumer knows how many events it missed.  With overwrite=1, a flight recorder,
 * the oldest events make room instead, and a consumer reads them when they are wanted.
 *
 * Any process that may open the node can be the consumer, so the driver does not trust it.  A
 * consumer's SHUTDOWN does not keep the next consumer out.  If a consumer breaks the ring,
 * the driver resets the ring before the next consumer gets it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/binfmts.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <trace/events/sched.h>

#include <spscring/record.h>

#include "spscring_events.h"
#include "spscring_kapi.h"

static unsigned long bytes = 1 << 18;
module_param(bytes, ulong, 0444);
MODULE_PARM_DESC(bytes, "Capacity of each CPU's ring, in bytes");

static bool overwrite;
module_param(overwrite, bool, 0444);
MODULE_PARM_DESC(overwrite, "Overwrite the oldest events when a ring is full, instead of dropping");

struct events_cpu {
	struct spscring *ring;
	struct spscring_record_producer producer;
	u64 produced;		/* events, with those lost */
	u64 missed;		/* events while stopped, not yet counted as drops in the ring */
	bool stopped;		/* ring_broken() uses the producer */
};

static DEFINE_PER_CPU(struct events_cpu, events);

/* ----------------------------------------------------------------- events */

/* Reserve an event, and fill in the common fields.  NULL: the event is lost, and counted. */
static struct spscring_event *event_begin(struct events_cpu *cpu, u32 type, u32 length)
{
	struct spscring_event *event;
	void *rec;

	cpu->produced++;
	if (smp_load_acquire(&cpu->stopped)) {	/* pairs with ring_broken() */
		cpu->missed++;
		return NULL;
	}
	if (cpu->missed) {
		spscring_record_drop(&cpu->producer, cpu->missed);
		cpu->missed = 0;
	}
	if (spscring_record_reserve(&cpu->producer, sizeof(*event) + length, &rec))
		return NULL;
	event = rec;
	*event = (struct spscring_event) {
		.time = ktime_get_mono_fast_ns(),
		.type = type,
		.pid = current->pid,
		.tgid = current->tgid,
	};
	return event;
}

static void event_end(struct events_cpu *cpu, struct spscring_event *event, u32 length)
{
	spscring_record_commit(&cpu->producer, event, sizeof(*event) + length);
}

/* The arguments are in the new program's memory; the probe cannot sleep for a page fault. */
static u32 copy_args(void *to, unsigned long from, u32 length)
{
	return copy_from_user_nofault(to, (const void __user *)from, length) ? 0 : length;
}

static void probe_exec(void *unused, struct task_struct *task, pid_t old_pid,
		       struct linux_binprm *bprm)
{
	unsigned long from = task->mm->arg_start;
	u32 args = task->mm->arg_end - from, kept = min(args, SPSCRING_EVENT_ARGS_MAX);
	u32 name = strnlen(bprm->filename, SPSCRING_EVENT_NAME_MAX);
	struct events_cpu *cpu = get_cpu_ptr(&events);
	struct spscring_event *event = event_begin(cpu, SPSCRING_EVENT_EXEC, name + kept);

	if (event) {
		event->args = args;
		event->name = name;
		memcpy(event->data, bprm->filename, name);
		event_end(cpu, event, name + copy_args(event->data + name, from, kept));
	}
	put_cpu_ptr(&events);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static void probe_exit(void *unused, struct task_struct *task)
#else
static void probe_exit(void *unused, struct task_struct *task, bool group_dead)
#endif
{
	u32 name = strnlen(task->comm, sizeof(task->comm));
	struct events_cpu *cpu = get_cpu_ptr(&events);
	struct spscring_event *event = event_begin(cpu, SPSCRING_EVENT_EXIT, name);

	if (event) {
		event->status = task->exit_code;
		event->name = name;
		memcpy(event->data, task->comm, name);
		event_end(cpu, event, name);
	}
	put_cpu_ptr(&events);
}

/* ----------------------------------------------------------------- probes */

/* The kernel does not export register_trace_*() of these tracepoints: find them by name. */
static struct probe {
	const char *name;
	void *function;
	struct tracepoint *tracepoint;
} probes[] = {
	{ .name = "sched_process_exec", .function = probe_exec },
	{ .name = "sched_process_exit", .function = probe_exit },
};

static void probe_find(struct tracepoint *tracepoint, void *unused)
{
	struct probe *p;

	for (p = probes; p < probes + ARRAY_SIZE(probes); p++)
		if (!strcmp(p->name, tracepoint->name))
			p->tracepoint = tracepoint;
}

static int probes_find(void)
{
	struct probe *p;

	/* the kernel calls the probes with the tracepoints' arguments */
	check_trace_callback_type_sched_process_exec(probe_exec);
	check_trace_callback_type_sched_process_exit(probe_exit);
	for_each_kernel_tracepoint(probe_find, NULL);
	for (p = probes; p < probes + ARRAY_SIZE(probes); p++)
		if (!p->tracepoint)
			return -ENOENT;
	return 0;
}

static void probes_unregister(struct probe *end)
{
	struct probe *p;

	for (p = probes; p < end; p++)
		tracepoint_probe_unregister(p->tracepoint, p->function, NULL);
	/* wait until no CPU runs a probe */
	tracepoint_synchronize_unregister();
}

static int probes_register(void)
{
	struct probe *p;
	int err;

	for (p = probes; p < probes + ARRAY_SIZE(probes); p++) {
		err = tracepoint_probe_register(p->tracepoint, p->function, NULL);
		if (err) {
			probes_unregister(p);
			return err;
		}
	}
	return 0;
}

/* ------------------------------------------------------------- parameters */

static DEFINE_MUTEX(events_lock);
static bool loaded;		/* the rings exist */
static bool registered;
static bool enabled = true;

static int events_switch(void)
{
	int err = 0;

	lockdep_assert_held(&events_lock);
	if (!loaded || registered == enabled)
		return 0;
	if (enabled)
		err = probes_register();
	else
		probes_unregister(probes + ARRAY_SIZE(probes));
	registered = enabled && !err;
	enabled = registered;
	return err;
}

/* When a write of 0 returns, no event comes any more. */
static int enabled_set(const char *value, const struct kernel_param *param)
{
	int err;

	mutex_lock(&events_lock);
	err = param_set_bool(value, param) ?: events_switch();
	mutex_unlock(&events_lock);
	return err;
}

static const struct kernel_param_ops enabled_ops = {
	.set = enabled_set,
	.get = param_get_bool,
};
module_param_cb(enabled, &enabled_ops, &enabled, 0644);
MODULE_PARM_DESC(enabled, "Produce events; may be written at any time");

static int produced_get(char *buffer, const struct kernel_param *param)
{
	int cpu, at = 0;

	for_each_possible_cpu(cpu)
		at += scnprintf(buffer + at, PAGE_SIZE - at, "%d %llu\n", cpu,
				READ_ONCE(per_cpu_ptr(&events, cpu)->produced));
	return at;
}

static const struct kernel_param_ops produced_ops = {
	.get = produced_get,
};
module_param_cb(produced, &produced_ops, NULL, 0444);
MODULE_PARM_DESC(produced, "Events that have happened, one line per CPU");

/* ------------------------------------------------------------------ rings */

/*
 * A process opens the node of a ring that the last consumer has broken.  Without a reset this
 * open and all later ones would fail.  No probe pushes during the reset: a probe that has not
 * seen "stopped" has preemption off, and synchronize_rcu() waits for it.
 */
static void ring_broken(void *data)
{
	struct events_cpu *cpu = data;
	int err;

	WRITE_ONCE(cpu->stopped, true);
	synchronize_rcu();
	err = spscring_record_reset_producer(&cpu->producer);
	if (err)
		pr_warn_ratelimited("a ring stays broken: %d\n", err);
	/* publish the reset handle before "stopped" lets probes use it; see event_begin() */
	smp_store_release(&cpu->stopped, false);
}

static int ring_watch(struct events_cpu *cpu)
{
	return spscring_watch(cpu->ring, SPSCRING_CONSUMER, &(struct spscring_watch) {
		.flags = SPSCRING_WATCH_REOPEN, .broken = ring_broken, .data = cpu,
	});
}

static int ring_init(struct events_cpu *cpu, int number)
{
	struct spscring_create want = {
		.flags = SPSCRING_CREATE_RECORDS |
			 (overwrite ? SPSCRING_CREATE_OVERWRITE : SPSCRING_CREATE_DROP),
		.capacity = bytes,
		.type_tag = SPSCRING_EVENTS_TAG,
	};
	int err;

	snprintf(want.name, sizeof(want.name), SPSCRING_EVENTS_NODE "%d", number);
	cpu->ring = spscring_create(&want);
	if (IS_ERR(cpu->ring)) {
		err = PTR_ERR(cpu->ring);
		cpu->ring = NULL;
		return err;
	}
	err = spscring_record_claim_producer(cpu->ring, &cpu->producer, SPSCRING_EVENTS_TAG);
	if (!err)
		err = ring_watch(cpu);
	if (err)
		return err;
	return spscring_export_device(cpu->ring, SPSCRING_CONSUMER, want.name, 0600);
}

static void rings_destroy(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct events_cpu *its = per_cpu_ptr(&events, cpu);

		if (!its->ring)
			continue;
		/* after this no callback resets the ring, so the producer is free to use */
		spscring_unwatch(its->ring, SPSCRING_CONSUMER);
		/* a consumer gets all that is left, and then the end of the stream */
		spscring_record_shutdown_producer(&its->producer);
		spscring_destroy(its->ring);
	}
}

static int __init events_init(void)
{
	int cpu, err;

	if (bytes < spscring_record_size(SPSCRING_RECORD_ALIGN_MIN, SPSCRING_EVENT_MAX))
		return -EINVAL;
	err = probes_find();
	if (err)
		return err;
	for_each_possible_cpu(cpu) {
		err = ring_init(per_cpu_ptr(&events, cpu), cpu);
		if (err)
			goto err_rings;
	}
	mutex_lock(&events_lock);
	loaded = true;
	err = events_switch();
	mutex_unlock(&events_lock);
	if (err)
		goto err_rings;
	return 0;

err_rings:
	rings_destroy();
	return err;
}
module_init(events_init);

static void __exit events_exit(void)
{
	mutex_lock(&events_lock);
	enabled = false;
	events_switch();
	loaded = false;
	mutex_unlock(&events_lock);
	rings_destroy();
}
module_exit(events_exit);

MODULE_DESCRIPTION("spscring example: which programs are started, and how they end");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
