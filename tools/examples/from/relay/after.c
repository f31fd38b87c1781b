// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's lines go to the reader of /dev/from-relay by a ring of records, which are whole lines
 * wherever they lie.  The reader can sleep for the next one.
 */
#include <linux/module.h>
#include <linux/spscring_kapi.h>

static struct spscring *lines;
static struct spscring_record_producer producer;

/* Where a driver would trace: a write of N logs N lines. */
static int log_set(const char *value, const struct kernel_param *param)
{
	unsigned int n, i;
	int err = kstrtouint(value, 0, &n);
	char line[32];

	for (i = 1; !err && i <= n; i++)	/* lines that find no room are counted */
		spscring_record_push(&producer, line, scnprintf(line, sizeof(line),
								"line %u of %u\n", i, n));
	return err;
}

static const struct kernel_param_ops log_ops = { .set = log_set };
module_param_cb(log, &log_ops, NULL, 0200);

static int __init lines_init(void)
{
	const struct spscring_create want = {
		.capacity = 65536, .flags = SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP,
	};
	int err;

	lines = spscring_create(&want);
	err = PTR_ERR_OR_ZERO(lines) ?:
		spscring_record_claim_producer(lines, &producer, 0) ?:
		spscring_export_device(lines, SPSCRING_CONSUMER, "from-relay", 0400);
	if (err)
		spscring_destroy(lines);
	return err;
}
module_init(lines_init);

static void __exit lines_exit(void)
{
	spscring_destroy(lines);
}
module_exit(lines_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Lines by a ring of records");
