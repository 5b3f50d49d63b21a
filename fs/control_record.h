/*
 * What was asked of the mount and how it ended: the last commands, numbered, and
 * the last operations that failed, as lines of text.
 *
 *	command 7 running 2026-11-22T10:00:00.000000000Z uid 0: compact
 *	command 6 failed 2026-… uid 0: snapshot create a: EEXIST: snapshot a exists
 *	command 5 done 2026-… uid 0: checkpoint: checkpoint 4711
 *	failure 3 failed 2026-… uid 1000: write: ENOSPC: No space left on device
 *
 * Threads: any; a lock of its own.
 */
#ifndef CONTROL_RECORD_H
#define CONTROL_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CONTROL_RECORDS 100		/* kept of each kind */
#define CONTROL_PROGRESS_BYTES 32
#define CONTROL_RECORD_BYTES 512	/* of a text; longer ones are cut */

struct control_records;

/* Owned; control_records_free. NULL: no memory. */
struct control_records *control_records_new(void);
/* Takes NULL. */
void control_records_free(struct control_records *records);

/* A command begins; its number, from 1. The text is copied. */
uint64_t control_records_begin(struct control_records *records,
			       const char *text, uid_t uid);
/* It ended: rc 0, or a negative errno value; `words` say what came of it (copied;
 * "": nothing to say). */
void control_records_end(struct control_records *records, uint64_t number,
			 int rc, const char *words);
/* How far the command is, in words (copied); it can be canceled from now on. False:
 * somebody canceled it. */
bool control_records_report(struct control_records *records, uint64_t number,
			    const char *progress);
/* False: it is none that runs and can be canceled so. */
bool control_records_cancel(struct control_records *records, uint64_t number);
/* Whether this is a command of that text that runs. */
bool control_records_is_running(struct control_records *records,
				uint64_t number, const char *text);
/* An operation of the mount failed; `what` is static. */
void control_records_fail(struct control_records *records, const char *what,
			  uid_t uid, int rc, const char *words);

/* The newest first. What is said of a `compact` that runs may be "". */
void control_records_print(struct control_records *records,
			   const char *compacting, FILE *out);

#endif
