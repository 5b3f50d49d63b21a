/*
 * Callers, and handles of scopes that were opened for one.
 *
 * A caller's handle has a pair of scopes of its own, by whose `access` it is
 * known: every function that is given a scope looks there first, and goes on with
 * the scope itself (access_scope) once the caller may. What it may is computed when
 * it is asked first, as of some state; commits.grants_seq, the number of the newest
 * operation on grants, tells whether that still counts.
 *
 * Calling sequence: access_open; access_check…; access_close.
 * Threads: any.
 * Errors: AEDB_ACCESS, always by access_denied or access_not_held; what reading segments says.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "access_rights.h"
#include "db.h"

#define ACCESS_BUCKETS 64

struct aedb_caller {
	struct aedb *db;	/* these three are constant */
	bool is_system;
	struct op_bytes id;
	struct lock lock;
	struct access *buckets[ACCESS_BUCKETS];	/* guarded by lock: by scope */
	uint8_t id_bytes[AEDB_CALLER_BYTES_MAX];
};

/* One of a caller for each scope. */
struct access {
	/* What is given out: of their spaces only db and id count. */
	struct aedb_scope planes[2];
	struct aedb_caller *caller;	/* constant: borrowed */
	struct scope_state *state;	/* constant: a handle of it */
	_Atomic(struct rights *) rights;	/* atomic: owned; set under lock */
	struct rights *left;	/* guarded by caller->lock: older ones that readers
				 * may still see */
	struct access *next;	/* guarded by caller->lock, as are all below */
	unsigned int handles;
	uint64_t project_id;	/* where it was found last, and under which name */
	struct catalog_key name;
};

/* Takes over a handle of the state, also on failure. entry_key: of the scope among
 * the catalog's names, or NULL: not known. AEDB_NO_MEMORY. */
int access_open(struct aedb_caller *caller, struct scope_state *state,
		const struct catalog_key *name, struct aedb_scope **ret);
void access_close(struct access *access);

/* The scope that a handle is of. */
static inline struct aedb_scope *access_scope(struct aedb_scope *scope)
{
	return scope->access ? &scope->state->planes[scope->space.id % 2] : scope;
}

/* The stamp of a check that may be out of date at once. */
#define ACCESS_NO_STAMP SEQ_MAX

/* What the caller may in the scope, as of a state no older than any that was
 * visible before the call; *ret_stamp is what commits.grants_seq is as long as that
 * counts. Inside the epoch; borrowed until it is left. *ret NULL: everything, for
 * nobody else knows the scope yet. */
int access_rights(struct access *access, const struct rights **ret,
		  seq_t *ret_stamp);
/* Whether it has the right for the key. */
int access_check(struct access *access, enum aedb_right right, const void *key,
		 size_t n, seq_t *ret_stamp);
/* For code of tables: whether it has one of the rights on tables (table_id 0: on
 * all of them). Unrestricted handles have. A question: it does not count. */
int access_may(struct aedb_scope *scope, enum aedb_right right,
	       uint64_t table_id);

/* What has no caller is refused with options.is_secure. */
static inline int access_check_open(struct aedb *db)
{
	return db->options.is_secure ? access_denied(db) : 0;
}

/* AEDB_INVALID, AEDB_NAME_TOO_LONG. */
int access_id_check(const void *id, size_t n);

/* Whether a check's stamp still counts. */
static inline bool access_counts(const struct aedb *db, seq_t stamp)
{
	return atomic_load_explicit(&db->commits.grants_seq,
				    memory_order_acquire) == stamp;
}

/* What access_check finds mostly, without a search: the right on everything, known
 * already. */
static inline bool access_has_all(struct access *access, enum aedb_right right,
				  seq_t *ret_stamp)
{
	const struct rights *rights = atomic_load_explicit(
		&access->rights, memory_order_acquire);

	if (!rights || !access_counts(access->caller->db, rights->stamp))
		return false;
	*ret_stamp = rights->stamp;
	return rights_hold_all(rights, right);
}

/* What the caller may in a scope as executed. Owned; rights_free. *ret NULL:
 * everything, as above. */
int access_rights_newest(struct aedb *db, struct aedb_caller *caller,
			 uint64_t scope_id, struct rights **ret)
	REQUIRES(db->commits.lock);
/* What it may on a place of these ids, as visible now. Owned; rights_free. */
int access_rights_at(struct aedb_caller *caller,
		     const struct access_where *where, struct rights **ret);

#endif
