/* Random tables and queries as SQL, with every value written out. */
#include <stdarg.h>
#include <string.h>

#include "rtable.h"
#include "unit/check.h"

void text_add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (text->n + (size_t)n + 1 > text->room) {
		text->room = 2 * (text->n + (size_t)n + 1);
		text->at = realloc(text->at, text->room);
		CHECK(text->at);
	}
	va_start(args, format);
	vsnprintf(text->at + text->n, (size_t)n + 1, format, args);
	va_end(args);
	text->n += (size_t)n;
}

void text_release(struct text *text)
{
	free(text->at);
	*text = (struct text){ 0 };
}

static void add_hex(struct text *ret, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add(ret, "%02x", ((const uint8_t *)bytes)[i]);
}

/* A literal. */
static void add_value(struct text *ret, const struct aedb_value *v)
{
	switch (v->type) {
	case AEDB_TYPE_NULL:
		text_add(ret, "null");
		break;
	case AEDB_TYPE_BOOL:
		text_add(ret, "%d", v->boolean);
		break;
	case AEDB_TYPE_U8:
	case AEDB_TYPE_U64:
		text_add(ret, "%" PRIu64, v->u64);
		break;
	case AEDB_TYPE_FLOAT:
		text_add(ret, "%.17e", v->real);
		break;
	case AEDB_TYPE_TEXT:
	case AEDB_TYPE_JSON:
		text_add(ret, "'");
		for (size_t i = 0; i < v->bytes.n; i++) {
			char c = ((const char *)v->bytes.at)[i];

			text_add(ret, c == '\'' ? "''" : "%c", c);
		}
		text_add(ret, "'");
		break;
	case AEDB_TYPE_BLOB:
		text_add(ret, "x'");
		add_hex(ret, v->bytes.at, v->bytes.n);
		text_add(ret, "'");
		break;
	default:
		text_add(ret, "%" PRId64, v->i64);
	}
}

static void add_values(struct text *ret, const struct aedb_value *values,
		       size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++) {
		text_add(ret, "%s", i ? between : "");
		add_value(ret, &values[i]);
	}
}

static void add_columns(struct text *ret, const struct rtable *t,
			const uint32_t *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add(ret, "%s%s", i ? ", " : "", t->names[columns[i]]);
}

/* Tables. */

static const char *sql_type(enum aedb_type type)
{
	switch (type) {
	case AEDB_TYPE_FLOAT:
		return "real";
	case AEDB_TYPE_TEXT:
	case AEDB_TYPE_JSON:
		return "text";
	case AEDB_TYPE_BLOB:
		return "blob";
	default:
		return "integer";
	}
}

void sql_create(const struct rtable *t, struct text *ret)
{
	text_add(ret, "create table t (");
	for (size_t i = 0; i < t->schema.n_columns; i++)
		text_add(ret, "%s %s%s, ", t->names[i],
			 sql_type(t->columns[i].type),
			 t->columns[i].is_nullable ? "" : " not null");
	text_add(ret, "primary key (");
	add_columns(ret, t, t->key, t->schema.n_key);
	text_add(ret, ")) without rowid");
}

static bool is_of_key(const struct rtable *t, uint32_t column)
{
	for (size_t i = 0; i < t->schema.n_key; i++)
		if (t->key[i] == column)
			return true;
	return false;
}

/* Conflicts with other keys than the primary one are errors. */
static void add_replacing(struct text *ret, const struct rtable *t)
{
	const char *before = "do update set ";

	text_add(ret, " on conflict (");
	add_columns(ret, t, t->key, t->schema.n_key);
	text_add(ret, ") ");
	for (uint32_t i = 0; i < t->schema.n_columns; i++) {
		if (is_of_key(t, i))
			continue;
		text_add(ret, "%s%s = excluded.%s", before, t->names[i],
			 t->names[i]);
		before = ", ";
	}
	if (before[0] == 'd')
		text_add(ret, "do nothing");
}

void sql_insert(const struct rtable *t, const struct aedb_cell *cells, size_t n,
		bool is_upsert, struct text *ret)
{
	text_add(ret, "insert into t (");
	for (size_t i = 0; i < n; i++)
		text_add(ret, "%s%s", i ? ", " : "",
			 t->names[cells[i].column]);
	text_add(ret, ") values (");
	for (size_t i = 0; i < n; i++) {
		text_add(ret, "%s", i ? ", " : "");
		add_value(ret, &cells[i].value);
	}
	text_add(ret, ")");
	if (is_upsert)
		add_replacing(ret, t);
}

static void add_key(struct text *ret, const struct rtable *t,
		    const struct aedb_value *key)
{
	for (size_t i = 0; i < t->schema.n_key; i++) {
		text_add(ret, "%s%s = ", i ? " and " : " where ",
			 t->names[t->key[i]]);
		add_value(ret, &key[i]);
	}
}

void sql_update(const struct rtable *t, const struct aedb_value *key,
		const struct aedb_cell *cells, size_t n, struct text *ret)
{
	text_add(ret, "update t set ");
	for (size_t i = 0; i < n; i++) {
		text_add(ret, "%s%s = ", i ? ", " : "",
			 t->names[cells[i].column]);
		add_value(ret, &cells[i].value);
	}
	add_key(ret, t, key);
}

void sql_delete(const struct rtable *t, const struct aedb_value *key,
		struct text *ret)
{
	text_add(ret, "delete from t");
	add_key(ret, t, key);
}

/* Conditions. */

static void add_leaf(struct text *ret, const struct rtable *t,
		     const struct aedb_condition *c)
{
	static const char *const comparisons[] = {
		[AEDB_EQUAL] = "=",	   [AEDB_NOT_EQUAL] = "<>",
		[AEDB_LESS] = "<",	   [AEDB_LESS_OR_EQUAL] = "<=",
		[AEDB_GREATER] = ">",	   [AEDB_GREATER_OR_EQUAL] = ">=",
	};

	text_add(ret, "%s ", t->names[c->column]);
	switch (c->kind) {
	case AEDB_IF_COMPARES:
		text_add(ret, "%s ", comparisons[c->comparison]);
		add_value(ret, &c->values[0]);
		break;
	case AEDB_IF_IN:
		text_add(ret, "in (");
		add_values(ret, c->values, c->n_values, ", ");
		text_add(ret, ")");
		break;
	case AEDB_IF_BETWEEN:
		text_add(ret, "between ");
		add_values(ret, c->values, 2, " and ");
		break;
	case AEDB_IF_NULL:
		text_add(ret, "is null");
		break;
	default:
		text_add(ret, "like ");
		add_value(ret, &c->values[0]);
		text_add(ret, " escape '\\'");
	}
}

static void add_condition(struct text *ret, const struct rtable *t,
			  const struct aedb_condition *c)
{
	if (c->kind < AEDB_IF_ALL) {
		add_leaf(ret, t, c);
		return;
	}
	if (c->kind == AEDB_IF_NOT)
		text_add(ret, "not ");
	text_add(ret, "(");
	for (size_t i = 0; i < c->n_parts; i++) {
		if (i)
			text_add(ret, c->kind == AEDB_IF_ALL ? " and " : " or ");
		add_condition(ret, t, &c->parts[i]);
	}
	text_add(ret, ")");
}

void sql_index(const struct rtable *t, const struct rtable_index *index,
	       struct text *ret)
{
	text_add(ret, "create %sindex %s on t (",
		 index->index.is_unique ? "unique " : "", index->name);
	add_columns(ret, t, index->columns, index->index.n_columns);
	text_add(ret, ")");
	if (index->index.where) {
		text_add(ret, " where ");
		add_condition(ret, t, index->index.where);
	}
}

void sql_query(const struct rtable *t, const struct rtable_query *q,
	       struct text *ret)
{
	text_add(ret, "select ");
	add_columns(ret, t, q->select, q->query.n_select);
	text_add(ret, " from t");
	if (q->query.where) {
		text_add(ret, " where ");
		add_condition(ret, t, q->query.where);
	}
	for (size_t i = 0; i < q->query.n_order; i++)
		text_add(ret, "%s%s%s", i ? ", " : " order by ",
			 t->names[q->order[i].column],
			 q->order[i].is_descending ? " desc" : "");
	if (q->query.limit)
		text_add(ret, " limit %" PRIu64, q->query.limit);
}

/* Results. */

void sql_show(sqlite3_stmt *s, int column, struct text *ret)
{
	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL:
		text_add(ret, "null ");
		break;
	case SQLITE_INTEGER:
		text_add(ret, "%lld ", sqlite3_column_int64(s, column));
		break;
	case SQLITE_FLOAT:
		text_add(ret, "%a ", sqlite3_column_double(s, column));
		break;
	default:
		text_add(ret, "x");
		add_hex(ret, sqlite3_column_blob(s, column),
			(size_t)sqlite3_column_bytes(s, column));
		text_add(ret, " ");
	}
}

void value_show(const struct aedb_value *v, struct text *ret)
{
	switch (v->type) {
	case AEDB_TYPE_FLOAT:
		text_add(ret, "%a ", v->real);
		break;
	case AEDB_TYPE_TEXT:
	case AEDB_TYPE_JSON:
	case AEDB_TYPE_BLOB:
		text_add(ret, "x");
		add_hex(ret, v->bytes.at, v->bytes.n);
		text_add(ret, " ");
		break;
	default:
		add_value(ret, v);
		text_add(ret, " ");
	}
}
