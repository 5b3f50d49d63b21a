/*
 * Printing of results.
 *
 * Invariants:
 * 1. With --json standard output holds whole lines of JSON and nothing else.
 * 2. A name or value that is not UTF-8 is in a member of its own, NAME_base64:
 *    no member means two things.
 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "text.h"

static bool is_json;

bool output_is_json(void)
{
	return is_json;
}

void output_set_json(void)
{
	is_json = true;
}

int output_check(void)
{
	int err = errno;

	if (!ferror(stdout))
		return 0;
	return failure_set(STATUS_FAILED, "standard output", "%s", strerror(err));
}

int output_finish(void)
{
	/* A failed write may have happened long before: its errno is gone. */
	if (ferror(stdout))
		return failure_set(STATUS_FAILED, "standard output",
				   "not everything could be written");
	if (fflush(stdout))
		return failure_set(STATUS_FAILED, "standard output", "%s",
				   strerror(errno));
	return 0;
}

void output_key(enum output_keys how, const void *key, size_t key_bytes)
{
	switch (how) {
	case OUTPUT_QUOTED:
		text_write(stdout, key, key_bytes);
		break;
	case OUTPUT_HEX:
		text_write_hex(stdout, key, key_bytes);
		break;
	case OUTPUT_NULL:
		fwrite(key, 1, key_bytes, stdout);
		break;
	}
}

void output_end(enum output_keys how)
{
	putchar(how == OUTPUT_NULL ? '\0' : '\n');
}

int output_json_result(int rc)
{
	return rc < 0 ? failure_system(ENOMEM, "JSON") : 0;
}

int output_json_add_bytes(json_t *object, const char *name, const void *bytes,
			  size_t n)
{
	return output_json_result(json_add_bytes(object, name, bytes, n));
}

int output_json_add_time(json_t *object, const char *name, int64_t ns)
{
	return output_json_result(json_add_time(object, name, ns));
}

int output_json_add_entry(json_t *object, const struct aedb_entry *entry)
{
	json_t *numbers = json_pack("{s:I, s:I, s:I}", "value_bytes",
				    (json_int_t)entry->value_bytes, "version",
				    (json_int_t)entry->version, "id",
				    (json_int_t)entry->id);
	int rc = output_json_result(
		numbers ? json_object_update(object, numbers) : -1);

	json_decref(numbers);
	if (rc < 0)
		return rc;
	rc = output_json_add_time(object, "time", entry->time_ns);
	if (rc < 0)
		return rc;
	return output_json_add_time(object, "mtime", entry->mtime_ns);
}

int output_json_line(json_t *object)
{
	int rc = object ? json_dumpf(object, stdout, JSON_COMPACT) : -1;

	json_decref(object);
	if (!object)
		return output_json_result(rc);
	putchar('\n');
	return output_check();
}
