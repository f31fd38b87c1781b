// SPDX-License-Identifier: GPL-2.0
#include <linux/log2.h>
#include <linux/module.h>

#include "list.h"
#include "ring.h"

unsigned long ring_max_bytes;
module_param_named(max_bytes, ring_max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes, "Most memory for all rings that users make, in bytes; 0: no limit");
module_param_named(quiet_us, fence_quiet_us, uint, 0644);
MODULE_PARM_DESC(quiet_us, "Time without a new sleeper after which a ring's publishes and releases need no fence, in microseconds");
module_param_named(max_interrupts, fence_max_interrupts, uint, 0644);
MODULE_PARM_DESC(max_interrupts, "How often a second the rings of one user, or of all drivers together, may interrupt a peer's CPUs in place of its fences; 0: never");

/* GCOVR_EXCL_START: it runs while the module is loaded, before its counters are known */
static int used_bytes_set(const char *value, const struct kernel_param *param)
{
	return -EPERM;
}

/* GCOVR_EXCL_STOP */

static int used_bytes_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%lu\n", memory_used());
}

static const struct kernel_param_ops used_bytes_ops = {
	.set = used_bytes_set,
	.get = used_bytes_get,
};
module_param_cb(used_bytes, &used_bytes_ops, NULL, 0444);
MODULE_PARM_DESC(used_bytes, "Memory of all rings that users have made, in bytes, as max_bytes limits it; to be read only");

static int frame_size_set(const char *value, const struct kernel_param *param)
{
	unsigned int size;
	int err = kstrtouint(value, 0, &size);

	if (err)
		return err;
	if (size && (!is_power_of_2(size) || size < SPSCRING_FRAME_MIN ||
		     size > SPSCRING_FRAME_MAX))
		return -EINVAL;
	WRITE_ONCE(*(unsigned int *)param->arg, size);
	return 0;
}

static const struct kernel_param_ops frame_size_ops = {
	.set = frame_size_set,
	.get = param_get_uint,
};

unsigned int ring_default_frame_size;
module_param_cb(default_frame_size, &frame_size_ops, &ring_default_frame_size, 0644);
MODULE_PARM_DESC(default_frame_size, "Frame size of rings whose creator names none, in bytes, a power of two; 0: by the size of an element");

static int __init spscring_init(void)
{
	int err;

	fence_init();
	err = export_init();
	if (err)
		return err;
	err = chardev_init();
	if (err) {
		export_exit();
		return err;
	}
	list_init();
	return 0;
}
module_init(spscring_init);

static void __exit spscring_exit(void)
{
	list_exit();
	chardev_exit();
	export_exit();
	memory_exit();
	fence_exit();
}
module_exit(spscring_exit);

MODULE_DESCRIPTION("Single-producer single-consumer rings between processes and the kernel");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(SPSCRING_VERSION));	/* the layout */
