/*
 * The catalog.
 *
 * Invariants:
 * 1. A scope of the table belongs to at most one catalog entry of the newest
 *    state, found by id; renaming changes entries only.
 * 2. A scope leaves the table only without handles and when no view can show
 *    it any more.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "err.h"

int catalog_init(struct aedb *db)
{
	struct catalog *catalog = &db->catalog;

	lock_init(&catalog->lock, LOCK_RANK_CATALOG);
	catalog->buckets = calloc(CATALOG_BUCKETS, sizeof(*catalog->buckets));
	if (!catalog->buckets)
		return err_set(AEDB_NO_MEMORY, "no memory for the catalog");
	return mem_tree_new(db->memtable, &catalog->tree);
}

static void scope_state_free(struct scope_state *state)
{
	if (!state)
		return;
	for (int plane = 0; plane < 2; plane++)
		if (state->planes[plane].tree)
			mem_tree_free(state->planes[plane].tree);
	free(state);
}

void catalog_release(struct catalog *catalog) NO_LOCK_ANALYSIS
{
	if (!catalog->buckets)
		return;
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		while (catalog->buckets[i]) {
			struct scope_state *state = catalog->buckets[i];

			catalog->buckets[i] = state->next;
			scope_state_free(state);
		}
	}
	free(catalog->buckets);
	if (catalog->tree)
		mem_tree_free(catalog->tree);
	lock_release_memory(&catalog->lock);
}

static struct scope_state **bucket_of(struct catalog *catalog, uint64_t id)
	REQUIRES(catalog->lock)
{
	return &catalog->buckets[id % CATALOG_BUCKETS];
}

static struct scope_state *table_find(struct catalog *catalog, uint64_t id)
	REQUIRES(catalog->lock)
{
	struct scope_state *state = *bucket_of(catalog, id);

	while (state && state->id != id)
		state = state->next;
	return state;
}

struct scope_state *catalog_find(struct catalog *catalog, uint64_t id)
{
	struct scope_state *state;

	lock_acquire(&catalog->lock);
	state = table_find(catalog, id);
	lock_release(&catalog->lock);
	return state;
}

static int scope_state_new(struct aedb *db, uint64_t id,
			   struct scope_state **ret)
{
	struct scope_state *state = calloc(1, sizeof(*state));

	if (!state)
		return err_set(AEDB_NO_MEMORY, "no memory for a scope");
	state->id = id;
	atomic_init(&state->dropped_seq, SEQ_MAX);
	for (unsigned plane = 0; plane < 2; plane++) {
		struct aedb_scope *scope = &state->planes[plane];
		int rc = mem_tree_new(db->memtable, &scope->tree);

		if (rc < 0) {
			scope_state_free(state);
			return rc;
		}
		scope->db = db;
		scope->state = state;
		scope->tree_id = id * 2 + plane;
	}
	*ret = state;
	return 0;
}

static void table_add(struct catalog *catalog, struct scope_state *state)
	REQUIRES(catalog->lock)
{
	state->next = *bucket_of(catalog, state->id);
	*bucket_of(catalog, state->id) = state;
}

int catalog_find_or_make(struct aedb *db, uint64_t id, struct scope_state **ret)
{
	struct catalog *catalog = &db->catalog;
	struct scope_state *state = catalog_find(catalog, id);
	int rc;

	if (!state) {
		rc = scope_state_new(db, id, &state);
		if (rc < 0)
			return rc;
		lock_acquire(&catalog->lock);
		table_add(catalog, state);
		lock_release(&catalog->lock);
	}
	*ret = state;
	return 0;
}

struct scope_state *catalog_find_and_ref(struct catalog *catalog, uint64_t id)
{
	struct scope_state *state;

	lock_acquire(&catalog->lock);
	state = table_find(catalog, id);
	if (state)
		state->handles++;
	lock_release(&catalog->lock);
	return state;
}

int catalog_make_and_ref(struct aedb *db, uint64_t id, struct scope_state **ret)
{
	struct scope_state *state;
	int rc = scope_state_new(db, id, &state);

	if (rc < 0)
		return rc;
	state->handles = 1;
	lock_acquire(&db->catalog.lock);
	table_add(&db->catalog, state);
	lock_release(&db->catalog.lock);
	*ret = state;
	return 0;
}

/* No newest state shows it. */
static bool is_gone(const struct scope_state *state)
{
	return !atomic_load(&state->is_committed) ||
	       atomic_load(&state->dropped_seq) != SEQ_MAX;
}

void catalog_unref(struct catalog *catalog, struct scope_state *state)
{
	lock_acquire(&catalog->lock);
	state->handles--;
	if (!state->handles && is_gone(state))
		atomic_store(&catalog->wants_reap, true);
	lock_release(&catalog->lock);
}

static bool is_unreachable(const struct scope_state *state, seq_t oldest)
{
	if (state->handles)
		return false;
	return !atomic_load(&state->is_committed) ||
	       atomic_load(&state->dropped_seq) <= oldest;
}

void catalog_reap(struct catalog *catalog, seq_t oldest)
{
	bool waits = false;

	if (!atomic_exchange(&catalog->wants_reap, false))
		return;
	lock_acquire(&catalog->lock);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		struct scope_state **link = &catalog->buckets[i];

		while (*link) {
			struct scope_state *state = *link;

			if (!is_unreachable(state, oldest)) {
				waits |= is_gone(state);
				link = &state->next;
				continue;
			}
			*link = state->next;
			scope_state_free(state);
		}
	}
	lock_release(&catalog->lock);
	if (waits)
		atomic_store(&catalog->wants_reap, true);
}

uint64_t catalog_key_count(struct catalog *catalog)
{
	uint64_t n = 0;

	lock_acquire(&catalog->lock);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++)
		for (struct scope_state *state = catalog->buckets[i]; state;
		     state = state->next)
			if (atomic_load(&state->dropped_seq) == SEQ_MAX)
				n += mem_tree_count(state->planes[PLANE_KEYS].tree);
	lock_release(&catalog->lock);
	return n;
}

bool catalog_scope_is_live(const struct aedb_scope *scope, seq_t seq)
{
	return atomic_load_explicit(&scope->state->dropped_seq,
				    memory_order_acquire) > seq;
}

void catalog_project_key(struct op_bytes name, struct catalog_key *ret)
{
	ret->bytes[0] = 'P';
	if (name.n)
		memcpy(ret->bytes + 1, name.at, name.n);
	ret->n = 1 + name.n;
}

void catalog_scopes_prefix(uint64_t project_id, struct catalog_key *ret)
{
	ret->bytes[0] = 'S';
	for (int i = 0; i < 8; i++)
		ret->bytes[1 + i] = (uint8_t)(project_id >> (56 - 8 * i));
	ret->n = 9;
}

static bool entry_get(struct catalog *catalog, const struct catalog_key *key,
		      seq_t limit, struct entry *ret)
{
	struct entry entry;

	if (!mem_get(catalog->tree, key->bytes, key->n, limit, &entry, NULL) ||
	    entry.is_tombstone)
		return false;
	*ret = entry;
	return true;
}

bool catalog_get(struct catalog *catalog, const struct op_place *place,
		 seq_t limit, struct entry *ret, struct catalog_key *ret_key)
{
	struct entry project;

	ret_key->n = 0;
	if (!place->scope.n) {
		catalog_project_key(place->project, ret_key);
		return entry_get(catalog, ret_key, limit, ret);
	}
	catalog_project_key(place->project, ret_key);
	if (!entry_get(catalog, ret_key, limit, &project)) {
		ret_key->n = 0;
		return false;
	}
	catalog_scopes_prefix(project.id, ret_key);
	memcpy(ret_key->bytes + ret_key->n, place->scope.at, place->scope.n);
	ret_key->n += place->scope.n;
	return entry_get(catalog, ret_key, limit, ret);
}

const char *catalog_place_text(const struct op_place *place, char *text)
{
	char *at = mempcpy(text, place->project.at, place->project.n);

	if (place->scope.n) {
		*at++ = '/';
		at = mempcpy(at, place->scope.at, place->scope.n);
	}
	*at = 0;
	return text;
}

static int name_check(const char *what, const char *name,
		      struct op_bytes *ret)
{
	size_t n = strlen(name);

	if (n > AEDB_NAME_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG,
			       "%s name of %zu bytes, at most %d are allowed",
			       what, n, AEDB_NAME_BYTES_MAX);
	if (n == 0 || n != strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789_-"))
		return err_set(AEDB_INVALID,
			       "%s name \"%s\": only A-Z a-z 0-9 _ - may occur",
			       what, name);
	*ret = (struct op_bytes){ name, n };
	return 0;
}

int catalog_check_place(struct aedb_place place, struct op_place *ret)
{
	struct op_place checked = { 0 };
	int rc = 0;

	if (!place.project && place.scope)
		return err_set(AEDB_INVALID, "scope \"%s\" without a project",
			       place.scope);
	if (place.project)
		rc = name_check("project", place.project, &checked.project);
	if (rc == 0 && place.scope)
		rc = name_check("scope", place.scope, &checked.scope);
	if (rc == 0)
		*ret = checked;
	return rc;
}
