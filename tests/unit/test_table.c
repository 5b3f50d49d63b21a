/*
 * Tables through the public calls: making, changing and dropping them, and their rows.
 */
#include "../users.h"
#include "db_fixture.h"
#include "table.h"

static struct aedb_table *open_table(struct fixture *f, const char *name)
{
	struct aedb_table *table;

	CHECK_OK(aedb_table_open(f->scope, name, &table));
	return table;
}

static struct aedb_table *new_users(struct fixture *f)
{
	CHECK_OK(users_create(f->scope, "users"));
	return open_table(f, "users");
}

static void agree(struct aedb_table *table, size_t rows)
{
	size_t n;

	CHECK_OK(users_agree(table, NULL, &n));
	CHECK_EQ(n, rows);
}

static const struct user ada = { 1, "ada@x", 36, "first" },
			 bob = { 2, "bob@x", 36, NULL },
			 eve = { 3, NULL, USERS_NO_AGE, "no mail" };

/* A table of users with one row, ada. */
static struct aedb_table *begin(struct fixture *f)
{
	struct aedb_table *table;

	fixture_open(f);
	table = new_users(f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	return table;
}

static void end(struct fixture *f, struct aedb_table *table)
{
	aedb_table_close(table);
	fixture_close(f);
}

/* The row has what the user has. */
static void check_user(struct aedb_table *table,
		       const struct aedb_snapshot *snapshot,
		       const struct user *user)
{
	struct aedb_value id = { .type = AEDB_TYPE_U64, .u64 = user->id };
	struct aedb_row row;

	CHECK_OK(aedb_row_get(table, snapshot, &id, &row));
	CHECK_EQ(row.values[USERS_ID].u64, user->id);
	CHECK_EQ(row.values[USERS_MAIL].type,
		 user->mail ? AEDB_TYPE_TEXT : AEDB_TYPE_NULL);
	if (user->mail) {
		CHECK_EQ(row.values[USERS_MAIL].bytes.n, strlen(user->mail));
		CHECK_MEM(row.values[USERS_MAIL].bytes.at, user->mail,
			  strlen(user->mail));
	}
	if (user->age != USERS_NO_AGE)
		CHECK_EQ(row.values[USERS_AGE].i64, user->age);
	aedb_row_release(&row);
}

static int get_user(struct aedb_table *table,
		    const struct aedb_snapshot *snapshot, uint64_t id)
{
	struct aedb_value key = { .type = AEDB_TYPE_U64, .u64 = id };
	struct aedb_row row;
	int rc = aedb_row_get(table, snapshot, &key, &row);

	if (rc == 0)
		aedb_row_release(&row);
	return rc;
}

TEST(rows, "rows are inserted, replaced, changed and deleted, with their indexes")
{
	struct aedb_table *table;
	struct fixture f;

	table = begin(&f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &eve));
	agree(table, 3);
	check_user(table, NULL, &ada);
	check_user(table, NULL, &eve);
	CHECK_EQ(users_write(NULL, table, USERS_INSERT, &ada), AEDB_EXISTS);
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		2, "bob@y", 37, "moved" }));
	agree(table, 3);
	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &(struct user){
		1, "ada@x", 37, "older" }));
	agree(table, 3);
	CHECK_OK(users_write(NULL, table, USERS_DELETE, &bob));
	agree(table, 2);
	CHECK_EQ(users_write(NULL, table, USERS_DELETE, &bob), AEDB_NOT_FOUND);
	CHECK_EQ(users_write(NULL, table, USERS_UPDATE, &bob), AEDB_NOT_FOUND);
	CHECK_EQ(get_user(table, NULL, 2), AEDB_NOT_FOUND);
	aedb_table_close(table);
	fixture_reopen(&f);
	table = open_table(&f, "users");
	agree(table, 2);
	end(&f, table);
}

TEST(unique, "two rows never agree in a unique index, which the error names")
{
	struct user copy = { 9, "ada@x", 1, NULL };
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	table = begin(&f);
	CHECK_EQ(users_write(NULL, table, USERS_INSERT, &copy), AEDB_EXISTS);
	CHECK(strstr(aedb_error_message(), "by_mail"));
	CHECK_EQ(users_write(NULL, table, USERS_UPSERT, &copy), AEDB_EXISTS);
	agree(table, 1);
	/* in a transaction it is said at once, and nothing of the row is added */
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_INSERT, &bob));
	CHECK_EQ(users_write(txn, table, USERS_INSERT, &copy), AEDB_EXISTS);
	CHECK(strstr(aedb_error_message(), "by_mail"));
	CHECK_OK(txn_end(txn));
	agree(table, 2);
	/* one that came meanwhile is found at commit */
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_INSERT, &(struct user){
		4, "new@x", 1, NULL }));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &(struct user){
		5, "new@x", 1, NULL }));
	CHECK_EQ(txn_end(txn), AEDB_EXISTS);
	agree(table, 3);
	/* any number of rows have none */
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &eve));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &(struct user){
		8, NULL, 1, NULL }));
	agree(table, 5);
	end(&f, table);
}

/* The row with the mail, through its index. */
static void find_by_mail(struct aedb_table *table, const struct user *user)
{
	struct aedb_value mail = { .type = AEDB_TYPE_TEXT,
				   .bytes = { user->mail, strlen(user->mail) } };
	struct aedb_condition where = {
		.kind = AEDB_IF_COMPARES, .column = USERS_MAIL,
		.comparison = AEDB_EQUAL, .values = &mail, .n_values = 1,
	};
	struct aedb_rows *rows;
	struct aedb_row row;

	CHECK_OK(aedb_query_open(table, NULL, &(struct aedb_query){
		.where = &where }, &rows));
	CHECK_STR(aedb_rows_plan(rows), "index by_mail by 1 column");
	CHECK_OK(aedb_rows_next(rows, &row));
	CHECK_EQ(row.values[USERS_ID].u64, user->id);
	CHECK_EQ(aedb_rows_next(rows, &row), AEDB_NOT_FOUND);
	aedb_rows_close(rows);
}

TEST(referred, "a unique index finds its row, too, where keys of rows lie in value files")
{
	struct aedb_table *table;
	struct fixture f;

	fixture_init(&f);
	f.options.inline_bytes_max = 0;
	fixture_start(&f);
	table = new_users(&f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	find_by_mail(table, &ada);
	CHECK_OK(aedb_compact(f.db));
	aedb_table_close(table);
	fixture_reopen(&f);
	table = open_table(&f, "users");
	find_by_mail(table, &ada);
	find_by_mail(table, &bob);
	agree(table, 2);
	end(&f, table);
}

TEST(own_writes, "a transaction sees the rows that it wrote")
{
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	table = begin(&f);
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_INSERT, &bob));
	CHECK_EQ(users_write(txn, table, USERS_INSERT, &bob), AEDB_EXISTS);
	CHECK_OK(users_write(txn, table, USERS_UPDATE, &(struct user){
		2, "new@x", 1, NULL }));
	CHECK_OK(users_write(txn, table, USERS_DELETE, &ada));
	CHECK_EQ(users_write(txn, table, USERS_DELETE, &ada), AEDB_NOT_FOUND);
	/* what was unique to one row is passed on to another */
	CHECK_OK(users_write(txn, table, USERS_INSERT, &(struct user){
		7, "ada@x", 5, NULL }));
	CHECK_OK(users_write(txn, table, USERS_UPSERT, &(struct user){
		7, "bob@x", 6, NULL }));
	CHECK_OK(users_write(txn, table, USERS_INSERT, &(struct user){
		1, "ada@x", 7, NULL }));
	CHECK_OK(txn_end(txn));
	agree(table, 3);
	check_user(table, NULL, &(struct user){ 7, "bob@x", 6, NULL });
	check_user(table, NULL, &(struct user){ 2, "new@x", 1, NULL });
	check_user(table, NULL, &(struct user){ 1, "ada@x", 7, NULL });
	end(&f, table);
}

TEST(moved, "a row whose key changes moves, with its entries")
{
	struct aedb_value from = { .type = AEDB_TYPE_U64, .u64 = 1 };
	struct aedb_cell to = { USERS_ID, { .type = AEDB_TYPE_U64, .u64 = 5 } };
	struct aedb_table *table;
	struct fixture f;

	table = begin(&f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	CHECK_OK(aedb_row_update(NULL, table, &from, &to, 1));
	agree(table, 2);
	check_user(table, NULL, &(struct user){ 5, "ada@x", 36, NULL });
	CHECK_EQ(get_user(table, NULL, 1), AEDB_NOT_FOUND);
	from.u64 = 5;
	to.value.u64 = 2;
	CHECK_EQ(aedb_row_update(NULL, table, &from, &to, 1), AEDB_EXISTS);
	agree(table, 2);
	end(&f, table);
}

TEST(conflict, "who changes a row that was changed meanwhile is refused or tries again")
{
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	table = begin(&f);
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_UPDATE, &(struct user){
		1, "a@x", 1, NULL }));
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		1, "b@x", 2, NULL }));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	aedb_txn_abort(txn);
	agree(table, 1);
	/* and so is who went by another schema */
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_INSERT, &bob));
	CHECK_OK(aedb_table_alter(f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_RENAME_COLUMN, .name = "note", .to = "remark" }));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	aedb_txn_abort(txn);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	agree(table, 2);
	end(&f, table);
}

TEST(names, "tables are listed, renamed and dropped, and a handle follows its table")
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_table *table, *none;
	struct fixture f;

	fixture_open(&f);
	CHECK_EQ(aedb_table_next(f.scope, NULL, "", name), AEDB_NOT_FOUND);
	table = new_users(&f);
	CHECK_EQ(users_create(f.scope, "users"), AEDB_EXISTS);
	CHECK_EQ(users_create(f.scope, "no name"), AEDB_INVALID);
	CHECK_OK(users_create(f.scope, "zoo"));
	CHECK_OK(aedb_table_rename(f.scope, "users", "people"));
	CHECK_EQ(aedb_table_rename(f.scope, "users", "x"), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_table_rename(f.scope, "zoo", "people"), AEDB_EXISTS);
	CHECK_OK(aedb_table_next(f.scope, NULL, "", name));
	CHECK_STR(name, "people");
	CHECK_OK(aedb_table_next(f.scope, NULL, name, name));
	CHECK_STR(name, "zoo");
	CHECK_EQ(aedb_table_next(f.scope, NULL, name, name), AEDB_NOT_FOUND);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	CHECK_OK(aedb_rename(f.db, place("p", "s"), place("p", "t")));
	check_user(table, NULL, &ada);
	CHECK_EQ(aedb_drop(f.db, place("p", "t"), AEDB_DROP_EMPTY),
		 AEDB_NOT_EMPTY);
	CHECK_OK(aedb_table_drop(f.scope, "people"));
	CHECK_EQ(get_user(table, NULL, 1), AEDB_NOT_FOUND);
	CHECK_EQ(users_write(NULL, table, USERS_INSERT, &bob), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_table_open(f.scope, "people", &none), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_table_drop(f.scope, "people"), AEDB_NOT_FOUND);
	aedb_table_close(table);
	CHECK_EQ(aedb_drop(f.db, place("p", "t"), AEDB_DROP_EMPTY),
		 AEDB_NOT_EMPTY);
	CHECK_OK(aedb_table_drop(f.scope, "zoo"));
	CHECK_OK(aedb_drop(f.db, place("p", "t"), AEDB_DROP_EMPTY));
	fixture_close(&f);
}

static uint64_t keys_of(struct fixture *f)
{
	struct aedb_stats stats;

	aedb_stats(f->db, &stats);
	return stats.keys;
}

TEST(dropped_scope, "a scope is dropped with its tables, whose rows counted as keys")
{
	struct aedb_snapshot *before;
	struct aedb_table *table;
	struct fixture f;

	table = begin(&f);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_EQ(keys_of(&f), 2);
	CHECK_OK(aedb_snapshot_open(f.db, &before));
	CHECK_OK(aedb_drop(f.db, place("p", "s"), AEDB_DROP_ALL));
	CHECK_EQ(keys_of(&f), 0);
	CHECK_EQ(get_user(table, NULL, 1), AEDB_NOT_FOUND);
	check_user(table, before, &ada);
	aedb_table_close(table);
	CHECK_OK(aedb_table_open_at(f.scope, before, "users", &table));
	check_user(table, before, &ada);
	aedb_table_close(table);
	aedb_snapshot_close(before);
	CHECK_OK(aedb_compact(f.db));
	CHECK_OK(aedb_create(f.db, place("p", "s")));
	fixture_reopen(&f);
	CHECK_EQ(aedb_table_open(f.scope, "users", &table), AEDB_NOT_FOUND);
	CHECK_EQ(keys_of(&f), 0);
	fixture_close(&f);
}

TEST(columns, "columns come, go and are renamed; rows there are have the default")
{
	struct aedb_column color = { .name = "color", .type = AEDB_TYPE_TEXT,
		.if_missing = { .type = AEDB_TYPE_TEXT, .bytes = { "red", 3 } } };
	struct aedb_snapshot *before;
	struct aedb_table *table, *then;
	struct aedb_value id = { .type = AEDB_TYPE_U64, .u64 = 1 };
	struct aedb_row row;
	struct fixture f;
	uint32_t column;

	table = begin(&f);
	CHECK_OK(aedb_snapshot_open(f.db, &before));
	CHECK_OK(aedb_table_alter(f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_ADD_COLUMN, .column = &color }));
	CHECK_OK(aedb_row_get(table, NULL, &id, &row));
	CHECK_EQ(row.n, USERS_COLUMNS + 1);
	CHECK_MEM(row.values[USERS_COLUMNS].bytes.at, "red", 3);
	aedb_row_release(&row);
	CHECK_OK(aedb_table_column(table, "color", &column));
	CHECK_OK(aedb_table_open_at(f.scope, before, "users", &then));
	CHECK_EQ(aedb_table_id(then), aedb_table_id(table));
	CHECK(aedb_table_id(table) != 0);
	aedb_table_close(then);
	CHECK_EQ(column, USERS_COLUMNS);
	CHECK_OK(aedb_row_get(table, before, &id, &row));
	CHECK_EQ(row.n, USERS_COLUMNS);
	aedb_row_release(&row);
	CHECK_OK(aedb_table_alter(f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_DROP_COLUMN, .name = "note" }));
	CHECK_EQ(aedb_table_alter(f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_DROP_COLUMN, .name = "mail" }), AEDB_INVALID);
	CHECK_OK(aedb_row_get(table, NULL, &id, &row));
	CHECK_EQ(row.values[USERS_NOTE].type, AEDB_TYPE_NULL);
	aedb_row_release(&row);
	aedb_snapshot_close(before);
	end(&f, table);
}

TEST(unused, "a column is dropped in the transaction that drops its index")
{
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	table = new_users(&f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_DROP_INDEX, .name = "by_age" }));
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_DROP_COLUMN, .name = "age" }));
	CHECK_OK(txn_end(txn));
	aedb_table_close(table);
	CHECK_OK(aedb_table_open(f.scope, "users", &table));
	CHECK_OK(aedb_row_delete(NULL, table, &(struct aedb_value){
		.type = AEDB_TYPE_U64, .u64 = 1 }));
	aedb_table_close(table);
	fixture_close(&f);
}

/* What cannot be done, so that all that was is taken back. */
static void txn_end_failing(struct fixture *f, struct aedb_txn *txn)
{
	CHECK_OK(aedb_txn_delete(txn, f->scope, "absent", 6));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_NOT_FOUND);
	aedb_txn_abort(txn);
}

TEST(taken_back, "a change of a table that is taken back is none to who writes rows")
{
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	table = new_users(&f);
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &ada));
	txn_end_failing(&f, txn_of(f.db));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &(struct aedb_alter){
		.kind = AEDB_RENAME_COLUMN, .name = "note", .to = "remark" }));
	txn_end_failing(&f, txn);
	txn = txn_of(f.db);
	CHECK_OK(users_write(txn, table, USERS_UPDATE, &(struct user){
		1, "a@x", 1, NULL }));
	CHECK_OK(txn_end(txn));
	CHECK_OK(users_write(NULL, table, USERS_INSERT, &bob));
	agree(table, 2);
	aedb_table_close(table);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
