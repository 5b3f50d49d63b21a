/*
 * The lines of a dump: a database, or parts of it, as JSON objects, one a line,
 * each beginning with the member that says what it is.
 *
 *	{"aedb_dump":2,...}		first; what was dumped
 *	{"database":true,...}
 *	{"project":"p",...}
 *	{"scope":"s",...}		of the project above
 *	{"directory":"a/b",...}		a record of the scope above
 *	{"key":"a/b/c",...}		a key of the scope above
 *	{"table":"t","schema":{...}}	of the scope above
 *	{"row":{...}}			of the table above
 *	{"grant":"kv-read","to":"ann"}	of the place or table above
 *	{"part":65536,"value":"..."}	of the value above, from that offset on
 *	{"end":6,"keys":1,"sha256":...}	last; see dump_check.h
 *
 * Bytes that are no plain text are base64, in a member NAME_base64. A value of at
 * most DUMP_INLINE_BYTES stands in its line, of others the size, as "bytes";
 * what no part has of it is zeros. So is the JSON of a schema or row beyond
 * DUMP_JSON_BYTES, whose parts have its text ("row" is null then). Attributes are
 * members mode, uid, gid, atime, flags and xattrs, or attr_base64 where they are not
 * those of a mount.
 *
 * Threads: no state. Errors: words for what is wrong with a line.
 */
#ifndef DUMP_LINE_H
#define DUMP_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

#define DUMP_FORMAT 2		/* 1 is read, too: it has no tables and grants */
#define DUMP_LINE_BYTES_MAX (1u << 20)	/* with the newline */
#define DUMP_INLINE_BYTES 1024
#define DUMP_PART_BYTES 65536
#define DUMP_PART_BYTES_MAX (DUMP_PART_BYTES + 3)	/* the rest of a character */
#define DUMP_NAME_BYTES_MAX 4096
#define DUMP_JSON_BYTES DUMP_PART_BYTES
#define DUMP_JSON_BYTES_MAX (256u << 20)	/* in parts */

enum dump_kind {
	DUMP_HEAD,
	DUMP_DATABASE,
	DUMP_PROJECT,
	DUMP_SCOPE,
	DUMP_DIRECTORY,
	DUMP_KEY,
	DUMP_PART,
	DUMP_TABLE,
	DUMP_ROW,
	DUMP_GRANT,
};

/* All borrowed. */
struct dump_line {
	enum dump_kind kind;
	const void *name;		/* PROJECT to KEY, TABLE; GRANT: the right */
	size_t name_bytes;
	int64_t mtime_ns;		/* DATABASE to KEY; AEDB_MTIME_NONE */
	const void *attr;		/* the same; NULL: none */
	size_t attr_bytes;
	uint64_t bytes;			/* DIRECTORY, KEY, TABLE, ROW: of the value */
	uint64_t offset;		/* PART */
	const void *value;		/* PART; of others NULL if parts follow; TABLE,
					 * ROW: text of JSON, written; GRANT: to whom */
	size_t value_bytes;
	const json_t *json;		/* TABLE, ROW: the same, read; then value_bytes
					 * is the line's */
	const void *prefix;		/* GRANT */
	size_t prefix_bytes;
};

/* Writes the line, with its newline, and returns its length; of any kind but
 * HEAD. */
size_t dump_line_write(const struct dump_line *line,
		       char ret[DUMP_LINE_BYTES_MAX]);

/* How many of n bytes the next part has, which begins at this offset: as many
 * whole characters as there are, if it is text. */
size_t dump_part_span(const void *bytes, size_t n, uint64_t offset);
/* Where the part that begins at an offset ends at the latest. */
uint64_t dump_part_end(uint64_t offset);
/* The blob without its access time: the same one, or one made, which is *made.
 * -ENOMEM. */
int dump_attr_drop_atime(struct dump_line *line, struct attr_blob *made);

/* Reads lines; what a line refers to is borrowed from it until the next one. */
struct dump_reader {
	json_t *object;
	struct attr_blob attr;
	uint8_t *bytes;			/* decoded: a name and a value */
};
int dump_reader_init(struct dump_reader *reader);	/* -1: no memory */
void dump_reader_release(struct dump_reader *reader);
/* The text, without a newline, may be changed. NULL, or what is wrong; static. */
const char *dump_reader_parse(struct dump_reader *reader, char *text, size_t n,
			      struct dump_line *ret);

#endif
