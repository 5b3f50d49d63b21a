/* aedb checkpoint: moves what the log holds into segments. */
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "mount_control.h"
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

static int checkpoint_mounted(const char *path, aedb_seq_t *ret)
{
	struct mount_control control;
	unsigned long long seq = 0;
	char answer[64];
	int rc = mount_control_open(path, &control);

	if (rc < 0)
		return rc;
	rc = mount_control_run(&control, "checkpoint");
	if (rc == 0)
		rc = mount_control_answer(&control, answer, sizeof(answer));
	mount_control_close(&control);
	if (rc == 0 && sscanf(answer, "checkpoint %llu", &seq) != 1)
		rc = failure_set(STATUS_FAILED, path, "answered \"%s\"", answer);
	*ret = seq;
	return rc;
}

static int checkpoint_closed(const char *path, aedb_seq_t *ret)
{
	struct target target;
	int rc = target_open(path, TARGET_MAINTAIN, &target);

	if (rc < 0)
		return rc;
	rc = aedb_checkpoint(target.db, ret);
	if (rc < 0)
		failure_engine(rc, "%s", path);
	return target_close(&target, rc);
}

int cmd_checkpoint(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	aedb_seq_t seq;
	int rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = target_is_mounted(argv[optind]);
	if (rc >= 0)
		rc = rc ? checkpoint_mounted(argv[optind], &seq) :
			  checkpoint_closed(argv[optind], &seq);
	return rc < 0 ? rc : print_result(seq);
}
