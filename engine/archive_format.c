/*
 * Encoding and checking the parts of an archive.
 *
 * Invariants:
 * 1. Whatever a decoder lets through is within its bounds: a chunk has at most
 *    ARCHIVE_CHUNK_BYTES, stored and raw, before anything is read or allocated.
 * 2. What is unused is zero, and is checked.
 */
#include "archive_format.h"

#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "err.h"

#define MAGIC "AEDBARCV"
#define MAGIC_BYTES 8
#define VERSION 1
#define FLAG_ENCRYPTED 1

enum {
	VERSION_AT = MAGIC_BYTES,
	FLAGS_AT = VERSION_AT + 2,
	CHUNK_AT = FLAGS_AT + 2,
	BYTES_AT = CHUNK_AT + 4,
	SALT_AT = BYTES_AT + 8,
	CHECK_AT = SALT_AT + ARCHIVE_SALT_BYTES,
	ZERO_AT = CHECK_AT + ARCHIVE_CHECK_BYTES,
	SUM_AT = ZERO_AT + 4,
};
_Static_assert(SUM_AT + 4 == ARCHIVE_HEADER_BYTES, "the fields fill the header");

void archive_header_encode(const struct archive_header *header,
			   uint8_t ret[ARCHIVE_HEADER_BYTES])
{
	memset(ret, 0, ARCHIVE_HEADER_BYTES);
	memcpy(ret, MAGIC, MAGIC_BYTES);
	bytes_store_le16(ret + VERSION_AT, VERSION);
	bytes_store_le16(ret + FLAGS_AT, header->is_encrypted ? FLAG_ENCRYPTED : 0);
	bytes_store_le32(ret + CHUNK_AT, ARCHIVE_CHUNK_BYTES);
	bytes_store_le64(ret + BYTES_AT, header->all_bytes);
	memcpy(ret + SALT_AT, header->salt, ARCHIVE_SALT_BYTES);
	memcpy(ret + CHECK_AT, header->check, ARCHIVE_CHECK_BYTES);
	bytes_store_le32(ret + SUM_AT, crc32c(0, ret, SUM_AT));
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= bytes[i];
	return all == 0;
}

int archive_header_decode(const uint8_t bytes[ARCHIVE_HEADER_BYTES],
			  struct archive_header *ret)
{
	uint16_t version = bytes_load_le16(bytes + VERSION_AT);
	uint16_t flags = bytes_load_le16(bytes + FLAGS_AT);

	if (memcmp(bytes, MAGIC, MAGIC_BYTES))
		return err_set(AEDB_CORRUPT, "this is no archive");
	if (version > VERSION)
		return err_set(AEDB_NEWER_FORMAT,
			       "the archive has format %u, known are those up to %u",
			       version, VERSION);
	if (bytes_load_le32(bytes + SUM_AT) != crc32c(0, bytes, SUM_AT))
		return err_set(AEDB_CORRUPT, "the archive's header is damaged");
	if (version != VERSION || flags & ~FLAG_ENCRYPTED ||
	    bytes_load_le32(bytes + CHUNK_AT) != ARCHIVE_CHUNK_BYTES ||
	    !is_zero(bytes + ZERO_AT, SUM_AT - ZERO_AT) ||
	    (!flags && !is_zero(bytes + CHECK_AT, ARCHIVE_CHECK_BYTES)))
		return err_set(AEDB_CORRUPT, "the archive's header is not valid");
	ret->is_encrypted = flags & FLAG_ENCRYPTED;
	ret->all_bytes = bytes_load_le64(bytes + BYTES_AT);
	memcpy(ret->salt, bytes + SALT_AT, ARCHIVE_SALT_BYTES);
	memcpy(ret->check, bytes + CHECK_AT, ARCHIVE_CHECK_BYTES);
	return 0;
}

void archive_record_encode(const struct archive_record *record,
			   uint8_t ret[ARCHIVE_RECORD_BYTES])
{
	struct byte_writer w;

	byte_writer_init(&w, ret, ARCHIVE_RECORD_BYTES);
	byte_writer_u8(&w, record->kind);
	byte_writer_u8(&w, record->codec);
	byte_writer_le16(&w, 0);
	byte_writer_le32(&w, record->stored_bytes);
	byte_writer_le32(&w, record->raw_bytes);
}

static bool sizes_are_valid(const struct archive_record *record)
{
	uint32_t stored = record->stored_bytes, raw = record->raw_bytes;

	if (record->codec == ARCHIVE_ZSTD)
		return record->kind == ARCHIVE_CHUNK && stored > 0 &&
		       stored < raw && raw <= ARCHIVE_CHUNK_BYTES;
	if (record->codec != ARCHIVE_PLAIN || stored != raw)
		return false;
	switch (record->kind) {
	case ARCHIVE_HEAD:
		return raw > 9 && raw <= ARCHIVE_HEAD_BYTES_MAX;
	case ARCHIVE_CHUNK:
		return raw > 0 && raw <= ARCHIVE_CHUNK_BYTES;
	case ARCHIVE_FOOT:
		return raw == 0 || raw == ARCHIVE_FOOT_BYTES;
	case ARCHIVE_END:
		return raw == ARCHIVE_END_BYTES;
	}
	return false;
}

int archive_record_decode(const uint8_t bytes[ARCHIVE_RECORD_BYTES],
			  struct archive_record *ret)
{
	struct archive_record record;
	struct byte_reader r;
	uint16_t zero;

	byte_reader_init(&r, bytes, ARCHIVE_RECORD_BYTES);
	record.kind = byte_reader_u8(&r);
	record.codec = byte_reader_u8(&r);
	zero = byte_reader_le16(&r);
	record.stored_bytes = byte_reader_le32(&r);
	record.raw_bytes = byte_reader_le32(&r);
	if (zero || !sizes_are_valid(&record))
		return err_set(AEDB_CORRUPT, "a record's header is not valid");
	*ret = record;
	return 0;
}

bool archive_may_follow(unsigned last, unsigned next)
{
	bool is_inside = last == ARCHIVE_HEAD || last == ARCHIVE_CHUNK;

	if (next == ARCHIVE_CHUNK || next == ARCHIVE_FOOT)
		return is_inside;
	return !is_inside && last != ARCHIVE_END;
}

size_t archive_head_encode(const struct archive_head *head,
			   uint8_t ret[ARCHIVE_HEAD_BYTES_MAX])
{
	struct byte_writer w;

	byte_writer_init(&w, ret, ARCHIVE_HEAD_BYTES_MAX);
	byte_writer_u8(&w, head->type);
	byte_writer_le64(&w, head->bytes);
	byte_writer_put(&w, head->path, strlen(head->path));
	return byte_writer_used(&w);
}

int archive_head_decode(const uint8_t *bytes, size_t n,
			struct archive_head *ret)
{
	struct byte_reader r;
	size_t path_bytes;
	unsigned type;
	int rc;

	byte_reader_init(&r, bytes, n);
	type = byte_reader_u8(&r);
	ret->bytes = byte_reader_le64(&r);
	path_bytes = byte_reader_left(&r);
	if (r.is_bad || type > ARCHIVE_DIRECTORY ||
	    (type == ARCHIVE_DIRECTORY && ret->bytes))
		return err_set(AEDB_CORRUPT, "its head is not valid");
	rc = archive_path_check((const char *)r.at, path_bytes);
	if (rc < 0)
		return err_set(AEDB_CORRUPT, "%s", err_message());
	ret->type = type;
	memcpy(ret->path, r.at, path_bytes);
	ret->path[path_bytes] = '\0';
	return 0;
}

void archive_end_encode(const struct archive_end *end,
			uint8_t ret[ARCHIVE_END_BYTES])
{
	bytes_store_le64(ret, end->entries);
	bytes_store_le64(ret + 8, end->bytes);
}

void archive_end_decode(const uint8_t bytes[ARCHIVE_END_BYTES],
			struct archive_end *ret)
{
	ret->entries = bytes_load_le64(bytes);
	ret->bytes = bytes_load_le64(bytes + 8);
}

static bool component_is_valid(const char *name, size_t n)
{
	return n > 0 && !(n == 1 && name[0] == '.') &&
	       !(n == 2 && name[0] == '.' && name[1] == '.');
}

int archive_path_check(const char *path, size_t n)
{
	size_t begin = 0;

	if (n > AEDB_ARCHIVE_PATH_MAX)
		return err_set(AEDB_NAME_TOO_LONG, "a path has %zu bytes, %d at most",
			       n, AEDB_ARCHIVE_PATH_MAX);
	if (memchr(path, '\0', n))
		return err_set(AEDB_INVALID, "a path has a zero in it");
	for (size_t i = 0; i <= n; i++) {
		if (i < n && path[i] != '/')
			continue;
		if (!component_is_valid(path + begin, i - begin))
			return err_set(AEDB_INVALID,
				       "the path '%.*s' is not relative and plain",
				       (int)(n < 200 ? n : 200), path);
		begin = i + 1;
	}
	return 0;
}
