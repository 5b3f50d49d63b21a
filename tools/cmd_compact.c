/* aedb compact: gives back the space of what nobody can read any more. */
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"
#include "text.h"
#include "watch.h"

/* Bytes of the files that compaction is about. */
static uint64_t data_bytes(const struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.segment_bytes + stats.value_bytes;
}

static void progress_read(const void *of, uint64_t *ret_done,
			  uint64_t *ret_total)
{
	struct aedb_stats stats;

	aedb_stats(of, &stats);
	*ret_done = stats.compaction_done_bytes;
	*ret_total = stats.compaction_total_bytes;
}

static int compact(struct target *target, uint64_t *ret_before,
		   uint64_t *ret_after)
{
	struct watch watch;
	int rc;

	*ret_before = data_bytes(target->db);
	watch_start(&watch, progress_read, target->db);
	rc = aedb_compact(target->db);
	watch_stop(&watch);
	*ret_after = data_bytes(target->db);
	return rc < 0 ? failure_engine(rc, "%s", target->path) : 0;
}

static int print_result(uint64_t before, uint64_t after)
{
	char sizes[2][TEXT_SIZE_BYTES];

	if (output_is_json())
		return output_json_line(json_pack(
			"{s:I, s:I}", "bytes_before", (json_int_t)before,
			"bytes_after", (json_int_t)after));
	printf("%s before, %s now\n", text_format_size(before, sizes[0]),
	       text_format_size(after, sizes[1]));
	return 0;
}

int cmd_compact(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_OPTIONS };
	uint64_t before = 0, after = 0;
	struct target target;
	int rc = command_next_option(argc, argv, "", options);

	if (rc == 0)
		rc = command_check_arguments(argc, 1, 1);
	if (rc == 0)
		rc = target_check_directory(argv[optind]);
	if (rc == 0)
		rc = target_open(argv[optind], TARGET_MAINTAIN, &target);
	if (rc < 0)
		return rc;
	rc = compact(&target, &before, &after);
	rc = target_close(&target, rc);
	return rc < 0 ? rc : print_result(before, after);
}
