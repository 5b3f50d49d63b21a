/* Where the daemon's lines go. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES_MAX 1024

static enum log_target log_target;	/* constant after open */

void log_open(enum log_target target)
{
	log_target = target;
	if (target == LOG_TO_SYSLOG)
		openlog("aedbfs", LOG_PID, LOG_DAEMON);
}

void log_line(int priority, const char *format, ...)
{
	char line[LINE_BYTES_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (log_target == LOG_TO_SYSLOG)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "aedbfs: %s\n", line);
}
