// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a ring as device nodes, for programs that know nothing of rings: they read
 * from spscring-loop-out what they have written to spscring-loop-in.
 */
#include <linux/module.h>

#include "spscring_kapi.h"

static struct spscring_create want = { .capacity = 4096, .element_size = 1, .name = "loop" };
module_param_named(capacity, want.capacity, ullong, 0444);
MODULE_PARM_DESC(capacity, "Of the ring, in elements; in bytes for records of variable size");
module_param_named(element_size, want.element_size, uint, 0444);
MODULE_PARM_DESC(element_size, "Size of an element, in bytes");
module_param_named(flags, want.flags, uint, 0444);
MODULE_PARM_DESC(flags, "SPSCRING_CREATE_*");

/* And a ring that no user can reach, to see that the list has it. */
static const struct spscring_create hidden_want = {
	.capacity = 16, .element_size = 8, .name = "loop private",
};

static struct spscring *ring, *hidden;

static int __init loop_init(void)
{
	int err;

	ring = spscring_create(&want);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	hidden = spscring_create_private(&hidden_want);
	if (IS_ERR(hidden)) {
		spscring_destroy(ring);
		return PTR_ERR(hidden);
	}
	err = spscring_export_device(ring, SPSCRING_PRODUCER, "spscring-loop-in", 0600);
	if (!err)
		err = spscring_export_device(ring, SPSCRING_CONSUMER, "spscring-loop-out", 0600);
	if (err) {
		spscring_destroy(hidden);
		spscring_destroy(ring);
	}
	return err;
}
module_init(loop_init);

static void __exit loop_exit(void)
{
	spscring_destroy(hidden);
	spscring_destroy(ring);
}
module_exit(loop_exit);

MODULE_DESCRIPTION("spscring: both ends of a ring as device nodes");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
