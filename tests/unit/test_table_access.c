/*
 * Rights on tables: what each lets do, where it is granted, and when it is asked
 * for.
 */
#include "../users.h"
#include "aedb_access.h"
#include "aedb_feed.h"
#include "batch_fixture.h"
#include "table.h"

#define DENIED "permission denied"

static const struct user ada = { 1, "ada@x", 36, NULL },
			 bob = { 2, "bob@x", 36, NULL },
			 cid = { 3, "cid@x", 7, NULL };

/* Ann works on the tables of p/s, where others made "users" with ada and "secret". */
struct people {
	struct fixture f;
	struct aedb_caller *system, *ann;
	struct aedb_scope *scope;	/* hers */
	struct aedb_table *table, *own;	/* "users": hers, and everybody's */
};

static struct aedb_grant grant_of(enum aedb_right right)
{
	return (struct aedb_grant){ .right = right,
				    .place = { "p", NULL } };
}

static void give(struct people *p, struct aedb_grant grant)
{
	CHECK_OK(aedb_grant(p->system, &grant, "ann", 3));
}

static void take(struct people *p, struct aedb_grant grant)
{
	CHECK_OK(aedb_revoke(p->system, &grant, "ann", 3));
}

/* With these bits of rights on the project, beside one that shows the scope. */
static void people_open(struct people *p, unsigned int rights)
{
	struct aedb_grant seen = grant_of(AEDB_KV_READ);

	*p = (struct people){ 0 };
	fixture_open(&p->f);
	CHECK_OK(users_create(p->f.scope, "users"));
	CHECK_OK(users_create(p->f.scope, "secret"));
	CHECK_OK(aedb_table_open(p->f.scope, "users", &p->own));
	CHECK_OK(users_write(NULL, p->own, USERS_INSERT, &ada));
	CHECK_OK(aedb_caller_open_system(p->f.db, NULL, 0, &p->system));
	CHECK_OK(aedb_caller_open(p->f.db, "ann", 3, &p->ann));
	seen.prefix = "seen";
	seen.prefix_bytes = 4;
	give(p, seen);
	for (int i = 0; i < AEDB_RIGHTS; i++)
		if (rights & 1u << i)
			give(p, grant_of((enum aedb_right)i));
	CHECK_OK(aedb_scope_open_as(p->ann, NULL, "p", "s", &p->scope));
	if (rights)
		CHECK_OK(aedb_table_open(p->scope, "users", &p->table));
}

static void people_close(struct people *p)
{
	aedb_table_close(p->table);
	aedb_table_close(p->own);
	aedb_scope_close(p->scope);
	aedb_caller_close(p->ann);
	aedb_caller_close(p->system);
	fixture_close(&p->f);
}

#define WRITES (1u << AEDB_TABLE_WRITE)
#define READS (1u << AEDB_TABLE_READ)
#define CHANGES (1u << AEDB_TABLE_DDL)

static struct aedb_batch *anns_batch(struct people *p)
{
	struct aedb_batch *batch = NULL;

	CHECK_OK(aedb_batch_begin_as(p->ann, &batch));
	return batch;
}

static size_t rows_of(struct people *p)
{
	size_t n;

	CHECK_OK(users_agree(p->own, NULL, &n));
	return n;
}

/* Commits. */

TEST(batch_rows, "a caller's batch commits the rows that it may write")
{
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, WRITES);
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &bob));
	CHECK_OK(users_write(txn, p.table, USERS_UPDATE, &(struct user){
		1, "ada@y", 37, NULL }));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(rows_of(&p), 2);
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, p.table, USERS_DELETE, &bob));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(rows_of(&p), 1);
	people_close(&p);
}

TEST(batch_revoked,
     "what a batch wrote is refused once the right is revoked, and let pass once it is back")
{
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, WRITES | READS);
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &bob));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_check(batch));
	take(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_FAILS(aedb_batch_check(batch), AEDB_ACCESS, DENIED);
	CHECK_FAILS(aedb_batch_commit(batch, NULL), AEDB_ACCESS, DENIED);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_EQ(rows_of(&p), 1);
	give(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_OK(aedb_batch_check(batch));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(rows_of(&p), 2);
	people_close(&p);
}

static int table_make(struct aedb_batch *batch, struct aedb_scope *scope,
		      const char *name)
{
	struct aedb_txn *txn = txn_in(batch);
	int rc = aedb_txn_table_create(txn, scope, name,
				       users_schema(USERS_WITH_INDEXES));

	if (rc == 0)
		return txn_end(txn);
	aedb_txn_abort(txn);
	return rc;
}

static const struct aedb_alter without_note = {
	.kind = AEDB_DROP_COLUMN, .name = "note" };

static int table_change(struct aedb_batch *batch, struct aedb_scope *scope)
{
	const uint32_t by[] = { USERS_NOTE };
	const struct aedb_index index = { .name = "by_note", .columns = by,
					  .n_columns = 1 };
	const struct aedb_alter with_index = { .kind = AEDB_ADD_INDEX,
					       .index = &index };
	struct aedb_txn *txn = txn_in(batch);
	int rc = aedb_txn_table_alter(txn, scope, "users", &with_index);

	if (rc == 0)
		rc = aedb_txn_table_rename(txn, scope, "users", "people");
	if (rc == 0)
		rc = aedb_txn_table_drop(txn, scope, "secret");
	if (rc == 0)
		return txn_end(txn);
	aedb_txn_abort(txn);
	return rc;
}

TEST(batch_tables, "a caller's batch makes, changes, renames and drops tables, if it may still")
{
	struct aedb_table *made;
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, CHANGES | WRITES);
	batch = anns_batch(&p);
	CHECK_OK(table_change(batch, p.scope));
	CHECK_OK(table_make(batch, p.scope, "made"));
	CHECK_OK(aedb_table_open_at(p.scope, aedb_batch_view(batch), "made",
				    &made));
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, made, USERS_INSERT, &cid));
	CHECK_OK(txn_end(txn));
	take(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_ACCESS);
	give(&p, grant_of(AEDB_TABLE_WRITE));
	take(&p, grant_of(AEDB_TABLE_DDL));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_ACCESS);
	give(&p, grant_of(AEDB_TABLE_DDL));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_table_close(made);
	CHECK_OK(aedb_table_open(p.f.scope, "people", &made));
	aedb_table_close(made);
	CHECK_EQ(aedb_table_open(p.f.scope, "secret", &made), AEDB_NOT_FOUND);
	CHECK_OK(aedb_table_open(p.f.scope, "made", &made));
	aedb_table_close(made);
	people_close(&p);
}

TEST(batch_index, "who changes tables in a batch needs no right to write their rows")
{
	struct people p;
	struct aedb_batch *batch;

	people_open(&p, CHANGES);
	CHECK_OK(users_write(NULL, p.own, USERS_INSERT, &(struct user){
		5, "eve@x", 5, "noted" }));
	batch = anns_batch(&p);
	CHECK_OK(table_change(batch, p.scope));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(rows_of(&p), 2);
	people_close(&p);
}

TEST(batch_one_table, "of a batch that wrote two tables both must be granted at its commit")
{
	struct aedb_table *secret, *known;
	struct aedb_grant one = grant_of(AEDB_TABLE_WRITE);
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, WRITES);
	CHECK_OK(aedb_table_open(p.scope, "secret", &secret));
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &bob));
	CHECK_OK(users_write(txn, secret, USERS_INSERT, &bob));
	CHECK_OK(txn_end(txn));
	known = p.own;
	one.place.scope = "s";
	one.table_id = known->state->id;
	give(&p, one);
	take(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_ACCESS);
	one.table_id = secret->state->id;
	give(&p, one);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_table_close(secret);
	people_close(&p);
}

TEST(batch_new_scope, "who makes a scope in a batch makes its tables and rows there")
{
	struct aedb_scope *scope;
	struct aedb_table *table;
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, 1u << AEDB_PROJECT_ADMIN);
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_create(txn, place("p", "new"), NULL, 0, NULL));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_scope_open_as(p.ann, aedb_batch_view(batch), "p", "new",
				    &scope));
	CHECK_OK(table_make(batch, scope, "made"));
	CHECK_OK(aedb_table_open_at(scope, aedb_batch_view(batch), "made",
				    &table));
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, table, USERS_INSERT, &cid));
	CHECK_OK(txn_end(txn));
	take(&p, grant_of(AEDB_PROJECT_ADMIN));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_ACCESS);
	give(&p, grant_of(AEDB_PROJECT_ADMIN));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	aedb_table_close(table);
	aedb_scope_close(scope);
	people_close(&p);
}

TEST(grants_between, "a transaction on tables is decided at commit by the grants in force then")
{
	struct aedb_grant scope_wide = grant_of(AEDB_TABLE_WRITE);
	struct people p;
	struct aedb_txn *txn;

	people_open(&p, WRITES);
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &bob));
	scope_wide.place.scope = "s";
	give(&p, scope_wide);
	take(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_OK(txn_end(txn));
	CHECK_EQ(rows_of(&p), 2);
	CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &cid));
	take(&p, scope_wide);
	CHECK_FAILS(txn_end(txn), AEDB_ACCESS, DENIED);
	CHECK_EQ(rows_of(&p), 2);
	people_close(&p);
}

TEST(tables_between, "so is one that makes, changes and drops tables")
{
	struct people p;
	struct aedb_txn *txn;

	people_open(&p, CHANGES | WRITES);
	for (int is_left = 1; is_left >= 0; is_left--) {
		CHECK_OK(aedb_txn_begin_as(p.ann, &txn));
		CHECK_OK(aedb_txn_table_create(txn, p.scope,
					       is_left ? "one" : "two",
					       users_schema(USERS_PLAIN)));
		CHECK_OK(aedb_txn_table_drop(txn, p.scope,
					     is_left ? "secret" : "one"));
		if (is_left)
			CHECK_OK(aedb_txn_table_alter(txn, p.scope, "users",
						      &without_note));
		take(&p, grant_of(is_left ? AEDB_TABLE_WRITE :
					    AEDB_TABLE_DDL));
		CHECK_EQ(txn_end(txn), is_left ? 0 : AEDB_ACCESS);
	}
	people_close(&p);
}

/* What each right lets do. */

enum act {
	ACT_OPEN = 1, ACT_DESCRIBE = 2, ACT_GET = 4, ACT_QUERY = 8,
	ACT_INDEX = 16,		/* a query that uses one */
	ACT_CURSOR = 32, ACT_INSERT = 64, ACT_UPSERT = 128, ACT_UPDATE = 256,
	ACT_DELETE = 512, ACT_CREATE = 1024, ACT_ALTER = 2048,
	ACT_RENAME = 4096, ACT_DROP = 8192,
	SEES = ACT_OPEN | ACT_DESCRIBE,
	MAY_READ = SEES | ACT_GET | ACT_QUERY | ACT_CURSOR,
	MAY_WRITE = SEES | ACT_INSERT | ACT_UPSERT | ACT_UPDATE | ACT_DELETE,
	MAY_CHANGE = SEES | ACT_CREATE | ACT_ALTER | ACT_RENAME | ACT_DROP,
	MAY_ALL = MAY_READ | MAY_WRITE | MAY_CHANGE | ACT_INDEX,
};

/* The bit, if the call was let do; who is not is told nothing else. */
static unsigned int let(enum act act, int rc)
{
	if (rc == AEDB_ACCESS) {
		CHECK_STR(aedb_error_message(), DENIED);
		return 0;
	}
	CHECK_OK(rc);
	return act;
}

static const struct aedb_value age_36 = { .type = AEDB_TYPE_I64, .i64 = 36 };
static const struct aedb_condition of_age = {
	.kind = AEDB_IF_COMPARES, .column = USERS_AGE,
	.comparison = AEDB_EQUAL, .values = &age_36, .n_values = 1 };

static unsigned int acts_of_query(struct aedb_table *table)
{
	struct aedb_query query = { .where = &of_age };
	struct aedb_rows *rows;
	struct aedb_bytes cursor;
	struct aedb_row row;
	unsigned int acts;
	int rc = aedb_query_open(table, NULL, &query, &rows);

	acts = let(ACT_QUERY, rc);
	if (rc < 0)
		return acts;
	if (strncmp(aedb_rows_plan(rows), "index ", 6) == 0)
		acts |= ACT_INDEX;
	CHECK_OK(aedb_rows_next(rows, &row));
	CHECK_EQ(row.values[USERS_ID].u64, 1);
	rc = aedb_rows_cursor(rows, &cursor);
	acts |= let(ACT_CURSOR, rc == AEDB_NOT_FOUND ? 0 : rc);
	aedb_rows_close(rows);
	return acts;
}

static unsigned int acts_on_rows(struct aedb_table *table)
{
	const struct aedb_value id = { .type = AEDB_TYPE_U64, .u64 = 1 };
	struct aedb_schema *schema;
	struct aedb_row row;
	unsigned int acts;
	int rc = aedb_table_schema(table, &schema);

	acts = let(ACT_DESCRIBE, rc);
	if (rc == 0)
		aedb_schema_free(schema);
	rc = aedb_row_get(table, NULL, &id, &row);
	acts |= let(ACT_GET, rc);
	if (rc == 0)
		aedb_row_release(&row);
	acts |= acts_of_query(table);
	acts |= let(ACT_INSERT, users_write(NULL, table, USERS_INSERT, &cid));
	acts |= let(ACT_UPSERT, users_write(NULL, table, USERS_UPSERT, &cid));
	acts |= let(ACT_UPDATE, users_write(NULL, table, USERS_UPDATE, &ada));
	acts |= let(ACT_DELETE, users_write(NULL, table, USERS_DELETE, &cid));
	return acts;
}

static unsigned int acts_on_tables(struct aedb_scope *scope)
{
	unsigned int acts;

	acts = let(ACT_CREATE, aedb_table_create(scope, "made",
						 users_schema(USERS_PLAIN)));
	acts |= let(ACT_ALTER, aedb_table_alter(scope, "users", &without_note));
	acts |= let(ACT_RENAME, aedb_table_rename(scope, "secret", "known"));
	acts |= let(ACT_DROP, aedb_table_drop(scope, acts & ACT_RENAME ?
						     "known" : "secret"));
	return acts;
}

/* All that ann may with the table "users" and the others of p/s. */
static unsigned int acts_of(struct people *p)
{
	struct aedb_table *table;
	unsigned int acts;
	int rc = aedb_table_open(p->scope, "users", &table);

	acts = let(ACT_OPEN, rc);
	if (rc == 0) {
		acts |= acts_on_rows(table);
		aedb_table_close(table);
	}
	return acts | acts_on_tables(p->scope);
}

static const char *tables_listed(struct aedb_scope *scope)
{
	static char text[256];
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc;

	*text = 0;
	while ((rc = aedb_table_next(scope, NULL, name, name)) == 0)
		strcat(strcat(text, name), " ");
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	return text;
}

enum where {
	ON_DATABASE, ON_PROJECT, ON_SCOPE, ON_TABLE, ON_OTHER_TABLE,
	ON_OTHER_SCOPE,
};

struct granted {
	enum aedb_right right;
	enum where where;
	unsigned int acts;
	const char *listed;
};

static const struct granted matrix[] = {
	{ AEDB_GLOBAL_ADMIN, ON_DATABASE, MAY_ALL, "secret users " },
	{ AEDB_OWNER, ON_PROJECT, MAY_ALL, "secret users " },
	{ AEDB_OWNER, ON_SCOPE, MAY_ALL, "secret users " },
	{ AEDB_PROJECT_ADMIN, ON_PROJECT, MAY_ALL, "secret users " },
	{ AEDB_SCOPE_ADMIN, ON_SCOPE, MAY_ALL, "secret users " },
	{ AEDB_SCOPE_ADMIN, ON_OTHER_SCOPE, 0, "" },
	{ AEDB_TABLE_DDL, ON_PROJECT, MAY_CHANGE, "secret users " },
	{ AEDB_TABLE_READ, ON_PROJECT, MAY_READ, "secret users " },
	{ AEDB_TABLE_READ, ON_SCOPE, MAY_READ, "secret users " },
	{ AEDB_TABLE_READ, ON_TABLE, MAY_READ, "users " },
	{ AEDB_TABLE_READ, ON_OTHER_TABLE, 0, "secret " },
	{ AEDB_TABLE_READ, ON_OTHER_SCOPE, 0, "" },
	{ AEDB_TABLE_WRITE, ON_PROJECT, MAY_WRITE, "secret users " },
	{ AEDB_TABLE_WRITE, ON_SCOPE, MAY_WRITE, "secret users " },
	{ AEDB_TABLE_WRITE, ON_TABLE, MAY_WRITE, "users " },
	{ AEDB_TABLE_WRITE, ON_OTHER_TABLE, 0, "secret " },
	{ AEDB_TABLE_WRITE, ON_OTHER_SCOPE, 0, "" },
	{ AEDB_INDEX_READ, ON_PROJECT, 0, "" },
	{ AEDB_INDEX_READ, ON_SCOPE, 0, "" },
	{ AEDB_INDEX_READ, ON_TABLE, 0, "" },
	{ AEDB_KV_READ, ON_PROJECT, 0, "" },
	{ AEDB_KV_WRITE, ON_SCOPE, 0, "" },
};

static struct aedb_grant grant_where(struct people *p, enum aedb_right right,
				     enum where where)
{
	struct aedb_grant grant = grant_of(right);
	struct aedb_table *table;

	if (where == ON_DATABASE)
		grant.place.project = NULL;
	if (where > ON_PROJECT)
		grant.place.scope = where == ON_OTHER_SCOPE ? "other" : "s";
	if (where == ON_TABLE || where == ON_OTHER_TABLE) {
		CHECK_OK(aedb_table_open(p->f.scope, where == ON_TABLE ?
						     "users" : "secret",
					 &table));
		grant.table_id = table->state->id;
		aedb_table_close(table);
	}
	return grant;
}

static void grant_give(struct people *p, const struct aedb_grant *grant)
{
	if (grant->right == AEDB_OWNER)
		CHECK_OK(aedb_transfer_ownership(p->system, grant->place,
						 "ann", 3));
	else
		give(p, *grant);
}

static void grant_take(struct people *p, const struct aedb_grant *grant)
{
	if (grant->right == AEDB_OWNER)
		CHECK_OK(aedb_transfer_ownership(p->system, grant->place,
						 "bob", 3));
	else
		take(p, *grant);
}

TEST(what_rights_let,
     "each right lets do what it is for, where it is granted, and no more once it is revoked")
{
	for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		const struct granted *g = &matrix[i];
		struct aedb_grant grant;
		struct people p;

		people_open(&p, 0);
		CHECK_OK(aedb_create(p.f.db, place("p", "other")));
		CHECK_STR(tables_listed(p.scope), "");
		grant = grant_where(&p, g->right, g->where);
		grant_give(&p, &grant);
		CHECK_STR(tables_listed(p.scope), g->listed);
		if (g->acts & ACT_OPEN)
			CHECK_OK(aedb_table_open(p.scope, "users", &p.table));
		CHECK_THAT(acts_of(&p) == g->acts, "%s, grant %zu",
			   aedb_right_name(g->right), i);
		grant_take(&p, &grant);
		CHECK_STR(tables_listed(p.scope), "");
		CHECK_EQ(acts_of(&p), 0);
		if (p.table)
			CHECK_EQ(acts_on_rows(p.table), 0);
		people_close(&p);
	}
}

/* What the feed tells ann of a row and a key, as the kinds of what it is about. */
static void told_are(struct people *p, const enum aedb_change_of *of, size_t n)
{
	aedb_seq_t from = aedb_visible_seq(p->f.db) + 1;
	struct aedb_feed_change change;
	struct aedb_feed *feed;

	CHECK_OK(users_write(NULL, p->own, USERS_UPSERT, &bob));
	CHECK_OK(put_text(p->f.scope, "key", "x"));
	CHECK_OK(aedb_feed_open_as(p->ann, from, &feed));
	for (size_t i = 0; i < n; i++) {
		CHECK_OK(aedb_feed_next(feed, &change));
		CHECK_EQ(change.of, of[i]);
	}
	CHECK_EQ(aedb_feed_next(feed, &change), AEDB_NOT_FOUND);
	aedb_feed_close(feed);
}

TEST(feed, "the feed tells of rows who may read their table, and of keys who may read keys")
{
	static const enum aedb_change_of row[] = { AEDB_OF_ROW },
					 key[] = { AEDB_OF_KEY };
	struct aedb_grant table = grant_of(AEDB_TABLE_READ);
	struct people p;

	people_open(&p, WRITES);
	told_are(&p, NULL, 0);
	give(&p, grant_of(AEDB_KV_READ));
	told_are(&p, key, 1);
	take(&p, grant_of(AEDB_KV_READ));
	table.place.scope = "s";
	table.table_id = aedb_table_id(p.own);
	give(&p, table);
	told_are(&p, row, 1);
	take(&p, table);
	told_are(&p, NULL, 0);
	people_close(&p);
}

TEST(index_read,
     "queries use indexes for who may read the table and its indexes, and cursors know it")
{
	struct aedb_query query = { .where = &of_age };
	struct aedb_rows *rows, *scan;
	struct aedb_bytes cursor;
	struct aedb_row row;
	struct people p;

	people_open(&p, READS | 1u << AEDB_INDEX_READ);
	CHECK_OK(users_write(NULL, p.own, USERS_INSERT, &bob));
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_STR(aedb_rows_plan(rows), "index by_age by 1 column");
	CHECK_OK(aedb_rows_next(rows, &row));
	CHECK_OK(aedb_rows_cursor(rows, &cursor));
	take(&p, grant_of(AEDB_INDEX_READ));
	CHECK_EQ(aedb_rows_next(rows, &row), AEDB_ACCESS);
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &scan));
	CHECK_STR(aedb_rows_plan(scan), "scan");
	CHECK_OK(aedb_rows_next(scan, &row));
	CHECK_OK(aedb_rows_next(scan, &row));
	CHECK_EQ(row.values[USERS_ID].u64, 2);
	aedb_rows_close(scan);
	query.cursor = cursor;
	CHECK_EQ(aedb_query_open(p.table, NULL, &query, &scan), AEDB_INVALID);
	give(&p, grant_of(AEDB_INDEX_READ));
	CHECK_OK(aedb_rows_next(rows, &row));
	CHECK_EQ(row.values[USERS_ID].u64, 2);
	aedb_rows_close(rows);
	people_close(&p);
}

/* Grants that are there. */
static int grants_of(struct people *p)
{
	struct aedb_granted *granted = calloc(1, sizeof(*granted));
	int n = 0;

	while (aedb_grants_next(p->system, granted) == 0)
		n++;
	free(granted);
	return n;
}

TEST(grant_missing, "a right is granted on a table of the scope only, and goes with it")
{
	struct aedb_grant grant = { .right = AEDB_TABLE_READ,
				    .place = { "p", "s" } };
	struct aedb_table *other;
	struct people p;
	int n;

	people_open(&p, 0);
	CHECK_OK(aedb_create(p.f.db, place("p", "other")));
	n = grants_of(&p);
	grant.table_id = aedb_visible_seq(p.f.db) + 1;
	CHECK_FAILS(aedb_grant(p.system, &grant, "ann", 3), AEDB_NOT_FOUND,
		    "no such table");
	grant.table_id = aedb_table_id(p.own);
	grant.place.scope = "other";
	CHECK_EQ(aedb_grant(p.system, &grant, "ann", 3), AEDB_NOT_FOUND);
	grant.place.scope = "s";
	for (int right = AEDB_TABLE_READ; right <= AEDB_INDEX_READ; right++) {
		grant.right = (enum aedb_right)right;
		give(&p, grant);
		CHECK_OK(aedb_grant(p.system, &grant, "bob", 3));
	}
	CHECK_OK(aedb_table_open(p.f.scope, "secret", &other));
	grant.table_id = aedb_table_id(other);
	aedb_table_close(other);
	give(&p, grant);
	CHECK_EQ(grants_of(&p), n + 7);
	CHECK_OK(aedb_table_drop(p.f.scope, "users"));
	CHECK_EQ(grants_of(&p), n + 1);
	take(&p, grant);
	people_close(&p);
}

TEST(names_hidden, "who may see one table is answered alike of others and of none")
{
	struct aedb_table *table;
	struct people p;

	people_open(&p, 0);
	CHECK_EQ(aedb_table_open(p.scope, "none", &table), AEDB_ACCESS);
	CHECK_STR(aedb_error_message(), DENIED);
	give(&p, grant_where(&p, AEDB_TABLE_READ, ON_TABLE));
	CHECK_EQ(aedb_table_open(p.scope, "none", &table), AEDB_ACCESS);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_EQ(aedb_table_open(p.scope, "secret", &table), AEDB_ACCESS);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_EQ(aedb_table_drop(p.scope, "none"), AEDB_ACCESS);
	give(&p, grant_of(AEDB_TABLE_READ));
	CHECK_EQ(aedb_table_open(p.scope, "none", &table), AEDB_NOT_FOUND);
	people_close(&p);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
