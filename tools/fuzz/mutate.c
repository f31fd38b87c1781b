// SPDX-License-Identifier: GPL-2.0
/* How libFuzzer changes a program: by whole steps, so that those after a change stay the same. */
#include <stdlib.h>
#include <string.h>

#include "program.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void random_step(struct step *s)
{
	s->code = rand() % 16 ? rand() % BESIDE : rand() & 1 ? FORK : BESIDE;
	s->a = rand() & 15;
	s->b = rand();
	s->c = rand() & 1 ? 0 : rand();
	s->v = rand() & 1 ? rand() & 0xff : rand() ^ (uint32_t)rand() << 16;
}

static void change_step(struct step *s)
{
	switch (rand() % 5) {
	case 0:
		s->a = rand() & 15;
		break;
	case 1:
		s->b = rand();
		break;
	case 2:
		s->c = rand();
		break;
	case 3:
		s->v ^= 1U << (rand() & 31);
		break;
	default:
		s->v = rand() ^ (uint32_t)rand() << 16;
	}
}

/* Insert, remove, repeat or change a step; or, now and then, change any bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct step *steps = (struct step *)data, one;
	size_t n = size / sizeof(*steps), most = max / sizeof(*steps), at, to;

	srand(seed);
	if (most > STEPS)
		most = STEPS;
	if (n > most)
		n = most;
	if (n && rand() % 4 == 0)
		return LLVMFuzzerMutate(data, n * sizeof(*steps), most * sizeof(*steps)) /
			sizeof(*steps) * sizeof(*steps);
	at = n ? rand() % n : 0;
	to = rand() % (n + 1);
	switch (n ? rand() % 6 : 0) {
	case 0:
	case 1:
		random_step(&one);
		break;
	case 2:
		one = steps[at];
		break;
	case 3:
		if (n > 1) {
			memmove(&steps[at], &steps[at + 1], (n - at - 1) * sizeof(*steps));
			n--;
		}
		return n * sizeof(*steps);
	default:
		change_step(&steps[at]);
		return n * sizeof(*steps);
	}
	if (n == most) {
		steps[at] = one;
		return n * sizeof(*steps);
	}
	memmove(&steps[to + 1], &steps[to], (n - to) * sizeof(*steps));
	steps[to] = one;
	return (n + 1) * sizeof(*steps);
}
