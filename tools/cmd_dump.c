/* aedb dump: a database, or parts of it, as lines of JSON. */
#include <stdlib.h>

#include "command.h"
#include "dump_source.h"
#include "failure.h"
#include "output.h"

/* What was dumped, where that did not go to standard output. */
static int print_result(const struct dump_output *output)
{
	if (!output->path || !output_is_json())
		return 0;
	return output_json_line(json_pack(
		"{s:I, s:I, s:I, s:I}",
		"keys", (json_int_t)output->sum.keys,
		"rows", (json_int_t)output->sum.rows,
		"lines", (json_int_t)output->sum.lines,
		"bytes", (json_int_t)output->bytes));
}

static int dump(const char *path, const char *file,
		const struct dump_source *source)
{
	struct dump_output output;
	int is_mounted = target_is_mounted(path);
	int rc = is_mounted < 0 ? is_mounted : dump_output_open(file, &output);

	if (rc < 0)
		return rc;
	if (is_mounted)
		rc = dump_mount(path, source, &output);
	else
		rc = dump_database(path, source, &output);
	if (rc == 0)
		rc = dump_output_finish(&output);
	if (rc == 0)
		rc = print_result(&output);
	dump_output_release(&output);
	return rc;
}

static int parse_places(char **args, int count, struct dump_source *source)
{
	struct target_place *places = calloc((size_t)count + 1, sizeof(*places));
	int rc = 0;

	if (!places)
		return failure_set(STATUS_FAILED, "dump", "not enough memory");
	for (int i = 0; i < count && rc == 0; i++)
		rc = target_parse_place(args[i], &places[i]);
	source->places = places;
	source->n_places = (size_t)count;
	return rc;
}

int cmd_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "snapshot", required_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' },
		{ "comparable", no_argument, NULL, 'c' },
		{ "no-tables", no_argument, NULL, 't' },
		{ "no-grants", no_argument, NULL, 'g' },
		{ "permissive", no_argument, NULL, 'P' },
		COMMAND_DATABASE_OPTIONS
	};
	struct dump_source source = { .access = TARGET_READ };
	const char *file = NULL;
	int rc, count;

	while ((rc = command_next_option(argc, argv, "o:", options)) > 0) {
		if (rc == 's')
			source.snapshot = optarg;
		else if (rc == 'o')
			file = optarg;
		else if (rc == 'c')
			source.is_comparable = true;
		else if (rc == 't')
			source.has_no_tables = true;
		else if (rc == 'g')
			source.has_no_grants = true;
		else
			source.access = TARGET_READ_DAMAGED;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, 1, argc);
	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = parse_places(argv + 1, count - 1, &source);
	if (rc == 0)
		rc = dump(argv[0], file, &source);
	free((void *)source.places);
	return rc;
}
