/*
 * How many keys of a memtable's tree are there, counted one by one.
 */
#ifndef TREE_COUNT_H
#define TREE_COUNT_H

#include "mem_cursor.h"
#include "memtable.h"

/* In its newest state, in this tree alone: deleted ones are not counted. */
static inline uint64_t tree_count(struct epoch *epoch, struct mem_tree *tree)
{
	struct mem_cursor cursor;
	uint64_t n = 0;

	epoch_enter(epoch);
	mem_cursor_init(&cursor, tree, SEQ_MAX);
	if (mem_cursor_seek(&cursor, MEM_SEEK_FIRST, NULL, 0))
		do
			n++;
		while (mem_cursor_next(&cursor));
	epoch_leave(epoch);
	return n;
}

#endif
