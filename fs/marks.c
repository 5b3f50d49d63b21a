/*
 * A mark is stored as: 1 byte, how many bytes it shares with the one before it
 * in its round; 2 bytes, how many follow; these.
 */
#include "marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define ROUND_BYTES_MIN 1024
#define ROUNDS_MIN 8
#define HEAD_BYTES 3
#define SHARED_MAX 255

void marks_init(struct marks *marks, size_t *all_bytes, uint64_t last)
{
	memset(marks, 0, sizeof(*marks));
	marks->all_bytes = all_bytes;
	marks->last = last;
}

/* What the round costs, roughly, also when it is short. */
static size_t cost(const struct marks_round *round)
{
	return sizeof(*round) + round->n_bytes;
}

static void drop_oldest(struct marks *marks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*marks->all_bytes -= cost(&marks->rounds[i]);
		free(marks->rounds[i].bytes);
	}
	marks->n -= n;
	if (n)
		memmove(marks->rounds, marks->rounds + n,
			marks->n * sizeof(*marks->rounds));
}

void marks_clear(struct marks *marks, uint64_t last)
{
	marks_end_round(marks);
	drop_oldest(marks, marks->n);
	marks->last = last;
}

void marks_release(struct marks *marks)
{
	marks_clear(marks, 0);
	free(marks->rounds);
}

static int begin_round(struct marks *marks)
{
	size_t max = marks->max ? marks->max * 2 : ROUNDS_MIN;
	struct marks_round *grown;
	uint8_t *bytes;

	if (marks->n == marks->max) {
		grown = realloc(marks->rounds, max * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		marks->rounds = grown;
		marks->max = max;
	}
	bytes = malloc(ROUND_BYTES_MIN);
	if (!bytes)
		return -ENOMEM;
	marks->rounds[marks->n++] = (struct marks_round){
		.first = marks->last + 1, .bytes = bytes };
	marks->has_open_round = true;
	marks->room = ROUND_BYTES_MIN;
	marks->previous.pos_bytes = 0;
	return 0;
}

static size_t shared_bytes(const struct dirlist_mark *a,
			   const struct dirlist_mark *b)
{
	size_t max = a->pos_bytes < b->pos_bytes ? a->pos_bytes : b->pos_bytes;
	size_t n = 0;

	if (max > SHARED_MAX)
		max = SHARED_MAX;
	while (n + 8 <= max && bytes_load_le64(a->pos + n) ==
			       bytes_load_le64(b->pos + n))
		n += 8;
	while (n < max && a->pos[n] == b->pos[n])
		n++;
	return n;
}

int marks_add(struct marks *marks, const struct dirlist_mark *mark)
{
	struct marks_round *round;
	size_t shared, rest;
	uint8_t *at;

	if (!marks->has_open_round && begin_round(marks) < 0)
		return -ENOMEM;
	round = &marks->rounds[marks->n - 1];
	if (round->n_bytes + HEAD_BYTES + mark->pos_bytes > marks->room) {
		at = realloc(round->bytes, marks->room * 2);
		if (!at)
			return -ENOMEM;
		round->bytes = at;
		marks->room *= 2;
	}
	shared = shared_bytes(&marks->previous, mark);
	rest = mark->pos_bytes - shared;
	at = round->bytes + round->n_bytes;
	at[0] = (uint8_t)shared;
	bytes_store_le16(at + 1, (uint16_t)rest);
	memcpy(at + HEAD_BYTES, mark->pos + shared, rest);
	memcpy(marks->previous.pos + shared, mark->pos + shared, rest);
	marks->previous.pos_bytes = mark->pos_bytes;
	marks->previous.is_past_own = true;
	round->n_bytes += HEAD_BYTES + rest;
	marks->last++;
	return 0;
}

void marks_end_round(struct marks *marks)
{
	struct marks_round *round;
	uint8_t *bytes;
	size_t n = 0;

	if (!marks->has_open_round)
		return;
	marks->has_open_round = false;
	round = &marks->rounds[marks->n - 1];
	bytes = realloc(round->bytes, round->n_bytes);
	if (bytes)
		round->bytes = bytes;
	*marks->all_bytes += cost(round);
	for (size_t all = *marks->all_bytes;
	     all > MARKS_BYTES_MAX && n + 1 < marks->n; n++)
		all -= cost(&marks->rounds[n]);
	drop_oldest(marks, n);
}

/* The last round that begins at or before the offset; NULL. */
static const struct marks_round *round_of(const struct marks *marks,
					  uint64_t offset)
{
	size_t low = 0, high = marks->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (marks->rounds[middle].first <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &marks->rounds[low - 1] : NULL;
}

bool marks_find(const struct marks *marks, uint64_t offset,
		struct dirlist_mark *ret)
{
	const struct marks_round *round = round_of(marks, offset);
	const uint8_t *at;

	if (!round || offset > marks->last)
		return false;
	at = round->bytes;
	for (uint64_t i = round->first; i <= offset; i++) {
		size_t shared = at[0], rest = bytes_load_le16(at + 1);

		memcpy(ret->pos + shared, at + HEAD_BYTES, rest);
		ret->pos_bytes = (uint16_t)(shared + rest);
		at += HEAD_BYTES + rest;
	}
	ret->is_past_own = true;
	return true;
}
