/* Memory that a command needs until it ends. */
#include "keep.h"

#include <errno.h>
#include <stdlib.h>

#include "failure.h"

struct keep_piece {
	struct keep_piece *next;
	max_align_t bytes[];
};

void *keep_take(struct keep *keep, size_t count, size_t bytes)
{
	struct keep_piece *piece = NULL;
	size_t n;

	if (!__builtin_mul_overflow(count, bytes, &n) &&
	    !__builtin_add_overflow(n, sizeof(*piece), &n))
		piece = calloc(1, n);
	if (!piece) {
		failure_system(ENOMEM, "memory for values");
		return NULL;
	}
	piece->next = keep->pieces;
	keep->pieces = piece;
	return piece->bytes;
}

void keep_release(struct keep *keep)
{
	struct keep_piece *piece = keep->pieces, *next;

	for (; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	keep->pieces = NULL;
}
