/*
 * Verifying: first the manifest, which says what counts; then segments with
 * their values, what they say together, the log with its values. If all of that
 * is good, recovery is tried, for what executing the log's commits would find, and
 * tables are looked at in what comes of it; and if that is, too, it is safe to say
 * which files nothing refers to.
 *
 * Invariants:
 * 1. LOCK is held, shared, from before anything is read until the end.
 * 2. Nothing is written.
 */
#include "verify.h"

#include <string.h>

#include "db.h"
#include "err.h"
#include "verify_counts.h"
#include "verify_files.h"
#include "verify_log.h"
#include "verify_segments.h"
#include "verify_tables.h"

#define LOCK_NAME "LOCK"

/* What is open while a database is being verified. */
struct verify {
	struct verify_job job;
	const struct aedb_options *options;
	const char *name;
	struct vfs *trial;		/* owned, as are: NULL: it was used */
	struct vfs_file *lock_file;
	struct manifest *manifest;
	struct file_set *segments;
	struct values *values;
	struct verify_values *checker;
	char manifest_name[MANIFEST_FILE_BYTES];
};

static int lock_take(struct verify *v)
{
	struct vfs *vfs = v->job.vfs;
	int rc = vfs_file_open(vfs, LOCK_NAME, VFS_READ, &v->lock_file);

	if (rc == AEDB_NOT_FOUND) {
		verify_note(v->job.findings, LOCK_NAME,
			    "missing; the next one who opens makes it");
		return 0;
	}
	return rc < 0 ? rc : vfs->ops->lock(v->lock_file, true);
}

/* 1: its state is known, 0: damage, which is all that can be said then. */
static int manifest_load(struct verify *v)
{
	struct manifest_key key = { v->options->hmac_key,
				    v->options->hmac_key_bytes };
	int rc = manifest_open(v->job.vfs, key, &v->manifest);

	if (rc == AEDB_CORRUPT || rc == AEDB_IO)
		return verify_find_error(v->job.findings, MANIFEST_CURRENT, rc);
	if (rc < 0)
		return rc;
	v->job.state = manifest_state(v->manifest);
	v->job.manifest = manifest_file(v->manifest, v->manifest_name);
	v->job.findings->report.files += 2;	/* CURRENT, and what it names */
	return 1;
}

static int files_open(struct verify *v)
{
	const struct manifest_state *state = v->job.state;
	struct file_set_options options = {
		.kind = FILE_SEGMENT,
		.directory = "seg",
		.suffix = "seg",
		.db_uuid = state->db_uuid,
		.is_read_only = true,
	};
	int rc = file_set_open(v->job.vfs, &options, &v->segments);

	if (rc == 0)
		rc = values_open_read_only(v->job.vfs, state->db_uuid,
					   &v->values);
	if (rc == 0)
		rc = verify_values_open(v->job.findings, v->values,
					v->options->memory_bytes / 8,
					&v->checker);
	v->job.segments = v->segments;
	v->job.value_files = v->values;
	v->job.values = v->checker;
	return rc;
}

/* Opens the database for reading, which executes the log. */
static int recovery_try(struct verify *v)
{
	struct aedb_options options = *v->options;
	struct vfs *vfs = v->trial;
	struct aedb *db;
	int rc;

	v->trial = NULL;
	options.mode = AEDB_OPEN_READ_ONLY;
	options.recovery = AEDB_STRICT;
	options.is_secure = false;
	rc = db_open(vfs, v->name, &options, &db);
	if (rc == 0) {
		int closed;

		rc = verify_tables(db, v->job.findings);
		closed = aedb_close(db);
		return rc < 0 ? rc : closed;
	}
	return rc == AEDB_CORRUPT || rc == AEDB_IO ?
		       verify_find_error(v->job.findings, WAL_DIRECTORY, rc) :
		       rc;
}

static bool is_good(const struct verify *v)
{
	return v->job.findings->report.findings == 0;
}

static int parts_check(struct verify *v, struct verify_log *log)
{
	const struct verify_job *job = &v->job;
	int rc;

	verify_expect(job->findings, verify_segments_bytes(job->state) +
				     verify_counts_bytes(job->state) +
				     verify_log_bytes(log));
	rc = verify_segments(job);
	if (rc == 0 && is_good(v))
		rc = verify_counts(job);
	if (rc == 0)
		rc = verify_log_check(log);
	if (rc == 0 && is_good(v) && v->lock_file)
		rc = recovery_try(v);
	/* what is damaged might refer to anything */
	if (rc == 0 && is_good(v))
		rc = verify_files(job, log);
	return rc;
}

static int all_check(struct verify *v)
{
	struct verify_log log;
	int rc = manifest_load(v);

	if (rc <= 0)
		return rc;
	rc = files_open(v);
	if (rc == 0)
		rc = verify_log_open(&v->job, &log);
	if (rc < 0)
		return rc;
	rc = parts_check(v, &log);
	verify_log_close(&log);
	return rc;
}

static void verify_release(struct verify *v)
{
	verify_values_close(v->checker);
	values_close(v->values);
	file_set_close(v->segments);
	manifest_close(v->manifest);
	vfs_file_close(v->lock_file);
	if (v->trial)
		vfs_close(v->trial);
}

/* A directory without a manifest is no database. */
static int database_find(struct vfs *vfs, const char *name)
{
	struct vfs_file *current;
	int rc = vfs_file_open(vfs, MANIFEST_CURRENT, VFS_READ, &current);

	if (rc == 0)
		vfs_file_close(current);
	return rc == AEDB_NOT_FOUND ?
		       err_set(AEDB_NOT_FOUND, "%s: no database there", name) :
		       rc;
}

int verify_database(struct vfs *vfs, struct vfs *trial, const char *name,
		    const struct aedb_options *options,
		    struct verify_findings *findings)
{
	struct verify v = {
		.job = { .vfs = vfs, .findings = findings },
		.options = options,
		.name = name,
		.trial = trial,
	};
	int rc = database_find(vfs, name);

	if (rc == 0)
		rc = lock_take(&v);
	if (rc == 0)
		rc = all_check(&v);
	verify_release(&v);
	return rc;
}

int aedb_verify(const char *directory, const struct aedb_options *options,
		FILE *out, struct aedb_progress *progress,
		struct aedb_verify_report *ret)
{
	struct verify_findings findings = { .out = out, .progress = progress };
	struct vfs *vfs, *trial;
	int rc = vfs_posix_open(directory, &vfs);

	if (rc < 0)
		return rc;
	rc = vfs_posix_open(directory, &trial);
	if (rc == 0)
		rc = verify_database(vfs, trial, directory, options, &findings);
	vfs_close(vfs);
	if (rc == 0)
		*ret = findings.report;
	return rc;
}
