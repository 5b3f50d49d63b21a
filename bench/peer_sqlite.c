/*
 * SQLite in WAL mode, a table without rowid for each space, prepared
 * statements. Full is synchronous=FULL; otherwise synchronous=NORMAL, which
 * writes the log at each commit, and an fdatasync of the log every 10 ms.
 *
 * Invariant: all threads share one connection behind a mutex. Connections of
 * their own would wait for the write lock in SQLite's busy handler, which polls
 * and sleeps.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LOG_PAGES 1000
#define LARGE_LOG_PAGES 16384	/* 64 MiB: "packed" */

enum statement {
	PUT,
	DELETE,
	GET,
	SCAN,
	PER_SPACE,
};

struct state {
	struct peer_db *db;
	sqlite3 *connection;	/* guarded by lock, as are all statements */
	sqlite3_stmt *begin, *commit;
	sqlite3_stmt *statements[PEER_SPACES][PER_SPACE];
	int log_fd;		/* constant after open */
	pthread_mutex_t lock;
};

static const char *const texts[PER_SPACE] = {
	[PUT] = "INSERT OR REPLACE INTO space%u VALUES (?1, ?2)",
	[DELETE] = "DELETE FROM space%u WHERE k = ?1",
	[GET] = "SELECT v FROM space%u WHERE k = ?1",
	[SCAN] = "SELECT k, v FROM space%u WHERE k >= ?1 ORDER BY k",
};

static int fail(const struct state *state, const char *what)
{
	return peer_fail("sqlite", what, sqlite3_errmsg(state->connection));
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	for (unsigned i = 0; i < PEER_SPACES; i++)
		for (unsigned j = 0; j < PER_SPACE; j++)
			sqlite3_finalize(state->statements[i][j]);
	sqlite3_finalize(state->begin);
	sqlite3_finalize(state->commit);
	sqlite3_close(state->connection);
	if (state->log_fd >= 0)
		close(state->log_fd);
	pthread_mutex_destroy(&state->lock);
	free(state);
}

static int prepare(struct state *state, const char *text, sqlite3_stmt **ret)
{
	if (sqlite3_prepare_v3(state->connection, text, -1,
			       SQLITE_PREPARE_PERSISTENT, ret, NULL))
		return fail(state, text);
	return 0;
}

static int make_spaces(struct state *state)
{
	char text[128];

	for (unsigned i = 0; i < PEER_SPACES; i++) {
		snprintf(text, sizeof(text), "CREATE TABLE IF NOT EXISTS "
			 "space%u (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID", i);
		if (sqlite3_exec(state->connection, text, NULL, NULL, NULL))
			return fail(state, text);
		for (unsigned j = 0; j < PER_SPACE; j++) {
			snprintf(text, sizeof(text), texts[j], i);
			if (prepare(state, text, &state->statements[i][j]) < 0)
				return -1;
		}
	}
	if (prepare(state, "BEGIN IMMEDIATE", &state->begin) < 0)
		return -1;
	return prepare(state, "COMMIT", &state->commit);
}

static int connect_db(struct state *state)
{
	bool is_full = state->db->durability == PEER_FULL;
	unsigned long long cache_bytes = state->db->setup.tree_bytes;
	char path[sizeof(state->db->dir) + 16];
	char text[256];

	snprintf(path, sizeof(path), "%s/db", state->db->dir);
	if (sqlite3_open_v2(path, &state->connection,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX, NULL))
		return fail(state, path);
	if (cache_bytes == 0)
		cache_bytes = PEER_MEMORY_BYTES;
	snprintf(text, sizeof(text), "PRAGMA journal_mode=WAL;"
		 "PRAGMA synchronous=%s; PRAGMA cache_size=-%llu;"
		 "PRAGMA wal_autocheckpoint=%u",
		 is_full ? "FULL" : "NORMAL", cache_bytes >> 10,
		 state->db->setup.is_packed ? LARGE_LOG_PAGES :
					      DEFAULT_LOG_PAGES);
	if (sqlite3_exec(state->connection, text, NULL, NULL, NULL))
		return fail(state, text);
	if (make_spaces(state) < 0)
		return -1;
	strcat(path, "-wal");
	state->log_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (state->log_fd < 0)
		return peer_fail("sqlite", path, strerror(errno));
	return 0;
}

static int open_db(struct peer_db *db)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return peer_fail("sqlite", "open", "out of memory");
	state->db = db;
	state->log_fd = -1;
	pthread_mutex_init(&state->lock, NULL);
	db->state = state;
	if (connect_db(state) < 0) {
		close_db(db);
		return -1;
	}
	return 0;
}

static int sync_db(struct peer_db *db)
{
	struct state *state = db->state;

	return fdatasync(state->log_fd) < 0 ?
	       peer_fail("sqlite", "log", strerror(errno)) : 0;
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

static void bind_key(sqlite3_stmt *statement, const struct peer_op *op)
{
	sqlite3_bind_blob(statement, 1, op->key, (int)op->key_bytes,
			  SQLITE_STATIC);
}

static int step(struct state *state, sqlite3_stmt *statement, const char *what)
{
	int rc = sqlite3_step(statement);

	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? 0 : fail(state, what);
}

static int put_locked(struct state *state, const struct peer_op *op)
{
	sqlite3_stmt *statement = state->statements[op->space][PUT];

	bind_key(statement, op);
	sqlite3_bind_blob(statement, 2, op->value, (int)op->value_bytes,
			  SQLITE_STATIC);
	return step(state, statement, "put");
}

static int put(void *session, const struct peer_op *op)
{
	struct state *state = session;
	int rc;

	pthread_mutex_lock(&state->lock);
	rc = put_locked(state, op);
	pthread_mutex_unlock(&state->lock);
	peer_touch(state->db);
	return rc;
}

static int put_batch(void *session, const struct peer_op *ops, size_t n)
{
	struct state *state = session;
	int rc;

	pthread_mutex_lock(&state->lock);
	rc = step(state, state->begin, "begin");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_locked(state, &ops[i]);
	if (rc == 0)
		rc = step(state, state->commit, "commit");
	pthread_mutex_unlock(&state->lock);
	peer_touch(state->db);
	return rc;
}

static int delete(void *session, const struct peer_op *op)
{
	struct state *state = session;
	sqlite3_stmt *statement = state->statements[op->space][DELETE];
	int rc;

	pthread_mutex_lock(&state->lock);
	bind_key(statement, op);
	rc = step(state, statement, "delete");
	pthread_mutex_unlock(&state->lock);
	peer_touch(state->db);
	return rc;
}

static void take_column(const struct peer_op *op, sqlite3_stmt *statement)
{
	peer_take(op, sqlite3_column_blob(statement, 0),
		  (size_t)sqlite3_column_bytes(statement, 0));
}

static void consume_column(sqlite3_stmt *statement, int column)
{
	peer_consume(sqlite3_column_blob(statement, column),
		     (size_t)sqlite3_column_bytes(statement, column));
}

static int get(void *session, const struct peer_op *op, size_t *ret_bytes)
{
	struct state *state = session;
	sqlite3_stmt *statement = state->statements[op->space][GET];
	int rc;

	pthread_mutex_lock(&state->lock);
	bind_key(statement, op);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		take_column(op, statement);
		*ret_bytes = (size_t)sqlite3_column_bytes(statement, 0);
	}
	sqlite3_reset(statement);
	pthread_mutex_unlock(&state->lock);
	return rc == SQLITE_ROW ? 0 : fail(state, "get");
}

static bool has_prefix(sqlite3_stmt *row, const struct peer_op *prefix)
{
	return (size_t)sqlite3_column_bytes(row, 0) >= prefix->key_bytes &&
	       memcmp(sqlite3_column_blob(row, 0), prefix->key,
		      prefix->key_bytes) == 0;
}

static int scan(void *session, const struct peer_op *prefix, size_t n,
		size_t *ret)
{
	struct state *state = session;
	sqlite3_stmt *statement = state->statements[prefix->space][SCAN];
	int rc = SQLITE_ROW;
	size_t i;

	pthread_mutex_lock(&state->lock);
	bind_key(statement, prefix);
	for (i = 0; i < n; i++) {
		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW || !has_prefix(statement, prefix))
			break;
		consume_column(statement, 0);
		consume_column(statement, 1);
	}
	sqlite3_reset(statement);
	pthread_mutex_unlock(&state->lock);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return fail(state, "scan");
	*ret = i;
	return 0;
}

static int execute(struct state *state, const char *text)
{
	if (sqlite3_exec(state->connection, text, NULL, NULL, NULL))
		return fail(state, text);
	return 0;
}

static int checkpoint(struct peer_db *db)
{
	return execute(db->state, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static int compact(struct peer_db *db)
{
	if (execute(db->state, "VACUUM") < 0)
		return -1;
	return checkpoint(db);
}

static int usage(struct peer_db *db, struct peer_usage *ret)
{
	struct state *state = db->state;
	int used, highest;

	if (sqlite3_db_status(state->connection, SQLITE_DBSTATUS_CACHE_USED,
			      &used, &highest, 0))
		return fail(state, "status");
	ret->memory = ret->cache = used;
	return 0;
}

static void *handle(struct peer_db *db)
{
	struct state *state = db->state;

	return state->connection;
}

const struct peer_driver peer_sqlite = {
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
	.checkpoint = checkpoint,
	.compact = compact,
	.usage = usage,
	.handle = handle,
};
