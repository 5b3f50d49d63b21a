/*
 * The table of stores, and what all of them need around a database: a
 * directory of its own, and for those that do not sync by themselves a thread
 * that does, so that "batch" means the same for everybody.
 *
 * Invariants:
 * 1. A database is new, or one that was made in this run: nothing is measured
 *    on left-over files.
 * 2. The thread syncs only after a commit, and at most once an interval.
 */
#include "peer.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLASS(durability) (1u << (durability))
#define CLASS_UNSYNCED (CLASS(PEER_BATCH) | CLASS(PEER_OS))
#define CLASS_ALL (CLASS(PEER_FULL) | CLASS_UNSYNCED)
#define OPEN_FILES_MAX 16

#define LMDB_WEAKNESS \
	"LMDB with MDB_NOSYNC: a power cut may corrupt the database"
#define MEMORY_LOG_WEAKNESS \
	"WiredTiger without transaction_sync: its log waits in process " \
	"memory, kill -9 loses acknowledged commits"

const struct peer peers[PEERS] = {
	[PEER_AEDB] = { "aedb", &peer_aedb, CLASS_ALL, { NULL } },
	[PEER_BARE] = { "control", &peer_bare, CLASS_ALL, { NULL } },
	[PEER_LMDB] = { "lmdb", &peer_lmdb, CLASS_ALL,
			{ NULL, LMDB_WEAKNESS, LMDB_WEAKNESS } },
	[PEER_LMDB_MAPPED] = { "lmdb-map", &peer_lmdb_mapped, CLASS_UNSYNCED,
			       { NULL, LMDB_WEAKNESS, LMDB_WEAKNESS } },
	[PEER_SQLITE] = { "sqlite", &peer_sqlite, CLASS_ALL, { NULL } },
	[PEER_ROCKSDB] = { "rocksdb", &peer_rocksdb, CLASS_ALL, { NULL } },
	[PEER_WIREDTIGER] = { "wiredtiger", &peer_wiredtiger, CLASS_ALL,
			      { NULL } },
	[PEER_WIREDTIGER_MEMORY] = {
		"wt-memlog", &peer_wiredtiger_memory, CLASS_UNSYNCED,
		{ NULL, MEMORY_LOG_WEAKNESS, MEMORY_LOG_WEAKNESS } },
};

_Thread_local unsigned peer_sink;

int peer_fail(const char *name, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", name, what, why);
	return -1;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void peer_remove_tree(const char *dir)
{
	if (nftw(dir, remove_one, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS) < 0)
		peer_fail("bench", dir, "cannot be removed");
}

static void *ticker_main(void *arg)
{
	struct peer_db *db = arg;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	pthread_mutex_lock(&db->lock);
	while (!db->is_closing) {
		until.tv_nsec += PEER_SYNC_INTERVAL_MS * 1000000l;
		until.tv_sec += until.tv_nsec / 1000000000l;
		until.tv_nsec %= 1000000000l;
		pthread_cond_timedwait(&db->wake, &db->lock, &until);
		if (!atomic_exchange(&db->is_dirty, false))
			continue;
		pthread_mutex_unlock(&db->lock);
		if (db->peer->driver->sync(db) < 0)
			atomic_store(&db->has_failed, true);
		clock_gettime(CLOCK_MONOTONIC, &until);
		pthread_mutex_lock(&db->lock);
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

static int ticker_start(struct peer_db *db)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&db->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&db->lock, NULL);
	if (db->durability != PEER_BATCH || !db->peer->driver->sync)
		return 0;
	if (pthread_create(&db->ticker, NULL, ticker_main, db) != 0)
		return peer_fail(db->peer->name, "thread", "not started");
	db->has_ticker = true;
	return 0;
}

static void ticker_stop(struct peer_db *db)
{
	if (db->has_ticker) {
		pthread_mutex_lock(&db->lock);
		db->is_closing = true;
		pthread_cond_signal(&db->wake);
		pthread_mutex_unlock(&db->lock);
		pthread_join(db->ticker, NULL);
		db->has_ticker = db->is_closing = false;
	}
	pthread_cond_destroy(&db->wake);
	pthread_mutex_destroy(&db->lock);
}

int peer_start(struct peer_db *db, const struct peer_setup *setup)
{
	if (setup)
		db->setup = *setup;
	if (db->peer->driver->open(db) < 0)
		return -1;
	if (ticker_start(db) < 0) {
		db->peer->driver->close(db);
		return -1;
	}
	db->is_running = true;
	return 0;
}

int peer_shut(struct peer_db *db)
{
	if (!db->is_running)
		return 0;
	ticker_stop(db);
	db->peer->driver->close(db);
	db->is_running = false;
	return atomic_exchange(&db->has_failed, false) ? -1 : 0;
}

static struct peer_db *peer_new(const struct peer *peer,
				enum peer_durability durability)
{
	struct peer_db *db = calloc(1, sizeof(*db));

	if (!db) {
		peer_fail(peer->name, "open", "out of memory");
		return NULL;
	}
	db->peer = peer;
	db->durability = durability;
	return db;
}

int peer_open(const struct peer *peer, enum peer_durability durability,
	      const char *dir, const struct peer_setup *setup,
	      struct peer_db **ret)
{
	struct peer_db *db = peer_new(peer, durability);

	if (!db)
		return -1;
	snprintf(db->dir, sizeof(db->dir), "%s/%s.%d", dir, peer->name,
		 (int)durability);
	if (mkdir(db->dir, 0700) < 0) {
		perror(db->dir);
		goto fail;
	}
	if (peer_start(db, setup) < 0)
		goto fail_dir;
	*ret = db;
	return 0;

fail_dir:
	peer_remove_tree(db->dir);
fail:
	free(db);
	return -1;
}

int peer_attach(const struct peer *peer, enum peer_durability durability,
		const char *own, const struct peer_setup *setup,
		struct peer_db **ret)
{
	struct peer_db *db = peer_new(peer, durability);

	if (!db)
		return -1;
	snprintf(db->dir, sizeof(db->dir), "%s", own);
	if (peer_start(db, setup) < 0) {
		free(db);
		return -1;
	}
	*ret = db;
	return 0;
}

int peer_close(struct peer_db *db)
{
	int rc = peer_shut(db);

	peer_remove_tree(db->dir);
	free(db);
	return rc;
}
