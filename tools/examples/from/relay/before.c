// SPDX-License-Identifier: GPL-2.0
/* A driver's lines go to the reader of /sys/kernel/debug/from-relay0 by a relay channel. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/relay.h>

static struct rchan *channel;

static struct dentry *create_file(const char *name, struct dentry *parent, umode_t mode,
				  struct rchan_buf *buf, int *is_global)
{
	*is_global = 1;		/* one buffer, not one a CPU */
	return debugfs_create_file(name, 0400, parent, buf, &relay_file_operations);
}

static int remove_file(struct dentry *dentry)
{
	debugfs_remove(dentry);
	return 0;
}

static const struct rchan_callbacks callbacks = {
	.create_buf_file = create_file,
	.remove_buf_file = remove_file,
};

/* Where a driver would trace: a write of N logs N lines. */
static int log_set(const char *value, const struct kernel_param *param)
{
	unsigned int n, i;
	int err = kstrtouint(value, 0, &n);
	char line[32];

	for (i = 1; !err && i <= n; i++)
		relay_write(channel, line, scnprintf(line, sizeof(line), "line %u of %u\n", i, n));
	return err;
}

static const struct kernel_param_ops log_ops = { .set = log_set };
module_param_cb(log, &log_ops, NULL, 0200);

static int __init lines_init(void)
{
	channel = relay_open("from-relay", NULL, 4096, 16, &callbacks, NULL);
	return channel ? 0 : -ENOMEM;
}
module_init(lines_init);

static void __exit lines_exit(void)
{
	relay_close(channel);
}
module_exit(lines_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Lines by a relay channel");
