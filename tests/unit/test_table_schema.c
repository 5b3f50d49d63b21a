/*
 * Schemas of tables: what one must be, their bytes, and the one after a change.
 */
#include "check.h"
#include "err.h"
#include "random_schema.h"
#include "table_schema.h"

static struct table_schema *created(const struct aedb_schema *shape)
{
	struct table_schema *schema;

	CHECK_OK(table_schema_create(shape, &schema));
	return schema;
}

/* Equal bytes: schemas have one encoding. */
static void check_same(const struct table_schema *a, const struct table_schema *b)
{
	uint8_t *x, *y;
	size_t x_n, y_n;

	CHECK_OK(table_schema_encode(a, &x, &x_n));
	CHECK_OK(table_schema_encode(b, &y, &y_n));
	CHECK_EQ(x_n, y_n);
	CHECK_MEM(x, y, x_n);
	free(x);
	free(y);
}

static void check_shape(const struct aedb_schema *got, const struct aedb_schema *want)
{
	CHECK_EQ(got->n_columns, want->n_columns);
	CHECK_EQ(got->n_key, want->n_key);
	CHECK_EQ(got->n_indexes, want->n_indexes);
	CHECK_MEM(got->key, want->key, want->n_key * sizeof(want->key[0]));
	for (size_t i = 0; i < want->n_columns; i++) {
		CHECK_STR(got->columns[i].name, want->columns[i].name);
		CHECK_EQ(got->columns[i].type, want->columns[i].type);
		CHECK_EQ(got->columns[i].is_nullable, want->columns[i].is_nullable);
		CHECK(value_is_same(&got->columns[i].if_missing,
				    &want->columns[i].if_missing));
	}
	for (size_t i = 0; i < want->n_indexes; i++) {
		const struct aedb_index *a = &got->indexes[i], *b = &want->indexes[i];

		CHECK_STR(a->name, b->name);
		CHECK_EQ(a->is_unique, b->is_unique);
		CHECK_EQ(a->n_columns, b->n_columns);
		CHECK_MEM(a->columns, b->columns, b->n_columns * sizeof(b->columns[0]));
		CHECK_EQ(!a->where, !b->where);
		if (b->where) {
			CHECK_EQ(a->where->column, b->where->column);
			CHECK_EQ(a->where->comparison, b->where->comparison);
			CHECK(value_is_same(a->where->values, b->where->values));
		}
	}
}

TEST(round_trip, "a schema comes back from its bytes, cut off it is damage")
{
	static struct schema_seed seed;

	for (unsigned i = 0; i < check_times(500); i++) {
		const struct aedb_schema *shape = schema_random(&seed);
		struct table_schema *schema = created(shape), *got;
		uint8_t *bytes;
		size_t n;

		check_shape(&schema->shape, shape);
		CHECK_OK(table_schema_encode(schema, &bytes, &n));
		CHECK_OK(table_schema_decode(bytes, n, &got));
		check_shape(&got->shape, shape);
		check_same(schema, got);
		table_schema_free(got);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *part = malloc(cut ? cut : 1);

			memcpy(part, bytes, cut);
			CHECK_EQ(table_schema_decode(part, cut, &got), AEDB_CORRUPT);
			free(part);
		}
		free(bytes);
		table_schema_free(schema);
	}
}

TEST(changed, "changed bytes are damage, a newer format, or another schema")
{
	static struct schema_seed seed;
	unsigned damaged = 0;

	for (unsigned i = 0; i < check_times(10000); i++) {
		struct table_schema *schema = created(schema_random(&seed)), *got;
		uint8_t *bytes, *again;
		size_t n, again_n;
		int rc;

		CHECK_OK(table_schema_encode(schema, &bytes, &n));
		for (size_t k = 1 + value_below(3); k > 0; k--)
			bytes[value_below(n)] ^= (uint8_t)(1 << value_below(8));
		rc = table_schema_decode(bytes, n, &got);
		CHECK(rc == 0 || rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		damaged += rc < 0;
		if (rc == 0) {
			CHECK_OK(table_schema_encode(got, &again, &again_n));
			CHECK_EQ(again_n, n);
			CHECK_MEM(again, bytes, n);
			free(again);
			table_schema_free(got);
		}
		free(bytes);
		table_schema_free(schema);
	}
	CHECK(damaged > 100);
}

/* A plain schema to be spoiled. */

static const uint32_t key[] = { 0 }, by_age[] = { 2 }, by_both[] = { 2, 1 };

struct plain {
	struct aedb_column columns[3];
	struct aedb_index indexes[2];
	struct aedb_schema shape;
};

static void plain_init(struct plain *p)
{
	*p = (struct plain){
		.columns = {
			{ .name = "id", .type = AEDB_TYPE_U64 },
			{ .name = "name", .type = AEDB_TYPE_TEXT, .is_nullable = true },
			{ .name = "age", .type = AEDB_TYPE_U8,
			  .if_missing = { .type = AEDB_TYPE_U8, .u64 = 18 } },
		},
		.indexes = {
			{ .name = "by_age", .columns = by_age, .n_columns = 1 },
			{ .name = "by_both", .columns = by_both, .n_columns = 2 },
		},
	};
	p->shape = (struct aedb_schema){ p->columns, 3, key, 1, p->indexes, 2 };
}

static void refused(const struct plain *p, int code, const char *message)
{
	struct table_schema *schema;

	CHECK_EQ(table_schema_create(&p->shape, &schema), code);
	CHECK_STR(err_message(), message);
}

TEST(columns, "a column that cannot be is refused by name")
{
	struct plain p;
	char name[AEDB_NAME_BYTES_MAX + 2];

	plain_init(&p);
	p.columns[1].name = "id";
	refused(&p, AEDB_INVALID, "column \"id\" is there twice");
	p.columns[1].name = "a b";
	refused(&p, AEDB_INVALID,
		"column name \"a b\": only A-Z a-z 0-9 _ - may occur");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	p.columns[1].name = name;
	refused(&p, AEDB_NAME_TOO_LONG,
		"column name of 129 bytes, at most 128 are allowed");
	plain_init(&p);
	p.columns[1].type = AEDB_TYPE_NULL;
	refused(&p, AEDB_INVALID,
		"column \"name\": there is no type 0 for a column");
	plain_init(&p);
	p.columns[2].if_missing.type = AEDB_TYPE_U64;
	refused(&p, AEDB_INVALID, "column \"age\": its type is U8, not U64");
	p.columns[2].if_missing = (struct aedb_value){ .type = AEDB_TYPE_U8,
						       .u64 = 256 };
	refused(&p, AEDB_INVALID, "column \"age\": a U8 is at most 255");
}

TEST(keys, "a key of no column, of one twice or of a nullable one is refused")
{
	static const uint32_t twice[] = { 0, 0 }, none[] = { 3 };
	struct plain p;

	plain_init(&p);
	p.shape.n_key = 0;
	refused(&p, AEDB_INVALID, "the key has no column");
	plain_init(&p);
	p.columns[0].is_nullable = true;
	refused(&p, AEDB_INVALID,
		"column \"id\" is of the key and cannot be nullable");
	plain_init(&p);
	p.shape.key = twice;
	p.shape.n_key = 2;
	refused(&p, AEDB_INVALID, "the key has column \"id\" twice");
	p.shape.key = none;
	p.shape.n_key = 1;
	refused(&p, AEDB_INVALID, "the key names column 3, which there is not");
	plain_init(&p);
	p.columns[0].name = NULL;
	refused(&p, AEDB_INVALID, "the key names column 0, which there is not");
}

TEST(indexes, "an index that cannot be is refused by name")
{
	struct aedb_condition where = { .kind = AEDB_IF_LIKE, .column = 2 };
	struct plain p;

	plain_init(&p);
	p.indexes[1].name = "by_age";
	refused(&p, AEDB_INVALID, "index \"by_age\" is there twice");
	plain_init(&p);
	p.indexes[1].n_columns = 0;
	refused(&p, AEDB_INVALID, "index \"by_both\" has no column");
	plain_init(&p);
	p.indexes[1].where = &where;
	refused(&p, AEDB_INVALID,
		"condition on column \"age\": 0 values where it takes 1");
	p.indexes[1].name = NULL;
	refused(&p, AEDB_INVALID, "an index has no name");
}

TEST(limits, "1,000 columns, 16 of a key, 64 indexes and 1 MiB are allowed, no more")
{
	static struct aedb_column columns[AEDB_COLUMNS_MAX + 1];
	static struct aedb_index indexes[AEDB_INDEXES_MAX + 1];
	static char names[AEDB_COLUMNS_MAX + 1][8], blob[1 << 20];
	uint32_t numbers[AEDB_KEY_COLUMNS_MAX + 1];
	struct plain p = { .shape = { columns, AEDB_COLUMNS_MAX, numbers,
				      AEDB_KEY_COLUMNS_MAX, indexes,
				      AEDB_INDEXES_MAX } };

	for (size_t i = 0; i <= AEDB_COLUMNS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		columns[i].name = names[i];
		columns[i].type = AEDB_TYPE_BLOB;
	}
	for (uint32_t i = 0; i <= AEDB_KEY_COLUMNS_MAX; i++)
		numbers[i] = 999 - i;
	for (size_t i = 0; i <= AEDB_INDEXES_MAX; i++)
		indexes[i] = (struct aedb_index){ .name = names[i], .columns = numbers,
						  .n_columns = AEDB_KEY_COLUMNS_MAX };
	table_schema_free(created(&p.shape));
	p.shape.n_columns++;
	refused(&p, AEDB_TOO_LARGE, "1001 columns, a table has at most 1000");
	p.shape.n_columns--;
	p.shape.n_key++;
	refused(&p, AEDB_TOO_LARGE, "the key has 17 columns, at most 16 are allowed");
	p.shape.n_key--;
	p.shape.n_indexes++;
	refused(&p, AEDB_TOO_LARGE, "65 indexes, a table has at most 64");
	p.shape.n_indexes--;
	indexes[3].n_columns++;
	refused(&p, AEDB_TOO_LARGE,
		"index \"n3\" has 17 columns, at most 16 are allowed");
	indexes[3].n_columns--;
	columns[0].if_missing = (struct aedb_value){ .type = AEDB_TYPE_BLOB,
		.bytes = { memset(blob, 1, sizeof(blob)), sizeof(blob) } };
	CHECK_EQ(table_schema_create(&p.shape, &(struct table_schema *){ NULL }),
		 AEDB_TOO_LARGE);
	columns[0].if_missing = TABLE_VALUE_NULL;
}

/* The schema after a change, in place of the one before. */
static void alter(struct table_schema **schema, struct aedb_alter change)
{
	struct table_schema *next;

	CHECK_OK(table_schema_alter(*schema, &change, &next));
	table_schema_free(*schema);
	*schema = next;
}

static void alter_fails(const struct table_schema *schema, struct aedb_alter change,
			int code, const char *message)
{
	struct table_schema *next;

	CHECK_EQ(table_schema_alter(schema, &change, &next), code);
	CHECK_STR(err_message(), message);
}

TEST(add_column, "an added column gets the next number, also after one was dropped")
{
	struct aedb_column town = { .name = "town", .type = AEDB_TYPE_TEXT,
				    .is_nullable = true };
	struct table_schema *schema;
	uint32_t number;
	struct plain p;

	plain_init(&p);
	schema = created(&p.shape);
	alter(&schema, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &town });
	alter(&schema, (struct aedb_alter){ AEDB_DROP_COLUMN, .name = "town" });
	CHECK(!schema->shape.columns[3].name);
	CHECK_EQ(schema->shape.columns[3].type, AEDB_TYPE_TEXT);
	alter(&schema, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &town });
	CHECK_OK(table_schema_find_column(schema, "town", &number));
	CHECK_EQ(number, 4);
	alter_fails(schema, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &town },
		    AEDB_EXISTS, "there is a column \"town\"");
	town = (struct aedb_column){ .name = "x", .type = AEDB_TYPE_TEXT };
	alter_fails(schema, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &town },
		    AEDB_INVALID, "column \"x\" needs a value for the rows there are, "
		    "or to be nullable");
	town.if_missing = (struct aedb_value){ .type = AEDB_TYPE_TEXT,
					       .bytes = { "y", 1 } };
	alter(&schema, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &town });
	table_schema_free(schema);
}

TEST(drop_column, "a column in use is not dropped, nor one that there is not")
{
	struct aedb_condition where = { .kind = AEDB_IF_NULL, .column = 1 };
	struct table_schema *schema;
	struct plain p;

	plain_init(&p);
	p.indexes[1].columns = by_age;
	p.indexes[1].n_columns = 1;
	p.indexes[1].where = &where;
	schema = created(&p.shape);
	alter_fails(schema, (struct aedb_alter){ AEDB_DROP_COLUMN, .name = "id" },
		    AEDB_INVALID, "column \"id\" is of the key");
	alter_fails(schema, (struct aedb_alter){ AEDB_DROP_COLUMN, .name = "age" },
		    AEDB_INVALID, "column \"age\" is used by index \"by_age\"");
	alter_fails(schema, (struct aedb_alter){ AEDB_DROP_COLUMN, .name = "name" },
		    AEDB_INVALID, "column \"name\" is used by index \"by_both\"");
	alter_fails(schema, (struct aedb_alter){ AEDB_DROP_COLUMN, .name = "x" },
		    AEDB_NOT_FOUND, "there is no column \"x\"");
	table_schema_free(schema);
}

TEST(rename_column, "a renamed column keeps its number, and no two have one name")
{
	struct table_schema *schema;
	uint32_t number;
	struct plain p;

	plain_init(&p);
	schema = created(&p.shape);
	alter(&schema, (struct aedb_alter){ AEDB_RENAME_COLUMN, .name = "age", .to = "years" });
	CHECK_OK(table_schema_find_column(schema, "years", &number));
	CHECK_EQ(number, 2);
	CHECK_EQ(table_schema_find_column(schema, "age", &number), AEDB_NOT_FOUND);
	alter_fails(schema, (struct aedb_alter){ AEDB_RENAME_COLUMN, .name = "years", .to = "id" },
		    AEDB_EXISTS, "there is a column \"id\"");
	alter_fails(schema, (struct aedb_alter){ AEDB_RENAME_COLUMN, .name = "years", .to = "" },
		    AEDB_INVALID, "column name \"\": only A-Z a-z 0-9 _ - may occur");
	table_schema_free(schema);
}

TEST(index_life, "an index is built, ready, being dropped and gone; its number is its own")
{
	struct aedb_index index = { .name = "new", .columns = by_age, .n_columns = 1 };
	struct aedb_alter add = { AEDB_ADD_INDEX, .index = &index };
	struct aedb_alter drop = { AEDB_DROP_INDEX, .name = "new" };
	struct table_schema *schema, *next;
	struct aedb_schema *shown;
	struct plain p;
	size_t at;

	plain_init(&p);
	schema = created(&p.shape);
	alter(&schema, add);
	CHECK_OK(table_schema_find_index(schema, "new", &at));
	CHECK_EQ(schema->indexes[at].state, TABLE_INDEX_BUILDING);
	CHECK_EQ(schema->indexes[at].number, 3);
	CHECK_OK(table_schema_publish(schema, &shown));
	CHECK_EQ(shown->n_indexes, 2);
	aedb_schema_free(shown);
	alter_fails(schema, add, AEDB_EXISTS, "there is an index \"new\"");
	CHECK_OK(table_schema_set_state(schema, at, TABLE_INDEX_READY, &next));
	table_schema_free(schema);
	schema = next;
	CHECK_OK(table_schema_publish(schema, &shown));
	CHECK_EQ(shown->n_indexes, 3);
	aedb_schema_free(shown);
	alter(&schema, drop);
	CHECK_EQ(schema->indexes[at].state, TABLE_INDEX_DROPPING);
	alter_fails(schema, drop, AEDB_NOT_FOUND, "there is no index \"new\"");
	alter(&schema, add);
	CHECK_EQ(schema->indexes[at + 1].number, 4);
	CHECK_OK(table_schema_remove_index(schema, at, &next));
	table_schema_free(schema);
	schema = next;
	CHECK_EQ(schema->shape.n_indexes, 3);
	CHECK_EQ(schema->indexes[at].number, 4);
	CHECK_EQ(schema->next_index, 5);
	table_schema_free(schema);
}

TEST(numbers, "65,535 indexes later numbers are used again that no index has")
{
	struct aedb_index index = { .name = "new", .columns = by_age, .n_columns = 1 };
	struct table_schema *schema, *next;
	struct plain p;

	plain_init(&p);
	schema = created(&p.shape);
	schema->next_index = UINT16_MAX;
	alter(&schema, (struct aedb_alter){ AEDB_ADD_INDEX, .index = &index });
	CHECK_EQ(schema->indexes[2].number, UINT16_MAX);
	index.name = "newer";
	alter(&schema, (struct aedb_alter){ AEDB_ADD_INDEX, .index = &index });
	CHECK_EQ(schema->indexes[3].number, 3);
	CHECK_OK(table_schema_remove_index(schema, 0, &next));
	check_shape(&next->shape, &(struct aedb_schema){ p.columns, 3, key, 1,
		&schema->shape.indexes[1], 3 });
	table_schema_free(next);
	table_schema_free(schema);
}

TEST(columns_in_rows, "what rows need of a schema follows from it, made or decoded")
{
	static struct schema_seed seed;

	for (unsigned i = 0; i < check_times(200); i++) {
		const struct aedb_schema *shape = schema_random(&seed);
		struct table_schema *schema = created(shape), *got;
		uint8_t *bytes;
		size_t n;

		CHECK_OK(table_schema_encode(schema, &bytes, &n));
		CHECK_OK(table_schema_decode(bytes, n, &got));
		for (size_t k = 0; k < shape->n_columns; k++) {
			CHECK_EQ(got->columns[k].width, schema->columns[k].width);
			CHECK_EQ(got->columns[k].key_at, schema->columns[k].key_at);
			CHECK_EQ(!got->columns[k].width,
				 table_type_is_bytes(shape->columns[k].type));
		}
		for (size_t k = 0; k < shape->n_key; k++)
			CHECK_EQ(got->columns[shape->key[k]].key_at, k);
		free(bytes);
		table_schema_free(schema);
		table_schema_free(got);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
