/*
 * backup.json as text: read without believing it.
 *
 * Invariants:
 * 1. A manifest has one text. What was read is written again and must be the
 *    same, so nothing stands in a text that was not understood and checked.
 * 2. At most PIECE_BYTES_MAX of the text are decoded as JSON at once, and no copy
 *    of it is made: beside the text there is no more in memory than its lists.
 */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "backup_text.h"
#include "err.h"
#include "plain_text.h"

#define PIECE_BYTES_MAX 2048	/* members before the lists, all; a line of them;
				 * what stands behind them */

/* A place in the text. */
struct cursor {
	const char *at, *end;
	int line;		/* of what stands there, from 1 */
};

struct line {
	const char *at;
	size_t n;		/* without its end */
};

/* The lines are as long as they can be in a text that was written. */
static int line_next(struct cursor *cursor, struct line *ret)
{
	size_t left = (size_t)(cursor->end - cursor->at);
	const char *end = memchr(cursor->at, '\n',
				 left < PIECE_BYTES_MAX ? left : PIECE_BYTES_MAX);

	if (!end)
		return err_set(AEDB_CORRUPT, "line %d %s", cursor->line,
			       left < PIECE_BYTES_MAX ? "is cut off" :
			       "is longer than can be");
	*ret = (struct line){ cursor->at, (size_t)(end - cursor->at) };
	cursor->at = end + 1;
	cursor->line++;
	return 0;
}

static bool line_begins(struct line line, const char *text)
{
	return line.n >= strlen(text) && !memcmp(line.at, text, strlen(text));
}

static bool line_is(struct line line, const char *text)
{
	return line.n == strlen(text) && line_begins(line, text);
}

/* The object that stands between two texts; which line it begins at. Owned. */
static int object_read(struct line piece, const char *before, const char *behind,
		       int line, json_t **ret)
{
	char text[PIECE_BYTES_MAX + 8];
	json_error_t error;
	int n = snprintf(text, sizeof(text), "%s%.*s%s", before, (int)piece.n,
			 piece.at, behind);

	*ret = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &error);
	if (*ret)
		return 0;
	return err_set(AEDB_CORRUPT, "line %d: %s", line + error.line - 1,
		       error.text);
}

/* Members one by one; the first that is missing or of another kind is
 * noted. */
struct reader {
	const json_t *object;
	int rc;
};

static void reader_refuse(struct reader *r, const char *name)
{
	if (r->rc == 0)
		r->rc = err_set(AEDB_CORRUPT, "\"%s\" is missing or malformed", name);
}

static const char *read_text(struct reader *r, const char *name)
{
	const char *text = json_string_value(json_object_get(r->object, name));

	if (!text)
		reader_refuse(r, name);
	return text ? text : "";
}

static void copy_text(struct reader *r, const char *name, const char *text,
		      char *ret, size_t room)
{
	if (strlen(text) < room)
		strcpy(ret, text);
	else
		reader_refuse(r, name);
}

/* A text without anything that JSON writes differently. */
static void read_plain(struct reader *r, const char *name, char *ret, size_t room)
{
	const char *text = read_text(r, name);

	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			reader_refuse(r, name);
	copy_text(r, name, text, ret, room);
}

/* null is "". */
static void read_text_or_null(struct reader *r, const char *name, char *ret,
			      size_t room)
{
	if (json_is_null(json_object_get(r->object, name)))
		*ret = '\0';
	else
		read_plain(r, name, ret, room);
}

static uint64_t read_number(struct reader *r, const char *name)
{
	const json_t *value = json_object_get(r->object, name);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n > BACKUP_NUMBER_MAX)
		reader_refuse(r, name);
	return (uint64_t)n;
}

static uint64_t read_time(struct reader *r, const char *name)
{
	uint64_t us = 0;

	if (!time_read(read_text(r, name), &us))
		reader_refuse(r, name);
	return us;
}

static void read_hex(struct reader *r, const char *name, uint8_t *ret, size_t n)
{
	if (!hex_read(read_text(r, name), ret, n))
		reader_refuse(r, name);
}

/* Which of the words it is. */
static unsigned read_word(struct reader *r, const char *name,
			  const char *const *words, unsigned n)
{
	const char *text = read_text(r, name);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(text, words[i]))
			return i;
	reader_refuse(r, name);
	return 0;
}

static int read_file(const json_t *object, struct backup_manifest *m)
{
	struct reader r = { .object = object };
	struct backup_file file = { 0 };
	const char *path = read_text(&r, "path");

	if (r.rc == 0)
		r.rc = backup_file_set_path(&file, path);
	if (r.rc < 0)
		return r.rc;
	file.bytes = read_number(&r, "bytes");
	read_hex(&r, "sha256", file.sha256, sizeof(file.sha256));
	if (file.number)
		read_hex(&r, "incarnation", file.incarnation,
			 sizeof(file.incarnation));
	file.is_open = json_is_true(json_object_get(object, "open"));
	read_plain(&r, "stored", file.stored, sizeof(file.stored));
	if (!strcmp(file.stored, "here"))
		file.stored[0] = '\0';
	return r.rc < 0 ? r.rc : backup_manifest_append_file(m, &file);
}

static int read_snapshot(const json_t *object, struct backup_manifest *m)
{
	struct reader r = { .object = object };
	struct manifest_snapshot snapshot = { .name = "" };

	read_plain(&r, "name", snapshot.name, sizeof(snapshot.name));
	snapshot.seq = read_number(&r, "seq");
	snapshot.time_us = read_time(&r, "time");
	return r.rc < 0 ? r.rc : backup_manifest_append_snapshot(m, &snapshot);
}

static void read_log(struct reader *r, struct backup_manifest *m)
{
	struct reader log = { .object = json_object_get(r->object, "log"),
			      .rc = r->rc };

	m->log_first = read_number(&log, "first");
	m->log_last = read_number(&log, "last");
	m->log_end.lsn = read_number(&log, "end_lsn");
	read_hex(&log, "end_digest", m->log_end.digest, WAL_DIGEST_BYTES);
	r->rc = log.rc;
}


/* Later formats begin so, too. */
static int format_read(struct cursor cursor)
{
	struct reader r = { .rc = 0 };
	struct line line;
	uint64_t format = 0;
	json_t *object;
	int rc = line_next(&cursor, &line);

	if (rc == 0)
		rc = object_read((struct line){ line.at, line.n - !!line.n }, "", "}",
				 1, &object);
	if (rc < 0)
		return rc;
	r.object = object;
	format = read_number(&r, "format");
	json_decref(object);
	if (r.rc == 0 && format > BACKUP_MANIFEST_FORMAT)
		return err_set(AEDB_NEWER_FORMAT,
			       "it is of format %" PRIu64 ", this program knows %d",
			       format, BACKUP_MANIFEST_FORMAT);
	return r.rc;
}

static int members_read(const json_t *object, struct backup_manifest *m)
{
	struct reader r = { .object = object };

	read_plain(&r, "id", m->id, sizeof(m->id));
	read_text_or_null(&r, "parent", m->parent, sizeof(m->parent));
	read_plain(&r, "name", m->name, sizeof(m->name));
	m->kind = read_word(&r, "kind", backup_text_kinds, BACKUP_TEXT_KINDS);
	m->form = read_word(&r, "form", backup_text_forms, BACKUP_TEXT_FORMS);
	if (!uuid_read(read_text(&r, "database"), m->db_uuid))
		reader_refuse(&r, "database");
	read_plain(&r, "engine", m->engine, sizeof(m->engine));
	m->database_format = (uint32_t)read_number(&r, "database_format");
	m->began_us = read_time(&r, "began");
	m->finished_us = read_time(&r, "finished");
	m->from_seq = read_number(&r, "from_seq");
	m->head_seq = read_number(&r, "head_seq");
	m->head_time_us = read_time(&r, "head_time");
	read_log(&r, m);
	return r.rc;
}

/* All lines before the first list, with which the cursor goes on. */
static int head_read(struct cursor *cursor, struct backup_manifest *m)
{
	const char *begin = cursor->at;
	struct line line, head = { begin, 0 };
	json_t *object;
	int rc;

	for (struct cursor next = *cursor;; *cursor = next) {
		rc = line_next(&next, &line);
		if (rc < 0)
			return rc;
		if (line_begins(line, "\"files\":["))
			break;
		head.n = (size_t)(next.at - begin);
		if (head.n > PIECE_BYTES_MAX)
			return err_set(AEDB_CORRUPT, "line %d: \"files\" is missing",
				       next.line);
	}
	/* the last line's comma and end */
	head.n -= head.n < 2 ? head.n : 2;
	rc = object_read(head, "", "}", 1, &object);
	if (rc < 0)
		return rc;
	rc = members_read(object, m);
	json_decref(object);
	return rc;
}

static int element_read(struct cursor *cursor, struct backup_manifest *m,
			int (*read)(const json_t *, struct backup_manifest *),
			bool *ret_is_last)
{
	struct line line;
	json_t *object;
	int number = cursor->line, rc = line_next(cursor, &line);

	if (rc < 0)
		return rc;
	line.n -= line.n && line.at[line.n - 1] == ',';
	*ret_is_last = line.n && line.at[line.n - 1] == ']';
	line.n -= *ret_is_last;
	rc = object_read(line, "", "", number, &object);
	if (rc < 0)
		return rc;
	rc = read(object, m);
	json_decref(object);
	return rc;
}

static int list_read(struct cursor *cursor, const char *name,
		     struct backup_manifest *m,
		     int (*read)(const json_t *, struct backup_manifest *))
{
	char begin[16], empty[20];
	bool is_last;
	struct line line;
	int rc = line_next(cursor, &line);

	snprintf(begin, sizeof(begin), "\"%s\":[", name);
	snprintf(empty, sizeof(empty), "%s],", begin);
	is_last = rc == 0 && line_is(line, empty);
	if (rc == 0 && !is_last && !line_is(line, begin))
		return err_set(AEDB_CORRUPT, "\"%s\" is missing or malformed", name);
	while (rc == 0 && !is_last)
		rc = element_read(cursor, m, read, &is_last);
	return rc;
}

static struct line rest_of(const struct cursor *cursor)
{
	return (struct line){ cursor->at, (size_t)(cursor->end - cursor->at) };
}

/* Digest and signature. The object is owned. */
static int end_read(const struct cursor *cursor, json_t **ret)
{
	struct line rest = rest_of(cursor);

	if (rest.n > PIECE_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "line %d: there is more than can be",
			       cursor->line);
	return object_read(rest, "{", "", cursor->line, ret);
}

/* A stream that compares what is written to it with what should be. */

static ssize_t compare_write(void *cookie, const char *bytes, size_t n)
{
	struct cursor *want = cookie;

	if (n > (size_t)(want->end - want->at) || memcmp(bytes, want->at, n))
		return 0;
	want->at += n;
	return (ssize_t)n;
}

static int body_check(const char *body, size_t n, const struct backup_manifest *m)
{
	struct cursor want = { .at = body, .end = body + n };
	cookie_io_functions_t functions = { .write = compare_write };
	FILE *out = fopencookie(&want, "w", functions);
	bool differs;

	if (!out)
		return err_set(AEDB_NO_MEMORY, "no memory for a backup's manifest");
	backup_text_write(out, m);
	differs = ferror(out);
	differs |= fclose(out) != 0;
	if (differs || want.at != want.end)
		return err_set(AEDB_CORRUPT, "it was changed after it was written");
	return 0;
}

static int end_check(const char *body, size_t n, struct line end, const char *hmac,
		     char *digest)
{
	char want[256];
	int want_bytes, rc = backup_text_digest(body, n, digest);

	if (rc < 0)
		return rc;
	want_bytes = snprintf(want, sizeof(want),
			      hmac ? "\"sha256\":\"%s\",\n\"hmac\":\"%s\"}\n" :
				     "\"sha256\":\"%s\",\n\"hmac\":null}\n",
			      digest, hmac);
	if ((size_t)want_bytes >= sizeof(want) || end.n != (size_t)want_bytes ||
	    memcmp(end.at, want, end.n))
		return err_set(AEDB_CORRUPT, "it was changed after it was written");
	return 0;
}

/* Whether the signature, which the text has as it stands, is of the key. */
static int signature_check(const char *body, size_t n, const char *hmac,
			   const struct aedb_backup_key *key)
{
	char want[BACKUP_DIGEST_TEXT_BYTES];
	int rc;

	if (!backup_text_has_key(key))
		return 0;
	if (!hmac)
		return err_set(AEDB_ACCESS, "it is not signed");
	rc = backup_text_sign(body, n, key, want);
	if (rc < 0)
		return rc;
	if (strlen(hmac) + 1 != sizeof(want) ||
	    CRYPTO_memcmp(hmac, want, sizeof(want)))
		return err_set(AEDB_ACCESS, "it is signed with another key");
	return 0;
}

/* The text must be what the manifest is written as. behind: digest and signature. */
static int text_check(const char *text, struct line behind, const char *hmac,
		      const struct aedb_backup_key *key,
		      struct backup_manifest *m)
{
	size_t n = (size_t)(behind.at - text) - strlen(",\n");
	int rc = body_check(text, n, m);

	if (rc == 0)
		rc = end_check(text, n, behind, hmac, m->digest);
	return rc < 0 ? rc : signature_check(text, n, hmac, key);
}

static int lists_read(struct cursor *cursor, struct backup_manifest *m)
{
	int rc = list_read(cursor, "files", m, read_file);

	return rc < 0 ? rc : list_read(cursor, "snapshots", m, read_snapshot);
}

static int text_read(const char *text, size_t n, const struct aedb_backup_key *key,
		     struct backup_manifest *ret)
{
	struct cursor cursor = { text, text + n, 1 };
	json_t *end = NULL;
	const char *hmac;
	int rc;

	if (n > BACKUP_MANIFEST_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "it is larger than can be");
	rc = format_read(cursor);
	if (rc == 0)
		rc = head_read(&cursor, ret);
	if (rc == 0)
		rc = lists_read(&cursor, ret);
	if (rc == 0)
		rc = end_read(&cursor, &end);
	if (rc < 0)
		return rc;
	hmac = json_string_value(json_object_get(end, "hmac"));
	ret->is_signed = hmac != NULL;
	rc = backup_manifest_check(ret);
	if (rc == 0)
		rc = text_check(text, rest_of(&cursor), hmac, key, ret);
	json_decref(end);
	return rc;
}

int backup_manifest_decode(const char *text, size_t n, const char *backup,
			   const struct aedb_backup_key *key,
			   struct backup_manifest *ret)
{
	struct backup_manifest m = { .id = "" };
	int rc = text_read(text, n, key, &m);

	if (rc < 0) {
		backup_manifest_release(&m);
		return err_set(rc, "%s/%s: %s", backup, AEDB_BACKUP_MANIFEST,
			       err_message());
	}
	backup_manifest_fit(&m);
	*ret = m;
	return 0;
}
