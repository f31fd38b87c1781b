/* SPDX-License-Identifier: GPL-2.0 */
/* spscring, the command: what its subcommands share. */
#ifndef _SPSCRING_COMMAND_H
#define _SPSCRING_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* The exit status. */
enum status {
	STATUS_OK,
	STATUS_ERROR,
	STATUS_USAGE,
	STATUS_PEER_GONE,	/* the other end died, or stopped before the stream's end */
	STATUS_LOST,		/* the stream is whole but for messages that were lost */
};

/* A subcommand: @argv[0] is "spscring NAME".  Returns the exit status. */
int list_main(int argc, char **argv);
int show_main(int argc, char **argv);
int top_main(int argc, char **argv);
int cat_main(int argc, char **argv);
int send_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int demo_main(int argc, char **argv);

/* Print "spscring: ..." to stderr; die() then exits with STATUS_ERROR. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* If set, called before a message is printed. */
extern void (*before_message)(void);

/* As malloc() and its relatives, but they die where there is no memory.  To be freed. */
void *need_memory(void *got);
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A path of the system, /proc/..., below SPSCRING_ROOT if that is set.  To be freed. */
char *system_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The first line of a system file without its end, to be freed; or NULL, and errno. */
char *system_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print what was kept back; die if anything could not be written. */
void flush_output(void);

/* The time for measuring and for deadlines, in ns. */
#define SECOND	1000000000LL
int64_t now(void);

#define SIZE_TEXT	16

/* "1.5M": powers of 1024, for bytes; powers of 1000, for counts.  Return @out. */
char *bytes_text(char out[SIZE_TEXT], double bytes);
char *count_text(char out[SIZE_TEXT], double count);

/* Read a size such as 64, 64K, 1M, 1G (powers of 1024).  Returns whether it is one. */
bool parse_size(const char *from, uint64_t *size);

/* Bytes that are not printable ASCII, and backslashes, as \ooo.  To be freed. */
char *printable(const char *from);

/* A table for people; columns are as wide as they must be. */
struct table {
	const char *const *heads;	/* one that begins with '>' is aligned to the right */
	size_t columns;
	char **cells;
	size_t n, room;
};

/* Add the next cell; @cell becomes the table's. */
void table_add(struct table *t, char *cell);
void table_print(const struct table *t, bool heads, FILE *out);
void table_free(struct table *t);

/* argp's key of --json, which has no short form in some subcommands. */
#define KEY_JSON	0x100

struct json_object;

/* Print @json, and free it: with line breaks, or on one line. */
void json_print(struct json_object *json, bool pretty);

#endif
