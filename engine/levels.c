/*
 * Levels: changing them, finding keys in them.
 *
 * Invariants:
 * 1. Level 0 descends by the newest version, so that a search may end where no
 *    segment behind can have anything newer than what was found.
 * 2. Below level 0 segments ascend and do not overlap.
 * 3. One block of memory holds all of a struct levels.
 */
#include "levels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "segment_cursor.h"

void levels_free(struct levels *levels)
{
	free(levels);
}

static size_t segments_count(const struct levels *levels)
{
	size_t n = 0;

	for (int i = 0; i < LEVELS_MAX; i++)
		n += levels->n[i];
	return n;
}

static size_t memory_bytes(size_t segments)
{
	return sizeof(struct levels) +
	       segments * (sizeof(struct segment *) + sizeof(struct segment_bytes));
}

size_t levels_memory_bytes(const struct levels *levels)
{
	return memory_bytes(segments_count(levels));
}

struct segment *levels_find(const struct levels *levels, file_id_t number)
{
	for (int level = 0; level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++)
			if (segment_info(levels->at[level][i])->number == number)
				return levels->at[level][i];
	return NULL;
}

static bool is_one_of(const file_id_t *numbers, size_t n, file_id_t number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static int newest_first(const void *a, const void *b)
{
	const struct segment_info *x = segment_info(*(struct segment *const *)a);
	const struct segment_info *y = segment_info(*(struct segment *const *)b);

	if (x->seq_max != y->seq_max)
		return x->seq_max > y->seq_max ? -1 : 1;
	return (x->number < y->number) - (x->number > y->number);
}

static int by_key(const void *a, const void *b)
{
	const struct segment_info *x = segment_info(*(struct segment *const *)a);
	const struct segment_info *y = segment_info(*(struct segment *const *)b);

	return segment_bytes_compare(&x->first, &y->first);
}

static void level_fill(struct levels *levels, unsigned level,
		       const struct levels *old, const file_id_t *removed,
		       size_t n_removed)
{
	for (size_t i = 0; i < old->n[level]; i++) {
		struct segment *s = old->at[level][i];

		if (!is_one_of(removed, n_removed, segment_info(s)->number))
			levels->at[level][levels->n[level]++] = s;
	}
}

static void level_add(struct levels *levels, unsigned level,
		      struct segment *const *added, size_t n_added)
{
	for (size_t i = 0; i < n_added; i++)
		if (segment_info(added[i])->level == level)
			levels->at[level][levels->n[level]++] = added[i];
}

/* Puts a level in order and notes its last keys. */
static void level_order(struct levels *levels, unsigned level,
			struct segment_bytes *last)
{
	struct segment **at = levels->at[level];

	qsort(at, levels->n[level], sizeof(struct segment *),
	      level ? by_key : newest_first);
	levels->last[level] = last;
	for (size_t i = 0; i < levels->n[level]; i++) {
		last[i] = segment_info(at[i])->last;
		assert(!level || !i ||
		       segment_bytes_compare(&last[i - 1],
					     &segment_info(at[i])->first) < 0);
	}
}

int levels_apply(const struct levels *old, struct segment *const *added,
		 size_t n_added, const file_id_t *removed, size_t n_removed,
		 struct levels **ret)
{
	size_t n_old = segments_count(old), n;
	struct levels *levels;
	struct segment_bytes *last;
	struct segment **at;

	assert(n_removed <= n_old);
	n = n_old - n_removed + n_added;
	levels = calloc(1, memory_bytes(n));
	if (!levels)
		return err_set(AEDB_NO_MEMORY, "no memory for the levels");
	levels->stamp = old->stamp + 1;
	last = (struct segment_bytes *)(levels + 1);
	at = (struct segment **)(last + n);
	for (unsigned level = 0; level < LEVELS_MAX; level++) {
		levels->at[level] = at;
		level_fill(levels, level, old, removed, n_removed);
		level_add(levels, level, added, n_added);
		level_order(levels, level, last);
		at += levels->n[level];
		last += levels->n[level];
	}
	assert(segments_count(levels) == n);
	*ret = levels;
	return 0;
}

/* Below level 0: place of the first segment that ends at or behind the key. */
static size_t level_seek(const struct levels *levels, unsigned level,
			 const void *key, size_t key_bytes)
{
	const struct segment_bytes want = { key, key_bytes };
	size_t low = 0, high = levels->n[level];

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (segment_bytes_compare(&levels->last[level][mid], &want) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* [from, to), to.at NULL: no bound. */
struct key_range {
	struct segment_bytes from, to;
};

static bool segment_begins_before(const struct segment *s,
				  const struct key_range *range)
{
	return !range->to.at ||
	       segment_bytes_compare(&segment_info(s)->first, &range->to) < 0;
}

static bool segment_is_in(const struct segment *s, const struct key_range *range)
{
	return segment_begins_before(s, range) &&
	       segment_bytes_compare(&segment_info(s)->last, &range->from) >= 0;
}

bool levels_overlap(const struct levels *levels, const void *from,
		    size_t from_bytes, const void *to, size_t to_bytes)
{
	struct key_range range = { { from, from_bytes }, { to, to_bytes } };

	for (size_t i = 0; i < levels->n[0]; i++)
		if (segment_is_in(levels->at[0][i], &range))
			return true;
	for (unsigned level = 1; level < LEVELS_MAX; level++) {
		size_t i = level_seek(levels, level, from, from_bytes);

		if (i < levels->n[level] &&
		    segment_begins_before(levels->at[level][i], &range))
			return true;
	}
	return false;
}

/* One key looked for. */
struct search {
	struct segment_search in;
	bool wants_newer;
	struct entry *found;	/* the newest so far; NULL: none */
};

/* Segments that may have the key, the next ones in turn: those of level 0 from
 * the newest on, then one of each other level. All are looked at before the
 * first is asked, so that memory brings at once what will be needed. */
#define BATCH_MAX 12
struct batch {
	struct segment_spot spots[BATCH_MAX];
	bool is_level0[BATCH_MAX];
	size_t n;
};

/* The i-th in turn; NULL: it has not the key. */
static struct segment *segment_in_turn(const struct levels *levels, size_t i,
				       const struct search *search)
{
	const struct segment_bytes key = { search->in.key, search->in.key_bytes };
	const struct segment_info *info;
	struct segment *s;

	if (i < levels->n[0]) {
		s = levels->at[0][i];
	} else {
		unsigned level = (unsigned)(i - levels->n[0]) + 1;

		i = levels->n[level] ? level_seek(levels, level, key.at, key.n) : 0;
		if (i == levels->n[level])
			return NULL;
		s = levels->at[level][i];
	}
	info = segment_info(s);
	if (segment_bytes_compare(&info->first, &key) > 0 ||
	    segment_bytes_compare(&info->last, &key) < 0 ||
	    (info->seq_min > search->in.limit && !search->wants_newer))
		return NULL;
	return s;
}

static void batch_fill(struct batch *batch, const struct levels *levels,
		       const struct search *search, size_t *next)
{
	size_t end = levels->n[0] + LEVELS_MAX - 1;

	for (batch->n = 0; *next < end && batch->n < BATCH_MAX; ++*next) {
		struct segment *s = segment_in_turn(levels, *next, search);

		if (!s)
			continue;
		batch->is_level0[batch->n] = *next < levels->n[0];
		segment_spot_init(&batch->spots[batch->n++], s, &search->in);
	}
}

/* Nothing from here on can have anything newer than what was found. */
static bool search_is_over(const struct search *search, const struct batch *batch,
			   size_t i)
{
	return search->found &&
	       (!batch->is_level0[i] ||
		segment_info(batch->spots[i].segment)->seq_max <
			search->found->seq);
}

/* 1: the search is over. */
static int batch_ask(struct batch *batch, struct search *search,
		     struct entry *ret)
{
	struct entry entry;

	for (size_t i = 0; i < batch->n; i++) {
		int rc;

		if (search_is_over(search, batch, i))
			return 1;
		rc = segment_spot_get(&batch->spots[i], &search->in, &entry);
		if (rc < 0)
			return rc;
		if (rc > 0 && (!search->found || entry.seq > ret->seq)) {
			*ret = entry;
			search->found = ret;
		}
	}
	return batch->n < BATCH_MAX;
}

int levels_get(const struct levels *levels, const struct levels_sought *sought,
	       struct entry *ret, seq_t *ret_newer)
{
	struct search search = { .wants_newer = ret_newer != NULL };
	struct entry found;
	struct batch batch;
	size_t next = 0;
	int rc;

	segment_search_init(&search.in, sought->key, sought->key_bytes,
			    sought->limit);
	search.in.wanted = sought->wanted;
	do {
		batch_fill(&batch, levels, &search, &next);
		rc = batch_ask(&batch, &search, &found);
	} while (rc == 0);
	if (rc < 0)
		return rc;
	if (search.found)
		*ret = found;
	if (ret_newer)
		*ret_newer = search.in.newer;
	return search.found != NULL;
}

/* A version above `above` in the range: 1, or 0. */
static int segment_range_above(struct segment *s, const struct key_range *range,
			       seq_t above, seq_t *ret)
{
	struct segment_cursor c;
	int rc;

	segment_cursor_init(&c, s, SEGMENT_CACHED);
	rc = segment_cursor_seek(&c, MEM_SEEK_GE, range->from.at, range->from.n);
	for (; rc > 0; rc = segment_cursor_next(&c)) {
		struct segment_bytes key = { c.entry.key, c.entry.key_bytes };

		if (range->to.at && segment_bytes_compare(&key, &range->to) >= 0) {
			rc = 0;
			break;
		}
		if (c.entry.seq > above) {
			*ret = c.entry.seq;
			break;
		}
	}
	segment_cursor_release(&c);
	return rc;
}

int levels_range_newest(const struct levels *levels, const void *from,
			size_t from_bytes, const void *to, size_t to_bytes,
			seq_t above, seq_t *ret)
{
	struct key_range range = { { from, from_bytes }, { to, to_bytes } };
	seq_t found = 0;
	int rc = 0;

	for (unsigned level = 0; level < LEVELS_MAX && rc == 0; level++) {
		size_t i = level ? level_seek(levels, level, from, from_bytes) : 0;

		for (; i < levels->n[level] && rc == 0; i++) {
			struct segment *s = levels->at[level][i];

			if (level && !segment_begins_before(s, &range))
				break;
			if (segment_info(s)->seq_max > above &&
			    segment_is_in(s, &range))
				rc = segment_range_above(s, &range, above, &found);
		}
	}
	if (rc < 0)
		return rc;
	*ret = found;
	return 0;
}
