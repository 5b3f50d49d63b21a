/*
 * What of a staged value was written since which mark, for the files a stage is
 * made of (stage*.c).
 *
 * Threads: inside stage_enter and stage_leave. No errors.
 */
#ifndef STAGE_MARKS_H
#define STAGE_MARKS_H

#include "stage_chunk.h"

/* Something up to `end` was staged, in the present generation. */
void stage_note_staged(struct stage *stage, uint64_t end);
/* Those in [from, to) are of nothing. */
void stage_generations_reset(struct stage *stage, unsigned from, unsigned to);
/* The mark of a generation in which nothing was staged yet; begins it. */
uint64_t stage_begin_generation(struct stage *stage);
/* The generation a mark begins; an old one's is 1, which is all. */
uint8_t stage_mark_generation(const struct stage *stage, uint64_t mark);

#endif
