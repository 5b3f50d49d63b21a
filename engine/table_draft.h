/*
 * A schema that is being made: arrays with room for one column and one index more,
 * whose names, values and conditions are borrowed.
 *
 * Calling sequence: table_draft_init_from, changes to the arrays and shape's
 * numbers, table_draft_make, table_draft_release.
 * Threads: one at a time.
 * Errors: as of table_schema.h.
 */
#ifndef TABLE_DRAFT_H
#define TABLE_DRAFT_H

#include "table_schema.h"

struct table_draft {
	struct aedb_schema shape;	/* of the arrays below */
	struct aedb_column *columns;	/* owned, as are the two others */
	struct aedb_index *indexes;
	struct table_index *states;	/* of the indexes */
	uint16_t next_index;
};

/* Of what the schema has, with its indexes' states and numbers. AEDB_NO_MEMORY. */
int table_draft_init_from(struct table_draft *draft,
			  const struct table_schema *schema);
void table_draft_release(struct table_draft *draft);
/* Checks the draft and makes a schema of it; owned, table_schema_free. */
int table_draft_make(const struct table_draft *draft, struct table_schema **ret);

/* All that a schema must be, but for its size in bytes: shape has no more columns
 * and indexes than one may have. states: of the indexes. */
int table_schema_check(const struct aedb_schema *shape,
		       const struct table_index *states);
/* Fills in what follows from the rest: schema->columns. AEDB_NO_MEMORY. */
int table_schema_finish(struct table_schema *schema);
/* Bytes that table_schema_encode writes. */
size_t table_schema_bytes(const struct table_schema *schema);

#endif
