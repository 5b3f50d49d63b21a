/*
 * Scope handles.
 */
#include "access.h"
#include "batch.h"
#include "db.h"
#include "err.h"
#include "read.h"
#include "scope.h"

/* The table has a scope that only a batch has made as one to be made. */
static int state_ref(struct aedb *db, const struct aedb_snapshot *snapshot,
		     uint64_t id, struct scope_state **ret)
{
	if (snapshot && snapshot->batch && batch_has_made(snapshot->batch, id))
		return catalog_make_and_ref(&db->catalog, id, ret);
	return catalog_find_and_ref(&db->catalog, id, ret);
}

int scope_open(struct aedb *db, const struct aedb_snapshot *snapshot,
	       const char *project, const char *name, struct aedb_scope **ret)
{
	struct aedb_place place = { project, name };
	struct scope_state *state;
	struct aedb_entry entry;
	int rc;

	if (!project || !name)
		return err_set(AEDB_INVALID, "a scope has a project and a name");
	rc = read_place_stat(db, snapshot, place, &entry);
	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_NOT_FOUND, "no scope %s/%s", project, name);
	if (rc < 0)
		return rc;
	rc = state_ref(db, snapshot, entry.id, &state);
	aedb_unpin(&entry);
	if (rc < 0)
		return rc;
	*ret = &state->planes[PLANE_KEYS];
	return 0;
}

int aedb_scope_open_at(struct aedb *db, const struct aedb_snapshot *snapshot,
		       const char *project, const char *name,
		       struct aedb_scope **ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : scope_open(db, snapshot, project, name, ret);
}

int aedb_scope_open(struct aedb *db, const char *project, const char *name,
		    struct aedb_scope **ret)
{
	return aedb_scope_open_at(db, NULL, project, name, ret);
}

void aedb_scope_close(struct aedb_scope *scope)
{
	if (scope && scope->access)
		access_close(scope->access);
	else if (scope)
		catalog_unref(&scope->space.db->catalog, scope->state);
}

struct aedb_scope *aedb_scope_dirs(struct aedb_scope *scope)
{
	return scope->access ? &scope->access->planes[PLANE_DIRS] :
			       &scope->state->planes[PLANE_DIRS];
}

uint64_t aedb_scope_id(const struct aedb_scope *scope)
{
	return scope->state->id;
}
