/*
 * aedb backup full, aedb backup incremental: of a closed database, or by the
 * daemon of a mounted one; and archives of what was made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "backup_mount.h"
#include "failure.h"
#include "output.h"
#include "target.h"
#include "text.h"

int backup_failure(int rc, const char *path)
{
	failure_engine(rc, "%s", path);
	if (rc == AEDB_NOT_FOUND)
		failure_explain(aedb_error_message());
	return rc;
}

static const char *name_of(const struct backup_work *work)
{
	return work->n_names ? work->names[0] : NULL;
}

static int make_of(struct target *target, const struct backup_work *work,
		   enum aedb_backup_kind kind, struct aedb_backup_info *ret)
{
	struct progress progress;
	struct aedb_backup_options options = {
		.kind = kind,
		.name = name_of(work),
		.is_dry_run = work->is_dry_run,
		.watch = backup_watch(&progress),
	};
	int rc = aedb_backup(target->db, work->directory, &options, ret);

	progress_release(&progress);
	return rc < 0 ? backup_failure(rc, work->directory) : 0;
}

static int make_closed(const struct backup_work *work, enum aedb_backup_kind kind,
		       struct aedb_backup_info *ret)
{
	struct target target;
	int rc = target_open(work->database, TARGET_MAINTAIN, &target);

	if (rc < 0)
		return rc;
	return target_close(&target, make_of(&target, work, kind, ret));
}

static int pack(const struct backup_work *work, const char *name)
{
	char *path;
	int rc;

	if (asprintf(&path, "%s/%s", work->directory, name) < 0)
		return failure_system(ENOMEM, "%s", work->directory);
	rc = backup_pack(path, work->archive);
	free(path);
	return rc;
}

/* Of a backup that was made for its archive only. If another one goes on from it
 * meanwhile it stays. */
static int drop(const struct backup_work *work, const char *name)
{
	char *directory = work->directory;
	int rc = work->is_mount ?
			 backup_mount_directory(work->database, &directory) : 0;

	if (rc < 0)
		return rc;
	rc = aedb_backup_remove(directory, name);
	if (rc < 0 && rc != AEDB_NOT_EMPTY)
		failure_engine(rc, "%s: backup %s", directory, name);
	if (directory != work->directory)
		free(directory);
	return rc == AEDB_NOT_EMPTY ? 0 : rc;
}

/* A later incremental backup needs its parent. */
static bool is_kept(const struct backup_work *work, enum aedb_backup_kind kind)
{
	return work->is_kept || kind == AEDB_BACKUP_INCREMENTAL;
}

static int archive(const struct backup_work *work,
		   const struct aedb_backup_info *info)
{
	struct failure failure;
	int rc = pack(work, info->name);

	if (is_kept(work, info->kind))
		return rc;
	if (rc == 0)
		return drop(work, info->name);
	failure_save(&failure);
	drop(work, info->name);
	failure_restore(&failure);
	return rc;
}

static bool is_told(const struct backup_work *work, enum aedb_backup_kind kind)
{
	return !work->archive ||
	       (is_kept(work, kind) && strcmp(work->archive, "-") != 0);
}

static int print_dry_run(const struct aedb_backup_info *info)
{
	char size[TEXT_SIZE_BYTES];

	if (output_is_json())
		return output_json_line(json_pack(
			"{s:s, s:b, s:s, s:s, s:I, s:I, s:I}", "backup", info->name,
			"dry_run", 1, "kind", backup_kind(info), "form",
			backup_form(info), "from_seq", (json_int_t)info->from_seq,
			"head_seq", (json_int_t)info->head_seq, "stored_bytes",
			(json_int_t)info->stored_bytes));
	printf("%s would be made up to number %llu, with %s to store\n",
	       info->name, (unsigned long long)info->head_seq,
	       text_format_size(info->stored_bytes, size));
	return output_check();
}

static int make_one(const struct backup_work *work, enum aedb_backup_kind kind,
		    struct aedb_backup_info *ret)
{
	if (!work->is_mount)
		return make_closed(work, kind, ret);
	return work->is_dry_run ?
		       backup_mount_estimate(work->database, kind, name_of(work),
					     ret) :
		       backup_mount_make(work->database, kind, name_of(work), ret);
}

static int make(const struct backup_work *work, enum aedb_backup_kind kind)
{
	struct aedb_backup_info info;
	int rc = work->archive ? backup_check_archive(work->archive) : 0;

	if (rc == 0)
		rc = make_one(work, kind, &info);
	if (rc == 0 && work->is_dry_run)
		return print_dry_run(&info);
	if (rc == 0 && is_told(work, kind))
		rc = backup_print(&info);
	if (rc == 0 && work->archive)
		rc = archive(work, &info);
	return rc;
}

int backup_full(const struct backup_work *work)
{
	return make(work, AEDB_BACKUP_FULL);
}

int backup_incremental(const struct backup_work *work)
{
	return make(work, AEDB_BACKUP_INCREMENTAL);
}
