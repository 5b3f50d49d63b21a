/*
 * Tables in batches: what their views show, what is listed, and what conflicts.
 */
#include "../users.h"
#include "batch_fixture.h"
#include "table.h"

static const struct user ada = { 1, "ada@x", 36, NULL },
			 bob = { 2, "bob@x", 36, NULL };

/* A database with a table of one row. */
static struct aedb_table *begin(struct fixture *f)
{
	struct aedb_table *table;

	fixture_open(f);
	CHECK_OK(users_create(f->scope, "users"));
	CHECK_OK(aedb_table_open(f->scope, "users", &table));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	return table;
}

static void end(struct fixture *f, struct aedb_table *table)
{
	aedb_table_close(table);
	fixture_close(f);
}

static int batch_write(struct aedb_batch *batch, struct aedb_table *table,
		       enum users_how how, const struct user *user)
{
	struct aedb_txn *txn = txn_in(batch);
	int rc = users_write(txn, table, how, user);

	if (rc == 0)
		return txn_end(txn);
	aedb_txn_abort(txn);
	return rc;
}

static void agree(struct aedb_table *table, const struct aedb_snapshot *view,
		  size_t rows)
{
	size_t n;

	CHECK_OK(users_agree(table, view, &n));
	CHECK_EQ(n, rows);
}

/* The changes and conflicts that are of tables: sign, table, and "*" for a row. */
static const char *table_changes(struct aedb_batch *batch)
{
	static char text[1024];
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	char *at = text;

	CHECK_OK(aedb_batch_diff_open(batch, &diff));
	*at = 0;
	while (aedb_batch_diff_next(diff, &change) == 0) {
		if (!change.table)
			continue;
		CHECK(change.of == AEDB_OF_TABLE || change.of == AEDB_OF_ROW);
		at += sprintf(at, "%s%c%s%s", at == text ? "" : " ", change.kind,
			      change.table, change.of == AEDB_OF_ROW ? "*" : "");
	}
	aedb_batch_diff_close(diff);
	return text;
}

/* Of what the only conflict is. */
static enum aedb_change_of conflict_of(struct aedb_batch *batch)
{
	struct aedb_change change;

	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_OK(aedb_batch_conflict(batch, 0, &change));
	CHECK_STR(change.table, "users");
	return change.of;
}

TEST(rows, "rows of a batch are its own until it is committed, with their indexes")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	struct aedb_batch *batch = batch_of(f.db);

	CHECK_OK(batch_write(batch, table, USERS_INSERT, &bob));
	CHECK_OK(batch_write(batch, table, USERS_UPDATE, &(struct user){
		1, "ada@y", 37, NULL }));
	CHECK_EQ(batch_write(batch, table, USERS_INSERT, &(struct user){
		3, "ada@y", 1, NULL }), AEDB_EXISTS);
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &(struct user){
		3, "ada@x", 1, NULL }));
	agree(table, aedb_batch_view(batch), 3);
	agree(table, NULL, 1);
	CHECK_STR(table_changes(batch), "~users* +users* +users*");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	agree(table, NULL, 3);
	aedb_table_close(table);
	fixture_reopen(&f);
	CHECK_OK(aedb_table_open(f.scope, "users", &table));
	agree(table, NULL, 3);
	end(&f, table);
}

TEST(conflicts, "rows that both changed conflict, and rows that agree in a unique index")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	struct aedb_batch *batch = batch_of(f.db);

	CHECK_OK(batch_write(batch, table, USERS_UPDATE, &(struct user){
		1, "ada@x", 37, NULL }));
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		1, "ada@x", 38, NULL }));
	CHECK_EQ(conflict_of(batch), AEDB_OF_ROW);
	aedb_batch_abort(batch);
	batch = batch_of(f.db);
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &bob));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &(struct user){
		7, "bob@x", 1, NULL }));
	CHECK_EQ(conflict_of(batch), AEDB_OF_TABLE);
	aedb_batch_abort(batch);
	/* other rows that agree in what need not be unique do not */
	batch = batch_of(f.db);
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &(struct user){
		8, "eight", 50, NULL }));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &(struct user){
		9, "nine", 50, NULL }));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	agree(table, NULL, 4);
	end(&f, table);
}

TEST(altered, "who wrote rows as a table was conflicts with who changed it")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	struct aedb_batch *batch = batch_of(f.db);
	struct aedb_alter alter = { .kind = AEDB_DROP_INDEX, .name = "by_age" };

	CHECK_OK(batch_write(batch, table, USERS_INSERT, &bob));
	CHECK_OK(aedb_table_alter(f.scope, "users", &alter));
	CHECK_EQ(conflict_of(batch), AEDB_OF_TABLE);
	aedb_batch_abort(batch);
	agree(table, NULL, 1);
	end(&f, table);
}

TEST(changed, "a table is changed in a batch, which writes rows as it is then")
{
	static const uint32_t by_note[] = { USERS_NOTE };
	struct aedb_index index = { .name = "by_note", .columns = by_note,
				    .n_columns = 1 };
	struct aedb_alter alter = { .kind = AEDB_ADD_INDEX, .index = &index };
	struct fixture f;
	struct aedb_table *table = begin(&f);
	struct aedb_batch *batch = batch_of(f.db);
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &alter));
	CHECK_OK(txn_end(txn));
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &bob));
	agree(table, aedb_batch_view(batch), 2);
	agree(table, NULL, 1);
	CHECK_STR(table_changes(batch), "+users* ~users");
	/* rows that others wrote lack an entry */
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		1, "ada@x", 38, "new" }));
	CHECK_EQ(aedb_batch_check(batch), AEDB_CONFLICT);
	aedb_batch_abort(batch);
	batch = batch_of(f.db);
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &alter));
	CHECK_OK(txn_end(txn));
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &bob));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	agree(table, NULL, 2);
	end(&f, table);
}

TEST(made, "a table made in a batch is there with its rows when that is committed")
{
	struct fixture f;
	struct aedb_table *table = begin(&f), *own;
	struct aedb_batch *batch = batch_of(f.db), *other = batch_of(f.db);
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_table_create(txn, f.scope, "more",
				       users_schema(USERS_WITH_INDEXES)));
	CHECK_OK(aedb_txn_table_rename(txn, f.scope, "users", "people"));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_table_open_at(f.scope, aedb_batch_view(batch), "more",
				    &own));
	CHECK_OK(batch_write(batch, own, USERS_INSERT, &bob));
	agree(own, aedb_batch_view(batch), 1);
	CHECK_STR(table_changes(batch), "+more +people -users +more* +more");
	CHECK_OK(aedb_batch_commit(batch, NULL));
	agree(own, NULL, 1);
	agree(table, NULL, 1);
	aedb_table_close(own);
	CHECK_OK(aedb_table_open(f.scope, "people", &own));
	aedb_table_close(own);
	/* one of the same name is another one */
	txn = txn_in(other);
	CHECK_OK(aedb_txn_table_create(txn, f.scope, "more",
				       users_schema(USERS_PLAIN)));
	CHECK_OK(txn_end(txn));
	CHECK_EQ(aedb_batch_commit(other, NULL), AEDB_CONFLICT);
	aedb_batch_abort(other);
	end(&f, table);
}

TEST(dropped, "a batch drops tables, and scopes with them, unless others wrote there")
{
	struct fixture f;
	struct aedb_table *table = begin(&f), *none;
	struct aedb_batch *batch = batch_of(f.db), *drops = batch_of(f.db);
	struct aedb_batch *late = batch_of(f.db);
	struct aedb_txn *txn = txn_in(batch);

	CHECK_OK(aedb_txn_table_drop(txn, f.scope, "users"));
	CHECK_OK(txn_end(txn));
	CHECK_EQ(batch_write(batch, table, USERS_INSERT, &bob), AEDB_NOT_FOUND);
	CHECK_STR(table_changes(batch), "-users");
	CHECK_OK(batch_drop(drops, "p", "s", AEDB_DROP_ALL));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	CHECK_EQ(aedb_batch_commit(batch, NULL), AEDB_CONFLICT);
	CHECK_EQ(aedb_batch_commit(drops, NULL), AEDB_CONFLICT);
	aedb_batch_abort(batch);
	aedb_batch_abort(drops);
	/* a table that came since is lost with its scope */
	drops = batch_of(f.db);
	CHECK_OK(batch_drop(drops, "p", "s", AEDB_DROP_ALL));
	CHECK_OK(users_create(f.scope, "late"));
	CHECK_EQ(aedb_batch_commit(drops, NULL), AEDB_CONFLICT);
	aedb_batch_abort(drops);
	drops = batch_of(f.db);
	CHECK_OK(batch_drop(drops, "p", "s", AEDB_DROP_ALL));
	txn = txn_in(late);
	CHECK_OK(aedb_txn_table_create(txn, f.scope, "mine",
				       users_schema(USERS_PLAIN)));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_batch_commit(drops, NULL));
	CHECK_EQ(aedb_batch_commit(late, NULL), AEDB_CONFLICT);
	aedb_batch_abort(late);
	CHECK_EQ(aedb_table_open(f.scope, "users", &none), AEDB_NOT_FOUND);
	end(&f, table);
}

TEST(twin, "a table in a scope that others made, too, comes into theirs")
{
	struct aedb_batch *batch;
	struct aedb_scope *mine, *theirs;
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	CHECK_OK(batch_create(batch, "p", "new"));
	CHECK_OK(aedb_scope_open_at(f.db, aedb_batch_view(batch), "p", "new",
				    &mine));
	txn = txn_in(batch);
	CHECK_OK(aedb_txn_table_create(txn, mine, "users",
				       users_schema(USERS_WITH_INDEXES)));
	CHECK_OK(txn_end(txn));
	CHECK_OK(aedb_table_open_at(mine, aedb_batch_view(batch), "users",
				    &table));
	CHECK_OK(batch_write(batch, table, USERS_INSERT, &ada));
	CHECK_OK(aedb_create(f.db, place("p", "new")));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	agree(table, NULL, 1);
	aedb_table_close(table);
	CHECK_OK(aedb_scope_open(f.db, "p", "new", &theirs));
	CHECK_OK(aedb_table_open(theirs, "users", &table));
	agree(table, NULL, 1);
	aedb_table_close(table);
	aedb_scope_close(mine);
	aedb_scope_close(theirs);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
