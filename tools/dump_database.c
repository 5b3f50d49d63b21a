/* The dump of a database that nobody else has open for writing. */
#include <string.h>

#include "dump_source.h"
#include "dump_table.h"
#include "dump_value.h"
#include "failure.h"

struct dump {
	const struct dump_source *source;
	struct dump_output *output;
	struct target target;
	struct aedb_snapshot *snapshot;
	struct dump_grants grants;
};

/* An entry whose value does not lie beside it. */
static int put_stored(struct dump *dump, struct aedb_scope *scope,
		      struct dump_line *line)
{
	struct dump_value value = { .what = dump->target.what };
	int rc = aedb_reader_open(scope, dump->snapshot, line->name,
				  line->name_bytes, &value.reader);

	if (rc < 0)
		return failure_engine(rc, "%s", dump->target.what);
	rc = dump_value_put(dump->source, line, &value, dump->output);
	aedb_reader_close(value.reader);
	return rc;
}

static int put_entry(struct dump *dump, struct aedb_scope *scope,
		     enum dump_kind kind, const struct aedb_entry *entry)
{
	struct dump_line line = dump_source_line(kind, entry);

	if (entry->value_bytes > DUMP_INLINE_BYTES ||
	    (entry->value_bytes && !entry->value))
		return put_stored(dump, scope, &line);
	line.value = entry->value_bytes ? entry->value : "";
	line.value_bytes = (size_t)entry->value_bytes;
	return dump_source_put(dump->source, &line, dump->output);
}

/* All of one of a scope's key spaces. */
static int put_entries(struct dump *dump, struct aedb_scope *scope,
		       enum dump_kind kind)
{
	struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = aedb_scan_open(scope, dump->snapshot, &all, &scan);

	if (rc < 0)
		return failure_engine(rc, "%s", dump->target.what);
	do {
		rc = aedb_scan_next(scan, &entry);
		if (rc == 0)
			rc = put_entry(dump, scope, kind, &entry);
		else if (rc != AEDB_NOT_FOUND)
			failure_engine(rc, "%s", dump->target.what);
	} while (rc == 0);
	aedb_scan_close(scan);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int put_place(struct dump *dump, enum dump_kind kind,
		     struct aedb_place place, const struct aedb_entry *entry)
{
	struct dump_line line = dump_source_line(kind, entry);
	int rc = dump_source_put(dump->source, &line, dump->output);

	return rc < 0 ? rc : dump_grants_put(&dump->grants, place, 0,
					     dump->output);
}

static int put_tables(struct dump *dump, struct aedb_scope *scope,
		      struct aedb_place place)
{
	struct dump_tables tables = {
		.scope = scope, .place = place, .snapshot = dump->snapshot,
		.grants = &dump->grants, .what = dump->target.what,
	};

	return dump->source->has_no_tables ? 0 : dump_tables_put(&tables,
								 dump->output);
}

static int put_scope(struct dump *dump, const char *project,
		     const struct aedb_entry *entry, const char *name)
{
	struct aedb_place place = { project, name };
	struct aedb_scope *scope;
	int rc = put_place(dump, DUMP_SCOPE, place, entry);

	if (rc < 0)
		return rc;
	snprintf(dump->target.what, sizeof(dump->target.what), "%.200s: %s/%s",
		 dump->target.path, project, name);
	rc = aedb_scope_open_at(dump->target.db, dump->snapshot, project, name,
				&scope);
	if (rc < 0)
		return failure_engine(rc, "%s", dump->target.what);
	rc = put_entries(dump, aedb_scope_dirs(scope), DUMP_DIRECTORY);
	if (rc == 0)
		rc = put_entries(dump, scope, DUMP_KEY);
	if (rc == 0)
		rc = put_tables(dump, scope, place);
	aedb_scope_close(scope);
	return rc;
}

/* The first project or scope behind `name`, whose name that becomes. 1: none. */
static int next_place(struct dump *dump, const char *project,
		      char name[AEDB_NAME_BYTES_MAX + 1], struct aedb_entry *ret)
{
	int rc = aedb_place_next(dump->target.db, dump->snapshot, project, name,
				 ret);

	if (rc == AEDB_NOT_FOUND)
		return 1;
	if (rc < 0)
		return failure_engine(rc, "%s", dump->target.path);
	memcpy(name, ret->key, ret->key_bytes);
	name[ret->key_bytes] = '\0';
	return 0;
}

static int put_project(struct dump *dump, const char *project,
		       const struct aedb_entry *entry)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry scope;
	int rc = put_place(dump, DUMP_PROJECT,
			   (struct aedb_place){ project, NULL }, entry);

	while (rc == 0 && (rc = next_place(dump, project, name, &scope)) == 0) {
		if (dump_source_wants(dump->source, project, name))
			rc = put_scope(dump, project, &scope, name);
		aedb_unpin(&scope);
	}
	return rc < 0 ? rc : 0;
}

static int put_projects(struct dump *dump)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry project;
	int rc;

	while ((rc = next_place(dump, NULL, name, &project)) == 0) {
		if (dump_source_wants(dump->source, name, NULL))
			rc = put_project(dump, name, &project);
		aedb_unpin(&project);
		if (rc < 0)
			break;
	}
	return rc < 0 ? rc : 0;
}

static int put_root(struct dump *dump)
{
	struct aedb_place root = { NULL, NULL };
	struct aedb_entry entry;
	int rc = aedb_place_stat(dump->target.db, dump->snapshot, root, &entry);

	if (rc < 0)
		return failure_engine(rc, "%s", dump->target.path);
	rc = put_place(dump, DUMP_DATABASE, root, &entry);
	aedb_unpin(&entry);
	return rc;
}

/* Places that are named have to be there. */
static int check_places(struct dump *dump)
{
	for (size_t i = 0; i < dump->source->n_places; i++) {
		const struct target_place *place = &dump->source->places[i];
		struct aedb_entry entry;
		int rc = aedb_place_stat(dump->target.db, dump->snapshot,
					 target_place(place), &entry);

		if (rc < 0)
			return failure_engine(rc, "%s: %s%s%s", dump->target.path,
					      place->project,
					      place->has_scope ? "/" : "",
					      place->has_scope ? place->scope : "");
		aedb_unpin(&entry);
	}
	return 0;
}

static int open_snapshot(struct dump *dump)
{
	const char *name = dump->source->snapshot;
	int rc;

	if (!name) {
		rc = aedb_snapshot_open(dump->target.db, &dump->snapshot);
		return rc < 0 ? failure_engine(rc, "%s", dump->target.path) : 0;
	}
	rc = aedb_snapshot_open_named(dump->target.db, name, &dump->snapshot);
	return rc < 0 ? failure_engine(rc, "%s: snapshot %s", dump->target.path,
				       name) : 0;
}

static int put_all(struct dump *dump)
{
	int rc = check_places(dump);

	if (rc == 0 && dump_source_has_grants(dump->source))
		rc = dump_grants_read(dump->target.db, dump->target.path,
				      &dump->grants);
	if (rc == 0)
		rc = dump_output_head(dump->output, dump_source_head(
			dump->source, aedb_snapshot_seq(dump->snapshot)));
	if (rc == 0 && dump->source->n_places == 0)
		rc = put_root(dump);
	return rc < 0 ? rc : put_projects(dump);
}

int dump_database(const char *path, const struct dump_source *source,
		  struct dump_output *output)
{
	struct dump dump = { .source = source, .output = output };
	int rc = target_open(path, source->access, &dump.target);

	if (rc < 0)
		return rc;
	rc = open_snapshot(&dump);
	if (rc == 0) {
		rc = put_all(&dump);
		dump_grants_release(&dump.grants);
		aedb_snapshot_close(dump.snapshot);
	}
	return target_close(&dump.target, rc);
}
