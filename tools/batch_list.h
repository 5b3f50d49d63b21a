/* The open batches of a mounted database, a line each. Threads: one. */
#ifndef BATCH_LIST_H
#define BATCH_LIST_H

#include <stdbool.h>

#include "aedb.h"

/* What .status says of one. */
struct batch_line {
	char name[AEDB_NAME_BYTES_MAX + 1];
	unsigned uid;
	long long age_seconds, changes, bytes;
};
/* False: the line is about something else. */
bool batch_line_parse(const char *line, struct batch_line *ret);

/* Prints name, owner, age and changes of each in the mount whose root this is;
 * the path is for messages. */
int batch_list_print(const char *path, const char *root);

#endif
