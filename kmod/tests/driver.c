// SPDX-License-Identifier: GPL-2.0
/*
 * A driver whose users may misbehave in any way.  A thread moves u64 that count up through
 * a ring whose other end is the device node /dev/spscring-driver.  The driver counts the
 * callbacks about its users in module parameters, where the tests read them.
 *
 * /dev/spscring-driver-late exports another ring as /dev/spscring-driver-node until its
 * file is closed.  A file opened for reading exports in open(), one opened for writing
 * in write().
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include "spscring_kapi.h"

static unsigned int role = SPSCRING_CONSUMER;
module_param(role, uint, 0444);
MODULE_PARM_DESC(role, "The users' end: 1 the producer, 2 the consumer");

static bool again;
module_param(again, bool, 0444);
MODULE_PARM_DESC(again, "A user's SHUTDOWN does not keep the next user from claiming the end");

static unsigned int flags;
module_param(flags, uint, 0444);
MODULE_PARM_DESC(flags, "SPSCRING_CREATE_* of the rings");

static bool mends;
module_param(mends, bool, 0444);
MODULE_PARM_DESC(mends, "Reset the ring when it is broken");

static bool hold;
static DECLARE_WAIT_QUEUE_HEAD(hold_queue);

static int hold_set(const char *value, const struct kernel_param *param)
{
	int err = param_set_bool(value, param);

	wake_up_all(&hold_queue);
	return err;
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
	.get = param_get_bool,
};
module_param_cb(hold, &hold_ops, &hold, 0644);
MODULE_PARM_DESC(hold, "Each user's open waits until this is 0, at most a minute");

/* Only callbacks write these counters, and the module calls them one at a time. */
static int claimed, shut_down, died, broken, resets;
module_param(claimed, int, 0444);
MODULE_PARM_DESC(claimed, "Users who have claimed the end");
module_param(shut_down, int, 0444);
MODULE_PARM_DESC(shut_down, "Users who have closed the end after a SHUTDOWN");
module_param(died, int, 0444);
MODULE_PARM_DESC(died, "Users who have closed the end without a SHUTDOWN");
module_param(broken, int, 0444);
MODULE_PARM_DESC(broken, "Users who tried to open a broken ring");
module_param(resets, int, 0444);
MODULE_PARM_DESC(resets, "Resets that succeeded");

static DEFINE_MUTEX(lock);		/* protects both handles, value and moved */
static struct spscring_producer producer;
static struct spscring_consumer consumer;
static u64 value;			/* the next to push */
static u64 moved;
module_param(moved, ullong, 0444);
MODULE_PARM_DESC(moved, "Elements that the driver has pushed or popped");

static struct spscring *ring;
static struct task_struct *task;

static int move(void)
{
	u64 v;
	int err;

	lockdep_assert_held(&lock);
	if (role == SPSCRING_CONSUMER) {
		err = spscring_push_fixed(&producer, &value, sizeof(value));
		value += !err;
	} else {
		err = spscring_pop_fixed(&consumer, &v, sizeof(v));
	}
	moved += !err;
	return err;
}

static int stream(void *unused)
{
	int err;

	while (!kthread_should_stop()) {
		mutex_lock(&lock);
		err = move();
		mutex_unlock(&lock);
		if (err)
			usleep_range(50, 100);
		cond_resched();
	}
	return 0;
}

static void reset_broken(void)
{
	struct spscring_info info;
	int err;

	spscring_get_info(ring, &info);
	if (!mends || !info.broken)
		return;
	mutex_lock(&lock);
	err = role == SPSCRING_CONSUMER ? spscring_reset_producer(&producer) :
		spscring_reset_consumer(&consumer);
	mutex_unlock(&lock);
	resets += !err;
}

static void user_claimed(void *unused)
{
	WRITE_ONCE(claimed, claimed + 1);
	/* as a driver may that has no @mapped: lockdep is to know */
	might_fault();
	/* the time limit keeps a failed test from leaving a task behind for ever */
	wait_event_timeout(hold_queue, !READ_ONCE(hold), 60 * HZ);
}

static void user_ended(void *unused, u32 how)
{
	if (how == SPSCRING_SHUT_DOWN)
		WRITE_ONCE(shut_down, shut_down + 1);
	else
		WRITE_ONCE(died, died + 1);
	reset_broken();
}

static void user_refused(void *unused)
{
	WRITE_ONCE(broken, broken + 1);
	reset_broken();
}

static struct spscring *make_ring(void)
{
	return spscring_create(&(struct spscring_create) {
		.capacity = 256, .element_size = sizeof(u64), .name = "driver", .flags = flags,
	});
}

/* ------------------------------------------------------- exported on demand */

static int late_export(struct file *file)
{
	struct spscring *late = make_ring();
	int err;

	if (IS_ERR(late))
		return PTR_ERR(late);
	err = spscring_export_device(late, SPSCRING_CONSUMER, "spscring-driver-node", 0600);
	if (err)
		spscring_destroy(late);
	else
		file->private_data = late;
	return err;
}

static int late_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return file->f_mode & FMODE_WRITE ? 0 : late_export(file);
}

static ssize_t late_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	int err = file->private_data ? -EBUSY : late_export(file);

	return err ?: (ssize_t)size;
}

static int late_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		spscring_destroy(file->private_data);
	return 0;
}

static const struct file_operations late_fops = {
	.owner		= THIS_MODULE,
	.open		= late_open,
	.write		= late_write,
	.release	= late_release,
};

static struct miscdevice late_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring-driver-late",
	.fops	= &late_fops,
	.mode	= 0600,
};

/* ------------------------------------------------------------------------ */

static int ring_init(void)
{
	const struct spscring_watch watch = {
		.flags = again ? SPSCRING_WATCH_REOPEN : 0,
		.claimed = user_claimed, .ended = user_ended, .broken = user_refused,
	};
	int err;

	err = role == SPSCRING_CONSUMER ? spscring_claim_producer(ring, &producer, sizeof(u64), 0) :
		spscring_claim_consumer(ring, &consumer, sizeof(u64), 0);
	return err ?: spscring_watch(ring, role, &watch);
}

static int __init driver_test_init(void)
{
	int err;

	if (role != SPSCRING_PRODUCER && role != SPSCRING_CONSUMER)
		return -EINVAL;
	ring = make_ring();
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	err = ring_init();
	if (err)
		goto err_destroy;
	task = kthread_run(stream, NULL, "spscring-driver");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto err_destroy;
	}
	err = misc_register(&late_misc);
	if (err)
		goto err_stop;
	/* last, because users can open the node from here on */
	err = spscring_export_device(ring, role, "spscring-driver", 0600);
	if (err)
		goto err_misc;
	return 0;

err_misc:
	misc_deregister(&late_misc);
err_stop:
	kthread_stop(task);
err_destroy:
	spscring_destroy(ring);
	return err;
}
module_init(driver_test_init);

static void __exit driver_test_exit(void)
{
	misc_deregister(&late_misc);
	kthread_stop(task);
	spscring_destroy(ring);
}
module_exit(driver_test_exit);

MODULE_DESCRIPTION("spscring: a driver whose users may misbehave");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
