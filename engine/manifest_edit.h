/*
 * Edits: what is written into a manifest, one for each change of the state.
 *
 * Calling sequence: zero an edit, fill it in (manifest_edit_set for numbers),
 * manifest_edit_encode; manifest_edit_apply takes the bytes into a state.
 * Threads: no state of its own.
 * Errors: as manifest_state.h; AEDB_NEWER_FORMAT for a field that is not known.
 */
#ifndef MANIFEST_EDIT_H
#define MANIFEST_EDIT_H

#include "manifest_state.h"

/* What changes; all pointers are borrowed until it was encoded. A number both
 * removed and added is a segment that goes to another level as it is, a name
 * both removed and added one that another snapshot gets. */
struct manifest_edit {
	uint64_t set;			/* bits of numbers */
	uint64_t numbers[MANIFEST_NUMBERS];
	const struct wal_end *wal_end;	/* NULL: the log is not closed by it */
	const file_id_t *removed;
	size_t n_removed;
	const struct segment_info *added;
	size_t n_added;
	const char *snapshot_removed;	/* NULL: none */
	const struct manifest_snapshot *snapshot_added;
};

/* A number that may not fall keeps its value if that is higher. A log that
 * begins with a file has that file. */
void manifest_edit_set(struct manifest_edit *edit, enum manifest_number which,
		       uint64_t value);
/* The log was closed for good with this newest file, and nothing of it is
 * needed. `end` is borrowed until the edit was encoded. */
void manifest_edit_close_log(struct manifest_edit *edit, file_id_t newest,
			     const struct wal_end *end);

/* Encodes an edit of the state `before`, or a whole state as the edit that
 * makes it. Owned: free. AEDB_NO_MEMORY; AEDB_INVALID for what is no name of a
 * snapshot. */
int manifest_edit_encode(const struct manifest_edit *edit,
			 const struct manifest_state *before, uint8_t **ret,
			 size_t *ret_n);
int manifest_state_encode(const struct manifest_state *state, uint8_t **ret,
			  size_t *ret_n);
/* Takes an edit's payload into the state, which can only be released after an
 * error. */
int manifest_edit_apply(struct manifest_state *state, const uint8_t *payload,
			size_t n);
/* A line for each field. */
void manifest_edit_show(const uint8_t *payload, size_t n, FILE *out);

#endif
