/*
 * Verifying backups: names, sizes, digests, and where logs go on.
 *
 * Every name in a backup's directory must be in its manifest and the reverse.
 */
#include "backup_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "backup_files.h"
#include "backup_names.h"
#include "err.h"
#include "vfs_copy.h"

#define FINDINGS_MAX 10000	/* that are told */

/* One backup that is looked at. */
struct job {
	struct vfs *vfs;	/* of its directory */
	const struct backup_entry *entry;
	struct backup_check *check;
};

__attribute__((format(printf, 3, 4)))
static void finding_add(struct backup_check *check, const char *backup,
			const char *format, ...)
{
	va_list args;

	check->report.findings++;
	if (!check->out || check->report.findings > FINDINGS_MAX + 1)
		return;
	if (check->report.findings > FINDINGS_MAX) {
		fprintf(check->out, "%s: more is found, which is only counted\n",
			backup);
		return;
	}
	fprintf(check->out, "%s: ", backup);
	va_start(args, format);
	vfprintf(check->out, format, args);
	va_end(args);
	fputc('\n', check->out);
}

/* A failure of the machine ends the work, one of the backup is a finding. */
static int finding_of(const struct job *job, int rc)
{
	if (rc == 0 || rc == AEDB_NO_MEMORY || rc == AEDB_CANCELED)
		return rc;
	finding_add(job->check, job->entry->name, "%s", err_message());
	return 0;
}

static int name_found(void *arg, int rc)
{
	return finding_of(arg, rc);
}

static int check_tell(void *arg, uint64_t bytes)
{
	struct backup_check *check = arg;
	struct aedb_transfer progress = {
		.phase = "verify",
		.all_bytes = check->all_bytes,
	};

	check->report.bytes += bytes;
	progress.done_bytes = check->report.bytes;
	return check->watch.progress ?
		       check->watch.progress(check->watch.arg, &progress) : 0;
}

/* The first log file goes on exactly where the parent's log was cut. */
static int log_begin_check(const struct job *job, const struct backup_file *file)
{
	const struct backup_entry *parent = job->entry->parent;
	const struct backup_manifest *m = &job->entry->m;
	struct wal_header header;
	struct vfs_file *handle;
	int rc;

	if (file->kind != BACKUP_FILE_LOG || file->number != m->log_first || !parent)
		return 0;
	rc = vfs_file_open(job->vfs, file->path, VFS_READ, &handle);
	if (rc < 0)
		return rc;
	rc = wal_header_read(handle, m->db_uuid, &header);
	vfs_file_close(handle);
	if (rc == 0 && (header.start_lsn != parent->m.log_end.lsn ||
			memcmp(header.prev_digest, parent->m.log_end.digest,
			       WAL_DIGEST_BYTES)))
		rc = err_set(AEDB_CORRUPT,
			     "%s does not go on where the log of %s ends",
			     file->path, parent->name);
	return rc;
}

static int file_size_check(const struct job *job, const struct backup_file *file)
{
	struct vfs_file *handle;
	uint64_t bytes;
	int rc = vfs_file_open(job->vfs, file->path, VFS_READ, &handle);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s is missing", file->path);
	if (rc < 0)
		return rc;
	rc = vfs_file_size(handle, &bytes);
	vfs_file_close(handle);
	if (rc == 0 && bytes != file->bytes)
		return err_set(AEDB_CORRUPT,
			       "%s has %" PRIu64 " bytes, and %" PRIu64 " when it was backed up",
			       file->path, bytes, file->bytes);
	return rc;
}

static int file_check(const struct job *job, const struct backup_file *file)
{
	struct vfs_watch watch = { check_tell, job->check };
	uint8_t sha256[DIGEST_BYTES];
	int rc = file_size_check(job, file);

	if (rc == 0)
		rc = vfs_digest(job->vfs, file->path, file->bytes, &watch, sha256);
	if (rc == 0 && memcmp(sha256, file->sha256, sizeof(sha256)))
		rc = err_set(AEDB_CORRUPT, "%s was changed since it was backed up",
			     file->path);
	job->check->report.files++;
	return rc < 0 ? rc : log_begin_check(job, file);
}

/* Whether the file lies in a directory that is one. */
static bool file_is_within(const bool *is_there, const struct backup_file *file)
{
	for (unsigned i = 1; i < BACKUP_DIRECTORIES; i++)
		if (!strncmp(file->path, backup_directories[i], 3) &&
		    file->path[3] == '/')
			return is_there[i];
	return true;
}

static int files_check(const struct job *job)
{
	const struct backup_manifest *m = &job->entry->m;
	bool is_there[BACKUP_DIRECTORIES];
	int rc = 0;

	for (unsigned i = 0; i < BACKUP_DIRECTORIES && rc == 0; i++)
		rc = finding_of(job, backup_directory_look(job->vfs,
							   backup_directories[i],
							   &is_there[i]));
	for (size_t i = 0; i < m->n_files && rc == 0; i++) {
		const struct backup_file *file = &m->files[i];

		if (*file->stored)
			continue;
		if (file_is_within(is_there, file))
			rc = file_check(job, file);
		else
			rc = err_set(AEDB_CORRUPT, "%s is missing", file->path);
		rc = finding_of(job, rc);
	}
	return rc;
}

static int names_and_files_check(struct job *job)
{
	int rc = backup_names_check(job->vfs, &job->entry->m, name_found, job);

	return rc < 0 ? rc : files_check(job);
}

static int backup_check(struct vfs *dir, struct backup_entry *entry,
			struct backup_check *check)
{
	struct job job = { .entry = entry, .check = check };
	int rc;

	check->report.backups++;
	if (entry->state == AEDB_BACKUP_BROKEN)
		finding_add(check, entry->name, "%s", entry->reason);
	if (!entry->has_manifest)
		return 0;
	rc = vfs_under(dir, entry->name, &job.vfs);
	if (rc < 0)
		return finding_of(&job, rc);
	rc = backup_files_read_one(dir, check->key, entry);
	if (rc < 0)
		rc = finding_of(&job, rc);
	else
		rc = names_and_files_check(&job);
	backup_manifest_drop_lists(&entry->m);
	vfs_close(job.vfs);
	return rc;
}

int backup_verify_chain(struct vfs *dir, struct backup_entry *entry,
			struct backup_check *check)
{
	struct backup_entry **chain;
	size_t n;
	int rc = backup_set_chain(entry, &chain, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		check->all_bytes += chain[i]->stored_bytes;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = backup_check(dir, chain[i], check);
	free(chain);
	return rc;
}

int backup_verify_all(struct vfs *dir, const struct backup_set *set,
		      struct backup_check *check)
{
	int rc = 0;

	for (size_t i = 0; i < set->n; i++)
		check->all_bytes += set->at[i].stored_bytes;
	for (size_t i = 0; i < set->n && rc == 0; i++)
		if (set->at[i].state != AEDB_BACKUP_UNFINISHED)
			rc = backup_check(dir, &set->at[i], check);
	return rc;
}

/* Of a backup whose parent is missing: what could be it, for what it is cannot be
 * read. */
static int lost_check(struct vfs *dir, const struct backup_set *set,
		      const struct backup_entry *entry, struct backup_check *check)
{
	int rc = 0;

	while (entry->parent)
		entry = entry->parent;
	if (!entry->has_manifest || !*entry->m.parent)
		return 0;
	for (size_t i = 0; i < set->n && rc == 0; i++)
		if (!set->at[i].has_manifest &&
		    set->at[i].state == AEDB_BACKUP_BROKEN)
			rc = backup_check(dir, &set->at[i], check);
	return rc;
}

static int verify_in(struct vfs *dir, const char *directory, const char *name,
		     const struct aedb_backup_verify_options *options,
		     struct aedb_backup_report *ret)
{
	struct backup_check check = { .out = options->out,
				      .key = &options->key,
				      .watch = options->watch };
	struct backup_entry *entry;
	struct backup_set set;
	int rc = backup_set_load(dir, &options->key, &set);

	if (rc < 0)
		return rc;
	entry = name ? backup_set_find(&set, name) : NULL;
	if (entry) {
		rc = backup_verify_chain(dir, entry, &check);
		if (rc == 0)
			rc = lost_check(dir, &set, entry, &check);
	} else if (name) {
		rc = err_set(AEDB_NOT_FOUND, "%s: there is no backup %s", directory,
			     name);
	} else {
		rc = backup_verify_all(dir, &set, &check);
	}
	backup_set_release(&set);
	if (rc == 0)
		*ret = check.report;
	return rc;
}

int aedb_backup_verify(const char *directory, const char *name,
		       const struct aedb_backup_verify_options *options,
		       struct aedb_backup_report *ret)
{
	struct vfs *dir;
	int rc = vfs_posix_open(directory, &dir);

	if (rc < 0)
		return rc;
	rc = verify_in(dir, directory, name, options, ret);
	vfs_close(dir);
	return rc;
}
