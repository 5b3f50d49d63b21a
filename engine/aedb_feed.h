/*
 * The feed of commits: what was changed, in the order in which it was.
 *
 *	aedb_feed_open(db, from, &feed);
 *	while ((rc = aedb_feed_next(feed, &change)) == 0)
 *		…
 *	aedb_feed_close(feed);		-- rc was AEDB_NOT_FOUND: that is all so far
 *
 * To follow the database, aedb_feed_wait then, and aedb_feed_next again.
 *
 * A feed is used by one thread at a time, but for aedb_feed_wake. Ownership and
 * errors as in aedb.h.
 */
#ifndef AEDB_FEED_H
#define AEDB_FEED_H

#include "aedb.h"

#ifdef __cplusplus
extern "C" {
#endif

enum aedb_feed_kind {
	AEDB_FEED_PUT,	/* a value, with attributes or without */
	AEDB_FEED_DELETE,
	AEDB_FEED_ATTR,	/* attributes or times of a key, project or scope */
	AEDB_FEED_MOVE,	/* to another name, replacing what was there */
	AEDB_FEED_EXCHANGE,	/* of two keys' objects */
	AEDB_FEED_TOUCH,	/* times of a directory record, project or scope */
	AEDB_FEED_CREATE,	/* a project or scope, as the next two */
	AEDB_FEED_DROP,
	AEDB_FEED_RENAME,
};

/* A key of a change. */
struct aedb_feed_key {
	const void *bytes;	/* NULL: the change is about a place */
	size_t n;
	uint64_t scope_id;
	bool is_directory;	/* of aedb_scope_dirs */
};

/* One operation of a commit. Everything is borrowed until the next call on the
 * feed. */
struct aedb_feed_change {
	enum aedb_feed_kind kind;
	enum aedb_change_of of;	/* what is beside a table's rows is told of as
				 * AEDB_OF_TABLE, but for its indexes */
	aedb_seq_t seq;		/* of the operation */
	aedb_seq_t commit;	/* of its commit, that of its last operation */
	int64_t time_ns;	/* the commit's, since 1970 */
	uint64_t value_bytes;	/* AEDB_FEED_PUT */
	struct aedb_feed_key key, to_key;	/* to_key: MOVE, EXCHANGE */
	/* Of a change of places, their names then. Of a change of keys, what the
	 * keys' scopes are called now; NULL: they are gone. */
	struct aedb_place place, to_place;
	const char *table, *to_table;	/* in those places; NULL: of none, or gone */
};

struct aedb_feed;

/* Commits in their order, each as its operations, from the first one numbered
 * `from` or above on; 0: from the first that is known. It is read from the log:
 * known are those since the last checkpoint, and as many before it as
 * log_keep_bytes says. Owned; aedb_feed_close. AEDB_RANGE naming the first
 * number that is known; AEDB_IO, AEDB_CORRUPT, AEDB_NO_MEMORY. */
int aedb_feed_open(struct aedb *db, aedb_seq_t from,
		      struct aedb_feed **ret);
/* The next operation, of commits that are visible. AEDB_NOT_FOUND: there is none
 * yet. AEDB_RANGE: a checkpoint overtook the feed, some commits are lost to it. */
int aedb_feed_next(struct aedb_feed *feed, struct aedb_feed_change *ret);
#define AEDB_FEED_FOREVER UINT64_MAX

/* Returns 0 as soon as there may be something to tell: at once unless
 * aedb_feed_next said that there was nothing, else when a commit becomes visible.
 * AEDB_TIMED_OUT: none did for so long. AEDB_CANCELED: aedb_feed_wake was called.
 * No message. A slow feed misses nothing until aedb_feed_next says AEDB_RANGE. */
int aedb_feed_wait(struct aedb_feed *feed, uint64_t timeout_ns);
/* Ends the feed's waiting, for good: to be called by another thread before who
 * waits closes it. */
void aedb_feed_wake(struct aedb_feed *feed);
/* Takes NULL. */
void aedb_feed_close(struct aedb_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
