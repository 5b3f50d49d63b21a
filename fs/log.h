/*
 * The daemon's one log: standard error in the foreground, else syslog with the
 * facility daemon. Threads: log_open first, then any.
 */
#ifndef LOG_H
#define LOG_H

#include <syslog.h>

enum log_target {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
};

void log_open(enum log_target target);
/* One line; priority is LOG_ERR, LOG_WARNING, LOG_NOTICE or LOG_INFO. */
void log_line(int priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
