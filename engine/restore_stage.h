/*
 * Where a database is restored: beside its place or, where that is an empty
 * directory already, in it, which may be where something is mounted. It appears
 * when it is whole: its directory gets its name, or its CURRENT comes last.
 *
 *	.NAME.restoring/	beside NAME; .restoring/ in it
 *		RESTORING	marks it, and is locked by who works there
 *		db/		the database
 *
 * Calling sequence: restore_stage_look; restore_stage_make, …,
 * restore_stage_finish or restore_stage_drop; restore_stage_release.
 * Threads: no state of its own.
 * Errors: of the vfs; AEDB_EXISTS, AEDB_NOT_EMPTY: the place is taken; AEDB_BUSY:
 * another process restores there.
 */
#ifndef RESTORE_STAGE_H
#define RESTORE_STAGE_H

#include "backup_dir.h"
#include "file_header.h"
#include "vfs.h"

#define RESTORE_STAGE_BYTES BACKUP_STAGE_BYTES	/* of a name */

struct restore_stage {
	struct vfs *place;	/* owned: the directory it lies in */
	char path[RESTORE_STAGE_BYTES];		/* its name there */
	char name[RESTORE_STAGE_BYTES];		/* the database's; "": place itself */
	struct vfs *vfs;	/* owned: its directory; NULL: it is not made */
	struct vfs_file *marker;	/* owned; locked */
	uint64_t token;		/* in the marker */
	struct vfs *to;		/* owned: the database's */
};

/* Whether a database can be made of that name. Changes nothing. */
int restore_stage_look(struct vfs *directory, const char *name,
		       struct restore_stage *ret);
/* Makes an empty directory to restore into, and removes first what a process that
 * was killed left. */
int restore_stage_make(struct restore_stage *stage);
/* What is there, which is durable, becomes the database; durable on return. */
int restore_stage_finish(struct restore_stage *stage);
/* Removes all that was made, and keeps the last message. */
void restore_stage_drop(struct restore_stage *stage);
/* Takes a zeroed one. */
void restore_stage_release(struct restore_stage *stage);

#endif
