/*
 * Making and removing indexes of tables that have rows, beside others who write.
 *
 * Threads: any; one at a time for each table, others are refused.
 * Errors: as aedb_table_alter; AEDB_BUSY: somebody does it just now.
 */
#ifndef TABLE_INDEX_H
#define TABLE_INDEX_H

#include "table_write.h"

/* Adds the index of an alteration (AEDB_ADD_INDEX), or removes one. */
int table_index_add(struct aedb_table *table, const struct aedb_alter *alter);
int table_index_drop(struct aedb_table *table, const struct aedb_alter *alter);
/* Removes what others began and did not end. What fails stays for the next time. */
void table_index_finish(struct aedb_table *table);

/* Adds to a transaction the entries of the index at this place, of all rows it sees,
 * which the commit is to find so. */
int table_index_fill(struct table_write *w, size_t at);

#endif
