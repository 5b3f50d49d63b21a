/*
 * JSON that is dumped: schemas and rows of tables, in their lines, or in parts.
 *
 * Threads: one.
 */
#ifndef DUMP_JSON_H
#define DUMP_JSON_H

#include "dump_source.h"

/* Writes the line of a table or row with this text, and the parts that follow. */
int dump_json_put(struct dump_line *line, const char *text, size_t n,
		  struct dump_output *output);

#endif
