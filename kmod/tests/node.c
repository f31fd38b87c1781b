// SPDX-License-Identifier: GPL-2.0
/*
 * A driver with nodes of its own, for tests.
 *
 * /dev/spscring-node is an end of a ring, beside what the driver does with its file.
 * /dev/spscring-node-exported is an end of a like ring, by spscring_export_device(), so that a
 * test can compare the two.  The driver moves u64 that count up, as many as its ioctl or its
 * parameter asks for.  The driver's "hardware" runs while a user has the end mapped.
 *
 * What is written to /dev/spscring-node-loop comes back by read, through a ring whose ends are both
 * the driver's.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "spscring_kapi.h"
#include "spscring_node.h"

static unsigned int role = SPSCRING_CONSUMER;
module_param(role, uint, 0444);
MODULE_PARM_DESC(role, "The users' end: 1 the producer, 2 the consumer");

static int refuse;
module_param(refuse, int, 0644);
MODULE_PARM_DESC(refuse, "An errno that refuses each user's mmap(); 0: none");

static bool loop_static;
module_param(loop_static, bool, 0444);
MODULE_PARM_DESC(loop_static, "The loop is a ring of DEFINE_SPSCRING()");

static unsigned int loop_align;
module_param(loop_align, uint, 0444);
MODULE_PARM_DESC(loop_align, "Alignment of the elements of the loop, in bytes; 0: the default");

/* Only callbacks write these. */
static int claimed, mapped, ended;
static bool running;
module_param(claimed, int, 0444);
MODULE_PARM_DESC(claimed, "Users who have claimed an end");
module_param(mapped, int, 0444);
MODULE_PARM_DESC(mapped, "Users who were told of to map an end, refused ones too");
module_param(ended, int, 0444);
MODULE_PARM_DESC(ended, "Users who have let go of an end");
module_param(running, bool, 0444);
MODULE_PARM_DESC(running, "A user has the end mapped");

/* A ring with one end the driver's. */
struct node {
	struct mutex lock;		/* one move at a time */
	struct spscring *ring;
	struct spscring_producer producer;
	struct spscring_consumer consumer;
	u64 next;
};

static struct node own, exported;

static int user_mapped(void *unused)
{
	WRITE_ONCE(mapped, mapped + 1);
	if (refuse)
		return -refuse;
	WARN_ON_ONCE(running);
	WRITE_ONCE(running, true);
	return 0;
}

static void user_claimed(void *unused)
{
	WARN_ON_ONCE(running);
	WRITE_ONCE(claimed, claimed + 1);
}

static void user_ended(void *unused, u32 how)
{
	WRITE_ONCE(running, false);
	WRITE_ONCE(ended, ended + 1);
}

/* Move @n elements.  Return: how many it moved, or a negative errno; -EILSEQ a wrong one. */
static long node_move(struct node *node, unsigned long n)
{
	unsigned long done = 0;
	int err = 0;
	u64 v;

	mutex_lock(&node->lock);
	for (; done < n && !err; done += !err, node->next += !err) {
		if (role == SPSCRING_CONSUMER)
			err = spscring_push(&node->producer, &node->next);
		else
			err = spscring_pop(&node->consumer, &v) ?:
				(v == node->next ? 0 : -EILSEQ);
	}
	mutex_unlock(&node->lock);
	return done ?: err;
}

static int exported_set(const char *value, const struct kernel_param *param)
{
	unsigned long n;
	int err = kstrtoul(value, 0, &n);

	return err ?: min(node_move(&exported, n), 0L);
}

static const struct kernel_param_ops exported_ops = {
	.set = exported_set,
};
module_param_cb(exported, &exported_ops, NULL, 0200);
MODULE_PARM_DESC(exported, "Move so many elements of the exported ring");

static int node_init(struct node *node)
{
	const struct spscring_watch watch = {
		.flags = SPSCRING_WATCH_REOPEN,
		.claimed = user_claimed, .mapped = user_mapped, .ended = user_ended,
	};
	struct spscring *ring;

	mutex_init(&node->lock);
	ring = spscring_create(&(struct spscring_create) {
		.capacity = NODE_CAPACITY, .element_size = sizeof(u64), .name = "node",
	});
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	node->ring = ring;
	return (role == SPSCRING_CONSUMER ?
		spscring_claim_producer(ring, &node->producer, sizeof(u64), 0) :
		spscring_claim_consumer(ring, &node->consumer, sizeof(u64), 0)) ?:
		spscring_watch(ring, role, &watch);
}

static void node_exit(struct node *node)
{
	if (node->ring)
		spscring_destroy(node->ring);
}

/* Make all that a driver makes for an end, and let go of it again. */
static int node_again(void)
{
	struct node again = {};
	struct sg_table sgt;
	int err;

	err = node_init(&again) ?:
		spscring_export_device(again.ring, role, "spscring-node-again", 0600) ?:
		spscring_data_sg_table(again.ring, &sgt);
	if (!err)
		sg_free_table(&sgt);
	node_exit(&again);
	return err;
}

/* --------------------------------------------------------- the own node's file */

/* What the driver keeps for a file; the end is one part of it. */
struct own_file {
	u64 opened;		/* the driver's own ioctl returns it */
	struct spscring_end *end;
};

static int own_open(struct inode *inode, struct file *file)
{
	static atomic_t opens;
	struct own_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->opened = atomic_inc_return(&opens);
	f->end = spscring_end_open(own.ring, role, file);
	if (IS_ERR(f->end)) {
		int err = PTR_ERR(f->end);

		kfree(f);
		return err;
	}
	file->private_data = f;
	return 0;
}

static int own_release(struct inode *inode, struct file *file)
{
	struct own_file *f = file->private_data;

	spscring_end_close(f->end);
	kfree(f);
	return 0;
}

static struct spscring_end *end_of(struct file *file)
{
	struct own_file *f = file->private_data;

	return f->end;
}

static long own_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct own_file *f = file->private_data;

	switch (cmd) {
	case NODE_MOVE:
		return node_move(&own, arg);
	case NODE_OPENED:
		return f->opened;
	case NODE_AGAIN:
		return node_again();
	default:
		return spscring_end_ioctl(f->end, cmd, arg);
	}
}

static ssize_t own_read(struct kiocb *iocb, struct iov_iter *to)
{
	return spscring_end_read_iter(end_of(iocb->ki_filp), iocb, to);
}

static ssize_t own_write(struct kiocb *iocb, struct iov_iter *from)
{
	return spscring_end_write_iter(end_of(iocb->ki_filp), iocb, from);
}

static __poll_t own_poll(struct file *file, struct poll_table_struct *table)
{
	return spscring_end_poll(end_of(file), file, table);
}

static int own_fasync(int fd, struct file *file, int on)
{
	return spscring_end_fasync(end_of(file), fd, file, on);
}

static int own_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* a page of the driver's own, which it does not have after all */
	if (vma->vm_pgoff == spscring_end_bytes(end_of(file)) >> PAGE_SHIFT)
		return -EXDEV;
	return spscring_end_mmap(end_of(file), vma);
}

static void own_fdinfo(struct seq_file *m, struct file *file)
{
	spscring_end_show_fdinfo(m, end_of(file));
}

static const struct file_operations own_fops = {
	.owner		= THIS_MODULE,
	SPSCRING_END_FILE_OPERATIONS,
	.open		= own_open,
	.release	= own_release,
	.unlocked_ioctl	= own_ioctl,
	.read_iter	= own_read,
	.write_iter	= own_write,
	.poll		= own_poll,
	.fasync		= own_fasync,
	.mmap		= own_mmap,
	.show_fdinfo	= own_fdinfo,
};

static struct miscdevice own_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring-node",
	.fops	= &own_fops,
	.mode	= 0600,
};

/* ---------------------------------------------------------------- the loop */

static struct node loop;
static DEFINE_SPSCRING(static_loop, u64[NODE_LOOP_SIZE / 8], NODE_CAPACITY);

static struct spscring_producer *loop_producer(void)
{
	return loop_static ? &static_loop.producer : &loop.producer;
}

static struct spscring_consumer *loop_consumer(void)
{
	return loop_static ? &static_loop.consumer : &loop.consumer;
}

/* What a call returns.  The iterator, of @before bytes, has advanced by whole elements alone. */
static ssize_t loop_bytes(long elements, const struct iov_iter *iter, size_t before)
{
	size_t bytes = max(elements, 0L) * NODE_LOOP_SIZE;

	if (before - iov_iter_count(iter) != bytes)
		return -EILSEQ;
	return elements < 0 ? elements : bytes;
}

static ssize_t loop_read(struct kiocb *iocb, struct iov_iter *to)
{
	size_t before = iov_iter_count(to);
	long n;

	mutex_lock(&loop.lock);
	n = spscring_pop_iter(loop_consumer(), to, SIZE_MAX);
	mutex_unlock(&loop.lock);
	return loop_bytes(n, to, before);
}

static ssize_t loop_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t before = iov_iter_count(from);
	long n;

	mutex_lock(&loop.lock);
	n = spscring_push_iter(loop_producer(), from, SIZE_MAX);
	mutex_unlock(&loop.lock);
	return loop_bytes(n, from, before);
}

static const struct file_operations loop_fops = {
	.owner		= THIS_MODULE,
	.read_iter	= loop_read,
	.write_iter	= loop_write,
};

static struct miscdevice loop_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring-node-loop",
	.fops	= &loop_fops,
	.mode	= 0600,
};

static int loop_init(void)
{
	struct spscring *ring;

	mutex_init(&loop.lock);
	ring = spscring_create_private(&(struct spscring_create) {
		.capacity = NODE_CAPACITY, .element_size = NODE_LOOP_SIZE, .align = loop_align,
	});
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	loop.ring = ring;
	return spscring_claim_producer(ring, &loop.producer, NODE_LOOP_SIZE, 0) ?:
		spscring_claim_consumer(ring, &loop.consumer, NODE_LOOP_SIZE, 0);
}

/* ------------------------------------------------------------------------ */

static void nodes_exit(void)
{
	node_exit(&own);
	node_exit(&exported);
	node_exit(&loop);
}

static int __init node_test_init(void)
{
	int err;

	err = node_init(&own) ?: node_init(&exported) ?: loop_init() ?:
		spscring_export_device(exported.ring, role, "spscring-node-exported", 0600) ?:
		misc_register(&own_misc);
	if (err)
		goto err_exit;
	err = misc_register(&loop_misc);
	if (err)
		goto err_own;
	return 0;

err_own:
	misc_deregister(&own_misc);
err_exit:
	nodes_exit();
	return err;
}
module_init(node_test_init);

static void __exit node_test_exit(void)
{
	misc_deregister(&loop_misc);
	misc_deregister(&own_misc);
	nodes_exit();
}
module_exit(node_test_exit);

MODULE_DESCRIPTION("spscring: a driver whose own node is an end of a ring");
MODULE_AUTHOR("The spscring authors");
MODULE_LICENSE("GPL");
