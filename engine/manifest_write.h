/*
 * A manifest file being written: its first edit, which is the whole state, and
 * those appended to it.
 *
 * Calling sequence: manifest_writer_create, manifest_writer_sync; then, for each
 * edit, manifest_writer_append and manifest_writer_note; manifest_writer_sync,
 * manifest_writer_close.
 * Threads: one at a time.
 * Errors: AEDB_NO_SPACE, AEDB_NO_MEMORY, AEDB_IO, AEDB_TOO_LARGE: nothing was
 * written that counts. AEDB_UNKNOWN: an edit may or may not be on the disk, and
 * nothing more may be written to this file.
 */
#ifndef MANIFEST_WRITE_H
#define MANIFEST_WRITE_H

#include "manifest_record.h"

struct manifest_writer;

/* Makes the file at `path` anew with one edit, noted; neither content nor name is
 * on the disk on return. header: from file_header_init. Owned. */
int manifest_writer_create(struct vfs *vfs, const char *path,
			   struct file_header *header, struct manifest_key key,
			   const void *payload, size_t payload_bytes,
			   struct manifest_writer **ret);
/* Adds an edit, on the disk on return. */
int manifest_writer_append(struct manifest_writer *w, const void *payload,
			   size_t payload_bytes);
/* Writes down, not yet on the disk, that the last edit is durable. */
int manifest_writer_note(struct manifest_writer *w);
/* All is on the disk, with the last note. */
int manifest_writer_sync(struct manifest_writer *w);
/* Takes NULL. */
void manifest_writer_close(struct manifest_writer *w);

/* Whether an edit more would make it several times what it began with. */
bool manifest_writer_is_grown(const struct manifest_writer *w,
			      size_t payload_bytes);

#endif
