/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SPSCRING_LIST_H
#define _SPSCRING_LIST_H

#include <linux/uidgid.h>
#include <spscring/layout.h>

struct ring_end;
struct seq_file;
struct spscring;

/* Holders that have no number. */
#define LIST_NOBODY	(-1)
#define LIST_KERNEL	(-2)

/* What a line of the list, and fdinfo, report of an end, beside struct spscring_info. */
struct list_end {
	const char *state;
	s64 pid;		/* the reader's number of the process; or LIST_* */
	u64 failed;		/* pushes that found no room, or pops that found nothing */
	u64 spins;		/* waits that spinning ended */
};

/* What they report of a ring. */
struct list_line {
	struct spscring_info info;
	const char *kind;
	const char *mode;
	const char *sleep;
	const char *owner;
	kuid_t uid;		/* of a user's ring: who made it */
	struct list_end producer;
	struct list_end consumer;
};

/* list.c: all rings */
int list_insert(struct spscring *ring);
void list_remove(struct spscring *ring);
void list_held(struct ring_end *end);
void list_let_go(struct ring_end *end);
void list_read(struct spscring *ring, struct list_line *line);
void list_init(void);
void list_exit(void);

/* fdinfo.c: a ring's state as text */
void fdinfo_names(struct seq_file *m);
void fdinfo_line(struct seq_file *m, const struct list_line *line);
void fdinfo_show(struct seq_file *m, struct spscring *ring, u32 role);

#endif
