// SPDX-License-Identifier: GPL-2.0
/* Which processes have fds of a ring open, by /proc/PID/fdinfo. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holders.h"

char *process_name(int64_t pid)
{
	char *name = system_line("/proc/%lld/comm", (long long)pid), *clean;

	if (!name)
		return text("?");
	clean = printable(name);
	free(name);
	return clean;
}

/* The fds of rings and ends: a device node, or a file without a name that says so. */
static bool may_be_ring(int64_t pid, const char *fd)
{
	char *path = system_path("/proc/%lld/fd/%s", (long long)pid, fd);
	char target[64];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	free(path);
	if (length < 0)
		return false;
	target[length] = '\0';
	if (!strncmp(target, "anon_inode:", 11))
		return strstr(target, "spscring");
	return !strncmp(target, "/dev/", 5) && strcmp(target, "/dev/null") &&
		strncmp(target, "/dev/pts/", 9) && strncmp(target, "/dev/tty", 8);
}

/* Read one fd's fdinfo into @holder.  Returns whether it is of the ring @id. */
static bool read_fdinfo(struct holder *holder, uint64_t id, const char *fd)
{
	char *path = system_path("/proc/%lld/fdinfo/%s", (long long)holder->pid, fd);
	FILE *file = fopen(path, "re");
	unsigned long long found;
	char line[256];
	bool ours = false;

	free(path);
	if (!file)
		return false;
	snprintf(holder->role, sizeof(holder->role), "none");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "spscring-id: %llu", &found) == 1)
			ours = found == id;
		else
			sscanf(line, "spscring-role: %15s", holder->role);
	}
	fclose(file);
	return ours;
}

static void add(struct holders *holders, const struct holder *holder)
{
	if (holders->n == holders->room) {
		holders->room = holders->room ? 2 * holders->room : 16;
		holders->holder = need_memory(realloc(holders->holder, holders->room *
						      sizeof(*holders->holder)));
	}
	holders->holder[holders->n++] = *holder;
}

static void read_process(struct holders *holders, int64_t pid, uint64_t id)
{
	char *path = system_path("/proc/%lld/fd", (long long)pid);
	DIR *dir = opendir(path);
	struct dirent *entry;

	free(path);
	if (!dir) {
		/* a process that has just ended is no loss */
		holders->unread += errno == EACCES || errno == EPERM;
		return;
	}
	while ((entry = readdir(dir))) {
		struct holder holder = { .pid = pid, .fd = atoi(entry->d_name) };

		if (isdigit((unsigned char)entry->d_name[0]) && may_be_ring(pid, entry->d_name) &&
		    read_fdinfo(&holder, id, entry->d_name))
			add(holders, &holder);
	}
	closedir(dir);
}

static int compare(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->fd - y->fd;
}

void holders_read(struct holders *holders, uint64_t id)
{
	char *path = system_path("/proc");
	DIR *dir = opendir(path);
	struct dirent *entry;

	*holders = (struct holders){ 0 };
	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			read_process(holders, atoll(entry->d_name), id);
	closedir(dir);
	free(path);
	if (holders->n)
		qsort(holders->holder, holders->n, sizeof(*holders->holder), compare);
}

void holders_free(struct holders *holders)
{
	free(holders->holder);
	*holders = (struct holders){ 0 };
}
