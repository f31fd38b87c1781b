// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/spscring: an open makes a ring fd; SPSCRING_ENDPOINT on that makes an endpoint fd, which
 * is one end of the ring, see endpoint.c.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "list.h"
#include "ring.h"
#include "spscring_kapi.h"

/* The sizes of the first versions of structs that have grown. */
#define INFO_SIZE_1	offsetof(struct spscring_info, producer_sleep)
#define CREATE_SIZE_1	offsetof(struct spscring_create, why)

/* A ring file; ring is NULL until CREATE. */
struct ring_file {
	struct spscring *ring;
	wait_queue_head_t pollers;	/* not the ring's: a poll may come before CREATE */
	struct wait_queue_entry relay;	/* wakes the pollers when the ring's ends are woken */
};

/*
 * Read a caller's struct.  It begins with its size, which is at least @least, the size of the
 * struct's first version, and at most a page.  A longer or shorter struct than the kernel knows
 * is handled as clone3() does.
 */
int copy_from_caller(void *to, size_t known, size_t least, void __user *from)
{
	u32 size;

	if (get_user(size, (u32 __user *)from))
		return -EFAULT;
	if (size < least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, known, from, size);
}

int show_info(struct spscring *ring, void __user *arg)
{
	struct spscring_info info;
	u32 size;
	int err;

	err = copy_from_caller(&info, sizeof(info), INFO_SIZE_1, arg);
	if (err)
		return err;
	if (info.flags)
		return -EINVAL;
	size = min_t(u32, info.size, sizeof(info));
	memset(&info, 0, sizeof(info));
	ring_info(ring, &info);
	info.size = size;
	return copy_to_user(arg, &info, size) ? -EFAULT : 0;
}

/*
 * All files are streams, as a pipe is.  From a file that can seek sendfile() would drop what it
 * has read and cannot write, and other code would seek back to unread data.
 */
void make_stream(struct file *file)
{
	stream_open(file_inode(file), file);
}

/* A file lock is on the inode, and all anonymous files of the kernel share one inode. */
int stream_lock(struct file *file, int cmd, struct file_lock *lock)
{
	return -ENOLCK;
}

#ifdef CONFIG_COMPAT
long no_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return -EOPNOTSUPP;
}
#endif

/*
 * The ring of a ring file.  CREATE sets the pointer once; all accesses depend on the pointer, so
 * READ_ONCE() orders them.
 */
static struct spscring *file_ring(struct file *file)
{
	struct ring_file *f = file->private_data;

	return READ_ONCE(f->ring);
}

static int ring_relay(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	wake_up_all(&container_of(entry, struct ring_file, relay)->pollers);
	return 0;
}

static int ring_open(struct inode *inode, struct file *file)
{
	struct ring_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	init_waitqueue_head(&f->pollers);
	init_waitqueue_func_entry(&f->relay, ring_relay);
	file->private_data = f;		/* misc_open() left its device here */
	make_stream(file);
	return 0;
}

static int ring_release(struct inode *inode, struct file *file)
{
	struct ring_file *f = file->private_data;

	if (f->ring) {
		remove_wait_queue(&f->ring->ends, &f->relay);
		ring_put(f->ring);
	}
	kfree(f);
	return 0;
}

static int create_ring(struct ring_file *f, const struct spscring_create *want, u32 *why)
{
	struct spscring *ring;

	*why = 0;
	if (READ_ONCE(f->ring))
		return -EEXIST;
	ring = ring_create(want, RING_OF_USER, why);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	/* two CREATEs may race: one wins; cmpxchg() is fully ordered, so its ring is complete */
	if (cmpxchg(&f->ring, NULL, ring)) {
		ring_put(ring);
		return -EEXIST;
	}
	add_wait_queue(&ring->ends, &f->relay);
	wake_up_all(&f->pollers);
	return 0;
}

static long ioctl_create(struct file *file, struct spscring_create __user *arg)
{
	struct spscring_create want;
	u32 why;
	int err;

	err = copy_from_caller(&want, sizeof(want), CREATE_SIZE_1, arg);
	if (err)
		return err;
	err = create_ring(file->private_data, &want, &why);
	/* only what differs, as the struct may be in read-only memory; and err tells without it */
	if (want.size >= offsetofend(struct spscring_create, why) && why != want.why)
		put_user(why, &arg->why);
	return err;
}

/* Claim with SPSCRING_ENDPOINT_WAIT.  It reserves no fd number while it sleeps. */
static int endpoint_fd_wait(struct spscring *ring, u32 role)
{
	long pause = 0;
	int ret;

	do {
		ret = endpoint_fd(ring, role);
		if (ret != -EBUSY)
			return ret;
		ret = ring_wait_end(ring, role, &pause);
	} while (!ret);
	return ret;
}

static long ioctl_endpoint(struct spscring *ring, void __user *arg)
{
	struct spscring_endpoint want;
	int err;

	err = copy_from_caller(&want, sizeof(want), sizeof(want), arg);
	if (err)
		return err;
	if (want.flags & ~SPSCRING_ENDPOINT_WAIT || !ring_role_valid(want.role))
		return -EINVAL;
	err = ring_check_type(ring, want.element_size, want.type_tag);
	if (err)
		return err;
	return want.flags & SPSCRING_ENDPOINT_WAIT ? endpoint_fd_wait(ring, want.role) :
		endpoint_fd(ring, want.role);
}

static long ring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct spscring *ring = file_ring(file);

	switch (cmd) {
	case SPSCRING_CREATE:
		return ioctl_create(file, (struct spscring_create __user *)arg);
	case SPSCRING_ENDPOINT:
		return ring ? ioctl_endpoint(ring, (void __user *)arg) : -EBADFD;
	case SPSCRING_INFO:
		return ring ? show_info(ring, (void __user *)arg) : -EBADFD;
	case SPSCRING_SHUTDOWN:
	case SPSCRING_WAIT:
	case SPSCRING_KICK:
	case SPSCRING_NOTIFY:
		return -EPERM;
	default:
		return -ENOTTY;
	}
}

static __poll_t ring_poll(struct file *file, poll_table *table)
{
	struct ring_file *f = file->private_data;
	struct spscring *ring;

	poll_wait(file, &f->pollers, table);
	ring = file_ring(file);
	return ring ? ring_ends_mask(ring) : EPOLLERR;
}

static int ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct spscring *ring = file_ring(file);

	return ring ? memmap_mmap(ring, 0, vma) : -EBADFD;
}

static void ring_fdinfo(struct seq_file *m, struct file *file)
{
	struct spscring *ring = file_ring(file);

	if (ring)
		fdinfo_show(m, ring, 0);
}

static const struct file_operations ring_fops = {
	.owner		= THIS_MODULE,
	.open		= ring_open,
	.unlocked_ioctl	= ring_ioctl,
	.compat_ioctl	= no_compat_ioctl,
	.mmap		= ring_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.poll		= ring_poll,
	.fsync		= spscring_end_fsync,
	.fadvise	= spscring_end_fadvise,
	.lock		= stream_lock,
	.flock		= stream_lock,
	.show_fdinfo	= ring_fdinfo,
	.release	= ring_release,
};

/**
 * ring_from_file() - the ring behind a ring fd
 * @file: any file
 *
 * Return: the ring, with a reference; -EPERM not a ring fd; -EBADFD no ring yet.
 */
struct spscring *ring_from_file(struct file *file)
{
	if (file->f_op != &ring_fops)
		return ERR_PTR(-EPERM);
	return file_ring(file) ? ring_get(file_ring(file)) : ERR_PTR(-EBADFD);
}

static struct miscdevice ring_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring",
	.fops	= &ring_fops,
	.mode	= 0600,
};

int __init chardev_init(void)
{
	return misc_register(&ring_device);
}

void chardev_exit(void)
{
	misc_deregister(&ring_device);
}
