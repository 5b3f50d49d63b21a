/*
 * One value file of the set, for the files that read records: values.c,
 * values_read.c, values_check.c.
 *
 * Threads: between values_use_file and values_unuse_file handle and seal stay.
 */
#ifndef VALUES_FILE_H
#define VALUES_FILE_H

#include "seal.h"
#include "values.h"

struct value_file {
	file_id_t number;		/* constant after open */
	struct vfs_file *handle;	/* guarded by files_lock; constant while
					 * there are users */
	struct seal seal;		/* as handle */
	unsigned users;			/* guarded by files_lock */
	uint64_t pins;			/* guarded by files_lock */
	uint64_t last_use;		/* guarded by files_lock */
	bool is_dirty;			/* guarded by files_lock */
};

#define VALUES_PATH_BYTES 32

/* Writes the path of a file, VALUES_PATH_BYTES at most. */
void values_file_path(file_id_t number, char *ret);

/* Gives the file with an open descriptor; values_unuse_file follows.
 * AEDB_CORRUPT when it is missing or not what its name says. */
int values_use_file(struct values *values, file_id_t number,
		    struct value_file **ret);
void values_unuse_file(struct values *values, struct value_file *file);

/* Adds to the thread's message where in the file it was; returns rc. */
int values_file_at(const struct value_file *file, uint64_t offset, int rc);
/* Checks a record read from `offset`, `room` bytes of which are in memory; its
 * payload is then readable in place. */
int values_file_check_record(const struct value_file *file, uint64_t offset,
			     uint8_t *record, uint64_t room,
			     struct value_record_header *ret);

#endif
