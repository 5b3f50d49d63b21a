/*
 * The table on stdout, its verdicts, and the same as JSON lines.
 *
 * A row has a column for each store. A figure marked with * comes from a store
 * that does not offer the class of durability measured, and is explained
 * below the table. Under the rows of a benchmark stands its CPU time for one
 * operation, of the whole process.
 */
#include "harness.h"

#include <string.h>

#define TITLE_COLUMNS 38
#define FIGURE_COLUMNS 11
#define BOUND_TEXT_MAX 160

static const char *const kind_names[] = {
	[BOUND_GATE] = "gate",
	[BOUND_TARGET] = "target",
	[BOUND_STRETCH] = "stretch",
};
static const char *const sense_texts[] = {
	[AT_MOST] = "<=", [BELOW] = "<", [AT_LEAST] = ">=", [ABOVE] = ">",
};
static const char *const class_names[PEER_DURABILITIES] = {
	[PEER_FULL] = "full", [PEER_BATCH] = "batch", [PEER_OS] = "os",
};

/* 1234567.8 as 1,234,568; small numbers with three digits that count. */
static void format_figure(double value, char *ret, size_t ret_bytes)
{
	char digits[64];
	size_t n, out = 0;

	if (isnan(value)) {
		snprintf(ret, ret_bytes, "-");
		return;
	}
	if (value < 100) {
		snprintf(ret, ret_bytes, value < 10 ? "%.2f" : "%.1f", value);
		return;
	}
	n = (size_t)snprintf(digits, sizeof(digits), "%.0f", value);
	for (size_t i = 0; i < n && out + 2 < ret_bytes; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			ret[out++] = ',';
		ret[out++] = digits[i];
	}
	ret[out] = '\0';
}

/* The rounds' figures of one store in one row; false if it has none. */
static bool collect(const struct results *results, unsigned row, unsigned peer,
		    double *ret_values, double *ret_cpu)
{
	bool has_any = false;

	for (unsigned i = 0; i < results->rounds; i++) {
		const struct figure *f = &results->figures[row][peer][i];

		ret_values[i] = f->value;
		ret_cpu[i] = f->cpu_ns;
		has_any |= !isnan(f->value);
	}
	return has_any;
}

static double middle(const struct results *results, unsigned row,
		     unsigned peer, double *ret_cpu)
{
	double values[ROUNDS_MAX], cpu[ROUNDS_MAX];

	collect(results, row, peer, values, cpu);
	*ret_cpu = median(cpu, results->rounds);
	return median(values, results->rounds);
}

/* What the bound is judged by: the figure, or its ratio to the reference. */
static double judged(const struct results *results, unsigned row,
		     const struct bound *bound)
{
	double own[ROUNDS_MAX], other[ROUNDS_MAX], cpu[ROUNDS_MAX];

	collect(results, row, PEER_AEDB, own, cpu);
	if (bound->reference == OF_PEER)
		collect(results, row, bound->index, other, cpu);
	else if (bound->reference == OF_ROW)
		collect(results, bound->index, PEER_AEDB, other, cpu);
	for (unsigned i = 0; i < results->rounds; i++)
		if (bound->reference != OF_NUMBER)
			own[i] /= other[i];
	return median(own, results->rounds);
}

static bool holds(const struct bound *bound, double value)
{
	switch (bound->sense) {
	case AT_MOST:
		return value <= bound->value;
	case BELOW:
		return value < bound->value;
	case AT_LEAST:
		return value >= bound->value;
	case ABOVE:
		return value > bound->value;
	}
	return false;
}

/* "target < 1 x lmdb", with what was measured if it is a ratio. */
static void format_bound(const struct results *results,
			 const struct bound *bound, char *ret,
			 size_t ret_bytes)
{
	char number[32];

	format_figure(bound->value, number, sizeof(number));
	if (bound->reference == OF_NUMBER)
		snprintf(ret, ret_bytes, "%s %s", sense_texts[bound->sense],
			 number);
	else
		snprintf(ret, ret_bytes, "%s %s x %s",
			 sense_texts[bound->sense], number,
			 bound->reference == OF_PEER ?
			 peers[bound->index].name :
			 results->bench->rows[bound->index].title);
}

static void print_header(struct harness *harness)
{
	if (harness->has_header)
		return;
	harness->has_header = true;
	printf("%-4s%-*s%-9s", "#", TITLE_COLUMNS, "what", "unit");
	for (unsigned i = 0; i < PEERS; i++)
		printf("%*s ", FIGURE_COLUMNS, peers[i].name);
	printf(" limit, gate, target: verdict\n");
}

static void print_figure(struct harness *harness,
			 const struct results *results, unsigned peer,
			 double value)
{
	enum peer_durability durability = results->bench->durability;
	bool is_weak = peers[peer].weakness[durability] && !isnan(value);
	char text[32];

	format_figure(value, text, sizeof(text));
	printf("%*s%c", FIGURE_COLUMNS, text, is_weak ? '*' : ' ');
	if (is_weak)
		harness->weak_peers |= PEER_BIT(peer);
}

static void write_verdict(const struct harness *harness,
			  const struct results *results, unsigned row,
			  const struct bound *bound, bool is_held)
{
	char text[BOUND_TEXT_MAX];

	format_bound(results, bound, text, sizeof(text));
	fprintf(harness->json,
		"{\"bench\":\"%s\",\"name\":\"%s\",\"row\":\"%s\","
		"\"%s\":\"%s\",\"measured\":%.6g,\"held\":%s}\n",
		results->bench->id, results->bench->name,
		results->bench->rows[row].title, kind_names[bound->kind],
		text, judged(results, row, bound), is_held ? "true" : "false");
}

static bool is_left_out(const struct harness *harness,
			const struct bound *bound)
{
	return bound->reference == OF_PEER &&
	       harness->left_out & PEER_BIT(bound->index);
}

static void print_verdicts(struct harness *harness,
			   const struct results *results, unsigned row)
{
	const struct row *spec = &results->bench->rows[row];
	const char *separator = " ";

	if (spec->limit) {
		printf(" limit %s", spec->limit);
		separator = "; ";
	}
	for (unsigned i = 0; i < BOUNDS_MAX; i++) {
		const struct bound *bound = &spec->bounds[i];
		char text[BOUND_TEXT_MAX], measured[32];
		bool is_held;
		double value;

		if (bound->kind == BOUND_NONE || is_left_out(harness, bound))
			continue;
		value = judged(results, row, bound);
		is_held = holds(bound, value);
		format_bound(results, bound, text, sizeof(text));
		format_figure(value, measured, sizeof(measured));
		printf("%s%s %s: %s", separator, kind_names[bound->kind], text,
		       is_held ? "ok" :
		       bound->kind == BOUND_GATE ? "FAILED" : "missed");
		if (bound->reference != OF_NUMBER)
			printf(" (%s)", measured);
		separator = "; ";
		if (!is_held && bound->kind == BOUND_GATE)
			harness->gate_failed = true;
		write_verdict(harness, results, row, bound, is_held);
	}
	printf("\n");
}

static void write_figures(const struct harness *harness,
			  const struct results *results, unsigned row,
			  unsigned peer)
{
	const struct bench *bench = results->bench;
	double values[ROUNDS_MAX], cpu[ROUNDS_MAX], cpu_ns;
	const char *separator = "";

	if (!collect(results, row, peer, values, cpu))
		return;
	fprintf(harness->json,
		"{\"bench\":\"%s\",\"name\":\"%s\",\"row\":\"%s\","
		"\"unit\":\"%s\",\"durability\":\"%s\",\"store\":\"%s\","
		"\"comparable\":%s,\"median\":%.6g",
		bench->id, bench->name, bench->rows[row].title,
		bench->rows[row].unit, class_names[bench->durability],
		peers[peer].name,
		peers[peer].weakness[bench->durability] ? "false" : "true",
		median(values, results->rounds));
	cpu_ns = median(cpu, results->rounds);
	if (!isnan(cpu_ns))
		fprintf(harness->json, ",\"cpu_ns_per_op\":%.6g", cpu_ns);
	if (peer == PEER_BARE && bench->rows[row].control)
		fprintf(harness->json, ",\"control\":\"%s\"",
			bench->rows[row].control);
	fprintf(harness->json, ",\"rounds\":[");
	for (unsigned i = 0; i < results->rounds; i++) {
		if (isnan(values[i]))
			continue;
		fprintf(harness->json, "%s%.6g", separator, values[i]);
		separator = ",";
	}
	fprintf(harness->json, "]}\n");
}

static void print_row(struct harness *harness, const struct results *results,
		      unsigned row)
{
	const struct row *spec = &results->bench->rows[row];
	double cpu_ns[PEERS];
	bool has_cpu = false;

	printf("%-4s%-*s%-9s", results->bench->id, TITLE_COLUMNS, spec->title,
	       spec->unit);
	for (unsigned i = 0; i < PEERS; i++) {
		print_figure(harness, results, i,
			     middle(results, row, i, &cpu_ns[i]));
		has_cpu |= !isnan(cpu_ns[i]);
		write_figures(harness, results, row, i);
	}
	print_verdicts(harness, results, row);
	if (!has_cpu)
		return;
	printf("%-4s%-*s%-9s", "", TITLE_COLUMNS, "  CPU", "ns/op");
	for (unsigned i = 0; i < PEERS; i++)
		print_figure(harness, results, i, cpu_ns[i]);
	printf("\n");
}

void report_results(struct harness *harness, const struct results *results)
{
	const struct bench *bench = results->bench;

	print_header(harness);
	printf("\n%-4s%s; durability %s, %u rounds, %.0f s", bench->id,
	       bench->name, class_names[bench->durability], results->rounds,
	       results->seconds);
	if (bench->rows[0].control)
		printf("; control: %s", bench->rows[0].control);
	printf("\n");
	for (unsigned row = 0; row < ROWS_MAX; row++)
		if (bench->rows[row].title)
			print_row(harness, results, row);
	fflush(stdout);
	fflush(harness->json);
}

void report_footnotes(const struct harness *harness)
{
	const char *last = NULL;

	for (unsigned i = 0; i < PEERS; i++) {
		if (!(harness->weak_peers & PEER_BIT(i)))
			continue;
		for (unsigned j = 0; j < PEER_DURABILITIES; j++) {
			const char *text = peers[i].weakness[j];

			if (text && text != last)
				printf("%s* %s\n", last ? "" : "\n", text);
			last = text ? text : last;
		}
	}
}
