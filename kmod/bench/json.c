// SPDX-License-Identifier: GPL-2.0
/*
 * The report, as JSON.
 */
#include <linux/math64.h>
#include <linux/seq_file.h>

#include "report.h"

static void show_fixed(struct seq_file *m, const char *before, u64 hundredths)
{
	seq_printf(m, "%s%llu.%02llu", before, hundredths / 100, hundredths % 100);
}

static void show_machine(struct seq_file *m, const struct report *rep)
{
	const struct config *c = &rep->config;
	const struct result *r;

	seq_puts(m, "\"machine\": {\"clock\": \"" BENCH_CLOCK "\"");
	show_fixed(m, ", \"clock_cost_ns\": ", bench_ticks.cost);
	show_fixed(m, ", \"clock_step_ns\": ", bench_hundredths(bench_ticks.step));
	list_for_each_entry(r, &rep->results, list)
		if (r->ops == &bench_bare && r->shape.test == BENCH_RTT)
			show_fixed(m, ", \"bare_ns\": ", r->p50.median);
	seq_printf(m, ", \"cpus\": [%d, %d], \"iterations\": %llu, \"items\": %llu}",
		   c->cpus[0], c->cpus[1], c->iterations, c->items);
}

static void show_left_out(struct seq_file *m)
{
	const char *comma = "";
	u32 i;

	seq_puts(m, "\"left_out\": [");
	for (i = 0; i < bench_contenders_n; i++) {
		const struct bench_ops *ops = bench_contenders[i];

		if (!ops->left_out)
			continue;
		seq_printf(m, "%s{\"impl\": \"%s\", \"reason\": \"%s\"}", comma, ops->name,
			   ops->left_out);
		comma = ", ";
	}
	seq_puts(m, "]");
}

static void show_runs(struct seq_file *m, const char *before, const struct figures *f, u32 runs)
{
	u32 i;

	seq_puts(m, before);
	for (i = 0; i < runs; i++)
		show_fixed(m, i ? ", " : "[", f->of_run[i]);
	seq_puts(m, "]");
}

static void show_latency(struct seq_file *m, const struct result *r, u32 runs)
{
	u32 i;

	show_runs(m, ", \"runs_p50\": ", &r->p50, runs);
	show_fixed(m, ", \"ns\": {\"p50\": ", r->p50.median);
	show_fixed(m, ", \"p99\": ", r->p99.median);
	show_fixed(m, ", \"p999\": ", r->p999.median);
	show_fixed(m, ", \"max\": ", r->max);
	seq_puts(m, "}, \"cdf\": [");
	for (i = 0; i < r->points; i++) {
		show_fixed(m, i ? ", [" : "[", r->cdf[i].value);
		seq_printf(m, ", %u.%06u]", r->cdf[i].fraction / 1000000,
			   r->cdf[i].fraction % 1000000);
	}
	seq_puts(m, "]");
}

/* LENGTHS_N records have @sum bytes; @per_op is a record's time in hundredths of a ns. */
static void show_speed(struct seq_file *m, u64 sum, u64 per_op)
{
	u64 thousandths = div64_u64(sum * 100000, LENGTHS_N * per_op);

	seq_printf(m, ", \"gb_per_s\": %llu.%03llu", thousandths / 1000, thousandths % 1000);
}

static void show_result(struct seq_file *m, const struct result *r, u32 runs)
{
	const struct bench_shape *shape = &r->shape;
	u64 spread = r->points ? r->p50.spread : r->per_op.spread;

	seq_printf(m, "{\"pair\": \"k-k\", \"impl\": \"%s\", \"test\": \"%s\", \"bytes\": %u",
		   r->ops->name, test_name(shape->test), shape->bytes);
	seq_printf(m, ", \"capacity\": %u, \"batch\": %u, \"runs\": %u", shape->capacity,
		   shape->batch, runs);
	if (shape->load_ns)
		seq_printf(m, ", \"load_ns\": %u", shape->load_ns);
	if (shape->rings)
		seq_printf(m, ", \"rings\": %u", shape->rings);
	if (shape->list)
		seq_printf(m, ", \"sizes\": \"%s\"", list_name(shape->list - 1));
	if (shape->test == BENCH_MIXED && r->per_op.median)
		show_speed(m, bench_lengths_sum(shape->list - 1), r->per_op.median);
	if (r->memory)
		seq_printf(m, ", \"memory\": %zu", r->memory);
	if (r->ops->fences)
		seq_printf(m, ", \"interrupts\": %llu, \"clears\": %llu", r->fences.interrupts,
			   r->fences.clears);
	show_fixed(m, ", \"ns_per_op\": ", r->per_op.median);
	show_fixed(m, ", \"best\": ", r->per_op.least);
	seq_printf(m, ", \"spread\": %llu.%03llu", spread / 1000, spread % 1000);
	show_runs(m, ", \"runs_ns_per_op\": ", &r->per_op, runs);
	if (r->points)
		show_latency(m, r, runs);
	seq_puts(m, "}");
}

/**
 * bench_show_report() - print a whole report
 * @m: the file to print to
 * @rep: the report
 */
void bench_show_report(struct seq_file *m, const struct report *rep)
{
	const char *comma = "";
	const struct result *r;

	seq_puts(m, "{");
	show_machine(m, rep);
	seq_puts(m, ",\n ");
	show_left_out(m);
	seq_puts(m, ",\n \"results\": [");
	list_for_each_entry(r, &rep->results, list) {
		seq_printf(m, "%s\n  ", comma);
		show_result(m, r, rep->config.runs);
		comma = ",";
	}
	seq_puts(m, "\n ]}\n");
}
