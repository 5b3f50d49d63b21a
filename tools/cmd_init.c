/* aedb init: makes a database. */
#include <errno.h>
#include <stdlib.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"

static int print_result(const char *path)
{
	char *real;
	json_t *line;
	int rc;

	if (!output_is_json())
		return 0;
	real = realpath(path, NULL);
	if (!real)
		return failure_system(errno, "%s", path);
	line = json_object();
	rc = output_json_result(
		json_object_set_new(line, "database", json_of_text(real)));
	free(real);
	if (rc < 0) {
		json_decref(line);
		return rc;
	}
	return output_json_line(line);
}

int cmd_init(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	struct aedb_options open_options;
	struct aedb *db;
	int rc = command_one_argument(argc, argv, options);

	if (rc < 0)
		return rc;
	aedb_options_init(&open_options);
	open_options.mode = AEDB_OPEN_NEW;
	open_options.wal_file_bytes = TARGET_WAL_FILE_BYTES;
	target_apply_key(&open_options);
	rc = aedb_open(argv[optind], &open_options, &db);
	if (rc == AEDB_NOT_FOUND)	/* the directory it should be made in */
		return failure_set(STATUS_FAILED, argv[optind], "%s",
				   aedb_strerror(rc));
	if (rc < 0)
		return failure_engine(rc, "%s", argv[optind]);
	rc = aedb_close(db);
	if (rc < 0)
		return failure_engine(rc, "%s", argv[optind]);
	return print_result(argv[optind]);
}
