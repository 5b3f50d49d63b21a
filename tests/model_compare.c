/*
 * Comparing a state of the model with a database: by key, by scans, by readers,
 * name by name. After an error of the disk what is left is compared all the same.
 */
#include "aedb_listing.h"
#include "model.h"

#include "unit/check.h"

/* The first error of several calls. */
static int first_of(int rc, int next)
{
	return rc < 0 ? rc : next;
}

/* Keys. */

static void attributes_compare(const struct model_entry *want,
			       const struct aedb_entry *got)
{
	CHECK_EQ(got->value_bytes, want->value.n);
	CHECK_EQ(got->attr_bytes, want->attr ? 1 : 0);
	if (want->attr)
		CHECK_EQ(*(const uint8_t *)got->attr, want->attr);
	if (want->id)
		CHECK_EQ(got->id, want->id);
	if (want->version) {
		CHECK_EQ(got->version, want->version);
		CHECK_EQ(got->mtime_ns, want->mtime_ns);
	}
}

static void key_compare(const struct model_key *want,
			const struct aedb_entry *got)
{
	CHECK_EQ(got->key_bytes, want->n);
	CHECK_MEM(got->key, want->bytes, want->n);
}

/* Some part of the value. */
static int part_compare(struct model *model, const struct model_value *want,
			struct aedb_reader *reader)
{
	uint64_t offset = model_random_below(want->n + 2);
	size_t n = model_random_below(want->n + 2), got = 0;
	size_t expected = offset >= want->n ? 0 :
			  want->n - offset < n ? want->n - offset : n;
	uint8_t *bytes = malloc(n + 1);
	int rc = model_checked(model, aedb_reader_read(reader, bytes, n, offset,
						       &got));

	if (rc == 0) {
		CHECK_EQ(got, expected);
		CHECK_MEM(bytes, want->bytes + offset, expected);
	}
	free(bytes);
	return rc;
}

/* What the reader says is a hole is zeros; ends at the value's end. */
static int holes_compare(struct model *model, const struct model_value *want,
			 struct aedb_reader *reader)
{
	uint64_t at = 0, data, hole = 0;
	int rc;

	while ((rc = aedb_reader_seek(reader, AEDB_EXTENT_DATA, at, &data)) == 0) {
		for (; at < data; at++)
			CHECK_EQ(want->bytes[at], 0);
		rc = aedb_reader_seek(reader, AEDB_EXTENT_HOLE, data, &hole);
		if (model_checked(model, rc) < 0)
			return rc;
		CHECK(hole > data && hole <= want->n);
		at = hole;
	}
	if (rc != AEDB_NOT_FOUND)
		return model_checked(model, rc);
	for (; at < want->n; at++)
		CHECK_EQ(want->bytes[at], 0);
	return 0;
}

static int reader_compare(struct model *model, const struct model_entry *want,
			  size_t key, struct aedb_scope *scope,
			  const struct aedb_snapshot *snapshot)
{
	const struct model_key *k = &model->keys[key];
	struct aedb_reader *reader;
	int rc = aedb_reader_open(scope, snapshot, k->bytes, k->n, &reader);

	if (model_checked(model, rc) < 0)
		return rc;
	attributes_compare(want, aedb_reader_entry(reader));
	rc = part_compare(model, &want->value, reader);
	rc = first_of(rc, holes_compare(model, &want->value, reader));
	aedb_reader_close(reader);
	return rc;
}

/* Reads the key every way there is. */
static int key_reads_compare(struct model *model, const struct model_entry *want,
			     size_t key, struct aedb_scope *scope,
			     const struct aedb_snapshot *snapshot)
{
	const struct model_key *k = &model->keys[key];
	struct aedb_entry entry;
	int rc = aedb_get(scope, snapshot, k->bytes, k->n, &entry);

	if (!want->is_there && rc == AEDB_NOT_FOUND)
		return 0;
	if (model_checked(model, rc) < 0)
		return rc;
	CHECK_THAT(want->is_there, "a key is there that was deleted");
	key_compare(k, &entry);
	attributes_compare(want, &entry);
	CHECK_MEM(entry.value, want->value.bytes, want->value.n);
	aedb_unpin(&entry);
	if (model_random_below(4) == 0)
		rc = reader_compare(model, want, key, scope, snapshot);
	return rc;
}

/* Scans. */

static size_t next_there(const struct model_entry *entries, size_t i,
			 enum aedb_direction direction)
{
	while (i < MODEL_KEYS && !entries[i].is_there)
		i += direction == AEDB_FORWARD ? 1 : (size_t)-1;
	return i < MODEL_KEYS ? i : MODEL_KEYS;
}

/* From key to key, in one direction. */
static int scan_compare(struct model *model, const struct model_entry *entries,
			struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot,
			enum aedb_direction direction)
{
	size_t step = direction == AEDB_FORWARD ? 1 : (size_t)-1;
	size_t i = direction == AEDB_FORWARD ? 0 : MODEL_KEYS - 1;
	struct aedb_range range = { .direction = direction };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(scope, snapshot, &range, &scan);

	if (model_checked(model, rc) < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		i = next_there(entries, i, direction);
		CHECK(i < MODEL_KEYS);
		key_compare(&model->keys[i], &entry);
		attributes_compare(&entries[i], &entry);
		i += step;
	}
	aedb_scan_close(scan);
	if (rc != AEDB_NOT_FOUND)
		return model_checked(model, rc);
	CHECK_EQ(next_there(entries, i, direction), MODEL_KEYS);
	return 0;
}

/* The entries of one listing, from the i-th key on; returns the next one. */
static size_t listing_compare(struct model *model,
			      const struct model_entry *entries, size_t i,
			      const struct aedb_listing *listing, bool with_values)
{
	CHECK(!listing->is_truncated == !listing->cursor);
	for (size_t k = 0; k < listing->n; k++) {
		const struct aedb_entry *got = &listing->entries[k];

		i = next_there(entries, i, AEDB_FORWARD);
		CHECK(i < MODEL_KEYS);
		key_compare(&model->keys[i], got);
		attributes_compare(&entries[i], got);
		if (with_values)
			CHECK_MEM(got->value, entries[i].value.bytes,
				  got->value_bytes);
		i++;
	}
	CHECK_EQ(listing->is_truncated,
		 next_there(entries, i, AEDB_FORWARD) < MODEL_KEYS);
	return i;
}

/* All keys in parts of some size, each going on where the one before ended. */
static int listings_compare(struct model *model,
			    const struct model_entry *entries,
			    struct aedb_scope *scope,
			    const struct aedb_snapshot *snapshot)
{
	struct aedb_listing_query query = {
		.entries_max = (uint32_t)(1 + model_random_below(MODEL_KEYS)),
		.with_values = model_random_below(2),
	};
	uint8_t cursor[AEDB_CURSOR_BYTES_MAX];
	struct aedb_listing *listing;
	size_t i = 0;
	int rc;

	do {
		rc = aedb_listing_open(scope, snapshot, &query, &listing);
		if (model_checked(model, rc) < 0)
			return rc;
		i = listing_compare(model, entries, i, listing,
				    query.with_values);
		query.cursor_bytes = listing->cursor_bytes;
		if (listing->cursor)
			query.cursor = memcpy(cursor, listing->cursor,
					      listing->cursor_bytes);
		aedb_listing_close(listing);
	} while (query.cursor_bytes);
	return 0;
}

static int space_compare(struct model *model, const struct model_entry *entries,
			 struct aedb_scope *scope,
			 const struct aedb_snapshot *snapshot)
{
	int rc = scan_compare(model, entries, scope, snapshot,
			      model_random_below(2) ? AEDB_FORWARD :
						      AEDB_BACKWARD);

	rc = first_of(rc, listings_compare(model, entries, scope, snapshot));

	for (size_t i = 0; i < MODEL_KEYS; i++)
		rc = first_of(rc, key_reads_compare(model, &entries[i], i,
						    scope, snapshot));
	return rc;
}

/* Places. */

/* What is compared with what. */
struct view {
	struct model *model;
	const struct model_state *shown;
	struct aedb *db;
	const struct aedb_snapshot *snapshot;
};

/* One that may be there; `id` as far as it is known. */
static int place_compare(const struct view *view, struct aedb_place place,
			 bool is_there, uint64_t id)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(view->db, view->snapshot, place, &entry);

	if (!is_there && rc == AEDB_NOT_FOUND)
		return 0;
	if (model_checked(view->model, rc) < 0)
		return rc;
	CHECK_THAT(is_there, "%s/%s is there", place.project,
		   place.scope ? place.scope : "");
	if (id)
		CHECK_EQ(entry.id, id);
	aedb_unpin(&entry);
	return 0;
}

/* The next name in a list is this one; NULL: it ends. */
static int list_compare(const struct view *view, const char *project,
			const char *after, const char *want)
{
	struct aedb_entry entry;
	int rc = aedb_place_next(view->db, view->snapshot, project, after,
				 &entry);

	if (!want && rc == AEDB_NOT_FOUND)
		return 0;
	if (model_checked(view->model, rc) < 0)
		return rc;
	CHECK_THAT(want, "there is another name after \"%s\"", after);
	CHECK_EQ(entry.key_bytes, strlen(want));
	CHECK_MEM(entry.key, want, entry.key_bytes);
	aedb_unpin(&entry);
	return 0;
}

/* A project's scopes, by name and as a list. */
static int scopes_compare(const struct view *view, size_t project)
{
	const char *name = model_project(project).project, *after = "";
	size_t first = project * MODEL_PROJECT_SCOPES;
	int rc = 0;

	for (size_t k = first; k < first + MODEL_PROJECT_SCOPES; k++) {
		struct aedb_place place = model_place(k);

		rc = first_of(rc, place_compare(view, place,
						view->shown->exists[k],
						view->shown->scope_ids[k]));
		if (!view->shown->exists[k])
			continue;
		rc = first_of(rc, list_compare(view, name, after, place.scope));
		after = place.scope;
	}
	return first_of(rc, list_compare(view, name, after, NULL));
}

static int places_compare(const struct view *view)
{
	const char *after = "";
	int rc = 0;

	for (size_t i = 0; i < MODEL_PROJECTS; i++) {
		struct aedb_place place = model_project(i);
		bool is_there = view->shown->has_project[i];

		rc = first_of(rc, place_compare(view, place, is_there, 0));
		rc = first_of(rc, scopes_compare(view, i));
		if (!is_there)
			continue;
		rc = first_of(rc, list_compare(view, NULL, after, place.project));
		after = place.project;
	}
	return first_of(rc, list_compare(view, NULL, after, NULL));
}

static int scope_open(const struct view *view, size_t k, struct aedb_scope **ret)
{
	struct aedb_place place = model_place(k);

	return aedb_scope_open_at(view->db, view->snapshot, place.project,
				  place.scope, ret);
}

static int scope_compare(const struct view *view, size_t k)
{
	const struct model_state *shown = view->shown;
	struct aedb_scope *scope;
	int rc;

	if (!shown->exists[k] || (view->snapshot && !shown->scope_ids[k]))
		return 0;
	rc = scope_open(view, k, &scope);
	if (model_checked(view->model, rc) < 0)
		return rc;
	rc = space_compare(view->model, shown->entries[2 * k], scope,
			   view->snapshot);
	rc = first_of(rc, space_compare(view->model, shown->entries[2 * k + 1],
					aedb_scope_dirs(scope), view->snapshot));
	rc = first_of(rc, model_checked(view->model, model_table_compare(
		&shown->tables[k], scope, view->snapshot)));
	aedb_scope_close(scope);
	return rc;
}

static void count_compare(const struct model_state *state, struct aedb *db)
{
	struct aedb_stats stats;
	size_t n = 0;

	for (size_t space = 0; space < MODEL_SPACES; space += 2)
		for (size_t i = 0; i < MODEL_KEYS; i++)
			n += state->entries[space][i].is_there;
	for (size_t k = 0; k < MODEL_SCOPES; k++)
		for (size_t id = 0; id < MODEL_ROWS; id++)
			n += state->tables[k].rows[id].is_there;
	aedb_stats(db, &stats);
	CHECK_EQ(stats.keys, n);
}

int model_compare(struct model *model, size_t newest, size_t shown,
		  struct aedb *db, const struct aedb_snapshot *snapshot)
{
	struct view view = { model, model->states[shown], db, snapshot };
	int rc = places_compare(&view);

	for (size_t k = 0; k < MODEL_SCOPES; k++)
		rc = first_of(rc, scope_compare(&view, k));
	count_compare(model->states[newest], db);
	/* what a change of a table left was done when it was opened */
	if (!snapshot && newest == model->n_states - 1)
		model_note_maintenance(model, db);
	return rc;
}
