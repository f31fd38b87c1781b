// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/spscring_record_peer, see spscring_record_peer.h.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "spscring_kapi.h"
#include "spscring_record_peer.h"

/* Failed tries between two cond_resched(). */
#define RECORD_TRIES	256

struct record_end {
	struct spscring *ring;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
};

/* In ns: a sleep lasts this long only if the peer does nothing or a wake-up is lost. */
#define RECORD_PATIENCE	(30 * NSEC_PER_SEC)

static int record_sleep(struct record_end *end, struct spscring_record_run *run)
{
	s64 deadline = ktime_get_ns() + RECORD_PATIENCE;
	int err;

	if (run->role == SPSCRING_CONSUMER)
		err = spscring_record_wait_bytes(&end->c, 1, deadline);
	else
		err = spscring_record_wait_room(&end->p, record_need(&run->mover, &end->p),
						deadline);
	/*
	 * A wait polls a last time when its deadline passes, and may succeed although its
	 * wake-up was lost: count that as a timeout, too.
	 */
	if ((!err && (s64)ktime_get_ns() >= deadline) || err == -ETIMEDOUT) {
		run->timeouts++;
		err = 0;
	}
	return err;
}

/* A call failed with -EAGAIN or -EBUSY, the @tries'th in a row.  0: try again. */
static int record_again(struct record_end *end, struct spscring_record_run *run, u32 tries)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	if (run->tries && tries >= run->tries)
		return -EAGAIN;
	if (run->flags & SPSCRING_RECORD_SLEEP)
		return record_sleep(end, run);
	cpu_relax();
	if (!(tries % RECORD_TRIES))
		cond_resched();
	return 0;
}

static int record_move(struct record_end *end, struct spscring_record_run *run)
{
	struct record_mover *m = &run->mover;
	u32 tries = 0, calls = 0;
	int err = 0;

	while (!err && m->seq < run->count) {
		long some = run->role == SPSCRING_PRODUCER ?
			record_put(m, &end->p, run->count - m->seq) :
			record_take(m, &end->c, RECORD_BATCH);

		if (some == -EAGAIN || some == -EBUSY)
			err = record_again(end, run, ++tries);
		else if (some < 0)
			err = some;
		else
			tries = 0;
		if (!(++calls % 4096)) {
			cond_resched();
			if (fatal_signal_pending(current))
				err = -EINTR;
		}
	}
	return err;
}

static void record_shutdown(struct record_end *end, u32 role)
{
	if (role == SPSCRING_PRODUCER)
		spscring_record_shutdown_producer(&end->p);
	else
		spscring_record_shutdown_consumer(&end->c);
}

static int record_run(struct spscring_record_run *run)
{
	struct record_mover *m = &run->mover;
	const u32 role = run->role;
	struct record_end end;
	int err;

	end.ring = spscring_from_fd(run->ring_fd);
	if (IS_ERR(end.ring))
		return PTR_ERR(end.ring);
	m->buf = kvmalloc(record_buf_size(m), GFP_KERNEL_ACCOUNT);
	err = !m->buf ? -ENOMEM : role == SPSCRING_PRODUCER ?
		spscring_record_claim_producer(end.ring, &end.p, 0) :
		spscring_record_claim_consumer(end.ring, &end.c, 0);
	if (err) {
		spscring_put(end.ring, 0);
	} else {
		m->seq = role == SPSCRING_PRODUCER ? end.p.sequence : end.c.sequence;
		run->err = record_move(&end, run);
		if (!(run->flags & SPSCRING_RECORD_DIE))
			record_shutdown(&end, role);
		spscring_put(end.ring, role);
	}
	kvfree(m->buf);
	m->buf = NULL;
	return err;
}

static int record_check_run(const struct spscring_record_run *run)
{
	const u32 ways = run->role == SPSCRING_PRODUCER ? RECORD_PRODUCER_WAYS :
		RECORD_CONSUMER_WAYS;

	if ((run->role != SPSCRING_PRODUCER && run->role != SPSCRING_CONSUMER) ||
	    run->flags & ~(SPSCRING_RECORD_SLEEP | SPSCRING_RECORD_DIE) ||
	    !run->mover.ways || run->mover.ways & ~ways ||
	    run->mover.most > 1 << 20 || run->mover.buf)
		return -EINVAL;
	return 0;
}

static long record_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct spscring_record_run run;
	int err;

	if (cmd != SPSCRING_RECORD_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, user, sizeof(run)))
		return -EFAULT;
	err = record_check_run(&run) ?: record_run(&run);
	if (!err && copy_to_user(user, &run, sizeof(run)))
		err = -EFAULT;
	return err;
}

static const struct file_operations record_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= record_ioctl,
};

static struct miscdevice record_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring_record_peer",
	.fops	= &record_fops,
	.mode	= 0600,
};
module_misc_device(record_misc);

MODULE_DESCRIPTION("A kernel end of a user's ring of records of variable size, to test against");
MODULE_LICENSE("GPL");
