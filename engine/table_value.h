/*
 * Values of tables: whether one may be stored, and how two compare.
 *
 * Bytes of values are borrowed from whoever owns the value, everywhere. Functions
 * that compare take values that passed table_value_check or were decoded.
 *
 * Threads: no state.
 * Errors: AEDB_INVALID, with a message that begins with `what`.
 */
#ifndef TABLE_VALUE_H
#define TABLE_VALUE_H

#include <stdbool.h>

#include "aedb_table.h"

#define TABLE_VALUE_WIDE_BYTES 32	/* of U256 and I256 */
#define TABLE_VALUE_NULL ((struct aedb_value){ .type = AEDB_TYPE_NULL })

/* "U64"; NULL for what is no type. Static. */
const char *table_type_name(enum aedb_type type);
/* A type that a column can have. */
bool table_type_is_valid(enum aedb_type type);
/* U8, U64, I64, U256, I256, FLOAT: they compare with each other. */
bool table_type_is_number(enum aedb_type type);
/* TEXT, JSON, BLOB: values of any length. */
bool table_type_is_bytes(enum aedb_type type);
/* Both numbers, the same, or TEXT and JSON. NULL compares with everything. */
bool table_types_compare(enum aedb_type a, enum aedb_type b);

/* Whether v is a value of its own type: a U8 up to 255, finite, UTF-8, JSON. */
int table_value_check(const struct aedb_value *v, const char *what);
/* Besides, that its type is this one; NULL passes. */
int table_value_check_type(const struct aedb_value *v, enum aedb_type type,
			   const char *what);
bool table_value_is_finite(double real);
/* v as it is stored: -0 becomes 0. */
struct aedb_value table_value_stored(struct aedb_value v);

/* Below, at or above 0, of two values of types that compare: numbers by what they
 * are, exactly; false < true; bytes as memcmp, a prefix before what it is a prefix
 * of; NULL below all and equal to itself. */
int table_value_compare(const struct aedb_value *a, const struct aedb_value *b);

/* Where a value lies among those of another type. */
enum table_fit {
	TABLE_FIT_EXACT,	/* it equals one of them */
	TABLE_FIT_BETWEEN,	/* above one of them and below the next, or above
				 * the greatest */
	TABLE_FIT_BELOW,	/* below all */
};
/* v as a value of a type that compares with its own, v not NULL: the equal one or,
 * BETWEEN, the greatest one below v, so that `x > v` is `x > *ret` and `x < v` is
 * `x <= *ret`. BELOW: nothing is written. */
enum table_fit table_value_fit(const struct aedb_value *v, enum aedb_type type,
			       struct aedb_value *ret);

#endif
