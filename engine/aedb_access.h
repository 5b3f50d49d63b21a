/*
 * Permissions: who may do what, and where.
 *
 * A caller is somebody on whose behalf the program works, known by an id. What was
 * granted to it is in the database, put there by commits: it is in the log, in
 * snapshots and backups, and lasts over crashes. Handles opened for a caller do
 * what it may, and handles opened without one (aedb_scope_open, aedb_txn_begin)
 * everything.
 *
 *	aedb_caller_open_system(db, NULL, 0, &system);
 *	aedb_grant(system, &grant, "ann", 3);
 *	aedb_caller_open(db, "ann", 3, &ann);
 *	aedb_scope_open_as(ann, NULL, "project", "scope", &scope);
 *	aedb_get(scope, NULL, key, key_bytes, &entry);	-- or AEDB_ACCESS
 *	aedb_scope_close(scope); aedb_caller_close(ann);
 *
 * Grants are of objects, not of names: a renamed project, scope or table keeps those
 * on it, and those on a dropped one are gone with the commit that dropped it. Those in
 * force are the newest ones, whichever state is read: what was revoked opens no
 * snapshot either.
 *
 * Denied is AEDB_ACCESS, "permission denied" and nothing else. It comes before
 * everything that depends on what is there: who may see nothing of a project is
 * answered the same whether it exists or not. Wrong arguments (AEDB_INVALID,
 * AEDB_NAME_TOO_LONG) are told first. Who may write a key and not read it still
 * learns from AEDB_NOT_FOUND and AEDB_EXISTS whether it is there.
 *
 * When a commit that revokes has returned, nothing is read or committed by that
 * right any more: each operation is decided by the grants of a state no older than
 * what it reads, and a transaction, whenever its operations were added, by those
 * in force at its place among the commits. A value that was pinned, or opened for
 * reading in parts, stays readable, and a reader may be a stage's base.
 *
 * Ownership, threads and errors as in aedb.h. A caller may be used by several
 * threads. AEDB_NO_MEMORY, AEDB_IO and AEDB_CORRUPT may come from any call.
 */
#ifndef AEDB_ACCESS_H
#define AEDB_ACCESS_H

#include "aedb.h"
#include "aedb_feed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What can be granted. The places that each can be granted on are named; it holds
 * in all that lies beneath. */
enum aedb_right {
	AEDB_OWNER,		/* of a project or scope; one at most, by
				 * aedb_transfer_ownership only: all that the
				 * administrator of it may */
	AEDB_GLOBAL_ADMIN,	/* the database: everything */
	AEDB_PROJECT_ADMIN,	/* a project: everything in it, and to drop it */
	AEDB_SCOPE_ADMIN,	/* a scope: everything in it, and to drop it */
	AEDB_TABLE_DDL,		/* a project: to make, change and drop tables */
	AEDB_TABLE_READ,	/* these three: a project, scope or table */
	AEDB_TABLE_WRITE,
	AEDB_INDEX_READ,	/* to have queries use indexes; without it they
				 * give the same rows, read by key or all */
	AEDB_KV_READ,		/* these two: a project or scope; all keys, or those */
	AEDB_KV_WRITE,		/* that begin with a prefix */
};
#define AEDB_RIGHTS 10
/* "owner", "global-admin", … "kv-write"; NULL: none such. Static. */
const char *aedb_right_name(enum aedb_right right);

#define AEDB_CALLER_BYTES_MAX 128
#define AEDB_GRANT_PREFIX_BYTES_MAX 3800

struct aedb_grant {
	enum aedb_right right;
	struct aedb_place place;
	uint64_t table_id;	/* of the rights on tables: one of the scope's; 0:
				 * all of the place */
	const void *prefix;	/* of AEDB_KV_READ and AEDB_KV_WRITE; no bytes: all
				 * keys */
	size_t prefix_bytes;
};

/* Callers. */

struct aedb_caller;

/* An id is 1 to AEDB_CALLER_BYTES_MAX bytes, copied; "system" is reserved
 * (AEDB_INVALID). It need not be known. Owned; aedb_caller_close, after
 * everything that was opened for it. */
int aedb_caller_open(struct aedb *db, const void *id, size_t id_bytes,
		     struct aedb_caller **ret);
/* The caller that may do everything, at no cost. With options.secure the key that
 * the database was opened with is asked for (AEDB_ACCESS); else it does not count.
 * Owned; aedb_caller_close. */
int aedb_caller_open_system(struct aedb *db, const void *hmac_key,
			    size_t hmac_key_bytes, struct aedb_caller **ret);
/* Takes NULL. */
void aedb_caller_close(struct aedb_caller *caller);

/* Granting: by who administers the place or what it lies in. One commit each. */

/* Nothing changes if it is granted already. AEDB_INVALID (a right that cannot be
 * granted on such a place, a wrong id), AEDB_NAME_TOO_LONG (id or prefix),
 * AEDB_NOT_FOUND (the place or table), AEDB_ACCESS. */
int aedb_grant(struct aedb_caller *by, const struct aedb_grant *grant,
	       const void *to, size_t to_bytes);
/* AEDB_NOT_FOUND also: this was not granted, exactly so. */
int aedb_revoke(struct aedb_caller *by, const struct aedb_grant *grant,
		const void *from, size_t from_bytes);
/* By the owner or a global administrator: the project or scope is owned by
 * somebody else from then on. */
int aedb_transfer_ownership(struct aedb_caller *by, struct aedb_place place,
			    const void *to, size_t to_bytes);

/* A grant that was given out. The pointers lead into the struct. */
struct aedb_granted {
	struct aedb_grant grant;
	const void *caller;
	size_t caller_bytes;
	const void *granted_by;	/* no bytes: the system */
	size_t granted_by_bytes;
	int64_t time_ns;	/* of its commit, since 1970 */
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	uint8_t key[4096];	/* the library's: where the list goes on */
	size_t key_bytes;
	uint8_t by[AEDB_CALLER_BYTES_MAX];
};
/* The next one of those that `by` administers the place of, or that were granted
 * to itself, behind *granted, which is filled in anew; key_bytes 0: the first. In
 * order of callers. It is not one state that is listed. AEDB_NOT_FOUND at the
 * end. */
int aedb_grants_next(struct aedb_caller *by, struct aedb_granted *granted);

/* Working as a caller. */

/* As aedb_scope_open and aedb_scope_open_at (snapshot NULL: the newest state).
 * AEDB_ACCESS: it may see nothing of the scope; AEDB_NOT_FOUND: something is
 * granted to it on the project, and there is no such scope. The caller's rights
 * are computed when the handle is first used, and when grants changed since: else
 * an operation costs the comparison of two numbers, and where only prefixes are
 * granted a binary search among them. The handle may be used as any other:
 *  - aedb_get, aedb_stat, aedb_reader_open, read sets, assertions and computations
 *    that give a result need AEDB_KV_READ of the key; writes AEDB_KV_WRITE.
 *  - Moving a key needs both on the key that goes, and AEDB_KV_WRITE on the
 *    one that comes to be; exchanging needs both on both.
 *  - A scan gives the keys of its range that may be read, exactly these, and ends
 *    where they end; who may read nothing of the scope is denied. Once grants are
 *    revoked that it needs the next call on it is denied.
 *  - The read set of a range is of the keys that may be read.
 *  - Rows are read with AEDB_TABLE_READ of their table, written with
 *    AEDB_TABLE_WRITE, which reads none, and tables made, changed, renamed and
 *    dropped with AEDB_TABLE_DDL. Who has one of the three sees the table: it is
 *    listed, opened, and its schema told. A cursor goes on for who may use indexes
 *    as it was given to, or may not. Rights that a query needs are asked for at
 *    each row.
 *  - A record of aedb_scope_dirs is read as a key. Writing it needs AEDB_KV_WRITE
 *    of all keys that begin with its path and a slash, raising its times of
 *    some. */
int aedb_scope_open_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot, const char *project,
		       const char *name, struct aedb_scope **ret);
/* A caller's handle of a scope that somebody has open without one, whatever is
 * granted. Owned; aedb_scope_close. */
int aedb_scope_as(struct aedb_caller *caller, struct aedb_scope *scope,
		  struct aedb_scope **ret);
/* Whether the handle's caller has a right: 0, or AEDB_ACCESS. Of the rights on
 * tables the key is the table's id, 8 bytes, the highest first; no bytes: all. Of
 * AEDB_SCOPE_ADMIN it does not count. */
int aedb_scope_may(struct aedb_scope *scope, enum aedb_right right,
		   const void *key, size_t key_bytes);
/* Whether it has the right for a key that begins with these bytes: what leads
 * there may be shown. */
int aedb_scope_may_beneath(struct aedb_scope *scope, enum aedb_right right,
			   const void *prefix, size_t prefix_bytes);
/* A program that asks before it does something tells that it refused: that counts
 * as if a call had been refused, which asking does not. */
void aedb_note_denied(struct aedb *db);

/* A transaction in which handles of this caller are used, and no others
 * (AEDB_INVALID). A transaction that was begun without is its, too, once a handle
 * of it is used. Operations on places need: making a project AEDB_GLOBAL_ADMIN;
 * making a scope, or renaming one, administration of the project, of both of
 * them; renaming a project AEDB_GLOBAL_ADMIN; dropping and setting attributes,
 * administration of the place. That is decided by the commit only. Who makes a
 * project or scope owns it. */
int aedb_txn_begin_as(struct aedb_caller *caller, struct aedb_txn **ret);
/* A batch whose transactions are this caller's. What it writes is decided once more
 * when it is committed. */
int aedb_batch_begin_as(struct aedb_caller *caller, struct aedb_batch **ret);

/* Who is to own a project or scope that this transaction, which is nobody's, makes
 * (behind aedb_txn_create). AEDB_INVALID, AEDB_NOT_FOUND: it does not make it. */
int aedb_txn_set_owner(struct aedb_txn *txn, struct aedb_place place,
		       const void *owner, size_t owner_bytes);

/* What was written into a batch that is nobody's, by whichever handles, is decided
 * at its commit by what this caller may, who owns what it makes. Borrowed until the
 * batch ends. */
void aedb_batch_set_caller(struct aedb_batch *batch,
			   struct aedb_caller *caller);
/* Who is to own all that a batch, which is nobody's, makes. */
int aedb_batch_set_owner(struct aedb_batch *batch, const void *owner,
			 size_t owner_bytes);

/* As aedb_place_stat and aedb_place_next, of what the caller may see: a place on
 * which, in which or around which something is granted to it. The database itself
 * everybody sees. */
int aedb_place_stat_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot,
		       struct aedb_place place, struct aedb_entry *ret);
int aedb_place_next_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot, const char *project,
		       const char *after, struct aedb_entry *ret);
/* Whether it has a right now on all of a place, which is looked up in the snapshot, or
 * for NULL now: 0, AEDB_ACCESS or AEDB_NOT_FOUND. It has all on what a batch makes whose
 * view the snapshot is, and that is decided by what the caller may. */
int aedb_place_may(struct aedb_caller *caller,
		   const struct aedb_snapshot *snapshot,
		   struct aedb_place place, enum aedb_right right);

/* As aedb_feed_open, of what the caller may read when it is told: changes of
 * places only global administrators; of a move or exchange that goes from or to
 * where it may not read only the part that it may, as a deletion, or as a put of 0
 * bytes. */
int aedb_feed_open_as(struct aedb_caller *caller, aedb_seq_t from,
		      struct aedb_feed **ret);

#ifdef __cplusplus
}
#endif

#endif
