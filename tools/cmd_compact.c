/* aedb compact: gives back the space of what nobody can read any more. */
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "mount_control.h"
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

struct sizes {
	uint64_t before, after;		/* bytes */
};

static int compact_closed(const char *path, struct sizes *ret)
{
	struct target target;
	struct watch watch;
	int rc = target_open(path, TARGET_MAINTAIN, &target);

	if (rc < 0)
		return rc;
	ret->before = data_bytes(target.db);
	watch_start(&watch, progress_read, target.db);
	rc = aedb_compact(target.db);
	watch_stop(&watch);
	ret->after = data_bytes(target.db);
	if (rc < 0)
		failure_engine(rc, "%s", path);
	return target_close(&target, rc);
}

static void metrics_read(const void *of, uint64_t *ret_done,
			 uint64_t *ret_total)
{
	*ret_total = mount_control_metric(of, "aedb_compaction_total_bytes");
	*ret_done = mount_control_metric(of, "aedb_compaction_done_bytes");
}

static int compact_mounted(const char *path, struct sizes *ret)
{
	unsigned long long before = 0, after = 0;
	struct mount_control control;
	struct watch watch;
	char answer[128];
	int rc = mount_control_open(path, &control);

	if (rc < 0)
		return rc;
	watch_start(&watch, metrics_read, &control);
	rc = mount_control_run(&control, "compact");
	watch_stop(&watch);
	if (rc == 0)
		rc = mount_control_answer(&control, answer, sizeof(answer));
	mount_control_close(&control);
	if (rc == 0 && sscanf(answer, "%llu bytes before, %llu now", &before,
			      &after) != 2)
		rc = failure_set(STATUS_FAILED, path, "answered \"%s\"", answer);
	*ret = (struct sizes){ before, after };
	return rc;
}

static int print_result(const struct sizes *sizes)
{
	char texts[2][TEXT_SIZE_BYTES];

	if (output_is_json())
		return output_json_line(json_pack(
			"{s:I, s:I}", "bytes_before", (json_int_t)sizes->before,
			"bytes_after", (json_int_t)sizes->after));
	printf("%s before, %s now\n", text_format_size(sizes->before, texts[0]),
	       text_format_size(sizes->after, texts[1]));
	return 0;
}

int cmd_compact(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	struct sizes sizes;
	int rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = target_is_mounted(argv[optind]);
	if (rc >= 0)
		rc = rc ? compact_mounted(argv[optind], &sizes) :
			  compact_closed(argv[optind], &sizes);
	return rc < 0 ? rc : print_result(&sizes);
}
