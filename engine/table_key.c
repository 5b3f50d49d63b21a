/*
 * Values as bytes whose order is that of the values.
 *
 * A tag says the type, so that values of different types order by it. Behind it,
 * integers stand with the highest byte first, and with the sign turned around if they
 * have one; a double as its bits, the sign turned around of one above 0, all of them
 * of one below. Bytes of any length have 00 ff for each 00 and end with 00 00: the
 * end is below whatever goes on, and no encoding is a prefix of another.
 */
#include "table_key.h"

#include "err.h"
#include "table_value.h"

#define SIGN (UINT64_C(1) << 63)
#define ESCAPED 0xff		/* behind a 00 that is a byte of the value */

/* Bytes behind the tag of a value of fixed width. */
static size_t fixed_bytes(enum aedb_type type)
{
	switch (type) {
	case AEDB_TYPE_NULL:
		return 0;
	case AEDB_TYPE_BOOL:
	case AEDB_TYPE_U8:
		return 1;
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		return TABLE_VALUE_WIDE_BYTES;
	default:
		return 8;
	}
}

static size_t count_zeros(struct aedb_bytes bytes)
{
	const uint8_t *at = bytes.at;
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i++)
		n += at[i] == 0;
	return n;
}

size_t table_key_bytes(const struct aedb_value *v)
{
	if (table_type_is_bytes(v->type))
		return 1 + v->bytes.n + count_zeros(v->bytes) + 2;
	return 1 + fixed_bytes(v->type);
}

static void put_escaped(struct byte_writer *w, const void *bytes, size_t n)
{
	const uint8_t *at = bytes, *end = at + n, *zero;

	while (at < end) {
		zero = memchr(at, 0, (size_t)(end - at));
		if (!zero) {
			byte_writer_put(w, at, (size_t)(end - at));
			return;
		}
		byte_writer_put(w, at, (size_t)(zero + 1 - at));
		byte_writer_u8(w, ESCAPED);
		at = zero + 1;
	}
}

static void put_be64(struct byte_writer *w, uint64_t v)
{
	uint8_t *at = byte_writer_take(w, 8);

	if (at)
		bytes_store_be64(at, v);
}

static void put_wide(struct byte_writer *w, const uint8_t *wide, uint8_t sign)
{
	uint8_t *at = byte_writer_take(w, TABLE_VALUE_WIDE_BYTES);

	if (!at)
		return;
	memcpy(at, wide, TABLE_VALUE_WIDE_BYTES);
	at[0] ^= sign;
}

static void put_real(struct byte_writer *w, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	put_be64(w, bits & SIGN ? ~bits : bits | SIGN);
}

void table_key_put(struct byte_writer *w, const struct aedb_value *v)
{
	byte_writer_u8(w, TABLE_KEY_TAG(v->type));
	switch (v->type) {
	case AEDB_TYPE_NULL:
		return;
	case AEDB_TYPE_BOOL:
		byte_writer_u8(w, v->boolean);
		return;
	case AEDB_TYPE_U8:
		byte_writer_u8(w, (uint8_t)v->u64);
		return;
	case AEDB_TYPE_U64:
		put_be64(w, v->u64);
		return;
	case AEDB_TYPE_I64:
	case AEDB_TYPE_TIMESTAMP:
		put_be64(w, (uint64_t)v->i64 ^ SIGN);
		return;
	case AEDB_TYPE_U256:
		put_wide(w, v->wide, 0);
		return;
	case AEDB_TYPE_I256:
		put_wide(w, v->wide, 0x80);
		return;
	case AEDB_TYPE_FLOAT:
		put_real(w, table_value_stored(*v).real);
		return;
	default:
		put_escaped(w, v->bytes.at, v->bytes.n);
		byte_writer_put(w, "\0", 2);
	}
}

void table_key_put_prefix(struct byte_writer *w, enum aedb_type type,
			  const void *bytes, size_t n)
{
	byte_writer_u8(w, TABLE_KEY_TAG(type));
	put_escaped(w, bytes, n);
}

/* Decoding. */

/* Where the zero of the next pair that is not an escaped 00 stands: the end of the
 * value's bytes. NULL: it has none. *ret_escapes: how many pairs stand before. */
static const uint8_t *find_end(const struct byte_reader *r, size_t *ret_escapes)
{
	const uint8_t *at = r->at;
	size_t escapes = 0;

	for (;;) {
		at = memchr(at, 0, (size_t)(r->end - at));
		if (!at || r->end - at < 2)
			return NULL;
		if (at[1] == 0) {
			*ret_escapes = escapes;
			return at;
		}
		if (at[1] != ESCAPED)
			return NULL;
		escapes++;
		at += 2;
	}
}

static const uint8_t *unescape(const uint8_t *at, const uint8_t *end,
			       uint8_t **room)
{
	uint8_t *start = *room, *to = start;

	while (at < end) {
		*to++ = *at;
		at += *at ? 1 : 2;
	}
	*room = to;
	return start;
}

/* false: they do not end. ret NULL: they are passed over. */
static bool take_bytes(struct byte_reader *r, uint8_t **room,
		       struct aedb_value *ret)
{
	size_t escapes;
	const uint8_t *at = r->at, *end = find_end(r, &escapes);

	if (!end)
		return false;
	r->at = end + 2;
	if (ret) {
		ret->bytes.n = (size_t)(end - at) - escapes;
		ret->bytes.at = escapes ? unescape(at, end, room) : at;
	}
	return true;
}

static double real_of(uint64_t bits)
{
	double real;

	bits = bits & SIGN ? bits & ~SIGN : ~bits;
	memcpy(&real, &bits, sizeof(real));
	return real;
}

/* Of a value of fixed width. */
static void load_fixed(const uint8_t *at, struct aedb_value *ret)
{
	switch (ret->type) {
	case AEDB_TYPE_BOOL:
		ret->boolean = at[0];
		return;
	case AEDB_TYPE_U8:
		ret->u64 = at[0];
		return;
	case AEDB_TYPE_U64:
		ret->u64 = bytes_load_be64(at);
		return;
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		memcpy(ret->wide, at, sizeof(ret->wide));
		ret->wide[0] ^= ret->type == AEDB_TYPE_I256 ? 0x80 : 0;
		return;
	case AEDB_TYPE_FLOAT:
		ret->real = real_of(bytes_load_be64(at));
		return;
	default:
		ret->i64 = (int64_t)(bytes_load_be64(at) ^ SIGN);
	}
}

/* That these bytes are what some value is encoded as. */
static bool fixed_is_valid(const uint8_t *at, enum aedb_type type)
{
	double real;

	if (type == AEDB_TYPE_BOOL)
		return at[0] <= 1;
	if (type != AEDB_TYPE_FLOAT)
		return true;
	real = real_of(bytes_load_be64(at));
	return table_value_is_finite(real) && (real != 0 || at[0] & 0x80);
}

static int damaged(void)
{
	return err_set(AEDB_CORRUPT, "a key is no key of its table");
}

int table_key_take(struct byte_reader *r, enum aedb_type type, uint8_t **room,
		   struct aedb_value *ret)
{
	uint8_t tag = byte_reader_u8(r);
	struct aedb_value v = { .type = type };
	const uint8_t *at;

	if (tag == TABLE_KEY_TAG(AEDB_TYPE_NULL) && !r->is_bad)
		v.type = AEDB_TYPE_NULL;
	else if (tag != TABLE_KEY_TAG(type))
		return damaged();
	if (table_type_is_bytes(v.type)) {
		if (!take_bytes(r, room, ret ? &v : NULL))
			return damaged();
	} else {
		at = byte_reader_take(r, fixed_bytes(v.type));
		if (!at || !fixed_is_valid(at, v.type))
			return damaged();
		if (v.type != AEDB_TYPE_NULL)
			load_fixed(at, &v);
	}
	if (ret)
		*ret = v;
	return 0;
}

int table_key_take_any(struct byte_reader *r, struct arena *arena,
		       struct aedb_value *ret)
{
	size_t n = byte_reader_left(r);
	uint8_t tag = n ? *r->at : 0;
	enum aedb_type type = (enum aedb_type)(tag - TABLE_KEY_TAG(0));
	struct byte_reader ahead = *r;
	struct aedb_value v;
	void *room;
	int rc;

	if (r->is_bad || tag < TABLE_KEY_TAG(0) || !table_type_name(type))
		return damaged();
	rc = table_key_take(&ahead, type, NULL, NULL);
	if (rc == 0)
		rc = arena_take(arena, (size_t)(ahead.at - r->at), &room);
	if (rc < 0)
		return rc;
	table_key_take(r, type, (uint8_t **)&room, &v);
	if (table_type_is_bytes(v.type))
		rc = arena_copy(arena, v.bytes.at, v.bytes.n, &v.bytes.at);
	if (rc == 0)
		*ret = v;
	return rc;
}

int aedb_row_key_read(const void *key, size_t n, void *room,
		      struct aedb_value ret[AEDB_KEY_COLUMNS_MAX], size_t *ret_n)
{
	struct byte_reader r;
	uint8_t *free_room = room;
	size_t columns = 0;
	int rc = 0;

	byte_reader_init(&r, key, n);
	while (rc == 0 && byte_reader_left(&r)) {
		enum aedb_type type = (enum aedb_type)(*r.at - TABLE_KEY_TAG(0));

		if (columns == AEDB_KEY_COLUMNS_MAX || *r.at < TABLE_KEY_TAG(0) ||
		    !table_type_name(type))
			return damaged();
		rc = table_key_take(&r, type, &free_room, &ret[columns++]);
	}
	if (rc == 0)
		*ret_n = columns;
	return rc;
}
