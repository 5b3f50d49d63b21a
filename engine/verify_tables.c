/*
 * Rows say which entries each index must have. Of those, and of the entries there
 * are, the number and the sum of hashes are compared: they are in different orders,
 * and need not be looked up one by one. Indexes that are not ready may have fewer.
 */
#include "verify_tables.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hash.h"
#include "read.h"
#include "table.h"
#include "table_entry.h"
#include "table_row.h"

/* Entries of an index, in whatever order. */
struct sum {
	uint64_t n, hashes;
};

struct table_check {
	struct verify_findings *findings;
	const struct aedb_snapshot *view;
	struct aedb_table *table;
	const struct table_schema *schema;
	struct aedb_value *values;	/* owned */
	struct sum wanted[AEDB_INDEXES_MAX], found[AEDB_INDEXES_MAX];
	uint64_t strays;		/* entries of no index */
	const char *path;
};

static void sum_add(struct sum *sum, struct aedb_bytes key,
		    struct aedb_bytes value)
{
	sum->n++;
	sum->hashes += hash_bytes(value.at, value.n,
				  hash_bytes(key.at, key.n, 0));
}

static void row_sum(struct table_check *c, struct aedb_bytes row_key)
{
	static const struct aedb_bytes none = { "", 0 };
	uint8_t key[MEM_KEY_BYTES_MAX];
	struct byte_writer w;

	for (size_t at = 0; at < c->schema->shape.n_indexes; at++) {
		if (!table_entry_is_wanted(c->schema, at, c->values))
			continue;
		byte_writer_init(&w, key, sizeof(key));
		table_entry_put_index_key(&w, c->schema, at, c->values);
		sum_add(&c->wanted[at],
			(struct aedb_bytes){ key, byte_writer_used(&w) },
			table_entry_is_alone(c->schema, at, c->values) ?
				row_key : none);
	}
}

static int row_take(struct table_check *c, const struct aedb_entry *entry)
{
	struct aedb_bytes key = { entry->key, entry->key_bytes };
	uint8_t room[MEM_KEY_BYTES_MAX];
	struct aedb_entry whole;
	int rc = aedb_get(table_rows(c->table), c->view, key.at, key.n, &whole);

	if (rc < 0)
		return rc;
	rc = table_row_decode(c->schema, &(struct table_row_source){
		.key = key, .row = { whole.value, whole.value_bytes },
		.room = room }, NULL, c->values);
	if (rc == 0)
		row_sum(c, key);
	aedb_unpin(&whole);
	return rc;
}

static size_t index_of(const struct table_schema *schema, const uint8_t *key)
{
	size_t at = 0;

	while (at < schema->shape.n_indexes &&
	       schema->indexes[at].number != (key[0] << 8 | key[1]))
		at++;
	return at;
}

static int entry_take(struct table_check *c, const struct aedb_entry *entry)
{
	struct aedb_entry whole;
	size_t at;
	int rc;

	/* the schema */
	if (!entry->key_bytes)
		return 0;
	at = entry->key_bytes < TABLE_ENTRY_NUMBER_BYTES ?
		     c->schema->shape.n_indexes :
		     index_of(c->schema, entry->key);
	if (at == c->schema->shape.n_indexes) {
		c->strays++;
		return 0;
	}
	rc = aedb_get(table_entries(c->table), c->view, entry->key,
		      entry->key_bytes, &whole);
	if (rc < 0)
		return rc;
	sum_add(&c->found[at],
		(struct aedb_bytes){ entry->key, entry->key_bytes },
		(struct aedb_bytes){ whole.value, whole.value_bytes });
	aedb_unpin(&whole);
	return 0;
}

static int each(struct table_check *c, struct aedb_scope *scope,
		int (*take)(struct table_check *c,
			    const struct aedb_entry *entry))
{
	struct aedb_range all = { .from = NULL };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(scope, c->view, &all, &scan);

	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		rc = take(c, &entry);
		if (rc < 0)
			break;
	}
	aedb_scan_close(scan);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static void sums_compare(const struct table_check *c)
{
	for (size_t at = 0; at < c->schema->shape.n_indexes; at++) {
		const struct sum *wanted = &c->wanted[at], *found = &c->found[at];

		if (c->schema->indexes[at].state != TABLE_INDEX_READY ||
		    (wanted->n == found->n && wanted->hashes == found->hashes))
			continue;
		verify_find(c->findings, c->path, 0,
			    "index %s and the rows do not agree: it has %llu "
			    "entries, there should be %llu",
			    c->schema->shape.indexes[at].name,
			    (unsigned long long)found->n,
			    (unsigned long long)wanted->n);
	}
	if (c->strays)
		verify_find(c->findings, c->path, 0,
			    "%llu entries are of no index",
			    (unsigned long long)c->strays);
}

static int opened_check(struct table_check *c)
{
	const struct table_known *known;
	int rc = table_schema_at(c->table, c->view, &known);

	if (rc < 0)
		return rc;
	c->schema = known->schema;
	c->values = calloc(c->schema->shape.n_columns, sizeof(*c->values));
	if (!c->values)
		return err_set(AEDB_NO_MEMORY, "verifying tables: no memory");
	rc = each(c, table_rows(c->table), row_take);
	if (rc == 0)
		rc = each(c, table_entries(c->table), entry_take);
	if (rc == 0)
		sums_compare(c);
	free(c->values);
	return rc;
}

static int table_check(struct verify_findings *findings,
		       const struct aedb_snapshot *view,
		       struct aedb_scope *scope, const char *path)
{
	struct table_check *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(AEDB_NO_MEMORY, "verifying tables: no memory");
	c->findings = findings;
	c->view = view;
	c->path = path;
	rc = table_handle_open(scope, view, strrchr(path, '/') + 1, &c->table);
	if (rc == 0)
		rc = opened_check(c);
	aedb_table_close(c->table);
	free(c);
	return verify_find_error(findings, path, rc);
}

/* Names. */

struct walk {
	struct aedb *db;
	struct verify_findings *findings;
	struct aedb_snapshot *view;	/* owned */
	char project[AEDB_NAME_BYTES_MAX + 1], scope[AEDB_NAME_BYTES_MAX + 1];
	char table[AEDB_NAME_BYTES_MAX + 1];
};

static int name_take(struct aedb_entry *entry, int rc, char *ret)
{
	if (rc < 0)
		return rc;
	memcpy(ret, entry->key, entry->key_bytes);
	ret[entry->key_bytes] = 0;
	aedb_unpin(entry);
	return 0;
}

static int scope_walk(struct walk *w)
{
	char path[3 * AEDB_NAME_BYTES_MAX + 16];
	struct aedb_scope *scope;
	struct aedb_entry entry;
	int rc = aedb_scope_open_at(w->db, w->view, w->project, w->scope, &scope);

	w->table[0] = 0;
	while (rc == 0) {
		rc = read_table_next(w->db, w->view, aedb_scope_id(scope),
				     w->table, &entry);
		rc = name_take(&entry, rc, w->table);
		if (rc < 0)
			break;
		snprintf(path, sizeof(path), "%s/%s.tables/%s", w->project,
			 w->scope, w->table);
		rc = table_check(w->findings, w->view, scope, path);
	}
	aedb_scope_close(scope);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int project_walk(struct walk *w)
{
	struct aedb_entry entry;
	int rc = 0;

	w->scope[0] = 0;
	while (rc == 0) {
		rc = aedb_place_next(w->db, w->view, w->project, w->scope,
				     &entry);
		rc = name_take(&entry, rc, w->scope);
		if (rc == 0)
			rc = scope_walk(w);
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

int verify_tables(struct aedb *db, struct verify_findings *findings)
{
	struct walk w = { .db = db, .findings = findings };
	struct aedb_entry entry;
	int rc = aedb_snapshot_open(db, &w.view);

	while (rc == 0) {
		rc = aedb_place_next(db, w.view, NULL, w.project, &entry);
		rc = name_take(&entry, rc, w.project);
		if (rc == 0)
			rc = project_walk(&w);
	}
	aedb_snapshot_close(w.view);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}
