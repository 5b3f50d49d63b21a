/*
 * RocksDB through its C interface, a column family for each space. Full is
 * sync=true; otherwise each commit writes the log, and the log is synced every
 * 10 ms.
 *
 * Its defaults otherwise, with a block cache as large as the others' caches and
 * two background threads. "Packed" is zstd, blocks of 16 KiB and a bloom filter
 * of 10 bits a key; of a given memory a quarter is the block cache, if no other
 * number is given for that, and a quarter each of two memtables.
 */
#include "peer.h"

#include <rocksdb/c.h>
#include <stdlib.h>
#include <string.h>

#define BACKGROUND_THREADS 2
#define BLOCK_BYTES (16u << 10)
#define FILTER_BITS 10
#define FORCE_BOTTOMMOST 2	/* BottommostLevelCompaction::kForce */

static const char *const family_names[PEER_SPACES] = { "default", "other" };

struct state {
	struct peer_db *db;
	rocksdb_t *rocks;
	rocksdb_cache_t *cache;
	rocksdb_column_family_handle_t *families[PEER_SPACES];
	rocksdb_writeoptions_t *write_options;
	rocksdb_readoptions_t *read_options;
};

/* Frees the message. */
static int check(char *error, const char *what)
{
	if (!error)
		return 0;
	peer_fail("rocksdb", what, error);
	rocksdb_free(error);
	return -1;
}

static rocksdb_cache_t *make_cache(const struct peer_setup *setup)
{
	uint64_t bytes = setup->cache_bytes;

	if (bytes == 0)
		bytes = setup->memory_bytes / 4;
	return rocksdb_cache_create_lru(bytes > 0 ? bytes : PEER_MEMORY_BYTES);
}

static rocksdb_options_t *make_options(const struct peer_setup *setup,
				       rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *table =
		rocksdb_block_based_options_create();
	rocksdb_options_t *options = rocksdb_options_create();

	rocksdb_block_based_options_set_block_cache(table, cache);
	if (setup->is_packed) {
		rocksdb_options_set_compression(options,
						rocksdb_zstd_compression);
		rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
		rocksdb_block_based_options_set_filter_policy(table,
			rocksdb_filterpolicy_create_bloom_full(FILTER_BITS));
	}
	if (setup->memory_bytes > 0)
		rocksdb_options_set_write_buffer_size(options,
						      setup->memory_bytes / 4);
	rocksdb_options_set_block_based_table_factory(options, table);
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_create_missing_column_families(options, 1);
	rocksdb_options_increase_parallelism(options, BACKGROUND_THREADS);
	rocksdb_block_based_options_destroy(table);
	return options;
}

static int open_db(struct peer_db *db)
{
	struct state *state = calloc(1, sizeof(*state));
	rocksdb_options_t *options;
	const rocksdb_options_t *family_options[PEER_SPACES];
	char *error = NULL;

	if (!state)
		return peer_fail("rocksdb", "open", "out of memory");
	state->cache = make_cache(&db->setup);
	options = make_options(&db->setup, state->cache);
	for (unsigned i = 0; i < PEER_SPACES; i++)
		family_options[i] = options;
	state->db = db;
	state->rocks = rocksdb_open_column_families(options, db->dir,
						    PEER_SPACES, family_names,
						    family_options,
						    state->families, &error);
	rocksdb_options_destroy(options);
	if (check(error, db->dir) < 0) {
		rocksdb_cache_destroy(state->cache);
		free(state);
		return -1;
	}
	state->write_options = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(state->write_options,
				      db->durability == PEER_FULL);
	state->read_options = rocksdb_readoptions_create();
	db->state = state;
	return 0;
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	for (unsigned i = 0; i < PEER_SPACES; i++)
		rocksdb_column_family_handle_destroy(state->families[i]);
	rocksdb_close(state->rocks);
	rocksdb_writeoptions_destroy(state->write_options);
	rocksdb_readoptions_destroy(state->read_options);
	rocksdb_cache_destroy(state->cache);
	free(state);
}

static int sync_db(struct peer_db *db)
{
	struct state *state = db->state;
	char *error = NULL;

	rocksdb_flush_wal(state->rocks, 1, &error);
	return check(error, "sync");
}

static int session_open(struct peer_db *db, void **ret)
{
	*ret = db->state;
	return 0;
}

static void session_close(void *session)
{
	(void)session;
}

static int put(void *session, const struct peer_op *op)
{
	struct state *state = session;
	char *error = NULL;

	rocksdb_put_cf(state->rocks, state->write_options,
		       state->families[op->space], op->key, op->key_bytes,
		       op->value, op->value_bytes, &error);
	peer_touch(state->db);
	return check(error, "put");
}

static int put_batch(void *session, const struct peer_op *ops, size_t n)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	struct state *state = session;
	char *error = NULL;

	for (size_t i = 0; i < n; i++)
		rocksdb_writebatch_put_cf(batch,
					  state->families[ops[i].space],
					  ops[i].key, ops[i].key_bytes,
					  ops[i].value, ops[i].value_bytes);
	rocksdb_write(state->rocks, state->write_options, batch, &error);
	rocksdb_writebatch_destroy(batch);
	peer_touch(state->db);
	return check(error, "batch");
}

static int delete(void *session, const struct peer_op *op)
{
	struct state *state = session;
	char *error = NULL;

	rocksdb_delete_cf(state->rocks, state->write_options,
			  state->families[op->space], op->key, op->key_bytes,
			  &error);
	peer_touch(state->db);
	return check(error, "delete");
}

static int get(void *session, const struct peer_op *op, size_t *ret_bytes)
{
	struct state *state = session;
	rocksdb_pinnableslice_t *slice;
	const char *value;
	char *error = NULL;

	slice = rocksdb_get_pinned_cf(state->rocks, state->read_options,
				      state->families[op->space], op->key,
				      op->key_bytes, &error);
	if (check(error, "get") < 0)
		return -1;
	if (!slice)
		return peer_fail("rocksdb", "get", "not found");
	value = rocksdb_pinnableslice_value(slice, ret_bytes);
	peer_take(op, value, *ret_bytes);
	rocksdb_pinnableslice_destroy(slice);
	return 0;
}

static bool has_prefix(const char *key, size_t bytes,
		       const struct peer_op *prefix)
{
	return bytes >= prefix->key_bytes &&
	       memcmp(key, prefix->key, prefix->key_bytes) == 0;
}

static int scan(void *session, const struct peer_op *prefix, size_t n,
		size_t *ret)
{
	struct state *state = session;
	rocksdb_iterator_t *it;
	const char *key, *value;
	char *error = NULL;
	size_t i, bytes;

	it = rocksdb_create_iterator_cf(state->rocks, state->read_options,
					state->families[prefix->space]);
	rocksdb_iter_seek(it, prefix->key, prefix->key_bytes);
	for (i = 0; i < n && rocksdb_iter_valid(it); i++) {
		key = rocksdb_iter_key(it, &bytes);
		if (!has_prefix(key, bytes, prefix))
			break;
		peer_consume(key, bytes);
		value = rocksdb_iter_value(it, &bytes);
		peer_consume(value, bytes);
		rocksdb_iter_next(it);
	}
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	*ret = i;
	return check(error, "scan");
}

static int snapshot(void *session)
{
	struct state *state = session;

	rocksdb_release_snapshot(state->rocks,
				 rocksdb_create_snapshot(state->rocks));
	return 0;
}

static int checkpoint(struct peer_db *db)
{
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	struct state *state = db->state;
	char *error = NULL;
	int rc = 0;

	for (unsigned i = 0; i < PEER_SPACES && rc == 0; i++) {
		rocksdb_flush_cf(state->rocks, options, state->families[i],
				 &error);
		rc = check(error, "flush");
	}
	rocksdb_flushoptions_destroy(options);
	return rc;
}

static int compact(struct peer_db *db)
{
	rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
	struct state *state = db->state;

	rocksdb_compactoptions_set_bottommost_level_compaction(options,
							FORCE_BOTTOMMOST);
	for (unsigned i = 0; i < PEER_SPACES; i++)
		rocksdb_compact_range_cf_opt(state->rocks, state->families[i],
					     options, NULL, 0, NULL, 0);
	rocksdb_compactoptions_destroy(options);
	return 0;
}

static int property(struct state *state, const char *name, double *ret)
{
	uint64_t value;

	if (rocksdb_property_int(state->rocks, name, &value) != 0)
		return peer_fail("rocksdb", name, "no such property");
	*ret = (double)value;
	return 0;
}

/* Memory is that of the memtables: where it is asked for, nothing has left
 * them. The index is what the table readers hold. */
static int usage(struct peer_db *db, struct peer_usage *ret)
{
	struct state *state = db->state;

	ret->cache = (double)rocksdb_cache_get_usage(state->cache);
	ret->cache_max = (double)rocksdb_cache_get_capacity(state->cache);
	if (property(state, "rocksdb.cur-size-all-mem-tables",
		     &ret->memory) < 0)
		return -1;
	return property(state, "rocksdb.estimate-table-readers-mem",
			&ret->index);
}

const struct peer_driver peer_rocksdb = {
	.logs_entries = true,
	.open = open_db,
	.close = close_db,
	.sync = sync_db,
	.session_open = session_open,
	.session_close = session_close,
	.put = put,
	.put_batch = put_batch,
	.delete = delete,
	.get = get,
	.scan = scan,
	.snapshot = snapshot,
	.checkpoint = checkpoint,
	.compact = compact,
	.usage = usage,
};
