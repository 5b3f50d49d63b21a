/*
 * The inside of a stage, for the files it is made of (stage*.c).
 *
 * Threads and errors: as stage.h.
 */
#ifndef STAGE_CHUNK_H
#define STAGE_CHUNK_H

#include "stage.h"
#include "value_tree.h"

#define STAGE_GENERATIONS_MAX 64u

struct stage_chunk {
	uint64_t index;
	uint8_t *page;	/* owned; room for the page, then generations */
	uint32_t room;		/* payload bytes there is room for; behind: zeros */
	uint8_t newest;		/* highest generation in it */
	bool is_filled;
	bool is_unsealed;
	bool is_in_tree;	/* else storing it adds a chunk */
	bool will_be_in_tree;	/* the same, over a base being put beneath */
	uint64_t last_use;
};

struct stage_generation {	/* what happened in it */
	uint64_t cut;		/* lowest truncation; UINT64_MAX: none */
	uint64_t end;		/* behind the last byte written */
};

struct stage {
	struct staged_member member;	/* its lock guards the rest */
	struct values *values;		/* constant after open */
	uint64_t bytes;
	struct value_tree tree;
	uint8_t *base;		/* owned; inline base, or NULL */
	size_t base_bytes;	/* of it that show */
	struct stage_chunk *chunks;	/* owned; ascending */
	size_t n_chunks, chunks_room;
	uint64_t clock;

	struct stage_generation *generations;	/* owned; from 1 */
	unsigned generations_room;	/* at most STAGE_GENERATIONS_MAX + 1 */
	uint8_t now;		/* generation of what is written next */
	uint8_t staged;		/* of what was last written; 0: nothing staged */
	uint64_t mark_base;	/* mark m begins generation m - mark_base */

	bool is_changed;	/* since the last seal or base */
	bool is_ref;		/* what that was */
	struct value_ref ref;
};

/* What is beneath a chunk in memory. */
struct stage_beneath {
	const uint8_t *data;
	uint32_t bytes;
	uint8_t generation;	/* its spill mark */
	uint8_t *page;	/* owned: free */
};

uint8_t *stage_chunk_data(const struct stage_chunk *chunk);
uint8_t *stage_chunk_generations(const struct stage_chunk *chunk);
uint64_t stage_chunk_start(uint64_t index);
uint64_t stage_chunk_memory_bytes(const struct stage *stage);

/* Index of the chunk in stage->chunks, or of where it belongs. */
size_t stage_chunk_find(const struct stage *stage, uint64_t index);
/* NULL if it is not in memory; borrowed until one is added or dropped. */
struct stage_chunk *stage_chunk_get(struct stage *stage, uint64_t index);
/* An empty chunk, nothing staged in it, room for n bytes; it was not there. */
int stage_chunk_add(struct stage *stage, uint64_t index, uint32_t n,
		    struct stage_chunk **ret);
/* Gives it room for at least n payload bytes, zeros where new. */
int stage_chunk_grow(struct stage_chunk *chunk, uint32_t n);
void stage_chunk_drop(struct stage *stage, size_t i);
void stage_chunk_drop_from(struct stage *stage, uint64_t index);
/* Forgets that bytes of generations below `since` were staged. */
void stage_chunk_settle(struct stage_chunk *chunk, uint8_t since);

/* What the tree, or the inline base, has for a chunk; free ret->page. */
int stage_chunk_load_beneath(struct values *values, struct value_tree *tree,
			     const struct value_source *inline_base,
			     uint64_t index, struct stage_beneath *ret);
void stage_chunk_merge(struct stage_chunk *chunk,
		       const struct stage_beneath *beneath);
int stage_chunk_fill(struct stage *stage, struct stage_chunk *chunk);
/* As stage_chunk_get, filled; made if it was not there. */
int stage_chunk_get_filled(struct stage *stage, uint64_t index,
			   struct stage_chunk **ret);
void stage_chunk_copy_out(uint8_t *to, uint32_t n, const uint8_t *data,
			  uint32_t bytes, uint32_t from);

/* No more chunks should be in memory. */
bool stage_chunk_is_full(const struct stage *stage);
/* Stores the older half of the chunks in memory and frees them. */
int stage_chunk_spill(struct stage *stage);
/* Makes room without writing anything; false if that cannot be. */
bool stage_chunk_make_room(struct stage *stage);
/* Stores and frees all chunks, and a small base. */
int stage_chunk_spill_all(struct stage *stage);
int stage_chunk_base(struct stage *stage);
/* Stores every chunk that is unsealed; they stay in memory. */
int stage_chunk_store_all(struct stage *stage);

struct value_source stage_inline_base(const struct stage *stage);
/* Every call begins and ends so; nobody else spills it meanwhile, and what a
 * seal gave is borrowed no longer. */
void stage_enter(struct stage *stage) ACQUIRES(stage->member.lock);
void stage_leave(struct stage *stage) RELEASES(stage->member.lock);
int stage_base_load(const struct value_source *base, struct value_tree *tree,
		    uint8_t **ret_base);
void stage_base_enter(struct stage *stage, const struct value_source *base);
/* Before a call that needs memory, outside: spills what was written least lately
 * of all stages, or, if that cannot be written, this one, whose error counts. */
int stage_make_room(struct stage *stage);
int stage_read_range(struct stage *stage, uint8_t *to, size_t n,
		     uint64_t offset);
int stage_no_memory(void);

#endif
