/*
 * Indexes of tables that have rows.
 *
 * States of an index: *building*, those who write keep it from then on, and it gets
 * the entries of rows that were there before, some in each commit; *ready*, when it
 * has all, and queries use it; *dropping*, nobody keeps it, and its entries are
 * removed, some in each commit. One that is building when the database ends, or whose
 * rows turn out not to agree with it, is dropping next.
 *
 * Each commit counts only if the schema is still the one it goes by, and if the rows
 * that it made entries of were not changed since: then whoever changed them made the
 * entries, and it is tried again with fewer rows.
 */
#include "table_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "err.h"
#include "snapshot.h"
#include "table_change.h"
#include "table_entry.h"
#include "table_row.h"
#include "txn_access.h"

#define PIECE_MAX 4096	/* rows or entries of a commit */

/* An index by its number, and what becomes of it. */
struct transition {
	uint16_t number;
	enum table_index_state to;
};

static int place_of(const struct table_schema *schema, uint16_t number,
		    size_t *ret)
{
	for (size_t at = 0; at < schema->shape.n_indexes; at++) {
		if (schema->indexes[at].number == number) {
			*ret = at;
			return 0;
		}
	}
	return err_set(AEDB_NOT_FOUND, "the index does not exist any more");
}

static int transition_make(const struct table_schema *schema, const void *arg,
			   struct table_schema **ret)
{
	const struct transition *t = arg;
	size_t at = 0;
	int rc = place_of(schema, t->number, &at);

	return rc < 0 ? rc : table_schema_set_state(schema, at, t->to, ret);
}

static int removal_make(const struct table_schema *schema, const void *arg,
			struct table_schema **ret)
{
	const struct transition *t = arg;
	size_t at = 0;
	int rc = place_of(schema, t->number, &at);

	return rc < 0 ? rc : table_schema_remove_index(schema, at, ret);
}

static int index_set_state(struct aedb_table *table, uint16_t number,
			   enum table_index_state to)
{
	struct transition t = { number, to };

	return table_change_commit(table, &(struct table_change){
		.make = transition_make, .arg = &t });
}

/* Pieces. */

/* What is done in pieces, in the order of keys. */
struct pieces {
	struct aedb_table *table;
	uint16_t number;	/* of the index */
	size_t max;		/* rows or entries in the next one */
	struct table_write_key from;	/* it begins here */
	bool has_ended;
};

static size_t piece_max(const struct aedb_table *table)
{
	uint32_t ops = table->db->options.txn_ops_max;

	return ops < PIECE_MAX ? ops : PIECE_MAX;
}

/* Behind this key. */
static void from_set(struct pieces *p, const struct aedb_entry *entry)
{
	memcpy(p->from.bytes, entry->key, entry->key_bytes);
	p->from.bytes[entry->key_bytes] = 0;
	p->from.n = entry->key_bytes + 1;
}

/* Whether a piece that failed is to be tried again, with less in it. */
static bool is_tried_again(struct pieces *p, int rc)
{
	if (rc == AEDB_CONFLICT) {
		p->max = p->max > 1 ? p->max / 2 : 1;
		return true;
	}
	if (rc != AEDB_TOO_LARGE || p->max == 1)
		return false;
	p->max /= 2;
	return true;
}

static int pieces_run(struct pieces *p, int (*piece)(struct pieces *p))
{
	size_t max = piece_max(p->table);
	int rc = 0;

	p->max = max;
	while (rc == 0 && !p->has_ended) {
		struct table_write_key from = p->from;

		rc = piece(p);
		if (rc == 0) {
			p->max = p->max < max / 2 ? p->max * 2 : max;
		} else if (is_tried_again(p, rc)) {
			p->from = from;
			p->has_ended = false;
			rc = 0;
		}
	}
	return rc;
}

/* Entries of rows. */

/* A row that a scan gave, whose value may lie elsewhere. */
static int row_decode(struct table_write *w, const struct aedb_snapshot *view,
		      const struct aedb_entry *entry, size_t at)
{
	struct aedb_bytes key = { entry->key, entry->key_bytes };
	uint8_t room[MEM_KEY_BYTES_MAX];
	struct aedb_entry whole = { .value = entry->value,
				    .value_bytes = entry->value_bytes };
	int rc = 0;

	if (!entry->value && entry->value_bytes)
		rc = aedb_get(table_rows(w->table), view, key.at, key.n, &whole);
	if (rc < 0)
		return rc;
	rc = table_row_decode(w->known->schema, &(struct table_row_source){
		.key = key, .row = { whole.value, whole.value_bytes },
		.room = room }, NULL, w->values);
	if (rc == 0)
		rc = table_write_entry(w, at, w->values, key);
	aedb_unpin(&whole);
	return rc;
}

/* A row that another one agrees with may have been changed since it was scanned. */
static int agreement_check(struct table_write *w, const struct aedb_entry *row)
{
	struct aedb_entry now;
	int rc = aedb_stat(table_rows(w->table), w->view, row->key,
			   row->key_bytes, &now);
	bool is_same = rc == 0 && now.version == row->version;

	if (rc == 0)
		aedb_unpin(&now);
	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return rc;
	return is_same ? AEDB_EXISTS :
			 err_set(AEDB_CONFLICT, "the row was changed meanwhile");
}

/* Up to p->max rows of a scan. */
static int rows_take(struct pieces *p, struct table_write *w, size_t at,
		     const struct aedb_snapshot *view, struct aedb_scan *scan)
{
	struct aedb_entry entry;
	int rc = 0;

	for (size_t i = 0; i < p->max && rc == 0; i++) {
		rc = aedb_scan_next(scan, &entry);
		if (rc < 0)
			break;
		rc = row_decode(w, view, &entry, at);
		if (rc == AEDB_EXISTS)
			rc = agreement_check(w, &entry);
		from_set(p, &entry);
	}
	p->has_ended = rc == AEDB_NOT_FOUND;
	return p->has_ended ? 0 : rc;
}

/* What was gone over must still be so. */
static int rows_fill(struct pieces *p, struct table_write *w, size_t at,
		     const struct aedb_snapshot *view)
{
	struct aedb_range range = { .from = p->from.bytes,
				    .from_bytes = p->from.n };
	struct table_write_key from = p->from;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(table_rows(p->table), view, &range, &scan);

	if (rc < 0)
		return rc;
	rc = rows_take(p, w, at, view, scan);
	aedb_scan_close(scan);
	range = (struct aedb_range){ .from = from.bytes, .from_bytes = from.n };
	if (!p->has_ended) {
		range.to = p->from.bytes;
		range.to_bytes = p->from.n;
	}
	return rc < 0 ? rc : txn_read_range_of_table(w->txn, table_rows(p->table),
						 &range);
}

int table_index_fill(struct table_write *w, size_t at)
{
	struct pieces all = { .table = w->table, .max = SIZE_MAX };
	struct aedb_snapshot *own = NULL;
	int rc = w->view ? 0 : aedb_snapshot_open(w->table->db, &own);

	if (rc == 0)
		rc = rows_fill(&all, w, at, own ? own : w->view);
	aedb_snapshot_close(own);
	return rc;
}

static int build_in(struct pieces *p, struct aedb_txn *txn,
		    const struct aedb_snapshot *view)
{
	struct table_write w;
	size_t at = 0;
	seq_t seq;
	int rc = table_write_begin(&w, txn, p->table);

	w.is_alone = true;
	if (rc == 0)
		rc = place_of(w.known->schema, p->number, &at);
	if (rc == 0)
		rc = rows_fill(p, &w, at, view);
	table_write_end(&w);
	return rc == 0 && txn->n_ops ? commit_run(txn, &seq) : rc;
}

static int build_piece(struct pieces *p)
{
	struct aedb_snapshot *view;
	struct aedb_txn txn;
	int rc = aedb_snapshot_open(p->table->db, &view);

	if (rc < 0)
		return rc;
	txn_init(&txn, p->table->db);
	aedb_txn_set_base(&txn, aedb_snapshot_seq(view));
	rc = build_in(p, &txn, view);
	txn_release(&txn);
	aedb_snapshot_close(view);
	return rc;
}

/* Removing. */

static int entries_take(struct pieces *p, struct aedb_txn *txn,
			struct aedb_scan *scan)
{
	struct aedb_entry entry;
	int rc = 0;

	for (size_t i = 0; i < p->max && rc == 0; i++) {
		rc = aedb_scan_next(scan, &entry);
		if (rc < 0)
			break;
		rc = txn_delete_of_table(txn, table_entries(p->table), entry.key,
					 entry.key_bytes);
		from_set(p, &entry);
	}
	p->has_ended = rc == AEDB_NOT_FOUND;
	return p->has_ended ? 0 : rc;
}

static int remove_in(struct pieces *p, struct aedb_txn *txn)
{
	uint8_t number[TABLE_ENTRY_NUMBER_BYTES];
	const struct table_known *known;
	struct aedb_range range = { .prefix = number,
				    .prefix_bytes = sizeof(number),
				    .from = p->from.bytes,
				    .from_bytes = p->from.n };
	struct byte_writer w;
	struct aedb_scan *scan;
	seq_t seq;
	int rc = table_schema_at(p->table, NULL, &known);

	if (rc == 0)
		rc = txn_note_schema(txn, p->table->state,
				     atomic_load(&known->upto));
	if (rc < 0)
		return rc;
	byte_writer_init(&w, number, sizeof(number));
	table_entry_put_number(&w, p->number);
	rc = aedb_scan_open(table_entries(p->table), NULL, &range, &scan);
	if (rc < 0)
		return rc;
	rc = entries_take(p, txn, scan);
	aedb_scan_close(scan);
	return rc == 0 && txn->n_ops ? commit_run(txn, &seq) : rc;
}

static int remove_piece(struct pieces *p)
{
	struct aedb_txn txn;
	int rc;

	txn_init(&txn, p->table->db);
	rc = remove_in(p, &txn);
	txn_release(&txn);
	return rc;
}

/* Of an index that is dropping. */
static int index_remove(struct aedb_table *table, uint16_t number)
{
	struct pieces p = { .table = table, .number = number };
	struct transition t = { .number = number };
	int rc = pieces_run(&p, remove_piece);

	return rc < 0 ? rc : table_change_commit(table, &(struct table_change){
		.make = removal_make, .arg = &t });
}

static int index_give_up(struct aedb_table *table, uint16_t number)
{
	int rc = index_set_state(table, number, TABLE_INDEX_DROPPING);

	return rc < 0 ? rc : index_remove(table, number);
}

/* All of it. */

static int job_begin(struct aedb_table *table)
{
	if (!atomic_exchange(&table->state->is_changing, true))
		return 0;
	return err_set(AEDB_BUSY, "an index of the table is being made or removed");
}

static void job_end(struct aedb_table *table)
{
	atomic_store(&table->state->is_changing, false);
}

static int index_number(struct aedb_table *table, const char *name,
			uint16_t *ret)
{
	const struct table_known *known;
	size_t at;
	int rc = table_schema_at(table, NULL, &known);

	if (rc == 0)
		rc = table_schema_find_index(known->schema, name, &at);
	if (rc == 0)
		*ret = known->schema->indexes[at].number;
	return rc;
}

/* Whether the rows that there are cannot have the index. */
static bool rows_forbid(int rc)
{
	return rc == AEDB_EXISTS || rc == AEDB_TOO_LARGE;
}

/* Gives it up for the error whose message was set. */
static int index_refuse(struct aedb_table *table, uint16_t number, int why)
{
	char message[ERR_MESSAGE_BYTES];
	int rc;

	snprintf(message, sizeof(message), "%s", err_message());
	rc = index_give_up(table, number);
	return rc < 0 ? rc : err_set(why, "%s", message);
}

static int index_build(struct aedb_table *table, const struct aedb_alter *alter)
{
	struct pieces p = { .table = table };
	int rc = table_change_alter(table, alter);

	if (rc == 0)
		rc = index_number(table, alter->index->name, &p.number);
	if (rc < 0)
		return rc;
	rc = pieces_run(&p, build_piece);
	if (rc == 0)
		return index_set_state(table, p.number, TABLE_INDEX_READY);
	return rows_forbid(rc) ? index_refuse(table, p.number, rc) : rc;
}

int table_index_add(struct aedb_table *table, const struct aedb_alter *alter)
{
	int rc = job_begin(table);

	if (rc < 0)
		return rc;
	rc = index_build(table, alter);
	job_end(table);
	return rc;
}

int table_index_drop(struct aedb_table *table, const struct aedb_alter *alter)
{
	uint16_t number;
	int rc = job_begin(table);

	if (rc < 0)
		return rc;
	rc = index_number(table, alter->name, &number);
	if (rc == 0)
		rc = table_change_alter(table, alter);
	/* it is gone by now: what this leaves, table_index_finish removes */
	if (rc == 0)
		(void)index_remove(table, number);
	job_end(table);
	return rc;
}

/* The first index that nobody is at work on any more: 1, or 0: there is none. */
static int left_find(struct aedb_table *table, struct transition *ret)
{
	const struct table_known *known;
	int rc = table_schema_at(table, NULL, &known);

	for (size_t at = 0; rc == 0 && at < known->schema->shape.n_indexes; at++) {
		const struct table_index *index = &known->schema->indexes[at];

		if (index->state == TABLE_INDEX_READY)
			continue;
		*ret = (struct transition){ index->number, index->state };
		rc = 1;
	}
	return rc;
}

void table_index_finish(struct aedb_table *table)
{
	struct transition left;
	int rc;

	if (!table->db->wal || left_find(table, &left) <= 0 ||
	    job_begin(table) < 0)
		return;
	while ((rc = left_find(table, &left)) > 0) {
		rc = left.to == TABLE_INDEX_BUILDING ?
			     index_give_up(table, left.number) :
			     index_remove(table, left.number);
		if (rc < 0)
			break;
	}
	job_end(table);
}
