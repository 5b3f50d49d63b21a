/*
 * WiredTiger, a table for each space, a session and cursors for each thread.
 * Full is transaction_sync with fsync. Otherwise transaction_sync with method
 * "none", which writes the log to the system at each commit, and log_flush
 * every 10 ms. wiredtiger_memory is the same without transaction_sync, its
 * default: faster, but its log waits in the process, so a kill -9 loses
 * acknowledged commits. "Packed" is snappy and no log files made in advance.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wiredtiger.h>

#define CACHE_BYTES_MIN (1ull << 20)	/* WiredTiger's own */
#define COMPRESSOR "libwiredtiger_snappy.so"

static const char *const table_names[PEER_SPACES] = {
	"table:app", "table:other",
};

struct state {
	struct peer_db *db;
	WT_CONNECTION *connection;
	WT_SESSION *syncing;	/* used by the one thread that calls sync_db */
};

struct session {
	struct state *state;
	WT_SESSION *wt;
	WT_CURSOR *cursors[PEER_SPACES];
};

static int check(int rc, const char *what)
{
	return rc == 0 ? 0 : peer_fail("wiredtiger", what,
				       wiredtiger_strerror(rc));
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	check(state->connection->close(state->connection, NULL), "close");
	free(state);
}

static int make_tables(struct state *state)
{
	WT_SESSION *session = state->syncing;
	const char *config = state->db->setup.is_packed ?
		"key_format=u,value_format=u,block_compressor=snappy" :
		"key_format=u,value_format=u";

	for (unsigned i = 0; i < PEER_SPACES; i++)
		if (check(session->create(session, table_names[i], config),
			  table_names[i]) < 0)
			return -1;
	return 0;
}

static int open_with(struct peer_db *db, const char *transaction_sync)
{
	struct state *state = calloc(1, sizeof(*state));
	unsigned long long cache_bytes = db->setup.tree_bytes;
	char config[256];

	if (cache_bytes == 0)
		cache_bytes = PEER_MEMORY_BYTES;
	if (cache_bytes < CACHE_BYTES_MIN)
		cache_bytes = CACHE_BYTES_MIN;
	if (!state)
		return peer_fail("wiredtiger", "open", "out of memory");
	state->db = db;
	snprintf(config, sizeof(config),
		 "create,cache_size=%llu,transaction_sync=(%s),"
		 "statistics=(fast),log=(enabled%s", cache_bytes,
		 transaction_sync, db->setup.is_packed ?
		 ",prealloc=false),extensions=[" COMPRESSOR "]" : ")");
	if (check(wiredtiger_open(db->dir, NULL, config, &state->connection),
		  db->dir) < 0) {
		free(state);
		return -1;
	}
	db->state = state;
	if (check(state->connection->open_session(state->connection, NULL,
						  NULL, &state->syncing),
		  "session") < 0 || make_tables(state) < 0) {
		close_db(db);
		return -1;
	}
	return 0;
}

static int open_db(struct peer_db *db)
{
	return open_with(db, db->durability == PEER_FULL ?
			     "enabled,method=fsync" : "enabled,method=none");
}

static int open_memory(struct peer_db *db)
{
	return open_with(db, "enabled=false");
}

static int sync_db(struct peer_db *db)
{
	struct state *state = db->state;

	return check(state->syncing->log_flush(state->syncing, "sync=on"),
		     "log_flush");
}

static void session_close(void *arg)
{
	struct session *session = arg;

	check(session->wt->close(session->wt, NULL), "session");
	free(session);
}

static int session_open(struct peer_db *db, void **ret)
{
	struct session *session = calloc(1, sizeof(*session));
	struct state *state = db->state;

	if (!session)
		return peer_fail("wiredtiger", "session", "out of memory");
	session->state = state;
	if (check(state->connection->open_session(state->connection, NULL,
						  NULL, &session->wt),
		  "session") < 0) {
		free(session);
		return -1;
	}
	for (unsigned i = 0; i < PEER_SPACES; i++) {
		if (check(session->wt->open_cursor(session->wt, table_names[i],
						   NULL, NULL,
						   &session->cursors[i]),
			  "cursor") < 0) {
			session_close(session);
			return -1;
		}
	}
	*ret = session;
	return 0;
}

static void set_key(WT_CURSOR *cursor, const struct peer_op *op)
{
	WT_ITEM key = { .data = op->key, .size = op->key_bytes };

	cursor->set_key(cursor, &key);
}

static int put(void *arg, const struct peer_op *op)
{
	struct session *session = arg;
	WT_CURSOR *cursor = session->cursors[op->space];
	WT_ITEM value = { .data = op->value, .size = op->value_bytes };

	set_key(cursor, op);
	cursor->set_value(cursor, &value);
	if (check(cursor->insert(cursor), "put") < 0)
		return -1;
	peer_touch(session->state->db);
	return 0;
}

static int put_batch(void *arg, const struct peer_op *ops, size_t n)
{
	struct session *session = arg;
	WT_SESSION *wt = session->wt;

	if (check(wt->begin_transaction(wt, NULL), "begin") < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (put(session, &ops[i]) < 0) {
			wt->rollback_transaction(wt, NULL);
			return -1;
		}
	}
	return check(wt->commit_transaction(wt, NULL), "commit");
}

static int delete(void *arg, const struct peer_op *op)
{
	struct session *session = arg;
	WT_CURSOR *cursor = session->cursors[op->space];

	set_key(cursor, op);
	if (check(cursor->remove(cursor), "delete") < 0)
		return -1;
	peer_touch(session->state->db);
	return 0;
}

static int get(void *arg, const struct peer_op *op, size_t *ret_bytes)
{
	struct session *session = arg;
	WT_CURSOR *cursor = session->cursors[op->space];
	WT_ITEM value;

	set_key(cursor, op);
	if (check(cursor->search(cursor), "get") < 0 ||
	    check(cursor->get_value(cursor, &value), "get") < 0)
		return -1;
	peer_take(op, value.data, value.size);
	*ret_bytes = value.size;
	return check(cursor->reset(cursor), "reset");
}

static bool has_prefix(const WT_ITEM *key, const struct peer_op *prefix)
{
	return key->size >= prefix->key_bytes &&
	       memcmp(key->data, prefix->key, prefix->key_bytes) == 0;
}

static int scan(void *arg, const struct peer_op *prefix, size_t n, size_t *ret)
{
	struct session *session = arg;
	WT_CURSOR *cursor = session->cursors[prefix->space];
	WT_ITEM key, value;
	size_t i = 0;
	int rc, order;

	set_key(cursor, prefix);
	rc = cursor->search_near(cursor, &order);
	if (rc == 0 && order < 0)
		rc = cursor->next(cursor);
	while (rc == 0) {
		rc = cursor->get_key(cursor, &key);
		if (rc != 0 || !has_prefix(&key, prefix))
			break;
		rc = cursor->get_value(cursor, &value);
		if (rc != 0)
			break;
		peer_consume(key.data, key.size);
		peer_consume(value.data, value.size);
		if (++i == n)
			break;
		rc = cursor->next(cursor);
	}
	cursor->reset(cursor);
	if (rc != WT_NOTFOUND && check(rc, "scan") < 0)
		return -1;
	*ret = i;
	return 0;
}

/* A transaction takes its snapshot when it begins. */
static int snapshot(void *arg)
{
	WT_SESSION *wt = ((struct session *)arg)->wt;

	if (check(wt->begin_transaction(wt, "isolation=snapshot"),
		  "begin") < 0)
		return -1;
	return check(wt->rollback_transaction(wt, NULL), "rollback");
}

static int checkpoint(struct peer_db *db)
{
	struct state *state = db->state;

	return check(state->syncing->checkpoint(state->syncing, NULL),
		     "checkpoint");
}

static int compact(struct peer_db *db)
{
	struct state *state = db->state;

	for (unsigned i = 0; i < PEER_SPACES; i++)
		if (check(state->syncing->compact(state->syncing,
						  table_names[i],
						  "timeout=0"),
			  "compact") < 0)
			return -1;
	return checkpoint(db);
}

static int read_statistic(struct state *state, const char *uri, int key,
			  double *ret)
{
	WT_SESSION *session = state->syncing;
	const char *text, *printed;
	WT_CURSOR *cursor;
	int64_t value;
	int rc;

	if (check(session->open_cursor(session, uri, NULL, "statistics=(fast)",
				       &cursor), "statistics") < 0)
		return -1;
	cursor->set_key(cursor, key);
	rc = cursor->search(cursor);
	if (rc == 0)
		rc = cursor->get_value(cursor, &text, &printed, &value);
	cursor->close(cursor);
	if (check(rc, "statistics") < 0)
		return -1;
	*ret = (double)value;
	return 0;
}

/* What the cache holds, which is more than these entries when they are few. */
static int usage(struct peer_db *db, struct peer_usage *ret)
{
	struct state *state = db->state;

	if (read_statistic(state, "statistics:table:app",
			   WT_STAT_DSRC_CACHE_BYTES_INUSE, &ret->memory) < 0 ||
	    read_statistic(state, "statistics:", WT_STAT_CONN_CACHE_BYTES_INUSE,
			   &ret->cache) < 0)
		return -1;
	return read_statistic(state, "statistics:",
			      WT_STAT_CONN_CACHE_BYTES_MAX, &ret->cache_max);
}

#define WIREDTIGER_DRIVER(open_function) {	\
	.logs_entries = true,			\
	.open = open_function,			\
	.close = close_db,			\
	.sync = sync_db,			\
	.session_open = session_open,		\
	.session_close = session_close,		\
	.put = put,				\
	.put_batch = put_batch,			\
	.delete = delete,			\
	.get = get,				\
	.scan = scan,				\
	.snapshot = snapshot,			\
	.checkpoint = checkpoint,		\
	.compact = compact,			\
	.usage = usage,				\
}

const struct peer_driver peer_wiredtiger = WIREDTIGER_DRIVER(open_db);
const struct peer_driver peer_wiredtiger_memory =
	WIREDTIGER_DRIVER(open_memory);
