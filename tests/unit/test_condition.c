/*
 * Conditions on rows: their normal copies mean what they were made of, held against
 * the rules of three-valued logic written down once more; bytes; what follows from
 * what; limits.
 */
#include "check.h"
#include "condition.h"
#include "err.h"
#include "like.h"
#include "random_value.h"

#define COLUMNS 6
#define NODES 64
#define VALUES 256

static const struct aedb_column columns[COLUMNS] = {
	{ .name = "u8", .type = AEDB_TYPE_U8, .is_nullable = true },
	{ .name = "i64", .type = AEDB_TYPE_I64, .is_nullable = true },
	{ .name = "real", .type = AEDB_TYPE_FLOAT, .is_nullable = true },
	{ .name = "text", .type = AEDB_TYPE_TEXT, .is_nullable = true },
	{ .name = "wide", .type = AEDB_TYPE_U256, .is_nullable = true },
	{ .name = "blob", .type = AEDB_TYPE_BLOB, .is_nullable = true },
};
static const struct aedb_schema schema = { .columns = columns,
					   .n_columns = COLUMNS };

/* Where random conditions lie. */
struct garden {
	struct aedb_condition nodes[NODES];
	struct aedb_value values[VALUES];
	uint8_t rooms[VALUES][VALUE_BYTES_MAX];
	size_t n_nodes, n_values;
	struct arena arena;
};

/* Of few numbers, so that many conditions meet in one. */
static struct aedb_value small_number(enum aedb_type type)
{
	struct aedb_value v = { .type = type };
	unsigned n = (unsigned)value_below(4);

	if (type == AEDB_TYPE_FLOAT)
		v.real = n / 2.0 * (value_below(4) ? 1 : -1);
	else if (type == AEDB_TYPE_U256 || type == AEDB_TYPE_I256)
		v.wide[31] = (uint8_t)n;
	else
		v.u64 = n;
	return v;
}

static struct aedb_value random_of(enum aedb_type type, uint8_t *room)
{
	static const enum aedb_type numbers[] = { AEDB_TYPE_U8, AEDB_TYPE_U64,
		AEDB_TYPE_I64, AEDB_TYPE_U256, AEDB_TYPE_I256, AEDB_TYPE_FLOAT };

	if (value_below(10) == 0)
		return TABLE_VALUE_NULL;
	if (!table_type_is_number(type))
		return value_random(type, room);
	return small_number(numbers[value_below(6)]);
}

static struct aedb_value *new_values(struct garden *g, uint32_t column, size_t n)
{
	struct aedb_value *values = &g->values[g->n_values];

	for (size_t i = 0; i < n; i++, g->n_values++)
		g->values[g->n_values] = random_of(columns[column].type,
						   g->rooms[g->n_values]);
	return values;
}

static void grow_leaf(struct garden *g, struct aedb_condition *c)
{
	static const uint8_t counts[] = { [AEDB_IF_COMPARES] = 1,
		[AEDB_IF_BETWEEN] = 2, [AEDB_IF_LIKE] = 1, [AEDB_IF_NULL] = 0 };

	c->kind = value_below(5);
	c->column = c->kind == AEDB_IF_LIKE ? 3 : (uint32_t)value_below(COLUMNS);
	c->comparison = value_below(6);
	c->n_values = c->kind == AEDB_IF_IN ? value_below(5) : counts[c->kind];
	c->values = new_values(g, c->column, c->n_values);
	if (c->kind == AEDB_IF_LIKE)
		while (c->values[0].type == AEDB_TYPE_NULL ||
		       like_check(c->values[0].bytes) < 0)
			c->values = new_values(g, 3, 1);
}

static void grow(struct garden *g, struct aedb_condition *c, unsigned depth)
{
	struct aedb_condition *parts = &g->nodes[g->n_nodes];

	*c = (struct aedb_condition){ 0 };
	if (depth == 0 || g->n_nodes > NODES - 8 || value_below(3) == 0) {
		grow_leaf(g, c);
		return;
	}
	c->kind = AEDB_IF_ALL + value_below(3);
	c->n_parts = c->kind == AEDB_IF_NOT ? 1 : value_below(4);
	c->parts = parts;
	g->n_nodes += c->n_parts;
	for (size_t i = 0; i < c->n_parts; i++)
		grow(g, &parts[i], depth - 1);
}

/* A random condition and its normal copy. */
static const struct aedb_condition *grown(struct garden *g,
					  const struct aedb_condition **ret_normal)
{
	struct aedb_condition *root;

	do {
		g->n_nodes = 1;
		g->n_values = 0;
		root = &g->nodes[0];
		grow(g, root, 4);
	} while (g->n_values > VALUES / 2);
	CHECK_OK(condition_check(root, &schema));
	CHECK_OK(condition_copy(root, &g->arena, ret_normal));
	return root;
}

static void random_row(struct aedb_value *row, uint8_t (*rooms)[VALUE_BYTES_MAX])
{
	for (size_t i = 0; i < COLUMNS; i++) {
		enum aedb_type type = columns[i].type;

		row[i] = value_below(6) == 0 ? TABLE_VALUE_NULL :
			 table_type_is_number(type) ? small_number(type) :
						      value_random(type, rooms[i]);
	}
}

/* The plain meaning: NULL makes unknown. -1, 0, 1: false, unknown, true. */
static int compare_means(enum aedb_comparison comparison,
			 const struct aedb_value *a, const struct aedb_value *b)
{
	int sign;
	bool is_so[6];

	if (a->type == AEDB_TYPE_NULL || b->type == AEDB_TYPE_NULL)
		return 0;
	sign = table_value_compare(a, b);
	is_so[AEDB_EQUAL] = sign == 0;
	is_so[AEDB_NOT_EQUAL] = sign != 0;
	is_so[AEDB_LESS] = sign < 0;
	is_so[AEDB_LESS_OR_EQUAL] = sign <= 0;
	is_so[AEDB_GREATER] = sign > 0;
	is_so[AEDB_GREATER_OR_EQUAL] = sign >= 0;
	return is_so[comparison] ? 1 : -1;
}

static int greater(int a, int b)
{
	return a > b ? a : b;
}

static int means(const struct aedb_condition *c, const struct aedb_value *row)
{
	const struct aedb_value *v = &row[c->column];
	int truth = -1;

	switch (c->kind) {
	case AEDB_IF_COMPARES:
		return compare_means(c->comparison, v, &c->values[0]);
	case AEDB_IF_IN:
		for (size_t i = 0; i < c->n_values; i++)
			truth = greater(truth, compare_means(AEDB_EQUAL, v,
							     &c->values[i]));
		return truth;
	case AEDB_IF_BETWEEN:
		return -greater(-compare_means(AEDB_GREATER_OR_EQUAL, v, &c->values[0]),
				-compare_means(AEDB_LESS_OR_EQUAL, v, &c->values[1]));
	case AEDB_IF_NULL:
		return v->type == AEDB_TYPE_NULL ? 1 : -1;
	case AEDB_IF_LIKE:
		return v->type == AEDB_TYPE_NULL ? 0 :
		       like_matches(c->values[0].bytes, v->bytes) ? 1 : -1;
	case AEDB_IF_ALL:
		for (size_t i = 0; i < c->n_parts; i++)
			truth = greater(truth, -means(&c->parts[i], row));
		return -truth;
	case AEDB_IF_ANY:
		for (size_t i = 0; i < c->n_parts; i++)
			truth = greater(truth, means(&c->parts[i], row));
		return truth;
	default:
		return -means(&c->parts[0], row);
	}
}

TEST(meaning, "a normal copy is true, false and unknown of the rows of which its model is")
{
	static struct garden g;
	uint8_t rooms[COLUMNS][VALUE_BYTES_MAX];
	struct aedb_value row[COLUMNS];
	unsigned seen[3] = { 0 };

	for (unsigned i = 0; i < check_times(4000); i++) {
		const struct aedb_condition *normal, *c = grown(&g, &normal);

		CHECK_OK(condition_check(normal, &schema));
		for (int k = 0; k < 20; k++) {
			int truth;

			random_row(row, rooms);
			truth = means(c, row) + 1;
			CHECK_EQ(condition_evaluate(normal, row), truth);
			seen[truth]++;
		}
		arena_release(&g.arena);
	}
	for (int truth = 0; truth < 3; truth++)
		CHECK(seen[truth] > 1000);
}

static void check_normal(const struct aedb_condition *c)
{
	CHECK(c->kind != AEDB_IF_BETWEEN);
	if (c->kind == AEDB_IF_NOT)
		CHECK(c->parts[0].kind == AEDB_IF_IN || c->parts[0].kind == AEDB_IF_NULL ||
		      c->parts[0].kind == AEDB_IF_LIKE);
	else if (condition_has_parts(c))
		CHECK(c->n_parts != 1);
	for (size_t i = 1; !condition_has_parts(c) && i < c->n_values; i++)
		CHECK(table_value_compare(&c->values[i - 1], &c->values[i]) < 0);
	for (size_t i = 0; condition_has_parts(c) && i < c->n_parts; i++) {
		CHECK(c->parts[i].kind != c->kind);
		check_normal(&c->parts[i]);
	}
}

static uint8_t *encoded(const struct aedb_condition *c, size_t *ret_n)
{
	size_t n = condition_bytes(c);
	uint8_t *bytes = malloc(n);
	struct byte_writer w;

	byte_writer_init(&w, bytes, n);
	condition_encode(c, &w);
	CHECK(!w.is_full);
	CHECK_EQ(byte_writer_used(&w), n);
	*ret_n = n;
	return bytes;
}

/* Bytes left behind it, or an error. */
static int decode(const uint8_t *bytes, size_t n, struct arena *arena,
		  const struct aedb_condition **ret)
{
	struct byte_reader r;
	int rc;

	byte_reader_init(&r, bytes, n);
	rc = condition_decode(&r, arena, ret);
	return rc < 0 ? rc : (int)byte_reader_left(&r);
}

TEST(round_trip, "a normal condition comes back from its bytes; cut off it is damage")
{
	static struct garden g;

	for (unsigned i = 0; i < check_times(1000); i++) {
		const struct aedb_condition *normal, *got;
		size_t n, again_n;
		uint8_t *bytes, *again;

		grown(&g, &normal);
		check_normal(normal);
		bytes = encoded(normal, &n);
		CHECK_EQ(decode(bytes, n, &g.arena, &got), 0);
		again = encoded(got, &again_n);
		CHECK_EQ(again_n, n);
		CHECK_MEM(again, bytes, n);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *part = malloc(cut ? cut : 1);

			memcpy(part, bytes, cut);
			CHECK_EQ(decode(part, cut, &g.arena, &got), AEDB_CORRUPT);
			free(part);
		}
		free(bytes);
		free(again);
		arena_release(&g.arena);
	}
}

TEST(changed, "changed bytes are damage or another normal condition")
{
	static struct garden g;
	unsigned damaged = 0;

	for (unsigned i = 0; i < check_times(20000); i++) {
		const struct aedb_condition *normal, *got;
		size_t n, again_n;
		uint8_t *bytes, *again;
		int left;

		grown(&g, &normal);
		bytes = encoded(normal, &n);
		for (size_t k = 1 + value_below(3); k > 0; k--)
			bytes[value_below(n)] ^= (uint8_t)(1 << value_below(8));
		left = decode(bytes, n, &g.arena, &got);
		CHECK(left >= 0 || left == AEDB_CORRUPT);
		damaged += left < 0;
		if (left >= 0) {
			check_normal(got);
			again = encoded(got, &again_n);
			CHECK_EQ(again_n + (size_t)left, n);
			CHECK_MEM(again, bytes, again_n);
			/* of the schema's types or refused, without a crash */
			condition_check(got, &schema);
			free(again);
		}
		free(bytes);
		arena_release(&g.arena);
	}
	CHECK(damaged > 1000);
}

TEST(implied, "what follows is true of every row of which the other is")
{
	static struct garden a, b;
	uint8_t rooms[COLUMNS][VALUE_BYTES_MAX];
	struct aedb_value row[COLUMNS];
	unsigned implied = 0;

	for (unsigned i = 0; i < check_times(60000); i++) {
		const struct aedb_condition *x, *y;

		grown(&a, &x);
		grown(&b, &y);
		CHECK(condition_implies(x, x));
		CHECK(condition_implies(x, NULL));
		for (int k = 0; condition_implies(x, y) && k < 60; k++) {
			random_row(row, rooms);
			implied += k == 0;
			if (condition_evaluate(x, row) == CONDITION_TRUE)
				CHECK_EQ(condition_evaluate(y, row), CONDITION_TRUE);
		}
		arena_release(&a.arena);
		arena_release(&b.arena);
	}
	CHECK(implied > 1000);
}

/* Short conditions for what is written down. */

static struct aedb_value numbers[] = {
	{ .type = AEDB_TYPE_U64, .u64 = 0 }, { .type = AEDB_TYPE_U64, .u64 = 1 },
	{ .type = AEDB_TYPE_U64, .u64 = 2 }, { .type = AEDB_TYPE_U64, .u64 = 3 },
	{ .type = AEDB_TYPE_U64, .u64 = 4 }, { .type = AEDB_TYPE_U64, .u64 = 5 },
};

static struct aedb_condition compares(enum aedb_comparison comparison, int n)
{
	return (struct aedb_condition){ .kind = AEDB_IF_COMPARES, .column = 1,
		.comparison = comparison, .values = &numbers[n], .n_values = 1 };
}

static bool implies(struct aedb_condition a, struct aedb_condition b)
{
	struct arena arena = { 0 };
	const struct aedb_condition *x, *y;
	bool is_so;

	CHECK_OK(condition_check(&a, &schema));
	CHECK_OK(condition_check(&b, &schema));
	CHECK_OK(condition_copy(&a, &arena, &x));
	CHECK_OK(condition_copy(&b, &arena, &y));
	is_so = condition_implies(x, y);
	arena_release(&arena);
	return is_so;
}

TEST(comparisons, "of two comparisons it is known exactly whether one follows")
{
	for (int a = 0; a < 6; a++)
		for (int b = 0; b < 6; b++)
			for (int x = 0; x < 6; x++)
				for (int y = 0; y < 6; y++) {
					bool want = true;

					/* halves between the numbers, and beyond */
					for (double v = -0.5; v <= 5.5; v += 0.5) {
						struct aedb_value row = {
							.type = AEDB_TYPE_FLOAT, .real = v };

						if (compare_means(a, &row, &numbers[x]) > 0 &&
						    compare_means(b, &row, &numbers[y]) < 0)
							want = false;
					}
					CHECK_EQ(implies(compares(a, x), compares(b, y)), want);
				}
}

TEST(known, "a list, a range and a conjunction imply what an index asks for")
{
	struct aedb_condition null = { .kind = AEDB_IF_NULL, .column = 1 };
	struct aedb_condition not_null = { .kind = AEDB_IF_NOT, .parts = &null,
					   .n_parts = 1 };
	struct aedb_condition list = { .kind = AEDB_IF_IN, .column = 1,
				       .values = &numbers[3], .n_values = 3 };
	struct aedb_condition range = { .kind = AEDB_IF_BETWEEN, .column = 1,
					.values = &numbers[2], .n_values = 2 };
	struct aedb_condition parts[2] = { range, not_null };
	struct aedb_condition both = { .kind = AEDB_IF_ALL, .parts = parts,
				       .n_parts = 2 };
	struct aedb_condition wide = { .kind = AEDB_IF_BETWEEN, .column = 1,
				       .values = &numbers[1], .n_values = 2 };

	CHECK(implies(list, compares(AEDB_GREATER, 2)));
	CHECK(!implies(list, compares(AEDB_GREATER, 3)));
	CHECK(implies(list, not_null));
	CHECK(implies(compares(AEDB_NOT_EQUAL, 1), not_null));
	CHECK(!implies(null, not_null));
	CHECK(!implies(not_null, list));
	CHECK(implies(range, compares(AEDB_LESS, 4)));
	CHECK(implies(range, compares(AEDB_NOT_EQUAL, 0)));
	CHECK(implies(both, range));
	CHECK(implies(compares(AEDB_EQUAL, 2), wide));
	CHECK(!implies(wide, range));
	CHECK(implies(range, both));
}

/* Truths as the conditions that always have them of a row with NULL in i64. */
static struct aedb_condition of_truth(int truth)
{
	if (truth == 1)
		return compares(AEDB_EQUAL, 0);	/* NULL = 0 */
	return (struct aedb_condition){ .kind = truth ? AEDB_IF_ALL : AEDB_IF_ANY };
}

static int evaluate(struct aedb_condition c)
{
	struct aedb_value row[COLUMNS] = { 0 };
	struct arena arena = { 0 };
	const struct aedb_condition *normal;
	int truth;

	CHECK_OK(condition_copy(&c, &arena, &normal));
	truth = condition_evaluate(normal, row);
	arena_release(&arena);
	return truth;
}

TEST(truths, "the table of three truths holds")
{
	static const int and[3][3] = { { 0, 0, 0 }, { 0, 1, 1 }, { 0, 1, 2 } };
	static const int or[3][3] = { { 0, 1, 2 }, { 1, 1, 2 }, { 2, 2, 2 } };
	static const int not[3] = { 2, 1, 0 };

	for (int a = 0; a < 3; a++) {
		struct aedb_condition parts[2] = { of_truth(a) };
		struct aedb_condition c = { .parts = parts };

		c.kind = AEDB_IF_NOT;
		c.n_parts = 1;
		CHECK_EQ(evaluate(c), not[a]);
		c.n_parts = 2;
		for (int b = 0; b < 3; b++) {
			parts[1] = of_truth(b);
			c.kind = AEDB_IF_ALL;
			CHECK_EQ(evaluate(c), and[a][b]);
			c.kind = AEDB_IF_ANY;
			CHECK_EQ(evaluate(c), or[a][b]);
		}
	}
}

static void refused(struct aedb_condition c, int code, const char *message)
{
	CHECK_EQ(condition_check(&c, &schema), code);
	CHECK_STR(err_message(), message);
}

TEST(refusals, "a condition that means nothing is refused with its reason")
{
	struct aedb_value text = { .type = AEDB_TYPE_TEXT, .bytes = { "a\\", 2 } };
	struct aedb_condition c = compares(AEDB_EQUAL, 1);
	struct aedb_condition like = { .kind = AEDB_IF_LIKE, .column = 3,
				       .values = &text, .n_values = 1 };

	c.column = 3;
	refused(c, AEDB_INVALID,
		"condition on column \"text\": TEXT does not compare with U64");
	c.column = COLUMNS;
	refused(c, AEDB_INVALID, "a condition names column 6, which there is not");
	c = compares(AEDB_GREATER_OR_EQUAL + 1, 1);
	refused(c, AEDB_INVALID, "condition on column \"i64\": there is no comparison 6");
	c = compares(AEDB_EQUAL, 1);
	c.n_values = 2;
	refused(c, AEDB_INVALID,
		"condition on column \"i64\": 2 values where it takes 1");
	refused(like, AEDB_INVALID, "a pattern \"a\\\": a backslash stands before %, "
		"_ or another backslash");
	like.column = 5;
	refused(like, AEDB_INVALID,
		"condition on column \"blob\": BLOB does not compare with TEXT");
	c = (struct aedb_condition){ .kind = AEDB_IF_NOT };
	refused(c, AEDB_INVALID, "\"not\" has one part, this has 0");
	c.kind = AEDB_IF_NOT + 1;
	refused(c, AEDB_INVALID, "a condition of no known kind");
}

TEST(depth, "conditions are nested 32 deep and no deeper, and a range counts twice")
{
	struct aedb_condition nested[AEDB_CONDITION_DEPTH_MAX + 1];
	struct aedb_condition *last = &nested[AEDB_CONDITION_DEPTH_MAX - 1];
	struct arena arena = { 0 };
	const struct aedb_condition *normal;

	for (int i = 0; i < AEDB_CONDITION_DEPTH_MAX; i++)
		nested[i] = (struct aedb_condition){ .kind = AEDB_IF_NOT,
			.parts = &nested[i + 1], .n_parts = 1 };
	*last = compares(AEDB_EQUAL, 1);
	CHECK_OK(condition_check(nested, &schema));
	CHECK_OK(condition_copy(nested, &arena, &normal));
	CHECK_EQ(normal->comparison, AEDB_NOT_EQUAL);
	last->kind = AEDB_IF_BETWEEN;
	last->n_values = 2;
	refused(nested[0], AEDB_TOO_LARGE, "conditions are nested 32 deep at most");
	last->kind = AEDB_IF_NOT;
	last->parts = last + 1;
	last->n_parts = 1;
	last[1] = compares(AEDB_EQUAL, 1);
	refused(nested[0], AEDB_TOO_LARGE, "conditions are nested 32 deep at most");
	arena_release(&arena);
}

TEST(counts, "10,000 values and as many parts are allowed, and no more")
{
	static struct aedb_condition parts[AEDB_CONDITION_PARTS_MAX + 1];
	static struct aedb_value values[AEDB_CONDITION_VALUES_MAX + 1];
	struct aedb_condition list = { .kind = AEDB_IF_IN, .column = 1, .values = values,
				       .n_values = AEDB_CONDITION_VALUES_MAX };
	struct aedb_condition any = { .kind = AEDB_IF_ANY, .parts = parts,
				      .n_parts = AEDB_CONDITION_PARTS_MAX };
	struct arena arena = { 0 };
	const struct aedb_condition *normal, *got;
	size_t n;
	uint8_t *bytes;

	for (uint64_t i = 0; i <= AEDB_CONDITION_VALUES_MAX; i++)
		values[i] = (struct aedb_value){ .type = AEDB_TYPE_U64,
						 .u64 = i * 7919 % 10007 };
	for (size_t i = 0; i <= AEDB_CONDITION_PARTS_MAX; i++)
		parts[i] = compares(AEDB_EQUAL, 1);
	CHECK_OK(condition_check(&list, &schema));
	CHECK_OK(condition_copy(&list, &arena, &normal));
	bytes = encoded(normal, &n);
	CHECK_EQ(decode(bytes, n, &arena, &got), 0);
	CHECK_EQ(got->n_values, AEDB_CONDITION_VALUES_MAX);
	free(bytes);
	list.n_values++;
	refused(list, AEDB_TOO_LARGE, "condition on column \"i64\": 10001 values, "
		"at most 10000 are allowed");
	CHECK_OK(condition_check(&any, &schema));
	CHECK_OK(condition_copy(&any, &arena, &normal));
	bytes = encoded(normal, &n);
	CHECK_EQ(decode(bytes, n, &arena, &got), 0);
	free(bytes);
	any.n_parts++;
	refused(any, AEDB_TOO_LARGE, "a condition has at most 10000 parts");
	arena_release(&arena);
}

TEST(used, "the columns of a condition are those that its parts name")
{
	static struct garden g;
	uint8_t rooms[COLUMNS][VALUE_BYTES_MAX];
	struct aedb_value row[COLUMNS], same[COLUMNS];

	for (unsigned i = 0; i < check_times(2000); i++) {
		const struct aedb_condition *normal;
		struct column_set set = { 0 };

		grown(&g, &normal);
		condition_columns(normal, &set);
		random_row(row, rooms);
		for (uint32_t k = 0; k < COLUMNS; k++)
			same[k] = column_set_has(&set, k) ? row[k] : TABLE_VALUE_NULL;
		CHECK_EQ(condition_evaluate(normal, row),
			 condition_evaluate(normal, same));
		arena_release(&g.arena);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
