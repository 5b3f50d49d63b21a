/*
 * The log, read strictly. What follows the first damage cannot be part of any
 * recovery, and is not read.
 *
 * A commit that was never known durable counts only if its value bytes are
 * whole, as in recovery; where the log ends because of that is no damage.
 */
#include "verify_log.h"

#include <string.h>

#include "annex.h"
#include "err.h"
#include "op.h"

static struct wal_read_options read_options(const struct manifest_state *state)
{
	struct wal_read_options options = {
		.mode = WAL_STRICT,
		.first_number = state->numbers[MANIFEST_WAL_FIRST],
		.newest_number = state->numbers[MANIFEST_WAL_NEWEST],
		.end = manifest_log_is_closed(state) ? &state->wal_end : NULL,
	};

	memcpy(options.db_uuid, state->db_uuid, FILE_UUID_BYTES);
	return options;
}

int verify_log_open(const struct verify_job *job, struct verify_log *ret)
{
	struct verify_log log = { .job = job,
				  .options = read_options(job->state) };
	int rc = wal_scan_open(job->vfs, &log.options, &log.scan);

	log.has_scan = rc == 0;
	rc = verify_find_error(job->findings, WAL_DIRECTORY, rc);
	if (rc == 0)
		*ret = log;
	return rc;
}

void verify_log_close(struct verify_log *log)
{
	if (log->has_scan)
		wal_scan_release(&log->scan);
}

bool verify_log_has_file(const struct verify_log *log, file_id_t number)
{
	if (number < log->options.first_number || !log->has_scan)
		return true;
	for (size_t i = 0; i < log->scan.files_n; i++)
		if (log->scan.files[i].base.number == number)
			return true;
	return false;
}

uint64_t verify_log_bytes(const struct verify_log *log)
{
	uint64_t bytes = 0;

	for (size_t i = 0; log->has_scan && i < log->scan.files_n; i++)
		bytes += log->scan.files[i].file_bytes;
	return bytes;
}

/* Whether the bytes that a put brought into value files are whole: 0, or why
 * not. */
static int extents_check(const struct verify_job *job, const struct op *op)
{
	struct op_extents extents;
	struct value_extent extent;
	int rc = 0;

	if (!(op->flags & OP_IS_REF))
		return 0;
	op_extents_begin(&extents, op);
	while (rc == 0 && op_extents_next(&extents, &extent))
		rc = values_verify_extent(job->value_files, &extent);
	return rc;
}

static int extents_note(const struct verify_job *job, const struct op *op)
{
	struct op_extents extents;
	struct value_extent extent;
	int rc = 0;

	op_extents_begin(&extents, op);
	while (rc >= 0 && op_extents_next(&extents, &extent))
		rc = verify_values_note(job->values, extent.file);
	return rc < 0 ? rc : 0;
}

static int put_check(const struct verify_job *job, const struct op *op)
{
	struct verify_shares shares = { .n = 0 };
	struct value_ref ref;
	int rc;

	if (!(op->flags & OP_IS_REF))
		return 0;
	rc = extents_note(job, op);
	/* that it decodes was checked with the operation */
	if (rc == 0 && value_ref_decode(op->value.at, op->value.n, &ref) == 0)
		rc = verify_value(job->values, &ref, &shares);
	verify_shares_release(&shares);
	return rc < 0 ? rc : 0;
}

/* What is looked at in a commit's operations. */
enum look {
	LOOK_DECODE,	/* they decode */
	LOOK_EXTENTS,	/* and the bytes they brought are whole */
	LOOK_VALUES,	/* and all of the values, as findings */
};

static int commit_check(const struct verify_job *job,
			const struct wal_commit *commit, enum look look)
{
	struct byte_reader r;
	struct op op;
	int rc = commit->has_annex ? annex_check(commit->annex,
						 commit->annex_bytes) : 0;

	byte_reader_init(&r, commit->payload, commit->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0 && look == LOOK_EXTENTS)
			rc = extents_check(job, &op);
		if (rc == 0 && look == LOOK_VALUES)
			rc = put_check(job, &op);
	}
	return rc;
}

/* Where a commit begins. */
static void place_of(const struct verify_log *log, lsn_t lsn, char *ret_path,
		     uint64_t *ret_offset)
{
	size_t i = log->scan.files_n - 1;

	while (i > 0 && log->scan.files[i].start_lsn > lsn)
		i--;
	wal_path(log->scan.files[i].base.number, ret_path);
	*ret_offset = wal_offset(&log->scan.files[i], lsn);
}

static int commit_find(const struct verify_log *log,
		       const struct wal_read_commit *c, int rc)
{
	char path[WAL_PATH_BYTES], message[ERR_MESSAGE_BYTES];
	uint64_t offset;

	if (rc == AEDB_NO_MEMORY)
		return rc;
	snprintf(message, sizeof(message), "%s", err_message());
	place_of(log, c->lsn, path, &offset);
	verify_find(log->job->findings, path, offset, "commit %llu: %s",
		    (unsigned long long)(c->commit.first_seq +
					 c->commit.op_count - 1), message);
	return 0;
}

/* 1: the next one is to be read; 0: the log ends before this one. */
static int commit_take(const struct verify_log *log, struct wal_reader *reader,
		       const struct wal_read_commit *c)
{
	seq_t checkpoint = log->job->state->numbers[MANIFEST_CHECKPOINT_SEQ];
	seq_t last = c->commit.first_seq + c->commit.op_count - 1;
	bool is_new = last > checkpoint;
	int rc = 0;

	if (is_new && c->commit.first_seq <= checkpoint)
		rc = err_set(AEDB_CORRUPT, "the checkpoint %llu lies inside it",
			     (unsigned long long)checkpoint);
	if (rc == 0 && is_new && c->is_above_durable) {
		rc = commit_check(log->job, &c->commit, LOOK_EXTENTS);
		if (rc == AEDB_CORRUPT)
			return wal_reader_end_before(reader, err_message());
	}
	if (rc == 0)
		rc = commit_check(log->job, &c->commit,
				  is_new ? LOOK_VALUES : LOOK_DECODE);
	if (rc < 0)
		rc = commit_find(log, c, rc);
	log->job->findings->report.commits += is_new;
	return rc < 0 ? rc : 1;
}

static void notes_take(const struct verify_log *log,
		       const struct wal_reader *reader)
{
	const char *const *notes;
	size_t n = wal_reader_findings(reader, &notes);

	for (size_t i = 0; i < n; i++)
		verify_note_message(log->job->findings, WAL_DIRECTORY, notes[i]);
}

static int commits_check(const struct verify_log *log, struct wal_reader *reader)
{
	struct wal_read_commit commit;
	int rc;

	do {
		rc = wal_reader_next(reader, &commit);
		if (rc > 0) {
			verify_advance(log->job->findings,
				       commit.end_lsn - commit.lsn);
			rc = commit_take(log, reader, &commit);
		}
	} while (rc > 0);
	notes_take(log, reader);
	return verify_find_error(log->job->findings, WAL_DIRECTORY, rc);
}

int verify_log_check(struct verify_log *log)
{
	struct aedb_verify_report *report = &log->job->findings->report;
	struct wal_reader *reader;
	int rc;

	if (!log->has_scan)
		return 0;
	rc = wal_reader_open(log->job->vfs, &log->options, &reader);
	if (rc < 0)
		return verify_find_error(log->job->findings, WAL_DIRECTORY, rc);
	report->files += log->scan.files_n;
	report->bytes += verify_log_bytes(log);
	rc = commits_check(log, reader);
	wal_reader_close(reader);
	return rc;
}
