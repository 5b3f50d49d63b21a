/*
 * Rows as bytes, and the keys of rows and index entries: round trips, columns read
 * alone, rows older than a column, and bytes that nobody encoded.
 */
#include "check.h"
#include "err.h"
#include "random_schema.h"
#include "table_entry.h"
#include "table_row.h"

#define KEY_ROOM 512

/* A random schema with a row of it, and both as bytes in memory of just their size. */
struct sample {
	struct schema_seed seed;
	struct table_schema *schema;
	struct aedb_value values[SCHEMA_COLUMNS_MAX];
	uint8_t rooms[SCHEMA_COLUMNS_MAX][VALUE_BYTES_MAX];
	uint8_t *key, *row, *room;
	size_t key_n, row_n;
};

static uint8_t *copy_of(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, bytes, n);
	return copy;
}

static void sample_encode(struct sample *s)
{
	uint8_t key[KEY_ROOM];
	struct byte_writer w;

	byte_writer_init(&w, key, sizeof(key));
	table_entry_put_row_key(&w, s->schema, s->values);
	s->key_n = byte_writer_used(&w);
	s->key = copy_of(key, s->key_n);
	s->room = malloc(s->key_n);
	CHECK_OK(table_row_bytes(s->schema, s->values, &s->row_n));
	s->row = malloc(s->row_n);
	table_row_encode(s->schema, s->values, s->row);
}

static void sample_init(struct sample *s)
{
	CHECK_OK(table_schema_create(schema_random(&s->seed), &s->schema));
	schema_random_row(&s->schema->shape, s->values, s->rooms);
	sample_encode(s);
}

static void sample_forget(struct sample *s)
{
	free(s->key);
	free(s->row);
	free(s->room);
}

static void sample_release(struct sample *s)
{
	sample_forget(s);
	table_schema_free(s->schema);
}

static int decode(const struct sample *s, const struct column_set *wanted,
		  struct aedb_value *ret)
{
	struct table_row_source source = { { s->key, s->key_n }, { s->row, s->row_n },
					   s->room };

	return table_row_decode(s->schema, &source, wanted, ret);
}

static struct column_set random_set(void)
{
	struct column_set set = { { check_random() } };

	return set;
}

TEST(round_trip, "a row comes back whole and in parts")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX];

	for (unsigned i = 0; i < check_times(5000); i++) {
		struct column_set set = random_set();

		sample_init(&s);
		CHECK_OK(decode(&s, NULL, got));
		for (size_t k = 0; k < s.schema->shape.n_columns; k++)
			CHECK(value_is_same(&got[k], &s.values[k]));
		CHECK_OK(decode(&s, &set, got));
		for (uint32_t k = 0; k < s.schema->shape.n_columns; k++)
			CHECK(value_is_same(&got[k], column_set_has(&set, k) ?
					    &s.values[k] : &TABLE_VALUE_NULL));
		sample_release(&s);
	}
}

TEST(long_values, "values of any length come back, whatever their ends need")
{
	static const size_t lengths[] = { 0, 1, 254, 255, 256, 65535, 65536, 1 << 20 };
	static uint8_t bytes[(1 << 20) + 1];
	struct aedb_column columns[4] = { { .name = "k", .type = AEDB_TYPE_U8 } };
	const uint32_t key = 0;
	struct aedb_schema shape = { columns, 4, &key, 1, NULL, 0 };
	struct aedb_value got[4];
	struct sample s = { 0 };

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	for (int i = 1; i < 4; i++)
		columns[i] = (struct aedb_column){ .name = i == 1 ? "a" : i == 2 ?
			"b" : "c", .type = AEDB_TYPE_BLOB, .is_nullable = true };
	CHECK_OK(table_schema_create(&shape, &s.schema));
	s.values[0] = (struct aedb_value){ .type = AEDB_TYPE_U8 };
	for (unsigned i = 0; i < check_times(60); i++) {
		for (int k = 1; k < 4; k++) {
			size_t from = value_below(2);

			s.values[k] = (struct aedb_value){ .type = AEDB_TYPE_BLOB,
				.bytes = { bytes + from, lengths[value_below(8)] } };
			if (value_below(5) == 0)
				s.values[k] = TABLE_VALUE_NULL;
		}
		sample_encode(&s);
		CHECK_OK(decode(&s, NULL, got));
		for (int k = 0; k < 4; k++)
			CHECK(value_is_same(&got[k], &s.values[k]));
		sample_forget(&s);
	}
	table_schema_free(s.schema);
}

static void check_values(const struct table_schema *schema,
			 const struct aedb_value *values)
{
	for (size_t i = 0; i < schema->shape.n_columns; i++) {
		const struct aedb_column *c = &schema->shape.columns[i];

		CHECK(values[i].type == c->type || values[i].type == AEDB_TYPE_NULL);
		CHECK(values[i].type != AEDB_TYPE_NULL || c->is_nullable || !c->name);
		if (c->type == AEDB_TYPE_FLOAT || c->type == AEDB_TYPE_U8)
			CHECK_OK(table_value_check(&values[i], c->name));
		/* every byte of it is there to be read */
		CHECK(table_value_compare(&values[i], &values[i]) == 0);
	}
}

TEST(cut, "a row cut off anywhere is damage or a row, and nothing is read behind it")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX];
	unsigned damaged = 0;

	for (unsigned i = 0; i < check_times(500); i++) {
		uint8_t *whole;
		size_t n;

		sample_init(&s);
		whole = s.row;
		n = s.row_n;
		for (s.row_n = 0; s.row_n < n; s.row_n++) {
			int rc;

			s.row = copy_of(whole, s.row_n);
			rc = decode(&s, NULL, got);
			CHECK(rc == 0 || rc == AEDB_CORRUPT);
			if (rc == 0)
				check_values(s.schema, got);
			damaged += rc < 0;
			free(s.row);
		}
		s.row = whole;
		sample_release(&s);
	}
	CHECK(damaged > 1000);
}

TEST(changed, "changed bytes of a row are damage, a newer format or a row")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX];
	unsigned damaged = 0;

	for (unsigned i = 0; i < check_times(30000); i++) {
		struct column_set set = random_set();
		int rc;

		sample_init(&s);
		for (size_t k = 1 + value_below(3); k > 0; k--)
			s.row[value_below(s.row_n)] ^= (uint8_t)(1 << value_below(8));
		rc = decode(&s, NULL, got);
		CHECK(rc == 0 || rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		if (rc == 0)
			check_values(s.schema, got);
		damaged += rc < 0;
		rc = decode(&s, &set, got);
		CHECK(rc == 0 || rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		sample_release(&s);
	}
	CHECK(damaged > 1000);
}

TEST(random_bytes, "bytes at random are damage or a row")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX];

	for (unsigned i = 0; i < check_times(30000); i++) {
		int rc;

		sample_init(&s);
		for (size_t k = value_below(3); k < s.row_n; k++)
			s.row[k] = (uint8_t)check_random();
		for (size_t k = value_below(s.key_n); k < s.key_n; k++)
			s.key[k] = (uint8_t)check_random();
		rc = decode(&s, NULL, got);
		CHECK(rc == 0 || rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
		sample_release(&s);
	}
}

static void alter(struct sample *s, struct aedb_alter change)
{
	struct table_schema *next;

	CHECK_OK(table_schema_alter(s->schema, &change, &next));
	table_schema_free(s->schema);
	s->schema = next;
}

TEST(older, "a row older than a column has what the column says, also once it is renamed")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX + 2];

	for (unsigned i = 0; i < check_times(2000); i++) {
		uint8_t room[VALUE_BYTES_MAX];
		struct aedb_column added = { .name = "added",
					     .type = value_random_type() };
		struct aedb_column other = { .name = "other", .type = AEDB_TYPE_U8,
					     .is_nullable = true };
		size_t n;

		sample_init(&s);
		n = s.schema->shape.n_columns;
		added.if_missing = value_random(added.type, room);
		alter(&s, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &added });
		alter(&s, (struct aedb_alter){ AEDB_ADD_COLUMN, .column = &other });
		alter(&s, (struct aedb_alter){ AEDB_RENAME_COLUMN, .name = "added", .to = "more" });
		CHECK_OK(decode(&s, NULL, got));
		for (size_t k = 0; k < n; k++)
			CHECK(value_is_same(&got[k], &s.values[k]));
		CHECK(value_is_same(&got[n], &added.if_missing));
		CHECK(value_is_same(&got[n + 1], &TABLE_VALUE_NULL));
		sample_release(&s);
	}
}

TEST(dropped, "a dropped column of a row is NULL, and the others are where they were")
{
	static struct sample s;
	struct aedb_value got[SCHEMA_COLUMNS_MAX];
	unsigned dropped = 0;

	for (unsigned i = 0; i < check_times(3000); i++) {
		struct table_schema *next;
		uint32_t column;

		sample_init(&s);
		column = (uint32_t)value_below(s.schema->shape.n_columns);
		if (table_schema_alter(s.schema, &(struct aedb_alter){
				AEDB_DROP_COLUMN,
				.name = s.schema->shape.columns[column].name },
				&next) == 0) {
			table_schema_free(s.schema);
			s.schema = next;
			s.values[column] = TABLE_VALUE_NULL;
			dropped++;
		}
		CHECK_OK(decode(&s, NULL, got));
		for (size_t k = 0; k < s.schema->shape.n_columns; k++)
			CHECK(value_is_same(&got[k], &s.values[k]));
		/* a row of today is one as well */
		sample_forget(&s);
		sample_encode(&s);
		CHECK_OK(decode(&s, NULL, got));
		for (size_t k = 0; k < s.schema->shape.n_columns; k++)
			CHECK(value_is_same(&got[k], &s.values[k]));
		sample_release(&s);
	}
	CHECK(dropped > 100);
}

/* Cells. */

static const uint32_t key_number = 0, by_age[] = { 2 };

static struct table_schema *people(void)
{
	static const struct aedb_column columns[] = {
		{ .name = "id", .type = AEDB_TYPE_U64 },
		{ .name = "name", .type = AEDB_TYPE_TEXT, .is_nullable = true },
		{ .name = "age", .type = AEDB_TYPE_U8 },
		{ .name = "size", .type = AEDB_TYPE_FLOAT,
		  .if_missing = { .type = AEDB_TYPE_FLOAT, .real = 1.5 } },
	};
	static const struct aedb_index index = { .name = "by_age", .columns = by_age,
						 .n_columns = 1, .is_unique = true };
	struct aedb_schema shape = { columns, 4, &key_number, 1, &index, 1 };
	struct table_schema *schema;

	CHECK_OK(table_schema_create(&shape, &schema));
	return schema;
}

static struct aedb_cell cell(uint32_t column, enum aedb_type type, uint64_t n)
{
	return (struct aedb_cell){ column, { .type = type, .u64 = n } };
}

TEST(fill, "columns without a cell have their if_missing or NULL")
{
	struct table_schema *schema = people();
	struct aedb_cell cells[] = { cell(2, AEDB_TYPE_U8, 30),
				     cell(0, AEDB_TYPE_U64, 7) };
	struct aedb_value values[4];

	CHECK_OK(table_row_fill(schema, cells, 2, values));
	CHECK_EQ(values[0].u64, 7);
	CHECK_EQ(values[1].type, AEDB_TYPE_NULL);
	CHECK_EQ(values[2].u64, 30);
	CHECK(values[3].real == 1.5);
	table_schema_free(schema);
}

static void fill_fails(struct aedb_cell changed, const char *message)
{
	struct table_schema *schema = people();
	struct aedb_cell cells[] = { cell(0, AEDB_TYPE_U64, 7), cell(2, AEDB_TYPE_U8, 1),
				     changed };
	struct aedb_value values[4];

	CHECK_EQ(table_row_fill(schema, cells, 3, values), AEDB_INVALID);
	CHECK_STR(err_message(), message);
	table_schema_free(schema);
}

TEST(bad_cells, "a cell that cannot be is refused by the name of its column")
{
	struct table_schema *schema = people();
	struct aedb_cell bad = { 1, { .type = AEDB_TYPE_TEXT, .bytes = { "\xff", 1 } } };
	struct aedb_cell some = cell(0, AEDB_TYPE_U64, 7);
	struct aedb_value values[4];

	fill_fails(cell(4, AEDB_TYPE_U8, 0), "there is no column 4");
	fill_fails(cell(0, AEDB_TYPE_U64, 0), "column \"id\" is given twice");
	fill_fails(cell(1, AEDB_TYPE_U64, 0),
		   "column \"name\": its type is TEXT, not U64");
	fill_fails(cell(3, AEDB_TYPE_NULL, 0), "column \"size\" cannot be NULL");
	fill_fails(bad, "column \"name\": not UTF-8");
	CHECK_EQ(table_row_fill(schema, &some, 1, values), AEDB_INVALID);
	CHECK_STR(err_message(), "column \"age\" needs a value");
	bad.value = (struct aedb_value){ 0 };
	CHECK_EQ(table_row_check_key(schema, &bad.value), AEDB_INVALID);
	CHECK_STR(err_message(), "column \"id\" cannot be NULL");
	CHECK_OK(table_row_check_key(schema, &some.value));
	table_schema_free(schema);
}

TEST(change, "a change replaces the values of its cells and -0 becomes 0")
{
	struct table_schema *schema = people();
	struct aedb_cell first[] = { cell(0, AEDB_TYPE_U64, 7), cell(2, AEDB_TYPE_U8, 1) };
	struct aedb_cell next = { 3, { .type = AEDB_TYPE_FLOAT, .real = -0.0 } };
	struct aedb_value values[4];

	CHECK_OK(table_row_fill(schema, first, 2, values));
	CHECK_OK(table_row_change(schema, &next, 1, values));
	CHECK_EQ(values[0].u64, 7);
	CHECK(values[3].real == 0 && !signbit(values[3].real));
	table_schema_free(schema);
}

TEST(largest, "a row of 16 MiB is written, and not one byte more")
{
	struct table_schema *schema = people();
	char *text = calloc(1, AEDB_ROW_BYTES_MAX);
	struct aedb_cell cells[] = { cell(0, AEDB_TYPE_U64, 7), cell(2, AEDB_TYPE_U8, 1),
		{ 1, { .type = AEDB_TYPE_TEXT, .bytes = { text, 0 } } } };
	struct aedb_value values[4];
	size_t n;

	CHECK_OK(table_row_fill(schema, cells, 3, values));
	CHECK_OK(table_row_bytes(schema, values, &n));
	values[1].bytes.n = AEDB_ROW_BYTES_MAX - n;
	CHECK_OK(table_row_bytes(schema, values, &n));
	CHECK_EQ(n, AEDB_ROW_BYTES_MAX);
	values[1].bytes.n++;
	CHECK_EQ(table_row_bytes(schema, values, &n), AEDB_TOO_LARGE);
	free(text);
	table_schema_free(schema);
}

/* Index entries. */

TEST(entries, "an index entry says its columns and leads to its row")
{
	static struct sample s;
	uint8_t key[KEY_ROOM], room[KEY_ROOM];
	struct aedb_value got[SCHEMA_COLUMNS_MAX];
	unsigned alone = 0;

	for (unsigned i = 0; i < check_times(5000); i++) {
		sample_init(&s);
		for (size_t at = 0; at < s.schema->shape.n_indexes; at++) {
			const struct aedb_index *index = &s.schema->shape.indexes[at];
			bool is_alone = table_entry_is_alone(s.schema, at, s.values);
			struct aedb_bytes row_key;
			struct table_entry entry;
			struct byte_writer w;

			byte_writer_init(&w, key, sizeof(key));
			table_entry_put_index_key(&w, s.schema, at, s.values);
			CHECK_EQ(key[0] << 8 | key[1], s.schema->indexes[at].number);
			entry = (struct table_entry){ { key, byte_writer_used(&w) },
				{ is_alone ? s.key : NULL, is_alone ? s.key_n : 0 },
				room };
			memset(got, 0, sizeof(got));
			CHECK_OK(table_entry_decode(s.schema, at, &entry, got, &row_key));
			CHECK_EQ(row_key.n, s.key_n);
			CHECK_MEM(row_key.at, s.key, s.key_n);
			for (size_t k = 0; k < index->n_columns; k++)
				CHECK(value_is_same(&got[index->columns[k]],
						    &s.values[index->columns[k]]));
			CHECK_OK(table_entry_decode(s.schema, at, &entry, NULL, &row_key));
			CHECK_OK(table_entry_decode_row_key(s.schema, row_key, room, got));
			for (size_t k = 0; k < s.schema->shape.n_key; k++)
				CHECK(value_is_same(&got[s.schema->shape.key[k]],
						    &s.values[s.schema->shape.key[k]]));
			alone += is_alone;
		}
		sample_release(&s);
	}
	CHECK(alone > 100);
}

TEST(bad_entries, "an index entry cut off is damage")
{
	static struct sample s;
	uint8_t key[KEY_ROOM];

	for (unsigned i = 0; i < check_times(300); i++) {
		struct aedb_bytes row_key;
		struct byte_writer w;
		size_t n;

		sample_init(&s);
		byte_writer_init(&w, key, sizeof(key));
		if (s.schema->shape.n_indexes)
			table_entry_put_index_key(&w, s.schema, 0, s.values);
		n = byte_writer_used(&w);
		for (size_t cut = 0; cut < n; cut++) {
			struct table_entry entry = { { copy_of(key, cut), cut }, { 0 },
						     malloc(cut ? cut : 1) };
			int rc = table_entry_decode(s.schema, 0, &entry, NULL, &row_key);

			/* what is cut off may be the row's key only */
			if (rc == 0)
				rc = table_entry_decode_row_key(s.schema, row_key,
								entry.room, NULL);
			CHECK_EQ(rc, AEDB_CORRUPT);
			free((void *)entry.key.at);
			free(entry.room);
		}
		sample_release(&s);
	}
}

TEST(wanted, "rows for which an index's condition is not true have no entry")
{
	static struct sample s;
	unsigned wanted = 0, unwanted = 0;

	for (unsigned i = 0; i < check_times(2000); i++) {
		sample_init(&s);
		for (size_t at = 0; at < s.schema->shape.n_indexes; at++) {
			const struct aedb_condition *where =
				s.schema->shape.indexes[at].where;
			bool is_wanted = table_entry_is_wanted(s.schema, at, s.values);

			CHECK(where || is_wanted);
			if (where)
				CHECK_EQ(is_wanted, condition_evaluate(where, s.values) ==
					 CONDITION_TRUE);
			wanted += is_wanted;
			unwanted += !is_wanted;
		}
		sample_release(&s);
	}
	CHECK(wanted > 100 && unwanted > 100);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
