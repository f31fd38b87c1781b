/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read and parse the list of all rings, spscring/rings in debugfs.
 */
#ifndef _SPSCRING_SELFTEST_LIST_H
#define _SPSCRING_SELFTEST_LIST_H

#include "selftest.h"

#define LIST		"/sys/kernel/debug/spscring/rings"
#define LIST_MAX	(16 << 20)	/* bytes of text */

/* Read all that is left of an open list, @piece bytes a call.  Return: the text, or NULL. */
static inline char *list_read_rest(int fd, size_t piece)
{
	char *text = malloc(LIST_MAX);
	size_t all = 0;
	long got;

	while (text && all + piece < LIST_MAX && (got = read(fd, text + all, piece)) > 0)
		all += got;
	if (text)
		text[all] = 0;
	return text;
}

static inline char *list_text(void)
{
	int fd = open(LIST, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : list_read_rest(fd, 65536);

	close_fd(&fd);
	return text;
}

/* The line of the ring @id, or NULL.  The id is the first column. */
static inline const char *list_line(const char *text, unsigned long long id)
{
	const char *line = text;

	while (line && (line = strchr(line, '\n')) && *++line)
		if (strtoull(line, NULL, 10) == id)
			return line;
	return NULL;
}

/* The number of the column @name, or -1. */
static inline int list_column(const char *text, const char *name)
{
	const size_t n = strlen(name);
	int column = 0;

	for (; text; column++) {
		if (!strncmp(text, name, n) && (text[n] == '\t' || text[n] == '\n'))
			return column;
		text += strcspn(text, "\t\n");
		text = *text == '\t' ? text + 1 : NULL;
	}
	return -1;
}

/* A field of the ring @id, or "(none)"; valid until the next call but three. */
static inline const char *list_field(const char *text, unsigned long long id, const char *name)
{
	static char fields[4][160];
	static int next;
	const char *at = list_line(text, id);
	int column = list_column(text, name);
	char *to = fields[next++ % 4];

	while (at && column-- > 0) {
		at += strcspn(at, "\t\n");
		at = *at == '\t' ? at + 1 : NULL;
	}
	snprintf(to, sizeof(fields[0]), "%.*s", at ? (int)strcspn(at, "\t\n") : 6,
		 at ?: "(none)");
	return to;
}

/* The same of the list as it is now. */
static inline const char *field_now(unsigned long long id, const char *name)
{
	char *text = list_text();
	const char *field = list_field(text, id, name);

	free(text);
	return field;
}

struct list_want {
	unsigned long long id;
	const char *name, *value;
};

static inline bool field_is(const void *arg)
{
	const struct list_want *want = arg;

	return !strcmp(field_now(want->id, want->name), want->value);
}

/* Wait until a field has a value: an end changes hands some time after its holder's exit. */
static inline bool field_becomes(unsigned long long id, const char *name, const char *value)
{
	return within_patience(field_is, &(struct list_want){ id, name, value });
}

/* The ring of that name, or 0. */
static inline unsigned long long list_id_of(const char *text, const char *name)
{
	const char *line = text, *at;
	const size_t n = strlen(name);

	while (line && (line = strchr(line, '\n')) && *++line) {
		at = line + strcspn(line, "\t") + 1;
		if (!strncmp(at, name, n) && at[n] == '\t')
			return strtoull(line, NULL, 10);
	}
	return 0;
}

#endif
