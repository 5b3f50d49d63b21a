/*
 * A change of the feed as a JSON object: what `aedb changes` and the mount's
 * .changes print, one a line.
 *
 *	seq, commit, time	of the operation, of its commit
 *	op		"put", "delete", "attr", "move", "exchange", "touch",
 *			"create", "drop", "rename"
 *	project, scope	absent when the scope is gone: scope_id then
 *	table		of a table, its columns and indexes, or its rows
 *	key, directory, row (its key as it is stored), or none; with to_ for the
 *			other place
 *	value_bytes	of "put"
 *
 * Threads: any. Errors: NULL when there is no memory.
 */
#ifndef FEED_JSON_H
#define FEED_JSON_H

#include "aedb_feed.h"
#include "json.h"

/* Owned. */
json_t *feed_json(const struct aedb_feed_change *change);

#endif
