// SPDX-License-Identifier: GPL-2.0
/* spscring show: one ring, in words. */
#include <argp.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "holders.h"
#include "rings.h"

#define LINE_WIDTH	80
#define INDENT		12

static struct {
	bool json;
	const char *which;
} options;

static const struct argp_option argp_options[] = {
	{ "json", KEY_JSON, NULL, 0,
	  "Print an object: what list --json has, and holders and advice", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case KEY_JSON:
		options.json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one ring at a time");
		options.which = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which ring?  spscring list shows all");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.args_doc = "ID|NAME",
	.doc = "Show one ring: its shape, its ends, which processes have it open, and what its "
	       "counters "
		"advise.",
};

/* A heading, then words, broken into lines behind it. */
static void print_words(const char *head, char *words)
{
	int column = INDENT;
	char *word;

	printf("%-*s", INDENT, head);
	for (word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		int length = (int)strlen(word);

		if (column > INDENT && column + 1 + length > LINE_WIDTH) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		}
		column += printf("%s%s", column > INDENT ? " " : "", word);
	}
	putchar('\n');
	free(words);
}

static const char *mode_words(const struct ring *ring)
{
	if (!strcmp(ring->mode, "drop"))
		return "a full ring drops new records";
	if (!strcmp(ring->mode, "overwrite"))
		return "a full ring overwrites the oldest records";
	return "the producer waits where the ring is full";
}

static const char *sleep_words(const struct ring *ring)
{
	if (!strcmp(ring->sleep, "busy-poll"))
		return "the ends only poll (BUSY_POLL)";
	if (!strcmp(ring->sleep, "fence"))
		return "the ends can sleep, and always fence (FENCE)";
	return "the ends can sleep, and fence only while one does";
}

/* "1000 bytes", "1.5M" */
static char *size_words(uint64_t bytes)
{
	char size[SIZE_TEXT];

	return text("%s%s", bytes_text(size, (double)bytes), bytes < 1024 ? " bytes" : "");
}

static void print_shape(const struct ring *ring)
{
	char *name = printable(ring->name), *capacity = size_words(ring->capacity), *owner;
	char memory[SIZE_TEXT];

	printf("ring %llu%s%s%s%s\n", (unsigned long long)ring->id, *name ? " \"" : "", name,
	       *name ? "\"" : "", ring->broken ? ": BROKEN" : "");
	free(name);
	if (ring_has_records(ring))
		print_words("shape", text("records of any size, %s; %s; %s",
					  capacity, mode_words(ring), sleep_words(ring)));
	else
		print_words("shape", text("%llu elements of %llu bytes; %s; %s",
					  (unsigned long long)ring->capacity,
					  (unsigned long long)ring->element_size,
					  mode_words(ring), sleep_words(ring)));
	free(capacity);
	if (ring->uid != NO_ID)
		owner = text("made by user %lld", (long long)ring->uid);
	else if (!strcmp(ring->owner, "private"))
		owner = text("private to kernel code");
	else
		owner = text("made by a %s", ring->owner);
	print_words("memory", text("%s, %s", bytes_text(memory, (double)ring->memory), owner));
	free(owner);
}

/* A length, or a count of elements, in the ring's own unit. */
static char *amount(const struct ring *ring, uint64_t n)
{
	if (ring_has_records(ring))
		return size_words(n);
	return text("%llu", (unsigned long long)n);
}

static void print_state(const struct ring *ring)
{
	char *length = amount(ring, ring->length), *capacity = amount(ring, ring->capacity);
	char *most = amount(ring, ring->high_water), *pushed = size_words(ring_bytes(ring));

	print_words("in use", text("%s of %s, %.0f %%; at most %s so far", length, capacity,
				   100 * ring_fill(ring), most));
	print_words("moved", text("%llu messages pushed, %s; head at %llu, tail at %llu",
				  (unsigned long long)ring_messages(ring), pushed,
				  (unsigned long long)ring->head, (unsigned long long)ring->tail));
	if (ring_has_records(ring))
		print_words("lost", text("%llu dropped, %llu overwritten",
					 (unsigned long long)ring->drops,
					 (unsigned long long)ring->overruns));
	free(length);
	free(capacity);
	free(most);
	free(pushed);
}

static void print_end(const char *role, const struct ring_end *end, const char *fails,
		      uint64_t failed)
{
	char *who, *name;

	if (!end->generation) {
		print_words(role, text("unclaimed: nobody has held it yet"));
		return;
	}
	if (!strcmp(end->state, "held") && end->pid >= 0) {
		name = process_name(end->pid);
		who = text("held by process %lld (%s)", (long long)end->pid, name);
		free(name);
	} else if (!strcmp(end->state, "held") && end->pid == KERNEL_ID) {
		who = text("held by the kernel");
	} else {
		who = text("%s", end->state);
	}
	print_words(role, text("%s; claim number %llu; %s %llu times; %llu spins, %llu sleeps, "
			       "%llu polls, "
			       "%llu kicks, %llu wakes, %llu interrupts, %llu refused",
			       who, (unsigned long long)end->generation, fails,
			       (unsigned long long)failed, (unsigned long long)end->spins,
			       (unsigned long long)end->sleeps, (unsigned long long)end->polls,
			       (unsigned long long)end->kicks, (unsigned long long)end->wakes,
			       (unsigned long long)end->interrupts,
			       (unsigned long long)end->refused));
	free(who);
}

/* The ring fd has no role. */
static const char *role_of(const struct holder *holder)
{
	return strcmp(holder->role, "none") ? holder->role : "ring";
}

static void print_holders(const struct holders *holders)
{
	size_t i;

	for (i = 0; i < holders->n; i++) {
		const struct holder *h = &holders->holder[i];
		char *name = process_name(h->pid);

		print_words(i ? "" : "open in",
			    text("process %lld (%s): fd %d, %s", (long long)h->pid, name, h->fd,
				 role_of(h)));
		free(name);
	}
	if (!holders->n)
		print_words("open in", text("no process%s", holders->unread ? " that this user may "
									      "look into" : ""));
	if (holders->unread)
		print_words("", text("(%zu processes are hidden from this user: sudo shows all)",
				     holders->unread));
}

static struct json_object *holders_json(const struct holders *holders)
{
	struct json_object *array = need_memory(json_object_new_array());
	size_t i;

	for (i = 0; i < holders->n; i++) {
		const struct holder *h = &holders->holder[i];
		struct json_object *one = need_memory(json_object_new_object());
		char *name = process_name(h->pid);

		json_object_object_add(one, "pid", json_object_new_int64(h->pid));
		json_object_object_add(one, "process", json_object_new_string(name));
		json_object_object_add(one, "fd", json_object_new_int(h->fd));
		json_object_object_add(one, "role", json_object_new_string(role_of(h)));
		json_object_array_add(array, one);
		free(name);
	}
	return array;
}

static void print_json(const struct ring *ring, const struct holders *holders, char **advice,
		       size_t n)
{
	struct json_object *json = ring_json(ring), *array = need_memory(json_object_new_array());
	size_t i;

	json_object_object_add(json, "holders", holders_json(holders));
	for (i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(advice[i]));
	json_object_object_add(json, "advice", array);
	json_print(json, true);
}

int show_main(int argc, char **argv)
{
	char *advice[ADVICE_MAX];
	struct rings rings = { 0 };
	struct holders holders;
	const struct ring *ring;
	size_t n, i;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	rings_read(&rings);
	ring = rings_find(&rings, options.which);
	holders_read(&holders, ring->id);
	n = ring_advice(ring, advice);
	if (options.json) {
		print_json(ring, &holders, advice, n);
		for (i = 0; i < n; i++)
			free(advice[i]);
	} else {
		print_shape(ring);
		print_state(ring);
		print_end("producer", &ring->producer, "found it full", ring->full);
		print_end("consumer", &ring->consumer, "found it empty", ring->empty);
		print_holders(&holders);
		for (i = 0; i < n; i++)
			print_words(i ? "" : "advice", advice[i]);
	}
	flush_output();
	holders_free(&holders);
	rings_free(&rings);
	return STATUS_OK;
}
