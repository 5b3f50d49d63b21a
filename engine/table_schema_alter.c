/* Schemas of tables: the one after a change. */
#include <string.h>

#include "err.h"
#include "table_draft.h"
#include "table_value.h"

static int column_exists(const char *name)
{
	return err_set(AEDB_EXISTS, "there is a column \"%s\"", name);
}

static int add_column(const struct table_schema *schema,
		      const struct aedb_column *column,
		      struct table_draft *draft)
{
	uint32_t number;

	if (!column || !column->name)
		return err_set(AEDB_INVALID, "the column to be added has no name");
	if (table_schema_find_column(schema, column->name, &number) == 0)
		return column_exists(column->name);
	if (draft->shape.n_columns == AEDB_COLUMNS_MAX)
		return err_set(AEDB_TOO_LARGE, "a table has at most %d columns, "
			       "those that were dropped count", AEDB_COLUMNS_MAX);
	if (!column->is_nullable && column->if_missing.type == AEDB_TYPE_NULL)
		return err_set(AEDB_INVALID, "column \"%s\" needs a value for the "
			       "rows there are, or to be nullable", column->name);
	draft->columns[draft->shape.n_columns++] = *column;
	return 0;
}

static bool is_in(const uint32_t *numbers, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static bool index_uses(const struct aedb_index *index, uint32_t number)
{
	struct column_set set = { 0 };

	if (index->where)
		condition_columns(index->where, &set);
	return is_in(index->columns, index->n_columns, number) ||
	       column_set_has(&set, number);
}

/* Of an index that is being dropped only the number counts: it lets go of all columns
 * but for the key's. */
static void index_let_go(const struct table_draft *draft,
			 struct aedb_index *index)
{
	index->columns = draft->shape.key;
	index->n_columns = 1;
	index->where = NULL;
}

static int drop_column(const struct table_schema *schema, const char *name,
		       struct table_draft *draft)
{
	uint32_t number;
	int rc = table_schema_find_column(schema, name, &number);

	if (rc < 0)
		return rc;
	if (schema->columns[number].key_at != TABLE_NOT_KEY)
		return err_set(AEDB_INVALID, "column \"%s\" is of the key", name);
	for (size_t i = 0; i < draft->shape.n_indexes; i++) {
		if (draft->states[i].state == TABLE_INDEX_DROPPING)
			index_let_go(draft, &draft->indexes[i]);
		else if (index_uses(&draft->indexes[i], number))
			return err_set(AEDB_INVALID, "column \"%s\" is used by index "
				       "\"%s\"", name, draft->indexes[i].name);
	}
	draft->columns[number].name = NULL;
	return 0;
}

static int rename_column(const struct table_schema *schema,
			 const struct aedb_alter *alter,
			 struct table_draft *draft)
{
	uint32_t number, other;
	int rc = table_schema_find_column(schema, alter->name, &number);

	if (rc < 0)
		return rc;
	if (!alter->to)
		return err_set(AEDB_INVALID, "column \"%s\" gets no name",
			       alter->name);
	if (table_schema_find_column(schema, alter->to, &other) == 0)
		return column_exists(alter->to);
	draft->columns[number].name = alter->to;
	return 0;
}

/* The number after the last one given or, after 65,535 of them, the next that no
 * index has. */
static uint16_t next_number(struct table_draft *draft)
{
	for (;;) {
		uint16_t number = draft->next_index++;
		bool is_free = number != 0;

		for (size_t i = 0; i < draft->shape.n_indexes; i++)
			is_free = is_free && draft->states[i].number != number;
		if (is_free)
			return number;
	}
}

static int add_index(const struct table_schema *schema,
		     const struct aedb_index *index, struct table_draft *draft)
{
	size_t at;

	if (!index || !index->name)
		return err_set(AEDB_INVALID, "the index to be added has no name");
	if (table_schema_find_index(schema, index->name, &at) == 0)
		return err_set(AEDB_EXISTS, "there is an index \"%s\"",
			       index->name);
	at = draft->shape.n_indexes;
	if (at == AEDB_INDEXES_MAX)
		return err_set(AEDB_TOO_LARGE, "a table has at most %d indexes",
			       AEDB_INDEXES_MAX);
	draft->states[at] = (struct table_index){ next_number(draft),
						  TABLE_INDEX_BUILDING };
	draft->indexes[at] = *index;
	draft->shape.n_indexes++;
	return 0;
}

static int drop_index(const struct table_schema *schema, const char *name,
		      struct table_draft *draft)
{
	size_t at;
	int rc = table_schema_find_index(schema, name, &at);

	if (rc == 0)
		draft->states[at].state = TABLE_INDEX_DROPPING;
	return rc;
}

static int change(const struct table_schema *schema,
		  const struct aedb_alter *alter, struct table_draft *draft)
{
	bool is_named = alter->kind == AEDB_DROP_COLUMN ||
			alter->kind == AEDB_RENAME_COLUMN ||
			alter->kind == AEDB_DROP_INDEX;

	if (is_named && !alter->name)
		return err_set(AEDB_INVALID, "a change of a table without a name");
	switch (alter->kind) {
	case AEDB_ADD_COLUMN:
		return add_column(schema, alter->column, draft);
	case AEDB_DROP_COLUMN:
		return drop_column(schema, alter->name, draft);
	case AEDB_RENAME_COLUMN:
		return rename_column(schema, alter, draft);
	case AEDB_ADD_INDEX:
		return add_index(schema, alter->index, draft);
	case AEDB_DROP_INDEX:
		return drop_index(schema, alter->name, draft);
	}
	return err_set(AEDB_INVALID, "a change of a table of no known kind");
}

int table_schema_alter(const struct table_schema *schema,
		       const struct aedb_alter *alter,
		       struct table_schema **ret)
{
	struct table_draft draft;
	int rc = table_draft_init_from(&draft, schema);

	if (rc < 0)
		return rc;
	rc = change(schema, alter, &draft);
	if (rc == 0)
		rc = table_draft_make(&draft, ret);
	table_draft_release(&draft);
	return rc;
}

int table_schema_set_state(const struct table_schema *schema, size_t at,
			   enum table_index_state state,
			   struct table_schema **ret)
{
	struct table_draft draft;
	int rc = table_draft_init_from(&draft, schema);

	if (rc < 0)
		return rc;
	draft.states[at].state = state;
	rc = table_draft_make(&draft, ret);
	table_draft_release(&draft);
	return rc;
}

int table_schema_remove_index(const struct table_schema *schema, size_t at,
			      struct table_schema **ret)
{
	struct table_draft draft;
	size_t behind = schema->shape.n_indexes - at - 1;
	int rc = table_draft_init_from(&draft, schema);

	if (rc < 0)
		return rc;
	memmove(&draft.indexes[at], &draft.indexes[at + 1],
		behind * sizeof(draft.indexes[0]));
	memmove(&draft.states[at], &draft.states[at + 1],
		behind * sizeof(draft.states[0]));
	draft.shape.n_indexes--;
	rc = table_draft_make(&draft, ret);
	table_draft_release(&draft);
	return rc;
}
