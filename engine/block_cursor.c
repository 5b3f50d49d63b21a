/*
 * A walk over a block: each key is made from the one before, in place.
 *
 * Invariants:
 * 1. key_room is BLOCK_COPY_BYTES more than the longest key of the block.
 */
#include "block_cursor.h"

#include <stdlib.h>

#include "block_inner.h"
#include "err.h"

void block_cursor_init(struct block_cursor *c)
{
	memset(c, 0, sizeof(*c));
}

void block_cursor_release(struct block_cursor *c)
{
	free(c->key);
	c->key = NULL;
	c->key_room = 0;
}

int block_cursor_open(struct block_cursor *c, const uint8_t *bytes)
{
	struct block *b = &c->block;
	uint32_t room;

	block_init(b, bytes);
	room = b->key_bytes_max + BLOCK_COPY_BYTES;
	if (room > c->key_room) {
		free(c->key);
		c->key = malloc(room);
		c->key_room = c->key ? room : 0;
	}
	if (!c->key)
		return err_set(AEDB_NO_MEMORY, "walk over a segment: no memory");
	memcpy(c->key, b->prefix, b->prefix_bytes);
	return 0;
}

/* Makes key i from the one before; returns its length. */
static inline uint32_t key_make(struct block_cursor *c, uint32_t i)
{
	const struct block *b = &c->block;
	const uint8_t *rest = b->keys + c->next.key;
	uint32_t shared, suffix = block_key_parts(b, i, &rest, &shared);

	block_copy_rest(c->key + b->prefix_bytes + shared, rest, suffix);
	c->next.key = (uint32_t)(rest + suffix - b->keys);
	return b->prefix_bytes + shared + suffix;
}

/* Stands on entry i, whose parts are at c->next. */
static inline void take(struct block_cursor *c, uint32_t i, struct entry *ret)
{
	c->at = i;
	ret->key_bytes = key_make(c, i);
	ret->key = c->key;
	c->is_newest = !(block_take(&c->block, i, &c->next, ret) &
			 BLOCK_HAS_NEWER);
}

void block_cursor_move(struct block_cursor *c, uint32_t at, struct entry *ret)
{
	uint32_t i = at - at % BLOCK_GROUP;

	c->next = block_group_place(&c->block, i / BLOCK_GROUP);
	for (; i <= at; i++)
		take(c, i, ret);
}

bool block_cursor_next(struct block_cursor *c, struct entry *ret)
{
	if (c->at + 1 >= c->block.entries)
		return false;
	take(c, c->at + 1, ret);
	return true;
}

bool block_cursor_prev(struct block_cursor *c, struct entry *ret)
{
	if (c->at == 0)
		return false;
	block_cursor_move(c, c->at - 1, ret);
	return true;
}
