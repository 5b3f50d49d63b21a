/* aedb load: makes of a dump what it is of. */
#include "command.h"
#include "failure.h"
#include "load_database.h"
#include "output.h"

static int print_result(const struct load_result *result)
{
	if (!output_is_json())
		return 0;
	return output_json_line(json_pack(
		"{s:I, s:I, s:I, s:I, s:I}", "keys", (json_int_t)result->keys,
		"rows", (json_int_t)result->rows,
		"scopes", (json_int_t)result->scopes, "commits",
		(json_int_t)result->commits, "version",
		(json_int_t)result->seq));
}

/* Everything is read and checked before the database is opened. */
static int load(const char *path, const struct load_options *how,
		struct load_input *input)
{
	struct load_places places;
	struct load_result result;
	int rc = load_places_read(input, &places);

	if (rc < 0)
		return rc;
	load_input_rewind(input);
	rc = load_database(path, how, input, &places, &result);
	load_places_release(&places);
	return rc < 0 ? rc : print_result(&result);
}

int cmd_load(int argc, char **argv)
{
	static const struct option options[] = {
		{ "replace", no_argument, NULL, 'r' },
		{ "merge", no_argument, NULL, 'm' },
		{ "no-grants", no_argument, NULL, 'g' },
		COMMAND_DATABASE_OPTIONS
	};
	struct load_options how = { .how = LOAD_NEW };
	struct load_input input;
	int rc, count;

	while ((rc = command_next_option(argc, argv, "", options)) > 0) {
		if (rc == 'g') {
			how.has_no_grants = true;
			continue;
		}
		if (how.how != LOAD_NEW)
			return failure_usage("one of --replace and --merge only, "
					     "and once");
		how.how = rc == 'r' ? LOAD_REPLACE : LOAD_MERGE;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, 1, 2);
	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_check_directory(argv[0]);
	if (rc == 0)
		rc = load_input_open(count > 1 ? argv[1] : "-", argv[0], &input);
	if (rc < 0)
		return rc;
	rc = load(argv[0], &how, &input);
	load_input_release(&input);
	return rc;
}
