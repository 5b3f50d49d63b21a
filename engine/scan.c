/*
 * Ordered scans.
 *
 * What a scan shows is one state: it holds a snapshot number for all its life. It
 * takes part in the epoch for a limited time only, a stay, so that what others
 * free and evict meanwhile need not wait for it; then it goes on from the key it
 * stood on, in the newest memtables and levels.
 *
 * Invariants:
 *  1. A stay ends at the beginning of a call only, for the entry last given is
 *     borrowed until then; or before an entry that is not given yet.
 *  2. Outside a stay `key` is a copy of the key of the entry that the scan
 *     stands on or before.
 */
#include <stdlib.h>
#include <string.h>

#include "access_range.h"
#include "batch.h"
#include "err.h"
#include "range.h"
#include "read.h"
#include "snapshot.h"
#include "space_walk.h"

/* A stay is so much long: an entry counts as one, and as one more for so many
 * bytes of its value; a seek to several sources as some, for what it may read
 * of each. */
#define STAY_ENTRIES 1024
#define STAY_VALUE_BYTES 256
#define STAY_SEEK 32

struct aedb_scan {
	struct aedb *db;
	struct epoch_slot *slot;
	struct space_walk walk;
	struct view view;
	struct range_bounds bounds;
	enum aedb_direction direction;
	seq_t seq;
	bool owns_snapshot;
	struct aedb_batch *batch;	/* whose view it walks; NULL: of none */
	enum { SCAN_AT_START, SCAN_ON_ENTRY, SCAN_BEFORE_ENTRY, SCAN_ENDED } state;
	int outcome;		/* once it ended: AEDB_NOT_FOUND, or an error */
	bool is_staying;	/* in the epoch */
	int32_t stay_left;	/* 0 outside */
	struct access *access;	/* of a caller's handle; NULL: all keys are shown */
	struct access_readable readable;	/* of a caller's handle */
	uint8_t *key;		/* owned; see invariant 2 */
	size_t key_bytes, key_room;
};

static int scan_init(struct aedb_scan *scan, struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot)
{
	struct aedb_snapshot now = { .db = scan->db };
	int rc;

	if (!snapshot) {
		rc = snapshot_add(scan->db, &now.seq);
		if (rc < 0)
			return rc;
		scan->owns_snapshot = true;
		scan->seq = now.seq;
		snapshot = &now;
	}
	if (!read_view(scope, snapshot, &scan->view))
		return err_set(AEDB_NOT_FOUND,
			       "the scope does not exist any more");
	if (snapshot->batch) {
		scan->batch = snapshot->batch;
		batch_scan_begin(scan->batch, scan->view.limit);
	}
	space_walk_init(&scan->walk, scan->view.space, scan->view.limit);
	scan->walk.work_max = STAY_ENTRIES;
	scan->walk.is_passing = true;
	if (scan->direction == AEDB_FORWARD) {
		scan->walk.until = scan->bounds.to;
		scan->walk.until_bytes = scan->bounds.to_bytes;
	} else {
		scan->walk.until = scan->bounds.from;
		scan->walk.until_bytes = scan->bounds.from_bytes;
	}
	rc = epoch_slot_enter(scan->db->epoch, &scan->slot);
	if (rc == 0)
		epoch_slot_rest(scan->slot);
	return rc;
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
	scan->walk.merge = NULL;
	scan->owns_snapshot = false;
	scan->batch = NULL;
	scan->state = SCAN_AT_START;
	scan->is_staying = false;
	scan->stay_left = 0;
	scan->key = NULL;
	scan->key_bytes = scan->key_room = 0;
	scan->db = scope->space.db;
	scan->access = scope->access;
	scan->direction = range->direction;
	rc = range_bounds_init(&scan->bounds, range);
	if (rc < 0) {
		free(scan);
		return rc;
	}
	if (scan->access)
		rc = access_readable_take(scan->access, &scan->readable);
	if (rc == 0)
		rc = scan_init(scan, access_scope(scope), snapshot);
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
	space_walk_release(&scan->walk);
	if (scan->slot)
		epoch_slot_leave(scan->slot);
	if (scan->owns_snapshot)
		snapshot_remove(scan->db, scan->seq);
	if (scan->batch)
		batch_scan_end(scan->batch);
	range_bounds_release(&scan->bounds);
	if (scan->access)
		access_readable_release(&scan->readable);
	free(scan->key);
	free(scan);
}

/* Stays. */

/* Copies the key that the walk stands on or rests before. */
static int key_keep(struct aedb_scan *scan)
{
	const struct entry *entry = space_walk_entry(&scan->walk);

	if (entry->key_bytes > scan->key_room) {
		uint8_t *grown = realloc(scan->key, entry->key_bytes);

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a scan");
		scan->key = grown;
		scan->key_room = entry->key_bytes;
	}
	if (entry->key_bytes)
		memcpy(scan->key, entry->key, entry->key_bytes);
	scan->key_bytes = entry->key_bytes;
	return 0;
}

static void stay_end(struct aedb_scan *scan)
{
	epoch_slot_rest(scan->slot);
	scan->is_staying = false;
	scan->stay_left = 0;
}

/* Of one that goes on, too, when nothing of it is needed any more. */
static int stay_begin(struct aedb_scan *scan)
{
	epoch_slot_renew(scan->slot, scan->db->epoch);
	scan->is_staying = true;
	scan->stay_left = STAY_ENTRIES;
	return space_walk_start(&scan->walk);
}

/* Ends the stay in which an entry was given. */
static int stay_leave(struct aedb_scan *scan)
{
	int rc = key_keep(scan);

	if (rc == 0)
		stay_end(scan);
	return rc;
}

/* Moving. These return what space_walk_seek does. */

static int scan_seek(struct aedb_scan *scan, enum mem_seek how, const void *key,
		     size_t key_bytes)
{
	scan->stay_left -= STAY_SEEK;
	return space_walk_seek(&scan->walk, how, key, key_bytes);
}

static int seek_start(struct aedb_scan *scan)
{
	const struct range_bounds *b = &scan->bounds;

	if (scan->direction == AEDB_FORWARD)
		return scan_seek(scan, MEM_SEEK_GE, b->from, b->from_bytes);
	if (b->to)
		return scan_seek(scan, MEM_SEEK_LT, b->to, b->to_bytes);
	return scan_seek(scan, MEM_SEEK_LAST, NULL, 0);
}

/* Begins a stay, at the entry to give next. */
static int scan_resume(struct aedb_scan *scan)
{
	bool is_back = scan->direction == AEDB_BACKWARD;
	enum mem_seek how;
	int rc = stay_begin(scan);

	if (rc < 0)
		return rc;
	if (scan->state == SCAN_AT_START)
		return seek_start(scan);
	if (scan->state == SCAN_BEFORE_ENTRY)
		how = is_back ? MEM_SEEK_LE : MEM_SEEK_GE;
	else
		how = is_back ? MEM_SEEK_LT : MEM_SEEK_GT;
	return scan_seek(scan, how, scan->key, scan->key_bytes);
}

/* To the entry to give next, when that takes more than a step. */
static int scan_turn(struct aedb_scan *scan)
{
	int rc = 0;

	switch (scan->state) {
	case SCAN_AT_START:
		break;
	case SCAN_ON_ENTRY:
		rc = scan->is_staying ? stay_leave(scan) : 0;
		break;
	case SCAN_BEFORE_ENTRY:
		if (scan->is_staying)
			return MERGE_ENTRY;
		break;
	case SCAN_ENDED:
		return scan->outcome == AEDB_NOT_FOUND ? MERGE_END :
							 scan->outcome;
	}
	return rc < 0 ? rc : scan_resume(scan);
}

/* Goes on after rests, each of which ends a stay, and notes how the scan ended:
 * > 0 on an entry. */
static int scan_settle(struct aedb_scan *scan, int rc)
{
	while (rc == MERGE_REST) {
		rc = stay_leave(scan);
		if (rc < 0)
			break;
		scan->state = SCAN_BEFORE_ENTRY;
		rc = scan_resume(scan);
	}
	if (rc > 0)
		return rc;
	scan->outcome = rc < 0 ? rc : AEDB_NOT_FOUND;
	scan->state = SCAN_ENDED;
	if (scan->is_staying)
		stay_end(scan);
	return rc;
}

/* To where the next keys may begin that the caller may read: MERGE_END if there are
 * none. */
static int seek_readable(struct aedb_scan *scan, const struct entry *entry)
{
	const struct access_prefixes *some = &scan->readable.some;
	size_t i = access_prefixes_find(some, entry->key, entry->key_bytes);
	uint8_t end[AEDB_GRANT_PREFIX_BYTES_MAX];
	size_t n;

	if (scan->stay_left <= 0) {
		int rc = stay_begin(scan);

		if (rc < 0)
			return rc;
	}
	if (scan->direction == AEDB_FORWARD)
		return i < some->n ? scan_seek(scan, MEM_SEEK_GE, some->at[i].at,
					       some->at[i].n) : MERGE_END;
	if (i == 0)
		return MERGE_END;
	/* it is below the key, and so is all that begins with it */
	n = some->at[i - 1].n;
	memcpy(end, some->at[i - 1].at, n);
	n = range_prefix_end(end, n);
	return scan_seek(scan, MEM_SEEK_LT, end, n);
}

/* Whether the caller may read what the scan came to: 1, 0, or AEDB_ACCESS: not any
 * more. */
static int is_readable(struct aedb_scan *scan, const struct entry *entry)
{
	int rc;

	if (!scan->readable.is_all &&
	    !access_prefixes_hold(&scan->readable.some, entry->key,
				  entry->key_bytes))
		return 0;
	if (access_counts(scan->db, scan->readable.stamp))
		return 1;
	rc = aedb_scope_may(&scan->access->planes[0], AEDB_KV_READ, entry->key,
			    entry->key_bytes);
	return rc < 0 ? rc : 1;
}

/* Goes on to what the caller may read: as scan_settle. */
static int scan_pass(struct aedb_scan *scan)
{
	for (;;) {
		const struct entry *entry = space_walk_entry(&scan->walk);
		int rc = is_readable(scan, entry);

		if (rc > 0)
			return rc;
		if (rc == 0)
			rc = seek_readable(scan, entry);
		rc = scan_settle(scan, rc);
		if (rc <= 0)
			return rc;
	}
}

int aedb_scan_next(struct aedb_scan *scan, struct aedb_entry *ret)
{
	const struct entry *entry;
	int rc;

	if (scan->state == SCAN_ON_ENTRY && scan->stay_left > 0)
		rc = space_walk_next(&scan->walk);
	else
		rc = scan_turn(scan);
	if (rc != MERGE_ENTRY && scan_settle(scan, rc) <= 0)
		return scan->outcome;
	if (scan->access && scan_pass(scan) <= 0)
		return scan->outcome;
	entry = space_walk_entry(&scan->walk);
	scan->state = SCAN_ON_ENTRY;
	scan->stay_left -= 1 + (int32_t)(entry->value_bytes / STAY_VALUE_BYTES);
	read_entry_fill(entry, ret);
	return 0;
}

/* Seeks past the prefix. */
static int seek_past(struct aedb_scan *scan, uint8_t *prefix, size_t n)
{
	if (scan->direction == AEDB_BACKWARD)
		return scan_seek(scan, MEM_SEEK_LT, prefix, n);
	n = range_prefix_end(prefix, n);
	return n ? scan_seek(scan, MEM_SEEK_GE, prefix, n) : MERGE_END;
}

/* Whether the entry the scan stands on, or before, is already past every key
 * with this prefix. */
static bool is_past(const struct aedb_scan *scan, const void *prefix, size_t n)
{
	const struct entry *entry = space_walk_entry(&scan->walk);
	const void *key = scan->is_staying ? entry->key : scan->key;
	size_t common = scan->is_staying ? entry->key_bytes : scan->key_bytes;
	int order = range_compare(key, common < n ? common : n, prefix, n);

	if (scan->direction == AEDB_BACKWARD)
		return order < 0;
	return order > 0;
}

/* To the first entry past the prefix; the copy is overwritten. */
static int scan_skip(struct aedb_scan *scan, uint8_t *copy, size_t n)
{
	int rc = scan->stay_left > 0 ? 0 : stay_begin(scan);

	if (rc == 0)
		rc = seek_past(scan, copy, n);
	rc = scan_settle(scan, rc);
	if (rc > 0)
		scan->state = SCAN_BEFORE_ENTRY;
	return rc;
}

int aedb_scan_skip(struct aedb_scan *scan, const void *prefix,
		   size_t prefix_bytes)
{
	uint8_t *copy;
	int rc;

	if (scan->state == SCAN_ENDED)
		return scan->outcome == AEDB_NOT_FOUND ? 0 : scan->outcome;
	if (scan->state == SCAN_AT_START) {
		rc = scan_settle(scan, scan_turn(scan));
		if (rc <= 0)
			return rc;
		scan->state = SCAN_BEFORE_ENTRY;
	}
	if (is_past(scan, prefix, prefix_bytes))
		return 0;
	copy = malloc(prefix_bytes + 1);
	if (!copy)
		return err_set(AEDB_NO_MEMORY, "no memory to skip a subtree");
	if (prefix_bytes)
		memcpy(copy, prefix, prefix_bytes);
	rc = scan_skip(scan, copy, prefix_bytes);
	free(copy);
	return rc < 0 ? rc : 0;
}
