// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's numbers go to the reader of /dev/from-kfifo by a ring.  read(), poll(), mmap() and the
 * rule of one reader come with the ring.
 */
#include <linux/module.h>
#include <linux/spscring_kapi.h>

static struct spscring *numbers;
static struct spscring_producer producer;

/* Where a device's interrupt would be: a write of N sends 1 to N. */
static int send_set(const char *value, const struct kernel_param *param)
{
	u64 last, i;
	int err = kstrtou64(value, 0, &last);

	for (i = 1; !err && i <= last; i++)
		err = spscring_push(&producer, &i);	/* it wakes the reader, too */
	return err == -EAGAIN ? -ENOBUFS : err;
}

static const struct kernel_param_ops send_ops = { .set = send_set };
module_param_cb(send, &send_ops, NULL, 0200);

static int __init numbers_init(void)
{
	const struct spscring_create want = { .capacity = 64, .element_size = sizeof(u64) };
	int err;

	numbers = spscring_create(&want);
	err = PTR_ERR_OR_ZERO(numbers) ?:
		spscring_claim_producer(numbers, &producer, sizeof(u64), 0) ?:
		spscring_export_device(numbers, SPSCRING_CONSUMER, "from-kfifo", 0600);
	if (err)
		spscring_destroy(numbers);
	return err;
}
module_init(numbers_init);

static void __exit numbers_exit(void)
{
	spscring_destroy(numbers);
}
module_exit(numbers_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Numbers by a ring");
