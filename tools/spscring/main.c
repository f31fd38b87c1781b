// SPDX-License-Identifier: GPL-2.0
/*
 * spscring: see the rings of a machine, and stream through them.  A subcommand is a file of its
 * own; trace and bench are scripts, as they drive other programs.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "list", list_main, "list all rings of this machine" },
	{ "show", show_main, "show one ring: its ends, who has it open, what to change" },
	{ "top", top_main, "watch rates, fill, sleeps and losses" },
	{ "cat", cat_main, "write what comes through a ring to the standard output" },
	{ "send", send_main, "send the standard input through a ring" },
	{ "trace", trace_main, "record events, and print how long messages stay in a ring" },
	{ "bench", bench_main, "measure this machine: tables and plots" },
	{ "doctor", doctor_main, "check that this machine is ready, and say what to do" },
	{ "demo", demo_main, "see a ring at work, in ten seconds" },
};

static void print_help(FILE *out)
{
	size_t i;

	fputs("Usage: spscring COMMAND [OPTION...]\n\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\nspscring COMMAND --help has the options; man spscring has all.\n", out);
}

/* trace and bench: the script of this name, in the tree beside the program, or as installed. */
static int run_script(const char *name, char **argv)
{
	char *self = need_memory(realpath("/proc/self/exe", NULL)), *slash, *path;

	slash = strrchr(self, '/');
	*slash = '\0';
	path = text("%s/../tools/spscring/%s", self, name);
	if (access(path, X_OK)) {
		free(path);
		path = text("%s/%s", LIBEXECDIR, name);
	}
	*slash = '/';
	/* the scripts run this program */
	setenv("SPSCRING_COMMAND", self, 1);
	execv(path, argv);
	die("%s: %s: install the command with its files (make -C tools/spscring install)", path,
	    strerror(errno));
}

int trace_main(int argc, char **argv)
{
	(void)argc;
	return run_script("trace", argv);
}

int bench_main(int argc, char **argv)
{
	(void)argc;
	return run_script("bench", argv);
}

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	char *name;

	argp_program_version = "spscring " VERSION;
	argp_err_exit_status = STATUS_USAGE;
	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		flush_output();
		return STATUS_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts(argp_program_version);
		flush_output();
		return STATUS_OK;
	}
	command = find(argv[1]);
	if (!command) {
		warn("no command \"%s\": spscring --help names all", argv[1]);
		return STATUS_USAGE;
	}
	/* argp names the program by it in its messages */
	name = text("spscring %s", argv[1]);
	argv[1] = name;
	return command->main(argc - 1, argv + 1);
}
