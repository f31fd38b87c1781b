// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/spscring_peer, see spscring_peer.h.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <spscring/record.h>

#include "spscring_kapi.h"
#include "spscring_peer.h"
#include "trace.h"

/* The thread checks for STOP after so many failed tries, and after so many elements. */
#define PEER_TRIES	256
#define PEER_RECORDS	4096

/* In ns: a sleep that lasts this long has lost its wake-up. */
#define PEER_PATIENCE	(30 * NSEC_PER_SEC)

struct peer {
	struct mutex lock;	/* start and join */
	struct task_struct *thread;
	struct completion finished;
	bool stop;

	/* the thread alone uses these while it runs */
	struct spscring_peer_start want;
	struct spscring *ring;
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_record_producer rp;	/* for records of variable size */
	u32 role;		/* the end of @ring that the thread holds */
	u32 size;		/* of an element, or SPSCRING_VARIABLE_SIZE */
	u32 tries;
	u32 seed;		/* of DAWDLE's pauses */
	u64 due;		/* when PACED pushes its next batch, in ns */
	u64 polled;		/* what POLLED has pushed; its tracepoint probe counts it */
	bool watches;		/* the probe is registered */
	struct irq_work kick;
	void *recs;
	int (*run)(struct peer *peer, u64 n);
	struct spscring_peer_result result;
};

static int peer_pause(struct peer *peer)
{
	if (READ_ONCE(peer->stop))
		return -ECANCELED;
	cond_resched();
	return 0;
}

/*
 * A wait polls a last time when its deadline passes.  If that poll succeeds, the kernel has
 * lost the wake-up.  If the wait times out, the user's end is merely late.
 */
static noinline int peer_sleep(struct peer *peer, bool popping)
{
	bool paced = peer->want.op == SPSCRING_PEER_PACED;
	s64 deadline = ktime_get_ns() +
		(peer->want.gap_ns && !paced ? peer->want.gap_ns : PEER_PATIENCE);
	int err;

	if (popping)
		err = spscring_wait_elements(&peer->c, 1, deadline);
	else
		err = spscring_wait_room(&peer->p, 1, deadline);
	if (!err && (s64)ktime_get_ns() >= deadline)
		peer->result.lost++;
	/* STOP interrupts the sleep; peer_pause() reports it */
	if (err == -ETIMEDOUT || err == -ERESTARTSYS || err == -EINTR)
		err = 0;
	return err ?: peer_pause(peer);
}

/* A push or pop failed: 0 to try again. */
static __always_inline int peer_again(struct peer *peer, int err, bool popping)
{
	if (err != -EAGAIN)
		return err;
	if (peer->want.flags & SPSCRING_PEER_SLEEP)
		return peer_sleep(peer, popping);
	if (popping)
		spscring_backoff(&peer->c);
	else
		cpu_relax();
	if (likely(++peer->tries % PEER_TRIES))
		return 0;
	return peer_pause(peer);
}

/* What one call of an operation has done, and its buffer. */
struct peer_tally {
	u64 first;		/* sequence number of the call's first element */
	u64 done;
	u64 wrong;
	u64 checksum;
	void *recs;
};

/* Push all @n elements.  @t counts those that were pushed, even if a later one fails. */
static __always_inline int peer_push(struct peer *peer, struct peer_tally *t, u32 n, u32 size,
				     bool one)
{
	const void *recs = t->recs;

	while (n) {
		long some;
		int err;

		if (one)
			some = spscring_push_fixed(&peer->p, recs, size) ?: 1;
		else
			some = spscring_push_n_fixed(&peer->p, recs, n, size);
		if (likely(some > 0)) {
			t->done += some;
			recs += some * size;
			n -= some;
			continue;
		}
		err = peer_again(peer, some, false);
		if (err)
			return err;
	}
	return 0;
}

/* Pop 1 to @n elements: how many, or a negative errno. */
static __always_inline long peer_pop(struct peer *peer, struct peer_tally *t, u32 n, u32 size,
				     bool one)
{
	for (;;) {
		long some;
		int err;

		if (one)
			some = spscring_pop_fixed(&peer->c, t->recs, size) ?: 1;
		else
			some = spscring_pop_n_fixed(&peer->c, t->recs, n, size);
		if (likely(some > 0))
			return some;
		err = peer_again(peer, some, true);
		if (err)
			return err;
	}
}

/* Count wrong elements among @n that begin with @seq.  The buffer has room for @batch. */
static __always_inline void peer_check(struct peer_tally *t, u32 n, u32 batch, u32 size, u64 seq)
{
	const void *rec = t->recs;

	for (n = min(n, batch); n; n--, seq++, rec += size) {
		t->wrong += spscring_peer_wrong(rec, size, seq);
		t->checksum += spscring_peer_word(rec, size);
	}
}

/* Pause up to some 50 µs, three times in four, so that the peer falls asleep at any point. */
static noinline void peer_dawdle(struct peer *peer)
{
	u32 i, n;

	peer->seed = peer->seed * 1664525 + 1013904223;
	n = peer->seed >> 24;
	if (n < 64)
		return;
	for (i = 0; i < n * 8; i++)
		cpu_relax();
}

/* ------------------------------------------------------------ operations */

static __always_inline int peer_source(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				       u32 batch)
{
	while (t->done != n) {
		u32 some = min_t(u64, batch, n - t->done), i;
		int err;

		for (i = 0; i < some; i++)
			spscring_peer_fill(t->recs + (u64)i * size, size, t->first + t->done + i);
		if (peer->want.flags & SPSCRING_PEER_DAWDLE)
			peer_dawdle(peer);
		err = peer_push(peer, t, some, size, batch == 1);
		if (err)
			return err;
	}
	return 0;
}

static int peer_await(struct peer *peer, u64 due)
{
	while (ktime_get_ns() < due) {
		cpu_relax();
		if (unlikely(!(++peer->tries % PEER_TRIES))) {
			int err = peer_pause(peer);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Push every batch that is due, even when the thread is late: none is skipped. */
static __always_inline int peer_paced(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				      u32 batch)
{
	if (!peer->due)
		peer->due = ktime_get_ns();
	while (t->done != n) {
		int err = peer_await(peer, peer->due);

		if (!err)
			err = peer_source(peer, t, min(t->done + batch, n), size, batch);
		if (err)
			return err;
		peer->due += peer->want.gap_ns;
	}
	return 0;
}

static __always_inline int peer_sink(struct peer *peer, struct peer_tally *t, u64 n, u32 size,
				     u32 batch)
{
	while (t->done != n) {
		long some = peer_pop(peer, t, min_t(u64, batch, n - t->done), size, batch == 1);

		if (some < 0)
			return some;
		peer_check(t, some, batch, size, t->first + t->done);
		t->done += some;
		if (peer->want.flags & SPSCRING_PEER_DAWDLE)
			peer_dawdle(peer);
	}
	return 0;
}

static void peer_kick(struct irq_work *work)
{
	struct peer *peer = container_of(work, struct peer, kick);

	spscring_kick(peer->ring, SPSCRING_CONSUMER, 0);
}

/*
 * Push while a poll of the consumer is between checking the ring and reporting the result.
 * The poll holds the end's lock, so the kick is left to irq_work, which runs after that; and a look
 * at the consumer's cursor, which kicks if that lies, has to be made before: see peer_watch().
 */
static void peer_in_poll(void *data, const struct spscring *ring, u32 role, u64 index, bool ready)
{
	struct peer *peer = data;
	struct spscring_producer *p = &peer->p;
	void *slot;
	u64 event;

	if (ring != peer->ring || role != SPSCRING_CONSUMER ||
	    peer->polled == peer->want.count || p->base.pos == p->base.cached_limit ||
	    spscring_reserve(p, &slot))
		return;
	spscring_peer_fill(slot, peer->size, peer->want.first + peer->polled);
	spscring_commit_flags(p, 1, SPSCRING_NOWAKE);
	peer->polled++;
	/* as spscring_wake_consumer() */
	event = spscring_consumer_event(&p->base);
	if (!spscring_need_kick(event, p->base.pos, p->base.last_kicked))
		return;
	p->base.last_kicked = event;
	irq_work_queue(&peer->kick);
}

static int peer_watch(struct peer *peer)
{
	void *slot;
	int err;

	/* the probe pushes no more than there is room for now; an error it meets itself */
	(void)spscring_reserve(&peer->p, &slot);
	err = peer->want.flags & SPSCRING_PEER_ARMED ?
		register_trace_spscring_arm(peer_in_poll, peer) :
		register_trace_spscring_poll(peer_in_poll, peer);
	peer->watches = !err;
	return err;
}

static void peer_unwatch(struct peer *peer)
{
	if (!peer->watches)
		return;
	if (peer->want.flags & SPSCRING_PEER_ARMED)
		unregister_trace_spscring_arm(peer_in_poll, peer);
	else
		unregister_trace_spscring_poll(peer_in_poll, peer);
	tracepoint_synchronize_unregister();
	irq_work_sync(&peer->kick);
	peer->watches = false;
}

/* Wait for STOP while the probe in the consumer's polls pushes. */
static int peer_polled_run(struct peer *peer, u64 n)
{
	int err;

	do
		schedule_timeout_interruptible(1);
	while (!(err = peer_pause(peer)));
	peer_unwatch(peer);
	peer->result.done = peer->polled;
	return err;
}

/* In a ring of records of variable size, push records of 8 bytes: their sequence numbers. */
static int peer_records_run(struct peer *peer, u64 n)
{
	struct spscring_peer_result *result = &peer->result;
	u64 seq, end = result->done + n;
	int err;

	for (; result->done != end; result->done++) {
		seq = peer->want.first + result->done;
		while ((err = spscring_record_push(&peer->rp, &seq, sizeof(seq)))) {
			err = peer_again(peer, err, false);
			if (err)
				return err;
		}
	}
	return 0;
}

typedef int (*peer_run_fn)(struct peer *peer, struct peer_tally *t, u64 n, u32 size, u32 batch);

/* The u64 branch passes a constant size, so that the compiler specialises the operation. */
static __always_inline int peer_run(struct peer *peer, u64 n, peer_run_fn op)
{
	struct spscring_peer_result *result = &peer->result;
	struct peer_tally t = { .first = peer->want.first + result->done, .recs = peer->recs };
	u32 batch = peer->want.batch;
	int err;

	if (peer->size == sizeof(u64))
		err = op(peer, &t, n, sizeof(u64), batch);
	else
		err = op(peer, &t, n, peer->size, batch);
	result->done += t.done;
	result->wrong += t.wrong;
	result->checksum += t.checksum;
	return err;
}

static int peer_source_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_source);
}

static int peer_sink_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_sink);
}

static int peer_paced_run(struct peer *peer, u64 n)
{
	return peer_run(peer, n, peer_paced);
}

static const struct peer_op {
	int (*run)(struct peer *peer, u64 n);
	u32 role;
} peer_ops[] = {
	[SPSCRING_PEER_SOURCE] = { peer_source_run, SPSCRING_PRODUCER },
	[SPSCRING_PEER_SINK] = { peer_sink_run, SPSCRING_CONSUMER },
	[SPSCRING_PEER_PACED] = { peer_paced_run, SPSCRING_PRODUCER },
	[SPSCRING_PEER_POLLED] = { peer_polled_run, SPSCRING_PRODUCER },
};

static void peer_shutdown(struct peer *peer)
{
	if (peer->role == SPSCRING_CONSUMER)
		spscring_shutdown_consumer(&peer->c);
	else if (peer->size)
		spscring_shutdown_producer(&peer->p);
	else
		spscring_record_shutdown_producer(&peer->rp);
}

static void peer_put(struct peer *peer)
{
	peer_unwatch(peer);
	if (!peer->ring)
		return;
	if (peer->want.flags & SPSCRING_PEER_SHUTDOWN)
		peer_shutdown(peer);
	spscring_put(peer->ring, peer->role);
	peer->ring = NULL;
}

static int peer_thread(void *data)
{
	struct peer *peer = data;
	struct spscring_peer_result *result = &peer->result;
	u64 total = peer->want.count ?: U64_MAX;

	/* STOP sends SIGINT.  One sent earlier was ignored, but peer_pause() reads @stop. */
	allow_signal(SIGINT);
	result->err = peer_pause(peer);
	while (!result->err && result->done != total)
		result->err = peer->run(peer, min_t(u64, total - result->done, PEER_RECORDS)) ?:
			peer_pause(peer);
	result->slept = current->nvcsw;
	peer_put(peer);
	complete_all(&peer->finished);
	return 0;
}

/* ------------------------------------------------------ start, wait, stop */

static int peer_check_want(const struct spscring_peer_start *want)
{
	if (want->op < SPSCRING_PEER_SOURCE || want->op > SPSCRING_PEER_POLLED ||
	    want->flags & ~(SPSCRING_PEER_SHUTDOWN | SPSCRING_PEER_SLEEP | SPSCRING_PEER_ARMED |
			    SPSCRING_PEER_DAWDLE) ||
	    want->reserved || !want->batch || want->batch > SPSCRING_PEER_BATCH_MAX)
		return -EINVAL;
	if (want->op == SPSCRING_PEER_POLLED && (want->batch != 1 || !want->count))
		return -EINVAL;
	if (want->gap_ns && want->op != SPSCRING_PEER_PACED &&
	    !(want->flags & SPSCRING_PEER_SLEEP))
		return -EINVAL;
	if (want->cpu != -1 &&
	    (want->cpu < 0 || want->cpu >= nr_cpu_ids || !cpu_online(want->cpu)))
		return -EINVAL;
	return 0;
}

/* Do not spin, so that every wait that is not satisfied at once sleeps. */
static void peer_sleeps(struct peer *peer)
{
	if (peer->role == SPSCRING_PRODUCER) {
		peer->p.base.spin = 0;
		peer->p.base.spin_max = 0;
	} else {
		peer->c.base.spin = 0;
		peer->c.base.spin_max = 0;
	}
}

/*
 * Take the ring's element size and type tag from the ring, so that any ring can be claimed.
 * A ring of records of variable size can only be pushed into.
 */
static int peer_claim(struct peer *peer, struct spscring *ring)
{
	struct spscring_info info;

	spscring_get_info(ring, &info);
	peer->size = info.geometry.element_size;
	peer->run = peer_ops[peer->want.op].run;
	peer->role = peer_ops[peer->want.op].role;
	if (peer->size == SPSCRING_VARIABLE_SIZE) {
		if (peer->want.op != SPSCRING_PEER_SOURCE || peer->want.batch != 1 ||
		    peer->want.flags & SPSCRING_PEER_SLEEP)
			return -EINVAL;
		peer->run = peer_records_run;
		return spscring_record_claim_producer(ring, &peer->rp, info.geometry.type_tag);
	}
	if (peer->role == SPSCRING_PRODUCER)
		return spscring_claim_producer(ring, &peer->p, peer->size,
					       info.geometry.type_tag);
	return spscring_claim_consumer(ring, &peer->c, peer->size, info.geometry.type_tag);
}

static int peer_take(struct peer *peer)
{
	struct spscring *ring = spscring_from_fd(peer->want.ring_fd);
	int err;

	if (IS_ERR(ring))
		return PTR_ERR(ring);
	err = peer_claim(peer, ring);
	if (err) {
		spscring_put(ring, 0);
		return err;
	}
	if (peer->want.flags & SPSCRING_PEER_SLEEP)
		peer_sleeps(peer);
	peer->ring = ring;
	return 0;
}

static void peer_free(struct peer *peer)
{
	peer_put(peer);
	kvfree(peer->recs);
	peer->recs = NULL;
}

static int peer_start(struct peer *peer)
{
	struct task_struct *thread;
	int err;

	err = peer_check_want(&peer->want);
	if (err)
		return err;
	memset(&peer->result, 0, sizeof(peer->result));
	peer->tries = 0;
	peer->seed = peer->want.op;
	peer->due = 0;
	peer->polled = 0;
	peer->stop = false;
	reinit_completion(&peer->finished);

	err = peer_take(peer);
	if (err)
		return err;
	if (peer->size) {
		peer->recs = kvmalloc_array(peer->want.batch, peer->size, GFP_KERNEL_ACCOUNT);
		if (!peer->recs)
			err = -ENOMEM;
	}
	if (!err && peer->want.op == SPSCRING_PEER_POLLED)
		err = peer_watch(peer);
	if (err)
		goto err_free;
	thread = kthread_create(peer_thread, peer, "spscring_peer");
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto err_free;
	}
	if (peer->want.cpu != -1)
		kthread_bind(thread, peer->want.cpu);
	/* kthread_stop() needs the task, which may have exited before */
	peer->thread = get_task_struct(thread);
	wake_up_process(thread);
	return 0;

err_free:
	peer->want.flags &= ~SPSCRING_PEER_SHUTDOWN;	/* the end can be claimed again */
	peer_free(peer);
	return err;
}

/* The thread stops within PEER_TRIES tries and PEER_RECORDS elements; a sleep is interrupted. */
static void peer_stop(struct peer *peer)
{
	WRITE_ONCE(peer->stop, true);
	if (peer->thread)
		send_sig(SIGINT, peer->thread, 1);
}

/* The operation has finished: wait until its thread has left this module's code, too. */
static void peer_join(struct peer *peer)
{
	kthread_stop(peer->thread);
	put_task_struct(peer->thread);
	peer->thread = NULL;
}

static long peer_ioctl_start(struct peer *peer, const void __user *arg)
{
	struct spscring_peer_start want;
	int err;

	if (copy_from_user(&want, arg, sizeof(want)))
		return -EFAULT;
	mutex_lock(&peer->lock);
	if (peer->thread) {
		err = -EBUSY;
	} else {
		peer->want = want;
		err = peer_start(peer);
	}
	mutex_unlock(&peer->lock);
	return err;
}

static long peer_ioctl_wait(struct peer *peer, void __user *arg)
{
	struct spscring_peer_result result;
	int err;

	mutex_lock(&peer->lock);
	while (peer->thread && !completion_done(&peer->finished)) {
		mutex_unlock(&peer->lock);
		err = wait_for_completion_interruptible(&peer->finished);
		if (err)
			return err;
		mutex_lock(&peer->lock);
	}
	if (!peer->thread) {
		mutex_unlock(&peer->lock);
		return -EBADFD;
	}
	peer_join(peer);
	result = peer->result;
	peer_free(peer);
	mutex_unlock(&peer->lock);
	return copy_to_user(arg, &result, sizeof(result)) ? -EFAULT : 0;
}

static long peer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct peer *peer = file->private_data;

	switch (cmd) {
	case SPSCRING_PEER_START:
		return peer_ioctl_start(peer, (const void __user *)arg);
	case SPSCRING_PEER_WAIT:
		return peer_ioctl_wait(peer, (void __user *)arg);
	case SPSCRING_PEER_STOP:
		mutex_lock(&peer->lock);
		peer_stop(peer);
		mutex_unlock(&peer->lock);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int peer_open(struct inode *inode, struct file *file)
{
	struct peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);

	if (!peer)
		return -ENOMEM;
	mutex_init(&peer->lock);
	init_completion(&peer->finished);
	init_irq_work(&peer->kick, peer_kick);
	file->private_data = peer;
	return 0;
}

static int peer_release(struct inode *inode, struct file *file)
{
	struct peer *peer = file->private_data;

	if (peer->thread) {
		peer_stop(peer);
		wait_for_completion(&peer->finished);
		peer_join(peer);
	}
	peer_free(peer);
	kfree(peer);
	return 0;
}

static const struct file_operations peer_fops = {
	.owner		= THIS_MODULE,
	.open		= peer_open,
	.release	= peer_release,
	.unlocked_ioctl	= peer_ioctl,
};

static struct miscdevice peer_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "spscring_peer",
	.fops	= &peer_fops,
	.mode	= 0600,
};
module_misc_device(peer_misc);

MODULE_DESCRIPTION("A kernel end of a user's spscring, to test against");
MODULE_LICENSE("GPL");
