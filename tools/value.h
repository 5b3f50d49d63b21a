/*
 * One value to print, of a database or of a file in a mount, read in parts: it
 * may be larger than the memory.
 *
 * Calling sequence: value_init_reader or value_init_file, value_write_…,
 * value_release. Threads: one.
 */
#ifndef VALUE_H
#define VALUE_H

#include <jansson.h>
#include <stdint.h>

#include "aedb.h"

struct value {
	struct aedb_reader *reader;	/* or NULL, and then */
	int fd;				/* a file that shows one version */
	uint64_t bytes;			/* in advance, for the progress */
	char what[512];			/* for messages; cut if longer */
};

/* The reader becomes the value's. */
void value_init_reader(struct value *value, struct aedb_reader *reader,
		       const char *what);
/* Opens a regular file for reading; the path may be relative to a directory
 * (AT_FDCWD: none). */
int value_init_file(struct value *value, int dirfd, const char *path,
		    const char *what);
void value_release(struct value *value);

/* To standard output: as it is, */
int value_write_raw(struct value *value);
/* quoted where needed, */
int value_write_text(struct value *value);
/* or as the last member of the object, `value` or `value_base64`, which makes
 * a line. Takes the object over, as output_json_line does. */
int value_write_json(struct value *value, json_t *object);

#endif
