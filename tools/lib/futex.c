// SPDX-License-Identifier: MIT
/*
 * How an end of a ring without the module kicks, sleeps, and learns that its peer has died.
 *
 * The sleeper stores its event index, and the publisher compares, by the very words and rules that
 * end.h has for rings of the module.  Nobody can interrupt the other's CPU, so the event index
 * always has the fence bit, as in a ring made with SPSCRING_CREATE_FENCE.
 *
 *	sleeper				publisher
 *	-------				---------
 *	LOAD.acq futex			STORE.rel tail		(A)
 *	STORE	 event index		FENCE			(L)
 *	FENCE			(M)	LOAD	  event index
 *	poll once more			if it is reached:
 *	futex(WAIT, as loaded)		  futex++, futex(WAKE)
 *
 * This is store buffering: selftests/litmus has L-M for a consumer that sleeps, N-O for a
 * producer.  Either the poll sees the tail, or the publisher sees the index.  In the second case
 * the publisher counts the futex up.  If it does so before the sleeper's first load, then that
 * load, which acquires, has the tail come before the poll.  If it does so later, the kernel finds
 * that the futex has changed and does not let the sleeper sleep, or the publisher's WAKE finds it
 * asleep.  M-O is the same for two sleepers: each stores its index, fences, and looks at the
 * other's, so the ends never both sleep for more than can come.
 *
 * An end has a lock on a byte of the file, which the kernel drops at the end's last close.  While
 * it waits, its peer tests that lock from time to time, since nobody else would tell it.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "memfd.h"

/* How often an end looks whether its peer lives, in ns. */
#define LOOK_EVERY	INT64_C(10000000)

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Have the waiter of an end look again. */
void spscring_memfd_wake(const struct spscring_kernel_block *kernel, __u32 role)
{
	struct memfd_end *end = memfd_end(kernel, role);

	__atomic_fetch_add(&end->futex, 1, __ATOMIC_SEQ_CST);
	if (syscall(SYS_futex, &end->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) > 0)
		__atomic_fetch_add(&end->count.wakes, 1, __ATOMIC_RELAXED);
}

static void kick(const struct spscring_kernel_block *kernel, __u32 role, unsigned long flags)
{
	const struct spscring_geometry *g = &memfd_page(kernel)->geometry;
	struct memfd_end *end = memfd_end(kernel, role);
	const char *page = (char *)memfd_page(kernel);
	const struct spscring_consumer_block *consumer = (const struct spscring_consumer_block *)
		(page - (g->info_offset - g->consumer_offset) + g->colour);

	__atomic_fetch_add(&end->count.kicks, 1, __ATOMIC_RELAXED);
	/* a release, for forget_now(): what the kick is for is there before it */
	if (flags & SPSCRING_KICK_NOW && role == SPSCRING_CONSUMER)
		spscring_store_release(&end->now_at, spscring_read_once(consumer->cursor) + 1);
	spscring_memfd_wake(kernel, role);
}

void spscring_kick_end(const struct spscring_kernel_block *kernel, __s64 fd, __u32 features,
		       __u32 role, unsigned long flags)
{
	int before = errno;

	if (features & SPSCRING_FEATURE_MEMFD)
		kick(kernel, role, flags);
	else
		ioctl((int)fd, SPSCRING_KICK, flags);
	errno = before;
}

/* ------------------------------------------------------------------ death */

/*
 * Lock, or test, a @byte of a ring's file for the open file description of @fd.
 * Return: 0, for a test F_UNLCK or another type; or -1 with errno.
 */
int spscring_memfd_lock(int fd, int command, short type, __u32 byte)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int ret;

	do
		ret = fcntl(fd, command, &lock);
	while (ret < 0 && errno == EINTR);
	if (ret < 0 || command != F_OFD_GETLK)
		return ret;
	return lock.l_type;
}

/*
 * If the end @role is held, but its holder has gone, store that.  @fd: not one of that end.
 *
 * The holder of a role takes the lock before it stores the state.  So a state of "held" that was
 * read before the lock was found free is that of a holder who has gone, and nobody else changes
 * this very word but another who looks, or the next holder.
 */
void spscring_memfd_look(const struct spscring_kernel_block *kernel, int fd, __u32 role)
{
	__u64 *state = memfd_state(kernel, role), was, is;
	__u32 flags = memfd_page(kernel)->geometry.flags;

	was = spscring_load_acquire(state);
	if (SPSCRING_END_STATE(was) != SPSCRING_HELD ||
	    spscring_memfd_lock(fd, F_OFD_GETLK, F_WRLCK, role) != F_UNLCK)
		return;
	/* the kernel's lock of the list of locks orders all that the dead end stored before this */
	spscring_memfd_lock(fd, F_OFD_SETLK, F_RDLCK, MEMFD_LOCK_ORDER);
	spscring_memfd_lock(fd, F_OFD_SETLK, F_UNLCK, MEMFD_LOCK_ORDER);
	is = was - SPSCRING_HELD + (role == SPSCRING_PRODUCER &&
				    flags & SPSCRING_CREATE_CLOSE_ENDS ?
				    SPSCRING_SHUT_DOWN : SPSCRING_DEAD);
	/* (I) pairs with (J) */
	if (__atomic_compare_exchange_n(state, &was, is, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		spscring_memfd_wake(kernel, memfd_peer(role));
}

void spscring_look_at(const struct spscring_kernel_block *kernel, __s64 fd, __u32 role)
{
	int64_t time = now(CLOCK_MONOTONIC_COARSE);
	__u64 *looked_at = &memfd_end(kernel, role)->looked_at;
	int before = errno;

	/* a time to come is another time namespace's: look */
	if ((__u64)time - spscring_read_once(*looked_at) < LOOK_EVERY)
		return;
	spscring_write_once(*looked_at, (__u64)time);
	spscring_memfd_look(kernel, (int)fd, role);
	errno = before;
}

/* ------------------------------------------------------------------ sleep */

/* Does the producer sleep until there is more room? */
static int waits_for_room(const struct memfd_wait *w)
{
	__u64 event = spscring_read_once(w->kernel->producer_event) & ~SPSCRING_EVENT_FENCE;

	return event != SPSCRING_EVENT_NONE && (__s64)(event - w->cursor) > 0;
}

/* The rule of wait_enough() in kmod/wait.c: no more can come to this consumer than is there. */
static int enough(const struct memfd_wait *w)
{
	__u64 next = w->cursor + 1;

	return w->producer &&
		(spscring_read_once(w->producer->full_at) == next ||
		 spscring_read_once(memfd_end(w->kernel, w->role)->now_at) == next ||
		 waits_for_room(w)) && w->has(w->end, 1);
}

/*
 * A kick with NOW is for what is there.  If nothing is, it must not end the wait for what comes
 * later.  A kick that comes meanwhile stores the very same number, so it may be stored again.
 */
static void forget_now(const struct memfd_wait *w)
{
	__u64 *now_at = &memfd_end(w->kernel, w->role)->now_at, next = w->cursor + 1;

	if (!w->producer || spscring_read_once(*now_at) != next || w->has(w->end, 1))
		return;
	if (__atomic_exchange_n(now_at, 0, __ATOMIC_ACQ_REL) == next && w->has(w->end, 1))
		spscring_write_once(*now_at, next);
}

/* Return: 0 the end can go on; -EAGAIN not yet; or why it never can. */
static int ready(const struct memfd_wait *w)
{
	int status;

	if (spscring_is_shut_down(memfd_state(w->kernel, w->role)))
		return -ESHUTDOWN;
	status = spscring_read_once(w->kernel->broken) ? -EPIPE :
		spscring_peer_status(memfd_state(w->kernel, memfd_peer(w->role)));
	forget_now(w);
	/* after the peer's status: what the peer published before it ended counts */
	return w->has(w->end, w->n) || enough(w) ? 0 : status;
}

/* Sleep while the futex is @seen, until @until, or for as long as nobody need look at the peer. */
static int sleep_once(const struct memfd_wait *w, __u32 seen, int64_t deadline)
{
	struct memfd_end *end = memfd_end(w->kernel, w->role);
	int64_t until = now(CLOCK_MONOTONIC) + LOOK_EVERY;
	struct timespec t;

	if (deadline >= 0 && deadline < until)
		until = deadline;
	t.tv_sec = until / 1000000000;
	t.tv_nsec = until % 1000000000;
	if (!syscall(SYS_futex, &end->futex, FUTEX_WAIT_BITSET, seen, &t, NULL,
		     FUTEX_BITSET_MATCH_ANY) || errno == EAGAIN)
		return 0;
	if (errno != ETIMEDOUT)
		return -errno;
	spscring_memfd_look(w->kernel, w->fd, memfd_peer(w->role));
	return deadline >= 0 && now(CLOCK_MONOTONIC) >= deadline ? -ETIMEDOUT : 0;
}

static void wake_for_less(const struct spscring_kernel_block *kernel)
{
	__u64 event = spscring_read_once(kernel->consumer_event) & ~SPSCRING_EVENT_FENCE;

	if (event != SPSCRING_EVENT_NONE)
		spscring_memfd_wake(kernel, SPSCRING_CONSUMER);
}

/**
 * spscring_memfd_sleep() - sleep until an end can go on
 * @w: what for
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Return: as SPSCRING_WAIT, but -EINTR after any signal that has a handler.
 */
int spscring_memfd_sleep(const struct memfd_wait *w, int64_t deadline)
{
	struct memfd_end *end = memfd_end(w->kernel, w->role);
	struct spscring_kernel_block *kernel = (struct spscring_kernel_block *)w->kernel;
	__u64 *event = w->role == SPSCRING_PRODUCER ? &kernel->producer_event :
		&kernel->consumer_event;
	int err, ended = 0, first = 1;

	if (w->flags & SPSCRING_CREATE_BUSY_POLL)
		return -EOPNOTSUPP;
	err = ready(w);
	if (err != -EAGAIN)
		return err;
	__atomic_fetch_add(&end->count.sleeps, 1, __ATOMIC_RELAXED);
	for (;;) {
		__u32 seen = spscring_load_acquire(&end->futex);

		spscring_write_once(*event, w->event | SPSCRING_EVENT_FENCE);
		spscring_mb();	/* (M), (O) */
		/* a consumer that sleeps already need not wait for more than is there */
		if (w->role == SPSCRING_PRODUCER && first)
			wake_for_less(kernel);
		first = 0;
		err = ready(w);
		if (err != -EAGAIN)
			break;
		err = ended;
		if (err)
			break;
		ended = sleep_once(w, seen, deadline);
	}
	spscring_write_once(*event, SPSCRING_EVENT_NONE | SPSCRING_EVENT_FENCE);
	return err;
}
