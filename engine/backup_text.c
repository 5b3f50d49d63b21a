/*
 * backup.json as text: written.
 *
 * Invariant: the digest and the signature are of all that stands before them.
 */
#include "backup_text.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "plain_text.h"

const char *const backup_text_kinds[BACKUP_TEXT_KINDS] = {
	[AEDB_BACKUP_FULL] = "full",
	[AEDB_BACKUP_INCREMENTAL] = "incremental",
};

const char *const backup_text_forms[BACKUP_TEXT_FORMS] = {
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
	char sha256[BACKUP_DIGEST_TEXT_BYTES];
	char incarnation[BACKUP_HEX_BYTES(FILE_INCARNATION_BYTES)];

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

void backup_text_write(FILE *out, const struct backup_manifest *m)
{
	char database[UUID_TEXT_BYTES], digest[BACKUP_HEX_BYTES(WAL_DIGEST_BYTES)];

	uuid_write(m->db_uuid, database);
	hex_write(m->log_end.digest, WAL_DIGEST_BYTES, digest);
	fprintf(out, "{\"format\":%d", BACKUP_MANIFEST_FORMAT);
	write_text(out, "id", m->id);
	write_text_or_null(out, "parent", m->parent);
	write_text(out, "name", m->name);
	write_text(out, "kind", backup_text_kinds[m->kind]);
	write_text(out, "form", backup_text_forms[m->form]);
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
	backup_text_write(out, m);
	if (fclose(out)) {
		free(text);
		return no_memory();
	}
	*ret = text;
	*ret_n = n;
	return 0;
}

bool backup_text_has_key(const struct aedb_backup_key *key)
{
	return key && key->bytes;
}

int backup_text_digest(const char *body, size_t n,
		       char ret[BACKUP_DIGEST_TEXT_BYTES])
{
	uint8_t digest[BACKUP_DIGEST_BYTES];

	if (EVP_Digest(body, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(AEDB_NO_MEMORY, "SHA-256 failed");
	hex_write(digest, sizeof(digest), ret);
	return 0;
}

int backup_text_sign(const char *body, size_t n, const struct aedb_backup_key *key,
		     char ret[BACKUP_DIGEST_TEXT_BYTES])
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
	char digest[BACKUP_DIGEST_TEXT_BYTES];
	char signature[BACKUP_DIGEST_TEXT_BYTES] = "";
	int rc = backup_text_digest(body, n, digest);

	if (rc == 0 && backup_text_has_key(key))
		rc = backup_text_sign(body, n, key, signature);
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
	char *body = NULL, *text = NULL;
	size_t body_bytes = 0, n;
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
