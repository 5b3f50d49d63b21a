/*
 * Permissions where operations are executed: whether a caller's operation on a
 * project or scope is let pass, and what becomes of grants.
 *
 * Threads: as apply.h.
 */
#ifndef ACCESS_APPLY_H
#define ACCESS_APPLY_H

#include "apply_inner.h"
#include "db.h"

/* The operation being executed changes grants: whatever was computed of them
 * before does not count once it is visible. */
static inline void access_apply_note(struct apply *apply)
{
	if (!apply->catalog->branch)
		atomic_store_explicit(&apply->db->commits.grants_seq,
				      apply->seq, memory_order_release);
}

/* Whether apply->caller may do this to places. AEDB_ACCESS; and what reading
 * segments says. */
int access_apply_check(struct apply *apply, const struct op *op);

/* A project or scope goes, and what was granted on it, or on tables of it, too. */
int access_apply_drop(struct apply *apply, uint64_t object);
/* A table of a scope that stays. */
int access_apply_drop_table(struct apply *apply, uint64_t scope, uint64_t table);

#endif
