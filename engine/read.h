/*
 * Keys -> entries as of a number.
 *
 * Threads: any.
 */
#ifndef READ_H
#define READ_H

#include "db.h"

/* The state that is read. */
struct view {
	struct space *space;	/* may be `room`, so it is not to be copied */
	seq_t limit;
	struct space room;
};

/* What a snapshot, or the newest visible state (NULL), shows of a scope; false:
 * it is not there. */
bool read_view(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	       struct view *ret);
/* Finds a key of a scope that exists then, as of the snapshot or of the newest
 * visible state. Inside the epoch; ret is borrowed until it is left.
 * AEDB_NOT_FOUND, and what reading segments says. */
int read_find_in_scope(struct aedb_scope *scope,
		       const struct aedb_snapshot *snapshot, const void *key,
		       size_t key_bytes, struct entry *ret);

/* The first table of a scope whose name is above `after`, as aedb_place_next; and a
 * table by name, which has AEDB_NAME_BYTES_MAX at most. AEDB_NOT_FOUND. Outside the
 * epoch. */
int read_table_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    uint64_t scope_id, const char *after,
		    struct aedb_entry *ret);
int read_table_id(struct aedb *db, const struct aedb_snapshot *snapshot,
		  uint64_t scope_id, struct op_bytes name, uint64_t *ret);
/* As aedb_place_stat and aedb_place_next, for whomever. */
int read_place_stat(struct aedb *db, const struct aedb_snapshot *snapshot,
		    struct aedb_place place, struct aedb_entry *ret);
int read_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret);

/* What the entry says of itself, without pin; a large value is left out. */
void read_entry_fill(const struct entry *from, struct aedb_entry *ret);

#endif
