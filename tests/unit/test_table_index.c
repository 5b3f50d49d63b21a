/*
 * Indexes of tables that have rows: made and removed, beside writers and power cuts.
 */
#include "../users.h"
#include "db_fixture.h"
#include "table.h"

#define ROWS 300
#define OPS_MAX 64	/* so that it takes several commits */

static const uint32_t by_mail[] = { USERS_MAIL }, by_age[] = { USERS_AGE };

static const struct aedb_index mail_index = {
	.name = "by_mail", .columns = by_mail, .n_columns = 1, .is_unique = true
}, age_index = { .name = "by_age", .columns = by_age, .n_columns = 1 };

static int add_index(struct fixture *f, const struct aedb_index *index)
{
	return aedb_table_alter(f->scope, "users", &(struct aedb_alter){
		.kind = AEDB_ADD_INDEX, .index = index });
}

static int drop_index(struct fixture *f, const char *name)
{
	return aedb_table_alter(f->scope, "users", &(struct aedb_alter){
		.kind = AEDB_DROP_INDEX, .name = name });
}

static int put_user(struct aedb_txn *txn, struct aedb_table *table, uint64_t id)
{
	char mail[32];
	struct user user = { id, mail, (int64_t)(id % 7), "n" };

	snprintf(mail, sizeof(mail), "user%llu", (unsigned long long)id);
	return users_write(txn, table, USERS_UPSERT, &user);
}

static struct aedb_table *open_users(struct fixture *f)
{
	struct aedb_table *table;

	CHECK_OK(aedb_table_open(f->scope, "users", &table));
	return table;
}

/* A table without indexes, with rows. */
static struct aedb_table *begin(struct fixture *f)
{
	struct aedb_table *table;

	fixture_init(f);
	f->options.durability = AEDB_BATCH;
	f->options.txn_ops_max = OPS_MAX;
	fixture_start(f);
	CHECK_OK(aedb_table_create(f->scope, "users", users_schema(USERS_PLAIN)));
	table = open_users(f);
	for (uint64_t id = 0; id < ROWS; id++)
		CHECK_OK(put_user(NULL, table, id));
	return table;
}

static void agree(struct aedb_table *table, size_t rows)
{
	size_t n;

	CHECK_OK(users_agree(table, NULL, &n));
	CHECK_EQ(n, rows);
}

/* How many indexes there are, in whatever state, and entries of them. */
static size_t indexes_of(struct aedb_table *table)
{
	const struct table_known *known;

	CHECK_OK(table_schema_at(table, NULL, &known));
	return known->schema->shape.n_indexes;
}

static size_t entries_of(struct aedb_table *table)
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t n = 0;

	CHECK_OK(aedb_scan_open(table_entries(table), NULL,
				&(struct aedb_range){ 0 }, &scan));
	while (aedb_scan_next(scan, &entry) == 0)
		n += entry.key_bytes > 0;
	aedb_scan_close(scan);
	return n;
}

TEST(added, "an index of a table with rows gets an entry for each, and loses them again")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);

	CHECK_OK(add_index(&f, &mail_index));
	CHECK_OK(add_index(&f, &age_index));
	CHECK_EQ(add_index(&f, &age_index), AEDB_EXISTS);
	agree(table, ROWS);
	CHECK_EQ(entries_of(table), 2 * ROWS);
	CHECK_EQ(users_write(NULL, table, USERS_UPSERT, &(struct user){
		ROWS, "user1", 1, NULL }), AEDB_EXISTS);
	CHECK_OK(drop_index(&f, "by_mail"));
	CHECK_EQ(drop_index(&f, "by_mail"), AEDB_NOT_FOUND);
	CHECK_EQ(indexes_of(table), 1);
	CHECK_EQ(entries_of(table), ROWS);
	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &(struct user){
		ROWS, "user1", 1, NULL }));
	agree(table, ROWS + 1);
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(not_unique, "a unique index that two rows do not allow is not there at the end")
{
	struct fixture f;
	struct aedb_table *table = begin(&f);

	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &(struct user){
		ROWS, "user7", 1, NULL }));
	CHECK_EQ(add_index(&f, &mail_index), AEDB_EXISTS);
	CHECK(strstr(aedb_error_message(), "by_mail"));
	CHECK_EQ(indexes_of(table), 0);
	CHECK_EQ(entries_of(table), 0);
	CHECK_OK(users_write(NULL, table, USERS_DELETE, &(struct user){ .id = ROWS }));
	CHECK_OK(add_index(&f, &mail_index));
	agree(table, ROWS);
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(too_long, "an entry that is too long is refused by the name of its index, of a row "
	"that is written and of one there is")
{
	char mail[2000];
	struct user user = { ROWS, mail, 1, NULL };
	struct fixture f;
	struct aedb_table *table = begin(&f);

	memset(mail, 'm', sizeof(mail));
	mail[sizeof(mail) - 1] = '\0';
	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &user));
	CHECK_FAILS(add_index(&f, &mail_index), AEDB_TOO_LARGE,
		    "a row's entry in index by_mail has over 1024 bytes");
	CHECK_EQ(indexes_of(table), 0);
	CHECK_OK(users_write(NULL, table, USERS_DELETE, &user));
	CHECK_OK(add_index(&f, &mail_index));
	CHECK_FAILS(users_write(NULL, table, USERS_UPSERT, &user),
		    AEDB_TOO_LARGE,
		    "a row's entry in index by_mail has over 1024 bytes");
	agree(table, ROWS);
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(partial, "a partial index has entries of the rows that its condition is true for")
{
	struct aedb_value five = { .type = AEDB_TYPE_I64, .i64 = 5 };
	struct aedb_condition old = { .kind = AEDB_IF_COMPARES,
				      .column = USERS_AGE,
				      .comparison = AEDB_GREATER_OR_EQUAL,
				      .values = &five, .n_values = 1 };
	struct aedb_index index = mail_index;
	struct fixture f;
	struct aedb_table *table = begin(&f);

	index.where = &old;
	CHECK_OK(add_index(&f, &index));
	agree(table, ROWS);
	/* 5 and 6 of every 7 */
	CHECK_EQ(entries_of(table), 2 * (ROWS / 7) + (ROWS % 7 > 5));
	/* in it, and out again */
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		0, "user0", 6, NULL }));
	agree(table, ROWS);
	CHECK_EQ(users_write(NULL, table, USERS_UPDATE, &(struct user){
		1, "user0", 6, NULL }), AEDB_EXISTS);
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		1, "user0", 2, NULL }));
	CHECK_OK(users_write(NULL, table, USERS_UPDATE, &(struct user){
		0, "user0", 2, NULL }));
	agree(table, ROWS);
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(in_transaction, "an index comes with a transaction, unless rows were changed meanwhile")
{
	struct aedb_alter alter = { .kind = AEDB_ADD_INDEX,
				    .index = &age_index };
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_table_create(f.scope, "users", users_schema(USERS_PLAIN)));
	table = open_users(&f);
	for (uint64_t id = 0; id < 20; id++)
		CHECK_OK(put_user(NULL, table, id));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &alter));
	CHECK_EQ(put_user(txn, table, 99), AEDB_INVALID);
	CHECK_OK(put_user(NULL, table, 20));
	CHECK_EQ(txn_end(txn), AEDB_CONFLICT);
	txn = txn_of(f.db);
	CHECK_OK(put_user(txn, table, 99));
	CHECK_EQ(aedb_txn_table_alter(txn, f.scope, "users", &alter),
		 AEDB_INVALID);
	aedb_txn_abort(txn);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &alter));
	alter.index = &mail_index;
	CHECK_OK(aedb_txn_table_alter(txn, f.scope, "users", &alter));
	CHECK_OK(txn_end(txn));
	CHECK_EQ(indexes_of(table), 2);
	agree(table, 21);
	aedb_table_close(table);
	fixture_close(&f);
}

/* Power cuts. */

/* Everything that changes indexes, one after the other. */
static void history_run(struct fixture *f, struct aedb_table *table)
{
	CHECK_OK(add_index(f, &mail_index));
	CHECK_OK(put_user(NULL, table, ROWS));
	CHECK_OK(add_index(f, &age_index));
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	CHECK_OK(drop_index(f, "by_mail"));
	CHECK_OK(users_write(NULL, table, USERS_UPSERT, &(struct user){
		ROWS, "user7", 1, NULL }));
	CHECK_EQ(add_index(f, &mail_index), AEDB_EXISTS);
}

/* All indexes are as the rows say, as soon as the table was opened. */
static void crashed_check(struct simdisk *disk, const struct fixture *like)
{
	struct fixture f = { .disk = disk, .options = like->options };
	const struct table_known *known;
	struct aedb_table *table;
	size_t rows;

	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	table = open_users(&f);
	CHECK_OK(users_agree(table, NULL, &rows));
	CHECK(rows == ROWS || rows == ROWS + 1);
	CHECK_OK(table_schema_at(table, NULL, &known));
	for (size_t i = 0; i < known->schema->shape.n_indexes; i++)
		CHECK_EQ(known->schema->indexes[i].state, TABLE_INDEX_READY);
	CHECK(entries_of(table) <= 2 * rows);
	CHECK_OK(put_user(NULL, table, 3));
	CHECK_OK(users_agree(table, NULL, NULL));
	aedb_table_close(table);
	fixture_stop(&f);
	simdisk_free(disk);
}

TEST(power_cut, "what a power cut leaves of an index is removed, whenever it comes")
{
	struct simdisk **records;
	struct fixture f;
	struct aedb_table *table = begin(&f);
	size_t n;

	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	simdisk_record(f.disk);
	history_run(&f, table);
	n = simdisk_take_records(f.disk, &records);
	CHECK(n > 20);
	for (size_t i = 0; i < n; i++) {
		struct simdisk *copy = simdisk_clone(records[i]);

		simdisk_crash(records[i], i, SIMDISK_KEEP_ALL);
		crashed_check(records[i], &f);
		simdisk_crash(copy, i, i % 3 ? SIMDISK_RANDOM : SIMDISK_DROP_ALL);
		crashed_check(copy, &f);
	}
	free(records);
	aedb_table_close(table);
	fixture_close(&f);
}

/* With a disk that fails in call number `call` from when the index is dropped on.
 * Whether dropping it came to that call. */
static bool drop_at_fault(uint64_t call)
{
	struct fixture f;
	struct aedb_table *table = begin(&f);
	uint64_t fault;
	bool is_reached;
	int rc, written;

	CHECK_OK(add_index(&f, &age_index));
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	fault = simdisk_calls(f.disk) + call;
	simdisk_fail_at(f.disk, fault, SIMDISK_EIO);
	rc = drop_index(&f, "by_age");
	is_reached = simdisk_calls(f.disk) >= fault;
	CHECK_EQ(drop_index(&f, "by_age") == AEDB_NOT_FOUND, rc == 0);
	written = put_user(NULL, table, 3);
	CHECK(written == 0 || written == AEDB_IO || written == AEDB_UNKNOWN);
	aedb_table_close(table);
	aedb_scope_close(f.scope);
	aedb_close(f.db);
	simdisk_fail_at(f.disk, 0, SIMDISK_EIO);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	table = open_users(&f);
	CHECK(rc < 0 || indexes_of(table) == 0);
	CHECK_EQ(entries_of(table), indexes_of(table) * ROWS);
	agree(table, ROWS);
	aedb_table_close(table);
	fixture_close(&f);
	return is_reached;
}

TEST(fault, "an index is gone when dropping it says so, and there when it does not, "
	"whatever fails")
{
	uint64_t call = 1;

	while (drop_at_fault(call))
		call++;
	/* each piece of the entries is a commit, and a write at least */
	CHECK(call > ROWS / OPS_MAX);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
