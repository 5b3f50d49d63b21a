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

json_t *output_json_text(const char *text)
{
	char *copy = NULL;
	size_t copy_bytes, n = strlen(text);
	FILE *out = open_memstream(&copy, &copy_bytes);
	json_t *string = NULL;

	if (!out)
		return NULL;
	while (n > 0) {
		size_t span = text_utf8_span(text, n);

		fwrite(text, 1, span, out);
		if (span < n) {
			fputs("\xef\xbf\xbd", out);
			span++;
		}
		text += span;
		n -= span;
	}
	if (!fclose(out))
		string = json_stringn(copy, copy_bytes);
	free(copy);
	return string;
}

static json_t *base64_string(const void *bytes, size_t n)
{
	char *text = NULL;
	size_t text_bytes;
	FILE *out = open_memstream(&text, &text_bytes);
	json_t *string = NULL;

	if (!out)
		return NULL;
	text_write_base64(out, bytes, n);
	if (!fclose(out))
		string = json_stringn(text, text_bytes);
	free(text);
	return string;
}

int output_json_add_bytes(json_t *object, const char *name, const void *bytes,
			  size_t n)
{
	char full[64];

	if (text_utf8_span(bytes, n) == n)
		return output_json_result(json_object_set_new(
			object, name, json_stringn(bytes, n)));
	snprintf(full, sizeof(full), "%s_base64", name);
	return output_json_result(
		json_object_set_new(object, full, base64_string(bytes, n)));
}

int output_json_add_time(json_t *object, const char *name, int64_t ns)
{
	char text[TEXT_TIME_BYTES];

	text_format_time(ns, text);
	return output_json_result(
		json_object_set_new(object, name, json_string(text)));
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
