/*
 * The common file header: layout, and what makes one acceptable.
 *
 *	 0  magic (8)		 8  format version (4)	12  kind (4)
 *	16  database (16)	32  number (8)		40  incarnation (16)
 *	56  cipher (2), zero (2), key id (4)		64  salt (16)
 *	80  kind-specific (256)	336 zeros		508 CRC32C (4)
 *
 * Invariants:
 * 1. Magic, format version and checksum stay where they are in every version,
 *    so that an older program can tell a newer file from a damaged one.
 */
#include "file_header.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "bytes.h"
#include "crc32c.h"
#include "err.h"

#define MAGIC_BYTES 8
#define CHECKSUM_AT (FILE_HEADER_BYTES - 4)
#define PLAIN_BYTES 80

_Static_assert(PLAIN_BYTES + FILE_SPECIFIC_BYTES <= CHECKSUM_AT, "overlap");
_Static_assert(FILE_HEADER_BYTES <= FILE_DATA_OFFSET, "header reaches into data");

/* As in PNG: shows a transfer that changed line ends or dropped the high bit. */
static const uint8_t magic[MAGIC_BYTES] = { 0x89, 'a',  'e',  'd',
					    'b',  '\r', '\n', 0x1a };

static const char *file_kind_name(enum file_kind kind)
{
	switch (kind) {
	case FILE_WAL:
		return "write-ahead log";
	case FILE_VALUES:
		return "value file";
	case FILE_MANIFEST:
		return "manifest";
	case FILE_SEGMENT:
		return "segment";
	case FILE_PAGES:
		return "page file";
	}
	return "file of unknown kind";
}

int file_random_bytes(void *ret, size_t n)
{
	uint8_t *at = ret;

	while (n) {
		ssize_t k = getrandom(at, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set_errno(errno, "reading random bytes");
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int file_header_init(struct file_header *header, enum file_kind kind,
		     const uint8_t db_uuid[FILE_UUID_BYTES], uint64_t number)
{
	struct file_header h = { .kind = kind,
				 .format_version = FILE_FORMAT_VERSION,
				 .number = number };
	int rc = file_random_bytes(h.incarnation, sizeof(h.incarnation));

	if (rc == 0)
		rc = file_random_bytes(h.salt, sizeof(h.salt));
	if (rc < 0)
		return rc;
	memcpy(h.db_uuid, db_uuid, sizeof(h.db_uuid));
	*header = h;
	return 0;
}

void file_header_encode(const struct file_header *header, uint8_t *ret)
{
	struct byte_writer w;

	memset(ret, 0, FILE_HEADER_BYTES);
	byte_writer_init(&w, ret, CHECKSUM_AT);
	byte_writer_put(&w, magic, sizeof(magic));
	byte_writer_le32(&w, header->format_version);
	byte_writer_le32(&w, header->kind);
	byte_writer_put(&w, header->db_uuid, sizeof(header->db_uuid));
	byte_writer_le64(&w, header->number);
	byte_writer_put(&w, header->incarnation, sizeof(header->incarnation));
	byte_writer_le16(&w, header->cipher);
	byte_writer_le16(&w, 0);
	byte_writer_le32(&w, header->key_id);
	byte_writer_put(&w, header->salt, sizeof(header->salt));
	byte_writer_put(&w, header->specific, sizeof(header->specific));
	bytes_store_le32(ret + CHECKSUM_AT, crc32c(0, ret, CHECKSUM_AT));
}

static void header_read_fields(struct byte_reader *r, struct file_header *h,
			       uint16_t *ret_zero)
{
	byte_reader_take(r, MAGIC_BYTES);
	h->format_version = byte_reader_le32(r);
	h->kind = byte_reader_le32(r);
	memcpy(h->db_uuid, byte_reader_take(r, FILE_UUID_BYTES), FILE_UUID_BYTES);
	h->number = byte_reader_le64(r);
	memcpy(h->incarnation, byte_reader_take(r, FILE_INCARNATION_BYTES),
	       FILE_INCARNATION_BYTES);
	h->cipher = byte_reader_le16(r);
	*ret_zero = byte_reader_le16(r);
	h->key_id = byte_reader_le32(r);
	memcpy(h->salt, byte_reader_take(r, FILE_SALT_BYTES), FILE_SALT_BYTES);
	memcpy(h->specific, byte_reader_take(r, FILE_SPECIFIC_BYTES),
	       FILE_SPECIFIC_BYTES);
}

int file_header_decode(const uint8_t *bytes, size_t n, const char *path,
		       struct file_header *ret)
{
	struct file_header h = { 0 };
	struct byte_reader r;
	uint32_t version;
	uint16_t zero;

	if (n < FILE_HEADER_BYTES)
		return err_set(AEDB_CORRUPT, "%s: %zu bytes are too short for a header",
			       path, n);
	if (memcmp(bytes, magic, sizeof(magic)))
		return err_set(AEDB_CORRUPT, "%s is no file of an aedbfs database",
			       path);
	if (bytes_load_le32(bytes + CHECKSUM_AT) != crc32c(0, bytes, CHECKSUM_AT))
		return err_set(AEDB_CORRUPT, "%s: header checksum does not match", path);
	version = bytes_load_le32(bytes + MAGIC_BYTES);
	if (version > FILE_FORMAT_VERSION)
		return err_set(AEDB_NEWER_FORMAT,
			       "%s has format version %" PRIu32
			       ", this program reads up to %d",
			       path, version, FILE_FORMAT_VERSION);
	byte_reader_init(&r, bytes, n);
	header_read_fields(&r, &h, &zero);
	if (h.cipher != 0)
		return err_set(AEDB_NEWER_FORMAT,
			       "%s is encrypted with cipher %u, unknown to this program",
			       path, h.cipher);
	if (version == 0 || h.kind < FILE_WAL || h.kind > FILE_PAGES ||
	    h.number == 0 || zero != 0)
		return err_set(AEDB_CORRUPT, "%s: impossible header fields", path);
	*ret = h;
	return 0;
}

int file_header_read(struct vfs_file *file, enum file_kind kind,
		     const uint8_t *db_uuid, struct file_header *ret)
{
	uint8_t bytes[FILE_HEADER_BYTES];
	struct file_header h;
	size_t n;
	int rc = file->vfs->ops->read(file, bytes, sizeof(bytes), 0, &n);

	if (rc == 0)
		rc = file_header_decode(bytes, n, file->path, &h);
	if (rc < 0)
		return rc;
	if (h.kind != kind)
		return err_set(AEDB_CORRUPT, "%s is a %s, want a %s", file->path,
			       file_kind_name(h.kind), file_kind_name(kind));
	if (db_uuid && memcmp(h.db_uuid, db_uuid, FILE_UUID_BYTES))
		return err_set(AEDB_CORRUPT, "%s belongs to another database",
			       file->path);
	*ret = h;
	return 0;
}

static void show_hex(FILE *out, const char *name, const uint8_t *bytes, size_t n)
{
	fprintf(out, "%s: ", name);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%02x", bytes[i]);
	fputc('\n', out);
}

void file_header_show(FILE *out, const struct file_header *header)
{
	fprintf(out, "kind: %s\n", file_kind_name(header->kind));
	fprintf(out, "format version: %" PRIu32 "\n", header->format_version);
	show_hex(out, "database", header->db_uuid, sizeof(header->db_uuid));
	fprintf(out, "number: %" PRIu64 "\n", header->number);
	show_hex(out, "incarnation", header->incarnation,
		 sizeof(header->incarnation));
	fprintf(out, "cipher: %u\nkey id: %" PRIu32 "\n", header->cipher,
		header->key_id);
}
