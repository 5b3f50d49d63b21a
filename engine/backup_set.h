/*
 * All backups of a directory: what each is, and which others it needs.
 *
 * Calling sequence: backup_set_load, …, backup_set_release.
 * Threads: constant once loaded.
 * Errors: of the vfs, AEDB_NO_MEMORY; what is wrong with a single backup is no
 * error, it is its reason.
 */
#ifndef BACKUP_SET_H
#define BACKUP_SET_H

#include "backup_dir.h"

#define BACKUP_REASON_BYTES 256

struct backup_entry {
	char name[MANIFEST_NAME_BYTES_MAX + 1];	/* of its directory */
	enum aedb_backup_state state;
	char reason[BACKUP_REASON_BYTES];	/* of one that is broken, */
	int code;				/* and its error */
	bool has_manifest;	/* of a broken one, too, when it could be read */
	struct backup_manifest m;	/* of a set's without files and snapshots,
					 * unless backup_files.h read them */
	uint64_t files, bytes;	/* of all that it names, */
	uint64_t stored_bytes;	/* and of what is its own */
	bool has_stored;	/* there are others than its own */
	struct backup_entry *parent;	/* NULL: none, or not there, or which one it
					 * is is not known */
	bool is_judged;			/* while loading */
};

struct backup_set {
	struct backup_entry *at;	/* owned; oldest first, those without a
					 * manifest last */
	size_t n;
	struct backup_entry **by_id;	/* owned: those with one, sorted */
	size_t n_ids;
};

/* Reads what describes the backups in a directory. A finished one is not broken
 * as far as that tells: its parents are there, in order, and have the files that
 * it says they have. Owned: backup_set_release. */
int backup_set_load(struct vfs *dir, const struct aedb_backup_key *key,
		    struct backup_set *ret);
/* Takes a zeroed one. */
void backup_set_release(struct backup_set *set);

/* By the name of the directory, and by id, of those with a manifest; of several with
 * one id, which are copies, the one that has the name it was made with. NULL: there
 * is none, or which is meant is not known. Borrowed. */
struct backup_entry *backup_set_find(const struct backup_set *set,
				     const char *name);
struct backup_entry *backup_set_find_id(const struct backup_set *set,
					const char *id);
/* A finished backup and all it needs, the full one first. Owned (free). */
int backup_set_chain(struct backup_entry *entry, struct backup_entry ***ret,
		     size_t *ret_n);
/* Sets files, bytes and stored_bytes, of which the manifest must have the list. */
void backup_entry_count(struct backup_entry *entry);
void backup_info_fill(const struct backup_entry *entry,
		      struct aedb_backup_info *ret);

#endif
