/*
 * Rights of a transaction's caller.
 *
 * Invariant: while commits.grants_seq is the transaction's stamp, all that was
 * added to it was allowed, and still is.
 */
#include "txn_access.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "access_range.h"
#include "batch.h"
#include "err.h"
#include "range.h"

#define READ RIGHT_BIT(AEDB_KV_READ)
#define WRITE RIGHT_BIT(AEDB_KV_WRITE)
#define TABLE_WRITE RIGHT_BIT(AEDB_TABLE_WRITE)
#define TABLE_DDL RIGHT_BIT(AEDB_TABLE_DDL)

/* The transaction is the caller's of this handle. */
static int caller_take(struct aedb_txn *txn, const struct aedb_scope *scope)
{
	if (!scope->access || (txn->caller &&
			       txn->caller != scope->access->caller))
		return err_set(AEDB_INVALID,
			       "the scope was not opened for the caller whose "
			       "transaction it is");
	if (txn->caller)
		return 0;
	/* what was added before was nobody's */
	if (txn->n_ops || txn->n_reads || txn->guards)
		txn->access_stamp = ACCESS_NO_STAMP;
	else
		txn->access_stamp = atomic_load_explicit(
			&txn->db->commits.grants_seq, memory_order_acquire);
	txn->caller = scope->access->caller;
	return 0;
}

static void stamp_note(struct aedb_txn *txn, seq_t stamp)
{
	if (txn->access_stamp != stamp)
		txn->access_stamp = ACCESS_NO_STAMP;
}

static bool write_is_held(const struct rights *has, bool is_directory,
			  unsigned int rights, const void *key, size_t n)
{
	if (!is_directory)
		return rights_hold(has, AEDB_KV_WRITE, key, n);
	return rights & TXN_TIMES ?
		       rights_hold_in_directory(has, AEDB_KV_WRITE, key, n) :
		       rights_hold_directory(has, AEDB_KV_WRITE, key, n);
}

static bool rights_hold_each(const struct rights *has, uint64_t tree,
			     unsigned int rights, const void *key, size_t n)
{
	if (!has)
		return true;
	if ((rights & READ) && !rights_hold(has, AEDB_KV_READ, key, n))
		return false;
	return !(rights & WRITE) ||
	       write_is_held(has, tree % 2 == PLANE_DIRS, rights, key, n);
}

int txn_access_key(struct aedb_txn *txn, struct aedb_scope **scope,
		   unsigned int rights, const void *key, size_t n)
{
	struct epoch *epoch = txn->db->epoch;
	const struct rights *has;
	seq_t stamp;
	int rc = caller_take(txn, *scope);

	if (rc < 0)
		return rc;
	epoch_enter(epoch);
	rc = access_rights((*scope)->access, &has, &stamp);
	if (rc == 0 && !rights_hold_each(has, (*scope)->space.id, rights, key, n))
		rc = access_denied(txn->db);
	epoch_leave(epoch);
	if (rc < 0)
		return rc;
	stamp_note(txn, stamp);
	*scope = access_scope(*scope);
	return 0;
}

int txn_access_table(struct aedb_txn *txn, const struct aedb_scope *scope,
		     enum aedb_right right, uint64_t table_id)
{
	struct epoch *epoch = txn->db->epoch;
	const struct rights *has;
	uint8_t number[8];
	seq_t stamp;
	int rc;

	if (!scope->access && !txn->caller)
		return 0;
	rc = caller_take(txn, scope);
	if (rc < 0)
		return rc;
	catalog_number_key(table_id, number);
	epoch_enter(epoch);
	rc = access_rights(scope->access, &has, &stamp);
	if (rc == 0 && has &&
	    !rights_hold(has, right, number, table_id ? sizeof(number) : 0))
		rc = access_denied(txn->db);
	epoch_leave(epoch);
	if (rc == 0)
		stamp_note(txn, stamp);
	return rc;
}

/* Ranges. */

/* The part of the range whose keys begin with the prefix, too: whether there is
 * any. */
static bool range_narrow(const struct aedb_range *range,
			 const struct op_bytes *prefix, struct aedb_range *ret)
{
	size_t common = prefix->n < range->prefix_bytes ? prefix->n :
							  range->prefix_bytes;

	if (common && memcmp(prefix->at, range->prefix, common) != 0)
		return false;
	*ret = *range;
	if (prefix->n > range->prefix_bytes) {
		ret->prefix = prefix->at;
		ret->prefix_bytes = prefix->n;
	}
	return true;
}

int txn_access_range(struct aedb_txn *txn, struct aedb_scope **scope,
		     const struct aedb_range *range,
		     int (*add)(struct aedb_txn *txn, struct aedb_scope *scope,
				const struct aedb_range *range))
{
	struct access_readable readable;
	struct aedb_range part;
	int rc = caller_take(txn, *scope);

	if (rc < 0)
		return rc;
	rc = access_readable_take((*scope)->access, &readable);
	stamp_note(txn, readable.stamp);
	*scope = access_scope(*scope);
	if (rc == 0 && readable.is_all)
		rc = add(txn, *scope, range);
	for (size_t i = 0; i < readable.some.n && rc == 0; i++)
		if (range_narrow(range, &readable.some.at[i], &part))
			rc = add(txn, *scope, &part);
	access_readable_release(&readable);
	return rc;
}

/* Deciding. */

struct known {
	uint64_t scope;
	struct rights *rights;	/* owned; NULL: everything */
};

/* A table that the transaction makes. */
struct made {
	uint64_t table, scope;
};

struct deciding {
	const struct aedb_txn *txn;
	struct known *known;	/* owned */
	size_t n, last;
	struct made *made;	/* owned */
	size_t n_made;
};

/* The commit lock is held by who has all decided. */
static int rights_get(struct deciding *d, uint64_t scope,
		      const struct rights **ret) NO_LOCK_ANALYSIS
{
	struct known *grown;
	int rc;

	if (d->last >= d->n || d->known[d->last].scope != scope)
		for (d->last = 0; d->last < d->n; d->last++)
			if (d->known[d->last].scope == scope)
				break;
	if (d->last == d->n) {
		grown = reallocarray(d->known, d->n + 1, sizeof(*grown));
		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "no memory for what a caller may");
		d->known = grown;
		rc = access_rights_newest(d->txn->db, d->txn->caller,
					  scope, &grown[d->n].rights);
		if (rc < 0)
			return rc;
		grown[d->n++].scope = scope;
	}
	*ret = d->known[d->last].rights;
	return 0;
}

static int key_decide(struct deciding *d, uint64_t tree, const void *key,
		      size_t n, unsigned int rights)
{
	const struct rights *has;
	int rc;

	/* of places apply.h decides; the database writes the rest itself */
	if (tree < SPACE_SCOPES_FIRST)
		return 0;
	rc = rights_get(d, tree / 2, &has);
	if (rc == 0 && !rights_hold_each(has, tree, rights, key, n))
		rc = access_not_held();
	return rc;
}

/* Of AEDB_TABLE_WRITE on the table and AEDB_TABLE_DDL on all, which are bits of
 * `rights`, one is enough. */
static bool table_right_is_held(const struct rights *has, uint64_t table,
				unsigned int rights)
{
	uint8_t number[8];

	catalog_number_key(table, number);
	return ((rights & TABLE_DDL) && rights_hold_all(has, AEDB_TABLE_DDL)) ||
	       ((rights & TABLE_WRITE) &&
		rights_hold(has, AEDB_TABLE_WRITE, number, sizeof(number)));
}

static int made_note(struct deciding *d, const struct op *op)
{
	struct made *grown = reallocarray(d->made, d->n_made + 1,
					  sizeof(*grown));

	if (!grown)
		return err_set(AEDB_NO_MEMORY,
			       "no memory for what a caller may");
	d->made = grown;
	grown[d->n_made++] = (struct made){ op->id, op->place.scope_id };
	return 0;
}

static const struct made *made_find(const struct deciding *d, uint64_t table)
{
	for (size_t i = 0; i < d->n_made; i++)
		if (d->made[i].table == table)
			return &d->made[i];
	return NULL;
}

/* Of a table's rows and entries. One that is not made here somebody opened, and it
 * is in a scope that is there. */
static int table_decide(struct deciding *d, uint64_t table, unsigned int rights)
{
	const struct made *made = made_find(d, table);
	const struct scope_state *state =
		catalog_there(&d->txn->db->catalog, table);
	const struct rights *has = NULL;
	uint64_t scope = state ? atomic_load(&state->in_scope) : 0;
	int rc = 0;

	if (made)
		scope = made->scope;
	if (scope)
		rc = rights_get(d, scope, &has);
	if (rc < 0)
		return rc;
	if (has ? !table_right_is_held(has, table, rights) : !made)
		return access_not_held();
	return 0;
}

static int table_key_decide(struct deciding *d, const struct op_key *key)
{
	unsigned int rights = TABLE_WRITE;

	/* entries are written with rows, and when an index is made */
	if (key->tree % 2 == PLANE_DIRS)
		rights = key->n ? TABLE_WRITE | TABLE_DDL : TABLE_DDL;
	return table_decide(d, key->tree / 2, rights);
}

static int table_name_decide(struct deciding *d, const struct op *op)
{
	const struct rights *has;
	int rc = rights_get(d, op->place.scope_id, &has);

	if (rc == 0 && has && !rights_hold_all(has, AEDB_TABLE_DDL))
		rc = access_not_held();
	if (rc == 0 && op->kind == OP_CREATE)
		rc = made_note(d, op);
	return rc;
}

static int op_decide(struct deciding *d, const struct op *op)
{
	bool has_two = op->kind == OP_MOVE || op->kind == OP_EXCHANGE;
	bool is_times = op->kind == OP_TOUCH || op->flags & OP_IF_ABSENT;
	int rc;

	if (op_is_of_place(op))
		/* of others apply.h decides */
		return op->place.table.n ? table_name_decide(d, op) : 0;
	if (op->flags & OP_OF_TABLE)
		return table_key_decide(d, &op->key);
	rc = key_decide(d, op->key.tree, op->key.at, op->key.n,
			has_two ? READ | WRITE :
			is_times ? WRITE | TXN_TIMES : WRITE);

	if (rc < 0 || !has_two)
		return rc;
	return key_decide(d, op->to_key.tree, op->to_key.at, op->to_key.n,
			  op->kind == OP_MOVE ? WRITE : READ | WRITE);
}

static int payload_decide(struct deciding *d)
{
	struct byte_reader r;
	struct op op;
	int rc = 0;

	byte_reader_init(&r, d->txn->payload, d->txn->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0)
			rc = op_decide(d, &op);
	}
	return rc;
}

static int reads_decide(struct deciding *d)
{
	const struct rights *has;
	int rc = 0;

	for (size_t i = 0; i < d->txn->n_reads && rc == 0; i++) {
		const struct txn_read *read = &d->txn->reads[i];
		struct op_bytes from = { read->from, read->from_bytes };
		struct op_bytes to = { read->to, read->to_bytes };

		/* who writes a table reads what it writes */
		if (read->is_of_table) {
			rc = table_decide(d, read->scope->state->id,
					  TABLE_WRITE | TABLE_DDL);
			continue;
		}
		rc = rights_get(d, read->scope->state->id, &has);
		if (rc < 0 || !has)
			continue;
		if (read->is_range ?
			    !rights_hold_range(has, AEDB_KV_READ, from,
					       read->to ? &to : NULL) :
			    !rights_hold(has, AEDB_KV_READ, from.at, from.n))
			rc = access_not_held();
	}
	return rc;
}

static int assertion_decide(struct deciding *d, const struct aedb_assertion *a)
{
	int rc = 0;

	if (a->kind <= AEDB_ASSERT_VALUE)
		return key_decide(d, a->scope->space.id, a->key, a->key_bytes,
				  READ);
	for (size_t i = 0; i < a->n_parts && rc == 0; i++)
		rc = assertion_decide(d, &a->parts[i]);
	return rc;
}

/* The key of a computation that gives a result: of the operation it is before. */
static int result_decide(struct deciding *d, uint32_t at)
{
	struct byte_reader r;
	struct op op = { 0 };
	int rc = 0;

	byte_reader_init(&r, d->txn->payload, d->txn->payload_bytes);
	for (uint32_t i = 0; i <= at && rc == 0; i++)
		rc = op_decode(&r, &op);
	return rc < 0 ? rc : key_decide(d, op.key.tree, op.key.at, op.key.n,
					READ);
}

static int guards_decide(struct deciding *d)
{
	const struct guards *guards = d->txn->guards;
	int rc = 0;

	for (size_t i = 0; guards && i < guards->n && rc == 0; i++) {
		const struct guard *guard = &guards->at[i];

		if (guard->assertion)
			rc = assertion_decide(d, guard->assertion);
		else if (guard->compute.result)
			rc = result_decide(d, guard->at);
	}
	return rc;
}

int txn_access_decide(struct aedb *db, const struct aedb_txn *txn)
{
	struct deciding d = { .txn = txn };
	int rc = payload_decide(&d);

	assert(txn->db == db);
	if (rc == 0)
		rc = reads_decide(&d);
	if (rc == 0)
		rc = guards_decide(&d);
	for (size_t i = 0; i < d.n; i++)
		rights_free(d.known[i].rights);
	free(d.known);
	free(d.made);
	return rc;
}
