/*
 * Versions under an operation's number, and taking them back.
 */
#include <stdlib.h>

#include "apply_inner.h"
#include "branch.h"
#include "db.h"
#include "err.h"

int apply_note(struct apply *apply, struct undo undo)
{
	if (apply->n_undos == apply->n_undos_max) {
		size_t max = apply->n_undos_max ? apply->n_undos_max * 2 : 64;
		struct undo *grown = realloc(apply->undos, max * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for another version");
		apply->undos = grown;
		apply->n_undos_max = max;
	}
	apply->undos[apply->n_undos++] = undo;
	return 0;
}

static void undo_one(struct apply *apply, const struct undo *undo)
{
	struct mem_tree *tree;

	switch (undo->kind) {
	case UNDO_KEY:
		/* it is there: the key was put into it */
		if (space_writable(undo->space, &tree) == 0)
			mem_undo(tree, undo->key, undo->key_bytes);
		space_count(undo->space, -undo->live);
		break;
	case UNDO_SCOPE_MADE:
		atomic_store(&undo->scope->is_committed, false);
		atomic_store(&apply->catalog->wants_reap, true);
		break;
	case UNDO_SCOPE_DROPPED:
		atomic_store(&undo->scope->dropped_seq, SEQ_MAX);
		atomic_fetch_add(&apply->db->keys, apply_scope_keys(undo->scope));
		break;
	case UNDO_SCHEMA:
		atomic_store(&undo->scope->schema_seq, undo->schema_seq);
		break;
	}
}

void apply_undo(struct apply *apply)
{
	while (apply->n_undos)
		undo_one(apply, &apply->undos[--apply->n_undos]);
}

void apply_release(struct apply *apply)
{
	free(apply->undos);
	annex_release(&apply->annex);
}

int apply_newest(struct space *space, const void *key, size_t key_bytes,
		 struct entry *ret)
{
	return space_get_newest(space, &(struct space_sought){
		.key = key, .key_bytes = key_bytes }, ret);
}

/* The files of a value stay until this version is in segments, too. */
static void ref_note(struct apply *apply, const struct entry *entry)
{
	struct values *values = apply->db->values;
	struct value_share *shares;
	struct value_ref ref;
	size_t n;

	if (value_ref_decode(entry->value, entry->value_bytes, &ref) < 0)
		return;
	file_set_note_seq(values_files(values), ref.root.file, apply->seq);
	/* what cannot be read cannot be lost */
	if (ref.is_page || values_load_shares(values, &ref, &shares, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		file_set_note_seq(values_files(values), shares[i].file,
				  apply->seq);
	free(shares);
}

int apply_version(struct apply *apply, struct space *space,
		  struct entry *entry, int live)
{
	struct branch *branch = apply->catalog->branch;
	uint8_t ref[PAGE_REF_BYTES];
	struct mem_tree *tree;
	int rc = branch ? branch_take_value(branch, entry, ref) : 0;

	/* room to take back everything, too */
	if (rc == 0)
		rc = memtable_reserve(space_memtable(space), apply->n_undos + 2,
				      (size_t)entry->key_bytes +
					      entry->value_bytes +
					      entry->attr_bytes);
	if (rc == 0)
		rc = space_writable(space, &tree);
	if (rc < 0)
		return rc;
	rc = apply_note(apply, (struct undo){ .kind = UNDO_KEY, .space = space,
					     .key = entry->key,
					     .key_bytes = entry->key_bytes,
					     .live = live });
	if (rc < 0)
		return rc;
	if (branch)
		branch_count(branch, tree, entry);
	else
		atomic_store_explicit(&space->newest_seq, apply->seq,
				      memory_order_release);
	entry->seq = apply->seq;
	entry->time_us = apply->time_us;
	mem_put(tree, entry);
	space_count(space, live);
	return 0;
}

int apply_version_copied(struct apply *apply, struct space *space,
			 const struct op_key *key, struct entry *entry, int live)
{
	struct entry added;
	int rc;

	entry->key = key->at;
	entry->key_bytes = (uint32_t)key->n;
	rc = apply_version(apply, space, entry, live);
	if (rc == 0 && mem_get(atomic_load(&space->tree), key->at, key->n,
			       SEQ_MAX, &added, NULL))
		apply->undos[apply->n_undos - 1].key = added.key;
	return rc;
}

int apply_version_over(struct apply *apply, struct space *space,
		       struct entry *entry, int live)
{
	if (entry->is_ref && !apply->catalog->branch)
		ref_note(apply, entry);
	return apply_version(apply, space, entry, live);
}

int apply_tombstone(struct apply *apply, struct space *space,
		    const void *key, size_t key_bytes)
{
	struct entry entry = {
		.key = key,
		.key_bytes = (uint32_t)key_bytes,
		.id = apply->seq,
		.mtime_ns = AEDB_MTIME_NONE,
		.is_tombstone = true,
	};

	return apply_version(apply, space, &entry, -1);
}

/* When the value of an entry was last changed. */
static int64_t entry_mtime(const struct entry *entry)
{
	return entry->mtime_ns != AEDB_MTIME_NONE ?
		       entry->mtime_ns :
		       (int64_t)entry->time_us * 1000;
}

void apply_mtime_keep(const struct apply *apply, struct entry *entry)
{
	const struct branch *branch = apply->catalog->branch;

	if (entry->mtime_ns != AEDB_MTIME_NONE)
		return;
	entry->has_own_mtime = branch && entry->seq > branch->base_seq;
	entry->mtime_ns = entry_mtime(entry);
}

void apply_mtime_set(const struct apply *apply, struct entry *entry,
		     const struct op *op)
{
	if (!(op->flags & OP_HAS_MTIME)) {
		apply_mtime_keep(apply, entry);
		return;
	}
	entry->has_own_mtime = false;
	entry->mtime_ns = op->mtime_ns;
}

void apply_attr_set(struct entry *entry, const struct op *op)
{
	if (!(op->flags & OP_HAS_ATTR))
		return;
	entry->attr = op->attr.at;
	entry->attr_bytes = (uint32_t)op->attr.n;
}

void apply_mtime_touch(const struct apply *apply, struct entry *entry)
{
	if (entry->mtime_ns >= (int64_t)apply->time_us * 1000)
		return;
	entry->mtime_ns = AEDB_MTIME_NONE;
	entry->has_own_mtime = false;
}
