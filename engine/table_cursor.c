#include "table_cursor.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "bytes.h"
#include "err.h"

#define VERSION 4
#define HEAD_BYTES (TABLE_CURSOR_BYTES - CURSOR_SIGN_BYTES)

static void wish_encode(uint64_t table_id, const struct table_wish *wish,
			struct byte_writer *w)
{
	byte_writer_le64(w, table_id);
	byte_writer_u8(w, wish->is_by_key);
	byte_writer_le32(w, (uint32_t)wish->n_order);
	for (size_t i = 0; i < wish->n_order; i++) {
		byte_writer_le32(w, wish->order[i].column);
		byte_writer_u8(w, wish->order[i].is_descending);
	}
	if (wish->where)
		condition_encode(wish->where, w);
}

int table_cursor_query(const uint8_t db_uuid[FILE_UUID_BYTES], uint64_t table_id,
		       const struct table_wish *wish,
		       uint8_t ret[TABLE_CURSOR_QUERY_BYTES])
{
	size_t n = FILE_UUID_BYTES + 13 + 5 * wish->n_order;
	struct byte_writer w;
	uint8_t *bytes;
	bool is_done;

	if (wish->where)
		n += condition_bytes(wish->where);
	bytes = malloc(n);
	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for a cursor");
	byte_writer_init(&w, bytes, n);
	byte_writer_put(&w, db_uuid, FILE_UUID_BYTES);
	wish_encode(table_id, wish, &w);
	is_done = EVP_Digest(bytes, byte_writer_used(&w), ret, NULL,
			     EVP_sha256(), NULL) == 1;
	free(bytes);
	return is_done ? 0 : err_set(AEDB_NO_MEMORY, "SHA-256 failed");
}

int table_cursor_encode(const uint8_t key[CURSOR_KEY_BYTES],
			const struct table_cursor *cursor, uint8_t *ret)
{
	size_t n = HEAD_BYTES + cursor->position.n;
	struct byte_writer w;

	byte_writer_init(&w, ret, n);
	byte_writer_u8(&w, VERSION);
	byte_writer_u8(&w, cursor->is_durable);
	byte_writer_le64(&w, cursor->opening);
	byte_writer_le64(&w, cursor->seq);
	byte_writer_u8(&w, cursor->is_in_order);
	byte_writer_le32(&w, cursor->branch);
	byte_writer_put(&w, cursor->query, sizeof(cursor->query));
	byte_writer_put(&w, cursor->position.at, cursor->position.n);
	return cursor_key_sign(key, ret, n, ret + n);
}

int table_cursor_decode(const uint8_t key[CURSOR_KEY_BYTES],
			struct aedb_bytes bytes, struct table_cursor *ret)
{
	size_t n = bytes.n - CURSOR_SIGN_BYTES;
	const uint8_t *at = bytes.at;
	struct byte_reader r;

	if (bytes.n < TABLE_CURSOR_BYTES || at[0] != VERSION ||
	    !cursor_key_matches(key, at, n, at + n))
		return err_set(AEDB_INVALID,
			       "this is no cursor that the database gave");
	byte_reader_init(&r, at + 1, n - 1);
	ret->is_durable = byte_reader_u8(&r);
	ret->opening = byte_reader_le64(&r);
	ret->seq = byte_reader_le64(&r);
	ret->is_in_order = byte_reader_u8(&r);
	ret->branch = byte_reader_le32(&r);
	memcpy(ret->query, byte_reader_take(&r, sizeof(ret->query)),
	       sizeof(ret->query));
	ret->position = (struct aedb_bytes){ r.at, byte_reader_left(&r) };
	return 0;
}
