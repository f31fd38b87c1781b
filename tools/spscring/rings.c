// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's list of all rings: a line of column names, then a line a ring, separated by tabs.
 * Columns are found by their names, so that a kernel may have more of them.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rings.h"

/* How a column's text is to be read. */
enum column_type { NUMBER, BOOLEAN, WORD, NAME, ID };

struct column {
	const char *name;
	enum column_type type;
	size_t offset;		/* in struct ring, or in struct ring_end */
};

#define COLUMN(type, name)	{ #name, type, offsetof(struct ring, name) }
#define END_COLUMN(type, name)	{ #name, type, offsetof(struct ring_end, name) }

static const struct column ring_columns[] = {
	COLUMN(NUMBER, id), COLUMN(NAME, name), COLUMN(WORD, kind), COLUMN(WORD, mode),
	COLUMN(WORD, sleep), COLUMN(WORD, owner), COLUMN(ID, uid), COLUMN(NUMBER, element_size),
	COLUMN(NUMBER, capacity), COLUMN(NUMBER, memory), COLUMN(NUMBER, length),
	COLUMN(NUMBER, free), COLUMN(NUMBER, head), COLUMN(NUMBER, tail),
	COLUMN(BOOLEAN, broken), COLUMN(NUMBER, drops), COLUMN(NUMBER, overruns),
	COLUMN(NUMBER, high_water), COLUMN(NUMBER, sequence), COLUMN(NUMBER, full),
	COLUMN(NUMBER, empty),
};

/* After "producer_" and "consumer_"; an end's state is in the column of its role. */
static const struct column end_columns[] = {
	END_COLUMN(WORD, state), END_COLUMN(ID, pid), END_COLUMN(NUMBER, generation),
	END_COLUMN(NUMBER, spins), END_COLUMN(NUMBER, sleeps), END_COLUMN(NUMBER, polls),
	END_COLUMN(NUMBER, kicks), END_COLUMN(NUMBER, wakes), END_COLUMN(NUMBER, interrupts),
	END_COLUMN(NUMBER, clears), END_COLUMN(NUMBER, refused),
};

#define COLUMNS		(ARRAY_SIZE(ring_columns) + 2 * ARRAY_SIZE(end_columns))
#define FIELDS_MAX	256	/* more columns than any kernel has */

/* All columns, with offsets in struct ring. */
static struct column columns[COLUMNS];

static struct column *add_end(struct column *to, const char *role, size_t offset)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(end_columns); i++) {
		*to = end_columns[i];
		to->name = i ? text("%s_%s", role, end_columns[i].name) : role;
		to->offset += offset;
		to++;
	}
	return to;
}

static void make_columns(void)
{
	struct column *to = columns;

	if (columns[0].name)
		return;
	memcpy(to, ring_columns, sizeof(ring_columns));
	to += ARRAY_SIZE(ring_columns);
	to = add_end(to, "producer", offsetof(struct ring, producer));
	add_end(to, "consumer", offsetof(struct ring, consumer));
}

/* Why the list cannot be opened, and what to do. */
static _Noreturn void die_of_open(const char *path, int err)
{
	char *module, *debugfs;
	struct stat at, above;

	if (getenv("SPSCRING_RINGS"))
		die("%s: %s: SPSCRING_RINGS must name a saved list", path, strerror(err));
	if (err == EACCES || err == EPERM)
		die("%s: only root may read the list of all rings: run this command with sudo",
		    path);
	if (err != ENOENT)
		die("%s: %s", path, strerror(err));
	module = system_path("/sys/module/spscring");
	if (access(module, F_OK))
		die("the module spscring is not loaded: spscring doctor says what to do");
	debugfs = system_path("/sys/kernel/debug");
	if (stat(debugfs, &at))
		die("this kernel has no debugfs, and so no list of rings (CONFIG_DEBUG_FS)");
	free(module);
	module = system_path("/sys/kernel");
	if (!stat(module, &above) && at.st_dev == above.st_dev)
		die("debugfs is not mounted: mount -t debugfs none /sys/kernel/debug");
	die("%s: the loaded module has no such list: load the version that this command is of",
	    path);
}

static FILE *open_list(char **path)
{
	const char *saved = getenv("SPSCRING_RINGS");
	FILE *file;

	*path = saved ? text("%s", saved) : system_path(RINGS_PATH);
	file = fopen(*path, "re");
	if (!file)
		die_of_open(*path, errno);
	return file;
}

/* Undo the escapes of blanks, \040, as in /proc/mounts. */
static void read_name(char *to, size_t size, const char *from)
{
	size_t n = 0;

	while (*from && n + 1 < size) {
		unsigned int c = (unsigned char)*from, i, value = 0;

		for (i = 1; c == '\\' && i <= 3 && from[i] >= '0' && from[i] <= '7'; i++)
			value = 8 * value + (unsigned int)(from[i] - '0');
		if (i == 4 && value && value < 256) {
			c = value;
			from += 3;
		}
		to[n++] = (char)c;
		from++;
	}
	to[n] = '\0';
}

static bool read_field(void *to, enum column_type type, const char *from)
{
	char *end = NULL;

	switch (type) {
	case NAME:
		read_name(to, SPSCRING_NAME_MAX + 1, from);
		return true;
	case WORD:
		if (!*from || strlen(from) >= WORD_TEXT)
			return false;
		memcpy(to, from, strlen(from) + 1);
		return true;
	case ID:
		if (!strcmp(from, "-") || !strcmp(from, "kernel")) {
			*(int64_t *)to = *from == '-' ? NO_ID : KERNEL_ID;
			return true;
		}
		break;
	default:
		break;
	}
	if (*from < '0' || *from > '9')
		return false;
	errno = 0;
	*(uint64_t *)to = strtoull(from, &end, 10);
	return !*end && !errno;
}

/* Cut a line at its tabs, in place.  Return how many fields it has, at most FIELDS_MAX. */
static size_t cut(char *line, char *fields[FIELDS_MAX])
{
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (line && n < FIELDS_MAX)
		fields[n++] = strsep(&line, "\t");
	return n;
}

/* From the first line: in which field each column is. */
static void read_heads(char *line, size_t field_of[COLUMNS], const char *path)
{
	char *fields[FIELDS_MAX];
	size_t n = cut(line, fields), i, f;

	for (i = 0; i < COLUMNS; i++) {
		for (f = 0; f < n && strcmp(fields[f], columns[i].name); f++)
			;
		if (f == n)
			die("%s: no column \"%s\": this is no list of rings, or of another version "
			    "of the module",
			    path, columns[i].name);
		field_of[i] = f;
	}
}

static void read_ring(struct ring *ring, char *line, const size_t field_of[COLUMNS],
		      const char *path, size_t number)
{
	char *fields[FIELDS_MAX];
	size_t n = cut(line, fields), i;

	for (i = 0; i < COLUMNS; i++) {
		size_t f = field_of[i];

		if (f >= n ||
		    !read_field((char *)ring + columns[i].offset, columns[i].type, fields[f]))
			die("%s: line %zu has no valid %s", path, number, columns[i].name);
	}
}

void rings_read(struct rings *rings)
{
	size_t field_of[COLUMNS], room = 0, number;
	char *line = NULL, *path;
	FILE *file = open_list(&path);

	make_columns();
	rings->n = 0;
	for (number = 1; errno = 0, getline(&line, &room, file) > 0; number++) {
		if (number == 1) {
			read_heads(line, field_of, path);
			continue;
		}
		if (rings->n == rings->room) {
			rings->room = rings->room ? 2 * rings->room : 64;
			rings->ring = need_memory(realloc(rings->ring,
							  rings->room * sizeof(*rings->ring)));
		}
		read_ring(&rings->ring[rings->n++], line, field_of, path, number);
	}
	if (ferror(file))
		die("%s: %s", path, strerror(errno));
	if (number == 1)
		die("%s: empty: this is no list of rings", path);
	fclose(file);
	free(line);
	free(path);
}

void rings_free(struct rings *rings)
{
	free(rings->ring);
	*rings = (struct rings){ 0 };
}

const struct ring *rings_find(const struct rings *rings, const char *what)
{
	const struct ring *found = NULL;
	uint64_t id;
	char *end;
	size_t i;

	id = strtoull(what, &end, 10);
	if (*what >= '0' && *what <= '9' && !*end)
		for (i = 0; i < rings->n; i++)
			if (rings->ring[i].id == id)
				return &rings->ring[i];
	for (i = 0; i < rings->n; i++) {
		if (strcmp(rings->ring[i].name, what))
			continue;
		if (found)
			die("several rings are named \"%s\": give the id of one, such as %llu or "
			    "%llu",
			    what, (unsigned long long)found->id,
			    (unsigned long long)rings->ring[i].id);
		found = &rings->ring[i];
	}
	if (!found)
		die("no ring has the id or the name \"%s\": spscring list shows all", what);
	return found;
}

bool ring_has_records(const struct ring *ring)
{
	return !strcmp(ring->kind, "records");
}

uint64_t ring_messages(const struct ring *ring)
{
	return ring_has_records(ring) ? ring->sequence : ring->tail;
}

uint64_t ring_bytes(const struct ring *ring)
{
	return ring_has_records(ring) ? ring->tail : ring->tail * ring->element_size;
}

double ring_fill(const struct ring *ring)
{
	return ring->capacity ? (double)ring->length / (double)ring->capacity : 0;
}

char *holder_text(const struct ring_end *end)
{
	if (strcmp(end->state, "held") || end->pid == NO_ID)
		return text("%s", end->state);
	if (end->pid == KERNEL_ID)
		return text("kernel");
	return text("%lld", (long long)end->pid);
}

/* Bytes that are not ASCII would make the text invalid; the kernel allows none in a name. */
static struct json_object *name_json(const char *name)
{
	char *clean;
	struct json_object *json;
	const char *c;

	for (c = name; *c >= ' ' && *c < 0x7f; c++)
		;
	if (!*c)
		return json_object_new_string(name);
	clean = printable(name);
	json = json_object_new_string(clean);
	free(clean);
	return json;
}

static struct json_object *field_json(const void *from, enum column_type type)
{
	switch (type) {
	case NAME:
		return name_json(from);
	case WORD:
		return name_json(from);
	case ID:
		if (*(const int64_t *)from == KERNEL_ID)
			return json_object_new_string("kernel");
		return *(const int64_t *)from == NO_ID ? NULL :
			json_object_new_int64(*(const int64_t *)from);
	case BOOLEAN:
		return json_object_new_boolean(*(const uint64_t *)from != 0);
	default:
		return json_object_new_uint64(*(const uint64_t *)from);
	}
}

struct json_object *ring_json(const struct ring *ring)
{
	struct json_object *json = need_memory(json_object_new_object());
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		json_object_object_add(json, columns[i].name,
				       field_json((const char *)ring + columns[i].offset,
						  columns[i].type));
	return json;
}
