/* Tables by name. */
#include "control_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aedb_table.h"

struct view {
	struct aedb *db;
	struct aedb_snapshot *snapshot;
	FILE *out;
};

static int write_scope(const struct view *view, struct aedb_place place)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_scope *scope;
	int rc = aedb_scope_open_at(view->db, view->snapshot, place.project,
				    place.scope, &scope);

	if (rc < 0)
		return rc;
	while ((rc = aedb_table_next(scope, view->snapshot, name, name)) == 0)
		fprintf(view->out, "%s/%s %s\n", place.project, place.scope, name);
	aedb_scope_close(scope);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

/* The first project, or scope of one, behind `name`, which it becomes. */
static int next_name(const struct view *view, const char *project, char *name)
{
	struct aedb_entry entry;
	int rc = aedb_place_next(view->db, view->snapshot, project, name, &entry);

	if (rc < 0)
		return rc;
	memcpy(name, entry.key, entry.key_bytes);
	name[entry.key_bytes] = '\0';
	aedb_unpin(&entry);
	return 0;
}

static int write_project(const struct view *view, const char *project)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc;

	while ((rc = next_name(view, project, name)) == 0) {
		rc = write_scope(view, (struct aedb_place){ project, name });
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int write_all(const struct view *view)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc;

	while ((rc = next_name(view, NULL, name)) == 0) {
		rc = write_project(view, name);
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

int control_tables(struct aedb *db, const char *snapshot, char **ret)
{
	struct view view = { .db = db };
	size_t n;
	int rc = *snapshot ? aedb_snapshot_open_named(db, snapshot,
						      &view.snapshot)
			   : aedb_snapshot_open(db, &view.snapshot);

	*ret = NULL;
	if (rc < 0)
		return rc;
	view.out = open_memstream(ret, &n);
	rc = view.out ? write_all(&view) : -ENOMEM;
	if (view.out && fclose(view.out) && rc == 0)
		rc = -ENOMEM;
	aedb_snapshot_close(view.snapshot);
	if (rc < 0) {
		free(*ret);
		*ret = NULL;
	}
	return rc;
}
