/*
 * Numbers that SQLite does not have, compared with constants of every type that
 * numbers can have: rows found by an index, by the key and by looking at all are
 * those that plain long arithmetic says, in its order.
 */
#include <math.h>

#include "aedb_table.h"
#include "db_fixture.h"

enum { ID, INDEXED, PLAIN, COLUMNS };

#define ROWS 120
#define QUERIES 60

/* Four times the number, in two's complement, the lowest part first: all numbers
 * here are multiples of a quarter. */
struct quarters {
	uint64_t part[6];
};

static void double_once(struct quarters *q)
{
	for (int i = 5; i > 0; i--)
		q->part[i] = q->part[i] << 1 | q->part[i - 1] >> 63;
	q->part[0] <<= 1;
}

static void negate(struct quarters *q)
{
	uint64_t carry = 1;

	for (int i = 0; i < 6; i++) {
		q->part[i] = ~q->part[i] + carry;
		carry = carry && q->part[i] == 0;
	}
}

static struct quarters quarters_of_double(double value)
{
	struct quarters q = { { 0 } };
	double size = fabs(value) * 4;
	int doublings = 0;

	for (; size >= 0x1p53; doublings++)
		size /= 2;
	q.part[0] = (uint64_t)size;
	while (doublings--)
		double_once(&q);
	if (value < 0)
		negate(&q);
	return q;
}

static struct quarters quarters_of(const struct aedb_value *v)
{
	struct quarters q = { { 0 } };
	bool is_negative = false;

	switch (v->type) {
	case AEDB_TYPE_FLOAT:
		return quarters_of_double(v->real);
	case AEDB_TYPE_I64:
		q.part[0] = (uint64_t)v->i64;
		is_negative = v->i64 < 0;
		break;
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		for (int i = 0; i < 32; i++)
			q.part[3 - i / 8] = q.part[3 - i / 8] << 8 | v->wide[i];
		is_negative = v->type == AEDB_TYPE_I256 && v->wide[0] & 0x80;
		break;
	default:
		q.part[0] = v->u64;
	}
	for (int i = v->type == AEDB_TYPE_I64 ? 1 : 4; is_negative && i < 6; i++)
		q.part[i] = UINT64_MAX;
	double_once(&q);
	double_once(&q);
	return q;
}

static int quarters_compare(const struct aedb_value *a,
			    const struct aedb_value *b)
{
	struct quarters x = quarters_of(a), y = quarters_of(b);

	x.part[5] ^= UINT64_C(1) << 63;
	y.part[5] ^= UINT64_C(1) << 63;
	for (int i = 5; i >= 0; i--)
		if (x.part[i] != y.part[i])
			return x.part[i] < y.part[i] ? -1 : 1;
	return 0;
}

/* Values: powers of two and what is beside them, where types end. */

static void wide_set(struct aedb_value *v, unsigned bit, int beside,
		     bool is_negative)
{
	int carry = beside;

	memset(v->wide, 0, sizeof(v->wide));
	v->wide[31 - bit / 8] = (uint8_t)(1u << bit % 8);
	if (is_negative)
		for (int i = 31, add = 1; i >= 0; i--) {
			int sum = (uint8_t)~v->wide[i] + add;

			v->wide[i] = (uint8_t)sum;
			add = sum >> 8;
		}
	for (int i = 31; i >= 0 && carry; i--) {
		int sum = v->wide[i] + carry;

		v->wide[i] = (uint8_t)sum;
		carry = sum < 0 ? -1 : sum >> 8;
	}
}

static struct aedb_value random_number(enum aedb_type type)
{
	static const unsigned bits[] = { 0, 1, 8, 52, 53, 62, 63, 64, 128, 254,
					 255 };
	struct aedb_value v = { .type = type };
	unsigned bit = bits[check_random() % 11];
	int beside = (int)(check_random() % 3) - 1;
	bool is_negative = check_random() % 2;

	switch (type) {
	case AEDB_TYPE_U8:
		v.u64 = (UINT64_C(1) << bit % 8) + (uint64_t)beside;
		v.u64 &= UINT8_MAX;
		break;
	case AEDB_TYPE_U64:
		v.u64 = (UINT64_C(1) << bit % 64) + (uint64_t)beside;
		break;
	case AEDB_TYPE_I64:
		v.i64 = (int64_t)((UINT64_C(1) << bit % 63) + (uint64_t)beside);
		v.i64 = is_negative ? -v.i64 : v.i64;
		break;
	case AEDB_TYPE_FLOAT:
		v.real = ldexp(1, (int)bit + (bit == 255)) + beside * 0.25;
		v.real = is_negative ? -v.real : v.real;
		break;
	case AEDB_TYPE_U256:
		wide_set(&v, bit, beside, false);
		break;
	default:
		wide_set(&v, bit > 254 ? 254 : bit, beside, is_negative);
	}
	return v;
}

static const enum aedb_type types[] = {
	AEDB_TYPE_U8,	AEDB_TYPE_U64,	AEDB_TYPE_I64,
	AEDB_TYPE_U256, AEDB_TYPE_I256, AEDB_TYPE_FLOAT,
};

static struct aedb_value any_number(void)
{
	return random_number(types[check_random() % 6]);
}

/* A table of one type: the number is there twice, once with an index. */

struct wide {
	struct fixture f;
	struct aedb_table *table;
	struct aedb_value numbers[ROWS];	/* by id */
};

static void wide_open(struct wide *w, enum aedb_type type)
{
	struct aedb_column columns[COLUMNS] = {
		[ID] = { .name = "id", .type = AEDB_TYPE_U64 },
		[INDEXED] = { .name = "indexed", .type = type },
		[PLAIN] = { .name = "plain", .type = type },
	};
	uint32_t key = ID, indexed = INDEXED;
	struct aedb_index index = { .name = "i", .columns = &indexed,
				    .n_columns = 1 };
	struct aedb_schema schema = { columns, COLUMNS, &key, 1, &index, 1 };

	fixture_open_as(&w->f, AEDB_BATCH);
	CHECK_OK(aedb_table_create(w->f.scope, "t", &schema));
	CHECK_OK(aedb_table_open(w->f.scope, "t", &w->table));
	for (uint64_t i = 0; i < ROWS; i++) {
		struct aedb_value number = random_number(type);
		struct aedb_cell cells[] = {
			{ ID, { .type = AEDB_TYPE_U64, .u64 = i } },
			{ INDEXED, number },
			{ PLAIN, number },
		};

		w->numbers[i] = number;
		CHECK_OK(aedb_row_insert(NULL, w->table, cells, COLUMNS));
	}
}

static void wide_close(struct wide *w)
{
	aedb_table_close(w->table);
	fixture_close(&w->f);
}

static bool holds(enum aedb_comparison comparison, int order)
{
	switch (comparison) {
	case AEDB_EQUAL:
		return order == 0;
	case AEDB_NOT_EQUAL:
		return order != 0;
	case AEDB_LESS:
		return order < 0;
	case AEDB_LESS_OR_EQUAL:
		return order <= 0;
	case AEDB_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

/* Rows come in the order of the number, as many as the arithmetic says. */
static void compare_one(struct wide *w, uint32_t column,
			enum aedb_comparison comparison,
			const struct aedb_value *constant)
{
	struct aedb_condition where = { .kind = AEDB_IF_COMPARES,
					.column = column,
					.comparison = comparison,
					.values = constant,
					.n_values = 1 };
	struct aedb_order order = { column, check_random() % 2 };
	struct aedb_query query = { .where = &where, .order = &order,
				    .n_order = 1 };
	struct aedb_value last = { .type = AEDB_TYPE_NULL };
	unsigned n = 0, want = 0;
	struct aedb_rows *rows;
	struct aedb_row row;

	for (unsigned i = 0; i < ROWS; i++)
		want += holds(comparison,
			      quarters_compare(&w->numbers[i], constant));
	CHECK_OK(aedb_query_open(w->table, NULL, &query, &rows));
	for (; aedb_rows_next(rows, &row) == 0; n++) {
		const struct aedb_value *number = &row.values[column];
		int by = n ? quarters_compare(&last, number) : 0;

		CHECK(order.is_descending ? by >= 0 : by <= 0);
		CHECK(quarters_compare(number,
				       &w->numbers[row.values[ID].u64]) == 0);
		CHECK(holds(comparison, quarters_compare(number, constant)));
		last = *number;
	}
	CHECK_THAT(n == want, "comparison %d with type %d: %u rows, not %u",
		   comparison, constant->type, n, want);
	if (column == INDEXED) {
		CHECK(strncmp(aedb_rows_plan(rows), "index i by 1 column", 19) ==
		      0);
		CHECK(!strstr(aedb_rows_plan(rows), "sorts"));
		CHECK(aedb_rows_examined(rows) <= 2 * want);
	}
	aedb_rows_close(rows);
}

TEST(numbers, "numbers of all widths compare with each other by what they are")
{
	for (unsigned t = 0; t < 6; t++) {
		struct wide w;

		wide_open(&w, types[t]);
		for (unsigned i = 0; i < check_times(QUERIES); i++) {
			enum aedb_comparison comparison = check_random() % 6;
			struct aedb_value constant = any_number();

			compare_one(&w, INDEXED, comparison, &constant);
			compare_one(&w, PLAIN, comparison, &constant);
		}
		wide_close(&w);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
