/*
 * A manifest file read edit by edit.
 *
 * Calling sequence: manifest_reader_open, manifest_reader_next until it says 0,
 * manifest_reader_close. Nothing is written.
 * Threads: a reader belongs to one thread.
 * Errors: AEDB_CORRUPT naming file and offset, AEDB_ACCESS (signed, and the key
 * is missing or another), AEDB_NEWER_FORMAT, AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef MANIFEST_READ_H
#define MANIFEST_READ_H

#include "manifest_record.h"

enum manifest_trust {
	MANIFEST_SIGNED,	/* signed if there is a key, and only then */
	MANIFEST_ANY,		/* to look at */
};

struct manifest_reader;

struct manifest_read_edit {
	uint64_t number;		/* from 1 */
	uint64_t offset;		/* in the file */
	const uint8_t *payload;		/* borrowed until manifest_reader_close */
	size_t payload_bytes;
};

/* Loads the whole file. AEDB_NOT_FOUND when there is none. Owned. */
int manifest_reader_open(struct vfs *vfs, const char *path,
			 struct manifest_key key, enum manifest_trust trust,
			 struct manifest_reader **ret);
/* Takes NULL. */
void manifest_reader_close(struct manifest_reader *r);

/* Borrowed until manifest_reader_close. */
const struct file_header *manifest_reader_header(const struct manifest_reader *r);
/* As many edits are known to have been made durable. */
uint64_t manifest_reader_durable(const struct manifest_reader *r);

/* The next edit: 1, or 0 when there are no more: what may follow was being
 * written when the power failed. */
int manifest_reader_next(struct manifest_reader *r,
			 struct manifest_read_edit *ret);

#endif
