/*
 * The commands that make and verify backups.
 *
 * Threads: any, without the tree lock; a command takes as long as the copying.
 * Errors: as of aedb_backup.h; -EBADMSG: the backup is damaged.
 */
#ifndef CONTROL_BACKUP_H
#define CONTROL_BACKUP_H

#include <stdatomic.h>

#include "aedb_backup.h"
#include "control_command.h"
#include "control_record.h"

struct control_backup_job {
	struct aedb *db;
	const char *directory;		/* of backups; borrowed */
	struct aedb_backup_key key;
	struct control_records *records;
	uint64_t number;		/* the command's, in the records */
	const atomic_bool *is_ending;	/* the mount; then so does the command */
	char words[CONTROL_RECORD_BYTES];
	char *lines;			/* a longer answer; owned by the caller: free.
					 * NULL: none */
};

/* VERB_BACKUP_…, VERB_ESTIMATE_… */
int control_backup(struct control_backup_job *job,
		   const struct control_command *command);

#endif
