/*
 * Lines of a dump, from text.
 *
 * Invariants:
 * 1. Everything is checked here: types, lengths, that no member is there twice
 *    and none that is not known.
 * 2. Parts, which are most of a dump of large values, are read in place as they
 *    are written; one that is written otherwise is read as any other line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aedb.h"
#include "base64.h"
#include "dump_line.h"
#include "text.h"

#define NO_MEMORY_TEXT "not enough memory to read it"

/* A name, then a value. */
#define DECODED_BYTES (DUMP_NAME_BYTES_MAX + DUMP_PART_BYTES_MAX + 3)

int dump_reader_init(struct dump_reader *reader)
{
	*reader = (struct dump_reader){ .bytes = malloc(DECODED_BYTES) };
	return reader->bytes ? 0 : -1;
}

static void forget_line(struct dump_reader *reader)
{
	json_decref(reader->object);
	reader->object = NULL;
	attr_blob_release(&reader->attr);
}

void dump_reader_release(struct dump_reader *reader)
{
	forget_line(reader);
	free(reader->bytes);
	reader->bytes = NULL;
}

/* Members, which are counted as they are taken. */
struct members {
	json_t *object;
	size_t taken;
	const char *wrong;	/* NULL: nothing yet */
};

static json_t *take(struct members *m, const char *name)
{
	json_t *value = json_object_get(m->object, name);

	m->taken += value != NULL;
	return value;
}

static void say(struct members *m, const char *wrong)
{
	if (!m->wrong)
		m->wrong = wrong;
}

/* Takes NAME or NAME_base64, of at most `max` bytes; the latter is decoded to `to`.
 * False: neither is there. */
static bool take_bytes(struct members *m, const char *name, size_t max,
		       uint8_t *to, const void **ret, size_t *ret_n)
{
	json_t *text = take(m, name), *base64;
	char coded[64];

	snprintf(coded, sizeof(coded), "%s_base64", name);
	base64 = take(m, coded);
	if (!text && !base64)
		return false;
	if ((text && base64) || !json_is_string(text ? text : base64)) {
		say(m, "a name or value is no string, or there twice");
		return true;
	}
	*ret = json_string_value(text);
	*ret_n = json_string_length(text);
	if (base64) {
		size_t n = json_string_length(base64);

		*ret = to;
		if (n > BASE64_CHARS(max) ||
		    !base64_decode(json_string_value(base64), n, to, ret_n))
			say(m, "a member is not base64, or too long");
	}
	if (*ret_n > max)
		say(m, "a name or value is too long");
	return true;
}

static bool take_number(struct members *m, const char *name, uint64_t max,
			uint64_t *ret)
{
	json_t *number = take(m, name);

	if (!number)
		return false;
	if (!json_is_integer(number) || json_integer_value(number) < 0 ||
	    (uint64_t)json_integer_value(number) > max)
		say(m, "a number is none, or out of range");
	else
		*ret = (uint64_t)json_integer_value(number);
	return true;
}

static bool take_time(struct members *m, const char *name, int64_t *ret)
{
	json_t *time = take(m, name);

	if (!time)
		return false;
	if (!json_is_string(time) ||
	    !text_parse_time(json_string_value(time), ret))
		say(m, "a time is none");
	return true;
}

/* Attributes. */

static bool take_mode(struct members *m, uint32_t *ret)
{
	json_t *mode = take(m, "mode");
	const char *text = json_string_value(mode);
	char *end;
	unsigned long bits;

	if (!mode)
		return false;
	bits = text && *text ? strtoul(text, &end, 8) : 0;
	if (!text || strspn(text, "01234567") < strlen(text) || *end ||
	    bits > UINT32_MAX)
		say(m, "a mode is no octal number");
	*ret = (uint32_t)bits;
	return true;
}

static void take_fields(struct members *m, struct fs_attr *ret)
{
	uint64_t n = 0;

	if (take_mode(m, &ret->mode))
		ret->present |= ATTR_MODE;
	if (take_number(m, "uid", UINT32_MAX, &n))
		ret->present |= ATTR_UID;
	ret->uid = (uint32_t)n;
	if (take_number(m, "gid", UINT32_MAX, &n))
		ret->present |= ATTR_GID;
	ret->gid = (uint32_t)n;
	if (take_time(m, "atime", &ret->atime_ns))
		ret->present |= ATTR_ATIME;
	if (take_number(m, "flags", UINT32_MAX, &n))
		ret->present |= ATTR_FLAGS;
	ret->flags = (uint32_t)n;
}

/* The value of an attribute: a string, or an object with its base64. Owned. */
static uint8_t *xattr_value(json_t *value, size_t *ret_n)
{
	json_t *base64 = json_object_get(value, "base64");
	json_t *text = base64 ? base64 : value;
	size_t n = json_string_length(text);
	uint8_t *bytes;

	if (!json_is_string(text) || (base64 && json_object_size(value) != 1) ||
	    n > BASE64_CHARS(ATTR_XATTR_VALUE_MAX))
		return NULL;
	bytes = malloc(n + 1);
	*ret_n = n;
	if (bytes && !base64) {
		memcpy(bytes, json_string_value(text), n);
	} else if (bytes && !base64_decode(json_string_value(text), n, bytes,
					   ret_n)) {
		free(bytes);
		bytes = NULL;
	}
	return bytes;
}

/* One attribute into the blob, in whose place there is another then. */
static bool add_xattr(struct attr_blob *blob, const char *name, json_t *value)
{
	struct attr_xattr xattr = { .name = name };
	uint8_t *bytes = xattr_value(value, &xattr.value_bytes);
	struct attr_blob with;
	int rc;

	if (!bytes)
		return false;
	xattr.value = bytes;
	rc = attr_xattr_set(blob->bytes, blob->n, &xattr, &with);
	free(bytes);
	if (rc < 0)
		return false;
	attr_blob_release(blob);
	*blob = with;
	return true;
}

static void take_xattrs(struct members *m, struct attr_blob *blob)
{
	json_t *xattrs = take(m, "xattrs"), *value;
	const char *name;

	if (xattrs && (!json_is_object(xattrs) || !json_object_size(xattrs)))
		say(m, "xattrs are no object with members");
	json_object_foreach(xattrs, name, value)
		if (!add_xattr(blob, name, value))
			say(m, "an attribute cannot be one, or there are too "
			    "many");
}

/* Makes a copy the reader's blob. */
static void keep_attr(struct members *m, struct dump_reader *reader,
		      const void *bytes, size_t n)
{
	reader->attr.bytes = malloc(n + 1);
	if (!reader->attr.bytes) {
		say(m, NO_MEMORY_TEXT);
		return;
	}
	memcpy(reader->attr.bytes, bytes, n);
	reader->attr.n = n;
}

/* The blob of an entry, into the reader. */
static void take_attr(struct members *m, struct dump_reader *reader,
		      struct dump_line *line)
{
	uint8_t head[ATTR_HEAD_BYTES_MAX];
	struct fs_attr fields = { 0 };
	const void *coded = NULL;
	size_t n = 0;
	bool is_coded = json_object_get(m->object, "attr_base64") &&
			take_bytes(m, "attr", ATTR_BYTES_MAX,
				   reader->bytes + DUMP_NAME_BYTES_MAX, &coded,
				   &n);

	take_fields(m, &fields);
	if (is_coded && (fields.present || json_object_get(m->object, "xattrs")))
		say(m, "attributes are there twice");
	if (m->wrong)
		return;
	if (is_coded)
		keep_attr(m, reader, coded, n);
	else if (fields.present)
		keep_attr(m, reader, head, attr_encode(&fields, head));
	take_xattrs(m, &reader->attr);
	line->attr = reader->attr.bytes;
	line->attr_bytes = reader->attr.n;
}

/* Lines. */

static void take_value(struct members *m, struct dump_reader *reader,
		       size_t max, struct dump_line *line)
{
	bool is_whole = take_bytes(m, "value", max,
				   reader->bytes + DUMP_NAME_BYTES_MAX,
				   &line->value, &line->value_bytes);
	bool has_parts = take_number(m, "bytes", INT64_MAX, &line->bytes);

	if (is_whole && has_parts)
		say(m, "a value is there, and its parts as well");
	if (!is_whole && !has_parts && line->kind == DUMP_KEY)
		say(m, "a key has no value");
	if (is_whole)
		line->bytes = line->value_bytes;
	else if (!has_parts)
		line->value = "";
}

static bool take_name(struct members *m, struct dump_reader *reader,
		      const char *name, struct dump_line *line)
{
	return take_bytes(m, name, DUMP_NAME_BYTES_MAX - 3, reader->bytes,
			  &line->name, &line->name_bytes);
}

static void take_entry(struct members *m, struct dump_reader *reader,
		       struct dump_line *line)
{
	json_t *database = take(m, "database");

	line->mtime_ns = AEDB_MTIME_NONE;
	if (take_name(m, reader, "key", line))
		line->kind = DUMP_KEY;
	else if (take_name(m, reader, "directory", line))
		line->kind = DUMP_DIRECTORY;
	else if (take_name(m, reader, "scope", line))
		line->kind = DUMP_SCOPE;
	else if (take_name(m, reader, "project", line))
		line->kind = DUMP_PROJECT;
	else if (json_is_true(database))
		line->kind = DUMP_DATABASE;
	else
		say(m, "it is none of the lines that a dump has");
	take_time(m, "mtime", &line->mtime_ns);
	take_attr(m, reader, line);
	if (line->kind >= DUMP_DIRECTORY)
		take_value(m, reader, DUMP_PART_BYTES_MAX, line);
}

/* JSON, or how much of it the parts have that follow. */
static void take_json(struct members *m, const json_t *json,
		      struct dump_line *line)
{
	bool has_parts = take_number(m, "bytes", DUMP_JSON_BYTES_MAX,
				     &line->bytes);

	if (has_parts == (json && !json_is_null(json)) ||
	    (has_parts && line->bytes == 0))
		say(m, "a schema or row is missing, or there twice");
	if (!has_parts && !json_is_object(json))
		say(m, "a schema or row is no object");
	line->json = has_parts ? NULL : json;
}

static void take_grant(struct members *m, struct dump_reader *reader,
		       struct dump_line *line)
{
	line->kind = DUMP_GRANT;
	take_bytes(m, "prefix", DUMP_NAME_BYTES_MAX - 3, reader->bytes,
		   &line->prefix, &line->prefix_bytes);
	if (!take_bytes(m, "to", DUMP_NAME_BYTES_MAX,
			reader->bytes + DUMP_NAME_BYTES_MAX, &line->value,
			&line->value_bytes))
		say(m, "a grant is to nobody");
}

/* A line of a table or grant; false: it is another one. */
static bool take_later(struct members *m, struct dump_reader *reader,
		       struct dump_line *line)
{
	json_t *row = take(m, "row"), *right = take(m, "grant");

	if (row) {
		line->kind = DUMP_ROW;
		take_json(m, row, line);
	} else if (right) {
		line->name = json_string_value(right);
		line->name_bytes = json_string_length(right);
		if (!line->name)
			say(m, "a right is no string");
		take_grant(m, reader, line);
	} else if (take_name(m, reader, "table", line)) {
		line->kind = DUMP_TABLE;
		take_json(m, take(m, "schema"), line);
	} else {
		return false;
	}
	return true;
}

static void take_line(struct members *m, struct dump_reader *reader,
		      struct dump_line *line)
{
	json_t *format = json_object_get(m->object, "aedb_dump");
	json_int_t number = json_integer_value(format);

	if (format) {
		line->kind = DUMP_HEAD;
		/* the rest is for people */
		m->taken = json_object_size(m->object);
		if (number < 1 || number > DUMP_FORMAT)
			say(m, "the dump is of a newer format");
	} else if (take_number(m, "part", INT64_MAX, &line->offset)) {
		line->kind = DUMP_PART;
		if (!take_bytes(m, "value", DUMP_PART_BYTES_MAX, reader->bytes,
				&line->value, &line->value_bytes))
			say(m, "a part has no value");
	} else if (!take_later(m, reader, line)) {
		take_entry(m, reader, line);
	}
	if (m->taken != json_object_size(m->object))
		say(m, "it has a member that is not known");
}

/* Parts as they are written. */

/* Behind the offset of {"part":OFFSET, or NULL. */
static char *scan_offset(char *text, const char *end, uint64_t *ret)
{
	static const char start[] = "{\"part\":";
	uint64_t n = 0;
	char *at = text + sizeof(start) - 1, *digits = at;

	if (end - text < (ptrdiff_t)sizeof(start) ||
	    memcmp(text, start, sizeof(start) - 1))
		return NULL;
	for (; at < end && *at >= '0' && *at <= '9' && at - digits < 18; at++)
		n = 10 * n + (uint64_t)(*at - '0');
	if (at == digits || (*digits == '0' && at - digits > 1))
		return NULL;
	*ret = n;
	return at;
}

static char unescape(char c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case '"':
	case '\\':
		return c;
	default:
		return 0;
	}
}

/* The length of an escaped text and what it stands for. False, and the text is as
 * it was, if something in it is not written by dump_line_write. */
static bool unescape_all(char *text, size_t n, size_t *ret)
{
	char *to = text;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == '"')
			return false;
		if (text[i] == '\\' && (++i == n || !unescape(text[i])))
			return false;
	}
	if (text_utf8_span(text, n) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		*to++ = text[i] == '\\' ? unescape(text[++i]) : text[i];
	*ret = (size_t)(to - text);
	return true;
}

static bool scan_part(char *text, size_t n, struct dump_line *ret)
{
	static const char plain[] = ",\"value\":\"";
	static const char coded[] = ",\"value_base64\":\"";
	struct dump_line line = { .kind = DUMP_PART };
	char *end = text + n;
	char *at = scan_offset(text, end, &line.offset);
	bool is_plain, is_read;

	if (!at || end - at < (ptrdiff_t)sizeof(coded) + 1 ||
	    memcmp(end - 2, "\"}", 2))
		return false;
	is_plain = !memcmp(at, plain, sizeof(plain) - 1);
	if (!is_plain && memcmp(at, coded, sizeof(coded) - 1))
		return false;
	at += is_plain ? sizeof(plain) - 1 : sizeof(coded) - 1;
	n = (size_t)(end - 2 - at);
	is_read = is_plain ? unescape_all(at, n, &line.value_bytes) :
			     base64_decode(at, n, at, &line.value_bytes);
	line.value = at;
	if (is_read)
		*ret = line;
	return is_read;
}

const char *dump_reader_parse(struct dump_reader *reader, char *text, size_t n,
			      struct dump_line *ret)
{
	struct members m = { 0 };

	forget_line(reader);
	*ret = (struct dump_line){ .kind = DUMP_HEAD };
	if (scan_part(text, n, ret))
		return ret->value_bytes > DUMP_PART_BYTES_MAX ?
			       "a part is too long" : NULL;
	reader->object = json_loadb(text, n, JSON_REJECT_DUPLICATES |
				    JSON_ALLOW_NUL, NULL);
	m.object = reader->object;
	if (!json_is_object(m.object))
		return "it is no JSON object";
	take_line(&m, reader, ret);
	if (ret->json)
		ret->value_bytes = n;
	return m.wrong;
}
