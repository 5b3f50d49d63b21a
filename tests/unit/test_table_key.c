/*
 * Values as keys: the bytes order as the values do, and come back as they were;
 * bytes that nobody encoded are damage.
 */
#include "check.h"
#include "err.h"
#include "random_value.h"
#include "range.h"
#include "table_key.h"

#define COLUMNS 4
#define KEY_ROOM 512

struct tuple {
	enum aedb_type types[COLUMNS];
	struct aedb_value values[COLUMNS];
	uint8_t rooms[COLUMNS][VALUE_BYTES_MAX];
	uint8_t key[KEY_ROOM];
	size_t n, key_bytes;
};

static void tuple_encode(struct tuple *t)
{
	struct byte_writer w;
	size_t want = 0;

	byte_writer_init(&w, t->key, sizeof(t->key));
	for (size_t i = 0; i < t->n; i++) {
		table_key_put(&w, &t->values[i]);
		want += table_key_bytes(&t->values[i]);
	}
	CHECK(!w.is_full);
	t->key_bytes = byte_writer_used(&w);
	CHECK_EQ(t->key_bytes, want);
}

/* Of these types, one value in eight NULL. */
static void tuple_fill(struct tuple *t, const enum aedb_type *types, size_t n)
{
	t->n = n;
	for (size_t i = 0; i < n; i++) {
		t->types[i] = types[i];
		t->values[i] = value_random(value_below(8) ? types[i] : AEDB_TYPE_NULL,
					    t->rooms[i]);
	}
	tuple_encode(t);
}

static size_t random_types(enum aedb_type *ret)
{
	size_t n = 1 + value_below(COLUMNS);

	for (size_t i = 0; i < n; i++)
		ret[i] = value_random_type();
	return n;
}

static int sign_of(int n)
{
	return (n > 0) - (n < 0);
}

static int bytes_order(const void *a, size_t a_n, const void *b, size_t b_n)
{
	int sign = memcmp(a, b, a_n < b_n ? a_n : b_n);

	return sign ? sign_of(sign) : (a_n > b_n) - (a_n < b_n);
}

/* By type, in the order of enum aedb_type, then by value. */
static int value_order(const struct aedb_value *a, const struct aedb_value *b)
{
	return a->type == b->type ? sign_of(table_value_compare(a, b)) :
	       a->type < b->type ? -1 : 1;
}

static int tuple_order(const struct tuple *a, const struct tuple *b)
{
	for (size_t i = 0; i < a->n; i++) {
		int sign = value_order(&a->values[i], &b->values[i]);

		if (sign)
			return sign;
	}
	return 0;
}

TEST(order, "keys of tuples order as the tuples do")
{
	enum aedb_type types[COLUMNS];
	struct tuple a, b;

	for (unsigned i = 0; i < check_times(60000); i++) {
		size_t n = random_types(types);

		tuple_fill(&a, types, n);
		tuple_fill(&b, types, n);
		for (size_t k = 0; k < n && value_below(2); k++)
			b.values[k] = a.values[k];
		tuple_encode(&b);
		CHECK_EQ(bytes_order(a.key, a.key_bytes, b.key, b.key_bytes),
			 tuple_order(&a, &b));
	}
}

TEST(types, "values of different types order by type")
{
	enum aedb_type type;
	struct tuple a, b;

	for (unsigned i = 0; i < check_times(20000); i++) {
		type = value_random_type();
		tuple_fill(&a, &type, 1);
		type = value_random_type();
		tuple_fill(&b, &type, 1);
		CHECK_EQ(bytes_order(a.key, a.key_bytes, b.key, b.key_bytes),
			 tuple_order(&a, &b));
	}
}

/* In memory that ends where the key does, so that nothing behind it is read. */
static int decode(const struct tuple *t, const uint8_t *key, size_t n,
		  struct aedb_value *ret, uint8_t *room)
{
	struct byte_reader r;
	int rc = 0;

	byte_reader_init(&r, key, n);
	for (size_t i = 0; rc == 0 && i < t->n; i++)
		rc = table_key_take(&r, t->types[i], &room, ret ? &ret[i] : NULL);
	return rc < 0 ? rc : (int)byte_reader_left(&r);
}

TEST(round_trip, "values come back out of a key, and can be passed over")
{
	enum aedb_type types[COLUMNS];
	struct aedb_value got[COLUMNS];
	struct tuple t;

	for (unsigned i = 0; i < check_times(20000); i++) {
		size_t n = random_types(types);
		uint8_t *key, *room;

		tuple_fill(&t, types, n);
		key = malloc(t.key_bytes);
		room = malloc(t.key_bytes);
		memcpy(key, t.key, t.key_bytes);
		CHECK_EQ(decode(&t, key, t.key_bytes, got, room), 0);
		for (size_t k = 0; k < n; k++)
			CHECK(value_is_same(&got[k], &t.values[k]));
		CHECK_EQ(decode(&t, key, t.key_bytes, NULL, NULL), 0);
		free(key);
		free(room);
	}
}

TEST(cut, "a key cut off anywhere is damage")
{
	enum aedb_type types[COLUMNS];
	struct aedb_value got[COLUMNS];
	struct tuple t;

	for (unsigned i = 0; i < check_times(300); i++) {
		tuple_fill(&t, types, random_types(types));
		for (size_t n = 0; n < t.key_bytes; n++) {
			uint8_t *key = malloc(n ? n : 1), *room = malloc(n ? n : 1);

			memcpy(key, t.key, n);
			CHECK_EQ(decode(&t, key, n, got, room), AEDB_CORRUPT);
			CHECK_EQ(decode(&t, key, n, NULL, NULL), AEDB_CORRUPT);
			free(key);
			free(room);
		}
	}
}

/* What is taken for a key has one encoding: its own. */
TEST(changed, "changed bytes of a key are damage or the key of other values")
{
	enum aedb_type types[COLUMNS];
	struct aedb_value got[COLUMNS];
	unsigned damaged = 0;
	struct tuple t;

	for (unsigned i = 0; i < check_times(30000); i++) {
		uint8_t *key, *room;
		int left;

		tuple_fill(&t, types, random_types(types));
		key = malloc(t.key_bytes);
		room = malloc(t.key_bytes);
		memcpy(key, t.key, t.key_bytes);
		for (size_t k = 1 + value_below(3); k > 0; k--)
			key[value_below(t.key_bytes)] ^= (uint8_t)(1 << value_below(8));
		left = decode(&t, key, t.key_bytes, got, room);
		CHECK(left >= 0 || left == AEDB_CORRUPT);
		damaged += left < 0;
		CHECK_EQ(decode(&t, key, t.key_bytes, NULL, NULL), left);
		if (left >= 0) {
			memcpy(t.values, got, sizeof(got));
			tuple_encode(&t);
			CHECK_MEM(t.key, key, t.key_bytes);
		}
		free(key);
		free(room);
	}
	CHECK(damaged > 1000);
}

TEST(successor, "the successor of a prefix is above all that begin with it, and no higher")
{
	for (unsigned i = 0; i < check_times(20000); i++) {
		size_t n = value_below(5), more = value_below(3), up_n;
		uint8_t prefix[8], other[8], up[8];

		for (size_t k = 0; k < 8; k++) {
			prefix[k] = value_below(2) ? 0xff : (uint8_t)value_below(3);
			other[k] = value_below(2) ? 0xff : (uint8_t)value_below(3);
		}
		memcpy(up, prefix, n);
		up_n = range_prefix_end(up, n);
		CHECK(up_n <= n);
		if (value_below(2))
			memcpy(other, prefix, n);
		if (memcmp(other, prefix, n) == 0)
			CHECK(!up_n || bytes_order(other, n + more, up, up_n) < 0);
		else if (bytes_order(other, n + more, prefix, n) > 0)
			CHECK(up_n && bytes_order(other, n + more, up, up_n) >= 0);
	}
}

TEST(prefix, "the keys of values that begin with a prefix begin with the prefix's key")
{
	uint8_t room[2][VALUE_BYTES_MAX], key[64], prefix[64];

	for (unsigned i = 0; i < check_times(20000); i++) {
		enum aedb_type type = value_below(2) ? AEDB_TYPE_TEXT : AEDB_TYPE_BLOB;
		struct aedb_value a = value_random(type, room[0]);
		struct aedb_value b = value_random(type, room[1]);
		struct byte_writer w;
		size_t key_n, prefix_n;
		bool has_prefix = a.bytes.n >= b.bytes.n &&
				  memcmp(room[0], room[1], b.bytes.n) == 0;

		byte_writer_init(&w, key, sizeof(key));
		table_key_put(&w, &a);
		key_n = byte_writer_used(&w);
		byte_writer_init(&w, prefix, sizeof(prefix));
		table_key_put_prefix(&w, type, b.bytes.at, b.bytes.n);
		prefix_n = byte_writer_used(&w);
		/* a zero behind the prefix begins the end as well as an escape */
		CHECK_EQ(key_n >= prefix_n && memcmp(key, prefix, prefix_n) == 0,
			 has_prefix);
	}
}

TEST(zero, "0 and -0 are one key, and a key with -0 is damage")
{
	struct aedb_value v = { .type = AEDB_TYPE_FLOAT, .real = -0.0 };
	uint8_t key[9], minus[9] = { TABLE_KEY_TAG(AEDB_TYPE_FLOAT), 0x7f, 255, 255,
				     255, 255, 255, 255, 255 };
	struct byte_writer w;
	struct byte_reader r;

	byte_writer_init(&w, key, sizeof(key));
	table_key_put(&w, &v);
	CHECK_EQ(key[1], 0x80);
	byte_reader_init(&r, minus, sizeof(minus));
	CHECK_EQ(table_key_take(&r, AEDB_TYPE_FLOAT, NULL, &v), AEDB_CORRUPT);
}

TEST(full, "a key that does not fit says so and writes nothing outside")
{
	enum aedb_type types[COLUMNS];
	struct tuple t;

	for (unsigned i = 0; i < check_times(300); i++) {
		tuple_fill(&t, types, random_types(types));
		for (size_t n = 0; n < t.key_bytes; n++) {
			uint8_t *room = malloc(n ? n : 1);
			struct byte_writer w;

			byte_writer_init(&w, room, n);
			for (size_t k = 0; k < t.n; k++)
				table_key_put(&w, &t.values[k]);
			CHECK(w.is_full);
			free(room);
		}
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
