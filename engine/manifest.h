/*
 * The manifest: what the database is, where its log begins, which segments and
 * named snapshots it has.
 *
 * CURRENT holds the name of the manifest in force. A manifest is a file header
 * and edits, the first of which says the whole state and is followed by one for
 * each change since. With a key every edit carries an HMAC-SHA256 over the one
 * before it, so none can be changed, left out or put in.
 *
 * Calling sequence: manifest_create (new database) or manifest_open; the state
 * is read directly; manifest_append changes it; manifest_finish, manifest_close.
 * The first append of an open begins a new file, as does one by which the file
 * would grow too large.
 * Threads: one at a time.
 * Errors: AEDB_NOT_FOUND (no database), AEDB_CORRUPT, AEDB_NEWER_FORMAT,
 * AEDB_ACCESS (signed, and the key is missing or another), AEDB_IO,
 * AEDB_NO_SPACE, AEDB_NO_MEMORY.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "manifest_edit.h"
#include "manifest_record.h"

#define MANIFEST_CURRENT "CURRENT"
#define MANIFEST_FIRST "MANIFEST-1"
#define MANIFEST_FILE_BYTES 32	/* of a manifest's name */

struct manifest;

/* Writes the first manifest, an edit of nothing, and CURRENT, durably; CURRENT
 * comes last, so a crash before leaves no database. */
int manifest_create(struct vfs *vfs, const uint8_t *db_uuid,
		    const struct manifest_edit *edit, struct manifest_key key,
		    struct manifest **ret);
/* The same of a state, into a directory that has none; not durably, and in no
 * order: the caller syncs both files and the directory. */
int manifest_create_of(struct vfs *vfs, const struct manifest_state *state,
		       struct manifest_key key);
/* Reads and validates all of it; writes nothing. */
int manifest_open(struct vfs *vfs, struct manifest_key key,
		  struct manifest **ret);
/* The last append is known durable by the manifest alone, with whatever happens
 * to it later. After a clean end only; does nothing when nothing was appended. */
int manifest_finish(struct manifest *manifest);
/* Takes NULL. */
void manifest_close(struct manifest *manifest);

/* Borrowed until the next append. */
const struct manifest_state *manifest_state(const struct manifest *manifest);
/* The name of the file in force, written into MANIFEST_FILE_BYTES; returns
 * `ret`. */
const char *manifest_file(const struct manifest *manifest, char *ret);
/* When the database was made, and which one it is. Constant; any thread. */
uint64_t manifest_created_us(const struct manifest *manifest);
const uint8_t *manifest_db_uuid(const struct manifest *manifest);

/* Changes the state, durably. AEDB_UNKNOWN: whether it did is known after the
 * next manifest_open only, so what either state refers to has to stay; later
 * appends are AEDB_IO. Every other error leaves all as it was: AEDB_EXISTS and
 * AEDB_NOT_FOUND are of snapshots' names, AEDB_INVALID an edit that does not
 * fit the state. */
int manifest_append(struct manifest *manifest, const struct manifest_edit *edit);

/* Removes manifests that are not in force, left by a crash. */
int manifest_sweep(struct manifest *manifest);

/* A manifest file as text, edit by edit. */
int manifest_file_show(FILE *out, struct vfs *vfs, const char *path);

#endif
