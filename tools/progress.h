/*
 * How far long work has come, on standard error, if that is a terminal; after
 * half a second, and gone at the end.
 *
 * Threads: one at a time.
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

/* For work that prints as it goes on: shown only if standard output is no
 * terminal. */
void progress_init(struct progress *progress, enum progress_unit unit,
		   uint64_t total);
/* For work that prints little, and wipes the line before. */
void progress_init_alone(struct progress *progress, enum progress_unit unit,
			 uint64_t total);
void progress_show(struct progress *progress, uint64_t done);
/* The line goes, so that what is printed next begins one; for good, or until it
 * is shown again. */
void progress_release(struct progress *progress);

#endif
