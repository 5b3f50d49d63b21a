/*
 * Where a query goes on, as signed bytes.
 *
 *	0   1	version
 *	1   1	1: the state was durable; else 0
 *	2   8	which opening of the database gave it
 *	10  8	number of the state
 *	18  1	1: the way was to give the order; else 0
 *	19  4	branch of the plan's; of sorted rows 0
 *	23 32	SHA-256 of what is asked for, and of which database
 *	55  n	position: a key of the branch's tree, or a sort key; none: the start
 *	55+n 32	signature of all before
 *
 * Calling sequence: table_cursor_query once; table_cursor_encode or _decode.
 * Threads: no state.
 * Errors: AEDB_INVALID (not of this query, changed), AEDB_NO_MEMORY.
 */
#ifndef TABLE_CURSOR_H
#define TABLE_CURSOR_H

#include "cursor_key.h"
#include "file_header.h"
#include "table_plan.h"
#include "types.h"

#define TABLE_CURSOR_QUERY_BYTES 32
/* Beside the position. */
#define TABLE_CURSOR_BYTES (23 + TABLE_CURSOR_QUERY_BYTES + CURSOR_SIGN_BYTES)

struct table_cursor {
	bool is_durable;	/* a number that was not may be given again */
	uint64_t opening;
	seq_t seq;
	bool is_in_order;	/* as the wish's */
	uint32_t branch;
	uint8_t query[TABLE_CURSOR_QUERY_BYTES];
	struct aedb_bytes position;
};

/* What tells a query from all others: database, table, condition and order. */
int table_cursor_query(const uint8_t db_uuid[FILE_UUID_BYTES], uint64_t table_id,
		       const struct table_wish *wish,
		       uint8_t ret[TABLE_CURSOR_QUERY_BYTES]);
/* Writes TABLE_CURSOR_BYTES and the position. */
int table_cursor_encode(const uint8_t key[CURSOR_KEY_BYTES],
			const struct table_cursor *cursor, uint8_t *ret);
/* position is borrowed from the bytes. */
int table_cursor_decode(const uint8_t key[CURSOR_KEY_BYTES],
			struct aedb_bytes bytes, struct table_cursor *ret);

#endif
