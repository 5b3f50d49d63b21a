/*
 * Which projects and scopes both sides made.
 *
 * Two are one if each came to its name where the base had nothing of that name,
 * and neither is of the base: what others renamed is not made, and conflicts.
 * Scopes are looked for in the project that the batch's becomes.
 */
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "batch_merge.h"
#include "err.h"
#include "snapshot.h"

/* Lookups. */

static int own_compare(const void *a, const void *b)
{
	const struct batch_merge *x = a, *y = b;

	return x->own < y->own ? -1 : x->own > y->own;
}

static int live_compare(const void *a, const void *b)
{
	const struct batch_merge *x = a, *y = b;

	return x->live < y->live ? -1 : x->live > y->live;
}

const struct batch_merge *batch_merge_of(const struct aedb_batch *batch,
					 uint64_t own)
{
	const struct batch_merges *merges = batch->merges;
	struct batch_merge sought = { .own = own };

	if (!merges || !merges->n)
		return NULL;
	return bsearch(&sought, merges->at, merges->n, sizeof(sought),
		       own_compare);
}

const struct batch_merge *batch_merge_with(const struct aedb_batch *batch,
					   uint64_t live)
{
	const struct batch_merges *merges = batch->merges;
	struct batch_merge sought = { .live = live };

	if (!merges || !merges->n)
		return NULL;
	return bsearch(&sought, merges->by_live, merges->n, sizeof(sought),
		       live_compare);
}

uint64_t batch_merge_id(const struct aedb_batch *batch, uint64_t own)
{
	const struct batch_merge *merge = batch_merge_of(batch, own);

	return merge ? merge->live : own;
}

uint64_t batch_merge_tree(const struct aedb_batch *batch, uint64_t tree)
{
	return batch_merge_id(batch, tree / 2) * 2 + tree % 2;
}

static void parent_replace(void *key, uint64_t parent)
{
	catalog_number_key(parent, (uint8_t *)key + 1);
}

void batch_merge_key(const struct aedb_batch *batch, void *key, size_t n)
{
	uint64_t parent;

	if (catalog_key_level((struct op_bytes){ key, n }, &parent))
		parent_replace(key, batch_merge_id(batch, parent));
}

void batch_merge_key_back(const struct aedb_batch *batch, void *key, size_t n)
{
	const struct batch_merge *merge;
	uint64_t parent;

	if (!catalog_key_level((struct op_bytes){ key, n }, &parent))
		return;
	merge = batch_merge_with(batch, parent);
	if (merge)
		parent_replace(key, merge->own);
}

/* Looking. */

static void name_key(const struct batch_name *name, uint64_t project,
		     struct catalog_key *ret)
{
	const char *text = name->side[BATCH_VIEW].name;
	size_t n = strlen(text);

	if (!name->side[BATCH_VIEW].parent) {
		catalog_project_key((struct op_bytes){ text, n }, ret);
		return;
	}
	catalog_scopes_prefix(project, ret);
	catalog_key_append(ret, (struct op_bytes){ text, n });
}

/* Two tables are never one. */
static bool is_made(const struct batch_name *name)
{
	return name->level != CATALOG_TABLE && name->side[BATCH_VIEW].is_there &&
	       !name->side[BATCH_BASE].is_there;
}

int batch_merge_look(const struct aedb_batch *batch,
		     const struct batch_name *name, uint64_t project,
		     seq_t limit, struct entry *ret)
{
	struct space *names = &batch->db->catalog.names;
	struct catalog_key key;
	struct entry base;
	int rc;

	if (!is_made(name))
		return 0;
	name_key(name, project, &key);
	rc = space_get_live(names, key.bytes, key.n, limit, ret);
	if (rc <= 0 || batch_names_find(batch->names, ret->id))
		return rc < 0 ? rc : 0;
	rc = space_get_live(names, key.bytes, key.n, batch->branch.base_seq,
			    &base);
	return rc < 0 ? rc : !rc;
}

/* Making. */

enum taken { PROJECTS, SCOPES };

static enum taken kind_of(const struct batch_name *name)
{
	return name->side[BATCH_VIEW].parent ? SCOPES : PROJECTS;
}

static int merge_add(struct batch_merges *merges, const struct batch_name *name,
		     uint64_t live)
{
	struct batch_merge *merge = &merges->at[merges->n_taken];
	int rc = 0;

	*merge = (struct batch_merge){ .own = name->id, .live = live };
	if (kind_of(name) == SCOPES)
		rc = catalog_find_and_ref(&merges->db->catalog, live,
					  &merge->state);
	merges->n_taken += rc == 0;
	return rc;
}

static int name_take(struct aedb_batch *batch, const struct batch_name *name,
		     seq_t limit)
{
	uint64_t project = name->side[BATCH_VIEW].parent;
	struct entry live;
	int rc = batch_merge_look(batch, name, batch_merge_id(batch, project),
				  limit, &live);

	return rc > 0 ? merge_add(batch->merges, name, live.id) : rc;
}

static void merges_sort(struct batch_merges *merges)
{
	size_t n = merges->n_taken;

	merges->n = n;
	if (!n)
		return;
	qsort(merges->at, n, sizeof(*merges->at), own_compare);
	memcpy(merges->by_live, merges->at, n * sizeof(*merges->at));
	qsort(merges->by_live, n, sizeof(*merges->at), live_compare);
}

static int names_take(struct aedb_batch *batch, enum taken taken, seq_t limit)
{
	const struct batch_names *names = batch->names;
	int rc = 0;

	for (size_t i = 0; i < names->n && rc == 0; i++) {
		if (!is_made(&names->at[i]) || kind_of(&names->at[i]) != taken)
			continue;
		epoch_enter(batch->db->epoch);
		rc = name_take(batch, &names->at[i], limit);
		epoch_leave(batch->db->epoch);
	}
	merges_sort(batch->merges);
	return rc;
}

static int merges_new(struct aedb_batch *batch)
{
	const struct batch_names *names = batch->names;
	struct batch_merges *merges = calloc(1, sizeof(*merges));
	size_t made = 0;

	if (!merges)
		return err_set(AEDB_NO_MEMORY, "no memory to commit a batch");
	for (size_t i = 0; i < names->n; i++)
		made += is_made(&names->at[i]);
	merges->db = batch->db;
	merges->at = calloc(made + 1, sizeof(*merges->at));
	merges->by_live = calloc(made + 1, sizeof(*merges->at));
	if (!merges->at || !merges->by_live) {
		batch_merges_free(merges);
		return err_set(AEDB_NO_MEMORY, "no memory to commit a batch");
	}
	batch->merges = merges;
	return 0;
}

int batch_merges_make(struct aedb_batch *batch)
{
	seq_t now;
	int rc;

	batch_merges_free(batch->merges);
	batch->merges = NULL;
	rc = merges_new(batch);
	if (rc == 0)
		rc = snapshot_add(batch->db, &now);
	if (rc < 0)
		return rc;
	/* scopes lie in projects */
	rc = names_take(batch, PROJECTS, now);
	if (rc == 0)
		rc = names_take(batch, SCOPES, now);
	snapshot_remove(batch->db, now);
	return rc;
}

void batch_merges_free(struct batch_merges *merges)
{
	if (!merges)
		return;
	for (size_t i = 0; i < merges->n_taken; i++)
		if (merges->at[i].state)
			catalog_unref(&merges->db->catalog,
				      merges->at[i].state);
	free(merges->at);
	free(merges->by_live);
	free(merges);
}

/* For the layer above. */

static int twin_look(const struct aedb_batch *batch, uint64_t id, seq_t now,
		     struct entry *ret)
{
	const struct batch_name *name = batch_names_find(batch->names, id);
	const struct batch_name *above;
	uint64_t project;
	int rc;

	if (!name)
		return 0;
	project = name->side[BATCH_VIEW].parent;
	above = batch_names_find(batch->names, project);
	if (above && is_made(above)) {
		rc = batch_merge_look(batch, above, 0, now, ret);
		if (rc <= 0)
			return rc;
		project = ret->id;
	}
	return batch_merge_look(batch, name, project, now, ret);
}

int aedb_batch_twin(struct aedb_batch *batch, uint64_t id, uint64_t *ret)
{
	struct entry live;
	seq_t now;
	int rc = batch_names_make(batch);

	if (rc == 0)
		rc = snapshot_add(batch->db, &now);
	if (rc < 0)
		return rc;
	epoch_enter(batch->db->epoch);
	rc = twin_look(batch, id, now, &live);
	if (rc > 0)
		*ret = live.id;
	epoch_leave(batch->db->epoch);
	snapshot_remove(batch->db, now);
	return rc > 0 ? 0 : rc < 0 ? rc : AEDB_NOT_FOUND;
}

int aedb_batch_open_twin(struct aedb_batch *batch,
			 const struct aedb_scope *scope,
			 struct aedb_scope **ret)
{
	struct scope_state *state;
	uint64_t id;
	int rc = aedb_batch_twin(batch, scope->state->id, &id);

	if (rc == 0)
		rc = catalog_find_and_ref(&batch->db->catalog, id, &state);
	if (rc < 0)
		return rc;
	*ret = &state->planes[PLANE_KEYS];
	/* the others' is not the caller's because its own has the name, too */
	return scope->access ?
		       access_open(scope->access->caller, state, NULL, ret) : 0;
}
