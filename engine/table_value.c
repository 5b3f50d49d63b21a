/*
 * Values of tables.
 *
 * Integers of every type and the whole part of every double that is near them fit
 * struct number, 320 bits in two's complement, so a comparison is exact: of numbers of
 * different types the whole parts are compared and, when these are equal, whether
 * there is a fraction.
 */
#include "table_value.h"

#include <jansson.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "number.h"
#include "utf8.h"

#define PARTS (sizeof(struct number) / sizeof(uint64_t))
#define WIDE_PARTS (TABLE_VALUE_WIDE_BYTES / 8)
#define SIGN (UINT64_C(1) << 63)
#define FRACTION_BITS 52	/* of a double, behind the first bit */
#define EXPONENT_MAX 0x7ff
#define EXPONENT_BIAS 1075	/* the exponent's, with the fraction as an integer */
#define WHOLE_BITS_MAX 300	/* more than integers of any type have */

/* Types. */

static const char *const type_names[] = {
	[AEDB_TYPE_NULL] = "NULL",
	[AEDB_TYPE_BOOL] = "BOOL",
	[AEDB_TYPE_U8] = "U8",
	[AEDB_TYPE_U64] = "U64",
	[AEDB_TYPE_I64] = "I64",
	[AEDB_TYPE_U256] = "U256",
	[AEDB_TYPE_I256] = "I256",
	[AEDB_TYPE_TIMESTAMP] = "TIMESTAMP",
	[AEDB_TYPE_FLOAT] = "FLOAT",
	[AEDB_TYPE_TEXT] = "TEXT",
	[AEDB_TYPE_JSON] = "JSON",
	[AEDB_TYPE_BLOB] = "BLOB",
};

const char *table_type_name(enum aedb_type type)
{
	return (size_t)type < sizeof(type_names) / sizeof(type_names[0]) ?
		       type_names[type] : NULL;
}

bool table_type_is_valid(enum aedb_type type)
{
	return type != AEDB_TYPE_NULL && table_type_name(type);
}

bool table_type_is_number(enum aedb_type type)
{
	return type == AEDB_TYPE_FLOAT ||
	       (type >= AEDB_TYPE_U8 && type <= AEDB_TYPE_I256);
}

bool table_type_is_bytes(enum aedb_type type)
{
	return type >= AEDB_TYPE_TEXT && type <= AEDB_TYPE_BLOB;
}

static bool is_text(enum aedb_type type)
{
	return type == AEDB_TYPE_TEXT || type == AEDB_TYPE_JSON;
}

bool table_types_compare(enum aedb_type a, enum aedb_type b)
{
	return a == b || a == AEDB_TYPE_NULL || b == AEDB_TYPE_NULL ||
	       (table_type_is_number(a) && table_type_is_number(b)) ||
	       (is_text(a) && is_text(b));
}

/* Checks. */

static int json_check(struct aedb_bytes bytes, const char *what)
{
	/* All numbers are read as doubles: integers may have more than 64 bits. */
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_error_t error;
	json_t *json = json_loadb(bytes.n ? bytes.at : "", bytes.n, flags,
				  &error);

	if (!json)
		return err_set(AEDB_INVALID, "%s: no JSON: %s", what, error.text);
	json_decref(json);
	return 0;
}

static int bytes_check(const struct aedb_value *v, const char *what)
{
	if (v->bytes.n > AEDB_ROW_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "%s: %zu bytes, a row has at most %u",
			       what, v->bytes.n, AEDB_ROW_BYTES_MAX);
	if (v->type != AEDB_TYPE_BLOB &&
	    !utf8_is_valid(v->bytes.at, v->bytes.n))
		return err_set(AEDB_INVALID, "%s: not UTF-8", what);
	return v->type == AEDB_TYPE_JSON ? json_check(v->bytes, what) : 0;
}

static uint64_t real_bits(double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits;
}

bool table_value_is_finite(double real)
{
	return (real_bits(real) >> FRACTION_BITS & EXPONENT_MAX) != EXPONENT_MAX;
}

int table_value_check(const struct aedb_value *v, const char *what)
{
	if (!table_type_name(v->type))
		return err_set(AEDB_INVALID, "%s: there is no type %d", what,
			       (int)v->type);
	if (v->type == AEDB_TYPE_U8 && v->u64 > UINT8_MAX)
		return err_set(AEDB_INVALID, "%s: a U8 is at most 255", what);
	if (v->type == AEDB_TYPE_FLOAT && !table_value_is_finite(v->real))
		return err_set(AEDB_INVALID, "%s: a FLOAT is finite", what);
	return table_type_is_bytes(v->type) ? bytes_check(v, what) : 0;
}

int table_value_check_type(const struct aedb_value *v, enum aedb_type type,
			   const char *what)
{
	const char *name = table_type_name(v->type);

	if (v->type != type && v->type != AEDB_TYPE_NULL)
		return err_set(AEDB_INVALID, "%s: its type is %s, not %s", what,
			       table_type_name(type), name ? name : "this");
	return table_value_check(v, what);
}

struct aedb_value table_value_stored(struct aedb_value v)
{
	if (v.type == AEDB_TYPE_FLOAT && v.real == 0)
		v.real = 0;
	return v;
}

/* Numbers. */

static struct number negated(const struct number *n)
{
	struct number zero = { 0 }, ret;

	number_subtract(&zero, n, &ret);
	return ret;
}

static bool is_negative(const struct number *n)
{
	return n->part[PARTS - 1] & SIGN;
}

static void wide_load(const struct aedb_value *v, struct number *ret)
{
	number_load(AEDB_U256, v->wide, ret);
	if (v->type == AEDB_TYPE_I256 && v->wide[0] & 0x80)
		memset(&ret->part[WIDE_PARTS], 0xff,
		       (PARTS - WIDE_PARTS) * sizeof(ret->part[0]));
}

/* The greatest whole number that is not above v, which is a number; whether v is
 * above it. A double beyond all integers yields one that is so, too. */
static bool whole_load(const struct aedb_value *v, struct number *ret)
{
	uint64_t bits = real_bits(v->real), lost = 0;
	uint64_t digits = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
	int shift = (int)(bits >> FRACTION_BITS & EXPONENT_MAX);
	struct number one = { { 1 } };

	*ret = (struct number){ 0 };
	if (shift)
		digits |= UINT64_C(1) << FRACTION_BITS;
	shift -= EXPONENT_BIAS;
	if (shift > WHOLE_BITS_MAX - FRACTION_BITS)
		shift = WHOLE_BITS_MAX - FRACTION_BITS;
	if (shift <= -64) {
		lost = digits;
	} else if (shift < 0) {
		lost = digits << (64 + shift);
		ret->part[0] = digits >> -shift;
	} else {
		unsigned part = (unsigned)shift / 64, bit = (unsigned)shift % 64;

		ret->part[part] = digits << bit;
		if (bit && part + 1 < PARTS)
			ret->part[part + 1] = digits >> (64 - bit);
	}
	if (bits & SIGN) {
		*ret = negated(ret);
		if (lost)
			number_subtract(ret, &one, ret);
	}
	return lost;
}

/* As whole_load, of any number. */
static bool value_load(const struct aedb_value *v, struct number *ret)
{
	if (v->type == AEDB_TYPE_FLOAT)
		return whole_load(v, ret);
	if (v->type == AEDB_TYPE_U256 || v->type == AEDB_TYPE_I256) {
		wide_load(v, ret);
		return false;
	}
	*ret = (struct number){ { v->u64 } };
	if (v->type == AEDB_TYPE_I64 && v->i64 < 0)
		memset(&ret->part[1], 0xff, (PARTS - 1) * sizeof(ret->part[0]));
	return false;
}

/* Comparison. */

static int bytes_compare(struct aedb_bytes a, struct aedb_bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int sign = n ? memcmp(a.at, b.at, n) : 0;

	return sign ? sign : (a.n > b.n) - (a.n < b.n);
}

static int wide_compare(const uint8_t *a, const uint8_t *b, uint8_t sign)
{
	uint8_t x = a[0] ^ sign, y = b[0] ^ sign;

	return x != y ? x - y : memcmp(a, b, TABLE_VALUE_WIDE_BYTES);
}

static int same_compare(const struct aedb_value *a, const struct aedb_value *b)
{
	switch (a->type) {
	case AEDB_TYPE_NULL:
		return 0;
	case AEDB_TYPE_BOOL:
		return a->boolean - b->boolean;
	case AEDB_TYPE_U8:
	case AEDB_TYPE_U64:
		return (a->u64 > b->u64) - (a->u64 < b->u64);
	case AEDB_TYPE_I64:
	case AEDB_TYPE_TIMESTAMP:
		return (a->i64 > b->i64) - (a->i64 < b->i64);
	case AEDB_TYPE_U256:
		return wide_compare(a->wide, b->wide, 0);
	case AEDB_TYPE_I256:
		return wide_compare(a->wide, b->wide, 0x80);
	case AEDB_TYPE_FLOAT:
		return (a->real > b->real) - (a->real < b->real);
	default:
		return bytes_compare(a->bytes, b->bytes);
	}
}

int table_value_compare(const struct aedb_value *a, const struct aedb_value *b)
{
	struct number x, y;
	bool has_more_x, has_more_y;
	int sign;

	if (a->type == b->type)
		return same_compare(a, b);
	if (a->type == AEDB_TYPE_NULL || b->type == AEDB_TYPE_NULL)
		return a->type == AEDB_TYPE_NULL ? -1 : 1;
	if (table_type_is_bytes(a->type))
		return bytes_compare(a->bytes, b->bytes);
	has_more_x = value_load(a, &x);
	has_more_y = value_load(b, &y);
	sign = number_compare(&x, &y);
	return sign ? sign : has_more_x - has_more_y;
}

/* Values of another type. */

/* The greatest and the least integer of a type. */
static void limits(enum aedb_type type, struct number *ret_least,
		   struct number *ret_greatest)
{
	switch (type) {
	case AEDB_TYPE_U8:
		*ret_least = (struct number){ 0 };
		*ret_greatest = (struct number){ { UINT8_MAX } };
		return;
	case AEDB_TYPE_U64:
		number_limits(AEDB_U64, ret_least, ret_greatest);
		return;
	case AEDB_TYPE_I64:
		number_limits(AEDB_I64, ret_least, ret_greatest);
		return;
	case AEDB_TYPE_U256:
		number_limits(AEDB_U256, ret_least, ret_greatest);
		return;
	default:
		*ret_least = (struct number){ { 0, 0, 0, SIGN, UINT64_MAX } };
		*ret_greatest = (struct number){ { UINT64_MAX, UINT64_MAX,
						   UINT64_MAX, SIGN - 1 } };
	}
}

static struct aedb_value integer_value(enum aedb_type type,
				       const struct number *n)
{
	struct aedb_value v = { .type = type };

	if (type == AEDB_TYPE_U256 || type == AEDB_TYPE_I256)
		number_store(AEDB_U256, n, v.wide);
	else
		v.u64 = n->part[0];
	return v;
}

static enum table_fit fit_integer(const struct aedb_value *v,
				  enum aedb_type type, struct aedb_value *ret)
{
	struct number whole, least, greatest;
	bool has_more = value_load(v, &whole);

	limits(type, &least, &greatest);
	if (number_compare(&whole, &least) < 0)
		return TABLE_FIT_BELOW;
	if (number_compare(&whole, &greatest) > 0) {
		whole = greatest;
		has_more = true;
	}
	*ret = integer_value(type, &whole);
	return has_more ? TABLE_FIT_BETWEEN : TABLE_FIT_EXACT;
}

static unsigned bits_of(const struct number *n)
{
	for (size_t i = PARTS; i-- > 0;)
		if (n->part[i])
			return (unsigned)(64 * i + 64) -
			       (unsigned)__builtin_clzll(n->part[i]);
	return 0;
}

/* Bits [from, from + 64) of a number. */
static uint64_t bits_at(const struct number *n, unsigned from)
{
	unsigned part = from / 64, bit = from % 64;
	uint64_t low = n->part[part] >> bit;

	return bit && part + 1 < PARTS ?
		       low | n->part[part + 1] << (64 - bit) : low;
}

static bool has_bits_below(const struct number *n, unsigned end)
{
	for (unsigned part = 0; part < end / 64; part++)
		if (n->part[part])
			return true;
	return end % 64 && n->part[end / 64] << (64 - end % 64);
}

/* An integer is at most 2^256 and so no larger than the greatest double. */
static enum table_fit fit_real(const struct aedb_value *v,
			       struct aedb_value *ret)
{
	struct number n;
	unsigned bits, shift;
	uint64_t digits, sign;
	bool has_more;

	value_load(v, &n);
	sign = is_negative(&n) ? SIGN : 0;
	if (sign)
		n = negated(&n);
	bits = bits_of(&n);
	shift = bits > FRACTION_BITS + 1 ? bits - FRACTION_BITS - 1 : 0;
	digits = bits_at(&n, shift);
	has_more = has_bits_below(&n, shift);
	*ret = (struct aedb_value){ .type = AEDB_TYPE_FLOAT };
	if (sign && has_more)
		digits++;
	/* up to 2^53, exact; and a power of two times that is, too */
	ret->real = (double)digits;
	for (unsigned i = 0; i < shift; i++)
		ret->real *= 2;
	if (sign)
		ret->real = -ret->real;
	return has_more ? TABLE_FIT_BETWEEN : TABLE_FIT_EXACT;
}

enum table_fit table_value_fit(const struct aedb_value *v, enum aedb_type type,
			       struct aedb_value *ret)
{
	if (v->type == type || !table_type_is_number(type)) {
		*ret = table_value_stored(*v);
		ret->type = type;
		return TABLE_FIT_EXACT;
	}
	return type == AEDB_TYPE_FLOAT ? fit_real(v, ret) :
					 fit_integer(v, type, ret);
}
