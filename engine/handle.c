/*
 * Scope handles, operations that are a commit of their own, and what the
 * database says of itself.
 */
#include <string.h>

#include "commit.h"
#include "err.h"
#include "read.h"
#include "txn.h"

int aedb_scope_open(struct aedb *db, const char *project, const char *name,
		    struct aedb_scope **ret)
{
	struct aedb_place place = { project, name };
	struct scope_state *state;
	struct aedb_entry entry;
	int rc;

	if (!project || !name)
		return err_set(AEDB_INVALID, "a scope has a project and a name");
	rc = aedb_place_stat(db, NULL, place, &entry);
	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_NOT_FOUND, "no scope %s/%s", project, name);
	if (rc < 0)
		return rc;
	state = catalog_find_and_ref(&db->catalog, entry.id);
	aedb_unpin(&entry);
	if (!state)
		return err_set(AEDB_NOT_FOUND, "no scope %s/%s", project, name);
	*ret = &state->planes[PLANE_KEYS];
	return 0;
}

void aedb_scope_close(struct aedb_scope *scope)
{
	if (scope)
		catalog_unref(&scope->db->catalog, scope->state);
}

struct aedb_scope *aedb_scope_dirs(struct aedb_scope *scope)
{
	return &scope->state->planes[PLANE_DIRS];
}

uint64_t aedb_scope_id(const struct aedb_scope *scope)
{
	return scope->state->id;
}

/* Commits a transaction in the caller's memory, if it was filled. */
static int txn_run(struct aedb_txn *txn, int rc)
{
	seq_t seq;

	if (rc == 0)
		rc = commit_run(txn, &seq);
	txn_release(txn);
	return rc;
}

int aedb_put(struct aedb_scope *scope, const void *key, size_t key_bytes,
	     const void *value, size_t value_bytes)
{
	struct aedb_put put = { .key = key, .key_bytes = key_bytes,
				.value = value, .value_bytes = value_bytes };
	struct aedb_txn txn;

	txn_init(&txn, scope->db);
	return txn_run(&txn, aedb_txn_put(&txn, scope, &put));
}

int aedb_delete(struct aedb_scope *scope, const void *key, size_t key_bytes)
{
	struct aedb_txn txn;

	txn_init(&txn, scope->db);
	return txn_run(&txn, aedb_txn_delete(&txn, scope, key, key_bytes));
}

int aedb_move(struct aedb_scope *from, const void *from_key, size_t from_bytes,
	      struct aedb_scope *to, const void *to_key, size_t to_bytes)
{
	struct aedb_txn txn;

	txn_init(&txn, from->db);
	return txn_run(&txn, aedb_txn_move(&txn, from, from_key, from_bytes, to,
					   to_key, to_bytes));
}

int aedb_create(struct aedb *db, struct aedb_place place)
{
	struct aedb_txn txn;

	txn_init(&txn, db);
	return txn_run(&txn, aedb_txn_create(&txn, place, NULL, 0, NULL));
}

int aedb_drop(struct aedb *db, struct aedb_place place, enum aedb_drop how)
{
	struct aedb_txn txn;

	txn_init(&txn, db);
	return txn_run(&txn, aedb_txn_drop(&txn, place, how));
}

int aedb_rename(struct aedb *db, struct aedb_place from, struct aedb_place to)
{
	struct aedb_txn txn;

	txn_init(&txn, db);
	return txn_run(&txn, aedb_txn_rename(&txn, from, to));
}

uint64_t aedb_reserve_id(struct aedb *db)
{
	return atomic_fetch_add(&db->commits.next_seq, 1);
}

aedb_seq_t aedb_visible_seq(const struct aedb *db)
{
	return db_visible(db);
}

void aedb_stats(const struct aedb *db, struct aedb_stats *ret)
{
	struct aedb *mutable = (struct aedb *)db;
	const struct counters *c = &db->counters;

	*ret = (struct aedb_stats){
		.commits = atomic_load(&c->commits),
		.conflicts = atomic_load(&c->conflicts),
		.commit_errors = atomic_load(&c->commit_errors),
		.commit_groups = atomic_load(&c->commit_groups),
		.wal_writes = atomic_load(&c->wal_writes),
		.wal_write_ns = atomic_load(&c->wal_write_ns),
		.wal_sync_ns = atomic_load(&c->wal_sync_ns),
		.memory_bytes = memtable_bytes(db->memtable),
		.keys = catalog_key_count(&mutable->catalog),
		.visible_seq = db_visible(db),
		.durable_seq = aedb_durable_seq(db),
	};
	if (db->wal) {
		ret->wal_bytes = wal_written_lsn(db->wal);
		ret->wal_syncs = wal_sync_count(db->wal);
	}
	lock_acquire(&mutable->snapshots.lock);
	ret->snapshots = mutable->snapshots.n;
	lock_release(&mutable->snapshots.lock);
}

const char *aedb_error_message(void)
{
	return err_message();
}

const char *aedb_strerror(int code)
{
	switch ((enum aedb_error)code) {
	case AEDB_OK:
		return "success";
	case AEDB_NOT_PERMITTED:
		return "not permitted";
	case AEDB_NOT_FOUND:
		return "not found";
	case AEDB_IO:
		return "input/output error";
	case AEDB_NO_MEMORY:
		return "out of memory";
	case AEDB_ACCESS:
		return "access denied";
	case AEDB_BUSY:
		return "in use";
	case AEDB_EXISTS:
		return "exists already";
	case AEDB_NOT_DIRECTORY:
		return "not a directory";
	case AEDB_INVALID:
		return "invalid argument";
	case AEDB_TOO_LARGE:
		return "too large";
	case AEDB_NO_SPACE:
		return "no space left";
	case AEDB_READ_ONLY:
		return "read-only";
	case AEDB_RANGE:
		return "out of range";
	case AEDB_NAME_TOO_LONG:
		return "name too long";
	case AEDB_NOT_EMPTY:
		return "not empty";
	case AEDB_CORRUPT:
		return "damaged";
	case AEDB_NEWER_FORMAT:
		return "written by a newer version";
	case AEDB_CONFLICT:
		return "changed since it was read";
	case AEDB_UNKNOWN:
		return "outcome unknown";
	}
	return "unknown error";
}
