/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _SPSCRING_HOTPATH_H
#define _SPSCRING_HOTPATH_H

#include <spscring/layout.h>

int bench_push_probe(struct spscring_producer *p, const __u64 *v);
int bench_pop_probe(struct spscring_consumer *c, __u64 *v);
int bench_record_push_probe(struct spscring_record_producer *p, const __u64 *v);
int bench_record_pop_probe(struct spscring_record_consumer *c, __u64 *v);

void __fentry__(void);
void __x86_return_thunk(void);

#endif
