/*
 * The names that were seen in an archive: no two files have one path, and no file
 * is another's directory.
 *
 * Calling sequence: zeros; archive_names_add for each entry; release.
 * Threads: one. Memory: 16 bytes a name, up to AEDB_ARCHIVE_ENTRIES_MAX of them.
 * Errors: AEDB_CORRUPT, AEDB_TOO_LARGE, AEDB_NO_MEMORY.
 */
#ifndef ARCHIVE_NAMES_H
#define ARCHIVE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive_name;

struct archive_names {
	struct archive_name *slots;	/* owned; a power of two of them */
	size_t n, slots_n;
};

/* Adds an entry's path, valid by archive_path_check, and the directories above
 * it, of which the entry may be one only if it was none before. */
int archive_names_add(struct archive_names *names, const char *path);
void archive_names_release(struct archive_names *names);

#endif
