// SPDX-License-Identifier: GPL-2.0
/* spscring doctor: is this machine ready, and what would make it better? */
#include <argp.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "checks.h"

static bool json;

static const struct argp_option argp_options[] = {
	{ "json", KEY_JSON, NULL, 0, "Print an array of objects: name, level, found, advice", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	if (key != KEY_JSON)
		return ARGP_ERR_UNKNOWN;
	json = true;
	return 0;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Check that this machine is ready for rings, and say what to do where it is not."
		"\vThe exit status is 0, or 1 if there is a problem: something does not work.  A "
		"warning is "
		"about something that works, but not as well as it could.",
};

static const char *const levels[] = { "ok", "warn", "problem" };

static void print_finding(const char *name, const struct finding *f)
{
	static const char *const marks[] = { "OK", "warn", "PROBLEM" };

	printf("%-7s  %-13s  %s\n", marks[f->level], name, f->found);
	if (f->advice)
		printf("%24s-> %s\n", "", f->advice);
}

static struct json_object *finding_json(const char *name, const struct finding *f)
{
	struct json_object *one = need_memory(json_object_new_object());

	json_object_object_add(one, "name", json_object_new_string(name));
	json_object_object_add(one, "level", json_object_new_string(levels[f->level]));
	json_object_object_add(one, "found", json_object_new_string(f->found));
	json_object_object_add(one, "advice", f->advice ? json_object_new_string(f->advice) : NULL);
	return one;
}

int doctor_main(int argc, char **argv)
{
	struct json_object *array;
	int status = STATUS_OK;
	size_t i;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	array = json ? need_memory(json_object_new_array()) : NULL;
	for (i = 0; i < checks_n; i++) {
		struct finding f = checks[i].look();

		if (f.level == LEVEL_PROBLEM)
			status = STATUS_ERROR;
		if (json)
			json_object_array_add(array, finding_json(checks[i].name, &f));
		else
			print_finding(checks[i].name, &f);
		free(f.found);
		free(f.advice);
	}
	if (json)
		json_print(array, true);
	flush_output();
	return status;
}
