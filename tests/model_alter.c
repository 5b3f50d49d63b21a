/*
 * Changes of a table's columns and indexes, beside rows as arrays.
 */
#include "model_tables.h"

#include "model.h"
#include "unit/check.h"

#define below model_random_below
#define NAMES 9			/* of columns, some of which there always are */

static const char *const column_names[NAMES + 1] = {
	"", "id", "mail", "age", "level", "note", "c6", "c7", "c8", "c9",
};

static const char *const index_names[MODEL_INDEXES] = {
	"by_mail", "by_age", "by_level", "by_added",
};

const char *model_index_name(size_t index)
{
	return index_names[index];
}

/* Random ones. */

static struct model_shape shape_random(void)
{
	static const uint8_t kinds[] = { MODEL_MAIL, MODEL_AGE, MODEL_AGE,
					 MODEL_LEVEL, MODEL_NOTE };
	struct model_shape shape = { .kind = kinds[below(5)],
				     .name = (uint8_t)(1 + below(NAMES)) };

	shape.is_nullable = shape.kind != MODEL_LEVEL && below(2);
	shape.has_default = !shape.is_nullable || below(2);
	if (shape.has_default)
		shape.if_missing = (uint16_t)(1 + below(5));
	return shape;
}

/* The column that an index is to be of: the one it always is, or an added one. */
static uint8_t index_column(const struct model_table *table, size_t index)
{
	size_t start;

	if (index < MODEL_BY_ADDED)
		return (uint8_t)model_table_schema()->indexes[index].columns[0];
	start = below(MODEL_COLUMNS_MAX);
	for (size_t i = 0; i < MODEL_COLUMNS_MAX; i++) {
		size_t column = (start + i) % MODEL_COLUMNS_MAX;

		if (column >= MODEL_COLUMNS && table->columns[column].name &&
		    table->columns[column].kind == MODEL_AGE)
			return (uint8_t)column;
	}
	return 0;
}

struct model_alter model_alter_random(const struct model_table *table)
{
	static const enum aedb_alter_kind kinds[] = {
		AEDB_ADD_COLUMN, AEDB_ADD_COLUMN, AEDB_DROP_COLUMN,
		AEDB_RENAME_COLUMN, AEDB_ADD_INDEX, AEDB_ADD_INDEX,
		AEDB_DROP_INDEX,
	};
	struct model_alter alter = { .kind = kinds[below(7)],
				     .name = (uint8_t)(1 + below(NAMES)),
				     .to = (uint8_t)(1 + below(NAMES)),
				     .index = (uint8_t)below(MODEL_INDEXES),
				     .column = shape_random() };

	if (alter.kind == AEDB_ADD_COLUMN &&
	    table->n_columns == MODEL_COLUMNS_MAX)
		alter.kind = AEDB_RENAME_COLUMN;
	if (alter.kind != AEDB_ADD_INDEX)
		return alter;
	alter.of = index_column(table, alter.index);
	if (!alter.of)
		alter.kind = AEDB_DROP_INDEX;
	return alter;
}

/* On arrays. */

/* 0: none has it; the key's has the place 0, and a name of its own. */
static size_t column_find(const struct model_table *table, uint8_t name)
{
	size_t i = 0;

	while (i < table->n_columns && table->columns[i].name != name)
		i++;
	return i;
}

static bool has_column(const struct model_table *table, uint8_t name)
{
	return column_find(table, name) < table->n_columns;
}

static int column_add(struct model_table *table, const struct model_shape *shape)
{
	if (has_column(table, shape->name))
		return AEDB_EXISTS;
	table->columns[table->n_columns++] = *shape;
	return 0;
}

static int column_drop(struct model_table *table, uint8_t name)
{
	size_t column = column_find(table, name);

	if (column == table->n_columns)
		return AEDB_NOT_FOUND;
	if (column == MODEL_ID)
		return AEDB_INVALID;
	for (size_t i = 0; i < MODEL_INDEXES; i++)
		if (table->indexes[i] == column)
			return AEDB_INVALID;
	table->columns[column].name = 0;
	return 0;
}

static int column_rename(struct model_table *table, uint8_t from, uint8_t to)
{
	size_t column = column_find(table, from);

	if (column == table->n_columns)
		return AEDB_NOT_FOUND;
	if (has_column(table, to))
		return AEDB_EXISTS;
	table->columns[column].name = to;
	return 0;
}

static bool mails_agree(const struct model_table *table)
{
	bool is_taken[UINT8_MAX] = { false };

	for (size_t id = 0; id < MODEL_ROWS; id++) {
		uint16_t mail = model_cell(table, &table->rows[id], MODEL_MAIL);

		if (!table->rows[id].is_there || !mail)
			continue;
		if (is_taken[mail])
			return true;
		is_taken[mail] = true;
	}
	return false;
}

static int index_add(struct model_table *table, size_t index, uint8_t of)
{
	if (table->indexes[index])
		return AEDB_EXISTS;
	if (!table->columns[of].name)
		return AEDB_INVALID;
	if (index == MODEL_BY_MAIL && mails_agree(table))
		return AEDB_EXISTS;
	table->indexes[index] = of;
	return 0;
}

bool model_alter_has_twins(const struct model_table *table,
			   const struct model_alter *alter)
{
	return alter->kind == AEDB_ADD_INDEX && !table->indexes[alter->index];
}

int model_alter_do(struct model_table *table, const struct model_alter *alter)
{
	switch (alter->kind) {
	case AEDB_ADD_COLUMN:
		return column_add(table, &alter->column);
	case AEDB_DROP_COLUMN:
		return column_drop(table, alter->name);
	case AEDB_RENAME_COLUMN:
		return column_rename(table, alter->name, alter->to);
	case AEDB_ADD_INDEX:
		return index_add(table, alter->index, alter->of);
	case AEDB_DROP_INDEX:
		break;
	}
	if (!table->indexes[alter->index])
		return AEDB_NOT_FOUND;
	table->indexes[alter->index] = 0;
	return 0;
}

bool model_indexes_equal(const struct model_table *a, const struct model_table *b)
{
	return memcmp(a->indexes, b->indexes, sizeof(a->indexes)) == 0;
}

/* On the database. */

static const enum aedb_type types[MODEL_COLUMNS] = {
	[MODEL_ID] = AEDB_TYPE_U64,	[MODEL_MAIL] = AEDB_TYPE_TEXT,
	[MODEL_AGE] = AEDB_TYPE_I64,	[MODEL_LEVEL] = AEDB_TYPE_U8,
	[MODEL_NOTE] = AEDB_TYPE_TEXT,
};

/* What of it is text is in `texts`, whose note is to be freed. */
static struct aedb_column column_of(const struct model_shape *shape,
				    struct model_texts *texts)
{
	struct aedb_column column = {
		.name = shape->name ? column_names[shape->name] : NULL,
		.type = types[shape->kind], .is_nullable = shape->is_nullable,
	};

	texts->note = NULL;
	if (shape->has_default)
		column.if_missing = model_value_of(shape->kind,
						   shape->if_missing, texts);
	return column;
}

int model_alter_run(struct aedb_txn *txn, struct aedb_scope *scope,
		    const char *name, const struct model_alter *alter)
{
	const struct aedb_schema *made = model_table_schema();
	uint32_t of[] = { alter->of };
	struct model_texts texts;
	struct aedb_column column = column_of(&alter->column, &texts);
	struct aedb_index index = { .name = index_names[alter->index] };
	struct aedb_alter change = {
		.kind = alter->kind, .to = column_names[alter->to],
		.name = alter->kind == AEDB_DROP_INDEX ?
				index.name : column_names[alter->name],
		.column = &column, .index = &index,
	};
	int rc;

	if (alter->index < made->n_indexes)
		index = made->indexes[alter->index];
	index.columns = of;
	index.n_columns = 1;
	rc = txn ? aedb_txn_table_alter(txn, scope, name, &change) :
		   aedb_table_alter(scope, name, &change);
	free(texts.note);
	return rc;
}

/* Comparing. */

static void column_compare(const struct model_shape *shape,
			   const struct aedb_column *got)
{
	struct model_texts texts;
	struct aedb_column want = column_of(shape, &texts);

	if (!want.name) {
		CHECK(!got->name);
	} else {
		CHECK(got->name);
		CHECK_STR(got->name, want.name);
		CHECK_EQ(got->type, want.type);
		CHECK_EQ(got->is_nullable, want.is_nullable);
		CHECK(model_value_is_equal(&want.if_missing, &got->if_missing));
	}
	free(texts.note);
}

/* NULL: it has none of this name. */
static const struct aedb_index *index_find(const struct aedb_schema *schema,
					   const char *name)
{
	for (size_t i = 0; i < schema->n_indexes; i++)
		if (strcmp(schema->indexes[i].name, name) == 0)
			return &schema->indexes[i];
	return NULL;
}

/* Whether the schema has the index as the table has it, or as that not. */
static bool index_is_equal(const struct model_table *table, size_t i,
			   const struct aedb_schema *schema)
{
	const struct aedb_index *index = index_find(schema, index_names[i]);

	if (!index || !table->indexes[i])
		return !index && !table->indexes[i];
	return index->n_columns == 1 && index->columns[0] == table->indexes[i] &&
	       index->is_unique == (i == MODEL_BY_MAIL) &&
	       !index->where == (i != MODEL_BY_LEVEL);
}

static bool indexes_are_equal(const struct model_table *table,
			      const struct aedb_schema *schema)
{
	for (size_t i = 0; i < MODEL_INDEXES; i++)
		if (!index_is_equal(table, i, schema))
			return false;
	return true;
}

int model_schema_compare(const struct model_table *table,
			 const struct aedb_table *handle)
{
	struct aedb_schema *schema;
	int rc = aedb_table_schema(handle, &schema);

	if (rc < 0)
		return rc;
	CHECK_EQ(schema->n_columns, table->n_columns);
	for (size_t i = 0; i < schema->n_columns; i++)
		column_compare(&table->columns[i], &schema->columns[i]);
	CHECK_THAT(indexes_are_equal(table, schema), "other indexes are there");
	aedb_schema_free(schema);
	return 0;
}

bool model_schema_has_indexes(const struct model_table *table,
			      const struct aedb_table *handle)
{
	struct aedb_schema *schema;
	bool is_equal;

	CHECK_OK(aedb_table_schema(handle, &schema));
	is_equal = indexes_are_equal(table, schema);
	aedb_schema_free(schema);
	return is_equal;
}
