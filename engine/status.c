/*
 * What the database says of itself: numbers, the words of errors.
 */
#include "db.h"
#include "err.h"

uint64_t aedb_reserve_id(struct aedb *db)
{
	return atomic_fetch_add(&db->commits.next_seq, 1);
}

aedb_seq_t aedb_visible_seq(const struct aedb *db)
{
	return db_visible(db);
}

int aedb_error_code(void)
{
	return err_code();
}

void aedb_error_clear(void)
{
	err_clear();
}

const char *aedb_error_message(void)
{
	return err_message();
}

const char *aedb_strerror(int code)
{
	switch ((enum aedb_error)code) {
	case AEDB_OK:
		return "success";
	case AEDB_NOT_FOUND:
		return "not found";
	case AEDB_IO:
		return "input/output error";
	case AEDB_NO_MEMORY:
		return "out of memory";
	case AEDB_QUEUE_FULL:
		return "too many commits wait";
	case AEDB_ACCESS:
		return "access denied";
	case AEDB_BUSY:
		return "in use";
	case AEDB_EXISTS:
		return "exists already";
	case AEDB_NOT_DIRECTORY:
		return "not a directory";
	case AEDB_INVALID:
		return "invalid argument";
	case AEDB_TOO_LARGE:
		return "too large";
	case AEDB_NO_SPACE:
		return "no space left";
	case AEDB_READ_ONLY:
		return "read-only";
	case AEDB_ASSERTION:
		return "an assertion does not hold";
	case AEDB_RANGE:
		return "out of range";
	case AEDB_NAME_TOO_LONG:
		return "name too long";
	case AEDB_NOT_EMPTY:
		return "not empty";
	case AEDB_CORRUPT:
		return "damaged";
	case AEDB_NEWER_FORMAT:
		return "written by a newer version";
	case AEDB_TIMED_OUT:
		return "timed out";
	case AEDB_CONFLICT:
		return "changed since it was read";
	case AEDB_CANCELED:
		return "canceled";
	case AEDB_UNKNOWN:
		return "outcome unknown";
	}
	return "unknown error";
}
