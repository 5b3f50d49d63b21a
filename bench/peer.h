/*
 * One small door to every store that is measured: libaedb, its peers, and the
 * bare system calls and copies that are the controls.
 *
 *	peer_open(&peers[PEER_LMDB], PEER_FULL, "dir", NULL, &db);
 *	db->peer->driver->session_open(db, &session);
 *	… put, get, scan …
 *	db->peer->driver->session_close(session);
 *	peer_shut(db); peer_start(db, &setup);	(the same files once more)
 *	peer_close(db);
 *
 * Functions return 0 or -1 with a line on stderr. A session is used by one
 * thread at a time; every thread has its own.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
#define PEER_MEMORY_BYTES (1ull << 30)	/* for caches, where nothing is said */
#define PEER_KEY_BYTES_MAX 64
#define PEER_SCAN_MAX 1000

/* What a store is opened with beside its class of durability. Zeros: as the
 * driver has it for a database that fits into memory. */
struct peer_setup {
	uint64_t memory_bytes;	/* for writing and reading together */
	uint64_t cache_bytes;	/* of that, for what was read */
	uint64_t tree_bytes;	/* instead of both, where one cache has all the
				 * pages of a tree */
	uint32_t inline_bytes_max;	/* larger values lie beside the entries,
					 * where a store has such a bound */
	uint64_t keys;		/* it will hold, and how large their values are: */
	size_t value_bytes;	/* the control's table */
	bool is_packed;		/* compressed, with filters: as a large database
				 * on a disk wants to be */
	bool is_cold;		/* reads miss memory: nothing is read ahead */
};

struct peer_op {
	unsigned space;
	const char *key;
	size_t key_bytes;
	const void *value;
	size_t value_bytes;
	void *into;	/* where get copies value_bytes to; NULL: it reads the
			 * first and the last byte in place */
};

struct peer_counts {
	uint64_t commits, groups, syncs;
};

/* All NAN before: the store does not tell. Bytes, but for the misses. */
struct peer_usage {
	double memory;		/* for entries and all around them */
	double index;		/* of that, for entries that lie in files, caches
				 * left out */
	double cache, cache_max, cache_misses;
	double outside;		/* of entries and values in files */
	double stored;		/* written to files other than a log, ever */
};
#define PEER_USAGE_UNTOLD { NAN, NAN, NAN, NAN, NAN, NAN, NAN }

/* What a backup's store tells: the last commit of the newest checkpoint when it
 * began, and that of the copy. Both NAN before. */
struct peer_heads {
	double checkpoint, backup;
};

struct peer_db;
struct dataset;

struct peer_driver {
	/* A commit writes its entries, and nothing else, to a log first. */
	bool logs_entries;
	/* Opens what is in `db->dir`, or makes a database if it is empty; keeps
	 * its state in `db->state`. */
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
	/* Finds the value, reads or copies it. -1 if not there. */
	int (*get)(void *session, const struct peer_op *op,
		   size_t *ret_bytes);
	/* Reads first and last byte of up to n entries that begin with the key
	 * and of their values. */
	int (*scan)(void *session, const struct peer_op *prefix, size_t n,
		    size_t *ret);
	/* Opens and closes a view of what is committed; NULL: it cannot without
	 * reading something. */
	int (*snapshot)(void *session);
	/* What is committed moves from the log to where it stays. */
	int (*checkpoint)(struct peer_db *db);
	/* Makes the directory `to` with a copy of one state of the database, while
	 * it is used; it is on the disk on return. NULL: it is not measured. */
	int (*backup)(struct peer_db *db, const char *to,
		      struct peer_heads *ret);
	/* Everything is written anew, as small as it gets. No session is open. */
	int (*compact)(struct peer_db *db);
	int (*usage)(struct peer_db *db, struct peer_usage *ret);
	/* The store's own handle, for its tables (tables.h); NULL: it has none. */
	void *(*handle)(struct peer_db *db);
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
	struct peer_setup setup;
	const struct dataset *data;	/* NULL: a benchmark's own keys */
	bool is_running;
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

/* Opens a new, empty database in a new directory of `dir`; setup NULL: zeros.
 * Where a store does not sync by itself, a thread does for it every
 * PEER_SYNC_INTERVAL_MS in PEER_BATCH. Owned; peer_close, which also removes
 * the directory. */
int peer_open(const struct peer *peer, enum peer_durability durability,
	      const char *dir, const struct peer_setup *setup,
	      struct peer_db **ret);
/* -1 if a sync of the thread had failed. */
int peer_close(struct peer_db *db);
/* Closes the files, which stay, and opens them again. No session is open. */
int peer_shut(struct peer_db *db);
int peer_start(struct peer_db *db, const struct peer_setup *setup);
/* As peer_open, in the directory `own`, which is there: another process's, that
 * made a database there and has closed it, or an empty one. To be killed: there
 * is no call that closes it and leaves the directory. */
int peer_attach(const struct peer *peer, enum peer_durability durability,
		const char *own, const struct peer_setup *setup,
		struct peer_db **ret);
/* A directory and all below it; says so if it cannot. */
void peer_remove_tree(const char *dir);
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
static inline void peer_take(const struct peer_op *op, const void *value,
			     size_t bytes)
{
	if (!op->into)
		peer_consume(value, bytes);
	else
		memcpy(op->into, value, bytes < op->value_bytes ?
					bytes : op->value_bytes);
}

#endif
