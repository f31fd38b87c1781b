/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What wait.c and poll.c offer each other.
 */
#ifndef _SPSCRING_WAIT_H
#define _SPSCRING_WAIT_H

#include "ring.h"

/* wait.c */
bool wait_reached(struct ring_end *end, u64 index);
bool wait_final(struct ring_end *end);
bool wait_done(struct ring_end *end, u64 index);
void wait_publish_event(struct ring_end *end);
bool wait_wake_locked(struct ring_end *end);
void wait_signalled(struct ring_end *end, bool signal);
void wait_no_longer(struct ring_end *end, u64 *at);
void wait_fence(struct ring_end *end);

/* poll.c */
bool wait_late(const struct ring_end *end);
bool wait_pollers_done(struct ring_end *end);
void wait_arm_at(struct ring_sleep *s, u64 index, bool less);
void wait_timer_stop(struct ring_sleep *s);
bool wait_wake_pollers(struct ring_end *end, bool now);
bool wait_arm_async(struct ring_end *end);
enum hrtimer_restart wait_timer(struct hrtimer *timer);

#endif
