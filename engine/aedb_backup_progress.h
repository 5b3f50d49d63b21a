/* What a long call says of itself while it works: aedb_backup.h, aedb_archive.h. */
#ifndef AEDB_BACKUP_PROGRESS_H
#define AEDB_BACKUP_PROGRESS_H

#include <stdint.h>

struct aedb_backup_progress {
	const char *phase;	/* a word; static */
	uint64_t done_bytes;	/* never falls within a phase */
	uint64_t all_bytes;	/* of the phase; 0: not known */
};

#endif
