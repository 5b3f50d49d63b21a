/*
 * Schemas of tables in memory and as bytes. One never changes: a change makes
 * another.
 *
 * Calling sequence: table_schema_create of what a caller gave, or table_schema_decode;
 * table_schema_alter and those behind it for the next one; table_schema_encode;
 * table_schema_free.
 * Threads: constant; any number of readers.
 * Errors: AEDB_INVALID naming column or index, AEDB_EXISTS, AEDB_NOT_FOUND (of a
 * change, naming it too), AEDB_NAME_TOO_LONG, AEDB_TOO_LARGE, AEDB_NO_MEMORY;
 * AEDB_CORRUPT, AEDB_NEWER_FORMAT of decoding.
 */
#ifndef TABLE_SCHEMA_H
#define TABLE_SCHEMA_H

#include "aedb_table.h"
#include "arena.h"
#include "condition.h"

#define TABLE_NOT_KEY UINT8_MAX

enum table_index_state {
	TABLE_INDEX_BUILDING,	/* writers keep it; rows from before may be missing */
	TABLE_INDEX_READY,
	TABLE_INDEX_DROPPING,	/* nobody keeps or reads it; entries are removed */
};

/* Of the index in the same place of shape.indexes. */
struct table_index {
	uint16_t number;	/* for ever, the first two bytes of its entries */
	enum table_index_state state;
};

/* Of the column in the same place of shape.columns. */
struct table_column {
	uint8_t width;		/* bytes of a value in a row; 0: any number */
	uint8_t key_at;		/* place in the key; TABLE_NOT_KEY */
};

struct table_schema {
	struct aedb_schema shape;	/* conditions are normal; indexes of every
					 * state; a dropped column keeps its type */
	const struct table_index *indexes;
	const struct table_column *columns;
	uint16_t next_index;		/* the number of the next one */
	struct arena arena;		/* all of it, but for the struct */
};

/* Checks and copies; indexes get numbers from 1 and are ready. Owned;
 * table_schema_free. */
int table_schema_create(const struct aedb_schema *shape,
			struct table_schema **ret);
/* Takes NULL. */
void table_schema_free(struct table_schema *schema);
/* A copy for a caller, with the indexes that are ready. Owned; aedb_schema_free. */
int table_schema_publish(const struct table_schema *schema,
			 struct aedb_schema **ret);

/* Bytes in one way only. Owned; free. */
int table_schema_encode(const struct table_schema *schema, uint8_t **ret,
			size_t *ret_n);
/* Checks everything that table_schema_create does. Owned; table_schema_free. */
int table_schema_decode(const void *bytes, size_t n, struct table_schema **ret);

/* The numbers or places of names. AEDB_NOT_FOUND, naming it; an index that is being
 * dropped has its name no longer. */
int table_schema_find_column(const struct table_schema *schema,
			     const char *name, uint32_t *ret);
int table_schema_find_index(const struct table_schema *schema, const char *name,
			    size_t *ret_at);

/* The schema after a change: an added index is building, a dropped one is dropping.
 * Owned, as those below; table_schema_free. */
int table_schema_alter(const struct table_schema *schema,
		       const struct aedb_alter *alter,
		       struct table_schema **ret);
/* The index at this place in another state. */
int table_schema_set_state(const struct table_schema *schema, size_t at,
			   enum table_index_state state,
			   struct table_schema **ret);
/* Without the index at this place. */
int table_schema_remove_index(const struct table_schema *schema, size_t at,
			      struct table_schema **ret);

#endif
