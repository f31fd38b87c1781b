// SPDX-License-Identifier: GPL-2.0
/* spscring list: all rings of the machine. */
#include <argp.h>
#include <fnmatch.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "rings.h"

static struct {
	bool json, exact, no_heads;
	const char *pattern;
} options;

static const struct argp_option argp_options[] = {
	{ "json", KEY_JSON, NULL, 0,
	  "Print an array of objects, with all that the kernel tells", 0 },
	{ "exact", 'e', NULL, 0, "Print sizes in bytes", 0 },
	{ "no-heading", 'n', NULL, 0, "Print no line of headings", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case KEY_JSON:
		options.json = true;
		return 0;
	case 'e':
		options.exact = true;
		return 0;
	case 'n':
		options.no_heads = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one pattern at most");
		options.pattern = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.args_doc = "[PATTERN]",
	.doc = "List the rings of this machine: a user's, a driver's, and those of kernel code "
	       "alone."
		"\vPATTERN chooses names, as a shell's does ('cam*').  FILL is the part of the "
		"capacity "
		"that is in use, LOST counts records that were dropped or overwritten.",
};

static bool chosen(const struct ring *ring)
{
	return !options.pattern || !fnmatch(options.pattern, ring->name, 0);
}

static void add_row(struct table *t, const struct ring *ring)
{
	char size[SIZE_TEXT];

	table_add(t, text("%llu", (unsigned long long)ring->id));
	table_add(t, *ring->name ? printable(ring->name) : text("-"));
	table_add(t, text("%s%s", ring->kind, ring->broken ? " (broken)" : ""));
	table_add(t, holder_text(&ring->producer));
	table_add(t, holder_text(&ring->consumer));
	table_add(t, text("%.0f%%", 100 * ring_fill(ring)));
	table_add(t, options.exact ? text("%llu", (unsigned long long)ring->memory) :
		  text("%s", bytes_text(size, (double)ring->memory)));
	table_add(t, text("%llu", (unsigned long long)(ring->drops + ring->overruns)));
}

static void print_table(const struct rings *rings)
{
	static const char *const heads[] = {
		">ID", "NAME", "KIND", "PRODUCER", "CONSUMER", ">FILL", ">MEMORY", ">LOST",
	};
	struct table t = { .heads = heads, .columns = ARRAY_SIZE(heads) };
	size_t i;

	for (i = 0; i < rings->n; i++)
		if (chosen(&rings->ring[i]))
			add_row(&t, &rings->ring[i]);
	table_print(&t, !options.no_heads, stdout);
	table_free(&t);
}

static void print_json(const struct rings *rings)
{
	struct json_object *array = need_memory(json_object_new_array());
	size_t i;

	for (i = 0; i < rings->n; i++)
		if (chosen(&rings->ring[i]))
			json_object_array_add(array, ring_json(&rings->ring[i]));
	json_print(array, true);
}

int list_main(int argc, char **argv)
{
	struct rings rings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	rings_read(&rings);
	if (options.json)
		print_json(&rings);
	else
		print_table(&rings);
	flush_output();
	rings_free(&rings);
	return STATUS_OK;
}
