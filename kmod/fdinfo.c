// SPDX-License-Identifier: GPL-2.0
/*
 * A ring's state as text: /proc/PID/fdinfo/FD of a ring fd or an endpoint fd, and a line of the
 * list of all rings (list.c).  Both have the same columns.  Readers find a column by its name,
 * so columns can be added anywhere; none changes its name or its meaning.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "list.h"
#include "ring.h"

enum fdinfo_type {
	FDINFO_U32,
	FDINFO_U64,
	FDINFO_TEXT,		/* const char *, no blanks */
	FDINFO_NAME,		/* the ring's; blanks and backslashes as in /proc/mounts */
	FDINFO_UID,		/* in the reader's user namespace; - if nobody's */
	FDINFO_PID,		/* a number, "kernel", or - */
};

struct fdinfo_column {
	const char *name;
	enum fdinfo_type type;
	unsigned int at;	/* of the field in struct list_line */
};

#define COLUMN(name, type, field) \
	{ name, FDINFO_##type, offsetof(struct list_line, field) }
#define SLEEP_COLUMNS(role) \
	COLUMN(#role "_spins", U64, role.spins), \
	COLUMN(#role "_sleeps", U64, info.role##_sleep.sleeps), \
	COLUMN(#role "_polls", U64, info.role##_sleep.polls), \
	COLUMN(#role "_kicks", U64, info.role##_sleep.kicks), \
	COLUMN(#role "_wakes", U64, info.role##_sleep.wakes), \
	COLUMN(#role "_interrupts", U64, info.role##_sleep.interrupts), \
	COLUMN(#role "_clears", U64, info.role##_sleep.clears), \
	COLUMN(#role "_refused", U64, info.role##_sleep.refused)

static const struct fdinfo_column columns[] = {
	COLUMN("id", U64, info.id),
	COLUMN("name", NAME, info.name),
	COLUMN("kind", TEXT, kind),
	COLUMN("mode", TEXT, mode),
	COLUMN("sleep", TEXT, sleep),
	COLUMN("owner", TEXT, owner),
	COLUMN("uid", UID, uid),
	COLUMN("element_size", U32, info.geometry.element_size),
	COLUMN("capacity", U64, info.geometry.capacity),
	COLUMN("memory", U64, info.geometry.memory),
	COLUMN("length", U64, info.length),
	COLUMN("free", U64, info.free),
	COLUMN("head", U64, info.head),
	COLUMN("tail", U64, info.tail),
	COLUMN("producer", TEXT, producer.state),
	COLUMN("producer_pid", PID, producer.pid),
	COLUMN("producer_generation", U32, info.producer_generation),
	COLUMN("consumer", TEXT, consumer.state),
	COLUMN("consumer_pid", PID, consumer.pid),
	COLUMN("consumer_generation", U32, info.consumer_generation),
	COLUMN("broken", U32, info.broken),
	COLUMN("drops", U64, info.loss.drops),
	COLUMN("overruns", U64, info.loss.overruns),
	COLUMN("high_water", U64, info.loss.high_water),
	COLUMN("sequence", U64, info.loss.sequence),
	COLUMN("full", U64, producer.failed),
	COLUMN("empty", U64, consumer.failed),
	SLEEP_COLUMNS(producer),
	SLEEP_COLUMNS(consumer),
};

static void show_name(struct seq_file *m, const u8 *name)
{
	char text[SPSCRING_NAME_MAX + 1];

	memcpy(text, name, SPSCRING_NAME_MAX);
	text[SPSCRING_NAME_MAX] = 0;
	seq_escape(m, text, " \t\n\\");
}

static void show_uid(struct seq_file *m, kuid_t uid)
{
	if (uid_valid(uid))
		seq_printf(m, "%u", from_kuid_munged(seq_user_ns(m), uid));
	else
		seq_putc(m, '-');
}

static void show_pid(struct seq_file *m, s64 pid)
{
	if (pid == LIST_KERNEL)
		seq_puts(m, "kernel");
	else if (pid == LIST_NOBODY)
		seq_putc(m, '-');
	else
		seq_printf(m, "%lld", pid);
}

static void show_value(struct seq_file *m, const struct fdinfo_column *column,
		       const struct list_line *line)
{
	const void *field = (const char *)line + column->at;

	switch (column->type) {
	case FDINFO_U32:
		seq_printf(m, "%u", *(const u32 *)field);
		break;
	case FDINFO_U64:
		seq_printf(m, "%llu", *(const u64 *)field);
		break;
	case FDINFO_TEXT:
		seq_puts(m, *(const char * const *)field);
		break;
	case FDINFO_NAME:
		show_name(m, field);
		break;
	case FDINFO_UID:
		show_uid(m, *(const kuid_t *)field);
		break;
	case FDINFO_PID:
		show_pid(m, *(const s64 *)field);
		break;
	}
}

/**
 * fdinfo_names() - print the first line of the list: the names of its columns
 * @m: where to print
 */
void fdinfo_names(struct seq_file *m)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		seq_puts(m, columns[i].name);
		seq_putc(m, i + 1 < ARRAY_SIZE(columns) ? '\t' : '\n');
	}
}

/**
 * fdinfo_line() - print a line of the list
 * @m: where to print
 * @line: of list_read()
 */
void fdinfo_line(struct seq_file *m, const struct list_line *line)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		show_value(m, &columns[i], line);
		seq_putc(m, i + 1 < ARRAY_SIZE(columns) ? '\t' : '\n');
	}
}

/* A key is the column's name with hyphens, as in the keys of other files. */
static void show_key(struct seq_file *m, const char *name)
{
	seq_puts(m, "spscring-");
	for (; *name; name++)
		seq_putc(m, *name == '_' ? '-' : *name);
	seq_puts(m, ":\t");
}

/**
 * fdinfo_show() - print a ring's state, one value a line
 * @m: where to print
 * @ring: the ring
 * @role: the end that the file is; 0 for a ring fd
 *
 * Context: process, may sleep.
 */
void fdinfo_show(struct seq_file *m, struct spscring *ring, u32 role)
{
	static const char * const roles[] = { "none", "producer", "consumer" };
	struct list_line *line = kmalloc(sizeof(*line), GFP_KERNEL);
	size_t i;

	if (!line)
		return;
	list_read(ring, line);
	show_key(m, "role");
	seq_printf(m, "%s\n", roles[role]);
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		show_key(m, columns[i].name);
		show_value(m, &columns[i], line);
		seq_putc(m, '\n');
	}
	kfree(line);
}
