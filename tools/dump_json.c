/* Schemas and rows as lines. */
#include "dump_json.h"

static int put_parts(const char *text, size_t n, struct dump_output *output)
{
	struct dump_line part = { .kind = DUMP_PART };
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && at < n) {
		uint64_t end = dump_part_end(at);

		part.offset = at;
		part.value = text + at;
		part.value_bytes = dump_part_span(
			text + at, (size_t)(end < n ? end : n) - at, at);
		at += part.value_bytes;
		rc = dump_output_line(output, &part);
	}
	return rc;
}

int dump_json_put(struct dump_line *line, const char *text, size_t n,
		  struct dump_output *output)
{
	int rc;

	line->bytes = n;
	line->value = n <= DUMP_JSON_BYTES ? text : NULL;
	line->value_bytes = line->value ? n : 0;
	rc = dump_output_line(output, line);
	return rc < 0 || line->value ? rc : put_parts(text, n, output);
}
