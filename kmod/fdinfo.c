// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/fdinfo/FD of a ring fd and of an endpoint fd.
 */
#include <linux/seq_file.h>

#include "ring.h"

static const char * const roles[] = { "none", "producer", "consumer" };

/* The kernel's counters of an end's sleep, and the end's own counters of its tries. */
static void show_sleep(struct seq_file *m, struct spscring *ring, u32 role, const char *fails,
		       const struct spscring_sleep_counters *count)
{
	u64 needless = count->kicks > count->wakes ? count->kicks - count->wakes : 0;
	u64 failed, polled;

	ring_poll_counts(ring, role, &failed, &polled);
	seq_printf(m, "%s:\t%llu\n", fails, failed);
	seq_printf(m, "%s-spins:\t%llu\n", roles[role], polled);
	seq_printf(m, "%s-sleeps:\t%llu\n", roles[role], count->sleeps);
	seq_printf(m, "%s-polls:\t%llu\n", roles[role], count->polls);
	seq_printf(m, "%s-kicks:\t%llu\n", roles[role], count->kicks);
	seq_printf(m, "%s-wakes:\t%llu\n", roles[role], count->wakes);
	seq_printf(m, "%s-needless:\t%llu\n", roles[role], needless);
	seq_printf(m, "%s-interrupts:\t%llu\n", roles[role], count->interrupts);
	seq_printf(m, "%s-clears:\t%llu\n", roles[role], count->clears);
	seq_printf(m, "%s-refused:\t%llu\n", roles[role], count->refused);
}

/**
 * fdinfo_show() - print a ring's state, for people
 * @m: where to print
 * @ring: the ring
 * @role: the end that the file is; 0 for a ring fd
 *
 * Context: process, may sleep.
 */
void fdinfo_show(struct seq_file *m, struct spscring *ring, u32 role)
{
	static const char * const states[] = { "unclaimed", "held", "shut down", "dead" };
	struct spscring_info info = {};

	ring_info(ring, &info);
	seq_printf(m, "spscring-id:\t%llu\n", ring->id);
	seq_printf(m, "spscring-name:\t%.*s\n", SPSCRING_NAME_MAX, info.name);
	seq_printf(m, "spscring-role:\t%s\n", roles[role]);
	seq_printf(m, "record-size:\t%u\n", info.geometry.element_size);
	seq_printf(m, "capacity:\t%llu\n", info.geometry.capacity);
	seq_printf(m, "memory:\t%llu\n", info.geometry.memory);
	seq_printf(m, "head:\t%llu\n", info.head);
	seq_printf(m, "tail:\t%llu\n", info.tail);
	seq_printf(m, "length:\t%llu\n", info.length);
	seq_printf(m, "producer:\t%s %u\n", states[info.producer_state], info.producer_generation);
	seq_printf(m, "consumer:\t%s %u\n", states[info.consumer_state], info.consumer_generation);
	seq_printf(m, "broken:\t%u\n", info.broken);
	seq_printf(m, "drops:\t%llu\n", info.loss.drops);
	seq_printf(m, "overruns:\t%llu\n", info.loss.overruns);
	seq_printf(m, "high-water:\t%llu\n", info.loss.high_water);
	seq_printf(m, "sequence:\t%llu\n", info.loss.sequence);
	show_sleep(m, ring, SPSCRING_PRODUCER, "full", &info.producer_sleep);
	show_sleep(m, ring, SPSCRING_CONSUMER, "empty", &info.consumer_sleep);
}
