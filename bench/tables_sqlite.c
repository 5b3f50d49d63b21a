/*
 * SQLite's table, a rowid table, as fast a one as it has for an integer key, with
 * prepared statements.
 */
#include "tables.h"

#include <sqlite3.h>
#include <stdlib.h>

enum statement {
	BEGIN,
	COMMIT,
	PUT,
	SET_STAMP,
	SELECT,
	SELECT_TEAM,
	SELECT_FROM,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[PUT] = "INSERT INTO rows VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO "
		"UPDATE SET team = ?2, stamp = ?3, text = ?4",
	[SET_STAMP] = "UPDATE rows SET stamp = ?2 WHERE id = ?1",
	[SELECT] = "SELECT text FROM rows WHERE id = ?1",
	[SELECT_TEAM] = "SELECT text FROM rows WHERE team = ?1",
	[SELECT_FROM] = "SELECT text FROM rows WHERE stamp >= ?1 ORDER BY stamp "
			"LIMIT ?2",
};

static const char making[] =
	"CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, "
	"team INTEGER NOT NULL, stamp INTEGER NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS by_team ON rows (team);"
	"CREATE INDEX IF NOT EXISTS by_stamp ON rows (stamp)";

struct state {
	struct peer_db *db;
	sqlite3 *connection;
	sqlite3_stmt *statements[STATEMENTS];
};

static int fail(const struct state *state, const char *what)
{
	return peer_fail("sqlite", what, sqlite3_errmsg(state->connection));
}

static void close_table(void *arg)
{
	struct state *state = arg;

	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(state->statements[i]);
	free(state);
}

static int prepare(struct state *state)
{
	if (sqlite3_exec(state->connection, making, NULL, NULL, NULL))
		return fail(state, "create table");
	for (unsigned i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(state->connection, texts[i], -1,
				       SQLITE_PREPARE_PERSISTENT,
				       &state->statements[i], NULL))
			return fail(state, texts[i]);
	return 0;
}

static int open_table(struct peer_db *db, void **ret)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return peer_fail("sqlite", "open table", "out of memory");
	state->db = db;
	state->connection = db->peer->driver->handle(db);
	if (prepare(state) < 0) {
		close_table(state);
		return -1;
	}
	*ret = state;
	return 0;
}

static int done(struct state *state, enum statement which)
{
	sqlite3_stmt *statement = state->statements[which];
	int rc = sqlite3_step(statement);

	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? 0 : fail(state, texts[which]);
}

static int put_one(struct state *state, const struct table_row *row)
{
	sqlite3_stmt *statement = state->statements[PUT];

	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_int64(statement, 2, row->team);
	sqlite3_bind_int64(statement, 3, row->stamp);
	sqlite3_bind_text(statement, 4, row->text, sizeof(row->text),
			  SQLITE_STATIC);
	return done(state, PUT);
}

static int put(void *arg, const struct table_row *rows, size_t n)
{
	struct state *state = arg;
	int rc = n > 1 ? done(state, BEGIN) : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_one(state, &rows[i]);
	if (rc == 0 && n > 1)
		rc = done(state, COMMIT);
	peer_touch(state->db);
	return rc;
}

static int set_stamp(void *arg, int64_t id, int64_t stamp)
{
	struct state *state = arg;
	int rc;

	sqlite3_bind_int64(state->statements[SET_STAMP], 1, id);
	sqlite3_bind_int64(state->statements[SET_STAMP], 2, stamp);
	rc = done(state, SET_STAMP);
	peer_touch(state->db);
	return rc;
}

static int select_rows(struct state *state, enum statement which, int64_t i,
		       size_t *ret)
{
	sqlite3_stmt *statement = state->statements[which];
	size_t n = 0;
	int rc;

	sqlite3_bind_int64(statement, 1, i);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		peer_consume(sqlite3_column_text(statement, 0),
			     (size_t)sqlite3_column_bytes(statement, 0));
		n++;
	}
	sqlite3_reset(statement);
	*ret = n;
	return rc == SQLITE_DONE ? 0 : fail(state, texts[which]);
}

static int select_one(void *arg, int64_t id)
{
	size_t n;

	if (select_rows(arg, SELECT, id, &n) < 0)
		return -1;
	return n == 1 ? 0 : peer_fail("sqlite", "select", "no such row");
}

static int select_team(void *arg, int64_t team, size_t *ret)
{
	return select_rows(arg, SELECT_TEAM, team, ret);
}

static int select_from(void *arg, int64_t stamp, size_t n, size_t *ret)
{
	struct state *state = arg;

	sqlite3_bind_int64(state->statements[SELECT_FROM], 2, (int64_t)n);
	return select_rows(state, SELECT_FROM, stamp, ret);
}

const struct table_driver table_sqlite = {
	.open = open_table,
	.close = close_table,
	.put = put,
	.set_stamp = set_stamp,
	.get = select_one,
	.select = select_one,
	.select_team = select_team,
	.select_from = select_from,
};
