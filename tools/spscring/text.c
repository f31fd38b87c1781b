// SPDX-License-Identifier: GPL-2.0
/* Text: messages, sizes, tables, files of one line. */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

void (*before_message)(void);

static void print_message(const char *format, va_list args)
{
	if (before_message)
		before_message();
	/* what was printed comes first where both go to one place */
	fflush(stdout);
	fputs("spscring: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
	exit(STATUS_ERROR);
}

void *need_memory(void *got)
{
	if (!got)
		die("out of memory");
	return got;
}

static char *vtext(const char *format, va_list args)
{
	char *out;

	if (vasprintf(&out, format, args) < 0)
		die("out of memory");
	return out;
}

char *text(const char *format, ...)
{
	va_list args;
	char *out;

	va_start(args, format);
	out = vtext(format, args);
	va_end(args);
	return out;
}

static char *vsystem_path(const char *format, va_list args)
{
	const char *root = getenv("SPSCRING_ROOT");
	char *path = vtext(format, args), *whole;

	if (!root)
		return path;
	whole = text("%s%s", root, path);
	free(path);
	return whole;
}

char *system_path(const char *format, ...)
{
	va_list args;
	char *path;

	va_start(args, format);
	path = vsystem_path(format, args);
	va_end(args);
	return path;
}

char *system_line(const char *format, ...)
{
	char *path, *line = NULL;
	size_t room = 0;
	ssize_t length;
	va_list args;
	FILE *file;

	va_start(args, format);
	path = vsystem_path(format, args);
	va_end(args);
	file = fopen(path, "re");
	free(path);
	if (!file)
		return NULL;
	errno = 0;
	length = getline(&line, &room, file);
	if (length < 0) {
		int err = errno;

		free(line);
		fclose(file);
		/* an empty file is an empty line */
		errno = err;
		return err ? NULL : need_memory(strdup(""));
	}
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

void flush_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output: %s", strerror(errno));
}

static char *scaled(char out[SIZE_TEXT], double value, double step, const char *units)
{
	while (value >= step && units[1]) {
		value /= step;
		units++;
	}
	if (*units == ' ')
		snprintf(out, SIZE_TEXT, "%.0f", value);
	else
		snprintf(out, SIZE_TEXT, "%.*f%c", value < 99.95 ? 1 : 0, value, *units);
	return out;
}

char *bytes_text(char out[SIZE_TEXT], double bytes)
{
	return scaled(out, bytes, 1024, " KMGTPE");
}

char *count_text(char out[SIZE_TEXT], double count)
{
	return scaled(out, count, 1000, " kMGTPE");
}

bool parse_size(const char *from, uint64_t *size)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	errno = 0;
	*size = strtoull(from, &end, 0);
	if (end == from || *from == '-' || errno)
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end & ~0x20);
	if (!unit || !*unit || end[1])
		return false;
	return !__builtin_mul_overflow(*size, 1ULL << (10 * (unit - units + 1)), size);
}

char *printable(const char *from)
{
	char *out = need_memory(malloc(4 * strlen(from) + 1)), *to = out;

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;

		if (c < ' ' || c >= 0x7f || c == '\\')
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = (char)c;
	}
	*to = '\0';
	return out;
}

void table_add(struct table *t, char *cell)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 256;
		t->cells = need_memory(realloc(t->cells, t->room * sizeof(*t->cells)));
	}
	t->cells[t->n++] = cell;
}

static void print_row(const struct table *t, char *const *row, const int *width, FILE *out)
{
	size_t i;

	for (i = 0; i < t->columns; i++) {
		bool right = t->heads[i][0] == '>', last = i + 1 == t->columns;

		if (i)
			fputs("  ", out);
		if (right)
			fprintf(out, "%*s", width[i], row[i]);
		else
			fprintf(out, "%-*s", last ? 0 : width[i], row[i]);
	}
	fputc('\n', out);
}

void table_print(const struct table *t, bool heads, FILE *out)
{
	int *width = need_memory(calloc(t->columns, sizeof(*width)));
	char **head = need_memory(calloc(t->columns, sizeof(*head)));
	size_t i;

	for (i = 0; i < t->columns; i++) {
		head[i] = (char *)t->heads[i] + (t->heads[i][0] == '>');
		width[i] = heads ? (int)strlen(head[i]) : 0;
	}
	for (i = 0; i < t->n; i++) {
		int wide = (int)strlen(t->cells[i]);

		if (wide > width[i % t->columns])
			width[i % t->columns] = wide;
	}
	if (heads)
		print_row(t, head, width, out);
	for (i = 0; i + t->columns <= t->n; i += t->columns)
		print_row(t, t->cells + i, width, out);
	free(head);
	free(width);
}

void table_free(struct table *t)
{
	while (t->n)
		free(t->cells[--t->n]);
	free(t->cells);
	t->cells = NULL;
	t->room = 0;
}

void json_print(struct json_object *json, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (pretty)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(json_object_to_json_string_ext(json, flags));
	json_object_put(json);
}
