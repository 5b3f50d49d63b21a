/*
 * Callers and their handles.
 *
 * Invariants:
 * 1. Rights with a stamp count while commits.grants_seq is that number: it is set
 *    when an operation is executed, before the state that has it is visible, and
 *    what was computed as of a state from that number on knows the operation.
 * 2. While an operation on grants is executed and not visible, rights count for
 *    the state that they were computed of only.
 */
#include "access.h"
#include "access_range.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "snapshot.h"
#include "space_walk.h"

/* Callers. */

static int caller_new(struct aedb *db, const void *id, size_t n,
		      struct aedb_caller **ret)
{
	struct aedb_caller *caller = calloc(1, sizeof(*caller));

	if (!caller)
		return err_set(AEDB_NO_MEMORY, "no memory for a caller");
	caller->db = db;
	if (n)
		memcpy(caller->id_bytes, id, n);
	caller->id = (struct op_bytes){ caller->id_bytes, n };
	lock_init(&caller->lock, LOCK_RANK_ACCESS);
	*ret = caller;
	return 0;
}

int access_id_check(const void *id, size_t n)
{
	if (!n || n > AEDB_CALLER_BYTES_MAX)
		return err_set(n ? AEDB_NAME_TOO_LONG : AEDB_INVALID,
			       "a caller's id has 1 to %d bytes",
			       AEDB_CALLER_BYTES_MAX);
	if (n == 6 && memcmp(id, "system", 6) == 0)
		return err_set(AEDB_INVALID, "the id of a caller is reserved");
	return 0;
}

int aedb_caller_open(struct aedb *db, const void *id, size_t id_bytes,
		     struct aedb_caller **ret)
{
	int rc = access_id_check(id, id_bytes);

	return rc < 0 ? rc : caller_new(db, id, id_bytes, ret);
}

/* Takes as long whatever differs. */
static bool key_is_same(const struct aedb *db, const void *key, size_t n)
{
	const uint8_t *at = key;
	uint8_t difference = 0;

	if (n != db->options.hmac_key_bytes)
		return false;
	for (size_t i = 0; i < n; i++)
		difference |= at[i] ^ db->hmac_key[i];
	return !difference;
}

int aedb_caller_open_system(struct aedb *db, const void *hmac_key,
			    size_t hmac_key_bytes, struct aedb_caller **ret)
{
	int rc = 0;

	if (db->options.is_secure && !key_is_same(db, hmac_key, hmac_key_bytes))
		return access_denied(db);
	rc = caller_new(db, NULL, 0, ret);
	if (rc == 0)
		(*ret)->is_system = true;
	return rc;
}

void aedb_caller_close(struct aedb_caller *caller)
{
	if (!caller)
		return;
	lock_release_memory(&caller->lock);
	free(caller);
}

/* Handles. */

static struct access **bucket_of(struct aedb_caller *caller, uint64_t scope_id)
	REQUIRES(caller->lock)
{
	return &caller->buckets[scope_id % ACCESS_BUCKETS];
}

static struct access *find(struct aedb_caller *caller, uint64_t scope_id)
	REQUIRES(caller->lock)
{
	struct access *a = *bucket_of(caller, scope_id);

	while (a && a->state->id != scope_id)
		a = a->next;
	return a;
}

static struct access *access_new(struct aedb_caller *caller,
				 struct scope_state *state,
				 const struct catalog_key *name)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->caller = caller;
	a->state = state;
	if (name)
		a->name = *name;
	for (unsigned int plane = 0; plane < 2; plane++) {
		struct aedb_scope *scope = &a->planes[plane];

		scope->space.db = caller->db;
		scope->space.id = state->id * 2 + plane;
		scope->state = state;
		scope->access = a;
	}
	return a;
}

int access_open(struct aedb_caller *caller, struct scope_state *state,
		const struct catalog_key *name, struct aedb_scope **ret)
{
	struct access *a;
	bool is_there;

	lock_acquire(&caller->lock);
	a = find(caller, state->id);
	is_there = a != NULL;
	if (!a) {
		a = access_new(caller, state, name);
		if (a) {
			a->next = *bucket_of(caller, state->id);
			*bucket_of(caller, state->id) = a;
		}
	}
	if (a)
		a->handles++;
	lock_release(&caller->lock);
	if (is_there || !a)
		catalog_unref(&caller->db->catalog, state);
	if (!a)
		return err_set(AEDB_NO_MEMORY, "no memory for a scope");
	*ret = &a->planes[PLANE_KEYS];
	return 0;
}

void access_close(struct access *access)
{
	struct aedb_caller *caller = access->caller;
	struct access **at;

	lock_acquire(&caller->lock);
	if (--access->handles) {
		lock_release(&caller->lock);
		return;
	}
	at = bucket_of(caller, access->state->id);
	while (*at != access)
		at = &(*at)->next;
	*at = access->next;
	lock_release(&caller->lock);
	while (access->left) {
		struct rights *left = access->left;

		access->left = left->next;
		rights_free(left);
	}
	rights_free(atomic_load(&access->rights));
	catalog_unref(&caller->db->catalog, access->state);
	free(access);
}

/* Where a scope lies. */

/* Walks over the names of all scopes. */
static int name_search(struct space *names, seq_t limit, uint64_t scope_id,
		       struct catalog_key *ret)
{
	struct space_walk walk;
	int rc;

	space_walk_init(&walk, names, limit);
	rc = space_walk_first(&walk, "S", 1, 1);
	while (rc > 0 && *(const uint8_t *)space_walk_entry(&walk)->key == 'S' &&
	       space_walk_entry(&walk)->id != scope_id)
		rc = space_walk_next(&walk);
	if (rc > 0 && *(const uint8_t *)space_walk_entry(&walk)->key == 'S') {
		ret->n = space_walk_entry(&walk)->key_bytes;
		memcpy(ret->bytes, space_walk_entry(&walk)->key, ret->n);
	} else if (rc >= 0) {
		rc = 0;
	}
	space_walk_release(&walk);
	return rc;
}

/* The project of a scope, 0 if it has none; *name is where it was found last, and
 * is found now. */
static int project_find(struct space *names, seq_t limit, uint64_t scope_id,
			struct catalog_key *name, uint64_t *ret)
{
	struct op_bytes key = { name->bytes, name->n };
	struct entry entry;
	int rc = 0;

	*ret = 0;
	if (key.n)
		rc = space_get_live(names, key.at, key.n, limit, &entry);
	if (rc < 0)
		return rc;
	if (!rc || entry.id != scope_id)
		rc = name_search(names, limit, scope_id, name);
	key.n = name->n;
	if (rc >= 0)
		/* of what is gone the place where it was */
		catalog_key_level(key, ret);
	return rc < 0 ? rc : 0;
}

/* Rights. */

/* Takes a snapshot, and what the caller may as of that. */
static int rights_now(struct aedb_caller *caller, struct access_where *where,
		      struct catalog_key *name, struct rights **ret)
{
	struct aedb *db = caller->db;
	seq_t stamp = atomic_load_explicit(&db->commits.grants_seq,
					   memory_order_acquire);
	struct rights *rights = NULL;
	seq_t now;
	int rc = snapshot_add(db, &now);

	if (rc < 0)
		return rc;
	epoch_enter(db->epoch);
	if (name)
		rc = project_find(&db->catalog.names, now, where->scope, name,
				  &where->project);
	if (rc == 0)
		rc = rights_make(&db->catalog.names, now, caller->id, where,
				 &rights);
	epoch_leave(db->epoch);
	snapshot_remove(db, now);
	if (rc < 0)
		return rc;
	rights->as_of = now;
	rights->stamp = stamp <= now ? stamp : ACCESS_NO_STAMP;
	*ret = rights;
	return 0;
}

int access_rights_at(struct aedb_caller *caller,
		     const struct access_where *where, struct rights **ret)
{
	struct access_where copy = *where;

	return rights_now(caller, &copy, NULL, ret);
}

static bool is_current(const struct aedb *db, const struct rights *rights)
{
	if (!rights)
		return false;
	return access_counts(db, rights->stamp) ||
	       rights->as_of >= db_visible(db);
}

/* Frees those that nobody sees any more. */
static void left_collect(struct aedb_caller *caller, struct access *access)
	REQUIRES(caller->lock)
{
	uint64_t oldest = epoch_oldest(caller->db->epoch);
	struct rights **at = &access->left;

	while (*at) {
		struct rights *left = *at;

		if (left->left_at >= oldest) {
			at = &left->next;
			continue;
		}
		*at = left->next;
		rights_free(left);
	}
}

/* Has what was made count, unless somebody else made newer ones meanwhile. */
static void rights_take(struct aedb_caller *caller, struct access *access,
			struct rights *made, struct rights **ret)
	REQUIRES(caller->lock)
{
	struct rights *old = atomic_load_explicit(&access->rights,
						  memory_order_acquire);

	if (old && old->as_of > made->as_of) {
		rights_free(made);
		*ret = old;
		return;
	}
	atomic_store_explicit(&access->rights, made, memory_order_release);
	if (old) {
		old->left_at = epoch_stamp();
		old->next = access->left;
		access->left = old;
	}
	left_collect(caller, access);
	*ret = made;
}

static int rights_renew(struct access *access, struct rights **ret)
{
	struct aedb_caller *caller = access->caller;
	struct access_where where = { .scope = access->state->id };
	struct catalog_key name;
	struct rights *made;
	int rc;

	lock_acquire(&caller->lock);
	name = access->name;
	lock_release(&caller->lock);
	/* letting go of its snapshot takes other locks */
	rc = rights_now(caller, &where, &name, &made);
	if (rc < 0)
		return rc;
	lock_acquire(&caller->lock);
	access->name = name;
	rights_take(caller, access, made, ret);
	lock_release(&caller->lock);
	return 0;
}

int access_rights(struct access *access, const struct rights **ret,
		  seq_t *ret_stamp)
{
	const struct aedb *db = access->caller->db;
	struct rights *rights = atomic_load_explicit(&access->rights,
						     memory_order_acquire);
	int rc;

	if (rights && access_counts(db, rights->stamp)) {
		*ret = rights;
		*ret_stamp = rights->stamp;
		return 0;
	}
	*ret_stamp = ACCESS_NO_STAMP;
	*ret = NULL;
	if (!atomic_load(&access->state->is_committed))
		return 0;
	if (!is_current(db, rights)) {
		rc = rights_renew(access, &rights);
		if (rc < 0)
			return rc;
	}
	*ret = rights;
	*ret_stamp = rights->stamp;
	return 0;
}

int access_check(struct access *access, enum aedb_right right, const void *key,
		 size_t n, seq_t *ret_stamp)
{
	const struct rights *rights;
	int rc = access_rights(access, &rights, ret_stamp);

	if (rc < 0)
		return rc;
	return !rights || rights_hold(rights, right, key, n) ?
		       0 : access_denied(access->caller->db);
}

int access_rights_newest(struct aedb *db, struct aedb_caller *caller,
			 uint64_t scope_id, struct rights **ret)
{
	struct access_where where = { .scope = scope_id };
	struct catalog_key name = { .n = 0 };
	struct scope_state *state;
	struct access *access;
	int rc = catalog_find(&db->catalog, scope_id, &state);

	if (rc < 0)
		return rc;
	*ret = NULL;
	if (!atomic_load(&state->is_committed))
		return 0;
	lock_acquire(&caller->lock);
	access = find(caller, scope_id);
	if (access)
		name = access->name;
	lock_release(&caller->lock);
	rc = project_find(&db->catalog.names, SEQ_MAX, scope_id, &name,
			  &where.project);
	return rc < 0 ? rc : rights_make(&db->catalog.names, SEQ_MAX, caller->id,
					 &where, ret);
}

/* What may be read. */

static int prefixes_copy(const struct access_prefixes *from,
			 struct access_prefixes *ret)
{
	size_t bytes = 0;
	uint8_t *at;

	for (size_t i = 0; i < from->n; i++)
		bytes += from->at[i].n;
	ret->at = malloc(from->n * sizeof(*ret->at) + bytes);
	if (!ret->at)
		return err_set(AEDB_NO_MEMORY, "no memory for a range");
	at = (uint8_t *)(ret->at + from->n);
	for (size_t i = 0; i < from->n; i++) {
		ret->at[i] = (struct op_bytes){ at, from->at[i].n };
		at = mempcpy(at, from->at[i].at, from->at[i].n);
	}
	ret->n = from->n;
	return 0;
}

int access_readable_take(struct access *access, struct access_readable *ret)
{
	struct epoch *epoch = access->caller->db->epoch;
	const struct rights *has;
	int rc;

	*ret = (struct access_readable){ .is_all = false };
	epoch_enter(epoch);
	rc = access_rights(access, &has, &ret->stamp);
	if (rc == 0 && has && !rights_hold_some(has, AEDB_KV_READ))
		rc = access_denied(access->caller->db);
	ret->is_all = rc == 0 && (!has || rights_hold_all(has, AEDB_KV_READ));
	if (rc == 0 && !ret->is_all)
		rc = prefixes_copy(&has->some[AEDB_KV_READ], &ret->some);
	epoch_leave(epoch);
	return rc;
}

void access_readable_release(struct access_readable *readable)
{
	free(readable->some.at);
}

/* Questions. */

static int scope_check(struct aedb_scope *scope, enum aedb_right right,
		       const void *key, size_t n,
		       bool (*holds)(const struct rights *rights,
				     enum aedb_right right, const void *key,
				     size_t n))
{
	struct epoch *epoch = scope->space.db->epoch;
	const struct rights *rights;
	seq_t stamp;
	int rc;

	if (!scope->access)
		return 0;
	epoch_enter(epoch);
	rc = access_rights(scope->access, &rights, &stamp);
	if (rc == 0 && rights && !holds(rights, right, key, n))
		rc = access_not_held();
	epoch_leave(epoch);
	return rc;
}

void aedb_note_denied(struct aedb *db)
{
	access_denied(db);
}

int aedb_scope_may(struct aedb_scope *scope, enum aedb_right right,
		   const void *key, size_t key_bytes)
{
	return scope_check(scope, right, key, key_bytes, rights_hold);
}

int aedb_scope_may_beneath(struct aedb_scope *scope, enum aedb_right right,
			   const void *prefix, size_t prefix_bytes)
{
	return scope_check(scope, right, prefix, prefix_bytes,
			   rights_hold_beneath);
}

int access_may(struct aedb_scope *scope, enum aedb_right right,
	       uint64_t table_id)
{
	uint8_t number[8];

	catalog_number_key(table_id, number);
	return aedb_scope_may(scope, right, number,
			      table_id ? sizeof(number) : 0);
}

int access_check_range(struct aedb_scope *scope,
		       const struct range_bounds *range)
{
	struct epoch *epoch = scope->space.db->epoch;
	struct op_bytes from = { range->from, range->from_bytes };
	struct op_bytes to = { range->to, range->to_bytes };
	const struct rights *has;
	seq_t stamp;
	int rc;

	if (!scope->access)
		return 0;
	epoch_enter(epoch);
	rc = access_rights(scope->access, &has, &stamp);
	if (rc == 0 && has && !rights_hold_range(has, AEDB_KV_READ, from,
						 range->to ? &to : NULL))
		rc = access_denied(scope->space.db);
	epoch_leave(epoch);
	return rc;
}

const char *aedb_right_name(enum aedb_right right)
{
	static const char *const names[AEDB_RIGHTS] = {
		[AEDB_OWNER] = "owner",
		[AEDB_GLOBAL_ADMIN] = "global-admin",
		[AEDB_PROJECT_ADMIN] = "project-admin",
		[AEDB_SCOPE_ADMIN] = "scope-admin",
		[AEDB_TABLE_DDL] = "table-ddl",
		[AEDB_TABLE_READ] = "table-read",
		[AEDB_TABLE_WRITE] = "table-write",
		[AEDB_INDEX_READ] = "index-read",
		[AEDB_KV_READ] = "kv-read",
		[AEDB_KV_WRITE] = "kv-write",
	};

	return (unsigned int)right < AEDB_RIGHTS ? names[right] : NULL;
}
