// SPDX-License-Identifier: GPL-2.0
/*
 * One end of one ring, held by a file: an endpoint fd, a node of spscring_export_device(), or a
 * file of a driver's own node.  The operations are exported, and take the end, not the file:
 * what private_data is belongs to whoever made the file.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "compat.h"
#include "list.h"
#include "ring.h"
#include "spscring_kapi.h"

/* ring is NULL until the end is claimed. */
struct spscring_end {
	struct spscring *ring;
	u32 role;
	struct mutex io;	/* serialises read() and write() */
};

static long ioctl_shutdown(struct spscring_end *end, void __user *arg)
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

static long ioctl_wait(struct spscring_end *end, void __user *arg)
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

static long ioctl_notify(struct spscring_end *end, void __user *arg)
{
	struct spscring_notify want;
	int err;

	err = copy_from_caller(&want, sizeof(want), sizeof(want), arg);
	if (err)
		return err;
	return wait_notify(end->ring, end->role, &want);
}

static long ioctl_readable(struct spscring_end *end, int __user *arg)
{
	return put_user((int)min_t(u64, ring_next_bytes(end->ring), INT_MAX), arg);
}

/**
 * spscring_end_ioctl() - f_op->unlocked_ioctl of an end
 * @end: the end
 * @cmd: the command
 * @arg: its argument
 *
 * It serves the commands that <linux/spscring.h> has for an endpoint fd, and FIONREAD.  A driver
 * handles its own commands first.  Context: process, may sleep.
 *
 * Return: as <linux/spscring.h> says at each command; -ENOTTY a command that it does not know.
 */
long spscring_end_ioctl(struct spscring_end *end, unsigned int cmd, unsigned long arg)
{
	if (_IOC_TYPE(cmd) == SPSCRING_IOC && in_compat_syscall())
		return -EOPNOTSUPP;
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
EXPORT_SYMBOL_GPL(spscring_end_ioctl);

/**
 * spscring_end_read_iter() - f_op->read_iter of an end
 * @end: the end
 * @iocb: the call
 * @to: where to copy to
 *
 * Context: process; may sleep, unless the file has O_NONBLOCK or the call IOCB_NOWAIT.
 *
 * Return: bytes, or a negative errno, as <linux/spscring.h> says of read; -EBADF the producer's
 * end.
 */
ssize_t spscring_end_read_iter(struct spscring_end *end, struct kiocb *iocb, struct iov_iter *to)
{
	if (end->role != SPSCRING_CONSUMER)
		return -EBADF;
	return rw_read(end->ring, &end->io, iocb, to);
}
EXPORT_SYMBOL_GPL(spscring_end_read_iter);

/**
 * spscring_end_write_iter() - f_op->write_iter of an end
 * @end: the end
 * @iocb: the call
 * @from: where to copy from
 *
 * Context: as spscring_end_read_iter().
 *
 * Return: bytes, or a negative errno, as <linux/spscring.h> says of write; -EBADF the consumer's
 * end.
 */
ssize_t spscring_end_write_iter(struct spscring_end *end, struct kiocb *iocb,
				struct iov_iter *from)
{
	if (end->role != SPSCRING_PRODUCER)
		return -EBADF;
	return rw_write(end->ring, &end->io, iocb, from);
}
EXPORT_SYMBOL_GPL(spscring_end_write_iter);

/**
 * spscring_end_poll() - f_op->poll of an end
 * @end: the end
 * @file: the file
 * @table: the poll table of whoever polls
 *
 * Context: process, may sleep.
 *
 * Return: EPOLL* as <linux/spscring.h> says at struct spscring_notify.
 */
__poll_t spscring_end_poll(struct spscring_end *end, struct file *file,
			   struct poll_table_struct *table)
{
	return wait_poll(end->ring, end->role, file, table);
}
EXPORT_SYMBOL_GPL(spscring_end_poll);

/**
 * spscring_end_fasync() - f_op->fasync of an end
 * @end: the end
 * @fd: the file's fd
 * @file: the file
 * @on: 0 to switch SIGIO off
 *
 * Context: process, may sleep.
 *
 * Return: as fasync_helper(); -EOPNOTSUPP a BUSY_POLL ring.
 */
int spscring_end_fasync(struct spscring_end *end, int fd, struct file *file, int on)
{
	return wait_fasync(end->ring, end->role, fd, file, on);
}
EXPORT_SYMBOL_GPL(spscring_end_fasync);

/**
 * spscring_end_mmap() - f_op->mmap of an end
 * @end: the end
 * @vma: the mapping that is asked for
 *
 * The offsets are those that INFO reports, from 0 on, so a driver with mappings of its own puts
 * them beyond the ring's: at spscring_end_bytes() or later.  Context: process, may sleep, with
 * the mapping's lock held.
 *
 * Return: 0, or a negative errno as <linux/spscring.h> says at "The pages", or as @mapped of
 * struct spscring_watch.
 */
int spscring_end_mmap(struct spscring_end *end, struct vm_area_struct *vma)
{
	return memmap_mmap(end->ring, end->role, vma);
}
EXPORT_SYMBOL_GPL(spscring_end_mmap);

/**
 * spscring_end_bytes() - how far an end's offsets for mmap() go
 * @end: the end
 *
 * Return: the first offset beyond the ring's pages, in bytes.
 */
u64 spscring_end_bytes(const struct spscring_end *end)
{
	return (u64)(end->ring->pgoff + end->ring->nr_mapped) << PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(spscring_end_bytes);

/**
 * spscring_end_show_fdinfo() - f_op->show_fdinfo of an end
 * @m: where to print
 * @end: the end
 *
 * Context: process, may sleep.
 */
void spscring_end_show_fdinfo(struct seq_file *m, struct spscring_end *end)
{
	fdinfo_show(m, end->ring, end->role);
}
EXPORT_SYMBOL_GPL(spscring_end_show_fdinfo);

/**
 * spscring_end_fsync() - f_op->fsync of a file that is an end, see SPSCRING_END_FILE_OPERATIONS
 * @file: the file
 * @start: the first byte
 * @end: the last byte
 * @datasync: whether fdatasync() is asked for
 *
 * msync() succeeds, as there is no storage to write to; its range never ends at LLONG_MAX.
 * fsync(), whose range does, is refused as on a pipe.
 *
 * Return: 0, or -EINVAL.
 */
int spscring_end_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	return end == LLONG_MAX ? -EINVAL : 0;
}
EXPORT_SYMBOL_GPL(spscring_end_fsync);

/**
 * spscring_end_fadvise() - f_op->fadvise of a file that is an end, see SPSCRING_END_FILE_OPERATIONS
 * @file: the file
 * @offset: the first byte
 * @len: how many
 * @advice: POSIX_FADV_*
 *
 * Return: -ESPIPE, as a pipe.
 */
int spscring_end_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	return -ESPIPE;
}
EXPORT_SYMBOL_GPL(spscring_end_fadvise);

/**
 * spscring_end_splice_read() - f_op->splice_read of a file that is an end
 * @file: the file, whose read_iter it calls
 * @pos: not used, as the file is a stream
 * @pipe: where to
 * @len: in bytes
 * @flags: SPLICE_F_*
 *
 * See SPSCRING_END_FILE_OPERATIONS.  It copies: the pages of the ring itself must not go into a
 * pipe, as the producer would overwrite them after their release, before the pipe is read.  With
 * records of variable size a call moves one record.  In the other direction, by
 * iter_file_splice_write(), all bytes that the pipe holds, or as many as were asked for, become
 * one record.
 *
 * Return: bytes, or a negative errno as spscring_end_read_iter().
 */
ssize_t spscring_end_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags)
{
	return copy_splice_read(file, pos, pipe, len, flags);
}
EXPORT_SYMBOL_GPL(spscring_end_splice_read);

/*
 * All files are streams, as a pipe is.  From a file that can seek sendfile() would drop what it
 * has read and cannot write, and other code would seek back to unread data.
 */
static int end_claim(struct spscring_end *end, struct spscring *ring, u32 role,
		     struct file *file)
{
	int err;

	if (!ring_role_valid(role))
		return -EINVAL;
	/* the claim comes last: it could not be undone without the peer and watchers noticing */
	err = watch_claim(ring, role);
	if (err)
		return err;
	end->role = role;
	end->ring = ring_get(ring);
	make_stream(file);
	file->f_mode |= FMODE_NOWAIT;
	return 0;
}

static struct spscring_end *end_alloc(void)
{
	struct spscring_end *end = kzalloc(sizeof(*end), GFP_KERNEL_ACCOUNT);

	if (end)
		mutex_init(&end->io);
	return end;
}

/**
 * spscring_end_open() - claim an end for a file of a driver's own node
 * @ring: the ring, of spscring_create() or of spscring_from_fd()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 * @file: the file that is being opened
 *
 * For f_op->open.  The driver keeps the end wherever its operations find it, and calls the
 * spscring_end_*() of the same names from these; f_op->release calls spscring_end_close().
 * SPSCRING_END_FILE_OPERATIONS has the operations that need no end.  The file then does all that
 * a node of spscring_export_device() does.  An open that fails after this call has to close the
 * end, which the peer and the callbacks of spscring_watch() see as the death of a user.
 *
 * The end keeps the ring's memory, and its pages, until it is closed, also after
 * spscring_destroy().  The file becomes a stream: it cannot seek.
 *
 * Context: process, may sleep; not a callback of the ring, and with no lock held that one takes.
 *
 * Return: the end; or an ERR_PTR as spscring_export_file(), -EINVAL also with O_DIRECT, -EACCES
 * the consumer's file is not opened for reading, or the producer's not for writing.
 */
struct spscring_end *spscring_end_open(struct spscring *ring, u32 role, struct file *file)
{
	const fmode_t needs = role == SPSCRING_PRODUCER ? FMODE_WRITE : FMODE_READ;
	struct spscring_end *end;
	int err;

	if (!(file->f_mode & needs))
		return ERR_PTR(-EACCES);
	/* the kernel refuses O_DIRECT after f_op->open, and a claimed end would die of that */
	if (file->f_flags & O_DIRECT)
		return ERR_PTR(-EINVAL);
	end = end_alloc();
	if (!end)
		return ERR_PTR(-ENOMEM);
	err = end_claim(end, ring, role, file);
	if (err) {
		kfree(end);
		return ERR_PTR(err);
	}
	return end;
}
EXPORT_SYMBOL_GPL(spscring_end_open);

/**
 * spscring_end_close() - let go of an end
 * @end: the end, of spscring_end_open(); the caller must not use it afterwards
 *
 * For f_op->release, which comes after the last mapping is gone.  Unless the user has shut the
 * end down, it dies.  @ended of struct spscring_watch runs before this function returns.
 * Context: process, may sleep.
 */
void spscring_end_close(struct spscring_end *end)
{
	if (end->ring) {
		watch_end(end->ring, end->role);
		ring_put(end->ring);
	}
	kfree(end);
}
EXPORT_SYMBOL_GPL(spscring_end_close);

/* ------------------------------------------------- files of this module's own */

static long endpoint_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return spscring_end_ioctl(file->private_data, cmd, arg);
}

static ssize_t endpoint_read(struct kiocb *iocb, struct iov_iter *to)
{
	return spscring_end_read_iter(iocb->ki_filp->private_data, iocb, to);
}

static ssize_t endpoint_write(struct kiocb *iocb, struct iov_iter *from)
{
	return spscring_end_write_iter(iocb->ki_filp->private_data, iocb, from);
}

static __poll_t endpoint_poll(struct file *file, poll_table *table)
{
	return spscring_end_poll(file->private_data, file, table);
}

static int endpoint_fasync(int fd, struct file *file, int on)
{
	return spscring_end_fasync(file->private_data, fd, file, on);
}

static int endpoint_mmap(struct file *file, struct vm_area_struct *vma)
{
	return spscring_end_mmap(file->private_data, vma);
}

static void endpoint_fdinfo(struct seq_file *m, struct file *file)
{
	spscring_end_show_fdinfo(m, file->private_data);
}

static int endpoint_release(struct inode *inode, struct file *file)
{
	spscring_end_close(file->private_data);
	return 0;
}

static const struct file_operations endpoint_fops = {
	.owner		= THIS_MODULE,
	SPSCRING_END_FILE_OPERATIONS,
	.unlocked_ioctl	= endpoint_ioctl,
	.compat_ioctl	= no_compat_ioctl,
	.read_iter	= endpoint_read,
	.write_iter	= endpoint_write,
	.poll		= endpoint_poll,
	.fasync		= endpoint_fasync,
	.mmap		= endpoint_mmap,
	.lock		= stream_lock,
	.flock		= stream_lock,
	.show_fdinfo	= endpoint_fdinfo,
	.release	= endpoint_release,
};

/**
 * endpoint_file() - claim an end for a new file
 * @ring: the ring
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 *
 * Return: the file; or an ERR_PTR as watch_claim(), -EINVAL, -ENOMEM, -ENFILE.
 */
struct file *endpoint_file(struct spscring *ring, u32 role)
{
	struct spscring_end *end = end_alloc();
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
	err = end_claim(end, ring, role, file);
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
 * Return: 0; or a negative errno as spscring_end_open().
 */
int endpoint_open(struct file *file, struct spscring *ring, u32 role)
{
	struct spscring_end *end = spscring_end_open(ring, role, file);

	if (IS_ERR(end))
		return PTR_ERR(end);
	file->private_data = end;
	file->f_op = &endpoint_fops;	/* same owner: the reference that open took stays valid */
	return 0;
}
