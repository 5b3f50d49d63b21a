/* The commands that make and verify backups. */
#include "control_backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int note_progress(void *arg, const struct aedb_transfer *progress)
{
	struct control_backup_job *job = arg;
	char text[CONTROL_PROGRESS_BYTES];
	unsigned percent = 0;

	if (progress->all_bytes)
		percent = (unsigned)(progress->done_bytes * 100 /
				     progress->all_bytes);
	snprintf(text, sizeof(text), "%s %u %%", progress->phase, percent);
	return !control_records_report(job->records, job->number, text) ||
	       atomic_load(job->is_ending);
}

static struct aedb_backup_watch watch_of(struct control_backup_job *job)
{
	return (struct aedb_backup_watch){ .progress = note_progress,
					   .arg = job };
}

static int fail(struct control_backup_job *job, int rc)
{
	snprintf(job->words, sizeof(job->words), "%s", aedb_error_message());
	return rc;
}

static int run(struct control_backup_job *job,
	       const struct control_command *command, bool is_dry_run,
	       struct aedb_backup_info *ret)
{
	bool is_full = command->verb == VERB_BACKUP_FULL ||
		       command->verb == VERB_ESTIMATE_FULL;
	const struct aedb_backup_options options = {
		.kind = is_full ? AEDB_BACKUP_FULL : AEDB_BACKUP_INCREMENTAL,
		.name = *command->name ? command->name : NULL,
		.is_dry_run = is_dry_run,
		.watch = watch_of(job),
	};
	int rc = aedb_backup(job->db, job->directory, &options, ret);

	return rc < 0 ? fail(job, rc) : 0;
}

static int estimate(struct control_backup_job *job,
		    const struct control_command *command)
{
	struct aedb_backup_info info;
	int rc = run(job, command, true, &info);

	if (rc < 0)
		return rc;
	snprintf(job->words, sizeof(job->words),
		 "%s: %s, from commit %llu to commit %llu, %llu bytes", info.name,
		 info.form == AEDB_BACKUP_LOG ? "log" : "files",
		 (unsigned long long)info.from_seq,
		 (unsigned long long)info.head_seq,
		 (unsigned long long)info.stored_bytes);
	return 0;
}

static int make(struct control_backup_job *job,
		const struct control_command *command)
{
	struct aedb_backup_info info;
	int rc = run(job, command, false, &info);

	if (rc < 0)
		return rc;
	snprintf(job->words, sizeof(job->words),
		 "%s: to commit %llu, %llu bytes", info.name,
		 (unsigned long long)info.head_seq,
		 (unsigned long long)info.stored_bytes);
	return 0;
}

/* The first finding stands in `.status`, all of them are the answer. */
static int tell_findings(struct control_backup_job *job, uint64_t findings)
{
	int n = (int)strcspn(job->lines, "\n");

	snprintf(job->words, sizeof(job->words), "%.*s%s", n, job->lines,
		 findings > 1 ? ", and more" : "");
	return AEDB_CORRUPT;
}

static int verify(struct control_backup_job *job, const char *name)
{
	struct aedb_backup_verify_options options = {
		.key = job->key,
		.watch = watch_of(job),
	};
	struct aedb_backup_report report;
	size_t n;
	int rc;

	options.out = open_memstream(&job->lines, &n);
	if (!options.out)
		return AEDB_NO_MEMORY;
	rc = aedb_backup_verify(job->directory, name, &options, &report);
	if (fclose(options.out) != 0 && rc == 0)
		rc = AEDB_NO_MEMORY;
	if (rc < 0)
		return fail(job, rc);
	if (report.findings)
		return tell_findings(job, report.findings);
	snprintf(job->words, sizeof(job->words),
		 "%s: %llu files, %llu bytes, nothing is wrong", name,
		 (unsigned long long)report.files,
		 (unsigned long long)report.bytes);
	return 0;
}

int control_backup(struct control_backup_job *job,
		   const struct control_command *command)
{
	switch (command->verb) {
	case VERB_BACKUP_VERIFY:
		return verify(job, command->name);
	case VERB_ESTIMATE_FULL:
	case VERB_ESTIMATE_INCREMENTAL:
		return estimate(job, command);
	default:
		return make(job, command);
	}
}
