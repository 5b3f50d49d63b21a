/*
 * What verifying finds, and how far it has come.
 *
 * Calling sequence: fill in out and progress, the rest zero; then any calls.
 * Threads: one; progress is read by others. Errors: none of their own.
 */
#ifndef VERIFY_FIND_H
#define VERIFY_FIND_H

#include <stdio.h>

#include "aedb.h"

struct verify_findings {
	FILE *out;			/* borrowed */
	struct aedb_progress *progress;	/* borrowed; NULL: nobody looks */
	struct aedb_verify_report report;
};

/* A line about damage. */
void verify_find(struct verify_findings *f, const char *path, uint64_t position,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same from the thread's message, after rc, which may name another place in
 * `path` or elsewhere than its beginning. 0; or rc, if that says nothing of the
 * file: AEDB_NO_MEMORY. */
int verify_find_error(struct verify_findings *f, const char *path, int rc);
/* A line about what harms nobody; verify_note_message: words as the engine's
 * messages are. */
void verify_note(struct verify_findings *f, const char *path, const char *what);
void verify_note_message(struct verify_findings *f, const char *path,
			 const char *message);

/* So many bytes more are to be read, or were. */
void verify_expect(struct verify_findings *f, uint64_t bytes);
void verify_advance(struct verify_findings *f, uint64_t bytes);

#endif
