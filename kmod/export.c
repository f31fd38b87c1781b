// SPDX-License-Identifier: GPL-2.0
/*
 * Ends of drivers' rings as device nodes, see spscring_kapi.h.
 *
 * The nodes are character devices of a region and a class of their own, not misc devices: an
 * open here claims the end, which can take seconds and calls the driver, and misc_open() would
 * hold the lock of all misc devices meanwhile.
 */
#include <linux/cdev.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kdev_t.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "compat.h"
#include "ring.h"
#include "spscring_kapi.h"

#define EXPORT_MINORS	(MINORMASK + 1)

/* A device node of the driver's naming; each open claims the end. */
struct ring_export {
	struct list_head all;
	struct device dev;
	struct cdev cdev;
	struct spscring *ring;
	u32 role;
	umode_t mode;
	bool gone;		/* removed; an inode that was opened before may still lead here */
};

static LIST_HEAD(exports);		/* exports whose name is in use */
static DEFINE_MUTEX(exports_lock);	/* guards the list; no other lock is taken under it */
static DEFINE_IDA(export_minors);
static dev_t export_region;
static struct vfsmount *export_devtmpfs;	/* NULL: the kernel has none */

static char *export_devnode(COMPAT_DEVNODE_CONST struct device *dev, umode_t *mode)
{
	const struct ring_export *export = dev_get_drvdata(dev);

	if (mode)
		*mode = export->mode;
	return NULL;
}

static struct class export_class = {
	.name		= "spscring",
	.devnode	= export_devnode,
};

static int export_open(struct inode *inode, struct file *file)
{
	struct ring_export *export = container_of(inode->i_cdev, struct ring_export, cdev);

	if (READ_ONCE(export->gone))
		return -ENODEV;
	return endpoint_open(file, export->ring, export->role);
}

/* While a file is open, chrdev_open() holds the owner for it, and the file holds the cdev. */
static const struct file_operations export_fops = {
	.owner	= THIS_MODULE,
	.open	= export_open,
};

static void export_release(struct device *dev)
{
	struct ring_export *export = dev_get_drvdata(dev);

	ida_free(&export_minors, MINOR(dev->devt) - MINOR(export_region));
	ring_put(export->ring);
	kfree(export);
}

/*
 * Is the name a file name that devtmpfs uses unchanged (it turns '!' into '/'), and that is
 * harmless in a line of a log or of a uevent?
 */
static bool export_name_valid(const char *name)
{
	size_t i;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (i = 0; i <= NAME_MAX && name[i]; i++)
		if (!isascii(name[i]) || !isgraph(name[i]) || name[i] == '/' || name[i] == '!')
			return false;
	return i && i <= NAME_MAX;
}

/*
 * Does a file other than the node of @mine have the name in devtmpfs?  The kernel reports no
 * error in that case: it adds the device, but not the node.
 *
 * Return: 0 no; -EEXIST yes; or another negative errno: it cannot be checked.
 */
static int export_node_taken(const char *name, dev_t mine)
{
	struct path root;
	struct file *file;
	umode_t mode;
	bool taken;

	if (!export_devtmpfs)
		return 0;
	root = (struct path) { .mnt = export_devtmpfs, .dentry = export_devtmpfs->mnt_root };
	file = file_open_root(&root, name, O_PATH | O_NOFOLLOW, 0);
	if (IS_ERR(file))
		return PTR_ERR(file) == -ENOENT ? 0 : PTR_ERR(file);
	mode = file_inode(file)->i_mode;
	taken = !S_ISCHR(mode) || file_inode(file)->i_rdev != mine;
	fput(file);
	return taken ? -EEXIST : 0;
}

/* Reserve the name: for a duplicate device_add() would log a stack trace. */
static int export_enlist(struct ring_export *export)
{
	const char *name = dev_name(&export->dev);
	struct ring_export *other;
	int err = 0;

	mutex_lock(&exports_lock);
	list_for_each_entry(other, &exports, all) {
		if (!strcmp(dev_name(&other->dev), name)) {
			err = -EEXIST;
			break;
		}
	}
	if (!err)
		list_add(&export->all, &exports);
	mutex_unlock(&exports_lock);
	return err;
}

static void export_delist(struct ring_export *export)
{
	mutex_lock(&exports_lock);
	list_del(&export->all);
	mutex_unlock(&exports_lock);
}

static struct ring_export *export_alloc(struct spscring *ring, u32 role, const char *name,
					umode_t mode)
{
	struct ring_export *export = kzalloc(sizeof(*export), GFP_KERNEL);
	int minor, err;

	if (!export)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&export_minors, EXPORT_MINORS - 1, GFP_KERNEL);
	/* GCOVR_EXCL_START: the first minors need no memory, and there are a million */
	if (minor < 0) {
		kfree(export);
		return ERR_PTR(minor);
	}
	/* GCOVR_EXCL_STOP */
	export->ring = ring_get(ring);
	export->role = role;
	export->mode = mode;
	cdev_init(&export->cdev, &export_fops);
	export->cdev.owner = THIS_MODULE;
	device_initialize(&export->dev);
	dev_set_drvdata(&export->dev, export);
	export->dev.class = &export_class;
	export->dev.release = export_release;
	export->dev.devt = MKDEV(MAJOR(export_region), MINOR(export_region) + minor);
	err = dev_set_name(&export->dev, "%s", name);
	if (err) {
		put_device(&export->dev);
		return ERR_PTR(err);
	}
	return export;
}

static int export_add(struct ring_export *export)
{
	const char *name = dev_name(&export->dev);
	int err;

	err = export_node_taken(name, export->dev.devt);
	if (err)
		return err;
	err = cdev_device_add(&export->cdev, &export->dev);
	if (err)
		goto err_gone;
	/* check again: another subsystem may have made a node of that name meanwhile */
	err = export_node_taken(name, export->dev.devt);
	if (err) {
		cdev_device_del(&export->cdev, &export->dev);
		goto err_gone;
	}
	return 0;

err_gone:
	/* by a node made with mknod() somebody could open the device number for a moment */
	WRITE_ONCE(export->gone, true);
	return err;
}

/**
 * spscring_export_device() - make a device node whose open claims an end
 * @ring: the ring, of spscring_create()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 * @name: the node's name in /dev: 1 to 255 printable ASCII characters, no blank, '/' or '!'
 * @mode: the node's permissions unless a udev rule sets others; 0 is 0600
 *
 * Each open claims the end: a second open fails with EBUSY until the first user has let go.
 * See spscring_watch() for what a user can do to the end, and for the driver's callbacks.  An
 * open fails with EACCES if the consumer's node is not opened for reading, or the producer's
 * not for writing; a user who maps the pages needs both.  The node is of class "spscring".
 * spscring_destroy() removes it.
 *
 * Context: process, may sleep; also a misc device's open and ioctl, and the callbacks of
 * spscring_watch(): it takes no lock that an open holds while it claims.
 *
 * Return: 0; -EINVAL a bad role, name or mode; -EPERM a ring of spscring_from_fd() or of
 * spscring_create_private(); -EEXIST an export or another file in devtmpfs has the name;
 * -ENOSPC no device number is left; -ENOMEM.
 */
int spscring_export_device(struct spscring *ring, u32 role, const char *name, umode_t mode)
{
	struct ring_export *export;
	int err;

	if (!ring_role_valid(role) || !export_name_valid(name) || mode & ~0777)
		return -EINVAL;
	if (ring->of_user || ring->private)
		return -EPERM;
	export = export_alloc(ring, role, name, mode);
	if (IS_ERR(export))
		return PTR_ERR(export);
	err = export_enlist(export);
	if (err)
		goto err_put;
	err = export_add(export);
	if (err)
		goto err_delist;
	return 0;

err_delist:
	export_delist(export);
err_put:
	put_device(&export->dev);
	return err;
}
EXPORT_SYMBOL_GPL(spscring_export_device);

static struct ring_export *export_of(struct spscring *ring)
{
	struct ring_export *export, *found = NULL;

	mutex_lock(&exports_lock);
	list_for_each_entry(export, &exports, all) {
		if (export->ring == ring) {
			found = export;
			break;
		}
	}
	mutex_unlock(&exports_lock);
	return found;
}

/**
 * export_remove() - remove a ring's device nodes
 * @ring: the ring; nobody exports it any more
 *
 * It does not wait for an open in progress: that one gets the end, or ENODEV.
 */
void export_remove(struct spscring *ring)
{
	struct ring_export *export;

	while ((export = export_of(ring))) {
		WRITE_ONCE(export->gone, true);
		cdev_device_del(&export->cdev, &export->dev);
		/* only after the device is gone is its name free */
		export_delist(export);
		put_device(&export->dev);
	}
}

static void __init export_find_devtmpfs(void)
{
	struct file_system_type *type;

	if (!IS_ENABLED(CONFIG_DEVTMPFS))
		return;
	type = get_fs_type("devtmpfs");
	if (!type)
		return;
	export_devtmpfs = kern_mount(type);
	if (IS_ERR(export_devtmpfs))
		export_devtmpfs = NULL;
}

int __init export_init(void)
{
	int err = alloc_chrdev_region(&export_region, 0, EXPORT_MINORS, "spscring");

	if (err)
		return err;
	err = class_register(&export_class);
	if (err) {
		unregister_chrdev_region(export_region, EXPORT_MINORS);
		return err;
	}
	export_find_devtmpfs();
	return 0;
}

void export_exit(void)
{
	if (export_devtmpfs)
		kern_unmount(export_devtmpfs);
	class_unregister(&export_class);
	unregister_chrdev_region(export_region, EXPORT_MINORS);
	ida_destroy(&export_minors);
}
