/*
 * Values of tables at random: of every type, many at its edges, many alike.
 */
#ifndef RANDOM_VALUE_H
#define RANDOM_VALUE_H

#include <float.h>
#include <math.h>

#include "aedb_table.h"
#include "bytes.h"
#include "check.h"
#include "table_value.h"

#define VALUE_TYPES 11		/* that a column can have */
#define VALUE_BYTES_MAX 12	/* of a random value of any length */

static inline size_t value_below(size_t n)
{
	return check_random() % n;
}

static inline enum aedb_type value_random_type(void)
{
	return (enum aedb_type)(AEDB_TYPE_BOOL + value_below(VALUE_TYPES));
}

/* Numbers of few and of many bits, and their neighbours. */
static inline uint64_t value_random_u64(void)
{
	uint64_t v = check_random() >> value_below(64);

	return value_below(2) ? v : (UINT64_C(1) << value_below(64)) - value_below(3);
}

static inline double value_random_real(void)
{
	static const double edges[] = { 0.0, -0.0, 0.5, -0.5, 1, -1, DBL_MAX, -DBL_MAX,
		DBL_MIN, 4.9406564584124654e-324, 18446744073709551616.0,
		9223372036854775808.0, -9223372036854775808.0, 255, 256 };
	uint64_t bits = check_random();
	double real;

	switch (value_below(4)) {
	case 0:
		return edges[value_below(sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return (double)(int64_t)value_random_u64();
	case 2:	/* near the integers there are */
		return ((double)(int64_t)value_random_u64() + 0.5) *
		       ldexp(1, (int)value_below(240) - 20);
	default:
		memcpy(&real, &bits, sizeof(real));
		return isfinite(real) ? real : 7;
	}
}

static inline void value_random_wide(uint8_t *ret)
{
	size_t from = value_below(32);
	uint8_t fill = value_below(2) ? 0 : 0xff;

	memset(ret, fill, 32);
	for (size_t i = from; i < 32; i++)
		if (value_below(4))
			ret[i] = (uint8_t)check_random();
	if (value_below(4) == 0)
		ret[0] ^= 0x80;
}

/* Few letters, so that many are equal or prefixes of others; `room` has
 * VALUE_BYTES_MAX. */
static inline struct aedb_bytes value_random_bytes(enum aedb_type type,
						   uint8_t *room)
{
	static const char *const texts[] = { "a", "b", "%", "_", "\\", "A", "\xc3\xa4",
					     "\xe2\x82\xac", "\x01", "" };
	static const char *const jsons[] = { "{}", "[]", "1", "\"a\"", "[1]", "null",
					     "{\"a\":1}" };
	static const uint8_t raw[] = { 0, 0, 0, 1, 0x61, 0xff, 0xfe };
	size_t n = 0;

	if (type == AEDB_TYPE_JSON) {
		const char *json = jsons[value_below(sizeof(jsons) / sizeof(jsons[0]))];

		n = strlen(json);
		memcpy(room, json, n);
		return (struct aedb_bytes){ room, n };
	}
	for (size_t count = value_below(5); count > 0; count--) {
		const char *text = texts[value_below(sizeof(texts) / sizeof(texts[0]))];

		if (type == AEDB_TYPE_BLOB || *text == 0) {
			room[n++] = type == AEDB_TYPE_BLOB ?
					    raw[value_below(sizeof(raw))] : 0;
			continue;
		}
		if (n + strlen(text) > VALUE_BYTES_MAX)
			break;
		memcpy(room + n, text, strlen(text));
		n += strlen(text);
	}
	return (struct aedb_bytes){ room, n };
}

/* One of this type; its bytes lie in `room`, which has VALUE_BYTES_MAX. */
static inline struct aedb_value value_random(enum aedb_type type, uint8_t *room)
{
	struct aedb_value v = { .type = type };

	switch (type) {
	case AEDB_TYPE_NULL:
		break;
	case AEDB_TYPE_BOOL:
		v.boolean = value_below(2);
		break;
	case AEDB_TYPE_U8:
		v.u64 = value_below(256);
		break;
	case AEDB_TYPE_U64:
		v.u64 = value_random_u64();
		break;
	case AEDB_TYPE_I64:
	case AEDB_TYPE_TIMESTAMP:
		v.i64 = (int64_t)value_random_u64();
		break;
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		value_random_wide(v.wide);
		break;
	case AEDB_TYPE_FLOAT:
		v.real = value_random_real();
		break;
	default:
		v.bytes = value_random_bytes(type, room);
	}
	return v;
}

static inline bool value_is_same(const struct aedb_value *a,
				 const struct aedb_value *b)
{
	return a->type == b->type && table_value_compare(a, b) == 0;
}

#endif
