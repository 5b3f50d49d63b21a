/*
 * Where a dump goes: standard output, or a file that is there when it is whole.
 *
 * Calling sequence: dump_output_open, dump_output_head, dump_output_line…,
 * dump_output_finish; dump_output_release in any case.
 * Threads: one.
 */
#ifndef DUMP_OUTPUT_H
#define DUMP_OUTPUT_H

#include <stdio.h>

#include "dump_check.h"
#include "progress.h"

struct dump_output {
	FILE *out;
	const char *path;	/* NULL: standard output */
	char *temporary;	/* its name until it is whole; NULL: none */
	char *text;		/* of one line */
	struct dump_sum sum;
	uint64_t bytes;
	struct progress progress;
};

int dump_output_open(const char *path, struct dump_output *ret);
/* The first line; takes the object over, NULL being a failure to make it. */
int dump_output_head(struct dump_output *output, json_t *head);
int dump_output_line(struct dump_output *output, const struct dump_line *line);
/* The last line; then all of it is on the disk, if that is where it goes. */
int dump_output_finish(struct dump_output *output);
/* What is not finished is gone. */
void dump_output_release(struct dump_output *output);

#endif
