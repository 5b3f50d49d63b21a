/*
 * The feed of commits as lines of JSON (feed_json.h), each with the paths of what
 * it is about: "path", "to_path", below the mount's root. Times of directories,
 * which follow from other changes, are left out.
 *
 * Calling sequence: feed_lines_open, feed_lines_read as long as wanted,
 * feed_lines_close. Threads: one at a time. Reads the disk.
 */
#ifndef FEED_LINES_H
#define FEED_LINES_H

#include <stddef.h>

#include "aedb_feed.h"

struct feed_lines;

/* From the commit with this number on, 0: from the first known. Owned. Errors as
 * aedb_feed_open. */
int feed_lines_open(struct aedb *db, aedb_seq_t from, struct feed_lines **ret);
/* Takes NULL. */
void feed_lines_close(struct feed_lines *lines);
/* Up to n bytes of the text; *ret 0: there is no more yet. Errors as
 * aedb_feed_next. */
int feed_lines_read(struct feed_lines *lines, char *buf, size_t n, size_t *ret);

#endif
