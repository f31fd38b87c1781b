// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/spscring: an open makes a ring fd; SPSCRING_ENDPOINT on that makes an endpoint fd, which
 * is one end of the ring.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <spscring/element.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <asm/ioctls.h>

#include "compat.h"
#include "ring.h"

/* The sizes of the first versions of structs that have grown. */
#define INFO_SIZE_1	offsetof(struct spscring_info, producer_sleep)
#define CREATE_SIZE_1	offsetof(struct spscring_create, why)

/* An endpoint file; ring is NULL until the end is claimed. */
struct endpoint {
	struct spscring *ring;
	u32 role;
	struct mutex io;	/* serialises read() and write() */
};

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
static int copy_from_caller(void *to, size_t known, size_t least, void __user *from)
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

static int show_info(struct spscring *ring, void __user *arg)
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
static void make_stream(struct file *file)
{
	stream_open(file_inode(file), file);
}

/*
 * msync() succeeds, as there is no storage to write to; its range never ends at LLONG_MAX.
 * fsync(), whose range does, is refused as on a pipe.
 */
static int stream_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	return end == LLONG_MAX ? -EINVAL : 0;
}

static int stream_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	return -ESPIPE;
}

/* A file lock is on the inode, and all anonymous files of the kernel share one inode. */
static int stream_lock(struct file *file, int cmd, struct file_lock *lock)
{
	return -ENOLCK;
}

#ifdef CONFIG_COMPAT
static long no_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return -EOPNOTSUPP;
}
#else
#define no_compat_ioctl NULL
#endif

/* -------------------------------------------------------------- endpoint */

static long ioctl_shutdown(struct endpoint *end, void __user *arg)
{
	struct spscring_shutdown down;
	int err;

	err = copy_from_caller(&down, sizeof(down), sizeof(down), arg);
	if (err)
		return err;
	if (down.flags & ~SPSCRING_SHUTDOWN_BROKEN)
		return -EINVAL;
	if (down.flags & SPSCRING_SHUTDOWN_BROKEN)
		spscring_broken(end->ring, end->role);
	/* no record after the end of the stream: a write() in progress finishes its record first */
	ring_begin_shutdown(end->ring, end->role);
	if (mutex_lock_interruptible(&end->io))
		return -ERESTARTSYS;
	ring_close_end(end->ring, end->role, SPSCRING_SHUT_DOWN);
	mutex_unlock(&end->io);
	return 0;
}

static long ioctl_wait(struct endpoint *end, void __user *arg)
{
	struct spscring_wait want;
	int err;

	err = copy_from_caller(&want, sizeof(want), sizeof(want), arg);
	if (err)
		return err;
	if (want.flags & ~SPSCRING_WAIT_ARM)
		return -EINVAL;
	if (want.flags & SPSCRING_WAIT_ARM && want.deadline != -1)
		return -EINVAL;
	if (want.flags & SPSCRING_WAIT_ARM)
		return wait_arm(end->ring, end->role, want.index);
	return wait_sleep(end->ring, end->role, want.index, want.deadline);
}

static long ioctl_notify(struct endpoint *end, void __user *arg)
{
	struct spscring_notify want;
	int err;

	err = copy_from_caller(&want, sizeof(want), sizeof(want), arg);
	if (err)
		return err;
	return wait_notify(end->ring, end->role, &want);
}

static long ioctl_readable(struct endpoint *end, int __user *arg)
{
	return put_user((int)min_t(u64, ring_next_bytes(end->ring), INT_MAX), arg);
}

static long endpoint_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct endpoint *end = file->private_data;

	switch (cmd) {
	case SPSCRING_KICK:
		if (arg & ~(unsigned long)SPSCRING_KICK_NOW)
			return -EINVAL;
		wait_wake(ring_end_of(end->ring, ring_peer(end->role)), arg & SPSCRING_KICK_NOW);
		return 0;
	case SPSCRING_WAIT:
		return ioctl_wait(end, (void __user *)arg);
	case SPSCRING_NOTIFY:
		return ioctl_notify(end, (void __user *)arg);
	case SPSCRING_INFO:
		return show_info(end->ring, (void __user *)arg);
	case SPSCRING_SHUTDOWN:
		return ioctl_shutdown(end, (void __user *)arg);
	case FIONREAD:
		return ioctl_readable(end, (int __user *)arg);
	case SPSCRING_CREATE:
	case SPSCRING_ENDPOINT:
		return -EPERM;
	default:
		return -ENOTTY;
	}
}

static ssize_t endpoint_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct endpoint *end = iocb->ki_filp->private_data;

	if (end->role != SPSCRING_CONSUMER)
		return -EBADF;
	return rw_read(end->ring, &end->io, iocb, to);
}

static ssize_t endpoint_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct endpoint *end = iocb->ki_filp->private_data;

	if (end->role != SPSCRING_PRODUCER)
		return -EBADF;
	return rw_write(end->ring, &end->io, iocb, from);
}

static __poll_t endpoint_poll(struct file *file, poll_table *table)
{
	struct endpoint *end = file->private_data;

	return wait_poll(end->ring, end->role, file, table);
}

static int endpoint_fasync(int fd, struct file *file, int on)
{
	struct endpoint *end = file->private_data;

	return wait_fasync(end->ring, end->role, fd, file, on);
}

static int endpoint_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct endpoint *end = file->private_data;

	return memmap_mmap(end->ring, end->role, vma);
}

static void endpoint_fdinfo(struct seq_file *m, struct file *file)
{
	struct endpoint *end = file->private_data;

	fdinfo_show(m, end->ring, end->role);
}

static int endpoint_release(struct inode *inode, struct file *file)
{
	struct endpoint *end = file->private_data;

	if (end->ring) {
		watch_end(end->ring, end->role);
		ring_put(end->ring);
	}
	kfree(end);
	return 0;
}

/*
 * splice() and sendfile() copy, by read() and write().  With records of variable size a call
 * moves one record into a pipe; from a pipe, all bytes that it holds, or as many as were asked
 * for, become one record.  The pages of the ring itself must not go into a pipe: the producer
 * would overwrite them after their release, before the pipe is read.
 */
static const struct file_operations endpoint_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= endpoint_ioctl,
	.compat_ioctl	= no_compat_ioctl,
	.read_iter	= endpoint_read,
	.write_iter	= endpoint_write,
	.splice_read	= copy_splice_read,
	.splice_write	= iter_file_splice_write,
	.poll		= endpoint_poll,
	.fasync		= endpoint_fasync,
	.mmap		= endpoint_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.fsync		= stream_fsync,
	.fadvise	= stream_fadvise,
	.lock		= stream_lock,
	.flock		= stream_lock,
	.show_fdinfo	= endpoint_fdinfo,
	.release	= endpoint_release,
};

static int endpoint_claim(struct endpoint *end, struct spscring *ring, u32 role)
{
	int err;

	if (!ring_role_valid(role))
		return -EINVAL;
	err = watch_claim(ring, role);
	if (err)
		return err;
	end->role = role;
	end->ring = ring_get(ring);
	return 0;
}

static struct endpoint *endpoint_alloc(void)
{
	struct endpoint *end = kzalloc(sizeof(*end), GFP_KERNEL_ACCOUNT);

	if (end)
		mutex_init(&end->io);
	return end;
}

/**
 * endpoint_file() - claim an end for a new file
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Return: the file; or an ERR_PTR as watch_claim(), -EINVAL, -ENOMEM, -ENFILE.
 */
struct file *endpoint_file(struct spscring *ring, u32 role)
{
	struct endpoint *end = endpoint_alloc();
	struct file *file;
	int err;

	if (!end)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile(role == SPSCRING_PRODUCER ? "[spscring-producer]" :
				  "[spscring-consumer]", &endpoint_fops, end, O_RDWR);
	if (IS_ERR(file)) {
		kfree(end);
		return file;
	}
	make_stream(file);
	file->f_mode |= FMODE_NOWAIT;
	/* the claim comes last: it could not be undone without the peer and watchers noticing */
	err = endpoint_claim(end, ring, role);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

/**
 * endpoint_fd() - claim an end for a new close-on-exec fd
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Return: the fd; or a negative errno as endpoint_file(), -EMFILE.
 */
int endpoint_fd(struct spscring *ring, u32 role)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = endpoint_file(ring, role);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/**
 * endpoint_open() - claim an end for a device node's file
 * @file: the file that is being opened
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Return: 0; or a negative errno as watch_claim(), -ENOMEM, -EINVAL O_DIRECT, -EACCES the
 * consumer's not opened for reading, or the producer's not for writing.
 */
int endpoint_open(struct file *file, struct spscring *ring, u32 role)
{
	const fmode_t needs = role == SPSCRING_PRODUCER ? FMODE_WRITE : FMODE_READ;
	struct endpoint *end;
	int err;

	if (!(file->f_mode & needs))
		return -EACCES;
	/* the kernel refuses O_DIRECT once this returns, and a claimed end would die of that */
	if (file->f_flags & O_DIRECT)
		return -EINVAL;
	end = endpoint_alloc();
	if (!end)
		return -ENOMEM;
	err = endpoint_claim(end, ring, role);
	if (err) {
		kfree(end);
		return err;
	}
	file->private_data = end;
	make_stream(file);
	file->f_mode |= FMODE_NOWAIT;
	file->f_op = &endpoint_fops;	/* same owner: the reference that open took stays valid */
	return 0;
}

/* --------------------------------------------------------------- ring fd */

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
	.fsync		= stream_fsync,
	.fadvise	= stream_fadvise,
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
