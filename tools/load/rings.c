// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of every kind are made, used and closed, by several processes at once; some of these die
 * in the midst of it.
 */
#include "load.h"

#define RINGS		100000	/* of the full load */
#define MAKERS		2

FIXTURE(rings)
{
	__u64 *made;	/* in shared memory */
};

FIXTURE_SETUP(rings)
{
	SKIP_WITHOUT_DEVICE();
	self->made = shared_memory(sizeof(*self->made));
	ASSERT_NE(MAP_FAILED, self->made);
}

FIXTURE_TEARDOWN(rings)
{
	EXPECT_TRUE(nothing_left());
	munmap(self->made, sizeof(*self->made));
}

/* The kinds: all combinations of a mode and a size. */
static const __u32 modes[] = {
	0, SPSCRING_CREATE_FENCE, SPSCRING_CREATE_BUSY_POLL, SPSCRING_CREATE_CLOSE_ENDS,
	WAITS, DROPS, OVERWRITES, WAITS | SPSCRING_CREATE_FENCE,
};

static const __u32 sizes[] = { 64, 1000, 4096, 20000 };

static int move_elements(int in, int out)
{
	struct spscring_mapping p_map, c_map;
	struct spscring_producer p;
	struct spscring_consumer c;
	__u64 v = 0;
	int err;

	err = map_producer(in, &p, &p_map);
	if (err)
		return err;
	err = map_consumer(out, &c, &c_map);
	if (!err) {
		err = spscring_push(&p, &(__u64){ 17 }) ?: pop_answer(&c, &v);
		spscring_unmap(&c_map);
	}
	spscring_unmap(&p_map);
	return err ?: v == 17 ? 0 : -EILSEQ;
}

static int move_records(int in, int out)
{
	struct spscring_mapping p_map, c_map;
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	__u64 v = 0;
	int err;

	err = record_map_producer(in, &p, &p_map);
	if (err)
		return err;
	err = record_map_consumer(out, &c, &c_map);
	if (!err) {
		err = spscring_record_push(&p, &(__u64){ 17 }, 8);
		if (!err)
			err = spscring_record_pop(&c, &v, 8) == 8 ? 0 : -EBADMSG;
		spscring_unmap(&c_map);
	}
	spscring_unmap(&p_map);
	return err ?: v == 17 ? 0 : -EILSEQ;
}

/* Die with a ring and its ends: the kernel lets go of what a process has in an order of its own. */
static void die_with_ends(void)
{
	int ring, in, out, err;

	err = open_ends(RING(.capacity = 64, .element_size = 8), &ring, &in, &out);
	if (!err)
		kill(getpid(), SIGKILL);
	_exit(-err);
}

/* The ring number @i: made, claimed, mapped, used; then all of it goes, in one of three orders. */
static int one_ring(__u64 i)
{
	const __u32 mode = modes[i % ARRAY_SIZE(modes)];
	const __u32 size = sizes[i / ARRAY_SIZE(modes) % ARRAY_SIZE(sizes)];
	int ring, in, out, err;

	err = open_ends(RING(.capacity = size, .flags = mode,
			     .element_size = mode & SPSCRING_CREATE_RECORDS ? 0 : 8),
			&ring, &in, &out);
	if (err)
		return err;
	if (i % 3 == 0)
		close_fd(&ring);
	err = mode & SPSCRING_CREATE_RECORDS ? move_records(in, out) : move_elements(in, out);
	if (i % 3 == 1)
		err = err ?: spscring_shutdown(in, 0);
	close_ends(&ring, &in, &out);
	return err;
}

static void make_rings(__u64 *made, __u64 n)
{
	__u64 i;
	int err;

	for (i = getpid(); __sync_add_and_fetch(made, 1) <= n; i++) {
		err = one_ring(i);
		if (err)
			_exit(-err);
		if (!(i % 97))
			die_with_ends();
	}
	_exit(0);
}

TEST_F_TIMEOUT(rings, come_and_go, 7200)
{
	const __u64 n = load_share(RINGS);
	int running = 0, died = 0, status;
	bool killed;

	while (running || READ_ONCE(*self->made) < n) {
		for (; running < MAKERS && READ_ONCE(*self->made) < n; running++) {
			pid_t pid = fork_child();

			ASSERT_GE(pid, 0);
			if (!pid)
				make_rings(self->made, n);
		}
		ASSERT_GT(wait(&status), 0);
		running--;
		killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		died += killed;
		ASSERT_TRUE(killed || !status)
			TH_LOG("a maker of rings: %s", strerror(WEXITSTATUS(status)));
	}
	EXPECT_TRUE(nothing_left());
	printf("# %llu rings, %d makers killed\n", n, died);
}

TEST_HARNESS_MAIN
