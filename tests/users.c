/*
 * A table of users.
 */
#include "users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "table_entry.h"
#include "table_row.h"

static const uint32_t key[] = { USERS_ID }, by_mail[] = { USERS_MAIL },
		      by_age[] = { USERS_AGE };

static const struct aedb_column columns[USERS_COLUMNS] = {
	[USERS_ID] = { .name = "id", .type = AEDB_TYPE_U64 },
	[USERS_MAIL] = { .name = "mail", .type = AEDB_TYPE_TEXT,
			 .is_nullable = true },
	[USERS_AGE] = { .name = "age", .type = AEDB_TYPE_I64,
			.is_nullable = true },
	[USERS_NOTE] = { .name = "note", .type = AEDB_TYPE_TEXT,
			 .is_nullable = true },
};

static const struct aedb_index indexes[] = {
	{ .name = "by_mail", .columns = by_mail, .n_columns = 1,
	  .is_unique = true },
	{ .name = "by_age", .columns = by_age, .n_columns = 1 },
};

const struct aedb_schema *users_schema(enum users_indexes with)
{
	static const struct aedb_schema schemas[] = {
		[USERS_PLAIN] = { .columns = columns,
				  .n_columns = USERS_COLUMNS,
				  .key = key, .n_key = 1 },
		[USERS_WITH_INDEXES] = { .columns = columns,
					 .n_columns = USERS_COLUMNS,
					 .key = key, .n_key = 1,
					 .indexes = indexes, .n_indexes = 2 },
	};

	return &schemas[with];
}

int users_create(struct aedb_scope *scope, const char *name)
{
	return aedb_table_create(scope, name, users_schema(USERS_WITH_INDEXES));
}

static struct aedb_value text(const char *text)
{
	struct aedb_value none = { .type = AEDB_TYPE_NULL };

	if (!text)
		return none;
	return (struct aedb_value){ .type = AEDB_TYPE_TEXT,
				    .bytes = { text, strlen(text) } };
}

int users_write(struct aedb_txn *txn, struct aedb_table *table,
		enum users_how how, const struct user *user)
{
	struct aedb_value id = { .type = AEDB_TYPE_U64, .u64 = user->id };
	struct aedb_value age = { .type = AEDB_TYPE_I64, .i64 = user->age };
	struct aedb_cell cells[USERS_COLUMNS] = {
		{ USERS_ID, id }, { USERS_MAIL, text(user->mail) },
		{ USERS_AGE, age }, { USERS_NOTE, text(user->note) },
	};

	if (user->age == USERS_NO_AGE)
		cells[USERS_AGE].value = text(NULL);
	switch (how) {
	case USERS_INSERT:
		return aedb_row_insert(txn, table, cells, USERS_COLUMNS);
	case USERS_UPSERT:
		return aedb_row_upsert(txn, table, cells, USERS_COLUMNS);
	case USERS_UPDATE:
		return aedb_row_update(txn, table, &id, cells + 1,
				       USERS_COLUMNS - 1);
	case USERS_DELETE:
		return aedb_row_delete(txn, table, &id);
	}
	return AEDB_INVALID;
}

/* Agreement. */

struct pair {
	size_t key_bytes, value_bytes;
	uint8_t *bytes;		/* owned: both */
};

struct pairs {
	struct pair *at;	/* owned, in the order of keys when sorted */
	size_t n;
};

static void pair_add(struct pairs *pairs, struct aedb_bytes of_key,
		     struct aedb_bytes value)
{
	struct pair *pair;

	if (pairs->n % 256 == 0)
		pairs->at = realloc(pairs->at,
				    (pairs->n + 256) * sizeof(*pairs->at));
	pair = &pairs->at[pairs->n++];
	*pair = (struct pair){ of_key.n, value.n, malloc(of_key.n + value.n + 1) };
	if (of_key.n)
		memcpy(pair->bytes, of_key.at, of_key.n);
	if (value.n)
		memcpy(pair->bytes + of_key.n, value.at, value.n);
}

static void pairs_free(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		free(pairs->at[i].bytes);
	free(pairs->at);
}

static int pair_compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	size_t least = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
	int order = memcmp(x->bytes, y->bytes, least);

	if (order)
		return order;
	return (x->key_bytes > y->key_bytes) - (x->key_bytes < y->key_bytes);
}

static bool pairs_equal(const struct pair *a, const struct pair *b)
{
	return a->key_bytes == b->key_bytes && a->value_bytes == b->value_bytes &&
	       memcmp(a->bytes, b->bytes, a->key_bytes + a->value_bytes) == 0;
}

/* What the indexes are to have of a row. */
static void row_expect(const struct table_schema *schema,
		       const struct aedb_value *values, struct aedb_bytes row_key,
		       struct pairs *pairs)
{
	uint8_t bytes[MEM_KEY_BYTES_MAX];
	struct byte_writer w;

	for (size_t at = 0; at < schema->shape.n_indexes; at++) {
		if (schema->indexes[at].state != TABLE_INDEX_READY ||
		    !table_entry_is_wanted(schema, at, values))
			continue;
		byte_writer_init(&w, bytes, sizeof(bytes));
		table_entry_put_index_key(&w, schema, at, values);
		pair_add(pairs, (struct aedb_bytes){ bytes, byte_writer_used(&w) },
			 table_entry_is_alone(schema, at, values) ?
				 row_key : (struct aedb_bytes){ NULL, 0 });
	}
}

static int rows_take(struct aedb_table *table, const struct aedb_snapshot *view,
		     const struct table_schema *schema, struct pairs *pairs,
		     size_t *ret_rows)
{
	struct aedb_value *values = calloc(schema->shape.n_columns,
					   sizeof(*values));
	uint8_t room[MEM_KEY_BYTES_MAX];
	struct aedb_entry entry, whole;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(table_rows(table), view, &(struct aedb_range){ 0 },
				&scan);

	*ret_rows = 0;
	while (rc == 0 && (rc = aedb_scan_next(scan, &entry)) == 0) {
		struct aedb_bytes row_key = { entry.key, entry.key_bytes };

		++*ret_rows;
		rc = aedb_get(table_rows(table), view, row_key.at, row_key.n,
			      &whole);
		if (rc < 0)
			break;
		rc = table_row_decode(schema, &(struct table_row_source){
			.key = row_key,
			.row = { whole.value, whole.value_bytes },
			.room = room }, NULL, values);
		if (rc == 0)
			row_expect(schema, values, row_key, pairs);
		aedb_unpin(&whole);
	}
	aedb_scan_close(scan);
	free(values);
	return rc;
}

static bool is_of_ready_index(const struct table_schema *schema,
			      const struct aedb_entry *entry)
{
	const uint8_t *bytes = entry->key;

	for (size_t at = 0; at < schema->shape.n_indexes; at++)
		if (schema->indexes[at].number == (bytes[0] << 8 | bytes[1]))
			return schema->indexes[at].state == TABLE_INDEX_READY;
	/* of none: it is to be found */
	return true;
}

static int entries_take(struct aedb_table *table,
			const struct aedb_snapshot *view,
			const struct table_schema *schema, struct pairs *pairs)
{
	struct aedb_entry entry, whole;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(table_entries(table), view,
				&(struct aedb_range){ 0 }, &scan);

	while (rc == 0 && (rc = aedb_scan_next(scan, &entry)) == 0) {
		if (!entry.key_bytes || !is_of_ready_index(schema, &entry))
			continue;
		rc = aedb_get(table_entries(table), view, entry.key,
			      entry.key_bytes, &whole);
		if (rc < 0)
			break;
		pair_add(pairs,
			 (struct aedb_bytes){ entry.key, entry.key_bytes },
			 (struct aedb_bytes){ whole.value, whole.value_bytes });
		aedb_unpin(&whole);
	}
	aedb_scan_close(scan);
	return rc;
}

static int pairs_compare(struct pairs *wanted, const struct pairs *found)
{
	if (wanted->n)
		qsort(wanted->at, wanted->n, sizeof(*wanted->at), pair_compare);
	for (size_t i = 0; i < wanted->n && i < found->n; i++) {
		if (pairs_equal(&wanted->at[i], &found->at[i]))
			continue;
		fprintf(stderr, "entry %zu of the indexes is not as the rows "
			"say\n", i);
		return -1;
	}
	if (wanted->n == found->n)
		return 0;
	fprintf(stderr, "the rows want %zu entries of indexes, there are %zu\n",
		wanted->n, found->n);
	return -1;
}

static int view_agree(struct aedb_table *table, const struct aedb_snapshot *view,
		      size_t *ret_rows)
{
	struct pairs wanted = { 0 }, found = { 0 };
	const struct table_known *known;
	int rc = table_schema_at(table, view, &known);

	if (rc == 0)
		rc = rows_take(table, view, known->schema, &wanted, ret_rows);
	if (rc == AEDB_NOT_FOUND)
		rc = entries_take(table, view, known->schema, &found);
	if (rc == AEDB_NOT_FOUND)
		rc = pairs_compare(&wanted, &found);
	else
		fprintf(stderr, "%d: %s\n", rc, aedb_error_message());
	pairs_free(&wanted);
	pairs_free(&found);
	return rc == 0 ? 0 : -1;
}

int users_agree(struct aedb_table *table, const struct aedb_snapshot *snapshot,
		size_t *ret_rows)
{
	struct aedb_snapshot *own = NULL;
	size_t rows;
	int rc = snapshot ? 0 : aedb_snapshot_open(table->db, &own);

	if (rc == 0)
		rc = view_agree(table, snapshot ? snapshot : own, &rows);
	aedb_snapshot_close(own);
	if (rc == 0 && ret_rows)
		*ret_rows = rows;
	return rc;
}
