/*
 * Projects and scopes: names -> key spaces.
 *
 * Names and attributes are entries of tree 0, versioned like any key:
 * "P" project name, and "S" project id (8 bytes, big endian) scope name; the
 * entry's id is the object's. The key "P" alone is the database itself. Beside
 * them a table holds each scope's trees by id.
 *
 * Threads: what writes needs the commit lock; lookups are lock-free inside an
 * epoch, the table has a lock of its own.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lock.h"
#include "memtable.h"
#include "op.h"
#include "types.h"

#define CATALOG_KEY_BYTES_MAX (9 + AEDB_NAME_BYTES_MAX)
#define CATALOG_PLACE_TEXT (2 * AEDB_NAME_BYTES_MAX + 2)
#define CATALOG_BUCKETS 256
#define CATALOG_ROOT_ID 1	/* object id of the database itself */

enum plane {
	PLANE_KEYS = 0,
	PLANE_DIRS = 1,
};

struct scope_state;

struct aedb_scope {
	struct aedb *db;		/* these are constant after creation */
	struct scope_state *state;
	struct mem_tree *tree;
	uint64_t tree_id;		/* scope id * 2 + plane */
};

/* A scope's trees. In the table as long as it exists in some view or a handle
 * refers to it. */
struct scope_state {
	struct aedb_scope planes[2];
	uint64_t id;			/* constant */
	_Atomic bool is_committed;	/* atomic: its creation was applied */
	_Atomic seq_t dropped_seq;	/* atomic: SEQ_MAX while it is not dropped */
	unsigned handles;		/* guarded by catalog.lock */
	struct scope_state *next;	/* guarded by catalog.lock: same bucket */
};

struct catalog {
	struct mem_tree *tree;	/* constant after open */
	struct lock lock;
	struct scope_state **buckets;	/* guarded by lock: CATALOG_BUCKETS lists */
	_Atomic bool wants_reap;	/* atomic: a scope is unreachable, or will be */
};

struct catalog_key {
	uint8_t bytes[CATALOG_KEY_BYTES_MAX];
	size_t n;
};

int catalog_init(struct aedb *db);
void catalog_release(struct catalog *catalog);

/* The table's scope; NULL if there is none. Commit lock. */
struct scope_state *catalog_find(struct catalog *catalog, uint64_t id);
/* Finds it or makes it, not committed and without handles. Commit lock, which
 * keeps it from being freed. */
int catalog_find_or_make(struct aedb *db, uint64_t id,
			 struct scope_state **ret);
/* Finds one and takes a handle, so that nobody frees it. Any thread. */
struct scope_state *catalog_find_and_ref(struct catalog *catalog, uint64_t id);
/* Makes one with a handle. Commit lock. */
int catalog_make_and_ref(struct aedb *db, uint64_t id,
			 struct scope_state **ret);
/* Drops a handle. */
void catalog_unref(struct catalog *catalog, struct scope_state *state);
/* Frees scopes nobody can reach: dropped at or below `oldest`, or never
 * committed, and without handles; does nothing unless wants_reap. Commit lock. */
void catalog_reap(struct catalog *catalog, seq_t oldest);
/* Keys of all scopes in the newest state. */
uint64_t catalog_key_count(struct catalog *catalog);
/* Whether the scope exists as of seq. */
bool catalog_scope_is_live(const struct aedb_scope *scope, seq_t seq);

/* Finds a place's entry as of limit, and its key. False: not there; then
 * ret_key is set if the project is there. Inside an epoch. */
bool catalog_get(struct catalog *catalog, const struct op_place *place,
		 seq_t limit, struct entry *ret, struct catalog_key *ret_key);
/* Key of a project, and the prefix of the keys of its scopes. */
void catalog_project_key(struct op_bytes name, struct catalog_key *ret);
void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret);

/* AEDB_INVALID or AEDB_NAME_TOO_LONG, naming the name; else fills in ret,
 * whose names are borrowed from `place`. */
int catalog_check_place(struct aedb_place place, struct op_place *ret);
/* "project" or "project/scope"; returns text, which has CATALOG_PLACE_TEXT. */
const char *catalog_place_text(const struct op_place *place, char *text);

#endif
