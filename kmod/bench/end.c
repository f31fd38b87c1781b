// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel ends of rings that a process made: see end.h.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "end.h"
#include "report.h"
#include "rings.h"

#define END_TESTS	(BIT(BENCH_RTT) | BIT(BENCH_THROUGHPUT) | BIT(BENCH_BATCH) | \
			 BIT(BENCH_WAKE) | BIT(BENCH_MIXED) | BIT(BENCH_MIXED_RTT))
#define END_BATCH_MAX	65536

struct end {
	struct bench_run run;	/* of one side */
	struct bench_end want;
	struct mutex lock;	/* protects the start in write() */
	struct task_struct *task;	/* or NULL: not begun */
	void *queue[2];		/* the run's */
	u32 roles[2];		/* of them */
	u64 slept;
};

static struct bench_side *end_side(struct end *end)
{
	return &end->run.side[end->want.side];
}

static bool end_goes_back(const struct end *end)
{
	return round_trip(end->want.test) || end->want.test == BENCH_WAKE;
}

static int end_check(const struct bench_end *want)
{
	bool mixed = want->test == BENCH_MIXED || want->test == BENCH_MIXED_RTT;

	if (want->test >= BENCH_TESTS || !(END_TESTS & BIT(want->test)) || want->side > 1 ||
	    !want->batch || want->batch > END_BATCH_MAX ||
	    (want->batch > 1 && want->test != BENCH_BATCH) ||
	    want->list > LENGTHS_LISTS || !want->list == mixed ||
	    !want->count || want->warmup + want->count < want->count ||
	    want->asleep > U32_MAX)
		return -EINVAL;
	if (want->cpu < 0 || want->cpu >= nr_cpu_ids || !cpu_online(want->cpu))
		return -ENODEV;
	return 0;
}

/* The ring to side 1, and the one back. */
static int end_take(struct end *end)
{
	const struct bench_end *want = &end->want;
	struct queue *q;
	int i;

	for (i = 0; i <= end_goes_back(end); i++) {
		end->roles[i] = i == want->side ? SPSCRING_PRODUCER : SPSCRING_CONSUMER;
		q = rings_take(want->ring_fd[i], end->roles[i]);
		if (IS_ERR(q))
			return PTR_ERR(q);
		end->queue[i] = q;
		if (i && q->variable_size != ((struct queue *)end->queue[0])->variable_size)
			return -EINVAL;
		if (want->test == BENCH_WAKE && end->roles[i] == SPSCRING_CONSUMER) {
			/* measure sleep: do not spin before it */
			q->consumer.base.spin = 0;
			q->consumer.base.spin_max = 0;
		}
	}
	return 0;
}

/* Take an eventfd, which is signalled as a driver does, or an end of a pipe. */
static int end_take_event(struct end *end)
{
	struct bench_run *run = &end->run;
	struct eventfd_ctx *eventfd;

	if (end->want.test != BENCH_WAKE || end->want.event_fd == -1)
		return 0;
	run->event = fget(end->want.event_fd);
	if (!run->event || !(run->event->f_mode & (end->want.side ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	eventfd = eventfd_ctx_fileget(run->event);
	if (!IS_ERR(eventfd))
		run->eventfd = eventfd;
	else if (!S_ISFIFO(file_inode(run->event)->i_mode))
		return -EINVAL;
	return 0;
}

/* Choose the loops of the kernel's own contender that has this kind of ring. */
static int end_choose(struct end *end)
{
	const struct bench_end *want = &end->want;
	struct bench_run *run = &end->run;
	const struct queue *q = end->queue[0];

	if (want->test == BENCH_WAKE)
		run->ops = &bench_wake;
	else
		run->ops = q->variable_size ? &bench_records : &bench_ring;
	end_side(end)->loop = run->ops->loops[want->test][want->side];
	if (!end_side(end)->loop || (want->test == BENCH_WAKE && q->variable_size))
		return -EINVAL;
	run->shape = (struct bench_shape) {
		.test = want->test, .bytes = sizeof(u64), .batch = want->batch,
		.list = want->list,
	};
	run->queue = end->queue;
	run->asleep = want->asleep;
	return 0;
}

static int end_alloc(struct end *end)
{
	struct bench_side *s = end_side(end);
	bool latency = end->want.test == BENCH_WAKE ? end->want.side :
		round_trip(end->want.test) && !end->want.side;

	s->run = &end->run;
	s->records = kvzalloc(max_t(u32, end->want.batch * sizeof(u64), LENGTHS_MAX), GFP_KERNEL);
	if (!s->records)
		return -ENOMEM;
	if (!latency)
		return 0;
	s->hist = kvzalloc(sizeof(*s->hist), GFP_KERNEL);
	return s->hist ? 0 : -ENOMEM;
}

static void end_put_rings(struct end *end)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (end->queue[i])
			rings_put(end->queue[i], end->roles[i]);
		end->queue[i] = NULL;
	}
}

/* Free all that the start has allocated; the thread has ended. */
static void end_free(struct end *end)
{
	struct bench_side *s = end_side(end);

	end_put_rings(end);
	if (end->run.eventfd)
		eventfd_ctx_put(end->run.eventfd);
	if (end->run.event)
		fput(end->run.event);
	kvfree(s->records);
	kvfree(s->hist);
	memset(&end->run.side, 0, sizeof(end->run.side));
	end->run.eventfd = NULL;
	end->run.event = NULL;
}

static int end_part(struct end *end, u64 first, u64 count)
{
	struct bench_side *s = end_side(end);

	if (!count)
		return 0;
	end->run.first = first;
	end->run.count = count;
	s->elapsed = 0;
	if (s->hist)
		memset(s->hist, 0, sizeof(*s->hist));
	s->loop(s);
	return s->err;
}

static int end_thread(void *arg)
{
	struct end *end = arg;
	const struct bench_end *want = &end->want;

	/* a SIGINT sent before this is ignored, but its sender has also set a stop word */
	allow_signal(SIGINT);
	end_side(end)->since = jiffies;
	if (!end_part(end, 0, want->warmup))
		end_part(end, want->warmup, want->count);
	end->slept = current->nvcsw;
	/* let go of the rings now: the process's end may wait for this one's death */
	end_put_rings(end);
	complete_all(&end->run.done);
	return 0;
}

static int end_begin(struct end *end)
{
	struct task_struct *task;
	int err = end_check(&end->want);

	if (err)
		return err;
	err = end_take(end);
	if (!err)
		err = end_choose(end);
	if (!err)
		err = end_take_event(end);
	if (!err)
		err = end_alloc(end);
	if (err)
		goto err_free;
	task = bench_start(end_thread, end, end->want.cpu);
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto err_free;
	}
	end->task = task;
	wake_up_process(task);
	return 0;

err_free:
	end_free(end);
	return err;
}

static ssize_t end_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct end *end = file->private_data;
	struct bench_end want;
	int err = -EBUSY;

	if (count != sizeof(want))
		return -EINVAL;
	if (copy_from_user(&want, buf, sizeof(want)))
		return -EFAULT;
	mutex_lock(&end->lock);
	if (!end->task) {
		end->want = want;
		err = end_begin(end);
	}
	mutex_unlock(&end->lock);
	return err ?: count;
}

static u64 end_ticks(struct end *end)
{
	const struct bench_side *s = end_side(end);

	return round_trip(end->want.test) ? s->elapsed : s->end - s->start;
}

static ssize_t end_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct bench_end_figures __user *to = (struct bench_end_figures __user *)buf;
	struct end *end = file->private_data;
	const struct bench_side *s;
	bool begun;

	if (count != sizeof(*to))
		return -EINVAL;
	mutex_lock(&end->lock);
	begun = end->task;
	mutex_unlock(&end->lock);
	if (!begun)
		return -ENODATA;
	if (wait_for_completion_interruptible(&end->run.done))
		return -EINTR;
	s = end_side(end);
	if (s->err)
		return s->err;
	if (put_user(end_ticks(end), &to->ticks) || put_user(end->slept, &to->slept) ||
	    (s->hist ? copy_to_user(&to->hist, s->hist, sizeof(*s->hist)) :
	     clear_user(&to->hist, sizeof(to->hist))))
		return -EFAULT;
	return count;
}

static int end_open(struct inode *inode, struct file *file)
{
	/* of a power of two: aligned as the sides ask */
	struct end *end = kzalloc(roundup_pow_of_two(sizeof(*end)), GFP_KERNEL);

	if (!end)
		return -ENOMEM;
	mutex_init(&end->lock);
	init_completion(&end->run.done);
	file->private_data = end;
	return 0;
}

static int end_release(struct inode *inode, struct file *file)
{
	struct end *end = file->private_data;

	if (end->task) {
		WRITE_ONCE(end->run.stop, true);
		send_sig(SIGINT, end->task, 1);
		wait_for_completion(&end->run.done);
		bench_stop(end->task);
		end_free(end);
	}
	kfree(end);
	return 0;
}

const struct file_operations bench_end_fops = {
	.owner		= THIS_MODULE,
	.open		= end_open,
	.release	= end_release,
	.write		= end_write,
	.read		= end_read,
};
