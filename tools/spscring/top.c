// SPDX-License-Identifier: GPL-2.0
/* spscring top: rates of all rings, as they change. */
#include <argp.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

#define SECONDS_DEFAULT	2.0
#define SECONDS_MIN	0.1
#define SECONDS_MAX	86400.0

static struct {
	bool batch, json;
	unsigned long count;
	double seconds;
	char key;
} options = { .seconds = SECONDS_DEFAULT, .key = 'r' };

const struct top_key top_keys[] = {
	{ 'i', "id", "ID", 6 },
	{ 'n', "name", "NAME", 0 },
	{ 'p', "producer", "PRODUCER", 9 },
	{ 'c', "consumer", "CONSUMER", 9 },
	{ 'r', "rate", "MSGS/S", 7 },
	{ 'b', "bytes", "BYTES/S", 7 },
	{ 'f', "fill", "FILL", 12 },
	{ 'l', "lost", "LOST/S", 6 },
	{ 's', "sleeps", "SLEEPS/S", 8 },
	{ 'w', "wakes", "WAKES/S", 7 },
};

const size_t top_keys_n = ARRAY_SIZE(top_keys);

enum { KEY_COUNT = 'n', KEY_DELAY = 'd', KEY_SORT = 'o', KEY_BATCH = 'b' };

static const struct argp_option argp_options[] = {
	{ "batch", KEY_BATCH, NULL, 0, "Print tables, one after the other, as is done without a "
				       "terminal", 0 },
	{ "json", KEY_JSON, NULL, 0, "Print an object a line, in batch mode", 0 },
	{ "count", KEY_COUNT, "N", 0, "End after N tables", 0 },
	{ "delay", KEY_DELAY, "SECONDS", 0, "From one table to the next (2; at least 0.1)", 0 },
	{ "sort", KEY_SORT, "COLUMN", 0,
	  "id, name, producer, consumer, rate (the default), bytes, fill, lost, sleeps, wakes", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	char *end = NULL;
	size_t i;

	switch (key) {
	case KEY_BATCH:
		options.batch = true;
		return 0;
	case KEY_JSON:
		options.json = true;
		return 0;
	case KEY_COUNT:
		options.count = strtoul(arg, &end, 10);
		if (*arg < '0' || *arg > '9' || *end || !options.count)
			argp_error(state, "--count takes a number, not \"%s\"", arg);
		return 0;
	case KEY_DELAY:
		options.seconds = strtod(arg, &end);
		if (end == arg || *end || !(options.seconds >= SECONDS_MIN) ||
		    options.seconds > SECONDS_MAX)
			argp_error(state, "--delay takes seconds, 0.1 to 86400, not \"%s\"", arg);
		return 0;
	case KEY_SORT:
		for (i = 0; i < top_keys_n && strcmp(arg, top_keys[i].name); i++)
			;
		if (i == top_keys_n)
			argp_error(state, "--sort takes a column's name, not \"%s\"", arg);
		options.key = top_keys[i].key;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Watch the rings of this machine: messages and bytes a second, how full each is, "
	       "how often its "
		"ends sleep and are woken, what it loses."
		"\vKeys: i n p c r b f s w l sort by the column that begins with it (r by MSGS/S), "
		"R turns "
		"the order round, arrows and Page keys scroll, q quits.",
};

/* A counter's growth a second; a ring that began anew has a smaller one. */
static double rate(uint64_t before, uint64_t after, double seconds)
{
	return after > before ? (double)(after - before) / seconds : 0;
}

static void measure(struct row *row, const struct ring *b, double seconds)
{
	const struct ring *a = row->ring;

	row->measured = true;
	row->messages = rate(ring_messages(b), ring_messages(a), seconds);
	row->bytes = rate(ring_bytes(b), ring_bytes(a), seconds);
	row->sleeps = rate(b->producer.sleeps + b->consumer.sleeps,
			   a->producer.sleeps + a->consumer.sleeps, seconds);
	row->wakes = rate(b->producer.wakes + b->consumer.wakes,
			  a->producer.wakes + a->consumer.wakes, seconds);
	row->losses = rate(b->drops + b->overruns, a->drops + a->overruns, seconds);
}

/* Of what a key sorts by, the larger number comes first. */
static double weight(const struct row *row, char key)
{
	switch (key) {
	case 'r': return row->messages;
	case 'b': return row->bytes;
	case 'f': return ring_fill(row->ring);
	case 's': return row->sleeps;
	case 'w': return row->wakes;
	case 'l': return row->losses;
	case 'p': return (double)row->ring->producer.pid;
	case 'c': return (double)row->ring->consumer.pid;
	default: return 0;
	}
}

static int compare(const void *a, const void *b, void *data)
{
	const struct row *x = a, *y = b;
	const struct top *top = data;
	double wx = weight(x, top->key), wy = weight(y, top->key);
	int order = 0;

	if (top->key == 'n')
		order = strcmp(x->ring->name, y->ring->name);
	else if (wx != wy)
		order = wx > wy ? -1 : 1;
	/* equal ones keep their places */
	if (!order)
		order = x->ring->id < y->ring->id ? -1 : 1;
	return top->reverse ? -order : order;
}

void top_sort(struct top *top)
{
	if (top->now.n)
		qsort_r(top->rows, top->now.n, sizeof(*top->rows), compare, top);
}

void top_sample(struct top *top)
{
	struct rings old = top->before;
	double at = (double)now() / SECOND;
	size_t i, b = 0;

	top->before = top->now;
	top->now = old;
	rings_read(&top->now);
	top->seconds = at - top->at;
	top->at = at;
	if (top->room < top->now.n) {
		top->room = top->now.n;
		top->rows = need_memory(realloc(top->rows, top->room * sizeof(*top->rows)));
	}
	/* both are in the order of ids */
	for (i = 0; i < top->now.n; i++) {
		const struct ring *ring = &top->now.ring[i];

		top->rows[i] = (struct row){ .ring = ring };
		while (b < top->before.n && top->before.ring[b].id < ring->id)
			b++;
		if (b < top->before.n && top->before.ring[b].id == ring->id)
			measure(&top->rows[i], &top->before.ring[b], top->seconds);
	}
	top_sort(top);
}

char *rate_text(char out[SIZE_TEXT], const struct row *row, double rate)
{
	if (row->measured)
		return count_text(out, rate);
	out[0] = '-';
	out[1] = '\0';
	return out;
}

/* ------------------------------------------------------------------- batch */

static void print_table(const struct top *top)
{
	static const char *const heads[] = {
		">ID", "NAME", "PRODUCER", "CONSUMER", ">MSGS/S", ">BYTES/S", ">FILL", ">LOST/S",
		">SLEEPS/S", ">WAKES/S",
	};
	struct table t = { .heads = heads, .columns = ARRAY_SIZE(heads) };
	char rate[SIZE_TEXT];
	size_t i;

	for (i = 0; i < top->now.n; i++) {
		const struct row *row = &top->rows[i];
		const struct ring *ring = row->ring;

		table_add(&t, text("%llu", (unsigned long long)ring->id));
		table_add(&t, *ring->name ? printable(ring->name) : text("-"));
		table_add(&t, holder_text(&ring->producer));
		table_add(&t, holder_text(&ring->consumer));
		table_add(&t, text("%s", rate_text(rate, row, row->messages)));
		table_add(&t, text("%s", row->measured ? bytes_text(rate, row->bytes) : "-"));
		table_add(&t, text("%.0f%%", 100 * ring_fill(ring)));
		table_add(&t, text("%s", rate_text(rate, row, row->losses)));
		table_add(&t, text("%s", rate_text(rate, row, row->sleeps)));
		table_add(&t, text("%s", rate_text(rate, row, row->wakes)));
	}
	table_print(&t, true, stdout);
	table_free(&t);
}

static void add_rate(struct json_object *json, const char *name, const struct row *row, double rate)
{
	json_object_object_add(json, name, row->measured ? json_object_new_double(rate) : NULL);
}

static void print_json(const struct top *top)
{
	struct json_object *json = need_memory(json_object_new_object());
	struct json_object *array = need_memory(json_object_new_array());
	size_t i;

	for (i = 0; i < top->now.n; i++) {
		const struct row *row = &top->rows[i];
		struct json_object *one = ring_json(row->ring);

		add_rate(one, "messages_per_second", row, row->messages);
		add_rate(one, "bytes_per_second", row, row->bytes);
		add_rate(one, "sleeps_per_second", row, row->sleeps);
		add_rate(one, "wakes_per_second", row, row->wakes);
		add_rate(one, "losses_per_second", row, row->losses);
		json_object_array_add(array, one);
	}
	json_object_object_add(json, "seconds", json_object_new_double(top->seconds));
	json_object_object_add(json, "rings", array);
	json_print(json, false);
}

static void pause_for(double seconds)
{
	struct timespec left = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void run_batch(struct top *top)
{
	unsigned long n;

	for (n = 0; !options.count || n < options.count; n++) {
		pause_for(options.seconds);
		top_sample(top);
		if (options.json) {
			print_json(top);
		} else {
			if (n)
				putchar('\n');
			print_table(top);
		}
		flush_output();
	}
}

int top_main(int argc, char **argv)
{
	struct top top = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	top.key = options.key;
	top_sample(&top);
	if (options.batch || options.json || !isatty(STDOUT_FILENO))
		run_batch(&top);
	else
		screen_run(&top, options.seconds, options.count);
	rings_free(&top.before);
	rings_free(&top.now);
	free(top.rows);
	return STATUS_OK;
}
