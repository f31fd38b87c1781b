// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: elements between two ends of kernel code, moved by each function of the API, and by
 * two threads at once.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/task.h>

#include "fixture.h"
#include "kunit_sizes.h"

/* Move pieces of odd lengths, so that pieces begin and end at every slot of a frame. */
static void odd_pieces(struct kunit *test, const struct way *put, const struct way *take,
		       u64 *index)
{
	struct fixture *f = test->priv;
	u64 capacity = f->info.geometry.capacity, in = *index, out = *index;
	u64 last = in + 3 * capacity + 2 * f->info.geometry.frame_elements;
	u32 step, wrong = 0;
	long n;

	for (step = 1; out < last; step++) {
		n = put->put(f, in, min_t(u64, step * 5 % 7 + 1, capacity));
		in += max(n, 0L);
		n = take->take(f, out, min_t(u64, step * 3 % 11 + 1, capacity), &wrong);
		KUNIT_ASSERT_NE(test, n, -EPIPE);
		out += max(n, 0L);
		KUNIT_ASSERT_LE(test, out, in);
		KUNIT_ASSERT_LE(test, in - out, capacity);
	}
	while ((n = take->take(f, out, 1, &wrong)) > 0)
		out += n;
	KUNIT_EXPECT_EQ(test, out, in);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	*index = in;
}

static void records_of_size(struct kunit *test)
{
	static const u32 capacities[] = { 1, 2, 13, 64 };
	u32 size = *(const u32 *)test->param_value;
	struct fixture *f = test->priv;
	int i, put, take;

	f->in = kvmalloc_array(65, size, GFP_KERNEL);
	f->out = kvmalloc_array(65, size, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, f->in && f->out);
	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		u64 index = 0;

		/* skip large rings of large elements: a small one has as many laps in less time */
		if (size > PAGE_SIZE && capacities[i] > 13)
			continue;
		make_pair(test, capacities[i], size);
		for (put = 0; put < ARRAY_SIZE(ways); put++) {
			fill_and_drain(test, &ways[put], index);
			index += capacities[i];
			for (take = 0; take < ARRAY_SIZE(ways); take++)
				odd_pieces(test, &ways[put], &ways[take], &index);
		}
	}
}

/* With a constant element size of 8, a batch has a separate path for a cache line of u64. */
static void batch_fixed(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u64 in[64], out[64], pushed = 0, popped = 0;
	u32 n, i;

	for (n = 1; n < 64; n++) {
		for (i = 0; i < n; i++)
			in[i] = pushed + i;
		KUNIT_ASSERT_EQ(test, spscring_push_n_fixed(&f->p, in, n, 8), n);
		pushed += n;
		KUNIT_ASSERT_EQ(test, spscring_pop_n_fixed(&f->c, out, 64, 8), n);
		for (i = 0; i < n; i++)
			KUNIT_ASSERT_EQ(test, out[i], popped + i);
		popped += n;
	}
	KUNIT_EXPECT_EQ(test, spscring_push_n(&f->p, in, 0), 0);
	KUNIT_EXPECT_EQ(test, spscring_pop_n(&f->c, out, 0), 0);
	KUNIT_EXPECT_EQ(test, f->p.base.pos, pushed);
	KUNIT_EXPECT_EQ(test, f->c.base.pos, pushed);
}

static void reserve_commit(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u32 frame = f->info.geometry.frame_elements;
	void *slot, *again;
	u64 v;

	/* a reservation ends with the frame; the next one returns the same slots until a commit */
	KUNIT_ASSERT_EQ(test, spscring_reserve_n(&f->p, 64, &slot), frame);
	KUNIT_ASSERT_EQ(test, spscring_reserve_n(&f->p, 3, &again), 3);
	KUNIT_EXPECT_PTR_EQ(test, slot, again);
	KUNIT_ASSERT_EQ(test, spscring_reserve(&f->p, &again), 0);
	KUNIT_EXPECT_PTR_EQ(test, slot, again);
	/* the consumer sees nothing before a commit, nor by a commit of 0 */
	((u64 *)slot)[0] = 0;
	((u64 *)slot)[1] = 1;
	spscring_commit_n(&f->p, 0);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	/* a producer may commit a part of what it has reserved */
	spscring_commit_n(&f->p, 2);
	pop_u64(test, 0, 2);
	KUNIT_EXPECT_EQ(test, spscring_pop(&f->c, &v), -EAGAIN);
	KUNIT_EXPECT_EQ(test, spscring_reserve_n(&f->p, 64, &slot), frame - 2);
}

static void peek_release(struct kunit *test)
{
	struct fixture *f = make_pair(test, 64, 8);
	u32 frame = f->info.geometry.frame_elements;
	const void *rec, *again;
	u64 v = 64;

	KUNIT_EXPECT_EQ(test, spscring_peek(&f->c, &rec), -EAGAIN);
	push_u64(test, 0, 64);
	KUNIT_ASSERT_EQ(test, spscring_peek_n(&f->c, 64, &rec), frame);
	KUNIT_ASSERT_EQ(test, spscring_peek_n(&f->c, 2, &again), 2);
	KUNIT_EXPECT_PTR_EQ(test, rec, again);
	KUNIT_EXPECT_EQ(test, ((const u64 *)rec)[1], 1);
	/* neither a peek nor a release of 0 makes room; a release of 2 does */
	spscring_release_n(&f->c, 0);
	KUNIT_EXPECT_EQ(test, push_verdict(f), -EAGAIN);
	spscring_release_n(&f->c, 2);
	KUNIT_EXPECT_EQ(test, push_verdict(f), 0);
	KUNIT_ASSERT_EQ(test, spscring_peek(&f->c, &rec), 0);
	KUNIT_EXPECT_EQ(test, *(const u64 *)rec, 2);
	spscring_release(&f->c);
	KUNIT_ASSERT_EQ(test, spscring_pop(&f->c, &v), 0);
	KUNIT_EXPECT_EQ(test, v, 3);
}

#define STRESS_RECORDS	1000000

struct stress {
	struct fixture *f;
	struct completion done;
	u64 wrong;
	int err;
};

/* Push in pieces of 1 to 16: whole frames, parts of frames, single elements. */
static int stress_producer(void *data)
{
	struct stress *s = data;
	u64 i, n, batch[16], next = 0;
	long got;

	while (next < STRESS_RECORDS) {
		n = min_t(u64, next % 16 + 1, STRESS_RECORDS - next);
		for (i = 0; i < n; i++)
			batch[i] = next + i;
		got = n == 1 ? spscring_push(&s->f->p, batch) ?: 1 :
			spscring_push_n(&s->f->p, batch, n);
		if (got > 0) {
			next += got;
		} else if (got != -EAGAIN) {
			s->err = got;
			break;
		}
		cond_resched();
	}
	complete(&s->done);
	return 0;
}

static int stress_consumer(void *data)
{
	struct stress *s = data;
	u64 i, batch[16], next = 0;
	long got;

	while (next < STRESS_RECORDS) {
		got = next % 3 ? spscring_pop_n(&s->f->c, batch, next % 13 + 1) :
			spscring_pop(&s->f->c, batch) ?: 1;
		if (got < 0 && got != -EAGAIN) {
			s->err = got;
			break;
		}
		for (i = 0; (long)i < got; i++)
			s->wrong += batch[i] != next++;
		cond_resched();
	}
	complete(&s->done);
	return 0;
}

static struct task_struct *stress_run(int (*fn)(void *data), struct stress *s, unsigned int cpu)
{
	struct task_struct *task;

	init_completion(&s->done);
	task = kthread_create(fn, s, "spscring-kunit");
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void stress(struct kunit *test)
{
	struct stress p = { .f = make_pair(test, 100, 8) }, c = { .f = p.f };
	unsigned int first = cpumask_first(cpu_online_mask);
	struct task_struct *producer, *consumer;
	u64 v;

	producer = stress_run(stress_producer, &p, first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(producer));
	consumer = stress_run(stress_consumer, &c, cpumask_any_but(cpu_online_mask, first) %
			      nr_cpu_ids);
	if (!IS_ERR(consumer)) {
		wait_for_completion(&c.done);
		kthread_stop(consumer);
		put_task_struct(consumer);
	}
	/* without its consumer the producer would wait for ever */
	spscring_shutdown_consumer(&p.f->c);
	wait_for_completion(&p.done);
	kthread_stop(producer);
	put_task_struct(producer);

	KUNIT_EXPECT_FALSE(test, IS_ERR(consumer));
	KUNIT_EXPECT_EQ(test, p.err, 0);
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, c.wrong, 0);
	/* an end that has shut down cannot pop, so INFO says that the ring is empty */
	KUNIT_EXPECT_EQ(test, spscring_pop(&p.f->c, &v), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, p.f->p.base.pos, STRESS_RECORDS);
	spscring_get_info(p.f->ring, &p.f->info);
	KUNIT_EXPECT_EQ(test, p.f->info.length, 0);
}

static struct kunit_case elements_cases[] = {
	KUNIT_CASE_PARAM(records_of_size, size_gen_params),
	KUNIT_CASE(batch_fixed),
	KUNIT_CASE(reserve_commit),
	KUNIT_CASE(peek_release),
	KUNIT_CASE(stress),
	{}
};

static struct kunit_suite elements_suite = {
	.name = "spscring_elements",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = elements_cases,
};

kunit_test_suite(elements_suite);
