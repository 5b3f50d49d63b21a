/*
 * What the key spaces of a batch share: they lie over those of the database, and
 * hold what the batch changed.
 *
 * Values that would not lie beside their keys go to value files as soon as the
 * batch takes them, and stay there when it is committed. Until then the files
 * its versions refer to are pinned, for nothing in the database names them.
 *
 * Calling sequence: branch_init; branch_prepare before each payload is applied;
 * branch_release.
 * Threads: as of a batch, one at a time.
 * Errors: AEDB_NO_MEMORY, and those of writing value files.
 */
#ifndef BRANCH_H
#define BRANCH_H

#include "memtable.h"
#include "values.h"

struct aedb;

struct branch {
	struct aedb *db;		/* these two are constant */
	seq_t base_seq;			/* of what shows beneath; held */
	struct memtable *memtable;	/* owned; NULL: nothing was written */
	uint64_t changes, bytes;	/* keys in it, and what they are charged for */
	uint64_t value_bytes;		/* written to value files */
	uint64_t charged_bytes;		/* of memory, to the database */
	/* owned: */
	struct value_extent *extents;	/* what it wrote, neighbours joined */
	size_t n_extents, extents_max;
	file_id_t *files;		/* pinned; ascending */
	size_t n_files, files_max;
};

void branch_init(struct branch *branch, struct aedb *db, seq_t base_seq);
/* Returns the memtable, which is the caller's then, or NULL: readers that are in
 * the epoch may still be in it. */
struct memtable *branch_release(struct branch *branch);

/* Makes sure that there is a memtable. */
int branch_prepare(struct branch *branch);
/* Says to the database how much memory it has now. */
void branch_charge(struct branch *branch);

/* Keeps a file that the caller knows to be there, once. */
int branch_pin(struct branch *branch, file_id_t file);
/* Value bytes that are not yet in any log. */
int branch_note_extent(struct branch *branch,
		       const struct value_extent *extent);
/* Before an entry is put: keeps the files its value lies in; a value that is too
 * large to lie beside its key is stored, and ref, which has PAGE_REF_BYTES, is the
 * entry's value then. Inside the epoch. */
int branch_take_value(struct branch *branch, struct entry *entry,
		      uint8_t *ref);
/* Counts an entry that is about to be put into this tree. */
void branch_count(struct branch *branch, struct mem_tree *tree,
		  const struct entry *entry);

#endif
