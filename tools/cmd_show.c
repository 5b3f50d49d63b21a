/* aedb show: a file of a database as text. */
#include "command.h"
#include "failure.h"
#include "output.h"

int cmd_show(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	int rc = command_one_argument(argc, argv, options);

	if (rc < 0)
		return rc;
	if (output_is_json())
		return failure_usage("it prints text; there is no --json");
	rc = aedb_show(argv[optind], stdout);
	if (output_check() < 0)
		return AEDB_IO;
	return rc < 0 ? failure_engine(rc, "%s", argv[optind]) : 0;
}
