/*
 * LMDB. Full durability is its default. Otherwise MDB_NOSYNC with
 * mdb_env_sync every 10 ms: it has no mode in which a power cut loses only the
 * last commits and harms nothing else, and the table says so. lmdb_mapped is
 * the same with MDB_WRITEMAP: a commit is then no system call at all.
 *
 * Each thread keeps one read transaction, reset between reads.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES (4ull << 30)
#define READERS_MAX 64

static const char *const space_names[PEER_SPACES] = { "app", "other" };

struct state {
	struct peer_db *db;
	MDB_env *env;
	unsigned flags;			/* constant after open */
	MDB_dbi spaces[PEER_SPACES];
};

struct session {
	struct state *state;
	MDB_txn *reading;
	MDB_cursor *cursors[PEER_SPACES];
};

static int check(int rc, const char *what)
{
	return rc == 0 ? 0 : peer_fail("lmdb", what, mdb_strerror(rc));
}

static void close_db(struct peer_db *db)
{
	struct state *state = db->state;

	if (state->env)
		mdb_env_close(state->env);
	free(state);
}

static int make_spaces(struct state *state)
{
	MDB_txn *txn;

	if (check(mdb_txn_begin(state->env, NULL, 0, &txn), "begin") < 0)
		return -1;
	for (unsigned i = 0; i < PEER_SPACES; i++) {
		if (check(mdb_dbi_open(txn, space_names[i], MDB_CREATE,
				       &state->spaces[i]), "dbi") < 0) {
			mdb_txn_abort(txn);
			return -1;
		}
	}
	return check(mdb_txn_commit(txn), "commit");
}

static int open_env(struct peer_db *db)
{
	struct state *state = db->state;

	if (check(mdb_env_create(&state->env), "create") < 0 ||
	    check(mdb_env_set_mapsize(state->env, MAP_BYTES), "map") < 0 ||
	    check(mdb_env_set_maxdbs(state->env, PEER_SPACES), "dbs") < 0 ||
	    check(mdb_env_set_maxreaders(state->env, READERS_MAX),
		  "readers") < 0 ||
	    check(mdb_env_open(state->env, db->dir, state->flags, 0600),
		  db->dir) < 0)
		return -1;
	return make_spaces(state);
}

static int open_with(struct peer_db *db, unsigned flags)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return peer_fail("lmdb", "open", "out of memory");
	state->db = db;
	state->flags = flags | MDB_NOTLS |
		       (db->setup.is_cold ? MDB_NORDAHEAD : 0);
	db->state = state;
	if (open_env(db) < 0) {
		close_db(db);
		return -1;
	}
	return 0;
}

static int open_db(struct peer_db *db)
{
	return open_with(db, db->durability == PEER_FULL ? 0 : MDB_NOSYNC);
}

static int open_mapped(struct peer_db *db)
{
	return open_with(db, MDB_NOSYNC | MDB_WRITEMAP);
}

static int sync_db(struct peer_db *db)
{
	struct state *state = db->state;

	return check(mdb_env_sync(state->env, 1), "sync");
}

static void session_close(void *arg)
{
	struct session *session = arg;

	for (unsigned i = 0; i < PEER_SPACES; i++)
		if (session->cursors[i])
			mdb_cursor_close(session->cursors[i]);
	if (session->reading)
		mdb_txn_abort(session->reading);
	free(session);
}

static int session_open(struct peer_db *db, void **ret)
{
	struct session *session = calloc(1, sizeof(*session));
	struct state *state = db->state;

	if (!session)
		return peer_fail("lmdb", "session", "out of memory");
	session->state = state;
	if (check(mdb_txn_begin(state->env, NULL, MDB_RDONLY,
				&session->reading), "begin") < 0)
		goto fail;
	for (unsigned i = 0; i < PEER_SPACES; i++)
		if (check(mdb_cursor_open(session->reading, state->spaces[i],
					  &session->cursors[i]), "cursor") < 0)
			goto fail;
	mdb_txn_reset(session->reading);
	*ret = session;
	return 0;

fail:
	session_close(session);
	return -1;
}

static int put_batch(void *arg, const struct peer_op *ops, size_t n)
{
	struct state *state = ((struct session *)arg)->state;
	MDB_txn *txn;

	if (check(mdb_txn_begin(state->env, NULL, 0, &txn), "begin") < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		MDB_val key = { ops[i].key_bytes, (void *)ops[i].key };
		MDB_val value = { ops[i].value_bytes, (void *)ops[i].value };

		if (check(mdb_put(txn, state->spaces[ops[i].space], &key,
				  &value, 0), "put") < 0) {
			mdb_txn_abort(txn);
			return -1;
		}
	}
	if (check(mdb_txn_commit(txn), "commit") < 0)
		return -1;
	peer_touch(state->db);
	return 0;
}

static int put(void *session, const struct peer_op *op)
{
	return put_batch(session, op, 1);
}

static int delete(void *arg, const struct peer_op *op)
{
	struct state *state = ((struct session *)arg)->state;
	MDB_val key = { op->key_bytes, (void *)op->key };
	MDB_txn *txn;

	if (check(mdb_txn_begin(state->env, NULL, 0, &txn), "begin") < 0)
		return -1;
	if (check(mdb_del(txn, state->spaces[op->space], &key, NULL),
		  "delete") < 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	if (check(mdb_txn_commit(txn), "commit") < 0)
		return -1;
	peer_touch(state->db);
	return 0;
}

static int get(void *arg, const struct peer_op *op, size_t *ret_bytes)
{
	struct session *session = arg;
	MDB_val key = { op->key_bytes, (void *)op->key };
	MDB_val value;
	int rc;

	if (check(mdb_txn_renew(session->reading), "renew") < 0)
		return -1;
	rc = mdb_get(session->reading, session->state->spaces[op->space], &key,
		     &value);
	if (rc == 0) {
		peer_take(op, value.mv_data, value.mv_size);
		*ret_bytes = value.mv_size;
	}
	mdb_txn_reset(session->reading);
	return check(rc, "get");
}

static bool has_prefix(const MDB_val *key, const struct peer_op *prefix)
{
	return key->mv_size >= prefix->key_bytes &&
	       memcmp(key->mv_data, prefix->key, prefix->key_bytes) == 0;
}

static int scan(void *arg, const struct peer_op *prefix, size_t n, size_t *ret)
{
	struct session *session = arg;
	MDB_cursor *cursor = session->cursors[prefix->space];
	MDB_val key = { prefix->key_bytes, (void *)prefix->key };
	MDB_val value;
	size_t i = 0;
	int rc;

	if (check(mdb_txn_renew(session->reading), "renew") < 0)
		return -1;
	rc = mdb_cursor_renew(session->reading, cursor);
	if (rc == 0)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && has_prefix(&key, prefix)) {
		peer_consume(key.mv_data, key.mv_size);
		peer_consume(value.mv_data, value.mv_size);
		if (++i == n)
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_txn_reset(session->reading);
	if (rc != MDB_NOTFOUND && check(rc, "scan") < 0)
		return -1;
	*ret = i;
	return 0;
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return peer_fail("lmdb", path, strerror(errno));
	close(fd);
	return 0;
}

/* mdb_env_copy leaves it to the system when that is on the disk. */
static int backup(struct peer_db *db, const char *to, struct peer_heads *ret)
{
	struct state *state = db->state;
	char path[1024];

	(void)ret;
	snprintf(path, sizeof(path), "%s/data.mdb", to);
	if (mkdir(to, 0700) < 0)
		return peer_fail("lmdb", to, strerror(errno));
	if (check(mdb_env_copy(state->env, to), "copy") < 0)
		return -1;
	return sync_path(path) < 0 ? -1 : sync_path(to);
}

static int snapshot(void *arg)
{
	struct session *session = arg;

	if (check(mdb_txn_renew(session->reading), "renew") < 0)
		return -1;
	mdb_txn_reset(session->reading);
	return 0;
}

static int rename_copy(const char *copy_dir, const char *dir)
{
	char from[1024], to[1024];

	snprintf(from, sizeof(from), "%s/data.mdb", copy_dir);
	snprintf(to, sizeof(to), "%s/data.mdb", dir);
	if (rename(from, to) < 0 || rmdir(copy_dir) < 0)
		return peer_fail("lmdb", from, strerror(errno));
	return 0;
}

/* It has no compaction in place: a compacted copy takes the file's place. */
static int compact(struct peer_db *db)
{
	struct state *state = db->state;
	char dir[600];

	snprintf(dir, sizeof(dir), "%s/compact", db->dir);
	if (mkdir(dir, 0700) < 0)
		return peer_fail("lmdb", dir, strerror(errno));
	if (check(mdb_env_copy2(state->env, dir, MDB_CP_COMPACT), "copy") < 0)
		return -1;
	mdb_env_close(state->env);
	state->env = NULL;
	return rename_copy(dir, db->dir) < 0 ? -1 : open_env(db);
}

/* The pages of the tree: they are the page cache's, and mapped. */
static int usage(struct peer_db *db, struct peer_usage *ret)
{
	struct state *state = db->state;
	MDB_stat stat;
	MDB_txn *txn;
	int rc;

	if (check(mdb_txn_begin(state->env, NULL, MDB_RDONLY, &txn),
		  "begin") < 0)
		return -1;
	rc = mdb_stat(txn, state->spaces[0], &stat);
	mdb_txn_abort(txn);
	ret->memory = (double)stat.ms_psize *
		      (double)(stat.ms_branch_pages + stat.ms_leaf_pages +
			       stat.ms_overflow_pages);
	return check(rc, "stat");
}

#define LMDB_DRIVER(open_function) {		\
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
	.checkpoint = sync_db,			\
	.backup = backup,			\
	.compact = compact,			\
	.usage = usage,				\
}

const struct peer_driver peer_lmdb = LMDB_DRIVER(open_db);
const struct peer_driver peer_lmdb_mapped = LMDB_DRIVER(open_mapped);
