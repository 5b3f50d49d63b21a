/*
 * Lines of a dump as text.
 *
 * Invariants:
 * 1. The same content is the same text, whatever was stored where.
 * 2. A line fits DUMP_LINE_BYTES_MAX: attributes whose text would not are base64.
 */
#include <assert.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aedb.h"
#include "base64.h"
#include "dump_line.h"
#include "text.h"

/* What the text of attributes may have of a line. */
#define ATTR_TEXT_BYTES_MAX (DUMP_LINE_BYTES_MAX / 2)

/* A name, and a value or a part, escaped, and attributes beside them. */
_Static_assert(2 * DUMP_PART_BYTES_MAX + 2 * DUMP_NAME_BYTES_MAX +
	       BASE64_CHARS(ATTR_BYTES_MAX) + ATTR_TEXT_BYTES_MAX + 1024 <
	       DUMP_LINE_BYTES_MAX, "a line fits");

struct writer {
	char *start, *at, *end;
	bool is_full;		/* something did not fit */
};

static char *writer_room(struct writer *w, size_t n)
{
	char *at = w->at;

	if (w->is_full || (size_t)(w->end - w->at) < n) {
		w->is_full = true;
		return NULL;
	}
	w->at += n;
	return at;
}

static void put_text(struct writer *w, const char *text)
{
	size_t n = strlen(text);
	char *at = writer_room(w, n);

	if (at)
		memcpy(at, text, n);
}

static void put_format(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put_format(struct writer *w, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_text(w, text);
}

/* Is it shown as text? Then an escape has two characters at most. */
static bool is_text(const uint8_t *s, size_t n)
{
	bool has_control = false;

	if (text_utf8_span(s, n) < n)
		return false;	/* mostly seen at once */
	for (size_t i = 0; i < n; i++)
		has_control |= s[i] < ' ' && s[i] != '\t' && s[i] != '\n' &&
			       s[i] != '\r';
	return !has_control;
}

static char escape_of(uint8_t c)
{
	switch (c) {
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '"':
	case '\\':
		return (char)c;
	default:
		return 0;
	}
}

/* The inside of a string. */
static void put_escaped(struct writer *w, const uint8_t *s, size_t n)
{
	char *at = w->at;

	if (w->is_full || (size_t)(w->end - at) < 2 * n) {
		w->is_full = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char escape = s[i] <= '\\' ? escape_of(s[i]) : 0;

		if (escape)
			*at++ = '\\';
		*at++ = escape ? escape : (char)s[i];
	}
	w->at = at;
}

static void put_base64(struct writer *w, const void *bytes, size_t n)
{
	char *at = writer_room(w, BASE64_CHARS(n));

	if (at)
		base64_encode(bytes, n, at);
}

/* "NAME":"..." or "NAME_base64":"..." */
static void put_bytes(struct writer *w, const char *name, const void *bytes,
		      size_t n)
{
	bool text = is_text(bytes, n);

	put_format(w, "\"%s%s\":\"", name, text ? "" : "_base64");
	if (text)
		put_escaped(w, bytes, n);
	else
		put_base64(w, bytes, n);
	put_text(w, "\"");
}

static void put_time(struct writer *w, const char *name, int64_t ns)
{
	char text[TEXT_TIME_BYTES];

	text_format_time(ns, text);
	put_format(w, ",\"%s\":\"%s\"", name, text);
}

/* Attributes. */

static void put_fields(struct writer *w, const struct fs_attr *attr)
{
	if (attr->present & ATTR_MODE)
		put_format(w, ",\"mode\":\"%06o\"", attr->mode);
	if (attr->present & ATTR_UID)
		put_format(w, ",\"uid\":%u", attr->uid);
	if (attr->present & ATTR_GID)
		put_format(w, ",\"gid\":%u", attr->gid);
	if (attr->present & ATTR_ATIME)
		put_time(w, "atime", attr->atime_ns);
	if (attr->present & ATTR_FLAGS)
		put_format(w, ",\"flags\":%u", attr->flags);
}

static void put_xattr(struct writer *w, const struct dump_line *line,
		      const char *name, size_t name_bytes)
{
	static _Thread_local uint8_t value[ATTR_BYTES_MAX];
	size_t n = 0;

	w->is_full |= !is_text((const uint8_t *)name, name_bytes) ||
		      attr_xattr_get(line->attr, line->attr_bytes, name, value,
				     sizeof(value), &n) < 0;
	put_text(w, "\"");
	put_escaped(w, (const uint8_t *)name, name_bytes);
	put_text(w, "\":");
	if (is_text(value, n)) {
		put_text(w, "\"");
		put_escaped(w, value, n);
		put_text(w, "\"");
	} else {
		put_text(w, "{\"base64\":\"");
		put_base64(w, value, n);
		put_text(w, "\"}");
	}
}

/* No more of them than attr_xattr_set would make. */
static void put_xattrs(struct writer *w, const struct dump_line *line)
{
	static _Thread_local char names[XATTR_LIST_MAX];
	const char *separator = ",\"xattrs\":{";
	size_t n = 0;

	w->is_full |= line->attr_bytes > ATTR_BYTES_MAX - ATTR_HEAD_BYTES_MAX ||
		      attr_xattr_list(line->attr, line->attr_bytes, names,
				      sizeof(names), &n) < 0;
	for (size_t at = 0; at < n && !w->is_full; separator = ",") {
		size_t name_bytes = strlen(names + at);

		put_text(w, separator);
		put_xattr(w, line, names + at, name_bytes);
		at += name_bytes + 1;
	}
	put_text(w, n ? "}" : "");
}

/* As members, if they say all that the blob does; else false. */
static bool put_readable(struct writer *w, const struct dump_line *line)
{
	static const struct attr_defaults none;
	struct writer attr = { w->at, w->at, w->at + ATTR_TEXT_BYTES_MAX, false };
	struct fs_attr fields;

	if (w->is_full || w->end < attr.end ||
	    attr_validate(line->attr, line->attr_bytes) < 0 ||
	    attr_decode(line->attr, line->attr_bytes, 0, &none, &fields) < 0)
		return false;
	put_fields(&attr, &fields);
	put_xattrs(&attr, line);
	if (attr.is_full || attr.at == attr.start)
		return false;
	w->at = attr.at;
	return true;
}

static void put_attr(struct writer *w, const struct dump_line *line)
{
	if (!line->attr || put_readable(w, line))
		return;
	put_text(w, ",\"attr_base64\":\"");
	put_base64(w, line->attr, line->attr_bytes);
	put_text(w, "\"");
}

/* Lines. */

/* "NAME":JSON, or what is there instead of it, if parts follow. */
static void put_json(struct writer *w, const char *name,
		     const struct dump_line *line)
{
	char *at;

	if (!line->value) {
		put_format(w, "\"bytes\":%llu", (unsigned long long)line->bytes);
		return;
	}
	put_format(w, "\"%s\":", name);
	at = writer_room(w, line->value_bytes);
	if (at)
		memcpy(at, line->value, line->value_bytes);
}

static void put_row(struct writer *w, const struct dump_line *line)
{
	if (!line->value)
		put_text(w, "\"row\":null,");
	put_json(w, "row", line);
}

static void put_table(struct writer *w, const struct dump_line *line)
{
	put_bytes(w, "table", line->name, line->name_bytes);
	put_text(w, ",");
	put_json(w, "schema", line);
}

static void put_grant(struct writer *w, const struct dump_line *line)
{
	put_bytes(w, "grant", line->name, line->name_bytes);
	put_text(w, ",");
	if (line->prefix_bytes) {
		put_bytes(w, "prefix", line->prefix, line->prefix_bytes);
		put_text(w, ",");
	}
	put_bytes(w, "to", line->value, line->value_bytes);
}

static void put_part(struct writer *w, const struct dump_line *line)
{
	put_format(w, "\"part\":%llu,", (unsigned long long)line->offset);
	put_bytes(w, "value", line->value, line->value_bytes);
}

static void put_name(struct writer *w, const struct dump_line *line)
{
	static const char *const names[] = {
		[DUMP_PROJECT] = "project",
		[DUMP_SCOPE] = "scope",
		[DUMP_DIRECTORY] = "directory",
		[DUMP_KEY] = "key",
	};

	if (line->kind == DUMP_DATABASE)
		put_text(w, "\"database\":true");
	else
		put_bytes(w, names[line->kind], line->name, line->name_bytes);
}

static void put_entry(struct writer *w, const struct dump_line *line)
{
	put_name(w, line);
	if (line->mtime_ns != AEDB_MTIME_NONE)
		put_time(w, "mtime", line->mtime_ns);
	put_attr(w, line);
	if (line->kind != DUMP_KEY && line->bytes == 0)
		return;		/* a directory's record has none */
	put_text(w, ",");
	if (line->value)
		put_bytes(w, "value", line->value, line->value_bytes);
	else
		put_format(w, "\"bytes\":%llu",
			   (unsigned long long)line->bytes);
}

size_t dump_line_write(const struct dump_line *line,
		       char ret[DUMP_LINE_BYTES_MAX])
{
	struct writer w = { ret, ret, ret + DUMP_LINE_BYTES_MAX, false };

	put_text(&w, "{");
	if (line->kind == DUMP_PART)
		put_part(&w, line);
	else if (line->kind == DUMP_TABLE)
		put_table(&w, line);
	else if (line->kind == DUMP_ROW)
		put_row(&w, line);
	else if (line->kind == DUMP_GRANT)
		put_grant(&w, line);
	else
		put_entry(&w, line);
	put_text(&w, "}\n");
	assert(!w.is_full);
	return (size_t)(w.at - ret);
}

uint64_t dump_part_end(uint64_t offset)
{
	return (offset + 3) / DUMP_PART_BYTES * DUMP_PART_BYTES +
	       DUMP_PART_BYTES;
}

size_t dump_part_span(const void *bytes, size_t n, uint64_t offset)
{
	size_t span;

	if (offset + n < dump_part_end(offset))
		return n;	/* the value's end */
	span = text_utf8_span(bytes, n);
	return n - span < 4 && is_text(bytes, span) ? span : n;
}

static bool says_nothing(const struct attr_blob *blob)
{
	static const struct attr_defaults none;
	struct fs_attr fields;
	size_t names;

	return attr_decode(blob->bytes, blob->n, 0, &none, &fields) == 0 &&
	       !fields.present &&
	       attr_xattr_list(blob->bytes, blob->n, NULL, 0, &names) == 0 &&
	       names == 0;
}

int dump_attr_drop_atime(struct dump_line *line, struct attr_blob *made)
{
	int rc;

	if (!line->attr || attr_validate(line->attr, line->attr_bytes) < 0)
		return 0;
	rc = attr_take_atime(line->attr, line->attr_bytes, NULL, 0, made);
	if (rc < 0)
		return rc;
	line->attr = says_nothing(made) ? NULL : made->bytes;
	line->attr_bytes = made->n;
	return 0;
}
