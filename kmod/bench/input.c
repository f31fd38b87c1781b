// SPDX-License-Identifier: GPL-2.0
/*
 * Parse a line of key=value; main.c describes the keys.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "report.h"

/* A number list's bounds; each number is a multiple of @unit. */
struct bounds {
	u32 min;
	u32 max;
	u32 unit;
};

static int parse_tests(struct config *c, char *list)
{
	enum bench_test test;
	char *name;

	c->tests = 0;
	while ((name = strsep(&list, ","))) {
		for (test = 0; test < BENCH_TESTS; test++)
			if (!strcmp(test_name(test), name))
				break;
		if (test == BENCH_TESTS)
			return -EINVAL;
		c->tests |= BIT(test);
	}
	return 0;
}

static int impl_index(const char *name)
{
	u32 i;

	for (i = 0; i < bench_contenders_n; i++)
		if (!strcmp(bench_contenders[i]->name, name))
			return i;
	return -EINVAL;
}

static int parse_impls(struct config *c, char *list)
{
	char *name;
	int impl;

	c->impls = 0;
	while ((name = strsep(&list, ","))) {
		impl = impl_index(name);
		if (impl < 0)
			return impl;
		c->impls |= BIT(impl);
	}
	return 0;
}

static int parse_list(struct number_list *list, char *words, const struct bounds *is)
{
	char *word;
	u32 value;
	int err;

	list->n = 0;
	while ((word = strsep(&words, ","))) {
		if (list->n == LIST_MAX)
			return -EINVAL;
		err = kstrtou32(word, 0, &value);
		if (err)
			return err;
		if (value < is->min || value > is->max || value % is->unit)
			return -EINVAL;
		list->values[list->n++] = value;
	}
	return 0;
}

static int parse_cpus(struct config *c, char *list)
{
	char *word;
	int err, i;

	for (i = 0; i < 2; i++) {
		word = strsep(&list, ",");
		if (!word)
			return -EINVAL;
		err = kstrtoint(word, 0, &c->cpus[i]);
		if (err)
			return err;
	}
	return list || c->cpus[0] == c->cpus[1] ? -EINVAL : 0;
}

static int parse_number(char *word, u64 min, u64 max, u64 *value)
{
	int err = kstrtou64(word, 0, value);

	if (err)
		return err;
	return *value < min || *value > max ? -EINVAL : 0;
}

static int parse_u32(char *word, u32 min, u32 max, u32 *value)
{
	u64 number;
	int err = parse_number(word, min, max, &number);

	if (!err)
		*value = number;
	return err;
}

static int parse_pair(struct config *c, const char *key, char *value)
{
	struct {
		const char *key;
		struct number_list *list;
		struct bounds bounds;
	} lists[] = {
		{ "bytes", &c->sizes, { 8, 65536, 8 } },
		{ "batch", &c->batches, { 1, 65536, 1 } },
		{ "capacities", &c->capacities, { 2, 1 << 26, 1 } },
		{ "load", &c->loads, { 1, 1000000, 1 } },
		{ "rings", &c->rings, { 1, 10000, 1 } },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (!strcmp(key, lists[i].key))
			return parse_list(lists[i].list, value, &lists[i].bounds);
	if (!strcmp(key, "cpus"))
		return parse_cpus(c, value);
	if (!strcmp(key, "tests"))
		return parse_tests(c, value);
	if (!strcmp(key, "impl"))
		return parse_impls(c, value);
	if (!strcmp(key, "iterations"))
		return parse_number(value, 64, 100000000, &c->iterations);
	if (!strcmp(key, "items"))
		return parse_number(value, 1, 10000000000ULL, &c->items);
	if (!strcmp(key, "runs"))
		return parse_u32(value, 1, RUNS_MAX, &c->runs);
	if (!strcmp(key, "capacity"))
		return parse_u32(value, 2, 1 << 20, &c->capacity);
	return -EINVAL;
}

/**
 * bench_parse_line() - parse a line into a config
 * @c: the config
 * @line: the line; changed
 *
 * Return: 0, -EINVAL or -ERANGE: see the top of main.c.
 */
int bench_parse_line(struct config *c, char *line)
{
	char *pair, *key;
	int err;

	while ((pair = strsep(&line, " \t\n"))) {
		if (!*pair)
			continue;
		key = strsep(&pair, "=");
		if (!pair)
			return -EINVAL;
		err = parse_pair(c, key, pair);
		if (err)
			return err;
	}
	return 0;
}

/**
 * bench_config_defaults() - set a config to the defaults, for the keys that a line omits
 * @c: the config
 */
void bench_config_defaults(struct config *c)
{
	*c = (struct config) {
		.tests		= BIT(BENCH_RTT) | BIT(BENCH_THROUGHPUT) | BIT(BENCH_BATCH),
		.impls		= BIT(impl_index("bare")) | BIT(impl_index("walk")) |
				  BIT(impl_index("kfifo")) | BIT(impl_index("spscring")) |
				  BIT(impl_index("spscring-sleep")),
		.iterations	= 200000,
		.items		= 4000000,
		.runs		= 5,
		.capacity	= 4096,
		.batches	= { 1, { 64 } },
		.sizes		= { 5, { 8, 64, 256, 1024, 4096 } },
		/* of u64s: 4 KiB to 256 MiB */
		.capacities	= { 9, { 1 << 9, 1 << 11, 1 << 13, 1 << 15, 1 << 17, 1 << 19,
					 1 << 21, 1 << 23, 1 << 25 } },
		.loads		= { 13, { 10000, 1000, 300, 100, 50, 30, 20, 15, 10, 8, 6, 5, 4 } },
		.rings		= { 5, { 1, 10, 100, 1000, 10000 } },
	};
	c->cpus[0] = cpumask_first(cpu_online_mask);
	c->cpus[1] = cpumask_next(c->cpus[0], cpu_online_mask);
}
