/*
 * Listings: parts of a range, copied.
 *
 * A cursor has what is left of the range, so that going on is listing a range as
 * of a number: forward from the least key above the one given last, backward below
 * that one.
 */
#include <stdlib.h>
#include <string.h>

#include "aedb_listing.h"
#include "batch.h"
#include "err.h"
#include "listing_cursor.h"
#include "range.h"
#include "snapshot.h"

#define PIECE_BYTES (16u << 10)
#define ENTRIES_STEP 64

/* Memory that what is copied lies in. */
struct piece {
	struct piece *next;
	size_t n, room;
	uint8_t bytes[];
};

struct listing {
	struct aedb_listing shown;	/* first: what the caller has */
	struct aedb_entry *entries;	/* owned */
	size_t entries_room;
	struct piece *pieces;		/* owned; the newest first */
	uint64_t bytes;			/* of the entries */
};

/* What is listed, of what state. */
struct listing_run {
	struct listing *listing;	/* owned until it is given out */
	const struct aedb_listing_query *query;
	struct aedb_scope *scope;
	const struct aedb_snapshot *snapshot;
	struct aedb_snapshot *own;	/* owned; NULL: the caller's is used */
	struct aedb_range range;	/* borrowed bounds, no prefix */
	uint64_t bytes_max;
};

void aedb_listing_close(struct aedb_listing *shown)
{
	struct listing *listing = (struct listing *)shown;

	if (!listing)
		return;
	while (listing->pieces) {
		struct piece *next = listing->pieces->next;

		free(listing->pieces);
		listing->pieces = next;
	}
	free(listing->entries);
	free(listing);
}

/* NULL: no memory, and the message says so. */
static uint8_t *room_take(struct listing *listing, size_t n)
{
	struct piece *piece = listing->pieces;

	if (!piece || piece->room - piece->n < n) {
		size_t room = n > PIECE_BYTES ? n : PIECE_BYTES;

		piece = malloc(sizeof(*piece) + room);
		if (!piece) {
			err_set(AEDB_NO_MEMORY, "no memory for a listing");
			return NULL;
		}
		piece->n = 0;
		piece->room = room;
		piece->next = listing->pieces;
		listing->pieces = piece;
	}
	piece->n += n;
	return piece->bytes + piece->n - n;
}

/* Makes *bytes point to a copy; NULL stays. */
static int bytes_keep(struct listing *listing, const void **bytes, size_t n)
{
	uint8_t *copy;

	if (!*bytes)
		return 0;
	copy = room_take(listing, n);
	if (!copy)
		return AEDB_NO_MEMORY;
	if (n)
		memcpy(copy, *bytes, n);
	*bytes = copy;
	return 0;
}

static int entries_grow(struct listing *listing)
{
	size_t room = listing->entries_room ? listing->entries_room * 2 :
					      ENTRIES_STEP;
	struct aedb_entry *grown = realloc(listing->entries,
					   room * sizeof(*grown));

	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a listing");
	listing->entries = grown;
	listing->entries_room = room;
	return 0;
}

/* The value of an entry that a scan gave, which may lie elsewhere. */
static int value_keep(const struct listing_run *run, struct aedb_entry *entry)
{
	struct aedb_entry whole;
	int rc;

	if (entry->value || !entry->value_bytes)
		return bytes_keep(run->listing, &entry->value,
				  entry->value_bytes);
	rc = aedb_get(run->scope, run->snapshot, entry->key, entry->key_bytes,
		      &whole);
	if (rc < 0)
		return rc;
	entry->value = whole.value;
	rc = bytes_keep(run->listing, &entry->value, entry->value_bytes);
	aedb_unpin(&whole);
	return rc;
}

static int entry_keep(const struct listing_run *run,
		      const struct aedb_entry *given, bool with_value)
{
	struct listing *listing = run->listing;
	struct aedb_entry *entry;
	int rc = 0;

	if (listing->shown.n == listing->entries_room)
		rc = entries_grow(listing);
	if (rc < 0)
		return rc;
	entry = &listing->entries[listing->shown.n];
	*entry = *given;
	entry->pin = NULL;
	rc = bytes_keep(listing, &entry->key, entry->key_bytes);
	if (rc == 0)
		rc = bytes_keep(listing, &entry->attr, entry->attr_bytes);
	if (!with_value)
		entry->value = NULL;
	else if (rc == 0)
		rc = value_keep(run, entry);
	if (rc == 0)
		listing->shown.n++;
	return rc;
}

/* 1: taken; 0: it does not fit any more. */
static int entry_take(struct listing_run *run, const struct aedb_entry *entry)
{
	struct listing *listing = run->listing;
	uint64_t max = run->bytes_max;
	uint64_t bytes = sizeof(*entry) + entry->key_bytes + entry->attr_bytes;
	bool with_value = run->query->with_values && entry->value_bytes <= max;
	int rc;

	if (with_value)
		bytes += entry->value_bytes;
	if (listing->shown.n &&
	    (listing->shown.n == run->query->entries_max ||
	     listing->bytes + bytes > max))
		return 0;
	listing->bytes += bytes;
	rc = entry_keep(run, entry, with_value);
	return rc < 0 ? rc : 1;
}

/* Takes what fits; sees whether there is more. */
static int entries_take(struct listing_run *run)
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(run->scope, run->snapshot, &run->range, &scan);

	if (rc < 0)
		return rc;
	do {
		rc = aedb_scan_next(scan, &entry);
		if (rc == 0)
			rc = entry_take(run, &entry);
	} while (rc > 0);
	aedb_scan_close(scan);
	run->listing->shown.is_truncated = rc == 0;
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

/* What is left of the range behind the last entry. */
static int rest_of(struct listing_run *run, struct listing_cursor *ret)
{
	const struct aedb_listing *shown = &run->listing->shown;
	const struct aedb_entry *last = &run->listing->entries[shown->n - 1];
	uint8_t *above;

	ret->direction = run->range.direction;
	ret->from = run->range.from;
	ret->from_bytes = run->range.from_bytes;
	ret->to = run->range.to;
	ret->to_bytes = run->range.to_bytes;
	if (ret->direction == AEDB_BACKWARD) {
		ret->to = last->key;
		ret->to_bytes = last->key_bytes;
		return 0;
	}
	above = room_take(run->listing, last->key_bytes + 1);
	if (!above)
		return AEDB_NO_MEMORY;
	if (last->key_bytes)
		memcpy(above, last->key, last->key_bytes);
	above[last->key_bytes] = 0;
	ret->from = above;
	ret->from_bytes = last->key_bytes + 1;
	return 0;
}

static int cursor_make(struct listing_run *run)
{
	struct aedb *db = run->scope->space.db;
	struct aedb_batch *batch = run->snapshot->batch;
	struct listing_cursor cursor = {
		.tree = run->scope->space.id,
		.seq = run->snapshot->seq,
		.batch = batch ? batch->number : 0,
		.is_durable = !batch && aedb_durable_seq(db) >= run->snapshot->seq,
		.opening = db->cursors.opening,
	};
	int rc = rest_of(run, &cursor);
	uint8_t *bytes;

	if (rc < 0)
		return rc;
	bytes = room_take(run->listing, listing_cursor_bytes_max(&cursor));
	if (!bytes)
		return AEDB_NO_MEMORY;
	run->listing->shown.cursor = bytes;
	run->listing->shown.cursor_bytes =
		listing_cursor_encode(db, &cursor, bytes);
	return run->listing->shown.cursor_bytes ?
		       0 : err_set(AEDB_NO_MEMORY, "no memory to sign a cursor");
}

static int list(struct listing_run *run)
{
	int rc = entries_take(run);
	struct listing *listing = run->listing;

	listing->shown.entries = listing->entries;
	listing->shown.seq = run->snapshot->seq;
	if (rc == 0 && listing->shown.is_truncated)
		rc = cursor_make(run);
	return rc;
}

/* States. */

static int state_gone(seq_t seq, const char *why)
{
	return err_set(AEDB_CONFLICT, "cursor of the state of number %llu: %s",
		       (unsigned long long)seq, why);
}

/* The snapshot given is the cursor's state. */
static int state_check(const struct listing_run *run,
		       const struct listing_cursor *c)
{
	const struct aedb_batch *batch = run->snapshot->batch;

	if (c->batch != (batch ? batch->number : 0))
		return state_gone(c->seq, "the snapshot is of another batch, or "
				  "of none");
	if (c->seq != run->snapshot->seq)
		return state_gone(c->seq, "the snapshot shows another one");
	return 0;
}

static int state_open(struct listing_run *run, const struct listing_cursor *c)
{
	struct aedb *db = run->scope->space.db;
	int rc;

	if (c->batch)
		return state_gone(c->seq, "its batch's view was not given");
	rc = aedb_snapshot_open_at(db, c->seq, &run->own);
	if (rc == AEDB_CONFLICT || rc == AEDB_RANGE)
		return state_gone(c->seq, "it is not kept any more");
	run->snapshot = run->own;
	return rc;
}

static bool range_is_all(const struct aedb_range *range)
{
	return !range->prefix_bytes && !range->from_bytes && !range->to &&
	       range->direction == AEDB_FORWARD;
}

/* Goes on where the cursor says. */
static int run_resume(struct listing_run *run)
{
	struct aedb *db = run->scope->space.db;
	struct listing_cursor c;
	int rc = listing_cursor_decode(db, run->query->cursor,
				       run->query->cursor_bytes, &c);

	if (rc < 0)
		return rc;
	if (!range_is_all(&run->query->range))
		return err_set(AEDB_INVALID, "cursor beside a range: it has one");
	if (c.tree != run->scope->space.id)
		return err_set(AEDB_INVALID, "cursor of another scope");
	/* that number may have been given again since */
	if (c.opening != db->cursors.opening && !c.is_durable)
		return state_gone(c.seq, "the database was closed since, and it "
				  "was not durable");
	run->range = (struct aedb_range){
		.from = c.from, .from_bytes = c.from_bytes, .to = c.to,
		.to_bytes = c.to_bytes, .direction = c.direction,
	};
	return run->snapshot ? state_check(run, &c) : state_open(run, &c);
}

static int run_list(struct listing_run *run)
{
	run->listing = calloc(1, sizeof(*run->listing));
	return run->listing ? list(run) :
			      err_set(AEDB_NO_MEMORY, "no memory for a listing");
}

/* From the beginning of the range asked for. */
static int run_begin(struct listing_run *run)
{
	struct range_bounds bounds;
	int rc = range_bounds_init(&bounds, &run->query->range);

	if (rc < 0)
		return rc;
	run->range = (struct aedb_range){
		.from = bounds.from, .from_bytes = bounds.from_bytes,
		.to = bounds.to, .to_bytes = bounds.to_bytes,
		.direction = run->query->range.direction,
	};
	if (bounds.from_bytes > AEDB_LISTING_BOUND_BYTES_MAX ||
	    (bounds.to && bounds.to_bytes > AEDB_LISTING_BOUND_BYTES_MAX))
		rc = err_set(AEDB_NAME_TOO_LONG, "a bound of %zu bytes, a listing "
			     "takes at most %d", bounds.from_bytes >
			     bounds.to_bytes ? bounds.from_bytes :
			     bounds.to_bytes, AEDB_LISTING_BOUND_BYTES_MAX);
	if (rc == 0 && !run->snapshot) {
		rc = aedb_snapshot_open(run->scope->space.db, &run->own);
		run->snapshot = run->own;
	}
	if (rc == 0)
		rc = run_list(run);
	range_bounds_release(&bounds);
	return rc;
}

static int query_check(const struct aedb_listing_query *query)
{
	if (query->entries_max < 1 ||
	    query->entries_max > AEDB_LISTING_ENTRIES_MAX)
		return err_set(AEDB_INVALID, "entries_max is %u, it must be from 1 "
			       "to %d", query->entries_max,
			       AEDB_LISTING_ENTRIES_MAX);
	if (!query->cursor && query->cursor_bytes)
		return err_set(AEDB_INVALID, "cursor of %zu bytes at NULL",
			       query->cursor_bytes);
	return 0;
}

int aedb_listing_open(struct aedb_scope *scope,
		      const struct aedb_snapshot *snapshot,
		      const struct aedb_listing_query *query,
		      struct aedb_listing **ret)
{
	struct listing_run run = {
		.query = query,
		.scope = scope,
		.snapshot = snapshot,
		.bytes_max = query->bytes_max ? query->bytes_max :
						AEDB_LISTING_BYTES,
	};
	int rc = query_check(query);

	if (rc == 0 && query->cursor) {
		rc = run_resume(&run);
		if (rc == 0)
			rc = run_list(&run);
	} else if (rc == 0) {
		rc = run_begin(&run);
	}
	aedb_snapshot_close(run.own);
	if (rc < 0) {
		if (run.listing)
			aedb_listing_close(&run.listing->shown);
		return rc;
	}
	*ret = &run.listing->shown;
	return 0;
}
