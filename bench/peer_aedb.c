/*
 * libaedb through its public header, one scope for each space. Its durability
 * modes are the classes themselves, so nothing is synced for it. Checkpoints
 * and compaction run by themselves, as they do by default.
 *
 * The manifest is signed and recovery strict with full durability and permissive
 * and unsigned otherwise, as the benchmarks say.
 */
#include "aedb.h"
#include "aedb_backup.h"
#include "peer.h"

#include <stdlib.h>

#define PROJECT "bench"

static const char *const scope_names[PEER_SPACES] = { "app", "other" };

struct state {
	struct aedb *db;
	struct aedb_scope *scopes[PEER_SPACES];
};

static int fail(const char *what)
{
	return peer_fail("aedb", what, aedb_error_message());
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	for (unsigned i = 0; i < PEER_SPACES; i++)
		aedb_scope_close(state->scopes[i]);
	if (aedb_close(state->db) < 0)
		fail("close");
	free(state);
}

static int make_place(struct state *state, struct aedb_place place)
{
	int rc = aedb_create(state->db, place);

	return rc < 0 && rc != AEDB_EXISTS ? fail("create") : 0;
}

static int make_scopes(struct state *state)
{
	struct aedb_place place = { .project = PROJECT };

	if (make_place(state, place) < 0)
		return -1;
	for (unsigned i = 0; i < PEER_SPACES; i++) {
		place.scope = scope_names[i];
		if (make_place(state, place) < 0)
			return -1;
		if (aedb_scope_open(state->db, PROJECT, place.scope,
				    &state->scopes[i]) < 0)
			return fail("open scope");
	}
	return 0;
}

static void set_options(const struct peer_db *db, struct aedb_options *ret)
{
	static const unsigned char hmac_key[32] = { 7, 7, 7, 7, 7, 7, 7, 7 };
	static const enum aedb_durability modes[PEER_DURABILITIES] = {
		[PEER_FULL] = AEDB_FULL,
		[PEER_BATCH] = AEDB_BATCH,
		[PEER_OS] = AEDB_OS,
	};

	aedb_options_init(ret);
	ret->mode = AEDB_OPEN_CREATE;
	ret->durability = modes[db->durability];
	ret->sync_interval_ms = PEER_SYNC_INTERVAL_MS;
	if (db->setup.memory_bytes > 0)
		ret->memory_bytes = db->setup.memory_bytes;
	if (db->setup.cache_bytes > 0)
		ret->cache_bytes = db->setup.cache_bytes;
	if (db->setup.inline_bytes_max > 0)
		ret->inline_bytes_max = db->setup.inline_bytes_max;
	if (db->durability == PEER_FULL) {
		ret->hmac_key = hmac_key;
		ret->hmac_key_bytes = sizeof(hmac_key);
	} else {
		ret->recovery = AEDB_PERMISSIVE;
	}
}

static int open_db(struct peer_db *db)
{
	struct state *state = calloc(1, sizeof(*state));
	struct aedb_options options;

	if (!state)
		return peer_fail("aedb", "open", "out of memory");
	set_options(db, &options);
	if (aedb_open(db->dir, &options, &state->db) < 0) {
		free(state);
		return fail("open");
	}
	db->state = state;
	if (make_scopes(state) < 0) {
		close_db(db);
		return -1;
	}
	return 0;
}

/* Handles may be used from every thread, so a session is the database. */
static int session_open(struct peer_db *db, void **ret)
{
	*ret = db->state;
	return 0;
}

static void session_close(void *session)
{
	(void)session;
}

static int put(void *arg, const struct peer_op *op)
{
	struct state *state = arg;

	if (aedb_put(state->scopes[op->space], op->key,
		     op->key_bytes, op->value, op->value_bytes) < 0)
		return fail("put");
	return 0;
}

static int put_batch(void *arg, const struct peer_op *ops, size_t n)
{
	struct state *state = arg;
	struct aedb_txn *txn;
	int rc;

	if (aedb_txn_begin(state->db, &txn) < 0)
		return fail("begin");
	rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct aedb_put put = {
			.key = ops[i].key,
			.key_bytes = ops[i].key_bytes,
			.value = ops[i].value,
			.value_bytes = ops[i].value_bytes,
		};

		rc = aedb_txn_put(txn, state->scopes[ops[i].space],
				  &put);
	}
	if (rc == 0)
		rc = aedb_txn_commit(txn, NULL);
	if (rc < 0) {
		fail("batch");
		aedb_txn_abort(txn);
		return -1;
	}
	return 0;
}

static int delete(void *arg, const struct peer_op *op)
{
	struct state *state = arg;

	if (aedb_delete(state->scopes[op->space], op->key,
			op->key_bytes) < 0)
		return fail("delete");
	return 0;
}

static int get(void *arg, const struct peer_op *op, size_t *ret_bytes)
{
	struct state *state = arg;
	struct aedb_entry entry;

	if (aedb_get(state->scopes[op->space], NULL, op->key,
		     op->key_bytes, &entry) < 0)
		return fail("get");
	peer_take(op, entry.value, entry.value_bytes);
	*ret_bytes = entry.value_bytes;
	aedb_unpin(&entry);
	return 0;
}

static int scan(void *arg, const struct peer_op *prefix, size_t n, size_t *ret)
{
	struct state *state = arg;
	struct aedb_range range = {
		.prefix = prefix->key,
		.prefix_bytes = prefix->key_bytes,
	};
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t i;

	if (aedb_scan_open(state->scopes[prefix->space], NULL, &range,
			   &scan) < 0)
		return fail("scan");
	for (i = 0; i < n && aedb_scan_next(scan, &entry) == 0; i++) {
		peer_consume(entry.key, entry.key_bytes);
		peer_consume(entry.value, entry.value_bytes);
	}
	aedb_scan_close(scan);
	*ret = i;
	return 0;
}

static int snapshot(void *arg)
{
	struct state *state = arg;
	struct aedb_snapshot *taken;

	if (aedb_snapshot_open(state->db, &taken) < 0)
		return fail("snapshot");
	aedb_snapshot_close(taken);
	return 0;
}

static int checkpoint(struct peer_db *db)
{
	struct state *state = db->state;
	aedb_seq_t seq;

	return aedb_checkpoint(state->db, &seq) < 0 ? fail("checkpoint") : 0;
}

static int backup(struct peer_db *db, const char *to, struct peer_heads *ret)
{
	struct aedb_backup_options options = { .kind = AEDB_BACKUP_FULL };
	struct state *state = db->state;
	struct aedb_backup_info info;
	struct aedb_stats stats;

	aedb_stats(state->db, &stats);
	if (aedb_backup(state->db, to, &options, &info) < 0)
		return fail("backup");
	ret->checkpoint = (double)stats.checkpoint_seq;
	ret->backup = (double)info.head_seq;
	return 0;
}

static int compact(struct peer_db *db)
{
	struct state *state = db->state;

	return aedb_compact(state->db) < 0 ? fail("compact") : 0;
}

static int usage(struct peer_db *db, struct peer_usage *ret)
{
	struct state *state = db->state;
	struct aedb_stats stats;

	aedb_stats(state->db, &stats);
	ret->memory = (double)stats.memory_bytes;
	ret->index = ret->memory - (double)stats.memtable_bytes -
		     (double)stats.cache_bytes - (double)stats.staged_bytes;
	ret->cache = (double)stats.cache_bytes;
	ret->cache_max = (double)stats.cache_capacity_bytes;
	ret->cache_misses = (double)stats.cache_misses;
	ret->outside = (double)stats.segment_bytes + (double)stats.value_bytes;
	ret->stored = (double)stats.flush_bytes +
		      (double)stats.compaction_write_bytes;
	return 0;
}

static void *handle(struct peer_db *db)
{
	struct state *state = db->state;

	return state->db;
}

static void counts(struct peer_db *db, struct peer_counts *ret)
{
	struct state *state = db->state;
	struct aedb_stats stats;

	aedb_stats(state->db, &stats);
	ret->commits = stats.commits;
	ret->groups = stats.commit_groups;
	ret->syncs = stats.wal_syncs;
}

const struct peer_driver peer_aedb = {
	.logs_entries = true,
	.open = open_db,
	.close = close_db,
	.session_open = session_open,
	.session_close = session_close,
	.put = put,
	.put_batch = put_batch,
	.delete = delete,
	.get = get,
	.scan = scan,
	.snapshot = snapshot,
	.checkpoint = checkpoint,
	.backup = backup,
	.compact = compact,
	.usage = usage,
	.handle = handle,
	.counts = counts,
};
