// SPDX-License-Identifier: GPL-2.0
/* What doctor looks at.  All paths are below SPSCRING_ROOT, if that is set. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "rings.h"

#define PARAMETERS	"/sys/module/spscring/parameters"
#define MEMLOCK_LITTLE	(1 << 20)	/* bytes: a default ring of cat and send, with its pages */

static bool exists(const char *name)
{
	char *path = system_path("%s", name);
	bool found = !access(path, F_OK);

	free(path);
	return found;
}

static struct finding finding(enum level level, char *found, char *advice)
{
	return (struct finding){ .level = level, .found = found, .advice = advice };
}

/* Does the kernel's own index of modules name ours? */
static bool is_installed(const char *release)
{
	char *path = system_path("/lib/modules/%s/modules.dep", release), *line = NULL;
	FILE *file = fopen(path, "re");
	bool found = false;
	size_t room = 0;

	free(path);
	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0)
		found = strstr(line, "/spscring.ko");
	fclose(file);
	free(line);
	return found;
}

static struct finding look_at_module(void)
{
	char *release, *enforce, *found;
	bool signed_only;

	if (exists("/sys/module/spscring"))
		return finding(LEVEL_OK, text("loaded"), NULL);
	release = system_line("/proc/sys/kernel/osrelease") ?: text("?");
	enforce = system_line("/sys/module/module/parameters/sig_enforce");
	signed_only = enforce && *enforce == 'Y';
	free(enforce);
	if (is_installed(release)) {
		found = text("installed for this kernel (%s), but not loaded", release);
		free(release);
		return finding(LEVEL_PROBLEM, found, signed_only ?
			       text("modprobe spscring; this kernel loads signed modules only: "
				    "enrol the "
				    "key that DKMS signs with (mokutil --import)") :
			       text("modprobe spscring"));
	}
	found = text("not installed for this kernel (%s)", release);
	free(release);
	return finding(LEVEL_PROBLEM, found,
		       text("install the package spscring-dkms, or, in the sources: make && sudo "
			    "make install; "
			    "send, cat and demo run without it: --memfd"));
}

static char *group_name(gid_t gid)
{
	struct group *group = getgrgid(gid);

	return group ? text("%s", group->gr_name) : text("%u", gid);
}

static struct finding look_at_device(void)
{
	char *path = system_path("/dev/spscring"), *group, *found;
	const struct passwd *user;
	struct stat at;

	if (stat(path, &at)) {
		free(path);
		return finding(LEVEL_PROBLEM, text("/dev/spscring is not there"),
			       text("load the module (modprobe spscring), if it is installed"));
	}
	if (!access(path, R_OK | W_OK)) {
		free(path);
		return finding(LEVEL_OK, text("this user may make rings (/dev/spscring)"), NULL);
	}
	free(path);
	group = group_name(at.st_gid);
	found = text("this user may not make rings: /dev/spscring has mode %04o, group %s",
		     at.st_mode & 07777, group);
	user = getpwuid(getuid());
	if (at.st_gid && (at.st_mode & 0060) == 0060)
		return finding(LEVEL_PROBLEM, found,
			       text("sudo usermod -aG %s %s, and log in again", group,
				    user ? user->pw_name : "USER"));
	free(group);
	return finding(LEVEL_PROBLEM, found,
		       text("as root: groupadd -f --system spscring, chgrp spscring /dev/spscring, "
			    "chmod 660 "
			    "/dev/spscring; for good by a udev rule: "
			    "KERNEL==\"spscring\", GROUP=\"spscring\", MODE=\"0660\""));
}

static struct finding look_at_memlock(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char size[SIZE_TEXT];

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (!geteuid())
		return finding(LEVEL_OK, text("no limit for root"), NULL);
	if (limit.rlim_cur == RLIM_INFINITY)
		return finding(LEVEL_OK, text("no limit for this user"), NULL);
	bytes_text(size, (double)limit.rlim_cur);
	if (limit.rlim_cur > MEMLOCK_LITTLE)
		return finding(LEVEL_OK, text("this user's rings may have %s in all", size), NULL);
	return finding(LEVEL_WARN, text("this user's rings may have only %s in all", size),
		       text("raise memlock: ulimit -l, /etc/security/limits.conf, or LimitMEMLOCK= "
			    "of a "
			    "service"));
}

/* A number of the module's, or of the kernel's. */
static bool read_number(const char *path, uint64_t *n)
{
	char *line = system_line("%s", path), *end;

	if (!line)
		return false;
	errno = 0;
	*n = strtoull(line, &end, 10);
	free(line);
	return !errno;
}

static struct finding look_at_max_bytes(void)
{
	char most[SIZE_TEXT], now[SIZE_TEXT];
	uint64_t max, used;

	if (!read_number(PARAMETERS "/max_bytes", &max))
		return finding(LEVEL_WARN, text("unknown, as the module is not loaded"), NULL);
	if (!read_number(PARAMETERS "/used_bytes", &used))
		return finding(LEVEL_WARN, text("the module does not tell what is in use"),
			       text("load the version of the module that this command is of"));
	bytes_text(now, (double)used);
	if (!max)
		return finding(LEVEL_OK, text("%s in use by users' rings, no limit", now), NULL);
	bytes_text(most, (double)max);
	if (used < max / 10 * 9)
		return finding(LEVEL_OK, text("%s of %s in use by users' rings", now, most), NULL);
	return finding(LEVEL_WARN, text("%s of %s in use by users' rings: more will be refused",
					now, most),
		       text("close rings (spscring list shows all), or raise " PARAMETERS
			    "/max_bytes"));
}

static struct finding look_at_interrupts(void)
{
	uint64_t max;

	if (!read_number(PARAMETERS "/max_interrupts", &max))
		return finding(LEVEL_WARN, text("unknown, as the module is not loaded"), NULL);
	if (max)
		return finding(LEVEL_OK, text("up to %llu a second for each user",
					      (unsigned long long)max), NULL);
	return finding(LEVEL_WARN, text("none are allowed: each publish makes a full fence"),
		       text("unless that is wanted, raise " PARAMETERS "/max_interrupts"));
}

static struct finding look_at_list(void)
{
	char *path;
	int err;

	if (!exists("/sys/module/spscring"))
		return finding(LEVEL_WARN, text("unknown, as the module is not loaded"), NULL);
	path = system_path(RINGS_PATH);
	err = access(path, R_OK) ? errno : 0;
	free(path);
	if (!err)
		return finding(LEVEL_OK, text("spscring list, show and top work"), NULL);
	if (err == EACCES)
		return finding(LEVEL_OK, text("spscring list, show and top work for root"), NULL);
	return finding(LEVEL_WARN, text("there is no " RINGS_PATH),
		       text("mount -t debugfs none /sys/kernel/debug, unless it is mounted"));
}

static struct finding look_at_cpus(void)
{
	char *online = system_line("/sys/devices/system/cpu/online");
	char *governor = system_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	struct finding f;

	if (online && !strpbrk(online, ",-"))
		f = finding(LEVEL_WARN, text("only one: the ends take turns"),
			    text("for nanoseconds a message, give each end a CPU of its own"));
	else if (governor && !strcmp(governor, "powersave"))
		f = finding(LEVEL_WARN, text("governor powersave: they save power"),
			    text("for steady latencies: cpupower frequency-set -g performance"));
	else
		f = finding(LEVEL_OK, text("%s", online ?: "?"), NULL);
	free(online);
	free(governor);
	return f;
}

static struct finding look_at_isolation(void)
{
	char *isolated = system_line("/sys/devices/system/cpu/isolated");
	char *nohz = system_line("/sys/devices/system/cpu/nohz_full");
	bool some = isolated && *isolated, quiet = nohz && *nohz && strcmp(nohz, "(null)");
	struct finding f;

	if (some && quiet)
		f = finding(LEVEL_OK, text("%s; without the tick: %s", isolated, nohz), NULL);
	else if (some)
		f = finding(LEVEL_OK, text("%s, but they have the tick", isolated),
			    text("for the shortest latencies boot with nohz_full=%s, too",
				 isolated));
	else
		f = finding(LEVEL_OK, text("none, as on most machines"),
			    text("for the shortest latencies boot with, say, isolcpus=2,3 "
				 "nohz_full=2,3, "
				 "and pin the ends there (taskset)"));
	free(isolated);
	free(nohz);
	return f;
}

static struct finding look_at_huge_pages(void)
{
	char *enabled = system_line("/sys/kernel/mm/transparent_hugepage/enabled");
	struct finding f;

	if (!enabled)
		f = finding(LEVEL_OK, text("this kernel has none"), NULL);
	else if (strstr(enabled, "[never]"))
		f = finding(LEVEL_WARN, text("off: large rings are mapped page by page"),
			    text("echo madvise >/sys/kernel/mm/transparent_hugepage/enabled"));
	else
		f = finding(LEVEL_OK, text("on: the data of large rings are mapped by them"), NULL);
	free(enabled);
	return f;
}

/* The CPU's flags say so on x86; the kernel does, where it knows the hypervisor. */
static bool is_virtual(void)
{
	char *path, *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	if (exists("/sys/hypervisor/type"))
		return true;
	path = system_path("/proc/cpuinfo");
	file = fopen(path, "re");
	free(path);
	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0)
		found = !strncmp(line, "flags", 5) && strstr(line, " hypervisor");
	fclose(file);
	free(line);
	return found;
}

static struct finding look_at_hypervisor(void)
{
	if (!is_virtual())
		return finding(LEVEL_OK, text("none"), NULL);
	return finding(LEVEL_WARN, text("this is a virtual machine: its host decides when a CPU "
					"runs"),
		       text("for steady latencies have the host pin the machine's CPUs; compare "
			    "figures only "
			    "within one run"));
}

const struct check checks[] = {
	{ "module", look_at_module },
	{ "device", look_at_device },
	{ "locked memory", look_at_memlock },
	{ "max_bytes", look_at_max_bytes },
	{ "interrupts", look_at_interrupts },
	{ "list", look_at_list },
	{ "CPUs", look_at_cpus },
	{ "isolated CPUs", look_at_isolation },
	{ "huge pages", look_at_huge_pages },
	{ "hypervisor", look_at_hypervisor },
};

const size_t checks_n = ARRAY_SIZE(checks);
