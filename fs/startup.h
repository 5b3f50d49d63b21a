/*
 * How a start ends: the one message of a failed start, the exit status of the
 * process that the user started, and the word that the mount is ready.
 *
 * Calling sequence: startup_begin_foreground or _background; on failure
 * `return startup_fail(…)` where it is found; else startup_ready once the mount
 * answers.
 * Threads: startup_ready and startup_fail from any thread, the first counts.
 */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdbool.h>

/* Exit statuses of the program, the same as aedb's. */
enum exit_status {
	STATUS_OK,
	STATUS_NO,	/* no database, no such directory */
	STATUS_USAGE,	/* wrong option or argument */
	STATUS_FAILED,	/* refused or failed by the system */
	STATUS_BUSY,	/* in use by another process */
	STATUS_DAMAGED,	/* damaged, or of a newer format */
	STATUS_UNKNOWN,	/* writing stopped: see the log */
};

struct startup {
	int pipe_fd;	/* to the starting process; -1: this one is it */
	int is_told;	/* atomic: it knows how it ended */
	bool is_for_mount;	/* constant after open: exits as mount(8) */
};

/* What the starting process exits with: as it is, or in the words of mount(8),
 * which hands on the status of the helper it ran. */
int startup_exit_status(const struct startup *startup, int status);

/* First of all: the standard descriptors that are closed become /dev/null, so
 * that no file of the database gets their numbers, and the log's lines with
 * them. */
bool startup_open_descriptors(void);

/* In the foreground: nothing. Else goes on in a new process, in the background;
 * the starting one waits for its word and exits, and returns from here only
 * when there can be no new process. Returns enum exit_status. */
int startup_begin_foreground(struct startup *ret);
int startup_begin_background(struct startup *ret);

/* Tells what went wrong, without "aedbfs: " before it; returns status. Once the
 * start succeeded: logs it. */
int startup_fail(struct startup *startup, enum exit_status status,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the words of the engine's code rc and its status. */
int startup_fail_engine(struct startup *startup, int rc, const char *what);

/* Lets the starting process exit with 0, and tells systemd. */
void startup_ready(struct startup *startup);
/* Sends a line as sd_notify(3) does; nothing without NOTIFY_SOCKET. */
void startup_notify(const char *state);

#endif
