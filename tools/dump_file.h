/*
 * A file or directory in a mount as an entry that is dumped: attributes, times and
 * value as the mount shows them.
 *
 * Calling sequence: dump_file_open, dump_file_put, dump_file_release.
 * Threads: one.
 */
#ifndef DUMP_FILE_H
#define DUMP_FILE_H

#include <sys/stat.h>

#include "dump_source.h"

struct dump_file {
	int fd;			/* -1: no regular file and no directory */
	struct stat st;
	struct attr_blob attr;	/* owned */
	char *link;		/* owned; of a symbolic link where it leads */
	const char *what;	/* for messages; borrowed */
};

int dump_file_open(int dirfd, const char *name, const char *what,
		   struct dump_file *ret);
void dump_file_release(struct dump_file *file);
/* Under the bytes that are its name in the database. */
int dump_file_put(const struct dump_source *source, const struct dump_file *file,
		  enum dump_kind kind, const struct aedb_bytes *name,
		  struct dump_output *output);

#endif
