// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Results as the entries of out/bench.json.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median; *spread is from the least to the greatest, relative to it. */
static double median(const double *values, uint32_t n, double *spread)
{
	double sorted[BENCH_RUNS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_value);
	if (spread)
		*spread = (sorted[n - 1] - sorted[0]) / sorted[n / 2];
	return sorted[n / 2];
}

/* Points a percent apart, then nine a decade, ever closer to the slowest. */
static void json_cdf(FILE *out, const struct hist *h, double ns)
{
	uint32_t share = 0, step = 10000, all = 1000000;

	fputs(", \"cdf\": [", out);
	while (share < all - 1) {
		if (all - share <= step)
			step /= 10;
		share += step;
		fprintf(out, "%s[%.1f,%u.%06u]", share == step ? "" : ",",
			hist_rank(h, (h->count * share + all - 1) / all) * ns,
			share / all, share % all);
	}
	fputc(']', out);
}

/* Run by run: runs of one number were close in time, so they compare best. */
static void json_runs(FILE *out, const char *name, const double *values, uint32_t n, double ns)
{
	fprintf(out, ", \"%s\": [", name);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%.3f", i ? "," : "", values[i] * ns);
	fputc(']', out);
}

static void json_entry(FILE *out, const struct cell_result *r, const char *vehicle,
		       const struct timer *timer)
{
	const struct contender *who = r->cell->contender;
	const struct point *p = &r->cell->point;
	double spread, per_op = median(r->per_op, r->runs, &spread), ns = timer->ns;

	fprintf(out, "{\"pair\": \"%s\", \"impl\": \"%s\", \"test\": \"%s\", \"bytes\": %u, ",
		who->pair, who->impl, test_name(p->test), p->bytes);
	fprintf(out, "\"capacity\": %u, \"batch\": %u, \"runs\": %u, ",
		r->cell->capacity, p->batch, r->runs);
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
			median(r->p50, r->runs, &spread) * ns, median(r->p99, r->runs, NULL) * ns);
		fprintf(out, "\"p999\": %.2f, \"max\": %.2f}, ",
			median(r->p999, r->runs, NULL) * ns, r->hist.max * ns);
	}
	fprintf(out, "\"ns_per_op\": %.3f, \"spread\": %.3f, ", per_op * ns, spread);
	fprintf(out, "\"vehicle\": \"%s\", \"messages\": %llu, ",
		vehicle, (unsigned long long)r->messages);
	fprintf(out, "\"clock_cost_ns\": %.2f, \"clock_step_ns\": %.2f",
		timer->cost * ns, timer->step * ns);
	json_runs(out, "runs_ns_per_op", r->per_op, r->runs, ns);
	if (r->hist.count) {
		json_runs(out, "runs_p50", r->p50, r->runs, ns);
		json_cdf(out, &r->hist, ns);
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
