/* What a transaction knows of tables. */
#include "txn_rows.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hash.h"

#define BUCKETS_MIN 16
#define SCHEMAS_STEP 8

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for rows of a transaction");
}

static int rows_make(struct txn_rows **rows)
{
	if (!*rows)
		*rows = calloc(1, sizeof(**rows));
	return *rows ? 0 : no_memory();
}

int txn_rows_add_schema(struct txn_rows **rows, struct txn_schema schema)
{
	struct txn_schema *grown;
	struct txn_rows *r;
	int rc = rows_make(rows);

	if (rc < 0)
		return rc;
	r = *rows;
	if (r->n_schemas % SCHEMAS_STEP == 0) {
		grown = reallocarray(r->schemas, r->n_schemas + SCHEMAS_STEP,
				     sizeof(*grown));
		if (!grown)
			return no_memory();
		r->schemas = grown;
	}
	r->schemas[r->n_schemas++] = schema;
	return 0;
}

static uint64_t hash_of(const struct op_key *key)
{
	return hash_bytes(key->at, key->n, key->tree);
}

static bool is_of(const struct txn_row *row, const struct op_key *key,
		  uint64_t hash)
{
	return row->hash == hash && row->tree == key->tree &&
	       row->key_bytes == key->n &&
	       (!key->n || memcmp(row->key, key->at, key->n) == 0);
}

static struct txn_row **link_of(const struct txn_rows *rows,
				const struct op_key *key, uint64_t hash)
{
	struct txn_row **link = &rows->buckets[hash & (rows->n_buckets - 1)];

	while (*link && !is_of(*link, key, hash))
		link = &(*link)->next;
	return link;
}

static int buckets_grow(struct txn_rows *rows)
{
	size_t n = rows->n_buckets ? rows->n_buckets * 2 : BUCKETS_MIN;
	struct txn_row **grown = calloc(n, sizeof(*grown));

	if (!grown)
		return no_memory();
	for (size_t i = 0; i < rows->n_buckets; i++) {
		while (rows->buckets[i]) {
			struct txn_row *row = rows->buckets[i];

			rows->buckets[i] = row->next;
			row->next = grown[row->hash & (n - 1)];
			grown[row->hash & (n - 1)] = row;
		}
	}
	free(rows->buckets);
	rows->buckets = grown;
	rows->n_buckets = n;
	return 0;
}

static int row_add(struct txn_rows *rows, const struct op_key *key,
		   uint64_t hash, struct txn_row **ret)
{
	struct txn_row *row, **link;
	int rc = rows->n < rows->n_buckets ? 0 : buckets_grow(rows);

	if (rc < 0)
		return rc;
	row = malloc(sizeof(*row) + key->n);
	if (!row)
		return no_memory();
	link = &rows->buckets[hash & (rows->n_buckets - 1)];
	*row = (struct txn_row){ .next = *link, .tree = key->tree,
				 .hash = hash, .key_bytes = key->n };
	if (key->n)
		memcpy(row->key, key->at, key->n);
	*link = row;
	rows->n++;
	*ret = row;
	return 0;
}

static int value_new(const void *bytes, size_t n, struct txn_value **ret)
{
	struct txn_value *value = malloc(sizeof(*value) + n);

	if (!value)
		return no_memory();
	value->n = n;
	if (n)
		memcpy(value->bytes, bytes, n);
	*ret = value;
	return 0;
}

static void value_replace(struct txn_rows *rows, struct txn_row *row,
			  struct txn_value *value)
{
	if (row->value) {
		row->value->next = rows->replaced;
		rows->replaced = row->value;
	}
	row->value = value;
}

int txn_rows_set(struct txn_rows **rows, const struct op_key *key,
		 const void *value, size_t value_bytes)
{
	uint64_t hash = hash_of(key);
	struct txn_value *copy = NULL;
	struct txn_row *row = NULL;
	int rc = rows_make(rows);

	if (rc == 0 && value)
		rc = value_new(value, value_bytes, &copy);
	if (rc < 0)
		return rc;
	if ((*rows)->n_buckets)
		row = *link_of(*rows, key, hash);
	if (!row)
		rc = row_add(*rows, key, hash, &row);
	if (rc < 0)
		free(copy);
	else
		value_replace(*rows, row, copy);
	return rc;
}

const struct txn_row *txn_rows_find(const struct txn_rows *rows,
				    const struct op_key *key)
{
	if (!rows || !rows->n_buckets)
		return NULL;
	return *link_of(rows, key, hash_of(key));
}

void txn_rows_settle(struct txn_rows *rows)
{
	while (rows && rows->replaced) {
		struct txn_value *value = rows->replaced;

		rows->replaced = value->next;
		free(value);
	}
}

bool txn_rows_has_tree(const struct txn_rows *rows, uint64_t tree)
{
	for (size_t i = 0; rows && i < rows->n_buckets; i++)
		for (const struct txn_row *row = rows->buckets[i]; row;
		     row = row->next)
			if (row->tree == tree)
				return true;
	return false;
}

void txn_rows_free(struct txn_rows *rows, struct catalog *catalog)
{
	if (!rows)
		return;
	for (size_t i = 0; i < rows->n_schemas; i++)
		if (rows->schemas[i].is_held)
			catalog_unref(catalog, rows->schemas[i].state);
	for (size_t i = 0; i < rows->n_buckets; i++) {
		while (rows->buckets[i]) {
			struct txn_row *row = rows->buckets[i];

			rows->buckets[i] = row->next;
			free(row->value);
			free(row);
		}
	}
	txn_rows_settle(rows);
	free(rows->buckets);
	free(rows->schemas);
	free(rows);
}
