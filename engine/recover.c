/*
 * Recovery.
 *
 * Commits are executed in log order by the code that executes them when they
 * are made. A commit above the position known durable counts only if the value
 * bytes it refers to are whole; the first that fails ends the log, for it and
 * what follows were never promised. Those that are whole are written again and
 * synced, for the log's copied tail will count as durable. What the last
 * checkpoint wrote into segments is not executed again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "checkpoint.h"
#include "err.h"
#include "mem_ahead.h"
#include "mem_settle.h"
#include "op.h"
#include "recover.h"
#include "snapshot.h"
#include "snapshot_history.h"

struct recovery {
	struct aedb *db;
	struct wal_reader *reader;
	seq_t checkpoint_seq;
	/* owned: value files that commits above the durable position name, each
	 * once */
	file_id_t *files;
	size_t n_files;
	bool stays_in_memory;	/* the disk is full */
	unsigned int hinted;	/* commits that memory was made ready for */
};

static int file_note(struct recovery *recovery, file_id_t number)
{
	file_id_t *grown;

	for (size_t i = recovery->n_files; i-- > 0;)
		if (recovery->files[i] == number)
			return 0;
	grown = realloc(recovery->files,
			(recovery->n_files + 1) * sizeof(*grown));
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory to recover");
	grown[recovery->n_files++] = number;
	recovery->files = grown;
	return 0;
}

/* It is whole in the system's memory; after a failed sync it is perhaps not on
 * the disk, though no sync would fail any more. */
static int extent_renew(struct recovery *recovery,
			const struct value_extent *extent)
{
	int rc = 0;

	if (recovery->db->options.mode != AEDB_OPEN_READ_ONLY)
		rc = values_rewrite_extent(recovery->db->values, extent);
	return rc < 0 ? rc : file_note(recovery, extent->file);
}

static int extents_verify(struct recovery *recovery, const struct op *op)
{
	struct op_extents extents;
	struct value_extent extent;
	int rc = 0;

	op_extents_begin(&extents, op);
	while (rc == 0 && op_extents_next(&extents, &extent)) {
		rc = values_verify_extent(recovery->db->values, &extent);
		if (rc == 0)
			rc = extent_renew(recovery, &extent);
	}
	return rc;
}

/* What is to be known of a commit before it is executed: the highest number or id
 * it takes, and, if it was never known durable, that the value bytes are whole
 * that it makes reachable. These are written once more then. */
static int commit_look(struct recovery *recovery,
		       const struct wal_read_commit *c, uint64_t *ret_ids)
{
	uint64_t ids = c->commit.first_seq + c->commit.op_count - 1;
	struct byte_reader r;
	struct op op;
	int rc = 0;

	byte_reader_init(&r, c->commit.payload, c->commit.payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0 && (op.flags & OP_IS_REF) && c->is_above_durable)
			rc = extents_verify(recovery, &op);
		if (rc == 0 && (op.flags & OP_HAS_ID) && op.id > ids &&
		    op.id < DB_ID_TAGGED)
			ids = op.id;
	}
	*ret_ids = ids;
	/* what is wrong with it executing it says, too */
	return c->is_above_durable ? rc : 0;
}

static int commit_execute(struct recovery *recovery,
			  const struct wal_commit *commit, uint64_t ids)
	REQUIRES(recovery->db->commits.lock)
{
	struct aedb *db = recovery->db;
	seq_t last = commit->first_seq + commit->op_count - 1;
	struct annex_reader found;
	int rc = snapshot_history_reserve(db);

	if (rc < 0)
		return rc;
	annex_reader_init(&found, commit->annex, commit->annex_bytes);
	db->commits.apply.found = commit->has_annex ? &found : NULL;
	epoch_enter(db->epoch);
	rc = apply_payload(&db->commits.apply, commit->payload,
			   commit->payload_bytes, commit->first_seq,
			   commit->time_us);
	epoch_leave(db->epoch);
	db->commits.apply.found = NULL;
	if (rc == 0 && commit->has_annex)
		rc = annex_end(&found);
	if (rc == AEDB_NO_MEMORY || rc == AEDB_NEWER_FORMAT || rc == AEDB_IO)
		return rc;
	if (rc < 0)
		return err_set(AEDB_CORRUPT,
			       "the commit %llu of the log cannot be repeated: %s",
			       (unsigned long long)last, err_message());
	if (db->commits.apply.seq != last + 1)
		return err_set(AEDB_CORRUPT,
			       "the commit %llu of the log has another number of operations",
			       (unsigned long long)last);
	atomic_store(&db->visible_keys, atomic_load(&db->keys));
	atomic_store(&db->visible_seq, last);
	snapshot_history_note(db, last, commit->time_us,
			      db->commits.apply.superseded_bytes);
	mem_settle(db->memtable, last, snapshot_newest_upto(db, last));
	db->commits.last_time_us = commit->time_us;
	if (atomic_load(&db->commits.next_seq) <= ids)
		atomic_store(&db->commits.next_seq, ids + 1);
	return 0;
}

static int findings_copy(struct aedb *db, const struct wal_reader *reader)
{
	const char *const *from;
	size_t n = wal_reader_findings(reader, &from);

	db->findings = calloc(n + 1, sizeof(*db->findings));
	for (size_t i = 0; i < n && db->findings; i++) {
		db->findings[i] = strdup(from[i]);
		if (!db->findings[i])
			return err_set(AEDB_NO_MEMORY, "no memory for findings");
	}
	return db->findings ? 0 :
			      err_set(AEDB_NO_MEMORY, "no memory for findings");
}

/* Whether the commit lies in segments. */
static int commit_is_flushed(struct recovery *recovery,
			     const struct wal_commit *commit)
	REQUIRES(recovery->db->commits.lock)
{
	seq_t last = commit->first_seq + commit->op_count - 1;

	if (commit->first_seq > recovery->checkpoint_seq)
		return 0;
	if (last <= recovery->checkpoint_seq) {
		/* A recovery that wrote segments made that checkpoint, in the
		 * middle of the log: what follows was executed before it. */
		recovery->db->commits.apply.memory_lacks = true;
		return 1;
	}
	return err_set(AEDB_CORRUPT,
		       "the checkpoint %llu lies inside the commit %llu of the log",
		       (unsigned long long)recovery->checkpoint_seq,
		       (unsigned long long)last);
}

/* A key for which memory can be made ready, of the same tree as those before it
 * (NULL: the first). What the payload says is a guess. */
static bool key_guess(struct recovery *recovery, const struct op *op,
		      struct mem_tree **tree, struct mem_ahead *ret)
{
	struct catalog *catalog = &recovery->db->catalog;
	struct scope_state *scope;
	struct mem_tree *found;

	if (!op->key.at || op->key.tree % 2)
		return false;
	scope = catalog_recent(catalog, op->key.tree / 2);
	found = scope ? atomic_load(&scope->planes[PLANE_KEYS].space.tree) : NULL;
	if (!found || (*tree && found != *tree))
		return false;
	*tree = found;
	*ret = (struct mem_ahead){ op->key.at, op->key.n };
	return true;
}

/* The next commits' keys: memory fetches what it has of them for all at once. */
static void keys_ahead(struct recovery *recovery, lsn_t lsn)
	REQUIRES(recovery->db->commits.lock)
{
	struct mem_ahead keys[MEM_AHEAD_MAX];
	struct mem_tree *tree = NULL;
	struct wal_commit commit;
	size_t n = 0;

	recovery->hinted = 0;
	while (recovery->hinted < MEM_AHEAD_MAX &&
	       wal_reader_guess(recovery->reader, &lsn, &commit)) {
		struct byte_reader r;
		struct op op;

		byte_reader_init(&r, commit.payload, commit.payload_bytes);
		if (op_decode(&r, &op) == 0)
			n += key_guess(recovery, &op, &tree, &keys[n]);
		recovery->hinted++;
	}
	if (n)
		mem_tree_ahead(tree, keys, n);
}

static bool is_behind(const struct db_until *until,
		      const struct wal_commit *commit)
{
	return commit->first_seq + commit->op_count - 1 > until->seq ||
	       commit->time_us > until->time_us;
}

/* Executes one commit, or ends the log before it; 1 to go on. */
static int commit_take(struct recovery *recovery,
		       const struct wal_read_commit *c)
	REQUIRES(recovery->db->commits.lock)
{
	bool is_permissive = recovery->db->options.recovery == AEDB_PERMISSIVE;
	uint64_t ids;
	int rc = commit_is_flushed(recovery, &c->commit);

	if (rc != 0)
		return rc;
	if (is_behind(&recovery->db->until, &c->commit)) {
		wal_reader_stop_before(recovery->reader);
		recovery->db->is_until = true;
		return 0;
	}
	rc = commit_look(recovery, c, &ids);
	if (rc == AEDB_CORRUPT && c->is_above_durable)
		return wal_reader_end_before(recovery->reader,
					     err_message());
	if (rc == 0)
		rc = commit_execute(recovery, &c->commit, ids);
	if (rc == 0 && recovery->hinted-- == 0)
		keys_ahead(recovery, c->end_lsn);
	if (rc == AEDB_CORRUPT && is_permissive)
		return wal_reader_end_before(recovery->reader,
					     err_message());
	return rc < 0 ? rc : 1;
}

/* A log that another open wrote, with more memory, may not fit into this one's. */
static bool memory_is_full(const struct aedb *db)
	REQUIRES(db->commits.lock)
{
	return db->options.mode != AEDB_OPEN_READ_ONLY &&
	       memtable_bytes(db->memtable) > db->budget.memtables_bytes_max;
}

/* What was recovered so far goes into segments, if the disk has room for them; so
 * what it names, too, must be on the disk. 1 to go on. */
static int room_make(struct recovery *recovery)
	REQUIRES(recovery->db->commits.lock)
{
	struct aedb *db = recovery->db;
	seq_t seq;
	int rc = file_set_sync_earlier(values_files(db->values),
				       recovery->files, recovery->n_files);

	if (rc < 0)
		return rc;
	atomic_store(&db->commits.written_seq, db_visible(db));
	lock_release(&recovery->db->commits.lock);
	rc = checkpoint_run(db, CHECKPOINT_ROTATE, &seq);
	lock_acquire(&recovery->db->commits.lock);
	recovery->stays_in_memory = rc == AEDB_NO_SPACE;
	db->commits.apply.memory_lacks |= rc == 0;
	return rc < 0 && rc != AEDB_NO_SPACE ? rc : 1;
}

/* Executes what the log has, to its end. */
static int log_repeat(struct recovery *recovery)
{
	struct wal_read_commit commit;
	int rc;

	lock_acquire(&recovery->db->commits.lock);
	recovery->db->commits.apply.keeps_marks =
		recovery->db->until.keeps_marks;
	do {
		rc = wal_reader_next(recovery->reader, &commit);
		if (rc > 0) {
			recovery->db->log_is_uncut = true;
			rc = commit_take(recovery, &commit);
		}
		if (rc > 0 && !recovery->stays_in_memory &&
		    memory_is_full(recovery->db))
			rc = room_make(recovery);
	} while (rc > 0);
	recovery->db->commits.apply.keeps_marks = false;
	lock_release(&recovery->db->commits.lock);
	return rc;
}

/* Whether the log ended where it has to. */
static int log_end_check(const struct aedb *db, struct wal_reader *reader)
{
	const struct wal_end *want = db->until.log_end;
	struct wal_end end;
	int rc;

	if (!want || db->is_until)
		return 0;
	rc = wal_reader_end_of(reader, &end);
	if (rc < 0)
		return rc;
	if (end.lsn != want->lsn)
		return err_set(AEDB_CORRUPT,
			       "the log ends at %" PRIu64 ", want %" PRIu64,
			       end.lsn, want->lsn);
	if (memcmp(end.digest, want->digest, WAL_DIGEST_BYTES))
		return err_set(AEDB_CORRUPT, "the log has another digest than the "
			       "one it has to end with");
	return 0;
}

int recover_run(struct aedb *db, struct wal_reader **ret)
{
	const struct manifest_state *state = manifest_state(db->manifest);
	struct wal_read_options options = {
		.mode = db->options.recovery == AEDB_PERMISSIVE ?
				WAL_PERMISSIVE :
				WAL_STRICT,
		.first_number = state->numbers[MANIFEST_WAL_FIRST],
		.newest_number = state->numbers[MANIFEST_WAL_NEWEST],
		.end = manifest_log_is_closed(state) ? &state->wal_end : NULL,
	};
	struct recovery recovery = {
		.db = db,
		.checkpoint_seq = state->numbers[MANIFEST_CHECKPOINT_SEQ],
	};
	int rc;

	memcpy(options.db_uuid, state->db_uuid, FILE_UUID_BYTES);
	rc = wal_reader_open(db->vfs, &options, &recovery.reader);
	if (rc < 0)
		return rc;
	rc = log_repeat(&recovery);
	if (rc == 0)
		rc = findings_copy(db, recovery.reader);
	if (rc == 0)
		rc = log_end_check(db, recovery.reader);
	/* the log's copied tail will count as durable: so must what it names */
	if (rc == 0 && db->options.mode != AEDB_OPEN_READ_ONLY)
		rc = file_set_sync_earlier(values_files(db->values),
					   recovery.files, recovery.n_files);
	free(recovery.files);
	if (rc < 0) {
		wal_reader_close(recovery.reader);
		return rc;
	}
	*ret = recovery.reader;
	return 0;
}
