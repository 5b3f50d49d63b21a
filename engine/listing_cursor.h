/*
 * Cursors of listings as bytes: what is left of a range, and of which state.
 *
 * Threads: no state but what is constant after open.
 */
#ifndef LISTING_CURSOR_H
#define LISTING_CURSOR_H

#include "aedb_listing.h"
#include "db.h"

struct listing_cursor {
	enum aedb_direction direction;
	const uint8_t *from, *to;	/* borrowed; to NULL: no bound */
	size_t from_bytes, to_bytes;
	uint64_t tree;		/* of the scope */
	seq_t seq;
	uint64_t batch;		/* whose view it is; 0: of none */
	bool is_durable;	/* the state was when the cursor was made */
	uint64_t opening;	/* of the database that gave it */
};

/* The key of this open. AEDB_IO. */
int listing_cursors_init(struct aedb *db);
/* Bytes that encoding needs at most. */
size_t listing_cursor_bytes_max(const struct listing_cursor *cursor);
/* Returns how many there are; 0: signing failed. */
size_t listing_cursor_encode(const struct aedb *db,
			     const struct listing_cursor *cursor, uint8_t *to);
/* Checks everything; the bounds are borrowed from the bytes. AEDB_INVALID. */
int listing_cursor_decode(const struct aedb *db, const void *bytes, size_t n,
			  struct listing_cursor *ret);

#endif
