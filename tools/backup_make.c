/*
 * aedb backup full, aedb backup incremental: of a closed database.
 */
#include <stdio.h>

#include "backup.h"
#include "failure.h"
#include "target.h"
#include "text.h"

int backup_failure(int rc, const char *path)
{
	failure_engine(rc, "%s", path);
	if (rc == AEDB_NOT_FOUND)
		failure_explain(aedb_error_message());
	return rc;
}

static int make_of(struct target *target, const struct backup_work *work,
		   enum aedb_backup_kind kind)
{
	struct progress progress;
	struct aedb_backup_options options = {
		.kind = kind,
		.name = work->n_names ? work->names[0] : NULL,
		.watch = backup_watch(&progress),
	};
	struct aedb_backup_info info;
	int rc = aedb_backup(target->db, work->directory, &options, &info);

	progress_release(&progress);
	return rc < 0 ? backup_failure(rc, work->directory) :
			backup_print(&info);
}

static int make(const struct backup_work *work, enum aedb_backup_kind kind)
{
	struct target target;
	int rc = target_is_mounted(work->database);

	if (rc > 0)
		rc = failure_set(STATUS_BUSY, work->database, "is mounted: write "
				 "\"backup\" to its .control");
	if (rc == 0)
		rc = target_open(work->database, TARGET_MAINTAIN, &target);
	if (rc < 0)
		return rc;
	return target_close(&target, make_of(&target, work, kind));
}

int backup_full(const struct backup_work *work)
{
	return make(work, AEDB_BACKUP_FULL);
}

int backup_incremental(const struct backup_work *work)
{
	return make(work, AEDB_BACKUP_INCREMENTAL);
}
