/*
 * Handles of tables (aedb_table.h), and the schema that a view has of one.
 *
 * A table has two key spaces as a scope has: of rows, each an encoded row under its
 * encoded key (table_row.h, table_entry.h), and one of the schema, under the key "",
 * and of the entries of its indexes.
 *
 * Calling sequence: table_schema_at each time; what it gives stays until
 * aedb_table_close.
 * Threads: any number.
 * Errors: AEDB_NOT_FOUND (it is dropped), AEDB_CORRUPT, AEDB_NO_MEMORY, AEDB_IO.
 */
#ifndef TABLE_H
#define TABLE_H

#include "aedb_access.h"
#include "catalog.h"
#include "table_schema.h"

/* A schema that somebody came across. */
struct table_known {
	struct table_known *next;	/* constant, as are seq and schema */
	seq_t seq;		/* its version */
	_Atomic seq_t upto;	/* atomic: no newer one up to here */
	struct table_schema *schema;	/* owned */
};

struct aedb_table {
	struct aedb *db;
	struct aedb_scope *scope;	/* as it was opened for somebody; borrowed */
	struct scope_state *state;	/* with a handle */
	_Atomic(struct table_known *) known;	/* atomic: a list, owned; it only
						 * grows, and schemas change rarely */
	_Atomic(struct table_known *) newest;	/* atomic: that of the newest state,
						 * as far as anybody looked */
	_Atomic(struct table_known *) last;	/* atomic: used last */
};

static inline struct aedb_scope *table_rows(const struct aedb_table *table)
{
	return &table->state->planes[PLANE_KEYS];
}

/* The schema and the indexes. */
static inline struct aedb_scope *table_entries(const struct aedb_table *table)
{
	return &table->state->planes[PLANE_DIRS];
}

/* What the view (NULL: the newest state) has. */
int table_schema_at(struct aedb_table *table,
		    const struct aedb_snapshot *snapshot,
		    const struct table_known **ret);
/* Whether the newest schema is still this one. */
static inline bool table_known_is_newest(const struct aedb_table *table,
					 const struct table_known *known)
{
	return atomic_load_explicit(&table->state->schema_seq,
				    memory_order_acquire) <=
	       atomic_load_explicit(&known->upto, memory_order_relaxed);
}

/* Whether who has the scope's handle has a right on the table. AEDB_ACCESS. */
int table_may(const struct aedb_table *table, enum aedb_right right);
/* The same of a call that is refused without it, which is counted. */
int table_demand(const struct aedb_table *table, enum aedb_right right);
/* The key of the row that has these values in the key's columns, as bytes in ret, which
 * has MEM_KEY_BYTES_MAX. AEDB_NOT_FOUND: it is longer, and so of no row;
 * AEDB_INVALID. */
int table_make_key(const struct table_schema *schema,
		   const struct aedb_value *key, uint8_t *ret, size_t *ret_n);
/* Finds a table by name in the view of the scope, and opens it so. AEDB_NOT_FOUND
 * naming it. */
int table_handle_open(struct aedb_scope *scope,
		      const struct aedb_snapshot *snapshot, const char *name,
		      struct aedb_table **ret);

#endif
