/*
 * One branch after another, and in it one scan for each range, or a get where it is
 * the key of one row. An entry of an index leads to a row of the same state, so one
 * that leads nowhere is damage.
 */
#include "table_walk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "range.h"
#include "table_entry.h"

void table_walk_init(struct table_walk *walk, const struct table_view *view,
		     const struct table_plan *plan, uint64_t examined_max)
{
	*walk = (struct table_walk){ .view = view,
				     .plan = plan,
				     .examined_max = examined_max };
}

void table_walk_release(struct table_walk *walk)
{
	aedb_scan_close(walk->scan);
	free(walk->held.at);
	free(walk->decoded.at);
	*walk = (struct table_walk){ .scan = NULL };
}

void table_walk_restart(struct table_walk *walk)
{
	struct table_walk was = *walk;

	table_walk_release(walk);
	table_walk_init(walk, was.view, was.plan, was.examined_max);
	walk->examined = was.examined;
}

void table_walk_after(struct table_walk *walk, size_t branch,
		      struct aedb_bytes position)
{
	assert(branch < walk->plan->n);
	walk->branch = branch;
	walk->after = position;
}

static const struct table_branch *branch_of(const struct table_walk *walk)
{
	return &walk->plan->branches[walk->branch];
}

static bool is_of_index(const struct table_walk *walk)
{
	return branch_of(walk)->index != TABLE_WAY_KEY;
}

/* Ranges. */

/* Cuts off what lies up to the position that the walk begins behind. */
static void range_cut(const struct table_walk *walk, struct aedb_range *range)
{
	struct aedb_bytes after = walk->after;

	if (!after.n)
		return;
	if (range->direction == AEDB_BACKWARD) {
		if (range_compare(after.at, after.n, range->to,
				  range->to_bytes) < 0) {
			range->to = after.at;
			range->to_bytes = after.n;
		}
	} else if (range_compare(after.at, after.n, range->from,
				 range->from_bytes) >= 0) {
		range->from = after.at;
		range->from_bytes = after.n;
	}
}

/* The next range of the branch that is not empty. */
static int range_next(struct table_walk *walk, struct aedb_range *ret,
		      bool *ret_is_key)
{
	const struct table_ranges *ranges = &branch_of(walk)->ranges;
	enum aedb_direction direction = walk->plan->direction;
	const struct table_range *of;
	size_t i;

	do {
		if (walk->next_range == ranges->n)
			return AEDB_NOT_FOUND;
		i = walk->next_range++;
		if (direction == AEDB_BACKWARD)
			i = ranges->n - 1 - i;
		of = &ranges->at[i];
		*ret = (struct aedb_range){ .from = of->from,
					    .from_bytes = of->from_bytes,
					    .to = of->to,
					    .to_bytes = of->to_bytes,
					    .direction = direction };
		range_cut(walk, ret);
	} while (range_compare(ret->from, ret->from_bytes, ret->to,
			       ret->to_bytes) >= 0);
	*ret_is_key = of->is_point;
	return 0;
}

/* Whether an entry is the one that the walk begins behind: forward, a range may
 * begin with it. */
static bool is_start(const struct table_walk *walk,
		     const struct aedb_entry *entry)
{
	return walk->after.n && entry->key_bytes == walk->after.n &&
	       memcmp(entry->key, walk->after.at, walk->after.n) == 0;
}

/* Rows. */

static int examine(struct table_walk *walk)
{
	if (walk->examined_max && walk->examined >= walk->examined_max)
		return err_set(AEDB_TOO_LARGE,
			       "the query looks at more than examined_max, "
			       "%" PRIu64 " rows and index entries",
			       walk->examined_max);
	walk->examined++;
	return 0;
}

int table_room_make(struct table_room *room, size_t n)
{
	uint8_t *grown;

	if (n <= room->bytes && room->at)
		return 0;
	n += n / 2 + 64;
	grown = realloc(room->at, n);
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a row");
	*room = (struct table_room){ grown, n };
	return 0;
}

/* Copies a row, so that no pin stays behind. */
static int row_hold(struct table_walk *walk, struct aedb_bytes key,
		    const struct aedb_entry *entry)
{
	size_t bytes = (size_t)entry->value_bytes;
	int rc = table_room_make(&walk->held, key.n + bytes);
	uint8_t *at = walk->held.at;

	if (rc < 0)
		return rc;
	memcpy(at, key.at, key.n);
	if (bytes)
		memcpy(at + key.n, entry->value, bytes);
	walk->key = (struct aedb_bytes){ at, key.n };
	walk->row = (struct aedb_bytes){ at + key.n, bytes };
	walk->version = entry->version;
	return 0;
}

static const char *plan_name(const struct table_walk *walk)
{
	const struct table_schema *schema = walk->view->schema;

	return is_of_index(walk) ?
		       schema->shape.indexes[branch_of(walk)->index].name :
		       "key";
}

static int row_fetch(struct table_walk *walk, struct aedb_bytes key)
{
	struct aedb_entry entry;
	int rc = aedb_get(table_rows(walk->view->table), walk->view->snapshot,
			  key.at, key.n, &entry);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT,
			       "a row that index %s has is not there",
			       plan_name(walk));
	if (rc < 0)
		return rc;
	rc = row_hold(walk, key, &entry);
	aedb_unpin(&entry);
	return rc;
}

/* The row that an entry of an index is of. */
static int row_of_whole_entry(struct table_walk *walk,
			      const struct aedb_entry *found)
{
	struct table_entry entry = {
		.key = { found->key, found->key_bytes },
		.value = { found->value, (size_t)found->value_bytes },
	};
	struct aedb_bytes key;
	int rc = table_room_make(&walk->decoded, found->key_bytes);

	if (rc < 0)
		return rc;
	entry.room = walk->decoded.at;
	rc = table_entry_decode(walk->view->schema, branch_of(walk)->index,
				&entry, NULL, &key);
	if (rc == 0)
		rc = examine(walk);
	return rc < 0 ? rc : row_fetch(walk, key);
}

/* The scan has no value that lies in value files. */
static int row_of_entry(struct table_walk *walk, const struct aedb_entry *found)
{
	struct aedb_entry whole;
	int rc;

	if (found->value || !found->value_bytes)
		return row_of_whole_entry(walk, found);
	rc = aedb_get(table_entries(walk->view->table), walk->view->snapshot,
		      found->key, found->key_bytes, &whole);
	if (rc < 0)
		return rc;
	rc = row_of_whole_entry(walk, &whole);
	aedb_unpin(&whole);
	return rc;
}

/* The entry of the scan's that it goes to. */
static int row_of_scan(struct table_walk *walk, const struct aedb_entry *entry)
{
	walk->position = (struct aedb_bytes){ entry->key, entry->key_bytes };
	if (is_of_index(walk))
		return row_of_entry(walk, entry);
	walk->key = walk->position;
	if (!entry->value && entry->value_bytes)
		return row_fetch(walk, walk->key);
	walk->row = (struct aedb_bytes){ entry->value,
					 (size_t)entry->value_bytes };
	walk->version = entry->version;
	return 0;
}

static int scan_next(struct table_walk *walk)
{
	struct aedb_entry entry;
	int rc;

	do
		rc = aedb_scan_next(walk->scan, &entry);
	while (rc == 0 && is_start(walk, &entry));
	if (rc == 0)
		rc = examine(walk);
	return rc < 0 ? rc : row_of_scan(walk, &entry);
}

/* The row with the key that the range begins with. */
static int key_next(struct table_walk *walk, const struct aedb_range *range)
{
	struct aedb_bytes key = { range->from, range->from_bytes };
	struct aedb_entry entry;
	int rc;

	if (walk->after.n && range_compare(key.at, key.n, walk->after.at,
					   walk->after.n) == 0)
		return AEDB_NOT_FOUND;
	rc = aedb_get(table_rows(walk->view->table), walk->view->snapshot,
		      key.at, key.n, &entry);
	if (rc < 0)
		return rc;
	rc = examine(walk);
	if (rc == 0)
		rc = row_hold(walk, key, &entry);
	aedb_unpin(&entry);
	walk->position = walk->key;
	return rc;
}

/* The first row of the next range: AEDB_NOT_FOUND if it has none. */
static int range_begin(struct table_walk *walk, const struct aedb_range *range,
		       bool is_key)
{
	int rc;

	if (is_key)
		return key_next(walk, range);
	rc = aedb_scan_open(is_of_index(walk) ?
				    table_entries(walk->view->table) :
				    table_rows(walk->view->table),
			    walk->view->snapshot, range, &walk->scan);
	return rc < 0 ? rc : scan_next(walk);
}

/* The next row of the branch. */
static int branch_next(struct table_walk *walk)
{
	int rc = walk->scan ? scan_next(walk) : AEDB_NOT_FOUND;

	while (rc == AEDB_NOT_FOUND) {
		struct aedb_range range;
		bool is_key;

		aedb_scan_close(walk->scan);
		walk->scan = NULL;
		rc = range_next(walk, &range, &is_key);
		if (rc < 0)
			return rc;
		rc = range_begin(walk, &range, is_key);
	}
	return rc;
}

int table_walk_next(struct table_walk *walk)
{
	int rc = branch_next(walk);

	while (rc == AEDB_NOT_FOUND && walk->branch + 1 < walk->plan->n) {
		walk->branch++;
		walk->next_range = 0;
		walk->after = (struct aedb_bytes){ .n = 0 };
		rc = branch_next(walk);
	}
	return rc;
}
