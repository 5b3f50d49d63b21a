/*
 * A line of a listing: what `ls` and `scan` print of a key, a directory, a
 * scope or a project.
 *
 * Threads: one.
 */
#ifndef LISTING_H
#define LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "aedb.h"
#include "output.h"

struct listing {
	enum output_keys keys;
	bool is_long;
	bool has_values;
};

/* An item; what is not known is zero. */
struct listing_item {
	const char *type;	/* "key", "directory", "scope", …; static */
	const char *member;	/* of the name, in JSON; static */
	const void *name;
	size_t name_bytes;
	const struct aedb_entry *entry;	/* in a database, or */
	const struct stat *st;		/* in a mount */
};

/* A directory's, project's or scope's name is printed with a slash behind. */
int listing_print(const struct listing *listing,
		  const struct listing_item *item);
/* The parts of it, for a line that goes on: the text before the end of the
 * line, and the object. NULL: not enough memory, which is recorded. */
void listing_print_text(const struct listing *listing,
			const struct listing_item *item);
json_t *listing_object(const struct listing_item *item);

#endif
