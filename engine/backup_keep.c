/*
 * What stays for the next backup.
 *
 * Invariants:
 * 1. What is let go of is so in memory before anything of it is removed. The
 *    manifest may say for longer that it is kept: the log's digests tell.
 * 2. Log files are removed under the checkpoint lock only, so that who holds it
 *    sees which there are.
 */
#include "backup_keep.h"

#include "err.h"
#include "storage.h"

static void numbers_set(struct manifest_edit *edit, const struct backup_cut *cut)
{
	manifest_edit_set(edit, MANIFEST_BACKUP_SEQ, cut->seq);
	manifest_edit_set(edit, MANIFEST_BACKUP_WAL, cut->wal_first);
	manifest_edit_set(edit, MANIFEST_BACKUP_VALUE, cut->value_first);
}

static const struct backup_cut none;

/* Keeps what comes after the cut; with none at all, nothing. */
static int keep_set(struct aedb *db, const struct backup_cut *cut)
	REQUIRES(db->storage_lock)
{
	struct manifest_edit edit = { .set = 0 };

	db->backup.seq = cut->seq;
	db->backup.wal_first = cut->wal_first;
	db->backup.lsn = cut->lsn;
	numbers_set(&edit, cut);
	return storage_edit(db, &edit);
}

static int header_look(struct aedb *db, file_id_t number, struct wal_header *ret)
{
	return wal_header_look(db->vfs, manifest_db_uuid(db->manifest),
			       number, ret);
}

/* Of value files nothing is known but their numbers: all may be named. */
static void values_note(struct aedb *db, file_id_t from, seq_t seq)
{
	struct file_set *files = values_files(db->values);
	file_id_t number = from ? from - 1 : 0;

	while ((number = file_set_above(files, number)))
		file_set_note_seq(files, number, seq);
}

int backup_keep_load(struct aedb *db)
{
	const uint64_t *numbers = manifest_state(db->manifest)->numbers;
	struct wal_header header;
	int rc = 0;

	if (numbers[MANIFEST_BACKUP_WAL])
		rc = header_look(db, numbers[MANIFEST_BACKUP_WAL], &header);
	if (rc <= 0)
		return rc;
	lock_acquire(&db->storage_lock);
	db->backup.seq = numbers[MANIFEST_BACKUP_SEQ];
	db->backup.wal_first = numbers[MANIFEST_BACKUP_WAL];
	db->backup.lsn = header.start_lsn;
	lock_release(&db->storage_lock);
	if (numbers[MANIFEST_CHECKPOINT_SEQ] > numbers[MANIFEST_BACKUP_SEQ])
		values_note(db, numbers[MANIFEST_BACKUP_VALUE],
			    numbers[MANIFEST_CHECKPOINT_SEQ]);
	return 0;
}

/* The log begins with a file that begins at `start`. */
static bool is_too_much(struct aedb *db, lsn_t start) REQUIRES(db->storage_lock)
{
	return atomic_load(&db->reserve_is_lent) || room_is_short(&db->room) ||
	       start - db->backup.lsn + db->backup.value_bytes >
		       db->options.backup_log_bytes;
}

/* Bytes of the log before `start` that stay. */
static uint64_t bytes_kept(struct aedb *db, lsn_t start)
	REQUIRES(db->storage_lock)
{
	uint64_t bytes = atomic_load(&db->reserve_is_lent) ?
				 0 : db->options.log_keep_bytes;

	if (db->backup.wal_first && start - db->backup.lsn > bytes)
		bytes = start - db->backup.lsn;
	if (db->backup.holds && start - db->backup.held_lsn > bytes)
		bytes = start - db->backup.held_lsn;
	return bytes;
}

int backup_keep_trim(struct aedb *db)
{
	file_id_t first = storage_wal_first(db);
	struct wal_header header;
	uint64_t bytes;
	int rc = header_look(db, first, &header);

	if (rc < 0)
		return rc;
	/* a closed log may begin with a file that is to come */
	if (rc == 0)
		return wal_remove_before(db->wal, first, 0);
	rc = 0;
	lock_acquire(&db->storage_lock);
	if (db->backup.wal_first && !db->backup.holds &&
	    is_too_much(db, header.start_lsn))
		rc = keep_set(db, &none);
	bytes = bytes_kept(db, header.start_lsn);
	lock_release(&db->storage_lock);
	if (rc == AEDB_UNKNOWN)
		return rc;
	return wal_remove_before(db->wal, first, bytes);
}

bool backup_keep_let_go(struct aedb *db)
{
	bool is_kept;
	int rc = 0;

	lock_acquire(&db->storage_lock);
	is_kept = db->backup.wal_first && !db->backup.holds;
	if (is_kept)
		rc = keep_set(db, &none);
	lock_release(&db->storage_lock);
	return is_kept && rc != AEDB_UNKNOWN && backup_keep_trim(db) == 0;
}

int backup_keep_hold(struct aedb *db)
{
	struct wal_header header;
	int rc;

	lock_acquire(&db->checkpoint_lock);
	rc = header_look(db, storage_wal_first(db), &header);
	if (rc == 0)
		rc = err_set(AEDB_CORRUPT, "the log's first file is missing");
	if (rc > 0) {
		lock_acquire(&db->storage_lock);
		if (db->backup.holds++ == 0)
			db->backup.held_lsn = header.start_lsn;
		lock_release(&db->storage_lock);
	}
	lock_release(&db->checkpoint_lock);
	return rc < 0 ? rc : 0;
}

void backup_keep_unhold(struct aedb *db)
{
	lock_acquire(&db->storage_lock);
	db->backup.holds--;
	lock_release(&db->storage_lock);
}

int backup_keep_begin(struct aedb *db, const struct backup_cut *cut)
{
	bool is_kept = db->options.backup_log_bytes > 0;
	int rc;

	lock_acquire(&db->storage_lock);
	rc = keep_set(db, is_kept ? cut : &none);
	lock_release(&db->storage_lock);
	return rc;
}
