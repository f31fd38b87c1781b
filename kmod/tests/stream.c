// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that can be unloaded at any time.  A thread pushes into a ring whose consumer's
 * end is a device node; a user who has opened the node does not pin this module.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

#include "spscring_kapi.h"

static unsigned long capacity = 4096;
module_param(capacity, ulong, 0444);
MODULE_PARM_DESC(capacity, "Of the ring, in elements of eight bytes");

static struct spscring *ring;
static struct spscring_producer producer;
static struct task_struct *task;

/* Push 0, 1, 2, ... until the driver is unloaded. */
static int stream(void *unused)
{
	u64 value = 0;

	while (!kthread_should_stop()) {
		if (spscring_push_fixed(&producer, &value, sizeof(value)))
			usleep_range(50, 100);
		else
			value++;
		cond_resched();
	}
	return 0;
}

static int __init stream_init(void)
{
	struct spscring_create want = {
		.capacity = capacity, .element_size = sizeof(u64), .name = "stream",
	};
	int err;

	ring = spscring_create(&want);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	err = spscring_claim_producer(ring, &producer, sizeof(u64), 0);
	if (err)
		goto err_destroy;
	task = kthread_run(stream, NULL, "spscring-stream");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto err_destroy;
	}
	err = spscring_export_device(ring, SPSCRING_CONSUMER, "spscring-stream", 0600);
	if (err)
		goto err_stop;
	return 0;

err_stop:
	kthread_stop(task);
err_destroy:
	spscring_destroy(ring);
	return err;
}
module_init(stream_init);

static void __exit stream_exit(void)
{
	kthread_stop(task);
	spscring_destroy(ring);
}
module_exit(stream_exit);

MODULE_DESCRIPTION("spscring: a driver that is unloaded while a user reads its ring");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
