/*
 * The bytes, numbers little-endian:
 *
 *	0  version, 1
 *	1  flags: 1 backward, 2 has an upper bound, 4 the state was durable
 *	2  u64 opening, u64 tree, u64 seq, u64 batch
 *	34 varint and bytes of the lower bound, of the upper one
 *	   cursor_key's signature of a label, the database's uuid, and all of that
 */
#include "listing_cursor.h"

#include "bytes.h"
#include "err.h"
#include "file_header.h"

#define CURSOR_VERSION 1
#define FIXED_BYTES 34
#define SIGNED_BYTES_MAX \
	(AEDB_CURSOR_BYTES_MAX + sizeof(label) + FILE_UUID_BYTES)

enum {
	CURSOR_BACKWARD = 1,
	CURSOR_HAS_TO = 2,
	CURSOR_IS_DURABLE = 4,
	CURSOR_FLAGS = 7,
};

static const char label[16] = "aedb cursor\0\0\0\0";

int listing_cursors_init(struct aedb *db)
{
	return file_random_bytes(&db->cursors.opening,
				 sizeof(db->cursors.opening));
}

/* What is signed: a label, the database's uuid, and the n bytes. Returns how many
 * they are in all. */
static size_t signed_bytes(const struct aedb *db, const uint8_t *bytes, size_t n,
			   uint8_t room[SIGNED_BYTES_MAX])
{
	struct byte_writer w;

	byte_writer_init(&w, room, SIGNED_BYTES_MAX);
	byte_writer_put(&w, label, sizeof(label));
	byte_writer_put(&w, manifest_db_uuid(db->manifest),
			FILE_UUID_BYTES);
	byte_writer_put(&w, bytes, n);
	return byte_writer_used(&w);
}

size_t listing_cursor_bytes_max(const struct listing_cursor *c)
{
	return FIXED_BYTES + 2 * BYTES_VARINT_MAX + c->from_bytes + c->to_bytes +
	       CURSOR_SIGN_BYTES;
}

size_t listing_cursor_encode(const struct aedb *db,
			     const struct listing_cursor *c, uint8_t *to)
{
	uint8_t room[SIGNED_BYTES_MAX];
	struct byte_writer w;
	size_t n;

	byte_writer_init(&w, to, listing_cursor_bytes_max(c));
	byte_writer_u8(&w, CURSOR_VERSION);
	byte_writer_u8(&w, (c->direction == AEDB_BACKWARD ? CURSOR_BACKWARD : 0) |
			   (c->to ? CURSOR_HAS_TO : 0) |
			   (c->is_durable ? CURSOR_IS_DURABLE : 0));
	byte_writer_le64(&w, c->opening);
	byte_writer_le64(&w, c->tree);
	byte_writer_le64(&w, c->seq);
	byte_writer_le64(&w, c->batch);
	byte_writer_varint(&w, c->from_bytes);
	byte_writer_put(&w, c->from, c->from_bytes);
	byte_writer_varint(&w, c->to_bytes);
	byte_writer_put(&w, c->to, c->to_bytes);
	n = byte_writer_used(&w);
	return cursor_key_sign(db->cursor_key, room,
			       signed_bytes(db, to, n, room), to + n) < 0 ?
		0 : n + CURSOR_SIGN_BYTES;
}

static void bound_decode(struct byte_reader *r, const uint8_t **ret,
			 size_t *ret_bytes)
{
	*ret_bytes = byte_reader_varint(r);
	*ret = byte_reader_take(r, *ret_bytes);
}

static bool is_ours(const struct aedb *db, const uint8_t *bytes, size_t n)
{
	uint8_t room[SIGNED_BYTES_MAX];

	if (n <= FIXED_BYTES + CURSOR_SIGN_BYTES || n > AEDB_CURSOR_BYTES_MAX)
		return false;
	n -= CURSOR_SIGN_BYTES;
	return cursor_key_matches(db->cursor_key, room,
				  signed_bytes(db, bytes, n, room), bytes + n);
}

/* What is ours is well-formed, but for the version. */
int listing_cursor_decode(const struct aedb *db, const void *bytes, size_t n,
			  struct listing_cursor *ret)
{
	struct byte_reader r;
	uint8_t flags;

	if (!is_ours(db, bytes, n))
		return err_set(AEDB_INVALID,
			       "cursor of %zu bytes: not one that this database "
			       "gave%s", n, db->options.hmac_key ? "" :
			       " since it was opened");
	byte_reader_init(&r, bytes, n - CURSOR_SIGN_BYTES);
	if (byte_reader_u8(&r) != CURSOR_VERSION)
		return err_set(AEDB_INVALID, "cursor of another version");
	flags = byte_reader_u8(&r);
	ret->opening = byte_reader_le64(&r);
	ret->tree = byte_reader_le64(&r);
	ret->seq = byte_reader_le64(&r);
	ret->batch = byte_reader_le64(&r);
	bound_decode(&r, &ret->from, &ret->from_bytes);
	bound_decode(&r, &ret->to, &ret->to_bytes);
	if (r.is_bad || byte_reader_left(&r) || flags & ~CURSOR_FLAGS)
		return err_set(AEDB_INVALID, "cursor of another version");
	if (!(flags & CURSOR_HAS_TO))
		ret->to = NULL;
	ret->direction = flags & CURSOR_BACKWARD ? AEDB_BACKWARD : AEDB_FORWARD;
	ret->is_durable = flags & CURSOR_IS_DURABLE;
	return 0;
}
