/*
 * The life of a batch, and how transactions get into it.
 *
 * A transaction's payload is executed by the code of every commit, on the
 * batch's own catalog and memtable, under numbers and at times that the database
 * will never use for anything else, so the ids made on the way are those that the
 * objects keep.
 *
 * Invariants:
 * 1. Everything in the batch's trees has a number above the base; everything
 *    beneath is read as of the base, at which the batch holds a snapshot.
 * 2. A scope's state is in the batch's catalog once a transaction named it.
 *
 * How the difference is committed is told in batch_commit.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access.h"
#include "batch.h"
#include "batch_conflict.h"
#include "batch_merge.h"
#include "batch_names.h"
#include "batch_settle.h"
#include "commit.h"
#include "conflict.h"
#include "err.h"
#include "maintenance.h"
#include "mem_settle.h"
#include "storage.h"

#define WORK_A_TXN 512	/* versions looked at to drop what nobody needs */
/* With so many bytes gone from it, the file that values are appended to is not
 * appended to any more, so that it may go as a whole. */
#define CUT_BYTES_MIN (UINT64_C(1) << 20)

/* One more, if the options allow it. */
static int count_take(struct aedb *db)
{
	uint32_t n = atomic_fetch_add(&db->batches, 1);

	if (n < db->options.batches_max)
		return 0;
	atomic_fetch_sub(&db->batches, 1);
	return err_set(AEDB_NO_SPACE, "%" PRIu32 " batches are open (batches_max)",
		       n);
}

static int64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int batch_init(struct aedb_batch *batch, struct aedb *db)
{
	seq_t base;
	int rc = snapshot_add(db, &base);

	if (rc < 0)
		return rc;
	batch->db = db;
	batch->number = atomic_fetch_add(&db->cursors.batches, 1) + 1;
	batch->view = (struct aedb_snapshot){
		.db = db, .seq = base, .time_ns = AEDB_MTIME_NONE,
		.batch = batch };
	batch->begun_ns = clock_now_ns();
	branch_init(&batch->branch, db, base);
	rc = catalog_init_over(&batch->catalog, &batch->branch);
	if (rc < 0) {
		snapshot_remove(db, base);
		return rc;
	}
	batch->apply.db = db;
	batch->apply.catalog = &batch->catalog;
	return 0;
}

int batch_new(struct aedb *db, struct aedb_batch **ret)
{
	struct aedb_batch *batch;
	int rc;

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	rc = count_take(db);
	if (rc < 0)
		return rc;
	batch = calloc(1, sizeof(*batch));
	rc = batch ? batch_init(batch, db) :
		     err_set(AEDB_NO_MEMORY, "no memory for a batch");
	if (rc < 0) {
		free(batch);
		atomic_fetch_sub(&db->batches, 1);
		return rc;
	}
	*ret = batch;
	return 0;
}

int aedb_batch_begin(struct aedb *db, struct aedb_batch **ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : batch_new(db, ret);
}

int aedb_batch_set_owner(struct aedb_batch *batch, const void *owner,
			 size_t owner_bytes)
{
	int rc = access_id_check(owner, owner_bytes);

	if (rc == 0 && batch->caller)
		rc = err_set(AEDB_INVALID, "the batch is somebody's");
	if (rc < 0)
		return rc;
	memcpy(batch->owner_bytes, owner, owner_bytes);
	batch->owner = (struct op_bytes){ batch->owner_bytes, owner_bytes };
	return 0;
}

void aedb_batch_expect_nothing(struct aedb_batch *batch)
{
	for (size_t i = 0; i < batch->n_expects; i++)
		free(batch->expects[i].from);
	free(batch->expects);
	batch->expects = NULL;
	batch->n_expects = 0;
	batch_settled_clear(batch);
}

void batch_end(struct aedb_batch *batch)
{
	struct aedb *db = batch->db;
	seq_t base = batch->branch.base_seq;
	struct memtable *memtable;

	aedb_batch_expect_nothing(batch);
	batch_conflicts_clear(batch);
	batch_guards_clear(batch);
	batch_names_free(batch->names);
	batch_merges_free(batch->merges);
	apply_release(&batch->apply);
	catalog_release(&batch->catalog);
	memtable = branch_release(&batch->branch);
	if (memtable)
		storage_defer_memtable(db, memtable);
	snapshot_remove(db, base);
	free(batch);
	atomic_fetch_sub(&db->batches, 1);
	maintenance_note_segments(db);
}

void aedb_batch_abort(struct aedb_batch *batch)
{
	if (!batch)
		return;
	if (batch->branch.value_bytes >= CUT_BYTES_MIN)
		values_cut(batch->db->values);
	batch_end(batch);
}

const struct aedb_snapshot *aedb_batch_view(const struct aedb_batch *batch)
{
	return &batch->view;
}

int aedb_txn_begin_in(struct aedb_batch *batch, struct aedb_txn **ret)
{
	struct aedb_txn *txn;
	int rc = txn_new(batch->db, &txn);

	if (rc < 0)
		return rc;
	txn->batch = batch;
	txn->caller = batch->caller;
	txn->access_stamp = ACCESS_NO_STAMP;
	txn->base = batch->view.seq;
	*ret = txn;
	return 0;
}

void aedb_batch_info(const struct aedb_batch *batch, struct aedb_batch_info *ret)
{
	const struct branch *branch = &batch->branch;

	*ret = (struct aedb_batch_info){
		.changes = branch->changes,
		.bytes = branch->bytes,
		.memory_bytes = branch->charged_bytes,
		.value_bytes = branch->value_bytes,
		.begun_ns = batch->begun_ns,
		.base_seq = branch->base_seq,
	};
}

/* What the view shows. */

bool batch_has_made(struct aedb_batch *batch, uint64_t scope_id)
{
	struct scope_state *state = catalog_there(&batch->catalog, scope_id);

	return state && !state->beneath;
}

static bool is_shown(const struct scope_state *state, seq_t limit)
{
	return atomic_load(&state->is_committed) &&
	       atomic_load(&state->dropped_seq) > limit;
}

struct space *batch_space(struct aedb_batch *batch, struct aedb_scope *scope,
			  seq_t *ret_limit)
{
	struct scope_state *own = catalog_there(&batch->catalog,
						scope->state->id);
	unsigned plane = scope->space.id % 2;

	if (own && !is_shown(own, batch->view.seq))
		return NULL;
	if (own && (atomic_load(&own->planes[plane].space.tree) ||
		    !own->beneath)) {
		*ret_limit = batch->view.seq;
		return &own->planes[plane].space;
	}
	/* what is not written is read where it is */
	*ret_limit = batch->branch.base_seq;
	return is_shown(scope->state, *ret_limit) ? &scope->space : NULL;
}

void batch_scan_begin(struct aedb_batch *batch, seq_t seq)
{
	batch->n_scans++;
	if (seq > batch->newest_scan)
		batch->newest_scan = seq;
}

void batch_scan_end(struct aedb_batch *batch)
{
	if (--batch->n_scans)
		return;
	batch->newest_scan = 0;
	if (batch->branch.memtable)
		mem_sweep(batch->branch.memtable);
}

/* Tables. */

int batch_note_table(struct aedb_batch *batch, uint64_t table_id)
{
	struct scope_state *state;
	int rc = catalog_find(&batch->catalog, table_id, &state);

	if (rc == 0)
		state->is_table = true;
	return rc;
}

int batch_note_index(struct aedb_batch *batch, uint64_t table_id)
{
	struct scope_state *state;
	int rc = catalog_find(&batch->catalog, table_id, &state);

	if (rc == 0)
		state->has_new_index = true;
	return rc;
}

seq_t batch_schema_seq(struct aedb_batch *batch, uint64_t table_id)
{
	struct scope_state *state = catalog_there(&batch->catalog, table_id);

	return state ? atomic_load(&state->schema_seq) : 0;
}

/* Transactions. */

/* Drops what was replaced and no scan shows. */
static void versions_settle(struct aedb_batch *batch)
{
	static const struct retention none = { NULL, 0, SEQ_MAX };
	struct memtable *memtable = batch->branch.memtable;

	mem_settle(memtable, batch->view.seq, batch->newest_scan);
	if (!batch->n_scans && memtable_has_work(memtable))
		mem_work(memtable, &none, WORK_A_TXN);
}

static int memory_check(const struct aedb_txn *txn)
{
	const struct aedb *db = txn->db;
	uint64_t bytes = atomic_load(&db->batch_bytes);
	uint64_t max = db->budget.batches_bytes_max;

	if (bytes + txn->payload_bytes <= max || txn->only_deletes)
		return 0;
	return err_set(AEDB_NO_SPACE,
		       "batches have %" PRIu64 " bytes of memory, at most %" PRIu64
		       " are allowed", bytes, max);
}

static int limits_check(const struct aedb_batch *batch)
{
	const struct aedb_options *o = &batch->db->options;

	if (batch->branch.changes > o->txn_ops_max)
		return err_set(AEDB_TOO_LARGE,
			       "a batch has at most %" PRIu32
			       " changes (txn_ops_max)", o->txn_ops_max);
	if (batch->branch.bytes > o->txn_bytes_max)
		return err_set(AEDB_TOO_LARGE,
			       "a batch has at most %" PRIu64
			       " bytes of keys, small values and attributes (txn_bytes_max)",
			       o->txn_bytes_max);
	return 0;
}

static int extents_note(struct aedb_batch *batch, const struct op *op)
{
	struct op_extents extents;
	struct value_extent extent;
	int rc = 0;

	op_extents_begin(&extents, op);
	while (rc == 0 && op_extents_next(&extents, &extent))
		rc = branch_note_extent(&batch->branch, &extent);
	return rc;
}

/* What the transaction brought into value files is the batch's from now on. */
static int values_take(struct aedb_batch *batch, const struct aedb_txn *txn)
{
	struct byte_reader r;
	struct op op;
	int rc = 0;

	for (size_t i = 0; i < txn->files.n && rc == 0; i++)
		rc = branch_pin(&batch->branch, txn->files.at[i]);
	if (rc < 0 || !txn->has_refs)
		return rc;
	byte_reader_init(&r, txn->payload, txn->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0 && (op.flags & OP_IS_REF))
			rc = extents_note(batch, &op);
	}
	return rc;
}

static int payload_execute(struct aedb_batch *batch, const struct aedb_txn *txn,
			   seq_t *ret)
{
	uint64_t time_us = commit_time_next(batch->db, txn->time_us);
	uint64_t changes = batch->branch.changes, bytes = batch->branch.bytes;
	seq_t first = atomic_fetch_add(&batch->db->commits.next_seq,
				       txn->n_ops);
	int rc;

	if (time_us <= batch->last_time_us)
		time_us = batch->last_time_us + 1;
	batch->apply.guards = txn->guards;
	batch->apply.guarded = txn->payload;
	rc = apply_payload(&batch->apply, txn->payload, txn->payload_bytes,
			   first, time_us);
	if (rc == 0) {
		rc = limits_check(batch);
		if (rc < 0)
			apply_undo(&batch->apply);
	}
	if (rc < 0) {
		batch->branch.changes = changes;
		batch->branch.bytes = bytes;
		return rc;
	}
	batch->last_time_us = time_us;
	*ret = first + txn->n_ops - 1;
	return 0;
}

int batch_apply(struct aedb_txn *txn, seq_t *ret)
{
	struct aedb_batch *batch = txn->batch;
	seq_t seq = 0;
	int rc = memory_check(txn);

	if (rc == 0)
		rc = branch_prepare(&batch->branch);
	if (rc < 0)
		return rc;
	epoch_enter(batch->db->epoch);
	rc = conflict_check(txn);
	if (rc == 0)
		rc = values_take(batch, txn);
	if (rc == 0)
		rc = payload_execute(batch, txn, &seq);
	epoch_leave(batch->db->epoch);
	if (rc == 0) {
		batch->view.seq = *ret = seq;
		batch_names_free(batch->names);
		batch->names = NULL;
	}
	versions_settle(batch);
	branch_charge(&batch->branch);
	return rc;
}
