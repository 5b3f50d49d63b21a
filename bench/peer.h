/*
 * One small door to every store that is measured: libaedb, its peers, and the
 * bare system calls and copies that are the controls.
 *
 *	peer_open(&peers[PEER_LMDB], PEER_FULL, "dir", &db);
 *	db->peer->driver->session_open(db, &session);
 *	… put, get, scan …
 *	db->peer->driver->session_close(session);
 *	peer_close(db);
 *
 * Functions return 0 or -1 with a line on stderr. A session is used by one
 * thread at a time; every thread has its own.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a commit that has returned survives. */
enum peer_durability {
	PEER_FULL,	/* a power cut */
	PEER_BATCH,	/* kill -9; a power cut from 10 ms later on */
	PEER_OS,	/* kill -9 */
	PEER_DURABILITIES,
};

enum peer_id {
	PEER_AEDB,
	PEER_BARE,
	PEER_LMDB,
	PEER_LMDB_MAPPED,
	PEER_SQLITE,
	PEER_ROCKSDB,
	PEER_WIREDTIGER,
	PEER_WIREDTIGER_MEMORY,
	PEERS,
};

#define PEER_SPACES 2		/* ordered key spaces a database has */
#define PEER_SYNC_INTERVAL_MS 10
#define PEER_MEMORY_BYTES (1ull << 30)	/* for caches, where one is asked for */
#define PEER_KEY_BYTES_MAX 64
#define PEER_SCAN_MAX 1000

struct peer_op {
	unsigned space;
	const char *key;
	size_t key_bytes;
	const void *value;
	size_t value_bytes;
};

struct peer_counts {
	uint64_t commits, groups, syncs;
};

struct peer_db;

struct peer_driver {
	/* `db->dir` exists and is empty; keeps its state in `db->state`. */
	int (*open)(struct peer_db *db);
	void (*close)(struct peer_db *db);
	/* Makes durable what has returned; NULL: the store does by itself. */
	int (*sync)(struct peer_db *db);
	int (*session_open)(struct peer_db *db, void **ret);
	void (*session_close)(void *session);
	/* Each is one commit; a batch is atomic. */
	int (*put)(void *session, const struct peer_op *op);
	int (*put_batch)(void *session, const struct peer_op *ops, size_t n);
	int (*delete)(void *session, const struct peer_op *op);
	/* Finds the value, reads its first and last byte. -1 if not there. */
	int (*get)(void *session, const struct peer_op *op,
		   size_t *ret_bytes);
	/* Reads up to n entries that begin with the key, likewise. */
	int (*scan)(void *session, const struct peer_op *prefix, size_t n,
		    size_t *ret);
	/* Bytes held in memory for the entries; NULL: it does not tell. */
	int (*memory)(struct peer_db *db, uint64_t *ret);
	/* Counters since open; NULL: it has none. */
	void (*counts)(struct peer_db *db, struct peer_counts *ret);
};

struct peer {
	const char *name;
	const struct peer_driver *driver;
	unsigned classes;	/* bits 1 << enum peer_durability it offers */
	/* Why it is not comparable in a class; NULL: it is. */
	const char *weakness[PEER_DURABILITIES];
};

struct peer_db {
	const struct peer *peer;	/* all constant after open */
	enum peer_durability durability;
	char dir[512];
	void *state;
	bool has_ticker;
	pthread_t ticker;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_closing;		/* guarded by lock */
	atomic_bool is_dirty;		/* atomic: something to sync */
	atomic_bool has_failed;		/* atomic: a sync failed */
};

extern const struct peer peers[PEERS];
extern const struct peer_driver peer_aedb, peer_bare, peer_lmdb, peer_lmdb_mapped,
	peer_sqlite, peer_rocksdb, peer_wiredtiger, peer_wiredtiger_memory;

/* Opens a new, empty database in a new directory. Where a store does not sync
 * by itself, a thread does for it every PEER_SYNC_INTERVAL_MS in PEER_BATCH.
 * Owned; peer_close, which also removes the directory. */
int peer_open(const struct peer *peer, enum peer_durability durability,
	      const char *dir, struct peer_db **ret);
/* -1 if a sync of the thread had failed. */
int peer_close(struct peer_db *db);
/* Drivers call it after a commit. */
static inline void peer_touch(struct peer_db *db)
{
	if (!atomic_load_explicit(&db->is_dirty, memory_order_relaxed))
		atomic_store_explicit(&db->is_dirty, true,
				      memory_order_relaxed);
}

/* Reports on stderr: "NAME: WHAT: WHY". Returns -1. */
int peer_fail(const char *name, const char *what, const char *why);

/* What a reader does with a value, the same for all. */
extern _Thread_local unsigned peer_sink;
static inline void peer_consume(const void *value, size_t bytes)
{
	const unsigned char *p = value;

	if (bytes > 0)
		peer_sink += p[0] + p[bytes - 1];
}

#endif
