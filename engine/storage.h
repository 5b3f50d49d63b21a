/*
 * What is in segments: the levels that readers see, and the manifest that says
 * the same on disk.
 *
 * Calling sequence: storage_open with an open manifest; readers take
 * db_levels inside the epoch; storage_publish for every change; storage_clean
 * now and then; storage_close.
 * Threads: any; changes one at a time, under a lock of their own.
 */
#ifndef STORAGE_H
#define STORAGE_H

#include "db.h"

/* What a change makes of segments and numbers. */
struct storage_change {
	const struct segment_info *added;	/* borrowed */
	size_t n_added;
	const file_id_t *removed;
	size_t n_removed;
	/* What it left out is not seen from this number on, see retention.h. */
	seq_t history_from;
	/* after a checkpoint, else 0: */
	seq_t checkpoint_seq;
	uint64_t checkpoint_time_us;
	uint64_t keys;			/* as of it */
	file_id_t wal_first;		/* 0: as it was */
};

int storage_open(struct aedb *db);
void storage_close(struct aedb *db);

/* Writes the change into the manifest, durably, then shows it to readers. On
 * failure all is as before, but that after AEDB_UNKNOWN nobody knows what the
 * manifest says, and writing stops. */
int storage_publish(struct aedb *db, const struct storage_change *change);

/* Writes an edit that concerns no segments. Errors as storage_publish. */
int storage_edit(struct aedb *db, const struct manifest_edit *edit)
	REQUIRES(db->storage_lock);

/* Bytes of a value file that segments refer to. */
uint64_t storage_value_live(const struct levels *levels, file_id_t file);
/* The log file the log begins with. */
file_id_t storage_wal_first(struct aedb *db);

/* From storage_hold to storage_unhold no value file is removed: files are made
 * that nothing in the levels refers to yet. Nests. */
void storage_hold(struct aedb *db);
void storage_unhold(struct aedb *db);
/* On a full disk: gives what is kept back to what makes room. False: there is
 * nothing to give. */
bool storage_lend_reserve(struct aedb *db);
/* The same with the last part of it, for what must not fail: opening, and saying
 * in the manifest what was done. */
bool storage_lend_last(struct aedb *db);
/* Of a log file, at most, while it is lent: it takes no more than it needs. */
#define STORAGE_LENT_WAL_BYTES (UINT64_C(64) << 10)
/* For what takes room: AEDB_NO_SPACE while the reserve is lent and cannot be had
 * back. */
int storage_check_space(struct aedb *db);
/* Takes the reserve as far as there is room; as lent counts what is missing. */
int storage_keep_reserve(struct aedb *db);
/* Asks how much room there is. */
void storage_look_for_room(struct aedb *db);

/* Frees what readers cannot see any more and removes value files that nothing
 * refers to. */
void storage_clean(struct aedb *db);
/* The same when the database is closed and nothing is appended any more. */
void storage_clean_last(struct aedb *db);
/* A memtable that nothing leads to any more. Owned by the call. */
void storage_defer_memtable(struct aedb *db, struct memtable *memtable);

#endif
