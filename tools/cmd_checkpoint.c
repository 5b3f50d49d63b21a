/* aedb checkpoint: moves what the log holds into segments. */
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"

static int print_result(aedb_seq_t seq)
{
	if (output_is_json())
		return output_json_line(json_pack("{s:I}", "checkpoint_seq",
						  (json_int_t)seq));
	printf("checkpoint %llu\n", (unsigned long long)seq);
	return 0;
}

int cmd_checkpoint(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	struct target target;
	aedb_seq_t seq;
	int rc = command_next_option(argc, argv, "", options);

	if (rc == 0)
		rc = command_check_arguments(argc, 1, 1);
	if (rc == 0)
		rc = target_check_directory(argv[optind]);
	if (rc == 0)
		rc = target_open(argv[optind], TARGET_MAINTAIN, &target);
	if (rc < 0)
		return rc;
	rc = aedb_checkpoint(target.db, &seq);
	if (rc < 0)
		failure_engine(rc, "%s", target.path);
	rc = target_close(&target, rc);
	return rc < 0 ? rc : print_result(seq);
}
