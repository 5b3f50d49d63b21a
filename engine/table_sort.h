/*
 * Rows in the order of sort keys, in memory of a bounded size: all of them, or the
 * first so many.
 *
 * Calling sequence: table_sort_init; table_sort_add for each row; table_sort_end;
 * table_sort_next until it gives none; table_sort_release.
 * Threads: one.
 * Errors: AEDB_TOO_LARGE, AEDB_NO_MEMORY.
 */
#ifndef TABLE_SORT_H
#define TABLE_SORT_H

#include <stdbool.h>

#include "types.h"

struct table_sorted {
	struct aedb_bytes sort_key;	/* no two are equal */
	struct aedb_bytes key, row;	/* of the row's entry */
	seq_t version;
};

struct table_sort {
	struct sort_record **at;	/* owned; a heap, the greatest first, while
					 * rows come and no more are kept */
	size_t n, room, next;
	uint64_t keep_max;		/* the first so many; 0: all */
	uint64_t bytes, bytes_max;
};

void table_sort_init(struct table_sort *sort, uint64_t keep_max,
		     uint64_t bytes_max);
/* Copied. */
int table_sort_add(struct table_sort *sort, const struct table_sorted *row);
void table_sort_end(struct table_sort *sort);
/* Borrowed until table_sort_release. False: there are no more. */
bool table_sort_next(struct table_sort *sort, struct table_sorted *ret);
void table_sort_release(struct table_sort *sort);

#endif
