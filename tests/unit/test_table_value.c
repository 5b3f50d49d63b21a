/*
 * Values of tables: which there are, and how they compare, held against integers of
 * any size.
 */
#include <openssl/bn.h>

#include "check.h"
#include "err.h"
#include "random_value.h"
#include "table_value.h"

/* The exponent of the least double's last bit, turned around: every number times
 * 2 to it is an integer. */
#define SCALE 1074

static const enum aedb_type numbers[] = {
	AEDB_TYPE_U8, AEDB_TYPE_U64, AEDB_TYPE_I64,
	AEDB_TYPE_U256, AEDB_TYPE_I256, AEDB_TYPE_FLOAT,
};

static struct aedb_value random_number(void)
{
	static uint8_t room[VALUE_BYTES_MAX];	/* that no number needs */

	return value_random(numbers[value_below(6)], room);
}

static BIGNUM *big_of_wide(const struct aedb_value *v)
{
	BIGNUM *n = BN_bin2bn(v->wide, 32, NULL), *above;

	if (v->type == AEDB_TYPE_I256 && v->wide[0] & 0x80) {
		above = BN_new();
		BN_set_bit(above, 256);
		BN_sub(n, n, above);
		BN_free(above);
	}
	return n;
}

/* v * 2^SCALE. */
static BIGNUM *big(const struct aedb_value *v)
{
	BIGNUM *n;
	int exponent = 0;
	bool is_negative = false;

	if (v->type == AEDB_TYPE_U256 || v->type == AEDB_TYPE_I256) {
		n = big_of_wide(v);
	} else if (v->type == AEDB_TYPE_FLOAT) {
		double digits = frexp(fabs(v->real), &exponent);

		n = BN_new();
		BN_set_word(n, (uint64_t)ldexp(digits, 53));
		exponent -= 53;
		is_negative = v->real < 0;
	} else {
		n = BN_new();
		is_negative = v->type == AEDB_TYPE_I64 && v->i64 < 0;
		BN_set_word(n, is_negative ? -v->u64 : v->u64);
	}
	if (exponent + SCALE >= 0)
		BN_lshift(n, n, exponent + SCALE);
	else
		BN_rshift(n, n, -exponent - SCALE);
	if (is_negative)
		BN_set_negative(n, 1);
	return n;
}

static int big_compare(const struct aedb_value *a, const struct aedb_value *b)
{
	BIGNUM *x = big(a), *y = big(b);
	int sign = BN_cmp(x, y);

	BN_free(x);
	BN_free(y);
	return sign;
}

static int sign_of(int n)
{
	return (n > 0) - (n < 0);
}

TEST(compare, "numbers of any two types compare as the integers of any size do")
{
	for (unsigned i = 0; i < check_times(40000); i++) {
		struct aedb_value a = random_number(), b = random_number();

		CHECK_EQ(sign_of(table_value_compare(&a, &b)), big_compare(&a, &b));
		CHECK_EQ(sign_of(table_value_compare(&b, &a)), -big_compare(&a, &b));
	}
}

/* The same number in another type, or one beside it. */
static struct aedb_value neighbour(const struct aedb_value *v)
{
	struct aedb_value near = *v;

	if (v->type == AEDB_TYPE_FLOAT)
		near.real = nextafter(v->real, value_below(2) ? INFINITY : -INFINITY);
	else if (v->type == AEDB_TYPE_U256 || v->type == AEDB_TYPE_I256)
		near.wide[31] ^= 1;
	else
		near.u64 ^= v->type == AEDB_TYPE_U8 ? 1 : value_below(2);
	return table_value_is_finite(near.type == AEDB_TYPE_FLOAT ? near.real : 0) ?
		       near : *v;
}

TEST(near, "numbers that were carried over to another type compare with their neighbours")
{
	for (unsigned i = 0; i < check_times(20000); i++) {
		struct aedb_value a = random_number(), b, c;

		if (table_value_fit(&a, numbers[value_below(6)], &b) ==
		    TABLE_FIT_BELOW)
			continue;
		c = neighbour(&b);
		CHECK_EQ(sign_of(table_value_compare(&a, &c)), big_compare(&a, &c));
	}
}

/* The value of its type that comes next; false: there is none. */
static bool next_value(const struct aedb_value *v, struct aedb_value *ret)
{
	*ret = *v;
	switch (v->type) {
	case AEDB_TYPE_U8:
		return ret->u64++ < UINT8_MAX;
	case AEDB_TYPE_U64:
		return ret->u64++ < UINT64_MAX;
	case AEDB_TYPE_I64:
		ret->u64++;
		return v->i64 != INT64_MAX;
	case AEDB_TYPE_FLOAT:
		ret->real = nextafter(v->real, INFINITY);
		return isfinite(ret->real);
	default:
		for (int i = 31; i >= 0; i--)
			if (++ret->wide[i] != 0)
				return i > 0 || v->type == AEDB_TYPE_U256 ||
				       v->wide[0] != 0x7f;
		return v->type == AEDB_TYPE_I256;
	}
}

static bool is_least(const struct aedb_value *v)
{
	static const uint8_t zeros[31];

	switch (v->type) {
	case AEDB_TYPE_I64:
		return v->i64 == INT64_MIN;
	case AEDB_TYPE_I256:
		return v->wide[0] == 0x80 && memcmp(v->wide + 1, zeros, 31) == 0;
	case AEDB_TYPE_U256:
		return v->wide[0] == 0 && memcmp(v->wide + 1, zeros, 31) == 0;
	case AEDB_TYPE_FLOAT:
		return false;
	default:
		return v->u64 == 0;
	}
}

TEST(fit, "a number finds its place among those of another type")
{
	unsigned seen[3] = { 0 };

	for (unsigned i = 0; i < check_times(40000); i++) {
		struct aedb_value a = random_number(), b = { .type = 0 }, next;
		enum aedb_type type = numbers[value_below(6)];
		enum table_fit fit = table_value_fit(&a, type, &b);

		seen[fit]++;
		if (fit == TABLE_FIT_BELOW) {
			struct aedb_value least = { .type = type };

			if (type == AEDB_TYPE_I64)
				least.i64 = INT64_MIN;
			if (type == AEDB_TYPE_I256)
				least.wide[0] = 0x80;
			CHECK(is_least(&least));
			CHECK(big_compare(&a, &least) < 0);
			continue;
		}
		CHECK_EQ(b.type, type);
		CHECK_OK(table_value_check(&b, "b"));
		if (fit == TABLE_FIT_EXACT) {
			CHECK_EQ(big_compare(&a, &b), 0);
			continue;
		}
		CHECK(big_compare(&a, &b) > 0);
		if (next_value(&b, &next))
			CHECK(big_compare(&a, &next) < 0);
	}
	for (int fit = 0; fit < 3; fit++)
		CHECK(seen[fit] > 100);
}

static struct aedb_value of_text(enum aedb_type type, const char *text)
{
	return (struct aedb_value){ .type = type,
				    .bytes = { text, strlen(text) } };
}

static struct aedb_value of_real(double real)
{
	return (struct aedb_value){ .type = AEDB_TYPE_FLOAT, .real = real };
}

static void refused(struct aedb_value v, const char *message)
{
	CHECK_EQ(table_value_check(&v, "column \"c\""), AEDB_INVALID);
	CHECK_STR(err_message(), message);
}

static void allowed(struct aedb_value v)
{
	CHECK_OK(table_value_check(&v, "column \"c\""));
}

TEST(checks, "what no value is, is refused with its reason")
{
	refused((struct aedb_value){ .type = AEDB_TYPE_U8, .u64 = 256 },
		"column \"c\": a U8 is at most 255");
	refused((struct aedb_value){ .type = (enum aedb_type)12 },
		"column \"c\": there is no type 12");
	refused(of_real(NAN), "column \"c\": a FLOAT is finite");
	refused(of_real(INFINITY), "column \"c\": a FLOAT is finite");
	refused(of_real(-INFINITY), "column \"c\": a FLOAT is finite");
	allowed(of_real(DBL_MAX));
	allowed(of_real(4.9406564584124654e-324));
	refused(of_text(AEDB_TYPE_TEXT, "a\xff"), "column \"c\": not UTF-8");
	refused(of_text(AEDB_TYPE_JSON, "\"\xc0\x80\""), "column \"c\": not UTF-8");
	allowed(of_text(AEDB_TYPE_BLOB, "a\xff"));
	allowed(of_text(AEDB_TYPE_TEXT, "\xf4\x8f\xbf\xbf"));
}

TEST(json, "JSON is any JSON value, with numbers up to those of a double")
{
	static const char *const good[] = { "1", "\"\"", "null", " [1, {}] ",
		"123456789012345678901234567890", "\"\\u0000\"", "{\"a\":{}}" };
	static const char *const bad[] = { "", "{", "[1,]", "a", "1 2", "'a'",
					   "\"\\ud800\"", "nul", "1e309",
					   "{\"a\\u0000\":1}" };
	static char deep[2 * 2049 + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		allowed(of_text(AEDB_TYPE_JSON, good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct aedb_value v = of_text(AEDB_TYPE_JSON, bad[i]);

		CHECK_EQ(table_value_check(&v, "j"), AEDB_INVALID);
		CHECK(strncmp(err_message(), "j: no JSON: ", 12) == 0);
	}
	for (size_t depth = 2048; depth <= 2049; depth++) {
		struct aedb_value v;

		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		v = of_text(AEDB_TYPE_JSON, deep);
		CHECK_EQ(table_value_check(&v, "j"),
			 depth == 2048 ? 0 : AEDB_INVALID);
	}
}

TEST(types, "a value of another type than its column's is refused naming both")
{
	struct aedb_value v = { .type = AEDB_TYPE_U64, .u64 = 1 };

	CHECK_OK(table_value_check_type(&v, AEDB_TYPE_U64, "x"));
	CHECK_OK(table_value_check_type(&TABLE_VALUE_NULL, AEDB_TYPE_U64, "x"));
	CHECK_EQ(table_value_check_type(&v, AEDB_TYPE_I64, "x"), AEDB_INVALID);
	CHECK_STR(err_message(), "x: its type is I64, not U64");
	v = of_real(NAN);
	CHECK_EQ(table_value_check_type(&v, AEDB_TYPE_FLOAT, "x"), AEDB_INVALID);
}

TEST(zero, "-0 is stored as 0")
{
	struct aedb_value v = table_value_stored(of_real(-0.0));

	CHECK(!signbit(v.real));
	CHECK_EQ(table_value_stored(of_real(-1)).real, -1);
}

/* A name for each pair of types that compare. */
TEST(comparable, "numbers compare with numbers, TEXT with JSON, all else with its own")
{
	for (int a = 1; a < 12; a++) {
		for (int b = 1; b < 12; b++) {
			bool are_numbers = strchr("UIF", table_type_name(a)[0]) &&
					   strchr("UIF", table_type_name(b)[0]);
			bool are_texts = (a == AEDB_TYPE_TEXT || a == AEDB_TYPE_JSON) &&
					 (b == AEDB_TYPE_TEXT || b == AEDB_TYPE_JSON);

			CHECK_EQ(table_types_compare(a, b),
				 a == b || are_numbers || are_texts);
		}
	}
	CHECK(table_types_compare(AEDB_TYPE_NULL, AEDB_TYPE_BLOB));
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
