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

/* What the entry says of itself, without pin; a large value is left out. */
void read_entry_fill(const struct entry *from, struct aedb_entry *ret);

#endif
