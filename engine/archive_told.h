/*
 * What the caller of an archive's functions is told meanwhile.
 *
 * Threads: one at a time. Errors: AEDB_CANCELED.
 */
#ifndef ARCHIVE_TOLD_H
#define ARCHIVE_TOLD_H

#include "aedb_archive.h"

struct archive_told {
	const struct aedb_archive_options *options;	/* borrowed */
	struct aedb_transfer progress;
};

/* So many bytes more are done; 0: just asks whether to go on. */
int archive_told_bytes(struct archive_told *told, uint64_t bytes);
int archive_told_entry(struct archive_told *told,
		       const struct aedb_archive_entry *entry);

#endif
