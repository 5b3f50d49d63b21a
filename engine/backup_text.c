/*
 * backup.json as text: written, and read again without believing it.
 *
 * Invariants:
 * 1. A manifest has one text. What was read is written again and must be the
 *    same, so nothing stands in a text that was not understood and checked.
 * 2. The digest and the signature are of all that stands before them.
 */
#include "backup_manifest.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "plain_text.h"

#define HEX_BYTES(n) (2 * (n) + 1)

static const char *const kinds[] = {
	[AEDB_BACKUP_FULL] = "full",
	[AEDB_BACKUP_INCREMENTAL] = "incremental",
};

static const char *const forms[] = {
	[AEDB_BACKUP_FILES] = "files",
	[AEDB_BACKUP_LOG] = "log",
};

static void write_text(FILE *out, const char *name, const char *text)
{
	fprintf(out, ",\n\"%s\":\"%s\"", name, text);
}

/* Text, or null where it is empty. */
static void write_text_or_null(FILE *out, const char *name, const char *text)
{
	if (*text)
		write_text(out, name, text);
	else
		fprintf(out, ",\n\"%s\":null", name);
}

static void write_number(FILE *out, const char *name, uint64_t n)
{
	fprintf(out, ",\n\"%s\":%" PRIu64, name, n);
}

static void write_time(FILE *out, const char *name, uint64_t us)
{
	char text[TIME_TEXT_BYTES];

	time_write(us, text);
	write_text(out, name, text);
}

static void write_file(FILE *out, const struct backup_file *f)
{
	char sha256[HEX_BYTES(BACKUP_DIGEST_BYTES)];
	char incarnation[HEX_BYTES(FILE_INCARNATION_BYTES)];

	hex_write(f->sha256, sizeof(f->sha256), sha256);
	fprintf(out, "{\"path\":\"%s\",\"bytes\":%" PRIu64 ",\"sha256\":\"%s\"",
		f->path, f->bytes, sha256);
	if (f->number) {
		hex_write(f->incarnation, sizeof(f->incarnation), incarnation);
		fprintf(out, ",\"incarnation\":\"%s\"", incarnation);
	}
	if (f->is_open)
		fputs(",\"open\":true", out);
	fprintf(out, ",\"stored\":\"%s\"}", *f->stored ? f->stored : "here");
}

static void write_snapshot(FILE *out, const struct manifest_snapshot *s)
{
	char time[TIME_TEXT_BYTES];

	time_write(s->time_us, time);
	fprintf(out, "{\"name\":\"%s\",\"seq\":%" PRIu64 ",\"time\":\"%s\"}",
		s->name, s->seq, time);
}

static void write_lists(FILE *out, const struct backup_manifest *m)
{
	fputs(",\n\"files\":[", out);
	for (size_t i = 0; i < m->n_files; i++) {
		fputs(i ? ",\n" : "\n", out);
		write_file(out, &m->files[i]);
	}
	fputs("],\n\"snapshots\":[", out);
	for (size_t i = 0; i < m->n_snapshots; i++) {
		fputs(i ? ",\n" : "\n", out);
		write_snapshot(out, &m->snapshots[i]);
	}
	fputs("]", out);
}

static void write_body(FILE *out, const struct backup_manifest *m)
{
	char database[UUID_TEXT_BYTES], digest[HEX_BYTES(WAL_DIGEST_BYTES)];

	uuid_write(m->db_uuid, database);
	hex_write(m->log_end.digest, WAL_DIGEST_BYTES, digest);
	fprintf(out, "{\"format\":%d", BACKUP_MANIFEST_FORMAT);
	write_text(out, "id", m->id);
	write_text_or_null(out, "parent", m->parent);
	write_text(out, "name", m->name);
	write_text(out, "kind", kinds[m->kind]);
	write_text(out, "form", forms[m->form]);
	write_text(out, "database", database);
	write_text(out, "engine", m->engine);
	write_number(out, "database_format", m->database_format);
	write_time(out, "began", m->began_us);
	write_time(out, "finished", m->finished_us);
	write_number(out, "from_seq", m->from_seq);
	write_number(out, "head_seq", m->head_seq);
	write_time(out, "head_time", m->head_time_us);
	fprintf(out, ",\n\"log\":{\"first\":%" PRIu64 ",\"last\":%" PRIu64
		",\"end_lsn\":%" PRIu64 ",\"end_digest\":\"%s\"}",
		m->log_first, m->log_last, m->log_end.lsn, digest);
	write_lists(out, m);
}

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for a backup's manifest");
}

/* All but digest and signature. Owned (free). */
static int body_make(const struct backup_manifest *m, char **ret, size_t *ret_n)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return no_memory();
	write_body(out, m);
	if (fclose(out)) {
		free(text);
		return no_memory();
	}
	*ret = text;
	*ret_n = n;
	return 0;
}

static bool has_key(const struct aedb_backup_key *key)
{
	return key && key->bytes;
}

static int digest_of(const char *body, size_t n, char *ret)
{
	uint8_t digest[BACKUP_DIGEST_BYTES];

	if (EVP_Digest(body, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(AEDB_NO_MEMORY, "SHA-256 failed");
	hex_write(digest, sizeof(digest), ret);
	return 0;
}

static int signature_of(const char *body, size_t n,
			const struct aedb_backup_key *key, char *ret)
{
	uint8_t mac[BACKUP_DIGEST_BYTES];
	unsigned bytes = sizeof(mac);

	if (!HMAC(EVP_sha256(), key->bytes, (int)key->n, (const uint8_t *)body, n,
		  mac, &bytes))
		return err_set(AEDB_NO_MEMORY, "HMAC-SHA256 failed");
	hex_write(mac, sizeof(mac), ret);
	return 0;
}

static int write_end(FILE *out, const char *body, size_t n,
		     const struct aedb_backup_key *key)
{
	char digest[HEX_BYTES(BACKUP_DIGEST_BYTES)];
	char signature[HEX_BYTES(BACKUP_DIGEST_BYTES)] = "";
	int rc = digest_of(body, n, digest);

	if (rc == 0 && has_key(key))
		rc = signature_of(body, n, key, signature);
	if (rc < 0)
		return rc;
	fwrite(body, 1, n, out);
	write_text(out, "sha256", digest);
	write_text_or_null(out, "hmac", signature);
	fputs("}\n", out);
	return 0;
}

int backup_manifest_encode(const struct backup_manifest *m,
			   const struct aedb_backup_key *key, char **ret,
			   size_t *ret_bytes)
{
	char *body, *text = NULL;
	size_t body_bytes, n;
	FILE *out;
	int rc = backup_manifest_check(m);

	if (rc == 0)
		rc = body_make(m, &body, &body_bytes);
	if (rc < 0)
		return rc;
	out = open_memstream(&text, &n);
	rc = out ? write_end(out, body, body_bytes, key) : no_memory();
	if (out && fclose(out) && rc == 0)
		rc = no_memory();
	free(body);
	if (rc == 0 && n > BACKUP_MANIFEST_BYTES_MAX)
		rc = err_set(AEDB_TOO_LARGE, "the backup has too many files");
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_bytes = n;
	return 0;
}

/* Reading: members one by one; the first that is missing or of another kind is
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

static void read_list(struct reader *r, const char *name, struct backup_manifest *m,
		      int (*read)(const json_t *, struct backup_manifest *))
{
	const json_t *list = json_object_get(r->object, name);

	if (!json_is_array(list))
		reader_refuse(r, name);
	for (size_t i = 0; i < json_array_size(list) && r->rc == 0; i++)
		r->rc = read(json_array_get(list, i), m);
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

static int read_format(const json_t *root)
{
	struct reader r = { .object = root };
	uint64_t format = read_number(&r, "format");

	if (r.rc == 0 && format > BACKUP_MANIFEST_FORMAT)
		return err_set(AEDB_NEWER_FORMAT,
			       "it is of format %" PRIu64 ", this program knows %d",
			       format, BACKUP_MANIFEST_FORMAT);
	return r.rc;
}

static int read_body(const json_t *root, struct backup_manifest *m)
{
	struct reader r = { .object = root, .rc = read_format(root) };

	read_plain(&r, "id", m->id, sizeof(m->id));
	read_text_or_null(&r, "parent", m->parent, sizeof(m->parent));
	read_plain(&r, "name", m->name, sizeof(m->name));
	m->kind = read_word(&r, "kind", kinds, 2);
	m->form = read_word(&r, "form", forms, 2);
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
	read_list(&r, "files", m, read_file);
	read_list(&r, "snapshots", m, read_snapshot);
	m->is_signed = json_is_string(json_object_get(root, "hmac"));
	return r.rc < 0 ? r.rc : backup_manifest_check(m);
}

/* Whether the signature, which the text has as it stands, is of the key. */
static int signature_check(const struct reader *r, const char *body, size_t n,
			   const struct aedb_backup_key *key)
{
	const char *has = json_string_value(json_object_get(r->object, "hmac"));
	char want[HEX_BYTES(BACKUP_DIGEST_BYTES)];
	int rc;

	if (!has)
		return err_set(AEDB_ACCESS, "it is not signed");
	rc = signature_of(body, n, key, want);
	if (rc < 0)
		return rc;
	if (strlen(has) + 1 != sizeof(want) ||
	    CRYPTO_memcmp(has, want, sizeof(want)))
		return err_set(AEDB_ACCESS, "it is signed with another key");
	return 0;
}

/* The text must be what the manifest is written as. */
static int text_check(const struct reader *r, const char *text, size_t n,
		      const struct backup_manifest *m,
		      const struct aedb_backup_key *key)
{
	const char *hmac = json_string_value(json_object_get(r->object, "hmac"));
	char digest[HEX_BYTES(BACKUP_DIGEST_BYTES)], end[256], *body;
	size_t body_bytes;
	int end_bytes = 0, rc = body_make(m, &body, &body_bytes);

	if (rc < 0)
		return rc;
	rc = digest_of(body, body_bytes, digest);
	if (rc == 0)
		end_bytes = snprintf(end, sizeof(end),
				     hmac ? ",\n\"sha256\":\"%s\",\n\"hmac\":\"%s\"}\n" :
					    ",\n\"sha256\":\"%s\",\n\"hmac\":null}\n",
				     digest, hmac);
	if (rc == 0 && ((size_t)end_bytes >= sizeof(end) ||
			n != body_bytes + (size_t)end_bytes ||
			memcmp(text, body, body_bytes) ||
			memcmp(text + body_bytes, end, (size_t)end_bytes)))
		rc = err_set(AEDB_CORRUPT, "it was changed after it was written");
	if (rc == 0 && has_key(key))
		rc = signature_check(r, body, body_bytes, key);
	free(body);
	return rc;
}

static int text_read(const char *text, size_t n, const struct aedb_backup_key *key,
		     struct backup_manifest *ret)
{
	json_error_t error;
	json_t *root;
	struct reader r = { 0 };

	if (n > BACKUP_MANIFEST_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "it is larger than can be");
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return err_set(AEDB_CORRUPT, "line %d: %s", error.line, error.text);
	r.object = root;
	r.rc = read_body(root, ret);
	if (r.rc == 0)
		r.rc = text_check(&r, text, n, ret, key);
	json_decref(root);
	return r.rc;
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
