// SPDX-License-Identifier: GPL-2.0
/* The fds and mappings of a program; what its numbers mean; the signal that ends each sleep. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

/* ------------------------------------------------------------------- slots */

static int fds[FDS];		/* fd + 1, or 0 */
static uint64_t map_sizes[MAPS];

int slot_fd(uint8_t a)
{
	return __atomic_load_n(&fds[a % FDS], __ATOMIC_RELAXED) - 1;
}

/* Another thread may do the same: each closes what it has taken out. */
void slot_set_fd(uint8_t a, int fd)
{
	int was = __atomic_exchange_n(&fds[a % FDS], fd < 0 ? 0 : fd + 1, __ATOMIC_RELAXED);

	if (was)
		close(was - 1);
}

char *slot_map(uint8_t a)
{
	return (char *)(MAP_PLACE + a % MAPS * MAP_ROOM);
}

uint64_t *slot_map_size(uint8_t a)
{
	return &map_sizes[a % MAPS];
}

void slots_clean(void)
{
	int i;

	for (i = 0; i < FDS; i++)
		slot_set_fd(i, -1);
	for (i = 0; i < MAPS; i++)
		if (map_sizes[i])
			munmap(slot_map(i), MAP_ROOM);
	for (i = 0; i < MAPS; i++)
		map_sizes[i] = 0;
}

/* ------------------------------------------------------------------ numbers */

/* Words at which checks of positions, sizes and lengths may be wrong. */
uint64_t word_of(uint32_t v)
{
	static const uint64_t near[] = {
		0, 8, 64, 4096, 65536, 1 << 20, 1ULL << 31, 1ULL << 32, 1ULL << 33, 1ULL << 34,
		1ULL << 62, (1ULL << 63) - 1, 1ULL << 63, 3ULL << 62, -1ULL, 1ULL << 48,
	};

	if (v & 1)
		return v >> 1;
	return near[v >> 1 & 15] + (int8_t)(v >> 8);
}

/* Bytes to read or write: few, or as many as some buffers have. */
uint32_t length_of(uint32_t v)
{
	static const uint32_t usual[] = { 0, 1, 8, 64, 100, 4096, 8192, 65536 };

	return v & 8 ? v >> 4 & 1023 : usual[v & 7];
}

/* --------------------------------------------------------------- interrupts */

#define INTERRUPT	SIGUSR1
#define INTERRUPT_NS	4000000

static __thread timer_t timer;
static __thread bool has_timer;

static void interrupted(int signal)
{
	(void)signal;
}

static bool make_timer(void)
{
	struct sigaction act = { .sa_handler = interrupted };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = INTERRUPT };

	event._sigev_un._tid = gettid();
	sigaction(INTERRUPT, &act, NULL);
	has_timer = !timer_create(CLOCK_MONOTONIC, &event, &timer);
	return has_timer;
}

/* Again and again: the first may come before the call sleeps. */
void interrupts(bool on)
{
	const struct timespec each = { .tv_nsec = on ? INTERRUPT_NS : 0 };

	if (has_timer || make_timer())
		timer_settime(timer, 0, &(struct itimerspec){ each, each }, NULL);
}

void interrupts_forget(void)
{
	has_timer = false;
}
