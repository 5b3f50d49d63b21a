/*
 * The files that go into an archive.
 *
 * Calling sequence: zeros; archive_list_given or archive_list_all; release.
 * Threads: one. Errors: as aedb_archive_pack.
 */
#ifndef ARCHIVE_LIST_H
#define ARCHIVE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfs.h"

struct archive_file {
	char *path;		/* owned */
	uint64_t bytes;
	bool is_directory;	/* an empty one */
};

struct archive_list {
	struct archive_file *files;	/* owned */
	size_t n;
	uint64_t bytes;			/* of all files */
};

int archive_list_given(struct archive_list *list, struct vfs *vfs,
		       const char *const *paths, size_t n);
/* `last` NULL: none. */
int archive_list_all(struct archive_list *list, struct vfs *vfs,
		     const char *last);
void archive_list_release(struct archive_list *list);

#endif
