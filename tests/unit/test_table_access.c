/*
 * Rights on tables: what each lets do, where it is granted, and when it is asked
 * for.
 */
#include "../users.h"
#include "aedb_access.h"
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

TEST(batch_revoked, "what a batch wrote is refused once the right is revoked, and let pass once it is back")
{
	struct people p;
	struct aedb_batch *batch;
	struct aedb_txn *txn;

	people_open(&p, WRITES | READS);
	batch = anns_batch(&p);
	txn = txn_in(batch);
	CHECK_OK(users_write(txn, p.table, USERS_INSERT, &bob));
	CHECK_OK(txn_end(txn));
	take(&p, grant_of(AEDB_TABLE_WRITE));
	CHECK_FAILS(aedb_batch_commit(batch, NULL), AEDB_ACCESS, DENIED);
	CHECK_STR(aedb_error_message(), DENIED);
	CHECK_EQ(rows_of(&p), 1);
	give(&p, grant_of(AEDB_TABLE_WRITE));
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

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
