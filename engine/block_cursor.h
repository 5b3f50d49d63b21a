/*
 * Walking over the entries of a block.
 *
 *	block_cursor_init(&c);
 *	block_cursor_open(&c, bytes);		-- of a block that was checked
 *	block_cursor_move(&c, 0, &entry);
 *	while (block_cursor_next(&c, &entry)) …
 *	block_cursor_open(&c, other bytes); …
 *	block_cursor_release(&c);
 *
 * Threads: one. Errors: AEDB_NO_MEMORY, and only of block_cursor_open.
 */
#ifndef BLOCK_CURSOR_H
#define BLOCK_CURSOR_H

#include "block.h"

struct block_cursor {
	struct block block;		/* borrows the bytes */
	uint32_t at;			/* entry it stands on */
	bool is_newest;			/* that is the first of its key */
	struct block_place next;	/* where the parts of the next one begin */
	uint8_t *key;			/* owned */
	uint32_t key_room;
};

void block_cursor_init(struct block_cursor *c);
/* Goes over to another block, borrowed while it is moved in it; stands
 * nowhere. */
int block_cursor_open(struct block_cursor *c, const uint8_t *bytes);
void block_cursor_release(struct block_cursor *c);

/* Stands on entry `at` < c->block.entries then. The key is in the cursor's
 * memory, all else in the block. */
void block_cursor_move(struct block_cursor *c, uint32_t at, struct entry *ret);
/* False: it stands on the last or first entry, and stays there. */
bool block_cursor_next(struct block_cursor *c, struct entry *ret);
bool block_cursor_prev(struct block_cursor *c, struct entry *ret);

#endif
