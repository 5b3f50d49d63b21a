/*
 * Ranges of keys in parts, each of bounded size: the whole range as of one state,
 * however long it takes to ask for the next part and whoever asks.
 *
 *	struct aedb_listing_query q = { .range = range, .entries_max = 100 };
 *	aedb_listing_open(scope, NULL, &q, &listing);
 *	… listing->entries[0 … n - 1]; keep a copy of listing->cursor
 *	aedb_listing_close(listing);
 *	q = (struct aedb_listing_query){ .cursor = copy, .cursor_bytes = n,
 *					 .entries_max = 100 };
 *	aedb_listing_open(scope, NULL, &q, &listing);	-- goes on behind that
 *
 * A cursor is bytes that say where a listing ended and of which state it was.
 * They hold nothing in the database: the state must be there when the cursor is
 * used. For that the caller keeps a snapshot open, which he may pass each time, or
 * has a named one, or a kept history; else AEDB_CONFLICT says that it is gone. A
 * cursor may be stored, sent, and used by others, again and again.
 *
 * Cursors are signed (HMAC-SHA256), so that what a client sends back reads nothing
 * that was not to be listed. With hmac_key that is the key, and cursors outlive a
 * close of the database, if their state was durable when they were made; they are
 * not for a database restored from its backups. Without, each open makes a random
 * key, and cursors of earlier ones are refused.
 *
 * Ownership, threads and errors as in aedb.h.
 */
#ifndef AEDB_LISTING_H
#define AEDB_LISTING_H

#include "aedb.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AEDB_LISTING_ENTRIES_MAX 1000000
#define AEDB_LISTING_BYTES (UINT64_C(16) << 20)
#define AEDB_LISTING_BOUND_BYTES_MAX 4096
#define AEDB_CURSOR_BYTES_MAX (2 * AEDB_LISTING_BOUND_BYTES_MAX + 128)

struct aedb_listing_query {
	struct aedb_range range;	/* all zero with a cursor, which has it */
	const void *cursor;	/* where to go on; NULL: at the beginning */
	size_t cursor_bytes;
	uint32_t entries_max;	/* 1..AEDB_LISTING_ENTRIES_MAX */
	uint64_t bytes_max;	/* of entries, their keys, attributes and values;
				 * 0: AEDB_LISTING_BYTES. The first entry is there
				 * however large it is */
	bool with_values;
};

struct aedb_listing {
	/* Without value, or with; but a value larger than bytes_max is left out:
	 * NULL, and value_bytes tells. Nothing to unpin. */
	const struct aedb_entry *entries;
	size_t n;
	bool is_truncated;	/* the range has more behind these, for certain */
	const void *cursor;	/* to go on with; NULL: not truncated */
	size_t cursor_bytes;	/* at most AEDB_CURSOR_BYTES_MAX */
	aedb_seq_t seq;		/* of the state */
};

/* Lists keys of the range in its direction, as of the snapshot, or (NULL) as of
 * now, with a cursor as of its state. All of it is in memory; owned,
 * aedb_listing_close. AEDB_INVALID (a limit, named; a cursor that is not one that
 * this database gave for this scope); AEDB_NAME_TOO_LONG (a bound); AEDB_CONFLICT
 * (the cursor's state is not kept any more, or is not the snapshot's);
 * AEDB_NOT_FOUND (the scope is not there), AEDB_CORRUPT, AEDB_IO,
 * AEDB_NO_MEMORY. */
int aedb_listing_open(struct aedb_scope *scope,
		      const struct aedb_snapshot *snapshot,
		      const struct aedb_listing_query *query,
		      struct aedb_listing **ret);
/* Takes NULL. */
void aedb_listing_close(struct aedb_listing *listing);

#ifdef __cplusplus
}
#endif

#endif
