/*
 * aedb table: makes, lists, describes, changes and removes tables, and reads and
 * writes their rows, as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "failure.h"
#include "input.h"
#include "output.h"
#include "schema_json.h"
#include "table_action.h"

#define SCHEMA_BYTES_MAX (16u << 20)	/* of its JSON */

static int print_empty(void)
{
	return output_is_json() ? output_json_line(json_object()) : 0;
}

/* list */

static int print_name(const char *name)
{
	if (output_is_json())
		return output_json_line(json_pack("{s:s}", "table", name));
	puts(name);
	return output_check();
}

static int list(struct table_work *work)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc = table_open_scope(work, TARGET_READ);

	if (rc < 0)
		return rc;
	while ((rc = aedb_table_next(work->target.scope, work->snapshot, name,
				     name)) == 0) {
		rc = print_name(name);
		if (rc < 0)
			return table_close(work, rc);
	}
	if (rc == AEDB_NOT_FOUND)
		rc = 0;
	else
		table_failure(work, rc);
	return table_close(work, rc);
}

/* create, alter: JSON as an argument, of a file, or from standard input. */

static int read_whole(struct input *input, char **ret, size_t *ret_n)
{
	char *text = malloc(SCHEMA_BYTES_MAX);
	size_t n = 0, got = 1;
	int rc = 0;

	if (!text)
		return failure_system(ENOMEM, "%s", input->name);
	while (rc == 0 && got > 0 && n < SCHEMA_BYTES_MAX) {
		rc = input_read(input, text + n, SCHEMA_BYTES_MAX - n, &got);
		if (rc == 0)
			n += got;
	}
	if (rc == 0 && n == SCHEMA_BYTES_MAX)
		rc = failure_set(STATUS_USAGE, input->name,
				 "it is longer than any schema");
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_n = n;
	return 0;
}

/* what: where it comes from, for messages. */
static int read_json(const struct table_work *work, const char **ret_what,
		     json_t **ret)
{
	struct input input;
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (work->n_args && work->options->file)
		return failure_usage("the JSON and --file are too much");
	if (work->n_args) {
		*ret_what = "JSON";
		return table_parse_json("JSON", work->args[0],
					strlen(work->args[0]), ret);
	}
	rc = input_init_file(&input, work->options->file);
	if (rc < 0)
		return rc;
	*ret_what = input.name;
	rc = read_whole(&input, &text, &n);
	input_release(&input);
	if (rc < 0)
		return rc;
	rc = table_parse_json(*ret_what, text, n, ret);
	free(text);
	return rc;
}

static int create_with(struct table_work *work, const char *what,
		       const json_t *json)
{
	struct aedb_schema schema;
	int rc = schema_json_read(what, json, &work->keep, &schema);

	if (rc == 0)
		rc = table_open_scope(work, TARGET_WRITE);
	if (rc < 0)
		return rc;
	rc = aedb_table_create(work->target.scope, work->name, &schema);
	if (rc < 0)
		table_failure(work, rc);
	return table_close(work, rc);
}

static int create(struct table_work *work)
{
	const char *what;
	json_t *json;
	int rc = read_json(work, &what, &json);

	if (rc < 0)
		return rc;
	rc = create_with(work, what, json);
	json_decref(json);
	return rc < 0 ? rc : print_empty();
}

static int alter_with(struct table_work *work, const char *what,
		      const json_t *json)
{
	struct aedb_alter change;
	int rc = table_open(work, TARGET_WRITE);

	if (rc < 0)
		return rc;
	rc = schema_json_read_alter(what, json, work->schema, &work->keep,
				    &change);
	if (rc == 0) {
		rc = aedb_table_alter(work->target.scope, work->name, &change);
		if (rc < 0) {
			table_failure(work, rc);
			failure_explain(aedb_error_message());
		}
	}
	return table_close(work, rc);
}

static int alter(struct table_work *work)
{
	const char *what;
	json_t *json;
	int rc = read_json(work, &what, &json);

	if (rc < 0)
		return rc;
	rc = alter_with(work, what, json);
	json_decref(json);
	return rc < 0 ? rc : print_empty();
}

/* describe */

static int describe(struct table_work *work)
{
	int rc = table_open(work, TARGET_READ);
	json_t *json;

	if (rc < 0)
		return rc;
	json = schema_json_write(work->schema);
	if (output_is_json() || !json) {
		rc = output_json_line(json);
	} else {
		json_dumpf(json, stdout, JSON_INDENT(2));
		json_decref(json);
		putchar('\n');
		rc = output_check();
	}
	return table_close(work, rc);
}

/* drop, rename */

static int drop(struct table_work *work)
{
	int rc = table_open_scope(work, TARGET_WRITE);

	if (rc < 0)
		return rc;
	rc = aedb_table_drop(work->target.scope, work->name);
	if (rc < 0)
		table_failure(work, rc);
	rc = table_close(work, rc);
	return rc < 0 ? rc : print_empty();
}

static int rename_to(struct table_work *work)
{
	int rc = table_open_scope(work, TARGET_WRITE);

	if (rc < 0)
		return rc;
	rc = aedb_table_rename(work->target.scope, work->name, work->args[0]);
	if (rc < 0)
		table_failure(work, rc);
	rc = table_close(work, rc);
	return rc < 0 ? rc : print_empty();
}

/* The command. */

/* Options that not every action has. */
enum used {
	USES_FILE = 1,
	USES_BATCH = 2,
	USES_HOW = 4,
	USES_QUERY = 8,
	USES_SNAPSHOT = 16,
};

static const struct action {
	const char *name;
	int (*run)(struct table_work *work);
	bool is_on_scope;
	int args_min, args_max;	/* behind TABLE */
	unsigned uses;
} actions[] = {
	{ "list", list, true, 0, 0, USES_SNAPSHOT },
	{ "create", create, false, 0, 1, USES_FILE },
	{ "describe", describe, false, 0, 0, USES_SNAPSHOT },
	{ "alter", alter, false, 0, 1, USES_FILE },
	{ "rename", rename_to, false, 1, 1, 0 },
	{ "drop", drop, false, 0, 0, 0 },
	{ "put", table_put, false, 0, 1000000, USES_FILE | USES_BATCH | USES_HOW },
	{ "get", table_get, false, 1, 1000000, USES_SNAPSHOT },
	{ "delete", table_delete, false, 1, 1000000, 0 },
	{ "scan", table_scan, false, 0, 0, USES_QUERY | USES_SNAPSHOT },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static int set_how(struct table_options *options, enum table_put_how how)
{
	if (options->how != TABLE_UPSERT && options->how != how)
		return failure_usage("--insert and --update exclude each other");
	options->how = how;
	return 0;
}

/* Of a command line; uses: what the options that are given are of. */
struct given {
	struct table_options *options;
	unsigned uses;
};

static int set_option(void *arg, int option)
{
	struct given *given = arg;
	struct table_options *ret = given->options;
	unsigned *uses = &given->uses;

	switch (option) {
	case 'f':
		*uses |= USES_FILE;
		ret->file = optarg;
		return 0;
	case 'b':
		*uses |= USES_BATCH;
		return command_parse_count("--batch", optarg, &ret->batch);
	case 'i':
	case 'u':
		*uses |= USES_HOW;
		return set_how(ret, option == 'i' ? TABLE_INSERT : TABLE_UPDATE);
	case 'S':
		*uses |= USES_SNAPSHOT;
		ret->snapshot = optarg;
		return 0;
	}
	*uses |= USES_QUERY;
	switch (option) {
	case 'w':
		ret->where = optarg;
		return 0;
	case 'o':
		ret->order = optarg;
		return 0;
	case 's':
		ret->select = optarg;
		return 0;
	case 'c':
		ret->cursor = optarg;
		return 0;
	case 'n':
		return command_parse_count("--limit", optarg, &ret->limit);
	default:
		ret->explains = true;
		return 0;
	}
}

/* *ret_uses: what the options given are of. */
static int parse_options(int argc, char **argv, struct table_options *ret,
			 unsigned *ret_uses)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "batch", required_argument, NULL, 'b' },
		{ "insert", no_argument, NULL, 'i' },
		{ "update", no_argument, NULL, 'u' },
		{ "where", required_argument, NULL, 'w' },
		{ "order", required_argument, NULL, 'o' },
		{ "select", required_argument, NULL, 's' },
		{ "limit", required_argument, NULL, 'n' },
		{ "cursor", required_argument, NULL, 'c' },
		{ "explain", no_argument, NULL, 'e' },
		{ "snapshot", required_argument, NULL, 'S' },
		COMMAND_DATABASE_OPTIONS
	};
	struct given given = { .options = ret };
	struct command_taker taker = { set_option, &given };
	int rc = command_take_options(argc, argv, "f:", options, &taker);

	*ret_uses = given.uses;
	return rc < 0 ? rc : command_check_arguments(argc, 3, argc);
}

static int find_work(char **args, int count, const struct action *action,
		     struct table_work *work)
{
	int before = action->is_on_scope ? 3 : 4;

	work->path = args[1];
	work->name = action->is_on_scope ? NULL : args[3];
	work->args = args + before;
	work->n_args = count - before;
	return target_parse_scope(args[2], &work->place);
}

int cmd_table(int argc, char **argv)
{
	struct table_options options = { .batch = TABLE_BATCH_ROWS };
	struct table_work work = { .options = &options };
	const struct action *action;
	unsigned uses;
	int rc = parse_options(argc, argv, &options, &uses), before;

	if (rc < 0)
		return rc;
	action = find_action(argv[optind]);
	if (!action)
		return failure_usage("there is no \"aedb table %s\"; see "
				     "'aedb table --help'", argv[optind]);
	if (uses & ~action->uses)
		return failure_usage("\"table %s\" does not have all of these "
				     "options; see 'aedb table --help'",
				     action->name);
	before = action->is_on_scope ? 3 : 4;
	rc = command_check_arguments(argc, before + action->args_min,
				     before + action->args_max);
	if (rc == 0)
		rc = find_work(argv + optind, argc - optind, action, &work);
	if (rc == 0)
		rc = action->run(&work);
	keep_release(&work.keep);
	return rc;
}
