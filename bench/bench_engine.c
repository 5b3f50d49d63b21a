/*
 * The benchmarks of the engine: bench_engine DIR JSON [TEXT].
 *
 * Databases are made and removed in DIR, JSON lines are added to the file
 * JSON. TEXT chooses: a number is a benchmark's, anything else a part of its
 * name. With GATES=1 in the environment a failed gate is a failure; with BIG=1
 * the benchmarks of 10 M keys are run instead of the others; STORES names those
 * that are measured, with commas between, as the table's columns do.
 * Exit status: 0; 1 something did not work; 2 a gate failed.
 */
#include "workloads.h"

#include <stdlib.h>
#include <string.h>

static const struct bench *const tables[] = {
	workload_reads, workload_commits, workload_threads, workload_entries,
	workload_pages, workload_values, workload_archive, workload_backup,
	workload_copies, workload_tables, workload_stored_1m,
};

static bool is_chosen(const struct bench *bench, const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits > 0 && text[digits] == '\0')
		return strcmp(bench->id, text) == 0;
	return strstr(bench->name, text) != NULL;
}

static int run_table(struct harness *harness, const struct bench *table,
		     const char *text)
{
	for (const struct bench *b = table; b->id; b++)
		if (is_chosen(b, text) && harness_run(harness, b) < 0)
			return -1;
	return 0;
}

static int run_tables(struct harness *harness, const char *text)
{
	const char *is_big = getenv("BIG");
	int rc = 0;

	if (is_big && strcmp(is_big, "1") == 0)
		return run_table(harness, workload_stored_10m, text);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && rc == 0;
	     i++)
		rc = run_table(harness, tables[i], text);
	return rc;
}

static bool is_named(const char *names, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = names; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strcspn(at, ",") == bytes && strncmp(at, name, bytes) == 0)
			return true;
	}
	return false;
}

/* Bits of the stores that STORES, if it is there, does not name. */
static unsigned stores_left_out(void)
{
	const char *names = getenv("STORES");
	unsigned ret = 0;

	for (unsigned i = 0; i < PEERS && names && *names; i++)
		if (!is_named(names, peers[i].name))
			ret |= PEER_BIT(i);
	return ret;
}

int main(int argc, char **argv)
{
	const char *gates = getenv("GATES");
	struct harness harness = {
		.dir = argv[1], .left_out = stores_left_out(),
	};
	int rc;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: bench_engine DIR JSON [TEXT]\n");
		return 1;
	}
	harness.json = fopen(argv[2], "a");
	if (!harness.json) {
		perror(argv[2]);
		return 1;
	}
	rc = run_tables(&harness, argc > 3 ? argv[3] : "");
	harness_finish(&harness);
	if (fclose(harness.json) != 0) {
		perror(argv[2]);
		rc = -1;
	}
	if (rc < 0)
		return 1;
	if (harness.gate_failed && gates && strcmp(gates, "1") == 0) {
		fprintf(stderr, "bench: a gate failed\n");
		return 2;
	}
	return 0;
}
