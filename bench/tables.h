/*
 * A table with two secondary indexes in a store that has tables, and what is
 * measured of it.
 *
 *	driver = table_driver_of(db->peer);
 *	driver->open(db, &table);
 *	… put, get, query …
 *	driver->close(table);
 *
 * Functions return 0 or -1 with a line on stderr. One thread.
 */
#ifndef BENCH_TABLES_H
#define BENCH_TABLES_H

#include "peer.h"

#define TABLE_TEXT_BYTES 64

struct table_row {
	int64_t id;		/* the key */
	int64_t team, stamp;	/* an index of each */
	char text[TABLE_TEXT_BYTES];
};

struct table_driver {
	/* The table is made when it is not there. */
	int (*open)(struct peer_db *db, void **ret);
	void (*close)(void *table);
	/* One commit; a row that is there is replaced. */
	int (*put)(void *table, const struct table_row *rows, size_t n);
	/* One commit. */
	int (*set_stamp)(void *table, int64_t id, int64_t stamp);
	/* Each reads the text of all rows it finds: by the store's shortest way,
	 * by a query, those of a team, and up to n from a stamp on, in order. */
	int (*get)(void *table, int64_t id);
	int (*select)(void *table, int64_t id);
	int (*select_team)(void *table, int64_t team, size_t *ret);
	int (*select_from)(void *table, int64_t stamp, size_t n, size_t *ret);
};

extern const struct table_driver table_aedb, table_sqlite;

/* NULL: it has no tables. */
static inline const struct table_driver *
table_driver_of(const struct peer *peer)
{
	if (peer->driver == &peer_aedb)
		return &table_aedb;
	return peer->driver == &peer_sqlite ? &table_sqlite : NULL;
}

#endif
