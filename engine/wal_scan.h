/*
 * Finding the files of a log and how far it is known durable.
 *
 * Calling sequence: wal_scan_open, use the fields, wal_scan_release.
 * Threads: no state beside the struct. Errors: see wal_read.h.
 */
#ifndef WAL_SCAN_H
#define WAL_SCAN_H

#include "wal_read.h"

struct wal_scan {
	enum wal_read_mode mode;
	struct wal_header *files;	/* owned; oldest first, each continues the last */
	size_t files_n;
	file_id_t newest;	/* largest number in the directory or the manifest */
	lsn_t durable;		/* all below was synced */
	lsn_t frames_end;	/* behind the last good frame, past bad ones too */
	char **findings;	/* owned */
	size_t findings_n;
};

/* Reads the directory, the headers and the newest file. Nothing to release on
 * failure. */
int wal_scan_open(struct vfs *vfs, const struct wal_read_options *options,
		  struct wal_scan *ret);
void wal_scan_release(struct wal_scan *scan);

/* Keeps a message. AEDB_NO_MEMORY. */
int wal_scan_note(struct wal_scan *scan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Damage: AEDB_CORRUPT with the message when strict, else keeps it: 0. */
int wal_scan_damage(struct wal_scan *scan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
