/*
 * What went wrong, kept where it was found and reported once by main.
 *
 * Calling sequence: `return failure_…(…)` at the place that found it, which
 * gives the negative code to pass upward; failure_report at the end.
 * Threads: one.
 */
#ifndef FAILURE_H
#define FAILURE_H

#include "aedb.h"

/* Exit statuses of the program. */
enum exit_status {
	STATUS_OK,
	STATUS_NO,	/* not there, already there, or not empty */
	STATUS_USAGE,	/* wrong option, argument or name */
	STATUS_FAILED,	/* refused or failed by the system; output not written */
	STATUS_BUSY,	/* in use by another process */
	STATUS_DAMAGED,	/* damaged, or of a newer format */
	STATUS_UNKNOWN,	/* whether the change survives is not known */
	STATUS_CONFLICT, /* what was changed, others changed meanwhile */
};

/* What is recorded. */
struct failure {
	enum exit_status status;
	char what[1536];
	char reason[1536];
};

/* All record "WHAT: REASON" and return a negative code. The format gives WHAT;
 * the reason is the library's last message, or "not found". */
int failure_engine(int rc, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The reason is that of an errno value; returns -err. */
int failure_system(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Better words for the reason recorded last; copied. */
void failure_explain(const char *reason);
/* WHAT is the running command, the format gives the reason. AEDB_INVALID. */
int failure_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* WHAT is copied, the format gives the reason. AEDB_IO. */
int failure_set(enum exit_status status, const char *what, const char *format,
		...) __attribute__((format(printf, 3, 4)));

/* Hand a failure from one process to another; copied. */
void failure_save(struct failure *ret);
void failure_restore(const struct failure *from);

/* Writes what was recorded to standard error: one line of text, or of JSON
 * after --json. Returns its exit status. */
enum exit_status failure_report(void);

#endif
