/*
 * The log between two backups.
 *
 * Each log file carries the digest of all frames before it, so that a file which
 * begins where the log was cut, with the digest it had there, goes on from that
 * very cut, whatever became of the database in between.
 */
#include "backup_log.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "op.h"
#include "wal_follow.h"

static struct wal_end start_of(const struct wal_header *header)
{
	struct wal_end end = { .lsn = header->start_lsn };

	memcpy(end.digest, header->prev_digest, WAL_DIGEST_BYTES);
	return end;
}

static bool begins_at(const struct wal_header *header, const struct wal_end *end)
{
	return header->start_lsn == end->lsn &&
	       memcmp(header->prev_digest, end->digest, WAL_DIGEST_BYTES) == 0;
}

int backup_log_cut(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		   struct wal_end *ret)
{
	char path[WAL_PATH_BYTES];
	struct wal_header header;
	int rc = wal_header_look(vfs, db_uuid, number, &header);

	if (rc == 0)
		rc = err_set(AEDB_CORRUPT, "%s is missing or damaged",
			     wal_path(number, path));
	if (rc < 0)
		return rc;
	*ret = start_of(&header);
	return 0;
}

void backup_log_release(struct backup_log *log)
{
	free(log->files);
	*log = (struct backup_log){ NULL, 0 };
}

static int file_add(struct backup_log *log, const struct wal_header *header,
		    lsn_t end)
{
	struct backup_log_file *more =
		realloc(log->files, (log->n_files + 1) * sizeof(*more));

	if (!more)
		return err_set(AEDB_NO_MEMORY, "no memory for the log's files");
	log->files = more;
	more[log->n_files++] = (struct backup_log_file){
		.number = header->base.number,
		.bytes = wal_offset(header, end),
	};
	return 0;
}

static void files_reverse(struct backup_log *log)
{
	for (size_t i = 0; i < log->n_files / 2; i++) {
		struct backup_log_file file = log->files[i];

		log->files[i] = log->files[log->n_files - 1 - i];
		log->files[log->n_files - 1 - i] = file;
	}
}

/* Adds files from the newest back to the cut: 1, or 0 when one is missing. */
static int files_collect(struct vfs *vfs, const uint8_t *db_uuid,
			 struct wal_header next, const struct wal_end *from,
			 struct backup_log *log)
{
	int rc = 1;

	while (!begins_at(&next, from)) {
		struct wal_header header;

		if (next.start_lsn < from->lsn || !next.prev_number)
			return 0;
		rc = wal_header_look(vfs, db_uuid, next.prev_number, &header);
		if (rc <= 0)
			return rc;
		rc = file_add(log, &header, next.start_lsn);
		if (rc < 0)
			return rc;
		next = header;
		rc = 1;
	}
	return rc;
}

int backup_log_find(struct vfs *vfs, const uint8_t *db_uuid, file_id_t cut,
		    const struct wal_end *from, struct backup_log *ret)
{
	struct backup_log log = { NULL, 0 };
	struct wal_header header;
	int rc = wal_header_look(vfs, db_uuid, cut, &header);

	if (rc > 0)
		rc = files_collect(vfs, db_uuid, header, from, &log);
	if (rc <= 0) {
		backup_log_release(&log);
		return rc;
	}
	files_reverse(&log);
	*ret = log;
	return 1;
}

/* Adds the value files that a commit names. */
static int commit_values(const struct wal_commit *commit,
			 struct file_numbers *numbers)
{
	struct value_extent extent;
	struct op_extents extents;
	struct byte_reader r;
	struct op op;
	int rc = 0;

	byte_reader_init(&r, commit->payload, commit->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc < 0 || !(op.flags & OP_IS_REF))
			continue;
		op_extents_begin(&extents, &op);
		while (rc == 0 && op_extents_next(&extents, &extent))
			rc = file_numbers_add(numbers, extent.file);
	}
	return rc;
}

/* Reads on to the last one: 1, or 0 when that is not found. */
static int commits_values(struct wal_follow *follow,
			  const struct wal_extent *extent,
			  struct file_numbers *numbers)
{
	struct wal_commit commit;
	seq_t last = 0;
	int rc;

	while ((rc = wal_follow_next(follow, extent, &commit)) > 0) {
		rc = commit_values(&commit, numbers);
		if (rc < 0)
			return rc;
		last = commit.first_seq + commit.op_count - 1;
	}
	return rc < 0 ? rc : last == extent->seq;
}

int backup_log_values(struct vfs *vfs, const uint8_t *db_uuid, file_id_t cut,
		      seq_t from, seq_t upto, struct file_numbers *ret)
{
	const struct wal_extent extent = { upto, cut };
	struct file_numbers numbers = { NULL, 0 };
	struct wal_follow *follow;
	int rc = 1;

	if (from < upto) {
		rc = wal_follow_open(vfs, db_uuid, &extent, &follow);
		if (rc < 0)
			return rc;
		rc = wal_follow_seek(follow, from + 1);
		if (rc == 0)
			rc = commits_values(follow, &extent, &numbers);
		wal_follow_close(follow);
	}
	if (rc <= 0)
		file_numbers_release(&numbers);
	else
		*ret = numbers;
	return rc;
}
