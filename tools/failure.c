/*
 * The one message of a failed command.
 *
 * Invariants:
 * 1. A message is one line: control characters in it become '?'.
 * 2. Nothing is printed before failure_report.
 */
#include "failure.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "command.h"
#include "output.h"

static struct failure failure;

static void set_text(char *text, size_t size, const char *format, va_list args)
{
	if (vsnprintf(text, size, format, args) < 0)
		text[0] = '\0';
}

static void set_reason(const char *reason)
{
	snprintf(failure.reason, sizeof(failure.reason), "%s", reason);
}

static enum exit_status status_of_engine(int rc)
{
	switch (rc) {
	case AEDB_NOT_FOUND:
	case AEDB_EXISTS:
	case AEDB_NOT_EMPTY:
		return STATUS_NO;
	case AEDB_CONFLICT:
		return STATUS_CONFLICT;
	case AEDB_INVALID:
	case AEDB_NAME_TOO_LONG:
		return STATUS_USAGE;
	case AEDB_BUSY:
		return STATUS_BUSY;
	case AEDB_CORRUPT:
	case AEDB_NEWER_FORMAT:
		return STATUS_DAMAGED;
	case AEDB_UNKNOWN:
		return STATUS_UNKNOWN;
	default:
		return STATUS_FAILED;
	}
}

static enum exit_status status_of_system(int err)
{
	switch (err) {
	case ENOENT:
	case EEXIST:
	case ENOTEMPTY:
		return STATUS_NO;
	case EINVAL:
	case ENAMETOOLONG:
		return STATUS_USAGE;
	case EBUSY:
		return STATUS_BUSY;
	default:
		return STATUS_FAILED;
	}
}

int failure_engine(int rc, const char *format, ...)
{
	va_list args;

	failure.status = status_of_engine(rc);
	va_start(args, format);
	set_text(failure.what, sizeof(failure.what), format, args);
	va_end(args);
	if (rc == AEDB_NOT_FOUND)
		set_reason("not found");
	else if (*aedb_error_message())
		set_reason(aedb_error_message());
	else
		set_reason(aedb_strerror(rc));
	return rc;
}

int failure_system(int err, const char *format, ...)
{
	va_list args;

	failure.status = status_of_system(err);
	va_start(args, format);
	set_text(failure.what, sizeof(failure.what), format, args);
	va_end(args);
	set_reason(err == ENOENT ? "not found" :
		   err == ENOTCONN || err == ECONNABORTED ?
				     "the daemon of this mount is gone; 'aedb "
				     "umount' takes the mount away" :
				     strerror(err));
	return -err;
}

void failure_explain(const char *reason)
{
	set_reason(reason);
}

int failure_usage(const char *format, ...)
{
	va_list args;

	failure.status = STATUS_USAGE;
	snprintf(failure.what, sizeof(failure.what), "%s", command_current()->name);
	va_start(args, format);
	set_text(failure.reason, sizeof(failure.reason), format, args);
	va_end(args);
	return AEDB_INVALID;
}

int failure_set(enum exit_status status, const char *what, const char *format,
		...)
{
	va_list args;

	failure.status = status;
	snprintf(failure.what, sizeof(failure.what), "%s", what);
	va_start(args, format);
	set_text(failure.reason, sizeof(failure.reason), format, args);
	va_end(args);
	return AEDB_IO;
}

void failure_save(struct failure *ret)
{
	*ret = failure;
}

void failure_restore(const struct failure *from)
{
	failure = *from;
}

static void make_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void report_json(void)
{
	json_t *line = json_pack("{s:i, s:o?, s:o?}", "status",
				 (int)failure.status, "what",
				 json_of_text(failure.what), "reason",
				 json_of_text(failure.reason));

	if (line)
		json_dumpf(line, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(line);
}

enum exit_status failure_report(void)
{
	make_line(failure.what);
	make_line(failure.reason);
	if (output_is_json())
		report_json();
	else
		fprintf(stderr, "aedb: %s: %s\n", failure.what, failure.reason);
	return failure.status;
}
