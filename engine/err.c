/*
 * Error messages, one buffer per thread.
 *
 * Invariant: 1. err_set may be given the thread's own last message as an
 * argument (wrapping it), so a message is built beside the buffer first.
 * Does not log, print or translate.
 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[ERR_MESSAGE_BYTES];
static _Thread_local int message_code;

static void message_build(char *to, const char *format, va_list args)
{
	if (vsnprintf(to, ERR_MESSAGE_BYTES, format, args) < 0)
		to[0] = '\0';
}

int err_set(int code, const char *format, ...)
{
	char fresh[ERR_MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	message_build(fresh, format, args);
	va_end(args);
	memcpy(message, fresh, sizeof(message));
	message_code = code;
	return code;
}

static int code_of_errno(int sys)
{
	switch (sys) {
	case EPERM:
	case EACCES:
		return AEDB_ACCESS;
	case ENOENT:
		return AEDB_NOT_FOUND;
	case ENOMEM:
		return AEDB_NO_MEMORY;
	case EBUSY:
	case EWOULDBLOCK:
		return AEDB_BUSY;
	case EEXIST:
		return AEDB_EXISTS;
	case ENOTDIR:
		return AEDB_NOT_DIRECTORY;
	case EINVAL:
		return AEDB_INVALID;
	case EFBIG:
		return AEDB_TOO_LARGE;
	case ENOSPC:
	case EDQUOT:
		return AEDB_NO_SPACE;
	case EROFS:
		return AEDB_READ_ONLY;
	case ENAMETOOLONG:
		return AEDB_NAME_TOO_LONG;
	case ENOTEMPTY:
		return AEDB_NOT_EMPTY;
	default:
		return AEDB_IO;
	}
}

int err_set_errno(int sys, const char *format, ...)
{
	char fresh[ERR_MESSAGE_BYTES], words[128];
	size_t n;
	va_list args;

	va_start(args, format);
	message_build(fresh, format, args);
	va_end(args);
	n = strlen(fresh);
	snprintf(fresh + n, sizeof(fresh) - n, ": %s",
		 strerror_r(sys, words, sizeof(words)));
	memcpy(message, fresh, sizeof(message));
	message_code = code_of_errno(sys);
	return message_code;
}

const char *err_message(void)
{
	return message;
}

int err_code(void)
{
	return message_code;
}

void err_clear(void)
{
	message[0] = '\0';
	message_code = 0;
}
