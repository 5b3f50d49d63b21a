/*
 * Files of the log: their names, their header, and how one comes to be.
 *
 * A file is prepared under a temporary name with its space reserved, and is
 * published (header written, synced, renamed) when all before its start is
 * durable. So a file under its own name has a valid header and its full size, or
 * it is damaged. Nothing in it is durable before its name is (wal_names_sync).
 *
 * Calling sequence: wal_file_prepare, fill in the header's links,
 * wal_file_publish, wal_names_sync, wal_file_close; or wal_header_read.
 * Threads: no state. Errors: as vfs, and AEDB_CORRUPT, AEDB_NEWER_FORMAT.
 */
#ifndef WAL_FILE_H
#define WAL_FILE_H

#include "file_header.h"
#include "frame.h"
#include "types.h"
#include "vfs.h"
#include "wal_removed.h"

#define WAL_DIRECTORY "wal"
#define WAL_DIGEST_BYTES 32
#define WAL_PATH_BYTES 40
#define WAL_FILE_BYTES_MIN (8ull << 10)
#define WAL_FILE_BYTES_MAX (1ull << 40)

struct wal_header {
	struct file_header base;
	lsn_t start_lsn;	/* of the first frame; all before is durable */
	lsn_t durable_lsn;	/* frames below it were synced before publishing */
	file_id_t prev_number;	/* file that ends at start_lsn; 0: none */
	uint64_t file_bytes;	/* size of the file, header included */
	uint8_t prev_digest[WAL_DIGEST_BYTES];
};

/* Where a log that was closed for good ends: what its next file continues. */
struct wal_end {
	lsn_t lsn;
	uint8_t digest[WAL_DIGEST_BYTES];	/* of the last file */
};

/* A log file being written. */
struct wal_file {
	struct vfs_file *file;	/* owned */
	struct wal_header header;
	struct seal seal;
};

/* Writes "wal/N.wal" into WAL_PATH_BYTES; returns `ret`. */
const char *wal_path(file_id_t number, char *ret);
/* The number in a name of the log directory; 0 if it is no log file's. */
file_id_t wal_name_number(const char *name);

void wal_header_encode(const struct wal_header *header, uint8_t *ret);
/* Reads and validates the header; db_uuid NULL takes any database's. */
int wal_header_read(struct vfs_file *file, const uint8_t *db_uuid,
		    struct wal_header *ret);
/* Of a file that may not be there, or be damaged, without harm: 1, or 0. */
int wal_header_look(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		    struct wal_header *ret);
void wal_header_show(FILE *out, const struct wal_header *header);

/* Where a frame stands in its file. */
static inline uint64_t wal_offset(const struct wal_header *header, lsn_t lsn)
{
	return FILE_DATA_OFFSET + (lsn - header->start_lsn);
}

/* Creates the temporary file with file_bytes reserved. Owned by the caller,
 * wal_file_close or wal_file_discard. AEDB_NO_SPACE leaves nothing behind. */
int wal_file_prepare(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		     uint64_t file_bytes, struct wal_file *ret);
/* Writes zeros to blocks of it that were only reserved, so that they are in use
 * on the disk once they are synced (docs/decisions/0007). */
int wal_file_fill(struct wal_file *file, uint64_t from, uint64_t to);
/* Everything written to it and its header become durable, and it gets its name,
 * which outlives the process, and a power cut from wal_names_sync on. */
int wal_file_publish(struct wal_file *file);
int wal_names_sync(struct vfs *vfs);
void wal_file_close(struct wal_file *file);
/* Closes and removes a file that was not published. */
void wal_file_discard(struct wal_file *file);

/* Removes what a crash left of files that were never published. */
int wal_files_sweep(struct vfs *vfs);
/* Removes published files of numbers below that of `number`, which is there, but
 * for those that lead to it with keep_bytes of frames at most; what was reserved in
 * these and not used is given back. Those removed stay in `removed`. */
int wal_files_remove_before(struct vfs *vfs, const uint8_t *db_uuid,
			    file_id_t number, uint64_t keep_bytes,
			    struct wal_removed *removed);

#endif
