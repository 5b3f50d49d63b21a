/*
 * Views that stay open.
 */
#include "model_views.h"

#include "unit/check.h"

#define SCAN_STEPS_MAX 12

static void view_close(struct model_view *view)
{
	aedb_snapshot_close(view->snapshot);
	aedb_scan_close(view->scan);
	aedb_reader_close(view->reader);
	aedb_scope_close(view->scope);
	*view = (struct model_view){ .kind = VIEW_CLOSED };
}

void model_views_close(struct model_views *views)
{
	for (size_t i = 0; i < MODEL_VIEWS_MAX; i++)
		view_close(&views->at[i]);
}

/* The newest state, that of another snapshot, or that of a named one. */
static int snapshot_open(struct model_views *views, struct model_view *view,
			 struct model *model, struct aedb *db)
{
	const struct model_view *other =
		&views->at[model_random_below(MODEL_VIEWS_MAX)];
	size_t named = model_random_below(MODEL_NAMES_MAX);

	view->kind = VIEW_SNAPSHOT;
	if (named < model->names.n) {
		view->state = model->names.at[named].state;
		return aedb_snapshot_open_named(db, model->names.at[named].name,
						&view->snapshot);
	}
	if (other->snapshot) {
		view->state = other->state;
		return aedb_snapshot_open_at(
			db, aedb_snapshot_seq(other->snapshot), &view->snapshot);
	}
	view->state = model->n_states - 1;
	return aedb_snapshot_open(db, &view->snapshot);
}

static const struct model_entry *entries_of(const struct model *model,
					    const struct model_view *view)
{
	return model->states[view->state]->entries[view->space];
}

static struct aedb_scope *space_of(const struct model_view *view)
{
	return view->space % 2 ? aedb_scope_dirs(view->scope) : view->scope;
}

static int scan_open(struct model_view *view, const struct model *model)
{
	struct aedb_range range = { 0 };

	view->kind = VIEW_SCAN;
	view->direction = model_random_below(2) ? AEDB_FORWARD : AEDB_BACKWARD;
	range.direction = view->direction;
	view->key = view->direction == AEDB_FORWARD ? 0 : MODEL_KEYS - 1;
	return model_checked(model, aedb_scan_open(space_of(view), NULL, &range,
						   &view->scan));
}

static int reader_open(struct model_view *view, const struct model *model)
{
	int rc;

	view->key = model_random_below(MODEL_KEYS);
	rc = aedb_reader_open(space_of(view), NULL,
			      model->keys[view->key].bytes,
			      model->keys[view->key].n, &view->reader);
	if (model_is_disk_error(rc))
		return rc;
	CHECK_EQ(rc, entries_of(model, view)[view->key].is_there ?
			     0 : AEDB_NOT_FOUND);
	if (rc == 0)
		view->kind = VIEW_READER;
	return 0;
}

static int open_in_space(struct model_view *view, struct model *model,
			 struct aedb *db)
{
	size_t k = model_random_below(MODEL_SCOPES);
	struct aedb_place place = model_place(k);
	int rc;

	view->state = model->n_states - 1;
	view->space = 2 * k + model_random_below(2);
	if (!model_newest(model)->exists[k])
		return 0;
	rc = aedb_scope_open(db, place.project, place.scope, &view->scope);
	if (model_checked(model, rc) < 0)
		return rc;
	return model_random_below(2) ? scan_open(view, model) :
				       reader_open(view, model);
}

static int view_open(struct model_views *views, struct model_view *view,
		     struct model *model, struct aedb *db)
{
	int rc;

	if (model_random_below(2))
		rc = open_in_space(view, model, db);
	else
		rc = model_checked(model,
				   snapshot_open(views, view, model, db));
	if (rc < 0)
		view->kind = VIEW_CLOSED;
	if (view->kind == VIEW_CLOSED)
		view_close(view);
	return rc;
}

/* Going on. */

static size_t key_next(const struct model *model, const struct model_view *view,
		       size_t key)
{
	const struct model_entry *entries = entries_of(model, view);

	while (key < MODEL_KEYS && !entries[key].is_there)
		key += view->direction == AEDB_FORWARD ? 1 : (size_t)-1;
	return key < MODEL_KEYS ? key : MODEL_KEYS;
}

/* Goes past all keys that begin as some key does. */
static int scan_skip(struct model_view *view, const struct model *model)
{
	size_t step = view->direction == AEDB_FORWARD ? 1 : (size_t)-1;
	const struct model_key *key;
	size_t n;
	int rc;

	if (view->key >= MODEL_KEYS)
		return 0;
	key = &model->keys[view->key];
	n = model_random_below(key->n + 1);
	rc = model_checked(model, aedb_scan_skip(view->scan, key->bytes, n));
	while (rc == 0 && view->key < MODEL_KEYS &&
	       model->keys[view->key].n >= n &&
	       memcmp(model->keys[view->key].bytes, key->bytes, n) == 0)
		view->key += step;
	return rc;
}

static int scan_step(struct model_view *view, const struct model *model)
{
	size_t key = key_next(model, view, view->key);
	struct aedb_entry entry;
	int rc = aedb_scan_next(view->scan, &entry);

	if (model_is_disk_error(rc))
		return rc;
	view->key = key;
	CHECK_EQ(rc, key < MODEL_KEYS ? 0 : AEDB_NOT_FOUND);
	if (rc < 0)
		return 0;
	CHECK_EQ(entry.key_bytes, model->keys[key].n);
	CHECK_MEM(entry.key, model->keys[key].bytes, entry.key_bytes);
	CHECK_EQ(entry.value_bytes, entries_of(model, view)[key].value.n);
	if (entries_of(model, view)[key].version)
		CHECK_EQ(entry.version, entries_of(model, view)[key].version);
	view->key += view->direction == AEDB_FORWARD ? 1 : (size_t)-1;
	return 0;
}

static int scan_read(struct model_view *view, const struct model *model)
{
	int rc = 0;

	for (size_t n = model_random_below(SCAN_STEPS_MAX); n > 0 && rc == 0; n--)
		rc = model_random_below(10) ? scan_step(view, model) :
					      scan_skip(view, model);
	return rc;
}

static int reader_read(struct model_view *view, const struct model *model)
{
	const struct model_value *value =
		&entries_of(model, view)[view->key].value;
	uint8_t *bytes = malloc(value->n + 1);
	size_t got = 0;
	int rc = aedb_reader_read(view->reader, bytes, value->n + 1, 0, &got);

	if (model_checked(model, rc) == 0) {
		CHECK_EQ(got, value->n);
		CHECK_MEM(bytes, value->bytes, value->n);
	}
	free(bytes);
	return rc;
}

static int view_read(struct model_view *view, struct model *model, size_t newest,
		     struct aedb *db)
{
	int rc = 0;

	switch (view->kind) {
	case VIEW_CLOSED:
		break;
	case VIEW_SNAPSHOT:
		rc = model_compare(model, newest, view->state, db,
				   view->snapshot);
		break;
	case VIEW_SCAN:
		rc = scan_read(view, model);
		/* after an error a scan has ended */
		if (rc < 0)
			view_close(view);
		break;
	case VIEW_READER:
		rc = reader_read(view, model);
		break;
	}
	return rc;
}

int model_views_step(struct model_views *views, struct model *model,
		     struct aedb *db)
{
	struct model_view *view =
		&views->at[model_random_below(MODEL_VIEWS_MAX)];

	if (view->kind == VIEW_CLOSED)
		return view_open(views, view, model, db);
	if (model_random_below(3) == 0) {
		view_close(view);
		return 0;
	}
	return view_read(view, model, model->n_states - 1, db);
}

int model_views_compare(struct model_views *views, struct model *model,
			size_t newest, struct aedb *db)
{
	int rc = 0;

	for (size_t i = 0; i < MODEL_VIEWS_MAX && rc == 0; i++)
		if (views->at[i].kind == VIEW_SNAPSHOT)
			rc = view_read(&views->at[i], model, newest, db);
	return rc;
}
