/*
 * One merging walk over everything, and one beside it over the counts, which
 * are in the same order as what they count. What it meets of the kept history it
 * has looked at.
 *
 * The catalog's own spaces are not counted, and counts of scopes that are not in
 * it (any more) say nothing.
 */
#include "verify_counts.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "catalog.h"
#include "err.h"
#include "levels.h"
#include "merge.h"
#include "verify_history.h"

#define ADVANCE_ENTRIES 1024u	/* between two looks at how far it has come */

struct counts {
	const struct verify_job *job;
	struct segment **segments;	/* owned, each too */
	size_t n_segments;
	struct levels *levels;		/* owned */
	struct merge *all, *counted;	/* owned; counted: of space 1 on */
	int counted_rc;			/* > 0: it stands on an entry */
	uint64_t *ids;			/* owned: of the scopes there are */
	size_t n_ids, ids_room;
	size_t next;			/* of the scopes' spaces: the first one
					 * whose count was not looked at */
	uint64_t keys;			/* of all scopes */
	struct verify_history history;	/* owned */
	uint64_t entries, advanced;
	/* at hand */
	bool has_space, has_key;
	uint64_t space, live;
	const struct segment *above;	/* of the key's version before */
	seq_t above_seq;
	size_t key_bytes;
	uint8_t key[SEGMENT_KEY_BYTES_MAX];
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "verifying segments: no memory");
}

uint64_t verify_counts_bytes(const struct manifest_state *state)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < state->n_segments; i++)
		bytes += state->segments[i]->bytes;
	return bytes;
}

static const char *path_of(const struct counts *c, const struct segment *segment,
			   char *ret)
{
	file_set_path(c->job->segments, segment_info(segment)->number, ret);
	return ret;
}

static uint64_t number_of(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (int i = 0; i < SPACE_PREFIX_BYTES; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* Spaces. */

static int id_add(struct counts *c, uint64_t id)
{
	if (c->n_ids == c->ids_room) {
		size_t room = c->ids_room ? c->ids_room * 2 : 64;
		uint64_t *grown = realloc(c->ids, room * sizeof(*grown));

		if (!grown)
			return no_memory();
		c->ids = grown;
		c->ids_room = room;
	}
	c->ids[c->n_ids++] = id;
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The i-th of the scopes' spaces, which ascend. */
static uint64_t space_at(const struct counts *c, size_t i)
{
	return c->ids[i / 2] * 2 + i % 2;
}

/* Counts. */

/* The number that the counts' entry is of; false: there are no more. */
static bool counted_space(const struct counts *c, uint64_t *ret)
{
	const struct entry *entry;

	if (c->counted_rc <= 0)
		return false;
	entry = merge_entry(c->counted);
	if (entry->key_bytes != 2 * SPACE_PREFIX_BYTES ||
	    number_of(entry->key) != CATALOG_COUNTS)
		return false;
	*ret = number_of((const uint8_t *)entry->key + SPACE_PREFIX_BYTES);
	return true;
}

/* What segments say that the space has. */
static int count_find(struct counts *c, uint64_t space, uint64_t *ret)
{
	const struct entry *entry;
	struct byte_reader r;
	uint64_t at;

	*ret = 0;
	while (counted_space(c, &at) && at < space)
		c->counted_rc = merge_next(c->counted);
	if (c->counted_rc < 0)
		return c->counted_rc;
	if (!counted_space(c, &at) || at != space)
		return 0;
	entry = merge_entry(c->counted);
	byte_reader_init(&r, entry->value, entry->value_bytes);
	if (!entry->is_tombstone)
		*ret = byte_reader_varint(&r);
	return 0;
}

static int count_check(struct counts *c, uint64_t space, uint64_t live)
{
	uint64_t count;
	int rc = count_find(c, space, &count);

	if (rc < 0)
		return rc;
	if (count != live)
		verify_find(c->job->findings, c->job->manifest, 0,
			    "space %llu is counted to have %llu keys, there are "
			    "%llu", (unsigned long long)space,
			    (unsigned long long)count, (unsigned long long)live);
	if (space_has_keys(space))
		c->keys += live;
	return 0;
}

/* There is nothing of the spaces from the last one to this one. */
static int spaces_check(struct counts *c, uint64_t space, uint64_t live)
{
	int rc = 0;

	while (rc == 0 && c->next < 2 * c->n_ids &&
	       space_at(c, c->next) <= space) {
		uint64_t at = space_at(c, c->next++);

		rc = count_check(c, at, at == space ? live : 0);
	}
	return rc;
}

static int space_end(struct counts *c)
{
	if (!c->has_space)
		return 0;
	if (c->space == CATALOG_NAMES && c->n_ids)
		qsort(c->ids, c->n_ids, sizeof(*c->ids), id_compare);
	return spaces_check(c, c->space, c->live);
}

/* Keys and versions. */

/* How many segments readers look into before this one. */
static size_t depth_of(const struct counts *c, const struct segment *segment)
{
	unsigned level = segment_info(segment)->level;
	size_t i = 0;

	if (level > 0)
		return c->levels->n[0] + level;
	while (c->levels->at[0][i] != segment)
		i++;
	return i;
}

static void order_check(const struct counts *c, const struct entry *entry)
{
	const struct segment *segment = merge_segment(c->all);
	char path[FILE_SET_PATH_BYTES];

	if (segment == c->above || depth_of(c, segment) > depth_of(c, c->above))
		return;
	verify_find(c->job->findings, path_of(c, segment, path), 0,
		    "version %llu of a key is found before %llu, in segment %llu",
		    (unsigned long long)entry->seq,
		    (unsigned long long)c->above_seq,
		    (unsigned long long)segment_info(c->above)->number);
}

static int space_begin(struct counts *c, uint64_t space)
{
	int rc = space_end(c);

	c->has_space = true;
	c->space = space;
	c->live = 0;
	return rc;
}

/* Scopes and tables have key spaces. */
static bool has_spaces(const struct entry *entry)
{
	struct op_bytes key = { (const uint8_t *)entry->key + SPACE_PREFIX_BYTES,
				entry->key_bytes - SPACE_PREFIX_BYTES };
	uint64_t parent;

	return catalog_key_level(key, &parent) != CATALOG_PROJECT;
}

/* The newest version of a key. */
static int key_take(struct counts *c, const struct entry *entry)
{
	uint64_t space = number_of(entry->key);
	char path[FILE_SET_PATH_BYTES];
	int rc = 0;

	if (!c->has_space || space != c->space)
		rc = space_begin(c, space);
	memcpy(c->key, entry->key, entry->key_bytes);
	c->key_bytes = entry->key_bytes;
	c->has_key = true;
	c->live += !entry->is_tombstone;
	if (rc == 0 && space == CATALOG_NAMES && !entry->is_tombstone &&
	    has_spaces(entry))
		rc = id_add(c, entry->id);
	if (rc == 0 && space == HISTORY_SPACE)
		rc = verify_history_take(&c->history, entry,
					 path_of(c, merge_segment(c->all), path));
	return rc;
}

static bool is_same_key(const struct counts *c, const struct entry *entry)
{
	return c->has_key && entry->key_bytes == c->key_bytes &&
	       memcmp(entry->key, c->key, c->key_bytes) == 0;
}

static int entry_take(struct counts *c)
{
	const struct entry *entry = merge_entry(c->all);
	char path[FILE_SET_PATH_BYTES];
	int rc = 0;

	if (entry->key_bytes < SPACE_PREFIX_BYTES)
		verify_find(c->job->findings,
			    path_of(c, merge_segment(c->all), path), 0,
			    "a key of %u bytes", entry->key_bytes);
	else if (is_same_key(c, entry))
		order_check(c, entry);
	else
		rc = key_take(c, entry);
	c->above = merge_segment(c->all);
	c->above_seq = entry->seq;
	return rc;
}

/* The walk. */

static int segments_open(struct counts *c)
{
	const struct manifest_state *state = c->job->state;
	static const struct levels none;
	int rc = 0;

	c->segments = calloc(state->n_segments + 1, sizeof(struct segment *));
	if (!c->segments)
		return no_memory();
	for (size_t i = 0; i < state->n_segments && rc == 0; i++) {
		rc = segment_open(c->job->segments, NULL, state->segments[i],
				  &c->segments[i]);
		c->n_segments += rc == 0;
	}
	if (rc == 0)
		rc = levels_apply(&none, c->segments, c->n_segments, NULL, 0,
				  &c->levels);
	if (rc == 0)
		rc = merge_open(&c->all);
	if (rc == 0)
		rc = merge_open(&c->counted);
	if (rc == 0)
		rc = merge_add_levels(c->all, c->levels);
	return rc < 0 ? rc : merge_add_levels(c->counted, c->levels);
}

static void counts_release(struct counts *c)
{
	merge_close(c->all);
	merge_close(c->counted);
	levels_free(c->levels);
	for (size_t i = 0; i < c->n_segments; i++)
		segment_close(c->segments[i]);
	free(c->segments);
	free(c->ids);
	verify_history_release(&c->history);
}

static uint64_t entries_of(const struct manifest_state *state)
{
	uint64_t entries = 0;

	for (size_t i = 0; i < state->n_segments; i++)
		entries += state->segments[i]->entries;
	return entries;
}

static void advance(struct counts *c, uint64_t all_bytes, uint64_t all_entries)
{
	uint64_t to = all_entries ? (uint64_t)((double)all_bytes * c->entries /
					       all_entries) : 0;

	verify_advance(c->job->findings, to - c->advanced);
	c->advanced = to;
}

static int walk(struct counts *c)
{
	uint64_t all_bytes = verify_counts_bytes(c->job->state);
	uint64_t all_entries = entries_of(c->job->state);
	uint8_t first[SPACE_PREFIX_BYTES];
	int rc;

	space_key(CATALOG_COUNTS, NULL, 0, first);
	c->counted_rc = merge_seek(c->counted, MEM_SEEK_GE, first, sizeof(first));
	if (c->counted_rc < 0)
		return c->counted_rc;
	rc = merge_seek(c->all, MEM_SEEK_FIRST, NULL, 0);
	while (rc > 0) {
		rc = entry_take(c);
		if (++c->entries % ADVANCE_ENTRIES == 0)
			advance(c, all_bytes, all_entries);
		if (rc == 0)
			rc = merge_next(c->all);
	}
	if (rc == 0)
		rc = space_end(c);
	if (rc == 0)
		verify_history_end(&c->history);
	return rc < 0 ? rc : spaces_check(c, UINT64_MAX, 0);
}

static void keys_check(const struct counts *c)
{
	uint64_t keys = c->job->state->numbers[MANIFEST_KEY_COUNT];

	if (keys != c->keys)
		verify_find(c->job->findings, c->job->manifest, 0,
			    "%llu keys are counted, there are %llu",
			    (unsigned long long)keys, (unsigned long long)c->keys);
}

int verify_counts(const struct verify_job *job)
{
	struct counts *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return no_memory();
	c->job = c->history.job = job;
	rc = segments_open(c);
	if (rc == 0)
		rc = walk(c);
	if (rc == 0)
		keys_check(c);
	counts_release(c);
	free(c);
	return verify_find_error(job->findings, job->manifest, rc);
}
