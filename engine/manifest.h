/*
 * The manifest: what the database is and where its log begins.
 *
 * CURRENT holds the name of the manifest in force. A manifest is a file header
 * and a sealed edit that says the whole state. With a key the edit carries an
 * HMAC-SHA256, so it cannot be changed.
 *
 * Calling sequence: manifest_create (new database) or manifest_open; the
 * state is read directly; manifest_record writes the next; manifest_close.
 * Threads: one at a time.
 * Errors: AEDB_NOT_FOUND (no database), AEDB_CORRUPT, AEDB_NEWER_FORMAT,
 * AEDB_ACCESS (signed, and the key is missing or another), AEDB_IO,
 * AEDB_NO_SPACE.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdio.h>

#include "file_header.h"
#include "types.h"

#define MANIFEST_CURRENT "CURRENT"

struct manifest_key {
	const void *bytes;	/* NULL: unsigned; borrowed until manifest_close */
	size_t n;
};

struct manifest_state {
	uint8_t db_uuid[FILE_UUID_BYTES];
	uint64_t created_us;
	file_id_t wal_first;	/* the log begins with this file */
	file_id_t wal_newest;	/* known to exist */
	bool was_permissive;	/* opened permissively over damage, once or more */
};

struct manifest;

/* Writes the first manifest and CURRENT, durably; CURRENT comes last, so a
 * crash before leaves no database. */
int manifest_create(struct vfs *vfs, const struct manifest_state *state,
		    struct manifest_key key, struct manifest **ret);
int manifest_open(struct vfs *vfs, struct manifest_key key,
		  struct manifest **ret);
/* Takes NULL. */
void manifest_close(struct manifest *manifest);

/* Borrowed until manifest_close. */
const struct manifest_state *manifest_state(const struct manifest *manifest);

/* Writes a manifest with this state and makes CURRENT name it, durably. */
int manifest_record(struct manifest *manifest,
		    const struct manifest_state *state);

/* A manifest file as text. */
int manifest_file_show(FILE *out, struct vfs *vfs, const char *path);

#endif
