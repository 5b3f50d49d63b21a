/* aedb get: prints one value, of any size. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"
#include "value.h"

static int print_value(struct value *value, const struct target_key *key,
		       const struct aedb_entry *entry)
{
	json_t *line;
	int rc;

	if (!output_is_json())
		return value_write_raw(value);
	line = json_object();
	rc = output_json_add_bytes(line, "key", key->bytes, key->n);
	if (rc == 0)
		rc = output_json_add_entry(line, entry);
	if (rc < 0) {
		json_decref(line);
		return rc;
	}
	return value_write_json(value, line);
}

static int get_from_scope(struct target *target, const struct target_key *key)
{
	struct aedb_reader *reader;
	struct value value;
	int rc = aedb_reader_open(target->scope, NULL, key->bytes, key->n,
				  &reader);

	if (rc < 0)
		return target_failure(target, key, rc);
	value_init_reader(&value, reader, target->what);
	rc = print_value(&value, key, aedb_reader_entry(reader));
	value_release(&value);
	return rc;
}

static int get_from_database(char **args, bool is_hex,
			     enum target_access access)
{
	struct target_place place;
	struct target_key key;
	struct target target;
	int rc = target_parse_scope(args[1], &place);

	if (rc == 0)
		rc = target_parse_key(args[2], is_hex, &key);
	if (rc == 0)
		rc = target_open(args[0], access, &target);
	if (rc < 0)
		return rc;
	rc = target_open_scope(&target, &place);
	if (rc == 0)
		rc = get_from_scope(&target, &key);
	return target_close(&target, rc);
}

static int get_from_mount(const char *path)
{
	struct value value;
	json_t *line;
	int rc = value_init_file(&value, AT_FDCWD, path, path);

	if (rc < 0)
		return rc;
	if (!output_is_json()) {
		rc = value_write_raw(&value);
		value_release(&value);
		return rc;
	}
	line = json_pack("{s:I}", "value_bytes", (json_int_t)value.bytes);
	rc = output_json_add_bytes(line, "path", path, strlen(path));
	if (rc == 0)
		rc = value_write_json(&value, line);
	else
		json_decref(line);
	value_release(&value);
	return rc;
}

int cmd_get(int argc, char **argv)
{
	static const struct option options[] = {
		{ "hex", no_argument, NULL, 'x' },
		{ "permissive", no_argument, NULL, 'P' },
		COMMAND_DATABASE_OPTIONS
	};
	enum target_access access = TARGET_READ;
	bool is_hex = false;
	int rc, count;

	while ((rc = command_next_option(argc, argv, "x", options)) > 0) {
		if (rc == 'x')
			is_hex = true;
		else
			access = TARGET_READ_DAMAGED;
	}
	if (rc == 0)
		rc = command_check_arguments(argc, 1, 3);
	if (rc < 0)
		return rc;
	count = argc - optind;
	rc = target_is_mounted(argv[optind]);
	if (rc < 0)
		return rc;
	if (rc > 0 && count > 1)
		return failure_usage("%s is in a mount: no argument may follow",
				     argv[optind]);
	if (rc > 0)
		return get_from_mount(argv[optind]);
	if (count < 3)
		return target_needs_more(argv[optind],
					 "DB PROJECT/SCOPE KEY");
	return get_from_database(argv + optind, is_hex, access);
}
