/*
 * Which backups a state is restored of, and which of their files.
 *
 * Calling sequence: restore_chain_open, restore_chain_find, then
 * restore_files_collect with the place it found; restore_chain_release.
 * Threads: no state of its own.
 * Errors: AEDB_RANGE naming what can be restored; AEDB_NOT_FOUND (a parent),
 * AEDB_CORRUPT, AEDB_NO_MEMORY.
 */
#ifndef RESTORE_CHAIN_H
#define RESTORE_CHAIN_H

#include "restore_shelf.h"

struct restore_chain {
	struct restore_part *at;	/* owned: from the full one to the last;
					 * without the lists of files and snapshots */
	size_t n;
	const struct aedb_backup_key *key;	/* borrowed */
};

/* What is restored: the files of at[base], the logs of those behind it up to
 * at[last], of these the commits up to seq and time_us. */
struct restore_place {
	size_t base, last;
	seq_t seq;
	uint64_t time_us;
};

/* key: borrowed until the chain is released. */
int restore_chain_open(const struct restore_shelf *shelf,
		       const struct restore_entry *last,
		       const struct aedb_backup_key *key,
		       struct restore_chain *ret);
void restore_chain_release(struct restore_chain *chain);
int restore_chain_find(const struct restore_chain *chain,
		       const struct aedb_restore_options *options,
		       struct restore_place *ret);

/* A file, and where it is. */
struct restore_file {
	const struct backup_file *file;
	const struct restore_part *part;
	size_t place;		/* of the one that says so, in the chain */
};

struct restore_files {
	struct restore_file *at;	/* owned; sorted by path */
	size_t n;
	uint64_t bytes;		/* of all */
};

/* Reads the lists of base to last, for good. Each path once, as the newest has it.
 * Owned: free at. AEDB_TOO_LARGE. */
int restore_files_collect(struct restore_chain *chain,
			  const struct restore_place *place,
			  struct restore_files *ret);
/* Whether nothing else lies in the backups that are needed than what they name. */
int restore_names_check(struct restore_chain *chain,
			const struct restore_place *place,
			const struct restore_files *files);

#endif
