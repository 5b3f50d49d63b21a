/*
 * The second reading of a dump.
 *
 * New scopes are filled where nobody looks: in a project of their own, under
 * numbers for names. The last transaction gives them their names, in the place of
 * others with LOAD_REPLACE, so that all of the dump is there at once, whatever its
 * size. A process that is killed leaves that project; the next load removes it,
 * knowing it by its attribute.
 *
 * With LOAD_MERGE keys go where they belong, in as few transactions as have room
 * for them.
 *
 * What is granted on a hidden scope, and on its tables, is granted before it has its
 * name. All else, which is on what others see meanwhile, is granted at the end.
 */
#include "load_database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "load_grants.h"
#include "load_table.h"

#define HIDDEN_PROJECT "aedb-load"
#define HIDDEN_MARK "user.aedb.load"

struct load {
	enum load_how how;
	struct target target;
	const struct load_places *places;
	struct load_txn txn;
	struct load_table table;
	uint64_t n_scopes;
	bool is_empty;		/* the database had no project */
	/* Of the database, place or table that was read last: */
	struct load_grant_place granted_on;
	bool takes_grants, is_hidden;
	bool has_no_grants;
	struct load_grants grants;	/* for the end */
};

static int load_failure(const struct load *load, int rc)
{
	return failure_engine(rc, "%s", load->target.path);
}

/* 1, 0 or a negative code. */
static int place_exists(const struct load *load, struct aedb_place place)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(load->target.db, NULL, place, &entry);

	if (rc == 0) {
		aedb_unpin(&entry);
		return 1;
	}
	return rc == AEDB_NOT_FOUND ? 0 : load_failure(load, rc);
}

/* The name of the n-th hidden scope. */
static struct aedb_place hidden_place(uint64_t n, char name[24])
{
	snprintf(name, 24, "%llu", (unsigned long long)n);
	return (struct aedb_place){ HIDDEN_PROJECT, name };
}

/* The hidden project. */

/* Adds its end to a transaction: of the scopes that are left in it, too. */
static int drop_hidden(struct load *load, struct aedb_txn *txn)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry scope;
	int rc;

	while ((rc = aedb_place_next(load->target.db, NULL, HIDDEN_PROJECT, name,
				     &scope)) == 0) {
		memcpy(name, scope.key, scope.key_bytes);
		name[scope.key_bytes] = '\0';
		aedb_unpin(&scope);
		rc = aedb_txn_drop(txn, (struct aedb_place){ HIDDEN_PROJECT, name },
				   AEDB_DROP_ALL);
		if (rc < 0)
			break;
	}
	if (rc == AEDB_NOT_FOUND)
		rc = aedb_txn_drop(txn, (struct aedb_place){ HIDDEN_PROJECT, NULL },
				   AEDB_DROP_EMPTY);
	return rc < 0 ? load_failure(load, rc) : 0;
}

static int remove_hidden(struct load *load)
{
	int rc = load_txn_begin(&load->txn);

	if (rc == 0)
		rc = drop_hidden(load, load->txn.txn);
	return rc < 0 ? rc : load_txn_commit(&load->txn);
}

/* What a load that was killed left; a project of anybody else's stays. */
static int remove_leftover(struct load *load)
{
	struct aedb_entry entry;
	size_t n;
	int rc = aedb_place_stat(load->target.db, NULL,
				 (struct aedb_place){ HIDDEN_PROJECT, NULL },
				 &entry);

	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? 0 : load_failure(load, rc);
	rc = attr_xattr_get(entry.attr, entry.attr_bytes, HIDDEN_MARK, NULL, 0,
			    &n);
	aedb_unpin(&entry);
	if (rc < 0)
		return failure_set(STATUS_NO, load->target.path,
				   "project " HIDDEN_PROJECT " is there: its name "
				   "is needed while loading");
	return remove_hidden(load);
}

static int make_hidden(struct load *load)
{
	struct attr_xattr mark = { .name = HIDDEN_MARK, .value = "1",
				   .value_bytes = 1 };
	struct dump_line line = { .kind = DUMP_PROJECT,
				  .mtime_ns = AEDB_MTIME_NONE };
	struct attr_blob attr;
	int rc = remove_leftover(load);

	if (rc < 0)
		return rc;
	if (attr_xattr_set(NULL, 0, &mark, &attr) < 0)
		return failure_system(ENOMEM, "%s", load->target.path);
	line.attr = attr.bytes;
	line.attr_bytes = attr.n;
	rc = load_txn_create(&load->txn,
			     (struct aedb_place){ HIDDEN_PROJECT, NULL }, &line);
	attr_blob_release(&attr);
	return rc < 0 ? rc : load_txn_commit(&load->txn);
}

/* Lines. */

/* The grants that follow are on this place. */
static void expect_grants(struct load *load, struct aedb_place place,
			  bool takes_grants)
{
	struct target_place *on = &load->granted_on.place;

	load->takes_grants = takes_grants && !load->has_no_grants;
	load->is_hidden = false;
	on->has_scope = place.scope != NULL;
	snprintf(on->project, sizeof(on->project), "%s",
		 place.project ? place.project : "");
	snprintf(on->scope, sizeof(on->scope), "%s",
		 place.scope ? place.scope : "");
}

static int read_grant(struct load *load, const struct dump_line *line)
{
	struct load_grant_place on = load->granted_on;
	bool takes = load->takes_grants;
	int rc;

	if (load->table.table) {
		on.table_id = aedb_table_id(load->table.table);
		takes = load->table.is_new && !load->has_no_grants;
	}
	if (!takes)
		return 0;
	if (!load->is_hidden)
		return load_grants_keep(&load->grants, &on, line);
	rc = load_txn_commit(&load->txn);
	if (rc == 0)
		rc = load_grant_now(&load->target, &on, line);
	load->txn.commits += rc == 0;
	return rc;
}

static int read_scope(struct load *load, const struct dump_check *check,
		      const struct dump_line *line)
{
	struct aedb_place place = { check->project, check->scope };
	char name[24];
	int rc;

	load->n_scopes++;
	if (load->how != LOAD_MERGE) {
		expect_grants(load, hidden_place(load->n_scopes, name), true);
		load->is_hidden = true;
		rc = load_txn_create(&load->txn,
				     hidden_place(load->n_scopes, name), line);
		/* messages say what it is going to be */
		snprintf(load->target.what, sizeof(load->target.what),
			 "%.200s: %s/%s", load->target.path, place.project,
			 place.scope);
		return rc;
	}
	rc = place_exists(load, place);
	if (rc < 0)
		return rc;
	expect_grants(load, place, !rc);
	return rc ? load_txn_enter(&load->txn, place) :
		    load_txn_create(&load->txn, place, line);
}

/* Projects have their turn at the end, unless everything goes where it belongs. */
static int read_project(struct load *load, const struct dump_check *check,
			const struct dump_line *line)
{
	struct aedb_place place = { check->project, NULL };
	int rc = place_exists(load, place);

	if (rc < 0)
		return rc;
	expect_grants(load, place, !rc || load->how == LOAD_REPLACE);
	if (load->how != LOAD_MERGE || rc)
		return 0;
	return load_txn_create(&load->txn, place, line);
}

/* What the line before began ends before one of this kind. */
static int end_before(struct load *load, enum dump_kind kind)
{
	int rc;

	if (kind == DUMP_PART)
		return 0;
	rc = load_txn_end_value(&load->txn);
	if (rc == 0)
		rc = load_table_end_value(&load->table);
	if (rc == 0 && kind != DUMP_ROW && kind != DUMP_GRANT)
		rc = load_table_close(&load->table);
	return rc;
}

static int read_line(struct load *load, const struct dump_check *check,
		     const struct dump_line *line)
{
	int rc = end_before(load, line->kind);

	if (rc < 0)
		return rc;
	switch (line->kind) {
	case DUMP_PART:
		return load->table.text ? load_table_part(&load->table, line) :
					  load_txn_part(&load->txn, line);
	case DUMP_DATABASE:
		expect_grants(load, (struct aedb_place){ NULL, NULL },
			      load->is_empty || load->how == LOAD_REPLACE);
		return 0;
	case DUMP_PROJECT:
		return read_project(load, check, line);
	case DUMP_SCOPE:
		return read_scope(load, check, line);
	case DUMP_TABLE:
		return load_table_begin(&load->table, check->table, line);
	case DUMP_ROW:
		return load_table_row(&load->table, line);
	case DUMP_GRANT:
		return read_grant(load, line);
	case DUMP_DIRECTORY:
	case DUMP_KEY:
		return load_txn_put(&load->txn, line);
	default:
		return 0;
	}
}

/* The database's own attributes and time, kept for the end. */
struct root {
	bool is_there;
	struct dump_line line;
	uint8_t attr[ATTR_BYTES_MAX];
};

static void keep_root(struct root *root, const struct dump_line *line)
{
	root->is_there = true;
	root->line = *line;
	if (!line->attr)
		return;
	memcpy(root->attr, line->attr, line->attr_bytes);
	root->line.attr = root->attr;
}

/* It is the dump that was read before. */
static int check_same(const struct load *load, const struct load_input *input,
		      const struct dump_check *check)
{
	char end[DUMP_END_BYTES];
	size_t n = dump_sum_end(&check->sum, end);

	return n && !memcmp(end, load->places->end, n) ?
		       0 : failure_set(STATUS_FAILED, input->name,
				       "it was changed while it was read");
}

static int read_all(struct load *load, struct load_input *input,
		    struct root *root)
{
	struct dump_check check;
	struct dump_line line;
	int rc;

	if (dump_check_init(&check) < 0)
		return failure_system(ENOMEM, "%s", load->target.path);
	while ((rc = load_next(input, &check, &line)) > 0) {
		if (line.kind == DUMP_DATABASE)
			keep_root(root, &line);
		rc = read_line(load, &check, &line);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = end_before(load, DUMP_HEAD);
	if (rc == 0)
		rc = check_same(load, input, &check);
	dump_check_release(&check);
	return rc;
}

/* The last transaction. */

static int name_project(struct load *load, const struct load_place *place)
{
	struct aedb_place project = { place->place.project, NULL };
	struct dump_line line = {
		.kind = DUMP_PROJECT, .mtime_ns = place->mtime_ns,
		.attr = place->attr, .attr_bytes = place->attr_bytes,
	};
	int rc = place_exists(load, project);

	if (rc == 0)
		return load_txn_create(&load->txn, project, &line);
	if (rc > 0 && load->how == LOAD_REPLACE)
		return load_txn_place_attr(&load->txn, project, &line);
	return rc < 0 ? rc : 0;
}

static int name_scope(struct load *load, uint64_t n, struct aedb_place place)
{
	char name[24];
	int rc = place_exists(load, place);

	if (rc > 0)
		rc = aedb_txn_drop(load->txn.txn, place, AEDB_DROP_ALL);
	if (rc == 0)
		rc = aedb_txn_rename(load->txn.txn, hidden_place(n, name), place);
	return rc < 0 ? load_failure(load, rc) : 0;
}

static int name_all(struct load *load, const struct root *root)
{
	uint64_t n = 0;
	int rc = load_txn_begin_whole(&load->txn);

	for (size_t i = 0; i < load->places->n && rc == 0; i++) {
		const struct load_place *place = &load->places->at[i];

		if (place->place.has_scope)
			rc = name_scope(load, ++n, target_place(&place->place));
		else
			rc = name_project(load, place);
	}
	if (rc == 0 && root->is_there &&
	    (load->is_empty || load->how == LOAD_REPLACE))
		rc = load_txn_place_attr(&load->txn,
					 (struct aedb_place){ NULL, NULL },
					 &root->line);
	if (rc == 0)
		rc = aedb_txn_drop(load->txn.txn,
				   (struct aedb_place){ HIDDEN_PROJECT, NULL },
				   AEDB_DROP_EMPTY);
	return rc < 0 ? rc : load_txn_commit(&load->txn);
}

/* Ways to load. */

static int merge(struct load *load, struct load_input *input)
{
	struct root root = { 0 };
	int rc = read_all(load, input, &root);

	return rc < 0 ? rc : load_txn_commit(&load->txn);
}

/* Whether a project or scope of the dump can be had under its name. */
static int check_place(struct load *load, const struct target_place *place)
{
	int rc;

	if (!strcmp(place->project, HIDDEN_PROJECT))
		return failure_set(STATUS_NO, load->target.path,
				   "project " HIDDEN_PROJECT " is in the dump: its "
				   "name is needed while loading");
	if (!place->has_scope || load->how == LOAD_REPLACE)
		return 0;
	rc = place_exists(load, target_place(place));
	if (rc <= 0)
		return rc;
	snprintf(load->target.what, sizeof(load->target.what), "%.200s: %s/%s",
		 load->target.path, place->project, place->scope);
	return failure_set(STATUS_NO, load->target.what, "it is already there; "
			   "--replace and --merge are what can be done");
}

static int check_places(struct load *load)
{
	int rc = 0;

	for (size_t i = 0; i < load->places->n && rc == 0; i++)
		rc = check_place(load, &load->places->at[i].place);
	return rc;
}

/* What was begun goes, as far as that can be done now. */
static void undo(struct load *load)
{
	struct failure failure;

	failure_save(&failure);
	load_table_release(&load->table);
	load_txn_release(&load->txn);
	load_txn_init(&load->txn, &load->target);
	if (place_exists(load, (struct aedb_place){ HIDDEN_PROJECT, NULL }) > 0)
		remove_hidden(load);
	failure_restore(&failure);
}

static int fill_and_name(struct load *load, struct load_input *input)
{
	struct root root = { 0 };
	int rc = make_hidden(load);

	if (rc < 0)
		return rc;
	rc = read_all(load, input, &root);
	if (rc == 0)
		rc = load_txn_commit(&load->txn);
	if (rc == 0)
		rc = name_all(load, &root);
	if (rc < 0)
		undo(load);
	return rc;
}

static bool has_no_project(struct aedb *db)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry first;

	int rc = aedb_place_next(db, NULL, NULL, name, &first);

	if (rc == 0)
		aedb_unpin(&first);
	return rc == AEDB_NOT_FOUND;
}

static int load_into(struct load *load, struct load_input *input)
{
	int rc = 0;

	load->is_empty = has_no_project(load->target.db);
	if (load->how != LOAD_MERGE)
		rc = check_places(load);
	if (rc == 0)
		rc = load->how == LOAD_MERGE ? merge(load, input) :
					       fill_and_name(load, input);
	return rc < 0 ? rc : load_grants_make(&load->grants, &load->target,
					      &load->txn.commits);
}

int load_database(const char *path, const struct load_options *options,
		  struct load_input *input, const struct load_places *places,
		  struct load_result *ret)
{
	struct load load = { .how = options->how, .places = places,
			     .has_no_grants = options->has_no_grants };
	int rc = target_open(path, TARGET_LOAD, &load.target);

	if (rc < 0)
		return rc;
	load_txn_init(&load.txn, &load.target);
	load.table.txn = &load.txn;
	load_grants_init(&load.grants);
	rc = load_into(&load, input);
	*ret = (struct load_result){
		.keys = places->keys, .rows = load.table.rows,
		.scopes = load.n_scopes,
		.commits = load.txn.commits,
		.seq = aedb_visible_seq(load.target.db),
	};
	load_table_release(&load.table);
	load_txn_release(&load.txn);
	load_grants_release(&load.grants);
	return target_close(&load.target, rc);
}
