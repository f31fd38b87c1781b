// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/spscring_kapi.h>

static struct spscring *ring;
static struct spscring_producer producer;
static u64 count;

static void tick(struct work_struct *work)
{
	if (!spscring_push(&producer, &count))	/* it wakes the reader; if full, try again */
		count++;
	schedule_delayed_work(to_delayed_work(work), 1);
}

static DECLARE_DELAYED_WORK(ticks, tick);

static int __init counter_init(void)
{
	int err;

	ring = spscring_create(&(struct spscring_create) { .capacity = 4096, .element_size = 8 });
	err = PTR_ERR_OR_ZERO(ring) ?: spscring_claim_producer(ring, &producer, sizeof(count), 0) ?:
		spscring_export_device(ring, SPSCRING_CONSUMER, "counter", 0600);
	if (err)
		spscring_destroy(ring);
	else
		schedule_delayed_work(&ticks, 0);
	return err;
}
module_init(counter_init);

static void __exit counter_exit(void)
{
	cancel_delayed_work_sync(&ticks);
	spscring_destroy(ring);
}
module_exit(counter_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A number that counts up, for /dev/counter");
