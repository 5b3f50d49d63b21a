/*
 * How far long work has come, on standard error, if that is a terminal and
 * standard output is none; after half a second, and gone at the end.
 *
 * Threads: one.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum progress_unit {
	PROGRESS_BYTES,
	PROGRESS_KEYS,
};

struct progress {
	enum progress_unit unit;
	uint64_t total;		/* 0: not known */
	int64_t next_ns;	/* when to print again */
	bool is_shown;		/* to anybody */
	bool has_line;		/* to be wiped */
};

void progress_init(struct progress *progress, enum progress_unit unit,
		   uint64_t total);
void progress_show(struct progress *progress, uint64_t done);
void progress_release(struct progress *progress);

#endif
