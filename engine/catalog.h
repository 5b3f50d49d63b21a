/*
 * Projects and scopes: names -> key spaces.
 *
 * Names and attributes are entries of space 0, versioned like any key:
 * "P" project name, "S" project id (8 bytes, big endian) scope name, and "T"
 * scope id table name; the entry's id is the object's. A table has key spaces as a
 * scope has, of rows and of its schema and indexes (table.h). The key "P" alone is
 * the database itself. Space 1 holds how many live keys a space has (by id, 8 bytes
 * big endian), as of the last checkpoint, and exists in segments only. Space 2
 * holds a mark for each dropped scope (by scope id), until compaction has removed
 * its keys; the scope's counts go with it. Space 3 holds the pieces of the kept
 * history (history_piece.h), in segments only. Beside them a hash table holds the
 * spaces of scopes by id: a scope's come into it when somebody first asks for it.
 *
 * Threads: what writes needs the commit lock; lookups are lock-free inside an
 * epoch, the table has a lock of its own.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "catalog_key.h"
#include "lock.h"
#include "scope_state.h"
#include "space.h"
#include "types.h"

#define CATALOG_BUCKETS 256
#define CATALOG_RECENT 16
#define CATALOG_ROOT_ID 1	/* object id of the database itself */

enum catalog_space {
	CATALOG_NAMES = 0,
	CATALOG_COUNTS = 1,
	CATALOG_DROPS = 2,
	/* HISTORY_SPACE is 3 */
};

#define CATALOG_ONCE 'I'	/* keys of names begin so that are records of once.h */

struct catalog {
	struct aedb *db;		/* constant after init, as is: */
	struct branch *branch;		/* of a batch; NULL: the database's own */
	struct space names, drops;
	struct lock lock;
	struct scope_state **buckets;	/* guarded by lock: CATALOG_BUCKETS lists */
	/* the writer's: what catalog_find found last, by id; emptied when
	 * scopes leave the table */
	struct scope_state *recent[CATALOG_RECENT];
	_Atomic bool wants_reap;	/* atomic: a scope is unreachable, or will be */
};

int catalog_init(struct aedb *db);
/* A batch's, over the database's: it has the scopes that the batch looked for.
 * Used by one thread at a time, who counts as the writer. */
int catalog_init_over(struct catalog *catalog, struct branch *branch);
void catalog_release(struct catalog *catalog);

/* The catalog's own spaces, once the levels are known. Before recovery. */
int catalog_load(struct aedb *db);

/* The scope's state, from the table or made from what segments say of it. It
 * stays as long as the commit lock is held. Writer. */
int catalog_find(struct catalog *catalog, uint64_t id,
		 struct scope_state **ret);
/* The same if it was found lately; NULL: it was not. */
struct scope_state *catalog_recent(const struct catalog *catalog, uint64_t id);
/* As catalog_find, and takes a handle, so that nobody frees it. Any thread. */
int catalog_find_and_ref(struct catalog *catalog, uint64_t id,
			 struct scope_state **ret);
/* A new scope's, not committed: finds it or makes it. Writer. */
int catalog_make(struct catalog *catalog, uint64_t id,
		 struct scope_state **ret);
/* Makes one with a handle. Any thread. */
int catalog_make_and_ref(struct catalog *catalog, uint64_t id,
			 struct scope_state **ret);
/* All states of a batch's table, by id. Owned: free. AEDB_NO_MEMORY. */
int catalog_list(struct catalog *catalog, struct scope_state ***ret,
		 size_t *ret_n);
/* What is in a batch's table already; NULL. */
struct scope_state *catalog_there(struct catalog *catalog, uint64_t id);
/* Takes another handle of one that has some, and drops one. */
void catalog_ref(struct catalog *catalog, struct scope_state *state);
void catalog_unref(struct catalog *catalog, struct scope_state *state);
/* Frees scopes nobody can reach: dropped at or below `oldest`, or never
 * committed, and without handles; does nothing unless wants_reap. Writer. */
void catalog_reap(struct catalog *catalog, seq_t oldest);
/* Whether the scope exists as of seq. */
bool catalog_scope_is_live(const struct aedb_scope *scope, seq_t seq);

/* Finds a place's entry in the space of names as of limit, and its key: 1, or 0:
 * not there; then ret_key is set if the project is there. Of a table's scope nothing
 * is said. Inside an epoch. */
int catalog_get(struct space *names, const struct op_place *place,
		seq_t limit, struct entry *ret, struct catalog_key *ret_key);

#endif
