/*
 * Page files (aedb.h) on any vfs.
 *
 * Calling sequence: pages_open, then the functions of aedb.h.
 * Threads: any. One lock over appending; reading takes none, and what it can
 * see has been written completely.
 */
#ifndef PAGES_H
#define PAGES_H

#include <stdio.h>

#include "aedb.h"
#include "vfs.h"

/* As aedb_pages_open, below the directory of `vfs`, which is borrowed until
 * aedb_pages_close. */
int pages_open(struct vfs *vfs, const char *name,
	       const struct aedb_pages_options *options,
	       struct aedb_pages **ret);

/* Prints the header, and a line for each page, whatever state it is in. */
int pages_show_file(struct vfs *vfs, const char *name, FILE *out);

#endif
