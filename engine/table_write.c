/*
 * Rows -> operations on their key and on entries of indexes.
 *
 * What a write finds it reads of the newest state, or of the view of its batch, but
 * for what its transaction wrote before; and says so to the transaction. So it is
 * right, or the commit is refused.
 *
 * Invariants:
 * 1. Every index that is ready has exactly the entries that the rows want. One that
 *    is being built has those of all rows written since it was said so, and no entry
 *    that no row wants.
 * 2. What is removed comes before what is added, so that rows of one transaction can
 *    pass on what is unique.
 */
#include "table_write.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "err.h"
#include "snapshot.h"
#include "sync.h"
#include "table_entry.h"
#include "table_row.h"

#define ROW_INLINE_BYTES 2048

static const struct table_schema *schema_of(const struct table_write *w)
{
	return w->known->schema;
}

static size_t columns_of(const struct table_write *w)
{
	return schema_of(w)->shape.n_columns;
}

/* What there was of a row's key. */
struct found {
	struct aedb_entry entry;	/* pinned, unless `own` is set */
	const struct txn_row *own;
	struct aedb_bytes value;
};

/* Reading. */

/* What the transaction sees. AEDB_NOT_FOUND. */
static int key_look(struct table_write *w, struct aedb_scope *scope,
		    const struct table_write_key *key, struct found *ret)
{
	struct op_key op_key = { scope->space.id, key->bytes, key->n };
	int rc;

	*ret = (struct found){ .own = txn_rows_find(w->txn->rows, &op_key) };
	if (ret->own) {
		if (!ret->own->value)
			return AEDB_NOT_FOUND;
		ret->value = (struct aedb_bytes){ ret->own->value->bytes,
						  ret->own->value->n };
		return 0;
	}
	rc = aedb_get(scope, w->view, key->bytes, key->n, &ret->entry);
	if (rc == 0)
		ret->value = (struct aedb_bytes){ ret->entry.value,
						  ret->entry.value_bytes };
	return rc;
}

/* The same, and the commit is to find it so. */
static int key_read(struct table_write *w, struct aedb_scope *scope,
		    const struct table_write_key *key, struct found *ret)
{
	int rc = txn_read_point_of_table(w->txn, scope, key->bytes, key->n);

	return rc < 0 ? rc : key_look(w, scope, key, ret);
}

static void found_release(struct found *found)
{
	if (!found->own)
		aedb_unpin(&found->entry);
}

/* Writing. */

/* Puts or, with value NULL, deletes a key of the table. */
static int key_write(struct table_write *w, struct aedb_scope *scope,
		     const struct aedb_put *put)
{
	struct op_key key = { scope->space.id, put->key, put->key_bytes };

	switch (w->phase) {
	case TABLE_WRITE_CHECK:
		return 0;
	case TABLE_WRITE_ADD:
		return put->value ? txn_put_of_table(w->txn, scope, put) :
				    txn_delete_of_table(w->txn, scope, put->key,
							put->key_bytes);
	case TABLE_WRITE_REMEMBER:
		break;
	}
	return txn_rows_set(&w->txn->rows, &key, put->value, put->value_bytes);
}

static int row_put(struct table_write *w, const struct table_write_key *key,
		   const struct aedb_value *values, bool must_be_new)
{
	uint8_t inlined[ROW_INLINE_BYTES], *row = inlined;
	size_t n;
	int rc = table_row_bytes(schema_of(w), values, &n);

	if (rc < 0)
		return rc;
	if (n > sizeof(inlined))
		row = malloc(n);
	if (!row)
		return err_set(AEDB_NO_MEMORY, "no memory for a row");
	table_row_encode(schema_of(w), values, row);
	rc = key_write(w, table_rows(w->table), &(struct aedb_put){
		.key = key->bytes, .key_bytes = key->n, .value = row,
		.value_bytes = n, .must_be_new = must_be_new });
	if (row != inlined)
		free(row);
	return rc;
}

static int row_delete(struct table_write *w, const struct table_write_key *key)
{
	return key_write(w, table_rows(w->table), &(struct aedb_put){
		.key = key->bytes, .key_bytes = key->n });
}

/* An entry of an index; one of a unique index has the row's key as its value. */
struct index_entry {
	bool is_wanted, is_alone;
	struct table_write_key key;
};

/* index: the name of the one that the entry is of; NULL: it is a row's key. */
static int key_check(const struct table_write *w, const char *index,
		     struct byte_writer *writer, size_t *ret)
{
	uint32_t max = w->table->db->options.key_bytes_max;

	*ret = byte_writer_used(writer);
	if (!writer->is_full && *ret <= max)
		return 0;
	return err_set(AEDB_TOO_LARGE,
		       "a row's %s%s has over %u bytes (key_bytes_max)",
		       index ? "entry in index " : "key", index ? index : "",
		       max);
}

static int entry_make(const struct table_write *w, size_t at,
		      const struct aedb_value *values, struct index_entry *ret)
{
	struct byte_writer writer;

	ret->is_wanted = table_entry_is_wanted(schema_of(w), at, values);
	if (!ret->is_wanted)
		return 0;
	ret->is_alone = table_entry_is_alone(schema_of(w), at, values);
	byte_writer_init(&writer, ret->key.bytes, sizeof(ret->key.bytes));
	table_entry_put_index_key(&writer, schema_of(w), at, values);
	return key_check(w, schema_of(w)->shape.indexes[at].name, &writer,
			 &ret->key.n);
}

static bool entries_equal(const struct index_entry *a,
			  const struct index_entry *b)
{
	return a->is_wanted && b->is_wanted && a->key.n == b->key.n &&
	       memcmp(a->key.bytes, b->key.bytes, a->key.n) == 0;
}

static bool is_of_row(const struct found *found,
		      const struct table_write_key *row)
{
	return found->value.n == row->n &&
	       memcmp(found->value.at, row->bytes, row->n) == 0;
}

/* In an index that is being built: 1 if the row's entry is there. */
static int entry_is_there(struct table_write *w, const struct index_entry *entry,
			  const struct table_write_key *row)
{
	struct found found;
	int rc = key_read(w, table_entries(w->table), &entry->key, &found);

	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	rc = !entry->is_alone || is_of_row(&found, row);
	found_release(&found);
	return rc;
}

static int entry_delete(struct table_write *w, size_t at,
			const struct index_entry *entry,
			const struct table_write_key *row)
{
	int rc = 1;

	if (w->phase == TABLE_WRITE_ADD &&
	    schema_of(w)->indexes[at].state == TABLE_INDEX_BUILDING)
		rc = entry_is_there(w, entry, row);
	if (rc <= 0)
		return rc;
	return key_write(w, table_entries(w->table), &(struct aedb_put){
		.key = entry->key.bytes, .key_bytes = entry->key.n });
}

static int not_unique(const struct table_write *w, size_t at)
{
	return err_set(AEDB_EXISTS, "another row agrees in the unique index %s",
		       schema_of(w)->shape.indexes[at].name);
}

/* Nobody has it but the row that gives it up (NULL: none does); who comes meanwhile
 * the commit finds. */
static int unique_check(struct table_write *w, size_t at,
			const struct index_entry *entry,
			const struct table_write_key *from)
{
	struct found found;
	int rc = key_look(w, table_entries(w->table), &entry->key, &found);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc == 0 && !(from && is_of_row(&found, from)))
		rc = not_unique(w, at);
	if (rc != AEDB_NOT_FOUND)
		found_release(&found);
	return rc;
}

static int entry_put(struct table_write *w, const struct index_entry *entry,
		     const struct table_write_key *row)
{
	struct aedb_put put = { .key = entry->key.bytes,
				.key_bytes = entry->key.n, .value = "" };

	if (entry->is_alone) {
		put.must_be_new = true;
		put.value = row->bytes;
		put.value_bytes = row->n;
	}
	return key_write(w, table_entries(w->table), &put);
}

/* Rows. */

static int row_key_make(const struct table_write *w,
			const struct aedb_value *values,
			struct table_write_key *ret)
{
	struct byte_writer writer;

	byte_writer_init(&writer, ret->bytes, sizeof(ret->bytes));
	table_entry_put_row_key(&writer, schema_of(w), values);
	return key_check(w, NULL, &writer, &ret->n);
}

/* A row before or after the write; values NULL: there is none. */
struct row {
	struct table_write_key key;
	const struct aedb_value *values;
};

static bool is_kept(const struct table_write *w, size_t at)
{
	return schema_of(w)->indexes[at].state != TABLE_INDEX_DROPPING;
}

static bool is_same_key(const struct row *a, const struct row *b)
{
	return a->values && b->values && a->key.n == b->key.n &&
	       memcmp(a->key.bytes, b->key.bytes, a->key.n) == 0;
}

/* The entries of both rows in an index: 1, or 0: nothing changes in it. */
static int entries_make(const struct table_write *w, size_t at,
			const struct row *from, const struct row *to,
			struct index_entry entries[2])
{
	int rc = 0;

	entries[0].is_wanted = entries[1].is_wanted = false;
	if (!is_kept(w, at))
		return 0;
	if (from->values)
		rc = entry_make(w, at, from->values, &entries[0]);
	if (rc == 0 && to->values)
		rc = entry_make(w, at, to->values, &entries[1]);
	if (rc < 0)
		return rc;
	return !(is_same_key(from, to) &&
		 entries_equal(&entries[0], &entries[1]));
}

static int old_entries_delete(struct table_write *w, const struct row *from,
			      const struct row *to)
{
	struct index_entry entries[2];
	int rc = 0;

	for (size_t at = 0; at < schema_of(w)->shape.n_indexes && rc == 0; at++) {
		rc = entries_make(w, at, from, to, entries);
		if (rc > 0)
			rc = entries[0].is_wanted ?
				     entry_delete(w, at, &entries[0],
						  &from->key) : 0;
	}
	return rc;
}

static int new_entries_put(struct table_write *w, const struct row *from,
			   const struct row *to)
{
	struct index_entry entries[2];
	int rc = 0;

	for (size_t at = 0; at < schema_of(w)->shape.n_indexes && rc == 0; at++) {
		rc = entries_make(w, at, from, to, entries);
		if (rc <= 0)
			continue;
		rc = 0;
		if (w->phase == TABLE_WRITE_CHECK && entries[1].is_wanted &&
		    entries[1].is_alone)
			rc = unique_check(w, at, &entries[1],
					  from->values ? &from->key : NULL);
		if (rc == 0 && entries[1].is_wanted)
			rc = entry_put(w, &entries[1], &to->key);
	}
	return rc;
}

/* From one row to another; either may be none. */
struct replacement {
	const struct row *from, *to;
	bool must_be_new;
};

static int replacement_pass(struct table_write *w, const struct replacement *r)
{
	const struct row *from = r->from, *to = r->to;
	int rc = from->values ? old_entries_delete(w, from, to) : 0;

	if (rc == 0 && from->values && !is_same_key(from, to))
		rc = row_delete(w, &from->key);
	if (rc == 0 && to->values)
		rc = row_put(w, &to->key, to->values, r->must_be_new);
	return rc == 0 && to->values ? new_entries_put(w, from, to) : rc;
}

/* All of it is in the transaction, or nothing. */
static int row_replace(struct table_write *w, const struct row *from,
		       const struct row *to, bool must_be_new)
{
	struct replacement r = { from, to, must_be_new };
	const struct txn_savepoint before = txn_savepoint(w->txn);
	int rc = 0;

	w->phase = w->is_alone ? TABLE_WRITE_ADD : TABLE_WRITE_CHECK;
	do
		rc = replacement_pass(w, &r);
	while (rc == 0 && !w->is_alone && w->phase++ < TABLE_WRITE_REMEMBER);
	if (rc < 0)
		txn_roll_back(w->txn, &before);
	/* what it did itself is not known any more */
	if (rc < 0 && w->phase == TABLE_WRITE_REMEMBER)
		w->txn->rows->is_broken = true;
	return rc;
}

static bool has_indexes(const struct table_write *w)
{
	for (size_t at = 0; at < schema_of(w)->shape.n_indexes; at++)
		if (is_kept(w, at))
			return true;
	return false;
}

/* A schema that came since may be that of the row. One that could not be written is
 * never seen, but then nothing is written any more. */
static int table_changed(struct aedb *db)
{
	if (atomic_load(&db->commits.is_failed))
		return sync_failed_error(db);
	return err_set(AEDB_CONFLICT,
		       "the table's columns or indexes were changed meanwhile");
}

/* The values of what was found, in w->old. What they lie in is found->value and room,
 * which has MEM_KEY_BYTES_MAX. */
static int old_decode(struct table_write *w, const struct table_write_key *key,
		      const struct found *found, uint8_t *room)
{
	int rc = table_row_decode(schema_of(w), &(struct table_row_source){
		.key = { key->bytes, key->n }, .row = found->value,
		.room = room }, NULL, w->old);

	if (!w->view && !table_known_is_newest(w->table, w->known))
		return table_changed(w->table->db);
	return rc < 0 ? err_set(rc, "a row cannot be read: %s",
				aedb_error_message()) : 0;
}

/* The row before, if there is any. */
struct before {
	struct row row;
	struct found found;
	uint8_t room[MEM_KEY_BYTES_MAX];
};

static int before_read(struct table_write *w, struct before *ret)
{
	int rc = key_read(w, table_rows(w->table), &ret->row.key, &ret->found);

	if (rc < 0)
		return rc;
	rc = old_decode(w, &ret->row.key, &ret->found, ret->room);
	if (rc < 0)
		found_release(&ret->found);
	else
		ret->row.values = w->old;
	return rc;
}

static void before_release(struct before *before)
{
	if (before->row.values)
		found_release(&before->found);
}

/* Somebody has the key already: what a commit of its own finds by itself. */
static int new_check(struct table_write *w, const struct table_write_key *key)
{
	struct found found;
	int rc = key_look(w, table_rows(w->table), key, &found);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	found_release(&found);
	return err_set(AEDB_EXISTS, "there is a row with this key");
}

int table_write_insert(struct table_write *w, const struct aedb_cell *cells,
		       size_t n)
{
	static const struct row none;
	struct row row;
	int rc = table_row_fill(schema_of(w), cells, n, w->values);

	if (rc < 0)
		return rc;
	row.values = w->values;
	rc = row_key_make(w, w->values, &row.key);
	if (rc == 0 && !w->is_alone)
		rc = new_check(w, &row.key);
	return rc < 0 ? rc : row_replace(w, &none, &row, true);
}

int table_write_upsert(struct table_write *w, const struct aedb_cell *cells,
		       size_t n)
{
	struct before before;
	struct row row;
	int rc = table_row_fill(schema_of(w), cells, n, w->values);

	if (rc < 0)
		return rc;
	row.values = w->values;
	rc = row_key_make(w, w->values, &row.key);
	if (rc < 0)
		return rc;
	before.row.values = NULL;
	if (!has_indexes(w))
		return row_replace(w, &before.row, &row, false);
	before.row.key.n = row.key.n;
	memcpy(before.row.key.bytes, row.key.bytes, row.key.n);
	rc = before_read(w, &before);
	if (rc == 0 || rc == AEDB_NOT_FOUND)
		rc = row_replace(w, &before.row, &row, false);
	before_release(&before);
	return rc;
}

int table_write_update(struct table_write *w, const struct aedb_value *key,
		       const struct aedb_cell *cells, size_t n)
{
	struct before before;
	struct row row;
	int rc;

	before.row.values = NULL;
	rc = table_make_key(schema_of(w), key, before.row.key.bytes,
			    &before.row.key.n);
	if (rc == 0)
		rc = before_read(w, &before);
	if (rc < 0)
		return rc;
	memcpy(w->values, w->old, columns_of(w) * sizeof(*w->values));
	rc = table_row_change(schema_of(w), cells, n, w->values);
	row.values = w->values;
	if (rc == 0)
		rc = row_key_make(w, w->values, &row.key);
	if (rc == 0 && !is_same_key(&before.row, &row) && !w->is_alone)
		rc = new_check(w, &row.key);
	if (rc == 0)
		rc = row_replace(w, &before.row, &row,
				 !is_same_key(&before.row, &row));
	before_release(&before);
	return rc;
}

int table_write_delete(struct table_write *w, const struct aedb_value *key)
{
	static const struct row none;
	struct before before;
	int rc;

	before.row.values = NULL;
	rc = table_make_key(schema_of(w), key, before.row.key.bytes,
			    &before.row.key.n);
	if (rc < 0)
		return rc;
	w->phase = TABLE_WRITE_ADD;
	if (w->is_alone && !has_indexes(w))
		return row_delete(w, &before.row.key);
	rc = before_read(w, &before);
	if (rc == 0)
		rc = row_replace(w, &before.row, &none, false);
	before_release(&before);
	return rc;
}

int table_write_entry(struct table_write *w, size_t at,
		      const struct aedb_value *values,
		      struct aedb_bytes row_key_bytes)
{
	struct table_write_key row;
	struct index_entry entry;
	struct found found;
	int rc = entry_make(w, at, values, &entry);

	if (rc < 0 || !entry.is_wanted)
		return rc;
	row.n = row_key_bytes.n;
	memcpy(row.bytes, row_key_bytes.at, row.n);
	w->phase = TABLE_WRITE_ADD;
	rc = key_read(w, table_entries(w->table), &entry.key, &found);
	if (rc == 0) {
		if (entry.is_alone && !is_of_row(&found, &row))
			rc = not_unique(w, at);
		found_release(&found);
		return rc;
	}
	return rc == AEDB_NOT_FOUND ? entry_put(w, &entry, &row) : rc;
}

/* Beginning and end. */

static int values_make(struct table_write *w)
{
	size_t n = columns_of(w);

	w->values = w->inlined[0];
	w->old = w->inlined[1];
	if (n <= TABLE_WRITE_COLUMNS)
		return 0;
	w->values = calloc(2 * n, sizeof(*w->values));
	if (!w->values)
		return err_set(AEDB_NO_MEMORY, "no memory for a row");
	w->old = w->values + n;
	return 0;
}

void table_write_end(struct table_write *w)
{
	txn_rows_settle(w->txn->rows);
	if (w->values != w->inlined[0])
		free(w->values);
}

int table_write_begin(struct table_write *w, struct aedb_txn *txn,
		      struct aedb_table *table)
{
	int rc = 0;

	w->txn = txn;
	w->table = table;
	w->view = txn->batch ? &txn->batch->view : NULL;
	w->is_alone = false;
	w->values = w->inlined[0];
	if (txn->db != table->db)
		return err_set(AEDB_INVALID, "the table is another database's");
	if (txn->batch)
		rc = batch_note_table(txn->batch, table->state->id);
	if (rc == 0)
		rc = table_schema_at(table, w->view, &w->known);
	if (rc == 0)
		rc = txn_note_schema(txn, table->state, txn->batch ?
				     w->view->seq : atomic_load(&w->known->upto));
	return rc < 0 ? rc : values_make(w);
}
