/*
 * What apply.c and apply_place.c make of operations: versions, noted so that they
 * can be taken back.
 *
 * Threads: as apply.h.
 */
#ifndef APPLY_INNER_H
#define APPLY_INNER_H

#include "apply.h"

/* Notes what is about to be done. AEDB_NO_MEMORY: it is not to be done. */
int apply_note(struct apply *apply, struct undo undo);

/* The key space an operation names. AEDB_NOT_FOUND, AEDB_NO_MEMORY. */
int apply_space_find(struct apply *apply, uint64_t id, struct space **ret);

/* Does what the transaction wants done before the operation, which begins at
 * `start` of its payload and may be changed by that, or (NULL) at the end
 * (apply_guard.c). AEDB_ASSERTION, AEDB_RANGE, AEDB_NOT_FOUND, AEDB_INVALID, and
 * what reading says. */
int apply_guards(struct apply *apply, const uint8_t *start, struct op *op);

struct lookup {
	struct space *space;
	const struct op_key *key;
	unsigned int parts;	/* annex.h */
	uint64_t absent;	/* a stamp of levels that lack the key, or 0 */
};

/* What the annex of a payload that is repeated says, or memory (apply_look.c). */
int apply_look_again(struct apply *apply, const struct lookup *lookup,
		     struct entry *ret);

/* The key as it is now: 1, or 0 if it is not there. Of what it finds the parts
 * are in *ret and the sizes of the others: a payload that is executed once more
 * knows no more of it. */
static inline int apply_look(struct apply *apply, const struct lookup *lookup,
			     struct entry *ret)
{
	/* the catalog's are few */
	bool is_noted = lookup->space->id >= SPACE_SCOPES_FIRST;
	int rc;

	if (apply->found && is_noted)
		return apply_look_again(apply, lookup, ret);
	rc = space_get_newest(lookup->space, &(struct space_sought){
		.key = lookup->key->at, .key_bytes = lookup->key->n,
		.wanted = lookup->parts & ANNEX_VALUE ? ENTRY_WHOLE : ENTRY_SIZES,
		.absent = lookup->absent }, ret);
	if (rc > 0 && ret->seq <= apply->below_seq && is_noted)
		annex_add(&apply->annex, ret, lookup->parts);
	else
		apply->annex.passed += is_noted;
	return rc;
}

/* The same, all of it, and no annex says it: what segments have is read again
 * when the operation is repeated. */
int apply_newest(struct space *space, const void *key, size_t key_bytes,
		 struct entry *ret);
/* Adds a version under the operation's number and notes it, and by how much it
 * changes the number of live keys. The entry's key must live as long as the
 * payload. */
int apply_version(struct apply *apply, struct space *space,
		  struct entry *entry, int live);
/* The same of a key in a buffer that will not last: the note takes the memtable's
 * copy. */
int apply_version_copied(struct apply *apply, struct space *space,
			 const struct op_key *key, struct entry *entry,
			 int live);
/* As apply_version, of one whose value the operation does not list: the files it lies in
 * stay until this version, too, is in segments. */
int apply_version_over(struct apply *apply, struct space *space,
		       struct entry *entry, int live);
int apply_tombstone(struct apply *apply, struct space *space, const void *key,
		    size_t key_bytes);

/* Another version of an object keeps when its value was last changed. */
void apply_mtime_keep(const struct apply *apply, struct entry *entry);
/* The same, unless the operation says when. */
void apply_mtime_set(const struct apply *apply, struct entry *entry,
		     const struct op *op);
/* A new time; an mtime set ahead of it stays. */
void apply_mtime_touch(const struct apply *apply, struct entry *entry);
/* The operation's attributes, if it has any. */
void apply_attr_set(struct entry *entry, const struct op *op);

/* AEDB_EXISTS, of a key of a table that is there already: which row or index it is
 * (apply_table.c). */
int apply_row_exists(struct space *space, const struct op_key *key);

/* Operations on projects, scopes and tables (apply_place.c). */
int apply_create(struct apply *apply, const struct op *op);
int apply_drop(struct apply *apply, const struct op *op);
int apply_rename(struct apply *apply, const struct op *op);
int apply_place_attr(struct apply *apply, const struct op *op);
int apply_place_touch(struct apply *apply, const struct op *op);

/* Keys of a scope, those of directories not among them. */
static inline uint64_t apply_scope_keys(struct scope_state *state)
{
	return atomic_load(&state->planes[PLANE_KEYS].space.live);
}

#endif
