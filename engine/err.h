/*
 * The message that goes with an error code, one per thread.
 *
 * Set once, where the error is found: return err_set(AEDB_CORRUPT, "…", …).
 * Threads: the message belongs to the calling thread.
 */
#ifndef ERR_H
#define ERR_H

#include "types.h"

#define ERR_MESSAGE_BYTES 512

/* Keeps the formatted message, cut at ERR_MESSAGE_BYTES; returns code. */
int err_set(int code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* As err_set, with ": " and the system's words for errno value `sys` appended;
 * returns the enum aedb_error that belongs to it. */
int err_set_errno(int sys, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The calling thread's last message; borrowed until its next error. */
const char *err_message(void);
/* The code it was set with; 0: there was none yet, or none since err_clear. */
int err_code(void);
void err_clear(void);

#endif
