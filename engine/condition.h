/*
 * Conditions on rows.
 *
 * One that condition_copy or condition_decode made is *normal*, and the functions
 * that say so take no other:
 * 1. ALL and ANY have at least two parts, none of their own kind, unless they have
 *    none at all (which is true, and false).
 * 2. NOT is of IN, NULL or LIKE only.
 * 3. There is no BETWEEN: it is two comparisons.
 * 4. The values of IN are in order, none twice, NULL first; IN has at least one.
 * 5. No value is -0.
 * It means the same as what it was made of, in all three truths, and condition_check
 * allows it as well.
 *
 * Calling sequence: condition_check, condition_copy; then condition_evaluate for
 * each row. Everything of a copy lies in the arena given.
 * Threads: no state.
 * Errors: AEDB_INVALID naming the column, AEDB_TOO_LARGE naming the limit,
 * AEDB_NO_MEMORY; AEDB_CORRUPT of decoding.
 */
#ifndef CONDITION_H
#define CONDITION_H

#include "aedb_table.h"
#include "arena.h"
#include "bytes.h"

/* A set of columns, by number. */
struct column_set {
	uint64_t words[(AEDB_COLUMNS_MAX + 63) / 64];
};

static inline void column_set_add(struct column_set *set, uint32_t column)
{
	set->words[column / 64] |= UINT64_C(1) << column % 64;
}

static inline bool column_set_has(const struct column_set *set, uint32_t column)
{
	return set->words[column / 64] >> column % 64 & 1;
}

/* ALL, ANY and NOT have parts, all others a column. */
static inline bool condition_has_parts(const struct aedb_condition *condition)
{
	return condition->kind >= AEDB_IF_ALL;
}

/* That it keeps the limits of aedb_table.h, is well formed, and compares columns
 * that the schema has with values that they compare with; a value of AEDB_IF_LIKE
 * is a pattern (like.h). */
int condition_check(const struct aedb_condition *condition,
		    const struct aedb_schema *schema);
/* A normal copy of one that condition_check allows. */
int condition_copy(const struct aedb_condition *condition, struct arena *arena,
		   const struct aedb_condition **ret);

/* Of a normal one. */

size_t condition_bytes(const struct aedb_condition *condition);
/* Writes condition_bytes. */
void condition_encode(const struct aedb_condition *condition,
		      struct byte_writer *w);
/* AEDB_CORRUPT unless it is what condition_encode writes of a normal one that is
 * well formed; its columns are still to be held against a schema. */
int condition_decode(struct byte_reader *r, struct arena *arena,
		     const struct aedb_condition **ret);

enum condition_truth {
	CONDITION_FALSE,
	CONDITION_UNKNOWN,
	CONDITION_TRUE,
};
/* Of a normal one. values: one for each number of a column; those of columns it does
 * not name are not looked at. */
enum condition_truth condition_evaluate(const struct aedb_condition *condition,
					const struct aedb_value *values);
/* Adds the columns it names. */
void condition_columns(const struct aedb_condition *condition,
		       struct column_set *set);

/* A normal one is true when all its conjuncts are: condition NULL has none, an ALL its
 * parts, any other itself. */
size_t condition_conjuncts(const struct aedb_condition *condition);
const struct aedb_condition *
condition_conjunct(const struct aedb_condition *condition, size_t i);
/* Whether it can be told that every row for which a is true has b true: each
 * conjunct of b follows from one of a's. Normal ones; NULL is always true. */
bool condition_implies(const struct aedb_condition *a,
		       const struct aedb_condition *b);

#endif
