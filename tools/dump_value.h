/*
 * A value that is dumped, of a database or of a file in a mount.
 *
 * Threads: one.
 */
#ifndef DUMP_VALUE_H
#define DUMP_VALUE_H

#include "dump_source.h"

struct dump_value {
	struct aedb_reader *reader;	/* or NULL, and then */
	int fd;				/* a file that shows one version */
	const char *what;		/* for messages */
};

/* Writes the line of an entry with this value, and the parts that follow. */
int dump_value_put(const struct dump_source *source, struct dump_line *line,
		   const struct dump_value *value, struct dump_output *output);

#endif
