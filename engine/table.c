/*
 * Handles of tables, and reading rows by their keys.
 *
 * Invariants:
 * 1. The list of known schemas only grows, so what was found in it may be used
 *    without a lock or count until the handle is closed.
 * 2. A row is read before the schema that says what it means, unless both are of one
 *    snapshot: a schema can be newer than a row, not the reverse.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "batch.h"
#include "err.h"
#include "read.h"
#include "snapshot.h"
#include "table_entry.h"
#include "table_index.h"
#include "table_row.h"

/* Schemas. */

static struct table_known *known_find(const struct aedb_table *table, seq_t seq)
{
	struct table_known *known = atomic_load_explicit(&table->known,
							 memory_order_acquire);

	while (known && known->seq != seq)
		known = known->next;
	return known;
}

/* What is added twice by two threads does no harm. */
static void known_add(struct aedb_table *table, struct table_known *known)
{
	known->next = atomic_load(&table->known);
	while (!atomic_compare_exchange_weak(&table->known, &known->next, known))
		;
}

static int known_new(struct aedb_table *table, const struct aedb_entry *entry,
		     struct table_known **ret)
{
	struct table_known *known = malloc(sizeof(*known));
	int rc;

	if (!known)
		return err_set(AEDB_NO_MEMORY, "no memory for a table");
	rc = table_schema_decode(entry->value, entry->value_bytes,
				 &known->schema);
	if (rc < 0) {
		free(known);
		return rc;
	}
	known->seq = entry->version;
	atomic_init(&known->upto, entry->version);
	known_add(table, known);
	*ret = known;
	return 0;
}

static int table_gone(void)
{
	return err_set(AEDB_NOT_FOUND, "the table does not exist any more");
}

/* What the view has is read. */
static int known_read(struct aedb_table *table,
		      const struct aedb_snapshot *snapshot,
		      struct table_known **ret)
{
	struct aedb_entry entry;
	int rc = aedb_get(table_entries(table), snapshot, "", 0, &entry);

	if (rc == AEDB_NOT_FOUND)
		return table_gone();
	if (rc < 0)
		return rc;
	*ret = known_find(table, entry.version);
	if (!*ret)
		rc = known_new(table, &entry, ret);
	aedb_unpin(&entry);
	return rc;
}

static void raise(_Atomic seq_t *at, seq_t seq)
{
	seq_t now = atomic_load(at);

	while (now < seq && !atomic_compare_exchange_weak(at, &now, seq))
		;
}

static int newest_find(struct aedb_table *table, const struct table_known **ret)
{
	seq_t seq = db_visible(table->db);
	struct table_known *known = atomic_load_explicit(&table->newest,
							 memory_order_acquire);
	int rc;

	if (!catalog_scope_is_live(table_rows(table), seq))
		return table_gone();
	if (known && table_known_is_newest(table, known)) {
		*ret = known;
		return 0;
	}
	rc = known_read(table, NULL, &known);
	if (rc < 0)
		return rc;
	/* what was visible before has nothing newer */
	raise(&known->upto, seq);
	atomic_store_explicit(&table->newest, known, memory_order_release);
	*ret = known;
	return 0;
}

/* Whether the newest schema is the view's, too. */
static bool is_in_view(struct aedb_table *table,
		       const struct table_known *newest,
		       const struct aedb_snapshot *snapshot)
{
	struct aedb_batch *batch = snapshot->batch;
	seq_t seq = batch ? batch->branch.base_seq : snapshot->seq;

	if (batch && catalog_there(&batch->catalog, table->state->id))
		return false;
	return newest->seq <= seq && table_known_is_newest(table, newest) &&
	       catalog_scope_is_live(table_rows(table), seq);
}

/* A handle's word for who asks what it was like last. */
static void last_set(struct aedb_table *table, const struct table_known *known)
{
	if (atomic_load_explicit(&table->last, memory_order_relaxed) != known)
		atomic_store_explicit(&table->last, (struct table_known *)known,
				      memory_order_release);
}

int table_schema_at(struct aedb_table *table,
		    const struct aedb_snapshot *snapshot,
		    const struct table_known **ret)
{
	struct table_known *known = atomic_load_explicit(&table->newest,
							 memory_order_acquire);
	int rc = 0;

	if (!snapshot) {
		rc = newest_find(table, ret);
	} else if (known && is_in_view(table, known, snapshot)) {
		*ret = known;
	} else {
		rc = known_read(table, snapshot, &known);
		if (rc == 0)
			*ret = known;
	}
	if (rc == 0)
		last_set(table, *ret);
	return rc;
}

/* Handles. */

void aedb_table_close(struct aedb_table *table)
{
	struct table_known *known;

	if (!table)
		return;
	while ((known = atomic_load(&table->known))) {
		atomic_store(&table->known, known->next);
		table_schema_free(known->schema);
		free(known);
	}
	catalog_unref(&table->db->catalog, table->state);
	free(table);
}

/* A table of a batch that became another scope's, of a name that others made
 * meanwhile. */
static bool is_elsewhere(const struct aedb_table *table)
{
	return atomic_load(&table->state->is_committed) &&
	       !atomic_load(&table->scope->state->is_committed);
}

int table_may(const struct aedb_table *table, enum aedb_right right)
{
	if (!table->scope->access)
		return 0;
	return is_elsewhere(table) ?
		       access_not_held() :
		       access_may(table->scope, right, table->state->id);
}

int table_demand(const struct aedb_table *table, enum aedb_right right)
{
	int rc = table_may(table, right);

	return rc == AEDB_ACCESS ? access_denied(table->db) : rc;
}

/* Who may nothing with a table (0: with all) does not learn what there is. */
static int may_see(struct aedb_scope *scope, uint64_t table_id)
{
	int rc;

	if (!scope->access)
		return 0;
	rc = access_may(scope, AEDB_TABLE_READ, table_id);
	if (rc == AEDB_ACCESS)
		rc = access_may(scope, AEDB_TABLE_WRITE, table_id);
	if (rc == AEDB_ACCESS)
		rc = access_may(scope, AEDB_TABLE_DDL, 0);
	return rc;
}

static int see_check(struct aedb_scope *scope, uint64_t table_id)
{
	int rc = may_see(scope, table_id);

	return rc == AEDB_ACCESS ? access_denied(scope->space.db) : rc;
}

/* A handle by the table's id, whose state has a handle that it takes over, without
 * looking whether anything is to be done about its indexes. */
static int handle_new(struct aedb_scope *scope, struct scope_state *state,
		      const struct aedb_snapshot *snapshot,
		      struct aedb_table **ret)
{
	struct aedb *db = scope->space.db;
	struct aedb_table *table = calloc(1, sizeof(*table));
	const struct table_known *known;
	int rc;

	if (!table) {
		catalog_unref(&db->catalog, state);
		return err_set(AEDB_NO_MEMORY, "no memory for a table");
	}
	table->db = db;
	table->scope = scope;
	table->state = state;
	atomic_store(&state->in_scope, scope->state->id);
	rc = see_check(scope, state->id);
	if (rc == 0)
		rc = table_schema_at(table, snapshot, &known);
	if (rc < 0) {
		aedb_table_close(table);
		return rc;
	}
	*ret = table;
	return 0;
}

/* The database's state of what may be a batch's alone. */
static int state_ref(struct aedb *db, const struct aedb_snapshot *snapshot,
		     uint64_t id, struct scope_state **ret)
{
	if (snapshot && snapshot->batch && batch_has_made(snapshot->batch, id))
		return catalog_make_and_ref(&db->catalog, id, ret);
	return catalog_find_and_ref(&db->catalog, id, ret);
}

int table_handle_open(struct aedb_scope *scope,
		      const struct aedb_snapshot *snapshot, const char *name,
		      struct aedb_table **ret)
{
	struct aedb *db = scope->space.db;
	struct scope_state *state;
	struct op_bytes checked;
	uint64_t id;
	int rc = catalog_check_name("table", name, &checked);

	if (rc == 0)
		rc = read_table_id(db, snapshot, scope->state->id, checked, &id);
	if (rc == AEDB_NOT_FOUND) {
		rc = see_check(scope, 0);
		return rc < 0 ? rc : err_set(AEDB_NOT_FOUND, "no table %s",
					     name);
	}
	if (rc == 0)
		rc = state_ref(db, snapshot, id, &state);
	return rc < 0 ? rc : handle_new(scope, state, snapshot, ret);
}

int aedb_table_open_at(struct aedb_scope *scope,
		       const struct aedb_snapshot *snapshot, const char *name,
		       struct aedb_table **ret)
{
	return table_handle_open(scope, snapshot, name, ret);
}

int aedb_table_open(struct aedb_scope *scope, const char *name,
		    struct aedb_table **ret)
{
	struct aedb_table *table;
	int rc = table_handle_open(scope, NULL, name, &table);

	if (rc < 0)
		return rc;
	/* what cannot be done now is done another time */
	table_index_finish(table);
	*ret = table;
	return 0;
}

int aedb_table_next(struct aedb_scope *scope,
		    const struct aedb_snapshot *snapshot, const char *after,
		    char *ret)
{
	char name[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_entry entry;
	uint64_t id;
	int rc;

	strncpy(name, after, sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	/* what the caller may do nothing with is passed over */
	do {
		rc = read_table_next(scope->space.db, snapshot,
				     scope->state->id, name, &entry);
		if (rc < 0)
			return rc;
		id = entry.id;
		memcpy(name, entry.key, entry.key_bytes);
		name[entry.key_bytes] = 0;
		aedb_unpin(&entry);
		rc = may_see(scope, id);
	} while (rc == AEDB_ACCESS);
	if (rc == 0)
		strcpy(ret, name);
	return rc;
}

uint64_t aedb_table_id(const struct aedb_table *table)
{
	return table->state->id;
}

/* As of the last call. */
static const struct table_schema *last_schema(const struct aedb_table *table)
{
	return atomic_load_explicit(&table->last, memory_order_acquire)->schema;
}

int aedb_table_column(const struct aedb_table *table, const char *name,
		      uint32_t *ret)
{
	return table_schema_find_column(last_schema(table), name, ret);
}

int aedb_table_schema(const struct aedb_table *table, struct aedb_schema **ret)
{
	int rc = see_check(table->scope, table->state->id);

	return rc < 0 ? rc : table_schema_publish(last_schema(table), ret);
}

/* Rows. */

/* What `pin` of a row points to. */
struct row_pin {
	struct aedb_entry entry;
	struct aedb_value values[];	/* behind them the key, and as much room */
};

/* Its values, with the memory that some of them lie in. */
static int row_give(const struct table_schema *schema,
		    const struct aedb_entry *entry, struct aedb_row *ret)
{
	size_t n = schema->shape.n_columns;
	struct row_pin *pin = malloc(sizeof(*pin) + n * sizeof(*pin->values) +
				     2 * entry->key_bytes);
	uint8_t *key;
	int rc;

	if (!pin)
		return err_set(AEDB_NO_MEMORY, "no memory for a row");
	key = mempcpy((uint8_t *)(pin->values + n), entry->key,
		      entry->key_bytes);
	rc = table_row_decode(schema, &(struct table_row_source){
		.key = { key - entry->key_bytes, entry->key_bytes },
		.row = { entry->value, entry->value_bytes },
		.room = key }, NULL, pin->values);
	if (rc < 0) {
		free(pin);
		return err_set(rc, "a row cannot be read: %s",
			       aedb_error_message());
	}
	pin->entry = *entry;
	*ret = (struct aedb_row){ pin->values, n, entry->version, pin };
	return 0;
}

int table_make_key(const struct table_schema *schema,
		   const struct aedb_value *key, uint8_t *ret, size_t *ret_n)
{
	struct byte_writer w;
	int rc = table_row_check_key(schema, key);

	if (rc < 0)
		return rc;
	byte_writer_init(&w, ret, MEM_KEY_BYTES_MAX);
	table_entry_put_key(&w, schema, key);
	*ret_n = byte_writer_used(&w);
	return w.is_full ? AEDB_NOT_FOUND : 0;
}

int aedb_row_get(struct aedb_table *table, const struct aedb_snapshot *snapshot,
		 const struct aedb_value *key, struct aedb_row *ret)
{
	uint8_t bytes[MEM_KEY_BYTES_MAX];
	const struct table_known *known;
	struct aedb_entry entry;
	size_t n;
	int rc = table_demand(table, AEDB_TABLE_READ);

	/* columns of keys are for ever */
	if (rc == 0)
		rc = table_make_key(last_schema(table), key, bytes, &n);
	if (rc == 0)
		rc = aedb_get(table_rows(table), snapshot, bytes, n, &entry);
	if (rc < 0)
		return rc;
	/* the right may have gone before the row came */
	rc = table_demand(table, AEDB_TABLE_READ);
	if (rc == 0)
		rc = table_schema_at(table, snapshot, &known);
	if (rc == 0)
		rc = row_give(known->schema, &entry, ret);
	if (rc < 0)
		aedb_unpin(&entry);
	return rc;
}

void aedb_row_release(struct aedb_row *row)
{
	struct row_pin *pin = row->pin;

	if (!pin)
		return;
	row->pin = NULL;
	aedb_unpin(&pin->entry);
	free(pin);
}
