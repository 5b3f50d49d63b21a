/*
 * Differences between snapshots of a database: places, directory records and
 * keys of both, merged in order. Ids and versions decide.
 */
#include <assert.h>
#include <string.h>

#include "difference.h"
#include "failure.h"

#define KEY_BYTES_MAX 4000
#define PATH_BYTES_MAX (2 * (AEDB_NAME_BYTES_MAX + 1) + KEY_BYTES_MAX + 1)

struct job {
	const char *what;		/* for messages */
	struct aedb *db;
	const struct aedb_snapshot *from, *to;
	char path[PATH_BYTES_MAX];
	size_t path_bytes;		/* of the directory that is compared */
};

/* Prints the path of something in the directory. */
static int print(struct job *job, enum difference what, const void *name,
		 size_t n, const char *end)
{
	size_t end_bytes = strlen(end);

	assert(job->path_bytes + n + end_bytes <= sizeof(job->path));
	memcpy(job->path + job->path_bytes, name, n);
	memcpy(job->path + job->path_bytes + n, end, end_bytes);
	return difference_print(what, job->path,
				job->path_bytes + n + end_bytes);
}

/* Keys and directories of a scope. */

struct side {
	struct aedb_scan *scan;		/* NULL: there is no such scope */
	bool is_there;
	struct aedb_entry entry;
};

static int advance(struct job *job, struct side *side)
{
	int rc = side->scan ? aedb_scan_next(side->scan, &side->entry) :
			      AEDB_NOT_FOUND;

	side->is_there = rc == 0;
	if (rc == AEDB_NOT_FOUND)
		return 0;
	return rc < 0 ? failure_engine(rc, "%s", job->what) : 0;
}

static int open_side(struct job *job, struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot, struct side *ret)
{
	const struct aedb_range all = { 0 };
	int rc = 0;

	if (scope)
		rc = aedb_scan_open(scope, snapshot, &all, &ret->scan);
	return rc < 0 ? failure_engine(rc, "%s", job->what) : advance(job, ret);
}

static int compare(const struct side *a, const struct side *b)
{
	size_t a_bytes = a->entry.key_bytes, b_bytes = b->entry.key_bytes;
	size_t least = a_bytes < b_bytes ? a_bytes : b_bytes;
	int order;

	if (!a->is_there || !b->is_there)
		return a->is_there ? -1 : 1;
	order = least ? memcmp(a->entry.key, b->entry.key, least) : 0;
	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int print_key(struct job *job, enum difference what,
		     const struct aedb_entry *key)
{
	return print(job, what, key->key, key->key_bytes, "");
}

/* The record of "" is the scope's own. */
static int print_directory(struct job *job, enum difference what,
			   const struct aedb_entry *record)
{
	if (what == DIFFERENCE_CHANGED || !record->key_bytes ||
	    difference_is_implied(record->id))
		return 0;
	return print(job, what, record->key, record->key_bytes, "/");
}

static int merge(struct job *job, struct side *from, struct side *to,
		 int (*show)(struct job *, enum difference,
			     const struct aedb_entry *))
{
	int rc = 0;

	while (rc == 0 && (from->is_there || to->is_there)) {
		int order = compare(from, to);

		if (order < 0)
			rc = show(job, DIFFERENCE_REMOVED, &from->entry);
		else if (order > 0)
			rc = show(job, DIFFERENCE_ADDED, &to->entry);
		else if (from->entry.id != to->entry.id ||
			 from->entry.version != to->entry.version)
			rc = show(job, DIFFERENCE_CHANGED, &to->entry);
		if (rc == 0 && order <= 0)
			rc = advance(job, from);
		if (rc == 0 && order >= 0)
			rc = advance(job, to);
	}
	return rc;
}

static int compare_spaces(struct job *job, struct aedb_scope *from_scope,
			  struct aedb_scope *to_scope,
			  int (*show)(struct job *, enum difference,
				      const struct aedb_entry *))
{
	struct side from = { 0 }, to = { 0 };
	int rc = open_side(job, from_scope, job->from, &from);

	if (rc == 0)
		rc = open_side(job, to_scope, job->to, &to);
	if (rc == 0)
		rc = merge(job, &from, &to, show);
	aedb_scan_close(from.scan);
	aedb_scan_close(to.scan);
	return rc;
}

static struct aedb_scope *directories(struct aedb_scope *scope)
{
	return scope ? aedb_scope_dirs(scope) : NULL;
}

/* NULL where the snapshot has none. */
static int open_scope(struct job *job, const struct aedb_snapshot *snapshot,
		      const char *project, const char *name,
		      struct aedb_scope **ret)
{
	int rc = aedb_scope_open_at(job->db, snapshot, project, name, ret);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	return rc < 0 ? failure_engine(rc, "%s", job->what) : 0;
}

static int compare_scope(struct job *job, const char *project,
			 const char *name)
{
	struct aedb_scope *from = NULL, *to = NULL;
	int rc = open_scope(job, job->from, project, name, &from);

	if (rc == 0)
		rc = open_scope(job, job->to, project, name, &to);
	if (rc == 0)
		rc = compare_spaces(job, directories(from), directories(to),
				    print_directory);
	if (rc == 0)
		rc = compare_spaces(job, from, to, print_key);
	aedb_scope_close(from);
	aedb_scope_close(to);
	return rc;
}

/* Projects and scopes. */

/* The next name in a snapshot; "" at the end, and it stays. */
static int next_name(struct job *job, const struct aedb_snapshot *snapshot,
		     const char *project, char name[AEDB_NAME_BYTES_MAX + 1])
{
	struct aedb_entry entry;
	int rc = aedb_place_next(job->db, snapshot, project, name, &entry);

	name[0] = '\0';
	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return failure_engine(rc, "%s", job->what);
	memcpy(name, entry.key, entry.key_bytes);
	name[entry.key_bytes] = '\0';
	aedb_unpin(&entry);
	return 0;
}

static int compare_places(struct job *job, const char *project);

static int compare_place(struct job *job, const char *project,
			 const char *name)
{
	size_t path_bytes = job->path_bytes, n = strlen(name);
	int rc;

	memcpy(job->path + path_bytes, name, n);
	job->path[path_bytes + n] = '/';
	job->path_bytes += n + 1;
	rc = project ? compare_scope(job, project, name) :
		       compare_places(job, name);
	job->path_bytes = path_bytes;
	return rc;
}

/* The projects, or the scopes of a project; in twos, of equal names. */
static int compare_places(struct job *job, const char *project)
{
	char from[AEDB_NAME_BYTES_MAX + 1] = "";
	char to[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc = next_name(job, job->from, project, from);

	if (rc == 0)
		rc = next_name(job, job->to, project, to);
	while (rc == 0 && (*from || *to)) {
		int order = !*from ? 1 : !*to ? -1 : strcmp(from, to);
		const char *name = order <= 0 ? from : to;

		if (order)
			rc = print(job, order < 0 ? DIFFERENCE_REMOVED :
						    DIFFERENCE_ADDED,
				   name, strlen(name), "/");
		if (rc == 0)
			rc = compare_place(job, project, name);
		if (rc == 0 && order <= 0)
			rc = next_name(job, job->from, project, from);
		if (rc == 0 && order >= 0)
			rc = next_name(job, job->to, project, to);
	}
	return rc;
}

int difference_of_snapshots(const char *path, struct aedb *db,
			    const struct aedb_snapshot *from,
			    const struct aedb_snapshot *to)
{
	struct job job = { .what = path, .db = db, .from = from, .to = to };

	return compare_places(&job, NULL);
}
