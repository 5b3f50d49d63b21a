/*
 * How queries are to be read: cases with the plan, its ranges, and how many rows
 * of a small table lie in them; and random conditions, of which no row may lie
 * outside.
 */
#include "check.h"
#include "range.h"
#include "table_entry.h"
#include "table_plan.h"
#include "table_row.h"
#include "table_value.h"

enum { A, B, NAME, N, X, U, NOTE, COLUMNS };

#define INT(n) { .type = AEDB_TYPE_I64, .i64 = (n) }
#define BIG(n) { .type = AEDB_TYPE_U64, .u64 = (n) }
#define REAL(n) { .type = AEDB_TYPE_FLOAT, .real = (n) }
#define TEXT(s) { .type = AEDB_TYPE_TEXT, .bytes = { s, sizeof(s) - 1 } }
#define NONE { .type = AEDB_TYPE_NULL }

#define LEAF(kind_, column_, comparison_, ...) {                             \
	.kind = kind_, .column = column_, .comparison = comparison_,         \
	.values = (const struct aedb_value[]){ __VA_ARGS__ },                \
	.n_values = sizeof((const struct aedb_value[]){ __VA_ARGS__ }) /     \
		    sizeof(struct aedb_value) }
#define IF(column, comparison, ...) \
	LEAF(AEDB_IF_COMPARES, column, comparison, __VA_ARGS__)
#define EQ(column, ...) IF(column, AEDB_EQUAL, __VA_ARGS__)
#define IN(column, ...) LEAF(AEDB_IF_IN, column, 0, __VA_ARGS__)
#define BETWEEN(column, ...) LEAF(AEDB_IF_BETWEEN, column, 0, __VA_ARGS__)
#define LIKE(column, s) LEAF(AEDB_IF_LIKE, column, 0, TEXT(s))
#define IS_NULL(column_) { .kind = AEDB_IF_NULL, .column = column_ }
#define PARTS(kind_, ...) {                                                  \
	.kind = kind_,                                                       \
	.parts = (const struct aedb_condition[]){ __VA_ARGS__ },             \
	.n_parts = sizeof((const struct aedb_condition[]){ __VA_ARGS__ }) /  \
		   sizeof(struct aedb_condition) }
#define ALL(...) PARTS(AEDB_IF_ALL, __VA_ARGS__)
#define ANY(...) PARTS(AEDB_IF_ANY, __VA_ARGS__)
#define NOT(...) PARTS(AEDB_IF_NOT, __VA_ARGS__)

static const struct aedb_column columns[] = {
	[A] = { "a", AEDB_TYPE_U8, false, NONE },
	[B] = { "b", AEDB_TYPE_U8, false, NONE },
	[NAME] = { "name", AEDB_TYPE_TEXT, true, NONE },
	[N] = { "n", AEDB_TYPE_I64, true, NONE },
	[X] = { "x", AEDB_TYPE_FLOAT, true, NONE },
	[U] = { "u", AEDB_TYPE_U64, true, NONE },
	[NOTE] = { "note", AEDB_TYPE_TEXT, true, NONE },
};

static const struct aedb_condition few = IF(N, AEDB_GREATER, INT(5));

static const struct aedb_index indexes[] = {
	{ "by_name", (const uint32_t[]){ NAME }, 1, false, NULL },
	{ "by_n_x", (const uint32_t[]){ N, X }, 2, false, NULL },
	{ "by_u", (const uint32_t[]){ U }, 1, true, NULL },
	{ "few", (const uint32_t[]){ NOTE }, 1, false, &few },
};

static const struct aedb_schema shape = {
	columns, COLUMNS, (const uint32_t[]){ A, B }, 2, indexes, 4,
};

/* The table: 100 rows. */

#define ROWS 100

static void row_fill(unsigned i, struct aedb_value *v)
{
	static const struct aedb_value names[] = {
		TEXT(""), TEXT("a"), TEXT("a\0"), TEXT("a\0b"), TEXT("ab"),
		TEXT("abc"), TEXT("abd"), TEXT("b"), TEXT("\xc3\xbf"), NONE,
	};

	v[A] = (struct aedb_value){ .type = AEDB_TYPE_U8, .u64 = i / 10 };
	v[B] = (struct aedb_value){ .type = AEDB_TYPE_U8, .u64 = i % 10 };
	v[NAME] = names[i % 10];
	v[N] = (struct aedb_value)INT((int64_t)(i / 10) - 3);
	if (i / 10 == 9)
		v[N] = TABLE_VALUE_NULL;
	v[X] = (struct aedb_value)REAL((i % 10) / 2.0 - 2);
	v[U] = (struct aedb_value)BIG(i);
	if (i == 99)
		v[U] = TABLE_VALUE_NULL;
	v[NOTE] = names[i / 10];
}

static bool key_is_inside(const struct table_ranges *ranges,
			  const struct byte_writer *key)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct table_range *r = &ranges->at[i];

		if (range_compare(key->start, byte_writer_used(key), r->from,
				  r->from_bytes) >= 0 &&
		    range_compare(key->start, byte_writer_used(key), r->to,
				  r->to_bytes) < 0)
			return true;
	}
	return false;
}

/* Whether the branch comes by this row. */
static bool branch_has_row(const struct table_schema *schema,
			   const struct table_branch *branch,
			   const struct aedb_value *row)
{
	struct byte_writer key;
	uint8_t bytes[256];

	byte_writer_init(&key, bytes, sizeof(bytes));
	if (branch->index == TABLE_WAY_KEY)
		table_entry_put_row_key(&key, schema, row);
	else if (!table_entry_is_wanted(schema, branch->index, row))
		return false;
	else
		table_entry_put_index_key(&key, schema, branch->index, row);
	CHECK(!key.is_full);
	return key_is_inside(&branch->ranges, &key);
}

static unsigned branches_with_row(const struct table_schema *schema,
				  const struct table_plan *plan,
				  const struct aedb_value *row)
{
	unsigned n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += branch_has_row(schema, &plan->branches[i], row);
	return n;
}

static size_t ranges_of(const struct table_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += plan->branches[i].ranges.n;
	return n;
}

/* One that two branches come by counts twice. */
static unsigned rows_of(const struct table_schema *schema,
			const struct table_plan *plan)
{
	struct aedb_value row[COLUMNS];
	unsigned n = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		row_fill(i, row);
		n += branches_with_row(schema, plan, row);
	}
	return n;
}

/* Cases. */

struct plan_case {
	const char *plan;
	unsigned ranges, rows;
	struct aedb_condition where;
	struct aedb_order order[3];
	unsigned n_order;
};

#define NO_ORDER .n_order = 0
#define ORDER(n, ...) .order = { __VA_ARGS__ }, .n_order = n

static const struct plan_case cases[] = {
	/* the key */
	{ "scan", 1, 100, ALL(), NO_ORDER },
	{ "key by 1 column", 1, 10, EQ(A, INT(3)), NO_ORDER },
	{ "key by 2 columns", 1, 1, ALL(EQ(A, INT(3)), EQ(B, BIG(4))), NO_ORDER },
	{ "key by 2 columns", 1, 3, ALL(EQ(A, INT(3)), BETWEEN(B, INT(4), INT(6))), NO_ORDER },
	{ "key by 2 columns", 2, 6,
	  ALL(IN(A, INT(3), INT(7)), IF(B, AEDB_LESS, INT(3))), NO_ORDER },
	{ "key by 2 columns", 4, 4,
	  ALL(IN(A, INT(7), INT(3)), IN(B, INT(5), INT(5), INT(1))), NO_ORDER },
	{ "key by 1 column", 1, 50, IF(A, AEDB_GREATER_OR_EQUAL, INT(5)), NO_ORDER },
	{ "scan", 1, 100, EQ(B, INT(1)), NO_ORDER },
	{ "key by 1 column", 2, 90, IF(A, AEDB_NOT_EQUAL, INT(4)), NO_ORDER },
	/* joined: nothing lies between them */
	{ "key by 1 column", 1, 20, IN(A, INT(3), INT(4)), NO_ORDER },
	/* nothing */
	{ "key by 1 column", 0, 0, EQ(A, INT(256)), NO_ORDER },
	{ "key by 1 column", 0, 0, EQ(A, REAL(3.5)), NO_ORDER },
	{ "key by 1 column", 0, 0, EQ(A, NONE), NO_ORDER },
	{ "key by 1 column", 0, 0, ALL(EQ(A, INT(1)), EQ(A, INT(2))), NO_ORDER },
	{ "key by 1 column", 0, 0, NOT(IN(A, INT(1), NONE)), NO_ORDER },
	{ "key by 2 columns", 0, 0, ANY(), NO_ORDER },
	/* constants of other types */
	{ "key by 1 column", 1, 10, EQ(A, REAL(3)), NO_ORDER },
	{ "key by 1 column", 1, 60, IF(A, AEDB_GREATER, REAL(3.5)), NO_ORDER },
	{ "key by 1 column", 1, 40, IF(A, AEDB_LESS, REAL(3.5)), NO_ORDER },
	{ "key by 1 column", 1, 100, IF(A, AEDB_GREATER, INT(-1)), NO_ORDER },
	{ "key by 1 column", 1, 100, IF(A, AEDB_LESS, INT(1000)), NO_ORDER },
	{ "key by 1 column", 0, 0, IF(A, AEDB_GREATER, REAL(1e300)), NO_ORDER },
	{ "key by 1 column", 0, 0, IF(A, AEDB_LESS_OR_EQUAL, REAL(-1e300)), NO_ORDER },
	{ "index by_n_x by 1 column", 1, 90, IF(N, AEDB_LESS, BIG(UINT64_MAX)), NO_ORDER },
	{ "index by_n_x by 1 column", 0, 0, IF(N, AEDB_GREATER, BIG(UINT64_MAX)), NO_ORDER },
	/* indexes */
	{ "index by_name by 1 column", 1, 10, EQ(NAME, TEXT("a")), NO_ORDER },
	{ "index by_name by 1 column", 1, 10, IS_NULL(NAME), NO_ORDER },
	{ "index by_name by 1 column", 1, 90, NOT(IS_NULL(NAME)), NO_ORDER },
	{ "index by_name by 1 column", 1, 60, LIKE(NAME, "a%"), NO_ORDER },
	{ "index by_name by 1 column", 1, 30, LIKE(NAME, "ab%"), NO_ORDER },
	{ "index by_name by 1 column", 1, 10, LIKE(NAME, "abc"), NO_ORDER },
	{ "index by_name by 1 column", 1, 30, LIKE(NAME, "ab_"), NO_ORDER },
	{ "index by_name by 1 column", 1, 90, LIKE(NAME, "%b"), NO_ORDER },
	{ "index by_name by 1 column", 1, 90, NOT(LIKE(NAME, "a%")), NO_ORDER },
	{ "index by_name by 1 column", 1, 30, BETWEEN(NAME, TEXT("ab"), TEXT("abd")), NO_ORDER },
	{ "index by_n_x by 1 column", 1, 10, EQ(N, INT(-1)), NO_ORDER },
	{ "index by_n_x by 2 columns", 1, 1, ALL(EQ(N, INT(-1)), EQ(X, INT(-1))), NO_ORDER },
	{ "index by_n_x by 2 columns", 1, 5,
	  ALL(EQ(N, INT(-1)), IF(X, AEDB_GREATER, REAL(0))), NO_ORDER },
	{ "index by_n_x by 2 columns", 3, 3,
	  ALL(IN(N, INT(-1), INT(1), REAL(3), REAL(2.5)), EQ(X, REAL(0.5))), NO_ORDER },
	{ "index by_n_x by 2 columns", 1, 1, ALL(IS_NULL(N), EQ(X, INT(1))), NO_ORDER },
	{ "scan", 1, 100, EQ(X, INT(0)), NO_ORDER },
	{ "index by_u by 1 column", 1, 1, EQ(U, INT(50)), NO_ORDER },
	{ "index by_u by 1 column", 1, 1,
	  ALL(EQ(U, INT(50)), EQ(N, INT(-1)), EQ(X, INT(-1))), NO_ORDER },
	{ "key by 2 columns", 1, 1,
	  ALL(EQ(U, INT(50)), EQ(A, INT(5)), EQ(B, INT(0))), NO_ORDER },
	/* ANY of one column, and of several */
	{ "index by_u by 1 column", 2, 12,
	  ANY(EQ(U, INT(50)), BETWEEN(U, INT(60), INT(70))), NO_ORDER },
	{ "index by_u by 1 column", 1, 21,
	  ANY(BETWEEN(U, INT(50), INT(65)), BETWEEN(U, INT(60), INT(70))), NO_ORDER },
	/* a row that two branches come by counts twice here */
	{ "union of index by_n_x by 1 column and index by_u by 1 column", 2, 11,
	  ANY(EQ(U, INT(50)), EQ(N, INT(1))), NO_ORDER },
	{ "union of index by_n_x by 1 column and index by_u by 1 column", 2, 11,
	  ANY(EQ(U, INT(45)), EQ(N, INT(1))), NO_ORDER },
	{ "union of index by_n_x by 1 column and index by_u by 1 column", 5, 33,
	  ANY(EQ(U, INT(50)), EQ(N, INT(1)), EQ(U, INT(7)), EQ(U, INT(9)),
	      BETWEEN(N, INT(3), INT(4))), NO_ORDER },
	{ "union of key by 1 column and index by_name by 1 column", 2, 20,
	  ANY(IS_NULL(NAME), EQ(A, INT(2))), NO_ORDER },
	{ "union of key by 2 columns and index by_u by 1 column", 2, 2,
	  ANY(EQ(U, INT(7)), ALL(EQ(A, INT(2)), EQ(B, INT(3)))), NO_ORDER },
	{ "scan", 1, 100, ANY(EQ(U, INT(50)), EQ(X, INT(1))), NO_ORDER },
	{ "scan", 1, 100, ANY(EQ(U, INT(50)), ALL()), NO_ORDER },
	{ "union of index by_name by 1 column and index by_u by 1 column", 1, 1,
	  ANY(EQ(U, INT(7)), EQ(NAME, NONE)), NO_ORDER },
	/* beside other conditions */
	{ "union of index by_name by 1 column and index by_u by 1 column", 2, 11,
	  ALL(EQ(X, INT(1)), ANY(EQ(U, INT(7)), EQ(NAME, TEXT("a")))), NO_ORDER },
	{ "union of index by_name by 1 column and index by_u by 1 column", 2, 11,
	  ALL(IF(N, AEDB_GREATER, INT(0)),
	      ANY(EQ(U, INT(7)), EQ(NAME, TEXT("a")))), NO_ORDER },
	{ "union of index by_n_x by 2 columns and index by_u by 1 column", 2, 2,
	  ALL(EQ(N, INT(0)), ANY(EQ(U, INT(7)), EQ(X, INT(1)))), NO_ORDER },
	{ "index by_n_x by 1 column", 1, 10,
	  ALL(EQ(N, INT(0)),
	      ANY(IF(U, AEDB_LESS, INT(7)), EQ(NAME, TEXT("a")))), NO_ORDER },
	{ "index by_n_x by 2 columns", 2, 2,
	  ALL(EQ(N, INT(0)), ANY(EQ(X, INT(2)), EQ(X, INT(1)))), NO_ORDER },
	{ "key by 2 columns", 1, 1,
	  ALL(EQ(A, INT(1)), EQ(B, INT(1)),
	      ANY(EQ(N, INT(1)), EQ(NAME, TEXT("a")))), NO_ORDER },
	/* of two of them the better */
	{ "union of index by_name by 1 column and index by_u by 1 column", 2, 11,
	  ALL(ANY(IF(U, AEDB_GREATER, INT(7)), IF(N, AEDB_LESS, INT(1))),
	      ANY(EQ(U, INT(7)), EQ(NAME, TEXT("a")))), NO_ORDER },
	/* one among the parts of an alternative */
	{ "union of index by_name by 1 column and index by_u by 1 column", 3, 12,
	  ANY(EQ(U, INT(7)),
	      ALL(EQ(B, INT(1)), ANY(EQ(U, INT(9)), EQ(NAME, TEXT("a"))))),
	  NO_ORDER },
	{ "scan", 1, 100,
	  ANY(EQ(U, INT(7)),
	      ALL(EQ(B, INT(1)), ANY(EQ(U, INT(9)), EQ(X, INT(1))))), NO_ORDER },
	/* one index: what the columns' values combine to is not read */
	{ "index by_n_x by 2 columns", 2, 2,
	  ANY(ALL(EQ(N, INT(-1)), EQ(X, INT(-1))),
	      ALL(EQ(N, INT(1)), EQ(X, INT(1)))), NO_ORDER },
	{ "key by 2 columns, backward", 3, 3,
	  ANY(ALL(EQ(A, INT(1)), EQ(B, INT(2))),
	      ALL(EQ(A, INT(3)), EQ(B, INT(4))),
	      ALL(EQ(A, INT(3)), EQ(B, INT(6)))),
	  ORDER(2, { A, true }, { B, true }) },
	{ "key by 1 column", 2, 11,
	  ANY(ALL(EQ(A, INT(1)), EQ(B, INT(2))), EQ(A, INT(3))), NO_ORDER },
	{ "index by_u by 1 column", 2, 2,
	  ANY(ALL(EQ(U, INT(50)), EQ(N, INT(1))),
	      ALL(EQ(U, INT(61)), EQ(N, INT(2)))), NO_ORDER },
	{ "index by_u by 1 column", 2, 98,
	  NOT(ANY(EQ(U, INT(50)), IS_NULL(U))), NO_ORDER },
	/* the index with a condition: rows with n above 5 have no note but NULL */
	{ "index by_n_x by 1 column", 1, 0, IF(N, AEDB_GREATER, INT(7)), NO_ORDER },
	{ "index few by 1 column", 1, 0,
	  ALL(EQ(NOTE, TEXT("b")), IF(N, AEDB_GREATER, INT(5))), NO_ORDER },
	{ "scan", 1, 100, EQ(NOTE, TEXT("b")), NO_ORDER },
	{ "union of index by_u by 1 column and index few by 1 column", 2, 1,
	  ANY(EQ(U, INT(7)),
	      ALL(EQ(NOTE, TEXT("b")), IF(N, AEDB_GREATER, INT(5)))), NO_ORDER },
	{ "scan", 1, 100, ANY(EQ(U, INT(7)), EQ(NOTE, TEXT("b"))), NO_ORDER },
	/* order */
	{ "scan", 1, 100, ALL(), ORDER(1, { A, false }) },
	{ "scan, backward", 1, 100, ALL(), ORDER(2, { A, true }, { B, true }) },
	{ "scan, sorts", 1, 100, ALL(), ORDER(2, { A, true }, { B, false }) },
	{ "scan, sorts", 1, 100, ALL(), ORDER(1, { B, false }) },
	{ "scan", 1, 100, ALL(), ORDER(3, { A, false }, { B, false }, { X, true }) },
	{ "index by_name", 1, 100, ALL(), ORDER(1, { NAME, false }) },
	{ "index by_name, backward", 1, 100, ALL(),
	  ORDER(3, { NAME, true }, { A, true }, { B, true }) },
	{ "scan, sorts", 1, 100, ALL(),
	  ORDER(2, { NAME, true }, { A, false }) },
	{ "key by 1 column, backward", 1, 10, EQ(A, INT(3)),
	  ORDER(2, { A, false }, { B, true }) },
	{ "key by 1 column, sorts", 1, 20, IN(A, INT(3), INT(4)),
	  ORDER(1, { B, true }) },
	{ "key by 1 column, backward", 2, 20, IN(A, INT(3), INT(5)),
	  ORDER(1, { A, true }) },
	{ "index by_n_x by 1 column", 1, 10, EQ(N, INT(1)),
	  ORDER(3, { X, false }, { N, true }, { A, false }) },
	{ "union of index by_n_x by 1 column and index by_u by 1 column, sorts",
	  2, 11, ANY(EQ(U, INT(50)), EQ(N, INT(1))), ORDER(1, { A, true }) },
	{ "union of index by_name by 1 column and index by_u by 1 column", 2, 11,
	  ALL(EQ(X, INT(1)), ANY(EQ(U, INT(50)), EQ(NAME, TEXT("a")))),
	  ORDER(1, { X, true }) },
	{ "index by_n_x by 1 column, sorts", 1, 40, IF(N, AEDB_GREATER, INT(1)),
	  ORDER(1, { X, false }) },
};

TEST(plans, "each query is read in the way that its condition and order allow")
{
	struct table_schema *schema;

	CHECK_OK(table_schema_create(&shape, &schema));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct plan_case *c = &cases[i];
		struct table_wish wish = { .order = c->order,
					   .n_order = c->n_order };
		struct arena arena = { NULL };
		char text[5 * TABLE_PLAN_TEXT_BYTES];
		struct table_plan plan;

		CHECK_OK(condition_check(&c->where, &shape));
		CHECK_OK(condition_copy(&c->where, &arena, &wish.where));
		CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
		table_plan_describe(schema, &plan, text);
		CHECK_THAT(!strcmp(text, c->plan), "case %zu: %s, not %s", i,
			   text, c->plan);
		CHECK_THAT(ranges_of(&plan) == c->ranges,
			   "case %zu (%s): %zu ranges, not %u", i, c->plan,
			   ranges_of(&plan), c->ranges);
		CHECK_THAT(rows_of(schema, &plan) == c->rows,
			   "case %zu (%s): %u rows, not %u", i, c->plan,
			   rows_of(schema, &plan), c->rows);
		arena_release(&arena);
	}
	table_schema_free(schema);
}

/* Random conditions. */

static struct aedb_value random_value(uint32_t column)
{
	struct aedb_value row[COLUMNS];

	row_fill((unsigned)(check_random() % ROWS), row);
	if (check_random() % 20 == 0)
		return TABLE_VALUE_NULL;
	if (row[column].type == AEDB_TYPE_TEXT || column == NAME ||
	    column == NOTE)
		return row[column];
	switch (check_random() % 4) {
	case 0:
		return (struct aedb_value)INT((int64_t)(check_random() % 12) - 2);
	case 1:
		return (struct aedb_value)REAL(
			(double)(check_random() % 40) / 4 - 3);
	case 2:
		return (struct aedb_value)BIG(check_random() %
					      (check_random() % 2 ? 100 :
								    UINT64_MAX));
	default:
		return row[column];
	}
}

static void random_leaf(struct arena *arena, struct aedb_condition *c)
{
	static const struct aedb_value patterns[] = {
		TEXT("a%"), TEXT("%"), TEXT("ab_"), TEXT("_b"), TEXT("abc"),
	};
	struct aedb_value *values;
	void *at;

	*c = (struct aedb_condition){ .kind = check_random() % 5,
				      .column = check_random() % COLUMNS,
				      .comparison = check_random() % 6 };
	if (c->kind == AEDB_IF_LIKE)
		c->column = check_random() % 2 ? NAME : NOTE;
	c->n_values = c->kind == AEDB_IF_BETWEEN ? 2 :
		      c->kind == AEDB_IF_IN      ? 1 + check_random() % 4 :
		      c->kind == AEDB_IF_NULL    ? 0 :
						   1;
	CHECK_OK(arena_take_array(arena, 4, sizeof(*values), &at));
	values = at;
	for (size_t i = 0; i < c->n_values; i++)
		values[i] = c->kind == AEDB_IF_LIKE ?
				    patterns[check_random() % 5] :
				    random_value(c->column);
	c->values = values;
}

static void random_condition(struct arena *arena, unsigned depth,
			     struct aedb_condition *c)
{
	static const enum aedb_condition_kind kinds[] = {
		AEDB_IF_ALL, AEDB_IF_ALL, AEDB_IF_ANY, AEDB_IF_NOT,
	};
	struct aedb_condition *parts;
	void *at;

	if (depth == 0 || check_random() % 4 == 0) {
		random_leaf(arena, c);
		return;
	}
	*c = (struct aedb_condition){ .kind = kinds[check_random() % 4] };
	c->n_parts = c->kind == AEDB_IF_NOT ? 1 : check_random() % 4;
	CHECK_OK(arena_take_array(arena, 4, sizeof(*parts), &at));
	parts = at;
	for (size_t i = 0; i < c->n_parts; i++)
		random_condition(arena, depth - 1, &parts[i]);
	c->parts = parts;
}

static void ranges_check_sorted(const struct table_ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct table_range *r = &ranges->at[i];

		CHECK(range_compare(r->from, r->from_bytes, r->to,
				    r->to_bytes) < 0);
		CHECK(i == 0 || range_compare(r[-1].to, r[-1].to_bytes, r->from,
					      r->from_bytes) < 0);
	}
}

static bool giver_has_row(const struct table_schema *schema,
			  const struct table_plan *plan,
			  const struct aedb_value *row)
{
	const struct table_branch *giver =
		&plan->branches[table_plan_giver(plan, row)];

	return branch_has_row(schema, giver, row);
}

TEST(sound, "no row for which a random condition is true lies outside its plan")
{
	struct table_schema *schema;
	struct aedb_value row[COLUMNS];
	unsigned narrowed = 0, unions = 0;

	CHECK_OK(table_schema_create(&shape, &schema));
	for (unsigned i = 0; i < check_times(3000); i++) {
		struct arena arena = { NULL };
		struct table_wish wish = { .where = NULL };
		struct aedb_condition where;
		struct table_plan plan;

		random_condition(&arena, 3, &where);
		CHECK_OK(condition_check(&where, &shape));
		CHECK_OK(condition_copy(&where, &arena, &wish.where));
		CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
		for (size_t j = 0; j < plan.n; j++)
			ranges_check_sorted(&plan.branches[j].ranges);
		narrowed += plan.n == 1 && rows_of(schema, &plan) < ROWS;
		unions += plan.n > 1;
		for (unsigned r = 0; r < ROWS; r++) {
			row_fill(r, row);
			CHECK(condition_evaluate(wish.where, row) !=
				      CONDITION_TRUE ||
			      giver_has_row(schema, &plan, row));
		}
		arena_release(&arena);
	}
	CHECK(narrowed > 0 && unions > 0);
	table_schema_free(schema);
}

TEST(long_lists, "ten thousand alternatives make no more ranges than they are")
{
	enum { ALTERNATIVES = 5000 };
	static struct aedb_value values[ALTERNATIVES];
	static struct aedb_condition parts[ALTERNATIVES];
	struct aedb_condition where = { .kind = AEDB_IF_ANY,
					.parts = parts,
					.n_parts = ALTERNATIVES };
	struct arena arena = { NULL };
	struct table_schema *schema;
	struct table_wish wish = { .where = NULL };
	struct table_plan plan;

	for (unsigned i = 0; i < ALTERNATIVES; i++) {
		values[i] = (struct aedb_value)BIG(2 * (uint64_t)i);
		parts[i] = (struct aedb_condition){
			.kind = AEDB_IF_COMPARES,
			.column = U,
			.comparison = AEDB_EQUAL,
			.values = &values[i],
			.n_values = 1,
		};
	}
	CHECK_OK(table_schema_create(&shape, &schema));
	CHECK_OK(condition_copy(&where, &arena, &wish.where));
	CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
	CHECK_EQ(ranges_of(&plan), ALTERNATIVES);
	CHECK_EQ(rows_of(schema, &plan), 50);
	for (unsigned i = 0; i < ALTERNATIVES; i++)
		parts[i].comparison = AEDB_NOT_EQUAL;
	where.kind = AEDB_IF_ALL;
	CHECK_OK(condition_copy(&where, &arena, &wish.where));
	CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
	CHECK(rows_of(schema, &plan) >= 49);
	table_schema_free(schema);
	arena_release(&arena);
}

TEST(long_unions, "five thousand alternatives on two columns are a union, unless each "
	"is to be looked at beside too much")
{
	enum { ALTERNATIVES = 5000, BESIDE = 500 };
	static struct aedb_value values[ALTERNATIVES];
	static struct aedb_condition parts[ALTERNATIVES], all[1 + BESIDE];
	struct aedb_condition where = { .kind = AEDB_IF_ALL, .parts = all,
					.n_parts = 1 + BESIDE };
	struct table_wish wish = { .where = NULL };
	struct arena arena = { NULL };
	struct table_schema *schema;
	struct table_plan plan;

	for (unsigned i = 0; i < ALTERNATIVES; i++) {
		values[i] = (struct aedb_value)BIG(2 * (uint64_t)i);
		parts[i] = (struct aedb_condition){
			.kind = AEDB_IF_COMPARES,
			.column = i % 2 ? U : N,
			.comparison = AEDB_EQUAL,
			.values = &values[i],
			.n_values = 1,
		};
	}
	all[0] = (struct aedb_condition){ .kind = AEDB_IF_ANY, .parts = parts,
					  .n_parts = ALTERNATIVES };
	for (unsigned i = 1; i <= BESIDE; i++) {
		all[i] = parts[i];
		all[i].column = X;
		all[i].comparison = AEDB_NOT_EQUAL;
	}
	CHECK_OK(table_schema_create(&shape, &schema));
	CHECK_OK(condition_copy(&all[0], &arena, &wish.where));
	CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
	CHECK_EQ(plan.n, 2);
	CHECK_EQ(ranges_of(&plan), ALTERNATIVES);
	CHECK_OK(condition_copy(&where, &arena, &wish.where));
	CHECK_OK(table_plan_make(schema, &wish, &arena, &plan));
	CHECK_EQ(plan.n, 1);
	CHECK_EQ(rows_of(schema, &plan), ROWS);
	table_schema_free(schema);
	arena_release(&arena);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
