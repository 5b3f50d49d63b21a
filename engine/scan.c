/*
 * Ordered scans.
 *
 * A scan takes part in the memtable's epoch and holds a snapshot number for all
 * its life, so what it stands on stays, and what it shows is one state.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem_cursor.h"
#include "range.h"
#include "read.h"
#include "snapshot.h"

struct aedb_scan {
	struct aedb *db;
	struct epoch_slot *slot;
	struct mem_cursor cursor;
	struct range_bounds bounds;
	const void *inside_leaf;	/* a leaf that lies inside as a whole */
	enum aedb_direction direction;
	seq_t seq;
	bool owns_snapshot;
	enum { SCAN_AT_START, SCAN_ON_ENTRY, SCAN_BEFORE_ENTRY, SCAN_ENDED } state;
};

static int scan_init(struct aedb_scan *scan, struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot)
{
	int rc;

	if (snapshot) {
		scan->seq = snapshot->seq;
	} else {
		rc = snapshot_add(scan->db, &scan->seq);
		if (rc < 0)
			return rc;
		scan->owns_snapshot = true;
	}
	if (!catalog_scope_is_live(scope, scan->seq))
		return err_set(AEDB_NOT_FOUND,
			       "the scope does not exist any more");
	rc = epoch_slot_enter(scan->db->epoch, &scan->slot);
	if (rc < 0)
		return rc;
	mem_cursor_init(&scan->cursor, scope->tree, scan->seq);
	if (scan->direction == AEDB_FORWARD)
		mem_cursor_bound(&scan->cursor, scan->bounds.to,
				 scan->bounds.to_bytes);
	else
		mem_cursor_bound(&scan->cursor, scan->bounds.from,
				 scan->bounds.from_bytes);
	return 0;
}

int aedb_scan_open(struct aedb_scope *scope,
		   const struct aedb_snapshot *snapshot,
		   const struct aedb_range *range, struct aedb_scan **ret)
{
	struct aedb_scan *scan = malloc(sizeof(*scan));
	int rc;

	if (!scan)
		return err_set(AEDB_NO_MEMORY, "no memory for a scan");
	scan->slot = NULL;
	scan->inside_leaf = NULL;
	scan->owns_snapshot = false;
	scan->state = SCAN_AT_START;
	scan->db = scope->db;
	scan->direction = range->direction;
	rc = range_bounds_init(&scan->bounds, range);
	if (rc < 0) {
		free(scan);
		return rc;
	}
	rc = scan_init(scan, scope, snapshot);
	if (rc < 0) {
		aedb_scan_close(scan);
		return rc;
	}
	*ret = scan;
	return 0;
}

void aedb_scan_close(struct aedb_scan *scan)
{
	if (!scan)
		return;
	if (scan->slot)
		epoch_slot_leave(scan->slot);
	if (scan->owns_snapshot)
		snapshot_remove(scan->db, scan->seq);
	range_bounds_release(&scan->bounds);
	free(scan);
}

static bool is_inside_backward(struct aedb_scan *scan)
{
	const struct entry *entry = &scan->cursor.entry;
	const struct range_bounds *b = &scan->bounds;

	if (mem_cursor_leaf_is_from(&scan->cursor, b->from, b->from_bytes))
		scan->inside_leaf = scan->cursor.leaf;
	return range_compare(entry->key, entry->key_bytes, b->from,
			     b->from_bytes) >= 0;
}

static bool is_inside_forward(struct aedb_scan *scan)
{
	const struct entry *entry = &scan->cursor.entry;
	const struct range_bounds *b = &scan->bounds;

	if (!b->to || mem_cursor_leaf_is_below(&scan->cursor, b->to, b->to_bytes))
		scan->inside_leaf = scan->cursor.leaf;
	return !b->to || range_compare(entry->key, entry->key_bytes, b->to,
				       b->to_bytes) < 0;
}

/* Whether the cursor's entry lies inside the bounds, on the side it moves to. */
static bool is_inside(struct aedb_scan *scan)
{
	if (scan->inside_leaf == scan->cursor.leaf)
		return true;
	return scan->direction == AEDB_BACKWARD ? is_inside_backward(scan) :
						  is_inside_forward(scan);
}

static bool seek_start(struct aedb_scan *scan)
{
	const struct range_bounds *b = &scan->bounds;

	if (scan->direction == AEDB_FORWARD)
		return mem_cursor_seek(&scan->cursor, MEM_SEEK_GE, b->from,
				       b->from_bytes);
	if (b->to)
		return mem_cursor_seek(&scan->cursor, MEM_SEEK_LT, b->to,
				       b->to_bytes);
	return mem_cursor_seek(&scan->cursor, MEM_SEEK_LAST, NULL, 0);
}

static bool step(struct aedb_scan *scan)
{
	switch (scan->state) {
	case SCAN_AT_START:
		return seek_start(scan);
	case SCAN_ON_ENTRY:
		return scan->direction == AEDB_FORWARD ?
			       mem_cursor_next(&scan->cursor) :
			       mem_cursor_prev(&scan->cursor);
	case SCAN_BEFORE_ENTRY:
		return true;
	case SCAN_ENDED:
		break;
	}
	return false;
}

int aedb_scan_next(struct aedb_scan *scan, struct aedb_entry *ret)
{
	if (!step(scan) || !is_inside(scan)) {
		scan->state = SCAN_ENDED;
		return AEDB_NOT_FOUND;
	}
	scan->state = SCAN_ON_ENTRY;
	read_entry_fill(&scan->cursor.entry, ret);
	return 0;
}

/* Seeks past the prefix; false: nothing is there. */
static bool seek_past(struct aedb_scan *scan, uint8_t *prefix, size_t n)
{
	if (scan->direction == AEDB_BACKWARD)
		return mem_cursor_seek(&scan->cursor, MEM_SEEK_LT, prefix, n);
	n = range_prefix_end(prefix, n);
	return n && mem_cursor_seek(&scan->cursor, MEM_SEEK_GE, prefix, n);
}

/* Whether the entry the scan stands on, or would begin with, is already past
 * every key with this prefix. */
static bool is_past(const struct aedb_scan *scan, const void *prefix, size_t n)
{
	const struct entry *entry = &scan->cursor.entry;
	size_t common = entry->key_bytes < n ? entry->key_bytes : n;
	int order = range_compare(entry->key, common, prefix, n);

	if (scan->direction == AEDB_BACKWARD)
		return order < 0;
	return order > 0;
}

int aedb_scan_skip(struct aedb_scan *scan, const void *prefix,
		   size_t prefix_bytes)
{
	uint8_t *copy;

	if (scan->state == SCAN_ENDED)
		return 0;
	if (scan->state == SCAN_AT_START && !step(scan)) {
		scan->state = SCAN_ENDED;
		return 0;
	}
	if (is_past(scan, prefix, prefix_bytes)) {
		if (scan->state == SCAN_AT_START)
			scan->state = SCAN_BEFORE_ENTRY;
		return 0;
	}
	copy = malloc(prefix_bytes + 1);
	if (!copy)
		return err_set(AEDB_NO_MEMORY, "no memory to skip a subtree");
	if (prefix_bytes)
		memcpy(copy, prefix, prefix_bytes);
	scan->state = seek_past(scan, copy, prefix_bytes) ? SCAN_BEFORE_ENTRY :
							     SCAN_ENDED;
	free(copy);
	return 0;
}
