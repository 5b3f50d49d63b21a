/*
 * Which values a condition leaves to one column: a set of ranges of its encoded
 * values outside which no row's is for which the condition is true.
 *
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_NARROW_H
#define TABLE_NARROW_H

#include "condition.h"
#include "table_ranges.h"

struct table_narrow {
	struct arena *arena;
	uint32_t column;
	enum aedb_type type;	/* the column's */
	size_t left;		/* ranges that it may yet make of what parts of an
				 * ALL share; further parts say nothing */
};

/* Of a normal condition or NULL; sets `left`. ret lies in the arena. */
int table_narrow(struct table_narrow *narrow,
		 const struct aedb_condition *where, struct table_ranges *ret);

#endif
