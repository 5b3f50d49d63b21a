/*
 * Rows as arrays.
 */
#include "model_tables.h"

#include "model.h"
#include "unit/check.h"

#define below model_random_below
#define MAILS 28
#define AGES 7
#define LEVELS 6
#define NOTES 60000
#define AGE_LEAST (-3)

static const char *const table_names[] = { "", "t", "t-2", "u" };

const char *model_table_name(unsigned name)
{
	return table_names[name];
}

const struct aedb_schema *model_table_schema(void)
{
	static const uint32_t key[] = { MODEL_ID }, by_mail[] = { MODEL_MAIL },
			      by_age[] = { MODEL_AGE },
			      by_level[] = { MODEL_LEVEL };
	static const struct aedb_column columns[MODEL_COLUMNS] = {
		[MODEL_ID] = { .name = "id", .type = AEDB_TYPE_U64 },
		[MODEL_MAIL] = { .name = "mail", .type = AEDB_TYPE_TEXT,
				 .is_nullable = true },
		[MODEL_AGE] = { .name = "age", .type = AEDB_TYPE_I64,
				.is_nullable = true },
		[MODEL_LEVEL] = { .name = "level", .type = AEDB_TYPE_U8 },
		[MODEL_NOTE] = { .name = "note", .type = AEDB_TYPE_TEXT,
				 .is_nullable = true },
	};
	static const struct aedb_value low = { .type = AEDB_TYPE_U8,
					       .u64 = MODEL_LEVEL_LOW };
	static const struct aedb_condition is_high = {
		.kind = AEDB_IF_COMPARES, .column = MODEL_LEVEL,
		.comparison = AEDB_GREATER, .values = &low, .n_values = 1,
	};
	static const struct aedb_index indexes[] = {
		{ .name = "by_mail", .columns = by_mail, .n_columns = 1,
		  .is_unique = true },
		{ .name = "by_age", .columns = by_age, .n_columns = 1 },
		{ .name = "by_level", .columns = by_level, .n_columns = 1,
		  .where = &is_high },
	};
	static const struct aedb_schema schema = {
		.columns = columns, .n_columns = MODEL_COLUMNS,
		.key = key, .n_key = 1, .indexes = indexes, .n_indexes = 3,
	};

	return &schema;
}

void model_table_make(struct model_table *table, unsigned name)
{
	const struct aedb_schema *schema = model_table_schema();

	*table = (struct model_table){ .name = name, .n_columns = MODEL_COLUMNS };
	for (uint8_t i = 0; i < MODEL_COLUMNS; i++)
		table->columns[i] = (struct model_shape){
			.kind = i, .name = (uint8_t)(i + 1),
			.is_nullable = schema->columns[i].is_nullable };
	for (size_t i = 0; i < schema->n_indexes; i++)
		table->indexes[i] = (uint8_t)schema->indexes[i].columns[0];
}

/* Changes. */

/* Mostly a place where a row is, or none is, as it is wanted. */
static size_t place_random(const struct model_table *table, bool is_there)
{
	size_t id = below(MODEL_ROWS);

	for (size_t i = 0; i < MODEL_ROWS && below(16); i++)
		if (table->rows[id].is_there == is_there)
			break;
		else
			id = (id + 1) % MODEL_ROWS;
	return id;
}

/* A cell of a column of this kind. */
static uint16_t cell_random(enum model_column kind)
{
	switch (kind) {
	case MODEL_MAIL:
		return (uint16_t)below(MAILS);
	case MODEL_AGE:
		return (uint16_t)below(AGES);
	case MODEL_LEVEL:
		return (uint16_t)below(LEVELS);
	default:
		return below(3) ? (uint16_t)below(NOTES) : 0;
	}
}

/* Whether a row that is written may be without, or have NULL in it. */
static bool is_optional(const struct model_shape *column)
{
	return column->is_nullable || column->has_default;
}

static void cells_random(const struct model_table *table,
			 struct model_row_change *change)
{
	bool is_update = change->kind == MODEL_UPDATE;

	for (size_t i = 0; i < table->n_columns; i++) {
		const struct model_shape *column = &table->columns[i];
		uint16_t cell = cell_random(column->kind);

		if (!cell && !column->is_nullable && column->kind != MODEL_LEVEL)
			cell = 1;
		change->kinds[i] = column->kind;
		change->cells[i] = cell;
		change->has[i] = column->name &&
				 (is_update	       ? below(2) :
				  is_optional(column) ? below(4) : 1);
	}
	change->cells[MODEL_ID] = (uint16_t)change->id;
}

struct model_row_change model_row_random(const struct model_table *table)
{
	static const int kinds[] = { MODEL_INSERT, MODEL_INSERT, MODEL_UPSERT,
				     MODEL_UPSERT, MODEL_UPDATE, MODEL_UPDATE,
				     MODEL_DELETE };
	struct model_row_change change = { .kind = kinds[below(7)] };

	change.id = change.kind == MODEL_UPSERT ? below(MODEL_ROWS) :
		    place_random(table, change.kind != MODEL_INSERT);
	cells_random(table, &change);
	if (change.kind == MODEL_UPDATE && below(4) == 0)
		change.cells[MODEL_ID] = (uint16_t)place_random(table, false);
	return change;
}

uint16_t model_cell(const struct model_table *table, const struct model_row *row,
		    size_t column)
{
	if (!table->columns[column].name)
		return 0;
	return column < row->n ? row->cells[column] :
				 table->columns[column].if_missing;
}

/* Whether another row than the one that is replaced has the mail. */
static bool mail_is_taken(const struct model_table *table, size_t but,
			  uint16_t mail)
{
	if (!table->indexes[MODEL_BY_MAIL])
		return false;
	for (size_t i = 0; i < MODEL_ROWS && mail; i++)
		if (i != but && table->rows[i].is_there &&
		    table->rows[i].cells[MODEL_MAIL] == mail)
			return true;
	return false;
}

static int row_replace(struct model_table *table, size_t from, size_t to,
		       const struct model_row *row)
{
	if (from != to && table->rows[to].is_there)
		return AEDB_EXISTS;
	if (mail_is_taken(table, from, row->cells[MODEL_MAIL]))
		return AEDB_EXISTS;
	table->rows[from] = (struct model_row){ .is_there = false };
	table->rows[to] = *row;
	return 0;
}

/* Its cells as the table is now. */
static void row_fill(const struct model_table *table,
		     const struct model_row_change *change, struct model_row *row)
{
	struct model_row old = *row;

	if (change->kind != MODEL_UPDATE)
		old.n = 0;
	for (size_t i = 0; i < table->n_columns; i++)
		row->cells[i] = change->has[i] ? change->cells[i] :
						 model_cell(table, &old, i);
	row->n = table->n_columns;
}

int model_row_do(struct model_table *table,
		 const struct model_row_change *change)
{
	struct model_row row = table->rows[change->id];
	bool was_there = row.is_there;
	size_t to = change->id;

	if (change->kind == MODEL_INSERT && was_there)
		return AEDB_EXISTS;
	if (change->kind >= MODEL_UPDATE && !was_there)
		return AEDB_NOT_FOUND;
	if (change->kind == MODEL_DELETE) {
		table->rows[to] = (struct model_row){ .is_there = false };
		return 0;
	}
	row.is_there = true;
	row.version = 0;
	row_fill(table, change, &row);
	if (change->has[MODEL_ID])
		to = change->cells[MODEL_ID];
	row.cells[MODEL_ID] = 0;
	return row_replace(table, change->id, to, &row);
}

/* Values. */

static struct aedb_value value_of_id(size_t id)
{
	return (struct aedb_value){ .type = AEDB_TYPE_U64, .u64 = id * 1000 };
}

static struct aedb_value value_of_text(const char *text)
{
	return (struct aedb_value){ .type = AEDB_TYPE_TEXT,
				    .bytes = { text, strlen(text) } };
}

/* Their bytes have the order of their numbers. */
static struct aedb_value value_of_mail(unsigned mail, struct model_texts *texts)
{
	snprintf(texts->mail, sizeof(texts->mail), "m%02u", mail % 100);
	return value_of_text(texts->mail);
}

/* Short ones, some of pages, few of a value file. */
static struct aedb_value value_of_note(unsigned note, struct model_texts *texts)
{
	static const size_t sizes[] = { 1, 9, 40, 40, 100, 300, 300, 1200,
					3000, 9000 };
	size_t n = note % 97 ? sizes[note % 10] : 70000;

	texts->note = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		texts->note[i] = (char)('a' + (note * (i % 91 + 1) >> 5) % 26);
	texts->note[n] = 0;
	return value_of_text(texts->note);
}

struct aedb_value model_value_of(enum model_column column, unsigned cell,
				 struct model_texts *texts)
{
	if (column == MODEL_ID)
		return value_of_id(cell);
	if (column == MODEL_LEVEL)
		return (struct aedb_value){ .type = AEDB_TYPE_U8, .u64 = cell };
	if (!cell)
		return (struct aedb_value){ .type = AEDB_TYPE_NULL };
	if (column == MODEL_AGE)
		return (struct aedb_value){ .type = AEDB_TYPE_I64,
					    .i64 = (int64_t)cell + AGE_LEAST };
	return column == MODEL_MAIL ? value_of_mail(cell, texts) :
				      value_of_note(cell, texts);
}

static int cells_write(struct aedb_txn *txn, struct aedb_table *table,
		       const struct model_row_change *change,
		       const struct aedb_cell *cells, size_t n)
{
	struct aedb_value key = value_of_id(change->id);

	switch (change->kind) {
	case MODEL_INSERT:
		return aedb_row_insert(txn, table, cells, n);
	case MODEL_UPSERT:
		return aedb_row_upsert(txn, table, cells, n);
	case MODEL_UPDATE:
		return aedb_row_update(txn, table, &key, cells, n);
	case MODEL_DELETE:
		break;
	}
	return aedb_row_delete(txn, table, &key);
}

int model_row_write(struct aedb_txn *txn, struct aedb_table *table,
		    const struct model_row_change *change)
{
	struct aedb_cell cells[MODEL_COLUMNS_MAX];
	struct model_texts texts[MODEL_COLUMNS_MAX] = { { .note = NULL } };
	size_t n = 0;
	int rc;

	for (uint32_t i = 0; i < MODEL_COLUMNS_MAX; i++)
		if (change->has[i])
			cells[n++] = (struct aedb_cell){
				i, model_value_of(change->kinds[i],
						  change->cells[i], &texts[i]) };
	rc = cells_write(txn, table, change, cells, n);
	for (size_t i = 0; i < MODEL_COLUMNS_MAX; i++)
		free(texts[i].note);
	return rc;
}

int model_row_version(struct aedb_table *table, size_t id, aedb_seq_t *ret)
{
	struct aedb_value key = value_of_id(id);
	struct aedb_row row;
	int rc = aedb_row_get(table, NULL, &key, &row);

	if (rc < 0)
		return rc;
	*ret = row.version;
	aedb_row_release(&row);
	return 0;
}

/* Comparing. */

bool model_value_is_equal(const struct aedb_value *a, const struct aedb_value *b)
{
	if (a->type != b->type || a->type == AEDB_TYPE_NULL)
		return a->type == b->type;
	if (a->type == AEDB_TYPE_TEXT)
		return a->bytes.n == b->bytes.n &&
		       memcmp(a->bytes.at, b->bytes.at, a->bytes.n) == 0;
	return a->type == AEDB_TYPE_I64 ? a->i64 == b->i64 : a->u64 == b->u64;
}

static void cell_compare(const struct model_table *table, size_t id, size_t column,
			 const struct aedb_value *got)
{
	const struct model_shape *shape = &table->columns[column];
	uint16_t cell = model_cell(table, &table->rows[id], column);
	struct model_texts texts = { .note = NULL };
	struct aedb_value want = { .type = AEDB_TYPE_NULL };

	if (shape->name)
		want = model_value_of(shape->kind, column == MODEL_ID ?
						   (unsigned)id : cell, &texts);
	CHECK_THAT(model_value_is_equal(&want, got),
		   "row %zu has another value in column %zu", id, column);
	free(texts.note);
}

static void row_compare(const struct model_table *table, size_t id,
			const struct aedb_row *got)
{
	const struct model_row *want = &table->rows[id];

	CHECK_EQ(got->n, table->n_columns);
	for (size_t i = 0; i < table->n_columns; i++)
		cell_compare(table, id, i, &got->values[i]);
	if (want->version)
		CHECK_EQ(got->version, want->version);
}

static int rows_get(const struct model_table *table, struct aedb_table *handle,
		    const struct aedb_snapshot *snapshot)
{
	for (size_t id = 0; id < MODEL_ROWS; id++) {
		struct aedb_value key = value_of_id(id);
		struct aedb_row row;
		int rc = aedb_row_get(handle, snapshot, &key, &row);

		if (rc == AEDB_NOT_FOUND && !table->rows[id].is_there)
			continue;
		if (rc < 0) {
			CHECK(rc != AEDB_NOT_FOUND);
			return rc;
		}
		CHECK_THAT(table->rows[id].is_there,
			   "a row is there that was deleted");
		row_compare(table, id, &row);
		aedb_row_release(&row);
	}
	return 0;
}

/* A query whose rows the model knows: those with at least this number in a column,
 * in the order of its numbers and then of their places. */
struct question {
	struct aedb_query query;
	const char *plan;	/* what it must begin with */
	size_t column;		/* MODEL_ID: by place alone */
	uint16_t least, most;
};

static size_t places_make(const struct model_table *table,
			  const struct question *question,
			  size_t places[MODEL_ROWS])
{
	size_t column = question->column, n = 0;

	for (unsigned v = question->least; v <= question->most; v++)
		for (size_t id = 0; id < MODEL_ROWS; id++)
			if (table->rows[id].is_there &&
			    model_cell(table, &table->rows[id], column) == v)
				places[n++] = id;
	return n;
}

static int answer_compare(const struct model_table *table,
			  struct aedb_table *handle,
			  const struct aedb_snapshot *snapshot,
			  const struct question *question)
{
	size_t places[MODEL_ROWS], n = places_make(table, question, places);
	bool is_back = question->query.n_order &&
		       question->query.order->is_descending;
	struct aedb_rows *rows;
	struct aedb_row row;
	int rc = aedb_query_open(handle, snapshot, &question->query, &rows);
	size_t i = 0;

	if (rc < 0)
		return rc;
	CHECK_MEM(aedb_rows_plan(rows), question->plan, strlen(question->plan));
	while ((rc = aedb_rows_next(rows, &row)) == 0) {
		CHECK_THAT(i < n, "%s has more than %zu rows", question->plan, n);
		row_compare(table, places[is_back ? n - 1 - i : i], &row);
		i++;
	}
	aedb_rows_close(rows);
	if (rc != AEDB_NOT_FOUND)
		return rc;
	CHECK_THAT(i == n, "%s has %zu of %zu rows", question->plan, i, n);
	return 0;
}

/* All rows in the order of an index. */
static int order_compare(const struct model_table *table,
			 struct aedb_table *handle,
			 const struct aedb_snapshot *snapshot, size_t index)
{
	struct aedb_order order = { table->indexes[index], below(2) };
	char plan[32];
	struct question question = {
		.query = { .order = &order, .n_order = 1 }, .plan = plan,
		.column = order.column, .most = MAILS,
	};

	snprintf(plan, sizeof(plan), "index %s", model_index_name(index));
	return answer_compare(table, handle, snapshot, &question);
}

/* Those of a level above one: of this one or any higher that the index has. */
static int level_compare(const struct model_table *table,
			 struct aedb_table *handle,
			 const struct aedb_snapshot *snapshot)
{
	const struct aedb_condition *where =
		model_table_schema()->indexes[MODEL_BY_LEVEL].where;
	struct question question = {
		.query = { .where = where }, .plan = "index by_level",
		.column = MODEL_LEVEL, .least = MODEL_LEVEL_LOW + 1,
		.most = LEVELS,
	};

	return answer_compare(table, handle, snapshot, &question);
}

/* That with some mail, which perhaps none has; or those, without index. */
static int mail_compare(const struct model_table *table,
			struct aedb_table *handle,
			const struct aedb_snapshot *snapshot)
{
	bool has_index = table->indexes[MODEL_BY_MAIL];
	uint16_t mail = (uint16_t)(1 + below(MAILS));
	struct model_texts texts;
	struct aedb_value value = value_of_mail(mail, &texts);
	struct aedb_condition where = {
		.kind = AEDB_IF_COMPARES, .column = MODEL_MAIL,
		.comparison = AEDB_EQUAL, .values = &value, .n_values = 1,
	};
	struct question question = {
		.query = { .where = &where },
		.plan = has_index ? "index by_mail by 1" : "scan",
		.column = MODEL_MAIL, .least = mail, .most = mail,
	};

	return answer_compare(table, handle, snapshot, &question);
}

static int rows_compare(const struct model_table *table,
			struct aedb_table *handle,
			const struct aedb_snapshot *snapshot)
{
	struct question all = { .plan = "scan", .column = MODEL_ID };
	int rc = rows_get(table, handle, snapshot);

	if (rc == 0)
		rc = answer_compare(table, handle, snapshot, &all);
	for (size_t i = 0; rc == 0 && i < MODEL_INDEXES; i++)
		if (table->indexes[i])
			rc = i == MODEL_BY_LEVEL ?
				     level_compare(table, handle, snapshot) :
				     order_compare(table, handle, snapshot, i);
	if (rc == 0 && table->columns[MODEL_MAIL].name)
		rc = mail_compare(table, handle, snapshot);
	return rc;
}

/* The next table is this one; NULL: there is none. */
static int list_compare(struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot, const char *after,
			const char *want)
{
	char name[AEDB_NAME_BYTES_MAX + 1];
	int rc = aedb_table_next(scope, snapshot, after, name);

	if (rc == AEDB_NOT_FOUND) {
		CHECK_THAT(!want, "there is no table %s", want);
		return 0;
	}
	if (rc < 0)
		return rc;
	CHECK_THAT(want, "there is a table %s", name);
	CHECK_STR(name, want);
	return 0;
}

int model_table_compare(const struct model_table *table,
			struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot)
{
	const char *name = model_table_name(table->name);
	struct aedb_table *handle;
	int rc = 0;

	if (!table->name)
		return list_compare(scope, snapshot, "", NULL);
	rc = list_compare(scope, snapshot, "", name);
	if (rc == 0)
		rc = list_compare(scope, snapshot, name, NULL);
	if (rc == 0)
		rc = snapshot ? aedb_table_open_at(scope, snapshot, name,
						   &handle) :
				aedb_table_open(scope, name, &handle);
	if (rc < 0) {
		CHECK(rc != AEDB_NOT_FOUND);
		return rc;
	}
	rc = model_schema_compare(table, handle);
	if (rc == 0)
		rc = rows_compare(table, handle, snapshot);
	aedb_table_close(handle);
	return rc;
}
