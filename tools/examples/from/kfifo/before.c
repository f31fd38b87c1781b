// SPDX-License-Identifier: GPL-2.0
/* A driver's numbers go to the reader of /dev/from-kfifo by a kfifo. */
#include <linux/fs.h>
#include <linux/kfifo.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/wait.h>

static DEFINE_KFIFO(numbers, u64, 64);
static DECLARE_WAIT_QUEUE_HEAD(more);
static DEFINE_MUTEX(reader);	/* a kfifo has one */

/* Where a device's interrupt would be: a write of N sends 1 to N. */
static int send_set(const char *value, const struct kernel_param *param)
{
	u64 last, i;
	int err = kstrtou64(value, 0, &last);

	for (i = 1; !err && i <= last; i++)
		err = kfifo_put(&numbers, i) ? 0 : -ENOBUFS;
	wake_up_interruptible(&more);
	return err;
}

static const struct kernel_param_ops send_ops = { .set = send_set };
module_param_cb(send, &send_ops, NULL, 0200);

static ssize_t numbers_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	unsigned int copied;
	int err;

	if (mutex_lock_interruptible(&reader))
		return -ERESTARTSYS;
	err = wait_event_interruptible(more, !kfifo_is_empty(&numbers)) ?:
		kfifo_to_user(&numbers, to, size, &copied);
	mutex_unlock(&reader);
	return err ?: copied;
}

static const struct file_operations numbers_fops = {
	.owner = THIS_MODULE,
	.read = numbers_read,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "from-kfifo",
	.fops = &numbers_fops,
	.mode = 0600,
};
module_misc_device(device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Numbers by a kfifo");
