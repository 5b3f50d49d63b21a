/* Bytes, texts, times and numbers as JSON. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "text.h"

json_t *json_of_text(const char *text)
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
	char *text = malloc(BASE64_CHARS(n) + 1);
	json_t *string = NULL;

	if (text) {
		base64_encode(bytes, n, text);
		string = json_stringn(text, BASE64_CHARS(n));
	}
	free(text);
	return string;
}

int json_add_bytes(json_t *object, const char *name, const void *bytes,
		   size_t n)
{
	char full[64];

	if (text_utf8_span(bytes, n) == n)
		return json_object_set_new(object, name,
					   json_stringn(bytes, n));
	snprintf(full, sizeof(full), "%s_base64", name);
	return json_object_set_new(object, full, base64_string(bytes, n));
}

int json_add_time(json_t *object, const char *name, int64_t ns)
{
	char text[TEXT_TIME_BYTES];

	text_format_time(ns, text);
	return json_object_set_new(object, name, json_string(text));
}

int json_add_number(json_t *object, const char *name, uint64_t n)
{
	return json_object_set_new(object, name, json_integer((json_int_t)n));
}
