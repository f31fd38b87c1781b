// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Push and pop as compiled in a user's program; kmod/bench/ring.c has the kernel's. */
#include "hotpath.h"

int bench_push_probe(struct spscring_producer *p, const __u64 *v)
{
	return spscring_push_fixed(p, v, sizeof(*v));
}

int bench_pop_probe(struct spscring_consumer *c, __u64 *v)
{
	return spscring_pop_fixed(c, v, sizeof(*v));
}

int bench_record_push_probe(struct spscring_record_producer *p, const __u64 *v)
{
	return spscring_record_push(p, v, sizeof(*v));
}

int bench_record_pop_probe(struct spscring_record_consumer *c, __u64 *v)
{
	return (int)spscring_record_pop(c, v, sizeof(*v));
}
