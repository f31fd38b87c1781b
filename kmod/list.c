// SPDX-License-Identifier: GPL-2.0
/*
 * All rings of the module, whoever holds them; and the file that lists them, spscring/rings in
 * debugfs.  fdinfo.c has its columns.
 *
 * The file's lock is held for one ring at a time, to copy what a line reports; never while text
 * is formatted or copied to a user.  A reader refers to no ring between two lines, so it delays
 * the end of none: a ring that is closed is free at once, and no longer charged to its user.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/xarray.h>

#include "list.h"
#include "ring.h"

/*
 * The rings by their ids.  Its xa_lock also guards ->pid of all ends, and is the innermost of
 * the module's locks but for those of struct ring_sleep.
 */
static DEFINE_XARRAY_FLAGS(list_rings, XA_FLAGS_ACCOUNT);

static struct dentry *list_dir;

/**
 * list_insert() - enter a new ring
 * @ring: the ring, complete
 *
 * Return: 0; -ENOMEM.
 */
int list_insert(struct spscring *ring)
{
	return xa_insert(&list_rings, ring->id, ring, GFP_KERNEL);
}

/**
 * list_remove() - remove a ring; no reader uses it afterwards
 * @ring: the ring, of list_insert()
 */
void list_remove(struct spscring *ring)
{
	xa_erase(&list_rings, ring->id);
}

static void list_set_pid(struct ring_end *end, struct pid *pid)
{
	struct pid *old;

	get_pid(pid);
	xa_lock(&list_rings);
	old = end->pid;
	WRITE_ONCE(end->pid, pid);
	xa_unlock(&list_rings);
	put_pid(old);
}

/**
 * list_held() - note that the calling process uses an end, which it holds
 * @end: the end
 *
 * Each of the processes that share an end may call it; the list names the last one.  A kernel
 * thread is no holder: it works for a process.  Context: process.
 */
void list_held(struct ring_end *end)
{
	struct pid *pid = task_tgid(current);

	/* no other process can have this struct pid while the end refers to it */
	if (READ_ONCE(end->pid) != pid && !(current->flags & PF_KTHREAD))
		list_set_pid(end, pid);
}

/**
 * list_let_go() - note that no process holds an end any more
 * @end: the end
 */
void list_let_go(struct ring_end *end)
{
	if (READ_ONCE(end->pid))
		list_set_pid(end, NULL);
}

/* ------------------------------------------------------------------ read */

/* The number by which the calling process knows the holder; a process that is gone has none. */
static s64 list_pid(const struct ring_end *end, u32 state)
{
	s64 nr = 0;

	if (end->kernel && state == SPSCRING_HELD)
		return LIST_KERNEL;
	rcu_read_lock();
	if (end->pid && pid_task(end->pid, PIDTYPE_TGID))
		nr = pid_vnr(end->pid);
	rcu_read_unlock();
	return nr ?: LIST_NOBODY;
}

static void list_read_end(struct spscring *ring, u32 role, u32 state, struct list_end *to)
{
	static const char * const states[] = { "unclaimed", "held", "shut-down", "dead" };

	to->state = states[state];
	to->pid = list_pid(ring_end_of(ring, role), state);
	ring_poll_counts(ring, role, &to->failed, &to->spins);
}

static void list_read_locked(struct spscring *ring, struct list_line *line)
{
	u32 flags = ring->geometry.flags;

	memset(line, 0, sizeof(*line));
	ring_info(ring, &line->info);
	line->kind = flags & SPSCRING_CREATE_RECORDS ? "records" : "elements";
	line->mode = flags & SPSCRING_CREATE_OVERWRITE ? "overwrite" :
		flags & SPSCRING_CREATE_DROP ? "drop" : "wait";
	line->sleep = flags & SPSCRING_CREATE_BUSY_POLL ? "busy-poll" :
		flags & SPSCRING_CREATE_FENCE ? "fence" : "adaptive";
	line->owner = ring->private ? "private" : ring->of_user ? "user" : "driver";
	line->uid = ring->uid;
	list_read_end(ring, SPSCRING_PRODUCER, line->info.producer_state, &line->producer);
	list_read_end(ring, SPSCRING_CONSUMER, line->info.consumer_state, &line->consumer);
}

/**
 * list_read() - copy what a line reports of a ring
 * @ring: the ring; the caller holds a reference
 * @line: the result
 *
 * Context: process.
 */
void list_read(struct spscring *ring, struct list_line *line)
{
	xa_lock(&list_rings);
	list_read_locked(ring, line);
	xa_unlock(&list_rings);
}

/* Copy the first ring whose id is @pos or more, and set @pos to its id. */
static void *list_find(struct list_line *line, loff_t *pos)
{
	unsigned long id = *pos;
	struct spscring *ring;

	xa_lock(&list_rings);
	ring = xa_find(&list_rings, &id, ULONG_MAX, XA_PRESENT);
	if (ring)
		list_read_locked(ring, line);
	xa_unlock(&list_rings);
	if (!ring)
		return NULL;
	*pos = id;
	return line;
}

/* A position is an id, so it stays right when rings come and go; 0 is the line of names. */
static void *list_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? list_find(m->private, pos) : SEQ_START_TOKEN;
}

static void *list_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return list_find(m->private, pos);
}

static void list_stop(struct seq_file *m, void *v)
{
}

static int list_show(struct seq_file *m, void *v)
{
	if (v == SEQ_START_TOKEN)
		fdinfo_names(m);
	else
		fdinfo_line(m, v);
	return 0;
}

static const struct seq_operations list_ops = {
	.start	= list_start,
	.next	= list_next,
	.stop	= list_stop,
	.show	= list_show,
};

static int list_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &list_ops, sizeof(struct list_line));
}

static const struct file_operations list_fops = {
	.owner		= THIS_MODULE,
	.open		= list_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

/* A kernel without debugfs has no list, and all else works. */
void __init list_init(void)
{
	list_dir = debugfs_create_dir("spscring", NULL);
	debugfs_create_file("rings", 0400, list_dir, NULL, &list_fops);
}

void list_exit(void)
{
	debugfs_remove(list_dir);
}
