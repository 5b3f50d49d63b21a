/* Names of projects, scopes, tables, columns and indexes. */
#include "name.h"

#include <string.h>

#include "aedb.h"
#include "err.h"

int name_check(const char *what, const char *name)
{
	size_t n = strlen(name);

	if (n > AEDB_NAME_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG,
			       "%s name of %zu bytes, at most %d are allowed",
			       what, n, AEDB_NAME_BYTES_MAX);
	if (n == 0 || n != strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789_-"))
		return err_set(AEDB_INVALID,
			       "%s name \"%s\": only A-Z a-z 0-9 _ - may occur",
			       what, name);
	return 0;
}
