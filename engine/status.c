/*
 * What the database says of itself: numbers, statistics, the words of errors.
 */
#include "db.h"
#include "err.h"

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
