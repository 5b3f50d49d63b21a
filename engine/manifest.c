/*
 * Reading and writing manifests.
 *
 * Invariants:
 * 1. CURRENT changes by rename only, after the manifest it names is on the
 *    disk; so at every instant it names a whole manifest.
 * 2. A manifest file is written by one open of the database and never
 *    appended to by a later one.
 * 3. When a database is signed, its manifests are all signed with the same
 *    key; opening it without that key is refused before anything is read from
 *    other files.
 *
 * A manifest holds one edit, the whole state: CRC32C, payload bytes (le32), 1
 * (le64), payload, and in a signed manifest the HMAC-SHA256 of file number, 32
 * zeros and the whole edit. The payload is fields: varint tag, varint bytes,
 * bytes. Unknown tags are AEDB_NEWER_FORMAT.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "bytes.h"
#include "err.h"
#include "manifest.h"
#include "seal.h"

#define EDIT_HEADER_BYTES 16
#define EDIT_PAYLOAD_MAX 65536
#define TAG_BYTES 32
#define NAME_BYTES 32

enum field {
	FIELD_CREATED_US = 1,
	FIELD_WAL_FIRST = 2,
	FIELD_WAL_NEWEST = 3,
	FIELD_WAS_PERMISSIVE = 4,
};

enum { SPECIFIC_IS_SIGNED = 0 };	/* offsets in file_header.specific */

enum trust {
	TRUST_SIGNED,		/* signed if there is a key, and only then */
	TRUST_ANY,		/* to look at */
};

struct manifest {
	struct vfs *vfs;
	struct manifest_key key;
	uint64_t number;		/* of the file CURRENT names */
	struct manifest_state state;
};

static void name_format(uint64_t number, char *ret)
{
	snprintf(ret, NAME_BYTES, "MANIFEST-%" PRIu64, number);
}

static int tag_compute(struct manifest_key key, uint64_t number,
		       const uint8_t *tag_before, const uint8_t *edit,
		       size_t n, uint8_t *ret)
{
	uint8_t input[8 + TAG_BYTES + EDIT_HEADER_BYTES + EDIT_PAYLOAD_MAX];
	unsigned tag_bytes = TAG_BYTES;

	bytes_store_le64(input, number);
	memcpy(input + 8, tag_before, TAG_BYTES);
	memcpy(input + 8 + TAG_BYTES, edit, n);
	if (!HMAC(EVP_sha256(), key.bytes, (int)key.n, input,
		  8 + TAG_BYTES + n, ret, &tag_bytes))
		return err_set(AEDB_NO_MEMORY, "HMAC-SHA256 failed");
	return 0;
}

static void put_number(struct byte_writer *w, enum field tag, uint64_t value)
{
	byte_writer_varint(w, tag);
	byte_writer_varint(w, 8);
	byte_writer_le64(w, value);
}

/* Encodes the whole state as edit 1 behind `header`; returns its bytes. */
static size_t edit_encode(const struct manifest_state *state,
			  const struct seal *seal, uint8_t *edit)
{
	struct byte_writer w;

	byte_writer_init(&w, edit + EDIT_HEADER_BYTES, EDIT_PAYLOAD_MAX);
	put_number(&w, FIELD_CREATED_US, state->created_us);
	put_number(&w, FIELD_WAL_FIRST, state->wal_first);
	put_number(&w, FIELD_WAL_NEWEST, state->wal_newest);
	put_number(&w, FIELD_WAS_PERMISSIVE, state->was_permissive);
	bytes_store_le32(edit + 4, (uint32_t)byte_writer_used(&w));
	bytes_store_le64(edit + 8, 1);
	seal_record(seal, FILE_DATA_OFFSET, edit, EDIT_HEADER_BYTES,
		    byte_writer_used(&w));
	return EDIT_HEADER_BYTES + byte_writer_used(&w);
}

static int field_apply(uint64_t tag, uint64_t value, const char *path,
		       struct manifest_state *state)
{
	switch (tag) {
	case FIELD_CREATED_US:
		state->created_us = value;
		return 0;
	case FIELD_WAL_FIRST:
		state->wal_first = value;
		return 0;
	case FIELD_WAL_NEWEST:
		state->wal_newest = value;
		return 0;
	case FIELD_WAS_PERMISSIVE:
		state->was_permissive = value != 0;
		return 0;
	}
	return err_set(AEDB_NEWER_FORMAT, "%s: field %" PRIu64 " is not known",
		       path, tag);
}

static int payload_decode(const uint8_t *payload, size_t n, const char *path,
			  struct manifest_state *state)
{
	struct byte_reader r;

	byte_reader_init(&r, payload, n);
	while (byte_reader_left(&r) && !r.is_bad) {
		uint64_t tag = byte_reader_varint(&r);
		uint64_t bytes = byte_reader_varint(&r);
		const uint8_t *at = byte_reader_take(&r, bytes);
		int rc;

		if (!at || bytes != 8)
			return err_set(AEDB_CORRUPT, "%s: malformed field %" PRIu64,
				       path, tag);
		rc = field_apply(tag, bytes_load_le64(at), path, state);
		if (rc < 0)
			return rc;
	}
	if (r.is_bad || !state->wal_first)
		return err_set(AEDB_CORRUPT, "%s: the edit is incomplete", path);
	return 0;
}

/* Writes `n` bytes as a new file, on the disk when it returns. */
static int file_write(struct vfs *vfs, const char *path, const void *bytes,
		      size_t n)
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_CREATE, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_truncate(file, 0);
	if (rc == 0)
		rc = vfs_write_all(file, bytes, n, 0);
	if (rc == 0)
		rc = vfs_file_sync(file);
	vfs_file_close(file);
	return rc;
}

static int current_write(struct vfs *vfs, const char *name)
{
	char text[NAME_BYTES + 1];
	int n = snprintf(text, sizeof(text), "%s\n", name);
	int rc = file_write(vfs, MANIFEST_CURRENT ".new", text, (size_t)n);

	if (rc == 0)
		rc = vfs->ops->rename(vfs, MANIFEST_CURRENT ".new",
				      MANIFEST_CURRENT);
	if (rc == 0)
		rc = vfs_sync_dir(vfs, ".");
	return rc;
}

static int manifest_write(struct manifest *m, uint64_t number,
			  const struct manifest_state *state)
{
	uint8_t *file = calloc(1, FILE_DATA_OFFSET + EDIT_HEADER_BYTES +
					  EDIT_PAYLOAD_MAX + TAG_BYTES);
	uint8_t *edit = file ? file + FILE_DATA_OFFSET : NULL;
	static const uint8_t no_tag[TAG_BYTES];
	struct file_header header;
	struct seal seal;
	char name[NAME_BYTES];
	size_t n;
	int rc;

	if (!file)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	rc = file_header_init(&header, FILE_MANIFEST, state->db_uuid, number);
	if (rc < 0)
		goto out;
	header.specific[SPECIFIC_IS_SIGNED] = m->key.bytes != NULL;
	file_header_encode(&header, file);
	seal_init(&seal, &header);
	n = edit_encode(state, &seal, edit);
	if (m->key.bytes) {
		rc = tag_compute(m->key, number, no_tag, edit, n, edit + n);
		if (rc < 0)
			goto out;
		n += TAG_BYTES;
	}
	name_format(number, name);
	rc = file_write(m->vfs, name, file, FILE_DATA_OFFSET + n);
	if (rc == 0)
		rc = vfs_sync_dir(m->vfs, ".");
	if (rc == 0)
		rc = current_write(m->vfs, name);
out:
	free(file);
	return rc;
}

/* Checks the one edit at `edit` and takes it into the state. */
static int edit_read(const struct manifest *m, const struct file_header *header,
		     const char *path, uint8_t *edit, size_t n,
		     struct manifest_state *state)
{
	static const uint8_t no_tag[TAG_BYTES];
	uint8_t tag[TAG_BYTES];
	size_t tag_bytes = header->specific[SPECIFIC_IS_SIGNED] ? TAG_BYTES : 0;
	uint32_t payload_bytes;
	struct seal seal;
	int rc;

	if (n < EDIT_HEADER_BYTES)
		return err_set(AEDB_CORRUPT, "%s: cut off at %zu", path, n);
	payload_bytes = bytes_load_le32(edit + 4);
	seal_init(&seal, header);
	if (payload_bytes > EDIT_PAYLOAD_MAX ||
	    n != EDIT_HEADER_BYTES + payload_bytes + tag_bytes ||
	    !seal_verify(&seal, FILE_DATA_OFFSET, edit, EDIT_HEADER_BYTES,
			 payload_bytes))
		return err_set(AEDB_CORRUPT, "%s: edit at offset %u: checksum",
			       path, FILE_DATA_OFFSET);
	if (m->key.bytes) {
		rc = tag_compute(m->key, header->number, no_tag, edit,
				 n - tag_bytes, tag);
		if (rc < 0)
			return rc;
		if (CRYPTO_memcmp(tag, edit + n - tag_bytes, TAG_BYTES) != 0)
			return err_set(AEDB_ACCESS,
				       "%s: not signed with this key", path);
	}
	return payload_decode(edit + EDIT_HEADER_BYTES, payload_bytes, path,
			      state);
}

static int signature_check(const struct manifest *m,
			   const struct file_header *header, const char *path)
{
	bool is_signed = header->specific[SPECIFIC_IS_SIGNED];

	if (is_signed && !m->key.bytes)
		return err_set(AEDB_ACCESS, "%s is signed, no key was given",
			       path);
	if (!is_signed && m->key.bytes)
		return err_set(AEDB_ACCESS,
			       "%s is not signed, and a key was given", path);
	return 0;
}

static int manifest_load(struct manifest *m, const char *path, enum trust trust)
{
	struct file_header header;
	struct vfs_file *file;
	uint8_t *edit = NULL;
	uint64_t size;
	int rc = vfs_file_open(m->vfs, path, VFS_READ, &file);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s, named by %s, is missing", path,
			       MANIFEST_CURRENT);
	if (rc < 0)
		return rc;
	rc = file_header_read(file, FILE_MANIFEST, NULL, &header);
	if (rc == 0 && trust == TRUST_SIGNED)
		rc = signature_check(m, &header, path);
	if (rc == 0)
		rc = vfs_file_size(file, &size);
	if (rc < 0)
		goto out;
	if (size < FILE_DATA_OFFSET ||
	    size > FILE_DATA_OFFSET + EDIT_HEADER_BYTES + EDIT_PAYLOAD_MAX +
			   TAG_BYTES) {
		rc = err_set(AEDB_CORRUPT, "%s has %" PRIu64 " bytes", path, size);
		goto out;
	}
	size -= FILE_DATA_OFFSET;
	edit = malloc(size + 1);
	rc = edit ? vfs_read_exact(file, edit, size, FILE_DATA_OFFSET) :
		    err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	if (rc == 0)
		rc = edit_read(m, &header, path, edit, size, &m->state);
	if (rc == 0) {
		memcpy(m->state.db_uuid, header.db_uuid, FILE_UUID_BYTES);
		m->number = header.number;
	}
out:
	free(edit);
	vfs_file_close(file);
	return rc;
}

/* Reads CURRENT; the name is checked, for it becomes a path. */
static int current_read(struct vfs *vfs, char *ret)
{
	char text[NAME_BYTES + 1] = "", want[NAME_BYTES];
	struct vfs_file *file;
	uint64_t number;
	size_t n;
	int rc = vfs_file_open(vfs, MANIFEST_CURRENT, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = vfs->ops->read(file, text, NAME_BYTES, 0, &n);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	number = n > 9 ? strtoull(text + 9, NULL, 10) : 0;
	name_format(number, want);
	if (n != strlen(want) + 1 || memcmp(text, want, n - 1) != 0 ||
	    text[n - 1] != '\n')
		return err_set(AEDB_CORRUPT, "%s does not name a manifest",
			       MANIFEST_CURRENT);
	strcpy(ret, want);
	return 0;
}

static struct manifest *manifest_new(struct vfs *vfs, struct manifest_key key)
{
	struct manifest *m = calloc(1, sizeof(*m));

	if (m) {
		m->vfs = vfs;
		m->key = key;
	}
	return m;
}

int manifest_create(struct vfs *vfs, const struct manifest_state *state,
		    struct manifest_key key, struct manifest **ret)
{
	struct manifest *m = manifest_new(vfs, key);
	int rc;

	if (!m)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	rc = manifest_record(m, state);
	if (rc < 0) {
		manifest_close(m);
		return rc;
	}
	*ret = m;
	return 0;
}

int manifest_open(struct vfs *vfs, struct manifest_key key,
		  struct manifest **ret)
{
	struct manifest *m;
	char name[NAME_BYTES];
	int rc = current_read(vfs, name);

	if (rc < 0)
		return rc;
	m = manifest_new(vfs, key);
	if (!m)
		return err_set(AEDB_NO_MEMORY, "no memory for a manifest");
	rc = manifest_load(m, name, TRUST_SIGNED);
	if (rc < 0) {
		manifest_close(m);
		return rc;
	}
	*ret = m;
	return 0;
}

void manifest_close(struct manifest *manifest)
{
	free(manifest);
}

const struct manifest_state *manifest_state(const struct manifest *manifest)
{
	return &manifest->state;
}

int manifest_record(struct manifest *manifest,
		    const struct manifest_state *state)
{
	char old_name[NAME_BYTES];
	int rc = manifest_write(manifest, manifest->number + 1, state);

	if (rc < 0)
		return rc;
	name_format(manifest->number, old_name);
	manifest->number++;
	manifest->state = *state;
	/* whether the old one goes does not matter: nothing names it */
	if (manifest->number > 1)
		manifest->vfs->ops->unlink(manifest->vfs, old_name);
	return 0;
}

int manifest_file_show(FILE *out, struct vfs *vfs, const char *path)
{
	struct manifest m = { .vfs = vfs };
	struct file_header header;
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = file_header_read(file, FILE_MANIFEST, NULL, &header);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	file_header_show(out, &header);
	fprintf(out, "signed: %s\n",
		header.specific[SPECIFIC_IS_SIGNED] ? "yes" : "no");
	rc = manifest_load(&m, path, TRUST_ANY);
	if (rc < 0) {
		fprintf(out, "edit 1: %s\n", err_message());
		return 0;
	}
	fprintf(out, "created: %" PRIu64 " us\nlog begins with: %" PRIu64
		".wal\nnewest log file known: %" PRIu64
		".wal\nopened permissively over damage: %s\n",
		m.state.created_us, m.state.wal_first, m.state.wal_newest,
		m.state.was_permissive ? "yes" : "no");
	return 0;
}
