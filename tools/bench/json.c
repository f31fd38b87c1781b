// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Write the results as entries of out/bench.json.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/spscring.h>

#include "bench.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median; *spread is (largest - smallest) / median. */
static double median(const double *values, uint32_t n, double *spread)
{
	double sorted[BENCH_RUNS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_value);
	if (spread)
		*spread = (sorted[n - 1] - sorted[0]) / sorted[n / 2];
	return sorted[n / 2];
}

/* The time between two readings of the clock, less the cost of a reading. */
static double less(double ticks, double cost)
{
	return ticks > cost ? ticks - cost : 0;
}

/* Points one percent apart, then nine for each decade of the remaining share. */
static void json_cdf(FILE *out, const struct hist *h, double cost, double ns)
{
	uint32_t share = 0, step = 10000, all = 1000000;

	fputs(", \"cdf\": [", out);
	while (share < all - 1) {
		if (all - share <= step)
			step /= 10;
		share += step;
		fprintf(out, "%s[%.1f,%u.%06u]", share == step ? "" : ",",
			less(hist_rank(h, (h->count * share + all - 1) / all), cost) * ns,
			share / all, share % all);
	}
	fputc(']', out);
}

/* The figure of each run: runs of the same number were close in time, and compare best. */
static void json_runs(FILE *out, const char *name, const double *values, uint32_t n, double cost,
		      double ns)
{
	fprintf(out, ", \"%s\": [", name);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%.3f", i ? "," : "", less(values[i], cost) * ns);
	fputc(']', out);
}

static void json_entry(FILE *out, const struct cell_result *r, const char *vehicle,
		       const struct timer *timer)
{
	static const char * const takers[] = {
		[TAKER_FAST] = "fast", [TAKER_SLOW] = "slow", [TAKER_NONE] = "none",
	};
	const struct contender *who = r->cell->contender;
	const struct point *p = &r->cell->point;
	double spread, per_op = median(r->per_op, r->runs, &spread), ns = timer->ns;
	double cost = round_trip(p->test) ? timer->cost : 0;

	fprintf(out, "{\"pair\": \"%s\", \"impl\": \"%s\", \"test\": \"%s\", \"bytes\": %u, ",
		who->pair, who->impl, test_name(p->test), p->bytes);
	fprintf(out, "\"capacity\": %u, \"batch\": %u, \"runs\": %u, ",
		r->cell->capacity, p->batch, r->runs);
	if (p->list)
		fprintf(out, "\"sizes\": \"%s\", ", list_name(p->list - 1));
	if (p->test == BENCH_MIXED)
		fprintf(out, "\"gb_per_s\": %.4f, ", (double)bench_lengths_sum(p->list - 1) /
			LENGTHS_N / (per_op * ns));
	if (p->test == BENCH_IN_PLACE || p->test == BENCH_IN_PLACE_RTT)
		fprintf(out, "\"copy\": %s, ", p->in_place ? "false" : "true");
	if (p->test == BENCH_FLOOD)
		fprintf(out, "\"mode\": \"%s\", \"consumer\": \"%s\", \"lost\": %.6f, ",
			p->when_full == SPSCRING_CREATE_DROP ? "drop" : "overwrite",
			takers[p->taker], (double)r->lost / r->hand_overs);
	if (p->data)
		fprintf(out, "\"data\": %llu, ", (unsigned long long)p->data);
	if (p->huge)
		fputs("\"huge\": true, ", out);
	if (p->load_ns)
		fprintf(out, "\"load_ns\": %u, ", p->load_ns);
	if (p->rings)
		fprintf(out, "\"rings\": %u, \"memory\": %llu, ", p->rings,
			(unsigned long long)r->memory);
	if (r->hist.count) {
		fprintf(out, "\"ns\": {\"p50\": %.2f, \"p99\": %.2f, ",
			less(median(r->p50, r->runs, &spread), cost) * ns,
			less(median(r->p99, r->runs, NULL), cost) * ns);
		fprintf(out, "\"p999\": %.2f, \"max\": %.2f}, ",
			less(median(r->p999, r->runs, NULL), cost) * ns,
			less(r->hist.max, cost) * ns);
	}
	fprintf(out, "\"ns_per_op\": %.3f, \"spread\": %.3f, ", per_op * ns, spread);
	fprintf(out, "\"vehicle\": \"%s\", \"messages\": %llu, ",
		vehicle, (unsigned long long)r->messages);
	fprintf(out, "\"clock_cost_ns\": %.2f, \"clock_step_ns\": %.2f",
		timer->cost * ns, timer->step * ns);
	/* where nobody sleeps the counts would be wrong: they include calls outside the loops */
	if (who->sleep != POLLED || 1U << p->test & BENCH_ASLEEP)
		fprintf(out, ", \"syscalls\": %.10g, \"wakes\": %.6g",
			(double)r->calls / r->hand_overs, (double)r->wakes / r->hand_overs);
	if (r->fences)
		fprintf(out, ", \"interrupts\": %llu, \"clears\": %llu",
			(unsigned long long)r->interrupts, (unsigned long long)r->clears);
	json_runs(out, "runs_ns_per_op", r->per_op, r->runs, 0, ns);
	if (r->hist.count) {
		json_runs(out, "runs_p50", r->p50, r->runs, cost, ns);
		json_cdf(out, &r->hist, cost, ns);
	}
	fputc('}', out);
}

void json_write(FILE *out, const struct cell_result *results, size_t n, const char *vehicle,
		const struct timer *timer)
{
	fputs("[\n", out);
	for (size_t i = 0; i < n; i++) {
		json_entry(out, &results[i], vehicle, timer);
		fputs(i + 1 < n ? ",\n" : "\n", out);
	}
	fputs("]\n", out);
}
