/*
 * aedb put: stores one value, of any size, or makes a project or scope.
 *
 * Into a database all of it is one transaction: project, scope and key are
 * there together or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "failure.h"
#include "input.h"
#include "output.h"
#include "put_file.h"
#include "target.h"

struct put_options {
	const char *file;	/* NULL: VALUE or standard input */
	bool is_hex;
	bool must_be_new;
	bool has_parents;
};

static int print_result(aedb_seq_t version, uint64_t value_bytes)
{
	json_t *line;

	if (!output_is_json())
		return 0;
	line = json_pack("{s:I}", "value_bytes", (json_int_t)value_bytes);
	if (version && json_object_set_new(line, "version",
					   json_integer((json_int_t)version)) < 0) {
		json_decref(line);
		line = NULL;
	}
	return output_json_line(line);
}

/* Is there such a place? 1, 0 or a negative code. */
static int place_exists(struct target *target, struct aedb_place place)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(target->db, NULL, place, &entry);

	if (rc == 0) {
		aedb_unpin(&entry);
		return 1;
	}
	return rc == AEDB_NOT_FOUND ? 0 : failure_engine(rc, "%s", target->path);
}

static int create_place(struct target *target, struct aedb_txn *txn,
			struct aedb_place place)
{
	int rc = aedb_txn_create(txn, place, NULL, 0,
				 place.scope ? &target->scope : NULL);

	return rc < 0 ? failure_engine(rc, "%s: %s%s%s", target->path,
				       place.project, place.scope ? "/" : "",
				       place.scope ? place.scope : "") : 0;
}

/* Adds to the transaction what is missing of the place, project first, and
 * opens its scope. */
static int create_missing(struct target *target, struct aedb_txn *txn,
			  const struct target_place *place)
{
	struct aedb_place project = { place->project, NULL };
	int rc = place_exists(target, project);

	if (rc == 0)
		rc = create_place(target, txn, project);
	if (rc < 0 || !place->has_scope)
		return rc < 0 ? rc : 0;
	rc = place_exists(target, target_place(place));
	if (rc < 0)
		return rc;
	if (rc > 0)
		return target_open_scope(target, place);
	snprintf(target->what, sizeof(target->what), "%.200s: %s/%s",
		 target->path, place->project, place->scope);
	return create_place(target, txn, target_place(place));
}

static int fill_stage(struct target *target, struct aedb_stage *stage,
		      struct input *input)
{
	char *buf = malloc(INPUT_PART_BYTES);
	uint64_t at = 0;
	size_t n;
	int rc;

	if (!buf)
		return failure_system(ENOMEM, "%s", input->name);
	for (;;) {
		rc = input_read(input, buf, INPUT_PART_BYTES, &n);
		if (rc < 0 || n == 0)
			break;
		rc = aedb_stage_write(stage, buf, n, at);
		if (rc < 0) {
			failure_engine(rc, "%s", target->what);
			break;
		}
		at += n;
	}
	free(buf);
	return rc;
}

/* Ends the transaction if it succeeds. */
static int commit_value(struct target *target, struct aedb_txn **txn,
			const struct aedb_put *put)
{
	struct target_key key = { put->key, put->key_bytes };
	uint64_t value_bytes = aedb_stage_bytes(put->stage);
	aedb_seq_t version;
	int rc = aedb_txn_put(*txn, target->scope, put);

	if (rc == 0)
		rc = aedb_txn_commit(*txn, &version);
	if (rc < 0)
		return target_failure(target, &key, rc);
	*txn = NULL;
	return print_result(version, value_bytes);
}

static int put_in_txn(struct target *target, const struct target_place *place,
		      struct aedb_put *put, struct input *input,
		      struct aedb_txn **txn)
{
	int rc = target->scope ? 0 : create_missing(target, *txn, place);

	if (rc < 0)
		return rc;
	rc = aedb_stage_open(target->db, NULL, &put->stage);
	if (rc < 0)
		return failure_engine(rc, "%s", target->what);
	rc = fill_stage(target, put->stage, input);
	if (rc == 0)
		rc = commit_value(target, txn, put);
	aedb_stage_close(put->stage);
	return rc;
}

static int put_key(struct target *target, const struct target_place *place,
		   struct aedb_put *put, struct input *input)
{
	struct aedb_txn *txn;
	int rc = aedb_txn_begin(target->db, &txn);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	rc = put_in_txn(target, place, put, input, &txn);
	if (txn)
		aedb_txn_abort(txn);
	return rc;
}

static int open_input(const struct put_options *options, const char *value,
		      struct input *ret)
{
	if (value && options->file)
		return failure_usage("a VALUE and --file are too much");
	if (!value)
		return input_init_file(ret, options->file);
	input_init_text(ret, value);
	return 0;
}

static int put_into_database(char **args, int count,
			     const struct put_options *options)
{
	struct aedb_put put = { .must_be_new = options->must_be_new };
	struct target_place place;
	struct target_key key;
	struct target target;
	struct input input;
	int rc = target_parse_scope(args[1], &place);

	if (rc == 0)
		rc = target_parse_key(args[2], options->is_hex, &key);
	if (rc == 0)
		rc = open_input(options, count > 3 ? args[3] : NULL, &input);
	if (rc < 0)
		return rc;
	put.key = key.bytes;
	put.key_bytes = key.n;
	rc = target_open(args[0], TARGET_WRITE, &target);
	if (rc == 0) {
		if (!options->has_parents)
			rc = target_open_scope(&target, &place);
		if (rc == 0)
			rc = put_key(&target, &place, &put, &input);
		rc = target_close(&target, rc);
	}
	input_release(&input);
	return rc;
}

static int make_place(struct target *target, const struct target_place *place)
{
	struct aedb_txn *txn;
	aedb_seq_t version = 0;
	int rc = aedb_txn_begin(target->db, &txn);

	if (rc < 0)
		return failure_engine(rc, "%s", target->path);
	rc = create_missing(target, txn, place);
	if (rc == 0) {
		rc = aedb_txn_commit(txn, &version);
		if (rc == 0)
			return 0;
		failure_engine(rc, "%s", target->path);
	}
	aedb_txn_abort(txn);
	return rc;
}

static int put_place(char **args, const struct put_options *options)
{
	struct target_place place;
	struct target target;
	int rc = target_parse_place(args[1], &place);

	if (rc == 0 && (options->file || options->must_be_new))
		rc = failure_usage("a KEY is missing");
	if (rc == 0)
		rc = target_open(args[0], TARGET_WRITE, &target);
	if (rc < 0)
		return rc;
	if (options->has_parents) {
		rc = make_place(&target, &place);
	} else {
		rc = aedb_create(target.db, target_place(&place));
		if (rc == AEDB_NOT_FOUND)
			failure_engine(rc, "%s: project %s", args[0],
				       place.project);
		else if (rc < 0)
			failure_engine(rc, "%s: %s", args[0], args[1]);
	}
	return target_close(&target, rc);
}

static int put_into_mount(char **args, int count,
			  const struct put_options *options)
{
	struct put_file put = {
		.path = args[0],
		.must_be_new = options->must_be_new,
		.has_parents = options->has_parents,
	};
	struct input input;
	uint64_t value_bytes;
	int rc;

	if (count > 2 || options->is_hex)
		return failure_usage("%s is in a mount: PATH [VALUE], and no "
				     "--hex", args[0]);
	rc = open_input(options, count > 1 ? args[1] : NULL, &input);
	if (rc < 0)
		return rc;
	rc = put_file_write(&put, &input, &value_bytes);
	if (rc == 0)
		rc = print_result(0, value_bytes);
	input_release(&input);
	return rc;
}

static int parse_options(int argc, char **argv, struct put_options *ret)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "new", no_argument, NULL, 'n' },
		{ "parents", no_argument, NULL, 'p' },
		{ "hex", no_argument, NULL, 'x' },
		COMMAND_DATABASE_OPTIONS
	};
	int rc;

	while ((rc = command_next_option(argc, argv, "f:npx", options)) > 0) {
		if (rc == 'f')
			ret->file = optarg;
		else if (rc == 'n')
			ret->must_be_new = true;
		else if (rc == 'p')
			ret->has_parents = true;
		else
			ret->is_hex = true;
	}
	return rc < 0 ? rc : command_check_arguments(argc, 1, 4);
}

int cmd_put(int argc, char **argv)
{
	struct put_options options = { 0 };
	int rc = parse_options(argc, argv, &options), count;

	if (rc < 0)
		return rc;
	count = command_arguments(argc, &argv);
	rc = target_is_mounted(argv[0]);
	if (rc < 0)
		return rc;
	if (rc > 0)
		return put_into_mount(argv, count, &options);
	if (count == 1)
		return target_needs_more(argv[0], "DB PROJECT/SCOPE KEY [VALUE]");
	if (count == 2)
		return put_place(argv, &options);
	return put_into_database(argv, count, &options);
}
